//! The invariants of releases that people steer from the ticket.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use release_ticket_action::ticket::decision::Outcome;
use release_ticket_action::ticket::{Decision, StartState, Verb};

use super::Facts;
use crate::journal::{CommandComment, DispatchStep, StartedRun};
use crate::scenario::Target;
use crate::steering::{MAINTAINER, STEER};
use crate::witness::{Violation, decisions_of};

pub(super) fn check(facts: &Facts<'_>, violations: &mut Vec<String>) {
    if facts.play.rules.is_none() {
        return;
    }
    for check in [
        no_start_violates_a_command,
        records_repeat_their_commands,
        only_entitled_people_are_heeded,
        a_command_repeats_a_run_once,
        commands_are_answered,
        runs_of_other_commits_are_cancelled,
    ] {
        check(facts, violations);
    }
}

/// No step starts a target against a closed gate, a hold, a skip or a freeze, if GitHub had shown it the record.
fn no_start_violates_a_command(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let starts = facts.play.violations.iter();
    violations.extend(starts.map(|Violation { target, at, why }| {
        format!("{target} was started at {} although {why}", at.format("%T%.3f"))
    }));
}

fn decisions<'f>(facts: &'f Facts<'_>) -> impl Iterator<Item = &'f Decision> {
    facts.log().into_iter().flat_map(decisions_of)
}

fn command_comment<'f>(facts: &Facts<'f>, decision: &Decision) -> Option<&'f CommandComment> {
    facts.play.journal.commands.iter().find(|command| command.comment == decision.comment.0)
}

/// The record repeats the first text of the comment, also after an edit.
fn records_repeat_their_commands(facts: &Facts<'_>, violations: &mut Vec<String>) {
    for decision in decisions(facts) {
        let Some(command) = command_comment(facts, decision) else {
            violations.push(format!("no person gave the command {}", decision.comment));
            continue;
        };
        let word = command.text.strip_prefix("/release").unwrap_or_default();
        let word = word.split_whitespace().next().unwrap_or("status");
        if let Some(verb) = decision.verb().filter(|verb| verb.as_str() != word) {
            violations.push(format!("`{}` was recorded as {}", command.text, verb.as_str()));
        }
        let before = command.text.split(':').next().unwrap_or_default();
        let names: Vec<&str> = before.split([' ', ',']).filter(|word| !word.is_empty()).skip(2).collect();
        let is_named = |name: &str| names.is_empty() || names == ["all"] || names.contains(&name);
        if let Some(other) = decision.names.iter().find(|name| !is_named(name.as_str())) {
            violations.push(format!("`{}` was recorded for {other}", command.text));
        }
    }
}

fn only_entitled_people_are_heeded(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let gates = facts.play.rules.iter().flat_map(|rules| &rules.steering.gates);
    let gates: BTreeMap<&str, &[&str]> = gates.map(|gate| (gate.name, gate.approvers)).collect();
    for decision in decisions(facts).filter(|decision| decision.outcome == Outcome::Accepted) {
        let who = decision.who.login.as_str();
        let is_approver = |gate: &str| gates.get(gate).is_some_and(|of| of.is_empty() || of.contains(&who));
        let is_entitled = match decision.verb() {
            _ if !STEER.contains(&who) => false,
            Some(Verb::OverrideFreeze) => who == MAINTAINER,
            Some(Verb::Go | Verb::NoGo) => decision.names.iter().all(|gate| is_approver(gate.as_str())),
            _ => true,
        };
        if !is_entitled {
            violations.push(format!(
                "{who} may not give this command: {:?} on {:?}",
                decision.command, decision.names
            ));
        }
        if command_comment(facts, decision).is_some_and(|command| command.who != who) {
            violations.push(format!("{who} did not write the command {}", decision.comment));
        }
    }
}

/// The failures of a target that commands repeat: the id of the claim of each failed run, with the commands.
pub(super) fn repeats(facts: &Facts<'_>, target: &str) -> BTreeMap<u64, BTreeSet<u64>> {
    let mut repeats: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for decision in decisions(facts).filter(|decision| decision.asks_for(Verb::Retry)) {
        let retries = decision.retries.iter().filter(|retry| retry.target == target);
        retries.for_each(|retry| {
            repeats.entry(retry.after.0).or_default().insert(decision.comment.0);
        });
    }
    repeats
}

fn a_command_repeats_a_run_once(facts: &Facts<'_>, violations: &mut Vec<String>) {
    for Target { name, .. } in &facts.play.scenario.targets {
        let repeats = repeats(facts, name);
        let commands: BTreeSet<u64> = repeats.values().flatten().copied().collect();
        for command in commands {
            let count = repeats.values().filter(|commands| commands.contains(&command)).count();
            if count > 1 {
                violations.push(format!("the command {command} repeats {count} failures of {name}"));
            }
        }
        let Some(log) = facts.log() else { continue };
        let starts = log.dispatches().flat_map(|(_, dispatch)| &dispatch.targets);
        let target_starts =
            starts.filter(|start| start.target == name.as_str() && start.state == StartState::Started);
        let mut after: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for start in target_starts {
            let (Some(failure), Some(run)) = (start.repeats, start.run) else { continue };
            after.entry(failure.0).or_default().insert(run.0);
        }
        let twice =
            after.into_iter().filter(|(failure, runs)| runs.len() > 1 && repeats.contains_key(failure));
        for (failure, runs) in twice {
            violations.push(format!("{name} was started again after {failure} as {runs:?}"));
        }
    }
}

