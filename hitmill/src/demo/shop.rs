//! A shop and the people in it: who comes, what they look at, put into the cart and buy. A plain function of the time and of
//! randomness; what comes of it is for others to send.

mod people;
mod range;
mod visit;

use std::f64::consts::TAU;

use hitmill_sdk::Hit;

use self::people::Lead;
use self::visit::Visit;
use super::dice::Dice;

pub(crate) use self::people::Person;

/// Milliseconds between two clicks of somebody, on average: people in a demo are quick.
const CLICK_MS: f64 = 1_050.0;
/// Nobody is quicker than this.
const LEAST_CLICK_MS: i64 = 150;
/// Milliseconds until somebody comes in place of somebody who left, on average.
const DOOR_MS: f64 = 1_500.0;
/// People come and click more and less in turns, by so much,
const SWING: f64 = 0.25;
/// once in this many milliseconds.
const SWING_MS: f64 = 150_000.0;
/// How many of those who come have been here before.
const REGULARS: f64 = 0.35;
/// How many of those who left may come back.
const REMEMBERED: usize = 4_000;

/// The shop, with a place for everybody who can be in it at a time.
#[derive(Debug)]
pub(crate) struct Shop {
    places: Vec<Place>,
    left: Vec<Person>,
}

/// What somebody does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Move {
    /// The place of whoever it is.
    pub(crate) place: usize,
    /// What it is.
    pub(crate) deed: Deed,
}

/// What somebody does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Deed {
    /// Comes, to a place that was free.
    Come(Person),
    /// Does something that is worth a hit.
    Fire(Box<Hit>),
    /// Goes, and leaves the place free.
    Leave,
}

#[derive(Debug)]
enum Place {
    Free { until: i64 },
    Taken { person: Person, visit: Visit, until: i64 },
}

impl Shop {
    /// A shop that opens now, for so many people at a time.
    pub(crate) fn open(people: usize, now_ms: i64, dice: &mut Dice) -> Self {
        let places = (0..people).map(|_| Place::Free { until: now_ms + dice.pause(DOOR_MS) }).collect();
        Self { places, left: Vec::new() }
    }

    /// What people do, up to now. Of somebody it is one thing at most, however long it has been since: a machine that slept
    /// does not make up for it.
    pub(crate) fn step(&mut self, now_ms: i64, dice: &mut Dice, out: &mut Vec<Move>) {
        let rush = 1.0 + SWING * (TAU * now_ms as f64 / SWING_MS).sin();
        for index in 0..self.places.len() {
            if self.places[index].due() <= now_ms {
                self.go_on(index, now_ms, rush, dice, out);
            }
        }
    }

    /// The page that somebody has before them.
    pub(crate) fn page(&self, place: usize) -> Option<&str> {
        match self.places.get(place)? {
            Place::Free { .. } => None,
            Place::Taken { visit, .. } => Some(visit.url()),
        }
    }

    fn go_on(&mut self, index: usize, now_ms: i64, rush: f64, dice: &mut Dice, out: &mut Vec<Move>) {
        let mut say = |deed| out.push(Move { place: index, deed });
        let mut hits = Vec::new();
        let place = &mut self.places[index];
        let until = now_ms + LEAST_CLICK_MS.max(dice.pause(CLICK_MS / rush));
        match place {
            Place::Free { .. } => {
                let person = somebody(&mut self.left, dice);
                let mut visit = Visit::new(Lead::any(dice));
                say(Deed::Come(person.clone()));
                visit.go_on(dice, &mut hits);
                *place = Place::Taken { person, visit, until };
            }
            Place::Taken { person, visit, until: due } => {
                if visit.go_on(dice, &mut hits) {
                    *due = until;
                } else {
                    say(Deed::Leave);
                    remember(&mut self.left, person.clone(), dice);
                    *place = Place::Free { until: now_ms + dice.pause(DOOR_MS / rush) };
                }
            }
        }
        hits.into_iter().for_each(|hit| say(Deed::Fire(Box::new(hit))));
    }
}

impl Place {
    fn due(&self) -> i64 {
        match self {
            Self::Free { until } | Self::Taken { until, .. } => *until,
        }
    }
}

fn somebody(left: &mut Vec<Person>, dice: &mut Dice) -> Person {
    if !left.is_empty() && dice.chance(REGULARS) {
        return left.swap_remove(dice.below(left.len()));
    }
    Person::new(dice)
}

fn remember(left: &mut Vec<Person>, person: Person, dice: &mut Dice) {
    if left.len() >= REMEMBERED {
        left.swap_remove(dice.below(left.len()));
    }
    left.push(person);
}

#[cfg(test)]
mod tests;
