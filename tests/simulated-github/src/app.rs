//! GitHub Apps: their installations, with permissions and tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::World;
use crate::key::{KeyForm, install, private_key};
use crate::repository::RepoKey;
use crate::token::Level;

#[derive(Debug)]
pub(crate) struct AppData {
    pub(crate) id: u64,
    pub(crate) client_id: String,
    pub(crate) slug: String,
    pub(crate) installations: Vec<Installation>,
}

impl AppData {
    /// The login of the App's tokens.
    pub(crate) fn login(&self) -> String {
        format!("{}[bot]", self.slug)
    }

    /// Keeps a repository selected under its new name.
    pub(crate) fn follow(&mut self, from: &RepoKey, to: &RepoKey) {
        let selections = self.installations.iter_mut().filter_map(|it| it.selection.as_mut());
        for selections in selections {
            if selections.remove(from) {
                selections.insert(to.clone());
            }
        }
    }

    pub(crate) fn on(&self, owner: &str) -> Option<&Installation> {
        self.installations.iter().find(|installation| installation.owner.eq_ignore_ascii_case(owner))
    }
}

/// The installation of an App on an owner.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    pub(crate) id: u64,
    pub(crate) owner: String,
    pub(crate) permissions: BTreeMap<String, Level>,
    /// `None` if all repositories of the owner are selected.
    pub(crate) selection: Option<BTreeSet<RepoKey>>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) suspended_at: Option<DateTime<Utc>>,
}

impl Installation {
    /// Whether a repository of the owner is selected. A repository that does not exist may be, too.
    pub(crate) fn covers(&self, key: &RepoKey) -> bool {
        self.selection.as_ref().is_none_or(|selection| selection.contains(key))
    }
}

/// The tokens of installations, and the lifetime of new ones.
#[derive(Debug)]
pub(crate) struct InstallationTokens {
    pub(crate) lifetime: TimeDelta,
    pub(crate) tokens: Vec<InstallationToken>,
}

impl Default for InstallationTokens {
    fn default() -> Self {
        Self { lifetime: TimeDelta::hours(1), tokens: Vec::new() }
    }
}

/// A token of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstallationToken {
    /// The token itself.
    pub secret: String,
    /// The owner on which the App is installed.
    pub owner: String,
    /// The repositories that it reaches.
    pub repositories: Vec<String>,
    /// Its permissions there, without `metadata: read`.
    pub permissions: Vec<String>,
    /// Whether it has been revoked.
    pub is_revoked: bool,
}

/// A handle on a GitHub App, for tests that set it up. Cheap to clone; most methods return it.
#[derive(Clone)]
pub struct App {
    world: World,
    slug: String,
}

impl App {
    fn change(&self, change: impl FnOnce(&mut AppData)) -> Self {
        let mut state = self.world.lock();
        change(state.app_mut(&self.slug).expect("an App stays"));
        self.clone()
    }

    fn change_on(&self, owner: &str, change: impl FnOnce(&mut Installation)) -> Self {
        self.change(|app| {
            let mut installations = app.installations.iter_mut();
            let installation = installations.find(|it| it.owner.eq_ignore_ascii_case(owner));
            change(installation.unwrap_or_else(|| panic!("the App is not installed on {owner}")));
        })
    }

    /// Its client id.
    pub fn client_id(&self) -> String {
        let mut state = self.world.lock();
        state.app_mut(&self.slug).expect("an App stays").client_id.clone()
    }

    /// Its number.
    pub fn id(&self) -> u64 {
        let mut state = self.world.lock();
        state.app_mut(&self.slug).expect("an App stays").id
    }

    /// Its private key, in the form in which GitHub gives it.
    pub fn private_key(&self) -> String {
        private_key(KeyForm::Pkcs1)
    }

    /// Installs it on an owner, for all repositories, with permissions such as `issues: write`. An existing
    /// installation gets these permissions instead of its own.
    ///
    /// # Panics
    ///
    /// If a permission is not written `name: read`, `name: write` or `name: admin`.
    pub fn installed_on(&self, owner: &str, permissions: &[&str]) -> Self {
        let permissions: BTreeMap<String, Level> =
            permissions.iter().map(|it| Level::parse_permission(it)).collect();
        let mut state = self.world.lock();
        let now = state.second();
        let id = state.next_installation_id();
        let app = state.app_mut(&self.slug).expect("an App stays");
        match app.installations.iter_mut().find(|it| it.owner.eq_ignore_ascii_case(owner)) {
            Some(installation) => installation.permissions = permissions,
            None => app.installations.push(Installation {
                id,
                owner: owner.into(),
                permissions,
                selection: None,
                created_at: now,
                suspended_at: None,
            }),
        }
        drop(state);
        self.clone()
    }

    /// Limits it to these repositories of an owner.
    pub fn only_for(&self, owner: &str, repositories: &[&str]) -> Self {
        let selection = repositories.iter().map(|name| RepoKey::new(&format!("{owner}/{name}"))).collect();
        self.change_on(owner, |installation| installation.selection = Some(selection))
    }

    /// Suspends it on an owner: its tokens are of no use there.
    pub fn suspend(&self, owner: &str) -> Self {
        let now = self.world.lock().second();
        self.change_on(owner, |installation| installation.suspended_at = Some(now))
    }
}

impl World {
    /// The GitHub App with this slug. A missing one is created. It acts as `slug[bot]`.
    ///
    /// Every App has the same private key.
    pub fn app(&self, slug: &str) -> App {
        install();
        self.lock().create_app(slug);
        App { world: self.clone(), slug: slug.into() }
    }

    /// Sets the lifetime of new tokens of installations. The default is an hour.
    pub fn installation_tokens_last(&self, time: Duration) {
        let time = TimeDelta::from_std(time).expect("the time fits into a `TimeDelta`");
        self.lock().installation_tokens.lifetime = time;
    }

    /// All tokens of installations, the oldest first.
    pub fn installation_tokens(&self) -> Vec<InstallationToken> {
        let state = self.lock();
        let tokens = state.installation_tokens.tokens.iter();
        let present = |token: &InstallationToken| {
            let is_revoked = state.token(&token.secret).is_none_or(|data| data.is_revoked);
            InstallationToken { is_revoked, ..token.clone() }
        };
        tokens.map(present).collect()
    }
}
