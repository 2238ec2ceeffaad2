use anyhow::bail;

/// What an operator says of the log and the store: those of a directory, unless there are addresses of others.
#[derive(Clone, Debug, Default)]
pub struct Backends {
    /// The section `log`: the log in the data directory.
    pub log: eventlog::embedded::Settings,
    /// The section `store`: the store in the data directory.
    pub store: store::embedded::Settings,
    /// The section `pulsar`: the log of many machines.
    pub pulsar: eventlog::pulsar::Settings,
    /// The section `tikv`: the store of many machines.
    pub tikv: store::tikv::Settings,
}

impl Backends {
    /// Whether something has to be reached over the network.
    pub fn are_distant(&self) -> bool {
        !self.pulsar.url.is_empty() || !self.tikv.endpoints.is_empty()
    }

    /// Refuses what one process owns, where `who` runs beside others.
    pub fn must_be_shared(&self, who: &str) -> anyhow::Result<()> {
        let missing = match (self.pulsar.url.is_empty(), self.tikv.endpoints.is_empty()) {
            (true, true) => "pulsar.url (HITMILL_PULSAR__URL) and tikv.endpoints (HITMILL_TIKV__ENDPOINTS)",
            (true, false) => "pulsar.url (HITMILL_PULSAR__URL)",
            (false, true) => "tikv.endpoints (HITMILL_TIKV__ENDPOINTS)",
            (false, false) => return Ok(()),
        };
        bail!(
            "{who} must share the event log and the store with other processes, and the embedded ones belong to one: set \
             {missing}, or run everything in one process with `hitmill up`"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backends(pulsar: &str, tikv: &str) -> Backends {
        let mut backends = Backends::default();
        backends.pulsar.url = pulsar.to_owned();
        backends.tikv.endpoints = tikv.to_owned();
        backends
    }

    #[test]
    fn what_is_missing_for_several_processes_is_named() {
        let refused = |pulsar, tikv| backends(pulsar, tikv).must_be_shared("ingest").unwrap_err().to_string();
        assert!(refused("", "").contains("set pulsar.url (HITMILL_PULSAR__URL) and tikv.endpoints ("));
        assert!(refused("", "pd:2379").contains("set pulsar.url (HITMILL_PULSAR__URL), or"));
        assert!(refused("pulsar://p:6650", "").contains("set tikv.endpoints (HITMILL_TIKV__ENDPOINTS), or"));
        assert!(backends("pulsar://p:6650", "pd:2379").must_be_shared("ingest").is_ok());
    }

    #[cfg(not(feature = "cluster"))]
    #[tokio::test]
    async fn a_build_without_them_says_so_and_makes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        for (pulsar, tikv, name) in [("pulsar://p:6650", "", "Pulsar"), ("", "pd:2379", "TiKV")] {
            let opened = super::super::open(&data, backends(pulsar, tikv), clock::Clock::system()).await;
            let refused = opened.err().unwrap().to_string();
            assert!(refused.contains(&format!("built without {name}: build it with `--features cluster`")));
        }
        assert!(!data.exists());
    }
}
