//! The conformance suite of [`crate::Store`].
//!
//! A back end calls [`run`] from a test of its own. A failing check panics and names what it found.

#![expect(clippy::unwrap_used, reason = "a test suite: it fails by panicking")]

mod basics;
mod concurrency;
mod conditions;
mod order;
mod reopening;
mod snapshots;

use std::sync::Arc;

use bytes::Bytes;

use crate::{Batch, Pair, Store};

/// Runs every check.
///
/// `open` gives the store of a place: empty when the place is new, and as it was left when it was opened before. The suite
/// drops a store, and all its snapshots, before it opens the same place again.
pub async fn run<F, Opening>(open: F)
where
    F: Fn(usize) -> Opening,
    Opening: Future<Output = Arc<dyn Store>>,
{
    let store = &*open(0).await;
    basics::puts_gets_and_deletes(store).await;
    basics::gets_many_in_the_order_asked(store).await;
    basics::the_later_write_of_a_key_wins(store).await;
    basics::keeps_large_values_and_batches(store).await;
    basics::refuses_empty_values_and_bad_keys(store).await;

    order::scans_in_byte_order(&*open(1).await).await;
    order::scans_within_bounds_and_limits(&*open(2).await).await;
    order::scans_page_by_page(&*open(3).await).await;

    let store = &*open(4).await;
    conditions::requires_absence(store).await;
    conditions::requires_a_value(store).await;
    conditions::applies_all_or_nothing(store).await;
    conditions::checks_without_writing(store).await;

    concurrency::increments_are_not_lost(open(5).await).await;
    concurrency::batches_are_seen_whole(open(6).await).await;
    concurrency::a_get_never_sees_a_batch_before_snapshots_do(open(10).await).await;

    snapshots::see_what_was_before_and_nothing_after(&*open(7).await).await;
    snapshots::stay_as_they_are_under_many_changes(open(8).await).await;

    reopening::keeps_commits(&open, 9).await;
}

fn key(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn numbered(prefix: &str, number: usize) -> Bytes {
    Bytes::from(format!("{prefix}{number:06}"))
}

async fn put(store: &dyn Store, key: &Bytes, value: &Bytes) {
    let mut batch = Batch::default();
    batch.put(key.clone(), value.clone());
    store.commit(batch).await.unwrap();
}

/// Everything from `start` to `end`.
async fn all(store: &dyn Store, start: &[u8], end: &[u8]) -> Vec<Pair> {
    store.snapshot().await.unwrap().scan(start, end, usize::MAX).await.unwrap()
}
