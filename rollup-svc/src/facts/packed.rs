//! The packed form of a hit's facts:
//!
//! ```text
//! facts  rules varint │ flags varint │ values of the hit: 13 × bytes │ values of its acquisition: 8 × bytes
//!        │ parameters: n, n × (name, value) │ counts │ money │ items: n, n × (5 × bytes, counts, money)
//!        │ goals: n, n × name │ steps: n, n × (funnel varint, step varint)
//! ```
//!
//! A value that is what it mostly is, `(not set)` or `(direct)`, takes no bytes.

use std::sync::Arc;

use aggregate::codec::{Malformed, Reader, put_bytes, put_varint};
use aggregate::{Counts, MoneySums};
use keyspace::visitor::Facts;
use model::{Count, Dimension, MoneyKind, ParamName};

use super::{ACQUISITION, DIRECT, NONE, NOT_SET};

/// Dimensions of a hit itself, in the order in which facts hold them.
pub const HIT: [Dimension; 13] = [
    Dimension::Page,
    Dimension::HitName,
    Dimension::Country,
    Dimension::DeviceClass,
    Dimension::Browser,
    Dimension::Os,
    Dimension::Language,
    Dimension::DataStream,
    Dimension::Hostname,
    Dimension::SearchTerm,
    Dimension::Outbound,
    Dimension::File,
    Dimension::ScrollDepth,
];
/// Dimensions of an item, in the order in which facts hold them.
pub const ITEM: [Dimension; 5] = [
    Dimension::ItemId,
    Dimension::ItemName,
    Dimension::ItemBrand,
    Dimension::ItemCategory,
    Dimension::ItemVariant,
];

const PAGE_VIEW: u64 = 1;
const INTERACTION: u64 = 1 << 1;
const LEAD: u64 = 1 << 2;
const DUPLICATE: u64 = 1 << 3;
const PURCHASE: u64 = 1 << 4;
const GOALS: u64 = 1 << 5;
const STEPS: u64 = 1 << 6;

