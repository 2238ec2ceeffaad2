//! A damaged store is described, and repaired without a guess: it is what it once was, or only its configuration.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use tempfile::TempDir;

use super::crash::copy_of;
use super::journal::{flip, killed};
use super::{Settings, open};
use crate::embedded::EmbeddedStore;
use crate::embedded::doctor::{Examined, Finding, Loss, examine};
use crate::{Batch, Pair, Store};

const CELLS: u8 = 0x10;
const CONFIG: u8 = 0x20;

fn sound(_: &[u8], _: &[u8]) -> Option<String> {
    None
}

pub(super) fn look(dir: &Path) -> Examined {
    examine(dir, &sound, &[CONFIG]).unwrap()
}

/// A closed store with its values in tables: some of configuration and many cells.
pub(super) async fn stored() -> (TempDir, Vec<Pair>) {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("store");
    let store = open(&home);
    let mut pairs = Vec::new();
    for number in 0..2_000_u32 {
        let family = if number < 3 { CONFIG } else { CELLS };
        let key = [&[family][..], &number.to_be_bytes()].concat();
        // Numbers that do not compress away: xorshift32 (Marsaglia 2003).
        let mut state = number + 1;
        let value = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        });
        let value: Vec<u8> = value.take(100).collect();
        pairs.push((key.into(), value.into()));
    }
    let mut batch = Batch::durable();
    for (key, value) in pairs.iter().cloned() {
        let (key, value): Pair = (key, value);
        batch.put(key, value);
    }
    store.commit(batch).await.unwrap();
    store.engine.cells.rotate_memtable_and_wait().unwrap();
    drop(store);
    pairs.sort();
    (dir, pairs)
}

pub(super) async fn everything(dir: &Path) -> crate::Result<Vec<Pair>> {
    let store = EmbeddedStore::open(dir, Settings::default())?;
    store.snapshot().await?.scan(&[0], &[0xff; 8], usize::MAX).await
}

/// All files, with their lengths.
fn names(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(names(&path))
        } else {
            found.push((path.clone(), fs::metadata(&path).unwrap().len()))
        }
    }
    found.sort();
    found
}

fn repaired(home: &Path, aside: &Path) -> Option<u64> {
    let repaired = look(home).repair().unwrap();
    let taken_over = repaired.taken_over;
    repaired.install(aside).unwrap();
    taken_over
}

#[derive(Clone, Copy)]
pub(super) enum Files {
    Tables,
    /// What lists them.
    Lists,
}

/// The files of all trees, the largest last.
pub(super) fn files(home: &Path, which: Files) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (path, _) in names(&home.join("keyspaces")) {
        let is_table = path.parent().is_some_and(|parent| parent.ends_with("tables"));
        if is_table == matches!(which, Files::Tables) {
            found.push(path);
        }
    }
    found.sort_by_key(|path| fs::metadata(path).unwrap().len());
    found
}

/// Among the cells of the largest table: blocks are of 4 KiB.
fn damage_cells(home: &Path) {
    let table = files(home, Files::Tables).pop().unwrap();
    let mut bytes = fs::read(&table).unwrap();
    bytes[20_000] ^= 1;
    fs::write(&table, bytes).unwrap();
}

#[tokio::test]
async fn a_whole_store_has_no_findings() {
    let (dir, pairs) = stored().await;
    let home = dir.path().join("store");
    let before = names(dir.path());
    let Examined { values, bytes, findings, .. } = look(&home);
    assert_eq!(names(dir.path()), before, "nothing is left of looking");
    // Keys are 5 bytes, values 100.
    assert_eq!((values, bytes, &findings[..]), (2_000, 2_000 * 105, &[][..]));
    assert_eq!(pairs.len(), 2_000);
}

#[tokio::test]
async fn nobody_else_may_have_it_open() {
    let (dir, _) = stored().await;
    let home = dir.path().join("store");
    let _open = open(&home);
    let error = examine(&home, &sound, &[CONFIG]).unwrap_err();
    assert!(error.to_string().contains("is in use by another hitmill"), "{error}");
    let missing = examine(&dir.path().join("none"), &sound, &[CONFIG]).unwrap_err();
    assert!(missing.to_string().contains("none: entity not found"), "{missing}");
    assert!(!dir.path().join("none").exists());
}

#[tokio::test]
async fn a_table_that_is_damaged_costs_the_cells_and_not_the_configuration() {
    let (dir, pairs) = stored().await;
    let home = dir.path().join("store");
    damage_cells(&home);

    let Examined { findings, .. } = look(&home);
    let [Finding { place, loss: Loss::Values, .. }] = &findings[..] else { panic!("{findings:?}") };
    assert!(place.starts_with("behind key \\x10\\x00\\x00"), "{place}");

    let aside = dir.path().join("aside/store");
    let before = names(&home);
    // Half of a store that a repair which was stopped has left.
    fs::create_dir(dir.path().join("store.doctor-new")).unwrap();
    assert_eq!(repaired(&home, &aside), Some(3));
    assert_eq!(everything(&home).await.unwrap(), pairs[1_997..]);
    assert_eq!(look(&home).findings, []);
    let kept: Vec<_> = names(&aside)
        .into_iter()
        .map(|(path, len)| (home.join(path.strip_prefix(&aside).unwrap()), len))
        .collect();
    assert_eq!(kept, before);
    assert!(everything(&aside).await.is_err(), "kept as it was");
    assert!(!dir.path().join("store.doctor-new").exists() && !dir.path().join("store.doctor-copy").exists());
}

