//! Trust in the authors of records: a hub job dispatches after each attack.
//!
//! The attacker has the token with which targets report: it writes issues of the hub, under another account than the
//! hub's own.

use std::time::Duration;

use serde_json::{Value, json};
use simulated_github::{Job, Run};

use crate::support::{Acme, Outcome, Step, now};

const ATTACKER: &str = "acme-report[bot]";

/// A dispatch of release 1.4.0 by a hub run of its own.
fn dispatch(acme: &Acme, targets: &str) -> Step {
    let run = acme.world.start_run("acme/hub", "release.yml", "workflow_dispatch");
    dispatch_by(run, targets)
}

fn dispatch_by(run: u64, targets: &str) -> Step {
    let step = Step::new("dispatch").run(run).input("targets", targets).input("workflow", "release.yml");
    step.input("release", "1.4.0")
}

fn with_wait(step: Step) -> Step {
    step.input("wait", "true").input("wait-interval", "50ms")
}

/// Comments on the ticket as the attacker, with a record of this kind.
fn forge(acme: &Acme, ticket: u64, kind: &str, data: &Value) -> u64 {
    acme.world.comment("acme/hub", ticket, ATTACKER, &marker(kind, data))
}

fn marker(kind: &str, data: &Value) -> String {
    format!("<!-- release-ticket:1 {kind} {data} -->\nA record.")
}

/// A claim in the name of a hub run, with these starts.
fn claim(hub_run: u64, targets: &Value) -> Value {
    json!({
        "by": { "repository": "acme/hub", "run": hub_run, "attempt": 1, "job": "dispatch" },
        "seq": 9, "run_url": "https://github.com/acme/hub/actions/runs/1", "driver": "mallory",
        "release": "1.4.0", "targets": targets,
    })
}

fn start(target: &str, repository: &str, run: u64) -> Value {
    json!({
        "target": target, "repository": repository, "workflow": "release.yml", "ref": "main", "state": "started",
        "run": run, "run_url": format!("https://github.com/{repository}/actions/runs/{run}"), "at": now(),
    })
}

/// A report in the name of a run.
fn report(repository: &str, run: u64, target: &str, status: &str, is_last: bool) -> Value {
    json!({
        "by": { "repository": repository, "run": run, "attempt": 1, "job": "publish" },
        "seq": 1, "run_url": format!("https://github.com/{repository}/actions/runs/{run}"),
        "stages": [{ "target": target, "stage": "publish", "status": status, "done": is_last, "at": now(), "seq": 1 }],
    })
}

fn runs(acme: &Acme, name: &str) -> Vec<Run> {
    let mut runs = acme.world.runs(&format!("acme/{name}"));
    runs.sort_by_key(|run| run.id);
    runs
}

fn count(acme: &Acme, name: &str) -> usize {
    runs(acme, name).len()
}

/// A run in a repository that the hub's token reaches and that no step lists.
fn run_elsewhere(acme: &Acme) -> u64 {
    acme.add_target("secret");
    acme.world.repository("acme/secret").private();
    let run = acme.world.start_run("acme/secret", "release.yml", "workflow_dispatch");
    acme.world.add_job(run, Job::new("the secret job").running());
    acme.world.update_run(run, |run| run.status = "in_progress".into());
    run
}

#[track_caller]
fn assert_no_request_elsewhere(acme: &Acme, outcome: &Outcome) {
    let requests: Vec<String> =
        acme.requests().into_iter().filter(|line| line.contains("acme/secret")).collect();
    assert_eq!(requests, [""; 0], "{}", outcome.log);
    let comments = acme.world.issue_view("acme/hub", 1).comments;
    assert!(!comments.iter().any(|comment| comment.body.contains("the secret job")));
}

