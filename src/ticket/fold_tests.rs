//! Tests: the laws of the fold.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::names::Login;
use crate::ticket::Outputs;
use crate::ticket::{Reason, Review, Watch};

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_600_000 + minute * 60, 0).expect("a time")
}

fn by(repository: &str, run: u64, attempt: u32, job: &str) -> Writer {
    Writer {
        repository: repository.parse().expect("a name"),
        run: RunId(run),
        attempt,
        job: job.into(),
        check_run: None,
    }
}

fn stage(stage: &str, status: Status, seq: u64) -> StageReport {
    StageReport {
        target: None,
        stage: stage.into(),
        status: status.into(),
        message: None,
        url: None,
        ends_release: false,
        outputs: Outputs::default(),
        at: at(i64::try_from(seq).unwrap_or(0)),
        seq,
        other: Map::new(),
    }
}

fn last_stage(seq: u64) -> StageReport {
    StageReport {
        ends_release: true,
        url: Some("https://a.example/v1".into()),
        ..stage("publish", Status::Success, seq)
    }
}

/// A record of a run of acme/web, with the newest state of each stage.
fn report(run: u64, attempt: u32, job: &str, stages: &[StageReport]) -> Record {
    let seq = stages.iter().map(|stage| stage.seq).max().unwrap_or(0);
    let by = by("acme/web", run, attempt, job);
    let run_url = format!("https://github.com/acme/web/actions/runs/{run}");
    Record::Report(Report { by, seq, run_url, stages: stages.to_vec(), other: Map::new() })
}

fn start(hub_run: u64, attempt: u32, state: StartState, run: Option<u64>) -> Record {
    let start = Start {
        commit: None,
        outputs: Outputs::default(),
        verify: false,
        repeats: None,
        turn: None,
        target: "web".into(),
        repository: "acme/web".parse().expect("a name"),
        workflow: Some("release.yml".into()),
        git_ref: Some("main".into()),
        needs: Vec::new(),
        state: state.into(),
        run: run.map(RunId),
        run_url: None,
        reason: (state == StartState::Refused)
            .then(|| Reason::Refused { error: "no".to_owned(), help: None }.into()),
        at: at(0),
        other: Map::new(),
    };
    Record::Dispatch(Dispatch {
        by: by("acme/hub", hub_run, attempt, "dispatch"),
        seq: 1,
        run_url: String::new(),
        driver: Login::parse("alice"),
        release: None,
        workflow_url: None,
        close: false,
        form: None,
        inputs: None,
        rules: None,
        left_out: Vec::new(),
        watch: Watch::default(),
        targets: vec![start],
        followed_runs: Vec::new(),
        verifications: Vec::new(),
        other: Map::new(),
    })
}

fn notice(run: u64, attempt: u32, status: Status) -> Record {
    Record::Notice(Notice {
        by: by("acme/web", run, attempt, "notify"),
        seq: 1,
        run_url: String::new(),
        fingerprint: "f".into(),
        status: status.into(),
        message: "it broke".into(),
        url: None,
        job: None,
        explanation: Default::default(),
        flapping: Vec::new(),
        pings: Vec::new(),
        mention: Vec::new(),
        at: at(0),
        other: Map::new(),
    })
}

fn web(records: &[Record]) -> Target {
    fold(records).targets.remove("web").expect("the target")
}

#[test]
fn a_late_start_does_not_reopen_a_finished_target() {
    let records = [
        report(100, 1, "publish", &[last_stage(2)]),
        report(100, 1, "build", &[stage("build", Status::InProgress, 1)]),
    ];
    assert_eq!(web(&records).status, TargetStatus::Released);
}

#[test]
fn the_newest_word_of_a_job_counts_whatever_its_time_says() {
    let mut late = stage("build", Status::Success, 2);
    late.at = at(-60);
    let records =
        [report(100, 1, "build", &[late]), report(100, 1, "build", &[stage("build", Status::Failure, 1)])];
    assert_eq!(web(&records).status, TargetStatus::InProgress);
}

