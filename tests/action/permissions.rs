//! Each mode with exactly the permissions of the reference's table, and without each of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use simulated_github::{App, Job};

use crate::support::{Acme, Outcome, RunningStep, Step};

/// A row of the reference's table: the mode, the place and the permission.
type Need = (String, String, String);

fn table_of_reference() -> Vec<Need> {
    let page = include_str!("../../docs/reference/permissions.md");
    let rows = page.lines().skip_while(|line| !line.starts_with("| mode |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<String> = row.split('|').map(|cell| cell.trim().replace('`', "")).collect();
        (cells[1].clone(), cells[2].clone(), cells[3].clone())
    })
    .collect()
}

/// The credentials of the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Token,
    App,
    /// A token service for the hub, and a token for the rest.
    Service,
}

/// A world in which each request needs a permission.
struct Strict {
    acme: Acme,
    kind: Kind,
    app: App,
    service: simulated_github::TokenService,
    ticket: u64,
}

/// The repository that a row of the table means in these tests.
fn repository(mode: &str, place: &str) -> &'static str {
    match (mode, place) {
        (_, "hub") => "acme/hub",
        ("notify" | "report with track", "the job's repository") | (_, "target") => "acme/web",
        ("dispatch", "the job's repository") => "acme/hub",
        other => panic!("no test has a repository for {other:?} of the reference's table"),
    }
}

impl Strict {
    /// A world with all permissions that the reference names for `mode`, except that of one row.
    async fn new(kind: Kind, mode: &str, without: Option<&Need>) -> Self {
        let acme = Acme::new().await;
        for name in acme.world.repositories() {
            acme.world.repository(&name).private();
        }
        let targets = "defaults: { workflow: release.yml }\ntargets: [web]";
        acme.world.repository("acme/hub").file(".github/release-targets.yml", targets);
        let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
        let app = acme.world.app("acme-release");
        let service = acme.world.serve_token_service().await.expect("a free port on loopback");

        let rows = table_of_reference().into_iter().filter(|row| row.0 == mode && Some(row) != without);
        let mut grants: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (mode, place, permission) in rows {
            grants.entry(repository(&mode, &place)).or_default().push(permission);
        }
        fn texts(permissions: &[String]) -> Vec<&str> {
            permissions.iter().map(String::as_str).collect()
        }
        let token = acme.world.token("strict-token").acts_as("acme-release[bot]");
        for repository in ["acme/hub", "acme/web"] {
            let permissions = grants.get(repository).cloned().unwrap_or_default();
            // The token reaches the repository even without permissions there; else GitHub would answer 404.
            if !(kind == Kind::Service && repository == "acme/hub") {
                token.can(repository, &texts(&permissions));
            }
        }
        // An App's permissions are the same in every repository of an owner.
        let all_permissions: Vec<String> = grants.values().flatten().cloned().collect();
        app.installed_on("acme", &texts(&all_permissions));
        let hub_permissions = grants.get("acme/hub").cloned().unwrap_or_default().join("\n  ");
        let policy = format!(
            "issuer: https://token.actions.githubusercontent.com\nsubject_pattern: repo:acme/.*\npermissions:\n  {}\n",
            if hub_permissions.is_empty() { "metadata: read" } else { &hub_permissions }
        );
        acme.world
            .app("octo-sts")
            .installed_on("acme", &["issues: write", "actions: write", "contents: write", "metadata: read"]);
        acme.world.repository("acme/hub").file(".github/chainguard/strict.sts.yaml", &policy);
        Self { acme, kind, app, service, ticket }
    }

    /// A world for a dispatch that may also write the contents of the hub.
    async fn with_contents_of_the_hub(kind: Kind, permission: &str) -> Self {
        let strict = Self::new(kind, "dispatch", None).await;
        strict.acme.world.token("strict-token").can("acme/hub", &[permission]);
        strict.app.installed_on("acme", &["issues: write", "actions: write", permission]);
        let policy = "issuer: https://token.actions.githubusercontent.com\nsubject_pattern: repo:acme/.*\n\
                      permissions:\n  issues: write\n  actions: read\n  contents: write\n";
        strict.acme.world.repository("acme/hub").file(".github/chainguard/strict.sts.yaml", policy);
        strict
    }

