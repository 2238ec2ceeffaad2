use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::{Invalid, ParamName};

/// What hits can be broken down by. docs/semantics.md says what the values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Path of the page, without query and fragment; or the screen's name.
    Page,
    /// The hit's name: `page_view`, `purchase`, ...
    HitName,
    /// Where the visit came from: utm_source, or the referrer's host, or `(direct)`.
    Source,
    /// How: utm_medium, or `referral`, or `(none)`.
    Medium,
    /// utm_campaign.
    Campaign,
    /// Host of the visit's referrer.
    ReferrerHost,
    /// ISO 3166 country code, when given.
    Country,
    /// desktop, mobile, appliance, bot or other.
    DeviceClass,
    /// Family of the browser.
    Browser,
    /// Family of the operating system.
    Os,
    /// Language tag as the client gives it.
    Language,
    /// The data stream that the hit came in by.
    DataStream,
    /// The channel that the visit came by: Organic Search, Paid Social, ...
    Channel,
    /// utm_term.
    Term,
    /// utm_content.
    Content,
    /// Which advertiser's click id the visit came with: gclid, msclkid, ...
    ClickId,
    /// The first page of the session.
    EntryPage,
    /// The last page of the session.
    ExitPage,
    /// new or returning.
    VisitorKind,
    /// The day of the visitor's first session.
    FirstVisit,
    /// Host of the page.
    Hostname,
    /// What was searched for on the site.
    SearchTerm,
    /// Address of a link to another site that was followed.
    Outbound,
    /// Name of a file that was downloaded.
    File,
    /// How far a page was scrolled, in per cent.
    ScrollDepth,
    /// A goal of the merchant that was reached.
    Goal,
    /// A funnel of the merchant.
    Funnel,
    /// A step of it that was reached.
    FunnelStep,
    /// Id of an item of a shop.
    ItemId,
    /// Its name.
    ItemName,
    /// Its brand.
    ItemBrand,
    /// Its category.
    ItemCategory,
    /// Its variant.
    ItemVariant,
    /// A parameter of the hit.
    Param(ParamName),
}

/// What a value of a dimension belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// A hit.
    Hit,
    /// A session: all of its hits have the same value.
    Visit,
    /// A session as a whole, of which nothing is known before it ends: its hits have none.
    Session,
    /// A goal that a hit reached: there may be several.
    Goal,
    /// An item of a hit: there may be several.
    Item,
}

impl Dimension {
    /// Those that every merchant has, in the order of their persisted numbers.
    pub const BUILT_IN: [Self; 33] = [
        Self::Page,
        Self::HitName,
        Self::Source,
        Self::Medium,
        Self::Campaign,
        Self::ReferrerHost,
        Self::Country,
        Self::DeviceClass,
        Self::Browser,
        Self::Os,
        Self::Language,
        Self::DataStream,
        Self::Channel,
        Self::Term,
        Self::Content,
        Self::ClickId,
        Self::EntryPage,
        Self::ExitPage,
        Self::VisitorKind,
        Self::FirstVisit,
        Self::Hostname,
        Self::SearchTerm,
        Self::Outbound,
        Self::File,
        Self::ScrollDepth,
        Self::Goal,
        Self::Funnel,
        Self::FunnelStep,
        Self::ItemId,
        Self::ItemName,
        Self::ItemBrand,
        Self::ItemCategory,
        Self::ItemVariant,
    ];

    /// The name in queries and reports.
    pub fn name(&self) -> Cow<'static, str> {
        let name = match self {
            Self::Page => "page",
            Self::HitName => "hit_name",
            Self::Source => "source",
            Self::Medium => "medium",
            Self::Campaign => "campaign",
            Self::ReferrerHost => "referrer_host",
            Self::Country => "country",
            Self::DeviceClass => "device_class",
            Self::Browser => "browser",
            Self::Os => "os",
            Self::Language => "language",
            Self::DataStream => "data_stream",
            Self::Channel => "channel",
            Self::Term => "term",
            Self::Content => "content",
            Self::ClickId => "click_id",
            Self::EntryPage => "entry_page",
            Self::ExitPage => "exit_page",
            Self::VisitorKind => "visitor_kind",
            Self::FirstVisit => "first_visit",
            Self::Hostname => "hostname",
            Self::SearchTerm => "search_term",
            Self::Outbound => "outbound",
            Self::File => "file",
            Self::ScrollDepth => "scroll_depth",
            Self::Goal => "goal",
            Self::Funnel => "funnel",
            Self::FunnelStep => "funnel_step",
            Self::ItemId => "item_id",
            Self::ItemName => "item_name",
            Self::ItemBrand => "item_brand",
            Self::ItemCategory => "item_category",
            Self::ItemVariant => "item_variant",
            Self::Param(name) => return format!("param:{name}").into(),
        };
        name.into()
    }

    /// What its values belong to.
    pub fn scope(&self) -> Scope {
        match self {
            Self::Source
            | Self::Medium
            | Self::Campaign
            | Self::ReferrerHost
            | Self::Channel
            | Self::Term
            | Self::Content
            | Self::ClickId
            | Self::EntryPage
            | Self::VisitorKind
            | Self::FirstVisit => Scope::Visit,
            Self::ExitPage | Self::Funnel | Self::FunnelStep => Scope::Session,
            Self::Goal => Scope::Goal,
            Self::ItemId | Self::ItemName | Self::ItemBrand | Self::ItemCategory | Self::ItemVariant => {
                Scope::Item
            }
            Self::Page
            | Self::HitName
            | Self::Country
            | Self::DeviceClass
            | Self::Browser
            | Self::Os
            | Self::Language
            | Self::DataStream
            | Self::Hostname
            | Self::SearchTerm
            | Self::Outbound
            | Self::File
            | Self::ScrollDepth
            | Self::Param(_) => Scope::Hit,
        }
    }

    /// Whether only some hits have a value, and the others are in no row of its cube. Of the other dimensions every hit has
    /// one, if only `(not set)`.
    pub fn is_optional(&self) -> bool {
        match self {
            Self::Term
            | Self::Content
            | Self::ClickId
            | Self::SearchTerm
            | Self::Outbound
            | Self::File
            | Self::ScrollDepth
            | Self::Hostname
            | Self::Param(_) => true,
            other => matches!(other.scope(), Scope::Goal | Scope::Item | Scope::Session),
        }
    }
}

impl FromStr for Dimension {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        if let Some(name) = s.strip_prefix("param:") {
            return name.parse().map(Self::Param);
        }
        Self::BUILT_IN.into_iter().find(|d| d.name() == s).ok_or_else(|| {
            let names: Vec<_> = Self::BUILT_IN.iter().map(Self::name).collect();
            Invalid::new(
                "dimension",
                s,
                format!("one of {}, or param: and a parameter's name", names.join(", ")),
            )
        })
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_what_it_names() {
        for dimension in Dimension::BUILT_IN {
            assert_eq!(dimension.name().parse(), Ok(dimension));
        }
        let colour: Dimension = "param:colour".parse().unwrap();
        assert_eq!((&*colour.name(), colour.scope()), ("param:colour", Scope::Hit));
    }

    #[test]
    fn what_is_no_dimension_is_named() {
        let refused = |name: &str| name.parse::<Dimension>().unwrap_err().to_string();
        assert!(
            refused("colour").starts_with("dimension \"colour\" is not allowed: one of page, hit_name, ")
        );
        assert!(refused("param:").starts_with("name of a parameter \"\" is not allowed: 1 to 40 bytes"));
    }
}
