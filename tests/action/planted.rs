//! What earlier steps of a job, and whoever may write issues, can plant for a step to find.
//!
//! An earlier step of the same job has no token, but it can write below `RUNNER_TEMP`. Whoever may write issues
//! can put any number into a marker.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Acme, Step};

const FAR: u64 = 1 << 62;

/// A step of the job `build` of run 9000 of `acme/web`.
fn report(ticket: u64, temp: &Path) -> Step {
    let step = Step::new("report").run(9_000).job("build").temp(temp);
    step.input("ticket", format!("acme/hub#{ticket}")).input("stage", "build").input("status", "success")
}

/// Where that job keeps its state.
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
    let kept = json!({ "comment": comment, "record": record, "sent": true });
    json!({ "records": { format!("acme/hub#{ticket}"): kept } })
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
    let ticket = acme.dispatched("web").await;
    let elsewhere = acme.world.issue("acme/hub", "Something else", "", "alice");
    let claim = acme.records(ticket)[0].id;
    let of_a_person = acme.world.comment("acme/hub", ticket, "alice", "Please wait.");
    let of_another_issue = acme.world.comment("acme/hub", elsewhere, "acme-report[bot]", "Approved.");
    let temp = tempfile::tempdir().expect("a folder");
    report(elsewhere, temp.path()).run_in(&acme).await.succeeds();
    let of_another_ticket = acme.records(elsewhere).pop().expect("a record").id;

    let victims = [claim, of_a_person, of_another_issue, of_another_ticket];
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
    let ticket = acme.dispatched("web").await;
    let claim = acme.records(ticket)[0].id;
    let mut planted = state(ticket, claim);
    planted["records"][format!("acme/hub#{ticket}")]["record"]["by"]["run"] = json!(9_999);
    planted["records"][format!("acme/hub#{ticket}")]["comment"] = Value::Null;
    planted["records"][format!("acme/hub#{ticket}")]["sent"] = json!(false);
    let temp = tempfile::tempdir().expect("a folder");
    plant(temp.path(), &planted);
    report(ticket, temp.path()).run_in(&acme).await.succeeds();
    let record = acme.records(ticket).pop().expect("a record").body;
    assert!(record.contains("\"run\":9000") && !record.contains("9999"), "{record}");
    assert!(!record.contains("evil.example") && !record.contains("`plan`"), "{record}");
}

