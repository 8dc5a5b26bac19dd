//! Issues and their comments: <https://docs.github.com/rest/issues>.

use chrono::{DateTime, SecondsFormat, Utc};
use futures::StreamExt;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::api::Repeat;
use super::client::{GitHub, Request};
use super::error::GitHubError;
use super::lag;
pub use super::pages::PAGE;
use super::pages::{Extent, PAGES_LIMIT};
use super::time::{optional_time, time};
use crate::names::{CommentId, IssueNumber, IssueRef, Login, Reaction, RepoName};

/// The most pages of a list that are read at the same time.
const PAGES_AT_ONCE: usize = 8;

/// The most pages that are read of the closed issues and pull requests: there may be very many.
const PAGES_OF_CLOSED: u32 = 3;

/// The fields of an issue that this action reads.
#[derive(Debug, Clone, Deserialize)]
pub struct Issue {
    /// Its number.
    pub number: IssueNumber,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// Its text; null without one.
    #[serde(default)]
    pub body: Option<String>,
    /// `open` or `closed`.
    pub state: String,
    /// The issue in the browser.
    pub html_url: String,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it was closed.
    #[serde(default, deserialize_with = "optional_time")]
    pub closed_at: Option<DateTime<Utc>>,
    /// Its labels.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// The number of its comments.
    #[serde(default)]
    pub comments: u64,
    #[serde(default)]
    locked: bool,
    #[serde(default)]
    closed_by: Option<Account>,
    #[serde(default)]
    assignees: Vec<Account>,
    #[serde(default)]
    state_reason: Option<String>,
    #[serde(default)]
    user: Option<Account>,
    #[serde(default)]
    author_association: Association,
    /// Whether the author's role makes it trusted, if the association does not.
    #[serde(skip)]
    trust_by_role: Option<bool>,
    #[serde(default)]
    pull_request: Option<IgnoredAny>,
}

impl Issue {
    /// Whether the author may leave data for this action in the body.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.trust_by_role == Some(true) || is_trusted(self.user.as_ref(), self.author_association)
    }

    /// Whether `login` is assigned.
    #[must_use]
    pub fn is_assigned_to(&self, login: &Login) -> bool {
        self.assignees.iter().any(|account| login.same_as(&account.login))
    }

    /// Whether it was closed as a duplicate of another issue.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        self.state_reason.as_deref() == Some("duplicate")
    }

    /// Whether a person has closed it as not planned. A bot that tidies up gives the same reason, and does not count.
    #[must_use]
    pub fn is_not_planned(&self) -> bool {
        let by_bot = self.closed_by.as_ref().is_some_and(|account| account.kind == "Bot");
        self.state_reason.as_deref() == Some("not_planned") && !by_bot
    }

    /// Whether it takes another comment: it is not locked, and not full.
    #[must_use]
    pub fn takes_comments(&self) -> bool {
        !self.locked && self.comments < COMMENTS_LIMIT
    }

    /// Whether somebody has opened it again after it was closed.
    #[must_use]
    pub fn is_reopened(&self) -> bool {
        self.state_reason.as_deref() == Some("reopened")
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == "open"
    }
}

/// A label of an issue: an object, or just its name.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Label {
    /// The name alone.
    Name(String),
    /// The whole label; the name may be null.
    Whole {
        /// The name.
        name: Option<String>,
    },
}

impl Label {
    /// The label's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Whole { name } => name.as_deref().unwrap_or_default(),
        }
    }
}

/// A new issue.
#[derive(Debug, Clone)]
pub struct CreatedIssue {
    /// The issue.
    pub issue: Issue,
    /// The labels that GitHub refuses on every issue.
    pub refused_labels: Vec<String>,
}

/// The most comments of an issue: "Commenting is disabled on issues with more than 2500 comments".
const COMMENTS_LIMIT: u64 = 2_500;

/// The most characters of a label ([github/docs#32156](https://github.com/github/docs/issues/32156)).
const LABEL_LIMIT: usize = 50;

