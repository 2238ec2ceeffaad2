//! One answer, read from one snapshot of the store: its cells, its revision and how final it is agree.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use keyspace::checkpoint::{self, Checkpoint};
use keyspace::progress;
use keyspace::touched::{self, Day, Touched};
use model::{Dimension, Generation, Hour, MerchantId, Partition, Timestamp};
use proto::{v1, wire_time};
use store::{Snapshot, Store};

use crate::cache::{Cache, Cells, Chunk, Key};
use crate::merge::{Merger, Names};
use crate::plan::Plan;
use crate::{Ask, Error, Result};

/// Pairs read from the store at a time.
const PAGE: usize = 1_000;
/// Chunks that are fetched side by side, which also is what an answer holds of them at a time.
const AHEAD: usize = 4;

/// Reads answers.
#[derive(Clone)]
pub struct Reader {
    store: Arc<dyn Store>,
    partitions: u16,
    cache: Cache,
}

/// Everything at one moment.
#[derive(Clone)]
pub struct View {
    snapshot: Arc<dyn Snapshot>,
    catalog: Arc<catalog::Snapshot>,
    merchant: MerchantId,
    finality: Finality,
}

/// How final an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finality {
    /// Every hit that was acknowledged before this is in the answer.
    pub complete_until: Timestamp,
    /// The generation of cells.
    pub generation: Generation,
    /// Version of the merchant's configuration.
    pub rules_version: u64,
    /// Rises with every change of the merchant's cells.
    pub revision: u64,
}

impl Finality {
    /// As it is on the wire.
    pub fn wire(&self) -> v1::Finality {
        v1::Finality {
            complete_until: Some(wire_time(self.complete_until)),
            generation: self.generation.0,
            rules_version: self.rules_version,
            revision: self.revision,
        }
    }
}

impl Reader {
    /// A reader of this store, whose hits came through a log of `partitions`.
    pub fn new(store: Arc<dyn Store>, partitions: u16, cache: Cache) -> Self {
        Self { store, partitions, cache }
    }

    /// A view of a merchant as it is now.
    pub async fn view(&self, catalog: Arc<catalog::Snapshot>, merchant: MerchantId) -> Result<View> {
        let configured = catalog.merchant(merchant).ok_or(Error::NoMerchant(merchant))?;
        let snapshot: Arc<dyn Snapshot> = self.store.snapshot().await?.into();
        let (complete_until, generation) = self.folded(&*snapshot, configured).await?;
        let finality = Finality {
            complete_until,
            generation,
            rules_version: configured.version,
            revision: revision(&*snapshot, merchant, generation).await?,
        };
        Ok(View { snapshot, catalog, merchant, finality })
    }

    /// Begins to read an answer.
    pub async fn answer(&self, view: &View, ask: &Ask, plan: Plan, now: Timestamp) -> Result<Answering> {
        let chunks = chunks(view, &plan, now).await?;
        Ok(Answering {
            cache: self.cache.clone(),
            view: view.clone(),
            chunks,
            hours: plan.hours(),
            merger: Merger::new(ask.clone(), plan, view.names(ask)),
            done: false,
        })
    }

    /// The lowest watermark of the partitions that the merchant's hits are in, and the generation that all of them have. A
    /// partition that was never folded says nothing yet: 1970, and no generation.
    async fn folded(
        &self,
        snapshot: &dyn Snapshot,
        merchant: &catalog::Merchant,
    ) -> Result<(Timestamp, Generation)> {
        let partitions = Partition::of_merchant(merchant.id, merchant.spread, self.partitions);
        let keys: Vec<_> = partitions.map(checkpoint::key).collect();
        let (mut lowest, mut generation) = (Timestamp(i64::MAX), Generation::FIRST);
        for value in snapshot.get_many(&keys).await? {
            let checkpoint = value.map(|value| Checkpoint::decode(&value)).transpose();
            let checkpoint =
                checkpoint.map_err(|why| Error::corrupt("a checkpoint", why))?.unwrap_or_default();
            lowest = lowest.min(checkpoint.complete_until);
            generation = generation.max(checkpoint.generation);
        }
        Ok((lowest, generation))
    }
}

impl View {
    /// How final what is read from it is.
    pub fn finality(&self) -> Finality {
        self.finality
    }

    /// Whose numbers it shows.
    pub fn merchant(&self) -> MerchantId {
        self.merchant
    }

    pub(crate) fn snapshot(&self) -> &dyn Snapshot {
        &*self.snapshot
    }

