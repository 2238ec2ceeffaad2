use std::borrow::Cow;

use super::entry::{Field, Unreadable};

/// Takes one field after the other off a line.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    pub(super) fn new(line: &'a [u8]) -> Self {
        Self { rest: line.trim_ascii_end() }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything before ` [`, or all of the line if there is none.
    pub(super) fn before_bracket(&mut self) -> &'a [u8] {
        let end = self.rest.windows(2).position(|pair| pair == b" [").unwrap_or(self.rest.len());
        self.take(end)
    }

    /// The inside of `[...]`.
    pub(super) fn bracketed(&mut self, field: Field) -> Result<&'a [u8], Unreadable> {
        let inside = self.opened(field, b'[')?;
        let end = inside.iter().position(|byte| *byte == b']').ok_or(Unreadable::Cut(field))?;
        self.take(end + 2);
        Ok(&inside[..end])
    }

    /// The inside of `"..."`, without its escapes.
    pub(super) fn quoted(&mut self, field: Field) -> Result<Cow<'a, str>, Unreadable> {
        let inside = self.opened(field, b'"')?;
        let end = closing_quote(inside).ok_or(Unreadable::Cut(field))?;
        if !matches!(inside.get(end + 1), None | Some(b' ')) {
            return Err(field.bad(self.rest));
        }
        self.take(end + 2);
        Ok(text(&inside[..end]))
    }

    /// What goes up to the next space.
    pub(super) fn word(&mut self, field: Field) -> Result<&'a [u8], Unreadable> {
        if self.rest.is_empty() {
            return Err(Unreadable::Missing(field));
        }
        let end = self.rest.iter().position(|byte| *byte == b' ').unwrap_or(self.rest.len());
        Ok(self.take(end))
    }

    fn opened(&self, field: Field, bracket: u8) -> Result<&'a [u8], Unreadable> {
        match self.rest.split_first() {
            None => Err(Unreadable::Missing(field)),
            Some((first, inside)) if *first == bracket => Ok(inside),
            Some(_) => Err(field.bad(self.rest)),
        }
    }

    /// Takes this many bytes, and the space behind them.
    fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest.strip_prefix(b" ").unwrap_or(rest);
        taken
    }
}

fn closing_quote(inside: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match inside.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn text(escaped: &[u8]) -> Cow<'_, str> {
    if !escaped.contains(&b'\\') {
        return String::from_utf8_lossy(escaped);
    }
    let (mut out, mut rest) = (Vec::with_capacity(escaped.len()), escaped);
    while let Some((byte, after)) = unescaped(rest) {
        out.push(byte);
        rest = after;
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// The first byte that is meant, and what comes after it. A backslash that escapes nothing stands for itself.
fn unescaped(text: &[u8]) -> Option<(u8, &[u8])> {
    Some(match text {
        [b'\\', b'x', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            (hex(*high) << 4 | hex(*low), rest)
        }
        [b'\\', b'n', rest @ ..] => (b'\n', rest),
        [b'\\', b'r', rest @ ..] => (b'\r', rest),
        [b'\\', b't', rest @ ..] => (b'\t', rest),
        [b'\\', b'b', rest @ ..] => (0x08, rest),
        [b'\\', b'v', rest @ ..] => (0x0b, rest),
        [b'\\', b'f', rest @ ..] => (0x0c, rest),
        [b'\\', quoted @ (b'"' | b'\\'), rest @ ..] => (*quoted, rest),
        [byte, rest @ ..] => (*byte, rest),
        [] => return None,
    })
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}
