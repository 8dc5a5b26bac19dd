//! The forecast: the effects of a hub job if every answer is good. A dry run prints it.

use chrono::{DateTime, Utc};
use serde_json::Map;

use super::facts::{Facts, Identity};
use super::request::Request;
use super::step::{Answer, Pause, Sighting, Step, TargetRun};
use super::{next, waiting};
use crate::engine::view::View;
use crate::names::{CommentId, IssueNumber, IssueRef, RunId, TargetName, number};
use crate::plan::{Board, Creation, Effect, EffectOutcome, Plan};
use crate::ticket::claim::Liveness;
use crate::ticket::{
    BoardStep, Comment, FollowedRun, Outputs, Record, Report, StageReport, StartState, Status, Writer,
};

/// No release takes more steps: a longer forecast is an error in the rules.
const MOST_STEPS: usize = 10_000;

/// Drives the engine to its end with assumed answers, and collects the effects.
#[must_use]
pub fn forecast(mut facts: Facts, request: &Request, mut now: DateTime<Utc>) -> Plan {
    let mut plan = Plan::default();
    let request = &with_assumed_outputs(request);
    let (mut idle_pauses, mut board) = (0, None);
    for _ in 0..MOST_STEPS {
        let steps = next(&facts, request, now);
        // After a pause with no effect since the last one nothing else follows.
        idle_pauses = match steps[..] {
            [Step::Pause { reason: Pause::Runs(_), .. }] => idle_pauses + 1,
            _ if steps.iter().all(is_idle) => idle_pauses,
            _ => 0,
        };
        if steps.is_empty() || idle_pauses > 1 {
            break;
        }
        facts.begin(&steps, now);
        for step in steps {
            // Time stands still: every run ends before the timeout. Only the patience with another job, or with a list,
            // may run out.
            if let Step::Pause { until, reason: Pause::OtherJobs(_) | Pause::Listing } = &step {
                now = *until;
            }
            let changes_nothing = is_on_board(&step, &facts, &mut board);
            let answer = assume(&step, &mut facts, request, now);
            facts.learn(&step, answer, request, now);
            if !changes_nothing {
                plan_step(step, &mut plan);
            }
        }
    }
    plan
}

/// The same request, in which inputs that read unreported outputs stand as templates.
fn with_assumed_outputs(request: &Request) -> Request {
    let mut request = request.clone();
    request.wording.assumes_outputs = true;
    request
}

/// Whether the step only asks, or only writes the board.
fn is_idle(step: &Step) -> bool {
    step.is_question() || matches!(step, Step::Apply(Effect::UpdateBoard { .. } | Effect::PinBoard { .. }))
}

