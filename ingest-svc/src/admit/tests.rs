use std::ops::Range;

use proptest::prelude::*;
use prost::Message;
use proto::v1::{Batch, Codec, Context, Hit, Hits, Money, Param, Refused, param};

use super::*;

/// 2015-05-17T10:00:00Z
const NOW: i64 = 1_431_856_800_000;
const HOUR: i64 = 3_600_000;

fn facts(lane: Lane) -> Facts<'static> {
    Facts { client_id: "c1", epoch: 9, lane, received_at: Timestamp(NOW) }
}

fn hit(name: &str) -> Hit {
    Hit { name: name.to_owned(), ..Hit::default() }
}

fn batch(hits: Vec<Hit>) -> Batch {
    Batch { first_seq: 10, hits, ..Batch::default() }
}

type Outcome = (Result<(u64, Vec<(u32, Refusal)>), Whole>, Vec<Refused>);

fn run_bytes(lane: Lane, encoded: &[u8]) -> Outcome {
    let mut told = Refusals::default();
    let admitted = admit(encoded, &facts(lane), &mut Vec::new(), &mut told);
    (admitted.map(|a| (a.hits, a.refused)), told.into_list())
}

fn run(lane: Lane, batch: &Batch) -> Outcome {
    run_bytes(lane, &batch.encode_to_vec())
}

/// The reason for which this hit is refused, beside two good ones that are not.
fn reason(lane: Lane, sent_at_ms: i64, bad: Hit) -> Option<Refusal> {
    let batch = Batch { sent_at_ms, ..batch(vec![hit("good"), bad, hit("good")]) };
    let (admitted, told) = run(lane, &batch);
    let (hits, refused) = admitted.unwrap();
    assert_eq!(hits, 3);
    let seqs: Vec<_> = told.iter().map(|refused| (refused.seq, refused.hits)).collect();
    match refused[..] {
        [] => assert_eq!(seqs, []),
        [(index, _)] => assert_eq!((index, seqs), (1, vec![(11, 1)])),
        _ => panic!("a good hit was refused: {refused:?}"),
    }
    refused.first().map(|(_, reason)| *reason)
}

fn text(len: usize) -> String {
    "x".repeat(len)
}

fn with_param(name: &str, value: param::Value) -> Hit {
    Hit { params: vec![Param { name: name.to_owned(), value: Some(value) }], ..hit("a") }
}

fn with_context(context: Context) -> Hit {
    Hit { context: Some(context), ..hit("a") }
}

fn with_value(currency: &str, micros: i64) -> Hit {
    Hit { value: Some(Money { currency: currency.to_owned(), micros }), ..hit("purchase") }
}

fn with_params(count: usize) -> Hit {
    let param = Param { name: "p".to_owned(), value: None };
    Hit { params: vec![param; count], ..hit("a") }
}

#[test]
fn each_limit_refuses_what_is_beyond_it_and_takes_what_is_at_it() {
    use Refusal::*;
    let huge = Hit {
        params: vec![with_param("p", param::Value::Text(text(2_000))).params.remove(0); 17],
        ..hit("a")
    };
    let context = Context::default;
    let table = [
        (None, hit("page_view")),
        (Some(TooLarge), huge),
        (Some(BadName), hit("")),
        (Some(BadName), hit("page view")),
        (Some(BadName), hit(&text(41))),
        (None, Hit { url: text(2_048), ..hit("a") }),
        (Some(BadText), Hit { url: text(2_049), ..hit("a") }),
        (Some(BadText), Hit { referrer: text(2_049), ..hit("a") }),
        (Some(BadText), Hit { title: text(2_049), ..hit("a") }),
        (Some(BadText), Hit { screen: text(2_049), ..hit("a") }),
        (Some(BadText), Hit { transaction_id: text(257), ..hit("a") }),
        (None, with_context(Context { user_id: text(256), ..context() })),
        (Some(BadText), with_context(Context { user_id: text(257), ..context() })),
        (Some(BadText), with_context(Context { visitor_id: text(257), ..context() })),
        (Some(BadText), with_context(Context { user_agent: text(2_049), ..context() })),
        (Some(BadText), with_context(Context { language: text(41), ..context() })),
        (None, with_context(Context { country: "DE".to_owned(), ..context() })),
        (Some(BadText), with_context(Context { country: "DEU".to_owned(), ..context() })),
        (None, with_value("", -1_000_000_000_000_000)),
        (None, with_value("EUR", 1_000_000_000_000_000)),
        (Some(BadMoney), with_value("EUR", 1_000_000_000_000_001)),
        (Some(BadMoney), with_value("EUR", i64::MIN)),
        (Some(BadMoney), with_value("euro", 1)),
        (None, with_params(50)),
        (Some(BadParam), with_params(51)),
        (Some(BadParam), with_param("", param::Value::Integer(1))),
        (Some(BadParam), with_param(&text(41), param::Value::Integer(1))),
        (None, with_param(&text(40), param::Value::Text(text(2_000)))),
        (Some(BadParam), with_param("p", param::Value::Text(text(2_001)))),
        (Some(BadParam), with_param("p", param::Value::Number(f64::NAN))),
    ];
    for (expected, hit) in table {
        assert_eq!(reason(Lane::Live, 0, hit.clone()), expected, "{hit:?}");
    }
}

