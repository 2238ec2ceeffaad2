//! The fold: one batch of the log into what is held of its merchant. A plain function of the state, the batch and the
//! rules: the same log gives the same cells, now and in any replay.

use hashbrown::HashSet;
use keyspace::fate::Fates;
use keyspace::record::{BatchEntry, RefusedEntry};
use keyspace::visitor::{Bucket, Facts, Hit, Transaction, bucket_of};
use model::{EventName, Fate, Hour, Lane, Position, Refusal, Timestamp, stable_hash};
use proto::wire::{BatchRef, ContextRef, HitRef, Malformed};
use smallvec::SmallVec;

use crate::agent::Agents;
use crate::dedupe::{Arrival, arrive};
use crate::facts::{self, Reading, as_duplicate};
use crate::rulebook::Rulebook;
use crate::session::{self, Moved};
use crate::state::{MerchantState, Stage};
use crate::tally::Tally;

/// Minute cells are kept for this long: the two days that queries may ask for, and an hour so that the oldest minute of
/// those is always whole.
pub const MINUTES_KEPT_MS: i64 = 49 * Hour::MILLIS;

/// Buckets of visitor state that a batch needs and that are not held: load them and fold it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(pub Vec<u8>);

/// What is the same for a whole run of the fold.
#[derive(Default)]
pub struct Folder {
    agents: Agents,
    shared: Shared,
    unpacked: Vec<u8>,
    packed: Vec<u8>,
    row: Vec<u8>,
    fates: Fates,
}

/// A hit on its way through the fold.
struct Arriving<'a> {
    seq: u64,
    skipped: u32,
    who: Who,
    content: Content<'a>,
}

#[expect(clippy::large_enum_variant, reason = "nearly all are hits, and none outlives its batch")]
enum Content<'a> {
    Hit(HitRef<'a>, ContextRef<'a>),
    Refused(Refusal),
    Unreadable,
}

impl Folder {
    /// Folds a batch at `position`; `read_before` bytes of the log were read before it. Nothing is changed if buckets are
    /// missing.
    pub fn batch(
        &mut self,
        state: &mut MerchantState,
        entry: &BatchEntry<'_>,
        position: Position,
        read_before: u64,
        rulebook: &Rulebook,
    ) -> Result<(), Missing> {
        let stage = state.stage(position);
        if stage == Stage::Done {
            return Ok(());
        }
        let mut unpacked = std::mem::take(&mut self.unpacked);
        let folded = match open(entry, &mut unpacked) {
            Ok((client, batch, arriving)) => {
                self.arriving(state, entry, stage, position, read_before, rulebook, client, &batch, arriving)
            }
            // Admission walked these very bytes, so this is a defect or a later version's record: the hits, whose number
            // nobody can tell, stay in the log.
            Err(malformed) => {
                tracing::error!(%position, merchant = %entry.merchant, "a batch in the log is not readable: {malformed}");
                Ok(())
            }
        };
        self.unpacked = unpacked;
        folded
    }

