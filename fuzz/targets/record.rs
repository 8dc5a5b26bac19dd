//! The comments of a ticket, a line each: what is folded from them, and the board that shows it.

#![no_main]

use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use release_ticket_action::names::CommentId;
use release_ticket_action::ticket::marker::Marker;
use release_ticket_action::ticket::{BoardStep, Comment, Log, Record, fold, text};

/// The tags that the board itself writes.
const OUR_TAGS: [&str; 6] = ["<details>", "</details>", "<summary>", "</summary>", "<sub>", "</sub>"];

fuzz_target!(|text: &str| {
    let comments: Vec<Comment> = text.lines().take(12).zip(1..).map(comment).collect();
    let mut log = Log::default();
    log.extend(comments.iter().cloned());
    let records: Vec<Record> = log.records().map(|(_, record)| record.clone()).collect();
    for record in &records {
        is_read_back(record);
    }

    // The order of arrival means nothing, and a record that comes twice says nothing more.
    let ticket = fold(&records);
    assert_eq!(fold(records.iter().rev()), ticket);
    assert_eq!(fold(records.iter().chain(&records)), ticket);
    let mut reversed = Log::default();
    reversed.extend(comments.iter().rev().cloned());
    assert_eq!(reversed.ticket(), log.ticket());
    assert_eq!(reversed.next_board_step(), log.next_board_step());

    let BoardStep::Write { comment: None, body } = log.next_board_step() else { return };
    is_harmless(&body);
    if records.is_empty() {
        return;
    }
    log.extend([comment((&body, 99))]);
    assert_eq!(log.next_board_step(), BoardStep::Shown);
});

fn comment((body, id): (&str, u64)) -> Comment {
    Comment {
        id: CommentId(id),
        author: Some("acme-release[bot]".to_owned()),
        trusted: true,
        body: body.to_owned(),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
        url: String::new(),
    }
}

/// What is rendered again is read the same, unless it had to be cut.
fn is_read_back(record: &Record) {
    let body = record.render();
    let marker = Marker::find(&body).expect("a marker").expect("a whole one");
    let again = Record::parse(&marker).expect("a record").expect("a record");
    assert_eq!((again.by(), again.seq()), (record.by(), record.seq()));
    assert_eq!(again.render(), body);
}

/// Nothing of a record is live HTML, an image or a mention on the board.
fn is_harmless(body: &str) {
    assert!(text::length(body) <= text::BODY_LIMIT);
    let (_, shown) = body.split_once('\n').expect("a marker, then a text");
    for (index, _) in shown.match_indices('<') {
        let rest = &shown[index..];
        let is_tag = rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c));
        assert!(!is_tag || OUR_TAGS.iter().any(|tag| rest.starts_with(tag)), "{shown}");
    }
    assert!(!shown.contains("!["), "{shown}");
    for (index, _) in shown.match_indices('@') {
        let before = shown[..index].chars().next_back();
        let next = shown[index + 1..].chars().next();
        let pings = next.is_some_and(|c| c.is_ascii_alphanumeric());
        assert!(!pings || before.is_some_and(|c| c.is_ascii_alphanumeric()), "{shown}");
    }
}
