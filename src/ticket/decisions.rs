//! The decisions of people together: of several words on the same thing the newest counts.
//!
//! Which word is newer is settled by the id of the comment that gave it, whenever a hub job came to read it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::decision::{ApprovedCommit, Decision, Outcome, Verb};
use super::gate::{Freeze, Gate, OnMoved};
use super::reason::Reason;
use super::record::by_text;
use super::state::{Commits, Target, Ticket};
use super::status::{TargetStatus, Word};
use crate::names::{CommentId, RunId, TargetName};

/// How a gate stands for one of the targets that it lets through.
#[derive(Debug, Clone, PartialEq)]
pub struct GateStanding<'t> {
    /// The gate.
    pub gate: &'t Gate,
    /// The approvals that count, oldest first.
    pub approvals: Vec<&'t Decision>,
    /// The approvals of another commit, which do not count.
    pub lapsed: Vec<Lapse<'t>>,
    /// Those of another commit among the approvals that count: the gate only warns.
    pub moved: Vec<Lapse<'t>>,
    /// The refusals, oldest first.
    pub refusals: Vec<&'t Decision>,
}

/// An approval of another commit than the one that would be released.
#[derive(Debug, Clone, PartialEq)]
pub struct Lapse<'t> {
    /// The approval.
    pub approval: &'t Decision,
    /// What was approved; none if the gate did not let the target through at that time.
    pub approved: Option<&'t ApprovedCommit>,
    /// The commit that would be released, where it is known.
    pub now: Option<&'t str>,
}

impl GateStanding<'_> {
    /// Whether the target may pass.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.refusals.is_empty() && self.missing() == 0
    }

    /// So many approvals are missing.
    #[must_use]
    pub fn missing(&self) -> usize {
        (self.gate.required as usize).saturating_sub(self.approvals.len())
    }
}

/// The decisions that count, each once, in the order of their comments.
pub(super) fn in_order<'d>(decisions: impl IntoIterator<Item = &'d Decision>) -> Vec<Decision> {
    // Two jobs may have read the same comment at the same time.
    let mut by_comment: BTreeMap<CommentId, &Decision> = BTreeMap::new();
    for decision in decisions.into_iter().filter(|decision| decision.outcome == Outcome::Accepted) {
        let order = |of: &Decision| (of.by.run, of.by.attempt, of.seq, of.by.job.clone());
        let first = by_comment.entry(decision.comment).or_insert(decision);
        if order(decision).cmp(&order(first)).then_with(|| by_text(decision, first)).is_lt() {
            *first = decision;
        }
    }
    by_comment.into_values().cloned().collect()
}

impl Decision {
    /// Whether it is about this target or gate: one that names nothing is about all.
    fn is_about(&self, name: &TargetName) -> bool {
        self.names.is_empty() || self.names.contains(name)
    }

    /// The reason for people and records.
    fn why(&self) -> Option<String> {
        self.reason.clone()
    }
}

impl Ticket {
    /// The newest of the decisions for which `is_it` says something.
    fn newest<T>(&self, is_it: impl Fn(&Decision) -> Option<T>) -> Option<(&Decision, T)> {
        self.decisions.iter().rev().find_map(|decision| Some((decision, is_it(decision)?)))
    }

    /// Who keeps the target from being started, if somebody does.
    #[must_use]
    pub fn hold_of(&self, name: &TargetName) -> Option<&Decision> {
        let word = |decision: &Decision| match decision.verb()? {
            Verb::Hold if decision.is_about(name) => Some(true),
            Verb::Resume if decision.is_about(name) => Some(false),
            _ => None,
        };
        self.newest(word).filter(|(_, holds)| *holds).map(|(decision, _)| decision)
    }

    /// Who keeps the whole release from being started, if somebody does. Single targets may be resumed all the same.
    #[must_use]
    pub fn hold_of_all(&self) -> Option<&Decision> {
        let word = |decision: &Decision| match decision.verb()? {
            Verb::Hold if decision.names.is_empty() => Some(true),
            Verb::Resume if decision.names.is_empty() => Some(false),
            _ => None,
        };
        self.newest(word).filter(|(_, holds)| *holds).map(|(decision, _)| decision)
    }

