use model::Invalid;

const MAX_PREFIX_BYTES: usize = 64;
const MAX_KEEP_S: u64 = 365 * 24 * 60 * 60;

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
    /// Seconds for which overwritten values are kept, and so the longest time for which a snapshot can be read. All
    /// processes that share a cluster get the longest of theirs. Where others collect garbage: at most what they keep.
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
    pub fn check(&self) -> Result<(), Invalid> {
        let endpoints = self.endpoints();
        if endpoints.is_empty() {
            let allowed = "the placement drivers, as in pd1:2379,pd2:2379";
            return Err(Invalid::new("tikv.endpoints", &self.endpoints, allowed));
        }
        for endpoint in endpoints {
            let port = endpoint.rsplit_once(':').filter(|(host, _)| !host.is_empty());
            if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
                return Err(Invalid::new("tikv.endpoints", endpoint, "each is host:port"));
            }
        }
        let prefix = self.prefix.as_bytes();
        let known = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        if prefix.is_empty() || prefix.len() > MAX_PREFIX_BYTES || !prefix.iter().all(known) {
            let allowed = format!("1 to {MAX_PREFIX_BYTES} ASCII letters, digits and -");
            return Err(Invalid::new("tikv.prefix", &self.prefix, allowed));
        }
        // Less time than a lock of a dead client lives would make every such lock a failure.
        if !(100..=600_000).contains(&self.timeout_ms) {
            return Err(Invalid::new("tikv.timeout_ms", self.timeout_ms.to_string(), "from 100 to 600000"));
        }
        let shortest = (3 * self.timeout_ms).div_ceil(1_000);
        if !(shortest..=MAX_KEEP_S).contains(&self.keep_versions_s) {
            let allowed = format!("from {shortest} (three times tikv.timeout_ms) to {MAX_KEEP_S} (a year)");
            return Err(Invalid::new("tikv.keep_versions_s", self.keep_versions_s.to_string(), allowed));
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
        let cases: [(String, &str); 9] = [
            (refused(|settings| settings.endpoints = " , ".to_owned()), "tikv.endpoints \" , \""),
            (refused(|settings| settings.endpoints = "pd1:2379,pd2".to_owned()), "\"pd2\""),
            (refused(|settings| settings.endpoints = ":2379".to_owned()), "\":2379\""),
            (refused(|settings| settings.prefix = String::new()), "tikv.prefix \"\""),
            (refused(|settings| settings.prefix = "a/b".to_owned()), "\"a/b\""),
            (refused(|settings| settings.prefix = "x".repeat(65)), "1 to 64"),
            (refused(|settings| settings.timeout_ms = 5), "tikv.timeout_ms \"5\""),
            (refused(|settings| settings.keep_versions_s = 29), "tikv.keep_versions_s \"29\""),
            (refused(|settings| settings.keep_versions_s = 31_536_001), "from 30 "),
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
