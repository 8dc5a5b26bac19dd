//! Runners: they take the jobs of runs, and start the action's steps and post steps as processes, with the
//! environment and the files that GitHub's runner gives them and nothing else.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use chrono::SecondsFormat;
use release_ticket_action::inputs::INPUTS;
use release_ticket_action::problem::{Advice, Help, Topic};
use release_ticket_action::ticket::Status;
use serde_json::{Value, json};
use simulated_github::{Job as JobState, Run, World};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::boards::BoardsError;
use crate::entries::{self, EntryError};
use crate::log;
use crate::narrator::{Narrator, Tone};
use crate::pace::Pace;
use crate::setting::github_token;

/// So many jobs run at once, as in GitHub's free plan.
const RUNNERS: usize = 20;

/// The action, as the page of a job names its steps.
const ACTION: &str = "Run org/release-ticket-action@v1";

/// By this name of the program `action.yml` starts a post step.
const POST: &str = "/release-ticket-action-post";

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
    /// The action has left something that a runner cannot read.
    #[error("the runner cannot read what {step} has saved in `GITHUB_STATE`")]
    State {
        /// The step.
        step: String,
        /// Why.
        #[source]
        source: EntryError,
    },
    /// A board cannot be kept.
    #[error(transparent)]
    Board(#[from] BoardsError),
}

impl Help for StepError {
    fn help(&self) -> Option<Advice> {
        let text = match self {
            Self::Start { .. } => {
                "the steps' files are in the folder for temporary files: name another one in `TMPDIR`"
            }
            Self::Failed { log, .. } if log.contains("inputs.") => {
                "a rehearsal has the inputs `version` and `channel`; give others, as `inputs.NAME` in templates, with \
                 `--input NAME=VALUE`"
            }
            Self::Failed { log, .. } if log.contains("form.") => {
                "a rehearsal has the answers of the issue form that `--form FILE` names; correct them with \
                 `--answer 'QUESTION=ANSWER'`"
            }
            Self::Failed { .. } | Self::State { .. } => return None,
            Self::Board(error) => return error.help(),
        };
        Some(Topic::Rehearsal.advice(text))
    }
}

/// The runners of all repositories, and the world in which they are.
pub(crate) struct Runners<'a> {
    /// The world.
    pub(crate) world: World,
    /// The address of the world's server.
    pub(crate) url: &'a str,
    /// The narrator of all events.
    pub(crate) narrator: &'a Narrator,
    /// The pace of the rehearsal.
    pub(crate) pace: Pace,
    program: &'a Path,
    folder: TempDir,
    free: Semaphore,
    steps: Cell<usize>,
    states: Cell<usize>,
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
            states: Cell::new(0),
        })
    }

    /// The number of started steps of the action.
    pub(crate) fn steps(&self) -> usize {
        self.steps.get()
    }

    /// The number of steps that saved a state for their post steps.
    pub(crate) fn states(&self) -> usize {
        self.states.get()
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
        let id = self.world.add_job(run.id, JobState::new(name).step("Set up job", "success").running());
        self.world.update_run(run.id, |run| run.status = "in_progress".to_owned());
        let job = Job {
            runners: self,
            run: run.clone(),
            event,
            name,
            id,
            folder,
            processes: 0,
            outputs: BTreeMap::new(),
            post_steps: Vec::new(),
            log: String::new(),
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
    processes: usize,
    outputs: BTreeMap<&'static str, String>,
    post_steps: Vec<PostStep>,
    log: String,
    failed: bool,
    _runner: SemaphorePermit<'a>,
}

/// The post step of a step of the action: the runner starts it after all main steps of the job.
struct PostStep {
    with: Vec<(String, String)>,
    state: BTreeMap<String, String>,
}

/// A step of the repository itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work<'a> {
    /// Its name.
    pub(crate) step: &'a str,
    /// Its output.
    pub(crate) prints: &'a str,
    /// Its conclusion.
    pub(crate) conclusion: Status,
}