#[tokio::test]
async fn a_claim_in_the_name_of_the_hub_job_cancels_nothing_in_a_repository_that_no_step_lists() {
    let acme = Acme::new().await;
    let secret = run_elsewhere(&acme);
    let ticket = acme.dispatch("docs").await;
    acme.world.finish_run(runs(&acme, "docs")[0].id, "success");
    let hub_run = acme.world.start_run("acme/hub", "release.yml", "workflow_dispatch");
    forge(&acme, ticket, "dispatch", &claim(hub_run, &json!([start("docs", "acme/secret", secret)])));
    let step = with_wait(dispatch_by(hub_run, "docs, web")).input("wait-timeout", "1s");
    let outcome = step.input("cancel-on-timeout", "true").run_in(&acme).await;
    outcome.fails().says("web has not ended");
    assert_no_request_elsewhere(&acme, &outcome);
    assert_eq!(acme.world.run(secret).expect("a run").conclusion, None);
    assert_eq!(runs(&acme, "web")[0].conclusion.as_deref(), Some("cancelled"), "its own run is cancelled");
}

#[tokio::test]
async fn a_claim_of_another_account_widens_no_token_of_an_app() {
    let acme = Acme::new().await;
    let secret = run_elsewhere(&acme);
    let permissions = ["issues: write", "actions: write", "contents: read"];
    let app = acme.world.app("acme-app").installed_on("acme", &permissions);
    let with_app = |step: Step| step.app(&app);
    let hub_run = acme.world.start_run("acme/hub", "release.yml", "workflow_dispatch");
    with_app(dispatch_by(hub_run, "docs")).run_in(&acme).await.succeeds();
    acme.world.finish_run(runs(&acme, "docs")[0].id, "success");
    forge(&acme, 1, "dispatch", &claim(hub_run, &json!([start("docs", "acme/secret", secret)])));
    forge(&acme, 1, "report", &report("acme/secret", secret, "docs", "in_progress", false));
    let outcome = with_wait(with_app(dispatch(&acme, "docs"))).run_in(&acme).await;
    outcome.succeeds();
    assert_no_request_elsewhere(&acme, &outcome);
    let token_requests =
        acme.world.exchanges().into_iter().filter(|exchange| exchange.path.ends_with("/access_tokens"));
    for exchange in token_requests {
        assert!(!format!("{exchange:?}").contains("\\\"secret\\\""), "{exchange:?}");
    }
}

#[tokio::test]
async fn a_report_that_names_a_run_of_another_repository_makes_nobody_look_there() {
    let acme = Acme::new().await;
    let secret = run_elsewhere(&acme);
    let ticket = acme.dispatch("web").await;
    forge(&acme, ticket, "report", &report("acme/secret", secret, "web", "in_progress", false));
    acme.world.finish_run(runs(&acme, "web")[0].id, "success");
    let step = with_wait(dispatch(&acme, "web, api")).spawn_in(&acme);
    while count(&acme, "api") == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    acme.world.finish_run(runs(&acme, "api")[0].id, "success");
    let outcome = step.end().await;
    outcome.succeeds();
    assert_no_request_elsewhere(&acme, &outcome);
    assert_eq!(count(&acme, "web"), 1);
}

#[tokio::test]
async fn a_report_that_a_target_is_done_starts_nothing_that_needs_it() {
    let acme = Acme::new().await;
    let targets = "[api, { repository: docs, needs: api }]";
    dispatch(&acme, targets).run_in(&acme).await.succeeds();
    forge(&acme, 1, "report", &report("acme/api", runs(&acme, "api")[0].id, "api", "success", true));
    dispatch(&acme, targets).run_in(&acme).await.succeeds().says("docs is left alone: it waits for api");
    assert_eq!((count(&acme, "api"), count(&acme, "docs")), (1, 0));
    acme.world.finish_run(runs(&acme, "api")[0].id, "success");
    dispatch(&acme, targets).run_in(&acme).await.succeeds();
    assert_eq!((count(&acme, "api"), count(&acme, "docs")), (1, 1));
}

#[tokio::test]
async fn where_the_run_goes_on_the_board_marks_a_release_as_only_reported() {
    let acme = Acme::new().await;
    let step = with_wait(dispatch(&acme, "api")).spawn_in(&acme);
    while acme.world.issues("acme/hub").is_empty() || count(&acme, "api") == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    forge(&acme, 1, "report", &report("acme/api", runs(&acme, "api")[0].id, "api", "success", true));
    while !acme.board(1).contains("(reported: ✅ released)") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    acme.world.finish_run(runs(&acme, "api")[0].id, "success");
    step.end().await.succeeds();
    assert!(!acme.board(1).contains("reported:"), "{}", acme.board(1));
}

