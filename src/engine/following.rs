//! The ticket and the runs as they stand now: read, looked at, and recorded where they have changed.

use std::collections::BTreeSet;

use super::known::{Known, TicketIs};
use super::step::{RunOf, Step};
use super::view::{TARGETS_PER_RECORD, View};
use crate::names::{RunId, TargetName};
use crate::ticket::{FollowedRun, StartState};

pub(super) fn read_the_log(view: &View<'_>) -> Vec<Step> {
    let is_open = matches!(view.known.ticket, TicketIs::Open { .. });
    if is_open && !view.known.round.is_read { vec![Step::ReadLog] } else { Vec::new() }
}

/// Looks at the runs that were not looked at since the last pause; where nobody follows them, only before
/// anything is claimed, and only if they decide something.
pub(super) fn look_at_runs(view: &View<'_>) -> Vec<Step> {
    let follows = view.request.follow.is_some();
    if !view.request.runs_decide() || !follows && !view.known.own.is_empty() {
        return Vec::new();
    }
    let is_new = |of: &RunOf| !view.known.round.runs.contains(&(of.target.clone(), of.run));
    runs(view).into_iter().filter(is_new).map(Step::LookAtRun).collect()
}

/// The runs of the targets and of all that they need, as far as they are known and can be seen.
pub(super) fn runs(view: &View<'_>) -> Vec<RunOf> {
    let targets = || view.request.targets.iter().map(|ready| &ready.target);
    let mut names: Vec<&TargetName> = targets().map(|target| &target.name).collect();
    names.extend(targets().flat_map(|target| &target.needs));
    let (mut passed, mut runs) = (BTreeSet::new(), Vec::new());
    while let Some(name) = names.pop() {
        let Some(target) = view.ticket.targets.get(name).filter(|_| passed.insert(name)) else { continue };
        names.extend(&target.needs);
        let is_unseen = view.known.sight.get(name).is_some_and(|sight| sight.is_unseen);
        if let Some(run) = target.run.as_ref().filter(|_| !is_unseen) {
            let repository = run.repository.clone();
            runs.push(RunOf { target: name.clone(), repository, run: run.id });
        }
    }
    runs
}

/// Puts what the runs do into this job's records: where it claimed the target, else into one that only
/// follows.
pub(super) fn record_runs(view: &View<'_>) -> Vec<Step> {
    if view.known.round.recording_failed {
        return Vec::new();
    }
    let mut news: Vec<FollowedRun> =
        view.known.runs.values().filter(|run| is_news(view, run)).cloned().collect();
    if news.is_empty() {
        return Vec::new();
    }
    let (mut steps, mut seq) = (Vec::new(), view.last_seq());
    for own in &view.known.own {
        let record = &own.record;
        let started = record.targets.iter().filter(|start| start.state == StartState::Started);
        let names = started.map(|start| &start.target).chain(record.followed.iter().map(|run| &run.target));
        let names: BTreeSet<&TargetName> = names.collect();
        let runs: Vec<FollowedRun> = news.extract_if(.., |run| names.contains(&run.target)).collect();
        if runs.is_empty() {
            continue;
        }
        let attempt = |run: &FollowedRun| (run.target.clone(), run.run, run.attempt);
        let mut record = record.clone();
        record.followed.retain(|old| !runs.iter().any(|new| attempt(old) == attempt(new)));
        record.followed.extend(runs);
        seq += 1;
        record.seq = seq;
        steps.push(view.write(Some(own.comment), record));
    }
    for chunk in news.chunks(TARGETS_PER_RECORD) {
        seq += 1;
        steps.push(view.write(None, view.request.record(seq, Vec::new(), chunk.to_vec())));
    }
    steps
}

/// Whether what was seen of a run says more than the ticket does.
fn is_news(view: &View<'_>, run: &FollowedRun) -> bool {
    let target = view.ticket.targets.get(&run.target);
    // A dispatch that does not wait says only what decides something: each word is a comment.
    let decides = run.has_ended() || target.is_some_and(|target| target.status.is_bad());
    if view.request.follow.is_none() && !decides {
        return false;
    }
    let known = target.and_then(|target| target.followed.as_ref());
    // Where another hub job has seen more of it, it is enough to have said so once.
    let recorded = view.known.own.iter().flat_map(|own| &own.record.followed);
    let recorded = recorded.filter(|known| known.target == run.target);
    !known.into_iter().chain(recorded).any(|known| is_same(known, run))
}

/// Whether a run stands as it did, whenever that was.
fn is_same(known: &FollowedRun, run: &FollowedRun) -> bool {
    let known = FollowedRun { at: run.at, other: run.other.clone(), ..known.clone() };
    known == *run
}

/// The runs that this hub run's job started and that have not ended, as far as that is known.
pub(super) fn started_runs(view: &View<'_>) -> Vec<RunOf> {
    let by = &view.request.by;
    let is_ours = |writer: &crate::ticket::Writer| {
        writer.repository == by.repository && writer.run == by.run && writer.job == by.job
    };
    let ours = view.known.log.dispatches().filter(|(_, dispatch)| is_ours(&dispatch.by));
    let started = ours.flat_map(|(_, dispatch)| &dispatch.targets).filter_map(|start| {
        let run = start.run?;
        (!has_ended(view.known, &start.target, run)).then(|| RunOf {
            target: start.target.clone(),
            repository: start.repository.clone(),
            run,
        })
    });
    started.collect()
}

fn has_ended(known: &Known, target: &TargetName, run: RunId) -> bool {
    let target = known.log.ticket().targets.get(target);
    let followed = target.and_then(|target| target.followed.as_ref());
    followed.is_some_and(|followed| followed.run == run && followed.has_ended())
}
