use std::fmt;

/// What sums of money are kept of, each per currency. The numbers are persisted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MoneyKind {
    /// Values of all hits.
    Value = 0,
    /// Values of purchases, each transaction once.
    Revenue = 1,
    /// Values of refunds.
    Refunds = 2,
    /// Price by quantity of items that were bought.
    ItemRevenue = 3,
    /// Price by quantity of items that were refunded.
    ItemRefunds = 4,
    /// Tax of purchases, as it was sent.
    Tax = 5,
    /// Shipping of purchases, as it was sent.
    Shipping = 6,
    /// Discounts of items that were bought.
    Discount = 7,
    /// Not money: how many purchases had a value in this currency.
    Orders = 8,
}

impl MoneyKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Value,
        Self::Revenue,
        Self::Refunds,
        Self::ItemRevenue,
        Self::ItemRefunds,
        Self::Tax,
        Self::Shipping,
        Self::Discount,
        Self::Orders,
    ];

    /// The name in queries and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Revenue => "revenue",
            Self::Refunds => "refunded",
            Self::ItemRevenue => "item_revenue",
            Self::ItemRefunds => "item_refunded",
            Self::Tax => "tax",
            Self::Shipping => "shipping",
            Self::Discount => "discount",
            Self::Orders => "orders",
        }
    }

    /// The persisted number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The inverse of [`MoneyKind::number`].
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

impl fmt::Display for MoneyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_places_in_the_list() {
        for (place, kind) in MoneyKind::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(kind.number()), place);
            assert_eq!(MoneyKind::from_number(kind.number()), Some(kind));
        }
    }
}
