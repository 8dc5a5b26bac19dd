//! Closed tickets of a release: the own one of a run that is run again, and those that came before a new one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::Hub;
use super::perform::Performer;
use super::preflight;
use super::reading::{failed, identity, read_log};
use super::stop::Stop;
use crate::engine::earlier::{self, Busy, Left};
use crate::engine::wording::Wording;
use crate::engine::{Known, Ready, Request, TicketIs};
use crate::github::issues::Issue;
use crate::names::{IssueNumber, IssueRef, TargetName};
use crate::opening;
use crate::problem::Problem;
use crate::targets::{StartBy, Target};
use crate::ticket::claim::Claims;
use crate::ticket::{Basis, Key, Log, Start, Writer};

/// So many tickets that continue one another are looked at.
const LONGEST_CHAIN: usize = 10;

/// What a step is about to release: what it needs to know of earlier tickets.
#[derive(Clone, Copy)]
pub(super) struct Release<'a> {
    pub(super) hub: Hub<'a>,
    pub(super) key: &'a Key,
    pub(super) wording: &'a Wording,
    /// All targets that are listed.
    pub(super) listed: &'a [Target],
    /// Those that are to be released now.
    pub(super) meant: &'a BTreeSet<TargetName>,
}

impl Release<'_> {
    pub(super) fn names(&self) -> Vec<TargetName> {
        self.listed.iter().map(|target| target.name.clone()).collect()
    }

    /// Whether a record is one of this hub run.
    pub(super) fn is_ours(&self, by: &Writer) -> bool {
        by.run == self.hub.job.run
    }

    pub(super) fn issue(&self, number: IssueNumber) -> IssueRef {
        IssueRef { repository: self.hub.common.hub.clone(), number }
    }
}

/// A ticket whose log was read.
pub(super) struct Read {
    pub(super) issue: IssueRef,
    pub(super) url: String,
    pub(super) opened_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    continues: Option<IssueNumber>,
    pub(super) log: Log,
    pub(super) identity: Option<String>,
}

impl Read {
    /// Reads the log of a ticket.
    pub(super) async fn of(issue: &Issue, hub: Hub<'_>) -> Result<Self, Vec<Problem>> {
        let ticket = IssueRef { repository: hub.common.hub.clone(), number: issue.number };
        let log = read_log(&ticket, hub.github).await?;
        let identity = identity(&ticket, &log, hub).await?;
        let (url, continues) = (issue.html_url.clone(), opening::continues(issue));
        let (opened_at, closed_at) = (issue.created_at, issue.closed_at);
        Ok(Self { issue: ticket, url, opened_at, closed_at, continues, log, identity })
    }

    pub(super) fn ticket(&self) -> TicketIs {
        let (issue, url, opened_at) = (self.issue.clone(), self.url.clone(), Some(self.opened_at));
        TicketIs::Open { issue, url, created: None, opened_at }
    }

    pub(super) fn basis(&self) -> Basis {
        Basis { identity: self.identity.clone(), ..Basis::default() }
    }

