//! The stop of a cancelled dispatch. It waits a moment for an issue or a record that it is just creating, so that it
//! knows the result. It drops all other requests, and later looks for their effects.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The time to wait for a creation: most of the time to wind up is for the steps after it.
const CREATING: Duration = Duration::from_secs(2);

/// Whether a dispatch has to stop, and whether it is creating its ticket or a record.
#[derive(Debug, Default)]
pub(super) struct Stop {
    is_due: AtomicBool,
    is_creating: AtomicBool,
}

impl Stop {
    /// Whether the dispatch performs no further step.
    pub(super) fn is_due(&self) -> bool {
        self.is_due.load(Ordering::Relaxed)
    }

    /// Awaits `work`, which creates something.
    pub(super) async fn track_creation<T>(&self, work: impl Future<Output = T>) -> T {
        self.is_creating.store(true, Ordering::Relaxed);
        let output = work.await;
        self.is_creating.store(false, Ordering::Relaxed);
        output
    }

    /// Stops `drive`: at once, or after the creation that is under way.
    pub(super) async fn after_creation(&self, drive: impl Future<Output = ()>) {
        self.is_due.store(true, Ordering::Relaxed);
        if self.is_creating.load(Ordering::Relaxed) && tokio::time::timeout(CREATING, drive).await.is_err() {
            tracing::info!(
                "GitHub did not answer in time; the next run of the job finds anything that this step created"
            );
        }
    }
}
