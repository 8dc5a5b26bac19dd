//! The comments of a ticket, a line each: the fold of their records, and the board.

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

    // The order of arrival means nothing, nor does a repetition of a record.
    let ticket = fold(&records);
    assert_eq!(fold(records.iter().rev()), ticket);
    assert_eq!(fold(records.iter().chain(&records)), ticket);
    let mut backwards = Log::default();
    backwards.extend(comments.iter().rev().cloned());
    assert_eq!(backwards.ticket(), log.ticket());
    assert_eq!(backwards.next_board_step(), log.next_board_step());

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
        is_trusted: true,
        body: body.to_owned(),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
        url: String::new(),
    }
}

/// A record that is rendered and parsed again stays the same, except for text that had to be cut.
fn is_read_back(record: &Record) {
    let body = record.render();
    let marker = Marker::find(&body).expect("a marker").expect("a whole one");
    let again = Record::parse(&marker).expect("a record").expect("a record");
    assert_eq!((again.by(), again.seq()), (record.by(), record.seq()));
    assert_eq!(again.render(), body);
}

/// The board contains no live HTML, no image and no mention from a record.
fn is_harmless(body: &str) {
    assert!(text::length(body) <= text::BODY_LIMIT);
    let (_, text) = body.split_once('\n').expect("a marker, then a text");
    for (index, _) in text.match_indices('<') {
        let rest = &text[index..];
        let is_tag = rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c));
        assert!(!is_tag || OUR_TAGS.iter().any(|tag| rest.starts_with(tag)), "{text}");
    }
    assert!(!text.contains("!["), "{text}");
    for (index, _) in text.match_indices('@') {
        let before = text[..index].chars().next_back();
        let next = text[index + 1..].chars().next();
        let pings = next.is_some_and(|c| c.is_ascii_alphanumeric());
        assert!(!pings || before.is_some_and(|c| c.is_ascii_alphanumeric()), "{text}");
    }
}
