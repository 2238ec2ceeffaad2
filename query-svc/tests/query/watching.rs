//! Subscriptions: what a reader has after each message is what Query answers.

use std::time::Duration;

use host::FeedEvent;
use model::{Role, Timestamp};
use proptest::prelude::*;
use proto::v1;
use query_svc::{Ask, Picture, Settings, Stream};
use tokio_stream::StreamExt;

use crate::world::{Hit, MERCHANT, NOW, READ_KEY, World, block_on, hits, key};

fn by_page() -> v1::QueryRequest {
    v1::QueryRequest {
        merchant_id: MERCHANT.0,
        metrics: ["hits", "visitors", "value"].map(str::to_owned).to_vec(),
        by: vec!["page".to_owned()],
        granularity: v1::Granularity::Hour.into(),
        last: Some(prost_types::Duration { seconds: 6 * 3_600, nanos: 0 }),
        limit: 2,
        ..Default::default()
    }
}

fn watch(query: v1::QueryRequest) -> v1::SubscribeRequest {
    v1::SubscribeRequest { query: Some(query), min_interval_ms: 1, ..Default::default() }
}

fn hit(at: Timestamp, page: &'static str) -> Hit {
    Hit { at, page, visitor: 1, view: true, money: None, partition: 0 }
}

/// One who reads a stream and keeps what it says.
struct Reader {
    stream: Stream<v1::SubscribeResponse>,
    picture: Picture,
    last: v1::SubscribeResponse,
    snapshots: usize,
    messages: usize,
}

impl Reader {
    fn new(world: &World, request: v1::SubscribeRequest) -> Self {
        let euro = "EUR".parse().unwrap();
        let ask = Ask::read(request.query.as_ref().unwrap(), "Europe/Berlin", euro).unwrap();
        let stream = world.query.subscribe(request, None).unwrap();
        let last = v1::SubscribeResponse::default();
        Self { stream, picture: Picture::new(&ask), last, snapshots: 0, messages: 0 }
    }

    async fn read(&mut self) {
        let message = self.stream.next().await.expect("the stream goes on").unwrap();
        assert!(message.number > self.last.number || message.live_id != self.last.live_id);
        self.messages += 1;
        self.snapshots += usize::from(message.snapshot);
        self.picture.apply(message.clone());
        self.last = message;
    }

    /// Reads until a revision has come.
    async fn read_until(&mut self, revision: u64) {
        while self.last.finality.is_none_or(|finality| finality.revision < revision) {
            self.read().await;
        }
    }

    fn rows(&self) -> Vec<v1::Row> {
        self.picture.answer().rows
    }
}

/// A world that sends as soon as there is something to send.
fn prompt() -> World {
    World::with(prompt_settings())
}

