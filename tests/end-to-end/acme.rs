//! The people and repositories of `acme`, in a world whose runs act plays.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::Value;
use simulated_github::{App, Issue, Server, World};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use crate::act::{EndedRun, Runner};
use crate::examples::{Example, project};

/// The hub's secret: starts workflows in the targets.
const RELEASE_TOKEN: &str = "ghs_secret-of-the-hub";

/// The targets' secret: writes the ticket.
const TICKET_TOKEN: &str = "ghs_secret-of-the-targets";

/// act names a job's container after the workflow and the job, so two tests would use the same container. Within a test,
/// two runs at the same time differ in the name of the workflow or of the job.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// A hub, targets, and what they need.
pub(crate) struct Acme {
    pub(crate) world: World,
    url: String,
    /// The App with the permissions of `RELEASE_TOKEN`, for hubs that have its key in place of the token.
    app: App,
    action: TempDir,
    job_image: String,
    checkouts: BTreeMap<String, TempDir>,
    /// The events of runs that comments started, by the id of the run.
    events: Mutex<BTreeMap<u64, Value>>,
    /// The texts after which the runs of a repository are cancelled, if a step prints them.
    cancel_texts: BTreeMap<String, String>,
    _server: Server,
    _alone: MutexGuard<'static, ()>,
}

impl Acme {
    /// A world with the hub, whose files are those of an example.
    pub(crate) async fn new(hub: &str) -> Self {
        let alone = ONE_AT_A_TIME.lock().await;
        let world = World::at(now());
        world.token(RELEASE_TOKEN).acts_as("acme-release[bot]");
        world.token(TICKET_TOKEN).acts_as("acme-ticket[bot]").can("acme/hub", &["issues: write"]);
        let app = world.app("acme-release").installed_on("acme", &["actions: write", "contents: read"]);
        let server = world.serve().await.expect("a free port on loopback");
        let mut acme = Self {
            url: server.url(),
            app,
            action: action(&variable("END_TO_END_IMAGE")),
            job_image: variable("END_TO_END_JOB_IMAGE"),
            checkouts: BTreeMap::new(),
            events: Mutex::default(),
            cancel_texts: BTreeMap::new(),
            world,
            _server: server,
            _alone: alone,
        };
        acme.plant("acme/hub", &Example::of(hub));
        acme
    }

    /// A target with the files of an example.
    pub(crate) fn target(&mut self, repository: &str, example: &Example) {
        self.plant(repository, example);
        self.world.token(RELEASE_TOKEN).can(repository, &["actions: write", "contents: read"]);
    }

    /// Replaces the files of a repository by those of an example.
    pub(crate) fn plant(&mut self, repository: &str, example: &Example) {
        let view = self.world.repository(repository).private().member("alice", "MEMBER").assignable("alice");
        for (path, text) in example.files() {
            view.file(path, text);
        }
        // A branch has the files that exist at its creation.
        view.branch("main");
        let permissions = example.permissions();
        let permissions: Vec<&str> = permissions.iter().map(String::as_str).collect();
        let token = self.world.token(&github_token(repository)).acts_as("github-actions[bot]");
        token.can(repository, &permissions);
        let checkout = temporary_folder();
        example.write_below(checkout.path());
        self.checkouts.insert(repository.to_owned(), checkout);
    }

    /// Lets somebody cancel the runs of a repository after a step has printed this text.
    pub(crate) fn cancel(&mut self, repository: &str, text: &str) {
        self.cancel_texts.insert(repository.to_owned(), text.to_owned());
    }

    /// Alice starts a workflow. Plays its run and all runs that it starts to their end.
    pub(crate) async fn start(&self, repository: &str, workflow: &str, inputs: Value) -> EndedRuns {
        let run = self.world.start_run(repository, workflow, "workflow_dispatch");
        self.world
            .update_run(run, |run| run.inputs = inputs.as_object().cloned().expect("inputs are a mapping"));
        self.play(run).await
    }

    /// Somebody comments on the ticket. Plays all runs that the comment starts to their end.
    pub(crate) async fn comment(&self, login: &str, body: &str) -> EndedRuns {
        let comment = self.world.comment("acme/hub", self.ticket().number, login, body);
        let run = self.world.start_run("acme/hub", "release.yml", "issue_comment");
        self.events.lock().await.insert(run, self.world.comment_event(comment, "created"));
        self.play(run).await
    }

