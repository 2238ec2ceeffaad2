//! Numbers of now, once they are complete.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use proto::v1::number::Number as Kind;
use proto::v1::{AuditRequest, Granularity, QueryRequest, QueryResponse};

use super::site::Site;

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Hits by name, of the last hours, when everything acknowledged before this call is in them.
pub(super) async fn hits_by_name(server: &Site, merchant_id: u64) -> BTreeMap<String, u64> {
    hits_by(server, merchant_id, "hit_name").await
}

/// The same, by any dimension.
pub(super) async fn hits_by(server: &Site, merchant_id: u64, dimension: &str) -> BTreeMap<String, u64> {
    let count = |number: &Option<Kind>| match number {
        Some(Kind::Count(count)) => *count,
        other => panic!("{other:?} is no count"),
    };
    let answer = until(server, merchant_id, dimension, now_ms()).await;
    answer.rows.into_iter().map(|row| (row.dimensions[0].clone(), count(&row.numbers[0].number))).collect()
}

/// Returns when everything acknowledged before this call can be asked for.
pub(super) async fn caught_up(server: &Site, merchant_id: u64) {
    until(server, merchant_id, "hit_name", now_ms()).await;
}

/// Up to when the numbers are complete now, in milliseconds since 1970.
#[cfg(feature = "cluster")]
pub(super) async fn until_ms(server: &Site, merchant_id: u64) -> i64 {
    let query = QueryRequest { merchant_id, metrics: vec!["hits".to_owned()], ..QueryRequest::default() };
    complete_until_ms(&server.query().await.query(query).await.unwrap().into_inner())
}

/// The hits of the last hours by a dimension, complete up to an instant.
async fn until(server: &Site, merchant_id: u64, dimension: &str, at_ms: i64) -> QueryResponse {
    let query = QueryRequest {
        merchant_id,
        metrics: vec!["hits".to_owned()],
        by: vec![dimension.to_owned()],
        granularity: Granularity::Total.into(),
        last: Some(prost_types::Duration { seconds: 6 * 3_600, nanos: 0 }),
        ..QueryRequest::default()
    };
    let (began, mut asker) = (Instant::now(), server.query().await);
    while began.elapsed() < PATIENCE {
        let answer = asker.query(query.clone()).await.unwrap().into_inner();
        if complete_until_ms(&answer) > at_ms {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the numbers are not complete after {PATIENCE:?}");
}

/// Up to when an answer is complete, in milliseconds since 1970.
pub(super) fn complete_until_ms(answer: &QueryResponse) -> i64 {
    let until = answer.finality.unwrap().complete_until.unwrap();
    until.seconds * 1_000 + i64::from(until.nanos) / 1_000_000
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a client from outside, whose clock is the machine's")]
pub(super) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// Every accepted hit has one fate.
pub(super) async fn balanced(server: &Site, merchant_id: u64) {
    let audit = server.query().await.audit(AuditRequest { merchant_id }).await.unwrap().into_inner();
    assert!(audit.balanced, "{audit:?}");
}
