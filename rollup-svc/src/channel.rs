//! Which channel a visit came by: the merchant's own first, then GA4's.

use std::borrow::Cow;

use model::Dimension;
use rules::expr::Field;
use rules::{Compiled, channel};

use crate::facts::Acquisition;

/// The channel of an acquisition.
pub fn of<'r>(rules: &'r Compiled, acquired: &Acquisition<'_>) -> Cow<'r, str> {
    let field = |field: &Field| match field {
        Field::Dimension(Dimension::Source) => Some(&*acquired.source),
        Field::Dimension(Dimension::Medium) => Some(&*acquired.medium),
        Field::Dimension(Dimension::Campaign) => Some(&*acquired.campaign),
        Field::Dimension(Dimension::Term) => Some(&*acquired.term),
        Field::Dimension(Dimension::Content) => Some(&*acquired.content),
        Field::Dimension(Dimension::ClickId) => Some(acquired.click_id),
        Field::Dimension(Dimension::ReferrerHost) => Some(&*acquired.referrer_host),
        Field::Dimension(_) | Field::Value => None,
    };
    if let Some(own) = rules.rules.channels.iter().find(|channel| channel.when.holds(&field)) {
        return own.name.as_str().into();
    }
    let Acquisition { source, medium, campaign, click_id, .. } = acquired;
    channel::of(&channel::Acquired { source, medium, campaign, click_id }).into()
}