#[test]
fn the_success_of_one_job_resolves_no_failure_of_another_in_the_same_attempt() {
    let of_job = |job: &str, attempt, status, seq| {
        let Record::Notice(notice) = notice(100, attempt, status) else { unreachable!("it is one") };
        Record::Notice(Notice { by: by("acme/web", 100, attempt, job), seq, ..notice })
    };
    let (failure, success) = (of_job("a", 1, Status::Failure, 1), of_job("z", 1, Status::Success, 5));
    for records in [[&failure, &success], [&success, &failure]] {
        assert_eq!(fold(records).notices.len(), 1);
    }
    assert_eq!(fold([&failure, &of_job("a", 1, Status::Success, 2)]).notices, []);
    assert_eq!(fold([&failure, &of_job("z", 2, Status::Success, 1)]).notices, []);
}

#[test]
fn a_run_takes_from_its_start_until_the_stage_that_decides_whatever_its_attempts() {
    let first_start = start(50, 1, StartState::Started, Some(100));
    let target = web(std::slice::from_ref(&first_start));
    assert_eq!((target.started_at, target.ended_at), (Some(at(0)), None));
    let failure = report(100, 1, "publish", &[stage("publish", Status::Failure, 3)]);
    let target = web(&[first_start.clone(), failure.clone()]);
    assert_eq!((target.started_at, target.ended_at), (Some(at(0)), Some(at(3))));
    let again = report(100, 2, "publish", &[last_stage(9)]);
    let late = report(100, 2, "announce", &[stage("announce", Status::Success, 12)]);
    let target = web(&[first_start, failure.clone(), again.clone(), late.clone()]);
    assert_eq!((target.started_at, target.ended_at), (Some(at(0)), Some(at(9))));
    // A run that the hub did not start begins with its first report.
    let target = web(&[failure, again, late]);
    assert_eq!((target.started_at, target.ended_at), (Some(at(3)), Some(at(9))));
    // A refused start took no time.
    let target = web(&[start(50, 1, StartState::Refused, None)]);
    assert_eq!((target.started_at, target.ended_at), (None, None));
}

#[test]
fn a_target_has_its_page_where_a_run_has_one_on_the_same_server() {
    let target = web(&[report(100, 1, "publish", &[last_stage(2)])]);
    assert_eq!(target.repository_url.as_deref(), Some("https://github.com/acme/web"));
    assert_eq!(web(&[start(50, 1, StartState::Started, None)]).repository_url, None);
}

#[test]
fn a_green_rerun_clears_a_red_row() {
    let records = [
        report(100, 1, "build", &[stage("build", Status::Success, 1)]),
        report(100, 1, "publish", &[stage("publish", Status::Failure, 1)]),
        report(100, 1, "failed", &[stage("failed", Status::Failure, 1)]),
        report(100, 2, "publish", &[last_stage(1)]),
    ];
    let target = web(&records);
    assert_eq!(target.status, TargetStatus::Released);
    assert_eq!(target.run.map(|run| run.attempt), Some(2));
    // The successful stage of the first attempt does not run again, and still counts.
    assert_eq!(
        target.stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>(),
        ["build", "publish"]
    );
    assert_eq!(target.old_stages.len(), 2);
}

#[test]
fn a_late_report_of_an_older_attempt_cannot_win() {
    let records = [
        report(100, 2, "publish", &[last_stage(1)]),
        report(100, 1, "publish", &[stage("publish", Status::Failure, 9)]),
    ];
    assert_eq!(web(&records).status, TargetStatus::Released);
}

#[test]
fn a_failure_in_one_job_of_a_matrix_is_not_hidden_by_another() {
    let jobs = |job: &str, status| report(100, 1, job, &[stage("build", status, 1)]);
    let records = [jobs("build (a)", Status::Failure), jobs("build (b)", Status::Success)];
    assert_eq!(web(&records).status, TargetStatus::Failed);
}

