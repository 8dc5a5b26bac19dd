//! The results of a dispatch, for the outputs, the summary and the exit code of the step.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::facts::{Facts, OwnRecord, OwnStart};
use super::ready::ReadyTarget;
use super::repair;
use super::request::Request;
use super::verdict::Verdict;
use super::view::View;
use super::waiting::{is_left_to_people, is_settled, open_targets};
use crate::names::{CommentId, RepoName, TargetName};
use crate::problem::{Problem, Topic};
use crate::ticket::reason::and;
use crate::ticket::{
    FollowedRun, Reason, SecondStart, Start, StartState, Target, TargetStatus, Word, board, text,
};

/// The results of a dispatch.
#[derive(Debug, Default)]
pub struct Results {
    /// The first comment of this step, with its address.
    pub comment: Option<(CommentId, String)>,
    /// An object for each target, for the output `targets`.
    pub targets: Vec<Value>,
    /// The tasks of people that the release waits for: `review web`.
    pub waiting_for: Vec<String>,
    /// The failures of the release itself: they fail the step in any case.
    pub failures: Vec<Problem>,
    /// The failures of reads and writes on GitHub.
    pub problems: Vec<Problem>,
    /// Whether the job could go on to its end.
    pub is_delivered: bool,
}

/// The results of a job with these facts.
#[must_use]
pub fn results(facts: &Facts, request: &Request, now: DateTime<Utc>) -> Results {
    let view = View::new(facts, request, now);
    Results {
        comment: facts.own_records.first().map(|OwnRecord { comment, url, .. }| (*comment, url.clone())),
        targets: request.targets.iter().map(|ready| result(&view, ready)).collect(),
        waiting_for: tasks_of_people(&view),
        failures: failures(&view),
        problems: problems(&view).into_iter().chain(request.obstacles.iter().cloned()).collect(),
        is_delivered: facts.fatal_problem.is_none(),
    }
}

pub(super) fn has_problems(view: &View<'_>) -> bool {
    !problems(view).is_empty() || !failures(view).is_empty()
}

fn problems(view: &View<'_>) -> Vec<Problem> {
    let facts = view.facts;
    let entries = facts.own_records.iter().flat_map(|own| &own.record.targets);
    let starts = entries.filter_map(problem_of_entry);
    let unrecorded_starts = facts.starts.iter().filter_map(|(target, own_start)| {
        let outcome = own_start.outcome().filter(|outcome| outcome.state != StartState::Started)?;
        start_problem(target, outcome.reason.as_ref()?)
    });
    let seconds = view.ticket.second_starts.iter().filter(|second| repair::fails_for(view, second));
    let starts = starts.chain(unrecorded_starts).chain(seconds.map(second_start_problem));
    let board = facts.board.failure.as_ref().map(|failure| Problem {
        help: failure.help.clone(),
        ..Problem::new(format!("the board of {} is not up to date: {failure}", view.issue))
    });
    let all = starts.chain(facts.problems.iter().cloned());
    all.chain(facts.fatal_problem.clone()).chain(board).collect()
}

/// The problem of an entry that says that a target could not be started.
fn problem_of_entry(start: &Start) -> Option<Problem> {
    let Some(Word::Known(reason)) = &start.reason else { return None };
    let is_left = start.state.is_passive() && !matches!(reason, Reason::Locked { .. });
    if is_left || start.state == StartState::Started {
        return None;
    }
    start_problem(&start.target, reason)
}

/// The problem of a start of this job that came second.
fn second_start_problem(second: &SecondStart) -> Problem {
    let reason = Reason::Second { run_url: second.first_url.clone() };
    let run = second.run_url.as_deref().unwrap_or("the second run, which GitHub does not name");
    Problem::new(format!("{}: {}: {run}", second.target, reason.plain()))
        .help(Topic::UnclearStart, "check whether the second run released anything before it was cancelled")
}

fn start_problem(target: &TargetName, reason: &Reason) -> Option<Problem> {
    let what = format!("cannot start {target}: {}", reason.plain());
    reason.is_failure().then(|| Problem { help: reason.help(), ..Problem::new(what) })
}

