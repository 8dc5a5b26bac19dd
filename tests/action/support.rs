//! A step of a workflow, run as the runner does it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use simulated_github::{App, Comment, JobIdentity, Run, Server, TokenService, World};
use tempfile::TempDir;

use crate::conformance;

/// A target's workflow that takes the ticket as an input.
pub(crate) const RELEASE_WORKFLOW: &str = "
name: Release
run-name: Release for ${{ inputs.release-ticket }}
on:
  workflow_dispatch:
    inputs:
      release-ticket: { required: false }
      release-target: { required: false }
      channel: { type: choice, options: [stable, beta], default: stable }
";

/// The clock that the binary will read.
#[expect(clippy::disallowed_methods, reason = "tests have no main to read it")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A world with the hub `acme/hub` and the targets `web`, `api` and `docs`, and its address.
pub(crate) struct Acme {
    pub(crate) world: World,
    pub(crate) server: Server,
}

impl Acme {
    pub(crate) async fn new() -> Self {
        Self::in_world(World::at(now())).await
    }

    pub(crate) async fn in_world(world: World) -> Self {
        world.user("alice");
        world
            .repository("acme/hub")
            .member("alice", "MEMBER")
            .assignable("alice")
            .file(".github/workflows/release.yml", "on: workflow_dispatch");
        let hub_token = world.token("hub-token").acts_as("acme-release[bot]");
        hub_token.can("acme/hub", &["issues: write", "actions: read", "contents: read"]);
        world.token("target-token").acts_as("acme-report[bot]").can("acme/hub", &["issues: write"]);
        let server = world.serve().await.expect("a free port on loopback");
        let acme = Self { world, server };
        ["web", "api", "docs"].into_iter().for_each(|name| acme.add_target(name));
        acme
    }

    /// A repository with a release workflow, which the hub's token may start.
    pub(crate) fn add_target(&self, name: &str) {
        let repository = format!("acme/{name}");
        self.world.repository(&repository).file(".github/workflows/release.yml", RELEASE_WORKFLOW);
        self.world.token("hub-token").can(&repository, &["actions: write", "contents: read"]);
    }

    /// The comments of the ticket, without the board.
    pub(crate) fn records(&self, number: u64) -> Vec<Comment> {
        let comments = self.world.issue_view("acme/hub", number).comments;
        comments.into_iter().filter(|comment| !is_board(comment)).collect()
    }

    /// The board of the ticket as people see it.
    pub(crate) fn board(&self, number: u64) -> String {
        let comments = self.world.issue_view("acme/hub", number).comments;
        let boards: Vec<_> = comments.iter().filter(|comment| is_board(comment)).collect();
        assert_eq!(boards.len(), 1, "one board");
        for_people(&boards[0].body)
    }

    /// The row of a target on the board, without the addresses of its links.
    pub(crate) fn row(&self, number: u64, target: &str) -> String {
        let board = without_links(&self.board(number));
        let row = board.lines().find(|line| line.starts_with(&format!("| **{target}** |")));
        row.unwrap_or_else(|| panic!("a row of {target}:\n{board}")).to_owned()
    }

    /// Runs a dispatch of `targets` to its end, and gives the number of its ticket.
    pub(crate) async fn dispatch(&self, targets: &str) -> u64 {
        let run = self.world.start_run("acme/hub", "release.yml", "workflow_dispatch");
        let step = Step::new("dispatch").run(run).input("targets", targets).input("workflow", "release.yml");
        let outcome = step.input("release", "1.4.0").run_in(self).await;
        outcome.succeeds();
        self.world.finish_run(run, "success");
        outcome.output("ticket-number").parse().expect("a number")
    }

    /// The event of a comment that a person writes on an issue of the hub.
    pub(crate) fn comment_by(&self, login: &str, number: u64, body: &str) -> Value {
        let id = self.world.comment("acme/hub", number, login, body);
        self.world.comment_event(id, "created")
    }

    /// The requests since the last `clear_exchanges`, as `METHOD path`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.world.exchanges().iter().map(simulated_github::Exchange::request_line).collect()
    }
}

/// Checks each request and each answer of a test against GitHub's description.
impl Drop for Acme {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.world.assert_known_routes();
        // GitHub refuses requests without a user agent.
        let exchange = self.world.exchanges().into_iter().find(|exchange| exchange.user_agent.is_none());
        assert!(exchange.is_none(), "without a user agent: {exchange:?}");
        if let Some(description) = conformance::description()
            && let Err(report) = description.check_all(&self.world.exchanges())
        {
            panic!("not as GitHub describes it:\n{report}");
        }
    }
}

