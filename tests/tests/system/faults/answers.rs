//! What the server answers, in the shape of what is expected, and the comparison of the two.

use std::collections::BTreeMap;

use prost_types::Timestamp;
use proto::v1::number::Number as Kind;
use proto::v1::{AuditRequest, Granularity, QueryRequest, Row, method};

use super::expected::{self, DIMENSIONS, Money, People, Place, Prefixes, Sums};
use super::hits::{HOURS, Life, Plan};
use super::ledger::Ledger;
use crate::system::complete;
use crate::system::site::Site;

const SUMS: [&str; 5] = ["hits", "page_views", "purchases", "revenue", "value"];
const PEOPLE: [&str; 3] = ["visitors", "sessions", "new_visitors"];

/// What was found right.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    /// Hits that were counted.
    pub(super) counted: u64,
    /// Hits that came once more, and were not counted again.
    pub(super) duplicate: u64,
    /// Lives of clients.
    pub(super) lives: usize,
    /// Of these, how many lost hits that they had fired but not yet sent, because they were killed.
    pub(super) cut_short: usize,
    /// Numbers that were compared.
    pub(super) numbers: usize,
}

/// Everything about a merchant, when its clients have flushed and ended.
pub(super) async fn check(site: &Site, merchant: u64, plan: &Plan, ledgers: &[Ledger]) -> Found {
    complete::caught_up(site, merchant).await;
    let prefixes = prefixes(site, merchant, plan, ledgers).await;
    let mut found = Found { lives: prefixes.len(), ..Found::default() };
    found.counted = prefixes.values().sum();
    found.cut_short = ledgers.iter().filter(|ledger| prefixes[&ledger.life] < ledger.sent).count();

    let expected = expected::sums(plan, &prefixes);
    for by in DIMENSIONS {
        let answered = by_place(&ask(site, merchant, plan, by, &SUMS).await, sums);
        found.numbers += compare(by, expected.get(by).unwrap_or(&BTreeMap::new()), &answered) * SUMS.len();
    }
    let people_answered = by_place(&ask(site, merchant, plan, "campaign", &PEOPLE).await, people);
    found.numbers += compare("people", &expected::people(plan, &prefixes), &people_answered) * PEOPLE.len();
    found.duplicate = audited(site, merchant, found.counted).await;
    found
}

/// How many hits of each life were counted: not less than were acknowledged or kept, not more than were fired.
async fn prefixes(site: &Site, merchant: u64, plan: &Plan, ledgers: &[Ledger]) -> Prefixes {
    let mut by_campaign: BTreeMap<String, u64> = BTreeMap::new();
    for (place, sums) in by_place(&ask(site, merchant, plan, "campaign", &SUMS).await, sums) {
        *by_campaign.entry(place.1).or_default() += sums.hits;
    }
    let prefix = |ledger: &Ledger| {
        let counted = by_campaign.remove(&ledger.life.campaign()).unwrap_or(0);
        let (safe, sent) = (ledger.safe(), ledger.sent);
        assert!((safe..=sent).contains(&counted), "{:?}: {counted} are not in {safe}..={sent}", ledger.life);
        assert!(!ledger.finished || counted == sent, "{:?}: {counted} of {sent} after a flush", ledger.life);
        (ledger.life, counted)
    };
    let prefixes: BTreeMap<Life, u64> = ledgers.iter().map(prefix).collect();
    assert!(by_campaign.is_empty(), "nobody fired these: {by_campaign:?}");
    prefixes
}

/// The books balance, and every counted hit is in them. Gives how many duplicates there are.
async fn audited(site: &Site, merchant: u64, counted: u64) -> u64 {
    let audit = site.query().await.audit(AuditRequest { merchant_id: merchant }).await.unwrap().into_inner();
    assert!(audit.balanced, "{audit:?}");
    let sum = |of: fn(&proto::v1::AuditHour) -> u64| audit.hours.iter().map(of).sum::<u64>();
    let duplicate = sum(|hour| hour.duplicate);
    assert_eq!(sum(|hour| hour.counted), counted, "{audit:?}");
    assert_eq!(sum(|hour| hour.accepted), counted + duplicate, "{audit:?}");
    assert_eq!(sum(|hour| hour.refused.iter().map(|refused| refused.hits).sum()), 0, "{audit:?}");
    duplicate
}

/// Gives how many places were compared.
fn compare<T: std::fmt::Debug + PartialEq>(
    by: &str,
    expected: &BTreeMap<Place, T>,
    answered: &BTreeMap<Place, T>,
) -> usize {
    for (place, numbers) in expected {
        assert_eq!(answered.get(place), Some(numbers), "answered and expected, by {by:?}, at {place:?}");
    }
    let more: Vec<_> = answered.keys().filter(|place| !expected.contains_key(place)).collect();
    assert!(more.is_empty(), "by {by:?} there should be nothing at {more:?}");
    expected.len()
}

async fn ask(site: &Site, merchant: u64, plan: &Plan, by: &str, metrics: &[&str]) -> Vec<Row> {
    let at = |ms: i64| Some(Timestamp { seconds: ms / 1_000, nanos: 0 });
    let query = QueryRequest {
        merchant_id: merchant,
        metrics: metrics.iter().map(|&metric| metric.to_owned()).collect(),
        by: if by.is_empty() { Vec::new() } else { vec![by.to_owned()] },
        granularity: Granularity::Hour.into(),
        from: at(plan.base_ms),
        // Two hours more: nothing may have come to lie there.
        to: at(plan.hour_ms(HOURS + 2)),
        ..QueryRequest::default()
    };
    let mut pieces = site.query().await.stream_query(query).await.unwrap().into_inner();
    let mut rows = Vec::new();
    while let Some(piece) = pieces.message().await.unwrap() {
        assert!(piece.methods.iter().all(|m| m.kind() == method::Kind::Exact), "{:?}", piece.methods);
        rows.extend(piece.rows);
    }
    rows
}

/// Rows without hits, which are there when nothing is asked by, are left out.
fn by_place<T: Default + PartialEq>(rows: &[Row], of: fn(&Row) -> T) -> BTreeMap<Place, T> {
    let place =
        |row: &Row| (row.start.unwrap().seconds * 1_000, row.dimensions.first().cloned().unwrap_or_default());
    let places: BTreeMap<_, _> = rows.iter().map(|row| (place(row), of(row))).collect();
    assert_eq!(places.len(), rows.len(), "a place is there twice");
    places.into_iter().filter(|(_, numbers)| *numbers != T::default()).collect()
}

fn sums(row: &Row) -> Sums {
    let [hits, page_views, purchases] = [0, 1, 2].map(|at| count(row, at));
    Sums { hits, page_views, purchases, revenue: money(row, 3), value: money(row, 4) }
}

fn people(row: &Row) -> People {
    (count(row, 0), count(row, 1), count(row, 2))
}

/// A number that is a count.
pub(super) fn count(row: &Row, at: usize) -> u64 {
    match row.numbers[at].number {
        Some(Kind::Count(count)) => count,
        ref other => panic!("{other:?} is no count"),
    }
}

fn money(row: &Row, at: usize) -> Money {
    match &row.numbers[at].number {
        Some(Kind::Money(money)) => money.sums.iter().map(|sum| (sum.currency.clone(), sum.micros)).collect(),
        other => panic!("{other:?} is no money"),
    }
}
