//! What is read and checked before the first effect of a dispatch, of all targets at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use serde_json::Map;

use super::Hub;
use super::declared::{Declared, LONGEST_INPUTS};
use super::wording::Wording;
use crate::github::contents::Repository;
use crate::github::needs::{Level, Permission};
use crate::github::{GitHub, GitHubError, Needs};
use crate::inputs::{self, Listing};
use crate::names::RepoName;
use crate::place::Place;
use crate::problem::{Help, Problem};
use crate::runner::log::NOTICE;
use crate::targets::{self, Listed, StartBy, Target, did_you_mean};
use crate::ticket::{Start, StartState};

/// A target that can be started, as far as could be checked.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    /// The target.
    pub(super) target: Target,
    /// The branch or tag at which it is started.
    pub(super) git_ref: String,
    /// What its workflow declares; none if the file could not be read, or an event is sent.
    declared: Option<Declared>,
}

impl Ready {
    /// Whether the workflow declares this input.
    #[must_use]
    pub(super) fn declares(&self, input: &str) -> bool {
        self.declared.as_ref().is_some_and(|declared| declared.has(input))
    }

    /// Leaves out the inputs that its workflow is known not to declare.
    fn leave_out_unexpected_inputs(&mut self) {
        let Some(declared) = &self.declared else { return };
        let name = &self.target.name;
        self.target.inputs.retain(|input| {
            let expected = declared.has(&input.name);
            if !expected {
                tracing::info!(target: NOTICE, "{name}: its workflow does not declare `{}`, so it is left out", input.name);
            }
            expected
        });
    }

    /// Runs of targets that share this cannot be told apart while they start.
    #[must_use]
    pub(super) fn shared_by(&self) -> (RepoName, String, String) {
        let workflow = match &self.target.start {
            StartBy::Workflow(file) => file.clone(),
            StartBy::Event(_) => String::new(),
        };
        (self.target.repository.clone(), workflow, self.git_ref.clone())
    }

    /// The entry of a claim on this target, or of its waiting for others.
    #[must_use]
    pub(super) fn entry(&self, state: StartState, now: DateTime<Utc>) -> Start {
        let (workflow, git_ref) = match &self.target.start {
            StartBy::Workflow(file) => (Some(file.clone()), Some(self.git_ref.clone())),
            StartBy::Event(_) => (None, None),
        };
        Start {
            target: self.target.name.clone(),
            repository: self.target.repository.clone(),
            workflow,
            git_ref,
            needs: self.target.needs.clone(),
            state,
            run: None,
            run_url: None,
            error: None,
            at: now,
            other: Map::new(),
        }
    }
}

/// The targets of the step: the input, or the targets file.
///
/// # Errors
///
/// When there is no list of them.
pub(super) async fn targets(hub: Hub<'_>, wording: &Wording<'_>) -> Result<Listed, Vec<Problem>> {
    let Hub { job, inputs, .. } = hub;
    match &inputs.targets {
        Some(Listing::Given(targets)) => {
            return Ok(Listed { targets: targets.clone(), problems: Vec::new() });
        }
        Some(Listing::Template(template)) => {
            let text = wording.early("`targets`", template)?;
            return Ok(targets::parse_input(&text, &job.repository, &inputs.defaults));
        }
        None => {}
    }
    let path = &inputs.targets_file;
    let Some(text) = hub_file(hub, path).await? else {
        return Err(vec![
            Problem::new(format!(
                "no targets: the input `targets` is blank, and {} has no `{path}`",
                job.repository
            ))
            .help("list the targets in either of them"),
        ]);
    };
    Ok(targets::parse_file(path, &text, &job.repository, &inputs.defaults))
}

