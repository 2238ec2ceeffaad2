use std::mem;

use hitmill_sdk::ClientBatch;
use proto::v1::Hit;

/// Hits of a batch: enough that their frame hardly weighs, few enough that an import is often known to be safe.
const BATCH_HITS: usize = 500;
/// Bytes of text after which a batch is full; far below what one may have.
const BATCH_BYTES: usize = 256 * 1024;
/// Lines never get new numbers, so one epoch is enough.
const EPOCH: u64 = 1;

/// Gathers hits to batches in which a hit's seq is the number of its line. So a line has the same seq in every import,
/// and the server drops what it has already.
#[derive(Debug)]
pub struct Batches {
    client_id: String,
    hits: Vec<Hit>,
    bytes: usize,
    first_seq: u64,
    last_seq: u64,
}

impl Batches {
    /// Batches of one log, of which all lines up to `after` are done.
    pub fn new(client_id: String, after: u64) -> Self {
        Self { client_id, hits: Vec::new(), bytes: 0, first_seq: after + 1, last_seq: after }
    }

    /// Adds the hit of a line. Gives back the batch once it is full.
    pub fn push(&mut self, line: u64, mut hit: Hit) -> Option<ClientBatch> {
        // The server need not wait for seqs that it knows will never come.
        hit.skipped = u32::try_from(line.saturating_sub(self.last_seq + 1)).unwrap_or(u32::MAX);
        self.last_seq = line;
        self.bytes += text_bytes(&hit);
        self.hits.push(hit);
        if self.hits.len() < BATCH_HITS && self.bytes < BATCH_BYTES { None } else { self.rest() }
    }

    /// What waits for more; nothing if nothing does.
    pub fn rest(&mut self) -> Option<ClientBatch> {
        if self.hits.is_empty() {
            return None;
        }
        self.bytes = 0;
        Some(ClientBatch {
            client_id: self.client_id.clone(),
            epoch: EPOCH,
            first_seq: mem::replace(&mut self.first_seq, self.last_seq + 1),
            context: None,
            hits: mem::take(&mut self.hits).into_iter().map(Into::into).collect(),
        })
    }
}

fn text_bytes(hit: &Hit) -> usize {
    hit.url.len() + hit.referrer.len() + hit.context.as_ref().map_or(0, |context| context.user_agent.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Seqs as docs/protocol.md has them.
    fn seqs(batch: &ClientBatch) -> Vec<u64> {
        let mut next = batch.first_seq;
        let count = |hit| {
            let seq = next + u64::from(Hit::from(hit).skipped);
            next = seq + 1;
            seq
        };
        batch.hits.iter().cloned().map(count).collect()
    }

    proptest! {
        #[test]
        fn every_hit_has_its_line_as_seq_and_no_seq_is_left_open(after in 0u64..50, gaps: Vec<u8>, bytes in 0usize..1_024) {
            let mut batches = Batches::new("c".into(), after);
            let (mut line, mut lines, mut sent) = (after, Vec::new(), Vec::new());
            for gap in gaps.iter().cycle().take(gaps.len() * 20) {
                line += 1 + u64::from(*gap);
                lines.push(line);
                sent.extend(batches.push(line, Hit { url: "x".repeat(bytes), ..Hit::default() }));
            }
            sent.extend(batches.rest());
            prop_assert!(batches.rest().is_none());
            prop_assert_eq!(sent.iter().flat_map(seqs).collect::<Vec<_>>(), lines);
            let mut next = after + 1;
            for batch in &sent {
                prop_assert_eq!(batch.first_seq, next);
                prop_assert!(batch.hits.len() <= BATCH_HITS && batch.hits.len() * bytes <= BATCH_BYTES + bytes);
                next = seqs(batch).last().unwrap() + 1;
            }
        }
    }
}
