//! The worker on the real embedded log and store: what it commits is the sum over the hits, each once, wherever it is
//! killed, and two folds of one log give the same bytes.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use clock::Clock;
use eventlog::embedded::Settings as LogSettings;
use host::Platform;
use keyspace::cell::{CellKey, read_rows};
use keyspace::fate::Fates;
use keyspace::progress::{self, Progress};
use keyspace::record::{BatchEntry, RecordBuilder, RefusedEntry, RefusedHits};
use keyspace::visitor::Slots;
use model::{
    Count, CubeId, DataStreamId, Fate, Generation, Hour, Lane, MerchantId, Partition, Position, Refusal,
    Timestamp,
};
use proptest::prelude::*;
use prost::Message;
use proto::v1;
use rollup_svc::Settings;
use rollup_svc::worker::{Turn, Worker};
use store::embedded::{EmbeddedStore, Settings as StoreSettings};
use store::{Batch, Snapshot, Store};

const NOON: i64 = 1_431_864_000_000; // 2015-05-17T12:00:00Z
const MERCHANT: MerchantId = MerchantId(7);
/// The cube of pages.
const PAGES: CubeId = CubeId(2);

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

/// A store that takes so many commits and then no more: its worker dies between two of them.
struct MortalStore {
    inner: Arc<dyn Store>,
    commits_left: AtomicUsize,
    /// Bytes of visitor state in the commit that had the most.
    largest: AtomicUsize,
}

