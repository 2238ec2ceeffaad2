use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use model::{Invalid, Timestamp};
use thiserror::Error;

use super::lines::LINE_BYTES;
use super::scan::Scan;

/// A line of a log. Who was logged in (the second and third field) is not kept: nobody asked for it to be sent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// The virtual host and port that were asked, where the log has them in front.
    pub(crate) virtual_host: Option<&'a str>,
    /// Who asked: an IP address, or a host name if the server looks names up.
    pub(crate) address: Cow<'a, str>,
    /// When.
    pub(crate) time: Timestamp,
    /// The request's first line as it came, rubbish included.
    pub(crate) request: Cow<'a, str>,
    /// The status that was answered.
    pub(crate) status: u16,
    /// Bytes of the answer's body, if any were sent.
    pub(crate) bytes: Option<u64>,
    /// The `Referer` header, unless it was missing.
    pub(crate) referrer: Option<Cow<'a, str>>,
    /// The `User-Agent` header, unless it was missing.
    pub(crate) user_agent: Option<Cow<'a, str>>,
}

/// Why a line is no entry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Unreadable {
    /// Nothing is in it.
    #[error("the line is empty")]
    Empty,
    /// It is longer than lines may be.
    #[error("the line is longer than {LINE_BYTES} bytes")]
    TooLong,
    /// It ends before this field.
    #[error("the line ends before the {0}")]
    Missing(Field),
    /// It ends within this field.
    #[error("the line ends within the {0}")]
    Cut(Field),
    /// The field is not what it should be.
    #[error(transparent)]
    Bad(#[from] Invalid),
}

/// A field of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// Who asked.
    Address,
    /// Who was logged in by RFC 1413; always `-`.
    Identity,
    /// Who was logged in by HTTP.
    User,
    /// When.
    Time,
    /// The first line of the request.
    Request,
    /// The answer's status.
    Status,
    /// The answer's size.
    Bytes,
    /// The header `Referer`.
    Referrer,
    /// The header `User-Agent`.
    UserAgent,
}

impl Field {
    /// Its name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Identity => "identity",
            Self::User => "user",
            Self::Time => "time",
            Self::Request => "request",
            Self::Status => "status",
            Self::Bytes => "size",
            Self::Referrer => "referrer",
            Self::UserAgent => "user agent",
        }
    }

    fn allowed(self) -> &'static str {
        match self {
            Self::Time => "a time as in [17/May/2015:10:05:03 +0000]",
            Self::Status => "three digits",
            Self::Bytes => "a whole number, or - for none",
            Self::Request | Self::Referrer | Self::UserAgent => "text in double quotes, then a space",
            Self::Address | Self::Identity | Self::User => "a word without spaces",
        }
    }

    /// Says that `value` cannot be this field.
    pub(super) fn bad(self, value: &[u8]) -> Unreadable {
        Invalid::new(self.name(), String::from_utf8_lossy(value), self.allowed()).into()
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'a> Entry<'a> {
    /// Reads a line, without its end. What follows the user agent is left: many logs have fields of their own there.
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, Unreadable> {
        if line.trim_ascii().is_empty() {
            return Err(Unreadable::Empty);
        }
        let mut scan = Scan::new(line);
        let who = Who::parse(scan.before_bracket())?;
        let time = parse_time(scan.bracketed(Field::Time)?)?;
        let request = scan.quoted(Field::Request)?;
        let status = parse_status(scan.word(Field::Status)?)?;
        let bytes = parse_bytes(scan.word(Field::Bytes)?)?;
        let (mut referrer, mut user_agent) = (None, None);
        // The common format ends here; the combined one has both.
        if !scan.is_at_end() {
            referrer = Some(scan.quoted(Field::Referrer)?);
            user_agent = Some(scan.quoted(Field::UserAgent)?);
        }
        Ok(Self {
            virtual_host: who.virtual_host,
            address: String::from_utf8_lossy(who.address),
            time,
            request,
            status,
            bytes,
            referrer: referrer.filter(|text| is_given(text)),
            user_agent: user_agent.filter(|text| is_given(text)),
        })
    }
}

fn is_given(text: &str) -> bool {
    !matches!(text, "" | "-")
}

/// What stands before the time: `address identity user`, perhaps with `host:port` in front.
struct Who<'a> {
    virtual_host: Option<&'a str>,
    address: &'a [u8],
}

