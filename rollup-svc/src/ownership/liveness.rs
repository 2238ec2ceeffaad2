//! Who lives, judged by watching: a member is dead when it showed no beat while this one made several.
//!
//! No clock decides. When the store is away nobody beats, so nobody dies of it; and a member that cannot write its own
//! beats judges nobody.

use std::collections::BTreeMap;
use std::ops::Range;

use keyspace::lease::MemberId;
use model::Partition;
use tokio::time::Instant;

use super::decide::Standing;
use super::looking::View;

/// What one member knows of the others.
#[derive(Debug)]
pub struct Liveness {
    me: MemberId,
    /// Own beats after which another one that was silent is dead.
    patience: u64,
    sights: BTreeMap<MemberId, Sight>,
    free_since: BTreeMap<Partition, Instant>,
}

/// What was seen of a member.
#[derive(Clone, Copy, Debug)]
struct Sight {
    beat: u64,
    leaving: bool,
    /// How many own beats there were when this beat was seen first.
    at_own: u64,
    /// And when that was: for the log lines.
    at: Instant,
    dead: bool,
}

impl Liveness {
    /// Nobody was seen yet. With a `patience` of 0 everybody else is dead at the first sight.
    pub fn new(me: MemberId, patience: u64) -> Self {
        Self { me, patience, sights: BTreeMap::new(), free_since: BTreeMap::new() }
    }

    /// Takes in what was seen `now`. Views must come in the order in which they were taken; `beats` is how many beats of
    /// its own this member had written when the look began, and when it ended.
    pub fn see(&mut self, view: &View, beats: Range<u64>, now: Instant) {
        self.sights.retain(|member, _| view.members.contains_key(member));
        for (id, member) in &view.members {
            let fresh = Sight {
                beat: member.beat,
                leaving: member.leaving,
                at_own: beats.end,
                at: now,
                dead: self.patience == 0 && *id != self.me,
            };
            let sight = self.sights.entry(*id).or_insert(fresh);
            if sight.beat != member.beat {
                *sight = fresh;
            } else if *id != self.me {
                // The beat may have been written right after the look that saw it first had begun, and another right
                // after this look had: only own beats between the two count.
                sight.dead |= beats.start.saturating_sub(sight.at_own) >= self.patience;
            }
        }
        self.free_since.retain(|partition, _| view.owner(*partition).is_none());
        for (partition, _) in view.leases.iter().filter(|(_, lease)| lease.owner.is_none()) {
            self.free_since.entry(*partition).or_insert(now);
        }
    }

    /// What each member is.
    pub fn standings(&self) -> BTreeMap<MemberId, Standing> {
        let standing = |sight: &Sight| match (sight.dead, sight.leaving) {
            (true, _) => Standing::Dead,
            (false, true) => Standing::Leaving,
            (false, false) => Standing::Staying,
        };
        self.sights.iter().map(|(id, sight)| (*id, standing(sight))).collect()
    }

    /// Since when nobody works on a partition, as far as was seen: the last beat of its dead owner, or when it was free.
    pub fn without_owner_since(&self, view: &View, partition: Partition) -> Option<Instant> {
        match view.owner(partition) {
            Some(owner) => self.sights.get(&owner).map(|sight| sight.at),
            None => self.free_since.get(&partition).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use keyspace::lease::Member;

    use super::*;

    const ME: MemberId = MemberId(1);
    const OTHER: MemberId = MemberId(2);

    /// A look between two numbers of own beats, that shows a beat of the other.
    fn view(before: u64, after: u64, beat: u64) -> (View, Range<u64>) {
        let member = |beat| Member { beat, leaving: false };
        let members = [(ME, member(before)), (OTHER, member(beat))].into();
        (View { members, leases: BTreeMap::new() }, before..after)
    }

    fn other_after(patience: u64, views: &[(View, Range<u64>)]) -> Standing {
        let mut liveness = Liveness::new(ME, patience);
        views.iter().for_each(|(view, beats)| liveness.see(view, beats.clone(), Instant::now()));
        assert_eq!(liveness.standings()[&ME], Standing::Staying, "nobody is dead to itself");
        liveness.standings()[&OTHER]
    }

    #[test]
    fn who_is_silent_while_i_beat_is_dead_until_it_beats_again() {
        let silent = [view(1, 1, 7), view(3, 3, 7), view(6, 6, 7)];
        assert_eq!(other_after(6, &silent), Standing::Staying, "five beats are not six");
        let silent = [view(1, 1, 7), view(7, 7, 7)];
        assert_eq!(other_after(6, &silent), Standing::Dead);
        let back = [view(1, 1, 7), view(7, 7, 7), view(8, 8, 8)];
        assert_eq!(other_after(6, &back), Standing::Staying);
        let beating = [view(1, 1, 7), view(6, 6, 8), view(11, 11, 9), view(16, 16, 10)];
        assert_eq!(other_after(6, &beating), Standing::Staying);
    }

    #[test]
    fn nobody_dies_while_i_am_silent_myself() {
        // The looks may be hours apart: without own beats they say nothing.
        let away = [view(5, 5, 7), view(5, 5, 7), view(6, 6, 7)];
        assert_eq!(other_after(6, &away), Standing::Staying);
    }

    #[test]
    fn a_look_that_took_long_accuses_nobody() {
        // What it shows is as of its begin; own beats during it are no evidence.
        let slow = [view(1, 9, 7), view(10, 20, 7)];
        assert_eq!(other_after(6, &slow), Standing::Staying);
        let then = [view(1, 9, 7), view(10, 20, 7), view(20, 20, 7)];
        assert_eq!(other_after(6, &then), Standing::Dead);
    }

    #[test]
    fn alone_on_a_machine_everybody_else_is_dead_at_once() {
        assert_eq!(other_after(0, &[view(1, 1, 7)]), Standing::Dead);
    }
}
