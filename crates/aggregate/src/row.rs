use crate::codec::{Malformed, Reader, put_varint};
use crate::{Counts, Distinct, Merge, MoneySums, Quantiles};

/// Some of the four quarters of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quarters(u8);

impl Quarters {
    /// The whole hour.
    pub const ALL: Self = Self(0b1111);

    /// Bit 0 is the first quarter.
    pub fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Bit 0 is the first quarter.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether it has this quarter, 0 to 3.
    pub fn has(self, quarter: usize) -> bool {
        self.0 & 1 << quarter != 0
    }
}

/// What adds up, of one quarter of an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// Counts.
    pub counts: Counts,
    /// Sums of money.
    pub money: MoneySums,
    /// How values of parameters are distributed: by the place of the parameter in the cube, only those that are not empty.
    distributions: Vec<(u8, Quantiles)>,
}

impl Merge for Slot {
    const IDENTITY: Self =
        Self { counts: Counts::IDENTITY, money: MoneySums::IDENTITY, distributions: Vec::new() };

    fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        self.money.merge(&other.money);
        for (place, theirs) in &other.distributions {
            self.distribution(*place, |own| own.merge(theirs));
        }
    }
}

impl Slot {
    /// Counts a value of the parameter at a place, so many times; or takes it back.
    pub fn add_value(&mut self, place: u8, value: f64, times: i64) {
        self.distribution(place, |own| own.add(value, times));
    }

    /// The values of the parameter at a place.
    pub fn values(&self, place: u8) -> Option<&Quantiles> {
        let at = self.distributions.binary_search_by_key(&place, |(known, _)| *known);
        at.ok().map(|at| &self.distributions[at].1)
    }

    fn distribution(&mut self, place: u8, change: impl FnOnce(&mut Quantiles)) {
        match self.distributions.binary_search_by_key(&place, |(known, _)| *known) {
            Ok(at) => {
                change(&mut self.distributions[at].1);
                if self.distributions[at].1.is_zero() {
                    self.distributions.remove(at);
                }
            }
            Err(at) => {
                let mut new = Quantiles::IDENTITY;
                change(&mut new);
                if !new.is_zero() {
                    self.distributions.insert(at, (place, new));
                }
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        let of_values = |(_, values): &(u8, Quantiles)| size_of::<(u8, Quantiles)>() + values.heap_bytes();
        let values = self.distributions.iter().map(of_values).sum::<usize>();
        self.counts.heap_bytes() + self.money.heap_bytes() + values
    }
}

/// Everything that a cell knows of one value of its dimension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Slots of the quarters that have one, in order.
    slots: Vec<(u8, Slot)>,
    /// The visitors, per quarter.
    pub visitors: Distinct,
}

impl Merge for Row {
    const IDENTITY: Self = Self { slots: Vec::new(), visitors: Distinct::IDENTITY };

    fn merge(&mut self, other: &Self) {
        for (quarter, slot) in &other.slots {
            self.slot(usize::from(*quarter)).merge(slot);
        }
        self.visitors.merge(&other.visitors);
    }
}

const WITH_MONEY: u8 = 0x10;
const WITH_VALUES: u8 = 0x20;

impl Row {
    /// The slot of a quarter (0 to 3), made if it is not there.
    pub fn slot(&mut self, quarter: usize) -> &mut Slot {
        let quarter = quarter as u8 & 3;
        let at = match self.slots.binary_search_by_key(&quarter, |(q, _)| *q) {
            Ok(at) => at,
            Err(at) => {
                // Most rows have hits in one quarter only, and there are millions of rows: no room is made ahead.
                self.slots.reserve_exact(1);
                self.slots.insert(at, (quarter, Slot::IDENTITY));
                at
            }
        };
        &mut self.slots[at].1
    }

    /// Whether there is nothing in it, or all of it was taken back.
    pub fn is_empty(&self) -> bool {
        self.visitors.is_empty() && self.slots.iter().all(|(_, slot)| *slot == Slot::IDENTITY)
    }

    /// The slots that there are, with their quarters.
    pub fn slots(&self) -> impl Iterator<Item = (usize, &Slot)> {
        self.slots.iter().map(|(quarter, slot)| (usize::from(*quarter), slot))
    }

    /// Roughly how many bytes it takes in memory beside itself.
    pub fn heap_bytes(&self) -> usize {
        let slots = self.slots.iter().map(|(_, slot)| slot.heap_bytes());
        self.slots.capacity() * size_of::<(u8, Slot)>() + slots.sum::<usize>() + self.visitors.heap_bytes()
    }