fn prompt_settings() -> Settings {
    Settings { min_interval_ms: 1, ..Settings::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The law. Some readers read every message, one reads only now and then, and time moves on in between.
    #[test]
    fn what_was_sent_always_makes_up_what_query_answers(
        commits in prop::collection::vec((hits(NOW, 6, 1..8), 0i64..60, any::<bool>()), 1..8),
    ) {
        block_on(async {
            let world = prompt();
            let mut eager = Reader::new(&world, watch(by_page()));
            let mut lazy = Reader::new(&world, watch(by_page()));
            eager.read().await;
            for (hits, minutes, reads) in &commits {
                world.platform.clock.advance(minutes * 60_000);
                world.commit_all(hits).await;
                // Whatever a reader has been sent is the answer at that revision; in the end it is the last.
                let answer = world.query.answer(&by_page()).await.unwrap();
                eager.read_until(world.revision()).await;
                prop_assert_eq!(&eager.picture.answer(), &answer);
                if *reads {
                    lazy.read_until(world.revision()).await;
                    prop_assert_eq!(&lazy.picture.answer(), &answer);
                }
            }
            prop_assert_eq!(eager.snapshots, 1);
            Ok(())
        })?;
    }
}

#[test]
fn a_slow_reader_gets_few_messages_and_all_that_changed() {
    block_on(async {
        let world = prompt();
        let mut slow = Reader::new(&world, watch(by_page()));
        let mut quick = Reader::new(&world, watch(by_page()));
        for n in 1..=50 {
            world.commit(0, &[hit(NOW.plus_millis(-60_000 * n), "/")]).await;
            quick.read_until(world.revision()).await;
        }
        slow.read_until(world.revision()).await;
        // One waited in the stream, one was waiting for room, and the last has the rest.
        assert!(slow.messages <= 3, "{}", slow.messages);
        assert!(quick.messages >= 50, "{}", quick.messages);
        assert_eq!(slow.rows(), quick.rows());
    });
}

#[test]
fn a_break_is_gone_over_with_only_what_changed() {
    block_on(async {
        let world = prompt();
        world.commit(0, &[hit(NOW.plus_millis(-7_200_000), "/"), hit(NOW, "/")]).await;
        let mut reader = Reader::new(&world, watch(by_page()));
        reader.read_until(1).await;
        let (live_id, number) = (reader.last.live_id.clone(), reader.last.number);
        let Reader { picture, stream, .. } = reader;
        drop(stream);

        world.commit(0, &[hit(NOW, "/cart")]).await;
        let mut again = watch(by_page());
        picture.resume(&mut again);
        assert_eq!((&again.live_id, again.number), (&live_id, number));
        let mut back = Reader { picture, ..Reader::new(&world, again.clone()) };
        back.read_until(2).await;
        assert_eq!((back.snapshots, &back.last.live_id), (0, &live_id));
        assert_eq!(back.rows(), world.query.answer(&by_page()).await.unwrap().rows);

        // A number that another live answer gave says nothing here.
        let stranger = v1::SubscribeRequest { live_id: "elsewhere".to_owned(), ..again };
        let mut stranger = Reader::new(&world, stranger);
        stranger.read_until(2).await;
        assert_eq!((stranger.snapshots, stranger.rows()), (1, back.rows()));
    });
}

#[test]
fn what_nobody_comes_back_to_is_forgotten() {
    block_on(async {
        let world = World::with(Settings { resumable_seconds: 0, ..prompt_settings() });
        let mut reader = Reader::new(&world, watch(by_page()));
        reader.read().await;
        let (live_id, number) = (reader.last.live_id, reader.last.number);
        drop(reader.stream);
        // The live answer is the last task but the one that listens to the feed.
        while world.platform.tasks.len() > 1 {
            tokio::task::yield_now().await;
        }
        let again = v1::SubscribeRequest { live_id: live_id.clone(), number, ..watch(by_page()) };
        let mut late = Reader::new(&world, again);
        late.read().await;
        assert_eq!(late.snapshots, 1);
        assert_ne!(late.last.live_id, live_id);
    });
}

#[test]
fn the_watermark_alone_is_a_message_without_rows_once_a_second() {
    block_on(async {
        let world = prompt();
        world.commit(0, &[hit(NOW, "/")]).await;
        let mut reader = Reader::new(&world, watch(by_page()));
        reader.read().await;
        let started = tokio::time::Instant::now();
        for n in 1..=20 {
            world.complete_until(NOW.plus_millis(n)).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let complete_until = |reader: &Reader| reader.last.finality.unwrap().complete_until.unwrap().nanos;
        while complete_until(&reader) < 20_000_000 {
            reader.read().await;
            assert!(reader.last.rows.is_empty() && !reader.last.snapshot);
        }
        assert!(reader.messages as u64 <= 1 + started.elapsed().as_secs() + 1, "{}", reader.messages);
    });
}

#[test]
fn what_moves_with_the_time_moves_without_hits() {
    block_on(async {
        let world = prompt();
        world.commit(0, &[hit(NOW.plus_millis(-60_000), "/")]).await;
        let now = v1::QueryRequest {
            merchant_id: MERCHANT.0,
            metrics: vec!["visitors".to_owned()],
            last: Some(prost_types::Duration { seconds: 300, nanos: 0 }),
            ..Default::default()
        };
        let visitors = |reader: &Reader| {
            reader.rows().into_iter().map(|row| row.numbers[0].number.clone()).collect::<Vec<_>>()
        };
        let mut reader = Reader::new(&world, watch(now));
        reader.read().await;
        assert_eq!(visitors(&reader), [Some(v1::number::Number::Count(1))]);
        // Nobody says anything; the window leaves the hit behind.
        world.platform.clock.advance(6 * 60_000);
        reader.read().await;
        assert_eq!(visitors(&reader), [Some(v1::number::Number::Count(0))]);
        assert_eq!(reader.last.removed.len(), 1, "the bucket that began earlier");
    });
}

#[test]
fn missed_events_are_made_up_for() {
    block_on(async {
        let world = prompt();
        let mut reader = Reader::new(&world, watch(by_page()));
        reader.read().await;
        world.commit(0, &[hit(NOW, "/")]).await;
        // More than the feed holds, without a chance to listen in between: the first is lost.
        (0..100).for_each(|_| world.platform.feed.publish(FeedEvent::Watermark));
        reader.read_until(1).await;
        assert_eq!(reader.rows().len(), 1);
    });
}

#[test]
fn a_revoked_key_ends_its_streams_and_a_drain_ends_all() {
    block_on(async {
        let world = prompt();
        let grant = world.platform.catalog.snapshot().authenticate(READ_KEY).unwrap();
        let mut revoked = world.query.subscribe(watch(by_page()), Some(grant)).unwrap();
        let mut other = world.query.subscribe(watch(by_page()), None).unwrap();
        revoked.next().await.unwrap().unwrap();
        other.next().await.unwrap().unwrap();

        world.platform.catalog.apply(&[key(READ_KEY, Role::Read, Some(MERCHANT), Some(NOW))], 2);
        let ended = revoked.next().await.unwrap().unwrap_err();
        assert_eq!(ended.code(), tonic::Code::Unauthenticated);
        assert_eq!(ended.message(), "key hm_r_aaaaaaaa was revoked at 2024-05-17T12:34:20Z");
        assert!(revoked.next().await.is_none());

        world.platform.drain.cancel();
        let ended = other.next().await.unwrap().unwrap_err();
        assert_eq!(ended.code(), tonic::Code::Unavailable);
        world.platform.tasks.close();
        world.platform.tasks.wait().await;
        assert!(world.query.subscribe(watch(by_page()), None).is_err(), "nothing begins in a drain");
    });
}

#[test]
fn subscriptions_have_limits() {
    block_on(async {
        let world =
            World::with(Settings { subscriptions_per_merchant: 2, max_live_rows: 3, ..prompt_settings() });
        let first = world.query.subscribe(watch(by_page()), None).unwrap();
        let _second = world.query.subscribe(watch(by_page()), None).unwrap();
        let refused = world.query.subscribe(watch(by_page()), None).err().unwrap();
        assert_eq!(
            refused.to_string(),
            "merchant 7 has 2 subscriptions open, which is all that it may have: close one first"
        );
        drop(first);
        // Its place is free when its task has seen that.
        let tasks = world.platform.tasks.len();
        while world.platform.tasks.len() == tasks {
            tokio::task::yield_now().await;
        }
        // Seven hours are more rows than may be kept.
        let series = v1::QueryRequest { by: vec![], limit: 0, ..by_page() };
        let mut third = world.query.subscribe(watch(series), None).unwrap();
        let ended = third.next().await.unwrap().unwrap_err();
        assert_eq!(ended.code(), tonic::Code::ResourceExhausted);
    });
}

#[test]
fn who_does_not_read_is_dropped() {
    block_on(async {
        let world = World::with(Settings { stalled_seconds: 0, resumable_seconds: 0, ..prompt_settings() });
        let mut stream = world.query.subscribe(watch(by_page()), None).unwrap();
        // The first message waits in the stream; the second finds no room, and nobody waits with it.
        while world.platform.tasks.len() > 1 {
            world.commit(0, &[hit(NOW, "/")]).await;
            tokio::task::yield_now().await;
        }
        assert!(stream.next().await.unwrap().unwrap().snapshot);
        let ended = stream.next().await.unwrap().unwrap_err();
        assert_eq!(ended.code(), tonic::Code::ResourceExhausted);
        assert_eq!(
            ended.message(),
            "the stream was not read for 0ns and is closed: subscribe again, with the live_id and number of the last \
             message to go on"
        );
        assert!(stream.next().await.is_none());
    });
}