#[tokio::test]
async fn a_reported_failure_of_what_github_calls_a_success_is_not_released_again() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let run = runs(&acme, "web")[0].id;
    acme.world.finish_run(run, "success");
    forge(&acme, ticket, "report", &report("acme/web", run, "web", "failure", false));
    let notice = json!({
        "by": { "repository": "acme/web", "run": run, "attempt": 1, "job": "publish" }, "seq": 1,
        "run_url": "https://github.com/acme/web/actions/runs/1", "fingerprint": "f", "status": "failure",
        "message": "It failed.", "at": now(),
    });
    forge(&acme, ticket, "notice", &notice);
    for input in [("retry-failed", "true"), ("only", "web")] {
        let outcome = dispatch(&acme, "web").input(input.0, input.1).run_in(&acme).await;
        outcome.succeeds();
        assert!(
            outcome.output("results").contains("\"status\":\"released\""),
            "{}",
            outcome.output("results")
        );
    }
    assert_eq!(count(&acme, "web"), 1);
    let board = acme.board(ticket);
    assert!(board.contains("✅ released (reported: ❌ failed)"), "{board}");
}

#[tokio::test]
async fn a_ticket_that_was_opened_in_advance_with_a_claim_keeps_nothing_from_being_started() {
    let acme = Acme::new().await;
    let last_week = acme.world.start_run("acme/web", "release.yml", "workflow_dispatch");
    acme.world.finish_run(last_week, "success");
    acme.world.advance(Duration::from_secs(7 * 24 * 60 * 60));
    let body = marker("ticket", &json!({ "key": { "release": "1.4.0" } }));
    let ticket = acme.world.issue("acme/hub", "Release 1.4.0", &body, ATTACKER);
    let hub_run = acme.world.start_run("acme/hub", "release.yml", "workflow_dispatch");
    forge(&acme, ticket, "dispatch", &claim(hub_run, &json!([start("web", "acme/web", last_week)])));
    forge(&acme, ticket, "report", &report("acme/web", last_week, "web", "success", true));
    let outcome = dispatch_by(hub_run, "web").input("close-on-success", "true").run_in(&acme).await;
    outcome.succeeds();
    assert_eq!(outcome.output("ticket-number"), ticket.to_string());
    assert_eq!(count(&acme, "web"), 2, "{}", outcome.log);
    assert!(acme.world.issue_view("acme/hub", ticket).is_open());
    assert!(outcome.output("results").contains("\"status\":\"started\""), "{}", outcome.output("results"));
}

#[tokio::test]
async fn a_run_that_only_another_account_claims_is_taken_over_if_its_name_holds_the_ticket() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    // The hub gets another account: the run that the earlier account started is not started again.
    let token = acme.world.token("new-token").acts_as("acme-new[bot]");
    token.can("acme/hub", &["issues: write", "actions: read", "contents: read"]);
    token.can("acme/web", &["actions: write", "contents: read"]);
    let outcome = dispatch(&acme, "web").input("token", "new-token").run_in(&acme).await;
    outcome.succeeds().says("going on with its run");
    assert_eq!(count(&acme, "web"), 1);
    assert_eq!(outcome.output("ticket-number"), ticket.to_string());
}

#[tokio::test]
async fn a_run_whose_name_does_not_hold_the_ticket_is_held_and_named_if_only_another_account_claims_it() {
    let acme = Acme::new().await;
    acme.world.repository("acme/web").file(".github/workflows/release.yml", "on: workflow_dispatch");
    let ticket = acme.dispatch("docs").await;
    forge(&acme, ticket, "dispatch", &claim(7, &json!([start("web", "acme/web", 7)])));
    acme.world.start_run("acme/web", "release.yml", "workflow_dispatch");
    let outcome = dispatch(&acme, "web").run_in(&acme).await;
    outcome.fails().says("cannot start web: it may have been started").says("help: ");
    assert_eq!(count(&acme, "web"), 1);
}

