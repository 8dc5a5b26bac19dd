//! What people have said on a ticket, read once more apart from the product: of several words on the same thing the
//! one of the newest comment counts.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use release_ticket_action::names::{CommentId, TargetName};
use release_ticket_action::ticket::decision::{ApprovedCommit, Outcome};
use release_ticket_action::ticket::{Decision, Freeze, Verb};

/// The commands that count, the newest comment first; several jobs may have recorded one of them.
pub(crate) struct Words<'l>(Vec<&'l Decision>);

/// The commit that an approval has to be about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Approved<'c> {
    /// Any.
    Any,
    /// This one; none: nobody knows which, so no approval counts.
    At(Option<&'c str>),
}

impl<'l> Words<'l> {
    pub(crate) fn of(decisions: impl Iterator<Item = &'l Decision>) -> Self {
        let mut words: Vec<_> = decisions.filter(|decision| decision.outcome == Outcome::Accepted).collect();
        words.sort_by_key(|decision| Reverse(decision.comment));
        Self(words)
    }

    pub(crate) fn skip(&self, target: &TargetName) -> bool {
        self.last_of(Verb::Skip, |word| word.names.contains(target))
    }

    /// A hold or a resume that names nothing is about every target.
    pub(crate) fn hold(&self, target: &TargetName) -> bool {
        self.last_of(Verb::Hold, |word| word.names.is_empty() || word.names.contains(target))
    }

    /// Whether the last word of this verb or its opposite, resume, is of this verb.
    fn last_of(&self, verb: Verb, is_about: impl Fn(&Decision) -> bool) -> bool {
        let mut verbs = self.0.iter().filter(|word| is_about(word)).filter_map(|word| word.verb());
        verbs.find(|said| [verb, Verb::Resume].contains(said)) == Some(verb)
    }

    /// Whether enough people let a target pass a gate, and nobody stops it.
    pub(crate) fn open(
        &self,
        gate: &TargetName,
        required: u32,
        target: &TargetName,
        commit: Approved<'_>,
    ) -> bool {
        let mut last: BTreeMap<u64, (CommentId, Verb, bool)> = BTreeMap::new();
        for word in self.0.iter().filter(|word| word.names.contains(gate)) {
            let Some(verb) = word.verb().filter(|verb| [Verb::Go, Verb::NoGo].contains(verb)) else {
                continue;
            };
            let is_about = |of: &ApprovedCommit, sha| of.target == *target && of.sha.as_deref() == Some(sha);
            let counts = match commit {
                Approved::Any => true,
                Approved::At(sha) => sha.is_some_and(|sha| word.commits.iter().any(|of| is_about(of, sha))),
            };
            let known = last.entry(word.who.id).or_insert((word.comment, verb, counts));
            // Of several records of one comment each says what its job has seen.
            known.2 |= known.0 == word.comment && counts;
        }
        let gos = last.values().filter(|(_, verb, counts)| *verb == Verb::Go && *counts).count();
        last.values().all(|(_, verb, _)| *verb == Verb::Go) && gos >= required as usize
    }

    pub(crate) fn overrides(&self, freeze: &Freeze) -> bool {
        let mut overrides = self.0.iter().filter(|word| word.verb() == Some(Verb::OverrideFreeze));
        overrides
            .any(|word| word.freezes.iter().any(|other| (other.from, other.to) == (freeze.from, freeze.to)))
    }
}
