//! A release whose ticket was closed: with everything released, or midway.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;
use simulated_github::{Fault, Kind, World};

use crate::kills::{after_each_write, kill_after};
use crate::support::{Acme, Outcome, Step, now};

/// A dispatch of release 1.4.0 by this run of the hub.
fn dispatch(run: u64, targets: &str) -> Step {
    let step = Step::new("dispatch").run(run).input("targets", targets).input("workflow", "release.yml");
    step.input("release", "1.4.0")
}

fn count(acme: &Acme, name: &str) -> usize {
    acme.world.runs(&format!("acme/{name}")).len()
}

fn tickets(acme: &Acme) -> usize {
    acme.world.issues("acme/hub").len()
}

/// Ends the newest run of a target.
fn end(acme: &Acme, name: &str, conclusion: &str) {
    let runs = acme.world.runs(&format!("acme/{name}"));
    let newest = runs.iter().map(|run| run.id).max().expect("a run");
    acme.world.finish_run(newest, conclusion);
}

fn close(acme: &Acme, ticket: u64) {
    acme.world.close_issue("acme/hub", ticket);
}

fn result(outcome: &Outcome, name: &str) -> Value {
    let results: Vec<Value> = serde_json::from_str(outcome.output("results")).expect("a list");
    results.into_iter().find(|result| result["name"] == name).expect("the target")
}

/// Ticket 1, closed with web released and api failed.
async fn ticket_closed_midway() -> Acme {
    let acme = Acme::new().await;
    dispatch(500, "web, api").run_in(&acme).await.succeeds();
    end(&acme, "web", "success");
    end(&acme, "api", "failure");
    close(&acme, 1);
    acme
}

/// Ticket 1, closed with web released.
async fn ticket_closed_after_release() -> Acme {
    let acme = Acme::new().await;
    dispatch(500, "web").run_in(&acme).await.succeeds();
    end(&acme, "web", "success");
    close(&acme, 1);
    acme
}

/// Ticket 1, closed with web released and api not started.
async fn ticket_closed_before_api() -> Acme {
    let acme = Acme::new().await;
    dispatch(500, "web, api").input("only", "web").run_in(&acme).await.succeeds();
    end(&acme, "web", "success");
    close(&acme, 1);
    acme
}

#[tokio::test]
async fn a_release_whose_ticket_was_closed_as_released_is_refused() {
    let acme = ticket_closed_after_release().await;
    acme.world.clear_story();
    let today = acme.world.now().format("%Y-%m-%d");
    for step in [
        dispatch(501, "web"),
        dispatch(501, "web").attempt(2),
        dispatch(501, "web").input("dry-run", "true"),
        dispatch(501, "web").input("wait", "true"),
        dispatch(501, "web").input("retry-failed", "true"),
    ] {
        let outcome = step.run_in(&acme).await;
        outcome.fails().says(&format!("acme/hub#1 released 1.4.0 on {today}")).says("`release-again: true`");
    }
    assert_eq!((count(&acme, "web"), tickets(&acme)), (1, 1), "{}", acme.world.story());
    assert_eq!(acme.world.story(), "");
}

#[tokio::test]
async fn a_finished_release_is_refused_for_any_of_its_targets() {
    let acme = Acme::new().await;
    dispatch(500, "web, api").run_in(&acme).await.succeeds();
    end(&acme, "web", "success");
    end(&acme, "api", "success");
    close(&acme, 1);
    let outcome = dispatch(501, "web, api").input("only", "api").run_in(&acme).await;
    outcome.fails().says("acme/hub#1 released 1.4.0 on ");
    // A target that joined the list since then was never released.
    dispatch(502, "web, api, docs").run_in(&acme).await.succeeds();
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [1, 1, 1]);
}

#[tokio::test]
async fn an_open_ticket_on_which_everything_is_released_is_used() {
    let acme = Acme::new().await;
    dispatch(500, "web").run_in(&acme).await.succeeds();
    end(&acme, "web", "success");
    let outcome = dispatch(501, "web").run_in(&acme).await;
    outcome.succeeds().says("web is left alone: it is already released");
    assert_eq!((count(&acme, "web"), tickets(&acme)), (1, 1));
}

