//! Files of repositories: <https://docs.github.com/rest/repos/contents>.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::client::{GitHub, Request};
use super::error::GitHubError;
use crate::names::RepoName;

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryFile {
    /// What is in it.
    pub text: String,
    /// The branch, tag or commit that was read; known also if none was asked for.
    pub git_ref: Option<String>,
}

/// A repository's settings, as far as they are read.
#[derive(Debug, Clone, Deserialize)]
pub struct Repository {
    /// Its default branch.
    pub default_branch: String,
    /// Whether only some may read it.
    #[serde(default)]
    pub private: bool,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    content: String,
    url: String,
}

impl GitHub {
    /// A file at `git_ref`, or on the default branch; none if there is no such file.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn file(
        &self,
        repository: &RepoName,
        path: &str,
        git_ref: Option<&str>,
    ) -> Result<Option<RepositoryFile>, GitHubError> {
        let parts: Vec<String> = path
            .split('/')
            .map(|part| percent_encoding::utf8_percent_encode(part, super::PATH_PART).to_string())
            .collect();
        let query = git_ref.map(|git_ref| {
            let query =
                url::form_urlencoded::Serializer::new(String::new()).append_pair("ref", git_ref).finish();
            format!("?{query}")
        });
        let path = format!("/contents/{}{}", parts.join("/"), query.unwrap_or_default());
        let answer = match self.send(Request::get(repository, path)).await {
            Err(error) if error.is_gone() => return Ok(None),
            answer => answer?,
        };
        let reply: Reply = answer.json()?;
        let packed: String = reply.content.split_whitespace().collect();
        let bytes = STANDARD.decode(packed).map_err(|error| GitHubError::Unexpected {
            request: answer.request.clone(),
            reason: error.to_string(),
        })?;
        // The file's own address names the branch that was read, so the default branch costs no request.
        let named = url::Url::parse(&reply.url).ok().and_then(|url| {
            url.query_pairs().find(|(name, _)| name == "ref").map(|(_, value)| value.into_owned())
        });
        Ok(Some(RepositoryFile {
            text: String::from_utf8_lossy(&bytes).into_owned(),
            git_ref: git_ref.map(str::to_owned).or(named),
        }))
    }

    /// A repository's settings.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn repository(&self, repository: &RepoName) -> Result<Repository, GitHubError> {
        self.send(Request::get(repository, "")).await?.json()
    }
}