impl<'a> Who<'a> {
    fn parse(text: &'a [u8]) -> Result<Self, Unreadable> {
        // The user may have spaces in it: all that is left is the user.
        let mut words = text.splitn(4, |byte| *byte == b' ');
        let mut next = |field: Field| match words.next() {
            None => Err(Unreadable::Missing(field)),
            Some(b"") => Err(field.bad(b"")),
            Some(word) => Ok(word),
        };
        let (first, second) = (next(Field::Address)?, next(Field::Identity)?);
        next(Field::User)?;
        match as_virtual_host(first) {
            Some(host) if is_address(second) => Ok(Self { virtual_host: Some(host), address: second }),
            _ => Ok(Self { virtual_host: None, address: first }),
        }
    }
}

/// `host:port`, but not an IPv6 address.
fn as_virtual_host(word: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(word).ok()?;
    let (host, port) = text.rsplit_once(':')?;
    let is_port = port.parse::<u16>().is_ok();
    (is_port && !host.is_empty() && text.parse::<IpAddr>().is_err()).then_some(text)
}

fn is_address(word: &[u8]) -> bool {
    std::str::from_utf8(word).is_ok_and(|text| text.parse::<IpAddr>().is_ok())
}

fn parse_time(text: &[u8]) -> Result<Timestamp, Unreadable> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| jiff::Timestamp::strptime("%d/%b/%Y:%H:%M:%S %z", text).ok())
        .map(|time| Timestamp(time.as_millisecond()))
        .ok_or_else(|| Field::Time.bad(text))
}

fn parse_status(word: &[u8]) -> Result<u16, Unreadable> {
    match word {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            Ok([a, b, c].into_iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0')))
        }
        _ => Err(Field::Status.bad(word)),
    }
}

