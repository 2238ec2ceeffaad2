use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::OnceLock;

use bytes::Bytes;
use store::embedded::doctor::{Loss, examine};
use store::embedded::{EmbeddedStore, Settings};
use store::{Batch, Error, Store as _};
use tempfile::TempDir;

use crate::damage::damage;

/// Keys that are to be kept begin with this, the others with another byte.
const KEPT: u8 = 0x20;
const OTHER: u8 = 0x10;
const COMMITS: u8 = 6;

type Values = BTreeMap<Bytes, Bytes>;

/// The files of a store, damaged as the bytes say. It opens, or says where it is damaged; what it reads are the values after some
/// of its commits, in order from the first. One that does not open does when it is repaired, and then has no values that it never had;
/// of those to be kept it has all, or it was said that some may be missing.
pub fn store(data: &[u8]) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
    let Ok(home) = tempfile::tempdir() else { return };
    let folder = home.path().join("store");
    let Some(template) = template() else { return };
    copy(template.path(), &folder);
    damage(&folder, data);
    runtime.block_on(async {
        match open(&folder) {
            Ok(opened) => match values(&opened).await {
                Ok(read) => {
                    assert!((0..=COMMITS).any(|commits| read == after(commits)), "{read:?} was never there")
                }
                Err(error) => assert!(matches!(error, Error::Corrupt { .. }), "{error}"),
            },
            Err(Error::Corrupt { .. }) => repaired(home.path(), &folder).await,
            Err(error) => assert!(matches!(error, Error::Mismatch { .. }), "{error}"),
        }
    });
}

async fn repaired(home: &Path, folder: &Path) {
    // A file that says another format is not repaired.
    let noted = fs::read(folder.join("synced")).ok();
    let noted = template().is_some_and(|template| fs::read(template.path().join("synced")).ok() == noted);
    let examined = match examine(folder, &|_, _| None, &[KEPT]) {
        Ok(examined) => examined,
        Err(error) => return assert!(matches!(error, Error::Mismatch { .. }), "{error}"),
    };
    let (findings, kept) = (examined.findings.clone(), examined.kept);
    let whole = kept && !findings.iter().any(|finding| finding.loss == Loss::Kept);
    let installed = examined.repair().and_then(|repaired| repaired.install(&home.join("aside/store")));
    assert!(installed.is_ok(), "{installed:?} of {findings:?}");
    let left = examine(folder, &|_, _| None, &[KEPT]).map(|left| left.findings);
    assert!(left.as_ref().is_ok_and(Vec::is_empty), "{left:?} after {findings:?}");
    let Ok(opened) = open(folder) else {
        return assert!(!folder.exists(), "it does not open after {findings:?}");
    };
    let read = values(&opened).await;
    let Ok(read) = read else { return assert!(read.is_ok(), "{read:?} after {findings:?}") };
    for (key, value) in &read {
        let once = (0..=COMMITS).any(|commits| after(commits).get(key) == Some(value));
        assert!(once, "{} was never {value:?}", key.escape_ascii());
    }
    let of_kept = |values: &Values| -> Values {
        values
            .iter()
            .filter(|(key, _)| key[0] == KEPT)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    // Where the mark of what was synced is damaged, too, the end of the journal passes for a torn tail.
    let least = if noted { COMMITS } else { 0 };
    let known = (least..=COMMITS).any(|commits| of_kept(&read) == of_kept(&after(commits)));
    assert!(!whole || known, "{read:?}, and nothing was to be missing: {findings:?}");
}

/// The values after so many commits. Each writes one value that is to be kept, one that all write, and one that is not.
fn after(commits: u8) -> Values {
    let mut values = Values::new();
    for number in 0..commits {
        values.extend(commit(number).into_iter().map(|(key, value)| (Bytes::from(key), Bytes::from(value))));
    }
    values
}

fn commit(number: u8) -> Vec<(Vec<u8>, Vec<u8>)> {
    let value = vec![number + 1; 20];
    match number % 2 {
        0 => vec![(vec![KEPT, number], value.clone()), (vec![KEPT, 255], value)],
        _ => vec![(vec![OTHER, number], value.clone()), (vec![OTHER, 255], value)],
    }
}

async fn values(store: &EmbeddedStore) -> store::Result<Values> {
    Ok(store.snapshot().await?.scan(&[0], &[0xff; 4], usize::MAX).await?.into_iter().collect())
}

fn open(folder: &Path) -> store::Result<EmbeddedStore> {
    EmbeddedStore::open(folder, Settings::default())
}

/// A store to copy. Its journal is cut off where it ends: fjall makes it long beforehand.
fn template() -> Option<&'static TempDir> {
    static TEMPLATE: OnceLock<Option<TempDir>> = OnceLock::new();
    TEMPLATE.get_or_init(|| make().ok()).as_ref()
}

fn make() -> std::io::Result<TempDir> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let home = tempfile::tempdir()?;
    runtime.block_on(async {
        let store = open(home.path()).map_err(std::io::Error::other)?;
        for number in 0..COMMITS {
            let mut batch = Batch::durable();
            for (key, value) in commit(number) {
                batch.put(key, value);
            }
            store.commit(batch).await.map_err(std::io::Error::other)?;
        }
        Ok::<_, std::io::Error>(())
    })?;
    let journal = home.path().join("0.jnl");
    let used = fs::read(&journal)?.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    File::options().write(true).open(&journal)?.set_len(used as u64)?;
    Ok(home)
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::create_dir_all(to);
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target);
        } else {
            let _ = fs::copy(&source, &target);
        }
    }
}
