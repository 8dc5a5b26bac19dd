//! A dispatch that follows the runs to their end, wave by wave.

use std::time::Duration;

use serde_json::{Value, json};
use simulated_github::{Fault, Job, Kind, Run};

use crate::support::{Acme, Outcome, Step, until_the_board_says, wait_for_run};

const FILE: &str = "
defaults: { workflow: release.yml }
targets:
  - web
  - { repository: api, needs: web }
  - { repository: docs, needs: [web, api] }
";

/// A dispatch by the hub's run 500, with its own folder.
fn dispatch(targets: &str) -> Step {
    let step = Step::new("dispatch").run(500).input("targets", targets).input("workflow", "release.yml");
    step.input("release", "1.4.0")
}

/// A dispatch of [`FILE`].
fn waves(acme: &Acme) -> Step {
    acme.world.repository("acme/hub").file(".github/release-targets.yml", FILE);
    dispatch("")
}

fn with_wait(step: Step) -> Step {
    step.input("wait", "true").input("wait-interval", "50ms")
}

/// The run of a target that is started next.
async fn run_of(acme: &Acme, name: &str, count: usize) -> Run {
    wait_for_run(acme, &format!("acme/{name}"), |mut runs| {
        runs.sort_by_key(|run| run.id);
        runs.into_iter().nth(count - 1)
    })
    .await
}

fn begin(acme: &Acme, run: &Run, job: Job) {
    acme.world.add_job(run.id, job);
    acme.world.update_run(run.id, |run| run.status = "in_progress".into());
}

fn results(outcome: &Outcome) -> Value {
    serde_json::from_str(outcome.output("results")).expect("JSON")
}

fn count(acme: &Acme, name: &str) -> usize {
    acme.world.runs(&format!("acme/{name}")).len()
}

#[tokio::test]
async fn targets_that_know_nothing_of_the_ticket_are_followed_to_their_end() {
    let acme = Acme::new().await;
    for name in ["web", "api"] {
        acme.world
            .repository(&format!("acme/{name}"))
            .file(".github/workflows/plain.yml", "on: workflow_dispatch");
    }
    let step = with_wait(dispatch("web, api").input("workflow", "plain.yml")).spawn_in(&acme);
    let web = run_of(&acme, "web", 1).await;
    begin(&acme, &web, Job::new("build").conclusion("success"));
    begin(&acme, &web, Job::new("publish").running());
    until_the_board_says(&acme, "🔄 publish: 1 of 2 jobs are done").await;
    let api = run_of(&acme, "api", 1).await;
    begin(&acme, &api, Job::new("build").step("Run tests", "failure").conclusion("failure"));
    acme.world.finish_run(web.id, "success");
    acme.world.finish_run(api.id, "failure");
    let outcome = step.end().await;
    outcome.fails().says("::error::api failed at build");
    let results = results(&outcome);
    assert_eq!((&results[0]["status"], &results[0]["conclusion"]), (&json!("released"), &json!("success")));
    assert_eq!((&results[1]["status"], &results[1]["conclusion"]), (&json!("failed"), &json!("failure")));
    assert_eq!(results[1]["run_id"], api.id);
    let board = acme.board(1);
    assert!(board.contains("**1 of 2 released**") && board.contains("**api** failed at `build`"), "{board}");
    assert!(outcome.log.lines().any(|line| line.starts_with("web  ✅ released")), "{}", outcome.log);
}

#[tokio::test]
async fn a_target_starts_when_what_it_needs_is_released() {
    let acme = Acme::new().await;
    let step = with_wait(waves(&acme)).spawn_in(&acme);
    for name in ["web", "api", "docs"] {
        let run = run_of(&acme, name, 1).await;
        assert_eq!(run.inputs["release-target"], name);
        begin(&acme, &run, Job::new("publish").conclusion("success"));
        acme.world.finish_run(run.id, "success");
    }
    let outcome = step.end().await;
    outcome.succeeds();
    assert!(acme.board(1).contains("**Everything is released.**"), "{}", acme.board(1));
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [1, 1, 1]);
    let starts: Vec<_> = acme
        .world
        .story()
        .lines()
        .filter(|line| line.contains("started"))
        .map(|line| line[5..9].to_owned())
        .collect();
    assert_eq!(starts, ["web ", "api ", "docs"]);
}

