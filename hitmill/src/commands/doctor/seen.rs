use std::collections::BTreeSet;

use keyspace::after;
use keyspace::cell::CellKey;
use keyspace::config::counters::{self, Counters};
use keyspace::config::{data_stream, instance, merchant};
use keyspace::record::{self, Entry};
use model::{DataStreamId, MerchantId};
use store::{Batch, Store};

use super::folded::each;

/// Whose hits and numbers there are, and whom the store knows.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Merchants that have hits in the log, or numbers in the store.
    with_hits: BTreeSet<MerchantId>,
    known: BTreeSet<MerchantId>,
    last_stream: Option<DataStreamId>,
    /// Identity of the installation, which a store that was ever used has.
    pub(super) installation: Option<String>,
    /// Version of the configuration.
    pub(super) version: u64,
}

impl Seen {
    /// Whom a store knows.
    pub(super) async fn known_to(store: &dyn Store) -> anyhow::Result<Self> {
        let mut seen = Self::default();
        let instance = instance::key();
        for range in [merchant::range(), data_stream::range(), instance.clone()..after(&instance)] {
            each(store, range, |key, value| seen.note_value(key, value)).await?;
        }
        Ok(seen)
    }

    pub(super) fn note_value(&mut self, key: &[u8], value: &[u8]) {
        if let Some(cell) = CellKey::decode(key) {
            self.with_hits.insert(cell.merchant);
        }
        self.known.extend(merchant::id_of(key));
        self.last_stream = self.last_stream.max(data_stream::id_of(key));
        if key == instance::key() {
            self.installation = Some(String::from_utf8_lossy(value).into_owned());
        }
        if key == counters::key()
            && let Some(counters) = Counters::decode(value)
        {
            self.version = counters.version;
        }
    }

    /// Takes up whose hits are in a record, as far as it can be read.
    pub(super) fn note_record(&mut self, record: &[u8]) {
        for entry in record::read(record).into_iter().flatten().map_while(Result::ok) {
            self.with_hits.insert(entry.merchant());
            if let Entry::Batch(batch) = entry {
                self.last_stream = self.last_stream.max(Some(batch.data_stream));
            }
        }
    }

    /// Merchants of whom there are hits and who are not among these.
    pub(super) fn unknown_to<'a>(&'a self, known: &'a Self) -> impl Iterator<Item = MerchantId> + 'a {
        self.with_hits.difference(&known.known).copied()
    }

    /// The first ids that nobody has or had, as far as is seen here, and none before those that would be given out; the same for the
    /// version.
    fn free(&self, counters: Counters) -> Counters {
        let merchants =
            self.with_hits.last().max(self.known.last()).map_or(0, |last| last.0.saturating_add(1));
        let streams = self.last_stream.map_or(0, |last| last.0.saturating_add(1));
        Counters {
            next_merchant: counters.next_merchant.max(MerchantId(merchants)),
            next_data_stream: counters.next_data_stream.max(DataStreamId(streams)),
            version: counters.version.max(self.version),
        }
    }

    /// Makes sure that a store, which knows these, gives out no id that somebody has or had.
    pub(super) async fn reserve(&self, known: &Self, store: &dyn Store) -> anyhow::Result<()> {
        let (counters, _) = catalog::counters(store).await?;
        let free = self.free(known.free(counters));
        if free != counters {
            let mut batch = Batch::durable();
            batch.put(counters::key(), free.encode());
            store.commit(batch).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids are given out in their order; what the counters say is a lower bound.
    #[test]
    fn ids_that_are_free() {
        let mut seen = Seen::default();
        assert_eq!(seen.free(Counters::START), Counters::START);
        seen.note_value(&merchant::key(MerchantId(4)), b"");
        seen.note_value(&data_stream::key(DataStreamId(9)), b"");
        let free = seen.free(Counters { version: 3, ..Counters::START });
        let ids = Counters { next_merchant: MerchantId(5), next_data_stream: DataStreamId(10), version: 3 };
        assert_eq!(free, ids);
        let later = Counters { next_merchant: MerchantId(8), ..ids };
        assert_eq!(seen.free(later), later);
    }

    #[test]
    fn a_record_says_whose_hits_it_has() {
        let mut record = record::RecordBuilder::default();
        record.refused(&record::RefusedEntry {
            merchant: MerchantId(7),
            received_at: model::Timestamp(0),
            reason: model::Refusal::TooLarge,
            hits: 1,
        });
        let mut seen = Seen::default();
        seen.note_record(&record.finish());
        seen.note_record(b"rubbish");
        let mut store = Seen::default();
        assert_eq!(seen.unknown_to(&store).collect::<Vec<_>>(), [MerchantId(7)]);
        store.note_value(&merchant::key(MerchantId(7)), b"");
        assert_eq!(seen.unknown_to(&store).count(), 0);
    }
}
