use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use proto::v1::Refused;

use super::client::link_state;
use super::link::{Ask, Link};
use super::session::{Seen, Session};
use super::{Core, Event, Flush, Step};
use crate::stats::Stats;

/// What a frame has beside its batches, at most, and each batch beside its bytes.
const OVERHEAD: usize = 32;

/// Everything that a sender decides: how batches are gathered to frames, and when they are sent.
#[derive(Debug)]
pub(crate) struct SenderCore {
    session: Session<Vec<Piece>>,
    waiting: VecDeque<Piece>,
    waiting_bytes: usize,
    frame_bytes: usize,
    max_delay: Duration,
    /// Batches that were taken, that were settled, and up to which nothing waits for company.
    taken: u64,
    settled: u64,
    urgent: u64,
    stats: Stats,
    stopped: bool,
}

/// An encoded batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    batch: Bytes,
    hits: u64,
    since: Duration,
}

/// A frame that is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) batches: u64,
    pub(crate) hits: u64,
    pub(crate) bytes: usize,
    pub(crate) sent: Duration,
    pub(crate) acked: Duration,
}

impl Core for SenderCore {
    type Mark = u64;
    type Frame = Vec<Bytes>;

    fn poll(&mut self, now: Duration, random: u64, room: bool) -> Step<Vec<Bytes>> {
        if self.stopped {
            return Step::Stop;
        }
        if let Some((ask, lost)) = self.session.poll(now, random) {
            self.unsent(lost);
            return if ask == Ask::Connect { Step::Connect } else { Step::HangUp };
        }
        let due = self.due();
        if room && due.is_some_and(|due| due <= now) {
            return Step::Send(self.next_frame(now));
        }
        Step::Wait([due.filter(|due| *due > now), self.session.link.wake()].into_iter().flatten().min())
    }

    fn flush(&mut self) -> u64 {
        self.urgent = self.taken;
        self.urgent
    }

    fn settled(&self, through: u64) -> Flush {
        match self.session.link.refused() {
            _ if self.settled >= through => Flush::Done,
            Some(reason) => Flush::Refused(reason.to_owned()),
            None => Flush::Pending,
        }
    }

    fn stop(&mut self) {
        self.stopped = true;
    }
}

impl SenderCore {
    /// A sender that has nothing sent.
    pub(crate) fn new(frame_bytes: usize, max_delay: Duration) -> Self {
        Self {
            session: Session::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            frame_bytes,
            max_delay,
            taken: 0,
            settled: 0,
            urgent: 0,
            stats: Stats::default(),
            stopped: false,
        }
    }

    /// Queues an encoded batch of `hits` hits. Says whether the driver has to look.
    pub(crate) fn push(&mut self, now: Duration, batch: Bytes, hits: u64) -> bool {
        let before = self.waiting_bytes;
        self.waiting_bytes += batch.len();
        self.waiting.push_back(Piece { batch, hits, since: now });
        self.taken += 1;
        self.stats.tracked += hits;
        self.stats.queued += hits;
        before == 0 || (before < self.frame_bytes && self.waiting_bytes >= self.frame_bytes)
    }

    /// The connection.
    pub(crate) fn link(&self) -> &Link {
        &self.session.link
    }

    /// When the next frame should go, if credit allows one at all.
    fn due(&self) -> Option<Duration> {
        let oldest = self.waiting.front()?;
        if self.session.link.credit() < oldest.hits.max(1) {
            return None;
        }
        let sent = self.taken - self.waiting.len() as u64;
        let full = self.waiting_bytes >= self.frame_bytes || sent < self.urgent;
        Some(if full { Duration::ZERO } else { oldest.since.saturating_add(self.max_delay) })
    }

    fn next_frame(&mut self, now: Duration) -> Vec<Bytes> {
        let (credit, limit) =
            (self.session.link.credit(), self.frame_bytes.min(self.session.link.terms.frame_bytes));
        let (mut pieces, mut hits, mut bytes) = (Vec::new(), 0, 0);
        while let Some(piece) = self.waiting.front() {
            let with_it = bytes + piece.batch.len() + OVERHEAD;
            if hits + piece.hits > credit || (with_it > limit && !pieces.is_empty()) {
                break;
            }
            let Some(piece) = self.waiting.pop_front() else { break };
            self.waiting_bytes -= piece.batch.len();
            hits += piece.hits;
            bytes = with_it;
            pieces.push(piece);
        }
        let batches = pieces.iter().map(|piece| piece.batch.clone()).collect();
        self.session.sent(pieces, hits, now);
        self.stats.sent += hits;
        batches
    }

    /// Takes in what the driver saw, and says which frames are settled and which hits were refused.
    pub(crate) fn event(&mut self, now: Duration, event: Event, random: u64) -> (Vec<Settled>, Vec<Refused>) {
        match self.session.event(now, event, random) {
            Seen::Nothing => (Vec::new(), Vec::new()),
            Seen::Lost(frames) => {
                self.unsent(frames);
                (Vec::new(), Vec::new())
            }
            Seen::Settled { frames, refused } => {
                let settled: Vec<_> = frames
                    .into_iter()
                    .map(|sent| Settled {
                        batches: sent.frame.len() as u64,
                        hits: sent.hits,
                        bytes: sent.frame.iter().map(|piece| piece.batch.len()).sum(),
                        sent: sent.at,
                        acked: now,
                    })
                    .collect();
                self.count(&settled, &refused);
                (settled, refused)
            }
        }
    }

