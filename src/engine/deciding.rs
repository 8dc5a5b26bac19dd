//! Decisions: what a person asks for by a comment is checked against the release as it stands, and recorded; then the
//! job goes on as any other one.
//!
//! The comment's id is the key: a command that has a record is not read again.

mod answer;
mod gates;
mod targets;

use serde_json::Map;

use super::request::Asked;
use super::step::{CommitOf, RunOf, Step};
use super::view::View;
use crate::command::Command;
use crate::names::{Reaction, TargetName};
use crate::plan::Effect;
use crate::problem::Problem;
use crate::ticket::decision::{ApprovedCommit, CancelledRun, Outcome, RetriedStart};
use crate::ticket::gate::OnMoved;
use crate::ticket::{Decision, Freeze, Gate, Record, Start, StartState, Target, Verb, Word};

/// What a command comes to: the fields of its record.
#[derive(Debug, Default, PartialEq)]
struct Resolved {
    /// The targets or gates; none: the whole ticket.
    names: Vec<TargetName>,
    commits: Vec<ApprovedCommit>,
    retries: Vec<RetriedStart>,
    cancels: Vec<CancelledRun>,
    freezes: Vec<Freeze>,
    answer: Option<String>,
}

impl View<'_> {
    /// What a record of this hub says of the command that started this job.
    pub(super) fn decision(&self) -> Option<&Decision> {
        let asked = self.request.command.as_ref()?;
        let decisions = self.known.log.decisions();
        let own = decisions.filter(|(comment, _)| self.basis.is_own(comment.author.as_deref()));
        let of_command =
            own.map(|(_, decision)| decision).filter(|decision| decision.comment == asked.comment);
        // A job that could not go on decides again when it is run again.
        let counts =
            |decision: &&Decision| decision.outcome != Outcome::Failed || decision.by == self.request.by;
        of_command.filter(counts).min_by_key(|decision| decision.outcome.clone())
    }

    /// Whether this person had the same refusal before: it is not repeated, so that nobody fills a ticket with answers.
    fn is_answered(&self) -> bool {
        let Some(Asked { command: Err(problem), failure: None, who, .. }) = &self.request.command else {
            return false;
        };
        let answer = answer::refusal(problem);
        let decisions = self.known.log.decisions();
        let mut own = decisions.filter(|(comment, _)| self.basis.is_own(comment.author.as_deref()));
        own.any(|(_, decision)| {
            decision.outcome == Outcome::Refused
                && decision.who.id == who.id
                && decision.answer.as_ref() == Some(&answer)
        })
    }

    /// Whether the job only answers, as its command is refused.
    pub(super) fn only_answers(&self) -> bool {
        let Some(asked) = &self.request.command else { return false };
        let is_refused = asked.command.is_err() || asked.failure.is_some();
        match self.decision() {
            Some(decision) => decision.outcome != Outcome::Accepted,
            None => is_refused,
        }
    }
}

/// Asks for the commits of the refs of targets behind gates: an approval is one of a commit.
pub(super) fn look_at_commits(view: &View<'_>) -> Vec<Step> {
    let is_asked = |name: &TargetName| view.known.round.commits.contains_key(name);
    let is_go = view.request.command.as_ref().is_some_and(|asked| {
        asked.command.as_ref().is_ok_and(|command| matches!(command.verb, Verb::Go | Verb::NoGo))
    });
    // Without an approval there is nothing to compare a commit with.
    let is_approved =
        |gate: &Gate| is_go || view.ticket.words_on(gate).iter().any(|word| word.asks_for(Verb::Go));
    let gated = view.request.targets.iter().filter(|ready| {
        let has_gates = view.ticket.gates_in(&ready.target.needs).any(is_approved);
        has_gates && !is_asked(ready.name()) && is_decided_by_gates(view, ready.name())
    });
    let looks = gated.map(|ready| {
        let (target, repository) = (ready.name().clone(), ready.target.repository.clone());
        Step::LookAtCommit(CommitOf { target, repository, git_ref: ready.git_ref.clone() })
    });
    looks.collect()
}

/// Whether a gate may still keep the target from being started.
fn is_decided_by_gates(view: &View<'_>, name: &TargetName) -> bool {
    let target = view.ticket.targets.get(name);
    // A claim starts nothing yet: its job reads once more what people say, or is over.
    let is_claimed = |target: &Target| {
        let is_claim = |start: &Start| start.state == StartState::Claimed;
        target.run.is_none() && target.start.as_ref().is_some_and(is_claim)
    };
    let is_over = target.is_some_and(|target| {
        target.status.is_released() || target.status.is_under_way() && !is_claimed(target)
    });
    let is_failed = target.is_some_and(|target| target.run.is_some());
    !is_over && (!is_failed || view.again(name).is_some())
}

/// Records the command, or why it is refused, once.
pub(super) fn decide(view: &View<'_>) -> Vec<Step> {
    let is_new = view.decision().is_none() && !view.is_answered();
    let Some(asked) = view.request.command.as_ref().filter(|_| is_new) else { return Vec::new() };
    let resolved = match (&asked.failure, &asked.command) {
        (Some(failure), _) => Err((Outcome::Failed, failure.clone())),
        (None, Err(problem)) => Err((Outcome::Refused, problem.clone())),
        (None, Ok(command)) => resolve(view, asked, command).map_err(|problem| (Outcome::Refused, problem)),
    };
    // Another job may have acted on the same command meanwhile: then its record is in the log.
    if matches!(&resolved, Err((Outcome::Refused, _))) && asked.command.is_ok() && !view.known.has_confirmed {
        return vec![Step::Confirm];
    }
    let (outcome, resolved) = match resolved {
        Ok(resolved) => {
            let answer = answer::with_obstacles(resolved.answer.clone(), &view.request.obstacles);
            (Outcome::Accepted, Resolved { answer, ..resolved })
        }
        Err((outcome, problem)) => {
            (outcome, Resolved { answer: Some(answer::refusal(&problem)), ..Resolved::default() })
        }
    };
    let record = Box::new(Record::Decision(record(view, asked, outcome, resolved)));
    vec![Step::Apply(Effect::WriteRecord { issue: view.issue.clone(), comment: None, record })]
}

