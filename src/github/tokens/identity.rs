//! The identity of the job, signed by GitHub Actions for a service:
//! [GitHub's reference](https://docs.github.com/actions/reference/security/oidc).

use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::secret::{Mask, deserialize_token, is_printable, mask_signed, signature_of};
use crate::github::api::{Api, ApiError, Call, RequestLine};
use crate::job::IdentityRequest;
use crate::problem::{Advice, Help, Topic};

/// The claims that a trust policy can check and that messages may quote; an identity has more.
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

/// Why the job has no identity.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IdentityError {
    /// The job lacks the permission to ask for its identity.
    #[error("this job is not allowed to get an identity for {service}")]
    NotPermitted {
        /// The service that the identity is for.
        service: String,
    },
    /// The runner's token for the request cannot be sent.
    #[error(
        "GitHub Actions does not sign this job's identity: the runner's token for the request cannot be sent"
    )]
    NoRunnerToken,
    /// The runner's address for the request is malformed.
    #[error("GitHub Actions does not sign this job's identity")]
    Address(#[source] url::ParseError),
    /// GitHub Actions refused or did not answer.
    #[error("GitHub Actions does not sign this job's identity")]
    Unsigned(#[source] ApiError),
    /// GitHub Actions answered with something else.
    #[error("GitHub Actions does not sign this job's identity: its answer holds no identity")]
    NotInAnswer,
}

impl Help for IdentityError {
    fn help(&self) -> Option<Advice> {
        let help = match self {
            Self::NotPermitted { .. } => {
                "give the job `permissions: id-token: write`; runs of pull requests from forks \
                 get no identity"
            }
            Self::NoRunnerToken | Self::Address(_) | Self::Unsigned(_) | Self::NotInAnswer => {
                "run the job again"
            }
        };
        Some(Topic::TokenService.advice(help))
    }
}

/// The job's signed identity: a secret, as a service exchanges it for a token.
pub(super) struct Identity(SecretString);

#[derive(Deserialize)]
struct Reply {
    #[serde(deserialize_with = "deserialize_token")]
    value: SecretString,
}

impl Identity {
    /// Requests the job's identity for the service at `service`.
    pub(super) async fn of_job(
        request: Option<&IdentityRequest>,
        service: &Url,
        api: &Api,
        mask: Mask,
    ) -> Result<Self, IdentityError> {
        let Some(IdentityRequest { url, token }) = request else {
            let service = service.as_str().trim_end_matches('/').to_owned();
            return Err(IdentityError::NotPermitted { service });
        };
        if !is_printable(token.expose_secret()) {
            return Err(IdentityError::NoRunnerToken);
        }
        let mut url: Url = url.parse().map_err(IdentityError::Address)?;
        url.query_pairs_mut().append_pair("audience", service.host_str().unwrap_or_default());
        let line = RequestLine::new(Method::GET, url, "sign this job's identity");
        let answer = api.send(&Call::new(line, None, token)).await;
        let answer = answer.map_err(IdentityError::Unsigned)?;
        // The error's reason could quote the identity.
        let Reply { value } = answer.json().map_err(|_| IdentityError::NotInAnswer)?;
        mask_signed(mask, value.expose_secret());
        Ok(Self(value))
    }

    pub(super) fn secret(&self) -> &SecretString {
        &self.0
    }

    /// `text` without the identity, and without its signature alone.
    pub(super) fn redact(&self, text: &str) -> String {
        let identity = self.0.expose_secret();
        let text = text.replace(identity, "***");
        signature_of(identity).map_or_else(|| text.clone(), |signature| text.replace(signature, "***"))
    }

    /// The claims of the identity, for people. They are not secret.
    pub(super) fn claims(&self) -> String {
        let claims: Result<Map<String, Value>, _> =
            jsonwebtoken::dangerous::insecure_decode_claims(self.0.expose_secret());
        let Ok(claims) = claims else { return "no readable claims".to_owned() };
        let rows = CLAIMS.iter().filter_map(|name| {
            let value = claims.get(*name)?;
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some(format!("{name} `{value}`"))
        });
        rows.collect::<Vec<_>>().join(", ")
    }
}
