use model::{CubeId, Dimension, ParamName, Parts, Scope};
use rules::{Cube, Expr};
use smallvec::SmallVec;

use crate::facts::{ACQUISITION, HIT, ITEM};

/// A cube as it is counted: where the values of its rows are, found out once and not for every hit.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The cube.
    pub id: CubeId,
    /// What its rows keep.
    pub keeps: Parts,
    /// Where the values are, in the order of its dimensions.
    pub places: SmallVec<[Place; 3]>,
    /// Parameters whose values its rows keep.
    pub params: Vec<ParamName>,
    /// Only hits for which this holds are in it; none if all are.
    pub filter: Option<Expr>,
    /// A hit has a row for each goal that it reaches.
    pub of_goals: bool,
    /// A hit has a row for each of its items.
    pub of_items: bool,
    /// Only sessions have rows: one, or one for each step of a funnel.
    pub of_sessions: bool,
}

/// Where the value of a dimension is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Among the values of the hit.
    Hit(u8),
    /// A parameter of the hit.
    Param(ParamName),
    /// Among the values of its visit's lead.
    Acquisition(u8),
    /// The page of its visit's entry.
    EntryPage,
    /// The page of its session's exit.
    ExitPage,
    /// Whether its visit is the first.
    VisitorKind,
    /// The day of the first one.
    FirstVisit,
    /// The goal whose row it is.
    Goal,
    /// The funnel whose row it is.
    Funnel,
    /// The step whose row it is.
    FunnelStep,
    /// Among the values of the item whose row it is.
    Item(u8),
}

impl Layout {
    /// The layout of a cube.
    pub fn of(cube: &Cube) -> Self {
        let has = |scope| cube.dimensions.iter().any(|dimension| dimension.scope() == scope);
        Self {
            id: cube.id,
            keeps: cube.keeps,
            params: cube.params.clone(),
            places: cube.dimensions.iter().map(Place::of).collect(),
            filter: (!cube.filter.is_always()).then(|| cube.filter.clone()),
            of_goals: has(Scope::Goal),
            of_items: has(Scope::Item),
            of_sessions: has(Scope::Session),
        }
    }

    /// Whether a session has a row for each step of a funnel that it took.
    pub fn of_funnels(&self) -> bool {
        self.places.contains(&Place::Funnel)
    }
}

impl Place {
    fn of(dimension: &Dimension) -> Self {
        let among =
            |known: &[Dimension]| known.iter().position(|known| known == dimension).map(|at| at as u8);
        match dimension {
            Dimension::Param(name) => Self::Param(*name),
            Dimension::EntryPage => Self::EntryPage,
            Dimension::ExitPage => Self::ExitPage,
            Dimension::VisitorKind => Self::VisitorKind,
            Dimension::FirstVisit => Self::FirstVisit,
            Dimension::Goal => Self::Goal,
            Dimension::Funnel => Self::Funnel,
            Dimension::FunnelStep => Self::FunnelStep,
            _ => {
                let acquired = among(&ACQUISITION).map(Self::Acquisition);
                let of_item = || among(&ITEM).map(Self::Item);
                acquired.or_else(of_item).unwrap_or_else(|| Self::Hit(among(&HIT).unwrap_or_default()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dimension_has_a_place_of_its_own() {
        let places: Vec<_> = Dimension::BUILT_IN.iter().map(Place::of).collect();
        for (at, place) in places.iter().enumerate() {
            assert!(!places[..at].contains(place), "{} has the place of another", Dimension::BUILT_IN[at]);
        }
    }
}
