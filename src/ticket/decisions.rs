//! The decisions of people together: of several words on the same thing the newest counts.
//!
//! The newer word is the one whose comment has the higher id, no matter when a hub job read it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::decision::{ApprovedCommit, Decision, Outcome, Verb};
use super::gate::{Freeze, Gate, MovePolicy};
use super::reason::Reason;
use super::record::by_text;
use super::state::{Commits, Target, Ticket};
use super::status::{TargetStatus, Word};
use crate::names::{CommentId, RunId, TargetName};

/// The standing of a gate for one of the targets behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct GateStanding<'t> {
    /// The gate.
    pub gate: &'t Gate,
    /// The approvals that count, oldest first.
    pub approvals: Vec<&'t Decision>,
    /// The approvals of another commit, which do not count.
    pub lapses: Vec<Lapse<'t>>,
    /// The approvals of another commit that count all the same, because the gate only warns.
    pub warnings: Vec<Lapse<'t>>,
    /// The refusals, oldest first.
    pub refusals: Vec<&'t Decision>,
}

/// An approval of another commit than the one that would be released.
#[derive(Debug, Clone, PartialEq)]
pub struct Lapse<'t> {
    /// The approval.
    pub approval: &'t Decision,
    /// The approved commit; `None` if the target was not behind the gate then.
    pub commit: Option<&'t ApprovedCommit>,
    /// The commit that would be released; `None` if GitHub has not named it.
    pub now: Option<&'t str>,
}

impl GateStanding<'_> {
    /// Whether the target may pass.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.refusals.is_empty() && self.missing() == 0
    }

    /// The number of approvals that are still missing.
    #[must_use]
    pub fn missing(&self) -> usize {
        (self.gate.required_approvals as usize).saturating_sub(self.approvals.len())
    }
}

/// The decisions that count, each once, in the order of their comments.
pub(super) fn in_order<'d>(decisions: impl IntoIterator<Item = &'d Decision>) -> Vec<Decision> {
    // Two jobs may read the same comment at the same time.
    let mut by_comment: BTreeMap<CommentId, &Decision> = BTreeMap::new();
    for decision in decisions.into_iter().filter(|decision| decision.outcome == Outcome::Accepted) {
        let order = |record: &Decision| (record.by.run, record.by.attempt, record.seq, record.by.job.clone());
        let first = by_comment.entry(decision.comment).or_insert(decision);
        if order(decision).cmp(&order(first)).then_with(|| by_text(decision, first)).is_lt() {
            *first = decision;
        }
    }
    by_comment.into_values().cloned().collect()
}

impl Decision {
    /// Whether it is about this target or gate: a decision without names is about all.
    fn is_about(&self, name: &TargetName) -> bool {
        self.names.is_empty() || self.names.contains(name)
    }

    fn why(&self) -> Option<String> {
        self.reason.clone()
    }
}

impl Ticket {
    /// The newest decision that has a `meaning`, with that meaning.
    fn newest<T>(&self, meaning: impl Fn(&Decision) -> Option<T>) -> Option<(&Decision, T)> {
        self.decisions.iter().rev().find_map(|decision| Some((decision, meaning(decision)?)))
    }

    /// The decision that holds the target back, if there is one.
    #[must_use]
    pub fn hold_of(&self, name: &TargetName) -> Option<&Decision> {
        let word = |decision: &Decision| match decision.verb()? {
            Verb::Hold if decision.is_about(name) => Some(true),
            Verb::Resume if decision.is_about(name) => Some(false),
            _ => None,
        };
        self.newest(word).filter(|(_, holds)| *holds).map(|(decision, _)| decision)
    }

    /// The decision that holds the whole release back, if there is one. People may still resume single targets.
    #[must_use]
    pub fn hold_of_all(&self) -> Option<&Decision> {
        let word = |decision: &Decision| match decision.verb()? {
            Verb::Hold if decision.names.is_empty() => Some(true),
            Verb::Resume if decision.names.is_empty() => Some(false),
            _ => None,
        };
        self.newest(word).filter(|(_, holds)| *holds).map(|(decision, _)| decision)
    }

    /// The decision by which the target counts as ended, if there is one.
    #[must_use]
    pub fn skip_of(&self, name: &TargetName) -> Option<&Decision> {
        let word = |decision: &Decision| match decision.verb()? {
            Verb::Skip if decision.names.contains(name) => Some(true),
            // Somebody who resumes a target by its name ends a skip, too.
            Verb::Resume if decision.names.contains(name) => Some(false),
            _ => None,
        };
        self.newest(word).filter(|(_, skips)| *skips).map(|(decision, _)| decision)
    }

