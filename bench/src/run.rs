use crate::machine::{commit, machine};
use crate::options::{Options, ScenarioName};
use crate::report::Report;
use crate::scenario::{filled, ingest, latency};

/// Measures what is asked for.
pub async fn run(options: &Options) -> anyhow::Result<Report> {
    use ScenarioName::{Ingest1k, Ingest150, Latency30k, QueryCold, QueryWarm, Storage};

    options.check()?;
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        commit: commit(),
        command: options.command.clone(),
        seed: options.seed,
        machine: machine(),
        scenarios: Vec::new(),
    };
    // Queries and storage are measured on what was sent there.
    if [Ingest1k, QueryWarm, QueryCold, Storage].iter().any(|scenario| options.wants(*scenario)) {
        filled::run(options, &mut report.scenarios).await?;
    }
    if options.wants(Ingest150) {
        report.scenarios.push(ingest::run_150(options).await?);
    }
    if options.wants(Latency30k) {
        report.scenarios.push(latency::run(options).await?);
    }
    Ok(report)
}
