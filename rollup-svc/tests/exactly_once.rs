//! The worker on the real embedded log and store: what it commits is the sum over the hits, each once, wherever it is
//! killed, and two folds of one log give the same bytes.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use clock::Clock;
use eventlog::embedded::Settings as LogSettings;
use host::Platform;
use keyspace::cell::{CellKey, read_rows};
use keyspace::fate::Fates;
use keyspace::record::{BatchEntry, RecordBuilder, RefusedEntry, RefusedHits};
use model::{Cube, DataStreamId, Dimension, Fate, Hour, Lane, MerchantId, Partition, Refusal, Timestamp};
use proptest::prelude::*;
use prost::Message;
use proto::v1;
use rollup_svc::Settings;
use rollup_svc::worker::{Turn, Worker};
use store::embedded::{EmbeddedStore, Settings as StoreSettings};

const NOON: i64 = 1_431_864_000_000; // 2015-05-17T12:00:00Z
const MERCHANT: MerchantId = MerchantId(7);

/// A hit as the test thinks of it.
#[derive(Clone, Debug)]
struct Hit {
    client: u8,
    seq: u64,
    minute: i64,
    page: u8,
}

/// One batch of one client; a batch that is sent twice is in the log twice.
fn batch(client: u8, hits: &[Hit]) -> Vec<u8> {
    let hits_of = |hit: &Hit| v1::Hit {
        name: "page_view".into(),
        time_ms: NOON + hit.minute * 60_000,
        url: format!("https://shop.example/{}", hit.page),
        ..v1::Hit::default()
    };
    v1::Batch {
        client_id: format!("client {client}"),
        epoch: 1,
        first_seq: hits[0].seq,
        hits: hits.iter().map(hits_of).collect(),
        ..v1::Batch::default()
    }
    .encode_to_vec()
}

fn record(merchant: MerchantId, batches: &[Vec<u8>], refused: &[(u32, Refusal)]) -> Bytes {
    let mut builder = RecordBuilder::default();
    for batch in batches {
        let entry = BatchEntry {
            merchant,
            received_at: Timestamp(NOON),
            data_stream: DataStreamId(1),
            rules_version: 1,
            lane: Lane::History,
            client_id: "",
            epoch: 0,
            context: b"",
            refused: RefusedHits::default(),
            batch,
        };
        builder.batch(&entry, refused);
    }
    builder.finish()
}

/// A platform whose log has one partition, with a fresh store.
async fn platform(dir: &std::path::Path) -> Platform {
    let log = LogSettings { partitions: 1, ..LogSettings::default() };
    host::platform::embedded(dir, log, StoreSettings::default(), Clock::manual(Timestamp(NOON), 1))
        .await
        .unwrap()
}

fn with_fresh_store(platform: &Platform, dir: &std::path::Path) -> Platform {
    let store = EmbeddedStore::open(dir, StoreSettings::default()).unwrap();
    Platform { store: Arc::new(store), ..platform.clone() }
}

async fn fold_all(platform: &Platform, settings: &Settings) {
    let mut worker = Worker::begin(platform.clone(), settings.clone(), Partition(0)).await.unwrap();
    while worker.turn().await.unwrap() == Turn::Folded {}
    worker.flush(u64::MAX).await.unwrap();
}

/// Everything in some families, by key.
async fn dump(platform: &Platform, families: std::ops::Range<u8>) -> Vec<(Bytes, Bytes)> {
    platform
        .store
        .snapshot()
        .await
        .unwrap()
        .scan(&[families.start], &[families.end], 1_000_000)
        .await
        .unwrap()
}

/// Hits, sessions and distinct visitors by hour and value of a cube, as the cells say.
async fn cells(platform: &Platform, cube: Cube) -> BTreeMap<(u32, String), (i64, i64, u64)> {
    let mut found = BTreeMap::new();
    for (key, value) in dump(platform, 0x10..0x11).await {
        let key = CellKey::decode(&key).unwrap();
        if key.cube == cube {
            for row in read_rows(&value).unwrap() {
                let (value, row) = row.unwrap();
                let mut visitors = aggregate::Union::default();
                visitors.add(&row.visitors, aggregate::Quarters::ALL);
                let (hits, sessions) = row
                    .slots()
                    .fold((0, 0), |(h, s), (_, slot)| (h + slot.counts.hits, s + slot.counts.sessions));
                let counts = (hits, sessions, visitors.estimate().count);
                found.insert((key.hour.0, String::from_utf8(value.to_vec()).unwrap()), counts);
            }
        }
    }
    found
}

