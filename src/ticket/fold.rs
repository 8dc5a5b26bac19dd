//! The fold: from records, in any order and any number of times, to the state of the release.
//!
//! Newer is decided by (run id, run attempt, sequence number), never by a clock or by the order of
//! arrival. Run ids grow over the whole of GitHub, so a run is newer than the hub's run that
//! started it, and a second start is newer than the first.
//!
//! Within the newest run of a target a later attempt supersedes what an earlier one left failed or
//! unfinished. What an earlier attempt did well still counts: "re-run failed jobs" does not run
//! those jobs again, so nobody reports them a second time.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::basis::Basis;
use super::decision::Decision;
use super::decisions::in_order;
use super::followers::{Followers, reports_of};
use super::gate::Rules;
use super::outputs::{Outputs, bounded};
use super::reason::Reason;
use super::record::{Dispatch, Notice, Record, Report, StageReport, Start, by_text};
use super::run::{FollowedJob, FollowedRun};
use super::second::SecondStart;
use super::state::{Commits, HubRun, OldStage, Run, Stage, Target, Ticket};
use super::status::{StartState, Status, TargetStatus, Word};
use super::verification::Verification;
use super::writer::Writer;
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
    let (mut claims, mut reports, mut notices) = (Vec::new(), Vec::new(), Vec::new());
    let mut decisions = Vec::new();
    for record in records {
        match record {
            Record::Dispatch(dispatch) => claims.push(dispatch),
            Record::Report(report) => reports.push(report),
            Record::Notice(notice) => notices.push(notice),
            Record::Decision(decision) => decisions.push(decision),
            // It says what all the others come to.
            Record::Release(_) => {}
        }
    }
    Folding { claims, reports, notices, decisions, second_starts, basis: None }.ticket()
}

/// Folds what decisions may rest on: these claims, which are this hub's own; what `basis` has of GitHub's
/// word; and of the reports those of runs that are known as a target's. Where GitHub shows a target's run,
/// no report says how it ended.
pub(super) fn believed<'a>(
    claims: impl Iterator<Item = &'a Dispatch>,
    reports: impl Iterator<Item = &'a Report>,
    notices: impl Iterator<Item = &'a Notice>,
    decisions: impl Iterator<Item = &'a Decision>,
    second_starts: Vec<SecondStart>,
    basis: &'a Basis,
) -> Ticket {
    let (claims, reports, notices) = (claims.collect(), reports.collect(), notices.collect());
    let decisions = decisions.collect();
    Folding { claims, reports, notices, decisions, second_starts, basis: Some(basis) }.ticket()
}

/// What is folded.
struct Folding<'a> {
    claims: Vec<&'a Dispatch>,
    reports: Vec<&'a Report>,
    notices: Vec<&'a Notice>,
    decisions: Vec<&'a Decision>,
    second_starts: Vec<SecondStart>,
    /// What decisions rest on; none: every record colours the result.
    basis: Option<&'a Basis>,
}

impl<'a> Folding<'a> {
    fn ticket(self) -> Ticket {
        let facts = self.facts();
        let newest = self.claims.iter().max_by(|a, b| {
            let newer = order(&a.by, a.seq).cmp(&order(&b.by, b.seq));
            newer.then_with(|| by_text(a, b))
        });
        let followers = Followers::of(&self.claims);
        let mut targets: BTreeMap<TargetName, Target> = facts
            .iter()
            .filter_map(|(name, facts)| {
                let is_followed = followers.follower(name).is_some();
                let target = facts.fold(self.sight(name), is_followed)?.verified(facts, self.verifies(name));
                Some(((*name).into(), target.watched(name, facts, &followers)))
            })
            .collect();
        let mut notices = open_notices(&self.notices);
        notices.retain(|notice| !targets.values().any(|target| target.is_newer_than(notice)));
        for notice in &notices {
            targets.iter_mut().for_each(|(name, target)| {
                target.mark_failed_by(notice, self.sight(name.as_str()));
            });
        }
        let listed = self.listed();
        let is_listed = |name: &TargetName| listed.is_empty() || listed.contains(name.as_str());
        let (targets, unlisted): (BTreeMap<_, _>, BTreeMap<_, _>) =
            targets.into_iter().partition(|(name, _)| is_listed(name));
        let left_out = self.claims.iter().flat_map(|claim| &claim.left_out);
        let left_out: BTreeSet<&TargetName> =
            left_out.filter(|name| !targets.contains_key(name.as_str())).collect();
        Ticket {
            follower: followers.any_follower().map(str::to_owned),
            driver: newest.and_then(|claim| claim.driver.clone()),
            release: newest.and_then(|claim| claim.release.clone()),
            hub: newest.map(|claim| HubRun::of(claim)),
            targets,
            left_out: left_out.into_iter().cloned().collect(),
            unlisted,
            notices,
            rules: self.rules(),
            decisions: in_order(self.decisions.iter().copied()),
            commits: self.commits(),
            second_starts: self.second_starts,
            unreadable: Vec::new(),
        }
        .with_decisions()
    }

