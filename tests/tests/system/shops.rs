//! Generated shops with traffic as bad as it gets, folded and asked; every number is held against a program of its own that
//! works from the raw hits and docs/semantics.md alone (tests/reference/shops).

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use catalog::{DataStream, Item, Merchant, Platform as Sends};
use clock::Clock;
use hashbrown::HashMap;
use host::Platform;
use jiff::tz::TimeZone;
use keyspace::record::{BatchEntry, Entry, RecordBuilder, RefusedHits};
use model::{
    CubeId, Currency, DataStreamId, Fate, Generation, Lane, MerchantId, Partition, Position, Timestamp,
};
use proto::v1::number::Number;
use proto::{v1, wire_time};
use query_svc::plan::Plan;
use query_svc::{Ask, Query};
use rollup_svc::flush::{self, Owner};
use rollup_svc::fold::{Folder, Missing};
use rollup_svc::rulebook::{Rulebook, Versioned};
use rollup_svc::state::{HeldBucket, MerchantState};
use rules::{Compiled, Rules};
use serde_json::{Value, json};
use store::Batch;

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/reference/shops");
/// Shops that are folded in CI; `HITMILL_TEST_SHOPS` and `HITMILL_TEST_SHOPS_SEED` choose more, and others.
const SHOPS: u64 = 200;
const SEED: u64 = 1;
/// When the questions are asked: 2030-01-01, after everything.
const LATER: Timestamp = Timestamp(1_893_456_000_000);

#[tokio::test(flavor = "multi_thread")]
async fn every_number_of_generated_shops_is_that_of_the_reference() {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (shops, seed) = (number("HITMILL_TEST_SHOPS", SHOPS), number("HITMILL_TEST_SHOPS_SEED", SEED));
    let home = tempfile::tempdir().unwrap();
    let (hits, expected) = (home.path().join("shops"), home.path().join("expected"));
    reference(["generate", "--seed", &seed.to_string(), "--shops", &shops.to_string()], &hits);
    reference(["answer", hits.to_str().unwrap()], &expected);

    let mut asked = BTreeMap::new();
    for line in lines(&expected) {
        asked.entry(line["shop"].as_u64().unwrap()).or_insert_with(Vec::new).push(line);
    }
    let mut compared = Compared::default();
    let mut all = lines(&hits).into_iter().peekable();
    let clock = Clock::manual(LATER, seed);
    let log = eventlog::embedded::Settings { partitions: 1, ..Default::default() };
    let platform =
        host::platform::embedded(&home.path().join("data"), log, Default::default(), clock).await.unwrap();
    let query = Query::new(platform.clone(), query_svc::Settings::default());
    while let Some(shop) = all.next() {
        let batches: Vec<_> = std::iter::from_fn(|| all.next_if(|line| !line["batch"].is_null())).collect();
        let number = shop["shop"].as_u64().unwrap();
        let merchant = MerchantId(number + 1);
        let state = fold(merchant, &shop, &batches);
        configure(&platform, merchant, &shop);
        compare_fates(&state, &asked[&number][0]["fates"], number);
        commit(&platform, merchant, state).await;
        for line in &asked[&number][1..] {
            compared.question(&query, merchant, line).await;
        }
    }
    println!("{shops} shops of seed {seed}: {compared:?}");
    assert!(compared.numbers > 100 * shops, "{compared:?}");
}

