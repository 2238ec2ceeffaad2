//! What happens in a run: everything follows from the seed.

use crate::dice::Dice;

/// Which faults there are. Each is a knob; they are injected together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Servers end in the middle of a call to the disk or the store; the system lives on.
    pub kills: bool,
    /// The same, and the power is cut: what was not synced is lost, torn or out of order, and so are names.
    pub power_cuts: bool,
    /// Syncs of the log fail.
    pub failing_syncs: bool,
    /// Reads of the log fail.
    pub failing_reads: bool,
    /// The disk runs full, and has room again later.
    pub full_disk: bool,
    /// Writes are held up, so that many share a sync.
    pub slow_disk: bool,
    /// The store fails, or the answer of a commit is lost.
    pub failing_store: bool,
    /// The store is far: each call takes a while.
    pub slow_store: bool,
    /// A process hangs in the middle of a call to the store, for longer than the others wait for it, and wakes up.
    pub zombies: bool,
    /// Appends to a shared log fail with the record written not at all, once or twice.
    pub failing_log: bool,
    /// Connections are cut, or hold everything back for a while: acks are lost, clients come again with what overlaps.
    pub network: bool,
    /// Clients end and begin again.
    pub client_kills: bool,
    /// The same, and their power is cut.
    pub client_power_cuts: bool,
    /// Servers are told to drain, in the middle of anything.
    pub drains: bool,
    /// The clocks of servers jump; those of clients are behind when they are switched on again.
    pub clock_jumps: bool,
    /// Hits of hours and days ago, and such as must be refused.
    pub strange_times: bool,
    /// Memory for visitor state and for hits on their way is next to nothing.
    pub tiny_memory: bool,
    /// The whole log is folded again into a new generation, while everything goes on.
    pub rewinds: bool,
    /// A client that is no SDK sends batches out of order and twice, and subscribers fall asleep.
    pub unruly: bool,
    /// In the end a bit of the log flips: nothing that is then said may be wrong.
    pub bit_flips: bool,
}

/// How a run goes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everything follows from it.
    pub seed: u64,
    /// Which faults.
    pub faults: Faults,
    /// Several processes share the log and the store; else one has its own.
    pub many: bool,
    /// Clients.
    pub clients: usize,
    /// Hits that a client tracks in all.
    pub hits: usize,
    /// Simulated seconds in which faults happen.
    pub seconds: u64,
    /// The first lives of the server end after so many calls to the disk and the store, with or without their power.
    pub crash_after: Vec<(u64, bool)>,
    /// Keep what happened, to be read.
    pub keep_trace: bool,
}

impl Faults {
    /// None.
    pub const NONE: Self = Self {
        kills: false,
        power_cuts: false,
        failing_syncs: false,
        failing_reads: false,
        full_disk: false,
        slow_disk: false,
        failing_store: false,
        slow_store: false,
        zombies: false,
        failing_log: false,
        network: false,
        client_kills: false,
        client_power_cuts: false,
        drains: false,
        clock_jumps: false,
        strange_times: false,
        tiny_memory: false,
        rewinds: false,
        unruly: false,
        bit_flips: false,
    };

    /// Each of them or not, as the dice say: what all faults together hide, some of them show.
    fn any(dice: &mut Dice) -> Self {
        let mut some = || dice.one_in(2);
        Self {
            kills: some(),
            power_cuts: some(),
            failing_syncs: some(),
            failing_reads: some(),
            full_disk: some(),
            slow_disk: some(),
            failing_store: some(),
            slow_store: some(),
            zombies: some(),
            failing_log: some(),
            network: some(),
            client_kills: some(),
            client_power_cuts: some(),
            drains: some(),
            clock_jumps: some(),
            strange_times: some(),
            tiny_memory: some(),
            rewinds: some(),
            unruly: some(),
            bit_flips: some(),
        }
    }
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, "plan");
        Self {
            seed,
            faults: Faults::any(&mut dice),
            many: dice.one_in(2),
            clients: dice.between(1, 3) as usize,
            hits: dice.between(30, 150) as usize,
            seconds: dice.between(10, 60),
            crash_after: Vec::new(),
            keep_trace: false,
        }
    }

    /// A run of fixed work without any fault but a crash, and another while it recovers.
    pub fn crash(after: Option<u64>, power: bool) -> Self {
        Self {
            seed: 1,
            faults: Faults { power_cuts: true, ..Faults::NONE },
            many: false,
            clients: 1,
            hits: 120,
            seconds: 6,
            // Wherever the first comes, the second comes early.
            // What is only with the system when a process is killed must be safe once it was read: the other end comes next.
            crash_after: after
                .map_or(vec![(u64::MAX, power)], |after| vec![(after, power), (1 + after % 37, !power)]),
            keep_trace: false,
        }
    }
}