    /// The names that the dispatches of the ticket list.
    fn listed(&self) -> BTreeSet<&'a str> {
        let by_basis =
            self.basis.into_iter().flat_map(|basis| basis.repositories.keys().chain(basis.runs.keys()));
        let names = |claim: &'a Dispatch| {
            let started = claim.targets.iter().map(|start| &start.target);
            let followed = claim.followed.iter().map(|run| &run.target);
            started.chain(followed).chain(&claim.left_out).map(TargetName::as_str)
        };
        let by_claims = self.claims.iter().copied().flat_map(names);
        by_claims.chain(by_basis.map(TargetName::as_str)).collect()
    }

    /// The gates and freezes that this step has read, else those that the newest record has.
    fn rules(&self) -> Rules {
        if let Some(rules) = self.basis.and_then(|basis| basis.rules.clone()) {
            return rules;
        }
        let recorded = self.claims.iter().filter_map(|claim| Some((*claim, claim.rules.as_ref()?.known()?)));
        let newest = recorded.max_by(|(a, _), (b, _)| {
            order(&a.by, a.seq).cmp(&order(&b.by, b.seq)).then_with(|| by_text(a, b))
        });
        newest.map(|(_, rules)| rules.clone()).unwrap_or_default()
    }

    /// At which commits refs are: as GitHub has shown them to this step, else as the newest records have them.
    fn commits(&self) -> Commits {
        if let Some(basis) = self.basis.filter(|basis| basis.rules.is_some()) {
            return Commits::Shown(basis.commits.clone());
        }
        let of_claim = |claim: &'a Dispatch| {
            let commits =
                claim.targets.iter().filter_map(|start| Some((&start.target, start.commit.as_ref()?)));
            commits.map(move |commit| (order(&claim.by, claim.seq), commit))
        };
        let of_decision = |decision: &'a Decision| {
            let commits = decision.commits.iter().filter_map(|of| Some((&of.target, of.sha.as_ref()?)));
            commits.map(move |commit| (order(&decision.by, decision.seq), commit))
        };
        let by_claims = self.claims.iter().copied().flat_map(of_claim);
        let mut commits: Vec<_> =
            by_claims.chain(self.decisions.iter().copied().flat_map(of_decision)).collect();
        commits.sort();
        let newest_last = commits.into_iter().map(|(_, (target, commit))| (target.clone(), commit.clone()));
        Commits::Recorded(newest_last.collect())
    }

    /// All that is said of each target.
    fn facts(&self) -> BTreeMap<&'a str, Facts<'a>> {
        let second = self.second_starts.iter();
        let second: BTreeSet<RunId> = second.filter_map(|second| second.run).collect();
        let counts = |run: RunId| !second.contains(&run);
        let mut facts: BTreeMap<&'a str, Facts<'a>> = BTreeMap::new();
        // The repository of a run may be renamed while it is at work.
        let mut started_as: BTreeMap<RunId, &'a str> = BTreeMap::new();
        for (claim, start) in
            self.claims.iter().flat_map(|claim| claim.targets.iter().map(move |start| (*claim, start)))
        {
            if start.run.is_some_and(|run| !counts(run)) {
                continue;
            }
            facts.entry(start.target.as_str()).or_default().starts.push((claim, start));
            if let Some(run) = start.run {
                let name = started_as.entry(run).or_insert(start.target.as_str());
                *name = (*name).min(start.target.as_str());
            }
        }
        let recorded =
            self.claims.iter().flat_map(|claim| claim.followed.iter().map(move |run| (Some(*claim), run)));
        let shown = self.basis.into_iter().flat_map(|basis| basis.runs.values().map(|run| (None, run)));
        for (claim, followed) in recorded.chain(shown) {
            let is_refuted = claim.is_some() && followed.is_deleted() && self.is_shown(followed);
            if counts(followed.run) && !is_refuted {
                facts.entry(followed.target.as_str()).or_default().follow(claim, followed);
            }
        }
        let recorded =
            self.claims.iter().flat_map(|claim| claim.verified.iter().map(move |of| (Some(*claim), of)));
        let read = self.basis.into_iter().flat_map(|basis| basis.verified.values().map(|of| (None, of)));
        for (claim, verification) in recorded.chain(read) {
            facts.entry(verification.target.as_str()).or_default().verifications.push((claim, verification));
        }
        let listed = self.listed();
        let names = Names::of(&listed, &facts);
        for report in self.reports.iter().filter(|report| counts(report.by.run)) {
            let started_as = started_as.get(&report.by.run).copied();
            for stage in &report.stages {
                let name = match (&stage.target, started_as) {
                    (Some(name), _) => names.meant(name.as_str()),
                    (None, Some(name)) => name,
                    (None, None) => names.of_repository(&report.by.repository),
                };
                if self.basis.is_none_or(|basis| is_of_target(report, name, facts.get(name), basis)) {
                    facts.entry(name).or_default().reports.push((report, stage));
                }
            }
        }
        facts
    }

    /// Whether GitHub shows the run to this step: then it was not deleted, whatever a record says.
    fn is_shown(&self, followed: &FollowedRun) -> bool {
        let shown = self.basis.and_then(|basis| basis.runs.get(&followed.target));
        shown.is_some_and(|run| run.run == followed.run && !run.is_deleted())
    }

    /// The checks that this step makes of the target; `None` where it does not list the target.
    fn verifies(&self, target: &str) -> Option<Option<&BTreeSet<&'static str>>> {
        let basis = self.basis.filter(|basis| basis.repositories.contains_key(target))?;
        Some(basis.verify.get(target))
    }

    fn sight(&self, target: &str) -> Sight {
        match self.basis {
            None => Sight::Recorded,
            Some(basis) if basis.unseen.contains(target) => Sight::Unseen,
            Some(_) => Sight::Shown,
        }
    }
}

