//! Times on the board, without a clock: *today* is the day of the newest change on the board.

use chrono::{DateTime, NaiveDate, Utc};

use super::NO_BREAK_SPACE;

/// `09:14`, with the date if the day is not `today`.
pub(in crate::ticket) fn moment(at: DateTime<Utc>, today: NaiveDate) -> String {
    let format = if at.date_naive() == today { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.format(format).to_string()
}

/// `48 s`, `12 min`, `1 h 5 min` or `2 d 3 h`; `None` if `to` is before `from`, as clocks may disagree.
pub(super) fn duration(from: DateTime<Utc>, to: DateTime<Utc>) -> Option<String> {
    let seconds = to.signed_duration_since(from).num_seconds();
    (seconds >= 0).then(|| span(seconds))
}

/// A number of seconds in the same form.
pub(in crate::ticket) fn span(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match () {
        () if minutes < 1 => format!("{seconds}{NO_BREAK_SPACE}s"),
        () if hours < 1 => format!("{minutes}{NO_BREAK_SPACE}min"),
        () if days < 1 => format!("{hours}{NO_BREAK_SPACE}h {}{NO_BREAK_SPACE}min", minutes % 60),
        () => format!("{days}{NO_BREAK_SPACE}d {}{NO_BREAK_SPACE}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_time_of_another_day_has_its_date() {
        let at = DateTime::UNIX_EPOCH + TimeDelta::minutes(554);
        assert_eq!(moment(at, at.date_naive()), "09:14");
        assert_eq!(moment(at - TimeDelta::days(1), at.date_naive()), "1969-12-31 09:14");
    }

    #[test]
    fn a_duration_has_two_units_at_most() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_960, "1 h 6 min"),
            (266_400, "3 d 2 h"),
        ] {
            let at = DateTime::UNIX_EPOCH;
            let took =
                duration(at, at + TimeDelta::seconds(seconds)).map(|took| took.replace(NO_BREAK_SPACE, " "));
            assert_eq!(took.as_deref(), Some(expected));
        }
        let at = DateTime::UNIX_EPOCH;
        assert_eq!(duration(at, at - TimeDelta::seconds(1)), None);
    }
}
