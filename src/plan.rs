//! The plan: the decisions of a mode, as values that can be printed and applied.
//!
//! An [`Effect`] describes a change. A dry run prints effects and stops; any other run passes the same values to
//! [`crate::apply`].

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

pub use crate::names::Creation;
use crate::names::{
    CommentId, GitRef, IssueNumber, IssueRef, Login, Reaction, RepoName, RunId, TargetName, WorkflowFile,
};
use crate::ticket::decision::Outcome;
use crate::ticket::reason::and;
use crate::ticket::{Comment, Key, Reason, Record, Verb};

/// The effects that a mode decided on, in their order.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Plan {
    effects: Vec<Effect>,
}

/// An issue to open.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewIssue {
    /// The repository in which it is opened.
    pub repository: RepoName,
    /// Its title.
    pub title: String,
    /// Its text, with the marker that holds the key.
    pub body: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// The person to assign, if GitHub permits it.
    pub assignee: Option<Login>,
    /// Its key, by which later jobs find it.
    #[serde(skip)]
    pub key: Key,
}

/// A git reference that claims a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewRef {
    /// The target's name.
    pub target: TargetName,
    /// The hub.
    pub repository: RepoName,
    /// The reference's name.
    #[serde(rename = "ref")]
    pub name: String,
    /// The commit that it names.
    pub sha: String,
    /// The number of jobs that had such a reference for the same start before.
    #[serde(skip)]
    pub turn: u32,
}

/// A release of the hub that publishes the release's record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordRelease {
    /// The hub.
    pub repository: RepoName,
    /// Its tag.
    pub tag: String,
    /// The commit of the tag.
    pub commit: String,
    /// Its title.
    pub name: String,
    /// Its text.
    pub body: String,
    /// The first line of its text, by which later jobs recognize it.
    #[serde(skip)]
    pub mark: String,
}

/// The start of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkflowStart {
    /// The target's name.
    pub target: TargetName,
    /// The repository with the workflow.
    pub repository: RepoName,
    /// The workflow's file.
    pub workflow: WorkflowFile,
    /// The branch or tag.
    #[serde(rename = "ref")]
    pub git_ref: GitRef,
    /// Its inputs, as they are sent.
    pub inputs: Map<String, Value>,
    /// The targets that have to be released first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<TargetName>,
}

/// An event that starts a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventStart {
    /// The target's name.
    pub target: TargetName,
    /// The repository that gets the event.
    pub repository: RepoName,
    /// The event's type.
    pub event_type: String,
    /// Its payload.
    pub client_payload: Map<String, Value>,
    /// The targets that have to be released first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<TargetName>,
}

/// One change on GitHub, or the decision to make none.
///
/// The number 0 stands for an issue that the plan opens.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Open an issue, unless another job has opened one with the same key.
    OpenIssue(Box<NewIssue>),
    /// Close an issue as a duplicate of an earlier one.
    CloseDuplicate {
        /// The duplicate.
        issue: IssueRef,
        /// The issue that stays.
        of: IssueNumber,
    },
    /// Write a record of a ticket: into its comment, or as a new one.
    WriteRecord {
        /// The ticket.
        issue: IssueRef,
        /// The comment that holds its earlier state.
        comment: Option<CommentId>,
        /// The record.
        record: Box<Record>,
    },
    /// Write a comment: into an earlier one of ours, or as a new one.
    WriteComment {
        /// The issue.
        issue: IssueRef,
        /// The earlier comment.
        comment: Option<CommentId>,
        /// Its text.
        body: String,
    },
    /// Bring the board up to date.
    UpdateBoard {
        /// The ticket.
        issue: IssueRef,
    },
    /// Pin the board above the other comments.
    PinBoard {
        /// The ticket.
        issue: IssueRef,
        /// The board.
        comment: CommentId,
    },
    /// Publish the release's record as a release of the hub: edit the one that is there, if this action published it.
    PublishRelease(Box<RecordRelease>),
    /// Create a git reference of the hub that only one job can create.
    CreateRef(NewRef),
    /// Delete the git references by which the targets of a ticket were claimed.
    DeleteRefs {
        /// The hub.
        repository: RepoName,
        /// The beginning of their names.
        prefix: String,
    },
    /// Start a workflow.
    StartWorkflow(WorkflowStart),
    /// Send an event to a repository.
    SendEvent(EventStart),
    /// Leave a target alone.
    Skip {
        /// The target's name.
        target: TargetName,
        /// The reason.
        reason: Reason,
    },
    /// Wait, and read again from time to time.
    Wait {
        /// The targets to wait for.
        targets: Vec<TargetName>,
    },
    /// Cancel a run.
    CancelRun {
        /// The target's name.
        target: TargetName,
        /// The repository of the run.
        repository: RepoName,
        /// The run.
        run: RunId,
    },
    /// React to a comment.
    React {
        /// The issue.
        issue: IssueRef,
        /// The comment.
        comment: CommentId,
        /// The reaction.
        reaction: Reaction,
    },
    /// Open a closed issue again.
    ReopenIssue {
        /// The issue.
        issue: IssueRef,
    },
    /// Close an issue, with a last comment.
    CloseIssue {
        /// The issue.
        issue: IssueRef,
        /// The last comment, if there is something left to say.
        last_word: Option<String>,
    },
}