/// Whether the step would write a board that is up to date already, or has nothing to show. `last_board` is the text
/// that the board has by the steps before.
fn is_on_board(step: &Step, facts: &Facts, last_board: &mut Option<String>) -> bool {
    if !matches!(step, Step::Apply(Effect::UpdateBoard { .. })) {
        return false;
    }
    match facts.log.next_board_step() {
        BoardStep::Write { body, .. } if facts.log.has_records() => {
            let is_on_board = last_board.as_ref() == Some(&body);
            *last_board = Some(body);
            is_on_board
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

/// The good answer to a step. A record that the step writes is in the log from then on.
fn assume(step: &Step, facts: &mut Facts, request: &Request, now: DateTime<Utc>) -> Answer {
    match step {
        Step::ReadLogBeforeRefusal => Answer::Done,
        Step::ReadLog => {
            report_silent_starts(facts, request, now);
            Answer::Done
        }
        // Perhaps only a write would show the account: the first claim is taken for this hub's own.
        Step::AskIdentity => Answer::Identity(facts.log.first_claimant().map(str::to_owned)),
        Step::AskHubRun(_) => Answer::HubRun(Liveness::Ended),
        Step::LookAtRun(of) => {
            let run = look_at(of, facts, now);
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
        Step::LookAtCommit(of) => Answer::Commit(commit_to_be(&of.target, facts)),
        Step::FindRelease(..) => Answer::Release(Some(Outputs::default())),
        Step::Verify(inspection) => Answer::Checks(inspection.passing_checks()),
        Step::FindRun(_) => Answer::Runs(Vec::new()),
        Step::FindPreviousRelease(_) => Answer::PreviousRelease(None),
        Step::Survey(_) => Answer::Survey(Box::default()),
        Step::Apply(Effect::OpenIssue(new)) => Answer::Applied(EffectOutcome::Opened {
            issue: IssueRef { repository: new.repository.clone(), number: IssueNumber(0) },
            url: String::new(),
            is_new: true,
        }),
        Step::Apply(Effect::WriteRecord { comment, record, .. }) => {
            Answer::Applied(EffectOutcome::Written(write(facts, *comment, record, now)))
        }
        Step::Apply(Effect::UpdateBoard { .. }) if !facts.log.has_records() => {
            Answer::Applied(EffectOutcome::Board(None))
        }
        Step::Apply(Effect::UpdateBoard { .. }) => {
            let board = facts.log.board().map(|board| board.id);
            let is_new = board.is_none() && !facts.board.is_assumed;
            facts.board.is_assumed = true;
            let comment = board.unwrap_or(CommentId(0));
            Answer::Applied(EffectOutcome::Board(Some(Board { comment, is_new, is_behind: false })))
        }
        Step::Apply(Effect::CreateRef(_)) => Answer::Applied(EffectOutcome::Ref(Creation::New)),
        Step::Apply(Effect::StartWorkflow(start)) => {
            Answer::Applied(EffectOutcome::Started(Some((run_to_be(&start.target, request), String::new()))))
        }
        Step::Apply(Effect::SendEvent(_)) => Answer::Applied(EffectOutcome::Started(None)),
        Step::StartAgain(_) | Step::Refuse { .. } | Step::Pause { .. } | Step::Apply(_) => Answer::Done,
    }
}

/// The commit that was approved last, as if the ref had not moved; zeros without any.
fn commit_to_be(target: &TargetName, facts: &Facts) -> String {
    let decisions = facts.log.decisions().flat_map(|(_, decision)| &decision.commits);
    let of_target = decisions.filter(|commit| commit.target == *target);
    of_target.filter_map(|commit| commit.sha.clone()).last().unwrap_or_else(|| "0".repeat(40))
}

/// The id of a new run: higher than any real one.
fn run_to_be(target: &TargetName, request: &Request) -> RunId {
    let position = request.targets.iter().position(|ready| ready.name() == target).unwrap_or_default();
    RunId(number::MAX / 2 + position as u64)
}

fn write(facts: &mut Facts, comment: Option<CommentId>, record: &Record, now: DateTime<Utc>) -> Comment {
    let next = || CommentId(facts.log.last_id().map_or(1, |id| id.0.saturating_add(1)));
    let author = match &facts.identity {
        Identity::Login(login) => login.clone(),
        Identity::NotAsked | Identity::Unknown => "this step".to_owned(),
    };
    let comment = Comment {
        id: comment.unwrap_or_else(next),
        author: Some(author),
        is_trusted: true,
        body: record.render(),
        created_at: now,
        updated_at: now,
        url: String::new(),
    };
    facts.log.extend([comment.clone()]);
    comment
}

/// The assumed state of a run: after the first look it succeeds, before that it has not begun.
fn look_at(of: &TargetRun, facts: &Facts, now: DateTime<Utc>) -> FollowedRun {
    let target = facts.log.ticket().targets.get(&of.target);
    let before = facts.runs.get(&of.target).or_else(|| target?.followed_run.as_ref());
    let before = before.filter(|run| run.run == of.run);
    if let Some(run) = before.filter(|run| run.has_ended()) {
        return run.clone();
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

/// Reports success for each start whose run GitHub has not named: only such a report can end it.
fn report_silent_starts(facts: &mut Facts, request: &Request, now: DateTime<Utc>) {
    // A job that does not wait does not see the report.
    if request.follow.is_none() {
        return;
    }
    let view = View::new(facts, request, now);
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
            ends_release: true,
            outputs: Outputs::default(),
            at: now,
            seq: 1,
            other: Map::new(),
        };
        let report = Report { by, seq: 1, run_url: String::new(), stages: vec![stage], other: Map::new() };
        write(facts, None, &Record::Report(report), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{Says, Story, dispatch, target};

    fn plan(story: &Story) -> String {
        forecast(story.facts.clone(), &story.request, story.now).to_string().replace("acme/hub", "hub")
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
        let before = format!("{:?}", story.facts);
        insta::assert_snapshot!(plan(&story), @r"
        comment on hub#1: api claimed
        bring the board of hub#1 up to date
        pin the board of hub#1
        start api: release.yml in acme/api at main
        edit comment 3 on hub#1: api started
        bring the board of hub#1 up to date
        ");
        assert_eq!(format!("{:?}", story.facts), before);
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
