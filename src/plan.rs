//! The plan: what a mode decided to do, as values that can be printed, and applied.
//!
//! An [`Effect`] is the one description of a change. A dry run prints effects and stops; any other run
//! hands the same values to [`crate::apply`].

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

pub use crate::names::Created;
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

/// An issue that is to be opened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewIssue {
    /// Where.
    pub repository: RepoName,
    /// Its title.
    pub title: String,
    /// Its text, with the marker that holds the key.
    pub body: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Whom to assign, if GitHub lets them be.
    pub assignee: Option<Login>,
    /// By what it is found again.
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
    /// How many jobs have had such a reference for the same start before.
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
    /// The commit at which the tag is made.
    pub commit: String,
    /// Its title.
    pub name: String,
    /// Its text.
    pub body: String,
    /// The first line of its text, by which it is known again.
    #[serde(skip)]
    pub mark: String,
}

/// The start of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkflowStart {
    /// The target's name.
    pub target: TargetName,
    /// Where.
    pub repository: RepoName,
    /// The workflow's file.
    pub workflow: WorkflowFile,
    /// The branch or tag.
    #[serde(rename = "ref")]
    pub git_ref: GitRef,
    /// Its inputs, as they are sent.
    pub inputs: Map<String, Value>,
    /// The targets that were released before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<TargetName>,
}

/// An event that starts a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventStart {
    /// The target's name.
    pub target: TargetName,
    /// Where.
    pub repository: RepoName,
    /// The event's type.
    pub event_type: String,
    /// What it carries.
    pub client_payload: Map<String, Value>,
    /// The targets that were released before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<TargetName>,
}

/// One change on GitHub, or the decision to make none.
///
/// The number 0 stands for an issue that the plan opens.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Open an issue, unless one with its key was opened meanwhile.
    OpenIssue(Box<NewIssue>),
    /// Close an issue that another one came before.
    CloseDuplicate {
        /// Which.
        issue: IssueRef,
        /// The one that stays.
        of: IssueNumber,
    },
    /// Write a record of a ticket: into its comment, or as a new one.
    WriteRecord {
        /// On which ticket.
        issue: IssueRef,
        /// The comment that holds its earlier state.
        comment: Option<CommentId>,
        /// What it says.
        record: Box<Record>,
    },
    /// Write a comment: into an earlier one of ours, or as a new one.
    WriteComment {
        /// On which issue.
        issue: IssueRef,
        /// The earlier comment.
        comment: Option<CommentId>,
        /// Its text.
        body: String,
    },
    /// Bring the board up to date.
    UpdateBoard {
        /// On which ticket.
        issue: IssueRef,
    },
    /// Pin the board above the other comments.
    PinBoard {
        /// On which ticket.
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
        /// Where.
        repository: RepoName,
        /// How their names begin.
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
        /// Why.
        because: Reason,
    },
    /// Wait, and look again from time to time.
    Wait {
        /// For which targets.
        targets: Vec<TargetName>,
    },
    /// Cancel a run.
    CancelRun {
        /// The target's name.
        target: TargetName,
        /// Where.
        repository: RepoName,
        /// The run.
        run: RunId,
    },
    /// React to a comment.
    React {
        /// On which issue.
        issue: IssueRef,
        /// The comment.
        comment: CommentId,
        /// How.
        reaction: Reaction,
    },
    /// Open a closed issue again.
    ReopenIssue {
        /// Which.
        issue: IssueRef,
    },
    /// Close an issue, with a last comment.
    CloseIssue {
        /// Which.
        issue: IssueRef,
        /// The last comment; none where all is said.
        last_word: Option<String>,
    },
}

/// What came of an effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Applied {
    /// It happened, and there is nothing to say about it.
    Done,
    /// The issue is open.
    Opened {
        /// Which.
        issue: IssueRef,
        /// The issue in the browser.
        url: String,
        /// Whether this step opened it.
        created: bool,
    },
    /// The comment stands.
    Written(Comment),
    /// The board is up to date; none if there is nothing to show.
    Board(Option<Board>),
    /// The reference was created by this job, or exists.
    Ref(Created),
    /// The target was started, as this run if GitHub says so.
    Started(Option<(RunId, String)>),
}

/// The board after it was brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Board {
    /// Its comment.
    pub comment: CommentId,
    /// Whether this job created it.
    pub created: bool,
    /// Whether others have written meanwhile, so that it has to be brought up to date again.
    pub is_behind: bool,
}

