//! The request to a hub job.
//!
//! `dispatch` builds it from the step's inputs, the targets file and the targets' repositories: the engine reads no
//! input.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Map;

use super::ready::ReadyTarget;
use super::wording::Wording;
use crate::command::Command;
use crate::form::Answers;
use crate::names::{CommentId, Login, TargetName};
use crate::problem::Problem;
use crate::ticket::decision::Person;
use crate::ticket::{Dispatch, EventInputs, FollowedRun, PingEvents, Rules, Start, Watch, Writer};

/// The request to a hub job.
#[derive(Debug, Clone)]
pub struct Request {
    /// The job that acts.
    pub by: Writer,
    /// Its run in the browser.
    pub run_url: String,
    /// The runs of its workflow in the browser; `None` if they are not known.
    pub workflow_url: Option<String>,
    /// The person responsible for the release.
    pub driver: Option<Login>,
    /// Whether the step has a driver as its input: if not, the ticket's driver stays.
    pub is_new_driver: bool,
    /// The name or version of the release.
    pub release: Option<String>,
    /// The answers of the ticket's form to record, for later dispatches.
    pub form: Option<Answers>,
    /// The inputs of the event to record, for later dispatches.
    pub inputs: Option<EventInputs>,
    /// The gates and freezes of the targets file; `None` if this step has not read it.
    pub rules: Option<Rules>,
    /// The command that started the job, if one did.
    pub command: Option<CommandRequest>,
    /// The problems that keep this step from starting anything. A command still gets its answer.
    pub obstacles: Vec<Problem>,
    /// The targets to release, in the order of the list.
    pub targets: Vec<ReadyTarget>,
    /// The names of all targets of the list, also of those that this job leaves alone.
    pub target_names: Vec<TargetName>,
    /// The failed targets to start again.
    pub retry: Retry,
    /// How the job follows the runs to their end; `None` if it does not.
    pub follow: Option<Follow>,
    /// Whether the job cancels the runs that it started when it is out of time or cancelled.
    pub cancel_runs: bool,
    /// Whether the job closes the ticket when every target is released.
    pub close: bool,
    /// Whether the job writes the release's record when every target is released.
    pub writes_release_record: bool,
    /// The place where the job publishes the record as a release of the hub; `None` if it does not.
    pub publication: Option<Publication>,
    /// The events for which the job pings people.
    pub pings: PingEvents,
    /// The kind of claim by which one of several hub jobs starts a target.
    pub claim: Claim,
    /// The largest number of starts at the same time.
    pub max_parallel: usize,
    /// The time for which the job waits for another one that claimed a target first.
    pub patience: Patience,
    /// The texts of the ticket, and the inputs of the targets.
    pub wording: Wording,
    /// Whether the job was cancelled: then it starts no more targets.
    pub wind_up: bool,
}

/// A comment with a command, parsed and checked without a look at the release.
#[derive(Debug, Clone)]
pub struct CommandRequest {
    /// The comment.
    pub comment: CommentId,
    /// The comment in the browser.
    pub comment_url: String,
    /// The comment's author.
    pub author: Person,
    /// The command, or the problem for which it is refused.
    pub command: Result<Command, Problem>,
    /// The problem with which the job cannot go on: a re-run of the job reads the command again.
    pub failure: Option<Problem>,
    /// The gates that this person may approve or reject.
    pub gates: BTreeSet<TargetName>,
}

/// How the release's record is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The tag; `None` stands for a tag that names the ticket.
    pub tag: Option<String>,
    /// The commit of the hub for the tag.
    pub commit: String,
}

/// The kind of claim by which one of several hub jobs starts a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The first comment with a claim counts.
    Comment,
    /// The job that creates a git reference in the hub starts the target.
    Ref {
        /// The commit of the hub for the reference.
        sha: String,
    },
}

/// The choice of the failed targets that are started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// No target.
    Nothing,
    /// The targets that the step names, unless this very run of the hub started them.
    Named,
    /// All failed targets.
    Failed,
}

/// How runs are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follow {
    /// The time to wait for their end.
    pub timeout: Duration,
    /// The time between two looks at them.
    pub interval: Duration,
}

/// How long a job waits for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The whole time.
    pub limit: Duration,
    /// The time until the first look.
    pub first_poll: Duration,
    /// The longest time between two looks.
    pub poll: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let (first_poll, poll) = (Duration::from_secs(1), Duration::from_secs(5));
        Self { limit: Duration::from_secs(120), first_poll, poll }
    }
}

impl Request {
    /// A request that starts nothing: it asks for the state of these targets, as if the failed ones were started
    /// again.
    #[must_use]
    pub fn without_starts(by: Writer, run_url: String, targets: Vec<ReadyTarget>, wording: Wording) -> Self {
        Self {
            by,
            run_url,
            workflow_url: None,
            pings: PingEvents::new(),
            driver: None,
            is_new_driver: false,
            release: None,
            form: None,
            inputs: None,
            rules: None,
            command: None,
            obstacles: Vec::new(),
            target_names: targets.iter().map(|ready| ready.name().clone()).collect(),
            targets,
            retry: Retry::Failed,
            follow: None,
            cancel_runs: false,
            close: false,
            writes_release_record: false,
            publication: None,
            claim: Claim::Comment,
            max_parallel: 1,
            patience: Patience::default(),
            wording,
            wind_up: false,
        }
    }

    /// Whether the ends of earlier runs decide which targets are started now.
    pub(super) fn runs_decide(&self) -> bool {
        self.follow.is_some()
            || self.retry != Retry::Nothing
            || self.command.is_some()
            || self.targets.iter().any(|ready| !ready.target.needs.is_empty())
    }

    /// This job's next record.
    pub(super) fn record(&self, seq: u64, targets: Vec<Start>, runs: Vec<FollowedRun>) -> Dispatch {
        Dispatch {
            by: self.by.clone(),
            seq,
            run_url: self.run_url.clone(),
            workflow_url: self.workflow_url.clone(),
            // If jobs claim by references, the job that closes the ticket deletes them.
            close: self.close && self.claim == Claim::Comment,
            driver: self.driver.clone(),
            release: self.release.clone(),
            form: None,
            inputs: None,
            rules: None,
            targets,
            left_out: Vec::new(),
            followed_runs: runs,
            verifications: Vec::new(),
            watch: Watch::default(),
            other: Map::new(),
        }
    }
}
