//! The journal: what the steps of a play were told, and what people wrote meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};
use release_ticket_action::problem::Problem;
use release_ticket_action::receipt::Receipt;
use release_ticket_action::ticket::Status;
use simulated_github::Run;

use crate::scenario::Hub;

/// What became of a step.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Killed,
    Panicked(String),
    Done(Told),
}

/// What a step's receipt says.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) delivered: Option<bool>,
    pub(crate) comment: Option<u64>,
    pub(crate) issue: Option<u64>,
    pub(crate) results: Option<String>,
    /// What the step has to say against the release itself: it did its own work.
    pub(crate) failures: Vec<String>,
    /// What kept the step from its work.
    pub(crate) problems: Vec<String>,
    /// All of it, to look for what must not be told.
    pub(crate) whole: String,
}

impl From<&Receipt> for Told {
    fn from(receipt: &Receipt) -> Self {
        let texts = |problems: &[Problem]| problems.iter().map(ToString::to_string).collect();
        Self {
            delivered: receipt.delivered,
            comment: receipt.comment.as_ref().map(|(id, _)| *id),
            issue: receipt.issue.as_ref().map(|(issue, _)| issue.number.0),
            results: receipt.results.clone(),
            failures: texts(&receipt.failures),
            problems: texts(&receipt.problems),
            whole: format!("{receipt:?}"),
        }
    }
}

fn is_out_of_time(problem: &str) -> bool {
    problem.starts_with("after ") && problem.contains(" not ended")
}

impl Told {
    /// Whether a waiting step ended before all was over.
    pub(crate) fn is_out_of_time(&self) -> bool {
        self.failures.iter().any(|failure| is_out_of_time(failure))
    }
}

impl Outcome {
    pub(crate) fn told(&self) -> Option<&Told> {
        match self {
            Self::Done(told) => Some(told),
            Self::Killed | Self::Panicked(_) => None,
        }
    }

    pub(crate) fn is_delivered(&self) -> bool {
        self.told().is_some_and(|told| told.delivered == Some(true))
    }

    /// Whether the step left something for others to finish.
    pub(crate) fn gave_up(&self) -> bool {
        self.told().is_none_or(|told| told.delivered == Some(false) || !told.problems.is_empty())
    }
}

/// The job that a step belongs to, as records name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct By {
    pub(crate) repository: String,
    pub(crate) run: u64,
    pub(crate) attempt: u32,
    pub(crate) job: String,
}

/// A report, in the order in which the reports ended.
#[derive(Debug, Clone)]
pub(crate) struct Reported {
    /// Its message begins with it; within a job it grows.
    pub(crate) id: u64,
    pub(crate) by: By,
    /// The target's name, if the step gave one; otherwise the ticket tells.
    pub(crate) target: Option<String>,
    pub(crate) stage: String,
    pub(crate) status: Status,
    pub(crate) new_comment: bool,
    pub(crate) outcome: Outcome,
}

/// A notice on the ticket, or in an issue of its own.
#[derive(Debug, Clone)]
pub(crate) struct Noticed {
    pub(crate) id: u64,
    pub(crate) by: By,
    pub(crate) fingerprint: String,
    pub(crate) status: Status,
    pub(crate) update: bool,
    pub(crate) on_ticket: bool,
    pub(crate) outcome: Outcome,
}

/// An attempt of a hub's run.
#[derive(Debug, Clone)]
pub(crate) struct Dispatched {
    pub(crate) run: u64,
    pub(crate) attempt: u32,
    pub(crate) outcome: Outcome,
    pub(crate) hub: Hub,
    /// The comment with the command that started it.
    pub(crate) command: Option<u64>,
    pub(crate) began: DateTime<Utc>,
    pub(crate) ended: DateTime<Utc>,
    /// Whether the runner cancelled it.
    pub(crate) cancelled: bool,
    /// The runs of the targets when it ended, by id.
    pub(crate) runs: BTreeMap<u64, Run>,
    /// The targets that the ticket had for released when it ended.
    pub(crate) released: BTreeSet<String>,
    pub(crate) is_last: bool,
}

/// A run that the API started.
#[derive(Debug, Clone)]
pub(crate) struct Started {
    pub(crate) run: u64,
    pub(crate) at: DateTime<Utc>,
    /// The run of the same target before it, as it was then.
    pub(crate) before: Option<Run>,
    /// Whether the ticket had the target for failed, so that it may be started again.
    pub(crate) was_bad: bool,
    /// What the target needs and the ticket did not have for released when it was started, each
    /// with the last time at which the ticket had.
    pub(crate) unreleased: Vec<(String, Option<DateTime<Utc>>)>,
}

