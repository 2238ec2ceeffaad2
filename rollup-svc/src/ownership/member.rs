//! The shell of a member: it looks, decides, and does so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use host::Platform;
use keyspace::lease::{self, Lease, MemberId};
use model::Partition;
use store::Batch;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use super::beating::{Beater, Pulse};
use super::changes::{Changes, Outcome};
use super::decide::{Moves, Seen, Standing, decide};
use super::liveness::Liveness;
use super::looking::{Look, Looker, View};
use super::workers::{Workers, unless_panicked};
use crate::settings::Settings;
use crate::worker::Order;

/// One process that folds. Dropping it is as good as killing the process: the others take over what it had.
pub struct Member {
    me: MemberId,
    platform: Platform,
    /// Without a beat for this long, the others must be thought to have taken over.
    death: Duration,
    liveness: Liveness,
    workers: Workers,
    /// Partitions whose workers ended, with the epochs of the leases that are still to be given back.
    ended: BTreeMap<Partition, u64>,
    changes: Changes,
    paused: bool,
    /// Whether there was nothing to be taken at the last look.
    settled: bool,
    leaving: watch::Sender<bool>,
    pulse: watch::Receiver<Pulse>,
    looks: watch::Receiver<Look>,
    look: Arc<Notify>,
    wake: Arc<Notify>,
    ready: Option<oneshot::Sender<()>>,
    /// The beater and the looker.
    senses: JoinSet<()>,
}

impl Member {
    /// A new member, and what resolves once it has caught up with all that it has first: nothing, if others have it all.
    pub fn new(platform: Platform, settings: Settings) -> anyhow::Result<(Self, oneshot::Receiver<()>)> {
        let me = MemberId(platform.clock.random_u64());
        let (beat, patience) = (settings.beat_interval(), settings.patience());
        let (look, wake) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (pulse_sender, pulse) = watch::channel(Pulse::default());
        let (looks_sender, looks) = watch::channel(Look::default());
        let (ready, once) = oneshot::channel();
        let leaving = watch::Sender::new(false);
        let mut senses = JoinSet::new();
        let store = &platform.store;
        let beater = Beater {
            store: Arc::clone(store),
            me,
            every: beat,
            leaving: leaving.subscribe(),
            pulse: pulse_sender,
            look: Arc::clone(&look),
        };
        senses.spawn(beater.run());
        let looker = Looker {
            store: Arc::clone(store),
            every: beat,
            asked: Arc::clone(&look),
            pulse: pulse.clone(),
            looks: looks_sender,
        };
        senses.spawn(looker.run());
        let member = Self {
            me,
            death: settings.death(),
            // On one machine the lock of the data directory says that all others are dead.
            liveness: Liveness::new(me, if platform.shared { patience } else { 0 }),
            workers: Workers::new(platform.clone(), settings, Arc::clone(&wake), Arc::clone(&look))?,
            changes: Changes::new(Arc::clone(&platform.store)),
            platform,
            ended: BTreeMap::new(),
            paused: false,
            settled: false,
            leaving,
            pulse,
            looks,
            look,
            wake,
            ready: Some(ready),
            senses,
        };
        Ok((member, once))
    }

    /// Works until the drain begins, hands everything over, and ends.
    pub async fn run(mut self) {
        tracing::debug!(member = %self.me, "rollup joins");
        let drain = self.platform.drain.clone();
        let mut ticks = interval(self.death / 4);
        while !self.has_left() {
            tokio::select! {
                Ok(()) = self.looks.changed() => self.see(),
                (partition, epoch) = self.workers.ended() => {
                    self.ended.insert(partition, epoch);
                    self.give_back(partition, epoch);
                }
                outcome = self.changes.next() => {
                    if outcome == Outcome::Changed {
                        self.look.notify_one();
                    }
                }
                Some(ended) = self.senses.join_next() => drop(unless_panicked(ended)),
                () = drain.cancelled(), if !*self.leaving.borrow() => self.leave(),
                () = self.wake.notified() => {}
                _ = ticks.tick() => self.pause_if_unsure(),
            }
            self.tell_if_ready();
        }
        // The last beat first: it would bring the record back. It is not cut off, so that no lock of it is in the way.
        drop((self.leaving, self.looks));
        while self.senses.join_next().await.is_some() {}
        let mut gone = Batch::default();
        gone.delete(lease::member_key(self.me));
        if let Err(error) = self.platform.store.commit(gone).await {
            tracing::debug!(member = %self.me, "the others will find out that this member is gone: {error}");
        }
    }

