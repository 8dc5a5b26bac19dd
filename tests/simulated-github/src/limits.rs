//! Limits: the requests of a token, and the texts that it creates.

use std::collections::{BTreeMap, VecDeque};

use axum::http::Method;
use chrono::{DateTime, TimeDelta, Utc};

/// GitHub's secondary limits, each for one token.
///
/// <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits>
const POINTS_A_MINUTE: u64 = 900;
const CREATIONS_A_MINUTE: u64 = 80;
const CREATIONS_AN_HOUR: u64 = 500;
const AT_ONCE: u64 = 100;

/// The wait after too many requests at once, in seconds.
const PAUSE: u64 = 60;

/// The limits, and the usage of each token.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) hourly: u64,
    pub(crate) content_per_minute: Option<u64>,
    /// Whether the secondary limits refuse requests. They count them in any case.
    pub(crate) secondary: bool,
    /// The times at which issues and comments were created.
    pub(crate) content: Vec<DateTime<Utc>>,
    /// The number of requests that a limit refused.
    pub(crate) refusals: usize,
    content_of_all: Sliding,
    usages: BTreeMap<String, Usage>,
}

/// The usage of one token.
#[derive(Debug)]
struct Usage {
    window: Option<Window>,
    all_points: u64,
    points: Sliding,
    creations: Sliding,
    creations_of_hour: Sliding,
    at_once: u64,
    most_at_once: u64,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            window: None,
            all_points: 0,
            points: Sliding::over(TimeDelta::minutes(1)),
            creations: Sliding::over(TimeDelta::minutes(1)),
            creations_of_hour: Sliding::over(TimeDelta::hours(1)),
            at_once: 0,
            most_at_once: 0,
        }
    }
}

/// The usage of a token in its hour.
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

/// The sum of amounts within a span of time that ends now, and its maximum so far.
#[derive(Debug)]
struct Sliding {
    span: TimeDelta,
    amounts: VecDeque<(DateTime<Utc>, u64)>,
    sum: u64,
    most: u64,
}

impl Sliding {
    fn over(span: TimeDelta) -> Self {
        Self { span, amounts: VecDeque::new(), sum: 0, most: 0 }
    }

    fn spend(&mut self, now: DateTime<Utc>, amount: u64) {
        while let Some((at, old)) = self.amounts.front().copied()
            && at + self.span <= now
        {
            self.amounts.pop_front();
            self.sum -= old;
        }
        self.amounts.push_back((now, amount));
        self.sum += amount;
        self.most = self.most.max(self.sum);
    }

    /// Seconds until `amount` fits into the limit. `None` if it fits now.
    fn wait(&self, now: DateTime<Utc>, amount: u64, limit: u64) -> Option<u64> {
        let mut sum = self.sum + amount;
        let mut free_at = None;
        for (at, old) in &self.amounts {
            let end = *at + self.span;
            if sum <= limit && end > now {
                break;
            }
            sum -= old;
            free_at = Some(end);
        }
        let wait = free_at.filter(|end| *end > now)? - now;
        Some(wait.num_seconds().unsigned_abs() + 1)
    }
}

/// The points of a request.
fn points_of(method: &Method) -> u64 {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => 1,
        _ => 5,
    }
}

impl Limits {
    pub(crate) fn new() -> Self {
        Self {
            hourly: 5_000,
            content_per_minute: None,
            secondary: false,
            content: Vec::new(),
            refusals: 0,
            content_of_all: Sliding::over(TimeDelta::minutes(1)),
            usages: BTreeMap::new(),
        }
    }

    fn usage_of(&mut self, token: Option<&str>) -> &mut Usage {
        self.usages.entry(token.unwrap_or_default().to_owned()).or_default()
    }

    // The primary limit.

    pub(crate) fn window(&mut self, token: Option<&str>, now: DateTime<Utc>) -> Window {
        *self.window_mut(token, now)
    }

    fn window_mut(&mut self, token: Option<&str>, now: DateTime<Utc>) -> &mut Window {
        let limit = self.hourly;
        let window = &mut self.usage_of(token).window;
        let window = window.get_or_insert(Window { limit, used: 0, reset: now + TimeDelta::hours(1) });
        if window.reset <= now {
            window.used = 0;
            window.reset = now + TimeDelta::hours(1);
        }
        window.limit = limit;
        window
    }

    /// Counts a request. `false` if the hour has no requests left.
    pub(crate) fn spend(&mut self, token: Option<&str>, now: DateTime<Utc>) -> bool {
        let window = self.window_mut(token, now);
        let is_left = window.remaining() > 0;
        match is_left {
            true => window.used += 1,
            false => self.refusals += 1,
        }
        is_left
    }

