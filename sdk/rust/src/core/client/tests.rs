use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use proto::v1::server_frame::Frame;
use proto::v1::{Ack, Credit, FlushHint, Ready, ServerFrame};

use super::*;
use crate::core::Loss;
use crate::core::queue::Bounds;

const EPOCH: u64 = 7;
/// Hits of 8 bytes with 64 around them.
const HITS_KEPT: usize = 20;

/// What may happen to a client, in any order.
#[derive(Clone, Copy, Debug)]
enum Act {
    Track,
    Credit(u64),
    /// The server makes this many more frames durable, and says so.
    Ack(usize),
    /// The server makes this many more frames durable, and the connection breaks before it says so.
    BreakAfter(usize),
    GoAway,
    Flush,
    Pass(u64),
    StoreFails,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        8 => Just(Act::Track),
        3 => (0..6_u64).prop_map(Act::Credit),
        3 => (0..4_usize).prop_map(Act::Ack),
        2 => (0..3_usize).prop_map(Act::BreakAfter),
        1 => Just(Act::GoAway),
        1 => Just(Act::Flush),
        3 => (0..400_u64).prop_map(Act::Pass),
        1 => Just(Act::StoreFails),
    ];
    prop::collection::vec(act, 0..300)
}

/// A client with a server that reads batches as the contract says, and checks the laws as it goes.
struct World {
    core: ClientCore,
    now: Duration,
    tracked: u64,
    /// Frames of this stream that are not acknowledged: the seqs and what the hits say.
    unacked: VecDeque<Vec<(u64, u64)>>,
    acked_frames: u64,
    credit: u64,
    /// What is durable, by seq.
    durable: BTreeMap<u64, u64>,
    /// What any hit was ever sent as.
    sent: BTreeMap<u64, u64>,
    /// Seqs that the client gave up.
    skipped: BTreeSet<u64>,
    /// The highest seq of this stream.
    last: u64,
    stored: BTreeSet<u64>,
    store_works: bool,
}

impl World {
    fn new(stored: bool) -> Self {
        let bounds = Bounds { bytes: HITS_KEPT * (8 + 64), age_ms: i64::MAX };
        let queue = Queue::new(bounds, Pos { epoch: EPOCH, seq: 1 }, Pos::default());
        Self {
            core: ClientCore::new(queue, Profile::default(), None, stored),
            now: Duration::ZERO,
            tracked: 0,
            unacked: VecDeque::new(),
            acked_frames: 0,
            credit: 0,
            durable: BTreeMap::new(),
            sent: BTreeMap::new(),
            skipped: BTreeSet::new(),
            last: 0,
            stored: BTreeSet::new(),
            store_works: true,
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Track => {
                self.tracked += 1;
                let hit = Bytes::copy_from_slice(&self.tracked.to_le_bytes());
                self.core.track(self.now, 0, hit);
            }
            Act::Credit(hits) => self.frame(Frame::Credit(Credit { hits })),
            Act::Ack(frames) => {
                self.persist(frames);
                self.frame(Frame::Ack(Ack { frames: self.acked_frames, refused: vec![] }));
            }
            Act::BreakAfter(frames) => {
                self.persist(frames);
                self.core.event(self.now, Event::Lost(Loss::Passing("broken".into())), 50_000);
                self.hung_up();
            }
            Act::GoAway => self.frame(Frame::GoAway(proto::v1::GoAway::default())),
            Act::Flush => {
                self.core.flush();
            }
            Act::Pass(ms) => self.now += Duration::from_millis(ms),
            Act::StoreFails => self.store_works = false,
        }
        self.drive();
    }

    fn frame(&mut self, frame: Frame) {
        let open = !matches!(self.core.session.link.state(), State::Resting { .. } | State::Dialing { .. });
        if open {
            if let Frame::Credit(credit) = &frame {
                self.credit += credit.hits;
            }
            self.core.event(self.now, Event::Frame(ServerFrame { frame: Some(frame) }), 50_000);
        }
    }

    fn persist(&mut self, frames: usize) {
        for _ in 0..frames.min(self.unacked.len()) {
            self.durable.extend(self.unacked.pop_front().unwrap());
            self.acked_frames += 1;
        }
    }

    fn hung_up(&mut self) {
        self.unacked.clear();
        (self.acked_frames, self.credit, self.last) = (0, 0, 0);
    }

    /// Does what the core says until it waits.
    fn drive(&mut self) {
        loop {
            if let Some(journal) = self.core.journal(self.now) {
                let works = std::mem::replace(&mut self.store_works, true);
                if works {
                    self.stored.extend(journal.hits.iter().map(|entry| entry.at.seq));
                }
                let result = if works { Ok(()) } else { Err("disk full".to_owned()) };
                self.core.journaled(self.now, &journal, result);
            }
            match self.core.poll(self.now, 50_000, true) {
                Step::Connect => {
                    self.hung_up();
                    self.core.event(self.now, Event::Connected, 0);
                    let flush_hint = Some(FlushHint { hits: 5, max_delay_ms: 100 });
                    self.frame(Frame::Ready(Ready { flush_hint, ..Ready::default() }));
                }
                Step::HangUp => self.hung_up(),
                Step::Send(batch) => self.receive(batch),
                Step::Wait(until) => {
                    assert!(until.is_none_or(|until| until > self.now), "it would wake in a loop");
                    return;
                }
                Step::Stop => unreachable!("nobody stopped it"),
            }
        }
    }

