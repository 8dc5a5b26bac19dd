//! Roles of people in repositories.

use std::collections::BTreeMap;
use std::fmt;

use crate::names::RepoName;

/// The role of an account in a repository:
/// [GitHub's roles](https://docs.github.com/organizations/managing-user-access-to-your-organizations-repositories/managing-repository-roles/repository-roles-for-an-organization).
/// An organization's own role counts as the role that it is based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// No access, or to read.
    Read,
    /// To label, assign and close issues.
    Triage,
    /// To push, and to run workflows.
    Write,
    /// Also most settings.
    Maintain,
    /// Everything.
    Admin,
}

impl Role {
    /// The role of this name; none below triage, and for an organization's own role.
    pub(super) fn parse(name: &str) -> Option<Self> {
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

/// The role of an account in a repository, with GitHub's name for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRole {
    /// The role.
    pub role: Role,
    /// GitHub's name for it, which may be that of an organization's own role.
    pub name: String,
    /// GitHub's id of the account; none if GitHub knows no such account.
    pub account: Option<u64>,
}

/// The roles so far, by repository and login in lower case; or the error of the question.
pub(super) type Roles = tokio::sync::Mutex<BTreeMap<(RepoName, String), Result<Role, String>>>;

/// The answer to a question for a role.
#[derive(Debug, Clone)]
pub struct RoleAnswer {
    /// The role, or why GitHub does not report it.
    pub role: Result<Role, String>,
    /// Whether this step has asked for the first time.
    pub is_new: bool,
}
