//! What became of a transaction whose answer was lost.
//!
//! It is not looked up but decided: the transaction is undone unless it is committed already, and what TiKV says to that tells
//! which of the two it is. So a commit is unknown only if no store can be reached for long.
//!
//! To read the keys again would tell less: another writer may have gone on, or may have written the same bytes.

use tikv_client::{Backoff, ProtoLockInfo, TimestampExt, Transaction};
use tokio::time::{Instant, timeout_at};

use super::connection::Pause;
use super::failure::{orphaned, says_committed, shown};
use super::store::Inner;

pub(super) enum Settled {
    /// It is committed, all of it.
    Committed,
    /// Nothing of it is there, nor ever will be: a request of it that is still on its way will be refused.
    RolledBack,
    /// Time is up.
    Unknown,
}

/// Decides it. `keys` are all of the transaction, the primary one first.
pub(super) async fn settle(inner: &Inner, transaction: &mut Transaction, keys: &[Vec<u8>]) -> Settled {
    let deadline = inner.connection.deadline();
    let mut pause = Pause::default();
    let settled = loop {
        let what = match decide(inner, transaction, keys, deadline).await {
            Ok(settled) => break settled,
            Err(what) => what,
        };
        tracing::debug!(what, "failed to find out what became of a commit");
        inner.connection.revive(deadline).await;
        if !pause.until_next(deadline).await {
            break Settled::Unknown;
        }
    };
    let outcome = match settled {
        Settled::Committed => "committed",
        Settled::RolledBack => "rolled_back",
        Settled::Unknown => "unknown",
    };
    metrics::counter!("hitmill_store_settled_total", "outcome" => outcome).increment(1);
    settled
}

async fn decide(
    inner: &Inner,
    transaction: &mut Transaction,
    keys: &[Vec<u8>],
    deadline: Instant,
) -> Result<Settled, String> {
    let late = |_| "no answer in time".to_owned();
    let patience = inner.connection.patience(deadline);
    let start = transaction.start_timestamp().version();
    // As if someone had met these locks: the primary key is asked, and if there is no record of a commit it gets one of a
    // rollback, which holds against requests that come later. Then the locks, where there are any, follow it.
    let met = keys.iter().map(|key| ProtoLockInfo {
        key: key.clone(),
        primary_lock: keys[0].clone(),
        lock_version: start,
        lock_ttl: 0, // expired
        ..Default::default()
    });
    let client = inner.connection.client();
    let resolving = client.resolve_locks(met.collect(), transaction.start_timestamp(), Backoff::no_backoff());
    match timeout_at(patience, resolving).await.map_err(late)? {
        Ok(left) if left.is_empty() => {}
        Ok(left) => return Err(format!("{} locks could not be resolved", left.len())),
        // Nothing is at the primary key. So it never was locked, and a commit is asked for only once all keys are locked.
        Err(error) if orphaned(&error) == Some(start) => {}
        Err(error) => return Err(shown(&error)),
    }
    // Only now, when no lock is left: a rollback takes away the locks of the other keys without a look at the primary one,
    // and so would tear a committed transaction apart.
    match timeout_at(patience, transaction.rollback()).await.map_err(late)? {
        Ok(()) => Ok(Settled::RolledBack),
        Err(error) if says_committed(&error) => Ok(Settled::Committed),
        Err(error) => Err(shown(&error)),
    }
}
