use std::fmt;
use std::str::FromStr;

use crate::Invalid;

/// An ISO 4217 code: three capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// `XXX`, the ISO code for "no currency": what a value without a currency is summed under.
    pub const NONE: Self = Self(*b"XXX");

    /// Reads a code from its three bytes.
    pub fn from_bytes(bytes: [u8; 3]) -> Option<Self> {
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Self(bytes))
    }

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// The three letters as bytes.
    pub fn to_bytes(self) -> [u8; 3] {
        self.0
    }
}

impl FromStr for Currency {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        let bytes: Option<[u8; 3]> = s.as_bytes().try_into().ok();
        bytes.and_then(Self::from_bytes).ok_or_else(|| {
            Invalid::new("currency", s, "an ISO 4217 code of three capital letters, such as EUR")
        })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount of one currency in millionths of its unit. Never a float, never mixed with another currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money {
    /// Whose unit it is.
    pub currency: Currency,
    /// Millionths of the unit.
    pub micros: i64,
}

impl Money {
    /// The amount as a decimal number with at least two and at most six places, without the currency: `-12.345`.
    pub fn amount(&self) -> String {
        let units = self.micros.unsigned_abs();
        let sign = if self.micros < 0 { "-" } else { "" };
        let mut places = format!("{:06}", units % 1_000_000);
        while places.len() > 2 && places.ends_with('0') {
            places.pop();
        }
        format!("{sign}{}.{places}", units / 1_000_000)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_exactly() {
        let eur = |micros| Money { currency: "EUR".parse().unwrap(), micros }.to_string();
        assert_eq!(eur(12_345_000), "12.345 EUR");
        assert_eq!(eur(-1), "-0.000001 EUR");
        assert_eq!(eur(5_000_000), "5.00 EUR");
        assert_eq!(eur(i64::MIN), "-9223372036854.775808 EUR");
    }

    #[test]
    fn a_currency_is_three_capital_letters() {
        for wrong in ["eur", "EURO", "E1R", ""] {
            assert!(wrong.parse::<Currency>().is_err(), "{wrong}");
        }
    }
}
