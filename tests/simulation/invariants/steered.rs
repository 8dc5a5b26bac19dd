//! What must hold where people steer the release from its ticket.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use release_ticket_action::ticket::decision::Outcome;
use release_ticket_action::ticket::{Decision, StartState, Verb};

use super::Facts;
use crate::journal::{Commanded, Dispatched, Started};
use crate::scenario::Target;
use crate::steering::{MAINTAINER, STEER};
use crate::witness::{Against, decisions_of};

pub(super) fn check(facts: &Facts<'_>, broken: &mut Vec<String>) {
    if facts.played.rules.is_none() {
        return;
    }
    for check in [
        nothing_is_started_against_a_word,
        commands_act_as_they_were_given,
        only_people_who_may_are_listened_to,
        a_command_repeats_a_run_once,
        commands_are_answered,
        runs_of_other_commits_are_cancelled,
    ] {
        check(facts, broken);
    }
}

/// A closed gate, a hold, a skip or a freeze, by the records that GitHub had shown the step before.
fn nothing_is_started_against_a_word(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let against = facts.played.against.iter();
    broken.extend(against.map(|Against { target, at, why }| {
        format!("{target} was started at {} although {why}", at.format("%T%.3f"))
    }));
}

fn decisions<'f>(facts: &'f Facts<'_>) -> impl Iterator<Item = &'f Decision> {
    facts.log().into_iter().flat_map(decisions_of)
}

fn commanded<'f>(facts: &Facts<'f>, decision: &Decision) -> Option<&'f Commanded> {
    facts.played.journal.commanded.iter().find(|command| command.comment == decision.comment.0)
}

/// Whatever became of the comment later, the record says what it said first.
fn commands_act_as_they_were_given(facts: &Facts<'_>, broken: &mut Vec<String>) {
    for decision in decisions(facts) {
        let Some(command) = commanded(facts, decision) else {
            broken.push(format!("nobody gave the command {}", decision.comment));
            continue;
        };
        let said = command.text.strip_prefix("/release").unwrap_or_default();
        let said = said.split_whitespace().next().unwrap_or("status");
        if let Some(verb) = decision.verb().filter(|verb| verb.as_str() != said) {
            broken.push(format!("`{}` was recorded as {}", command.text, verb.as_str()));
        }
        let before = command.text.split(':').next().unwrap_or_default();
        let named: Vec<&str> = before.split([' ', ',']).filter(|word| !word.is_empty()).skip(2).collect();
        let is_named = |name: &str| named.is_empty() || named == ["all"] || named.contains(&name);
        if let Some(other) = decision.names.iter().find(|name| !is_named(name.as_str())) {
            broken.push(format!("`{}` was recorded for {other}", command.text));
        }
    }
}

fn only_people_who_may_are_listened_to(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let gates = facts.played.rules.iter().flat_map(|rules| &rules.steering.gates);
    let gates: BTreeMap<&str, &[&str]> = gates.map(|gate| (gate.name, gate.approvers)).collect();
    for decision in decisions(facts).filter(|decision| decision.outcome == Outcome::Accepted) {
        let who = decision.who.login.as_str();
        let is_approver = |gate: &str| gates.get(gate).is_some_and(|of| of.is_empty() || of.contains(&who));
        let may = match decision.verb() {
            _ if !STEER.contains(&who) => false,
            Some(Verb::OverrideFreeze) => who == MAINTAINER,
            Some(Verb::Go | Verb::NoGo) => decision.names.iter().all(|gate| is_approver(gate.as_str())),
            _ => true,
        };
        if !may {
            broken.push(format!("{who} was listened to: {:?} on {:?}", decision.command, decision.names));
        }
        if commanded(facts, decision).is_some_and(|command| command.who != who) {
            broken.push(format!("{who} did not write the command {}", decision.comment));
        }
    }
}

/// So many failures of a target are repeated by commands, each as the claim of its run.
pub(super) fn repeats(facts: &Facts<'_>, target: &str) -> BTreeMap<u64, BTreeSet<u64>> {
    let mut repeats: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for decision in decisions(facts).filter(|decision| decision.asks_for(Verb::Retry)) {
        let of_target = decision.retries.iter().filter(|retry| retry.target == target);
        of_target.for_each(|retry| {
            repeats.entry(retry.after.0).or_default().insert(decision.comment.0);
        });
    }
    repeats
}

fn a_command_repeats_a_run_once(facts: &Facts<'_>, broken: &mut Vec<String>) {
    for Target { name, .. } in &facts.played.scenario.targets {
        let repeats = repeats(facts, name);
        let commands: BTreeSet<u64> = repeats.values().flatten().copied().collect();
        for command in commands {
            let of_command = repeats.values().filter(|commands| commands.contains(&command)).count();
            if of_command > 1 {
                broken.push(format!("the command {command} repeats {of_command} failures of {name}"));
            }
        }
        let Some(log) = facts.log() else { continue };
        let starts = log.dispatches().flat_map(|(_, dispatch)| &dispatch.targets);
        let started =
            starts.filter(|start| start.target == name.as_str() && start.state == StartState::Started);
        let mut after: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for start in started {
            let (Some(of), Some(run)) = (start.repeats, start.run) else { continue };
            after.entry(of.0).or_default().insert(run.0);
        }
        let twice = after.into_iter().filter(|(of, runs)| runs.len() > 1 && repeats.contains_key(of));
        for (of, runs) in twice {
            broken.push(format!("{name} was started again after {of} as {runs:?}"));
        }
    }
}

