use expect_test::{Expect, expect};
use model::{Currency, Dimension};
use proptest::prelude::*;
use proto::v1;

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn wire(text: &str) -> Option<prost_types::Timestamp> {
    (!text.is_empty()).then(|| prost_types::Timestamp { seconds: at(text).0 / 1_000, nanos: 0 })
}

fn ask(granularity: v1::Granularity, zone: &str, range: (&str, &str)) -> Ask {
    let request = v1::QueryRequest {
        merchant_id: 1,
        metrics: vec!["hits".to_owned()],
        granularity: granularity.into(),
        from: wire(range.0),
        to: wire(range.1),
        time_zone: zone.to_owned(),
        ..Default::default()
    };
    Ask::read(&request, "UTC", Currency::NONE).unwrap()
}

fn last(granularity: v1::Granularity, seconds: i64) -> Ask {
    Ask { span: Span::Last(seconds * 1_000), ..ask(granularity, "UTC", ("", "")) }
}

const NOW: &str = "2024-05-17T12:34:20Z";

/// Start of each bucket in the zone, and how long it is in hours.
fn buckets(ask: &Ask) -> String {
    let plan = Plan::new(ask, at(NOW)).unwrap();
    let lines = (0..plan.buckets()).map(|index| {
        let bucket = plan.bucket(index).unwrap();
        let hours = bucket.end.millis_since(bucket.start) as f64 / Hour::MILLIS as f64;
        format!("{} {hours}", ask.zone.rfc_3339(bucket.start))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn check(granularity: v1::Granularity, zone: &str, range: (&str, &str), expected: Expect) {
    expected.assert_eq(&buckets(&ask(granularity, zone, range)));
}

#[test]
fn days_are_as_long_as_the_zone_makes_them() {
    use v1::Granularity::Day;
    check(
        Day,
        "UTC",
        ("2024-02-28T10:00:00Z", "2024-03-01T00:00:01Z"),
        expect![[r#"
        2024-02-28T00:00:00Z 24
        2024-02-29T00:00:00Z 24
        2024-03-01T00:00:00Z 24"#]],
    );
    check(
        Day,
        "Europe/Berlin",
        ("2024-03-29T23:00:00Z", "2024-03-31T22:00:00Z"),
        expect![[r#"
        2024-03-30T00:00:00+01:00 24
        2024-03-31T00:00:00+01:00 23"#]],
    );
    check(
        Day,
        "Europe/Berlin",
        ("2024-10-26T12:00:00Z", "2024-10-28T12:00:00Z"),
        expect![[r#"
        2024-10-26T00:00:00+02:00 24
        2024-10-27T00:00:00+02:00 25
        2024-10-28T00:00:00+01:00 24"#]],
    );
    check(
        Day,
        "Asia/Kathmandu",
        ("2024-05-01T00:00:00Z", "2024-05-01T18:15:00Z"),
        expect![[r#"
        2024-05-01T00:00:00+05:45 24"#]],
    );
    check(
        Day,
        "Australia/Lord_Howe",
        ("2024-04-06T00:00:00Z", "2024-04-07T13:30:00Z"),
        expect![[r#"
        2024-04-06T00:00:00+11:00 24
        2024-04-07T00:00:00+11:00 24.5"#]],
    );
    // Clocks jump over midnight; a whole day is missing.
    check(
        Day,
        "America/Sao_Paulo",
        ("2018-11-03T12:00:00Z", "2018-11-05T02:00:00Z"),
        expect![[r#"
        2018-11-03T00:00:00-03:00 24
        2018-11-04T01:00:00-02:00 23"#]],
    );
    check(
        Day,
        "Pacific/Apia",
        ("2011-12-29T12:00:00Z", "2012-01-01T00:00:00Z"),
        expect![[r#"
        2011-12-29T00:00:00-10:00 24
        2011-12-31T00:00:00+14:00 24
        2012-01-01T00:00:00+14:00 24"#]],
    );
}

#[test]
fn hours_are_those_of_the_zones_clocks() {
    use v1::Granularity::Hour;
    check(
        Hour,
        "UTC",
        ("2024-05-01T10:20:00Z", "2024-05-01T11:00:01Z"),
        expect![[r#"
        2024-05-01T10:00:00Z 1
        2024-05-01T11:00:00Z 1"#]],
    );
    check(
        Hour,
        "Asia/Kathmandu",
        ("2024-05-01T10:20:00Z", "2024-05-01T11:15:00Z"),
        expect![[r#"
        2024-05-01T16:00:00+05:45 1"#]],
    );
    check(
        Hour,
        "Europe/Berlin",
        ("2024-10-27T00:00:00Z", "2024-10-27T02:00:00Z"),
        expect![[r#"
        2024-10-27T02:00:00+02:00 1
        2024-10-27T02:00:00+01:00 1"#]],
    );
    // Half an hour back at 02:00, and half an hour on.
    check(
        Hour,
        "Australia/Lord_Howe",
        ("2024-04-06T14:00:00Z", "2024-04-06T16:00:00Z"),
        expect![[r#"
        2024-04-07T01:00:00+11:00 1
        2024-04-07T01:30:00+10:30 0.5
        2024-04-07T02:00:00+10:30 1"#]],
    );
    check(
        Hour,
        "Australia/Lord_Howe",
        ("2024-10-05T14:30:00Z", "2024-10-05T17:00:00Z"),
        expect![[r#"
        2024-10-06T01:00:00+10:30 1
        2024-10-06T02:30:00+11:00 0.5
        2024-10-06T03:00:00+11:00 1"#]],
    );
}

#[test]
fn weeks_begin_on_monday_and_months_and_years_follow_the_calendar() {
    use v1::Granularity::{Month, Week, Year};
    check(
        Week,
        "UTC",
        ("2024-02-28T00:00:00Z", "2024-03-04T00:00:01Z"),
        expect![[r#"
        2024-02-26T00:00:00Z 168
        2024-03-04T00:00:00Z 168"#]],
    );
    check(
        Month,
        "Europe/Berlin",
        ("2024-02-15T00:00:00Z", "2024-03-31T22:00:00Z"),
        expect![[r#"
        2024-02-01T00:00:00+01:00 696
        2024-03-01T00:00:00+01:00 743"#]],
    );
    check(
        Year,
        "Asia/Kathmandu",
        ("2023-12-31T18:14:59Z", "2024-06-01T00:00:00Z"),
        expect![[r#"
        2023-01-01T00:00:00+05:45 8760
        2024-01-01T00:00:00+05:45 8784"#]],
    );
}

#[test]
fn a_total_is_read_in_minutes_where_quarters_would_not_do() {
    let plan = |ask: &Ask| {
        let plan = Plan::new(ask, at(NOW)).unwrap();
        let bucket = plan.bucket(0).unwrap();
        let cube = match plan.cube {
            CubeId::TOTAL => "Total",
            CubeId::MINUTE => "Minute",
            _ => "Page",
        };
        format!("{cube} {} {}", bucket.start, bucket.end)
    };
    let total = |range| plan(&ask(v1::Granularity::Total, "UTC", range));
    assert_eq!(total(("2024-05-17T10:00:00Z", "")), "Total 2024-05-17T10:00:00Z 2024-05-17T12:45:00Z");
    assert_eq!(
        total(("2024-05-17T10:00:30Z", "2024-05-17T11:07:01Z")),
        "Minute 2024-05-17T10:00:00Z 2024-05-17T11:08:00Z"
    );
    // Too long ago for minutes.
    assert_eq!(
        total(("2024-05-01T10:20:00Z", "2024-05-01T11:07:00Z")),
        "Total 2024-05-01T10:15:00Z 2024-05-01T11:15:00Z"
    );
    let five_minutes = last(v1::Granularity::Total, 300);
    assert_eq!(plan(&five_minutes), "Minute 2024-05-17T12:29:00Z 2024-05-17T12:35:00Z");
    let two_days = 48 * 3600;
    assert_eq!(
        plan(&last(v1::Granularity::Total, two_days)),
        "Minute 2024-05-15T12:34:00Z 2024-05-17T12:35:00Z"
    );
    assert_eq!(
        plan(&last(v1::Granularity::Total, two_days + 1)),
        "Total 2024-05-15T12:30:00Z 2024-05-17T12:45:00Z"
    );
    let by_page = Ask { by: vec![Dimension::Page], ..five_minutes };
    assert_eq!(plan(&by_page), "Page 2024-05-17T12:15:00Z 2024-05-17T12:45:00Z");
}

#[test]
fn what_cannot_be_planned_is_named_with_what_can() {
    let refused = |ask: &Ask| Plan::new(ask, at(NOW)).unwrap_err().to_string();
    assert_eq!(
        refused(&ask(v1::Granularity::Minute, "UTC", ("2024-05-15T12:33:59Z", ""))),
        "from \"2024-05-15T12:33:59Z\" is not allowed: an instant of the last two days, for minutes"
    );
    assert_eq!(
        refused(&ask(v1::Granularity::Hour, "UTC", ("1990-01-01T00:00:00Z", "2024-01-01T00:00:00Z"))),
        "range \"1990-01-01T00:00:00Z to 2024-01-01T00:00:00Z\" is not allowed: at most 100000 buckets: a shorter one, or \
         wider buckets"
    );
    assert_eq!(
        refused(&ask(v1::Granularity::Day, "UTC", ("1969-01-01T00:00:00Z", ""))),
        "from \"1969-01-01T00:00:00Z\" is not allowed: an instant in the years 1970 to 2199"
    );
    assert_eq!(
        refused(&ask(v1::Granularity::Day, "UTC", ("2024-05-18T00:00:00Z", ""))),
        "from \"2024-05-18T00:00:00Z\" is not allowed: an instant up to now, which is 2024-05-17T12:34:20Z"
    );
    assert_eq!(Plan::new(&last(v1::Granularity::Minute, 48 * 3600), at(NOW)).unwrap().buckets(), 2881);
}

const ZONES: [&str; 12] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Africa/Monrovia",
];

fn granularity() -> impl Strategy<Value = v1::Granularity> {
    (1i32..=7).prop_map(|number| v1::Granularity::try_from(number).unwrap())
}

proptest! {
    /// Whatever the zone: buckets follow each other without gap, cover the range, and lie on what cells can tell apart.
    #[test]
    fn buckets_cover_the_range(
        from in 0i64..4_102_444_800, seconds in 1i64..40_000_000, zone in prop::sample::select(&ZONES[..]),
        granularity in granularity(),
    ) {
        let (from, to) = (Timestamp(from * 1_000), Timestamp((from + seconds) * 1_000));
        let ask = Ask { span: Span::Between(from, to), ..ask(granularity, zone, ("", "")) };
        let Ok(plan) = Plan::new(&ask, to) else { return Ok(()) };
        let unit = if plan.cube == CubeId::MINUTE { MINUTE } else { Hour::QUARTER_MILLIS };
        prop_assert!(plan.borders.is_sorted_by(|a, b| a < b));
        prop_assert!(plan.borders.iter().all(|border| border.0 % unit == 0));
        let (first, end) = (plan.bucket(0).unwrap(), plan.bucket(plan.buckets() - 1).unwrap());
        prop_assert!(first.contains(&from), "{first:?} {from}");
        prop_assert!(end.contains(&to.plus_millis(-1)), "{end:?} {to}");
        prop_assert!(plan.hours().contains(&from.hour()) && plan.hours().contains(&to.plus_millis(-1).hour()));
    }

    /// A plan holds until the instant that it names, and from then on it is another.
    #[test]
    fn a_plan_is_valid_until_it_says(
        now in 1_000_000_000i64..2_000_000_000, back in 1i64..200_000, open: bool,
        zone in prop::sample::select(&ZONES[..]), granularity in granularity(),
    ) {
        let now = Timestamp(now * 1_000 + back);
        let span = if open { Span::Since(now.plus_millis(-back * 1_000)) } else { Span::Last(back * 1_000) };
        let ask = Ask { span, ..ask(granularity, zone, ("", "")) };
        let Ok(plan) = Plan::new(&ask, now) else { return Ok(()) };
        let until = plan.valid_until.unwrap();
        prop_assert!(until > now);
        let shape = |plan: Plan| (plan.cube, plan.borders);
        let just_before = Plan::new(&ask, until.plus_millis(-1)).unwrap();
        prop_assert_eq!(shape(just_before), shape(plan.clone()));
        if let Ok(then) = Plan::new(&ask, until) {
            prop_assert_ne!(shape(then), shape(plan));
        }
    }
}
