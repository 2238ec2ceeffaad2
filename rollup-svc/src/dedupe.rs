//! Which hits of a client came already, by (epoch, seq).

use keyspace::visitor::{Client, Epoch};

/// What is known of a hit that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It has not come before.
    First,
    /// It has.
    Again,
    /// Its epoch is older than all that are remembered: nobody can say.
    Forgotten,
}

/// Epochs remembered of a client. An SDK opens a new one at a start at the most, and resends only from the last few.
const EPOCHS: usize = 8;
/// Gaps remembered of an epoch. A client sends in order, so a gap is left by parallel requests and soon filled, or by hits
/// that were never sent and is never filled; the oldest is then closed.
const GAPS: usize = 64;

/// Notes that a hit arrived, before which the client never sent `skipped` seqs.
pub fn arrive(client: &mut Client, epoch: u64, seq: u64, skipped: u32) -> Arrival {
    let at = match client.epochs.binary_search_by_key(&epoch, |known| known.epoch) {
        Ok(at) => at,
        Err(0) if client.epochs.len() >= EPOCHS => return Arrival::Forgotten,
        Err(at) if client.epochs.len() >= EPOCHS => {
            client.epochs.remove(0);
            client.epochs.insert(at - 1, Epoch { epoch, ..Epoch::default() });
            at - 1
        }
        Err(at) => {
            client.epochs.reserve_exact(1);
            client.epochs.insert(at, Epoch { epoch, ..Epoch::default() });
            at
        }
    };
    arrive_in(&mut client.epochs[at], seq, u64::from(skipped))
}

fn arrive_in(epoch: &mut Epoch, seq: u64, skipped: u64) -> Arrival {
    if seq > epoch.high {
        // What is never sent is no gap.
        let missing = epoch.high + 1..seq.saturating_sub(skipped);
        if !missing.is_empty() {
            epoch.gaps.push((missing.start, missing.end - 1));
            if epoch.gaps.len() > GAPS {
                epoch.gaps.remove(0);
            }
        }
        epoch.high = seq;
        return Arrival::First;
    }
    let after = epoch.gaps.partition_point(|(first, _)| *first <= seq);
    let Some(at) = after.checked_sub(1).filter(|at| seq <= epoch.gaps[*at].1) else {
        return Arrival::Again;
    };
    let (first, last) = epoch.gaps.remove(at);
    let left = [(first, seq - 1), (seq + 1, last)];
    epoch.gaps.splice(at..at, left.into_iter().filter(|(first, last)| first <= last));
    Arrival::First
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_seq_is_first_once_whatever_the_order(arrivals in prop::collection::vec((1u64..4, 1u64..60), 0..200)) {
            let mut client = Client::default();
            let mut seen = HashSet::new();
            for (epoch, seq) in arrivals {
                let expected = if seen.insert((epoch, seq)) { Arrival::First } else { Arrival::Again };
                prop_assert_eq!(arrive(&mut client, epoch, seq, 0), expected, "epoch {} seq {}", epoch, seq);
            }
        }

        #[test]
        fn a_client_that_sends_in_order_costs_one_number(seqs in 1u64..5_000) {
            let mut client = Client::default();
            for seq in 1..=seqs {
                prop_assert_eq!(arrive(&mut client, 0, seq, 0), Arrival::First);
            }
            prop_assert_eq!(&client.epochs[..], [Epoch { epoch: 0, high: seqs, gaps: vec![] }]);
        }
    }

    #[test]
    fn seqs_that_are_never_sent_take_no_memory_and_a_real_gap_beside_them_does() {
        let mut client = Client::default();
        arrive(&mut client, 1, 1_000, 999);
        assert_eq!(client.epochs[0].gaps, []);
        // 1,001 to 1,004 may still come; 1,005 to 1,009 never will.
        arrive(&mut client, 1, 1_010, 5);
        assert_eq!(client.epochs[0].gaps, [(1_001, 1_004)]);
        assert_eq!(arrive(&mut client, 1, 1_004, 0), Arrival::First);
        assert_eq!(arrive(&mut client, 1, 1_004, 0), Arrival::Again);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_never_counts_twice() {
        let mut client = Client::default();
        for seq in (1..=1_000).step_by(2) {
            arrive(&mut client, 1, seq, 0);
        }
        assert_eq!(client.epochs[0].gaps.len(), GAPS);
        assert_eq!(arrive(&mut client, 1, 2, 0), Arrival::Again, "its gap was closed");
        assert_eq!(arrive(&mut client, 1, 998, 0), Arrival::First);

        for epoch in 2..=20 {
            arrive(&mut client, epoch, 1, 0);
        }
        assert_eq!(client.epochs.len(), EPOCHS);
        assert_eq!(arrive(&mut client, 5, 1, 0), Arrival::Forgotten);
        assert_eq!(arrive(&mut client, 13, 1, 0), Arrival::Again);
    }
}