    /// What is shown instead of what is stored: data streams are stored by id and shown by name.
    fn names(&self, ask: &Ask) -> Names {
        if !ask.dimensions().contains(&Dimension::DataStream) {
            return Names::new();
        }
        let streams = self.catalog.data_streams_of(self.merchant);
        streams
            .map(|stream| (stream.id.to_string().into_bytes().into(), stream.name.as_bytes().into()))
            .collect()
    }
}

async fn revision(snapshot: &dyn Snapshot, merchant: MerchantId, generation: Generation) -> Result<u64> {
    let mut revision = 0;
    scan(snapshot, progress::range(merchant, generation), |_, value| {
        let progress =
            progress::Progress::decode(value).map_err(|why| Error::corrupt("a progress record", why))?;
        revision += progress.commits;
        Ok(())
    })
    .await?;
    Ok(revision)
}

/// The chunks that have cells, in order of their hours.
async fn chunks(view: &View, plan: &Plan, now: Timestamp) -> Result<VecDeque<Key>> {
    let (merchant, generation) = (view.merchant, view.finality.generation);
    let hours = plan.hours();
    let days = Day::of(hours.start)..=Day::of(Hour(hours.end.0.saturating_sub(1)));
    let mut touched_days: BTreeMap<Day, [u64; 24]> = BTreeMap::new();
    scan(&*view.snapshot, touched::range(merchant, generation, days), |key, value| {
        let day =
            touched::day_of(key).ok_or_else(|| Error::corrupt("the key of a day", key.escape_ascii()))?;
        let touched = Touched::decode(value).map_err(|why| Error::corrupt("the hours of a day", why))?;
        let sums = touched_days.entry(day).or_default();
        sums.iter_mut().zip(touched.0).for_each(|(sum, commit)| *sum += commit);
        Ok(())
    })
    .await?;

    let today = Day::of(now.hour());
    let key = |chunk, version| Key { merchant, generation, cube: plan.cube, chunk, version };
    let mut chunks = VecDeque::new();
    for (day, sums) in touched_days {
        if day < today {
            chunks.push_back(key(Chunk::Day(day), sums.iter().sum()));
            continue;
        }
        let of_hours = (day.hours().start.0..).map(Hour).zip(sums);
        let needed = of_hours.filter(|(hour, version)| *version > 0 && hours.contains(hour));
        chunks.extend(needed.map(|(hour, version)| key(Chunk::Hour(hour), version)));
    }
    Ok(chunks)
}

/// An answer that is being read.
pub struct Answering {
    cache: Cache,
    view: View,
    chunks: VecDeque<Key>,
    hours: std::ops::Range<Hour>,
    merger: Merger,
    done: bool,
}

impl Answering {
    /// The next rows, in order; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<v1::Row>>> {
        while !self.done {
            let mut rows = Vec::new();
            let some = self.chunks.len().min(AHEAD);
            let reads = self.chunks.drain(..some).map(|key| self.cache.get(key, &*self.view.snapshot));
            for cells in futures::future::try_join_all(reads.collect::<Vec<_>>()).await? {
                self.merge(&cells, &mut rows).await;
            }
            if self.chunks.is_empty() {
                self.merger.finish(&mut rows);
                self.done = true;
            }
            if !rows.is_empty() {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }

    /// All rows, if there are not more than `limit`.
    pub async fn all(&mut self, limit: usize) -> Result<Vec<v1::Row>> {
        let mut all = Vec::new();
        while let Some(rows) = self.next().await? {
            all.extend(rows);
            if all.len() > limit {
                return Err(Error::TooLarge { what: "rows", limit });
            }
        }
        Ok(all)
    }

    /// How each metric was counted in the rows that were read.
    pub fn methods(&self) -> Vec<v1::Method> {
        self.merger.methods()
    }

    async fn merge(&mut self, cells: &Cells, rows: &mut Vec<v1::Row>) {
        for (hour, cell) in cells.iter().filter(|(hour, _)| self.hours.contains(hour)) {
            self.merger.add(*hour, cell, rows);
            // Merging a large cell takes some ms: others want the thread, too.
            tokio::task::yield_now().await;
        }
    }
}

/// Calls `take` with every pair of a range, in order.
pub(crate) async fn scan(
    snapshot: &dyn Snapshot,
    range: std::ops::Range<bytes::Bytes>,
    mut take: impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    let mut start = range.start;
    loop {
        let page = snapshot.scan(&start, &range.end, PAGE).await?;
        for (key, value) in &page {
            take(key, value)?;
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => start = keyspace::after(last),
            _ => return Ok(()),
        }
    }
}
