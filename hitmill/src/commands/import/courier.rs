use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hitmill_sdk::{ClientBatch, LinkState, Refusal, Sender};
use model::MerchantId;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::rejects::Reject;
use crate::cli::Global;

/// A server that has been away for this long is worth a word.
const PATIENCE: Duration = Duration::from_secs(5);
/// This many refused hits are shown.
const SHOWN: usize = 5;

/// Brings hits to the server, and knows up to which line they are there.
pub(super) struct Courier {
    server: String,
    sender: Sender,
    /// Hits that were given to the sender.
    given: u64,
    /// Hits that the server has answered for.
    answered: Arc<AtomicU64>,
    /// For each batch on its way, the hits given with it and before, and the line up to which the log is settled then.
    on_the_way: VecDeque<(u64, u64)>,
    refusals: UnboundedReceiver<Refusal>,
    refused: u64,
    refused_first: Vec<Reject>,
}

impl Courier {
    /// To the server of the command line.
    pub(super) fn new(global: &Global, merchant: MerchantId, data_stream_id: u32) -> anyhow::Result<Self> {
        let (report, refusals) = unbounded_channel();
        let answered = Arc::new(AtomicU64::new(0));
        let answers = Arc::clone(&answered);
        let sender = Sender::builder(&global.server, global.key.clone().unwrap_or_default())
            .admin_history(merchant.0, data_stream_id)
            .on_ack(move |frame| {
                answers.fetch_add(frame.hits, Ordering::Release);
            })
            // Nobody listens any more only if the import is over.
            .on_refused(move |refusal| drop(report.send(refusal)))
            .build()?;
        Ok(Self {
            server: global.server.clone(),
            sender,
            given: 0,
            answered,
            on_the_way: VecDeque::new(),
            refusals,
            refused: 0,
            refused_first: Vec::new(),
        })
    }

    /// Takes a batch with which the log is settled up to `line`. Waits while the server is slow.
    pub(super) async fn send(&mut self, batch: ClientBatch, line: u64) -> anyhow::Result<()> {
        self.given += batch.hits.len() as u64;
        self.on_the_way.push_back((self.given, line));
        self.patiently(self.sender.send(batch)).await?;
        self.hear();
        Ok(())
    }

    /// Returns when the server has answered for everything.
    pub(super) async fn finish(&mut self) -> anyhow::Result<()> {
        self.patiently(self.sender.flush()).await?;
        self.hear();
        Ok(())
    }

    /// The line up to which more of the log has become settled.
    pub(super) fn settled(&mut self) -> Option<u64> {
        let answered = self.answered.load(Ordering::Acquire);
        let mut settled = None;
        while let Some((_, line)) = self.on_the_way.front().filter(|(given, _)| *given <= answered) {
            settled = Some(*line);
            self.on_the_way.pop_front();
        }
        settled
    }

    /// Hits that are durable.
    pub(super) fn accepted(&self) -> u64 {
        self.sender.stats().acked
    }

    /// Hits that the server would not have, and the first of them.
    pub(super) fn refused(&self) -> (u64, &[Reject]) {
        (self.refused, &self.refused_first)
    }

    fn hear(&mut self) {
        while let Ok(refusal) = self.refusals.try_recv() {
            self.refused += refusal.hits;
            if self.refused_first.len() < SHOWN {
                // The seq of a hit is its line; of a batch, that of its first hit.
                self.refused_first.push(Reject { line: refusal.seq, reason: refusal.message });
            }
        }
    }

    /// Says what is amiss if it takes long, and goes on waiting: what was imported is safe, and the rest can go on later.
    async fn patiently<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            let answered = self.answered.load(Ordering::Acquire);
            match tokio::time::timeout(PATIENCE, &mut work).await {
                Ok(done) => return done,
                Err(_) if answered == self.answered.load(Ordering::Acquire) => self.say_why(),
                Err(_) => {}
            }
        }
    }

    fn say_why(&self) {
        let stats = self.sender.stats();
        let reason = match stats.link {
            LinkState::Open => "it takes no more at the moment".to_owned(),
            _ => stats.last_error.unwrap_or_else(|| "no answer yet".to_owned()),
        };
        eprintln!(
            "waiting for the server at {}: {reason}; Ctrl-C leaves, and the same command goes on where it was",
            self.server
        );
    }
}
