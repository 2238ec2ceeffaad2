//! Whether rules can be taken.

use std::collections::BTreeSet;

use model::{Dimension, Invalid, Metric, Parts, Scope};

use crate::expr::Field;
use crate::{Expr, Funnel, Named, Report, Rules, cube};

/// Minutes after which a session may be over at the most: GA4's 7 hours and 55 minutes.
const MAX_TIMEOUT_MINUTES: u16 = 475;
/// Seconds that can be asked of an engaged session at the most: GA4's.
const MAX_ENGAGED_SECONDS: u16 = 60;
const MAX_CONDITIONS: usize = 50;
const MAX_FUNNELS: usize = 20;
const MAX_STEPS: usize = 10;
const MAX_REPORTS: usize = 50;
const MAX_DISTRIBUTIONS: usize = 10;
const MAX_HOSTNAMES: usize = 100;
const NAME_BYTES: usize = 100;

/// Checks everything that can be wrong with rules; the error names the place.
pub fn check(rules: &Rules) -> Result<(), Invalid> {
    let timeout = rules.sessions.timeout_minutes;
    between("sessions.timeout_minutes", timeout.into(), 1, MAX_TIMEOUT_MINUTES.into())?;
    between(
        "sessions.engaged_seconds",
        rules.sessions.engaged_seconds.into(),
        1,
        MAX_ENGAGED_SECONDS.into(),
    )?;
    between("number of filters.hostnames", rules.filters.hostnames.len(), 0, MAX_HOSTNAMES)?;
    rules.filters.hostnames.iter().try_for_each(|host| hostname(host))?;
    conditions("filters.exclude", &rules.filters.exclude, of_a_hit)?;
    conditions("channels", &rules.channels, of_a_visit)?;
    conditions("goals", &rules.goals, of_a_hit)?;
    between("number of funnels", rules.funnels.len(), 0, MAX_FUNNELS)?;
    names("funnels", rules.funnels.iter().map(|funnel| &*funnel.name))?;
    rules.funnels.iter().try_for_each(funnel)?;
    between("number of reports", rules.reports.len(), 0, MAX_REPORTS)?;
    names("reports", rules.reports.iter().map(|report| &*report.name))?;
    rules.reports.iter().try_for_each(report)
}

fn between(what: &'static str, given: usize, least: usize, most: usize) -> Result<(), Invalid> {
    if (least..=most).contains(&given) {
        return Ok(());
    }
    Err(Invalid::new(what, given.to_string(), format!("{least} to {most}")))
}

fn hostname(host: &str) -> Result<(), Invalid> {
    let named = host.strip_prefix("*.").unwrap_or(host);
    let allowed =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':' | b'_');
    if !named.is_empty() && named.bytes().all(|b| allowed(b) || !b.is_ascii()) {
        return Ok(());
    }
    let allowed = "a host in lower case without port, as in shop.example, or *.shop.example for all below it";
    Err(Invalid::new("filters.hostnames", host, allowed))
}

fn names<'n>(what: &'static str, all: impl Iterator<Item = &'n str>) -> Result<(), Invalid> {
    let mut seen = BTreeSet::new();
    for name in all {
        if name.is_empty() || name.len() > NAME_BYTES {
            let allowed = format!("a name of 1 to {NAME_BYTES} bytes");
            return Err(Invalid::new(what, name, allowed));
        }
        if !seen.insert(name) {
            return Err(Invalid::new(what, name, "each name once"));
        }
    }
    Ok(())
}

fn conditions(
    what: &'static str,
    all: &[Named],
    allowed: fn(&'static str, &Expr) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    between(what, all.len(), 0, MAX_CONDITIONS)?;
    names(what, all.iter().map(|named| &*named.name))?;
    all.iter().try_for_each(|named| {
        if named.when.is_always() {
            return Err(Invalid::new(what, &named.name, "a condition in `when`"));
        }
        allowed(what, &named.when)
    })
}

fn of_a_hit(what: &'static str, expr: &Expr) -> Result<(), Invalid> {
    fields(what, expr, "a dimension of a hit, or value", |field| match field {
        Field::Value => true,
        Field::Dimension(dimension) => dimension.scope() == Scope::Hit,
    })
}

fn of_a_visit(what: &'static str, expr: &Expr) -> Result<(), Invalid> {
    const KNOWN: [Dimension; 7] = [
        Dimension::Source,
        Dimension::Medium,
        Dimension::Campaign,
        Dimension::Term,
        Dimension::Content,
        Dimension::ClickId,
        Dimension::ReferrerHost,
    ];
    let allowed = "one of source, medium, campaign, term, content, click_id, referrer_host";
    fields(what, expr, allowed, |field| matches!(field, Field::Dimension(d) if KNOWN.contains(d)))
}

fn fields(
    what: &'static str,
    expr: &Expr,
    allowed: &'static str,
    is_allowed: impl Fn(&Field) -> bool,
) -> Result<(), Invalid> {
    expr.check_size()?;
    let mut wrong = None;
    expr.fields(&mut |field| {
        if !is_allowed(&field) {
            wrong.get_or_insert(field);
        }
    });
    match wrong {
        Some(field) => Err(Invalid::new(what, field.to_string(), allowed)),
        None => Ok(()),
    }
}

fn funnel(funnel: &Funnel) -> Result<(), Invalid> {
    between("number of steps of a funnel", funnel.steps.len(), 2, MAX_STEPS)?;
    conditions("steps of a funnel", &funnel.steps, of_a_hit)
}

fn report(report: &Report) -> Result<(), Invalid> {
    between("number of dimensions of a report", report.by.len(), 1, 3)?;
    if report.by.iter().collect::<BTreeSet<_>>().len() < report.by.len() {
        return Err(Invalid::new("by of a report", list(&report.by), "each dimension once"));
    }
    let of_sessions = report.by.iter().find(|dimension| dimension.scope() == Scope::Session);
    if let Some(dimension) = of_sessions {
        let allowed =
            "dimensions of hits, visits, goals and items: those of whole sessions have their own reports";
        return Err(Invalid::new("by of a report", dimension.to_string(), allowed));
    }
    let can_keep = cube::can_keep(&report.by);
    for metric in &report.metrics {
        if let Metric::Percentile(..) = metric {
            return Err(Invalid::new(
                "metrics of a report",
                metric.to_string(),
                "its parameter in `distributions`",
            ));
        }
        if !can_keep.cover(&metric.needs()) {
            let allowed = format!("metrics that rows of {} can have", list(&report.by));
            return Err(Invalid::new("metrics of a report", metric.to_string(), allowed));
        }
    }
    between("number of distributions of a report", report.distributions.len(), 0, MAX_DISTRIBUTIONS)?;
    of_a_hit("filter of a report", &report.filter)
}

/// What is kept of a report.
pub(crate) fn keeps(report: &Report) -> Parts {
    if report.metrics.is_empty() {
        return cube::can_keep(&report.by);
    }
    report.metrics.iter().fold(Parts::NONE, |parts, metric| parts.and(metric.needs()))
}

fn list(dimensions: &[Dimension]) -> String {
    dimensions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
