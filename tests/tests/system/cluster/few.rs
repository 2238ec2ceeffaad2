//! One of each service and nothing before them: what is enough where nothing is killed.

use std::process::Command;

use test_servers::Keeper;

use crate::system::process::{Process, free_address};

use crate::system::site::Site;

/// One of each.
pub(super) struct Few {
    pub(super) config: Process,
    pub(super) ingest: Process,
    pub(super) rollup: Process,
    pub(super) query: Process,
}

impl Few {
    /// Not yet started. `command` makes that of a service, which is to listen at the first address, and finds config-svc at
    /// the second.
    pub(super) fn new(keeper: &Keeper, name: &str, command: impl Fn(&str, &str, &str) -> Command) -> Self {
        let config = free_address();
        let service = |only: &str, address: &str| {
            Process::new(&format!("{only} {name}"), command(only, address, &config), address, keeper)
        };
        let [ingest, rollup, query] =
            ["ingest", "rollup", "query"].map(|only| service(only, &free_address()));
        Self { config: service("config", &config), ingest, rollup, query }
    }

    /// Starts all.
    pub(super) async fn start(&mut self) {
        for service in [&mut self.config, &mut self.ingest, &mut self.query, &mut self.rollup] {
            service.start().await;
        }
    }

    /// Lets all end.
    pub(super) async fn stop(&mut self) {
        for service in [&mut self.ingest, &mut self.rollup, &mut self.query, &mut self.config] {
            service.stop().await;
        }
    }

    /// Where merchants are made.
    pub(super) fn configuring(&self) -> Site {
        Site::at(self.config.address())
    }

    /// Where hits go.
    pub(super) fn taking(&self) -> Site {
        Site::at(self.ingest.address())
    }

    /// Where questions go.
    pub(super) fn asking(&self) -> Site {
        Site::at(self.query.address())
    }
}
