//! How a dispatch that is cancelled comes to a stop: what it is just creating on the ticket is awaited for a moment, so
//! that it knows what it has created; the rest is dropped, and looked for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long it waits for what it is creating: most of the time to wind up is for what comes then.
const CREATING: Duration = Duration::from_secs(2);

/// Whether a dispatch is to stop, and whether it is creating its ticket or a record.
#[derive(Debug, Default)]
pub(super) struct Stop {
    is_due: AtomicBool,
    is_creating: AtomicBool,
}

impl Stop {
    /// Whether no further step is to be performed.
    pub(super) fn is_due(&self) -> bool {
        self.is_due.load(Ordering::Relaxed)
    }

    /// Does `work`, which creates something.
    pub(super) async fn creating<T>(&self, work: impl Future<Output = T>) -> T {
        self.is_creating.store(true, Ordering::Relaxed);
        let created = work.await;
        self.is_creating.store(false, Ordering::Relaxed);
        created
    }

    /// Stops `driving`: at once, or as soon as what it is creating is there.
    pub(super) async fn once_created(&self, driving: impl Future<Output = ()>) {
        self.is_due.store(true, Ordering::Relaxed);
        if self.is_creating.load(Ordering::Relaxed) && tokio::time::timeout(CREATING, driving).await.is_err()
        {
            tracing::info!(
                "GitHub does not say in time what it has created; the next run of the job finds it"
            );
        }
    }
}
