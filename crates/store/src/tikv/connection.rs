//! The way to the cluster: attempts that end in time, waits between them, and a new connection when the old one is silent.

use std::ops::Range;
use std::time::Duration;

use parking_lot::RwLock;
use tikv_client::transaction::{HeartbeatOption, ResolveLocksOptions};
use tikv_client::{
    Backoff, CheckLevel, Config, Key, RetryOptions, Timestamp, TimestampExt, TransactionClient,
    TransactionOptions,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::Settings;
use super::failure::{is_too_long, orphaned, shown};
use crate::{Error, Result};

/// A reply is a page, of some MiB as a rule; the limit is for pages of the longest values that TiKV takes.
const MAX_REPLY_BYTES: usize = 256 << 20;
/// A placement driver that is there answers in a millisecond.
const SILENCE: Duration = Duration::from_secs(1);
/// While a slow commit goes on it renews its lock, which else lives for 3 s: whoever waits for the lock would undo it.
/// Commits that take less, all but a few, never get here.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// As long as the lock of a client lives that does not renew it.
const ORPHAN_AGE_MS: i64 = 3_000;

pub(super) struct Connection {
    client: RwLock<Current>,
    reviving: Mutex<()>,
    endpoints: Vec<String>,
    timeout: Duration,
}

/// The client in use, and the how many-th it is.
struct Current {
    client: TransactionClient,
    number: u64,
}

/// Why an attempt failed.
pub(super) enum Failed {
    /// Time is up. Nothing will change that.
    Late(String),
    /// A reply was longer than we take: ask for less.
    TooLong(String),
}

impl Failed {
    pub(super) fn into_error(self, doing: &'static str) -> Error {
        let (Self::Late(what) | Self::TooLong(what)) = self;
        Error::Unavailable { doing, what }
    }
}

impl Connection {
    pub(super) async fn open(settings: &Settings) -> Result<Self> {
        let endpoints = settings.endpoints();
        let limit = Duration::from_millis(settings.timeout_ms);
        let client = connect(&endpoints, limit).await.map_err(|what| Error::Unavailable {
            doing: "open the store",
            what: format!("the placement drivers at {}: {what}", endpoints.join(",")),
        })?;
        let current = RwLock::new(Current { client, number: 0 });
        Ok(Self { client: current, reviving: Mutex::default(), endpoints, timeout: limit })
    }

    pub(super) fn client(&self) -> TransactionClient {
        self.client.read().client.clone()
    }

    /// When something that begins now has failed.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Attempts until one succeeds, or the deadline has come.
    ///
    /// The client tries again by itself where a region moved or a lock was in the way, but gives up at once when a store is
    /// busy, and soon when one is gone. `of` are the keys, among whose locks there may be one that it cannot resolve.
    pub(super) async fn retrying<T, F, Attempt>(
        &self,
        doing: &'static str,
        of: Range<Vec<u8>>,
        deadline: Instant,
        attempt: F,
    ) -> std::result::Result<T, Failed>
    where
        F: Fn(TransactionClient) -> Attempt,
        Attempt: Future<Output = tikv_client::Result<T>>,
    {
        let mut pause = Pause::default();
        loop {
            let what = match timeout_at(self.patience(deadline), attempt(self.client())).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(error)) if is_too_long(&error) => return Err(Failed::TooLong(shown(&error))),
                Ok(Err(error)) => {
                    self.undo_orphan(&error, &of, deadline).await;
                    shown(&error)
                }
                Err(_) => {
                    self.revive(deadline).await;
                    format!("no answer within {} ms", self.timeout.as_millis())
                }
            };
            metrics::counter!("hitmill_store_retries_total", "doing" => doing).increment(1);
            if !pause.until_next(deadline).await {
                return Err(Failed::Late(what));
            }
        }
    }

    /// A timestamp of now: later than every commit that has returned.
    pub(super) async fn timestamp(&self, doing: &'static str) -> Result<Timestamp> {
        let now = |client: TransactionClient| async move { client.current_timestamp().await };
        self.retrying(doing, Range::default(), self.deadline(), now)
            .await
            .map_err(|failed| failed.into_error(doing))
    }

    /// Until when one attempt may take: there should be time for a second one.
    pub(super) fn patience(&self, deadline: Instant) -> Instant {
        let left = deadline.saturating_duration_since(Instant::now());
        if left > self.timeout / 2 { deadline - left / 2 } else { deadline }
    }

    /// Makes a new connection if the placement driver is silent.
    ///
    /// The client connects anew after an error. But timestamps come over one stream, without a limit of time: when the
    /// machine at its other end is gone without a word, that is an error only after a quarter of an hour of resent packets.
    pub(super) async fn revive(&self, deadline: Instant) {
        let number = self.client.read().number;
        let Ok(_one_at_a_time) = timeout_at(deadline, self.reviving.lock()).await else { return };
        if self.client.read().number != number
            || timeout(SILENCE, self.client().current_timestamp()).await.is_ok()
        {
            return;
        }
        match connect(&self.endpoints, self.timeout).await {
            Ok(client) => {
                metrics::counter!("hitmill_store_reconnects_total").increment(1);
                *self.client.write() = Current { client, number: number + 1 };
            }
            Err(what) => tracing::warn!(what, "failed to connect to the placement drivers anew"),
        }
    }

    /// Undoes a transaction that died before it came to its primary key, if the error is that it stands in the way.
    pub(super) async fn undo_orphan(
        &self,
        error: &tikv_client::Error,
        of: &Range<Vec<u8>>,
        deadline: Instant,
    ) {
        let Some(start) = orphaned(error) else { return };
        let client = self.client();
        let undone = timeout_at(deadline, async {
            let age = client.current_timestamp().await?.physical - Timestamp::from_version(start).physical;
            if age < ORPHAN_AGE_MS {
                return Ok(0);
            }
            // Those that began before and still hold a lock in the range are undone as well. That is safe: whoever is
            // still at it begins again.
            let keys = Key::from(of.start.clone())..Key::from(of.end.clone());
            let until = Timestamp::from_version(start + 1); // TiKV takes locks up to it, unistore those before it
            let undone = client.cleanup_locks(keys, &until, ResolveLocksOptions::default()).await?;
            Ok::<_, tikv_client::Error>(undone.resolved_locks)
        });
        match undone.await {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(locks)) => {
                metrics::counter!("hitmill_store_orphans_total").increment(1);
                tracing::info!(locks, "undid what a client left that died in the middle of a commit");
            }
            Ok(Err(error)) => tracing::warn!(%error, "failed to undo what a client left"),
        }
    }
}

