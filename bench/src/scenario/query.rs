use std::time::{Duration, Instant};

use futures::future::try_join_all;
use proto::v1::{Granularity, QueryRequest};

use crate::ask::Asker;
use crate::lab::Lab;
use crate::latency::Latencies;
use crate::options::{Options, ScenarioName};
use crate::report::{Queries, Scenario};

/// Callers at a time, each with a connection.
const CALLERS: usize = 4;
/// The merchants that are asked for again and again: the largest ones.
const WARM_MERCHANTS: usize = 100;
const DAY_S: i64 = 24 * 3_600;

/// What is asked, of the last 24 hours of one merchant.
#[derive(Clone, Copy, Debug)]
enum Kind {
    HourlySeries,
    TopPages,
    Total,
}

impl Kind {
    const ALL: [Self; 3] = [Self::HourlySeries, Self::TopPages, Self::Total];

    fn name(self) -> &'static str {
        match self {
            Self::HourlySeries => "hourly series: hits, page_views, visitors",
            Self::TopPages => "top 10 pages: page_views, visitors",
            Self::Total => "total: hits, visitors, revenue",
        }
    }

    fn request(self, merchant_id: u64) -> QueryRequest {
        let (granularity, metrics, by, limit): (_, &[&str], _, _) = match self {
            Self::HourlySeries => (Granularity::Hour, &["hits", "page_views", "visitors"], None, 0),
            Self::TopPages => (Granularity::Total, &["page_views", "visitors"], Some("page"), 10),
            Self::Total => (Granularity::Total, &["hits", "visitors", "revenue"], None, 0),
        };
        QueryRequest {
            merchant_id,
            metrics: metrics.iter().map(|metric| (*metric).to_owned()).collect(),
            by: by.into_iter().map(str::to_owned).collect(),
            granularity: granularity.into(),
            last: Some(prost_types::Duration { seconds: DAY_S, nanos: 0 }),
            limit,
            ..QueryRequest::default()
        }
    }
}

/// Asks for merchants that were asked for before.
pub(crate) async fn warm(options: &Options, lab: &Lab) -> anyhow::Result<Scenario> {
    let name = ScenarioName::QueryWarm.name();
    let merchants: Vec<u64> =
        lab.accounts.iter().take(WARM_MERCHANTS).map(|account| account.merchant).collect();
    let each = Duration::from_secs(options.seconds) / Kind::ALL.len() as u32;
    let mut queries = Vec::new();
    for kind in Kind::ALL {
        (options.tell)(&format!("{name}: {}", kind.name()));
        let mut asker = lab.asker().await?;
        for merchant in &merchants {
            asker.query(kind.request(*merchant)).await?;
        }
        queries.push(load(lab, kind, &merchants, each).await?);
    }
    Ok(Scenario { name, queries, ..Scenario::default() })
}

/// Asks for so long, each caller as soon as it has its answer.
async fn load(lab: &Lab, kind: Kind, merchants: &[u64], lasting: Duration) -> anyhow::Result<Queries> {
    let mut callers = Vec::with_capacity(CALLERS);
    for _ in 0..CALLERS {
        callers.push(lab.asker().await?);
    }
    let before = lab.usage()?;
    let began = Instant::now();
    let callers = callers.into_iter().enumerate().map(|(caller, asker)| {
        // They begin at different merchants, and each goes through all of them.
        let merchants = merchants.iter().copied().cycle().skip(caller * merchants.len() / CALLERS);
        ask_until(began + lasting, kind, merchants, asker)
    });
    let found = try_join_all(callers).await?;
    let seconds = began.elapsed().as_secs_f64();
    let used = lab.usage()?.zip(before).map(|(after, before)| after - before);
    let mut latencies = Latencies::new()?;
    for of_caller in &found {
        latencies.add(of_caller)?;
    }
    Ok(queries(kind, CALLERS, &latencies, seconds, used.map(|used| used.total)))
}

async fn ask_until(
    end: Instant,
    kind: Kind,
    mut merchants: impl Iterator<Item = u64>,
    mut asker: Asker,
) -> anyhow::Result<Latencies> {
    let mut latencies = Latencies::new()?;
    while Instant::now() < end
        && let Some(merchant) = merchants.next()
    {
        let asked = Instant::now();
        asker.query(kind.request(merchant)).await?;
        latencies.record(asked.elapsed(), 1);
    }
    Ok(latencies)
}

/// Asks for each merchant once, of a server that has only just been started.
pub(crate) async fn cold(options: &Options, lab: &Lab) -> anyhow::Result<Scenario> {
    let name = ScenarioName::QueryCold.name();
    (options.tell)(&format!("{name}: each merchant once"));
    let mut asker = lab.asker().await?;
    let mut latencies = Latencies::new()?;
    let (before, began) = (lab.usage()?, Instant::now());
    for account in &lab.accounts {
        let asked = Instant::now();
        asker.query(Kind::HourlySeries.request(account.merchant)).await?;
        latencies.record(asked.elapsed(), 1);
    }
    let used = lab.usage()?.zip(before).map(|(after, before)| (after - before).total);
    let queries = vec![queries(Kind::HourlySeries, 1, &latencies, began.elapsed().as_secs_f64(), used)];
    Ok(Scenario { name, queries, ..Scenario::default() })
}

fn queries(
    kind: Kind,
    callers: usize,
    latencies: &Latencies,
    seconds: f64,
    used: Option<Duration>,
) -> Queries {
    let asked = latencies.len().max(1) as f64;
    Queries {
        kind: kind.name(),
        callers,
        queries_per_s: latencies.len() as f64 / seconds,
        server_cpu_us: used.map(|used| used.as_secs_f64() * 1e6 / asked),
        latency_ms: latencies.summary(),
    }
}