/// Facts, borrowed from their packed form.
#[derive(Clone, Debug, Default)]
pub struct FactsRef<'a> {
    /// Version of the configuration whose rules it was folded under.
    pub rules: u64,
    hit: [&'a [u8]; HIT.len()],
    acquisition: [&'a [u8]; ACQUISITION.len()],
    params: Vec<(&'a [u8], &'a [u8])>,
    /// What it adds.
    pub counts: Counts,
    /// Sums of money that it adds.
    pub money: MoneySums,
    /// Items that it is about.
    pub items: Vec<ItemFacts<'a>>,
    /// Names of the goals that it reaches.
    pub goals: Vec<&'a [u8]>,
    /// Steps of funnels that it is: which funnel, which step.
    pub steps: Vec<(u8, u8)>,
}

/// What a hit says of one item.
#[derive(Clone, Debug, Default)]
pub struct ItemFacts<'a> {
    /// Its id, name, brand, category and variant.
    pub values: [&'a [u8]; ITEM.len()],
    /// What it adds to the item's counts.
    pub counts: Counts,
    /// What it adds to the item's sums.
    pub money: MoneySums,
}

impl<'a> FactsRef<'a> {
    /// The facts of a hit. What was loaded was checked then: bytes that are none count for nothing.
    pub fn of(facts: &'a Facts) -> Self {
        Self::parse(facts.as_bytes()).unwrap_or_default()
    }

    /// Reads the packed form.
    pub fn parse(packed: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(packed);
        let mut facts = Self { rules: reader.varint()?, ..Self::default() };
        reader.varint()?; // the flags, which are asked for by themselves
        for (value, dimension) in facts.hit.iter_mut().zip(HIT) {
            *value = or_default(reader.bytes()?, dimension);
        }
        for (value, dimension) in facts.acquisition.iter_mut().zip(ACQUISITION) {
            *value = or_default(reader.bytes()?, dimension);
        }
        for _ in 0..reader.count()? {
            facts.params.push((reader.bytes()?, reader.bytes()?));
        }
        facts.counts = Counts::decode(&mut reader)?;
        facts.money = MoneySums::decode(&mut reader)?;
        for _ in 0..reader.count()? {
            let mut item = ItemFacts::default();
            for value in &mut item.values {
                *value = reader.bytes()?;
            }
            item.counts = Counts::decode(&mut reader)?;
            item.money = MoneySums::decode(&mut reader)?;
            facts.items.push(item);
        }
        for _ in 0..reader.count()? {
            facts.goals.push(reader.bytes()?);
        }
        for _ in 0..reader.count()? {
            facts.steps.push((reader.varint()? as u8, reader.varint()? as u8));
        }
        reader.end()?;
        Ok(facts)
    }

    /// Which rules and flags: what sessions ask of all of their hits.
    fn flags_of(facts: &Facts) -> u64 {
        let mut reader = Reader::new(facts.as_bytes());
        reader.varint().and_then(|_| reader.varint()).unwrap_or_default()
    }

    /// Whether a hit is a page view.
    pub fn is_page_view(facts: &Facts) -> bool {
        Self::flags_of(facts) & PAGE_VIEW != 0
    }

    /// Whether a hit is something that a visitor did on a page.
    pub fn is_interaction(facts: &Facts) -> bool {
        Self::flags_of(facts) & INTERACTION != 0
    }

    /// Whether a hit can say where its session came from: it has an address.
    pub fn is_lead(facts: &Facts) -> bool {
        Self::flags_of(facts) & LEAD != 0
    }

    /// Whether it is a purchase that counts.
    pub fn is_purchase(facts: &Facts) -> bool {
        Self::flags_of(facts) & PURCHASE != 0
    }

    /// Whether it reaches goals.
    pub fn has_goals(facts: &Facts) -> bool {
        Self::flags_of(facts) & GOALS != 0
    }

    /// Whether it is a step of some funnel.
    pub fn has_steps(facts: &Facts) -> bool {
        Self::flags_of(facts) & STEPS != 0
    }

    /// Version of the configuration whose rules a hit was folded under.
    pub fn rules_of(facts: &Facts) -> u64 {
        Reader::new(facts.as_bytes()).varint().unwrap_or_default()
    }

    /// The values of where a hit came from, in the order of [`ACQUISITION`].
    pub fn acquisition_of(facts: &'a Facts) -> [&'a [u8]; ACQUISITION.len()] {
        let mut reader = Reader::new(facts.as_bytes());
        let mut values = ACQUISITION.map(|dimension| default(dimension).as_bytes());
        if reader.varint().is_err() || reader.varint().is_err() || HIT.iter().any(|_| reader.bytes().is_err())
        {
            return values;
        }
        for (value, dimension) in values.iter_mut().zip(ACQUISITION) {
            *value = or_default(reader.bytes().unwrap_or_default(), dimension);
        }
        values
    }

    /// The page of a hit.
    pub fn page_of(facts: &'a Facts) -> &'a [u8] {
        let mut reader = Reader::new(facts.as_bytes());
        let read = reader.varint().and_then(|_| reader.varint()).and_then(|_| reader.bytes());
        or_default(read.unwrap_or_default(), Dimension::Page)
    }

    /// Whether it is a purchase that does not count because another one of its transaction does.
    pub fn is_duplicate(facts: &Facts) -> bool {
        Self::flags_of(facts) & DUPLICATE != 0
    }

    /// The value of a dimension of the hit itself or of its own acquisition; none if it has none.
    pub fn value(&self, dimension: &Dimension) -> Option<&'a [u8]> {
        if let Dimension::Param(name) = dimension {
            return self.param(name);
        }
        let own = HIT.iter().position(|known| known == dimension).map(|at| self.hit[at]);
        let acquired =
            || ACQUISITION.iter().position(|known| known == dimension).map(|at| self.acquisition[at]);
        own.or_else(acquired).filter(|value| !value.is_empty())
    }

    /// The value of the hit itself at a place of [`HIT`], if it has one.
    pub fn hit_at(&self, at: u8) -> Option<&'a [u8]> {
        self.hit.get(usize::from(at)).copied().filter(|value| !value.is_empty())
    }

    /// A parameter, if it has it.
    pub fn param(&self, name: &ParamName) -> Option<&'a [u8]> {
        let found = self.params.iter().find(|(known, _)| *known == name.as_str().as_bytes());
        found.map(|(_, value)| *value)
    }
}

impl<'a> ItemFacts<'a> {
    /// The value at a place of [`ITEM`].
    pub fn at(&self, at: u8) -> &'a [u8] {
        let value = self.values.get(usize::from(at)).copied().unwrap_or_default();
        if value.is_empty() { NOT_SET.as_bytes() } else { value }
    }
}

