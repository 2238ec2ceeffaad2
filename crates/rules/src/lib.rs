//! What a merchant configures, and the tables of data that come with it: which hits are left out, where a session ends, which
//! channel a visit came by, what is a goal, and what is rolled up together.
//!
//! [`Rules`] are what is written and stored; [`Compiled`] is what the fold consults. Both are plain data: the same rules and
//! the same hit always give the same answer.

pub mod channel;
mod check;
mod compiled;
pub mod cube;
pub mod expr;
mod text;

pub use check::check;
pub use compiled::Compiled;
pub use cube::Cube;
pub use expr::Expr;

use model::{Dimension, Metric, ParamName};
use serde::{Deserialize, Serialize};

/// What a merchant configures, at one version. Everything has a default, so that no rules are rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Where sessions end, and which are engaged.
    pub sessions: Sessions,
    /// Which hits are left out.
    pub filters: Filters,
    /// Channels of the merchant's own, tried before GA4's in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Named>,
    /// What counts as a conversion.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub goals: Vec<Named>,
    /// Steps that should be taken one after another in a session.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub funnels: Vec<Funnel>,
    /// What is rolled up together, beside what every merchant has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<Report>,
}

/// Where sessions end, and which are engaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sessions {
    /// Minutes without a hit after which a session is over.
    pub timeout_minutes: u16,
    /// A session that lasts longer than this many seconds is engaged.
    pub engaged_seconds: u16,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { timeout_minutes: 30, engaged_seconds: 10 }
    }
}

/// Which hits are left out. What is left out is counted, by the first of these that says so, in this order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filters {
    /// Those of user agents that are known as bots.
    pub bots: bool,
    /// If there are any: those of pages of other hosts. `*.shop.example` stands for every host below `shop.example`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// Those for which one of these holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Named>,
}

/// A condition with a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// What it is called in reports.
    pub name: String,
    /// When it holds.
    pub when: Expr,
}

/// Steps that should be taken one after another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Funnel {
    /// What it is called in reports.
    pub name: String,
    /// The steps, in order, to be taken in one session.
    pub steps: Vec<Named>,
}

/// What is rolled up together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The number of its cube, given out when it is first defined; 0 if it was not yet.
    #[serde(skip)]
    pub cube: u16,
    /// What it is called.
    pub name: String,
    /// Up to three dimensions.
    #[serde(with = "text::list")]
    pub by: Vec<Dimension>,
    /// What is kept; nothing named means all that rows of these dimensions can keep.
    #[serde(default, with = "text::list", skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// Only hits for which this holds.
    #[serde(default, skip_serializing_if = "Expr::is_always")]
    pub filter: Expr,
    /// Numeric parameters whose percentiles can be asked for.
    #[serde(default, with = "text::list", skip_serializing_if = "Vec::is_empty")]
    pub distributions: Vec<ParamName>,
}
