//! What a request comes to: plain functions of the configuration as it is, the request, the time and some randomness.
//! They change nothing; a [`Plan`] says what is to be written and what is to be answered once it is.

mod data_stream;
mod key;
mod merchant;

use std::sync::Arc;

use catalog::{Item, Key, Merchant, Snapshot};
use keyspace::config::counters::Counters;
use model::{DataStreamId, MerchantId, Role, Timestamp};

use crate::secret::{Draw, Drawn};
use crate::{Error, Result};

pub use data_stream::create_data_stream;
pub use key::{create_key, install_admin_key, revoke_key, rotate_key};
pub use merchant::{create_merchant, update_merchant};

/// What a decision is based on.
pub struct Basis<'a> {
    /// The configuration.
    pub snapshot: &'a Snapshot,
    /// The counters of the same version.
    pub counters: Counters,
    /// The time.
    pub now: Timestamp,
    /// Randomness, fit for secrets.
    pub seed: [u8; 32],
}

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan<A> {
    /// What the caller hears when the change is durable.
    pub answer: A,
    /// The new states; none if nothing changes and nothing is to be written.
    pub items: Vec<Item>,
    /// The merchant concerned, if it is one.
    pub merchant: Option<MerchantId>,
    /// What is done, for people.
    pub summary: String,
    /// The counters afterwards.
    pub counters: Counters,
}

impl<A> Plan<A> {
    /// A plan that changes nothing.
    fn nothing(basis: &Basis<'_>, answer: A) -> Self {
        Self { answer, items: Vec::new(), merchant: None, summary: String::new(), counters: basis.counters }
    }

    /// A plan that makes the next version.
    fn change(basis: &Basis<'_>, answer: A, items: Vec<Item>, summary: String) -> Self {
        let counters = Counters { version: basis.counters.version + 1, ..basis.counters };
        let merchant = items.iter().find_map(Item::merchant);
        Self { answer, items, merchant, summary, counters }
    }
}

impl Basis<'_> {
    fn merchant(&self, id: u64) -> Result<&Arc<Merchant>> {
        let id = MerchantId(id);
        self.snapshot.merchant(id).ok_or(Error::NoMerchant(id))
    }

    fn key(&self, id: &str) -> Result<&Arc<Key>> {
        self.snapshot.key(id).ok_or_else(|| Error::NoKey(id.chars().take(SHOWN_ID).collect()))
    }

    /// A new key with its text.
    fn new_key(
        &self,
        draw: &mut Draw,
        role: Role,
        merchant: Option<MerchantId>,
        data_stream: Option<DataStreamId>,
    ) -> (Arc<Key>, String) {
        let Drawn { id, text } = self.unused(|| draw.key(role), |drawn| &drawn.id);
        let key = Key {
            id: id.into(),
            role,
            merchant,
            data_stream,
            hash: catalog::hash(&text),
            created_at: self.now,
            revoked_at: None,
        };
        (Arc::new(key), text)
    }

    /// Draws until it is new. With 300 million keys one id in 700,000 is taken.
    fn unused<T>(&self, mut draw: impl FnMut() -> T, id: impl Fn(&T) -> &str) -> T {
        loop {
            let drawn = draw();
            if self.snapshot.key(id(&drawn)).is_none() {
                return drawn;
            }
        }
    }
}

/// Characters of an unknown id that are repeated: as many as a good one has, so that a whole key that was given for its
/// id does not get into a message with its secret.
const SHOWN_ID: usize = "hm_w_1a2B3c4D".len();
