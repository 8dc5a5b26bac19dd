//! Cancellation: the runner interrupts a step, and the step has a few seconds to wind up.

use std::pin::{Pin, pin};
use std::time::Duration;

use futures::future::{Either, select};

/// The time that a step has after the runner [cancels
/// it](https://docs.github.com/actions/how-tos/manage-workflow-runs/cancel-a-workflow-run): the runner interrupts the
/// step, terminates it 7.5 s later, and kills it 2.5 s after that.
const GRACE: Duration = Duration::from_secs(7);

/// The part of this time for the revocation of tokens.
pub const REVOCATION_LIMIT: Duration = Duration::from_millis(1_500);

/// The part of this time for the rest of the wind-up.
pub const WIND_UP_LIMIT: Duration = GRACE.saturating_sub(REVOCATION_LIMIT);

/// A future that ends when the runner cancels the step.
pub type Cancellation<'a> = Pin<&'a mut dyn Future<Output = ()>>;

/// The result of `work`; `None` if the runner cancels the step before. Then `cancellation` has ended, and the caller
/// must not await it again.
pub async fn unless<T>(cancellation: &mut Cancellation<'_>, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), cancellation).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(_) => {
            tracing::warn!("the step is cancelled");
            None
        }
    }
}
