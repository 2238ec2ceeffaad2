use std::ops::RangeInclusive;
use std::path::Path;

use eventlog::embedded::doctor as logs;
use host::platform::{FORMAT_FILE, Says};
use model::{Partition, Timestamp};
use serde::Serialize;
use store::embedded::doctor as stores;

use super::counted::{counted, numbered};
use super::folded::Folded;

/// Something that does not fit, as it is shown.
#[derive(Serialize)]
pub(super) struct Finding {
    part: &'static str,
    place: String,
    what: String,
    lost: String,
    /// When what is lost was appended to the log, as far as is known.
    pub(super) appended: Option<String>,
    pub(super) damage: bool,
    /// What a repair of it has to be agreed to, if to anything.
    needs: Option<&'static str>,
}

/// What to do about a log and a store that are not of each other: no repair helps.
pub(super) const PUT_BACK: &str =
    "the log and the store are not of the same installation: put back the one that belongs to the other";
/// Merchants, keys or data streams would be lost.
pub(super) const LOSE_MERCHANTS: &str = "--lose-merchants";
/// Numbers would be lost that the log does not have the hits of any more.
pub(super) const LOSE_NUMBERS: &str = "--lose-numbers";

impl Finding {
    pub(super) fn of_log(found: &logs::Finding, folded: &Folded) -> Self {
        let partition = found.partition;
        let (lost, lossy) = match &found.loss {
            logs::Loss::TornTail => ("nothing: it was never acknowledged".to_owned(), false),
            logs::Loss::Meta => ("nothing: it is found again".to_owned(), false),
            logs::Loss::Records(records) if records.is_empty() => {
                ("nothing: it is written anew".to_owned(), false)
            }
            logs::Loss::Records(records) => {
                let which = format!("{} of partition {partition}", numbered(records));
                (which + &counted(records.clone(), folded, partition), true)
            }
            logs::Loss::From(first) => {
                let before = folded.before(partition);
                let known = match before > *first {
                    true => format!(
                        "; those before {before} were folded{}",
                        counted(*first..before, folded, partition)
                    ),
                    false => String::new(),
                };
                (
                    format!(
                        "records of partition {partition} from {first} on: how many there were is not known{known}"
                    ),
                    true,
                )
            }
            logs::Loss::Before(first) => {
                let which = format!("records of partition {partition} before {first}");
                (which + &counted(0..*first, folded, partition), true)
            }
        };
        Self {
            part: "log",
            place: format!("{} at offset {}", found.file.display(), found.offset),
            what: found.what.clone(),
            lost,
            appended: lossy.then(|| between(found.appended)).flatten(),
            damage: found.loss != logs::Loss::TornTail,
            needs: None,
        }
    }

    /// A log that does not go on where the store stands: one that ends before that, where new records would be taken for folded
    /// ones, or one that begins after it.
    pub(super) fn apart(extent: &logs::Extent, folded: &Folded, history: Option<&str>) -> Option<Self> {
        let (partition, records) = (extent.partition, &extent.records);
        let before = folded.before(partition);
        let (what, lost, needs) = if before > records.end {
            let what =
                format!("it ends before record {}, and is folded up to before record {before}", records.end);
            let mut lost =
                "nothing that was counted; new hits are not counted until it is repaired".to_owned();
            let part = records.end.max(folded.read_from(partition).unwrap_or_default())..before;
            if !part.is_empty() {
                lost += &format!("; what of {} is sent again may count twice", numbered(&part));
            }
            (what, lost, None)
        } else {
            let read_from = folded.read_from(partition).filter(|&read_from| read_from < records.start)?;
            let what = format!(
                "it begins with record {}, and is folded up to before record {read_from}",
                records.start
            );
            let needs = history.map(|_| LOSE_NUMBERS);
            let history = history.unwrap_or("what lies between");
            (what, format!("{history}; all that is there is folded again"), needs)
        };
        Some(Self { needs, ..Self::new("log", format!("partition {partition}"), what, lost) })
    }

