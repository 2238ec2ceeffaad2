use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use anyhow::Context as _;
use eventlog::embedded::doctor as logs;
use host::platform::{Installation, Says};
use indicatif::{DecimalBytes, HumanCount};
use keyspace::config;
use keyspace::fault::{self, Fault};
use serde::Serialize;
use store::embedded::doctor as stores;

use super::finding::Finding;
use super::folded::Folded;
use super::repair::Done;
use super::seen::Seen;
use super::{Agreed, Places};

/// What is there, and what is wrong with it.
#[derive(Serialize)]
pub(super) struct Examined {
    log: Option<Log>,
    store: Option<Store>,
    pub(super) findings: Vec<Finding>,
    /// How much of it a later version wrote.
    pub(super) later: u64,
    /// What a repair has to be agreed to.
    pub(super) needs: Vec<&'static str>,
    /// What a repair did, if one was asked for and done.
    pub(super) repaired: Option<Done>,
    /// Held so that nobody uses it meanwhile.
    #[serde(skip)]
    pub(super) held: Option<Held>,
}

pub(super) struct Held {
    pub(super) log: Option<logs::Examined>,
    pub(super) store: Option<stores::Examined>,
    pub(super) folded: Folded,
    pub(super) seen: Seen,
    pub(super) says: Says,
    /// Whether there should be a log on this machine, and is none.
    pub(super) log_is_missing: bool,
    /// Of which installation the log is, if that is known.
    pub(super) log_of: Option<Installation>,
}

#[derive(Serialize)]
struct Log {
    partitions: usize,
    segments: usize,
    bytes: u64,
    records: u64,
}

#[derive(Serialize)]
struct Store {
    values: u64,
    bytes: u64,
}

pub(super) fn examine(places: &Places) -> anyhow::Result<Examined> {
    let says = Says::of(&places.data).with_context(|| format!("look at {}", places.data.display()))?;
    let later = Cell::new(0);
    let told = |fault: Fault| match fault {
        Fault::Damaged(what) => what,
        Fault::Later(what) => {
            later.set(later.get() + 1);
            format!("{what}: a later version of hitmill wrote it")
        }
    };
    let (folded, seen) = (RefCell::new(Folded::default()), RefCell::new(Seen::default()));
    let there = |place: &Option<PathBuf>| place.clone().filter(|place| place.is_dir());
    let mut store = None;
    if let Some(path) = there(&places.store) {
        let judge = |key: &[u8], value: &[u8]| {
            folded.borrow_mut().note(key, value);
            seen.borrow_mut().note_value(key, value);
            fault::of_value(key, value).map(told)
        };
        store = Some(stores::examine(&path, &judge, &config::FAMILIES)?);
    }
    let folded = folded.into_inner();
    let mut log = None;
    if let Some(path) = there(&places.log) {
        let judge = |record: &[u8]| {
            seen.borrow_mut().note_record(record);
            fault::of_record(record).map(told)
        };
        log = Some(logs::examine(&path, places.partitions.max(folded.partitions()), &judge)?);
        // A folder without anything in it is a log that is gone, if something of it was folded.
        log = log.filter(|log| !log.partitions.is_empty() || folded.partitions() == 0);
    }
    if let Says::Other(_) = says {
        later.set(later.get() + 1);
    }
    let log_is_missing = places.log.is_some() && log.is_none();
    let log_of = places.log.as_deref().map(Installation::of).transpose().context("look whose the log is")?;
    let seen = seen.into_inner();
    let held = Held { log, store, folded, seen, says, log_is_missing, log_of: log_of.flatten() };
    let findings = held.findings(places);
    Ok(Examined {
        log: held.log.as_ref().map(|log| Log::of(&log.partitions)),
        store: held.store.as_ref().map(Store::of),
        needs: Agreed::needed(&findings),
        findings,
        later: later.get(),
        repaired: None,
        held: Some(held),
    })
}

