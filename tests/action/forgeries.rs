//! Planted files and markers that a step finds.
//!
//! An earlier step of the same job has no token, but it can write below `RUNNER_TEMP`. People and jobs that may write
//! issues can put any number into a marker.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Acme, Step};

const HUGE_NUMBER: u64 = 1 << 62;

/// A step of the job `build` of run 9000 of `acme/web`.
fn report(ticket: u64, temp: &Path) -> Step {
    let step = Step::new("report").run(9_000).job("build").temp(temp);
    step.input("ticket", format!("acme/hub#{ticket}")).input("stage", "build").input("status", "success")
}

/// The file in which that job keeps its state.
fn state_file(temp: &Path) -> PathBuf {
    let folder = temp.join("release-ticket");
    std::fs::create_dir_all(&folder).expect("a writable folder");
    folder.join("9000-1-build.json")
}

/// The state of that job: its record is in `comment`.
fn state(ticket: u64, comment: u64) -> Value {
    let stage = json!({ "stage": "plan", "status": "success", "at": "2026-11-25T12:00:00Z", "seq": 3 });
    let record = json!({
        "by": { "repository": "acme/web", "run": 9_000, "attempt": 1, "job": "build" },
        "seq": 3, "run_url": "https://evil.example/", "stages": [stage],
    });
    let entry = json!({ "comment": comment, "record": record, "sent": true });
    json!({ "records": { format!("acme/hub#{ticket}"): entry } })
}

fn plant(temp: &Path, state: &Value) {
    std::fs::write(state_file(temp), state.to_string()).expect("a writable folder");
}

fn body(acme: &Acme, comment: u64) -> String {
    acme.world.comment_view(comment).expect("the comment is there").body
}

#[tokio::test]
async fn a_planted_state_file_lets_no_comment_be_overwritten() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let elsewhere = acme.world.issue("acme/hub", "Something else", "", "alice");
    let claim = acme.records(ticket)[0].id;
    let person_comment = acme.world.comment("acme/hub", ticket, "alice", "Please wait.");
    let other_comment = acme.world.comment("acme/hub", elsewhere, "acme-report[bot]", "Approved.");
    let temp = tempfile::tempdir().expect("a folder");
    report(elsewhere, temp.path()).run_in(&acme).await.succeeds();
    let other_record = acme.records(elsewhere).pop().expect("a record").id;

    let victims = [claim, person_comment, other_comment, other_record];
    let before = victims.map(|comment| body(&acme, comment));
    for victim in victims {
        let temp = tempfile::tempdir().expect("a folder");
        plant(temp.path(), &state(ticket, victim));
        report(ticket, temp.path()).run_in(&acme).await.succeeds();
    }
    assert_eq!(victims.map(|comment| body(&acme, comment)), before);
    // The report is where it belongs.
    let records = acme.records(ticket);
    assert!(records.iter().all(|record| !record.body.contains("evil.example")), "{records:?}");
    assert!(records.iter().any(|record| record.body.contains("success **web** `build`")), "{records:?}");
}

#[tokio::test]
async fn a_planted_state_file_speaks_for_no_other_job() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let claim = acme.records(ticket)[0].id;
    let mut forgery = state(ticket, claim);
    forgery["records"][format!("acme/hub#{ticket}")]["record"]["by"]["run"] = json!(9_999);
    forgery["records"][format!("acme/hub#{ticket}")]["comment"] = Value::Null;
    forgery["records"][format!("acme/hub#{ticket}")]["sent"] = json!(false);
    let temp = tempfile::tempdir().expect("a folder");
    plant(temp.path(), &forgery);
    report(ticket, temp.path()).run_in(&acme).await.succeeds();
    let record = acme.records(ticket).pop().expect("a record").body;
    assert!(record.contains("\"run\":9000") && !record.contains("9999"), "{record}");
    assert!(!record.contains("evil.example") && !record.contains("`plan`"), "{record}");
}

