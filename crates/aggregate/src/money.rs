use model::{Currency, MoneyKind, Parts};

use crate::Merge;
use crate::codec::{Malformed, Reader, put_signed, put_varint};

/// Sums of money per currency and kind, in millionths of the currency's unit; never mixed. Only sums that are not zero are held,
/// in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoneySums(Vec<MoneySum>);

/// One sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoneySum {
    /// Its currency.
    pub currency: Currency,
    /// What was summed.
    pub kind: MoneyKind,
    /// The sum.
    pub micros: i128,
}

impl Merge for MoneySums {
    const IDENTITY: Self = Self(Vec::new());

    fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|sum| self.add(sum.currency, sum.kind, sum.micros));
    }
}

impl MoneySums {
    /// Adds to a sum.
    pub fn add(&mut self, currency: Currency, kind: MoneyKind, micros: i128) {
        if micros == 0 {
            return;
        }
        match self.0.binary_search_by_key(&(currency, kind), |sum| (sum.currency, sum.kind)) {
            Ok(at) => {
                self.0[at].micros += micros;
                if self.0[at].micros == 0 {
                    self.0.remove(at);
                }
            }
            Err(at) => self.0.insert(at, MoneySum { currency, kind, micros }),
        }
    }

    /// Adds those sums of `other` that are among `parts`, so many times.
    pub fn add_some(&mut self, other: &Self, parts: &Parts, times: i64) {
        let some = other.0.iter().filter(|sum| parts.has_money(sum.kind));
        some.for_each(|sum| self.add(sum.currency, sum.kind, sum.micros * i128::from(times)));
    }

    /// The sums of a kind that are not zero, ordered by currency.
    pub fn of(&self, kind: MoneyKind) -> impl Iterator<Item = (Currency, i128)> {
        self.0.iter().filter(move |sum| sum.kind == kind).map(|sum| (sum.currency, sum.micros))
    }

    /// The sums that are not zero, ordered by currency and kind.
    pub fn iter(&self) -> impl Iterator<Item = &MoneySum> {
        self.0.iter()
    }

    /// Whether every sum is zero.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Roughly how many bytes it takes beside itself.
    pub fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<MoneySum>()
    }

    /// Appends the number of sums, then each with its currency and kind.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        for sum in &self.0 {
            out.extend_from_slice(&sum.currency.to_bytes());
            out.push(sum.kind.number());
            put_signed(out, sum.micros);
        }
    }

    /// The inverse of [`MoneySums::encode`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut sums: Vec<MoneySum> = Vec::new();
        for _ in 0..reader.count()? {
            let currency = Currency::from_bytes(reader.array()?);
            let currency = currency.ok_or(Malformed::Impossible("a currency that is none"))?;
            let number = reader.byte()?;
            let kind = MoneyKind::from_number(number);
            let kind = kind.ok_or(Malformed::Unknown { what: "a kind of money", found: number.into() })?;
            let micros = reader.signed()?;
            let rises = sums.last().is_none_or(|last| (last.currency, last.kind) < (currency, kind));
            if !rises || micros == 0 {
                return Err(Malformed::Impossible("sums of money that are zero or not in order"));
            }
            sums.push(MoneySum { currency, kind, micros });
        }
        Ok(Self(sums))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::merge::law;

    fn encode(sums: &MoneySums) -> Vec<u8> {
        let mut out = Vec::new();
        sums.encode(&mut out);
        assert_eq!(MoneySums::decode(&mut Reader::new(&out)).as_ref(), Ok(sums));
        out
    }

    fn sums() -> impl Strategy<Value = MoneySums> {
        let one = (0u8..3, 0..MoneyKind::ALL.len(), any::<i64>());
        prop::collection::vec(one, 0..8).prop_map(|all| {
            let mut sums = MoneySums::IDENTITY;
            for (letter, kind, micros) in all {
                let currency = Currency::from_bytes([b'A' + letter, b'A', b'A']).unwrap();
                sums.add(currency, MoneyKind::ALL[kind], micros.into());
            }
            sums
        })
    }

    proptest! {
        #[test]
        fn merging_keeps_the_law(a in sums(), b in sums(), c in sums()) {
            law::check([&a, &b, &c], encode);
        }

        #[test]
        fn what_is_taken_back_leaves_no_trace(a in sums(), b in sums()) {
            let mut sum = a.clone();
            sum.add_some(&b, &Parts::money(&MoneyKind::ALL), 1);
            sum.add_some(&b, &Parts::money(&MoneyKind::ALL), -1);
            prop_assert_eq!(encode(&sum), encode(&a));
        }
    }

    #[test]
    fn bytes_are_frozen() {
        let mut sums = MoneySums::IDENTITY;
        sums.add("EUR".parse().unwrap(), MoneyKind::Revenue, 12_340_000);
        sums.add("EUR".parse().unwrap(), MoneyKind::Value, -1);
        // 12,340,000 is 24,680,000 zigzag: 0x80 0xac 0xe2 0x0b in LEB128.
        assert_eq!(encode(&sums), [2, b'E', b'U', b'R', 0, 1, b'E', b'U', b'R', 1, 0xc0, 0xac, 0xe2, 0x0b]);
    }
}
