use crate::{Error, Result};

const MAX_PREFIX_BYTES: usize = 64;

/// What an operator tunes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the placement drivers are, with commas between them: `pd1:2379,pd2:2379`. Empty: the store is the embedded one.
    pub endpoints: String,
    /// What every key of this installation begins with, so that several can share a cluster: 1 to 64 letters, digits, `-`.
    pub prefix: String,
    /// Milliseconds that a request may take before it has failed. A commit whose answer was lost may take twice as long:
    /// what became of it is worth the wait.
    pub timeout_ms: u64,
    /// Seconds for which overwritten values are kept, and so the longest time for which a snapshot can be read. Installations
    /// that share a cluster get the longest of theirs. Where others collect garbage: at most what they keep.
    pub keep_versions_s: u64,
    /// Whether hitmill has overwritten values removed. Nobody else does in a cluster without TiDB; with TiDB, leave it to it.
    pub collect_garbage: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoints: String::new(),
            prefix: "hitmill".to_owned(),
            timeout_ms: 10_000,
            keep_versions_s: 1_800,
            collect_garbage: true,
        }
    }
}

impl Settings {
    /// The endpoints one by one, each named once.
    pub fn endpoints(&self) -> Vec<String> {
        let mut endpoints: Vec<String> = Vec::new();
        for endpoint in self.endpoints.split(',').map(str::trim).filter(|endpoint| !endpoint.is_empty()) {
            if !endpoints.iter().any(|known| known == endpoint) {
                endpoints.push(endpoint.to_owned());
            }
        }
        endpoints
    }

    /// Refuses what cannot work, and says which setting it is.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::Unavailable { doing: "open the store", what });
        if self.endpoints().is_empty() {
            return refuse(
                "tikv.endpoints is empty: name the placement drivers, as in pd1:2379,pd2:2379".to_owned(),
            );
        }
        for endpoint in self.endpoints() {
            let port = endpoint.rsplit_once(':').filter(|(host, _)| !host.is_empty());
            if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
                return refuse(format!("tikv.endpoints has {endpoint:?}: an endpoint is host:port"));
            }
        }
        let prefix = self.prefix.as_bytes();
        let known = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        if prefix.is_empty() || prefix.len() > MAX_PREFIX_BYTES || !prefix.iter().all(known) {
            return refuse(format!(
                "tikv.prefix is {:?}: it has 1 to {MAX_PREFIX_BYTES} ASCII letters, digits and -",
                self.prefix
            ));
        }
        // Less time than a lock of a dead client lives would make every such lock a failure.
        if !(100..=600_000).contains(&self.timeout_ms) {
            return refuse(format!("tikv.timeout_ms is {}: it is from 100 to 600000", self.timeout_ms));
        }
        if self.keep_versions_s.saturating_mul(1_000) < 3 * self.timeout_ms {
            return refuse(format!(
                "tikv.keep_versions_s is {}: it is at least three times tikv.timeout_ms ({} ms)",
                self.keep_versions_s, self.timeout_ms
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Settings;

    fn refused(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings { endpoints: "pd1:2379".to_owned(), ..Settings::default() };
        settings.check().unwrap();
        change(&mut settings);
        settings.check().unwrap_err().to_string()
    }

    #[test]
    fn says_which_setting_is_wrong() {
        let cases: [(String, &str); 8] = [
            (refused(|settings| settings.endpoints = " , ".to_owned()), "tikv.endpoints is empty"),
            (refused(|settings| settings.endpoints = "pd1:2379,pd2".to_owned()), "\"pd2\""),
            (refused(|settings| settings.endpoints = ":2379".to_owned()), "\":2379\""),
            (refused(|settings| settings.prefix = String::new()), "tikv.prefix is \"\""),
            (refused(|settings| settings.prefix = "a/b".to_owned()), "\"a/b\""),
            (refused(|settings| settings.prefix = "x".repeat(65)), "1 to 64"),
            (refused(|settings| settings.timeout_ms = 5), "tikv.timeout_ms is 5"),
            (refused(|settings| settings.keep_versions_s = 29), "tikv.keep_versions_s is 29"),
        ];
        for (said, expected) in cases {
            assert!(said.contains(expected), "{said:?} does not name {expected:?}");
        }
    }

    #[test]
    fn names_each_endpoint_once() {
        let endpoints = "pd1:2379, pd2:2379,,pd1:2379".to_owned();
        let settings = Settings { endpoints, ..Settings::default() };
        assert_eq!(settings.endpoints(), ["pd1:2379", "pd2:2379"]);
    }
}
