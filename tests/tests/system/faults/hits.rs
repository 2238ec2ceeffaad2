//! What is fired: every hit is a function of the seed, the client, its life and a number that counts from 1.

use hitmill_sdk::Hit;
use serde_json::{Value, json};

use crate::system::complete::now_ms;

/// The seed of a run that is to be repeated, as far as processes that run side by side can be.
const SEED: &str = "HITMILL_TEST_SEED";
const HOUR_MS: i64 = 3_600_000;
/// Hours in which hits happen. They begin late enough for a query of the last 6 hours, and end before now.
pub(super) const HOURS: i64 = 3;
/// Within its hour a hit happens at :30 to :40. A batch that waits a minute or more in a frozen process has its times moved
/// by as much, since the server takes the client's clock for wrong: that must not lead into another hour.
const FIRST_MS: i64 = 30 * 60_000;
const SPREAD_MS: u64 = 10 * 60_000;
/// Bytes of a parameter's value, below what the contract allows.
const PIECE: usize = 1_900;
const CURRENCIES: [&str; 3] = ["EUR", "JPY", "USD"];
const COUNTRIES: [&str; 3] = ["DE", "FR", "NP"];

/// What all hits of a trial have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Everything else follows from it.
    pub(super) seed: u64,
    /// Start of the first hour.
    pub(super) base_ms: i64,
    /// Bytes that each hit carries beside its facts.
    pub(super) padding: usize,
}

/// One start of one client process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Life {
    pub(super) client: u64,
    pub(super) number: u64,
}

/// What the product is to make of a hit.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) page: String,
    pub(super) purchase: bool,
    pub(super) country: &'static str,
    pub(super) referrer_host: String,
    pub(super) visitor: String,
    /// Which of the hours, from 0.
    pub(super) hour: i64,
    pub(super) currency: &'static str,
    /// In sums it is a fingerprint: other hits with the same sum would be a wonder.
    pub(super) micros: i64,
    offset_ms: i64,
}

impl Plan {
    /// Hits of the last whole hours, from the seed that is asked for, or any.
    pub(super) fn new() -> Self {
        let seed = std::env::var(SEED).map_or(now_ms() as u64, |seed| seed.parse().unwrap());
        Self { seed, base_ms: (now_ms() / HOUR_MS - HOURS - 1) * HOUR_MS, padding: 0 }
    }

    pub(super) fn json(&self) -> Value {
        json!({ "seed": self.seed, "base_ms": self.base_ms, "padding": self.padding })
    }

    pub(super) fn parse(value: &Value) -> Self {
        Self {
            seed: value["seed"].as_u64().unwrap(),
            base_ms: value["base_ms"].as_i64().unwrap(),
            padding: value["padding"].as_u64().unwrap() as usize,
        }
    }

    /// Start of an hour, in milliseconds since 1970.
    pub(super) fn hour_ms(&self, hour: i64) -> i64 {
        self.base_ms + hour * HOUR_MS
    }

    pub(super) fn facts(&self, life: Life, n: u64) -> Facts {
        let of_life = mix(mix(mix(self.seed) ^ life.client) ^ life.number);
        let mut dice = Dice(of_life ^ n);
        let (visitor, hour) = (dice.below(3), dice.below(HOURS as u64));
        // All hits of a visitor in an hour are one session, which comes from one place.
        let mut of_session = Dice(mix(of_life ^ visitor) ^ hour);
        Facts {
            page: format!("/p{}", dice.below(17)),
            purchase: dice.below(8) == 0,
            country: COUNTRIES[dice.below(3) as usize],
            referrer_host: format!("from{}.example", of_session.below(4)),
            visitor: format!("{}-v{visitor}", life.campaign()),
            hour: hour as i64,
            currency: CURRENCIES[dice.below(3) as usize],
            micros: 1 + dice.below(1 << 31) as i64,
            offset_ms: dice.below(SPREAD_MS) as i64,
        }
    }

    /// The hit itself.
    pub(super) fn hit(&self, life: Life, n: u64) -> Hit {
        let facts = self.facts(life, n);
        let hit = Hit::new(if facts.purchase { "purchase" } else { "page_view" })
            .url(format!("https://shop.example{}?utm_campaign={}", facts.page, life.campaign()))
            .referrer(format!("https://{}/", facts.referrer_host))
            .country(facts.country)
            .visitor_id(facts.visitor)
            .value(facts.currency, facts.micros)
            .time_ms(self.hour_ms(facts.hour) + FIRST_MS + facts.offset_ms);
        let mut dice = Dice(mix(self.seed ^ life.number) ^ n);
        let pieces = (0..self.padding.div_ceil(PIECE)).map(|piece| PIECE.min(self.padding - piece * PIECE));
        pieces
            .enumerate()
            .fold(hit, |hit, (piece, bytes)| hit.param(format!("pad{piece}"), noise(&mut dice, bytes)))
    }
}

impl Life {
    /// Its name in the numbers: the campaign of all its hits.
    pub(super) fn campaign(self) -> String {
        format!("c{}-l{}", self.client, self.number)
    }
}

/// Text that hardly compresses.
fn noise(dice: &mut Dice, bytes: usize) -> String {
    (0..bytes).map(|_| char::from(b'0' + dice.below(64) as u8)).collect()
}

/// Cheap random numbers from a seed: `SplitMix64`.
#[derive(Clone, Debug)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From 0 up to, but without, the limit.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        (self.roll() >> 16) % limit
    }
}

fn mix(seed: u64) -> u64 {
    let z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn a_hit_follows_from_seed_client_life_and_number_and_no_other_has_its_facts() {
    let plan = Plan { seed: 7, base_ms: 0, padding: 3_000 };
    let of = |client, number, n| plan.facts(Life { client, number }, n).micros;
    assert_eq!(of(1, 2, 3), of(1, 2, 3));
    let mut all: Vec<_> = (0..4)
        .flat_map(|client| (0..4).flat_map(move |life| (1..=100).map(move |n| (client, life, n))))
        .map(|(client, life, n)| of(client, life, n))
        .collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 1_600);
    let hit = proto::v1::Hit::from(plan.hit(Life { client: 1, number: 2 }, 3));
    assert_eq!(hit.params.len(), 2);
}
