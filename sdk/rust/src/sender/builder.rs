use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use proto::v1::{self, Codec, Lane};
use tokio::sync::Semaphore;

use super::port::{OnAck, OnRefused, SenderPort};
use super::{FrameAck, Inner, Refusal, Sender};
use crate::core::sender::SenderCore;
use crate::server::Server;
use crate::shared::Shared;
use crate::world::{System, World};
use crate::{BuildError, driver};

const MEMORY_BYTES: usize = 32 << 20;
/// Two of the largest batches, so that one can be gathered while the other is on its way.
const LEAST_MEMORY_BYTES: usize = 2 << 20;
const FRAME_BYTES: usize = 256 << 10;
/// A frame is at most 1 MiB, by the contract.
const MOST_FRAME_BYTES: usize = 1 << 20;
const MAX_DELAY: Duration = Duration::from_millis(5);

/// Settings of a [`Sender`].
#[must_use = "settings do nothing until the sender is built"]
pub struct SenderBuilder {
    address: String,
    setup: v1::Setup,
    memory_bytes: usize,
    frame_bytes: usize,
    max_delay: Duration,
    flush_timeout: Option<Duration>,
    codec: Codec,
    on_refused: OnRefused,
    on_ack: OnAck,
}

impl SenderBuilder {
    pub(super) fn new(address: String, key: String) -> Self {
        Self {
            address,
            setup: v1::Setup {
                key,
                sdk: Some(crate::sdk()),
                lane: Lane::Live.into(),
                ..v1::Setup::default()
            },
            memory_bytes: MEMORY_BYTES,
            frame_bytes: FRAME_BYTES,
            max_delay: MAX_DELAY,
            flush_timeout: None,
            codec: Codec::Unspecified,
            on_refused: Box::new(|_| {}),
            on_ack: Box::new(|_| {}),
        }
    }

    /// Sends hits of now, which is the default: at most 72 h old, their times corrected by the sender's clock.
    pub fn live(mut self) -> Self {
        self.setup.lane = Lane::Live.into();
        self
    }

    /// Imports history of this merchant, with an admin key: hits of any age, times taken as they are. Data stream 0 is
    /// the merchant's first one.
    pub fn admin_history(mut self, merchant_id: u64, data_stream_id: u32) -> Self {
        self.setup.lane = Lane::History.into();
        self.setup.merchant_id = merchant_id;
        self.setup.data_stream_id = data_stream_id;
        self
    }

    /// Facts shared by all hits that do not say otherwise.
    pub fn context(mut self, context: v1::Context) -> Self {
        self.setup.context = Some(context);
        self
    }

    /// Holds at most so many bytes that are not acknowledged; 32 MiB if it is not set. `send` waits when they are used.
    pub fn memory_bytes(mut self, bytes: usize) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// Gathers batches to frames of about so many bytes; 256 KiB if it is not set.
    pub fn frame_bytes(mut self, bytes: usize) -> Self {
        self.frame_bytes = bytes;
        self
    }

    /// Lets a batch wait this long for company; 5 ms if it is not set.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Gives up waiting in `flush` and `shutdown` after this time. If it is not set, they wait for as long as it takes.
    pub fn flush_timeout(mut self, timeout: Duration) -> Self {
        self.flush_timeout = Some(timeout);
        self
    }

    /// Compresses the batches given to `send`; off unless set.
    pub fn compression(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// Called with each hit that the server refused. It must return soon: the connection waits for it.
    pub fn on_refused(mut self, call: impl FnMut(Refusal) + Send + 'static) -> Self {
        self.on_refused = Box::new(call);
        self
    }

    /// Called with each frame that became durable. It must return soon: the connection waits for it.
    pub fn on_ack(mut self, call: impl FnMut(FrameAck) + Send + 'static) -> Self {
        self.on_ack = Box::new(call);
        self
    }

    /// Starts the sender: on the present tokio run time, which must have time and I/O enabled, or on a thread of its own
    /// if there is none. The connection is made in the background.
    pub fn build(self) -> Result<Sender, BuildError> {
        let world: Arc<dyn World> = Arc::new(System);
        let server = Server::parse(&self.address, &world)?;
        self.check()?;
        let shared = Shared::new(SenderCore::new(self.frame_bytes, self.max_delay));
        let memory = Arc::new(Semaphore::new(self.memory_bytes));
        let (driving, ended) = shared.driving();
        let port = SenderPort::new(
            Arc::clone(&shared),
            world,
            Arc::clone(&memory),
            self.setup,
            self.on_refused,
            self.on_ack,
        );
        let start = shared.start();
        driver::spawn(async move {
            driver::run(port, server, start).await;
            drop(driving);
        })
        .map_err(BuildError::Thread)?;
        let (memory_bytes, flush_timeout, codec) = (self.memory_bytes, self.flush_timeout, self.codec);
        Ok(Sender(Arc::new(Inner { shared, memory, memory_bytes, flush_timeout, codec, ended })))
    }

    fn check(&self) -> Result<(), BuildError> {
        let wrong = |name, value: usize, allowed| {
            Err(BuildError::Setting { name, value: value.to_string(), allowed })
        };
        if !(LEAST_MEMORY_BYTES..=Semaphore::MAX_PERMITS).contains(&self.memory_bytes) {
            return wrong("memory_bytes", self.memory_bytes, "at least 2,097,152 are needed");
        }
        if !(1..=MOST_FRAME_BYTES).contains(&self.frame_bytes) {
            return wrong("frame_bytes", self.frame_bytes, "1 to 1,048,576 are allowed");
        }
        Ok(())
    }
}

impl fmt::Debug for SenderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the key: it may be an admin's.
        f.debug_struct("SenderBuilder").field("address", &self.address).finish_non_exhaustive()
    }
}
