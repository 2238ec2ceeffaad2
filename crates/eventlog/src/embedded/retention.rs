use model::Timestamp;

use super::shared::Shared;
use crate::Result;

/// What of a partition is kept, once nobody needs it for the numbers to be right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retention {
    /// Records younger than this.
    pub(super) age_ms: Option<i64>,
    /// The latest records, this many bytes of files.
    pub(super) bytes: Option<u64>,
}

impl Retention {
    /// Deletes whole segments, oldest first, that lie below the floor and are older, or more, than is kept. The segment
    /// that is written to stays. Called by the writer only, which is the one who changes the list of segments. `note` makes
    /// durable from which record on they are kept, so that what is missing later was not deleted here.
    pub(super) fn enforce(
        self,
        shared: &Shared,
        now: Timestamp,
        mut note: impl FnMut(u64) -> Result<()>,
    ) -> Result<()> {
        while let Some((oldest, next)) = self.outlived(shared, now)? {
            note(next)?;
            // It leaves the list before its file goes, so that a reader finds either the record or that it is gone.
            let Some(segment) = shared.segments.write().pop_front() else { break };
            if let Err(error) = segment.delete() {
                // Back it goes: with a younger one deleted and this one left, the log would have a hole.
                shared.segments.write().push_front(segment);
                return Err(error);
            }
            tracing::info!(partition = %shared.partition, first = oldest, "deleted a segment that retention does not keep");
        }
        Ok(())
    }

    /// The first entry of the oldest segment, if it is to be deleted, and of the one behind it.
    fn outlived(self, shared: &Shared, now: Timestamp) -> Result<Option<(u64, u64)>> {
        let segments = shared.segments.read();
        let (Some(oldest), Some(next)) = (segments.front(), segments.get(1)) else {
            return Ok(None);
        };
        if next.first() > shared.floor() {
            return Ok(None);
        }
        let too_many = || {
            self.bytes.is_some_and(|kept| segments.iter().map(|segment| segment.bytes()).sum::<u64>() > kept)
        };
        // The next segment was made after the last record of this one.
        let too_old = match self.age_ms {
            Some(kept) => now.millis_since(next.created_at()?) > kept,
            None => false,
        };
        Ok((too_old || too_many()).then(|| (oldest.first(), next.first())))
    }
}
