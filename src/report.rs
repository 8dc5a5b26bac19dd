//! The mode `report`: puts a stage's status, message and link on the ticket.
//!
//! The steps of a job share its record in the job's own folder, so the first report writes and reads at the
//! same time. A later one reads first: it edits only a comment that GitHub shows as this job's record, even if the
//! folder names another one. Without such a folder it looks for the record in the ticket.

mod track;

use std::cmp::Reverse;
use std::time::Duration;

use serde_json::Map;

use self::track::Ending;
use crate::apply;
use crate::cancel::{Cancellation, WIND_UP_LIMIT, unless};
use crate::github::needs::{Level, Permission};
use crate::github::{GitHub, GitHubError, Needs};
use crate::inputs::{CommentMode, Common, ReportInputs};
use crate::job::Job;
use crate::ledger::Ledger;
use crate::names::{IssueRef, TargetName, number};
use crate::outbox::{JobRecord, Outbox};
use crate::plan::{Effect, EffectOutcome};
use crate::problem::{Problem, Topic};
use crate::receipt::Receipt;
use crate::runner::log::NOTICE;
use crate::targets::did_you_mean;
use crate::ticket::pinging::{self, DuePing, Pinger};
use crate::ticket::state::Run;
use crate::ticket::{Log, PingEvent, Record, Report, StageReport, Status, Target, Ticket, Writer, text};

/// How long the report of a cancelled job may take. The runner gives its last steps
/// [five minutes](https://docs.github.com/actions/reference/workflows-and-actions/workflow-cancellation) together.
const REPORTING_CANCELLATION: Duration = Duration::from_secs(60);

/// The permissions that a report needs.
fn needs(job: &Job, common: &Common, inputs: &ReportInputs) -> Needs {
    let Some(ticket) = &common.ticket else { return Needs::default() };
    let needs = Needs::default().must(&ticket.repository, Permission::Issues, Level::Write);
    match track::looks_for_step(job, inputs) {
        true => needs.may(&job.repository, Permission::Actions, Level::Read),
        false => needs,
    }
}

/// Reports a stage; if the step is cancelled meanwhile, reports the cancellation.
pub async fn run(
    job: &Job,
    common: &Common,
    inputs: &ReportInputs,
    github: &GitHub,
    mut cancellation: Cancellation<'_>,
) -> Receipt {
    let Some(inputs) = &track::inputs_at(job, common, inputs) else { return Receipt::default() };
    github.tokens().need(needs(job, common, inputs));
    let mut receipt = Receipt::default();
    let is_of_cancelled_job = track::is_end(job, inputs) && inputs.status == Status::Cancelled;
    if is_of_cancelled_job {
        github.hurry();
    }
    let limit = if is_of_cancelled_job { REPORTING_CANCELLATION } else { Duration::MAX };
    let reporting = tokio::time::timeout(limit, report(job, common, inputs, github, &mut receipt));
    if let Some(result) = unless(&mut cancellation, reporting).await {
        if result.is_err() {
            let delivery = *receipt.is_delivered.get_or_insert(false);
            receipt.problems.push(out_of_time(Some(delivery)));
        }
        return receipt;
    }
    github.hurry();
    // The second report repeats the first one; the comment of the first one stays known.
    let delivery = (receipt.ticket.is_some() && !common.dry_run).then_some(false);
    receipt = Receipt { is_cancelled: true, is_delivered: delivery, problems: Vec::new(), ..receipt };
    let inputs = cancelled_stage(inputs);
    let wind_up = report(job, common, &inputs, github, &mut receipt);
    if tokio::time::timeout(WIND_UP_LIMIT, wind_up).await.is_err() {
        receipt.problems.push(out_of_time(receipt.is_delivered));
    }
    receipt
}

/// The problem that the time to wind up has ended, before or after the report was written.
fn out_of_time(delivery: Option<bool>) -> Problem {
    Problem::new(match delivery {
        Some(true) => "there was no time left to bring the board up to date; the next report does",
        _ => "there was no time left to say so on the ticket",
    })
}

/// A stage that had not ended is cancelled with the step.
fn cancelled_stage(inputs: &ReportInputs) -> ReportInputs {
    let status = match inputs.status {
        Status::Queued | Status::InProgress => Status::Cancelled,
        status => status,
    };
    let lines = [inputs.message.as_deref(), Some("The job was cancelled while it reported this.")];
    let message = Some(lines.into_iter().flatten().collect::<Vec<_>>().join("\n"));
    ReportInputs { status, message, ..inputs.clone() }
}

