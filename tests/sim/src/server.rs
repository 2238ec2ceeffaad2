//! A machine that runs hitmill: all of its services in one process, again and again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use eventlog::EventLog;
use eventlog::embedded::{EmbeddedLog, Settings as LogSettings};
use host::{Feed, Host, Platform};
use parking_lot::Mutex;
use rollup_svc::rewind;
use tokio::sync::oneshot;

use crate::disk::SimDisk;
use crate::life::Life;
use crate::log::{SimLog, Tape};
use crate::net::Port;
use crate::plan::Plan;
use crate::platter::Platter;
use crate::store::{Shelf, SimStore};
use crate::trace::Trace;

/// The admin key of every run.
pub(crate) const ADMIN_KEY: &str = "hm_a_the-admin-key-of-the-simulation";
/// Partitions of every log.
pub(crate) const PARTITIONS: u16 = 2;

/// What all servers of a run share, each for itself if there is but one.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) shelf: Arc<Mutex<Shelf>>,
    pub(crate) tape: Arc<Mutex<Tape>>,
    pub(crate) feed: Feed,
}

/// A machine that runs hitmill.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) clock: Clock,
    pub(crate) platter: Arc<Mutex<Platter>>,
    pub(crate) hangs: Arc<Mutex<Duration>>,
    shared: Shared,
    plan: Plan,
    trace: Arc<Trace>,
    process: Mutex<Process>,
}

/// The process that runs now.
#[derive(Default)]
struct Process {
    life: Option<Arc<Life>>,
    /// The next lives end after so many calls.
    crash_after: VecDeque<(u64, bool)>,
    /// Whether the end that was ordered for this life takes the power with it.
    power: Option<bool>,
    stop: Option<oneshot::Sender<()>>,
    rewind: bool,
}

