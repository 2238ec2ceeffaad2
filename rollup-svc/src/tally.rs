//! From what moved to cells: which rows of which cubes a hit or a session counts in, and what it adds to them.
//!
//! Most of what happens is one of two things: a hit begins a session, or it comes at the end of one. Both are counted in one
//! pass over the cubes for what one row gets: taking a session back as a whole and adding it again would come to the same.

mod layout;
mod under;

use aggregate::{Counts, Merge, MoneySums};
use keyspace::visitor::Hit;
use model::{Count, CubeId, Timestamp};

pub use self::layout::{Layout, Place};
use self::under::Under;
use crate::facts::{FactsRef, NOT_SET};
use crate::fold::MINUTES_KEPT_MS;
use crate::rulebook::{Rulebook, Versioned};
use crate::session::{Moved, Summary, Visit};
use crate::state::{HourCells, MerchantState};

/// Counts what moved.
pub struct Tally<'a> {
    /// Where it is counted.
    pub state: &'a mut MerchantState,
    /// By which rules.
    pub rulebook: &'a Rulebook,
    /// When what moved it was received.
    pub received_at: Timestamp,
    /// Room for the values of a row.
    pub row: &'a mut Vec<u8>,
}

/// What is added to a row.
struct Added<'s> {
    counts: &'s Counts,
    money: Option<&'s MoneySums>,
    /// Whether the values of its parameters are, too.
    values: bool,
    /// Who is added to its visitors, if anybody.
    visitor: Option<u64>,
    times: i64,
}

