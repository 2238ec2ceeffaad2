use keyspace::visitor::{Facts, Session};
use model::Timestamp;

use crate::facts::FactsRef;

/// What all hits of a session count under.
#[derive(Clone, Debug, PartialEq)]
pub struct Visit {
    /// The facts of its first hit with an address: where it came from.
    pub lead: Option<Facts>,
    /// Those of its first page view.
    pub entry: Option<Facts>,
    /// Whether it is the first session of its actor.
    pub new: bool,
    /// When that one began.
    pub first_visit: Timestamp,
}

impl Visit {
    /// The visit of one of an actor's sessions.
    pub fn of(sessions: &[Session], index: usize) -> Self {
        let first = |is: fn(&Facts) -> bool| {
            let hit = sessions[index].hits.iter().find(|hit| is(&hit.facts));
            hit.map(|hit| hit.facts.clone())
        };
        let first_visit = sessions.first().and_then(|session| session.hits.first());
        Self {
            lead: first(FactsRef::is_lead),
            entry: first(FactsRef::is_page_view),
            new: index == 0,
            first_visit: first_visit.map_or(Timestamp(0), |hit| hit.at),
        }
    }
}