/// The same from the hits themselves: a set of hits, sorted, cut at pauses of more than half an hour.
fn reference(hits: &[Hit], value: impl Fn(&Hit) -> String) -> BTreeMap<(u32, String), (i64, i64, u64)> {
    let hour = |hit: &Hit| Timestamp(NOON + hit.minute * 60_000).hour().0;
    let mut found: BTreeMap<_, (i64, i64, BTreeSet<u8>)> = BTreeMap::new();
    for hit in hits {
        let counts = found.entry((hour(hit), value(hit))).or_default();
        counts.0 += 1;
        counts.2.insert(hit.client);
    }
    for client in hits.iter().map(|hit| hit.client).collect::<BTreeSet<_>>() {
        let mut own: Vec<_> = hits.iter().filter(|hit| hit.client == client).collect();
        own.sort_by_key(|hit| (hit.minute, hit.seq));
        let mut last = None;
        for hit in own {
            if last.is_none_or(|last| hit.minute - last > 30) {
                found.entry((hour(hit), value(hit))).or_default().1 += 1;
            }
            last = Some(hit.minute);
        }
    }
    found
        .into_iter()
        .map(|(key, (hits, sessions, visitors))| (key, (hits, sessions, visitors.len() as u64)))
        .collect()
}

/// A client's hits, in batches, some of which are sent again.
fn clients() -> impl Strategy<Value = Vec<(u8, Vec<Hit>)>> {
    let client = |client: u8| {
        let hit = (-200i64..200, 0u8..4);
        let batches = prop::collection::vec((prop::collection::vec(hit, 1..5), 1usize..3), 1..6);
        batches.prop_map(move |batches| {
            let mut seq = 1;
            let mut sent = Vec::new();
            for (hits, times) in batches {
                let first = seq;
                seq += hits.len() as u64;
                let numbered = hits.into_iter().enumerate();
                let hits: Vec<_> = numbered
                    .map(|(i, (minute, page))| Hit { client, seq: first + i as u64, minute, page })
                    .collect();
                sent.extend(std::iter::repeat_n((client, hits), times));
            }
            sent
        })
    };
    (client(1), client(2), client(3)).prop_map(|(a, b, c)| {
        // Clients take turns; each one's batches stay in order.
        let mut lanes = [a, b, c].map(Vec::into_iter);
        let mut mixed = Vec::new();
        while lanes.iter().any(|lane| lane.len() > 0) {
            mixed.extend(lanes.iter_mut().filter_map(Iterator::next));
        }
        mixed
    })
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn cells_are_the_sum_over_the_hits_wherever_the_worker_dies(
        sent in clients(), lives in prop::collection::vec((0usize..6, any::<bool>(), 0u64..3_000), 0..6)
    ) {
        run(async {
            let dir = tempfile::tempdir().unwrap();
            let straight = platform(&dir.path().join("straight")).await;
            for (client, hits) in &sent {
                let record = record(MERCHANT, &[batch(*client, hits)], &[]);
                straight.log.append(Partition(0), record).await.unwrap();
            }
            fold_all(&straight, &Settings::default()).await;

            let mut once: BTreeMap<(u8, u64), Hit> = BTreeMap::new();
            let all: Vec<_> = sent.iter().flat_map(|(_, hits)| hits.clone()).collect();
            all.iter().for_each(|hit| {
                once.entry((hit.client, hit.seq)).or_insert_with(|| hit.clone());
            });
            let once: Vec<_> = once.into_values().collect();
            let page = |hit: &Hit| format!("/{}", hit.page);
            assert_eq!(cells(&straight, Cube::Total).await, reference(&once, |_| String::new()));
            assert_eq!(cells(&straight, Cube::By(Dimension::Page)).await, reference(&once, page));
            let fates = dump(&straight, 0x14..0x15).await;
            let fates = Fates::decode(&fates[0].1).unwrap();
            assert_eq!(fates.of(Fate::Counted), once.len() as u64);
            assert_eq!(fates.accepted(), all.len() as u64);

            // The same log again, by workers that die after some records, committed or not, with state or not.
            let broken = with_fresh_store(&straight, &dir.path().join("broken"));
            let every_record = Settings { flush_interval_ms: 0, flush_share: 0, ..Settings::default() };
            for (turns, commit, replay_bytes) in lives {
                let settings = Settings { replay_bytes, ..every_record.clone() };
                let mut worker = Worker::begin(broken.clone(), settings, Partition(0)).await.unwrap();
                for _ in 0..turns {
                    worker.turn_of(200).await.unwrap();
                }
                if commit {
                    worker.flush(replay_bytes).await.unwrap();
                }
            }
            fold_all(&broken, &every_record).await;
            for families in [0x10..0x11, 0x14..0x15] {
                let same = dump(&broken, families.clone()).await == dump(&straight, families.clone()).await;
                assert!(same, "family {:#x} differs", families.start);
            }
        });
    }
}

