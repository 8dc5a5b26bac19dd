//! Checks before the first effect of a dispatch, for all targets at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use tokio::sync::OnceCell;

use super::workflow_facts::{self, WorkflowKey};
use super::{Hub, READS_AT_ONCE};
use crate::engine::ReadyTarget;
use crate::engine::wording::{RenderedInputs, Wording};
use crate::github::needs::{Level, Permission};
use crate::github::{GitHub, Needs};
use crate::place::Place;
use crate::problem::{Advice, Problem, Topic};
use crate::runner::log::NOTICE;
use crate::targets::{StartBy, Target};
use crate::template::TemplateError;
use crate::workflow::{LONGEST_INPUTS, Misfit};

pub(super) fn template_problem(place: &str, error: &TemplateError) -> Problem {
    Problem::of(place, error)
}

/// The permissions to start `targets`. Contents are optional for a workflow: without them its file is not checked.
#[must_use]
pub(super) fn needs(targets: &[Target]) -> Needs {
    let needs = with_verification(run_needs(targets), targets);
    targets.iter().fold(needs, |needs, Target { repository, start, .. }| match start {
        StartBy::Workflow(_) => needs.must(repository, Permission::Actions, Level::Write).may(
            repository,
            Permission::Contents,
            Level::Read,
        ),
        // The reports of a target that an event starts name its run, and then this step follows that run.
        StartBy::Event(_) => needs.must(repository, Permission::Contents, Level::Write),
    })
}

/// `needs`, with the permissions to verify `targets`.
pub(super) fn with_verification(needs: Needs, targets: &[Target]) -> Needs {
    targets.iter().fold(needs, |needs, target| {
        let Target { repository, verify, outputs_from_release, .. } = target;
        let reads_release = *outputs_from_release || verify.release.is_some() || verify.immutable;
        let mut permissions = Vec::new();
        permissions.extend(reads_release.then_some(Permission::Contents));
        permissions.extend(verify.attestation.as_ref().map(|_| Permission::Attestations));
        permissions
            .into_iter()
            .fold(needs, |needs, permission| needs.must(repository, permission, Level::Read))
    })
}

/// The permissions to see the runs of targets, and why they failed.
pub(super) fn run_needs(targets: &[Target]) -> Needs {
    targets.iter().fold(Needs::default(), |needs, Target { repository, .. }| {
        let needs = needs.may(repository, Permission::Actions, Level::Read);
        needs.may(repository, Permission::Checks, Level::Read)
    })
}

/// Checks that every target can be reached, and completes it with facts of its repository. A target with problems is
/// left out of the first list.
pub(super) async fn reach(targets: Vec<Target>, hub: Hub<'_>) -> (Vec<ReadyTarget>, Vec<Problem>) {
    // One look at each repository and workflow, however many targets share it.
    let repositories: BTreeMap<_, _> =
        targets.iter().map(|target| (target.repository.clone(), OnceCell::new())).collect();
    let keys: BTreeSet<_> = targets.iter().map(WorkflowKey::of).collect();
    let answers: BTreeMap<_, _> = futures::stream::iter(keys)
        .map(|key| {
            let settings = &repositories[&key.repository];
            async move {
                let answer = workflow_facts::read(&key, settings, hub.github).await;
                (key, answer)
            }
        })
        .buffer_unordered(READS_AT_ONCE)
        .collect()
        .await;
    let hub_name = &hub.common.hub;
    let (mut problems, mut ready) = (Vec::new(), Vec::new());
    for target in targets {
        match &answers[&WorkflowKey::of(&target)] {
            Ok(workflow) => {
                let git_ref = workflow.git_ref.clone();
                let is_same_account = hub.github.tokens().is_same_account(hub_name, &target.repository);
                let mut entry = ReadyTarget {
                    git_ref,
                    declaration: workflow.declaration.clone(),
                    is_same_account,
                    target,
                };
                spell_inputs_as_declared(&mut entry);
                if hub.inputs.ignore_unexpected_inputs {
                    leave_out_unexpected_inputs(&mut entry);
                }
                ready.push(entry);
            }
            Err(reasons) => {
                let of_target = |problem: &Problem| Problem {
                    place: Some(target.place.clone()),
                    what: format!("target {}: {}", target.name, problem.what),
                    help: problem.help.clone(),
                };
                problems.extend(reasons.iter().map(of_target));
            }
        }
    }
    (ready, problems)
}

