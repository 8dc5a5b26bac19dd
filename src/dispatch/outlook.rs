//! What a dispatch knows of its ticket and targets before it begins, for the outputs of a step that is cancelled while it
//! prepares.

use super::Hub;
use crate::engine::results;
use crate::names::{IssueRef, RepoName, TargetName};
use crate::receipt::Receipt;

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    /// The ticket with its page, where it is named or was found.
    pub(super) ticket: Option<(IssueRef, String)>,
    /// The targets that are meant.
    pub(super) targets: Vec<(TargetName, RepoName)>,
}

impl Outlook {
    /// What the step itself says.
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
            receipt.delivered = Some(false);
            let targets = self.targets.iter().map(|(name, repository)| results::untouched(name, repository));
            receipt.results = Some(targets.collect::<serde_json::Value>().to_string());
        }
    }
}
