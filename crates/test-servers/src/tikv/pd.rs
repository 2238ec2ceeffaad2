//! PD's HTTP interface: who is there, where the regions lie, and orders to split and to move them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::json;

use crate::http;

/// How long an order may take. It takes a second or two.
const PATIENCE: Duration = Duration::from_secs(60);

/// PD at an address.
#[derive(Clone, Debug)]
pub struct Pd {
    address: String,
}

/// A range of keys that one store leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its number.
    pub id: u64,
    /// The first key in it, as TiKV encodes keys; empty is the first of all.
    pub start: Vec<u8>,
    /// The first key after it; empty is the end of all.
    pub end: Vec<u8>,
    /// The number of the store that leads it, if one does.
    pub leader: Option<u64>,
    /// The numbers of the stores that keep it.
    pub stores: Vec<u64>,
    /// How many of these have not caught up with the leader.
    pub behind: usize,
}

impl Pd {
    pub(crate) fn at(address: String) -> Self {
        Self { address }
    }

    /// "127.0.0.1:..."
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How many regions there are.
    pub async fn region_count(&self) -> Result<usize> {
        Ok(self.regions().await?.len())
    }

    /// All regions, in the order of their keys.
    pub async fn regions(&self) -> Result<Vec<Region>> {
        let all: WireRegions = serde_json::from_str(&self.get("/pd/api/v1/regions").await?)?;
        let mut regions = all.regions.into_iter().map(Region::try_from).collect::<Result<Vec<_>>>()?;
        regions.sort_by(|a, b| a.start.cmp(&b.start));
        Ok(regions)
    }

    /// The region that `key` of a transaction lies in.
    pub async fn region_of(&self, key: &[u8]) -> Result<Region> {
        let key = encode(key);
        let regions = self.regions().await?;
        let found = regions
            .into_iter()
            .find(|region| region.start <= key && (region.end.is_empty() || key < region.end));
        found.with_context(|| format!("no region has the key {}", to_hex(&key)))
    }

    /// Has the region of `key` split there: `key` becomes the first of its region.
    pub async fn split_at(&self, key: &[u8]) -> Result<()> {
        let encoded = encode(key);
        let begins = |region: &Region| region.start == encoded;
        self.until(key, begins, |region| {
            json!({ "name": "split-region", "region_id": region, "policy": "usekey", "keys": [to_hex(&encoded)] })
        })
        .await
    }

    /// Has the store numbered `store` lead the region of `key`.
    pub async fn move_leader(&self, key: &[u8], store: u64) -> Result<()> {
        let leads = |region: &Region| region.leader == Some(store);
        self.until(
            key,
            leads,
            |region| json!({ "name": "transfer-leader", "region_id": region, "to_store_id": store }),
        )
        .await
    }

    /// The number of the store at `address`, if PD knows it and has heard of it lately.
    pub async fn store_id(&self, address: &str) -> Result<u64> {
        let all: WireStores = serde_json::from_str(&self.get("/pd/api/v1/stores").await?)?;
        let found = all.stores.into_iter().map(|of| of.store).find(|store| store.address == address);
        match found {
            Some(store) if store.state_name == "Up" => Ok(store.id),
            Some(store) => bail!("the store at {address} is {}, not Up", store.state_name),
            None => bail!("no store is at {address}"),
        }
    }

    pub(crate) async fn has_store(&self, address: &str) -> bool {
        // PD remembers a store; only a connection shows that this one listens.
        self.store_id(address).await.is_ok() && tokio::net::TcpStream::connect(address).await.is_ok()
    }

    /// Whether the cluster has become as it stays: split where PD wants it, with `copies` of every region.
    pub(crate) async fn is_settled(&self, copies: usize) -> bool {
        let Ok(regions) = self.regions().await else { return false };
        // The last bounds of the two key spaces that PD keeps apart from the start: raw keys and transactions.
        let bounds = [encode(b"r\0\0\x01"), encode(b"x\0\0\x01")];
        bounds.iter().all(|bound| regions.iter().any(|region| region.start == *bound))
            && regions.iter().all(|region| region.stores.len() == copies && region.behind == 0)
    }

    pub(crate) async fn is_healthy(&self) -> bool {
        // Members are listed by the leader only: no leader yet, no clients.
        let members = self.get("/pd/api/v1/leader").await;
        members.is_ok_and(|leader| leader.contains("client_urls"))
    }