/// The names of targets, as reports may write them.
struct Names<'a> {
    /// Each listed name by its lower case.
    listed: BTreeMap<String, &'a str>,
    /// The targets that were started in each repository.
    by_repository: BTreeMap<&'a RepoName, BTreeSet<&'a str>>,
}

impl<'a> Names<'a> {
    fn of(listed: &BTreeSet<&'a str>, facts: &BTreeMap<&'a str, Facts<'a>>) -> Self {
        let mut by_repository: BTreeMap<&'a RepoName, BTreeSet<&'a str>> = BTreeMap::new();
        for (name, start) in
            facts.iter().flat_map(|(name, facts)| facts.starts.iter().map(move |of| (*name, of.1)))
        {
            by_repository.entry(&start.repository).or_default().insert(name);
        }
        Self { listed: listed.iter().map(|name| (name.to_lowercase(), *name)).collect(), by_repository }
    }

    /// The listed name that is meant: names that differ in case only are one.
    fn meant(&self, name: &'a str) -> &'a str {
        self.listed.get(&name.to_lowercase()).copied().unwrap_or(name)
    }

    /// The target of a report that names none, by a run that no claim records: the one target of the repository, else
    /// the one that is called like it.
    fn of_repository(&self, repository: &'a RepoName) -> &'a str {
        match self.by_repository.get(repository).map(|names| names.iter().collect::<Vec<_>>()).as_deref() {
            Some([one]) => one,
            _ => self.meant(repository.name()),
        }
    }
}

/// What is known of the runs of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// What the records say.
    Recorded,
    /// What GitHub says, which shows them: no report says how one of them ended.
    Shown,
    /// GitHub does not show them (any more).
    Unseen,
}

/// Whether a report is one of a run that is known as the target's.
fn is_of_target(report: &Report, name: &str, facts: Option<&Facts<'_>>, basis: &Basis) -> bool {
    let listed = basis.repositories.get(name);
    let starts = facts.map(|facts| &facts.starts[..]).unwrap_or_default();
    let is_in_repository = || {
        listed == Some(&report.by.repository)
            || starts.iter().any(|(_, start)| start.repository == report.by.repository)
    };
    let is_known = || {
        let attempts = (report.by.run, 0)..=(report.by.run, u32::MAX);
        let is_followed = facts.is_some_and(|facts| facts.followed.range(attempts).next().is_some());
        is_followed || starts.iter().any(|(_, start)| start.run == Some(report.by.run))
    };
    // GitHub does not show its runs.
    let is_blind = || basis.unseen.contains(name);
    is_known() || is_in_repository() && is_blind()
}

/// By what one record's state is newer than another's. The job at the end decides nothing but ties.
fn order(by: &Writer, seq: u64) -> (RunId, u32, u64, &str) {
    (by.run, by.attempt, seq, &by.job)
}

/// Of each fingerprint the newest failure, unless a newer success resolves it. In one attempt of a run each job
/// speaks for itself: the success of one resolves no failure of another.
fn open_notices(notices: &[&Notice]) -> Vec<Notice> {
    // A ping says what the ticket shows anyway.
    let notices = || notices.iter().filter(|notice| notice.pings.is_empty()).copied();
    let attempt = |notice: &Notice| (notice.by.run, notice.by.attempt);
    let mut last: BTreeMap<&str, (RunId, u32)> = BTreeMap::new();
    for notice in notices() {
        let known = last.entry(&notice.fingerprint).or_insert(attempt(notice));
        *known = (*known).max(attempt(notice));
    }
    let mut newest: BTreeMap<(&str, &Writer), &Notice> = BTreeMap::new();
    for notice in notices().filter(|notice| last[notice.fingerprint.as_str()] == attempt(notice)) {
        let known = newest.entry((&notice.fingerprint, &notice.by)).or_insert(notice);
        *known = newer(known, notice);
    }
    let mut failures: BTreeMap<&str, &Notice> = BTreeMap::new();
    for notice in newest.into_values().filter(|notice| !notice.status.is_good()) {
        let known = failures.entry(&notice.fingerprint).or_insert(notice);
        *known = newer(known, notice);
    }
    let mut open: Vec<Notice> = failures.into_values().cloned().collect();
    open.sort_by(|a, b| (notice_order(a), &a.fingerprint).cmp(&(notice_order(b), &b.fingerprint)));
    open
}

/// The newer one of two notices; of copies the same for every reader.
fn newer<'n>(a: &'n Notice, b: &'n Notice) -> &'n Notice {
    let order = notice_order(a).cmp(&notice_order(b)).then_with(|| by_text(a, b));
    if order.is_lt() { b } else { a }
}

fn notice_order(notice: &Notice) -> ((RunId, u32, u64, &str), &Word<Status>, &str) {
    (order(&notice.by, notice.seq), &notice.status, &notice.message)
}

/// All that the records say of one target.
#[derive(Default)]
struct Facts<'a> {
    starts: Vec<(&'a Dispatch, &'a Start)>,
    reports: Vec<(&'a Report, &'a StageReport)>,
    /// Each attempt of each run, as those who follow it saw it furthest, and in whose record they said so.
    followed: BTreeMap<(RunId, u32), (Option<&'a Dispatch>, &'a FollowedRun)>,
    /// What was verified, and in whose record that stands.
    verifications: Vec<(Option<&'a Dispatch>, &'a Verification)>,
}