/// The range from the first of the keys to the last.
pub(super) fn range_of(keys: &[Vec<u8>]) -> Range<Vec<u8>> {
    let first = keys.iter().min().cloned().unwrap_or_default();
    let mut past_last = keys.iter().max().cloned().unwrap_or_default();
    past_last.push(0);
    first..past_last
}

/// Waits between attempts: longer each time, and partly by chance, so that those who failed together do not come back
/// together.
pub(super) struct Pause(Backoff);

impl Default for Pause {
    fn default() -> Self {
        Self(jitter(12))
    }
}

impl Pause {
    /// Waits; false if there is no time left for another attempt.
    pub(super) async fn until_next(&mut self, deadline: Instant) -> bool {
        let wait = self.0.next_delay_duration().unwrap_or(LONGEST_PAUSE);
        if Instant::now() + wait >= deadline {
            return false;
        }
        sleep(wait).await;
        true
    }
}

const LONGEST_PAUSE: Duration = Duration::from_millis(300);

fn jitter(attempts: u32) -> Backoff {
    Backoff::equal_jitter_backoff(4, LONGEST_PAUSE.as_millis() as u64, attempts)
}

/// How transactions and snapshots are made.
pub(super) fn options() -> TransactionOptions {
    // The client's own attempts are few: ours come after them, and know the deadline. Locks it waits for longer, since a
    // lock of a client that died lives for 3 s.
    let retries = RetryOptions { region_backoff: jitter(6), lock_backoff: jitter(20) };
    TransactionOptions::new_optimistic()
        .retry_options(retries)
        .drop_check(CheckLevel::Warn)
        .heartbeat_option(HeartbeatOption::FixedTime(HEARTBEAT))
}

async fn connect(endpoints: &[String], limit: Duration) -> std::result::Result<TransactionClient, String> {
    let config = Config::default()
        // Of one request to one region: there should be time for another one within ours.
        .with_timeout(limit / 3)
        .with_grpc_max_decoding_message_size(MAX_REPLY_BYTES);
    match timeout(limit, TransactionClient::new_with_config(endpoints.to_vec(), config)).await {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => Err(shown(&error)),
        Err(_) => Err(format!("no answer within {} ms", limit.as_millis())),
    }
}
