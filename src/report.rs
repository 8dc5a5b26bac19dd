//! The mode `report`: puts a stage's status, message and link on the ticket.
//!
//! The steps of a job share its record in the job's own folder, so the first report writes and reads at the
//! same time. A later one reads first: it edits only what GitHub shows as this job's record, whatever the folder
//! says. Where there is no such folder the record is looked for in the ticket.

use std::cmp::Reverse;

use serde_json::Map;

use crate::apply;
use crate::cancel::{Cancelled, WINDING_UP, unless};
use crate::github::needs::{Level, Permission};
use crate::github::{GitHub, GitHubError, Needs};
use crate::inputs::{CommentMode, Common, ReportInputs};
use crate::job::Job;
use crate::ledger::Ledger;
use crate::names::{IssueRef, TargetName};
use crate::outbox::{JobRecord, Outbox};
use crate::plan::{Applied, Effect};
use crate::problem::Problem;
use crate::receipt::Receipt;
use crate::runner::log::NOTICE;
use crate::ticket::{Log, Record, Report, StageReport, Status, Writer, text};

/// What a report needs.
fn needs(common: &Common) -> Needs {
    let ticket = common.ticket.as_ref().map(|ticket| &ticket.repository);
    ticket.map_or_else(Needs::default, |hub| Needs::default().must(hub, Permission::Issues, Level::Write))
}

/// Reports a stage; if the step is cancelled meanwhile, that it was.
pub async fn run(
    job: &Job,
    common: &Common,
    inputs: &ReportInputs,
    github: &GitHub,
    mut cancelled: Cancelled<'_>,
) -> Receipt {
    github.tokens().need(needs(common));
    if let Some(receipt) = unless(&mut cancelled, report(job, common, inputs, github)).await {
        return receipt;
    }
    github.hurry();
    let inputs = cancelled_stage(inputs);
    let wind_up = tokio::time::timeout(WINDING_UP, report(job, common, &inputs, github)).await;
    let out_of_time = || {
        let problem = Problem::new("there was no time left to say so on the ticket");
        Receipt { problems: vec![problem], ..Receipt::default() }
    };
    Receipt { is_cancelled: true, ..wind_up.unwrap_or_else(|_| out_of_time()) }
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
async fn report(job: &Job, common: &Common, inputs: &ReportInputs, github: &GitHub) -> Receipt {
    let Some(ticket) = common.ticket.clone() else { return no_ticket(inputs) };
    let writer = common.writer(job);
    let mut state = Outbox::lock(job.temp.as_deref(), &writer).await;
    let mut receipt =
        Receipt { ticket: Some((ticket.clone(), job.issue_url(&ticket))), ..Receipt::default() };
    let (mut ledger, mut log) = (Ledger::unread(github, ticket.clone()), Log::default());
    let (known, unread) = match read(&mut ledger, &mut log, &state, &writer, common.comment_mode).await {
        Ok(known) => (known, None),
        Err(error) => (state.kept(&ticket).cloned(), Some(error)),
    };
    let kept = decide(known, common.comment_mode, fresh(job, writer), stage_report(job, inputs));
    match unread {
        Some(error) => undelivered(receipt, common, &mut state, kept, &ticket, &error),
        None if common.dry_run => {
            receipt.plan = Some(plan(&kept, &ticket).into_iter().collect());
            receipt
        }
        None => apply(receipt, common, kept, &mut ledger, &mut log, &mut state).await,
    }
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
    mut receipt: Receipt,
    common: &Common,
    kept: JobRecord,
    ledger: &mut Ledger<'_>,
    log: &mut Log,
    state: &mut Outbox,
) -> Receipt {
    let ticket = ledger.ticket().clone();
    state.keep(&ticket, JobRecord { sent: true, ..kept.clone() });
    let [write, update_board] = plan(&kept, &ticket);
    let by = kept.record.by.clone();
    match apply::apply_beside_reading(&write, ledger, log).await {
        Ok(Applied::Written(comment)) => {
            receipt.summary = summary(&kept.record, &receipt);
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
    if let Err(error) = apply::apply(&update_board, ledger, log).await {
        let what = format!("the report is on {ticket}, and its board is not up to date until the next one");
        receipt.problems.push(Problem::of(&what, &error));
    }
    receipt.problems.extend(second_start(log, &by));
    receipt
}

/// This run was started although another claim came first: what it reports does not count.
fn second_start(log: &Log, by: &Writer) -> Option<Problem> {
    let mut second = log.ticket().second_starts.iter();
    let second = second.find(|second| second.run == Some(by.run) && second.repository == by.repository)?;
    let first = second.first_url.as_deref().unwrap_or("an earlier start");
    let what = format!("{} was started twice: {first} came first, so this run does not count", second.target);
    Some(Problem::new(what).help("stop this run, unless the hub has cancelled it already"))
}

/// The ticket cannot be written: the report waits for the job's next step.
fn undelivered(
    mut receipt: Receipt,
    common: &Common,
    state: &mut Outbox,
    kept: JobRecord,
    ticket: &IssueRef,
    error: &GitHubError,
) -> Receipt {
    receipt.delivered = Some(false);
    let mut what = format!("cannot report to {ticket}");
    let sent = !error.is_without_effect();
    if !common.dry_run && state.keep(ticket, JobRecord { sent, ..kept }) {
        what += " (it goes out with this job's next report)";
    }
    let problem = Problem::of(&what, error);
    receipt.summary = format!("⚠️ {}\n", text::inline(&problem.what));
    receipt.problems.push(problem);
    receipt
}

/// No ticket is a normal answer: the workflow was started by hand, or without a release.
fn no_ticket(inputs: &ReportInputs) -> Receipt {
    let stage = &inputs.stage;
    let status = inputs.status.as_str();
    tracing::info!(target: NOTICE, "there is no release ticket, so {stage} ({status}) is not reported");
    let summary = format!("No release ticket: {} is not reported.\n", text::code(stage));
    Receipt { summary, ..Receipt::default() }
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
        at: job.clock.now(),
        seq: 0,
        other: Map::new(),
    }
}

fn one_line(name: &str) -> String {
    text::cut(&name.split_whitespace().collect::<Vec<_>>().join(" "), 100)
}
