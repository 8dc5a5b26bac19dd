//! The pace of a rehearsal: as fast as possible, or slow enough to watch.

use std::time::Duration;

/// The pace of a rehearsal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    work: Duration,
    limit: Duration,
}

impl Pace {
    /// For people who wait for the end.
    pub(crate) const BRISK: Self = Self { work: Duration::from_millis(100), limit: Duration::from_secs(300) };

    /// For people who watch: a release of three targets takes more than a minute.
    pub(crate) const WATCHABLE: Self =
        Self { work: Duration::from_secs(10), limit: Duration::from_secs(1800) };

    /// Passes the time that a step of run `id` takes; it differs between runs.
    pub(crate) async fn work(&self, id: u64) {
        let parts = u32::try_from(id % 3).unwrap_or_default() + 2;
        tokio::time::sleep(self.work / 2 * parts).await;
    }

    /// Passes the time until a person has noticed something.
    pub(crate) async fn notice(&self) {
        tokio::time::sleep(self.work).await;
    }

    /// The time after which the rehearsal gives up.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }
}
