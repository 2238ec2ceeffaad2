//! The whole of hitmill as services apart: two of ingest, rollup and query, one config, and HAProxy before them.

use std::process::Command;
use std::time::{Duration, Instant};

use test_servers::{Keeper, PulsarOptions};

use super::engines::Engines;
use crate::system::binary::hitmill;
use crate::system::process::{Process, free_address};
use crate::system::site::{ADMIN_KEY, Site};

const PROXY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/haproxy/haproxy.cfg");
/// The prefix of its keys in the store.
pub(super) const PREFIX: &str = "whole";
/// Above two checks of HAProxy: what drains gets nothing new before it closes.
const DRAIN_NOTICE_MS: &str = "1500";

/// All of it. Fields are dropped in order: services before what they stand on, and their logs last.
pub(super) struct Cluster {
    pub(super) proxy: Process,
    pub(super) ingest: Vec<Process>,
    pub(super) rollup: Vec<Process>,
    pub(super) query: Vec<Process>,
    pub(super) config: Process,
    pub(super) engines: Engines,
    pub(super) site: Site,
    _keeper: Keeper,
}

/// What can be killed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Victim {
    Ingest(usize),
    Rollup(usize),
    Query(usize),
    Config,
    Proxy,
    Store,
    Pd,
    Pulsar,
}

impl Victim {
    /// Every process that there is.
    pub(super) const ALL: [Self; 11] = [
        Self::Ingest(0),
        Self::Rollup(0),
        Self::Query(0),
        Self::Proxy,
        Self::Store,
        Self::Ingest(1),
        Self::Rollup(1),
        Self::Query(1),
        Self::Config,
        Self::Pd,
        Self::Pulsar,
    ];
}

impl Cluster {
    /// Starts everything.
    pub(super) async fn start() -> Self {
        // It may have to be built first.
        hitmill();
        let began = Instant::now();
        let (keeper, engines) =
            (Keeper::new("cluster").unwrap(), Engines::start(PulsarOptions::default()).await);
        println!("Pulsar and TiKV are there after {:.1?}", began.elapsed());
        let config_address = free_address();
        let service = |only: &str, number: usize, address: &str| {
            let mut command = hitmill();
            command.args(["serve", "--only", only]).envs(engines.settings(PREFIX));
            common(&mut command, address)
                .env("HITMILL_HOST__DRAIN_NOTICE_MS", DRAIN_NOTICE_MS)
                .env("HITMILL_CATALOG__SERVERS", format!("http://{config_address}"))
                .env("HITMILL_CATALOG__KEY", ADMIN_KEY);
            Process::new(&format!("{only}-{number}"), command, address, &keeper)
        };
        let two = |only: &str| (1..=2).map(|number| service(only, number, &free_address())).collect();
        let (ingest, rollup, query): (Vec<_>, Vec<_>, Vec<_>) = (two("ingest"), two("rollup"), two("query"));
        let config = service("config", 1, &config_address);
        let (proxy, site) = proxy(&ingest, &query, &config, &keeper);
        let mut cluster = Self { proxy, ingest, rollup, query, config, engines, site, _keeper: keeper };
        cluster.config.start().await;
        let services = cluster.ingest.iter_mut().chain(&mut cluster.rollup).chain(&mut cluster.query);
        services.for_each(Process::launch);
        for service in cluster.ingest.iter_mut().chain(&mut cluster.rollup).chain(&mut cluster.query) {
            service.wait_until_ready().await;
        }
        // Last, because it takes all that it knows of for there until it has looked.
        cluster.proxy.start().await;
        println!("the cluster is ready after {:.1?}", began.elapsed());
        cluster
    }

    /// kill -9.
    pub(super) async fn kill(&mut self, victim: Victim) {
        match victim {
            Victim::Store => self.engines.tikv.kill_store(0).await.unwrap(),
            Victim::Pd => self.engines.tikv.kill_pd().await.unwrap(),
            Victim::Pulsar => self.engines.pulsar.kill().await.unwrap(),
            _ => self.process(victim).kill(),
        }
    }

    /// Starts it again, and returns when it is ready.
    pub(super) async fn start_again(&mut self, victim: Victim) {
        match victim {
            Victim::Store => self.engines.tikv.start_store(0).await.unwrap(),
            Victim::Pd => self.engines.tikv.start_pd().await.unwrap(),
            Victim::Pulsar => self.engines.pulsar.start_again().await.unwrap(),
            _ => self.process(victim).start().await,
        }
    }

    fn process(&mut self, victim: Victim) -> &mut Process {
        match victim {
            Victim::Ingest(number) => &mut self.ingest[number],
            Victim::Rollup(number) => &mut self.rollup[number],
            Victim::Query(number) => &mut self.query[number],
            Victim::Config => &mut self.config,
            Victim::Proxy => &mut self.proxy,
            Victim::Store | Victim::Pd | Victim::Pulsar => unreachable!("{victim:?} is no process of ours"),
        }
    }

    /// Returns when every service says that it is ready: one that was without its store may have to find it first.
    pub(super) async fn settle(&self) {
        let started = Instant::now();
        let services =
            || self.ingest.iter().chain(&self.rollup).chain(&self.query).chain([&self.config, &self.proxy]);
        while let Some(unready) = services().find(|service| !service.is_ready()) {
            assert!(started.elapsed() < Duration::from_secs(60), "{} is not ready", unready.name());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// What every service is told.
pub(super) fn common<'a>(command: &'a mut Command, address: &str) -> &'a mut Command {
    command.env("HITMILL_HOST__LISTEN", address).env("HITMILL_ADMIN_KEY", ADMIN_KEY)
}

fn proxy(ingest: &[Process], query: &[Process], config: &Process, keeper: &Keeper) -> (Process, Site) {
    let (listen, pages) = (free_address(), free_address());
    let mut command = Command::new("haproxy");
    // Debian has it where only an administrator looks.
    let path = std::env::var("PATH").unwrap_or_default();
    command.args(["-db", "-f", PROXY]).env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin"));
    command.env("HITMILL_PROXY_LISTEN", &listen).env("HITMILL_PROXY_PAGES", &pages);
    for (number, (ingest, query)) in (1..).zip(ingest.iter().zip(query)) {
        command.env(format!("HITMILL_INGEST_{number}"), ingest.address());
        command.env(format!("HITMILL_QUERY_{number}"), query.address());
    }
    command.env("HITMILL_CONFIG_1", config.address());
    (Process::new("haproxy", command, &pages, keeper).ready_at("/healthz"), Site::at(&listen))
}
