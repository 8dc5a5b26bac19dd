//! The fold: from records, in any order and any number of times, to the state of the release.
//!
//! Newer is decided by (run id, run attempt, sequence number), never by a clock or by the order of
//! arrival. Run ids grow over the whole of GitHub, so a run is newer than the hub's run that
//! started it, and a second start is newer than the first.
//!
//! Within the newest run of a target a later attempt supersedes what an earlier one left failed or
//! unfinished. What an earlier attempt did well still counts: "re-run failed jobs" does not run
//! those jobs again, so nobody reports them a second time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::record::{Dispatch, Notice, Record, Report, StageReport, Start, Writer};
use super::run::{FollowedJob, FollowedRun};
use super::second::SecondStart;
use super::state::{OldStage, Run, Stage, Target, Ticket};
use super::status::{StartState, Status, TargetStatus, Word};
use crate::names::{RepoName, RunId, TargetName};

/// Folds records into the state of the release: commutative, and the same for repeated records.
#[must_use]
pub fn fold<'a>(records: impl IntoIterator<Item = &'a Record>) -> Ticket {
    fold_without(records, Vec::new())
}

/// As [`fold`], without these runs, which were started second.
pub(super) fn fold_without<'a>(
    records: impl IntoIterator<Item = &'a Record>,
    second_starts: Vec<SecondStart>,
) -> Ticket {
    let second: BTreeSet<(&RepoName, RunId)> =
        second_starts.iter().filter_map(|second| Some((&second.repository, second.run?))).collect();
    let counts = |repository: &RepoName, run: RunId| !second.contains(&(repository, run));
    let (mut dispatches, mut reports, mut notices) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        match record {
            Record::Dispatch(dispatch) => dispatches.push(dispatch),
            Record::Report(report) => reports.push(report),
            Record::Notice(notice) => notices.push(notice),
        }
    }
    let mut facts: BTreeMap<&str, Facts<'a>> = BTreeMap::new();
    let mut started_as: BTreeMap<(&RepoName, RunId), &str> = BTreeMap::new();
    for (dispatch, start) in
        dispatches.iter().flat_map(|dispatch| dispatch.targets.iter().map(move |start| (dispatch, start)))
    {
        if start.run.is_some_and(|run| !counts(&start.repository, run)) {
            continue;
        }
        facts.entry(start.target.as_str()).or_default().starts.push((dispatch, start));
        if let Some(run) = start.run {
            let name = started_as.entry((&start.repository, run)).or_insert(start.target.as_str());
            *name = (*name).min(start.target.as_str());
        }
    }
    for (dispatch, followed) in
        dispatches.iter().flat_map(|dispatch| dispatch.followed.iter().map(move |run| (dispatch, run)))
    {
        if !counts(&followed.repository, followed.run) {
            continue;
        }
        facts.entry(followed.target.as_str()).or_default().followed.push((dispatch, followed));
    }
    for report in reports.into_iter().filter(|report| counts(&report.by.repository, report.by.run)) {
        let run = (&report.by.repository, report.by.run);
        let default = started_as.get(&run).copied().unwrap_or(report.by.repository.name());
        for stage in &report.stages {
            facts
                .entry(stage.target.as_ref().map_or(default, TargetName::as_str))
                .or_default()
                .reports
                .push((report, stage));
        }
    }
    let newest = dispatches.iter().max_by_key(|dispatch| order(&dispatch.by, dispatch.seq));
    let mut targets: BTreeMap<TargetName, Target> =
        facts.iter().filter_map(|(name, facts)| Some(((*name).into(), facts.fold()?))).collect();
    let mut notices = open_notices(notices);
    notices.retain(|notice| !targets.values().any(|target| target.is_newer_than(notice)));
    for notice in &notices {
        targets.values_mut().for_each(|target| target.mark_failed_by(notice));
    }
    Ticket {
        driver: newest.and_then(|dispatch| dispatch.driver.clone()),
        release: newest.and_then(|dispatch| dispatch.release.clone()),
        targets,
        notices,
        second_starts,
        unreadable: Vec::new(),
    }
}

/// By what one record's state is newer than another's. The job at the end decides nothing but ties.
fn order(by: &Writer, seq: u64) -> (RunId, u32, u64, &str) {
    (by.run, by.attempt, seq, &by.job)
}

/// Of each fingerprint the newest notice, if it is not one of success.
fn open_notices(notices: Vec<&Notice>) -> Vec<Notice> {
    let mut newest: BTreeMap<&str, &Notice> = BTreeMap::new();
    for notice in notices {
        let known = newest.entry(&notice.fingerprint).or_insert(notice);
        if notice_order(notice) > notice_order(known) {
            *known = notice;
        }
    }
    let mut open: Vec<Notice> =
        newest.into_values().filter(|notice| !notice.status.is_good()).cloned().collect();
    open.sort_by(|a, b| (notice_order(a), &a.fingerprint).cmp(&(notice_order(b), &b.fingerprint)));
    open
}

