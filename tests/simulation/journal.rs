//! The journal: the outcome of each step of a play, and the texts that people wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};
use release_ticket_action::problem::Problem;
use release_ticket_action::receipt::Receipt;
use release_ticket_action::ticket::Status;
use simulated_github::Run;

use crate::scenario::Hub;

/// The end of a step.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Killed,
    Panicked(String),
    Done(StepReceipt),
}

/// The parts of a step's receipt that invariants read.
#[derive(Debug, Clone)]
pub(crate) struct StepReceipt {
    pub(crate) is_delivered: Option<bool>,
    pub(crate) comment: Option<u64>,
    pub(crate) issue: Option<u64>,
    pub(crate) results: Option<String>,
    /// The faults of the release that the step reports, although it did its own work.
    pub(crate) failures: Vec<String>,
    /// The problems that kept the step from its work.
    pub(crate) problems: Vec<String>,
    /// The whole receipt as text, to look for secrets.
    pub(crate) whole: String,
}

impl From<&Receipt> for StepReceipt {
    fn from(receipt: &Receipt) -> Self {
        let texts = |problems: &[Problem]| problems.iter().map(ToString::to_string).collect();
        Self {
            is_delivered: receipt.is_delivered,
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
    problem.contains(" not ended within ")
}

impl StepReceipt {
    /// Whether a step that waits reached its time-out.
    pub(crate) fn is_out_of_time(&self) -> bool {
        self.failures.iter().any(|failure| is_out_of_time(failure))
    }
}

impl Outcome {
    pub(crate) fn receipt(&self) -> Option<&StepReceipt> {
        match self {
            Self::Done(receipt) => Some(receipt),
            Self::Killed | Self::Panicked(_) => None,
        }
    }

    pub(crate) fn is_delivered(&self) -> bool {
        self.receipt().is_some_and(|receipt| receipt.is_delivered == Some(true))
    }

    /// Whether the step left something for others to finish.
    pub(crate) fn gave_up(&self) -> bool {
        self.receipt()
            .is_none_or(|receipt| receipt.is_delivered == Some(false) || !receipt.problems.is_empty())
    }
}

/// The job of a step, as records name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct By {
    pub(crate) repository: String,
    pub(crate) run: u64,
    pub(crate) attempt: u32,
    pub(crate) job: String,
}

/// A step that reported.
#[derive(Debug, Clone)]
pub(crate) struct ReportStep {
    /// The number at the beginning of its message; it grows within a job.
    pub(crate) id: u64,
    pub(crate) by: By,
    /// The target's name, if the step gave one; otherwise the ticket has it.
    pub(crate) target: Option<String>,
    pub(crate) stage: String,
    pub(crate) status: Status,
    pub(crate) new_comment: bool,
    pub(crate) outcome: Outcome,
}

/// A step that notified, on the ticket or in an issue of its own.
#[derive(Debug, Clone)]
pub(crate) struct NotifyStep {
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
pub(crate) struct DispatchStep {
    pub(crate) run: u64,
    pub(crate) attempt: u32,
    pub(crate) outcome: Outcome,
    pub(crate) hub: Hub,
    /// The comment with the command that started it.
    pub(crate) command: Option<u64>,
    pub(crate) start: DateTime<Utc>,
    pub(crate) end: DateTime<Utc>,
    /// Whether the runner cancelled the step.
    pub(crate) is_cancelled: bool,
    /// The runs of the targets when it ended, by id.
    pub(crate) runs: BTreeMap<u64, Run>,
    /// The targets that the ticket showed as released when it ended.
    pub(crate) released_targets: BTreeSet<String>,
    pub(crate) is_last: bool,
}

/// A run that the API started.
#[derive(Debug, Clone)]
pub(crate) struct StartedRun {
    pub(crate) run: u64,
    pub(crate) at: DateTime<Utc>,
    /// The previous run of the same target, as it was then.
    pub(crate) before: Option<Run>,
    /// Whether the ticket showed the target as failed, so that it may be started again.
    pub(crate) was_bad: bool,
    /// The needs that the ticket did not show as released at the start, each with the last time at which the ticket
    /// showed it so.
    pub(crate) open_needs: Vec<(String, Option<DateTime<Utc>>)>,
}

/// A comment with a command, as its author first wrote it.
#[derive(Debug, Clone)]
pub(crate) struct CommandComment {
    pub(crate) comment: u64,
    pub(crate) who: &'static str,
    pub(crate) text: String,
    pub(crate) is_deleted: bool,
}

/// A comment of a person, with its last text.
#[derive(Debug, Clone)]
pub(crate) struct PersonComment {
    pub(crate) comment: u64,
    pub(crate) body: String,
}

#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) next_id: u64,
    pub(crate) dispatches: Vec<DispatchStep>,
    pub(crate) reports: Vec<ReportStep>,
    pub(crate) notices: Vec<NotifyStep>,
    /// The runs that the API started, by the name of their target.
    pub(crate) starts: BTreeMap<String, Vec<StartedRun>>,
    pub(crate) comments: Vec<PersonComment>,
    /// The commands, in the order of their comments.
    pub(crate) commands: Vec<CommandComment>,
    pub(crate) bodies: BTreeMap<u64, String>,
    pub(crate) titles: BTreeMap<u64, String>,
    pub(crate) labels: Vec<(u64, String)>,
    pub(crate) fake_ticket: Option<u64>,
    pub(crate) boards_deleted: u64,
    pub(crate) reruns: u64,
}

impl Journal {
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        let dispatches = self.dispatches.iter().map(|step| &step.outcome);
        let reports = self.reports.iter().map(|step| &step.outcome);
        dispatches.chain(reports).chain(self.notices.iter().map(|step| &step.outcome))
    }

