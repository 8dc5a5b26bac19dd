//! Every format ever released is still read, and additions of newer releases are kept.
//!
//! A file in `tests/formats/VERSION/` is a comment or body as a release wrote it. Files are added
//! with each new version of the format, and never changed.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use release_ticket_action::names::{CommentId, IssueNumber, RunId};
use release_ticket_action::ticket::claim::Claims;
use release_ticket_action::ticket::marker::Marker;
use release_ticket_action::ticket::remembered_inputs::RememberedInputs;
use release_ticket_action::ticket::{Basis, BoardStep, Comment, Key, Log, Record, TargetStatus, Verb, key};
use serde_json::Value;

fn samples() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/1");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the folder").flatten().map(|file| file.path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).expect("a sample"))).collect()
}

fn comment(id: u64, body: &str) -> Comment {
    Comment {
        id: CommentId(id),
        author: Some("acme-release[bot]".into()),
        is_trusted: true,
        body: body.into(),
        created_at: DateTime::<Utc>::UNIX_EPOCH,
        updated_at: DateTime::<Utc>::UNIX_EPOCH,
        url: String::new(),
    }
}

#[test]
fn the_marker_of_every_sample_is_read_and_written_back_as_it_is() {
    let mut records = 0;
    for (path, text) in samples() {
        let marker = Marker::find(&text).expect("a marker").expect("a readable marker");
        if let Some(record) = Record::parse(&marker).expect("a record or none") {
            assert_eq!(record.render().lines().next(), text.lines().next(), "{}", path.display());
            records += 1;
        }
    }
    assert_eq!(records, 23);
}

#[test]
fn the_samples_describe_the_release_that_they_come_from() {
    let mut log = Log::default();
    log.extend(samples().iter().zip(1001..).map(|((_, text), id)| comment(id, text)));
    let ticket = log.ticket();
    assert_eq!(ticket.release.as_deref(), Some("1.4.0"));
    let status = |name: &str| ticket.targets[name].status;
    assert_eq!((status("web"), status("api")), (TargetStatus::Released, TargetStatus::Failed));
    assert_eq!(ticket.targets["web"].run.as_ref().map(|run| run.id), Some(RunId(7001)));
    assert_eq!(
        (status("docs"), status("cli"), status("sdk")),
        (TargetStatus::Waiting, TargetStatus::InProgress, TargetStatus::Released)
    );
    assert_eq!((status("site"), status("shop")), (TargetStatus::Review, TargetStatus::Queued));
    let app = &ticket.targets["app"];
    assert!(app.stuck_since.is_some() && app.is_cancelling && app.follower.is_some(), "{app:?}");
    assert_eq!(ticket.targets["docs"].needs, ["web"]);
    let lib = &ticket.targets["lib"];
    assert_eq!(lib.status, TargetStatus::Released);
    assert_eq!(lib.earlier_run(), Some("https://github.com/acme/lib/actions/runs/6001"));
    let radio = ticket.targets["radio"].followed_run.as_ref().and_then(|run| run.job.as_ref());
    assert_eq!(radio.and_then(|job| job.error.as_deref()), Some("error: test failed"));
    let [phone, tablet, kiosk] = ["phone", "tablet", "kiosk"].map(|name| &ticket.targets[name]);
    assert!(phone.has_lost_its_run() && tablet.has_unknown_end() && !tablet.status.is_bad());
    assert_eq!((kiosk.status, kiosk.run.as_ref()), (TargetStatus::Queued, None));
    assert_eq!(ticket.notices.len(), 1);
    let basis = Basis { identity: Some("acme-release[bot]".to_owned()), ..Basis::default() };
    let memory = RememberedInputs::of(Claims { log: &log, basis: &basis }).expect("inputs");
    let inputs = memory.inputs.as_known().expect("this release knows them");
    assert_eq!((memory.run, inputs.values["channel"].as_str()), (RunId(530), Some("beta")));
    assert_eq!(inputs.too_long["notes"], 12_000);
    assert!(log.board().is_some());
    let decisions: Vec<_> =
        ticket.decisions.iter().map(|decision| (decision.verb(), decision.comment)).collect();
    assert_eq!(
        decisions,
        [(Some(Verb::Go), CommentId(2101)), (Some(Verb::OverrideFreeze), CommentId(2103))],
        "one is refused"
    );
    let keys: Vec<_> = samples().iter().filter_map(|(_, text)| Key::of(text)).collect();
    assert!(keys.contains(&Key::Release("1.4.0".into()).into()), "{keys:?}");
    let tickets: Vec<_> = samples().iter().filter_map(|(_, text)| key::continues(text)).collect();
    assert_eq!(tickets, [IssueNumber(7)]);
}

#[test]
fn the_fields_of_a_newer_release_are_kept_by_an_older_one() {
    let mut count = 0;
    for (path, text) in samples() {
        let newer = text.replacen("{\"by\":", "{\"mood\":\"good\",\"by\":", 1);
        let marker = Marker::find(&newer).expect("a marker").expect("a readable marker");
        if let Some(record) = Record::parse(&marker).expect("a record or none") {
            assert!(record.render().contains("\"mood\":\"good\""), "{}", path.display());
            count += 1;
        }
    }
    assert_eq!(count, 23);
}

/// The places in `data` that hold a word of the wire, as JSON pointers.
fn words(data: &Value, path: &str, pointers: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match data {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(list) => {
            list.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect()
        }
        _ => return,
    };
    for (key, value) in children {
        let path = format!("{path}/{key}");
        if ["state", "status", "reason", "conclusion"].contains(&key.as_str()) {
            pointers.push(path.clone());
        }
        words(value, &path, pointers);
    }
}

