//! Holds the answers at the end against the ledger. It shares no code with the product: from what was counted of each life
//! of each client it works out which hits those were, and from the hits what every number must be.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::{Ledger, Lifetime, Tracked, taken};
use crate::plan::Faults;
use crate::reader::{Answers, content, count, micros};

const HOUR_MS: i64 = 3_600_000;
const PAUSE_MS: i64 = 30 * 60_000;

/// Everything that is wrong with a merchant's numbers; nothing, if all is well. Clocks that jump move hits to hours that are not
/// known.
pub(crate) fn check(ledger: &Ledger, merchant: usize, answers: &Answers, faults: &Faults) -> Vec<String> {
    let by_hour = !faults.clock_jumps;
    let may_have_holes = faults.failing_log || faults.full_disk;
    let mut wrong = Vec::new();
    let mut pages = BTreeMap::<String, (u64, i64)>::new();
    for row in &answers.pages {
        let page = pages.entry(row.dimensions.first().cloned().unwrap_or_default()).or_default();
        *page = (page.0 + count(row, 0), page.1 + micros(row, 1));
    }
    let mut counted = Vec::new();
    for (client, life, lived) in ledger.lives_of(merchant) {
        let (hits, value) = pages.remove(&Ledger::page(client, life)).unwrap_or_default();
        match prefix(lived, hits).map(|prefix| with_holes(lived, prefix, value, may_have_holes)) {
            Ok(prefix) => {
                let sum = sum(&prefix);
                if sum != value {
                    let all: Vec<_> = lived.tracked.iter().map(|hit| (hit.micros, hit.refused)).collect();
                    wrong.push(format!(
                        "client {client}, life {life}: {hits} hits were counted, worth {sum}, and the cells say {value}; {} \
                         were acknowledged of {all:?}",
                        lived.settled
                    ));
                }
                counted.extend(prefix.into_iter().map(|hit| (client, life, hit)));
            }
            Err(why) => wrong.push(format!("client {client}, life {life}: {why}")),
        }
    }
    wrong.extend(pages.into_keys().map(|page| format!("nobody ever tracked a hit of {page}")));
    if by_hour && wrong.is_empty() {
        wrong.extend(check_pages(&counted, answers));
        wrong.extend(check_hours(&counted, answers));
    }
    wrong.extend(check_audit(counted.len() as u64, answers));
    let (live, queried) = (content(&answers.live), content(&answers.queried));
    if live != queried {
        wrong.push(format!("a subscriber has {live:?} and a query says {queried:?}"));
    }
    wrong
}

/// The hits that were counted of a life, if there are so many and no acknowledged one is missing.
fn prefix(lived: &Lifetime, hits: u64) -> Result<Vec<&Tracked>, String> {
    let (least, most) = (taken(&lived.tracked[..lived.settled]), taken(&lived.tracked));
    let least = if lived.flushed { most } else { least };
    if !(least..=most).contains(&hits) {
        return Err(format!("{hits} hits were counted: at least {least} were acknowledged, and {most} sent"));
    }
    Ok(lived.tracked.iter().filter(|hit| !hit.refused).take(hits as usize).collect())
}

/// The log may refuse a record and take a later one of the same client. One that comes again sends what is missing; one that
/// never does leaves a hole behind what was acknowledged. Which hits were counted their value tells: no two sets of so few have
/// the same.
fn with_holes<'a>(lived: &'a Lifetime, prefix: Vec<&'a Tracked>, value: i64, may: bool) -> Vec<&'a Tracked> {
    const MOST: usize = 20;
    let (sure, open) = lived.tracked.split_at(lived.settled);
    let sure: Vec<_> = sure.iter().filter(|hit| !hit.refused).collect();
    let open: Vec<_> = open.iter().filter(|hit| !hit.refused).collect();
    let missing = value - sum(&sure);
    if !may || lived.flushed || sum(&prefix) == value || open.len() > MOST {
        return prefix;
    }
    let chosen =
        |set: u32| open.iter().enumerate().filter(move |(n, _)| set >> n & 1 == 1).map(|(_, hit)| *hit);
    let found = (0..1u32 << open.len()).find(|&set| {
        set.count_ones() as usize + sure.len() == prefix.len()
            && chosen(set).map(|hit| hit.micros).sum::<i64>() == missing
    });
    found.map_or(prefix, |set| sure.into_iter().chain(chosen(set)).collect())
}

