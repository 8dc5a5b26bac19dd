//! Waiting: following the runs until no target changes any more, or until the timeout.

use std::time::Duration;

use super::facts::later;
use super::following::{runs, started_runs, unrecorded_targets};
use super::ready::ReadyTarget;
use super::step::{Pause, Step};
use super::verdict::Verdict;
use super::view::View;
use crate::names::TargetName;
use crate::plan::Effect;
use crate::ticket::{FollowedRun, Reason, Target, TargetStatus};

/// The highest number of looks at runs in a second. GitHub allows [900 points a
/// minute](https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits),
/// and a look may take two, or three of a run that begins to wait for a review.
const LOOKS_PER_SECOND: u64 = 5;

/// Pauses while a target may still change, until the timeout.
pub(super) fn wait(view: &View<'_>) -> Vec<Step> {
    let (Some(follow), Some(deadline)) = (view.request.follow, view.facts.deadline(view.request, view.now))
    else {
        return Vec::new();
    };
    let mut open = open_targets(view);
    open.extend(unrecorded_targets(view).into_iter().filter(|name| !open.contains(name)).collect::<Vec<_>>());
    if open.is_empty() || view.now >= deadline {
        return Vec::new();
    }
    let longest_round = Duration::from_secs(runs(view).len() as u64 / LOOKS_PER_SECOND);
    let until = later(view.now, follow.interval.max(longest_round)).min(deadline);
    vec![Step::Pause { until, reason: Pause::Runs(open) }]
}

/// Cancels the runs that this job started, after the timeout or the cancellation of the job, if the request says so.
pub(super) fn cancel_runs(view: &View<'_>) -> Vec<Step> {
    let is_out_of_time =
        || view.facts.deadline(view.request, view.now).is_some_and(|deadline| view.now >= deadline);
    let ends_early = view.request.wind_up || is_out_of_time() && !open_targets(view).is_empty();
    if !view.request.cancel_runs || !ends_early {
        return Vec::new();
    }
    let open = started_runs(view).into_iter().filter(|of| !view.facts.cancelled_runs.contains(&of.run));
    open.map(|of| {
        Step::Apply(Effect::CancelRun { target: of.target, repository: of.repository, run: of.run })
    })
    .collect()
}

/// The targets that may still change in this job.
pub(super) fn open_targets(view: &View<'_>) -> Vec<TargetName> {
    let is_open = |ready: &&ReadyTarget| {
        let name = ready.name();
        let target = view.ticket.targets.get(name);
        let is_held = is_held(view, ready);
        let waits = target.is_some_and(|target| target.status == TargetStatus::Waiting);
        let goes_on = target.is_some_and(|target| !is_settled(view, name, target)) && !(is_held && waits);
        let is_due = !is_held
            && view.veto(ready).is_none()
            && view.retried_claim(name).is_some()
            && view.ticket.unreleased_needs(&ready.target.needs).next().is_none();
        !is_lost(view, name) && (goes_on || is_due && view.own_claim(name).is_none())
    };
    view.request.targets.iter().filter(is_open).map(|ready| ready.name().clone()).collect()
}

/// Whether a target stays as it is until somebody acts.
///
/// A target that waits for one that this job does not release is not settled while that one is at work.
pub(super) fn is_settled(view: &View<'_>, name: &TargetName, target: &Target) -> bool {
    match target.status {
        // A run goes on after one of its jobs has failed, and after a job that reports the end of the release.
        TargetStatus::Released
        | TargetStatus::Skipped
        | TargetStatus::Failed
        | TargetStatus::Cancelled
        | TargetStatus::Held => {
            let is_unseen = view.facts.sight.get(name).is_some_and(|sight| sight.is_hidden);
            let is_followed = target.run.is_some() && !is_unseen;
            target.followed_run.as_ref().map_or(!is_followed, FollowedRun::has_ended)
        }
        TargetStatus::OnHold => true,
        TargetStatus::Verifying => is_given_up(view, name),
        TargetStatus::Review | TargetStatus::InProgress | TargetStatus::Queued => false,
        TargetStatus::Waiting => {
            view.ticket.blocker(&target.needs).is_some()
                || is_vetoed(view, name)
                || is_stuck(view, &target.needs)
        }
    }
}

