//! Reads a merchant's numbers over gRPC, in the form in which the reference program prints them.

use std::collections::BTreeMap;

use prost_types::Timestamp;
use proto::v1::number::Number as Kind;
use proto::v1::{AuditRequest, Granularity, QueryRequest, QueryResponse, Row, method};
use serde_json::{Value, json};

use super::site::Site;

/// 2015-05-17T00:00:00Z and 2015-05-22T00:00:00Z: the days of the log, and a day in which everything ends.
pub(super) const DAYS: (i64, i64) = (1_431_820_800, 1_432_252_800);

/// Everything of the reference program's output that is about hits.
pub(super) async fn numbers(server: &Site, merchant: u64) -> Value {
    let hour = async |metric| by_time(&ask(server, merchant, metric, "", Granularity::Hour).await);
    let value = async |by| by_value(&ask(server, merchant, "hits", by, Granularity::Total).await);
    let total = async |metric| only(&ask(server, merchant, metric, "", Granularity::Total).await);
    json!({
        "hits": total("hits").await,
        "hits_by_hour": hour("hits").await,
        "hits_by_page": value("page").await,
        "hits_by_referrer_host": value("referrer_host").await,
        "visitors": total("visitors").await,
        "visitors_by_hour": hour("visitors").await,
        "sessions": total("sessions").await,
        "sessions_by_hour": hour("sessions").await,
        "new_visitors_by_hour": hour("new_visitors").await,
    })
}

/// Hits by name.
pub(super) async fn hits_by_name(server: &Site, merchant: u64) -> BTreeMap<String, u64> {
    by_value(&ask(server, merchant, "hits", "hit_name", Granularity::Total).await)
}

/// Audits: every accepted hit must be counted or a duplicate. Gives how many of each.
pub(super) async fn audited(server: &Site, merchant: u64) -> (u64, u64) {
    let audit =
        server.query().await.audit(AuditRequest { merchant_id: merchant }).await.unwrap().into_inner();
    assert!(audit.balanced, "{audit:?}");
    let (mut counted, mut duplicate) = (0, 0);
    for hour in &audit.hours {
        assert_eq!(hour.accepted, hour.counted + hour.duplicate, "{hour:?}");
        assert!(hour.refused.iter().all(|refused| refused.hits == 0), "{hour:?}");
        counted += hour.counted;
        duplicate += hour.duplicate;
    }
    (counted, duplicate)
}

async fn ask(
    server: &Site,
    merchant: u64,
    metric: &str,
    by: &str,
    granularity: Granularity,
) -> QueryResponse {
    let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
    let request = QueryRequest {
        merchant_id: merchant,
        metrics: vec![metric.to_owned()],
        by: if by.is_empty() { Vec::new() } else { vec![by.to_owned()] },
        granularity: granularity.into(),
        from: at(DAYS.0),
        to: at(DAYS.1),
        ..QueryRequest::default()
    };
    let answer = server.query().await.query(request).await.unwrap().into_inner();
    assert!(answer.methods.iter().all(|m| m.kind() == method::Kind::Exact), "{:?}", answer.methods);
    answer
}

fn only(answer: &QueryResponse) -> u64 {
    assert_eq!(answer.rows.len(), 1);
    count(&answer.rows[0])
}

/// The reference leaves out hours without hits.
fn by_time(answer: &QueryResponse) -> BTreeMap<String, u64> {
    let hours: BTreeMap<_, _> = answer.rows.iter().map(|row| (start(row), count(row))).collect();
    assert_eq!(hours.len() as i64, (DAYS.1 - DAYS.0) / 3_600, "every hour is there, once");
    hours.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn by_value(answer: &QueryResponse) -> BTreeMap<String, u64> {
    let values: BTreeMap<_, _> =
        answer.rows.iter().map(|row| (row.dimensions[0].clone(), count(row))).collect();
    assert_eq!(values.len(), answer.rows.len(), "every value is there once");
    values
}

fn start(row: &Row) -> String {
    row.start.unwrap().to_string()
}

fn count(row: &Row) -> u64 {
    match row.numbers[0].number {
        Some(Kind::Count(count)) => count,
        ref other => panic!("{other:?} is no count"),
    }
}