/// What no bytes stand for.
fn default(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Source => DIRECT,
        Dimension::Medium | Dimension::ReferrerHost => NONE,
        Dimension::SearchTerm | Dimension::Outbound | Dimension::File | Dimension::ScrollDepth => "",
        _ => NOT_SET,
    }
}

fn or_default(value: &[u8], dimension: Dimension) -> &[u8] {
    if value.is_empty() { default(dimension).as_bytes() } else { value }
}

/// Packs facts.
#[derive(Clone, Debug, Default)]
pub struct Builder<'a> {
    /// Version of the configuration whose rules it is folded under.
    pub rules: u64,
    /// Whether it is a page view.
    pub page_view: bool,
    /// Whether it is something that a visitor did on a page.
    pub interaction: bool,
    /// Whether it has an address.
    pub lead: bool,
    /// Values of the hit, in the order of [`HIT`].
    pub hit: [&'a str; HIT.len()],
    /// Values of its acquisition, in the order of [`ACQUISITION`].
    pub acquisition: [&'a str; ACQUISITION.len()],
    /// Parameters that some rule looks at.
    pub params: &'a [(String, String)],
    /// What it adds.
    pub counts: Counts,
    /// Sums of money that it adds.
    pub money: MoneySums,
    /// Items that it is about.
    pub items: Vec<ItemFacts<'a>>,
    /// Names of the goals that it reaches.
    pub goals: Vec<&'a str>,
    /// Steps of funnels that it is.
    pub steps: Vec<(u8, u8)>,
}

impl Builder<'_> {
    /// Appends the packed form.
    pub fn pack(&self, out: &mut Vec<u8>) {
        let flag = |is: bool, flag: u64| if is { flag } else { 0 };
        put_varint(out, self.rules);
        let of_counts = flag(self.counts.get(Count::Purchases) > 0, PURCHASE);
        let of_rules = flag(!self.goals.is_empty(), GOALS) | flag(!self.steps.is_empty(), STEPS);
        let own =
            flag(self.page_view, PAGE_VIEW) | flag(self.interaction, INTERACTION) | flag(self.lead, LEAD);
        put_varint(out, own | of_counts | of_rules);
        let mut put = |value: &str, dimension: Dimension| {
            put_bytes(out, if value == default(dimension) { b"" } else { value.as_bytes() });
        };
        self.hit.iter().zip(HIT).for_each(|(value, dimension)| put(value, dimension));
        self.acquisition.iter().zip(ACQUISITION).for_each(|(value, dimension)| put(value, dimension));
        put_varint(out, self.params.len() as u64);
        for (name, value) in self.params {
            put_bytes(out, name.as_bytes());
            put_bytes(out, value.as_bytes());
        }
        let goals = self.goals.iter().map(|goal| goal.as_bytes());
        put_sums(out, &self.counts, &self.money, &self.items, goals, &self.steps);
    }
}

fn put_sums<'g>(
    out: &mut Vec<u8>,
    counts: &Counts,
    money: &MoneySums,
    items: &[ItemFacts<'_>],
    goals: impl ExactSizeIterator<Item = &'g [u8]>,
    steps: &[(u8, u8)],
) {
    counts.encode(out);
    money.encode(out);
    put_varint(out, items.len() as u64);
    for item in items {
        item.values.iter().for_each(|value| put_bytes(out, value));
        item.counts.encode(out);
        item.money.encode(out);
    }
    put_varint(out, goals.len() as u64);
    goals.for_each(|goal| put_bytes(out, goal));
    put_varint(out, steps.len() as u64);
    for (funnel, step) in steps {
        put_varint(out, (*funnel).into());
        put_varint(out, (*step).into());
    }
}

/// The facts of a purchase that does not count, since another one of the same transaction does: it is still a hit, and has
/// its place in the session, and adds nothing more.
pub fn as_duplicate(facts: &Facts) -> Facts {
    let packed = facts.as_bytes();
    let mut reader = Reader::new(packed);
    let read = (|| {
        let (rules, flags) = (reader.varint()?, reader.varint()?);
        let values = reader.clone();
        for _ in 0..HIT.len() + ACQUISITION.len() {
            reader.bytes()?;
        }
        for _ in 0..2 * reader.count()? {
            reader.bytes()?;
        }
        Ok::<_, Malformed>((rules, flags, values.until(&reader)))
    })();
    let Ok((rules, flags, values)) = read else { return facts.clone() };
    let counts = [(Count::Hits, 1), (Count::DuplicatePurchases, 1)].into_iter().collect();
    let mut out = Vec::with_capacity(packed.len());
    put_varint(&mut out, rules);
    put_varint(&mut out, (flags | DUPLICATE) & !(INTERACTION | PURCHASE | GOALS | STEPS));
    out.extend_from_slice(values);
    put_sums(&mut out, &counts, &MoneySums::default(), &[], [].into_iter(), &[]);
    Facts::new(Arc::from(out))
}

