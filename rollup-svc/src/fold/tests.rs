//! What is in the cells and the books depends on the hits alone: not on the order in which they arrive, nor on how they are
//! packed into batches.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use keyspace::record::{Entry, RecordBuilder, RefusedHits};
use model::{CubeId, DataStreamId, MerchantId};
use proptest::prelude::*;
use prost::Message;
use proto::v1;
use rules::{Compiled, Rules};

use super::*;
use crate::rulebook::Versioned;
use crate::state::HeldBucket;

const NOON: i64 = 1_431_864_000_000; // 2015-05-17T12:00:00Z

fn rulebook() -> Rulebook {
    let rules: Rules = toml::from_str(
        r#"
        [filters]
        exclude = [{ name = "tests", when = "page^=/test" }]
        [[goals]]
        name = "thanks"
        when = "page=/3"
        [[goals]]
        name = "big"
        when = "value>=20"
        [[funnels]]
        name = "checkout"
        steps = [{ name = "view", when = "hit_name=view_item" }, { name = "buy", when = "hit_name=purchase" }]
        [[reports]]
        name = "pages by source"
        by = ["page", "source", "param:colour"]
        distributions = ["load_ms"]
        "#,
    )
    .unwrap();
    rules::check(&rules).unwrap();
    let mut rules = rules;
    rules.reports[0].cube = 256;
    let zone = jiff::tz::TimeZone::get("Asia/Kathmandu").unwrap();
    Rulebook::new(vec![(1, Arc::new(Versioned::new(Compiled::new(rules), zone)))])
}

/// A hit, and the client and seq that make it one.
#[derive(Clone, Debug)]
struct Told {
    client: u8,
    seq: u64,
    hit: v1::Hit,
}

fn told() -> impl Strategy<Value = (u8, v1::Hit)> {
    let name =
        prop::sample::select(vec!["page_view", "page_view", "view_item", "purchase", "refund", "click"]);
    let place = (0u8..3, -200i64..200, 0u8..6, 0u8..4);
    let who = (prop::option::weighted(0.2, 0u8..3), prop::option::weighted(0.3, 0u8..3));
    (place, name, who, 0u8..4, 0i64..40).prop_map(
        |((client, minute, page, source), name, who, transaction, units)| {
            let context = v1::Context {
                user_id: who.0.map_or(String::new(), |user| format!("user {user}")),
                visitor_id: String::new(),
                user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
                    .to_owned(),
                ..v1::Context::default()
            };
            let page = if page == 5 { "/test".to_owned() } else { format!("/{page}") };
            let tag = ["", "?utm_source=mail", "?gclid=x", ""][usize::from(source)];
            let shops = matches!(name, "view_item" | "purchase" | "refund");
            let hit = v1::Hit {
                name: name.to_owned(),
                time_ms: NOON + minute * 60_000,
                url: if source == 3 { String::new() } else { format!("https://shop.example{page}{tag}") },
                value: shops.then(|| v1::Money { currency: "EUR".to_owned(), micros: units * 1_000_000 }),
                transaction_id: if name == "purchase" {
                    format!("order {transaction}")
                } else {
                    String::new()
                },
                items: if shops { vec![item(units as u32 % 3)] } else { vec![] },
                params: who
                    .1
                    .map(|colour| [param("colour", format!("colour {colour}")), load(units)])
                    .into_iter()
                    .flatten()
                    .collect(),
                context: Some(context),
                ..v1::Hit::default()
            };
            (client, hit)
        },
    )
}

fn item(sku: u32) -> v1::HitItem {
    v1::HitItem {
        id: format!("sku {sku}"),
        brand: "Acme".to_owned(),
        price_micros: 5_000_000,
        quantity: sku,
        ..v1::HitItem::default()
    }
}

fn param(name: &str, text: String) -> v1::Param {
    v1::Param { name: name.to_owned(), value: Some(v1::param::Value::Text(text)) }
}

fn load(ms: i64) -> v1::Param {
    v1::Param { name: "load_ms".to_owned(), value: Some(v1::param::Value::Integer(ms * 100)) }
}

