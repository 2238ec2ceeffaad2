//! Visitor state on its way into the store, whole or bit by bit: what is too large for one commit is written before it,
//! into slots that do not count yet.

use bytes::Bytes;
use keyspace::progress::Progress;
use keyspace::visitor::Slots;
use store::Batch;

use crate::flush::Owner;

/// The changed buckets of a merchant, for the commit that makes them hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Buckets that are in their other slots already.
    pub staged: Vec<u8>,
    /// The others, with their values.
    pub rest: Vec<(u8, Bytes)>,
}

impl Encoded {
    /// Adds them to a batch; gives the slots that count once it is committed.
    pub fn write(self, owner: &Owner, before: Slots, batch: &mut Batch) -> Slots {
        let mut slots = before;
        for bucket in self.staged {
            batch.delete(owner.bucket_key(bucket, before.of(bucket)));
            slots.flip(bucket);
        }
        for (bucket, value) in self.rest {
            batch.put(owner.bucket_key(bucket, before.of(bucket)), value);
        }
        slots
    }
}

/// A commit of buckets into the slots that do not count, and the progress record that it leaves: nothing in it changes but
/// the number of commits. That refuses a worker that lost the partition: else it could write into the same slots later.
pub fn stage(owner: &Owner, before: Progress, buckets: &[(u8, Bytes)]) -> (Batch, Progress) {
    let progress = Progress { commits: before.commits + 1, ..before };
    let mut batch = Batch::default();
    batch.require(owner.progress_key(), Some(before.encode())).put(owner.progress_key(), progress.encode());
    for (bucket, value) in buckets {
        batch.put(owner.bucket_key(*bucket, before.slots.of(*bucket).other()), value.clone());
    }
    (batch, progress)
}