#[tokio::test]
async fn a_failure_stops_what_depends_on_it_and_only_that() {
    let acme = Acme::new().await;
    let targets = "[web, { repository: api, needs: web }, docs]";
    let step = with_wait(dispatch(targets)).spawn_in(&acme);
    let web = run_of(&acme, "web", 1).await;
    acme.world.finish_run(web.id, "timed_out");
    let docs = run_of(&acme, "docs", 1).await;
    acme.world.finish_run(docs.id, "success");
    let outcome = step.end().await;
    outcome
        .fails()
        .says("web failed at run: timed out")
        .says("api was not started: it waits for web (failed)");
    assert_eq!(count(&acme, "api"), 0);
    assert_eq!(results(&outcome)[1]["status"], "waiting");
    let board = acme.board(1);
    assert!(
        board.contains("**api** cannot start: a target that it needs has failed")
            && acme.row(1, "api").contains("| **web** failed |"),
        "{board}"
    );

    // Another run of the hub starts web again, and then what waited for it.
    let step = with_wait(dispatch(targets)).run(501).input("retry-failed", "true").spawn_in(&acme);
    let again = run_of(&acme, "web", 2).await;
    acme.world.finish_run(again.id, "success");
    let api = run_of(&acme, "api", 1).await;
    acme.world.finish_run(api.id, "success");
    step.end().await.succeeds();
    let board = acme.board(1);
    assert!(board.contains("**Everything is released.**") && board.contains("Older attempts (1)"), "{board}");
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [2, 1, 1]);
}

#[tokio::test]
async fn without_wait_the_next_dispatch_starts_what_has_become_ready() {
    let acme = Acme::new().await;
    let outcome = waves(&acme).run_in(&acme).await;
    outcome
        .succeeds()
        .says("::notice::api is left alone: it waits for web; run this dispatch again")
        .says("::notice::docs is left alone: it waits for web and api");
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [1, 0, 0]);
    assert_eq!(results(&outcome)[1]["status"], "waiting");
    // Nothing has changed, so nothing is started.
    waves(&acme).run(501).run_in(&acme).await.succeeds();
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [1, 0, 0]);
    // The targets report nothing: the next dispatch looks at the runs by itself.
    acme.world.finish_run(acme.world.runs("acme/web")[0].id, "success");
    for run in [502, 503] {
        waves(&acme).run(run).run_in(&acme).await.succeeds();
        assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [1, 1, 0]);
    }
    // A report shows the release on the board; docs starts once GitHub says the same.
    let api = acme.world.runs("acme/api")[0].id;
    let report = Step::new("report").in_repository("acme/api").run(api).job("publish").input("done", "true");
    report.input("ticket", "acme/hub#1").input("status", "success").run_in(&acme).await.succeeds();
    assert!(acme.board(1).contains("ready for the next dispatch"), "{}", acme.board(1));
    waves(&acme).run(504).run_in(&acme).await.succeeds();
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [1, 1, 0]);
    acme.world.finish_run(api, "success");
    waves(&acme).run(505).run_in(&acme).await.succeeds();
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [1, 1, 1]);
}

#[tokio::test]
async fn a_target_that_says_it_is_done_is_released_when_its_run_has_ended_well() {
    let acme = Acme::new().await;
    let step = with_wait(dispatch("[web, { repository: api, needs: web }]")).spawn_in(&acme);
    let web = run_of(&acme, "web", 1).await;
    begin(&acme, &web, Job::new("announce").running());
    let report = Step::new("report").run(web.id).job("publish").input("done", "true");
    report.input("ticket", "acme/hub#1").input("status", "success").run_in(&acme).await.succeeds();
    until_the_board_says(&acme, "reported: ✅ released").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(count(&acme, "api"), 0, "web's run goes on");
    acme.world.finish_run(web.id, "failure");
    let outcome = step.end().await;
    outcome.fails().says("web failed at announce");
    assert_eq!((results(&outcome)[0]["conclusion"].as_str(), count(&acme, "api")), (Some("failure"), 0));
}

