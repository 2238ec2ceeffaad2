//! Which sets of dimensions are rolled up together, and what is kept of each.

use std::sync::LazyLock;

use model::{Count, CubeId, Dimension, MoneyKind, ParamName, Parts, Scope};
use smallvec::SmallVec;

use crate::Expr;

/// A set of dimensions that is rolled up together.
#[derive(Clone, Debug, PartialEq)]
pub struct Cube {
    /// Its number, which is part of every cell's key and never means anything else.
    pub id: CubeId,
    /// The dimensions, in the order of the values of a row.
    pub dimensions: SmallVec<[Dimension; 3]>,
    /// What its rows keep.
    pub keeps: Parts,
    /// Parameters whose distributions its rows keep.
    pub params: Vec<ParamName>,
    /// Only hits, or sessions, for which this holds are in it.
    pub filter: Expr,
}

impl Cube {
    /// Whether a row for each hit can be told from the hit alone: no dimension is one of its session.
    pub fn is_of_hits(&self) -> bool {
        self.dimensions.iter().all(|dimension| !matches!(dimension.scope(), Scope::Visit | Scope::Session))
    }

    /// Whether it has rows for sessions only.
    pub fn is_of_sessions(&self) -> bool {
        self.dimensions.iter().any(|dimension| dimension.scope() == Scope::Session)
    }
}

const HITS: Parts = Parts::counts(&[
    Count::Hits,
    Count::PageViews,
    Count::Interactions,
    Count::EngagementMs,
    Count::Conversions,
    Count::Purchases,
    Count::DuplicatePurchases,
    Count::Refunds,
    Count::ItemViews,
    Count::AddToCarts,
    Count::RemoveFromCarts,
    Count::Checkouts,
    Count::Searches,
    Count::OutboundClicks,
    Count::Downloads,
    Count::Scrolls,
])
.and(Parts::money(&[
    MoneyKind::Value,
    MoneyKind::Revenue,
    MoneyKind::Refunds,
    MoneyKind::Tax,
    MoneyKind::Shipping,
    MoneyKind::Discount,
    MoneyKind::Orders,
]))
.and(Parts::VISITORS);

const SESSIONS: Parts = Parts::counts(&[
    Count::Sessions,
    Count::NewVisitors,
    Count::EngagedSessions,
    Count::SinglePageSessions,
    Count::SessionDurationMs,
    Count::PurchasingSessions,
    Count::ConvertingSessions,
]);

const PATHS: Parts = Parts::counts(&[Count::Entrances, Count::Exits]);

const ITEMS: Parts = Parts::counts(&[
    Count::ItemsViewed,
    Count::ItemsAdded,
    Count::ItemsCheckedOut,
    Count::ItemsPurchased,
    Count::ItemsRefunded,
])
.and(Parts::money(&[MoneyKind::ItemRevenue, MoneyKind::ItemRefunds]));

/// What belongs to hits, their items included, and to the sessions that begin with them.
const BOTH: Parts = HITS.and(ITEMS).and(SESSIONS);

/// What rows of these dimensions can keep.
pub fn can_keep(dimensions: &[Dimension]) -> Parts {
    let has = |scope| dimensions.iter().any(|dimension| dimension.scope() == scope);
    if has(Scope::Item) {
        // A hit with two items is in two rows: its revenue is not that of either.
        let counts = [
            Count::Hits,
            Count::ItemViews,
            Count::AddToCarts,
            Count::Checkouts,
            Count::Purchases,
            Count::Refunds,
        ];
        ITEMS.and(Parts::counts(&counts)).and(Parts::VISITORS)
    } else if has(Scope::Session) {
        SESSIONS.and(if dimensions.contains(&Dimension::ExitPage) { Parts::NONE } else { Parts::VISITORS })
    } else {
        BOTH.and(PATHS)
    }
}

/// Cubes that every merchant has.
pub fn built_in() -> &'static [Cube] {
    &BUILT_IN
}

use Dimension as D;

static BUILT_IN: LazyLock<Vec<Cube>> = LazyLock::new(|| {
    let plain = |id: u16, dimensions: &[Dimension], keeps: Parts| Cube {
        id: CubeId(id),
        dimensions: dimensions.into(),
        keeps,
        params: Vec::new(),
        filter: Expr::ALWAYS,
    };
    let all = |id, dimensions: &[Dimension]| plain(id, dimensions, can_keep(dimensions));
    let both = |id, dimensions: &[Dimension]| plain(id, dimensions, BOTH);
    vec![
        all(CubeId::TOTAL.0, &[]),
        plain(CubeId::MINUTE.0, &[], BOTH.and(PATHS)),
        all(2, &[D::Page]),
        plain(3, &[D::HitName], HITS.and(ITEMS)),
        both(4, &[D::Channel]),
        both(5, &[D::Source, D::Medium, D::Campaign]),
        both(6, &[D::ReferrerHost]),
        both(7, &[D::Term, D::Content, D::ClickId]),
        both(8, &[D::EntryPage]),
        all(9, &[D::ExitPage]),
        both(10, &[D::Country, D::Language]),
        both(11, &[D::DeviceClass, D::Browser, D::Os]),
        both(12, &[D::DataStream]),
        both(13, &[D::Hostname]),
        both(14, &[D::VisitorKind]),
        both(15, &[D::FirstVisit]),
        both(16, &[D::Goal]),
        both(
            17,
            &[
                D::Goal,
                D::Channel,
                D::Source,
                D::Medium,
                D::Campaign,
                D::Term,
                D::Content,
                D::ClickId,
                D::ReferrerHost,
                D::EntryPage,
            ],
        ),
        all(18, &[D::ItemId, D::ItemName, D::ItemBrand, D::ItemCategory, D::ItemVariant]),
        plain(19, &[D::SearchTerm], HITS),
        plain(20, &[D::Outbound], HITS),
        plain(21, &[D::File], HITS),
        plain(22, &[D::ScrollDepth, D::Page], HITS),
        // Nearly all hits are page views, and those are in the cube of the pages.
        Cube { filter: not_page_views(), ..plain(23, &[D::HitName, D::Page], HITS) },
        all(24, &[D::Funnel, D::FunnelStep, D::Channel, D::Source, D::Medium, D::Campaign]),
    ]
});

fn not_page_views() -> Expr {
    let names = [model::EventName::PAGE_VIEW.as_str(), model::EventName::SCREEN_VIEW.as_str()];
    let field = crate::expr::Field::Dimension(D::HitName);
    // Two names are neither too few nor too many.
    let test = crate::expr::Test::new(field, crate::expr::Compare::Is, names);
    test.map_or(Expr::ALWAYS, |test| Expr::Not(Box::new(Expr::Test(test))))
}