/// The labels of a refusal: those that it names, else those that are too long, else all.
fn bad_labels(labels: &[String], refusal: &str) -> Vec<String> {
    // The resource, or the field, of a problem.
    if !refusal.contains("Label ") && !refusal.contains(" labels ") {
        return Vec::new();
    }
    let select = |is_bad: &dyn Fn(&str) -> bool| -> Vec<String> {
        labels.iter().filter(|label| is_bad(label)).cloned().collect()
    };
    let named_labels = select(&|label| refusal.contains(&format!("`{label}`")));
    let long_labels = select(&|label| label.chars().count() > LABEL_LIMIT);
    [named_labels, long_labels]
        .into_iter()
        .find(|labels| !labels.is_empty())
        .unwrap_or_else(|| labels.to_vec())
}

/// The fields of a comment that this action reads.
#[derive(Debug, Clone, Deserialize)]
pub struct IssueComment {
    /// Its id.
    pub id: CommentId,
    /// Its text.
    #[serde(default)]
    pub body: String,
    /// The comment in the browser.
    pub html_url: String,
    /// When it was created.
    #[serde(deserialize_with = "time")]
    pub created_at: DateTime<Utc>,
    /// When it was last edited.
    #[serde(deserialize_with = "time")]
    pub updated_at: DateTime<Utc>,
    #[serde(default)]
    issue_url: String,
    #[serde(default)]
    user: Option<Account>,
    #[serde(default)]
    author_association: Association,
    #[serde(default, rename = "minimized")]
    hiding: Option<Hiding>,
    /// Whether the author's role makes it trusted, if the association does not.
    #[serde(skip)]
    trust_by_role: Option<bool>,
    /// Whether GitHub did not report the author's role.
    #[serde(skip)]
    pub is_unsettled: bool,
}

/// A text with an author, whose data may be trusted.
pub trait AuthoredText {
    /// The text.
    fn text(&self) -> &str;
    /// The account that wrote it; none if the account was deleted.
    fn author(&self) -> Option<&str>;
    /// Its address in the browser.
    fn url(&self) -> &str;
    /// Whether the author may leave data for this action, by association or by the role that was noted.
    fn is_trusted(&self) -> bool;
    /// Notes whether the author's role makes it trusted; none if GitHub does not report the role.
    fn settle(&mut self, trust_by_role: Option<bool>);
}

impl AuthoredText for Issue {
    fn text(&self) -> &str {
        self.body.as_deref().unwrap_or_default()
    }

    fn author(&self) -> Option<&str> {
        self.user.as_ref().map(|user| user.login.as_str())
    }

    fn url(&self) -> &str {
        &self.html_url
    }

    fn is_trusted(&self) -> bool {
        Self::is_trusted(self)
    }

    fn settle(&mut self, trust_by_role: Option<bool>) {
        self.trust_by_role = trust_by_role;
    }
}

impl AuthoredText for IssueComment {
    fn text(&self) -> &str {
        &self.body
    }

    fn author(&self) -> Option<&str> {
        Self::author(self)
    }

    fn url(&self) -> &str {
        &self.html_url
    }

    fn is_trusted(&self) -> bool {
        Self::is_trusted(self)
    }

    fn settle(&mut self, trust_by_role: Option<bool>) {
        (self.trust_by_role, self.is_unsettled) = (trust_by_role, trust_by_role.is_none());
    }
}

/// Why a comment is hidden.
#[derive(Debug, Clone, Deserialize)]
struct Hiding {
    #[serde(default)]
    reason: Option<String>,
}

impl IssueComment {
    /// The reason for which a person has hidden it, in GitHub's word; blank without a reason, none if it is not hidden.
    #[must_use]
    pub fn hiding_reason(&self) -> Option<&str> {
        self.hiding.as_ref().map(|hiding| hiding.reason.as_deref().unwrap_or_default())
    }

    /// Whether it belongs to this issue, and not to another one in the same repository.
    fn is_on(&self, issue: IssueNumber) -> bool {
        self.issue_url.rsplit('/').next() == Some(issue.to_string().as_str())
    }