    fn step(&self, mode: &str) -> Step {
        let step = Step::new(mode);
        match self.kind {
            Kind::Token => step.input("token", "strict-token"),
            Kind::App => step.app(&self.app),
            Kind::Service => {
                let repository = if mode == "dispatch" { "acme/hub" } else { "acme/web" };
                let job = self.acme.world.job_identity(repository, "release.yml");
                step.exchange_identity(&job, &self.service, "strict").input("token", "strict-token")
            }
        }
    }

    fn dispatch(&self) -> Step {
        self.step("dispatch").run(500).input("release", "1.4.0")
    }

    fn event(&self) -> Step {
        let step = self.dispatch().input("targets", "web").input("dispatch-type", "repository");
        step.input("event-type", "release")
    }

    fn report(&self) -> Step {
        self.step("report").input("ticket", format!("acme/hub#{}", self.ticket)).input("status", "success")
    }

    fn notify(&self) -> Step {
        let run = self.acme.world.start_run("acme/web", "release.yml", "push");
        self.acme.world.add_job(run, Job::new("build").step("compile", "failure").running());
        self.step("notify").run(run).input("status", "failure")
    }

    fn notify_of_another_run(&self) -> Step {
        let repository = json!({ "full_name": "acme/web" });
        let run = json!({
            "id": self.acme.world.start_run("acme/web", "release.yml", "push"), "run_attempt": 1, "event": "push",
            "head_branch": "main", "conclusion": "failure", "repository": repository,
            "head_repository": repository,
        });
        self.notify().event(json!({ "workflow": { "name": "CI" }, "workflow_run": run }))
    }

    fn notify_on_ticket(&self) -> Step {
        self.notify().input("ticket", format!("acme/hub#{}", self.ticket))
    }

    async fn run(&self, step: Step) -> Outcome {
        step.run_in(&self.acme).await
    }

    /// A hub run that claimed the target, died before the start, and has ended.
    async fn leave_a_claim(&self) {
        let run = self.acme.world.start_run("acme/hub", "release.yml", "workflow_dispatch");
        let account = match self.kind {
            Kind::Token | Kind::App => "acme-release[bot]",
            Kind::Service => "octo-sts[bot]",
        };
        self.acme.world.token("dying-token").can_everything().acts_as(account);
        let step = Step::new("dispatch").input("token", "dying-token").run(run).input("release", "1.4.0");
        self.acme.world.latency(|_, _| Duration::from_millis(20));
        let hub_job: RunningStep = step.spawn_in(&self.acme);
        while !self.acme.world.story().contains("comment") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(hub_job);
        self.acme.world.latency(|_, _| Duration::ZERO);
        self.acme.world.finish_run(run, "failure");
    }
}

fn need(mode: &str, place: &str, permission: &str) -> Need {
    let need = (mode.to_owned(), place.to_owned(), permission.to_owned());
    assert!(table_of_reference().contains(&need), "the reference's table lacks {need:?}");
    need
}

const KINDS: [Kind; 3] = [Kind::Token, Kind::App, Kind::Service];

/// Asserts that the step succeeds, without a word against its permissions.
#[track_caller]
fn assert_no_complaint(kind: Kind, outcome: &Outcome) {
    outcome.succeeds();
    assert!(
        !outcome.log.contains("::warning::") && !outcome.log.contains("help:"),
        "{kind:?}: {}",
        outcome.log
    );
}

