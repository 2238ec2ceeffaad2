//! The demo's merchant: made at the first start, found again at later ones.

use anyhow::Context;
use proto::v1;

use super::home::{Home, Keys};
use crate::client::Client;

const NAME: &str = "Demo shop";
/// As many as one call gives. A demo has one merchant, and those that somebody made to try it.
const PAGE: u32 = 1_000;

/// Sees to it that there is a merchant with keys that work, and keeps them.
pub(super) async fn settle(admin: &Client, home: &Home, keys: Keys) -> anyhow::Result<Keys> {
    let settled = match find(admin, &keys).await? {
        Some(merchant_id) => with_keys(admin, Keys { merchant_id, ..keys.clone() }).await?,
        None => make(admin, &keys).await?,
    };
    if settled != keys {
        home.keep(&settled)?;
    }
    Ok(settled)
}

/// The merchant that is known, or one that was made before a crash and is not known here.
async fn find(admin: &Client, keys: &Keys) -> anyhow::Result<Option<u64>> {
    let request = v1::ListMerchantsRequest { page_size: PAGE, after_id: 0 };
    let found = admin.config().list_merchants(request).await.map_err(|s| admin.explain(&s))?.into_inner();
    let known = found.merchants.iter().find(|merchant| merchant.id == keys.merchant_id);
    let same_name = || found.merchants.iter().find(|merchant| merchant.name == NAME);
    Ok(known.or_else(same_name).map(|merchant| merchant.id))
}

async fn make(admin: &Client, keys: &Keys) -> anyhow::Result<Keys> {
    let request = v1::CreateMerchantRequest {
        name: NAME.to_owned(),
        // Its days are those of whoever looks at them.
        time_zone: jiff::tz::TimeZone::system().iana_name().unwrap_or_default().to_owned(),
        currency: "EUR".to_owned(),
        ..Default::default()
    };
    let made = admin.config().create_merchant(request).await.map_err(|s| admin.explain(&s))?.into_inner();
    let merchant = made.merchant.context("the server made no merchant")?;
    Ok(Keys {
        merchant_id: merchant.id,
        write_key: made.write_key,
        read_key: made.read_key,
        admin_key: keys.admin_key.clone(),
    })
}

/// Replaces what was revoked since, or never learnt.
async fn with_keys(admin: &Client, mut keys: Keys) -> anyhow::Result<Keys> {
    let request = v1::ListKeysRequest { merchant_id: keys.merchant_id };
    let there = admin.config().list_keys(request).await.map_err(|s| admin.explain(&s))?.into_inner();
    let works = |text: &str| {
        let id = catalog::key_id(text);
        there.keys.iter().any(|key| Some(key.id.as_str()) == id && key.revoked_at.is_none())
    };
    if !works(&keys.write_key) {
        keys.write_key = new_key(admin, keys.merchant_id, v1::KeyRole::Write).await?;
    }
    if !works(&keys.read_key) {
        keys.read_key = new_key(admin, keys.merchant_id, v1::KeyRole::Read).await?;
    }
    Ok(keys)
}

async fn new_key(admin: &Client, merchant_id: u64, role: v1::KeyRole) -> anyhow::Result<String> {
    let request = v1::CreateKeyRequest { role: role.into(), merchant_id, data_stream_id: 0 };
    let made = admin.config().create_key(request).await.map_err(|s| admin.explain(&s))?;
    Ok(made.into_inner().secret)
}
