use std::time::{Duration, Instant};

use anyhow::Context;
use clock::Clock;
use tokio::sync::mpsc;

use super::check::{Expected, wait_until_complete};
use crate::edge::{Acks, Edge};
use crate::lab::Lab;
use crate::options::{Options, ScenarioName};
use crate::process::Meter;
use crate::report::{Cpu, Scenario};
use crate::server::Usage;
use crate::workload::{CLIENTS, Frame, Generator, MERCHANTS, Tally, Workload};

/// Hits that the edge gathers before it sends them: what a busy one gathers in less than 200 ms.
const ROUND_HITS: u32 = 20_000;
/// Rounds that are made ahead.
const ROUNDS_AHEAD: usize = 1;
/// Hits under way.
const WINDOW: usize = 65_536;
/// The hits happened in the two hours before.
const SPAN_MS: i64 = 2 * 3_600_000;

/// What is sent as fast as it goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// The scenario.
    pub(crate) name: ScenarioName,
    /// See [`Workload::hit_bytes`].
    pub(crate) hit_bytes: usize,
    /// See [`Workload::batch_hits`].
    pub(crate) batch_hits: u32,
}

/// Every hit is another client's: as little as can be is shared.
pub(crate) const SHAPE_1K: Shape = Shape { name: ScenarioName::Ingest1k, hit_bytes: 1_000, batch_hits: 1 };
const SHAPE_150: Shape = Shape { name: ScenarioName::Ingest150, hit_bytes: 150, batch_hits: 10 };

/// A server that has taken and folded its hits.
pub(crate) struct Filled {
    /// The server.
    pub(crate) lab: Lab,
    /// What it was sent.
    pub(crate) tally: Tally,
    /// The figures.
    pub(crate) scenario: Scenario,
}

/// The hits of 150 bytes, from beginning to end.
pub(crate) async fn run_150(options: &Options) -> anyhow::Result<Scenario> {
    let mut filled = fill(options, SHAPE_150).await?;
    filled.lab.stop().await?;
    Ok(filled.scenario)
}

/// Sends as fast as it goes, and waits until all can be queried.
pub(crate) async fn fill(options: &Options, shape: Shape) -> anyhow::Result<Filled> {
    let name = shape.name.name();
    (options.tell)(&format!("{name}: making {MERCHANTS} merchants"));
    let lab = Lab::open(options, name, MERCHANTS as usize).await?;
    let mut edge = Edge::open(&lab.url, &lab.accounts, WINDOW).await?;

    (options.tell)(&format!("{name}: sending {} hits of {} bytes", options.hits, shape.hit_bytes));
    let now = Clock::system().now().0;
    let generator = Generator::new(Workload {
        seed: options.seed,
        merchants: MERCHANTS,
        clients: CLIENTS,
        hit_bytes: shape.hit_bytes,
        batch_hits: shape.batch_hits,
        epoch: u64::try_from(now)?,
        first_ms: now - SPAN_MS,
        step_ns: SPAN_MS as u64 * 1_000_000 / options.hits,
    });
    let (server_before, own_before) = (lab.usage()?, Usage::own()?);
    let beside = Meter::begin(&options.beside)?;
    let began = Instant::now();
    let (tally, bytes) = send(&mut edge, generator, options.hits).await?;
    let Acks { latencies, last } = edge.close().await?;
    let complete_until_ms = Clock::system().now().0;
    let range = (now - SPAN_MS, complete_until_ms);
    wait_until_complete(&lab, &Expected { tally: &tally, range, complete_until_ms }).await?;
    let done = Instant::now();

    let own = Usage::own()? - own_before;
    let used = lab.usage()?.zip(server_before).map(|(after, before)| after - before);
    let (hits, seconds) = (tally.hits(), (done - began).as_secs_f64());
    let scenario = Scenario {
        name,
        hits_per_s: Some(hits as f64 / seconds),
        hit_bytes: Some(bytes as f64 / hits as f64),
        hits: Some(hits),
        seconds: Some(seconds),
        complete_after_ack_ms: Some(done.saturating_duration_since(last).as_secs_f64() * 1_000.0),
        cpu_us_per_hit: Some(cpu(hits, own, used)),
        beside: beside.end(hits)?,
        ack_ms: Some(latencies.summary()),
        ..Scenario::default()
    };
    Ok(Filled { lab, tally, scenario })
}

/// Sends the hits, which are made on a thread of their own; gives what was sent, and its bytes.
async fn send(edge: &mut Edge, mut generator: Generator, hits: u64) -> anyhow::Result<(Tally, u64)> {
    let (rounds, mut made) = mpsc::channel::<Vec<Frame>>(ROUNDS_AHEAD);
    let making = tokio::task::spawn_blocking(move || {
        let mut left = hits;
        while left > 0 {
            let of_round = u32::try_from(left).unwrap_or(u32::MAX).min(ROUND_HITS);
            left -= u64::from(of_round);
            let round = generator.round(of_round, Clock::system().now().0);
            if rounds.blocking_send(round).is_err() {
                break;
            }
        }
        generator
    });
    let mut bytes = 0;
    while let Some(round) = made.recv().await {
        for frame in round {
            bytes += frame.batches.len() as u64;
            edge.send(frame, Instant::now()).await?;
        }
    }
    let generator = making.await.context("the generator failed")?;
    Ok((generator.tally().clone(), bytes))
}

/// Processor time for each hit.
pub(crate) fn cpu(hits: u64, own: Usage, server: Option<Usage>) -> Cpu {
    let each = |time: Duration| time.as_secs_f64() * 1e6 / hits.max(1) as f64;
    let of_server = |stage: fn(&Usage) -> Duration| server.as_ref().map(|used| each(stage(used)));
    Cpu {
        ingest: of_server(Usage::rest),
        log: of_server(|used| used.log),
        rollup: of_server(|used| used.rollup),
        store: of_server(|used| used.store),
        server: of_server(|used| used.total),
        generator: each(own.total),
        total: of_server(|used| used.total).map(|server| server + each(own.total)),
    }
}
