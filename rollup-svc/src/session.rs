//! Sessions as a function of the set of a visitor's hits: a stretch of event time in which no pause is longer than the
//! timeout. A late hit may begin a session, lengthen one, or join two; whatever the order in which hits arrive, the
//! sessions are the same.

use keyspace::visitor::{Facts, Session, Visitor};
use model::Timestamp;

/// What the sessions of a visitor count for changed: take back what was, add what is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// No longer so.
    pub taken: Vec<Start>,
    /// So from now on.
    pub added: Vec<Start>,
}

/// Where a session counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// When it began.
    pub at: Timestamp,
    /// The facts of its first hit.
    pub facts: Facts,
    /// Whether the visitor was new with it.
    pub new_visitor: bool,
}

/// Sessions remembered of a visitor: the first, and the latest ones. A hit that is so late that it belongs between begins
/// a session of its own.
const REMEMBERED: usize = 64;

/// Takes in a hit of a visitor. `order` decides between hits at the same time; `facts` is called if the hit begins a
/// session.
pub fn observe(
    visitor: &mut Visitor,
    at: Timestamp,
    order: u64,
    timeout_ms: i64,
    facts: impl FnOnce() -> Facts,
) -> Moved {
    let sessions = &mut visitor.sessions;
    // Sessions that the hit touches: those that end no earlier than a timeout before it and start no later than one after.
    let from = sessions.partition_point(|s| at.millis_since(s.end) > timeout_ms);
    let to = sessions.partition_point(|s| s.start.millis_since(at) <= timeout_ms);
    let touched = &sessions[from..to.max(from)];

    if let [session] = touched
        && (session.start, session.order) <= (at, order)
    {
        let session = &mut sessions[from];
        session.end = session.end.max(at);
        return Moved::default();
    }
    let first_before = sessions.first().map(start_of_first);
    let taken: Vec<_> = touched.iter().map(start_of).collect();
    let joined = join(touched, at, order, facts);
    let added = vec![start_of(&joined)];
    if touched.is_empty() {
        // Most visitors have one session, and there are millions of visitors.
        sessions.reserve_exact(1);
    }
    sessions.splice(from..to.max(from), [joined]);
    let first_after = sessions.first().map(start_of_first);
    if sessions.len() > REMEMBERED {
        sessions.remove(1);
    }
    settle(Moved { taken, added }, first_before, first_after)
}

fn join(touched: &[Session], at: Timestamp, order: u64, facts: impl FnOnce() -> Facts) -> Session {
    let end = touched.last().map_or(at, |last| last.end.max(at));
    match touched.first() {
        Some(first) if (first.start, first.order) <= (at, order) => Session { end, ..first.clone() },
        _ => Session { start: at, end, order, facts: facts() },
    }
}

fn start_of(session: &Session) -> Start {
    Start { at: session.start, facts: session.facts.clone(), new_visitor: false }
}

fn start_of_first(session: &Session) -> Start {
    Start { new_visitor: true, ..start_of(session) }
}

/// Marks where the visitor is new, and drops what is both taken and added.
fn settle(mut moved: Moved, before: Option<Start>, after: Option<Start>) -> Moved {
    if before != after {
        mark_new(&mut moved.taken, &mut moved.added, before);
        mark_new(&mut moved.added, &mut moved.taken, after);
    } else {
        // The first session did not move: it counts for the new visitor as it did.
        for starts in [&mut moved.taken, &mut moved.added] {
            for start in starts.iter_mut() {
                start.new_visitor =
                    before.as_ref().is_some_and(|first| first.at == start.at && first.facts == start.facts);
            }
        }
    }
    let same: Vec<_> = moved.taken.iter().filter(|start| moved.added.contains(start)).cloned().collect();
    moved.taken.retain(|start| !same.contains(start));
    moved.added.retain(|start| !same.contains(start));
    moved
}

