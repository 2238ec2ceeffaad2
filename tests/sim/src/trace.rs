//! Everything that happens, as one number: two runs of a seed must give the same.

use parking_lot::Mutex;

use crate::dice::hash;

/// What happened so far.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    state: Mutex<State>,
    keep: bool,
}

#[derive(Debug, Default)]
struct State {
    sum: u64,
    events: u64,
    lines: Vec<String>,
}

impl Trace {
    /// With `keep` it can be read, else it is only a number.
    pub(crate) fn new(keep: bool) -> Self {
        Self { state: Mutex::default(), keep }
    }

    /// Something happened.
    pub(crate) fn add(&self, what: impl FnOnce() -> String) {
        let line = what();
        let mut state = self.state.lock();
        state.sum = hash(format!("{} {line}", state.sum).as_bytes());
        state.events += 1;
        if self.keep {
            state.lines.push(line);
        }
    }

    /// The number, and how many events it stands for.
    pub(crate) fn sum(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.sum, state.events)
    }

    /// What was kept.
    pub(crate) fn take_lines(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().lines)
    }
}