#[tokio::test]
async fn a_planted_log_is_not_read() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let temp = tempfile::tempdir().expect("a folder");
    report(ticket, temp.path()).run_in(&acme).await.succeeds();
    let record = acme.records(ticket).pop().expect("a record");
    let forgery = record.body.replace("\"run\":9000", "\"run\":9999").replace("\"build\"", "\"forged\"");
    let comment = json!({
        "id": record.id + 1_000_000, "author": "acme-report[bot]", "trusted": true, "body": forgery,
        "created_at": "2026-11-25T12:00:00Z", "updated_at": "2026-11-25T12:00:00Z", "url": "https://github.com/",
    });
    let log = json!({ "comments": [comment], "newest_change": "2026-11-25T12:00:00Z" });
    let path = temp.path().join(format!("release-ticket/9000-1-build.acme-hub-{ticket}.log"));
    std::fs::write(path, log.to_string()).expect("a writable folder");
    report(ticket, temp.path()).input("stage", "test").run_in(&acme).await.succeeds();
    let board = acme.board(ticket);
    assert!(!board.contains("forged") && board.contains("Shows 2 records"), "{board}");
}

#[tokio::test]
async fn a_state_file_that_is_a_link_or_a_pipe_is_left_alone() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    for kind in ["symbolic link", "hard link", "pipe", "link to a folder", "file in place of the folder"] {
        let temp = tempfile::tempdir().expect("a folder");
        let victim = temp.path().join("victim");
        std::fs::write(&victim, "precious").expect("a writable folder");
        match kind {
            "symbolic link" => symlink(&victim, state_file(temp.path())).expect("a link"),
            "hard link" => std::fs::hard_link(&victim, state_file(temp.path())).expect("a link"),
            "pipe" => {
                let mkfifo = std::process::Command::new("mkfifo").arg(state_file(temp.path())).status();
                assert!(mkfifo.is_ok_and(|status| status.success()));
            }
            "link to a folder" => {
                let folder = temp.path().join("elsewhere");
                std::fs::create_dir(&folder).expect("a writable folder");
                symlink(&folder, temp.path().join("release-ticket")).expect("a link");
            }
            _ => symlink(&victim, temp.path().join("release-ticket")).expect("a link"),
        }
        let outcome = report(ticket, temp.path()).job("build").debug().run_in(&acme).await;
        outcome.succeeds().says("steps of this job cannot share their record");
        assert_eq!(std::fs::read_to_string(&victim).expect("a file"), "precious", "{kind}");
        let elsewhere = std::fs::read_dir(temp.path().join("elsewhere"));
        assert!(elsewhere.map_or(0, Iterator::count) == 0, "{kind}");
    }
    // Without a folder of its own, the job finds its record on the ticket.
    assert_eq!(acme.records(ticket).len(), 2, "a claim and one record");
}

#[tokio::test]
async fn a_state_file_that_cannot_be_read_counts_for_nothing() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let temp = tempfile::tempdir().expect("a folder");
    report(ticket, temp.path()).run_in(&acme).await.succeeds();
    let mut far_sequence = state(ticket, 1);
    far_sequence["records"][format!("acme/hub#{ticket}")]["record"]["seq"] = json!(u64::MAX);
    let mut missing_comment = state(ticket, 1);
    missing_comment["records"][format!("acme/hub#{ticket}")]["comment"] = json!(HUGE_NUMBER);
    for (name, text) in [
        ("nested", "[".repeat(200_000)),
        ("a huge number", "9".repeat(10_000)),
        ("too long", format!("{{\"records\":{{}},\"x\":\"{}\"}}", "x".repeat(20_000_000))),
        ("a sequence that cannot go on", far_sequence.to_string()),
        ("a comment that does not exist", missing_comment.to_string()),
        ("no text", "\u{0}".repeat(5)),
    ] {
        std::fs::write(state_file(temp.path()), text).expect("a writable folder");
        report(ticket, temp.path()).input("stage", name).run_in(&acme).await.succeeds();
    }
    let [_claim, record] = &acme.records(ticket)[..] else { panic!("a claim and one record") };
    assert!(record.body.contains("`nested`") && record.body.contains("`no text`"), "{}", record.body);
}

/// A failing run of `acme/web`, and the step that notifies of it.
fn notify(acme: &Acme, status: &str, run: u64) -> Step {
    let token = acme.world.token("web-token").acts_as("github-actions[bot]");
    token.can("acme/web", &["issues: write", "actions: read"]);
    let step = Step::new("notify").input("token", "web-token").input("ticket-token", "target-token");
    step.run(run).job("failed").input("status", status)
}

fn web_run(acme: &Acme) -> u64 {
    acme.world.start_run("acme/web", "release.yml", "push")
}