#[tokio::test]
async fn a_report_that_arrives_can_start_what_has_become_ready() {
    let acme = Acme::new().await;
    acme.world.repository("acme/api").file(
        ".github/workflows/release.yml",
        "on: { workflow_dispatch: { inputs: { version: { required: true } } } }",
    );
    let targets = "[web, { repository: api, needs: web, inputs: { version: '{{ release }}' } }]";
    dispatch(targets).run_in(&acme).await.succeeds();
    acme.world.finish_run(acme.world.runs("acme/web")[0].id, "success");
    // The event names the ticket, and the ticket its release.
    let report = Step::new("report").run(acme.world.runs("acme/web")[0].id).input("ticket", "acme/hub#1");
    report.input("status", "success").run_in(&acme).await.succeeds();
    let record = acme.records(1).pop().expect("the report");
    let event = acme.world.comment_event(record.id, "created");
    let step = dispatch(targets).without("INPUT_RELEASE").run(501).event(event);
    step.run_in(&acme).await.succeeds();
    assert_eq!(acme.world.runs("acme/api")[0].inputs["version"], "1.4.0");
    assert_eq!(acme.world.issues("acme/hub").len(), 1);
}

#[tokio::test]
async fn a_dispatch_waits_for_the_end_of_a_run_that_has_reported_a_failure() {
    let acme = Acme::new().await;
    let runs = Fault::on("GET", "/repos/acme/web/actions/runs/*").always();
    acme.world.fault(runs.then(Kind::StatusBefore(502)));
    let mut step = with_wait(dispatch("web").input("retry-timeout", "1s")).spawn_in(&acme);
    let web = run_of(&acme, "web", 1).await;
    let report = Step::new("report").run(web.id).job("build").input("status", "failure");
    report.input("ticket", "acme/hub#1").run_in(&acme).await.succeeds();
    until_the_board_says(&acme, "**web** failed").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(step.is_running(), "it waits for a run whose end GitHub has not shown");
    acme.world.clear_faults();
    acme.world.finish_run(web.id, "timed_out");
    let outcome = step.end().await;
    outcome.fails().says("web failed at build");
    assert_eq!(results(&outcome)[0]["conclusion"], "timed_out");
}

#[tokio::test]
async fn two_waiting_hub_jobs_start_each_wave_once() {
    let acme = Acme::new().await;
    let hub_runs = [(); 2].map(|()| acme.world.start_run("acme/hub", "release.yml", "workflow_dispatch"));
    let steps = hub_runs.map(|run| with_wait(waves(&acme).run(run)).spawn_in(&acme));
    for name in ["web", "api", "docs"] {
        let run = run_of(&acme, name, 1).await;
        acme.world.finish_run(run.id, "success");
    }
    for step in steps {
        step.end().await.succeeds();
    }
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [1, 1, 1]);
    assert!(acme.board(1).contains("**Everything is released.**"), "{}", acme.board(1));
}

#[tokio::test]
async fn a_run_that_is_run_again_meanwhile_counts_with_its_newest_attempt() {
    let acme = Acme::new().await;
    let step = with_wait(dispatch("web, api")).spawn_in(&acme);
    let web = run_of(&acme, "web", 1).await;
    let api = run_of(&acme, "api", 1).await;
    acme.world.finish_run(web.id, "failure");
    until_the_board_says(&acme, "**web** failed").await;
    acme.world.rerun(web.id);
    until_the_board_says(&acme, "attempt 2").await;
    acme.world.finish_run(web.id, "success");
    acme.world.finish_run(api.id, "success");
    let outcome = step.end().await;
    outcome.succeeds();
    assert!(results(&outcome)[0]["run_url"].as_str().is_some_and(|url| url.ends_with("/attempts/2")));
    assert!(acme.board(1).contains("**Everything is released.**"), "{}", acme.board(1));
}

#[tokio::test]
async fn a_timeout_is_a_failure_and_cancels_runs_only_on_request() {
    for cancels in [false, true] {
        let acme = Acme::new().await;
        let step =
            with_wait(dispatch("web, api")).input("wait-timeout", "1s").input("cancel-on-timeout", cancels);
        let step = step.spawn_in(&acme);
        let web = run_of(&acme, "web", 1).await;
        acme.world.finish_run(web.id, "success");
        step.end()
            .await
            .fails()
            .says("api has not ended within 1s")
            .says("help: run the job again to keep waiting");
        let api = acme.world.runs("acme/api").remove(0);
        assert_eq!(api.conclusion.as_deref(), cancels.then_some("cancelled"));
        assert_eq!(acme.world.run(web.id).expect("the run").conclusion.as_deref(), Some("success"));
        // The re-run goes on where this one stopped.
        let again = with_wait(dispatch("web, api")).attempt(2).spawn_in(&acme);
        if !cancels {
            acme.world.finish_run(api.id, "success");
        }
        again.end().await.ends_with(i32::from(cancels));
        assert_eq!(count(&acme, "api"), 1);
    }
}

