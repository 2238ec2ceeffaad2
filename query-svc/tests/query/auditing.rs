//! The audit against a log made by hand.

use bytes::Bytes;
use keyspace::cell::{Cell, CellKey};
use keyspace::fate::{self, Fates};
use keyspace::progress::{self, Progress};
use keyspace::record::{BatchEntry, RecordBuilder, RefusedEntry, RefusedHits};
use model::{
    CubeId, DataStreamId, Fate, Generation, Hour, Lane, MerchantId, Partition, Position, Refusal, Timestamp,
};
use prost::Message;
use proto::v1;
use store::{Batch, Store};

use crate::world::{MERCHANT, NOW, World, block_on};

fn batch(hits: usize) -> Vec<u8> {
    let hit = v1::Hit { name: "page_view".to_owned(), ..Default::default() };
    v1::Batch { first_seq: 1, hits: vec![hit; hits], ..Default::default() }.encode_to_vec()
}

/// A record with a batch of a merchant, and beside it one of somebody else.
fn record(merchant: MerchantId, at: Timestamp, hits: usize, refused: &[(u32, Refusal)]) -> Bytes {
    let mut builder = RecordBuilder::default();
    for (merchant, hits, refused) in [(MerchantId(99), 5, &[][..]), (merchant, hits, refused)] {
        let batch = batch(hits);
        let entry = BatchEntry {
            merchant,
            received_at: at,
            data_stream: DataStreamId(1),
            rules_version: 1,
            lane: Lane::Live,
            client_id: "c",
            epoch: 1,
            context: b"",
            refused: RefusedHits::default(),
            batch: &batch,
        };
        builder.batch(&entry, refused);
    }
    builder.finish()
}

fn refused(at: Timestamp, reason: Refusal, hits: u64) -> Bytes {
    let mut builder = RecordBuilder::default();
    builder.refused(&RefusedEntry { merchant: MERCHANT, received_at: at, reason, hits });
    builder.finish()
}

async fn folded(world: &World, partition: u16, through: Position, fates: &[(Hour, Fates)]) {
    let (partition, generation) = (Partition(partition), Generation::FIRST);
    let mut batch = Batch::default();
    let progress =
        Progress { applied_through: through, commits: 1, state_through: None, slots: Default::default() };
    batch.put(progress::key(MERCHANT, generation, partition), progress.encode());
    for (hour, fates) in fates {
        batch.put(fate::key(MERCHANT, generation, *hour, partition), fates.encode());
    }
    world.store.commit(batch).await.unwrap();
    in_cells(world, partition, fates.iter().map(|(_, fates)| fates.of(Fate::Counted)).sum()).await;
}

/// The cells of a partition hold so many hits.
async fn in_cells(world: &World, partition: Partition, hits: u64) {
    let mut cell = Cell::default();
    cell.row(b"").slot(0).counts.add(model::Count::Hits, hits as i64);
    let (generation, cube, hour) = (Generation::FIRST, CubeId::TOTAL, NOW.hour());
    let key = CellKey { merchant: MERCHANT, generation, cube, hour, partition };
    let mut batch = Batch::default();
    batch.put(key.encode(), cell.encode());
    world.store.commit(batch).await.unwrap();
}

fn fates(counts: &[(Fate, u64)], refusals: &[(Refusal, u64)]) -> Fates {
    let mut fates = Fates::default();
    counts.iter().for_each(|(fate, hits)| fates.add(*fate, *hits));
    refusals.iter().for_each(|(reason, hits)| fates.refuse(*reason, *hits));
    fates
}

fn shown(audit: &v1::AuditResponse) -> String {
    let mut lines = vec![format!("balanced {}", audit.balanced)];
    let at = |at: Option<prost_types::Timestamp>| Timestamp(at.unwrap().seconds * 1_000);
    lines.push(format!("from {} until {}", at(audit.audited_from), at(audit.audited_until)));
    for hour in &audit.hours {
        let refused: Vec<_> = hour.refused.iter().map(|r| format!("{} {}", r.reason, r.hits)).collect();
        lines.push(format!(
            "{}: accepted {} = {} + {} + {} + {}; refused {}",
            at(hour.start),
            hour.accepted,
            hour.counted,
            hour.duplicate,
            hour.filtered,
            hour.dead_lettered,
            refused.join(", ")
        ));
    }
    lines.join("\n")
}