/// The outcome of an effect that succeeded.
#[derive(Debug, Clone, PartialEq)]
pub enum EffectOutcome {
    /// The effect was applied, and has nothing to report.
    Done,
    /// The issue is open.
    Opened {
        /// Its reference.
        issue: IssueRef,
        /// The issue in the browser.
        url: String,
        /// Whether this step opened it.
        is_new: bool,
    },
    /// The comment was written.
    Written(Comment),
    /// The board is up to date; `None` if there is nothing to show.
    Board(Option<Board>),
    /// This job has created the git reference, or another job has.
    Ref(Creation),
    /// The target was started; with its run, if GitHub names it.
    Started(Option<(RunId, String)>),
}

/// The board after an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Board {
    /// Its comment.
    pub comment: CommentId,
    /// Whether this job created it.
    pub is_new: bool,
    /// Whether other jobs have written meanwhile, so that it needs another update.
    pub is_behind: bool,
}

impl Plan {
    /// Adds an effect at the end.
    pub fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Whether the plan has no effect.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
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
            Self::OpenIssue(new) => {
                let NewIssue { repository, title, labels, assignee, .. } = &**new;
                write!(f, "open an issue in {repository}: {title} (labels: {})", labels.join(", "))?;
                assignee.iter().try_for_each(|login| write!(f, ", assigned to {login}"))?;
                f.write_str("; `0` stands for its number below")
            }
            Self::CloseDuplicate { issue, of } => write!(f, "close {issue} as a duplicate of #{of}"),
            Self::WriteRecord { issue, comment: None, record } => {
                write!(f, "comment on {issue}: {}", title(record))
            }
            Self::WriteRecord { issue, comment: Some(comment), record } => {
                write!(f, "edit comment {comment} on {issue}: {}", title(record))
            }
            Self::WriteComment { issue, comment: None, .. } => write!(f, "comment on {issue}"),
            Self::WriteComment { issue, comment: Some(comment), .. } => {
                write!(f, "edit comment {comment} on {issue}")
            }
            Self::UpdateBoard { issue } => write!(f, "bring the board of {issue} up to date"),
            Self::PinBoard { issue, .. } => write!(f, "pin the board of {issue}"),
            Self::PublishRelease(new) => {
                write!(f, "publish the record of the release as {} of {}", new.tag, new.repository)
            }
            Self::CreateRef(new) => write!(f, "claim {} by {} in {}", new.target, new.name, new.repository),
            Self::DeleteRefs { repository, prefix } => {
                write!(f, "delete the references {prefix}* of {repository}")
            }
            Self::StartWorkflow(WorkflowStart { target, repository, workflow, git_ref, inputs, after }) => {
                let start = format!("{workflow} in {repository} at {git_ref}{}", inputs_clause(inputs));
                write!(f, "{}: {start}", start_clause(target, after))
            }
            Self::SendEvent(EventStart { target, repository, event_type, client_payload, after }) => {
                let start = format!("send {event_type} to {repository}{}", inputs_clause(client_payload));
                write!(f, "{}: {start}", start_clause(target, after))
            }
            Self::Skip { target, reason } => write!(f, "leave {target} alone: {}", reason.plain()),
            Self::Wait { targets } => write!(f, "wait for {}", name_list(targets)),
            Self::CancelRun { target, repository, run } => {
                write!(f, "cancel {target}, run {run} of {repository}")
            }
            Self::React { issue, comment, reaction } => {
                write!(f, "react to comment {comment} of {issue} with {}", reaction.as_str())
            }
            Self::ReopenIssue { issue } => write!(f, "reopen {issue}"),
            Self::CloseIssue { issue, last_word: None } => write!(f, "close {issue}"),
            Self::CloseIssue { issue, last_word: Some(word) } => write!(f, "close {issue}, saying: {word}"),
        }
    }
}

