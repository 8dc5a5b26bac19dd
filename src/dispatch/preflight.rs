//! What is checked before the first effect of a dispatch, of all targets at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use tokio::sync::OnceCell;

use super::facts::{self, WorkflowKey};
use super::{Hub, READS_AT_ONCE};
use crate::engine::Ready;
use crate::engine::wording::{RenderedInputs, Wording};
use crate::github::needs::{Level, Permission};
use crate::github::{GitHub, Needs};
use crate::place::Place;
use crate::problem::Problem;
use crate::runner::log::NOTICE;
use crate::targets::{StartBy, Target};
use crate::template::TemplateError;
use crate::workflow::{LONGEST_INPUTS, Misfit};

/// What is wrong with a template in `place`.
pub(super) fn template_problem(place: &str, error: &TemplateError) -> Problem {
    Problem::of(place, error)
}

/// What starting `targets` needs. A workflow file that cannot be read is not checked.
#[must_use]
pub(super) fn needs(targets: &[Target]) -> Needs {
    let needs = and_verifies(sees(targets), targets);
    targets.iter().fold(needs, |needs, Target { repository, start, .. }| match start {
        StartBy::Workflow(_) => needs.must(repository, Permission::Actions, Level::Write).may(
            repository,
            Permission::Contents,
            Level::Read,
        ),
        // Who reports names a run, which may be followed.
        StartBy::Event(_) => needs.must(repository, Permission::Contents, Level::Write),
    })
}

