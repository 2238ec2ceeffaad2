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
    check(format!(r#"{HEAD} "GET /" 200 5 "-"#), expect!["unreadable: the line ends within the referrer"]);
    check(format!(r#"{HEAD} "GET /" 200 5 "-""#), expect!["unreadable: the line ends before the user agent"]);
    check(
        format!(r#"{HEAD} "GET /" 200 5 "-" "Moz"#),
        expect!["unreadable: the line ends within the user agent"],
    );
}

#[test]
fn what_is_no_field_is_shown() {
    check(
        format!(r#"{HEAD} GET / 200 5"#),
        expect![[r#"unreadable: request "GET / 200 5" is not allowed: text in double quotes, then a space"#]],
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