/// Reads the job's record, adds the stage, and applies the plan.
async fn report(job: &Job, common: &Common, inputs: &ReportInputs, github: &GitHub, receipt: &mut Receipt) {
    let Some(ticket) = common.ticket.clone() else { return no_ticket(inputs, receipt) };
    receipt.ticket = Some((ticket.clone(), job.issue_url(&ticket)));
    let writer = common.writer(job);
    let mut state = Outbox::lock(job.temp.as_deref(), &writer).await;
    let (mut ledger, mut log) = (Ledger::new(github, ticket.clone()), Log::default());
    let mut job_record = read(&mut ledger, &mut log, &state, &writer, common.comment_mode).await;
    if track::is_end(job, inputs) && common.comment_mode == CommentMode::New && job_record.is_ok() {
        // The reports of the steps stand in several comments.
        job_record = ledger.read_changes(&mut log).await.and(job_record);
    }
    let (job_record, read_error) = match job_record {
        Ok(job_record) => (job_record, None),
        Err(error) => (state.record(&ticket).cloned(), Some(error)),
    };
    let Some((job_record, inputs)) = add(job, common, inputs, github, job_record, &log).await else {
        tracing::info!("{}: a step of this job has reported on {ticket} how it ended", inputs.stage);
        receipt.is_delivered = Some(true);
        return;
    };
    match read_error {
        Some(error) => postpone(receipt, common, &mut state, job_record, &ticket, &error),
        None if common.dry_run => receipt.plan = Some(plan(&job_record, &ticket).into_iter().collect()),
        None => apply(receipt, common, &inputs, job_record, &mut ledger, &mut log, &mut state).await,
    }
    if track::is_start(job, &inputs) && receipt.is_delivered == Some(true) {
        // People read a job's summary after its end, which its last report describes.
        receipt.summary.clear();
    }
}

/// The job's record with this step's report, and the inputs of that report; `None` if a step of a tracked job has
/// reported it before.
async fn add(
    job: &Job,
    common: &Common,
    inputs: &ReportInputs,
    github: &GitHub,
    job_record: Option<JobRecord>,
    log: &Log,
) -> Option<(JobRecord, ReportInputs)> {
    let writer = common.writer(job);
    let inputs = match track::ending(job, &writer, inputs, job_record.as_ref(), log) {
        None => inputs.clone(),
        Some(Ending::Report(report)) => track::end_report(job, common, inputs, report, github).await,
        Some(Ending::Undelivered(report)) => return Some((job_record?, track::repeat(inputs, &report))),
        Some(Ending::Complete) => return None,
    };
    let job_record =
        decide(job_record, common.comment_mode, new_report(job, writer), stage_report(job, &inputs));
    Some((job_record, inputs))
}

/// The job's record from the outbox, or from the ticket if it may have one.
async fn read(
    ledger: &mut Ledger<'_>,
    log: &mut Log,
    state: &Outbox,
    writer: &Writer,
    mode: CommentMode,
) -> Result<Option<JobRecord>, GitHubError> {
    let job_record = state.record(ledger.ticket()).cloned();
    let is_new = match &job_record {
        None => state.is_complete(),
        Some(JobRecord { comment: None, is_sent: sent, .. }) => !sent,
        Some(JobRecord { comment: Some(_), .. }) => mode == CommentMode::New,
    };
    if is_new {
        return Ok(job_record);
    }
    ledger.read_changes(log).await?;
    // An earlier step may have written it a moment ago, and lists lag.
    let missing_comment =
        job_record.as_ref().and_then(|job_record| job_record.comment).filter(|id| !log.has_record(*id));
    if let Some(comment) = missing_comment {
        ledger.read_comment(log, comment).await?;
    }
    Ok(recover(log, writer, job_record))
}

