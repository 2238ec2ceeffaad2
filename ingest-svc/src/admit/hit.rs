use model::{Currency, EventName, Invalid, Lane, Refusal, Timestamp, limits};
use proto::wire::{HitRef, ItemRef, Malformed, MoneyRef, ParamRef, ParamValue};

use super::context::{self, check_id, check_text};
use super::{Fault, at_most};

/// A thousand million units: more is a mistake, and sums of many such stay far from the end of an i64.
const MAX_MICROS: u64 = 1_000_000_000_000_000;

/// What the time of a hit is held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Whose rules.
    pub(super) lane: Lane,
    /// When the batch was sent, by the client's clock; 0 is unknown.
    pub(super) sent_at: Timestamp,
    /// When it was received.
    pub(super) received_at: Timestamp,
}

/// Whether a hit is taken.
pub(super) fn check(
    encoded: &[u8],
    parsed: Result<HitRef<'_>, Malformed>,
    times: &Times,
) -> Result<(), Fault> {
    if encoded.len() > limits::HIT_BYTES {
        let bytes = encoded.len().to_string();
        let fault = Invalid::new("number of bytes in a hit", bytes, at_most(limits::HIT_BYTES));
        return Err(Fault::new(Refusal::TooLarge, fault));
    }
    let hit = parsed?;
    EventName::try_from(hit.name).map_err(|fault| Fault::new(Refusal::BadName, fault))?;
    check_text("url", hit.url)?;
    check_text("referrer", hit.referrer)?;
    check_text("title", hit.title)?;
    check_text("screen", hit.screen)?;
    check_id("transaction id", hit.transaction_id)?;
    context::check(&hit.context)?;
    if let Some(value) = &hit.value {
        check_money(value)?;
    }
    check_params(&hit)?;
    check_items(&hit)?;
    check_time(hit.time_ms, times)
}

fn check_money(value: &MoneyRef<'_>) -> Result<(), Fault> {
    if !value.currency.is_empty() {
        value.currency.parse::<Currency>().map_err(|fault| Fault::new(Refusal::BadMoney, fault))?;
    }
    if value.micros.unsigned_abs() > MAX_MICROS {
        let allowed = format!("at most {MAX_MICROS} either way");
        let fault = Invalid::new("value in micros", value.micros.to_string(), allowed);
        return Err(Fault::new(Refusal::BadMoney, fault));
    }
    Ok(())
}

fn check_params(hit: &HitRef<'_>) -> Result<(), Fault> {
    let bad = |fault: Invalid| Fault::new(Refusal::BadParam, fault);
    let mut count = 0;
    for param in hit.params() {
        check_param(&param?).map_err(bad)?;
        count += 1;
    }
    if count > limits::PARAMS {
        return Err(bad(Invalid::new("number of parameters", count.to_string(), at_most(limits::PARAMS))));
    }
    Ok(())
}

fn check_param(param: &ParamRef<'_>) -> Result<(), Invalid> {
    if param.name.is_empty() || param.name.len() > limits::PARAM_NAME_BYTES {
        let allowed = format!("1 to {} bytes", limits::PARAM_NAME_BYTES);
        return Err(Invalid::new("parameter name", param.name, allowed));
    }
    match param.value {
        ParamValue::Text(text) if text.len() > limits::PARAM_VALUE_BYTES => {
            let allowed = format!("{} bytes", at_most(limits::PARAM_VALUE_BYTES));
            Err(Invalid::new("text of a parameter", text, allowed))
        }
        ParamValue::Number(number) if !number.is_finite() => {
            Err(Invalid::new("number of a parameter", number.to_string(), "a finite number"))
        }
        ParamValue::None | ParamValue::Text(_) | ParamValue::Integer(_) | ParamValue::Number(_) => Ok(()),
    }
}

fn check_items(hit: &HitRef<'_>) -> Result<(), Fault> {
    let mut count = 0;
    for item in hit.items() {
        check_item(&item?)?;
        count += 1;
    }
    if count > limits::ITEMS {
        let fault = Invalid::new("number of items", count.to_string(), at_most(limits::ITEMS));
        return Err(Fault::new(Refusal::BadItem, fault));
    }
    Ok(())
}

fn check_item(item: &ItemRef<'_>) -> Result<(), Fault> {
    let bad = |fault: Invalid| Fault::new(Refusal::BadItem, fault);
    for text in [item.id, item.name, item.brand, item.category, item.variant] {
        if text.len() > limits::ITEM_TEXT_BYTES {
            let allowed = format!("{} bytes", at_most(limits::ITEM_TEXT_BYTES));
            return Err(bad(Invalid::new("text of an item", text, allowed)));
        }
    }
    if item.id.is_empty() && item.name.is_empty() {
        return Err(bad(Invalid::new("item", "", "one with an id or a name")));
    }
    for micros in [item.price_micros, item.discount_micros] {
        if micros < 0 || micros.unsigned_abs() > MAX_MICROS {
            let fault =
                Invalid::new("money of an item in micros", micros.to_string(), format!("0 to {MAX_MICROS}"));
            return Err(bad(fault));
        }
    }
    if item.quantity > limits::ITEM_QUANTITY {
        let quantity = item.quantity.to_string();
        return Err(bad(Invalid::new(
            "quantity of an item",
            quantity,
            format!("at most {}", limits::ITEM_QUANTITY),
        )));
    }
    Ok(())
}

fn check_time(time_ms: i64, times: &Times) -> Result<(), Fault> {
    // Without a time it happened when it was received.
    if time_ms == 0 {
        return Ok(());
    }
    let given = Timestamp(time_ms);
    let (time, oldest) = match times.lane {
        Lane::Live => (
            given.corrected(times.sent_at, times.received_at),
            times.received_at.plus_millis(-limits::MAX_AGE_MS),
        ),
        Lane::History => (given, Timestamp(0)),
    };
    let latest = times.received_at.plus_millis(limits::MAX_AHEAD_MS);
    if time < oldest {
        let allowed = match times.lane {
            Lane::Live => format!("from {oldest} on; older ones are imported with an admin key"),
            Lane::History => format!("from {oldest} on"),
        };
        return Err(Fault::new(Refusal::TooOld, Invalid::new("time", time.to_string(), allowed)));
    }
    if time > latest {
        let allowed = format!("until {latest}");
        return Err(Fault::new(Refusal::InFuture, Invalid::new("time", time.to_string(), allowed)));
    }
    Ok(())
}
