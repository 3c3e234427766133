//! Numbers and times, for people.

/// A number with commas between thousands.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The same for what is counted in memory.
pub fn count(number: usize) -> String {
    thousands(number as u64)
}

/// A number with its noun.
pub fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// A period of so many seconds, with as many digits as one reads.
pub fn period(seconds: f64) -> String {
    let whole = seconds.round().clamp(0.0, u64::MAX as f64) as u64;
    match seconds {
        _ if seconds < 1.0 => format!("{:.3} s", seconds.max(0.0)),
        _ if seconds < 59.95 => format!("{seconds:.1} s"),
        _ if whole < 3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", thousands(whole / 3600), whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(counted(1, "cgroup"), "1 cgroup");
        assert_eq!(counted(1200, "cgroup"), "1,200 cgroups");
    }

    #[test]
    fn a_period_has_the_unit_that_fits() {
        for (seconds, text) in [
            (0.0184, "0.018 s"),
            (12.5, "12.5 s"),
            (59.99, "1 min 0 s"),
            (600.4, "10 min 0 s"),
            (7380.0, "2 h 3 min"),
        ] {
            assert_eq!(period(seconds), text);
        }
    }
}