/// The record in the ticket; or the outbox's record, if that is newer and may not have arrived.
fn recover(log: &Log, writer: &Writer, job_record: Option<JobRecord>) -> Option<JobRecord> {
    let comment = job_record.as_ref().and_then(|job_record| job_record.comment);
    // Of several equal records the first is the original; a person may have copied it.
    let newest = log
        .reports()
        .filter(|(_, report)| &report.by == writer)
        .max_by_key(|(it, report)| (Some(it.id) == comment, report.seq, Reverse(it.id)));
    let Some((comment, report)) = newest else {
        return job_record.map(|job_record| JobRecord { comment: None, is_sent: false, ..job_record });
    };
    let record = match job_record {
        Some(job_record) if job_record.record.seq > report.seq => job_record.record,
        _ => report.clone(),
    };
    Some(JobRecord { comment: Some(comment.id), record, is_sent: false })
}

/// Adds a report to the job's record; to a new one if each report has a comment of its own, or if the record would not
/// fit its comment any more.
fn decide(
    job_record: Option<JobRecord>,
    mode: CommentMode,
    new_report: Report,
    report: StageReport,
) -> JobRecord {
    let Some(mut job_record) = job_record else {
        let mut record = new_report;
        record.add(report);
        return JobRecord { comment: None, record, is_sent: false };
    };
    if mode == CommentMode::New && job_record.comment.take().is_some() {
        job_record.record.stages.clear();
    }
    let seq = job_record.record.seq;
    job_record.record.run_url.clone_from(&new_report.run_url);
    job_record.record.add(report.clone());
    if !Record::Report(job_record.record.clone()).fits() {
        let mut record = Report { seq, ..new_report };
        record.add(report);
        return JobRecord { comment: None, record, is_sent: false };
    }
    job_record
}

/// The effects of a report: the job's record, then the board.
fn plan(job_record: &JobRecord, ticket: &IssueRef) -> [Effect; 2] {
    let record = Box::new(Record::Report(job_record.record.clone()));
    [
        Effect::WriteRecord { issue: ticket.clone(), comment: job_record.comment, record },
        Effect::UpdateBoard { issue: ticket.clone() },
    ]
}

async fn apply(
    receipt: &mut Receipt,
    common: &Common,
    inputs: &ReportInputs,
    job_record: JobRecord,
    ledger: &mut Ledger<'_>,
    log: &mut Log,
    state: &mut Outbox,
) {
    let ticket = ledger.ticket().clone();
    state.keep(&ticket, JobRecord { is_sent: true, ..job_record.clone() });
    let [write, update_board] = plan(&job_record, &ticket);
    let by = job_record.record.by.clone();
    match apply::apply_beside_reading(&write, ledger, log).await {
        Ok(EffectOutcome::Written(comment)) => {
            receipt.summary = summary(&job_record.record, receipt);
            state.keep(
                &ticket,
                JobRecord { comment: Some(comment.id), record: job_record.record, is_sent: true },
            );
            receipt.is_delivered = Some(comment.is_trusted);
            if comment.is_trusted {
                tracing::info!("reported to {ticket}");
            } else {
                receipt.problems.push(comment.author_problem(&ticket.repository));
            }
            receipt.comment = Some((comment.id.0, comment.url));
        }
        Ok(_) => {}
        Err(error) => return postpone(receipt, common, state, job_record, &ticket, &error),
    }
    if let Err(error) = show(&by, inputs, &update_board, receipt, ledger, log).await {
        let what = format!("the report is on {ticket}; the board stays out of date until the next report");
        receipt.problems.push(Problem::of(&what, &error));
    }
    close(inputs, log, ledger).await;
    receipt.problems.extend(second_start(log, &by));
    if let Some(problem) = unlisted_target(log, &by) {
        problem.warn();
    }
}

/// Brings the board up to date, and pings the people who have to know, also of a report of another job meanwhile.
async fn show(
    by: &Writer,
    inputs: &ReportInputs,
    update_board: &Effect,
    receipt: &mut Receipt,
    ledger: &mut Ledger<'_>,
    log: &mut Log,
) -> Result<(), GitHubError> {
    receipt.problems.extend(ping(by, inputs, log, ledger).await);
    apply::apply(update_board, ledger, log).await?;
    if !due(log, inputs, by).is_empty() {
        receipt.problems.extend(ping(by, inputs, log, ledger).await);
        apply::apply(update_board, ledger, log).await?;
    }
    Ok(())
}

