//! Workflow runs and their jobs.

use axum::http::StatusCode;
use axum::http::header::LOCATION;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde_json::{Value, json};

use crate::call::{Answer, Call, Reply};
use crate::issue::same;
use crate::joblog;
use crate::json;
use crate::run::{Job, Run};

pub(super) fn list(call: Call<'_>) -> Answer {
    list_where(&call, |_| true)
}

pub(super) fn list_of_workflow(call: Call<'_>) -> Answer {
    let workflow = super::actions::workflow(&call)?;
    list_where(&call, |run| run.workflow == workflow.file())
}

/// The runs that fit the query, the newest first.
fn list_where(call: &Call<'_>, is_in_list: impl Fn(&Run) -> bool) -> Answer {
    let repository = call.repository()?;
    let fits = |name: &str, value: &str| call.query(name).is_none_or(|it| it == value);
    let span = call.query("created").map(Span::parse);
    if let Some(None) = span {
        return Err(Reply::unprocessable("Invalid created"));
    }
    let span = span.flatten();
    let status = |run: &Run| {
        call.query("status").is_none_or(|it| run.status == it || run.conclusion.as_deref() == Some(it))
    };
    let runs = call
        .state
        .runs_of(&call.key)
        .rev()
        .filter(|run| is_in_list(run))
        .filter(|run| fits("event", &run.event) && fits("branch", &run.git_ref))
        .filter(|run| fits("head_sha", &run.head_sha) && status(run))
        .filter(|run| call.query("actor").is_none_or(|it| same(it, &run.actor)))
        .filter(|run| span.as_ref().is_none_or(|it| it.holds(run.created_at)))
        .map(|run| json::run(call.state, repository, run));
    Ok(call.counted_list("workflow_runs", runs.collect()))
}

/// Whether a search index answers the request, as GitHub does for filtered lists of runs.
pub(super) fn come_from_index(path: &str, query: &[(String, String)]) -> bool {
    const FILTERS: [&str; 6] = ["actor", "branch", "created", "event", "head_sha", "status"];
    let is_filtered = query.iter().any(|(name, value)| FILTERS.contains(&name.as_str()) && !value.is_empty());
    is_filtered && path.contains("/actions/") && path.ends_with("/runs")
}

/// A span of time in GitHub's search syntax: `>=A`, `<A`, `A..B`, `A..*`, or a day or second.
struct Span {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Span {
    fn parse(text: &str) -> Option<Self> {
        let (from, until) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
        if let Some(rest) = text.strip_prefix(">=") {
            return Some(Self { from: bounds(rest)?.0, until });
        }
        if let Some(rest) = text.strip_prefix("<=") {
            return Some(Self { from, until: bounds(rest)?.1 });
        }
        if let Some(rest) = text.strip_prefix('>') {
            return Some(Self { from: bounds(rest)?.1, until });
        }
        if let Some(rest) = text.strip_prefix('<') {
            return Some(Self { from, until: bounds(rest)?.0 });
        }
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let from = if first == "*" { from } else { bounds(first)?.0 };
        let until = if last == "*" { until } else { bounds(last)?.1 };
        Some(Self { from, until })
    }

    fn holds(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && at < self.until
    }
}

/// The start of a day or second, and the start of the next one.
fn bounds(text: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        let start = date.and_time(NaiveTime::MIN).and_utc();
        return Some((start, start.checked_add_days(Days::new(1))?));
    }
    let start = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    Some((start, start + chrono::TimeDelta::seconds(1)))
}

pub(super) fn get(call: Call<'_>) -> Answer {
    let run = run(&call)?;
    Ok(Reply::ok(json::run(call.state, call.repository()?, run)))
}

pub(super) fn attempt(call: Call<'_>) -> Answer {
    let run = run_attempt(&call)?;
    Ok(Reply::ok(json::run(call.state, call.repository()?, run)))
}

/// The run in the path.
fn run<'a>(call: &'a Call<'_>) -> Result<&'a Run, Reply> {
    let id = call.number("run_id")?;
    let run = call.state.runs_of(&call.key).find(|run| run.id == id);
    run.ok_or_else(Reply::not_found)
}

fn run_attempt<'a>(call: &'a Call<'_>) -> Result<&'a Run, Reply> {
    let attempt = call.number("attempt_number")?;
    let run = run(call)?.in_attempt(attempt);
    run.ok_or_else(Reply::not_found)
}

/// The jobs of the latest attempt, or with `filter=all` of all attempts.
pub(super) fn jobs(call: Call<'_>) -> Answer {
    let run = run(&call)?;
    let earlier: &[Run] = match call.query("filter") {
        Some("all") => &run.earlier,
        _ => &[],
    };
    let attempts = std::iter::once(run).chain(earlier.iter().rev());
    jobs_of(&call, attempts)
}

