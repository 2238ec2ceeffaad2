//! The table as plain text, for what is not a terminal.

use std::io::{self, Write};
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::guide::Guide;
use super::screen::{Page, Panel, Theme};
use super::view::View;

/// Between two tables.
const EVERY: Duration = Duration::from_secs(2);
const SIZE: (u16, u16) = (80, 18);

/// Prints the guide, and then a table now and then, until `end`.
pub(super) async fn show(
    view: impl Fn() -> View,
    guide: &Guide,
    end: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "hitmill demo: merchant {} at {}", guide.merchant_id, guide.server)?;
    guide.lines.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.tick().await;
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return Ok(()),
            _ = ticks.tick() => {
                let mut buffer = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
                let theme = Theme { colors: false };
                Panel { view: &view(), guide, page: Page::Plain, theme }.render(buffer.area, &mut buffer);
                write!(out, "\n{}", text(&buffer))?;
                out.flush()?;
            }
        }
    }
}

/// The characters of a grid, line by line, without the blanks at their ends.
pub(super) fn text(buffer: &Buffer) -> String {
    let rows = buffer.content().chunks(usize::from(buffer.area.width).max(1));
    rows.map(|row| {
        let line: String = row.iter().map(|cell| cell.symbol()).collect();
        format!("{}\n", line.trim_end())
    })
    .collect()
}
