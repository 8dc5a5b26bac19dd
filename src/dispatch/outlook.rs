//! The ticket and targets of a dispatch that has not begun, for the outputs of a step that is cancelled while it
//! prepares.

use super::Hub;
use crate::engine::results;
use crate::names::{IssueRef, RepoName, TargetName};
use crate::receipt::Receipt;

#[derive(Debug, Default)]
pub(super) struct Outlook {
    /// The ticket with its page, if the step names it or has found it.
    pub(super) ticket: Option<(IssueRef, String)>,
    /// The targets of this step.
    pub(super) targets: Vec<(TargetName, RepoName)>,
}

impl Outlook {
    /// The outlook by the step's inputs alone.
    pub(super) fn of(hub: Hub<'_>) -> Self {
        let ticket = hub.common.ticket.clone();
        let ticket = ticket.map(|ticket| (ticket.clone(), hub.job.issue_url(&ticket)));
        Self { ticket, targets: Vec::new() }
    }

    /// Writes it into the receipt of a step that was cancelled before it changed anything.
    pub(super) fn fill(self, receipt: &mut Receipt, dry_run: bool) {
        receipt.is_cancelled = true;
        receipt.ticket = self.ticket;
        if !dry_run {
            receipt.is_delivered = Some(false);
            let targets =
                self.targets.iter().map(|(name, repository)| results::untouched_result(name, repository));
            receipt.results = Some(targets.collect::<serde_json::Value>().to_string());
        }
    }
}