    /// The account that wrote it; none if the account was deleted.
    #[must_use]
    pub fn author(&self) -> Option<&str> {
        self.user.as_ref().map(|user| user.login.as_str())
    }

    /// Whether the author may write records: a bot, or an owner, member or collaborator of the
    /// repository.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.trust_by_role == Some(true) || is_trusted(self.user.as_ref(), self.author_association)
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Account {
    login: String,
    #[serde(rename = "type", default)]
    kind: String,
}

/// The author's association with the repository, by
/// [GitHub's words](https://docs.github.com/graphql/reference/enums#commentauthorassociation).
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Association {
    Owner,
    Member,
    Collaborator,
    #[default]
    #[serde(other)]
    Other,
}

fn is_trusted(user: Option<&Account>, association: Association) -> bool {
    user.is_some_and(|user| user.kind == "Bot") || !matches!(association, Association::Other)
}

impl GitHub {
    /// The issue, if it exists and the token can read it.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn issue(&self, issue: &IssueRef) -> Result<Issue, GitHubError> {
        let path = format!("/issues/{}", issue.number);
        let request = Request::get(&issue.repository, path, format!("show {issue}"));
        Ok(self.send(request.appears_within(self.lag_of(issue))).await?.json()?)
    }

    /// All open issues, newest first, without pull requests.
    ///
    /// GitHub's search would be one request, but shows new issues late; a list shows them.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn open_issues(&self, repository: &RepoName) -> Result<Vec<Issue>, GitHubError> {
        let (mut issues, mut extent) = (Vec::new(), Extent::default());
        for page in 1.. {
            let path = format!("/issues?state=open&sort=created&direction=desc&per_page={PAGE}&page={page}");
            let purpose = format!("list the open issues of {repository}");
            let answer = self.send(Request::get(repository, path, purpose)).await?;
            extent.add(&answer)?;
            issues.extend(answer.json::<Vec<Issue>>()?);
            if !answer.has_next_page() {
                break;
            }
        }
        issues.retain(|issue| issue.pull_request.is_none());
        Ok(issues)
    }

    /// The closed issues that changed last, newest first: a page of those with `label`, or some pages of all of them.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn closed_issues(
        &self,
        repository: &RepoName,
        label: Option<&str>,
    ) -> Result<Vec<Issue>, GitHubError> {
        let escape = |label| percent_encoding::utf8_percent_encode(label, percent_encoding::NON_ALPHANUMERIC);
        let labels = label.map(|label| format!("&labels={}", escape(label))).unwrap_or_default();
        let pages = if label.is_some() { 1 } else { PAGES_OF_CLOSED };
        let mut issues: Vec<Issue> = Vec::new();
        for page in 1..=pages {
            let path = format!(
                "/issues?state=closed{labels}&sort=updated&direction=desc&per_page={PAGE}&page={page}"
            );
            let purpose = format!("list the closed issues of {repository}");
            let answer = self.send(Request::get(repository, path, purpose)).await?;
            issues.extend(answer.json::<Vec<Issue>>()?);
            if !answer.has_next_page() {
                break;
            }
        }
        issues.retain(|issue| issue.pull_request.is_none());
        Ok(issues)
    }

    /// Opens an issue, with `assignee` if GitHub allows that: see [`Issue::is_assigned_to`] of the answer. If GitHub
    /// refuses a login or a label, the issue is opened without it; for a token that may not push, GitHub leaves all of
    /// them out without a message.
    ///
    /// Sent once: a repeated request would open a second issue. After an unclear failure the caller
    /// looks for it.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or gives no clear answer.
    pub async fn create_issue(
        &self,
        repository: &RepoName,
        title: &str,
        body: &str,
        labels: &[String],
        assignee: Option<&Login>,
    ) -> Result<CreatedIssue, GitHubError> {
        let (mut labels, mut refused_labels, mut assignees) =
            (labels.to_vec(), Vec::new(), Vec::from_iter(assignee));
        let answer = loop {
            let body = json!({ "title": title, "body": body, "labels": labels, "assignees": assignees });
            let purpose = format!("open an issue in {repository}");
            let request = Request::new(Method::POST, repository, "/issues", Repeat::Never, purpose);
            let refusal = match self.send(request.body(body)).await {
                Err(refusal) if refusal.status() == Some(StatusCode::UNPROCESSABLE_ENTITY) => refusal,
                answer => break answer?,
            };
            // A refusal had no effect.
            let bad = bad_labels(&labels, &refusal.to_string());
            if !bad.is_empty() {
                tracing::info!("opening the issue without the labels {bad:?}: {refusal}");
                labels.retain(|label| !bad.contains(label));
                refused_labels.extend(bad);
            } else if !assignees.is_empty() {
                tracing::info!("opening the issue without an assignee: {refusal}");
                assignees.clear();
            } else {
                return Err(refusal);
            }
        };
        let issue: Issue = answer.json()?;
        self.expect(&IssueRef { repository: repository.clone(), number: issue.number });
        Ok(CreatedIssue { issue, refused_labels })
    }

    /// Closes an issue as completed; may be repeated.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn close_issue(&self, issue: &IssueRef) -> Result<(), GitHubError> {
        let body = json!({ "state": "closed", "state_reason": "completed" });
        self.update_issue(issue, body, format!("close {issue}")).await
    }

    /// Closes an issue as a duplicate; may be repeated.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn close_issue_as_duplicate(&self, issue: &IssueRef) -> Result<(), GitHubError> {
        let body = json!({ "state": "closed", "state_reason": "duplicate" });
        self.update_issue(issue, body, format!("close {issue} as a duplicate")).await
    }

    /// Opens a closed issue again; may be repeated.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn reopen_issue(&self, issue: &IssueRef) -> Result<(), GitHubError> {
        let body = json!({ "state": "open", "state_reason": "reopened" });
        self.update_issue(issue, body, format!("reopen {issue}")).await
    }

    async fn update_issue(
        &self,
        issue: &IssueRef,
        body: serde_json::Value,
        purpose: String,
    ) -> Result<(), GitHubError> {
        let path = format!("/issues/{}", issue.number);
        let request = Request::new(Method::PATCH, &issue.repository, path, Repeat::Freely, purpose);
        self.send(request.body(body).appears_within(self.lag_of(issue))).await.map(drop)
    }

    /// The comments of an issue, oldest first; with `since` those that changed at or after it.
    ///
    /// Pages are read one after the other while others write, and each may come from another replica. A change in
    /// between may be missed; a second read from shortly before the newest change finds it.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn comments(
        &self,
        issue: &IssueRef,
        since: Option<DateTime<Utc>>,
    ) -> Result<Vec<IssueComment>, GitHubError> {
        let since = since.map(|since| format!("&since={}", since.to_rfc3339_opts(SecondsFormat::Secs, true)));
        let since = since.unwrap_or_default();
        let page = async |page: u64| {
            let path = format!("/issues/{}/comments?per_page={PAGE}&page={page}{since}", issue.number);
            let request = Request::get(&issue.repository, path, format!("list the comments of {issue}"));
            self.send(request.appears_within(self.lag_of(issue))).await
        };
        let (first, mut extent) = (page(1).await?, Extent::default());
        extent.add(&first)?;
        let mut comments: Vec<IssueComment> = first.json()?;
        let mut next = first.has_next_page().then_some(2);
        // In the list of changed comments, an edited one moves to the end, and the others move to the front.
        // Only the list of all comments keeps its order, so only its pages are read at the same time.
        if let Some(last) = first.last_page().filter(|_| since.is_empty()) {
            let last = last.min(PAGES_LIMIT);
            let mut rest = futures::stream::iter(2..=last).map(&page).buffered(PAGES_AT_ONCE);
            while let Some(answer) = rest.next().await {
                let answer = answer?;
                extent.add(&answer)?;
                comments.extend(answer.json::<Vec<IssueComment>>()?);
                next = answer.has_next_page().then_some(last + 1);
            }
        }
        while let Some(number) = next {
            let answer = page(number).await?;
            extent.add(&answer)?;
            comments.extend(answer.json::<Vec<IssueComment>>()?);
            next = answer.has_next_page().then_some(number + 1);
        }
        Ok(comments)
    }

    /// One comment of the issue; none if it does not exist or was deleted, which is certain only after GitHub's
    /// lag.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn comment(
        &self,
        issue: &IssueRef,
        id: CommentId,
    ) -> Result<Option<IssueComment>, GitHubError> {
        let path = format!("/issues/comments/{id}");
        let request = Request::get(&issue.repository, path, format!("show comment {id} of {issue}"));
        match self.send(request.appears_within(lag::COMMENT)).await {
            // GitHub takes the id of any comment of the repository.
            Ok(answer) => {
                Ok(Some(answer.json::<IssueComment>()?).filter(|comment| comment.is_on(issue.number)))
            }
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a comment.
    ///
    /// Sent once: a repeated request would write a second comment. After an unclear failure the
    /// caller looks for it.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or gives no clear answer.
    pub async fn create_comment(&self, issue: &IssueRef, body: &str) -> Result<IssueComment, GitHubError> {
        let path = format!("/issues/{}/comments", issue.number);
        let purpose = format!("write a comment on {issue}");
        let request = Request::new(Method::POST, &issue.repository, path, Repeat::Never, purpose);
        let request = request.body(json!({ "body": body })).appears_within(self.lag_of(issue));
        Ok(self.send(request).await?.json()?)
    }

    /// Replaces the text of an own comment; may be repeated.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn edit_comment(
        &self,
        issue: &IssueRef,
        id: CommentId,
        body: &str,
    ) -> Result<IssueComment, GitHubError> {
        let path = format!("/issues/comments/{id}");
        let purpose = format!("edit comment {id} of {issue}");
        let request = Request::new(Method::PATCH, &issue.repository, path, Repeat::Freely, purpose);
        let request = request.body(json!({ "body": body })).appears_within(lag::COMMENT);
        Ok(self.send(request).await?.json()?)
    }

    /// Deletes an own comment; may be repeated.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn delete_comment(&self, issue: &IssueRef, id: CommentId) -> Result<(), GitHubError> {
        let path = format!("/issues/comments/{id}");
        let purpose = format!("delete comment {id} of {issue}");
        match self.send(Request::new(Method::DELETE, &issue.repository, path, Repeat::Freely, purpose)).await
        {
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Reacts to a comment of somebody else; may be repeated, as GitHub keeps one reaction of a kind for each
    /// account. A deleted comment gets none.
    /// <https://docs.github.com/rest/reactions/reactions#create-reaction-for-an-issue-comment>
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn react(
        &self,
        issue: &IssueRef,
        id: CommentId,
        reaction: Reaction,
    ) -> Result<(), GitHubError> {
        let path = format!("/issues/comments/{id}/reactions");
        let purpose = format!("react to comment {id} of {issue}");
        let request = Request::new(Method::POST, &issue.repository, path, Repeat::Freely, purpose);
        let request = request.body(json!({ "content": reaction.as_str() }));
        match self.send(request.appears_within(lag::COMMENT_OF_EVENT)).await {
            Err(error) if error.is_gone() => {
                tracing::info!("comment {id} of {issue} is gone, and gets no reaction");
                Ok(())
            }
            answer => answer.map(drop),
        }
    }

    /// Pins a comment to the top of its issue; may be repeated. GHES up to 3.19 cannot.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn pin_comment(&self, issue: &IssueRef, id: CommentId) -> Result<(), GitHubError> {
        let path = format!("/issues/comments/{id}/pin");
        let purpose = format!("pin comment {id} of {issue}");
        self.send(Request::new(Method::PUT, &issue.repository, path, Repeat::Freely, purpose)).await.map(drop)
    }
}
