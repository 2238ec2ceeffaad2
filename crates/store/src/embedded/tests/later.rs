//! What is to be kept is found behind damage in a journal, or it is said that there may have been more.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::TempDir;

use super::crash::copy_of;
use super::doctor::{everything, look};
use super::open;
use crate::embedded::doctor::Loss;
use crate::{Batch, Store, Write};

/// What is kept, and what is not.
const CONFIG: u8 = 0x20;
const CELLS: u8 = 0x10;

type Values = BTreeMap<Bytes, Bytes>;

/// A commit: of each key its first byte, the rest, and its value, which is removed if there is none.
type Commit<'a> = &'a [(u8, &'a str, &'a str)];

const COMMITS: [Commit<'static>; 7] = [
    &[(CONFIG, "a", "1"), (CONFIG, "counter", "1")],
    &[(CELLS, "x", "1"), (CELLS, "y", "1")],
    &[(CONFIG, "b", "2"), (CONFIG, "counter", "2"), (CONFIG, "a", "")],
    &[(CELLS, "x", "2")],
    &[(CELLS, "y", "2"), (CELLS, "z", "2")],
    &[(CONFIG, "a", "3"), (CONFIG, "counter", "3")],
    &[(CELLS, "x", "3")],
];

fn batch(commit: Commit<'_>) -> Batch {
    let mut batch = Batch::durable();
    for (family, key, value) in commit {
        let key = Bytes::from([&[*family], key.as_bytes()].concat());
        if value.is_empty() {
            batch.delete(key)
        } else {
            batch.put(key, value.to_string())
        };
    }
    batch
}

/// The values after these commits: all of the kept ones, and of the others those of the first `cut` commits.
fn values<'a>(commits: impl Iterator<Item = (usize, Commit<'a>)>, cut: usize) -> Values {
    let mut values = Values::new();
    for (number, commit) in commits {
        for write in batch(commit).writes {
            match write {
                Write::Put(key, _) | Write::Delete(key) if key[0] == CELLS && number >= cut => drop(key),
                Write::Put(key, value) => drop(values.insert(key, value)),
                Write::Delete(key) => drop(values.remove(&key)),
            }
        }
    }
    values
}

/// A store that was killed, and where in its journal each commit begins; the last is where the last one ends.
async fn killed() -> (TempDir, Vec<usize>) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let end = || fs::read(journal(dir.path())).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut borders = vec![end()];
    for commit in COMMITS {
        store.commit(batch(commit)).await.unwrap();
        borders.push(end());
    }
    let copy = copy_of(dir.path());
    std::mem::forget(store);
    (copy, borders)
}

fn journal(dir: &Path) -> PathBuf {
    dir.join("0.jnl")
}

/// What is lost, and what the repaired store has.
async fn repaired(dir: &TempDir) -> (Vec<Loss>, Values) {
    let found = look(dir.path());
    let losses = found.findings.iter().map(|finding| finding.loss).collect();
    let aside = tempfile::tempdir_in(dir.path().parent().unwrap()).unwrap();
    found.repair().unwrap().install(&aside.path().join("store")).unwrap();
    (losses, everything(dir.path()).await.unwrap().into_iter().collect())
}

