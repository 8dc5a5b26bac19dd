//! Runners: they take the jobs of runs, and start the action's steps as processes, with the
//! environment and the files that GitHub's runner gives them and nothing else.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use release_ticket_action::inputs::INPUTS;
use release_ticket_action::problem::Help;
use release_ticket_action::ticket::Status;
use serde_json::{Value, json};
use simulated_github::{Job as JobState, Run, Step, World};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::log;
use crate::narrator::{Narrator, Tone};
use crate::pace::Pace;
use crate::setting::github_token;

/// So many jobs run at once, as in GitHub's free plan.
const RUNNERS: usize = 20;

/// Why a step did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// The runner itself is in trouble.
    #[error("{step} cannot be started")]
    Start {
        /// The step.
        step: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The action failed.
    #[error("{step} ended with {status}; this is its log:\n\n{}", log.trim_end())]
    Failed {
        /// The step.
        step: String,
        /// How it ended.
        status: ExitStatus,
        /// Its output, as the page of its job shows it.
        log: String,
    },
}

impl Help for StepError {
    fn help(&self) -> Option<String> {
        match self {
            Self::Start { .. } => Some("the steps' files are in the folder for temporary files: name another one in `TMPDIR`".to_owned()),
            Self::Failed { log, .. } if log.contains("inputs.") => Some(
                "a rehearsal has the inputs `version` and `channel`; give others, as `inputs.NAME` in templates, with \
                 `--input NAME=VALUE`".to_owned()),
            Self::Failed { log, .. } if log.contains("form.") => Some(
                "a rehearsal has the answers of the issue form that `--form FILE` names; correct them with \
                 `--answer 'QUESTION=ANSWER'`".to_owned()),
            Self::Failed { .. } => None,
        }
    }
}

/// The runners of all repositories, and the world in which they are.
pub(crate) struct Runners<'a> {
    /// The world.
    pub(crate) world: World,
    /// Where the world is served.
    pub(crate) url: &'a str,
    /// Who tells what happens.
    pub(crate) narrator: &'a Narrator,
    /// How long things take.
    pub(crate) pace: Pace,
    program: &'a Path,
    folder: TempDir,
    free: Semaphore,
    steps: Cell<usize>,
}

impl<'a> Runners<'a> {
    /// Runners for the world that is served at `url`; each step of the action starts `program`.
    pub(crate) fn new(
        world: &World,
        url: &'a str,
        program: &'a Path,
        narrator: &'a Narrator,
        pace: Pace,
    ) -> Result<Self, StepError> {
        let folder = tempfile::Builder::new().prefix("rehearsal-").tempdir();
        let folder = folder.map_err(|source| StepError::Start { step: "a runner".to_owned(), source })?;
        Ok(Self {
            world: world.clone(),
            url,
            narrator,
            pace,
            program,
            folder,
            free: Semaphore::new(RUNNERS),
            steps: Cell::new(0),
        })
    }

    /// How many steps of the action were started.
    pub(crate) fn steps(&self) -> usize {
        self.steps.get()
    }

    /// Begins a job of the latest attempt of `run`, as soon as a runner is free.
    pub(crate) async fn begin(&self, run: &Run, name: &'static str) -> Result<Job<'_>, StepError> {
        let event = json!({ "inputs": Some(&run.inputs).filter(|_| run.event == "workflow_dispatch") });
        self.begin_by(event, run, name).await
    }

    /// The same, where `event` started the run.
    pub(crate) async fn begin_by(
        &self,
        event: Value,
        run: &Run,
        name: &'static str,
    ) -> Result<Job<'_>, StepError> {
        let runner = self.free.acquire().await.expect("the semaphore is never closed");
        let folder = self.folder.path().join(format!("{}-{}-{name}", run.id, run.attempt));
        let id = self.world.add_job(run.id, JobState::new(name).running());
        self.world.update_run(run.id, |run| run.status = "in_progress".to_owned());
        let job = Job {
            runners: self,
            run: run.clone(),
            event,
            name,
            id,
            folder,
            steps: 0,
            failed: false,
            _runner: runner,
        };
        job.prepare().map_err(|source| StepError::Start { step: job.step_name("Set up job"), source })?;
        Ok(job)
    }
}

/// A job at work.
pub(crate) struct Job<'a> {
    runners: &'a Runners<'a>,
    run: Run,
    event: Value,
    name: &'static str,
    id: u64,
    folder: PathBuf,
    steps: usize,
    failed: bool,
    _runner: SemaphorePermit<'a>,
}

