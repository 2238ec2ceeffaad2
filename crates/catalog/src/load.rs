//! Reading the configuration from the store.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use keyspace::config::counters::Counters;
use keyspace::config::{change, counters, data_stream, key, merchant};
use model::{MerchantId, Timestamp};
use prost::Message;
use proto::v1;
use store::Store;

use crate::{DataStream, Error, Item, Key, Merchant, Result, Snapshot};

/// Pairs read from the store at a time.
const PAGE: usize = 1_000;

/// One change of the configuration, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Version of the whole configuration that it made.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// Id of the key that asked for it; empty is the installation itself.
    pub author: Arc<str>,
    /// The merchant concerned, if it was one.
    pub merchant: Option<MerchantId>,
    /// What was done, for people.
    pub summary: String,
    /// The new state of what changed.
    pub items: Vec<Item>,
}

/// The counters, and the value that they are stored as: what the next change requires.
pub async fn counters(store: &dyn Store) -> Result<(Counters, Option<Bytes>)> {
    let value = store.get(&counters::key()).await?;
    Ok((read_counters(value.as_deref())?, value))
}

/// Some changes after `version`, oldest first, with none left out; none if there are none.
pub async fn changes(store: &dyn Store, version: u64) -> Result<Vec<Change>> {
    let range = change::after(version);
    let pairs = store.snapshot().await?.scan(&range.start, &range.end, PAGE).await?;
    pairs.into_iter().map(|(_, value)| read_change(value)).collect()
}

/// Reads a stored change.
pub fn read_change(value: Bytes) -> Result<Change> {
    decode::<v1::Change>("a change of the configuration", value)?.try_into()
}

/// The whole configuration as it is now.
pub(crate) async fn snapshot(store: &dyn Store) -> Result<Snapshot> {
    let stored = store.snapshot().await?;
    let mut out = Snapshot::default();
    each(&*stored, merchant::range(), |value| {
        let merchant = Merchant::try_from(decode::<v1::Merchant>("a merchant", value)?)?;
        out.put(Item::Merchant(Arc::new(merchant)));
        Ok(())
    })
    .await?;
    each(&*stored, data_stream::range(), |value| {
        let stream = DataStream::try_from(decode::<v1::DataStream>("a data stream", value)?)?;
        out.put(Item::DataStream(Arc::new(stream)));
        Ok(())
    })
    .await?;
    each(&*stored, key::range(), |value| {
        let key = Key::try_from(decode::<v1::Key>("a key", value)?)?;
        out.put(Item::Key(Arc::new(key)));
        Ok(())
    })
    .await?;
    let counters = read_counters(stored.get(&counters::key()).await?.as_deref())?;
    out.set_version(counters.version);
    Ok(out)
}

async fn each(
    stored: &dyn store::Snapshot,
    range: Range<Bytes>,
    mut take: impl FnMut(Bytes) -> Result<()>,
) -> Result<()> {
    let mut start = range.start;
    loop {
        let page = stored.scan(&start, &range.end, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        start = keyspace::after(last);
        for (_, value) in page {
            take(value)?;
        }
    }
}

fn read_counters(value: Option<&[u8]>) -> Result<Counters> {
    let Some(value) = value else { return Ok(Counters::START) };
    Counters::decode(value)
        .ok_or_else(|| Error::corrupt("the record of counters", value.escape_ascii().to_string()))
}

fn decode<M: Message + Default>(what: &str, value: Bytes) -> Result<M> {
    M::decode(value).map_err(|why| Error::corrupt(what, why))
}