/// Asserts that the help names the permission, and the place where people grant it.
#[track_caller]
fn assert_help_names(kind: Kind, outcome: &Outcome, permission: &str, repository: &str) {
    let helps = outcome.log.split("help: ").skip(1).map(|help| help.lines().next().unwrap_or_default());
    let helps: Vec<&str> = helps.map(|help| help.split("%0A").next().unwrap_or_default()).collect();
    let code = format!("`{permission}`");
    let fits =
        |help: &&str| help.contains(&code) && help.contains(repository.split('/').next().unwrap_or_default());
    let help = helps.iter().find(|help| fits(help));
    let help = help.unwrap_or_else(|| panic!("{kind:?}: {permission} is not in {helps:#?}\n{}", outcome.log));
    let place = match kind {
        Kind::App => "App",
        Kind::Service if repository == "acme/hub" => ".github/chainguard/strict.sts.yaml",
        Kind::Token | Kind::Service => "grant the token",
    };
    assert!(help.contains(place), "{kind:?}: {help}");
}

#[tokio::test]
async fn with_the_permissions_of_the_reference_each_mode_does_all_that_it_can() {
    let play = async |kind| {
        let strict = Strict::new(kind, "dispatch", None).await;
        strict.leave_a_claim().await;
        let outcome = strict.run(strict.dispatch()).await;
        outcome.succeeds();
        assert_eq!(strict.acme.world.runs("acme/web").len(), 1, "{kind:?}: the claim is void");

        let strict = Strict::new(kind, "dispatch", None).await;
        let step = strict.dispatch().input("wait", "true").input("wait-interval", "50ms");
        let step = step.spawn_in(&strict.acme);
        while strict.acme.world.runs("acme/web").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        strict.acme.world.finish_run(strict.acme.world.runs("acme/web")[0].id, "success");
        assert_no_complaint(kind, &step.end().await);

        let strict = Strict::new(kind, "report", None).await;
        assert_no_complaint(kind, &strict.run(strict.report()).await);
        assert_eq!(strict.acme.records(strict.ticket).len(), 1);

        let strict = Strict::new(kind, "notify", None).await;
        let outcome = strict.run(strict.notify_on_ticket()).await;
        assert_no_complaint(kind, &outcome);
        let notice = strict.acme.records(strict.ticket).pop().expect("a notice").body;
        assert!(notice.contains("step 1, compile"), "{kind:?}: {notice}");
        let outcome = strict.run(strict.notify()).await;
        assert_no_complaint(kind, &outcome);
        assert_eq!(strict.acme.world.issues("acme/web").len(), 1, "{kind:?}");
        assert_no_complaint(kind, &strict.run(strict.notify_of_another_run()).await);
    };
    // A void claim may have started a target: the step looks for its run.
    futures::future::join_all(KINDS.map(play)).await;
}

/// The permissions of a dispatch by event: those in the hub, and the one row of its own.
async fn by_event(kind: Kind, has_permission: bool) -> Strict {
    let strict = Strict::new(kind, "dispatch", Some(&need("dispatch", "target", "actions: write"))).await;
    let (_, _, permission) = need("dispatch by event", "target", "contents: write");
    if has_permission {
        strict.acme.world.token("strict-token").can("acme/web", &[&permission]);
        strict.app.installed_on("acme", &["issues: write", "actions: read", &permission]);
    }
    strict
}

#[tokio::test]
async fn an_event_takes_write_access_to_contents_and_says_so() {
    for kind in KINDS {
        let strict = by_event(kind, true).await;
        assert_no_complaint(kind, &strict.run(strict.event()).await);
        assert_eq!(strict.acme.world.dispatch_events("acme/web").len(), 1);

        let strict = by_event(kind, false).await;
        let outcome = strict.run(strict.event()).await;
        assert_help_names(kind, outcome.fails(), "contents: write", "acme/web");
        assert_eq!(strict.acme.world.dispatch_events("acme/web").len(), 0);
    }
}

