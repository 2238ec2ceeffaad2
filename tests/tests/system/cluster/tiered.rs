//! All of history is moved from BookKeeper to tiered storage, everything is started anew on an empty store, and the fold of
//! what is read back makes the very same cells.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use hitmill_sdk::{ClientBatch, Hit, Sender};
use model::Generation;
use test_servers::{Keeper, Offload, PulsarOptions, S3};

use super::cells::{self, Cells};
use super::engines::{Engines, PARTITIONS};
use super::topic;
use super::whole::common;
use crate::system::binary::hitmill;
use crate::system::complete::{self, now_ms};
use crate::system::import::{LOG, imported};
use crate::system::process::{Process, free_address};
use crate::system::server::Home;
use crate::system::site::{Merchant, Site};

/// Few, so that history is in many ledgers.
const ENTRIES_PER_LEDGER: u32 = 20;
/// Clients, the batches of each, and the hits of each batch.
const CLIENTS: usize = 40;
const BATCHES: u64 = 15;
const HITS: u64 = 100;
/// How long a read may take until what it wants is taken for missing, and how long until somebody says so.
const TIMEOUT_MS: &str = "8000";
const PATIENCE: Duration = Duration::from_secs(60);

/// Moved to a folder. In the end that is hidden, and nobody may take what is left for all.
pub(super) async fn to_files() {
    let options = PulsarOptions {
        offload: Offload::Filesystem,
        entries_per_ledger: ENTRIES_PER_LEDGER,
        ..PulsarOptions::default()
    };
    let mut history = History::make("files", options).await;
    history.is_moved_and_folded_again().await;
    history.is_missed_where_it_is_hidden().await;
}

/// Moved to a bucket of S3.
pub(super) async fn to_s3() {
    let s3 = S3::start().await.unwrap();
    let offload = Offload::S3 { endpoint: s3.endpoint(), bucket: S3::BUCKET.to_owned() };
    let options =
        PulsarOptions { offload, entries_per_ledger: ENTRIES_PER_LEDGER, ..PulsarOptions::default() };
    let mut history = History::make("S3", options).await;
    history.is_moved_and_folded_again().await;
    assert!(!s3.keys().await.unwrap().is_empty(), "there is something in the bucket");
}

/// Hits that were folded once.
struct History {
    storage: &'static str,
    engines: Engines,
    keeper: Keeper,
    began_ms: i64,
    hits: u64,
    /// The cells of the first fold, of each merchant.
    cells: Vec<Cells>,
}

impl History {
    async fn make(storage: &'static str, options: PulsarOptions) -> Self {
        let (engines, began_ms) = (Engines::start(options).await, now_ms());
        let keeper = Keeper::new("history").unwrap();
        let mut history = Self { storage, engines, keeper, began_ms, hits: 0, cells: Vec::new() };
        let mut run = history.run("first").await;
        run.rollup.start().await;
        let home = Home::new();
        let report = imported(&run.site, &home, run.merchants[1].id, Path::new(LOG), &["--all"]);
        let began = Instant::now();
        let sent = send(&run.site, &run.merchants[0]).await;
        let rate = |took: Duration| format!("{took:.1?} ({:.0}/s)", sent as f64 / took.as_secs_f64());
        let acknowledged = rate(began.elapsed());
        complete::caught_up(&run.site, run.merchants[0].id).await;
        let counted = rate(began.elapsed());
        println!("tiered, {storage}: {sent} hits acknowledged in {acknowledged}, counted in {counted}");
        history.hits = report["accepted"].as_u64().unwrap() + sent;
        history.cells = history.folded(run, Generation::FIRST).await;
        history
    }

    /// From BookKeeper, then from where it was moved to, then once more on an operator's order while all of it runs.
    async fn is_moved_and_folded_again(&mut self) {
        let run = self.fold_again("bookkeeper").await;
        self.cells_are_the_same(run, Generation::FIRST).await;
        topic::offload(&self.engines, "bookkeeper");
        self.engines.pulsar.stop().await.unwrap();
        self.engines.pulsar.start_again().await.unwrap();
        let run = self.fold_again("moved").await;
        let began = Instant::now();
        topic::rewind(&self.engines, run.prefix);
        for merchant in &run.merchants {
            complete::caught_up(&run.site, merchant.id).await;
        }
        self.tell("rewound", began.elapsed());
        self.cells_are_the_same(run, Generation(2)).await;
    }

    /// Folds all of history into an empty store.
    async fn fold_again(&self, prefix: &'static str) -> Run {
        let mut run = self.run(prefix).await;
        let began = Instant::now();
        run.rollup.start().await;
        self.tell(prefix, began.elapsed());
        run
    }