#[tokio::test]
async fn a_release_is_started_again_on_a_new_ticket_if_that_is_asked_for() {
    let acme = ticket_closed_after_release().await;
    let repeat = || dispatch(501, "web").input("release-again", "true");
    let outcome = repeat().run_in(&acme).await;
    outcome.succeeds();
    assert_eq!((outcome.output("ticket-number"), count(&acme, "web")), ("2", 2));
    let body = acme.world.issue_view("acme/hub", 2).body;
    assert!(body.contains("Repeats the release of #1, which is closed."), "{body}");
    assert!(!body.contains("continues"), "{body}");
    // Neither its re-run nor a later run starts it a third time.
    repeat().attempt(2).run_in(&acme).await.succeeds();
    dispatch(502, "web").run_in(&acme).await.succeeds();
    let third = dispatch(503, "web").input("release-again", "true").run_in(&acme).await;
    third.succeeds().says("::notice::`release-again` changes nothing: acme/hub#2 is open");
    assert_eq!((count(&acme, "web"), tickets(&acme)), (2, 2));
}

#[tokio::test]
async fn nothing_is_taken_over_by_a_release_that_is_started_again() {
    let acme = ticket_closed_midway().await;
    dispatch(501, "web, api").input("release-again", "true").run_in(&acme).await.succeeds();
    assert_eq!(["web", "api"].map(|name| count(&acme, name)), [2, 2]);
    // While one of the targets runs there, nothing is started beside it.
    close(&acme, 2);
    let outcome = dispatch(502, "web, api").input("release-again", "true").run_in(&acme).await;
    outcome.fails().says("web is still running for the closed ticket acme/hub#2: ");
    assert_eq!(["web", "api"].map(|name| count(&acme, name)), [2, 2]);
}

#[tokio::test]
async fn released_targets_of_a_ticket_that_was_closed_midway_are_taken_over() {
    let acme = ticket_closed_midway().await;
    let web = acme.world.runs("acme/web").remove(0);
    let targets = "[web, api, { repository: docs, needs: [web] }]";
    let outcome = dispatch(501, targets).run_in(&acme).await;
    outcome.succeeds().says("web is left alone: acme/hub#1 has released it");
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [1, 2, 1], "{}", outcome.log);
    assert_eq!(result(&outcome, "web")["status"], "released");
    assert!(
        result(&outcome, "web")["run_url"].as_str().is_some_and(|url| url.ends_with(&web.id.to_string()))
    );
    let body = acme.world.issue_view("acme/hub", 2).body;
    assert!(body.contains("Continues #1, which is closed."), "{body}");
    let record = acme.records(2).remove(0).body;
    let run_url = format!("has released it]({}/acme/web/actions/runs/{})", acme.server.url(), web.id);
    assert!(record.contains("- **web** (acme/web): ✅ [acme/hub#") && record.contains(&run_url), "{record}");
    let board = acme.board(2);
    assert!(board.contains(&format!("actions/runs/{}", web.id)) && board.contains("✅ released"), "{board}");
    // Every later dispatch and re-run reads it, and the release gets to its end.
    for (run, attempt) in [(501, 2), (502, 1)] {
        dispatch(run, targets).attempt(attempt).run_in(&acme).await.succeeds();
    }
    end(&acme, "api", "success");
    end(&acme, "docs", "success");
    dispatch(503, targets).input("close-on-success", "true").run_in(&acme).await.succeeds();
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [1, 2, 1]);
    assert!(!acme.world.issue_view("acme/hub", 2).is_open());
    dispatch(504, targets).run_in(&acme).await.fails().says("acme/hub#2 released 1.4.0 on ");
}

#[tokio::test]
async fn a_target_that_was_taken_over_is_taken_over_from_the_next_closed_ticket_too() {
    let acme = ticket_closed_midway().await;
    dispatch(501, "web, api").run_in(&acme).await.succeeds();
    end(&acme, "api", "failure");
    close(&acme, 2);
    let outcome = dispatch(502, "web, api").run_in(&acme).await;
    outcome.succeeds().says("web is left alone: acme/hub#1 has released it");
    assert_eq!(["web", "api"].map(|name| count(&acme, name)), [1, 3]);
    assert_eq!(outcome.output("ticket-number"), "3");
}

#[tokio::test]
async fn a_target_that_one_dispatch_leaves_out_is_taken_over_by_the_next() {
    let acme = ticket_closed_midway().await;
    let only = |run, name: &str| dispatch(run, "web, api").input("only", name).run_in(&acme);
    only(501, "api").await.succeeds();
    only(502, "web").await.succeeds().says("web is left alone");
    assert_eq!(["web", "api"].map(|name| count(&acme, name)), [1, 2]);
}

