//! What hits count for, by hand.

use prost::Message;
use proto::v1;
use proto::wire::{ContextRef, HitRef};
use rules::{Compiled, Rules};

use super::*;
use crate::agent::Agents;
use model::{Count, Dimension, MoneyKind};

const RULES: &str = r#"
[filters]
hostnames = ["shop.example", "*.shop.example"]
exclude = [{ name = "staff", when = "param:staff=yes" }]
[[channels]]
name = "Own mail"
when = "source=mail and medium=letter"
[[goals]]
name = "thanks"
when = "page=/thanks"
[[goals]]
name = "big"
when = "value>=20"
[[funnels]]
name = "checkout"
steps = [{ name = "view", when = "hit_name=view_item" }, { name = "buy", when = "hit_name=purchase" }]
[[reports]]
name = "colours"
by = ["param:colour"]
distributions = ["load_ms"]
"#;

fn read_hit(hit: v1::Hit) -> Result<Vec<u8>, String> {
    let rules: Rules = toml::from_str(RULES).unwrap();
    rules::check(&rules).unwrap();
    let encoded = hit.encode_to_vec();
    let reading = Reading {
        hit: &HitRef::parse(&encoded).unwrap(),
        context: &ContextRef { user_agent: "", language: "en", country: "de", ..ContextRef::default() },
        data_stream: "3",
        version: 9,
        rules: &Compiled::new(rules),
    };
    let mut packed = Vec::new();
    read(&reading, &mut Agents::default(), &mut packed).map(|()| packed).map_err(|reason| reason.into_owned())
}

fn hit(name: &str, url: &str, params: &[(&str, v1::param::Value)]) -> v1::Hit {
    let param = |(name, value): &(&str, v1::param::Value)| v1::Param {
        name: (*name).to_owned(),
        value: Some(value.clone()),
    };
    v1::Hit {
        name: name.to_owned(),
        url: url.to_owned(),
        params: params.iter().map(param).collect(),
        ..v1::Hit::default()
    }
}

fn text(text: &str) -> v1::param::Value {
    v1::param::Value::Text(text.to_owned())
}

/// `dimension=value` of all that a hit has, and `count=n`.
fn shown(packed: &[u8], dimensions: &str) -> String {
    let facts = FactsRef::parse(packed).unwrap();
    let value = |name: &str| {
        let dimension: Dimension = name.parse().unwrap();
        facts.value(&dimension).map(|value| format!("{name}={}", String::from_utf8_lossy(value)))
    };
    dimensions.split(' ').filter_map(value).collect::<Vec<_>>().join(" ")
}

fn counts(packed: &[u8]) -> Vec<(Count, i64)> {
    FactsRef::parse(packed).unwrap().counts.iter().collect()
}

#[test]
fn a_page_view_has_its_values() {
    let url = "https://WWW.Shop.example:8443/a/b?utm_source=mail&utm_medium=letter&utm_term=x#top";
    let packed = read_hit(hit("page_view", url, &[])).unwrap();
    assert_eq!(
        shown(
            &packed,
            "page hostname hit_name country language data_stream browser device_class search_term"
        ),
        "page=/a/b hostname=www.shop.example hit_name=page_view country=DE language=en data_stream=3 \
         browser=(not set) device_class=other"
    );
    assert_eq!(
        shown(&packed, "source medium campaign term content click_id referrer_host channel"),
        "source=mail medium=letter campaign=(not set) term=x content=(not set) click_id=(not set) \
         referrer_host=(none) channel=Own mail"
    );
    assert_eq!(counts(&packed), [(Count::Hits, 1), (Count::PageViews, 1)]);
    assert_eq!(FactsRef::parse(&packed).unwrap().rules, 9);
}

#[test]
fn what_is_done_on_a_page_is_an_interaction_unless_it_says_otherwise() {
    let interactions = |name: &str, params: &[(&str, v1::param::Value)]| {
        let packed = read_hit(hit(name, "", params)).unwrap();
        FactsRef::parse(&packed).unwrap().counts.get(Count::Interactions)
    };
    assert_eq!(interactions("sign_up", &[]), 1);
    assert_eq!(interactions("page_view", &[]), 0);
    assert_eq!(interactions("scroll", &[]), 0, "the SDK fires it");
    assert_eq!(interactions("sign_up", &[("interactive", text("false"))]), 0);
    assert_eq!(interactions("sign_up", &[("interactive", v1::param::Value::Integer(0))]), 0);
    assert_eq!(interactions("sign_up", &[("interactive", text("yes"))]), 1);
}

#[test]
fn events_of_the_behaviour_on_a_page() {
    let search = read_hit(hit("view_search_results", "", &[("search_term", text("red shoes"))])).unwrap();
    assert_eq!(shown(&search, "search_term"), "search_term=red shoes");
    assert_eq!(FactsRef::parse(&search).unwrap().counts.get(Count::Searches), 1);

    let twice = [("search_term", text("")), ("search_term", text("hat")), ("search_term", text("shoe"))];
    let twice = read_hit(hit("view_search_results", "", &twice)).unwrap();
    assert_eq!(shown(&twice, "search_term"), "search_term=hat", "the first that is not empty");

    let click = |link: &str| hit("click", "https://shop.example/", &[("link_url", text(link))]);
    let away = read_hit(click("https://other.example/x")).unwrap();
    assert_eq!(shown(&away, "outbound"), "outbound=https://other.example/x");
    assert_eq!(FactsRef::parse(&away).unwrap().counts.get(Count::OutboundClicks), 1);
    let within = read_hit(click("https://www.shop.example/x")).unwrap();
    assert_eq!(shown(&within, "outbound"), "", "its own site");

    let scroll = read_hit(hit("scroll", "", &[("percent_scrolled", v1::param::Value::Integer(50))])).unwrap();
    assert_eq!(shown(&scroll, "scroll_depth"), "scroll_depth=50");
    assert_eq!(shown(&read_hit(hit("scroll", "", &[])).unwrap(), "scroll_depth"), "scroll_depth=90");
    let file = read_hit(hit("file_download", "", &[("file_name", text("a.pdf"))])).unwrap();
    assert_eq!(shown(&file, "file"), "file=a.pdf");
}

