//! Opening: finds the one open issue of a key, or opens it once.
//!
//! The key of a ticket is its release or the hub's run, that of an issue of notify its fingerprint. Issues have no
//! unique keys on GitHub, so a job that opened one reads the list until its own issue is in it: then all earlier
//! issues are in it, too. Of several with the same key the lowest number stays, unless another one continues it: then
//! it was closed, and somebody has reopened it. A job that opened another one closes that as a duplicate, and so does
//! any later job that finds two.

use std::cmp::Reverse;

use chrono::TimeDelta;

use crate::github::issues::{CreatedIssue, Issue, IssueComment};
use crate::github::once::{look_for, send_once};
use crate::github::{GitHub, GitHubError};
use crate::names::{IssueNumber, IssueRef, RepoName};
use crate::plan::NewIssue;
use crate::problem::{Problem, Topic};
use crate::runner::log::NOTICE;
use crate::ticket::{Key, Word, key};
use crate::trust;

/// The open issue of a key, after [`open`].
#[derive(Debug, Clone)]
pub struct Opening {
    /// The issue.
    pub issue: Issue,
    /// Whether this step opened it.
    pub is_new: bool,
}

/// The result of a search for the open issue of a key.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// There is one.
    Found(Box<OpenIssue>),
    /// There is none that this release can read. This open one, by a newer release, may be it.
    Unreadable(IssueRef),
    /// There is none.
    Absent,
}

/// The open issue of a key, with its duplicates.
#[derive(Debug, Clone)]
pub struct OpenIssue {
    /// The issue with the lowest number, unless another one continues it.
    pub issue: Issue,
    /// The other open issues of the key.
    pub duplicates: Vec<IssueRef>,
}

/// The open issue of `key`, if there is one.
///
/// # Errors
///
/// When GitHub refuses or does not answer.
pub async fn find(github: &GitHub, repository: &RepoName, key: &Key) -> Result<Lookup, GitHubError> {
    let lookup = look_up(open_issues(github, repository).await?, repository, key);
    if let Lookup::Found(open) = &lookup {
        github.expect(&IssueRef { repository: repository.clone(), number: open.issue.number });
    }
    Ok(lookup)
}

/// Every open issue of `key`.
///
/// # Errors
///
/// When GitHub refuses or does not answer.
pub async fn find_open(github: &GitHub, repository: &RepoName, key: &Key) -> Result<Vec<Issue>, GitHubError> {
    let issues = open_issues(github, repository).await?;
    Ok(issues.into_iter().filter(|issue| has_key(issue, key)).collect())
}

/// The open issues, after [`trust::settle`] has settled which of them may be this action's.
async fn open_issues(github: &GitHub, repository: &RepoName) -> Result<Vec<Issue>, GitHubError> {
    let mut issues = github.open_issues(repository).await?;
    trust::settle(github, repository, &mut issues).await;
    Ok(issues)
}

/// The issue of `key` in a list of open issues.
fn look_up(mut issues: Vec<Issue>, repository: &RepoName, key: &Key) -> Lookup {
    let issue_ref = |issue: &Issue| IssueRef { repository: repository.clone(), number: issue.number };
    let unreadable =
        issues.iter().find(|issue| key_of(issue).is_some_and(|key| key.is_newer())).map(issue_ref);
    // If this issue takes no more comments, notify writes about the failure in another one.
    let is_usable = |issue: &Issue| issue.takes_comments() || !matches!(key, Key::Failure(_));
    issues.retain(|issue| has_key(issue, key) && is_usable(issue));
    issues.sort_by_key(|issue| issue.number);
    if issues.is_empty() {
        return unreadable.map_or(Lookup::Absent, Lookup::Unreadable);
    }
    let issue = issues.remove(last_of_chain(&issues));
    let duplicates = issues.iter().map(issue_ref).collect();
    Lookup::Found(Box::new(OpenIssue { issue, duplicates }))
}

