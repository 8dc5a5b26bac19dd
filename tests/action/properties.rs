//! Laws for any text: nothing panics, and a reader gets back the values that a writer had.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use release_ticket_action::event::Event;
use release_ticket_action::inputs::{INPUTS, Inputs};
use release_ticket_action::job::{Clock, Job};
use release_ticket_action::names::{CommentId, Login, RepoName, RunId, TargetName, number};
use release_ticket_action::targets::{self, Defaults};
use release_ticket_action::ticket::decision::{ApprovedCommit, Outcome, Person, RetriedStart};
use release_ticket_action::ticket::gate::{Approver, MovePolicy};
use release_ticket_action::ticket::marker::Marker;
use release_ticket_action::ticket::release::{EarlierRelease, FirstFailure, GateWait};
use release_ticket_action::ticket::{
    BoardStep, Comment, Decision, Dispatch, EventInputs, FollowedJob, FollowedRun, Freeze, Gate, Log, Notice,
    Outputs, Reason, Record, Release, ReleasedTarget, Report, Review, Rules, StageReport, Start, StartState,
    Status, Stuck, Verb, Watch, Word, Writer, text,
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
        any::<bool>(),
        any_text(),
        any_text(),
        any_status(),
        any_text(),
        any_text(),
        any::<bool>(),
        prop::collection::btree_map(any_text(), any_text(), 0..3),
        0..9_u64,
    );
    let stage =
        stage.prop_map(|(has_target, target, stage, status, message, url, ends_release, outputs, seq)| {
            StageReport {
                target: has_target.then(|| target.into()),
                stage,
                status,
                message: Some(message),
                url: Some(url),
                ends_release,
                outputs: outputs.into_iter().collect(),
                at: at(),
                seq,
                other: Map::new(),
            }
        });
    (any_writer(), any_text(), prop::collection::vec(stage, 0..4)).prop_map(|(by, run_url, stages)| {
        Record::Report(Report { by, seq: 9, run_url, stages, other: Map::new() })
    })
}

/// Inputs of an event, or answers of a form.
fn any_values() -> impl Strategy<Value = Map<String, Value>> {
    let value = prop_oneof![
        any_text().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any_number().prop_map(Value::from),
        prop::collection::vec(any_text(), 0..2).prop_map(Value::from),
    ];
    prop::collection::vec((any_text(), value), 0..3).prop_map(|values| values.into_iter().collect())
}

/// Inputs of an event as a record keeps them, or in the form of a newer release.
fn any_inputs() -> impl Strategy<Value = Word<EventInputs>> {
    let too_long = prop::collection::btree_map(any_text(), 0..70_000_usize, 0..2);
    let inputs = (any_values(), too_long);
    let inputs = inputs.prop_map(|(values, too_long)| Word::Known(EventInputs { values, too_long }));
    let newer = any_text().prop_map(|text| Word::Newer(serde_json::json!({ "sealed": text })));
    prop_oneof![4 => inputs, 1 => newer]
}

/// The name of a target or a gate: often one that others use as well.
fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![any_text(), prop::sample::select(vec!["web", "docs", "go"]).prop_map(str::to_owned)]
}

/// Why a target is not started.
fn any_reason() -> impl Strategy<Value = Reason> {
    let by = || Login::parse("dana").expect("a login");
    (0..4, any_text()).prop_map(move |(kind, text)| match kind {
        0 => Reason::OnHold { by: by(), why: Some(text) },
        1 => Reason::Skipped { by: by(), why: Some(text) },
        2 => Reason::Frozen { to: at(), why: Some(text) },
        _ => Reason::Refused { error: text, help: None },
    })
}

fn any_decision() -> impl Strategy<Value = Record> {
    let command = prop_oneof![
        4 => prop::sample::select(Verb::ALL.to_vec()).prop_map(Word::Known),
        1 => any_text().prop_map(|word| Word::Newer(serde_json::json!({ "verb": word }))),
    ];
    let outcome = prop::sample::select(vec![
        Word::Known(Outcome::Accepted),
        Word::Known(Outcome::Refused),
        Word::Known(Outcome::Failed),
        Word::Newer("postponed".into()),
    ]);
    let names = prop::collection::vec(any_name(), 0..3);
    let commit = (any_name(), prop::option::of(prop_oneof![any_text(), "[0-9a-f]{40}"]));
    let commits = prop::collection::vec(commit, 0..3);
    let texts = (any_text(), any_text(), any_text(), prop::option::of(any_text()));
    let parts = (any_writer(), command, outcome, names, commits, texts, 1..9_u64);
    parts.prop_map(|(by, command, outcome, names, commits, (url, role, reason, answer), number)| {
        let names: Vec<TargetName> = names.into_iter().map(Into::into).collect();
        let repository: RepoName = "acme/web".parse().expect("a name");
        let commits = commits.into_iter().map(|(target, sha)| ApprovedCommit {
            target: target.into(),
            repository: repository.clone(),
            git_ref: "main".into(),
            sha,
        });
        let login = if number % 2 == 0 { "alice" } else { "dana" };
        Record::Decision(Decision {
            run_url: format!("https://github.com/acme/web/actions/runs/{}", by.run),
            by,
            seq: 1,
            command: Some(command),
            reason: Some(reason),
            who: Person { login: Login::parse(login).expect("a login"), id: number % 4, role },
            comment: CommentId(number),
            comment_url: url,
            outcome,
            answer,
            commits: commits.collect(),
            retries: names
                .iter()
                .map(|name| RetriedStart { target: name.clone(), after: CommentId(1) })
                .collect(),
            cancels: Vec::new(),
            freezes: vec![Freeze { from: at(), to: at(), reason: String::new() }],
            at: at(),
            names,
            other: Map::new(),
        })
    })
}