/// Each command has a record and a last reaction, if a step has finished with it.
fn commands_are_answered(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let journal = &facts.play.journal;
    for command in &journal.commands {
        let is_of_command = |it: &&DispatchStep| it.command == Some(command.comment);
        let steps: Vec<&DispatchStep> = journal.dispatches.iter().filter(is_of_command).collect();
        let has_finished = |it: &&&DispatchStep| !it.outcome.gave_up() && !it.is_cancelled;
        if !steps.iter().any(|it| has_finished(&it)) {
            continue;
        }
        let is_of_record = |decision: &&Decision| decision.comment.0 == command.comment;
        let outcomes: Vec<_> =
            decisions(facts).filter(is_of_record).map(|decision| decision.outcome.clone()).collect();
        let counts = outcomes.iter().any(|outcome| *outcome == Outcome::Accepted);
        let text = &command.text;
        if outcomes.is_empty() && !was_refused_before(facts, command) {
            violations.push(format!("`{text}` ({}) was read, but has no record", command.comment));
        }
        if command.is_deleted {
            continue;
        }
        let reactions = facts.play.world.reactions(command.comment);
        let last: BTreeSet<&str> =
            reactions.iter().filter_map(|it| it.split_once(": ")).map(|(_, content)| content).collect();
        let is_good = last.contains("rocket");
        let is_clear = last.contains("-1") != is_good;
        // If lists lag, one of several steps may not see that another one has carried the command out.
        let may_differ = !facts.play.scenario.weather.lag.is_zero() && steps.len() > 1;
        if !last.contains("eyes") && facts.play.scenario.weather.merciful {
            violations.push(format!("`{text}` ({}) has no reaction `eyes`: {reactions:?}", command.comment));
        }
        let is_explained = is_clear || may_differ && is_good;
        if !is_explained || is_good != counts {
            violations.push(format!(
                "`{text}` ({}) was answered by {reactions:?}, and recorded as {outcomes:?}",
                command.comment
            ));
        }
    }
}

/// Whether a command of the same person was refused before: then there may be no second record.
fn was_refused_before(facts: &Facts<'_>, command: &CommandComment) -> bool {
    decisions(facts)
        .any(|decision| decision.outcome == Outcome::Refused && decision.who.login.as_str() == command.who)
}

/// A branch may move between the look at it and the start. Then a step cancels the run, if none was killed before.
fn runs_of_other_commits_are_cancelled(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let all_ended_well = facts.last_outcomes().values().all(|outcome| !outcome.gave_up());
    if !all_ended_well {
        return;
    }
    for Target { name, .. } in &facts.play.scenario.targets {
        for StartedRun { run, .. } in facts.play.journal.starts.get(name).into_iter().flatten() {
            if is_of_another_commit(facts, *run) && !was_asked_to_be_cancelled(facts, *run) {
                let is_unfinished = facts.play.world.run(*run).is_some_and(|run| !run.is_completed());
                if is_unfinished {
                    violations.push(format!("run {run} of {name} goes on at a commit that nobody approved"));
                }
            }
        }
    }
}

fn was_asked_to_be_cancelled(facts: &Facts<'_>, run: u64) -> bool {
    let path = format!("/actions/runs/{run}/cancel");
    facts.play.exchanges.iter().any(|exchange| exchange.path.ends_with(&path))
}

/// Whether a run began at another commit than the one that its claim names.
pub(super) fn is_of_another_commit(facts: &Facts<'_>, run: u64) -> bool {
    let Some(head) = facts.play.world.run(run).map(|run| run.head_sha) else { return false };
    let starts = facts.log().into_iter().flat_map(|log| log.dispatches()).flat_map(|(_, it)| &it.targets);
    let mut run_starts = starts.filter(|start| start.run.is_some_and(|of| of.0 == run));
    run_starts.any(|start| start.commit.as_ref().is_some_and(|commit| *commit != head))
}

/// Whether a command cancels the run.
pub(super) fn is_to_be_cancelled(facts: &Facts<'_>, run: u64) -> bool {
    let mut cancels = decisions(facts).filter(|decision| decision.asks_for(Verb::Cancel));
    cancels.any(|decision| decision.cancels.iter().any(|cancel| cancel.run.0 == run))
}

/// The reason why a target may not start at the end of the last hub run.
pub(super) fn obstacle(facts: &Facts<'_>, target: &Target, last: &DispatchStep) -> Option<String> {
    let rules = facts.play.rules.as_ref()?;
    let commit = facts.play.world.head(&target.repository, "main");
    rules.obstacle(target, decisions(facts), Some(&commit), last.end, TimeDelta::zero())
}
