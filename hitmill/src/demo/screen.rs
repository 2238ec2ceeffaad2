//! The table: a picture of a [`View`] on a grid of characters, for a terminal or as plain text.

mod pen;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::widgets::{RenderDirection, Sparkline, Widget};

pub(crate) use self::pen::Theme;
use self::pen::{Line, Pen};
use super::guide::Guide;
use super::samples::Quantiles;
use super::text::{clock, euros, latency, thousands};
use super::view::{Sums, View};

/// Lines of the guide, where there is room for no more.
const GUIDE_LEAST: u16 = 5;
/// From this height on the bars and tables are taller.
const TALL: u16 = 36;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The table, and as much of the guide as there is room for.
    Table,
    /// The whole guide.
    Guide,
    /// The table alone, without keys to press: for what is not a terminal.
    Plain,
}

/// The picture.
pub(crate) struct Panel<'a> {
    /// What there is to see.
    pub(crate) view: &'a View,
    /// What to try next.
    pub(crate) guide: &'a Guide,
    /// Which page of it.
    pub(crate) page: Page,
    /// In which colours.
    pub(crate) theme: Theme,
}

impl Widget for Panel<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let mut pen = Pen { buffer, theme: self.theme };
        let [title, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
        self.title(title, &mut pen);
        match self.page {
            Page::Guide => {
                self.guide(Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body }, &mut pen)
            }
            Page::Table | Page::Plain => self.table(body, &mut pen),
        }
    }
}

impl Panel<'_> {
    fn title(&self, area: Rect, pen: &mut Pen<'_>) {
        let theme = self.theme;
        let keys = match self.page {
            Page::Table => "t: try it  q: stop  ",
            Page::Guide => "t: table  q: stop  ",
            Page::Plain => "",
        };
        let where_it_is = format!("merchant {} at {}", self.guide.merchant_id, self.guide.server);
        let keys = format!("{keys}{}", clock(self.view.running));
        let width = Constraint::Length(keys.len() as u16);
        let [left, right] = Layout::horizontal([Constraint::Fill(1), width]).spacing(1).areas(area);
        pen.line(left, &[(theme.head(), "hitmill demo"), (theme.plain(), &format!("  {where_it_is}"))]);
        pen.right(right, &keys, theme.faint());
    }

    fn table(&self, area: Rect, pen: &mut Pen<'_>) {
        let tall = area.height >= TALL;
        let guide = match self.page {
            Page::Plain => 0,
            _ if tall => self.guide.lines.len() as u16 + 1,
            _ => GUIDE_LEAST + 1,
        };
        let [_, tiles, _, bars, _, tables, _, figures, _, guide] = Layout::vertical([
            Constraint::Length(u16::from(tall)),
            Constraint::Length(3),
            Constraint::Length(1),
            Constraint::Length(if tall { 6 } else { 3 }),
            Constraint::Length(1),
            Constraint::Fill(1),
            Constraint::Length(1),
            Constraint::Length(2),
            Constraint::Length(u16::from(tall)),
            Constraint::Length(guide),
        ])
        .areas(area);
        self.tiles(tiles, pen);
        self.bars(bars, pen);
        self.tables(tables, pen);
        self.figures(figures, pen);
        if self.page != Page::Plain {
            self.guide(guide, pen);
        }
    }

    fn tiles(&self, area: Rect, pen: &mut Pen<'_>) {
        let Sums { page_views, purchases, revenue } = self.view.today;
        let hour = self.view.hour;
        let figures = &self.view.figures;
        let tiles = [
            ("visitors now", thousands(self.view.visitors_now), "in 5 minutes".to_owned()),
            ("page views today", thousands(page_views), format!("{} this hour", thousands(hour.page_views))),
            ("purchases today", thousands(purchases), format!("{} this hour", thousands(hour.purchases))),
            ("revenue today", euros(revenue), format!("{} this hour", euros(hour.revenue))),
            ("hits/s", format!("{:.0}", figures.hits_per_second), format!("{} shoppers", figures.shoppers)),
        ];
        let widths = [13, 17, 16, 18, 12].map(Constraint::Fill);
        for ((label, value, below), area) in
            tiles.iter().zip(Layout::horizontal(widths).spacing(1).areas::<5>(area).iter())
        {
            let [first, second, third] = Layout::vertical([Constraint::Length(1); 3]).areas(*area);
            pen.line(first, &[(self.theme.faint(), label)]);
            pen.line(second, &[(self.theme.value(), value)]);
            pen.line(third, &[(self.theme.faint(), below)]);
        }
    }

    fn bars(&self, area: Rect, pen: &mut Pen<'_>) {
        let [label, bars] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
        let minutes = &self.view.minutes;
        let shown = &minutes[minutes.len().saturating_sub(usize::from(bars.width))..];
        pen.line(label, &[(self.theme.head(), "page views per minute")]);
        if let [.., last, now] = shown {
            let said = format!("last minute {}, this one {}", thousands(*last), thousands(*now));
            pen.right(label, &said, self.theme.faint());
        }
        Sparkline::default()
            // The present minute at the right edge, however few there are.
            .direction(RenderDirection::RightToLeft)
            .data(shown.iter().rev().copied().collect::<Vec<u64>>())
            .style(self.theme.bar())
            .render(bars, pen.buffer);
    }

    fn tables(&self, area: Rect, pen: &mut Pen<'_>) {
        let [pages, _, sources] =
            Layout::horizontal([Constraint::Fill(5), Constraint::Length(4), Constraint::Fill(4)]).areas(area);
        ranking(pages, pen, "top pages today", &["views", "visitors"], &self.view.pages);
        ranking(sources, pen, "top sources today", &["sessions"], &self.view.sources);
    }

    fn figures(&self, area: Rect, pen: &mut Pen<'_>) {
        let [hits, times] = Layout::vertical([Constraint::Length(1); 2]).areas(area);
        let theme = self.theme;
        let totals = self.view.figures.totals;
        let counts = [
            ("fired ", totals.fired + totals.restored),
            ("   acknowledged ", totals.acked),
            ("   on their way ", totals.queued),
            ("   refused ", totals.refused),
        ];
        let counts = counts.map(|(label, count)| (label, thousands(count)));
        let counts: Vec<(Style, &str)> = counts
            .iter()
            .flat_map(|(label, count)| [(theme.faint(), *label), (theme.plain(), count.as_str())])
            .collect();
        pen.line(hits, &counts);
        if let Some(trouble) = &self.view.trouble {
            return pen.line(times, &[(theme.bad(), trouble)]);
        }
        let (ack, live) = (quantiles(self.view.figures.ack), quantiles(self.view.figures.live));
        let told: &Line<'_> = &[
            (theme.faint(), "ack latency "),
            (theme.plain(), &ack),
            (theme.faint(), "   end to end "),
            (theme.plain(), &live),
        ];
        pen.line(times, told);
    }

    fn guide(&self, area: Rect, pen: &mut Pen<'_>) {
        let room = usize::from(area.height.saturating_sub(1));
        let lines = &self.guide.lines;
        let head = if room < lines.len() {
            "try it in another terminal   (t shows all)"
        } else {
            "try it in another terminal"
        };
        let [first, rest] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
        pen.line(first, &[(self.theme.head(), head)]);
        for (line, row) in lines.iter().zip(rest.rows()) {
            pen.line(row, &[(self.theme.plain(), line)]);
        }
    }
}

