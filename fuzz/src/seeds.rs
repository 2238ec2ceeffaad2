//! What `corpus/` is made of: values as hitmill itself writes them.

use keyspace::cell::Cell;
use keyspace::config::counters::Counters;
use keyspace::fate::Fates;
use keyspace::lease::{Lease, Member, MemberId};
use keyspace::touched::Touched;
use keyspace::visitor::{Bucket, Epoch, Facts, Hit, Session, Tallies, Transaction};
use model::{Count, Fate, Hour, Timestamp};
use prost::Message as _;
use proto::v1;

/// The seeds of a target.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "wire" => batches(),
        "values" => values(),
        "merge" => merges(),
        "json" => JSON.iter().map(|json| json.as_bytes().to_vec()).collect(),
        "import" => LINES.iter().map(|line| line.as_bytes().to_vec()).collect(),
        "log" => vec![
            vec![],
            vec![2, 80, 0, 7],
            vec![0, 18, 0, 255, 1],
            vec![3, 40, 0, b'9'],
            vec![2, 0, 0, 0, 2, 200],
        ],
        "store" => {
            vec![
                vec![],
                vec![0, 100, 0, 7],
                vec![0, 200, 0, 1, 0, 44, 1, 9],
                vec![2, 8, 0, 1],
                vec![0, 60, 1, 0, 0, 200],
            ]
        }
        _ => QUERIES.iter().map(|query| query.as_bytes().to_vec()).collect(),
    }
}

const JSON: [&str; 3] = [
    r#"{"setup": {"key": "hm_w_x", "client_id": "c", "epoch": 1, "context": {"country": "DE"}}, "batches": []}"#,
    r#"{"batches": [{"firstSeq": "7", "sentAtMs": "-1", "hits": [{"name": "purchase", "value": {"micros": "5"}}]}]}"#,
    r#"{"batches": [{"codec": "CODEC_LZ4", "packed": "AAEC", "hits": [{"params": [{"name": "x", "number": 0.5}]}]}]}"#,
];

const LINES: [&str; 3] = [
    "192.0.2.7 - - [17/May/2015:10:05:03 +0000] \"GET /a?utm_source=x HTTP/1.1\" 200 512 \"http://e.com/\" \"Moz\"\n",
    "::1 - frank [31/Dec/2016:23:59:60 -0930] \"\\x16\\x03\" 400 -\r\nnot a line\n\n",
    "h - - [29/Feb/2024:00:00:00 +1400] \"HEAD / HTTP/1.0\" 304 0 \"-\" \"a \\\"b\\\" c\"",
];

const QUERIES: [&str; 4] = [
    "page_views, visitors\npage\nday\n2024-05-01\n2024-05-02\n\neurope/berlin\npage:asc\n10\npage^=/shop|/a\\|b",
    "hits\n\nhour\n\n\n90m\nAsia/Kathmandu\n\n\nhit_name!=purchase\npage!~cart\npage!^=/x",
    "sessions\n\nminute\nyesterday\nnow\n\nUTC\nsessions:desc\n0",
    "hits\n\nweek\n2015-05-17T10:00:00Z\n-7d\n\nAmerica/New_York\n\n5\npage~a\\\\",
];

