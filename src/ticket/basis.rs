//! The basis: the facts on which decisions may rest.
//!
//! Anybody who may comment on the hub's issues can write a record, and a record may affect the board. A decision rests
//! on less: on GitHub's own answers about runs, and on the claims of this hub's own identity, the account under which
//! this step writes.

use std::collections::{BTreeMap, BTreeSet};

use super::gate::Rules;
use super::run::FollowedRun;
use super::verification::Verification;
use crate::names::{RepoName, TargetName};

/// The facts that a decision may rest on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Basis {
    /// The account under which this step writes. Until a step knows it, it is `None`, and no claim counts.
    pub identity: Option<String>,
    /// The targets that this step lists, with the repositories in which they run.
    pub repositories: BTreeMap<TargetName, RepoName>,
    /// The newest run of each target, by GitHub's last answer to this step.
    pub runs: BTreeMap<TargetName, FollowedRun>,
    /// The targets of this step that are verified before they count as released, with the names of the checks.
    pub verify: BTreeMap<TargetName, BTreeSet<&'static str>>,
    /// The results of the checks that this step has made.
    pub verifications: BTreeMap<TargetName, Verification>,
    /// The gates and freezes of the targets file that this step has read; if it has read none, those of the records
    /// count.
    pub rules: Option<Rules>,
    /// The commits of the refs behind gates, by GitHub's last answer to this step.
    pub commits: BTreeMap<TargetName, String>,
    /// The targets whose runs GitHub hides from this step: their own reports decide.
    pub hidden_targets: BTreeSet<TargetName>,
}

impl Basis {
    /// Whether `author` is the account under which this step writes.
    #[must_use]
    pub fn is_own(&self, author: Option<&str>) -> bool {
        let is_same = |(own, author): (&String, &str)| own.eq_ignore_ascii_case(author);
        self.identity.as_ref().zip(author).is_some_and(is_same)
    }
}
