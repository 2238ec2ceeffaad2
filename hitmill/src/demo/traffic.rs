//! Plays the shop: for everybody who is in it a client of the SDK of their own, with its own stream, as browsers would have.

mod figures;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use clock::Clock;
use hitmill_sdk::{Client, Hit, SendError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use self::figures::Rate;
pub(crate) use self::figures::{Figures, Totals};
use super::dice::Dice;
use super::live::Answer;
use super::marker::{self, Marker};
use super::samples::Samples;
use super::shop::{Deed, Move, Person, Shop};

/// Between two looks at what the shoppers do.
const STEP: Duration = Duration::from_millis(20);
/// The figures are told once in so many steps.
const TELL: u32 = 5;

/// Where hits go, and where they wait.
#[derive(Clone, Debug)]
pub(super) struct Sending {
    /// The server.
    pub(super) server: String,
    /// The key to send with.
    pub(super) write_key: String,
    /// The directory of the queues.
    pub(super) queues: PathBuf,
}

/// The traffic of the shop.
pub(super) struct Traffic {
    sending: Sending,
    clock: Clock,
    dice: Dice,
    shop: Shop,
    /// Who is in each place of the shop.
    places: Vec<Option<u64>>,
    connections: HashMap<u64, Connection>,
    /// Names the connections of this run apart from those of earlier ones, and from each other.
    run: i64,
    next: u64,
    leaving: JoinSet<(u64, Result<(), SendError>)>,
    /// Of connections that are closed.
    gone: Totals,
    acks: Samples,
    rate: Rate,
    marker: Marker,
}

struct Connection {
    client: Client,
    queue: PathBuf,
    /// Acknowledged when it was looked at last.
    acked: u64,
}

impl Traffic {
    /// Opens the shop, for so many people at a time; first of all sends what an earlier run left behind.
    pub(super) fn open(sending: Sending, shoppers: usize, clock: Clock) -> anyhow::Result<Self> {
        let now = clock.now();
        let mut dice = Dice::new(clock.random_u64());
        let mut traffic = Self {
            shop: Shop::open(shoppers, now.0, &mut dice),
            sending,
            clock,
            dice,
            places: vec![None; shoppers],
            connections: HashMap::new(),
            run: now.0,
            next: 0,
            leaving: JoinSet::new(),
            gone: Totals::default(),
            acks: Samples::default(),
            rate: Rate::default(),
            marker: Marker::default(),
        };
        traffic.restore()?;
        Ok(traffic)
    }

    /// Plays until `close`; then everybody leaves, and it returns when everything is acknowledged.
    pub(super) async fn run(
        mut self,
        close: CancellationToken,
        mut markers: watch::Receiver<Answer>,
        figures: watch::Sender<Figures>,
    ) -> anyhow::Result<Totals> {
        let mut steps = tokio::time::interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut moves, mut count) = (Vec::new(), 0);
        loop {
            tokio::select! {
                () = close.cancelled() => break,
                Some(left) = self.leaving.join_next() => self.left(left?).await,
                Ok(()) = markers.changed() => self.counted(&markers.borrow_and_update()),
                _ = steps.tick() => {
                    self.step(&mut moves)?;
                    count += 1;
                    if count % TELL == 0 {
                        figures.send_replace(self.figures());
                    }
                }
            }
        }
        (0..self.places.len()).for_each(|place| self.leave(place));
        while let Some(left) = self.leaving.join_next().await {
            self.left(left?).await;
        }
        Ok(self.totals())
    }

    fn step(&mut self, moves: &mut Vec<Move>) -> anyhow::Result<()> {
        self.shop.step(self.clock.now().0, &mut self.dice, moves);
        for Move { place, deed } in moves.drain(..) {
            match deed {
                Deed::Come(person) => self.places[place] = Some(self.come(person)?),
                Deed::Leave => self.leave(place),
                Deed::Fire(hit) => self.fire(place, *hit),
            }
        }
        Ok(())
    }

    fn come(&mut self, person: Person) -> anyhow::Result<u64> {
        let queue = self.sending.queues.join(format!("{}-{}", self.run, self.next));
        let client = self
            .sending
            .client(&queue)
            .client_id(person.client_id)
            .user_agent(person.user_agent)
            .language(person.language)
            .country(person.country)
            .build()
            .context("failed to let a shopper in: fewer --visitors need fewer connections")?;
        Ok(self.connect(client, queue))
    }

    fn connect(&mut self, client: Client, queue: PathBuf) -> u64 {
        let number = self.next;
        self.next += 1;
        self.connections.insert(number, Connection { client, queue, acked: 0 });
        number
    }

    fn fire(&mut self, place: usize, hit: Hit) {
        let Some(connection) = self.places[place].and_then(|number| self.connections.get(&number)) else {
            return;
        };
        connection.client.track(hit);
        let now = Instant::now();
        if self.marker.is_due(now)
            && let Some(page) = self.shop.page(place)
        {
            self.marker.fire(now);
            connection.client.track(Hit::new(marker::NAME).url(page));
        }
    }

    fn leave(&mut self, place: usize) {
        if let Some(number) = self.places[place].take() {
            self.close(number);
        }
    }

    /// Sends what is left of a connection and ends it, in the background.
    fn close(&mut self, number: u64) {
        if let Some(connection) = self.connections.get(&number) {
            let client = connection.client.clone();
            self.leaving.spawn(async move { (number, client.shutdown().await) });
        }
    }

    async fn left(&mut self, (number, result): (u64, Result<(), SendError>)) {
        let Some(connection) = self.connections.remove(&number) else { return };
        self.gone.add(&connection.client.stats());
        let queue = connection.queue.display().to_string();
        let removed = match result {
            Ok(()) => tokio::fs::remove_dir_all(&connection.queue).await.map_err(|e| e.to_string()),
            // What is in it goes out at the next start.
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = removed {
            tracing::warn!(error, queue, "the queue of a shopper of the demo stays");
        }
    }

    fn counted(&mut self, answer: &Answer) {
        if let Some(at) = answer.at {
            self.marker.counted(answer.count(0), at);
        }
    }

    fn figures(&mut self) -> Figures {
        let mut trouble = None;
        for connection in self.connections.values_mut() {
            let stats = connection.client.stats();
            if stats.acked > connection.acked {
                connection.acked = stats.acked;
                stats.last_ack_latency.into_iter().for_each(|latency| self.acks.note(latency));
            }
            trouble = trouble.or(stats.last_refusal).or(stats.last_storage_error).or(stats.last_error);
        }
        let totals = self.totals();
        Figures {
            totals,
            shoppers: self.places.iter().flatten().count(),
            hits_per_second: self.rate.per_second(totals.acked, Instant::now()),
            ack: self.acks.quantiles(),
            live: self.marker.quantiles(),
            trouble,
        }
    }

    fn totals(&self) -> Totals {
        let mut totals = self.gone;
        self.connections.values().for_each(|connection| totals.add(&connection.client.stats()));
        totals
    }

    fn restore(&mut self) -> anyhow::Result<()> {
        let queues = self.sending.queues.clone();
        let shown = queues.display().to_string();
        std::fs::create_dir_all(&queues).with_context(|| format!("failed to make {shown}"))?;
        for entry in std::fs::read_dir(&queues).with_context(|| format!("failed to read {shown}"))? {
            let queue = entry?.path();
            let client = self.sending.client(&queue).build()?;
            let number = self.connect(client, queue);
            self.close(number);
        }
        Ok(())
    }
}

impl Sending {
    fn client(&self, queue: &Path) -> hitmill_sdk::ClientBuilder {
        Client::builder(&self.server, &self.write_key).queue_dir(queue)
    }
}
