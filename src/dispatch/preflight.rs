//! What is checked before the first effect of a dispatch, of all targets at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;

use super::{Hub, READS_AT_ONCE};
use crate::engine::Ready;
use crate::engine::wording::Wording;
use crate::github::contents::Repository;
use crate::github::needs::{Level, Permission};
use crate::github::{GitHub, Needs};
use crate::names::{GitRef, RepoName, WorkflowFile};
use crate::place::Place;
use crate::problem::{Help, Problem};
use crate::runner::log::NOTICE;
use crate::targets::{StartBy, Target};
use crate::template::TemplateError;
use crate::workflow::{Declared, LONGEST_INPUTS};

/// What is wrong with a template in `place`.
pub(super) fn template_problem(place: &str, error: &TemplateError) -> Problem {
    Problem::of(place, error)
}

/// What starting `targets` needs. A workflow file that cannot be read is not checked.
#[must_use]
pub(super) fn needs(targets: &[Target]) -> Needs {
    targets.iter().fold(Needs::default(), |needs, Target { repository, start, .. }| match start {
        StartBy::Workflow(_) => needs.must(repository, Permission::Actions, Level::Write).may(
            repository,
            Permission::Contents,
            Level::Read,
        ),
        // Who reports names a run, which may be followed.
        StartBy::Event(_) => needs.must(repository, Permission::Contents, Level::Write).may(
            repository,
            Permission::Actions,
            Level::Read,
        ),
    })
}

/// What it takes to see the runs of targets that a step does not start.
pub(super) fn sees(targets: &[Target]) -> Needs {
    targets.iter().fold(Needs::default(), |needs, target| {
        needs.may(&target.repository, Permission::Actions, Level::Read)
    })
}