fn reference<const N: usize>(arguments: [&str; N], out: &Path) {
    let mut command = Command::new("python3");
    let done = command.arg(REFERENCE).args(arguments).arg("--out").arg(out).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Folds the batches of a shop in the order in which they were received.
fn fold(merchant: MerchantId, shop: &Value, batches: &[Value]) -> MerchantState {
    let mut rules = shop["rules"].clone();
    // Reports of a merchant's own have no numbers yet.
    rules["reports"] = Value::Array(Vec::new());
    let excluded = rules["filters"]["exclude"].as_array().unwrap().iter().enumerate();
    let named = excluded.map(|(number, when)| json!({ "name": number.to_string(), "when": when }));
    rules["filters"]["exclude"] = named.collect();
    let rules: Rules = serde_json::from_value(rules).unwrap();
    rules::check(&rules).unwrap();
    let zone = TimeZone::get(shop["time_zone"].as_str().unwrap()).unwrap();
    let rulebook = Rulebook::new(vec![(1, Arc::new(Versioned::new(Compiled::new(rules), zone)))]);
    let (mut folder, mut state) = (Folder::default(), MerchantState::new(None));
    for (entry, line) in (1..).zip(batches) {
        let batch = proto::json::to_wire("Batch", line["batch"].to_string().as_bytes()).unwrap();
        let lane = if line["lane"] == "history" { Lane::History } else { Lane::Live };
        let received_at = Timestamp(line["received_ms"].as_i64().unwrap());
        let mut record = RecordBuilder::default();
        let taken = BatchEntry {
            merchant,
            received_at,
            data_stream: DataStreamId(1),
            rules_version: 1,
            lane,
            client_id: "",
            epoch: 0,
            context: b"",
            refused: RefusedHits::default(),
            batch: &batch,
        };
        record.batch(&taken, &[]);
        let record = record.finish();
        let Entry::Batch(taken) = keyspace::record::read(&record).unwrap().next().unwrap().unwrap() else {
            unreachable!("it was put in")
        };
        let position = Position::of_entry(entry);
        while let Err(Missing(buckets)) = folder.batch(&mut state, &taken, position, 0, &rulebook) {
            state.buckets.extend(buckets.into_iter().map(|bucket| (bucket, HeldBucket::default())));
        }
    }
    state
}

fn configure(platform: &Platform, merchant: MerchantId, shop: &Value) {
    let configured = Merchant {
        id: merchant,
        name: "Shop".into(),
        time_zone: shop["time_zone"].as_str().unwrap().into(),
        currency: "EUR".parse().unwrap(),
        hits_per_second: 0,
        streams: 0,
        spread: 1,
        version: 1,
        created_at: Timestamp(0),
    };
    let stream = DataStream {
        id: DataStreamId(merchant.0 as u32),
        merchant,
        name: "web".into(),
        platform: Sends::Web,
    };
    let version = platform.catalog.snapshot().version() + 1;
    platform
        .catalog
        .apply(&[Item::Merchant(Arc::new(configured)), Item::DataStream(Arc::new(stream))], version);
}

async fn commit(platform: &Platform, merchant: MerchantId, mut state: MerchantState) {
    let owner = Owner { merchant, generation: Generation::FIRST, partition: Partition(0) };
    flush::complete(&owner, &mut state, &HashMap::new()).unwrap();
    let mut batch = Batch::default();
    flush::write(&owner, &mut state, None, &mut batch);
    platform.store.commit(batch).await.unwrap();
}

fn compare_fates(state: &MerchantState, expected: &Value, shop: u64) {
    let mut hours = 0;
    for expected in expected.as_array().unwrap() {
        let hour = expected["hour"].as_str().unwrap();
        let at: jiff::Timestamp = hour.parse().unwrap();
        let fates = &state.fates[&Timestamp(at.as_millisecond()).hour()].value;
        for fate in [Fate::Counted, Fate::Duplicate, Fate::DeadLettered] {
            assert_eq!(expected[fate.name()], fates.of(fate), "shop {shop}, {} of {hour}", fate.name());
        }
        let mut filtered: BTreeMap<&str, u64> = BTreeMap::new();
        for (reason, hits) in fates.filtered() {
            let reason = if reason.starts_with("rule: ") { "excluded" } else { reason };
            *filtered.entry(reason).or_default() += hits;
        }
        assert_eq!(expected["filtered"], json!(filtered), "shop {shop}, filtered of {hour}");
        assert_eq!(expected["accepted"], fates.accepted(), "shop {shop}, accepted of {hour}");
        hours += 1;
    }
    assert_eq!(state.fates.len(), hours, "shop {shop}: hours with hits");
}

/// What was held against the reference.
#[derive(Debug, Default)]
struct Compared {
    questions: u64,
    rows: u64,
    numbers: u64,
    /// Metrics of questions that no report answers.
    without_report: u64,
}

impl Compared {
    async fn question(&mut self, query: &Query, merchant: MerchantId, line: &Value) {
        let question = &line["question"];
        // Weeks begin on Mondays so far.
        if question["granularity"] == "week" && question["week_start"] != "monday" {
            return;
        }
        let metrics: Vec<String> = serde_json::from_value(question["metrics"].clone()).unwrap();
        // Different reports may keep what the metrics of one question are made of: each is asked what it has.
        let mut by_report: BTreeMap<CubeId, Vec<usize>> = BTreeMap::new();
        for (at, metric) in metrics.iter().enumerate() {
            let ask = Ask::read(&request(merchant, question, vec![metric.clone()]), "UTC", Currency::NONE);
            match Plan::new(&ask.unwrap_or_else(|error| panic!("{question}: {error}")), LATER) {
                Ok(plan) => by_report.entry(plan.cube).or_default().push(at),
                Err(_) => self.without_report += 1,
            }
        }
        for columns in by_report.into_values() {
            let asked = columns.iter().map(|at| metrics[*at].clone()).collect();
            let answer = query.answer(&request(merchant, question, asked)).await;
            let answer = answer.unwrap_or_else(|error| panic!("{question}: {error}"));
            self.compare(line, &columns, &metrics, &answer);
        }
        self.questions += 1;
    }

    fn compare(&mut self, line: &Value, columns: &[usize], metrics: &[String], answer: &v1::QueryResponse) {
        let question = line["question"].clone();
        let mut question = question.as_object().unwrap().clone();
        question.remove("metrics");
        let mut found: BTreeMap<_, _> = answer.rows.iter().map(|row| (place(row), row)).collect();
        for expected in line["rows"].as_array().unwrap() {
            let place = place_of(expected);
            let wanted = |at: usize| &expected["numbers"][at];
            let Some(row) = found.remove(&place) else {
                let something = columns.iter().find(|at| !is_nothing(wanted(**at)));
                assert_eq!(
                    something.map(|at| &metrics[*at]),
                    None,
                    "{question:?}: no row {place:?}: {expected}"
                );
                continue;
            };
            for (at, number) in columns.iter().zip(&row.numbers) {
                let (metric, wanted) = (&metrics[*at], wanted(*at));
                let same = is_same(number, wanted);
                assert!(same, "{question:?}: {metric} of {place:?} is {number:?}, not {wanted}");
                self.numbers += 1;
            }
            self.rows += 1;
        }
        assert!(found.is_empty(), "{question:?}: {found:?} are too many");
    }
}

fn request(merchant: MerchantId, question: &Value, metrics: Vec<String>) -> v1::QueryRequest {
    let text = |name: &str| question[name].as_str().unwrap();
    let at = |name: &str| {
        let at: jiff::Timestamp = text(name).parse().unwrap();
        Some(wire_time(Timestamp(at.as_millisecond())))
    };
    let granularity = format!("GRANULARITY_{}", text("granularity").to_uppercase());
    v1::QueryRequest {
        merchant_id: merchant.0,
        metrics,
        by: serde_json::from_value(question["by"].clone()).unwrap(),
        granularity: v1::Granularity::from_str_name(&granularity).unwrap().into(),
        from: at("from"),
        to: at("to"),
        time_zone: text("time_zone").to_owned(),
        r#where: condition(text("filter")),
        ..v1::QueryRequest::default()
    }
}

/// The reference writes values as they are; here those with spaces and brackets stand in quotes.
fn condition(filter: &str) -> String {
    const SIGNS: [&str; 6] = ["!^=", "!~", "!=", "^=", "~", "="];
    let test = |test: &str| {
        let name = test.find(['!', '^', '~', '=']).unwrap_or(test.len());
        let (name, rest) = test.split_at(name);
        let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign)).unwrap();
        let quoted = |value: &str| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
        format!("{name}{sign}{}", rest[sign.len()..].split('|').map(quoted).collect::<Vec<_>>().join("|"))
    };
    let tests = filter.split(" and ").filter(|test| !test.is_empty()).map(test);
    tests.collect::<Vec<_>>().join(" and ")
}

