//! The ledgers of a partition: what tells a reader whether it was given every record.
//!
//! Within a ledger entries are numbered one by one. The ledger after it has a higher number, but any: so where a reader
//! comes from one ledger into another, only their list shows that nothing is in between.

use model::{Partition, Position};
use serde::Deserialize;

use crate::Error;

/// A part of a partition, as BookKeeper or tiered storage keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Its number, the major part of the positions of its records.
    pub id: u64,
    /// How many records it holds.
    pub records: u64,
    /// Their bytes, with what Pulsar stores around them.
    pub bytes: u64,
    /// It is in tiered storage, whole.
    pub offloaded: bool,
    /// It takes records still.
    pub open: bool,
}

/// All ledgers of a partition at one time, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledgers(Vec<Ledger>);

/// Why two records that were read one after the other are not neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// What was between them was deleted.
    Deleted,
    /// These are kept, but were left out.
    Skipped { from: Position, to: Position },
    /// The ledgers were listed before the record was appended.
    Stale,
}

/// What the admin interface says of a partition.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InternalStats {
    ledgers: Vec<LedgerStats>,
    #[serde(default)]
    current_ledger_size: i64,
    last_confirmed_entry: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LedgerStats {
    ledger_id: i64,
    entries: i64,
    size: i64,
    #[serde(default)]
    offloaded: bool,
}

impl From<InternalStats> for Ledgers {
    fn from(stats: InternalStats) -> Self {
        let confirmed = message_id(&stats.last_confirmed_entry);
        let count = stats.ledgers.len();
        let mut ledgers: Vec<_> = stats
            .ledgers
            .into_iter()
            .enumerate()
            .filter_map(|(at, found)| {
                let id = u64::try_from(found.ledger_id).ok()?;
                let mut ledger = Ledger {
                    id,
                    records: found.entries.max(0) as u64,
                    bytes: found.size.max(0) as u64,
                    offloaded: found.offloaded,
                    // The open one is listed as empty.
                    open: at + 1 == count && found.entries == 0,
                };
                if let Some(last) = confirmed.filter(|last| last.ledger == id) {
                    ledger.records = ledger.records.max(last.entry + 1);
                }
                if ledger.open {
                    ledger.bytes = stats.current_ledger_size.max(0) as u64;
                }
                Some(ledger)
            })
            .collect();
        ledgers.sort_by_key(|ledger| ledger.id);
        Self(ledgers)
    }
}

impl Ledgers {
    pub(super) fn first(&self) -> Option<Position> {
        self.0.iter().find(|ledger| ledger.records > 0).map(|ledger| Position { ledger: ledger.id, entry: 0 })
    }

    pub(super) fn last(&self) -> Option<Position> {
        let ledger = self.0.iter().rfind(|ledger| ledger.records > 0)?;
        Some(Position { ledger: ledger.id, entry: ledger.records - 1 })
    }

    /// The same place as a position, in the ledger that takes the next record there: what is behind the last record of a
    /// closed ledger, the broker would look for in that ledger, and fail if it is in tiered storage that is away.
    pub(super) fn settle(&self, at: Position) -> Position {
        match self.0.iter().find(|ledger| ledger.id >= at.ledger && (ledger.open || ledger.records > 0)) {
            Some(ledger) if ledger.id == at.ledger && (ledger.open || at.entry < ledger.records) => at,
            Some(ledger) if ledger.id > at.ledger => Position { ledger: ledger.id, entry: 0 },
            Some(ledger) => self.settle(Position { ledger: ledger.id + 1, entry: 0 }),
            None => at,
        }
    }

    /// Bytes of a record, on average.
    pub(super) fn mean_bytes(&self) -> Option<u64> {
        let (records, bytes) =
            self.0.iter().fold((0, 0), |(records, bytes), it| (records + it.records, bytes + it.bytes));
        bytes.checked_div(records)
    }

    pub(super) fn into_inner(self) -> Vec<Ledger> {
        self.0
    }

    /// Whether records from a position on may have been deleted. Pulsar deletes whole ledgers, the oldest first.
    pub(super) fn is_gone(&self, from: Position) -> bool {
        from != Position::START && self.0.first().is_some_and(|oldest| from.ledger < oldest.id)
    }

    /// Checks that no record is between the position that a reader stands at and the next record that it was given.
    pub(super) fn between(&self, stood_at: Position, given: Position) -> Result<(), Gap> {
        if self.0.last().is_none_or(|latest| latest.id < given.ledger) {
            return Err(Gap::Stale);
        }
        if self.is_gone(stood_at) {
            return Err(Gap::Deleted);
        }
        // A ledger that is not listed although an older one is was closed without a record.
        for ledger in &self.0 {
            if ledger.id < stood_at.ledger || ledger.id > given.ledger {
                continue;
            }
            let from = if ledger.id == stood_at.ledger { stood_at.entry } else { 0 };
            let to = if ledger.id == given.ledger { given.entry } else { ledger.records };
            if from < to {
                let at = |entry| Position { ledger: ledger.id, entry };
                return Err(Gap::Skipped { from: at(from), to: at(to - 1) });
            }
        }
        Ok(())
    }

    /// Whether this list says all about the way from one position to another that there will ever be to say: the open
    /// ledger may have got more records since.
    pub(super) fn is_settled(&self, stood_at: Position, given: Position) -> bool {
        self.0.last().is_some_and(|latest| stood_at.ledger < latest.id && given.ledger <= latest.id)
    }
}