impl<'a> Facts<'a> {
    /// Keeps what was seen of a run, unless more is known. What this step itself has seen comes without a claim.
    fn follow(&mut self, claim: Option<&'a Dispatch>, run: &'a FollowedRun) {
        let age = |(claim, run): &(Option<&'a Dispatch>, &'a FollowedRun)| {
            let newer = claim.map_or((true, None), |claim| (false, Some(order(&claim.by, claim.seq))));
            (run.progress(), newer, run.words(), run.at)
        };
        let seen = (claim, run);
        match self.followed.entry((run.run, run.attempt)) {
            Entry::Vacant(entry) => drop(entry.insert(seen)),
            Entry::Occupied(mut entry) => {
                let newer = age(&seen).cmp(&age(entry.get()));
                if newer.then_with(|| by_text(run, entry.get().1)).is_gt() {
                    entry.insert(seen);
                }
            }
        }
    }

    fn fold(&self, sight: Sight, is_followed: bool) -> Option<Target> {
        let start = self.newest_start();
        let reported = self.reports.iter().map(|(report, _)| report.by.run).max();
        let followed = self.followed.keys().map(|(run, _)| *run).max();
        // A start whose run is not known (yet) is newer than every run before the hub's own run.
        let started = start.map(|(dispatch, start)| start.run.unwrap_or(dispatch.by.run));
        let newest = reported.max(followed).max(started)?;
        let start_is_newest = started == Some(newest);

        let reports: Vec<_> = self.reports.iter().filter(|(report, _)| report.by.run == newest).collect();
        let attempts = reports.iter().map(|(report, _)| report.by.attempt);
        let seen = self.followed.range((newest, 0)..=(newest, u32::MAX)).map(|((_, attempt), _)| *attempt);
        let attempt = attempts.chain(seen).max().unwrap_or(1);
        let followed = self.followed.get(&(newest, attempt)).map(|(_, run)| *run);
        let (stages, older) = self.stages(newest, attempt);

        let heard = !reports.is_empty() || followed.is_some();
        let run_id = if heard { Some(newest) } else { start.and_then(|(_, start)| start.run) };
        let run = run_id.map(|id| {
            let url = reports.iter().map(|(report, _)| report.run_url.clone()).max();
            let url = url.or_else(|| followed.map(|run| run.run_url.clone()));
            let url = url.or_else(|| start.and_then(|(_, start)| start.run_url.clone()));
            // Whoever starts or follows the run knows where it is; a report may come from anywhere.
            let started = start.map(|(_, start)| start).filter(|start| start.run == Some(id));
            let repository = started.map(|start| &start.repository).or(followed.map(|run| &run.repository));
            let reporter = reports.iter().map(|(report, _)| &report.by.repository).min();
            let repository = repository.or(reporter).or(start.map(|(_, start)| &start.repository)).cloned();
            Run { repository: repository.expect("whoever names a run says where"), id, attempt, url }
        });
        let unstarted = start.filter(|_| start_is_newest && !heard).map(|(_, start)| start);
        let is_nameless = run.is_none() || start.is_some_and(|(_, start)| start.run.is_none());
        let reports_decide = sight != Sight::Shown || is_nameless;
        // What was recorded of a run that goes on is old when it has reported since and nobody follows it.
        let count = || reports_of(run.as_ref(), self.reports.iter().map(|(report, _)| *report));
        let is_old = |run: &FollowedRun| sight == Sight::Recorded && !is_followed && count() > run.reports;
        let decisive = followed.filter(|run| run.has_ended() || sight != Sight::Unseen && !is_old(run));
        let (status, stage, reported) = match unstarted.map(|start| &start.state) {
            Some(Word::Known(StartState::Refused | StartState::Unknown)) => {
                (TargetStatus::Failed, None, None)
            }
            Some(Word::Known(StartState::Cancelled)) => (TargetStatus::Cancelled, None, None),
            Some(Word::Known(StartState::TakenOver)) => (taken_over(unstarted), None, None),
            Some(Word::Known(StartState::Waiting)) => {
                match unstarted.and_then(|start| start.because.as_ref()) {
                    Some(Word::Newer(_)) => (TargetStatus::Held, None, None),
                    _ => (TargetStatus::Waiting, None, None),
                }
            }
            Some(Word::Newer(_)) => (TargetStatus::Held, None, None),
            _ => decide(&stages, decisive, reports_decide),
        };
        let changes = stages.iter().map(|stage| stage.at).chain(start.map(|(_, start)| start.at));
        let changes = changes.chain(followed.map(|run| run.at));
        let first = self.reports.iter().map(|(report, _)| &report.by.repository);
        let first = first.chain(self.followed.values().map(|(_, run)| &run.repository)).min();
        let repository = start.map(|(_, start)| &start.repository).or(first)?.clone();
        let by_hub = start.filter(|(_, start)| start_is_newest && start.state == StartState::Started);
        let earlier = older.iter().filter(|old| old.run == newest).map(|old| &old.stage);
        let heard_of = stages.iter().chain(earlier).map(|stage| stage.at).chain(followed.map(|run| run.at));
        let started = by_hub.map(|(_, start)| start.at).into_iter().chain(heard_of).min();
        let ends = stage.iter().map(|stage| stage.at);
        let ends = ends.chain(followed.filter(|run| run.has_ended()).map(|run| run.at));
        let ended = ends.max().filter(|_| run.is_some() && (status.is_bad() || status.is_released()));
        let hub = start.and_then(|(claim, _)| page(&claim.run_url, &claim.by.repository, &repository));
        let page =
            hub.or_else(|| page(run.as_ref()?.url.as_deref()?, &run.as_ref()?.repository, &repository));
        Some(Target {
            repository,
            status,
            reported,
            run,
            stage,
            because: unstarted.and_then(|start| start.because.clone()),
            start: start.map(|(_, start)| start.clone()),
            followed: followed.cloned(),
            verification: None,
            notice: None,
            follower: None,
            stuck_since: None,
            is_cancelling: false,
            needs: start.map(|(_, start)| start.needs.clone()).unwrap_or_default(),
            outputs: match unstarted.filter(|start| start.state == StartState::TakenOver) {
                Some(start) => merged([&start.outputs]),
                None => self.outputs(newest, attempt),
            },
            page,
            started,
            ended,
            changed: changes.max()?,
            older,
            stages,
        })
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
        let reported: BTreeSet<(RunId, u32)> =
            outcomes.keys().map(|(run, attempt, _)| (*run, *attempt)).collect();
        let past = self.followed.iter().filter(|(of, _)| **of != (run, attempt) && !reported.contains(of));
        older.extend(past.map(|(_, (_, seen))| OldStage::of_followed(seen)));
        stages.sort_by(|a, b| (a.at, &a.name).cmp(&(b.at, &b.name)));
        older.sort_by(|a, b| b.order().cmp(&a.order()));
        (stages, older)
    }

