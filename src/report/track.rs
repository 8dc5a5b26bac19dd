//! `track: true`: as a job's first step a report says that the job is under way, and in its post step how the job
//! ended, and at which step.
//!
//! The main step leaves to its post step which stage it tracks. All else is an input, which the runner evaluates
//! again at the end of the job: the ticket, the tokens, how the job ended. A step of the job that has reported the
//! end of the stage meanwhile has said more than the post step knows, unless the job ended worse.

use std::time::Duration;

use serde_json::{Value, json};

use super::{one_line, stage_report};
use crate::github::GitHub;
use crate::github::actions::{RunJob, RunStep};
use crate::inputs::{Common, ReportInputs};
use crate::job::{Job, TRACKED};
use crate::outbox::JobRecord;
use crate::problem::Problem;
use crate::runner;
use crate::ticket::{Log, Outputs, StageReport, Status, Writer, text};

/// How long the step at which the job ended is looked for. A cancelled step has not much more than this.
const LOOKING: Duration = Duration::from_secs(4);

/// GitHub shows a step a moment after it ended.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1_500);

/// What is longer than this was not left by a main step.
const STATE_LIMIT: usize = 4_000;

/// Whether this is the post step of a tracked job.
pub(super) fn is_end(job: &Job, inputs: &ReportInputs) -> bool {
    inputs.track && job.tracked.is_some()
}

/// Whether this is the main step of a tracked job.
pub(super) fn is_start(job: &Job, inputs: &ReportInputs) -> bool {
    inputs.track && job.tracked.is_none()
}

/// Whether the step asks where the job has ended.
pub(super) fn looks_for_step(job: &Job, inputs: &ReportInputs) -> bool {
    is_end(job, inputs) && !inputs.status.is_good()
}

/// What the step reports, as its moment in the job has it; none if it cannot tell which stage is tracked.
pub(super) fn inputs_at(job: &Job, common: &Common, inputs: &ReportInputs) -> Option<ReportInputs> {
    match &job.tracked {
        _ if !inputs.track => Some(inputs.clone()),
        None => {
            if common.ticket.is_some() {
                leave_to_post_step(job, inputs);
            }
            Some(under_way(inputs))
        }
        Some(state) => tracked(state, inputs),
    }
}

/// The job has just begun: what else there is to say is about its end.
fn under_way(inputs: &ReportInputs) -> ReportInputs {
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
    let name = TRACKED.trim_start_matches("STATE_");
    let state = json!({ "target": target, "stage": stage }).to_string();
    if let Err(error) = runner::write_state(job, name, &state) {
        tracing::warn!("{}", Problem::of("the end of this job will not be reported", &error));
    }
}

/// The stage that the main step has left. Where that cannot be read nothing is reported: it would be another stage.
fn tracked(state: &str, inputs: &ReportInputs) -> Option<ReportInputs> {
    let stage = |state: &Value| {
        let stage = one_line(state["stage"].as_str()?);
        let target = state["target"].as_str().map(one_line);
        (!stage.is_empty()).then_some((target, stage))
    };
    let state = Some(state).filter(|state| state.len() <= STATE_LIMIT);
    let state: Option<Value> = state.and_then(|state| serde_json::from_str(state).ok());
    let Some((target, stage)) = state.as_ref().and_then(stage) else {
        tracing::warn!("the end of this job is not reported: `{TRACKED}` does not say which stage it is");
        return None;
    };
    Some(ReportInputs { target, stage, ..inputs.clone() })
}

/// What is left to be said at the end of a tracked job.
#[derive(Debug, PartialEq)]
pub(super) enum Ending {
    /// Nothing: a step of the job has said it.
    Said,
    /// What a step of the job has said, and could not deliver.
    Undelivered(StageReport),
    /// How the job ended, and what else a step had to say of the end.
    Report(Option<StageReport>),
}

/// What is left to be said of the stage of `inputs`, by what the steps of the job have said before; none if this is
/// not the end of a tracked job.
pub(super) fn ending(
    job: &Job,
    writer: &Writer,
    inputs: &ReportInputs,
    known: Option<&JobRecord>,
    log: &Log,
) -> Option<Ending> {
    if !is_end(job, inputs) {
        return None;
    }
    let on_ticket = || log.reports().map(|(_, report)| report).filter(|report| report.by == *writer);
    let kept = known.map(|known| &known.record);
    let is_delivered = on_ticket().map(|report| report.seq).max() >= kept.map(|kept| kept.seq);
    let StageReport { target, stage, .. } = stage_report(job, inputs);
    let of_stage = on_ticket().chain(kept).flat_map(|report| &report.stages);
    let of_stage = of_stage.filter(|said| said.target == target && said.stage == stage);
    Some(decide(of_stage.max_by_key(|said| said.seq), is_delivered, inputs.status))
}