    pub(crate) fn counts(&self) -> [(&'static str, u64); 14] {
        let count = |fits: &dyn Fn(&Outcome) -> bool| self.outcomes().filter(|it| fits(it)).count() as u64;
        let count_dispatches = |fits: &dyn Fn(&DispatchStep) -> bool| {
            self.dispatches.iter().filter(|it| fits(it)).count() as u64
        };
        let restarts = self.starts.values().map(|runs| runs.len().saturating_sub(1) as u64).sum();
        [
            ("dispatches", self.dispatches.len() as u64),
            ("of them waiting", count_dispatches(&|it| it.hub.wait.is_some())),
            ("by commands", count_dispatches(&|it| it.command.is_some())),
            ("commands", self.commands.len() as u64),
            (
                "out of time",
                count_dispatches(&|it| it.outcome.receipt().is_some_and(StepReceipt::is_out_of_time)),
            ),
            ("cancelled", count_dispatches(&|it| it.is_cancelled)),
            ("reports", self.reports.len() as u64),
            ("notices", self.notices.len() as u64),
            ("steps killed", count(&|outcome| matches!(outcome, Outcome::Killed))),
            ("steps that gave up", count(&|outcome| outcome.receipt().is_some() && outcome.gave_up())),
            ("re-runs", self.reruns),
            ("runs started again", restarts),
            ("runs started", self.starts.values().map(|runs| runs.len() as u64).sum()),
            ("texts by people", (self.comments.len() + self.bodies.len()) as u64),
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
            Self::Done(receipt) => {
                write!(f, "delivered {:?}", receipt.is_delivered)?;
                receipt.comment.iter().try_for_each(|id| write!(f, ", comment {id}"))?;
                receipt.issue.iter().try_for_each(|id| write!(f, ", issue {id}"))?;
                receipt
                    .failures
                    .iter()
                    .chain(&receipt.problems)
                    .try_for_each(|problem| write!(f, "\n      {}", problem.replace('\n', "\n      ")))
            }
        }
    }
}

impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for DispatchStep { run, attempt, outcome, hub, command, .. } in &self.dispatches {
            write!(f, "  dispatch of hub run {run} attempt {attempt}{hub}")?;
            command.iter().try_for_each(|comment| write!(f, ", by the command in {comment}"))?;
            writeln!(f, ": {outcome}")?;
        }
        for CommandComment { comment, who, text, .. } in &self.commands {
            writeln!(f, "  {who} commented `{text}` in {comment}")?;
        }
        for (target, runs) in &self.starts {
            for StartedRun { run, at, .. } in runs {
                writeln!(f, "  {target} was started as run {run} at {}", at.format("%T%.3f"))?;
            }
        }
        for ReportStep { id, by, stage, status, outcome, .. } in &self.reports {
            writeln!(f, "  m{id} {by}: {stage} {}: {outcome}", status.as_str())?;
        }
        for NotifyStep { id, by, fingerprint, status, outcome, .. } in &self.notices {
            writeln!(f, "  m{id} {by}: notice of `{fingerprint}` {}: {outcome}", status.as_str())?;
        }
        Ok(())
    }
}
