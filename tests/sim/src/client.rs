//! A machine that runs the SDK: it tracks hits, and ends and begins again.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use ::disk::Disk;
use hitmill_sdk::{Client, Hit, Later, World};
use parking_lot::Mutex;
use tonic::transport::{Channel, Endpoint, Error as TransportError};

use crate::dice::Dice;
use crate::disk::SimDisk;
use crate::ledger::{Ledger, Lifetime, MERCHANTS, Tracked, micros};
use crate::life::Life;
use crate::net;
use crate::plan::Plan;
use crate::platter::Platter;
use crate::trace::Trace;

const HOUR_MS: i64 = 3_600_000;

/// What all clients of a run share.
pub(crate) struct Common {
    pub(crate) plan: Plan,
    pub(crate) trace: Arc<Trace>,
    pub(crate) ledger: Mutex<Ledger>,
    /// The time, in milliseconds since 1970.
    pub(crate) now: Arc<AtomicI64>,
    pub(crate) servers: Vec<IpAddr>,
    /// The write keys of the merchants, once they are there.
    pub(crate) keys: Mutex<Vec<Option<String>>>,
    /// Nothing goes wrong any more: everything is to be flushed.
    pub(crate) healed: std::sync::atomic::AtomicBool,
}

impl Common {
    /// The write key of a client's merchant, as soon as there is one.
    pub(crate) async fn key_of(&self, client: usize) -> String {
        loop {
            if let Some(key) = self.keys.lock()[client % MERCHANTS].clone() {
                return key;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The time.
    pub(crate) fn now_ms(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }
}

/// A machine that runs the SDK.
pub(crate) struct Machine {
    pub(crate) name: String,
    number: usize,
    common: Arc<Common>,
    pub(crate) platter: Arc<Mutex<Platter>>,
    state: Mutex<State>,
}

struct State {
    dice: Dice,
    left: usize,
    lives: usize,
    boots: u64,
    now: Option<(Arc<Life>, Client, usize)>,
}

impl Machine {
    /// A machine on which nothing runs yet.
    pub(crate) fn new(number: usize, common: &Arc<Common>) -> Arc<Self> {
        let (seed, name) = (common.plan.seed, format!("client-{number}"));
        let state =
            State { dice: Dice::new(seed, &name), left: common.plan.hits, lives: 0, boots: 0, now: None };
        let platter = Platter::new(Dice::new(seed, &format!("disk of {name}")));
        Arc::new(Self {
            name,
            number,
            common: Arc::clone(common),
            platter: Arc::new(Mutex::new(platter)),
            state: Mutex::new(state),
        })
    }

    /// What runs on the machine: one life of the application.
    pub(crate) async fn live(self: Arc<Self>) -> turmoil::Result {
        let key = self.common.key_of(self.number).await;
        drop(tokio::spawn(self.run(key)));
        std::future::pending().await
    }

    async fn run(self: Arc<Self>, key: String) {
        let life = Life::new(&self.name, &self.common.trace);
        let (number, world) = {
            let mut state = self.state.lock();
            let number = state.lives;
            state.lives += 1;
            let random = AtomicU64::new(state.dice.next());
            let disk = SimDisk { platter: Arc::clone(&self.platter), life: Arc::clone(&life) };
            let (now, servers) = (Arc::clone(&self.common.now), self.common.servers.clone());
            let unsure = self.common.plan.faults.clock_jumps && state.boots > 0;
            let behind =
                if unsure && state.dice.one_in(2) { state.dice.below(FURTHEST_BEHIND_MS) } else { 0 };
            let (boot, epoch) = (state.boots, AtomicU64::new(0));
            (number, SimWorld { now, behind, random, epoch, boot, disk, servers })
        };
        let client = Client::builder("http://hitmill", key)
            .client_id(&self.name)
            .queue_dir("/queue")
            // Short enough that several frames are on their way while a slow disk writes one.
            .max_delay(Duration::from_millis(if number.is_multiple_of(2) { 10 } else { 100 }))
            .world(Arc::new(world))
            .build()
            .expect("a client on an own disk can be built");
        let restored = client.stats().restored;
        life.trace.add(|| format!("{} has {restored} hits of before", self.name));
        self.common.ledger.lock().lives.insert((self.number, number), Lifetime::default());
        self.state.lock().now = Some((life, client.clone(), number));
        while let Some(pause) = self.track_one(&client, number) {
            tokio::time::sleep(pause).await;
        }
        loop {
            if client.flush().await.is_ok() && self.common.healed.load(Ordering::SeqCst) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        if let Some(life) = self.common.ledger.lock().lives.get_mut(&(self.number, number)) {
            life.flushed = true;
        }
    }

    /// Tracks a hit if there is one left; gives the pause after it.
    fn track_one(&self, client: &Client, life: usize) -> Option<Duration> {
        let mut state = self.state.lock();
        state.left = state.left.checked_sub(1)?;
        let mut ledger = self.common.ledger.lock();
        let tracked = &mut ledger.lives.get_mut(&(self.number, life))?.tracked;
        let hit = self.hit(&mut state.dice, life, tracked.len());
        let url = format!("https://shop.example{}", Ledger::page(self.number, life));
        let name = if hit.purchase { "purchase" } else { "page_view" };
        client.track(Hit::new(name).url(url).time_ms(hit.time_ms).value("EUR", hit.micros));
        tracked.push(hit);
        let whole_ms = self.common.plan.seconds * 1_000 / self.common.plan.hits as u64;
        // Bursts and pauses.
        let pause = if state.dice.one_in(3) { state.dice.below(3 * whole_ms) } else { state.dice.below(5) };
        Some(Duration::from_millis(pause))
    }

    fn hit(&self, dice: &mut Dice, life: usize, number: usize) -> Tracked {
        let now = self.common.now_ms();
        let (mut time_ms, mut refused) = (now, false);
        if self.common.plan.faults.strange_times {
            let late = |dice: &mut Dice, hours: i64| now - dice.below(hours as u64 * HOUR_MS as u64) as i64;
            match dice.below(20) {
                0 => (time_ms, refused) = (now + 2 * HOUR_MS, true),
                1 => (time_ms, refused) = (now - 100 * HOUR_MS, true),
                2..=4 => time_ms = late(dice, 60),
                5..=8 => time_ms = late(dice, 2),
                _ => {}
            }
        }
        let micros = micros(self.common.plan.seed, self.number, life, number);
        Tracked { time_ms, refused, purchase: dice.one_in(4), micros }
    }

    /// The life that is going on, what is known of its hits, and which it is.
    pub(crate) fn look(&self) -> Option<(Arc<Life>, hitmill_sdk::Stats, usize)> {
        let state = self.state.lock();
        state.now.as_ref().map(|(life, client, number)| (Arc::clone(life), client.stats(), *number))
    }

    /// Takes note that it is over.
    pub(crate) fn forget(&self, power: bool) {
        let mut state = self.state.lock();
        state.now = None;
        state.boots += u64::from(power);
    }
}

/// A clock without a battery goes on where it was last saved.
const FURTHEST_BEHIND_MS: u64 = 10 * 24 * HOUR_MS as u64;

/// The machine, as the SDK sees it.
struct SimWorld {
    now: Arc<AtomicI64>,
    /// By how much the clock was wrong when the machine was switched on.
    behind: u64,
    random: AtomicU64,
    epoch: AtomicU64,
    boot: u64,
    disk: SimDisk,
    servers: Vec<IpAddr>,
}

impl fmt::Debug for SimWorld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimWorld").finish_non_exhaustive()
    }
}

impl World for SimWorld {
    fn now_ms(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    fn random(&self) -> u64 {
        Dice::new(self.random.fetch_add(1, Ordering::SeqCst), "the machine").next()
    }

    fn boot_id(&self) -> Option<String> {
        Some(format!("boot {}", self.boot))
    }

    fn new_epoch(&self, than: u64) -> u64 {
        let at_boot = (self.now_ms() as u64).saturating_sub(self.behind);
        let least = at_boot.max(than + 1).max(self.epoch.load(Ordering::SeqCst) + 1);
        self.epoch.store(least, Ordering::SeqCst);
        least
    }

    fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(self.disk.clone())
    }

    fn look_up(&self, _: String, _: u16) -> Later<io::Result<Vec<SocketAddr>>> {
        let servers = self.servers.iter().map(|server| SocketAddr::new(*server, net::PORT)).collect();
        Box::pin(async move { Ok(servers) })
    }

    fn connect(&self, endpoint: Endpoint) -> Later<Result<Channel, TransportError>> {
        Box::pin(net::connect(endpoint))
    }
}
