use crate::codec::{Malformed, Reader};
use crate::{Counts, Distinct, Merge, MoneySums};

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
}

impl Merge for Slot {
    const IDENTITY: Self = Self { counts: Counts::IDENTITY, money: MoneySums::IDENTITY };

    fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        self.money.merge(&other.money);
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

    /// The slots that there are, with their quarters.
    pub fn slots(&self) -> impl Iterator<Item = (usize, &Slot)> {
        self.slots.iter().map(|(quarter, slot)| (usize::from(*quarter), slot))
    }

    /// Roughly how many bytes it takes in memory beside itself.
    pub fn heap_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<(u8, Slot)>() + self.visitors.heap_bytes()
    }

    /// Appends a byte that says which quarters have a slot and whether there is money, then the slots and visitors.
    pub fn encode(&self, out: &mut Vec<u8>) {
        // A slot that was taken back to nothing is as if it had never been.
        let slots = || self.slots.iter().filter(|(_, slot)| *slot != Slot::IDENTITY);
        let money = slots().any(|(_, slot)| !slot.money.is_empty());
        out.push(slots().fold(if money { WITH_MONEY } else { 0 }, |bits, (quarter, _)| bits | 1 << quarter));
        for (_, slot) in slots() {
            slot.counts.encode(out);
            if money {
                slot.money.encode(out);
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
            row.slots.push((quarter, Slot { counts, money }));
        }
        row.visitors = Distinct::decode(reader)?;
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use model::Currency;
    use proptest::prelude::*;

    use super::*;
    use crate::MoneySum;
    use crate::merge::law;

    type Part = (usize, [i64; 5], Option<(u8, i64)>, u64);

    fn row(parts: Vec<Part>) -> Row {
        let mut row = Row::IDENTITY;
        for (quarter, [hits, page_views, sessions, new_visitors, purchases], money, visitor) in parts {
            let slot = row.slot(quarter);
            slot.counts.merge(&Counts { hits, page_views, sessions, new_visitors, purchases });
            if let Some((letter, micros)) = money {
                let currency = Currency::from_bytes([b'A' + letter % 26, b'A', b'A']).unwrap();
                slot.money.add(MoneySum { currency, revenue: micros.into(), value: micros.into() });
            }
            row.visitors.insert(visitor, quarter);
        }
        row
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
        prop::collection::vec((0usize..4, any::<[i64; 5]>(), any::<Option<(u8, i64)>>(), any::<u64>()), 0..8)
    }

    proptest! {
        #[test]
        fn merging_keeps_the_law(a in parts(), b in parts(), c in parts()) {
            law::check([&row(a), &row(b), &row(c)], encode);
        }
    }

    #[test]
    fn a_small_row_takes_few_bytes() {
        let one_hit = row(vec![(2, [1, 1, 1, 1, 0], None, 77)]);
        // Present quarters 1, counts 1 + 4, number of hashes 1, one hash 8.
        assert_eq!(encode(&one_hit).len(), 15);
    }

    #[test]
    fn what_was_taken_back_leaves_no_trace() {
        let mut taken_back = row(vec![(1, [0, 0, 1, 0, 0], None, 0)]);
        taken_back.slot(1).counts.merge(&Counts { sessions: -1, ..Counts::IDENTITY });
        taken_back.visitors = Distinct::IDENTITY;
        assert_eq!(encode(&taken_back), encode(&Row::IDENTITY));
    }
}
