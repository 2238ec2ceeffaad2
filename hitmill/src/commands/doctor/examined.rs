use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use eventlog::embedded::doctor as logs;
use indicatif::{DecimalBytes, HumanCount};
use keyspace::fault;
use model::{Partition, Timestamp};
use serde::Serialize;
use store::embedded::doctor as stores;

use super::Places;
/// What is there, and what is wrong with it.
#[derive(Serialize)]
pub(super) struct Examined {
    pub(super) log: Option<Log>,
    pub(super) store: Option<Store>,
    pub(super) findings: Vec<Finding>,
    /// The log, held so that nobody uses it meanwhile.
    #[serde(skip)]
    pub(super) held: Option<logs::Examined>,
}

#[derive(Serialize)]
pub(super) struct Log {
    partitions: usize,
    segments: usize,
    bytes: u64,
    records: u64,
}

#[derive(Serialize)]
pub(super) struct Store {
    /// Not if its journals are damaged.
    opened: bool,
    values: u64,
    bytes: u64,
}

#[derive(Serialize)]
pub(super) struct Finding {
    part: &'static str,
    place: String,
    what: String,
    lost: String,
    /// When what is lost was appended to the log, as far as is known.
    appended: Option<String>,
    pub(super) damage: bool,
}

/// How far each partition is folded, by what the store says.
pub(super) type Folded = BTreeMap<Partition, u64>;

pub(super) fn examine(places: &Places) -> anyhow::Result<Examined> {
    let mut examined = Examined { log: None, store: None, findings: Vec::new(), held: None };
    let mut folded = Folded::new();
    if let Some(path) = &places.store {
        let (store, all) = look_at_store(path)?;
        folded = all;
        let opened = store.findings.iter().all(|finding| finding.loss != stores::Loss::Commits);
        examined.store = Some(Store { opened, values: store.values, bytes: store.bytes });
        examined.findings.extend(store.findings.into_iter().map(Finding::of_store));
    }
    if let Some(path) = &places.log {
        let log = logs::examine(path, &fault::of_record)?;
        examined.findings.extend(log.findings.iter().map(|found| Finding::of_log(found, &folded)));
        if examined.store.as_ref().is_some_and(|store| store.opened) {
            examined
                .findings
                .extend(log.partitions.iter().filter_map(|extent| Finding::apart(extent, &folded)));
        }
        examined.log = Some(Log::of(&log.partitions));
        examined.held = Some(log);
    }
    Ok(examined)
}

/// Looks at the store, and gives how far it says that each partition is folded.
pub(super) fn look_at_store(path: &Path) -> anyhow::Result<(stores::Examined, Folded)> {
    let folded = RefCell::new(Folded::new());
    let judge = |key: &[u8], value: &[u8]| {
        if let Some((partition, before)) = fault::folded_before(key, value) {
            let mut folded = folded.borrow_mut();
            let so_far = folded.entry(partition).or_default();
            *so_far = before.max(*so_far);
        }
        fault::of_value(key, value)
    };
    let examined = stores::examine(path, &judge)?;
    Ok((examined, folded.into_inner()))
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
        if let Some(Store { opened, values, bytes }) = &self.store {
            if !opened {
                return lines + "store: not opened, since its journal is damaged\n";
            }
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

impl Finding {
    fn of_log(found: &logs::Finding, folded: &Folded) -> Self {
        let partition = found.partition;
        let folded = folded.get(&partition).copied().unwrap_or_default();
        let known = |end: u64| match end <= folded {
            true => ", counted already: only a fold of the log from its start would lose it",
            false => "",
        };
        let lost = match &found.loss {
            logs::Loss::TornTail => "nothing: it was never acknowledged".to_owned(),
            logs::Loss::Meta => "nothing: it is found again".to_owned(),
            logs::Loss::Records(records) if records.is_empty() => "nothing: it is written anew".to_owned(),
            logs::Loss::Records(records) => {
                let which = match records.end - records.start {
                    1 => format!("record {}", records.start),
                    _ => format!("records {} to {}", records.start, records.end - 1),
                };
                format!("{which} of partition {partition}{}", known(records.end))
            }
            logs::Loss::From(first) => {
                format!(
                    "all records of partition {partition} from {first} on; how many there were is not known"
                )
            }
            logs::Loss::Before(first) => {
                format!("all records of partition {partition} before {first}{}", known(*first))
            }
        };
        let lossy = match &found.loss {
            logs::Loss::TornTail | logs::Loss::Meta => false,
            logs::Loss::Records(records) => !records.is_empty(),
            logs::Loss::From(_) | logs::Loss::Before(_) => true,
        };
        Self {
            part: "log",
            place: format!("{} at offset {}", found.file.display(), found.offset),
            what: found.what.clone(),
            lost,
            appended: lossy.then(|| between(found.appended)).flatten(),
            damage: found.loss != logs::Loss::TornTail,
        }
    }

    /// A log that does not go on where the store stands: one that ends before that, where new records would be taken for folded
    /// ones, or one that begins after it.
    fn apart(extent: &logs::Extent, folded: &Folded) -> Option<Self> {
        let (partition, records) = (extent.partition, &extent.records);
        let folded = folded.get(&partition).copied().unwrap_or_default();
        let (what, lost) = if folded > records.end {
            let what =
                format!("it ends before record {}, and is folded up to before record {folded}", records.end);
            (what, "nothing that was counted; new hits are not counted until it is repaired")
        } else if folded < records.start {
            let what = format!(
                "it begins with record {}, and is folded up to before record {folded}",
                records.start
            );
            (what, "what lies between; all that is there is folded again")
        } else {
            return None;
        };
        Some(Self {
            part: "log",
            place: format!("partition {partition}"),
            what,
            lost: lost.to_owned(),
            appended: None,
            damage: true,
        })
    }

    fn of_store(found: stores::Finding) -> Self {
        let lost = match found.loss {
            stores::Loss::TornTail => "nothing: it was never synced",
            stores::Loss::Commits => {
                "what was committed from there on: numbers are folded again, changes of the configuration are lost"
            }
            stores::Loss::Values => "the numbers, which are folded again from the log",
        };
        Self {
            part: "store",
            place: found.place,
            what: found.what,
            lost: lost.to_owned(),
            appended: None,
            damage: found.loss != stores::Loss::TornTail,
        }
    }
}

fn between(appended: (Option<Timestamp>, Option<Timestamp>)) -> Option<String> {
    match appended {
        (Some(from), Some(to)) => Some(format!("{from} to {to}")),
        (Some(from), None) => Some(format!("{from} or later")),
        (None, Some(to)) => Some(format!("{to} or before")),
        (None, None) => None,
    }
}
