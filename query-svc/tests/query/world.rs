//! A merchant whose cells are written hit by hit, as the fold does.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use catalog::{Catalog, Item};
use clock::Clock;
use host::{Change, Feed, FeedEvent, Platform};
use keyspace::cell::{Cell, CellKey};
use keyspace::checkpoint::{self, Checkpoint};
use keyspace::progress::{self, Progress};
use keyspace::touched::{self, Day, Touched};
use model::{Count, CubeId, Generation, Hour, MerchantId, MoneyKind, Partition, Position, Role, Timestamp};
use parking_lot::Mutex;
use proptest::prelude::*;
use query_svc::{Query, Settings};
use store::{Batch, Store};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::memory::{MemoryLog, MemoryStore};

pub(crate) const MERCHANT: MerchantId = MerchantId(7);
pub(crate) const READ_KEY: &str = "hm_r_aaaaaaaa_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(crate) const OTHER_READ_KEY: &str = "hm_r_bbbbbbbb_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(crate) const ADMIN_KEY: &str = "hm_a_cccccccc_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(crate) const PARTITIONS: u16 = 4;
/// 2024-05-17T12:34:20Z.
pub(crate) const NOW: Timestamp = Timestamp(1_715_949_260_000);

/// A hit, as far as cells know it.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) at: Timestamp,
    pub(crate) page: &'static str,
    pub(crate) visitor: u64,
    pub(crate) view: bool,
    /// Millionths of the currency, and whether it is a purchase.
    pub(crate) money: Option<(&'static str, i64, bool)>,
    pub(crate) partition: u16,
}

pub(crate) struct World {
    pub(crate) platform: Platform,
    pub(crate) store: MemoryStore,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) query: Query,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    cells: HashMap<CellKey, Cell>,
    touched: HashMap<(Day, Partition), Touched>,
    commits: HashMap<Partition, u64>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let (store, log) = (MemoryStore::default(), Arc::new(MemoryLog::new(PARTITIONS)));
        let platform = Platform {
            log: log.clone(),
            store: Arc::new(store.clone()),
            clock: Clock::manual(NOW, 1),
            catalog: configured(),
            feed: Feed::in_memory(16),
            instance_id: "test".into(),
            shared: false,
            drain: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let query = Query::new(platform.clone(), settings);
        Self { platform, store, log, query, written: Mutex::default() }
    }

    /// The same world behind a service with other settings.
    pub(crate) fn query_with(&self, settings: Settings) -> Query {
        Query::new(self.platform.clone(), settings)
    }

    /// Writes hits of one partition in one commit, as the fold does, and tells the feed.
    pub(crate) async fn commit(&self, partition: u16, hits: &[Hit]) {
        let batch = self.written.lock().fold(Partition(partition), hits);
        self.store.commit(batch).await.unwrap();
        let hours = hits.iter().map(|hit| hit.at.hour()).collect();
        let change = Change { merchant: MERCHANT, generation: Generation::FIRST, hours };
        self.platform.feed.publish(FeedEvent::Changed(Arc::new([change])));
    }

    /// Writes hits, each into its own partition, one commit for each partition.
    pub(crate) async fn commit_all(&self, hits: &[Hit]) {
        for partition in 0..PARTITIONS {
            let own: Vec<_> = hits.iter().filter(|hit| hit.partition == partition).cloned().collect();
            if !own.is_empty() {
                self.commit(partition, &own).await;
            }
        }
    }

    /// Moves the watermark of every partition, and tells the feed.
    pub(crate) async fn complete_until(&self, at: Timestamp) {
        self.each_complete_until([at; PARTITIONS as usize]).await;
    }

    /// Moves the watermark of each partition by itself.
    pub(crate) async fn each_complete_until(&self, times: [Timestamp; PARTITIONS as usize]) {
        let mut batch = Batch::default();
        for (partition, at) in (0..).zip(times) {
            let checkpoint = Checkpoint { complete_until: at, ..Checkpoint::default() };
            batch.put(checkpoint::key(Partition(partition)), checkpoint.encode());
        }
        self.store.commit(batch).await.unwrap();
        self.platform.feed.publish(FeedEvent::Watermark);
    }

    /// How many commits there were.
    pub(crate) fn revision(&self) -> u64 {
        self.written.lock().commits.values().sum()
    }
}