/// The position of the first of these issues. If another one continues it, somebody has reopened the first, and the
/// position is that of the other.
fn last_of_chain(issues: &[Issue]) -> usize {
    let mut last = 0;
    while let Some(next) =
        issues.iter().position(|issue| continues(issue).is_some_and(|earlier| earlier == issues[last].number))
    {
        last = next;
    }
    last
}

/// Closes an issue that came second to `first`. A failure is only a warning: an open duplicate does no harm.
pub async fn close_as_duplicate(github: &GitHub, duplicate: &IssueRef, first: IssueNumber) {
    tracing::info!("{duplicate} came second to #{first}; closing it as a duplicate");
    let result = github.close_issue_as_duplicate(duplicate).await;
    let result = match result {
        Ok(()) => github.create_comment(duplicate, &format!("Duplicate of #{first}")).await.map(drop),
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        let what = format!("{duplicate} is a duplicate of #{first}, and cannot be closed as such");
        Problem::of(&what, &error).warn();
    }
}

/// The closed issues of `key`, the newest first: a later one takes over from an earlier one, and the order in which
/// people closed them does not matter. These are the ones that still have `label`, and relabelled ones among the
/// issues that changed last.
///
/// # Errors
///
/// When GitHub refuses or does not answer.
pub async fn find_closed_issues(
    github: &GitHub,
    repository: &RepoName,
    key: &Key,
    label: Option<&str>,
) -> Result<Vec<Issue>, GitHubError> {
    let lists =
        label.map(Some).into_iter().chain([None]).map(|label| github.closed_issues(repository, label));
    let mut issues = futures::future::try_join_all(lists).await?.concat();
    trust::settle(github, repository, &mut issues).await;
    issues.retain(|issue| has_key(issue, key) && !issue.is_duplicate());
    issues.sort_by_key(|issue| Reverse(issue.number));
    issues.dedup_by_key(|issue| issue.number);
    Ok(issues)
}

/// The issue `issue`, if it has this key and its author may write records.
///
/// # Errors
///
/// When GitHub refuses or does not answer.
pub async fn find_by_number(
    github: &GitHub,
    issue: &IssueRef,
    key: &Key,
) -> Result<Option<Issue>, GitHubError> {
    let mut issues = [github.issue(issue).await?];
    trust::settle(github, &issue.repository, &mut issues).await;
    let [issue] = issues;
    Ok(Some(issue).filter(|issue| has_key(issue, key)))
}

/// The earlier issue from which an issue of this action takes over.
#[must_use]
pub fn continues(issue: &Issue) -> Option<IssueNumber> {
    let body = issue.body.as_deref().filter(|_| issue.is_trusted())?;
    key::continues(body).filter(|earlier| *earlier < issue.number)
}

/// Opens an issue, unless another job opens one with the same key at the same time and comes first.
///
/// # Errors
///
/// When GitHub refuses or gives no clear answer.
pub async fn open(github: &GitHub, new: &NewIssue) -> Result<Opening, GitHubError> {
    let assignee = new.assignee.as_ref().filter(|login| !login.is_bot() && !login.is_team());
    let CreatedIssue { issue: mine, refused_labels } = send_once(
        async || github.create_issue(&new.repository, &new.title, &new.body, &new.labels, assignee).await,
        async || {
            let issues = open_issues(github, &new.repository).await?;
            let ours = |issue: &Issue| issue.is_trusted() && issue.body.as_deref() == Some(new.body.as_str());
            let issue = issues.into_iter().find(ours);
            Ok(issue.map(|issue| CreatedIssue { issue, refused_labels: Vec::new() }))
        },
    )
    .await?;
    warn_of_labels(new, &mine, &refused_labels);
    let issues = match list_with(github, &new.repository, mine.number).await {
        // A second issue of one failure does no harm; silence about the failure does. If a list never shows the issue,
        // another job may have closed it as a duplicate.
        Err(GitHubError::NotListed(_)) if matches!(new.key, Key::Failure(_)) => {
            open_issues(github, &new.repository).await.unwrap_or_default()
        }
        issues => issues?,
    };
    match look_up(issues, &new.repository, &new.key) {
        Lookup::Found(open) if open.issue.number < mine.number => {
            let duplicate = IssueRef { repository: new.repository.clone(), number: mine.number };
            close_as_duplicate(github, &duplicate, open.issue.number).await;
            Ok(Opening { issue: open.issue, is_new: false })
        }
        _ => {
            let issue = IssueRef { repository: new.repository.clone(), number: mine.number };
            // The ticket names the driver in any case.
            if let Some(login) = assignee.filter(|login| !mine.is_assigned_to(login)) {
                tracing::info!(target: NOTICE, "{login} cannot be assigned to {issue}: they have no access to it");
            }
            Ok(Opening { issue: mine, is_new: true })
        }
    }
}

