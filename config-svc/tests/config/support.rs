//! A configuration to decide upon, and a service to ask.

use std::sync::atomic::{AtomicU64, Ordering};

use catalog::{Catalog, Snapshot};
use clock::Clock;
use config_svc::decide::{self, Basis, Plan};
use config_svc::{Error, Rpc, bootstrap};
use host::Platform;
use keyspace::config::counters::Counters;
use model::Timestamp;
use proto::v1;
use proto::v1::config_service_server::ConfigService;
use tempfile::TempDir;
use tonic::{Code, Request, Response, Status};

/// 2015-05-17T10:05:03Z
pub(crate) const NOW: Timestamp = Timestamp(1_431_857_103_000);

/// A configuration in memory that decisions are applied to.
pub(crate) struct World {
    pub(crate) catalog: Catalog,
    pub(crate) counters: Counters,
    pub(crate) now: Timestamp,
    seeds: AtomicU64,
}

impl World {
    /// Nothing is configured.
    pub(crate) fn empty() -> Self {
        let catalog = Catalog::new(Snapshot::default());
        Self { catalog, counters: Counters::START, now: NOW, seeds: AtomicU64::new(1) }
    }

    /// Decides, and changes nothing. Each decision has randomness of its own.
    pub(crate) fn decide<A>(
        &self,
        decide: impl Fn(&Basis<'_>) -> Result<Plan<A>, Error>,
    ) -> Result<Plan<A>, Error> {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seeds.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let snapshot = self.catalog.snapshot();
        decide(&Basis { snapshot: &snapshot, counters: self.counters, now: self.now, seed })
    }

    /// Decides, and takes the change in.
    pub(crate) fn change<A>(
        &mut self,
        decide: impl Fn(&Basis<'_>) -> Result<Plan<A>, Error>,
    ) -> Result<A, Error> {
        let plan = self.decide(decide)?;
        if !plan.items.is_empty() {
            assert_eq!(plan.counters.version, self.counters.version + 1);
            self.counters = plan.counters;
            self.catalog.apply(&plan.items, plan.counters.version);
        }
        Ok(plan.answer)
    }

    /// Makes an admin key.
    pub(crate) fn install(&mut self) -> String {
        self.change(|basis| decide::install_admin_key(basis, None)).unwrap().unwrap()
    }

    /// Makes a merchant of this name.
    pub(crate) fn merchant(&mut self, name: &str) -> v1::CreateMerchantResponse {
        self.change(|basis| decide::create_merchant(basis, &named(name))).unwrap()
    }
}

/// Asks for a merchant of this name, and for nothing else.
pub(crate) fn named(name: &str) -> v1::CreateMerchantRequest {
    v1::CreateMerchantRequest { name: name.to_owned(), ..Default::default() }
}

/// The part of a key before its secret.
pub(crate) fn id_of(key: &str) -> String {
    key.rsplit_once('_').unwrap().0.to_owned()
}

/// A service on a data directory of its own, with an admin key.
pub(crate) struct Running {
    pub(crate) rpc: Rpc,
    pub(crate) platform: Platform,
    pub(crate) admin: String,
}

impl Running {
    /// Starts for the first time.
    pub(crate) async fn first(dir: &TempDir) -> Self {
        let platform = platform(dir, 1).await;
        let admin = boot(&platform, None).await.unwrap();
        Self { rpc: Rpc::new(platform.clone()), platform, admin }
    }

    /// Another service on the same store, which knows of this one only from there.
    pub(crate) async fn beside(&self) -> Self {
        let catalog = Catalog::load(&*self.platform.store).await.unwrap();
        let platform = Platform { catalog, ..self.platform.clone() };
        Self { rpc: Rpc::new(platform.clone()), platform, admin: self.admin.clone() }
    }

    /// Asks as the admin.
    pub(crate) fn ask<R>(&self, request: R) -> Request<R> {
        with_key(request, &self.admin)
    }

    /// Makes a merchant.
    pub(crate) async fn merchant(&self, name: &str) -> v1::CreateMerchantResponse {
        self.rpc.create_merchant(self.ask(named(name))).await.unwrap().into_inner()
    }

    /// Ends a key.
    pub(crate) async fn revoke(&self, key_id: &str) -> Result<Response<v1::RevokeKeyResponse>, Status> {
        self.rpc.revoke_key(self.ask(v1::RevokeKeyRequest { key_id: key_id.to_owned() })).await
    }
}

/// The parts of a machine with its data in `dir`; time stands still, and randomness follows from the seed.
pub(crate) async fn platform(dir: &TempDir, seed: u64) -> Platform {
    let (log, cells) = (eventlog::embedded::Settings::default(), store::embedded::Settings::default());
    host::platform::embedded(dir.path(), log, cells, Clock::manual(NOW, seed)).await.unwrap()
}

/// Makes the admin key, if there is none.
pub(crate) async fn boot(platform: &Platform, given: Option<&str>) -> Option<String> {
    let Platform { store, catalog, clock, .. } = platform.clone();
    bootstrap(store, catalog, clock, given.map(str::to_owned)).await.unwrap()
}

/// Asks as the bearer of this key.
pub(crate) fn with_key<R>(request: R, key: &str) -> Request<R> {
    let mut request = Request::new(request);
    request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    request
}

/// The code of a refusal.
pub(crate) fn code<A>(result: Result<Response<A>, Status>) -> Code {
    result.map_or_else(|status| status.code(), |_| Code::Ok)
}
