//! Looking through a store that no process has open for damage, and making it one that can be used again.

mod copy;
mod values;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::copy::Scratch;
use self::values::{read_all, rescued, write};
use super::engine::Engine;
use super::journals::{Flaw, Journals, NO_VERSION};
use super::later::{Later, Wanted};
use super::{EmbeddedStore, Settings, opening, swap};
use crate::{Error, Result, Write};

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
    /// Whether all values of the families to keep can be read, as far as there are tables of them.
    pub kept: bool,
    /// What was written to these families behind a damaged commit.
    later: Vec<Write>,
    /// The tables cannot be opened: what there is of these families is that, from the first commit on.
    in_journals: bool,
    keep: Vec<u8>,
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
    /// The commits from there on, but not what they did to the families to keep: the other values are those before them. The
    /// store does not open until it is repaired.
    Commits,
    /// The same, and some of what they did to the families to keep may be among what cannot be read.
    Kept,
    /// Values of older commits, which cannot be told from each other.
    Values,
    /// No values: it is written anew.
    Nothing,
}

impl Loss {
    /// Whether something is damaged that was safe.
    pub fn is_damage(self) -> bool {
        self != Self::TornTail
    }

    /// Whether commits are lost that were safe: a repair cuts the store back to what it was before them.
    pub fn is_of_commits(self) -> bool {
        matches!(self, Self::Commits | Self::Kept)
    }
}

/// Looks through the store in `dir`: reads all of it, and each value is judged. Nothing is changed, and nobody else can open
/// it while what is given lives. A repair keeps the values of which the first byte of the key is in `keep`.
///
/// It looks at a copy beside it, for which the disk needs space for the journals, and for the tables where the file system
/// cannot give a file two names. There damaged journals are cut off at the first commit that does not fit: the values are those of
/// the store as it once was. Fails if there is no store, if it is in use or cannot be read, or if a later version wrote it.
pub fn examine(dir: &Path, judge: &Judge<'_>, keep: &[u8]) -> Result<Examined> {
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
    let version = journals.no_version.as_deref().map(Finding::of_version);
    let findings = version.into_iter().chain(journals.flaws.iter().map(Finding::of_flaw)).collect();
    let (later, keep, dir) = (Vec::new(), keep.to_vec(), dir.to_owned());
    let mut examined = Examined {
        values: 0,
        bytes: 0,
        findings,
        kept: true,
        later,
        in_journals: false,
        keep,
        dir,
        copy,
        _in_use: in_use,
    };
    journals.cut(examined.copy.path())?;
    examined.look(judge, &journals)?;
    Ok(examined)
}

impl Finding {
    fn of_version(file: &Path) -> Self {
        Self { place: file.display().to_string(), what: NO_VERSION.to_owned(), loss: Loss::Nothing }
    }

    fn of_flaw(flaw: &Flaw) -> Self {
        let loss = if flaw.synced { Loss::Kept } else { Loss::TornTail };
        Self { place: flaw.place.clone(), what: flaw.what.clone(), loss }
    }
}

impl Examined {
    /// Makes a store that opens and can be read to its end, beside the old one, which is as it was until the new one is
    /// installed.
    ///
    /// It is the copy that was looked at; or, if not all of that can be read, one with the values to keep, and no others: without
    /// any, if these cannot all be read. What later commits did to these is done to it.
    pub fn repair(self) -> Result<Repaired> {
        let new = Scratch::at(swap::place_of_new(&self.dir));
        let new = new.map_err(|error| failed("make anew", &self.dir, &error))?;
        let damaged = self.findings.iter().any(|finding| finding.loss == Loss::Values);
        let taken_over = if damaged {
            let readable = self.kept && !self.in_journals;
            let kept = if readable { rescued(self.copy.path(), &self.keep)? } else { Vec::new() };
            let writes: Vec<_> = kept.into_iter().map(|(key, value)| Write::Put(key, value)).collect();
            write(new.path(), &writes)?;
            Some(writes.len() as u64)
        } else {
            let moved = fs::rename(self.copy.path(), new.path());
            moved.map_err(|error| failed("make anew", &self.dir, &error))?;
            None
        };
        let later = if self.kept { self.later } else { Vec::new() };
        if !later.is_empty() {
            write(new.path(), &later)?;
        }
        Ok(Repaired { taken_over, later: later.len(), dir: self.dir, new, _in_use: self._in_use })
    }

    fn look(&mut self, judge: &Judge<'_>, journals: &Journals) -> Result<()> {
        let engine = match Engine::open(self.copy.path(), Settings::default()) {
            Ok(engine) => engine,
            Err(Error::Corrupt { path, what }) => {
                // Said of the copy, meant of the store.
                let inside = Path::new(&path).strip_prefix(self.copy.path()).unwrap_or(Path::new(""));
                let place: PathBuf = self.dir.components().chain(inside.components()).collect();
                self.findings.push(Finding { place: place.display().to_string(), what, loss: Loss::Values });
                let wanted = Wanted { families: &self.keep, from: 0 };
                let all = journals.since_start(wanted)?;
                self.kept = all.is_some();
                self.in_journals = true;
                let Some(Later { writes, more, .. }) = all else { return Ok(()) };
                self.later = writes;
                if more && !self.findings.iter().any(|finding| finding.loss == Loss::Kept) {
                    let (place, what) =
                        (self.dir.display().to_string(), "not all commits of its journals can be read");
                    self.findings.push(Finding { place, what: what.to_owned(), loss: Loss::Kept });
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let wanted = Wanted { families: &self.keep, from: engine.db.seqno() };
        let later = journals.later(wanted)?;
        if !later.more {
            let commits = self.findings.iter_mut().filter(|finding| finding.loss == Loss::Kept);
            commits.for_each(|finding| finding.loss = Loss::Commits);
        }
        self.later = later.writes;
        read_all(&engine, judge, self)
    }
}

/// A repaired store, beside the damaged one.
#[derive(Debug)]
pub struct Repaired {
    /// How many values were taken over, if it has no others.
    pub taken_over: Option<u64>,
    /// How often later commits, behind damage, wrote or removed a value to keep: it is done.
    pub later: usize,
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