    /// Reads a batch as the contract says.
    fn receive(&mut self, batch: Batch) {
        assert_eq!(batch.epoch, EPOCH);
        self.credit = self.credit.checked_sub(batch.hits.len() as u64).expect("within the credit");
        let (mut count, mut frame) = (batch.first_seq, Vec::new());
        for (skipped, hit) in batch.hits {
            let seq = count + u64::from(skipped);
            self.skipped.extend(count..seq);
            count = seq + 1;
            let hit = u64::from_le_bytes(hit.as_ref().try_into().unwrap());
            assert!(seq > self.last, "in order");
            self.last = seq;
            assert_eq!(*self.sent.entry(seq).or_insert(hit), hit, "a seq is never given to another hit");
            assert!(self.core.storage.is_none() || self.stored.contains(&seq), "stored before it is sent");
            frame.push((seq, hit));
        }
        self.unacked.push_back(frame);
    }

    /// Everything gets through at last.
    fn settle(&mut self) {
        for _ in 0..50 {
            self.act(Act::Pass(60_000));
            self.act(Act::Credit(1_000));
            self.act(Act::Flush);
            self.act(Act::Ack(1_000));
        }
    }
}

proptest! {
    #[test]
    fn no_order_of_events_loses_reorders_or_reuses_a_seq(acts in acts(), stored in any::<bool>()) {
        let mut world = World::new(stored);
        for act in acts {
            world.act(act);
        }
        world.settle();
        let stats = world.core.stats();
        prop_assert_eq!(stats.queued, 0);
        prop_assert_eq!(stats.acked + stats.dropped, world.tracked);
        // In the order of tracking, the n-th hit has seq n, whatever was dropped around it.
        prop_assert!(world.durable.iter().all(|(seq, hit)| seq == hit));
        // What is not durable was given up, and but for hits at the end that no hit follows the server was told so.
        let last = world.durable.keys().last().copied().unwrap_or(0);
        for seq in 1..=last {
            prop_assert!(world.durable.contains_key(&seq) || world.skipped.contains(&seq), "seq {}", seq);
        }
        prop_assert!((world.tracked - world.durable.len() as u64) <= stats.dropped);
    }
}

#[test]
fn hits_wait_for_company_by_count_and_by_time() {
    let mut world = World::new(false);
    world.drive();
    world.act(Act::Credit(100));
    (0..4).for_each(|_| world.act(Act::Track));
    assert!(world.sent.is_empty());
    world.act(Act::Track);
    assert_eq!(world.sent.len(), 5);
    world.act(Act::Track);
    world.act(Act::Pass(99));
    assert_eq!(world.sent.len(), 5);
    world.act(Act::Pass(1));
    assert_eq!(world.sent.len(), 6);
}

#[test]
fn the_driver_is_woken_for_the_first_hit_and_for_a_full_batch_only() {
    let mut world = World::new(false);
    world.drive();
    let hit = Bytes::from_static(b"12345678");
    let woken: Vec<bool> = (0..6).map(|_| world.core.track(Duration::ZERO, 0, hit.clone())).collect();
    assert_eq!(woken, [true, false, false, false, true, false]);
}

#[test]
fn a_directory_that_cannot_be_written_holds_hits_back_and_is_tried_again() {
    let mut world = World::new(true);
    world.drive();
    world.act(Act::Credit(10));
    world.act(Act::StoreFails);
    world.act(Act::Track);
    world.act(Act::Flush);
    assert!(world.sent.is_empty());
    assert_eq!(world.core.stats().storage_errors, 1);
    world.act(Act::Pass(1_000));
    assert_eq!(world.sent.len(), 1);
}

#[test]
fn after_opting_out_nothing_is_kept_and_nothing_taken_until_opting_in() {
    let mut world = World::new(false);
    (0..3).for_each(|_| world.act(Act::Track));
    world.core.set_profile(Profile { opted_out: true, ..Profile::default() });
    world.act(Act::Track);
    assert_eq!((world.core.stats().queued, world.core.stats().wiped), (0, 3));
    world.core.set_profile(Profile::default());
    world.act(Act::Track);
    world.settle();
    // Seqs 1 to 3 went with the wipe.
    assert_eq!(world.durable, BTreeMap::from([(4, 5)]));
}

#[test]
fn a_refused_key_ends_flushes_and_keeps_hits_within_the_bounds() {
    let mut world = World::new(false);
    world.drive();
    world.core.event(world.now, Event::Lost(Loss::Final("the key was revoked".into())), 0);
    (0..HITS_KEPT + 5).for_each(|_| world.act(Act::Track));
    let through = world.core.flush();
    assert_eq!(world.core.settled(through), Flush::Refused("the key was revoked".into()));
    let stats = world.core.stats();
    assert_eq!((stats.queued, stats.dropped, stats.link), (HITS_KEPT as u64, 5, LinkState::Refused));
    assert_eq!(world.core.poll(Duration::from_secs(1_000_000), 0, true), Step::Wait(None));
}
