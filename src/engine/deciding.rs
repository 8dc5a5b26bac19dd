//! Decisions: a person's command is checked against the present state of the release, and recorded; then the job goes
//! on like any other one.
//!
//! The comment's id is the key: a command that has a record is not read again.

mod answer;
mod gates;
mod targets;

use serde_json::Map;

use super::request::CommandRequest;
use super::step::{Step, TargetRef, TargetRun};
use super::view::View;
use crate::command::Command;
use crate::names::{Reaction, TargetName};
use crate::plan::Effect;
use crate::problem::{Problem, Topic};
use crate::ticket::decision::{ApprovedCommit, CancelledRun, Outcome, RetriedStart};
use crate::ticket::gate::MovePolicy;
use crate::ticket::{Decision, Freeze, Gate, Record, Start, StartState, Target, Verb, Word};

/// The result of a command: the fields of its record.
#[derive(Debug, Default, PartialEq)]
struct Resolution {
    /// The targets or gates; empty for the whole ticket.
    names: Vec<TargetName>,
    commits: Vec<ApprovedCommit>,
    retries: Vec<RetriedStart>,
    cancels: Vec<CancelledRun>,
    freezes: Vec<Freeze>,
    answer: Option<String>,
}

impl View<'_> {
    /// The record that this hub has of the command that started this job.
    pub(super) fn decision(&self) -> Option<&Decision> {
        let command_request = self.request.command.as_ref()?;
        let decisions = self.facts.log.decisions();
        let own = decisions.filter(|(comment, _)| self.basis.is_own(comment.author.as_deref()));
        let command_decisions =
            own.map(|(_, decision)| decision).filter(|decision| decision.comment == command_request.comment);
        // A job that could not go on decides again in its next attempt.
        let counts =
            |decision: &&Decision| decision.outcome != Outcome::Failed || decision.by == self.request.by;
        command_decisions.filter(counts).min_by_key(|decision| decision.outcome.clone())
    }

    /// Whether this person had the same refusal before. It is not repeated, so that nobody can fill a ticket with
    /// answers.
    fn is_answered(&self) -> bool {
        let Some(CommandRequest { command: Err(problem), failure: None, author: who, .. }) =
            &self.request.command
        else {
            return false;
        };
        let answer = answer::refusal(problem);
        let decisions = self.facts.log.decisions();
        let mut own = decisions.filter(|(comment, _)| self.basis.is_own(comment.author.as_deref()));
        own.any(|(_, decision)| {
            decision.outcome == Outcome::Refused
                && decision.who.id == who.id
                && decision.answer.as_ref() == Some(&answer)
        })
    }

    /// Whether the job only answers, because its command is refused.
    pub(super) fn only_answers(&self) -> bool {
        let Some(command_request) = &self.request.command else { return false };
        let is_refused = command_request.command.is_err() || command_request.failure.is_some();
        match self.decision() {
            Some(decision) => decision.outcome != Outcome::Accepted,
            None => is_refused,
        }
    }
}

/// Asks for the commits of targets behind gates: an approval is for a commit.
pub(super) fn look_at_commits(view: &View<'_>) -> Vec<Step> {
    let is_commit_read = |name: &TargetName| view.facts.round.commits.contains_key(name);
    let is_go = view.request.command.as_ref().is_some_and(|command_request| {
        command_request.command.as_ref().is_ok_and(|command| matches!(command.verb, Verb::Go | Verb::NoGo))
    });
    // Without an approval there is nothing to compare a commit with.
    let is_approved =
        |gate: &Gate| is_go || view.ticket.words_on(gate).iter().any(|word| word.asks_for(Verb::Go));
    let gated_targets = view.request.targets.iter().filter(|ready| {
        let has_gates = view.ticket.gates_in(&ready.target.needs).any(is_approved);
        has_gates && !is_commit_read(ready.name()) && is_decided_by_gates(view, ready.name())
    });
    let looks = gated_targets.map(|ready| {
        let (target, repository) = (ready.name().clone(), ready.target.repository.clone());
        Step::LookAtCommit(TargetRef { target, repository, git_ref: ready.git_ref.clone() })
    });
    looks.collect()
}

