use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use crate::core::{Core, Flush, Step};
use crate::error::SendError;

/// What callers and the driver share. The lock is held for work in memory only, never while anything waits.
#[derive(Debug)]
pub(crate) struct Shared<C: Core> {
    state: Mutex<State<C>>,
    wake: Arc<Notify>,
    start: Instant,
}

/// A core, and who waits for it.
#[derive(Debug)]
pub(crate) struct State<C: Core> {
    /// What decides.
    pub(crate) core: C,
    flushes: Vec<Waiting<C::Mark>>,
    ended: bool,
}

/// Held by the driver's task. However that ends, nobody waits for it any longer.
#[derive(Debug)]
pub(crate) struct Driving<C: Core> {
    shared: Arc<Shared<C>>,
    _running: watch::Sender<()>,
}

impl<C: Core> Drop for Driving<C> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ended = true;
        state.flushes.clear();
    }
}

#[derive(Debug)]
struct Waiting<M> {
    through: M,
    deadline: Option<(Duration, Duration)>,
    answer: oneshot::Sender<Result<(), SendError>>,
}

impl<C: Core> Shared<C> {
    /// Shares a core whose time begins now.
    pub(crate) fn new(core: C) -> Arc<Self> {
        let state = Mutex::new(State { core, flushes: Vec::new(), ended: false });
        Arc::new(Self { state, wake: Arc::new(Notify::new()), start: Instant::now() })
    }

    /// What the driver's task holds, and what closes once it is gone.
    pub(crate) fn driving(self: &Arc<Self>) -> (Driving<C>, watch::Receiver<()>) {
        let (running, ended) = watch::channel(());
        (Driving { shared: Arc::clone(self), _running: running }, ended)
    }

    /// The zero of the core's time.
    pub(crate) fn start(&self) -> Instant {
        self.start
    }

    /// The core's time.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The core.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock()
    }

    /// Makes the driver look.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// What [`wake`](Shared::wake) wakes.
    pub(crate) fn notify(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Ends the driver.
    pub(crate) fn stop(&self) {
        self.lock().core.stop();
        self.wake();
    }

    /// Sends everything now, and waits until it is settled, at most for `timeout`. The driver keeps the time: the caller
    /// may be on any run time.
    pub(crate) fn flush(
        &self,
        timeout: Option<Duration>,
    ) -> impl Future<Output = Result<(), SendError>> + use<C> {
        let (answer, settled) = oneshot::channel();
        let mut state = self.lock();
        let through = state.core.flush();
        let deadline = timeout.map(|timeout| (self.now().saturating_add(timeout), timeout));
        if !state.ended {
            state.flushes.push(Waiting { through, deadline, answer });
        }
        drop(state);
        self.wake();
        async { settled.await.unwrap_or(Err(SendError::Closed)) }
    }

    /// Answers flushes that are done, and says what to do next.
    pub(crate) fn step(&self, room: bool, random: u64) -> Step<C::Frame> {
        let now = self.now();
        let mut state = self.lock();
        state.settle(now);
        match state.core.poll(now, random, room) {
            Step::Wait(until) => Step::Wait(until.into_iter().chain(state.deadlines()).min()),
            step => step,
        }
    }
}

impl<C: Core> State<C> {
    fn deadlines(&self) -> impl Iterator<Item = Duration> {
        self.flushes.iter().filter_map(|flush| flush.deadline).map(|(deadline, _)| deadline)
    }

    fn settle(&mut self, now: Duration) {
        for flush in std::mem::take(&mut self.flushes) {
            let late = flush.deadline.filter(|(deadline, _)| now >= *deadline);
            let answer = match (self.core.settled(flush.through), late) {
                (Flush::Done, _) => Ok(()),
                (Flush::Refused(reason), _) => Err(SendError::Refused(reason)),
                (Flush::Pending, Some((_, waited))) => Err(SendError::Timeout { waited }),
                (Flush::Pending, None) => {
                    self.flushes.push(flush);
                    continue;
                }
            };
            // Whoever waited may have given up.
            let _ = flush.answer.send(answer);
        }
    }
}
