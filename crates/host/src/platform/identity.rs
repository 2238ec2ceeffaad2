use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;
use clock::Clock;
use keyspace::config::instance;
use store::{Batch, Error, Store};

const BYTES: usize = 16;

/// The identity of the data: made once, by whoever comes first, and the same for all who come at the same time.
pub async fn of(store: &dyn Store, clock: &Clock) -> anyhow::Result<Arc<str>> {
    if let Some(known) = known(store).await? {
        return Ok(known);
    }
    let id: String = clock.random::<BYTES>().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut batch = Batch::durable();
    batch.require(instance::key(), None).put(instance::key(), Bytes::from(id));
    match store.commit(batch).await {
        // Ours or another's: what is stored now stays.
        Ok(()) | Err(Error::Conflict { .. } | Error::Unknown { .. }) => {}
        Err(error) => return Err(error).context("failed to store the instance id"),
    }
    known(store).await?.context("the instance id was not stored: try again")
}

/// Holds a store to the event log that it was first used with: cells of one and hits of another would make numbers of
/// neither, and positions of one mean nothing in the other.
pub(super) async fn bind(store: &dyn Store, log: &str) -> anyhow::Result<()> {
    let key = instance::log_key();
    if store.get(&key).await?.is_none() {
        let mut batch = Batch::durable();
        batch.require(key.clone(), None).put(key.clone(), Bytes::copy_from_slice(log.as_bytes()));
        match store.commit(batch).await {
            Ok(()) | Err(Error::Conflict { .. } | Error::Unknown { .. }) => {}
            Err(error) => return Err(error).context("failed to store which event log this is"),
        }
    }
    let known = store.get(&key).await?.context("which event log this is was not stored: try again")?;
    if known != log.as_bytes() {
        bail!(
            "the store is folded from {}, and the settings say {log}: set that log (pulsar.url, pulsar.namespace), or use a \
             store of its own for this one (tikv.prefix, or another data directory)",
            String::from_utf8_lossy(&known)
        );
    }
    Ok(())
}

async fn known(store: &dyn Store) -> anyhow::Result<Option<Arc<str>>> {
    let Some(id) = store.get(&instance::key()).await? else { return Ok(None) };
    Ok(Some(std::str::from_utf8(&id).context("the stored instance id is no text")?.into()))
}

#[cfg(test)]
mod tests {
    use store::embedded::EmbeddedStore;

    use super::*;

    #[tokio::test]
    async fn a_store_stays_with_the_log_that_it_was_first_used_with() {
        let dir = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(dir.path(), Default::default()).unwrap();
        bind(&store, "topic hits of namespace public/hitmill").await.unwrap();
        bind(&store, "topic hits of namespace public/hitmill").await.unwrap();
        let refused = bind(&store, "topic hits of namespace public/hitmil").await.unwrap_err().to_string();
        assert!(
            refused.starts_with(
                "the store is folded from topic hits of namespace public/hitmill, and the settings say topic hits of \
                 namespace public/hitmil: "
            ),
            "{refused}"
        );
    }
}