/// Whether one of `needs` has a run that this job cannot see, is held, or is neither released by this job nor at work;
/// or waits for such a target.
fn is_stuck(view: &View<'_>, needs: &[TargetName]) -> bool {
    view.ticket.unreleased_needs(needs).any(|(need, status)| {
        let ours = view.request.targets.iter().find(|ready| ready.name() == need);
        let is_followed = || view.ticket.targets.get(need).is_some_and(|target| target.follower.is_some());
        let is_verified = status == Some(TargetStatus::Verifying) && is_followed();
        let is_at_work = status.is_some_and(TargetStatus::is_under_way) || is_verified;
        let is_stuck = match (ours, status) {
            (_, Some(TargetStatus::Held)) => true,
            (None, _) => !is_at_work,
            (Some(ready), None | Some(TargetStatus::Waiting | TargetStatus::OnHold)) => {
                is_held(view, ready) || view.veto(ready).is_some() || is_stuck(view, &ready.target.needs)
            }
            (Some(_), Some(_)) => false,
        };
        is_stuck || is_lost(view, need) || is_given_up(view, need)
    })
}

/// Whether a skip, a hold, a gate or a freeze prevents a target's start.
fn is_vetoed(view: &View<'_>, name: &TargetName) -> bool {
    let ready = view.request.targets.iter().find(|ready| ready.name() == name);
    ready.is_some_and(|ready| view.veto(ready).is_some())
}

/// Whether a target waits only for people, or for the end of a freeze: its run for a review, or its start for a
/// decision.
pub(super) fn is_left_to_people(view: &View<'_>, name: &TargetName) -> bool {
    let target = view.ticket.targets.get(name);
    match target.map_or(TargetStatus::Waiting, |target| target.status) {
        TargetStatus::Review => {
            let mut reviews =
                target.into_iter().flat_map(|target| &target.followed_run).flat_map(|run| &run.reviews);
            reviews.any(|review| !review.reviewers.is_empty())
        }
        TargetStatus::Waiting | TargetStatus::OnHold => {
            let Some(ready) = view.request.targets.iter().find(|ready| ready.name() == name) else {
                return false;
            };
            let mut needs = view.ticket.unreleased_needs(&ready.target.needs).peekable();
            let is_vetoed = view.veto(ready).is_some();
            (is_vetoed || needs.peek().is_some()) && needs.all(|(need, _)| is_left_to_people(view, need))
        }
        _ => false,
    }
}

/// Whether a record that only a newer release can read prevents the target's start.
fn is_held(view: &View<'_>, ready: &ReadyTarget) -> bool {
    matches!(view.verdict(ready), Verdict::Wait(Reason::Unreadable { .. }))
}

/// Whether this job has stopped verifying a target, because GitHub did not answer.
fn is_given_up(view: &View<'_>, name: &TargetName) -> bool {
    view.facts.verifications.get(name).is_some_and(|progress| progress.is_given_up)
}