#[tokio::test]
async fn a_dry_run_shows_what_is_taken_over() {
    let acme = ticket_closed_midway().await;
    acme.world.clear_story();
    let outcome = dispatch(501, "web, api").input("dry-run", "true").run_in(&acme).await;
    outcome.succeeds().says("comment on acme/hub#0: web taken over").says("start api: ");
    assert!(!outcome.log.contains("start web"), "{}", outcome.log);
    assert_eq!(acme.world.story(), "");
    assert!(outcome.output("plan").contains("taken_over"), "{}", outcome.output("plan"));
}

#[tokio::test]
async fn a_closed_ticket_is_found_whatever_its_labels_are() {
    let acme = ticket_closed_after_release().await;
    acme.world.unlabel_issue("acme/hub", 1, "release");
    for step in [dispatch(501, "web"), dispatch(501, "web").input("labels", "shipping")] {
        step.run_in(&acme).await.fails().says("acme/hub#1 released 1.4.0");
    }
    assert_eq!((count(&acme, "web"), tickets(&acme)), (1, 1), "{}", acme.world.story());
}

#[tokio::test]
async fn a_target_that_still_runs_for_a_closed_ticket_is_not_started_again() {
    let acme = Acme::new().await;
    dispatch(500, "web, api").run_in(&acme).await.succeeds();
    end(&acme, "api", "success");
    close(&acme, 1);
    acme.world.clear_story();
    for dry_run in ["true", "false"] {
        let outcome = dispatch(501, "web, api").input("dry-run", dry_run).run_in(&acme).await;
        let url = format!("actions/runs/{}", acme.world.runs("acme/web")[0].id);
        outcome.fails().says("web is still running for the closed ticket acme/hub#1: ").says(&url);
        outcome.says("help: wait until it has ended, cancel it, or reopen acme/hub#1");
    }
    assert_eq!(acme.world.story(), "");
    // A dispatch of other targets goes on.
    dispatch(501, "web, api, docs").input("only", "docs").run_in(&acme).await.succeeds();
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [1, 1, 1]);
    dispatch(502, "web, api, docs")
        .run_in(&acme)
        .await
        .fails()
        .says("web is still running for the closed ticket acme/hub#1: ");
    end(&acme, "web", "success");
    dispatch(503, "web, api, docs").run_in(&acme).await.succeeds().says("acme/hub#1 has released it");
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [1, 1, 1]);
}

#[tokio::test]
async fn a_failed_run_that_somebody_has_run_again_is_at_work() {
    let acme = ticket_closed_midway().await;
    acme.world.rerun(acme.world.runs("acme/api")[0].id);
    let outcome = dispatch(501, "web, api").run_in(&acme).await;
    outcome.fails().says("api is still running for the closed ticket acme/hub#1: ");
    assert_eq!((count(&acme, "api"), tickets(&acme)), (1, 1));
}

