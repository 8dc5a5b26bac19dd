//! Attestations of artifacts: <https://docs.github.com/rest/repos/attestations>.

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
        let reply: Option<Reply> = self.find(Request::get(repository, path, purpose)).await?;
        let attestations = reply.into_iter().flat_map(|reply| reply.attestations);
        Ok(attestations.map(|attestation| attestation.bundle).collect())
    }
}
