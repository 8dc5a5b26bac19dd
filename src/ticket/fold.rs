//! The fold: from records, in any order and any number of times, to the state of the release.
//!
//! The newer state is the one with the higher (run id, run attempt, sequence number); clocks and the order of arrival
//! mean nothing. Run ids grow over the whole of GitHub, so a run is newer than the hub's run that started it, and a
//! second start is newer than the first.
//!
//! Within the newest run of a target, a later attempt replaces failed and unfinished stages of an earlier one.
//! Successful stages of an earlier attempt still count: "re-run failed jobs" does not run those jobs again, so no job
//! reports them a second time.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::basis::Basis;
use super::decision::Decision;
use super::decisions::in_order;
use super::followers::{Followers, reports_of};
use super::gate::Rules;
use super::outputs::{Outputs, cut_to_limit};
use super::reason::Reason;
use super::record::{Dispatch, Notice, Record, Report, StageReport, Start, by_text};
use super::run::{FollowedJob, FollowedRun};
use super::second::SecondStart;
use super::state::{Commits, HubRun, OldStage, Run, Stage, Target, Ticket};
use super::status::{StartState, Status, TargetStatus, Word};
use super::verification::Verification;
use super::writer::Writer;
use crate::names::{RepoName, RunId, TargetName};

/// Folds records into the state of the release. Neither their order nor their repetition changes the result.
#[must_use]
pub fn fold<'a>(records: impl IntoIterator<Item = &'a Record>) -> Ticket {
    fold_without(records, Vec::new())
}

/// Folds records as [`fold`] does, without the runs of these second starts.
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
            // It sums up the others.
            Record::Release(_) => {}
        }
    }
    Folding { claims, reports, notices, decisions, second_starts, basis: None }.ticket()
}

/// Folds the facts on which decisions may rest: these claims, which are this hub's own; GitHub's answers in `basis`;
/// and the reports of runs that belong to a target. If GitHub shows a target's run, no report decides how it ended.
pub(super) fn fold_by_basis<'a>(
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

/// The input of a fold.
struct Folding<'a> {
    claims: Vec<&'a Dispatch>,
    reports: Vec<&'a Report>,
    notices: Vec<&'a Notice>,
    decisions: Vec<&'a Decision>,
    second_starts: Vec<SecondStart>,
    /// The basis, if decisions rest on the result; `None`: every record affects it.
    basis: Option<&'a Basis>,
}

impl<'a> Folding<'a> {
    fn ticket(self) -> Ticket {
        let evidence = self.evidence();
        let newest = self.claims.iter().max_by(|a, b| {
            let newer = order(&a.by, a.seq).cmp(&order(&b.by, b.seq));
            newer.then_with(|| by_text(a, b))
        });
        let followers = Followers::of(&self.claims);
        let mut targets: BTreeMap<TargetName, Target> = evidence
            .iter()
            .filter_map(|(name, evidence)| {
                let is_followed = followers.follower(name).is_some();
                let target = evidence
                    .fold(self.source(name), is_followed)?
                    .with_verification(evidence, self.checks(name));
                Some(((*name).into(), target.with_watch(name, evidence, &followers)))
            })
            .collect();
        let mut notices = open_notices(&self.notices);
        notices.retain(|notice| !targets.values().any(|target| target.is_newer_than(notice)));
        for notice in &notices {
            targets.iter_mut().for_each(|(name, target)| {
                target.mark_failed_by(notice, self.source(name.as_str()));
            });
        }
        let names = self.target_names();
        let is_listed = |name: &TargetName| names.is_empty() || names.contains(name.as_str());
        let (targets, other_targets): (BTreeMap<_, _>, BTreeMap<_, _>) =
            targets.into_iter().partition(|(name, _)| is_listed(name));
        let omissions = self.claims.iter().flat_map(|claim| &claim.left_out);
        let omissions: BTreeSet<&TargetName> =
            omissions.filter(|name| !targets.contains_key(name.as_str())).collect();
        Ticket {
            follower: followers.any_follower().map(str::to_owned),
            driver: newest.and_then(|claim| claim.driver.clone()),
            release: newest.and_then(|claim| claim.release.clone()),
            hub: newest.map(|claim| HubRun::of(claim)),
            targets,
            left_out: omissions.into_iter().cloned().collect(),
            unlisted_targets: other_targets,
            notices,
            rules: self.rules(),
            decisions: in_order(self.decisions.iter().copied()),
            commits: self.commits(),
            second_starts: self.second_starts,
            unreadable_comments: Vec::new(),
        }
        .with_decisions()
    }

