//! What a command prints: rows, as a table for people or as JSON or CSV for scripts.

use std::io::{self, Write};

use clap::ValueEnum;
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;
use serde_json::Value;

use crate::visible::visible;

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs: numbers are numbers, times are RFC 3339.
    Json,
    /// For spreadsheets.
    Csv,
}

/// Prints a list: a table with these columns, or a JSON array of objects.
pub(crate) fn list<R: Serialize>(format: Format, columns: &[&str], rows: &[R]) -> anyhow::Result<()> {
    match format {
        Format::Json => json(&rows),
        Format::Table => table(columns, &cells(columns, rows)?),
        Format::Csv => csv(columns, &cells(columns, rows)?),
    }
}

/// Prints one thing: a line for each field, or one JSON object.
pub(crate) fn one<R: Serialize>(format: Format, fields: &[&str], row: &R) -> anyhow::Result<()> {
    match format {
        Format::Json => json(row),
        Format::Csv => csv(fields, &cells(fields, std::slice::from_ref(row))?),
        Format::Table => {
            let values = cells(fields, std::slice::from_ref(row))?.into_iter().flatten();
            let lines: Vec<Vec<String>> = fields.iter().zip(values).map(|(f, v)| vec![title(f), v]).collect();
            table(&[], &lines)
        }
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    Ok(writeln!(out)?)
}

fn csv(columns: &[&str], rows: &[Vec<String>]) -> anyhow::Result<()> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(columns)?;
    for row in rows {
        out.write_record(row)?;
    }
    Ok(io::stdout().lock().write_all(&out.into_inner()?)?)
}

fn table(columns: &[&str], rows: &[Vec<String>]) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if !columns.is_empty() {
        table.set_header(columns.iter().map(|column| title(column)));
    }
    table.add_rows(rows.iter().map(|row| row.iter().map(|value| visible(value).into_owned())));
    let mut out = io::stdout().lock();
    for line in table.lines() {
        // Cells are padded on both sides; nobody wants that at the borders.
        writeln!(out, "{}", line.trim_end().strip_prefix(' ').unwrap_or(&line))?;
    }
    Ok(())
}

fn title(field: &str) -> String {
    field.replace('_', " ")
}

fn cells<R: Serialize>(columns: &[&str], rows: &[R]) -> anyhow::Result<Vec<Vec<String>>> {
    rows.iter()
        .map(|row| {
            let row = serde_json::to_value(row)?;
            Ok(columns.iter().map(|column| cell(row.get(column))).collect())
        })
        .collect()
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
