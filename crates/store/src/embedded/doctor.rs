//! Looking through a store that no process has open for damage, and making it one that can be used again.

mod copy;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fjall::Readable as _;

use self::copy::Scratch;
use super::engine::Engine;
use super::journals::{Flaw, Journals};
use super::{EmbeddedStore, Settings, opening, swap};
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
    dir: PathBuf,
    copy: Scratch,
    _in_use: File,
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
    /// The commits from there on: the values are those before them. The store does not open until it is repaired.
    Commits,
    /// Values of older commits, which cannot be told from each other.
    Values,
}

/// Looks through the store in `dir`: reads all of it, and each value is judged. Nothing is changed, and nobody else can open
/// it while what is given lives.
///
/// It looks at a copy beside it, for which the disk needs space for the journals, and for the tables where the file system
/// cannot give a file two names. There damaged journals are cut off at the first commit that does not fit: the values are those of
/// the store as it once was. Fails if there is no store, if it is in use or cannot be read, or if a later version wrote it.
pub fn examine(dir: &Path, judge: &Judge<'_>) -> Result<Examined> {
    if !dir.is_dir() {
        return Err(failed("look into", dir, &io::Error::from(io::ErrorKind::NotFound)));
    }
    let in_use = opening::take(dir)?;
    let journals = Journals::read(dir)?;
    let scratch = Scratch::at(swap::place_of_copy(dir)).and_then(|scratch| {
        copy::copy(dir, scratch.path())?;
        Ok(scratch)
    });
    let copy = scratch.map_err(|error| failed("look at a copy of", dir, &error))?;
    let findings = journals.flaws.iter().map(Finding::of_flaw).collect();
    let mut examined = Examined { values: 0, bytes: 0, findings, dir: dir.to_owned(), copy, _in_use: in_use };
    journals.cut(examined.copy.path())?;
    examined.look(judge)?;
    Ok(examined)
}

impl Finding {
    fn of_flaw(flaw: &Flaw) -> Self {
        let loss = if flaw.synced { Loss::Commits } else { Loss::TornTail };
        Self { place: flaw.place.clone(), what: flaw.what.clone(), loss }
    }
}

impl Examined {
    /// Makes a store that opens and can be read to its end, beside the old one, which is as it was until the new one is
    /// installed.
    ///
    /// It is the copy that was looked at; or, if not all of that can be read, one with the values of which the first byte of the
    /// key is in `families`, and no others: it fails if these cannot all be read.
    pub fn repair(self, families: &[u8]) -> Result<Repaired> {
        let new = Scratch::at(swap::place_of_new(&self.dir));
        let new = new.map_err(|error| failed("make anew", &self.dir, &error))?;
        let damaged = self.findings.iter().any(|finding| finding.loss == Loss::Values);
        let taken_over = if damaged {
            let kept = rescued(self.copy.path(), families)?;
            write_anew(new.path(), &kept)?;
            Some(kept.len() as u64)
        } else {
            let moved = fs::rename(self.copy.path(), new.path());
            moved.map_err(|error| failed("make anew", &self.dir, &error))?;
            None
        };
        Ok(Repaired { taken_over, dir: self.dir, new, _in_use: self._in_use })
    }

    fn look(&mut self, judge: &Judge<'_>) -> Result<()> {
        match Engine::open(self.copy.path(), Settings::default()) {
            Ok(engine) => read_all(&engine, judge, self)?,
            Err(Error::Corrupt { path, what }) => {
                // Said of the copy, meant of the store.
                let inside = Path::new(&path).strip_prefix(self.copy.path()).unwrap_or(Path::new(""));
                let place = self.dir.components().chain(inside.components()).collect::<PathBuf>();
                self.findings.push(Finding { place: place.display().to_string(), what, loss: Loss::Values });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// A repaired store, beside the damaged one.
#[derive(Debug)]
pub struct Repaired {
    /// How many values were taken over, if it has no others.
    pub taken_over: Option<u64>,
    dir: PathBuf,
    new: Scratch,
    _in_use: File,
}

impl Repaired {
    /// Opens it: what it does not have yet may be put into it.
    pub fn open(&self) -> Result<EmbeddedStore> {
        Ok(EmbeddedStore { engine: Arc::new(Engine::open(self.new.path(), Settings::default())?) })
    }

    /// Puts it in the place of the damaged one, which goes to `aside`. It is done whole or not at all, also when the power is
    /// cut; whoever opens the store next finishes it. Fails if it is open, or if the disk does.
    pub fn install(self, aside: &Path) -> Result<()> {
        // Nobody else may open it before the old one is aside.
        let _in_use = opening::take(self.new.path())?;
        // From here on it may be the old store that has this name.
        self.new.keep();
        swap::swap(&self.dir, aside).map_err(|error| failed("replace", &self.dir, &error))
    }
}

fn failed(doing: &'static str, dir: &Path, error: &io::Error) -> Error {
    Error::Unavailable { doing, what: format!("{}: {error}", dir.display()) }
}

/// Reads everything. Behind what cannot be read it goes on with the next family of keys.
fn read_all(engine: &Engine, judge: &Judge<'_>, examined: &mut Examined) -> Result<()> {
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
                Err(error) => match engine.failed("read", error) {
                    Error::Corrupt { what, .. } => {
                        let place = format!("behind key {}", last.escape_ascii());
                        examined.findings.push(Finding { place, what, loss: Loss::Values });
                        break;
                    }
                    // A disk that fails to read may not fail the next time.
                    error => return Err(error),
                },
            }
        }
    }
    Ok(())
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
