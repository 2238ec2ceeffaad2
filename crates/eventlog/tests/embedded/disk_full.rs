//! A full disk, by the limit of a process on the size of its files: the kernel writes what fits and refuses the rest.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eventlog::embedded::{EmbeddedLog, Settings};
use model::Timestamp;

use eventlog::{Error, EventLog};
use model::Kind;

use super::watched::Watched;
use super::{P, append, noise, one_file, open, read_from, segment};

/// The limit holds for a whole process, so the check runs in one of its own. `sh` ignores the signal that would end it.
#[test]
fn a_full_disk_refuses_and_recovers() {
    let script = r#"trap '' XFSZ && ulimit -f 200 && exec "$0" --exact disk_full::in_a_process_with_a_limit --ignored"#;
    let own = std::env::current_exe().unwrap();
    let output = Command::new("sh").args(["-c", script]).arg(own).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
#[ignore = "run by the test above, in a process whose files cannot grow beyond some 100 KiB"]
async fn in_a_process_with_a_limit() {
    const LARGE: usize = 30 * 1024;
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path(), &one_file()).unwrap();
    let mut records = Vec::new();
    let refused = loop {
        let record = noise(records.len() as u8, LARGE);
        match log.append(P, record.clone().into()).await {
            Ok(_) => records.push(record),
            Err(error) => break error,
        }
        assert!(records.len() < 100, "the process has no limit");
    };
    assert!(records.len() >= 2, "the limit is too low for the test");
    assert!(matches!(refused, Error::Io { doing: "write", .. }), "{refused}");
    assert_eq!(refused.kind(), Kind::Unavailable);
    assert!(refused.to_string().contains(&*segment(home.path(), 0).to_string_lossy()), "{refused}");
    let durable = 36 + (records.len() * (48 + LARGE)) as u64;
    assert_eq!(
        segment(home.path(), 0).metadata().unwrap().len(),
        durable,
        "the part that was written is taken back"
    );

    // There is room for something smaller, and it gets the position that the refused one did not.
    assert_eq!(append(&log, "small").await, records.len() as u64);
    assert!(log.append(P, noise(77, LARGE).into()).await.is_err());
    records.push(b"small".to_vec());
    assert_eq!(read_from(&log, 0).await.unwrap(), records);
    drop(log);
    let log = open(home.path(), &one_file()).unwrap();
    assert_eq!(read_from(&log, 0).await.unwrap(), records);
    assert_eq!(append(&log, "more").await, records.len() as u64);
}

/// Before the disk is full to the last byte appends are refused, reads go on, and with space all goes on by itself.
#[tokio::test]
async fn what_is_kept_free_is_not_written() {
    let (home, free) = (tempfile::tempdir().unwrap(), Arc::new(AtomicU64::new(100_000)));
    // A tenth of the disk is kept free.
    let disk = Watched { free: Arc::clone(&free), ..Watched::default() };
    let log = EmbeddedLog::open_on(Arc::new(disk), home.path(), &one_file(), || Timestamp(1)).unwrap();
    assert_eq!(append(&log, "first").await, 0);
    free.store(99_999, Ordering::SeqCst);
    let refused = log.append(P, "second".into()).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Unavailable);
    assert!(
        refused.to_string().ends_with("0.1 MB are left on the disk and 0.1 MB are kept free"),
        "{refused}"
    );
    assert_eq!(read_from(&log, 0).await.unwrap(), ["first"]);
    free.store(100_000, Ordering::SeqCst);
    assert_eq!(append(&log, "second").await, 1, "nothing of the refused one is there");
    drop(log);

    let settings = Settings { reserve_bytes: Some(5), ..one_file() };
    free.store(4, Ordering::SeqCst);
    let log = EmbeddedLog::open_on(
        Arc::new(Watched { free: Arc::clone(&free), ..Watched::default() }),
        home.path(),
        &settings,
        || Timestamp(1),
    );
    let log = log.unwrap();
    assert_eq!(read_from(&log, 0).await.unwrap(), ["first", "second"], "a full disk can be opened");
    assert!(log.append(P, "third".into()).await.is_err());
}