fn notice_order(notice: &Notice) -> ((RunId, u32, u64, &str), &Word<Status>, &str) {
    (order(&notice.by, notice.seq), &notice.status, &notice.message)
}

/// All that the records say of one target.
#[derive(Default)]
struct Facts<'a> {
    starts: Vec<(&'a Dispatch, &'a Start)>,
    reports: Vec<(&'a Report, &'a StageReport)>,
    followed: Vec<(&'a Dispatch, &'a FollowedRun)>,
}

impl Facts<'_> {
    fn fold(&self) -> Option<Target> {
        let start = self.newest_start();
        let reported = self.reports.iter().map(|(report, _)| report.by.run).max();
        let followed = self.followed.iter().map(|(_, followed)| followed.run).max();
        // A start whose run is not known (yet) is newer than every run before the hub's own run.
        let started = start.map(|(dispatch, start)| start.run.unwrap_or(dispatch.by.run));
        let newest = reported.max(followed).max(started)?;
        let start_is_newest = started == Some(newest);

        let reports: Vec<_> = self.reports.iter().filter(|(report, _)| report.by.run == newest).collect();
        let attempts = reports.iter().map(|(report, _)| report.by.attempt);
        let seen = self.followed.iter().filter(|(_, run)| run.run == newest).map(|(_, run)| run.attempt);
        let attempt = attempts.chain(seen).max().unwrap_or(1);
        let followed = self.followed_attempt(newest, attempt);
        let (stages, older) = self.stages(newest, attempt);

        let heard = !reports.is_empty() || followed.is_some();
        let run_id = if heard { Some(newest) } else { start.and_then(|(_, start)| start.run) };
        let run = run_id.map(|id| {
            let url = reports.iter().map(|(report, _)| report.run_url.clone()).max();
            let url = url.or_else(|| followed.map(|run| run.run_url.clone()));
            let url = url.or_else(|| start.and_then(|(_, start)| start.run_url.clone()));
            let reporter = reports.iter().map(|(report, _)| &report.by.repository).min();
            let repository = reporter.or(followed.map(|run| &run.repository));
            let repository = repository.or(start.map(|(_, start)| &start.repository)).cloned();
            Run { repository: repository.expect("whoever names a run says where"), id, attempt, url }
        });
        let unstarted = start.filter(|_| start_is_newest && !heard).map(|(_, start)| start);
        let (status, stage) = match unstarted.map(|start| &start.state) {
            Some(Word::Known(StartState::Refused | StartState::Unknown)) => (TargetStatus::Failed, None),
            Some(Word::Known(StartState::Cancelled)) => (TargetStatus::Cancelled, None),
            Some(Word::Known(StartState::Waiting)) => {
                match unstarted.and_then(|start| start.because.as_ref()) {
                    Some(Word::Newer(_)) => (TargetStatus::Held, None),
                    _ => (TargetStatus::Waiting, None),
                }
            }
            Some(Word::Newer(_)) => (TargetStatus::Held, None),
            _ => decide(&stages, followed),
        };
        let changes = stages.iter().map(|stage| stage.at).chain(start.map(|(_, start)| start.at));
        let changes = changes.chain(followed.map(|run| run.at));
        let first = self.reports.iter().map(|(report, _)| &report.by.repository);
        let first = first.chain(self.followed.iter().map(|(_, run)| &run.repository)).min();
        Some(Target {
            repository: start.map(|(_, start)| &start.repository).or(first)?.clone(),
            status,
            run,
            stage,
            because: unstarted.and_then(|start| start.because.clone()),
            start: start.map(|(_, start)| start.clone()),
            followed: followed.cloned(),
            needs: start.map(|(_, start)| start.needs.clone()).unwrap_or_default(),
            changed: changes.max()?,
            older,
            stages,
        })
    }

    /// An attempt of a run as those who follow it saw it last: who saw it further counts.
    fn followed_attempt(&self, run: RunId, attempt: u32) -> Option<&FollowedRun> {
        let seen = self.followed.iter().filter(|(_, seen)| seen.run == run && seen.attempt == attempt);
        let furthest = seen.max_by(|(a_by, a), (b_by, b)| {
            let further = a.progress().cmp(&b.progress());
            let newer = order(&a_by.by, a_by.seq).cmp(&order(&b_by.by, b_by.seq));
            further.then(newer).then_with(|| a.words().cmp(&b.words())).then(a.at.cmp(&b.at))
        });
        furthest.map(|(_, run)| *run)
    }

    /// The stages that count, in the order in which they were last reported, and all that is over.
    fn stages(&self, run: RunId, attempt: u32) -> (Vec<Stage>, Vec<OldStage>) {
        let outcomes = outcomes(&self.reports);
        // Keys come in the order of attempts, so the last one of a stage stays.
        let last: BTreeMap<_, _> =
            outcomes.keys().map(|(of_run, of_attempt, name)| ((*of_run, *name), *of_attempt)).collect();
        let (mut stages, mut older) = (Vec::new(), Vec::new());
        for ((of_run, of_attempt, name), (report, stage)) in &outcomes {
            let newest = *of_run == run && last[&(run, *name)] == *of_attempt;
            if newest && (*of_attempt == attempt || stage.status.is_good()) {
                stages.push(Stage::new(report, stage));
            } else {
                older.push(OldStage::new(report, stage));
            }
        }
        let reported = |seen: &FollowedRun| {
            outcomes.keys().any(|(run, attempt, _)| (*run, *attempt) == (seen.run, seen.attempt))
        };
        let past = self.followed.iter().map(|(_, seen)| (seen.run, seen.attempt));
        let past: BTreeSet<_> = past.filter(|seen| *seen != (run, attempt)).collect();
        let past = past.into_iter().filter_map(|(run, attempt)| self.followed_attempt(run, attempt));
        older.extend(past.filter(|seen| !reported(seen)).map(OldStage::of_followed));
        stages.sort_by(|a, b| (a.at, &a.name).cmp(&(b.at, &b.name)));
        older.sort_by(|a, b| b.order().cmp(&a.order()));
        (stages, older)
    }

    /// The start with the newest run; of the same run the newest word on it. What was only claimed,
    /// by a hub job that came second and died, says nothing beside what was started.
    fn newest_start(&self) -> Option<(&Dispatch, &Start)> {
        let is_started = self.starts.iter().any(|(_, start)| start.state == StartState::Started);
        let is_claimed = self.starts.iter().any(|(_, start)| !start.state.is_passive());
        let counts = |state: &Word<StartState>| match state {
            Word::Known(StartState::Yielded | StartState::Superseded) => false,
            Word::Known(StartState::Waiting) => !is_claimed,
            Word::Known(StartState::Claimed | StartState::Cancelled) => !is_started,
            Word::Known(StartState::Started | StartState::Refused | StartState::Unknown) | Word::Newer(_) => {
                true
            }
        };
        let counting = self.starts.iter().filter(|(_, start)| counts(&start.state));
        let newest = counting.max_by_key(|(dispatch, start)| {
            let run = start.run.unwrap_or(dispatch.by.run);
            let because = start.because.as_ref().map(|because| because.clause(ToString::to_string));
            (run, order(&dispatch.by, dispatch.seq), &start.state, because, &start.needs)
        });
        newest.copied()
    }
}

