//! The embedded log: the conformance suite, and what only a log in files owes.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod appending;
mod conformance;
mod damage;
mod disk_full;
mod doctor;
mod golden;
mod mark;
mod model_based;
mod opening;
mod retention;
mod torn_tail;
mod watched;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use eventlog::embedded::{EmbeddedLog, Settings};
use eventlog::{EventLog, Result};
use model::{Partition, Position, Timestamp};

/// The partition of the tests that need only one.
const P: Partition = Partition(0);

/// One partition, segments that never fill up, everything read from the files.
fn one_file() -> Settings {
    Settings { partitions: 1, tail_bytes: 0, ..Settings::default() }
}

/// One partition, a segment for each record.
fn a_file_each() -> Settings {
    Settings { segment_bytes: 1, ..one_file() }
}

fn open(directory: &Path, settings: &Settings) -> Result<EmbeddedLog> {
    EmbeddedLog::open(directory, settings, || Timestamp(1_000))
}

/// A clock that is set by hand.
#[derive(Clone, Default)]
struct Hand(Arc<AtomicI64>);

impl Hand {
    fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::SeqCst);
    }

    fn now(&self) -> impl Fn() -> Timestamp + Send + Sync + 'static {
        let time = Arc::clone(&self.0);
        move || Timestamp(time.load(Ordering::SeqCst))
    }
}

/// The file of the segment that starts with an entry.
fn segment(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("p00000/{first:020}.log"))
}

/// Copies a log that is closed.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("p00000")).unwrap();
    std::fs::copy(from.join("meta"), to.join("meta")).unwrap();
    for file in std::fs::read_dir(from.join("p00000")).unwrap() {
        let path = file.unwrap().path();
        std::fs::copy(&path, to.join("p00000").join(path.file_name().unwrap())).unwrap();
    }
}

/// What a cut of the power may leave: it is not said how far the log was durable, so that its tail may be torn.
fn forget_mark(directory: &Path) {
    std::fs::remove_file(directory.join("p00000/durable")).unwrap();
}

async fn append(log: &EmbeddedLog, record: impl Into<Bytes>) -> u64 {
    log.append(P, record.into()).await.unwrap().entry
}

/// A log of these records, closed.
async fn written(home: &Path, settings: &Settings, records: &[Vec<u8>]) {
    let log = open(home, settings).unwrap();
    for record in records {
        append(&log, record.clone()).await;
    }
}

/// All records from an entry on, or the failure that a reader meets.
async fn read_from(log: &EmbeddedLog, entry: u64) -> Result<Vec<Bytes>> {
    let (mut from, mut records) = (Position::of_entry(entry), Vec::new());
    loop {
        let chunk = log.read(P, from, 10_000).await?;
        if chunk.entries.is_empty() {
            return Ok(records);
        }
        from = chunk.next;
        records.extend(chunk.entries.into_iter().map(|entry| entry.record));
    }
}

/// Bytes that do not compress.
fn noise(seed: u8, len: usize) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    std::iter::repeat_with(|| {
        // xorshift32 (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 11) as u8
    })
    .take(len)
    .collect()
}
