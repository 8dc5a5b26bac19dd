//! Late and simultaneous events: reports after a hub job has stopped following, several hub jobs of one name, several
//! jobs that fail at once, and records of other accounts.

use std::time::Duration;

use simulated_github::{Environment, Job, Run};

use crate::moments::{dispatch, report, run_of, waiting_dispatch};
use crate::support::{Acme, for_people, until_the_board_says};

fn records_with(acme: &Acme, text: &str) -> Vec<String> {
    let bodies = acme.records(1).into_iter().map(|comment| for_people(&comment.body));
    bodies.filter(|body| body.contains(text)).collect()
}

#[tokio::test]
async fn a_last_report_after_the_hub_has_stopped_following_counts() {
    let acme = Acme::new().await;
    let step =
        waiting_dispatch("web").input("wait-timeout", "2s").input("close-on-success", "true").spawn_in(&acme);
    let web = run_of(&acme, "web").await;
    acme.world.add_job(web.id, Job::new("build").running());
    acme.world.update_run(web.id, |run| run.status = "in_progress".into());
    until_the_board_says(&acme, "in progress").await;
    step.end().await.fails();
    report(&acme, "web", "success").input("done", "true").run_in(&acme).await.succeeds();
    let board = acme.board(1);
    assert!(!board.contains("but not its last stage"), "{board}");
    assert!(board.contains("**1 of 1 released**"), "{board}");
    assert_eq!(acme.world.issue_view("acme/hub", 1).state, "closed");
}

#[tokio::test]
async fn a_failing_report_after_the_hub_has_stopped_following_mentions_the_driver() {
    let acme = Acme::new().await;
    let step = waiting_dispatch("web").input("wait-timeout", "2s").spawn_in(&acme);
    let web = run_of(&acme, "web").await;
    acme.world.add_job(web.id, Job::new("build").running());
    acme.world.update_run(web.id, |run| run.status = "in_progress".into());
    until_the_board_says(&acme, "in progress").await;
    step.end().await.fails();
    report(&acme, "web", "failure").run_in(&acme).await.succeeds();
    let board = acme.board(1);
    assert!(board.contains("**web** failed"), "{board}");
    assert_eq!(records_with(&acme, "@alice").len(), 1, "{board}");
}

#[tokio::test]
async fn reports_after_a_recorded_review_count() {
    let acme = Acme::new().await;
    dispatch("web").run_in(&acme).await.succeeds();
    let web = run_of(&acme, "web").await;
    acme.world.add_job(web.id, Job::new("build").conclusion("success"));
    acme.world
        .add_job(web.id, Job::new("deploy").waiting_for(Environment::new("production").reviewer("dana")));
    dispatch("web").run(501).run_in(&acme).await.succeeds();
    assert!(acme.board(1).contains("to approve `production`"), "{}", acme.board(1));
    acme.world.approve(web.id, "production");
    report(&acme, "web", "in_progress").run_in(&acme).await.succeeds();
    let board = acme.board(1);
    assert!(!board.contains("to approve `production`"), "after in_progress: {board}");
    report(&acme, "web", "success").input("done", "true").run_in(&acme).await.succeeds();
    let board = acme.board(1);
    assert!(!board.contains("to approve `production`"), "after done: {board}");
}

#[tokio::test]
async fn the_last_report_of_some_targets_does_not_close_the_release() {
    let acme = Acme::new().await;
    dispatch("web, api")
        .input("only", "web")
        .input("close-on-success", "true")
        .run_in(&acme)
        .await
        .succeeds();
    report(&acme, "web", "success").input("done", "true").run_in(&acme).await.succeeds();
    let board = acme.board(1);
    assert_eq!(acme.world.issue_view("acme/hub", 1).state, "open", "{board}");
    assert_eq!(records_with(&acme, "Every target is released").len(), 0);
    assert!(!board.contains("Everything is released"), "{board}");
}

#[tokio::test]
async fn an_approved_environment_mentions_nobody_again() {
    let acme = Acme::new().await;
    let step = waiting_dispatch("web").spawn_in(&acme);
    let web = run_of(&acme, "web").await;
    for name in ["staging", "production"] {
        acme.world.add_job(
            web.id,
            Job::new(format!("deploy {name}")).waiting_for(Environment::new(name).reviewer("dana")),
        );
    }
    until_the_board_says(&acme, "`staging`").await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let before = records_with(&acme, "@dana");
    acme.world.approve(web.id, "staging");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let after = records_with(&acme, "@dana");
    acme.world.approve(web.id, "production");
    acme.world.finish_run(web.id, "success");
    step.end().await;
    assert_eq!(after.len(), before.len(), "{after:#?}");
}

