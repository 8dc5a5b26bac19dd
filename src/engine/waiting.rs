//! Waiting: following the runs until nothing more is to be expected, or the time is over.

use std::time::Duration;

use super::following::{runs, started_runs};
use super::known::later;
use super::ready::Ready;
use super::step::{Pause, Step};
use super::view::View;
use crate::names::TargetName;
use crate::plan::Effect;
use crate::ticket::{FollowedRun, Target, TargetStatus};

/// So many runs are looked at in a second at the most: GitHub allows
/// [900 points a minute](https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits),
/// and a look may take two.
const LOOKS_PER_SECOND: u64 = 5;

/// Pauses while something is to be expected, and the time is not over.
pub(super) fn wait(view: &View<'_>) -> Vec<Step> {
    let (Some(follow), Some(deadline)) = (view.request.follow, view.known.deadline(view.request)) else {
        return Vec::new();
    };
    let open = open_targets(view);
    if open.is_empty() || view.now >= deadline {
        return Vec::new();
    }
    let longest_round = Duration::from_secs(runs(view).len() as u64 / LOOKS_PER_SECOND);
    let until = later(view.now, follow.interval.max(longest_round)).min(deadline);
    vec![Step::Pause { until, reason: Pause::Runs(open) }]
}

/// Out of time, or cancelled: cancels the runs that this job started, if that is wanted.
pub(super) fn cancel_runs(view: &View<'_>) -> Vec<Step> {
    let is_out_of_time = || view.known.deadline(view.request).is_some_and(|deadline| view.now >= deadline);
    let ends_early = view.request.wind_up || is_out_of_time() && !open_targets(view).is_empty();
    if !view.request.cancel_runs || !ends_early {
        return Vec::new();
    }
    let open = started_runs(view).into_iter().filter(|of| !view.known.cancelled.contains(&of.run));
    open.map(|of| {
        Step::Apply(Effect::CancelRun { target: of.target, repository: of.repository, run: of.run })
    })
    .collect()
}

/// The targets of which something is still to be expected.
pub(super) fn open_targets(view: &View<'_>) -> Vec<TargetName> {
    let is_open = |ready: &&Ready| {
        let name = ready.name();
        let target = view.ticket.targets.get(name);
        let goes_on = target.is_some_and(|target| !is_settled(view, name, target));
        let is_due = view.again(name).is_some() && view.ticket.awaited(&ready.target.needs).next().is_none();
        !is_lost(view, name) && (goes_on || is_due && view.own_claim(name).is_none())
    };
    view.request.targets.iter().filter(is_open).map(|ready| ready.name().clone()).collect()
}

/// Whether nothing more is to be expected of a target as long as nobody acts.
///
/// What waits for a target that this job does not release goes on waiting only while that one is at work.
pub(super) fn is_settled(view: &View<'_>, name: &TargetName, target: &Target) -> bool {
    match target.status {
        // A run goes on when one of its jobs has failed, and when one has said that it was the last one.
        TargetStatus::Released
        | TargetStatus::Skipped
        | TargetStatus::Failed
        | TargetStatus::Cancelled
        | TargetStatus::Held => {
            let is_unseen = view.known.sight.get(name).is_some_and(|sight| sight.is_unseen);
            let is_followed = target.run.is_some() && !is_unseen;
            target.followed.as_ref().map_or(!is_followed, FollowedRun::has_ended)
        }
        TargetStatus::InProgress | TargetStatus::Queued => false,
        TargetStatus::Waiting => {
            view.ticket.held_up_by(&target.needs).is_some() || is_stuck(view, &target.needs)
        }
    }
}

/// Whether one of `needs` has a run that nobody can see, or is not this job's to release and not at work.
fn is_stuck(view: &View<'_>, needs: &[TargetName]) -> bool {
    view.ticket.awaited(needs).any(|(needed, status)| {
        let is_ours = view.request.targets.iter().any(|ready| ready.name() == needed);
        let is_at_work = matches!(status, Some(TargetStatus::InProgress | TargetStatus::Queued));
        is_lost(view, needed) || !is_ours && !is_at_work || status == Some(TargetStatus::Held)
    })
}

fn is_lost(view: &View<'_>, name: &TargetName) -> bool {
    view.known.sight.get(name).is_some_and(|sight| sight.is_lost)
}
