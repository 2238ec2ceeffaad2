//! The HTTP door and the gRPC one, from outside.

use std::sync::Arc;

use axum::body::Body;
use expect_test::expect;
use host::{Served, Service};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use proto::v1;
use proto::v1::query_service_client::QueryServiceClient;
use query_svc::{Query, Settings};
use tokio_stream::StreamExt;
use tonic::Code;
use tower::ServiceExt;

use crate::world::{ADMIN_KEY, Hit, MERCHANT, NOW, OTHER_READ_KEY, READ_KEY, World, block_on};

async fn served(world: &World) -> Served {
    Query::start(world.platform.clone(), Settings::default()).await.unwrap()
}

async fn shop() -> World {
    let world = World::new();
    let hit = |back: i64, page, visitor, money| Hit {
        at: NOW.plus_millis(-back * 60_000),
        page,
        visitor,
        view: true,
        money,
        partition: 0,
    };
    world
        .commit(
            0,
            &[
                hit(90, "/", 1, None),
                hit(85, "/buy, now", 1, Some(("EUR", 12_340_000, true))),
                hit(10, "/", 2, Some(("USD", 500_000, false))),
            ],
        )
        .await;
    world.complete_until(NOW).await;
    world
}

async fn get(
    world: &World,
    path: &str,
    headers: &[(header::HeaderName, &str)],
) -> (StatusCode, String, String) {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let response = served(world).await.http.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let content_type = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, content_type, String::from_utf8(body.to_vec()).unwrap())
}

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

const SERIES: &str = "/v1/merchants/7/query?metrics=page_views,visitors,revenue&granularity=hour&last=2h";
const PAGES: &str =
    "/v1/merchants/7/query?metrics=hits,value&by=page&from=today&time_zone=UTC&order=page&filter=page%5E%3D/";

