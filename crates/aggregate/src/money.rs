use model::Currency;

use crate::Merge;
use crate::codec::{Malformed, Reader, put_signed, put_varint};

/// Sums of money per currency, ordered by currency, never mixed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoneySums(Vec<MoneySum>);

/// The sums of one currency, in millionths of its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoneySum {
    /// The currency.
    pub currency: Currency,
    /// Values of purchases.
    pub revenue: i128,
    /// Values of all hits.
    pub value: i128,
}

impl Merge for MoneySums {
    const IDENTITY: Self = Self(Vec::new());

    fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|sum| self.add(*sum));
    }
}

impl MoneySums {
    /// Adds to the sums of a currency.
    pub fn add(&mut self, more: MoneySum) {
        match self.0.binary_search_by_key(&more.currency, |sum| sum.currency) {
            Ok(at) => {
                self.0[at].revenue += more.revenue;
                self.0[at].value += more.value;
            }
            Err(at) => self.0.insert(at, more),
        }
    }

    /// The sums, ordered by currency.
    pub fn iter(&self) -> impl Iterator<Item = &MoneySum> {
        self.0.iter()
    }

    /// Whether nothing was summed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends the number of currencies, then each with its sums.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        for sum in &self.0 {
            out.extend_from_slice(&sum.currency.to_bytes());
            put_signed(out, sum.revenue);
            put_signed(out, sum.value);
        }
    }

    /// The inverse of [`MoneySums::encode`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut sums = Self::IDENTITY;
        for _ in 0..reader.count()? {
            let currency = Currency::from_bytes(reader.array()?);
            let currency = currency.ok_or(Malformed::Impossible("a currency that is none"))?;
            sums.add(MoneySum { currency, revenue: reader.signed()?, value: reader.signed()? });
        }
        Ok(sums)
    }
}
