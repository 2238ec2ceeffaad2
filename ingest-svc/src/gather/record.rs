use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use keyspace::record::{BatchEntry, RecordBuilder, RefusedEntry, RefusedHits};
use model::{Hour, MerchantId, Refusal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::Queued;
use crate::intake::Item;

/// Bytes at which a record is full. Larger ones would win nothing: the cost of an append is spread thin already.
const RECORD_BYTES: usize = 1 << 20;
/// Bytes that are worth an append of their own: with so many nothing is gained by waiting for more.
const WORTH_BYTES: usize = 64 << 10;

/// What the next record of a partition will hold.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    parcels: Vec<Queued>,
    weight: usize,
    /// One that did not fit into the last record: the first of this one.
    over: Option<Queued>,
    /// When it is appended at the latest.
    due: Option<Instant>,
    builder: RecordBuilder,
}

impl Gathered {
    /// Waits for the first parcel, and then for more until the record is worth an append or `linger` is over; false if none
    /// will ever come. It may be dropped and called again.
    pub(super) async fn wait(&mut self, queue: &mut UnboundedReceiver<Queued>, linger: Duration) -> bool {
        if self.over.is_none() && self.is_empty() {
            self.over = queue.recv().await;
        }
        self.fill(queue);
        if self.is_empty() {
            return false;
        }
        let due = *self.due.get_or_insert_with(|| Instant::now() + linger);
        while !linger.is_zero() && self.weight < WORTH_BYTES && self.over.is_none() {
            let Ok(Some(next)) = tokio::time::timeout_at(due, queue.recv()).await else { break };
            self.over = Some(next);
            self.fill(queue);
        }
        true
    }

    /// Takes everything that waits, as far as the record can hold it.
    pub(super) fn fill(&mut self, queue: &mut UnboundedReceiver<Queued>) {
        while let Some(next) = self.over.take().or_else(|| queue.try_recv().ok()) {
            let weight = next.parcel.weight;
            if !self.parcels.is_empty() && self.weight + weight > RECORD_BYTES {
                self.over = Some(next);
                return;
            }
            self.weight += weight;
            self.parcels.push(next);
        }
    }

    /// Whether it holds nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.parcels.is_empty()
    }

    /// The record, and the parcels that wait for it.
    pub(super) fn finish(&mut self) -> (Bytes, Vec<Queued>) {
        self.builder.reserve(std::mem::take(&mut self.weight));
        self.due = None;
        let mut refused = Refused::default();
        for item in self.parcels.iter().flat_map(|queued| &queued.parcel.items) {
            match item {
                Item::Batch { source, received_at, rules_version, refused, encoded } => {
                    let entry = BatchEntry {
                        merchant: source.merchant,
                        received_at: *received_at,
                        data_stream: source.data_stream,
                        rules_version: *rules_version,
                        lane: source.lane,
                        client_id: &source.client_id,
                        epoch: source.epoch,
                        context: &source.context,
                        refused: RefusedHits::default(),
                        batch: encoded,
                    };
                    self.builder.batch(&entry, refused);
                }
                Item::Refused(entry) => refused.add(entry),
            }
        }
        for entry in refused.0.values() {
            self.builder.refused(entry);
        }
        (self.builder.finish(), std::mem::take(&mut self.parcels))
    }
}

/// Refused hits, added up: a merchant over its quota must not fill the log with saying so. They are counted by hour.
#[derive(Debug, Default)]
struct Refused(BTreeMap<(MerchantId, Hour, u8), RefusedEntry>);

impl Refused {
    fn add(&mut self, entry: &RefusedEntry) {
        let key = (entry.merchant, entry.received_at.hour(), Refusal::number(entry.reason));
        self.0.entry(key).and_modify(|sum| sum.hits += entry.hits).or_insert(*entry);
    }
}