    /// Who has decided that the target counts as over, if somebody has.
    #[must_use]
    pub fn skip_of(&self, name: &TargetName) -> Option<&Decision> {
        let word = |decision: &Decision| match decision.verb()? {
            Verb::Skip if decision.names.contains(name) => Some(true),
            // A target that is named goes on, whatever keeps it.
            Verb::Resume if decision.names.contains(name) => Some(false),
            _ => None,
        };
        self.newest(word).filter(|(_, skips)| *skips).map(|(decision, _)| decision)
    }

    /// The newest of the claims whose failed runs commands repeat.
    #[must_use]
    pub fn retry_of(&self, name: &TargetName) -> Option<CommentId> {
        let retries = self.decisions.iter().filter(|decision| decision.asks_for(Verb::Retry));
        let of_target = retries.flat_map(|decision| &decision.retries).filter(|retry| retry.target == *name);
        of_target.map(|retry| retry.after).max()
    }

    /// Whether somebody has decided to cancel this attempt of a run.
    #[must_use]
    pub fn is_to_be_cancelled(&self, run: RunId, attempt: u32) -> bool {
        let cancels = self.decisions.iter().filter(|decision| decision.asks_for(Verb::Cancel));
        cancels
            .flat_map(|decision| &decision.cancels)
            .any(|cancel| (cancel.run, cancel.attempt) == (run, attempt))
    }

    /// The freeze in which nothing is started at `now`, the last one to end.
    #[must_use]
    pub fn freeze_at(&self, now: DateTime<Utc>) -> Option<&Freeze> {
        let freezes = self.rules.freezes.iter().filter(|freeze| freeze.holds_at(now));
        freezes.filter(|freeze| !self.is_overridden(freeze)).max_by_key(|freeze| freeze.to)
    }

    /// Whether somebody has decided that this ticket may start within the freeze.
    #[must_use]
    pub fn is_overridden(&self, freeze: &Freeze) -> bool {
        let overrides = self.decisions.iter().filter(|decision| decision.asks_for(Verb::OverrideFreeze));
        overrides.flat_map(|decision| &decision.freezes).any(|other| other.is_same_time(freeze))
    }

    /// The gates among `needs`.
    pub fn gates_in<'t>(&'t self, needs: &'t [TargetName]) -> impl Iterator<Item = &'t Gate> {
        needs.iter().filter_map(|name| self.rules.gate(name))
    }

    /// Whether people steer the release by comments: it has gates, or somebody has decided something.
    #[must_use]
    pub fn is_steered(&self) -> bool {
        !self.rules.gates.is_empty() || !self.decisions.is_empty()
    }