#[tokio::test]
async fn a_target_that_a_hub_job_is_about_to_start_for_a_closed_ticket_is_not_started_as_well() {
    let acme = Acme::new().await;
    let hub_run = acme.world.start_run("acme/hub", "release.yml", "workflow_dispatch");
    let starts = Fault::on("POST", "/repos/acme/web/actions/workflows/*/dispatches");
    acme.world.fault(starts.then(Kind::Latency(Duration::from_secs(4))));
    let first = dispatch(hub_run, "web").spawn_in(&acme);
    while acme.world.find_issue("acme/hub", 1).is_none_or(|ticket| ticket.comments.is_empty()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    close(&acme, 1);
    let outcome = dispatch(501, "web").run_in(&acme).await;
    outcome.fails().says("a hub job of the closed ticket acme/hub#1 has claimed web and is still at work: ");
    first.end().await.succeeds();
    assert_eq!((count(&acme, "web"), tickets(&acme)), (1, 1));
}

#[tokio::test]
async fn a_target_that_a_waiting_hub_job_will_start_is_not_started_as_well() {
    let acme = Acme::new().await;
    let hub_run = acme.world.start_run("acme/hub", "release.yml", "workflow_dispatch");
    let first = dispatch(hub_run, WAVES).input("wait", "true").input("wait-interval", "60s").spawn_in(&acme);
    let is_followed = || acme.records(1).iter().any(|record| record.body.contains("\"followed\":"));
    while count(&acme, "web") == 0 || !is_followed() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    close(&acme, 1);
    end(&acme, "web", "success");
    let outcome = dispatch(501, WAVES).run_in(&acme).await;
    outcome.fails().says("the closed ticket acme/hub#1 is still at work and may start docs: ");
    assert_eq!((count(&acme, "docs"), tickets(&acme)), (0, 1));
    first.signal("INT");
    first.end().await;
    acme.world.finish_run(hub_run, "cancelled");
    dispatch(501, WAVES).run_in(&acme).await.succeeds();
    assert_eq!((["web", "docs"].map(|name| count(&acme, name)), tickets(&acme)), ([1, 1], 2));
}

/// Docs waits for web.
const WAVES: &str = "[web, { repository: docs, needs: [web] }]";

/// Kills a hub job after its request for the start of web, and closes its ticket, ticket 1.
async fn kill_while_starting(acme: &Acme, has_started: bool) {
    let starts = Fault::on("POST", "/repos/acme/web/actions/workflows/*/dispatches");
    acme.world.fault(starts.then(if has_started { Kind::StatusAfter(502) } else { Kind::StatusBefore(502) }));
    let first = dispatch(500, WAVES).spawn_in(acme);
    let has_asked = || {
        let start = |request: &String| request.starts_with("POST") && request.ends_with("/dispatches");
        acme.requests().iter().any(start)
    };
    while !has_asked() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    first.signal("KILL");
    first.end().await;
    acme.world.clear_faults();
    close(acme, 1);
}

#[tokio::test]
async fn the_run_of_a_dead_hub_job_is_looked_for_on_a_closed_ticket() {
    for (conclusion, counts) in [(Some("success"), [1, 1]), (Some("failure"), [2, 0]), (None, [1, 0])] {
        let has_started = conclusion.is_some();
        let acme = Acme::in_world(World::at(now() - TimeDelta::minutes(10))).await;
        kill_while_starting(&acme, has_started).await;
        if has_started {
            dispatch(501, WAVES)
                .run_in(&acme)
                .await
                .fails()
                .says("web is still running for the closed ticket acme/hub#1: ");
        }
        conclusion.into_iter().for_each(|conclusion| end(&acme, "web", conclusion));
        dispatch(501, WAVES).run_in(&acme).await.succeeds();
        assert_eq!(["web", "docs"].map(|name| count(&acme, name)), counts, "{conclusion:?}");
    }
}

#[tokio::test]
async fn a_target_is_not_started_a_moment_after_the_death_of_the_hub_job_that_claimed_it() {
    let acme = Acme::new().await;
    kill_while_starting(&acme, false).await;
    let outcome = dispatch(501, WAVES).run_in(&acme).await;
    outcome.fails().says("the closed ticket acme/hub#1 may have started web").says("again in two minutes");
    assert_eq!((count(&acme, "web"), tickets(&acme)), (0, 1));
}

#[tokio::test]
async fn the_rerun_of_a_run_whose_ticket_was_closed_midway_goes_on_with_no_other_one() {
    for release in ["1.4.0", ""] {
        let acme = Acme::new().await;
        let step = |run, attempt| dispatch(run, "web, api").attempt(attempt).input("release", release);
        step(500, 1).run_in(&acme).await.succeeds();
        end(&acme, "web", "success");
        end(&acme, "api", "failure");
        close(&acme, 1);
        let refusal = || async {
            let outcome = step(500, 2).run_in(&acme).await;
            outcome.fails().says("this run's ticket acme/hub#1 was closed before everything was released");
            outcome
        };
        refusal().await.says("help: reopen acme/hub#1 and run the job again");
        // Another run opens a ticket, which is not the first run's.
        step(501, 1).run_in(&acme).await.succeeds();
        let counts = if release.is_empty() { [2, 2] } else { [1, 2] };
        assert_eq!(["web", "api"].map(|name| count(&acme, name)), counts);
        refusal().await;
        assert_eq!(["web", "api"].map(|name| count(&acme, name)), counts);
        step(501, 2).run_in(&acme).await.succeeds();
        // Once everything on its own ticket is released, the first run goes on with that.
        acme.world.rerun(acme.world.runs("acme/api").iter().map(|run| run.id).min().expect("a run"));
        let first = acme.world.runs("acme/api").iter().map(|run| run.id).min().expect("a run");
        acme.world.finish_run(first, "success");
        let outcome = step(500, 2).run_in(&acme).await;
        assert_eq!(outcome.succeeds().output("ticket-number"), "1");
        assert_eq!(["web", "api"].map(|name| count(&acme, name)), counts);
    }
}

#[tokio::test]
async fn the_rerun_of_a_run_whose_ticket_was_reopened_goes_on_with_it() {
    let acme = ticket_closed_midway().await;
    acme.world.reopen_issue("acme/hub", 1);
    let step = dispatch(500, "web, api").attempt(2).input("retry-failed", "true");
    assert_eq!(step.run_in(&acme).await.succeeds().output("ticket-number"), "1");
    assert_eq!((["web", "api"].map(|name| count(&acme, name)), tickets(&acme)), ([1, 2], 1));
}

#[tokio::test]
async fn a_ticket_that_was_reopened_while_another_one_continues_it_starts_nothing_a_second_time() {
    let acme = ticket_closed_midway().await;
    dispatch(501, "web, api").run_in(&acme).await.succeeds();
    acme.world.reopen_issue("acme/hub", 1);
    let outcome = dispatch(500, "web, api").attempt(2).run_in(&acme).await;
    outcome.fails().says("this run's ticket is acme/hub#1, and another one of the same release is open");
    outcome.says("help: start a new run: it goes on with acme/hub#2");
    let outcome = dispatch(502, "web, api").run_in(&acme).await;
    assert_eq!(outcome.succeeds().output("ticket-number"), "2");
    let first = acme.world.issue_view("acme/hub", 1);
    assert_eq!(first.state_reason.as_deref(), Some("duplicate"));
    assert_eq!(["web", "api"].map(|name| count(&acme, name)), [1, 2]);
    // Targets that were taken over stay released, also after the second ticket is closed.
    close(&acme, 2);
    end(&acme, "api", "failure");
    dispatch(503, "web, api").run_in(&acme).await.succeeds();
    assert_eq!(["web", "api"].map(|name| count(&acme, name)), [1, 3]);
}

#[tokio::test]
async fn a_ticket_that_others_have_opened_and_closed_does_not_hide_that_of_the_hub() {
    let acme = ticket_closed_midway().await;
    let body = acme.world.issue_view("acme/hub", 1).body;
    let record = acme.records(1).remove(0).body;
    for (ticket, comment) in [(2, ""), (3, "not this one"), (4, &record)] {
        assert_eq!(acme.world.issue("acme/hub", "Release 1.4.0", &body, "acme-release[bot]"), ticket);
        acme.world.label_issue("acme/hub", ticket, "release");
        if !comment.is_empty() {
            acme.world.comment("acme/hub", ticket, "alice", comment);
        }
        close(&acme, ticket);
    }
    let outcome = dispatch(501, "web, api").run_in(&acme).await;
    outcome.succeeds().says("acme/hub#1 has released it");
    assert_eq!(["web", "api"].map(|name| count(&acme, name)), [1, 2]);
}

#[tokio::test]
async fn two_hub_jobs_at_once_take_over_from_the_same_ticket() {
    for _ in 0..4 {
        let acme = ticket_closed_midway().await;
        acme.world.latency(|_, _| Duration::from_millis(15));
        let hub_runs = [(); 2].map(|()| acme.world.start_run("acme/hub", "release.yml", "workflow_dispatch"));
        let job = |run| dispatch(run, "web, api, docs").run_in(&acme);
        let (one, two) = tokio::join!(job(hub_runs[0]), job(hub_runs[1]));
        let log = format!("{}\n{}\n{}", one.log, two.log, acme.world.story());
        assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [1, 2, 1], "{log}");
        let open = acme.world.issues("acme/hub").into_iter().filter(|ticket| ticket.is_open());
        assert_eq!(open.count(), 1, "{log}");
        one.succeeds();
        two.succeeds();
    }
}

