//! Every number that can be asked for, so that two installations can be held against each other.

use std::collections::BTreeMap;
use std::ops::Range;

use model::{Dimension, Metric};
use prost_types::Timestamp;
use proto::v1::{Granularity, QueryRequest, Row};

use crate::system::site::Site;

/// All metrics, without a dimension and by each of them, by hour: the rows in the order of the answer.
pub(super) async fn all(site: &Site, merchant: u64, seconds: Range<i64>) -> BTreeMap<String, Vec<Row>> {
    let mut answers = BTreeMap::new();
    let mut asker = site.query().await;
    for (by, metrics) in questions() {
        let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
        let request = QueryRequest {
            merchant_id: merchant,
            metrics,
            by: if by.is_empty() { Vec::new() } else { vec![by.clone()] },
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

/// Each dimension by itself, and none, with all metrics that its report has.
fn questions() -> Vec<(String, Vec<String>)> {
    let asked = |cube: &rules::Cube| {
        Metric::all()
            .filter(|metric| cube.keeps.cover(&metric.needs()))
            .map(|metric| metric.to_string())
            .collect()
    };
    let cubes = rules::cube::built_in();
    let of = |dimension: &Dimension| {
        let fits = cubes.iter().filter(|cube| cube.dimensions.contains(dimension) && cube.filter.is_always());
        fits.min_by_key(|cube| cube.dimensions.len())
    };
    let by = Dimension::BUILT_IN.into_iter().filter(|dimension| !dimension.is_optional());
    let by = by.filter_map(|dimension| Some((dimension.to_string(), asked(of(&dimension)?))));
    std::iter::once((String::new(), asked(&cubes[0]))).chain(by).collect()
}

/// Holds two installations against each other, a dimension at a time, so that a failure shows which.
pub(super) async fn compare(one: &Site, other: &Site, merchant: u64, seconds: Range<i64>) {
    let (ones, others) = (all(one, merchant, seconds.clone()).await, all(other, merchant, seconds).await);
    assert_eq!(ones.len(), questions().len());
    for (by, rows) in &ones {
        assert!(!rows.is_empty(), "there is nothing by {by:?}");
        assert_eq!(rows, &others[by], "by {by:?}");
    }
}