/// Checks that every target can be reached, and completes it with what its repository says. Those
/// that cannot be used are missing, and told in the problems.
pub(super) async fn reach(targets: Vec<Target>, hub: Hub<'_>) -> (Vec<Ready>, Vec<Problem>) {
    // One look at each workflow, however many targets share it.
    let keys: BTreeSet<_> = targets.iter().map(WorkflowKey::of).collect();
    let read: BTreeMap<_, _> = futures::stream::iter(keys)
        .map(|key| async move {
            let read = read_workflow(&key, hub.github).await;
            (key, read)
        })
        .buffer_unordered(READS_AT_ONCE)
        .collect()
        .await;
    let hub_name = &hub.common.hub;
    let (mut problems, mut ready) = (Vec::new(), Vec::new());
    for target in targets {
        match &read[&WorkflowKey::of(&target)] {
            Ok(workflow) => {
                let git_ref = target.git_ref.clone().unwrap_or_else(|| workflow.git_ref.clone());
                let same_account = hub.github.tokens().are_the_same_for(hub_name, &target.repository);
                let mut one = Ready { git_ref, declared: workflow.declared.clone(), same_account, target };
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
    let Target { name, repository, start, place, .. } = &ready.target;
    let (inputs, broken) = wording.rendered_inputs(ready, &wording.ticket_to_be());
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
    let is_broken = |name: &str| broken.iter().any(|(input, _)| input.name == name);
    for misfit in declared.misfits(texts()).into_iter().filter(|misfit| !is_broken(&misfit.name)) {
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

/// By what a workflow file is read once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct WorkflowKey {
    repository: RepoName,
    file: Option<WorkflowFile>,
    git_ref: Option<GitRef>,
}

impl WorkflowKey {
    fn of(target: &Target) -> Self {
        let file = match &target.start {
            StartBy::Workflow(file) => Some(file.clone()),
            StartBy::Event(_) => None,
        };
        Self { repository: target.repository.clone(), file, git_ref: target.git_ref.clone() }
    }
}

struct WorkflowFacts {
    git_ref: GitRef,
    declared: Option<Declared>,
}

/// What a target's repository says: the file at its ref, and whether GitHub runs it.
async fn read_workflow(key: &WorkflowKey, github: &GitHub) -> Result<WorkflowFacts, Vec<Problem>> {
    let repository = &key.repository;
    let Some(file) = &key.file else {
        let settings = settings(repository, github).await.map_err(|problem| vec![problem])?;
        return Ok(WorkflowFacts { git_ref: settings.default_branch.into(), declared: None });
    };
    let (read, state) = tokio::join!(read_file(key, file, github), check_state(repository, file, github));
    match (read, state) {
        (Ok(facts), Ok(())) => Ok(facts),
        // Where the file is not to be had, it is no news that GitHub does not run it.
        (Err(problem), Err(Unusable::Unknown(_)) | Ok(())) => Err(vec![problem]),
        (Ok(_), Err(Unusable::Unknown(problem) | Unusable::Disabled(problem))) => Err(vec![problem]),
        (Err(one), Err(Unusable::Disabled(other))) => Err(vec![one, other]),
    }
}

async fn settings(repository: &RepoName, github: &GitHub) -> Result<Repository, Problem> {
    let read = github.repository(repository).await;
    read.map_err(|error| Problem::of(&format!("cannot reach {repository}"), &error))
}

async fn read_file(
    key: &WorkflowKey,
    file: &WorkflowFile,
    github: &GitHub,
) -> Result<WorkflowFacts, Problem> {
    let repository = &key.repository;
    let path = file.path();
    let unread = match github.file(repository, &path, key.git_ref.as_ref().map(GitRef::as_str)).await {
        Ok(Some(found)) => {
            let git_ref: GitRef = match found.git_ref {
                Some(git_ref) => git_ref.into(),
                None => settings(repository, github).await?.default_branch.into(),
            };
            let declared = declared(&path, &found.text, repository, &git_ref)?;
            return Ok(WorkflowFacts { git_ref, declared: Some(declared) });
        }
        Ok(None) => None,
        Err(error) if error.status() == Some(http::StatusCode::FORBIDDEN) => Some(error),
        Err(error) => return Err(Problem::of(&format!("cannot read `{path}` of {repository}"), &error)),
    };
    let settings = settings(repository, github).await?;
    let git_ref = key.git_ref.clone().unwrap_or_else(|| settings.default_branch.into());
    // Of a private repository "not found" may also mean "not for this token".
    if unread.is_none() && !settings.private {
        return Err(Problem::new(format!("{repository} has no `{path}` at {git_ref}"))
            .help("correct `workflow` or `ref`"));
    }
    // `actions: write` alone may start a workflow and not read it: then GitHub's own check decides.
    let why = unread
        .as_ref()
        .map_or_else(|| format!("it is not to be seen at {git_ref}"), |error| error.to_string());
    let help = unread.and_then(|error| error.help());
    let help = help.unwrap_or_else(|| format!("grant the token `contents: read` on {repository}"));
    tracing::warn!(
        "the inputs of `{path}` in {repository} are not checked, and it is not told its ticket: {why}\n\
         help: {help}"
    );
    Ok(WorkflowFacts { git_ref, declared: None })
}

fn declared(path: &str, text: &str, repository: &RepoName, git_ref: &GitRef) -> Result<Declared, Problem> {
    let help = "correct the workflow file".to_owned();
    match Declared::read(path, text) {
        Ok(Some(declared)) => Ok(declared),
        Ok(None) => Err(Problem::new(format!(
            "`{path}` of {repository} does not start on `workflow_dispatch` at {git_ref}"
        ))
        .help("add `workflow_dispatch:` below its `on:`")),
        Err(error) => Err(Problem::new(format!("in {repository} at {git_ref}: {error}")).help(help)),
    }
}

/// Why GitHub does not run a workflow.
enum Unusable {
    /// It does not know it.
    Unknown(Problem),
    /// Somebody switched it off.
    Disabled(Problem),
}

async fn check_state(repository: &RepoName, file: &WorkflowFile, github: &GitHub) -> Result<(), Unusable> {
    match github.workflow_state(repository, file).await {
        Ok(Some(state)) if state == "active" => Ok(()),
        Ok(Some(state)) => Err(Unusable::Disabled(
            Problem::new(format!("{file} in {repository} is switched off ({state})"))
                .help(format!("switch it on: gh workflow enable {file} --repo {repository}")),
        )),
        Ok(None) => Err(Unusable::Unknown(
            Problem::new(format!("GitHub knows no workflow {file} in {repository}"))
                .help("a workflow that is started this way must be on the default branch too"),
        )),
        // Who may not look leaves it to GitHub's own check.
        Err(error) => {
            let help = error.help().unwrap_or_default();
            tracing::info!(
                "whether {file} in {repository} is switched on is not checked: {error}\nhelp: {help}"
            );
            Ok(())
        }
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
