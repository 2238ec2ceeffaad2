use serde::Serialize;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of the load generator.
    pub version: &'static str,
    /// The commit of the working directory, if it is one of a repository.
    pub commit: Option<String>,
    /// The command line.
    pub command: String,
    /// What all hits follow from.
    pub seed: u64,
    /// Where it was measured.
    pub machine: Machine,
    /// The figures.
    pub scenarios: Vec<Scenario>,
}

/// Where it was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Processor cores.
    pub cores: usize,
    /// The processor.
    pub cpu: Option<String>,
    /// The kernel.
    pub kernel: Option<String>,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Processes that wanted to run before the start, on average of a minute: above 0 the machine was not ours alone.
    pub load_before: Option<f64>,
}

/// The figures of one scenario. What does not apply to it is left out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// From the first send until all can be queried; where hits come at a given rate: the rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hits_per_s: Option<f64>,
    /// Bytes of a hit on the wire, with its share of its batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hit_bytes: Option<f64>,
    /// Hits sent. Every one was found in the answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hits: Option<u64>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// From the last acknowledgement until all could be queried, and the server said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete_after_ack_ms: Option<f64>,
    /// Microseconds of processor time for each hit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_us_per_hit: Option<Cpu>,
    /// The processes beside the server that were named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Beside>,
    /// From when a hit was due to be sent to its acknowledgement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack_ms: Option<Latency>,
    /// From when a hit was due to be sent to an answer that counts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queryable_ms: Option<Latency>,
    /// Queries by kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub queries: Vec<Queries>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
}

/// Microseconds of processor time for each hit, by stage, user and system time together. The stages are told apart by
/// the names of threads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cpu {
    /// Taking hits in; and answering the queries that look for them, which are few.
    pub ingest: Option<f64>,
    /// The threads that write the log.
    pub log: Option<f64>,
    /// Reading the log, folding and committing.
    pub rollup: Option<f64>,
    /// The threads of the store, which sort and write what was committed.
    pub store: Option<f64>,
    /// The server in all.
    pub server: Option<f64>,
    /// Making and sending hits, hearing acknowledgements, and asking whether all is there.
    pub generator: f64,
    /// Server and generator.
    pub total: Option<f64>,
}

/// A process beside the server: a broker, a store, a load balancer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Beside {
    /// What it was called.
    pub name: String,
    /// Microseconds of its processor time for each hit, user and system time together.
    pub cpu_us_per_hit: f64,
    /// The most memory that it ever had resident.
    pub peak_resident_bytes: Option<u64>,
}

/// Milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Half are at most this.
    pub p50: f64,
    /// 90 of 100.
    pub p90: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1,000.
    pub p999: f64,
    /// The longest.
    pub max: f64,
    /// Of so many.
    pub of: u64,
}

/// Queries of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct Queries {
    /// What is asked.
    pub kind: &'static str,
    /// Callers at a time, each with a connection of its own and one query under way.
    pub callers: usize,
    /// Answers a second.
    pub queries_per_s: f64,
    /// Microseconds of the server's processor time for each.
    pub server_cpu_us: Option<f64>,
    /// How long they took.
    pub latency_ms: Latency,
}

/// Bytes on disk and in memory.
#[derive(Clone, Debug, Serialize)]
pub struct Storage {
    /// Bytes of the log's directory.
    pub log_bytes: u64,
    /// For each hit.
    pub log_bytes_per_hit: f64,
    /// Bytes of the store's directory.
    pub store_bytes: u64,
    /// Hours of merchants in which there are hits.
    pub merchant_hours: u64,
    /// Bytes of the store for each: all cubes, sketches, and the state of visitors.
    pub store_bytes_per_merchant_hour: f64,
    /// The most memory that the server had resident.
    pub peak_resident_bytes: u64,
}