fn batches() -> Vec<Vec<u8>> {
    use v1::param::Value;
    let context = v1::Context { user_id: "u".to_owned(), country: "DE".to_owned(), ..Default::default() };
    let param = |name: &str, value| v1::Param { name: name.to_owned(), value: Some(value) };
    let hit = v1::Hit {
        name: "purchase".to_owned(),
        time_ms: 1_431_859_623_000,
        url: "https://shop.example/a?b=c".to_owned(),
        value: Some(v1::Money { currency: "EUR".to_owned(), micros: -1 }),
        params: vec![
            param("a", Value::Text("b".to_owned())),
            param("n", Value::Integer(-3)),
            param("x", Value::Number(0.5)),
        ],
        context: Some(context.clone()),
        skipped: 2,
        ..Default::default()
    };
    let plain = v1::Batch {
        client_id: "c1".to_owned(),
        epoch: 3,
        first_seq: 41,
        sent_at_ms: 1_431_859_623_500,
        context: Some(context),
        hits: vec![hit.clone(), hit],
        ..Default::default()
    };
    let hits = v1::Hits { hits: plain.hits.clone() }.encode_to_vec();
    let packed = lz4_flex::block::compress_prepend_size(&hits);
    let lz4 =
        v1::Batch { codec: v1::Codec::Lz4.into(), packed: packed.into(), hits: Vec::new(), ..plain.clone() };
    // Messages one after the other are one message, and so are those in a field that comes twice.
    let more = v1::Context { user_agent: "a".to_owned(), ..Default::default() };
    let more = v1::Batch { context: Some(more), ..Default::default() };
    let twice = [plain.encode_to_vec(), more.encode_to_vec()].concat();
    vec![plain.encode_to_vec(), lz4.encode_to_vec(), twice]
}

fn merges() -> Vec<Vec<u8>> {
    // Few visitors are kept as they are, many in a sketch.
    let cell = |page: &[u8], visitors: u64| {
        let mut cell = Cell::default();
        for visitor in 0..visitors {
            cell.row(page).visitors.add(visitor << 50, 1, 1);
        }
        cell.row(page).slot(2).counts.add(Count::Hits, visitors as i64);
        cell.encode().to_vec()
    };
    let mut fates = Fates::default();
    fates.add(Fate::ALL[1], 7);
    let of = |family: u8, parts: [Vec<u8>; 3]| {
        let mut bytes = vec![family];
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u16).to_le_bytes());
            bytes.extend_from_slice(&part);
        }
        bytes
    };
    vec![
        of(0, [cell(b"/a", 3), cell(b"/b", 1), cell(b"/a", 2)]),
        of(0, [cell(b"/a", 700), cell(b"/a", 3), cell(b"", 90)]),
        of(1, [fates.encode().to_vec(), Fates::default().encode().to_vec(), fates.encode().to_vec()]),
    ]
}

fn values() -> Vec<Vec<u8>> {
    let mut cell = Cell::default();
    cell.row(b"/a").slot(1).counts.add(Count::Hits, 3);
    cell.row(b"/b").visitors.add(0x1230, 2, 1);
    let mut fates = Fates::default();
    fates.add(Fate::ALL[0], 300);
    let mut touched = Touched::default();
    touched.0[3] = 9;
    let mut bucket = Bucket::default();
    let epoch = Epoch { epoch: 1, high: 40, gaps: vec![(3, 5), (9, 9)] };
    bucket.client(7).epochs = [epoch].into();
    let facts = Facts::new([1, 2, 3].into());
    let hit = |at, named| Hit { at: Timestamp(at), order: 4, visitor: 5, named, facts: facts.clone() };
    let dropped = Tallies { hits: 3, page_views: 2, goals: vec!["thanks".into()], ..Tallies::default() };
    let hits = vec![hit(1_000, true), hit(9_000, false)];
    bucket.actor(8).sessions = vec![Session { hits, dropped: Some(dropped.into()), touched: Hour(7) }];
    bucket.set_transaction(3, Transaction { at: Timestamp(1_000), order: 4, actor: 8 });
    let lease = Lease { epoch: 3, owner: Some(MemberId(7)) };
    let member = Member { beat: 300, leaving: true };
    [
        (0, cell.encode().to_vec()),
        (2, fates.encode().to_vec()),
        (5, touched.encode().to_vec()),
        (6, bucket.encode().to_vec()),
        (7, Counters::START.encode().to_vec()),
        (8, lease.encode().to_vec()),
        (8, member.encode().to_vec()),
    ]
    .into_iter()
    .map(|(family, value)| [&[family], &*value].concat())
    .collect()
}