    /// The newest claim whose failed run a command repeats.
    #[must_use]
    pub fn retry_of(&self, name: &TargetName) -> Option<CommentId> {
        let retries = self.decisions.iter().filter(|decision| decision.asks_for(Verb::Retry));
        let of_target = retries.flat_map(|decision| &decision.retries).filter(|retry| retry.target == *name);
        of_target.map(|retry| retry.after).max()
    }

    /// Whether a command cancels this attempt of a run.
    #[must_use]
    pub fn is_to_be_cancelled(&self, run: RunId, attempt: u32) -> bool {
        let cancels = self.decisions.iter().filter(|decision| decision.asks_for(Verb::Cancel));
        cancels
            .flat_map(|decision| &decision.cancels)
            .any(|cancel| (cancel.run, cancel.attempt) == (run, attempt))
    }

    /// The freeze that stops all starts at `now`; of several the one that ends last.
    #[must_use]
    pub fn freeze_at(&self, now: DateTime<Utc>) -> Option<&Freeze> {
        let freezes = self.rules.freezes.iter().filter(|freeze| freeze.holds_at(now));
        freezes.filter(|freeze| !self.is_overridden(freeze)).max_by_key(|freeze| freeze.to)
    }

    /// Whether a command lets this ticket start targets within the freeze.
    #[must_use]
    pub fn is_overridden(&self, freeze: &Freeze) -> bool {
        let overrides = self.decisions.iter().filter(|decision| decision.asks_for(Verb::OverrideFreeze));
        overrides.flat_map(|decision| &decision.freezes).any(|other| other.is_same_time(freeze))
    }

    /// The gates among `needs`.
    pub fn gates_in<'t>(&'t self, needs: &'t [TargetName]) -> impl Iterator<Item = &'t Gate> {
        needs.iter().filter_map(|name| self.rules.gate(name))
    }

    /// Whether people steer the release by comments: it has gates or decisions.
    #[must_use]
    pub fn is_steered(&self) -> bool {
        !self.rules.gates.is_empty() || !self.decisions.is_empty()
    }

