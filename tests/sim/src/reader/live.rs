//! Subscribers: one that follows and goes on after a break, and one that falls asleep.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proto::v1::{Row, SubscribeRequest, SubscribeResponse};
use tonic::Status;

use super::rows::{Key, key};
use super::{PATIENCE, Reader};

/// What a subscriber has.
#[derive(Clone, Default)]
pub(super) struct Live {
    id: String,
    number: u64,
    pub(super) rows: BTreeMap<Key, Row>,
}

impl Reader {
    pub(super) async fn subscribe(self: Arc<Self>) {
        let mut turn = 0;
        loop {
            // However it ends, it goes on where it was.
            let _ = self.follow(turn).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            turn += 1;
        }
    }

    /// A subscriber that takes one message and no more: it must be in nobody's way.
    pub(super) async fn sleep(self: Arc<Self>) {
        for turn in 0.. {
            let slept: Result<(), Status> = async {
                let mut asker = self.asker(turn).await?;
                let request = SubscribeRequest { query: Some(self.subscription()), ..Default::default() };
                let mut messages = asker.subscribe(request).await?.into_inner();
                messages.message().await?;
                tokio::time::sleep(Duration::from_secs(30)).await;
                Ok(())
            }
            .await;
            // However it ended, the next one is no better.
            drop(slept);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn follow(&self, turn: usize) -> Result<(), Status> {
        let mut asker = self.asker(turn).await?;
        let Live { id, number, .. } = self.state.lock().live.clone();
        let request = SubscribeRequest {
            query: Some(self.subscription()),
            live_id: id,
            number,
            ..SubscribeRequest::default()
        };
        let opened = tokio::time::timeout(PATIENCE, asker.subscribe(request)).await;
        let mut messages = opened.map_err(|_| Status::deadline_exceeded("no answer"))??.into_inner();
        loop {
            // A connection that was cut without a word must not keep it waiting for ever.
            match tokio::time::timeout(Duration::from_secs(20), messages.message()).await {
                Ok(message) => match message? {
                    Some(message) => self.take(message),
                    None => return Ok(()),
                },
                Err(_) => return Ok(()),
            }
        }
    }

    fn take(&self, message: SubscribeResponse) {
        let mut state = self.state.lock();
        state.pushed += 1;
        if message.snapshot {
            state.live.rows.clear();
        } else if state.live.id != message.live_id || message.number <= state.live.number {
            let (had, got) = (state.live.number, message.number);
            state.faults.push(format!("a subscriber that had message {had} got the difference {got}"));
        }
        (state.live.id, state.live.number) = (message.live_id, message.number);
        for row in message.removed {
            state.live.rows.remove(&key(&row));
        }
        for row in message.rows {
            state.live.rows.insert(key(&row), row);
        }
        let rows: Vec<_> = state.live.rows.values().cloned().collect();
        drop(state);
        self.agree("a subscriber", message.finality.as_ref(), &rows);
    }
}
