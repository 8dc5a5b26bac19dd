//! Tickets with records of a newer release of the action: no record is lost or counts as absent, and no target
//! starts a second time.

use serde_json::{Value, json};

use crate::support::{Acme, Outcome, Step};

const WARNING: &str = "a newer release of the action wrote this ticket";

fn hub(run: u64) -> Step {
    let step = Step::new("dispatch").run(run).input("targets", "web, api").input("workflow", "release.yml");
    step.input("release", "1.4.0")
}

fn report(acme: &Acme, target: &str) -> Step {
    let run = acme.world.runs(&format!("acme/{target}"))[0].id;
    let step = Step::new("report").in_repository(&format!("acme/{target}")).run(run).job("publish");
    step.input("ticket", "acme/hub#1").input("status", "success").input("done", "true")
}

/// A ticket on which hub run 500 has started web and api.
async fn release_under_way() -> Acme {
    let acme = Acme::new().await;
    hub(500).run_in(&acme).await.succeeds();
    acme
}

/// Rewrites the hub's record, as a newer release with more words would.
fn rewrite_record(acme: &Acme, change: impl Fn(&mut Value)) {
    let record = acme.records(1).remove(0);
    acme.world.edit_comment(record.id, &rewrite_marker(&record.body, change));
}

/// The text of a record with other data in its marker.
fn rewrite_marker(body: &str, change: impl Fn(&mut Value)) -> String {
    let (marker, text) = body.split_once('\n').expect("a marker and a text");
    let (head, rest) = marker.split_at(marker.find('{').expect("JSON"));
    let mut data: Value = serde_json::from_str(rest.trim_end_matches(" -->")).expect("JSON");
    change(&mut data);
    let data =
        data.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace("--", "\\u002d\\u002d");
    format!("{head}{data} -->\n{text}")
}

fn starts(acme: &Acme) -> [usize; 2] {
    ["web", "api"].map(|name| acme.world.runs(&format!("acme/{name}")).len())
}

fn results(outcome: &Outcome) -> Value {
    serde_json::from_str(outcome.output("results")).expect("JSON")
}

fn board_id(acme: &Acme) -> u64 {
    let comments = acme.world.issue_view("acme/hub", 1).comments;
    comments.iter().find(|comment| comment.body.contains("release-ticket:1 board ")).expect("a board").id
}

// ---- words ----

