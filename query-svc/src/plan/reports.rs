//! Which report answers a question: the one with the fewest dimensions that has all that are asked for, and keeps what the
//! metrics are made of.
//!
//! Not every sum over rows is a number. A hit that reaches two goals is in the rows of both, and one with two items in those
//! of both: over such rows only what belongs to the goal, or the item, adds up.

use model::{Dimension, Invalid, Metric, Parts, Scope};
use rules::{Cube, cube};

use crate::Ask;

/// The report that answers a question.
pub(super) fn find<'c>(ask: &Ask, all: &'c [Cube]) -> Result<&'c Cube, Invalid> {
    let dimensions = ask.dimensions();
    let of_items = dimensions.iter().any(|dimension| dimension.scope() == Scope::Item);
    let possible = if of_items { of_items_alone() } else { cube::can_keep(&dimensions) };
    if let Some(metric) = ask.metrics.iter().find(|metric| !possible.cover(&metric.needs())) {
        let allowed = format!("those that can be told of {}: {}", list(&dimensions), names(&possible));
        return Err(Invalid::new("metric", metric.to_string(), allowed));
    }
    let fits = all.iter().filter(|cube| has_all(cube, &dimensions) && adds_up(ask, cube, of_items));
    let fits = fits.filter(|cube| keeps_all(ask, cube)).min_by_key(|cube| cube.dimensions.len());
    fits.ok_or_else(|| {
        let metrics = ask.metrics.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let given = format!("{metrics} by {}", list(&dimensions));
        let allowed = format!("what a report has; there are reports by {}", reports(all));
        Invalid::new("question", given, allowed)
    })
}

/// Fails if a report does not keep what is asked for.
pub(super) fn check_metrics(ask: &Ask, report: &Cube) -> Result<(), Invalid> {
    let missing = ask.metrics.iter().find(|metric| !keeps(report, metric));
    missing.map_or(Ok(()), |metric| {
        let allowed = format!("one that is kept of this range: {}", names(&report.keeps));
        Err(Invalid::new("metric", metric.to_string(), allowed))
    })
}

fn keeps(cube: &Cube, metric: &Metric) -> bool {
    match metric {
        Metric::Percentile(_, param) => cube.params.contains(param),
        metric => cube.keeps.cover(&metric.needs()),
    }
}

fn keeps_all(ask: &Ask, cube: &Cube) -> bool {
    ask.metrics.iter().all(|metric| keeps(cube, metric))
}

fn has_all(cube: &Cube, dimensions: &[Dimension]) -> bool {
    cube.filter.is_always() && dimensions.iter().all(|dimension| cube.dimensions.contains(dimension))
}

/// Whether its rows can be summed for this question.
fn adds_up(ask: &Ask, cube: &Cube, of_items: bool) -> bool {
    let is_told = |dimension: &Dimension| ask.by.contains(dimension) || ask.pins(dimension);
    cube.dimensions.iter().all(|dimension| match dimension {
        Dimension::Goal | Dimension::Funnel | Dimension::FunnelStep => is_told(dimension),
        dimension if dimension.scope() == Scope::Item => of_items,
        _ => true,
    })
}

/// What of a report of items adds up over rows: what belongs to the items, and who came to them.
fn of_items_alone() -> Parts {
    cube::built_in()[0].keeps.only_items().and(Parts::VISITORS)
}

fn names(parts: &Parts) -> String {
    let all = Metric::all().filter(|metric| parts.cover(&metric.needs()));
    all.map(|metric| metric.to_string()).collect::<Vec<_>>().join(", ")
}

fn reports(all: &[Cube]) -> String {
    let told = all.iter().filter(|cube| !cube.dimensions.is_empty() && cube.filter.is_always());
    told.map(|cube| list(&cube.dimensions)).collect::<Vec<_>>().join("; ")
}

fn list(dimensions: &[Dimension]) -> String {
    dimensions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use model::Currency;
    use proto::v1;

    use super::*;

    fn ask(metrics: &str, by: &str, filters: &[(&str, &str)], condition: &str) -> Ask {
        let list = |text: &str| text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let filter = |(dimension, value): &(&str, &str)| v1::Filter {
            dimension: (*dimension).to_owned(),
            operator: 1,
            values: vec![(*value).to_owned()],
        };
        let request = v1::QueryRequest {
            merchant_id: 7,
            metrics: list(metrics),
            by: list(by),
            filters: filters.iter().map(filter).collect(),
            r#where: condition.to_owned(),
            ..v1::QueryRequest::default()
        };
        Ask::read(&request, "UTC", Currency::NONE).unwrap()
    }

    fn found(metrics: &str, by: &str, filters: &[(&str, &str)], condition: &str) -> String {
        match find(&ask(metrics, by, filters, condition), cube::built_in()) {
            Ok(cube) => list(&cube.dimensions),
            Err(error) => error.to_string().split(" is not allowed").next().unwrap_or_default().to_owned(),
        }
    }

    #[test]
    fn the_narrowest_report_that_has_all_answers() {
        assert_eq!(found("hits,visitors", "page", &[], ""), "page");
        assert_eq!(found("sessions,bounce_rate", "source", &[], ""), "source, medium, campaign");
        assert_eq!(found("revenue", "source", &[("campaign", "x")], ""), "source, medium, campaign");
        assert_eq!(
            found("hits", "browser", &[], "os=Linux or device_class=mobile"),
            "device_class, browser, os"
        );
        assert_eq!(found("sessions", "exit_page", &[], ""), "exit_page");
        assert_eq!(found("hits", "page,source", &[], ""), "question \"hits by page, source\"");
        assert_eq!(found("p75:load_ms", "page", &[], ""), "question \"p75:load_ms by page\"");
    }

    #[test]
    fn what_cannot_be_told_of_dimensions_at_all_is_said_so() {
        assert_eq!(found("visitors", "exit_page", &[], ""), "metric \"visitors\"");
        assert_eq!(found("sessions", "item_id", &[], ""), "metric \"sessions\"");
        assert_eq!(
            found("item_revenue", "page", &[], ""),
            "page",
            "what items of the hits of a page cost adds up"
        );
    }

    #[test]
    fn hits_are_not_summed_over_goals_or_items_that_they_share() {
        // Each hit is in the row of each of its goals: without one of them it would be counted as often.
        assert_eq!(found("hits,visitors", "goal", &[], ""), "goal");
        assert!(found("hits", "source,goal", &[], "").starts_with("goal, channel, source"));
        assert!(found("hits", "source", &[("goal", "thanks")], "").starts_with("goal, channel, source"));
        assert_eq!(
            found("hits", "source", &[], "goal=thanks or goal=big"),
            "question \"hits by source, goal\""
        );
        // A purchase of two items of a brand is two rows: what was bought adds up, purchases do not.
        assert!(found("items_purchased,item_revenue,visitors", "item_brand", &[], "").starts_with("item_id"));
        assert_eq!(found("purchases", "item_brand", &[], ""), "metric \"purchases\"");
        assert_eq!(found("sessions", "funnel_step", &[], ""), "question \"sessions by funnel_step\"");
        assert!(
            found("sessions", "funnel_step", &[("funnel", "checkout")], "")
                .starts_with("funnel, funnel_step")
        );
    }
}
