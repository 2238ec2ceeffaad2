//! Damage to the journal: what was never synced may go, what was is never lost in silence.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::crash::copy_of;
use super::{Settings, open};
use crate::embedded::EmbeddedStore;
use crate::embedded::mark::Mark;
use crate::{Batch, Error, Store};

/// A store that was never closed, and where in its journal each commit ends. Commit `n` puts key `n`; `durable` is synced.
pub(super) async fn killed(sizes: &[usize], durable: Option<usize>) -> (TempDir, Vec<u64>) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // Of the mark of our format: a batch with one item, "format" = "1".
    let mut end = batch_bytes(&[(6, 1)]);
    let mut ends = Vec::new();
    for (number, &size) in sizes.iter().enumerate() {
        let mut batch = if durable == Some(number) { Batch::durable() } else { Batch::default() };
        batch.put(format!("commit/{number:03}"), vec![b'v'; size]);
        store.commit(batch).await.unwrap();
        end += batch_bytes(&[(10, size)]);
        ends.push(end);
    }
    let copy = copy_of(dir.path());
    std::mem::forget(store);
    (copy, ends)
}

/// By the layout: 13 bytes before the items, 13 behind them, and 21 for each but for its key and value.
fn batch_bytes(items: &[(usize, usize)]) -> u64 {
    26 + items.iter().map(|(key, value)| 21 + key + value).sum::<usize>() as u64
}

/// How many commits a store has; they must be the first ones.
async fn commits_in(store: &EmbeddedStore) -> usize {
    let found = store.snapshot().await.unwrap().scan(b"commit/", b"commit0", usize::MAX).await.unwrap();
    for (number, (key, _)) in found.iter().enumerate() {
        assert_eq!(key, &format!("commit/{number:03}"), "a commit is missing before another one");
    }
    found.len()
}

fn journal(dir: &Path) -> File {
    File::options().read(true).write(true).open(dir.join("0.jnl")).unwrap()
}

pub(super) fn flip(dir: &Path, at: u64) {
    let mut byte = [0];
    journal(dir).read_exact_at(&mut byte, at).unwrap();
    journal(dir).write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

fn zero(dir: &Path, from: u64, to: u64) {
    journal(dir).write_all_at(&vec![0; (to - from) as usize], from).unwrap();
}

/// A cut of the power leaves some of the pages that were not synced, in any order.
#[tokio::test]
async fn a_hole_in_what_was_not_synced_leaves_the_commits_before_it() {
    let (dir, ends) = killed(&[100, 9_000, 100, 100], Some(0)).await;
    let hole = (ends[0] / 4_096 + 1) * 4_096; // within the second commit's value
    zero(dir.path(), hole, hole + 4_096);
    assert_eq!(commits_in(&open(dir.path())).await, 1);
    assert_eq!(commits_in(&open(dir.path())).await, 1);
}

#[tokio::test]
async fn damage_to_what_was_synced_is_told() {
    let (dir, ends) = killed(&[100, 100, 100], Some(2)).await;
    for at in ends[0]..ends[2] {
        let copy = copy_of(dir.path());
        flip(copy.path(), at);
        let start = if at < ends[1] { ends[0] } else { ends[1] };
        let error = match EmbeddedStore::open(copy.path(), Settings::default()) {
            // No checksum covers the number of a commit, and a larger one does no harm to the last.
            Ok(store) if start == ends[1] && (start + 5..start + 13).contains(&at) => {
                assert_eq!(commits_in(&store).await, 3);
                continue;
            }
            Ok(_) => panic!("byte {at} is damaged"),
            Err(error) => error,
        };
        let Error::Corrupt { path, what } = &error else { panic!("{error}") };
        assert!(path.ends_with(&format!("0.jnl at offset {start}")), "{path}");
        assert!(what.ends_with(": it was synced, so this is damage"), "{what}");
    }
}

/// Damage that leaves no trace in what is left.
#[tokio::test]
async fn a_journal_that_ends_too_early_or_is_gone_is_missed() {
    let (dir, ends) = killed(&[100, 100, 100], Some(2)).await;
    let refused = |damage: &dyn Fn(&Path)| {
        let copy = copy_of(dir.path());
        damage(copy.path());
        let refused = EmbeddedStore::open(copy.path(), Settings::default()).err().unwrap().to_string();
        // A store without journals is not begun anew, either.
        assert!(EmbeddedStore::open(copy.path(), Settings::default()).is_err(), "{refused}");
        refused
    };
    for (commits, end) in [&[0][..], &ends[..2]].concat().into_iter().enumerate() {
        let said = refused(&|dir| zero(dir, end, ends[2]));
        let what = format!("0.jnl at offset {end} is damaged: it ends here, and later commits were synced");
        assert!(said.contains(&what), "{commits}: {said}");
        let said = refused(&|dir| journal(dir).set_len(end).unwrap());
        assert!(said.contains(&what), "{commits}: {said}");
    }
    let said = refused(&|dir| fs::remove_file(dir.join("0.jnl")).unwrap());
    assert!(said.ends_with("is damaged: it has no journal: it was synced, so this is damage"), "{said}");
    // Two journals that nothing was written to yet, the first of which is gone.
    let empty =
        |dir: &Path, id: u64| File::create(dir.join(format!("{id}.jnl"))).unwrap().set_len(4_096).unwrap();
    let said = refused(&|dir| empty(dir, 2));
    assert!(said.contains("the next journal is 2.jnl: what is between is missing"), "{said}");
    let copy = copy_of(dir.path());
    (1..3).for_each(|id| empty(copy.path(), id));
    assert_eq!(commits_in(&open(copy.path())).await, 3);
}

/// What is noted stays true: fjall may have failed to make another journal, and a start or an empty commit is no news.
#[tokio::test]
async fn a_mark_is_of_a_commit_that_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let commit = async |store: &EmbeddedStore, number: usize| {
        let mut batch = Batch::durable();
        batch.put(format!("commit/{number:03}"), "v");
        store.commit(batch).await.unwrap();
    };
    let noted = || Mark::read(dir.path()).unwrap().unwrap();
    let store = open(dir.path());
    commit(&store, 0).await;
    File::create(dir.path().join("1.jnl")).unwrap().set_len(4_096).unwrap();
    commit(&store, 1).await;
    assert_eq!(noted().journal, 0);
    std::mem::forget(store);
    let copy = copy_of(dir.path());
    assert_eq!(commits_in(&open(copy.path())).await, 2);

    fs::remove_file(dir.path().join("1.jnl")).unwrap();
    let (copy, before) = (copy_of(dir.path()), noted());
    let store = open(copy.path());
    store.commit(Batch::durable()).await.unwrap();
    store.sync().await.unwrap();
    assert_eq!(Mark::read(copy.path()).unwrap(), Some(before));
}

