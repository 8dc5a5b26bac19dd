//! Roles: what GitHub lets somebody do in a repository.

use std::collections::BTreeMap;
use std::fmt;

use crate::names::RepoName;

/// What GitHub lets somebody do in a repository, by
/// [its roles](https://docs.github.com/organizations/managing-user-access-to-your-organizations-repositories/managing-repository-roles/repository-roles-for-an-organization).
/// A role of an organization's own counts as the one that it is based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Nothing, or to read.
    Read,
    /// To label, assign and close issues.
    Triage,
    /// To push, and to run workflows.
    Write,
    /// And most settings.
    Maintain,
    /// Everything.
    Admin,
}

impl Role {
    /// The role of this name; none if it is less than triage, or an organization's own.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "triage" => Some(Self::Triage),
            "write" | "push" => Some(Self::Write),
            "maintain" => Some(Self::Maintain),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    /// GitHub's name for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What GitHub lets an account do in a repository, in GitHub's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenRole {
    /// The role.
    pub role: Role,
    /// GitHub's name for it, which may be that of an organization's own role.
    pub name: String,
    /// GitHub's id of the account, where GitHub says it.
    pub account: Option<u64>,
}

/// The roles that were asked for so far, in lower case.
pub(super) type Roles = tokio::sync::Mutex<BTreeMap<(RepoName, String), Result<Role, String>>>;

/// What GitHub says of somebody's role.
#[derive(Debug, Clone)]
pub struct AskedRole {
    /// The role, or why nobody can tell.
    pub role: Result<Role, String>,
    /// Whether this step has not asked before.
    pub is_new: bool,
}
