use model::{Invalid, Refusal, limits};
use proto::wire::ContextRef;

use super::{Fault, at_most};

/// Bytes of a language tag: the longest that are registered have some 30.
const LANGUAGE_BYTES: usize = 40;

/// Whether the texts of a context are what they may be.
pub(crate) fn check(context: &ContextRef<'_>) -> Result<(), Fault> {
    // Most hits and batches have none of their own.
    if *context == ContextRef::default() {
        return Ok(());
    }
    check_id("user id", context.user_id)?;
    check_id("visitor id", context.visitor_id)?;
    check_text("user agent", context.user_agent)?;
    check_len("language", context.language, LANGUAGE_BYTES)?;
    let country = context.country.as_bytes();
    let is_code = country.len() == 2 && country.iter().all(u8::is_ascii_alphabetic);
    if !country.is_empty() && !is_code {
        let fault = Invalid::new("country", context.country, "an ISO 3166 code of two letters");
        return Err(Fault::new(Refusal::BadText, fault));
    }
    Ok(())
}

/// Whether an id is not too long.
pub(super) fn check_id(what: &'static str, id: &str) -> Result<(), Fault> {
    check_len(what, id, limits::ID_BYTES)
}

/// Whether an address, a title or the like is not too long.
pub(super) fn check_text(what: &'static str, text: &str) -> Result<(), Fault> {
    check_len(what, text, limits::TEXT_BYTES)
}

fn check_len(what: &'static str, text: &str, limit: usize) -> Result<(), Fault> {
    if text.len() <= limit {
        return Ok(());
    }
    Err(Fault::new(Refusal::BadText, Invalid::new(what, text, format!("{} bytes", at_most(limit)))))
}