    /// Whether it is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.closed_at.is_some()
    }

    /// Whether a hub job, of whatever account, has dispatched anything by it.
    pub(super) fn was_dispatched(&self) -> bool {
        self.log.first_claimant().is_some()
    }

    /// Whether this hub, under the account of this step, has dispatched anything by it.
    pub(super) fn is_of_hub(&self) -> bool {
        let basis = self.basis();
        let is_own = |author: Option<&str>| basis.is_own(author);
        is_own(self.log.first_claimant()) || self.log.dispatches().any(|(by, _)| is_own(by.author.as_deref()))
    }

    /// Whether this hub run has written to it.
    pub(super) fn is_own(&self, release: Release<'_>) -> bool {
        let basis = self.basis();
        Claims { log: &self.log, basis: &basis }.own().any(|(_, claim)| release.is_ours(&claim.by))
    }

    /// The targets about which its records settle who starts them.
    fn settled(&self) -> BTreeSet<TargetName> {
        let basis = self.basis();
        earlier::settled(Claims { log: &self.log, basis: &basis })
    }

    /// Whether all is released, by its records alone, or else by GitHub's word.
    pub(super) async fn is_done(&self, release: Release<'_>) -> Result<bool, Vec<Problem>> {
        let names = release.names();
        // The engine asks GitHub about the runs, and goes on if one of them has not ended well.
        let unseen = names.iter().cloned().collect();
        if self.log.believed(&Basis { unseen, ..self.basis() }).is_done(&names) {
            return Ok(true);
        }
        let left = self.look(release, release.listed).await?;
        Ok(self.log.ticket().notices.is_empty()
            && left.values().all(|left| matches!(left, Left::Released(_))))
    }

    /// What it leaves of `targets`: asks GitHub about their runs, and about the hub jobs that have claimed them.
    async fn look(
        &self,
        release: Release<'_>,
        targets: &[Target],
    ) -> Result<BTreeMap<TargetName, Left>, Vec<Problem>> {
        let Release { hub, wording, .. } = release;
        if self.was_dispatched() && self.identity.is_none() {
            return Err(vec![nameless(&self.issue)]);
        }
        hub.github.tokens().need(preflight::and_verifies(preflight::sees(targets), targets));
        let targets = targets.iter().map(|target| self.as_started(target)).collect();
        let request =
            Request::looking(hub.common.writer(hub.job), hub.job.run_url(), targets, wording.clone());
        let known = Known::new(self.ticket(), Vec::new());
        let mut known = known.with_log(self.log.clone(), self.identity.clone());
        let mut performer = Performer::new(hub.github, &known);
        performer.ask(&mut known, &request).await;
        let questions = earlier::questions(&known, &request, hub.job.clock.now());
        performer.perform(questions, &mut known, &request, &Stop::default()).await;
        match known.stopped() {
            Some(problem) => Err(vec![problem.clone()]),
            None => Ok(earlier::left(&known, &request, hub.job.clock.now())),
        }
    }

    /// A target as the ticket's newest record has it, else as it is listed.
    fn as_started(&self, listed: &Target) -> Ready {
        let basis = self.basis();
        let claims = Claims { log: &self.log, basis: &basis };
        let entries = claims.own().flat_map(|(_, claim)| &claim.targets);
        let start = entries.filter(|start| start.target == listed.name).last();
        let mut target = listed.clone();
        if let Some(Start { repository, workflow, .. }) = start {
            target.repository = repository.clone();
            target.start = match (workflow, &listed.start) {
                (Some(workflow), _) => StartBy::Workflow(workflow.clone()),
                (None, StartBy::Event(event)) => StartBy::Event(event.clone()),
                (None, StartBy::Workflow(_)) => StartBy::Event(String::new()),
            };
        }
        // Where another account has dispatched it, its runs are looked for all the same.
        let of_others = || {
            let entries = self.log.dispatches().flat_map(|(_, claim)| &claim.targets);
            entries.filter(|start| start.target == listed.name).find_map(|start| start.git_ref.clone())
        };
        let git_ref = start.and_then(|start| start.git_ref.clone()).or_else(of_others);
        let git_ref = git_ref.or_else(|| listed.git_ref.clone()).unwrap_or_else(|| "HEAD".into());
        Ready { target, git_ref, declared: None, same_account: false }
    }
}

/// What the ticket `first`, and those that it continues, leave of the targets that are not `settled`.
async fn left_by_chain(
    release: Release<'_>,
    first: Read,
    settled: &BTreeSet<TargetName>,
) -> Result<BTreeMap<TargetName, Left>, Vec<Problem>> {
    let mut left: BTreeMap<TargetName, Left> = BTreeMap::new();
    let mut next = Some(first);
    for _ in 0..LONGEST_CHAIN {
        let Some(read) = next.take() else { break };
        let is_open = |target: &&Target| !settled.contains(&target.name) && !left.contains_key(&target.name);
        let open: Vec<Target> = release.listed.iter().filter(is_open).cloned().collect();
        if open.is_empty() {
            break;
        }
        let settled_here = read.settled();
        let is_last =
            |name: &TargetName, found: &Left| *found != Left::Nothing || settled_here.contains(name);
        let found = read.look(release, &open).await?;
        left.extend(found.into_iter().filter(|(name, found)| is_last(name, found)));
        next = match read.continues {
            Some(number) => earlier(release, number).await?,
            None => None,
        };
    }
    Ok(left)
}

