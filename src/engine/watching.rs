//! The watch: this job's records say that it follows the runs, which targets are stuck, and which runs it has
//! cancelled, so that the ticket shows it.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::step::Step;
use super::view::{TARGETS_PER_RECORD, View};
use super::waiting::open_targets;
use crate::names::{CommentId, TargetName};
use crate::plan::Effect;
use crate::ticket::claim::Liveness;
use crate::ticket::followers::reports_of;
use crate::ticket::{
    Dispatch, FollowedRun, Record, Report, Start, StartState, Stuck, Target, TargetStatus, Watch, Writer,
};

/// The room for the names in `left_out` of a record, in bytes, so that the record fits a comment.
const LEFT_OUT_LIMIT: usize = 12_000;

impl View<'_> {
    /// This job's next record. The driver of the ticket stays, unless the step was given another one.
    pub(super) fn record(&self, seq: u64, targets: Vec<Start>, followed_runs: Vec<FollowedRun>) -> Dispatch {
        let record = self.request.record(seq, targets, followed_runs);
        let of_ticket = self.ticket.driver.clone().filter(|_| !self.request.is_new_driver);
        let left_out = names_left_out(self, &record.targets);
        let rules = self.unrecorded_rules();
        self.with_memory(Dispatch { driver: of_ticket.or(record.driver), left_out, rules, ..record })
    }

    /// The step that writes one of this job's records.
    pub(super) fn write(&self, comment: Option<CommentId>, record: Dispatch) -> Step {
        let record = Dispatch { watch: watch(self, &record.targets), ..record };
        let (issue, record) = (self.issue.clone(), Box::new(Record::Dispatch(record)));
        Step::Apply(Effect::WriteRecord { issue, comment, record })
    }
}

/// Records the watch of this job, if its newest record has another one.
pub(super) fn record_the_watch(view: &View<'_>) -> Vec<Step> {
    if view.facts.round.has_failed_to_record {
        return Vec::new();
    }
    let seq = view.last_seq() + 1;
    let Some(own) = view.facts.own_records.iter().max_by_key(|own| own.record.seq) else {
        let watch = watch(view, &[]);
        if watch.is_blank() {
            return Vec::new();
        }
        // This job has no record, so the ticket does not show yet that it follows the runs.
        let open = open_targets(view);
        let is_open = |run: &&FollowedRun| open.contains(&run.target);
        let runs = view.facts.runs.values().filter(is_open).take(TARGETS_PER_RECORD).cloned().collect();
        return vec![view.write(None, view.record(seq, Vec::new(), runs))];
    };
    let untied_runs = unrecorded_runs(view);
    if own.record.watch == watch(view, &own.record.targets) && untied_runs.is_empty() {
        return Vec::new();
    }
    let followed_runs = own.record.followed_runs.iter().cloned().chain(untied_runs).collect();
    vec![view.write(Some(own.comment), Dispatch { seq, followed_runs, ..own.record.clone() })]
}

/// The runs that this job follows, and that none of its records has: another job has recorded their state.
fn unrecorded_runs(view: &View<'_>) -> Vec<FollowedRun> {
    if view.request.follow.is_none() || view.request.wind_up {
        return Vec::new();
    }
    let tied_targets = view.facts.own_records.iter().flat_map(|own| {
        names(&own.record.targets).chain(own.record.followed_runs.iter().map(|run| &run.target))
    });
    let tied_targets: BTreeSet<&TargetName> = tied_targets.collect();
    let open = open_targets(view);
    let is_untied = |run: &&FollowedRun| open.contains(&run.target) && !tied_targets.contains(&run.target);
    view.facts.runs.values().filter(is_untied).take(TARGETS_PER_RECORD).cloned().collect()
}

/// The other hub jobs that are asked about, once, because their records say that they follow the runs.
pub(super) fn other_jobs<'v>(view: &'v View<'_>) -> impl Iterator<Item = &'v Writer> {
    let is_first_round = view.facts.waits_since.is_none();
    following_jobs(view).filter(move |_| is_first_round)
}

/// The other hub jobs whose records say that they follow the runs: one that was killed cannot take that back.
fn following_jobs<'v>(view: &'v View<'_>) -> impl Iterator<Item = &'v Writer> {
    let following = view.claims().own().filter(|(_, claim)| claim.watch.follows);
    following.map(|(_, claim)| &claim.by).filter(|by| **by != view.request.by)
}