#[tokio::test]
async fn jobs_that_fail_at_once_mention_once() {
    let acme = Acme::new().await;
    dispatch("web").run_in(&acme).await.succeeds();
    let a = report(&acme, "web", "failure").job("a").spawn_in(&acme);
    let b = report(&acme, "web", "failure").job("b").spawn_in(&acme);
    let c = report(&acme, "web", "failure").job("c").spawn_in(&acme);
    a.end().await.succeeds();
    b.end().await.succeeds();
    c.end().await.succeeds();
    assert_eq!(records_with(&acme, "@alice").len(), 1);
}

#[tokio::test]
async fn the_last_reports_of_two_targets_at_once_close_the_ticket() {
    let acme = Acme::new().await;
    dispatch("web, api").input("close-on-success", "true").run_in(&acme).await.succeeds();
    let a = report(&acme, "web", "success").input("done", "true").spawn_in(&acme);
    let b = report(&acme, "api", "success").input("done", "true").spawn_in(&acme);
    a.end().await.succeeds();
    b.end().await.succeeds();
    // Within a second, each of them may count as the last one.
    let count = records_with(&acme, "Every target is released").len();
    assert!((1..=2).contains(&count), "{count}: {}", acme.board(1));
    assert_eq!(acme.world.issue_view("acme/hub", 1).state, "closed");
}

#[tokio::test]
async fn a_name_in_another_case_means_the_same_target() {
    let acme = Acme::new().await;
    dispatch("web").run_in(&acme).await.succeeds();
    let outcome =
        report(&acme, "web", "success").input("target", "Web").input("done", "true").run_in(&acme).await;
    outcome.succeeds();
    assert!(!outcome.log.contains("no dispatch of the ticket lists"), "{}", outcome.log);
}

#[tokio::test]
async fn two_hub_jobs_of_one_name_do_not_hide_which_of_them_follows() {
    let acme = Acme::new().await;
    let a = waiting_dispatch("web, api").input("only", "web").input("check-run-id", "11").spawn_in(&acme);
    let web = run_of(&acme, "web").await;
    until_the_board_says(&acme, "follows it").await;
    let b = waiting_dispatch("web, api")
        .input("only", "api")
        .input("check-run-id", "12")
        .input("wait-timeout", "2s");
    b.run_in(&acme).await.fails();
    let board = acme.board(1);
    let failure = report(&acme, "web", "failure");
    failure.run_in(&acme).await.succeeds();
    acme.world.finish_run(web.id, "failure");
    a.end().await.fails();
    let pings = records_with(&acme, "@alice").len();
    assert!(
        !board.contains("**web** has not reported since it was started, and no hub run follows it"),
        "{board}"
    );
    assert_eq!(pings, 1);
}

#[tokio::test]
async fn a_hub_job_of_one_name_does_not_follow_what_another_one_has_started() {
    let acme = Acme::new().await;
    let a = waiting_dispatch("web, api")
        .input("only", "api")
        .input("check-run-id", "12")
        .input("wait-timeout", "20s")
        .spawn_in(&acme);
    let api = run_of(&acme, "api").await;
    until_the_board_says(&acme, "follows it").await;
    dispatch("web, api").input("only", "web").input("check-run-id", "11").run_in(&acme).await.succeeds();
    // The first job writes a record with a higher number.
    acme.world.update_run(api.id, |run| run.status = "in_progress".into());
    until_the_board_says(&acme, "in progress").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    acme.world.add_job(api.id, Job::new("build").running());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let board = acme.board(1);
    acme.world.finish_run(api.id, "success");
    a.end().await;
    assert!(
        board.contains("**web** has not reported since it was started, and no hub run follows it"),
        "{board}"
    );
}

/// A release of web, whose run is at its job `publish`.
async fn publishing_web() -> (Acme, Run) {
    let acme = Acme::new().await;
    dispatch("web").run_in(&acme).await.succeeds();
    let web = run_of(&acme, "web").await;
    acme.world.add_job(web.id, Job::new("publish").running());
    acme.world.update_run(web.id, |run| run.status = "in_progress".into());
    (acme, web)
}

#[tokio::test]
async fn a_dispatch_that_does_not_wait_hides_no_reported_failure() {
    let (acme, web) = publishing_web().await;
    report(&acme, "web", "failure").run_in(&acme).await.succeeds();
    assert!(acme.board(1).contains("**web** failed"), "{}", acme.board(1));
    dispatch("web").run(501).run_in(&acme).await.succeeds();
    // The run ends a moment later, and no job follows it.
    acme.world.finish_run(web.id, "failure");
    let board = acme.board(1);
    assert!(!board.contains("Nothing is blocking the release"), "{board}");
}

#[tokio::test]
async fn a_dispatch_that_does_not_wait_hides_no_reported_release() {
    let (acme, web) = publishing_web().await;
    report(&acme, "web", "success").input("done", "true").run_in(&acme).await.succeeds();
    assert!(acme.board(1).contains("**1 of 1 released**"), "{}", acme.board(1));
    dispatch("web").run(501).run_in(&acme).await.succeeds();
    acme.world.finish_run(web.id, "success");
    let board = acme.board(1);
    assert!(!board.contains("but not its last stage"), "{board}");
}

