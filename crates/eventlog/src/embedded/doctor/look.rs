use super::pieces::{Piece, Segments};
use super::{Extent, Finding, Judge, Loss};
use crate::Result;

/// Looks through a partition, and adds what is found.
pub(super) fn look(segments: &Segments, judge: &Judge<'_>, findings: &mut Vec<Finding>) -> Result<Extent> {
    let Segments { partition, firsts, durable, .. } = segments;
    let first = firsts.first().copied().unwrap_or(durable.first);
    let mut extent = Extent {
        partition: *partition,
        segments: firsts.len(),
        bytes: 0,
        since: segments.made(0),
        records: first..if firsts.is_empty() { durable.end } else { first },
    };
    if firsts.is_empty() {
        findings.push(of_directory(
            segments,
            "it has no segment at all".to_owned(),
            Loss::From(durable.first),
        ));
    } else if durable.first < first {
        let what = format!("it should begin with record {}, and begins with record {first}", durable.first);
        findings.push(of_directory(segments, what, Loss::Before(first)));
    }
    let mut last_at = None;
    for index in 0..firsts.len() {
        let segment = segments.open(index)?;
        extent.bytes += segment.bytes;
        let own = findings.len();
        extent.records.end = segment.walk(judge, &mut |piece| {
            match piece {
                Piece::Good(head, _) => {
                    last_at = Some(head.appended_at);
                    extent.since.get_or_insert(head.appended_at);
                    // What was lost before it lies between the two.
                    for finding in &mut findings[own..] {
                        finding.appended.1.get_or_insert(head.appended_at);
                    }
                }
                Piece::Flaw(_, flaw) => findings.push(Finding {
                    partition: *partition,
                    file: segments.path(index),
                    offset: flaw.offset,
                    what: flaw.what,
                    loss: flaw.loss,
                    appended: (last_at, None),
                }),
            }
            Ok(())
        })?;
    }
    Ok(extent)
}

fn of_directory(segments: &Segments, what: String, loss: Loss) -> Finding {
    Finding {
        partition: segments.partition,
        file: segments.directory.clone(),
        offset: 0,
        what,
        loss,
        appended: (None, None),
    }
}