/// A name and its numbers in each row, as many rows as there is room for.
fn ranking(area: Rect, pen: &mut Pen<'_>, name: &str, columns: &[&str], rows: &[(String, Vec<u64>)]) {
    const COLUMN: u16 = 10;
    let theme = pen.theme;
    let widths = columns.iter().map(|_| Constraint::Length(COLUMN));
    let layout = Layout::horizontal([Constraint::Fill(1)].into_iter().chain(widths));
    let mut put = |row: Rect, name: &str, cells: &[String], styles: (Style, Style)| {
        let areas = layout.split(row);
        for (index, area) in areas.iter().enumerate() {
            match index.checked_sub(1).and_then(|cell| cells.get(cell)) {
                Some(cell) => pen.right(*area, cell, styles.1),
                None => pen.line(*area, &[(styles.0, name)]),
            }
        }
    };
    let mut lines = area.rows();
    if let Some(line) = lines.next() {
        let columns: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
        put(line, name, &columns, (theme.head(), theme.faint()));
    }
    for ((name, counts), line) in rows.iter().zip(lines) {
        let counts: Vec<String> = counts.iter().map(|count| thousands(*count)).collect();
        put(line, name, &counts, (theme.plain(), theme.plain()));
    }
}

fn quantiles(quantiles: Option<Quantiles>) -> String {
    quantiles.map_or("-".to_owned(), |both| format!("p50 {}, p99 {}", latency(both.p50), latency(both.p99)))
}

#[cfg(test)]
mod tests;
