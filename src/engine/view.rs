//! What the rules look at: the known, the request and the time, with the questions that several ask.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::known::{Attempt, Known, Own, TicketIs};
use super::ready::Ready;
use super::request::{Request, Retry};
use crate::names::{CommentId, IssueNumber, IssueRef, RunId, TargetName};
use crate::ticket::claim::{self, Claims, Counting, Liveness, Standing};
use crate::ticket::{Basis, StartState, Ticket, Verb, Writer};

/// So many targets share a record, so that it fits a comment.
pub(super) const TARGETS_PER_RECORD: usize = 40;

/// What the rules look at.
pub(super) struct View<'a> {
    pub(super) known: &'a Known,
    pub(super) request: &'a Request,
    pub(super) now: DateTime<Utc>,
    /// What decisions rest on.
    pub(super) basis: Basis,
    /// The state of the release, as far as decisions may rest on it.
    pub(super) ticket: Arc<Ticket>,
    /// The ticket's issue.
    pub(super) issue: IssueRef,
}

impl<'a> View<'a> {
    pub(super) fn new(known: &'a Known, request: &'a Request, now: DateTime<Utc>) -> Self {
        let issue = match &known.ticket {
            TicketIs::Open { issue, .. } => issue.clone(),
            TicketIs::New(new) => IssueRef { repository: new.repository.clone(), number: IssueNumber(0) },
        };
        let basis = known.basis(request);
        let ticket = known.log.believed(&basis);
        Self { known, request, now, basis, ticket, issue }
    }

    /// The claims on the ticket.
    pub(super) fn claims(&self) -> Claims<'_> {
        Claims { log: &self.known.log, basis: &self.basis }
    }

    /// The sequence number of this job's newest write.
    pub(super) fn last_seq(&self) -> u64 {
        self.known.log.last_seq(&self.request.by)
    }

    /// The newest record of this step that claims the target.
    pub(super) fn own_claim(&self, target: &TargetName) -> Option<&'a Own> {
        self.known.own.iter().rev().find(|own| own.claims(target))
    }

    /// How the target stands by the claims that count for this job.
    pub(super) fn standing(&self, target: &TargetName, before: Option<CommentId>) -> Standing {
        let counting = Counting { after: self.again(target), before, except: None };
        claim::standing(self.claims(), target, counting, |job| self.liveness(job))
    }

    /// Whether another hub job is at work, as far as it was asked about: who was not is taken to be.
    pub(super) fn liveness(&self, job: &Writer) -> Liveness {
        let known = self.settled_liveness(job).or_else(|| self.known.round.jobs.get(job).copied());
        known.unwrap_or(Liveness::Alive)
    }

    /// What needs no question to be known.
    pub(super) fn settled_liveness(&self, job: &Writer) -> Option<Liveness> {
        let settled = claim::liveness_without_asking(job, &self.request.by);
        settled.or_else(|| self.known.settled_jobs.get(job).copied())
    }

    /// The claim that started the target's failed run, if the target is started again, by the request or by a decision.
    ///
    /// Somebody may have run the target again meanwhile: then it is not, unless this job has claimed it.
    pub(super) fn again(&self, target: &TargetName) -> Option<CommentId> {
        let of_job = self.known.again.as_ref().and_then(|again| again.get(target)).copied();
        let after = of_job.into_iter().chain(self.ticket.retry_of(target)).max()?;
        let is_claimed = self.own_claim(target).is_some_and(|own| own.comment > after);
        (is_claimed || self.failed_claim(target) == Some(after)).then_some(after)
    }

    /// The claim that started the target's run, if that has failed and ended.
    pub(super) fn failed_claim(&self, name: &TargetName) -> Option<CommentId> {
        let target = self.ticket.targets.get(name).filter(|target| target.status.is_bad())?;
        if target.followed.as_ref().is_some_and(|run| !run.has_ended()) {
            return None;
        }
        // Its run ended well: it is verified again before it is given up.
        let is_verified =
            || self.known.verifying.get(name).is_some_and(|verifying| verifying.settled.is_some());
        if target.failed_check().is_some() && !is_verified() {
            return None;
        }
        let of_claim = claim::start_of(self.claims(), name, target.run.as_ref().map(|run| run.id));
        of_claim.or_else(|| self.has_unclaimed_run(name).then_some(claim::BEFORE_ALL))
    }

    /// The same, if the request starts it again.
    pub(super) fn failed_start(&self, name: &TargetName) -> Option<CommentId> {
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

    /// Whether a run of the target is known that no claim of this hub tells of: somebody has deleted the claim, or
    /// has started the target by hand.
    pub(super) fn has_unclaimed_run(&self, name: &TargetName) -> bool {
        let has_run = self.ticket.targets.get(name).is_some_and(|target| target.run.is_some());
        let standing = || claim::standing(self.claims(), name, Counting::default(), |job| self.liveness(job));
        has_run && matches!(standing(), Standing::Free | Standing::ClaimedByOthers(_))
    }

    /// The runs that are known, and of which none is the run of `name` that is looked for: those that any claim of
    /// this hub records, or that this job knows and has not recorded yet; those of other targets; and those that come
    /// before a new start.
    pub(super) fn known_runs(&self, name: &TargetName) -> BTreeSet<RunId> {
        let recorded = self.claims().own().flat_map(|(_, dispatch)| &dispatch.targets);
        let outcomes = self.known.starts.values().filter_map(Attempt::outcome);
        let settled = outcomes.filter_map(|outcome| outcome.run.as_ref()).map(|(run, _)| *run);
        let is_other = |target: &TargetName| target != name || self.again(name).is_some();
        let targets = self.ticket.targets.iter().filter(|(target, _)| is_other(target));
        let followed = targets.flat_map(|(_, target)| {
            target.run.iter().map(|run| run.id).chain(target.older.iter().map(|old| old.run))
        });
        recorded.filter_map(|start| start.run).chain(settled).chain(followed).collect()
    }

    /// The targets that this job has claimed and neither started nor left, with their claims.
    pub(super) fn open_claims(&self) -> impl Iterator<Item = (&'a Own, &'a Ready)> {
        let request = self.request;
        let targets: BTreeMap<&TargetName, &Ready> =
            request.targets.iter().map(|ready| (ready.name(), ready)).collect();
        self.known.own.iter().flat_map(move |own| {
            let open = own.record.targets.iter().filter(|start| start.state == StartState::Claimed);
            let ready: Vec<&Ready> = open.filter_map(|start| targets.get(&start.target).copied()).collect();
            ready.into_iter().map(move |ready| (own, ready))
        })
    }
}
