//! Damage to the tables: what they hold, and what fjall is told of them.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::doctor::{Files, everything, files, look, stored};
use super::open;
use crate::Error;
use crate::embedded::doctor::{Finding, Loss};
use crate::embedded::{EmbeddedStore, Settings};

fn refused(home: &Path) -> (PathBuf, String) {
    match EmbeddedStore::open(home, Settings::default()).err().unwrap() {
        Error::Corrupt { path, what } => (path.into(), what),
        error => panic!("{error:?}"),
    }
}

/// The offset of a table's contents: 16 bytes from its end.
fn contents(table: &[u8]) -> usize {
    let (_, end) = table.split_last_chunk::<16>().unwrap();
    u64::from_le_bytes(*end.first_chunk().unwrap()) as usize
}

/// Each bit of how many places a table says that it has: the highest one asks for more memory than there is.
#[tokio::test]
async fn what_a_table_says_of_its_length_is_not_believed() {
    let (dir, pairs) = stored().await;
    let home = dir.path().join("store");
    for table in files(&home, Files::Tables) {
        let whole = fs::read(&table).unwrap();
        let count = contents(&whole) + b"TOC!".len();
        for bit in 0..32 {
            let mut bytes = whole.clone();
            bytes[count + bit / 8] ^= 1 << (bit % 8);
            fs::write(&table, bytes).unwrap();
            let what = "the checksum of the table's contents does not fit".to_owned();
            assert_eq!(refused(&home), (table.clone(), what.clone()), "bit {bit}");
            let place = table.display().to_string();
            assert_eq!(look(&home).findings, [Finding { place, what, loss: Loss::Values }]);
        }
        fs::write(&table, whole).unwrap();
    }
    assert_eq!(everything(&home).await.unwrap(), pairs);
}

/// fjall removes what nothing lists, or takes it for a tree that it has not finished making.
#[tokio::test]
async fn no_table_is_removed_because_its_list_is_damaged() {
    let (dir, pairs) = stored().await;
    let home = dir.path().join("store");
    let before = files(&home, Files::Tables);
    // Lists that are no longer the last ones go.
    drop(open(&home));
    for file in files(&home, Files::Lists) {
        let whole = fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&file, bytes).unwrap();
            let (path, what) = refused(&home);
            assert_eq!(path.parent(), file.parent(), "byte {at}: {what}");
            assert!(what.contains("list of tables"), "byte {at}: {what}");
        }
        fs::remove_file(&file).unwrap();
        let (path, what) = refused(&home);
        assert_eq!(path, file);
        let missing = if file.ends_with("current") {
            "it is missing, and there are "
        } else {
            "the list of tables is missing"
        };
        assert!(what.starts_with(missing), "{what}");
        fs::write(&file, whole).unwrap();
    }
    assert_eq!(files(&home, Files::Tables), before);
    assert_eq!(everything(&home).await.unwrap(), pairs);
}

#[tokio::test]
async fn a_table_that_is_gone_is_missed() {
    let (dir, _) = stored().await;
    let home = dir.path().join("store");
    for table in files(&home, Files::Tables) {
        let whole = fs::read(&table).unwrap();
        fs::remove_file(&table).unwrap();
        assert_eq!(refused(&home), (table.clone(), "the table is missing".to_owned()));
        fs::write(&table, whole).unwrap();
    }
}

/// While the journals go back to the start, what is to be kept is in them, whatever became of the tables.
#[tokio::test]
async fn what_is_to_be_kept_is_in_the_journals() {
    for gone in ["keyspaces", "keyspaces/0", "keyspaces/2", "keyspaces/2/current", "keyspaces/2/tables/0"] {
        let (dir, pairs) = stored().await;
        let home = dir.path().join("store");
        let gone = home.join(gone);
        if gone.is_dir() {
            fs::remove_dir_all(&gone).unwrap()
        } else {
            fs::remove_file(&gone).unwrap()
        }
        let (path, what) = refused(&home);
        assert!(what.contains("missing") && path.starts_with(home.join("keyspaces")), "{what}");
        let found = look(&home);
        assert!(found.kept && found.findings.iter().all(|found| found.loss == Loss::Values));
        let repaired = found.repair().unwrap();
        assert_eq!((repaired.taken_over, repaired.later), (Some(0), 3));
        repaired.install(&dir.path().join("aside/store")).unwrap();
        assert_eq!(everything(&home).await.unwrap(), pairs[1_997..]);

        // Without the first journal nobody knows what was in it.
        let (dir, _) = stored().await;
        let home = dir.path().join("store");
        fs::rename(home.join("0.jnl"), home.join("1.jnl")).unwrap();
        fs::remove_file(home.join("keyspaces/0/current")).unwrap();
        assert!(!look(&home).kept);
    }
}

/// What a kill leaves while a table is made: nothing lists it yet, whatever is in it.
#[tokio::test]
async fn a_table_that_was_never_finished_is_not_damage() {
    let (dir, pairs) = stored().await;
    let home = dir.path().join("store");
    let table = files(&home, Files::Tables).pop().unwrap();
    let mut torn = fs::read(&table).unwrap();
    let at = contents(&torn);
    torn[at..at + 20].fill(0);
    fs::write(table.with_file_name("77"), torn).unwrap();
    assert_eq!(everything(&home).await.unwrap(), pairs);
    assert!(!table.with_file_name("77").exists(), "it is not needed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever byte of the tables and their lists changes: what was stored is read, or it is told.
    #[test]
    fn nothing_wrong_is_read(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let (dir, pairs) = stored().await;
            let home = dir.path().join("store");
            let files = [files(&home, Files::Tables), files(&home, Files::Lists)].concat();
            let file = &files[which.index(files.len())];
            let mut bytes = fs::read(file).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            fs::write(file, &bytes).unwrap();
            let looked = catch_unwind(AssertUnwindSafe(|| look(&home)));
            let found = looked.unwrap_or_else(|_| panic!("byte {at} of {} of {}", bytes.len(), file.display()));
            // It holds the store for as long as it lives.
            let findings = found.findings.clone();
            drop(found);
            if findings.is_empty() {
                assert!(everything(&home).await.unwrap() == pairs, "byte {at} of {}", file.display());
            }
        });
    }
}
