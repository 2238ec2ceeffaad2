use catalog::Merchant as CatalogMerchant;
use model::{Currency, DataStreamId, Lane, MerchantId};
use prost::Message;
use proto::v1::{Batch, Hit};

use super::*;

const PARTITIONS: u16 = 8;

fn merchant(spread: u16) -> CatalogMerchant {
    CatalogMerchant {
        id: MerchantId(7),
        name: "m".into(),
        time_zone: "UTC".into(),
        currency: Currency::NONE,
        hits_per_second: 5,
        streams: 0,
        spread,
        version: 3,
        created_at: Timestamp(0),
    }
}

fn batch(client: &str, names: &[&str]) -> Bytes {
    let hits = names.iter().map(|name| Hit { name: (*name).to_owned(), ..Hit::default() }).collect();
    Batch { client_id: client.to_owned(), first_seq: 1, hits, ..Batch::default() }.encode_to_vec().into()
}

fn taken(spread: u16, context: Bytes, batches: Vec<Bytes>, quota: impl FnMut(u64) -> bool) -> Taken {
    let source = Arc::new(Source {
        merchant: MerchantId(7),
        data_stream: DataStreamId(1),
        client_id: String::new(),
        epoch: 1,
        context,
        lane: Lane::Live,
    });
    let merchant = merchant(spread);
    let frame = Frame {
        source: &source,
        merchant: &merchant,
        received_at: Timestamp(1_000_000),
        partitions: PARTITIONS,
    };
    take_in(&frame, batches, &mut Vec::new(), quota)
}

/// How many hits of which reason go to the log without bytes.
fn counted(taken: &Taken) -> Vec<(Refusal, u64)> {
    let items = taken.parcels.iter().flat_map(|parcel| &parcel.items);
    let refused = items.filter_map(|item| match item {
        Item::Refused(entry) => Some((entry.reason, entry.hits)),
        Item::Batch { .. } => None,
    });
    refused.collect()
}

#[test]
fn a_frame_of_many_clients_is_one_parcel_for_each_partition_in_order() {
    let batches: Vec<_> = (0..100).map(|i| batch(&format!("client {}", i % 20), &["a"])).collect();
    let taken = taken(PARTITIONS, Bytes::new(), batches.clone(), |_| true);
    assert_eq!((taken.hits, taken.accepted), (100, 100));
    assert!(taken.parcels.len() <= PARTITIONS.into(), "{} parcels", taken.parcels.len());
    for of_client in &batches[..20] {
        let places: Vec<_> = taken
            .parcels
            .iter()
            .flat_map(|parcel| parcel.items.iter().map(|item| (parcel.partition, item)))
            .filter(|(_, item)| matches!(item, Item::Batch { encoded, .. } if encoded == of_client))
            .map(|(partition, _)| partition)
            .collect();
        assert_eq!(places.len(), 5);
        assert!(places.iter().all(|place| *place == places[0]), "one client, one partition");
    }
}

#[test]
fn a_merchant_without_spread_is_in_one_partition() {
    let batches = (0..50).map(|i| batch(&format!("client {i}"), &["a"])).collect();
    assert_eq!(taken(1, Bytes::new(), batches, |_| true).parcels.len(), 1);
}

#[test]
fn a_wide_context_does_not_make_a_record_too_large() {
    // A thousand tiny batches, each of which the log stores with the 4,000 bytes of the stream's context.
    let batches = (0..1_000).map(|_| batch("c", &["a"])).collect();
    let taken = taken(1, vec![0; 4_000].into(), batches, |_| true);
    assert!(taken.parcels.iter().all(|parcel| parcel.weight <= PARCEL_BYTES));
    let weight: usize = taken.parcels.iter().map(|parcel| parcel.weight).sum();
    assert!(weight >= 4_000_000, "{weight}");
}

#[test]
fn hits_of_which_nothing_is_kept_are_counted_once_each() {
    // A field that ends in the middle.
    let damaged = [&batch("c", &["a", "b", "c"])[..], &[0x80]].concat();
    let batches = vec![
        batch("c", &["good", "bad name"]),
        batch("c", &["bad name", "worse name"]),
        batch("c", &["over", "over", "bad name"]),
        damaged.into(),
    ];
    let mut asked = Vec::new();
    let taken = taken(1, Bytes::new(), batches, |hits| {
        asked.push(hits);
        asked.len() < 2
    });
    assert_eq!(asked, [1, 2], "of the second batch nothing was good");
    assert_eq!((taken.hits, taken.accepted), (10, 1));
    let expected =
        [(Refusal::BadName, 2), (Refusal::BadName, 1), (Refusal::OverQuota, 2), (Refusal::Malformed, 3)];
    assert_eq!(counted(&taken), expected, "the bad hit of the first batch is in that batch's own entry");
    assert_eq!(taken.refused.iter().sum::<u64>(), 9);
    assert_eq!(taken.refusals.into_list().iter().map(|refused| refused.hits).sum::<u64>(), 9);
}
