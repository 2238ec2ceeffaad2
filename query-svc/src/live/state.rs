use std::collections::HashMap;

use proto::v1;

use crate::execute::Finality;

/// Rows that are gone and still remembered, for readers who have them. Who is behind more than these gets a snapshot.
const MAX_REMOVED: usize = 10_000;

/// A live answer as it is now, and since which number each part of it is so. From this the message for any reader
/// follows, however far behind it is: nothing is queued for anybody.
#[derive(Default)]
pub(super) struct State {
    number: u64,
    /// The last number with a change that is more than the watermark.
    content: u64,
    /// Rows in their order, and the number at which each became what it is.
    rows: Vec<(v1::Row, u64)>,
    /// Rows that are gone, and at which number they went.
    removed: HashMap<Id, u64>,
    /// Below this number it is not remembered any more what is gone.
    floor: u64,
    finality: Option<Finality>,
    methods: Vec<v1::Method>,
}

/// What identifies a row: start (in milliseconds) and dimensions.
type Id = (i64, Vec<String>);

/// What a reader gets.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    /// Number of the message.
    pub(super) number: u64,
    /// Whether the rows are everything.
    pub(super) snapshot: bool,
    /// New and changed rows.
    pub(super) rows: Vec<v1::Row>,
    /// Rows that are gone; some may have come after what the reader has seen last.
    pub(super) removed: Vec<v1::Row>,
    /// How final it is.
    pub(super) finality: Option<Finality>,
    /// How each metric was counted.
    pub(super) methods: Vec<v1::Method>,
}

impl State {
    /// The number of the last change, 0 before there is an answer.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The number of the last change that is more than the watermark.
    pub(super) fn content(&self) -> u64 {
        self.content
    }

    /// Takes in a new answer.
    pub(super) fn advance(&mut self, rows: Vec<v1::Row>, methods: Vec<v1::Method>, finality: Finality) {
        let number = self.number + 1;
        let mut before: HashMap<Id, (v1::Row, u64)> =
            std::mem::take(&mut self.rows).into_iter().map(|(row, at)| (id(&row), (row, at))).collect();
        let mut changed = self.number == 0 || self.methods != methods;
        self.rows = Vec::with_capacity(rows.len());
        for row in rows {
            let id = id(&row);
            match before.remove(&id) {
                Some((old, at)) if old == row => self.rows.push((row, at)),
                _ => {
                    changed = true;
                    self.removed.remove(&id);
                    self.rows.push((row, number));
                }
            }
        }
        changed |= !before.is_empty();
        self.removed.extend(before.into_keys().map(|id| (id, number)));
        self.methods = methods;
        self.forget();
        self.moved(number, changed, finality);
    }

    /// Takes in that nothing changed but how final the answer is.
    pub(super) fn confirm(&mut self, finality: Finality) {
        self.moved(self.number + 1, false, finality);
    }

    /// What a reader gets that has seen everything up to `seen`; 0 is nothing.
    pub(super) fn since(&self, seen: u64) -> Message {
        let snapshot = seen == 0 || seen < self.floor || seen > self.number;
        let rows = self.rows.iter().filter(|(_, at)| snapshot || *at > seen).map(|(row, _)| row.clone());
        let removed = self.removed.iter().filter(|(_, at)| !snapshot && **at > seen);
        let mut removed: Vec<_> = removed.map(|(id, _)| gone(id)).collect();
        removed.sort_unstable_by_key(id);
        Message {
            number: self.number,
            snapshot,
            rows: rows.collect(),
            removed,
            finality: self.finality,
            methods: self.methods.clone(),
        }
    }

    fn moved(&mut self, number: u64, changed: bool, finality: Finality) {
        if changed || self.finality != Some(finality) {
            self.number = number;
            self.finality = Some(finality);
        }
        if changed {
            self.content = number;
        }
    }

    fn forget(&mut self) {
        if self.removed.len() <= MAX_REMOVED {
            return;
        }
        let mut numbers: Vec<_> = self.removed.values().copied().collect();
        let (_, middle, _) = numbers.select_nth_unstable(MAX_REMOVED / 2);
        self.floor = *middle;
        self.removed.retain(|_, at| *at > self.floor);
    }
}

fn id(row: &v1::Row) -> Id {
    let start = row.start.unwrap_or_default();
    (start.seconds * 1_000 + i64::from(start.nanos) / 1_000_000, row.dimensions.clone())
}

