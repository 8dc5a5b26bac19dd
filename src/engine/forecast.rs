//! The forecast: what a hub job does if every answer is good. A dry run prints it.

use chrono::{DateTime, Utc};
use serde_json::Map;

use super::known::{Identity, Known};
use super::request::Request;
use super::step::{Answer, Pause, RunOf, Sighting, Step};
use super::{next, waiting};
use crate::engine::view::View;
use crate::names::{CommentId, IssueNumber, IssueRef, RunId, TargetName, number};
use crate::plan::{Applied, Board, Created, Effect, Plan};
use crate::ticket::claim::Liveness;
use crate::ticket::{
    BoardStep, Comment, FollowedRun, Outputs, Record, Report, StageReport, StartState, Status, Writer,
};

/// More steps are taken by no release; a forecast that goes on is an error of the rules.
const MOST_STEPS: usize = 10_000;

/// Drives the engine to its end with assumed answers, and keeps what it would change.
#[must_use]
pub fn forecast(mut known: Known, request: &Request, mut now: DateTime<Utc>) -> Plan {
    let mut plan = Plan::default();
    let request = &assuming_outputs(request);
    let (mut idle_pauses, mut board) = (0, None);
    for _ in 0..MOST_STEPS {
        let steps = next(&known, request, now);
        // A pause after which nothing was done is not followed by anything else.
        idle_pauses = match steps[..] {
            [Step::Pause { reason: Pause::Runs(_), .. }] => idle_pauses + 1,
            _ if steps.iter().all(is_idle) => idle_pauses,
            _ => 0,
        };
        if steps.is_empty() || idle_pauses > 1 {
            break;
        }
        known.send(&steps, now);
        for step in steps {
            // Time stands still, as every run ends in time. Only the patience with another job, or with a list,
            // may end.
            if let Step::Pause { until, reason: Pause::Held(_) | Pause::Listing } = &step {
                now = *until;
            }
            let changes_nothing = is_shown(&step, &known, &mut board);
            let answer = assume(&step, &mut known, request, now);
            known.learn(&step, answer, request, now);
            if !changes_nothing {
                plan_step(step, &mut plan);
            }
        }
    }
    plan
}

/// The same request, in which inputs stand as templates that read outputs which nobody has reported yet.
fn assuming_outputs(request: &Request) -> Request {
    let mut request = request.clone();
    request.wording.assumes_outputs = true;
    request
}

/// Whether the step asks or shows, and changes nothing else.
fn is_idle(step: &Step) -> bool {
    step.is_question() || matches!(step, Step::Apply(Effect::UpdateBoard { .. } | Effect::PinBoard { .. }))
}

/// Whether the step brings a board up to date that is so already, or that has nothing to show; `assumed` is
/// the text that it was last assumed to have.
fn is_shown(step: &Step, known: &Known, assumed: &mut Option<String>) -> bool {
    if !matches!(step, Step::Apply(Effect::UpdateBoard { .. })) {
        return false;
    }
    match known.log.next_board_step() {
        BoardStep::Write { body, .. } if known.log.has_records() => {
            let is_shown = assumed.as_ref() == Some(&body);
            *assumed = Some(body);
            is_shown
        }
        _ => true,
    }
}

fn plan_step(step: Step, plan: &mut Plan) {
    match step {
        Step::Apply(effect) => plan.push(effect),
        Step::Pause { reason: Pause::Runs(targets), .. } => plan.push(Effect::Wait { targets }),
        _ => {}
    }
}

