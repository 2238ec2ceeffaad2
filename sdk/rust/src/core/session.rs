use std::time::Duration;

use proto::v1::server_frame::Frame;
use proto::v1::{Ack, Refused, ServerFrame};

use super::link::{Ask, Link};
use super::window::{Sent, Window};
use super::{Event, Loss};

/// The connection and what is in flight on it: what the client and the sender have in common.
#[derive(Debug)]
pub(crate) struct Session<F> {
    /// The connection.
    pub(crate) link: Link,
    window: Window<F>,
    hang_up: bool,
}

/// What an event means to the owner of the hits.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen<F> {
    /// Nothing.
    Nothing,
    /// Frames are settled: durable, but for the hits that were refused.
    Settled { frames: Vec<Sent<F>>, refused: Vec<Refused> },
    /// These frames, in order, must be sent again.
    Lost(Vec<F>),
}

impl<F> Session<F> {
    /// A session that connects at once.
    pub(crate) fn new() -> Self {
        Self { link: Link::new(), window: Window::default(), hang_up: false }
    }

    /// What to do with the connection now, and the frames that must be sent again because of it.
    pub(crate) fn poll(&mut self, now: Duration, random: u64) -> Option<(Ask, Vec<F>)> {
        if std::mem::take(&mut self.hang_up) {
            return Some((Ask::HangUp, Vec::new()));
        }
        let ask = self.link.poll(now, random, self.window.is_empty())?;
        Some((ask, if ask == Ask::HangUp { self.window.lost().collect() } else { Vec::new() }))
    }

    /// Notes a frame that is sent now.
    pub(crate) fn sent(&mut self, frame: F, hits: u64, now: Duration) {
        self.link.spend(hits);
        self.window.sent(frame, hits, now);
    }

    /// Takes in what the driver saw.
    pub(crate) fn event(&mut self, now: Duration, event: Event, random: u64) -> Seen<F> {
        match event {
            Event::Connected => self.link.connected(now),
            Event::Frame(ServerFrame { frame }) => match frame {
                Some(Frame::Ready(ready)) => self.link.ready(&ready),
                Some(Frame::Credit(credit)) => self.link.granted(credit.hits),
                Some(Frame::Ack(ack)) => return self.acked(now, ack, random),
                Some(Frame::GoAway(go_away)) => self.link.go_away(now, &go_away, random),
                // A kind of frame that only later servers know.
                None => {}
            },
            Event::Lost(loss) => return self.lost(now, loss, random),
        }
        Seen::Nothing
    }

    fn acked(&mut self, now: Duration, ack: Ack, random: u64) -> Seen<F> {
        match self.window.ack(ack.frames) {
            Ok(frames) => Seen::Settled { frames, refused: ack.refused },
            Err(loss) => {
                self.hang_up = true;
                self.lost(now, loss, random)
            }
        }
    }

    fn lost(&mut self, now: Duration, loss: Loss, random: u64) -> Seen<F> {
        self.link.lost(now, loss, random);
        Seen::Lost(self.window.lost().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::link::State;

    fn ack(frames: u64) -> Event {
        Event::Frame(ServerFrame { frame: Some(Frame::Ack(Ack { frames, refused: Vec::new() })) })
    }

    #[test]
    fn a_server_that_acknowledges_what_was_never_sent_is_left_and_gets_everything_again() {
        let mut session = Session::new();
        let now = Duration::ZERO;
        assert_eq!(session.poll(now, 0), Some((Ask::Connect, vec![])));
        session.event(now, Event::Connected, 0);
        session.sent('a', 1, now);
        session.sent('b', 1, now);
        assert_eq!(session.event(now, ack(3), 5_000), Seen::Lost(vec!['a', 'b']));
        assert_eq!(session.poll(now, 0), Some((Ask::HangUp, vec![])));
        assert_eq!(session.link.state(), &State::Resting { until: Duration::from_millis(5) });
    }
}
