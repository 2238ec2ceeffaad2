use proto::v1::WatchResponse;

use crate::{Catalog, Error, Item, Result, Snapshot};

/// Puts together what comes over one stream of `Watch`.
#[derive(Default)]
pub(super) struct Reception {
    /// The version up to which everything came over this stream, or was known when it began.
    at: u64,
    /// What came of a snapshot that is not whole yet.
    partial: Option<Snapshot>,
}

impl Reception {
    /// For a stream that was asked for changes since `version`.
    pub(super) fn after(version: u64) -> Self {
        Self { at: version, partial: None }
    }

    /// Takes a message in. Whatever the server says, the catalog never goes back: another server may be behind for a moment.
    pub(super) fn take(&mut self, message: WatchResponse, catalog: &Catalog) -> Result<()> {
        let items = message.items.into_iter().map(Item::try_from).collect::<Result<Vec<_>>>()?;
        if message.reset {
            self.partial = Some(Snapshot::default());
        }
        let Some(partial) = &mut self.partial else { return self.change(&items, message.version, catalog) };
        items.into_iter().for_each(|item| partial.put(item));
        if message.version == 0 {
            return Ok(());
        }
        partial.set_version(message.version);
        self.at = message.version;
        if let Some(whole) = self.partial.take()
            && !catalog.replace(whole)
        {
            let (known, sent) = (catalog.snapshot().version(), message.version);
            tracing::warn!(
                known,
                sent,
                "a config-svc knows less than this process: its snapshot is passed over"
            );
        }
        Ok(())
    }

    fn change(&mut self, items: &[Item], version: u64, catalog: &Catalog) -> Result<()> {
        if version != self.at + 1 {
            let why = format!("version {version} came after version {}", self.at);
            return Err(Error::corrupt("the stream of changes", why));
        }
        catalog.apply(items, version);
        self.at = version;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{MerchantId, Timestamp};

    use super::*;
    use crate::Merchant;

    fn merchant(id: u64, name: &str) -> Item {
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

    fn message(version: u64, reset: bool, items: &[Item]) -> WatchResponse {
        WatchResponse { version, reset, items: items.iter().map(Item::whole).collect() }
    }

    fn names(catalog: &Catalog) -> (u64, Vec<String>) {
        let snapshot = catalog.snapshot();
        (snapshot.version(), snapshot.merchants().map(|merchant| merchant.name.to_string()).collect())
    }

    fn expected(version: u64, names: &[&str]) -> (u64, Vec<String>) {
        (version, names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn a_snapshot_holds_when_it_is_whole_and_changes_follow_it() {
        let (catalog, mut reception) = (Catalog::new(Snapshot::default()), Reception::after(0));
        reception.take(message(0, true, &[merchant(1, "one")]), &catalog).unwrap();
        assert_eq!(names(&catalog), expected(0, &[]));
        reception.take(message(7, false, &[merchant(2, "two")]), &catalog).unwrap();
        assert_eq!(names(&catalog), expected(7, &["one", "two"]));
        reception.take(message(8, false, &[merchant(1, "uno")]), &catalog).unwrap();
        assert_eq!(names(&catalog), expected(8, &["uno", "two"]));
    }

    #[test]
    fn a_server_that_is_behind_takes_nothing_back() {
        let (catalog, mut reception) = (Catalog::new(Snapshot::default()), Reception::after(0));
        reception.take(message(9, true, &[merchant(1, "new")]), &catalog).unwrap();
        let mut behind = Reception::after(9);
        behind.take(message(8, true, &[merchant(1, "old")]), &catalog).unwrap();
        assert_eq!(names(&catalog), expected(9, &["new"]));
        // It catches up: what is known already changes nothing, what is new does.
        behind.take(message(9, false, &[merchant(1, "another new")]), &catalog).unwrap();
        assert_eq!(names(&catalog), expected(9, &["new"]));
        behind.take(message(10, false, &[merchant(2, "two")]), &catalog).unwrap();
        assert_eq!(names(&catalog), expected(10, &["new", "two"]));
    }

    #[test]
    fn a_change_that_is_left_out_is_noticed() {
        let (catalog, mut reception) = (Catalog::new(Snapshot::default()), Reception::after(4));
        let refused = reception.take(message(6, false, &[merchant(1, "one")]), &catalog).unwrap_err();
        assert_eq!(refused.to_string(), "the stream of changes is damaged: version 6 came after version 4");
        assert_eq!(names(&catalog), expected(0, &[]));
    }
}
