use std::sync::Arc;

use catalog::{DataStream, Item};
use model::{DataStreamId, Role};
use proto::v1;

use super::{Basis, Plan};
use crate::secret::Draw;
use crate::{Error, Result, validate};

/// A data stream with its write key.
pub fn create_data_stream(
    basis: &Basis<'_>,
    request: &v1::CreateDataStreamRequest,
) -> Result<Plan<v1::CreateDataStreamResponse>> {
    let merchant = basis.merchant(request.merchant_id)?.id;
    let (id, next_data_stream) = take_id(basis)?;
    let name = validate::name("name of a data stream", &request.name)?;
    let platform = validate::platform(request.platform)?;
    let data_stream = Arc::new(DataStream { id, merchant, name, platform });

    let mut draw = Draw::new(basis.seed);
    let (key, write_key) = basis.new_key(&mut draw, Role::Write, Some(merchant), Some(id));
    let summary = format!(
        "made data stream {id} {:?} of merchant {merchant} with write key {}",
        data_stream.name, key.id
    );
    let answer = v1::CreateDataStreamResponse { data_stream: Some((&*data_stream).into()), write_key };
    let items = vec![Item::DataStream(data_stream), Item::Key(key)];
    let mut plan = Plan::change(basis, answer, items, summary);
    plan.counters.next_data_stream = next_data_stream;
    Ok(plan)
}

/// The id for a new data stream, and the one after it.
pub(super) fn take_id(basis: &Basis<'_>) -> Result<(DataStreamId, DataStreamId)> {
    let id = basis.counters.next_data_stream;
    let next = id.0.checked_add(1).ok_or(Error::IdsUsedUp("data stream"))?;
    Ok((id, DataStreamId(next)))
}