    fn tell(&self, how: &str, took: Duration) {
        let (storage, hits) = (self.storage, self.hits);
        let rate = hits as f64 / took.as_secs_f64();
        println!("tiered, {storage}, {how}: {hits} hits folded again in {took:.1?} ({rate:.0}/s)");
    }

    async fn cells_are_the_same(&self, run: Run, generation: Generation) {
        let name = run.prefix;
        let cells = self.folded(run, generation).await;
        for (first, again) in self.cells.iter().zip(&cells) {
            cells::compare(first, again);
        }
        println!("tiered, {}, {name}: every cell is that of the first fold, byte by byte", self.storage);
    }

    async fn is_missed_where_it_is_hidden(&mut self) {
        let (there, hidden) =
            (self.engines.pulsar.data().join("offload"), self.keeper.folder().join("hidden"));
        self.engines.pulsar.stop().await.unwrap();
        fs::rename(&there, &hidden).unwrap();
        fs::create_dir(&there).unwrap();
        self.engines.pulsar.start_again().await.unwrap();
        let mut run = self.run("hidden").await;
        run.rollup.launch();
        let (began, mut warned) = (Instant::now(), None);
        while warned.is_none() {
            assert!(began.elapsed() < PATIENCE, "rollup says nothing of what is missing");
            tokio::time::sleep(Duration::from_millis(100)).await;
            warned =
                run.rollup.said().lines().find(|line| line.contains("the worker pauses")).map(str::to_owned);
        }
        println!("tiered, {}: hidden, rollup says: {}", self.storage, warned.unwrap_or_default());
        assert!(!run.rollup.is_ready(), "it says that it has caught up, and cannot have");
        for merchant in &run.merchants {
            let until_ms = complete::until_ms(&run.site, merchant.id).await;
            assert!(
                until_ms < self.began_ms,
                "complete until {until_ms}, and the first hit is of {}",
                self.began_ms
            );
        }

        self.engines.pulsar.stop().await.unwrap();
        fs::remove_dir_all(&there).unwrap();
        fs::rename(&hidden, &there).unwrap();
        self.engines.pulsar.start_again().await.unwrap();
        run.rollup.wait_until_ready().await;
        self.cells_are_the_same(run, Generation::FIRST).await;
    }

    /// Everything but rollup, on an empty store.
    async fn run(&self, prefix: &'static str) -> Run {
        let address = free_address();
        let process = |only: &str, address: &str| {
            let mut command = hitmill();
            command.args(["serve", "--only", only]).envs(self.engines.settings(prefix));
            common(&mut command, address).env("HITMILL_PULSAR__TIMEOUT_MS", TIMEOUT_MS);
            Process::new(&format!("{only} of {prefix}"), command, address, &self.keeper)
        };
        let mut front = process("ingest,query,config", &address);
        front.start().await;
        let site = Site::at(&address);
        let merchants = [PARTITIONS, 1].map(|spread| site.merchant_over(spread));
        Run { prefix, front, rollup: process("rollup", &free_address()), site, merchants }
    }

    /// The cells, when all hits are in them and everything has ended.
    async fn folded(&self, mut run: Run, generation: Generation) -> Vec<Cells> {
        for merchant in &run.merchants {
            complete::caught_up(&run.site, merchant.id).await;
        }
        run.front.stop().await;
        run.rollup.stop().await;
        let mut cells = Vec::new();
        for merchant in &run.merchants {
            cells.push(cells::tikv(self.engines.store(run.prefix), merchant.id, generation).await);
        }
        assert!(cells.iter().all(|cells| !cells.is_empty()));
        cells
    }
}

/// Two processes on one prefix of the store.
struct Run {
    prefix: &'static str,
    front: Process,
    rollup: Process,
    site: Site,
    merchants: [Merchant; 2],
}

/// Hits of many clients, in many records; gives how many.
async fn send(site: &Site, merchant: &Merchant) -> u64 {
    // Each batch is a frame of its own, and most become a record of their own.
    let builder = Sender::builder(site.url(), &merchant.write_key).max_delay(Duration::ZERO);
    let sender = builder.frame_bytes(1).build().unwrap();
    for batch in 0..BATCHES {
        for client in 0..CLIENTS {
            let hit = |n| {
                let page = Hit::page(format!("https://shop.example/{}", (n * 7 + client as u64) % 31));
                page.time_ms(now_ms()).value("EUR", n as i64 * 10_000)
            };
            let batch = ClientBatch {
                client_id: format!("client-{client}"),
                epoch: 1,
                first_seq: 1 + batch * HITS,
                context: None,
                hits: (0..HITS).map(hit).collect(),
            };
            sender.send(batch).await.unwrap();
        }
        sender.flush().await.unwrap();
    }
    let stats = sender.stats();
    assert_eq!(stats.acked, BATCHES * CLIENTS as u64 * HITS, "{stats:?}");
    stats.acked
}