#[test]
fn the_time_of_a_hit_is_held_against_its_lane() {
    use Refusal::*;
    let at = |lane, sent_at, time_ms| reason(lane, sent_at, Hit { time_ms, ..hit("a") });
    assert_eq!(at(Lane::Live, 0, NOW - 72 * HOUR), None);
    assert_eq!(at(Lane::Live, 0, NOW - 72 * HOUR - 1), Some(TooOld));
    assert_eq!(at(Lane::Live, 0, NOW + 600_000), None, "ten minutes of wrong clock");
    assert_eq!(at(Lane::Live, 0, NOW + 600_001), Some(InFuture));
    // Sent just now by a clock that is a year ahead: an hour ago.
    let year = 365 * 24 * HOUR;
    assert_eq!(at(Lane::Live, NOW + year, NOW + year - HOUR), None);
    assert_eq!(at(Lane::Live, NOW + year, NOW), Some(TooOld), "a year ago");

    assert_eq!(at(Lane::History, 0, 1), None);
    assert_eq!(at(Lane::History, 0, -1), Some(TooOld));
    assert_eq!(at(Lane::History, 0, NOW + 600_001), Some(InFuture));
    // Times of history are taken as they are, whenever they are sent.
    assert_eq!(at(Lane::History, NOW + year, NOW + year), Some(InFuture));
}

#[test]
fn bytes_that_are_no_hit_are_refused_alone() {
    let mut encoded = batch(vec![hit("a")]).encode_to_vec();
    // Field 8: a hit that ends in the middle of a varint, and one whose name is not UTF-8.
    encoded.extend([0x42, 1, 0x80]);
    encoded.extend([0x42, 3, 0x0a, 1, 0xff]);
    encoded.extend(batch(vec![hit("b")]).encode_to_vec());
    let (admitted, told) = run_bytes(Lane::Live, &encoded);
    let refused = vec![(1, Refusal::Malformed), (2, Refusal::BadText)];
    assert_eq!(admitted, Ok((4, refused)));
    assert_eq!(told.iter().map(|r| r.seq).collect::<Vec<_>>(), [11, 12]);
}

#[test]
fn one_bad_hit_in_a_hundred_keeps_the_others_and_is_named() {
    let mut hits = vec![hit("page_view"); 100];
    hits[41] = Hit { skipped: 5, ..hit("no good") };
    let (admitted, told) = run(Lane::Live, &Batch { client_id: "other".to_owned(), ..batch(hits) });
    assert_eq!(admitted, Ok((100, vec![(41, Refusal::BadName)])));
    let [told] = &told[..] else { panic!("{told:?}") };
    // Seqs 10 to 50 came before, then 5 that are never sent.
    assert_eq!((&*told.client_id, told.epoch, told.seq, told.hits), ("other", 9, 56, 1));
    assert_eq!(
        told.message,
        "hit name \"no good\" is not allowed: a letter, then letters, digits and underscores, at most 40 in all"
    );
}

#[test]
fn a_batch_that_cannot_be_numbered_is_refused_as_a_whole() {
    use Refusal::*;
    let good = || batch(vec![hit("a"), hit("b")]);
    let long_agent = Context { user_agent: text(2_049), ..Context::default() };
    let many = |count| batch(vec![hit("a"); count]);
    let wide = batch(vec![Hit { url: text(2_000), ..hit("a") }; 300]);
    let table = [
        (Malformed, 2, Batch { first_seq: 0, ..good() }),
        (Malformed, 2, Batch { first_seq: u64::MAX, ..good() }),
        (BadText, 2, Batch { client_id: text(257), ..good() }),
        (BadText, 2, Batch { context: Some(long_agent), ..good() }),
        (Malformed, 2, Batch { packed: vec![1].into(), ..good() }),
        (Malformed, 0, Batch { packed: vec![1].into(), hits: vec![], ..good() }),
        (TooLarge, 2_501, many(2_501)),
        (TooLarge, 300, wide),
    ];
    for (reason, hits, batch) in table {
        let (refused, told) = run(Lane::Live, &batch);
        assert_eq!(refused, Err(Whole { hits, reason }));
        let told: Vec<_> = told.iter().map(|r| (r.seq, r.hits)).collect();
        assert_eq!(told, [(batch.first_seq, hits)]);
    }
    assert_eq!(run(Lane::Live, &many(2_500)).0, Ok((2_500, vec![])));
    let nameless = Facts { client_id: "", ..facts(Lane::Live) };
    let encoded = good().encode_to_vec();
    let refused = admit(&encoded, &nameless, &mut Vec::new(), &mut Refusals::default());
    assert_eq!(refused, Err(Whole { hits: 2, reason: Malformed }));
}

