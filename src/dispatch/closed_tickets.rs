//! Closed tickets of a release: that of a run which is run again, and the predecessors of a new ticket.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::Hub;
use super::perform::Performer;
use super::preflight;
use super::reading::{identity, read_log, to_problems};
use super::stop::Stop;
use crate::engine::earlier::{self, Conflict, Remainder};
use crate::engine::wording::Wording;
use crate::engine::{Facts, ReadyTarget, Request, TicketState};
use crate::github::issues::Issue;
use crate::names::{IssueNumber, IssueRef, TargetName};
use crate::opening;
use crate::problem::{Problem, Topic};
use crate::targets::{StartBy, Target};
use crate::ticket::claim::Claims;
use crate::ticket::{Basis, Key, Log, Start, Writer};

/// The number of tickets that are read of a chain in which each continues the one before.
const LONGEST_CHAIN: usize = 10;

/// The release of this step, for questions about earlier tickets.
#[derive(Clone, Copy)]
pub(super) struct Release<'a> {
    pub(super) hub: Hub<'a>,
    pub(super) key: &'a Key,
    pub(super) wording: &'a Wording,
    /// All targets of the list.
    pub(super) targets: &'a [Target],
    /// The names of those that this step releases.
    pub(super) selection: &'a BTreeSet<TargetName>,
}

impl Release<'_> {
    pub(super) fn names(&self) -> Vec<TargetName> {
        self.targets.iter().map(|target| target.name.clone()).collect()
    }

    /// Whether this hub run wrote a record.
    pub(super) fn is_ours(&self, by: &Writer) -> bool {
        by.run == self.hub.job.run
    }

    pub(super) fn issue(&self, number: IssueNumber) -> IssueRef {
        IssueRef { repository: self.hub.common.hub.clone(), number }
    }
}

/// A ticket with its log.
pub(super) struct ReadTicket {
    pub(super) issue: IssueRef,
    pub(super) url: String,
    pub(super) opened_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    continues: Option<IssueNumber>,
    pub(super) log: Log,
    pub(super) identity: Option<String>,
}

impl ReadTicket {
    pub(super) async fn of(issue: &Issue, hub: Hub<'_>) -> Result<Self, Vec<Problem>> {
        let ticket = IssueRef { repository: hub.common.hub.clone(), number: issue.number };
        let log = read_log(&ticket, hub.github).await?;
        let identity = identity(&ticket, &log, hub).await?;
        let (url, continues) = (issue.html_url.clone(), opening::continues(issue));
        let (opened_at, closed_at) = (issue.created_at, issue.closed_at);
        Ok(Self { issue: ticket, url, opened_at, closed_at, continues, log, identity })
    }

    pub(super) fn ticket(&self) -> TicketState {
        let (issue, url, opened_at) = (self.issue.clone(), self.url.clone(), Some(self.opened_at));
        TicketState::Open { issue, url, is_new: None, opened_at }
    }

    pub(super) fn basis(&self) -> Basis {
        Basis { identity: self.identity.clone(), ..Basis::default() }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed_at.is_some()
    }

    /// Whether a hub job of any account has dispatched anything with this ticket.
    pub(super) fn was_dispatched(&self) -> bool {
        self.log.first_claimant().is_some()
    }

    /// Whether this hub, under the account of this step, has dispatched anything with this ticket.
    pub(super) fn is_of_hub(&self) -> bool {
        let basis = self.basis();
        let is_own = |author: Option<&str>| basis.is_own(author);
        is_own(self.log.first_claimant()) || self.log.dispatches().any(|(by, _)| is_own(by.author.as_deref()))
    }

    /// Whether this hub run has claimed anything on it.
    pub(super) fn is_own(&self, release: Release<'_>) -> bool {
        let basis = self.basis();
        Claims { log: &self.log, basis: &basis }.own().any(|(_, claim)| release.is_ours(&claim.by))
    }

    /// The targets whose start or release its records settle.
    fn settled_targets(&self) -> BTreeSet<TargetName> {
        let basis = self.basis();
        earlier::settled_targets(Claims { log: &self.log, basis: &basis })
    }

