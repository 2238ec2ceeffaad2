use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::{Count, Invalid, MoneyKind, ParamName, Parts};

/// What a query can ask for. docs/semantics.md says what each number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// How often something was counted.
    Count(Count),
    /// Distinct visitors.
    Visitors,
    /// A sum of money.
    Money(MoneyKind),
    /// Revenue less what was refunded.
    NetRevenue,
    /// Revenue of items less what was refunded of them.
    NetItemRevenue,
    /// One number by another.
    Ratio(Ratio),
    /// Revenue by purchases, in each currency by itself.
    AvgOrderValue,
    /// Nearest-rank percentile of a numeric parameter.
    Percentile(u8, ParamName),
}

/// One number by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ratio {
    /// Engaged sessions by sessions.
    EngagementRate,
    /// Sessions that were not engaged by sessions: GA4's bounce rate.
    BounceRate,
    /// Sessions of a single page without interaction by sessions: Plausible's bounce rate.
    SinglePageRate,
    /// Page views by sessions.
    PagesPerSession,
    /// Seconds from a session's first hit to its last, by sessions.
    AvgSessionDuration,
    /// Seconds of engagement that the SDK reported, by sessions.
    AvgEngagementTime,
    /// Sessions with a purchase by sessions.
    PurchaseRate,
    /// Sessions with a goal by sessions.
    SessionConversionRate,
    /// Entrances by page views.
    EntranceRate,
    /// Exits by page views.
    ExitRate,
    /// Hits that put something into the cart by hits that viewed an item.
    CartToViewRate,
    /// Purchases by hits that viewed an item.
    PurchaseToViewRate,
}

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A whole number.
    Count,
    /// Sums per currency.
    Money,
    /// A number without a unit.
    Ratio,
    /// Seconds.
    Seconds,
    /// Whatever the parameter is measured in.
    Value,
}

impl Ratio {
    /// Every ratio.
    pub const ALL: [Self; 12] = [
        Self::EngagementRate,
        Self::BounceRate,
        Self::SinglePageRate,
        Self::PagesPerSession,
        Self::AvgSessionDuration,
        Self::AvgEngagementTime,
        Self::PurchaseRate,
        Self::SessionConversionRate,
        Self::EntranceRate,
        Self::ExitRate,
        Self::CartToViewRate,
        Self::PurchaseToViewRate,
    ];

    /// What is divided by what. The bounce rate is what is missing to one.
    pub fn of(self) -> (Count, Count) {
        match self {
            Self::EngagementRate | Self::BounceRate => (Count::EngagedSessions, Count::Sessions),
            Self::SinglePageRate => (Count::SinglePageSessions, Count::Sessions),
            Self::PagesPerSession => (Count::PageViews, Count::Sessions),
            Self::AvgSessionDuration => (Count::SessionDurationMs, Count::Sessions),
            Self::AvgEngagementTime => (Count::EngagementMs, Count::Sessions),
            Self::PurchaseRate => (Count::PurchasingSessions, Count::Sessions),
            Self::SessionConversionRate => (Count::ConvertingSessions, Count::Sessions),
            Self::EntranceRate => (Count::Entrances, Count::PageViews),
            Self::ExitRate => (Count::Exits, Count::PageViews),
            Self::CartToViewRate => (Count::AddToCarts, Count::ItemViews),
            Self::PurchaseToViewRate => (Count::Purchases, Count::ItemViews),
        }
    }

    /// Whether it is a share, which people read in per cent.
    pub fn is_rate(self) -> bool {
        !matches!(self, Self::PagesPerSession | Self::AvgSessionDuration | Self::AvgEngagementTime)
    }

    fn name(self) -> &'static str {
        match self {
            Self::EngagementRate => "engagement_rate",
            Self::BounceRate => "bounce_rate",
            Self::SinglePageRate => "single_page_rate",
            Self::PagesPerSession => "pages_per_session",
            Self::AvgSessionDuration => "avg_session_duration",
            Self::AvgEngagementTime => "avg_engagement_time",
            Self::PurchaseRate => "purchase_rate",
            Self::SessionConversionRate => "session_conversion_rate",
            Self::EntranceRate => "entrance_rate",
            Self::ExitRate => "exit_rate",
            Self::CartToViewRate => "cart_to_view_rate",
            Self::PurchaseToViewRate => "purchase_to_view_rate",
        }
    }
}

