//! The queue directory: hits that are not acknowledged, in files that survive `kill -9`.
//!
//! Hits are appended before they are sent, without a flush to the disk for each: the operating system has them, so they
//! survive the end of the process, but not a loss of power. After such a loss the files may lack seqs that were already
//! sent; so that none of them is ever given to another hit, new hits get a new epoch whenever the machine was started
//! again, or a file is damaged.

mod record;
mod segment;
mod state;

use std::collections::VecDeque;
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::disk::{Disk as Device, Lock};
use segment::{Record, Segment, Tail};
use state::State;

use crate::core::Pos;
use crate::core::client::{Journal, Profile};
use crate::core::queue::Entry;
use crate::error::BuildError;

/// A file is full at this size, and goes when all its hits are settled: the directory has at most the bytes of the queue
/// and about one more file.
const SEGMENT_BYTES: u64 = 1 << 20;

/// The queue directory, locked for this client.
#[derive(Debug)]
pub(crate) struct Disk {
    device: Arc<dyn Device>,
    directory: PathBuf,
    state: State,
    sealed: VecDeque<Segment>,
    tail: Tail,
    number: u64,
    /// Holds the lock for as long as it is open.
    _lock: Box<dyn Lock>,
}

/// What an earlier run left behind.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The client.
    pub(crate) client_id: String,
    /// Who hits are from.
    pub(crate) profile: Profile,
    /// The next hit gets this.
    pub(crate) next: Pos,
    /// The server knows what became of everything up to here.
    pub(crate) told: Pos,
    /// Hits that are not acknowledged, in order.
    pub(crate) hits: Vec<Entry>,
}

/// What opening depends on beside the directory.
pub(crate) struct Identity<'a> {
    /// The client that is asked for; else the one of the directory, or a new one.
    pub(crate) client_id: Option<&'a str>,
    /// This start of the machine, if it is known.
    pub(crate) boot_id: Option<&'a str>,
    /// Makes a client id.
    pub(crate) new_id: &'a (dyn Fn() -> String + Sync),
    /// Makes an epoch larger than another.
    pub(crate) new_epoch: &'a (dyn Fn(u64) -> u64 + Sync),
}

impl Disk {
    /// Opens the directory, making it if it is not there.
    pub(crate) fn open(
        device: Arc<dyn Device>,
        directory: &Path,
        identity: &Identity<'_>,
    ) -> std::result::Result<(Self, Recovered), BuildError> {
        let failed = |source| BuildError::QueueDir { path: directory.to_owned(), source };
        ::disk::make_directory(&*device, directory).map_err(failed)?;
        let lock = device.lock(&directory.join("lock")).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => BuildError::QueueInUse { path: directory.to_owned() },
            _ => failed(error),
        })?;
        let known = State::read(&*device, directory).map_err(failed)?;
        if let (Some(State { client_id: stored, .. }), Some(asked)) = (&known, identity.client_id)
            && stored != asked
        {
            let (stored, asked, path) = (stored.clone(), asked.to_owned(), directory.to_owned());
            return Err(BuildError::OtherClient { path, stored, asked });
        }
        recover(device, directory, known, identity, lock).map_err(failed)
    }

    /// Whether writing to it takes time.
    pub(crate) fn waits(&self) -> bool {
        self.device.waits()
    }

    /// Writes down what the queue did. If it fails, the same journal, or one with more in it, may be given again.
    pub(crate) fn apply(&mut self, journal: &Journal) -> Result<()> {
        if self.state.profile() != *journal.profile {
            let state = self.state.with(&journal.profile);
            state.write(&*self.device, &self.directory)?;
            self.state = state;
        }
        if journal.wipe {
            self.roll(journal.told, journal.next)?;
            // The wiped hits must be gone, and not only be forgotten.
            self.delete_while(|_| true)?;
        } else if self.tail.len() >= SEGMENT_BYTES {
            self.roll(journal.told, journal.next)?;
        }
        let told = Record::told(journal.told, journal.next);
        let records: Vec<Record> = journal.hits.iter().map(Record::hit).chain([told]).collect();
        self.tail.append(&records)?;
        self.delete_while(|segment| journal.front.is_none_or(|front| segment.last < front))
    }

    /// Deletes the oldest sealed files for as long as `gone` says so.
    fn delete_while(&mut self, gone: impl Fn(&Segment) -> bool) -> Result<()> {
        while let Some(segment) = self.sealed.front().filter(|segment| gone(segment)) {
            segment.delete(&*self.device)?;
            self.sealed.pop_front();
        }
        Ok(())
    }

    /// Goes on in a new file.
    fn roll(&mut self, told: Pos, next: Pos) -> Result<()> {
        let mut tail = Tail::create(&*self.device, Segment::new(&self.directory, self.number + 1))?;
        tail.append(&[Record::told(told, next)])?;
        self.number += 1;
        self.sealed.push_back(std::mem::replace(&mut self.tail, tail).segment);
        Ok(())
    }
}

