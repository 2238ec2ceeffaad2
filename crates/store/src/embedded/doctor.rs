//! Looking through a store that no process has open for damage, and making it one that can be used again.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use fjall::Readable as _;
use rustix::fs::{CWD, RenameFlags};

use super::engine::Engine;
use super::journal::{MARKS, Mark, Walked, walk_all};
use super::{Settings, opening};
use crate::{Batch, Error, Pair, Result};

/// Says what is wrong with a value whose checksum fits, if anything is.
pub type Judge<'a> = dyn Fn(&[u8], &[u8]) -> Option<String> + 'a;

/// What a store holds, and what is wrong with it.
#[derive(Debug)]
pub struct Examined {
    /// How many values could be read.
    pub values: u64,
    /// Bytes of them and their keys.
    pub bytes: u64,
    /// What does not fit.
    pub findings: Vec<Finding>,
}

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: String,
    /// What does not fit.
    pub what: String,
    /// What it means.
    pub loss: Loss,
}

/// What a finding means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing: these bytes were never synced. The next start cuts them off.
    TornTail,
    /// The commits from there on. The store does not open until it is repaired.
    Commits,
    /// Values of older commits, which cannot be told from each other.
    Values,
}

/// What a repair did.
#[derive(Debug, Default)]
pub struct Repaired {
    /// What was damaged, as it was.
    pub aside: Vec<PathBuf>,
    /// How many values were taken over, if the store was made anew.
    pub taken_over: Option<u64>,
}

/// Looks through the store in `dir`: reads all of it, and each value is judged. If its journals are whole it is opened
/// as a start would open it; else nothing is changed.
pub fn examine(dir: &Path, judge: &Judge<'_>) -> Result<Examined> {
    let in_use = take(dir)?;
    let mut examined = Examined { values: 0, bytes: 0, findings: Vec::new() };
    let journals = walk_all(dir).map_err(|error| failed("read the journals", dir, &error))?;
    let broken = broken(dir, &journals);
    examined.findings.extend(broken.iter().map(|(journal, loss)| Finding {
        place: format!("{} at offset {}", journal.path.display(), journal.end),
        what: journal.broken.clone().unwrap_or_default(),
        loss: *loss,
    }));
    if examined.findings.iter().any(|finding| finding.loss == Loss::Commits) {
        return Ok(examined);
    }
    drop(in_use);
    match Engine::open(dir, Settings::default()) {
        Ok(engine) => look(&engine, judge, &mut examined),
        Err(Error::Corrupt { path, what }) => {
            examined.findings.push(Finding { place: path, what, loss: Loss::Values });
        }
        Err(error) => return Err(error),
    }
    Ok(examined)
}

/// Makes the store one that opens and can be read to its end. What was damaged goes to the folder `aside` as it is.
///
/// A journal is cut off at the first commit that does not fit: what is left is the store as it once was. If that does not
/// help the store is made anew, with the values of which the first byte of the key is in `families`; it fails if these cannot
/// all be read.
pub fn repair(dir: &Path, aside: &Path, judge: &Judge<'_>, families: &[u8]) -> Result<Repaired> {
    let mut repaired = Repaired::default();
    {
        let _in_use = take(dir)?;
        repaired.aside =
            cut_journals(dir, aside).map_err(|error| failed("repair the journals", dir, &error))?;
    }
    if examine(dir, judge)?.findings.iter().all(|finding| finding.loss == Loss::TornTail) {
        return Ok(repaired);
    }
    let kept = rescued(dir, families)?;
    let new = dir.with_extension("new");
    if new.exists() {
        // Left by a repair that was stopped: half of a new store, or all of the old one.
        let what = format!(
            "{} is left of an earlier repair: move it away and keep it, then repair again",
            new.display()
        );
        return Err(Error::Unavailable { doing: "make the store anew", what });
    }
    write_anew(&new, &kept)?;
    repaired.taken_over = Some(kept.len() as u64);
    repaired.aside.push(swap(dir, &new, aside).map_err(|error| failed("make anew", dir, &error))?);
    Ok(repaired)
}