type Place = (i64, Vec<String>);

fn place(row: &v1::Row) -> Place {
    (row.start.unwrap().seconds, row.dimensions.clone())
}

fn place_of(row: &Value) -> Place {
    let at: jiff::Timestamp = row["start"].as_str().unwrap().parse().unwrap();
    (at.as_second(), serde_json::from_value(row["dimensions"].clone()).unwrap())
}

fn is_nothing(number: &Value) -> bool {
    number.is_null() || number.as_f64() == Some(0.0) || number.as_object().is_some_and(|sums| sums.is_empty())
}

fn is_same(found: &v1::Number, wanted: &Value) -> bool {
    match &found.number {
        Some(Number::Count(count)) => *wanted == *count,
        Some(Number::Money(money)) => {
            let sums: Vec<_> = money.sums.iter().filter(|sum| sum.micros != 0).collect();
            wanted.as_object().is_some_and(|wanted| {
                wanted.len() == sums.len()
                    && sums
                        .iter()
                        .all(|sum| wanted.get(&sum.currency).is_some_and(|wanted| is_sum(sum.micros, wanted)))
            })
        }
        Some(Number::Ratio(ratio)) => wanted.as_f64().is_some_and(|wanted| (ratio - wanted).abs() < 1e-9),
        None => wanted.is_null(),
    }
}

/// Sums are exact; averages are not whole, and rounded here.
fn is_sum(micros: i64, wanted: &Value) -> bool {
    match wanted.as_i64() {
        Some(wanted) => micros == wanted,
        None => wanted.as_f64().is_some_and(|wanted| (micros as f64 - wanted).abs() <= 0.5),
    }
}
