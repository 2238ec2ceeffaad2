use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::bail;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::rejects::Reject;
use crate::output::{self, Format};

/// What became of the lines of a log.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Report {
    /// The name under which the server knows the log: the same name and line is the same hit.
    pub(super) client_id: String,
    /// Lines of the log.
    pub(super) lines: u64,
    /// Of these, lines at its beginning that an earlier import had settled.
    pub(super) lines_settled_before: u64,
    /// Hits that are durable. Which of them the server had already, only the server knows.
    pub(super) accepted: u64,
    /// Hits that the server would not have.
    pub(super) refused: u64,
    /// The first of them.
    pub(super) refused_first: Vec<Reject>,
    /// Readable lines that are no page views, by reason.
    pub(super) left_out: BTreeMap<&'static str, u64>,
    /// Lines that cannot be read.
    pub(super) unreadable: u64,
    /// The first of them.
    pub(super) unreadable_first: Vec<Reject>,
    /// Where all of them are.
    pub(super) rejects: Option<PathBuf>,
    /// 1 if the last line has no end yet: it is left for the next import.
    pub(super) unended: u64,
    /// How long it took.
    pub(super) seconds: f64,
}

impl Report {
    /// Prints it: the numbers to standard output, and what went wrong to standard error.
    pub(super) fn print(&self, format: Format) -> anyhow::Result<()> {
        match format {
            Format::Json => output::one(format, &[], self)?,
            Format::Table | Format::Csv => {
                let flat = self.flat();
                let fields: Vec<&str> = flat.iter().map(|(field, _)| field.as_str()).collect();
                output::one(format, &fields, &Map::from_iter(flat.iter().cloned()))?;
            }
        }
        for Reject { line, reason } in &self.unreadable_first {
            eprintln!("line {line} cannot be read: {reason}");
        }
        if let Some(path) = &self.rejects {
            eprintln!("all lines that cannot be read are in {}", path.display());
        }
        if self.unended > 0 {
            eprintln!("the last line has no end yet: it is left for the next import");
        }
        for Reject { line, reason } in &self.refused_first {
            eprintln!("line {line} was refused by the server: {reason}");
        }
        Ok(())
    }

    /// An import of which nothing came has failed, whatever the reason.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let readable = self.accepted + self.refused + self.left_out.values().sum::<u64>();
        if self.lines_settled_before == 0 && self.unreadable > 0 && readable == 0 {
            bail!("no line of it can be read: an access log in common or combined format is expected");
        }
        if self.refused > 0 && self.accepted == 0 {
            bail!("the server refused all of the {} hits", self.refused);
        }
        Ok(())
    }

    /// Its fields one beside the other, in the order of reading.
    fn flat(&self) -> Vec<(String, Value)> {
        let mut flat = vec![
            ("lines".to_owned(), json!(self.lines)),
            ("lines_settled_before".to_owned(), json!(self.lines_settled_before)),
            ("accepted".to_owned(), json!(self.accepted)),
            ("refused".to_owned(), json!(self.refused)),
        ];
        flat.extend(self.left_out.iter().map(|(reason, lines)| (format!("left_out_{reason}"), json!(lines))));
        flat.push(("unreadable".to_owned(), json!(self.unreadable)));
        flat.push(("unended".to_owned(), json!(self.unended)));
        flat.push(("seconds".to_owned(), json!((self.seconds * 1_000.0).round() / 1_000.0)));
        flat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_of_which_nothing_came_has_failed() {
        let nothing = Report::default();
        let check = |report: Report| report.check().err().map(|error| error.to_string());
        assert_eq!(check(nothing.clone()), None, "an empty log");
        assert_eq!(check(Report { lines: 1, unended: 1, ..nothing.clone() }), None, "a log that begins");
        assert!(
            check(Report { lines: 2, unreadable: 2, ..nothing.clone() })
                .is_some_and(|e| e.starts_with("no line"))
        );
        assert_eq!(check(Report { lines: 2, unreadable: 1, accepted: 1, ..nothing.clone() }), None);
        assert_eq!(check(Report { lines: 2, left_out: [("assets", 2)].into(), ..nothing.clone() }), None);
        assert_eq!(
            check(Report { lines: 2, lines_settled_before: 1, unreadable: 1, ..nothing.clone() }),
            None
        );
        assert!(check(Report { lines: 2, refused: 2, ..nothing.clone() }).is_some());
        assert_eq!(check(Report { lines: 2, refused: 1, accepted: 1, ..nothing }), None);
    }
}
