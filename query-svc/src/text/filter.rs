use model::Invalid;
use proto::v1;
use proto::v1::filter::Operator;

/// The longest first, so that none is taken for the beginning of another.
const OPERATORS: [(&str, Operator); 6] = [
    ("!^=", Operator::StartsWithNot),
    ("^=", Operator::StartsWith),
    ("!~", Operator::ContainsNot),
    ("!=", Operator::IsNot),
    ("~", Operator::Contains),
    ("=", Operator::Is),
];

/// Reads `page=/a|/b` (is one of), `page!=`, `page~` (contains), `page!~`, `page^=` (starts with) and `page!^=`. A
/// bar that belongs to a value is written `\|`, a backslash `\\`.
pub fn read(text: &str) -> Result<v1::Filter, Invalid> {
    let name = text.bytes().take_while(|byte| byte.is_ascii_lowercase() || *byte == b'_').count();
    let (dimension, rest) = text.split_at(name);
    let operator = OPERATORS.iter().find_map(|(sign, op)| Some((op, rest.strip_prefix(sign)?)));
    match operator {
        Some((operator, values)) if name > 0 => Ok(v1::Filter {
            dimension: dimension.to_owned(),
            operator: (*operator).into(),
            values: split(values),
        }),
        _ => {
            let allowed = "a dimension, one of = != ~ !~ ^= !^=, and values with | between them: page=/a|/b";
            Err(Invalid::new("filter", text, allowed))
        }
    }
}

fn split(text: &str) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        let part = match char {
            '|' => {
                values.push(String::new());
                continue;
            }
            '\\' => chars.next().unwrap_or('\\'),
            char => char,
        };
        if let Some(value) = values.last_mut() {
            value.push(part);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        let filter = read(text).unwrap();
        format!("{} {:?} {:?}", filter.dimension, filter.operator(), filter.values)
    }

    #[test]
    fn each_form_is_read() {
        assert_eq!(parsed("page=/a|/b"), r#"page Is ["/a", "/b"]"#);
        assert_eq!(parsed("hit_name!=purchase"), r#"hit_name IsNot ["purchase"]"#);
        assert_eq!(parsed("page~cart"), r#"page Contains ["cart"]"#);
        assert_eq!(parsed("page!~cart"), r#"page ContainsNot ["cart"]"#);
        assert_eq!(parsed("page^=/shop|/blog"), r#"page StartsWith ["/shop", "/blog"]"#);
        assert_eq!(parsed("page!^=/shop"), r#"page StartsWithNot ["/shop"]"#);
    }

    #[test]
    fn signs_in_values_stay_in_them() {
        assert_eq!(parsed(r"page=/a?b=1|~^\|c\\"), r#"page Is ["/a?b=1", "~^|c\\"]"#);
        assert_eq!(parsed("campaign="), r#"campaign Is [""]"#);
    }

    #[test]
    fn what_is_no_filter_is_named() {
        for text in ["page", "=x", "page<5", ""] {
            let refused = read(text).unwrap_err().to_string();
            assert!(
                refused.starts_with(&format!("filter {text:?} is not allowed: a dimension, one of")),
                "{refused}"
            );
        }
    }
}
