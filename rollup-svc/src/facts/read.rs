use std::borrow::Cow;

use aggregate::{Counts, MoneySums};
use model::{Count, Dimension, EventName};
use proto::wire::{ContextRef, HitRef, ParamValue};
use rules::expr::Field;
use rules::{Compiled, Expr};

use super::acquisition::Acquisition;
use super::packed::Builder;
use super::{NOT_SET, address, commerce};
use crate::agent::Agents;

/// A hit, and what is known around it.
pub struct Reading<'a> {
    /// The hit.
    pub hit: &'a HitRef<'a>,
    /// Whose it is.
    pub context: &'a ContextRef<'a>,
    /// Number of the data stream it came by, as a text.
    pub data_stream: &'a str,
    /// Version of the configuration.
    pub version: u64,
    /// Its rules.
    pub rules: &'a Compiled,
}

/// Engagement beyond this is a mistake of somebody's clock.
const MAX_ENGAGEMENT_MS: i64 = 24 * 3_600_000;
/// Events that SDKs fire by themselves: nobody did anything.
const AUTOMATIC: [&str; 4] = ["session_start", "first_visit", "user_engagement", "scroll"];

/// Works out the facts of a hit and appends their packed form; or says by which reason the hit is filtered.
pub fn read(reading: &Reading<'_>, agents: &mut Agents, out: &mut Vec<u8>) -> Result<(), Cow<'static, str>> {
    let Reading { hit, context, data_stream, version, rules } = *reading;
    let page_view = is_page_view(hit.name);
    let params = Params::of(hit, rules);
    let acquired = Acquisition::of(hit.url, hit.referrer);
    let agent = agents.read(context.user_agent);
    let country = country(context.country);
    let host = address::host(hit.url);
    let hostname = host.as_deref().unwrap_or(NOT_SET);
    let outbound = params.outbound(hit, hostname);

    let mut counts = Counts::default();
    counts.add(Count::Hits, 1);
    counts.add(Count::PageViews, page_view.into());
    let interaction = !page_view && params.interactive && !AUTOMATIC.contains(&hit.name);
    counts.add(Count::Interactions, interaction.into());
    counts.add(Count::EngagementMs, params.engagement_ms);
    counts.add(Count::Searches, (hit.name == "view_search_results").into());
    counts.add(Count::OutboundClicks, (!outbound.is_empty()).into());
    counts.add(Count::Downloads, (hit.name == "file_download").into());
    counts.add(Count::Scrolls, (hit.name == "scroll").into());
    let mut money = MoneySums::default();
    let items = commerce::add(hit, &mut counts, &mut money);

    let own = [
        page(hit),
        hit.name,
        or_not_set(&country),
        agent.device_class,
        &agent.browser,
        &agent.os,
        or_not_set(context.language),
        data_stream,
        hostname,
        &params.search_term,
        outbound,
        &params.file,
        &params.scroll_depth,
    ];
    let value = hit.value.map(|value| (value.micros as f64 / 1e6).to_string());
    let field = |field: &Field| match field {
        Field::Value => value.as_deref(),
        Field::Dimension(Dimension::Param(name)) => params.get(name.as_str()),
        Field::Dimension(dimension) => super::HIT.iter().position(|d| d == dimension).map(|at| own[at]),
    };
    if let Some(reason) = crate::filter::reason(
        rules,
        &crate::filter::Seen { bot: agent.device_class == "bot", hostname: host.as_deref(), field: &field },
    ) {
        return Err(reason);
    }

    let holds = |expr: &Expr| expr.holds(&field);
    let reached = rules.rules.goals.iter().filter(|goal| holds(&goal.when));
    let goals: Vec<_> = reached.map(|goal| &*goal.name).collect();
    counts.add(Count::Conversions, goals.len() as i64);
    let steps = rules.rules.funnels.iter().enumerate().flat_map(|(funnel, defined)| {
        let taken = defined.steps.iter().enumerate().filter(|(_, step)| holds(&step.when));
        taken.map(move |(step, _)| (funnel as u8, step as u8))
    });
    let steps = steps.collect();
    let channel = crate::channel::of(rules, &acquired);
    let [source, medium, campaign, term, content, click_id, referrer_host] = acquired.values();
    let builder = Builder {
        rules: version,
        page_view,
        interaction,
        lead: !hit.url.is_empty() || !hit.referrer.is_empty(),
        hit: own,
        acquisition: [source, medium, campaign, term, content, click_id, referrer_host, &channel],
        params: &params.kept,
        counts,
        money,
        items,
        goals,
        steps,
    };
    builder.pack(out);
    Ok(())
}

/// Whether hits of this name are page views.
fn is_page_view(name: &str) -> bool {
    name == EventName::PAGE_VIEW.as_str() || name == EventName::SCREEN_VIEW.as_str()
}

fn page<'a>(hit: &HitRef<'a>) -> &'a str {
    match (hit.url, hit.screen) {
        ("", "") => NOT_SET,
        ("", screen) => screen,
        (url, _) => address::path(url),
    }
}

