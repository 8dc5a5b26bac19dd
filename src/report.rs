//! The mode `report`: puts a stage's status, message and link on the ticket.
//!
//! The steps of a job share its record in the job's own folder, so the first report writes and reads at the
//! same time. A later one reads first: it edits only what GitHub shows as this job's record, whatever the folder
//! says. Where there is no such folder the record is looked for in the ticket.

mod track;

use std::cmp::Reverse;
use std::time::Duration;

use serde_json::Map;

use self::track::Ending;
use crate::apply;
use crate::cancel::{Cancelled, WINDING_UP, unless};
use crate::github::needs::{Level, Permission};
use crate::github::{GitHub, GitHubError, Needs};
use crate::inputs::{CommentMode, Common, ReportInputs};
use crate::job::Job;
use crate::ledger::Ledger;
use crate::names::{IssueRef, TargetName, number};
use crate::outbox::{JobRecord, Outbox};
use crate::plan::{Applied, Effect};
use crate::problem::Problem;
use crate::receipt::Receipt;
use crate::runner::log::NOTICE;
use crate::targets::did_you_mean;
use crate::ticket::pinging::{self, Due, Pinger};
use crate::ticket::state::Run;
use crate::ticket::{Log, PingFor, Record, Report, StageReport, Status, Target, Ticket, Writer, text};

/// How long the report of a cancelled job may take. The runner gives its last steps
/// [five minutes](https://docs.github.com/actions/reference/workflows-and-actions/workflow-cancellation) together.
const REPORTING_CANCELLATION: Duration = Duration::from_secs(60);

/// What a report needs.
fn needs(job: &Job, common: &Common, inputs: &ReportInputs) -> Needs {
    let Some(ticket) = &common.ticket else { return Needs::default() };
    let needs = Needs::default().must(&ticket.repository, Permission::Issues, Level::Write);
    match track::looks_for_step(job, inputs) {
        true => needs.may(&job.repository, Permission::Actions, Level::Read),
        false => needs,
    }
}

/// Reports a stage; if the step is cancelled meanwhile, that it was.
pub async fn run(
    job: &Job,
    common: &Common,
    inputs: &ReportInputs,
    github: &GitHub,
    mut cancelled: Cancelled<'_>,
) -> Receipt {
    let Some(inputs) = &track::inputs_at(job, common, inputs) else { return Receipt::default() };
    github.tokens().need(needs(job, common, inputs));
    let mut receipt = Receipt::default();
    let of_cancelled_job = track::is_end(job, inputs) && inputs.status == Status::Cancelled;
    if of_cancelled_job {
        github.hurry();
    }
    let limit = if of_cancelled_job { REPORTING_CANCELLATION } else { Duration::MAX };
    let reporting = tokio::time::timeout(limit, report(job, common, inputs, github, &mut receipt));
    if let Some(reported) = unless(&mut cancelled, reporting).await {
        if reported.is_err() {
            let delivered = *receipt.delivered.get_or_insert(false);
            receipt.problems.push(out_of_time(Some(delivered)));
        }
        return receipt;
    }
    github.hurry();
    // The second report says again what the first one had to say; where the first one was written stays known.
    let delivered = (receipt.ticket.is_some() && !common.dry_run).then_some(false);
    receipt = Receipt { is_cancelled: true, delivered, problems: Vec::new(), ..receipt };
    let inputs = cancelled_stage(inputs);
    let wind_up = report(job, common, &inputs, github, &mut receipt);
    if tokio::time::timeout(WINDING_UP, wind_up).await.is_err() {
        receipt.problems.push(out_of_time(receipt.delivered));
    }
    receipt
}

/// The time to wind up was over, before or after the report was written.
fn out_of_time(delivered: Option<bool>) -> Problem {
    Problem::new(match delivered {
        Some(true) => "there was no time left to bring the board up to date; the next report does",
        _ => "there was no time left to say so on the ticket",
    })
}