    /// The newest verification of an attempt of a run.
    fn verification(&self, run: RunId, attempt: u32) -> Option<&'a Verification> {
        let of_attempt = self.verifications.iter().filter(|(_, of)| of.is_about(run, attempt));
        let age = |claim: Option<&'a Dispatch>| {
            claim.map_or((true, None), |claim| (false, Some(order(&claim.by, claim.seq))))
        };
        let newest = of_attempt.max_by(|(a_claim, a), (b_claim, b)| {
            age(*a_claim).cmp(&age(*b_claim)).then_with(|| by_text(a, b))
        });
        newest.map(|(_, verification)| *verification)
    }

    /// What the newest run gave back: of each job what counts of its stages, the newest attempt's values last.
    fn outputs(&self, run: RunId, attempt: u32) -> BTreeMap<String, String> {
        let of_run = self.reports.iter().filter(|(report, _)| report.by.run == run).copied();
        let mut reports: Vec<_> = newest_by_job(of_run).into_values().collect();
        let mut last: BTreeMap<&str, u32> = BTreeMap::new();
        for (report, stage) in &reports {
            let known = last.entry(&stage.stage).or_default();
            *known = report.by.attempt.max(*known);
        }
        reports.retain(|(report, stage)| {
            let is_last = last.get(stage.stage.as_str()) == Some(&report.by.attempt);
            is_last && (report.by.attempt == attempt || stage.status.is_good())
        });
        reports.sort_by(|(a_by, a), (b_by, b)| {
            let order = (a_by.by.attempt, a.at, &a.stage).cmp(&(b_by.by.attempt, b.at, &b.stage));
            order.then_with(|| by_text(&a.outputs, &b.outputs))
        });
        merged(reports.iter().map(|(_, stage)| &stage.outputs))
    }

    /// The start with the newest run; of the same run the newest word on it. What was only claimed,
    /// by a hub job that came second and died, says nothing beside what was started.
    fn newest_start(&self) -> Option<(&Dispatch, &Start)> {
        let is_started = self.starts.iter().any(|(_, start)| start.state == StartState::Started);
        let is_claimed = self.starts.iter().any(|(_, start)| start.state.is_settled());
        let is_taken_over = self.starts.iter().any(|(_, start)| start.state == StartState::TakenOver);
        let counts = |state: &Word<StartState>| match state {
            Word::Known(StartState::Yielded | StartState::Superseded) => false,
            Word::Known(StartState::Waiting) => !is_claimed,
            Word::Known(StartState::Claimed | StartState::Cancelled) => !is_started && !is_taken_over,
            Word::Known(StartState::TakenOver) => !is_started,
            Word::Known(StartState::Started | StartState::Refused | StartState::Unknown) | Word::Newer(_) => {
                true
            }
        };
        let counting = self.starts.iter().filter(|(_, start)| counts(&start.state));
        let newest = counting.max_by(|(a_by, a), (b_by, b)| {
            start_order(a_by, a).cmp(&start_order(b_by, b)).then_with(|| by_text(a, b))
        });
        newest.copied()
    }
}