impl Written {
    fn fold(&mut self, partition: Partition, hits: &[Hit]) -> Batch {
        let commits = self.commits.entry(partition).or_default();
        *commits += 1;
        let (mut batch, mut dirty) = (Batch::default(), HashSet::new());
        for hit in hits {
            let hour = hit.at.hour();
            let cubes = [
                (CubeId::TOTAL, vec![]),
                (CubeId(2), hit.page.as_bytes().to_vec()),
                (CubeId(12), (hit.partition % 2 + 1).to_string().into_bytes()),
                (CubeId::MINUTE, vec![hit.at.minute()]),
            ];
            for (cube, value) in cubes {
                let key =
                    CellKey { merchant: MERCHANT, generation: Generation::FIRST, cube, hour, partition };
                count(self.cells.entry(key).or_default(), &value, hit);
                dirty.insert(key);
            }
            let day = (Day::of(hour), partition);
            self.touched.entry(day).or_default().touch(hour, *commits);
            let touched = self.touched[&day].encode();
            batch.put(touched::key(MERCHANT, Generation::FIRST, day.0, partition), touched);
        }
        for key in dirty {
            batch.put(key.encode(), self.cells[&key].encode());
        }
        let progress = Progress {
            applied_through: Position::of_entry(*commits),
            commits: *commits,
            state_through: None,
            slots: Default::default(),
        };
        batch.put(progress::key(MERCHANT, Generation::FIRST, partition), progress.encode());
        batch
    }
}

fn count(cell: &mut Cell, value: &[u8], hit: &Hit) {
    let quarter = hit.at.quarter();
    let row = cell.row(value);
    row.visitors.add(visitor_hash(hit.visitor), quarter, 1);
    let purchase = hit.money.is_some_and(|(.., purchase)| purchase);
    let slot = row.slot(quarter);
    slot.counts.add(Count::Hits, 1);
    slot.counts.add(Count::PageViews, hit.view.into());
    slot.counts.add(Count::Purchases, purchase.into());
    if let Some((currency, micros, purchase)) = hit.money {
        let currency = currency.parse().unwrap();
        slot.money.add(currency, MoneyKind::Revenue, if purchase { micros.into() } else { 0 });
        slot.money.add(currency, MoneyKind::Value, micros.into());
    }
}

fn visitor_hash(visitor: u64) -> u64 {
    model::stable_hash(&visitor.to_be_bytes())
}

fn configured() -> Catalog {
    let catalog = Catalog::new(catalog::Snapshot::default());
    let merchant = |id, zone: &str| {
        Item::Merchant(Arc::new(catalog::Merchant {
            id,
            name: "Shop".into(),
            time_zone: zone.into(),
            currency: "EUR".parse().unwrap(),
            hits_per_second: 0,
            streams: 0,
            spread: PARTITIONS,
            version: 3,
            created_at: Timestamp(0),
        }))
    };
    let stream = |id, name: &str| {
        Item::DataStream(Arc::new(catalog::DataStream {
            id: model::DataStreamId(id),
            merchant: MERCHANT,
            name: name.into(),
            platform: catalog::Platform::Web,
        }))
    };
    let items = [
        merchant(MERCHANT, "Europe/Berlin"),
        merchant(MerchantId(8), "UTC"),
        stream(1, "Web"),
        stream(2, "App"),
        key(READ_KEY, Role::Read, Some(MERCHANT), None),
        key(OTHER_READ_KEY, Role::Read, Some(MerchantId(8)), None),
        key(ADMIN_KEY, Role::Admin, None, None),
    ];
    catalog.apply(&items, 1);
    catalog
}

/// A key of the catalog.
pub(crate) fn key(
    text: &str,
    role: Role,
    merchant: Option<MerchantId>,
    revoked_at: Option<Timestamp>,
) -> Item {
    Item::Key(Arc::new(catalog::Key {
        id: catalog::key_id(text).unwrap().into(),
        role,
        merchant,
        data_stream: None,
        hash: catalog::hash(text),
        created_at: Timestamp(0),
        revoked_at,
    }))
}

pub(crate) const PAGES: [&str; 3] = ["/", "/cart", "/p?1"];

/// Hits within some hours before `end`.
pub(crate) fn hits(
    end: Timestamp,
    hours: i64,
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<Hit>> {
    let hit = (
        1..=hours * Hour::MILLIS,
        prop::sample::select(&PAGES[..]),
        0u64..5,
        any::<bool>(),
        prop::option::of((
            prop::sample::select(&["EUR", "USD"][..]),
            -5_000_000i64..50_000_000,
            any::<bool>(),
        )),
        0..PARTITIONS,
    );
    let hit = hit.prop_map(move |(back, page, visitor, view, money, partition)| Hit {
        at: end.plus_millis(-back),
        page,
        visitor,
        view,
        money,
        partition,
    });
    prop::collection::vec(hit, count)
}

/// Runs async code of a test.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
