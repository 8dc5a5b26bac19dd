//! Text from records, events and targets pings nobody, loads nothing and refers to no issue, wherever a later
//! step repeats it.

use serde_json::json;

use crate::support::{Acme, Step, for_people};

/// The comments of the action on the ticket, as people see them.
fn texts(acme: &Acme, ticket: u64) -> String {
    let comments = acme.world.issue_view("acme/hub", ticket).comments;
    let ours = comments.iter().filter(|comment| comment.author.ends_with("[bot]"));
    ours.map(|comment| for_people(&comment.body)).collect::<Vec<_>>().join("\n\n")
}

/// Adds a record of a member: that of the hub job, for a later run, for `api`, and with these changes.
fn forge(acme: &Acme, ticket: u64, changes: &[(&str, &str)]) {
    let claim = acme.records(ticket).remove(0).body;
    let mut forgery =
        claim.replace("\"web\"", "\"api\"").replace("acme/web", "acme/api").replace("\"run\":", "\"run\":9");
    for (from, to) in changes {
        assert!(forgery.contains(from), "{from}: {forgery}");
        forgery = forgery.replace(from, to);
    }
    acme.world.comment("acme/hub", ticket, "alice", &forgery);
}

/// Runs the steps of other jobs: one that starts `docs`, one that reports, and one that notifies.
async fn run_other_jobs(acme: &Acme, ticket: u64) {
    let place = format!("acme/hub#{ticket}");
    let dispatch = Step::new("dispatch").run(600).input("ticket", &place).input("workflow", "release.yml");
    dispatch.input("targets", "docs").run_in(acme).await.succeeds();
    assert_eq!(acme.world.runs("acme/docs").len(), 1);
    let report = Step::new("report").run(9_100).input("ticket", &place).input("status", "success");
    report.run_in(acme).await.succeeds();
    let notify = Step::new("notify").run(9_101).input("ticket", &place).input("status", "failure");
    notify.run_in(acme).await.succeeds();
}

#[tokio::test]
async fn a_driver_that_is_not_a_login_is_named_nowhere() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    forge(
        &acme,
        ticket,
        &[("\"driver\":\"alice\"", r#""driver":"![x](https://evil.example/x.png) @acme/everyone""#)],
    );
    run_other_jobs(&acme, ticket).await;
    let texts = texts(&acme, ticket);
    assert!(!texts.contains("evil.example") && !texts.contains("acme/everyone"), "{texts}");
    // The rest of the record is read, and holds nothing.
    assert!(acme.row(ticket, "api").starts_with("| **api** |"), "{}", acme.board(ticket));
    assert!(!acme.board(ticket).contains("newer release"), "{}", acme.board(ticket));
}

#[tokio::test]
async fn addresses_and_names_in_a_record_are_text() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let evil = "x ![x](https://evil.example/x.png) @mallory #12";
    let job = format!(r#""job":"{evil}""#);
    let claim = acme.records(ticket).remove(0).body;
    let url = claim
        .split("\"run_url\":\"")
        .nth(2)
        .and_then(|rest| rest.split('"').next())
        .expect("the run's URL")
        .to_owned();
    forge(
        &acme,
        ticket,
        &[
            ("\"job\":\"dispatch\"", &job),
            ("\"target\":\"api\"", &format!(r#""target":"{evil}""#)),
            (&url.replace("acme/web", "acme/api"), "javascript:alert(1)"),
            ("\"ref\":\"main\"", &format!(r#""ref":"{evil}""#)),
        ],
    );
    run_other_jobs(&acme, ticket).await;
    let texts = texts(&acme, ticket);
    for mark in ["![", "javascript", "@mallory", "#12"] {
        assert!(!texts.contains(mark), "{mark}: {texts}");
    }
    // The targets of the hub are links to their runs.
    let run = acme.world.runs("acme/docs").remove(0).id;
    assert!(
        texts.contains(&format!("[started]({}/acme/docs/actions/runs/{run})", acme.server.url())),
        "{texts}"
    );
}

#[tokio::test]
async fn the_message_of_a_target_refers_to_no_issue_and_closes_none() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let message = "fixes #1, closes acme/web#1 and GH-1, see https://github.com/acme/web/issues/1 and 0123abcd\n\
                   [!CAUTION]\n# Big\nBig\n===\na | b\n--|--\n- [ ] task\n- [x] task";
    let report = Step::new("report").run(9_000).input("ticket", format!("acme/hub#{ticket}"));
    let report = report.input("status", "failure").input("message", message);
    report.input("url", "https://github.com/acme/web/pull/1").run_in(&acme).await.succeeds();
    let notify = Step::new("notify").run(9_001).input("ticket", format!("acme/hub#{ticket}"));
    notify.input("status", "failure").input("message", message).run_in(&acme).await.succeeds();
    run_other_jobs(&acme, ticket).await;
    let texts = texts(&acme, ticket);
    let marks = [
        "#1",
        "GH-1",
        "//github.com/acme/web/issues",
        "//github.com/acme/web/pull",
        "0123abcd",
        "[!CAUTION]\n> #",
    ];
    for mark in marks.into_iter().chain([
        "> # Big",
        "> ===",
        "> --|--",
        "[ ] task",
        "[x] task",
        "> [!CAUTION]\n> Big",
    ]) {
        assert!(!texts.contains(mark), "{mark}: {texts}");
    }
    assert!(texts.contains("](https://redirect.github.com/acme/web/pull/1)"), "{texts}");
}

#[tokio::test]
async fn an_issue_that_notify_opens_refers_to_no_other() {
    let acme = Acme::new().await;
    acme.world.token("target-token").can("acme/web", &["issues: write"]);
    let event = json!({ "inputs": {} });
    let notify = Step::new("notify").event(event).input("status", "failure");
    notify.input("message", "fixes acme/hub#1\n[!NOTE]\n- [ ] closes GH-2").run_in(&acme).await.succeeds();
    let issue = acme.world.issues("acme/web").remove(0);
    let text = format!("{}\n{}", issue.title, for_people(&issue.body));
    for mark in ["#1", "[!NOTE]", "[ ] ", "GH-2"] {
        assert!(!text.contains(mark), "{mark}: {text}");
    }
}

/// The template is the hub's own; its values are not.
#[tokio::test]
async fn the_values_in_the_text_of_a_ticket_are_text() {
    let acme = Acme::new().await;
    let hostile = "Fixes acme/web#1 for @mallory <!-- \n# Big\n- [x] task\n  - indented";
    let event = json!({ "client_payload": { "notes": hostile, "list": [hostile] } });
    let step = Step::new("dispatch").event(event).input("targets", "web").input("workflow", "release.yml");
    let step = step.input("release", "{{ inputs.list[0][:18] }}").input("title", "{{ inputs.notes }}");
    let body = "# Notes for @alice\n\n{{ inputs.notes }}\n\n{{ inputs.list | join(' ') }}\n\n{{ release }}\n";
    step.input("body", body).run_in(&acme).await.succeeds();
    let issue = acme.world.issue_view("acme/hub", 1);
    let text = format!("{}\n{}\n{}", issue.title, for_people(&issue.body), texts(&acme, 1));
    for mark in ["#1", "@mallory", "<!--", "\n# Big", "[x] task"] {
        assert!(!text.contains(mark), "{mark}: {text}");
    }
    assert!(text.contains("# Notes for @alice\n") && text.contains("\n  - indented\n"), "{text}");
}
