//! Cells: the aggregate of one merchant, one cube, one hour, one partition.
//!
//! ```text
//! key    0x10 │ merchant u64 │ generation u32 │ cube u16 │ hour u32 │ partition u16
//! value  version 2 │ rows varint │ row…            sorted by value
//! row    value (length, bytes) │ slots of the quarters │ visitors       (see aggregate::Row)
//! ```
//!
//! The value of a row is that of its dimension; where there are several, each with its length before it.

use std::ops::Range;

use aggregate::codec::{Malformed, Reader, put_bytes, put_varint};
use aggregate::{Merge, Row};
use bytes::Bytes;
use hashbrown::HashMap;
use model::{CubeId, Generation, Hour, MerchantId, Partition};
use smallvec::SmallVec;

use crate::key::{KeyBuilder, part};

pub(crate) const FAMILY: u8 = 0x10;
const VERSION: u8 = 2;

/// Which cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellKey {
    /// Whose.
    pub merchant: MerchantId,
    /// Of which set of cells.
    pub generation: Generation,
    /// Broken down by what.
    pub cube: CubeId,
    /// Of which hour of event time.
    pub hour: Hour,
    /// From the hits of which partition.
    pub partition: Partition,
}

impl CellKey {
    /// The persisted key.
    pub fn encode(&self) -> Bytes {
        hour_prefix(self.merchant, self.generation, self.cube, self.hour).u16(self.partition.0).build()
    }

    /// The inverse of [`CellKey::encode`].
    pub fn decode(key: &[u8]) -> Option<Self> {
        if key.len() != 21 || key[0] != FAMILY {
            return None;
        }
        Some(Self {
            merchant: MerchantId(u64::from_be_bytes(part(key, 1)?)),
            generation: Generation(u32::from_be_bytes(part(key, 9)?)),
            cube: CubeId(u16::from_be_bytes(part(key, 13)?)),
            hour: Hour(u32::from_be_bytes(part(key, 15)?)),
            partition: Partition(u16::from_be_bytes(part(key, 19)?)),
        })
    }
}

fn hour_prefix(merchant: MerchantId, generation: Generation, cube: CubeId, hour: Hour) -> KeyBuilder {
    KeyBuilder::family(FAMILY).u64(merchant.0).u32(generation.0).u16(cube.0).u32(hour.0)
}

/// The cells of all partitions in `hours`, in order of the hours.
pub fn range(merchant: MerchantId, generation: Generation, cube: CubeId, hours: Range<Hour>) -> Range<Bytes> {
    let at = |hour| hour_prefix(merchant, generation, cube, hour).build();
    at(hours.start)..at(hours.end)
}

/// The rows of a cell, by the value of its dimension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    rows: HashMap<Box<[u8]>, Row>,
}

/// A cell has at most this many rows; further values are summed up in the row [`OTHER`].
pub const MAX_ROWS: usize = 10_000;
/// The value of the row that holds what did not get one of its own.
pub const OTHER: &[u8] = b"(other)";

impl Cell {
    /// The row of a value; made if it is not there, as long as there is room.
    pub fn row(&mut self, value: &[u8]) -> &mut Row {
        let value = if self.rows.len() < MAX_ROWS || self.rows.contains_key(value) { value } else { OTHER };
        self.rows.entry_ref(value).or_default()
    }

    /// The rows, in no order.
    pub fn rows(&self) -> impl Iterator<Item = (&[u8], &Row)> {
        self.rows.iter().map(|(value, row)| (&**value, row))
    }

    /// Forgets a row of which nothing is left, so that it takes no room. Where room has run out all rows stay: what was summed
    /// up in [`OTHER`] must be found there again.
    pub fn forget_if_empty(&mut self, value: &[u8]) {
        if !self.rows.contains_key(OTHER) && self.rows.get(value).is_some_and(Row::is_empty) {
            self.rows.remove(value);
        }
    }

    /// Makes this the cell of both. The order matters only beyond [`MAX_ROWS`], to which values get a row.
    pub fn merge(&mut self, other: &Self) {
        // In order, so that the same cells merge to the same bytes.
        for (value, row) in other.sorted() {
            self.row(value).merge(row);
        }
    }

    /// Roughly how many bytes it takes in memory.
    pub fn heap_bytes(&self) -> usize {
        self.rows().map(|(value, row)| value.len() + size_of::<(Box<[u8]>, Row)>() + row.heap_bytes()).sum()
    }

    /// Rows in which something is left: those that were taken back whole are as if they had never been.
    fn sorted(&self) -> Vec<(&[u8], &Row)> {
        let full = self.rows.contains_key(OTHER);
        let mut rows: Vec<_> = self.rows().filter(|(_, row)| full || !row.is_empty()).collect();
        rows.sort_unstable_by_key(|(value, _)| *value);
        rows
    }

    /// The persisted value.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(16 + self.rows.len() * 40);
        out.push(VERSION);
        let rows = self.sorted();
        put_varint(&mut out, rows.len() as u64);
        for (value, row) in rows {
            put_bytes(&mut out, value);
            row.encode(&mut out);
        }
        out.into()
    }

    /// The inverse of [`Cell::encode`].
    pub fn decode(value: &[u8]) -> Result<Self, Malformed> {
        let mut cell = Self::default();
        for row in read_rows(value)? {
            let (value, row) = row?;
            cell.rows.insert(value.into(), row);
        }
        Ok(cell)
    }
}

/// Appends the value of a row of several dimensions.
pub fn put_values<'v>(values: impl IntoIterator<Item = &'v [u8]>, out: &mut Vec<u8>) {
    values.into_iter().for_each(|value| put_bytes(out, value));
}