/// Pings the people who have to know of this report. If a hub job follows the runs, that job does it.
async fn ping(by: &Writer, inputs: &ReportInputs, log: &mut Log, ledger: &mut Ledger<'_>) -> Option<Problem> {
    if due(log, inputs, by).is_empty() {
        return None;
    }
    // Another job may have pinged them meanwhile. If that cannot be read, one ping too many is better than none.
    if let Err(error) = ledger.read_changes(log).await {
        tracing::info!("the ticket cannot be read once more: {error}");
    }
    let ticket = log.ticket();
    let pinger = Pinger {
        by: by.clone(),
        seq: number::next(log.last_seq(by)),
        run_url: log.reports().find(|(_, report)| report.by == *by)?.1.run_url.clone(),
        driver: ticket.driver.clone().filter(|driver| !driver.is_bot()),
        at: ledger.github().clock().now(),
    };
    let notice = pinging::notice(ticket, due(log, inputs, by), pinger)?;
    let (issue, record) = (ledger.ticket().clone(), Box::new(Record::Notice(notice)));
    let write = Effect::WriteRecord { issue, comment: None, record };
    let result = apply::apply(&write, ledger, log).await;
    result.err().map(|error| Problem::of("cannot ping anybody on the ticket", &error))
}

/// The pings that are due by this report, and that no job has sent.
fn due(log: &Log, inputs: &ReportInputs, by: &Writer) -> Vec<DuePing> {
    let ticket = log.ticket();
    let says_bad_end = matches!(inputs.status, Status::Failure | Status::Cancelled);
    let is_run = |target: &Target| target.run.as_ref().is_some_and(|run: &Run| run.id == by.run);
    // If no hub job follows the runs, the targets behind this one now wait for people.
    let is_behind = |target: &Target| {
        let mut needs = target.needs.iter().filter_map(|name| ticket.targets.get(name));
        inputs.done && !target.status.is_started() && needs.any(is_run)
    };
    let is_ours = |_: &TargetName, target: &Target| {
        target.follower.is_none() && (says_bad_end && is_run(target) || is_behind(target))
    };
    let is_done = is_last(inputs, ticket) && ticket.follower.is_none() && !is_overtaken(log, by);
    let mut due = pinging::due_pings(ticket, &inputs.pings, by, is_done, is_ours);
    // Of several jobs that fail at once the one with the first record pings.
    let is_meant = |due: &DuePing| due.ping.moment != PingEvent::Failure || is_first_to_fail(log, by);
    due.retain(|due| !pinging::is_pinged(log, &due.ping) && is_meant(due));
    due
}

/// Whether no earlier record of another job of the same attempt says that it failed.
fn is_first_to_fail(log: &Log, by: &Writer) -> bool {
    let own = log.reports().find(|(_, report)| report.by == *by).map(|(comment, _)| comment.id);
    let is_bad = |stage: &StageReport| stage.status == Status::Failure || stage.status == Status::Cancelled;
    let is_of_attempt = |of: &Writer| (of.run, of.attempt) == (by.run, by.attempt) && of != by;
    !log.reports().any(|(comment, report)| {
        is_of_attempt(&report.by) && report.stages.iter().any(is_bad) && Some(comment.id) < own
    })
}

/// Whether another job has reported a last stage later, by GitHub's clock: then that job reports the end of the
/// release.
fn is_overtaken(log: &Log, by: &Writer) -> bool {
    let own =
        log.reports().filter(|(_, report)| report.by == *by).map(|(comment, _)| comment.updated_at).max();
    let is_last = |report: &Report| report.by != *by && report.stages.iter().any(|stage| stage.ends_release);
    log.reports().any(|(comment, report)| is_last(report) && Some(comment.updated_at) > own)
}

/// Whether this report ends the release.
fn is_last(inputs: &ReportInputs, ticket: &Ticket) -> bool {
    inputs.done
        && !ticket.targets.is_empty()
        && ticket.unreadable_comments.is_empty()
        && ticket.is_done(&ticket.left_out)
}

/// Closes the ticket, if the hub asked for that and this was the last report. If the token may not, the hub's next
/// dispatch closes it.
async fn close(inputs: &ReportInputs, log: &mut Log, ledger: &mut Ledger<'_>) {
    let ticket = log.ticket();
    if !log.closes_ticket() || ticket.follower.is_some() || !is_last(inputs, ticket) {
        return;
    }
    let close = Effect::CloseIssue { issue: ledger.ticket().clone(), last_word: None };
    if let Err(error) = apply::apply(&close, ledger, log).await {
        tracing::info!("the ticket stays open until the hub's next dispatch: {error}");
    }
}

