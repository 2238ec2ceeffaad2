//! The text form of conditions:
//!
//! ```text
//! expression   conjunction ("or" conjunction)…
//! conjunction  term ("and" term)…
//! term         "not" term | "(" expression ")" | test
//! test         field sign value ("|" value)…         holds if it does for one of the values
//! sign         = != ~ !~ ^= !^= $= !$= ~~ !~~ >= <=
//! value        up to a space, a bracket or a bar; or between double quotes, where \" and \\ are those signs
//! ```

use std::fmt;
use std::str::FromStr;

use model::Invalid;

use super::{Compare, Expr, Test};

impl FromStr for Expr {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.trim().is_empty() {
            return Ok(Self::ALWAYS);
        }
        let mut reader = Reader { all: text, rest: text, depth: 0 };
        let expr = reader.any()?;
        if !reader.rest.is_empty() {
            return Err(reader.unexpected("and, or, or the end"));
        }
        expr.check_size()?;
        Ok(expr)
    }
}

struct Reader<'t> {
    all: &'t str,
    rest: &'t str,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn any(&mut self) -> Result<Expr, Invalid> {
        let mut parts = vec![self.all()?];
        while self.word("or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Expr::Any))
    }

    fn all(&mut self) -> Result<Expr, Invalid> {
        let mut parts = vec![self.term()?];
        while self.word("and") {
            parts.push(self.term()?);
        }
        Ok(one_or(parts, Expr::All))
    }

    fn term(&mut self) -> Result<Expr, Invalid> {
        self.depth += 1;
        if self.depth > 2 * super::MAX_DEPTH {
            let allowed = format!("at most {}", super::MAX_DEPTH);
            return Err(Invalid::new("depth of an expression", self.depth.to_string(), allowed));
        }
        let term = if self.word("not") {
            Expr::Not(Box::new(self.term()?))
        } else if self.sign("(") {
            let inner = self.any()?;
            if !self.sign(")") {
                return Err(self.unexpected("a closing bracket"));
            }
            inner
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(term)
    }

    fn test(&mut self) -> Result<Expr, Invalid> {
        self.space();
        let end = self.rest.find(['=', '!', '~', '^', '$', '<', '>', ' ', '(', ')', '"']);
        let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        if name.is_empty() {
            return Err(self.unexpected("a dimension"));
        }
        let field = name.parse()?;
        self.rest = rest;
        self.space();
        let negated = self.rest.starts_with('!');
        let signs = self.rest.strip_prefix('!').unwrap_or(self.rest);
        let found = Compare::ALL.into_iter().find_map(|c| Some((c, signs.strip_prefix(c.sign())?)));
        let Some((compare, rest)) = found else {
            return Err(self.unexpected("one of = != ~ !~ ^= !^= $= !$= ~~ !~~ >= <="));
        };
        self.rest = rest;
        let mut values = vec![self.value()?];
        while self.rest.starts_with('|') {
            self.rest = &self.rest[1..];
            values.push(self.value()?);
        }
        let test = Expr::Test(Test::new(field, compare, values.iter().map(String::as_str))?);
        Ok(if negated { Expr::Not(Box::new(test)) } else { test })
    }

    fn value(&mut self) -> Result<String, Invalid> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let end = self.rest.find([' ', '(', ')', '|', '"']).unwrap_or(self.rest.len());
            let (value, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Ok(value.to_owned());
        };
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    self.rest = &quoted[at + 1..];
                    return Ok(value);
                }
                '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
                char => value.push(char),
            }
        }
        Err(self.unexpected("a closing quote"))
    }

    /// Takes a word, if it comes next.
    fn word(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start();
        let found = rest.strip_prefix(word).filter(|after| after.starts_with([' ', '(']));
        if let Some(after) = found {
            self.rest = after.trim_start();
        }
        found.is_some()
    }

    fn sign(&mut self, sign: &str) -> bool {
        self.space();
        let found = self.rest.strip_prefix(sign);
        if let Some(after) = found {
            self.rest = after;
            self.space();
        }
        found.is_some()
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn unexpected(&self, allowed: &str) -> Invalid {
        let place = match self.rest {
            "" => "its end".to_owned(),
            rest => format!("{rest:?}"),
        };
        Invalid::new("expression", self.all, format!("{allowed} at {place}"))
    }
}

fn one_or(mut parts: Vec<Expr>, many: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => many(parts.into_iter().chain(last).collect()),
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => join(f, parts, " and ", |part| matches!(part, Self::Any(_) | Self::All(_))),
            Self::Any(parts) => join(f, parts, " or ", |part| matches!(part, Self::Any(_))),
            Self::Not(part) => match &**part {
                Self::Test(test) => test.write(f, "!"),
                other => write!(f, "not ({other})"),
            },
            Self::Test(test) => test.write(f, ""),
        }
    }
}

fn join(
    f: &mut fmt::Formatter<'_>,
    parts: &[Expr],
    word: &str,
    in_brackets: impl Fn(&Expr) -> bool,
) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(word)?;
        }
        if in_brackets(part) {
            write!(f, "({part})")?;
        } else {
            write!(f, "{part}")?;
        }
    }
    Ok(())
}

impl Test {
    fn write(&self, f: &mut fmt::Formatter<'_>, not: &str) -> fmt::Result {
        write!(f, "{}{not}{}", self.field, self.compare.sign())?;
        for (at, value) in self.values.iter().enumerate() {
            if at > 0 {
                f.write_str("|")?;
            }
            let value = value.as_str();
            // A value that begins with ~ would make another sign of the one before it.
            if value.starts_with('~') || value.contains([' ', '(', ')', '|', '"']) {
                write!(f, "\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))?;
            } else {
                f.write_str(value)?;
            }
        }
        Ok(())
    }
}