/// The content of a record in a few words.
fn title(record: &Record) -> String {
    match record {
        Record::Dispatch(dispatch) if dispatch.is_for_later() => "the inputs for later dispatches".to_owned(),
        Record::Dispatch(dispatch) => {
            let mut by_state: Vec<(&'static str, Vec<TargetName>)> = Vec::new();
            let states = dispatch.targets.iter().map(|start| (start.state.word(), &start.target));
            let runs = dispatch.followed_runs.iter().map(|run| (run.status_by_github().word(), &run.target));
            for (word, name) in states.chain(runs) {
                match by_state.iter_mut().find(|(state, _)| *state == word) {
                    Some((_, names)) => names.push(name.clone()),
                    None => by_state.push((word, vec![name.clone()])),
                }
            }
            let parts = by_state.iter().map(|(word, names)| format!("{} {word}", name_list(names)));
            parts.collect::<Vec<_>>().join("; ")
        }
        Record::Report(report) => {
            let stages =
                report.stages.iter().map(|stage| format!("{} {}", stage.stage, stage.status.label()));
            stages.collect::<Vec<_>>().join("; ")
        }
        Record::Release(release) => {
            let name = release.release.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
            format!("the record of the release{name}")
        }
        Record::Notice(notice) => crate::ticket::text::first_line(&notice.message).to_owned(),
        Record::Decision(decision) => {
            let verb = decision.verb().map_or("an unknown command", Verb::as_str);
            let about = if decision.names.is_empty() {
                String::new()
            } else {
                format!(" {}", name_list(&decision.names))
            };
            let refusal = if decision.outcome == Outcome::Accepted { "" } else { ", refused" };
            format!("{} of {}{about}{refusal}", verb, decision.who.login)
        }
    }
}

/// `start web`, or `start docs when web is released`.
fn start_clause(target: &TargetName, after: &[TargetName]) -> String {
    match after {
        [] => format!("start {target}"),
        [one] => format!("start {target} when {one} is released"),
        several => format!("start {target} when {} are released", name_list(several)),
    }
}

fn name_list(names: &[TargetName]) -> String {
    and(&names.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn inputs_clause(inputs: &Map<String, Value>) -> String {
    let inputs: Vec<String> = inputs
        .iter()
        .map(|(name, value)| {
            format!("{name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        })
        .collect();
    if inputs.is_empty() { String::new() } else { format!(" with {}", inputs.join(", ")) }
}

/// An effect in the output `plan`.
#[derive(Serialize)]
#[serde(tag = "effect", rename_all = "kebab-case")]
enum JsonEffect<'a> {
    OpenIssue(&'a NewIssue),
    CloseIssueAsDuplicate {
        issue: String,
        of: IssueNumber,
    },
    CreateComment {
        issue: String,
        body: String,
    },
    EditComment {
        issue: String,
        comment: CommentId,
        body: String,
    },
    UpdateBoard {
        issue: String,
    },
    PinBoard {
        issue: String,
    },
    PublishRelease(&'a RecordRelease),
    CreateRef(&'a NewRef),
    DeleteRefs {
        repository: &'a RepoName,
        prefix: &'a str,
    },
    StartWorkflow(&'a WorkflowStart),
    SendEvent(&'a EventStart),
    Skip {
        target: &'a TargetName,
        because: String,
    },
    Wait {
        targets: &'a [TargetName],
    },
    CancelRun {
        target: &'a TargetName,
        repository: &'a RepoName,
        run: RunId,
    },
    React {
        issue: String,
        comment: CommentId,
        reaction: Reaction,
    },
    ReopenIssue {
        issue: String,
    },
    CloseIssue {
        issue: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        last_word: Option<&'a str>,
    },
}

impl Serialize for Effect {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let comment_effect = |issue: &IssueRef, comment: Option<CommentId>, body: String| match comment {
            None => JsonEffect::CreateComment { issue: issue.to_string(), body },
            Some(comment) => JsonEffect::EditComment { issue: issue.to_string(), comment, body },
        };
        let effect = match self {
            Self::OpenIssue(new) => JsonEffect::OpenIssue(new),
            Self::CloseDuplicate { issue, of } => {
                JsonEffect::CloseIssueAsDuplicate { issue: issue.to_string(), of: *of }
            }
            Self::WriteRecord { issue, comment, record } => comment_effect(issue, *comment, record.render()),
            Self::WriteComment { issue, comment, body } => comment_effect(issue, *comment, body.clone()),
            Self::UpdateBoard { issue } => JsonEffect::UpdateBoard { issue: issue.to_string() },
            Self::PinBoard { issue, .. } => JsonEffect::PinBoard { issue: issue.to_string() },
            Self::PublishRelease(new) => JsonEffect::PublishRelease(new),
            Self::CreateRef(new) => JsonEffect::CreateRef(new),
            Self::DeleteRefs { repository, prefix } => JsonEffect::DeleteRefs { repository, prefix },
            Self::StartWorkflow(start) => JsonEffect::StartWorkflow(start),
            Self::SendEvent(start) => JsonEffect::SendEvent(start),
            Self::Skip { target, reason } => JsonEffect::Skip { target, because: reason.plain() },
            Self::Wait { targets } => JsonEffect::Wait { targets },
            Self::CancelRun { target, repository, run } => {
                JsonEffect::CancelRun { target, repository, run: *run }
            }
            Self::React { issue, comment, reaction } => {
                JsonEffect::React { issue: issue.to_string(), comment: *comment, reaction: *reaction }
            }
            Self::ReopenIssue { issue } => JsonEffect::ReopenIssue { issue: issue.to_string() },
            Self::CloseIssue { issue, last_word } => {
                JsonEffect::CloseIssue { issue: issue.to_string(), last_word: last_word.as_deref() }
            }
        };
        effect.serialize(serializer)
    }
}
