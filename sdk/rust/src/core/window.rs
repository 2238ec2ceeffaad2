use std::collections::VecDeque;
use std::time::Duration;

use super::Loss;

/// The frames that were sent on this stream and are not acknowledged yet, oldest first.
#[derive(Debug)]
pub(crate) struct Window<F> {
    frames: VecDeque<Sent<F>>,
    acked: u64,
}

/// A frame that was sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sent<F> {
    /// What it carried.
    pub(crate) frame: F,
    /// How many hits.
    pub(crate) hits: u64,
    /// When it was handed to the connection.
    pub(crate) at: Duration,
}

impl<F> Default for Window<F> {
    fn default() -> Self {
        Self { frames: VecDeque::new(), acked: 0 }
    }
}

impl<F> Window<F> {
    /// Notes a frame that is sent now.
    pub(crate) fn sent(&mut self, frame: F, hits: u64, at: Duration) {
        self.frames.push_back(Sent { frame, hits, at });
    }

    /// Takes out what a cumulative ack of the first `through` frames of the stream settles. An ack that repeats an
    /// earlier one settles nothing; one of frames that were never sent is an error.
    pub(crate) fn ack(&mut self, through: u64) -> Result<Vec<Sent<F>>, Loss> {
        let fresh = through.saturating_sub(self.acked);
        match usize::try_from(fresh) {
            Ok(fresh) if fresh <= self.frames.len() => {
                self.acked = self.acked.max(through);
                Ok(self.frames.drain(..fresh).collect())
            }
            _ => {
                let sent = self.acked + self.frames.len() as u64;
                Err(Loss::Passing(format!(
                    "the server acknowledged {through} frames of the {sent} that were sent"
                )))
            }
        }
    }

    /// Forgets the stream and gives back what was in flight, in order.
    pub(crate) fn lost(&mut self) -> impl Iterator<Item = F> + use<F> {
        self.acked = 0;
        std::mem::take(&mut self.frames).into_iter().map(|sent| sent.frame)
    }

    /// Whether everything that was sent is acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window_of(frames: &[char]) -> Window<char> {
        let mut window = Window::default();
        for frame in frames {
            window.sent(*frame, 1, Duration::ZERO);
        }
        window
    }

    fn acked(window: &mut Window<char>, through: u64) -> String {
        window.ack(through).unwrap().into_iter().map(|sent| sent.frame).collect()
    }

    #[test]
    fn acks_are_cumulative_and_repeats_settle_nothing() {
        let mut window = window_of(&['a', 'b', 'c']);
        assert_eq!(acked(&mut window, 2), "ab");
        assert_eq!(acked(&mut window, 2), "");
        assert_eq!(acked(&mut window, 1), "");
        assert_eq!(acked(&mut window, 3), "c");
        assert!(window.is_empty());
    }

    #[test]
    fn an_ack_of_frames_never_sent_is_an_error_that_settles_nothing() {
        let mut window = window_of(&['a']);
        assert!(
            matches!(window.ack(2), Err(Loss::Passing(message)) if message.contains("2 frames of the 1"))
        );
        assert_eq!(acked(&mut window, 1), "a");
    }

    #[test]
    fn a_new_stream_counts_its_frames_from_one_again() {
        let mut window = window_of(&['a', 'b']);
        assert_eq!(acked(&mut window, 1), "a");
        assert_eq!(window.lost().collect::<String>(), "b");
        window.sent('b', 1, Duration::ZERO);
        assert_eq!(acked(&mut window, 1), "b");
    }
}