fn record(view: &View<'_>, asked: &Asked, outcome: Outcome, resolved: Resolved) -> Decision {
    let command = asked.command.as_ref().ok();
    let Resolved { names, commits, retries, cancels, freezes, answer } = resolved;
    Decision {
        by: view.request.by.clone(),
        seq: view.last_seq() + 1,
        run_url: view.request.run_url.clone(),
        command: command.map(|command| Word::Known(command.verb)),
        names,
        reason: command.and_then(|command| command.reason.clone()),
        who: asked.who.clone(),
        comment: asked.comment,
        comment_url: asked.comment_url.clone(),
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

/// What the command comes to.
///
/// # Errors
///
/// When it cannot be carried out as the release stands, with what helps.
fn resolve(view: &View<'_>, asked: &Asked, command: &Command) -> Result<Resolved, Problem> {
    let of_names = |names| Ok(Resolved { names, ..Resolved::default() });
    match command.verb {
        Verb::Status => Ok(Resolved { answer: Some(answer::status(view)), ..Resolved::default() }),
        Verb::Help => Ok(Resolved { answer: Some(answer::help(view)), ..Resolved::default() }),
        Verb::Go | Verb::NoGo => gates::word(view, asked, command),
        Verb::Retry => targets::retry(view, &command.about),
        Verb::Cancel => targets::cancel(view, &command.about),
        Verb::Skip => of_names(targets::skip(view, &command.about)?),
        Verb::Hold => of_names(targets::hold(view, &command.about)?),
        Verb::Resume => of_names(targets::resume(view, &command.about)?),
        Verb::OverrideFreeze => override_freeze(view),
    }
}

fn override_freeze(view: &View<'_>) -> Result<Resolved, Problem> {
    let freezes: Vec<Freeze> =
        view.ticket.rules.freezes.iter().filter(|freeze| freeze.holds_at(view.now)).cloned().collect();
    if freezes.is_empty() {
        let problem = Problem::new("there is no freeze at present".to_owned());
        return Err(problem
            .help("nothing has to be overridden: comment `/release status` for what the release waits for"));
    }
    if freezes.iter().all(|freeze| view.ticket.is_overridden(freeze)) {
        let problem = Problem::new("the present freeze is overridden already".to_owned());
        return Err(problem.help("comment `/release status` for what the release waits for"));
    }
    Ok(Resolved { freezes, ..Resolved::default() })
}

/// Cancels the runs that commands name, and those that began at a commit that nobody approved.
pub(super) fn cancel_runs(view: &View<'_>) -> Vec<Step> {
    let runs = view.ticket.targets.iter().filter_map(|(name, target)| {
        let run = target.run.as_ref()?;
        let has_ended = target.followed.as_ref().is_some_and(|followed| followed.has_ended());
        let is_due = !has_ended && !view.known.cancelled.contains(&run.id);
        let is_unapproved = view.known.unapproved.contains(&run.id);
        let is_meant = is_unapproved || view.ticket.is_to_be_cancelled(run.id, run.attempt);
        (is_due && is_meant).then(|| RunOf {
            target: name.clone(),
            repository: run.repository.clone(),
            run: run.id,
        })
    });
    let cancel = |of: RunOf| Effect::CancelRun { target: of.target, repository: of.repository, run: of.run };
    runs.map(cancel).map(Step::Apply).collect()
}

/// Looks at once at the runs of targets behind gates, for the commits at which they began: a job that does not follow
/// runs would not look at them again.
pub(super) fn compare_commits(view: &View<'_>) -> Vec<Step> {
    let entries = view.known.own.iter().flat_map(|own| &own.record.targets);
    let started = entries.filter(|start| {
        let mut gates = view.ticket.gates_in(&start.needs);
        start.commit.is_some() && gates.any(|gate| gate.on_moved != OnMoved::Warn)
    });
    let runs = started.filter_map(|start| {
        Some(RunOf { target: start.target.clone(), repository: start.repository.clone(), run: start.run? })
    });
    let is_new = |of: &RunOf| {
        !view.known.compared.contains(&of.run)
            && !view.known.round.runs.contains(&(of.target.clone(), of.run))
    };
    runs.filter(is_new).map(Step::LookAtRun).collect()
}

/// Shows at the comment what became of the command.
pub(super) fn react(view: &View<'_>) -> Vec<Step> {
    let Some(asked) = view.request.command.as_ref().filter(|_| !view.known.has_reacted) else {
        return Vec::new();
    };
    let reaction = match view.decision() {
        Some(decision) if decision.outcome == Outcome::Accepted => Reaction::Rocket,
        None if !view.is_answered() => return Vec::new(),
        _ => Reaction::ThumbsDown,
    };
    vec![Step::Apply(Effect::React { issue: view.issue.clone(), comment: asked.comment, reaction })]
}

#[cfg(test)]
mod tests;
