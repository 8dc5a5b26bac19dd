//! A release leaves a record: one comment when everything is released, the same as a file, and as a release of the hub.

use std::path::{Path, PathBuf};
use std::time::Duration;

use release_ticket_action::ticket::release::schema::json_schema;
use serde_json::{Value, json};
use simulated_github::{Comment, Environment, Fault, Job, Kind, Release, Run};
use tempfile::TempDir;

use crate::support::{Acme, Outcome, Step, for_people, wait_for_run, without_links};

const SHA: &str = "c0ffee5ca1ab1ec0ffee5ca1ab1ec0ffee5ca1ab";

/// A hub with a workspace, whose releases are started one after the other.
struct Hub {
    acme: Acme,
    workspace: TempDir,
}

impl Hub {
    async fn new() -> Self {
        Self { acme: Acme::new().await, workspace: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A dispatch of `release` by the hub's run.
    fn step(&self, run: u64, release: &str) -> Step {
        let step = Step::new("dispatch").run(run).input("release", release).input("targets", "web, api");
        let step = step.input("workflow", "release.yml").input("close-on-success", "true");
        step.variable("GITHUB_WORKSPACE", self.workspace.path().display()).variable("GITHUB_SHA", SHA)
    }

    /// Releases both targets, and waits for them.
    async fn release(&self, run: u64, release: &str) -> Outcome {
        let run_counts = ["web", "api"].map(|name| self.acme.world.runs(&format!("acme/{name}")).len());
        let step = self.step(run, release).input("wait", "true").input("wait-interval", "50ms");
        let step = step.spawn_in(&self.acme);
        for (name, index) in ["web", "api"].into_iter().zip(run_counts) {
            let run = self.next_run(name, index).await;
            self.publish(&run, name, release);
        }
        step.end().await
    }

    async fn next_run(&self, name: &str, index: usize) -> Run {
        wait_for_run(&self.acme, &format!("acme/{name}"), |runs| runs.into_iter().nth(index)).await
    }

    /// The run publishes a release, and succeeds.
    fn publish(&self, run: &Run, name: &str, release: &str) {
        let world = &self.acme.world;
        let notes = format!("* {name} is faster. Thanks to @everyone in #12");
        world.release(&format!("acme/{name}"), Release::new(format!("v{release}")).notes(notes));
        world.add_job(run.id, Job::new("publish").running());
        world.advance(Duration::from_secs(120));
        world.finish_run(run.id, "success");
    }

    /// The comments with a record of the whole release.
    fn records(&self, ticket: u64) -> Vec<Comment> {
        let is_record = |comment: &Comment| comment.body.starts_with("<!-- release-ticket:1 release ");
        self.acme.records(ticket).into_iter().filter(is_record).collect()
    }

    fn record(&self, ticket: u64) -> String {
        let records = self.records(ticket);
        assert_eq!(records.len(), 1, "one record");
        for_people(&records[0].body)
    }

    fn file(&self, outcome: &Outcome) -> Value {
        let path = self.path(outcome);
        serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON")
    }

    fn path(&self, outcome: &Outcome) -> PathBuf {
        let path = outcome.output("record-path");
        assert!(Path::new(path).is_relative() && !path.is_empty(), "`{path}`");
        self.workspace.path().join(path)
    }
}

#[tokio::test]
async fn a_release_that_is_complete_leaves_one_record_and_a_file() {
    let hub = Hub::new().await;
    let outcome = hub.release(500, "1.4.0").await;
    outcome.succeeds();
    let record = without_links(&hub.record(1));
    for part in [
        "📦 **Release 1.4.0 is complete:** 2 targets in ",
        "| **web** | v1.4.0 | run ",
        "\ngantt\n",
        "Notes of web v1.4.0",
        "> * web is faster.",
    ] {
        assert!(record.contains(part), "{part}:\n{record}");
    }
    assert!(!record.contains("@everyone") && !record.contains(" #12"), "{record}");
    assert_eq!(hub.acme.world.issue_view("acme/hub", 1).state, "closed");
    assert_eq!(outcome.output("record-path"), "release-record-1.json");
    let file = hub.file(&outcome);
    let validator = jsonschema::validator_for(&json_schema()).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&file).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!((&file["format"], &file["release"]), (&json!(1), &json!("1.4.0")));
    let web = file["targets"].as_array().and_then(|targets| targets.iter().find(|it| it["target"] == "web"));
    let web = web.expect("web");
    assert_eq!((&web["tag"], &web["attempts"]), (&json!("v1.4.0"), &json!(1)));
    assert_eq!(web["release_url"], format!("{}/acme/web/releases/tag/v1.4.0", hub.acme.server.url()));
}

#[tokio::test]
async fn a_rerun_writes_the_same_file_and_changes_nothing() {
    let hub = Hub::new().await;
    let first = hub.file(hub.release(500, "1.4.0").await.succeeds());
    hub.acme.world.clear_story();
    let again = hub.step(500, "1.4.0").attempt(2).input("wait", "true").run_in(&hub.acme).await;
    assert_eq!(hub.file(again.succeeds()), first);
    assert_eq!(hub.records(1).len(), 1);
    assert!(!hub.acme.world.story().contains("comment"), "{}", hub.acme.world.story());
}

#[tokio::test]
async fn the_next_release_is_compared_with_the_one_before() {
    let hub = Hub::new().await;
    hub.release(500, "1.3.0").await.succeeds();
    for message in ["Cache more", "Cache less"] {
        hub.acme.world.push_with_message("acme/web", "main", message);
    }
    let outcome = hub.release(501, "1.4.0").await;
    let file = hub.file(outcome.succeeds());
    let url = hub.acme.server.url();
    assert_eq!(file["earlier"][0]["release"], "1.3.0");
    assert_eq!(file["earlier"][0]["ticket_url"], "https://github.com/acme/hub/issues/1");
    let web = file["targets"].as_array().and_then(|targets| targets.iter().find(|it| it["target"] == "web"));
    let comparison = format!("{url}/acme/web/compare/v1.3.0...v1.4.0");
    assert_eq!(web.map(|web| (&web["compare_url"], &web["commits"])), Some((&json!(comparison), &json!(2))));
    let record = without_links(&hub.record(2));
    assert!(record.contains("⏱️ Previous releases: ") && record.contains("(1.3.0)"), "{record}");
    assert!(record.contains("| 2 commits |"), "{record}");
}

#[tokio::test]
async fn only_a_record_of_this_hub_counts_as_the_one_before() {
    let hub = Hub::new().await;
    hub.release(500, "1.3.0").await.succeeds();
    let (record, version) = (hub.records(1).remove(0), "v1.3.0");
    // A member copies it, with another tag.
    hub.acme.world.repository("acme/hub").member("mallory", "MEMBER");
    let forgery = record.body.replace(version, "v6.6.6");
    hub.acme.world.delete_comment("acme/hub", record.id);
    hub.acme.world.comment("acme/hub", 1, "mallory", &forgery);
    let outcome = hub.release(501, "1.4.0").await;
    let file = hub.file(outcome.succeeds());
    assert_eq!(file.get("earlier"), None);
    assert!(!file.to_string().contains("v6.6.6"), "{file}");
}

#[tokio::test]
async fn nothing_is_recorded_before_everything_is_released() {
    let hub = Hub::new().await;
    let step =
        hub.step(500, "1.4.0").input("wait", "true").input("wait-interval", "50ms").spawn_in(&hub.acme);
    let web = hub.next_run("web", 0).await;
    hub.publish(&web, "web", "1.4.0");
    let api = hub.next_run("api", 0).await;
    let build = Job::new("build").step("Run tests", "failure").conclusion("failure");
    hub.acme.world.add_job(api.id, build);
    hub.acme.world.finish_run(api.id, "failure");
    let outcome = step.end().await;
    outcome.fails();
    assert_eq!((hub.records(1).len(), outcome.output("record-path")), (0, ""));

    // The failed run goes on in another attempt: the record says so.
    hub.acme.world.advance(Duration::from_secs(600));
    hub.acme.world.rerun(api.id);
    hub.acme.world.add_job(api.id, Job::new("build").running());
    hub.acme.world.advance(Duration::from_secs(60));
    hub.acme.world.finish_run(api.id, "success");
    let outcome = hub.step(501, "1.4.0").input("wait", "true").run_in(&hub.acme).await;
    let file = hub.file(outcome.succeeds());
    assert_eq!(file["failed_first"]["target"], "api");
    assert_eq!(file["failed_first"]["what"], "build / Run tests");
    let record = without_links(&hub.record(1));
    assert!(record.contains("🔧 **api** failed first, at `build / Run tests`"), "{record}");
    assert!(record.contains(", attempt 2 |"), "{record}");
}

#[tokio::test]
async fn the_record_separates_the_time_of_people_from_that_of_runners() {
    let hub = Hub::new().await;
    let step = hub.step(500, "1.4.0").input("targets", "web").input("wait", "true");
    let step = step.input("wait-interval", "50ms").spawn_in(&hub.acme);
    let web = hub.next_run("web", 0).await;
    let world = &hub.acme.world;
    world.add_job(web.id, Job::new("build").conclusion("success"));
    let production = Environment::new("production").reviewer("dana");
    let deploy = world.add_job(web.id, Job::new("deploy").waiting_for(production));
    world.advance(Duration::from_secs(2_400));
    world.approve(web.id, "production");
    let now = world.now();
    world.update_run(web.id, |run| {
        let job = run.jobs.iter_mut().find(|job| job.id == deploy).expect("the job");
        job.started_at = Some(now);
    });
    world.finish_run(web.id, "success");
    let outcome = step.end().await;
    let file = hub.file(outcome.succeeds());
    let periods = file["targets"][0]["periods"].as_array().cloned().unwrap_or_default();
    assert!(periods.iter().any(|period| period["phase"] == "waiting_for_people"), "{file:#}");
    let record = hub.record(1).replace('\u{a0}', " ");
    assert!(record.contains("| 40 min |") && record.contains("👥 :crit"), "{record}");
}

#[tokio::test]
async fn a_fact_that_github_does_not_show_is_left_out_and_named() {
    let hub = Hub::new().await;
    for name in ["web", "api"] {
        let lookup = Fault::on("GET", format!("/repos/acme/{name}/releases/tags/*")).always();
        hub.acme.world.fault(lookup.then(Kind::StatusBefore(403)));
    }
    let outcome = hub.release(500, "1.4.0").await;
    outcome.succeeds();
    let record = without_links(&hub.record(1));
    assert!(record.contains("ℹ️ Incomplete, as GitHub does not show everything: "), "{record}");
    assert!(record.contains("its release and what has changed"), "{record}");
    assert_eq!(hub.acme.world.issue_view("acme/hub", 1).state, "closed", "a gap is not a failure");
}

#[tokio::test]
async fn a_dry_run_prints_the_record_and_writes_no_file() {
    let hub = Hub::new().await;
    let step = hub.step(500, "1.4.0").input("wait", "true").input("dry-run", "true");
    let outcome = step.input("publish-release", "true").run_in(&hub.acme).await;
    outcome.succeeds().says("comment on acme/hub#0: the record of the release 1.4.0");
    outcome.says("publish the record of the release as 1.4.0 of acme/hub");
    assert_eq!((hub.acme.world.story().as_str(), outcome.output("record-path")), ("", ""));
}

#[tokio::test]
async fn the_file_replaces_a_symbolic_link_and_follows_none() {
    let hub = Hub::new().await;
    let outside = tempfile::tempdir().expect("a temporary folder");
    let target = outside.path().join("target");
    std::fs::write(&target, "as it was").expect("a writable folder");
    std::os::unix::fs::symlink(&target, hub.workspace.path().join("release-record-1.json")).expect("a link");
    let outcome = hub.release(500, "1.4.0").await;
    assert_eq!(hub.file(outcome.succeeds())["format"], 1);
    assert_eq!(std::fs::read_to_string(&target).expect("a file"), "as it was");
    let names: Vec<_> = std::fs::read_dir(hub.workspace.path()).expect("a folder").flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[tokio::test]
async fn the_record_is_published_as_a_release_of_the_hub_once() {
    let hub = Hub::new().await;
    hub.acme.world.token("hub-token").can("acme/hub", &["issues: write", "actions: read", "contents: write"]);
    let head = hub.acme.world.head("acme/hub", "main");
    let publish = |step: Step| step.input("publish-release", "true").variable("GITHUB_SHA", &head);
    hub.release(500, "1.4.0").await.succeeds();
    publish(hub.step(500, "1.4.0").attempt(2).input("wait", "true")).run_in(&hub.acme).await.succeeds();
    let releases = hub.acme.world.releases("acme/hub");
    assert_eq!(releases.iter().map(|release| release.tag.as_str()).collect::<Vec<_>>(), ["1.4.0"]);
    assert!(releases[0].body.contains("**Release 1.4.0 is complete:**"), "{}", releases[0].body);
    assert_eq!(hub.acme.world.head("acme/hub", "1.4.0"), head);
    hub.acme.world.clear_story();
    publish(hub.step(500, "1.4.0").attempt(3).input("wait", "true")).run_in(&hub.acme).await.succeeds();
    assert!(!hub.acme.world.story().contains("release 1.4.0"), "{}", hub.acme.world.story());
}

#[tokio::test]
async fn a_release_of_another_account_stays_as_it_is() {
    let hub = Hub::new().await;
    hub.acme.world.token("hub-token").can("acme/hub", &["issues: write", "actions: read", "contents: write"]);
    hub.acme.world.release("acme/hub", Release::new("1.4.0").notes("By hand."));
    hub.release(500, "1.4.0").await.succeeds();
    let step = hub.step(500, "1.4.0").attempt(2).input("wait", "true").input("publish-release", "true");
    let outcome = step.run_in(&hub.acme).await;
    outcome.succeeds().says("the record is not published: acme/hub has another release 1.4.0");
    assert_eq!(hub.acme.world.releases("acme/hub")[0].body, "By hand.");
}

#[tokio::test]
async fn an_unclear_answer_publishes_no_second_release() {
    let hub = Hub::new().await;
    hub.acme.world.token("hub-token").can("acme/hub", &["issues: write", "actions: read", "contents: write"]);
    let head = hub.acme.world.head("acme/hub", "main");
    hub.release(500, "1.4.0").await.succeeds();
    hub.acme.world.fault(Fault::on("POST", "/repos/acme/hub/releases").then(Kind::StatusAfter(502)));
    let step = hub.step(500, "1.4.0").attempt(2).input("wait", "true").input("publish-release", "true");
    step.variable("GITHUB_SHA", head).run_in(&hub.acme).await.succeeds();
    assert_eq!(hub.acme.world.releases("acme/hub").len(), 1);
}

#[tokio::test]
async fn a_name_that_git_takes_for_no_tag_is_refused_before_anything_is_started() {
    let hub = Hub::new().await;
    let step = hub.step(500, "Release 1.4").input("publish-release", "true");
    let outcome = step.run_in(&hub.acme).await;
    outcome.fails().says("`publish-release`: `Release 1.4` is not a valid Git tag");
    assert_eq!(hub.acme.world.story(), "");
}