/// The good answer. What it writes is in the log from then on.
fn assume(step: &Step, known: &mut Known, request: &Request, now: DateTime<Utc>) -> Answer {
    match step {
        Step::Confirm => Answer::Done,
        Step::ReadLog => {
            report_what_no_run_tells(known, request, now);
            Answer::Done
        }
        // Without a write nobody may know it: then the first claim is taken for this hub's own.
        Step::AskIdentity => Answer::Identity(known.log.first_claimant().map(str::to_owned)),
        Step::AskHubRun(_) => Answer::HubRun(Liveness::Ended),
        Step::LookAtRun(of) => {
            let run = look_at(of, known, now);
            let (title, workflow, actor, event, head_sha) = (String::new(), None, None, None, None);
            Answer::Run(Box::new(Sighting {
                run,
                workflow,
                created_at: now,
                changed_at: now,
                title,
                actor,
                event,
                head_sha,
            }))
        }
        Step::LookAtCommit(of) => Answer::Commit(commit_to_be(&of.target, known)),
        Step::FindRelease(..) => Answer::Release(Some(Outputs::default())),
        Step::Verify(inspection) => Answer::Verified(inspection.passed()),
        Step::FindRun(_) => Answer::Runs(Vec::new()),
        Step::LookBack(_) => Answer::Before(None),
        Step::Survey(_) => Answer::Surveyed(Box::default()),
        Step::Apply(Effect::OpenIssue(new)) => Answer::Applied(Applied::Opened {
            issue: IssueRef { repository: new.repository.clone(), number: IssueNumber(0) },
            url: String::new(),
            created: true,
        }),
        Step::Apply(Effect::WriteRecord { comment, record, .. }) => {
            Answer::Applied(Applied::Written(write(known, *comment, record, now)))
        }
        Step::Apply(Effect::UpdateBoard { .. }) if !known.log.has_records() => {
            Answer::Applied(Applied::Board(None))
        }
        Step::Apply(Effect::UpdateBoard { .. }) => {
            let board = known.log.board().map(|board| board.id);
            let created = board.is_none() && !known.board.is_assumed;
            known.board.is_assumed = true;
            let comment = board.unwrap_or(CommentId(0));
            Answer::Applied(Applied::Board(Some(Board { comment, created, is_behind: false })))
        }
        Step::Apply(Effect::CreateRef(_)) => Answer::Applied(Applied::Ref(Created::New)),
        Step::Apply(Effect::StartWorkflow(start)) => {
            Answer::Applied(Applied::Started(Some((run_to_be(&start.target, request), String::new()))))
        }
        Step::Apply(Effect::SendEvent(_)) => Answer::Applied(Applied::Started(None)),
        Step::StartAgain(_) | Step::Refuse { .. } | Step::Pause { .. } | Step::Apply(_) => Answer::Done,
    }
}

/// The commit that was approved last, as if the ref had not moved; zeros where none was.
fn commit_to_be(target: &TargetName, known: &Known) -> String {
    let decisions = known.log.decisions().flat_map(|(_, decision)| &decision.commits);
    let of_target = decisions.filter(|commit| commit.target == *target);
    of_target.filter_map(|commit| commit.sha.clone()).last().unwrap_or_else(|| "0".repeat(40))
}

/// A run that is newer than all that are there.
fn run_to_be(target: &TargetName, request: &Request) -> RunId {
    let position = request.targets.iter().position(|ready| ready.name() == target).unwrap_or_default();
    RunId(number::MAX / 2 + position as u64)
}

fn write(known: &mut Known, comment: Option<CommentId>, record: &Record, now: DateTime<Utc>) -> Comment {
    let next = || CommentId(known.log.last_id().map_or(1, |id| id.0.saturating_add(1)));
    let author = match &known.identity {
        Identity::Is(login) => login.clone(),
        Identity::NotAsked | Identity::Unknown => "this step".to_owned(),
    };
    let written = Comment {
        id: comment.unwrap_or_else(next),
        author: Some(author),
        trusted: true,
        body: record.render(),
        created_at: now,
        updated_at: now,
        url: String::new(),
    };
    known.log.extend([written.clone()]);
    written
}

/// A run that was looked at before has ended well by now, a new one has not begun.
fn look_at(of: &RunOf, known: &Known, now: DateTime<Utc>) -> FollowedRun {
    let target = known.log.ticket().targets.get(&of.target);
    let before = known.runs.get(&of.target).or_else(|| target?.followed.as_ref());
    let before = before.filter(|run| run.run == of.run);
    if let Some(ended) = before.filter(|run| run.has_ended()) {
        return ended.clone();
    }
    let run = target.and_then(|target| target.run.as_ref());
    let (status, conclusion) = match before {
        None => ("queued", None),
        Some(_) => ("completed", Some("success".to_owned())),
    };
    FollowedRun {
        attempt: run.map_or(1, |run| run.attempt),
        run_url: run.and_then(|run| run.url.clone()).unwrap_or_default(),
        conclusion,
        ..FollowedRun::new(of.target.clone(), of.repository.clone(), of.run, status, now)
    }
}

