//! Claims: what a job wants to start it claims first, and what it does not start it says.

use super::ready::Ready;
use super::request::Retry;
use super::step::Step;
use super::verdict::Verdict;
use super::view::{TARGETS_PER_RECORD, View};
use crate::plan::Effect;
use crate::ticket::claim::{self, Standing};
use crate::ticket::{Reason, Start, StartState, Writer};

/// Whether the other hub jobs that hold claims are still at work.
pub(super) fn ask_about_other_jobs(view: &View<'_>) -> Vec<Step> {
    let before = view.known.own.iter().map(|own| own.comment).max();
    let mut jobs: Vec<&Writer> = claim::claimants(&view.known.log, before).collect();
    jobs.sort();
    jobs.dedup();
    let is_unknown =
        |job: &&Writer| view.settled_liveness(job).is_none() && !view.known.round.jobs.contains_key(*job);
    jobs.into_iter().filter(is_unknown).cloned().map(Step::AskHubRun).collect()
}

/// Settles once, by what the runs have come to, which failed targets are started again.
pub(super) fn start_failed_targets_again(view: &View<'_>) -> Vec<Step> {
    if view.request.retry == Retry::Nothing || view.known.again.is_some() {
        return Vec::new();
    }
    let names = view.request.targets.iter().map(Ready::name);
    let again = names.filter_map(|name| Some((name.clone(), view.failed_start(name)?)));
    vec![Step::StartAgain(again.collect())]
}

/// Says of each target that this job does not start why, once.
pub(super) fn leave_alone(view: &View<'_>) -> Vec<Step> {
    let quiet = |ready: &&Ready| {
        !view.known.left.contains(ready.name()) && !view.known.own.iter().any(|own| own.claims(ready.name()))
    };
    let left = view.request.targets.iter().filter(quiet).filter_map(|ready| match view.verdict(ready) {
        Verdict::Start | Verdict::Hold(Reason::Needs { .. }) => None,
        Verdict::Hold(because) => Some(leave(ready, because)),
    });
    left.collect()
}

/// The step that says why a target is left alone.
pub(super) fn leave(ready: &Ready, because: Reason) -> Step {
    Step::Apply(Effect::Skip { target: ready.name().clone(), because })
}

/// Claims what is ready, and notes what waits and for what.
pub(super) fn claim(view: &View<'_>) -> Vec<Step> {
    let (mut claimed, mut waiting) = (Vec::new(), Vec::new());
    for ready in &view.request.targets {
        match view.verdict(ready) {
            Verdict::Start if may_claim(view, ready) => {
                claimed.push(ready.entry(StartState::Claimed, None, view.now));
            }
            Verdict::Hold(because @ Reason::Needs { .. }) if waiting_entry_is_missing(view, ready) => {
                waiting.push(ready.entry(StartState::Waiting, Some(because), view.now));
            }
            _ => {}
        }
    }
    let entries: Vec<Start> = claimed.into_iter().chain(waiting).collect();
    let records = entries.chunks(TARGETS_PER_RECORD).zip(view.last_seq() + 1..);
    records
        .map(|(chunk, seq)| view.write(None, view.request.record(seq, chunk.to_vec(), Vec::new())))
        .collect()
}

/// Whether this step may claim the target: not twice, as a start that was refused is for the next
/// step; and not while the hub job has it that came before.
fn may_claim(view: &View<'_>, ready: &Ready) -> bool {
    let entries = view.known.own.iter().flat_map(|own| &own.record.targets);
    let mut states = entries.filter(|start| start.target == *ready.name()).map(|start| &start.state);
    match states.rfind(|state| **state != StartState::Waiting) {
        None => true,
        Some(state) if *state == StartState::Yielded => {
            !matches!(view.standing(ready.name(), None), Standing::Held { .. })
        }
        Some(_) => false,
    }
}

/// Whether the log does not know yet that a target waits, and for what.
fn waiting_entry_is_missing(view: &View<'_>, ready: &Ready) -> bool {
    let mut entries = view.known.log.dispatches().flat_map(|(_, dispatch)| &dispatch.targets);
    !entries.any(|start| {
        start.target == *ready.name()
            && (start.state != StartState::Waiting || start.needs == ready.target.needs)
    })
}
