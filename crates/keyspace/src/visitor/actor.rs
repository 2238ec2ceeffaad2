use std::sync::Arc;

use aggregate::codec::{Malformed, Reader, put_bytes, put_signed, put_varint};
use model::{Hour, Timestamp};

/// Whose hits make sessions: a visitor that a server names, or a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// Its sessions, in order of their start; the first one is where it was new.
    pub sessions: Vec<Session>,
}

/// A stretch of hits of one actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its hits in their order, at least one.
    pub hits: Vec<Hit>,
    /// What is left of hits that are not held any more.
    pub dropped: Option<Box<Tallies>>,
    /// The latest hour in which a hit of it was received.
    pub touched: Hour,
}

/// A hit, as far as its session needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Event time.
    pub at: Timestamp,
    /// Decides which of two hits at the same time is the first.
    pub order: u64,
    /// Whom it counts for: the user that it, or the last hit before it that did, named; else the actor.
    pub visitor: u64,
    /// Whether it named a user itself.
    pub named: bool,
    /// What it counts for.
    pub facts: Facts,
}

impl Hit {
    /// Its place among the hits of its actor.
    pub fn place(&self) -> (Timestamp, u64) {
        (self.at, self.order)
    }
}

/// What a hit counts for, packed by the fold, and shared by hits that have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Facts(Arc<[u8]>);

impl Facts {
    /// These bytes.
    pub fn new(packed: Arc<[u8]>) -> Self {
        Self(packed)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::borrow::Borrow<[u8]> for Facts {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// What hits that are not held any more have added to their session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    /// How many there were.
    pub hits: u64,
    /// How many were page views.
    pub page_views: u64,
    /// How many were interactions.
    pub interactions: u64,
    /// How many were purchases that count.
    pub purchases: u64,
    /// Names of the goals that they reached, in order.
    pub goals: Vec<Box<str>>,
}

const ACTOR: u8 = 0;
const NAMED: u8 = 1;
const NAMED_BEFORE: u8 = 2;

impl Actor {
    pub(super) fn encode<'a>(
        &'a self,
        hash: u64,
        out: &mut Vec<u8>,
        mut number: impl FnMut(&'a Facts) -> u64,
    ) {
        put_varint(out, self.sessions.len() as u64);
        let mut before = 0;
        for session in &self.sessions {
            put_varint(out, session.touched.0.into());
            out.push(session.dropped.is_some().into());
            session.dropped.iter().for_each(|tallies| tallies.encode(out));
            put_varint(out, session.hits.len() as u64);
            for hit in &session.hits {
                put_signed(out, i128::from(hit.at.0) - i128::from(before));
                before = hit.at.0;
                // Most actors are clients, and their order begins with their hash.
                put_varint(out, hit.order.wrapping_sub(hash));
                match (hit.named, hit.visitor == hash) {
                    (true, _) => out.push(NAMED),
                    (false, true) => out.push(ACTOR),
                    (false, false) => out.push(NAMED_BEFORE),
                }
                if hit.named || hit.visitor != hash {
                    out.extend_from_slice(&hit.visitor.to_be_bytes());
                }
                put_varint(out, number(&hit.facts));
            }
        }
    }

    pub(super) fn decode(hash: u64, reader: &mut Reader<'_>, facts: &[Facts]) -> Result<Self, Malformed> {
        let mut actor = Self::default();
        let mut before = 0;
        for _ in 0..reader.count()? {
            let touched = Hour(reader.varint()? as u32);
            let dropped = match reader.byte()? {
                0 => None,
                _ => Some(Box::new(Tallies::decode(reader)?)),
            };
            let mut hits = Vec::new();
            for _ in 0..reader.count()? {
                before = i64::try_from(reader.signed()? + i128::from(before))
                    .map_err(|_| Malformed::Impossible("a hit outside of time"))?;
                let order = reader.varint()?.wrapping_add(hash);
                let who = reader.byte()?;
                let visitor = if who == ACTOR { hash } else { u64::from_be_bytes(reader.array()?) };
                let facts = facts.get(reader.varint()? as usize).cloned();
                let facts = facts.ok_or(Malformed::Impossible("a hit without its facts"))?;
                hits.push(Hit { at: Timestamp(before), order, visitor, named: who == NAMED, facts });
            }
            if hits.is_empty() {
                return Err(Malformed::Impossible("a session without hits"));
            }
            actor.sessions.push(Session { hits, dropped, touched });
        }
        Ok(actor)
    }
}

impl Tallies {
    fn encode(&self, out: &mut Vec<u8>) {
        [self.hits, self.page_views, self.interactions, self.purchases]
            .iter()
            .for_each(|n| put_varint(out, *n));
        put_varint(out, self.goals.len() as u64);
        self.goals.iter().for_each(|goal| put_bytes(out, goal.as_bytes()));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut tallies = Self {
            hits: reader.varint()?,
            page_views: reader.varint()?,
            interactions: reader.varint()?,
            purchases: reader.varint()?,
            goals: Vec::new(),
        };
        for _ in 0..reader.count()? {
            let goal = str::from_utf8(reader.bytes()?);
            tallies.goals.push(goal.map_err(|_| Malformed::Impossible("a name that is no text"))?.into());
        }
        Ok(tallies)
    }
}