fn parse_bytes(word: &[u8]) -> Result<Option<u64>, Unreadable> {
    if word == b"-" {
        return Ok(None);
    }
    let number = std::str::from_utf8(word).ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Field::Bytes.bad(word))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(line: impl AsRef<[u8]>, expected: Expect) {
        let shown = match Entry::parse(line.as_ref()) {
            Err(reason) => format!("unreadable: {reason}"),
            Ok(e) => format!(
                "{} {} {:?} {} {:?} {:?} {:?} {:?}",
                e.address, e.time, e.request, e.status, e.bytes, e.referrer, e.user_agent, e.virtual_host
            ),
        };
        expected.assert_eq(&shown);
    }

    const HEAD: &str = "192.0.2.7 - - [17/May/2015:10:05:03 +0000]";

    #[test]
    fn common_and_combined() {
        check(
            format!(r#"{HEAD} "GET / HTTP/1.1" 200 2326"#),
            expect![[r#"192.0.2.7 2015-05-17T10:05:03Z "GET / HTTP/1.1" 200 Some(2326) None None None"#]],
        );
        check(
            format!(r#"{HEAD} "GET / HTTP/1.1" 304 - "http://example.com/a b" "Mozilla/5.0 (X11)""#),
            expect![[
                r#"192.0.2.7 2015-05-17T10:05:03Z "GET / HTTP/1.1" 304 None Some("http://example.com/a b") Some("Mozilla/5.0 (X11)") None"#
            ]],
        );
        check(
            format!(r#"{HEAD} "GET / HTTP/1.1" 200 5 "-" "-" "198.51.100.1" 0.004"#),
            expect![[r#"192.0.2.7 2015-05-17T10:05:03Z "GET / HTTP/1.1" 200 Some(5) None None None"#]],
        );
    }

    #[test]
    fn whoever_stands_before_the_time() {
        let tail = r#"[17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5"#;
        check(
            format!("2001:db8::1:80 - John Smith {tail}"),
            expect![[r#"2001:db8::1:80 2015-05-17T10:05:03Z "GET / HTTP/1.1" 200 Some(5) None None None"#]],
        );
        check(
            format!("shop.example:443 2001:db8::1 - - {tail}"),
            expect![[
                r#"2001:db8::1 2015-05-17T10:05:03Z "GET / HTTP/1.1" 200 Some(5) None None Some("shop.example:443")"#
            ]],
        );
        check(
            format!("crawl-1.example - - {tail}"),
            expect![[r#"crawl-1.example 2015-05-17T10:05:03Z "GET / HTTP/1.1" 200 Some(5) None None None"#]],
        );
        check(format!("192.0.2.7 - {tail}"), expect!["unreadable: the line ends before the user"]);
        check(
            format!("192.0.2.7  - {tail}"),
            expect![[r#"unreadable: identity "" is not allowed: a word without spaces"#]],
        );
    }

    #[test]
    fn times_are_taken_with_their_zone() {
        let at = |time: &str| format!(r#"h - - [{time}] "" 200 5"#);
        check(
            at("17/May/2015:12:05:03 +0530"),
            expect![[r#"h 2015-05-17T06:35:03Z "" 200 Some(5) None None None"#]],
        );
        check(
            at("31/Dec/1999:23:59:59 -0100"),
            expect![[r#"h 2000-01-01T00:59:59Z "" 200 Some(5) None None None"#]],
        );
        check(
            at("30/Feb/2015:12:05:03 +0000"),
            expect![[
                r#"unreadable: time "30/Feb/2015:12:05:03 +0000" is not allowed: a time as in [17/May/2015:10:05:03 +0000]"#
            ]],
        );
        check(
            at("17/May/2015:12:05:03"),
            expect![[
                r#"unreadable: time "17/May/2015:12:05:03" is not allowed: a time as in [17/May/2015:10:05:03 +0000]"#
            ]],
        );
    }

    #[test]
    fn escapes_as_apache_and_nginx_write_them() {
        check(
            format!(r#"{HEAD} "GET /\"a\\b HTTP/1.1" 200 5 "-" "a\x22\t\xc3\xa4\q""#),
            expect![[
                r#"192.0.2.7 2015-05-17T10:05:03Z "GET /\"a\\b HTTP/1.1" 200 Some(5) None Some("a\"\tä\\q") None"#
            ]],
        );
        check(
            format!(r#"{HEAD} "\x16\x03\x01\xff" 400 226 "-" "-""#),
            expect![[r#"192.0.2.7 2015-05-17T10:05:03Z "\u{16}\u{3}\u{1}�" 400 Some(226) None None None"#]],
        );
        check(
            [HEAD.as_bytes(), b" \"\xff\" 400 0"].concat(),
            expect![[r#"192.0.2.7 2015-05-17T10:05:03Z "�" 400 Some(0) None None None"#]],
        );
    }

    #[test]
    fn every_way_to_be_cut_off_names_its_field() {
        check("", expect!["unreadable: the line is empty"]);
        check(" \r", expect!["unreadable: the line is empty"]);
        check("192.0.2.7", expect!["unreadable: the line ends before the identity"]);
        check("192.0.2.7 - -", expect!["unreadable: the line ends before the time"]);
        check("192.0.2.7 - - [17/May/20", expect!["unreadable: the line ends within the time"]);
        check(HEAD, expect!["unreadable: the line ends before the request"]);
        check(format!(r#"{HEAD} "GET / HT"#), expect!["unreadable: the line ends within the request"]);
        check(format!(r#"{HEAD} "GET / HT\""#), expect!["unreadable: the line ends within the request"]);
        check(format!(r#"{HEAD} "GET /""#), expect!["unreadable: the line ends before the status"]);
        check(format!(r#"{HEAD} "GET /" 200"#), expect!["unreadable: the line ends before the size"]);
        check(
            format!(r#"{HEAD} "GET /" 200 5 "-"#),
            expect!["unreadable: the line ends within the referrer"],
        );
        check(
            format!(r#"{HEAD} "GET /" 200 5 "-""#),
            expect!["unreadable: the line ends before the user agent"],
        );
        check(
            format!(r#"{HEAD} "GET /" 200 5 "-" "Moz"#),
            expect!["unreadable: the line ends within the user agent"],
        );
    }

    #[test]
    fn what_is_no_field_is_shown() {
        check(
            format!(r#"{HEAD} GET / 200 5"#),
            expect![[
                r#"unreadable: request "GET / 200 5" is not allowed: text in double quotes, then a space"#
            ]],
        );
        check(
            format!(r#"{HEAD} "a"b" 200 5"#),
            expect![[
                r#"unreadable: request "\"a\"b\" 200 5" is not allowed: text in double quotes, then a space"#
            ]],
        );
        check(
            format!(r#"{HEAD} "GET /" 2000 5"#),
            expect![[r#"unreadable: status "2000" is not allowed: three digits"#]],
        );
        check(
            format!(r#"{HEAD} "GET /" 200 5k"#),
            expect![[r#"unreadable: size "5k" is not allowed: a whole number, or - for none"#]],
        );
        check("Log started at noon", expect!["unreadable: the line ends before the time"]);
    }

    proptest::proptest! {
        #[test]
        fn no_line_breaks_the_reader(line: Vec<u8>, cut in 0usize..120) {
            let _ = Entry::parse(&line);
            let full = format!(r#"{HEAD} "GET /ä HTTP/1.1" 200 5 "http://e.com/" "Mozilla\x22""#);
            let cut = cut.min(full.len());
            // A beginning of a good line is unreadable, or ends where the common format does.
            if let Ok(entry) = Entry::parse(&full.as_bytes()[..cut]) {
                proptest::prop_assert!(cut == full.len() || entry.user_agent.is_none());
            }
        }
    }
}
