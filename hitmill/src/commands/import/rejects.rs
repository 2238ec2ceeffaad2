use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use serde::Serialize;

use hitmill::access_log::{Line, Unreadable};

/// This many are shown at the end.
const SHOWN: usize = 5;

/// Keeps the lines that cannot be read: the first ones to be shown, and all of them in a file, which is made with the
/// first: `number TAB reason TAB line`.
#[derive(Debug)]
pub(super) struct Rejects {
    path: PathBuf,
    /// Adds to what an earlier part of the import wrote.
    append: bool,
    file: Option<BufWriter<File>>,
    count: u64,
    first: Vec<Reject>,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Reject {
    /// Its number.
    pub(super) line: u64,
    /// Why not.
    pub(super) reason: String,
}

impl Rejects {
    /// None yet.
    pub(super) fn new(path: PathBuf, append: bool) -> Self {
        Self { path, append, file: None, count: 0, first: Vec::new() }
    }

    /// Notes a line.
    pub(super) fn add(&mut self, line: Line<'_>, reason: &Unreadable) -> io::Result<()> {
        self.count += 1;
        if self.first.len() < SHOWN {
            self.first.push(Reject { line: line.number, reason: reason.to_string() });
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(BufWriter::new(open(&self.path, self.append)?)),
        };
        write!(file, "{}\t{reason}\t", line.number)?;
        file.write_all(line.text)?;
        file.write_all(b"\n")
    }

    /// Gives to the file what is still in memory.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }

    /// How many.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The first few.
    pub(super) fn first(&self) -> &[Reject] {
        &self.first
    }

    /// The file, if there is anything in it.
    pub(super) fn path(&self) -> Option<&PathBuf> {
        self.file.as_ref().map(|_| &self.path)
    }
}

fn open(path: &PathBuf, append: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(append).write(true).truncate(!append);
    options
        .open(path)
        .map_err(|error| io::Error::new(error.kind(), format!("rejects file {path:?}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_written_and_some_are_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rejects");
        let reject = |rejects: &mut Rejects, number| {
            let line = Line { number, text: b"\xffrubbish", too_long: false, ended: true };
            rejects.add(line, &Unreadable::Empty).unwrap();
        };
        let mut rejects = Rejects::new(path.clone(), false);
        assert_eq!(rejects.path(), None);
        assert!(!path.exists(), "no rejects, no file");
        (1..=7).for_each(|number| reject(&mut rejects, number));
        rejects.flush().unwrap();
        assert_eq!((rejects.count(), rejects.first().len(), rejects.path()), (7, SHOWN, Some(&path)));
        assert_eq!(rejects.first()[1], Reject { line: 2, reason: "the line is empty".into() });
        let written = std::fs::read(&path).unwrap();
        assert!(written.starts_with(b"1\tthe line is empty\t\xffrubbish\n2\t"));

        let mut more = Rejects::new(path.clone(), true);
        reject(&mut more, 8);
        more.flush().unwrap();
        assert_eq!(std::fs::read(&path).unwrap().iter().filter(|byte| **byte == b'\n').count(), 8);
        let mut again = Rejects::new(path.clone(), false);
        reject(&mut again, 1);
        again.flush().unwrap();
        assert_eq!(std::fs::read(&path).unwrap().iter().filter(|byte| **byte == b'\n').count(), 1);
    }
}
