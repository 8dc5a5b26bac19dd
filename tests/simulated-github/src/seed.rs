//! Worlds from a file, for other programs.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::World;
use crate::release::Release;

/// The first state of a world, as JSON or YAML.
///
/// ```yaml
/// repositories:
///   acme/hub:
///     private: true
///     members: { alice: OWNER }
///     roles: { dana: maintain }
///     opened: [{ title: Release 1.4.0, body: Ready?, author: alice }]
///   acme/web:
///     files:
///       .github/workflows/release.yml: |
///         on: workflow_dispatch
///     branches: [v1]
///     releases: [{ tag: v1.3.0, body: Faster. }]
/// teams:
///   acme/release: [alice, dana]
/// tokens:
///   ghs_1:
///     acts_as: acme-release[bot]
///     can:
///       acme: ["members: read"]
///       acme/hub: ["issues: write"]
///       acme/web: ["actions: write"]
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seed {
    repositories: BTreeMap<String, RepositorySeed>,
    /// The members of each.
    teams: BTreeMap<String, Vec<String>>,
    tokens: BTreeMap<String, TokenSeed>,
    ghes: Option<String>,
    rate_limit: Option<u64>,
    content_creation_limit: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RepositorySeed {
    default_branch: Option<String>,
    private: bool,
    archived: bool,
    issues: bool,
    files: BTreeMap<String, String>,
    branches: Vec<String>,
    members: BTreeMap<String, String>,
    roles: BTreeMap<String, String>,
    assignable: Vec<String>,
    disabled_workflows: Vec<String>,
    opened: Vec<IssueSeed>,
    releases: Vec<Release>,
}

impl Default for RepositorySeed {
    fn default() -> Self {
        Self {
            default_branch: None,
            private: false,
            archived: false,
            issues: true,
            files: BTreeMap::new(),
            branches: Vec::new(),
            members: BTreeMap::new(),
            roles: BTreeMap::new(),
            assignable: Vec::new(),
            disabled_workflows: Vec::new(),
            opened: Vec::new(),
            releases: Vec::new(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueSeed {
    title: String,
    #[serde(default)]
    body: String,
    author: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TokenSeed {
    acts_as: Option<String>,
    everything: bool,
    can: BTreeMap<String, Vec<String>>,
    without_push: Vec<String>,
}

/// The text is not a seed.
#[derive(Debug, thiserror::Error)]
#[error("the world cannot be read")]
pub struct SeedError(#[from] serde_saphyr::Error);

impl Seed {
    /// Reads a seed. JSON is YAML.
    pub fn parse(text: &str) -> Result<Self, SeedError> {
        Ok(serde_saphyr::from_str(text)?)
    }

    /// Adds everything in the seed to a world.
    ///
    /// # Panics
    ///
    /// If a name or permission is invalid, as the methods of [`World`], [`Repository`](crate::Repository) and
    /// [`Token`](crate::Token) do.
    pub fn plant(&self, world: &World) {
        for (name, seed) in &self.repositories {
            plant_repository(world, name, seed);
        }
        for (name, members) in &self.teams {
            let team = world.team(name);
            members.iter().for_each(|login| drop(team.member(login)));
        }
        for (secret, seed) in &self.tokens {
            plant_token(world, secret, seed);
        }
        if let Some(release) = &self.ghes {
            world.ghes(release);
        }
        if let Some(hourly) = self.rate_limit {
            world.rate_limit(hourly);
        }
        if let Some(per_minute) = self.content_creation_limit {
            world.content_creation_limit(per_minute);
        }
    }
}

fn plant_repository(world: &World, name: &str, seed: &RepositorySeed) {
    let repository = world.repository(name);
    if let Some(branch) = &seed.default_branch {
        repository.default_branch(branch);
    }
    for (path, text) in &seed.files {
        repository.file(path, text);
    }
    for branch in &seed.branches {
        repository.branch(branch);
    }
    for (login, association) in &seed.members {
        repository.member(login, association);
    }
    for (login, role) in &seed.roles {
        repository.role(login, role);
    }
    for login in &seed.assignable {
        repository.assignable(login);
    }
    for workflow in &seed.disabled_workflows {
        repository.disable_workflow(workflow);
    }
    for issue in &seed.opened {
        world.issue(name, &issue.title, &issue.body, &issue.author);
    }
    for release in &seed.releases {
        world.release(name, release.clone());
    }
    if seed.private {
        repository.private();
    }
    if seed.archived {
        repository.archive();
    }
    if !seed.issues {
        repository.issues_off();
    }
}

fn plant_token(world: &World, secret: &str, seed: &TokenSeed) {
    let token = world.token(secret);
    if let Some(login) = &seed.acts_as {
        token.acts_as(login);
    }
    if seed.everything {
        token.can_everything();
    }
    for (repository, permissions) in &seed.can {
        let permissions: Vec<&str> = permissions.iter().map(String::as_str).collect();
        token.can(repository, &permissions);
    }
    for repository in &seed.without_push {
        token.without_push(repository);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::RepoKey;
    use crate::team::TeamKey;

    #[test]
    fn a_seed_becomes_a_world() {
        let seed = Seed::parse(
            "repositories:\n  acme/hub:\n    members: { alice: OWNER }\n    roles: { dana: maintain }\n    \
             opened: [{ title: Release, author: alice }]\n\
             teams: { acme/release: [dana] }\n\
             tokens:\n  ghs_1: { acts_as: 'x[bot]', can: { acme/hub: ['issues: write'] } }\n",
        );
        let world = World::new();
        seed.expect("the sample is a seed").plant(&world);
        let issue = world.issue_view("acme/hub", 1);
        assert_eq!((issue.title.as_str(), issue.association.as_str()), ("Release", "OWNER"));
        let state = world.lock();
        let hub = state.repository(&RepoKey::new("acme/hub")).map(|hub| hub.role("dana").name);
        assert_eq!(hub.as_deref(), Some("maintain"));
        let team = state.team(&TeamKey::new("acme", "release"));
        assert!(team.is_some_and(|team| team.membership("Dana").is_some()));
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        assert!(Seed::parse("repositorys: {}").is_err());
    }
}
