//! Waves: which targets are started now, which wait for others, and which are left alone.
//!
//! All of it follows from the ticket's log, so that any hub job, at any time, comes to the same: the
//! next dispatch of the same ticket starts what has become ready, and nothing a second time.

use std::collections::{BTreeMap, BTreeSet};

use super::preflight::Ready;
use crate::inputs::DispatchInputs;
use crate::names::{CommentId, RunId};
use crate::ticket::claim::{self, Counting, Liveness, Standing};
use crate::ticket::{FollowedRun, Log, Start, StartState, Target, TargetStatus, Ticket, Writer, board};

/// What happens to a target next.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    /// It is started, unless another hub job claims it first.
    Start,
    /// It is started when these are released.
    Wait(Vec<String>),
    /// Nothing, and why.
    Leave(String),
}

/// Decides what happens to a target next; `after` is the claim of its failed start, if it is started again.
pub(super) fn next(
    ready: &Ready,
    log: &Log,
    state: &Ticket,
    after: Option<CommentId>,
    liveness: impl Fn(&Writer) -> Liveness,
) -> Next {
    let name = &ready.target.name;
    let status = state.targets.get(name).map(|target| target.status);
    match claim::standing(log, name, Counting { after, before: None }, liveness) {
        Standing::Started(start) => return Next::Leave(left_because(&start, status)),
        // Somebody released it by hand.
        Standing::Free if after.is_none() => {
            if let Some(status) = status.filter(|status| status.is_over()) {
                return Next::Leave(format!("it is {} already", board::word(status)));
            }
        }
        Standing::Free | Standing::Held { .. } | Standing::Uncertain(_) => {}
    }
    let awaited: Vec<String> =
        state.awaited(&ready.target.needs).map(|(needed, _)| needed.to_owned()).collect();
    if awaited.is_empty() { Next::Start } else { Next::Wait(awaited) }
}

/// The targets that are started again because their last run failed, each with the claim that
/// started it.
///
/// With `retry-failed` these are all that failed; a new hub run that names one in `only` means it
/// too. What still runs is not started beside itself.
pub(super) fn again(
    targets: &[Ready],
    log: &Log,
    state: &Ticket,
    inputs: &DispatchInputs,
    hub_run: RunId,
) -> BTreeMap<String, CommentId> {
    let failed = targets.iter().filter_map(|ready| {
        let name = &ready.target.name;
        let target = state.targets.get(name).filter(|target| target.status.is_bad())?;
        let still_runs = target.followed.as_ref().is_some_and(|run| !run.is_over());
        let after = claim::start_of(log, name, target.run.as_ref().map(|run| run.id))?;
        let started_here = log.dispatches().any(|(comment, dispatch)| {
            comment.id == after
                && dispatch.by.run == hub_run
                && dispatch.targets.iter().any(|start| start.target == *name)
        });
        let meant = inputs.retry_failed || inputs.only.is_some() && !started_here;
        (meant && !still_runs).then(|| (name.clone(), after))
    });
    failed.collect()
}

/// Which runs a hub job cannot follow.
#[derive(Debug, Default)]
pub(super) struct OutOfSight {
    /// The targets whose runs are not asked for any more.
    pub(super) unseen: BTreeSet<String>,
    /// Of these the ones that nothing else tells of.
    pub(super) lost: BTreeSet<String>,
}

/// Whether nothing more is to be expected of a target as long as nobody acts.
///
/// What waits for a target outside of `targets` goes on waiting only while that one is at work.
pub(super) fn is_settled(
    name: &str,
    target: &Target,
    state: &Ticket,
    targets: &[Ready],
    out_of_sight: &OutOfSight,
) -> bool {
    match target.status {
        // A run goes on when one of its jobs has failed, and when one has said that it was the last one.
        TargetStatus::Released | TargetStatus::Skipped | TargetStatus::Failed | TargetStatus::Cancelled => {
            let is_followed = target.run.is_some() && !out_of_sight.unseen.contains(name);
            target.followed.as_ref().map_or(!is_followed, FollowedRun::is_over)
        }
        TargetStatus::InProgress | TargetStatus::Queued => false,
        TargetStatus::Waiting => {
            state.held_up_by(&target.needs).is_some()
                || is_stuck(&target.needs, state, targets, &out_of_sight.lost)
        }
    }
}

/// Whether somebody is waited for whose run nobody can see, or who is outside of `targets` and not at work.
fn is_stuck(needs: &[String], state: &Ticket, targets: &[Ready], lost: &BTreeSet<String>) -> bool {
    state.awaited(needs).any(|(needed, status)| {
        let is_ours = targets.iter().any(|ready| ready.target.name == needed);
        let is_at_work = matches!(status, Some(TargetStatus::InProgress | TargetStatus::Queued));
        lost.contains(needed) || !is_ours && !is_at_work
    })
}

/// Why a target that was started is left alone.
fn left_because(start: &Start, status: Option<TargetStatus>) -> String {
    let run = start.run_url.as_deref().or(start.run.is_none().then_some("an event")).unwrap_or("its run");
    match status {
        Some(status) if status.is_over() => format!("it is {} already", board::word(status)),
        Some(status) if status.is_bad() => format!(
            "it was started already and {}; re-run the failed jobs of {run}, or set `retry-failed: true` for a new run",
            board::word(status)
        ),
        _ => format!("it was started already by {run}"),
    }
}

/// In which wave each target is started, from 1: behind the last of those that it needs.
pub(super) fn waves<'t>(targets: &'t [Ready], state: &Ticket) -> BTreeMap<&'t str, usize> {
    let mut known = BTreeMap::new();
    // A chain of n targets is known after n rounds at the latest, as there are no circles.
    for _ in targets {
        for Ready { target, .. } in targets {
            let awaited = state.awaited(&target.needs);
            let behind = awaited.filter_map(|(needed, _)| known.get(needed).copied()).max();
            known.insert(target.name.as_str(), 1 + behind.unwrap_or(0));
        }
    }
    known
}

/// Whether the log does not know yet that a target waits, and for what.
pub(super) fn waiting_entry_is_missing(log: &Log, ready: &Ready) -> bool {
    let Ready { target, .. } = ready;
    let mut entries = log.dispatches().flat_map(|(_, dispatch)| &dispatch.targets);
    !entries.any(|start| {
        start.target == target.name && (start.state != StartState::Waiting || start.needs == target.needs)
    })
}
