//! One run of a workflow under act, which reports each line of the log to the world.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use simulated_github::{Job, Run, World};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

const LONGEST_RUN: Duration = Duration::from_secs(240);

/// The data that act needs to play runs of one repository.
pub(crate) struct Runner<'a> {
    pub(crate) world: &'a World,
    /// The address of the world's server.
    pub(crate) url: &'a str,
    /// The repository's files.
    pub(crate) checkout: &'a Path,
    /// The action.
    pub(crate) action: &'a Path,
    /// The image in which `run:` steps run.
    pub(crate) job_image: &'a str,
    /// Names and values, `GITHUB_TOKEN` among them.
    pub(crate) secrets: &'a [(&'a str, &'a str)],
    /// Names and values of the variables `vars`, which are not secret.
    pub(crate) variables: &'a [(&'a str, &'a str)],
    /// The text after which the run is cancelled, if a step prints it.
    pub(crate) cancel_at: Option<&'a str>,
}

#[derive(Debug, Default)]
pub(crate) struct EndedRun {
    pub(crate) repository: String,
    pub(crate) conclusion: String,
    /// The output of the steps.
    pub(crate) output: String,
    /// The summaries of the steps.
    pub(crate) summary: String,
    /// The output of act.
    log: String,
}

impl EndedRun {
    #[track_caller]
    pub(crate) fn concludes(&self, conclusion: &str) -> &Self {
        assert_eq!(self.conclusion, conclusion, "{} said:\n{}", self.repository, self.log);
        self
    }

    #[track_caller]
    pub(crate) fn prints(&self, text: &str) -> &Self {
        assert!(
            self.output.contains(text),
            "`{text}` is not in the log of {}:\n{}",
            self.repository,
            self.log
        );
        self
    }
}

impl Runner<'_> {
    /// Plays the latest attempt of `run` to its end; `payload` is its event, unless a person started it by hand.
    pub(crate) async fn play(&self, run: Run, payload: Option<Value>) -> EndedRun {
        let payload = payload.unwrap_or_else(|| event(&run));
        let play = tokio::time::timeout(LONGEST_RUN, self.act(&run, &payload));
        let end = play.await.unwrap_or_else(|_| panic!("run {} of {} does not end", run.id, run.repository));
        self.world.finish_run(run.id, &end.conclusion);
        end
    }

    async fn act(&self, run: &Run, payload: &Value) -> EndedRun {
        let event_file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(&event_file, payload.to_string()).expect("a writable file");
        let mut act = Command::new("act");
        act.arg(&run.event)
            .arg("--directory")
            .arg(self.checkout)
            .args(["--workflows", &format!(".github/workflows/{}", run.workflow)])
            .arg("--eventpath")
            .arg(event_file.path())
            .args(["--actor", &run.triggering_actor])
            .args(["--platform", &format!("ubuntu-latest={}", self.job_image)])
            .arg("--local-repository")
            .arg(format!("org/release-ticket-action@v1={}", self.action.display()))
            .args(["--json", "--pull=false", "--rm", "--no-cache-server", "--container-daemon-socket", "-"]);
        for (name, value) in [
            ("GITHUB_API_URL", self.url),
            ("GITHUB_SERVER_URL", self.url),
            ("GITHUB_REPOSITORY", &run.repository),
            ("GITHUB_REF", &format!("refs/heads/{}", run.git_ref)),
            // act's own name for GITHUB_SHA.
            ("SHA_REF", &run.head_sha),
            ("GITHUB_RUN_ID", &run.id.to_string()),
            ("GITHUB_RUN_ATTEMPT", &run.attempt.to_string()),
        ] {
            act.args(["--env", &format!("{name}={value}")]);
        }
        for (name, value) in self.secrets {
            act.args(["--secret", &format!("{name}={value}")]);
        }
        for (name, value) in self.variables {
            act.args(["--var", &format!("{name}={value}")]);
        }
        let act = act.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut act = act.spawn().expect("act is installed by .ci/end-to-end.sh");

        let id = act.id().expect("it runs").to_string();
        let mut listener = Listener::new(self.world, run);
        let mut lines = BufReader::new(act.stdout.take().expect("it is piped")).lines();
        let hear = async {
            while let Some(line) = lines.next_line().await.expect("act writes UTF-8") {
                listener.hear(&line);
                let is_time = |text: &&str| !listener.is_cancelled && listener.result.output.contains(*text);
                if self.cancel_at.as_ref().is_some_and(is_time) {
                    listener.is_cancelled = true;
                    let kill = std::process::Command::new("kill").args(["-s", "INT", &id]).status();
                    assert!(kill.is_ok_and(|status| status.success()), "act can be interrupted");
                }
            }
        };
        let mut stderr = act.stderr.take().expect("it is piped");
        let mut errors = String::new();
        let (_, errors_read) = tokio::join!(hear, stderr.read_to_string(&mut errors));
        errors_read.expect("act writes UTF-8");
        let status = act.wait().await.expect("act can be waited for");
        let conclusion = match status.success() {
            true => "success",
            false if listener.is_cancelled => "cancelled",
            false => "failure",
        };
        let log = listener.result.log + &errors;
        EndedRun {
            repository: run.repository.clone(),
            conclusion: conclusion.to_owned(),
            log,
            ..listener.result
        }
    }
}