pub(super) fn attempt_jobs(call: Call<'_>) -> Answer {
    let attempt = run_attempt(&call)?;
    jobs_of(&call, std::iter::once(attempt))
}

fn jobs_of<'a>(call: &Call<'_>, attempts: impl Iterator<Item = &'a Run>) -> Answer {
    let links = &call.state.links;
    let jobs: Vec<Value> =
        attempts.flat_map(|run| run.jobs.iter().map(move |job| json::job(links, run, job))).collect();
    Ok(call.counted_list("jobs", jobs))
}

/// The environments that jobs of the latest attempt wait for, each once.
pub(super) fn pending_deployments(call: Call<'_>) -> Answer {
    let mut names: Vec<&str> = Vec::new();
    let mut pending = Vec::new();
    for (job, environment) in run(&call)?.waiting() {
        if !names.contains(&&*environment.name) {
            names.push(&environment.name);
            let may_approve = environment.is_reviewed_by(call.caller.login());
            let links = &call.state.links;
            pending.push(json::pending_deployment(links, &call.place(), job, environment, may_approve));
        }
    }
    Ok(Reply::ok(Value::from(pending)))
}

/// The reviews of environments, in every attempt.
pub(super) fn approvals(call: Call<'_>) -> Answer {
    let (links, place) = (&call.state.links, call.place());
    let approvals = run(&call)?.approvals.iter();
    let objects: Vec<Value> = approvals.map(|approval| json::approval(links, &place, approval)).collect();
    Ok(Reply::ok(Value::from(objects)))
}

pub(super) fn job(call: Call<'_>) -> Answer {
    let id = call.number("job_id")?;
    let full_name = call.place();
    match call.state.job(id) {
        Some((run, job)) if run.repository == full_name => {
            Ok(Reply::ok(json::job(&call.state.links, run, job)))
        }
        _ => Err(Reply::not_found()),
    }
}

/// A link to the log of a job that has ended.
pub(super) fn job_log(call: Call<'_>) -> Answer {
    let id = call.number("job_id")?;
    match call.state.job(id) {
        Some((run, job)) if run.repository == call.place() && job.is_completed() => {
            if job.log.is_none() {
                return Err(Reply::refusal(StatusCode::GONE, "The logs for this job have expired."));
            }
            Ok(Reply::empty(StatusCode::FOUND).header(LOCATION, joblog::link(call.state, id)))
        }
        _ => Err(Reply::not_found()),
    }
}

/// The annotations of a check run: those of a job.
pub(super) fn annotations(call: Call<'_>) -> Answer {
    let id = call.number("check_run_id")?;
    let Some((run, job)) = call.state.job(id).filter(|(run, _)| run.repository == call.place()) else {
        return Err(Reply::not_found());
    };
    let links = &call.state.links;
    let annotations = job.annotations.iter().map(|annotation| json::annotation(links, run, annotation));
    Ok(call.list(annotations.collect()))
}

/// Cancels a run, at once.
pub(super) fn cancel(call: Call<'_>) -> Answer {
    let run = run(&call)?;
    let id = run.id;
    if run.is_completed() {
        let message = "Cannot cancel a workflow run that is completed.";
        return Err(Reply::refusal(StatusCode::CONFLICT, message));
    }
    let now = call.now;
    call.state.update_run(id, |run| run.finish("cancelled", now));
    let place = call.place();
    call.state.note_change(place, format_args!("run {id} cancelled"));
    Ok(Reply::json(StatusCode::ACCEPTED, json!({})))
}

pub(super) fn rerun(call: Call<'_>) -> Answer {
    restart(call, |_| false)
}

/// Starts another attempt, which keeps the successful jobs.
pub(super) fn rerun_failed_jobs(call: Call<'_>) -> Answer {
    restart(call, |job| job.conclusion.as_deref() == Some("success"))
}

fn restart(call: Call<'_>, keep: impl Fn(&Job) -> bool) -> Answer {
    let id = run(&call)?.id;
    if !run(&call)?.is_completed() {
        let message = "This workflow is already running";
        return Err(Reply::forbidden(message));
    }
    let (now, by) = (call.now, call.caller.login().to_owned());
    call.state.update_run(id, |run| run.restart(&by, now, keep));
    let attempt = run(&call)?.attempt;
    let place = call.place();
    call.state.note_change(place, format_args!("run {id} started again (attempt {attempt})"));
    Ok(Reply::created(json!({})))
}