/// What is noted does not fit, or is of before a cut of the power: then a tail may be torn.
#[tokio::test]
async fn a_mark_that_says_nothing() {
    let (dir, ends) = killed(&[100, 100], Some(1)).await;
    flip(dir.path(), ends[0] + 30);
    let mark = fs::read(dir.path().join("synced")).unwrap();
    for left in [Vec::new(), vec![0; 24], mark[..20].to_vec(), vec![7; 24]] {
        let copy = copy_of(dir.path());
        fs::write(copy.path().join("synced"), left).unwrap();
        assert_eq!(commits_in(&open(copy.path())).await, 1);
    }
}

/// Journals come and go, and nothing is taken for damage.
#[tokio::test]
async fn no_journal_that_is_whole_is_taken_for_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    for number in 0..27 {
        let mut batch = if number % 3 == 0 { Batch::durable() } else { Batch::default() };
        batch.put(format!("commit/{number:03}"), vec![b'v'; 8 << 20]);
        store.commit(batch).await.unwrap();
        match number % 9 {
            // fjall goes on in another journal when there are 64 MB in one and a table is written.
            7 => store.engine.cells.rotate_memtable_and_wait().unwrap(),
            // The first commit to it, and before it was written to at all.
            8 => store.sync().await.unwrap(),
            _ => continue,
        }
        // fjall writes nothing when it is closed: this is what a kill would leave.
        drop(store);
        store = open(dir.path());
        assert_eq!(commits_in(&store).await, number + 1);
    }
    assert!(!dir.path().join("0.jnl").exists(), "more than one journal was used");
}

/// What another version wrote is not damaged, and not cut off.
#[tokio::test]
async fn journals_of_another_version_are_left_alone() {
    let (dir, ends) = killed(&[100, 100], Some(1)).await;
    flip(dir.path(), ends[0] + 30);
    let before = fs::read(dir.path().join("0.jnl")).unwrap();
    fs::write(dir.path().join("version"), b"FJL\x04").unwrap();
    let refused = EmbeddedStore::open(dir.path(), Settings::default()).err().unwrap();
    assert!(matches!(refused, Error::Mismatch { .. }), "{refused}");
    assert!(
        refused.to_string().ends_with("is of format 4 of its engine: this version reads format 3"),
        "{refused}"
    );
    fs::remove_file(dir.path().join("version")).unwrap();
    let refused = EmbeddedStore::open(dir.path(), Settings::default()).err().unwrap();
    assert!(refused.to_string().ends_with("version is damaged: it says no version"), "{refused}");
    assert!(before == fs::read(dir.path().join("0.jnl")).unwrap());
}

/// The next process syncs no less than the last one.
#[tokio::test]
async fn what_a_mark_says_holds_for_the_next_process_too() {
    let (dir, ends) = killed(&[100, 100], Some(1)).await;
    drop(open(dir.path()));
    flip(dir.path(), ends[0] + 30);
    assert!(EmbeddedStore::open(dir.path(), Settings::default()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is damaged: a store that opens has the commits up to some one, and every one that was synced.
    #[test]
    fn no_synced_commit_is_lost_in_silence(
        sizes in proptest::collection::vec(1usize..6_000, 1..8),
        durable in proptest::option::of(0usize..8),
        at in any::<prop::sample::Index>(),
        length in 0u64..5_000,
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let durable = durable.filter(|durable| *durable < sizes.len());
            let (dir, ends) = killed(&sizes, durable).await;
            let (first, last) = (batch_bytes(&[(6, 1)]), ends[ends.len() - 1]);
            let from = first + at.index((last - first) as usize) as u64;
            if length == 0 { flip(dir.path(), from) } else { zero(dir.path(), from, (from + length).min(last)) }
            let synced = durable.map_or(0, |durable| durable + 1);
            match EmbeddedStore::open(dir.path(), Settings::default()) {
                Ok(store) => assert!(commits_in(&store).await >= synced),
                Err(error) => {
                    let safe = durable.map_or(first, |durable| ends[durable]);
                    assert!(from < safe, "a torn tail from {from} on, synced to {safe}: {error}");
                }
            }
        });
    }
}
