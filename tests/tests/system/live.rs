//! A subscriber that watched from the start ends with exactly what Query answers at that revision.

use std::time::Duration;

use hitmill_sdk::{Client, Hit};
use proto::v1::{Granularity, QueryRequest, Row, SubscribeRequest, SubscribeResponse};
use tonic::Streaming;

use super::complete::now_ms;
use super::held::{Held, apply, place};
use super::server::{Home, Server};

async fn next(messages: &mut Streaming<SubscribeResponse>) -> SubscribeResponse {
    let message = tokio::time::timeout(Duration::from_secs(60), messages.message()).await;
    message.expect("a message within a minute").unwrap().expect("the subscription goes on")
}

#[tokio::test]
async fn a_subscriber_ends_with_what_query_answers_at_its_revision() {
    let home = Home::new();
    let server = Server::start(&home);
    let merchant = server.merchant_over(1);
    let midnight = now_ms() / 86_400_000 * 86_400;
    let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let query = QueryRequest {
        merchant_id: merchant.id,
        metrics: ["hits", "page_views", "visitors", "sessions", "revenue"].map(str::to_owned).to_vec(),
        by: vec!["page".to_owned()],
        granularity: Granularity::Hour.into(),
        from: at(midnight - 86_400),
        to: at(midnight + 2 * 86_400),
        ..QueryRequest::default()
    };
    let mut asker = server.query().await;
    let subscribe =
        SubscribeRequest { query: Some(query.clone()), min_interval_ms: 100, ..Default::default() };
    let mut messages = asker.subscribe(subscribe).await.unwrap().into_inner();
    let mut held = Held::new();
    let first = next(&mut messages).await;
    assert!(first.snapshot && first.rows.is_empty(), "{first:?}");

    let clients: Vec<_> = (0..5)
        .map(|n| {
            Client::builder(server.url(), &merchant.write_key).client_id(format!("c{n}")).build().unwrap()
        })
        .collect();
    for round in 0..40 {
        for (n, client) in clients.iter().enumerate() {
            client.page(format!("https://watched.example/{}", (round * n) % 7));
            if round % 10 == n {
                client.track(Hit::new("purchase").value("EUR", 1_250_000));
            }
        }
        if let Ok(Ok(Some(message))) =
            tokio::time::timeout(Duration::from_millis(30), messages.message()).await
        {
            apply(&mut held, &message);
        }
    }
    for client in &clients {
        client.flush().await.unwrap();
    }
    // 5 clients, 40 views each, and 4 purchases each of the clients 0 to 4 at rounds n, n + 10, ...
    let fired = 5 * 40 + 5 * 4;
    let hits = |held: &Held| -> u64 {
        let count = |row: &Row| match row.numbers[0].number {
            Some(proto::v1::number::Number::Count(count)) => count,
            _ => 0,
        };
        held.values().map(count).sum()
    };
    let mut last = first;
    while hits(&held) < fired {
        last = next(&mut messages).await;
        apply(&mut held, &last);
    }
    let answer = asker.query(query).await.unwrap().into_inner();
    let revision = |finality: Option<proto::v1::Finality>| finality.unwrap().revision;
    assert_eq!(revision(last.finality), revision(answer.finality));
    let answered: Held = answer.rows.iter().map(|row| (place(row), row.clone())).collect();
    assert_eq!(held, answered);
    assert_eq!(hits(&answered), fired);
}
