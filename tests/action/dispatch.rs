//! The mode `dispatch`.

use serde_json::{Value, json};
use simulated_github::{Fault, Kind};

use crate::support::{Acme, Outcome, Step, for_people};

fn dispatch(targets: &str) -> Step {
    Step::new("dispatch").run(500).input("targets", targets).input("workflow", "release.yml")
}

fn results(outcome: &Outcome) -> Value {
    serde_json::from_str(outcome.output("results")).expect("JSON")
}

/// The number of runs of a target.
fn run_count(acme: &Acme, name: &str) -> usize {
    acme.world.runs(&format!("acme/{name}")).len()
}

#[tokio::test]
async fn a_release_is_dispatched_once() {
    let acme = Acme::new().await;
    let outcome =
        dispatch("web, api").input("release", "1.4.0").input("max-parallel", "1").run_in(&acme).await;
    outcome.succeeds();
    insta::assert_snapshot!(acme.world.story(), @"
    acme/hub#1  opened by acme-release[bot]: Release 1.4.0
    acme/hub#1  labelled release
    acme/hub#1  assigned alice
    acme/hub#1  comment 1001 added
    acme/hub#1  comment 1002 added
    acme/hub#1  comment 1002 pinned
    acme/web  started release.yml at main (release-ticket=acme/hub#1, release-target=web)
    acme/hub#1  comment 1001 edited
    acme/api  started release.yml at main (release-ticket=acme/hub#1, release-target=api)
    acme/hub#1  comment 1001 edited
    acme/hub#1  comment 1002 edited
    ");
    let issue = acme.world.issue_view("acme/hub", 1);
    insta::assert_snapshot!(for_people(&issue.body), @"
    **Driver:** @alice
    **Targets:** web, api
    **Started by:** [hub run 500](https://github.com/acme/hub/actions/runs/500)

    The board in the comments shows the progress of this release. You can edit this text: the action never rewrites it.
    ");
    assert_eq!((outcome.output("created"), outcome.output("ticket-number")), ("true", "1"));
    assert_eq!(outcome.output("ticket-url"), format!("{}/acme/hub/issues/1", acme.server.url()));
    let runs = [acme.world.runs("acme/web")[0].id, acme.world.runs("acme/api")[0].id];
    let results = results(&outcome);
    assert_eq!(results[0]["name"], "web");
    assert_eq!(results[0]["run_id"], runs[0]);
    assert_eq!(results[1]["status"], "started");
    assert_eq!(results[1]["error"], Value::Null);
    let inputs = &acme.world.runs("acme/web")[0].inputs;
    assert_eq!(inputs["release-ticket"], "acme/hub#1");
    assert_eq!(inputs["release-target"], "web");
}

#[tokio::test]
async fn a_later_dispatch_of_the_same_release_starts_what_was_never_started() {
    let acme = Acme::new().await;
    dispatch("web").input("release", "1.4.0").run_in(&acme).await.succeeds();
    let outcome = dispatch("web, api").run(501).input("release", "1.4.0").run_in(&acme).await;
    outcome.succeeds().says("::notice::web is left alone: it was already started");
    assert_eq!((run_count(&acme, "web"), run_count(&acme, "api")), (1, 1));
    assert_eq!((outcome.output("created"), acme.world.issues("acme/hub").len()), ("false", 1));
    assert_eq!(results(&outcome)[0]["status"], "queued");
}

#[tokio::test]
async fn without_a_release_each_run_has_its_ticket_and_its_rerun_finds_it() {
    let acme = Acme::new().await;
    dispatch("web").run_in(&acme).await.succeeds();
    dispatch("web").attempt(2).run_in(&acme).await.succeeds();
    assert_eq!((run_count(&acme, "web"), acme.world.issues("acme/hub").len()), (1, 1));
    dispatch("web").run(501).run_in(&acme).await.succeeds();
    assert_eq!((run_count(&acme, "web"), acme.world.issues("acme/hub").len()), (2, 2));
}

#[tokio::test]
async fn a_closed_ticket_is_not_reused_and_the_new_one_links_to_it() {
    let acme = Acme::new().await;
    dispatch("web").input("release", "1.4.0").run_in(&acme).await.succeeds();
    acme.world.finish_run(acme.world.runs("acme/web")[0].id, "failure");
    acme.world.close_issue("acme/hub", 1);
    let outcome = dispatch("web").run(501).input("release", "1.4.0").run_in(&acme).await;
    outcome.succeeds();
    assert_eq!(outcome.output("ticket-number"), "2");
    assert!(acme.world.issue_view("acme/hub", 2).body.contains("Continues #1"));
    let outcome = dispatch("web").input("ticket", "1").run_in(&acme).await;
    outcome.fails().says("the ticket acme/hub#1 is closed").says("help: reopen it");
}

#[tokio::test]
async fn a_workflow_file_that_may_not_be_read_leaves_the_check_to_github() {
    let acme = Acme::new().await;
    acme.world.repository("acme/web").private();
    let token = acme.world.token("blind-token").acts_as("acme-release[bot]");
    token.can("acme/hub", &["issues: write", "contents: read"]).can("acme/web", &["actions: write"]);
    let outcome = dispatch("web").input("token", "blind-token").run_in(&acme).await;
    outcome
        .succeeds()
        .says("::warning::cannot check the inputs of `.github/workflows/release.yml` in acme/web, or pass");
    assert_eq!(run_count(&acme, "web"), 1);
}

#[tokio::test]
async fn every_unreachable_target_is_reported_before_anything_happens() {
    let acme = Acme::new().await;
    acme.world.repository("acme/plain");
    acme.world.token("hub-token").can("acme/plain", &["actions: write", "contents: read"]);
    let outcome = dispatch("web, plain, nowhere").run_in(&acme).await;
    outcome.fails();
    insta::assert_snapshot!(outcome.visible_log(), @"
    ::error::`targets`:1:6: target plain: acme/plain has no `.github/workflows/release.yml` at main%0Ahelp: correct `workflow` or `ref`%0Asee: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-workflow-is-missing-or-switched-off
    ::error::`targets`:1:13: target nowhere: cannot reach acme/nowhere: GitHub refused to show acme/nowhere: Not Found (404)%0Ahelp: check that acme/nowhere and the things named in it exist, and that the token may see them (`github.token` reaches its own repository only)%0Asee: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-token-lacks-a-permission
    ");
    assert_eq!(acme.world.story(), "");
}

#[tokio::test]
async fn a_refused_start_is_reported_on_the_board_and_tried_again_by_the_rerun() {
    let acme = Acme::new().await;
    acme.world.fault(
        Fault::on("POST", "/repos/acme/api/actions/workflows/*/dispatches").then(Kind::StatusBefore(422)),
    );
    let outcome = dispatch("web, api").run_in(&acme).await;
    outcome.fails().says("cannot start api").says("422");
    assert_eq!(results(&outcome)[1]["status"], "failed");
    let board = acme.board(1);
    assert!(board.contains("**api** could not be started") && board.contains("❌ **1 failed**"), "{board}");

    dispatch("web, api").attempt(2).run_in(&acme).await.succeeds();
    assert_eq!((run_count(&acme, "web"), run_count(&acme, "api")), (1, 1));
    assert!(!acme.board(1).contains("failed"), "{}", acme.board(1));
}

#[tokio::test]
async fn a_lost_answer_to_a_start_does_not_start_a_second_run() {
    for kind in [Kind::StatusAfter(502), Kind::DropAfter] {
        let acme = Acme::new().await;
        acme.world.fault(Fault::on("POST", "/repos/acme/web/actions/workflows/*/dispatches").then(kind));
        let outcome = dispatch("web, api").run_in(&acme).await;
        outcome.succeeds().says("checking whether web was started");
        assert_eq!((run_count(&acme, "web"), run_count(&acme, "api")), (1, 1));
        assert_eq!(results(&outcome)[0]["run_id"], acme.world.runs("acme/web")[0].id);
    }
}

#[tokio::test]
async fn a_lost_answer_to_opening_the_ticket_does_not_open_a_second_one() {
    let acme = Acme::new().await;
    acme.world.fault(Fault::on("POST", "/repos/acme/hub/issues").then(Kind::DropAfter));
    dispatch("web").run_in(&acme).await.succeeds();
    assert_eq!(acme.world.issues("acme/hub").len(), 1);
}

#[tokio::test]
async fn a_ticket_that_came_second_is_closed_even_if_its_job_died() {
    let acme = Acme::new().await;
    dispatch("web").input("release", "1.4.0").run_in(&acme).await.succeeds();
    let body = acme.world.issue_view("acme/hub", 1).body;
    let orphan = acme.world.issue("acme/hub", "Release 1.4.0", &body, "alice");
    dispatch("web").attempt(2).input("release", "1.4.0").run_in(&acme).await.succeeds();
    let orphan = acme.world.issue_view("acme/hub", orphan);
    assert_eq!((orphan.state.as_str(), orphan.state_reason.as_deref()), ("closed", Some("duplicate")));
    assert_eq!(orphan.comments[0].body, "Duplicate of #1");
}

#[tokio::test]
async fn two_hub_jobs_at_once_start_every_target_once() {
    let acme = Acme::new().await;
    let hub_runs = [(); 2].map(|()| acme.world.start_run("acme/hub", "release.yml", "workflow_dispatch"));
    let job = |run| dispatch("web, api, docs").run(run).input("release", "1.4.0").run_in(&acme);
    let (one, two) = tokio::join!(job(hub_runs[0]), job(hub_runs[1]));
    one.succeeds();
    two.succeeds();
    for name in ["web", "api", "docs"] {
        assert_eq!(run_count(&acme, name), 1, "{name}\n{}\n{}", one.log, two.log);
    }
    let open: Vec<_> =
        acme.world.issues("acme/hub").into_iter().filter(simulated_github::Issue::is_open).collect();
    assert_eq!(open.len(), 1);
    for outcome in [&one, &two] {
        assert_eq!(outcome.output("ticket-number"), open[0].number.to_string());
        assert_eq!(results(outcome)[0]["run_id"], acme.world.runs("acme/web")[0].id);
    }
}

#[tokio::test]
async fn a_claim_of_a_job_that_died_is_void_and_its_run_is_found() {
    let acme = Acme::new().await;
    // The first attempt starts the workflow and dies before it can record the run.
    acme.world.fault(
        Fault::on("PATCH", "/repos/acme/hub/issues/comments/*")
            .holding(r#"state\":\"started"#)
            .always()
            .then(Kind::StatusBefore(422)),
    );
    dispatch("web").run_in(&acme).await.fails();
    assert_eq!(run_count(&acme, "web"), 1);
    acme.world.clear_faults();
    let plan = dispatch("web").attempt(2).input("dry-run", "true").run_in(&acme).await;
    plan.succeeds().says("web was started by a hub job that has ended");
    assert!(!plan.output("plan").contains("start-workflow"), "{}", plan.output("plan"));
    let outcome = dispatch("web").attempt(2).run_in(&acme).await;
    outcome.succeeds().says("web was started by a hub job that has ended");
    assert_eq!(run_count(&acme, "web"), 1);
    assert_eq!(results(&outcome)[0]["run_id"], acme.world.runs("acme/web")[0].id);
}

#[tokio::test]
async fn a_start_that_nobody_could_look_for_is_unknown_and_not_repeated() {
    let acme = Acme::new().await;
    acme.world.fault(
        Fault::on("POST", "/repos/acme/web/actions/workflows/*/dispatches").then(Kind::StatusAfter(502)),
    );
    let runs = Fault::on("GET", "/repos/acme/web/actions/workflows/*/runs").always();
    acme.world.fault(runs.then(Kind::StatusBefore(403)));
    let outcome = dispatch("web").run_in(&acme).await;
    outcome.fails().says("cannot look for the run of web");
    assert_eq!(results(&outcome)[0]["status"], "unknown");
    acme.world.clear_faults();
    dispatch("web").attempt(2).run_in(&acme).await.succeeds();
    assert_eq!(run_count(&acme, "web"), 1);
}

#[tokio::test]
async fn a_server_that_does_not_name_the_run_is_asked_for_it() {
    let acme = Acme::new().await;
    acme.world.ghes("3.20");
    let outcome = dispatch("web, api").run_in(&acme).await;
    outcome.succeeds();
    assert_eq!((run_count(&acme, "web"), run_count(&acme, "api")), (1, 1));
    assert_eq!(results(&outcome)[0]["run_id"], acme.world.runs("acme/web")[0].id);
}

#[tokio::test]
async fn a_start_that_could_be_one_of_several_runs_is_a_start_and_names_them() {
    let acme = Acme::new().await;
    acme.world.ghes("3.20");
    let workflow = "on: { workflow_dispatch: { inputs: { release-target: {} } } }";
    acme.world.repository("acme/web").file(".github/workflows/release.yml", workflow);
    // Another hub starts the same workflow in the same seconds.
    let other = acme.world.start_run("acme/web", "release.yml", "workflow_dispatch");
    acme.world.update_run(other, |run| {
        run.actor = "acme-release[bot]".into();
        run.created_at += chrono::TimeDelta::seconds(30);
    });
    let outcome =
        dispatch("[{ name: a, repository: web }, { name: b, repository: web }]").run_in(&acme).await;
    let [a, b] = [1, 2].map(|at| acme.world.runs("acme/web")[at].id);
    outcome
        .succeeds()
        .says("::warning::a: it was started, but GitHub did not name its run; its run could be here: ");
    let board = acme.board(1);
    for (at, name, runs) in [(0, "a", vec![other, a]), (1, "b", vec![other, a, b])] {
        let result = &results(&outcome)[at];
        assert_eq!((&result["status"], &result["run_id"]), (&json!("started"), &Value::Null));
        let error = result["error"].as_str().expect("it names the runs");
        assert!(runs.iter().all(|run| error.contains(&format!("/runs/{run}"))), "{error}");
        assert!(acme.row(1, name).contains("🕓 queued"), "{board}");
        let line = board.lines().find(|line| line.starts_with(&format!("> - **{name}** was started, but")));
        let line = line.unwrap_or_else(|| panic!("{name} is named:\n{board}"));
        assert!(runs.iter().all(|run| line.contains(&format!("[run {run}](http"))), "{line}");
    }
    assert!(board.contains("looks for the run of **a** and **b**"), "{board}");
    assert_eq!(run_count(&acme, "web"), 3);
    dispatch("[{ name: a, repository: web }, { name: b, repository: web }]")
        .attempt(2)
        .run_in(&acme)
        .await
        .succeeds();
    assert_eq!(run_count(&acme, "web"), 3, "neither is started again");
}

#[tokio::test]
async fn a_repository_dispatch_carries_the_ticket() {
    let acme = Acme::new().await;
    let step = Step::new("dispatch").input("targets", "web").input("dispatch-type", "repository");
    acme.world.token("hub-token").can("acme/web", &["contents: write"]);
    let outcome = step.input("event-type", "release").input("inputs", "channel: beta").run_in(&acme).await;
    outcome.succeeds();
    let events = acme.world.dispatch_events("acme/web");
    let payload =
        json!({ "release-ticket": "acme/hub#1", "release-target": "web", "inputs": { "channel": "beta" } });
    assert_eq!(events[0].client_payload, payload);
}

#[tokio::test]
async fn the_targets_file_is_read_from_the_workspace_or_from_the_commit() {
    let acme = Acme::new().await;
    let file = "defaults: { workflow: release.yml }\ntargets:\n  - repository: acme/web\n    inputs: { channel: '{{ inputs.channel }}' }\n";
    acme.world.repository("acme/hub").file(".github/release-targets.yml", file);
    let event = json!({ "inputs": { "channel": "beta" } });
    Step::new("dispatch").run(7).event(event.clone()).run_in(&acme).await.succeeds();
    assert_eq!(acme.world.runs("acme/web")[0].inputs["channel"], "beta");

    let workspace = tempfile::tempdir().expect("a folder");
    std::fs::write(workspace.path().join("t.yml"), file.replace("web", "api")).expect("a writable folder");
    let step =
        Step::new("dispatch").run(8).event(event).variable("GITHUB_WORKSPACE", workspace.path().display());
    step.input("targets-file", "t.yml").run_in(&acme).await.succeeds();
    assert_eq!(run_count(&acme, "api"), 1);

    Step::new("dispatch")
        .input("targets-file", "none.yml")
        .run_in(&acme)
        .await
        .fails()
        .says("has no `none.yml`");
}

#[tokio::test]
async fn a_template_that_does_not_render_is_reported_before_anything_happens() {
    let acme = Acme::new().await;
    let outcome = dispatch("web")
        .input("inputs", "channel: '{{ inputs.chanel }}'")
        .input("title", "{{ nope }}")
        .run_in(&acme)
        .await;
    outcome
        .fails()
        .says("target web, input `channel`: the template `{{ inputs.chanel }}`")
        .says("the ticket's text: the template `{{ nope }}`");
    assert_eq!(acme.world.story(), "");
}

#[tokio::test]
async fn a_dry_run_shows_the_ticket_and_each_start_with_its_inputs() {
    let acme = Acme::new().await;
    let outcome = dispatch("web, api").input("release", "1.4.0").input("dry-run", "true").run_in(&acme).await;
    outcome.succeeds();
    assert_eq!(acme.world.story(), "");
    insta::assert_snapshot!(outcome.visible_log(), @"
    the plan (`dry-run`: nothing is changed)
    open an issue in acme/hub: Release 1.4.0 (labels: release), assigned to alice; `0` stands for its number below
    comment on acme/hub#0: web and api claimed
    bring the board of acme/hub#0 up to date
    pin the board of acme/hub#0
    start web: release.yml in acme/web at main with release-ticket: acme/hub#0, release-target: web
    start api: release.yml in acme/api at main with release-ticket: acme/hub#0, release-target: api
    edit comment 1 on acme/hub#0: web and api started
    bring the board of acme/hub#0 up to date
    ");
    let plan: Value = serde_json::from_str(outcome.output("plan")).expect("JSON");
    assert_eq!(plan[0]["effect"], "open-issue");
}

#[tokio::test]
async fn a_driver_who_cannot_be_assigned_is_still_named() {
    let acme = Acme::new().await;
    let outcome = dispatch("web").input("driver", "@bob").run_in(&acme).await;
    outcome.succeeds().says("::notice::bob cannot be assigned");
    assert!(acme.world.issue_view("acme/hub", 1).body.contains("@bob"));
}

#[tokio::test]
async fn an_event_without_a_clear_answer_is_sent_again_only_on_request() {
    let acme = Acme::new().await;
    acme.world.token("hub-token").can("acme/web", &["contents: write"]);
    acme.world.fault(Fault::on("POST", "/repos/acme/web/dispatches").then(Kind::DropAfter));
    let step = |run: u64| {
        let step = Step::new("dispatch").run(run).input("targets", "web").input("release", "1.4.0");
        step.input("dispatch-type", "repository").input("event-type", "release")
    };
    let events = || acme.world.dispatch_events("acme/web").len();
    let outcome = step(500).run_in(&acme).await;
    outcome.fails();
    assert_eq!((&results(&outcome)[0]["status"], events()), (&json!("unknown"), 1));
    let steps = [
        step(500).attempt(2),
        step(500).attempt(3).input("only", "web"),
        step(500).attempt(4).input("retry-failed", "true"),
        step(501),
    ];
    for step in steps {
        step.run_in(&acme).await.fails().says("set `retry-failed: true` to send the event again");
        assert_eq!(events(), 1);
    }
    let outcome = step(502).input("retry-failed", "true").run_in(&acme).await;
    outcome.succeeds();
    assert_eq!((&results(&outcome)[0]["status"], events()), (&json!("started"), 2));
}

#[tokio::test]
async fn a_refused_start_is_reported_even_if_it_cannot_be_recorded() {
    let acme = Acme::new().await;
    acme.world.fault(
        Fault::on("POST", "/repos/acme/web/actions/workflows/*/dispatches").then(Kind::StatusBefore(422)),
    );
    acme.world.fault(
        Fault::on("PATCH", "/repos/acme/hub/issues/comments/1001").always().then(Kind::StatusBefore(403)),
    );
    let outcome = dispatch("web").run_in(&acme).await;
    outcome.fails().says("::error::cannot start web: ").says("::error::cannot continue with acme/hub#1: ");
}

#[tokio::test]
async fn after_a_refused_claim_no_further_one_is_written() {
    let acme = Acme::new().await;
    let names: Vec<String> = (0..50).map(|n| format!("t{n}")).collect();
    names.iter().for_each(|name| acme.add_target(name));
    acme.world.fault(Fault::on("POST", "/repos/acme/hub/issues/1/comments").then(Kind::StatusBefore(403)));
    dispatch(&names.join("\n")).run_in(&acme).await.fails();
    assert!(acme.records(1).is_empty() && names.iter().all(|name| run_count(&acme, name) == 0));
}

#[tokio::test]
async fn labels_that_github_drops_are_reported() {
    let acme = Acme::new().await;
    acme.world.token("hub-token").without_push("acme/hub");
    let outcome = dispatch("web").input("labels", "release, 1.4").run_in(&acme).await;
    outcome.succeeds().says("::warning::acme/hub#1 was opened without the labels");
}

#[tokio::test]
async fn more_targets_than_fit_a_claim_share_several() {
    let acme = Acme::new().await;
    let names: Vec<String> = (0..100).map(|n| format!("target-with-a-rather-long-name-{n}")).collect();
    names.iter().for_each(|name| acme.add_target(name));
    dispatch(&names.join("\n")).input("max-parallel", "16").run_in(&acme).await.succeeds();
    assert_eq!(acme.records(1).len(), 3);
    for comment in acme.world.issue_view("acme/hub", 1).comments {
        assert!(comment.body.encode_utf16().count() <= 65_535);
    }
    assert!(acme.board(1).contains("**0 of 100 released**"));
    dispatch(&names.join("\n")).attempt(2).run_in(&acme).await.succeeds();
    assert!(names.iter().all(|name| run_count(&acme, name) == 1));
}

#[tokio::test]
async fn a_label_that_github_refuses_is_left_off_the_ticket_with_a_warning() {
    let acme = Acme::new().await;
    let long = "x".repeat(51);
    let outcome = dispatch("web").input("labels", format!("release, {long}")).run_in(&acme).await;
    outcome.succeeds().says("was opened without the labels").says("a label has 50 characters at most");
    let issue = acme.world.issue_view("acme/hub", 1);
    assert_eq!((&issue.labels[..], run_count(&acme, "web")), (&["release".to_owned()][..], 1));
    assert_eq!(issue.assignees, ["alice"]);
}

#[tokio::test]
async fn a_workflow_gets_its_ticket_in_whatever_case_it_declares_the_input() {
    let acme = Acme::new().await;
    let workflow = "on: { workflow_dispatch: { inputs: { Release-Ticket: { required: true } } } }";
    acme.world.repository("acme/web").file(".github/workflows/release.yml", workflow);
    dispatch("web").run_in(&acme).await.succeeds();
    assert_eq!(acme.world.runs("acme/web")[0].inputs["Release-Ticket"], "acme/hub#1");
}
