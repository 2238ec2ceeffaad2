use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::facts::{ACQUISITION, Builder, HIT};

const MINUTE: i64 = 60_000;
const TIMEOUT: i64 = 30 * MINUTE;
const HASH: u64 = 7 << 32;

/// A hit as the tests think of it: page views of `/n`, other events, with an address or without, of a user or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Told {
    minute: i64,
    seq: u64,
    view: Option<u8>,
    source: Option<&'static str>,
    user: Option<u8>,
    goal: bool,
}

impl Told {
    fn view(minute: i64, seq: u64, page: u8) -> Self {
        Self { minute, seq, view: Some(page), source: Some("(direct)"), user: None, goal: false }
    }

    fn hit(&self) -> Hit {
        let page = self.view.map_or(String::new(), |page| format!("/{page}"));
        let mut hit = [""; HIT.len()];
        hit[0] = &page;
        let mut acquisition = [""; ACQUISITION.len()];
        acquisition[0] = self.source.unwrap_or_default();
        let builder = Builder {
            page_view: self.view.is_some(),
            interaction: self.view.is_none(),
            lead: self.source.is_some(),
            hit,
            acquisition,
            goals: if self.goal { vec!["goal"] } else { vec![] },
            ..Builder::default()
        };
        let mut packed = Vec::new();
        builder.pack(&mut packed);
        Hit {
            at: Timestamp(self.minute * MINUTE),
            order: HASH + self.seq,
            visitor: self.user.map_or(HASH, u64::from),
            named: self.user.is_some(),
            facts: Facts::new(packed.into()),
        }
    }
}

/// What was counted and not taken back: hits under the values of their visit, and sessions.
type Counted = BTreeMap<String, i64>;

fn fold(told: &[Told], received: impl Fn(usize) -> u32) -> (Counted, Actor) {
    let mut actor = Actor::default();
    let mut counted = Counted::new();
    let mut count = |what: String, times: i64| *counted.entry(what).or_insert(0) += times;
    for (at, told) in told.iter().enumerate() {
        let moved = observe(&mut actor, HASH, told.hit(), Hour(received(at)), TIMEOUT);
        for (hit, visit, times) in moved.hits {
            count(format!("hit {} of {} in {}", hit.at.0 / MINUTE, hit.visitor, shown(&visit)), times);
        }
        for (summary, visit, times) in moved.sessions {
            count(format!("{} in {}", session(&summary), shown(&visit)), times);
        }
    }
    counted.retain(|_, times| *times != 0);
    (counted, actor)
}

fn shown(visit: &Visit) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let source = visit.lead.as_ref().map(|facts| text(FactsRef::acquisition_of(facts)[0]));
    let entry = visit.entry.as_ref().map(|facts| text(FactsRef::page_of(facts)));
    let kind = if visit.new { "new" } else { "returning" };
    format!(
        "{} {} {kind} since {}",
        source.unwrap_or_default(),
        entry.unwrap_or_default(),
        visit.first_visit.0 / MINUTE
    )
}

fn session(summary: &Summary) -> String {
    let page = |hit: &Option<Hit>| hit.as_ref().map_or(0, |hit| hit.at.0 / MINUTE);
    let Summary { first, end, page_views, interactions, goals, .. } = summary;
    format!(
        "session {}..{} with {page_views} views {interactions} interactions {} goals, {}..{}",
        first.at.0 / MINUTE,
        end.0 / MINUTE,
        goals.len(),
        page(&summary.entry),
        page(&summary.exit),
    )
}