impl Held {
    fn findings(&self, places: &Places) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(Finding::of_directory(&places.data, &self.says));
        let history = self.numbers_without_hits();
        if let Some(store) = &self.store {
            let of_store =
                |found| Finding::of_store(found, store.kept, history.as_deref(), self.log_is_missing);
            findings.extend(store.findings.iter().map(of_store));
        }
        if let Some(path) = &places.store
            && self.store_is_unused()
        {
            findings.push(Finding::of_unused_store(path, self.store.is_some()));
        }
        if let Some(path) = places.log.as_ref().filter(|_| self.log.is_none()) {
            findings.push(Finding::of_missing_log(path, &self.folded));
        }
        if let (Some(path), None, Some(newer)) = (&places.store, self.strangers(), self.newer()) {
            findings.push(Finding::of_old_store(path, &newer));
        }
        if let (Some(path), Some((of_log, of_store))) = (&places.log, self.strangers()) {
            findings.push(Finding::of_strangers(path, of_log, of_store));
        }
        let Some(log) = &self.log else { return findings };
        findings.extend(log.findings.iter().map(|found| Finding::of_log(found, &self.folded)));
        let apart = |extent| Finding::apart(extent, &self.folded, history.as_deref());
        findings.extend(log.partitions.iter().filter_map(apart));
        findings
    }

    /// Whether the store has nothing, or is missing, and the log has records: it is not the one that they were folded into.
    pub(super) fn store_is_unused(&self) -> bool {
        let damaged = |store: &stores::Examined| store.findings.iter().any(|found| found.loss.is_damage());
        let mut extents = self.log.iter().flat_map(|log| &log.partitions);
        self.seen.installation.is_none()
            && !self.store.as_ref().is_some_and(damaged)
            && extents.any(|extent| extent.records.end > 0)
    }

    /// The installations that the log and the store are of, if they are not of the same.
    pub(super) fn strangers(&self) -> Option<(&str, &str)> {
        let (of_log, of_store) = (&*self.log_of.as_ref()?.id, self.seen.installation.as_deref()?);
        let mut extents = self.log.iter().flat_map(|log| &log.partitions);
        (of_log != of_store && extents.any(|extent| extent.records.end > 0)).then_some((of_log, of_store))
    }

    /// Versions of the configuration that the store does not have, and no damage is why: it is an old copy.
    pub(super) fn newer(&self) -> Option<RangeInclusive<u64>> {
        let damaged = |store: &stores::Examined| store.findings.iter().any(|found| found.loss.is_damage());
        let noted = self.log_of.as_ref()?.version;
        let old = self.seen.installation.is_some() && !self.store.as_ref().is_some_and(damaged);
        (old && noted > self.seen.version).then_some(self.seen.version + 1..=noted)
    }

    /// Numbers that a fold of the log from its start would not give again, if there are any: retention has deleted the hits.
    pub(super) fn numbers_without_hits(&self) -> Option<String> {
        if self.log_is_missing {
            return Some("all numbers, the hits of which are gone with the log".to_owned());
        }
        let trimmed =
            self.log.iter().flat_map(|log| &log.partitions).filter(|extent| extent.records.start > 0);
        let since = trimmed.map(|extent| extent.since).max()?;
        Some(match since {
            Some(since) => {
                format!("the numbers from before {since}, the hits of which the log no longer has")
            }
            None => "the numbers of hits that the log no longer has".to_owned(),
        })
    }
}

impl Examined {
    /// What was looked at, a line for each.
    pub(super) fn summary(&self) -> String {
        let mut lines = String::new();
        if let Some(Log { partitions, segments, bytes, records }) = &self.log {
            let _ = writeln!(
                lines,
                "log: {} records in {segments} segments of {partitions} partitions, {}",
                HumanCount(*records),
                DecimalBytes(*bytes)
            );
        }
        if let Some(Store { values, bytes }) = &self.store {
            let _ = writeln!(lines, "store: {} values, {}", HumanCount(*values), DecimalBytes(*bytes));
        }
        lines
    }
}

impl Log {
    fn of(extents: &[logs::Extent]) -> Self {
        Self {
            partitions: extents.len(),
            segments: extents.iter().map(|extent| extent.segments).sum(),
            bytes: extents.iter().map(|extent| extent.bytes).sum(),
            records: extents.iter().map(|extent| extent.records.end - extent.records.start).sum(),
        }
    }
}

impl Store {
    fn of(store: &stores::Examined) -> Self {
        Self { values: store.values, bytes: store.bytes }
    }
}
