use keyspace::visitor::{Facts, Hit, Session};
use model::Timestamp;

use crate::facts::FactsRef;

/// What a session counts for as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Its first hit: where it counts.
    pub first: Hit,
    /// Its first page view, if it has one.
    pub entry: Option<Hit>,
    /// Its last page view.
    pub exit: Option<Hit>,
    /// Event time of its last hit.
    pub end: Timestamp,
    /// Page views.
    pub page_views: u64,
    /// Things that were done on the pages.
    pub interactions: u64,
    /// Purchases that count.
    pub purchases: u64,
    /// Names of the goals that were reached, in order.
    pub goals: Vec<Box<str>>,
    /// The funnels of which a step was taken, with whom the hit counts for that took each.
    pub funnels: Vec<(u8, Vec<u64>)>,
}

impl Summary {
    /// The summary of a session.
    pub fn of(session: &Session) -> Self {
        let first = &session.hits[0];
        let mut summary = Self {
            first: first.clone(),
            entry: None,
            exit: None,
            end: first.at,
            page_views: 0,
            interactions: 0,
            purchases: 0,
            goals: Vec::new(),
            funnels: Vec::new(),
        };
        if let Some(dropped) = &session.dropped {
            summary.page_views = dropped.page_views;
            summary.interactions = dropped.interactions;
            summary.purchases = dropped.purchases;
            summary.goals.clone_from(&dropped.goals);
        }
        session.hits.iter().for_each(|hit| summary.add(hit));
        summary
    }

    fn add(&mut self, hit: &Hit) {
        self.end = hit.at;
        if FactsRef::is_page_view(&hit.facts) {
            self.page_views += 1;
            self.entry.get_or_insert_with(|| hit.clone());
            self.exit = Some(hit.clone());
        }
        self.interactions += u64::from(FactsRef::is_interaction(&hit.facts));
        self.purchases += u64::from(FactsRef::is_purchase(&hit.facts));
        add_goals(&mut self.goals, &hit.facts);
        if FactsRef::has_steps(&hit.facts) {
            self.step(&FactsRef::of(&hit.facts), hit.visitor);
        }
    }

    /// A hit takes a step of a funnel if the one before it was taken. Steps are numbered by the rules of their hit.
    fn step(&mut self, facts: &FactsRef<'_>, visitor: u64) {
        if facts.rules != FactsRef::rules_of(&self.first.facts) {
            return;
        }
        // A hit takes one step of a funnel: all of its steps are held against where the funnel was before it.
        let before: Vec<_> = self.funnels.iter().map(|(funnel, taken)| (*funnel, taken.len())).collect();
        for (funnel, step) in &facts.steps {
            let taken = before.iter().find(|(known, _)| known == funnel).map_or(0, |(_, taken)| *taken);
            if taken != usize::from(*step) {
                continue;
            }
            match self.funnels.binary_search_by_key(funnel, |(known, _)| *known) {
                Ok(at) => self.funnels[at].1.push(visitor),
                Err(at) => self.funnels.insert(at, (*funnel, vec![visitor])),
            }
        }
    }

    /// Milliseconds from its first hit to its last.
    pub fn duration_ms(&self) -> i64 {
        self.end.millis_since(self.first.at)
    }

    /// Whether it was engaged, as GA4 has it: longer than this, or a goal, or two page views.
    pub fn is_engaged(&self, engaged_ms: i64) -> bool {
        self.duration_ms() > engaged_ms || !self.goals.is_empty() || self.page_views >= 2
    }

    /// Whether there was at most one page view and nothing was done: Plausible's bounce.
    pub fn is_single_page(&self) -> bool {
        self.page_views <= 1 && self.interactions == 0
    }
}

/// Takes in the goals that a hit reaches.
pub(super) fn add_goals(goals: &mut Vec<Box<str>>, facts: &Facts) {
    if !FactsRef::has_goals(facts) {
        return;
    }
    for name in FactsRef::of(facts).goals {
        let name = String::from_utf8_lossy(name);
        if let Err(at) = goals.binary_search_by(|known| (**known).cmp(&name)) {
            goals.insert(at, name.into());
        }
    }
}
