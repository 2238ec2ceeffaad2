//! The cells as they are kept: keys and bytes, read past all services.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use keyspace::cell::{CellKey, range};
use model::{Generation, Hour, MerchantId};
use store::Store;
use store::embedded::EmbeddedStore;
use store::tikv::TikvStore;

const PAGE: usize = 1_000;

/// Cells by key, which is that of the first generation, whatever they are of.
pub(super) type Cells = BTreeMap<CellKey, Bytes>;

/// All cells of the merchant in what an embedded `hitmill` kept, which is stopped.
pub(super) async fn embedded(data: &Path, merchant: u64) -> Cells {
    let store = EmbeddedStore::open(&data.join("store"), store::embedded::Settings::default()).unwrap();
    read(&store, merchant, Generation::FIRST).await
}

/// All cells of the merchant in TiKV, of one generation.
pub(super) async fn tikv(settings: store::tikv::Settings, merchant: u64, generation: Generation) -> Cells {
    read(&TikvStore::open(&settings).await.unwrap(), merchant, generation).await
}

/// Holds two sets of cells against each other, so that a failure shows which cell.
pub(super) fn compare(ones: &Cells, others: &Cells) {
    for (key, bytes) in ones {
        let other = others.get(key).unwrap_or_else(|| panic!("{key:?} is only in the first"));
        assert_eq!(bytes.escape_ascii().to_string(), other.escape_ascii().to_string(), "{key:?}");
    }
    let more: Vec<_> = others.keys().filter(|key| !ones.contains_key(key)).collect();
    assert!(more.is_empty(), "only in the second: {more:?}");
}

async fn read(store: &dyn Store, merchant: u64, generation: Generation) -> Cells {
    let snapshot = store.snapshot().await.unwrap();
    let mut cells = Cells::new();
    for cube in rules::cube::built_in() {
        let keys = range(MerchantId(merchant), generation, cube.id, Hour(0)..Hour(u32::MAX));
        let mut from = keys.start;
        loop {
            let pairs = snapshot.scan(&from, &keys.end, PAGE).await.unwrap();
            let Some((last, _)) = pairs.last() else { break };
            from = keyspace::after(last);
            cells.extend(pairs.into_iter().map(|(key, value)| {
                (CellKey { generation: Generation::FIRST, ..CellKey::decode(&key).unwrap() }, value)
            }));
        }
    }
    cells
}
