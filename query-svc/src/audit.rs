//! The proof that no hit was lost or counted twice: the event log is read again and its accepted hits are held against
//! what the fold says became of them; and the hits that it says were counted are held against those in the cells.

mod books;

use eventlog::EventLog;
use keyspace::{cell, fate, progress};
use metrics::counter;
use model::{CubeId, Fate, Generation, Hour, MerchantId, Partition, Position, Timestamp};
use proto::v1;

pub use self::books::{Books, compare};
use crate::execute::{View, scan};
use crate::{Error, Result};

/// Bytes of the log that are read at a time.
const CHUNK: usize = 1 << 20;

/// Audits a merchant: the log up to where its cells hold it, against its fates, both as of the view.
pub async fn audit(log: &dyn EventLog, view: &View, now: Timestamp) -> Result<v1::AuditResponse> {
    let (merchant, generation) = (view.merchant(), view.finality().generation);
    let mut applied = Vec::new();
    scan(view.snapshot(), progress::range(merchant, generation), |key, value| {
        let partition = progress::partition_of(key)
            .ok_or_else(|| Error::corrupt("the key of a progress record", key.escape_ascii()))?;
        let progress =
            progress::Progress::decode(value).map_err(|why| Error::corrupt("a progress record", why))?;
        applied.push((partition, progress.applied_through));
        Ok(())
    })
    .await?;
    let mut fates = std::collections::BTreeMap::<Hour, fate::Fates>::new();
    scan(view.snapshot(), fate::range(merchant, generation), |key, value| {
        let hour =
            fate::hour_of(key).ok_or_else(|| Error::corrupt("the key of fates", key.escape_ascii()))?;
        let of_partition = fate::Fates::decode(value).map_err(|why| Error::corrupt("fates", why))?;
        aggregate::Merge::merge(fates.entry(hour).or_default(), &of_partition);
        Ok(())
    })
    .await?;

    // Both are for ever, so all of them are compared, whatever the log still holds.
    let counted: u64 = fates.values().map(|fates| fates.of(Fate::Counted)).sum();
    let in_cells = hits_in_cells(view, merchant, generation).await?;

    let (mut books, mut from) = (Books::default(), Hour(0));
    for (partition, through) in applied {
        let (counted, kept_from) = count(log, merchant, partition, through, now).await?;
        books.merge(&counted);
        from = from.max(kept_from);
    }
    let mut audit = compare(&books, &fates, from, view.finality().complete_until);
    if i128::from(counted) != in_cells {
        tracing::error!(%merchant, counted, in_cells, "the cells do not hold the hits that were counted");
        audit.balanced = false;
    }
    Ok(audit)
}

/// All hits in the merchant's cells, of all hours.
async fn hits_in_cells(view: &View, merchant: MerchantId, generation: Generation) -> Result<i128> {
    let mut hits = 0;
    scan(
        view.snapshot(),
        cell::range(merchant, generation, CubeId::TOTAL, Hour(0)..Hour(u32::MAX)),
        |_, value| {
            for row in cell::read_rows(value).map_err(|why| Error::corrupt("a cell", why))? {
                let (_, row) = row.map_err(|why| Error::corrupt("a cell", why))?;
                hits += row
                    .slots()
                    .map(|(_, slot)| i128::from(slot.counts.get(model::Count::Hits)))
                    .sum::<i128>();
            }
            Ok(())
        },
    )
    .await?;
    Ok(hits)
}

/// Counts the accepted hits of a partition up to a position; gives the first hour of which all records are kept, too.
async fn count(
    log: &dyn EventLog,
    merchant: MerchantId,
    partition: Partition,
    through: Position,
    now: Timestamp,
) -> Result<(Books, Hour)> {
    let mut books = Books::default();
    let mut next = log.first(partition).await?;
    let mut kept_from = first_whole_hour(log, partition, next, now).await?;
    while next <= through {
        let chunk = match log.read(partition, next, CHUNK).await {
            Ok(chunk) => chunk,
            // Retention was faster: begin again with what is left.
            Err(eventlog::Error::Gone { first, .. }) => {
                (books, next) = (Books::default(), first);
                kept_from = first_whole_hour(log, partition, first, now).await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if chunk.entries.is_empty() {
            break;
        }
        for entry in chunk.entries.iter().filter(|entry| entry.position <= through) {
            let at = || format!("position {} of partition {partition}", entry.position);
            books
                .count(merchant, &entry.record)
                .map_err(|why| Error::corrupt("a record", format!("{}: {why}", at())))?;
        }
        counter!("hitmill_query_audited_records_total").increment(chunk.entries.len() as u64);
        next = chunk.next;
        // A log can be long, and most of it is somebody else's: others want the thread, too.
        tokio::task::yield_now().await;
    }
    Ok((books, kept_from))
}

/// The first hour of receipt of which no record can be gone. What is gone was appended before the first record that
/// is left, so it was received before it.
async fn first_whole_hour(
    log: &dyn EventLog,
    partition: Partition,
    first: Position,
    now: Timestamp,
) -> Result<Hour> {
    match log.read(partition, Position::START, 1).await {
        // Some logs do not number from the start, but all say when what was asked for is gone.
        Ok(_) => return Ok(Hour(0)),
        Err(eventlog::Error::Gone { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let left = log.read(partition, first, 1).await?;
    let appended_at = left.entries.first().map_or(now, |entry| entry.appended_at);
    Ok(Hour(appended_at.hour().0 + 1))
}