/// The names of the targets that are meant; none: all.
///
/// # Errors
///
/// When it is no list, or names what is no target.
pub(super) fn only(
    hub: Hub<'_>,
    wording: &Wording<'_>,
    listed: &Listed,
) -> Result<Option<BTreeSet<String>>, Vec<Problem>> {
    let given = match &hub.inputs.only {
        None => return Ok(None),
        Some(Listing::Given(names)) => names.clone(),
        Some(Listing::Template(template)) => {
            let list = inputs::list_of(&wording.early("`only`", template)?);
            list.map_err(|error| vec![Problem::new(format!("`only`: {error}"))])?
        }
    };
    let known = || listed.targets.iter().map(|target| target.name.as_str());
    let (mut names, mut problems) = (BTreeSet::new(), Vec::new());
    for name in given {
        match known().find(|known| known.eq_ignore_ascii_case(name.trim())) {
            Some(name) => {
                names.insert(name.to_owned());
            }
            None => problems.push(
                Problem::new(format!("`only` names `{name}`, which is no target"))
                    .help(did_you_mean(&name, known())),
            ),
        }
    }
    if names.is_empty() && problems.is_empty() {
        let what = "`only` names no target".to_owned();
        problems.push(Problem::new(what).help("name at least one, or leave it blank for all"));
    }
    if problems.is_empty() { Ok(Some(names)) } else { Err(problems) }
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

/// The template of the ticket's body, if the step gives one.
///
/// # Errors
///
/// When the file that `body-path` names cannot be read.
pub(super) async fn body_template(hub: Hub<'_>) -> Result<Option<String>, Vec<Problem>> {
    let Hub { job, inputs, .. } = hub;
    if let Some(body) = &inputs.body {
        return Ok(Some(body.clone()));
    }
    let Some(path) = &inputs.body_path else { return Ok(None) };
    match hub_file(hub, path).await? {
        Some(text) => Ok(Some(text)),
        None => Err(vec![Problem::new(format!("`body-path`: {} has no `{path}`", job.repository))]),
    }
}

/// A file of the repository whose workflow runs: from the workspace, else at the run's commit.
async fn hub_file(hub: Hub<'_>, path: &str) -> Result<Option<String>, Vec<Problem>> {
    let Hub { job, github, .. } = hub;
    let inside = Path::new(path);
    let stays =
        inside.is_relative() && !inside.components().any(|part| part == std::path::Component::ParentDir);
    if !stays {
        return Err(vec![Problem::new(format!("`{path}` leads out of the repository"))]);
    }
    if let Some(workspace) = &job.workspace
        && let Ok(text) = std::fs::read_to_string(workspace.join(inside))
    {
        return Ok(Some(text));
    }
    github.tokens().need(Needs::default().must(&job.repository, Permission::Contents, Level::Read));
    let file = github.file(&job.repository, path.trim_start_matches("./"), job.sha.as_deref()).await;
    file.map(|file| file.map(|file| file.text))
        .map_err(|error| vec![Problem::of(&format!("cannot read `{path}` of {}", job.repository), &error)])
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
        .buffer_unordered(hub.inputs.max_parallel)
        .collect()
        .await;
    let (mut problems, mut ready) = (Vec::new(), Vec::new());
    for target in targets {
        match &read[&WorkflowKey::of(&target)] {
            Ok(workflow) => {
                let git_ref = target.git_ref.clone().unwrap_or_else(|| workflow.git_ref.clone());
                let mut one = Ready { git_ref, declared: workflow.declared.clone(), target };
                if hub.inputs.ignore_unexpected_inputs {
                    one.leave_out_unexpected_inputs();
                }
                ready.push(one);
            }
            Err(found) => {
                let told = |problem: &Problem| Problem {
                    place: Some(target.place.clone()),
                    what: format!("target {}: {}", target.name, problem.what),
                    help: problem.help.clone(),
                };
                problems.extend(found.iter().map(told));
            }
        }
    }
    (ready, problems)
}

/// Checks the inputs of every target as they will be sent against what its workflow declares.
pub(super) fn check_inputs(targets: &[Ready], wording: &Wording<'_>, github: &GitHub) -> Vec<Problem> {
    targets.iter().flat_map(|ready| misfits(ready, wording, github)).collect()
}

fn misfits(ready: &Ready, wording: &Wording<'_>, github: &GitHub) -> Vec<Problem> {
    let Target { name, repository, start, place, .. } = &ready.target;
    // That one does not render is told elsewhere.
    let (inputs, broken) = wording.rendered_inputs(ready, &wording.ticket_to_be());
    let mut problems = Vec::new();
    let mut refuse = |place: &Place, what: String, help: String| {
        problems.push(Problem::new(format!("target {name}: {what}")).help(help).at(place));
    };
    let most = github.most_inputs();
    if matches!(start, StartBy::Workflow(_)) && inputs.len() > most {
        let told = format!("it is given {} inputs, and this server takes {most}", inputs.len());
        refuse(place, told, "leave some out, or put several into one".to_owned());
    }
    let texts = || inputs.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
    let length: usize = texts().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
    if length > LONGEST_INPUTS {
        let told = format!("its inputs have {length} characters, and GitHub takes {LONGEST_INPUTS}");
        refuse(place, told, "shorten them".to_owned());
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
    file: Option<String>,
    git_ref: Option<String>,
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
    git_ref: String,
    declared: Option<Declared>,
}

/// What a target's repository says: the file at its ref, and whether GitHub runs it.
async fn read_workflow(key: &WorkflowKey, github: &GitHub) -> Result<WorkflowFacts, Vec<Problem>> {
    let repository = &key.repository;
    let Some(file) = &key.file else {
        let settings = settings(repository, github).await.map_err(|problem| vec![problem])?;
        return Ok(WorkflowFacts { git_ref: settings.default_branch, declared: None });
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
    let told = |error: GitHubError| Problem::of(&format!("cannot reach {repository}"), &error);
    github.repository(repository).await.map_err(told)
}

async fn read_file(key: &WorkflowKey, file: &str, github: &GitHub) -> Result<WorkflowFacts, Problem> {
    let repository = &key.repository;
    let path = format!(".github/workflows/{file}");
    let unread = match github.file(repository, &path, key.git_ref.as_deref()).await {
        Ok(Some(found)) => {
            let git_ref = match found.git_ref {
                Some(git_ref) => git_ref,
                None => settings(repository, github).await?.default_branch,
            };
            let declared = declared(&path, &found.text, repository, &git_ref)?;
            return Ok(WorkflowFacts { git_ref, declared: Some(declared) });
        }
        Ok(None) => None,
        Err(error) if error.status() == Some(http::StatusCode::FORBIDDEN) => Some(error),
        Err(error) => return Err(Problem::of(&format!("cannot read `{path}` of {repository}"), &error)),
    };
    let settings = settings(repository, github).await?;
    let git_ref = key.git_ref.clone().unwrap_or(settings.default_branch);
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

fn declared(path: &str, text: &str, repository: &RepoName, git_ref: &str) -> Result<Declared, Problem> {
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

async fn check_state(repository: &RepoName, file: &str, github: &GitHub) -> Result<(), Unusable> {
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
