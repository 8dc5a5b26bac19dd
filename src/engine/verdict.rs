//! The verdict on a target: it is started, or why it is not.
//!
//! It follows from the ticket's log, so that any hub job, at any time, comes to the same: the next
//! dispatch of the same ticket starts what has become ready, and nothing a second time.

use super::ready::Ready;
use super::view::View;
use crate::names::{RunId, TargetName};
use crate::ticket::claim::Standing;
use crate::ticket::{Reason, TargetStatus};

/// What happens to a target next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is started, unless another hub job claimed it first.
    Start,
    /// It is not started, or not yet.
    Hold(Reason),
}

impl View<'_> {
    /// What happens to a target next.
    pub(super) fn verdict(&self, ready: &Ready) -> Verdict {
        let name = ready.name();
        let status = self.ticket.targets.get(name).map(|target| target.status);
        match (self.standing(name, None), status) {
            (Standing::Started { run, run_url }, status) => {
                return Verdict::Hold(started(run, run_url, status));
            }
            (Standing::Unreadable(comment), _) => return Verdict::Hold(Reason::Unreadable { comment }),
            // A word of a newer release decides how it stands: it is never free.
            (_, Some(TargetStatus::Held)) if let Some(comment) = self.ticket.unreadable.first() => {
                return Verdict::Hold(Reason::Unreadable { comment: *comment });
            }
            // Somebody released it by hand.
            (Standing::Free, Some(status)) if status.is_released() && self.again(name).is_none() => {
                return Verdict::Hold(Reason::Released { status });
            }
            _ => {}
        }
        let targets: Vec<TargetName> =
            self.ticket.awaited(&ready.target.needs).map(|(needed, _)| needed.clone()).collect();
        if targets.is_empty() { Verdict::Start } else { Verdict::Hold(Reason::Needs { targets }) }
    }
}

fn started(run: Option<RunId>, run_url: Option<String>, status: Option<TargetStatus>) -> Reason {
    match status {
        Some(status) if status.is_released() => Reason::Released { status },
        _ => {
            let run_url = run_url.or(run.map(|_| "its run".to_owned()));
            Reason::Started { run_url, status: status.filter(|status| status.is_bad()) }
        }
    }
}
