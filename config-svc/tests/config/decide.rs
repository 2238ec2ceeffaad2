//! Decisions, one by one.

use catalog::Item;
use config_svc::Error;
use config_svc::decide::{
    create_data_stream, create_key, create_merchant, install_admin_key, revoke_key, rotate_key,
    update_merchant,
};
use keyspace::config::counters::Counters;
use model::{DataStreamId, Kind, MerchantId, Role};
use proto::v1::{self, KeyRole, Platform};

use crate::support::{NOW, World, id_of, named};

/// A refusal's kind and text.
fn refusal<A>(result: Result<A, Error>) -> (Kind, String) {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => (error.kind(), error.to_string()),
    }
}

#[test]
fn a_merchant_comes_with_a_data_stream_and_two_keys() {
    let mut world = World::empty();
    let made = world.merchant("Shop");
    let merchant = made.merchant.unwrap();
    assert_eq!((merchant.id, &*merchant.name, merchant.spread, merchant.version), (1, "Shop", 1, 1));
    assert_eq!((&*merchant.time_zone, &*merchant.currency), ("UTC", "USD"));
    assert_eq!(merchant.created_at.unwrap().seconds, 1_431_857_103);
    let stream = made.data_stream.unwrap();
    assert_eq!((stream.id, stream.merchant_id, &*stream.name), (1, 1, "web"));
    assert_eq!(stream.platform(), Platform::Web);

    let snapshot = world.catalog.snapshot();
    let write = snapshot.authenticate(&made.write_key).unwrap();
    assert_eq!(
        (write.role, write.merchant, write.data_stream),
        (Role::Write, Some(MerchantId(1)), Some(DataStreamId(1)))
    );
    let read = snapshot.authenticate(&made.read_key).unwrap();
    assert_eq!((read.role, read.merchant, read.data_stream), (Role::Read, Some(MerchantId(1)), None));

    let second = world.merchant("Second");
    assert_eq!((second.merchant.unwrap().id, second.data_stream.unwrap().id), (2, 2));
}

