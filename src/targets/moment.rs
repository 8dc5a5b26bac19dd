//! Moments as people write them: `2026-12-20T00:00Z`, `2026-12-20T08:30:00+01:00`, or a date for its 00:00 UTC.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use crate::problem::{Advice, Help, Topic, excerpt};

/// The most characters of a text that an error quotes.
const QUOTE_LIMIT: usize = 60;

/// A date, as chrono's [formats](chrono::format::strftime) have it.
const DATE: &str = "%Y-%m-%d";

/// A date with a time, before the zone.
const TIMES: [&str; 2] = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f"];

/// `Z`, or an offset.
const ZONE: &str = "%#z";

/// Why a text is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// Neither a date nor a time.
    #[error("`{0}` is not a time")]
    Unreadable(String),
    /// A time without a zone.
    #[error("`{0}` has no time zone")]
    NoZone(String),
}

impl Help for MomentError {
    fn help(&self) -> Option<Advice> {
        let help = match self {
            Self::Unreadable(_) => {
                "write `2026-12-20T00:00Z`, an offset such as `+01:00` in place of the `Z`, or a date for 00:00 UTC"
            }
            Self::NoZone(_) => "add `Z` for UTC, or an offset such as `+01:00`",
        };
        Some(Topic::TargetsFile.advice(help))
    }
}

/// Reads a moment.
///
/// # Errors
///
/// When it is not a moment, or has no time zone.
pub fn parse(text: &str) -> Result<DateTime<Utc>, MomentError> {
    let with_zone = |time| DateTime::parse_from_str(text, &format!("{time}{ZONE}")).ok();
    let time = TIMES.into_iter().find_map(with_zone).map(|moment| moment.to_utc());
    let date =
        || NaiveDate::parse_from_str(text, DATE).ok().map(|date| date.and_time(NaiveTime::MIN).and_utc());
    let moment = time.or_else(date);
    // chrono takes `26` for the year 26.
    if let Some(moment) = moment.filter(|moment| (1000..=9999).contains(&moment.year())) {
        return Ok(moment);
    }
    let quote = excerpt(text, QUOTE_LIMIT);
    let is_local = TIMES.iter().any(|time| NaiveDateTime::parse_from_str(text, time).is_ok());
    Err(if is_local { MomentError::NoZone(quote) } else { MomentError::Unreadable(quote) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_with_its_zone_or_a_date() {
        for (text, moment) in [
            ("2026-12-20T00:00Z", "2026-12-20T00:00:00Z"),
            ("2026-12-20T08:30:15Z", "2026-12-20T08:30:15Z"),
            ("2026-12-20T08:30:15.5Z", "2026-12-20T08:30:15.500Z"),
            ("2026-12-20T00:30+01:00", "2026-12-19T23:30:00Z"),
            ("2026-12-20T23:30:00-0200", "2026-12-21T01:30:00Z"),
            ("2026-12-20", "2026-12-20T00:00:00Z"),
        ] {
            let moment: DateTime<Utc> = moment.parse().expect("RFC 3339");
            assert_eq!(parse(text), Ok(moment), "{text}");
        }
    }

    #[test]
    fn a_time_without_a_zone_is_refused() {
        for text in ["2026-12-20T00:00", "2026-12-20T00:00:00"] {
            assert_eq!(parse(text), Err(MomentError::NoZone(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_neither_a_date_nor_a_time_is_refused() {
        let long = "2026-12-20T00:00Z ".repeat(9);
        for text in [
            "",
            "tomorrow",
            "26-12-20",
            "26-12-20T00:00Z",
            "2026-13-01",
            "2026-12-20T24:00Z",
            "20.12.2026",
            &long,
        ] {
            assert!(matches!(parse(text), Err(MomentError::Unreadable(_))), "{text}: {:?}", parse(text));
            assert!(parse(text).is_err_and(|error| error.to_string().len() < 100), "{text}");
        }
    }
}
