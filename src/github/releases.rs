//! Releases of repositories, and the comparison of two commits: <https://docs.github.com/rest/releases>,
//! <https://docs.github.com/rest/commits/commits#compare-two-commits>.

use chrono::{DateTime, Utc};
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::api::Repeat;
use super::client::{GitHub, Request, path_part};
use super::error::GitHubError;
use super::once::send_once;
use super::pages::PAGE;
use super::time::optional_time;
use crate::names::RepoName;

/// The number of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct ReleaseId(u64);

/// The fields of a release that this action reads.
#[derive(Debug, Clone, Deserialize)]
pub struct Release {
    /// Its number.
    pub id: ReleaseId,
    /// The release in the browser.
    pub html_url: String,
    /// The name of its tag, without `refs/tags/`.
    pub tag_name: String,
    /// The branch or commit of its tag; the default branch if the tag existed before the release.
    #[serde(default)]
    pub target_commitish: String,
    /// Its title.
    #[serde(default)]
    pub name: Option<String>,
    /// Its notes.
    #[serde(default)]
    pub body: Option<String>,
    /// Whether it is not published yet.
    #[serde(default)]
    pub draft: bool,
    /// Whether its tag and files can no longer be changed.
    #[serde(default)]
    pub immutable: bool,
    /// When it was published.
    #[serde(default, deserialize_with = "optional_time")]
    pub published_at: Option<DateTime<Utc>>,
}

/// A release before it is published.
#[derive(Debug, Clone, Copy)]
pub struct NewRelease<'a> {
    /// The name of its tag. GitHub creates the tag if it does not exist.
    pub tag: &'a str,
    /// The commit of a new tag.
    pub commit: &'a str,
    /// Its title.
    pub name: &'a str,
    /// Its notes.
    pub body: &'a str,
}

/// The commits between two commits.
#[derive(Debug, Clone, Deserialize)]
pub struct Comparison {
    /// The comparison in the browser.
    pub html_url: String,
    /// The number of commits of the head that the base does not have.
    #[serde(default)]
    pub ahead_by: u64,
    /// The commits of the head that the base does not have, oldest first: at most the first hundred.
    #[serde(default)]
    pub commits: Vec<ComparedCommit>,
}

/// A commit of a comparison.
#[derive(Debug, Clone, Deserialize)]
pub struct ComparedCommit {
    /// Its hash.
    pub sha: String,
    commit: CommitText,
}

#[derive(Debug, Clone, Deserialize)]
struct CommitText {
    #[serde(default)]
    message: String,
    #[serde(default)]
    author: Option<CommitAuthor>,
}

#[derive(Debug, Clone, Deserialize)]
struct CommitAuthor {
    #[serde(default)]
    name: Option<String>,
}

impl ComparedCommit {
    /// The first line of its message.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.commit.message.lines().next().unwrap_or_default()
    }

    /// Its author, by a name of their own choice.
    #[must_use]
    pub fn author(&self) -> Option<&str> {
        self.commit.author.as_ref()?.name.as_deref()
    }
}

impl GitHub {
    /// The newest releases of `repository`, at most a hundred, with drafts if the token may write. Needs
    /// `contents: read`.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn releases(&self, repository: &RepoName) -> Result<Vec<Release>, GitHubError> {
        let purpose = format!("list the releases of {repository}");
        let path = format!("/releases?per_page={PAGE}");
        Ok(self.send(Request::get(repository, path, purpose)).await?.json()?)
    }

    /// The published release of `tag`, if there is one. Needs `contents: read`.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn release_by_tag(
        &self,
        repository: &RepoName,
        tag: &str,
    ) -> Result<Option<Release>, GitHubError> {
        let path = format!("/releases/tags/{}", path_part(tag));
        let purpose = format!("show the release `{tag}` of {repository}");
        self.find(Request::get(repository, path, purpose)).await
    }

    /// Publishes a release; needs `contents: write`.
    ///
    /// Sent once: after an unclear failure it looks for the release of the tag before it sends again.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or gives no clear answer.
    pub async fn publish_release(
        &self,
        repository: &RepoName,
        new: NewRelease<'_>,
    ) -> Result<Release, GitHubError> {
        let NewRelease { tag, commit, name, body } = new;
        let send = async || {
            let purpose = format!("publish the release `{tag}` of {repository}");
            let request = Request::new(Method::POST, repository, "/releases", Repeat::Never, purpose);
            let text = json!({ "tag_name": tag, "target_commitish": commit, "name": name, "body": body });
            Ok(self.send(request.body(text)).await?.json()?)
        };
        send_once(send, async || self.release_by_tag(repository, tag).await).await
    }

    /// Replaces the notes of a release; may be repeated. Needs `contents: write`.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn edit_release(
        &self,
        repository: &RepoName,
        release: &Release,
        body: &str,
    ) -> Result<Release, GitHubError> {
        let path = format!("/releases/{}", release.id.0);
        let purpose = format!("edit the release `{}` of {repository}", release.tag_name);
        let request = Request::new(Method::PATCH, repository, path, Repeat::Freely, purpose);
        Ok(self.send(request.body(json!({ "body": body }))).await?.json()?)
    }

    /// The commits of `head` that `base` does not have, both branches, tags or commits; none if one of them does not
    /// exist. Needs `contents: read`.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn compare(
        &self,
        repository: &RepoName,
        base: &str,
        head: &str,
    ) -> Result<Option<Comparison>, GitHubError> {
        let path = format!("/compare/{}...{}?per_page={PAGE}", path_part(base), path_part(head));
        let purpose = format!("compare `{base}` with `{head}` in {repository}");
        self.find(Request::get(repository, path, purpose)).await
    }
}