#[test]
fn a_worker_that_lost_its_partition_changes_nothing() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let platform = platform(dir.path()).await;
        let hits = |seq| vec![Hit { client: 1, seq, minute: 0, page: 1 }];
        platform.log.append(Partition(0), record(MERCHANT, &[batch(1, &hits(1))], &[])).await.unwrap();
        let mut zombie = Worker::begin(platform.clone(), Settings::default(), Partition(0)).await.unwrap();
        zombie.turn().await.unwrap();
        // While it sleeps, another one takes over, folds the same record, and more.
        platform.log.append(Partition(0), record(MERCHANT, &[batch(1, &hits(2))], &[])).await.unwrap();
        fold_all(&platform, &Settings::default()).await;
        // The checkpoint is for efficiency: safety must not rest on it.
        let mut no_checkpoint = store::Batch::default();
        no_checkpoint.delete(keyspace::checkpoint::key(Partition(0)));
        platform.store.commit(no_checkpoint).await.unwrap();
        let before = dump(&platform, 0x10..0x16).await;

        let error = zombie.flush(0).await.unwrap_err();
        assert_eq!(error.kind(), model::Kind::Conflict, "{error}");
        assert_eq!(dump(&platform, 0x10..0x16).await, before);
        let two = cells(&platform, Cube::Total).await;
        assert_eq!(two.into_values().collect::<Vec<_>>(), [(2, 1, 1)]);
    });
}

#[test]
fn refused_and_unreadable_hits_have_their_places_in_the_books() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let platform = platform(dir.path()).await;
        let three: Vec<_> = (1..=3).map(|seq| Hit { client: 1, seq, minute: 0, page: 1 }).collect();
        let mut builder = RecordBuilder::default();
        builder.refused(&RefusedEntry {
            merchant: MERCHANT,
            received_at: Timestamp(NOON),
            reason: Refusal::OverQuota,
            hits: 40,
        });
        platform.log.append(Partition(0), builder.finish()).await.unwrap();
        let refused = record(MERCHANT, &[batch(1, &three)], &[(1, Refusal::BadName)]);
        platform.log.append(Partition(0), refused).await.unwrap();
        fold_all(&platform, &Settings::default()).await;

        let fates = dump(&platform, 0x14..0x15).await;
        let fates = Fates::decode(&fates[0].1).unwrap();
        let of = |fate| fates.of(fate);
        assert_eq!(Fate::ALL.map(of), [2, 0, 0, 0]);
        assert_eq!((fates.refused(Refusal::OverQuota), fates.refused(Refusal::BadName)), (40, 1));
        assert_eq!(
            cells(&platform, Cube::Total).await[&(Timestamp(NOON).hour().0, String::new())],
            (2, 1, 1)
        );
    });
}

#[test]
fn merchants_are_put_away_when_memory_is_short_and_counted_right_when_they_come_back() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let platform = platform(dir.path()).await;
        for round in 0..4 {
            for merchant in 1..=20 {
                let hit = Hit { client: 1, seq: round + 1, minute: 0, page: 1 };
                let record = record(MerchantId(merchant), &[batch(1, &[hit])], &[]);
                platform.log.append(Partition(0), record).await.unwrap();
            }
        }
        let tight = Settings { flush_interval_ms: 0, flush_share: 0, memory_bytes: 1, ..Settings::default() };
        fold_all(&platform, &tight).await;
        let counted = cells(&platform, Cube::Total).await;
        assert_eq!(counted.into_values().collect::<Vec<_>>(), [(4, 1, 1)], "of the last merchant");
        let total_cells = dump(&platform, 0x10..0x11).await;
        let totals = total_cells.iter().filter(|(key, _)| CellKey::decode(key).unwrap().cube == Cube::Total);
        assert_eq!(totals.count(), 20);
        assert_eq!(Timestamp(NOON).hour(), Hour(397_740));
    });
}