fn gone((start, dimensions): &Id) -> v1::Row {
    let start = proto::wire_time(model::Timestamp(*start));
    v1::Row { start: Some(start), dimensions: dimensions.clone(), numbers: Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::{Generation, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn finality(revision: u64) -> Finality {
        Finality {
            complete_until: Timestamp(revision as i64),
            generation: Generation(1),
            rules_version: 1,
            revision,
        }
    }

    fn row(value: u8, count: u64) -> v1::Row {
        let number = v1::Number { number: Some(v1::number::Number::Count(count)) };
        v1::Row {
            start: Some(Default::default()),
            dimensions: vec![value.to_string()],
            numbers: vec![number],
        }
    }

    fn rows(answer: &BTreeMap<u8, u64>) -> Vec<v1::Row> {
        answer.iter().map(|(value, count)| row(*value, *count)).collect()
    }

    /// What a reader keeps.
    #[derive(Default)]
    struct Reader {
        seen: u64,
        rows: BTreeMap<Id, v1::Row>,
    }

    impl Reader {
        fn read(&mut self, message: Message) {
            assert!(message.number >= self.seen);
            self.seen = message.number;
            if message.snapshot {
                self.rows.clear();
            }
            for gone in &message.removed {
                self.rows.remove(&id(gone));
            }
            self.rows.extend(message.rows.into_iter().map(|row| (id(&row), row)));
        }
    }

    proptest! {
        /// The law: whatever a reader misses, after its next message it has the answer as it is.
        #[test]
        fn messages_make_up_the_answer_for_readers_of_any_pace(
            answers in prop::collection::vec(prop::collection::btree_map(0u8..6, 0u64..3, 0..6), 1..20),
            reads in prop::collection::vec((any::<bool>(), any::<bool>()), 20),
        ) {
            let mut state = State::default();
            let mut readers = [Reader::default(), Reader::default()];
            for (revision, (answer, (first, second))) in answers.iter().zip(reads).enumerate() {
                state.advance(rows(answer), Vec::new(), finality(revision as u64));
                for (reader, reads) in readers.iter_mut().zip([first, second]) {
                    if reads {
                        reader.read(state.since(reader.seen));
                        prop_assert_eq!(reader.rows.values().cloned().collect::<Vec<_>>(), rows(answer));
                    }
                }
            }
        }
    }

    #[test]
    fn a_message_has_only_what_changed() {
        let mut state = State::default();
        state.advance(vec![row(1, 1), row(2, 1), row(3, 1)], Vec::new(), finality(1));
        state.advance(vec![row(1, 1), row(2, 5), row(4, 1)], Vec::new(), finality(2));
        let message = state.since(1);
        assert!(!message.snapshot);
        assert_eq!(message.rows, [row(2, 5), row(4, 1)]);
        assert_eq!(message.removed, [v1::Row { numbers: Vec::new(), ..row(3, 1) }]);
        assert_eq!((state.number(), state.content()), (2, 2));
    }

    #[test]
    fn the_watermark_alone_is_a_change_without_rows() {
        let mut state = State::default();
        state.advance(vec![row(1, 1)], Vec::new(), finality(1));
        state.confirm(finality(1));
        assert_eq!((state.number(), state.content()), (1, 1), "nothing moved");
        state.confirm(finality(2));
        assert_eq!((state.number(), state.content()), (2, 1));
        let message = state.since(1);
        assert_eq!((message.snapshot, message.rows, message.finality), (false, vec![], Some(finality(2))));
    }

    #[test]
    fn a_reader_from_elsewhere_or_too_far_behind_gets_a_snapshot() {
        let mut state = State::default();
        let mut replace = |n: u64| {
            let only = v1::Row { dimensions: vec![n.to_string()], ..row(0, 1) };
            state.advance(vec![only], Vec::new(), finality(n));
            state.number()
        };
        let most = MAX_REMOVED as u64;
        let number = (0..=most).map(&mut replace).last().unwrap();
        let one_more = replace(most + 1);
        assert_eq!(one_more, number + 1);
        assert!(!state.since(number).snapshot);
        assert!(state.since(1).snapshot, "its rows went so long ago that nobody remembers");
        assert!(state.since(state.number() + 1).snapshot, "a number that was never given");
        assert!(state.removed.len() <= MAX_REMOVED);
    }
}