/// A stage of an attempt of a run.
type StageKey<'a> = (RunId, u32, &'a str);

/// What each stage came to in each attempt of each run.
///
/// Of one job only the newest report of a stage says anything; of several jobs that report the same
/// stage the one whose status ranks highest.
fn outcomes<'a>(
    reports: &[(&'a Report, &'a StageReport)],
) -> BTreeMap<StageKey<'a>, (&'a Report, &'a StageReport)> {
    let mut by_job: BTreeMap<(StageKey<'a>, &Writer), (&Report, &StageReport)> = BTreeMap::new();
    for (report, stage) in reports {
        let key = ((report.by.run, report.by.attempt, stage.stage.as_str()), &report.by);
        let known = by_job.entry(key).or_insert((report, stage));
        if (stage.seq, rank(stage)) > (known.1.seq, rank(known.1)) {
            *known = (report, stage);
        }
    }
    let mut outcomes: BTreeMap<StageKey<'a>, (&Report, &StageReport)> = BTreeMap::new();
    for ((key, _), (report, stage)) in by_job {
        let known = outcomes.entry(key).or_insert((report, stage));
        if rank(stage) > rank(known.1) {
            *known = (report, stage);
        }
    }
    outcomes
}

/// A total order over what can be said of a stage.
fn rank(stage: &StageReport) -> (&Word<Status>, bool, DateTime<Utc>, &Option<String>, &Option<String>) {
    (&stage.status, stage.done, stage.at, &stage.message, &stage.url)
}

