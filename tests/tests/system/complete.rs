//! Numbers of now, once they are complete.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proto::v1::number::Number as Kind;
use proto::v1::{AuditRequest, Granularity, QueryRequest};

use super::server::Server;

/// Hits by name, of the last hours, when everything acknowledged before this call is in them.
pub(super) async fn hits_by_name(server: &Server, merchant_id: u64) -> BTreeMap<String, u64> {
    let asked = now_ms();
    let query = QueryRequest {
        merchant_id,
        metrics: vec!["hits".to_owned()],
        by: vec!["hit_name".to_owned()],
        granularity: Granularity::Total.into(),
        last: Some(prost_types::Duration { seconds: 6 * 3_600, nanos: 0 }),
        ..QueryRequest::default()
    };
    for _ in 0..600 {
        let answer = server.query().await.query(query.clone()).await.unwrap().into_inner();
        let until = answer.finality.unwrap().complete_until.unwrap();
        if until.seconds * 1_000 + i64::from(until.nanos) / 1_000_000 > asked {
            let count = |number: &Option<Kind>| match number {
                Some(Kind::Count(count)) => *count,
                other => panic!("{other:?} is no count"),
            };
            return answer
                .rows
                .into_iter()
                .map(|row| (row.dimensions[0].clone(), count(&row.numbers[0].number)))
                .collect();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the numbers are not complete after a minute");
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a client from outside, whose clock is the machine's")]
pub(super) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// Every accepted hit has one fate.
pub(super) async fn balanced(server: &Server, merchant_id: u64) {
    let audit = server.query().await.audit(AuditRequest { merchant_id }).await.unwrap().into_inner();
    assert!(audit.balanced, "{audit:?}");
}