#[tokio::test]
async fn a_dispatch_that_lacks_a_permission_names_it() {
    for kind in KINDS {
        for (place, permission) in [("hub", "issues: write"), ("the job's repository", "contents: read")] {
            // An App has `contents: read` everywhere or nowhere: without it the targets' files are not read.
            let missing_need = need("dispatch", place, permission);
            let strict = Strict::new(kind, "dispatch", Some(&missing_need)).await;
            if kind == Kind::App && permission == "contents: read" {
                strict.app.installed_on("acme", &["issues: write", "actions: write"]);
            }
            let outcome = strict.run(strict.dispatch()).await;
            assert_help_names(kind, outcome.fails(), permission, "acme/hub");
            assert_eq!(strict.acme.world.story(), "", "{kind:?}: nothing happened without {permission}");
        }

        let strict = Strict::new(kind, "dispatch", Some(&need("dispatch", "target", "actions: write"))).await;
        let outcome = strict.run(strict.dispatch()).await;
        assert_help_names(kind, outcome.fails(), "actions: write", "acme/web");
        assert!(strict.acme.world.runs("acme/web").is_empty());
        assert_eq!(
            strict.acme.world.story().is_empty(),
            kind == Kind::App,
            "only an App shows its permissions before"
        );

        let strict = Strict::new(kind, "dispatch", Some(&need("dispatch", "target", "contents: read"))).await;
        if kind == Kind::App {
            strict.app.installed_on("acme", &["issues: write", "actions: write"]);
        }
        let outcome =
            strict.run(strict.dispatch().input("targets", "web").input("workflow", "release.yml")).await;
        assert_help_names(kind, outcome.succeeds().says("::warning::"), "contents: read", "acme/web");
        assert_eq!(strict.acme.world.runs("acme/web").len(), 1);

        // An App without `contents: read` fails earlier, as the targets file is in the hub.
        if kind != Kind::App {
            let missing_need = need("dispatch", "target", "contents: read");
            let strict = Strict::new(kind, "dispatch", Some(&missing_need)).await;
            let targets = "defaults: { workflow: release.yml }\ntargets: [{ repository: web, needs: [go] }]\n\
                           gates: [{ name: go }]";
            strict.acme.world.repository("acme/hub").file(".github/release-targets.yml", targets);
            let outcome = strict.run(strict.dispatch()).await;
            outcome.fails().says("gate `go` binds approvals to commits");
            assert_help_names(kind, &outcome, "contents: read", "acme/web");
            assert_eq!(strict.acme.world.story(), "", "{kind:?}");
        }
    }
}

#[tokio::test]
async fn a_dispatch_that_may_not_read_annotations_shows_the_error_of_the_log() {
    for kind in KINDS {
        let strict = Strict::new(kind, "dispatch", Some(&need("dispatch", "target", "checks: read"))).await;
        // The members who read the hub may read its log.
        strict.acme.world.repository("acme/web").internal();
        let step = strict.dispatch().input("wait", "true").input("wait-interval", "50ms");
        let step = step.spawn_in(&strict.acme);
        while strict.acme.world.runs("acme/web").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let run = strict.acme.world.runs("acme/web")[0].id;
        let job = Job::new("build").step("compile", "failure").log("##[error]It broke");
        strict.acme.world.add_job(run, job.conclusion("failure"));
        strict.acme.world.finish_run(run, "failure");
        let outcome = step.end().await;
        assert_help_names(
            kind,
            outcome.fails().says("the annotations of job `build` cannot be read"),
            "checks: read",
            "acme/web",
        );
        let comments = strict.acme.world.issues("acme/hub").pop().expect("the ticket").comments;
        assert!(
            comments.iter().any(|comment| comment.body.contains("· `It broke` ·")),
            "{kind:?}: {comments:?}"
        );
    }
}