/// Waits until a repository has a run that `choose` takes, and returns that run.
pub(crate) async fn wait_for_run(
    acme: &Acme,
    repository: &str,
    choose: impl Fn(Vec<Run>) -> Option<Run>,
) -> Run {
    for _ in 0..400 {
        if let Some(run) = choose(acme.world.runs(repository)) {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("no run was started in {repository}:\n{}", acme.world.story());
}

/// Waits until a board of the first ticket holds this text.
pub(crate) async fn until_the_board_says(acme: &Acme, text: &str) {
    let boards = || {
        let comments = acme.world.find_issue("acme/hub", 1).map(|issue| issue.comments).unwrap_or_default();
        comments.into_iter().filter(|comment| comment.body.contains(" board ")).map(|comment| comment.body)
    };
    for _ in 0..400 {
        if boards().any(|body| body.contains(text) || without_links(&for_people(&body)).contains(text)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the board never says `{text}`:\n{}", boards().collect::<String>());
}

fn is_board(comment: &Comment) -> bool {
    comment.body.starts_with("<!-- release-ticket:1 board ")
}

/// A text without the marker.
pub(crate) fn for_people(body: &str) -> String {
    let lines = body.lines().filter(|line| !line.starts_with("<!-- release-ticket:"));
    // People see a no-break space as a space.
    lines.collect::<Vec<_>>().join("\n").replace('\u{a0}', " ")
}

/// The text with its links as their text alone.
pub(crate) fn without_links(markdown: &str) -> String {
    let mut parts = markdown.split("](");
    let first = parts.next().unwrap_or_default();
    let others = parts.map(|part| part.split_once(')').map_or("", |(_, text)| text));
    std::iter::once(first).chain(others).collect::<String>().replace('[', "")
}

/// A step before its start.
pub(crate) struct Step {
    environment: BTreeMap<String, String>,
    event: Value,
    temp: TempDir,
    memory: Option<u64>,
    is_post: bool,
}

impl Step {
    /// A step in the hub's dispatching job, with the hub's token.
    pub(crate) fn new(mode: &str) -> Self {
        let mut step = Self {
            environment: BTreeMap::new(),
            event: json!({}),
            temp: tempfile::tempdir().expect("a temporary folder"),
            memory: None,
            is_post: false,
        };
        for (name, value) in [
            ("GITHUB_RUN_ATTEMPT", "1"),
            ("GITHUB_RUN_ID", "1"),
            ("GITHUB_WORKFLOW", "Release"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_ACTOR", "alice"),
            ("GITHUB_SERVER_URL", "https://github.com"),
        ] {
            step.environment.insert(name.into(), value.into());
        }
        let token = if mode == "dispatch" { "hub-token" } else { "target-token" };
        let repository = if mode == "dispatch" { "acme/hub" } else { "acme/web" };
        step.input("mode", mode).input("token", token).in_repository(repository).job(mode)
    }

    pub(crate) fn variable(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.insert(name.into(), value.to_string());
        self
    }

    pub(crate) fn input(self, name: &str, value: impl ToString) -> Self {
        self.variable(&format!("INPUT_{}", name.to_uppercase()), value)
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// The post step of this step, which left `state` behind: the runner evaluates the inputs again, starts the image
    /// by its other name, and hands the state over.
    pub(crate) fn post(mut self, state: &BTreeMap<String, String>) -> Self {
        self.is_post = true;
        let state = state.iter().map(|(name, value)| (format!("STATE_{name}"), value.clone()));
        self.environment.extend(state);
        self
    }

    /// Signs in as a GitHub App instead of using a token.
    pub(crate) fn app(self, app: &App) -> Self {
        self.without("INPUT_TOKEN")
            .input("client-id", app.client_id())
            .input("private-key", app.private_key())
    }

    /// Lets the job ask for its identity, and exchanges it at `service` by this trust policy.
    pub(crate) fn exchange_identity(self, job: &JobIdentity, service: &TokenService, policy: &str) -> Self {
        let step = self.without("INPUT_TOKEN").input("sts-url", service.url()).input("sts-identity", policy);
        job.variables().into_iter().fold(step, |step, (name, value)| step.variable(name, value))
    }

    pub(crate) fn in_repository(self, repository: &str) -> Self {
        self.variable("GITHUB_REPOSITORY", repository)
    }

    pub(crate) fn run(self, run: u64) -> Self {
        self.variable("GITHUB_RUN_ID", run)
    }

    pub(crate) fn attempt(self, attempt: u32) -> Self {
        self.variable("GITHUB_RUN_ATTEMPT", attempt)
    }

    pub(crate) fn job(self, job: &str) -> Self {
        self.variable("GITHUB_JOB", job)
    }

    pub(crate) fn event(mut self, event: Value) -> Self {
        self.event = event;
        self
    }

    /// Shares the job's folder with another step of the same job.
    pub(crate) fn temp(self, temp: &Path) -> Self {
        self.variable("RUNNER_TEMP", temp.display())
    }

    /// Limits the memory of the step to so many bytes. The stack of a template takes 256 MiB of them.
    pub(crate) fn within_memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Gives the job a folder of its own for its state.
    pub(crate) fn share_temp(self) -> Self {
        let temp = self.temp.path().join("runner");
        std::fs::create_dir_all(&temp).expect("a writable folder");
        self.temp(&temp)
    }

    pub(crate) fn debug(self) -> Self {
        self.variable("RUNNER_DEBUG", 1)
    }

    pub(crate) async fn run_in(self, acme: &Acme) -> Outcome {
        let url = acme.server.url();
        self.variable("GITHUB_API_URL", url).start().await
    }

    /// Runs the binary to its end, with this environment alone.
    pub(crate) async fn start(self) -> Outcome {
        self.spawn().end().await
    }

    /// Starts the binary in this world.
    pub(crate) fn spawn_in(self, acme: &Acme) -> RunningStep {
        let url = acme.server.url();
        self.variable("GITHUB_API_URL", url).spawn()
    }

    fn spawn(mut self) -> RunningStep {
        let file = |name: &str| self.temp.path().join(name);
        let (event, output, summary) = (file("event.json"), file("output"), file("summary.md"));
        let state = file("state");
        std::fs::write(&event, self.event.to_string()).expect("a writable folder");
        for (name, path) in [
            ("GITHUB_EVENT_PATH", &event),
            ("GITHUB_OUTPUT", &output),
            ("GITHUB_STEP_SUMMARY", &summary),
            ("GITHUB_STATE", &state),
        ] {
            self.environment.entry(name.into()).or_insert_with(|| path.display().to_string());
        }
        let binary = env!("CARGO_BIN_EXE_release-ticket-action");
        let mut command = match self.memory {
            None => tokio::process::Command::new(binary),
            Some(bytes) => {
                // A shell would leave out the variables whose names have hyphens.
                let mut prlimit = tokio::process::Command::new("prlimit");
                prlimit.args([&format!("--as={bytes}"), binary]);
                prlimit
            }
        };
        if self.is_post {
            command.arg0("/release-ticket-action-post");
        }
        let process = command
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.temp.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let is_debug = self.environment.contains_key("RUNNER_DEBUG");
        let process = process.expect("the binary starts");
        RunningStep { process, output, summary, state, is_debug, _temp: self.temp }
    }
}

/// A step under way.
pub(crate) struct RunningStep {
    process: tokio::process::Child,
    output: PathBuf,
    summary: PathBuf,
    state: PathBuf,
    is_debug: bool,
    _temp: TempDir,
}

/// Asserts that the log names no request: outside the debug log, a message names the purpose.
fn assert_names_no_request(log: &str) {
    let is_request = |line: &&str| {
        let names = |method| line.contains(&format!("{method} /repos/"));
        ["GET", "POST", "PATCH", "PUT", "DELETE"].iter().any(names)
    };
    let line = log.lines().find(is_request);
    assert!(line.is_none(), "a request in place of its purpose: {line:?}");
}

impl RunningStep {
    /// Sends a signal, as the runner does when a job is cancelled.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id().expect("the step runs").to_string();
        let kill = std::process::Command::new("kill").args(["-s", name, &id]).status();
        assert!(kill.is_ok_and(|status| status.success()), "kill -s {name} {id}");
    }

    /// Whether it is still running.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Waits for its end.
    pub(crate) async fn end(self) -> Outcome {
        let output = tokio::time::timeout(Duration::from_secs(120), self.process.wait_with_output()).await;
        let output = output.expect("the step ends").expect("its output can be read");
        let log = String::from_utf8_lossy(&output.stdout).into_owned();
        if !self.is_debug {
            assert_names_no_request(&log);
        }
        Outcome {
            code: output.status.code(),
            log,
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
            outputs: outputs(&std::fs::read_to_string(&self.output).unwrap_or_default()),
            state: outputs(&std::fs::read_to_string(&self.state).unwrap_or_default()),
            summary: std::fs::read_to_string(&self.summary).unwrap_or_default(),
        }
    }
}

/// The outcome of a step.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
    pub(crate) errors: String,
    pub(crate) outputs: BTreeMap<String, String>,
    /// The state for its post step.
    pub(crate) state: BTreeMap<String, String>,
    pub(crate) summary: String,
}

impl Outcome {
    #[track_caller]
    pub(crate) fn ends_with(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "log:\n{}\nerrors:\n{}", self.log, self.errors);
        self
    }

    #[track_caller]
    pub(crate) fn succeeds(&self) -> &Self {
        self.ends_with(0)
    }

    #[track_caller]
    pub(crate) fn fails(&self) -> &Self {
        self.ends_with(1)
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.log.contains(text), "`{text}` is not in the log:\n{}", self.log);
        self
    }

    #[track_caller]
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("no output `{name}` among {:?}", self.outputs))
    }

    /// The log without the commands that mask secrets.
    pub(crate) fn visible_log(&self) -> String {
        self.log.lines().filter(|line| !line.starts_with("::add-mask::")).collect::<Vec<_>>().join("\n")
    }
}

/// Reads `name<<DELIMITER` blocks as the runner does.
fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(first) = lines.next() {
        let (name, delimiter) = first.split_once("<<").expect("name<<DELIMITER");
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        outputs.insert(name.to_owned(), value.join("\n"));
    }
    outputs
}
