use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use model::{MerchantId, stable_hash};
use parking_lot::Mutex;

use crate::error::Error;

/// How many streams are open, and how many may be.
#[derive(Debug)]
pub(crate) struct Slots {
    limit: usize,
    limit_per_client: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_merchant: HashMap<MerchantId, usize>,
    by_client: HashMap<(MerchantId, u64), usize>,
}

/// The place of one open stream, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    merchant: MerchantId,
    client: Option<u64>,
}

impl Slots {
    /// Places for `limit` streams, `limit_per_client` of them for one client of a merchant.
    pub(crate) fn new(limit: usize, limit_per_client: usize) -> Self {
        Self { limit, limit_per_client, open: Mutex::default() }
    }

    /// A place for a stream of a client; a sender for many clients has no client id. `of_merchant` is what the merchant
    /// may have in all, 0 without a limit.
    pub(crate) fn enter(
        self: &Arc<Self>,
        merchant: MerchantId,
        client_id: &str,
        of_merchant: usize,
    ) -> Result<Slot, Error> {
        let client = (!client_id.is_empty()).then(|| stable_hash(client_id.as_bytes()));
        let mut open = self.open.lock();
        let too_many = |whose: String, limit| Err(Error::TooManyStreams { whose, limit });
        if open.all >= self.limit {
            return too_many("this server".to_owned(), self.limit);
        }
        if of_merchant > 0 && count(&open.by_merchant, &merchant) >= of_merchant {
            return too_many(format!("merchant {merchant}"), of_merchant);
        }
        if let Some(hash) = client {
            if count(&open.by_client, &(merchant, hash)) >= self.limit_per_client {
                return too_many("a client".to_owned(), self.limit_per_client);
            }
            *open.by_client.entry((merchant, hash)).or_default() += 1;
        }
        open.all += 1;
        *open.by_merchant.entry(merchant).or_default() += 1;
        Ok(Slot { slots: Arc::clone(self), merchant, client })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.slots.open.lock();
        open.all -= 1;
        leave(&mut open.by_merchant, self.merchant);
        if let Some(client) = self.client {
            leave(&mut open.by_client, (self.merchant, client));
        }
    }
}

fn count<K: Hash + Eq>(counts: &HashMap<K, usize>, key: &K) -> usize {
    counts.get(key).copied().unwrap_or(0)
}

/// Keys without streams are forgotten: the maps are bounded by the limit.
fn leave<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_holds_by_itself_and_places_come_back() {
        let (one, two) = (MerchantId(1), MerchantId(2));
        let slots = Arc::new(Slots::new(4, 2));
        let message = |refused: Result<Slot, Error>| refused.unwrap_err().to_string();

        let first = slots.enter(one, "a", 3).unwrap();
        let _second = slots.enter(one, "a", 3).unwrap();
        let refused = message(slots.enter(one, "a", 3));
        assert_eq!(refused, "too many streams: a client may have 2 open at a time");
        let _third = slots.enter(one, "", 3).unwrap();
        let refused = message(slots.enter(one, "b", 3));
        assert_eq!(refused, "too many streams: merchant 1 may have 3 open at a time");
        let _fourth = slots.enter(two, "a", 0).unwrap();
        let refused = message(slots.enter(two, "a", 0));
        assert_eq!(refused, "too many streams: this server may have 4 open at a time");

        drop(first);
        assert!(slots.enter(one, "a", 3).is_ok());
    }

    #[test]
    fn who_has_left_is_forgotten() {
        let slots = Arc::new(Slots::new(4, 2));
        drop(slots.enter(MerchantId(1), "a", 0).unwrap());
        let open = slots.open.lock();
        assert!(open.all == 0 && open.by_merchant.is_empty() && open.by_client.is_empty());
    }
}
