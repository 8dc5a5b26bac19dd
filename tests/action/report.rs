//! The mode `report`.

use serde_json::json;
use simulated_github::{Fault, Kind};

use crate::support::{Acme, Step, for_people};

fn report(ticket: u64, stage: &str, status: &str) -> Step {
    Step::new("report")
        .run(9_000)
        .job("build")
        .input("ticket", format!("acme/hub#{ticket}"))
        .input("stage", stage)
        .input("status", status)
}

#[tokio::test]
async fn a_job_has_one_record_and_the_board_shows_it() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let run = acme.world.runs("acme/web")[0].id;
    let temp = tempfile::tempdir().expect("a folder");

    let step = |stage: &str, status: &str| report(ticket, stage, status).run(run).temp(temp.path());
    step("build", "in_progress").run_in(&acme).await.succeeds();
    let outcome =
        step("build", "success").input("message", "42 tests | all green\nin 3 s").run_in(&acme).await;
    outcome.succeeds();

    let [_claim, record] = &acme.records(ticket)[..] else { panic!("a claim and a record") };
    assert_eq!(outcome.output("comment-id"), record.id.to_string());
    assert_eq!(outcome.output("delivered"), "true");
    insta::assert_snapshot!(for_people(&record.body).replace(&run.to_string(), "RUN"), @r"
    ✅ success **web** `build` · [run RUN](https://github.com/acme/web/actions/runs/RUN)

    > 42 tests | all green
    > in 3 s
    ");
    let board = acme.board(ticket);
    let row = acme.row(ticket, "web");
    assert!(row.starts_with("| **web** | 🔄 in progress | ✅ build: 42 tests \\| all green | "), "{row}");
    assert!(board.contains("0 of 1 released"), "{board}");
}

#[tokio::test]
async fn a_folder_that_the_runner_did_not_mount_is_not_shared() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let temp = tempfile::tempdir().expect("a folder");
    let missing_folder = temp.path().join("runner");
    for stage in ["build", "test"] {
        report(ticket, stage, "success").temp(&missing_folder).run_in(&acme).await.succeeds();
    }
    assert!(!missing_folder.exists(), "files there would be gone with the step's container");
    let [_claim, record] = &acme.records(ticket)[..] else { panic!("a claim and one record") };
    assert!(record.body.contains("`build`") && record.body.contains("`test`"), "{}", record.body);
}

#[tokio::test]
async fn the_target_is_the_one_that_the_dispatch_started() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("[{ name: site, repository: web }]").await;
    let run = acme.world.runs("acme/web")[0].id;
    report(ticket, "publish", "success").run(run).input("done", "true").run_in(&acme).await.succeeds();
    assert!(acme.row(ticket, "site").starts_with("| **site** | ✅ released |"), "{}", acme.board(ticket));
}

#[tokio::test]
async fn the_ticket_comes_from_the_event_that_started_the_run() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let event =
        json!({ "inputs": { "release-ticket": format!("acme/hub#{ticket}"), "release-target": "web" } });
    let outcome = Step::new("report").input("status", "success").event(event).run_in(&acme).await;
    outcome.succeeds();
    assert_eq!(outcome.output("ticket-number"), ticket.to_string());
    assert_eq!(outcome.output("ticket-repository"), "acme/hub");
}

#[tokio::test]
async fn without_a_ticket_nothing_is_written() {
    let acme = Acme::new().await;
    for ticket in ["", "0", "-1"] {
        let outcome =
            Step::new("report").input("ticket", ticket).input("status", "success").run_in(&acme).await;
        outcome.succeeds().says("::notice::there is no release ticket");
        assert_eq!(outcome.output("ticket-number"), "");
    }
    assert_eq!(acme.requests(), [""; 0]);
}

#[tokio::test]
async fn a_new_comment_for_each_step_is_a_choice() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let temp = tempfile::tempdir().expect("a folder");
    for status in ["in_progress", "success"] {
        let step = report(ticket, "build", status).input("comment-mode", "new").temp(temp.path());
        step.run_in(&acme).await.succeeds();
    }
    assert_eq!(acme.records(ticket).len(), 3);
    assert!(acme.row(ticket, "web").contains("| 🔄 in progress | ✅ build |"), "{}", acme.board(ticket));
}

#[tokio::test]
async fn a_late_report_of_an_older_attempt_does_not_win() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let run = acme.world.runs("acme/web")[0].id;
    let publish = |attempt, status: &str| {
        report(ticket, "publish", status).run(run).attempt(attempt).job("publish").input("done", "true")
    };
    publish(2, "success")
        .input("url", "https://github.com/acme/web/releases/tag/v1")
        .run_in(&acme)
        .await
        .succeeds();
    publish(1, "failure").input("message", "the registry was down").run_in(&acme).await.succeeds();
    let board = acme.board(ticket);
    assert!(board.contains("**1 of 1 released**"), "{board}");
    assert!(board.contains("[v1](https://github.com/acme/web/releases/tag/v1)"), "{board}");
    assert!(board.contains("Older attempts (1)") && board.contains("the registry was down"), "{board}");
}

