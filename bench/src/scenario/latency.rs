use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clock::Clock;
use futures::future::try_join_all;

use super::check::{Expected, wait_until_complete};
use super::ingest::cpu;
use crate::ask::Asker;
use crate::edge::{Acks, Edge};
use crate::lab::{Account, Lab};
use crate::latency::Latencies;
use crate::options::{Options, ScenarioName};
use crate::process::Meter;
use crate::random::{Random, mix};
use crate::report::Scenario;
use crate::server::Usage;
use crate::workload::{CLIENTS, Generator, MERCHANTS, Workload};

/// Hits a second.
const RATE: u32 = 30_000;
/// What an edge that is in a hurry gathers: all hits of a tick are due at its beginning.
const TICK: Duration = Duration::from_millis(10);
const TICKS_PER_S: u32 = 100;
/// Before anything is measured.
const WARM_UP_S: u64 = 2;
/// Merchants of whom a single hit is sent and then asked for.
const PROBES: usize = 4;
/// Between two looks for it, and at most before the next one.
const LOOK: Duration = Duration::from_millis(5);
const REST_MS: u32 = 250;
const PATIENCE: Duration = Duration::from_secs(60);
const HOUR_MS: i64 = 3_600_000;

/// Sends at a given rate, however long the answers take, and asks for single hits in between.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Scenario> {
    let name = ScenarioName::Latency30k.name();
    (options.tell)(&format!("{name}: making {MERCHANTS} merchants"));
    let lab = Lab::open(options, name, MERCHANTS as usize + PROBES).await?;
    let (accounts, probed) = lab.accounts.split_at(MERCHANTS as usize);
    let first_ms = Clock::system().now().0;
    let mut generator = Generator::new(Workload {
        seed: options.seed,
        merchants: MERCHANTS,
        clients: CLIENTS,
        hit_bytes: 1_000,
        batch_hits: 1,
        epoch: u64::try_from(first_ms)?,
        first_ms,
        step_ns: 1_000_000_000 / u64::from(RATE),
    });

    (options.tell)(&format!("{name}: {RATE} hits a second, for {} s", options.seconds));
    let edge = Edge::open(&lab.url, accounts, usize::MAX >> 8).await?;
    pace(edge, &mut generator, WARM_UP_S).await?;

    let edge = Edge::open(&lab.url, accounts, usize::MAX >> 8).await?;
    let (server_before, own_before, hits_before) = (lab.usage()?, Usage::own()?, generator.tally().hits());
    let beside = Meter::begin(&options.beside)?;
    let end = Instant::now() + Duration::from_secs(options.seconds);
    let probes = (0u64..).zip(probed).map(|(probe, account)| {
        let seed = mix(options.seed.wrapping_add(probe));
        Probe::new(&lab, account, seed, first_ms).run(end)
    });
    let (paced, found) = tokio::join!(pace(edge, &mut generator, options.seconds), try_join_all(probes));
    let Acks { latencies, .. } = paced?;
    let (server_after, own_after) = (lab.usage()?, Usage::own()?);
    let hits = generator.tally().hits() - hits_before;
    let beside = beside.end(hits)?;

    let mut queryable = Latencies::new()?;
    for of_probe in &found? {
        queryable.add(of_probe)?;
    }
    let complete_until_ms = Clock::system().now().0;
    // Hits are stamped when they are due: a little ahead, should the generator be.
    let range = (first_ms, complete_until_ms + HOUR_MS);
    wait_until_complete(&lab, &Expected { tally: generator.tally(), range, complete_until_ms }).await?;

    let used = server_after.zip(server_before).map(|(after, before)| after - before);
    Ok(Scenario {
        name,
        hits_per_s: Some(RATE.into()),
        hit_bytes: Some(1_000.0),
        hits: Some(hits),
        seconds: Some(options.seconds as f64),
        cpu_us_per_hit: Some(cpu(hits, own_after - own_before, used)),
        beside,
        ack_ms: Some(latencies.summary()),
        queryable_ms: Some(queryable.summary()),
        ..Scenario::default()
    })
}

/// Sends for so many seconds. A tick that comes late is not moved: what it waits counts.
async fn pace(mut edge: Edge, generator: &mut Generator, seconds: u64) -> anyhow::Result<Acks> {
    let began = Instant::now();
    for tick in 0..u32::try_from(seconds)?.saturating_mul(TICKS_PER_S) {
        let due = began + TICK * tick;
        tokio::time::sleep_until(due.into()).await;
        for frame in generator.round(RATE / TICKS_PER_S, Clock::system().now().0) {
            edge.send(frame, due).await?;
        }
    }
    edge.close().await
}

/// Sends one hit, looks for it until it is counted, rests, and begins again.
struct Probe<'a> {
    lab: &'a Lab,
    account: &'a Account,
    generator: Generator,
    rests: Random,
    first_ms: i64,
}

impl<'a> Probe<'a> {
    fn new(lab: &'a Lab, account: &'a Account, seed: u64, first_ms: i64) -> Self {
        let generator = Generator::new(Workload {
            seed,
            merchants: 1,
            clients: 1_000,
            hit_bytes: 1_000,
            batch_hits: 1,
            epoch: first_ms as u64,
            first_ms,
            step_ns: 1_000_000,
        });
        Self { lab, account, generator, rests: Random::new(seed), first_ms }
    }

    async fn run(mut self, end: Instant) -> anyhow::Result<Latencies> {
        let mut asker = self.lab.asker().await?;
        let mut edge = Edge::open(&self.lab.url, std::slice::from_ref(self.account), 1).await?;
        let mut latencies = Latencies::new()?;
        let mut sent = 0;
        loop {
            // Random, so that the probes do not fall into step with the commits.
            tokio::time::sleep(Duration::from_millis(self.rests.below(REST_MS).into())).await;
            if Instant::now() >= end {
                break;
            }
            let due = Instant::now();
            for frame in self.generator.round(1, Clock::system().now().0) {
                edge.send(frame, due).await?;
            }
            sent += 1;
            self.look(&mut asker, sent, due).await?;
            latencies.record(due.elapsed(), 1);
        }
        edge.close().await.context("a probe failed")?;
        Ok(latencies)
    }

    async fn look(&self, asker: &mut Asker, hits: u64, since: Instant) -> anyhow::Result<()> {
        let (id, range) = (self.account.merchant, (self.first_ms, self.first_ms + HOUR_MS));
        while asker.counts(id, range).await?.0.hits < hits {
            if since.elapsed() > PATIENCE {
                bail!("hit {hits} of merchant {id} is not counted after {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}