/// Two hours in two partitions, and a record that is not folded yet.
async fn two_hours() -> World {
    let world = World::new();
    let (one, two) = (NOW.plus_millis(-3_600_000), NOW);
    let log = &world.log;
    log.put(Partition(0), one, record(MERCHANT, one, 10, &[(3, Refusal::BadName), (4, Refusal::BadName)]));
    log.put(Partition(0), one, refused(one, Refusal::OverQuota, 7));
    let through = log.put(Partition(0), two, record(MERCHANT, two, 4, &[]));
    log.put(Partition(0), two, record(MERCHANT, two, 100, &[]));
    let other = log.put(Partition(2), two, record(MERCHANT, two, 3, &[(0, Refusal::TooOld)]));
    let first =
        fates(&[(Fate::Counted, 6), (Fate::Duplicate, 2)], &[(Refusal::BadName, 2), (Refusal::OverQuota, 7)]);
    folded(
        &world,
        0,
        through,
        &[(one.hour(), first), (two.hour(), fates(&[(Fate::Counted, 3), (Fate::Filtered, 1)], &[]))],
    )
    .await;
    folded(&world, 2, other, &[(two.hour(), fates(&[(Fate::DeadLettered, 2)], &[(Refusal::TooOld, 1)]))])
        .await;
    world.complete_until(NOW).await;
    world
}

#[test]
fn books_balance_hour_by_hour() {
    block_on(async {
        let world = two_hours().await;
        expect_test::expect![[r#"
            balanced true
            from 1970-01-01T00:00:00Z until 2024-05-17T12:34:20Z
            2024-05-17T11:00:00Z: accepted 8 = 6 + 2 + 0 + 0; refused bad_name 2, over_quota 7
            2024-05-17T12:00:00Z: accepted 6 = 3 + 0 + 1 + 2; refused too_old 1"#]]
        .assert_eq(&shown(&world.query.audit(MERCHANT).await.unwrap()));
    });
}

#[test]
fn a_lost_hit_a_hit_too_many_and_a_refusal_too_many_are_found() {
    block_on(async {
        for wrong in [
            fates(&[(Fate::Counted, 1), (Fate::DeadLettered, 0)], &[(Refusal::TooOld, 1)]),
            fates(&[(Fate::Counted, 3)], &[(Refusal::TooOld, 1)]),
            fates(&[(Fate::DeadLettered, 2)], &[(Refusal::TooOld, 2)]),
        ] {
            let world = two_hours().await;
            folded(&world, 2, Position::START, &[(NOW.hour(), wrong.clone())]).await;
            assert!(!world.query.audit(MERCHANT).await.unwrap().balanced, "{wrong:?}");
        }
    });
}

#[test]
fn a_hit_that_was_counted_and_is_in_no_cell_is_found() {
    block_on(async {
        for hits in [0, 5, 7] {
            let world = two_hours().await;
            in_cells(&world, Partition(0), hits).await;
            assert!(!world.query.audit(MERCHANT).await.unwrap().balanced, "{hits} hits instead of 9");
        }
    });
}

#[test]
fn hours_of_which_records_are_gone_are_not_audited() {
    block_on(async {
        let world = two_hours().await;
        // The first record left was appended in the hour before, so that hour may have lost some.
        world.log.forget_first(Partition(0));
        expect_test::expect![[r#"
            balanced true
            from 2024-05-17T12:00:00Z until 2024-05-17T12:34:20Z
            2024-05-17T12:00:00Z: accepted 6 = 3 + 0 + 1 + 2; refused too_old 1"#]]
        .assert_eq(&shown(&world.query.audit(MERCHANT).await.unwrap()));

        // Nothing is left of the other partition: only what comes from now on can be audited.
        world.log.forget_first(Partition(2));
        expect_test::expect![[r#"
            balanced true
            from 2024-05-17T13:00:00Z until 2024-05-17T12:34:20Z"#]]
        .assert_eq(&shown(&world.query.audit(MERCHANT).await.unwrap()));
    });
}

#[test]
fn a_damaged_record_is_said_to_be_damaged() {
    block_on(async {
        let world = World::new();
        let through = world.log.put(Partition(0), NOW, Bytes::from_static(b"rubbish"));
        folded(&world, 0, through, &[]).await;
        let failed = world.query.audit(MERCHANT).await.unwrap_err();
        assert_eq!(failed.kind(), model::Kind::Corrupt);
        assert_eq!(
            failed.to_string(),
            "a record is damaged: position 0 of partition 0: version of a record 114 is not known"
        );
    });
}
