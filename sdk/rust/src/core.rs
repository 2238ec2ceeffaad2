//! What the SDK decides, without I/O: each part takes the time and randomness as arguments and says what to do next.
//! The [driver](crate::driver) carries it out. `now` is the time since the driver started.

pub(crate) mod backoff;
pub(crate) mod client;
pub(crate) mod link;
pub(crate) mod queue;
pub(crate) mod sender;
pub(crate) mod session;
pub(crate) mod window;

use std::time::Duration;

use proto::v1::ServerFrame;

/// The place of a hit in the life of its client: seqs rise within an epoch, epochs rise over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pos {
    /// The epoch.
    pub(crate) epoch: u64,
    /// The seq, from 1.
    pub(crate) seq: u64,
}

impl Pos {
    /// Above every other.
    pub(crate) const MAX: Self = Self { epoch: u64::MAX, seq: u64::MAX };
}

/// What the client's and the sender's core have in common.
pub(crate) trait Core: Send + 'static {
    /// How far a flush goes.
    type Mark: Copy + Send + std::fmt::Debug;
    /// What is sent at once.
    type Frame;

    /// What to do now. `room` says whether the connection takes a frame without waiting.
    fn poll(&mut self, now: Duration, random: u64, room: bool) -> Step<Self::Frame>;
    /// Makes everything queued now go out at once. [`settled`](Core::settled) says when it is done.
    fn flush(&mut self) -> Self::Mark;
    /// How a flush stands.
    fn settled(&self, through: Self::Mark) -> Flush;
    /// Ends it: nothing is taken any more.
    fn stop(&mut self);
}

/// How a flush stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    /// Everything is settled.
    Done,
    /// Hits are still on their way.
    Pending,
    /// The server said no for good.
    Refused(String),
}

/// What the driver has to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<F> {
    /// Open a connection and a stream on it, and send Setup.
    Connect,
    /// Send this.
    Send(F),
    /// Drop the connection.
    HangUp,
    /// Nothing, until something happens or this time comes.
    Wait(Option<Duration>),
    /// Nothing, ever again.
    Stop,
}

/// What the driver saw.
#[derive(Debug)]
pub(crate) enum Event {
    /// The stream is open and Setup is on its way.
    Connected,
    /// The server said something.
    Frame(ServerFrame),
    /// The connection is gone, or could not be made.
    Lost(Loss),
}

/// Why a connection is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Trying again may help.
    Passing(String),
    /// The server refused the key or the setup: trying again will not help.
    Final(String),
}