#[tokio::test]
async fn a_cancelled_hub_job_passes_the_cancellation_on_at_request() {
    for cancels in [false, true] {
        let acme = Acme::new().await;
        let step = with_wait(waves(&acme)).input("cancel-on-timeout", cancels).spawn_in(&acme);
        let web = run_of(&acme, "web", 1).await;
        // From then on, the hub job has the run's id.
        until_the_board_says(&acme, &format!("/actions/runs/{}", web.id)).await;
        step.signal("INT");
        step.end().await.fails().says("the step was cancelled");
        let web = acme.world.run(web.id).expect("the run");
        assert_eq!(web.conclusion.as_deref(), cancels.then_some("cancelled"));
    }
}

#[tokio::test]
async fn the_time_to_wait_begins_when_everything_is_started() {
    let acme = Acme::new().await;
    let starts = Fault::on("POST", "/repos/acme/web/actions/workflows/*/dispatches");
    acme.world.fault(starts.then(Kind::Latency(Duration::from_secs(3))));
    let step = with_wait(dispatch("web")).input("wait-timeout", "3s").spawn_in(&acme);
    let web = run_of(&acme, "web", 1).await;
    until_the_board_says(&acme, &format!("/actions/runs/{}", web.id)).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    acme.world.finish_run(web.id, "success");
    step.end().await.succeeds();
}

#[tokio::test]
async fn a_failed_target_fails_the_step_even_if_delivery_problems_do_not() {
    let acme = Acme::new().await;
    let step = with_wait(dispatch("web")).input("fail-on-error", "false").spawn_in(&acme);
    let web = run_of(&acme, "web", 1).await;
    acme.world.finish_run(web.id, "failure");
    step.end().await.fails().says("::error::web failed");

    acme.world.fault(
        Fault::on("POST", "/repos/acme/api/actions/workflows/*/dispatches").then(Kind::StatusBefore(422)),
    );
    let outcome = with_wait(dispatch("api")).run(501).input("fail-on-error", "false").run_in(&acme).await;
    outcome.succeeds().says("::warning::cannot start api");
}

#[tokio::test]
async fn a_word_that_this_release_does_not_know_holds_the_target() {
    let acme = Acme::new().await;
    let step = with_wait(dispatch("web")).spawn_in(&acme);
    let web = run_of(&acme, "web", 1).await;
    acme.world.update_run(web.id, |run| {
        (run.status, run.conclusion) = ("completed".into(), Some("eaten".into()));
    });
    let outcome = step.end().await;
    outcome.fails().says("web is held at run: it ended as `eaten`");
    assert_eq!(results(&outcome)[0]["conclusion"], "eaten");
    acme.world.clear_exchanges();
}

#[tokio::test]
async fn the_dispatch_asks_for_an_unchanged_run_by_its_tag() {
    let acme = Acme::new().await;
    let step = with_wait(dispatch("web")).spawn_in(&acme);
    let web = run_of(&acme, "web", 1).await;
    begin(&acme, &web, Job::new("build").running());
    until_the_board_says(&acme, "🔄 build").await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    acme.world.finish_run(web.id, "success");
    step.end().await.succeeds();
    let looks = acme.world.exchanges();
    let looks: Vec<_> =
        looks.iter().filter(|exchange| exchange.path.starts_with("/repos/acme/web/actions/runs/")).collect();
    let unchanged_looks = looks.iter().filter(|exchange| exchange.status == Some(304)).count();
    assert!(
        unchanged_looks >= 3 && looks.len() - unchanged_looks <= 8,
        "{unchanged_looks} of {} were unchanged",
        looks.len()
    );
    // The step edits a comment only after a change.
    assert!(acme.world.story().matches("edited").count() <= 12, "{}", acme.world.story());
}

