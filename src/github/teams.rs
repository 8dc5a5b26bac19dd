//! Teams of organizations: <https://docs.github.com/rest/teams/members>.
//!
//! They are read with the permission `members: read` of the organization, which an App may have and `github.token`
//! never has.

use http::StatusCode;
use serde::Deserialize;

use super::client::{GitHub, path_part};
use super::error::GitHubError;
use super::tokens::Grantee;
use crate::names::Login;
use crate::problem::{Help, Topic};

impl GitHub {
    /// Whether `login` is a member of the team, or of one of its child teams. For a team that the token does not see
    /// the answer is always no: [`GitHub::check_team`] finds that out.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn is_team_member(
        &self,
        organization: &str,
        slug: &str,
        login: &Login,
    ) -> Result<bool, GitHubError> {
        #[derive(Deserialize)]
        struct Membership {
            state: String,
        }
        let path = format!("/teams/{}/memberships/{}", path_part(slug), path_part(login.as_str()));
        let purpose = format!("say whether {login} is in the team {organization}/{slug}");
        match self.ask_organization(organization, &path, purpose).await {
            // An invited person is not a member yet.
            Ok(answer) => Ok(answer.json::<Membership>()?.state == "active"),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(false),
            Err(error) => Err(self.explain_team(error, organization)),
        }
    }

    /// Checks that the token sees the team.
    ///
    /// # Errors
    ///
    /// When the token does not see the team, or GitHub does not answer.
    pub async fn check_team(&self, organization: &str, slug: &str) -> Result<(), GitHubError> {
        let path = format!("/teams/{}/members?per_page=1", path_part(slug));
        let purpose = format!("list the members of the team {organization}/{slug}");
        match self.ask_organization(organization, &path, purpose).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.explain_team(error, organization)),
        }
    }

    /// The same error; for a refusal with the necessary token as its remedy.
    fn explain_team(&self, error: GitHubError, organization: &str) -> GitHubError {
        let GitHubError::Api(refusal) = error else { return error };
        let token = || self.remedy_of_members(organization);
        let remedy = match refusal.status() {
            Some(StatusCode::NOT_FOUND) => {
                let check = format!(
                    "check the name, which is the last part of the team's address (…/orgs/{organization}/teams/NAME)"
                );
                Some(Topic::Team.advice(check).and(token().as_deref()))
            }
            _ if refusal.is_lack_of_permission() => {
                token().map(|token| Topic::Team.advice(token)).or_else(|| refusal.help())
            }
            _ => None,
        };
        match remedy {
            Some(remedy) => GitHubError::Refused { refusal, remedy: Box::new(remedy) },
            None => refusal.into(),
        }
    }

    /// The token that reads the members of an organization, if the step's own may be of the wrong kind.
    fn remedy_of_members(&self, organization: &str) -> Option<String> {
        match self.tokens().grantee_for_members(organization)? {
            // If the App lacks the permission, its token is not minted.
            Grantee::App(_) => None,
            Grantee::Token | Grantee::Account | Grantee::Policy(_) => Some(format!(
                "a team needs the token of an App with `members: read` on {organization} (`client-id` and \
                 `private-key`), or of an account that sees the team; `github.token` may never read members"
            )),
        }
    }
}
