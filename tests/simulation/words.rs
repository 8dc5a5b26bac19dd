//! The decisions of people on a ticket, read independently of the product: of several on the same thing, the one in the
//! newest comment counts.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use release_ticket_action::names::{CommentId, TargetName};
use release_ticket_action::ticket::decision::{ApprovedCommit, Outcome};
use release_ticket_action::ticket::{Decision, Freeze, Verb};

/// The commands that count, the newest comment first. Several jobs may have recorded the same command.
pub(crate) struct Words<'l>(Vec<&'l Decision>);

/// The commit that an approval has to name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RequiredCommit<'c> {
    /// Any commit.
    Any,
    /// This commit. If it is unknown, no approval counts.
    At(Option<&'c str>),
}

impl<'l> Words<'l> {
    pub(crate) fn of(decisions: impl Iterator<Item = &'l Decision>) -> Self {
        let mut words: Vec<_> = decisions.filter(|decision| decision.outcome == Outcome::Accepted).collect();
        words.sort_by_key(|decision| Reverse(decision.comment));
        Self(words)
    }

    pub(crate) fn skips(&self, target: &TargetName) -> bool {
        self.last_of(Verb::Skip, |word| word.names.contains(target))
    }

    /// A hold or a resume without a name is about every target.
    pub(crate) fn holds(&self, target: &TargetName) -> bool {
        self.last_of(Verb::Hold, |word| word.names.is_empty() || word.names.contains(target))
    }

    /// Whether the last command with this verb, or with its opposite, resume, has this verb.
    fn last_of(&self, verb: Verb, is_about: impl Fn(&Decision) -> bool) -> bool {
        let mut verbs = self.0.iter().filter(|word| is_about(word)).filter_map(|word| word.verb());
        verbs.find(|other| [verb, Verb::Resume].contains(other)) == Some(verb)
    }

    /// Whether enough people have said go for a target at a gate, and nobody has said no-go.
    pub(crate) fn lets_pass(
        &self,
        gate: &TargetName,
        required: u32,
        target: &TargetName,
        commit: RequiredCommit<'_>,
    ) -> bool {
        let mut last: BTreeMap<u64, (CommentId, Verb, bool)> = BTreeMap::new();
        for word in self.0.iter().filter(|word| word.names.contains(gate)) {
            let Some(verb) = word.verb().filter(|verb| [Verb::Go, Verb::NoGo].contains(verb)) else {
                continue;
            };
            let is_about = |approval: &ApprovedCommit, sha| {
                approval.target == *target && approval.sha.as_deref() == Some(sha)
            };
            let counts = match commit {
                RequiredCommit::Any => true,
                RequiredCommit::At(sha) => {
                    sha.is_some_and(|sha| word.commits.iter().any(|approval| is_about(approval, sha)))
                }
            };
            let newest = last.entry(word.who.id).or_insert((word.comment, verb, counts));
            // Several jobs may record one comment, each with the commits that it has read.
            newest.2 |= newest.0 == word.comment && counts;
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
