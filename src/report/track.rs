//! `track: true`: as a job's first step a report says that the job is under way, and in its post step how the job
//! ended, and at which step.
//!
//! The main step leaves the stage that it tracks to its post step. All else is an input, which the runner evaluates
//! again at the end of the job: the ticket, the tokens, the job's status. If a step of the job has reported the end of
//! the stage meanwhile, its report says more than the post step knows, unless the job ended worse.

use std::time::Duration;

use serde_json::{Value, json};

use super::{one_line, stage_report};
use crate::github::GitHub;
use crate::github::actions::RunJob;
use crate::inputs::{Common, ReportInputs};
use crate::job::{Job, TRACKED_STAGE};
use crate::outbox::JobRecord;
use crate::problem::Problem;
use crate::runner;
use crate::ticket::run::step_text;
use crate::ticket::{Log, Outputs, StageReport, Status, Writer};

/// The time limit of the search for the step at which the job ended. A cancelled step has little more than this.
const SEARCH_LIMIT: Duration = Duration::from_secs(4);

/// The pause in that search: GitHub shows a step a moment after its end.
const SEARCH_PAUSE: Duration = Duration::from_millis(1_500);

/// The most bytes of the state of a post step: a main step leaves no longer text.
const STATE_LIMIT: usize = 4_000;

/// Whether this is the post step of a tracked job.
pub(super) fn is_end(job: &Job, inputs: &ReportInputs) -> bool {
    inputs.track && job.tracked_stage.is_some()
}

/// Whether this is the main step of a tracked job.
pub(super) fn is_start(job: &Job, inputs: &ReportInputs) -> bool {
    inputs.track && job.tracked_stage.is_none()
}

/// Whether the step looks for the step at which the job has ended.
pub(super) fn looks_for_step(job: &Job, inputs: &ReportInputs) -> bool {
    is_end(job, inputs) && !inputs.status.is_good()
}

/// The inputs of the report at the step's moment in the job; `None` if the tracked stage is unknown.
pub(super) fn inputs_at(job: &Job, common: &Common, inputs: &ReportInputs) -> Option<ReportInputs> {
    match &job.tracked_stage {
        _ if !inputs.track => Some(inputs.clone()),
        None => {
            if common.ticket.is_some() {
                leave_to_post_step(job, inputs);
            }
            Some(start_report(inputs))
        }
        Some(state) => tracked_stage(state, inputs),
    }
}

/// The inputs of the report of a job that has just begun: message, link and outputs are about its end.
fn start_report(inputs: &ReportInputs) -> ReportInputs {
    let outputs = Outputs::default();
    ReportInputs {
        status: Status::InProgress,
        message: None,
        url: None,
        done: false,
        outputs,
        ..inputs.clone()
    }
}

fn leave_to_post_step(job: &Job, inputs: &ReportInputs) {
    let StageReport { target, stage, .. } = stage_report(job, inputs);
    let name = TRACKED_STAGE.trim_start_matches("STATE_");
    let state = json!({ "target": target, "stage": stage }).to_string();
    if let Err(error) = runner::write_state(job, name, &state) {
        Problem::of("the end of this job will not be reported", &error).warn();
    }
}

/// The inputs with the stage that the main step has left; `None` if that cannot be read, as the report would be about
/// another stage.
fn tracked_stage(state: &str, inputs: &ReportInputs) -> Option<ReportInputs> {
    let stage = |state: &Value| {
        let stage = one_line(state["stage"].as_str()?);
        let target = state["target"].as_str().map(one_line);
        (!stage.is_empty()).then_some((target, stage))
    };
    let state = Some(state).filter(|state| state.len() <= STATE_LIMIT);
    let state: Option<Value> = state.and_then(|state| serde_json::from_str(state).ok());
    let Some((target, stage)) = state.as_ref().and_then(stage) else {
        tracing::warn!(
            "the end of this job is not reported: `{TRACKED_STAGE}` does not say which stage it is"
        );
        return None;
    };
    Some(ReportInputs { target, stage, ..inputs.clone() })
}

/// The report that is missing at the end of a tracked job.
#[derive(Debug, PartialEq)]
pub(super) enum Ending {
    /// None: a step of the job has reported the end.
    Complete,
    /// The report of a step of the job, which could not deliver it.
    Undelivered(StageReport),
    /// The end of the job, with an earlier report of a better end.
    Report(Option<StageReport>),
}

/// The report that is missing for the stage of `inputs`, by the earlier reports of the job; `None` if this is not the
/// end of a tracked job.
pub(super) fn ending(
    job: &Job,
    writer: &Writer,
    inputs: &ReportInputs,
    job_record: Option<&JobRecord>,
    log: &Log,
) -> Option<Ending> {
    if !is_end(job, inputs) {
        return None;
    }
    let on_ticket = || log.reports().map(|(_, report)| report).filter(|report| report.by == *writer);
    let record = job_record.map(|job_record| &job_record.record);
    let is_delivered = on_ticket().map(|report| report.seq).max() >= record.map(|record| record.seq);
    let StageReport { target, stage, .. } = stage_report(job, inputs);
    let of_stage = on_ticket().chain(record).flat_map(|report| &report.stages);
    let of_stage = of_stage.filter(|report| report.target == target && report.stage == stage);
    Some(decide(of_stage.max_by_key(|report| report.seq), is_delivered, inputs.status))
}