    /// The names that the dispatches of the ticket list.
    fn target_names(&self) -> BTreeSet<&'a str> {
        let by_basis =
            self.basis.into_iter().flat_map(|basis| basis.repositories.keys().chain(basis.runs.keys()));
        let names = |claim: &'a Dispatch| {
            let starts = claim.targets.iter().map(|start| &start.target);
            let runs = claim.followed_runs.iter().map(|run| &run.target);
            starts.chain(runs).chain(&claim.left_out).map(TargetName::as_str)
        };
        let by_claims = self.claims.iter().copied().flat_map(names);
        by_claims.chain(by_basis.map(TargetName::as_str)).collect()
    }

    /// The gates and freezes that this step has read, else those of the newest record that has some.
    fn rules(&self) -> Rules {
        if let Some(rules) = self.basis.and_then(|basis| basis.rules.clone()) {
            return rules;
        }
        let rules = self.claims.iter().filter_map(|claim| Some((*claim, claim.rules.as_ref()?.as_known()?)));
        let newest = rules.max_by(|(a, _), (b, _)| {
            order(&a.by, a.seq).cmp(&order(&b.by, b.seq)).then_with(|| by_text(a, b))
        });
        newest.map(|(_, rules)| rules.clone()).unwrap_or_default()
    }

    /// The commits of refs: by GitHub's answers to this step, else by the newest records.
    fn commits(&self) -> Commits {
        if let Some(basis) = self.basis.filter(|basis| basis.rules.is_some()) {
            return Commits::FromGitHub(basis.commits.clone());
        }
        let of_claim = |claim: &'a Dispatch| {
            let commits =
                claim.targets.iter().filter_map(|start| Some((&start.target, start.commit.as_ref()?)));
            commits.map(move |commit| (order(&claim.by, claim.seq), commit))
        };
        let of_decision = |decision: &'a Decision| {
            let commits =
                decision.commits.iter().filter_map(|commit| Some((&commit.target, commit.sha.as_ref()?)));
            commits.map(move |commit| (order(&decision.by, decision.seq), commit))
        };
        let by_claims = self.claims.iter().copied().flat_map(of_claim);
        let mut commits: Vec<_> =
            by_claims.chain(self.decisions.iter().copied().flat_map(of_decision)).collect();
        commits.sort();
        let newest_last = commits.into_iter().map(|(_, (target, commit))| (target.clone(), commit.clone()));
        Commits::FromRecords(newest_last.collect())
    }

    /// All evidence about each target.
    fn evidence(&self) -> BTreeMap<&'a str, Evidence<'a>> {
        let second_runs = self.second_starts.iter().filter_map(|second| second.run);
        let second_runs: BTreeSet<RunId> = second_runs.collect();
        let counts = |run: RunId| !second_runs.contains(&run);
        let mut evidence: BTreeMap<&'a str, Evidence<'a>> = BTreeMap::new();
        // Somebody may rename the repository of a run while it is in progress.
        let mut target_of_run: BTreeMap<RunId, &'a str> = BTreeMap::new();
        for (claim, start) in
            self.claims.iter().flat_map(|claim| claim.targets.iter().map(move |start| (*claim, start)))
        {
            if start.run.is_some_and(|run| !counts(run)) {
                continue;
            }
            evidence.entry(start.target.as_str()).or_default().starts.push((claim, start));
            if let Some(run) = start.run {
                let name = target_of_run.entry(run).or_insert(start.target.as_str());
                *name = (*name).min(start.target.as_str());
            }
        }
        let by_claims = self
            .claims
            .iter()
            .flat_map(|claim| claim.followed_runs.iter().map(move |run| (Some(*claim), run)));
        let by_github = self.basis.into_iter().flat_map(|basis| basis.runs.values().map(|run| (None, run)));
        for (claim, run) in by_claims.chain(by_github) {
            let is_refuted = claim.is_some() && run.is_deleted() && self.is_on_github(run);
            if counts(run.run) && !is_refuted {
                evidence.entry(run.target.as_str()).or_default().add_run(claim, run);
            }
        }
        let by_claims = self.claims.iter();
        let by_claims =
            by_claims.flat_map(|claim| claim.verifications.iter().map(move |of| (Some(*claim), of)));
        let by_basis =
            self.basis.into_iter().flat_map(|basis| basis.verifications.values().map(|of| (None, of)));
        for (claim, verification) in by_claims.chain(by_basis) {
            evidence
                .entry(verification.target.as_str())
                .or_default()
                .verifications
                .push((claim, verification));
        }
        let target_names = self.target_names();
        let names = Names::of(&target_names, &evidence);
        for report in self.reports.iter().filter(|report| counts(report.by.run)) {
            let target = target_of_run.get(&report.by.run).copied();
            for stage in &report.stages {
                let name = match (&stage.target, target) {
                    (Some(name), _) => names.canonical(name.as_str()),
                    (None, Some(name)) => name,
                    (None, None) => names.of_repository(&report.by.repository),
                };
                if self.basis.is_none_or(|basis| is_of_target(report, name, evidence.get(name), basis)) {
                    evidence.entry(name).or_default().reports.push((report, stage));
                }
            }
        }
        evidence
    }

    /// Whether GitHub shows the run to this step: then a record that calls it deleted is wrong.
    fn is_on_github(&self, run: &FollowedRun) -> bool {
        let newest = self.basis.and_then(|basis| basis.runs.get(&run.target));
        newest.is_some_and(|newest| newest.run == run.run && !newest.is_deleted())
    }

    /// The checks that this step makes of the target; `None` if it does not list the target.
    fn checks(&self, target: &str) -> Option<Option<&BTreeSet<&'static str>>> {
        let basis = self.basis.filter(|basis| basis.repositories.contains_key(target))?;
        Some(basis.verify.get(target))
    }

    fn source(&self, target: &str) -> Source {
        match self.basis {
            None => Source::Records,
            Some(basis) if basis.hidden_targets.contains(target) => Source::Hidden,
            Some(_) => Source::GitHub,
        }
    }
}