#[tokio::test]
async fn a_report_gives_a_target_no_run_of_another_workflow_and_no_older_run() {
    let acme = Acme::new().await;
    acme.world.repository("acme/web").file(".github/workflows/ci.yml", "on: workflow_dispatch");
    let older = acme.world.start_run("acme/api", "release.yml", "workflow_dispatch");
    acme.world.finish_run(older, "success");
    acme.world.advance(Duration::from_secs(60 * 60));
    let ticket = acme.dispatch("docs").await;
    let ci_run = acme.world.start_run("acme/web", "ci.yml", "workflow_dispatch");
    acme.world.finish_run(ci_run, "success");
    forge(&acme, ticket, "report", &report("acme/web", ci_run, "web", "success", true));
    forge(&acme, ticket, "report", &report("acme/api", older, "api", "success", true));
    forge(&acme, ticket, "report", &report("acme/docs", 1 << 52, "docs", "failure", false));
    let outcome = dispatch(&acme, "web, api, docs").input("retry-failed", "true").run_in(&acme).await;
    outcome.succeeds().says("does not count for web: it is a run of .github/workflows/ci.yml");
    outcome.says("does not count for api: it is older than");
    assert_eq!(["web", "api", "docs"].map(|name| count(&acme, name)), [2, 2, 1], "{}", outcome.log);
}

#[tokio::test]
async fn claims_of_a_hub_that_nobody_can_see_hold_nothing_up() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("docs").await;
    for number in 0..200_u64 {
        let mut claim = claim(1_000 + number, &json!([]));
        claim["by"]["repository"] = json!("evil/hub");
        claim["targets"] = json!([{
            "target": "web", "repository": "acme/web", "workflow": "release.yml", "ref": "main", "state": "claimed",
            "at": now(),
        }]);
        forge(&acme, ticket, "dispatch", &claim);
    }
    acme.world.clear_exchanges();
    let outcome = dispatch(&acme, "web").run_in(&acme).await;
    outcome.succeeds();
    assert_eq!(count(&acme, "web"), 1);
    let requests = acme.requests();
    assert!(!requests.iter().any(|line| line.contains("evil")), "{requests:#?}");
    assert!(requests.len() < 40, "{} requests", requests.len());
}

#[tokio::test]
async fn a_board_that_claims_to_know_more_than_github_shows_is_replaced() {
    for seq in [1_u64 << 62, 1_000] {
        let acme = Acme::new().await;
        let ticket = acme.dispatch("web").await;
        let record = acme.records(ticket)[0].id;
        let comments = acme.world.issue_view("acme/hub", ticket).comments;
        let board = comments.iter().find(|comment| comment.body.contains(" board ")).expect("a board");
        let forgery = marker("board", &json!({ "seen": { "records": { record.to_string(): seq } } }));
        acme.world.edit_comment(board.id, &forgery);
        let step = Step::new("report").run(runs(&acme, "web")[0].id).input("status", "in_progress");
        step.input("ticket", format!("acme/hub#{ticket}")).run_in(&acme).await.succeeds();
        assert!(acme.board(ticket).contains("Shows 2 records"), "{seq}: {}", acme.board(ticket));
        // The next dispatch shows it, too, and starts nothing a second time.
        dispatch(&acme, "web").run_in(&acme).await.succeeds();
        assert!(acme.board(ticket).contains("**web**"), "{}", acme.board(ticket));
        assert_eq!(count(&acme, "web"), 1);
    }
}

fn comment_event(login: &str, kind: &str, association: &str, body: &str) -> Value {
    let user = json!({ "login": login, "type": kind });
    json!({
        "action": "created",
        "issue": { "number": 1, "title": "Release 1.4.0", "body": "" },
        "comment": {
            "id": 77, "body": body, "html_url": "https://github.com/acme/hub/issues/1", "user": user,
            "author_association": association, "created_at": now(), "updated_at": now(),
        },
        "sender": user,
    })
}

/// A hub with a ticket whose target has failed.
async fn hub_with_failure() -> Acme {
    let acme = Acme::new().await;
    acme.dispatch("web").await;
    acme.world.finish_run(runs(&acme, "web")[0].id, "failure");
    acme
}

/// A step of the hub's job that starts with each comment.
fn step_on_comment(acme: &Acme, event: Value, actor: &str) -> Step {
    let step = dispatch(acme, "web, api").input("retry-failed", "true").variable("GITHUB_ACTOR", actor);
    step.input("driver", actor).event(event)
}

