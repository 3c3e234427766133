//! Days, between TOML and the calendar.

use time::{Date, Month};
use toml_edit::Datetime;

/// The day that a TOML value says; None when it says a time as well, or none of the calendar.
pub(super) fn of_toml(value: &Datetime) -> Option<Date> {
    match value {
        Datetime { date: Some(date), time: None, offset: None } => {
            let month = Month::try_from(date.month).ok()?;
            Date::from_calendar_date(i32::from(date.year), month, date.day).ok()
        }
        _ => None,
    }
}

/// A day as TOML writes it.
pub(super) fn to_toml(date: Date) -> Datetime {
    let date = toml_edit::Date {
        // The years of TOML have four digits, and so has what was read.
        year: u16::try_from(date.year()).unwrap_or(9999),
        month: u8::from(date.month()),
        day: date.day(),
    };
    Datetime { date: Some(date), time: None, offset: None }
}

/// A day that a person typed, like 2027-03-01.
pub fn parse_date(text: &str) -> Option<Date> {
    of_toml(&text.parse().ok()?)
}
