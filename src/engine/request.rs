//! The request: what a hub job is asked to do, whoever asked for it.
//!
//! It is built from the step's inputs, the targets file and what the targets' repositories say.
//! Nothing in the engine reads an input.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Map;

use super::ready::Ready;
use super::wording::Wording;
use crate::command::Command;
use crate::form::Answers;
use crate::names::{CommentId, Login, TargetName};
use crate::problem::Problem;
use crate::ticket::decision::Person;
use crate::ticket::{Dispatch, EventInputs, FollowedRun, PingsFor, Rules, Start, Watch, Writer};

/// What a hub job is asked to do.
#[derive(Debug, Clone)]
pub struct Request {
    /// The job that acts.
    pub by: Writer,
    /// Its run in the browser.
    pub run_url: String,
    /// The runs of its workflow in the browser, where they are known.
    pub workflow_url: Option<String>,
    /// Who is responsible for the release.
    pub driver: Option<Login>,
    /// Whether the step was given a driver: else the one stays that the ticket has.
    pub is_new_driver: bool,
    /// The name or version of the release.
    pub release: Option<String>,
    /// The answers of the ticket's form that are recorded, for the dispatches after this one.
    pub form: Option<Answers>,
    /// The inputs of the event that are recorded, for the dispatches after this one.
    pub inputs: Option<EventInputs>,
    /// The gates and freezes of the targets file; none if this step has not read it.
    pub rules: Option<Rules>,
    /// What a person asks for, if a command started the job.
    pub command: Option<Asked>,
    /// The problems for which this step starts nothing, whatever its command comes to.
    pub obstacles: Vec<Problem>,
    /// The targets that are to be released, in the order of the list.
    pub targets: Vec<Ready>,
    /// The names of all targets that are listed, also of those that are left alone.
    pub listed: Vec<TargetName>,
    /// Which failed targets are started again.
    pub retry: Retry,
    /// Whether the runs are followed to their end.
    pub follow: Option<Follow>,
    /// Whether the runs that this job started are cancelled when it is out of time or cancelled.
    pub cancel_runs: bool,
    /// Whether the ticket is closed when every target is released.
    pub close: bool,
    /// Whether the release's record is written when every target is released.
    pub records: bool,
    /// Where the record is published as a release of the hub, if it is.
    pub publish: Option<Publish>,
    /// When somebody is pinged.
    pub pings: PingsFor,
    /// How hub jobs settle who starts a target.
    pub claim: Claim,
    /// How many starts are under way at once.
    pub max_parallel: usize,
    /// How long the job waits for another one that claimed a target first.
    pub patience: Patience,
    /// The texts of the ticket, and the inputs of the targets.
    pub wording: Wording,
    /// Whether the job was cancelled: what it has not started it starts no more.
    pub wind_up: bool,
}

/// A command that a comment gave, read and checked as far as that needs no look at the release.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The comment.
    pub comment: CommentId,
    /// The comment in the browser.
    pub comment_url: String,
    /// Who wrote it.
    pub who: Person,
    /// The command, or why it is refused, with what helps.
    pub command: Result<Command, Problem>,
    /// Why the job cannot go on, if it cannot: then a re-run of the job reads the command again.
    pub failure: Option<Problem>,
    /// The gates on which this person may say go or no-go.
    pub gates: BTreeSet<TargetName>,
}

/// How the release's record is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// The tag; none: one that names the ticket.
    pub tag: Option<String>,
    /// The commit of the hub at which the tag is made.
    pub commit: String,
}

/// How hub jobs settle who starts a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// By the order of their comments.
    Comment,
    /// By a git reference of the hub.
    Ref {
        /// The commit of the hub that the reference names.
        sha: String,
    },
}

/// Which failed targets are started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// None.
    Nothing,
    /// Those that were named, unless this very run of the hub started them.
    Named,
    /// All.
    Failed,
}

/// How runs are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follow {
    /// For how long.
    pub timeout: Duration,
    /// How often they are looked at.
    pub interval: Duration,
}

/// How long a job waits for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// In all.
    pub limit: Duration,
    /// Until the first look.
    pub first_poll: Duration,
    /// Between two looks, at the most.
    pub poll: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let (first_poll, poll) = (Duration::from_secs(1), Duration::from_secs(5));
        Self { limit: Duration::from_secs(120), first_poll, poll }
    }
}

impl Request {
    /// A request that starts nothing: it is about how these targets stand, as if those were started again that
    /// failed.
    #[must_use]
    pub fn looking(by: Writer, run_url: String, targets: Vec<Ready>, wording: Wording) -> Self {
        Self {
            by,
            run_url,
            workflow_url: None,
            pings: PingsFor::new(),
            driver: None,
            is_new_driver: false,
            release: None,
            form: None,
            inputs: None,
            rules: None,
            command: None,
            obstacles: Vec::new(),
            listed: targets.iter().map(|ready| ready.name().clone()).collect(),
            targets,
            retry: Retry::Failed,
            follow: None,
            cancel_runs: false,
            close: false,
            records: false,
            publish: None,
            claim: Claim::Comment,
            max_parallel: 1,
            patience: Patience::default(),
            wording,
            wind_up: false,
        }
    }

    /// Whether what became of earlier runs decides what is started now.
    pub(super) fn runs_decide(&self) -> bool {
        self.follow.is_some()
            || self.retry != Retry::Nothing
            || self.command.is_some()
            || self.targets.iter().any(|ready| !ready.target.needs.is_empty())
    }

    /// This job's next record.
    pub(super) fn record(&self, seq: u64, targets: Vec<Start>, followed: Vec<FollowedRun>) -> Dispatch {
        Dispatch {
            by: self.by.clone(),
            seq,
            run_url: self.run_url.clone(),
            workflow_url: self.workflow_url.clone(),
            // Where jobs claim by references, the job that closes the ticket deletes them.
            close: self.close && self.claim == Claim::Comment,
            driver: self.driver.clone(),
            release: self.release.clone(),
            form: None,
            inputs: None,
            rules: None,
            targets,
            left_out: Vec::new(),
            followed,
            verified: Vec::new(),
            watch: Watch::default(),
            other: Map::new(),
        }
    }
}
