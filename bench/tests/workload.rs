//! The workload is what it says: the same bytes for the same seed, hits that the contract's own code reads, of the size
//! and with the shares that docs/performance.md promises.

use std::collections::{HashMap, HashSet};

use bench::workload::{Counts, Frame, Generator, Workload};
use expect_test::expect;
use prost::Message;
use proto::v1::{Batch, Batches};

const HITS: u32 = 20_000;
const SENT_AT: i64 = 1_700_007_200_000;

fn workload(hit_bytes: usize, batch_hits: u32) -> Workload {
    Workload {
        seed: 1,
        merchants: 1_000,
        clients: 200_000,
        hit_bytes,
        batch_hits,
        epoch: 1_700_007_100_000,
        first_ms: 1_700_000_000_000,
        step_ns: 7_200_000_000_000 / u64::from(HITS),
    }
}

fn made(workload: Workload) -> (Generator, Vec<Frame>) {
    let mut generator = Generator::new(workload);
    let frames = (0..4).flat_map(|_| generator.round(HITS / 4, SENT_AT)).collect();
    (generator, frames)
}

/// Merchant and batch, as the generated code of the contract reads them.
fn batches(frames: &[Frame]) -> Vec<(u32, Batch)> {
    let mut found = Vec::new();
    for frame in frames {
        let batches = Batches::decode(frame.batches.clone()).unwrap_or_default().batches;
        let hits: usize = batches.iter().map(|batch| batch.hits.len()).sum();
        assert_eq!(hits, frame.hits as usize, "the frame says how many it has");
        found.extend(batches.into_iter().map(|batch| (frame.merchant, batch)));
    }
    found
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_another_one_others() {
    let (_, once) = made(workload(1_000, 1));
    assert_eq!(once, made(workload(1_000, 1)).1);
    assert_ne!(once, made(Workload { seed: 2, ..workload(1_000, 1) }).1);
}

#[test]
fn a_hit_has_the_size_that_was_asked_for() {
    for (bytes, batch_hits) in [(1_000, 1), (150, 10)] {
        for (_, batch) in batches(&made(workload(bytes, batch_hits)).1) {
            let of_hit = batch.encoded_len() as f64 / batch.hits.len() as f64;
            let off = (of_hit / bytes as f64 - 1.0).abs();
            assert!(off < 0.05, "{of_hit} of {bytes} bytes: {batch:?}");
        }
    }
}

#[test]
fn the_tally_is_what_was_sent() {
    let (generator, frames) = made(workload(1_000, 1));
    let mut counts = vec![Counts::default(); 1_000];
    let mut hours = HashSet::new();
    for (merchant, batch) in batches(&frames) {
        for hit in batch.hits {
            let of_merchant = &mut counts[merchant as usize];
            of_merchant.hits += 1;
            of_merchant.page_views += u64::from(hit.name == "page_view");
            of_merchant.purchases += u64::from(hit.name == "purchase");
            of_merchant.revenue_micros += hit.value.map_or(0, |money| money.micros);
            hours.insert((merchant, hit.time_ms / 3_600_000));
        }
    }
    let tally = generator.tally();
    assert_eq!(tally.merchants, counts);
    assert_eq!((tally.hits(), tally.merchant_hours), (HITS.into(), hours.len() as u64));
}

#[test]
fn seqs_of_a_client_follow_each_other_and_times_rise() {
    let mut next: HashMap<(u32, String), u64> = HashMap::new();
    let mut last = HashMap::new();
    // Few clients, so that they come again.
    let (_, frames) = made(Workload { clients: 10, merchants: 20, ..workload(150, 10) });
    for (merchant, batch) in batches(&frames) {
        let next = next.entry((merchant, batch.client_id)).or_insert(1);
        assert_eq!(batch.first_seq, *next);
        *next += batch.hits.len() as u64;
        for hit in batch.hits {
            let last = last.entry(merchant).or_insert(0);
            assert!(hit.time_ms >= *last);
            *last = hit.time_ms;
        }
    }
    assert!(next.values().any(|next| *next > 100), "no client came often");
}

/// The text between `from` and `to`.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, behind) = text.split_once(from).unwrap_or_default();
    behind.split(to).next().unwrap_or_default()
}

#[test]
fn values_come_as_often_as_they_should() {
    let mut values: HashMap<&str, HashMap<String, u32>> = HashMap::new();
    let (generator, frames) = made(workload(1_000, 1));
    for (_, batch) in batches(&frames) {
        let context = batch.context.unwrap();
        let hit = &batch.hits[0];
        for (what, value) in [
            ("name", &*hit.name),
            ("path", between(&hit.url, ".example", "?")),
            ("source", between(&hit.url, "utm_source=", "&")),
            ("medium", between(&hit.url, "utm_medium=", "&")),
            ("campaign", between(&hit.url, "utm_campaign=", "&")),
            ("referrer", &*hit.referrer),
            ("user agent", &*context.user_agent),
            ("language", &*context.language),
            ("country", &*context.country),
            ("client", &*batch.client_id),
        ] {
            *values.entry(what).or_default().entry(value.to_owned()).or_default() += 1;
        }
        let money = hit
            .value
            .as_ref()
            .map(|money| (&*money.currency, (1_000_000..201_000_000).contains(&money.micros)));
        assert_eq!(money, (hit.name == "purchase").then_some(("EUR", true)));
    }
    // Distinct values, and how often the most and the least frequent one come: of 20,000 hits.
    let mut shown: Vec<String> = values
        .iter()
        .map(|(what, counts)| {
            let most = counts.values().max().unwrap();
            let least = counts.values().min().unwrap();
            format!("{what}: {} values, {least} to {most} each\n", counts.len())
        })
        .collect();
    shown.sort();
    let largest = generator.tally().merchants[0].hits;
    shown.push(format!("largest merchant: {largest}\npage_view: {}\n", values["name"]["page_view"]));
    expect![[r#"
        campaign: 10 values, 1949 to 2040 each
        client: 18998 values, 1 to 3 each
        country: 60 values, 279 to 382 each
        language: 12 values, 1623 to 1748 each
        medium: 6 values, 3291 to 3384 each
        name: 4 values, 593 to 15989 each
        path: 500 values, 1 to 3765 each
        referrer: 50 values, 367 to 453 each
        source: 15 values, 1260 to 1417 each
        user agent: 40 values, 456 to 573 each
        largest merchant: 3725
        page_view: 15989
    "#]]
    .assert_eq(&shown.concat());
}