/// Gates and freezes, or their form in a newer release.
fn any_rules() -> impl Strategy<Value = Word<Rules>> {
    let approvers = prop::sample::subsequence(vec!["alice", "@acme/release", "dana"], 0..3);
    let move_policy = prop::sample::select(vec![
        Word::Known(MovePolicy::Lapse),
        Word::Known(MovePolicy::Warn),
        Word::Newer("ask_again".into()),
    ]);
    let required_approvals = prop_oneof![1..3_u32, any::<u32>()];
    let gate = (any_name(), approvers, required_approvals, any::<bool>(), move_policy);
    let gate = gate.prop_map(|(name, approvers, required_approvals, excludes_driver, move_policy)| Gate {
        name: name.into(),
        approvers: approvers.into_iter().map(|text| Approver::parse(text).expect("an approver")).collect(),
        required_approvals,
        excludes_driver,
        move_policy,
    });
    let freeze = (0..4_000_000_000_i64, 0..100_000_i64, any_text());
    let freeze = freeze.prop_map(|(from, length, reason)| {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("a time");
        Freeze { from: at(from), to: at(from + length), reason }
    });
    let parts = (prop::collection::vec(gate, 0..3), prop::collection::vec(freeze, 0..3));
    let rules = parts.prop_map(|(gates, freezes)| Word::Known(Rules { gates, freezes }));
    prop_oneof![4 => rules, 1 => any_text().prop_map(|text| Word::Newer(text.into()))]
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
    let needs = prop::collection::vec(any_name(), 0..3);
    let start = (
        any_name(),
        any_reason(),
        prop::sample::select(states.to_vec()),
        prop::option::of(any_number()),
        needs,
        prop::option::of(any_text()),
    );
    let start = start.prop_map(|(target, because, state, run, needs, commit)| Start {
        target: target.into(),
        repository: "acme/web".parse().expect("a name"),
        workflow: Some("release.yml".into()),
        git_ref: None,
        needs: needs.into_iter().map(Into::into).collect(),
        state,
        run: run.map(RunId),
        run_url: Some(because.plain()),
        commit,
        outputs: Outputs::default(),
        verify: false,
        turn: run.map(|run| run as u32),
        repeats: run.filter(|run| run % 3 == 0).map(CommentId),
        reason: Some(because.into()),
        at: at(),
        other: Map::new(),
    });
    let status = prop_oneof![any_text(), Just("waiting".to_owned()), Just("in_progress".to_owned())];
    let followed_runs = (any_text(), any_text(), status, prop::option::of(any_text()), any_number());
    let followed_runs = followed_runs.prop_map(|(target, name, status, conclusion, run)| FollowedRun {
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
            error: Some(name.clone()),
            name,
            status,
            conclusion,
        }),
        jobs: 2,
        ended_jobs: 1,
        at: at(),
        other: Map::new(),
    });
    let targets = prop::collection::vec(start, 0..4);
    let followed_runs = prop::collection::vec(followed_runs, 0..4);
    let left_out = prop::collection::vec(any_text(), 0..2);
    let stuck = (any_text(), prop::option::of(any_number()), any_number());
    let stuck = stuck.prop_map(|(target, run, reports)| {
        let (target, run) = (target.into(), run.map(RunId));
        Stuck { target, run, attempt: 1, since: at(), reports }
    });
    let watch = (any::<bool>(), prop::collection::vec(stuck, 0..2), any_number());
    let watch = watch.prop_map(|(follows, stuck, run)| {
        let cancelled_runs = Some(RunId(run)).filter(|_| follows).into_iter().collect();
        Watch { follows, stuck, cancelled_runs, ended_jobs: Vec::new() }
    });
    let form = prop::option::of(any_values().prop_map(Word::Known));
    let extras = (form, prop::option::of(any_inputs()), prop::option::of(any_rules()));
    let parts = (any_writer(), any_text(), targets, followed_runs, left_out, watch, extras);
    parts.prop_map(|(by, release, targets, followed_runs, left_out, watch, (form, inputs, rules))| {
        let (left_out, release) = (left_out.into_iter().map(Into::into).collect(), Some(release));
        Record::Dispatch(Dispatch {
            by,
            seq: 1,
            run_url: String::new(),
            driver: Login::parse("alice"),
            release,
            workflow_url: None,
            close: false,
            form,
            inputs,
            rules,
            left_out,
            verifications: Vec::new(),
            watch,
            targets,
            followed_runs,
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
            explanation: Default::default(),
            flapping: Vec::new(),
            pings: Vec::new(),
            mention,
            at: at(),
            other: Map::new(),
        })
    })
}