/// The first session is on this side as a new visitor's; if it is on neither side, it is taken and added again, changed.
fn mark_new(side: &mut Vec<Start>, other: &mut Vec<Start>, first: Option<Start>) {
    let Some(first) = first else { return };
    let plain = Start { new_visitor: false, ..first.clone() };
    match side.iter_mut().find(|start| **start == plain) {
        Some(start) => start.new_visitor = true,
        None => {
            side.push(first);
            other.push(plain);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    const TIMEOUT: i64 = 30;

    fn facts(name: u64) -> Facts {
        Facts::pack([name.to_string().as_bytes()])
    }

    /// Feeds (time, order) in the given order; the result is what has been added and not taken back, by start.
    fn fold(hits: &[(i64, u64)]) -> BTreeMap<(i64, Vec<u8>), (i64, i64)> {
        let mut visitor = Visitor::default();
        let mut counted: BTreeMap<(i64, Vec<u8>), (i64, i64)> = BTreeMap::new();
        for (at, order) in hits {
            let moved = observe(&mut visitor, Timestamp(*at), *order, TIMEOUT, || facts(*order));
            for (starts, sign) in [(moved.taken, -1), (moved.added, 1)] {
                for start in starts {
                    let value = start.facts.values().next().unwrap().to_vec();
                    let cell = counted.entry((start.at.0, value)).or_default();
                    cell.0 += sign;
                    cell.1 += sign * i64::from(start.new_visitor);
                }
            }
        }
        counted.retain(|_, counts| *counts != (0, 0));
        counted
    }

    /// The definition itself: sort, cut at pauses, the first is the new visitor's.
    fn reference(hits: &[(i64, u64)]) -> BTreeMap<(i64, Vec<u8>), (i64, i64)> {
        let mut sorted = hits.to_vec();
        sorted.sort_unstable();
        let mut starts = BTreeMap::new();
        let mut last = None;
        for (at, order) in sorted {
            if last.is_none_or(|last| at - last > TIMEOUT) {
                starts.insert((at, order.to_string().into_bytes()), (1, i64::from(last.is_none())));
            }
            last = Some(at);
        }
        starts
    }

    proptest! {
        #[test]
        fn any_order_of_arrival_gives_the_sessions_of_the_set(
            hits in prop::collection::hash_set((0i64..400, 0u64..50), 0..40)
        ) {
            // A set comes out of its table in an order that has nothing to do with time.
            let hits: Vec<_> = hits.into_iter().collect();
            prop_assert_eq!(fold(&hits), reference(&hits));
        }
    }

    fn check(hits: &[(i64, u64)], expected: Expect) {
        let shown: Vec<_> = fold(hits)
            .into_iter()
            .map(|((at, value), (sessions, new))| {
                format!("{at} by {}: {sessions} new {new}", value.escape_ascii())
            })
            .collect();
        expected.assert_eq(&shown.join("; "));
    }

    #[test]
    fn sessions_by_hand() {
        check(&[(0, 1), (30, 2), (61, 3)], expect!["0 by 1: 1 new 1; 61 by 3: 1 new 0"]);
        // The late hit at 31 joins both.
        check(&[(0, 1), (61, 3), (31, 2)], expect!["0 by 1: 1 new 1; 31 by 2: 1 new 0"]);
        check(&[(0, 1), (60, 3), (30, 2)], expect!["0 by 1: 1 new 1"]);
        // A late hit before everything takes the new visitor over.
        check(&[(100, 1), (0, 2)], expect!["0 by 2: 1 new 1; 100 by 1: 1 new 0"]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut visitor = Visitor::default();
        for n in 0..1_000 {
            observe(&mut visitor, Timestamp(n * 100), 0, TIMEOUT, || facts(0));
        }
        assert_eq!(visitor.sessions.len(), REMEMBERED);
        assert_eq!((visitor.sessions[0].start, visitor.sessions[1].start), (Timestamp(0), Timestamp(93_700)));
    }
}