#[test]
fn a_second_start_is_newer_than_what_the_first_left_behind() {
    let records = [
        start(90, 1, StartState::Started, Some(100)),
        report(100, 1, "publish", &[stage("publish", Status::Failure, 1)]),
        start(200, 1, StartState::Started, None),
    ];
    let target = web(&records);
    assert_eq!(target.status, TargetStatus::Queued);
    assert_eq!(target.old_stages.len(), 1);
    assert_eq!(
        web(&[records.as_slice(), &[report(210, 1, "publish", &[last_stage(1)])]].concat()).status,
        TargetStatus::Released
    );
}

#[test]
fn the_claim_of_a_job_that_came_second_and_died_hides_nothing() {
    let first_start = start(90, 1, StartState::Started, Some(100));
    let dead = start(200, 1, StartState::Claimed, None);
    let records = [first_start, dead, report(100, 1, "publish", &[last_stage(1)])];
    assert_eq!(web(&records).status, TargetStatus::Released);
}

#[test]
fn a_refused_start_is_a_failure_until_it_is_made_good() {
    let refusal = start(90, 1, StartState::Refused, None);
    assert_eq!(web(std::slice::from_ref(&refusal)).status, TargetStatus::Failed);
    assert_eq!(web(&[refusal, start(90, 2, StartState::Started, Some(100))]).status, TargetStatus::Queued);
}

#[test]
fn a_yielded_claim_says_nothing() {
    assert!(fold(&[start(90, 1, StartState::Yielded, None)]).targets.is_empty());
}

#[test]
fn a_report_that_names_no_target_belongs_to_the_one_that_was_started() {
    let early = report(100, 1, "publish", &[last_stage(1)]);
    assert_eq!(fold([&early]).targets["web"].status, TargetStatus::Released, "named after its repository");
    let Record::Dispatch(mut dispatch) = start(90, 1, StartState::Started, Some(100)) else {
        panic!("a dispatch")
    };
    dispatch.targets[0].target = "site".into();
    let ticket = fold(&[early, Record::Dispatch(dispatch)]);
    assert_eq!(ticket.targets.keys().collect::<Vec<_>>(), ["site"]);
    assert_eq!(ticket.targets["site"].status, TargetStatus::Released);
}

#[test]
fn a_run_is_where_its_hub_started_it_even_if_another_repository_reports_it() {
    let Record::Report(mut elsewhere) = report(107, 1, "build", &[stage("build", Status::InProgress, 1)])
    else {
        panic!("a report")
    };
    elsewhere.by.repository = "acme/site".parse().expect("a name");
    let run = |records: &[Record]| web(records).run.expect("a run").repository.to_string();
    let elsewhere = Record::Report(elsewhere);
    assert_eq!(run(&[start(100, 1, StartState::Started, Some(107)), elsewhere.clone()]), "acme/web");
    let watch = watch(100, &[followed_run(107, 1, "in_progress", None, 0)]);
    assert_eq!(run(&[start(100, 1, StartState::Started, None), watch, elsewhere]), "acme/web");
}

#[test]
fn a_notice_fails_the_attempt_that_it_is_about_and_no_later_one() {
    let build = report(100, 1, "build", &[stage("build", Status::Success, 1)]);
    let ticket = fold(&[build.clone(), notice(100, 1, Status::Failure)]);
    assert_eq!((ticket.targets["web"].status, ticket.notices.len()), (TargetStatus::Failed, 1));
    let rerun =
        fold(&[build.clone(), notice(100, 1, Status::Failure), report(100, 2, "publish", &[last_stage(1)])]);
    assert_eq!((rerun.targets["web"].status, rerun.notices.len()), (TargetStatus::Released, 0));
    let resolved = fold(&[build, notice(100, 1, Status::Failure), notice(100, 2, Status::Success)]);
    assert_eq!(resolved.notices.len(), 0);
}

