//! Answers as tables for people.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use model::{Metric, Unit};
use proto::v1;
use proto::v1::method::Kind;
use proto::v1::number::Number;
use query_svc::ask::Granularity;
use query_svc::{Ask, render};

use crate::visible;

/// The lines of a table: start of the bucket (if there is more than one), dimensions, numbers.
pub(super) fn lines(answer: &v1::QueryResponse, ask: &Ask) -> Vec<String> {
    let with_start = ask.granularity != Granularity::Total;
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    let start = with_start.then(|| Cell::new("start"));
    let dimensions = answer.by.iter().map(|name| Cell::new(visible::cell(&name.replace('_', " "))));
    let metrics = ask.metrics.iter().map(|metric| right(metric.name().replace('_', " ")));
    table.set_header(start.into_iter().chain(dimensions).chain(metrics));
    for row in &answer.rows {
        let start = with_start.then(|| Cell::new(start_of(row, ask)));
        let dimensions = row.dimensions.iter().map(|value| Cell::new(visible::cell(value)));
        let numbers =
            row.numbers.iter().zip(&ask.metrics).map(|(number, metric)| right(shown(*metric, number)));
        table.add_row(start.into_iter().chain(dimensions).chain(numbers));
    }
    // Cells are padded on both sides; nobody wants that at the borders.
    let trimmed = |line: String| line.trim_end().strip_prefix(' ').unwrap_or(&line).to_owned();
    table.lines().map(trimmed).collect()
}

/// The same in at most so many lines: the first rows, and a last line on how many more there are.
pub(super) fn first_lines(mut answer: v1::QueryResponse, ask: &Ask, room: usize) -> Vec<String> {
    let rows = answer.rows.len();
    // No row takes less than a line, so this is never too few; the table need not be laid out with rows nobody sees.
    answer.rows.truncate(room);
    let mut shown = lines(&answer, ask);
    if rows == answer.rows.len() && shown.len() <= room {
        return shown;
    }
    // Rows that are wide for the terminal take several lines each.
    while shown.len() >= room && answer.rows.pop().is_some() {
        shown = lines(&answer, ask);
    }
    shown.push(format!("… {} more rows: use --limit", rows - answer.rows.len()));
    shown
}

/// One line on how final the numbers are.
pub(super) fn note(answer: &v1::QueryResponse, ask: &Ask) -> String {
    let complete_until =
        render::instant(answer.finality.as_ref().and_then(|finality| finality.complete_until.as_ref()));
    let mut note = if complete_until.0 == 0 {
        "nothing is known to be complete yet".to_owned()
    } else {
        format!("complete until {}", ask.zone.rfc_3339(complete_until))
    };
    for method in answer.methods.iter().filter(|method| method.kind() == Kind::Sketch) {
        let percent = method.relative_error * 100.0;
        note += &format!("; {} are estimates, give or take {percent:.1} %", method.metric.replace('_', " "));
    }
    if complete_until.0 > 0 && answer.rows.iter().flat_map(|row| &row.numbers).all(is_nothing) {
        // After an import of old hits people ask for the last days.
        note += "; nothing of that in this time: a hit counts when it happened, not when it was sent (--from, --to)";
    }
    note
}

fn is_nothing(number: &v1::Number) -> bool {
    match &number.number {
        Some(Number::Count(count)) => *count == 0,
        Some(Number::Money(sums)) => sums.sums.is_empty(),
        Some(Number::Ratio(ratio)) => *ratio == 0.0,
        None => true,
    }
}