/// Whether a gate may still keep the target from being started.
fn is_decided_by_gates(view: &View<'_>, name: &TargetName) -> bool {
    let target = view.ticket.targets.get(name);
    // A claim alone starts nothing: its job reads the decisions once more before the start, or has ended.
    let is_claimed = |target: &Target| {
        let is_claim = |start: &Start| start.state == StartState::Claimed;
        target.run.is_none() && target.start.as_ref().is_some_and(is_claim)
    };
    let is_past_gates = target.is_some_and(|target| {
        target.status.is_released() || target.status.is_under_way() && !is_claimed(target)
    });
    let is_failed = target.is_some_and(|target| target.run.is_some());
    !is_past_gates && (!is_failed || view.retried_claim(name).is_some())
}

/// Records the command, or its refusal, once.
pub(super) fn decide(view: &View<'_>) -> Vec<Step> {
    let is_new = view.decision().is_none() && !view.is_answered();
    let Some(command_request) = view.request.command.as_ref().filter(|_| is_new) else { return Vec::new() };
    let resolution = match (&command_request.failure, &command_request.command) {
        (Some(failure), _) => Err((Outcome::Failed, failure.clone())),
        (None, Err(problem)) => Err((Outcome::Refused, problem.clone())),
        (None, Ok(command)) => {
            resolve(view, command_request, command).map_err(|problem| (Outcome::Refused, problem))
        }
    };
    // Another job may have carried out the same command meanwhile: then its record is in the log.
    if matches!(&resolution, Err((Outcome::Refused, _)))
        && command_request.command.is_ok()
        && !view.facts.has_confirmed
    {
        return vec![Step::ReadLogBeforeRefusal];
    }
    let (outcome, resolution) = match resolution {
        Ok(resolution) => {
            let answer = answer::with_obstacles(resolution.answer.clone(), &view.request.obstacles);
            (Outcome::Accepted, Resolution { answer, ..resolution })
        }
        Err((outcome, problem)) => {
            (outcome, Resolution { answer: Some(answer::refusal(&problem)), ..Resolution::default() })
        }
    };
    let record = Box::new(Record::Decision(record(view, command_request, outcome, resolution)));
    vec![Step::Apply(Effect::WriteRecord { issue: view.issue.clone(), comment: None, record })]
}

fn record(
    view: &View<'_>,
    command_request: &CommandRequest,
    outcome: Outcome,
    resolution: Resolution,
) -> Decision {
    let command = command_request.command.as_ref().ok();
    let Resolution { names, commits, retries, cancels, freezes, answer } = resolution;
    Decision {
        by: view.request.by.clone(),
        seq: view.last_seq() + 1,
        run_url: view.request.run_url.clone(),
        command: command.map(|command| Word::Known(command.verb)),
        names,
        reason: command.and_then(|command| command.reason.clone()),
        who: command_request.author.clone(),
        comment: command_request.comment,
        comment_url: command_request.comment_url.clone(),
        outcome: outcome.into(),
        answer,
        commits,
        retries,
        cancels,
        freezes,
        at: view.now,
        other: Map::new(),
    }
}

/// Checks a command against the present state of the release.
///
/// # Errors
///
/// The command cannot be carried out in this state. The problem has a help.
fn resolve(
    view: &View<'_>,
    command_request: &CommandRequest,
    command: &Command,
) -> Result<Resolution, Problem> {
    let of_names = |names| Ok(Resolution { names, ..Resolution::default() });
    match command.verb {
        Verb::Status => Ok(Resolution { answer: Some(answer::status(view)), ..Resolution::default() }),
        Verb::Help => Ok(Resolution { answer: Some(answer::help(view)), ..Resolution::default() }),
        Verb::Go | Verb::NoGo => gates::decide(view, command_request, command),
        Verb::Retry => targets::retry(view, &command.about),
        Verb::Cancel => targets::cancel(view, &command.about),
        Verb::Skip => of_names(targets::skip(view, &command.about)?),
        Verb::Hold => of_names(targets::hold(view, &command.about)?),
        Verb::Resume => of_names(targets::resume(view, &command.about)?),
        Verb::OverrideFreeze => override_freeze(view),
    }
}