/// What a hit was worth, in units of its currency.
pub(crate) fn value_of(money: &MoneySums) -> Option<f64> {
    money.of(MoneyKind::Value).next().map(|(_, micros)| micros as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purchase() -> Facts {
        let mut hit = [""; HIT.len()];
        (hit[0], hit[1], hit[8]) = ("/thanks", "purchase", "shop.example");
        let mut acquisition = ["", "", "", "", "", "", "", "Direct"];
        acquisition[0] = "google";
        let mut money = MoneySums::default();
        money.add("EUR".parse().unwrap(), MoneyKind::Revenue, 5_000_000);
        let params = [("colour".to_owned(), "red".to_owned())];
        let item = ItemFacts { values: [b"sku", b"", b"Acme", b"", b""], ..ItemFacts::default() };
        let counts = [(Count::Hits, 1), (Count::Purchases, 1), (Count::Interactions, 1)];
        let builder = Builder {
            rules: 3,
            interaction: true,
            lead: true,
            hit,
            acquisition,
            params: &params,
            counts: counts.into_iter().collect(),
            money,
            items: vec![item],
            goals: vec!["bought"],
            steps: vec![(0, 3)],
            ..Builder::default()
        };
        let mut out = Vec::new();
        builder.pack(&mut out);
        Facts::new(out.into())
    }

    #[test]
    fn what_is_packed_is_read() {
        let packed = purchase();
        let facts = FactsRef::parse(packed.as_bytes()).unwrap();
        let value = |dimension| facts.value(&dimension).map(|value| str::from_utf8(value).unwrap());
        assert_eq!(value(Dimension::Page), Some("/thanks"));
        assert_eq!(value(Dimension::Browser), Some("(not set)"));
        assert_eq!(value(Dimension::SearchTerm), None, "most hits are no search");
        assert_eq!(value(Dimension::Source), Some("google"));
        assert_eq!((value(Dimension::Medium), value(Dimension::Channel)), (Some("(none)"), Some("Direct")));
        assert_eq!(value("param:colour".parse().unwrap()), Some("red"));
        assert_eq!(value("param:size".parse().unwrap()), None);
        assert_eq!((facts.rules, facts.goals.len(), facts.steps[0]), (3, 1, (0, 3)));
        assert_eq!((facts.items[0].at(2), facts.items[0].at(1)), (&b"Acme"[..], &b"(not set)"[..]));
        assert!(FactsRef::is_lead(&packed) && FactsRef::is_interaction(&packed));
        assert!(
            FactsRef::is_purchase(&packed) && FactsRef::has_goals(&packed) && FactsRef::has_steps(&packed)
        );
        assert_eq!((FactsRef::rules_of(&packed), FactsRef::page_of(&packed)), (3, &b"/thanks"[..]));
        let acquisition = FactsRef::acquisition_of(&packed);
        assert_eq!(
            (acquisition[0], acquisition[1], acquisition[7]),
            (&b"google"[..], &b"(none)"[..], &b"Direct"[..])
        );
        assert!(!FactsRef::is_page_view(&packed) && !FactsRef::is_duplicate(&packed));
    }

    #[test]
    fn a_duplicate_is_a_hit_and_nothing_more() {
        let packed = as_duplicate(&purchase());
        let facts = FactsRef::parse(packed.as_bytes()).unwrap();
        let counts = [(Count::Hits, 1), (Count::DuplicatePurchases, 1)];
        assert_eq!(facts.counts, counts.into_iter().collect());
        assert!(
            facts.money.is_empty()
                && facts.items.is_empty()
                && facts.goals.is_empty()
                && facts.steps.is_empty()
        );
        assert_eq!(facts.value(&Dimension::Page), Some(&b"/thanks"[..]));
        assert!(FactsRef::is_duplicate(&packed) && !FactsRef::is_purchase(&packed));
        assert!(!FactsRef::is_interaction(&packed));
        assert_eq!(as_duplicate(&packed), packed, "it stays what it is");
    }
}
