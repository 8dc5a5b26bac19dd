//! Accounts: the one under which this step writes, and the roles of accounts in repositories.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::api::Repeat;
use super::client::{GitHub, Request, path_part};
use super::error::GitHubError;
use super::role::{AccountRole, Role, RoleAnswer};
use crate::names::{IssueRef, Login, RepoName};
use crate::problem::Help;

impl GitHub {
    /// The account under which this step writes to `issue`; none if GitHub does not report it. The step asks once.
    ///
    /// An App's account has the App's name. For the token of an account, GitHub reports the account. A token of an
    /// installation, such as `github.token`, belongs to no account, but the answer to a write names one. The only write
    /// that changes no text is a reaction to the issue, which GitHub keeps once however often it is sent:
    /// <https://docs.github.com/rest/reactions/reactions#create-reaction-for-an-issue>. `may_write`: whether the step
    /// may react.
    ///
    /// # Errors
    ///
    /// When GitHub does not answer.
    pub async fn identity(&self, issue: &IssueRef, may_write: bool) -> Result<Option<String>, GitHubError> {
        let mut identities = self.identities.lock().await;
        if let Some(login) = identities.get(&issue.repository) {
            return Ok(Some(login.clone()));
        }
        let identity = self.ask_identity(issue, may_write).await?;
        identities.extend(identity.clone().map(|login| (issue.repository.clone(), login)));
        Ok(identity)
    }

    async fn ask_identity(&self, issue: &IssueRef, may_write: bool) -> Result<Option<String>, GitHubError> {
        #[derive(Deserialize)]
        struct Account {
            login: String,
        }
        #[derive(Deserialize)]
        struct Reaction {
            user: Option<Account>,
        }
        let repository = &issue.repository;
        if let Some(slug) = self.app_of(repository).await? {
            return Ok(Some(format!("{slug}[bot]")));
        }
        if !self.is_of_installation(repository).await? {
            match self.send(Request::outside(repository, "/user", "say whose token it is")).await {
                Ok(answer) => return Ok(Some(answer.json::<Account>()?.login)),
                Err(error) if !error.is_final() => return Err(error),
                Err(error) => tracing::debug!("GitHub does not say whose token it is: {error}"),
            }
        }
        if !may_write {
            return Ok(None);
        }
        let path = format!("/issues/{}/reactions", issue.number);
        let request =
            Request::new(Method::POST, repository, path, Repeat::Freely, format!("react to {issue}"));
        let request = request.body(json!({ "content": "eyes" })).appears_within(self.lag_of(issue));
        match self.send(request).await {
            Ok(answer) => Ok(answer.json::<Reaction>()?.user.map(|user| user.login)),
            Err(error) if !error.is_final() => Err(error),
            Err(error) => {
                tracing::debug!("GitHub does not say under which account this step writes: {error}");
                Ok(None)
            }
        }
    }

    /// The role of `login` in `repository`, asked for once in a step; none after `most` questions about others.
    pub async fn role_once(&self, repository: &RepoName, login: &Login, most: usize) -> Option<RoleAnswer> {
        let key = (repository.clone(), login.as_str().to_ascii_lowercase());
        let mut roles = self.roles.lock().await;
        if let Some(role) = roles.get(&key) {
            return Some(RoleAnswer { role: role.clone(), is_new: false });
        }
        if roles.len() >= most {
            return None;
        }
        let role = self.role(repository, login).await.map_err(|error| with_remedy(&error));
        roles.insert(key, role.clone());
        Some(RoleAnswer { role, is_new: true })
    }

    /// The role of `login` in `repository`.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn role(&self, repository: &RepoName, login: &Login) -> Result<Role, GitHubError> {
        self.account_role(repository, login).await.map(|account_role| account_role.role)
    }

    /// The role of `login` in `repository`, with GitHub's name for it.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn account_role(
        &self,
        repository: &RepoName,
        login: &Login,
    ) -> Result<AccountRole, GitHubError> {
        #[derive(Deserialize)]
        struct Account {
            id: u64,
            #[serde(default)]
            permissions: BTreeMap<String, bool>,
        }
        #[derive(Deserialize)]
        struct Permission {
            permission: String,
            #[serde(default)]
            role_name: Option<String>,
            #[serde(default)]
            user: Option<Account>,
        }
        let path = format!("/collaborators/{}/permission", path_part(login.as_str()));
        let purpose = format!("show the role of {login} in {repository}");
        let Permission { permission, role_name, user } =
            match self.send(Request::get(repository, path, purpose)).await {
                Ok(answer) => answer.json()?,
                // GitHub knows no account of this name.
                Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {
                    return Ok(AccountRole { role: Role::Read, name: "none".to_owned(), account: None });
                }
                Err(error) => return Err(error),
            };
        // The name of an organization's own role does not help; `permission` has neither triage nor maintain.
        let of_user = user.iter().flat_map(|user| &user.permissions).filter(|(_, may)| **may);
        let names = of_user.map(|(name, _)| name).chain(&role_name).chain([&permission]);
        let role = names.filter_map(|name| Role::parse(name)).max();
        Ok(AccountRole {
            role: role.unwrap_or(Role::Read),
            name: role_name.unwrap_or(permission),
            account: user.map(|user| user.id),
        })
    }
}

/// The error in one line, with its remedy.
fn with_remedy(error: &GitHubError) -> String {
    let help = error.help().map(|help| format!("; {}", help.text));
    format!("{error}{}", help.unwrap_or_default())
}
