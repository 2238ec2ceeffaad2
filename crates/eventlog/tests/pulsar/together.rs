use std::collections::BTreeMap;
use std::sync::Arc;

use eventlog::EventLog;
use model::Position;
use test_servers::{Server, available};

use crate::server::{P, open, read_from, record, settings, shared};

/// Several processes append to one partition, and several read it: all of them see the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_logs_are_one() {
    const LOGS: usize = 3;
    const EACH: usize = 60;
    if !available(&[Server::Pulsar]) {
        return;
    }
    let settings = settings(shared().await, "together");
    let mut logs = Vec::new();
    for _ in 0..LOGS {
        logs.push(Arc::new(open(&settings).await));
    }
    let readers: Vec<_> = logs
        .iter()
        .map(|log| {
            let log = Arc::clone(log);
            tokio::spawn(async move {
                let (mut from, mut entries) = (Position::START, Vec::new());
                while entries.len() < LOGS * EACH {
                    log.wait(P, from).await.unwrap();
                    let chunk = log.read(P, from, 500).await.unwrap();
                    from = chunk.next;
                    entries.extend(chunk.entries);
                }
                entries
            })
        })
        .collect();
    let writers: Vec<_> = logs
        .iter()
        .enumerate()
        .map(|(writer, log)| {
            let log = Arc::clone(log);
            tokio::spawn(async move {
                let mut own = Vec::new();
                for number in 0..EACH {
                    let number = writer * EACH + number;
                    let end = log.end(P).await.unwrap();
                    let position = log.append(P, record(number)).await.unwrap();
                    assert!(position >= end, "the end is at or below every later record");
                    assert!(log.end(P).await.unwrap() > position, "the end is above every durable record");
                    own.push((position, record(number)));
                }
                own
            })
        })
        .collect();
    let mut appended = BTreeMap::new();
    for writer in writers {
        appended.extend(writer.await.unwrap());
    }
    for reader in readers {
        let entries = reader.await.unwrap();
        assert!(entries.is_sorted_by_key(|entry| entry.appended_at), "no reader sees time go back");
        let read: BTreeMap<_, _> = entries.into_iter().map(|entry| (entry.position, entry.record)).collect();
        assert!(read == appended);
    }
    assert_eq!(read_from(&logs[0], Position::START).await.unwrap().len(), LOGS * EACH, "each once");
}