    /// The targets behind a gate, with their names.
    pub fn behind<'t>(
        &'t self,
        gate: &'t Gate,
    ) -> impl Iterator<Item = (&'t TargetName, &'t Target)> + Clone {
        self.targets.iter().filter(|(_, target)| target.needs.contains(&gate.name))
    }

    /// The targets that a gate still keeps, with their names; where all behind it were started, all of them.
    fn kept_by<'t>(&'t self, gate: &'t Gate) -> impl Iterator<Item = (&'t TargetName, &'t Target)> {
        let has_unstarted = self.behind(gate).any(|(_, target)| !target.status.is_started());
        self.behind(gate).filter(move |(_, target)| !has_unstarted || !target.status.is_started())
    }

    /// How a gate stands for the one of the targets behind it that lacks most.
    #[must_use]
    pub fn worst_standing<'t>(&'t self, gate: &'t Gate) -> GateStanding<'t> {
        let standings = self.kept_by(gate).map(|(name, _)| self.standing(gate, name));
        let worst =
            standings.min_by_key(|standing| (standing.approvals.len(), Reverse(standing.lapsed.len())));
        worst.unwrap_or_else(|| self.standing(gate, &gate.name))
    }

    /// The approvals of a gate that are of another commit, each with its target. Those of a gate that only warns count all
    /// the same, and have not lapsed.
    #[must_use]
    pub fn lapses<'t>(&'t self, gate: &'t Gate) -> Vec<(&'t TargetName, Lapse<'t>)> {
        let lapses = self.kept_by(gate).flat_map(|(name, _)| {
            let GateStanding { lapsed, moved, .. } = self.standing(gate, name);
            lapsed.into_iter().chain(moved).map(move |lapse| (name, lapse))
        });
        lapses.collect()
    }

    /// How a gate stands for `target`, which it lets through.
    #[must_use]
    pub fn standing<'t>(&'t self, gate: &'t Gate, target: &TargetName) -> GateStanding<'t> {
        let mut standing = GateStanding {
            gate,
            approvals: Vec::new(),
            lapsed: Vec::new(),
            moved: Vec::new(),
            refusals: Vec::new(),
        };
        for word in self.words_on(gate) {
            match self.lapse(word, target) {
                _ if word.asks_for(Verb::NoGo) => standing.refusals.push(word),
                _ if gate.not_driver && self.is_driver(word) => {}
                Some(lapse) if gate.on_moved != OnMoved::Warn => standing.lapsed.push(lapse),
                lapse => {
                    standing.approvals.push(word);
                    standing.moved.extend(lapse);
                }
            }
        }
        standing
    }

    /// Whether the driver of the release decided this.
    fn is_driver(&self, decision: &Decision) -> bool {
        self.driver.as_ref().is_some_and(|driver| driver.same_as(decision.who.login.as_str()))
    }

    /// The newest word of each person on a gate, oldest first.
    #[must_use]
    pub fn words_on(&self, gate: &Gate) -> Vec<&Decision> {
        let mut words: BTreeMap<u64, &Decision> = BTreeMap::new();
        let is_word = |decision: &&Decision| {
            let is_on_gates = matches!(decision.verb(), Some(Verb::Go | Verb::NoGo));
            is_on_gates && decision.names.contains(&gate.name)
        };
        // A login may be changed, the id of an account not.
        words.extend(self.decisions.iter().filter(is_word).map(|decision| (decision.who.id, decision)));
        let mut words: Vec<&Decision> = words.into_values().collect();
        words.sort_by_key(|decision| decision.comment);
        words
    }

    /// What makes an approval lapse for `target`, if it is one of another commit.
    fn lapse<'t>(&'t self, approval: &'t Decision, target: &TargetName) -> Option<Lapse<'t>> {
        let approved = approval.commits.iter().find(|commit| commit.target == *target);
        let now = self.commits.of(target);
        let is_same = match (&self.commits, now) {
            (Commits::Recorded(_), None) => true,
            (_, now) => now.is_some() && approved.and_then(|commit| commit.sha.as_deref()) == now,
        };
        (!is_same).then_some(Lapse { approval, approved, now })
    }

    /// The gates among the `needs` of `target` that do not let it pass.
    #[must_use]
    pub fn closed_gates<'t>(&'t self, target: &TargetName, needs: &'t [TargetName]) -> Vec<GateStanding<'t>> {
        let standings = self.gates_in(needs).map(|gate| self.standing(gate, target));
        standings.filter(|standing| !standing.is_open()).collect()
    }

    /// How a target that was not started, or has come to a bad end, stands by what people decided, and why; none where
    /// nothing was decided.
    fn decided(&self, name: &TargetName, target: &Target) -> Option<(TargetStatus, Option<Word<Reason>>)> {
        if let Some(skip) = self.skip_of(name).filter(|_| !target.status.is_released()) {
            let because = Reason::Skipped { by: skip.who.login.clone(), why: skip.why() };
            return Some((TargetStatus::Skipped, Some(because.into())));
        }
        if target.status != TargetStatus::Waiting {
            return None;
        }
        if let Some(hold) = self.hold_of(name) {
            let because = Reason::OnHold { by: hold.who.login.clone(), why: hold.why() };
            return Some((TargetStatus::OnHold, Some(because.into())));
        }
        let is_over = match target.because.as_ref().and_then(Word::known)? {
            Reason::OnHold { .. } | Reason::Skipped { .. } => true,
            Reason::Frozen { to, .. } => {
                let freezes = self.rules.freezes.iter().filter(|freeze| freeze.to == *to);
                freezes.into_iter().all(|freeze| self.is_overridden(freeze))
            }
            _ => false,
        };
        is_over.then_some((TargetStatus::Waiting, None))
    }

    /// The same with what people decided.
    pub(super) fn with_decisions(mut self) -> Self {
        let targets = self.targets.iter();
        let decided: Vec<_> =
            targets.filter_map(|(name, target)| Some((name.clone(), self.decided(name, target)?))).collect();
        for (name, (status, because)) in decided {
            let target = self.targets.get_mut(&name).expect("it is one of them");
            (target.status, target.because) = (status, because);
            if status == TargetStatus::Skipped {
                // Nobody has to do anything about its failure any more.
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
