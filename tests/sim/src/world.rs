//! The world: machines, a network between them, time that passes step by step, and whatever goes wrong.

mod ending;
mod torment;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use clock::Clock;
use host::Feed;
use model::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use turmoil::{Builder, Sim};

use self::torment::Torment;
use crate::client::{Common, Machine};
use crate::dice::Dice;
use crate::entropy;
use crate::ledger::{Ledger, MERCHANTS};
use crate::log::Tape;
use crate::plan::Plan;
use crate::platter::Platter;
use crate::reader::Reader;
use crate::server::{PARTITIONS, Server, Shared};
use crate::store::Shelf;
use crate::trace::Trace;
use crate::unruly::Unruly;

/// Simulated time from step to step.
pub(crate) const STEP_MS: u64 = 10;
/// 2026-03-01T22:00:00Z
const EVENING_MS: i64 = 1_772_402_400_000;

/// What a run was like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Everything that happened, as a number, and how many events that were.
    pub trace: (u64, u64),
    /// Hits that were tracked.
    pub tracked: u64,
    /// Lives of servers and clients that ended before their time.
    pub ended: u64,
    /// Faults of other kinds.
    pub faults: u64,
    /// Calls to disk and store of the first life of the first server.
    pub first_calls: u64,
    /// Answers, and messages to a subscriber, that were checked while it went on, and how often both were of one revision.
    pub checked: (u64, u64, u64),
}

/// Runs a plan; gives what went wrong that should not have, and what happened, if the plan says to keep it. Only the first
/// run of a process is what the seed says: the libraries count some things for as long as a process lives.
pub fn run(plan: &Plan) -> (Result<Report, Vec<String>>, Vec<String>) {
    let plan = plan.clone();
    let trace = Arc::new(Trace::new(plan.keep_trace));
    let kept = Arc::clone(&trace);
    // No task of any machine may panic. What ends a process unwinds its tasks without coming by here.
    let panics = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&panics);
    std::panic::set_hook(Box::new(move |panic| seen.lock().push(format!("a panic: {panic}"))));
    let thread = std::thread::Builder::new().stack_size(16 << 20).spawn(move || {
        entropy::fix(plan.seed);
        World::new(&plan, &trace).run()
    });
    let ended = thread.expect("a thread can be started").join();
    let result = ended.unwrap_or_else(|_| Err(Vec::new()));
    let panics = std::mem::take(&mut *panics.lock());
    let result = match result {
        Ok(_) if !panics.is_empty() => Err(panics),
        result => result.map_err(|wrong| [wrong, panics].concat()),
    };
    (result, kept.take_lines())
}

pub(crate) struct World {
    plan: Plan,
    sim: Sim<'static>,
    trace: Arc<Trace>,
    common: Arc<Common>,
    servers: Vec<Arc<Server>>,
    machines: Vec<Arc<Machine>>,
    readers: Vec<Arc<Reader>>,
    shared: Shared,
    torment: Torment,
    /// Machines that stand still, and until when.
    down: Vec<(String, u64)>,
    elapsed_ms: u64,
    report: Report,
}

