//! The receipt: what a step did, for its outputs, its summary and its exit code.

use crate::github::GitHubError;
use crate::names::{IssueRef, RepoName};
use crate::plan::Plan;
use crate::yaml::Place;

/// What a step did.
#[derive(Debug, Default)]
pub struct Receipt {
    /// The ticket with its page, if there is one.
    pub ticket: Option<(IssueRef, String)>,
    /// Whether this step opened the issue.
    pub created: Option<bool>,
    /// The comment that this step wrote: its id and its page.
    pub comment: Option<(u64, String)>,
    /// The issue that notify wrote to, with its page.
    pub issue: Option<(IssueRef, String)>,
    /// The effects that would happen.
    pub plan: Option<Plan>,
    /// What became of the targets, as JSON.
    pub results: Option<String>,
    /// Whether the ticket could be written; none where there was nothing to write.
    pub delivered: Option<bool>,
    /// Markdown for the job summary.
    pub summary: String,
    /// What went wrong.
    pub problems: Vec<Problem>,
}

/// Something that went wrong: what happened and where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line of a file or an input that it is about.
    pub place: Option<Place>,
    /// What happened, and where.
    pub what: String,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    /// This happened.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self { place: None, what: what.into(), help: None }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The same, at this place.
    #[must_use]
    pub fn at(self, place: &Place) -> Self {
        Self { place: Some(place.clone()), ..self }
    }

    /// `doing` came to nothing because of `error`.
    #[must_use]
    pub fn of(doing: &str, error: &GitHubError) -> Self {
        Self { place: None, what: format!("{doing}: {error}"), help: error.help() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.place.iter().try_for_each(|place| write!(f, "{place}: "))?;
        f.write_str(&self.what)?;
        self.help.iter().try_for_each(|help| write!(f, "\nhelp: {help}"))
    }
}

impl Receipt {
    /// The outputs of the contract. What this step has nothing to say of is blank.
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
            ("created", flag(self.created)),
            ("comment-id", self.comment.as_ref().map(|(id, _)| id.to_string()).unwrap_or_default()),
            ("comment-url", self.comment.as_ref().map(|(_, url)| url.clone()).unwrap_or_default()),
            ("issue-number", number(&self.issue)),
            ("issue-url", url(&self.issue)),
            ("plan", self.plan.as_ref().map(Plan::to_json).unwrap_or_default()),
            ("results", self.results.clone().unwrap_or_default()),
            ("delivered", flag(self.delivered)),
        ]
    }
}