/// A command, as it was given.
#[derive(Debug, Clone)]
pub(crate) struct Commanded {
    pub(crate) comment: u64,
    pub(crate) who: &'static str,
    pub(crate) text: String,
    pub(crate) is_deleted: bool,
}

/// A person's comment as they last left it.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) comment: u64,
    pub(crate) body: String,
}

#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) next_id: u64,
    pub(crate) dispatched: Vec<Dispatched>,
    pub(crate) reported: Vec<Reported>,
    pub(crate) noticed: Vec<Noticed>,
    /// The runs that the API started, by target.
    pub(crate) started: BTreeMap<String, Vec<Started>>,
    pub(crate) written: Vec<Written>,
    /// The commands, in the order of their comments.
    pub(crate) commanded: Vec<Commanded>,
    pub(crate) bodies: BTreeMap<u64, String>,
    pub(crate) titles: BTreeMap<u64, String>,
    pub(crate) labels: Vec<(u64, String)>,
    pub(crate) fake_ticket: Option<u64>,
    pub(crate) boards_deleted: u64,
    pub(crate) reruns: u64,
}

impl Journal {
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        let dispatched = self.dispatched.iter().map(|step| &step.outcome);
        let reported = self.reported.iter().map(|step| &step.outcome);
        dispatched.chain(reported).chain(self.noticed.iter().map(|step| &step.outcome))
    }

    pub(crate) fn counts(&self) -> [(&'static str, u64); 14] {
        let count = |fits: &dyn Fn(&Outcome) -> bool| self.outcomes().filter(|it| fits(it)).count() as u64;
        let dispatched =
            |fits: &dyn Fn(&Dispatched) -> bool| self.dispatched.iter().filter(|it| fits(it)).count() as u64;
        let started_again = self.started.values().map(|runs| runs.len().saturating_sub(1) as u64).sum();
        [
            ("dispatches", self.dispatched.len() as u64),
            ("of them waiting", dispatched(&|it| it.hub.wait.is_some())),
            ("by commands", dispatched(&|it| it.command.is_some())),
            ("commands", self.commanded.len() as u64),
            ("out of time", dispatched(&|it| it.outcome.told().is_some_and(Told::is_out_of_time))),
            ("cancelled", dispatched(&|it| it.cancelled)),
            ("reports", self.reported.len() as u64),
            ("notices", self.noticed.len() as u64),
            ("steps killed", count(&|outcome| matches!(outcome, Outcome::Killed))),
            ("steps that gave up", count(&|outcome| outcome.told().is_some() && outcome.gave_up())),
            ("re-runs", self.reruns),
            ("runs started again", started_again),
            ("runs started", self.started.values().map(|runs| runs.len() as u64).sum()),
            ("texts by people", (self.written.len() + self.bodies.len()) as u64),
        ]
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} run {} attempt {} job {}", self.repository, self.run, self.attempt, self.job)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed => f.write_str("killed"),
            Self::Panicked(why) => write!(f, "PANICKED: {why}"),
            Self::Done(told) => {
                write!(f, "delivered {:?}", told.delivered)?;
                told.comment.iter().try_for_each(|id| write!(f, ", comment {id}"))?;
                told.issue.iter().try_for_each(|id| write!(f, ", issue {id}"))?;
                told.failures
                    .iter()
                    .chain(&told.problems)
                    .try_for_each(|problem| write!(f, "\n      {}", problem.replace('\n', "\n      ")))
            }
        }
    }
}

impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Dispatched { run, attempt, outcome, hub, command, .. } in &self.dispatched {
            write!(f, "  dispatch of hub run {run} attempt {attempt}{hub}")?;
            command.iter().try_for_each(|comment| write!(f, ", by the command in {comment}"))?;
            writeln!(f, ": {outcome}")?;
        }
        for Commanded { comment, who, text, .. } in &self.commanded {
            writeln!(f, "  {who} commented `{text}` in {comment}")?;
        }
        for (target, runs) in &self.started {
            for Started { run, at, .. } in runs {
                writeln!(f, "  {target} was started as run {run} at {}", at.format("%T%.3f"))?;
            }
        }
        for Reported { id, by, stage, status, outcome, .. } in &self.reported {
            writeln!(f, "  m{id} {by}: {stage} {}: {outcome}", status.as_str())?;
        }
        for Noticed { id, by, fingerprint, status, outcome, .. } in &self.noticed {
            writeln!(f, "  m{id} {by}: notice of `{fingerprint}` {}: {outcome}", status.as_str())?;
        }
        Ok(())
    }
}