#[tokio::test]
async fn a_comment_of_a_stranger_starts_nothing_and_makes_nobody_the_driver() {
    let acme = hub_with_failure().await;
    acme.world.user("mallory");
    acme.world.clear_story();
    let record = marker("report", &report("acme/web", 1, "web", "failure", false));
    for (body, why) in [
        ("/release", "is refused: mallory has at most the role read in acme/hub, but a command needs write"),
        ("Retry, please!", "::notice::nothing is started: the comment is neither a command nor a record"),
        (record.as_str(), "::notice::nothing is started: mallory does not have the role write in acme/hub"),
    ] {
        let event = acme.comment_by("mallory", 1, body);
        step_on_comment(&acme, event, "mallory").run_in(&acme).await.succeeds().says(why);
    }
    assert_eq!((count(&acme, "web"), count(&acme, "api")), (1, 0));
    // A person with the role goes on with the release, and does not become the driver of a ticket that has one.
    acme.world.repository("acme/hub").member("bob", "COLLABORATOR");
    step_on_comment(&acme, acme.comment_by("bob", 1, "/release retry web"), "bob")
        .run_in(&acme)
        .await
        .succeeds();
    assert_eq!((count(&acme, "web"), count(&acme, "api")), (2, 1));
    assert!(acme.board(1).contains("driver `alice`"), "{}", acme.board(1));
}

#[tokio::test]
async fn a_record_that_arrives_starts_what_is_ready_and_repeats_nothing() {
    let acme = hub_with_failure().await;
    let record = marker("report", &report("acme/web", runs(&acme, "web")[0].id, "web", "failure", false));
    let event = comment_event(ATTACKER, "Bot", "NONE", &record);
    step_on_comment(&acme, event.clone(), ATTACKER).run_in(&acme).await.succeeds();
    assert_eq!((count(&acme, "web"), count(&acme, "api")), (1, 1));
    // A bot starts nothing on an issue that is not a ticket of this hub.
    let other = acme.world.issue("acme/hub", "Not a ticket", "", ATTACKER);
    let mut event = event;
    event["issue"]["number"] = json!(other);
    forge(&acme, other, "report", &report("acme/web", 1, "web", "failure", false));
    let outcome = step_on_comment(&acme, event, ATTACKER).run_in(&acme).await;
    outcome.succeeds().says("issues and comments by bots start nothing");
    assert_eq!((count(&acme, "web"), count(&acme, "api")), (1, 1));
}

#[tokio::test]
async fn a_label_of_a_bot_approves_nothing() {
    let acme = Acme::new().await;
    let ticket = acme.world.issue("acme/hub", "Release", "", "alice");
    let event = json!({
        "action": "labeled", "label": { "name": "approved" }, "issue": { "number": ticket, "body": "" },
        "sender": { "login": ATTACKER, "type": "Bot" },
    });
    let outcome = dispatch(&acme, "web").event(event).run_in(&acme).await;
    outcome.succeeds().says("nothing is started: acme-report[bot] is a bot");
    assert_eq!(count(&acme, "web"), 0);
}

#[tokio::test]
async fn a_star_or_a_discussion_of_a_stranger_starts_nothing() {
    let acme = Acme::new().await;
    acme.world.user("mallory");
    let sender = json!({ "login": "mallory", "type": "User" });
    for event in [
        json!({ "action": "started", "sender": sender }),
        json!({ "action": "created", "discussion": { "number": 1 }, "comment": { "id": 1 }, "sender": sender }),
        json!({ "action": "opened", "issue": { "number": 1, "body": "" }, "sender": sender }),
    ] {
        let outcome = dispatch(&acme, "web").event(event).run_in(&acme).await;
        outcome.succeeds().says("nothing is started: mallory does not have the role write in acme/hub");
    }
    assert_eq!((acme.world.issues("acme/hub").len(), count(&acme, "web")), (0, 0));
}

#[tokio::test]
async fn a_comment_on_a_pull_request_opens_no_ticket_and_starts_nothing() {
    let acme = Acme::new().await;
    let mut event = comment_event("alice", "User", "MEMBER", "Nice.");
    event["issue"]["pull_request"] = json!({ "url": "https://api.github.com/repos/acme/hub/pulls/1" });
    event["issue"]["labels"] = json!([{ "name": "release" }]);
    let outcome = dispatch(&acme, "web").event(event).run_in(&acme).await;
    outcome.succeeds().says("nothing is started: the event is about a pull request");
    assert_eq!((acme.world.issues("acme/hub").len(), count(&acme, "web")), (0, 0));
}