/// The event that the runner writes to `GITHUB_EVENT_PATH`.
fn event(run: &Run) -> Value {
    let (owner, name) = run.repository.split_once('/').expect("a repository has an owner");
    json!({
        "inputs": run.inputs,
        "ref": format!("refs/heads/{}", run.git_ref),
        "repository": {
            "name": name,
            "full_name": run.repository,
            "owner": { "login": owner },
            "default_branch": "main",
        },
        "sender": { "login": run.actor },
        "workflow": format!(".github/workflows/{}", run.workflow),
    })
}

/// A line of act's log.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Line {
    msg: String,
    /// The workflow and the job; of a called workflow the calling job, the workflow and the job.
    job: String,
    /// The values by which the job differs from the others of its matrix.
    matrix: Map<String, Value>,
    step: String,
    step_result: Option<String>,
    job_result: Option<String>,
    #[serde(rename = "raw_output")]
    is_output: bool,
    /// The line that a step printed, if it was a command to the runner.
    raw: String,
    command: String,
    content: String,
}

/// Reads the lines of act, and reports jobs and steps to the world.
struct Listener<'a> {
    world: &'a World,
    run: &'a Run,
    jobs: BTreeMap<String, u64>,
    is_cancelled: bool,
    result: EndedRun,
}

impl<'a> Listener<'a> {
    fn new(world: &'a World, run: &'a Run) -> Self {
        world.update_run(run.id, |run| run.status = "in_progress".to_owned());
        Self { world, run, jobs: BTreeMap::new(), is_cancelled: false, result: EndedRun::default() }
    }

    fn hear(&mut self, text: &str) {
        let Ok(line) = serde_json::from_str::<Line>(text) else {
            self.result.log += &format!("{text}\n");
            return;
        };
        self.result.log += &format!("{} {}\n", line.job, line.msg.trim_end());
        self.result.output += if line.is_output { &line.msg } else { &line.raw };
        if line.command == "summary" {
            self.result.summary += &line.content;
        }
        if let Some(result) = &line.step_result {
            // act reports an interrupted step as failed.
            let result = if self.is_cancelled && result == "failure" { "cancelled" } else { result };
            self.change_job(&line, |job| *job = job.clone().step(&line.step, result));
        }
        if let Some(result) = &line.job_result {
            self.change_job(&line, |job| *job = job.clone().conclusion(result));
        }
    }

    fn change_job(&mut self, line: &Line, change: impl FnOnce(&mut Job)) {
        let name = line.job_name();
        let (world, run) = (self.world, self.run.id);
        let add = || world.add_job(run, Job::new(&name).running());
        let id = *self.jobs.entry(name.clone()).or_insert_with(add);
        world.update_run(run, |run| {
            let job = run.jobs.iter_mut().find(|job| job.id == id);
            change(job.expect("a job stays in its run"));
        });
    }
}

impl Line {
    /// The job's name as GitHub shows it: `build`, in a matrix `build (linux)`.
    fn job_name(&self) -> String {
        let name = job_name(&self.job);
        let values: Vec<&str> = self.matrix.values().filter_map(Value::as_str).collect();
        match name.rsplit_once('-') {
            Some((name, _number)) if !values.is_empty() => format!("{name} ({})", values.join(", ")),
            _ => name,
        }
    }
}

/// The job's name as GitHub shows it: `build`, and in a called workflow `finish / report`.
fn job_name(job: &str) -> String {
    match job.trim_end().split('/').collect::<Vec<_>>()[..] {
        [_workflow, name] => name.to_owned(),
        [caller, _workflow, name] => format!("{caller} / {name}"),
        _ => job.to_owned(),
    }
}
