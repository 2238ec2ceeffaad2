use std::fmt;

/// What is counted and adds up. The numbers are persisted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Count {
    /// All counted hits.
    Hits = 0,
    /// Hits named `page_view` or `screen_view`.
    PageViews = 1,
    /// Sessions that began.
    Sessions = 2,
    /// First sessions of visitors.
    NewVisitors = 3,
    /// Hits named `purchase`, each transaction once.
    Purchases = 4,
    /// Sessions that were engaged, as GA4 has it.
    EngagedSessions = 5,
    /// Sessions of at most one page view and without interaction.
    SinglePageSessions = 6,
    /// Milliseconds from the first hit of each session to its last.
    SessionDurationMs = 7,
    /// First page views of sessions.
    Entrances = 8,
    /// Last page views of sessions.
    Exits = 9,
    /// Milliseconds of engagement that SDKs reported.
    EngagementMs = 10,
    /// Sessions with a purchase.
    PurchasingSessions = 11,
    /// Sessions in which a goal was reached.
    ConvertingSessions = 12,
    /// Goals that hits reached.
    Conversions = 13,
    /// Hits named `refund`.
    Refunds = 14,
    /// Hits named `view_item`.
    ItemViews = 15,
    /// Hits named `add_to_cart`.
    AddToCarts = 16,
    /// Hits named `remove_from_cart`.
    RemoveFromCarts = 17,
    /// Hits named `begin_checkout`.
    Checkouts = 18,
    /// Purchases whose transaction had been counted.
    DuplicatePurchases = 19,
    /// Items in `view_item`, each as often as its quantity says.
    ItemsViewed = 20,
    /// Items in `add_to_cart`.
    ItemsAdded = 21,
    /// Items in `begin_checkout`.
    ItemsCheckedOut = 22,
    /// Items in counted purchases.
    ItemsPurchased = 23,
    /// Items in `refund`.
    ItemsRefunded = 24,
    /// Hits named `view_search_results`.
    Searches = 25,
    /// Clicks on links to other sites.
    OutboundClicks = 26,
    /// Hits named `file_download`.
    Downloads = 27,
    /// Hits named `scroll`.
    Scrolls = 28,
    /// Hits that are no page views and not marked as without interaction.
    Interactions = 29,
}

impl Count {
    /// Every count, in the order of their numbers.
    pub const ALL: [Self; 30] = [
        Self::Hits,
        Self::PageViews,
        Self::Sessions,
        Self::NewVisitors,
        Self::Purchases,
        Self::EngagedSessions,
        Self::SinglePageSessions,
        Self::SessionDurationMs,
        Self::Entrances,
        Self::Exits,
        Self::EngagementMs,
        Self::PurchasingSessions,
        Self::ConvertingSessions,
        Self::Conversions,
        Self::Refunds,
        Self::ItemViews,
        Self::AddToCarts,
        Self::RemoveFromCarts,
        Self::Checkouts,
        Self::DuplicatePurchases,
        Self::ItemsViewed,
        Self::ItemsAdded,
        Self::ItemsCheckedOut,
        Self::ItemsPurchased,
        Self::ItemsRefunded,
        Self::Searches,
        Self::OutboundClicks,
        Self::Downloads,
        Self::Scrolls,
        Self::Interactions,
    ];

    /// The name in queries and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hits => "hits",
            Self::PageViews => "page_views",
            Self::Sessions => "sessions",
            Self::NewVisitors => "new_visitors",
            Self::Purchases => "purchases",
            Self::EngagedSessions => "engaged_sessions",
            Self::SinglePageSessions => "single_page_sessions",
            Self::SessionDurationMs => "session_duration_ms",
            Self::Entrances => "entrances",
            Self::Exits => "exits",
            Self::EngagementMs => "engagement_ms",
            Self::PurchasingSessions => "purchasing_sessions",
            Self::ConvertingSessions => "converting_sessions",
            Self::Conversions => "conversions",
            Self::Refunds => "refunds",
            Self::ItemViews => "item_views",
            Self::AddToCarts => "add_to_carts",
            Self::RemoveFromCarts => "remove_from_carts",
            Self::Checkouts => "checkouts",
            Self::DuplicatePurchases => "duplicate_purchases",
            Self::ItemsViewed => "items_viewed",
            Self::ItemsAdded => "items_added",
            Self::ItemsCheckedOut => "items_checked_out",
            Self::ItemsPurchased => "items_purchased",
            Self::ItemsRefunded => "items_refunded",
            Self::Searches => "searches",
            Self::OutboundClicks => "outbound_clicks",
            Self::Downloads => "downloads",
            Self::Scrolls => "scrolls",
            Self::Interactions => "interactions",
        }
    }

    /// The persisted number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The inverse of [`Count::number`].
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_places_in_the_list() {
        for (place, count) in Count::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(count.number()), place);
            assert_eq!(Count::from_number(count.number()), Some(count));
        }
        assert_eq!(Count::from_number(Count::ALL.len() as u8), None);
    }
}