/// The definitions themselves, from the whole set of hits.
fn reference(told: &[Told]) -> Counted {
    let mut sorted: Vec<_> = told.to_vec();
    sorted.sort_by_key(|told| (told.minute, told.seq));
    let mut sessions: Vec<Vec<(Told, u64)>> = Vec::new();
    let mut who = HASH;
    for told in sorted {
        who = told.user.map_or(who, u64::from);
        let joins = sessions.last().is_some_and(|session| {
            told.minute - session.last().unwrap().0.minute <= 30
                && told.minute - session[0].0.minute < 24 * 60
        });
        if !joins {
            sessions.push(Vec::new());
        }
        sessions.last_mut().unwrap().push((told, who));
    }
    let mut counted = Counted::new();
    let since = sessions.first().map_or(0, |session| session[0].0.minute);
    for (index, hits) in sessions.iter().enumerate() {
        let views: Vec<_> = hits.iter().filter(|(hit, _)| hit.view.is_some()).map(|(hit, _)| hit).collect();
        let source = hits.iter().find_map(|(hit, _)| hit.source).unwrap_or("");
        let entry = views.first().map_or(String::new(), |hit| format!("/{}", hit.view.unwrap()));
        let kind = if index == 0 { "new" } else { "returning" };
        let visit = format!("{source} {entry} {kind} since {since}");
        for (hit, who) in hits {
            *counted.entry(format!("hit {} of {who} in {visit}", hit.minute)).or_insert(0) += 1;
        }
        let goals = usize::from(hits.iter().any(|(hit, _)| hit.goal));
        let (first, last) = (&hits[0], &hits[hits.len() - 1]);
        let page = |hit: Option<&&Told>| hit.map_or(0, |hit| hit.minute);
        let session = format!(
            "session {}..{} with {} views {} interactions {goals} goals, {}..{} in {visit}",
            first.0.minute,
            last.0.minute,
            views.len(),
            hits.len() - views.len(),
            page(views.first()),
            page(views.last()),
        );
        *counted.entry(session).or_insert(0) += 1;
    }
    counted
}

fn told(minutes: i64) -> impl Strategy<Value = Told> {
    let source = prop::sample::select(vec![None, Some("(direct)"), Some("google"), Some("mail")]);
    let user = prop::option::weighted(0.2, 1u8..4);
    (0..minutes, prop::option::weighted(0.7, 0u8..4), source, user, prop::bool::weighted(0.1))
        .prop_map(|(minute, view, source, user, goal)| Told { minute, seq: 0, view, source, user, goal })
}

