//! What a client knows of its hits, written down so that it can still be read after `kill -9` of the client.
//!
//! A file for each life of a client, a line for each thing it learns: `S n`: hit n and all before it may have been fired.
//! `A n t`: n hits are acknowledged, at the latest at t, in milliseconds since 1970. `K n`: the n hits
//! that were fired are in the queue directory. `F n`: n hits were fired, all of them are acknowledged, and there will be no
//! more.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::hits::Life;
use crate::system::complete::now_ms;

/// The writing end, in the client.
pub(super) struct Pen(File);

impl Pen {
    pub(super) fn new(path: &Path) -> Self {
        Self(File::options().create_new(true).append(true).open(path).unwrap())
    }

    /// Before they are fired.
    pub(super) fn firing_through(&mut self, n: u64) {
        self.line(&format!("S {n}\n"));
    }

    /// After the client was told.
    pub(super) fn acked(&mut self, n: u64) {
        self.line(&format!("A {n} {}\n", now_ms()));
    }

    /// They survive the client from now on.
    pub(super) fn kept(&mut self, n: u64) {
        self.line(&format!("K {n}\n"));
    }

    pub(super) fn finished(&mut self, n: u64) {
        self.line(&format!("F {n}\n"));
    }

    /// One write: the system has the line whole, or, if the process is killed just then, a part that no newline ends.
    fn line(&mut self, line: &str) {
        self.0.write_all(line.as_bytes()).unwrap();
    }
}

/// What was read of a ledger so far.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    pub(super) life: Life,
    /// S: no hit after it was fired.
    pub(super) sent: u64,
    /// So many hits survive the client.
    pub(super) kept: u64,
    /// All hits were fired and acknowledged.
    pub(super) finished: bool,
    /// How many were acknowledged, at the latest when.
    acks: Vec<(u64, i64)>,
    path: PathBuf,
    read: u64,
}

impl Ledger {
    pub(super) fn new(life: Life, path: PathBuf) -> Self {
        Self { life, sent: 0, kept: 0, finished: false, acks: Vec::new(), path, read: 0 }
    }

    /// So many cannot be lost any more: they are acknowledged, or the client has put them where they survive it.
    pub(super) fn safe(&self) -> u64 {
        self.acked().max(self.kept)
    }

    /// A: so many were acknowledged.
    pub(super) fn acked(&self) -> u64 {
        self.acks.last().map_or(0, |(n, _)| *n)
    }

    /// How many were certainly acknowledged before this instant.
    pub(super) fn acked_before(&self, at_ms: i64) -> u64 {
        let before = self.acks.partition_point(|(_, t)| *t < at_ms);
        before.checked_sub(1).map_or(0, |last| self.acks[last].0)
    }

    /// Takes in what was written since the last time.
    pub(super) fn read_on(&mut self) {
        let Ok(mut file) = File::open(&self.path) else { return };
        let mut text = String::new();
        file.seek(SeekFrom::Start(self.read)).unwrap();
        file.read_to_string(&mut text).unwrap();
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        self.read += whole as u64;
        text[..whole].lines().for_each(|line| self.take(line));
    }

    fn take(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        let number =
            |at: usize| words[at].parse::<u64>().unwrap_or_else(|_| panic!("{line:?} in {:?}", self.path));
        match words[0] {
            "S" => self.sent = number(1),
            "A" => self.acks.push((number(1), number(2) as i64)),
            "K" => self.kept = number(1),
            "F" => {
                assert_eq!((self.sent, self.acked()), (number(1), number(1)), "{:?}", self.life);
                self.finished = true;
            }
            _ => panic!("{line:?} in {:?}", self.path),
        }
    }
}

#[test]
fn a_line_that_a_kill_cut_short_does_not_count() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ledger");
    std::fs::write(&path, "S 4\nA 2 1000\nA 3 2000\nS 9").unwrap();
    let mut ledger = Ledger::new(Life { client: 0, number: 0 }, path.clone());
    ledger.read_on();
    assert_eq!((ledger.sent, ledger.acked(), ledger.finished), (4, 3, false));
    assert_eq!([0, 1000, 1001, 2000, 2001].map(|t| ledger.acked_before(t)), [0, 0, 2, 2, 3]);
    std::fs::write(&path, "S 4\nA 2 1000\nA 3 2000\nS 9\nA 9 3000\nF 9\n").unwrap();
    ledger.read_on();
    assert_eq!((ledger.sent, ledger.acked(), ledger.finished), (9, 9, true));
}
