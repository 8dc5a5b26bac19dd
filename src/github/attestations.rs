//! Attestations of artifacts: <https://docs.github.com/rest/repos/attestations>.

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::client::{GitHub, Request, path_part};
use super::error::GitHubError;
use crate::names::RepoName;

impl GitHub {
    /// The bundles of the attestations of `digest`, at most thirty; GitHub does not verify them. Needs
    /// `attestations: read`.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn attestations(&self, repository: &RepoName, digest: &str) -> Result<Vec<Value>, GitHubError> {
        #[derive(Deserialize)]
        struct Reply {
            #[serde(default)]
            attestations: Vec<Attestation>,
        }
        #[derive(Deserialize)]
        struct Attestation {
            #[serde(default)]
            bundle: Value,
        }
        let path = format!("/attestations/{}", path_part(digest));
        let purpose = format!("list the attestations of `{digest}` in {repository}");
        match self.send(Request::get(repository, path, purpose)).await {
            Ok(answer) => {
                let Reply { attestations } = answer.json()?;
                Ok(attestations.into_iter().map(|attestation| attestation.bundle).collect())
            }
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}
