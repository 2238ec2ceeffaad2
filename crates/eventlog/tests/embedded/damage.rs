//! A record that was acknowledged and is not there any more is never skipped: whoever asks for it is told, with the file.

use std::fs;
use std::path::Path;

use eventlog::{Error, EventLog};
use model::{Kind, Position};

use super::{P, a_file_each, append, copy, noise, one_file, open, read_from, segment, written};

fn assert_damaged(error: &Error, file: &Path) {
    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
    assert!(error.to_string().contains(&*file.to_string_lossy()), "{error}");
}

#[tokio::test]
async fn a_flipped_bit_in_a_sealed_segment() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path(), &a_file_each()).unwrap();
    let records: Vec<_> = (0..4).map(|n| noise(n, 60)).collect();
    for record in &records {
        append(&log, record.clone()).await;
    }
    drop(log);
    let sealed = segment(home.path(), 1);
    let whole = fs::read(&sealed).unwrap();
    assert_eq!(whole.len(), 36 + 48 + 60);
    for at in 0..whole.len() {
        let mut file = whole.clone();
        file[at] ^= 1 << (at % 8);
        fs::write(&sealed, file).unwrap();
        let log = open(home.path(), &a_file_each()).unwrap();
        assert_eq!(log.read(P, Position::START, 1).await.unwrap().entries[0].record, records[0]);
        assert_damaged(&read_from(&log, 0).await.unwrap_err(), &sealed);
        assert_damaged(&read_from(&log, 1).await.unwrap_err(), &sealed);
        assert_eq!(
            read_from(&log, 2).await.unwrap()[..2],
            records[2..],
            "the rest can be read when asked for"
        );
        assert_eq!(append(&log, "more").await, 4 + at as u64, "and the log goes on");
    }
}

#[tokio::test]
async fn a_sealed_segment_that_is_shorter_or_missing() {
    let home = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..4).map(|n| noise(n, 60)).collect();
    written(home.path(), &a_file_each(), &records).await;
    for missing in [1, 2] {
        let copies = tempfile::tempdir().unwrap();
        copy(home.path(), copies.path());
        fs::remove_file(segment(copies.path(), missing)).unwrap();
        let log = open(copies.path(), &a_file_each()).unwrap();
        assert_eq!(read_from(&log, missing + 1).await.unwrap().len() as u64, 3 - missing);
        // The one before it ends too early.
        assert_damaged(&read_from(&log, 0).await.unwrap_err(), &segment(copies.path(), missing - 1));
        assert_damaged(&read_from(&log, missing).await.unwrap_err(), &segment(copies.path(), missing - 1));
    }
    for len in [0, 35, 36, 50, 143] {
        let copies = tempfile::tempdir().unwrap();
        copy(home.path(), copies.path());
        let file = fs::File::options().write(true).open(segment(copies.path(), 1)).unwrap();
        file.set_len(len).unwrap();
        let log = open(copies.path(), &a_file_each()).unwrap();
        assert_damaged(&read_from(&log, 0).await.unwrap_err(), &segment(copies.path(), 1));
    }
}

/// In the last segment, a record that was synced before a later one was written is no torn tail.
#[tokio::test]
async fn a_flipped_bit_before_a_later_flush() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path(), &one_file()).unwrap();
    for n in 0..3 {
        append(&log, noise(n, 60)).await;
    }
    drop(log);
    let active = segment(home.path(), 0);
    let whole = fs::read(&active).unwrap();
    let second = 36 + 108..36 + 2 * 108;
    for at in second.clone() {
        let mut file = whole.clone();
        file[at] ^= 1 << (at % 8);
        fs::write(&active, &file).unwrap();
        let error = open(home.path(), &one_file()).unwrap_err();
        assert_damaged(&error, &active);
        assert!(error.to_string().contains(&format!("at offset {}", second.start)), "{error}");
        assert_eq!(fs::read(&active).unwrap(), file, "nothing was cut off");
    }
    fs::write(&active, whole).unwrap();
    assert_eq!(read_from(&open(home.path(), &one_file()).unwrap(), 0).await.unwrap().len(), 3);
}