    /// GitHub starts a workflow on its schedule. Plays its run to the end.
    pub(crate) async fn on_schedule(&self, repository: &str, workflow: &str) -> EndedRuns {
        self.play(self.world.start_run(repository, workflow, "schedule")).await
    }

    /// Plays a run that waits for a runner, and all runs that it starts.
    pub(crate) async fn play(&self, run: u64) -> EndedRuns {
        self.world.update_run(run, |run| run.triggering_actor = "alice".to_owned());
        let mut new_runs = self.world.started_runs();
        let play = async |id| self.play_one(id).await;
        let mut plays = FuturesUnordered::from_iter([play(run)]);
        let mut ended_runs = Vec::new();
        while !plays.is_empty() {
            tokio::select! {
                biased;
                Some(run) = new_runs.recv() => plays.push(play(run.id)),
                Some(one) = plays.next() => ended_runs.push(one),
            }
        }
        EndedRuns(ended_runs)
    }

    async fn play_one(&self, id: u64) -> EndedRun {
        let run = self.world.run(id).expect("a run that was started is there");
        let github_token = github_token(&run.repository);
        let (client_id, private_key) = (self.app.client_id(), self.app.private_key());
        let mut secrets = vec![("GITHUB_TOKEN", github_token.as_str())];
        match run.repository.as_str() {
            "acme/hub" => {
                secrets.extend([("RELEASE_TOKEN", RELEASE_TOKEN), ("RELEASE_APP_KEY", &private_key)])
            }
            _ => secrets.push(("TICKET_TOKEN", TICKET_TOKEN)),
        }
        let checkout =
            self.checkouts.get(&run.repository).expect("runs are in repositories that are planted");
        let runner = Runner {
            world: &self.world,
            url: &self.url,
            checkout: checkout.path(),
            action: self.action.path(),
            job_image: &self.job_image,
            secrets: &secrets,
            variables: &[("RELEASE_APP_ID", &client_id)],
            cancel_at: self.cancel_texts.get(&run.repository).map(String::as_str),
        };
        let event = self.events.lock().await.get(&id).cloned();
        runner.play(run, event).await
    }

    /// The one ticket in the hub.
    #[track_caller]
    pub(crate) fn ticket(&self) -> Issue {
        let issues = self.world.issues("acme/hub");
        let [ticket] = &issues[..] else { panic!("one ticket: {issues:#?}") };
        ticket.clone()
    }
}

/// Runs after their end, each in a repository of its own.
pub(crate) struct EndedRuns(Vec<EndedRun>);

impl EndedRuns {
    /// The run in `repository`.
    #[track_caller]
    pub(crate) fn of(&self, repository: &str) -> &EndedRun {
        let run = self.0.iter().find(|run| run.repository == repository);
        run.unwrap_or_else(|| panic!("no run was started in {repository}"))
    }
}

impl Drop for Acme {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.world.assert_known_routes();
        }
    }
}

/// The token that GitHub gives to the jobs of a repository.
fn github_token(repository: &str) -> String {
    format!("ghs_{}", repository.replace('/', "-of-"))
}

/// The action as users get it: `action.yml` with the image from the build, and the reusable workflows. Nothing else of
/// `action.yml` changes. With `image: Dockerfile` each run would compile the image.
fn action(image: &str) -> TempDir {
    let folder = temporary_folder();
    let action_yml = std::fs::read_to_string(project().join("action.yml")).expect("the project has it");
    let released_yml = action_yml.replace("  image: Dockerfile\n", &format!("  image: docker://{image}\n"));
    assert_ne!(released_yml, action_yml, "action.yml names the Dockerfile as its image");
    std::fs::write(folder.path().join("action.yml"), released_yml).expect("a writable folder");
    let workflows = folder.path().join(".github/workflows");
    std::fs::create_dir_all(&workflows).expect("a writable folder");
    for name in ["dispatch.yml", "finish.yml"] {
        let original = project().join(".github/workflows").join(name);
        std::fs::copy(original, workflows.join(name)).expect("the project has it");
    }
    folder
}

/// A folder outside of `/tmp`. act mounts a checkout at its own path, also in the action's empty image; there it takes
/// `/tmp` for the folder that the steps of a job share, and shares none.
fn temporary_folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a writable folder")
}

#[expect(clippy::disallowed_methods, reason = "tests have no main to read it")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run .ci/end-to-end.sh"))
}

#[expect(clippy::disallowed_methods, reason = "tests have no main to read it")]
fn now() -> DateTime<Utc> {
    Utc::now()
}
