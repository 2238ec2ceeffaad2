use clap::Args;
use serde::Serialize;

use crate::output::{self, Format};
use crate::settings::{Sources, meaning};

/// Show every setting of a server: its value, where that came from, and what it means.
///
/// A setting is looked for, and the last place that has it wins: the default; the file (--config, or ./hitmill.toml); the
/// environment; a flag.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill settings
  hitmill settings host                            only one section
  HITMILL_HOST__LOG=debug hitmill settings         what a variable would do

In the file:                  In the environment:
  [host]                        HITMILL_HOST__LISTEN=0.0.0.0:7700
  listen = \"0.0.0.0:7700\"       HITMILL_HOST__HTTP2__MAX_STREAMS=512
  [host.http2]
  max_streams = 512")]
pub(crate) struct Settings {
    /// Only the settings whose names start with this.
    #[arg(default_value = "")]
    section: String,
    #[command(flatten)]
    sources: Sources,
}

#[derive(Serialize)]
struct Row {
    name: String,
    value: serde_json::Value,
    from: String,
    meaning: &'static str,
}

impl Settings {
    pub(crate) fn run(self, format: Format) -> anyhow::Result<()> {
        let rows: Vec<Row> = self
            .sources
            .load()?
            .rows
            .into_iter()
            .filter(|row| row.name.starts_with(&self.section))
            .map(|row| Row {
                meaning: meaning(&row.name),
                name: row.name,
                value: row.value,
                from: row.source,
            })
            .collect();
        output::list(format, &["name", "value", "from", "meaning"], &rows)
    }
}