#[test]
fn the_json_of_a_query_is_what_scripts_rely_on() {
    block_on(async {
        let world = shop().await;
        let key = bearer(READ_KEY);
        let (status, content_type, body) = get(&world, SERIES, &[(header::AUTHORIZATION, &key)]).await;
        assert_eq!((status, &*content_type), (StatusCode::OK, "application/json"));
        expect![[r#"
            {"rows":[{"start":"2024-05-17T12:00:00+02:00","dimensions":{},"metrics":{"page_views":0,"visitors":0,"revenue":{}}},{"start":"2024-05-17T13:00:00+02:00","dimensions":{},"metrics":{"page_views":2,"visitors":1,"revenue":{"EUR":"12.34"}}},{"start":"2024-05-17T14:00:00+02:00","dimensions":{},"metrics":{"page_views":1,"visitors":1,"revenue":{}}}],"complete_until":"2024-05-17T12:34:20Z","generation":1,"rules_version":3,"revision":1,"methods":{"page_views":{"kind":"exact","relative_error":0.0},"visitors":{"kind":"exact","relative_error":0.0},"revenue":{"kind":"exact","relative_error":0.0}}}
        "#]].assert_eq(&body);

        let (_, _, body) = get(&world, PAGES, &[(header::AUTHORIZATION, &key)]).await;
        expect![[r#"
            {"rows":[{"start":"2024-05-17T00:00:00Z","dimensions":{"page":"/"},"metrics":{"hits":2,"value":{"USD":"0.50"}}},{"start":"2024-05-17T00:00:00Z","dimensions":{"page":"/buy, now"},"metrics":{"hits":1,"value":{"EUR":"12.34"}}}],"complete_until":"2024-05-17T12:34:20Z","generation":1,"rules_version":3,"revision":1,"methods":{"hits":{"kind":"exact","relative_error":0.0},"value":{"kind":"exact","relative_error":0.0}}}
        "#]].assert_eq(&body);
    });
}

#[test]
fn csv_has_one_number_in_each_cell() {
    block_on(async {
        let world = shop().await;
        let key = bearer(ADMIN_KEY);
        let accept = [(header::AUTHORIZATION, &*key), (header::ACCEPT, "text/csv")];
        let (status, content_type, body) = get(&world, PAGES, &accept).await;
        assert_eq!((status, &*content_type), (StatusCode::OK, "text/csv; charset=utf-8"));
        expect![[r#"
            start,page,hits,value_EUR,value_USD
            2024-05-17T00:00:00Z,/,2,0.00,0.50
            2024-05-17T00:00:00Z,"/buy, now",1,12.34,0.00
        "#]]
        .assert_eq(&body);
        let (_, _, body) =
            get(&world, &format!("{SERIES}&format=csv"), &[(header::AUTHORIZATION, &key)]).await;
        expect![[r#"
            start,page_views,visitors,revenue_EUR
            2024-05-17T12:00:00+02:00,0,0,0.00
            2024-05-17T13:00:00+02:00,2,1,12.34
            2024-05-17T14:00:00+02:00,1,1,0.00
        "#]]
        .assert_eq(&body);
    });
}

#[test]
fn refusals_have_their_status_and_say_what_is_allowed() {
    block_on(async {
        let world = shop().await;
        let refused = async |path: &str, key: &str| {
            let (status, content_type, body) = get(&world, path, &[(header::AUTHORIZATION, key)]).await;
            assert_eq!(content_type, "application/json");
            format!("{} {body}", status.as_u16())
        };
        let (reader, admin, other) = (bearer(READ_KEY), bearer(ADMIN_KEY), bearer(OTHER_READ_KEY));
        expect![[r#"400 {"error":"parameter \"metric\" is not allowed: metrics, by, granularity, from, to, last, time_zone, filter (as often as needed), where, order, limit, format"}"#]]
            .assert_eq(&refused("/v1/merchants/7/query?metric=hits", &reader).await);
        expect![[r#"400 {"error":"merchant id \"x\" is not allowed: a whole number from 1"}"#]]
            .assert_eq(&refused("/v1/merchants/x/query", &reader).await);
        expect![[
            r#"401 {"error":"the authorization header is not understood: send `authorization: Bearer KEY`"}"#
        ]]
        .assert_eq(&refused(SERIES, "nonsense").await);
        expect![[r#"403 {"error":"key hm_r_bbbbbbbb reads another merchant than 7: that needs its own read key or an admin key"}"#]]
            .assert_eq(&refused(SERIES, &other).await);
        expect![[r#"404 {"error":"merchant 9 is not known here"}"#]]
            .assert_eq(&refused("/v1/merchants/9/query?metrics=hits", &admin).await);
    });
}

/// A server of the gRPC service alone, on a port of its own.
async fn client(world: &World) -> QueryServiceClient<tonic::transport::Channel> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = served(world).await.grpc.routes();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(tonic::transport::Server::builder().add_routes(routes).serve_with_incoming(incoming));
    QueryServiceClient::connect(format!("http://{address}")).await.unwrap()
}

fn call<T>(message: T, key: &str) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", bearer(key).parse().unwrap());
    request
}

fn hourly(days: i64) -> v1::QueryRequest {
    v1::QueryRequest {
        merchant_id: MERCHANT.0,
        metrics: vec!["hits".to_owned()],
        granularity: v1::Granularity::Hour.into(),
        last: Some(prost_types::Duration { seconds: days * 86_400, nanos: 0 }),
        ..Default::default()
    }
}

#[test]
fn a_streamed_answer_is_the_same_in_pieces() {
    block_on(async {
        let world = Arc::new(shop().await);
        let mut client = client(&world).await;
        let whole = client.query(call(hourly(100), READ_KEY)).await.unwrap().into_inner();
        let stream = client.stream_query(call(hourly(100), READ_KEY)).await.unwrap().into_inner();
        let pieces: Vec<_> = stream.map(Result::unwrap).collect().await;
        assert_eq!(pieces.iter().map(|piece| piece.rows.len()).collect::<Vec<_>>(), [1_000, 1_000, 401]);
        assert!(pieces.iter().all(|piece| piece.finality == whole.finality));
        assert_eq!(pieces.last().unwrap().methods, whole.methods);
        assert_eq!(pieces.into_iter().flat_map(|piece| piece.rows).collect::<Vec<_>>(), whole.rows);
    });
}

#[test]
fn an_empty_breakdown_is_one_piece_without_rows() {
    block_on(async {
        let world = World::new();
        let mut client = client(&world).await;
        let request = v1::QueryRequest { by: vec!["page".to_owned()], ..hourly(1) };
        let stream = client.stream_query(call(request, READ_KEY)).await.unwrap().into_inner();
        let pieces: Vec<_> = stream.map(Result::unwrap).collect().await;
        assert_eq!(pieces.len(), 1);
        assert_eq!(
            (pieces[0].rows.len(), &*pieces[0].methods[0].metric, &*pieces[0].by[0]),
            (0, "hits", "page")
        );
    });
}

#[test]
fn every_call_wants_a_key_that_reads_the_merchant() {
    block_on(async {
        let world = shop().await;
        let mut client = client(&world).await;
        let subscribe = || v1::SubscribeRequest { query: Some(hourly(1)), ..Default::default() };
        let audit = || v1::AuditRequest { merchant_id: MERCHANT.0 };
        let codes = [
            client.query(hourly(1)).await.unwrap_err().code(),
            client.query(call(hourly(1), OTHER_READ_KEY)).await.unwrap_err().code(),
            client.stream_query(call(hourly(1), OTHER_READ_KEY)).await.unwrap_err().code(),
            client.subscribe(call(subscribe(), OTHER_READ_KEY)).await.unwrap_err().code(),
            client.audit(call(audit(), OTHER_READ_KEY)).await.unwrap_err().code(),
            client
                .query(call(v1::QueryRequest { merchant_id: 9, ..hourly(1) }, ADMIN_KEY))
                .await
                .unwrap_err()
                .code(),
            client
                .query(call(v1::QueryRequest { metrics: vec![], ..hourly(1) }, READ_KEY))
                .await
                .unwrap_err()
                .code(),
        ];
        use Code::{InvalidArgument, NotFound, PermissionDenied, Unauthenticated};
        assert_eq!(
            codes,
            [
                Unauthenticated,
                PermissionDenied,
                PermissionDenied,
                PermissionDenied,
                PermissionDenied,
                NotFound,
                InvalidArgument
            ]
        );
        let mut stream = client.subscribe(call(subscribe(), READ_KEY)).await.unwrap().into_inner();
        assert!(stream.next().await.unwrap().unwrap().snapshot);
        // The shop's cells came from no log, and the audit says so.
        assert!(!client.audit(call(audit(), READ_KEY)).await.unwrap().into_inner().balanced);
    });
}
