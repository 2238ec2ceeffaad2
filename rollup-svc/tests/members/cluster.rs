//! Members that a test can kill, hold and drain, and what the test expects of them all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clock::Clock;
use eventlog::embedded::Settings as LogSettings;
use host::Platform;
use keyspace::fate::Fates;
use keyspace::lease::MemberId;
use keyspace::progress::{self, Progress};
use model::{Fate, Generation, Partition, Position, Timestamp};
use rollup_svc::Settings;
use rollup_svc::ownership::{Member, View, look};
use rollup_svc::worker::{Turn, Worker};
use store::embedded::{EmbeddedStore, Settings as StoreSettings};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::load::{Appended, NOON};
use crate::taps::{GatedStore, TappedLog, dump};

/// Longer than anything here takes; what hangs is cut here.
const LIMIT: Duration = Duration::from_secs(30);

/// The log and the store that the members share.
pub(crate) struct Cluster {
    pub(crate) platform: Platform,
    dir: TempDir,
}

/// One process, as it were.
pub(crate) struct Process {
    pub(crate) id: MemberId,
    pub(crate) store: Arc<GatedStore>,
    pub(crate) log: Arc<TappedLog>,
    ready: oneshot::Receiver<()>,
    drain: CancellationToken,
    task: JoinHandle<()>,
}

impl Cluster {
    pub(crate) async fn new(partitions: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = LogSettings { partitions, ..LogSettings::default() };
        let clock = Clock::manual(Timestamp(NOON), 1);
        let data = dir.path().join("data");
        let platform = host::platform::embedded(&data, log, StoreSettings::default(), clock);
        let platform = Platform { shared: true, ..platform.await.unwrap() };
        Self { platform, dir }
    }

    /// Starts a member and waits until it has joined.
    pub(crate) async fn join(&self, settings: &Settings) -> Process {
        let before: BTreeSet<_> = self.view().await.members.into_keys().collect();
        let store = GatedStore::new(Arc::clone(&self.platform.store));
        let log = Arc::new(TappedLog {
            inner: Arc::clone(&self.platform.log),
            seen: Default::default(),
            clock: None,
        });
        let drain = CancellationToken::new();
        let platform = Platform {
            log: log.clone(),
            store: store.clone(),
            drain: drain.clone(),
            ..self.platform.clone()
        };
        let (member, ready) = Member::new(platform, settings.clone()).unwrap();
        let task = tokio::spawn(member.run());
        let mut id = None;
        self.until("it has joined", |view| {
            id = view.members.keys().find(|id| !before.contains(id)).copied();
            id.is_some()
        })
        .await;
        Process { id: id.unwrap(), store, log, ready, drain, task }
    }

    pub(crate) async fn view(&self) -> View {
        look(&*self.platform.store).await.unwrap()
    }

    /// Waits until members and leases are so; says how long it took.
    pub(crate) async fn until(&self, what: &str, mut is_so: impl FnMut(&View) -> bool) -> Duration {
        let began = Instant::now();
        loop {
            let view = self.view().await;
            if is_so(&view) {
                return began.elapsed();
            }
            assert!(began.elapsed() < LIMIT, "not in time: {what}: {view:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until these members have so many partitions each, and nobody else has any.
    pub(crate) async fn shared_as(&self, shares: &[(&Process, usize)]) -> Duration {
        let what = format!("{:?}", shares.iter().map(|(p, share)| (p.id, *share)).collect::<Vec<_>>());
        self.until(&what, |view| {
            let all = view.leases.len() == usize::from(self.platform.log.partitions());
            all && shares.iter().all(|(process, share)| partitions_of(view, process.id).len() == *share)
                && shares.iter().map(|(_, share)| share).sum::<usize>() == view.leases.len()
        })
        .await
    }

    /// Waits until all that was appended is in the cells.
    pub(crate) async fn folded(&self, appended: &Appended) {
        let began = Instant::now();
        for ((merchant, partition), last) in &appended.last {
            let key = progress::key(*merchant, Generation::FIRST, *partition);
            loop {
                let found = self.platform.store.get(&key).await.unwrap();
                let found = found.map(|value| Progress::decode(&value).unwrap().applied_through);
                if found.is_some_and(|through| through >= *last) {
                    break;
                }
                assert!(began.elapsed() < LIMIT, "{merchant} of {partition} is at {found:?}, not at {last}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Everything is counted once, and the cells are, byte for byte, those of workers without any members about them.
    pub(crate) async fn assert_exact(&self, appended: &Appended) {
        let mut books = BTreeMap::new();
        for (_, value) in dump(&*self.platform.store, 0x14).await {
            let fates = Fates::decode(&value).unwrap();
            Fate::ALL.iter().for_each(|fate| *books.entry(fate.name()).or_insert(0) += fates.of(*fate));
        }
        assert_eq!((books["counted"], books["duplicate"]), (appended.distinct, appended.again));
        assert_eq!(books.values().sum::<u64>(), appended.distinct + appended.again);
        let straight = self.folded_alone().await;
        for family in [0x10, 0x14] {
            let same = dump(&*straight.store, family).await == dump(&*self.platform.store, family).await;
            assert!(same, "family {family:#x} differs");
        }
    }

    /// The same log, folded into a store of its own by workers without any members about them.
    pub(crate) async fn folded_alone(&self) -> Platform {
        let dir = self.dir.path().join("straight");
        let store = Arc::new(EmbeddedStore::open(&dir, StoreSettings::default()).unwrap());
        let platform = Platform { store, ..self.platform.clone() };
        for partition in (0..platform.log.partitions()).map(Partition) {
            let mut worker = Worker::begin(platform.clone(), Settings::default(), partition).await.unwrap();
            while worker.turn().await.unwrap() == Turn::Folded {}
            worker.flush(u64::MAX).await.unwrap();
        }
        platform
    }
}

impl Process {
    /// Waits until it says that it is ready.
    pub(crate) async fn ready(&mut self) {
        tokio::time::timeout(LIMIT, &mut self.ready).await.expect("it is not ready in time").unwrap();
    }

    /// Ends it where it is, as a kill does.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    /// Tells it to end, and waits until it has.
    pub(crate) async fn drain(&mut self) {
        self.drain.cancel();
        tokio::time::timeout(LIMIT, &mut self.task).await.expect("it does not end").unwrap();
    }

    /// The records that it read.
    pub(crate) fn read(&self) -> BTreeSet<(Partition, Position)> {
        self.log.seen.lock().clone()
    }
}

pub(crate) fn partitions_of(view: &View, member: MemberId) -> Vec<Partition> {
    let of = view.leases.iter().filter(|(_, lease)| lease.owner == Some(member));
    of.map(|(partition, _)| *partition).collect()
}
