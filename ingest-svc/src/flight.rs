use std::collections::VecDeque;
use tokio::time::Instant;

use crate::desk::Report;
use crate::refusals::Refusals;

/// The frames of a stream that are on their way to the log, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    frames: VecDeque<Frame>,
    /// Frames that have landed.
    landed: u64,
}

/// One frame.
#[derive(Debug)]
pub(crate) struct Frame {
    /// When it came.
    pub(crate) since: Instant,
    /// Its hits, the refused ones included.
    pub(crate) hits: u64,
    /// Those refused, to be told with its ack.
    pub(crate) refusals: Refusals,
    /// Its parcels that are not yet durable.
    pub(crate) parcels: usize,
}

/// A part of the log lost a parcel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lost;

impl Flight {
    /// The number of the next frame, from 0.
    pub(crate) fn next(&self) -> u64 {
        self.landed + self.frames.len() as u64
    }

    /// Takes the next frame in.
    pub(crate) fn start(&mut self, frame: Frame) {
        self.frames.push_back(frame);
    }

    /// Takes in what became of a parcel. The frame of a lost one never lands.
    pub(crate) fn report(&mut self, report: Report) -> Result<(), Lost> {
        if !report.durable {
            return Err(Lost);
        }
        let frame = report.frame.checked_sub(self.landed).and_then(|i| usize::try_from(i).ok());
        if let Some(frame) = frame.and_then(|i| self.frames.get_mut(i)) {
            frame.parcels = frame.parcels.saturating_sub(1);
        }
        Ok(())
    }

    /// The oldest frame, if all of it is durable.
    pub(crate) fn land(&mut self) -> Option<Frame> {
        if self.frames.front()?.parcels > 0 {
            return None;
        }
        self.landed += 1;
        self.frames.pop_front()
    }

    /// How many frames have landed: what an ack says.
    pub(crate) fn landed(&self) -> u64 {
        self.landed
    }

    /// Whether nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(parcels: usize) -> Frame {
        Frame { since: Instant::now(), hits: 1, refusals: Refusals::default(), parcels }
    }

    proptest! {
        #[test]
        fn frames_land_in_order_and_only_when_all_of_them_is_durable(
            parcels in prop::collection::vec(0usize..4, 1..20), seed in any::<prop::sample::Index>()
        ) {
            let mut flight = Flight::default();
            let mut open = Vec::new();
            for (number, parcels) in parcels.iter().enumerate() {
                prop_assert_eq!(flight.next(), number as u64);
                flight.start(frame(*parcels));
                open.extend(std::iter::repeat_n(number, *parcels));
            }
            let mut landed = 0;
            loop {
                while flight.land().is_some() {
                    landed += 1;
                }
                // A frame is held back by what is open of it, or of one before it.
                let expected = open.iter().min().copied().unwrap_or(parcels.len());
                prop_assert_eq!(landed, expected);
                prop_assert_eq!(flight.landed(), landed as u64);
                if open.is_empty() {
                    break;
                }
                let number = open.swap_remove(seed.index(open.len())) as u64;
                prop_assert_eq!(flight.report(Report { frame: number, durable: true }), Ok(()));
            }
            prop_assert!(flight.is_empty());
        }
    }

    #[test]
    fn the_frame_of_a_lost_parcel_never_lands() {
        let mut flight = Flight::default();
        flight.start(frame(1));
        assert_eq!(flight.report(Report { frame: 0, durable: false }), Err(Lost));
        assert!(flight.land().is_none());
    }
}
