//! GitHub's times, within the years 1970 to 9999: sums and differences cannot overflow.

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Deserializer};

/// Reads a time of an answer.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    let time = DateTime::<Utc>::deserialize(deserializer)?;
    if (1970..=9999).contains(&time.year()) {
        Ok(time)
    } else {
        Err(serde::de::Error::custom(format!("{time} is not within the years 1970 to 9999")))
    }
}

/// Reads a time that may be null.
pub(super) fn optional_time<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    #[derive(Deserialize)]
    struct Time(#[serde(deserialize_with = "time")] DateTime<Utc>);
    Ok(Option::<Time>::deserialize(deserializer)?.map(|Time(time)| time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_of_a_year_with_four_digits() {
        #[derive(Debug, Deserialize)]
        struct Reply {
            #[serde(deserialize_with = "time")]
            at: DateTime<Utc>,
            #[serde(default, deserialize_with = "optional_time")]
            maybe: Option<DateTime<Utc>>,
        }
        let parse = |json: &str| serde_json::from_str::<Reply>(json);
        let reply = parse(r#"{"at":"2026-11-28T12:00:00Z","maybe":null}"#).expect("a time");
        assert_eq!((reply.at.year(), reply.maybe), (2026, None));
        for year in ["+262142", "-262143", "1969"] {
            let time = format!("{year}-01-01T00:00:00Z");
            for json in [
                format!(r#"{{"at":"{time}"}}"#),
                format!(r#"{{"at":"2026-01-01T00:00:00Z","maybe":"{time}"}}"#),
            ] {
                let error = parse(&json).expect_err(&time).to_string();
                assert!(error.contains("not within the years"), "{error}");
            }
        }
    }
}