#[tokio::test]
async fn a_dispatch_that_may_not_see_hub_runs_says_why_a_claim_stands() {
    for kind in KINDS {
        let strict = Strict::new(kind, "dispatch", Some(&need("dispatch", "hub", "actions: read"))).await;
        if kind == Kind::App {
            // Only the hub needs it, and an App has it in the targets, too.
            strict.app.installed_on("acme", &["issues: write", "contents: write"]);
        }
        strict.leave_a_claim().await;
        let step = match kind {
            Kind::App => strict.event(),
            Kind::Token | Kind::Service => strict.dispatch(),
        };
        let step = step.spawn_in(&strict.acme);
        let question_count = || {
            let requests = strict.acme.requests().into_iter();
            requests.filter(|request| request.starts_with("GET /repos/acme/hub/actions/runs/")).count()
        };
        let first_count = question_count();
        while question_count() == first_count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        // The step would wait two minutes for the run that it may not see.
        step.signal("INT");
        let outcome = step.end().await;
        outcome.says("so its claims stand");
        assert_help_names(kind, &outcome, "actions: read", "acme/hub");
    }
}

#[tokio::test]
async fn a_claim_by_reference_takes_write_access_to_the_contents_of_the_hub_and_says_so() {
    let (_, _, permission) = need("dispatch by reference", "hub", "contents: write");
    for kind in KINDS {
        let claim = |strict: &Strict| {
            let sha = "c0ffee5ca1ab1ec0ffee5ca1ab1ec0ffee5ca1ab";
            let step = strict.dispatch().input("targets", "web").input("workflow", "release.yml");
            step.input("claim", "ref").variable("GITHUB_SHA", sha)
        };
        let strict = Strict::new(kind, "dispatch", None).await;
        let outcome = strict.run(claim(&strict)).await;
        assert_help_names(kind, outcome.fails(), "contents: write", "acme/hub");
        assert!(strict.acme.world.runs("acme/web").is_empty(), "{kind:?}");

        let strict = Strict::with_contents_of_the_hub(kind, &permission).await;
        assert_no_complaint(kind, &strict.run(claim(&strict)).await);
        assert_eq!(strict.acme.world.runs("acme/web").len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_record_that_is_published_takes_write_access_to_the_contents_of_the_hub_and_says_so() {
    let (_, _, permission) = need("dispatch that publishes", "hub", "contents: write");
    for kind in KINDS {
        let publish = async |strict: &Strict| {
            let sha = strict.acme.world.head("acme/hub", "main");
            let step = strict.dispatch().input("targets", "web").input("workflow", "release.yml");
            let step = step.input("publish-release", "true").variable("GITHUB_SHA", sha);
            let step = step.input("wait", "true").input("wait-interval", "50ms").spawn_in(&strict.acme);
            for _ in 0..80 {
                tokio::time::sleep(Duration::from_millis(25)).await;
                let runs = strict.acme.world.runs("acme/web");
                runs.iter().for_each(|run| strict.acme.world.finish_run(run.id, "success"));
            }
            step.end().await
        };
        let strict = Strict::new(kind, "dispatch", None).await;
        let outcome = publish(&strict).await;
        assert_help_names(kind, outcome.fails(), "contents: write", "acme/hub");
        assert!(strict.acme.world.releases("acme/hub").is_empty(), "{kind:?}");

        let strict = Strict::with_contents_of_the_hub(kind, &permission).await;
        assert_no_complaint(kind, &publish(&strict).await);
        assert_eq!(strict.acme.world.releases("acme/hub").len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_gate_that_names_a_team_takes_the_members_of_its_organization_and_says_so() {
    let (_, _, permission) = need("dispatch with a team", "organization", "members: read");
    let targets = "defaults: { workflow: release.yml }\ntargets: [{ repository: web, needs: [go] }]\n\
                   gates: [{ name: go, approvers: ['@acme/release'] }]";
    for kind in KINDS {
        let strict = Strict::new(kind, "dispatch", None).await;
        strict.acme.world.team("acme/release").member("alice");
        strict.acme.world.repository("acme/hub").file(".github/release-targets.yml", targets);
        let outcome = strict.run(strict.dispatch()).await;
        outcome.fails().says("gate `go` names the team acme/release").says("`members: read`");
        assert_eq!(strict.acme.world.story(), "", "{kind:?}");

        strict.acme.world.token("strict-token").can("acme", &[&permission]);
        let permissions = ["issues: write", "actions: write", "contents: read", &permission];
        strict.app.installed_on("acme", &permissions);
        assert_no_complaint(kind, &strict.run(strict.dispatch()).await);
    }
}

#[tokio::test]
async fn a_check_that_lacks_a_permission_fails_and_names_it() {
    let digest = format!("sha256:{}", "0".repeat(64));
    for (verify, permission, text) in [
        (
            "release: v1.4.1".to_owned(),
            need("dispatch that verifies", "target", "contents: read").2,
            "contents: read",
        ),
        (
            format!("attestation: '{digest}'"),
            need("dispatch that verifies", "target", "attestations: read").2,
            "attestations: read",
        ),
    ] {
        let file = format!(
            "defaults: {{ workflow: release.yml }}\ntargets: [{{ repository: web, verify: {{ {verify} }} }}]"
        );
        for kind in KINDS {
            let strict = Strict::new(kind, "dispatch", None).await;
            strict.acme.world.repository("acme/hub").file(".github/release-targets.yml", &file);
            strict.acme.world.repository("acme/web").private();
            strict.acme.world.token("strict-token").can("acme/web", &["actions: write"]);
            let others: Vec<&str> = ["contents: read"].into_iter().filter(|other| *other != text).collect();
            strict.app.installed_on("acme", &[&["issues: write", "actions: write"], &others[..]].concat());
            let start = strict.run(strict.dispatch()).await;
            if kind == Kind::App {
                assert_help_names(kind, start.fails(), text, "acme/web");
                assert!(strict.acme.world.runs("acme/web").is_empty());
                continue;
            }
            let run = strict.acme.world.runs("acme/web")[0].id;
            strict.acme.world.finish_run(run, "success");
            let check = strict.run(strict.dispatch().run(501).input("wait", "true")).await;
            check.fails().says("web is not verified").says(&permission);
        }
    }
}

#[tokio::test]
async fn a_report_that_lacks_its_permission_names_it() {
    for kind in KINDS {
        let strict = Strict::new(kind, "report", Some(&need("report", "hub", "issues: write"))).await;
        let outcome = strict.run(strict.report()).await;
        assert_help_names(
            kind,
            outcome.succeeds().says("::warning::cannot report"),
            "issues: write",
            "acme/hub",
        );
        assert_eq!(outcome.output("delivered"), "false");
    }
}

#[tokio::test]
async fn the_end_of_a_tracked_job_that_lacks_a_permission_names_it_and_not_the_step() {
    let (_, _, permission) = need("report with track", "the job's repository", "actions: read");
    for kind in KINDS {
        for has_permission in [false, true] {
            let strict = Strict::new(kind, "report", None).await;
            if has_permission {
                strict.acme.world.token("strict-token").can("acme/web", &[&permission]);
                strict.app.installed_on("acme", &["issues: write", &permission]);
            }
            let run = strict.acme.world.start_run("acme/web", "release.yml", "push");
            let job = Job::new("report").step("compile", "failure").running();
            strict.acme.world.add_job(run, job);
            let step = || strict.report().run(run).input("track", "true");
            let main = strict.run(step()).await;
            assert_no_complaint(kind, &main);
            let post = strict.run(step().input("status", "failure").post(&main.state)).await;
            let record = strict.acme.records(strict.ticket).remove(0).body;
            assert!(record.contains("❌ failure"), "{kind:?}: {record}");
            assert_eq!(record.contains("> step 1, compile"), has_permission, "{kind:?}: {record}");
            if has_permission {
                assert_no_complaint(kind, &post);
            } else {
                post.says("the step at which the job ended is not named");
                assert_help_names(kind, post.succeeds(), "actions: read", "acme/web");
            }
        }
    }
}

#[tokio::test]
async fn a_notice_that_lacks_a_permission_names_it_and_finds_another_place() {
    for kind in KINDS {
        let missing_need = need("notify", "hub", "issues: write");
        let strict = Strict::new(kind, "notify", Some(&missing_need)).await;
        let outcome = strict.run(strict.notify_on_ticket()).await;
        match kind {
            // An App has `issues: write` in both repositories, or in none.
            Kind::App => assert_no_complaint(kind, &outcome),
            Kind::Token | Kind::Service => {
                assert_help_names(
                    kind,
                    outcome.succeeds().says("::warning::cannot notify"),
                    "issues: write",
                    "acme/hub",
                );
                assert_eq!(strict.acme.world.issues("acme/web").len(), 1, "{kind:?}");
            }
        }

        let missing_need = need("notify", "the job's repository", "issues: write");
        let strict = Strict::new(kind, "notify", Some(&missing_need)).await;
        if kind == Kind::App {
            strict.app.installed_on("acme", &["actions: read"]);
        }
        let outcome = strict.run(strict.notify().input("message", "The disk is full")).await;
        assert_help_names(kind, outcome.fails(), "issues: write", "acme/web");
        outcome.says("The disk is full");

        let missing_need = need("notify", "the job's repository", "actions: read");
        let strict = Strict::new(kind, "notify", Some(&missing_need)).await;
        let outcome = strict.run(strict.notify_on_ticket()).await;
        assert_help_names(
            kind,
            outcome.succeeds().says("the failed step is not named"),
            "actions: read",
            "acme/web",
        );
        assert_eq!(strict.acme.records(strict.ticket).len(), 1);

        let missing_need = need("notify", "the job's repository", "checks: read");
        let strict = Strict::new(kind, "notify", Some(&missing_need)).await;
        let outcome = strict.run(strict.notify()).await;
        assert_help_names(
            kind,
            outcome.succeeds().says("an excerpt from job `build` is not shown"),
            "checks: read",
            "acme/web",
        );
        let issue = strict.acme.world.issues("acme/web").pop().expect("an issue");
        assert!(issue.body.contains("This cannot be explained: grant"), "{kind:?}: {}", issue.body);

        let missing_need = need("notify", "the job's repository", "contents: read");
        let strict = Strict::new(kind, "notify", Some(&missing_need)).await;
        let outcome = strict.run(strict.notify_of_another_run()).await;
        assert_help_names(
            kind,
            outcome.succeeds().says("`main` counts as a branch"),
            "contents: read",
            "acme/web",
        );
        assert_eq!(strict.acme.world.issues("acme/web").len(), 1, "{kind:?}");
    }
}

#[test]
fn every_row_of_the_reference_is_taken_away_by_a_test() {
    let source = include_str!("permissions.rs");
    for (mode, place, permission) in table_of_reference() {
        let calls = [
            format!("need(\"{mode}\", \"{place}\", \"{permission}\")"),
            format!("(\"{place}\", \"{permission}\")"),
        ];
        assert!(calls.iter().any(|call| source.contains(call)), "{mode}, {place}, {permission}");
    }
    assert_eq!(table_of_reference().len(), 19);
}

#[tokio::test]
async fn an_account_without_the_role_write_is_named_and_not_the_permissions_of_its_token() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    for (token, help) in [
        ("github_pat_of_dana", "give the token's account the role write on acme/hub"),
        // An installation has no role: it has permissions.
        ("ghs_of_a_job", "grant the token more permissions on acme/hub"),
    ] {
        acme.world.token(token).acts_as("dana").can("acme/hub", &["issues: write"]).without_push("acme/hub");
        acme.world.repository("acme/hub").role("dana", "triage");
        let report = Step::new("report").run(7_001).input("ticket", format!("acme/hub#{ticket}"));
        let outcome = report.input("status", "success").input("token", token).run_in(&acme).await;
        outcome.succeeds().says("Must have admin rights to Repository").says(help);
    }
}
