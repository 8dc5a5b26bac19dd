//! The mode `report`: puts a stage's status, message and link on the ticket.
//!
//! The job's record is found in the ticket itself; what an earlier step of this job could not
//! deliver goes out with it.

use chrono::{DateTime, Utc};

use crate::github::{GitHub, GitHubError};
use crate::inputs::{CommentMode, Common, ReportInputs};
use crate::job::Job;
use crate::ledger::Ledger;
use crate::names::{CommentId, IssueRef};
use crate::plan::{Effect, Plan};
use crate::receipt::{Problem, Receipt};
use crate::runner::job_state::JobState;
use crate::runner::log::NOTICE;
use crate::ticket::{Log, Record, Report, StageReport, Writer, text};

/// What is known before anything is decided.
struct Facts<'a> {
    log: &'a Log,
    /// What earlier steps of this job could not deliver, and how far they counted.
    undelivered: &'a [StageReport],
    last_seq: u64,
    writer: Writer,
    run_url: String,
    comment_mode: CommentMode,
    report: StageReport,
}

/// What is written, and where.
#[derive(Debug, PartialEq)]
struct Decision {
    comment: Option<CommentId>,
    record: Report,
}

/// Reports a stage.
pub async fn run(job: &Job, common: &Common, inputs: &ReportInputs, github: &GitHub) -> Receipt {
    let Some(ticket) = common.ticket.clone() else { return no_ticket(inputs) };
    let writer = job.writer(&common.job_name);
    let mut state = JobState::lock(job.temp.as_deref(), &writer).await;
    let ticket_url = job.issue_url(&ticket);
    let mut receipt = Receipt { ticket: Some((ticket.clone(), ticket_url)), ..Receipt::default() };

    let mut ledger = match Ledger::read(github, ticket.clone()).await {
        Ok(ledger) => ledger,
        Err(error) => {
            let report =
                stage_report(job, inputs, inputs.target.clone().unwrap_or_else(|| default_target(job, None)));
            return undelivered(receipt, common, &mut state, &ticket, &error, vec![report]);
        }
    };
    let target = inputs.target.clone().unwrap_or_else(|| default_target(job, Some(ledger.log())));
    let report = stage_report(job, inputs, target);
    let decision = decide(Facts {
        log: ledger.log(),
        undelivered: state.undelivered(&ticket),
        last_seq: state.seq(),
        writer,
        run_url: job.run_url(),
        comment_mode: common.comment_mode,
        report: report.clone(),
    });
    if common.dry_run {
        receipt.plan = Some(decision.plan(&ticket));
        return receipt;
    }
    apply(receipt, common, decision, &mut ledger, &mut state, report).await
}

fn decide(facts: Facts<'_>) -> Decision {
    let known = match facts.comment_mode {
        CommentMode::Update => facts.log.reports().filter(|(_, report)| report.by == facts.writer).last(),
        CommentMode::New => None,
    };
    let last_seq = facts.log.last_seq(&facts.writer).max(facts.last_seq);
    let fresh = || Report {
        seq: last_seq,
        by: facts.writer.clone(),
        run_url: facts.run_url.clone(),
        stages: Vec::new(),
        other: serde_json::Map::new(),
    };
    let with_news = |mut record: Report| {
        record.seq = last_seq;
        facts.undelivered.iter().chain([&facts.report]).for_each(|report| record.add(report.clone()));
        record
    };
    let rewritten = known.map(|(comment, report)| (comment.id, with_news(report.clone())));
    match rewritten.filter(|(_, record)| Record::Report(record.clone()).fits()) {
        Some((comment, record)) => Decision { comment: Some(comment), record },
        None => Decision { comment: None, record: with_news(fresh()) },
    }
}

impl Decision {
    fn plan(&self, ticket: &IssueRef) -> Plan {
        let body = Record::Report(self.record.clone()).render();
        let issue = ticket.clone().into();
        let write = match self.comment {
            Some(comment) => Effect::EditComment { issue, comment, body },
            None => Effect::CreateComment { issue, body },
        };
        Plan::from_iter([write, Effect::UpdateBoard { issue: ticket.clone().into() }])
    }
}

