//! Every number that can be asked for, so that two installations can be held against each other.

use std::collections::BTreeMap;
use std::ops::Range;

use model::{Dimension, Metric};
use prost_types::Timestamp;
use proto::v1::{Granularity, QueryRequest, Row};

use crate::system::site::Site;

/// All metrics, without a dimension and by each of them, by hour: the rows in the order of the answer.
pub(super) async fn all(site: &Site, merchant: u64, seconds: Range<i64>) -> BTreeMap<&'static str, Vec<Row>> {
    let mut answers = BTreeMap::new();
    let mut asker = site.query().await;
    for by in std::iter::once("").chain(Dimension::ALL.map(Dimension::name)) {
        let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
        let request = QueryRequest {
            merchant_id: merchant,
            metrics: Metric::ALL.map(|metric| metric.name().to_owned()).to_vec(),
            by: if by.is_empty() { Vec::new() } else { vec![by.to_owned()] },
            granularity: Granularity::Hour.into(),
            from: at(seconds.start),
            to: at(seconds.end),
            ..QueryRequest::default()
        };
        let mut pieces = asker.stream_query(request).await.unwrap().into_inner();
        let rows: &mut Vec<Row> = answers.entry(by).or_default();
        while let Some(piece) = pieces.message().await.unwrap() {
            rows.extend(piece.rows);
        }
    }
    answers
}

/// Holds two installations against each other, a dimension at a time, so that a failure shows which.
pub(super) async fn compare(one: &Site, other: &Site, merchant: u64, seconds: Range<i64>) {
    let (ones, others) = (all(one, merchant, seconds.clone()).await, all(other, merchant, seconds).await);
    assert_eq!(ones.len(), 1 + Dimension::ALL.len());
    for (by, rows) in &ones {
        assert!(!rows.is_empty(), "there is nothing by {by:?}");
        assert_eq!(rows, &others[by], "by {by:?}");
    }
}