/// How the target stands, and the stage that decides it.
///
/// What the target reports itself says more than its run, until the run has ended: then the worse of
/// the two counts.
fn decide(stages: &[Stage], followed: Option<&FollowedRun>) -> (TargetStatus, Option<Stage>) {
    let (reported, stage) = decide_by_reports(stages);
    let Some(run) = followed else { return (reported, stage.cloned()) };
    let by_run = run.standing();
    let run_decides = match (reported, by_run) {
        _ if stages.is_empty() => true,
        (TargetStatus::Failed | TargetStatus::Cancelled, _) => false,
        (_, TargetStatus::Failed | TargetStatus::Cancelled) => true,
        (TargetStatus::Held, _) => false,
        (_, TargetStatus::Held) => true,
        (TargetStatus::Released | TargetStatus::Skipped, _) => false,
        (_, TargetStatus::Released | TargetStatus::Skipped) => true,
        (TargetStatus::Queued, TargetStatus::InProgress) => true,
        _ => false,
    };
    match (run_decides, stage) {
        (false, stage) => (reported, stage.cloned()),
        // A good end is best told by the stage that brought it about.
        (true, Some(stage)) if by_run == TargetStatus::Released => (by_run, Some(stage.clone())),
        // A run of which there is nothing to say has no stage.
        (true, _) if run.job.is_none() && run.remark().is_none() && !by_run.is_bad() => (by_run, None),
        (true, _) => (by_run, Some(Stage::of_followed(run))),
    }
}

fn decide_by_reports(stages: &[Stage]) -> (TargetStatus, Option<&Stage>) {
    let newest = |fits: &dyn Fn(&&Stage) -> bool| stages.iter().rfind(fits);
    if let Some(stage) = newest(&|stage| stage.status == Status::Failure) {
        (TargetStatus::Failed, Some(stage))
    } else if let Some(stage) = newest(&|stage| stage.status == Status::Cancelled) {
        (TargetStatus::Cancelled, Some(stage))
    } else if let Some(stage) = newest(&|stage| stage.status.is_newer()) {
        (TargetStatus::Held, Some(stage))
    } else if let Some(stage) = newest(&|stage| stage.done && stage.status == Status::Success) {
        (TargetStatus::Released, Some(stage))
    } else if let Some(stage) = newest(&|stage| stage.done && stage.status == Status::Skipped) {
        (TargetStatus::Skipped, Some(stage))
    } else if let Some(stage) = newest(&|stage| stage.status == Status::InProgress) {
        (TargetStatus::InProgress, Some(stage))
    } else if let Some(stage) = newest(&|stage| stage.status.is_good()) {
        (TargetStatus::InProgress, Some(stage))
    } else {
        (TargetStatus::Queued, stages.last())
    }
}

impl Stage {
    fn new(report: &Report, stage: &StageReport) -> Self {
        Self {
            name: stage.stage.clone(),
            status: stage.status.clone(),
            attempt: report.by.attempt,
            message: stage.message.clone(),
            url: stage.url.clone(),
            done: stage.done,
            at: stage.at,
        }
    }

    /// The job of a followed run that tells most; the run itself where no job is known.
    fn of_followed(run: &FollowedRun) -> Self {
        let job = run.job.as_ref();
        Self {
            name: job.map_or_else(|| "run".to_owned(), |job| job.name.clone()),
            status: job
                .filter(|_| !run.has_ended())
                .map_or_else(|| run.stage_status(), FollowedJob::standing),
            attempt: run.attempt,
            message: run.remark(),
            url: job.and_then(|job| job.url.clone()),
            done: false,
            at: run.at,
        }
    }
}

impl OldStage {
    fn new(report: &Report, stage: &StageReport) -> Self {
        Self { run: report.by.run, run_url: report.run_url.clone(), stage: Stage::new(report, stage) }
    }

    fn of_followed(run: &FollowedRun) -> Self {
        Self { run: run.run, run_url: run.run_url.clone(), stage: Stage::of_followed(run) }
    }

    fn order(&self) -> (RunId, u32, DateTime<Utc>, &str) {
        (self.run, self.stage.attempt, self.stage.at, &self.stage.name)
    }
}

impl Target {
    /// Whether the target has gone on, in a later attempt or run, since the failure that was notified.
    fn is_newer_than(&self, notice: &Notice) -> bool {
        let newer = |run: &Run| (run.id, run.attempt) > (notice.by.run, notice.by.attempt);
        self.repository == notice.by.repository && self.run.as_ref().is_some_and(newer)
    }

    /// A notified failure of the target's newest attempt is the target's failure, even if no stage said so.
    fn mark_failed_by(&mut self, notice: &Notice) {
        let Some(run) = &self.run else { return };
        if run.id == notice.by.run
            && run.attempt <= notice.by.attempt
            && self.repository == notice.by.repository
        {
            if self.status != TargetStatus::Failed {
                self.status = if notice.status == Status::Cancelled {
                    TargetStatus::Cancelled
                } else {
                    TargetStatus::Failed
                };
            }
            self.changed = self.changed.max(notice.at);
        }
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
