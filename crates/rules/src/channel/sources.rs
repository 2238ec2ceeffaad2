use std::collections::HashMap;
use std::sync::LazyLock;

/// What kind of place a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A search engine.
    Search,
    /// A social network.
    Social,
    /// A site of videos.
    Video,
    /// A marketplace, or a site that compares prices.
    Shopping,
    /// An assistant.
    Ai,
}

const LIST: &str = include_str!("../../data/sources.txt");

/// Kinds by entry; none for what is taken out of the kind of its site.
static KINDS: LazyLock<HashMap<&'static str, Option<Kind>>> = LazyLock::new(|| {
    let lines = LIST.lines().filter(|line| !line.starts_with('#'));
    let entries = lines.filter_map(|line| line.split_once(' ')).flat_map(|(kind, entries)| {
        let kind = kind_named(kind);
        entries.split_whitespace().map(move |entry| (entry, kind))
    });
    entries.collect()
});

fn kind_named(name: &str) -> Option<Kind> {
    Some(match name {
        "search" => Kind::Search,
        "social" => Kind::Social,
        "video" => Kind::Video,
        "shopping" => Kind::Shopping,
        "ai" => Kind::Ai,
        _ => return None,
    })
}

/// The kind of a source in lower case, if it is known: that of the longest entry which is its end, from a dot on.
pub(super) fn kind(source: &str) -> Option<Kind> {
    let starts = std::iter::once(0).chain(source.match_indices('.').map(|(dot, _)| dot + 1));
    let known = |start: usize| {
        let end = &source[start..];
        KINDS.get(end).or_else(|| KINDS.get(&*under_any_top_level(end)?))
    };
    starts.filter_map(known).next().copied().flatten()
}

/// `google.*` for google.de and google.co.uk: what follows is a top level of two letters or more, or one of two parts whose first
/// is short.
fn under_any_top_level(host: &str) -> Option<String> {
    let (name, rest) = host.split_once('.')?;
    let is_top = match rest.split_once('.') {
        None => rest.len() >= 2,
        Some((second, top)) => second.len() <= 3 && top.len() == 2,
    };
    is_top.then(|| format!("{name}.*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_whole_and_names_nothing_twice() {
        let lines = LIST.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let kinds = ["none", "search", "social", "video", "shopping", "ai"];
        let mut entries = 0;
        for line in lines {
            let (kind, rest) = line.split_once(' ').unwrap();
            assert!(kinds.contains(&kind), "{line}");
            entries += rest.split_whitespace().count();
            for entry in rest.split_whitespace() {
                assert!(!entry.contains(['/', ':']) && entry == entry.to_lowercase(), "{entry}");
            }
        }
        assert_eq!(KINDS.len(), entries, "some entry is there twice");
        assert!(entries > 400, "{entries}");
    }

    #[test]
    fn a_host_is_known_by_its_end() {
        for (source, expected) in [
            ("google", Some(Kind::Search)),
            ("google.com", Some(Kind::Search)),
            ("www.google.co.uk", Some(Kind::Search)),
            ("www.google.com.br", Some(Kind::Search)),
            ("mail.google.com", None),
            ("gemini.google.com", Some(Kind::Ai)),
            ("shopping.google.com", Some(Kind::Shopping)),
            ("google.example.org", None),
            ("mygoogle.com", None),
            ("old.reddit.com", Some(Kind::Social)),
            ("", None),
            (".", None),
        ] {
            assert_eq!(kind(source), expected, "{source}");
        }
    }
}
