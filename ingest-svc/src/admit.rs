//! Which hits of a batch are taken. One borrowed walk over the bytes as they came; what is good costs no allocation.
//!
//! A bad hit is refused alone. A batch is refused as a whole only where its hits cannot be told apart or numbered.

mod context;
mod hit;

use model::{Invalid, Lane, Refusal, Timestamp, limits, stable_hash};
use proto::v1;
use proto::wire::{BatchRef, Fields, HitRef, Malformed};

pub(crate) use context::check as check_context;

use crate::refusals::Refusals;

const FIRST_SEQ: u32 = 3;
const HITS: u32 = 8;

/// What a stream knows of all its batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// The client of batches that name none.
    pub(crate) client_id: &'a str,
    /// The epoch of batches that give none.
    pub(crate) epoch: u64,
    /// Under which rules of time hits are admitted.
    pub(crate) lane: Lane,
    /// When the batches were received.
    pub(crate) received_at: Timestamp,
}

/// A batch that was walked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Admitted<'a> {
    /// The client that it names, if it does.
    pub(crate) client_id: &'a str,
    /// Its epoch.
    pub(crate) epoch: u64,
    /// Seq of its first hit.
    pub(crate) first_seq: u64,
    /// Its hits, the refused ones included.
    pub(crate) hits: u64,
    /// The refused ones by their index, rising.
    pub(crate) refused: Vec<(u32, Refusal)>,
    /// What routes it.
    pub(crate) client_hash: u64,
}

/// A batch of which nothing is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    /// Its hits, as far as they could be told.
    pub(crate) hits: u64,
    /// Why.
    pub(crate) reason: Refusal,
}

/// Why a hit, or all of a batch, is refused, for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Why.
    pub(crate) reason: Refusal,
    /// The value at fault and what is allowed.
    pub(crate) message: String,
}

impl Fault {
    /// Refuses for `reason`.
    pub(crate) fn new(reason: Refusal, message: impl ToString) -> Self {
        Self { reason, message: message.to_string() }
    }
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Self {
        let reason = match malformed {
            Malformed::NotUtf8(_) => Refusal::BadText,
            Malformed::NotProtobuf | Malformed::WireType(_) | Malformed::NotPacked | Malformed::BothHits => {
                Refusal::Malformed
            }
        };
        Self::new(reason, malformed)
    }
}

/// Decides which hits of an encoded `Batch` are taken. What the client hears of the others goes to `told`. Packed hits
/// are unpacked into `scratch`.
pub(crate) fn admit<'a>(
    encoded: &'a [u8],
    facts: &Facts<'_>,
    scratch: &mut Vec<u8>,
    told: &mut Refusals,
) -> Result<Admitted<'a>, Whole> {
    let batch = match BatchRef::parse(encoded) {
        Ok(mut batch) => {
            batch.epoch = if batch.epoch == 0 { facts.epoch } else { batch.epoch };
            batch
        }
        Err(malformed) => {
            let (first_seq, hits) = salvage(encoded);
            let mut batch = BatchRef::default();
            batch.first_seq = first_seq;
            return Err(whole(&batch, hits, malformed.into(), told));
        }
    };
    match walk(encoded, &batch, facts, scratch) {
        Ok(mut walked) => {
            let refused = walked.faults.iter().map(|(index, _, fault)| (*index, fault.reason)).collect();
            for (_, seq, fault) in walked.faults.drain(..) {
                told.add(refused_hits(&batch, seq, 1, fault));
            }
            let BatchRef { client_id, epoch, first_seq, .. } = batch;
            let Walked { hits, client_hash, .. } = walked;
            Ok(Admitted { client_id, epoch, first_seq, hits, refused, client_hash })
        }
        Err((hits, fault)) => Err(whole(&batch, hits, fault, told)),
    }
}

struct Walked {
    hits: u64,
    client_hash: u64,
    /// Index and seq of each hit that is refused.
    faults: Vec<(u32, u64, Fault)>,
}

