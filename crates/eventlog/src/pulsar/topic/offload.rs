use std::io;
use std::time::Duration;

use model::{Partition, Position};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::super::admin::{Done, failed};
use super::super::ledgers::Ledger;
use super::Topic;
use crate::Result;

/// Between two looks at a move.
const LOOK: Duration = Duration::from_millis(200);
/// How often the brokers may end a move without having moved anything.
const VAIN: u32 = 3;

impl Topic {
    /// Moves ledgers of a partition to tiered storage and waits until they are there: all that are closed now and hold only
    /// records below a position, or all that are closed. Says how many it found that were not there yet.
    pub async fn offload(&self, partition: Partition, below: Option<Position>) -> Result<usize> {
        let ledgers = self.status(partition).await?.ledgers;
        let Some(stays) = stays(&ledgers, below) else { return Ok(0) };
        // What is closed from now on is for the next time.
        let mark = Position { ledger: ledgers[stays].id, entry: 0 };
        let found = left(&ledgers, Some(mark)).len();
        let (mut fewest, mut vain) = (usize::MAX, 0);
        loop {
            // Only the list of ledgers counts: a broker that takes the partition over forgets what it was asked for.
            let left = left(&self.status(partition).await?.ledgers, Some(mark));
            let Some(first) = left.first() else { return Ok(found) };
            if left.len() < fewest {
                (fewest, vain) = (left.len(), 0);
            }
            if vain == VAIN {
                let why = format!(
                    "the brokers say that it is done, and {} are not moved, ledger {first} first",
                    left.len()
                );
                return Err(failed("offload", &self.path(partition)?, io::Error::other(why)));
            }
            if vain > 0 {
                tokio::time::sleep(LOOK).await;
            }
            vain += 1;
            let begun = self.begin(partition, mark).await?;
            match (begun, self.ended(partition).await?) {
                // The brokers move by themselves just now.
                (_, Ended::Failed(why)) if why.contains("OffloadInProgress") => {
                    vain = 0;
                    tokio::time::sleep(LOOK).await;
                }
                (Done::Changed, Ended::Failed(why)) => {
                    return Err(failed("offload", &self.path(partition)?, io::Error::other(why)));
                }
                // Another one was in the way, and how it ended says nothing of this one.
                (Done::Conflict, _) | (Done::Changed, Ended::Unknown) => {}
            }
        }
    }

    /// Has the brokers move the ledgers before the one of a position. In conflict with another move that goes on, which may
    /// be this very one: its answer was lost, and it was asked for again.
    async fn begin(&self, partition: Partition, before: Position) -> Result<Done> {
        let body = json!({"ledgerId": before.ledger, "entryId": before.entry, "partitionIndex": partition.0});
        let path = format!("{}/offload", self.path(partition)?);
        self.admin.change("offload", Method::PUT, &path, Some(&body)).await
    }

    /// Waits until no move goes on.
    async fn ended(&self, partition: Partition) -> Result<Ended> {
        let path = format!("{}/offload", self.path(partition)?);
        loop {
            let found: Option<OffloadStatus> = self.admin.get("ask for the offload of", &path).await?;
            let Some(OffloadStatus { status, last_error }) = found else { return Ok(Ended::Unknown) };
            match status.as_str() {
                "RUNNING" => tokio::time::sleep(LOOK).await,
                "NOT_RUN" | "SUCCESS" => return Ok(Ended::Unknown),
                _ => {
                    let why = last_error.filter(|why| !why.is_empty()).unwrap_or(status);
                    return Ok(Ended::Failed(why));
                }
            }
        }
    }
}

