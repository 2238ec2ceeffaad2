//! A log as an earlier version wrote it: history is read for years.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{append, copy, one_file, open, read_from, segment};
use eventlog::embedded::Settings;

/// Six records in three segments, as the first version of format 1 wrote them.
fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/embedded/golden/format-1")
}

fn settings() -> Settings {
    Settings { segment_bytes: 150, ..one_file() }
}

/// Some compress, some do not, one is empty.
fn records() -> Vec<Bytes> {
    [&b"the first"[..], b"", &[7; 300], b"\x00\xff\x10 some noise \xf7hi\x1e", &[b'x'; 90], b"the last"]
        .map(Bytes::from_static)
        .to_vec()
}

#[tokio::test]
async fn format_1_is_read_and_appended_to() {
    let home = tempfile::tempdir().unwrap();
    copy(&golden(), home.path());
    let files = std::fs::read_dir(home.path().join("p00000")).unwrap().count();
    assert_eq!(files, 3);
    let log = open(home.path(), &settings()).unwrap();
    assert_eq!(read_from(&log, 0).await.unwrap(), records());
    assert_eq!(append(&log, "more").await, records().len() as u64);
    drop(log);
    let log = open(home.path(), &settings()).unwrap();
    assert_eq!(
        read_from(&log, 5).await.unwrap(),
        [Bytes::from_static(b"the last"), Bytes::from_static(b"more")]
    );
}

/// Makes the golden files of a new format; those of an old one are never made again.
#[tokio::test]
#[ignore = "run by hand when the format changes"]
async fn make_golden_files() {
    let made = golden();
    assert!(!segment(&made, 0).exists(), "golden files stay as they are");
    std::fs::create_dir_all(&made).unwrap();
    let log = open(&made, &settings()).unwrap();
    for record in records() {
        append(&log, record).await;
    }
    drop(log);
    std::fs::remove_file(made.join("lock")).unwrap();
}