/// Hits in any order of arrival: seqs are as they were made, which says nothing of when they happened.
fn arrivals(minutes: i64, most: usize) -> impl Strategy<Value = Vec<Told>> {
    prop::collection::vec(told(minutes), 0..most).prop_map(|mut all| {
        all.iter_mut().zip(1..).for_each(|(told, seq)| told.seq = seq);
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_order_of_arrival_gives_the_sessions_of_the_set(hits in arrivals(400, 30)) {
        prop_assert_eq!(fold(&hits, |_| 0).0, reference(&hits));
    }

    #[test]
    fn long_sessions_are_cut_alike_whatever_comes_last(hits in arrivals(3_000, 160)) {
        prop_assert_eq!(fold(&hits, |_| 0).0, reference(&hits));
    }

    #[test]
    fn dropped_hits_leave_what_sessions_count_for_as_it_is(hits in arrivals(400, 30), received in 0u32..200) {
        // In order, as time goes by: what is old is not held any more when the next one comes.
        let mut hits = hits;
        hits.sort_by_key(|told| told.minute);
        hits.iter_mut().zip(1..).for_each(|(told, seq)| told.seq = seq);
        let (counted, actor) = fold(&hits, |at| received * at as u32);
        prop_assert_eq!(counted, reference(&hits));
        let held = actor.sessions.iter().rev().skip(1).all(|session| session.dropped.is_some());
        prop_assert!(received <= 96 || held);
    }
}

fn check(hits: &[Told], expected: Expect) {
    let (counted, _) = fold(hits, |_| 0);
    let sessions = counted.keys().filter(|what| what.starts_with("session"));
    expected.assert_eq(&sessions.cloned().collect::<Vec<_>>().join("\n"));
}

#[test]
fn sessions_by_hand() {
    let view = Told::view;
    // 30 minutes are no pause, 31 are.
    check(
        &[view(0, 1, 1), view(30, 2, 2), view(61, 3, 3)],
        expect![[r#"
        session 0..30 with 2 views 0 interactions 0 goals, 0..30 in (direct) /1 new since 0
        session 61..61 with 1 views 0 interactions 0 goals, 61..61 in (direct) /3 returning since 0"#]],
    );
    // A late hit joins both.
    check(
        &[view(0, 1, 1), view(60, 3, 3), view(30, 2, 2)],
        expect!["session 0..60 with 3 views 0 interactions 0 goals, 0..60 in (direct) /1 new since 0"],
    );
    // One before everything takes the new visitor over.
    check(
        &[view(100, 1, 1), view(0, 2, 2)],
        expect![[r#"
        session 0..0 with 1 views 0 interactions 0 goals, 0..0 in (direct) /2 new since 0
        session 100..100 with 1 views 0 interactions 0 goals, 100..100 in (direct) /1 returning since 0"#]],
    );
}

#[test]
fn a_day_without_a_pause_is_cut_where_it_is_a_day_old() {
    let mut hits: Vec<_> = (0..100).map(|n| Told::view(n * 20, n as u64, 1)).collect();
    let starts = |hits: &[Told]| -> Vec<i64> {
        let (_, actor) = fold(hits, |_| 0);
        actor.sessions.iter().map(|session| session.hits[0].at.0 / MINUTE).collect()
    };
    assert_eq!(starts(&hits), [0, 1_440]);
    // A late hit before all others moves the cut: the hit at 1,420 is a day after it, the one at 1,400 is not.
    hits.push(Told::view(-20, 1_000, 1));
    assert_eq!(starts(&hits), [-20, 1_420]);
}

#[test]
fn a_user_is_whom_hits_count_for_from_then_on() {
    let of = |minute, seq, user| Told { user, ..Told::view(minute, seq, 1) };
    let (counted, _) = fold(&[of(0, 1, None), of(2, 3, None), of(1, 2, Some(9))], |_| 0);
    let hits: Vec<_> =
        counted.keys().filter(|what| what.starts_with("hit")).map(|what| &what[..13]).collect();
    assert_eq!(hits, ["hit 0 of 30064", "hit 1 of 9 in", "hit 2 of 9 in"].map(|text| &text[..13]));
    assert_eq!(
        counted.keys().filter(|what| what.starts_with("session")).count(),
        1,
        "signing in ends nothing"
    );
}

#[test]
fn sessions_beyond_those_remembered_are_forgotten_but_for_the_first() {
    let hits: Vec<_> = (0..200).map(|n| Told::view(n * 100, n as u64, 1)).collect();
    let (counted, actor) = fold(&hits, |_| 0);
    assert_eq!(actor.sessions.len(), REMEMBERED);
    assert_eq!(actor.sessions[0].hits[0].at, Timestamp(0));
    assert_eq!(counted, reference(&hits), "what they counted for stays");
}

#[test]
fn a_session_of_very_many_hits_holds_only_some_of_them() {
    let hits: Vec<_> = (0..1_200).map(|n| Told::view(n, n as u64, (n % 9) as u8)).collect();
    let (counted, actor) = fold(&hits, |_| 0);
    assert!(actor.sessions[0].hits.len() <= 500, "{}", actor.sessions[0].hits.len());
    assert_eq!(counted, reference(&hits));
}

#[test]
fn a_hit_with_other_facts_is_counted_anew() {
    let hits = [Told::view(0, 1, 1), Told::view(1, 2, 2)];
    let (_, mut actor) = fold(&hits, |_| 0);
    let other = Told::view(0, 1, 3).hit();
    let moved = replace(&mut actor, other.place(), |_| other.facts.clone()).unwrap();
    // The entry page is another one, so that both hits and the session move.
    assert_eq!((moved.hits.len(), moved.sessions.len()), (4, 2));
    assert!(replace(&mut actor, (Timestamp(5), 0), Facts::clone).is_none(), "it is not held");
}