/// The names of targets, in the spellings that reports may use.
struct Names<'a> {
    /// The targets of the ticket by their names in lower case.
    by_lower_case: BTreeMap<String, &'a str>,
    /// The targets that were started in each repository.
    by_repository: BTreeMap<&'a RepoName, BTreeSet<&'a str>>,
}

impl<'a> Names<'a> {
    fn of(target_names: &BTreeSet<&'a str>, evidence: &BTreeMap<&'a str, Evidence<'a>>) -> Self {
        let mut by_repository: BTreeMap<&'a RepoName, BTreeSet<&'a str>> = BTreeMap::new();
        for (name, start) in evidence
            .iter()
            .flat_map(|(name, evidence)| evidence.starts.iter().map(move |(_, start)| (*name, *start)))
        {
            by_repository.entry(&start.repository).or_default().insert(name);
        }
        let by_lower_case = target_names.iter().map(|name| (name.to_lowercase(), *name)).collect();
        Self { by_lower_case, by_repository }
    }

    /// The target's own spelling of the name: names that differ only in case belong to one target.
    fn canonical(&self, name: &'a str) -> &'a str {
        self.by_lower_case.get(&name.to_lowercase()).copied().unwrap_or(name)
    }

    /// The target of a report without a target, from a run that no claim records: the only target of the repository,
    /// else the one with the repository's name.
    fn of_repository(&self, repository: &'a RepoName) -> &'a str {
        match self.by_repository.get(repository).map(|names| names.iter().collect::<Vec<_>>()).as_deref() {
            Some([one]) => one,
            _ => self.canonical(repository.name()),
        }
    }
}

/// The source that decides how the runs of a target ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The records.
    Records,
    /// GitHub, which shows the runs. Reports do not decide.
    GitHub,
    /// The reports: GitHub hides the runs, or no longer shows them.
    Hidden,
}

/// Whether a report is from a run of the target.
fn is_of_target(report: &Report, name: &str, evidence: Option<&Evidence<'_>>, basis: &Basis) -> bool {
    let repository = basis.repositories.get(name);
    let starts = evidence.map(|evidence| &evidence.starts[..]).unwrap_or_default();
    let is_in_repository = || {
        repository == Some(&report.by.repository)
            || starts.iter().any(|(_, start)| start.repository == report.by.repository)
    };
    let is_targets_run = || {
        let attempts = (report.by.run, 0)..=(report.by.run, u32::MAX);
        let is_followed = evidence.is_some_and(|evidence| evidence.runs.range(attempts).next().is_some());
        is_followed || starts.iter().any(|(_, start)| start.run == Some(report.by.run))
    };
    let is_hidden = || basis.hidden_targets.contains(name);
    is_targets_run() || is_in_repository() && is_hidden()
}

/// The order of states, the newest last. The job at the end only breaks ties.
fn order(by: &Writer, seq: u64) -> (RunId, u32, u64, &str) {
    (by.run, by.attempt, seq, &by.job)
}

/// The newest failure of each fingerprint, unless a newer success resolves it. Within one attempt of a run, the
/// success of one job does not resolve the failure of another.
fn open_notices(notices: &[&Notice]) -> Vec<Notice> {
    // A ping repeats what the ticket shows.
    let notices = || notices.iter().filter(|notice| notice.pings.is_empty()).copied();
    let attempt = |notice: &Notice| (notice.by.run, notice.by.attempt);
    let mut last: BTreeMap<&str, (RunId, u32)> = BTreeMap::new();
    for notice in notices() {
        let newest = last.entry(&notice.fingerprint).or_insert(attempt(notice));
        *newest = (*newest).max(attempt(notice));
    }
    let mut newest: BTreeMap<(&str, &Writer), &Notice> = BTreeMap::new();
    for notice in notices().filter(|notice| last[notice.fingerprint.as_str()] == attempt(notice)) {
        let of_job = newest.entry((&notice.fingerprint, &notice.by)).or_insert(notice);
        *of_job = newer(of_job, notice);
    }
    let mut failures: BTreeMap<&str, &Notice> = BTreeMap::new();
    for notice in newest.into_values().filter(|notice| !notice.status.is_good()) {
        let failure = failures.entry(&notice.fingerprint).or_insert(notice);
        *failure = newer(failure, notice);
    }
    let mut notices: Vec<Notice> = failures.into_values().cloned().collect();
    notices.sort_by(|a, b| (notice_order(a), &a.fingerprint).cmp(&(notice_order(b), &b.fingerprint)));
    notices
}

/// The newer one of two notices. Every reader takes the same one of two copies.
fn newer<'n>(a: &'n Notice, b: &'n Notice) -> &'n Notice {
    let order = notice_order(a).cmp(&notice_order(b)).then_with(|| by_text(a, b));
    if order.is_lt() { b } else { a }
}

fn notice_order(notice: &Notice) -> ((RunId, u32, u64, &str), &Word<Status>, &str) {
    (order(&notice.by, notice.seq), &notice.status, &notice.message)
}

/// All evidence about one target.
#[derive(Default)]
struct Evidence<'a> {
    starts: Vec<(&'a Dispatch, &'a Start)>,
    reports: Vec<(&'a Report, &'a StageReport)>,
    /// Each attempt of each run in its furthest state, with the record that has it; `None`: GitHub's answer to this
    /// step.
    runs: BTreeMap<(RunId, u32), (Option<&'a Dispatch>, &'a FollowedRun)>,
    /// The verifications, with the records that have them; `None`: those of this step.
    verifications: Vec<(Option<&'a Dispatch>, &'a Verification)>,
}

