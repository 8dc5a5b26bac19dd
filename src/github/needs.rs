//! The permissions that a step needs, and where: each mode names them before its first request, and
//! minted tokens are limited to them.

use std::collections::BTreeMap;
use std::fmt;

use crate::names::RepoName;

/// A [permission of a GitHub App](https://docs.github.com/rest/authentication/permissions-required-for-github-apps)
/// that this action uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Workflows and their runs.
    Actions,
    /// Attestations of artifacts.
    Attestations,
    /// Check runs and their annotations.
    Checks,
    /// Files, git references, and `repository_dispatch`.
    Contents,
    /// Issues and their comments.
    Issues,
    /// The members of an organization and of its teams.
    Members,
}

impl Permission {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Actions => "actions",
            Self::Attestations => "attestations",
            Self::Checks => "checks",
            Self::Contents => "contents",
            Self::Issues => "issues",
            Self::Members => "members",
        }
    }
}

/// How far a permission reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// To read.
    Read,
    /// To read and to write.
    Write,
}

impl Level {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "read" => Some(Self::Read),
            "write" | "admin" => Some(Self::Write),
            _ => None,
        }
    }
}

/// A permission as people write it: `issues: write`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The permission.
    pub permission: Permission,
    /// Its level.
    pub level: Level,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.permission.as_str(), self.level.as_str())
    }
}

/// The level of a permission that the step must have, and the level that it can use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Need {
    must: Option<Level>,
    may: Option<Level>,
}

impl Need {
    fn most(self) -> Option<Level> {
        self.must.max(self.may)
    }
}

/// The permissions that a step needs in each repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs(BTreeMap<RepoName, BTreeMap<Permission, Need>>);

impl Needs {
    /// Adds a permission without which the step cannot do its work.
    #[must_use]
    pub fn must(mut self, repository: &RepoName, permission: Permission, level: Level) -> Self {
        let need = self.need(repository, permission);
        need.must = need.must.max(Some(level));
        self
    }

    /// Adds a permission without which the step reports or checks less.
    #[must_use]
    pub fn may(mut self, repository: &RepoName, permission: Permission, level: Level) -> Self {
        let need = self.need(repository, permission);
        need.may = need.may.max(Some(level));
        self
    }

    fn need(&mut self, repository: &RepoName, permission: Permission) -> &mut Need {
        self.0.entry(repository.clone()).or_default().entry(permission).or_default()
    }

    /// Adds a repository without any permission.
    pub(super) fn see(&mut self, repository: &RepoName) {
        self.0.entry(repository.clone()).or_default();
    }

    /// Adds all needs of `other`.
    pub(super) fn extend(&mut self, other: Self) {
        for (repository, needs) in other.0 {
            let own_needs = self.0.entry(repository).or_default();
            for (permission, need) in needs {
                let own = own_needs.entry(permission).or_default();
                *own = Need { must: own.must.max(need.must), may: own.may.max(need.may) };
            }
        }
    }

    /// Whether they include all needs of `other`.
    pub(super) fn cover(&self, other: &Self) -> bool {
        let mut both = self.clone();
        both.extend(other.clone());
        both == *self
    }

    /// The needs in some of the repositories.
    pub(super) fn of(&self, are_meant: impl Fn(&RepoName) -> bool) -> Self {
        let entries = self.0.iter().filter(|(repository, _)| are_meant(repository));
        Self(entries.map(|(repository, needs)| (repository.clone(), needs.clone())).collect())
    }

    pub(super) fn repositories(&self) -> impl Iterator<Item = &RepoName> {
        self.0.keys()
    }

    /// The highest level of each permission that the step can use in any of the repositories.
    pub(super) fn permissions(&self) -> BTreeMap<Permission, Level> {
        let mut permissions = BTreeMap::new();
        for (permission, need) in self.0.values().flatten() {
            if let Some(level) = need.most() {
                let highest = permissions.entry(*permission).or_insert(level);
                *highest = level.max(*highest);
            }
        }
        permissions
    }

    /// The need in `repository` that is among the sufficient `permissions` (`issues=read; pull_requests=read`), with
    /// the level of the need.
    pub(super) fn among_alternatives(&self, repository: &RepoName, permissions: &str) -> Option<Grant> {
        // A comma separates permissions that are needed together: no single need is enough.
        let alternatives = permissions.split(';').filter(|alternative| !alternative.contains(','));
        let needs = self.0.get(repository)?;
        alternatives.filter_map(|one| one.split('=').next()).map(str::trim).find_map(|name| {
            let (permission, need) = needs.iter().find(|(permission, _)| permission.as_str() == name)?;
            Some(Grant { permission: *permission, level: need.most()? })
        })
    }

    /// The grants that the step must have in `repository` and that are not among `grants`.
    pub(super) fn missing_grants(
        &self,
        repository: &RepoName,
        grants: &BTreeMap<Permission, Level>,
    ) -> Vec<Grant> {
        let needs = self.0.get(repository).into_iter().flatten();
        needs
            .filter_map(|(permission, need)| Some(Grant { permission: *permission, level: need.must? }))
            .filter(|grant| grants.get(&grant.permission).copied() < Some(grant.level))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repo(name: &str) -> RepoName {
        name.parse().expect("a name")
    }

    #[test]
    fn needs_of_several_places_add_up_to_the_furthest_of_each() {
        let (hub, web) = (repo("acme/hub"), repo("Acme/web"));
        let mut needs = Needs::default().must(&hub, Permission::Issues, Level::Write).may(
            &hub,
            Permission::Actions,
            Level::Read,
        );
        let of_hub = needs.clone();
        needs.extend(Needs::default().must(&web, Permission::Actions, Level::Write));
        assert!(needs.cover(&of_hub) && !of_hub.cover(&needs));
        assert_eq!(needs.of(|repository| repository == &hub), of_hub);
        let permissions =
            BTreeMap::from([(Permission::Actions, Level::Write), (Permission::Issues, Level::Write)]);
        assert_eq!(needs.permissions(), permissions);
    }

    #[test]
    fn a_missing_permission_is_named_as_far_as_it_is_needed() {
        let hub = repo("acme/hub");
        let needs = Needs::default().must(&hub, Permission::Issues, Level::Write);
        let issues = Some(Grant { permission: Permission::Issues, level: Level::Write });
        assert_eq!(needs.among_alternatives(&hub, "issues=read; pull_requests=read"), issues);
        assert_eq!(needs.among_alternatives(&hub, "contents=read"), None);
        assert_eq!(needs.among_alternatives(&repo("acme/web"), "issues=read"), None);
    }

    #[test]
    fn only_what_a_step_cannot_do_without_is_missed() {
        let hub = repo("acme/hub");
        let needs = Needs::default().must(&hub, Permission::Issues, Level::Write).may(
            &hub,
            Permission::Actions,
            Level::Read,
        );
        let issues = Grant { permission: Permission::Issues, level: Level::Write };
        assert_eq!(needs.missing_grants(&hub, &BTreeMap::new()), [issues]);
        assert_eq!(
            needs.missing_grants(&hub, &BTreeMap::from([(Permission::Issues, Level::Read)])),
            [issues]
        );
        assert_eq!(needs.missing_grants(&hub, &BTreeMap::from([(Permission::Issues, Level::Write)])), []);
        assert_eq!(needs.missing_grants(&repo("acme/web"), &BTreeMap::new()), []);
    }
}
