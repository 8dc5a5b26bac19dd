//! Files of repositories: <https://docs.github.com/rest/repos/contents>.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde::Deserialize;

use super::client::{GitHub, Request, path_part};
use super::error::GitHubError;
use crate::names::{GitRef, RepoName};

/// The settings of a repository that this action reads.
#[derive(Debug, Clone, Deserialize)]
pub struct Repository {
    /// Its default branch.
    pub default_branch: String,
    /// Whether it is internal or private.
    #[serde(default)]
    pub private: bool,
    /// `public`, `internal` or `private`.
    #[serde(default)]
    pub visibility: Option<String>,
    /// Whether its owner made it read-only.
    #[serde(default)]
    pub archived: bool,
    /// Whether GitHub switched it off.
    #[serde(default)]
    pub disabled: bool,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    content: String,
}

/// The object at a path: the entries of a folder, or something else.
#[derive(Deserialize)]
#[serde(untagged)]
enum Listing {
    Folder(Vec<Entry>),
    Else(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Entry {
    name: String,
}

impl GitHub {
    /// The text of a file at `git_ref`, or on the default branch; none if the file does not exist.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn file(
        &self,
        repository: &RepoName,
        path: &str,
        git_ref: Option<&str>,
    ) -> Result<Option<String>, GitHubError> {
        let answer = match self.send(contents(repository, path, git_ref)).await {
            Err(error) if error.is_gone() => return Ok(None),
            answer => answer?,
        };
        let reply: Reply = answer.json()?;
        let base64: String = reply.content.split_whitespace().collect();
        let bytes = STANDARD.decode(base64).map_err(|error| answer.error(error.to_string()))?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The names in a folder at `git_ref`, or on the default branch; empty if the folder does not exist.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn folder(
        &self,
        repository: &RepoName,
        path: &str,
        git_ref: Option<&str>,
    ) -> Result<Vec<String>, GitHubError> {
        match self.send(contents(repository, path, git_ref)).await {
            Err(error) if error.is_gone() => Ok(Vec::new()),
            answer => Ok(match answer?.json()? {
                Listing::Folder(entries) => entries.into_iter().map(|entry| entry.name).collect(),
                Listing::Else(_) => Vec::new(),
            }),
        }
    }

    /// The commit of a branch or tag; none if GitHub shows no such branch or tag. To a token that may not read
    /// `contents` of a private repository it shows none, or refuses.
    ///
    /// The answer may lag behind: for a branch that has just moved it may be the old commit.
    /// <https://docs.github.com/rest/commits/commits#get-a-commit>
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn commit_of(
        &self,
        repository: &RepoName,
        git_ref: &GitRef,
    ) -> Result<Option<String>, GitHubError> {
        #[derive(Deserialize)]
        struct Commit {
            sha: String,
        }
        // `heads/main` and `tags/v1` are exact. One of the commit's files is enough.
        let name = git_ref.as_str().strip_prefix("refs/").unwrap_or(git_ref.as_str());
        let path = format!("/commits/{}?per_page=1", path_part(name));
        let purpose = format!("say at which commit `{}` of {repository} is", git_ref.short());
        match self.send(Request::get(repository, path, purpose)).await {
            Ok(answer) => Ok(Some(answer.json::<Commit>()?.sha)),
            Err(error) if error.status().is_some_and(has_no_commit) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A repository's settings.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn repository(&self, repository: &RepoName) -> Result<Repository, GitHubError> {
        Ok(self.send(Request::get(repository, "", format!("show {repository}"))).await?.json()?)
    }
}

/// Whether this status of an answer means "no commit": no such repository for this token, an empty
/// repository, no such branch or tag.
fn has_no_commit(status: StatusCode) -> bool {
    matches!(status, StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY)
}

fn contents<'r>(repository: &'r RepoName, path: &str, git_ref: Option<&str>) -> Request<'r> {
    let parts: Vec<String> = path.split('/').map(|part| path_part(part).to_string()).collect();
    let query = git_ref.map(|git_ref| {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("ref", git_ref).finish();
        format!("?{query}")
    });
    let address = format!("/contents/{}{}", parts.join("/"), query.unwrap_or_default());
    let at = git_ref.map(|git_ref| format!(" at `{git_ref}`")).unwrap_or_default();
    Request::get(repository, address, format!("show `{path}` of {repository}{at}"))
}