/// Warns of the labels that the issue lacks: those that GitHub refused, and those that it dropped.
fn warn_of_labels(new: &NewIssue, mine: &Issue, refused_labels: &[String]) {
    let issue = format!("{}#{}", new.repository, mine.number);
    if !refused_labels.is_empty() {
        let what = format!("{issue} was opened without the labels {refused_labels:?}, which GitHub refuses");
        let help = "correct the input `labels`: a label has 50 characters at most";
        Problem::new(what).help(Topic::Input, help).warn();
    }
    let is_dropped = |label: &&String| !refused_labels.contains(label) && !has_label(mine, label);
    let dropped_labels: Vec<&String> = new.labels.iter().filter(is_dropped).collect();
    if !dropped_labels.is_empty() {
        tracing::warn!(
            "{issue} was opened without the labels {dropped_labels:?}: GitHub drops them when the token may not push or triage"
        );
    }
}

/// The open issues, once a list of them holds `mine`, which this step has just opened.
async fn list_with(
    github: &GitHub,
    repository: &RepoName,
    mine: IssueNumber,
) -> Result<Vec<Issue>, GitHubError> {
    let list = async || {
        let issues = open_issues(github, repository).await?;
        Ok(Some(issues).filter(|issues| issues.iter().any(|issue| issue.number == mine)))
    };
    let not_listed = || GitHubError::NotListed(IssueRef { repository: repository.clone(), number: mine });
    look_for(&list).await?.ok_or_else(not_listed)
}

/// Writes a comment that is not a record, once: after an unclear answer, its text identifies it.
///
/// # Errors
///
/// When GitHub refuses or gives no clear answer.
pub async fn comment_once(
    github: &GitHub,
    issue: &IssueRef,
    body: &str,
) -> Result<IssueComment, GitHubError> {
    let before = github.clock().now() - TimeDelta::minutes(1);
    send_once(
        async || github.create_comment(issue, body).await,
        async || {
            let comments = github.comments(issue, Some(before)).await?;
            Ok(comments.into_iter().rfind(|comment| comment.is_trusted() && comment.body == body))
        },
    )
    .await
}

/// Closes an issue with a last word, unless somebody has already closed it.
///
/// # Errors
///
/// When GitHub refuses or gives no clear answer.
pub async fn close(github: &GitHub, issue: &IssueRef, last_word: Option<&str>) -> Result<(), GitHubError> {
    if let Some(last_word) = last_word {
        if !github.issue(issue).await?.is_open() {
            return Ok(());
        }
        comment_once(github, issue, last_word).await?;
    }
    github.close_issue(issue).await
}

fn has_key(issue: &Issue, key: &Key) -> bool {
    key_of(issue).is_some_and(|own_key| own_key == *key)
}

/// The key of an issue, if its author may write records.
fn key_of(issue: &Issue) -> Option<Word<Key>> {
    issue.body.as_deref().and_then(Key::of).filter(|_| issue.is_trusted())
}

fn has_label(issue: &Issue, name: &str) -> bool {
    issue.labels.iter().any(|label| label.name().eq_ignore_ascii_case(name))
}
