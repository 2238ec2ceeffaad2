//! The workers of this process, one for each partition that it has, on threads of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::Context;
use host::Platform;
use model::Partition;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};

use crate::settings::Settings;
use crate::worker::{Order, Reins, Worker};

/// The workers that run. Dropping it ends them where they are.
pub(super) struct Workers {
    platform: Platform,
    settings: Settings,
    running: BTreeMap<Partition, Running>,
    held: Arc<AtomicUsize>,
    /// Told when a worker has caught up.
    wake: Arc<Notify>,
    /// Told when a worker doubts its lease.
    look: Arc<Notify>,
    tasks: JoinSet<(Partition, u64)>,
    threads: Threads,
}

struct Running {
    epoch: u64,
    orders: watch::Sender<Order>,
    caught_up: Arc<AtomicBool>,
    task: AbortHandle,
}

impl Workers {
    /// None yet.
    pub(super) fn new(
        platform: Platform,
        settings: Settings,
        wake: Arc<Notify>,
        look: Arc<Notify>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            platform,
            threads: Threads::start(settings.threads)?,
            settings,
            running: BTreeMap::new(),
            held: Arc::default(),
            wake,
            look,
            tasks: JoinSet::new(),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    pub(super) fn has(&self, partition: Partition) -> bool {
        self.running.contains_key(&partition)
    }

    /// The partitions, with the epochs of their leases.
    pub(super) fn running(&self) -> Vec<(Partition, u64)> {
        self.running.iter().map(|(partition, running)| (*partition, running.epoch)).collect()
    }

    /// Partitions whose workers were told to end.
    pub(super) fn ending(&self) -> BTreeSet<Partition> {
        let ending = self.running.iter().filter(|(_, running)| running.orders.borrow().is_last());
        ending.map(|(partition, _)| *partition).collect()
    }

    pub(super) fn all_caught_up(&self) -> bool {
        self.running.values().all(|running| running.caught_up.load(Ordering::SeqCst))
    }

    pub(super) fn start(&mut self, partition: Partition, epoch: u64) {
        let (orders, told) = watch::channel(Order::Work);
        let caught_up = Arc::new(AtomicBool::new(false));
        let reins = Reins::new(told, Arc::clone(&caught_up), Arc::clone(&self.wake), Arc::clone(&self.look));
        let worker =
            Worker::new(self.platform.clone(), self.settings.clone(), partition, Arc::clone(&self.held));
        let work = async move {
            worker.run(reins).await;
            (partition, epoch)
        };
        let task = self.tasks.spawn_on(work, self.threads.handle());
        self.running.insert(partition, Running { epoch, orders, caught_up, task });
        self.count();
    }

    /// Ends a worker where it is: what it holds and has not committed is somebody else's now.
    pub(super) fn stop(&mut self, partition: Partition) {
        if let Some(running) = self.running.remove(&partition) {
            running.task.abort();
        }
        self.count();
    }

    /// Tells a worker what to do; one that was told to end stays so.
    pub(super) fn order(&self, partition: Partition, order: Order) {
        if let Some(running) = self.running.get(&partition) {
            running.orders.send_if_modified(|now| {
                let changes = *now != order && !now.is_last();
                if changes {
                    *now = order;
                }
                changes
            });
        }
    }

    /// Tells all of them.
    pub(super) fn order_all(&self, order: Order) {
        self.running.keys().for_each(|partition| self.order(*partition, order));
    }

    /// The next worker that ended as it was told.
    pub(super) async fn ended(&mut self) -> (Partition, u64) {
        loop {
            match self.tasks.join_next().await {
                None => pending().await,
                Some(result) => {
                    if let Some((partition, epoch)) = unless_panicked(result) {
                        if self.running.get(&partition).is_some_and(|running| running.epoch == epoch) {
                            self.running.remove(&partition);
                            self.count();
                        }
                        return (partition, epoch);
                    }
                }
            }
        }
    }

    fn count(&self) {
        self.held.store(self.running.len(), Ordering::SeqCst);
        metrics::gauge!("hitmill_rollup_partitions_held").set(self.running.len() as f64);
    }
}

/// What a task gave, if it was not ended from outside. A partition that nobody folds would look like one without hits, so
/// a panic ends the process: the next one goes on exactly here.
pub(crate) fn unless_panicked<T>(result: Result<T, JoinError>) -> Option<T> {
    match result {
        Ok(given) => Some(given),
        Err(error) if error.is_cancelled() => None,
        Err(_) => {
            tracing::error!("a task of rollup panicked: the process ends");
            process::abort();
        }
    }
}

/// Threads of their own: folding a large record must not keep a thread from answering calls, nor hold up a beat.
struct Threads(Option<Runtime>, Handle);

impl Threads {
    fn start(wanted: Option<u16>) -> anyhow::Result<Self> {
        if wanted == Some(0) {
            return Ok(Self(None, Handle::current()));
        }
        let mut builder = Builder::new_multi_thread();
        if let Some(threads) = wanted {
            builder.worker_threads(threads.into());
        }
        let runtime = builder.thread_name("rollup").enable_all().build();
        let runtime = runtime.context("failed to start the threads of rollup")?;
        let handle = runtime.handle().clone();
        Ok(Self(Some(runtime), handle))
    }

    fn handle(&self) -> &Handle {
        &self.1
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // A runtime must not be waited for where others run.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