#[test]
fn of_copies_that_somebody_edited_every_reader_takes_the_same() {
    let records = [
        report(200, 1, "job", &[stage("build", Status::Failure, 1)]),
        report(300, 1, "job", &[last_stage(1)]),
        start(100, 1, StartState::Started, Some(200)),
        watch(100, &[followed_run(200, 1, "completed", Some("success"), 1)]),
        notice(200, 1, Status::Failure),
    ];
    for record in records {
        let mut copy = record.clone();
        match &mut copy {
            Record::Report(report) => report.run_url += "?",
            Record::Notice(notice) => notice.run_url += "?",
            Record::Decision(decision) => decision.run_url += "?",
            Record::Release(release) => release.run_url += "?",
            Record::Dispatch(dispatch) => {
                dispatch.driver = Login::parse("mallory");
                dispatch.targets.iter_mut().for_each(|start| start.workflow = None);
                dispatch.followed_runs.iter_mut().for_each(|run| run.run_url += "?");
            }
        }
        let older = report(400, 1, "job", &[stage("later", Status::InProgress, 1)]);
        for others in [vec![], vec![older]] {
            let [mut one, mut other] = [[&record, &copy], [&copy, &record]].map(Vec::from);
            one.extend(&others);
            other.extend(&others);
            assert_eq!(fold(one), fold(other), "{record:?}");
        }
    }
}

fn giving(outputs: &[(&str, &str)], stage: StageReport) -> StageReport {
    StageReport { outputs: outputs.iter().copied().collect(), ..stage }
}

