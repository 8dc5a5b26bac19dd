//! The people and repositories of `acme`, in a world that act plays the runs of.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::Value;
use simulated_github::{App, Issue, Server, World};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use crate::act::{Ended, Runner};
use crate::examples::{Example, project};

/// The hub's secret: starts workflows in the targets.
const RELEASE_TOKEN: &str = "ghs_secret-of-the-hub";

/// The targets' secret: writes the ticket.
const TICKET_TOKEN: &str = "ghs_secret-of-the-targets";

/// act calls a job's container after the workflow and the job, so two tests would take it from each
/// other. Within a test no two runs at the same time have the names of both in common.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// A hub, targets, and what they need.
pub(crate) struct Acme {
    pub(crate) world: World,
    url: String,
    /// Does what `RELEASE_TOKEN` does, in hubs that have its key in place of the token.
    app: App,
    action: TempDir,
    job_image: String,
    checkouts: BTreeMap<String, TempDir>,
    /// The events of runs that nobody started by hand.
    events: Mutex<BTreeMap<u64, Value>>,
    /// What a step prints when a run of a repository is cancelled.
    cancelled_at: BTreeMap<String, String>,
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
            cancelled_at: BTreeMap::new(),
            world,
            _server: server,
            _alone: alone,
        };
        acme.plant("acme/hub", &Example::named(hub));
        acme
    }

    /// A target with the files of an example.
    pub(crate) fn target(&mut self, repository: &str, example: &Example) {
        self.plant(repository, example);
        self.world.token(RELEASE_TOKEN).can(repository, &["actions: write", "contents: read"]);
    }

    /// Puts the files of an example into a repository, in place of those that were there.
    pub(crate) fn plant(&mut self, repository: &str, example: &Example) {
        let planted =
            self.world.repository(repository).private().member("alice", "MEMBER").assignable("alice");
        for (path, text) in example.files() {
            planted.file(path, text);
        }
        // A branch has the files that are there when it is made.
        planted.branch("main");
        let permissions = example.permissions();
        let permissions: Vec<&str> = permissions.iter().map(String::as_str).collect();
        let token = self.world.token(&github_token(repository)).acts_as("github-actions[bot]");
        token.can(repository, &permissions);
        let checkout = temporary_folder();
        example.write_below(checkout.path());
        self.checkouts.insert(repository.to_owned(), checkout);
    }

    /// Somebody cancels the runs of a repository when a step prints this.
    pub(crate) fn cancel(&mut self, repository: &str, text: &str) {
        self.cancelled_at.insert(repository.to_owned(), text.to_owned());
    }

    /// Alice starts a workflow. It is played with everything that it starts, to the end of all of it.
    pub(crate) async fn start(&self, repository: &str, workflow: &str, inputs: Value) -> Played {
        let run = self.world.start_run(repository, workflow, "workflow_dispatch");
        self.world
            .update_run(run, |run| run.inputs = inputs.as_object().cloned().expect("inputs are a mapping"));
        self.play(run).await
    }

    /// Somebody comments on the ticket. What that starts is played to the end of all of it.
    pub(crate) async fn comment(&self, login: &str, body: &str) -> Played {
        let comment = self.world.comment("acme/hub", self.ticket().number, login, body);
        let run = self.world.start_run("acme/hub", "release.yml", "issue_comment");
        self.events.lock().await.insert(run, self.world.comment_event(comment, "created"));
        self.play(run).await
    }

    /// A workflow's hour has come.
    pub(crate) async fn on_schedule(&self, repository: &str, workflow: &str) -> Played {
        self.play(self.world.start_run(repository, workflow, "schedule")).await
    }

    /// Plays a run that waits for a runner, with everything that it starts.
    pub(crate) async fn play(&self, run: u64) -> Played {
        self.world.update_run(run, |run| run.triggering_actor = "alice".to_owned());
        let mut started = self.world.started();
        let play = async |id| self.play_one(id).await;
        let mut playing = FuturesUnordered::from_iter([play(run)]);
        let mut ended = Vec::new();
        while !playing.is_empty() {
            tokio::select! {
                biased;
                Some(run) = started.recv() => playing.push(play(run.id)),
                Some(one) = playing.next() => ended.push(one),
            }
        }
        Played(ended)
    }

    async fn play_one(&self, id: u64) -> Ended {
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
            cancel_at: self.cancelled_at.get(&run.repository).map(String::as_str),
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

/// Runs that are over, each in a repository of its own.
pub(crate) struct Played(Vec<Ended>);

impl Played {
    /// The run in `repository`.
    #[track_caller]
    pub(crate) fn of(&self, repository: &str) -> &Ended {
        let found = self.0.iter().find(|run| run.repository == repository);
        found.unwrap_or_else(|| panic!("nothing was started in {repository}"))
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

/// The action as a release ships it: `action.yml` with the image that was built, and the workflows that
/// others call. Everything else of `action.yml` stays as it is. With `image: Dockerfile` each run would
/// compile the image.
fn action(image: &str) -> TempDir {
    let folder = temporary_folder();
    let action_yml = std::fs::read_to_string(project().join("action.yml")).expect("the project has it");
    let shipped = action_yml.replace("  image: Dockerfile\n", &format!("  image: docker://{image}\n"));
    assert_ne!(shipped, action_yml, "action.yml names the Dockerfile as its image");
    std::fs::write(folder.path().join("action.yml"), shipped).expect("a writable folder");
    let workflows = folder.path().join(".github/workflows");
    std::fs::create_dir_all(&workflows).expect("a writable folder");
    for name in ["dispatch.yml", "finish.yml"] {
        let original = project().join(".github/workflows").join(name);
        std::fs::copy(original, workflows.join(name)).expect("the project has it");
    }
    folder
}

/// Not below `/tmp`. act mounts a checkout where it lies, also in the action's empty image; it says that
/// `/tmp` is the folder that the steps of a job share, and shares none.
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