/// Goes through the hits. An error is for all of them: their number, as far as it is known, and what is wrong.
fn walk(
    encoded: &[u8],
    batch: &BatchRef<'_>,
    facts: &Facts<'_>,
    scratch: &mut Vec<u8>,
) -> Result<Walked, (u64, Fault)> {
    let client_id = if batch.client_id.is_empty() { facts.client_id } else { batch.client_id };
    let head = check_head(encoded, batch, client_id);
    let hits = batch.hits(scratch).map_err(|malformed| (0, malformed.into()))?;
    if let Err(fault) = head {
        return Err((hits.map_while(Result::ok).count() as u64, fault));
    }
    let times =
        hit::Times { lane: facts.lane, sent_at: Timestamp(batch.sent_at_ms), received_at: facts.received_at };
    let mut faults = Vec::new();
    let mut next = Some(batch.first_seq);
    let mut index = 0;
    for hit in hits {
        let hit = hit.map_err(|malformed| (u64::from(index), malformed.into()))?;
        if index < limits::BATCH_HITS as u32 {
            let parsed = HitRef::parse(hit);
            // A hit that cannot be read takes one seq: what it skipped cannot be known.
            let skipped = parsed.as_ref().map_or(0, |hit| hit.skipped);
            let seq = next.and_then(|next| next.checked_add(skipped.into()));
            next = seq.and_then(|seq| seq.checked_add(1));
            if let Err(fault) = hit::check(hit, parsed, &times) {
                faults.push((index, seq.unwrap_or_default(), fault));
            }
        }
        index += 1;
    }
    let hits = u64::from(index);
    if hits > limits::BATCH_HITS as u64 {
        let fault = Invalid::new("number of hits in a batch", hits.to_string(), at_most(limits::BATCH_HITS));
        return Err((hits, Fault::new(Refusal::TooLarge, fault)));
    }
    if next.is_none() {
        let fault =
            Invalid::new("first_seq", batch.first_seq.to_string(), "one from which the hits can be numbered");
        return Err((hits, Fault::new(Refusal::Malformed, fault)));
    }
    Ok(Walked { hits, client_hash: stable_hash(client_id.as_bytes()), faults })
}

/// What must be right for any hit of the batch to be taken.
fn check_head(encoded: &[u8], batch: &BatchRef<'_>, client_id: &str) -> Result<(), Fault> {
    if encoded.len() > limits::BATCH_BYTES {
        let bytes = encoded.len().to_string();
        let fault = Invalid::new("number of bytes in a batch", bytes, at_most(limits::BATCH_BYTES));
        return Err(Fault::new(Refusal::TooLarge, fault));
    }
    if client_id.is_empty() {
        return Err(Fault::new(Refusal::Malformed, "neither setup nor the batch names a client"));
    }
    context::check_id("client id", client_id)?;
    if batch.first_seq == 0 {
        let fault = Invalid::new("first_seq", "0", "seqs start at 1");
        return Err(Fault::new(Refusal::Malformed, fault));
    }
    context::check(&batch.context)
}

pub(crate) fn at_most(limit: usize) -> String {
    format!("at most {limit}")
}

/// The seq of the first hit and the number of hits of a batch that cannot be read, as far as it can.
fn salvage(encoded: &[u8]) -> (u64, u64) {
    Fields::of(encoded).map_while(Result::ok).fold((0, 0), |(seq, hits), field| match field.number {
        FIRST_SEQ => (field.varint().unwrap_or(seq), hits),
        HITS => (seq, hits + 1),
        _ => (seq, hits),
    })
}

fn whole(batch: &BatchRef<'_>, hits: u64, fault: Fault, told: &mut Refusals) -> Whole {
    let reason = fault.reason;
    let of_all = match hits {
        0 => String::new(),
        1 => "1 hit: ".to_owned(),
        hits => format!("all {hits} hits: "),
    };
    let message = format!("{of_all}{}", fault.message);
    told.add(refused_hits(batch, batch.first_seq, hits, Fault { reason, message }));
    Whole { hits, reason }
}

fn refused_hits(batch: &BatchRef<'_>, seq: u64, hits: u64, fault: Fault) -> v1::Refused {
    // One that is too long is why the batch is refused, and not worth sending back.
    let client_id = if batch.client_id.len() > limits::ID_BYTES { "" } else { batch.client_id };
    v1::Refused {
        client_id: client_id.to_owned(),
        epoch: batch.epoch,
        seq,
        reason: fault.reason.number().into(),
        message: fault.message,
        hits,
    }
}

#[cfg(test)]
mod tests;
