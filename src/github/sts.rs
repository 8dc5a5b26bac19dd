//! A token for one repository in exchange for who the job is: GitHub Actions signs the job's identity
//! for a security token service, which believes it as far as a trust policy in the repository says.
//! Nothing is kept as a secret anywhere.
//!
//! The service speaks [octo-sts's protocol](https://github.com/octo-sts/app/blob/main/docs/token-exchange.md);
//! how a job gets its identity is in [GitHub's reference](https://docs.github.com/actions/reference/security/oidc).

use std::time::Duration;

use http::{Method, StatusCode};
use octocrab::Octocrab;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::client::{Answer, Api, Call};
use super::error::GitHubError;
use super::tokens::{Mask, is_printable, printable};
use crate::job::{Clock, IdentityRequest};
use crate::names::RepoName;

/// What a trust policy can look at, and people may know; an identity says more.
const CLAIMS: [&str; 9] = [
    "iss",
    "sub",
    "aud",
    "repository",
    "ref",
    "event_name",
    "environment",
    "workflow_ref",
    "job_workflow_ref",
];

/// A security token service, and what is asked of it.
#[derive(Debug)]
pub struct TokenService {
    api: Api,
    url: Url,
    /// The name of the trust policy.
    policy: String,
    repository: RepoName,
    /// How the job asks for its identity; none if it may not.
    job: Option<IdentityRequest>,
}

/// Why the service gives no token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StsError {
    /// The job may not ask who it is.
    #[error("this job may not show its identity to {service}")]
    NoIdentity {
        /// The service.
        service: String,
    },
    /// The job was not told who it is.
    #[error("GitHub Actions does not sign this job's identity: {reason}")]
    Unsigned {
        /// Why.
        reason: String,
    },
    /// The service does not believe the identity, or finds no policy.
    #[error("{service} gives no token for {repository}: {message} (presented: {claims})")]
    Refused {
        /// The service.
        service: String,
        /// The repository.
        repository: RepoName,
        /// The file with the policy.
        policy: String,
        /// The answer's status.
        status: StatusCode,
        /// What the service says.
        message: String,
        /// What the identity says.
        claims: String,
    },
    /// The service gives no answer, or none that is of use.
    #[error("{service} gives no answer that is of use: {reason}")]
    Unanswered {
        /// The service.
        service: String,
        /// Why.
        reason: String,
    },
}

impl StsError {
    /// What to do about it, in the imperative.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::NoIdentity { .. } => {
                "give the job `permissions: id-token: write`; runs that forks' pull requests start \
                 get no identity"
                    .to_owned()
            }
            Self::Unsigned { .. } => "run the job again".to_owned(),
            Self::Refused { status: StatusCode::NOT_FOUND, repository, policy, .. } => format!(
                "put the trust policy into `{policy}` on the default branch of {repository}, and install the \
                 service's App there"
            ),
            Self::Refused { repository, policy, .. } => format!(
                "correct `{policy}` on the default branch of {repository}: what it expects must fit what was presented"
            ),
            Self::Unanswered { .. } => "check `sts-url`, and that the runner reaches it".to_owned(),
        }
    }
}

#[derive(Deserialize)]
struct Signed {
    #[serde(deserialize_with = "printable")]
    value: SecretString,
}

#[derive(Deserialize)]
struct Exchanged {
    #[serde(deserialize_with = "printable")]
    token: SecretString,
}

impl TokenService {
    /// The service at `url`, which is reached through `octocrab`, and is to give a token for
    /// `repository` by the trust policy of this name.
    #[must_use]
    pub fn new(
        octocrab: Octocrab,
        url: Url,
        policy: String,
        repository: RepoName,
        job: Option<IdentityRequest>,
        clock: Clock,
        retry_timeout: Duration,
    ) -> Self {
        Self { api: Api::new(octocrab, clock, retry_timeout), url, policy, repository, job }
    }

    /// The repository for which it gives tokens.
    pub(super) fn repository(&self) -> &RepoName {
        &self.repository
    }

    /// Exchanges the job's identity for a token.
    ///
    /// May be repeated: it is another token then.
    pub(super) async fn exchange(&self, mask: Mask) -> Result<SecretString, StsError> {
        let identity = self.identity(mask).await?;
        let mut url = self.url.clone();
        url.set_path(&format!("{}/sts/exchange", url.path().trim_end_matches('/')));
        url.query_pairs_mut()
            .clear()
            .append_pair("scope", &self.repository.to_string())
            .append_pair("identity", &self.policy);
        let answer = self.ask(url, &identity).await.map_err(|error| self.refused(error, &identity))?;
        // The reason is not told: it could quote the token.
        let exchanged: Result<Exchanged, GitHubError> = answer.json();
        let unusable = |_| self.unanswered("there is no token in it".to_owned());
        let Exchanged { token } = exchanged.map_err(unusable)?;
        mask(token.expose_secret());
        Ok(token)
    }

    /// Who the job is, signed for the service.
    async fn identity(&self, mask: Mask) -> Result<SecretString, StsError> {
        let Some(IdentityRequest { url, token }) = &self.job else {
            return Err(StsError::NoIdentity { service: self.name() });
        };
        let unsigned = |reason: String| StsError::Unsigned { reason };
        if !is_printable(token.expose_secret()) {
            return Err(unsigned("what the runner gives to ask with is no token".to_owned()));
        }
        let mut url: Url = url.parse().map_err(|error: url::ParseError| unsigned(error.to_string()))?;
        url.query_pairs_mut().append_pair("audience", self.url.host_str().unwrap_or_default());
        let answer = self.ask(url, token).await.map_err(|error| unsigned(error.to_string()))?;
        let signed: Result<Signed, GitHubError> = answer.json();
        let Signed { value } =
            signed.map_err(|_| unsigned("there is no identity in its answer".to_owned()))?;
        mask(value.expose_secret());
        Ok(value)
    }

    async fn ask(&self, url: Url, bearer: &SecretString) -> Result<Answer, GitHubError> {
        self.api.send(&Call::new(Method::GET, url, None, bearer)).await
    }

    fn refused(&self, error: GitHubError, identity: &SecretString) -> StsError {
        let GitHubError::Refused { status, message, .. } = error else {
            return self.unanswered(error.to_string());
        };
        StsError::Refused {
            service: self.name(),
            repository: self.repository.clone(),
            policy: self.policy_file(),
            status,
            // A service that repeats what it was shown must not bring it into the log.
            message: message.replace(identity.expose_secret(), "***"),
            claims: claims(identity.expose_secret()),
        }
    }

    fn unanswered(&self, reason: String) -> StsError {
        StsError::Unanswered { service: self.name(), reason }
    }

    /// Where the trust policy is in the repository.
    pub(super) fn policy_file(&self) -> String {
        format!(".github/chainguard/{}.sts.yaml", self.policy)
    }

    fn name(&self) -> String {
        self.url.as_str().trim_end_matches('/').to_owned()
    }
}

/// What an identity says: not the identity itself.
fn claims(identity: &str) -> String {
    let said: Result<Map<String, Value>, _> = jsonwebtoken::dangerous::insecure_decode_claims(identity);
    let Ok(said) = said else { return "nothing that can be read".to_owned() };
    let told = CLAIMS.iter().filter_map(|name| {
        let value = said.get(*name)?;
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some(format!("{name} `{value}`"))
    });
    told.collect::<Vec<_>>().join(", ")
}
