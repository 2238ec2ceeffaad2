//! Subscriptions: equal queries share one live answer, which is read again when something changed, and each
//! subscriber follows it at its own pace.

mod answer;
mod follow;
mod state;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use host::{FeedEvent, Platform};
use metrics::gauge;
use model::MerchantId;
use parking_lot::Mutex;
use proto::v1;
use tokio::sync::broadcast::error::RecvError;

use self::answer::Live;
use self::follow::Follower;
use crate::execute::Reader;
use crate::outlet::{Outlet, Stream};
use crate::plan::Plan;
use crate::{Ask, Error, Result, Settings};

/// All live answers.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    platform: Platform,
    reader: Reader,
    settings: Settings,
    lives: Mutex<HashMap<MerchantId, Vec<Arc<Live>>>>,
}

/// What somebody wants to watch.
pub struct Subscription {
    /// The query.
    pub ask: Ask,
    /// Under which key: the stream ends when that is revoked. None: inside this process.
    pub grant: Option<catalog::Grant>,
    /// The live answer that was watched before, and the last number seen of it.
    pub resume: Option<(String, u64)>,
    /// How often to hear of changes at most, in milliseconds; 0 is the default.
    pub min_interval_ms: u32,
}

impl Hub {
    /// A hub that listens to the platform's feed until its drain.
    pub fn start(platform: Platform, reader: Reader, settings: Settings) -> Self {
        let hub = Self(Arc::new(Shared { platform, reader, settings, lives: Mutex::default() }));
        let platform = &hub.0.platform;
        platform.tasks.spawn(listen(hub.clone(), platform.feed.listen()));
        hub
    }

    /// A snapshot of the answer, then what changes.
    pub fn subscribe(&self, subscription: Subscription) -> Result<Stream<v1::SubscribeResponse>> {
        let platform = &self.0.platform;
        if platform.drain.is_cancelled() {
            return Err(Error::Draining);
        }
        // What cannot be planned is refused by the call, not by its stream.
        Plan::new(&subscription.ask, platform.clock.now())?;
        let interval = self.0.settings.interval(subscription.min_interval_ms);
        let by = subscription.ask.by_names();
        let seat = self.seat(subscription.ask, interval)?;
        // A number counts only with the live answer that gave it.
        let resume = subscription.resume.filter(|(id, _)| *id == *seat.live().id());
        let (outlet, stream) = Outlet::new(self.0.settings.stalled());
        let follower = Follower {
            seat,
            outlet,
            seen: resume.map_or(0, |(_, number)| number),
            interval,
            by,
            grant: subscription.grant,
            catalog: platform.catalog.clone(),
            drain: platform.drain.clone(),
        };
        platform.tasks.spawn(follower.run());
        Ok(stream)
    }

    /// A place at the live answer of a query, which is begun if there is none.
    fn seat(&self, ask: Ask, interval: Duration) -> Result<answer::Seat> {
        let (merchant, limit) = (ask.merchant, self.0.settings.subscriptions_per_merchant);
        let mut lives = self.0.lives.lock();
        let of_merchant = lives.entry(merchant).or_default();
        if of_merchant.iter().map(|live| live.seats()).sum::<usize>() >= limit {
            return Err(Error::Subscriptions { merchant, limit });
        }
        if let Some(live) = of_merchant.iter().find(|live| *live.ask() == ask) {
            return Ok(live.seat(interval));
        }
        // Those that are only kept for coming back to must not add up.
        if of_merchant.len() >= limit
            && let Some(idle) = of_merchant.iter().position(|live| live.seats() == 0)
        {
            of_merchant.swap_remove(idle).end();
        }
        let live = Arc::new(Live::new(ask, self.0.platform.clock.random_u64()));
        of_merchant.push(Arc::clone(&live));
        let seat = live.seat(interval);
        gauge!("hitmill_query_live_answers").increment(1.0);
        self.0.platform.tasks.spawn(live.run(self.clone()));
        Ok(seat)
    }

    /// Forgets a live answer, if it has no subscriber.
    fn leave(&self, live: &Arc<Live>) -> bool {
        let mut lives = self.0.lives.lock();
        if live.seats() > 0 {
            return false;
        }
        self.remove(&mut lives, live);
        true
    }

    fn remove(&self, lives: &mut HashMap<MerchantId, Vec<Arc<Live>>>, live: &Arc<Live>) {
        let merchant = live.ask().merchant;
        if let Some(of_merchant) = lives.get_mut(&merchant) {
            of_merchant.retain(|other| !Arc::ptr_eq(other, live));
            if of_merchant.is_empty() {
                lives.remove(&merchant);
            }
        }
    }
}

async fn listen(hub: Hub, mut feed: tokio::sync::broadcast::Receiver<FeedEvent>) {
    while let Some(event) = hub.0.platform.drain.run_until_cancelled(feed.recv()).await {
        let lives = hub.0.lives.lock();
        match event {
            Ok(FeedEvent::Changed(changes)) => {
                let merchants = changes.iter().filter_map(|change| lives.get(&change.merchant));
                merchants.flatten().for_each(|live| live.changed());
            }
            Ok(FeedEvent::Watermark) => lives.values().flatten().for_each(|live| live.watermark()),
            // Nobody knows what was missed, so everything may have changed.
            Ok(FeedEvent::Everything) | Err(RecvError::Lagged(_)) => {
                lives.values().flatten().for_each(|live| live.changed());
            }
            Err(RecvError::Closed) => return,
        }
    }
}
