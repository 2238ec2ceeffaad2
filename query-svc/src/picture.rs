use std::collections::BTreeMap;

use model::{Currency, Metric};
use proto::v1;

use crate::Ask;
use crate::merge::order::sort;

/// What a subscriber has: the answer, kept up to date by the messages of its subscription.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Which of a row's numbers the rows of a bucket are ordered by; `None` is the dimension.
    column: Option<usize>,
    ascending: bool,
    currency: Currency,
    /// Rows by start, then dimensions.
    rows: BTreeMap<(i64, Vec<String>), v1::Row>,
    /// The last message, without its rows.
    last: v1::SubscribeResponse,
}

impl Picture {
    /// An empty picture of a query.
    pub fn new(ask: &Ask) -> Self {
        Self {
            column: ask.order.metric.and_then(|metric| column(&ask.metrics, metric)),
            ascending: ask.order.ascending,
            currency: ask.order.currency,
            rows: BTreeMap::new(),
            last: v1::SubscribeResponse::default(),
        }
    }

    /// Takes in a message.
    pub fn apply(&mut self, mut message: v1::SubscribeResponse) {
        if message.snapshot {
            self.rows.clear();
        }
        for gone in message.removed.drain(..) {
            // What came and went since the last message was never here.
            self.rows.remove(&id(&gone));
        }
        self.rows.extend(message.rows.drain(..).map(|row| (id(&row), row)));
        self.last = message;
    }

    /// The answer as it is now: what Query answers at the same revision.
    pub fn answer(&self) -> v1::QueryResponse {
        let mut buckets: BTreeMap<i64, Vec<(v1::Row, ())>> = BTreeMap::new();
        for ((start, _), row) in &self.rows {
            buckets.entry(*start).or_default().push((row.clone(), ()));
        }
        for bucket in buckets.values_mut() {
            sort(bucket, self.column, self.ascending, self.currency, usize::MAX);
        }
        v1::QueryResponse {
            rows: buckets.into_values().flatten().map(|(row, ())| row).collect(),
            finality: self.last.finality,
            methods: self.last.methods.clone(),
            by: self.last.by.clone(),
        }
    }

    /// Adds to a request where to go on after a break.
    pub fn resume(&self, request: &mut v1::SubscribeRequest) {
        request.live_id.clone_from(&self.last.live_id);
        request.number = self.last.number;
    }
}

/// Which of a row's numbers a metric is.
pub(crate) fn column(metrics: &[Metric], metric: Metric) -> Option<usize> {
    metrics.iter().position(|other| *other == metric)
}

fn id(row: &v1::Row) -> (i64, Vec<String>) {
    (crate::render::instant(row.start.as_ref()).0, row.dimensions.clone())
}
