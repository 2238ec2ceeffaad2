//! A cache changes how long an answer takes, and nothing else.

use model::Timestamp;
use proptest::prelude::*;
use proto::v1;
use query_svc::Settings;

use crate::world::{Hit, MERCHANT, NOW, World, block_on, hits};

fn request(granularity: v1::Granularity, by: bool) -> v1::QueryRequest {
    v1::QueryRequest {
        merchant_id: MERCHANT.0,
        metrics: ["hits", "visitors", "value"].map(str::to_owned).to_vec(),
        by: by.then(|| "page".to_owned()).into_iter().collect(),
        granularity: granularity.into(),
        last: Some(prost_types::Duration { seconds: 4 * 86_400, nanos: 0 }),
        ..Default::default()
    }
}

fn queries() -> [v1::QueryRequest; 3] {
    [
        request(v1::Granularity::Hour, false),
        request(v1::Granularity::Day, true),
        request(v1::Granularity::Total, true),
    ]
}

fn hit(at: Timestamp, partition: u16) -> Hit {
    Hit { at, page: "/", visitor: 1, view: true, money: None, partition }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Commits of any size come between the queries, also while days end: with and without cache the answers are the
    /// same.
    #[test]
    fn answers_are_the_same_with_and_without_cache(
        commits in prop::collection::vec((hits(NOW, 96, 0..8), 0i64..40), 1..6),
    ) {
        block_on(async {
            let world = World::new();
            let uncached = world.query_with(Settings { cache_bytes: 0, ..Settings::default() });
            for (hits, hours) in &commits {
                world.commit_all(hits).await;
                world.platform.clock.advance(hours * 3_600_000);
                for request in queries() {
                    let cached = world.query.answer(&request).await.unwrap();
                    prop_assert_eq!(&cached, &uncached.answer(&request).await.unwrap());
                    prop_assert_eq!(&cached, &world.query.answer(&request).await.unwrap(), "from the cache");
                }
            }
            Ok(())
        })?;
    }
}

#[test]
fn what_is_in_the_cache_is_not_read_again_until_it_changes() {
    block_on(async {
        let world = World::new();
        let (old, recent) = (NOW.plus_millis(-3 * 86_400_000), NOW.plus_millis(-3_600_000));
        world.commit_all(&[hit(old, 0), hit(old.plus_millis(3_600_000), 1), hit(recent, 0)]).await;
        let scans = async || {
            let before = world.store.scans();
            world.query.answer(&request(v1::Granularity::Hour, false)).await.unwrap();
            world.store.scans() - before
        };
        // Progress and touched are read for every answer; then one scan for each chunk: a day and an hour.
        assert_eq!(scans().await, 2 + 2);
        assert_eq!(scans().await, 2);
        // A late hit into the old day: that day is read again, and nothing else.
        world.commit(2, &[hit(old, 2)]).await;
        assert_eq!(scans().await, 2 + 1);
        // Another query of the same cells shares them.
        let before = world.store.scans();
        world
            .query
            .answer(&v1::QueryRequest {
                time_zone: "Asia/Kathmandu".to_owned(),
                ..request(v1::Granularity::Week, false)
            })
            .await
            .unwrap();
        assert_eq!(world.store.scans() - before, 2);
    });
}

#[test]
fn queries_that_come_together_read_once() {
    block_on(async {
        let world = World::new();
        world.commit(0, &[hit(NOW.plus_millis(-2 * 86_400_000), 0)]).await;
        let request = request(v1::Granularity::Day, true);
        let before = world.store.scans();
        let answers = futures::future::join_all((0..20).map(|_| world.query.answer(&request))).await;
        assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == answers[0].as_ref().unwrap()));
        assert_eq!(world.store.scans() - before, 20 * 2 + 1);
    });
}

#[test]
fn an_answer_with_too_many_rows_is_refused_and_says_what_to_do() {
    block_on(async {
        let world = World::new();
        let query = world.query_with(Settings { max_rows: 96, ..Settings::default() });
        let refused = query.answer(&request(v1::Granularity::Hour, false)).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the answer has more than 96 rows: ask for a shorter range, wider buckets or a limit, or use StreamQuery"
        );
        assert_eq!(refused.kind(), model::Kind::Exhausted);
    });
}