impl Tally<'_> {
    /// Counts what moved, and takes back what moved away.
    pub fn count(&mut self, moved: &Moved) {
        match (&moved.hits[..], &moved.sessions[..]) {
            ([(hit, visit, 1)], [(summary, _, 1)]) if summary.first.place() == hit.place() => {
                let versioned = self.versioned(hit);
                let mut counts = counts_of(summary, visit, versioned);
                let is_view = FactsRef::is_page_view(&hit.facts);
                counts.add(Count::Entrances, is_view.into());
                counts.add(Count::Exits, is_view.into());
                self.hit(hit, visit, &counts, 1);
                self.whole(summary, visit, &counts, 1);
            }
            ([(hit, visit, 1)], [(before, _, -1), (after, _, 1)]) if before.goals == after.goals => {
                self.hit(hit, visit, &Counts::IDENTITY, 1);
                self.changed(before, after, visit);
            }
            (hits, sessions) => {
                for (hit, visit, times) in hits {
                    self.hit(hit, visit, &Counts::IDENTITY, *times);
                }
                for (summary, visit, times) in sessions {
                    self.session(summary, visit, *times);
                }
            }
        }
    }

    fn versioned(&self, hit: &Hit) -> &'_ Versioned {
        self.rulebook.at(FactsRef::rules_of(&hit.facts)).1
    }

    /// A hit, and what else its rows get.
    fn hit(&mut self, hit: &Hit, visit: &Visit, more: &Counts, times: i64) {
        let facts = FactsRef::of(&hit.facts);
        let book = self.rulebook;
        let (_, versioned) = book.at(facts.rules);
        let mut all = facts.counts.clone();
        all.merge(more);
        let mut under = Under::new(&facts, visit, versioned.day(visit.first_visit));
        let mut page = self.page(hit.at);
        for layout in versioned.layouts.iter().filter(|layout| !layout.of_sessions) {
            if !under.passes(layout.filter.as_ref()) {
                continue;
            }
            for goal in some_or_one(layout.of_goals, facts.goals.iter().copied()) {
                for item in some_or_one(layout.of_items, facts.items.iter()) {
                    (under.goal, under.item) = (goal, item);
                    let visitor = Some(hit.visitor);
                    let (counts, money) =
                        item.map_or((&all, &facts.money), |item| (&item.counts, &item.money));
                    let of_goal;
                    let counts = match goal {
                        Some(_) if item.is_none() => {
                            of_goal = once(counts, Count::Conversions);
                            &of_goal
                        }
                        _ => counts,
                    };
                    page.add(
                        layout,
                        &under,
                        &Added { counts, money: Some(money), values: true, visitor, times },
                    );
                }
            }
        }
    }

    fn session(&mut self, summary: &Summary, visit: &Visit, times: i64) {
        let counts = counts_of(summary, visit, self.versioned(&summary.first));
        self.start(summary, visit, &counts, times);
        self.whole(summary, visit, &counts, times);
        let ends = [(&summary.entry, Count::Entrances), (&summary.exit, Count::Exits)];
        ends.into_iter().for_each(|(hit, count)| self.end(hit.as_ref(), count, visit, times));
    }

    /// A session whose goals stay as they are.
    fn changed(&mut self, before: &Summary, after: &Summary, visit: &Visit) {
        let versioned = self.versioned(&after.first);
        let [was, is] = [before, after].map(|summary| counts_of(summary, visit, versioned));
        let mut more = is.clone();
        was.iter().for_each(|(count, n)| more.add(count, -n));
        self.start(after, visit, &more, 1);
        if (&before.exit, &before.funnels) == (&after.exit, &after.funnels) {
            // Whoever was in its rows is in them.
            self.whole_of(after, visit, &more, 1, false);
        } else {
            self.whole(before, visit, &was, -1);
            self.whole(after, visit, &is, 1);
        }
        let ends =
            [(&before.entry, &after.entry, Count::Entrances), (&before.exit, &after.exit, Count::Exits)];
        for (was, is, count) in ends.into_iter().filter(|(was, is, _)| was != is) {
            self.end(was.as_ref(), count, visit, -1);
            self.end(is.as_ref(), count, visit, 1);
        }
    }

    /// What a session counts for under its first hit.
    fn start(&mut self, summary: &Summary, visit: &Visit, counts: &Counts, times: i64) {
        let facts = FactsRef::of(&summary.first.facts);
        let book = self.rulebook;
        let (_, versioned) = book.at(facts.rules);
        let mut under = Under::new(&facts, visit, versioned.day(visit.first_visit));
        let mut page = self.page(summary.first.at);
        let wanted =
            |layout: &&Layout| !layout.of_sessions && !layout.of_items && counts.has_some(&layout.keeps);
        for layout in versioned.layouts.iter().filter(wanted) {
            if !under.passes(layout.filter.as_ref()) {
                continue;
            }
            let goals = summary.goals.iter().map(|goal| goal.as_bytes());
            for goal in some_or_one(layout.of_goals, goals) {
                under.goal = goal;
                page.add(layout, &under, &Added { counts, money: None, values: false, visitor: None, times });
            }
        }
    }

    fn whole(&mut self, summary: &Summary, visit: &Visit, counts: &Counts, times: i64) {
        self.whole_of(summary, visit, counts, times, true);
    }

    /// What a session counts for under what is known of it as a whole.
    fn whole_of(
        &mut self,
        summary: &Summary,
        visit: &Visit,
        counts: &Counts,
        times: i64,
        with_visitors: bool,
    ) {
        let facts = FactsRef::of(&summary.first.facts);
        let book = self.rulebook;
        let (_, versioned) = book.at(facts.rules);
        let mut under = Under::new(&facts, visit, versioned.day(visit.first_visit));
        let exit = summary.exit.as_ref().map(|hit| FactsRef::page_of(&hit.facts));
        under.exit_page = Some(exit.unwrap_or(NOT_SET.as_bytes()));
        let mut page = self.page(summary.first.at);
        for layout in versioned.layouts.iter().filter(|layout| layout.of_sessions) {
            if !layout.of_funnels() {
                page.add(layout, &under, &Added { counts, money: None, values: false, visitor: None, times });
                continue;
            }
            for (funnel, taken) in &summary.funnels {
                let Some(funnel) = versioned.rules.rules.funnels.get(usize::from(*funnel)) else { continue };
                for ((number, step), visitor) in funnel.steps.iter().enumerate().zip(taken) {
                    let step = format!("{} {}", number + 1, step.name);
                    let mut under = under.clone();
                    under.funnel = Some((&funnel.name, &step));
                    let visitor = with_visitors.then_some(*visitor);
                    page.add(layout, &under, &Added { counts, money: None, values: false, visitor, times });
                }
            }
        }
    }

    /// The first or last page view of a session.
    fn end(&mut self, hit: Option<&Hit>, count: Count, visit: &Visit, times: i64) {
        let Some(hit) = hit else { return };
        let facts = FactsRef::of(&hit.facts);
        let book = self.rulebook;
        let (_, versioned) = book.at(facts.rules);
        let under = Under::new(&facts, visit, versioned.day(visit.first_visit));
        let counts = [(count, 1)].into_iter().collect();
        let mut page = self.page(hit.at);
        for layout in versioned.layouts.iter().filter(|layout| layout.keeps.has(count)) {
            if under.passes(layout.filter.as_ref()) {
                page.add(
                    layout,
                    &under,
                    &Added { counts: &counts, money: None, values: false, visitor: None, times },
                );
            }
        }
    }

    fn page(&mut self, at: Timestamp) -> Page<'_> {
        let with_minute = self.received_at.millis_since(at) < MINUTES_KEPT_MS;
        Page { cells: self.state.hour(at.hour()), at, with_minute, row: self.row }
    }
}

