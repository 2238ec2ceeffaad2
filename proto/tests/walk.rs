//! The borrowed walk reads what prost reads.

use prost::Message as _;
use proto::v1;
use proto::wire::{BatchRef, HitRef, MoneyRef};

/// Protobuf lets a sender split a message: a field that comes twice is put together.
#[test]
fn a_message_that_comes_twice_is_put_together() {
    let context = |context| v1::Batch { context: Some(context), ..Default::default() };
    let user = context(v1::Context { user_id: "u".to_owned(), ..Default::default() });
    let country = context(v1::Context { country: "DE".to_owned(), ..Default::default() });
    let batch = [user.encode_to_vec(), country.encode_to_vec()].concat();
    let walked = BatchRef::parse(&batch).unwrap().context;
    assert_eq!((walked.user_id, walked.country), ("u", "DE"));

    let worth = |currency: &str, micros| {
        let value = Some(v1::Money { currency: currency.to_owned(), micros });
        v1::Hit { value, ..Default::default() }.encode_to_vec()
    };
    let context = v1::Hit { context: user.context, ..Default::default() }.encode_to_vec();
    let more = v1::Hit { context: country.context, ..Default::default() }.encode_to_vec();
    let hit = [worth("EUR", 0), context, worth("", 5), more].concat();
    let walked = HitRef::parse(&hit).unwrap();
    assert_eq!(walked.value, Some(MoneyRef { currency: "EUR", micros: 5 }));
    assert_eq!((walked.context.user_id, walked.context.country), ("u", "DE"));
}