fn or_not_set(text: &str) -> &str {
    if text.is_empty() { NOT_SET } else { text }
}

fn country(code: &str) -> Cow<'_, str> {
    if code.bytes().any(|b| b.is_ascii_lowercase()) { code.to_ascii_uppercase().into() } else { code.into() }
}

/// What the parameters of a hit say.
struct Params {
    /// Those that some rule looks at.
    kept: Vec<(String, String)>,
    interactive: bool,
    engagement_ms: i64,
    search_term: String,
    link: String,
    file: String,
    scroll_depth: String,
}

impl Params {
    fn of(hit: &HitRef<'_>, rules: &Compiled) -> Self {
        let mut params = Self {
            kept: Vec::new(),
            interactive: true,
            engagement_ms: 0,
            search_term: String::new(),
            link: String::new(),
            file: String::new(),
            scroll_depth: String::new(),
        };
        // Of a parameter that comes twice the first counts.
        let (mut interactive, mut engagement) = (None, None);
        let set = |field: &mut String, value| {
            if field.is_empty() {
                *field = text(value);
            }
        };
        for param in hit.params().map_while(Result::ok) {
            match (param.name, hit.name) {
                ("interactive", _) => interactive = interactive.or(Some(param.value)),
                ("engagement_time_msec", _) => engagement = engagement.or(Some(param.value)),
                ("search_term", "view_search_results") => set(&mut params.search_term, param.value),
                ("link_url", "click") => set(&mut params.link, param.value),
                ("file_name", "file_download") => set(&mut params.file, param.value),
                ("percent_scrolled", "scroll") => set(&mut params.scroll_depth, param.value),
                _ => {}
            }
            let wanted = |name: &&model::ParamName| name.as_str() == param.name;
            if rules.params.iter().any(|name| wanted(&name)) && params.get(param.name).is_none() {
                params.kept.push((param.name.to_owned(), text(param.value)));
            }
        }
        params.interactive = !interactive.is_some_and(is_false);
        if let Some(ParamValue::Integer(ms)) = engagement {
            params.engagement_ms = ms.clamp(0, MAX_ENGAGEMENT_MS);
        }
        if hit.name == "scroll" && params.scroll_depth.is_empty() {
            params.scroll_depth.push_str("90");
        }
        params
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.kept.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The link of a click, if it leads to another site.
    fn outbound(&self, hit: &HitRef<'_>, hostname: &str) -> &str {
        let leads_away = hit.name == "click"
            && address::host(&self.link).is_some_and(|host| !address::same_site(&host, hostname));
        if leads_away { &self.link } else { "" }
    }
}

fn is_false(value: ParamValue<'_>) -> bool {
    matches!(value, ParamValue::Text("false") | ParamValue::Integer(0))
}

fn text(value: ParamValue<'_>) -> String {
    match value {
        ParamValue::Text(text) => text.to_owned(),
        ParamValue::Integer(number) => number.to_string(),
        ParamValue::Number(number) => number.to_string(),
        ParamValue::None => String::new(),
    }
}