impl Server {
    /// A machine on which nothing runs yet.
    pub(crate) fn new(
        name: &str,
        clock: Clock,
        platter: Platter,
        shared: &Shared,
        plan: &Plan,
        trace: &Arc<Trace>,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            clock,
            platter: Arc::new(Mutex::new(platter)),
            hangs: Arc::default(),
            shared: shared.clone(),
            plan: plan.clone(),
            trace: Arc::clone(trace),
            process: Mutex::new(Process {
                crash_after: plan.crash_after.clone().into(),
                ..Process::default()
            }),
        })
    }

    /// What runs on the machine: one life of the process.
    pub(crate) async fn live(self: Arc<Self>) -> turmoil::Result {
        let life = Life::new(&self.name, &self.trace);
        let (stop, stopped) = oneshot::channel();
        {
            let mut process = self.process.lock();
            process.power = None;
            if let Some((calls, power)) = process.crash_after.pop_front() {
                life.ends_after(calls);
                process.power = Some(power);
            }
            (process.life, process.stop) = (Some(Arc::clone(&life)), Some(stop));
        }
        self.trace.add(|| format!("{} starts", self.name));
        // In a task of its own: what unwinds it must not end the simulation.
        let run = tokio::spawn(Arc::clone(&self).run(Arc::clone(&life), stopped));
        let how = match run.await {
            Ok(Ok(())) => "has drained".to_owned(),
            Ok(Err(error)) => format!("gives up: {error:#}"),
            Err(error) => format!("was ended: {}", if error.is_panic() { "unwound" } else { "cancelled" }),
        };
        self.trace.add(|| format!("{} {how}", self.name));
        life.end();
        std::future::pending().await
    }

    async fn run(self: Arc<Self>, life: Arc<Life>, stopped: oneshot::Receiver<()>) -> anyhow::Result<()> {
        let clock = self.clock.clone();
        let store = SimStore {
            shelf: Arc::clone(&self.shared.shelf),
            life: Arc::clone(&life),
            hangs: Arc::clone(&self.hangs),
        };
        let store: Arc<dyn store::Store> = Arc::new(store);
        let log: Arc<dyn EventLog> = if self.plan.many {
            Arc::new(SimLog {
                tape: Arc::clone(&self.shared.tape),
                life: Arc::clone(&life),
                clock: clock.clone(),
            })
        } else {
            let disk = Arc::new(SimDisk { platter: Arc::clone(&self.platter), life: Arc::clone(&life) });
            let now = clock.clone();
            Arc::new(EmbeddedLog::open_on(disk, "/data/log", &log_settings(), move || now.now())?)
        };
        let mut platform =
            Platform::over(Arc::clone(&log), Arc::clone(&store), clock, self.shared.feed.clone()).await?;
        if self.plan.many {
            platform.shared = true;
            platform.catalog.share(Arc::clone(&store));
        }
        let host = Host::new(platform, host_settings())
            .with::<config_svc::Config>(config_svc::Settings {
                admin_key: ADMIN_KEY.into(),
                ..Default::default()
            })
            .await?
            .with::<rollup_svc::Rollup>(rollup_settings(&self.plan))
            .await?
            .with::<query_svc::Query>(query_settings())
            .await?
            .with::<ingest_svc::Ingest>(ingest_settings())
            .await?;
        let port = Port::open().await?;
        let rewinds = Arc::clone(&self).rewind_on_order(store, log, life);
        tokio::select! {
            biased;
            served = host.serve(port, async { drop(stopped.await) }) => served,
            () = rewinds => Ok(()),
        }
    }

    /// Folds the whole log again whenever it is told to.
    async fn rewind_on_order(
        self: Arc<Self>,
        store: Arc<dyn store::Store>,
        log: Arc<dyn EventLog>,
        life: Arc<Life>,
    ) {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if !std::mem::take(&mut self.process.lock().rewind) {
                continue;
            }
            let begun = match rewind::places(&*store, &*log).await {
                Ok(places) => rewind::begin(&*store, &places).await,
                Err(error) => Err(error),
            };
            life.trace.add(|| format!("{} rewinds: {:?}", self.name, begun.map_err(|e| e.to_string())));
        }
    }

    /// The life that is going on.
    pub(crate) fn life(&self) -> Option<Arc<Life>> {
        self.process.lock().life.clone()
    }

    /// Whether the power is cut at its end, if that was ordered.
    pub(crate) fn power(&self) -> Option<bool> {
        self.process.lock().power
    }

    /// Takes note that it is over.
    pub(crate) fn forget(&self) {
        let mut process = self.process.lock();
        (process.life, process.stop, process.rewind) = (None, None, false);
    }

    /// Tells the process to drain.
    pub(crate) fn drain(&self) {
        self.process.lock().stop = None;
    }

    /// Tells the process to fold the whole log again.
    pub(crate) fn rewind(&self) {
        self.process.lock().rewind = true;
    }
}

fn log_settings() -> LogSettings {
    LogSettings {
        partitions: PARTITIONS,
        // So small that a run has many segments, and that readers need the files.
        segment_bytes: 8 << 10,
        tail_bytes: 4 << 10,
        ..LogSettings::default()
    }
}

fn host_settings() -> host::Settings {
    let mut settings = host::Settings { drain_seconds: 3, ..host::Settings::default() };
    settings.http2.keepalive_seconds = 3;
    settings.http2.keepalive_timeout_seconds = 3;
    settings
}

fn ingest_settings() -> ingest_svc::Settings {
    ingest_svc::Settings { log_retry_ms: 200, credit_hits: 5_000, ..ingest_svc::Settings::default() }
}

fn query_settings() -> query_svc::Settings {
    query_svc::Settings { stalled_seconds: 5, resumable_seconds: 5, ..query_svc::Settings::default() }
}

fn rollup_settings(plan: &Plan) -> rollup_svc::Settings {
    let settings = rollup_svc::Settings {
        // Visitor state is written every few kilobytes, and what is read again after a crash is as little.
        replay_bytes: Some(4 << 10),
        // The simulation has one thread.
        threads: Some(0),
        ..rollup_svc::Settings::default()
    };
    match plan.faults.tiny_memory {
        true => rollup_svc::Settings { memory_bytes: 4 << 10, commit_bytes: 2 << 10, ..settings },
        false => settings,
    }
}
