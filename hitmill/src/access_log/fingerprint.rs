use std::io::{self, BufRead, Cursor, Read};

use model::stable_hash;

use super::entry::Entry;
use super::lines::{LINE_BYTES, Lines, Source};

/// So much of a log is searched for a line that can be read, and kept in memory until it is read once more.
const HEAD_BYTES: usize = 16 * LINE_BYTES;

/// What a log is known by, and the log from its beginning again.
///
/// It is a hash of the first line that can be read; failing that within the log's first MiB, of the first line that is not
/// empty. Neither changes when lines are added, once a hit was sent: before the first readable line there are no hits.
pub fn fingerprint<R: BufRead>(mut log: R) -> io::Result<(u64, impl BufRead)> {
    let (mut head, mut known_by) = (Vec::new(), None);
    loop {
        let start = head.len();
        log.by_ref().take((HEAD_BYTES - start) as u64).read_until(b'\n', &mut head)?;
        let mut lines = Lines::new(&head[start..], Source::Stream);
        let Some(line) = lines.next_line()? else { break };
        if !line.too_long && Entry::parse(line.text).is_ok() {
            known_by = Some(stable_hash(line.text));
            break;
        }
        if !line.text.trim_ascii().is_empty() {
            known_by = known_by.or_else(|| Some(stable_hash(line.text)));
        }
    }
    let known_by = known_by.unwrap_or_else(|| stable_hash(b""));
    Ok((known_by, Cursor::new(head).chain(log)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"192.0.2.7 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5"#;

    /// The fingerprint of a log, of which nothing may be lost.
    fn of(log: &str) -> u64 {
        let (known_by, mut again) = fingerprint(log.as_bytes()).unwrap();
        let mut text = String::new();
        again.read_to_string(&mut text).unwrap();
        assert!(text == log, "the log is not what it was");
        known_by
    }

    #[test]
    fn a_log_is_known_by_its_first_readable_line() {
        let line = stable_hash(LINE.as_bytes());
        assert_eq!(of(&format!("{LINE}\n")), line);
        assert_eq!(of(&format!("{LINE}\r\nmore\n")), line);
        assert_eq!(of(&format!("\n \nrubbish\n{LINE}\n{LINE}1\n")), line);
        assert_ne!(of(&format!("\n{LINE}1\n")), line, "an empty line before does not make logs the same");
    }

    #[test]
    fn failing_that_by_its_first_line_that_is_not_empty() {
        assert_eq!(of("\n \nrubbish\nmore\n"), stable_hash(b"rubbish"));
        assert_eq!(of(""), stable_hash(b""));
        let far = format!("first\n{}{LINE}\n", "rubbish\n".repeat(HEAD_BYTES / 8));
        assert_eq!(of(&far), stable_hash(b"first"));
        let long = format!("{}\n{LINE}\n", "x".repeat(2 * HEAD_BYTES));
        assert_eq!(of(&long), stable_hash("x".repeat(LINE_BYTES).as_bytes()));
    }
}