fn outputs_of<'r>(records: impl IntoIterator<Item = &'r Record>) -> String {
    let outputs = fold(records).targets["web"].outputs.clone();
    outputs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_outputs_of_a_target_are_those_of_all_jobs_of_its_newest_run() {
    let old = report(99, 1, "build", &[giving(&[("version", "1.3"), ("old", "x")], last_stage(1))]);
    let build = report(100, 1, "build", &[giving(&[("version", "1.4")], stage("build", Status::Success, 1))]);
    let linux = report(100, 1, "publish (linux)", &[giving(&[("linux", "a")], last_stage(2))]);
    let mac = report(100, 1, "publish (mac)", &[giving(&[("mac", "b"), ("Mac", "-")], last_stage(2))]);
    assert_eq!(outputs_of([&old, &build, &linux, &mac]), "linux=a mac=b version=1.4");
    assert_eq!(outputs_of([&mac, &linux, &old, &build]), "linux=a mac=b version=1.4");
}

#[test]
fn the_outputs_of_a_re_run_replace_those_of_the_attempt_before() {
    let first = report(
        100,
        1,
        "build",
        &[
            giving(&[("version", "1"), ("notes", "x")], stage("build", Status::Failure, 1)),
            giving(&[("url", "u"), ("tag", "1")], stage("tag", Status::Success, 2)),
        ],
    );
    let second = report(100, 2, "build", &[giving(&[("version", "2"), ("tag", "2")], last_stage(1))]);
    assert_eq!(outputs_of([&first, &second]), "tag=2 url=u version=2", "what failed gives back nothing");
    assert_eq!(outputs_of([&first]), "notes=x tag=1 url=u version=1");
}

#[test]
fn outputs_that_a_job_has_reported_stay_when_it_reports_the_stage_again() {
    let Record::Report(mut record) = report(100, 1, "build", &[]) else { unreachable!("it is a report") };
    record.add(giving(&[("version", "1"), ("url", "u")], stage("build", Status::InProgress, 0)));
    record.add(giving(&[("version", "2")], stage("build", Status::Success, 0)));
    assert_eq!(outputs_of([&Record::Report(record)]), "url=u version=2");
}

fn any_status() -> impl Strategy<Value = Status> {
    prop::sample::select(Status::ALL.to_vec())
}

fn any_report() -> impl Strategy<Value = Record> {
    let output = prop::option::of((0..2_usize, 0..3_u8));
    let stages =
        prop::collection::vec((0..3_usize, any_status(), any::<bool>(), output, 1..4_u64, 0..5_i64), 1..4);
    (100..103_u64, 1..3_u32, 0..3_usize, stages).prop_map(|(run, attempt, job, stages)| {
        let stages = stages.into_iter().map(|(name, status, done, output, seq, minute)| StageReport {
            ends_release: done,
            outputs: output
                .map(|(name, value)| (["version", "url"][name], value.to_string()))
                .into_iter()
                .collect(),
            at: at(minute),
            ..stage(["build", "test", "publish"][name], status, seq)
        });
        report(run, attempt, ["a", "b", "c"][job], &stages.collect::<Vec<_>>())
    })
}

fn any_record() -> impl Strategy<Value = Record> {
    let states = [
        StartState::Claimed,
        StartState::Yielded,
        StartState::Started,
        StartState::Refused,
        StartState::Unknown,
        StartState::Waiting,
        StartState::TakenOver,
    ];
    let any_start = (
        90..93_u64,
        1..3_u32,
        prop::sample::select(states.to_vec()),
        prop::option::of(100..103_u64),
        prop::sample::select(vec!["api", "docs"]),
    )
        .prop_map(|(hub, attempt, state, run, needed)| {
            let Record::Dispatch(mut dispatch) = start(hub, attempt, state, run) else { unreachable!() };
            dispatch.targets[0].needs = vec![needed.into()];
            Record::Dispatch(dispatch)
        });
    let states = [
        ("queued", None),
        ("in_progress", None),
        ("eaten", None),
        ("completed", Some("success")),
        ("completed", Some("failure")),
        ("completed", Some("eaten")),
    ];
    let any_watch = (90..93_u64, 100..103_u64, 1..3_u32, prop::sample::select(states.to_vec()), 0..3_usize)
        .prop_map(|(hub, run, attempt, (status, conclusion), over)| {
            watch(hub, &[followed_run(run, attempt, status, conclusion, over)])
        });
    let any_notice = (100..103_u64, 1..3_u32, any_status())
        .prop_map(|(run, attempt, status)| notice(run, attempt, status));
    prop_oneof![6 => any_report(), 2 => any_start, 2 => any_watch, 1 => any_notice]
}

proptest! {
    #[test]
    fn the_order_and_repetition_of_records_mean_nothing(
        (records, shuffled) in prop::collection::vec(any_record(), 0..12).prop_flat_map(|records| {
            let twice = [records.clone(), records.clone()].concat();
            (Just(records), Just(twice).prop_shuffle())
        })
    ) {
        prop_assert_eq!(fold(&records), fold(&shuffled));
    }

    #[test]
    fn an_older_state_of_a_record_adds_nothing(
        stages in prop::collection::vec((0..2_usize, any_status()), 1..6), others in prop::collection::vec(any_record(), 0..4)
    ) {
        let by = by("acme/web", 104, 1, "a");
        let mut record = Report { by, seq: 0, run_url: String::new(), stages: Vec::new(), other: Map::new() };
        let mut states = others;
        for (name, status) in stages {
            record.add(stage(["build", "publish"][name], status, 0));
            states.push(Record::Report(record.clone()));
        }
        let with_history = fold(&states);
        states.retain(|state| state.by() != &record.by || *state == Record::Report(record.clone()));
        prop_assert_eq!(with_history, fold(&states));
    }
}

// ---- runs that a hub job follows, and targets that wait ----

fn followed_run(
    run: u64,
    attempt: u32,
    status: &str,
    conclusion: Option<&str>,
    jobs_over: usize,
) -> FollowedRun {
    FollowedRun {
        target: "web".into(),
        repository: "acme/web".parse().expect("a name"),
        run: RunId(run),
        attempt,
        run_url: format!("https://github.com/acme/web/actions/runs/{run}"),
        status: status.into(),
        conclusion: conclusion.map(Into::into),
        job: Some(FollowedJob {
            name: "publish".into(),
            status: status.into(),
            conclusion: conclusion.map(Into::into),
            url: None,
            step: None,
            error: None,
        }),
        jobs: 3,
        ended_jobs: jobs_over,
        reviews: Vec::new(),
        reports: 0,
        at: at(5),
        other: Map::new(),
    }
}

fn watch(hub_run: u64, runs: &[FollowedRun]) -> Record {
    let Record::Dispatch(dispatch) = start(hub_run, 1, StartState::Started, None) else { unreachable!() };
    Record::Dispatch(Dispatch { targets: Vec::new(), followed_runs: runs.to_vec(), ..dispatch })
}

fn waiting(needs: &[&str]) -> Record {
    let Record::Dispatch(mut dispatch) = start(10, 1, StartState::Waiting, None) else { unreachable!() };
    dispatch.targets[0].needs = needs.iter().map(|name| (*name).into()).collect();
    Record::Dispatch(dispatch)
}

#[test]
fn a_target_that_reports_nothing_stands_as_its_run_does() {
    let first_start = start(10, 1, StartState::Started, Some(100));
    for (run, expected) in [
        (followed_run(100, 1, "queued", None, 0), TargetStatus::Queued),
        (followed_run(100, 1, "in_progress", None, 1), TargetStatus::InProgress),
        (followed_run(100, 1, "completed", Some("success"), 3), TargetStatus::Released),
        (followed_run(100, 1, "completed", Some("timed_out"), 3), TargetStatus::Failed),
    ] {
        let web = web(&[first_start.clone(), watch(10, &[run])]);
        assert_eq!((web.status, web.stage.map(|stage| stage.name)), (expected, Some("publish".into())));
    }
}

#[test]
fn github_says_how_a_run_ended_and_what_was_reported_of_it_is_marked_where_that_differs() {
    let good = || report(100, 1, "publish", &[last_stage(1)]);
    let bad = || report(100, 1, "test", &[stage("test", Status::Failure, 1)]);
    let over = |conclusion| watch(10, &[followed_run(100, 1, "completed", Some(conclusion), 3)]);
    let running =
        |reports| watch(10, &[FollowedRun { reports, ..followed_run(100, 1, "in_progress", None, 1) }]);
    for (report, run, status, reported_status) in [
        (good(), over("success"), TargetStatus::Released, None),
        (good(), over("failure"), TargetStatus::Failed, Some(TargetStatus::Released)),
        (bad(), over("success"), TargetStatus::Released, Some(TargetStatus::Failed)),
        (bad(), over("failure"), TargetStatus::Failed, None),
        (good(), running(1), TargetStatus::InProgress, Some(TargetStatus::Released)),
        (bad(), running(1), TargetStatus::InProgress, Some(TargetStatus::Failed)),
        // The record is older than the report, and no job follows the run.
        (good(), running(0), TargetStatus::Released, None),
        (bad(), running(0), TargetStatus::Failed, None),
    ] {
        let web = web(&[report, run]);
        assert_eq!((web.status, web.reported_status), (status, reported_status));
    }
}

#[test]
fn a_run_that_waits_for_a_review_says_more_than_what_was_reported() {
    let reports = [
        report(100, 1, "build", &[stage("build", Status::InProgress, 1)]),
        report(100, 1, "publish", &[last_stage(1)]),
    ];
    let waiting = FollowedRun {
        reviews: vec![Review::new("production", Login::parse("dana").into_iter(), None)],
        reports: 1,
        ..followed_run(100, 1, "waiting", None, 1)
    };
    for (report, reported_status) in reports.into_iter().zip([None, Some(TargetStatus::Released)]) {
        let web = web(&[report, watch(10, std::slice::from_ref(&waiting))]);
        assert_eq!((web.status, web.reported_status), (TargetStatus::Review, reported_status));
        let stage = web.stage.expect("a stage");
        assert_eq!(
            (stage.name.as_str(), stage.message.as_deref()),
            ("publish", Some("dana has to approve `production`"))
        );
    }
}

#[test]
fn the_record_with_the_furthest_state_of_a_run_counts_and_a_newer_attempt_counts_more() {
    let early = watch(20, &[followed_run(100, 1, "in_progress", None, 1)]);
    let late = watch(10, &[followed_run(100, 1, "completed", Some("failure"), 3)]);
    assert_eq!(web(&[late.clone(), early.clone()]).status, TargetStatus::Failed);
    let again = watch(5, &[followed_run(100, 2, "in_progress", None, 0)]);
    let web = web(&[again, late, early]);
    assert_eq!((web.status, web.run.map(|run| run.attempt)), (TargetStatus::InProgress, Some(2)));
    assert_eq!(web.old_stages.len(), 1, "the first attempt is history");
}

#[test]
fn a_second_start_is_newer_than_the_failed_run_of_the_first() {
    let records = [
        start(10, 1, StartState::Started, Some(100)),
        watch(10, &[followed_run(100, 1, "completed", Some("failure"), 3)]),
        start(20, 1, StartState::Started, Some(200)),
    ];
    let web = web(&records);
    assert_eq!((web.status, web.old_stages.len()), (TargetStatus::Queued, 1));
}

#[test]
fn a_waiting_target_waits_until_somebody_claims_it() {
    let web = |more: &[Record]| web(&[&[waiting(&["api"])], more].concat());
    assert_eq!((web(&[]).status, web(&[]).needs), (TargetStatus::Waiting, vec!["api".into()]));
    assert_eq!(web(&[start(9, 1, StartState::Claimed, None)]).status, TargetStatus::Queued);
    assert_eq!(web(&[start(9, 1, StartState::Yielded, None)]).status, TargetStatus::Waiting);
    assert_eq!(web(&[start(9, 1, StartState::Started, Some(100))]).status, TargetStatus::Queued);
}

#[test]
fn a_target_that_an_earlier_ticket_has_released_is_released_until_it_is_started() {
    let taken_over = start(9, 1, StartState::TakenOver, None);
    let web_with = |more: &[Record]| web(&[std::slice::from_ref(&taken_over), more].concat());
    assert_eq!(web_with(&[]).status, TargetStatus::Released);
    assert_eq!(web_with(&[waiting(&["api"])]).status, TargetStatus::Released);
    for state in [StartState::Claimed, StartState::Cancelled, StartState::Yielded] {
        assert_eq!(web_with(&[start(20, 1, state, None)]).status, TargetStatus::Released, "{state:?}");
    }
    assert_eq!(web_with(&[start(20, 1, StartState::Started, Some(100))]).status, TargetStatus::Queued);
    let Record::Dispatch(mut dispatch) = taken_over else { unreachable!() };
    for (reason, status) in [
        (
            json!({ "reason": "taken_over", "ticket": "acme/hub#7", "status": "skipped" }),
            TargetStatus::Skipped,
        ),
        (
            json!({ "reason": "taken_over", "ticket": "acme/hub#7", "status": "failed" }),
            TargetStatus::Released,
        ),
        (json!({ "reason": "handed_over" }), TargetStatus::Held),
    ] {
        dispatch.targets[0].reason = serde_json::from_value(reason).ok();
        assert_eq!(web(&[Record::Dispatch(dispatch.clone())]).status, status);
    }
}

#[test]
fn a_failure_blocks_the_targets_that_wait_for_it_even_by_way_of_others() {
    let entry = |name: &str, state, needs: &[&str]| {
        let Record::Dispatch(mut dispatch) = waiting(needs) else { unreachable!() };
        dispatch.targets[0].target = name.into();
        dispatch.targets[0].state = Word::Known(state);
        Record::Dispatch(dispatch)
    };
    let ticket = fold(&[
        entry("api", StartState::Refused, &[]),
        entry("web", StartState::Waiting, &["api"]),
        entry("docs", StartState::Waiting, &["web"]),
        entry("odd", StartState::Waiting, &["odd"]),
    ]);
    let blocker = |name: &str| ticket.blocker(&ticket.targets[name].needs).map(|(name, _)| name.as_str());
    assert_eq!(blocker("docs"), Some("api"));
    assert_eq!(blocker("odd"), None);
}