/// The failures of the release: followed targets that have failed, that cannot start, or that have not ended.
fn failures(view: &View<'_>) -> Vec<Problem> {
    let Some(follow) =
        view.request.follow.filter(|_| !view.request.wind_up && view.facts.fatal_problem.is_none())
    else {
        return Vec::new();
    };
    let goes_on = |name: &TargetName| !is_left_to_people(view, name);
    let open = open_targets(view).into_iter().filter(goes_on);
    let late_targets: BTreeSet<TargetName> = view.facts.late_targets.iter().cloned().chain(open).collect();
    let delay = (!late_targets.is_empty()).then(|| {
        let names: Vec<String> = late_targets.iter().map(ToString::to_string).collect();
        let verb = if late_targets.len() == 1 { "has" } else { "have" };
        let timeout = humantime::format_duration(follow.timeout);
        Problem::new(format!("{} {verb} not ended within {timeout}", and(&names)))
            .help(Topic::Target, "run the job again to keep waiting, or raise `wait-timeout`")
    });
    delay.into_iter().chain(view.request.targets.iter().flat_map(|ready| failure(view, ready))).collect()
}

fn failure(view: &View<'_>, ready: &ReadyTarget) -> Option<Problem> {
    let (name, ticket) = (ready.name(), &*view.ticket);
    let is_waiting = |target: &Target| matches!(target.status, TargetStatus::Waiting | TargetStatus::OnHold);
    if ticket.targets.get(name).is_none_or(is_waiting)
        && let Verdict::Wait(reason @ Reason::Unreadable { .. }) = view.verdict(ready)
    {
        return Some(Problem::new(format!("{name} was not started: {}", reason.plain())));
    }
    let target = ticket.targets.get(name)?;
    let has_run = target.run.is_some();
    let url = target.run.as_ref().and_then(|run| run.url.as_deref()).unwrap_or("its run");
    let stage = target.stage.as_ref().map(|stage| format!(" at {}", stage.name)).unwrap_or_default();
    let remark = remark(target);
    match target.status {
        _ if target.has_lost_its_run() => {
            let what = format!("{name}: the run {url} was deleted, so GitHub does not say how it ended");
            let help = "check whether it is released; if it is not, dispatch again with `retry-failed: true` for a new run";
            Some(Problem::new(what).help(Topic::Target, help))
        }
        TargetStatus::Cancelled if target.was_cancelled_before_any_job() => {
            let help = format!("re-run {url}, or dispatch again with `retry-failed: true` for a new run");
            let how = target.followed_run.as_ref().and_then(FollowedRun::remark).unwrap_or_default();
            Some(Problem::new(format!("{name} was {how}")).help(Topic::Target, help))
        }
        TargetStatus::Failed if target.failed_check().is_some() => {
            let check = target.failed_check()?;
            let what = format!("{name} is not verified: {}", check.failure.as_deref().unwrap_or_default());
            let help = check.help.as_deref().unwrap_or("look at its run");
            let help = format!("{help}; then run this dispatch again, which verifies it once more");
            Some(Problem::new(what).help(Topic::Verification, help))
        }
        TargetStatus::Failed | TargetStatus::Cancelled if has_run => {
            let verb = if target.status == TargetStatus::Failed { "failed" } else { "was cancelled" };
            let help = format!(
                "look at {url}; then re-run its failed jobs, or dispatch again with `retry-failed: true` for a new run"
            );
            Some(Problem::new(format!("{name} {verb}{stage}{remark}")).help(Topic::Target, help))
        }
        // A target that this job could not start has its problem already.
        TargetStatus::Failed | TargetStatus::Cancelled if view.own_claim(name).is_none() => {
            let reason = target.reason.as_ref().map(|reason| reason.clause(ToString::to_string));
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            let what = format!("an earlier dispatch could not start {name}{reason}");
            Some(Problem::new(what).help(Topic::Target, "dispatch again with `retry-failed: true`"))
        }
        TargetStatus::Held => {
            let what =
                format!("{name} is held{stage}{remark}: this release of the action cannot read its state");
            let help = format!("look at {url}, and update the action");
            Some(Problem::new(what).help(Topic::NewerRelease, help))
        }
        TargetStatus::Waiting if is_settled(view, name, target) && !is_left_to_people(view, name) => {
            let targets =
                ticket.unreleased_needs(&ready.target.needs).map(|(need, _)| need.clone()).collect();
            let reason = Reason::Needs { targets }.clause(|need| match ticket.targets.get(need) {
                Some(target) => format!("{need} ({})", target.status.word()),
                None => format!("{need} (not started)"),
            });
            let help = "release that first; then run this dispatch again";
            Some(Problem::new(format!("{name} was not started: {reason}")).help(Topic::Target, help))
        }
        _ => None,
    }
}