    /// Whether all targets are released, by its records, or else by GitHub's answers.
    pub(super) async fn is_done(&self, release: Release<'_>) -> Result<bool, Vec<Problem>> {
        let names = release.names();
        // The records are enough here: the engine asks GitHub about the runs, and goes on if one did not end well.
        let targets = names.iter().cloned().collect();
        if self.log.ticket_by_basis(&Basis { hidden_targets: targets, ..self.basis() }).is_done(&names) {
            return Ok(true);
        }
        let remainders = self.look(release, release.targets).await?;
        Ok(self.log.ticket().notices.is_empty()
            && remainders.values().all(|remainder| matches!(remainder, Remainder::Released(_))))
    }

    /// The state in which this ticket leaves `targets`. Asks GitHub about their runs, and about the hub jobs that have
    /// claimed them.
    async fn look(
        &self,
        release: Release<'_>,
        targets: &[Target],
    ) -> Result<BTreeMap<TargetName, Remainder>, Vec<Problem>> {
        let Release { hub, wording, .. } = release;
        if self.was_dispatched() && self.identity.is_none() {
            return Err(vec![account_problem(&self.issue)]);
        }
        hub.github.tokens().need(preflight::with_verification(preflight::run_needs(targets), targets));
        let targets = targets.iter().map(|target| self.ready_target(target)).collect();
        let request =
            Request::without_starts(hub.common.writer(hub.job), hub.job.run_url(), targets, wording.clone());
        let facts = Facts::new(self.ticket(), Vec::new());
        let mut facts = facts.with_log(self.log.clone(), self.identity.clone());
        let mut performer = Performer::new(hub.github, &facts);
        performer.ask(&mut facts, &request).await;
        let questions = earlier::questions(&facts, &request, hub.job.clock.now());
        performer.perform(questions, &mut facts, &request, &Stop::default()).await;
        match facts.fatal_problem() {
            Some(problem) => Err(vec![problem.clone()]),
            None => Ok(earlier::remainders(&facts, &request, hub.job.clock.now())),
        }
    }

    /// A target as the ticket's newest record has it, else as in the list.
    fn ready_target(&self, original: &Target) -> ReadyTarget {
        let basis = self.basis();
        let claims = Claims { log: &self.log, basis: &basis };
        let entries = claims.own().flat_map(|(_, claim)| &claim.targets);
        let start = entries.filter(|start| start.target == original.name).last();
        let mut target = original.clone();
        if let Some(Start { repository, workflow, .. }) = start {
            target.repository = repository.clone();
            target.start = match (workflow, &original.start) {
                (Some(workflow), _) => StartBy::Workflow(workflow.clone()),
                (None, StartBy::Event(event)) => StartBy::Event(event.clone()),
                (None, StartBy::Workflow(_)) => StartBy::Event(String::new()),
            };
        }
        // GitHub is asked for the runs of other accounts too.
        let other_ref = || {
            let entries = self.log.dispatches().flat_map(|(_, claim)| &claim.targets);
            entries.filter(|start| start.target == original.name).find_map(|start| start.git_ref.clone())
        };
        let git_ref = start.and_then(|start| start.git_ref.clone()).or_else(other_ref);
        let git_ref = git_ref.or_else(|| original.git_ref.clone()).unwrap_or_else(|| "HEAD".into());
        ReadyTarget { target, git_ref, declaration: None, is_same_account: false }
    }
}

/// The state in which the ticket `first`, and those that it continues, leave the targets that are not settled.
async fn remainders_of_chain(
    release: Release<'_>,
    first: ReadTicket,
    settled_targets: &BTreeSet<TargetName>,
) -> Result<BTreeMap<TargetName, Remainder>, Vec<Problem>> {
    let mut remainders: BTreeMap<TargetName, Remainder> = BTreeMap::new();
    let mut next = Some(first);
    for _ in 0..LONGEST_CHAIN {
        let Some(ticket) = next.take() else { break };
        let is_open = |target: &&Target| {
            !settled_targets.contains(&target.name) && !remainders.contains_key(&target.name)
        };
        let open: Vec<Target> = release.targets.iter().filter(is_open).cloned().collect();
        if open.is_empty() {
            break;
        }
        let settled_here = ticket.settled_targets();
        let is_last = |name: &TargetName, remainder: &Remainder| {
            *remainder != Remainder::Nothing || settled_here.contains(name)
        };
        let here = ticket.look(release, &open).await?;
        remainders.extend(here.into_iter().filter(|(name, remainder)| is_last(name, remainder)));
        next = match ticket.continues {
            Some(number) => earlier_ticket(release, number).await?,
            None => None,
        };
    }
    Ok(remainders)
}

