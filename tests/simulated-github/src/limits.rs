//! How much a token may ask for, and how much may be written.

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

/// What GitHub asks of a client that sends too much at once: to wait a minute.
const PAUSE: u64 = 60;

/// What each token has used, and what is allowed.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) hourly: u64,
    pub(crate) content_per_minute: Option<u64>,
    /// Whether the secondary limits refuse anything. They are counted all the same.
    pub(crate) secondary: bool,
    /// When each issue and comment was created.
    pub(crate) content: Vec<DateTime<Utc>>,
    /// How many requests a limit has refused.
    pub(crate) refused: usize,
    content_of_all: Sliding,
    uses: BTreeMap<String, Use>,
}

/// What one token has used.
#[derive(Debug)]
struct Use {
    window: Option<Window>,
    all_points: u64,
    points: Sliding,
    creations: Sliding,
    creations_of_hour: Sliding,
    at_once: u64,
    most_at_once: u64,
}

impl Default for Use {
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

/// What was spent within a span of time that ends now, and the most that ever was.
#[derive(Debug)]
struct Sliding {
    span: TimeDelta,
    spent: VecDeque<(DateTime<Utc>, u64)>,
    sum: u64,
    most: u64,
}

impl Sliding {
    fn over(span: TimeDelta) -> Self {
        Self { span, spent: VecDeque::new(), sum: 0, most: 0 }
    }

    fn spend(&mut self, now: DateTime<Utc>, amount: u64) {
        while let Some((at, old)) = self.spent.front().copied()
            && at + self.span <= now
        {
            self.spent.pop_front();
            self.sum -= old;
        }
        self.spent.push_back((now, amount));
        self.sum += amount;
        self.most = self.most.max(self.sum);
    }

    /// Seconds until so much more fits into the limit. `None` if it fits now.
    fn wait(&self, now: DateTime<Utc>, amount: u64, limit: u64) -> Option<u64> {
        let mut sum = self.sum + amount;
        let mut free_at = None;
        for (at, old) in &self.spent {
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

/// What a request costs.
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
            refused: 0,
            content_of_all: Sliding::over(TimeDelta::minutes(1)),
            uses: BTreeMap::new(),
        }
    }

    fn used_by(&mut self, token: Option<&str>) -> &mut Use {
        self.uses.entry(token.unwrap_or_default().to_owned()).or_default()
    }

    // The primary limit.

    pub(crate) fn window(&mut self, token: Option<&str>, now: DateTime<Utc>) -> Window {
        *self.window_mut(token, now)
    }

    fn window_mut(&mut self, token: Option<&str>, now: DateTime<Utc>) -> &mut Window {
        let limit = self.hourly;
        let window = &mut self.used_by(token).window;
        let window = window.get_or_insert(Window { limit, used: 0, reset: now + TimeDelta::hours(1) });
        if window.reset <= now {
            window.used = 0;
            window.reset = now + TimeDelta::hours(1);
        }
        window.limit = limit;
        window
    }

    /// Counts a request. `false` if the hour is used up.
    pub(crate) fn spend(&mut self, token: Option<&str>, now: DateTime<Utc>) -> bool {
        let window = self.window_mut(token, now);
        let is_left = window.remaining() > 0;
        match is_left {
            true => window.used += 1,
            false => self.refused += 1,
        }
        is_left
    }

    /// Takes back a request that costs nothing of the hour. Its points are spent all the same.
    pub(crate) fn refund(&mut self, token: Option<&str>) {
        if let Some(window) = &mut self.used_by(token).window {
            window.used = window.used.saturating_sub(1);
        }
    }

    // The secondary limits.

    /// Counts a request that arrives. Seconds to wait if it is refused, for nothing then.
    pub(crate) fn arrive(&mut self, token: Option<&str>, method: &Method, now: DateTime<Utc>) -> Option<u64> {
        let (enforced, points) = (self.secondary, points_of(method));
        let used = self.used_by(token);
        let refused = match used.at_once >= AT_ONCE {
            true => Some(PAUSE),
            false => used.points.wait(now, points, POINTS_A_MINUTE),
        };
        used.at_once += 1;
        used.most_at_once = used.most_at_once.max(used.at_once);
        if let Some(seconds) = refused.filter(|_| enforced) {
            self.refused += 1;
            return Some(seconds);
        }
        used.points.spend(now, points);
        used.all_points += points;
        None
    }

    /// Notes that a request is no longer under way.
    pub(crate) fn leave(&mut self, token: Option<&str>) {
        let used = self.used_by(token);
        used.at_once = used.at_once.saturating_sub(1);
    }

    /// Seconds to wait if a token may not create an issue or comment now, which is a refusal.
    pub(crate) fn refuse_content(&mut self, token: Option<&str>, now: DateTime<Utc>) -> Option<u64> {
        let own = self.content_per_minute.and_then(|most| self.content_of_all.wait(now, 1, most));
        let enforced = self.secondary;
        let used = self.used_by(token);
        let of_minute = used.creations.wait(now, 1, CREATIONS_A_MINUTE);
        let of_hour = used.creations_of_hour.wait(now, 1, CREATIONS_AN_HOUR);
        let wait = own.max(of_minute.max(of_hour).filter(|_| enforced));
        self.refused += usize::from(wait.is_some());
        wait
    }

    /// Counts an issue or comment that was created.
    pub(crate) fn note_content(&mut self, token: Option<&str>, now: DateTime<Utc>) {
        self.content.push(now);
        self.content_of_all.spend(now, 1);
        let used = self.used_by(token);
        used.creations.spend(now, 1);
        used.creations_of_hour.spend(now, 1);
    }

    // Figures.

    pub(crate) fn points(&self) -> u64 {
        self.uses.values().map(|used| used.all_points).sum()
    }

    pub(crate) fn most_points_a_minute(&self) -> u64 {
        self.uses.values().map(|used| used.points.most).max().unwrap_or(0)
    }

    pub(crate) fn most_creations_a_minute(&self) -> u64 {
        self.uses.values().map(|used| used.creations.most).max().unwrap_or(0)
    }

    pub(crate) fn most_at_once(&self) -> u64 {
        self.uses.values().map(|used| used.most_at_once).max().unwrap_or(0)
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
        assert_eq!(limits.refused, 1);
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
