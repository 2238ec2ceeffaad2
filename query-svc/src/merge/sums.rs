use aggregate::{Counts, Merge, MoneySums, Quarters, Row, Union};
use model::{Count, Currency, Metric, MoneyKind, Ratio, Unit};
use proto::v1;
use proto::v1::number::Number;

/// What one row is made of.
#[derive(Default)]
pub(super) struct Sums {
    counts: Counts,
    money: MoneySums,
    /// The distinct visitors, if somebody asks for them.
    pub(super) visitors: Union,
}

impl Sums {
    pub(super) fn add(&mut self, row: &Row, quarters: Quarters, with_visitors: bool) {
        for (_, slot) in row.slots().filter(|(quarter, _)| quarters.has(*quarter)) {
            self.counts.merge(&slot.counts);
            self.money.merge(&slot.money);
        }
        // A union is by far the largest part of the work: only where somebody wants to know.
        if with_visitors {
            self.visitors.add(&row.visitors, quarters);
        }
    }

    /// The value of a metric; none where there is nothing to divide by.
    pub(super) fn number(&self, metric: Metric, visitors: u64) -> v1::Number {
        let number = match metric {
            Metric::Count(count) => Some(Number::Count(self.count(count))),
            Metric::Visitors => Some(Number::Count(visitors)),
            Metric::Money(kind) => Some(money(self.money.of(kind).collect())),
            Metric::NetRevenue => Some(money(self.net(MoneyKind::Revenue, MoneyKind::Refunds))),
            Metric::NetItemRevenue => Some(money(self.net(MoneyKind::ItemRevenue, MoneyKind::ItemRefunds))),
            Metric::AvgOrderValue => Some(money(self.avg_order_value())),
            Metric::Ratio(ratio) => self.ratio(ratio).map(Number::Ratio),
            // No report that every merchant has keeps values.
            Metric::Percentile(..) => None,
        };
        v1::Number { number }
    }

    /// Counts are signed to be taken back; the sum of what happened is never below zero.
    fn count(&self, count: Count) -> u64 {
        self.counts.get(count).max(0) as u64
    }

    fn ratio(&self, ratio: Ratio) -> Option<f64> {
        let (part, whole) = ratio.of();
        let (part, whole) = (self.count(part), self.count(whole));
        let part = if ratio == Ratio::BounceRate { whole.saturating_sub(part) } else { part };
        let quotient = (whole > 0).then(|| part as f64 / whole as f64)?;
        // Durations are kept in milliseconds.
        Some(if Metric::Ratio(ratio).unit() == Unit::Seconds { quotient / 1_000.0 } else { quotient })
    }

    fn net(&self, plus: MoneyKind, minus: MoneyKind) -> Vec<(Currency, i128)> {
        let mut net = MoneySums::IDENTITY;
        self.money.of(plus).for_each(|(currency, micros)| net.add(currency, plus, micros));
        self.money.of(minus).for_each(|(currency, micros)| net.add(currency, plus, -micros));
        net.of(plus).collect()
    }

    /// In each currency by itself, to the nearest millionth, halves away from zero.
    fn avg_order_value(&self) -> Vec<(Currency, i128)> {
        let revenue = |currency| {
            let mut sums = self.money.of(MoneyKind::Revenue);
            sums.find(|(known, _)| *known == currency).map_or(0, |(_, micros)| micros)
        };
        let orders = self.money.of(MoneyKind::Orders).filter(|(_, orders)| *orders > 0);
        orders
            .map(|(currency, orders)| {
                let doubled = 2 * revenue(currency);
                (currency, (doubled + doubled.signum() * orders) / (2 * orders))
            })
            .collect()
    }
}

fn money(sums: Vec<(Currency, i128)>) -> Number {
    let sums = sums.into_iter().map(|(currency, micros)| v1::Money {
        currency: currency.to_string(),
        micros: micros.clamp(i64::MIN.into(), i64::MAX.into()) as i64,
    });
    Number::Money(v1::MoneySums { sums: sums.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums() -> Sums {
        let mut row = Row::default();
        let slot = row.slot(1);
        for (count, n) in [
            (Count::Sessions, 8),
            (Count::EngagedSessions, 6),
            (Count::SessionDurationMs, 100_000),
            (Count::PageViews, 20),
        ] {
            slot.counts.add(count, n);
        }
        let euro = "EUR".parse().unwrap();
        for (kind, micros) in
            [(MoneyKind::Revenue, 10_000_000), (MoneyKind::Orders, 3), (MoneyKind::Refunds, 4_000_000)]
        {
            slot.money.add(euro, kind, micros);
        }
        slot.money.add("USD".parse().unwrap(), MoneyKind::Refunds, 1_000_000);
        let mut sums = Sums::default();
        sums.add(&row, Quarters::ALL, false);
        sums
    }

    fn number(metric: &str) -> String {
        match sums().number(metric.parse().unwrap(), 0).number {
            Some(Number::Count(n)) => n.to_string(),
            Some(Number::Ratio(ratio)) => ratio.to_string(),
            Some(Number::Money(money)) => money
                .sums
                .iter()
                .map(|sum| format!("{} {}", sum.currency, sum.micros))
                .collect::<Vec<_>>()
                .join(", "),
            None => "none".to_owned(),
        }
    }

    #[test]
    fn derived_numbers_by_hand() {
        assert_eq!(number("engagement_rate"), "0.75");
        assert_eq!(number("bounce_rate"), "0.25");
        assert_eq!(number("pages_per_session"), "2.5");
        assert_eq!(number("avg_session_duration"), "12.5", "seconds");
        assert_eq!(number("exit_rate"), "0");
        assert_eq!(number("cart_to_view_rate"), "none", "nothing was viewed");
        assert_eq!(number("net_revenue"), "EUR 6000000, USD -1000000");
        assert_eq!(number("avg_order_value"), "EUR 3333333");
    }
}
