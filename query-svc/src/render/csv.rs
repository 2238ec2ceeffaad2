use std::collections::BTreeSet;

use proto::v1;
use proto::v1::number::Number;

use super::{amount, instant, metrics, number};
use crate::Zone;

/// An answer as CSV with a line of names: `start`, the dimensions, the metrics. Money has one column for each
/// currency that occurs (`revenue_EUR`), so that every cell is one number.
pub fn csv(answer: &v1::QueryResponse, zone: &Zone) -> Result<String, csv::Error> {
    let columns: Vec<_> =
        metrics(&answer.methods).enumerate().flat_map(|(at, name)| columns(answer, at, name)).collect();
    let mut out = csv::Writer::from_writer(Vec::new());
    let names = columns.iter().map(|column| column.name.clone());
    out.write_record(["start".to_owned()].into_iter().chain(answer.by.iter().cloned()).chain(names))?;
    for row in &answer.rows {
        let start = zone.rfc_3339(instant(row.start.as_ref()));
        let cells = columns.iter().map(|column| column.cell(row));
        out.write_record([start].into_iter().chain(row.dimensions.iter().cloned()).chain(cells))?;
    }
    let bytes = out.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

struct Column {
    name: String,
    /// Which of a row's numbers.
    at: usize,
    currency: Option<String>,
}

fn columns(answer: &v1::QueryResponse, at: usize, metric: &str) -> Vec<Column> {
    let mut currencies = BTreeSet::new();
    for row in &answer.rows {
        if let Some(Number::Money(money)) = number(row, at) {
            currencies.extend(money.sums.iter().map(|sum| sum.currency.clone()));
        }
    }
    let of_currency =
        |currency| Column { name: format!("{metric}_{currency}"), at, currency: Some(currency) };
    match currencies.is_empty() {
        true => vec![Column { name: metric.to_owned(), at, currency: None }],
        false => currencies.into_iter().map(of_currency).collect(),
    }
}

impl Column {
    fn cell(&self, row: &v1::Row) -> String {
        match number(row, self.at) {
            Some(Number::Count(n)) => n.to_string(),
            Some(Number::Money(money)) => {
                let sum = money.sums.iter().find(|sum| Some(&sum.currency) == self.currency.as_ref());
                sum.map_or_else(|| "0.00".to_owned(), amount)
            }
            Some(Number::Ratio(ratio)) => ratio.to_string(),
            None => String::new(),
        }
    }
}
