//! Runs that wait for an approval, for a wait timer, or for another run of their concurrency group.

use std::time::Duration;

use serde_json::{Value, json};
use simulated_github::{Environment, Fault, Job, Kind};

use crate::support::{Acme, Outcome, RunningStep, Step, until_the_board_says};

/// A dispatch of web by the hub's run 500.
fn dispatch() -> Step {
    let step = Step::new("dispatch").run(500).input("targets", "web").input("workflow", "release.yml");
    step.input("release", "1.4.0")
}

fn waiting_dispatch(acme: &Acme) -> RunningStep {
    dispatch().input("wait", "true").input("wait-interval", "50ms").spawn_in(acme)
}

fn production() -> Environment {
    Environment::new("production").reviewer("dana").reviewer("acme/sre")
}

/// The run of web that waits before `environment` with its job `deploy`, after its job `build`.
async fn run_before(acme: &Acme, environment: Environment) -> u64 {
    until(acme, "web is started", |acme| !acme.world.runs("acme/web").is_empty()).await;
    let run = acme.world.runs("acme/web")[0].id;
    acme.world.add_job(run, Job::new("build").conclusion("success"));
    acme.world.add_job(run, Job::new("deploy").waiting_for(environment));
    run
}

async fn until(acme: &Acme, event: &str, has_happened: impl Fn(&Acme) -> bool) {
    for _ in 0..400 {
        if has_happened(acme) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let comments = acme.world.issue_view("acme/hub", 1).comments;
    let bodies = comments.into_iter().map(|comment| comment.body).collect::<Vec<_>>();
    panic!("never: {event}\n{}", bodies.join("\n\n"));
}

fn result(outcome: &Outcome) -> Value {
    let results: Value = serde_json::from_str(outcome.output("results")).expect("JSON");
    results[0].clone()
}

/// The number of questions about the run's pending deployments.
fn questions(acme: &Acme) -> usize {
    acme.requests().iter().filter(|line| line.ends_with("/pending_deployments")).count()
}

#[tokio::test]
async fn a_run_that_waits_for_a_review_names_the_reviewers_and_goes_on_when_one_approves() {
    let acme = Acme::new().await;
    let step = waiting_dispatch(&acme);
    let run = run_before(&acme, production()).await;
    until_the_board_says(&acme, "✋ needs review").await;
    let remark = "**web** waits for **dana** or **acme/sre** to approve `production`";
    until_the_board_says(&acme, remark).await;
    assert!(acme.board(1).contains("✋ **1 needs review**"), "{}", acme.board(1));
    let record = &acme.records(1)[0].body;
    let review = r#""reviews":[{"environment":"production","reviewers":["dana","acme/sre"]}]"#;
    assert!(record.contains(review) && record.contains("[✋ needs review]("), "{record}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(questions(&acme), 1, "nothing has changed since");
    acme.world.approve(run, "production");
    until_the_board_says(&acme, "🔄 in progress").await;
    assert!(!acme.board(1).contains("approve"), "{}", acme.board(1));
    acme.world.finish_run(run, "success");
    let outcome = step.end().await;
    outcome.succeeds();
    assert_eq!((&result(&outcome)["status"], outcome.output("waiting-for")), (&json!("released"), ""));
    assert_eq!(questions(&acme), 1);
}

#[tokio::test]
async fn a_dispatch_that_does_not_wait_says_that_a_review_is_needed_and_later_that_it_is_not() {
    let acme = Acme::new().await;
    dispatch().run_in(&acme).await.succeeds();
    let run = run_before(&acme, production()).await;
    for hub_run in [501, 502] {
        let outcome = dispatch().run(hub_run).run_in(&acme).await;
        outcome.succeeds();
        let result = result(&outcome);
        assert_eq!((&result["status"], &result["waiting_for"]), (&json!("review"), &json!(["review"])));
        assert_eq!((&result["conclusion"], outcome.output("waiting-for")), (&Value::Null, "review web"));
        assert!(
            acme.board(1).contains("**dana** or **acme/sre** to approve `production`"),
            "{}",
            acme.board(1)
        );
    }
    assert_eq!(acme.records(1).len(), 3, "it is recorded and mentioned once");
    acme.world.approve(run, "production");
    let outcome = dispatch().run(503).run_in(&acme).await;
    outcome.succeeds();
    assert_eq!((&result(&outcome)["status"], outcome.output("waiting-for")), (&json!("in_progress"), ""));
    assert!(!acme.board(1).contains("approve"), "{}", acme.board(1));
}

#[tokio::test]
async fn a_job_that_is_out_of_time_while_only_people_can_go_on_ends_well() {
    let acme = Acme::new().await;
    let step = dispatch().input("targets", "[web, { repository: api, needs: web }]");
    let step = step.input("wait", "true").input("wait-interval", "50ms").input("wait-timeout", "2s");
    let step = step.spawn_in(&acme);
    run_before(&acme, production()).await;
    let outcome = step.end().await;
    outcome.succeeds();
    let results: Value = serde_json::from_str(outcome.output("results")).expect("JSON");
    let state = |index: usize| (results[index]["status"].clone(), results[index]["waiting_for"].clone());
    assert_eq!(state(0), (json!("review"), json!(["review"])));
    assert_eq!(state(1), (json!("waiting"), json!(["web"])));
    assert_eq!(outcome.output("waiting-for"), "review web");
}

#[tokio::test]
async fn a_run_that_only_waits_for_a_timer_needs_no_review() {
    let acme = Acme::new().await;
    let step = waiting_dispatch(&acme);
    let run = run_before(&acme, Environment::new("production").wait_timer(30)).await;
    until_the_board_says(&acme, "timer ends 2").await;
    let board = acme.board(1);
    assert!(board.contains("🕓 queued") && !board.contains("needs review"), "{board}");
    acme.world.let_go(run, "production");
    until_the_board_says(&acme, "🔄 in progress").await;
    acme.world.finish_run(run, "success");
    step.end().await.succeeds();
}

#[tokio::test]
async fn a_hub_job_asks_once_more_when_a_timer_has_ended() {
    let acme = Acme::new().await;
    let step = waiting_dispatch(&acme);
    let environment = Environment::new("production").wait_timer(1);
    until(&acme, "web is started", |acme| !acme.world.runs("acme/web").is_empty()).await;
    let run = acme.world.runs("acme/web")[0].id;
    let mut job = Job::new("deploy").waiting_for(environment);
    // The job began to wait almost a minute ago.
    job.started_at = Some(acme.world.now() - Duration::from_secs(57));
    acme.world.add_job(run, job);
    until_the_board_says(&acme, "timer ends 2").await;
    until_the_board_says(&acme, "**web** waits for an approval or a protection rule of `production`").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(questions(&acme), 2);
    acme.world.finish_run(run, "success");
    step.end().await.succeeds();
}

#[tokio::test]
async fn a_refusal_to_name_the_reviewers_is_not_a_failure() {
    let acme = Acme::new().await;
    let pending_deployments = Fault::on("GET", "/repos/acme/web/actions/runs/*/pending_deployments").always();
    acme.world.fault(pending_deployments.then(Kind::StatusBefore(403)));
    let step = waiting_dispatch(&acme);
    let run = run_before(&acme, production()).await;
    until_the_board_says(&acme, "✋ needs review").await;
    until_the_board_says(&acme, "**web** waits for an approval or a protection rule of its environment")
        .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(questions(&acme), 1);
    acme.world.finish_run(run, "success");
    let outcome = step.end().await;
    outcome.succeeds().says("GitHub does not say who reviews web, run ");
}

#[tokio::test]
async fn a_hub_job_asks_again_after_a_bad_answer() {
    let acme = Acme::new().await;
    let pending_deployments = Fault::on("GET", "/repos/acme/web/actions/runs/*/pending_deployments");
    acme.world.fault(pending_deployments.then(Kind::StatusBefore(502)));
    let step = waiting_dispatch(&acme);
    let run = run_before(&acme, production()).await;
    until_the_board_says(&acme, "**dana** or **acme/sre** to approve `production`").await;
    acme.world.finish_run(run, "success");
    step.end().await.succeeds();
}

#[tokio::test]
async fn a_job_that_waits_for_a_review_says_so_while_another_one_is_at_work() {
    let acme = Acme::new().await;
    let step = waiting_dispatch(&acme);
    let run = run_before(&acme, production()).await;
    let docs = acme.world.add_job(run, Job::new("docs").running());
    acme.world.update_run(run, |run| run.status = "in_progress".into());
    until_the_board_says(&acme, "✋ needs review").await;
    until_the_board_says(&acme, "**dana** or **acme/sre** to approve `production`").await;
    acme.world.approve(run, "production");
    until_the_board_says(&acme, "docs: 1 of 3 jobs are done").await;
    assert!(acme.board(1).contains("🔄 in progress"), "{}", acme.board(1));
    acme.world.update_run(run, |run| {
        let docs = run.jobs.iter_mut().find(|job| job.id == docs).expect("the job");
        *docs = docs.clone().conclusion("success");
    });
    acme.world.finish_run(run, "success");
    step.end().await.succeeds();
}

#[tokio::test]
async fn a_run_that_its_concurrency_group_holds_says_so() {
    let acme = Acme::new().await;
    let step = waiting_dispatch(&acme);
    until(&acme, "web is started", |acme| !acme.world.runs("acme/web").is_empty()).await;
    let run = acme.world.runs("acme/web")[0].id;
    acme.world.update_run(run, |run| run.status = "pending".into());
    until_the_board_says(&acme, "held by its concurrency group").await;
    assert!(acme.board(1).contains("🕓 queued"), "{}", acme.board(1));
    acme.world.finish_run(run, "success");
    step.end().await.succeeds();
}

#[tokio::test]
async fn names_of_environments_and_reviewers_are_plain_text_on_the_board() {
    let acme = Acme::new().await;
    let step = waiting_dispatch(&acme);
    let environment =
        Environment::new("`| <img src=x> @alice #12\n## x").reviewer("dana").reviewer("acme/a@b");
    let run = run_before(&acme, environment).await;
    until_the_board_says(&acme, "**dana** to approve ").await;
    let record = acme.records(1).remove(0).body;
    for text in [acme.board(1), record.split_once('\n').expect("two lines").1.to_owned()] {
        assert!(!text.contains("<img") && !text.contains("@alice") && !text.contains("#12"), "{text}");
        assert!(!text.contains("\n## x"), "{text}");
    }
    acme.world.finish_run(run, "success");
    step.end().await.succeeds();
}

#[tokio::test]
async fn the_action_approves_nothing() {
    let acme = Acme::new().await;
    let step = waiting_dispatch(&acme);
    let run = run_before(&acme, Environment::new("production").reviewer("acme-release[bot]")).await;
    until_the_board_says(&acme, "acme-release[bot]** to approve").await;
    acme.world.let_go(run, "production");
    acme.world.finish_run(run, "success");
    step.end().await.succeeds();
    let writes = acme.requests().into_iter().filter(|line| !line.starts_with("GET "));
    let requests: Vec<String> = writes.filter(|line| line.contains("/repos/acme/web/")).collect();
    assert_eq!(requests, ["POST /repos/acme/web/actions/workflows/release.yml/dispatches"]);
}