#[tokio::test]
async fn a_job_that_dies_after_any_write_starts_nothing_that_a_closed_ticket_has_released() {
    let writes = after_each_write(async |writes| {
        let acme = ticket_closed_midway().await;
        acme.world.latency(|_, _| Duration::from_millis(60));
        let was_killed = kill_after(&acme, dispatch(501, "web, api").spawn_in(&acme), writes).await;
        acme.world.latency(|_, _| Duration::ZERO);
        // Its re-run, and another run that names the ticket.
        dispatch(501, "web, api").attempt(2).run_in(&acme).await.succeeds();
        dispatch(502, "web, api").input("ticket", "2").run_in(&acme).await.succeeds();
        let counts = ["web", "api"].map(|name| count(&acme, name));
        assert_eq!(counts, [1, 2], "killed after {writes}\n{}", acme.world.story());
        assert_eq!(tickets(&acme), 2, "killed after {writes}");
        assert!(acme.board(2).contains("**1 of 2 released**"), "{}", acme.board(2));
        was_killed
    })
    .await;
    // The ticket, the record of the targets taken over, the claim, the board twice, its pin, the start and its record.
    assert!(writes >= 8, "it was killed after each of its {writes} writes");
}

#[tokio::test]
async fn a_ticket_that_is_named_takes_over_what_the_one_before_has_released() {
    let acme = ticket_closed_midway().await;
    // The job died after it had opened the ticket.
    let first = acme.world.issue_view("acme/hub", 1).body;
    let marker = "{\"key\":{\"release\":\"1.4.0\"}";
    let body = first.replacen(marker, &format!("{marker},\"continues\":1"), 1);
    acme.world.issue("acme/hub", "Release 1.4.0", &body, "acme-release[bot]");
    let by_ticket = |run| dispatch(run, "web, api").input("ticket", "2").input("release", "");
    by_ticket(501).run_in(&acme).await.succeeds().says("acme/hub#1 has released it");
    by_ticket(502).run_in(&acme).await.succeeds();
    assert_eq!((["web", "api"].map(|name| count(&acme, name)), tickets(&acme)), ([1, 2], 2));
    // A ticket of another release takes over nothing.
    let body = body.replacen("1.4.0", "1.5.0", 1);
    acme.world.issue("acme/hub", "Release 1.5.0", &body, "acme-release[bot]");
    dispatch(503, "web").input("ticket", "3").input("release", "1.5.0").run_in(&acme).await.succeeds();
    assert_eq!(count(&acme, "web"), 2);
}