/// Checks the inputs of every target as they will be sent against what its workflow declares.
pub(super) fn check_inputs(targets: &[ReadyTarget], wording: &Wording, github: &GitHub) -> Vec<Problem> {
    targets.iter().flat_map(|ready| misfits(ready, wording, github)).collect()
}

fn misfits(ready: &ReadyTarget, wording: &Wording, github: &GitHub) -> Vec<Problem> {
    let target = &ready.target;
    let Target { name, repository, start, place, .. } = target;
    let upstream = target.upstream.iter().map(|name| (name.to_string(), BTreeMap::new())).collect();
    let RenderedInputs { inputs, pending, broken } =
        wording.rendered_inputs(ready, &wording.placeholder_ticket(), &upstream);
    let template_problems = broken.iter().map(|(input, error)| {
        template_problem(&format!("target {name}, input `{}`", input.name), error).at(&input.place)
    });
    let mut problems: Vec<Problem> = template_problems.collect();
    let mut refuse = |place: &Place, what: String, help: Advice| {
        let what = format!("target {name}: {what}");
        problems.push(Problem { place: Some(place.clone()), what, help: Some(help) });
    };
    let topic = Topic::WorkflowInput;
    let limit = github.most_inputs();
    if matches!(start, StartBy::Workflow(_)) && inputs.len() > limit {
        let what = format!("it has {} inputs, but this server takes {limit}", inputs.len());
        refuse(place, what, topic.advice("leave some out, or put several into one"));
    }
    let texts = || inputs.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
    let length: usize = texts().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
    if length > LONGEST_INPUTS {
        let what = format!("its inputs have {length} characters, but GitHub takes {LONGEST_INPUTS}");
        refuse(place, what, topic.advice("shorten them"));
    }
    let (Some(declaration), StartBy::Workflow(file)) = (&ready.declaration, start) else { return problems };
    for (input, value) in texts() {
        if let Some(option) = declaration.option_spelling(input, value) {
            tracing::info!(
                target: NOTICE,
                "{name}: input `{input}` is sent as `{value}`, which is how GitHub reads the option {option} of {file} \
                 in {repository}; quotes keep its spelling there"
            );
        }
    }
    let is_broken = |name: &str| broken.iter().any(|(input, _)| input.name == name);
    // GitHub checks the value of an output at the start.
    let is_pending = |name: &str| pending.contains(name) && declaration.has(name);
    let is_checked = |misfit: &Misfit| !is_broken(&misfit.name) && !is_pending(&misfit.name);
    for misfit in declaration.misfits(texts()).into_iter().filter(is_checked) {
        let input = ready.target.inputs.iter().find(|input| input.name == misfit.name);
        let place = input.map_or(place, |input| &input.place);
        refuse(
            place,
            format!("input `{}` of {file} in {repository} {}", misfit.name, misfit.what),
            misfit.help,
        );
    }
    problems
}

/// Gives each input the name that its workflow declares, if it differs in case alone.
fn spell_inputs_as_declared(ready: &mut ReadyTarget) {
    let Some(declaration) = &ready.declaration else { return };
    let Target { name: target, inputs, .. } = &mut ready.target;
    for index in 0..inputs.len() {
        let name = inputs[index].name.clone();
        let Some(spelling) = declaration.input_name(&name).filter(|spelling| *spelling != name) else {
            continue;
        };
        // Of two inputs that differ in case alone one is a mistake: both stay for the check.
        if inputs.iter().any(|input| input.name == spelling) {
            continue;
        }
        tracing::info!(target: NOTICE, "{target}: the input `{name}` is sent as `{spelling}`, as its workflow declares it");
        inputs[index].name = spelling.to_owned();
    }
}

/// Leaves out the inputs that the workflow does not declare.
fn leave_out_unexpected_inputs(ready: &mut ReadyTarget) {
    let Some(declaration) = &ready.declaration else { return };
    let name = &ready.target.name;
    ready.target.inputs.retain(|input| {
        let is_declared = declaration.has(&input.name);
        if !is_declared {
            tracing::info!(target: NOTICE, "{name}: its workflow does not declare `{}`, so it is left out", input.name);
        }
        is_declared
    });
}
