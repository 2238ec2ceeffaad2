//! Measures, and shows the figures.

mod table;

use std::path::PathBuf;

use anyhow::bail;
use bench::{Options, Process, ScenarioName, Target};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::Global;
use crate::failure::Usage;
use crate::output::Format;

/// Measure this machine: hits in, numbers out, with every hit found again.
///
/// A server is started as a process of its own, with every acknowledgement after an fsync as always, and driven over
/// loopback gRPC; the operating system tells what server and generator each cost. A scenario in which a single hit is
/// missing from the answers fails. docs/performance.md says how each figure comes about.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill bench                                       all of it, in some minutes
  hitmill bench --scenario ingest-1k --hits 5000000
  hitmill bench --json > figures.json
  hitmill bench --running --server http://10.0.0.7:7700 --key $ADMIN_KEY --scenario latency-30k

Run it on a disk that matters, with nothing else on the machine.")]
pub(crate) struct Bench {
    /// What to measure; all if it is not given. Can be given more than once.
    #[arg(long, value_name = "NAME", value_parser = scenarios())]
    scenario: Vec<ScenarioName>,
    /// Hits of the scenarios that send as fast as it goes.
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    hits: u64,
    /// Seconds of the scenarios that last for a given time.
    #[arg(long, value_name = "N", default_value_t = 30)]
    seconds: u64,
    /// What all hits follow from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where the data goes, and stays [default: into a directory in the working directory, removed at the end].
    #[arg(long, value_name = "DIR", conflicts_with = "running")]
    data: Option<PathBuf>,
    /// Measure the server of --server, with its admin key by --key, instead of one started for this. The merchants that
    /// are made for it, and their hits, stay there.
    #[arg(long)]
    running: bool,
    /// A process beside the server whose processor time and memory are measured too: a broker, a store, a load balancer, a
    /// service that runs apart. Can be given more than once.
    #[arg(long, value_name = "NAME=PID")]
    process: Vec<Process>,
    /// The same as --format json: everything, with each scenario an object.
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let target = self.target(global)?;
        let format = if self.json { Format::Json } else { global.format };
        let options = Options {
            target,
            scenarios: self.scenario,
            beside: self.process,
            hits: self.hits,
            seconds: self.seconds,
            seed: self.seed,
            command: command(),
            tell: |what| eprintln!("{what}"),
        };
        // Dropped half-way it kills its server and removes the data.
        tokio::select! {
            report = bench::run(&options) => table::print(format, &report?),
            () = host::shutdown_signal() => bail!("interrupted: nothing was measured"),
        }
    }

    fn target(&self, global: &Global) -> anyhow::Result<Target> {
        if !self.running {
            return Ok(Target::Own { program: std::env::current_exe()?, data: self.data.clone() });
        }
        let key = global.key.clone();
        let key = key.ok_or_else(|| Usage("--running needs the admin key of the server: --key".into()))?;
        Ok(Target::Other { url: global.server.clone(), key })
    }
}

fn scenarios() -> impl TypedValueParser<Value = ScenarioName> {
    PossibleValuesParser::new(ScenarioName::ALL.map(ScenarioName::name)).try_map(|name| name.parse())
}

/// The command line, without the key if there is one.
fn command() -> String {
    let mut words = Vec::new();
    let mut secret = false;
    for word in std::env::args().skip(1) {
        words.push(if secret { "...".to_owned() } else { word.clone() });
        secret = word == "--key";
    }
    format!("hitmill {}", words.join(" "))
}
