//! What was counted in the end, asked from outside, and whether it is what was sent.

use std::time::Duration;

use anyhow::bail;
use clock::Clock;
use proto::v1;
use proto::v1::number::Number;

use super::text::thousands;
use super::traffic::Totals;
use crate::client::Client;

/// How often to ask whether the numbers are there.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// Hits of a demo are of now, but for a clock that is set: the range is wider by this.
const DAY_SECONDS: i64 = 86_400;

/// Asks a server for what it has counted of a merchant.
pub(super) struct Books<'a> {
    pub(super) client: &'a Client,
    pub(super) merchant_id: u64,
    pub(super) clock: &'a Clock,
}

/// The books, closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed {
    /// All counted hits, by a query.
    pub(super) counted: u64,
    /// The same, and what else became of hits, by the audit.
    pub(super) accepted: u64,
    pub(super) counted_in_audit: u64,
    pub(super) duplicate: u64,
    pub(super) filtered: u64,
    pub(super) dead_lettered: u64,
    /// Whether the audit says that all is well.
    pub(super) balanced: bool,
}

impl Books<'_> {
    /// All counted hits, once everything is counted that is acknowledged now.
    pub(super) async fn counted(&self) -> anyhow::Result<u64> {
        let start = self.merchant().await?;
        let now = self.clock.now();
        let instant = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let request = v1::QueryRequest {
            merchant_id: self.merchant_id,
            metrics: vec!["hits".to_owned()],
            from: instant(start - DAY_SECONDS),
            to: instant(now.0 / 1_000 + DAY_SECONDS),
            ..Default::default()
        };
        loop {
            let answer = self.client.query().query(request.clone()).await;
            let answer = answer.map_err(|status| self.client.explain(&status))?.into_inner();
            let until = answer.finality.and_then(|finality| finality.complete_until).unwrap_or_default();
            if until.seconds * 1_000 + i64::from(until.nanos / 1_000_000) > now.0 {
                let counts = answer.rows.iter().flat_map(|row| &row.numbers);
                return Ok(counts.map(|number| count(number.number.as_ref())).sum());
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Everything, at the end.
    pub(super) async fn close(&self) -> anyhow::Result<Closed> {
        let counted = self.counted().await?;
        let request = v1::AuditRequest { merchant_id: self.merchant_id };
        let audit = self.client.query().audit(request).await;
        let audit = audit.map_err(|status| self.client.explain(&status))?.into_inner();
        let sum = |of: fn(&v1::AuditHour) -> u64| audit.hours.iter().map(of).sum();
        Ok(Closed {
            counted,
            accepted: sum(|hour| hour.accepted),
            counted_in_audit: sum(|hour| hour.counted),
            duplicate: sum(|hour| hour.duplicate),
            filtered: sum(|hour| hour.filtered),
            dead_lettered: sum(|hour| hour.dead_lettered),
            balanced: audit.balanced,
        })
    }

    /// When the merchant was made, in seconds since 1970.
    async fn merchant(&self) -> anyhow::Result<i64> {
        let request = v1::GetMerchantRequest { merchant_id: self.merchant_id };
        let found = self.client.config().get_merchant(request).await;
        let found = found.map_err(|status| self.client.explain(&status))?.into_inner();
        Ok(found.merchant.and_then(|merchant| merchant.created_at).unwrap_or_default().seconds)
    }
}

impl Closed {
    /// What to say at the end, after a run that found `before` hits counted. An error, if something was lost.
    pub(super) fn report(&self, before: u64, totals: &Totals) -> anyhow::Result<String> {
        let Self { counted, accepted, counted_in_audit, duplicate, filtered, dead_lettered, balanced } = self;
        let n = |number: u64| thousands(number);
        let mut said = format!("fired         {}\n", n(totals.fired));
        if totals.restored > 0 {
            said += &format!("restored      {} that an earlier run had not delivered\n", n(totals.restored));
        }
        said += &format!("acknowledged  {}\n", n(totals.acked));
        for (label, hits) in
            [("refused", totals.refused), ("dropped", totals.dropped), ("queued", totals.queued)]
        {
            if hits > 0 {
                said += &format!("{label:<13} {}\n", n(hits));
            }
        }
        let now = counted.saturating_sub(before);
        said += &format!("counted       {}, on top of {} before: {}\n", n(now), n(before), n(*counted));
        said += &format!(
            "audit         {} accepted = {} counted + {} duplicate\n              + {} filtered + {} dead-lettered\n",
            n(*accepted),
            n(*counted_in_audit),
            n(*duplicate),
            n(*filtered),
            n(*dead_lettered)
        );
        // Others may have sent hits too, with the demo's key. Never are there fewer than were acknowledged, but for repeats.
        if !balanced || now + duplicate < totals.acked {
            bail!("the books do not balance:\n{said}");
        }
        said += "the books balance: nothing is lost, and nothing is counted twice\n";
        Ok(said)
    }
}

fn count(number: Option<&Number>) -> u64 {
    match number {
        Some(Number::Count(count)) => *count,
        Some(Number::Money(_) | Number::Ratio(_)) | None => 0,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn closed() -> Closed {
        Closed {
            counted: 45_678,
            accepted: 45_678,
            counted_in_audit: 45_678,
            duplicate: 0,
            filtered: 0,
            dead_lettered: 0,
            balanced: true,
        }
    }

    #[test]
    fn the_end_says_what_became_of_the_hits() {
        let totals = Totals { fired: 12_300, restored: 45, acked: 12_340, refused: 5, ..Totals::default() };
        expect![[r#"
            fired         12,300
            restored      45 that an earlier run had not delivered
            acknowledged  12,340
            refused       5
            counted       12,345, on top of 33,333 before: 45,678
            audit         45,678 accepted = 45,678 counted + 0 duplicate
                          + 0 filtered + 0 dead-lettered
            the books balance: nothing is lost, and nothing is counted twice
        "#]]
        .assert_eq(&closed().report(33_333, &totals).unwrap());
    }

    #[test]
    fn what_is_lost_is_an_error() {
        let totals = Totals { fired: 12_346, acked: 12_346, ..Totals::default() };
        let lost = closed().report(33_333, &totals).unwrap_err().to_string();
        assert!(lost.starts_with("the books do not balance:\nfired         12,346\n"), "{lost}");
        let unbalanced = Closed { balanced: false, ..closed() };
        assert!(unbalanced.report(45_678, &Totals::default()).is_err());
        let repeated = Closed { duplicate: 1, ..closed() };
        assert!(repeated.report(33_333, &totals).is_ok(), "a repeat is acknowledged and not counted");
    }
}
