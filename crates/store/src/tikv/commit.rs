//! Committing: an optimistic transaction, tried until it is clear what became of it.

use std::collections::HashMap;

use bytes::Bytes;
use tikv_client::{KvPair, Transaction, TransactionClient};
use tokio::time::{Instant, timeout_at};

use super::connection::{Failed, Pause, options, range_of};
use super::failure::{is_write_conflict, shown};
use super::settle::{Settled, settle};
use super::store::Inner;
use crate::{Batch, Error, Require, Result, Write};

const DOING: &str = "commit";

/// What became of one transaction.
enum Attempt {
    Committed,
    /// A requirement did not hold. Nothing was written.
    Refused(Error),
    /// Nothing was written, and nothing speaks against another attempt.
    Again(String),
    /// It cannot be found out now.
    Unknown(String),
}

/// Commits the batch, if its requirements hold.
///
/// Every answer but [`Error::Unknown`] is certain: after any other error, nothing of the batch is, or will ever be, there.
pub(super) async fn commit(inner: &Inner, batch: &Batch) -> Result<()> {
    batch.validate()?;
    if batch.writes.is_empty() && batch.requires.is_empty() {
        return Ok(());
    }
    let deadline = inner.connection.deadline();
    let mut pause = Pause::default();
    loop {
        let what = match attempt(inner, batch, deadline).await {
            Attempt::Committed => return Ok(()),
            Attempt::Refused(error) => {
                metrics::counter!("hitmill_store_conflicts_total").increment(1);
                return Err(error);
            }
            Attempt::Unknown(what) => return Err(Error::Unknown { what }),
            Attempt::Again(what) => what,
        };
        metrics::counter!("hitmill_store_retries_total", "doing" => DOING).increment(1);
        if !pause.until_next(deadline).await {
            return Err(Error::Unavailable { doing: DOING, what });
        }
    }
}

async fn attempt(inner: &Inner, batch: &Batch, deadline: Instant) -> Attempt {
    let (mut transaction, found) = match begin(inner, batch, deadline).await {
        Ok(begun) => begun,
        Err(what) => return Attempt::Again(what),
    };
    let refused = first_that_differs(inner, &batch.requires, &found);
    if refused.is_some() || batch.writes.is_empty() {
        // All requirements were looked at as of one moment, and nothing is to be written. This asks no server.
        let _ = transaction.rollback().await;
        return refused.map_or(Attempt::Committed, |key| Attempt::Refused(Error::Conflict { key }));
    }
    if let Err(error) = fill(inner, &mut transaction, batch).await {
        return Attempt::Again(shown(&error));
    }
    let keys = keys(inner, batch);
    let failed = match timeout_at(inner.connection.patience(deadline), transaction.commit()).await {
        Ok(Ok(_)) => return Attempt::Committed,
        Ok(Err(error)) if is_write_conflict(&error) => {
            metrics::counter!("hitmill_store_write_conflicts_total").increment(1);
            // So that others need not wait until our locks expire. They will, if this fails.
            let _ = timeout_at(deadline, transaction.rollback()).await;
            return Attempt::Again("other commits of the same keys came first each time".to_owned());
        }
        Ok(Err(error)) => {
            inner.connection.undo_orphan(&error, &range_of(&keys), deadline).await;
            shown(&error)
        }
        Err(_) => {
            inner.connection.revive(deadline).await;
            "no answer in time".to_owned()
        }
    };
    // Any other error may hide a commit: even one about a region may be the answer to a second request, after the first was
    // obeyed and its answer lost.
    match settle(inner, &mut transaction, &keys).await {
        Settled::Committed => Attempt::Committed,
        Settled::RolledBack => Attempt::Again(failed),
        Settled::Unknown => Attempt::Unknown(failed),
    }
}

/// Begins a transaction, and reads what is required as of its start.
async fn begin(
    inner: &Inner,
    batch: &Batch,
    deadline: Instant,
) -> std::result::Result<(Transaction, HashMap<Vec<u8>, Vec<u8>>), String> {
    let wanted: Vec<Vec<u8>> = batch.requires.iter().map(|require| inner.prefix.add(&require.key)).collect();
    let attempt = |client| begin_once(client, wanted.clone());
    let begun = inner.connection.retrying(DOING, range_of(&wanted), deadline, attempt).await;
    begun.map_err(|(Failed::Late(what) | Failed::TooLong(what))| what)
}

async fn begin_once(
    client: TransactionClient,
    wanted: Vec<Vec<u8>>,
) -> tikv_client::Result<(Transaction, HashMap<Vec<u8>, Vec<u8>>)> {
    let mut transaction = client.begin_with_options(options()).await?;
    if wanted.is_empty() {
        return Ok((transaction, HashMap::new()));
    }
    let found = match transaction.batch_get(wanted).await {
        // An empty value is none, as in a view.
        Ok(pairs) => pairs.filter(|pair| !pair.value().is_empty()),
        Err(error) => {
            transaction.rollback().await?;
            return Err(error);
        }
    };
    let found = found.map(|KvPair(key, value)| (key.into(), value)).collect();
    Ok((transaction, found))
}

fn first_that_differs(
    inner: &Inner,
    requires: &[Require],
    found: &HashMap<Vec<u8>, Vec<u8>>,
) -> Option<Bytes> {
    let differs = |require: &&Require| {
        found.get(&inner.prefix.add(&require.key)).map(Vec::as_slice) != require.value.as_deref()
    };
    requires.iter().find(differs).map(|require| require.key.clone())
}

/// Hands the writes to the transaction, and of what is required and not written makes locks: the first phase of the commit
/// fails if another transaction has written such a key since the start, or locks it now. Without them two commits could each
/// change what the other requires.
async fn fill(inner: &Inner, transaction: &mut Transaction, batch: &Batch) -> tikv_client::Result<()> {
    // The writes first: the first key becomes the primary one, whose record tells what became of the transaction, and the
    // record of a lock is the first that a store may drop.
    for write in &batch.writes {
        let key = inner.prefix.add(write.key());
        match write {
            Write::Put(_, value) => transaction.put(key, value.to_vec()).await?,
            Write::Delete(_) => transaction.delete(key).await?,
        }
    }
    // A key that is written is not locked beside it.
    let required: Vec<_> = batch.requires.iter().map(|require| inner.prefix.add(&require.key)).collect();
    transaction.lock_keys(required).await
}

/// Every key of the transaction, the primary one first.
fn keys(inner: &Inner, batch: &Batch) -> Vec<Vec<u8>> {
    let required = batch.requires.iter().map(|require| &require.key);
    batch.writes.iter().map(Write::key).chain(required).map(|key| inner.prefix.add(key)).collect()
}