#[tokio::test]
async fn a_target_that_another_account_dispatched_on_a_closed_ticket_is_not_started_on_a_guess() {
    let acme = ticket_closed_midway().await;
    let token = acme.world.token("new-token").acts_as("acme-new[bot]");
    token.can("acme/hub", &["issues: write", "actions: read", "contents: read"]);
    for name in ["web", "api", "docs"] {
        token.can(&format!("acme/{name}"), &["actions: write", "contents: read"]);
    }
    // The names of these runs hold the ticket, so that GitHub's word is enough.
    let step = |run, targets: &str| dispatch(run, targets).input("token", "new-token");
    step(501, "web, api").run_in(&acme).await.succeeds().says("acme/hub#1 has released it");
    assert_eq!(["web", "api"].map(|name| count(&acme, name)), [1, 2]);

    let acme = Acme::new().await;
    acme.world.repository("acme/web").file(".github/workflows/release.yml", "on: workflow_dispatch");
    dispatch(500, "web").run_in(&acme).await.succeeds();
    end(&acme, "web", "success");
    close(&acme, 1);
    let token = acme.world.token("new-token").acts_as("acme-new[bot]");
    token.can("acme/hub", &["issues: write", "actions: read", "contents: read"]);
    token.can("acme/web", &["actions: write", "contents: read"]);
    let outcome = step(501, "web").run_in(&acme).await;
    outcome.fails().says(
        "acme-release[bot] has claimed web on the closed ticket acme/hub#1: this step writes as another",
    );
    assert_eq!((count(&acme, "web"), tickets(&acme)), (1, 1));
    step(501, "web").input("release-again", "true").run_in(&acme).await.succeeds();
    assert_eq!((count(&acme, "web"), tickets(&acme)), (2, 2));
}

#[tokio::test]
async fn a_ticket_that_was_closed_in_advance_with_a_claim_keeps_nothing_from_being_started() {
    let acme = ticket_closed_after_release().await;
    let (body, record) = (acme.world.issue_view("acme/hub", 1).body, acme.records(1).remove(0).body);
    let ticket = acme.world.issue("acme/hub", "1.5.0", &body.replace("1.4.0", "1.5.0"), "acme-report[bot]");
    acme.world.label_issue("acme/hub", ticket, "release");
    acme.world.comment("acme/hub", ticket, "acme-report[bot]", &record.replace("1.4.0", "1.5.0"));
    close(&acme, ticket);
    let outcome = dispatch(501, "web").input("release", "1.5.0").run_in(&acme).await;
    outcome
        .succeeds()
        .says("another account dispatched the closed ticket acme/hub#2: its records do not count");
    assert_eq!((count(&acme, "web"), tickets(&acme)), (2, 3));
}

#[tokio::test]
async fn a_report_does_not_make_a_target_released_where_github_shows_its_run() {
    let acme = Acme::new().await;
    dispatch(500, "web").run_in(&acme).await.succeeds();
    let run = acme.world.runs("acme/web")[0].id;
    let report = Step::new("report").run(run).input("ticket", "acme/hub#1").input("status", "success");
    report.input("done", "true").run_in(&acme).await.succeeds();
    end(&acme, "web", "failure");
    close(&acme, 1);
    dispatch(501, "web").run_in(&acme).await.succeeds();
    assert_eq!((count(&acme, "web"), tickets(&acme)), (2, 2));
}