/// The message of the stage that decides a target's status, as the end of a sentence: `: timed out`.
#[must_use]
pub fn remark(target: &Target) -> String {
    let message = target.stage.as_ref().and_then(|stage| stage.message.as_deref());
    message.map(|message| format!(": {}", text::first_line(message))).unwrap_or_default()
}

fn result(view: &View<'_>, ready: &ReadyTarget) -> Value {
    let name = ready.name();
    let target = view.ticket.targets.get(name);
    let claim = view.own_claim(name).and_then(|own| {
        own.record.targets.iter().find(|start| start.target == *name).map(|start| &start.state)
    });
    let own_outcome = view.facts.starts.get(name).and_then(OwnStart::outcome);
    let is = |state: StartState| match own_outcome {
        Some(outcome) => outcome.state == state,
        None => claim.is_some_and(|claim| *claim == state),
    };
    let status = match target {
        _ if is(StartState::Unknown) => "unknown".to_owned(),
        _ if is(StartState::Started) && view.request.follow.is_none() => "started".to_owned(),
        Some(target) if target.has_unknown_end() => "unknown".to_owned(),
        Some(target) => target.status.as_str().to_owned(),
        None => "unknown".to_owned(),
    };
    let run = target.and_then(|target| target.run.as_ref());
    let start = target.and_then(|target| target.start.as_ref());
    let error = target.and_then(|target| {
        let failed_stage =
            target.stage.as_ref().filter(|_| target.status.is_bad() || target.has_unknown_end());
        let reason = target.reason.as_ref().map(error_of);
        let is_nameless = start.is_some_and(|start| start.state == StartState::Started) && run.is_none();
        reason
            .filter(|_| target.status.is_bad() || is_nameless)
            .or_else(|| failed_stage.and_then(|stage| stage.message.clone()))
    });
    let error = error.or_else(|| absence(view).filter(|_| target.is_none()));
    // The run of a start that the job could not record yet.
    let unrecorded_run = own_outcome.and_then(|outcome| outcome.run.as_ref());
    let run_url = run.and_then(|run| run.url.as_deref()).or(start.and_then(|start| start.run_url.as_deref()));
    json!({
        "name": name,
        "repository": ready.target.repository,
        "status": status,
        "conclusion": target.and_then(conclusion),
        "run_id": run.map(|run| run.id).or(unrecorded_run.map(|(run, _)| *run)),
        "run_url": run_url.or(unrecorded_run.map(|(_, url)| url.as_str())),
        "error": error,
        "outputs": target.map(|target| target.outputs.clone()).unwrap_or_default(),
        "waiting_for": target.map(|target| waiting_for(view, ready, target)).unwrap_or_default(),
    })
}

/// The things that the target waits for: targets and gates that it needs, a review, a `resume`, the end of a freeze.
fn waiting_for(view: &View<'_>, ready: &ReadyTarget, target: &Target) -> Vec<String> {
    match target.status {
        TargetStatus::Waiting | TargetStatus::OnHold => match view.verdict(ready) {
            Verdict::Wait(Reason::Needs { targets }) => targets.iter().map(ToString::to_string).collect(),
            Verdict::Wait(Reason::OnHold { .. }) => vec!["resume".to_owned()],
            Verdict::Wait(Reason::Frozen { .. }) => vec!["freeze".to_owned()],
            _ => Vec::new(),
        },
        TargetStatus::Review => vec!["review".to_owned()],
        _ => Vec::new(),
    }
}