#[tokio::test]
async fn a_hub_job_does_not_repeat_the_record_of_another_hub_job() {
    let acme = Acme::new().await;
    let step = with_wait(dispatch("web, api")).spawn_in(&acme);
    let web = run_of(&acme, "web", 1).await;
    begin(&acme, &web, Job::new("build").running());
    until_the_board_says(&acme, "🔄 build").await;
    acme.world.finish_run(web.id, "success");
    until_the_board_says(&acme, "**1 of 2 released**").await;
    step.signal("INT");
    step.end().await.fails();
    // The re-run sees only that web went well, and nothing of its jobs.
    acme.world.clear_story();
    let again = with_wait(dispatch("web, api")).attempt(2).spawn_in(&acme);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let edits = acme.world.story().matches("edited").count();
    acme.world.finish_run(run_of(&acme, "api", 1).await.id, "success");
    again.end().await.succeeds();
    assert!(edits <= 4, "{edits} edits while nothing happened\n{}", acme.world.story());
}

#[tokio::test]
async fn a_waiting_dispatch_survives_bad_answers() {
    let acme = Acme::new().await;
    let step = with_wait(dispatch("web").input("retry-timeout", "1s")).spawn_in(&acme);
    let web = run_of(&acme, "web", 1).await;
    for kind in [Kind::StatusBefore(502), Kind::DropBefore, Kind::StatusBefore(503)] {
        acme.world.fault(Fault::on("GET", "/repos/acme/web/actions/runs/*").then(kind));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    acme.world.finish_run(web.id, "success");
    step.end().await.succeeds();
}

#[tokio::test]
async fn a_run_that_github_does_not_show_is_reported_and_ends_the_wait() {
    let acme = Acme::new().await;
    let runs = Fault::on("GET", "/repos/acme/web/actions/runs/*").always();
    acme.world.fault(runs.then(Kind::StatusBefore(404)));
    let outcome = with_wait(dispatch("web")).run_in(&acme).await;
    outcome
        .fails()
        .says("::error::web: the run http")
        .says("was deleted")
        .says("help: check whether it is released");
    assert_eq!(count(&acme, "web"), 1);
}

#[tokio::test]
async fn retry_failed_starts_again_what_failed_and_nothing_else() {
    let acme = Acme::new().await;
    dispatch("web, api, docs").run_in(&acme).await.succeeds();
    let run = |name: &str| acme.world.runs(&format!("acme/{name}"))[0].id;
    acme.world.finish_run(run("web"), "failure");
    acme.world.finish_run(run("api"), "success");
    let outcome = dispatch("web, api, docs").run(501).input("retry-failed", "true").run_in(&acme).await;
    outcome
        .succeeds()
        .says("api is left alone: it is already released")
        .says("docs is left alone: it was already started");
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [2, 1, 1]);
    // The second run of web is under way: the same call starts nothing.
    dispatch("web, api, docs").run(502).input("retry-failed", "true").run_in(&acme).await.succeeds();
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [2, 1, 1]);
    let board = acme.board(1);
    assert!(board.contains("Older attempts (1)") && !board.contains("CAUTION"), "{board}");
}

/// The targets of [`after_two_failures`].
const WEB_THEN_API: &str = "[web, { repository: api, needs: web }]";

/// web and api have failed, and api waits for web again.
async fn after_two_failures() -> Acme {
    let acme = Acme::new().await;
    let run = |name: &str| acme.world.runs(&format!("acme/{name}"))[0].id;
    dispatch(WEB_THEN_API).run_in(&acme).await.succeeds();
    acme.world.finish_run(run("web"), "success");
    dispatch(WEB_THEN_API).run(501).run_in(&acme).await.succeeds();
    acme.world.finish_run(run("api"), "failure");
    acme.world.rerun(run("web"));
    acme.world.finish_run(run("web"), "failure");
    acme
}

#[tokio::test]
async fn a_run_that_a_person_starts_again_during_the_wait_is_not_started_again() {
    let acme = after_two_failures().await;
    let step = with_wait(dispatch(WEB_THEN_API)).run(502).input("retry-failed", "true").spawn_in(&acme);
    let web = run_of(&acme, "web", 2).await;
    let api = acme.world.runs("acme/api")[0].id;
    acme.world.rerun(api);
    acme.world.finish_run(api, "success");
    until_the_board_says(&acme, "**1 of 2 released**").await;
    acme.world.finish_run(web.id, "success");
    step.end().await.succeeds();
    assert_eq!(["web", "api"].map(|name| count(&acme, name)), [2, 1], "{}", acme.world.story());
}