#[tokio::test]
async fn reports_decide_where_github_does_not_show_the_runs() {
    let acme = Acme::new().await;
    dispatch(500, "web, api").run_in(&acme).await.succeeds();
    let run = acme.world.runs("acme/web")[0].id;
    let report = Step::new("report").run(run).input("ticket", "acme/hub#1").input("status", "success");
    report.input("done", "true").run_in(&acme).await.succeeds();
    close(&acme, 1);
    let lookups = Fault::on("GET", "/repos/acme/*/actions/runs/*").always();
    acme.world.fault(lookups.then(Kind::StatusBefore(404)));
    acme.world.clear_story();
    let claim = acme.records(1).remove(0);
    let old = claim.body.replace(&now().format("%Y-%m-%dT%H").to_string(), "2026-01-05T09");
    acme.world.edit_comment(claim.id, &old);
    let outcome = dispatch(501, "web, api").run_in(&acme).await;
    outcome.fails().says(
        "the closed ticket acme/hub#1 has started api, but its run was deleted, so GitHub does not say how it ended: ",
    );
    assert!(!outcome.log.contains("started web"), "{}", outcome.log);
    dispatch(501, "web, api").input("release-again", "true").run_in(&acme).await.succeeds();
    assert_eq!((count(&acme, "web"), tickets(&acme)), (2, 2));
}

#[tokio::test]
async fn a_locked_ticket_is_read_all_the_same() {
    let acme = ticket_closed_midway().await;
    acme.world.lock_issue("acme/hub", 1);
    dispatch(501, "web, api").run_in(&acme).await.succeeds();
    assert_eq!(["web", "api"].map(|name| count(&acme, name)), [1, 2]);
}

#[tokio::test]
async fn an_unclear_start_is_not_repeated_on_another_ticket() {
    let acme = Acme::new().await;
    acme.world.repository("acme/web").file(".github/workflows/release.yml", "on: workflow_dispatch");
    let record = |acme: &Acme| acme.records(1).remove(0);
    dispatch(500, "web, api").run_in(&acme).await.succeeds();
    let first = record(&acme);
    let run = acme.world.runs("acme/web")[0].id;
    let claim = first.body.replacen("\"state\":\"started\"", "\"state\":\"unknown\"", 1);
    let claim = claim.replacen(&format!("\"run\":{run},"), "", 1);
    acme.world.edit_comment(first.id, &claim);
    acme.world.fault(
        Fault::on("GET", "/repos/acme/web/actions/workflows/*/runs").always().then(Kind::StatusBefore(403)),
    );
    end(&acme, "api", "success");
    close(&acme, 1);
    let outcome = dispatch(501, "web, api").run_in(&acme).await;
    outcome
        .fails()
        .says("the closed ticket acme/hub#1 may have started web: ")
        .says("help: look at the runs of acme/web");
    assert_eq!((count(&acme, "web"), tickets(&acme)), (1, 1));
}

#[tokio::test]
async fn an_event_that_a_closed_ticket_has_sent_is_not_sent_again() {
    let acme = Acme::new().await;
    acme.world.token("hub-token").can("acme/web", &["contents: write"]);
    let step = |run| dispatch(run, "web").input("dispatch-type", "repository").input("event-type", "release");
    step(500).run_in(&acme).await.succeeds();
    close(&acme, 1);
    let outcome = step(501).run_in(&acme).await;
    outcome.fails().says("has started web by an event, but no report says that it has ended");
    assert_eq!((acme.world.dispatch_events("acme/web").len(), tickets(&acme)), (1, 1));
}

#[tokio::test]
async fn a_release_without_a_closed_ticket_costs_no_more_requests() {
    let acme = Acme::new().await;
    let mut counts = Vec::new();
    for (run, attempt) in [(500, 1), (500, 2), (501, 1)] {
        acme.world.clear_exchanges();
        dispatch(run, "web").attempt(attempt).run_in(&acme).await.succeeds();
        counts.push(acme.requests().len());
    }
    assert_eq!(counts, [16, 8, 8]);
}

#[tokio::test]
async fn a_second_click_goes_by_the_later_ticket_whichever_was_closed_last() {
    let acme = ticket_closed_midway().await;
    dispatch(501, "web, api").run_in(&acme).await.succeeds();
    end(&acme, "api", "success");
    close(&acme, 2);
    dispatch(502, "web, api").run_in(&acme).await.fails().says("acme/hub#2 released 1.4.0 on ");
    acme.world.reopen_issue("acme/hub", 1);
    acme.world.advance(Duration::from_secs(5));
    close(&acme, 1);
    let outcome = dispatch(503, "web, api").run_in(&acme).await;
    outcome.fails().says("acme/hub#2 released 1.4.0 on ");
    assert_eq!(count(&acme, "api"), 2);
}