    /// The targets behind a gate, with their names.
    pub fn targets_behind<'t>(
        &'t self,
        gate: &'t Gate,
    ) -> impl Iterator<Item = (&'t TargetName, &'t Target)> + Clone {
        self.targets.iter().filter(|(_, target)| target.needs.contains(&gate.name))
    }

    /// The targets that still wait at a gate, with their names. If all behind it were started, these are all of them.
    fn targets_at<'t>(&'t self, gate: &'t Gate) -> impl Iterator<Item = (&'t TargetName, &'t Target)> {
        let has_unstarted = self.targets_behind(gate).any(|(_, target)| !target.status.is_started());
        self.targets_behind(gate).filter(move |(_, target)| !has_unstarted || !target.status.is_started())
    }

    /// The standing of a gate for the target behind it that lacks most approvals.
    #[must_use]
    pub fn worst_standing<'t>(&'t self, gate: &'t Gate) -> GateStanding<'t> {
        let standings = self.targets_at(gate).map(|(name, _)| self.standing(gate, name));
        let worst =
            standings.min_by_key(|standing| (standing.approvals.len(), Reverse(standing.lapses.len())));
        worst.unwrap_or_else(|| self.standing(gate, &gate.name))
    }

    /// The approvals of another commit, each with its target. Those of a gate that only warns are here, too, although
    /// they count and have not lapsed.
    #[must_use]
    pub fn lapses<'t>(&'t self, gate: &'t Gate) -> Vec<(&'t TargetName, Lapse<'t>)> {
        let lapses = self.targets_at(gate).flat_map(|(name, _)| {
            let GateStanding { lapses: lapsed, warnings: moved, .. } = self.standing(gate, name);
            lapsed.into_iter().chain(moved).map(move |lapse| (name, lapse))
        });
        lapses.collect()
    }

    /// The standing of a gate for `target`, which is behind it.
    #[must_use]
    pub fn standing<'t>(&'t self, gate: &'t Gate, target: &TargetName) -> GateStanding<'t> {
        let mut standing = GateStanding {
            gate,
            approvals: Vec::new(),
            lapses: Vec::new(),
            warnings: Vec::new(),
            refusals: Vec::new(),
        };
        for word in self.words_on(gate) {
            match self.lapse(word, target) {
                _ if word.asks_for(Verb::NoGo) => standing.refusals.push(word),
                _ if gate.excludes_driver && self.is_driver(word) => {}
                Some(lapse) if gate.move_policy != MovePolicy::Warn => standing.lapses.push(lapse),
                lapse => {
                    standing.approvals.push(word);
                    standing.warnings.extend(lapse);
                }
            }
        }
        standing
    }

    /// Whether the author is the driver of the release.
    fn is_driver(&self, decision: &Decision) -> bool {
        self.driver.as_ref().is_some_and(|driver| driver.same_as(decision.who.login.as_str()))
    }

    /// The newest go or no-go of each person on a gate, oldest first.
    #[must_use]
    pub fn words_on(&self, gate: &Gate) -> Vec<&Decision> {
        let mut words: BTreeMap<u64, &Decision> = BTreeMap::new();
        let is_word = |decision: &&Decision| {
            let is_on_gates = matches!(decision.verb(), Some(Verb::Go | Verb::NoGo));
            is_on_gates && decision.names.contains(&gate.name)
        };
        // People can change their login, but not the id of their account.
        words.extend(self.decisions.iter().filter(is_word).map(|decision| (decision.who.id, decision)));
        let mut words: Vec<&Decision> = words.into_values().collect();
        words.sort_by_key(|decision| decision.comment);
        words
    }

    /// The lapse of an approval for `target`, if it approved another commit.
    fn lapse<'t>(&'t self, approval: &'t Decision, target: &TargetName) -> Option<Lapse<'t>> {
        let commit = approval.commits.iter().find(|commit| commit.target == *target);
        let now = self.commits.of(target);
        let is_same = match (&self.commits, now) {
            (Commits::FromRecords(_), None) => true,
            (_, now) => now.is_some() && commit.and_then(|commit| commit.sha.as_deref()) == now,
        };
        (!is_same).then_some(Lapse { approval, commit, now })
    }

    /// The gates among the `needs` of `target` that do not let it pass.
    #[must_use]
    pub fn closed_gates<'t>(&'t self, target: &TargetName, needs: &'t [TargetName]) -> Vec<GateStanding<'t>> {
        let standings = self.gates_in(needs).map(|gate| self.standing(gate, target));
        standings.filter(|standing| !standing.is_open()).collect()
    }

    /// The status and reason that decisions give to a target that was not started or has failed; `None` if no decision
    /// is about it.
    fn decided_status(
        &self,
        name: &TargetName,
        target: &Target,
    ) -> Option<(TargetStatus, Option<Word<Reason>>)> {
        if let Some(skip) = self.skip_of(name).filter(|_| !target.status.is_released()) {
            let reason = Reason::Skipped { by: skip.who.login.clone(), why: skip.why() };
            return Some((TargetStatus::Skipped, Some(reason.into())));
        }
        if target.status != TargetStatus::Waiting {
            return None;
        }
        if let Some(hold) = self.hold_of(name) {
            let reason = Reason::OnHold { by: hold.who.login.clone(), why: hold.why() };
            return Some((TargetStatus::OnHold, Some(reason.into())));
        }
        let has_passed = match target.reason.as_ref().and_then(Word::as_known)? {
            Reason::OnHold { .. } | Reason::Skipped { .. } => true,
            Reason::Frozen { to, .. } => {
                let freezes = self.rules.freezes.iter().filter(|freeze| freeze.to == *to);
                freezes.into_iter().all(|freeze| self.is_overridden(freeze))
            }
            _ => false,
        };
        has_passed.then_some((TargetStatus::Waiting, None))
    }

    /// The state after the decisions of people.
    pub(super) fn with_decisions(mut self) -> Self {
        let targets = self.targets.iter();
        let statuses: Vec<_> = targets
            .filter_map(|(name, target)| Some((name.clone(), self.decided_status(name, target)?)))
            .collect();
        for (name, (status, reason)) in statuses {
            let target = self.targets.get_mut(&name).expect("it is one of them");
            (target.status, target.reason) = (status, reason);
            if status == TargetStatus::Skipped {
                // A person has dealt with its failure.
                let notice = target.notice.take();
                self.notices.retain(|open| Some(open) != notice.as_ref());
            }
        }
        self
    }
}

#[cfg(test)]
#[path = "decisions_tests.rs"]
mod tests;