#[tokio::test]
async fn a_run_that_a_person_started_again_is_not_started_again_after_its_failure() {
    let acme = after_two_failures().await;
    let step = with_wait(dispatch(WEB_THEN_API)).run(502).input("retry-failed", "true").spawn_in(&acme);
    let web = run_of(&acme, "web", 2).await;
    let api = acme.world.runs("acme/api")[0].id;
    acme.world.rerun(api);
    until_the_board_says(&acme, "**api** | 🕓 queued").await;
    acme.world.finish_run(api, "failure");
    until_the_board_says(&acme, "**api** | ❌ failed").await;
    acme.world.finish_run(web.id, "success");
    step.end().await.fails().says("api failed");
    assert_eq!(["web", "api"].map(|name| count(&acme, name)), [2, 1], "{}", acme.world.story());
}

#[tokio::test]
async fn a_target_that_waits_to_be_started_again_is_started_when_what_it_needs_is_released() {
    let acme = after_two_failures().await;
    let step = with_wait(dispatch(WEB_THEN_API)).run(502).input("retry-failed", "true").spawn_in(&acme);
    for name in ["web", "api"] {
        let again = run_of(&acme, name, 2).await;
        acme.world.finish_run(again.id, "success");
    }
    step.end().await.succeeds();
    assert!(acme.board(1).contains("**Everything is released.**"), "{}", acme.board(1));
}

#[tokio::test]
async fn only_leaves_the_others_alone_and_means_a_failed_target_that_it_names() {
    let acme = Acme::new().await;
    let step = |run: u64, only: &str| dispatch("web, api, docs").run(run).input("only", only);
    step(500, "Web").run_in(&acme).await.succeeds();
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [1, 0, 0]);
    step(501, "wep, api")
        .run_in(&acme)
        .await
        .fails()
        .says("`only` names `wep`, which is not a target%0Ahelp: did you mean `web`?");
    acme.world.finish_run(acme.world.runs("acme/web")[0].id, "failure");
    // The hub's own re-run repeats nothing.
    step(500, "web").attempt(2).run_in(&acme).await.succeeds().says("or set `retry-failed: true`");
    assert_eq!(count(&acme, "web"), 1);
    step(502, "[web, docs]").run_in(&acme).await.succeeds();
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [2, 0, 1]);
}

#[tokio::test]
async fn two_hub_jobs_that_retry_at_once_start_one_run() {
    let acme = Acme::new().await;
    acme.dispatch("web").await;
    acme.world.finish_run(acme.world.runs("acme/web")[0].id, "failure");
    let hub_runs = [(); 2].map(|()| acme.world.start_run("acme/hub", "release.yml", "workflow_dispatch"));
    let job = |run| dispatch("web").run(run).input("retry-failed", "true").run_in(&acme);
    let (one, two) = tokio::join!(job(hub_runs[0]), job(hub_runs[1]));
    one.succeeds();
    two.succeeds();
    assert_eq!(count(&acme, "web"), 2, "{}\n{}", one.log, two.log);
}

#[tokio::test]
async fn a_ticket_is_closed_with_a_last_word_when_all_is_released() {
    let acme = Acme::new().await;
    let step = || with_wait(dispatch("web")).input("close-on-success", "true");
    let first = step().spawn_in(&acme);
    let web = run_of(&acme, "web", 1).await;
    acme.world.finish_run(web.id, "success");
    first.end().await.succeeds();
    let issue = acme.world.issue_view("acme/hub", 1);
    assert_eq!((issue.state.as_str(), issue.state_reason.as_deref()), ("closed", Some("completed")));
    let says = |text: &str| issue.comments.iter().filter(|comment| comment.body.contains(text)).count();
    assert_eq!((says("Every target is released"), says("**Release 1.4.0 is complete:**")), (1, 1));
}

#[tokio::test]
async fn the_rerun_of_a_job_that_closed_its_ticket_finds_it_and_starts_nothing() {
    for release in ["1.4.0", ""] {
        let acme = Acme::new().await;
        let step = || with_wait(dispatch("web")).input("release", release).input("close-on-success", "true");
        let first = step().spawn_in(&acme);
        let web = run_of(&acme, "web", 1).await;
        acme.world.finish_run(web.id, "success");
        first.end().await.succeeds();
        let again = step().attempt(2).run_in(&acme).await;
        again.succeeds().says("web is left alone: it is already released");
        assert_eq!((again.output("ticket-number"), count(&acme, "web")), ("1", 1), "release {release}");
        assert_eq!(acme.world.issues("acme/hub").len(), 1);
        // A new run of the hub is a new release, unless that has a name.
        let new = step().run(501).input("release-again", !release.is_empty()).spawn_in(&acme);
        let web = run_of(&acme, "web", 2).await;
        acme.world.finish_run(web.id, "success");
        new.end().await.succeeds();
        assert_eq!(acme.world.issues("acme/hub").len(), 2);
    }
}

