use std::collections::BTreeSet;
use std::sync::Arc;

use model::{CubeId, Dimension, ParamName};

use crate::expr::Field;
use crate::{Cube, Rules, check, cube};

/// Rules in the form that the fold consults.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// The rules.
    pub rules: Rules,
    /// All cubes: those that every merchant has, then those of reports.
    pub cubes: Vec<Cube>,
    /// Parameters that some rule looks at, in order.
    pub params: Vec<ParamName>,
    /// Names of the goals, for whoever keeps many of them.
    pub goals: Vec<Arc<str>>,
}

impl Compiled {
    /// The compiled form of rules.
    pub fn new(rules: Rules) -> Self {
        let own = rules.reports.iter().map(|report| Cube {
            id: CubeId(report.cube),
            dimensions: report.by.iter().copied().collect(),
            keeps: check::keeps(report),
            params: report.distributions.clone(),
            filter: report.filter.clone(),
        });
        let cubes: Vec<_> = cube::built_in().iter().cloned().chain(own).collect();
        let params = params(&rules, &cubes);
        let goals = rules.goals.iter().map(|goal| goal.name.as_str().into()).collect();
        Self { rules, cubes, params, goals }
    }

    /// Milliseconds without a hit after which a session is over.
    pub fn session_timeout_ms(&self) -> i64 {
        i64::from(self.rules.sessions.timeout_minutes) * 60_000
    }

    /// A session that lasts longer than this many milliseconds is engaged.
    pub fn engaged_ms(&self) -> i64 {
        i64::from(self.rules.sessions.engaged_seconds) * 1_000
    }
}

impl Default for Compiled {
    fn default() -> Self {
        Self::new(Rules::default())
    }
}

fn params(rules: &Rules, cubes: &[Cube]) -> Vec<ParamName> {
    let mut found = BTreeSet::new();
    let steps = rules.funnels.iter().flat_map(|funnel| &funnel.steps);
    let conditions = rules.filters.exclude.iter().chain(&rules.goals).chain(steps).map(|named| &named.when);
    for expr in conditions.chain(cubes.iter().map(|cube| &cube.filter)) {
        expr.fields(&mut |field| {
            if let Field::Dimension(Dimension::Param(name)) = field {
                found.insert(name);
            }
        });
    }
    for cube in cubes {
        found.extend(&cube.params);
        found.extend(cube.dimensions.iter().filter_map(|dimension| match dimension {
            Dimension::Param(name) => Some(*name),
            _ => None,
        }));
    }
    found.into_iter().collect()
}
