//! Clients of the real SDK that fire all the while, and a ledger of every hit that each of them fired.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hitmill_sdk::{Client, Hit};
use tokio::task::JoinHandle;

use crate::system::complete::now_ms;
use crate::system::site::{Merchant, Site};

/// Each client fires this often.
const EVERY: Duration = Duration::from_millis(20);
/// Enough for everything that a client fires while all is down.
const QUEUE_BYTES: usize = 64 << 20;
/// All servers may be on their way back.
const FLUSH: Duration = Duration::from_secs(120);

/// Every hit that a client fired, in order.
type Ledger = Vec<Hit>;

/// Clients that fire until they are told to stop.
pub(super) struct Load {
    merchant: Merchant,
    clients: Vec<Client>,
    firing: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Ledger>>,
    since: Instant,
}

/// What the clients of a merchant fired, all of it acknowledged.
pub(super) struct Fired {
    ledgers: Vec<Ledger>,
    /// How long they fired.
    pub(super) took: Duration,
}

impl Load {
    /// Starts so many clients of the merchant.
    pub(super) fn start(site: &Site, merchant: &Merchant, clients: usize) -> Self {
        let firing = Arc::new(AtomicBool::new(true));
        let clients: Vec<_> = (0..clients).map(|client| build(site, merchant, client)).collect();
        let fire = |(number, client): (usize, &Client)| {
            tokio::spawn(fire(number, client.clone(), Arc::clone(&firing)))
        };
        let tasks = clients.iter().enumerate().map(fire).collect();
        Self { merchant: merchant.clone(), clients, firing, tasks, since: Instant::now() }
    }

    pub(super) fn merchant(&self) -> &Merchant {
        &self.merchant
    }

    /// For each client, how many hits are durable, as far as it knows.
    pub(super) fn acked(&self) -> BTreeMap<String, u64> {
        self.figures(|client| client.stats().acked)
    }

    /// For each client, how many hits it has fired.
    pub(super) fn tracked(&self) -> BTreeMap<String, u64> {
        self.figures(|client| client.stats().tracked)
    }

    fn figures(&self, of: impl Fn(&Client) -> u64) -> BTreeMap<String, u64> {
        self.clients.iter().enumerate().map(|(number, client)| (name(number), of(client))).collect()
    }

    /// Lets them stop, and returns when every hit is acknowledged.
    pub(super) async fn finish(self) -> Fired {
        self.firing.store(false, Ordering::Relaxed);
        let mut ledgers = Vec::new();
        for task in self.tasks {
            ledgers.push(task.await.unwrap());
        }
        let took = self.since.elapsed();
        for (client, ledger) in self.clients.iter().zip(&ledgers) {
            check(client, ledger).await;
        }
        Fired { ledgers, took }
    }
}

impl Fired {
    /// How many hits in all.
    pub(super) fn hits(&self) -> u64 {
        self.ledgers.iter().map(|ledger| ledger.len() as u64).sum()
    }

    /// How many of each client.
    pub(super) fn by_client(&self) -> BTreeMap<String, u64> {
        let sizes = self.ledgers.iter().map(|ledger| ledger.len() as u64);
        sizes.enumerate().map(|(number, hits)| (name(number), hits)).collect()
    }

    /// Fires the very same hits at another site.
    pub(super) async fn again(&self, site: &Site, merchant: &Merchant) {
        for (number, ledger) in self.ledgers.iter().enumerate() {
            let client = build(site, merchant, number);
            ledger.iter().for_each(|hit| client.track(hit.clone()));
            check(&client, ledger).await;
        }
    }
}

/// Waits until the server has all of it. Then nothing may be missing, refused, or thrown away.
async fn check(client: &Client, ledger: &Ledger) {
    let flushed = client.flush().await;
    let stats = client.stats();
    assert!(flushed.is_ok(), "{flushed:?} {stats:?}");
    let hits = ledger.len() as u64;
    assert_eq!(
        (stats.tracked, stats.acked, stats.refused.total(), stats.dropped),
        (hits, hits, 0, 0),
        "{stats:?}"
    );
}

/// The name of a client, which is the campaign of all its hits, too: so that a query tells its hits from others'.
fn name(number: usize) -> String {
    format!("client-{number}")
}

fn build(site: &Site, merchant: &Merchant, number: usize) -> Client {
    let (agents, countries) = (["curl/8.5.0", FIREFOX], ["de", "FR", "NP"]);
    Client::builder(site.url(), &merchant.write_key)
        .client_id(name(number))
        .user_agent(agents[number % agents.len()])
        .country(countries[number % countries.len()])
        .queue_bytes(QUEUE_BYTES)
        .flush_timeout(FLUSH)
        .build()
        .unwrap()
}

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

async fn fire(number: usize, client: Client, firing: Arc<AtomicBool>) -> Ledger {
    let mut ledger = Ledger::new();
    let mut ticks = tokio::time::interval(EVERY);
    while firing.load(Ordering::Relaxed) {
        ticks.tick().await;
        let hit = hit(number, ledger.len());
        ledger.push(hit.clone());
        client.track(hit);
    }
    ledger
}

/// Views of pages, from several places; each tenth hit a purchase. It names its time, so that it can be fired again.
fn hit(client: usize, n: usize) -> Hit {
    let url = format!("https://shop.example/p{}?utm_campaign={}", n % 23, name(client));
    let hit = match n % 10 {
        9 => Hit::new("purchase").url(url).value(["EUR", "USD"][n % 20 / 10], 1_250_000 + n as i64),
        _ => Hit::page(url),
    };
    let from = ["https://search.example/?q=1", "https://shop.example/p1", ""][n % 3];
    // A client's visitors change as time goes by, so that there are new ones and sessions all the while.
    hit.referrer(from).visitor_id(format!("{}-{}", name(client), n / 50)).time_ms(now_ms())
}