    fn count(&mut self, settled: &[Settled], refused: &[Refused]) {
        for frame in settled {
            self.settled += frame.batches;
            self.stats.acked += frame.hits;
            self.stats.queued -= frame.hits.min(self.stats.queued);
            self.stats.last_ack_latency = Some(frame.acked.saturating_sub(frame.sent));
        }
        self.stats.refuse(refused);
    }

    /// Puts frames that must be sent again before all others, in their order.
    fn unsent(&mut self, frames: Vec<Vec<Piece>>) {
        for piece in frames.into_iter().rev().flat_map(|frame| frame.into_iter().rev()) {
            self.waiting_bytes += piece.batch.len();
            self.waiting.push_front(piece);
        }
    }

    /// The figures now; `queued_bytes` is left to the memory's keeper.
    pub(crate) fn stats(&self) -> Stats {
        let link = &self.session.link;
        Stats {
            reconnects: link.opened.saturating_sub(1),
            link: link_state(link.state()),
            last_error: link.last_error.clone(),
            ..self.stats.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::v1::server_frame::Frame;
    use proto::v1::{Ack, Credit, Ready, ServerFrame};

    use super::*;
    use crate::core::Loss;

    const NOW: Duration = Duration::ZERO;

    fn frame(frame: Frame) -> Event {
        Event::Frame(ServerFrame { frame: Some(frame) })
    }

    fn open(core: &mut SenderCore, now: Duration, credit: u64) {
        assert_eq!(core.poll(now, 0, true), Step::Connect);
        core.event(now, Event::Connected, 0);
        core.event(now, frame(Frame::Ready(Ready::default())), 0);
        core.event(now, frame(Frame::Credit(Credit { hits: credit })), 0);
    }

    fn sender(pieces: &[(&'static str, u64)]) -> SenderCore {
        let mut core = SenderCore::new(100, Duration::from_millis(5));
        open(&mut core, NOW, 10);
        for (batch, hits) in pieces {
            core.push(NOW, Bytes::from_static(batch.as_bytes()), *hits);
        }
        core
    }

    fn sent(core: &mut SenderCore) -> Option<String> {
        match core.poll(NOW, 0, true) {
            Step::Send(batches) => Some(batches.iter().map(|b| String::from_utf8_lossy(b)).collect()),
            _ => None,
        }
    }

    #[test]
    fn batches_are_gathered_until_the_delay_is_over() {
        let mut core = sender(&[("a", 1), ("b", 1)]);
        assert_eq!(core.poll(NOW, 0, true), Step::Wait(Some(Duration::from_millis(5))));
        let Step::Send(batches) = core.poll(Duration::from_millis(5), 0, true) else {
            panic!("nothing is sent")
        };
        assert_eq!(batches, ["a", "b"]);
    }

    #[test]
    fn a_frame_never_has_more_hits_than_the_credit_nor_more_bytes_than_a_frame() {
        let mut core = sender(&[("a", 6), ("b", 4), ("c", 1)]);
        core.flush();
        assert_eq!(sent(&mut core).as_deref(), Some("ab"));
        assert_eq!(sent(&mut core), None);
        core.event(NOW, frame(Frame::Credit(Credit { hits: 1 })), 0);
        assert_eq!(sent(&mut core).as_deref(), Some("c"));

        let long = "x".repeat(60).leak();
        let mut core = sender(&[(long, 1), (long, 1)]);
        assert_eq!(sent(&mut core).map(|frame| frame.len()), Some(60));
    }

    #[test]
    fn what_was_in_flight_goes_first_and_in_order_on_the_next_connection() {
        let mut core = sender(&[("a", 4), ("b", 4)]);
        core.flush();
        assert_eq!(sent(&mut core).as_deref(), Some("ab"));
        core.push(NOW, Bytes::from_static(b"c"), 2);
        let through = core.flush();
        assert_eq!(sent(&mut core).as_deref(), Some("c"));
        core.event(NOW, frame(Frame::Ack(Ack::default())), 0);
        core.event(NOW, Event::Lost(Loss::Passing("gone".into())), 0);
        core.push(NOW, Bytes::from_static(b"d"), 1);
        open(&mut core, NOW, 10);
        assert_eq!(sent(&mut core).as_deref(), Some("abc"));
        assert_eq!(core.settled(through), Flush::Pending);
        core.event(NOW, frame(Frame::Ack(Ack { frames: 1, refused: vec![] })), 0);
        assert_eq!(core.settled(through), Flush::Done);
        assert_eq!(core.stats().acked, 10);
        assert_eq!(core.stats().queued, 1);
    }
}
