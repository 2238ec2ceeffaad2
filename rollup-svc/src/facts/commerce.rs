//! What shops send: the names of GA4's events, and what items and money they add.

use aggregate::{Counts, Merge, MoneySums};
use model::{Count, Currency, MoneyKind};
use proto::wire::{HitRef, ItemRef, ParamValue};

use super::packed::ItemFacts;

/// What an event of a shop is about.
struct Event {
    /// Counted for the hit.
    hit: Count,
    /// Counted for each of its items, as often as its quantity says.
    items: Option<Count>,
}

fn event(name: &str) -> Option<Event> {
    let (hit, items) = match name {
        "view_item" => (Count::ItemViews, Some(Count::ItemsViewed)),
        "add_to_cart" => (Count::AddToCarts, Some(Count::ItemsAdded)),
        "remove_from_cart" => (Count::RemoveFromCarts, None),
        "begin_checkout" => (Count::Checkouts, Some(Count::ItemsCheckedOut)),
        "purchase" => (Count::Purchases, Some(Count::ItemsPurchased)),
        "refund" => (Count::Refunds, Some(Count::ItemsRefunded)),
        _ => return None,
    };
    Some(Event { hit, items })
}

/// What a hit of a shop adds: to its counts, to its sums, and for each of its items.
pub(super) fn add<'a>(hit: &HitRef<'a>, counts: &mut Counts, money: &mut MoneySums) -> Vec<ItemFacts<'a>> {
    let currency = hit.value.and_then(|value| value.currency.parse().ok()).unwrap_or(Currency::NONE);
    let event = event(hit.name);
    if let Some(event) = &event {
        counts.add(event.hit, 1);
    }
    if let Some(value) = hit.value {
        let is = |count| event.as_ref().is_some_and(|event| event.hit == count);
        // Some shops send what they pay back as what they lose.
        let micros = i128::from(value.micros);
        let micros = if is(Count::Refunds) { micros.abs() } else { micros };
        money.add(currency, MoneyKind::Value, micros);
        if is(Count::Purchases) {
            money.add(currency, MoneyKind::Revenue, micros);
            money.add(currency, MoneyKind::Orders, 1);
        }
        if is(Count::Refunds) {
            money.add(currency, MoneyKind::Refunds, micros);
        }
    }
    if event.as_ref().is_some_and(|event| event.hit == Count::Purchases) {
        for (name, kind) in [("tax", MoneyKind::Tax), ("shipping", MoneyKind::Shipping)] {
            money.add(currency, kind, param_micros(hit, name));
        }
    }
    items(hit, event.as_ref(), currency, counts, money)
}

fn items<'a>(
    hit: &HitRef<'a>,
    event: Option<&Event>,
    currency: Currency,
    counts: &mut Counts,
    money: &mut MoneySums,
) -> Vec<ItemFacts<'a>> {
    let mut all: Vec<ItemFacts<'a>> = Vec::new();
    for item in hit.items().map_while(Result::ok) {
        let quantity = i64::from(item.quantity.max(1));
        let mut facts = ItemFacts { values: values(&item), ..ItemFacts::default() };
        // An item that is on two lines is still one: what it adds is added up, and the hit is its once.
        let known = all.iter().position(|known| known.values == facts.values);
        facts.counts.add(Count::Hits, known.is_none().into());
        if let Some(event) = event {
            facts.counts.add(event.hit, known.is_none().into());
            event.items.iter().for_each(|count| facts.counts.add(*count, quantity));
            let (price, discount) = (i128::from(item.price_micros), i128::from(item.discount_micros));
            let times = i128::from(quantity);
            match event.hit {
                Count::Purchases => {
                    facts.money.add(currency, MoneyKind::ItemRevenue, price * times);
                    money.add(currency, MoneyKind::Discount, discount * times);
                }
                Count::Refunds => facts.money.add(currency, MoneyKind::ItemRefunds, price * times),
                _ => {}
            }
            event.items.iter().for_each(|count| counts.add(*count, quantity));
        }
        facts.money.iter().for_each(|sum| money.add(sum.currency, sum.kind, sum.micros));
        match known {
            Some(at) => {
                all[at].counts.merge(&facts.counts);
                all[at].money.merge(&facts.money);
            }
            None => all.push(facts),
        }
    }
    all
}

fn values<'a>(item: &ItemRef<'a>) -> [&'a [u8]; 5] {
    [item.id, item.name, item.brand, item.category, item.variant].map(str::as_bytes)
}

/// A parameter in units of a currency, in millionths of it. A millionth more or less of a number with a point is lost to its
/// binary form long before it comes here.
fn param_micros(hit: &HitRef<'_>, name: &str) -> i128 {
    let found = hit.params().map_while(Result::ok).find(|param| param.name == name);
    match found.map(|param| param.value) {
        Some(ParamValue::Integer(units)) => i128::from(units) * 1_000_000,
        Some(ParamValue::Number(units)) => (units * 1e6).round() as i128,
        Some(ParamValue::Text(_) | ParamValue::None) | None => 0,
    }
}
