use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use model::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Hub;
use super::state::State;
use crate::execute::Finality;
use crate::plan::Plan;
use crate::{Ask, Error, Result};

/// How often subscribers hear that nothing changed but the watermark.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
/// The longest time without looking: the wall clock may be set.
const LOOK: Duration = Duration::from_secs(60);
/// The same where other processes change the cells: what they tell may get lost on its way.
const LOOK_AT_OTHERS: Duration = Duration::from_secs(2);

/// One live answer.
pub(super) struct Live {
    id: String,
    ask: Ask,
    state: Mutex<State>,
    news: watch::Sender<News>,
    changed: Notify,
    watermark: Notify,
    seats: Mutex<Seats>,
    /// A seat was taken or left.
    seated: Notify,
    end: CancellationToken,
}

/// What subscribers wait for.
#[derive(Clone, Default)]
pub(super) struct News {
    /// Number of the last change.
    pub(super) number: u64,
    /// Number of the last change that is more than the watermark.
    pub(super) content: u64,
    /// Why there will be no more.
    pub(super) failed: Option<Arc<Error>>,
}

#[derive(Default)]
struct Seats {
    next: u64,
    /// How often each wants to hear of changes.
    intervals: HashMap<u64, Duration>,
    /// Since when there is none.
    idle_since: Option<Instant>,
}

/// What an answer was made from: if both are the same, so is the answer.
struct Made {
    plan: Plan,
    finality: Finality,
}

impl Live {
    pub(super) fn new(ask: Ask, random: u64) -> Self {
        Self {
            id: format!("{random:016x}"),
            ask,
            state: Mutex::default(),
            news: watch::Sender::new(News::default()),
            changed: Notify::new(),
            watermark: Notify::new(),
            seats: Mutex::default(),
            seated: Notify::new(),
            end: CancellationToken::new(),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn ask(&self) -> &Ask {
        &self.ask
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(super) fn news(&self) -> watch::Receiver<News> {
        self.news.subscribe()
    }

    /// How many subscribers there are.
    pub(super) fn seats(&self) -> usize {
        self.seats.lock().intervals.len()
    }

    /// A place for a subscriber.
    pub(super) fn seat(self: &Arc<Self>, interval: Duration) -> Seat {
        let mut seats = self.seats.lock();
        seats.next += 1;
        let number = seats.next;
        seats.intervals.insert(number, interval);
        seats.idle_since = None;
        self.seated.notify_one();
        gauge!("hitmill_query_subscriptions").increment(1.0);
        Seat { live: Arc::clone(self), number }
    }

    /// The cells changed.
    pub(super) fn changed(&self) {
        self.changed.notify_one();
    }

    /// The watermark went on.
    pub(super) fn watermark(&self) {
        self.watermark.notify_one();
    }

    /// Ends it.
    pub(super) fn end(&self) {
        self.end.cancel();
    }

    /// Reads the answer, and again whenever there is a reason, until nobody wants it any more.
    pub(super) async fn run(self: Arc<Self>, hub: Hub) {
        let failed = self.follow(&hub).await.err();
        if let Some(error) = failed {
            // Whoever comes now begins a new one; those who are here are told why this one ends.
            hub.remove(&mut hub.0.lives.lock(), &self);
            self.news.send_modify(|news| news.failed = Some(Arc::new(error)));
        }
        gauge!("hitmill_query_live_answers").decrement(1.0);
    }

    async fn follow(self: &Arc<Self>, hub: &Hub) -> Result<()> {
        let mut made = None;
        loop {
            let started = Instant::now();
            let next = self.read(hub, &mut made).await?;
            if !self.wait(hub, started, next).await {
                return Ok(());
            }
        }
    }

    /// Reads the answer as it is now; gives how long it holds if nothing changes.
    async fn read(&self, hub: &Hub, made: &mut Option<Made>) -> Result<Duration> {
        let platform = &hub.0.platform;
        let now = platform.clock.now();
        let view = hub.0.reader.view(platform.catalog.snapshot(), self.ask.merchant).await?;
        let finality = view.finality();
        let plan = Plan::new(&self.ask, now)?;
        let next = until(plan.valid_until, now).min(if platform.shared { LOOK_AT_OTHERS } else { LOOK });
        if made.as_ref().is_some_and(|made| made.still(&plan, finality)) {
            self.state.lock().confirm(finality);
        } else {
            let mut answer = hub.0.reader.answer(&view, &self.ask, plan.clone(), now).await?;
            let rows = answer.all(hub.0.settings.max_live_rows).await?;
            self.state.lock().advance(rows, answer.methods(), finality);
            *made = Some(Made { plan, finality });
            counter!("hitmill_query_live_reads_total").increment(1);
        }
        self.tell();
        Ok(next)
    }

    fn tell(&self) {
        let state = self.state.lock();
        self.news.send_if_modified(|news| {
            let more = news.number < state.number();
            (news.number, news.content) = (state.number(), state.content());
            more
        });
    }

    /// Waits for a reason to read again; false if there will be none.
    async fn wait(self: &Arc<Self>, hub: &Hub, started: Instant, next: Duration) -> bool {
        let mut due = started + next;
        loop {
            let (interval, idle_since) = self.pace();
            let idle_until = idle_since.map(|since| since + hub.0.settings.resumable());
            tokio::select! {
                () = self.end.cancelled() => return false,
                () = hub.0.platform.drain.cancelled() => return false,
                () = self.changed.notified() => due = due.min(started + interval),
                () = self.watermark.notified() => due = due.min(started + HEARTBEAT),
                () = self.seated.notified() => {}
                () = sleep_until(idle_until.unwrap_or(due)), if idle_until.is_some() => {
                    if hub.leave(self) {
                        return false;
                    }
                }
                () = sleep_until(due) => return true,
            }
        }
    }

    /// How often the fastest subscriber wants to hear of changes, and since when there is none.
    fn pace(&self) -> (Duration, Option<Instant>) {
        let seats = self.seats.lock();
        (seats.intervals.values().min().copied().unwrap_or(HEARTBEAT), seats.idle_since)
    }
}

impl Made {
    fn still(&self, plan: &Plan, finality: Finality) -> bool {
        let cells = |finality: &Finality| (finality.generation, finality.revision);
        self.plan == *plan && cells(&self.finality) == cells(&finality)
    }
}

fn until(valid_until: Option<Timestamp>, now: Timestamp) -> Duration {
    let millis = valid_until.map(|until| u64::try_from(until.millis_since(now)).unwrap_or(0));
    millis.map_or(LOOK, Duration::from_millis)
}

/// The place of one subscriber; given back when it is dropped.
pub(super) struct Seat {
    live: Arc<Live>,
    number: u64,
}

impl Seat {
    pub(super) fn live(&self) -> &Live {
        &self.live
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.live.seats.lock();
        seats.intervals.remove(&self.number);
        if seats.intervals.is_empty() {
            seats.idle_since = Some(Instant::now());
        }
        self.live.seated.notify_one();
        gauge!("hitmill_query_subscriptions").decrement(1.0);
    }
}
