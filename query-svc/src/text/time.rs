use jiff::civil::{Date, DateTime};
use model::{Invalid, Timestamp};

use crate::Zone;

const UNITS: [(&str, i64); 5] =
    [("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 24 * 3_600_000), ("w", 7 * 24 * 3_600_000)];

/// Milliseconds of `30s`, `5m`, `24h`, `7d` or `2w`; a day is 24 hours here. `what` is named in the error.
pub fn duration(what: &'static str, text: &str) -> Result<i64, Invalid> {
    let read = || {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
        number.parse::<i64>().ok()?.checked_mul(*millis).filter(|millis| *millis > 0)
    };
    read().ok_or_else(|| {
        Invalid::new(what, text, "a whole number with s, m, h, d or w behind it: 90s, 5m, 24h, 7d, 2w")
    })
}

/// An instant: RFC 3339 (`2015-05-17T10:00:00Z`), a date (its midnight in the zone), a date and time without offset
/// (in the zone), `now`, `today` and `yesterday` (midnight in the zone), or a duration back from now (`-7d`). `what`
/// is named in the error.
pub fn instant(what: &'static str, text: &str, zone: &Zone, now: Timestamp) -> Result<Timestamp, Invalid> {
    if let Some(back) = text.strip_prefix('-') {
        return duration(what, back).map(|millis| now.plus_millis(-millis));
    }
    let read = || match text {
        "now" => Some(now),
        "today" => midnight(zone, today(zone, now)?),
        "yesterday" => midnight(zone, today(zone, now)?.yesterday().ok()?),
        _ => absolute(text, zone),
    };
    read().ok_or_else(|| {
        let allowed = "now, today, yesterday, -7d, 2015-05-17 or 2015-05-17T10:00:00Z";
        Invalid::new(what, text, allowed)
    })
}

fn absolute(text: &str, zone: &Zone) -> Option<Timestamp> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp(instant.as_millisecond()));
    }
    let local = text.parse::<DateTime>().ok()?;
    // The parser takes what we would not say: a date has exactly the ten characters that it is printed with.
    let known = text.len() > 10 || text.parse::<Date>().is_ok_and(|date| date.to_string() == text);
    if known { in_zone(zone, local) } else { None }
}

fn today(zone: &Zone, now: Timestamp) -> Option<Date> {
    let now = jiff::Timestamp::from_millisecond(now.0).ok()?;
    Some(zone.rules().to_datetime(now).date())
}

fn midnight(zone: &Zone, date: Date) -> Option<Timestamp> {
    in_zone(zone, date.at(0, 0, 0, 0))
}

fn in_zone(zone: &Zone, local: DateTime) -> Option<Timestamp> {
    Some(Timestamp(zone.rules().to_timestamp(local).ok()?.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, zone: &str) -> String {
        let zone = Zone::named(zone).unwrap();
        // 2024-05-17T22:34:20Z: tomorrow already in Berlin.
        match instant("from", text, &zone, Timestamp(1_715_985_260_000)) {
            Ok(at) => at.to_string(),
            Err(refused) => refused.to_string(),
        }
    }

    #[test]
    fn each_form_of_an_instant_is_read() {
        assert_eq!(read("now", "UTC"), "2024-05-17T22:34:20Z");
        assert_eq!(read("today", "UTC"), "2024-05-17T00:00:00Z");
        assert_eq!(read("today", "Europe/Berlin"), "2024-05-17T22:00:00Z");
        assert_eq!(read("yesterday", "Europe/Berlin"), "2024-05-16T22:00:00Z");
        assert_eq!(read("-90m", "UTC"), "2024-05-17T21:04:20Z");
        assert_eq!(read("-7d", "UTC"), "2024-05-10T22:34:20Z");
        assert_eq!(read("2015-05-17", "Asia/Kathmandu"), "2015-05-16T18:15:00Z");
        assert_eq!(read("2015-05-17T10:00", "Europe/Berlin"), "2015-05-17T08:00:00Z");
        assert_eq!(read("2015-05-17T10:00:00Z", "Europe/Berlin"), "2015-05-17T10:00:00Z");
        assert_eq!(read("2015-05-17T10:00:00+02:00", "UTC"), "2015-05-17T08:00:00Z");
    }

    #[test]
    fn what_is_no_instant_is_named() {
        for text in ["tomorrow", "17.05.2015", "2015-13-01", "20150517", "noon", "2015-05", ""] {
            let expected = format!(
                "from {text:?} is not allowed: now, today, yesterday, -7d, 2015-05-17 or 2015-05-17T10:00:00Z"
            );
            assert_eq!(read(text, "UTC"), expected);
        }
        assert!(read("-7x", "UTC").starts_with("from \"7x\" is not allowed: a whole number with"));
    }

    #[test]
    fn durations_are_read() {
        let read = |text| duration("last", text).ok();
        assert_eq!([read("30s"), read("5m"), read("24h")], [Some(30_000), Some(300_000), Some(86_400_000)]);
        assert_eq!([read("7d"), read("2w")], [Some(604_800_000), Some(1_209_600_000)]);
        assert_eq!([read("0h"), read("h"), read("5"), read("-5m"), read("9999999999999999w")], [None; 5]);
    }
}
