//! What is on a disk: as the system shows it, and as a cut of the power would leave it.

mod node;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use self::node::Node;
use crate::dice::Dice;
use crate::life::Life;

/// What may go wrong with a disk, besides that it is cut off.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Troubles {
    /// No file can grow: the disk is full.
    pub(crate) full: bool,
    /// It says so before it is tried.
    pub(crate) full_is_seen: bool,
    /// One in so many reads fails; 0 is none.
    pub(crate) failing_reads: u64,
    /// One in so many syncs fails; 0 is none.
    pub(crate) failing_syncs: u64,
    /// Milliseconds that a write may be held up.
    pub(crate) slow_ms: u64,
}

/// A disk, for all lives of the process that uses it.
#[derive(Debug)]
pub(crate) struct Platter {
    pub(crate) dice: Dice,
    pub(crate) troubles: Troubles,
    directories: BTreeMap<PathBuf, Directory>,
    nodes: BTreeMap<u64, Node>,
    locks: BTreeMap<PathBuf, Weak<Life>>,
}

#[derive(Debug, Default)]
struct Directory {
    names: BTreeMap<OsString, Entry>,
    /// What survives a cut of the power for sure.
    synced: BTreeMap<OsString, Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    File(u64),
    Directory,
}

impl Platter {
    /// An empty disk.
    pub(crate) fn new(dice: Dice) -> Self {
        let directories = BTreeMap::from([(PathBuf::from("/"), Directory::default())]);
        Self {
            dice,
            troubles: Troubles::default(),
            directories,
            nodes: BTreeMap::new(),
            locks: BTreeMap::new(),
        }
    }

    pub(crate) fn exists(&self, path: &Path) -> bool {
        self.directories.contains_key(path) || self.file(path).is_ok()
    }

    pub(crate) fn list(&self, path: &Path) -> Result<Vec<OsString>> {
        let directory = self.directories.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(directory.names.keys().cloned().collect())
    }

    /// The number of a file.
    pub(crate) fn file(&self, path: &Path) -> Result<u64> {
        match self.parent(path)?.names.get(name(path)?) {
            Some(Entry::File(id)) => Ok(*id),
            Some(Entry::Directory) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    /// The number of a file that is made if it is not there.
    pub(crate) fn file_or_new(&mut self, path: &Path) -> Result<u64> {
        match self.file(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let id = self.nodes.last_key_value().map_or(0, |(id, _)| id + 1);
                self.put(path, Entry::File(id))?;
                self.nodes.insert(id, Node::default());
                Ok(id)
            }
            found => found,
        }
    }

    pub(crate) fn node(&mut self, id: u64) -> &mut Node {
        self.nodes.entry(id).or_default()
    }

    pub(crate) fn create_directory(&mut self, path: &Path) -> Result<()> {
        if self.exists(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.put(path, Entry::Directory)?;
        self.directories.insert(path.to_owned(), Directory::default());
        Ok(())
    }

    pub(crate) fn sync_directory(&mut self, path: &Path) -> Result<()> {
        let directory = self.directories.get_mut(path).ok_or(ErrorKind::NotFound)?;
        directory.synced = directory.names.clone();
        Ok(())
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        let id = self.file(from)?;
        self.put(to, Entry::File(id))?;
        self.remove(from)
    }

    pub(crate) fn remove(&mut self, path: &Path) -> Result<()> {
        self.file(path)?;
        let name = name(path)?.to_owned();
        self.parent_mut(path)?.names.remove(&name);
        Ok(())
    }

    /// Whether the file is now held by this life; another that has ended holds nothing.
    pub(crate) fn lock(&mut self, path: &Path, life: &Arc<Life>) -> bool {
        let holder = self.locks.get(path).and_then(Weak::upgrade);
        let free = holder.is_none_or(|holder| holder.is_over());
        if free {
            self.locks.insert(path.to_owned(), Arc::downgrade(life));
        }
        free
    }

    pub(crate) fn unlock(&mut self, path: &Path) {
        self.locks.remove(path);
    }

    /// The process has ended, and the system lives on: all that it was given is there, but what a failed sync dropped.
    pub(crate) fn settle(&mut self) {
        for node in self.nodes.values_mut() {
            node.settle();
        }
    }

    /// The power is cut. What was not synced is there in part, in any order, or not at all.
    pub(crate) fn cut(&mut self) {
        // Some cuts lose everything, some nearly nothing; most are in between.
        let kept_of_8 = [0, 1, 4, 7, 8][self.dice.below(5) as usize];
        let dice = &mut self.dice;
        for node in self.nodes.values_mut() {
            node.cut(dice, kept_of_8);
        }
        let mut gone = Vec::new();
        for (path, directory) in &mut self.directories {
            let mut names: Vec<_> = directory.names.keys().chain(directory.synced.keys()).cloned().collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let (now, synced) = (directory.names.get(&name), directory.synced.get(&name));
                if now != synced && dice.below(8) >= kept_of_8 {
                    match synced.copied() {
                        Some(entry) => drop(directory.names.insert(name, entry)),
                        None => {
                            if directory.names.remove(&name) == Some(Entry::Directory) {
                                gone.push(path.join(name));
                            }
                        }
                    }
                }
            }
            directory.synced = directory.names.clone();
        }
        self.directories.retain(|path, _| !gone.iter().any(|gone| path.starts_with(gone)));
        self.locks.clear();
    }

    /// Flips one bit of a file whose name ends so and that is not the last of its directory, and says where; `None` if there
    /// is none.
    pub(crate) fn flip_sealed(&mut self, suffix: &str) -> Option<String> {
        let mut files = Vec::new();
        for (path, directory) in &self.directories {
            let ends_so = |(name, _): &(&OsString, &Entry)| name.to_string_lossy().ends_with(suffix);
            let mut own: Vec<_> = directory.names.iter().filter(ends_so).collect();
            own.pop();
            files.extend(own.into_iter().map(|(name, entry)| (path.join(name), *entry)));
        }
        let (path, entry) = files.get(self.dice.below(files.len() as u64) as usize)?.clone();
        let Entry::File(id) = entry else { return None };
        let bit = self.nodes.get_mut(&id)?.flip(&mut self.dice)?;
        Some(format!("bit {bit} of {}", path.display()))
    }

    fn put(&mut self, path: &Path, entry: Entry) -> Result<()> {
        let name = name(path)?.to_owned();
        self.parent_mut(path)?.names.insert(name, entry);
        Ok(())
    }

    fn parent(&self, path: &Path) -> Result<&Directory> {
        let parent = path.parent().and_then(|parent| self.directories.get(parent));
        parent.ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn parent_mut(&mut self, path: &Path) -> Result<&mut Directory> {
        let parent = path.parent().and_then(|parent| self.directories.get_mut(parent));
        parent.ok_or_else(|| ErrorKind::NotFound.into())
    }
}

fn name(path: &Path) -> Result<&std::ffi::OsStr> {
    path.file_name().ok_or_else(|| Error::other(format!("{} has no name", path.display())))
}
