//! What must hold for any text at all: nothing panics, and what was written is read back.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use release_ticket_action::event::Event;
use release_ticket_action::inputs::{INPUTS, Inputs};
use release_ticket_action::job::{Clock, Job};
use release_ticket_action::names::{CommentId, Login, RunId, number};
use release_ticket_action::targets::{self, Defaults};
use release_ticket_action::ticket::marker::Marker;
use release_ticket_action::ticket::{
    BoardStep, Comment, Dispatch, FollowedJob, FollowedRun, Log, Notice, Reason, Record, Report, Review,
    StageReport, Start, StartState, Status, Stuck, Watch, Word, Writer, text,
};
use serde_json::{Map, Value};

/// Texts that people, attackers and machines write.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[-<>!@&#|`\\\\\\[\\]() \n\r\t:a-z0-9]{0,40}",
        prop::sample::select(vec![
            "--> <script>",
            "| a | b |",
            "@everyone",
            "![x](http://a.example)",
            "::error::x",
            "##[error]x",
            "<!-- release-ticket:1 report {} -->",
            "```",
            "\u{202e}",
            "🚀",
            "",
            " ",
            "- [ ] x",
            "{{ x }}",
            "acme/hub#1",
        ])
        .prop_map(str::to_owned),
    ]
}

/// A number that GitHub could hand out.
fn any_number() -> impl Strategy<Value = u64> {
    0..=number::MAX
}

fn any_writer() -> impl Strategy<Value = Writer> {
    (1..9_u64, 1..4_u32, any_text(), prop::option::of(any_number())).prop_map(
        |(run, attempt, job, check_run)| Writer {
            repository: "acme/web".parse().expect("a name"),
            run: RunId(run),
            attempt,
            job,
            check_run,
        },
    )
}

/// A status that this release knows, or a word that a newer one writes.
fn any_status() -> impl Strategy<Value = Word<Status>> {
    let newer = any_text()
        .prop_filter("a newer word", |word| !Status::ALL.iter().any(|status| status.as_str() == word));
    prop_oneof![
        4 => prop::sample::select(Status::ALL.to_vec()).prop_map(Word::Known),
        1 => newer.prop_map(|word| Word::Newer(word.into())),
    ]
}

fn at() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

fn any_report() -> impl Strategy<Value = Record> {
    let stage = (
        any::<Option<()>>(),
        any_text(),
        any_text(),
        any_status(),
        any_text(),
        any_text(),
        any::<bool>(),
        0..9_u64,
    );
    let stage = stage.prop_map(|(named, target, stage, status, message, url, done, seq)| StageReport {
        target: named.map(|()| target.into()),
        stage,
        status,
        message: Some(message),
        url: Some(url),
        done,
        at: at(),
        seq,
        other: Map::new(),
    });
    (any_writer(), any_text(), prop::collection::vec(stage, 0..4)).prop_map(|(by, run_url, stages)| {
        Record::Report(Report { by, seq: 9, run_url, stages, other: Map::new() })
    })
}

fn any_dispatch() -> impl Strategy<Value = Record> {
    let states = [
        StartState::Claimed.into(),
        StartState::Yielded.into(),
        StartState::Superseded.into(),
        StartState::TakenOver.into(),
        StartState::Cancelled.into(),
        StartState::Started.into(),
        StartState::Refused.into(),
        StartState::Waiting.into(),
        Word::Newer("awaiting_approval".into()),
    ];
    let needs = prop::collection::vec(any_text(), 0..3);
    let start = (
        any_text(),
        any_text(),
        prop::sample::select(states.to_vec()),
        prop::option::of(any_number()),
        needs,
    );
    let start = start.prop_map(|(target, error, state, run, needs)| Start {
        target: target.into(),
        repository: "acme/web".parse().expect("a name"),
        workflow: Some("release.yml".into()),
        git_ref: None,
        needs: needs.into_iter().map(Into::into).collect(),
        state,
        run: run.map(RunId),
        run_url: Some(error.clone()),
        turn: run.map(|run| run as u32),
        repeats: run.filter(|run| run % 3 == 0).map(CommentId),
        because: Some(Reason::Refused { error, help: None }.into()),
        at: at(),
        other: Map::new(),
    });
    let status = prop_oneof![any_text(), Just("waiting".to_owned()), Just("in_progress".to_owned())];
    let followed = (any_text(), any_text(), status, prop::option::of(any_text()), any_number());
    let followed = followed.prop_map(|(target, name, status, conclusion, run)| FollowedRun {
        reviews: vec![Review {
            environment: name.clone(),
            reviewers: Login::parse(&name).into_iter().chain(Login::parse("acme/sre")).collect(),
            timer_ends: Some(at()).filter(|_| run % 2 == 0),
        }],
        target: target.into(),
        repository: "acme/web".parse().expect("a name"),
        run: RunId(run),
        attempt: 1,
        run_url: name.clone(),
        reports: run % 3,
        status: status.clone(),
        conclusion: conclusion.clone(),
        job: Some(FollowedJob {
            url: Some(name.clone()),
            step: Some(name.clone()),
            name,
            status,
            conclusion,
        }),
        jobs: 2,
        jobs_over: 1,
        at: at(),
        other: Map::new(),
    });
    let targets = prop::collection::vec(start, 0..4);
    let followed = prop::collection::vec(followed, 0..4);
    let left_out = prop::collection::vec(any_text(), 0..2);
    let stuck = (any_text(), prop::option::of(any_number()), any_number());
    let stuck = stuck.prop_map(|(target, run, reports)| {
        let (target, run) = (target.into(), run.map(RunId));
        Stuck { target, run, attempt: 1, since: at(), reports }
    });
    let watch = (any::<bool>(), prop::collection::vec(stuck, 0..2), any_number());
    let watch = watch.prop_map(|(follows, stuck, run)| {
        let cancelled = Some(RunId(run)).filter(|_| follows).into_iter().collect();
        Watch { follows, stuck, cancelled, ended: Vec::new() }
    });
    let parts = (any_writer(), any_text(), targets, followed, left_out, watch);
    parts.prop_map(|(by, release, targets, followed, left_out, watch)| {
        let (left_out, release) = (left_out.into_iter().map(Into::into).collect(), Some(release));
        Record::Dispatch(Dispatch {
            by,
            seq: 1,
            run_url: String::new(),
            driver: Login::parse("alice"),
            release,
            workflow_url: None,
            close: false,
            form: None,
            left_out,
            watch,
            targets,
            followed,
            other: Map::new(),
        })
    })
}