#[tokio::test]
async fn an_undelivered_report_goes_out_with_the_jobs_next_report() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let temp = tempfile::tempdir().expect("a folder");
    acme.world.lock_issue("acme/hub", ticket);

    let outcome =
        report(ticket, "build", "failure").input("message", "first").temp(temp.path()).run_in(&acme).await;
    outcome.succeeds().says("::warning::cannot report to acme/hub#").says("unlock the issue");
    assert_eq!(outcome.output("delivered"), "false");

    acme.world.unlock_issue("acme/hub", ticket);
    report(ticket, "test", "success").temp(temp.path()).run_in(&acme).await.succeeds();
    let record = &acme.records(ticket)[1].body;
    assert!(record.contains("first") && record.contains("`test`") && record.contains("`build`"), "{record}");
}

#[tokio::test]
async fn fail_on_error_makes_an_undelivered_report_an_error() {
    let acme = Acme::new().await;
    let outcome = report(4_711, "build", "success").input("fail-on-error", "TRUE").run_in(&acme).await;
    outcome.fails().says("::error::cannot report to acme/hub#4711").says("404");
    assert!(outcome.summary.contains("cannot report"), "{}", outcome.summary);
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    acme.world.token("weak-token").acts_as("weak[bot]").can("acme/hub", &["issues: read"]);
    let outcome = report(ticket, "build", "success").input("token", "weak-token").run_in(&acme).await;
    outcome
        .succeeds()
        .says("Resource not accessible by integration")
        .says("`issues: write`")
        .says("on acme/hub");
}

#[tokio::test]
async fn a_forged_record_counts_for_nothing() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    report(ticket, "publish", "success").input("done", "true").run_in(&acme).await.succeeds();
    let record = acme.records(ticket).pop().expect("a record").body;
    let forgery = record.replace("\"run\":9000", "\"run\":99999").replace("success", "failure");
    acme.world.comment("acme/hub", ticket, "mallory", &forgery);
    acme.world.comment(
        "acme/hub",
        ticket,
        "mallory",
        "<!-- release-ticket:1 board {\"seen\":{\"records\":{}}} -->",
    );

    let outcome = report(ticket, "after", "success").job("after").debug().run_in(&acme).await;
    outcome.succeeds().says("::debug::comment").says("mallory may not write records");
    let comments = acme.world.issue_view("acme/hub", ticket).comments;
    let board = comments.iter().find(|comment| comment.is_pinned).expect("the pinned board");
    assert!(board.body.contains("1 of 1 released"), "{}", board.body);
}

#[tokio::test]
async fn a_members_copy_of_a_board_or_a_record_stays_as_it_is() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    report(ticket, "build", "in_progress").run_in(&acme).await.succeeds();
    let copies: Vec<_> = acme
        .world
        .issue_view("acme/hub", ticket)
        .comments
        .into_iter()
        .map(|comment| {
            let body = format!("{}\n\nLook at this!", comment.body);
            (acme.world.comment("acme/hub", ticket, "alice", &body), body)
        })
        .collect();
    report(ticket, "build", "success").run_in(&acme).await.succeeds();
    for (id, body) in copies {
        assert_eq!(acme.world.comment_view(id).map(|comment| comment.body), Some(body));
    }
}

#[tokio::test]
async fn the_text_of_people_stays_byte_for_byte() {
    let acme = Acme::new().await;
    let body = "- [ ] announce\r\n- [x] tag\r\n\r\nsee ![x](y) @bob <b>\u{200b}";
    let ticket = acme.world.issue("acme/hub", "Release by hand", body, "alice");
    let comment =
        acme.world.comment("acme/hub", ticket, "alice", "please wait\r\n<!-- release-ticket: not ours -->");
    report(ticket, "build", "success").run_in(&acme).await.succeeds();
    let issue = acme.world.issue_view("acme/hub", ticket);
    assert_eq!((issue.body.as_str(), issue.title.as_str()), (body, "Release by hand"));
    assert_eq!(
        acme.world.comment_view(comment).map(|comment| comment.body),
        Some("please wait\r\n<!-- release-ticket: not ours -->".into())
    );
}

#[tokio::test]
async fn a_lost_answer_writes_no_second_record() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    for kind in [Kind::StatusAfter(502), Kind::DropAfter] {
        let before = acme.records(ticket).len();
        acme.world.fault(Fault::on("POST", "/repos/acme/hub/issues/*/comments").then(kind));
        report(ticket, "build", "success").job(&format!("job-{before}")).run_in(&acme).await.succeeds();
        assert_eq!(acme.records(ticket).len(), before + 1);
    }
}

