//! Items to test with.

use std::sync::Arc;

use catalog::{Change, DataStream, Item, Key, Merchant, Platform};
use model::{DataStreamId, MerchantId, Role, Timestamp};
use store::embedded::{EmbeddedStore, Settings};

pub(crate) fn open(dir: &tempfile::TempDir) -> EmbeddedStore {
    EmbeddedStore::open(dir.path(), Settings::default()).unwrap()
}

pub(crate) fn merchant(id: u64, name: &str) -> Item {
    Item::Merchant(Arc::new(Merchant {
        id: MerchantId(id),
        name: name.into(),
        time_zone: "UTC".into(),
        currency: "EUR".parse().unwrap(),
        hits_per_second: 0,
        streams: 0,
        spread: 1,
        version: 1,
        created_at: Timestamp(1),
    }))
}

pub(crate) fn data_stream(id: u32, merchant: u64) -> Item {
    Item::DataStream(Arc::new(DataStream {
        id: DataStreamId(id),
        merchant: MerchantId(merchant),
        name: "web".into(),
        platform: Platform::Web,
    }))
}

/// A key whose whole text is `text`.
pub(crate) fn key(id: &str, role: Role, merchant: Option<u64>, data_stream: Option<u32>, text: &str) -> Item {
    Item::Key(Arc::new(Key {
        id: id.into(),
        role,
        merchant: merchant.map(MerchantId),
        data_stream: data_stream.map(DataStreamId),
        hash: catalog::hash(text),
        created_at: Timestamp(1),
        revoked_at: None,
    }))
}

/// The text of a key of our form.
pub(crate) fn key_text(role: char, name: &str) -> String {
    format!("hm_{role}_{name}_{}", "s3cret7s".repeat(4))
}

pub(crate) fn revoked(key: &Item, at: Timestamp) -> Item {
    let Item::Key(key) = key else { panic!("{key:?} is no key") };
    Item::Key(Arc::new(Key { revoked_at: Some(at), ..Key::clone(key) }))
}

pub(crate) fn change_to(version: u64, items: Vec<Item>) -> Change {
    Change { version, at: Timestamp(1), author: "".into(), merchant: None, summary: "test".to_owned(), items }
}