    /// Gives an order about the region of `key` and waits until it is carried out, which takes some heartbeats.
    async fn until(
        &self,
        key: &[u8],
        done: impl Fn(&Region) -> bool,
        order: impl Fn(u64) -> serde_json::Value,
    ) -> Result<()> {
        let began = Instant::now();
        loop {
            let region = self.region_of(key).await;
            let answer = match &region {
                Ok(region) if done(region) => return Ok(()),
                // Also again: PD drops an order when the region changes meanwhile, and refuses what it is at already.
                Ok(region) => {
                    let order = order(region.id).to_string();
                    let given = http::request("POST", &self.address, "/pd/api/v1/operators", &order).await?;
                    format!("{order} is answered {}", given.body)
                }
                // Between the two halves of a split PD may not know a region for the key.
                Err(error) => format!("{error:#}"),
            };
            if began.elapsed() > PATIENCE {
                bail!("not done within {} s: {answer}", PATIENCE.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn get(&self, path: &str) -> Result<String> {
        http::request("GET", &self.address, path, "").await?.success()
    }
}

#[derive(Deserialize)]
struct WireRegions {
    #[serde(default)]
    regions: Vec<WireRegion>,
}

#[derive(Deserialize)]
struct WireRegion {
    id: u64,
    #[serde(default)]
    start_key: String,
    #[serde(default)]
    end_key: String,
    #[serde(default)]
    peers: Vec<WirePeer>,
    #[serde(default)]
    pending_peers: Vec<WirePeer>,
    leader: Option<WirePeer>,
}

#[derive(Deserialize)]
struct WirePeer {
    #[serde(default)]
    store_id: u64,
}

#[derive(Deserialize)]
struct WireStores {
    #[serde(default)]
    stores: Vec<WireStoreOf>,
}

#[derive(Deserialize)]
struct WireStoreOf {
    store: WireStore,
}

#[derive(Deserialize)]
struct WireStore {
    id: u64,
    address: String,
    state_name: String,
}

impl TryFrom<WireRegion> for Region {
    type Error = anyhow::Error;

    fn try_from(wire: WireRegion) -> Result<Self> {
        Ok(Self {
            id: wire.id,
            start: from_hex(&wire.start_key)?,
            end: from_hex(&wire.end_key)?,
            // A region without a leader is shown with an empty one.
            leader: wire.leader.map(|peer| peer.store_id).filter(|&store| store != 0),
            stores: wire.peers.iter().map(|peer| peer.store_id).collect(),
            behind: wire.pending_peers.len(),
        })
    }
}

/// TiKV's encoding of a key: groups of eight bytes, the last one filled up with zeros, each followed by 255 less the
/// number of zeros filled in. Encoded keys sort as the keys do, and none is the beginning of another.
fn encode(key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + key.len() / 8 + 9);
    for group in 0..=key.len() / 8 {
        let rest = &key[group * 8..];
        let filled = 8_usize.saturating_sub(rest.len());
        out.extend_from_slice(&rest[..8 - filled]);
        out.resize(out.len() + filled, 0);
        out.push(255 - u8::try_from(filled).unwrap_or(8));
    }
    out
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    let byte = |at: usize| text.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    (0..text.len()).step_by(2).map(|at| byte(at).with_context(|| format!("{text} is not hex"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples in the documentation of TiKV's codec.
    #[test]
    fn keys_are_encoded_as_tikv_does() {
        assert_eq!(encode(&[]), [0, 0, 0, 0, 0, 0, 0, 0, 247]);
        assert_eq!(encode(&[1, 2, 3]), [1, 2, 3, 0, 0, 0, 0, 0, 250]);
        assert_eq!(encode(&[1, 2, 3, 0]), [1, 2, 3, 0, 0, 0, 0, 0, 251]);
        assert_eq!(
            encode(&[1, 2, 3, 4, 5, 6, 7, 8]),
            [1, 2, 3, 4, 5, 6, 7, 8, 255, 0, 0, 0, 0, 0, 0, 0, 0, 247]
        );
    }

    #[test]
    fn hex_there_and_back() {
        assert_eq!(to_hex(&[0, 0xab, 255]), "00ABFF");
        assert_eq!(from_hex("00ABFF").unwrap(), [0, 0xab, 255]);
        assert!(from_hex("0").is_err());
        assert!(from_hex("zz").is_err());
    }
}
