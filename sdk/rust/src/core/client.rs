use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::link::{Ask, State};
use super::queue::{Batch, Entry, Queue};
use super::session::{Seen, Session};
use super::{Core, Event, Flush, Pos, Step};
use crate::stats::{LinkState, Stats};

/// Hits go out without waiting for company when they have this many bytes.
const FLUSH_BYTES: usize = 64 << 10;
/// What a batch has beside its hits, at most: client id, epoch, seq, time and keys.
const BATCH_OVERHEAD: usize = 512;
/// A queue directory that could not be written is tried again after this long.
const STORE_AGAIN: Duration = Duration::from_secs(1);

/// Everything that a client decides: which hits to keep, when to send them, and what is settled.
#[derive(Debug)]
pub(crate) struct ClientCore {
    session: Session<Pos>,
    queue: Queue,
    /// How long a hit waits for company; `None` leaves it to the server.
    max_delay: Option<Duration>,
    /// Hits up to here go out without waiting for company.
    urgent: Pos,
    /// Who hits are from now on.
    profile: Arc<Profile>,
    stats: Stats,
    storage: Option<Storage>,
    stopped: bool,
}

/// Who the hits are from, beside the client: what `identify`, `reset` and `opt_out` change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    /// Id of the signed-in user, or empty.
    pub(crate) user_id: String,
    /// Whom to count if there is no user: empty until the first `reset`, which means the client.
    pub(crate) visitor_id: String,
    /// Hits are not taken.
    pub(crate) opted_out: bool,
}

/// How far the queue directory is behind the queue.
#[derive(Debug)]
struct Storage {
    hits: Pos,
    told: Pos,
    profile: Arc<Profile>,
    wipe: bool,
    again: Duration,
}

/// What the queue directory does not have yet.
#[derive(Debug)]
pub(crate) struct Journal {
    /// Forget all earlier hits.
    pub(crate) wipe: bool,
    /// New hits.
    pub(crate) hits: Vec<Entry>,
    /// The server knows what became of everything up to here.
    pub(crate) told: Pos,
    /// The oldest hit that is still needed.
    pub(crate) front: Option<Pos>,
    /// The next hit gets this.
    pub(crate) next: Pos,
    /// Who hits are from.
    pub(crate) profile: Arc<Profile>,
}

impl Core for ClientCore {
    type Mark = Pos;
    type Frame = Batch;

    fn poll(&mut self, now: Duration, random: u64, room: bool) -> Step<Batch> {
        if self.stopped {
            return Step::Stop;
        }
        match self.session.poll(now, random) {
            Some((Ask::Connect, _)) => return Step::Connect,
            Some((Ask::HangUp, _)) => {
                self.queue.lost();
                return Step::HangUp;
            }
            None => {}
        }
        let due = self.due();
        if room
            && due.is_some_and(|due| due <= now)
            && let Some(batch) = self.next_batch(now)
        {
            return Step::Send(batch);
        }
        // A batch that is due but has no room goes when the connection says so, which the driver waits for anyway.
        let due = due.filter(|due| *due > now);
        let store = self.storage.as_ref().map(|storage| storage.again).filter(|again| *again > now);
        Step::Wait([due, store, self.session.link.wake()].into_iter().flatten().min())
    }

    fn flush(&mut self) -> Pos {
        let next = self.queue.next();
        self.urgent = Pos { seq: next.seq - 1, ..next };
        self.urgent
    }

    fn settled(&self, through: Pos) -> Flush {
        match (self.queue.front(), self.session.link.refused()) {
            (Some(front), Some(reason)) if front <= through => Flush::Refused(reason.to_owned()),
            (Some(front), None) if front <= through => Flush::Pending,
            _ => Flush::Done,
        }
    }

    fn stop(&mut self) {
        self.stopped = true;
    }
}

impl ClientCore {
    /// A client that has nothing sent. With `stored`, hits are sent only once they are in the queue directory.
    pub(crate) fn new(queue: Queue, profile: Profile, max_delay: Option<Duration>, stored: bool) -> Self {
        let profile = Arc::new(profile);
        // What the queue has now came out of the directory.
        let storage = stored.then(|| Storage {
            hits: queue.after(Pos::default()).last().map_or(Pos::default(), |entry| entry.at),
            told: queue.told(),
            profile: Arc::clone(&profile),
            wipe: false,
            again: Duration::ZERO,
        });
        let stats = Stats { restored: queue.len() as u64 + queue.dropped, ..Stats::default() };
        Self {
            session: Session::new(),
            queue,
            max_delay,
            urgent: Pos::default(),
            profile,
            stats,
            storage,
            stopped: false,
        }
    }

    /// Queues an encoded hit. Says whether the driver has to look: it need not for each hit of many.
    pub(crate) fn track(&mut self, now: Duration, now_ms: i64, hit: Bytes) -> bool {
        if self.profile.opted_out || self.stopped {
            return false;
        }
        let bytes_before = self.queue.waiting_bytes();
        self.queue.push(now, now_ms, hit);
        self.stats.tracked += 1;
        let waiting = self.queue.waiting();
        let crossed = bytes_before < FLUSH_BYTES && self.queue.waiting_bytes() >= FLUSH_BYTES;
        self.storage.is_some() || waiting == 1 || waiting == self.session.link.terms.flush_hits || crossed
    }