/// Adds a member of the organization, with a token of her own. The hub's token may not see her membership.
fn add_private_member(acme: &Acme) {
    acme.world.user("carol");
    acme.world.repository("acme/hub").private_member("carol");
    acme.world.token("carol-token").acts_as("carol").can("acme/hub", &["issues: write"]);
}

#[tokio::test]
async fn a_private_member_is_believed_whoever_asks() {
    let acme = Acme::new().await;
    add_private_member(&acme);
    let ticket = acme.dispatch("web").await;
    let run = runs(&acme, "web")[0].id;
    let report = Step::new("report").run(run).job("publish").input("token", "carol-token");
    let report =
        report.input("ticket", format!("acme/hub#{ticket}")).input("status", "failure").run_in(&acme).await;
    assert_eq!(report.succeeds().output("delivered"), "true");
    assert!(acme.board(ticket).contains("❌ failed"), "{}", acme.board(ticket));
    acme.world.clear_exchanges();
    dispatch(&acme, "web").run_in(&acme).await.succeeds();
    assert!(acme.board(ticket).contains("❌ failed"), "{}", acme.board(ticket));
    let requests =
        acme.requests().into_iter().filter(|line| line.ends_with("/collaborators/carol/permission"));
    assert_eq!(requests.count(), 1);
}

#[tokio::test]
async fn the_board_stays_as_it_is_if_github_does_not_say_who_may_write_records() {
    let acme = Acme::new().await;
    add_private_member(&acme);
    let ticket = acme.dispatch("web").await;
    let report =
        Step::new("report").run(runs(&acme, "web")[0].id).job("publish").input("token", "carol-token");
    let report = report.input("ticket", format!("acme/hub#{ticket}")).input("status", "failure");
    report.run_in(&acme).await.succeeds();
    let before = acme.board(ticket);
    let roles = simulated_github::Fault::on("GET", "/repos/acme/hub/collaborators/carol/permission").always();
    acme.world.fault(roles.then(simulated_github::Kind::StatusBefore(403)));
    let outcome = dispatch(&acme, "web, api").run_in(&acme).await;
    outcome.fails().says("GitHub does not say whether its author may write records");
    assert_eq!(count(&acme, "api"), 1, "a board holds nothing up");
    assert_eq!(acme.board(ticket), before);
}

#[tokio::test]
async fn an_account_whose_records_count_for_nothing_is_reported_at_once() {
    let acme = Acme::new().await;
    acme.world.user("eve");
    acme.world.token("eve-token").acts_as("eve").can("acme/hub", &["issues: write"]);
    acme.world.token("eve-token").can("acme/web", &["actions: write", "contents: read"]);
    let ticket = acme.dispatch("docs").await;
    let report = Step::new("report").run(9).in_repository("acme/docs").input("token", "eve-token");
    let outcome =
        report.input("ticket", format!("acme/hub#{ticket}")).input("status", "success").run_in(&acme).await;
    outcome
        .succeeds()
        .says("is ignored: eve does not have the role triage in acme/hub")
        .says("give eve the role triage");
    assert_eq!(outcome.output("delivered"), "false");
    // The hub starts nothing under an account whose records count for nothing.
    let outcome = dispatch(&acme, "web").input("token", "eve-token").run_in(&acme).await;
    outcome.fails().says("is ignored: eve does not have the role triage in acme/hub");
    assert_eq!(count(&acme, "web"), 0);
    // Later steps warn once.
    let outcome = dispatch(&acme, "api").run_in(&acme).await;
    outcome.succeeds();
    assert_eq!(
        outcome.log.matches("looks like a record of the action, but is ignored").count(),
        1,
        "{}",
        outcome.log
    );
}