/// A record of a release with what its marker keeps.
fn any_release() -> impl Strategy<Value = Record> {
    let target = (any_text(), any_text(), any_text(), 0..9_u32).prop_map(|(target, tag, url, attempts)| {
        let (release_url, compare_url) = (Some(url.clone()), Some(url));
        ReleasedTarget {
            target,
            tag: Some(tag),
            release_url,
            compare_url,
            attempts,
            ..ReleasedTarget::default()
        }
    });
    let parts = (any_writer(), any_text(), prop::collection::vec(target, 0..4), any_text());
    parts.prop_map(|(by, text, targets, name)| {
        let first_failure = FirstFailure {
            target: name.clone(),
            what: text.clone(),
            url: Some(text.clone()),
            at: at(),
            mended_at: at(),
        };
        Record::Release(Box::new(Release {
            by,
            seq: 1,
            run_url: String::new(),
            release: Some(text.clone()),
            ticket_url: text.clone(),
            started_at: at(),
            ended_at: at(),
            targets,
            gates: vec![GateWait { name, from: at(), to: at() }],
            first_failure: Some(first_failure),
            earlier_releases: vec![EarlierRelease {
                release: Some(text.clone()),
                ticket_url: text,
                seconds: 60,
            }],
            decisions: Vec::new(),
            other: Map::new(),
        }))
    })
}

fn any_record() -> impl Strategy<Value = Record> {
    prop_oneof![any_report(), any_dispatch(), any_notice(), any_decision(), any_release()]
}

fn comment(id: u64, body: String) -> Comment {
    let author = Some("acme-release[bot]".into());
    Comment {
        id: CommentId(id),
        author,
        is_trusted: true,
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
        let (_, page) = body.split_once('\n').expect("a marker line");
        prop_assert!(!page.contains("<!--") && !page.contains("<script") && !page.contains("!["), "{}", page);
        prop_assert!(!page.contains("@everyone"), "{}", page);
        log.extend([comment(99, body)]);
        prop_assert!(records.is_empty() || log.next_board_step() == BoardStep::Shown);
    }

    #[test]
    fn any_inputs_are_taken_or_refused_with_a_reason(
        values in prop::collection::vec((prop::sample::select(INPUTS.to_vec()), any_text()), 0..12),
        mode in prop::sample::select(vec!["dispatch", "report", "notify"]),
    ) {
        let mut inputs: BTreeMap<String, String> =
            values.into_iter().map(|(input, value)| (input.name.to_owned(), value)).filter(|(_, value)| !value.trim().is_empty()).collect();
        inputs.insert("mode".into(), mode.into());
        if let Err(problems) = Inputs::read(&inputs, &job()) {
            prop_assert!(!problems.is_empty());
        }
    }

    #[test]
    fn any_targets_file_is_taken_or_refused(text in any_text(), name in any_text(), repository in any_text()) {
        let hub = "acme/hub".parse().expect("a name");
        let json = serde_json::json!({ "targets": [{ "name": name, "repository": repository }] }).to_string();
        let rules = serde_json::json!({
            "targets": [{ "repository": "web", "workflow": "release.yml", "needs": name }],
            "gates": [{ "name": name, "approvers": [repository], "on-moved": text }],
            "freeze": { "from": text, "to": name, "reason": repository },
        });
        for text in [text, json, rules.to_string()] {
            let _ = targets::parse_file("t.yml", &text, &hub, &Defaults::default());
            let _ = targets::parse_input(&text, &hub, &Defaults::default());
        }
    }

    #[test]
    fn a_gate_is_read_under_any_name_that_is_not_refused(name in any_text(), reason in any_text()) {
        let hub = "acme/hub".parse().expect("a name");
        let file = serde_json::json!({
            "targets": [{ "repository": "web", "workflow": "release.yml", "needs": name }],
            "gates": [{ "name": name }],
            "freeze": { "from": "2026-12-20", "to": "2027-01-02", "reason": reason },
        });
        let list = targets::parse_file("t.yml", &file.to_string(), &hub, &Defaults::default());
        if list.problems.is_empty() {
            let [gate] = &list.rules.gates[..] else { panic!("one gate: {list:?}") };
            prop_assert_eq!(gate.name.as_str(), name.trim());
            prop_assert_eq!(&list.targets[0].needs, std::slice::from_ref(&gate.name));
            let [freeze] = &list.rules.freezes[..] else { panic!("one freeze: {list:?}") };
            prop_assert_eq!(freeze.reason.as_str(), reason.trim());
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
