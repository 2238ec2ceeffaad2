//! The journals of a store: what is wrong with them, and whether it matters.
//!
//! ```text
//! 0.jnl, 1.jnl ...    the last one is written to, the others were synced before the next one was made
//! synced              the mark: see mark.rs
//! version             "FJL" 3
//! ```
//!
//! A torn tail, which a cut of the power leaves and nobody was promised, is told from damage to what was synced.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::journal::{Walked, walk};
use super::later::{Later, Wanted};
use super::mark::Mark;
use crate::{Error, Result};

const VERSION: &[u8; 4] = b"FJL\x03";
/// What is wrong with a file that says no version.
pub(super) const NO_VERSION: &str = "it says no version";

/// All journals of a store, in their order.
pub(super) struct Journals {
    walked: Vec<Walked>,
    /// What is wrong with them, in their order.
    pub(super) flaws: Vec<Flaw>,
    /// The file that says their version, if it does not.
    pub(super) no_version: Option<PathBuf>,
    mark: Option<Mark>,
    dir: PathBuf,
}

/// Something that does not fit.
pub(super) struct Flaw {
    pub(super) place: String,
    pub(super) what: String,
    /// Whether it is damage, and not a torn tail.
    pub(super) synced: bool,
    /// How many journals are whole up to here: the last of them up to its last whole batch.
    kept: usize,
}

impl Journals {
    /// Reads them. Fails if another version of fjall wrote them: what it does not know would look like damage.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let failed = |error| failed(dir, &error);
        let mut journals =
            Self { walked: Vec::new(), flaws: Vec::new(), no_version: None, mark: None, dir: dir.to_owned() };
        match Version::of(dir)? {
            Version::Known => {}
            Version::Damaged(path) => journals.no_version = Some(path),
            // It was never finished: nothing was stored.
            Version::None => return Ok(journals),
        }
        for (id, path) in list(dir).map_err(failed)? {
            journals.walked.push(walk(id, path).map_err(failed)?);
        }
        journals.mark = Mark::read(dir).map_err(failed)?;
        journals.judge();
        Ok(journals)
    }

    fn judge(&mut self) {
        let Self { walked, flaws, mark, dir, .. } = self;
        let Some(last) = walked.last() else {
            let what = "it has no journal".to_owned();
            flaws.push(Flaw { place: dir.display().to_string(), what, synced: true, kept: 0 });
            return;
        };
        let missed = mark.filter(|mark| mark.misses(last.id, last.last));
        for (index, journal) in walked.iter().enumerate() {
            let next = walked.get(index + 1);
            let mut flaw = |what: String, synced| {
                let place = format!("{} at offset {}", journal.path.display(), journal.end);
                flaws.push(Flaw { place, what, synced, kept: index + 1 });
            };
            if let Some(what) = &journal.broken {
                flaw(what.clone(), next.is_some() || missed.is_some());
            }
            match next {
                Some(next) if next.id != journal.id + 1 => {
                    flaw(format!("the next journal is {}.jnl: what is between is missing", next.id), true);
                }
                None if journal.broken.is_none() && missed.is_some() => {
                    flaw("it ends here, and later commits were synced".to_owned(), true);
                }
                _ => {}
            }
        }
    }

    /// The keyspaces that must be there, since something was written to them.
    pub(super) fn keyspaces(&self) -> BTreeSet<u64> {
        self.walked.iter().flat_map(|journal| journal.keyspaces.iter().copied()).collect()
    }

    /// All that was ever written of something, if the journals go back to the start.
    pub(super) fn since_start(&self, wanted: Wanted<'_>) -> Result<Option<Later>> {
        if self.walked.first().is_none_or(|first| first.id > 0) {
            return Ok(None);
        }
        let mut later = Later::default();
        self.read_on(&self.walked, 0, wanted, &mut later)?;
        Ok(Some(later))
    }

    /// The first thing that is damaged, and no torn tail.
    pub(super) fn damage(&self) -> Option<&Flaw> {
        self.flaws.iter().find(|flaw| flaw.synced)
    }

    /// Cuts off the torn tail of the last journal. Fails if something was damaged that had been synced.
    pub(super) fn mend(&self) -> Result<()> {
        if let Some(path) = &self.no_version {
            let path = path.display().to_string();
            return Err(Error::Corrupt { path, what: NO_VERSION.to_owned() });
        }
        if let Some(Flaw { place, what, .. }) = self.damage() {
            let (path, what) = (place.clone(), format!("{what}: it was synced, so this is damage"));
            return Err(Error::Corrupt { path, what });
        }
        // What is torn and not damaged is the last.
        if let (Some(Flaw { place, what, .. }), Some(journal)) = (self.flaws.first(), self.walked.last()) {
            tracing::warn!(place, what, "cut off a torn tail of the store's journal that was never synced");
            journal.cut(&journal.path).map_err(|error| failed(&self.dir, &error))?;
        }
        Ok(())
    }

    /// What was written of something behind the first damage, if there is any.
    pub(super) fn later(&self, wanted: Wanted<'_>) -> Result<Later> {
        let mut later = Later::default();
        let Some(Flaw { kept, .. }) = self.damage() else { return Ok(later) };
        later.more = *kept == 0;
        let (before_it, _) = self.walked.split_at(*kept);
        later.last = before_it.iter().filter_map(|journal| journal.last).max().unwrap_or_default();
        // Where the tables have nothing that is newer, all that comes is new, also under a number that is damaged.
        let from = if wanted.from > later.last + 1 { wanted.from } else { 0 };
        let wanted = Wanted { from, ..wanted };
        let journals = &self.walked[kept.saturating_sub(1)..];
        self.read_on(journals, journals.first().map_or(0, |journal| journal.end), wanted, &mut later)?;
        Ok(later)
    }

    /// Reads these journals, of the first what is behind an offset.
    fn read_on(
        &self,
        journals: &[Walked],
        mut from: u64,
        wanted: Wanted<'_>,
        later: &mut Later,
    ) -> Result<()> {
        for (index, journal) in journals.iter().enumerate() {
            later.more |= index > 0 && journals[index - 1].id + 1 != journal.id;
            later.read(journal, from, wanted).map_err(|error| failed(&self.dir, &error))?;
            from = 0;
        }
        later.more |= match (self.mark, journals.last()) {
            (Some(mark), Some(last)) => mark.misses(last.id, Some(later.last)),
            _ => later.torn,
        };
        Ok(())
    }

    /// Cuts those of a copy off where the first flaw is, if there is any: what is left is the store as it once was. Not safe to stop.
    pub(super) fn cut(&self, copy: &Path) -> Result<()> {
        if self.no_version.is_some() {
            fs::write(copy.join("version"), VERSION).map_err(|error| failed(copy, &error))?;
        }
        // What is torn and not damaged is the last.
        let Some(flaw) = self.damage().or(self.flaws.first()) else { return Ok(()) };
        let (kept, gone) = self.walked.split_at(flaw.kept);
        let cut = || -> io::Result<()> {
            gone.iter().try_for_each(|journal| fs::remove_file(path_of(copy, journal.id)))?;
            Mark::remove(copy)?;
            kept.last().map_or(Ok(()), |journal| journal.cut(&path_of(copy, journal.id)))
        };
        cut().map_err(|error| failed(copy, &error))
    }
}