/// The values of a row of so many dimensions; none if it is the row [`OTHER`], or not of so many.
pub fn values(row: &[u8], dimensions: usize) -> Option<SmallVec<[&[u8]; 3]>> {
    if dimensions == 1 {
        return (row != OTHER).then(|| SmallVec::from_slice(&[row]));
    }
    let mut reader = Reader::new(row);
    let values: SmallVec<_> = (0..dimensions).map_while(|_| reader.bytes().ok()).collect();
    (values.len() == dimensions && reader.is_empty()).then_some(values)
}

/// The rows of a persisted cell, sorted by value, without building the cell.
pub fn read_rows(value: &[u8]) -> Result<impl Iterator<Item = Result<(&[u8], Row), Malformed>>, Malformed> {
    let mut reader = Reader::new(value);
    match reader.byte()? {
        VERSION => {}
        found => return Err(Malformed::Unknown { what: "version of a cell", found: found.into() }),
    }
    let rows = reader.count()?;
    Ok((0..rows).map(move |_| Ok((reader.bytes()?, Row::decode(&mut reader)?))))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use model::Count;
    use proptest::prelude::*;

    use super::*;

    fn cell(hits: &[(&str, usize, u64)]) -> Cell {
        let mut cell = Cell::default();
        for (value, quarter, visitor) in hits {
            let row = cell.row(value.as_bytes());
            row.slot(*quarter).counts.add(Count::Hits, 1);
            row.visitors.add(*visitor << 4, *quarter, 1);
        }
        cell
    }

    fn key() -> impl Strategy<Value = CellKey> {
        (1u64.., 1u32.., any::<u16>(), any::<u32>(), any::<u16>()).prop_map(|(m, g, c, h, p)| CellKey {
            merchant: MerchantId(m),
            generation: Generation(g),
            cube: CubeId(c),
            hour: Hour(h),
            partition: Partition(p),
        })
    }

    proptest! {
        #[test]
        fn keys_sort_by_merchant_generation_cube_and_hour(a in key(), b in key()) {
            let order = |k: &CellKey| (k.merchant, k.generation, k.cube, k.hour, k.partition);
            prop_assert_eq!(a.encode().cmp(&b.encode()), order(&a).cmp(&order(&b)));
            prop_assert_eq!(CellKey::decode(&a.encode()), Some(a));
        }

        #[test]
        fn a_range_has_the_cells_of_its_hours_and_no_others(k in key(), from in 0u32..9, to in 0u32..9, at in 0u32..9) {
            let hours = range(k.merchant, k.generation, k.cube, Hour(from)..Hour(to));
            let cell = CellKey { hour: Hour(at), ..k }.encode();
            prop_assert_eq!(hours.contains(&cell), (from..to).contains(&at));
        }
    }

    #[test]
    fn a_cell_is_its_bytes_and_small() {
        let cell = cell(&[("/a", 0, 1), ("/b", 3, 1), ("/a", 0, 2)]);
        let bytes = cell.encode();
        assert_eq!(Cell::decode(&bytes), Ok(cell));
        expect![[r#"\x02\x02\x02/a\x01\x01\x04\x03\x00\x00\x00\x00\x00\x00\x00\x11\x01\x00\x00\x00\x00\x00\x00\x00!\x01\x02/b\x08\x01\x02\x02\x00\x00\x00\x00\x00\x00\x00\x18\x01"#]]
            .assert_eq(&bytes.escape_ascii().to_string());
    }

    #[test]
    fn merged_cells_are_the_cell_of_all_hits() {
        let (a, b) = ([("/a", 0, 1), ("/b", 1, 1)], [("/b", 1, 2), ("/c", 2, 1), ("/b", 1, 1)]);
        let mut merged = cell(&a);
        merged.merge(&cell(&b));
        assert_eq!(merged.encode(), cell(&[&a[..], &b[..]].concat()).encode());
    }

    #[test]
    fn rows_that_were_taken_back_leave_no_trace() {
        let mut moved = cell(&[("/a", 0, 1), ("/b", 3, 1)]);
        let row = moved.row(b"/b");
        row.slot(3).counts.add(Count::Hits, -1);
        row.visitors.add(1 << 4, 3, -1);
        assert_eq!(moved.encode(), cell(&[("/a", 0, 1)]).encode());
    }

    #[test]
    fn a_row_of_several_dimensions_has_their_values() {
        let mut row = Vec::new();
        put_values([&b"google"[..], b"", b"spring"], &mut row);
        assert_eq!(values(&row, 3).unwrap()[..], [&b"google"[..], b"", b"spring"]);
        assert_eq!((values(&row, 2), values(OTHER, 1), values(OTHER, 2)), (None, None, None));
        assert_eq!(values(b"/a", 1).unwrap()[..], [b"/a"]);
    }

    #[test]
    fn values_beyond_the_cap_are_summed_up_and_none_is_lost() {
        let mut cell = Cell::default();
        for n in 0..MAX_ROWS + 50 {
            cell.row(format!("/{n}").as_bytes()).slot(0).counts.add(Count::Hits, 1);
        }
        assert_eq!(cell.rows().count(), MAX_ROWS + 1);
        assert_eq!(cell.row(OTHER).slot(0).counts.get(Count::Hits), 50);
        assert_eq!(cell.row(b"/3").slot(0).counts.get(Count::Hits), 1);
    }

    #[test]
    fn an_unknown_version_is_refused_by_name() {
        let refused = Cell::decode(&[9, 0]).unwrap_err().to_string();
        assert_eq!(refused, "version of a cell 9 is not known");
    }
}
