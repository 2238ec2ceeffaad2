/// What an operator tunes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the brokers are: `pulsar://host:6650`, or `pulsar+ssl://host:6651`. Empty: the log is the embedded one.
    pub url: String,
    /// Where their admin interface is: `http://host:8080`.
    pub admin_url: String,
    /// The namespace that holds the topics, which is made if it is not there: `tenant/name`.
    pub namespace: String,
    /// How many partitions a new topic gets. A topic that is there keeps its number.
    pub partitions: u16,
    /// The topic is moved to tiered storage when more than this many bytes of it are in BookKeeper; 0: as soon as a ledger
    /// is full; not set: never by itself. The brokers must have an offload driver.
    pub offload_after_bytes: Option<u64>,
    /// Bytes of records that may be on their way to the brokers, in all partitions together; an append beyond waits.
    pub max_queued_bytes: usize,
    /// Milliseconds that an append, or a question to the admin interface, may take before it has failed.
    pub timeout_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: String::new(),
            admin_url: "http://127.0.0.1:8080".to_owned(),
            namespace: "public/hitmill".to_owned(),
            partitions: 16,
            offload_after_bytes: None,
            max_queued_bytes: 64 * 1024 * 1024,
            timeout_ms: 30_000,
        }
    }
}