fn sum(hits: &[&Tracked]) -> i64 {
    hits.iter().map(|hit| hit.micros).sum()
}

type Counted<'a> = (usize, usize, &'a Tracked);

fn check_pages(counted: &[Counted<'_>], answers: &Answers) -> Option<String> {
    let mut expected = BTreeMap::<(i64, String), (u64, i64)>::new();
    for (client, life, hit) in counted {
        let cell = expected.entry((hour(hit.time_ms), Ledger::page(*client, *life))).or_default();
        *cell = (cell.0 + 1, cell.1 + hit.micros);
    }
    let mut found = BTreeMap::new();
    for row in answers.pages.iter().filter(|row| count(row, 0) > 0) {
        let start = row.start.as_ref().map_or(0, |start| start.seconds * 1_000);
        let page = row.dimensions.first().cloned().unwrap_or_default();
        found.insert((hour(start), page), (count(row, 0), micros(row, 1)));
    }
    (found != expected).then(|| format!("cells by page and hour are {found:?} and should be {expected:?}"))
}

fn check_hours(counted: &[Counted<'_>], answers: &Answers) -> Option<String> {
    #[derive(Debug, Default, PartialEq)]
    struct Cell {
        hits: u64,
        visitors: BTreeSet<usize>,
        sessions: u64,
        purchases: u64,
    }
    let mut expected = BTreeMap::<i64, Cell>::new();
    let mut by_client = BTreeMap::<usize, Vec<&Tracked>>::new();
    for (client, _, hit) in counted {
        let cell = expected.entry(hour(hit.time_ms)).or_default();
        cell.hits += 1;
        cell.visitors.insert(*client);
        cell.purchases += u64::from(hit.purchase);
        by_client.entry(*client).or_default().push(hit);
    }
    for hits in by_client.values_mut() {
        hits.sort_by_key(|hit| hit.time_ms);
        let mut last = None;
        for hit in hits {
            if last.is_none_or(|last| hit.time_ms - last > PAUSE_MS) {
                expected.entry(hour(hit.time_ms)).or_default().sessions += 1;
            }
            last = Some(hit.time_ms);
        }
    }
    let expected: BTreeMap<_, _> = expected
        .into_iter()
        .map(|(hour, cell)| (hour, [cell.hits, cell.visitors.len() as u64, cell.sessions, cell.purchases]))
        .collect();
    let found: BTreeMap<_, _> = answers
        .hours
        .iter()
        .map(|row| {
            let start = row.start.as_ref().map_or(0, |start| start.seconds * 1_000);
            (hour(start), [0, 1, 2, 3].map(|number| count(row, number)))
        })
        .filter(|(_, counts)| *counts != [0; 4])
        .collect();
    (found != expected).then(|| {
        format!("[hits, visitors, sessions, purchases] by hour are {found:?} and should be {expected:?}")
    })
}

fn check_audit(counted: u64, answers: &Answers) -> Vec<String> {
    let audit = &answers.audit;
    let mut wrong = Vec::new();
    let sum = |of: fn(&proto::v1::AuditHour) -> u64| audit.hours.iter().map(of).sum::<u64>();
    if !audit.balanced {
        wrong.push(format!("the audit does not balance: {audit:?}"));
    }
    let (accepted, found) = (sum(|hour| hour.accepted), sum(|hour| hour.counted));
    if found != counted {
        wrong.push(format!("the audit says that {found} hits were counted, and the cells {counted}"));
    }
    let rest = sum(|hour| hour.duplicate) + sum(|hour| hour.filtered) + sum(|hour| hour.dead_lettered);
    if accepted != found + rest {
        wrong.push(format!(
            "{accepted} hits were accepted, {found} counted, and {rest} otherwise accounted for"
        ));
    }
    if sum(|hour| hour.dead_lettered) > 0 {
        wrong.push("the audit has dead letters, and no client sent any".into());
    }
    wrong
}

fn hour(time_ms: i64) -> i64 {
    time_ms.div_euclid(HOUR_MS)
}
