//! GitHub Apps: where they are installed, what they may do there, and the tokens of their
//! installations.

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
    /// The account that acts with the App's tokens.
    pub(crate) fn login(&self) -> String {
        format!("{}[bot]", self.slug)
    }

    /// Keeps a repository selected that has another name now.
    pub(crate) fn follow(&mut self, from: &RepoKey, to: &RepoKey) {
        let selected = self.installations.iter_mut().filter_map(|it| it.selected.as_mut());
        for selected in selected {
            if selected.remove(from) {
                selected.insert(to.clone());
            }
        }
    }

    pub(crate) fn on(&self, owner: &str) -> Option<&Installation> {
        self.installations.iter().find(|installation| installation.owner.eq_ignore_ascii_case(owner))
    }
}

/// An App on an owner.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    pub(crate) id: u64,
    pub(crate) owner: String,
    pub(crate) permissions: BTreeMap<String, Level>,
    /// `None` if all repositories of the owner are selected.
    pub(crate) selected: Option<BTreeSet<RepoKey>>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) suspended_at: Option<DateTime<Utc>>,
}

impl Installation {
    /// Whether a repository of the owner is selected. It need not exist.
    pub(crate) fn covers(&self, key: &RepoKey) -> bool {
        self.selected.as_ref().is_none_or(|selected| selected.contains(key))
    }
}

/// How long the tokens of installations last, and which were handed out.
#[derive(Debug)]
pub(crate) struct InstallationTokens {
    pub(crate) last: TimeDelta,
    pub(crate) handed_out: Vec<InstallationToken>,
}

impl Default for InstallationTokens {
    fn default() -> Self {
        Self { last: TimeDelta::hours(1), handed_out: Vec::new() }
    }
}

/// A token of an installation as it was handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstallationToken {
    /// The token itself.
    pub secret: String,
    /// Where the App is installed.
    pub owner: String,
    /// The repositories that it reaches.
    pub repositories: Vec<String>,
    /// What it may do there, without `metadata: read`.
    pub permissions: Vec<String>,
    /// Whether it was revoked since then.
    pub revoked: bool,
}

/// A handle on a GitHub App, for setting it up. Cheap to clone; every method gives it back.
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

    /// Its private key as GitHub gives it.
    pub fn private_key(&self) -> String {
        private_key(KeyForm::Pkcs1)
    }

    /// Installs it on an owner, for all repositories, with permissions such as `issues: write`. On an
    /// owner where it is installed already, these are its permissions from now on.
    ///
    /// # Panics
    ///
    /// If a permission is not written `name: read`, `name: write` or `name: admin`.
    pub fn installed_on(&self, owner: &str, permissions: &[&str]) -> Self {
        let permissions: BTreeMap<String, Level> = permissions.iter().map(|it| Level::named(it)).collect();
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
                selected: None,
                created_at: now,
                suspended_at: None,
            }),
        }
        drop(state);
        self.clone()
    }

    /// Selects the only repositories of an owner that it reaches.
    pub fn only_for(&self, owner: &str, repositories: &[&str]) -> Self {
        let selected = repositories.iter().map(|name| RepoKey::new(&format!("{owner}/{name}"))).collect();
        self.change_on(owner, |installation| installation.selected = Some(selected))
    }

    /// Suspends it on an owner: nothing can be done with its tokens there.
    pub fn suspend(&self, owner: &str) -> Self {
        let now = self.world.lock().second();
        self.change_on(owner, |installation| installation.suspended_at = Some(now))
    }
}

impl World {
    /// The GitHub App with this slug, created if it is not there. It acts as `slug[bot]`.
    ///
    /// Every App has the same private key.
    pub fn app(&self, slug: &str) -> App {
        install();
        self.lock().create_app(slug);
        App { world: self.clone(), slug: slug.into() }
    }

    /// Says how long the tokens of installations last that are handed out from now on: an hour at
    /// first.
    pub fn installation_tokens_last(&self, time: Duration) {
        let time = TimeDelta::from_std(time).expect("the time is no longer than an age");
        self.lock().installation_tokens.last = time;
    }

    /// Every token of an installation that was handed out, in order.
    pub fn installation_tokens(&self) -> Vec<InstallationToken> {
        let state = self.lock();
        let handed_out = state.installation_tokens.handed_out.iter();
        let now = |token: &InstallationToken| {
            let revoked = state.token(&token.secret).is_none_or(|data| data.revoked);
            InstallationToken { revoked, ..token.clone() }
        };
        handed_out.map(now).collect()
    }
}