/// Reads the files of the directory, and starts a new one.
fn recover(
    device: Arc<dyn Device>,
    directory: &Path,
    known: Option<State>,
    identity: &Identity<'_>,
    lock: Box<dyn Lock>,
) -> Result<(Disk, Recovered)> {
    let mut files = Files::default();
    for number in Segment::numbers(&*device, directory)? {
        files.read(&*device, Segment::new(directory, number), number)?;
    }
    let known = known.unwrap_or_default();
    let same_boot = identity.boot_id.is_some_and(|boot| boot == known.boot_id);
    let fresh = known.client_id.is_empty() || !same_boot || files.damaged;
    let mut state = known;
    if fresh {
        state.epoch = (identity.new_epoch)(state.epoch.max(files.next.epoch));
        state.boot_id = identity.boot_id.unwrap_or_default().to_owned();
        if state.client_id.is_empty() {
            state.client_id = identity.client_id.map_or_else(identity.new_id, str::to_owned);
        }
        // Before any hit of the epoch is sent, so that none of them is ever given away again.
        state.write(&*device, directory)?;
    }
    let next = files.next.max(Pos { epoch: state.epoch, seq: 1 });
    let number = files.number + 1;
    let mut tail = Tail::create(&*device, Segment::new(directory, number))?;
    tail.append(&[Record::told(files.told, next)])?;
    let recovered = Recovered {
        client_id: state.client_id.clone(),
        profile: state.profile(),
        next,
        told: files.told,
        hits: files.hits.into_iter().filter(|entry| entry.at > files.told).collect(),
    };
    let directory = directory.to_owned();
    Ok((Disk { device, directory, state, sealed: files.segments, tail, number, _lock: lock }, recovered))
}

/// What the files say together.
#[derive(Default)]
struct Files {
    segments: VecDeque<Segment>,
    number: u64,
    hits: Vec<Entry>,
    told: Pos,
    next: Pos,
    damaged: bool,
}

impl Files {
    fn read(&mut self, device: &dyn Device, mut segment: Segment, number: u64) -> Result<()> {
        let (records, damaged) = segment.read(device)?;
        self.damaged |= damaged;
        for record in records {
            let at = record.at();
            if !record.is_hit() {
                self.told = self.told.max(at);
                self.next = self.next.max(Pos { epoch: record.next_epoch, seq: record.next_seq });
            } else {
                self.next = self.next.max(Pos { epoch: at.epoch, seq: at.seq.saturating_add(1) });
                // A journal that failed half way may have been written twice.
                if self.hits.last().is_none_or(|last| last.at < at) {
                    let since = Duration::ZERO;
                    self.hits.push(Entry { at, time_ms: record.time_ms, since, hit: record.hit });
                }
            }
        }
        self.segments.push_back(segment);
        self.number = number;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