/// The objects in `data`, as JSON pointers: a newer release may add a field to any of them.
fn objects(data: &Value, path: &str, pointers: &mut Vec<String>) {
    match data {
        Value::Object(map) => {
            pointers.push(path.to_owned());
            map.iter().for_each(|(key, value)| objects(value, &format!("{path}/{key}"), pointers));
        }
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(index, value)| objects(value, &format!("{path}/{index}"), pointers));
        }
        _ => {}
    }
}

/// The record samples with their data.
fn records() -> Vec<(PathBuf, String, Value)> {
    let records = samples().into_iter().filter_map(|(path, text)| {
        let marker = Marker::find(&text).expect("a marker").expect("a readable marker");
        let data = marker.value().expect("JSON");
        Record::parse(&marker).expect("a record or none").map(|_| (path, marker.word().to_owned(), data))
    });
    records.collect()
}

fn text(version: u32, kind: &str, data: &Value) -> String {
    let json =
        data.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace("--", "\\u002d\\u002d");
    format!("<!-- release-ticket:{version} {kind} {json} -->\nfor people")
}

fn log_of(text: &str) -> Log {
    let mut log = Log::default();
    log.extend([comment(1, text)]);
    log
}

#[test]
fn a_word_of_a_newer_release_is_kept_in_every_place_and_never_means_less() {
    let mut count = 0;
    for (path, kind, data) in records() {
        let before = log_of(&text(1, &kind, &data)).ticket().clone();
        let mut places = Vec::new();
        words(&data, "", &mut places);
        for place in places {
            let mut newer = data.clone();
            *newer.pointer_mut(&place).expect("a place") = "from_the_future".into();
            let text = text(1, &kind, &newer);
            let at = format!("{}{place}", path.display());
            let marker = Marker::find(&text).expect("a marker").expect("a readable marker");
            let record =
                Record::parse(&marker).unwrap_or_else(|error| panic!("{at}: {error}")).expect("a record");
            assert_eq!(record.render().lines().next(), text.lines().next(), "{at}");
            let log = log_of(&text);
            let after = log.ticket();
            assert_eq!(after.driver, before.driver, "{at}");
            for name in before.targets.keys() {
                assert!(after.targets.contains_key(name), "{at}: {name} is gone");
                let is_released = after.targets[name].status.is_released();
                assert!(
                    !is_released || before.targets[name].status.is_released(),
                    "{at}: {name} is released"
                );
            }
            assert!(after.notices.len() >= before.notices.len(), "{at}");
            count += 1;
        }
    }
    assert!(count >= 12, "{count} places");
}

#[test]
fn a_field_of_a_newer_release_changes_nothing_in_any_place() {
    for (path, kind, data) in records() {
        let before = log_of(&text(1, &kind, &data));
        let mut places = Vec::new();
        objects(&data, "", &mut places);
        // In a reason, the field may be one more reason.
        for place in places.into_iter().filter(|place| !place.ends_with("/because")) {
            let mut newer = data.clone();
            newer
                .pointer_mut(&place)
                .and_then(Value::as_object_mut)
                .expect("an object")
                .insert("mood".into(), 7.into());
            let after = log_of(&text(1, &kind, &newer));
            let statuses = |log: &Log| {
                log.ticket()
                    .targets
                    .iter()
                    .map(|(name, target)| (name.clone(), target.status))
                    .collect::<Vec<_>>()
            };
            assert_eq!(statuses(&after), statuses(&before), "{}{place}", path.display());
            assert_eq!(after.ticket().unreadable_comments, [], "{}{place}", path.display());
        }
    }
}

#[test]
fn a_reason_with_a_field_of_a_newer_release_holds() {
    let (_, kind, mut data) = records()
        .into_iter()
        .find(|(path, ..)| path.ends_with("dispatch-waves.md"))
        .expect("the sample of a waiting target");
    data["targets"][0]["because"]["gates"] = serde_json::json!(["go"]);
    let log = log_of(&text(1, &kind, &data));
    assert_eq!(log.ticket().targets["docs"].status, TargetStatus::Held);
    assert_eq!(log.ticket().unreadable_comments, [CommentId(1)]);
}

#[test]
fn a_record_of_a_newer_kind_or_format_is_unread_on_the_board() {
    for (path, kind, data) in records() {
        for (version, kind) in [(2, kind.as_str()), (1, "party")] {
            let log = log_of(&text(version, kind, &data));
            assert_eq!(log.records().count(), 0, "{}", path.display());
            assert_eq!(log.ticket().unreadable_comments, [CommentId(1)], "{}", path.display());
            let BoardStep::Write { body, .. } = log.next_board_step() else { panic!("there is no board") };
            let seq = &data["seq"];
            assert!(
                body.contains(&format!("\"records\":{{\"1\":{seq}}}")) && body.contains("\"unread\":[1]"),
                "{body}"
            );
        }
    }
}

#[test]
fn forged_quoted_and_cut_markers_are_left_alone() {
    let (_, report) =
        samples().into_iter().find(|(path, _)| path.ends_with("report.md")).expect("the report");
    let mut log = Log::default();
    let mut forgery = comment(1, &report);
    forgery.is_trusted = false;
    log.extend([
        forgery,
        comment(2, &format!("> {report}")),
        comment(3, &report[..120]),
        comment(6, &format!("<!-- release-ticket:1 report {} -->", "[".repeat(100_000))),
        comment(8, "just a comment"),
    ]);
    assert_eq!((log.records().count(), log.ticket().unreadable_comments.len()), (0, 0));
    assert!(matches!(log.next_board_step(), BoardStep::Write { comment: None, .. }));
}