/// `needs`, and what verifying `targets` needs.
pub(super) fn and_verifies(needs: Needs, targets: &[Target]) -> Needs {
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

/// What it takes to see the runs of targets, and why they failed.
pub(super) fn sees(targets: &[Target]) -> Needs {
    targets.iter().fold(Needs::default(), |needs, Target { repository, .. }| {
        let needs = needs.may(repository, Permission::Actions, Level::Read);
        needs.may(repository, Permission::Checks, Level::Read)
    })
}

/// Checks that every target can be reached, and completes it with what its repository says. Those
/// that cannot be used are missing, and told in the problems.
pub(super) async fn reach(targets: Vec<Target>, hub: Hub<'_>) -> (Vec<Ready>, Vec<Problem>) {
    // One look at each repository and workflow, however many targets share it.
    let repositories: BTreeMap<_, _> =
        targets.iter().map(|target| (target.repository.clone(), OnceCell::new())).collect();
    let keys: BTreeSet<_> = targets.iter().map(WorkflowKey::of).collect();
    let read: BTreeMap<_, _> = futures::stream::iter(keys)
        .map(|key| {
            let settings = &repositories[&key.repository];
            async move {
                let read = facts::read(&key, settings, hub.github).await;
                (key, read)
            }
        })
        .buffer_unordered(READS_AT_ONCE)
        .collect()
        .await;
    let hub_name = &hub.common.hub;
    let (mut problems, mut ready) = (Vec::new(), Vec::new());
    for target in targets {
        match &read[&WorkflowKey::of(&target)] {
            Ok(workflow) => {
                let git_ref = workflow.git_ref.clone();
                let same_account = hub.github.tokens().are_the_same_for(hub_name, &target.repository);
                let mut one = Ready { git_ref, declared: workflow.declared.clone(), same_account, target };
                spell_inputs_as_declared(&mut one);
                if hub.inputs.ignore_unexpected_inputs {
                    leave_out_unexpected_inputs(&mut one);
                }
                ready.push(one);
            }
            Err(found) => {
                let of_target = |problem: &Problem| Problem {
                    place: Some(target.place.clone()),
                    what: format!("target {}: {}", target.name, problem.what),
                    help: problem.help.clone(),
                };
                problems.extend(found.iter().map(of_target));
            }
        }
    }
    (ready, problems)
}

/// Checks the inputs of every target as they will be sent against what its workflow declares.
pub(super) fn check_inputs(targets: &[Ready], wording: &Wording, github: &GitHub) -> Vec<Problem> {
    targets.iter().flat_map(|ready| misfits(ready, wording, github)).collect()
}

fn misfits(ready: &Ready, wording: &Wording, github: &GitHub) -> Vec<Problem> {
    let target = &ready.target;
    let Target { name, repository, start, place, .. } = target;
    let upstream = target.upstream.iter().map(|name| (name.to_string(), BTreeMap::new())).collect();
    let RenderedInputs { inputs, to_come, broken } =
        wording.rendered_inputs(ready, &wording.ticket_to_be(), &upstream);
    let unrendered = broken.iter().map(|(input, error)| {
        template_problem(&format!("target {name}, input `{}`", input.name), error).at(&input.place)
    });
    let mut problems: Vec<Problem> = unrendered.collect();
    let mut refuse = |place: &Place, what: String, help: String| {
        problems.push(Problem::new(format!("target {name}: {what}")).help(help).at(place));
    };
    let most = github.most_inputs();
    if matches!(start, StartBy::Workflow(_)) && inputs.len() > most {
        let what = format!("it is given {} inputs, and this server takes {most}", inputs.len());
        refuse(place, what, "leave some out, or put several into one".to_owned());
    }
    let texts = || inputs.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
    let length: usize = texts().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
    if length > LONGEST_INPUTS {
        let what = format!("its inputs have {length} characters, and GitHub takes {LONGEST_INPUTS}");
        refuse(place, what, "shorten them".to_owned());
    }
    let (Some(declared), StartBy::Workflow(file)) = (&ready.declared, start) else { return problems };
    for (input, value) in texts() {
        if let Some(written) = declared.written(input, value) {
            tracing::info!(
                target: NOTICE,
                "{name}: input `{input}` is sent as `{value}`, which is how GitHub reads the option {written} of {file} \
                 in {repository}; quotes keep its spelling there"
            );
        }
    }
    let is_broken = |name: &str| broken.iter().any(|(input, _)| input.name == name);
    // The value of an output is checked by GitHub when it is sent.
    let is_to_come = |name: &str| to_come.contains(name) && declared.has(name);
    let is_checked = |misfit: &Misfit| !is_broken(&misfit.name) && !is_to_come(&misfit.name);
    for misfit in declared.misfits(texts()).into_iter().filter(is_checked) {
        let given = ready.target.inputs.iter().find(|input| input.name == misfit.name);
        let place = given.map_or(place, |input| &input.place);
        refuse(
            place,
            format!("input `{}` of {file} in {repository} {}", misfit.name, misfit.what),
            misfit.help,
        );
    }
    problems
}

/// Gives each input the name that its workflow declares, where it is the same in another case.
fn spell_inputs_as_declared(ready: &mut Ready) {
    let Some(declared) = &ready.declared else { return };
    let Target { name: target, inputs, .. } = &mut ready.target;
    for index in 0..inputs.len() {
        let name = inputs[index].name.clone();
        let Some(spelling) = declared.spelling(&name).filter(|spelling| *spelling != name) else { continue };
        // Of two that differ by case, one is a mistake.
        if inputs.iter().any(|input| input.name == spelling) {
            continue;
        }
        tracing::info!(target: NOTICE, "{target}: the input `{name}` is sent as `{spelling}`, as its workflow declares it");
        inputs[index].name = spelling.to_owned();
    }
}

/// Leaves out the inputs that its workflow is known not to declare.
fn leave_out_unexpected_inputs(ready: &mut Ready) {
    let Some(declared) = &ready.declared else { return };
    let name = &ready.target.name;
    ready.target.inputs.retain(|input| {
        let expected = declared.has(&input.name);
        if !expected {
            tracing::info!(target: NOTICE, "{name}: its workflow does not declare `{}`, so it is left out", input.name);
        }
        expected
    });
}
