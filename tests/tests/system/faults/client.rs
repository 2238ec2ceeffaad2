//! A client in a process of its own, so that it can be killed: the real SDK with its disk queue, and a ledger.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hitmill_sdk::{Client, SendError};
use serde_json::{Value, json};

use super::hits::{Dice, Life, Plan};
use super::ledger::Pen;
use crate::system::site::{Merchant, Site};

/// What the process is told.
const ORDER: &str = "HITMILL_TEST_CLIENT";
const ENTRY: &str = "system::faults::client::fires_until_it_is_told_to_stop";
const TICK: Duration = Duration::from_millis(20);
/// A client that has as much unsent makes a pause: nothing may be thrown away.
const QUEUE_BYTES: usize = 32 << 20;
const FULL_BYTES: u64 = 16 << 20;
/// Everything may be down for a while.
const FLUSH: Duration = Duration::from_secs(10);
const FLUSHES: usize = 30;
/// Until what was fired is surely in the queue directory, which takes the SDK some milliseconds.
const SETTLED: Duration = Duration::from_secs(3);

/// What a client is to do.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) plan: Plan,
    pub(super) life: Life,
    /// Hits in each 20 ms, on average.
    pub(super) per_tick: u64,
    pub(super) url: String,
    pub(super) key: String,
    /// Where all clients keep their things.
    pub(super) home: PathBuf,
}

impl Order {
    pub(super) fn new(
        site: &Site,
        merchant: &Merchant,
        home: &Path,
        plan: Plan,
        life: Life,
        per_tick: u64,
    ) -> Self {
        let (url, key) = (site.url().to_owned(), merchant.write_key.clone());
        Self { plan, life, per_tick, url, key, home: home.to_owned() }
    }

    /// This very program, as that client.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let order = json!({
            "plan": self.plan.json(), "client": self.life.client, "life": self.life.number,
            "per_tick": self.per_tick, "url": self.url, "key": self.key, "home": self.home,
        });
        command.args(["--exact", ENTRY, "--ignored", "--nocapture"]).env(ORDER, order.to_string());
        command
    }

    fn parse(text: &str) -> Self {
        let value: Value = serde_json::from_str(text).unwrap();
        let text = |name: &str| value[name].as_str().unwrap().to_owned();
        let number = |name: &str| value[name].as_u64().unwrap();
        Self {
            plan: Plan::parse(&value["plan"]),
            life: Life { client: number("client"), number: number("life") },
            per_tick: number("per_tick"),
            url: text("url"),
            key: text("key"),
            home: text("home").into(),
        }
    }

    /// Where it writes down what it knows.
    pub(super) fn ledger(&self) -> PathBuf {
        self.home.join(format!("{}.ledger", self.life.campaign()))
    }
}

/// When there is such a file, clients flush and end.
pub(super) fn stop(home: &Path) -> PathBuf {
    home.join("stop")
}

/// While there is such a file, clients fire nothing, and write down when all they fired must be in the queue directory.
pub(super) fn hush(home: &Path) -> PathBuf {
    home.join("hush")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the tests that kill it"]
async fn fires_until_it_is_told_to_stop() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let order = Order::parse(&order);
    let client = Client::builder(&order.url, &order.key)
        .client_id(format!("client-{}", order.life.client))
        .queue_dir(order.home.join(format!("queue-{}", order.life.client)))
        .queue_bytes(QUEUE_BYTES)
        .flush_timeout(FLUSH)
        .build()
        .unwrap();
    Firing { pen: Pen::new(&order.ledger()), client, order, fired: 0, acked: 0 }.run().await;
}

struct Firing {
    order: Order,
    client: Client,
    pen: Pen,
    fired: u64,
    acked: u64,
}

impl Firing {
    async fn run(mut self) {
        let mut dice = Dice(self.order.plan.seed ^ self.order.life.number);
        let mut ticks = tokio::time::interval(TICK);
        while !stop(&self.order.home).exists() {
            ticks.tick().await;
            self.note();
            if hush(&self.order.home).exists() {
                self.hushed().await;
            }
            if self.client.stats().queued_bytes < FULL_BYTES {
                self.fire(dice.below(2 * self.order.per_tick + 1));
            }
        }
        self.finish().await;
    }

    fn fire(&mut self, hits: u64) {
        if hits == 0 {
            return;
        }
        self.pen.firing_through(self.fired + hits);
        for _ in 0..hits {
            self.fired += 1;
            self.client.track(self.order.plan.hit(self.order.life, self.fired));
        }
    }

    async fn hushed(&mut self) {
        tokio::time::sleep(SETTLED).await;
        self.note();
        self.pen.kept(self.fired);
        while hush(&self.order.home).exists() {
            tokio::time::sleep(TICK).await;
        }
    }

    /// Writes down what was acknowledged. What an earlier life left in the queue goes first and is acknowledged first.
    fn note(&mut self) {
        let stats = self.client.stats();
        assert_eq!((stats.refused.total(), stats.dropped, stats.storage_errors), (0, 0, 0), "{stats:?}");
        let acked = stats.acked.saturating_sub(stats.restored);
        if acked > self.acked {
            self.acked = acked;
            self.pen.acked(acked);
        }
    }

    async fn finish(mut self) {
        let mut flushes = 0;
        while let Err(error) = self.client.flush().await {
            assert!(matches!(error, SendError::Timeout { .. }), "{error}");
            flushes += 1;
            assert!(flushes < FLUSHES, "{error} {:?}", self.client.stats());
            self.note();
        }
        self.note();
        let stats = self.client.stats();
        assert_eq!((stats.tracked, stats.acked), (self.fired, self.fired + stats.restored), "{stats:?}");
        self.pen.finished(self.fired);
        self.client.shutdown().await.unwrap();
    }
}