fn decide(last: Option<&StageReport>, is_delivered: bool, end: Status) -> Ending {
    let is_better =
        |report: &StageReport| !end.is_good() && report.status.as_known().is_some_and(|status| *status < end);
    match last.filter(|report| is_end_of_stage(report)) {
        Some(report) if is_better(report) => Ending::Report(Some(report.clone())),
        Some(_) if is_delivered => Ending::Complete,
        Some(report) => Ending::Undelivered(report.clone()),
        None => Ending::Report(None),
    }
}

/// Whether this report ends the stage; a word that only a newer release knows does.
fn is_end_of_stage(report: &StageReport) -> bool {
    report.status != Status::Queued && report.status != Status::InProgress
}

/// The inputs of an earlier step's report, to be delivered now.
pub(super) fn repeat(inputs: &ReportInputs, report: &StageReport) -> ReportInputs {
    let status = report.status.as_known().copied().unwrap_or(inputs.status);
    ReportInputs { status, done: report.ends_release, ..inputs.clone() }
}

/// The inputs of the post step's report. After a bad end it links to the place of the failure: the page of `url` exists
/// after a good end only.
pub(super) async fn end_report(
    job: &Job,
    common: &Common,
    inputs: &ReportInputs,
    report: Option<StageReport>,
    github: &GitHub,
) -> ReportInputs {
    if inputs.status.is_good() {
        return inputs.clone();
    }
    let done = inputs.done || report.as_ref().is_some_and(|report| report.ends_release);
    let own = inputs.message.clone().or_else(|| report?.message);
    let search = tokio::time::timeout(SEARCH_LIMIT, job_at_its_end(job, common, github));
    let this_job = search.await.unwrap_or_default();
    let of_check_run = || common.check_run.map(|id| job.url_of_job(job.run, id));
    let page = this_job.as_ref().and_then(|this| this.html_url.clone()).or_else(of_check_run);
    let step = this_job.as_ref().and_then(RunJob::failed_step);
    let url = match (page, step) {
        (Some(page), Some(step)) => Some(step.url_on(&page)),
        (page, _) => page,
    };
    let lines: Vec<String> =
        step.map(|step| step_text(step.number, &step.name)).into_iter().chain(own).collect();
    let message = (!lines.is_empty()).then(|| lines.join("\n"));
    ReportInputs { message, url, done, ..inputs.clone() }
}

/// This job as GitHub shows it, with the step that ended badly if GitHub shows it in time; `None` if the token may not
/// read it.
async fn job_at_its_end(job: &Job, common: &Common, github: &GitHub) -> Option<RunJob> {
    let first = this_job(job, common, github).await?;
    if first.failed_step().is_some() {
        return Some(first);
    }
    tokio::time::sleep(SEARCH_PAUSE).await;
    this_job(job, common, github).await.or(Some(first))
}

async fn this_job(job: &Job, common: &Common, github: &GitHub) -> Option<RunJob> {
    let jobs = match github.jobs(&job.repository, job.run, job.attempt).await {
        Ok(jobs) => jobs,
        Err(error) => {
            Problem::of("the step at which the job ended is not named", &error).inform();
            return None;
        }
    };
    let is_this = |other: &RunJob| match common.check_run {
        Some(check_run) => other.id == Some(check_run),
        None => other.name == common.job_name,
    };
    jobs.into_iter().find(is_this)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::Map;

    use super::*;
    use crate::ticket::Word;

    fn report(status: impl Into<Word<Status>>) -> StageReport {
        StageReport {
            target: None,
            stage: "build".to_owned(),
            status: status.into(),
            message: None,
            url: None,
            ends_release: false,
            outputs: Outputs::default(),
            at: DateTime::UNIX_EPOCH,
            seq: 2,
            other: Map::new(),
        }
    }

    #[test]
    fn the_end_that_a_step_has_reported_stays_unless_the_job_ended_worse() {
        use Status::{Cancelled, Failure, InProgress, Queued, Skipped, Success};
        for (reported, end, stays) in [
            (Queued, Success, false),
            (InProgress, Success, false),
            (InProgress, Failure, false),
            (Success, Success, true),
            (Success, Skipped, true),
            (Skipped, Success, true),
            (Skipped, Failure, false),
            (Success, Cancelled, false),
            (Success, Failure, false),
            (Cancelled, Failure, false),
            (Cancelled, Cancelled, true),
            (Failure, Cancelled, true),
            (Failure, Failure, true),
            (Failure, Success, true),
        ] {
            let report = report(reported);
            let is_new = |ending| matches!(ending, Ending::Report(_));
            assert_eq!(is_new(decide(Some(&report), true, end)), !stays, "{reported:?}, then {end:?}");
            let again = decide(Some(&report), false, end);
            assert_eq!(again == Ending::Undelivered(report), stays, "{reported:?}, then {end:?}: {again:?}");
        }
        let newer: Word<Status> = serde_json::from_value(json!("half_done")).expect("any value is a word");
        assert_eq!(decide(Some(&report(newer)), true, Failure), Ending::Complete);
        assert_eq!(decide(None, true, Failure), Ending::Report(None));
    }
}
