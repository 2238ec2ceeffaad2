use std::cell::{Cell, RefCell};
use std::fmt::Write as _;

use eventlog::embedded::doctor as logs;
use indicatif::{DecimalBytes, HumanCount};
use keyspace::fault::{self, Fault};
use serde::Serialize;
use store::embedded::doctor as stores;

use super::Places;
use super::finding::Finding;
use super::folded::Folded;

/// What is there, and what is wrong with it.
#[derive(Serialize)]
pub(super) struct Examined {
    log: Option<Log>,
    store: Option<Store>,
    pub(super) findings: Vec<Finding>,
    /// How much of it a later version wrote.
    pub(super) later: u64,
    /// Held so that nobody uses it meanwhile.
    #[serde(skip)]
    pub(super) held: Held,
}

#[derive(Default)]
pub(super) struct Held {
    pub(super) log: Option<logs::Examined>,
    pub(super) store: Option<stores::Examined>,
    pub(super) folded: Folded,
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
    let later = Cell::new(0);
    let told = |fault: Fault| match fault {
        Fault::Damaged(what) => what,
        Fault::Later(what) => {
            later.set(later.get() + 1);
            format!("{what}: a later version of hitmill wrote it")
        }
    };
    let (folded, mut held) = (RefCell::new(Folded::default()), Held::default());
    if let Some(path) = &places.store {
        let judge = |key: &[u8], value: &[u8]| {
            folded.borrow_mut().note(key, value);
            fault::of_value(key, value).map(told)
        };
        held.store = Some(stores::examine(path, &judge)?);
    }
    held.folded = folded.into_inner();
    if let Some(path) = &places.log {
        let at_least = places.partitions.max(held.folded.partitions());
        held.log = Some(logs::examine(path, at_least, &|record| fault::of_record(record).map(told))?);
    }
    Ok(Examined {
        log: held.log.as_ref().map(|log| Log::of(&log.partitions)),
        store: held.store.as_ref().map(Store::of),
        findings: held.findings(),
        later: later.get(),
        held,
    })
}

impl Held {
    fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let history = self.numbers_without_hits();
        if let Some(store) = &self.store {
            findings.extend(store.findings.iter().map(|found| Finding::of_store(found, history.as_deref())));
        }
        let Some(log) = &self.log else { return findings };
        findings.extend(log.findings.iter().map(|found| Finding::of_log(found, &self.folded)));
        let apart = |extent| Finding::apart(extent, &self.folded, history.as_deref());
        findings.extend(log.partitions.iter().filter_map(apart));
        findings
    }

    /// Numbers that a fold of the log from its start would not give again, if there are any: retention has deleted the hits.
    pub(super) fn numbers_without_hits(&self) -> Option<String> {
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
