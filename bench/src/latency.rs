use std::time::Duration;

use hdrhistogram::Histogram;

use crate::report::Latency;

/// Durations, counted in microseconds with three digits.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(Histogram<u64>);

/// An hour: what takes longer is shown as this long.
const LONGEST_US: u64 = 3_600_000_000;

impl Latencies {
    /// None yet.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, LONGEST_US, 3)?))
    }

    /// So many things took so long.
    pub(crate) fn record(&mut self, took: Duration, things: u64) {
        self.0.saturating_record_n(u64::try_from(took.as_micros()).unwrap_or(LONGEST_US), things);
    }

    /// What was recorded elsewhere is in here too.
    pub(crate) fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// How many were recorded.
    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    /// For the report.
    pub(crate) fn summary(&self) -> Latency {
        let ms = |us: u64| us as f64 / 1_000.0;
        let at = |quantile| ms(self.0.value_at_quantile(quantile));
        Latency {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: ms(self.0.max()),
            of: self.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_things_and_not_of_the_records() {
        let mut latencies = Latencies::new().unwrap();
        latencies.record(Duration::from_millis(1), 50);
        latencies.record(Duration::from_millis(10), 49);
        let mut other = Latencies::new().unwrap();
        other.record(Duration::from_millis(100), 1);
        latencies.add(&other).unwrap();
        let Latency { p50, p90, p99, p999, max, of } = latencies.summary();
        // Three digits: a value stands for the highest one that it cannot be told from.
        let near = |found: f64, expected: f64| (found - expected).abs() <= expected / 1_000.0;
        assert!(
            near(p50, 1.0) && near(p90, 10.0) && near(p99, 10.0) && near(p999, 100.0) && near(max, 100.0)
        );
        assert_eq!(of, 100);
    }
}