/// A repository in the browser, on the server where a run of `known` has this address.
pub(super) fn page(run_url: &str, known: &RepoName, repository: &RepoName) -> Option<String> {
    let (server, _) = run_url.split_once(&format!("/{known}/actions/runs/"))?;
    Some(format!("{server}/{repository}"))
}

/// How a target stands that an earlier ticket has released.
fn taken_over(start: Option<&Start>) -> TargetStatus {
    match start.and_then(|start| start.because.as_ref()) {
        Some(Word::Known(Reason::TakenOver { status, .. })) if status.is_released() => *status,
        Some(Word::Newer(_)) => TargetStatus::Held,
        _ => TargetStatus::Released,
    }
}

/// By what one word on a start is newer than another.
fn start_order<'a>(dispatch: &'a Dispatch, start: &'a Start) -> impl Ord + 'a {
    let run = start.run.unwrap_or(dispatch.by.run);
    let because = start.because.as_ref().map(|because| because.clause(ToString::to_string));
    (run, order(&dispatch.by, dispatch.seq), &start.state, because, &start.needs)
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
    let mut outcomes: BTreeMap<StageKey<'a>, (&Report, &StageReport)> = BTreeMap::new();
    for ((key, _), (report, stage)) in newest_by_job(reports.iter().copied()) {
        let known = outcomes.entry(key).or_insert((report, stage));
        if rank(stage) > rank(known.1) {
            *known = (report, stage);
        }
    }
    outcomes
}

