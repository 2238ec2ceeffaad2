//! A crash leaves any part of what was written last. What was acknowledged is kept, the rest is cut off, and the log
//! goes on behind it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use eventlog::embedded::EmbeddedLog;
use model::Timestamp;

use super::watched::Watched;
use super::{a_file_each, append, copy, forget_mark, noise, one_file, open, read_from, segment};

/// Records of the test, and where each of them ends in the file.
async fn written(home: &Path) -> (Vec<Vec<u8>>, Vec<u64>) {
    let records = vec![noise(1, 40), noise(2, 300), vec![b'a'; 500], noise(3, 0), noise(4, 61)];
    let log = open(home, &one_file()).unwrap();
    let mut ends = Vec::new();
    for record in &records {
        append(&log, record.clone()).await;
        ends.push(segment(home, 0).metadata().unwrap().len());
    }
    (records, ends)
}

/// What a killed process had written and not synced is read from now on, and counted: the power may go at any time.
#[tokio::test]
async fn what_is_found_is_synced_before_it_is_read() {
    let home = tempfile::tempdir().unwrap();
    written(home.path()).await;
    let disk = Watched::default();
    let synced = Arc::clone(&disk.synced);
    let log = EmbeddedLog::open_on(Arc::new(disk), home.path(), &one_file(), || Timestamp(1)).unwrap();
    let (file, synced) = (segment(home.path(), 0), synced.lock().clone());
    assert!(synced.contains(&file), "{synced:?}");
    let names = file.parent().unwrap().to_owned();
    assert!(synced.contains(&names), "{synced:?}");
    assert_eq!(read_from(&log, 0).await.unwrap().len(), 5);
}

#[tokio::test]
async fn cut_at_every_byte() {
    let home = tempfile::tempdir().unwrap();
    let (records, ends) = written(home.path()).await;
    let copies = tempfile::tempdir().unwrap();
    for cut in ends[1]..=ends[4] {
        let copied = copies.path().join(cut.to_string());
        copy(home.path(), &copied);
        forget_mark(&copied);
        fs::File::options().write(true).open(segment(&copied, 0)).unwrap().set_len(cut).unwrap();

        let whole = ends.iter().filter(|end| **end <= cut).count();
        let log = open(&copied, &one_file()).unwrap();
        assert_eq!(read_from(&log, 0).await.unwrap(), records[..whole], "cut at {cut}");
        assert_eq!(segment(&copied, 0).metadata().unwrap().len(), ends[whole - 1], "the tail is cut off");
        assert_eq!(append(&log, "after").await, whole as u64, "cut at {cut}");
        drop(log);

        let log = open(&copied, &one_file()).unwrap();
        assert_eq!(read_from(&log, whole as u64).await.unwrap(), ["after"], "cut at {cut}");
    }
}

#[tokio::test]
async fn bytes_behind_the_last_record_that_are_none() {
    let home = tempfile::tempdir().unwrap();
    let (records, ends) = written(home.path()).await;
    let file = fs::read(segment(home.path(), 0)).unwrap();
    let copies = tempfile::tempdir().unwrap();
    let first_frame = file[36..ends[0] as usize].to_vec();
    let tails =
        [vec![0; 5_000], noise(9, 5_000), first_frame, file.clone(), file[ends[3] as usize..].to_vec()];
    for (number, tail) in tails.into_iter().enumerate() {
        let copied = copies.path().join(number.to_string());
        copy(home.path(), &copied);
        fs::write(segment(&copied, 0), [file.clone(), tail].concat()).unwrap();
        let log = open(&copied, &one_file()).unwrap();
        assert_eq!(read_from(&log, 0).await.unwrap(), records, "tail {number}");
        assert_eq!(segment(&copied, 0).metadata().unwrap().len(), ends[4]);
    }
}

#[tokio::test]
async fn a_flipped_bit_in_the_last_record() {
    let home = tempfile::tempdir().unwrap();
    let (records, ends) = written(home.path()).await;
    let mut file = fs::read(segment(home.path(), 0)).unwrap();
    file[ends[4] as usize - 1] ^= 4;
    fs::write(segment(home.path(), 0), file).unwrap();
    forget_mark(home.path());
    let log = open(home.path(), &one_file()).unwrap();
    assert_eq!(read_from(&log, 0).await.unwrap(), records[..4]);
    assert_eq!(append(&log, "after").await, 4);
}

#[tokio::test]
async fn a_segment_that_was_never_finished() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path(), &a_file_each()).unwrap();
    append(&log, "first").await;
    append(&log, "second").await;
    drop(log);
    let header = fs::read(segment(home.path(), 1)).unwrap()[..36].to_vec();
    let copies = tempfile::tempdir().unwrap();
    // Any part of the header, and a header whose length came to the disk before its bytes did.
    for (number, left) in (0..=36).map(|len| header[..len].to_vec()).chain([vec![0; 36]]).enumerate() {
        let copied = copies.path().join(number.to_string());
        copy(home.path(), &copied);
        forget_mark(&copied);
        fs::write(segment(&copied, 1), left).unwrap();
        let log = open(&copied, &a_file_each()).unwrap();
        assert_eq!(append(&log, "again").await, 1);
        assert_eq!(read_from(&log, 0).await.unwrap(), ["first", "again"]);
    }
}