impl Plan {
    /// Adds an effect at the end.
    pub fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Whether nothing would change.
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
                let start = format!("{workflow} in {repository} at {git_ref}{}", with(inputs));
                write!(f, "{}: {start}", when(target, after))
            }
            Self::SendEvent(EventStart { target, repository, event_type, client_payload, after }) => {
                let start = format!("send {event_type} to {repository}{}", with(client_payload));
                write!(f, "{}: {start}", when(target, after))
            }
            Self::Skip { target, because } => write!(f, "leave {target} alone: {}", because.plain()),
            Self::Wait { targets } => write!(f, "wait for {}", listed(targets)),
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

/// What a record says, in a few words.
fn title(record: &Record) -> String {
    match record {
        Record::Dispatch(dispatch) if dispatch.is_for_later() => {
            "what later dispatches go on with".to_owned()
        }
        Record::Dispatch(dispatch) => {
            let mut by_state: Vec<(&'static str, Vec<TargetName>)> = Vec::new();
            let states = dispatch.targets.iter().map(|start| (start.state.word(), &start.target));
            let followed = dispatch.followed.iter().map(|run| (run.standing().word(), &run.target));
            for (word, name) in states.chain(followed) {
                match by_state.iter_mut().find(|(known, _)| *known == word) {
                    Some((_, names)) => names.push(name.clone()),
                    None => by_state.push((word, vec![name.clone()])),
                }
            }
            let parts = by_state.iter().map(|(word, names)| format!("{} {word}", listed(names)));
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
                format!(" {}", listed(&decision.names))
            };
            let refused = if decision.outcome == Outcome::Accepted { "" } else { ", refused" };
            format!("{} of {}{about}{refused}", verb, decision.who.login)
        }
    }
}

/// `start web`, or `start docs when web is released`.
fn when(target: &TargetName, after: &[TargetName]) -> String {
    match after {
        [] => format!("start {target}"),
        [one] => format!("start {target} when {one} is released"),
        several => format!("start {target} when {} are released", listed(several)),
    }
}

fn listed(names: &[TargetName]) -> String {
    and(&names.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn with(inputs: &Map<String, Value>) -> String {
    let inputs: Vec<String> = inputs
        .iter()
        .map(|(name, value)| {
            format!("{name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        })
        .collect();
    if inputs.is_empty() { String::new() } else { format!(" with {}", inputs.join(", ")) }
}

/// An effect as people read it in the output `plan`.
#[derive(Serialize)]
#[serde(tag = "effect", rename_all = "kebab-case")]
enum Printed<'a> {
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
        let written = |issue: &IssueRef, comment: Option<CommentId>, body: String| match comment {
            None => Printed::CreateComment { issue: issue.to_string(), body },
            Some(comment) => Printed::EditComment { issue: issue.to_string(), comment, body },
        };
        let printed = match self {
            Self::OpenIssue(new) => Printed::OpenIssue(new),
            Self::CloseDuplicate { issue, of } => {
                Printed::CloseIssueAsDuplicate { issue: issue.to_string(), of: *of }
            }
            Self::WriteRecord { issue, comment, record } => written(issue, *comment, record.render()),
            Self::WriteComment { issue, comment, body } => written(issue, *comment, body.clone()),
            Self::UpdateBoard { issue } => Printed::UpdateBoard { issue: issue.to_string() },
            Self::PinBoard { issue, .. } => Printed::PinBoard { issue: issue.to_string() },
            Self::PublishRelease(new) => Printed::PublishRelease(new),
            Self::CreateRef(new) => Printed::CreateRef(new),
            Self::DeleteRefs { repository, prefix } => Printed::DeleteRefs { repository, prefix },
            Self::StartWorkflow(start) => Printed::StartWorkflow(start),
            Self::SendEvent(start) => Printed::SendEvent(start),
            Self::Skip { target, because } => Printed::Skip { target, because: because.plain() },
            Self::Wait { targets } => Printed::Wait { targets },
            Self::CancelRun { target, repository, run } => {
                Printed::CancelRun { target, repository, run: *run }
            }
            Self::React { issue, comment, reaction } => {
                Printed::React { issue: issue.to_string(), comment: *comment, reaction: *reaction }
            }
            Self::ReopenIssue { issue } => Printed::ReopenIssue { issue: issue.to_string() },
            Self::CloseIssue { issue, last_word } => {
                Printed::CloseIssue { issue: issue.to_string(), last_word: last_word.as_deref() }
            }
        };
        printed.serialize(serializer)
    }
}
