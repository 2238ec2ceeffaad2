use aggregate::Quantiles;
use keyspace::cell;
use model::ParamName;
use rules::Expr;
use rules::expr::Field;

use super::layout::Place;
use crate::facts::{ACQUISITION, DIRECT, FactsRef, ItemFacts, NONE, NOT_SET};
use crate::session::Visit;

/// What a hit, or a session, counts under.
#[derive(Clone, Debug)]
pub(super) struct Under<'v, 'f> {
    facts: &'f FactsRef<'v>,
    acquisition: [&'v [u8]; ACQUISITION.len()],
    entry_page: &'v [u8],
    kind: &'static str,
    first_visit: [u8; 10],
    /// The goal whose row is meant.
    pub(super) goal: Option<&'v [u8]>,
    /// The item whose row is meant.
    pub(super) item: Option<&'f ItemFacts<'v>>,
    /// The last page of the session.
    pub(super) exit_page: Option<&'v [u8]>,
    /// A funnel, and a step of it.
    pub(super) funnel: Option<(&'v str, &'v str)>,
}

impl<'v, 'f> Under<'v, 'f> {
    pub(super) fn new(facts: &'f FactsRef<'v>, visit: &'v Visit, first_visit: [u8; 10]) -> Self {
        let direct = || {
            let direct = [DIRECT, NONE, NOT_SET, NOT_SET, NOT_SET, NOT_SET, NONE, "Direct"];
            direct.map(str::as_bytes)
        };
        Self {
            facts,
            acquisition: visit.lead.as_ref().map_or_else(direct, FactsRef::acquisition_of),
            entry_page: visit.entry.as_ref().map_or(NOT_SET.as_bytes(), FactsRef::page_of),
            kind: if visit.new { "new" } else { "returning" },
            first_visit,
            goal: None,
            item: None,
            exit_page: None,
            funnel: None,
        }
    }

    fn value(&self, place: &Place) -> Option<&[u8]> {
        match place {
            Place::Hit(at) => self.facts.hit_at(*at),
            Place::Param(name) => self.facts.param(name),
            Place::Acquisition(at) => Some(self.acquisition[usize::from(*at)]),
            Place::EntryPage => Some(self.entry_page),
            Place::ExitPage => self.exit_page,
            Place::VisitorKind => Some(self.kind.as_bytes()),
            Place::FirstVisit => Some(&self.first_visit),
            Place::Goal => self.goal,
            Place::Funnel => self.funnel.map(|(name, _)| name.as_bytes()),
            Place::FunnelStep => self.funnel.map(|(_, step)| step.as_bytes()),
            Place::Item(at) => self.item.map(|item| item.at(*at)),
        }
    }

    /// The value of a numeric parameter.
    pub(super) fn number(&self, name: &ParamName) -> Option<f64> {
        let value = str::from_utf8(self.facts.param(name)?).ok()?.parse().ok()?;
        Quantiles::allowed(value).then_some(value)
    }

    /// Whether the hit passes the filter of a cube.
    pub(super) fn passes(&self, filter: Option<&Expr>) -> bool {
        let Some(filter) = filter else { return true };
        let worth = crate::facts::value_of(&self.facts.money).map(|value| value.to_string());
        filter.holds(&|field| match field {
            Field::Value => worth.as_deref(),
            Field::Dimension(dimension) => {
                self.facts.value(dimension).and_then(|value| str::from_utf8(value).ok())
            }
        })
    }

    /// Writes the values of a row; false if it has none, because some dimension has no value.
    pub(super) fn row(&self, places: &[Place], out: &mut Vec<u8>) -> bool {
        out.clear();
        if let [place] = places {
            return self.value(place).map(|value| out.extend_from_slice(value)).is_some();
        }
        for place in places {
            let Some(value) = self.value(place) else { return false };
            cell::put_values([value], out);
        }
        true
    }
}
