//! How much a token may ask for, and how much may be written.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

/// Requests in the hour of each token, and texts written in the last minute.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) hourly: u64,
    pub(crate) content_per_minute: Option<usize>,
    pub(crate) content: Vec<DateTime<Utc>>,
    windows: BTreeMap<String, Window>,
}

/// What a token used of its hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) limit: u64,
    pub(crate) used: u64,
    pub(crate) reset: DateTime<Utc>,
}

impl Window {
    pub(crate) fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

impl Limits {
    pub(crate) fn new() -> Self {
        Self { hourly: 5_000, content_per_minute: None, content: Vec::new(), windows: BTreeMap::new() }
    }

    pub(crate) fn window(&mut self, token: Option<&str>, now: DateTime<Utc>) -> Window {
        let limit = self.hourly;
        let window = self.windows.entry(token.unwrap_or_default().to_owned());
        let window = window.or_insert(Window { limit, used: 0, reset: now + TimeDelta::hours(1) });
        if window.reset <= now {
            window.used = 0;
            window.reset = now + TimeDelta::hours(1);
        }
        window.limit = limit;
        *window
    }

    /// Counts a request. `false` if the hour is used up.
    pub(crate) fn spend(&mut self, token: Option<&str>, now: DateTime<Utc>) -> bool {
        if self.window(token, now).remaining() == 0 {
            return false;
        }
        if let Some(window) = self.windows.get_mut(token.unwrap_or_default()) {
            window.used += 1;
        }
        true
    }

    /// Takes back a request that costs nothing.
    pub(crate) fn refund(&mut self, token: Option<&str>) {
        if let Some(window) = self.windows.get_mut(token.unwrap_or_default()) {
            window.used = window.used.saturating_sub(1);
        }
    }

    /// Seconds until something may be written again. `None` if it may be written now.
    pub(crate) fn content_wait(&self, now: DateTime<Utc>) -> Option<i64> {
        let most = self.content_per_minute?;
        let minute = TimeDelta::minutes(1);
        let recent: Vec<_> = self.content.iter().filter(|at| **at + minute > now).collect();
        if recent.len() < most {
            return None;
        }
        let oldest = recent.first().map_or(now, |at| **at);
        Some((oldest + minute - now).num_seconds() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_that_is_used_up_starts_again() {
        let now = DateTime::UNIX_EPOCH;
        let mut limits = Limits::new();
        limits.hourly = 2;
        assert!(limits.spend(None, now) && limits.spend(None, now));
        assert!(!limits.spend(None, now + TimeDelta::minutes(59)));
        assert!(limits.spend(Some("other"), now));
        assert!(limits.spend(None, now + TimeDelta::minutes(60)));
    }

    #[test]
    fn content_waits_for_the_oldest_of_the_minute() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        let mut limits = Limits::new();
        limits.content_per_minute = Some(2);
        limits.content = vec![now - TimeDelta::minutes(5), now - TimeDelta::seconds(50)];
        assert_eq!(limits.content_wait(now), None);
        limits.content.push(now);
        assert_eq!(limits.content_wait(now), Some(11));
    }
}
