//! An edge: many streams over a few connections, one stream for each merchant, and the acknowledgements of all.

mod codec;
mod stream;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};

use self::stream::{Order, Told};
use crate::lab::Account;
use crate::latency::Latencies;
use crate::workload::Frame;

/// Streams that share a connection: fewer than a server allows, and the whole workload still makes one for each core and
/// more.
const STREAMS_PER_CONNECTION: usize = 200;
const CONNECT: Duration = Duration::from_secs(10);
/// Without an acknowledgement for so long something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// Open streams.
pub(crate) struct Edge {
    streams: Vec<mpsc::UnboundedSender<Order>>,
    /// Hits that may still be under way.
    window: Arc<Semaphore>,
    progress: watch::Receiver<Progress>,
    sent: u64,
    acks: JoinHandle<anyhow::Result<Acks>>,
}

#[derive(Clone, Debug, Default)]
struct Progress {
    settled: u64,
    failed: Option<String>,
}

/// What was acknowledged.
pub(crate) struct Acks {
    /// From when each hit was due to its acknowledgement.
    pub(crate) latencies: Latencies,
    /// When the last acknowledgement was seen.
    pub(crate) last: Instant,
}

impl Edge {
    /// Opens a stream for each account, with at most `window` hits under way.
    pub(crate) async fn open(server: &str, accounts: &[Account], window: usize) -> anyhow::Result<Self> {
        let (told, heard) = mpsc::unbounded_channel();
        let mut streams = Vec::with_capacity(accounts.len());
        for accounts in accounts.chunks(STREAMS_PER_CONNECTION) {
            let channel = connect(server).await?;
            for account in accounts {
                streams.push(stream::open(channel.clone(), account, told.clone()).await?);
            }
        }
        let window = Arc::new(Semaphore::new(window));
        let (shown, progress) = watch::channel(Progress::default());
        let acks = tokio::spawn(collect(heard, Arc::clone(&window), shown, Latencies::new()?));
        Ok(Self { streams, window, progress, sent: 0, acks })
    }

    /// Sends a frame that is due at `due`, as soon as the window has room.
    pub(crate) async fn send(&mut self, frame: Frame, due: Instant) -> anyhow::Result<()> {
        let room = tokio::time::timeout(PATIENCE, self.window.acquire_many(frame.hits)).await;
        match room {
            Ok(room) => room?.forget(),
            Err(_) => bail!("no hit was acknowledged in {} s", PATIENCE.as_secs()),
        }
        self.check()?;
        self.sent += u64::from(frame.hits);
        let stream = self.streams.get(frame.merchant as usize).context("a frame names no stream")?;
        let Frame { hits, batches, .. } = frame;
        stream.send(Order { hits, batches, due }).ok().context("a stream has ended")
    }

    fn check(&self) -> anyhow::Result<()> {
        match &self.progress.borrow().failed {
            Some(why) => bail!("{why}"),
            None => Ok(()),
        }
    }

    /// Waits until everything is acknowledged, and closes the streams.
    pub(crate) async fn close(mut self) -> anyhow::Result<Acks> {
        let sent = self.sent;
        let settled = self.progress.wait_for(|now| now.failed.is_some() || now.settled >= sent);
        if tokio::time::timeout(PATIENCE, settled).await.is_err() {
            let settled = self.progress.borrow().settled;
            bail!("{settled} of {sent} hits are acknowledged, and not more in {} s", PATIENCE.as_secs());
        }
        self.check()?;
        self.streams.clear();
        self.acks.await?
    }
}

/// Sums up what the streams are told, until all of them have ended.
async fn collect(
    mut heard: mpsc::UnboundedReceiver<Told>,
    window: Arc<Semaphore>,
    shown: watch::Sender<Progress>,
    mut latencies: Latencies,
) -> anyhow::Result<Acks> {
    let mut last = Instant::now();
    while let Some(told) = heard.recv().await {
        match told {
            Told::Settled { hits, due, acked } => {
                window.add_permits(hits as usize);
                latencies.record(acked.saturating_duration_since(due), hits.into());
                last = last.max(acked);
                shown.send_modify(|progress| progress.settled += u64::from(hits));
            }
            Told::Failed(why) => {
                shown.send_modify(|progress| progress.failed = Some(why));
                // Whoever waits for room is let through, to find out why there is none.
                window.add_permits(usize::try_from(u32::MAX).unwrap_or(Semaphore::MAX_PERMITS / 2));
                break;
            }
        }
    }
    Ok(Acks { latencies, last })
}

/// A connection.
pub(crate) async fn connect(server: &str) -> anyhow::Result<Channel> {
    let endpoint = Endpoint::from_shared(server.to_owned())?.connect_timeout(CONNECT).tcp_nodelay(true);
    endpoint.connect().await.with_context(|| format!("failed to connect to {server}"))
}