impl<'a> Evidence<'a> {
    /// Adds a state of a run, unless a further one is here. A state that this step itself has read comes without a
    /// claim.
    fn add_run(&mut self, claim: Option<&'a Dispatch>, run: &'a FollowedRun) {
        let age = |(claim, run): &(Option<&'a Dispatch>, &'a FollowedRun)| {
            let newer = claim.map_or((true, None), |claim| (false, Some(order(&claim.by, claim.seq))));
            (run.progress(), newer, run.words(), run.at)
        };
        let state = (claim, run);
        match self.runs.entry((run.run, run.attempt)) {
            Entry::Vacant(entry) => drop(entry.insert(state)),
            Entry::Occupied(mut entry) => {
                let newer = age(&state).cmp(&age(entry.get()));
                if newer.then_with(|| by_text(run, entry.get().1)).is_gt() {
                    entry.insert(state);
                }
            }
        }
    }

    fn fold(&self, source: Source, is_followed: bool) -> Option<Target> {
        let start = self.newest_start();
        let by_reports = self.reports.iter().map(|(report, _)| report.by.run).max();
        let by_runs = self.runs.keys().map(|(run, _)| *run).max();
        // A start without a run is newer than every run before the hub's own run.
        let by_start = start.map(|(dispatch, start)| start.run.unwrap_or(dispatch.by.run));
        let newest = by_reports.max(by_runs).max(by_start)?;
        let start_is_newest = by_start == Some(newest);

        let reports: Vec<_> = self.reports.iter().filter(|(report, _)| report.by.run == newest).collect();
        let attempts = reports.iter().map(|(report, _)| report.by.attempt);
        let run_attempts =
            self.runs.range((newest, 0)..=(newest, u32::MAX)).map(|((_, attempt), _)| *attempt);
        let attempt = attempts.chain(run_attempts).max().unwrap_or(1);
        let followed_run = self.runs.get(&(newest, attempt)).map(|(_, run)| *run);
        let (stages, older) = self.stages(newest, attempt);

        let has_news = !reports.is_empty() || followed_run.is_some();
        let run_id = if has_news { Some(newest) } else { start.and_then(|(_, start)| start.run) };
        let run = run_id.map(|id| {
            let url = reports.iter().map(|(report, _)| report.run_url.clone()).max();
            let url = url.or_else(|| followed_run.map(|run| run.run_url.clone()));
            let url = url.or_else(|| start.and_then(|(_, start)| start.run_url.clone()));
            // A job that starts or follows the run knows its repository; a report may come from anywhere.
            let own_start = start.map(|(_, start)| start).filter(|start| start.run == Some(id));
            let repository = own_start.map(|start| &start.repository);
            let repository = repository.or(followed_run.map(|run| &run.repository));
            let reporter = reports.iter().map(|(report, _)| &report.by.repository).min();
            let repository = repository.or(reporter).or(start.map(|(_, start)| &start.repository)).cloned();
            Run {
                repository: repository.expect("every source of a run names its repository"),
                id,
                attempt,
                url,
            }
        });
        let silent_start = start.filter(|_| start_is_newest && !has_news).map(|(_, start)| start);
        let is_nameless = run.is_none() || start.is_some_and(|(_, start)| start.run.is_none());
        let reports_decide = source != Source::GitHub || is_nameless;
        // The record of an unfinished run is old if the run has reported since and no job follows it.
        let count = || reports_of(run.as_ref(), self.reports.iter().map(|(report, _)| *report));
        let is_old = |run: &FollowedRun| source == Source::Records && !is_followed && count() > run.reports;
        let decisive = followed_run.filter(|run| run.has_ended() || source != Source::Hidden && !is_old(run));
        let (status, stage, reported_status) = match silent_start.map(|start| &start.state) {
            Some(Word::Known(StartState::Refused | StartState::Unknown)) => {
                (TargetStatus::Failed, None, None)
            }
            Some(Word::Known(StartState::Cancelled)) => (TargetStatus::Cancelled, None, None),
            Some(Word::Known(StartState::TakenOver)) => (earlier_status(silent_start), None, None),
            Some(Word::Known(StartState::Waiting)) => {
                match silent_start.and_then(|start| start.reason.as_ref()) {
                    Some(Word::Newer(_)) => (TargetStatus::Held, None, None),
                    _ => (TargetStatus::Waiting, None, None),
                }
            }
            Some(Word::Newer(_)) => (TargetStatus::Held, None, None),
            _ => decide(&stages, decisive, reports_decide),
        };
        let changes = stages.iter().map(|stage| stage.at).chain(start.map(|(_, start)| start.at));
        let changes = changes.chain(followed_run.map(|run| run.at));
        let first = self.reports.iter().map(|(report, _)| &report.by.repository);
        let first = first.chain(self.runs.values().map(|(_, run)| &run.repository)).min();
        let repository = start.map(|(_, start)| &start.repository).or(first)?.clone();
        let by_hub = start.filter(|(_, start)| start_is_newest && start.state == StartState::Started);
        let earlier = older.iter().filter(|old| old.run == newest).map(|old| &old.stage);
        let news = stages.iter().chain(earlier).map(|stage| stage.at).chain(followed_run.map(|run| run.at));
        let start_time = by_hub.map(|(_, start)| start.at).into_iter().chain(news).min();
        let ends = stage.iter().map(|stage| stage.at);
        let ends = ends.chain(followed_run.filter(|run| run.has_ended()).map(|run| run.at));
        let end = ends.max().filter(|_| run.is_some() && (status.is_bad() || status.is_released()));
        let hub = start.and_then(|(claim, _)| page(&claim.run_url, &claim.by.repository, &repository));
        let page =
            hub.or_else(|| page(run.as_ref()?.url.as_deref()?, &run.as_ref()?.repository, &repository));
        Some(Target {
            repository,
            status,
            reported_status,
            run,
            stage,
            reason: silent_start.and_then(|start| start.reason.clone()),
            start: start.map(|(_, start)| start.clone()),
            followed_run: followed_run.cloned(),
            verification: None,
            notice: None,
            follower: None,
            stuck_since: None,
            is_cancelling: false,
            needs: start.map(|(_, start)| start.needs.clone()).unwrap_or_default(),
            outputs: match silent_start.filter(|start| start.state == StartState::TakenOver) {
                Some(start) => merge_outputs([&start.outputs]),
                None => self.outputs(newest, attempt),
            },
            repository_url: page,
            started_at: start_time,
            ended_at: end,
            changed_at: changes.max()?,
            old_stages: older,
            stages,
        })
    }