#[test]
fn engagement_is_what_the_sdk_says_within_a_day() {
    let of = |value| {
        let packed = read_hit(hit("user_engagement", "", &[("engagement_time_msec", value)])).unwrap();
        FactsRef::parse(&packed).unwrap().counts.get(Count::EngagementMs)
    };
    assert_eq!(of(v1::param::Value::Integer(4_200)), 4_200);
    assert_eq!(of(v1::param::Value::Integer(-5)), 0);
    assert_eq!(of(v1::param::Value::Integer(i64::MAX)), 86_400_000);
    assert_eq!(of(text("4200")), 0, "no number");
}

fn shop(name: &str, micros: i64) -> v1::Hit {
    let item = |id: &str, price_micros, quantity| v1::HitItem {
        id: id.to_owned(),
        price_micros,
        quantity,
        discount_micros: 1_000_000,
        ..v1::HitItem::default()
    };
    v1::Hit {
        value: Some(v1::Money { currency: "EUR".to_owned(), micros }),
        // The first item is on two lines.
        items: vec![item("a", 5_000_000, 2), item("b", 1_000_000, 0), item("a", 5_000_000, 1)],
        ..hit(
            name,
            "https://shop.example/thanks",
            &[("tax", v1::param::Value::Number(1.9)), ("shipping", v1::param::Value::Integer(4))],
        )
    }
}

#[test]
fn a_purchase_has_its_money_and_its_items() {
    let packed = read_hit(shop("purchase", 21_000_000)).unwrap();
    let facts = FactsRef::parse(&packed).unwrap();
    let euro = "EUR".parse().unwrap();
    let money: Vec<_> = facts.money.iter().map(|sum| (sum.kind, sum.micros)).collect();
    assert!(facts.money.iter().all(|sum| sum.currency == euro));
    // Items: 3 × 5 and 1 × 1; one off each of the four.
    assert_eq!(
        money,
        [
            (MoneyKind::Value, 21_000_000),
            (MoneyKind::Revenue, 21_000_000),
            (MoneyKind::ItemRevenue, 16_000_000),
            (MoneyKind::Tax, 1_900_000),
            (MoneyKind::Shipping, 4_000_000),
            (MoneyKind::Discount, 4_000_000),
            (MoneyKind::Orders, 1),
        ]
    );
    assert_eq!(facts.counts.get(Count::ItemsPurchased), 4);
    let [a, b] = &facts.items[..] else { panic!("{:?}", facts.items) };
    assert_eq!((a.counts.get(Count::ItemsPurchased), a.counts.get(Count::Purchases)), (3, 1));
    assert_eq!((b.counts.get(Count::ItemsPurchased), b.counts.get(Count::Hits)), (1, 1));
    assert_eq!(a.money.of(MoneyKind::ItemRevenue).collect::<Vec<_>>(), [(euro, 15_000_000)]);
    assert_eq!(facts.goals, [&b"thanks"[..], b"big"]);
    assert_eq!((facts.counts.get(Count::Conversions), &facts.steps[..]), (2, &[(0, 1)][..]));
}

#[test]
fn a_refund_is_what_was_paid_back_whichever_sign_it_has() {
    for micros in [7_000_000, -7_000_000] {
        let packed = read_hit(shop("refund", micros)).unwrap();
        let facts = FactsRef::parse(&packed).unwrap();
        let of = |kind| facts.money.of(kind).map(|(_, micros)| micros).collect::<Vec<_>>();
        assert_eq!((of(MoneyKind::Refunds), of(MoneyKind::Value)), (vec![7_000_000], vec![7_000_000]));
        assert_eq!(of(MoneyKind::ItemRefunds), [16_000_000]);
        assert_eq!(
            (of(MoneyKind::Revenue), of(MoneyKind::Tax), of(MoneyKind::Discount)),
            (vec![], vec![], vec![])
        );
        assert_eq!((facts.counts.get(Count::Refunds), facts.counts.get(Count::ItemsRefunded)), (1, 4));
    }
}

#[test]
fn only_parameters_that_a_rule_looks_at_are_kept() {
    let params = [("colour", text("red")), ("size", text("xl")), ("load_ms", v1::param::Value::Number(1.5))];
    let packed = read_hit(hit("page_view", "", &params)).unwrap();
    assert_eq!(shown(&packed, "param:colour param:size param:load_ms"), "param:colour=red param:load_ms=1.5");
}

#[test]
fn filtered_hits_say_why() {
    let of = |url: &str, params: &[(&str, v1::param::Value)]| read_hit(hit("page_view", url, params)).err();
    assert_eq!(of("https://www.shop.example/", &[]), None);
    assert_eq!(of("https://mirror.example/", &[]), Some("hostname".to_owned()));
    assert_eq!(of("/bare", &[]), None, "no host is not another one");
    assert_eq!(of("/", &[("staff", text("yes"))]), Some("rule: staff".to_owned()));
    assert_eq!(
        of("https://mirror.example/", &[("staff", text("yes"))]),
        Some("hostname".to_owned()),
        "the first"
    );
}
