use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

use crate::visible::visible;

/// Pieces of text, each in its style.
pub(super) type Line<'a> = [(Style, &'a str)];

/// Writes into areas, and never beyond them.
pub(super) struct Pen<'a> {
    pub(super) buffer: &'a mut Buffer,
    pub(super) theme: Theme,
}

impl Pen<'_> {
    /// Writes from the left; what does not fit is cut off.
    pub(super) fn line(&mut self, area: Rect, pieces: &Line<'_>) {
        let area = area.intersection(self.buffer.area);
        if area.is_empty() {
            return;
        }
        let mut x = area.x;
        for (style, text) in pieces {
            let left = usize::from(area.right().saturating_sub(x));
            (x, _) = self.buffer.set_stringn(x, area.y, visible(text), left, *style);
        }
    }

    /// Writes to the right edge, if it fits.
    pub(super) fn right(&mut self, area: Rect, text: &str, style: Style) {
        let width = u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
        if let Some(before) = area.width.checked_sub(width) {
            self.line(Rect { x: area.x + before, width, ..area }, &[(style, text)]);
        }
    }
}

/// The colours; or none, where people do not want them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Theme {
    /// Whether there are any.
    pub(crate) colors: bool,
}

impl Theme {
    pub(super) fn plain(self) -> Style {
        Style::new()
    }

    pub(super) fn head(self) -> Style {
        self.tinted(Color::Cyan).bold()
    }

    pub(super) fn value(self) -> Style {
        self.tinted(Color::Green).bold()
    }

    pub(super) fn bar(self) -> Style {
        self.tinted(Color::Green)
    }

    pub(super) fn bad(self) -> Style {
        self.tinted(Color::Red).bold()
    }

    /// Less than the rest, in whatever colours the terminal has.
    pub(super) fn faint(self) -> Style {
        Style::new().dim()
    }

    fn tinted(self, color: Color) -> Style {
        if self.colors { Style::new().fg(color) } else { Style::new() }
    }
}