#[test]
fn what_a_merchant_may_be_is_checked() {
    let world = World::empty();
    let refused =
        |request: v1::CreateMerchantRequest| refusal(world.decide(|basis| create_merchant(basis, &request)));
    let cases = [
        (named(""), r#"name of a merchant "" is not allowed: 1 to 200 bytes, these are 0"#),
        (
            v1::CreateMerchantRequest { time_zone: "Mars/Olympus".into(), ..named("a") },
            r#"time zone "Mars/Olympus" is not allowed: an IANA name of a time zone, such as Europe/Berlin or UTC"#,
        ),
        (
            v1::CreateMerchantRequest { currency: "euro".into(), ..named("a") },
            r#"currency "euro" is not allowed: an ISO 4217 code of three capital letters, such as EUR"#,
        ),
        (
            v1::CreateMerchantRequest { spread: 65, ..named("a") },
            r#"spread "65" is not allowed: 1 to 64, or 0 for 1"#,
        ),
        (
            v1::CreateMerchantRequest { platform: 9, ..named("a") },
            r#"platform "9" is not allowed: web (1), iOS (2), Android (3), server (4), or 0 for not said"#,
        ),
    ];
    for (request, message) in cases {
        assert_eq!(refused(request), (Kind::Invalid, message.to_owned()));
    }
}

#[test]
fn an_update_changes_what_it_sets_and_no_more() {
    let mut world = World::empty();
    world.merchant("Schop");
    let request = v1::UpdateMerchantRequest {
        merchant_id: 1,
        name: "Shop".into(),
        time_zone: "europe/berlin".into(),
        quota: Some(v1::Quota { hits_per_second: 100, streams: 0 }),
        ..Default::default()
    };
    let plan = world.decide(|basis| update_merchant(basis, &request)).unwrap();
    assert_eq!(
        plan.summary,
        r#"changed merchant 1: name "Shop" (was "Schop"), time zone Europe/Berlin (was UTC), hits per second 100 (was no limit)"#
    );
    assert_eq!(plan.merchant, Some(MerchantId(1)));
    let new = world.change(|basis| update_merchant(basis, &request)).unwrap().merchant.unwrap();
    assert_eq!(
        (&*new.name, &*new.time_zone, &*new.currency, new.version),
        ("Shop", "Europe/Berlin", "USD", 2)
    );

    let again = world.decide(|basis| update_merchant(basis, &request)).unwrap();
    assert!(again.items.is_empty(), "the same once more is no change");
    assert_eq!(again.answer.merchant.unwrap().version, 2);

    let unknown = v1::UpdateMerchantRequest { merchant_id: 9, ..request };
    assert_eq!(
        refusal(world.decide(|basis| update_merchant(basis, &unknown))),
        (Kind::NotFound, "there is no merchant 9".to_owned())
    );
}

#[test]
fn ids_that_are_used_up_are_not_given_out_again() {
    let mut world = World::empty();
    world.merchant("Shop");
    world.counters = Counters { next_data_stream: DataStreamId(u32::MAX), ..world.counters };
    let request = v1::CreateDataStreamRequest { merchant_id: 1, name: "app".into(), platform: 2 };
    let refused = refusal(world.decide(|basis| create_data_stream(basis, &request)));
    assert_eq!(refused, (Kind::Exhausted, "all data stream ids are given out".to_owned()));
    let refused = refusal(world.decide(|basis| create_merchant(basis, &named("a"))));
    assert_eq!(refused.0, Kind::Exhausted);
}

#[test]
fn a_key_is_for_something_that_there_is() {
    let mut world = World::empty();
    world.merchant("one");
    world.merchant("two");
    let rights = |role: i32, merchant_id, data_stream_id| {
        let request = v1::CreateKeyRequest { role, merchant_id, data_stream_id };
        let plan = world.decide(|basis| create_key(basis, &request));
        let key = plan.map(|plan| plan.answer.key.unwrap());
        key.map(|key| (key.role, key.merchant_id, key.data_stream_id))
    };
    let (write, read, admin) = (KeyRole::Write as i32, KeyRole::Read as i32, KeyRole::Admin as i32);
    assert_eq!(rights(write, 2, 0).unwrap(), (write, 2, 2), "the merchant's first data stream");
    assert_eq!(rights(write, 2, 2).unwrap(), (write, 2, 2));
    assert_eq!(rights(read, 1, 0).unwrap(), (read, 1, 0));
    assert_eq!(rights(admin, 0, 0).unwrap(), (admin, 0, 0));

    let cases = [
        (write, 2, 1, Kind::Invalid, "data stream 1 does not belong to merchant 2"),
        (write, 2, 7, Kind::NotFound, "there is no data stream 7"),
        (write, 7, 0, Kind::NotFound, "there is no merchant 7"),
        (read, 0, 0, Kind::NotFound, "there is no merchant 0"),
        (
            read,
            1,
            1,
            Kind::Invalid,
            r#"data stream id "1" is not allowed: 0: only a write key is for a data stream"#,
        ),
        (
            admin,
            1,
            0,
            Kind::Invalid,
            r#"merchant id "1" is not allowed: 0: an admin key is for all merchants"#,
        ),
        (0, 1, 0, Kind::Invalid, r#"role of a key "0" is not allowed: write (1), read (2) or admin (3)"#),
    ];
    for (role, merchant, stream, kind, message) in cases {
        assert_eq!(refusal(rights(role, merchant, stream)), (kind, message.to_owned()));
    }
}

#[test]
fn a_rotated_key_hands_its_rights_on() {
    let mut world = World::empty();
    let old = world.merchant("Shop").write_key;
    let request = v1::RotateKeyRequest { key_id: id_of(&old) };
    let new = world.change(|basis| rotate_key(basis, &request)).unwrap();

    let snapshot = world.catalog.snapshot();
    let grant = snapshot.authenticate(&new.secret).unwrap();
    assert_eq!((grant.role, grant.data_stream), (Role::Write, Some(DataStreamId(1))));
    assert_eq!(snapshot.authenticate(&old).map_err(|denied| denied.kind()), Err(Kind::Unauthenticated));

    let again = refusal(world.decide(|basis| rotate_key(basis, &request)));
    let message = format!("key {} was revoked at {NOW} and cannot be rotated: make a new key", id_of(&old));
    assert_eq!(again, (Kind::Invalid, message));
}

#[test]
fn the_last_admin_key_stays() {
    let mut world = World::empty();
    let first = id_of(&world.install());
    let revoke = |id: &str| v1::RevokeKeyRequest { key_id: id.to_owned() };
    let refused = refusal(world.decide(|basis| revoke_key(basis, &revoke(&first))));
    let message = format!("key {first} is the last admin key: make another one first, or rotate it");
    assert_eq!(refused, (Kind::Invalid, message));

    let rotated = v1::RotateKeyRequest { key_id: first.clone() };
    let second = world.change(|basis| rotate_key(basis, &rotated)).unwrap().key.unwrap();
    let refused = refusal(world.decide(|basis| revoke_key(basis, &revoke(&second.id))));
    assert_eq!(refused.0, Kind::Invalid, "the revoked first one does not count");

    let request = v1::CreateKeyRequest { role: KeyRole::Admin as i32, ..Default::default() };
    world.change(|basis| create_key(basis, &request)).unwrap();
    let revoked = world.change(|basis| revoke_key(basis, &revoke(&second.id))).unwrap().key.unwrap();
    assert!(revoked.revoked_at.is_some());

    let again = world.decide(|basis| revoke_key(basis, &revoke(&second.id))).unwrap();
    assert!(again.items.is_empty(), "a key ends once");
    assert_eq!(again.answer.key, Some(revoked));
}

#[test]
fn a_whole_key_given_for_its_id_is_not_repeated() {
    let mut world = World::empty();
    let key = world.merchant("Shop").read_key;
    let request = v1::RevokeKeyRequest { key_id: key.clone() };
    let (kind, message) = refusal(world.decide(|basis| revoke_key(basis, &request)));
    assert_eq!(kind, Kind::NotFound);
    assert!(message.contains(&id_of(&key)), "{message}");
    assert!(!message.contains(&key[14..]), "{message}");
}

#[test]
fn the_first_admin_key_is_made_or_taken_in() {
    let world = World::empty();
    let plan = world.decide(|basis| install_admin_key(basis, None)).unwrap();
    assert!(plan.answer.unwrap().starts_with("hm_a_"));

    let install = |given: &str| world.decide(|basis| install_admin_key(basis, Some(given)));
    let plan = install("an-operator's-own-key").unwrap();
    assert_eq!(plan.answer, None, "it is known to who gave it");
    let [Item::Key(key)] = &plan.items[..] else { panic!("{:?}", plan.items) };
    assert_eq!((key.role, key.hash), (Role::Admin, catalog::hash("an-operator's-own-key")));
    assert!(!plan.summary.contains("own-key"), "{}", plan.summary);

    let of_our_form = format!("hm_a_1a2B3c4D_{}", "x".repeat(32));
    let plan = install(&of_our_form).unwrap();
    assert_eq!(plan.summary, "took the operator's own admin key in as hm_a_1a2B3c4D");
    let of_a_reader = format!("hm_r_1a2B3c4D_{}", "x".repeat(32));
    assert!(!install(&of_a_reader).unwrap().summary.contains("hm_r_"), "its id says what it may do");

    assert_eq!(
        refusal(install("too short")),
        (
            Kind::Invalid,
            r#"admin key of "9 bytes" is not allowed: 16 to 256 visible ASCII characters without spaces"#
                .to_owned()
        )
    );
}

#[test]
fn another_admin_key_is_not_taken_in_later() {
    let mut world = World::empty();
    world.install();
    let plan = world.decide(|basis| install_admin_key(basis, Some("an-operator's-own-key"))).unwrap();
    assert_eq!((plan.answer, plan.items), (None, Vec::new()));
}