impl MortalStore {
    fn new(inner: &Arc<dyn Store>, commits: usize) -> Arc<Self> {
        let (inner, commits_left) = (Arc::clone(inner), AtomicUsize::new(commits));
        Arc::new(Self { inner, commits_left, largest: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl Store for MortalStore {
    async fn snapshot(&self) -> store::Result<Box<dyn Snapshot>> {
        self.inner.snapshot().await
    }

    async fn commit(&self, batch: Batch) -> store::Result<()> {
        let left =
            self.commits_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_err() {
            return Err(store::Error::Unavailable { doing: "commit", what: "this is its end".into() });
        }
        let state = batch.writes.iter().filter(|write| write.key()[0] == 0x13);
        let bytes = state.filter_map(|write| write.value()).map(|value| value.len()).sum();
        self.largest.fetch_max(bytes, Ordering::SeqCst);
        self.inner.commit(batch).await
    }

    async fn sync(&self) -> store::Result<()> {
        self.inner.sync().await
    }
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
async fn cells(platform: &Platform, cube: CubeId) -> BTreeMap<(u32, String), (i64, i64, u64)> {
    let mut found = BTreeMap::new();
    for (key, value) in dump(platform, 0x10..0x11).await {
        let key = CellKey::decode(&key).unwrap();
        if key.cube == cube {
            for row in read_rows(&value).unwrap() {
                let (value, row) = row.unwrap();
                let mut visitors = aggregate::Union::default();
                visitors.add(&row.visitors, aggregate::Quarters::ALL);
                let (hits, sessions) = row.slots().fold((0, 0), |(h, s), (_, slot)| {
                    (h + slot.counts.get(Count::Hits), s + slot.counts.get(Count::Sessions))
                });
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

/// An older log than the store was folded from, the checkpoint of which it still has: what comes into it now would be taken for
/// what was folded before.
#[tokio::test]
async fn a_log_that_lacks_what_a_merchant_has_of_it_is_not_folded() {
    let home = tempfile::tempdir().unwrap();
    let platform = platform(home.path()).await;
    let hits = [Hit { client: 1, seq: 1, minute: 0, page: 1 }];
    platform.log.append(Partition(0), record(MERCHANT, &[batch(1, &hits)], &[])).await.unwrap();
    let progress = Progress {
        applied_through: Position::of_entry(1),
        commits: 1,
        state_through: None,
        slots: Slots::default(),
    };
    let key = progress::key(MERCHANT, Generation::FIRST, Partition(0));
    let mut of_another_log = Batch::default();
    of_another_log.put(key, progress.encode());
    platform.store.commit(of_another_log).await.unwrap();

    let mut worker = Worker::begin(platform.clone(), Settings::default(), Partition(0)).await.unwrap();
    let refused = worker.turn().await.unwrap_err().to_string();
    assert!(refused.contains("partition 0 is folded up to 2, but its log ends at 1"), "{refused}");
    // With the record that it was.
    platform.log.append(Partition(0), record(MERCHANT, &[batch(1, &hits)], &[])).await.unwrap();
    let mut worker = Worker::begin(platform, Settings::default(), Partition(0)).await.unwrap();
    worker.turn().await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn cells_are_the_sum_over_the_hits_wherever_the_worker_dies(
        sent in clients(), lives in prop::collection::vec((0usize..6, 0u64..3_000, 0usize..20), 0..6)
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
            assert_eq!(cells(&straight, CubeId::TOTAL).await, reference(&once, |_| String::new()));
            assert_eq!(cells(&straight, PAGES).await, reference(&once, page));
            let fates = dump(&straight, 0x14..0x15).await;
            let fates = Fates::decode(&fates[0].1).unwrap();
            assert_eq!(fates.of(Fate::Counted), once.len() as u64);
            assert_eq!(fates.accepted(), all.len() as u64);

            // The same log again, by workers that die before some commit, with visitor state of all sizes.
            let broken = with_fresh_store(&straight, &dir.path().join("broken"));
            let every_record = Settings {
                flush_interval_ms: 0,
                flush_share: 0,
                // Every bucket but the last of a commit is more than half of this.
                commit_bytes: 1,
                ..Settings::default()
            };
            for (turns, replay_bytes, commits) in lives {
                let mortal = Platform { store: MortalStore::new(&broken.store, commits), ..broken.clone() };
                let settings = Settings { replay_bytes: Some(replay_bytes), ..every_record.clone() };
                let mut worker = Worker::begin(mortal, settings, Partition(0)).await.unwrap();
                for _ in 0..turns {
                    if worker.turn_of(200).await.is_err() {
                        break;
                    }
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
        let two = cells(&platform, CubeId::TOTAL).await;
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
            cells(&platform, CubeId::TOTAL).await[&(Timestamp(NOON).hour().0, String::new())],
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
        let counted = cells(&platform, CubeId::TOTAL).await;
        assert_eq!(counted.into_values().collect::<Vec<_>>(), [(4, 1, 1)], "of the last merchant");
        let total_cells = dump(&platform, 0x10..0x11).await;
        let totals =
            total_cells.iter().filter(|(key, _)| CellKey::decode(key).unwrap().cube == CubeId::TOTAL);
        assert_eq!(totals.count(), 20);
        assert_eq!(Timestamp(NOON).hour(), Hour(397_740));
    });
}

#[test]
fn a_large_visitor_state_is_written_in_several_commits_and_holds_as_one() {
    const CLIENTS: u64 = 1_000;
    /// Cells have the other half of a commit.
    const LARGEST: usize = 8 * 1024;
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let platform = platform(dir.path()).await;
        // Nothing is committed but where the test says so.
        let settings = Settings {
            commit_bytes: 2 * LARGEST as u64,
            flush_interval_ms: 3_600_000,
            ..Settings::default()
        };
        let mut keys = 0;
        for round in 1..=3 {
            for client in 0..CLIENTS {
                let hits = v1::Batch {
                    client_id: format!("client {client}"),
                    epoch: 1,
                    first_seq: round,
                    hits: vec![v1::Hit { name: "page_view".into(), time_ms: NOON, ..v1::Hit::default() }],
                    ..v1::Batch::default()
                };
                let record = record(MERCHANT, &[hits.encode_to_vec()], &[]);
                platform.log.append(Partition(0), record).await.unwrap();
            }
            let before = dump(&platform, 0x12..0x13).await;
            let store = MortalStore::new(&platform.store, usize::MAX);
            let watched = Platform { store: store.clone(), ..platform.clone() };
            let mut worker = Worker::begin(watched, settings.clone(), Partition(0)).await.unwrap();
            while worker.turn().await.unwrap() == Turn::Folded {}
            // A life that ends before the last of its commits leaves the state as it was.
            let state = dump(&platform, 0x13..0x14).await;
            if round == 2 {
                let mortal = Platform { store: MortalStore::new(&platform.store, 3), ..platform.clone() };
                let mut dies = Worker::begin(mortal, settings.clone(), Partition(0)).await.unwrap();
                while dies.turn().await.unwrap() == Turn::Folded {}
                dies.flush(0).await.unwrap_err();
                assert!(dump(&platform, 0x13..0x14).await.len() > state.len(), "something was staged");
                assert_eq!(worker.flush(0).await.unwrap_err().kind(), model::Kind::Conflict);
                worker.begin_again().await.unwrap();
                while worker.turn().await.unwrap() == Turn::Folded {}
            }
            worker.flush(0).await.unwrap();
            let state = dump(&platform, 0x13..0x14).await;
            let bytes: usize = state.iter().map(|(_, value)| value.len()).sum();
            let largest = store.largest.load(Ordering::SeqCst);
            assert!(bytes > 4 * LARGEST, "{bytes} bytes would be too little");
            assert!(largest <= LARGEST, "{largest} bytes in one commit, of {bytes}");
            // What is in the other slots is gone.
            if round == 1 {
                keys = state.len();
            }
            assert_eq!(state.len(), keys);
            assert_ne!(dump(&platform, 0x12..0x13).await, before);
        }
        let counted = cells(&platform, CubeId::TOTAL).await;
        let total: i64 = counted.values().map(|(hits, ..)| hits).sum();
        let sessions: i64 = counted.values().map(|(_, sessions, _)| sessions).sum();
        // Each round knows the clients of the one before: one session each, whatever the number of hits.
        assert_eq!((total, sessions), (3 * CLIENTS as i64, CLIENTS as i64));
    });
}