/// The notice of `run`, forged as one of another run. Each account that may write issues can do that.
fn forge(notice: &str, run: u64, other: u64) -> String {
    let forgery = notice.replace(&format!("\"run\":{run}"), &format!("\"run\":{other}"));
    assert_ne!(forgery, notice);
    forgery
}

#[tokio::test]
async fn a_notice_of_a_run_that_does_not_exist_silences_no_later_failure() {
    for number in [HUGE_NUMBER, (1 << 53) - 1, u64::MAX] {
        let acme = Acme::new().await;
        let run = web_run(&acme);
        notify(&acme, "failure", run).run_in(&acme).await.succeeds();
        let notice = acme.world.issues("acme/web")[0].body.clone();
        acme.world.comment("acme/web", 1, "alice-bot[bot]", &forge(&notice, run, number));
        acme.world.close_issue("acme/web", 1);

        let later = web_run(&acme);
        let outcome = notify(&acme, "failure", later).run_in(&acme).await;
        assert_eq!(outcome.output("issue-number"), "1", "{number}");
        assert!(acme.world.issues("acme/web")[0].is_open(), "{number}");
        // It does not prevent the resolution either.
        notify(&acme, "success", web_run(&acme)).run_in(&acme).await.succeeds();
        assert!(!acme.world.issues("acme/web")[0].is_open(), "{number}");
    }
}

#[tokio::test]
async fn a_notice_of_a_newer_run_that_the_token_may_not_see_silences_no_failure() {
    let acme = Acme::new().await;
    acme.world.repository("acme/web").private();
    let step = |status: &str, run| {
        acme.world.token("blind").acts_as("acme-release[bot]").can("acme/web", &["issues: write"]);
        notify(&acme, status, run).input("token", "blind")
    };
    let (older, newer) = (web_run(&acme), web_run(&acme));
    step("failure", newer).run_in(&acme).await.succeeds();
    acme.world.close_issue("acme/web", 1);
    step("failure", older).run_in(&acme).await.succeeds();
    assert!(acme.world.issues("acme/web")[0].is_open());
}

#[tokio::test]
async fn a_notice_of_a_run_that_does_not_exist_is_resolved_on_the_ticket() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let step = |status: &str, run| notify(&acme, status, run).input("ticket", format!("acme/hub#{ticket}"));
    let run = web_run(&acme);
    step("failure", run).run_in(&acme).await.succeeds();
    let notice = acme.records(ticket).pop().expect("a notice").body;
    acme.world.comment("acme/hub", ticket, "alice", &forge(&notice, run, (1 << 53) - 1));
    let before = acme.records(ticket).len();
    step("success", web_run(&acme)).run_in(&acme).await.succeeds();
    assert_eq!(acme.records(ticket).len(), before + 1);
}

#[tokio::test]
async fn a_record_with_an_impossible_number_counts_for_nothing() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let temp = tempfile::tempdir().expect("a folder");
    report(ticket, temp.path()).run_in(&acme).await.succeeds();
    let record = acme.records(ticket).pop().expect("a record").body;
    let claim = acme.records(ticket)[0].body.clone();
    for (original, from, to) in [
        (&record, "\"run\":9000", format!("\"run\":{HUGE_NUMBER}")),
        (&record, "\"run\":9000", format!("\"run\":{}", u64::MAX)),
        (&record, "\"run\":9000", "\"run\":1e300".to_owned()),
        (&record, "\"seq\":1", format!("\"seq\":{}", u64::MAX)),
        (&record, "\"seq\":1", format!("\"seq\":{}0", u64::MAX)),
        (&claim, "\"seq\":", format!("\"seq\":{}", u64::MAX / 100)),
    ] {
        let forgery = original.replace(from, &to);
        assert_ne!(&forgery, original);
        acme.world.comment("acme/hub", ticket, "acme-report[bot]", &forgery);
    }
    acme.world.advance(Duration::from_secs(60));
    report(ticket, temp.path()).input("stage", "test").run_in(&acme).await.succeeds();
    let board = acme.board(ticket);
    assert!(board.contains("Shows 2 records"), "{board}");
    // They hold no target either.
    acme.add_target("other");
    let step = Step::new("dispatch").input("targets", "other").input("workflow", "release.yml");
    step.input("ticket", format!("acme/hub#{ticket}")).run_in(&acme).await.succeeds();
    assert_eq!(acme.world.runs("acme/other").len(), 1);
}