fn batch(hits: &[Told]) -> Vec<u8> {
    v1::Batch {
        client_id: format!("client {}", hits[0].client),
        epoch: 1,
        first_seq: hits[0].seq,
        hits: hits.iter().map(|told| told.hit.clone()).collect(),
        ..v1::Batch::default()
    }
    .encode_to_vec()
}

/// Folds batches, each of consecutive hits of a client; gives the cells and the fates.
fn fold(batches: &[Vec<Told>]) -> (BTreeMap<(Hour, CubeId), Bytes>, BTreeMap<Hour, Bytes>) {
    let mut folder = Folder::default();
    let mut state = MerchantState::new(None);
    let rulebook = rulebook();
    for (number, hits) in batches.iter().enumerate() {
        let encoded = batch(hits);
        let entry = BatchEntry {
            merchant: MerchantId(1),
            received_at: Timestamp(NOON),
            data_stream: DataStreamId(1),
            rules_version: 1,
            lane: Lane::History,
            client_id: "",
            epoch: 0,
            context: b"",
            refused: RefusedHits::default(),
            batch: &encoded,
        };
        let mut record = RecordBuilder::default();
        record.batch(&entry, &[]);
        let record = record.finish();
        let Entry::Batch(entry) = keyspace::record::read(&record).unwrap().next().unwrap().unwrap() else {
            unreachable!()
        };
        let position = Position::of_entry(number as u64 + 1);
        while let Err(Missing(buckets)) = folder.batch(&mut state, &entry, position, 0, &rulebook) {
            state.buckets.extend(buckets.into_iter().map(|bucket| (bucket, HeldBucket::default())));
        }
    }
    let mut cells = BTreeMap::new();
    for (hour, held) in &state.hours {
        for (cube, cell) in
            held.cells.iter().filter(|(_, cell)| cell.value.rows().any(|(_, row)| !row.is_empty()))
        {
            cells.insert((*hour, *cube), cell.value.encode());
        }
    }
    (cells, state.fates.iter().map(|(hour, fates)| (*hour, fates.value.encode())).collect())
}

fn numbered(hits: Vec<(u8, v1::Hit)>) -> Vec<Told> {
    let mut seqs = [0; 3];
    let number = |(client, hit): (u8, v1::Hit)| {
        seqs[usize::from(client)] += 1;
        Told { client, seq: seqs[usize::from(client)], hit }
    };
    hits.into_iter().map(number).collect()
}

/// Consecutive hits of a client may share a batch.
fn batched(hits: &[Told], most: usize) -> Vec<Vec<Told>> {
    let mut batches: Vec<Vec<Told>> = Vec::new();
    for told in hits {
        let fits = |last: &Vec<Told>| {
            last.len() < most && last[0].client == told.client && last[last.len() - 1].seq + 1 == told.seq
        };
        match batches.last_mut().filter(|last| fits(last)) {
            Some(last) => last.push(told.clone()),
            None => batches.push(vec![told.clone()]),
        }
    }
    batches
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_permutation_and_any_batching_give_identical_cells_and_books(
        hits in prop::collection::vec(told(), 1..40), most in 1usize..6, shuffle in any::<u64>(), again in 0usize..10
    ) {
        let hits = numbered(hits);
        let straight = fold(&batched(&hits, 1));
        prop_assert_eq!(&fold(&batched(&hits, most)), &straight, "batches of {}", most);

        let mut shuffled = hits.clone();
        shuffled.sort_by_key(|told| stable_hash(&[shuffle, told.client.into(), told.seq].map(u64::to_be_bytes).concat()));
        let other = fold(&batched(&shuffled, most));
        prop_assert_eq!(&other.0, &straight.0, "another order");
        prop_assert_eq!(&other.1, &straight.1, "the books of another order");

        // Hits that come again are duplicates, and change nothing but the books.
        shuffled.extend(hits.iter().take(again).cloned());
        prop_assert_eq!(fold(&batched(&shuffled, most)).0, straight.0);
    }
}
