/// What an operator tunes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the placement drivers are, with commas between them: `pd1:2379,pd2:2379`. Empty: the store is the embedded one.
    pub endpoints: String,
    /// What every key of this installation begins with, so that several can share a cluster: 1 to 64 letters, digits, `-`.
    pub prefix: String,
    /// Milliseconds that a request may take before it has failed.
    pub timeout_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { endpoints: String::new(), prefix: "hitmill".to_owned(), timeout_ms: 10_000 }
    }
}
