use model::{Currency, MerchantId, Timestamp};
use proto::v1::Filter;
use proto::v1::filter::Operator;
use query_svc::Ask;
use query_svc::text::{Words, filter};

/// 2024-05-17T12:34:20Z.
const NOW: Timestamp = Timestamp(1_715_949_260_000);

/// The words of a query, one a line, as far as the checked question. A filter is read again from what is written of it.
pub fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for read in text.lines().filter_map(|line| filter(line).ok()) {
        let again = filter(&written(&read));
        assert!(again.as_ref() == Ok(&read), "{read:?} was written, {again:?} read");
    }
    let mut lines = text.lines().map(str::to_owned);
    let mut word = || lines.next().unwrap_or_default();
    let words = Words {
        metrics: word(),
        by: word(),
        granularity: word(),
        from: word(),
        to: word(),
        last: word(),
        time_zone: word(),
        order: word(),
        limit: word(),
        condition: word(),
        filters: lines.collect(),
    };
    if let (Ok(request), Ok(currency)) = (words.request(MerchantId(7), "UTC", NOW), "EUR".parse::<Currency>())
    {
        let _ = Ask::read(&request, "UTC", currency);
    }
}

fn written(filter: &Filter) -> String {
    let sign = match filter.operator() {
        Operator::Unspecified | Operator::Is => "=",
        Operator::IsNot => "!=",
        Operator::Contains => "~",
        Operator::ContainsNot => "!~",
        Operator::StartsWith => "^=",
        Operator::StartsWithNot => "!^=",
    };
    let escaped = |value: &String| value.replace('\\', "\\\\").replace('|', "\\|");
    let values: Vec<_> = filter.values.iter().map(escaped).collect();
    format!("{}{sign}{}", filter.dimension, values.join("|"))
}
