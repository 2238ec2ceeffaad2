//! Answers against a reference that looks at every hit by itself.

use std::collections::{BTreeMap, HashSet};

use jiff::tz::TimeZone;
use model::Timestamp;
use proptest::prelude::*;
use proto::v1;
use proto::v1::number::Number;

use crate::world::{Hit, MERCHANT, NOW, World, block_on, hits};

/// What a bucket of a dimension's value holds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Numbers {
    hits: u64,
    page_views: u64,
    purchases: u64,
    visitors: u64,
    revenue: BTreeMap<String, i64>,
    value: BTreeMap<String, i64>,
}

const METRICS: [&str; 6] = ["hits", "page_views", "purchases", "visitors", "revenue", "value"];

fn reference(
    hits: &[Hit],
    bucket: impl Fn(&Hit) -> Option<(String, String)>,
) -> BTreeMap<(String, String), Numbers> {
    let mut found = BTreeMap::<_, (Numbers, HashSet<u64>)>::new();
    for hit in hits {
        let Some(bucket) = bucket(hit) else { continue };
        let (numbers, visitors) = found.entry(bucket).or_default();
        numbers.hits += 1;
        numbers.page_views += u64::from(hit.view);
        visitors.insert(hit.visitor);
        if let Some((currency, micros, purchase)) = hit.money {
            *numbers.value.entry(currency.to_owned()).or_default() += micros;
            if purchase {
                numbers.purchases += 1;
                *numbers.revenue.entry(currency.to_owned()).or_default() += micros;
            }
        }
    }
    let finished = found.into_iter().map(|(bucket, (mut numbers, visitors))| {
        numbers.visitors = visitors.len() as u64;
        numbers.revenue.retain(|_, sum| *sum != 0);
        numbers.value.retain(|_, sum| *sum != 0);
        (bucket, numbers)
    });
    finished.collect()
}

fn answered(
    answer: &v1::QueryResponse,
    name: impl Fn(Timestamp) -> String,
) -> Vec<((String, String), Numbers)> {
    let money = |number: &v1::Number| match &number.number {
        Some(Number::Money(money)) => money.sums.iter().map(|m| (m.currency.clone(), m.micros)).collect(),
        other => panic!("not money: {other:?}"),
    };
    let count = |number: &v1::Number| match &number.number {
        Some(Number::Count(n)) => *n,
        other => panic!("not a count: {other:?}"),
    };
    let row = |row: &v1::Row| {
        let start = Timestamp(row.start.unwrap().seconds * 1_000);
        let n = &row.numbers;
        let numbers = Numbers {
            hits: count(&n[0]),
            page_views: count(&n[1]),
            purchases: count(&n[2]),
            visitors: count(&n[3]),
            revenue: money(&n[4]),
            value: money(&n[5]),
        };
        ((name(start), row.dimensions.concat()), numbers)
    };
    answer.rows.iter().map(row).collect()
}

/// The name of the bucket that an instant is in, by the zone's calendar: written down apart from the planner.
fn bucket_name(granularity: v1::Granularity, zone: &TimeZone, at: Timestamp) -> String {
    use v1::Granularity as G;
    let zoned = jiff::Timestamp::from_millisecond(at.0).unwrap().to_zoned(zone.clone());
    let form = match granularity {
        G::Hour => "%Y-%m-%d %H %z",
        G::Day => "%Y-%m-%d",
        G::Week => "%G-W%V",
        G::Month => "%Y-%m",
        G::Year => "%Y",
        G::Minute => "%Y-%m-%d %H:%M %z",
        G::Unspecified | G::Total => "all",
    };
    zoned.strftime(form).to_string()
}

fn request(granularity: v1::Granularity, zone: &str, hours: i64) -> v1::QueryRequest {
    let at = |at: Timestamp| Some(prost_types::Timestamp { seconds: at.0 / 1_000, nanos: 0 });
    v1::QueryRequest {
        merchant_id: MERCHANT.0,
        metrics: METRICS.map(str::to_owned).to_vec(),
        granularity: granularity.into(),
        from: at(NOW.plus_millis(-hours * 3_600_000)),
        to: at(NOW),
        time_zone: zone.to_owned(),
        ..Default::default()
    }
}

const ZONES: [&str; 7] = [
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
];

/// Long enough to cross the changes of clocks of spring 2024 in both halves of the world.
const HOURS: i64 = 24 * 75;

