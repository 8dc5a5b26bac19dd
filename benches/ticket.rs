//! The cost of a large ticket: `cargo bench`.
//!
//! Prints the times for reading (comments to log), folding and rendering, and the requests and bytes of a report,
//! each with its ratio to a small ticket in the same run.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use release_ticket_action::names::{CommentId, Login, RunId};
use release_ticket_action::ticket::board_data::BoardData;
use release_ticket_action::ticket::{
    Basis, BoardStep, Comment, Dispatch, FollowedRun, Log, Outputs, Record, Report, StageReport, Start,
    StartState, Status, Ticket, Watch, Writer, board, fold,
};
use serde_json::Map;
use simulated_github::World;

/// Targets and records of the tickets; the first is the baseline.
const TICKETS: [(usize, usize); 3] = [(5, 10), (100, 1_000), (300, 10_000)];

/// Followed runs of one target, and the records that hold them. No hub follows so many, but a member can write them.
const FOLLOWS: [(usize, usize); 2] = [(200, 1), (20_000, 80)];

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "\n{:>8} {:>8} {:>22} {:>22} {:>22}",
        "targets", "records", "read", "fold", "fold and render"
    )?;
    let mut baseline: Option<[Duration; 3]> = None;
    for (targets, records) in TICKETS {
        let comments = comments(targets, records);
        let log = log_of(&comments);
        let times = [
            median(|| drop(black_box(log_of(&comments)))),
            median(|| drop(black_box(state_of(&log)))),
            median(|| {
                drop(black_box(board::render(&state_of(&log), &BoardData::default(), &BTreeMap::new())))
            }),
        ];
        let base = *baseline.get_or_insert(times);
        let cells = std::array::from_fn::<String, 3, _>(|at| cell(times[at], base[at]));
        writeln!(out, "{targets:>8} {records:>8} {:>22} {:>22} {:>22}", cells[0], cells[1], cells[2])?;
    }
    writeln!(
        out,
        "\n{:>8} {:>8} {:>22} {:>22} {:>22}",
        "runs", "records", "read", "fold", "board and basis"
    )?;
    let mut baseline: Option<[Duration; 3]> = None;
    for (runs, records) in FOLLOWS {
        let comments = follow_records(runs, records);
        let log = log_of(&comments);
        let basis = Basis { identity: Some("acme-release[bot]".into()), ..Basis::default() };
        let times = [
            median(|| drop(black_box(log_of(&comments)))),
            median(|| drop(black_box(state_of(&log)))),
            median(|| {
                let log = log_of(&comments);
                drop(black_box((log.next_board_step(), log.ticket_by_basis(&basis))));
            }),
        ];
        let base = *baseline.get_or_insert(times);
        let cells = std::array::from_fn::<String, 3, _>(|at| cell(times[at], base[at]));
        writeln!(out, "{runs:>8} {records:>8} {:>22} {:>22} {:>22}", cells[0], cells[1], cells[2])?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    writeln!(
        out,
        "\n{:>8} {:>8} {:>10} {:>26} {:>26}",
        "targets", "records", "report", "requests", "kilobytes"
    )?;
    let mut baseline = None;
    for (targets, records) in TICKETS {
        for (name, [requests, bytes]) in
            ["first", "later"].into_iter().zip(runtime.block_on(reports(targets, records))?)
        {
            let (base_requests, base_bytes) = *baseline.get_or_insert((requests, bytes));
            let ratio = |value: usize, base: usize| format!("({:.1} ×)", value as f64 / base as f64);
            let kilobytes = format!("{:.1} {:>12}", bytes as f64 / 1e3, ratio(bytes, base_bytes));
            let requests = format!("{requests} {:>12}", ratio(requests, base_requests));
            writeln!(out, "{targets:>8} {records:>8} {name:>10} {requests:>26} {kilobytes:>26}")?;
        }
    }
    Ok(())
}

fn state_of(log: &Log) -> Ticket {
    fold(log.records().map(|(_, record)| record))
}

fn cell(time: Duration, base: Duration) -> String {
    format!("{:.2} ms ({:.0} ×)", time.as_secs_f64() * 1e3, time.as_secs_f64() / base.as_secs_f64())
}

