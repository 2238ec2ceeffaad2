use std::fs;

use eventlog::embedded::{EmbeddedLog, Settings};
use eventlog::{Error, EventLog};
use model::{Kind, Position, Timestamp};

use super::{Hand, P, append, one_file, open, read_from};

#[tokio::test]
async fn only_one_process_at_a_time() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path(), &one_file()).unwrap();
    let refused = open(home.path(), &one_file()).unwrap_err();
    let place = home.path().display();
    let expected = format!("{place} is in use by another hitmill: stop it, or choose another data directory");
    assert_eq!((refused.to_string(), refused.kind()), (expected, Kind::Conflict));
    append(&log, "still works").await;
    drop(log);
    assert_eq!(read_from(&open(home.path(), &one_file()).unwrap(), 0).await.unwrap(), ["still works"]);
}

#[test]
fn the_number_of_partitions_is_fixed() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("not/there/yet");
    let with =
        |partitions| EmbeddedLog::open(&directory, &Settings { partitions, ..one_file() }, || Timestamp(0));
    assert_eq!(with(0).unwrap_err().kind(), Kind::Invalid);
    assert_eq!(with(6).unwrap().partitions(), 6);
    let refused = with(4).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "the log in {} was made with 6 partitions and the settings say 4: \
             the number is fixed for the life of a log, set it to 6",
            directory.display()
        )
    );
    assert!(matches!(refused, Error::Mismatch { .. }));
    assert_eq!(with(6).unwrap().partitions(), 6);
}

#[tokio::test]
async fn a_log_that_lost_a_part_is_not_taken_for_a_new_one() {
    let home = tempfile::tempdir().unwrap();
    append(&open(home.path(), &one_file()).unwrap(), "kept").await;
    let meta = home.path().join("meta");
    let text = fs::read_to_string(&meta).unwrap();
    assert_eq!(text, "hitmill-log format=1 partitions=1\n");

    fs::remove_file(&meta).unwrap();
    assert_eq!(open(home.path(), &one_file()).unwrap_err().kind(), Kind::Corrupt);
    fs::write(&meta, "hitmill-log format=2 partitions=1\n").unwrap();
    assert!(
        open(home.path(), &one_file())
            .unwrap_err()
            .to_string()
            .ends_with("says format 2: this version reads format 1")
    );
    fs::write(&meta, "").unwrap();
    assert_eq!(open(home.path(), &one_file()).unwrap_err().kind(), Kind::Corrupt);
    fs::write(&meta, text).unwrap();
    assert_eq!(read_from(&open(home.path(), &one_file()).unwrap(), 0).await.unwrap(), ["kept"]);

    fs::remove_file(super::segment(home.path(), 0)).unwrap();
    assert_eq!(open(home.path(), &one_file()).unwrap_err().kind(), Kind::Corrupt);
}

#[tokio::test]
async fn time_does_not_go_back() {
    let home = tempfile::tempdir().unwrap();
    let clock = Hand::default();
    // Over segments and restarts, with a clock that does.
    for (entry, millis) in [500, 300, 700, 200, 700, 900].into_iter().enumerate() {
        clock.set(millis);
        let log = EmbeddedLog::open(home.path(), &super::a_file_each(), clock.now()).unwrap();
        assert_eq!(append(&log, format!("at {millis}")).await, entry as u64);
    }
    let log = EmbeddedLog::open(home.path(), &super::a_file_each(), clock.now()).unwrap();
    let mut times = Vec::new();
    for entry in 0..6 {
        times.push(log.read(P, Position::of_entry(entry), 0).await.unwrap().entries[0].appended_at.0);
    }
    assert_eq!(times, [500, 500, 700, 700, 700, 900]);
    for (time, entry) in [(0, 0), (500, 0), (501, 2), (700, 2), (701, 5), (900, 5), (901, 6)] {
        let found = log.at_or_after(P, Timestamp(time)).await.unwrap();
        assert_eq!(found, Position::of_entry(entry), "at {time}");
    }
}

#[tokio::test]
async fn time_does_not_go_back_over_a_segment_that_was_never_finished() {
    let home = tempfile::tempdir().unwrap();
    let clock = Hand::default();
    clock.set(500);
    let log = EmbeddedLog::open(home.path(), &super::a_file_each(), clock.now()).unwrap();
    append(&log, "at 500").await;
    drop(log);
    fs::write(super::segment(home.path(), 1), "").unwrap();
    clock.set(300);
    let log = EmbeddedLog::open(home.path(), &super::a_file_each(), clock.now()).unwrap();
    assert_eq!(append(&log, "at 300").await, 1);
    assert_eq!(log.read(P, Position::of_entry(1), 0).await.unwrap().entries[0].appended_at, Timestamp(500));
}
