use std::fmt;
use std::str::FromStr;

use crate::Invalid;

/// What a query can ask for. docs/semantics.md says what each number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// All counted hits.
    Hits,
    /// Hits named `page_view` or `screen_view`.
    PageViews,
    /// Distinct visitors.
    Visitors,
    /// Sessions that began.
    Sessions,
    /// Visitors seen for the first time.
    NewVisitors,
    /// Hits named `purchase`.
    Purchases,
    /// Sum of the values of purchases, per currency.
    Revenue,
    /// Sum of the values of all hits, per currency.
    Value,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 8] = [
        Self::Hits,
        Self::PageViews,
        Self::Visitors,
        Self::Sessions,
        Self::NewVisitors,
        Self::Purchases,
        Self::Revenue,
        Self::Value,
    ];

    /// The name in queries and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hits => "hits",
            Self::PageViews => "page_views",
            Self::Visitors => "visitors",
            Self::Sessions => "sessions",
            Self::NewVisitors => "new_visitors",
            Self::Purchases => "purchases",
            Self::Revenue => "revenue",
            Self::Value => "value",
        }
    }
}

impl FromStr for Metric {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|m| m.name() == s).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|m| m.name()).collect();
            Invalid::new("metric", s, format!("one of {}", names.join(", ")))
        })
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
