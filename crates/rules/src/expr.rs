//! Conditions on a hit or on a row: what goals, funnels, filters and reports of a merchant are made of, and the filters of a
//! query. One language for all of them, with one text form.

mod text;

use std::fmt;
use std::sync::Arc;

use model::{Dimension, Invalid};
use regex::{Regex, RegexBuilder};

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// All of them hold; none at all holds always.
    All(Vec<Expr>),
    /// One of them holds.
    Any(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
    /// A value compares so.
    Test(Test),
}

/// A comparison of one value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Test {
    /// Which value.
    pub field: Field,
    /// How it compares to any of `values`.
    pub compare: Compare,
    /// What it is compared to: at least one.
    pub values: Vec<Operand>,
}

/// Which value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// That of a dimension.
    Dimension(Dimension),
    /// What the hit was worth, in units of its currency.
    Value,
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compare {
    /// They are the same.
    Is,
    /// The one contains the other.
    Contains,
    /// The one begins with the other.
    StartsWith,
    /// The one ends with the other.
    EndsWith,
    /// A regular expression matches somewhere.
    Matches,
    /// The one is a larger number, or the same.
    AtLeast,
    /// The one is a smaller number, or the same.
    AtMost,
}

/// What a value is compared to, as it was written and as it is used.
#[derive(Clone, Debug)]
pub struct Operand {
    text: Box<str>,
    used: Used,
}

#[derive(Clone, Debug)]
enum Used {
    Text,
    Regex(Arc<Regex>),
    Number(f64),
}

/// Nesting of one expression.
const MAX_DEPTH: usize = 16;
/// Comparisons in one expression.
const MAX_TESTS: usize = 100;
/// Values of one comparison.
const MAX_VALUES: usize = 1_000;
/// Bytes that a compiled regular expression may take.
const MAX_REGEX_BYTES: usize = 256 * 1024;

impl Expr {
    /// What holds always.
    pub const ALWAYS: Self = Self::All(Vec::new());

    /// Whether it holds, where `value` gives the value of a field; a field without a value is as an empty text, which no number
    /// compares to.
    pub fn holds<'v>(&self, value: &impl Fn(&Field) -> Option<&'v str>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(value)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(value)),
            Self::Not(part) => !part.holds(value),
            Self::Test(test) => test.holds(value(&test.field).unwrap_or_default()),
        }
    }

    /// Calls `take` with every field that is compared.
    pub fn fields(&self, take: &mut impl FnMut(Field)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.fields(take)),
            Self::Not(part) => part.fields(take),
            Self::Test(test) => take(test.field),
        }
    }

    /// Whether it holds always, as far as its form says.
    pub fn is_always(&self) -> bool {
        matches!(self, Self::All(parts) if parts.is_empty())
    }

    /// Fails if it is larger than one may be.
    pub fn check_size(&self) -> Result<(), Invalid> {
        let (depth, tests) = self.size();
        if depth > MAX_DEPTH {
            return Err(Invalid::new(
                "depth of an expression",
                depth.to_string(),
                format!("at most {MAX_DEPTH}"),
            ));
        }
        if tests > MAX_TESTS {
            let allowed = format!("at most {MAX_TESTS}");
            return Err(Invalid::new("number of comparisons", tests.to_string(), allowed));
        }
        Ok(())
    }

    fn size(&self) -> (usize, usize) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().map(Self::size).fold((1, 0), |all, part| (all.0.max(part.0 + 1), all.1 + part.1))
            }
            Self::Not(part) => {
                let (depth, tests) = part.size();
                (depth + 1, tests)
            }
            Self::Test(_) => (1, 1),
        }
    }
}

impl Default for Expr {
    fn default() -> Self {
        Self::ALWAYS
    }
}

impl Test {
    /// A comparison with these values.
    pub fn new<'t>(
        field: Field,
        compare: Compare,
        values: impl IntoIterator<Item = &'t str>,
    ) -> Result<Self, Invalid> {
        let values: Vec<_> =
            values.into_iter().map(|text| Operand::new(compare, text)).collect::<Result<_, _>>()?;
        if values.is_empty() || values.len() > MAX_VALUES {
            let given = format!("{field} with {} values", values.len());
            return Err(Invalid::new("comparison", given, format!("1 to {MAX_VALUES} values")));
        }
        if field == Field::Value && !matches!(compare, Compare::AtLeast | Compare::AtMost) {
            return Err(Invalid::new("comparison of value", compare.sign(), ">= or <="));
        }
        Ok(Self { field, compare, values })
    }

    fn holds(&self, value: &str) -> bool {
        match self.compare {
            Compare::Is => self.values.iter().any(|wanted| value == &*wanted.text),
            Compare::Contains => self.values.iter().any(|wanted| value.contains(&*wanted.text)),
            Compare::StartsWith => self.values.iter().any(|wanted| value.starts_with(&*wanted.text)),
            Compare::EndsWith => self.values.iter().any(|wanted| value.ends_with(&*wanted.text)),
            Compare::Matches => self.values.iter().any(|wanted| match &wanted.used {
                Used::Regex(regex) => regex.is_match(value),
                Used::Text | Used::Number(_) => false,
            }),
            Compare::AtLeast => self.any_number(value, |value, wanted| value >= wanted),
            Compare::AtMost => self.any_number(value, |value, wanted| value <= wanted),
        }
    }

    fn any_number(&self, value: &str, holds: impl Fn(f64, f64) -> bool) -> bool {
        let Ok(value) = value.parse() else { return false };
        self.values.iter().any(|wanted| match wanted.used {
            Used::Number(wanted) => holds(value, wanted),
            Used::Text | Used::Regex(_) => false,
        })
    }
}

impl Operand {
    fn new(compare: Compare, text: &str) -> Result<Self, Invalid> {
        let used = match compare {
            Compare::Is | Compare::Contains | Compare::StartsWith | Compare::EndsWith => Used::Text,
            Compare::Matches => {
                let built = RegexBuilder::new(text).size_limit(MAX_REGEX_BYTES).build();
                let why = |error: regex::Error| match error {
                    regex::Error::CompiledTooBig(limit) => {
                        format!("one that compiles to at most {limit} bytes")
                    }
                    error => format!(
                        "one that can be read: {}",
                        error.to_string().lines().last().unwrap_or_default()
                    ),
                };
                Used::Regex(Arc::new(built.map_err(|e| Invalid::new("regular expression", text, why(e)))?))
            }
            Compare::AtLeast | Compare::AtMost => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Used::Number(number),
                _ => return Err(Invalid::new("number to compare with", text, "a decimal number")),
            },
        };
        Ok(Self { text: text.into(), used })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Operand {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Operand {}

impl std::hash::Hash for Operand {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Compare {
    /// All of them, those with the longest signs first, so that none is taken for the beginning of another.
    pub const ALL: [Self; 7] = [
        Self::StartsWith,
        Self::EndsWith,
        Self::Matches,
        Self::AtLeast,
        Self::AtMost,
        Self::Contains,
        Self::Is,
    ];

    /// How it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Is => "=",
            Self::Contains => "~",
            Self::StartsWith => "^=",
            Self::EndsWith => "$=",
            Self::Matches => "~~",
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
        }
    }
}

impl std::str::FromStr for Field {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        if s == "value" { Ok(Self::Value) } else { s.parse().map(Self::Dimension) }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dimension(dimension) => dimension.fmt(f),
            Self::Value => f.write_str("value"),
        }
    }
}

#[cfg(test)]
mod tests;