/// The median time of several runs, for about half a second.
fn median(mut run: impl FnMut()) -> Duration {
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 5 || start.elapsed() < Duration::from_millis(500) {
        let lap_start = Instant::now();
        run();
        times.push(lap_start.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}

fn log_of(comments: &[Comment]) -> Log {
    let mut log = Log::default();
    log.extend(comments.iter().cloned());
    log
}

/// The requests and bytes of a job's first and second report on a ticket with `records` records.
async fn reports(targets: usize, records: usize) -> Outcome<[[usize; 2]; 2]> {
    let world = World::new();
    world.repository("acme/hub");
    world.token("secret").acts_as("acme-release[bot]").can("acme/hub", &["issues: write"]);
    let ticket = world.issue("acme/hub", "Release", "", "alice");
    let comments = comments(targets, records);
    for comment in &comments {
        world.comment("acme/hub", ticket, "acme-release[bot]", &comment.body);
    }
    // The records have other ids in this world, so the first report updates the board.
    if let BoardStep::Write { body, .. } = log_of(&comments[..1]).next_board_step() {
        world.comment("acme/hub", ticket, "acme-release[bot]", &body);
    }
    world.advance(Duration::from_secs(3_600));
    let server = world.serve().await?;
    let temp = tempfile::tempdir()?;
    let url = server.url();
    let mut costs = [[0; 2]; 2];
    for cost in &mut costs {
        world.clear_exchanges();
        let ticket = format!("acme/hub#{ticket}");
        let mut step = Command::new(env!("CARGO_BIN_EXE_release-ticket-action"));
        step.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        step.env("RUNNER_TEMP", temp.path()).envs([
            ("INPUT_MODE", "report"),
            ("INPUT_TOKEN", "secret"),
            ("INPUT_STATUS", "success"),
            ("INPUT_TICKET", &ticket),
            ("GITHUB_REPOSITORY", "acme/target-1"),
            ("GITHUB_RUN_ID", "999999999"),
            ("GITHUB_JOB", "publish"),
            ("GITHUB_API_URL", &url),
        ]);
        let status = tokio::task::spawn_blocking(move || step.status());
        if !status.await??.success() {
            return Err("the report failed".into());
        }
        let length =
            |body: &Option<serde_json::Value>| body.as_ref().map_or(0, |body| body.to_string().len());
        for exchange in world.exchanges() {
            *cost = [cost[0] + 1, cost[1] + length(&exchange.request_body) + length(&exchange.response_body)];
        }
    }
    Ok(costs)
}

/// The ticket of a long release: a dispatch, and reports of several jobs and attempts.
fn comments(targets: usize, records: usize) -> Vec<Comment> {
    let name = name_of;
    let claims = (0..targets).collect::<Vec<_>>();
    let mut all: Vec<Record> = claims.chunks(80).map(|chunk| dispatch(chunk, &name)).collect();
    let reports = records.saturating_sub(all.len());
    all.extend((0..reports).map(|index| report(&name(index % targets), index % targets, index / targets)));
    in_comments(&all)
}

fn in_comments(records: &[Record]) -> Vec<Comment> {
    let id = |at: usize| CommentId(3_000_000_000 + 17 * at as u64);
    let comments = records.iter().enumerate().map(|(at, record)| Comment {
        id: id(at),
        author: Some("acme-release[bot]".into()),
        is_trusted: true,
        body: record.render(),
        created_at: DateTime::<Utc>::UNIX_EPOCH,
        updated_at: DateTime::<Utc>::UNIX_EPOCH,
        url: String::new(),
    });
    comments.collect()
}

fn dispatch(targets: &[usize], name: &dyn Fn(usize) -> String) -> Record {
    let start = |target: &usize| Start {
        commit: None,
        outputs: Outputs::default(),
        verify: false,
        repeats: None,
        turn: None,
        target: name(*target).into(),
        repository: format!("acme/{}", name(*target)).parse().expect("a repository's name"),
        workflow: Some("release.yml".into()),
        git_ref: Some("main".into()),
        needs: Vec::new(),
        state: StartState::Started.into(),
        run: Some(RunId(7_000 + *target as u64)),
        run_url: None,
        reason: None,
        at: DateTime::<Utc>::UNIX_EPOCH,
        other: Map::new(),
    };
    Record::Dispatch(Dispatch {
        by: by("hub", 6_000, 1, targets[0]),
        seq: 1,
        run_url: "https://github.com/acme/hub/actions/runs/6000".into(),
        driver: Login::parse("alice"),
        release: Some("1.4.0".into()),
        workflow_url: None,
        close: false,
        form: None,
        inputs: None,
        rules: None,
        left_out: Vec::new(),
        watch: Watch::default(),
        targets: targets.iter().map(start).collect(),
        followed_runs: Vec::new(),
        verifications: Vec::new(),
        other: Map::new(),
    })
}

/// Records of a dispatch that follows so many runs of one target.
fn follow_records(runs: usize, records: usize) -> Vec<Comment> {
    let run = |number: usize| FollowedRun {
        target: name_of(0).into(),
        repository: "acme/target-0".parse().expect("a repository's name"),
        run: RunId(7_000 + number as u64),
        attempt: 1,
        run_url: String::new(),
        status: "completed".into(),
        conclusion: Some("success".into()),
        job: None,
        jobs: 0,
        ended_jobs: 0,
        reviews: Vec::new(),
        reports: 0,
        at: DateTime::<Utc>::UNIX_EPOCH,
        other: Map::new(),
    };
    let numbers: Vec<usize> = (0..runs).collect();
    let chunks = numbers.chunks(runs / records).enumerate();
    let all = chunks.map(|(at, chunk)| {
        let Record::Dispatch(mut record) = dispatch(&[at], &name_of) else {
            unreachable!("it is a dispatch")
        };
        record.targets.clear();
        record.followed_runs = chunk.iter().map(|number| run(*number)).collect();
        Record::Dispatch(record)
    });
    in_comments(&all.collect::<Vec<_>>())
}

fn name_of(target: usize) -> String {
    format!("target-{target}")
}

/// The `nth` record of a target: ten jobs in each attempt.
fn report(name: &str, target: usize, nth: usize) -> Record {
    let run = 7_000 + target as u64;
    let stage = StageReport {
        target: None,
        stage: format!("stage-{}", nth % 10),
        status: Status::ALL[(target + nth) % Status::ALL.len()].into(),
        message: Some("412 tests passed in 3 min 12 s".into()),
        url: None,
        ends_release: nth % 10 == 9,
        outputs: Outputs::default(),
        at: DateTime::<Utc>::UNIX_EPOCH,
        seq: 1,
        other: Map::new(),
    };
    Record::Report(Report {
        by: by(name, run, 1 + u32::try_from(nth / 10).unwrap_or(0), nth % 10),
        seq: 1,
        run_url: format!("https://github.com/acme/{name}/actions/runs/{run}"),
        stages: vec![stage],
        other: Map::new(),
    })
}

fn by(repository: &str, run: u64, attempt: u32, job: usize) -> Writer {
    let repository = format!("acme/{repository}").parse().expect("a repository's name");
    Writer { repository, run: RunId(run), attempt, job: format!("job-{job}"), check_run: None }
}