#[tokio::test]
async fn a_failure_after_the_last_stage_mentions_the_driver() {
    let acme = Acme::new().await;
    dispatch("web").run_in(&acme).await.succeeds();
    report(&acme, "web", "success").input("done", "true").run_in(&acme).await.succeeds();
    report(&acme, "web", "failure").job("after").run_in(&acme).await.succeeds();
    let bodies = records_with(&acme, "@alice");
    assert_eq!(bodies.len(), 2);
}

#[tokio::test]
async fn a_failure_under_a_name_that_is_not_listed_mentions_the_driver() {
    let acme = Acme::new().await;
    dispatch("web, api").run_in(&acme).await.succeeds();
    report(&acme, "web", "failure").input("target", "wbe").run_in(&acme).await.succeeds();
    let board = acme.board(1);
    assert_eq!(records_with(&acme, "@alice").len(), 1, "{board}");
}

#[tokio::test]
async fn a_hub_that_follows_an_unchanged_run_says_so() {
    let acme = Acme::new().await;
    let step = waiting_dispatch("web").input("wait-timeout", "2s").spawn_in(&acme);
    let web = run_of(&acme, "web").await;
    acme.world.add_job(web.id, Job::new("build").running());
    acme.world.update_run(web.id, |run| run.status = "in_progress".into());
    until_the_board_says(&acme, "in progress").await;
    step.end().await.fails();
    let step = waiting_dispatch("web, api").run(501).spawn_in(&acme);
    let api = run_of(&acme, "api").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let board = acme.board(1);
    report(&acme, "web", "failure").run_in(&acme).await.succeeds();
    assert_eq!(records_with(&acme, "@alice").len(), 0, "the hub mentions when the run has ended");
    acme.world.finish_run(web.id, "failure");
    acme.world.finish_run(api.id, "success");
    step.end().await;
    assert!(!board.contains("no hub run follows it"), "{board}");
}

#[tokio::test]
async fn the_rerun_of_a_killed_hub_job_follows_again() {
    let acme = Acme::new().await;
    let hub_run = acme.world.start_run("acme/hub", "release.yml", "workflow_dispatch");
    let step = waiting_dispatch("web").run(hub_run).spawn_in(&acme);
    let web = run_of(&acme, "web").await;
    until_the_board_says(&acme, "follows it").await;
    step.signal("KILL");
    step.end().await;
    acme.world.finish_run(hub_run, "cancelled");
    dispatch("web").run(9999).run_in(&acme).await.succeeds();
    assert!(acme.board(1).contains("no hub run follows it"));
    acme.world.rerun(hub_run);
    let step = waiting_dispatch("web").run(hub_run).attempt(2).spawn_in(&acme);
    until_the_board_says(&acme, "follows it").await;
    let writes = || {
        acme.requests().iter().filter(|line| line.starts_with("PATCH") || line.starts_with("POST")).count()
    };
    tokio::time::sleep(Duration::from_millis(700)).await;
    let before = writes();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(writes(), before, "nothing changes, so nothing is written");
    acme.world.finish_run(web.id, "success");
    step.end().await.succeeds();
}

#[tokio::test]
async fn a_hub_that_waits_writes_nothing_while_nothing_changes() {
    let acme = Acme::new().await;
    let step = waiting_dispatch("web, api, docs").input("stale-after", "1s").spawn_in(&acme);
    let (web, api, docs) =
        (run_of(&acme, "web").await, run_of(&acme, "api").await, run_of(&acme, "docs").await);
    acme.world
        .add_job(api.id, Job::new("deploy").waiting_for(Environment::new("production").reviewer("dana")));
    acme.world.finish_run(docs.id, "failure");
    until_the_board_says(&acme, "has not changed since").await;
    until_the_board_says(&acme, "to approve `production`").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let writes = || acme.requests().iter().filter(|line| !line.starts_with("GET")).count();
    let before = writes();
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    let after = writes();
    for run in [web, api] {
        acme.world.finish_run(run.id, "success");
    }
    step.end().await;
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_record_of_another_account_closes_nothing() {
    let acme = Acme::new().await;
    dispatch("web").run_in(&acme).await.succeeds();
    let body = acme.records(1).remove(0).body;
    let forgery =
        body.replace("\"run\":500", "\"run\":900500").replacen("\"seq\":", "\"close\":true,\"seq\":", 1);
    acme.world.comment("acme/hub", 1, "other[bot]", &forgery);
    report(&acme, "web", "success").input("done", "true").run_in(&acme).await.succeeds();
    assert_eq!(acme.world.issue_view("acme/hub", 1).state, "open");
}
