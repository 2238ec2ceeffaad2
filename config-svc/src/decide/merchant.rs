use std::sync::Arc;

use catalog::{DataStream, Item, Merchant, Platform};
use model::{MerchantId, Role};
use proto::v1;

use super::data_stream::take_id;
use super::{Basis, Plan};
use crate::secret::Draw;
use crate::{Error, Result, validate};

/// A merchant with a first data stream, its write key and a read key.
pub fn create_merchant(
    basis: &Basis<'_>,
    request: &v1::CreateMerchantRequest,
) -> Result<Plan<v1::CreateMerchantResponse>> {
    let id = basis.counters.next_merchant;
    let next = id.0.checked_add(1).map(MerchantId).ok_or(Error::IdsUsedUp("merchant"))?;
    let (data_stream_id, next_data_stream) = take_id(basis)?;
    let quota = request.quota.unwrap_or_default();
    let merchant = Arc::new(Merchant {
        id,
        name: validate::name("name of a merchant", &request.name)?,
        time_zone: validate::time_zone(or(&request.time_zone, "UTC"))?,
        currency: validate::currency(or(&request.currency, "USD"))?,
        hits_per_second: quota.hits_per_second,
        streams: quota.streams,
        spread: validate::spread(request.spread)?,
        version: 1,
        created_at: basis.now,
    });
    let platform = match validate::platform(request.platform)? {
        Platform::Unspecified => Platform::Web,
        said => said,
    };
    let name = validate::name("name of a data stream", or(&request.data_stream_name, "web"))?;
    let data_stream = Arc::new(DataStream { id: data_stream_id, merchant: id, name, platform });

    let mut draw = Draw::new(basis.seed);
    let (write, write_key) = basis.new_key(&mut draw, Role::Write, Some(id), Some(data_stream_id));
    let (read, read_key) = basis.new_key(&mut draw, Role::Read, Some(id), None);
    let summary = format!(
        "made merchant {id} {:?} with data stream {data_stream_id} {:?}, write key {} and read key {}",
        merchant.name, data_stream.name, write.id, read.id
    );
    let answer = v1::CreateMerchantResponse {
        merchant: Some((&*merchant).into()),
        data_stream: Some((&*data_stream).into()),
        write_key,
        read_key,
    };
    let items =
        vec![Item::Merchant(merchant), Item::DataStream(data_stream), Item::Key(write), Item::Key(read)];
    let mut plan = Plan::change(basis, answer, items, summary);
    plan.counters.next_merchant = next;
    plan.counters.next_data_stream = next_data_stream;
    Ok(plan)
}

/// The merchant with what the request sets; what it leaves empty stays.
pub fn update_merchant(
    basis: &Basis<'_>,
    request: &v1::UpdateMerchantRequest,
) -> Result<Plan<v1::UpdateMerchantResponse>> {
    let old = basis.merchant(request.merchant_id)?;
    let mut new = Merchant::clone(old);
    if !request.name.is_empty() {
        new.name = validate::name("name of a merchant", &request.name)?;
    }
    if !request.time_zone.is_empty() {
        new.time_zone = validate::time_zone(&request.time_zone)?;
    }
    if !request.currency.is_empty() {
        new.currency = validate::currency(&request.currency)?;
    }
    if let Some(quota) = request.quota {
        new.hits_per_second = quota.hits_per_second;
        new.streams = quota.streams;
    }
    if new == **old {
        return Ok(Plan::nothing(basis, v1::UpdateMerchantResponse { merchant: Some((&new).into()) }));
    }
    let summary = format!("changed merchant {}: {}", new.id, differences(old, &new));
    new.version += 1;
    let answer = v1::UpdateMerchantResponse { merchant: Some((&new).into()) };
    Ok(Plan::change(basis, answer, vec![Item::Merchant(Arc::new(new))], summary))
}

/// What changed, for people: `name "Shop" (was "Schop"), currency EUR (was USD)`.
fn differences(old: &Merchant, new: &Merchant) -> String {
    let limit = |limit: u64| if limit == 0 { "no limit".to_owned() } else { limit.to_string() };
    let sides = [
        ("name", format!("{:?}", old.name), format!("{:?}", new.name)),
        ("time zone", old.time_zone.to_string(), new.time_zone.to_string()),
        ("currency", old.currency.to_string(), new.currency.to_string()),
        ("hits per second", limit(old.hits_per_second), limit(new.hits_per_second)),
        ("streams", limit(old.streams.into()), limit(new.streams.into())),
    ];
    let changed = sides.into_iter().filter(|(_, old, new)| old != new);
    let texts: Vec<String> = changed.map(|(what, old, new)| format!("{what} {new} (was {old})")).collect();
    texts.join(", ")
}

fn or<'a>(given: &'a str, default: &'a str) -> &'a str {
    if given.is_empty() { default } else { given }
}