#[tokio::test]
async fn a_run_of_another_ticket_releases_nothing_here() {
    let acme = Acme::new().await;
    let targets = "[api, { repository: docs, needs: api }]";
    let one = dispatch(&acme, targets).run_in(&acme).await.succeeds().output("ticket-number").to_owned();
    // Another release of the same target, by another ticket.
    let other = dispatch(&acme, "api").input("release", "1.5.0").run_in(&acme).await;
    assert_ne!(other.succeeds().output("ticket-number"), one);
    let other_run = runs(&acme, "api")[1].id;
    acme.world.finish_run(other_run, "success");
    forge(&acme, 1, "report", &report("acme/api", other_run, "api", "success", true));
    let outcome = dispatch(&acme, targets).run_in(&acme).await;
    assert_eq!(count(&acme, "docs"), 0, "{}", outcome.log);
}

#[tokio::test]
async fn a_failed_run_of_another_ticket_makes_the_hub_release_nothing_twice() {
    let acme = Acme::new().await;
    dispatch(&acme, "api").run_in(&acme).await.succeeds();
    acme.world.finish_run(runs(&acme, "api")[0].id, "success");
    dispatch(&acme, "api").input("release", "1.5.0").run_in(&acme).await.succeeds();
    let other_run = runs(&acme, "api")[1].id;
    acme.world.finish_run(other_run, "failure");
    forge(&acme, 1, "report", &report("acme/api", other_run, "api", "failure", false));
    let outcome = dispatch(&acme, "api").input("retry-failed", "true").run_in(&acme).await;
    assert_eq!(count(&acme, "api"), 2, "{}", outcome.log);
}

#[tokio::test]
async fn the_run_of_a_sibling_releases_nothing() {
    let acme = Acme::new().await;
    acme.add_target("mono");
    let targets = "[{ name: core, repository: mono }, { name: extra, repository: mono }, { repository: docs, needs: core }]";
    dispatch(&acme, targets).run_in(&acme).await.succeeds();
    let runs = runs(&acme, "mono");
    acme.world.finish_run(runs[1].id, "success");
    forge(&acme, 1, "report", &report("acme/mono", runs[1].id, "core", "success", true));
    let outcome = dispatch(&acme, targets).input("close-on-success", "true").run_in(&acme).await;
    assert_eq!(count(&acme, "docs"), 0, "{}", outcome.log);
}

#[tokio::test]
async fn a_target_released_by_hand_is_not_released_again_because_another_account_claims_it() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("docs").await;
    let by_hand = acme.world.start_run("acme/web", "release.yml", "workflow_dispatch");
    acme.world.finish_run(by_hand, "success");
    forge(&acme, ticket, "report", &report("acme/web", by_hand, "web", "success", true));
    acme.world.advance(Duration::from_secs(5));
    forge(&acme, ticket, "dispatch", &claim(7, &json!([start("web", "acme/web", by_hand)])));
    let outcome = dispatch(&acme, "web").run_in(&acme).await;
    assert_eq!(count(&acme, "web"), 1, "{}", outcome.log);
}

#[tokio::test]
async fn no_report_of_another_run_releases_what_an_event_started() {
    let targets = "[api, { repository: docs, needs: api }]";
    for is_there in [false, true] {
        let acme = Acme::new().await;
        for name in ["api", "docs"] {
            acme.world
                .token("hub-token")
                .can(&format!("acme/{name}"), &["contents: write", "actions: write"]);
        }
        acme.world.repository("acme/api").file(".github/workflows/ci.yml", "on: push");
        let by_event = || {
            let step = dispatch(&acme, targets).without("INPUT_WORKFLOW");
            step.input("dispatch-type", "repository").input("event-type", "release")
        };
        by_event().run_in(&acme).await.succeeds();
        let run = if is_there {
            let run = acme.world.start_run("acme/api", "ci.yml", "push");
            acme.world.finish_run(run, "success");
            run
        } else {
            1 << 52
        };
        forge(&acme, 1, "report", &report("acme/api", run, "api", "success", true));
        let outcome = by_event().run_in(&acme).await;
        assert_eq!(acme.world.dispatch_events("acme/docs").len(), 0, "is there: {is_there}\n{}", outcome.log);
    }
}