    /// The stages that count, by the time of their last report, and those of older attempts and runs, the newest
    /// first.
    fn stages(&self, run: RunId, attempt: u32) -> (Vec<Stage>, Vec<OldStage>) {
        let outcomes = outcomes(&self.reports);
        // The keys are in the order of attempts, so the last attempt of a stage stays.
        let last: BTreeMap<_, _> =
            outcomes.keys().map(|(of_run, of_attempt, name)| ((*of_run, *name), *of_attempt)).collect();
        let (mut stages, mut older) = (Vec::new(), Vec::new());
        for ((of_run, of_attempt, name), (report, stage)) in &outcomes {
            let is_newest = *of_run == run && last[&(run, *name)] == *of_attempt;
            if is_newest && (*of_attempt == attempt || stage.status.is_good()) {
                stages.push(Stage::new(report, stage));
            } else {
                older.push(OldStage::new(report, stage));
            }
        }
        let with_reports: BTreeSet<(RunId, u32)> =
            outcomes.keys().map(|(run, attempt, _)| (*run, *attempt)).collect();
        let past = self.runs.iter().filter(|(of, _)| **of != (run, attempt) && !with_reports.contains(of));
        older.extend(past.map(|(_, (_, run))| OldStage::of_run(run)));
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

    /// The outputs of the newest run: for each job those of the stages that count. Values of the newest attempt win.
    fn outputs(&self, run: RunId, attempt: u32) -> BTreeMap<String, String> {
        let of_run = self.reports.iter().filter(|(report, _)| report.by.run == run).copied();
        let mut reports: Vec<_> = newest_by_job(of_run).into_values().collect();
        let mut last: BTreeMap<&str, u32> = BTreeMap::new();
        for (report, stage) in &reports {
            let newest = last.entry(&stage.stage).or_default();
            *newest = report.by.attempt.max(*newest);
        }
        reports.retain(|(report, stage)| {
            let is_last = last.get(stage.stage.as_str()) == Some(&report.by.attempt);
            is_last && (report.by.attempt == attempt || stage.status.is_good())
        });
        reports.sort_by(|(a_by, a), (b_by, b)| {
            let order = (a_by.by.attempt, a.at, &a.stage).cmp(&(b_by.by.attempt, b.at, &b.stage));
            order.then_with(|| by_text(&a.outputs, &b.outputs))
        });
        merge_outputs(reports.iter().map(|(_, stage)| &stage.outputs))
    }

    /// The start with the newest run, in its newest state. A mere claim, by a hub job that came second and died,
    /// counts for nothing beside a start.
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

/// A repository in the browser, on the server where a run of `run_repository` has this address.
pub(super) fn page(run_url: &str, run_repository: &RepoName, repository: &RepoName) -> Option<String> {
    let (server, _) = run_url.split_once(&format!("/{run_repository}/actions/runs/"))?;
    Some(format!("{server}/{repository}"))
}

/// The status of a target that an earlier ticket has released.
fn earlier_status(start: Option<&Start>) -> TargetStatus {
    match start.and_then(|start| start.reason.as_ref()) {
        Some(Word::Known(Reason::TakenOver { status, .. })) if status.is_released() => *status,
        Some(Word::Newer(_)) => TargetStatus::Held,
        _ => TargetStatus::Released,
    }
}

/// The order of the states of a start, the newest last.
fn start_order<'a>(dispatch: &'a Dispatch, start: &'a Start) -> impl Ord + 'a {
    let run = start.run.unwrap_or(dispatch.by.run);
    let reason = start.reason.as_ref().map(|reason| reason.clause(ToString::to_string));
    (run, order(&dispatch.by, dispatch.seq), &start.state, reason, &start.needs)
}

/// A stage of an attempt of a run.
type StageKey<'a> = (RunId, u32, &'a str);

/// The outcome of each stage in each attempt of each run.
///
/// For one job only its newest report of a stage counts; for several jobs with the same stage, the report whose status
/// ranks highest.
fn outcomes<'a>(
    reports: &[(&'a Report, &'a StageReport)],
) -> BTreeMap<StageKey<'a>, (&'a Report, &'a StageReport)> {
    let mut outcomes: BTreeMap<StageKey<'a>, (&Report, &StageReport)> = BTreeMap::new();
    for ((key, _), (report, stage)) in newest_by_job(reports.iter().copied()) {
        let highest = outcomes.entry(key).or_insert((report, stage));
        if rank(stage) > rank(highest.1) {
            *highest = (report, stage);
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
        let newest = by_job.entry(key).or_insert((report, stage));
        let newer = (stage.seq, rank(stage)).cmp(&(newest.1.seq, rank(newest.1)));
        if newer.then_with(|| by_text(&(&report.run_url, stage), &(&newest.0.run_url, newest.1))).is_gt() {
            *newest = (report, stage);
        }
    }
    by_job
}