    /// Appends a byte that says which quarters have a slot, whether there is money and whether there are values of parameters;
    /// then the slots and visitors.
    pub fn encode(&self, out: &mut Vec<u8>) {
        // A slot that was taken back to nothing is as if it had never been.
        let slots = || self.slots.iter().filter(|(_, slot)| *slot != Slot::IDENTITY);
        let money = slots().any(|(_, slot)| !slot.money.is_empty());
        let values = slots().any(|(_, slot)| !slot.distributions.is_empty());
        let with = if money { WITH_MONEY } else { 0 } | if values { WITH_VALUES } else { 0 };
        out.push(slots().fold(with, |bits, (quarter, _)| bits | 1 << quarter));
        for (_, slot) in slots() {
            slot.counts.encode(out);
            if money {
                slot.money.encode(out);
            }
            if values {
                put_varint(out, slot.distributions.len() as u64);
                for (place, values) in &slot.distributions {
                    out.push(*place);
                    values.encode(out);
                }
            }
        }
        self.visitors.encode(out);
    }

    /// The inverse of [`Row::encode`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let present = reader.byte()?;
        let mut row = Self::IDENTITY;
        for quarter in (0..4).filter(|quarter| present & 1 << quarter != 0) {
            let counts = Counts::decode(reader)?;
            let money =
                if present & WITH_MONEY != 0 { MoneySums::decode(reader)? } else { MoneySums::IDENTITY };
            let mut distributions: Vec<(u8, Quantiles)> = Vec::new();
            let values = if present & WITH_VALUES != 0 { reader.count()? } else { 0 };
            for _ in 0..values {
                let place = reader.byte()?;
                if distributions.last().is_some_and(|(last, _)| *last >= place) {
                    return Err(Malformed::Impossible("values of parameters that are not in order"));
                }
                distributions.push((place, Quantiles::decode(reader)?));
            }
            row.slots.push((quarter, Slot { counts, money, distributions }));
        }
        row.visitors = Distinct::decode(reader)?;
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use model::{Count, Currency, MoneyKind};
    use proptest::prelude::*;

    use super::*;
    use crate::merge::law;

    type Part = (usize, [i64; 3], Option<(u8, i64)>, u64);

    fn row(parts: Vec<Part>) -> Row {
        let mut row = Row::IDENTITY;
        for (quarter, counts, money, visitor) in parts {
            let slot = row.slot(quarter);
            let of = [Count::Hits, Count::Sessions, Count::Interactions];
            of.into_iter().zip(counts).for_each(|(count, n)| slot.counts.add(count, n));
            if let Some((letter, micros)) = money {
                let currency = Currency::from_bytes([b'A' + letter % 26, b'A', b'A']).unwrap();
                slot.money.add(currency, MoneyKind::Revenue, micros.into());
            }
            row.visitors.add(visitor, quarter, 1);
            slot_values(&mut row, quarter, visitor);
        }
        row
    }

    /// Some rows have values of parameters.
    fn slot_values(row: &mut Row, quarter: usize, seed: u64) {
        if seed.is_multiple_of(3) {
            row.slot(quarter).add_value((seed % 5) as u8, (seed % 1_000) as f64, 1);
        }
    }

    fn encode(row: &Row) -> Vec<u8> {
        let mut out = Vec::new();
        row.encode(&mut out);
        let mut again = Vec::new();
        Row::decode(&mut Reader::new(&out)).unwrap().encode(&mut again);
        assert_eq!(again, out);
        out
    }

    fn parts() -> impl Strategy<Value = Vec<Part>> {
        prop::collection::vec((0usize..4, any::<[i64; 3]>(), any::<Option<(u8, i64)>>(), any::<u64>()), 0..8)
    }

    proptest! {
        #[test]
        fn merging_keeps_the_law(a in parts(), b in parts(), c in parts()) {
            law::check([&row(a), &row(b), &row(c)], encode);
        }
    }

    #[test]
    fn a_small_row_takes_few_bytes() {
        let one_hit = row(vec![(2, [1, 1, 0], None, 77)]);
        // Present quarters 1, counts 1 + 2, number of visitors 1, one of them 8 and how often it was seen 1.
        assert_eq!(encode(&one_hit).len(), 14);
    }

    #[test]
    fn what_was_taken_back_leaves_no_trace() {
        let mut taken_back = row(vec![(1, [0, 1, 0], None, 77)]);
        taken_back.slot(1).counts.add(Count::Sessions, -1);
        taken_back.visitors.add(77, 1, -1);
        taken_back.slot(1).add_value(2, 12.5, 1);
        taken_back.slot(1).add_value(2, 12.5, -1);
        assert!(taken_back.is_empty());
        assert_eq!(encode(&taken_back), encode(&Row::IDENTITY));
    }
}
