//! The basis: what decisions rest on.
//!
//! Whoever may comment on the hub's issues can write a record, and a record may colour the board. What is *done*
//! rests on less: on what GitHub itself says of runs, and on the claims of this hub's own identity, the account
//! under which this step writes.

use std::collections::{BTreeMap, BTreeSet};

use super::gate::Rules;
use super::run::FollowedRun;
use super::verification::Verification;
use crate::names::{RepoName, TargetName};

/// What decisions rest on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Basis {
    /// The account under which this step writes; none while that is not known. Then no claim counts.
    pub identity: Option<String>,
    /// Where the targets run that this step lists.
    pub repositories: BTreeMap<TargetName, RepoName>,
    /// The newest run of each target, as GitHub has shown it to this step.
    pub runs: BTreeMap<TargetName, FollowedRun>,
    /// The targets of this step that are verified before they count as released, with the names of the checks.
    pub verify: BTreeMap<TargetName, BTreeSet<&'static str>>,
    /// What this step has verified of what runs have made.
    pub verified: BTreeMap<TargetName, Verification>,
    /// The gates and freezes of the targets file that this step has read; none: those of the records.
    pub rules: Option<Rules>,
    /// The commits of refs that gates ask for, as GitHub has shown them to this step.
    pub commits: BTreeMap<TargetName, String>,
    /// The targets whose runs GitHub does not show: their own reports decide.
    pub unseen: BTreeSet<TargetName>,
}

impl Basis {
    /// Whether this account is the one under which this step writes.
    #[must_use]
    pub fn is_own(&self, author: Option<&str>) -> bool {
        let is_same = |(own, author): (&String, &str)| own.eq_ignore_ascii_case(author);
        self.identity.as_ref().zip(author).is_some_and(is_same)
    }
}
