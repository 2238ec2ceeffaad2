//! What holds after any requests in any order.

use std::collections::BTreeSet;

use catalog::{Item, Snapshot};
use config_svc::decide;
use model::{Kind, Role};
use proptest::prelude::*;
use proto::v1::{self, KeyRole};

use crate::support::{World, named};

/// A request, with numbers that mostly name something.
#[derive(Clone, Debug)]
enum Request {
    Merchant(String),
    Update {
        merchant: u64,
        name: String,
        streams: u32,
    },
    DataStream {
        merchant: u64,
    },
    Key {
        role: i32,
        merchant: u64,
        data_stream: u32,
    },
    /// Of the n-th key that was ever made.
    Rotate(usize),
    Revoke(usize),
    Install,
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        "[a-c]{0,3}".prop_map(Request::Merchant),
        (0u64..4, "[a-c]{0,2}", 0u32..2).prop_map(|(merchant, name, streams)| Request::Update {
            merchant,
            name,
            streams
        }),
        (0u64..4).prop_map(|merchant| Request::DataStream { merchant }),
        (0i32..5, 0u64..4, 0u32..5).prop_map(|(role, merchant, data_stream)| Request::Key {
            role,
            merchant,
            data_stream
        }),
        (0usize..12).prop_map(Request::Rotate),
        (0usize..12).prop_map(Request::Revoke),
        Just(Request::Install),
    ]
}

/// What is known from outside of a key: its text, and whether it should work.
#[derive(Clone, Debug)]
struct Known {
    text: String,
    works: bool,
}

/// Asks, and keeps account of the keys that were handed out. Gives the error's kind.
fn ask(world: &mut World, keys: &mut Vec<Known>, request: &Request) -> Result<(), Kind> {
    let id = |keys: &[Known], n: usize| keys.get(n).map_or("none", |key| &key.text[..13]).to_owned();
    let mut made = Vec::new();
    let outcome = match request.clone() {
        Request::Merchant(name) => world
            .change(|basis| decide::create_merchant(basis, &named(&name)))
            .map(|answer| made.extend([answer.write_key, answer.read_key])),
        Request::Update { merchant, name, streams } => {
            let quota = Some(v1::Quota { hits_per_second: 0, streams });
            let request =
                v1::UpdateMerchantRequest { merchant_id: merchant, name, quota, ..Default::default() };
            world.change(|basis| decide::update_merchant(basis, &request)).map(|_| ())
        }
        Request::DataStream { merchant } => {
            let request =
                v1::CreateDataStreamRequest { merchant_id: merchant, name: "s".into(), platform: 0 };
            world.change(|basis| decide::create_data_stream(basis, &request)).map(|a| made.push(a.write_key))
        }
        Request::Key { role, merchant, data_stream } => {
            let request = v1::CreateKeyRequest { role, merchant_id: merchant, data_stream_id: data_stream };
            world.change(|basis| decide::create_key(basis, &request)).map(|a| made.push(a.secret))
        }
        Request::Rotate(n) => {
            let request = v1::RotateKeyRequest { key_id: id(keys, n) };
            world.change(|basis| decide::rotate_key(basis, &request)).map(|answer| {
                keys[n].works = false;
                made.push(answer.secret);
            })
        }
        Request::Revoke(n) => {
            let request = v1::RevokeKeyRequest { key_id: id(keys, n) };
            world.change(|basis| decide::revoke_key(basis, &request)).map(|_| keys[n].works = false)
        }
        Request::Install => {
            world.change(|basis| decide::install_admin_key(basis, None)).map(|answer| made.extend(answer))
        }
    };
    keys.extend(made.into_iter().map(|text| Known { text, works: true }));
    outcome.map_err(|error| error.kind())
}

fn everything(snapshot: &Snapshot) -> Vec<Item> {
    snapshot.items().collect()
}

proptest! {
    #[test]
    fn the_configuration_stays_whole(requests in proptest::collection::vec(request(), 1..40)) {
        let (mut world, mut keys) = (World::empty(), Vec::new());
        let admin = world.install();
        keys.push(Known { text: admin, works: true });
        for request in &requests {
            let before = everything(&world.catalog.snapshot());
            let outcome = ask(&mut world, &mut keys, request);
            let snapshot = world.catalog.snapshot();
            if outcome.is_err() {
                prop_assert_eq!(before, everything(&snapshot), "{:?} failed and changed something", request);
            }
            prop_assert_eq!(snapshot.version(), world.counters.version);
        }

        let snapshot = world.catalog.snapshot();
        for key in &keys {
            prop_assert_eq!(snapshot.authenticate(&key.text).is_ok(), key.works, "{:?}", key);
        }
        prop_assert_eq!(keys.len(), snapshot.keys().count(), "two keys have one id");
        let ids: Vec<u64> = snapshot.merchants().map(|merchant| merchant.id.0).collect();
        prop_assert_eq!(ids, (1..world.counters.next_merchant.0).collect::<Vec<_>>());
        prop_assert!(snapshot.keys_of(None).any(|key| key.revoked_at.is_none()), "nobody is admin");
        for key in snapshot.keys().filter(|key| key.role == Role::Write) {
            let stream = key.data_stream.and_then(|id| snapshot.data_stream(id));
            prop_assert_eq!(stream.map(|stream| stream.merchant), key.merchant);
        }
    }
}

#[test]
fn what_is_told_of_a_change_has_no_secret() {
    let mut world = World::empty();
    world.install();
    world.merchant("a");
    for (role, merchant_id) in [(KeyRole::Write, 1), (KeyRole::Read, 1), (KeyRole::Admin, 0)] {
        let request = v1::CreateKeyRequest { role: role.into(), merchant_id, data_stream_id: 0 };
        let plan = world.decide(|basis| decide::create_key(basis, &request)).unwrap();
        let (id, secret) = plan.answer.secret.rsplit_once('_').unwrap();
        let told = format!("{} {:?}", plan.summary, plan.items);
        assert!(!told.contains(secret), "{told}");
        assert!(told.contains(id), "{told}");
    }
}

#[test]
fn keys_are_drawn_anew_until_they_are_new() {
    let mut world = World::empty();
    world.install();
    let same = |world: &World, seed| {
        let snapshot = world.catalog.snapshot();
        let basis = decide::Basis { snapshot: &snapshot, counters: world.counters, now: world.now, seed };
        decide::create_merchant(&basis, &named("a")).unwrap()
    };
    // The same randomness twice would give the same ids.
    let mut ids = BTreeSet::new();
    for _ in 0..3 {
        let plan = same(&world, [7; 32]);
        ids.extend([plan.answer.write_key[..13].to_owned(), plan.answer.read_key[..13].to_owned()]);
        world.counters = plan.counters;
        world.catalog.apply(&plan.items, plan.counters.version);
    }
    assert_eq!(ids.len(), 6);
}
