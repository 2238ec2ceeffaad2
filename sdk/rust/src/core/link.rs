use std::time::Duration;

use proto::v1::{GoAway, Ready};

use super::Loss;
use super::backoff::{Backoff, spread};

/// The server must answer Setup within this time.
const GREETING: Duration = Duration::from_secs(10);
/// After GoAway, what is in flight may take this long to be acknowledged; then it is sent again elsewhere.
const DRAINING: Duration = Duration::from_secs(30);
/// Clients told to go away together come back spread over at least this time.
const RETURN_SPREAD: Duration = Duration::from_millis(100);

/// The life of the connection, and what the server said about it.
#[derive(Debug)]
pub(crate) struct Link {
    state: State,
    backoff: Backoff,
    credit: u64,
    /// How many streams were opened and got Ready.
    pub(crate) opened: u64,
    /// What the server said last about how to send.
    pub(crate) terms: Terms,
    /// Why the last connection went, or could not be made.
    pub(crate) last_error: Option<String>,
}

/// Where the connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// None; the next attempt is at this time.
    Resting { until: Duration },
    /// One is being made.
    Dialing { give_up: Duration },
    /// Setup was sent.
    Greeting { give_up: Duration },
    /// Ready came: hits may be sent as credit allows.
    Open,
    /// The server asked to go: acks are awaited, nothing is sent.
    Draining { give_up: Duration, come_back: Duration },
    /// The server said no for good.
    Refused,
}

/// What the server takes, and how it would like hits to be gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Hits of one batch.
    pub(crate) batch_hits: usize,
    /// Bytes of one batch before compression.
    pub(crate) batch_bytes: usize,
    /// Bytes of one frame.
    pub(crate) frame_bytes: usize,
    /// Send when this many hits wait.
    pub(crate) flush_hits: usize,
    /// Send when the oldest waits this long; `None` if the server does not mind.
    pub(crate) flush_delay: Option<Duration>,
}

impl Default for Terms {
    /// The contract's limits, until the server says otherwise.
    fn default() -> Self {
        Self {
            batch_hits: 2_500,
            batch_bytes: 512 << 10,
            frame_bytes: 1 << 20,
            flush_hits: 100,
            flush_delay: None,
        }
    }
}

/// What the link asks of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Connect.
    Connect,
    /// Drop the connection: what was in flight on it is not acknowledged.
    HangUp,
}

impl Link {
    /// A link that connects at once.
    pub(crate) fn new() -> Self {
        Self {
            state: State::Resting { until: Duration::ZERO },
            backoff: Backoff::default(),
            credit: 0,
            opened: 0,
            terms: Terms::default(),
            last_error: None,
        }
    }

    /// What to do at `now`; `idle` says that nothing is in flight.
    pub(crate) fn poll(&mut self, now: Duration, random: u64, idle: bool) -> Option<Ask> {
        match self.state {
            // Resting => Dialing: the wait is over.
            State::Resting { until } if now >= until => {
                self.state = State::Dialing { give_up: now + GREETING };
                Some(Ask::Connect)
            }
            // Dialing, Greeting => Resting: the server does not answer.
            State::Dialing { give_up } | State::Greeting { give_up } if now >= give_up => {
                self.lost(
                    now,
                    Loss::Passing(format!("no answer from the server within {GREETING:?}")),
                    random,
                );
                Some(Ask::HangUp)
            }
            // Draining => Resting: everything came back, or will not come any more.
            State::Draining { give_up, come_back } if idle || now >= give_up => {
                self.rest(come_back);
                Some(Ask::HangUp)
            }
            _ => None,
        }
    }

    /// When [`poll`](Link::poll) has something to do, if nothing happens before.
    pub(crate) fn wake(&self) -> Option<Duration> {
        match self.state {
            State::Resting { until } => Some(until),
            State::Dialing { give_up } | State::Greeting { give_up } => Some(give_up),
            State::Draining { give_up, .. } => Some(give_up),
            State::Open | State::Refused => None,
        }
    }

    /// Dialing => Greeting: Setup is on its way.
    pub(crate) fn connected(&mut self, now: Duration) {
        self.state = State::Greeting { give_up: now + GREETING };
    }

    /// Greeting => Open: the server took the setup. A repeated Ready only changes the terms.
    pub(crate) fn ready(&mut self, ready: &Ready) {
        if let State::Greeting { .. } = self.state {
            self.state = State::Open;
            self.opened += 1;
            self.backoff.reset();
        }
        let told = |value: u32, otherwise: usize| if value == 0 { otherwise } else { value as usize };
        let (limits, hint) = (ready.limits.unwrap_or_default(), ready.flush_hint.unwrap_or_default());
        let contract = Terms::default();
        self.terms = Terms {
            batch_hits: told(limits.batch_hits, contract.batch_hits),
            batch_bytes: told(limits.batch_bytes, contract.batch_bytes),
            frame_bytes: told(limits.frame_bytes, contract.frame_bytes),
            flush_hits: told(hint.hits, contract.flush_hits),
            flush_delay: (hint.max_delay_ms > 0).then(|| Duration::from_millis(hint.max_delay_ms.into())),
        };
    }

    /// More hits may be sent.
    pub(crate) fn granted(&mut self, hits: u64) {
        self.credit = self.credit.saturating_add(hits);
    }