    /// `history` says of which numbers the log does not have the hits any more; the merchants and keys are there or not.
    pub(super) fn of_store(
        found: &stores::Finding,
        kept: bool,
        history: Option<&str>,
        log_is_missing: bool,
    ) -> Self {
        let (numbers, of_numbers) = match log_is_missing {
            true => (
                "numbers that were counted from there on: the log, which has the hits, is missing",
                Some(LOSE_NUMBERS),
            ),
            false => ("nothing: all numbers from there on are folded again from the log", None),
        };
        let (lost, needs) = match (found.loss, history) {
            (stores::Loss::TornTail, _) => ("nothing: it was never synced".to_owned(), None),
            (stores::Loss::Nothing, _) => ("nothing: it is written anew".to_owned(), None),
            (stores::Loss::Commits, _) => (numbers.to_owned(), of_numbers),
            (stores::Loss::Kept, _) => {
                let rest = if log_is_missing { numbers } else { "numbers are folded again from the log" };
                let lost = "what was changed there of merchants, keys and data streams, which cannot be read";
                (format!("{lost}; {rest}"), Some(LOSE_MERCHANTS))
            }
            (stores::Loss::Values, _) if !kept => {
                ("all merchants, keys and data streams: they cannot be read".to_owned(), Some(LOSE_MERCHANTS))
            }
            (stores::Loss::Values, None) => {
                ("nothing: all numbers are folded again from the log".to_owned(), None)
            }
            (stores::Loss::Values, Some(history)) => {
                (format!("{history}; all others are folded again from the log"), Some(LOSE_NUMBERS))
            }
        };
        let damage = found.loss.is_damage();
        Self { damage, needs, ..Self::new("store", found.place.clone(), found.what.clone(), lost) }
    }

    /// A store that is not the one of the log beside it: it has nothing, or is missing.
    pub(super) fn of_unused_store(path: &Path, there: bool) -> Self {
        let what = if there { "it was never used, and the log has records" } else { "it is missing" };
        let lost =
            "all merchants, keys and data streams; the log is folded again, for merchants that nobody knows";
        let found = Self::new("store", path.display().to_string(), what.to_owned(), lost.to_owned());
        Self { needs: Some(LOSE_MERCHANTS), ..found }
    }

    /// A store from before some changes of the configuration.
    pub(super) fn of_old_store(path: &Path, newer: &RangeInclusive<u64>) -> Self {
        let (first, last) = (newer.start(), newer.end());
        let what = format!(
            "it is an old copy: its configuration is of version {}, and was of version {last}",
            first.saturating_sub(1)
        );
        let lost = format!(
            "what changes {first} to {last} did to merchants, keys and data streams; numbers are folded again from the log"
        );
        let found = Self::new("store", path.display().to_string(), what, lost);
        Self { needs: Some(LOSE_MERCHANTS), ..found }
    }

    /// A log beside the store of another installation.
    pub(super) fn of_strangers(path: &Path, of_log: &str, of_store: &str) -> Self {
        let what = format!("it is of installation {of_log}, and the store is of {of_store}");
        let lost = "nothing yet: its hits would become numbers of others";
        Self::new("log", path.display().to_string(), what, lost.to_owned())
    }

    pub(super) fn of_missing_log(path: &Path, folded: &Folded) -> Self {
        let twice = (0..folded.partitions())
            .map(Partition)
            .any(|partition| folded.read_from(partition).unwrap_or_default() < folded.before(partition));
        let twice = if twice { "; what was counted last may count twice if it is sent again" } else { "" };
        let lost = format!(
            "the hits that were not counted yet, and those of all hours for a fold from the log's start; what is counted \
             stays{twice}"
        );
        Self::new("log", path.display().to_string(), "it is missing".to_owned(), lost)
    }

    /// What the directory says that it is.
    pub(super) fn of_directory(data: &Path, says: &Says) -> Option<Self> {
        let what = match says {
            Says::Ours => return None,
            Says::Other(said) => format!("it says {said:?}: a later version of hitmill wrote it"),
            Says::Nonsense(said) => format!("it says {said:?}, which no version of hitmill wrote"),
            Says::Nothing => "it is missing".to_owned(),
        };
        let place = data.join(FORMAT_FILE).display().to_string();
        Some(Self::new("directory", place, what, "nothing: it is written anew".to_owned()))
    }

    fn new(part: &'static str, place: String, what: String, lost: String) -> Self {
        Self { part, place, what, lost, appended: None, damage: true, needs: None }
    }

    pub(super) fn needs(&self, agreement: &str) -> bool {
        self.needs == Some(agreement)
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