impl World {
    fn new(plan: &Plan, trace: &Arc<Trace>) -> Self {
        let mut dice = Dice::new(plan.seed, "the world");
        // Hours and days end in the middle of some runs.
        let base =
            EVENING_MS + 7_200_000 - dice.below(120_000) as i64 - if dice.one_in(2) { 3_000_000 } else { 0 };
        let mut sim = Builder::new()
            .rng_seed(plan.seed)
            .epoch(UNIX_EPOCH + Duration::from_millis(base as u64))
            .tick_duration(Duration::from_millis(STEP_MS))
            .simulation_duration(Duration::from_secs(100_000))
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(dice.between(5, 80)))
            .tcp_capacity(1 << 16)
            .build();
        let shelf = Arc::new(Mutex::new(Shelf::new(Dice::new(plan.seed, "the store"))));
        let tape = Arc::new(Mutex::new(Tape::new(PARTITIONS, Dice::new(plan.seed, "the log"))));
        let shared = Shared { shelf, tape, feed: Feed::in_memory(1024) };
        let names: &[&str] = if plan.many { &["server-a", "server-b"] } else { &["server"] };
        let servers: Vec<_> = names
            .iter()
            .map(|name| {
                let clock = Clock::manual(Timestamp(base), Dice::new(plan.seed, name).next());
                let mut platter = Platter::new(Dice::new(plan.seed, &format!("disk of {name}")));
                platter.create_directory("/data".as_ref()).expect("an empty disk has room");
                platter.sync_directory("/".as_ref()).expect("the root is there");
                Server::new(name, clock, platter, &shared, plan, trace)
            })
            .collect();
        for server in &servers {
            let server = Arc::clone(server);
            sim.host(server.name.clone(), move || Arc::clone(&server).live());
        }
        let common = Arc::new(Common {
            plan: plan.clone(),
            trace: Arc::clone(trace),
            ledger: Mutex::new(Ledger::default()),
            now: Arc::new(AtomicI64::new(base)),
            servers: names.iter().map(|name| sim.lookup(*name)).collect(),
            keys: Mutex::new(vec![None; MERCHANTS]),
            healed: AtomicBool::new(false),
        });
        let machines: Vec<_> = (0..plan.clients).map(|number| Machine::new(number, &common)).collect();
        for machine in &machines {
            let machine = Arc::clone(machine);
            sim.host(machine.name.clone(), move || Arc::clone(&machine).live());
        }
        let readers: Vec<_> =
            (0..MERCHANTS).map(|number| Reader::new(number, &common, base - 96 * 3_600_000)).collect();
        for reader in &readers {
            let reader = Arc::clone(reader);
            sim.host(reader.name.clone(), move || Arc::clone(&reader).live());
        }
        for unruly in (0..MERCHANTS).filter(|_| plan.faults.unruly).map(|number| Unruly::new(number, &common))
        {
            sim.host(unruly.name.clone(), move || Arc::clone(&unruly).live());
        }
        Self {
            plan: plan.clone(),
            sim,
            trace: Arc::clone(trace),
            common,
            servers,
            machines,
            readers,
            shared,
            torment: Torment::new(plan),
            down: Vec::new(),
            elapsed_ms: 0,
            report: Report::default(),
        }
    }

    fn run(mut self) -> Result<Report, Vec<String>> {
        // Faults begin once there is a merchant; a crash that was ordered may come before.
        let set_up = self.until(60_000, |world| world.common.keys.lock().iter().all(Option::is_some));
        if !set_up {
            return Err(vec!["there are no merchants after a minute without faults".into()]);
        }
        let end = self.elapsed_ms + self.plan.seconds * 1_000;
        while self.elapsed_ms < end {
            self.step();
            self.torment();
        }
        self.heal();
        self.settle()?;
        if self.plan.faults.bit_flips && !self.plan.many {
            self.flip_a_bit();
        }
        let faults: Vec<_> = self.readers.iter().flat_map(|reader| reader.faults()).collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        if let Some(life) = self.servers[0].life().filter(|_| self.report.first_calls == 0) {
            self.report.first_calls = life.calls();
        }
        self.report.trace = self.trace.sum();
        self.report.tracked = self.common.ledger.lock().lives.values().map(|l| l.tracked.len() as u64).sum();
        for (asked, pushed, agreed) in self.readers.iter().map(|reader| reader.checked()) {
            let (a, p, g) = self.report.checked;
            self.report.checked = (a + asked, p + pushed, g + agreed);
        }
        Ok(self.report)
    }

    /// One step of time, and what follows from it.
    fn step(&mut self) {
        // The host of a process that was ended inside of a call may say so as an error: it is looked at below.
        let _ = self.sim.step();
        self.elapsed_ms += STEP_MS;
        self.common.now.fetch_add(STEP_MS as i64, Ordering::SeqCst);
        for server in &self.servers {
            server.clock.advance(STEP_MS as i64);
        }
        self.read_ledgers();
        self.bury();
        self.raise();
    }

    /// Steps until something is so, or until the time is over; says which.
    fn until(&mut self, limit_ms: u64, is_so: impl Fn(&Self) -> bool) -> bool {
        let end = self.elapsed_ms + limit_ms;
        while self.elapsed_ms < end {
            if is_so(self) {
                return true;
            }
            self.step();
        }
        is_so(self)
    }

    /// Writes down what the clients know, and when.
    fn read_ledgers(&mut self) {
        let mut ledger = self.common.ledger.lock();
        for (number, machine) in self.machines.iter().enumerate() {
            let Some((life, stats, which)) = machine.look() else { continue };
            if life.is_over() {
                continue;
            }
            assert_eq!(stats.dropped, 0, "the queue of a client has room");
            let Some(lived) = ledger.lives.get_mut(&(number, which)) else { continue };
            // What an earlier life left comes first.
            let settled = (stats.acked + stats.refused.total()).saturating_sub(stats.restored) as usize;
            lived.settled = lived.settled.max(settled.min(lived.tracked.len()));
        }
        ledger.note(self.servers[0].clock.now().0);
    }

    /// Ends the processes that have come to their end, and has them start again in a while.
    fn bury(&mut self) {
        for server in self.servers.clone() {
            let Some(life) = server.life().filter(|life| life.is_over()) else { continue };
            if self.report.first_calls == 0 {
                self.report.first_calls = life.calls();
            }
            let (cuts, kills) = (self.plan.faults.power_cuts, self.plan.faults.kills);
            let power = server.power().unwrap_or_else(|| self.torment.is_power_cut(cuts, kills));
            self.sim.crash(server.name.as_str());
            server.forget();
            let mut platter = server.platter.lock();
            if power {
                platter.cut();
                if !self.plan.many {
                    self.shared.shelf.lock().cut();
                }
            } else {
                platter.settle();
            }
            drop(platter);
            self.stand_still(&server.name, power);
        }
        for machine in self.machines.clone() {
            let Some((life, ..)) = machine.look().filter(|(life, ..)| life.is_over()) else { continue };
            drop(life);
            let power =
                self.torment.is_power_cut(self.plan.faults.client_power_cuts, self.plan.faults.client_kills);
            self.sim.crash(machine.name.as_str());
            machine.forget(power);
            let mut platter = machine.platter.lock();
            if power {
                platter.cut()
            } else {
                platter.settle()
            }
            drop(platter);
            self.stand_still(&machine.name, power);
        }
    }

    fn stand_still(&mut self, name: &str, power: bool) {
        let until = self.elapsed_ms + self.torment.pause_ms();
        self.report.ended += 1;
        self.trace.add(|| format!("{name} ends, the power is {}", if power { "cut" } else { "there" }));
        self.down.push((name.to_owned(), until));
    }

    /// Starts what has stood still for long enough.
    fn raise(&mut self) {
        let now = self.elapsed_ms;
        let (up, down) = self.down.drain(..).partition::<Vec<_>, _>(|(_, until)| *until <= now);
        self.down = down;
        for (name, _) in up {
            self.sim.bounce(name.as_str());
        }
    }
}