fn override_freeze(view: &View<'_>) -> Result<Resolution, Problem> {
    let freezes: Vec<Freeze> =
        view.ticket.rules.freezes.iter().filter(|freeze| freeze.holds_at(view.now)).cloned().collect();
    if freezes.is_empty() {
        let problem = Problem::new("no freeze is in effect".to_owned());
        return Err(problem.help(
            Topic::Command,
            "there is nothing to override: comment `/release status` to see what the release waits for",
        ));
    }
    if freezes.iter().all(|freeze| view.ticket.is_overridden(freeze)) {
        let problem = Problem::new("the current freeze is already overridden".to_owned());
        return Err(
            problem.help(Topic::Command, "comment `/release status` to see what the release waits for")
        );
    }
    Ok(Resolution { freezes, ..Resolution::default() })
}

/// Cancels the runs that commands name, and the runs that began at a commit that nobody approved.
pub(super) fn cancel_runs(view: &View<'_>) -> Vec<Step> {
    let runs = view.ticket.targets.iter().filter_map(|(name, target)| {
        let run = target.run.as_ref()?;
        let has_ended = target.followed_run.as_ref().is_some_and(|run| run.has_ended());
        let is_due = !has_ended && !view.facts.cancelled_runs.contains(&run.id);
        let is_unapproved = view.facts.unapproved_runs.contains(&run.id);
        let is_to_cancel = is_unapproved || view.ticket.is_to_be_cancelled(run.id, run.attempt);
        (is_due && is_to_cancel).then(|| TargetRun {
            target: name.clone(),
            repository: run.repository.clone(),
            run: run.id,
        })
    });
    let cancel =
        |of: TargetRun| Effect::CancelRun { target: of.target, repository: of.repository, run: of.run };
    runs.map(cancel).map(Step::Apply).collect()
}

/// Looks at the new runs of targets behind gates, for the commits at which they began. A job that does not follow runs
/// would not look at them later.
pub(super) fn compare_commits(view: &View<'_>) -> Vec<Step> {
    let entries = view.facts.own_records.iter().flat_map(|own| &own.record.targets);
    let gated_starts = entries.filter(|start| {
        let mut gates = view.ticket.gates_in(&start.needs);
        start.commit.is_some() && gates.any(|gate| gate.move_policy != MovePolicy::Warn)
    });
    let runs = gated_starts.filter_map(|start| {
        Some(TargetRun {
            target: start.target.clone(),
            repository: start.repository.clone(),
            run: start.run?,
        })
    });
    let is_new = |of: &TargetRun| {
        !view.facts.compared_runs.contains(&of.run)
            && !view.facts.round.runs.contains(&(of.target.clone(), of.run))
    };
    runs.filter(is_new).map(Step::LookAtRun).collect()
}

/// Shows the outcome of the command at its comment.
pub(super) fn react(view: &View<'_>) -> Vec<Step> {
    let Some(command_request) = view.request.command.as_ref().filter(|_| !view.facts.has_reacted) else {
        return Vec::new();
    };
    let reaction = match view.decision() {
        Some(decision) if decision.outcome == Outcome::Accepted => Reaction::Rocket,
        None if !view.is_answered() => return Vec::new(),
        _ => Reaction::ThumbsDown,
    };
    vec![Step::Apply(Effect::React { issue: view.issue.clone(), comment: command_request.comment, reaction })]
}

#[cfg(test)]
mod tests;
