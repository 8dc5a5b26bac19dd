//! The world's clock.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use tokio::time::Instant;

/// A clock that starts at a chosen moment and never goes back.
///
/// It follows [`tokio::time::Instant`], so time that a test pauses and advances moves
/// the world too. Outside a runtime it follows the machine's monotonic clock.
#[derive(Debug)]
pub(crate) struct Clock {
    start: DateTime<Utc>,
    origin: Instant,
    skip: TimeDelta,
    latest: DateTime<Utc>,
}

impl Clock {
    pub(crate) fn starting_at(start: DateTime<Utc>) -> Self {
        Self { start, origin: Instant::now(), skip: TimeDelta::zero(), latest: start }
    }

    pub(crate) fn now(&mut self) -> DateTime<Utc> {
        let time = Instant::now().saturating_duration_since(self.origin);
        let time = TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX);
        self.latest = self.latest.max(self.start + time + self.skip);
        self.latest
    }

    /// The moment as GitHub stores it: whole seconds.
    pub(crate) fn second(&mut self) -> DateTime<Utc> {
        self.now().trunc_subsecs(0)
    }

    pub(crate) fn skip(&mut self, time: TimeDelta) {
        self.skip += time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_follows_paused_time() {
        let mut clock = Clock::starting_at(start());
        tokio::time::sleep(std::time::Duration::from_secs(90)).await;
        assert_eq!(clock.second(), start() + TimeDelta::seconds(90));
    }

    #[test]
    fn the_clock_never_goes_back() {
        let mut clock = Clock::starting_at(start());
        clock.skip(TimeDelta::hours(2));
        let late = clock.now();
        clock.skip(TimeDelta::hours(-1));
        assert!(clock.now() >= late);
    }
}
