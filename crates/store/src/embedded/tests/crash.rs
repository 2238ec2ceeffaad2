//! What a crash leaves: copies of the directory of a store that was never closed.

use std::fs::{self, File};
use std::path::Path;

use tempfile::TempDir;

use super::open;
use crate::{Batch, Store};

const COMMITS: usize = 24;

/// The process is killed: what the system was given is there, what the process held back is not.
#[tokio::test]
async fn commits_survive_the_process() {
    let (_dir, copy) = crashed().await;
    assert_eq!(commits_in(copy.path()).await, COMMITS);
    // And once more, so that what was recovered was also kept.
    assert_eq!(commits_in(copy.path()).await, COMMITS);
}

/// The machine stops: the end of the journal is missing. What is left is the state after some commit.
#[tokio::test]
async fn a_torn_journal_leaves_a_prefix_of_the_commits() {
    let (dir, _) = crashed().await;
    let used = used_bytes(&dir.path().join("0.jnl")).len();
    let mut found = Vec::new();
    for cut in (0..=used).step_by(used / 23) {
        let copy = copy_of(dir.path());
        File::options().write(true).open(copy.path().join("0.jnl")).unwrap().set_len(cut as u64).unwrap();
        found.push(commits_in(copy.path()).await);
    }
    assert!(found.is_sorted(), "{found:?}");
    assert_eq!(found[0], 0, "nothing of the journal was left");
    assert!(found.iter().filter(|&&commits| 0 < commits && commits < COMMITS).count() > 15, "{found:?}");
}

/// The process is killed while it makes an empty store, before or after it made the file with the version.
#[tokio::test]
async fn an_unfinished_start_is_begun_again() {
    for version in [None, Some("")] {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("keyspaces")).unwrap();
        for name in ["in-use", "lock"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        File::create(dir.path().join("0.jnl")).unwrap().set_len(64 << 20).unwrap();
        if let Some(version) = version {
            fs::write(dir.path().join("version"), version).unwrap();
        }
        assert_eq!(commits_in(dir.path()).await, 0);
    }
}

/// The directory of a store that was not closed, and a copy of it. Commit `n` puts key `n`, `last = n`, and ballast of
/// very different sizes; none is durable.
async fn crashed() -> (TempDir, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for number in 0..COMMITS {
        let mut batch = Batch::default();
        batch.put(format!("commit/{number:03}"), "1").put("last", number.to_string());
        batch.put("ballast", vec![b'b'; 3_000 * (number % 5) + 1]);
        store.commit(batch).await.unwrap();
    }
    let copy = copy_of(dir.path());
    // Never closed: nothing that closing would write comes to the directory.
    std::mem::forget(store);
    (dir, copy)
}

/// How many commits are there; they must be the first ones, each whole.
async fn commits_in(dir: &Path) -> usize {
    let store = open(dir);
    let found = store.snapshot().await.unwrap().scan(b"commit/", b"commit0", COMMITS + 1).await.unwrap();
    for (number, (key, _)) in found.iter().enumerate() {
        assert_eq!(key, &format!("commit/{number:03}"), "a commit is missing before another one");
    }
    let last = found.len().checked_sub(1);
    let text = store.get(b"last").await.unwrap();
    assert_eq!(text, last.map(|last| last.to_string().into()), "a part of a commit is missing");
    let ballast = store.get(b"ballast").await.unwrap().map(|value| value.len());
    assert_eq!(ballast, last.map(|last| 3_000 * (last % 5) + 1));
    found.len()
}

pub(super) fn copy_of(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_into(dir, copy.path());
    copy
}

fn copy_into(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_into(&entry.path(), &target);
        } else {
            // Journals are 64 MiB of mostly nothing: the zeros at the end stay a hole in the copy.
            fs::write(&target, used_bytes(&entry.path())).unwrap();
            let length = entry.metadata().unwrap().len();
            File::options().write(true).open(&target).unwrap().set_len(length).unwrap();
        }
    }
}

fn used_bytes(file: &Path) -> Vec<u8> {
    let mut bytes = fs::read(file).unwrap();
    // Page by page, since a test build takes long over 64 MiB byte by byte.
    let pages =
        bytes.chunks(4_096).rposition(|page| page != &[0; 4_096][..page.len()]).map_or(0, |last| last + 1);
    bytes.truncate(pages * 4_096);
    let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(used);
    bytes
}