fn decide(last: Option<&StageReport>, is_delivered: bool, end: Status) -> Ending {
    let is_better =
        |said: &StageReport| !end.is_good() && said.status.known().is_some_and(|said| *said < end);
    match last.filter(|said| is_end_of_stage(said)) {
        Some(said) if is_better(said) => Ending::Report(Some(said.clone())),
        Some(_) if is_delivered => Ending::Said,
        Some(said) => Ending::Undelivered(said.clone()),
        None => Ending::Report(None),
    }
}

/// Whether the stage is over by this report, also by a word that only a newer release knows.
fn is_end_of_stage(said: &StageReport) -> bool {
    said.status != Status::Queued && said.status != Status::InProgress
}

/// What a step has reported before, to be delivered now.
pub(super) fn repeated(inputs: &ReportInputs, said: &StageReport) -> ReportInputs {
    let status = said.status.known().copied().unwrap_or(inputs.status);
    ReportInputs { status, done: said.done, ..inputs.clone() }
}

/// What the post step reports of a job that ended like this. A bad end links to where it happened: what `url` names
/// is there after a good end.
pub(super) async fn ended(
    job: &Job,
    common: &Common,
    inputs: &ReportInputs,
    said: Option<StageReport>,
    github: &GitHub,
) -> ReportInputs {
    if inputs.status.is_good() {
        return inputs.clone();
    }
    let done = inputs.done || said.as_ref().is_some_and(|said| said.done);
    let own = inputs.message.clone().or_else(|| said?.message);
    let looking = tokio::time::timeout(LOOKING, job_at_its_end(job, common, github));
    let this_job = looking.await.unwrap_or_default();
    let of_check_run = || common.check_run.map(|id| job.url_of_job(job.run, id));
    let page = this_job.as_ref().and_then(|this| this.html_url.clone()).or_else(of_check_run);
    let step = this_job.as_ref().and_then(RunJob::failed_step);
    let url = match (page, step) {
        (Some(page), Some(step)) => Some(step.url_on(&page)),
        (page, _) => page,
    };
    let lines: Vec<String> = step.map(in_words).into_iter().chain(own).collect();
    let message = (!lines.is_empty()).then(|| lines.join("\n"));
    ReportInputs { message, url, done, ..inputs.clone() }
}

/// `step 3, Run tests`, to be read behind `web failed at build:`.
fn in_words(step: &RunStep) -> String {
    format!("step {}, {}", step.number, text::cut_name(text::first_line(&step.name), 100))
}

/// This job as GitHub shows it, with the step that ended badly, as far as the token may see it.
async fn job_at_its_end(job: &Job, common: &Common, github: &GitHub) -> Option<RunJob> {
    let first = this_job(job, common, github).await?;
    if first.failed_step().is_some() {
        return Some(first);
    }
    tokio::time::sleep(BETWEEN_LOOKS).await;
    this_job(job, common, github).await.or(Some(first))
}

async fn this_job(job: &Job, common: &Common, github: &GitHub) -> Option<RunJob> {
    let jobs = match github.jobs(&job.repository, job.run, job.attempt).await {
        Ok(jobs) => jobs,
        Err(error) => {
            tracing::info!("{}", Problem::of("the step at which the job ended is not named", &error));
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

    fn said(status: impl Into<Word<Status>>) -> StageReport {
        StageReport {
            target: None,
            stage: "build".to_owned(),
            status: status.into(),
            message: None,
            url: None,
            done: false,
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
            let said = said(reported);
            let is_new = |ending| matches!(ending, Ending::Report(_));
            assert_eq!(is_new(decide(Some(&said), true, end)), !stays, "{reported:?}, then {end:?}");
            let again = decide(Some(&said), false, end);
            assert_eq!(again == Ending::Undelivered(said), stays, "{reported:?}, then {end:?}: {again:?}");
        }
        let newer: Word<Status> = serde_json::from_value(json!("half_done")).expect("any value is a word");
        assert_eq!(decide(Some(&said(newer)), true, Failure), Ending::Said);
        assert_eq!(decide(None, true, Failure), Ending::Report(None));
    }
}