/// A repair that fails, or that nobody installs, changes nothing.
#[tokio::test]
async fn a_store_is_as_it_was_until_the_new_one_is_installed() {
    let (dir, _) = stored().await;
    let home = dir.path().join("store");
    damage_cells(&home);
    let before = names(dir.path());
    // The values of this family are the ones that cannot be read.
    assert!(look(&home).kept);
    let unreadable = examine(&home, &sound, &[CELLS]).unwrap();
    assert!(!unreadable.kept);
    assert_eq!(unreadable.repair().unwrap().taken_over, Some(0));
    assert_eq!(names(dir.path()), before);
    let repaired = look(&home).repair().unwrap();
    let store = repaired.open().unwrap();
    let mut batch = Batch::default();
    batch.put("more", "1");
    store.commit(batch).await.unwrap();
    drop((store, repaired));
    assert_eq!(names(dir.path()), before);
}

/// The process, or the power, goes at any time while one store is put in the place of another.
#[tokio::test]
async fn a_swap_that_was_stopped_is_finished_by_the_next_start() {
    for stopped in ["before", "after they changed places", "after the old one was moved"] {
        let (dir, pairs) = stored().await;
        let (home, new) = (dir.path().join("store"), dir.path().join("store.doctor-new"));
        let aside = dir.path().join("aside/store");
        drop(open(&new));
        fs::write(new.join("replaced"), "aside/store").unwrap();
        if stopped != "before" {
            rustix::fs::renameat_with(CWD, &home, CWD, &new, RenameFlags::EXCHANGE).unwrap();
        }
        if stopped == "after the old one was moved" {
            fs::create_dir(dir.path().join("aside")).unwrap();
            fs::rename(&new, &aside).unwrap();
        }
        let found = everything(&home).await.unwrap();
        if stopped == "before" {
            assert_eq!(found, pairs);
            assert_eq!(look(&home).findings, []);
            continue;
        }
        assert_eq!(found, [], "{stopped}");
        assert_eq!(everything(&aside).await.unwrap(), pairs, "{stopped}");
        assert!(!new.exists() && !home.join("replaced").exists(), "{stopped}");
    }
}

#[tokio::test]
async fn a_journal_that_is_damaged_costs_what_is_behind_it() {
    let (killed, ends) = killed(&[100, 100, 100], Some(2)).await;
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("store");
    fs::rename(copy_of(killed.path()).keep(), &home).unwrap();
    flip(&home, ends[0] + 40);

    let Examined { findings, .. } = look(&home);
    let journal = home.join("0.jnl");
    let place = format!("{} at offset {}", journal.display(), ends[0]);
    let what = "the checksum of a batch does not fit".to_owned();
    assert_eq!(findings, [Finding { place, what, loss: Loss::Commits }]);
    let damaged = fs::read(&journal).unwrap();

    let aside = dir.path().join("aside/store");
    assert_eq!(repaired(&home, &aside), None);
    assert!(fs::read(aside.join("0.jnl")).unwrap() == damaged, "kept as it was");
    let left: Vec<_> = everything(&home).await.unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(left, ["commit/000"]);

    // What was synced to the old journal is not asked of the new one.
    let store = open(&home);
    let mut batch = Batch::default();
    batch.put("commit/001", "new");
    store.commit(batch).await.unwrap();
    std::mem::forget(store);
    let copy = copy_of(&home);
    flip(copy.path(), ends[0] + 30);
    assert_eq!(everything(copy.path()).await.unwrap().len(), 1, "a torn tail, cut off");
}

#[tokio::test]
async fn a_store_that_says_no_version_is_given_one() {
    for said in [None, Some("F\0L\x03"), Some("")] {
        let (dir, pairs) = stored().await;
        let home = dir.path().join("store");
        let version = home.join("version");
        match said {
            None => fs::remove_file(&version).unwrap(),
            Some(said) => fs::write(&version, said).unwrap(),
        }
        let error = EmbeddedStore::open(&home, Settings::default()).err().unwrap().to_string();
        assert!(error.ends_with("store/version is damaged: it says no version"), "{error}");
        let (place, what) = (version.display().to_string(), "it says no version".to_owned());
        assert_eq!(look(&home).findings, [Finding { place, what, loss: Loss::Nothing }]);
        assert_eq!(repaired(&home, &dir.path().join("aside/store")), None);
        assert_eq!(everything(&home).await.unwrap(), pairs);
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_understood_is_a_finding() {
    let (dir, _) = stored().await;
    let home = dir.path().join("store");
    let judge = |key: &[u8], _: &[u8]| (key[4] == 7 && key[3] == 0).then(|| "it is seven".to_owned());
    let Examined { values, findings, .. } = examine(&home, &judge, &[CONFIG]).unwrap();
    let place = "key \\x10\\x00\\x00\\x00\\x07".to_owned();
    assert_eq!(
        (values, findings),
        (2_000, vec![Finding { place, what: "it is seven".into(), loss: Loss::Values }])
    );
}
