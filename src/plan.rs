//! The plan: the effects that a mode decided on, as a value that can be printed.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::names::{CommentId, IssueRef, Login, RepoName};

/// The effects that a mode decided on, in their order.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Plan {
    effects: Vec<Effect>,
}

/// One change on GitHub.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "effect", rename_all = "kebab-case")]
pub enum Effect {
    /// Open an issue.
    OpenIssue {
        /// Where.
        repository: RepoName,
        /// Its title.
        title: String,
        /// Its text.
        body: String,
        /// Its labels.
        labels: Vec<String>,
        /// Whom to assign.
        assignee: Option<Login>,
    },
    /// Start a workflow.
    StartWorkflow {
        /// The target's name.
        target: String,
        /// Where.
        repository: RepoName,
        /// The workflow's file.
        workflow: String,
        /// The branch or tag.
        #[serde(rename = "ref")]
        git_ref: String,
        /// Its inputs, as they are sent.
        inputs: Map<String, Value>,
        /// The targets that have to be released before.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        after: Vec<String>,
    },
    /// Send an event to a repository.
    SendEvent {
        /// The target's name.
        target: String,
        /// Where.
        repository: RepoName,
        /// The event's type.
        event_type: String,
        /// What it carries.
        client_payload: Map<String, Value>,
        /// The targets that have to be released before.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        after: Vec<String>,
    },
    /// Leave a target alone.
    Skip {
        /// The target's name.
        target: String,
        /// Why.
        because: String,
    },
    /// Write a comment.
    CreateComment {
        /// On which issue.
        issue: Issue,
        /// Its text.
        body: String,
    },
    /// Put a new text into a comment of ours.
    EditComment {
        /// On which issue.
        issue: Issue,
        /// Which comment.
        comment: CommentId,
        /// Its new text.
        body: String,
    },
    /// Bring the board up to date.
    UpdateBoard {
        /// On which ticket.
        issue: Issue,
    },
    /// Open a closed issue again.
    ReopenIssue {
        /// Which.
        issue: Issue,
    },
    /// Close an issue.
    CloseIssue {
        /// Which.
        issue: Issue,
    },
}

/// An issue in a plan: one that is there, or the one that the plan opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issue {
    /// It is there.
    Known(IssueRef),
    /// It will be opened here, and has no number yet.
    New(RepoName),
}

impl From<IssueRef> for Issue {
    fn from(issue: IssueRef) -> Self {
        Self::Known(issue)
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(issue) => issue.fmt(f),
            Self::New(repository) => write!(f, "{repository}#(new)"),
        }
    }
}

impl Serialize for Issue {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Plan {
    /// Adds an effect at the end.
    pub fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// The plan as one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("effects have string keys")
    }
}

impl FromIterator<Effect> for Plan {
    fn from_iter<I: IntoIterator<Item = Effect>>(effects: I) -> Self {
        Self { effects: effects.into_iter().collect() }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.effects.is_empty() {
            return f.write_str("nothing would change\n");
        }
        self.effects.iter().try_for_each(|effect| writeln!(f, "{effect}"))
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenIssue { repository, title, labels, assignee, .. } => {
                write!(f, "open an issue in {repository}: {title} (labels: {})", labels.join(", "))?;
                assignee.iter().try_for_each(|login| write!(f, ", assigned to {login}"))?;
                f.write_str("; `0` stands for its number below")
            }
            Self::StartWorkflow { target, repository, workflow, git_ref, inputs, after } => {
                let start = format!("{workflow} in {repository} at {git_ref}{}", shown(inputs));
                write!(f, "{}: {start}", when(target, after))
            }
            Self::SendEvent { target, repository, event_type, client_payload, after } => {
                let start = format!("send {event_type} to {repository}{}", shown(client_payload));
                write!(f, "{}: {start}", when(target, after))
            }
            Self::Skip { target, because } => write!(f, "leave {target} alone: {because}"),
            Self::CreateComment { issue, .. } => write!(f, "comment on {issue}"),
            Self::EditComment { issue, comment, .. } => write!(f, "edit comment {comment} on {issue}"),
            Self::UpdateBoard { issue } => write!(f, "bring the board of {issue} up to date"),
            Self::ReopenIssue { issue } => write!(f, "reopen {issue}"),
            Self::CloseIssue { issue } => write!(f, "close {issue}"),
        }
    }
}

/// `start web`, or `start docs when web is released`.
fn when(target: &str, after: &[String]) -> String {
    match after {
        [] => format!("start {target}"),
        [one] => format!("start {target} when {one} is released"),
        several => format!("start {target} when {} are released", several.join(" and ")),
    }
}

fn shown(inputs: &Map<String, Value>) -> String {
    let inputs: Vec<String> = inputs
        .iter()
        .map(|(name, value)| {
            format!("{name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        })
        .collect();
    if inputs.is_empty() { String::new() } else { format!(" with {}", inputs.join(", ")) }
}