/// How a move ended.
enum Ended {
    /// It is done, or the broker has forgotten it: the ledgers show which.
    Unknown,
    /// It failed, with this reason.
    Failed(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OffloadStatus {
    status: String,
    last_error: Option<String>,
}

/// Which ledger is the first that stays when all are moved that hold only records below a position. The last one always
/// stays.
fn stays(ledgers: &[Ledger], below: Option<Position>) -> Option<usize> {
    let above = |ledger: &Ledger| {
        below.is_some_and(|below| below < Position { ledger: ledger.id, entry: ledger.records })
    };
    ledgers.iter().position(|ledger| ledger.open || above(ledger)).or_else(|| ledgers.len().checked_sub(1))
}

/// The ledgers that are still to be moved then.
fn left(ledgers: &[Ledger], below: Option<Position>) -> Vec<u64> {
    let moved = &ledgers[..stays(ledgers, below).unwrap_or(0)];
    moved.iter().filter(|ledger| !ledger.offloaded && ledger.records > 0).map(|ledger| ledger.id).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::super::super::{Settings, fake};
    use super::*;

    #[test]
    fn only_whole_ledgers_below_the_position_are_moved() {
        let ledger =
            |id, records, offloaded, open| Ledger { id, records, bytes: 10 * records, offloaded, open };
        let list = [ledger(4, 10, true, false), ledger(6, 10, false, false), ledger(9, 3, false, true)];
        let below = |ledger, entry| {
            let below = Some(Position { ledger, entry });
            (stays(&list, below).map(|at| list[at].id), left(&list, below))
        };
        assert_eq!(left(&list, None), [6]);
        assert_eq!(below(u64::MAX, 0), (Some(9), vec![6]));
        assert_eq!(below(9, 0), (Some(9), vec![6]));
        assert_eq!(below(6, 10), (Some(9), vec![6]), "all ten are below");
        assert_eq!(below(6, 9), (Some(6), vec![]), "the first is moved already");
        assert_eq!(below(4, 0), (Some(4), vec![]));
        assert_eq!(left(&list[2..], None), [0; 0], "only the open one");
        assert_eq!(left(&list[1..2], None), [0; 0], "only one, which will be followed");
        assert_eq!(stays(&[], None), None);
    }

    /// How each request to move is answered: the status of the answer, what it moves, and how the move ends.
    type Script = &'static [(u16, &'static [u64], &'static str)];

    /// A partition with the closed ledgers 4 and 6 and the open one 9.
    async fn moved(script: Script) -> (Result<usize>, usize) {
        let (mut tiered, mut ends) = (Vec::<u64>::new(), "NOT_RUN");
        let asked_for = Arc::new(Mutex::new(0));
        let count = Arc::clone(&asked_for);
        let settings = fake::serve(move |asked, body| match asked.rsplit('/').next().unwrap() {
            "partitions" => (200, r#"{"partitions":1}"#.to_owned()),
            "internalStats" => {
                let closed =
                    |id| json!({"ledgerId": id, "entries": 5, "size": 50, "offloaded": tiered.contains(&id)});
                let open = json!({"ledgerId": 9, "entries": 0, "size": 0});
                let stats = json!({"lastConfirmedEntry": "9:1", "ledgers": [closed(4), closed(6), open]});
                (200, stats.to_string())
            }
            _ if asked.starts_with("PUT ") => {
                assert!(body.contains(r#""ledgerId":9"#), "{body}");
                let (status, moves, end) = script[*count.lock()];
                *count.lock() += 1;
                tiered.extend(moves);
                ends = end;
                (status, String::new())
            }
            // It runs for one look.
            _ => {
                let now = ends.strip_prefix("RUNNING ").unwrap_or(ends);
                let told = if now == ends { now } else { "RUNNING" };
                ends = now;
                (200, json!({"status": told, "lastError": "why"}).to_string())
            }
        })
        .await;
        let topic = Topic::open(&Settings { timeout_ms: 5_000, ..settings }).await.unwrap();
        let result = topic.offload(Partition(0), None).await;
        let count = *asked_for.lock();
        (result, count)
    }

    const MOVED: [Script; 6] = [
        &[(204, &[4, 6], "RUNNING SUCCESS")],
        // Another one goes on, and moves a part of it; or all; or fails.
        &[(409, &[4], "RUNNING SUCCESS"), (204, &[6], "SUCCESS")],
        &[(409, &[4, 6], "RUNNING SUCCESS")],
        &[(409, &[], "RUNNING ERROR"), (204, &[4, 6], "SUCCESS")],
        // The partition is taken over by another broker meanwhile.
        &[(204, &[4], "RUNNING NOT_RUN"), (204, &[6], "SUCCESS")],
        &[(204, &[], "NOT_RUN"), (204, &[], "NOT_RUN"), (204, &[4, 6], "SUCCESS")],
    ];
    const NOT_MOVED: [(Script, &str); 2] = [
        (&[(204, &[4], "RUNNING ERROR")], "why"),
        (
            &[(409, &[], "SUCCESS"), (204, &[], "SUCCESS"), (204, &[], "SUCCESS")],
            "2 are not moved, ledger 4 first",
        ),
    ];

    #[tokio::test]
    async fn it_is_done_when_the_ledgers_are_there_and_not_before() {
        for script in MOVED {
            let (result, asked) = moved(script).await;
            assert_eq!((result.unwrap(), asked), (2, script.len()), "{script:?}");
        }
        for (script, told) in NOT_MOVED {
            let (result, asked) = moved(script).await;
            let why = result.unwrap_err().to_string();
            assert!(why.contains("hits-partition-0") && why.contains(told), "{why}");
            assert_eq!(asked, script.len());
        }
    }
}