/// What the store says of its version.
enum Version {
    Known,
    Damaged(PathBuf),
    /// fjall has not finished making the store: it writes its version last, before anything is stored.
    None,
}

impl Version {
    /// Fails if it is another one.
    fn of(dir: &Path) -> Result<Self> {
        let path = dir.join("version");
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(|error| failed(dir, &error))?,
        };
        match bytes.strip_prefix(b"FJL") {
            _ if bytes == VERSION => Ok(Self::Known),
            _ if bytes.is_empty() && !has_data(dir).map_err(|error| failed(dir, &error))? => Ok(Self::None),
            Some([other]) => {
                let what = format!(
                    "the store at {} is of format {other} of its engine: this version reads format 3",
                    dir.display()
                );
                Err(Error::Mismatch { what })
            }
            _ => Ok(Self::Damaged(path)),
        }
    }
}

fn failed(dir: &Path, error: &io::Error) -> Error {
    Error::Unavailable { doing: "read the journal", what: format!("{}: {error}", dir.display()) }
}

/// Whether anything can have been stored.
pub(super) fn has_data(dir: &Path) -> io::Result<bool> {
    let keyspaces = dir.join("keyspaces");
    Ok(keyspaces.exists() && fs::read_dir(&keyspaces)?.next().is_some())
}

pub(super) fn path_of(dir: &Path, id: u64) -> PathBuf {
    dir.join(format!("{id}.jnl"))
}

pub(super) fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(id) = name.strip_suffix(".jnl").and_then(|id| id.parse().ok()) {
            journals.push((id, path));
        }
    }
    journals.sort_unstable();
    Ok(journals)
}