    fn see(&mut self) {
        let Look { view, beats } = self.looks.borrow_and_update().clone();
        self.liveness.see(&view, beats, Instant::now());
        self.follow(&view);
        // Before the first beat nobody knows us, and without beats we are dead to the others.
        if !self.pulse.borrow().is_within(self.death) || !view.members.contains_key(&self.me) {
            self.settled = false;
            return;
        }
        if std::mem::take(&mut self.paused) {
            tracing::info!(member = %self.me, "the store is back: partitions that nobody took are folded on");
            self.workers.order_all(Order::Work);
        }
        let members = self.liveness.standings();
        let living = members.values().filter(|standing| **standing != Standing::Dead).count();
        metrics::gauge!("hitmill_rollup_members").set(living as f64);
        let owners =
            (0..self.platform.log.partitions()).map(|partition| view.owner(Partition(partition))).collect();
        let mut handing_over = self.workers.ending();
        handing_over.extend(self.ended.keys());
        let mut moves = decide(&Seen { me: self.me, members, owners, handing_over });
        if *self.leaving.borrow() {
            // That it leaves may not be written yet, so it looks like one of the living to itself.
            moves.take.clear();
        }
        self.settled = moves.take.is_empty();
        self.act(&view, moves);
    }

    /// Brings the workers in line with the leases.
    fn follow(&mut self, view: &View) {
        let mine = |partition, epoch| view.lease(partition) == Lease { epoch, owner: Some(self.me) };
        let lost: Vec<_> =
            self.workers.running().into_iter().filter(|(p, epoch)| !mine(*p, *epoch)).collect();
        self.ended.retain(|partition, epoch| mine(*partition, *epoch));
        for (partition, epoch) in lost {
            let to = view.owner(partition).map(tracing::field::display);
            tracing::warn!(%partition, epoch, to, "lost a partition: what was not committed is left to its new owner");
            metrics::counter!("hitmill_rollup_leases_lost_total").increment(1);
            self.workers.stop(partition);
        }
        for (partition, epoch) in self.ended.clone() {
            self.give_back(partition, epoch);
        }
        let own = view.leases.iter().filter(|(_, lease)| lease.owner == Some(self.me));
        for (partition, lease) in own {
            if self.workers.has(*partition) || self.ended.contains_key(partition) {
                continue;
            }
            if *self.leaving.borrow() {
                self.ended.insert(*partition, lease.epoch);
            } else {
                self.workers.start(*partition, lease.epoch);
            }
        }
    }

    fn act(&mut self, view: &View, moves: Moves) {
        for partition in moves.take {
            self.take(view, partition);
        }
        for partition in moves.hand_over {
            tracing::info!(%partition, "hands a partition over");
            self.workers.order(partition, Order::HandOver);
        }
        for member in moves.forget {
            let mut batch = Batch::default();
            let key = lease::member_key(member);
            batch.require(key.clone(), view.members.get(&member).map(|member| member.encode())).delete(key);
            let store = Arc::clone(&self.platform.store);
            // One that came to life again has beaten, and stays.
            self.senses.spawn(async move { drop(store.commit(batch).await) });
        }
    }

    fn take(&mut self, view: &View, partition: Partition) {
        let seen = view.leases.get(&partition).copied();
        let before = seen.unwrap_or_default();
        let lease = Lease { epoch: before.epoch + 1, owner: Some(self.me) };
        let since = self.liveness.without_owner_since(view, partition);
        let shared = self.platform.shared;
        self.changes.make(partition, seen, lease, move || {
            metrics::counter!("hitmill_rollup_leases_taken_total").increment(1);
            if shared {
                let from = before.owner.map(tracing::field::display);
                let without_owner_ms = since.map(|since| since.elapsed().as_millis() as u64);
                tracing::info!(%partition, epoch = lease.epoch, from, without_owner_ms, "took a partition");
            }
        });
    }

    /// Gives a lease back whose worker has ended.
    fn give_back(&mut self, partition: Partition, epoch: u64) {
        let mine = Lease { epoch, owner: Some(self.me) };
        self.changes.make(partition, Some(mine), Lease { epoch, owner: None }, || {
            metrics::counter!("hitmill_rollup_leases_handed_over_total").increment(1);
        });
    }

    /// Without beats others may have taken over: what is folded meanwhile might be in vain.
    fn pause_if_unsure(&mut self) {
        let unsure = !self.pulse.borrow().is_within(self.death);
        if unsure && !self.paused && !self.workers.is_empty() {
            tracing::warn!(member = %self.me, "no beat could be written for {:?}: the workers pause", self.death);
            self.paused = true;
            self.workers.order_all(Order::Pause);
        }
    }

    fn leave(&mut self) {
        self.leaving.send_replace(true);
        // Where others go on at once, the state is all they need. Alone, the log is folded to its end.
        let last = if self.platform.shared { Order::HandOver } else { Order::Finish };
        self.workers.order_all(last);
        self.look.notify_one();
    }

    fn has_left(&self) -> bool {
        *self.leaving.borrow() && self.workers.is_empty() && self.ended.is_empty() && self.changes.is_empty()
    }

    fn tell_if_ready(&mut self) {
        if self.settled
            && self.workers.all_caught_up()
            && let Some(ready) = self.ready.take()
        {
            // Nobody waits any more when the host is being stopped.
            let _ = ready.send(());
        }
    }
}