/// The watch of this job; `entries` are the starts that are recorded with it.
fn watch(view: &View<'_>, entries: &[Start]) -> Watch {
    let is_new = |start: &&Start| {
        start.state == StartState::Claimed
            || start.state == StartState::Waiting && !view.ticket.targets.contains_key(&start.target)
    };
    let is_in_time =
        || view.facts.deadline(view.request, view.now).is_some_and(|deadline| view.now < deadline);
    let follows = !view.request.wind_up
        && is_in_time()
        && (entries.iter().any(|start| is_new(&start)) || !open_targets(view).is_empty());
    let cancelled_runs = view.facts.cancelled_runs.iter();
    let has_ended = |by: &&Writer| view.liveness(by) == Liveness::Ended;
    let ended_jobs: BTreeSet<&Writer> = following_jobs(view).filter(has_ended).collect();
    let ended_jobs = ended_jobs.into_iter().cloned().collect();
    Watch { follows, stuck: stuck(view), cancelled_runs: cancelled_runs.copied().collect(), ended_jobs }
}

/// The names of the list that no record of this hub has yet: a claim on other targets leaves them out.
fn names_left_out(view: &View<'_>, entries: &[Start]) -> Vec<TargetName> {
    let claims = view.claims();
    let own = claims.own().flat_map(|(_, claim)| names(&claim.targets).chain(&claim.left_out));
    let names_on_ticket: BTreeSet<&TargetName> = own.chain(names(entries)).collect();
    let mut room = LEFT_OUT_LIMIT;
    let missing_names = view.request.target_names.iter().filter(|name| !names_on_ticket.contains(name));
    let fitting_names = missing_names.take_while(|name| {
        room = room.saturating_sub(name.as_str().len());
        room > 0
    });
    fitting_names.cloned().collect()
}

fn names(entries: &[Start]) -> impl Iterator<Item = &TargetName> {
    entries.iter().map(|start| &start.target)
}

/// The started targets that have not changed for longer than their `stale-after`.
fn stuck(view: &View<'_>) -> Vec<Stuck> {
    let stuck = view.request.targets.iter().filter_map(|ready| {
        let stale_after = TimeDelta::from_std(ready.target.stale_after?).ok()?;
        let target = view.ticket.targets.get(ready.name()).filter(|target| is_at_work(target))?;
        let run = target.run.as_ref().map(|run| (run.id, run.attempt));
        let since = changed_at(view, ready.name(), target)?;
        let reports = reports_of(target.run.as_ref(), view.facts.log.reports().map(|(_, report)| report));
        (view.now - since >= stale_after).then(|| Stuck {
            target: ready.name().clone(),
            run: run.map(|(run, _)| run),
            attempt: run.map_or(1, |(_, attempt)| attempt),
            since,
            reports,
        })
    });
    stuck.take(TARGETS_PER_RECORD).collect()
}

/// Whether a target was started and should change by itself: its run waits neither for another run nor for a person.
fn is_at_work(target: &Target) -> bool {
    let is_started =
        target.run.is_some() || target.start.as_ref().is_some_and(|start| start.state == StartState::Started);
    let is_held_up = target
        .followed_run
        .as_ref()
        .is_some_and(|run| !run.has_ended() && matches!(run.status.as_str(), "pending" | "waiting"));
    is_started && !is_held_up && matches!(target.status, TargetStatus::InProgress | TargetStatus::Queued)
}

/// The last change of a target: of its run, jobs and reports by GitHub's clock, of its start by this hub's.
fn changed_at(view: &View<'_>, name: &TargetName, target: &Target) -> Option<DateTime<Utc>> {
    let by_run = view.facts.changes.get(name).copied();
    let is_of_run = |report: &Report| {
        let run = target.run.as_ref();
        run.is_some_and(|run| run.id == report.by.run)
    };
    let reports = view.facts.log.reports().filter(|(_, report)| is_of_run(report));
    let by_reports = reports.map(|(comment, _)| comment.updated_at).max();
    let by_start = target.start.as_ref().map(|start| start.at);
    by_run.into_iter().chain(by_reports).chain(by_start).max()
}