impl Job<'_> {
    /// The job's id in the workflow file.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// What `${{ job.status }}` says.
    pub(crate) fn status(&self) -> Status {
        if self.failed { Status::Failure } else { Status::Success }
    }

    /// Puts a file into the job's workspace, as a checkout does.
    pub(crate) fn check_out(&self, path: &str, text: &str) -> Result<(), StepError> {
        let path = self.workspace().join(path);
        let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let written = folder.and_then(|()| std::fs::write(path, text));
        written.map_err(|source| StepError::Start { step: self.step_name("Check out"), source })
    }

    /// Does a step of the target's own.
    pub(crate) async fn works(&mut self, step: &str, conclusion: Status) {
        self.runners.pace.work(self.run.id).await;
        self.failed |= conclusion != Status::Success;
        self.steps += 1;
        let number = self.steps as u64;
        let (name, conclusion) = (step.to_owned(), Some(conclusion.as_str().to_owned()));
        self.change(|job| job.steps.push(Step { name, number, status: "completed".to_owned(), conclusion }));
    }

    /// Does a step that `uses:` the action, `with:` these inputs.
    pub(crate) async fn uses_action(&mut self, with: &[(&str, &str)]) -> Result<(), StepError> {
        self.steps += 1;
        self.runners.steps.set(self.runners.steps.get() + 1);
        let mode = with.iter().find(|(name, _)| *name == "mode").map_or("", |(_, mode)| mode);
        let step = self.step_name(mode);
        let output = Command::new(self.runners.program)
            .env_clear()
            .envs(self.environment(with))
            .current_dir(self.workspace())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|source| StepError::Start { step: step.clone(), source })?;
        let log = [output.stdout, output.stderr].concat();
        let log = String::from_utf8_lossy(&log).into_owned();
        if !output.status.success() {
            let log = log::as_people_see_it(&log);
            return Err(StepError::Failed { step, status: output.status, log });
        }
        for warning in log::messages(&log, "warning") {
            self.runners.narrator.tell_as(Tone::Bad, &self.run.repository, warning.replace('\n', "; "));
        }
        Ok(())
    }

    /// Ends the job.
    pub(crate) fn end(self) {
        let conclusion = self.status().as_str();
        self.change(|job| *job = job.clone().concluded(conclusion));
    }

    fn change(&self, change: impl FnOnce(&mut JobState)) {
        self.runners.world.update_run(self.run.id, |run| {
            let job = run.jobs.iter_mut().find(|job| job.id == self.id);
            change(job.expect("a job that is at work belongs to the latest attempt"));
        });
    }

    fn step_name(&self, step: &str) -> String {
        format!("`{step}` in job {} of run {} in {}", self.name, self.run.id, self.run.repository)
    }

    // What the runner prepares.

    fn workspace(&self) -> PathBuf {
        self.folder.join("workspace")
    }

    fn event_path(&self) -> PathBuf {
        self.folder.join("event.json")
    }

    fn prepare(&self) -> std::io::Result<()> {
        std::fs::create_dir_all(self.workspace())?;
        std::fs::create_dir_all(self.folder.join("temp"))?;
        std::fs::write(self.event_path(), self.event().to_string())
    }

    fn event(&self) -> Value {
        let run = &self.run;
        let mut event = self.event.clone();
        event["ref"] = self.git_ref().into();
        event["repository"] = json!({ "full_name": run.repository });
        event["sender"] = json!({ "login": run.actor });
        event["workflow"] = format!(".github/workflows/{}", run.workflow).into();
        event
    }

    fn git_ref(&self) -> String {
        format!("refs/heads/{}", self.run.git_ref)
    }

    /// The environment of a step: <https://docs.github.com/actions/reference/workflows-and-actions/variables>.
    fn environment(&self, with: &[(&str, &str)]) -> BTreeMap<String, OsString> {
        let run = &self.run;
        let file = |name: &str| self.folder.join(format!("{name}-{}", self.steps)).into_os_string();
        let variables = [
            ("CI", "true".into()),
            ("GITHUB_ACTIONS", "true".into()),
            ("GITHUB_ACTOR", run.actor.clone().into()),
            ("GITHUB_API_URL", self.runners.url.into()),
            ("GITHUB_EVENT_NAME", run.event.clone().into()),
            ("GITHUB_EVENT_PATH", self.event_path().into()),
            ("GITHUB_JOB", self.name.into()),
            ("GITHUB_OUTPUT", file("output")),
            ("GITHUB_REF", self.git_ref().into()),
            ("GITHUB_REPOSITORY", run.repository.clone().into()),
            ("GITHUB_RUN_ATTEMPT", run.attempt.to_string().into()),
            ("GITHUB_RUN_ID", run.id.to_string().into()),
            ("GITHUB_SERVER_URL", self.runners.url.into()),
            ("GITHUB_SHA", run.head_sha.clone().into()),
            ("GITHUB_STEP_SUMMARY", file("summary")),
            ("GITHUB_WORKFLOW", run.workflow_name.clone().into()),
            ("GITHUB_WORKSPACE", self.workspace().into()),
            ("RUNNER_TEMP", self.folder.join("temp").into()),
        ];
        let inputs = INPUTS.iter().map(|input| {
            let given =
                with.iter().find(|(name, _)| *name == input.name).map(|(_, value)| (*value).to_owned());
            let value = given.unwrap_or_else(|| self.default(input.default.declared()));
            (variable(input.name), value.into())
        });
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(inputs).collect()
    }

    /// What the runner makes of a default in `action.yml`.
    fn default(&self, text: &str) -> String {
        match text.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}")).map(str::trim) {
            None => text.to_owned(),
            Some("github.token") => github_token(&self.run.repository),
            Some("github.actor") => self.run.actor.clone(),
            Some("job.status") => self.status().as_str().to_owned(),
            Some("job.check_run_id") => self.id.to_string(),
            Some("toJSON(matrix)") => "null".to_owned(),
            // What a context does not hold is empty.
            Some(_) => String::new(),
        }
    }
}

/// The variable in which the runner passes an input: hyphens are kept.
fn variable(input: &str) -> String {
    format!("INPUT_{}", input.to_uppercase().replace(' ', "_"))
}

#[cfg(test)]
mod tests {
    use super::variable;

    #[test]
    fn hyphens_of_an_input_are_kept() {
        assert_eq!(variable("dry-run"), "INPUT_DRY-RUN");
    }
}
