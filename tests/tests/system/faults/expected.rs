//! What the numbers must be: sums over the first hits of each life of each client. It shares nothing with the product.

use std::collections::{BTreeMap, BTreeSet};

use super::hits::{Facts, HOURS, Life, Plan};

/// By what the numbers are compared; nothing stands for all together.
pub(super) const DIMENSIONS: [&str; 6] = ["", "campaign", "country", "hit_name", "page", "referrer_host"];

/// How many hits of each life are counted.
pub(super) type Prefixes = BTreeMap<Life, u64>;
/// Start of an hour in milliseconds since 1970, and the value of the dimension.
pub(super) type Place = (i64, String);
/// Money by currency.
pub(super) type Money = BTreeMap<String, i64>;

/// The numbers of one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) hits: u64,
    pub(super) page_views: u64,
    pub(super) purchases: u64,
    pub(super) revenue: Money,
    pub(super) value: Money,
}

/// Visitors, sessions and new visitors of one place.
pub(super) type People = (u64, u64, u64);

/// The numbers by each dimension and hour.
pub(super) fn sums(plan: &Plan, prefixes: &Prefixes) -> BTreeMap<&'static str, BTreeMap<Place, Sums>> {
    let mut all: BTreeMap<_, BTreeMap<Place, Sums>> = BTreeMap::new();
    for (life, counted) in prefixes {
        for facts in (1..=*counted).map(|n| plan.facts(*life, n)) {
            for dimension in DIMENSIONS {
                let place = (plan.hour_ms(facts.hour), value(dimension, *life, &facts));
                all.entry(dimension).or_default().entry(place).or_default().add(&facts);
            }
        }
    }
    all
}

/// The people by campaign and hour. A visitor belongs to one life. Within an hour the hits are close together, and hours
/// are more than 30 minutes apart: so each hour is one session.
pub(super) fn people(plan: &Plan, prefixes: &Prefixes) -> BTreeMap<Place, People> {
    let mut all: BTreeMap<Place, People> = BTreeMap::new();
    for (life, counted) in prefixes {
        let mut hours: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        for facts in (1..=*counted).map(|n| plan.facts(*life, n)) {
            assert!(facts.hour < HOURS);
            hours.entry(facts.visitor).or_default().insert(facts.hour);
        }
        for hours in hours.values() {
            for hour in hours {
                let (visitors, sessions, fresh) =
                    all.entry((plan.hour_ms(*hour), life.campaign())).or_default();
                *visitors += 1;
                *sessions += 1;
                *fresh += u64::from(hours.first() == Some(hour));
            }
        }
    }
    all
}

impl Sums {
    fn add(&mut self, facts: &Facts) {
        self.hits += 1;
        *self.value.entry(facts.currency.to_owned()).or_default() += facts.micros;
        if facts.purchase {
            self.purchases += 1;
            *self.revenue.entry(facts.currency.to_owned()).or_default() += facts.micros;
        } else {
            self.page_views += 1;
        }
    }
}

fn value(dimension: &str, life: Life, facts: &Facts) -> String {
    match dimension {
        "" => String::new(),
        "campaign" => life.campaign(),
        "country" => facts.country.to_owned(),
        "hit_name" => if facts.purchase { "purchase" } else { "page_view" }.to_owned(),
        "page" => facts.page.clone(),
        "referrer_host" => facts.referrer_host.clone(),
        other => unreachable!("{other}"),
    }
}
