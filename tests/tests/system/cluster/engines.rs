//! What the services stand on: a real Pulsar broker, and a real store of TiKV's protocol with its placement driver.

use test_servers::{Pulsar, PulsarOptions, Tikv};

/// More than there are rollup workers, and no multiple of them.
pub(super) const PARTITIONS: u16 = 5;

/// Pulsar and TiKV. They end, and what they keep goes, when this is dropped.
pub(super) struct Engines {
    pub(super) pulsar: Pulsar,
    pub(super) tikv: Tikv,
}

impl Engines {
    /// Starts both.
    pub(super) async fn start(options: PulsarOptions) -> Self {
        let (pulsar, tikv) = tokio::try_join!(Pulsar::start(options), Tikv::start(1)).unwrap();
        Self { pulsar, tikv }
    }

    /// The settings of a service that stands on them, keeping its cells under this prefix.
    pub(super) fn settings(&self, prefix: &str) -> Vec<(&'static str, String)> {
        vec![
            ("HITMILL_PULSAR__URL", self.pulsar.url()),
            ("HITMILL_PULSAR__ADMIN_URL", self.pulsar.admin_url()),
            ("HITMILL_PULSAR__NAMESPACE", "public/hitmill".to_owned()),
            ("HITMILL_PULSAR__PARTITIONS", PARTITIONS.to_string()),
            ("HITMILL_TIKV__ENDPOINTS", self.tikv.endpoints().join(",")),
            ("HITMILL_TIKV__PREFIX", prefix.to_owned()),
        ]
    }

    /// The same for whoever reads the store past the services.
    pub(super) fn store(&self, prefix: &str) -> store::tikv::Settings {
        store::tikv::Settings {
            endpoints: self.tikv.endpoints().join(","),
            prefix: prefix.to_owned(),
            ..Default::default()
        }
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- Pulsar said last:\n{}", self.pulsar.last_words());
            eprintln!("---- TiKV said last:\n{}", self.tikv.last_words());
        }
    }
}