fn wide() -> impl Strategy<Value = v1::Granularity> {
    (3i32..=7).prop_map(|number| v1::Granularity::try_from(number).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn series_are_what_placing_each_hit_by_itself_gives(
        hits in hits(NOW, HOURS, 0..60), zone in prop::sample::select(&ZONES[..]), granularity in wide(),
    ) {
        let world = block_on(async {
            let world = World::new();
            world.commit_all(&hits).await;
            let answer = world.query.answer(&request(granularity, zone, HOURS)).await.unwrap();
            (answer, world.revision())
        });
        let (answer, revision) = world;
        let rules = TimeZone::get(zone).unwrap();
        let name = |at| bucket_name(granularity, &rules, at);
        let expected = reference(&hits, |hit| Some((name(hit.at), String::new())));
        let all = answered(&answer, name);
        // Every bucket is there, each once, in order, and those without hits have zeros.
        prop_assert!(answer.rows.is_sorted_by_key(|row| row.start.unwrap().seconds));
        prop_assert_eq!(all.iter().map(|(bucket, _)| bucket).collect::<HashSet<_>>().len(), all.len());
        let nonzero: BTreeMap<_, _> = all.into_iter().filter(|(_, numbers)| *numbers != Numbers::default()).collect();
        prop_assert_eq!(nonzero, expected);
        prop_assert_eq!(answer.finality.unwrap().revision, revision);
        prop_assert!(answer.methods.iter().all(|method| method.kind() == v1::method::Kind::Exact));
    }

    #[test]
    fn breakdowns_and_filters_are_what_looking_at_each_hit_gives(
        hits in hits(NOW, HOURS, 0..60), granularity in wide(), by: bool, stream: bool,
        wanted in prop::sample::subsequence(&["/", "/cart", "/p?1", "/x"][..], 1..4),
    ) {
        let (dimension, filters) = if stream { ("data_stream", vec![]) } else {
            let values = wanted.iter().map(|v| (*v).to_owned()).collect();
            ("page", vec![v1::Filter { dimension: "page".to_owned(), operator: 2, values }])
        };
        // A query without by and filters is the series above.
        let by = by || stream;
        let request = v1::QueryRequest {
            by: by.then(|| dimension.to_owned()).into_iter().collect(),
            filters,
            order: by.then(|| v1::Order { by: dimension.to_owned(), ascending: true }),
            ..request(granularity, "Europe/Berlin", HOURS)
        };
        let answer = block_on(async {
            let world = World::new();
            world.commit_all(&hits).await;
            world.query.answer(&request).await.unwrap()
        });
        let rules = TimeZone::get("Europe/Berlin").unwrap();
        let name = |at| bucket_name(granularity, &rules, at);
        let expected = reference(&hits, |hit| {
            let page = || (!wanted.contains(&hit.page)).then_some(hit.page);
            // Odd partitions write the second stream.
            let value = if stream { if hit.partition % 2 == 0 { "Web" } else { "App" } } else { page()? };
            Some((name(hit.at), if by { value.to_owned() } else { String::new() }))
        });
        let mut all = answered(&answer, name);
        if by {
            prop_assert!(all.is_sorted_by(|(a, _), (b, _)| a < b), "in order of bucket and value: {all:?}");
        }
        all.retain(|(_, numbers)| by || *numbers != Numbers::default());
        prop_assert_eq!(all.into_iter().collect::<BTreeMap<_, _>>(), expected);
    }

    #[test]
    fn minutes_and_totals_of_any_range_are_exact_for_two_days(
        hits in hits(NOW, 48, 0..60), back in 1i64..2_880, minutes in 1i64..2_880, total: bool,
    ) {
        let (granularity, from) = if total { (1, NOW.0 / 60_000 - back) } else { (2, NOW.0 / 60_000 - back) };
        let to = (from + minutes).min(NOW.0 / 60_000);
        let at = |minute: i64| Some(prost_types::Timestamp { seconds: minute * 60, nanos: 0 });
        prop_assume!(from < to);
        let any = request(v1::Granularity::Total, "UTC", 1);
        let request = v1::QueryRequest { granularity, from: at(from), to: at(to), ..any };
        let answer = block_on(async {
            let world = World::new();
            world.commit_all(&hits).await;
            world.query.answer(&request).await.unwrap()
        });
        let granularity = v1::Granularity::try_from(granularity).unwrap();
        let name = |at| bucket_name(granularity, &TimeZone::UTC, at);
        let inside = |hit: &Hit| (from..to).contains(&hit.at.0.div_euclid(60_000));
        let expected = reference(&hits, |hit| inside(hit).then(|| (name(hit.at), String::new())));
        let all = answered(&answer, name);
        prop_assert_eq!(all.len() as i64, if total { 1 } else { to - from });
        let nonzero: BTreeMap<_, _> = all.into_iter().filter(|(_, numbers)| *numbers != Numbers::default()).collect();
        prop_assert_eq!(nonzero, expected);
    }
}

#[test]
fn an_answer_is_complete_until_its_slowest_partition() {
    block_on(async {
        let world = World::new();
        let request = request(v1::Granularity::Total, "UTC", 24);
        let complete_until = async || {
            let finality = world.query.answer(&request).await.unwrap().finality.unwrap();
            finality.complete_until.unwrap().seconds
        };
        assert_eq!(complete_until().await, 0, "no partition was ever folded");
        world.complete_until(NOW).await;
        assert_eq!(complete_until().await, NOW.0 / 1_000);
        for slowest in 0..4 {
            let mut times = [NOW.plus_millis(60_000); 4];
            times[slowest] = NOW.plus_millis(10_000);
            world.each_complete_until(times).await;
            assert_eq!(complete_until().await, NOW.0 / 1_000 + 10);
        }
    });
}

#[test]
fn many_visitors_are_an_estimate_that_says_so() {
    let hit = |visitor| Hit {
        at: NOW.plus_millis(-3_600_000),
        page: "/",
        visitor,
        view: true,
        money: None,
        partition: 0,
    };
    let answer = block_on(async {
        let world = World::new();
        world.commit(0, &(0..5_000).map(hit).collect::<Vec<_>>()).await;
        world.query.answer(&request(v1::Granularity::Total, "UTC", 24)).await.unwrap()
    });
    let visitors = &answer.methods[3];
    assert_eq!((&*visitors.metric, visitors.kind()), ("visitors", v1::method::Kind::Sketch));
    assert_eq!(visitors.relative_error, 0.01625);
    let Some(Number::Count(count)) = answer.rows[0].numbers[3].number else { panic!("a count") };
    // Four standard errors.
    assert!(count.abs_diff(5_000) <= 325, "{count}");
    assert_eq!(answer.methods[0].kind(), v1::method::Kind::Exact);
}
