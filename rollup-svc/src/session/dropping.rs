//! Which hits of a session need not be held any more. What a session counts for stays the same without them; only a hit that comes
//! later than is said here can no longer move them.

use keyspace::visitor::{Bucket, Hit, Session, Tallies};
use model::Hour;

use super::summary;
use crate::facts::FactsRef;

/// Hours after the last hit of a session was received. A live hit is at most 72 hours old, and a session that it can touch
/// ended at most 8 hours before it.
const HELD_HOURS: u32 = 96;
/// Hits of one session that are held at the most.
const HELD_HITS: usize = 500;
/// Hits of a dropped session that are held because they are steps of funnels.
const HELD_STEPS: usize = 64;

/// Drops hits of a session that no live hit can come to any more.
pub(super) fn drop_if_old(session: &mut Session, received: Hour) {
    if session.dropped.is_none() && received.0.saturating_sub(session.touched.0) > HELD_HOURS {
        drop_hits(session);
    }
}

/// Drops hits of sessions that nobody has come to for so long that the next hit of their actor would drop them before anything
/// else: the receipts of one log are in order but for minutes, so that it makes no difference when this is done.
pub fn drop_long_old(bucket: &mut Bucket, received: Hour) {
    const MARGIN: u32 = 1;
    let sessions = bucket.actors_mut().flat_map(|actor| &mut actor.sessions);
    sessions.for_each(|session| drop_if_old(session, Hour(received.0.saturating_sub(MARGIN))));
}

/// Drops hits of a session that has too many.
pub(super) fn drop_if_large(session: &mut Session) {
    if session.hits.len() > HELD_HITS {
        drop_hits(session);
    }
}

fn drop_hits(session: &mut Session) {
    let held = held(&session.hits);
    let mut tallies = session.dropped.take().unwrap_or_default();
    let mut at = 0;
    session.hits.retain(|hit| {
        let is_held = held[at];
        at += 1;
        if !is_held {
            take(&mut tallies, hit);
        }
        is_held
    });
    session.dropped = Some(tallies);
}

/// Which hits decide where the session begins and ends, what it counts under, and how far it is in a funnel.
fn held(hits: &[Hit]) -> Vec<bool> {
    let mut held = vec![false; hits.len()];
    let first = |is: fn(&Hit) -> bool| hits.iter().position(is);
    let views = |hit: &Hit| FactsRef::is_page_view(&hit.facts);
    let deciding = [
        (!hits.is_empty()).then_some(0),
        first(|hit| FactsRef::is_lead(&hit.facts)),
        first(views),
        hits.iter().rposition(views),
        hits.len().checked_sub(1),
    ];
    deciding.into_iter().flatten().for_each(|at| held[at] = true);
    let steps = hits.iter().enumerate().filter(|(_, hit)| FactsRef::has_steps(&hit.facts));
    steps.take(HELD_STEPS).for_each(|(at, _)| held[at] = true);
    held
}

fn take(tallies: &mut Tallies, hit: &Hit) {
    tallies.hits += 1;
    tallies.page_views += u64::from(FactsRef::is_page_view(&hit.facts));
    tallies.interactions += u64::from(FactsRef::is_interaction(&hit.facts));
    tallies.purchases += u64::from(FactsRef::is_purchase(&hit.facts));
    summary::add_goals(&mut tallies.goals, &hit.facts);
}
