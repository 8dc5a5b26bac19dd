//! Teams of organizations, with their members.

use crate::World;
use crate::issue::same;

/// A team's name `organization/slug` in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TeamKey(String);

impl TeamKey {
    pub(crate) fn new(organization: &str, slug: &str) -> Self {
        Self(format!("{organization}/{slug}").to_ascii_lowercase())
    }
}

#[derive(Debug, Default)]
pub(crate) struct TeamData {
    pub(crate) members: Vec<Membership>,
}

impl TeamData {
    pub(crate) fn membership(&self, login: &str) -> Option<&Membership> {
        self.members.iter().find(|one| same(&one.login, login))
    }

    fn set(&mut self, membership: Membership) {
        self.members.retain(|one| !same(&one.login, &membership.login));
        self.members.push(membership);
    }
}

/// The membership of a person in a team.
#[derive(Debug, Clone)]
pub(crate) struct Membership {
    pub(crate) login: String,
    /// `member` or `maintainer`.
    pub(crate) role: &'static str,
    /// `active`, or `pending` until the person accepts an invitation.
    pub(crate) state: &'static str,
}

/// A handle on a team, for tests that set it up. Cheap to clone; every method returns it.
#[derive(Clone)]
pub struct Team {
    world: World,
    key: TeamKey,
}

impl Team {
    fn change(&self, change: impl FnOnce(&mut TeamData)) -> Self {
        change(self.world.lock().team_mut(&self.key));
        self.clone()
    }

    fn set(&self, login: &str, role: &'static str, state: &'static str) -> Self {
        self.world.lock().add_user(login);
        self.change(|team| team.set(Membership { login: login.into(), role, state }))
    }

    /// Makes a person a member.
    pub fn member(&self, login: &str) -> Self {
        self.set(login, "member", "active")
    }

    /// Makes a person a member who may change the team.
    pub fn maintainer(&self, login: &str) -> Self {
        self.set(login, "maintainer", "active")
    }

    /// Invites a person. The membership is pending.
    pub fn invitee(&self, login: &str) -> Self {
        self.set(login, "member", "pending")
    }

    /// Removes a person from the team.
    pub fn without(&self, login: &str) -> Self {
        self.change(|team| team.members.retain(|one| !same(&one.login, login)))
    }
}

impl World {
    /// The team with this name, `organization/slug`. A missing one is created.
    ///
    /// # Panics
    ///
    /// If the name has no `/`.
    pub fn team(&self, name: &str) -> Team {
        let (organization, slug) = name.split_once('/').expect("a team is named organization/slug");
        let key = TeamKey::new(organization, slug);
        self.lock().team_mut(&key);
        Team { world: self.clone(), key }
    }
}
