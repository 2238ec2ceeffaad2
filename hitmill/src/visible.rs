//! Text of others, as people get to see it: a page's path or a shop's name must not move the cursor or colour a terminal.

use std::borrow::Cow;

/// Characters of a cell of a table.
const CELL: usize = 80;

/// The text with what acts on a terminal written out: control characters, line breaks and changes of direction.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if acts(c) { out.extend(c.escape_debug()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// The same, cut to what a cell of a table has room for.
pub(crate) fn cell(text: &str) -> String {
    let text = visible(text);
    match text.char_indices().nth(CELL) {
        None => text.into_owned(),
        Some(_) => text.chars().take(CELL - 1).chain(['…']).collect(),
    }
}

fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_written_out_and_long_cells_are_cut() {
        let plain = r#"/größe?q="a\b" 日本 👩‍👩‍👧"#;
        assert_eq!(visible(plain), plain);
        let acting = "\u{1b}[2J\n\r\t\u{7f}\u{9b}\u{200e}\u{202e}\u{2066}\u{2069}";
        assert_eq!(visible(acting), r"\u{1b}[2J\n\r\t\u{7f}\u{9b}\u{200e}\u{202e}\u{2066}\u{2069}");
        assert_eq!(cell(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(cell(&"é".repeat(81)), "é".repeat(79) + "…");
        assert_eq!(cell("a\nb"), r"a\nb");
    }
}