/// Where a start has no run that could be followed, its own reports end it.
fn report_what_no_run_tells(known: &mut Known, request: &Request, now: DateTime<Utc>) {
    // Nobody who does not wait hears of it.
    if request.follow.is_none() {
        return;
    }
    let view = View::new(known, request, now);
    let silent = |name: &TargetName| {
        let target = view.ticket.targets.get(name)?;
        let start = target.start.as_ref().filter(|start| start.state == StartState::Started)?;
        (target.status.is_under_way() && target.run.is_none()).then(|| start.repository.clone())
    };
    let open = waiting::open_targets(&view);
    let silent: Vec<_> = open.iter().filter_map(|name| Some((name.clone(), silent(name)?))).collect();
    for (target, repository) in silent {
        let by = Writer {
            repository,
            run: RunId(number::MAX),
            attempt: 1,
            job: "release".to_owned(),
            check_run: None,
        };
        let stage = StageReport {
            target: Some(target),
            stage: "release".to_owned(),
            status: Status::Success.into(),
            message: None,
            url: None,
            done: true,
            outputs: Outputs::default(),
            at: now,
            seq: 1,
            other: Map::new(),
        };
        let report = Report { by, seq: 1, run_url: String::new(), stages: vec![stage], other: Map::new() };
        write(known, None, &Record::Report(report), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{Says, Story, dispatch, target};

    fn plan(story: &Story) -> String {
        forecast(story.known.clone(), &story.request, story.now).to_string().replace("acme/hub", "hub")
    }

    #[test]
    fn a_forecast_of_two_waves_ends_with_a_closed_ticket_and_starts_each_target_once() {
        let docs = target("docs").needing(["web", "api"]);
        let mut story = Story::of([docs, target("web"), target("api").by_event()]).following();
        story.request.close = true;
        insta::assert_snapshot!(plan(&story), @r"
        comment on hub#1: web and api claimed; docs waiting
        bring the board of hub#1 up to date
        pin the board of hub#1
        start web: release.yml in acme/web at main
        start api: send release to acme/api with release-ticket: hub#1, release-target: api, inputs: {}
        edit comment 1 on hub#1: web and api started; docs waiting
        edit comment 1 on hub#1: web and api started; docs waiting; web queued
        bring the board of hub#1 up to date
        wait for docs, web and api
        edit comment 1 on hub#1: web and api started; docs waiting; api queued; web released
        bring the board of hub#1 up to date
        wait for docs and api
        edit comment 1 on hub#1: web and api started; docs waiting; web and api released
        comment on hub#1: docs claimed
        bring the board of hub#1 up to date
        start docs when web and api are released: release.yml in acme/docs at main
        edit comment 3 on hub#1: docs started
        edit comment 3 on hub#1: docs started; docs queued
        bring the board of hub#1 up to date
        wait for docs
        edit comment 3 on hub#1: docs started; docs released
        bring the board of hub#1 up to date
        close hub#1, saying: 🎉 Every target is released, so this ticket is closed.
        ");
    }

    #[test]
    fn a_forecast_without_following_starts_the_first_wave_and_leaves_the_second() {
        let story = Story::of([target("docs").needing(["web"]), target("web")]);
        insta::assert_snapshot!(plan(&story), @r"
        comment on hub#1: web claimed; docs waiting
        bring the board of hub#1 up to date
        pin the board of hub#1
        start web: release.yml in acme/web at main
        edit comment 1 on hub#1: web started; docs waiting
        bring the board of hub#1 up to date
        leave docs alone: it waits for web
        ");
    }

    #[test]
    fn a_forecast_after_the_first_questions_changes_nothing_of_what_is_known() {
        let mut story = Story::of([target("web"), target("api")]);
        story = story.after(dispatch(50, [("web", StartState::Started)]));
        story.run_until("comment: api claimed");
        let before = format!("{:?}", story.known);
        insta::assert_snapshot!(plan(&story), @r"
        comment on hub#1: api claimed
        bring the board of hub#1 up to date
        pin the board of hub#1
        start api: release.yml in acme/api at main
        edit comment 3 on hub#1: api started
        bring the board of hub#1 up to date
        ");
        assert_eq!(format!("{:?}", story.known), before);
    }

    #[test]
    fn a_forecast_yields_to_another_job_that_the_token_may_not_see() {
        let mut story = Story::of([target("web")]).after(dispatch(50, [("web", StartState::Claimed)]));
        story = story.always("ask for hub run 50", Says::NotForYou);
        story.run_until("comment: web claimed");
        insta::assert_snapshot!(plan(&story), @r"
        comment on hub#1: web claimed
        bring the board of hub#1 up to date
        edit comment 2 on hub#1: web left to another job
        bring the board of hub#1 up to date
        pin the board of hub#1
        ");
    }
}