/// An earlier ticket that another one continues; none if it is gone.
async fn earlier(release: Release<'_>, number: IssueNumber) -> Result<Option<Read>, Vec<Problem>> {
    let issue = release.issue(number);
    match opening::find_numbered(release.hub.github, &issue, release.key).await {
        Ok(Some(found)) => Ok(Some(Read::of(&found, release.hub).await?)),
        Ok(None) => Ok(None),
        Err(error) if error.is_gone() => {
            tracing::warn!("{issue}, which another ticket of the release continues, is gone: {error}");
            Ok(None)
        }
        Err(error) => Err(failed(format!("cannot read {issue}"))(error)),
    }
}

/// What is taken over from earlier tickets by `open`, which continues `number`.
///
/// # Errors
///
/// When a target that is meant must not be started.
pub(super) async fn inherited_by(
    release: Release<'_>,
    open: &Read,
    number: IssueNumber,
) -> Result<Vec<Start>, Vec<Problem>> {
    let settled = open.settled();
    if release.listed.iter().all(|target| settled.contains(&target.name)) {
        return Ok(Vec::new());
    }
    let Some(first) = earlier(release, number).await? else { return Ok(Vec::new()) };
    let left = left_by_chain(release, first, &settled).await?;
    refuse_busy(release, &left, |_| true)?;
    Ok(released(left))
}

/// What is taken over from `closed` by a new ticket.
///
/// # Errors
///
/// When everything is released there, or a target that is meant must not be started.
pub(super) async fn inherited_from(release: Release<'_>, closed: Read) -> Result<Vec<Start>, Vec<Problem>> {
    let again = release.hub.inputs.release_again;
    let done = again_problem(release, &closed);
    let left = left_by_chain(release, closed, &BTreeSet::new()).await?;
    if again {
        refuse_busy(release, &left, |busy| busy.is_at_work)?;
        return Ok(Vec::new());
    }
    let is_released = |name: &TargetName| matches!(left.get(name), Some(Left::Released(_)));
    if release.names().iter().all(is_released) {
        return Err(vec![done]);
    }
    refuse_busy(release, &left, |_| true)?;
    Ok(released(left))
}

fn refuse_busy(
    release: Release<'_>,
    left: &BTreeMap<TargetName, Left>,
    counts: impl Fn(&Busy) -> bool,
) -> Result<(), Vec<Problem>> {
    let mut problems: Vec<Problem> = Vec::new();
    for (_, left) in left.iter().filter(|(name, _)| release.meant.contains(*name)) {
        match left {
            // What holds for all targets of a ticket is said once.
            Left::Busy(busy) if counts(busy) && !problems.contains(&busy.problem) => {
                problems.push(busy.problem.clone());
            }
            _ => {}
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn released(left: BTreeMap<TargetName, Left>) -> Vec<Start> {
    let released = left.into_values().filter_map(|left| match left {
        Left::Released(start) => Some(*start),
        Left::Nothing | Left::Busy(_) => None,
    });
    released.collect()
}

fn again_problem(release: Release<'_>, closed: &Read) -> Problem {
    let version = release.wording.release().unwrap_or_else(|| "everything".to_owned());
    let on = closed.closed_at.map(|at| format!(" on {}", at.format("%Y-%m-%d"))).unwrap_or_default();
    Problem::new(format!("{} released {version}{on}", closed.issue))
        .help("there is nothing left to do; to start everything again, set `release-again: true`")
}

fn nameless(issue: &IssueRef) -> Problem {
    let what = format!(
        "GitHub does not say under which account this step writes, so what {issue}, which is closed, has released \
         is not known"
    );
    Problem::new(what).help(format!("unlock {issue} if it is locked; or use a token of an App"))
}
