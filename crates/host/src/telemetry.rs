//! Seeing inside: logs to standard error, metrics for Prometheus.

mod process;

use std::fs::File;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::Settings;
use crate::settings::LogFormat;

/// Bounds of latency histograms in seconds: from a cache hit to a caller's patience, about three for each power of ten.
const LATENCY_SECONDS: [f64; 15] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Histograms gather single samples until they are folded into buckets; without a scraper nobody else would do it.
const UPKEEP: Duration = Duration::from_secs(5);

/// Sends logs to standard error, so that standard output is data only. Once in a process.
pub fn init_logs(settings: &Settings) -> anyhow::Result<()> {
    start_logs(settings, std::io::stderr, std::io::stderr().is_terminal())
}

/// Sends logs to a file, where the terminal is used for something else. Once in a process.
pub fn init_logs_to(settings: &Settings, file: File) -> anyhow::Result<()> {
    start_logs(settings, Mutex::new(file), false)
}

fn start_logs<W>(settings: &Settings, writer: W, colors: bool) -> anyhow::Result<()>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let directives = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_else(|_| settings.log.clone());
    let filter = EnvFilter::try_new(&directives).with_context(|| {
        format!("{directives:?} is no log filter: a level such as info, or directives such as info,ingest_svc=debug")
    })?;
    // Nobody reads the log any more: that is told to nobody, and no reason for a server to end.
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).log_internal_errors(false);
    let started = match settings.log_format {
        LogFormat::Human => logs.with_ansi(colors).try_init(),
        LogFormat::Json => logs.json().try_init(),
    };
    started.map_err(|e| anyhow::anyhow!("failed to start logging: {e}"))
}

/// Gathers metrics from now on. May be called again.
pub fn init_metrics() {
    recorder();
}

/// All metrics of this process in Prometheus' text format; `data` says whose disk matters.
pub(crate) fn exposition(data: &Path) -> String {
    let mut text = recorder().map(PrometheusHandle::render).unwrap_or_default();
    process::write(&mut text, data);
    text
}

/// Keeps the memory of histograms small until `end`.
pub(crate) async fn upkeep(end: CancellationToken) {
    while end.run_until_cancelled(tokio::time::sleep(UPKEEP)).await.is_some() {
        if let Some(recorder) = recorder() {
            recorder.run_upkeep();
        }
    }
}

/// Says which version of the configuration is in force, until `end`.
pub(crate) async fn version(mut newest: watch::Receiver<u64>, end: CancellationToken) {
    loop {
        let version = *newest.borrow_and_update();
        metrics::gauge!("hitmill_catalog_version").set(version as f64);
        tracing::debug!(version, "configuration");
        match end.run_until_cancelled(newest.changed()).await {
            Some(Ok(())) => {}
            Some(Err(_)) | None => return,
        }
    }
}

/// The recorder of this process: there can be one only, however many hosts a test starts.
fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER.get_or_init(|| install().inspect_err(|e| tracing::warn!(error = %e, "no metrics")).ok()).as_ref()
}

fn install() -> anyhow::Result<PrometheusHandle> {
    let seconds = Matcher::Suffix("_seconds".to_owned());
    let recorder =
        PrometheusBuilder::new().set_buckets_for_metric(seconds, &LATENCY_SECONDS)?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    describe();
    Ok(handle)
}

fn describe() {
    metrics::describe_counter!("hitmill_requests_total", "Calls by method and by the code they ended with");
    metrics::describe_histogram!(
        "hitmill_request_seconds",
        "Time until a call was answered (a stream: until it began)"
    );
    metrics::describe_gauge!("hitmill_requests_in_flight", "Calls under way");
    metrics::describe_gauge!("hitmill_connections", "Connections open");
    metrics::describe_gauge!(
        "hitmill_catalog_version",
        "Version of the configuration in force in this process"
    );
    metrics::describe_counter!(
        "hitmill_feed_messages_total",
        "Messages between processes about changed cells, by their way"
    );
    metrics::describe_counter!(
        "hitmill_connections_refused_total",
        "Connections closed at once, by the limit reached"
    );
}