impl Gap {
    pub(super) fn error(self, partition: Partition, asked: Position, first: Position, topic: &str) -> Error {
        match self {
            Self::Deleted => Error::Gone { partition, asked, first },
            Self::Skipped { from, to } => {
                let what = format!("the broker left out the records from {from} to {to}");
                Error::Corrupt { place: topic.to_owned(), what }
            }
            Self::Stale => {
                let what = format!("a record after {asked} is in no ledger of the topic");
                Error::Corrupt { place: topic.to_owned(), what }
            }
        }
    }
}

/// Reads `ledger:entry`; there is none if a part is below zero.
fn message_id(text: &str) -> Option<Position> {
    let (ledger, entry) = text.split_once(':')?;
    Some(Position { ledger: ledger.parse().ok()?, entry: entry.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ledger: u64, entry: u64) -> Position {
        Position { ledger, entry }
    }

    /// Closed ledgers with these numbers and sizes, and an open one with the last.
    fn ledgers(list: &[(u64, u64)]) -> Ledgers {
        let (open, _) = list[list.len() - 1];
        let of = |&(id, records): &(u64, u64)| Ledger {
            id,
            records,
            bytes: 10 * records,
            offloaded: false,
            open: id == open,
        };
        Ledgers(list.iter().map(of).collect())
    }

    #[test]
    fn a_way_without_a_record_on_it_is_no_gap() {
        let list = ledgers(&[(5, 3), (7, 0), (9, 2), (12, 4)]);
        for (stood_at, given) in [
            (at(5, 1), at(5, 1)),
            (at(5, 3), at(9, 0)),
            (at(9, 2), at(12, 0)),
            (at(7, 0), at(9, 0)),
            // Closed empty, and no longer listed.
            (at(8, 0), at(9, 0)),
            (at(11, 0), at(12, 0)),
            (Position::START, at(5, 0)),
        ] {
            assert_eq!(list.between(stood_at, given), Ok(()), "{stood_at} to {given}");
        }
    }

    #[test]
    fn a_record_on_the_way_is_a_gap() {
        let list = ledgers(&[(5, 3), (7, 0), (9, 2), (12, 4)]);
        for (stood_at, given, from, to) in [
            (at(5, 1), at(5, 2), at(5, 1), at(5, 1)),
            (at(5, 2), at(9, 0), at(5, 2), at(5, 2)),
            (at(5, 3), at(9, 1), at(9, 0), at(9, 0)),
            (at(5, 3), at(12, 0), at(9, 0), at(9, 1)),
            (at(8, 0), at(12, 0), at(9, 0), at(9, 1)),
            (Position::START, at(5, 2), at(5, 0), at(5, 1)),
            (Position::START, at(9, 0), at(5, 0), at(5, 2)),
        ] {
            assert_eq!(
                list.between(stood_at, given),
                Err(Gap::Skipped { from, to }),
                "{stood_at} to {given}"
            );
        }
        assert_eq!(list.between(at(4, 0), at(5, 0)), Err(Gap::Deleted));
        assert_eq!(list.between(at(12, 4), at(13, 0)), Err(Gap::Stale));
    }

    #[test]
    fn only_the_open_ledger_can_change() {
        let list = ledgers(&[(5, 3), (12, 4)]);
        assert!(list.is_settled(at(5, 3), at(12, 0)));
        assert!(!list.is_settled(at(12, 3), at(12, 4)));
        assert!(!list.is_settled(at(5, 3), at(13, 0)));
    }

    #[test]
    fn the_same_place_has_a_name_in_a_ledger_that_goes_on() {
        let list = ledgers(&[(5, 3), (7, 0), (9, 2), (12, 0)]);
        for (place, same) in [
            (at(5, 0), at(5, 0)),
            (at(5, 2), at(5, 2)),
            (at(5, 3), at(9, 0)),
            (at(7, 0), at(9, 0)),
            (at(8, 4), at(9, 0)),
            (at(9, 2), at(12, 0)),
            (at(12, 0), at(12, 0)),
            (at(12, 1), at(12, 1)),
            (at(13, 0), at(13, 0)),
        ] {
            assert_eq!(list.settle(place), same, "{place}");
        }
    }

    #[test]
    fn what_the_broker_says_is_understood() {
        // As a broker of version 4.0.8 said it, cut to what is used.
        let said = r#"{"currentLedgerEntries":2,"currentLedgerSize":140,"lastConfirmedEntry":"8:1","ledgers":[
            {"ledgerId":5,"entries":3,"size":200,"offloaded":true},
            {"ledgerId":8,"entries":0,"size":0,"offloaded":false}]}"#;
        let list = Ledgers::from(serde_json::from_str::<InternalStats>(said).unwrap());
        let closed = Ledger { id: 5, records: 3, bytes: 200, offloaded: true, open: false };
        let open = Ledger { id: 8, records: 2, bytes: 140, offloaded: false, open: true };
        assert_eq!(list, Ledgers(vec![closed, open]));
        assert_eq!((list.first(), list.last()), (Some(at(5, 0)), Some(at(8, 1))));
        assert_eq!(list.mean_bytes(), Some(68), "340 bytes in 5 records");

        let empty = r#"{"lastConfirmedEntry":"5:-1","ledgers":[{"ledgerId":5,"entries":0,"size":0}]}"#;
        let list = Ledgers::from(serde_json::from_str::<InternalStats>(empty).unwrap());
        assert_eq!((list.first(), list.last(), list.mean_bytes()), (None, None, None));
    }
}