fn right(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// As much of the start as the width of the bucket needs.
fn start_of(row: &v1::Row, ask: &Ask) -> String {
    let text = ask.zone.rfc_3339(render::instant(row.start.as_ref()));
    let date = text.get(..10).unwrap_or_default();
    match ask.granularity {
        Granularity::Minute | Granularity::Hour => {
            format!("{date} {}", text.get(11..16).unwrap_or_default())
        }
        Granularity::Month => date.get(..7).unwrap_or_default().to_owned(),
        Granularity::Year => date.get(..4).unwrap_or_default().to_owned(),
        Granularity::Total | Granularity::Day | Granularity::Week => date.to_owned(),
    }
}

fn shown(metric: Metric, number: &v1::Number) -> String {
    match &number.number {
        Some(Number::Count(n)) => n.to_string(),
        Some(Number::Money(money)) => {
            let sums = money.sums.iter().map(|sum| format!("{} {}", render::amount(sum), sum.currency));
            sums.collect::<Vec<_>>().join(", ")
        }
        // Where there is nothing to divide by there is nothing to show.
        None => "–".to_owned(),
        Some(Number::Ratio(ratio)) => match metric {
            Metric::Ratio(of) if of.is_rate() => format!("{:.1} %", ratio * 100.0),
            metric if metric.unit() == Unit::Seconds => format!("{ratio:.1} s"),
            _ => format!("{ratio:.2}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use model::Currency;

    use super::*;

    fn ask(granularity: v1::Granularity, by: &[&str]) -> Ask {
        let request = v1::QueryRequest {
            merchant_id: 7,
            metrics: vec!["page_views".to_owned(), "revenue".to_owned()],
            by: by.iter().map(|name| (*name).to_owned()).collect(),
            granularity: granularity.into(),
            ..Default::default()
        };
        Ask::read(&request, "Europe/Berlin", Currency::NONE).unwrap()
    }

    fn answer(by: &[&str]) -> v1::QueryResponse {
        let row = |hour: i64, value: &str, views, sums: &[(&str, i64)]| v1::Row {
            start: Some(prost_types::Timestamp { seconds: 1_431_864_000 + hour * 3_600, nanos: 0 }),
            dimensions: by.iter().map(|_| value.to_owned()).collect(),
            numbers: vec![
                v1::Number { number: Some(Number::Count(views)) },
                v1::Number {
                    number: Some(Number::Money(v1::MoneySums {
                        sums: sums
                            .iter()
                            .map(|(currency, micros)| v1::Money {
                                currency: (*currency).to_owned(),
                                micros: *micros,
                            })
                            .collect(),
                    })),
                },
            ],
        };
        v1::QueryResponse {
            rows: vec![
                row(0, "/", 1_200, &[("EUR", 12_340_000), ("USD", 500_000)]),
                row(1, "/a long path", 7, &[]),
            ],
            finality: Some(v1::Finality {
                complete_until: Some(prost_types::Timestamp { seconds: 1_431_864_001, nanos: 0 }),
                ..Default::default()
            }),
            methods: vec![v1::Method {
                metric: "visitors".to_owned(),
                kind: Kind::Sketch.into(),
                relative_error: 0.01625,
            }],
            by: by.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn check(granularity: v1::Granularity, by: &[&str], expected: Expect) {
        expected.assert_eq(&lines(&answer(by), &ask(granularity, by)).join("\n"));
    }

    #[test]
    fn tables_are_read_from_left_to_right() {
        check(
            v1::Granularity::Hour,
            &[],
            expect![[r#"
            start             page views              revenue
            2015-05-17 14:00        1200  12.34 EUR, 0.50 USD
            2015-05-17 15:00           7"#]],
        );
        check(
            v1::Granularity::Total,
            &["page"],
            expect![[r#"
            page          page views              revenue
            /                   1200  12.34 EUR, 0.50 USD
            /a long path           7"#]],
        );
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let ask = ask(v1::Granularity::Total, &["page"]);
        let cut = |room| {
            let lines = first_lines(answer(&["page"]), &ask, room);
            (lines.len(), lines.last().unwrap().clone())
        };
        assert_eq!(first_lines(answer(&["page"]), &ask, 3), lines(&answer(&["page"]), &ask));
        assert_eq!(cut(2), (2, "… 2 more rows: use --limit".to_owned()));
        let mut three = answer(&["page"]);
        three.rows.push(three.rows[0].clone());
        let shown = first_lines(three, &ask, 3);
        assert_eq!((shown.len(), shown[2].as_str()), (3, "… 2 more rows: use --limit"));
    }

    #[test]
    fn the_note_says_how_final_and_how_exact_it_is() {
        let ask = ask(v1::Granularity::Total, &[]);
        expect!["complete until 2015-05-17T14:00:01+02:00; visitors are estimates, give or take 1.6 %"]
            .assert_eq(&note(&answer(&[]), &ask));
        let mut none = answer(&[]);
        none.rows.truncate(1);
        none.rows[0].numbers.truncate(1);
        none.rows[0].numbers[0].number = Some(Number::Count(0));
        none.methods.clear();
        expect!["complete until 2015-05-17T14:00:01+02:00; nothing of that in this time: a hit counts when it happened, not when it was sent (--from, --to)"]
            .assert_eq(&note(&none, &ask));
        expect!["nothing is known to be complete yet"].assert_eq(&note(&v1::QueryResponse::default(), &ask));
    }
}
