use serde::{Deserialize, Serialize};

/// The section `config`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Milliseconds between looks at the store for changes that another config-svc made: how late this one hears of a
    /// revoked key.
    pub follow_ms: u64,
    /// What becomes the admin key if there is none yet; empty: a new one is made and shown.
    pub admin_key: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { follow_ms: 500, admin_key: String::new() }
    }
}