async fn apply(
    mut receipt: Receipt,
    common: &Common,
    decision: Decision,
    ledger: &mut Ledger<'_>,
    state: &mut JobState,
    report: StageReport,
) -> Receipt {
    let ticket = ledger.ticket().clone();
    let seq = decision.record.seq;
    match ledger.write(decision.comment, &Record::Report(decision.record)).await {
        Ok(comment) => {
            state.delivered(&ticket, seq);
            receipt.delivered = Some(true);
            receipt.comment = Some((comment.id.0, comment.url));
        }
        Err(error) => return undelivered(receipt, common, state, &ticket, &error, vec![report]),
    }
    receipt.summary = format!(
        "{} **{}** {} reported to {}\n",
        report.status.shown(),
        text::inline(&report.target),
        text::code(&report.stage),
        receipt
            .ticket
            .as_ref()
            .map_or_else(String::new, |(ticket, url)| text::link(&ticket.to_string(), url)),
    );
    tracing::info!("{} of {} is {} on {ticket}", report.stage, report.target, report.status.as_str());
    if let Err(error) = ledger.show_board().await {
        receipt.problems.push(Problem::of(
            &format!("the report is on {ticket}, and its board is not up to date until the next one"),
            &error,
        ));
    }
    receipt
}

/// The ticket cannot be written: the report waits for the job's next step.
fn undelivered(
    mut receipt: Receipt,
    common: &Common,
    state: &mut JobState,
    ticket: &IssueRef,
    error: &GitHubError,
    reports: Vec<StageReport>,
) -> Receipt {
    receipt.delivered = Some(false);
    let mut what = format!("cannot report to {ticket}");
    if !common.dry_run {
        let kept = reports.into_iter().all(|report| state.keep(ticket, report));
        what += if kept { " (it goes out with this job's next report)" } else { "" };
    }
    let problem = Problem::of(&what, error);
    receipt.summary = format!("⚠️ {}\n", text::inline(&problem.what));
    receipt.problems.push(problem);
    receipt
}

/// No ticket is a normal answer: the workflow was started by hand, or without a release.
fn no_ticket(inputs: &ReportInputs) -> Receipt {
    let stage = &inputs.stage;
    tracing::info!(target: NOTICE, "there is no release ticket, so {stage} ({}) is not reported", inputs.status.as_str());
    Receipt {
        summary: format!("No release ticket: {} is not reported.\n", text::code(stage)),
        ..Receipt::default()
    }
}

fn stage_report(job: &Job, inputs: &ReportInputs, target: String) -> StageReport {
    let at: DateTime<Utc> = job.clock.now();
    let url = inputs.url.as_ref().filter(|url| {
        let web = text::web_url(url).is_some();
        if !web {
            tracing::warn!("`url` is no http(s) address, so the report links to the run instead");
        }
        web
    });
    StageReport {
        target: one_line(&target, 100),
        stage: one_line(&inputs.stage, 100),
        status: inputs.status,
        message: inputs.message.as_ref().map(|message| text::cut(message, text::MESSAGE_LIMIT)),
        url: url.filter(|url| text::length(url) <= 2_000).cloned(),
        done: inputs.done,
        at,
        seq: 0,
        other: serde_json::Map::new(),
    }
}

/// The name under which a dispatch started this run; else the repository's.
fn default_target(job: &Job, log: Option<&Log>) -> String {
    let named = job.event.input("release-target");
    let recorded = || log.and_then(|log| log.started_as(&job.repository, job.run)).map(str::to_owned);
    named.or_else(recorded).unwrap_or_else(|| job.repository.name().to_owned())
}

fn one_line(name: &str, limit: usize) -> String {
    text::cut(&name.split_whitespace().collect::<Vec<_>>().join(" "), limit)
}
