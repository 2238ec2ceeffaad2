//! The values of a row: those that are asked by, and those that filters look at.

use keyspace::cell::{self, OTHER};
use model::Dimension;
use rules::expr::Field;
use smallvec::SmallVec;

use super::Names;
use crate::Ask;
use crate::plan::Plan;

/// Where in the rows of a cube the dimensions of a question are.
pub(super) struct Places {
    /// The dimensions of the rows.
    rows: SmallVec<[Dimension; 3]>,
    /// Those asked by.
    by: SmallVec<[usize; 3]>,
    /// That of each filter.
    filters: SmallVec<[usize; 3]>,
    /// Where data streams are, which are stored by id and shown by name.
    data_stream: Option<usize>,
}

impl Places {
    pub(super) fn of(ask: &Ask, plan: &Plan) -> Self {
        let place = |dimension: &Dimension| plan.dimensions.iter().position(|known| known == dimension);
        Self {
            rows: plan.dimensions.clone(),
            by: ask.by.iter().filter_map(place).collect(),
            filters: ask.filters.iter().filter_map(|(dimension, _)| place(dimension)).collect(),
            data_stream: place(&Dimension::DataStream),
        }
    }

    /// Puts the values that are asked by into `key`; false if the row does not pass the filters.
    pub(super) fn read(&self, ask: &Ask, names: &Names, stored: &[u8], key: &mut Vec<u8>) -> bool {
        key.clear();
        if self.rows.is_empty() {
            return true;
        }
        // What got no row of its own is the same in all dimensions.
        let mut values = cell::values(stored, self.rows.len())
            .unwrap_or_else(|| std::iter::repeat_n(OTHER, self.rows.len()).collect());
        if let Some(value) = self.data_stream.and_then(|at| values.get_mut(at)) {
            *value = names.get(*value).map_or(*value, |name| &**name);
        }
        let text = |at: usize| String::from_utf8_lossy(values[at]);
        let passes = ask.filters.iter().zip(&self.filters).all(|((_, filter), at)| filter.passes(&text(*at)));
        if !passes || !self.holds(ask, &values) {
            return false;
        }
        cell::put_values(self.by.iter().map(|at| values[*at]), key);
        true
    }

    fn holds(&self, ask: &Ask, values: &[&[u8]]) -> bool {
        if ask.condition.is_always() {
            return true;
        }
        let value = |field: &Field| match field {
            Field::Dimension(dimension) => {
                let at = self.rows.iter().position(|known| known == dimension)?;
                str::from_utf8(values[at]).ok()
            }
            Field::Value => None,
        };
        ask.condition.holds(&value)
    }
}

/// The values in a key.
pub(super) fn read(key: &[u8], dimensions: usize) -> Vec<String> {
    let mut reader = aggregate::codec::Reader::new(key);
    let values = (0..dimensions).map_while(|_| reader.bytes().ok());
    values.map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}