    /// The buckets that [`Folder::batch`] would miss, for reading ahead.
    pub fn missing(&mut self, state: &MerchantState, entry: &BatchEntry<'_>, position: Position) -> Missing {
        if state.stage(position) == Stage::Done {
            return Missing(Vec::new());
        }
        let mut unpacked = std::mem::take(&mut self.unpacked);
        let opened = open(entry, &mut unpacked);
        let missing = opened.map_or(Vec::new(), |(client, _, arriving)| missing(state, client, &arriving));
        self.unpacked = unpacked;
        Missing(missing)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one batch, opened")]
    fn arriving(
        &mut self,
        state: &mut MerchantState,
        entry: &BatchEntry<'_>,
        stage: Stage,
        position: Position,
        read_before: u64,
        rulebook: &Rulebook,
        client: u64,
        batch: &BatchRef<'_>,
        arriving: Vec<Arriving<'_>>,
    ) -> Result<(), Missing> {
        let missing = missing(state, client, &arriving);
        if !missing.is_empty() {
            return Err(Missing(missing));
        }

        state.folded_hits += arriving.len() as u64;
        state.state_dirty_since.get_or_insert((position, read_before));
        note(state, stage, position, entry.received_at);
        let data_stream = entry.data_stream.to_string();
        let epoch = if batch.epoch == 0 { entry.epoch } else { batch.epoch };
        for arriving in arriving {
            let arrival = arrive_at(state, client, epoch, &arriving);
            let fate = match (&arriving.content, arrival) {
                (Content::Refused(reason), _) => {
                    if stage == Stage::Fresh {
                        state.fates(entry.received_at.hour()).refuse(*reason, 1);
                    }
                    continue;
                }
                (_, Arrival::Again) => Fate::Duplicate,
                (_, Arrival::Forgotten) | (Content::Unreadable, Arrival::First) => Fate::DeadLettered,
                (Content::Hit(hit, context), Arrival::First) => {
                    let (version, versioned) = rulebook.at(entry.rules_version);
                    let reading =
                        Reading { hit, context, data_stream: &data_stream, version, rules: &versioned.rules };
                    self.packed.clear();
                    match facts::read(&reading, &mut self.agents, &mut self.packed) {
                        Ok(()) => {
                            let at = event_time(hit.time_ms, batch.sent_at_ms, entry);
                            let order = order(client, epoch, arriving.seq);
                            let facts = self.shared.facts(&self.packed);
                            let Who { actor, visitor, named } = arriving.who;
                            let new = Hit { at, order, visitor, named, facts };
                            let timeout_ms = versioned.rules.session_timeout_ms();
                            let moved = place(state, actor, new, hit, entry.received_at, timeout_ms);
                            if stage == Stage::Fresh {
                                let received_at = entry.received_at;
                                let row = &mut self.row;
                                moved.iter().for_each(|moved| {
                                    Tally { state, rulebook, received_at, row }.count(moved);
                                });
                            }
                            Fate::Counted
                        }
                        Err(reason) => {
                            if stage == Stage::Fresh {
                                state.fates(entry.received_at.hour()).filter(&reason, 1);
                                self.fates.add(Fate::Filtered, 1);
                            }
                            continue;
                        }
                    }
                }
            };
            if stage == Stage::Fresh {
                state.fates(entry.received_at.hour()).add(fate, 1);
                self.fates.add(fate, 1);
            }
        }
        Ok(())
    }

    /// How many hits had which fate since this was asked last.
    pub fn take_fates(&mut self) -> Fates {
        std::mem::take(&mut self.fates)
    }

    /// Counts hits that were refused as a whole.
    pub fn refused(&mut self, state: &mut MerchantState, entry: &RefusedEntry, position: Position) {
        if state.stage(position) == Stage::Fresh {
            note(state, Stage::Fresh, position, entry.received_at);
            state.fates(entry.received_at.hour()).refuse(entry.reason, entry.hits);
        }
    }
}

fn note(state: &mut MerchantState, stage: Stage, position: Position, received_at: Timestamp) {
    state.latest = state.latest.max(received_at.hour());
    state.folded_through = state.folded_through.max(position);
    state.dirty |= stage == Stage::Fresh;
}

/// Buckets that are needed and not held: those of the client, of its actors, of the transactions of its purchases, and of whose
/// purchases count for those.
fn missing(state: &MerchantState, client: u64, arriving: &[Arriving<'_>]) -> Vec<u8> {
    let mut needed: Vec<_> = arriving.iter().map(|hit| bucket_of(hit.who.actor)).collect();
    needed.push(bucket_of(client));
    for transaction in arriving.iter().filter_map(|arriving| match &arriving.content {
        Content::Hit(hit, _) => transaction_of(hit),
        Content::Refused(_) | Content::Unreadable => None,
    }) {
        needed.push(bucket_of(transaction));
        let held = state.buckets.get(&bucket_of(transaction));
        needed.extend(
            held.and_then(|held| held.bucket.transaction(transaction)).map(|counts| bucket_of(counts.actor)),
        );
    }
    needed.retain(|bucket| !state.buckets.contains_key(bucket));
    needed.sort_unstable();
    needed.dedup();
    needed
}

/// Walks a batch: its client's hash, the batch, and its hits with their seqs and visitors.
fn open<'a>(
    entry: &BatchEntry<'a>,
    unpacked: &'a mut Vec<u8>,
) -> Result<(u64, BatchRef<'a>, Vec<Arriving<'a>>), Malformed> {
    let batch = BatchRef::parse(entry.batch)?;
    let context = batch.context.over(ContextRef::parse(entry.context)?);
    let client_id = if batch.client_id.is_empty() { entry.client_id } else { batch.client_id };
    let client = stable_hash(client_id.as_bytes());
    let mut refused = entry.refused.iter().peekable();
    let mut seq = batch.first_seq;
    let mut arriving = Vec::new();
    for (index, encoded) in batch.hits(unpacked)?.enumerate() {
        let hit = HitRef::parse(encoded?);
        let refusal = refused.next_if(|(at, _)| *at as usize == index);
        // Seqs that the client gave to hits which it never sends lie before this one.
        let skipped = hit.as_ref().map_or(0, |hit| hit.skipped);
        seq = seq.wrapping_add(u64::from(skipped));
        let nobody = Who { actor: client, visitor: client, named: false };
        let (who, content) = match (refusal, hit) {
            (Some((_, reason)), _) => (nobody, Content::Refused(reason)),
            (None, Err(_)) => (nobody, Content::Unreadable),
            (None, Ok(hit)) => {
                let context = hit.context.over(context);
                (Who::of(&context, client), Content::Hit(hit, context))
            }
        };
        arriving.push(Arriving { seq, skipped, who, content });
        seq = seq.wrapping_add(1);
    }
    Ok((client, batch, arriving))
}

/// Whose a hit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Who {
    /// Whose sessions it is in: the visitor that a server names, else the client.
    actor: u64,
    /// Whom it counts for, as far as it says so itself: its user, else the actor.
    visitor: u64,
    /// Whether it names a user.
    named: bool,
}

