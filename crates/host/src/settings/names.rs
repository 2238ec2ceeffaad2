use std::collections::BTreeSet;

use figment::value::{Dict, Value};

/// The dotted names of all settings in `values`.
pub(super) fn of(values: &Dict) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    collect("", values, &mut out);
    out
}

fn collect(prefix: &str, values: &Dict, out: &mut BTreeSet<String>) {
    for (key, value) in values {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Dict(_, inner) if !inner.is_empty() => collect(&name, inner, out),
            _ => {
                out.insert(name);
            }
        }
    }
}

/// The known name that takes the fewest changes from `name`, if they are few enough to be a slip.
pub(super) fn nearest<'a>(name: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    let slips = (name.len() / 3).max(2);
    known
        .iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .min()
        .filter(|(changes, _)| *changes <= slips)
        .map(|(_, candidate)| candidate.as_str())
}

/// How many characters must be put in, taken out or replaced (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_textbook() {
        for (from, to, changes) in
            [("kitten", "sitting", 3), ("", "abc", 3), ("flaw", "lawn", 2), ("same", "same", 0)]
        {
            assert_eq!(distance(from, to), changes, "{from} {to}");
            assert_eq!(distance(to, from), changes, "{to} {from}");
        }
    }

    #[test]
    fn the_nearest_name_is_found_but_not_at_any_price() {
        let known = BTreeSet::from(["host.listen".to_owned(), "ingest.max_queued_bytes".to_owned()]);
        assert_eq!(nearest("ingest.max_queud_bytes", &known), Some("ingest.max_queued_bytes"));
        assert_eq!(nearest("colour", &known), None);
    }
}