#[tokio::test]
async fn a_ticket_stays_open_as_long_as_a_listed_target_was_left_alone() {
    let acme = Acme::new().await;
    let step = |run: u64, only: &str| {
        let step = with_wait(dispatch("web, api")).run(run).input("close-on-success", "true");
        step.input("only", only).spawn_in(&acme)
    };
    for (run, name, is_closed) in [(500, "web", false), (501, "api", true)] {
        let step = step(run, name);
        let target = run_of(&acme, name, 1).await;
        acme.world.finish_run(target.id, "success");
        step.end().await.succeeds();
        assert_eq!(!acme.world.issue_view("acme/hub", 1).is_open(), is_closed, "{name}");
    }
}

#[tokio::test]
async fn a_dispatch_of_one_target_looks_at_the_targets_that_it_needs() {
    let acme = Acme::new().await;
    waves(&acme).run_in(&acme).await.succeeds();
    acme.world.finish_run(acme.world.runs("acme/web")[0].id, "success");
    waves(&acme).run(501).input("only", "api").run_in(&acme).await.succeeds();
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [1, 1, 0]);
}

#[tokio::test]
async fn a_run_that_github_does_not_show_stops_its_dependents_at_once() {
    let acme = Acme::new().await;
    let runs = Fault::on("GET", "/repos/acme/web/actions/runs/*").always();
    acme.world.fault(runs.then(Kind::StatusBefore(404)));
    let outcome = with_wait(dispatch("[web, { repository: api, needs: web }]")).run_in(&acme).await;
    outcome.fails().says("was deleted").says("api was not started: it waits for web (failed)");
    assert_eq!(count(&acme, "api"), 0);
}

#[tokio::test]
async fn a_run_that_is_gone_after_its_release_is_no_failure() {
    let acme = Acme::new().await;
    let first = with_wait(dispatch("web")).spawn_in(&acme);
    let web = run_of(&acme, "web", 1).await;
    acme.world.finish_run(web.id, "success");
    first.end().await.succeeds();
    let runs = Fault::on("GET", "/repos/acme/web/actions/runs/*").always();
    acme.world.fault(runs.then(Kind::StatusBefore(404)));
    with_wait(dispatch("web")).run(501).run_in(&acme).await.succeeds();
}

#[tokio::test]
async fn a_board_that_could_not_be_written_once_is_no_failure_when_it_is_written_later() {
    let acme = Acme::new().await;
    let step = with_wait(dispatch("web")).spawn_in(&acme);
    let web = run_of(&acme, "web", 1).await;
    until_the_board_says(&acme, "🕓").await;
    acme.world.fault(
        Fault::on("PATCH", "/repos/acme/hub/issues/comments/*")
            .holding(" board ")
            .then(Kind::StatusBefore(422)),
    );
    begin(&acme, &web, Job::new("build").running());
    until_the_board_says(&acme, "🔄 build").await;
    acme.world.finish_run(web.id, "success");
    step.end().await.succeeds();
}

#[tokio::test]
async fn a_run_that_waits_for_an_approval_says_so() {
    let acme = Acme::new().await;
    let step = with_wait(dispatch("web")).spawn_in(&acme);
    let web = run_of(&acme, "web", 1).await;
    begin(&acme, &web, Job::new("build").conclusion("success"));
    let mut deploy = Job::new("deploy");
    deploy.status = "waiting".into();
    acme.world.add_job(web.id, deploy);
    acme.world.update_run(web.id, |run| run.status = "waiting".into());
    until_the_board_says(&acme, "**web** waits for an approval").await;
    acme.world.finish_run(web.id, "success");
    step.end().await.succeeds();
}

#[tokio::test]
async fn a_ticket_with_a_failed_target_stays_open() {
    let acme = Acme::new().await;
    let step = with_wait(dispatch("web")).input("close-on-success", "true").spawn_in(&acme);
    let web = run_of(&acme, "web", 1).await;
    acme.world.finish_run(web.id, "failure");
    step.end().await.fails();
    assert!(acme.world.issue_view("acme/hub", 1).is_open());
}