/// A stage that had not ended is cancelled with the step.
fn cancelled_stage(inputs: &ReportInputs) -> ReportInputs {
    let status = match inputs.status {
        Status::Queued | Status::InProgress => Status::Cancelled,
        ended => ended,
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
    let (mut ledger, mut log) = (Ledger::unread(github, ticket.clone()), Log::default());
    let mut known = read(&mut ledger, &mut log, &state, &writer, common.comment_mode).await;
    if track::is_end(job, inputs) && common.comment_mode == CommentMode::New && known.is_ok() {
        // What the steps have said stands in several comments.
        known = ledger.read_changes(&mut log).await.and(known);
    }
    let (known, unread) = match known {
        Ok(known) => (known, None),
        Err(error) => (state.kept(&ticket).cloned(), Some(error)),
    };
    let Some((kept, inputs)) = add(job, common, inputs, github, known, &log).await else {
        tracing::info!("{}: a step of this job has reported on {ticket} how it ended", inputs.stage);
        receipt.delivered = Some(true);
        return;
    };
    match unread {
        Some(error) => undelivered(receipt, common, &mut state, kept, &ticket, &error),
        None if common.dry_run => receipt.plan = Some(plan(&kept, &ticket).into_iter().collect()),
        None => apply(receipt, common, &inputs, kept, &mut ledger, &mut log, &mut state).await,
    }
    if track::is_start(job, &inputs) && receipt.delivered == Some(true) {
        // The job's summary is read when it is over, and has its end.
        receipt.summary.clear();
    }
}

/// The job's record with what this step has to say, and what that is; none if a tracked job has said it before.
async fn add(
    job: &Job,
    common: &Common,
    inputs: &ReportInputs,
    github: &GitHub,
    known: Option<JobRecord>,
    log: &Log,
) -> Option<(JobRecord, ReportInputs)> {
    let writer = common.writer(job);
    let inputs = match track::ending(job, &writer, inputs, known.as_ref(), log) {
        None => inputs.clone(),
        Some(Ending::Report(said)) => track::ended(job, common, inputs, said, github).await,
        Some(Ending::Undelivered(said)) => return Some((known?, track::repeated(inputs, &said))),
        Some(Ending::Said) => return None,
    };
    let kept = decide(known, common.comment_mode, fresh(job, writer), stage_report(job, &inputs));
    Some((kept, inputs))
}

/// The job's record as it is kept; looked for in the ticket where one may be there.
async fn read(
    ledger: &mut Ledger<'_>,
    log: &mut Log,
    state: &Outbox,
    writer: &Writer,
    mode: CommentMode,
) -> Result<Option<JobRecord>, GitHubError> {
    let kept = state.kept(ledger.ticket()).cloned();
    let is_new = match &kept {
        None => state.is_complete(),
        Some(JobRecord { comment: None, sent, .. }) => !sent,
        Some(JobRecord { comment: Some(_), .. }) => mode == CommentMode::New,
    };
    if is_new {
        return Ok(kept);
    }
    ledger.read_changes(log).await?;
    // An earlier step may have written it a moment ago, and lists lag.
    let unlisted = kept.as_ref().and_then(|kept| kept.comment).filter(|id| !log.has_record(*id));
    if let Some(comment) = unlisted {
        ledger.read_comment(log, comment).await?;
    }
    Ok(recovered(log, writer, kept))
}

/// The record in the ticket, together with what was kept and may not have arrived.
fn recovered(log: &Log, writer: &Writer, kept: Option<JobRecord>) -> Option<JobRecord> {
    let comment = kept.as_ref().and_then(|kept| kept.comment);
    // Of several that say the same the first is the original; a person may have copied it.
    let newest = log
        .reports()
        .filter(|(_, report)| &report.by == writer)
        .max_by_key(|(found, report)| (Some(found.id) == comment, report.seq, Reverse(found.id)));
    let Some((comment, found)) = newest else {
        return kept.map(|kept| JobRecord { comment: None, sent: false, ..kept });
    };
    let record = match kept {
        Some(kept) if kept.record.seq > found.seq => kept.record,
        _ => found.clone(),
    };
    Some(JobRecord { comment: Some(comment.id), record, sent: false })
}

/// Adds a report to the job's record; to a new one if each has a comment of its own, or if the
/// record would not fit its comment any more.
fn decide(known: Option<JobRecord>, mode: CommentMode, fresh: Report, report: StageReport) -> JobRecord {
    let Some(mut kept) = known else {
        let mut record = fresh;
        record.add(report);
        return JobRecord { comment: None, record, sent: false };
    };
    if mode == CommentMode::New && kept.comment.take().is_some() {
        kept.record.stages.clear();
    }
    let seq = kept.record.seq;
    kept.record.run_url.clone_from(&fresh.run_url);
    kept.record.add(report.clone());
    if !Record::Report(kept.record.clone()).fits() {
        let mut record = Report { seq, ..fresh };
        record.add(report);
        return JobRecord { comment: None, record, sent: false };
    }
    kept
}

/// The effects of a report: the job's record, then the board.
fn plan(kept: &JobRecord, ticket: &IssueRef) -> [Effect; 2] {
    let record = Box::new(Record::Report(kept.record.clone()));
    [
        Effect::WriteRecord { issue: ticket.clone(), comment: kept.comment, record },
        Effect::UpdateBoard { issue: ticket.clone() },
    ]
}

async fn apply(
    receipt: &mut Receipt,
    common: &Common,
    inputs: &ReportInputs,
    kept: JobRecord,
    ledger: &mut Ledger<'_>,
    log: &mut Log,
    state: &mut Outbox,
) {
    let ticket = ledger.ticket().clone();
    state.keep(&ticket, JobRecord { sent: true, ..kept.clone() });
    let [write, update_board] = plan(&kept, &ticket);
    let by = kept.record.by.clone();
    match apply::apply_beside_reading(&write, ledger, log).await {
        Ok(Applied::Written(comment)) => {
            receipt.summary = summary(&kept.record, receipt);
            state.keep(&ticket, JobRecord { comment: Some(comment.id), record: kept.record, sent: true });
            receipt.delivered = Some(comment.trusted);
            if comment.trusted {
                tracing::info!("reported to {ticket}");
            } else {
                receipt.problems.push(comment.not_believed(&ticket.repository));
            }
            receipt.comment = Some((comment.id.0, comment.url));
        }
        Ok(_) => {}
        Err(error) => return undelivered(receipt, common, state, kept, &ticket, &error),
    }
    if let Err(error) = show(&by, inputs, &update_board, receipt, ledger, log).await {
        let what = format!("the report is on {ticket}, and its board is not up to date until the next one");
        receipt.problems.push(Problem::of(&what, &error));
    }
    close(inputs, log, ledger).await;
    receipt.problems.extend(second_start(log, &by));
    if let Some(problem) = unlisted(log, &by) {
        tracing::warn!("{problem}");
    }
}

/// Brings the board up to date, and mentions whoever has to know: also for what another job has reported meanwhile.
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

/// Mentions whoever has to know what this report says. Where a hub job follows the runs, that job does it.
async fn ping(by: &Writer, inputs: &ReportInputs, log: &mut Log, ledger: &mut Ledger<'_>) -> Option<Problem> {
    if due(log, inputs, by).is_empty() {
        return None;
    }
    // Others may have said the same meanwhile. Where that cannot be read, one mention too many is better than none.
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
    let written = apply::apply(&write, ledger, log).await;
    written.err().map(|error| Problem::of("cannot mention anybody on the ticket", &error))
}

/// The pings that are due by this report, and that nobody has sent.
fn due(log: &Log, inputs: &ReportInputs, by: &Writer) -> Vec<Due> {
    let ticket = log.ticket();
    let says_bad_end = matches!(inputs.status, Status::Failure | Status::Cancelled);
    let is_run = |target: &Target| target.run.as_ref().is_some_and(|run: &Run| run.id == by.run);
    // What waits for this target waits for people by now, as far as nobody follows the runs.
    let is_behind = |target: &Target| {
        let mut needed = target.needs.iter().filter_map(|name| ticket.targets.get(name));
        inputs.done && !target.status.is_started() && needed.any(is_run)
    };
    let is_ours = |_: &TargetName, target: &Target| {
        target.follower.is_none() && (says_bad_end && is_run(target) || is_behind(target))
    };
    let is_done = is_last(inputs, ticket) && ticket.follower.is_none() && !is_overtaken(log, by);
    let mut due = pinging::due(ticket, &inputs.pings, by, is_done, is_ours);
    // Of several jobs that fail at once the one with the first record does it.
    let is_meant = |due: &Due| due.ping.moment != PingFor::Failure || is_first_to_fail(log, by);
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

/// Whether another job has reported a last stage later, by GitHub's clock: then that job says that all is over.
fn is_overtaken(log: &Log, by: &Writer) -> bool {
    let own =
        log.reports().filter(|(_, report)| report.by == *by).map(|(comment, _)| comment.updated_at).max();
    let is_last = |report: &Report| report.by != *by && report.stages.iter().any(|stage| stage.done);
    log.reports().any(|(comment, report)| is_last(report) && Some(comment.updated_at) > own)
}

/// Whether this report says that the release is over.
fn is_last(inputs: &ReportInputs, ticket: &Ticket) -> bool {
    inputs.done
        && !ticket.targets.is_empty()
        && ticket.unreadable.is_empty()
        && ticket.is_done(&ticket.left_out)
}

/// Closes the ticket where the hub wants that and this was the last report. A token that may not leaves that to the
/// hub's next dispatch.
async fn close(inputs: &ReportInputs, log: &mut Log, ledger: &mut Ledger<'_>) {
    let ticket = log.ticket();
    if !log.closes_when_done() || ticket.follower.is_some() || !is_last(inputs, ticket) {
        return;
    }
    let close = Effect::CloseIssue { issue: ledger.ticket().clone(), last_word: None };
    if let Err(error) = apply::apply(&close, ledger, log).await {
        tracing::info!("the ticket stays open until the hub's next dispatch: {error}");
    }
}

/// No dispatch of the ticket lists the target of this report.
fn unlisted(log: &Log, by: &Writer) -> Option<Problem> {
    let ticket = log.ticket();
    let is_ours = |run: &Run| run.id == by.run;
    let mut unlisted = ticket.unlisted.iter();
    let (name, _) = unlisted.find(|(_, target)| target.run.as_ref().is_some_and(is_ours))?;
    let help = did_you_mean(name.as_str(), ticket.targets.keys().map(TargetName::as_str));
    let what = format!("no dispatch of the ticket lists the target `{name}`, so this report does not count");
    Some(Problem::new(what).help(help))
}

/// This run was started although another claim came first: what it reports does not count.
fn second_start(log: &Log, by: &Writer) -> Option<Problem> {
    let mut second = log.ticket().second_starts.iter();
    let second = second.find(|second| second.run == Some(by.run))?;
    let first = second.first_url.as_deref().unwrap_or("an earlier start");
    let what = format!("{} was started twice: {first} came first, so this run does not count", second.target);
    Some(Problem::new(what).help("stop this run, unless the hub has cancelled it already"))
}

/// The ticket cannot be written: the report waits for the job's next step.
fn undelivered(
    receipt: &mut Receipt,
    common: &Common,
    state: &mut Outbox,
    kept: JobRecord,
    ticket: &IssueRef,
    error: &GitHubError,
) {
    receipt.delivered = Some(false);
    let mut what = format!("cannot report to {ticket}");
    let sent = !error.is_without_effect();
    if !common.dry_run && state.keep(ticket, JobRecord { sent, ..kept }) {
        what += " (it goes out with this job's next report)";
    }
    let problem = Problem::of(&what, error);
    receipt.summary = format!("⚠️ {}\n", text::inline(&problem.what));
    receipt.problems.push(problem);
}

/// No ticket is a normal answer: the workflow was started by hand, or without a release.
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

fn fresh(job: &Job, by: Writer) -> Report {
    Report { by, seq: 0, run_url: job.run_url(), stages: Vec::new(), other: Map::new() }
}

fn stage_report(job: &Job, inputs: &ReportInputs) -> StageReport {
    let is_usable = |url: &&String| text::web_url(url).is_some() && text::length(url) <= 2_000;
    let url = inputs.url.as_ref().filter(is_usable);
    if url.is_none() && inputs.url.is_some() {
        tracing::warn!("`url` is no http(s) address of up to 2,000 characters; the report links to the run");
    }
    let target = inputs.target.clone().or_else(|| job.event.input("release-target"));
    StageReport {
        target: target.map(|target| one_line(&target).into()),
        stage: one_line(&inputs.stage),
        status: inputs.status.into(),
        message: inputs.message.as_ref().map(|message| text::cut(message, text::MESSAGE_LIMIT)),
        url: url.cloned(),
        done: inputs.done,
        outputs: inputs.outputs.clone(),
        at: job.clock.now(),
        seq: 0,
        other: Map::new(),
    }
}

fn one_line(name: &str) -> String {
    text::cut_name(&name.split_whitespace().collect::<Vec<_>>().join(" "), 100)
}