    /// Open => Draining: nothing new is sent, and the server is left once everything in flight is acknowledged.
    pub(crate) fn go_away(&mut self, now: Duration, go_away: &GoAway, random: u64) {
        if matches!(self.state, State::Open | State::Greeting { .. }) {
            let after = Duration::from_millis(go_away.reconnect_after_ms.into());
            let come_back = now + after + spread(after.max(RETURN_SPREAD), random);
            self.state = State::Draining { give_up: now + DRAINING, come_back };
        }
    }

    /// The connection is gone. Any state => Resting or Refused.
    pub(crate) fn lost(&mut self, now: Duration, loss: Loss, random: u64) {
        match (loss, &self.state) {
            (Loss::Final(message), _) => {
                self.last_error = Some(message);
                self.credit = 0;
                self.state = State::Refused;
            }
            // The server hung up as it had announced: that is no failure.
            (Loss::Passing(_), State::Draining { come_back, .. }) => self.rest(*come_back),
            (Loss::Passing(message), _) => {
                self.last_error = Some(message);
                let until = now + self.backoff.next(random);
                self.rest(until);
            }
        }
    }

    fn rest(&mut self, until: Duration) {
        self.credit = 0;
        self.state = State::Resting { until };
    }

    /// How many hits may be sent now.
    pub(crate) fn credit(&self) -> u64 {
        if self.state == State::Open { self.credit } else { 0 }
    }

    /// Notes that `hits` are sent.
    pub(crate) fn spend(&mut self, hits: u64) {
        self.credit = self.credit.saturating_sub(hits);
    }

    /// Where the connection stands.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Why the server said no for good, if it did.
    pub(crate) fn refused(&self) -> Option<&str> {
        match self.state {
            State::Refused => self.last_error.as_deref(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn open_link() -> Link {
        let mut link = Link::new();
        assert_eq!(link.poll(ms(0), 0, true), Some(Ask::Connect));
        link.connected(ms(1));
        link.ready(&Ready::default());
        link
    }

    #[test]
    fn credit_counts_only_once_ready_came_and_is_gone_with_the_connection() {
        let mut link = Link::new();
        link.poll(ms(0), 0, true);
        link.connected(ms(0));
        link.granted(10);
        assert_eq!(link.credit(), 0);
        link.ready(&Ready::default());
        link.granted(5);
        link.spend(3);
        assert_eq!(link.credit(), 12);
        link.lost(ms(5), Loss::Passing("gone".into()), 0);
        assert_eq!(link.poll(ms(5), 0, true), Some(Ask::Connect));
        link.connected(ms(5));
        link.ready(&Ready::default());
        assert_eq!(link.credit(), 0);
    }

    #[test]
    fn a_server_that_says_nothing_is_left_after_ten_seconds() {
        let mut link = Link::new();
        link.poll(ms(0), 0, true);
        assert_eq!(link.poll(ms(9_999), 0, true), None);
        assert_eq!(link.wake(), Some(ms(10_000)));
        assert_eq!(link.poll(ms(10_000), 7_000, true), Some(Ask::HangUp));
        assert_eq!(link.state(), &State::Resting { until: ms(10_007) });
    }

    #[test]
    fn go_away_waits_for_what_is_in_flight_and_then_for_the_given_time_and_a_random_while() {
        let mut link = open_link();
        link.granted(10);
        link.go_away(ms(100), &GoAway { message: String::new(), reconnect_after_ms: 2_000 }, 1_500_000);
        assert_eq!(link.credit(), 0);
        assert_eq!(link.poll(ms(101), 0, false), None);
        assert_eq!(link.poll(ms(102), 0, true), Some(Ask::HangUp));
        assert_eq!(link.state(), &State::Resting { until: ms(100 + 2_000 + 1_500) });
    }

    #[test]
    fn a_server_that_hangs_up_after_go_away_did_not_fail() {
        let mut link = open_link();
        link.go_away(ms(0), &GoAway { message: String::new(), reconnect_after_ms: 50 }, 0);
        link.lost(ms(1), Loss::Passing("closed".into()), 9_999);
        assert_eq!(link.state(), &State::Resting { until: ms(50) });
        assert_eq!(link.last_error, None);
    }

    #[test]
    fn waits_grow_with_each_failure_until_a_server_says_ready() {
        let mut link = Link::new();
        let mut fail = |ready: bool| {
            link.state = State::Greeting { give_up: ms(0) };
            if ready {
                link.ready(&Ready::default());
            }
            link.lost(ms(0), Loss::Passing("gone".into()), 150_000);
            link.wake().unwrap()
        };
        // 150 ms fit below the ceiling of 200 ms, not below that of 100 ms, where they wrap to 49,999 µs.
        let (short, long) = (Duration::from_micros(49_999), ms(150));
        assert_eq!([false, false, false, true, false].map(&mut fail), [short, long, long, short, long]);
    }

    #[test]
    fn a_final_loss_ends_all_attempts() {
        let mut link = open_link();
        link.lost(ms(1), Loss::Final("the key was revoked".into()), 0);
        assert_eq!(link.poll(ms(1_000_000), 0, true), None);
        assert_eq!(link.wake(), None);
        assert_eq!(link.refused(), Some("the key was revoked"));
    }
}
