//! The fold: one batch of the log into what is held of its merchant. A plain function of the state, the batch and the
//! rules: the same log gives the same cells, now and in any replay.

use aggregate::MoneySum;
use keyspace::cell::Cell;
use keyspace::fate::Fates;
use keyspace::record::{BatchEntry, RefusedEntry};
use keyspace::visitor::{Facts, bucket_of};
use model::{Currency, EventName, Fate, Hour, Lane, Position, Refusal, Timestamp, stable_hash};
use proto::wire::{BatchRef, ContextRef, HitRef, Malformed};

use crate::agent::Agents;
use crate::dedupe::{Arrival, arrive};
use crate::facts::{self, Values};
use crate::session::{Start, observe};
use crate::state::{CUBES, FIRST_DIMENSION, Held, MINUTE, MerchantState, Stage, TOTAL};

/// What a merchant configured that the fold depends on, at one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Milliseconds without a hit after which a session is over.
    pub session_timeout_ms: i64,
}

impl Default for Rules {
    fn default() -> Self {
        Self { session_timeout_ms: 30 * 60_000 }
    }
}

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
    unpacked: Vec<u8>,
    fates: Fates,
}

/// A hit on its way through the fold.
struct Arriving<'a> {
    seq: u64,
    skipped: u32,
    visitor: u64,
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
        rules: &Rules,
    ) -> Result<(), Missing> {
        let stage = state.stage(position);
        if stage == Stage::Done {
            return Ok(());
        }
        let mut unpacked = std::mem::take(&mut self.unpacked);
        let folded = match open(entry, &mut unpacked) {
            Ok((client, batch, arriving)) => {
                self.arriving(state, entry, stage, position, read_before, rules, client, &batch, arriving)
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
        rules: &Rules,
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
                    let at = event_time(hit.time_ms, batch.sent_at_ms, entry);
                    let values = facts::values(hit, context, &data_stream, &mut self.agents);
                    let when = When { at, received_at: entry.received_at };
                    count(state, stage, &arriving, client, hit, &values, when, rules);
                    Fate::Counted
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

/// Buckets of the client and of its visitors that are not held.
fn missing(state: &MerchantState, client: u64, arriving: &[Arriving<'_>]) -> Vec<u8> {
    let mut needed: Vec<_> = arriving.iter().map(|hit| bucket_of(hit.visitor)).collect();
    needed.push(bucket_of(client));
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
        let (visitor, content) = match (refusal, hit) {
            (Some((_, reason)), _) => (client, Content::Refused(reason)),
            (None, Err(_)) => (client, Content::Unreadable),
            (None, Ok(hit)) => {
                let context = hit.context.over(context);
                (visitor_hash(&context, client), Content::Hit(hit, context))
            }
        };
        arriving.push(Arriving { seq, skipped, visitor, content });
        seq = seq.wrapping_add(1);
    }
    Ok((client, batch, arriving))
}

/// Whom a hit is counted for: the user if known, else the visitor that a server names, else the client.
fn visitor_hash(context: &ContextRef<'_>, client: u64) -> u64 {
    // A user whose id is spelled as some client's is still somebody else.
    const USERS: u64 = 0x0057_5e72_0000_0000;
    match (context.user_id, context.visitor_id) {
        ("", "") => client,
        ("", visitor) => stable_hash(visitor.as_bytes()),
        (user, _) => stable_hash(user.as_bytes()) ^ USERS,
    }
}

fn event_time(time_ms: i64, sent_at_ms: i64, entry: &BatchEntry<'_>) -> Timestamp {
    match (time_ms, entry.lane) {
        (0, _) => entry.received_at,
        (time, Lane::History) => Timestamp(time),
        (time, Lane::Live) => Timestamp(time).corrected(Timestamp(sent_at_ms), entry.received_at),
    }
}

fn arrive_at(state: &mut MerchantState, client: u64, epoch: u64, hit: &Arriving<'_>) -> Arrival {
    let held = state.buckets.entry(bucket_of(client)).or_default();
    held.dirty = true;
    arrive(held.bucket.client(client), epoch, hit.seq, hit.skipped)
}

#[derive(Clone, Copy)]
struct When {
    at: Timestamp,
    received_at: Timestamp,
}

impl When {
    fn has_minute(&self) -> bool {
        self.received_at.millis_since(self.at) < MINUTES_KEPT_MS
    }
}

/// Puts a hit into the sessions of its visitor and into the cells.
#[expect(clippy::too_many_arguments, reason = "everything that is known of one hit")]
fn count(
    state: &mut MerchantState,
    stage: Stage,
    arriving: &Arriving<'_>,
    client: u64,
    hit: &HitRef<'_>,
    values: &Values<'_>,
    when: When,
    rules: &Rules,
) {
    let held = state.buckets.entry(bucket_of(arriving.visitor)).or_default();
    held.dirty = true;
    let visitor = held.bucket.visitor(arriving.visitor);
    // Between hits at the same instant the order is any, as long as it is always the same one.
    let order = client.wrapping_add(arriving.seq);
    let moved = observe(visitor, when.at, order, rules.session_timeout_ms, || facts::pack(values));
    if stage != Stage::Fresh {
        return;
    }
    count_hit(state.hour(when.at.hour()), hit, values, arriving.visitor, when);
    moved.taken.iter().for_each(|start| count_start(state, start, -1, when.received_at));
    moved.added.iter().for_each(|start| count_start(state, start, 1, when.received_at));
}

fn count_hit(
    cells: &mut [Held<Cell>; CUBES],
    hit: &HitRef<'_>,
    values: &Values<'_>,
    visitor: u64,
    when: When,
) {
    let quarter = when.at.quarter();
    let page_view = hit.name == EventName::PAGE_VIEW.as_str() || hit.name == EventName::SCREEN_VIEW.as_str();
    let purchase = hit.name == EventName::PURCHASE.as_str();
    let money = hit.value.map(|value| MoneySum {
        currency: value.currency.parse().unwrap_or(Currency::NONE),
        revenue: if purchase { value.micros.into() } else { 0 },
        value: value.micros.into(),
    });
    let mut add = |place: usize, value: &[u8]| {
        let row = cells[place].change().row(value);
        row.visitors.insert(visitor, quarter);
        let slot = row.slot(quarter);
        slot.counts.hits += 1;
        slot.counts.page_views += i64::from(page_view);
        slot.counts.purchases += i64::from(purchase);
        if let Some(money) = money {
            slot.money.add(money);
        }
    };
    add(TOTAL, b"");
    if when.has_minute() {
        add(MINUTE, &[when.at.minute()]);
    }
    for (place, value) in (FIRST_DIMENSION..CUBES).zip(values) {
        add(place, value.as_bytes());
    }
}

/// Adds a session where it began, or takes it back.
fn count_start(state: &mut MerchantState, start: &Start, sign: i64, received_at: Timestamp) {
    let when = When { at: start.at, received_at };
    let cells = state.hour(start.at.hour());
    let mut add = |place: usize, value: &[u8]| {
        let counts = &mut cells[place].change().row(value).slot(start.at.quarter()).counts;
        counts.sessions += sign;
        counts.new_visitors += sign * i64::from(start.new_visitor);
    };
    add(TOTAL, b"");
    if when.has_minute() {
        add(MINUTE, &[start.at.minute()]);
    }
    for (place, value) in (FIRST_DIMENSION..CUBES).zip(Facts::values(&start.facts)) {
        add(place, value);
    }
}
