//! A token for one repository in exchange for the job's identity. A security token service checks
//! the identity by a trust policy in the repository. No secret is kept anywhere.
//!
//! The service speaks [octo-sts's protocol](https://github.com/octo-sts/app/blob/main/docs/token-exchange.md).

use std::time::Duration;

use http::{Method, StatusCode};
use octocrab::Octocrab;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::identity::{Identity, IdentityError};
use super::secret::{Mask, deserialize_token};
use crate::github::api::{Api, ApiError, Call, RequestLine};
use crate::job::{Clock, IdentityRequest};
use crate::names::RepoName;
use crate::problem::{Advice, Help, Topic};

/// A security token service, with the trust policy and the repository of its tokens.
#[derive(Debug)]
pub struct TokenService {
    api: Api,
    url: Url,
    /// The name of the trust policy.
    policy: String,
    repository: RepoName,
    /// The request for the job's identity; none if the job may not ask for it.
    job: Option<IdentityRequest>,
}

/// Why the service gives no token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StsError {
    /// The job has no identity to exchange.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The service does not accept the identity, or finds no policy.
    #[error("{service} refused a token for {repository}: {message} (presented: {claims})")]
    Refused {
        /// The service.
        service: String,
        /// The repository.
        repository: RepoName,
        /// The file with the policy.
        policy: String,
        /// The answer's status.
        status: StatusCode,
        /// The service's message.
        message: String,
        /// The claims of the identity.
        claims: String,
    },
    /// The service gives no answer, or an unclear one.
    #[error("{service} gives no usable answer")]
    Unanswered {
        /// The service.
        service: String,
        /// Why.
        #[source]
        source: Box<ApiError>,
    },
    /// The answer of the service holds no token that can be sent.
    #[error("{service} gives no usable answer: it holds no token")]
    NoToken {
        /// The service.
        service: String,
    },
}

impl Help for StsError {
    fn help(&self) -> Option<Advice> {
        let text = match self {
            Self::Identity(error) => return error.help(),
            Self::Refused { status: StatusCode::NOT_FOUND, repository, policy, .. } => format!(
                "put the trust policy into `{policy}` on the default branch of {repository}, and install the \
                 service's App there"
            ),
            Self::Refused { repository, policy, .. } => format!(
                "correct `{policy}` on the default branch of {repository}: its conditions must fit the presented claims"
            ),
            Self::Unanswered { .. } | Self::NoToken { .. } => {
                "check `sts-url`, and that the runner reaches it".to_owned()
            }
        };
        Some(Topic::TokenService.advice(text))
    }
}

#[derive(Deserialize)]
struct Reply {
    #[serde(deserialize_with = "deserialize_token")]
    token: SecretString,
}

impl TokenService {
    /// The service at `url` behind `octocrab`, which gives tokens for `repository` by the trust policy of this
    /// name.
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
    /// May be repeated: each answer is another token.
    pub(super) async fn exchange(&self, mask: Mask) -> Result<SecretString, StsError> {
        let identity = Identity::of_job(self.job.as_ref(), &self.url, &self.api, mask).await?;
        let mut url = self.url.clone();
        url.set_path(&format!("{}/sts/exchange", url.path().trim_end_matches('/')));
        url.query_pairs_mut()
            .clear()
            .append_pair("scope", &self.repository.to_string())
            .append_pair("identity", &self.policy);
        let purpose = format!("give a token for {}", self.repository);
        let line = RequestLine::new(Method::GET, url, purpose);
        let answer = self.api.send(&Call::new(line, None, identity.secret())).await;
        let answer = answer.map_err(|error| self.explain(error, &identity))?;
        // The error's reason could quote the token.
        let reply: Result<Reply, ApiError> = answer.json();
        let Reply { token } = reply.map_err(|_| StsError::NoToken { service: self.name() })?;
        mask(token.expose_secret());
        Ok(token)
    }

    fn explain(&self, error: ApiError, identity: &Identity) -> StsError {
        let service = self.name();
        let ApiError::Refused { status, message, .. } = error else {
            return StsError::Unanswered { service, source: Box::new(error) };
        };
        StsError::Refused {
            service,
            repository: self.repository.clone(),
            policy: self.policy_file(),
            status,
            // The message of a service may quote the identity, which must not get into the log.
            message: identity.redact(&message),
            claims: identity.claims(),
        }
    }

    /// The path of the trust policy in the repository.
    pub(super) fn policy_file(&self) -> String {
        format!(".github/chainguard/{}.sts.yaml", self.policy)
    }

    fn name(&self) -> String {
        self.url.as_str().trim_end_matches('/').to_owned()
    }
}