/// The cells of the hour that something happened in.
struct Page<'a> {
    cells: &'a mut HourCells,
    at: Timestamp,
    with_minute: bool,
    row: &'a mut Vec<u8>,
}

impl Page<'_> {
    fn add(&mut self, layout: &Layout, under: &Under<'_, '_>, added: &Added<'_>) {
        if layout.id == CubeId::MINUTE {
            if !self.with_minute {
                return;
            }
            self.row.clear();
            self.row.push(self.at.minute());
        } else if !under.row(&layout.places, self.row) {
            return;
        }
        let cell = self.cells.cell(layout.id).change();
        let row = cell.row(self.row);
        let quarter = self.at.quarter();
        let slot = row.slot(quarter);
        slot.counts.add_some(added.counts, &layout.keeps, added.times);
        added.money.iter().for_each(|money| slot.money.add_some(money, &layout.keeps, added.times));
        let values = layout.params.iter().enumerate().filter(|_| added.values);
        for (place, value) in values.filter_map(|(place, name)| Some((place, under.number(name)?))) {
            slot.add_value(place as u8, value, added.times);
        }
        if let Some(visitor) = added.visitor.filter(|_| layout.keeps.visitors) {
            row.visitors.add(visitor, quarter, added.times as i32);
        }
        if added.times < 0 {
            cell.forget_if_empty(self.row);
        }
    }
}

fn counts_of(summary: &Summary, visit: &Visit, versioned: &Versioned) -> Counts {
    let engaged = summary.is_engaged(versioned.rules.engaged_ms());
    [
        (Count::Sessions, 1),
        (Count::NewVisitors, visit.new.into()),
        (Count::EngagedSessions, engaged.into()),
        (Count::SinglePageSessions, summary.is_single_page().into()),
        (Count::SessionDurationMs, summary.duration_ms()),
        (Count::PurchasingSessions, (summary.purchases > 0).into()),
        (Count::ConvertingSessions, (!summary.goals.is_empty()).into()),
    ]
    .into_iter()
    .collect()
}

/// All of them, where the cube has a row for each; else one row, which is of none.
fn some_or_one<T>(each: bool, all: impl Iterator<Item = T>) -> impl Iterator<Item = Option<T>> {
    let one = (!each).then_some(None);
    all.filter(move |_| each).map(Some).chain(one)
}

/// The same counts with one of them once.
fn once(counts: &Counts, count: Count) -> Counts {
    counts.iter().filter(|(other, _)| *other != count).chain([(count, 1)]).collect()
}