fn any_notice() -> impl Strategy<Value = Record> {
    (any_writer(), any_text(), any_text(), any_status()).prop_map(|(by, fingerprint, message, status)| {
        let mention = Login::parse("alice").into_iter().collect();
        let url = Some(message.clone());
        Record::Notice(Notice {
            by,
            seq: 1,
            run_url: String::new(),
            fingerprint,
            status,
            message,
            url,
            job: None,
            flapping: Vec::new(),
            pings: Vec::new(),
            mention,
            at: at(),
            other: Map::new(),
        })
    })
}

fn any_record() -> impl Strategy<Value = Record> {
    prop_oneof![any_report(), any_dispatch(), any_notice()]
}

fn comment(id: u64, body: String) -> Comment {
    let author = Some("acme-release[bot]".into());
    Comment {
        id: CommentId(id),
        author,
        trusted: true,
        body,
        created_at: at(),
        updated_at: at(),
        url: String::new(),
    }
}

fn job() -> Job {
    let environment = [("GITHUB_REPOSITORY", "acme/hub"), ("GITHUB_RUN_ID", "1")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Job::read(&environment, Clock::starting_at(at())).expect("all that a job needs")
}

proptest! {
    #[test]
    fn a_record_is_read_back_as_it_was_written(record in any_record()) {
        let body = record.render();
        let marker = Marker::find(&body).expect("a marker").expect("a good one");
        prop_assert_eq!(Record::parse(&marker).expect("a record"), Some(record));
    }

    #[test]
    fn a_board_of_any_records_is_read_back_and_defuses_their_text(records in prop::collection::vec(any_record(), 0..8)) {
        let mut log = Log::default();
        log.extend(records.iter().zip(1..).map(|(record, id)| comment(id, record.render())));
        let BoardStep::Write { body, .. } = log.next_board_step() else { panic!("there is no board yet") };
        prop_assert!(text::length(&body) <= text::BODY_LIMIT);
        let (_, shown) = body.split_once('\n').expect("a marker line");
        prop_assert!(!shown.contains("<!--") && !shown.contains("<script") && !shown.contains("!["), "{}", shown);
        prop_assert!(!shown.contains("@everyone"), "{}", shown);
        log.extend([comment(99, body)]);
        prop_assert!(records.is_empty() || log.next_board_step() == BoardStep::Shown);
    }

    #[test]
    fn any_inputs_are_taken_or_refused_with_a_reason(
        values in prop::collection::vec((prop::sample::select(INPUTS.to_vec()), any_text()), 0..12),
        mode in prop::sample::select(vec!["dispatch", "report", "notify"]),
    ) {
        let mut given: BTreeMap<String, String> =
            values.into_iter().map(|(input, value)| (input.name.to_owned(), value)).filter(|(_, value)| !value.trim().is_empty()).collect();
        given.insert("mode".into(), mode.into());
        if let Err(problems) = Inputs::read(&given, &job()) {
            prop_assert!(!problems.is_empty());
        }
    }

    #[test]
    fn any_targets_file_is_taken_or_refused(text in any_text(), name in any_text(), repository in any_text()) {
        let hub = "acme/hub".parse().expect("a name");
        let json = serde_json::json!({ "targets": [{ "name": name, "repository": repository }] }).to_string();
        for text in [text, json] {
            let _ = targets::parse_file("t.yml", &text, &hub, &Defaults::default());
            let _ = targets::parse_input(&text, &hub, &Defaults::default());
        }
    }

    #[test]
    fn any_event_is_read_or_refused(text in any_text(), name in any_text(), value in any_text()) {
        let _ = Event::parse(&text);
        for place in ["inputs", "client_payload", "issue"] {
            let payload: Value = serde_json::json!({ place: { &name: &value } });
            let event = Event::parse(&payload.to_string()).expect("an object");
            let _ = (event.input(&name), event.issue());
        }
    }
}