/// The tasks of people that the release waits for: `go`, `review web`, `resume docs`, `freeze`.
fn tasks_of_people(view: &View<'_>) -> Vec<String> {
    let mut tasks: Vec<String> = Vec::new();
    for ready in &view.request.targets {
        let (name, target) = (ready.name(), view.ticket.targets.get(ready.name()));
        let is_started = target.is_some_and(|target| {
            !matches!(target.status, TargetStatus::Waiting | TargetStatus::OnHold | TargetStatus::Review)
        });
        let is_next = view.ticket.unreleased_needs(&ready.target.needs).next().is_none();
        let words = match (target.map(|target| target.status), view.verdict(ready)) {
            _ if is_started => Vec::new(),
            (Some(TargetStatus::Review), _) => vec![format!("review {name}")],
            (_, Verdict::Wait(Reason::Needs { targets })) if is_next => {
                targets.iter().map(ToString::to_string).collect()
            }
            (_, Verdict::Wait(Reason::OnHold { .. })) if is_next => vec![format!("resume {name}")],
            (_, Verdict::Wait(Reason::Frozen { .. })) => vec!["freeze".to_owned()],
            _ => Vec::new(),
        };
        tasks.extend(words);
    }
    let mut unique_tasks = BTreeSet::new();
    tasks.retain(|word| unique_tasks.insert(word.clone()));
    tasks
}

/// The result of a target that this step has neither read nor started before it was cancelled.
#[must_use]
pub fn untouched_result(name: &TargetName, repository: &RepoName) -> Value {
    json!({
        "name": name,
        "repository": repository,
        "status": "unknown",
        "conclusion": null,
        "run_id": null,
        "run_url": null,
        "error": "the step was cancelled before it read or started the target",
        "outputs": {},
        "waiting_for": [],
    })
}

/// Why a listed target has no row in the ticket.
fn absence(view: &View<'_>) -> Option<String> {
    let stop_reason =
        view.facts.fatal_problem.as_ref().map(|problem| format!("it was not started: {}", problem.what));
    let cancel_reason =
        || view.request.wind_up.then(|| "it was not started: the step was cancelled".to_owned());
    stop_reason.or_else(cancel_reason)
}

/// Why a target was not started, with the help.
fn error_of(reason: &Word<Reason>) -> String {
    let what = reason.clause(ToString::to_string);
    Problem { help: reason.help(), ..Problem::new(what) }.to_string()
}

/// The conclusion of the target's run: GitHub's word if it is known; `None` while the run goes on.
fn conclusion(target: &Target) -> Option<&str> {
    let conclusion_of_run = target.followed_run.as_ref().and_then(|run| run.conclusion.as_deref());
    conclusion_of_run.or(match target.status {
        _ if target.has_unknown_end() => None,
        TargetStatus::Released => Some("success"),
        TargetStatus::Failed => Some("failure"),
        TargetStatus::Cancelled => Some("cancelled"),
        TargetStatus::Skipped => Some("skipped"),
        TargetStatus::Held
        | TargetStatus::Review
        | TargetStatus::InProgress
        | TargetStatus::Verifying
        | TargetStatus::Queued
        | TargetStatus::OnHold
        | TargetStatus::Waiting => None,
    })
}

/// The started targets without a known run: only their reports can end them.
#[must_use]
pub fn silent_targets(facts: &Facts, request: &Request) -> Vec<TargetName> {
    let ticket = facts.log.ticket_by_basis(&facts.basis(request));
    let names = request.targets.iter().map(ReadyTarget::name);
    let silent_names = names.filter(|name| {
        let Some(target) = ticket.targets.get(*name) else { return false };
        let is_started = target.start.as_ref().is_some_and(|start| start.state == StartState::Started);
        is_started && target.run.is_none()
    });
    silent_names.cloned().collect()
}