impl Job<'_> {
    /// The value of `${{ job.status }}`.
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

    /// Does a step of the repository's own.
    pub(crate) async fn works(&mut self, work: Work<'_>) {
        let Work { step, prints, conclusion } = work;
        self.runners.pace.work(self.run.id).await;
        self.log_line(&format!("##[group]Run {step}"));
        self.log_line("##[endgroup]");
        prints.lines().for_each(|line| self.log_line(line));
        if conclusion != Status::Success {
            self.failed = true;
            let error = "Process completed with exit code 1.";
            self.log_line(&format!("##[error]{error}"));
            self.change(|job| *job = job.clone().annotation("failure", ".github", 1, error));
        }
        self.ends_step(step, conclusion);
    }

    /// Sets an output of the step whose `id` is `work`: `${{ steps.work.outputs.NAME }}`.
    pub(crate) fn sets_output(&mut self, name: &'static str, value: impl Into<String>) {
        self.outputs.insert(name, value.into());
    }

    /// Does a step that `uses:` the action, `with:` these inputs, in which expressions are evaluated.
    pub(crate) async fn uses_action(&mut self, with: &[(&str, &str)]) -> Result<(), StepError> {
        self.runners.steps.set(self.runners.steps.get() + 1);
        let with: Vec<_> = with.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let state = self.starts_action(&with, None).await?;
        self.runners.states.set(self.runners.states.get() + usize::from(!state.is_empty()));
        self.ends_step(ACTION, Status::Success);
        self.post_steps.push(PostStep { with, state });
        Ok(())
    }

    /// Ends the job: each step of the action has a post step, and the post step of the last one comes first.
    pub(crate) async fn end(mut self) -> Result<(), StepError> {
        while let Some(PostStep { with, state }) = self.post_steps.pop() {
            self.starts_action(&with, Some(&state)).await?;
            self.ends_step(&format!("Post {ACTION}"), Status::Success);
        }
        let conclusion = self.status().as_str();
        self.change(|job| *job = job.clone().log(self.log.as_str()).conclusion(conclusion));
        Ok(())
    }

    /// Starts the program of the action: as a main step, or as the post step of one that has saved `state`. Returns the
    /// state that it saves.
    async fn starts_action(
        &mut self,
        with: &[(String, String)],
        state: Option<&BTreeMap<String, String>>,
    ) -> Result<BTreeMap<String, String>, StepError> {
        self.processes += 1;
        let mode = with.iter().find(|(name, _)| name == "mode").map_or("", |(_, mode)| mode);
        let step = self.step_name(&state.map_or(mode.to_owned(), |_| format!("post {mode}")));
        let mut command = Command::new(self.runners.program);
        if state.is_some() {
            command.arg0(POST);
        }
        let saved = state.into_iter().flatten().map(|(name, value)| (format!("STATE_{name}"), value));
        let output = command
            .env_clear()
            .envs(self.environment(with))
            .envs(saved)
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
            self.runners.narrator.announce_as(Tone::Bad, &self.run.repository, warning.replace('\n', "; "));
        }
        entries::read(&self.file("state")).map_err(|source| StepError::State { step, source })
    }

    fn log_line(&mut self, line: &str) {
        let time = self.runners.world.now().to_rfc3339_opts(SecondsFormat::Micros, true);
        self.log += &format!("{time} {line}\n");
    }

    fn ends_step(&self, name: &str, conclusion: Status) {
        self.change(|job| *job = job.clone().step(name, conclusion.as_str()));
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

    // The files and variables that the runner prepares.

    fn workspace(&self) -> PathBuf {
        self.folder.join("workspace")
    }

    /// A file by which the process that was started last gives the runner something.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}-{}", self.processes))
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

    /// The environment of a step, without what it has saved: <https://docs.github.com/actions/reference/workflows-and-actions/variables>.
    fn environment(&self, with: &[(String, String)]) -> BTreeMap<String, OsString> {
        let run = &self.run;
        let variables = [
            ("CI", "true".into()),
            ("GITHUB_ACTIONS", "true".into()),
            ("GITHUB_ACTOR", run.actor.clone().into()),
            ("GITHUB_API_URL", self.runners.url.into()),
            ("GITHUB_EVENT_NAME", run.event.clone().into()),
            ("GITHUB_EVENT_PATH", self.event_path().into()),
            ("GITHUB_JOB", self.name.into()),
            ("GITHUB_OUTPUT", self.file("output").into()),
            ("GITHUB_REF", self.git_ref().into()),
            ("GITHUB_REPOSITORY", run.repository.clone().into()),
            ("GITHUB_RUN_ATTEMPT", run.attempt.to_string().into()),
            ("GITHUB_RUN_ID", run.id.to_string().into()),
            ("GITHUB_SERVER_URL", self.runners.url.into()),
            ("GITHUB_SHA", run.head_sha.clone().into()),
            ("GITHUB_STATE", self.file("state").into()),
            ("GITHUB_STEP_SUMMARY", self.file("summary").into()),
            ("GITHUB_WORKFLOW", run.workflow_name.clone().into()),
            ("GITHUB_WORKSPACE", self.workspace().into()),
            ("RUNNER_TEMP", self.folder.join("temp").into()),
        ];
        let inputs = INPUTS.iter().map(|input| {
            let given = with.iter().find(|(name, _)| name == input.name).map(|(_, text)| text.as_str());
            let text = given.unwrap_or(input.default.declared());
            (variable(input.name), evaluate(text, |expression| self.value(expression)).into())
        });
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(inputs).collect()
    }

    /// The present value of an expression of the workflow file, or of a default in `action.yml`.
    fn value(&self, expression: &str) -> String {
        match expression {
            "github.token" => github_token(&self.run.repository),
            "github.actor" => self.run.actor.clone(),
            "job.status" => self.status().as_str().to_owned(),
            "job.check_run_id" => self.id.to_string(),
            "toJSON(matrix)" => "null".to_owned(),
            other => {
                let output =
                    other.strip_prefix("steps.work.outputs.").and_then(|name| self.outputs.get(name));
                // A missing value of a context is empty.
                output.cloned().unwrap_or_default()
            }
        }
    }
}

/// The text with the value of each `${{ expression }}` in its place.
fn evaluate(text: &str, value: impl Fn(&str) -> String) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, (expression, behind))) =
        rest.split_once("${{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
    {
        out += before;
        out += &value(expression.trim());
        rest = behind;
    }
    out + rest
}

/// The variable in which the runner passes an input: hyphens are kept.
fn variable(input: &str) -> String {
    format!("INPUT_{}", input.to_uppercase().replace(' ', "_"))
}

#[cfg(test)]
mod tests {
    use super::{evaluate, variable};

    #[test]
    fn hyphens_of_an_input_are_kept() {
        assert_eq!(variable("dry-run"), "INPUT_DRY-RUN");
    }

    #[test]
    fn each_expression_of_a_text_is_evaluated_where_it_stands() {
        for (text, expected) in [
            ("plain {{ release }}", "plain {{ release }}"),
            ("${{ a }}", "<a>"),
            ("version: ${{ a }}\ndigest: ${{b}}.", "version: <a>\ndigest: <b>."),
            ("${{ a", "${{ a"),
        ] {
            assert_eq!(evaluate(text, |expression| format!("<{expression}>")), expected, "{text}");
        }
    }
}
