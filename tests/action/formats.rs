//! Every format ever released is still read, and what a newer release adds is kept.
//!
//! A file in `tests/formats/VERSION/` is a comment or body as a release wrote it. Files are added
//! with each new version of the format, and never changed.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use release_ticket_action::names::{CommentId, RunId};
use release_ticket_action::ticket::marker::Marker;
use release_ticket_action::ticket::{BoardStep, Comment, Key, Log, Record, TargetStatus};

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
        trusted: true,
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
        let marker = Marker::find(&text).expect("a marker").expect("a known one");
        if let Some(record) = Record::parse(&marker).expect("a record or none") {
            assert_eq!(record.render().lines().next(), text.lines().next(), "{}", path.display());
            records += 1;
        }
    }
    assert_eq!(records, 6);
}

#[test]
fn the_samples_tell_the_release_that_they_were_taken_from() {
    let mut log = Log::default();
    log.extend(samples().iter().zip(1001..).map(|((_, text), id)| comment(id, text)));
    let ticket = log.fold();
    assert_eq!(ticket.release.as_deref(), Some("1.4.0"));
    let status = |name: &str| ticket.targets[name].status;
    assert_eq!((status("web"), status("api")), (TargetStatus::Released, TargetStatus::Failed));
    assert_eq!(ticket.targets["web"].run.as_ref().map(|run| run.id), Some(RunId(7001)));
    assert_eq!(
        (status("docs"), status("cli"), status("sdk")),
        (TargetStatus::Waiting, TargetStatus::InProgress, TargetStatus::Released)
    );
    assert_eq!(ticket.targets["docs"].needs, ["web"]);
    assert_eq!(ticket.notices.len(), 1);
    assert!(log.board().is_some());
    let keys: Vec<_> = samples().iter().filter_map(|(_, text)| Key::of(text)).collect();
    assert!(keys.contains(&Key::Release("1.4.0".into())), "{keys:?}");
}

#[test]
fn what_a_newer_release_adds_is_kept_by_an_older_one() {
    let mut kept = 0;
    for (path, text) in samples() {
        let newer = text.replacen("{\"by\":", "{\"mood\":\"good\",\"by\":", 1);
        let marker = Marker::find(&newer).expect("a marker").expect("a known one");
        if let Some(record) = Record::parse(&marker).expect("a record or none") {
            assert!(record.render().contains("\"mood\":\"good\""), "{}", path.display());
            kept += 1;
        }
    }
    assert_eq!(kept, 6);
}

#[test]
fn forged_quoted_cut_and_unknown_markers_are_left_alone() {
    let (_, report) =
        samples().into_iter().find(|(path, _)| path.ends_with("report.md")).expect("the report");
    let mut log = Log::default();
    let mut forged = comment(1, &report);
    forged.trusted = false;
    log.extend([
        forged,
        comment(2, &format!("> {report}")),
        comment(3, &report[..120]),
        comment(4, &report.replacen(":1 report", ":2 report", 1)),
        comment(5, &report.replacen("report {", "party {", 1)),
        comment(6, &format!("<!-- release-ticket:1 report {} -->", "[".repeat(100_000))),
        comment(7, "<!-- release-ticket:1 report {\"by\": 7} -->"),
        comment(8, "just a comment"),
    ]);
    assert_eq!(log.records().count(), 0);
    assert!(matches!(log.next_board_step(), BoardStep::Write { comment: None, .. }));
}
