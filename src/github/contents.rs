//! Files of repositories: <https://docs.github.com/rest/repos/contents>.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::client::{GitHub, Request, path_part};
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
    #[serde(default)]
    html_url: Option<String>,
}

impl Reply {
    /// The branch that was read: the file's own addresses name it, so it costs no request of its own.
    fn branch(&self, path: &str) -> Option<String> {
        let url = url::Url::parse(&self.url).ok()?;
        let queried = url.query_pairs().find(|(name, _)| name == "ref").map(|(_, value)| value.into_owned());
        queried.or_else(|| {
            let (_, branch_and_path) = self.html_url.as_deref()?.split_once("/blob/")?;
            branch_and_path.strip_suffix(path)?.strip_suffix('/').map(str::to_owned)
        })
    }
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
        let parts: Vec<String> = path.split('/').map(|part| path_part(part).to_string()).collect();
        let query = git_ref.map(|git_ref| {
            let query =
                url::form_urlencoded::Serializer::new(String::new()).append_pair("ref", git_ref).finish();
            format!("?{query}")
        });
        let contents = format!("/contents/{}{}", parts.join("/"), query.unwrap_or_default());
        let at = git_ref.map(|git_ref| format!(" at `{git_ref}`")).unwrap_or_default();
        let purpose = format!("show `{path}` of {repository}{at}");
        let answer = match self.send(Request::get(repository, contents, purpose)).await {
            Err(error) if error.is_gone() => return Ok(None),
            answer => answer?,
        };
        let reply: Reply = answer.json()?;
        let packed: String = reply.content.split_whitespace().collect();
        let bytes = STANDARD.decode(packed).map_err(|error| answer.unexpected(error.to_string()))?;
        Ok(Some(RepositoryFile {
            text: String::from_utf8_lossy(&bytes).into_owned(),
            git_ref: git_ref.map(str::to_owned).or_else(|| reply.branch(path)),
        }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_branch_is_read_from_a_files_addresses() {
        let path = ".github/workflows/release.yml";
        let reply = |url: &str, html_url: &str| Reply {
            content: String::new(),
            url: url.to_owned(),
            html_url: Some(html_url.to_owned()),
        };
        let url = "https://api.github.com/repos/acme/web/contents/x";
        let html_url = format!("https://github.com/acme/web/blob/release/next/{path}");
        assert_eq!(reply(&format!("{url}?ref=main"), "").branch(path).as_deref(), Some("main"));
        assert_eq!(reply(url, &html_url).branch(path).as_deref(), Some("release/next"));
        assert_eq!(reply(url, "").branch(path), None);
    }
}
