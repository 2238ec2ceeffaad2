//! Beside the segments it is noted how far they are durable: what was acknowledged last is missed when it is gone, though
//! nothing follows it.

use std::fs;
use std::path::Path;

use eventlog::EventLog;
use eventlog::embedded::Settings;
use model::Position;

use super::{P, a_file_each, append, copy, forget_mark, noise, one_file, open, read_from, segment, written};

/// What is noted: the oldest record that is kept, and the end.
fn noted(log: &Path) -> (u64, u64) {
    let bytes = fs::read(log.join("p00000/durable")).unwrap();
    assert_eq!(
        (bytes.len(), crc32c::crc32c(&bytes[..16]).to_le_bytes()),
        (20, bytes[16..].try_into().unwrap())
    );
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    (number(0), number(8))
}

#[tokio::test]
async fn it_says_what_is_acknowledged_and_kept() {
    let home = tempfile::tempdir().unwrap();
    let settings = Settings { retain_bytes: Some(1), ..a_file_each() };
    let log = open(home.path(), &settings).unwrap();
    for n in 0..4 {
        append(&log, noise(n, 60)).await;
        assert_eq!(noted(home.path()), (0, u64::from(n) + 1));
    }
    log.release(P, Position::of_entry(2)).await.unwrap();
    assert_eq!(noted(home.path()), (2, 4));
    assert!(!segment(home.path(), 1).exists() && segment(home.path(), 2).exists());
}

#[tokio::test]
async fn what_was_acknowledged_last_is_missed() {
    let home = tempfile::tempdir().unwrap();
    written(home.path(), &one_file(), &[noise(0, 60), noise(1, 60), noise(2, 60)]).await;
    let whole = fs::read(segment(home.path(), 0)).unwrap();
    let third = 36 + 2 * (48 + 60);
    let mut flipped = whole.clone();
    flipped[third + 70] ^= 1;
    let cases = [
        (
            flipped,
            format!(
                "at offset {third} is damaged: record 2: the checksum of the record does not fit, and it was acknowledged: this is damage and not a torn tail"
            ),
        ),
        (
            whole[..third + 50].to_vec(),
            format!(
                "at offset {third} is damaged: record 2 is cut off, and it was acknowledged: this is damage and not a torn tail"
            ),
        ),
        (
            whole[..third].to_vec(),
            "is damaged: record 2 was acknowledged, and it ends before record 2".to_owned(),
        ),
        (
            whole[..20].to_vec(),
            "is damaged: record 2 was acknowledged, and it ends before record 0".to_owned(),
        ),
    ];
    for (bytes, said) in cases {
        let copies = tempfile::tempdir().unwrap();
        let copied = copies.path().join("log");
        copy(home.path(), &copied);
        fs::write(segment(&copied, 0), &bytes).unwrap();
        let error = open(&copied, &one_file()).unwrap_err().to_string();
        assert!(error.contains(&said), "{error}");
        assert_eq!(fs::read(segment(&copied, 0)).unwrap(), bytes, "nothing is cut off");
    }
    // Of an older version, or after a cut of the power, nothing is noted, or only a part of it.
    let mark = home.path().join("p00000/durable");
    for left in [Vec::new(), vec![0; 20], fs::read(&mark).unwrap()[..12].to_vec(), vec![9; 20]] {
        fs::write(&mark, left).unwrap();
        let log = open(home.path(), &one_file()).unwrap();
        assert_eq!(read_from(&log, 0).await.unwrap().len(), 3);
    }
    forget_mark(home.path());
    assert_eq!(append(&open(home.path(), &one_file()).unwrap(), "more").await, 3);
    assert_eq!(noted(home.path()), (0, 4));
}
