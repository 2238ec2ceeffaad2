use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use proto::v1;

use super::*;

const START: i64 = 1_700_000_000_000;
const MINUTE: i64 = 60_000;

/// Plays a shop for some minutes in steps of 20 ms, and gives what was done at which time.
fn play(people: usize, minutes: i64, seed: u64) -> Vec<(i64, Move)> {
    let mut dice = Dice::new(seed);
    let mut shop = Shop::open(people, START, &mut dice);
    let (mut all, mut out) = (Vec::new(), Vec::new());
    for now in (START..START + minutes * MINUTE).step_by(20) {
        shop.step(now, &mut dice, &mut out);
        all.extend(out.drain(..).map(|done| (now, done)));
    }
    all
}

fn hits(moves: Vec<(i64, Move)>) -> Vec<v1::Hit> {
    let hit = |(_, done): (i64, Move)| match done.deed {
        Deed::Fire(hit) => Some(v1::Hit::from(*hit)),
        Deed::Come(_) | Deed::Leave => None,
    };
    moves.into_iter().filter_map(hit).collect()
}

#[test]
fn a_seed_repeats_itself() {
    assert_eq!(play(5, 1, 7), play(5, 1, 7));
    assert_ne!(play(5, 1, 7), play(5, 1, 8));
}

#[test]
fn everybody_comes_then_does_something_then_leaves_and_nobody_is_here_twice() {
    let mut here: HashMap<usize, (Person, usize)> = HashMap::new();
    let mut visits: HashMap<String, usize> = HashMap::new();
    for (_, done) in play(60, 10, 1) {
        match done.deed {
            Deed::Come(person) => {
                assert!(here.values().all(|(other, _)| other.client_id != person.client_id));
                *visits.entry(person.client_id.clone()).or_default() += 1;
                assert_eq!(here.insert(done.place, (person, 0)), None);
            }
            Deed::Fire(_) => here.get_mut(&done.place).unwrap().1 += 1,
            Deed::Leave => assert!(here.remove(&done.place).unwrap().1 > 0),
        }
    }
    let again = visits.values().filter(|visits| **visits > 1).count();
    assert!(again > visits.len() / 10, "{again} of {} came back", visits.len());
}

#[test]
fn a_usual_shop_has_several_dozen_hits_a_second_that_vary_gently() {
    let moves = play(60, 10, 2);
    let mut by_minute: BTreeMap<i64, f64> = BTreeMap::new();
    for (at, done) in &moves {
        if matches!(done.deed, Deed::Fire(_)) {
            *by_minute.entry((at - START) / MINUTE).or_default() += 1.0 / 60.0;
        }
    }
    let rates: Vec<f64> = by_minute.into_values().collect();
    assert!(rates.iter().all(|rate| (36.0..84.0).contains(rate)), "{rates:?}");
    let (least, most) =
        (rates.iter().copied().fold(f64::MAX, f64::min), rates.iter().copied().fold(0.0, f64::max));
    assert!(most / least > 1.1 && most / least < 2.0, "{rates:?}");
}

#[test]
fn pages_are_as_many_and_as_popular_as_those_of_a_shop() {
    let mut views: HashMap<String, u64> = HashMap::new();
    for hit in hits(play(60, 20, 3)).into_iter().filter(|hit| hit.name == "page_view") {
        let path = hit.url.strip_prefix("https://nordhut.example").unwrap();
        *views.entry(path.split('?').next().unwrap().to_owned()).or_default() += 1;
    }
    // Home, search, cart, checkout, thank you; 6 categories of 8 products; 7 pages about the shop.
    assert_eq!(views.len(), 5 + 6 + 48 + 7);
    let mut counts: Vec<u64> = views.values().copied().collect();
    counts.sort_unstable();
    let median = counts[counts.len() / 2];
    assert!(counts[counts.len() - 1] > 10 * median, "{views:?}");
    assert!(views["/p/fjord-rain-jacket"] > 3 * views["/p/kids-puddle-jacket"]);
}

#[test]
fn a_purchase_is_worth_what_went_into_the_cart() {
    let mut carts: HashMap<usize, i64> = HashMap::new();
    let (mut purchases, mut visits, mut orders) = (0, 0, HashSet::new());
    for (_, done) in play(60, 10, 4) {
        match done.deed {
            Deed::Come(_) => {
                visits += 1;
                carts.insert(done.place, 0);
            }
            Deed::Leave => {}
            Deed::Fire(hit) => {
                let hit = v1::Hit::from(*hit);
                let cart = carts.get_mut(&done.place).unwrap();
                match (hit.name.as_str(), hit.value) {
                    ("add_to_cart", Some(value)) => *cart += value.micros,
                    ("purchase", Some(value)) => {
                        assert_eq!((value.currency.as_str(), value.micros), ("EUR", *cart));
                        assert!(*cart > 0 && orders.insert(hit.transaction_id));
                        (*cart, purchases) = (0, purchases + 1);
                    }
                    (name, value) => assert_eq!(value, None, "{name}"),
                }
            }
        }
    }
    assert!((visits / 50..visits / 5).contains(&purchases), "{purchases} of {visits} buy");
}

#[test]
fn people_come_from_everywhere() {
    let (mut agents, mut countries) = (BTreeSet::new(), BTreeSet::new());
    let moves = play(60, 20, 5);
    for (_, done) in &moves {
        if let Deed::Come(person) = &done.deed {
            agents.insert(person.user_agent);
            countries.insert(person.country);
        }
    }
    assert_eq!((agents.len(), countries.len()), (12, 12));
    let hits = hits(moves);
    let from = |text: &str| hits.iter().filter(|hit| hit.referrer.contains(text)).count();
    let campaigns = hits.iter().filter(|hit| hit.url.contains("utm_source=newsletter")).count();
    assert!(from("www.google.com") > from("www.reddit.com") && from("www.reddit.com") > 0);
    assert!(campaigns > 0 && campaigns < from("www.google.com"));
}

#[test]
fn a_machine_that_slept_does_not_make_up_for_it() {
    let mut dice = Dice::new(6);
    let mut shop = Shop::open(10, START, &mut dice);
    let mut out = Vec::new();
    shop.step(START + 1_000 * MINUTE, &mut dice, &mut out);
    let places: HashSet<usize> = out.iter().map(|done| done.place).collect();
    let came = out.iter().filter(|done| matches!(done.deed, Deed::Come(_))).count();
    assert_eq!((places.len(), came), (10, 10), "{out:?}");
    assert_eq!(out.iter().filter(|done| done.deed == Deed::Leave).count(), 0);
}