/// A change of a record's data, with its name.
type Change = (&'static str, fn(&mut Value));

/// The start of web, as a newer release may have recorded it.
fn newer_starts() -> [Change; 4] {
    [
        ("a state", |data| data["targets"][0]["state"] = json!("awaiting_approval")),
        ("a state with data", |data| data["targets"][0]["state"] = json!({ "gate": "go" })),
        ("a state without a run", |data| {
            data["targets"][0] = json!({
                "target": "web", "repository": "acme/web", "state": "awaiting_approval",
                "at": "2026-01-05T09:00:00Z",
            });
        }),
        ("a reason", |data| {
            data["targets"][0] = json!({
                "target": "web", "repository": "acme/web", "state": "waiting",
                "because": { "reason": "gate", "gates": ["go"] }, "at": "2026-01-05T09:00:00Z",
            });
        }),
    ]
}

#[tokio::test]
async fn a_report_for_another_target_keeps_a_target_that_a_newer_release_holds() {
    for (name, change) in newer_starts() {
        let acme = release_under_way().await;
        rewrite_record(&acme, change);
        let record = acme.records(1).remove(0).body;
        report(&acme, "api").run_in(&acme).await.succeeds().says(WARNING);
        let board = acme.board(1);
        assert!(board.contains("**1 of 2 released**") && board.contains("driver `alice`"), "{name}: {board}");
        assert!(!acme.row(1, "web").contains('✅'), "{name}: {board}");
        assert_eq!(acme.records(1)[0].body, record, "{name}");
    }
}

#[tokio::test]
async fn no_dispatch_starts_a_target_that_a_newer_release_holds() {
    for (name, change) in newer_starts() {
        let acme = release_under_way().await;
        rewrite_record(&acme, change);
        for step in [
            hub(500).attempt(2),
            hub(501),
            hub(502).input("retry-failed", "true"),
            hub(503).input("only", "web"),
        ] {
            let outcome = step.run_in(&acme).await;
            outcome.succeeds().says(WARNING).says("web is left alone: ");
            assert_eq!(starts(&acme), [1, 1], "{name}\n{}", outcome.log);
        }
        let outcome = hub(504).run_in(&acme).await;
        assert!(
            ["held", "queued"].contains(&results(&outcome)[0]["status"].as_str().expect("text")),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_notice_keeps_a_target_that_a_newer_release_holds() {
    let acme = release_under_way().await;
    rewrite_record(&acme, newer_starts()[2].1);
    let step = Step::new("notify").in_repository("acme/web").run(9_000).input("ticket", "acme/hub#1");
    step.input("status", "failure").input("message", "it broke").run_in(&acme).await.succeeds().says(WARNING);
    let board = acme.board(1);
    assert!(board.contains("**0 of 2 released**") && board.contains("🔒 **1 held**"), "{board}");
    assert!(board.contains("updates the action") || board.contains("it broke"), "{board}");
}

#[tokio::test]
async fn a_stage_in_a_status_of_a_newer_release_is_not_released() {
    let acme = release_under_way().await;
    report(&acme, "web").run_in(&acme).await.succeeds();
    let record = acme.records(1).remove(1);
    let newer_body = rewrite_marker(&record.body, |data| data["stages"][0]["status"] = json!("verified"));
    acme.world.edit_comment(record.id, &newer_body);
    report(&acme, "api").run_in(&acme).await.succeeds().says(WARNING);
    assert!(acme.board(1).contains("**1 of 2 released**"), "{}", acme.board(1));
    hub(501).input("retry-failed", "true").run_in(&acme).await.succeeds();
    assert_eq!(starts(&acme), [1, 1]);
}

#[tokio::test]
async fn the_same_failure_keeps_what_a_newer_release_wrote_into_its_notice() {
    let acme = release_under_way().await;
    let notify = |run: u64| {
        let step = Step::new("notify").in_repository("acme/web").run(run).input("ticket", "acme/hub#1");
        step.input("status", "failure").input("message", "it broke").input("comment-mode", "update")
    };
    notify(9_000).run_in(&acme).await.succeeds();
    let record = acme.records(1).remove(1);
    let newer_body = rewrite_marker(&record.body, |data| data["mood"] = json!({ "level": 3 }));
    acme.world.edit_comment(record.id, &newer_body);
    notify(9_001).run_in(&acme).await.succeeds();
    let body = acme.world.comment_view(record.id).expect("the notice").body;
    assert!(body.contains("\"run\":9001") && body.contains(r#""mood":{"level":3}"#), "{body}");
}

// ---- boards ----

#[tokio::test]
async fn a_row_that_a_newer_release_wrote_stands_as_it_is() {
    let acme = release_under_way().await;
    rewrite_record(&acme, newer_starts()[2].1);
    let id = board_id(&acme);
    let row = "| [**web**](https://ghe.example/acme/web) | ✋ needs approval | by `dana` | soon |\n";
    let board = acme.world.comment_view(id).expect("the board").body;
    let board = board.replace("| Status |", "| Status | Progress |").replace("|---|---|", "|---|---|---|");
    let old_row =
        board.lines().find(|line| line.starts_with("| [**web**]")).expect("a row").to_owned() + "\n";
    acme.world.edit_comment(id, &board.replace(&old_row, row));
    report(&acme, "api").run_in(&acme).await.succeeds().says(WARNING);
    let board = acme.board(1);
    // The row keeps its cells, although the other rows have more columns.
    assert!(board.contains(row.trim_end()), "{board}");
    assert_eq!(acme.row(1, "web"), "| **web** | ✋ needs approval | by `dana` | soon |  |");
    assert!(acme.row(1, "api").starts_with("| **api** | ✅ released |"), "{board}");
}

#[tokio::test]
async fn a_board_of_other_columns_is_not_replaced() {
    let acme = release_under_way().await;
    rewrite_record(&acme, newer_starts()[2].1);
    let id = board_id(&acme);
    let board = acme.world.comment_view(id).expect("the board").body;
    let newer_board = board.replace("| Target | Status |", "| Target | State |");
    assert_ne!(newer_board, board);
    acme.world.edit_comment(id, &newer_board);
    let outcome = report(&acme, "api").run_in(&acme).await;
    outcome.succeeds().says(WARNING);
    assert_eq!(outcome.output("delivered"), "true");
    assert_eq!(acme.world.comment_view(id).expect("the board").body, newer_board);
}

#[tokio::test]
async fn a_board_in_a_newer_format_is_the_only_board() {
    let acme = release_under_way().await;
    let id = board_id(&acme);
    let board = acme.world.comment_view(id).expect("the board").body;
    let newer_board = board.replacen(":1 board", ":2 board", 1);
    acme.world.edit_comment(id, &newer_board);
    report(&acme, "api").run_in(&acme).await.succeeds();
    assert_eq!(acme.world.comment_view(id).expect("the board").body, newer_board);
    let comments = acme.world.issue_view("acme/hub", 1).comments;
    assert_eq!(comments.iter().filter(|comment| comment.body.contains(" board {")).count(), 1);
}

// ---- kinds ----

/// Writes a record of a kind that this release does not know, from the hub's own account.
fn add_newer_record(acme: &Acme, data: &Value) -> u64 {
    let body = format!("<!-- release-ticket:1 decision {data} -->\nHold.");
    acme.world.comment("acme/hub", 1, "acme-release[bot]", &body)
}

/// A ticket with a gate on some targets, as a newer release would leave it before the first start.
async fn held_ticket(targets: &Value) -> Acme {
    let acme = Acme::new().await;
    let body = "<!-- release-ticket:1 ticket {\"key\":{\"release\":\"1.4.0\"}} -->\nOurs";
    acme.world.issue("acme/hub", "Release 1.4.0", body, "acme-release[bot]");
    add_newer_record(&acme, &json!({ "seq": 1, "targets": targets }));
    acme
}

#[tokio::test]
async fn a_target_that_a_record_of_a_newer_kind_names_is_not_started() {
    for (targets, run_counts) in [
        (json!(["web"]), [0, 1]),
        (json!([{ "target": "api", "until": "friday" }]), [1, 0]),
        (json!([]), [0, 0]),
        (json!("everything"), [0, 0]),
    ] {
        let acme = held_ticket(&targets).await;
        let outcome = hub(500).run_in(&acme).await;
        outcome.succeeds().says(WARNING).says("may hold it; update the action");
        assert_eq!(starts(&acme), run_counts, "{targets}");
        hub(500).attempt(2).run_in(&acme).await.succeeds();
        assert_eq!(starts(&acme), run_counts, "{targets}, again");
    }
}

#[tokio::test]
async fn a_waiting_dispatch_does_not_wait_for_what_a_newer_record_holds() {
    let acme = held_ticket(&json!(["web"])).await;
    let step =
        || hub(500).input("wait", "true").input("wait-interval", "100ms").input("close-on-success", "true");
    let plan = step().input("dry-run", "true").run_in(&acme).await;
    plan.succeeds();
    assert!(plan.log.lines().filter(|line| line.starts_with("wait for ")).count() <= 2, "{}", plan.log);
    let step = step().spawn_in(&acme);
    while acme.world.runs("acme/api").is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    acme.world.finish_run(acme.world.runs("acme/api")[0].id, "success");
    let outcome = step.end().await;
    outcome.fails().says("web was not started: a newer release of the action wrote comment");
    assert!(acme.world.issue_view("acme/hub", 1).is_open() && starts(&acme) == [0, 1]);
}

#[tokio::test]
async fn a_waiting_dispatch_does_not_wait_for_what_needs_a_held_target() {
    let acme = held_ticket(&json!(["web"])).await;
    let targets = "[web, { repository: api, needs: web }, { repository: docs, needs: api }]";
    let step = || hub(500).input("targets", targets).input("wait", "true").input("wait-interval", "100ms");
    let plan = step().input("dry-run", "true").run_in(&acme).await;
    assert!(plan.log.lines().count() < 20, "{}", plan.log);
    let outcome = step().run_in(&acme).await;
    outcome.fails().says("web was not started: ").says("api was not started: it waits for web");
    assert_eq!(starts(&acme), [0, 0]);
}

#[tokio::test]
async fn a_record_of_a_newer_format_holds_what_it_may_have_claimed() {
    let acme = release_under_way().await;
    let record = acme.records(1).remove(0);
    acme.world.edit_comment(record.id, &record.body.replacen(":1 dispatch", ":2 dispatch", 1));
    report(&acme, "api").run_in(&acme).await.succeeds().says(WARNING);
    hub(501).run_in(&acme).await.succeeds();
    assert_eq!(starts(&acme), [1, 1]);
}

#[tokio::test]
async fn a_board_with_a_record_of_a_newer_kind_is_left_to_newer_releases() {
    let acme = release_under_way().await;
    let decision = add_newer_record(&acme, &json!({ "seq": 3, "targets": ["web"] }));
    let id = board_id(&acme);
    let board = acme.world.comment_view(id).expect("the board").body;
    let newer_board = rewrite_marker(&board, |data| data["seen"]["records"][decision.to_string()] = json!(3));
    acme.world.edit_comment(id, &newer_board);
    report(&acme, "api").run_in(&acme).await.succeeds().says(WARNING);
    assert_eq!(acme.world.comment_view(id).expect("the board").body, newer_board);
    // A release that can show the report finds its record.
    assert_eq!(acme.records(1).len(), 3);
}

#[tokio::test]
async fn a_board_says_which_records_its_writer_could_not_read() {
    let acme = release_under_way().await;
    let decision = add_newer_record(&acme, &json!({ "seq": 3, "targets": ["web"] }));
    report(&acme, "api").run_in(&acme).await.succeeds().says(WARNING);
    let board = acme.world.comment_view(board_id(&acme)).expect("the board").body;
    assert!(board.contains(&format!("\"unread\":[{decision}]")), "{board}");
    assert!(
        board.contains("**1 of 2 released**") && board.contains("a newer release of the action wrote"),
        "{board}"
    );
}

#[tokio::test]
async fn people_hold_nothing_by_copying_a_marker() {
    let acme = Acme::new().await;
    acme.world.issue("acme/hub", "By hand", "", "alice");
    acme.world.comment("acme/hub", 1, "alice", "<!-- release-ticket:1 decision {\"targets\":[\"web\"]} -->");
    acme.world.comment("acme/hub", 1, "acme-release[bot]", "<!-- release-ticket:1 dispatch {\"cut");
    hub(500).input("ticket", "1").run_in(&acme).await.succeeds();
    assert_eq!(starts(&acme), [1, 1]);
}

// ---- keys ----

#[tokio::test]
async fn a_ticket_whose_key_cannot_be_read_is_not_opened_a_second_time() {
    for key in [r#"1 ticket {"key":{"train":"7"}}"#, r#"2 ticket {"keys":["1.4.0"]}"#, r#"1 ticket {"key":"#]
    {
        let acme = Acme::new().await;
        let body = format!("<!-- release-ticket:{key} -->\nOurs");
        acme.world.issue("acme/hub", "Release 1.4.0", &body, "acme-release[bot]");
        let outcome = hub(500).run_in(&acme).await;
        outcome.fails().says("acme/hub#1 was written by a newer release").says("`ticket: acme/hub#1`");
        assert_eq!((acme.world.issues("acme/hub").len(), starts(&acme)), (1, [0, 0]), "{key}");
        hub(500).attempt(2).input("ticket", "1").run_in(&acme).await.succeeds();
        assert_eq!((acme.world.issues("acme/hub").len(), starts(&acme)), (1, [1, 1]), "{key}");
    }
}

#[tokio::test]
async fn a_failure_is_found_by_its_fingerprint_beside_fields_of_a_newer_release() {
    let acme = Acme::new().await;
    acme.world
        .token("web-token")
        .acts_as("acme-web[bot]")
        .can("acme/web", &["issues: write", "actions: read"]);
    let body = "<!-- release-ticket:2 notice {\"fingerprint\":\"f\",\"mood\":\"bad\"} -->\nIt broke";
    acme.world.issue("acme/web", "It broke", body, "acme-web[bot]");
    let step = Step::new("notify").in_repository("acme/web").run(9_000).input("token", "web-token");
    let outcome = step.input("fingerprint", "f").input("status", "failure").run_in(&acme).await;
    outcome.succeeds();
    assert_eq!(outcome.output("issue-number"), "1");
}
