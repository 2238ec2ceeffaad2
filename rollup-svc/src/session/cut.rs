//! Where sessions begin and end.

use std::ops::Range;

use keyspace::visitor::{Hit, Session};
use model::{Hour, Timestamp};

use super::LONGEST_MS;

/// The sessions that a hit at this time is no more than a timeout away from; where there are none, where its own would be.
pub(super) fn find(sessions: &[Session], at: Timestamp, timeout_ms: i64) -> Range<usize> {
    let from = sessions.partition_point(|session| at.millis_since(end(session)) > timeout_ms);
    let to = sessions.partition_point(|session| start(session).millis_since(at) <= timeout_ms);
    from..to.max(from)
}

/// Whether no other session is so near that only its length has cut it off.
pub(super) fn stands_alone(sessions: &[Session], index: usize, timeout_ms: i64) -> bool {
    let is_far = |pair: &[Session]| start(&pair[1]).millis_since(end(&pair[0])) > timeout_ms;
    let before = index.checked_sub(1).is_none_or(|before| is_far(&sessions[before..=index]));
    before && sessions.get(index..index + 2).is_none_or(is_far)
}

/// Puts a hit among the sessions that it touches, and cuts all that hang together anew.
pub(super) fn insert(
    sessions: &mut Vec<Session>,
    touched: Range<usize>,
    hit: Hit,
    received: Hour,
    timeout_ms: i64,
) {
    let new = Session { hits: vec![hit], dropped: None, touched: received };
    if touched.is_empty() {
        sessions.insert(touched.start, new);
        return;
    }
    let chain = chain(sessions, touched.clone(), timeout_ms);
    if sessions[chain.clone()].iter().any(|session| session.dropped.is_some()) {
        // Not all of their hits are known any more: they stay as they are, and the hit joins the first that it touches.
        let session = &mut sessions[touched.start];
        session.hits.extend(new.hits);
        session.hits.sort_by_key(Hit::place);
        session.touched = session.touched.max(received);
        return;
    }
    let all: Vec<_> = sessions.drain(chain.clone()).chain([new]).collect();
    sessions.splice(chain.start..chain.start, cut(all, timeout_ms));
}

/// The sessions that hang together with some: between neighbours is no pause.
fn chain(sessions: &[Session], touched: Range<usize>, timeout_ms: i64) -> Range<usize> {
    let hangs = |at: usize| start(&sessions[at]).millis_since(end(&sessions[at - 1])) <= timeout_ms;
    let Range { start: mut from, end: mut to } = touched;
    while from > 0 && hangs(from) {
        from -= 1;
    }
    while to < sessions.len() && hangs(to) {
        to += 1;
    }
    from..to
}

/// The sessions of these hits.
fn cut(all: Vec<Session>, timeout_ms: i64) -> Vec<Session> {
    let mut hits: Vec<_> = all
        .into_iter()
        .flat_map(|session| session.hits.into_iter().map(move |hit| (hit, session.touched)))
        .collect();
    hits.sort_by_key(|(hit, _)| hit.place());
    let mut sessions: Vec<Session> = Vec::new();
    for (hit, touched) in hits {
        match sessions.last_mut() {
            Some(session)
                if hit.at.millis_since(end(session)) <= timeout_ms
                    && hit.at.millis_since(start(session)) < LONGEST_MS =>
            {
                session.hits.push(hit);
                session.touched = session.touched.max(touched);
            }
            _ => sessions.push(Session { hits: vec![hit], dropped: None, touched }),
        }
    }
    sessions
}

fn start(session: &Session) -> Timestamp {
    session.hits.first().map_or(Timestamp(i64::MIN), |hit| hit.at)
}

fn end(session: &Session) -> Timestamp {
    session.hits.last().map_or(Timestamp(i64::MIN), |hit| hit.at)
}