/// A line about each target, for the job's log.
#[must_use]
pub fn log_lines(facts: &Facts, request: &Request) -> Vec<(TargetName, String)> {
    let ticket = facts.log.ticket_by_basis(&facts.basis(request));
    let lines = request.targets.iter().filter_map(|ready| {
        let target = ticket.targets.get(ready.name())?;
        let link = target.run.as_ref().and_then(|run| run.url.as_deref()).unwrap_or_default();
        let standing = format!("{}{}", board::state_text(&ticket, ready.name(), target), remark(target));
        Some((ready.name().clone(), format!("{}  {standing}  {link}", ready.name()).trim_end().to_owned()))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{Says, Story, dispatch, target};

    fn after(mut story: Story) -> (Story, Results) {
        story.run();
        let results = results(&story.facts, &story.request, story.now);
        (story, results)
    }

    fn of(results: &Results, key: &str) -> Vec<Value> {
        results.targets.iter().map(|target| target[key].clone()).collect()
    }

    #[test]
    fn a_job_that_does_not_follow_reports_its_starts() {
        let story = Story::of([target("web"), target("docs").needing(["web"])]);
        let (_, results) = after(story);
        assert_eq!(of(&results, "status"), ["started", "waiting"]);
        assert_eq!(of(&results, "run_id"), [json!(101), json!(null)]);
        assert_eq!(of(&results, "conclusion"), [json!(null), json!(null)]);
        assert_eq!(results.comment.map(|(comment, _)| comment), Some(CommentId(1)));
        assert!(results.is_delivered && results.failures.is_empty() && results.problems.is_empty());
    }

    #[test]
    fn what_a_target_waits_for_is_named() {
        let mut story = Story::of([target("web"), target("docs").needing(["web"])]).following();
        story = story.always("look at web", Says::NeedsReview);
        let (story, results) = after(story);
        assert_eq!(of(&results, "status"), ["review", "waiting"]);
        assert_eq!(of(&results, "waiting_for"), [json!(["review"]), json!(["web"])]);
        assert_eq!(results.waiting_for, ["review web"]);
        assert_eq!(story.problems(), ["docs and web have not ended within 1h"]);
    }

    #[test]
    fn a_job_that_follows_reports_how_each_run_ended() {
        let story = Story::of([target("web"), target("api")]).following().when("look at api", [Says::Failed]);
        let (_, results) = after(story);
        assert_eq!(of(&results, "status"), ["released", "failed"]);
        assert_eq!(of(&results, "conclusion"), ["success", "failure"]);
        assert_eq!(results.failures.len(), 1);
        assert!(results.failures[0].help.as_ref().is_some_and(|help| help.text.contains("look at runs/102")));
    }

    #[test]
    fn an_unclear_start_is_unknown_and_a_refused_one_has_its_error() {
        let story = Story::of([target("web"), target("api")])
            .always("start web", Says::Nothing)
            .always("start api", Says::Refused);
        let (_, results) = after(story);
        assert_eq!(of(&results, "status"), ["unknown", "failed"]);
        assert_eq!(
            of(&results, "error"),
            [
                "there is no answer; its run could be here: /acme/web/actions/workflows/release.yml",
                "it is refused"
            ]
        );
        assert_eq!(results.problems.len(), 2);
    }

    #[test]
    fn a_target_of_a_step_that_was_cancelled_early_has_the_keys_of_every_result() {
        let (story, results) = after(Story::of([target("web")]));
        let ready = &story.request.targets[0];
        let result_before_start = untouched_result(ready.name(), &ready.target.repository);
        let keys = |result: &Value| result.as_object().map(|keys| keys.keys().cloned().collect::<Vec<_>>());
        assert_eq!(keys(&result_before_start), keys(&results.targets[0]));
    }

    #[test]
    fn a_target_that_was_left_to_another_job_is_not_a_problem() {
        let story = Story::of([target("web")]).after(dispatch(50, [("web", StartState::Claimed)]));
        let (_, results) = after(story.always("ask for hub run 50", Says::AtWork));
        assert_eq!(of(&results, "status"), ["queued"]);
        assert!(results.problems.is_empty());
    }

    #[test]
    fn a_job_that_could_not_go_on_has_not_delivered_and_does_not_judge_the_release() {
        let story = Story::of([target("web")]).following().when("read", [Says::Refused]);
        let (_, results) = after(story);
        assert!(!results.is_delivered && results.failures.is_empty());
        assert_eq!(results.problems.len(), 1);
    }

    #[test]
    fn a_target_without_a_run_is_silent() {
        let (story, _) = after(Story::of([target("web").by_event(), target("api")]));
        assert_eq!(silent_targets(&story.facts, &story.request), ["web"]);
    }
}