    /// Notes a hit that is larger than any server takes.
    pub(crate) fn too_large(&mut self, reason: proto::v1::RefusalReason, message: String) {
        self.stats.tracked += 1;
        self.stats.refused.add(reason, 1);
        self.stats.last_refusal = Some(message);
    }

    /// Who hits are from now on.
    pub(crate) fn profile(&self) -> &Arc<Profile> {
        &self.profile
    }

    /// Changes who hits are from now on; opting out throws away what is queued.
    pub(crate) fn set_profile(&mut self, profile: Profile) {
        if profile.opted_out {
            self.stats.wiped += self.queue.wipe();
            if let Some(storage) = &mut self.storage {
                storage.wipe = true;
            }
        }
        self.profile = Arc::new(profile);
    }

    /// When the next batch should go, if one may go at all.
    fn due(&self) -> Option<Duration> {
        let oldest = self.queue.oldest_waiting()?;
        if self.session.link.credit() == 0 || oldest.at > self.stored() {
            return None;
        }
        let full = self.queue.waiting() >= self.session.link.terms.flush_hits
            || self.queue.waiting_bytes() >= FLUSH_BYTES
            || oldest.at <= self.urgent;
        let delay =
            self.max_delay.or(self.session.link.terms.flush_delay).unwrap_or(crate::client::MAX_DELAY);
        Some(if full { Duration::ZERO } else { oldest.since.saturating_add(delay) })
    }

    fn next_batch(&mut self, now: Duration) -> Option<Batch> {
        let credit = usize::try_from(self.session.link.credit()).unwrap_or(usize::MAX);
        let terms = self.session.link.terms;
        let bytes = terms.batch_bytes.min(terms.frame_bytes).saturating_sub(BATCH_OVERHEAD);
        let batch = self.queue.take(credit.min(terms.batch_hits), bytes, self.stored())?;
        let hits = batch.hits.len() as u64;
        self.session.sent(batch.last, hits, now);
        self.stats.sent += hits;
        Some(batch)
    }

    fn stored(&self) -> Pos {
        self.storage.as_ref().map_or(Pos::MAX, |storage| storage.hits)
    }

    /// Takes in what the driver saw.
    pub(crate) fn event(&mut self, now: Duration, event: Event, random: u64) {
        match self.session.event(now, event, random) {
            Seen::Nothing => {}
            Seen::Lost(_) => self.queue.lost(),
            Seen::Settled { frames, refused } => {
                for sent in frames {
                    self.stats.acked += self.queue.acked(sent.frame);
                    self.stats.last_ack_latency = Some(now.saturating_sub(sent.at));
                }
                self.stats.refuse(&refused);
            }
        }
    }

    /// What the queue directory does not have yet, if it is time to write it.
    pub(crate) fn journal(&self, now: Duration) -> Option<Journal> {
        let storage = self.storage.as_ref()?;
        let behind = storage.wipe
            || storage.told < self.queue.told()
            || self.queue.after(storage.hits).next().is_some()
            || !Arc::ptr_eq(&storage.profile, &self.profile);
        (behind && (now >= storage.again || self.stopped)).then(|| Journal {
            wipe: storage.wipe,
            hits: self.queue.after(storage.hits).cloned().collect(),
            told: self.queue.told(),
            front: self.queue.front(),
            next: self.queue.next(),
            profile: Arc::clone(&self.profile),
        })
    }

    /// The journal is in the queue directory, or why not.
    pub(crate) fn journaled(&mut self, now: Duration, journal: &Journal, result: Result<(), String>) {
        let Some(storage) = &mut self.storage else { return };
        match result {
            Ok(()) => {
                storage.hits = journal.hits.last().map_or(storage.hits, |entry| entry.at);
                storage.told = journal.told;
                storage.profile = Arc::clone(&journal.profile);
                // Not if hits were wiped once more while the journal was written.
                storage.wipe &= !(journal.wipe && Arc::ptr_eq(&journal.profile, &self.profile));
            }
            Err(error) => {
                self.stats.storage_errors += 1;
                self.stats.last_storage_error = Some(error);
                storage.again = now + STORE_AGAIN;
            }
        }
    }

    /// The figures now.
    pub(crate) fn stats(&self) -> Stats {
        Stats {
            queued: self.queue.len() as u64,
            queued_bytes: self.queue.bytes() as u64,
            dropped: self.queue.dropped,
            reconnects: self.session.link.opened.saturating_sub(1),
            link: link_state(self.session.link.state()),
            last_error: self.session.link.last_error.clone(),
            ..self.stats.clone()
        }
    }
}

/// How the state of the link is shown.
pub(crate) fn link_state(state: &State) -> LinkState {
    match state {
        State::Resting { .. } => LinkState::Waiting,
        State::Dialing { .. } | State::Greeting { .. } => LinkState::Connecting,
        State::Open => LinkState::Open,
        State::Draining { .. } => LinkState::Draining,
        State::Refused => LinkState::Refused,
    }
}

#[cfg(test)]
mod tests;