impl Who {
    fn of(context: &ContextRef<'_>, client: u64) -> Self {
        // A user whose id is spelled as some client's is still somebody else.
        const USERS: u64 = 0x0057_5e72_0000_0000;
        let actor = match context.visitor_id {
            "" => client,
            visitor => stable_hash(visitor.as_bytes()),
        };
        match context.user_id {
            "" => Self { actor, visitor: actor, named: false },
            user => Self { actor, visitor: stable_hash(user.as_bytes()) ^ USERS, named: true },
        }
    }
}

/// Between hits at the same instant the order is any, as long as it is always the same one; those of a client are in the order of
/// their seqs.
fn order(client: u64, epoch: u64, seq: u64) -> u64 {
    client.wrapping_add(epoch.rotate_left(32)).wrapping_add(seq)
}

/// What a purchase is known by, if it says so.
fn transaction_of(hit: &HitRef<'_>) -> Option<u64> {
    const TRANSACTIONS: u64 = 0x7261_5e72_0000_0000;
    let is_one = hit.name == EventName::PURCHASE.as_str() && !hit.transaction_id.is_empty();
    is_one.then(|| stable_hash(hit.transaction_id.as_bytes()) ^ TRANSACTIONS)
}

fn event_time(time_ms: i64, sent_at_ms: i64, entry: &BatchEntry<'_>) -> Timestamp {
    match (time_ms, entry.lane) {
        (0, _) => entry.received_at,
        (time, Lane::History) => Timestamp(time),
        (time, Lane::Live) => Timestamp(time).corrected(Timestamp(sent_at_ms), entry.received_at),
    }
}

fn arrive_at(state: &mut MerchantState, client: u64, epoch: u64, hit: &Arriving<'_>) -> Arrival {
    arrive(bucket(state, client).client(client), epoch, hit.seq, hit.skipped)
}

/// Puts a hit into the sessions of its actor. Of several purchases of one transaction the first one counts: if that is this one,
/// the one that counted until now is taken back.
fn place(
    state: &mut MerchantState,
    actor: u64,
    mut new: Hit,
    hit: &HitRef<'_>,
    received_at: Timestamp,
    timeout_ms: i64,
) -> SmallVec<[Moved; 2]> {
    let mut moved = SmallVec::new();
    if let Some(transaction) = transaction_of(hit) {
        let known = bucket(state, transaction).transaction(transaction);
        let replaced = match known {
            Some(counts) if new.place() < (counts.at, counts.order) => session::replace(
                bucket(state, counts.actor).actor(counts.actor),
                (counts.at, counts.order),
                as_duplicate,
            ),
            _ => None,
        };
        if known.is_none() || replaced.is_some() {
            let counts = Transaction { at: new.at, order: new.order, actor };
            bucket(state, transaction).set_transaction(transaction, counts);
        } else {
            new.facts = as_duplicate(&new.facts);
        }
        moved.extend(replaced);
    }
    let actor_state = bucket(state, actor).actor(actor);
    moved.push(session::observe(actor_state, actor, new, received_at.hour(), timeout_ms));
    moved
}

/// The bucket of a hash, which changes.
fn bucket(state: &mut MerchantState, hash: u64) -> &mut Bucket {
    let held = state.buckets.entry(bucket_of(hash)).or_default();
    held.dirty = true;
    &mut held.bucket
}

/// Facts that were packed, so that hits with the same share them.
#[derive(Default)]
struct Shared(HashSet<Facts>);

impl Shared {
    /// When this many are known, all are forgotten: those who have them keep them.
    const MOST: usize = 65_536;

    fn facts(&mut self, packed: &[u8]) -> Facts {
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        self.0.get_or_insert_with(packed, |packed| Facts::new(packed.into())).clone()
    }
}

#[cfg(test)]
mod tests;