/// The outputs by their names; of several values of a name the last counts.
fn merge_outputs<'o>(outputs: impl IntoIterator<Item = &'o Outputs>) -> BTreeMap<String, String> {
    let (outputs, _) = cut_to_limit(outputs.into_iter().flat_map(Outputs::to_pairs).collect());
    outputs
}

/// A total order of the reports of a stage.
fn rank(stage: &StageReport) -> (&Word<Status>, bool, DateTime<Utc>, &Option<String>, &Option<String>) {
    (&stage.status, stage.ends_release, stage.at, &stage.message, &stage.url)
}

/// The status of the target, the stage that says most about it, and the end by its reports, if that differs.
///
/// If GitHub shows the run, GitHub decides how it ended. The target's own reports say more about the stages, and hold
/// the target if they have a word that only a newer release knows.
fn decide(
    stages: &[Stage],
    followed_run: Option<&FollowedRun>,
    reports_decide: bool,
) -> (TargetStatus, Option<Stage>, Option<TargetStatus>) {
    let (by_reports, stage) = decide_by_reports(stages);
    let is_end = |status: &TargetStatus| status.is_bad() || status.is_released();
    let Some(run) = followed_run else {
        let is_open = !reports_decide && is_end(&by_reports);
        let status = if is_open { TargetStatus::InProgress } else { by_reports };
        return (status, stage.cloned(), is_open.then_some(by_reports));
    };
    // Only reports say how a deleted run ended.
    if run.is_deleted() && (is_end(&by_reports) || by_reports == TargetStatus::Held) {
        return (by_reports, stage.cloned(), None);
    }
    let by_run = run.status_by_github();
    let status = match (by_reports, by_run) {
        _ if stages.is_empty() => by_run,
        (TargetStatus::Held, _) if !by_run.is_bad() => by_reports,
        (TargetStatus::Skipped, TargetStatus::Released) => by_reports,
        (TargetStatus::InProgress, TargetStatus::Queued) => by_reports,
        _ => by_run,
    };
    let other_end = Some(by_reports).filter(|by_reports| is_end(by_reports) && *by_reports != status);
    let stage = match stage {
        // The report says more, unless the run ended in another way or waits for a reviewer.
        Some(stage) if status != TargetStatus::Review && (!status.is_bad() || by_reports.is_bad()) => {
            Some(stage.clone())
        }
        // Without a job, a remark or a failure there is nothing to show as a stage.
        _ if run.job.is_none() && run.remark().is_none() && !status.is_bad() => None,
        _ => Some(Stage::of_run(run)),
    };
    (status, stage, other_end)
}