/// The problem that no dispatch of the ticket lists the target of this report.
fn unlisted_target(log: &Log, by: &Writer) -> Option<Problem> {
    let ticket = log.ticket();
    let is_ours = |run: &Run| run.id == by.run;
    let mut targets = ticket.unlisted_targets.iter();
    let (name, _) = targets.find(|(_, target)| target.run.as_ref().is_some_and(is_ours))?;
    let help = did_you_mean(name.as_str(), ticket.targets.keys().map(TargetName::as_str));
    let what = format!("no dispatch of the ticket lists the target `{name}`, so this report does not count");
    Some(Problem::new(what).help(Topic::Record, help))
}

/// The problem that another claim came before that of this run: the run's reports do not count.
fn second_start(log: &Log, by: &Writer) -> Option<Problem> {
    let mut second = log.ticket().second_starts.iter();
    let second = second.find(|second| second.run == Some(by.run))?;
    let first = second.first_url.as_deref().unwrap_or("an earlier start");
    let what = format!("{} was started twice: {first} came first, so this run does not count", second.target);
    let help = "stop this run, unless the hub has cancelled it already";
    Some(Problem::new(what).help(Topic::UnclearStart, help))
}

/// The ticket cannot be written: the report waits for the job's next step.
fn postpone(
    receipt: &mut Receipt,
    common: &Common,
    state: &mut Outbox,
    job_record: JobRecord,
    ticket: &IssueRef,
    error: &GitHubError,
) {
    receipt.is_delivered = Some(false);
    let mut what = format!("cannot report to {ticket}");
    let is_sent = !error.is_without_effect();
    if !common.dry_run && state.keep(ticket, JobRecord { is_sent, ..job_record }) {
        what += " (it goes out with this job's next report)";
    }
    let problem = Problem::of(&what, error);
    receipt.summary = format!("⚠️ {}\n", text::inline(&problem.what));
    receipt.problems.push(problem);
}

/// A report without a ticket is normal: the workflow was started by hand, or without a release.
fn no_ticket(inputs: &ReportInputs, receipt: &mut Receipt) {
    let stage = &inputs.stage;
    let status = inputs.status.as_str();
    tracing::info!(target: NOTICE, "there is no release ticket, so {stage} ({status}) is not reported");
    receipt.summary = format!("No release ticket: {} is not reported.\n", text::code(stage));
}

fn summary(record: &Report, receipt: &Receipt) -> String {
    let Some(stage) = record.stages.last() else { return String::new() };
    let ticket = receipt.ticket.as_ref().map(|(ticket, url)| text::link(&ticket.to_string(), url));
    let target = stage.target.as_ref().map_or(record.by.repository.name(), TargetName::as_str);
    format!(
        "{} **{}** {} reported to {}\n",
        stage.status.label(),
        text::inline(target),
        text::code(&stage.stage),
        ticket.unwrap_or_default()
    )
}

fn new_report(job: &Job, by: Writer) -> Report {
    Report { by, seq: 0, run_url: job.run_url(), stages: Vec::new(), other: Map::new() }
}

fn stage_report(job: &Job, inputs: &ReportInputs) -> StageReport {
    let is_usable = |url: &&String| text::web_url(url).is_some() && text::length(url) <= 2_000;
    let url = inputs.url.as_ref().filter(is_usable);
    if url.is_none() && inputs.url.is_some() {
        tracing::warn!(
            "`url` is not an http(s) address of up to 2,000 characters; the report links to the run"
        );
    }
    let target = inputs.target.clone().or_else(|| job.event.input("release-target"));
    StageReport {
        target: target.map(|target| one_line(&target).into()),
        stage: one_line(&inputs.stage),
        status: inputs.status.into(),
        message: inputs.message.as_ref().map(|message| text::cut(message, text::MESSAGE_LIMIT)),
        url: url.cloned(),
        ends_release: inputs.done,
        outputs: inputs.outputs.clone(),
        at: job.clock.now(),
        seq: 0,
        other: Map::new(),
    }
}

fn one_line(name: &str) -> String {
    text::cut_name(&name.split_whitespace().collect::<Vec<_>>().join(" "), 100)
}
