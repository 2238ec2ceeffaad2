use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use bytes::Bytes;

use super::encode::{Encoder, Head, Sized};
use super::facts::{Draws, Facts, Name};
use super::{Counts, Tally, Workload};
use crate::random::mix;

/// A frame is closed when it has so many bytes: a fast sender's frame, well below the contract's 1 MiB.
const FRAME_BYTES: usize = 256 << 10;
/// Around the batch: its key and length, and a little.
const AROUND: usize = 64;

/// Hits of one merchant that are sent together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whose, from 0.
    pub merchant: u32,
    /// How many.
    pub hits: u32,
    /// An encoded message `Batches`.
    pub batches: Bytes,
}

/// Makes hits, in the order in which they happened.
#[derive(Clone, Debug)]
pub struct Generator {
    workload: Workload,
    draws: Draws,
    encoder: Encoder,
    /// The next seq of each client at each merchant.
    seqs: HashMap<u64, u64, BuildHasherDefault<Mixed>>,
    made: u64,
    tally: Tally,
}

impl Generator {
    /// A generator at its first hit.
    pub fn new(workload: Workload) -> Self {
        Self {
            draws: Draws::new(&workload),
            encoder: Encoder::new(&workload),
            seqs: HashMap::default(),
            made: 0,
            tally: Tally::new(workload.merchants),
            workload,
        }
    }

    /// What was made so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The next hits, `hits` or the few more that fill the last batch, as an edge gathers them: by merchant, sent at
    /// `sent_at_ms`.
    pub fn round(&mut self, hits: u32, sent_at_ms: i64) -> Vec<Frame> {
        let batches = hits.div_ceil(self.workload.batch_hits);
        let mut drawn: Vec<(u32, u32)> = (0..batches).map(|index| (self.draws.merchant(), index)).collect();
        drawn.sort_unstable();
        let mut frames = Vec::new();
        for of_merchant in drawn.chunk_by(|a, b| a.0 == b.0) {
            self.frames(of_merchant, sent_at_ms, &mut frames);
        }
        self.made += u64::from(batches) * u64::from(self.workload.batch_hits);
        frames
    }

    fn frames(&mut self, batches: &[(u32, u32)], sent_at_ms: i64, frames: &mut Vec<Frame>) {
        let batch_hits = self.workload.batch_hits;
        let batch_bytes = self.workload.hit_bytes * batch_hits as usize + AROUND;
        for chunk in batches.chunks((FRAME_BYTES / batch_bytes).max(1)) {
            let mut out = Vec::with_capacity(chunk.len() * batch_bytes);
            for (merchant, index) in chunk {
                self.batch(*merchant, *index, sent_at_ms, &mut out);
            }
            if let Some((merchant, _)) = chunk.first() {
                let hits = chunk.len() as u32 * batch_hits;
                frames.push(Frame { merchant: *merchant, hits, batches: out.into() });
            }
        }
    }

    fn batch(&mut self, merchant: u32, index: u32, sent_at_ms: i64, out: &mut Vec<u8>) {
        let batch_hits = u64::from(self.workload.batch_hits);
        let client = self.draws.client();
        let pair = u64::from(merchant) << 32 | u64::from(client);
        let next = self.seqs.entry(pair).or_insert(1);
        let first_seq = *next;
        *next += batch_hits;
        let first = self.made + u64::from(index) * batch_hits;
        let mut hits = Vec::with_capacity(batch_hits as usize);
        for hit in first..first + batch_hits {
            let facts = self.draws.facts();
            let time_ms = self.workload.first_ms + (hit * self.workload.step_ns / 1_000_000) as i64;
            self.tally.count(merchant, time_ms, &counts(&facts));
            hits.push(Sized { time_ms, facts, filler: 0 });
        }
        let head = Head { client, device: self.draws.device(client), first_seq, sent_at_ms };
        self.encoder.batch(merchant, &head, &mut hits, out);
    }
}

fn counts(facts: &Facts) -> Counts {
    Counts {
        hits: 1,
        page_views: u64::from(facts.name == Name::PageView),
        purchases: u64::from(facts.name == Name::Purchase),
        revenue_micros: facts.micros,
    }
}

/// Hashes a word by mixing it: the standard hasher guards against attackers, whom nobody has here, for as much as the
/// rest of a hit costs.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mix(self.0 ^ word);
    }
}