#[tokio::test]
async fn a_deleted_record_or_board_is_written_again() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    report(ticket, "build", "success").run_in(&acme).await.succeeds();
    let comments = acme.world.issue_view("acme/hub", ticket).comments;
    for comment in comments.iter().filter(|comment| !comment.body.contains(" dispatch {")) {
        acme.world.delete_comment("acme/hub", comment.id);
    }
    report(ticket, "test", "success").run_in(&acme).await.succeeds();
    assert!(acme.row(ticket, "web").contains("✅ test"), "{}", acme.board(ticket));

    // A record that is gone for good does not stop the board.
    let record = acme.records(ticket).pop().expect("a record");
    acme.world.delete_comment("acme/hub", record.id);
    report(ticket, "other", "success").job("other").run_in(&acme).await.succeeds();
    assert!(acme.row(ticket, "web").contains("✅ other"), "{}", acme.board(ticket));
}

#[tokio::test]
async fn parallel_steps_of_one_job_share_its_record() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let temp = tempfile::tempdir().expect("a folder");
    let step = |stage: &str| report(ticket, stage, "success").temp(temp.path());
    let (one, two) = tokio::join!(step("lint").run_in(&acme), step("test").run_in(&acme));
    one.succeeds();
    two.succeeds();
    let records = acme.records(ticket);
    assert_eq!(records.len(), 2, "a claim and one record");
    assert!(records[1].body.contains("`lint`") && records[1].body.contains("`test`"), "{}", records[1].body);
}

#[tokio::test]
async fn ten_jobs_at_once_lose_nothing() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let run = acme.world.runs("acme/web")[0].id;
    let steps = (0..10).map(|job| {
        report(ticket, &format!("stage-{job}"), "success").run(run).job(&format!("job-{job}")).run_in(&acme)
    });
    for outcome in futures::future::join_all(steps).await {
        outcome.succeeds();
    }
    assert_eq!(acme.records(ticket).len(), 11);
    let board = acme.board(ticket);
    assert!(board.contains("Shows 11 records"), "{board}");
}

#[tokio::test]
async fn a_dry_run_prints_the_plan_and_changes_nothing() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let before = acme.world.story();
    let outcome = report(ticket, "build", "success").input("dry-run", "true").run_in(&acme).await;
    outcome.succeeds().says(&format!("comment on acme/hub#{ticket}"));
    assert_eq!(acme.world.story(), before);
    let plan: serde_json::Value = serde_json::from_str(outcome.output("plan")).expect("JSON");
    assert_eq!(plan[0]["effect"], "create-comment");
}

#[tokio::test]
async fn untrusted_text_is_no_command_to_the_runner_and_pings_nobody() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let message =
        "::error::no\n##[error]no\n@everyone <img src=x> ![x](http://evil.example/x.png) <!-- --> | a";
    let outcome = report(ticket, "a\n::set-env::", "failure").input("message", message).run_in(&acme).await;
    outcome.succeeds();
    for line in outcome.visible_log().lines() {
        assert!(!line.trim_start().starts_with("::error") && !line.contains("##["), "{line}");
    }
    for comment in acme.world.issue_view("acme/hub", ticket).comments {
        let text = for_people(&comment.body);
        assert!(
            !text.contains("@everyone")
                && !text.contains("<img")
                && !text.contains("![")
                && !text.contains("<!--"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_debug_run_shows_every_request_in_a_group() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    acme.world.clear_exchanges();
    let outcome = report(ticket, "build", "success").debug().run_in(&acme).await;
    outcome.succeeds();
    let groups = outcome.log.lines().filter(|line| line.starts_with("::group::")).count();
    assert_eq!(groups, acme.requests().len());
    outcome
        .says(&format!("::group::POST /repos/acme/hub/issues/{ticket}/comments → 201 ("))
        .says("rate limit left: ")
        .says("request id: ");
    assert!(!outcome.visible_log().contains("target-token"));
}

#[tokio::test]
async fn a_board_that_a_person_has_hidden_is_written_with_one_warning() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let comments = acme.world.issue_view("acme/hub", ticket).comments;
    let board = comments.iter().find(|comment| comment.body.contains(" board ")).expect("a board").id;
    acme.world.minimize_comment(board, "outdated");
    let report = Step::new("report").run(7_001).input("ticket", format!("acme/hub#{ticket}"));
    let outcome = report.input("status", "success").run_in(&acme).await;
    outcome.succeeds().says(&format!(
        "::warning::a person has hidden the board of acme/hub#{ticket} as \"outdated\": http"
    ));
    outcome.says("help: to show it again, choose \"Unhide\" in the menu of that comment");
    assert_eq!(outcome.log.matches("has hidden the board").count(), 1, "{}", outcome.log);
    let dispatch =
        Step::new("dispatch").run(501).input("targets", "web, api").input("workflow", "release.yml");
    let outcome = dispatch.input("release", "1.4.0").run_in(&acme).await;
    outcome.succeeds();
    assert_eq!(outcome.log.matches("has hidden the board").count(), 1, "{}", outcome.log);
}
