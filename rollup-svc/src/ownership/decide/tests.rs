use proptest::prelude::*;

use super::*;

/// The leases as the store has them, with members that come, go and die.
#[derive(Clone, Debug)]
struct Cluster {
    members: BTreeMap<MemberId, Standing>,
    owners: Vec<Option<MemberId>>,
    moves: usize,
}

impl Cluster {
    fn seen_by(&self, me: MemberId) -> Seen {
        let Self { members, owners, .. } = self.clone();
        Seen { me, members, owners, handing_over: BTreeSet::new() }
    }

    /// Applies what `me` decided upon `seen`, as conditional commits do: what is not as it was seen stays.
    fn apply(&mut self, seen: &Seen, moves: &Moves) {
        for partition in &moves.take {
            let place = usize::from(partition.0);
            if self.owners[place] == seen.owners[place] {
                self.owners[place] = Some(seen.me);
                self.moves += 1;
            }
        }
        for partition in &moves.hand_over {
            let owner = &mut self.owners[usize::from(partition.0)];
            assert_eq!(*owner, Some(seen.me), "only an owner hands over");
            *owner = None;
        }
        for member in &moves.forget {
            assert_eq!(self.members.remove(member), Some(Standing::Dead));
        }
    }

    fn living(&self) -> Vec<MemberId> {
        self.members.iter().filter(|(_, s)| **s != Standing::Dead).map(|(m, _)| *m).collect()
    }

    /// All decide upon the same view, then all act.
    fn round(&mut self) {
        let seen: Vec<_> = self.living().into_iter().map(|member| self.seen_by(member)).collect();
        let decided: Vec<_> = seen.iter().map(decide).collect();
        seen.iter().zip(&decided).for_each(|(seen, moves)| self.apply(seen, moves));
    }

    fn counts(&self) -> Vec<usize> {
        let staying = self.members.iter().filter(|(_, s)| **s == Standing::Staying);
        staying.map(|(m, _)| self.owners.iter().filter(|o| **o == Some(*m)).count()).collect()
    }

    /// Partitions that must move, whatever the way: all that no staying member has, and what those have above the most
    /// even distribution nearest to this one.
    fn least_moves(&self) -> usize {
        let mut counts = self.counts();
        let with_staying: usize = counts.iter().sum();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let (each, over) = (self.owners.len() / counts.len(), self.owners.len() % counts.len());
        let even = std::iter::repeat_n(each + 1, over).chain(std::iter::repeat(each));
        let above: usize = counts.iter().zip(even).map(|(has, due)| has.saturating_sub(due)).sum();
        self.owners.len() - with_staying + above
    }

    fn is_settled(&self) -> bool {
        let counts = self.counts();
        counts.iter().sum::<usize>() == self.owners.len()
            && counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1
    }
}

fn standing() -> impl Strategy<Value = Standing> {
    prop_oneof![
        3 => Just(Standing::Staying),
        1 => Just(Standing::Leaving),
        1 => Just(Standing::Dead)
    ]
}

/// Any state: leases may name members, dead or alive, nobody, or somebody whose record is gone. One member stays.
fn cluster() -> impl Strategy<Value = Cluster> {
    let members = prop::collection::btree_map((1u64..40).prop_map(MemberId), standing(), 0..9);
    let owner = prop::option::of((0u64..41).prop_map(MemberId));
    (members, prop::collection::vec(owner, 1..40)).prop_map(|(mut members, owners)| {
        members.insert(MemberId(20), Standing::Staying);
        Cluster { members, owners, moves: 0 }
    })
}

proptest! {
    #[test]
    fn from_any_state_two_rounds_settle_it_and_nothing_moves_in_vain(mut cluster in cluster()) {
        let least = cluster.least_moves();
        // What is free is taken and what is too much is freed, then that is taken too.
        cluster.round();
        cluster.round();
        prop_assert!(cluster.is_settled(), "{cluster:?}");
        prop_assert_eq!(cluster.moves, least);
        cluster.round();
        let settled = cluster.clone();
        prop_assert!(cluster.members.values().all(|standing| *standing != Standing::Dead), "all forgotten");
        cluster.round();
        prop_assert_eq!(cluster.owners, settled.owners);
        prop_assert_eq!(cluster.moves, least);
    }

    #[test]
    fn members_that_see_different_things_settle_it_too(
        mut cluster in cluster(), order in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 200..300)
    ) {
        // One after the other, in any order; some act upon what they saw when somebody else looked last.
        let mut old: Option<Cluster> = None;
        for (who, stale) in order {
            let living = cluster.living();
            let me = living[who.index(living.len())];
            let shown = if stale { old.take().unwrap_or_else(|| cluster.clone()) } else { cluster.clone() };
            old = Some(cluster.clone());
            let mut seen = shown.seen_by(me);
            if !seen.members.contains_key(&me) {
                continue;
            }
            // What was its own then may be somebody else's now, and it knows what it has handed over.
            for (owner, now) in seen.owners.iter_mut().zip(&cluster.owners) {
                if (*owner == Some(me)) != (*now == Some(me)) {
                    *owner = *now;
                }
            }
            let mut moves = decide(&seen);
            moves.forget.retain(|member| cluster.members.contains_key(member));
            cluster.apply(&seen, &moves);
        }
        (0..3).for_each(|_| cluster.round());
        prop_assert!(cluster.is_settled(), "{cluster:?}");
    }

    #[test]
    fn the_living_take_what_a_dead_member_had_and_keep_what_they_have(members in 2u64..9, partitions in 1usize..65) {
        let all = (1..=members).map(|m| (MemberId(m), Standing::Staying)).collect();
        let mut cluster = Cluster { members: all, owners: vec![None; partitions], moves: 0 };
        cluster.round();
        prop_assert!(cluster.is_settled());
        prop_assert_eq!(cluster.moves, partitions);
        let before = cluster.owners.clone();
        cluster.members.insert(MemberId(1), Standing::Dead);
        cluster.round();
        prop_assert!(cluster.is_settled(), "in one round: {cluster:?}");
        for (before, after) in before.iter().zip(&cluster.owners) {
            prop_assert!(before == after || *before == Some(MemberId(1)));
        }
    }

    #[test]
    fn what_is_being_handed_over_is_not_counted_again(has in 1u16..40, going in 0u16..40) {
        let (me, other) = (MemberId(2), MemberId(1));
        let members = [(me, Standing::Staying), (other, Standing::Staying)].into();
        let going = going.min(has / 2);
        let handing_over: BTreeSet<_> = (0..going).map(Partition).collect();
        let seen = Seen { me, members, owners: vec![Some(me); has.into()], handing_over: handing_over.clone() };
        let moves = decide(&seen);
        prop_assert_eq!(moves.hand_over.len(), usize::from(has / 2 - going));
        prop_assert!(moves.hand_over.iter().all(|partition| !handing_over.contains(partition)));
        prop_assert!(moves.take.is_empty());
    }
}