/// An earlier ticket that another one continues; `None` if it is gone.
async fn earlier_ticket(
    release: Release<'_>,
    number: IssueNumber,
) -> Result<Option<ReadTicket>, Vec<Problem>> {
    let issue = release.issue(number);
    match opening::find_by_number(release.hub.github, &issue, release.key).await {
        Ok(Some(issue)) => Ok(Some(ReadTicket::of(&issue, release.hub).await?)),
        Ok(None) => Ok(None),
        Err(error) if error.is_gone() => {
            tracing::warn!("{issue}, which another ticket of the release continues, is gone: {error}");
            Ok(None)
        }
        Err(error) => Err(to_problems(format!("cannot read {issue}"))(error)),
    }
}

/// The released targets that `open`, which continues `number`, takes over from earlier tickets.
///
/// # Errors
///
/// A selected target must not be started.
pub(super) async fn take_over_for_open(
    release: Release<'_>,
    open: &ReadTicket,
    number: IssueNumber,
) -> Result<Vec<Start>, Vec<Problem>> {
    let settled_targets = open.settled_targets();
    if release.targets.iter().all(|target| settled_targets.contains(&target.name)) {
        return Ok(Vec::new());
    }
    let Some(first) = earlier_ticket(release, number).await? else { return Ok(Vec::new()) };
    let remainders = remainders_of_chain(release, first, &settled_targets).await?;
    refuse_conflicts(release, &remainders, |_| true)?;
    Ok(released_starts(remainders))
}

/// The released targets that a new ticket takes over from the closed `ticket`.
///
/// # Errors
///
/// Everything is released there, or a selected target must not be started.
pub(super) async fn take_over_for_new(
    release: Release<'_>,
    ticket: ReadTicket,
) -> Result<Vec<Start>, Vec<Problem>> {
    let again = release.hub.inputs.release_again;
    let nothing_to_do = released_problem(release, &ticket);
    let remainders = remainders_of_chain(release, ticket, &BTreeSet::new()).await?;
    if again {
        refuse_conflicts(release, &remainders, |conflict| conflict.is_at_work)?;
        return Ok(Vec::new());
    }
    let is_released = |name: &TargetName| matches!(remainders.get(name), Some(Remainder::Released(_)));
    if release.names().iter().all(is_released) {
        return Err(vec![nothing_to_do]);
    }
    refuse_conflicts(release, &remainders, |_| true)?;
    Ok(released_starts(remainders))
}

fn refuse_conflicts(
    release: Release<'_>,
    remainders: &BTreeMap<TargetName, Remainder>,
    counts: impl Fn(&Conflict) -> bool,
) -> Result<(), Vec<Problem>> {
    let mut problems: Vec<Problem> = Vec::new();
    for (_, remainder) in remainders.iter().filter(|(name, _)| release.selection.contains(*name)) {
        match remainder {
            // A problem of the whole ticket is the same for each target.
            Remainder::Busy(conflict) if counts(conflict) && !problems.contains(&conflict.problem) => {
                problems.push(conflict.problem.clone());
            }
            _ => {}
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn released_starts(remainders: BTreeMap<TargetName, Remainder>) -> Vec<Start> {
    let released_starts = remainders.into_values().filter_map(|remainder| match remainder {
        Remainder::Released(start) => Some(*start),
        Remainder::Nothing | Remainder::Busy(_) => None,
    });
    released_starts.collect()
}

fn released_problem(release: Release<'_>, ticket: &ReadTicket) -> Problem {
    let version = release.wording.release().unwrap_or_else(|| "everything".to_owned());
    let on = ticket.closed_at.map(|at| format!(" on {}", at.format("%Y-%m-%d"))).unwrap_or_default();
    let help = "there is nothing left to do; to start everything again, set `release-again: true`";
    Problem::new(format!("{} released {version}{on}", ticket.issue)).help(Topic::ClosedTicket, help)
}

fn account_problem(issue: &IssueRef) -> Problem {
    let what = format!(
        "cannot check what the closed ticket {issue} has released: GitHub does not name the account of this step"
    );
    let help = format!("unlock {issue} if it is locked; or use a token of an App");
    Problem::new(what).help(Topic::ClosedTicket, help)
}
