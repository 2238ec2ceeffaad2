//! One server and its clients, each a process that can be killed, frozen and started again.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use test_servers::Keeper;

use super::answers::{self, Found};
use super::client::{self, Order};
use super::hits::{Life, Plan};
use super::ledger::Ledger;
use crate::system::process::{Process, free_address};
use crate::system::server::up;
use crate::system::site::{Merchant, Site};

/// Over how many partitions the clients of the merchants are.
const SPREADS: [u16; 2] = [4, 1];
/// Until a client hears of something; servers may be on their way.
const PATIENCE: Duration = Duration::from_secs(120);

/// All of it. Fields are dropped in order: processes before their folder.
pub(super) struct Trial {
    pub(super) server: Process,
    pub(super) clients: Vec<Fleeting>,
    pub(super) site: Site,
    pub(super) plan: Plan,
    pub(super) merchants: Vec<Merchant>,
    pub(super) ledgers: Ledgers,
    pub(super) keeper: Keeper,
    per_tick: u64,
}

/// A client: a new process for each of its lives.
pub(super) struct Fleeting {
    pub(super) process: Process,
    life: Life,
}

/// The ledgers of all lives so far, each with its merchant.
#[derive(Clone, Default)]
pub(super) struct Ledgers(Arc<Mutex<Vec<(u64, Ledger)>>>);

impl Trial {
    /// A server in the folder `data` of a new home, ready, with two merchants and no client yet.
    pub(super) async fn start(name: &str, plan: Plan, per_tick: u64, settings: &[(&str, &str)]) -> Self {
        Self::start_as(name, plan, per_tick, |listen, home| {
            let mut command = up(listen, &home.join("data"));
            command.envs(settings.iter().copied());
            command
        })
        .await
    }

    /// The same, with a command of its own, which is given where to listen, and the home.
    pub(super) async fn start_as(
        name: &str,
        plan: Plan,
        per_tick: u64,
        command: impl FnOnce(&str, &Path) -> Command,
    ) -> Self {
        println!("{name}: seed {}", plan.seed);
        let keeper = Keeper::new(name).unwrap();
        let address = free_address();
        let mut server = Process::new("server", command(&address, keeper.folder()), &address, &keeper);
        server.start().await;
        let site = Site::at(&address);
        let merchants = SPREADS.map(|spread| site.merchant_over(spread)).to_vec();
        let (clients, ledgers) = (Vec::new(), Ledgers::default());
        Self { server, clients, site, plan, merchants, ledgers, keeper, per_tick }
    }

    /// One more client, which is of the merchants in turn.
    pub(super) fn add_client(&mut self) {
        let life = Life { client: self.clients.len() as u64, number: 0 };
        let process = self.live(life);
        self.clients.push(Fleeting { process, life });
    }

    /// kill -9 of a client, and a new life for it.
    pub(super) fn kill_client(&mut self, number: usize) {
        self.clients[number].process.kill();
        self.live_again(number);
    }

    fn live_again(&mut self, number: usize) {
        let old = self.clients[number].life;
        let life = Life { number: old.number + 1, ..old };
        let process = self.live(life);
        self.clients[number] = Fleeting { process, life };
    }

    fn live(&self, life: Life) -> Process {
        let merchant = &self.merchants[life.client as usize % self.merchants.len()];
        let order = Order::new(&self.site, merchant, self.keeper.folder(), self.plan, life, self.per_tick);
        let mut process = Process::new(&life.campaign(), order.command(), "", &self.keeper);
        self.ledgers.add(merchant.id, Ledger::new(life, order.ledger()));
        process.launch();
        process
    }

    /// Returns when every client has heard of more acknowledged hits than now.
    pub(super) async fn wait_for_acks(&self) {
        let (before, began) = (self.acked(), Instant::now());
        while self.acked().iter().zip(&before).any(|(now, before)| now <= before) {
            assert!(began.elapsed() < PATIENCE, "no acknowledgement after {before:?} but {:?}", self.acked());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// kill -9 of all clients and new lives for them, but first they fire nothing until all they fired must survive them.
    pub(super) async fn kill_clients_that_keep_still(&mut self) {
        let (hush, began) = (client::hush(self.keeper.folder()), Instant::now());
        std::fs::write(&hush, "").unwrap();
        while self.figures(|ledger| u64::from(ledger.kept > 0)).contains(&0) {
            assert!(began.elapsed() < PATIENCE, "a client does not keep still");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.clients.iter_mut().for_each(|client| client.process.kill());
        std::fs::remove_file(&hush).unwrap();
        (0..self.clients.len()).for_each(|number| self.live_again(number));
    }

    /// For each client, how many hits of its present life are acknowledged.
    pub(super) fn acked(&self) -> Vec<u64> {
        self.figures(Ledger::acked)
    }

    /// For each client, how many hits of its present life were fired.
    pub(super) fn sent(&self) -> Vec<u64> {
        self.figures(|ledger| ledger.sent)
    }

    fn figures(&self, of: impl Fn(&Ledger) -> u64) -> Vec<u64> {
        let mut figures = vec![0; self.clients.len()];
        for merchant in &self.merchants {
            self.ledgers.of(merchant.id, |ledger| {
                let client = ledger.life.client as usize;
                if self.clients[client].life == ledger.life {
                    figures[client] = of(ledger);
                }
            });
        }
        figures
    }

    /// Lets the clients flush and end, while the server runs.
    pub(super) async fn drain(&mut self) {
        std::fs::write(client::stop(self.keeper.folder()), "").unwrap();
        let began = Instant::now();
        while self.clients.iter_mut().any(|client| client.process.runs()) {
            assert!(self.server.runs(), "the server has ended while clients flush");
            assert!(began.elapsed() < 2 * PATIENCE, "clients do not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for client in &mut self.clients {
            client.process.ended_well().await;
        }
    }

    /// Everything must be counted now, once.
    pub(super) async fn check(&self) -> Found {
        let mut all = Found::default();
        for merchant in &self.merchants {
            let mut ledgers = Vec::new();
            self.ledgers.of(merchant.id, |ledger| ledgers.push(ledger.clone()));
            let found = answers::check(&self.site, merchant.id, &self.plan, &ledgers).await;
            all.counted += found.counted;
            all.duplicate += found.duplicate;
            all.lives += found.lives;
            all.cut_short += found.cut_short;
            all.numbers += found.numbers;
        }
        all
    }

    pub(super) fn merchant_ids(&self) -> Vec<u64> {
        self.merchants.iter().map(|merchant| merchant.id).collect()
    }
}

impl Ledgers {
    fn add(&self, merchant: u64, ledger: Ledger) {
        self.0.lock().unwrap().push((merchant, ledger));
    }

    /// Shows each ledger of a merchant as it is now.
    pub(super) fn of(&self, merchant: u64, mut see: impl FnMut(&Ledger)) {
        for (_, ledger) in self.0.lock().unwrap().iter_mut().filter(|(of, _)| *of == merchant) {
            ledger.read_on();
            see(ledger);
        }
    }
}
