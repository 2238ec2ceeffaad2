use std::path::PathBuf;

use anyhow::bail;

use crate::process::Process;

/// What to measure, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The system under test.
    pub target: Target,
    /// In this order; empty is all.
    pub scenarios: Vec<ScenarioName>,
    /// Processes beside the server whose processor time and memory are measured too.
    pub beside: Vec<Process>,
    /// Hits of the scenarios that send as fast as it goes.
    pub hits: u64,
    /// Seconds of the scenarios that last for a given time.
    pub seconds: u64,
    /// Everything random follows from it.
    pub seed: u64,
    /// The command line, for the report.
    pub command: String,
    /// Where to say what is being done.
    pub tell: fn(&str),
}

/// The system under test.
#[derive(Clone, Debug)]
pub enum Target {
    /// A process of its own, started for each scenario that needs a fresh one.
    Own {
        /// The hitmill binary.
        program: PathBuf,
        /// Where its data goes, and stays; else into the working directory, and away at the end.
        data: Option<PathBuf>,
    },
    /// A server that runs already. What only its machine knows (processor, memory, disk) is left out, and so is what
    /// needs a restart.
    Other {
        /// Where it is.
        url: String,
        /// An admin key.
        key: String,
    },
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScenarioName {
    /// Hits of 1,000 bytes, each of another client, as fast as it goes, until all can be queried.
    Ingest1k,
    /// The same with hits of 150 bytes, ten of one client together.
    Ingest150,
    /// 30,000 hits of 1,000 bytes a second: until they are acknowledged, and until they can be queried.
    Latency30k,
    /// Queries of merchants that were asked for before.
    QueryWarm,
    /// The first query of each merchant after a restart.
    QueryCold,
    /// Bytes on disk and in memory.
    Storage,
}

impl ScenarioName {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Ingest1k, Self::QueryWarm, Self::QueryCold, Self::Storage, Self::Ingest150, Self::Latency30k];

    /// Its name on the command line and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest1k => "ingest-1k",
            Self::Ingest150 => "ingest-150",
            Self::Latency30k => "latency-30k",
            Self::QueryWarm => "query-warm",
            Self::QueryCold => "query-cold",
            Self::Storage => "storage",
        }
    }
}

impl std::str::FromStr for ScenarioName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("scenario {text:?} is not known: {names}")
        })
    }
}

impl Options {
    /// Whether a scenario is asked for.
    pub(crate) fn wants(&self, scenario: ScenarioName) -> bool {
        self.scenarios.is_empty() || self.scenarios.contains(&scenario)
    }

    pub(crate) fn check(&self) -> anyhow::Result<()> {
        const LEAST_HITS: u64 = 1_000;
        if self.hits < LEAST_HITS {
            bail!("{} hits are not allowed: at least {LEAST_HITS}", self.hits);
        }
        if self.seconds == 0 {
            bail!("0 seconds are not allowed: at least 1");
        }
        Ok(())
    }
}
