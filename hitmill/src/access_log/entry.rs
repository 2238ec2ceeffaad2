use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use model::{Invalid, Timestamp};
use thiserror::Error;

use super::lines::LINE_BYTES;
use super::scan::Scan;

/// A line of a log. Who was logged in (the second and third field) is not kept: nobody asked for it to be sent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// The virtual host and port that were asked, where the log has them in front.
    pub virtual_host: Option<&'a str>,
    /// Who asked: an IP address, or a host name if the server looks names up.
    pub address: Cow<'a, str>,
    /// When.
    pub time: Timestamp,
    /// The request's first line as it came, rubbish included.
    pub request: Cow<'a, str>,
    /// The status that was answered.
    pub status: u16,
    /// Bytes of the answer's body, if any were sent.
    pub bytes: Option<u64>,
    /// The `Referer` header, unless it was missing.
    pub referrer: Option<Cow<'a, str>>,
    /// The `User-Agent` header, unless it was missing.
    pub user_agent: Option<Cow<'a, str>>,
}

/// Why a line is no entry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
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
pub enum Field {
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
    pub fn name(self) -> &'static str {
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
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, Unreadable> {
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
mod tests;