#[tokio::test]
async fn a_planted_log_is_not_read() {
    let acme = Acme::new().await;
    let ticket = acme.dispatched("web").await;
    let temp = tempfile::tempdir().expect("a folder");
    report(ticket, temp.path()).run_in(&acme).await.succeeds();
    let record = acme.records(ticket).pop().expect("a record");
    let forged = record.body.replace("\"run\":9000", "\"run\":9999").replace("\"build\"", "\"forged\"");
    let comment = json!({
        "id": record.id + 1_000_000, "author": "acme-report[bot]", "trusted": true, "body": forged,
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
    let ticket = acme.dispatched("web").await;
    for kind in ["symbolic link", "hard link", "pipe", "link to a folder", "file in place of the folder"] {
        let temp = tempfile::tempdir().expect("a folder");
        let victim = temp.path().join("victim");
        std::fs::write(&victim, "precious").expect("a writable folder");
        match kind {
            "symbolic link" => symlink(&victim, state_file(temp.path())).expect("a link"),
            "hard link" => std::fs::hard_link(&victim, state_file(temp.path())).expect("a link"),
            "pipe" => {
                let made = std::process::Command::new("mkfifo").arg(state_file(temp.path())).status();
                assert!(made.is_ok_and(|status| status.success()));
            }
            "link to a folder" => {
                let folder = temp.path().join("elsewhere");
                std::fs::create_dir(&folder).expect("a writable folder");
                symlink(&folder, temp.path().join("release-ticket")).expect("a link");
            }
            _ => symlink(&victim, temp.path().join("release-ticket")).expect("a link"),
        }
        let done = report(ticket, temp.path()).job("build").debug().run_in(&acme).await;
        done.succeeds().says("steps of this job share nothing");
        assert_eq!(std::fs::read_to_string(&victim).expect("a file"), "precious", "{kind}");
        let elsewhere = std::fs::read_dir(temp.path().join("elsewhere"));
        assert!(elsewhere.map_or(0, Iterator::count) == 0, "{kind}");
    }
    // Without a folder of its own the job finds its record in the ticket.
    assert_eq!(acme.records(ticket).len(), 2, "a claim and one record");
}

#[tokio::test]
async fn a_state_file_that_cannot_be_read_is_no_word_on_what_was_written() {
    let acme = Acme::new().await;
    let ticket = acme.dispatched("web").await;
    let temp = tempfile::tempdir().expect("a folder");
    report(ticket, temp.path()).run_in(&acme).await.succeeds();
    let mut far = state(ticket, 1);
    far["records"][format!("acme/hub#{ticket}")]["record"]["seq"] = json!(u64::MAX);
    let mut of_nothing = state(ticket, 1);
    of_nothing["records"][format!("acme/hub#{ticket}")]["comment"] = json!(FAR);
    for (name, text) in [
        ("nested", "[".repeat(200_000)),
        ("a huge number", "9".repeat(10_000)),
        ("too long", format!("{{\"records\":{{}},\"x\":\"{}\"}}", "x".repeat(20_000_000))),
        ("a sequence that cannot go on", far.to_string()),
        ("a comment that no one has", of_nothing.to_string()),
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

/// The notice of `run` as one of another run, as whoever may write issues can write it.
fn forged(notice: &str, run: u64, other: u64) -> String {
    let forged = notice.replace(&format!("\"run\":{run}"), &format!("\"run\":{other}"));
    assert_ne!(forged, notice);
    forged
}

#[tokio::test]
async fn a_notice_of_a_run_that_does_not_exist_silences_no_later_failure() {
    for far in [FAR, (1 << 53) - 1, u64::MAX] {
        let acme = Acme::new().await;
        let run = web_run(&acme);
        notify(&acme, "failure", run).run_in(&acme).await.succeeds();
        let notice = acme.world.issues("acme/web")[0].body.clone();
        acme.world.comment("acme/web", 1, "alice-bot[bot]", &forged(&notice, run, far));
        acme.world.close_issue("acme/web", 1);

        let later = web_run(&acme);
        let done = notify(&acme, "failure", later).run_in(&acme).await;
        assert_eq!(done.output("issue-number"), "1", "{far}");
        assert!(acme.world.issues("acme/web")[0].is_open(), "{far}");
        // Nor does it keep what works again from being resolved.
        notify(&acme, "success", web_run(&acme)).run_in(&acme).await.succeeds();
        assert!(!acme.world.issues("acme/web")[0].is_open(), "{far}");
    }
}

#[tokio::test]
async fn a_notice_of_a_newer_run_that_nobody_may_see_silences_no_failure() {
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
    let ticket = acme.dispatched("web").await;
    let step = |status: &str, run| notify(&acme, status, run).input("ticket", format!("acme/hub#{ticket}"));
    let run = web_run(&acme);
    step("failure", run).run_in(&acme).await.succeeds();
    let notice = acme.records(ticket).pop().expect("a notice").body;
    acme.world.comment("acme/hub", ticket, "alice", &forged(&notice, run, (1 << 53) - 1));
    let before = acme.records(ticket).len();
    step("success", web_run(&acme)).run_in(&acme).await.succeeds();
    assert_eq!(acme.records(ticket).len(), before + 1);
}

#[tokio::test]
async fn a_record_with_a_number_that_nobody_hands_out_counts_for_nothing() {
    let acme = Acme::new().await;
    let ticket = acme.dispatched("web").await;
    let temp = tempfile::tempdir().expect("a folder");
    report(ticket, temp.path()).run_in(&acme).await.succeeds();
    let record = acme.records(ticket).pop().expect("a record").body;
    let claim = acme.records(ticket)[0].body.clone();
    for (of, from, to) in [
        (&record, "\"run\":9000", format!("\"run\":{FAR}")),
        (&record, "\"run\":9000", format!("\"run\":{}", u64::MAX)),
        (&record, "\"run\":9000", "\"run\":1e300".to_owned()),
        (&record, "\"seq\":1", format!("\"seq\":{}", u64::MAX)),
        (&record, "\"seq\":1", format!("\"seq\":{}0", u64::MAX)),
        (&claim, "\"seq\":", format!("\"seq\":{}", u64::MAX / 100)),
    ] {
        let forged = of.replace(from, &to);
        assert_ne!(&forged, of);
        acme.world.comment("acme/hub", ticket, "acme-report[bot]", &forged);
    }
    acme.world.advance(Duration::from_secs(60));
    report(ticket, temp.path()).input("stage", "test").run_in(&acme).await.succeeds();
    let board = acme.board(ticket);
    assert!(board.contains("Shows 2 records"), "{board}");
    // Nor does it hold a target.
    acme.add_target("other");
    let step = Step::new("dispatch").input("targets", "other").input("workflow", "release.yml");
    step.input("ticket", format!("acme/hub#{ticket}")).run_in(&acme).await.succeeds();
    assert_eq!(acme.world.runs("acme/other").len(), 1);
}
