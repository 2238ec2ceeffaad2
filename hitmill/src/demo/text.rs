//! How numbers are written for people.

use std::time::Duration;

/// `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `€1,234`, of millionths.
pub(super) fn euros(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    format!("{sign}€{}", thousands(micros.unsigned_abs() / 1_000_000))
}

/// `0:05:23`.
pub(super) fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// `840 µs`, `4.2 ms`, `43 ms` or `1.2 s`.
pub(super) fn latency(latency: Duration) -> String {
    match latency.as_micros() {
        micros @ 0..1_000 => format!("{micros} µs"),
        micros @ 1_000..10_000 => format!("{:.1} ms", micros as f64 / 1e3),
        micros @ 10_000..1_000_000 => format!("{} ms", micros / 1_000),
        micros => format!("{:.1} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1_999_999, -1_234_000_000].map(euros), ["€0", "€1", "-€1,234"]);
        assert_eq!([59, 3_600 + 62].map(|s| clock(Duration::from_secs(s))), ["0:00:59", "1:01:02"]);
        let written = [840, 4_220, 43_900, 1_249_000].map(|us| latency(Duration::from_micros(us)));
        assert_eq!(written, ["840 µs", "4.2 ms", "43 ms", "1.2 s"]);
    }
}
