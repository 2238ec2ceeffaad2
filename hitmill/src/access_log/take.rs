use proto::v1::Hit;

use super::entry::{Entry, Unreadable};
use super::hit::{Counting, hit};
use super::lines::Line;
use super::page::NotPage;

/// Why nothing is sent for a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untaken {
    /// It has no end yet, so nobody knows whether it is whole: a combined line cut behind the size is a common one.
    Unended,
    /// It cannot be read.
    Unreadable(Unreadable),
    /// It can be read, and is not counted.
    LeftOut(NotPage),
}

/// The hit of a line.
pub fn take(line: Line<'_>, counting: Counting) -> Result<Hit, Untaken> {
    if !line.ended {
        return Err(Untaken::Unended);
    }
    if line.too_long {
        return Err(Untaken::Unreadable(Unreadable::TooLong));
    }
    let entry = Entry::parse(line.text).map_err(Untaken::Unreadable)?;
    hit(&entry, counting).map_err(Untaken::LeftOut)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Lines, Source, fingerprint};
    use super::*;

    const LINE: &str = r#"192.0.2.7 - - [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 512 "http://e.com/" "Moz \"5\"""#;

    /// By log and line, as the server knows them.
    type Hits = BTreeMap<(u64, u64), Hit>;

    /// Imports a log; what the server has already, it keeps as it is.
    fn import(log: &str, source: Source, server: &mut Hits) {
        let (known_by, log) = fingerprint(log.as_bytes()).unwrap();
        let mut lines = Lines::new(log, source);
        while let Some(line) = lines.next_line().unwrap() {
            if let Ok(hit) = take(line, Counting::All) {
                server.entry((known_by, line.number)).or_insert(hit);
            }
        }
    }

    /// The places of a cut at which importing the cut log first leaves other hits than those of the whole log.
    fn harmful_cuts(before: &str, source: Source) -> Vec<usize> {
        let whole = format!("{before}{LINE}\n");
        let mut expected = Hits::new();
        import(&whole, source, &mut expected);
        assert_eq!(expected.len(), whole.lines().filter(|line| !line.is_empty()).count());
        let harms = |cut: &usize| {
            let mut server = Hits::new();
            import(&whole[..before.len() + cut], source, &mut server);
            import(&whole, source, &mut server);
            server != expected
        };
        (0..=LINE.len() + 1).filter(harms).collect()
    }

    #[test]
    fn a_file_may_be_imported_while_its_last_line_is_written() {
        let size = LINE.find(" 512 ").unwrap() + 1;
        for before in ["", "\n", &format!("{}\n", LINE.replace("/a", "/c"))] {
            assert_eq!(harmful_cuts(before, Source::File), Vec::<usize>::new());
            // So there is something to be mended: within the size and behind it, a cut line can be read.
            let readable = [size + 1, size + 2, size + 3, size + 4];
            assert!(harmful_cuts(before, Source::Stream).starts_with(&readable));
        }
    }

    #[test]
    fn only_a_file_can_have_a_line_without_an_end() {
        let taken =
            |source| take(Lines::new(LINE.as_bytes(), source).next_line().unwrap().unwrap(), Counting::Pages);
        assert_eq!(taken(Source::File), Err(Untaken::Unended));
        assert_eq!(taken(Source::Stream).unwrap().url, "/a?b");
    }

    #[test]
    fn what_is_not_taken_says_why() {
        let taken = |text: &str, too_long| {
            take(Line { number: 1, text: text.as_bytes(), too_long, ended: true }, Counting::Pages).err()
        };
        assert_eq!(taken(LINE, false), None);
        assert_eq!(taken(LINE, true), Some(Untaken::Unreadable(Unreadable::TooLong)));
        assert_eq!(taken("", false), Some(Untaken::Unreadable(Unreadable::Empty)));
        assert_eq!(taken(&LINE.replace("GET", "POST"), false), Some(Untaken::LeftOut(NotPage::Method)));
    }
}
