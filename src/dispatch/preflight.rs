//! What is read and checked before the first effect of a dispatch, of all targets at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::github::{GitHub, GitHubError};
use crate::inputs::DispatchInputs;
use crate::job::Job;
use crate::names::RepoName;
use crate::receipt::Problem;
use crate::targets::{self, StartBy, Target};
use crate::ticket::{Start, StartState};

/// A target that can be started, as far as could be checked.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The target.
    pub target: Target,
    /// The branch or tag at which it is started.
    pub git_ref: String,
    /// The inputs that its workflow declares; none if the file could not be read.
    declared: Option<BTreeSet<String>>,
}

impl Ready {
    /// Whether the workflow declares this input.
    #[must_use]
    pub fn declares(&self, input: &str) -> bool {
        self.declared.as_ref().is_some_and(|declared| declared.contains(input))
    }

    /// Runs of targets that share this cannot be told apart while they start.
    #[must_use]
    pub fn shared_by(&self) -> (RepoName, String, String) {
        let workflow = match &self.target.start {
            StartBy::Workflow(file) => file.clone(),
            StartBy::Event(_) => String::new(),
        };
        (self.target.repository.clone(), workflow, self.git_ref.clone())
    }

    /// The entry of a claim on this target.
    #[must_use]
    pub fn claimed(&self, now: DateTime<Utc>) -> Start {
        let (workflow, git_ref) = match &self.target.start {
            StartBy::Workflow(file) => (Some(file.clone()), Some(self.git_ref.clone())),
            StartBy::Event(_) => (None, None),
        };
        Start {
            target: self.target.name.clone(),
            repository: self.target.repository.clone(),
            workflow,
            git_ref,
            state: StartState::Claimed,
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
/// When there are none, or something is wrong with them.
pub async fn targets(
    job: &Job,
    inputs: &DispatchInputs,
    github: &GitHub,
) -> Result<Vec<Target>, Vec<Problem>> {
    if let Some(targets) = &inputs.targets {
        return Ok(targets.clone());
    }
    let path = &inputs.targets_file;
    let Some(text) = hub_file(job, path, github).await? else {
        return Err(vec![Problem {
            what: format!("no targets: the input `targets` is blank, and {} has no `{path}`", job.repository),
            help: Some("list the targets in either of them".to_owned()),
        }]);
    };
    targets::parse_file(path, &text, &job.repository, &inputs.defaults)
        .map_err(|error| error.problems.into_iter().map(|what| Problem { what, help: None }).collect())
}

/// The template of the ticket's body, if the step gives one.
///
/// # Errors
///
/// When the file that `body-path` names cannot be read.
pub async fn body_template(
    job: &Job,
    inputs: &DispatchInputs,
    github: &GitHub,
) -> Result<Option<String>, Vec<Problem>> {
    if let Some(body) = &inputs.body {
        return Ok(Some(body.clone()));
    }
    let Some(path) = &inputs.body_path else { return Ok(None) };
    match hub_file(job, path, github).await? {
        Some(text) => Ok(Some(text)),
        None => Err(vec![Problem {
            what: format!("`body-path`: {} has no `{path}`", job.repository),
            help: None,
        }]),
    }
}

/// A file of the repository whose workflow runs: from the workspace, else at the run's commit.
async fn hub_file(job: &Job, path: &str, github: &GitHub) -> Result<Option<String>, Vec<Problem>> {
    let inside = Path::new(path);
    let stays =
        inside.is_relative() && !inside.components().any(|part| part == std::path::Component::ParentDir);
    if !stays {
        return Err(vec![Problem { what: format!("`{path}` leads out of the repository"), help: None }]);
    }
    if let Some(workspace) = &job.workspace
        && let Ok(text) = std::fs::read_to_string(workspace.join(inside))
    {
        return Ok(Some(text));
    }
    let file = github.file(&job.repository, path.trim_start_matches("./"), job.sha.as_deref()).await;
    file.map(|file| file.map(|file| file.text))
        .map_err(|error| vec![Problem::of(&format!("cannot read `{path}` of {}", job.repository), &error)])
}

/// Checks every target, and completes it with what its repository says.
///
/// # Errors
///
/// With all problems of all targets.
pub async fn check(
    targets: Vec<Target>,
    github: &GitHub,
    max_parallel: usize,
) -> Result<Vec<Ready>, Vec<Problem>> {
    // One read for each workflow file, however many targets share it.
    let keys: BTreeSet<_> = targets.iter().map(WorkflowKey::of).collect();
    let read: BTreeMap<_, _> = futures::stream::iter(keys)
        .map(|key| async move {
            let read = read_workflow(&key, github).await;
            (key, read)
        })
        .buffer_unordered(max_parallel)
        .collect()
        .await;
    let mut problems = Vec::new();
    let mut ready = Vec::new();
    for target in targets {
        match &read[&WorkflowKey::of(&target)] {
            Ok(workflow) => ready.push(Ready {
                git_ref: target.git_ref.clone().unwrap_or_else(|| workflow.git_ref.clone()),
                declared: workflow.declared.clone(),
                target,
            }),
            Err(problem) => {
                problems.push(Problem {
                    what: format!("target {}: {}", target.name, problem.what),
                    ..problem.clone()
                });
            }
        }
    }
    if problems.is_empty() { Ok(ready) } else { Err(problems) }
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
    declared: Option<BTreeSet<String>>,
}

async fn read_workflow(key: &WorkflowKey, github: &GitHub) -> Result<WorkflowFacts, Problem> {
    let repository = &key.repository;
    let unreachable = |error: GitHubError| Problem::of(&format!("cannot reach {repository}"), &error);
    let settings = async || github.repository(repository).await.map_err(unreachable);
    let Some(file) = &key.file else {
        return Ok(WorkflowFacts { git_ref: settings().await?.default_branch, declared: None });
    };
    let path = format!(".github/workflows/{file}");
    let unread = match github.file(repository, &path, key.git_ref.as_deref()).await {
        Ok(Some(found)) => {
            let declared = declared_inputs(&found.text);
            let git_ref = match found.git_ref {
                Some(git_ref) => git_ref,
                None => settings().await?.default_branch,
            };
            return Ok(WorkflowFacts { git_ref, declared });
        }
        Ok(None) => None,
        Err(error) if error.status() == Some(http::StatusCode::FORBIDDEN) => Some(error),
        Err(error) => return Err(Problem::of(&format!("cannot read `{path}` of {repository}"), &error)),
    };
    let settings = settings().await?;
    let git_ref = key.git_ref.clone().unwrap_or(settings.default_branch);
    // Of a private repository "not found" may also mean "not for this token".
    if unread.is_none() && !settings.private {
        return Err(Problem {
            what: format!("{repository} has no `{path}` at {git_ref}"),
            help: Some("correct `workflow` or `ref`".to_owned()),
        });
    }
    // `actions: write` alone may start a workflow and not read it: then GitHub's own check decides.
    let why = unread.map_or_else(|| format!("it is not to be seen at {git_ref}"), |error| error.to_string());
    tracing::warn!(
        "the inputs of `{path}` in {repository} are not checked, and it is not told its ticket: {why}\n\
         help: grant the token `contents: read` on {repository}"
    );
    Ok(WorkflowFacts { git_ref, declared: None })
}

/// The names of the inputs that a workflow declares for `workflow_dispatch`.
fn declared_inputs(workflow: &str) -> Option<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Workflow {
        on: Value,
    }
    let workflow: Workflow = serde_saphyr::from_str(workflow).ok()?;
    let inputs = workflow.on.get("workflow_dispatch").and_then(|dispatch| dispatch.get("inputs"));
    let declared = inputs.and_then(Value::as_object).map(|inputs| inputs.keys().cloned().collect());
    Some(declared.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inputs_that_a_workflow_declares_are_read() {
        let read =
            |text: &str| declared_inputs(text).map(|names| names.into_iter().collect::<Vec<_>>().join(","));
        for (text, expected) in [
            (
                "on: { workflow_dispatch: { inputs: { release-ticket: {}, draft: { type: boolean } } } }",
                Some("draft,release-ticket"),
            ),
            ("on: [push, workflow_dispatch]", Some("")),
            ("on: workflow_dispatch", Some("")),
            ("on:\n  workflow_dispatch:\n", Some("")),
            ("jobs: {}", None),
            (": : :", None),
        ] {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
    }
}