#[tokio::test]
async fn a_replica_that_lags_once_lets_no_report_release() {
    let acme = Acme::new().await;
    let targets = "[api, { repository: docs, needs: api }]";
    dispatch(&acme, targets).run_in(&acme).await.succeeds();
    let run = runs(&acme, "api")[0].id;
    forge(&acme, 1, "report", &report("acme/api", run, "api", "success", true));
    let look = simulated_github::Fault::on("GET", format!("/repos/acme/api/actions/runs/{run}"));
    acme.world.fault(look.then(simulated_github::Kind::StatusBefore(404)));
    let outcome = with_wait(dispatch(&acme, targets)).input("wait-timeout", "1s").run_in(&acme).await;
    assert_eq!(count(&acme, "docs"), 0, "{}", outcome.log);
}

#[tokio::test]
async fn an_event_can_be_sent_again_though_another_account_claims_it_in_the_hubs_name() {
    let acme = Acme::new().await;
    acme.world.token("hub-token").can("acme/api", &["contents: write", "actions: write"]);
    acme.world.token("hub-token").can("acme/docs", &["contents: write", "actions: write"]);
    let ticket = acme.dispatch("docs").await;
    let hub_run = acme.world.start_run("acme/hub", "release.yml", "workflow_dispatch");
    forge(&acme, ticket, "dispatch", &claim(hub_run, &json!([start("api", "acme/api", 7)])));
    let step = dispatch_by(hub_run, "api").without("INPUT_WORKFLOW").input("dispatch-type", "repository");
    let outcome = step.input("event-type", "release").input("retry-failed", "true").run_in(&acme).await;
    outcome.succeeds();
}

#[tokio::test]
async fn the_newer_of_two_runs_counts_whichever_answer_comes_first() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let first = runs(&acme, "web")[0].id;
    acme.world.finish_run(first, "failure");
    let by_hand = acme.world.start_run("acme/web", "release.yml", "workflow_dispatch");
    acme.world.finish_run(by_hand, "success");
    forge(&acme, ticket, "report", &report("acme/web", by_hand, "web", "success", true));
    let look = simulated_github::Fault::on("GET", format!("/repos/acme/web/actions/runs/{first}")).always();
    acme.world.fault(look.then(simulated_github::Kind::Latency(Duration::from_millis(500))));
    let outcome = dispatch(&acme, "web").input("retry-failed", "true").run_in(&acme).await;
    assert_eq!(count(&acme, "web"), 2, "{:?} {}", outcome.code, outcome.log);
}

#[tokio::test]
async fn a_run_of_another_ticket_keeps_nothing_from_being_started_here() {
    let acme = Acme::new().await;
    acme.dispatch("docs").await;
    dispatch(&acme, "web").input("release", "1.5.0").run_in(&acme).await.succeeds();
    let other_run = runs(&acme, "web")[0].id;
    acme.world.finish_run(other_run, "success");
    forge(&acme, 1, "report", &report("acme/web", other_run, "web", "success", true));
    let outcome = dispatch(&acme, "web").run_in(&acme).await;
    assert_eq!(count(&acme, "web"), 2, "{:?} {} {}", outcome.code, outcome.log, outcome.output("results"));
}

#[tokio::test]
async fn a_hub_with_another_account_follows_what_the_earlier_one_started() {
    let acme = Acme::new().await;
    acme.dispatch("web").await;
    acme.world.advance(Duration::from_secs(60 * 60));
    acme.world.finish_run(runs(&acme, "web")[0].id, "success");
    let token = acme.world.token("new-token").acts_as("acme-new[bot]");
    token.can("acme/hub", &["issues: write", "actions: read", "contents: read"]);
    token.can("acme/web", &["actions: write", "contents: read"]);
    let outcome = with_wait(dispatch(&acme, "web"))
        .input("wait-timeout", "5s")
        .input("token", "new-token")
        .run_in(&acme)
        .await;
    assert_eq!(count(&acme, "web"), 1);
    outcome.succeeds();
}

#[tokio::test]
async fn a_step_asks_once_for_the_account_that_it_writes_as() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    acme.world.clear_exchanges();
    let step = dispatch(&acme, "web, api").input("ticket", format!("acme/hub#{ticket}"));
    step.run_in(&acme).await.succeeds();
    let requests = acme.requests().into_iter().filter(|line| line.ends_with("/reactions"));
    assert_eq!((requests.count(), count(&acme, "web"), count(&acme, "api")), (1, 1, 1));
}
