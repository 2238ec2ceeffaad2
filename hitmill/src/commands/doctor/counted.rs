use std::ops::Range;

use model::Partition;

use super::folded::Folded;

/// Which records.
pub(super) fn numbered(records: &Range<u64>) -> String {
    match records.end - records.start {
        1 => format!("record {}", records.start),
        _ => format!("records {} to {}", records.start, records.end - 1),
    }
}

/// How much of lost records is counted already, if any of it is.
pub(super) fn counted(records: Range<u64>, folded: &Folded, partition: Partition) -> String {
    let (read_from, before) = (folded.read_from(partition).unwrap_or_default(), folded.before(partition));
    let (whole, part) =
        (records.start..records.end.min(read_from), records.start.max(read_from)..records.end.min(before));
    let rest = records.start.max(before)..records.end;
    if whole == records {
        ", counted already: only a fold of the log from its start would lose it".to_owned()
    } else if part == records {
        ", in part counted already; what of it is sent again may count twice".to_owned()
    } else if rest == records {
        ", not counted yet".to_owned()
    } else {
        let mut fates = Vec::new();
        for (records, fate) in [
            (whole, "counted already, which only a fold of the log from its start would lose"),
            (part, "counted in part, and what of it is sent again may count twice"),
            (rest, "not counted yet"),
        ] {
            if !records.is_empty() {
                fates.push(format!("{} {fate}", numbered(&records)));
            }
        }
        format!(": {}", fates.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a partition that is read from record 5 on, and folded in part up to before record 8.
    #[test]
    fn what_of_lost_records_is_counted() {
        let folded = Folded::at(Partition(0), 5, 8);
        let said = |records| counted(records, &folded, Partition(0));
        assert_eq!(said(2..5), ", counted already: only a fold of the log from its start would lose it");
        assert_eq!(said(5..6), ", in part counted already; what of it is sent again may count twice");
        assert_eq!(said(8..9), ", not counted yet");
        assert_eq!(
            said(3..12),
            ": records 3 to 4 counted already, which only a fold of the log from its start would lose; records 5 to 7 counted \
             in part, and what of it is sent again may count twice; records 8 to 11 not counted yet"
        );
        assert_eq!(
            said(7..9),
            ": record 7 counted in part, and what of it is sent again may count twice; record 8 not counted yet"
        );
        assert_eq!(counted(0..1, &Folded::default(), Partition(0)), ", not counted yet");
    }
}