#[test]
fn a_damaged_batch_says_as_much_as_can_be_read() {
    let mut encoded = batch(vec![hit("a"), hit("b")]).encode_to_vec();
    encoded.push(0x80);
    let (refused, told) = run_bytes(Lane::Live, &encoded);
    assert_eq!(refused, Err(Whole { hits: 2, reason: Refusal::Malformed }));
    assert_eq!((told[0].seq, told[0].hits), (10, 2));
    assert_eq!(told[0].message, "all 2 hits: the bytes are not a protobuf message");
}

#[test]
fn packed_hits_are_unpacked_and_checked() {
    let hits = Hits { hits: vec![hit("a"), hit(""), hit("c")] }.encode_to_vec();
    let lz4 = lz4_flex::block::compress_prepend_size(&hits);
    let packed = Batch { packed: lz4.into(), codec: Codec::Lz4.into(), ..batch(vec![]) };
    assert_eq!(run(Lane::Live, &packed).0, Ok((3, vec![(1, Refusal::BadName)])));

    // The limit holds for what they unpack to.
    let bomb = lz4_flex::block::compress_prepend_size(&vec![0; limits::BATCH_BYTES + 1]);
    let bomb = Batch { packed: bomb.into(), codec: Codec::Lz4.into(), ..batch(vec![]) };
    assert_eq!(run(Lane::Live, &bomb).0, Err(Whole { hits: 0, reason: Refusal::Malformed }));
}

#[test]
fn an_empty_batch_is_taken_and_one_client_is_routed_alike_however_it_is_named() {
    assert_eq!(run(Lane::Live, &batch(vec![])).0, Ok((0, vec![])));
    let hash = |batch: Batch| {
        let encoded = batch.encode_to_vec();
        admit(&encoded, &facts(Lane::Live), &mut Vec::new(), &mut Refusals::default()).unwrap().client_hash
    };
    assert_eq!(hash(batch(vec![])), hash(Batch { client_id: "c1".to_owned(), ..batch(vec![]) }));
    assert_ne!(hash(batch(vec![])), hash(Batch { client_id: "c2".to_owned(), ..batch(vec![]) }));
}

fn rubbish(len: Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), len)
}

/// Hits as real ones, with some bytes changed: most of the ways to go wrong lie close to what is right.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let hit =
        ("[a-z ]{0,6}", any::<i64>(), ".{0,5}", prop::option::of(("[A-Z]{0,4}", any::<i64>())), any::<u32>());
    let hit = hit.prop_map(|(name, time_ms, url, value, skipped)| Hit {
        time_ms,
        url,
        value: value.map(|(currency, micros)| Money { currency, micros }),
        skipped,
        ..with_param(&name.clone(), param::Value::Number(1.5))
    });
    let whole = (any::<u64>(), prop::collection::vec(hit, 0..6));
    let whole = whole.prop_map(|(first_seq, hits)| Batch { first_seq, ..batch(hits) }.encode_to_vec());
    (whole, prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)).prop_map(
        |(mut bytes, changes)| {
            for (at, byte) in changes {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_panics_and_what_is_accepted_decodes(bytes in prop_oneof![rubbish(0..200), damaged()]) {
        let mut told = Refusals::default();
        let Ok(admitted) = admit(&bytes, &facts(Lane::Live), &mut Vec::new(), &mut told) else { return Ok(()) };
        let mut scratch = Vec::new();
        let hits: Vec<_> =
            BatchRef::parse(&bytes).unwrap().hits(&mut scratch).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(hits.len() as u64, admitted.hits);
        let refused: Vec<_> = admitted.refused.iter().map(|(index, _)| *index as usize).collect();
        prop_assert!(refused.is_sorted());
        prop_assert_eq!(told.into_list().iter().map(|r| r.hits).sum::<u64>(), refused.len() as u64);
        for (_, hit) in hits.iter().enumerate().filter(|(i, _)| !refused.contains(i)) {
            prop_assert!(Hit::decode(*hit).is_ok(), "{:?}", hit);
        }
    }
}
