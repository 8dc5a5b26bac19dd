//! The receipt: the results of a step, for its outputs, its summary and its exit code.

use crate::names::{IssueRef, RepoName};
use crate::plan::Plan;
use crate::problem::Problem;

/// The results of a step.
#[derive(Debug, Default)]
pub struct Receipt {
    /// The ticket with its page, if there is one.
    pub ticket: Option<(IssueRef, String)>,
    /// Whether this step opened the issue; `None`: the output is blank.
    pub has_opened_issue: Option<bool>,
    /// The comment that this step wrote: its id and its page.
    pub comment: Option<(u64, String)>,
    /// The issue that notify wrote to, with its page.
    pub issue: Option<(IssueRef, String)>,
    /// The effects of a dry run, which it does not apply.
    pub plan: Option<Plan>,
    /// The results of the targets, as JSON.
    pub results: Option<String>,
    /// The steps for people: `review web`.
    pub waiting_for: Vec<String>,
    /// The file of the workspace with the release's record.
    pub record_path: Option<String>,
    /// Whether the ticket was written; `None` if there was nothing to write.
    pub is_delivered: Option<bool>,
    /// Markdown for the job summary.
    pub summary: String,
    /// Failures of the release itself: they fail the step in any case.
    pub failures: Vec<Problem>,
    /// Problems of the delivery: they fail the step according to `fail-on-error`.
    pub problems: Vec<Problem>,
    /// Whether the runner cancelled the step before its end.
    pub is_cancelled: bool,
}

impl Receipt {
    /// The outputs of the contract, by name. An output without a result is blank.
    #[must_use]
    pub fn outputs(&self) -> Vec<(&'static str, String)> {
        let number = |issue: &Option<(IssueRef, String)>| {
            issue.as_ref().map(|(issue, _)| issue.number.to_string()).unwrap_or_default()
        };
        let url = |issue: &Option<(IssueRef, String)>| {
            issue.as_ref().map(|(_, url)| url.clone()).unwrap_or_default()
        };
        let repository: Option<&RepoName> = self.ticket.as_ref().map(|(ticket, _)| &ticket.repository);
        let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string()).unwrap_or_default();
        vec![
            ("ticket-number", number(&self.ticket)),
            ("ticket-url", url(&self.ticket)),
            ("ticket-repository", repository.map(ToString::to_string).unwrap_or_default()),
            ("created", flag(self.has_opened_issue)),
            ("comment-id", self.comment.as_ref().map(|(id, _)| id.to_string()).unwrap_or_default()),
            ("comment-url", self.comment.as_ref().map(|(_, url)| url.clone()).unwrap_or_default()),
            ("issue-number", number(&self.issue)),
            ("issue-url", url(&self.issue)),
            ("plan", self.plan.as_ref().map(Plan::to_json).unwrap_or_default()),
            ("results", self.results.clone().unwrap_or_default()),
            ("waiting-for", self.waiting_for.join(", ")),
            ("record-path", self.record_path.clone().unwrap_or_default()),
            ("delivered", flag(self.is_delivered)),
        ]
    }
}