#[tokio::test]
async fn a_ticket_that_was_opened_again_starts_nothing_that_a_later_one_has_released() {
    let acme = ticket_closed_before_api().await;
    dispatch(501, "web, api").run_in(&acme).await.succeeds();
    end(&acme, "api", "success");
    close(&acme, 2);
    acme.world.reopen_issue("acme/hub", 1);
    let outcome = dispatch(503, "web, api").run_in(&acme).await;
    outcome.fails().says("has continued this release since acme/hub#1 was closed");
    assert_eq!(count(&acme, "api"), 1);
}

#[tokio::test]
async fn the_first_of_three_tickets_opened_again_starts_nothing_beside_the_third() {
    let acme = ticket_closed_midway().await;
    dispatch(501, "web, api").run_in(&acme).await.succeeds();
    end(&acme, "api", "failure");
    close(&acme, 2);
    dispatch(502, "web, api").run_in(&acme).await.succeeds();
    assert_eq!(count(&acme, "api"), 3);
    acme.world.reopen_issue("acme/hub", 1);
    let outcome = dispatch(503, "web, api").input("retry-failed", "true").run_in(&acme).await;
    outcome.fails().says("has continued this release since acme/hub#1 was closed");
    assert_eq!(count(&acme, "api"), 3);
    assert_eq!(acme.world.issue_view("acme/hub", 3).state, "open");
}

#[tokio::test]
async fn a_ticket_opened_again_starts_nothing_beside_a_release_that_was_repeated() {
    let acme = ticket_closed_midway().await;
    dispatch(501, "web, api").input("release-again", "true").run_in(&acme).await.succeeds();
    assert_eq!(count(&acme, "api"), 2);
    acme.world.reopen_issue("acme/hub", 1);
    let outcome = dispatch(502, "web, api").input("retry-failed", "true").run_in(&acme).await;
    outcome.fails().says("has continued this release since acme/hub#1 was closed");
    assert_eq!(count(&acme, "api"), 2);
}

#[tokio::test]
async fn a_named_ticket_opened_again_starts_nothing_beside_a_later_one() {
    let acme = ticket_closed_before_api().await;
    dispatch(501, "web, api").run_in(&acme).await.succeeds();
    acme.world.reopen_issue("acme/hub", 1);
    let outcome = dispatch(502, "web, api").input("ticket", "1").run_in(&acme).await;
    outcome.fails().says("has continued this release since acme/hub#1 was closed");
    assert_eq!(count(&acme, "api"), 1);
}

#[tokio::test]
async fn a_record_that_arrives_on_a_ticket_that_was_closed_as_released_is_not_a_failure() {
    let acme = Acme::new().await;
    dispatch(500, "web").input("close-on-success", "true").run_in(&acme).await.succeeds();
    end(&acme, "web", "success");
    dispatch(501, "web").input("close-on-success", "true").run_in(&acme).await.succeeds();
    close(&acme, 1);
    let report = Step::new("report").run(acme.world.runs("acme/web")[0].id).input("ticket", "acme/hub#1");
    report.input("status", "success").run_in(&acme).await.succeeds();
    let record = acme.records(1).pop().expect("the report");
    acme.world.clear_story();
    let event = acme.world.comment_event(record.id, "created");
    let outcome = dispatch(502, "web").event(event).run_in(&acme).await;
    outcome.succeeds();
    outcome.says("::notice::nothing is started: the ticket is closed, and everything on it is released");
    assert_eq!((acme.world.story(), count(&acme, "web")), (String::new(), 1));
    // A dispatch by hand fails, because the ticket is closed.
    let outcome = dispatch(503, "web").input("ticket", "1").run_in(&acme).await;
    outcome.fails().says("the ticket acme/hub#1 is closed");
}

#[tokio::test]
async fn a_record_that_arrives_on_a_ticket_that_was_closed_midway_says_that_it_is_closed() {
    let acme = ticket_closed_midway().await;
    let report = Step::new("report").run(acme.world.runs("acme/web")[0].id).input("ticket", "acme/hub#1");
    report.input("status", "success").run_in(&acme).await.succeeds();
    let record = acme.records(1).pop().expect("the report");
    let event = acme.world.comment_event(record.id, "created");
    let outcome = dispatch(502, "web, api").event(event).run_in(&acme).await;
    outcome.fails().says("the ticket acme/hub#1 is closed").says("help: reopen it");
}
