//! Sessions as a function of the set of an actor's hits: a stretch of event time in which no pause is longer than the timeout,
//! and which is cut where it is 24 hours old. A late hit may begin a session, lengthen one, join two or move a cut; whatever
//! the order in which hits arrive, the sessions are the same, and so is what they count for: what was counted is taken back,
//! and counted anew.

mod cut;
mod dropping;
mod summary;
#[cfg(test)]
mod tests;
mod visit;

use keyspace::visitor::{Actor, Facts, Hit, Session};
use model::{Hour, Timestamp};
use smallvec::{SmallVec, smallvec};

pub use dropping::drop_long_old;
pub use summary::Summary;
pub use visit::Visit;

use crate::facts::FactsRef;

/// A session is at most this long.
pub const LONGEST_MS: i64 = 24 * Hour::MILLIS;
/// Sessions remembered of an actor: the first, and the latest ones. A hit that is so late that it belongs between begins
/// a session of its own.
const REMEMBERED: usize = 64;

/// What the hits and sessions of an actor count for changed: each so many times more, or less.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moved {
    /// Hits.
    pub hits: SmallVec<[(Hit, Visit, i64); 1]>,
    /// Sessions.
    pub sessions: SmallVec<[(Summary, Visit, i64); 2]>,
}

/// Takes in a hit of an actor, known by its hash, that was received in this hour.
pub fn observe(actor: &mut Actor, hash: u64, mut hit: Hit, received: Hour, timeout_ms: i64) -> Moved {
    actor.sessions.iter_mut().for_each(|session| dropping::drop_if_old(session, received));
    let place = cut::find(&actor.sessions, hit.at, timeout_ms);
    if !hit.named {
        hit.visitor = named_before(&actor.sessions, &hit).unwrap_or(hash);
    }
    let moved = if place.is_empty() && place.start == actor.sessions.len() {
        begin(actor, hit, received)
    } else if place.len() == 1 && is_plain(&actor.sessions, place.start, &hit, timeout_ms) {
        join(actor, place.start, hit, received)
    } else {
        rearrange(actor, |sessions| {
            cut::insert(sessions, place, hit, received, timeout_ms);
            name_visitors(sessions, hash);
        })
    };
    actor.sessions.iter_mut().for_each(dropping::drop_if_large);
    if actor.sessions.len() > REMEMBERED {
        actor.sessions.remove(1);
    }
    moved
}

/// Gives a hit other facts, if it is still held.
pub fn replace(
    actor: &mut Actor,
    place: (Timestamp, u64),
    other: impl FnOnce(&Facts) -> Facts,
) -> Option<Moved> {
    let mut hits = actor.sessions.iter().flat_map(|session| &session.hits);
    let facts = other(&hits.find(|hit| hit.place() == place)?.facts);
    Some(rearrange(actor, |sessions| {
        let mut hits = sessions.iter_mut().flat_map(|session| &mut session.hits);
        if let Some(hit) = hits.find(|hit| hit.place() == place) {
            hit.facts = facts;
        }
    }))
}

/// A session that begins after all others: nothing else changes.
fn begin(actor: &mut Actor, hit: Hit, received: Hour) -> Moved {
    // Most actors have one session, and there are millions of actors.
    actor.sessions.reserve_exact(1);
    actor.sessions.push(Session { hits: vec![hit.clone()], dropped: None, touched: received });
    let index = actor.sessions.len() - 1;
    let visit = Visit::of(&actor.sessions, index);
    let summary = Summary::of(&actor.sessions[index]);
    Moved { hits: smallvec![(hit, visit.clone(), 1)], sessions: smallvec![(summary, visit, 1)] }
}

/// Whether a hit joins a session and changes nothing of the others, nor of what the session's other hits count under.
fn is_plain(sessions: &[Session], index: usize, hit: &Hit, timeout_ms: i64) -> bool {
    let session = &sessions[index];
    let Some(first) = session.hits.first() else { return false };
    let has_earlier = |is: fn(&Facts) -> bool| {
        !is(&hit.facts) || session.hits.iter().any(|other| is(&other.facts) && other.place() < hit.place())
    };
    let next = session.hits.iter().chain(sessions[index + 1..].iter().flat_map(|later| &later.hits));
    let next = next.clone().find(|other| other.place() > hit.place());
    let stands_alone = cut::stands_alone(sessions, index, timeout_ms);
    let long =
        session.hits.last().is_some_and(|last| last.at.max(hit.at).millis_since(first.at) >= LONGEST_MS);
    hit.place() > first.place()
        && stands_alone
        && !long
        && has_earlier(FactsRef::is_lead)
        && has_earlier(FactsRef::is_page_view)
        && next.is_none_or(|next| next.named || next.visitor == hit.visitor)
}

fn join(actor: &mut Actor, index: usize, hit: Hit, received: Hour) -> Moved {
    let visit = Visit::of(&actor.sessions, index);
    let before = Summary::of(&actor.sessions[index]);
    let session = &mut actor.sessions[index];
    let at = session.hits.partition_point(|other| other.place() < hit.place());
    session.hits.insert(at, hit.clone());
    session.touched = session.touched.max(received);
    let after = Summary::of(session);
    let mut sessions = SmallVec::new();
    if after != before {
        sessions.push((before, visit.clone(), -1));
        sessions.push((after, visit.clone(), 1));
    }
    Moved { hits: smallvec![(hit, visit, 1)], sessions }
}

/// Changes the sessions in any way: whatever counts in another way afterwards is taken back and counted anew.
fn rearrange(actor: &mut Actor, change: impl FnOnce(&mut Vec<Session>)) -> Moved {
    let before = parts(&actor.sessions);
    change(&mut actor.sessions);
    let after = parts(&actor.sessions);
    let mut moved = Moved::default();
    for (side, other, times) in [(&before, &after, -1), (&after, &before, 1)] {
        for part in side.iter().filter(|part| !other.contains(part)) {
            let (hits, summary, visit) = part;
            moved.hits.extend(hits.iter().map(|hit| (hit.clone(), visit.clone(), times)));
            moved.sessions.push((summary.clone(), visit.clone(), times));
        }
    }
    moved
}

fn parts(sessions: &[Session]) -> Vec<(Vec<Hit>, Summary, Visit)> {
    let part = |(index, session): (usize, &Session)| {
        (session.hits.clone(), Summary::of(session), Visit::of(sessions, index))
    };
    sessions.iter().enumerate().map(part).collect()
}

/// Whom the last hit before this one counts for.
fn named_before(sessions: &[Session], hit: &Hit) -> Option<u64> {
    let before = sessions.iter().rev().flat_map(|session| session.hits.iter().rev());
    before.clone().find(|other| other.place() < hit.place()).map(|other| other.visitor)
}

/// From the hit that names a user on, the hits of an actor count for that user. Where not all hits are held any more, who named
/// whom cannot be told, and stays as it was.
fn name_visitors(sessions: &mut [Session], hash: u64) {
    let mut visitor = hash;
    for session in sessions {
        let is_whole = session.dropped.is_none();
        for hit in &mut session.hits {
            if is_whole && !hit.named {
                hit.visitor = visitor;
            }
            visitor = hit.visitor;
        }
    }
}