/// One bit flips, anywhere. Expected by a model: the damaged commit is left out.
#[tokio::test]
async fn what_is_to_be_kept_is_read_behind_a_damaged_commit() {
    let (killed, borders) = killed().await;
    let mut told = [0; 2];
    for at in (borders[0]..borders[7]).step_by(11) {
        let damaged = borders.iter().rposition(|border| *border <= at).unwrap();
        // No checksum covers the number of a commit: what it wrote is whole.
        let in_number = (5..13).contains(&(at - borders[damaged]));
        let copy = copy_of(killed.path());
        let file = File::options().read(true).write(true).open(journal(copy.path())).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at as u64).unwrap();
        file.write_all_at(&[byte[0] ^ 1 << (at % 8)], at as u64).unwrap();

        let (losses, found) = repaired(&copy).await;
        if in_number {
            // It is missed at the next number that is not higher, if at one: what comes before that is there.
            assert!(!losses.contains(&Loss::Kept), "byte {at}, in commit {damaged}");
            let all = || COMMITS.iter().copied().enumerate();
            assert!(
                (damaged.saturating_sub(1)..=7).any(|cut| found == values(all(), cut)),
                "byte {at}: {found:?}"
            );
            continue;
        }
        let left = COMMITS.iter().copied().enumerate().filter(|(number, _)| *number != damaged);
        assert_eq!(found, values(left, damaged), "byte {at}, in commit {damaged}");
        let had_kept = COMMITS[damaged][0].0 == CONFIG;
        match losses[..] {
            [Loss::Kept] => told[0] += 1,
            [Loss::Commits] if !had_kept => told[1] += 1,
            _ => panic!("byte {at}, in commit {damaged}: {losses:?}"),
        }
    }
    // Most of a commit is its keys and values, and only where lengths are damaged it is not known what it wrote.
    assert!(told[1] >= 8, "{told:?}");
}

/// Where it is not known what was written, it is said, also if nothing is left of it.
#[tokio::test]
async fn what_may_be_missing_is_said() {
    let (killed, borders) = killed().await;
    let all = || COMMITS.iter().copied().enumerate();
    for (from, to) in [(3, 5), (2, 4), (5, 7), (6, 7), (0, 7)] {
        let copy = copy_of(killed.path());
        let file = File::options().write(true).open(journal(copy.path())).unwrap();
        let hole = vec![0; borders[to] - borders[from]];
        file.write_all_at(&hole, borders[from] as u64).unwrap();
        let (losses, found) = repaired(&copy).await;
        assert_eq!(losses, [Loss::Kept], "{from} to {to}");
        let left = all().filter(|(number, _)| !(from..to).contains(number));
        assert_eq!(found, values(left, from), "{from} to {to}");
    }
}

/// A killed store with its first three commits in a table, and a fourth; where in the journal the first and the third end.
async fn flushed(fourth: Commit<'_>) -> (TempDir, [u64; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let end =
        || fs::read(journal(dir.path())).unwrap().iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
    store.commit(batch(COMMITS[1])).await.unwrap();
    let first = end();
    store.commit(batch(COMMITS[0])).await.unwrap();
    store.commit(batch(COMMITS[2])).await.unwrap();
    store.engine.cells.rotate_memtable_and_wait().unwrap();
    let third = end();
    store.commit(batch(fourth)).await.unwrap();
    let copy = copy_of(dir.path());
    std::mem::forget(store);
    (copy, [first, third])
}

/// What the tables have is newer than what the journal says before it.
#[tokio::test]
async fn nothing_goes_back() {
    let (killed, ends) = flushed(COMMITS[5]).await;
    // The journal is damaged in its first commit and in its third, which are in a table.
    let file = File::options().write(true).open(journal(killed.path())).unwrap();
    ends.iter().for_each(|end| file.write_all_at(&[9; 4], end - 4).unwrap());
    let (_, found) = repaired(&killed).await;
    let left = [COMMITS[1], COMMITS[0], COMMITS[2], COMMITS[5]];
    assert_eq!(found, values(left.into_iter().enumerate(), 3));
}

/// A commit that is in a table, and whose number in the journal is damaged so that it looks out of order.
#[tokio::test]
async fn an_old_commit_does_not_come_back_under_a_damaged_number() {
    let (killed, [first, _]) = flushed(COMMITS[3]).await;
    let file = File::options().write(true).open(journal(killed.path())).unwrap();
    file.write_all_at(&1_u64.to_le_bytes(), first + 5).unwrap();
    let (losses, found) = repaired(&killed).await;
    assert_eq!(losses, [Loss::Kept], "what it wrote may have been new");
    let left = [COMMITS[1], COMMITS[0], COMMITS[2]];
    assert_eq!(found, values(left.into_iter().enumerate(), 3));
}
