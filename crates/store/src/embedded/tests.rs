mod crash;
mod doctor;
mod journal;
mod later;
mod model;
mod trees;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::{EmbeddedStore, Settings};
use crate::{Batch, Error, Store, conformance};

fn open(dir: &Path) -> EmbeddedStore {
    EmbeddedStore::open(dir, Settings::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let dir = tempfile::tempdir().unwrap();
    conformance::run(|place| {
        let store: Arc<dyn Store> = Arc::new(open(&dir.path().join(place.to_string())));
        async { store }
    })
    .await;
}

/// With less than is kept free nothing is written, and everything can be read.
#[tokio::test]
async fn a_disk_that_is_nearly_full_refuses_commits_and_answers_reads() {
    let dir = tempfile::tempdir().unwrap();
    let commit = async |store: &EmbeddedStore, value: &'static str| {
        let mut batch = Batch::durable();
        batch.put("key", value);
        store.commit(batch).await
    };
    let store = open(dir.path());
    commit(&store, "before").await.unwrap();
    drop(store);
    let settings = Settings { reserve_bytes: Some(u64::MAX), ..Settings::default() };
    let full = EmbeddedStore::open(dir.path(), settings).unwrap();
    let refused = commit(&full, "never").await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable { doing: "commit", .. }), "{refused}");
    assert!(refused.to_string().contains("are kept free"), "{refused}");
    assert_eq!(full.get(b"key").await.unwrap().unwrap(), "before");
    drop(full);
    let store = open(dir.path());
    commit(&store, "after").await.unwrap();
    assert_eq!(store.get(b"key").await.unwrap().unwrap(), "after");
}

#[tokio::test]
async fn a_directory_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let snapshot = store.snapshot().await.unwrap();
    let refused = || EmbeddedStore::open(dir.path(), Settings::default()).err().unwrap();
    assert!(matches!(refused(), Error::InUse { path } if path == dir.path().display().to_string()));

    drop(store);
    assert!(matches!(refused(), Error::InUse { .. }), "a snapshot still reads");
    drop(snapshot);
    open(dir.path());
}

#[test]
fn says_which_directory_cannot_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    let refused = EmbeddedStore::open(&file, Settings::default()).err().unwrap();
    let said = refused.to_string();
    assert!(said.starts_with("the store failed to open the store: "), "{said}");
    assert!(said.contains(&file.display().to_string()), "{said}");
}

#[tokio::test]
async fn does_not_open_what_it_cannot_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut batch = Batch::default();
    batch.put("key", "value");
    store.commit(batch).await.unwrap();
    drop(store);

    fs::write(dir.path().join("version"), "something else").unwrap();
    let refused = EmbeddedStore::open(dir.path(), Settings::default()).err().unwrap();
    assert!(matches!(refused, Error::Corrupt { .. }), "was {refused:?}");
}

#[tokio::test]
async fn does_not_open_a_format_to_come() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let about = store.engine.db.keyspace("about", Default::default).unwrap();
    about.insert("format", "2").unwrap();
    drop((about, store));
    let refused = EmbeddedStore::open(dir.path(), Settings::default()).err().unwrap();
    assert_eq!(
        refused.to_string(),
        format!("the store at {} is of format 2: this version reads format 1", dir.path().display())
    );
}

/// fjall takes the number 0 of an open snapshot for "none", and then drops what other snapshots read. Which ones depends on
/// their numbers, so they come at several distances.
#[tokio::test]
async fn a_snapshot_of_an_empty_store_endangers_no_other() {
    for distance in 1..=8_u8 {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()));
        let store = open(dir.path());
        let mut snapshots = vec![store.snapshot().await.unwrap()];
        for number in 1..=5 * distance {
            let mut batch = Batch::default();
            batch.put("key", vec![number]);
            store.commit(batch).await.unwrap();
            if number % distance == 0 {
                snapshots.push(store.snapshot().await.unwrap());
                store.engine.cells.rotate_memtable_and_wait().unwrap();
            }
        }
        for (place, snapshot) in (0_u8..).zip(&snapshots) {
            let expected = (place > 0).then(|| vec![place * distance].into());
            assert_eq!(snapshot.get(b"key").await.unwrap(), expected, "snapshot {place}, every {distance}");
        }
    }
}