    /// Gives back a request of the hour, but not its points.
    pub(crate) fn refund(&mut self, token: Option<&str>) {
        if let Some(window) = &mut self.usage_of(token).window {
            window.used = window.used.saturating_sub(1);
        }
    }

    // The secondary limits.

    /// Counts a request at its arrival. Returns the seconds to wait if a limit refuses it: then it costs no points.
    pub(crate) fn arrive(&mut self, token: Option<&str>, method: &Method, now: DateTime<Utc>) -> Option<u64> {
        let (is_enforced, points) = (self.secondary, points_of(method));
        let usage = self.usage_of(token);
        let wait = match usage.at_once >= AT_ONCE {
            true => Some(PAUSE),
            false => usage.points.wait(now, points, POINTS_A_MINUTE),
        };
        usage.at_once += 1;
        usage.most_at_once = usage.most_at_once.max(usage.at_once);
        if let Some(seconds) = wait.filter(|_| is_enforced) {
            self.refusals += 1;
            return Some(seconds);
        }
        usage.points.spend(now, points);
        usage.all_points += points;
        None
    }

    /// Notes the end of a request.
    pub(crate) fn leave(&mut self, token: Option<&str>) {
        let usage = self.usage_of(token);
        usage.at_once = usage.at_once.saturating_sub(1);
    }

    /// Returns the seconds to wait, and counts a refusal, if a token may not create an issue or comment now.
    pub(crate) fn refuse_content(&mut self, token: Option<&str>, now: DateTime<Utc>) -> Option<u64> {
        let own = self.content_per_minute.and_then(|most| self.content_of_all.wait(now, 1, most));
        let is_enforced = self.secondary;
        let usage = self.usage_of(token);
        let of_minute = usage.creations.wait(now, 1, CREATIONS_A_MINUTE);
        let of_hour = usage.creations_of_hour.wait(now, 1, CREATIONS_AN_HOUR);
        let wait = own.max(of_minute.max(of_hour).filter(|_| is_enforced));
        self.refusals += usize::from(wait.is_some());
        wait
    }

    /// Counts a new issue or comment.
    pub(crate) fn note_content(&mut self, token: Option<&str>, now: DateTime<Utc>) {
        self.content.push(now);
        self.content_of_all.spend(now, 1);
        let usage = self.usage_of(token);
        usage.creations.spend(now, 1);
        usage.creations_of_hour.spend(now, 1);
    }

    // Figures.

    pub(crate) fn points(&self) -> u64 {
        self.usages.values().map(|usage| usage.all_points).sum()
    }

    pub(crate) fn most_points_a_minute(&self) -> u64 {
        self.usages.values().map(|usage| usage.points.most).max().unwrap_or(0)
    }

    pub(crate) fn most_creations_a_minute(&self) -> u64 {
        self.usages.values().map(|usage| usage.creations.most).max().unwrap_or(0)
    }

    pub(crate) fn most_at_once(&self) -> u64 {
        self.usages.values().map(|usage| usage.most_at_once).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    #[test]
    fn an_hour_that_is_used_up_starts_again() {
        let now = DateTime::UNIX_EPOCH;
        let mut limits = Limits::new();
        limits.hourly = 2;
        assert!(limits.spend(None, now) && limits.spend(None, now));
        assert!(!limits.spend(None, now + TimeDelta::minutes(59)));
        assert!(limits.spend(Some("other"), now));
        assert!(limits.spend(None, now + TimeDelta::minutes(60)));
        assert_eq!(limits.refusals, 1);
    }

    #[test]
    fn content_waits_for_the_oldest_of_the_minute() {
        let mut limits = Limits::new();
        limits.content_per_minute = Some(2);
        limits.note_content(None, second(0));
        limits.note_content(None, second(250));
        assert_eq!(limits.refuse_content(None, second(300)), None);
        limits.note_content(None, second(300));
        assert_eq!(limits.refuse_content(Some("other"), second(300)), Some(11));
        assert_eq!(limits.refuse_content(None, second(311)), None);
    }

    #[test]
    fn a_span_slides_with_the_time() {
        let mut points = Sliding::over(TimeDelta::minutes(1));
        for (at, amount) in [(0, 5), (10, 1), (59, 5), (60, 1), (75, 1)] {
            points.spend(second(at), amount);
        }
        assert_eq!((points.sum, points.most), (7, 11));
        assert_eq!(points.wait(second(80), 5, 12), None);
        assert_eq!(points.wait(second(80), 5, 11), Some(40));
        assert_eq!(points.wait(second(80), 5, 6), Some(41));
        assert_eq!(points.wait(second(120), 5, 6), None);
        assert_eq!(points.wait(second(120), 5, 5), Some(16));
        assert_eq!(points.wait(second(135), 5, 5), None);
    }
}
