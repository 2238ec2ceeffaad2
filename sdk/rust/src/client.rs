use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use proto::v1::RefusalReason;
use tokio::sync::watch;

use crate::core::client::{ClientCore, Profile};
use crate::shared::Shared;
use crate::world::{World, random_id};
use crate::{Hit, SendError, Stats};

mod builder;
mod port;

pub use builder::ClientBuilder;

/// How long a hit waits for company if neither the settings nor the server say.
pub(crate) const MAX_DELAY: Duration = Duration::from_millis(200);
/// The largest hit that any server takes.
const HIT_BYTES: usize = 32 * 1024;

/// Fires hits and never waits: every call but `flush` and `shutdown` returns at once, whatever the server, the network
/// or the disk do. Cheap to clone; all clones are the same client.
///
/// Hits that are not acknowledged are kept, within bounds, and sent again. Dropping the last clone ends the connection;
/// what was not sent then is lost, or, with a queue directory, sent by the next client that opens it.
/// [`shutdown`](Client::shutdown) sends it before.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    shared: Arc<Shared<ClientCore>>,
    world: Arc<dyn World>,
    client_id: String,
    flush_timeout: Duration,
    /// Closed when the driver has ended.
    ended: watch::Receiver<()>,
}

impl Client {
    /// A client that sends to the server at `address`, such as `http://127.0.0.1:7700`, with a write key.
    pub fn builder(address: impl Into<String>, key: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(address.into(), key.into())
    }

    /// Fires a hit.
    pub fn track(&self, hit: Hit) {
        let profile = Arc::clone(self.0.shared.lock().core.profile());
        if profile.opted_out {
            return;
        }
        let now_ms = self.0.world.now_ms();
        let hit = hit.completed(now_ms, &profile.user_id, &profile.visitor_id);
        let bytes = hit.encoded_len();
        if bytes > HIT_BYTES {
            let message = format!("a hit {:?} of {bytes} bytes is too large: at most {HIT_BYTES}", hit.name);
            return self.0.shared.lock().core.too_large(RefusalReason::TooLarge, message);
        }
        // Encoded outside of the lock: callers on other threads need not wait for it.
        let encoded = Bytes::from(hit.encode_to_vec());
        let now = self.0.shared.now();
        if self.0.shared.lock().core.track(now, now_ms, encoded) {
            self.0.shared.wake();
        }
    }

    /// Fires a view of a page.
    pub fn page(&self, url: impl Into<String>) {
        self.track(Hit::page(url));
    }

    /// Fires a view of a screen of an app.
    pub fn screen(&self, name: impl Into<String>) {
        self.track(Hit::screen(name));
    }

    /// Hits are from this user from now on.
    pub fn identify(&self, user_id: impl Into<String>) {
        let user_id = user_id.into();
        self.change(|profile| profile.user_id = user_id);
    }

    /// Hits are from somebody else from now on, who is not known yet: the user signed out.
    pub fn reset(&self) {
        let visitor_id = random_id(&*self.0.world);
        self.change(|profile| {
            profile.user_id.clear();
            profile.visitor_id = visitor_id;
        });
    }

    /// Throws away what is queued, and takes no more hits until [`opt_in`](Client::opt_in). A queue directory remembers
    /// it.
    pub fn opt_out(&self) {
        self.change(|profile| profile.opted_out = true);
    }

    /// Takes hits again.
    pub fn opt_in(&self) {
        self.change(|profile| profile.opted_out = false);
    }

    fn change(&self, change: impl FnOnce(&mut Profile)) {
        let mut state = self.0.shared.lock();
        let mut profile = Profile::clone(state.core.profile());
        change(&mut profile);
        state.core.set_profile(profile);
        drop(state);
        self.0.shared.wake();
    }

    /// Sends what is queued now without waiting for company, and returns when the server has it all, or will never take
    /// it, or when the [flush timeout](ClientBuilder::flush_timeout) is over.
    pub async fn flush(&self) -> Result<(), SendError> {
        self.0.shared.flush(Some(self.0.flush_timeout)).await
    }

    /// [Flushes](Client::flush), and ends the client whether that worked or not. Hits that are left stay in the queue
    /// directory, if there is one.
    pub async fn shutdown(&self) -> Result<(), SendError> {
        let flushed = self.flush().await;
        self.0.shared.stop();
        // An error says that the driver is gone, which is what is waited for.
        let _ = self.0.ended.clone().changed().await;
        flushed
    }

    /// What became of the hits so far, and how the connection stands.
    pub fn stats(&self) -> Stats {
        self.0.shared.lock().core.stats()
    }

    /// The client's id: the one it was built with, the one of the queue directory, or a random one.
    pub fn client_id(&self) -> &str {
        &self.0.client_id
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("client_id", &self.0.client_id).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