fn is_lost(view: &View<'_>, name: &TargetName) -> bool {
    view.facts.sight.get(name).is_some_and(|sight| sight.is_lost)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;

    use crate::engine::testing::{Says, Story, dispatch, target};
    use crate::ticket::StartState;

    fn web_and_docs() -> Story {
        Story::of([target("docs").needing(["web"]), target("web")]).following()
    }

    #[test]
    fn a_target_starts_when_all_that_it_needs_is_released() {
        let mut story = web_and_docs().when("look at web", [Says::GoesOn]);
        story.run_until("pause: runs of docs, web");
        assert_eq!(
            story.run(),
            [
                "pause: runs of docs, web",
                "read",
                "look at web",
                "edit comment 1: web started; docs waiting; web released",
                "comment: docs claimed",
                "read | board",
                "start docs",
                "edit comment 2: docs started",
                "look at docs",
                "edit comment 2: docs started; docs released",
                "board",
            ]
        );
        assert!(story.problems().is_empty());
    }

    #[test]
    fn a_job_does_not_wait_for_a_target_that_needs_a_failed_one() {
        let mut story = web_and_docs().when("look at web", [Says::Failed]);
        let lines = story.run();
        assert!(!lines.iter().any(|line| line.starts_with("pause")), "{lines:#?}");
        assert_eq!(
            story.problems(),
            ["docs was not started: it waits for web (failed)", "web failed at run"]
        );
    }

    #[test]
    fn a_job_does_not_wait_for_a_target_that_nobody_starts() {
        let mut story = Story::of([target("docs").needing(["web"])]).following();
        let lines = story.run();
        assert!(!lines.iter().any(|line| line.starts_with("pause")), "{lines:#?}");
        assert_eq!(story.problems(), ["docs was not started: it waits for web (not started)"]);
    }

    #[test]
    fn a_target_waits_for_a_run_that_another_job_has_started() {
        let mut story = Story::of([target("docs").needing(["web"])]).following();
        story = story.after(dispatch(50, [("web", StartState::Started)])).when("look at web", [Says::GoesOn]);
        let lines = story.run();
        assert!(lines.contains(&"pause: runs of docs".to_owned()), "{lines:#?}");
        assert!(lines.contains(&"start docs".to_owned()), "{lines:#?}");
    }

    #[test]
    fn the_late_targets_are_named_at_the_timeout() {
        let mut story =
            Story::of([target("web"), target("api")]).following().always("look at web", Says::GoesOn);
        let began = story.now;
        let lines = story.run();
        assert_eq!(story.now - began, TimeDelta::hours(1));
        assert!(!lines.iter().any(|line| line.starts_with("cancel")), "{lines:#?}");
        assert_eq!(story.problems(), ["web has not ended within 1h"]);
    }

    #[test]
    fn late_runs_are_cancelled_and_looked_at_once_more_if_the_request_says_so() {
        let mut story =
            Story::of([target("web"), target("api")]).following().always("look at web", Says::GoesOn);
        story.request.cancel_runs = true;
        story.run_until("cancel web, run 101 of acme/web");
        assert_eq!(
            story.run(),
            [
                "cancel web, run 101 of acme/web",
                "look at web",
                "edit comment 1: web and api started; api released; web in progress",
                "board",
            ]
        );
        assert_eq!(story.problems(), ["web has not ended within 1h"]);
    }

    #[test]
    fn a_target_that_ended_by_its_cancellation_is_late_all_the_same() {
        let mut story = Story::of([target("web")]).following().always("look at web", Says::GoesOn);
        story.request.cancel_runs = true;
        story.run_until("cancel web, run 101 of acme/web");
        let mut story = story.when("look at web", [Says::Failed]);
        story.run();
        assert_eq!(story.problems(), ["web has not ended within 1h", "web failed at run"]);
    }

    #[test]
    fn a_pause_is_as_long_as_the_limit_of_requests_demands_and_no_longer_than_the_deadline() {
        let pause = |targets: usize, interval: u64, timeout: u64| {
            let names: Vec<String> = (0..targets).map(|number| format!("t{number}")).collect();
            let mut story = Story::of_many(names.iter().map(|name| target(name)).collect()).following();
            let follow = story.request.follow.as_mut().expect("it follows");
            (follow.interval, follow.timeout) = (Duration::from_secs(interval), Duration::from_secs(timeout));
            for name in &names {
                story = story.when(&format!("look at {name}"), [Says::GoesOn]);
            }
            let began = story.now;
            story.run();
            (story.now - began).num_seconds()
        };
        assert_eq!(pause(1, 5, 600), 5);
        assert_eq!(pause(50, 5, 600), 10);
        assert_eq!(pause(50, 5, 7), 7);
    }
}
