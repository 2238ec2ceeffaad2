use proptest::prelude::*;

use super::*;

fn holds(expr: &str, page: &str, value: &str) -> bool {
    let read: Expr = expr.parse().unwrap();
    read.holds(&|field| match field {
        Field::Dimension(Dimension::Page) => Some(page),
        Field::Value => Some(value),
        Field::Dimension(_) => None,
    })
}

#[test]
fn each_comparison_by_hand() {
    for (expr, page, expected) in [
        ("page=/a", "/a", true),
        ("page=/a", "/ab", false),
        ("page=/a|/b", "/b", true),
        ("page!=/a|/b", "/b", false),
        ("page~art", "/cart", true),
        ("page!~art", "/cart", false),
        ("page^=/blog", "/blog/x", true),
        ("page!^=/blog", "/shop", true),
        ("page$=.html", "/a.html", true),
        ("page~~^/p/[0-9]+$", "/p/42", true),
        ("page~~^/p/[0-9]+$", "/p/4x", false),
        ("page=\"/a b|c\"", "/a b|c", true),
        (r#"page="say \"hi\" \\ there""#, r#"say "hi" \ there"#, true),
        ("source=x", "/a", false),
        ("not page=/a", "/b", true),
        ("page=/a or page=/b", "/b", true),
        ("page^=/a and page$=b", "/ab", true),
        ("page=/c and (page=/a or page=/b)", "/a", false),
        ("page=/a or page=/b and page=/c", "/a", true),
        ("not (page=/a or page=/b)", "/c", true),
        ("", "/anything", true),
    ] {
        assert_eq!(holds(expr, page, ""), expected, "{expr} of {page}");
    }
}

#[test]
fn numbers_compare_as_numbers() {
    assert!(holds("value>=100", "", "100"));
    assert!(holds("value>=9", "", "10.5"), "not as texts, where 9 is more than 10");
    assert!(!holds("value>=100", "", "99.999999"));
    assert!(holds("value<=-1", "", "-2"));
    assert!(!holds("value>=0", "", ""), "no value is no number");
}

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    for (text, expected) in [
        (
            "page",
            "expression \"page\" is not allowed: one of = != ~ !~ ^= !^= $= !$= ~~ !~~ >= <= at its end",
        ),
        ("=x", "expression \"=x\" is not allowed: a dimension at \"=x\""),
        ("(page=/a", "expression \"(page=/a\" is not allowed: a closing bracket at its end"),
        (
            "page=/a page=/b",
            "expression \"page=/a page=/b\" is not allowed: and, or, or the end at \" page=/b\"",
        ),
        ("page=\"/a", "expression \"page=\\\"/a\" is not allowed: a closing quote at \"\\\"/a\""),
        ("value>=much", "number to compare with \"much\" is not allowed: a decimal number"),
        ("value=3", "comparison of value \"=\" is not allowed: >= or <="),
    ] {
        assert_eq!(text.parse::<Expr>().unwrap_err().to_string(), expected);
    }
    let refused = |text: &str| text.parse::<Expr>().unwrap_err().to_string();
    assert!(refused("colour=red").starts_with("dimension \"colour\" is not allowed: one of page,"));
    assert!(
        refused("page~~[").starts_with("regular expression \"[\" is not allowed: one that can be read: ")
    );
    assert!(refused(&"(".repeat(1_000)).starts_with("depth of an expression"));
    assert!(refused(&format!("page~~{}", "a{1000}".repeat(50))).contains("one that compiles to at most"));
    assert!(refused(&vec!["page=/a"; 101].join(" or ")).starts_with("number of comparisons \"101\""));
}

fn any_expr() -> impl Strategy<Value = Expr> {
    let test = (0usize..3, 0usize..4, prop::collection::vec("[a-z/ ()|\"\\\\=!~^$]{0,6}", 1..3));
    let test = test.prop_map(|(dimension, compare, values)| {
        let field = Field::Dimension(Dimension::BUILT_IN[dimension]);
        let compare = [Compare::Is, Compare::Contains, Compare::StartsWith, Compare::EndsWith][compare];
        Expr::Test(Test::new(field, compare, values.iter().map(String::as_str)).unwrap())
    });
    test.prop_recursive(4, 20, 3, |inner| {
        let parts = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            parts.clone().prop_map(Expr::All),
            parts.prop_map(Expr::Any),
            inner.prop_map(|part| Expr::Not(Box::new(part))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(expr in any_expr(), page in "[a-z/]{0,4}") {
        let written = expr.to_string();
        let read: Expr = written.parse().unwrap();
        prop_assert_eq!(read.to_string(), written);
        let value = |_: &Field| Some(&*page);
        prop_assert_eq!(read.holds(&value), expr.holds(&value));
    }

    #[test]
    fn rubbish_is_refused_or_read_but_never_panics(text in "[ a-z()\"\\\\|=!~^$<>]{0,40}") {
        let _ = text.parse::<Expr>();
    }
}