/// Each command has a record and its last reaction, if a step has carried it to the end.
fn commands_are_answered(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let journal = &facts.played.journal;
    for command in &journal.commanded {
        let of_command = |it: &&Dispatched| it.command == Some(command.comment);
        let steps: Vec<&Dispatched> = journal.dispatched.iter().filter(of_command).collect();
        let has_ended = |it: &&&Dispatched| !it.outcome.gave_up() && !it.cancelled;
        if !steps.iter().any(|it| has_ended(&it)) {
            continue;
        }
        let of_record = |decision: &&Decision| decision.comment.0 == command.comment;
        let outcomes: Vec<_> =
            decisions(facts).filter(of_record).map(|decision| decision.outcome.clone()).collect();
        let counts = outcomes.iter().any(|outcome| *outcome == Outcome::Accepted);
        let text = &command.text;
        if outcomes.is_empty() && !was_refused_before(facts, command) {
            broken.push(format!("`{text}` ({}) was read, and no record says so", command.comment));
        }
        if command.is_deleted {
            continue;
        }
        let reactions = facts.played.world.reactions(command.comment);
        let last: BTreeSet<&str> =
            reactions.iter().filter_map(|it| it.split_once(": ")).map(|(_, content)| content).collect();
        let is_good = last.contains("rocket");
        let is_clear = last.contains("-1") != is_good;
        // Where lists lag, one of several steps may not see that another one has carried it out.
        let may_differ = !facts.played.scenario.weather.lag.is_zero() && steps.len() > 1;
        if !last.contains("eyes") && facts.played.scenario.weather.merciful {
            broken.push(format!("`{text}` ({}) was read unseen: {reactions:?}", command.comment));
        }
        let is_explained = is_clear || may_differ && is_good;
        if !is_explained || is_good != counts {
            broken.push(format!(
                "`{text}` ({}) was answered by {reactions:?}, and recorded as {outcomes:?}",
                command.comment
            ));
        }
    }
}

/// Whether the same person was refused in the same words: then there is no second record.
fn was_refused_before(facts: &Facts<'_>, command: &Commanded) -> bool {
    decisions(facts)
        .any(|decision| decision.outcome == Outcome::Refused && decision.who.login.as_str() == command.who)
}

/// A branch may move between the look at it and the start: then the run is cancelled, if a step lives to see it.
fn runs_of_other_commits_are_cancelled(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let all_ended_well = facts.last_outcomes().values().all(|outcome| !outcome.gave_up());
    if !all_ended_well {
        return;
    }
    for Target { name, .. } in &facts.played.scenario.targets {
        for Started { run, .. } in facts.played.journal.started.get(name).into_iter().flatten() {
            if is_of_another_commit(facts, *run) && !was_asked_to_be_cancelled(facts, *run) {
                let is_known = facts.played.world.run(*run).is_some_and(|run| !run.is_completed());
                if is_known {
                    broken.push(format!("run {run} of {name} goes on at a commit that nobody approved"));
                }
            }
        }
    }
}

fn was_asked_to_be_cancelled(facts: &Facts<'_>, run: u64) -> bool {
    let path = format!("/actions/runs/{run}/cancel");
    facts.played.exchanges.iter().any(|exchange| exchange.path.ends_with(&path))
}

/// Whether a run began at another commit than the one that its claim was let through at.
pub(super) fn is_of_another_commit(facts: &Facts<'_>, run: u64) -> bool {
    let Some(head) = facts.played.world.run(run).map(|run| run.head_sha) else { return false };
    let starts = facts.log().into_iter().flat_map(|log| log.dispatches()).flat_map(|(_, it)| &it.targets);
    let mut of_run = starts.filter(|start| start.run.is_some_and(|of| of.0 == run));
    of_run.any(|start| start.commit.as_ref().is_some_and(|commit| *commit != head))
}

/// Whether a command says that the run is to be cancelled.
pub(super) fn is_to_be_cancelled(facts: &Facts<'_>, run: u64) -> bool {
    let mut cancels = decisions(facts).filter(|decision| decision.asks_for(Verb::Cancel));
    cancels.any(|decision| decision.cancels.iter().any(|cancel| cancel.run.0 == run))
}

/// What keeps a target back when the last hub run ends.
pub(super) fn kept_back(facts: &Facts<'_>, target: &Target, last: &Dispatched) -> Option<String> {
    let rules = facts.played.rules.as_ref()?;
    let commit = facts.played.world.head(&target.repository, "main");
    rules.kept_back(target, decisions(facts), Some(&commit), last.ended, TimeDelta::zero())
}
