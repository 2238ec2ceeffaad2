//! What a member does next, given what it sees. All members decide alike, so that no two of them want the same partition
//! as long as they see the same.

use std::collections::{BTreeMap, BTreeSet};

use keyspace::lease::MemberId;
use model::Partition;

/// What a member sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Who decides.
    pub me: MemberId,
    /// All members that there are records of.
    pub members: BTreeMap<MemberId, Standing>,
    /// Who has each partition, as the leases say.
    pub owners: Vec<Option<MemberId>>,
    /// Partitions that this member is handing over already.
    pub handing_over: BTreeSet<Partition>,
}

/// What a member is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It works.
    Staying,
    /// It works, and wants to have nothing.
    Leaving,
    /// It shows no life.
    Dead,
}

/// What a member does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// Partitions to be taken: nobody who lives has them.
    pub take: Vec<Partition>,
    /// Partitions to be handed over: others have too few.
    pub hand_over: Vec<Partition>,
    /// Dead members that have nothing any more: their records can go.
    pub forget: Vec<MemberId>,
}

/// What the member does next. Once all have done so, again and again, every partition is with a living member and no two
/// of those differ by more than one; no partition moves that need not.
pub fn decide(seen: &Seen) -> Moves {
    let shares = seen.shares();
    let Some((place, mine)) = shares.iter().enumerate().find(|(_, share)| share.member == seen.me) else {
        return Moves { hand_over: seen.leave(), ..Moves::default() };
    };
    // Those before me take first, each as much as it lacks.
    let skipped = shares[..place].iter().map(Share::lacks).sum();
    let free = seen.partitions().filter(|(_, owner)| !owner.is_some_and(|owner| seen.lives(owner)));
    let take = free.map(|(partition, _)| partition).skip(skipped).take(mine.lacks()).collect();

    let going = seen.handing_over.len();
    let too_many = mine.has.saturating_sub(mine.due).saturating_sub(going);
    let hand_over = seen.own().rev().take(too_many).collect();
    let forget = if place == 0 { seen.forgotten() } else { Vec::new() };
    Moves { take, hand_over, forget }
}

/// How many partitions a member has, and how many it is to have.
struct Share {
    member: MemberId,
    has: usize,
    due: usize,
}

impl Share {
    fn lacks(&self) -> usize {
        self.due.saturating_sub(self.has)
    }
}

impl Seen {
    fn partitions(&self) -> impl DoubleEndedIterator<Item = (Partition, Option<MemberId>)> {
        // There are no more partitions than their numbers tell apart.
        self.owners.iter().enumerate().map(|(number, owner)| (Partition(number as u16), *owner))
    }

    fn lives(&self, member: MemberId) -> bool {
        matches!(self.members.get(&member), Some(Standing::Staying | Standing::Leaving))
    }

    /// What this member has and is not handing over yet.
    fn own(&self) -> impl DoubleEndedIterator<Item = Partition> {
        let own = self.partitions().filter(|(_, owner)| *owner == Some(self.me));
        own.map(|(partition, _)| partition).filter(|partition| !self.handing_over.contains(partition))
    }

    /// Who leaves hands over all that it has.
    fn leave(&self) -> Vec<Partition> {
        match self.members.get(&self.me) {
            Some(Standing::Leaving) => self.own().collect(),
            _ => Vec::new(),
        }
    }

    /// The shares of those who stay, in the order of their ids.
    fn shares(&self) -> Vec<Share> {
        let staying = self.members.iter().filter(|(_, standing)| **standing == Standing::Staying);
        let has = |member| self.owners.iter().filter(|owner| **owner == Some(member)).count();
        let mut shares: Vec<_> =
            staying.map(|(member, _)| Share { member: *member, has: has(*member), due: 0 }).collect();
        let (each, over) = match shares.len() {
            0 => return shares,
            count => (self.owners.len() / count, self.owners.len() % count),
        };
        // The odd ones stay with those who have the most: nothing moves for the sake of an order.
        shares.sort_by_key(|share| (std::cmp::Reverse(share.has), share.member));
        for (place, share) in shares.iter_mut().enumerate() {
            share.due = each + usize::from(place < over);
        }
        shares.sort_by_key(|share| share.member);
        shares
    }

    fn forgotten(&self) -> Vec<MemberId> {
        let dead = self.members.iter().filter(|(_, standing)| **standing == Standing::Dead);
        let dead = dead.map(|(member, _)| *member);
        dead.filter(|member| !self.owners.contains(&Some(*member))).collect()
    }
}

#[cfg(test)]
mod tests;
