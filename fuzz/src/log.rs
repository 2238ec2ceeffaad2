use std::path::Path;
use std::slice;

use bytes::Bytes;
use eventlog::embedded::doctor::{Finding, Loss, Remedy, examine};
use eventlog::embedded::{EmbeddedLog, Settings};
use eventlog::{Error, EventLog};
use model::{Partition, Position, Timestamp};

use crate::damage::damage;

const P: Partition = Partition(0);

/// The files of a log, damaged as the bytes say.
/// It opens, or says where it is damaged; what it reads are records that were written, in order from the first,
/// and then it goes on. One that does not open does when it is repaired, and a record of it is the one that was written, or an
/// empty one.
pub fn log(data: &[u8]) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
    let home = tempfile::tempdir();
    let Ok(home) = home else { return };
    runtime.block_on(async {
        let written = write(home.path()).await;
        damage(home.path(), data);
        let log = match open(home.path()) {
            Ok(log) => log,
            Err(Error::Corrupt { place, .. }) => {
                assert!(place.contains("p00000") || place.contains("meta"), "{place}");
                return repaired(home.path(), &written).await;
            }
            Err(error) => return assert!(matches!(error, Error::Mismatch { .. }), "{error}"),
        };
        let read = read(&log).await;
        assert!(written.starts_with(&read), "{read:?} was never written");
        if read.len() as u64 == log.end(P).await.map_or(0, |end| end.entry) {
            let appended = log.append(P, Bytes::from_static(b"more")).await.ok();
            assert_eq!(appended, Some(Position::of_entry(read.len() as u64)));
        }
    });
}

async fn repaired(home: &Path, written: &[Bytes]) {
    let remedy = Remedy {
        aside: &home.join("aside"),
        filler: b"",
        folded: slice::from_ref(&(5..5)),
        now: Timestamp(2_000),
    };
    // A meta file that says another format is not repaired.
    let Ok(examined) = examine(home, 1, &|_| None) else { return };
    let repaired = examined.repair(&|_| None, &remedy);
    assert!(repaired.is_ok(), "{repaired:?}, of {:?}", examined.findings);
    let findings = examined.findings.clone();
    drop(examined);
    let left = examine(home, 1, &|_| None).map(|left| left.findings);
    let torn_tails = |left: Vec<Finding>| left.iter().all(|finding| finding.loss == Loss::TornTail);
    assert!(left.is_ok_and(torn_tails), "after {findings:?}");
    let log = open(home);
    let Ok(log) = log else { return assert!(log.is_ok(), "{log:?} after {findings:?}") };
    let read = read(&log).await;
    assert!(read.len() >= 5, "as many as were folded: {read:?}");
    for (record, written) in read.iter().zip(written) {
        assert!(record.is_empty() || record == written, "{read:?} was never written, {findings:?}");
    }
}

fn open(home: &Path) -> eventlog::Result<EmbeddedLog> {
    // A segment takes some records, so that there are three.
    let settings = Settings { partitions: 1, segment_bytes: 200, tail_bytes: 0, ..Settings::default() };
    EmbeddedLog::open(home, &settings, || Timestamp(1_000))
}

async fn write(home: &Path) -> Vec<Bytes> {
    let mut written = Vec::new();
    if let Ok(log) = open(home) {
        for number in 0..8_u8 {
            let record = Bytes::from(vec![number; 10 * usize::from(number)]);
            if log.append(P, record.clone()).await.is_ok() {
                written.push(record);
            }
        }
    }
    assert_eq!(written.len(), 8, "a directory of its own can be written");
    written
}

async fn read(log: &EmbeddedLog) -> Vec<Bytes> {
    let (mut records, mut from) = (Vec::new(), Position::START);
    while let Ok(chunk) = log.read(P, from, 1 << 20).await {
        if chunk.entries.is_empty() {
            break;
        }
        from = chunk.next;
        records.extend(chunk.entries.into_iter().map(|entry| entry.record));
    }
    records
}
