//! Records that somebody has deleted: the runs that they named are found, and not started a second time.

use chrono::TimeDelta;
use simulated_github::World;

use crate::support::{Acme, Step, now};

/// A dispatch by this run of the hub.
fn dispatch(run: u64, targets: &str) -> Step {
    let step = Step::new("dispatch").run(run).input("targets", targets).input("workflow", "release.yml");
    step.input("release", "1.4.0")
}

fn runs(acme: &Acme, name: &str) -> usize {
    acme.world.runs(&format!("acme/{name}")).len()
}

/// Deletes all comments of the ticket that hold this text.
fn delete(acme: &Acme, text: &str) {
    let comments = acme.world.issue_view("acme/hub", 1).comments;
    let ids: Vec<u64> =
        comments.iter().filter(|comment| comment.body.contains(text)).map(|it| it.id).collect();
    assert!(!ids.is_empty(), "no comment holds {text}: {comments:#?}");
    ids.into_iter().for_each(|id| acme.world.delete_comment("acme/hub", id));
}

/// A world with ticket 1, some minutes old, for which run 500 of the hub has started web; and the failed run of web.
async fn failed_release() -> (Acme, u64) {
    let acme = Acme::in_world(World::at(now() - TimeDelta::minutes(10))).await;
    dispatch(500, "web").run_in(&acme).await.succeeds();
    let run = acme.world.runs("acme/web")[0].id;
    acme.world.finish_run(run, "failure");
    (acme, run)
}

#[tokio::test]
async fn a_target_whose_claim_was_deleted_is_not_started_again() {
    for text in [" dispatch ", "release-ticket:1"] {
        let (acme, _) = failed_release().await;
        delete(&acme, text);
        let outcome = dispatch(501, "web").run_in(&acme).await;
        outcome.succeeds().says(
            "web was started already, although no record of the ticket says so; going on with its run http",
        );
        assert_eq!(runs(&acme, "web"), 1, "{}", acme.world.story());
        let outcome = dispatch(502, "web").run_in(&acme).await;
        outcome.succeeds().says("web is left alone: it was already started and failed");
        dispatch(503, "web").input("retry-failed", "true").run_in(&acme).await.succeeds();
        assert_eq!(runs(&acme, "web"), 2, "{}", acme.world.story());
    }
}

#[tokio::test]
async fn a_plan_shows_that_a_target_whose_claim_was_deleted_is_not_started() {
    let (acme, _) = failed_release().await;
    delete(&acme, " dispatch ");
    let outcome = dispatch(501, "web").input("dry-run", "true").run_in(&acme).await;
    outcome.succeeds();
    assert!(!outcome.output("plan").contains("start-workflow"), "{}", outcome.output("plan"));
}

#[tokio::test]
async fn a_run_that_only_another_record_names_is_the_targets() {
    // The name of the run does not hold the ticket: only the records say which run it is.
    let acme = Acme::in_world(World::at(now() - TimeDelta::minutes(10))).await;
    let workflow = "on: { workflow_dispatch: { inputs: { release-ticket: {}, release-target: {} } } }";
    acme.world.repository("acme/web").file(".github/workflows/release.yml", workflow);
    dispatch(500, "web").run_in(&acme).await.succeeds();
    let run = acme.world.runs("acme/web")[0].id;
    let report = Step::new("report").run(run).input("ticket", "acme/hub#1").input("status", "failure");
    report.run_in(&acme).await.succeeds();
    acme.world.finish_run(run, "failure");
    for (hub_run, record) in [(501, "\"run\":500"), (502, "\"run\":501")] {
        delete(&acme, record);
        let outcome = dispatch(hub_run, "web").run_in(&acme).await;
        outcome.succeeds().says("web is left alone: it was already started and failed");
        assert_eq!(runs(&acme, "web"), 1, "{}", acme.world.story());
    }
    dispatch(503, "web").input("retry-failed", "true").run_in(&acme).await.succeeds();
    assert_eq!(runs(&acme, "web"), 2, "{}", acme.world.story());
}

#[tokio::test]
async fn a_new_run_whose_claim_was_deleted_keeps_a_failed_target_from_being_started_once_more() {
    let (acme, _) = failed_release().await;
    dispatch(501, "web").run_in(&acme).await.succeeds();
    dispatch(502, "web").input("retry-failed", "true").run_in(&acme).await.succeeds();
    assert_eq!(runs(&acme, "web"), 2);
    delete(&acme, "\"run\":502");
    dispatch(503, "web").input("retry-failed", "true").run_in(&acme).await.succeeds();
    assert_eq!(runs(&acme, "web"), 2, "{}", acme.world.story());
}

#[tokio::test]
async fn targets_of_one_workflow_do_not_take_each_others_runs_for_their_own() {
    let acme = Acme::in_world(World::at(now() - TimeDelta::minutes(10))).await;
    let both = "[{ name: a, repository: web }, { name: b, repository: web }]";
    dispatch(500, both).input("only", "a").run_in(&acme).await.succeeds();
    dispatch(501, both).run_in(&acme).await.succeeds();
    let targets = acme.world.runs("acme/web").into_iter().map(|run| run.inputs["release-target"].clone());
    assert_eq!(targets.collect::<Vec<_>>(), ["a", "b"]);
    // Each run could be that of either target.
    delete(&acme, " dispatch ");
    let outcome = dispatch(502, both).run_in(&acme).await;
    outcome.fails().says("cannot start a: it may have been started; its run could be here: http");
    assert_eq!(runs(&acme, "web"), 2, "{}", acme.world.story());
}
