use eventlog::embedded::doctor as logs;
use model::Timestamp;
use serde::Serialize;
use store::embedded::doctor as stores;

use super::folded::Folded;

/// Something that does not fit, as it is shown.
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

impl Finding {
    pub(super) fn of_log(found: &logs::Finding, folded: &Folded) -> Self {
        let partition = found.partition;
        let (read_from, before) = (folded.read_from(partition).unwrap_or_default(), folded.before(partition));
        let known = |end: u64| match end {
            _ if end <= read_from => ", counted already: only a fold of the log from its start would lose it",
            _ if end <= before => ", in part counted already; what of it is sent again may count twice",
            _ => "",
        };
        let (lost, lossy) = match &found.loss {
            logs::Loss::TornTail => ("nothing: it was never acknowledged".to_owned(), false),
            logs::Loss::Meta => ("nothing: it is found again".to_owned(), false),
            logs::Loss::Records(records) if records.is_empty() => {
                ("nothing: it is written anew".to_owned(), false)
            }
            logs::Loss::Records(records) => {
                let which = match records.end - records.start {
                    1 => format!("record {}", records.start),
                    _ => format!("records {} to {}", records.start, records.end - 1),
                };
                (format!("{which} of partition {partition}{}", known(records.end)), true)
            }
            logs::Loss::From(first) => (
                format!("records of partition {partition} from {first} on: how many there were is not known"),
                true,
            ),
            logs::Loss::Before(first) => {
                (format!("records of partition {partition} before {first}{}", known(*first)), true)
            }
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
    pub(super) fn apart(extent: &logs::Extent, folded: &Folded, history: Option<&str>) -> Option<Self> {
        let (partition, records) = (extent.partition, &extent.records);
        let before = folded.before(partition);
        let (what, lost) = if before > records.end {
            let what =
                format!("it ends before record {}, and is folded up to before record {before}", records.end);
            (what, "nothing that was counted; new hits are not counted until it is repaired".to_owned())
        } else {
            let read_from = folded.read_from(partition).filter(|&read_from| read_from < records.start)?;
            let what = format!(
                "it begins with record {}, and is folded up to before record {read_from}",
                records.start
            );
            let history = history.unwrap_or("what lies between");
            (what, format!("{history}; all that is there is folded again"))
        };
        let place = format!("partition {partition}");
        Some(Self { part: "log", place, what, lost, appended: None, damage: true })
    }

    /// `history` says of which numbers the log does not have the hits any more.
    pub(super) fn of_store(found: &stores::Finding, history: Option<&str>) -> Self {
        let lost = match (found.loss, history) {
            (stores::Loss::TornTail, _) => "nothing: it was never synced".to_owned(),
            (stores::Loss::Commits, _) => "what was committed from there on: numbers are folded again, \
                                           changes of the configuration are lost"
                .to_owned(),
            (stores::Loss::Values, None) => "nothing: all numbers are folded again from the log".to_owned(),
            (stores::Loss::Values, Some(history)) => {
                format!("{history}; all others are folded again from the log")
            }
        };
        Self {
            part: "store",
            place: found.place.clone(),
            what: found.what.clone(),
            lost,
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