/// Puts the new store in the place of the old one, which goes aside. At no time is there none: a server that found none would
/// make one without merchants.
fn swap(dir: &Path, new: &Path, aside: &Path) -> io::Result<PathBuf> {
    disk::make_directory(&disk::System, aside)?;
    rustix::fs::renameat_with(CWD, dir, CWD, new, RenameFlags::EXCHANGE)?;
    let old = aside.join(dir.file_name().unwrap_or_default());
    fs::rename(new, &old)?;
    File::open(aside)?.sync_all()?;
    dir.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())?;
    Ok(old)
}

/// Takes the directory, which must be there.
fn take(dir: &Path) -> Result<File> {
    if !dir.is_dir() {
        return Err(failed("look into", dir, &io::Error::from(io::ErrorKind::NotFound)));
    }
    opening::take(dir)
}

fn failed(doing: &'static str, dir: &Path, error: &io::Error) -> Error {
    Error::Unavailable { doing, what: format!("{}: {error}", dir.display()) }
}

fn broken<'a>(dir: &Path, journals: &'a [Walked]) -> Vec<(&'a Walked, Loss)> {
    let mark = Mark::read(dir);
    let loss = |index: usize, journal: &Walked| {
        let synced = journal.was_synced(index + 1 < journals.len(), mark);
        if synced { Loss::Commits } else { Loss::TornTail }
    };
    let broken = journals.iter().enumerate().filter(|(_, journal)| journal.broken.is_some());
    broken.map(|(index, journal)| (journal, loss(index, journal))).collect()
}

/// Reads everything. Behind what cannot be read it goes on with the next family of keys.
fn look(engine: &Engine, judge: &Judge<'_>, examined: &mut Examined) {
    let view = engine.db.snapshot();
    for family in 0..=u8::MAX {
        let mut last = Vec::from([family]);
        for pair in view.prefix(&engine.cells, [family]) {
            match pair.into_inner() {
                Ok((key, value)) => {
                    examined.values += 1;
                    examined.bytes += (key.len() + value.len()) as u64;
                    if let Some(what) = judge(&key, &value) {
                        let place = format!("key {}", key.escape_ascii());
                        examined.findings.push(Finding { place, what, loss: Loss::Values });
                    }
                    last = key.to_vec();
                }
                Err(error) => {
                    let place = format!("behind key {}", last.escape_ascii());
                    examined.findings.push(Finding { place, what: error.to_string(), loss: Loss::Values });
                    break;
                }
            }
        }
    }
}

/// Cuts off the first journal that was damaged, and takes away those behind it.
fn cut_journals(dir: &Path, aside: &Path) -> io::Result<Vec<PathBuf>> {
    let journals = walk_all(dir)?;
    let Some(damaged) = broken(dir, &journals).iter().find_map(|(journal, loss)| {
        (*loss == Loss::Commits).then(|| journals.iter().position(|other| other.id == journal.id)).flatten()
    }) else {
        return Ok(Vec::new());
    };
    fs::create_dir_all(aside)?;
    let mut copies = Vec::new();
    for journal in &journals[damaged..] {
        let copy = aside.join(journal.path.file_name().unwrap_or_default());
        fs::copy(&journal.path, &copy)?;
        File::open(&copy)?.sync_all()?;
        copies.push(copy);
    }
    // From the last to the first, so that one that is stopped can be begun again.
    for journal in journals[damaged + 1..].iter().rev() {
        fs::remove_file(&journal.path)?;
    }
    // What it says was synced is no longer there.
    if dir.join(MARKS).exists() {
        fs::remove_file(dir.join(MARKS))?;
    }
    journals[damaged].cut()?;
    File::open(dir)?.sync_all()?;
    Ok(copies)
}

/// The values to keep.
fn rescued(dir: &Path, families: &[u8]) -> Result<Vec<Pair>> {
    let engine = Engine::open(dir, Settings::default())?;
    let view = engine.db.snapshot();
    let mut kept = Vec::new();
    for family in families {
        for pair in view.prefix(&engine.cells, [*family]) {
            let (key, value) = pair.into_inner().map_err(|error| engine.failed("rescue", error))?;
            kept.push((key.to_vec().into(), value.to_vec().into()));
        }
    }
    Ok(kept)
}

fn write_anew(dir: &Path, kept: &[Pair]) -> Result<()> {
    let engine = Engine::open(dir, Settings::default())?;
    for pairs in kept.chunks(1_000) {
        let mut batch = Batch::durable();
        for (key, value) in pairs {
            batch.put(key.clone(), value.clone());
        }
        engine.commit(&batch)?;
    }
    Ok(())
}
