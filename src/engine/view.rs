//! The view of the rules: the facts, the request and the time, with the questions that several rules have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::facts::{Facts, OwnRecord, OwnStart, TicketState};
use super::ready::ReadyTarget;
use super::request::{Request, Retry};
use crate::names::{CommentId, IssueNumber, IssueRef, RunId, TargetName};
use crate::ticket::claim::{self, Claims, Counting, Liveness, Standing};
use crate::ticket::{Basis, StartState, Ticket, Verb, Writer};

/// The largest number of targets in a record: so it fits a comment.
pub(super) const TARGETS_PER_RECORD: usize = 40;

pub(super) struct View<'a> {
    pub(super) facts: &'a Facts,
    pub(super) request: &'a Request,
    pub(super) now: DateTime<Utc>,
    /// The basis of decisions.
    pub(super) basis: Basis,
    /// The state of the release by that basis.
    pub(super) ticket: Arc<Ticket>,
    pub(super) issue: IssueRef,
}

impl<'a> View<'a> {
    pub(super) fn new(facts: &'a Facts, request: &'a Request, now: DateTime<Utc>) -> Self {
        let issue = match &facts.ticket {
            TicketState::Open { issue, .. } => issue.clone(),
            TicketState::New(new) => IssueRef { repository: new.repository.clone(), number: IssueNumber(0) },
        };
        let basis = facts.basis(request);
        let ticket = facts.log.ticket_by_basis(&basis);
        Self { facts, request, now, basis, ticket, issue }
    }

    pub(super) fn claims(&self) -> Claims<'_> {
        Claims { log: &self.facts.log, basis: &self.basis }
    }

    /// The sequence number of this job's newest write.
    pub(super) fn last_seq(&self) -> u64 {
        self.facts.log.last_seq(&self.request.by)
    }

    /// The newest record of this step that claims the target.
    pub(super) fn own_claim(&self, target: &TargetName) -> Option<&'a OwnRecord> {
        self.facts.own_records.iter().rev().find(|own| own.claims(target))
    }

    /// The standing of the target by the claims that count for this job.
    pub(super) fn standing(&self, target: &TargetName, before: Option<CommentId>) -> Standing {
        let counting = Counting { after: self.retried_claim(target), before, except: None };
        claim::standing(self.claims(), target, counting, |job| self.liveness(job))
    }

    /// Whether another hub job is at work. A job counts as alive before GitHub has answered.
    pub(super) fn liveness(&self, job: &Writer) -> Liveness {
        let liveness = self.settled_liveness(job).or_else(|| self.facts.round.jobs.get(job).copied());
        liveness.unwrap_or(Liveness::Alive)
    }

    /// Whether another hub job is at work, if that needs no question.
    pub(super) fn settled_liveness(&self, job: &Writer) -> Option<Liveness> {
        let own_liveness = claim::liveness_without_asking(job, &self.request.by);
        own_liveness.or_else(|| self.facts.settled_jobs.get(job).copied())
    }

    /// The claim that started the target's failed run, if the request or a decision starts the target again.
    ///
    /// `None` if somebody has re-run the target in the meantime, unless this job has claimed it.
    pub(super) fn retried_claim(&self, target: &TargetName) -> Option<CommentId> {
        let job_retry = self.facts.retries.as_ref().and_then(|retries| retries.get(target)).copied();
        let after = job_retry.into_iter().chain(self.ticket.retry_of(target)).max()?;
        let is_claimed = self.own_claim(target).is_some_and(|own| own.comment > after);
        (is_claimed || self.failed_claim(target) == Some(after)).then_some(after)
    }

    /// The claim that started the target's run, if the run has failed and ended.
    pub(super) fn failed_claim(&self, name: &TargetName) -> Option<CommentId> {
        let target = self.ticket.targets.get(name).filter(|target| target.status.is_bad())?;
        if target.followed_run.as_ref().is_some_and(|run| !run.has_ended()) {
            return None;
        }
        // The target's run succeeded: the job repeats the verification before it starts the target again.
        let is_verified =
            || self.facts.verifications.get(name).is_some_and(|progress| progress.result.is_some());
        if target.failed_check().is_some() && !is_verified() {
            return None;
        }
        let claim = claim::start_of(self.claims(), name, target.run.as_ref().map(|run| run.id));
        claim.or_else(|| self.has_unclaimed_run(name).then_some(claim::BEFORE_ALL))
    }

    /// The claim that started the target's failed run, if the request starts the target again.
    pub(super) fn claim_to_retry(&self, name: &TargetName) -> Option<CommentId> {
        let after = self.failed_claim(name)?;
        match self.request.retry {
            Retry::Nothing => None,
            Retry::Failed => Some(after),
            Retry::Named => {
                let mut claims = self.claims().own();
                let claim = claims.find(|(comment, _)| comment.id == after);
                claim.is_none_or(|(_, claim)| claim.by.run != self.request.by.run).then_some(after)
            }
        }
    }

    /// Whether the command that started this job asks for a new start of the target.
    pub(super) fn is_asked_to_retry(&self, name: &TargetName) -> bool {
        let decision = self.decision().filter(|decision| decision.asks_for(Verb::Retry));
        decision.is_some_and(|decision| decision.names.contains(name))
    }

    /// Whether the target has a run without a claim of this hub: somebody has deleted the claim, or has started the
    /// target by hand.
    pub(super) fn has_unclaimed_run(&self, name: &TargetName) -> bool {
        let has_run = self.ticket.targets.get(name).is_some_and(|target| target.run.is_some());
        let standing = || claim::standing(self.claims(), name, Counting::default(), |job| self.liveness(job));
        has_run && matches!(standing(), Standing::Free | Standing::ClaimedByOthers(_))
    }

    /// The runs that a search for the run of `name` leaves out: runs that a claim of this hub records, runs that this
    /// job has not recorded yet, runs of other targets, and before a new start the target's old runs.
    pub(super) fn other_runs(&self, name: &TargetName) -> BTreeSet<RunId> {
        let entries = self.claims().own().flat_map(|(_, dispatch)| &dispatch.targets);
        let outcomes = self.facts.starts.values().filter_map(OwnStart::outcome);
        let new_runs = outcomes.filter_map(|outcome| outcome.run.as_ref()).map(|(run, _)| *run);
        let is_other = |target: &TargetName| target != name || self.retried_claim(name).is_some();
        let targets = self.ticket.targets.iter().filter(|(target, _)| is_other(target));
        let other_runs = targets.flat_map(|(_, target)| {
            target.run.iter().map(|run| run.id).chain(target.old_stages.iter().map(|old| old.run))
        });
        entries.filter_map(|start| start.run).chain(new_runs).chain(other_runs).collect()
    }

    /// The targets that this job has claimed and neither started nor left to another job, with their claims.
    pub(super) fn open_claims(&self) -> impl Iterator<Item = (&'a OwnRecord, &'a ReadyTarget)> {
        let request = self.request;
        let targets: BTreeMap<&TargetName, &ReadyTarget> =
            request.targets.iter().map(|ready| (ready.name(), ready)).collect();
        self.facts.own_records.iter().flat_map(move |own| {
            let open = own.record.targets.iter().filter(|start| start.state == StartState::Claimed);
            let ready: Vec<&ReadyTarget> =
                open.filter_map(|start| targets.get(&start.target).copied()).collect();
            ready.into_iter().map(move |ready| (own, ready))
        })
    }
}