/// The newest report of each stage by each job.
fn newest_by_job<'a>(
    reports: impl Iterator<Item = (&'a Report, &'a StageReport)>,
) -> BTreeMap<(StageKey<'a>, &'a Writer), (&'a Report, &'a StageReport)> {
    let mut by_job: BTreeMap<(StageKey<'a>, &Writer), (&Report, &StageReport)> = BTreeMap::new();
    for (report, stage) in reports {
        let key = ((report.by.run, report.by.attempt, stage.stage.as_str()), &report.by);
        let known = by_job.entry(key).or_insert((report, stage));
        let newer = (stage.seq, rank(stage)).cmp(&(known.1.seq, rank(known.1)));
        if newer.then_with(|| by_text(&(&report.run_url, stage), &(&known.0.run_url, known.1))).is_gt() {
            *known = (report, stage);
        }
    }
    by_job
}

/// The outputs by their names, of which the last value counts.
fn merged<'o>(outputs: impl IntoIterator<Item = &'o Outputs>) -> BTreeMap<String, String> {
    let (outputs, _) = bounded(outputs.into_iter().flat_map(Outputs::owned).collect());
    outputs
}

/// A total order over what can be said of a stage.
fn rank(stage: &StageReport) -> (&Word<Status>, bool, DateTime<Utc>, &Option<String>, &Option<String>) {
    (&stage.status, stage.done, stage.at, &stage.message, &stage.url)
}