fn decide_by_reports(stages: &[Stage]) -> (TargetStatus, Option<&Stage>) {
    let newest = |fits: &dyn Fn(&&Stage) -> bool| stages.iter().rfind(fits);
    if let Some(stage) = newest(&|stage| stage.status == Status::Failure) {
        (TargetStatus::Failed, Some(stage))
    } else if let Some(stage) = newest(&|stage| stage.status == Status::Cancelled) {
        (TargetStatus::Cancelled, Some(stage))
    } else if let Some(stage) = newest(&|stage| stage.status.is_newer()) {
        (TargetStatus::Held, Some(stage))
    } else if let Some(stage) = newest(&|stage| stage.ends_release && stage.status == Status::Success) {
        (TargetStatus::Released, Some(stage))
    } else if let Some(stage) = newest(&|stage| stage.ends_release && stage.status == Status::Skipped) {
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
            ends_release: stage.ends_release,
            at: stage.at,
        }
    }

    /// The most important job of a followed run; the run itself if no job is known.
    fn of_run(run: &FollowedRun) -> Self {
        let job = run.job.as_ref();
        Self {
            name: job.map_or_else(|| "run".to_owned(), |job| job.name.clone()),
            status: job
                .filter(|_| !run.has_ended())
                .map_or_else(|| run.stage_status(), FollowedJob::status_by_github),
            attempt: run.attempt,
            message: run.remark(),
            url: job.and_then(|job| job.url.clone()),
            ends_release: false,
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
            ends_release: false,
            at: verification.at,
        }
    }
}

