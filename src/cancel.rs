//! Cancellation: the runner interrupts a step, and the step has a few seconds to wind up.

use std::pin::{Pin, pin};
use std::time::Duration;

use futures::future::{Either, select};

/// What is left after the runner [cancels a step](https://docs.github.com/actions/how-tos/manage-workflow-runs/cancel-a-workflow-run):
/// it interrupts, terminates 7.5 s later, and kills 2.5 s after that.
const GRACE: Duration = Duration::from_secs(7);

/// How long revoking tokens may take then.
pub const REVOKING: Duration = Duration::from_millis(1_500);

/// How long winding up may take.
pub const WINDING_UP: Duration = GRACE.saturating_sub(REVOKING);

/// Ends when the runner cancels the step.
pub type Cancelled<'a> = Pin<&'a mut dyn Future<Output = ()>>;

/// Does `work`; `None` if the step is cancelled before it is done. Then `cancelled` has ended, and must not
/// be waited for again.
pub async fn unless<T>(cancelled: &mut Cancelled<'_>, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), cancelled).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => {
            tracing::warn!("the step is cancelled");
            None
        }
    }
}