/// How the target stands, the stage that says most about it, and how it was reported to have ended where that
/// is something else.
///
/// How a run ended is for GitHub to say, where it shows the run. What the target reports itself has more to tell,
/// and holds the target with a word that only a newer release knows.
fn decide(
    stages: &[Stage],
    followed: Option<&FollowedRun>,
    reports_decide: bool,
) -> (TargetStatus, Option<Stage>, Option<TargetStatus>) {
    let (reported, stage) = decide_by_reports(stages);
    let is_end = |status: &TargetStatus| status.is_bad() || status.is_released();
    let Some(run) = followed else {
        let is_open = !reports_decide && is_end(&reported);
        let status = if is_open { TargetStatus::InProgress } else { reported };
        return (status, stage.cloned(), is_open.then_some(reported));
    };
    // Of a run that is gone nobody else says how it ended.
    if run.is_deleted() && (is_end(&reported) || reported == TargetStatus::Held) {
        return (reported, stage.cloned(), None);
    }
    let by_run = run.standing();
    let status = match (reported, by_run) {
        _ if stages.is_empty() => by_run,
        (TargetStatus::Held, _) if !by_run.is_bad() => reported,
        (TargetStatus::Skipped, TargetStatus::Released) => reported,
        (TargetStatus::InProgress, TargetStatus::Queued) => reported,
        _ => by_run,
    };
    let differs = Some(reported).filter(|reported| is_end(reported) && *reported != status);
    let stage = match stage {
        // What is reported says more, unless the run came to another end, or waits for somebody.
        Some(stage) if status != TargetStatus::Review && (!status.is_bad() || reported.is_bad()) => {
            Some(stage.clone())
        }
        // A run of which there is nothing to say has no stage.
        _ if run.job.is_none() && run.remark().is_none() && !status.is_bad() => None,
        _ => Some(Stage::of_followed(run)),
    };
    (status, stage, differs)
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

impl Stage {
    /// The stage of a verification that failed.
    fn of_verification(verification: &Verification, failure: String) -> Self {
        Self {
            name: "verify".to_owned(),
            status: Status::Failure.into(),
            attempt: verification.attempt,
            message: Some(failure),
            url: None,
            done: false,
            at: verification.at,
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

impl HubRun {
    fn of(claim: &Dispatch) -> Self {
        let (url, workflow_url) = (claim.run_url.clone(), claim.workflow_url.clone());
        Self { url, workflow_url }
    }
}

impl Target {
    /// The target, which counts as released when what its run has made is verified, if that is asked for. `asked` has
    /// that of this step; where it does not list the target, the records say it.
    fn verified(self, facts: &Facts<'_>, asked: Option<Option<&BTreeSet<&'static str>>>) -> Self {
        let run = self.run.as_ref();
        let verification = run.and_then(|run| facts.verification(run.id, run.attempt)).cloned();
        let is_recorded = || verification.is_some() || self.start.as_ref().is_some_and(|start| start.verify);
        let is_asked = asked.map_or_else(is_recorded, |checks| checks.is_some());
        if !self.status.is_released() || run.is_none() || !is_asked {
            return self;
        }
        // An earlier list of checks may have been shorter.
        let checks = asked.flatten();
        let verification =
            verification.filter(|verification| checks.is_none_or(|checks| verification.settles(checks)));
        let Some(verification) = verification else {
            return Self { status: TargetStatus::Verifying, ended: None, ..self };
        };
        let changed = self.changed.max(verification.at);
        let failure = verification.failed_check().and_then(|check| check.failure.clone());
        let status = if failure.is_some() { TargetStatus::Failed } else { self.status };
        let stage = match failure {
            Some(failure) => Some(Stage::of_verification(&verification, failure)),
            None => self.stage,
        };
        let mut outputs = self.outputs;
        outputs.extend(verification.outputs.owned());
        let (outputs, _) = bounded(outputs);
        Self { status, stage, outputs, changed, verification: Some(verification), ..self }
    }

    /// The target with what hub jobs do about its run.
    fn watched(self, name: &str, facts: &Facts<'_>, followers: &Followers<'_>) -> Self {
        if self.status.is_released() {
            return self;
        }
        let run = self.run.as_ref();
        let reports = reports_of(run, facts.reports.iter().map(|(report, _)| *report));
        let goes_on = matches!(self.status, TargetStatus::InProgress | TargetStatus::Queued);
        Self {
            follower: followers.follower(name).map(str::to_owned),
            stuck_since: followers.stuck(name, run, reports).filter(|_| goes_on),
            is_cancelling: run.is_some_and(|run| followers.is_cancelled(name, run.id)) && goes_on,
            ..self
        }
    }

    /// Whether the target has gone on, in a later attempt or run, since the failure that was notified.
    fn is_newer_than(&self, notice: &Notice) -> bool {
        let newer = |run: &Run| (run.id, run.attempt) > (notice.by.run, notice.by.attempt);
        self.repository == notice.by.repository && self.run.as_ref().is_some_and(newer)
    }

    /// A notified failure of the target's newest attempt is the target's failure, even if no stage said so.
    /// Where GitHub shows the run it is only what was reported.
    fn mark_failed_by(&mut self, notice: &Notice, sight: Sight) {
        let Some(run) = &self.run else { return };
        if run.id == notice.by.run
            && run.attempt <= notice.by.attempt
            && self.repository == notice.by.repository
        {
            let notified = match &notice.status {
                status if *status == Status::Cancelled => TargetStatus::Cancelled,
                _ => TargetStatus::Failed,
            };
            self.notice = Some(notice.clone());
            if self.followed.is_some() || sight == Sight::Shown {
                self.reported = Some(notified).filter(|notified| *notified != self.status);
            } else if self.status != TargetStatus::Failed {
                self.status = notified;
                self.ended = Some(notice.at);
            }
            self.changed = self.changed.max(notice.at);
        }
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
