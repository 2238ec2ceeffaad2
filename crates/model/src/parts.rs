use crate::{Count, MoneyKind};

/// Which parts of a row there are: what a cube keeps, and what a metric needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    counts: u64,
    money: u16,
    /// Whether the visitors are among them.
    pub visitors: bool,
}

impl Parts {
    /// None.
    pub const NONE: Self = Self { counts: 0, money: 0, visitors: false };
    /// Distinct visitors.
    pub const VISITORS: Self = Self { visitors: true, ..Self::NONE };

    /// These counts.
    pub const fn counts(counts: &[Count]) -> Self {
        let mut parts = Self::NONE;
        let mut at = 0;
        while at < counts.len() {
            parts.counts |= 1 << counts[at] as u8;
            at += 1;
        }
        parts
    }

    /// Sums of money of these kinds.
    pub const fn money(kinds: &[MoneyKind]) -> Self {
        let mut parts = Self::NONE;
        let mut at = 0;
        while at < kinds.len() {
            parts.money |= 1 << kinds[at] as u8;
            at += 1;
        }
        parts
    }

    /// These and the others.
    pub const fn and(self, other: Self) -> Self {
        Self {
            counts: self.counts | other.counts,
            money: self.money | other.money,
            visitors: self.visitors || other.visitors,
        }
    }

    /// What of these belongs to items of a shop, and not to the hits that they are in.
    pub fn only_items(&self) -> Self {
        const ITEMS: Parts = Parts::counts(&[
            Count::ItemsViewed,
            Count::ItemsAdded,
            Count::ItemsCheckedOut,
            Count::ItemsPurchased,
            Count::ItemsRefunded,
        ])
        .and(Parts::money(&[MoneyKind::ItemRevenue, MoneyKind::ItemRefunds]));
        Self { counts: self.counts & ITEMS.counts, money: self.money & ITEMS.money, visitors: false }
    }

    /// Whether all of the others are among these.
    pub fn cover(&self, other: &Self) -> bool {
        self.and(*other) == *self
    }

    /// Whether this count is among them.
    pub fn has(&self, count: Count) -> bool {
        self.counts & 1 << count as u8 != 0
    }

    /// Whether any of these counts is among them, which are given as a bit for each.
    pub fn has_any(&self, counts: u64) -> bool {
        self.counts & counts != 0
    }

    /// Whether sums of this kind are among them.
    pub fn has_money(&self, kind: MoneyKind) -> bool {
        self.money & 1 << kind as u8 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_sets() {
        let some = Parts::counts(&[Count::Hits, Count::Interactions]).and(Parts::money(&[MoneyKind::Tax]));
        assert!(some.has(Count::Interactions) && !some.has(Count::Sessions));
        assert!(some.has_money(MoneyKind::Tax) && !some.has_money(MoneyKind::Value));
        assert!(some.cover(&Parts::counts(&[Count::Hits])) && some.cover(&Parts::NONE));
        assert!(!some.cover(&Parts::VISITORS) && some.and(Parts::VISITORS).cover(&Parts::VISITORS));
    }
}