impl Metric {
    /// Every metric that does not name a parameter.
    pub fn all() -> impl Iterator<Item = Self> {
        let counts = Count::ALL.into_iter().map(Self::Count);
        let money = MoneyKind::ALL.into_iter().map(Self::Money);
        counts
            .chain([Self::Visitors])
            .chain(money)
            .chain([Self::NetRevenue, Self::NetItemRevenue, Self::AvgOrderValue])
            .chain(Ratio::ALL.into_iter().map(Self::Ratio))
            .filter(|metric| metric.is_asked_for())
    }

    /// Sums that make sense only by something else are not asked for by themselves.
    fn is_asked_for(self) -> bool {
        !matches!(
            self,
            Self::Count(Count::SessionDurationMs | Count::EngagementMs) | Self::Money(MoneyKind::Orders)
        )
    }

    /// The name in queries and reports.
    pub fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Count(count) => count.name().into(),
            Self::Visitors => "visitors".into(),
            Self::Money(kind) => kind.name().into(),
            Self::NetRevenue => "net_revenue".into(),
            Self::NetItemRevenue => "net_item_revenue".into(),
            Self::Ratio(ratio) => ratio.name().into(),
            Self::AvgOrderValue => "avg_order_value".into(),
            Self::Percentile(per_cent, param) => format!("p{per_cent}:{param}").into(),
        }
    }

    /// What kind of number it is.
    pub fn unit(&self) -> Unit {
        match self {
            Self::Count(_) | Self::Visitors => Unit::Count,
            Self::Money(_) | Self::NetRevenue | Self::NetItemRevenue | Self::AvgOrderValue => Unit::Money,
            Self::Ratio(Ratio::AvgSessionDuration | Ratio::AvgEngagementTime) => Unit::Seconds,
            Self::Ratio(_) => Unit::Ratio,
            Self::Percentile(..) => Unit::Value,
        }
    }

    /// What it is made of; a percentile is made of the values of its parameter instead.
    pub fn needs(&self) -> Parts {
        match self {
            Self::Count(count) => Parts::counts(&[*count]),
            Self::Visitors => Parts::VISITORS,
            Self::Money(kind) => Parts::money(&[*kind]),
            Self::NetRevenue => Parts::money(&[MoneyKind::Revenue, MoneyKind::Refunds]),
            Self::NetItemRevenue => Parts::money(&[MoneyKind::ItemRevenue, MoneyKind::ItemRefunds]),
            Self::Ratio(ratio) => {
                let (part, whole) = ratio.of();
                Parts::counts(&[part, whole])
            }
            Self::AvgOrderValue => Parts::money(&[MoneyKind::Revenue, MoneyKind::Orders]),
            Self::Percentile(..) => Parts::NONE,
        }
    }
}

impl FromStr for Metric {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        let percentile = s.strip_prefix('p').and_then(|rest| rest.split_once(':'));
        if let Some((per_cent, param)) = percentile
            && let Ok(per_cent @ 1..=99) = per_cent.parse()
        {
            return Ok(Self::Percentile(per_cent, param.parse()?));
        }
        Self::all().find(|m| m.name() == s).ok_or_else(|| {
            let names: Vec<_> = Self::all().map(|m| m.name()).collect();
            let percentiles = "p1: to p99: and a parameter's name, as in p75:load_ms";
            Invalid::new("metric", s, format!("one of {}, or {percentiles}", names.join(", ")))
        })
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_what_it_names() {
        for metric in Metric::all() {
            assert_eq!(metric.name().parse(), Ok(metric));
        }
        let p75: Metric = "p75:load_ms".parse().unwrap();
        assert_eq!((&*p75.name(), p75.unit()), ("p75:load_ms", Unit::Value));
        for bad in ["p0:a", "p100:a", "p5", "session_duration_ms", "likes"] {
            assert!(bad.parse::<Metric>().is_err(), "{bad}");
        }
    }
}