impl OldStage {
    fn new(report: &Report, stage: &StageReport) -> Self {
        Self { run: report.by.run, run_url: report.run_url.clone(), stage: Stage::new(report, stage) }
    }

    fn of_run(run: &FollowedRun) -> Self {
        Self { run: run.run, run_url: run.run_url.clone(), stage: Stage::of_run(run) }
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
    /// The target after its verification: if it has checks, it counts as released once they have passed. `own_checks`
    /// are those of this step; if it does not list the target, the records say whether there are checks.
    fn with_verification(
        self,
        evidence: &Evidence<'_>,
        own_checks: Option<Option<&BTreeSet<&'static str>>>,
    ) -> Self {
        let run = self.run.as_ref();
        let verification = run.and_then(|run| evidence.verification(run.id, run.attempt)).cloned();
        let has_recorded_checks =
            || verification.is_some() || self.start.as_ref().is_some_and(|start| start.verify);
        let has_checks = own_checks.map_or_else(has_recorded_checks, |checks| checks.is_some());
        if !self.status.is_released() || run.is_none() || !has_checks {
            return self;
        }
        // A verification by an earlier, shorter list of checks is not enough.
        let checks = own_checks.flatten();
        let verification =
            verification.filter(|verification| checks.is_none_or(|checks| verification.settles(checks)));
        let Some(verification) = verification else {
            return Self { status: TargetStatus::Verifying, ended_at: None, ..self };
        };
        let changed_at = self.changed_at.max(verification.at);
        let failure = verification.failed_check().and_then(|check| check.failure.clone());
        let status = if failure.is_some() { TargetStatus::Failed } else { self.status };
        let stage = match failure {
            Some(failure) => Some(Stage::of_verification(&verification, failure)),
            None => self.stage,
        };
        let mut outputs = self.outputs;
        outputs.extend(verification.outputs.to_pairs());
        let (outputs, _) = cut_to_limit(outputs);
        Self { status, stage, outputs, changed_at, verification: Some(verification), ..self }
    }

    /// The target with the state of the hub jobs that follow it.
    fn with_watch(self, name: &str, evidence: &Evidence<'_>, followers: &Followers<'_>) -> Self {
        if self.status.is_released() {
            return self;
        }
        let run = self.run.as_ref();
        let reports = reports_of(run, evidence.reports.iter().map(|(report, _)| *report));
        let goes_on = matches!(self.status, TargetStatus::InProgress | TargetStatus::Queued);
        Self {
            follower: followers.follower(name).map(str::to_owned),
            stuck_since: followers.stuck(name, run, reports).filter(|_| goes_on),
            is_cancelling: run.is_some_and(|run| followers.is_cancelled(name, run.id)) && goes_on,
            ..self
        }
    }

    /// Whether the target has a later attempt or run than the failure of this notice.
    fn is_newer_than(&self, notice: &Notice) -> bool {
        let newer = |run: &Run| (run.id, run.attempt) > (notice.by.run, notice.by.attempt);
        self.repository == notice.by.repository && self.run.as_ref().is_some_and(newer)
    }

    /// A notice of a failure in the target's newest attempt makes the target fail, even if no stage reports it. If
    /// GitHub shows the run, the notice counts only as the target's report.
    fn mark_failed_by(&mut self, notice: &Notice, source: Source) {
        let Some(run) = &self.run else { return };
        if run.id == notice.by.run
            && run.attempt <= notice.by.attempt
            && self.repository == notice.by.repository
        {
            let status = match &notice.status {
                status if *status == Status::Cancelled => TargetStatus::Cancelled,
                _ => TargetStatus::Failed,
            };
            self.notice = Some(notice.clone());
            if self.followed_run.is_some() || source == Source::GitHub {
                self.reported_status = Some(status).filter(|status| *status != self.status);
            } else if self.status != TargetStatus::Failed {
                self.status = status;
                self.ended_at = Some(notice.at);
            }
            self.changed_at = self.changed_at.max(notice.at);
        }
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
