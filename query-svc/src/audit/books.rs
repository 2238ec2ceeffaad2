use std::collections::{BTreeMap, BTreeSet};

use aggregate::Merge;
use keyspace::fate::Fates;
use keyspace::record::{self, Entry};
use model::{Fate, Hour, MerchantId, Refusal, Timestamp};
use proto::wire::BatchRef;
use proto::{v1, wire_time};

/// What the log says: accepted and refused hits of one merchant by the hour in which they were received.
#[derive(Debug, Default)]
pub struct Books {
    hours: BTreeMap<Hour, Page>,
    /// Records that a repair of the log has put in the place of lost ones.
    lost: u64,
    scratch: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Page {
    accepted: u64,
    refused: BTreeMap<Refusal, u64>,
}

impl Books {
    /// Takes in a record of the log.
    pub fn count(&mut self, merchant: MerchantId, record: &[u8]) -> Result<(), String> {
        self.lost += u64::from(record == record::LOST);
        for entry in record::read(record).map_err(|why| why.to_string())? {
            match entry.map_err(|why| why.to_string())? {
                Entry::Batch(batch) if batch.merchant == merchant => {
                    let hits = hits(batch.batch, &mut self.scratch)?;
                    let page = self.hours.entry(batch.received_at.hour()).or_default();
                    page.accepted += hits.saturating_sub(batch.refused.len() as u64);
                    batch
                        .refused
                        .iter()
                        .for_each(|(_, reason)| *page.refused.entry(reason).or_default() += 1);
                }
                Entry::Refused(entry) if entry.merchant == merchant => {
                    let page = self.hours.entry(entry.received_at.hour()).or_default();
                    *page.refused.entry(entry.reason).or_default() += entry.hits;
                }
                Entry::Batch(_) | Entry::Refused(_) => {}
            }
        }
        Ok(())
    }

    /// Adds the books of another partition.
    pub fn merge(&mut self, other: &Self) {
        self.lost += other.lost;
        for (hour, theirs) in &other.hours {
            let own = self.hours.entry(*hour).or_default();
            own.accepted += theirs.accepted;
            theirs.refused.iter().for_each(|(reason, hits)| *own.refused.entry(*reason).or_default() += hits);
        }
    }
}

/// How many hits a batch has. A hit counts by being there; whether it can be read was decided at admission.
fn hits(batch: &[u8], scratch: &mut Vec<u8>) -> Result<u64, String> {
    let batch = BatchRef::parse(batch).map_err(|why| why.to_string())?;
    let mut hits = 0;
    for hit in batch.hits(scratch).map_err(|why| why.to_string())? {
        hit.map_err(|why| why.to_string())?;
        hits += 1;
    }
    Ok(hits)
}

/// Holds the log's books against the fates, from the first hour on that is whole in the log.
pub fn compare(
    books: &Books,
    fates: &BTreeMap<Hour, Fates>,
    from: Hour,
    until: Timestamp,
) -> v1::AuditResponse {
    let hours: BTreeSet<_> = books.hours.keys().chain(fates.keys()).filter(|hour| **hour >= from).collect();
    let (mut balanced, mut lines) = (true, Vec::with_capacity(hours.len()));
    for hour in hours {
        let page = books.hours.get(hour).cloned().unwrap_or_default();
        let fates = fates.get(hour).cloned().unwrap_or(Fates::IDENTITY);
        let refused = |reason: &Refusal| page.refused.get(reason).copied().unwrap_or(0);
        balanced &= page.accepted == fates.accepted();
        balanced &= Refusal::ALL.iter().all(|reason| refused(reason) == fates.refused(*reason));
        let refused = Refusal::ALL
            .iter()
            .map(|reason| v1::RefusedCount { reason: reason.name().to_owned(), hits: refused(reason) });
        lines.push(v1::AuditHour {
            start: Some(wire_time(hour.start())),
            accepted: page.accepted,
            counted: fates.of(Fate::Counted),
            duplicate: fates.of(Fate::Duplicate),
            filtered: fates.of(Fate::Filtered),
            dead_lettered: fates.of(Fate::DeadLettered),
            refused: refused.filter(|count| count.hits > 0).collect(),
        });
    }
    v1::AuditResponse {
        hours: lines,
        balanced,
        audited_from: Some(wire_time(from.start())),
        audited_until: Some(wire_time(until)),
        lost_records: books.lost,
    }
}
