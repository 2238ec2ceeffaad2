use model::limits::BATCH_BYTES;
use prost::Message as _;
use proto::v1;
use proto::v1::param::Value;
use proto::wire::{
    BatchRef, ContextRef, HitRef, ItemRef, Malformed, ParamValue, RawClientFrame, RawSendRequest,
};

/// An encoded `Batch`, as the borrowed walk reads it and as prost does: the walk refuses what prost refuses, and what
/// both take is the same.
pub fn wire(data: &[u8]) {
    let _ = RawClientFrame(data.to_vec().into()).open();
    let _ = RawSendRequest(data.to_vec().into()).open();
    let mut scratch = Vec::new();
    let walked = walk(data, &mut scratch);
    assert!(scratch.len() <= BATCH_BYTES, "{} bytes were unpacked", scratch.len());
    let Ok((mut batch, hits)) = walked else { return };
    let decoded = v1::Batch::decode(data);
    assert!(decoded.is_ok(), "prost refuses what the walk takes: {decoded:?}");
    let Ok(mut expected) = decoded else { return };
    if !expected.packed.is_empty() {
        let unpacked = v1::Hits::decode(&*scratch);
        assert!(unpacked.is_ok(), "prost refuses the packed hits that the walk takes: {unpacked:?}");
        expected.hits = unpacked.unwrap_or_default().hits;
    }
    batch.hits = hits;
    // The walk does not tell a context that was not set from an empty one.
    expected.context.get_or_insert_default();
    expected.hits.iter_mut().for_each(|hit| {
        hit.context.get_or_insert_default();
    });
    (expected.codec, expected.packed) = Default::default();
    // As bytes: a number that is not one equals itself there.
    assert!(batch.encode_to_vec() == expected.encode_to_vec(), "walked {batch:?}, decoded {expected:?}");
}

fn walk(data: &[u8], scratch: &mut Vec<u8>) -> Result<(v1::Batch, Vec<v1::Hit>), Malformed> {
    let batch = BatchRef::parse(data)?;
    let hits = batch.hits(scratch)?.map(|bytes| hit(&HitRef::parse(bytes?)?)).collect::<Result<_, _>>()?;
    let head = v1::Batch {
        client_id: batch.client_id.to_owned(),
        epoch: batch.epoch,
        first_seq: batch.first_seq,
        sent_at_ms: batch.sent_at_ms,
        context: Some(context(&batch.context)),
        ..Default::default()
    };
    Ok((head, hits))
}

fn hit(hit: &HitRef<'_>) -> Result<v1::Hit, Malformed> {
    let params = hit.params().map(|param| {
        let param = param?;
        let value = match param.value {
            ParamValue::None => None,
            ParamValue::Text(text) => Some(Value::Text(text.to_owned())),
            ParamValue::Integer(n) => Some(Value::Integer(n)),
            ParamValue::Number(n) => Some(Value::Number(n)),
        };
        Ok(v1::Param { name: param.name.to_owned(), value })
    });
    Ok(v1::Hit {
        name: hit.name.to_owned(),
        time_ms: hit.time_ms,
        url: hit.url.to_owned(),
        referrer: hit.referrer.to_owned(),
        title: hit.title.to_owned(),
        screen: hit.screen.to_owned(),
        value: hit.value.map(|money| v1::Money { currency: money.currency.to_owned(), micros: money.micros }),
        transaction_id: hit.transaction_id.to_owned(),
        params: params.collect::<Result<_, _>>()?,
        context: Some(context(&hit.context)),
        skipped: hit.skipped,
        items: hit.items().map(|item| item.map(|item| shop_item(&item))).collect::<Result<_, _>>()?,
    })
}

fn shop_item(item: &ItemRef<'_>) -> v1::HitItem {
    v1::HitItem {
        id: item.id.to_owned(),
        name: item.name.to_owned(),
        brand: item.brand.to_owned(),
        category: item.category.to_owned(),
        variant: item.variant.to_owned(),
        price_micros: item.price_micros,
        quantity: item.quantity,
        discount_micros: item.discount_micros,
    }
}

fn context(context: &ContextRef<'_>) -> v1::Context {
    v1::Context {
        user_id: context.user_id.to_owned(),
        visitor_id: context.visitor_id.to_owned(),
        user_agent: context.user_agent.to_owned(),
        language: context.language.to_owned(),
        country: context.country.to_owned(),
    }
}
