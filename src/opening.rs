//! Opening: the one open issue of a key, found or opened once.
//!
//! A ticket is found by its release or by the hub's run, an issue of notify by its fingerprint.
//! Issues have no unique keys on GitHub, so a job that opened one reads the list again until its own issue
//! is in it: then every issue that was opened before is in it too. Of several with the same key the lowest
//! number stays, unless another one continues it: then it was closed, and somebody has reopened it. A job that opened
//! another one closes that as a duplicate, and so does, at any later time, a job that finds two.

use std::cmp::Reverse;

use chrono::TimeDelta;

use crate::believe;
use crate::github::issues::{CreatedIssue, Issue, IssueComment};
use crate::github::once::{look_for, sent_once};
use crate::github::{GitHub, GitHubError};
use crate::names::{IssueNumber, IssueRef, RepoName};
use crate::plan::NewIssue;
use crate::problem::Problem;
use crate::runner::log::NOTICE;
use crate::ticket::{Key, Word, key};

/// The issue of a key.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The issue.
    pub issue: Issue,
    /// Whether this step opened it.
    pub created: bool,
}

/// What is known of the open issue of a key.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// There is one.
    Found(Box<Found>),
    /// There is none that this release can read; this open one may be it, which a newer release wrote.
    Unreadable(IssueRef),
    /// There is none.
    Absent,
}

/// The open issue of a key as it was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The issue with the lowest number, unless another one continues it.
    pub issue: Issue,
    /// The others.
    pub duplicates: Vec<IssueRef>,
}

/// The open issue of `key`, if there is one.
///
/// # Errors
///
/// When GitHub refuses or does not answer.
pub async fn find(github: &GitHub, repository: &RepoName, key: &Key) -> Result<Lookup, GitHubError> {
    let lookup = look_up(open_issues(github, repository).await?, repository, key);
    if let Lookup::Found(found) = &lookup {
        github.expect(&IssueRef { repository: repository.clone(), number: found.issue.number });
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

/// The open issues, and which of them may be this action's.
async fn open_issues(github: &GitHub, repository: &RepoName) -> Result<Vec<Issue>, GitHubError> {
    let mut issues = github.open_issues(repository).await?;
    believe::settle(github, repository, &mut issues).await;
    Ok(issues)
}

/// The issue of `key` in a list of open issues.
fn look_up(mut issues: Vec<Issue>, repository: &RepoName, key: &Key) -> Lookup {
    let issue_ref = |issue: &Issue| IssueRef { repository: repository.clone(), number: issue.number };
    let unreadable =
        issues.iter().find(|issue| key_of(issue).is_some_and(|key| key.is_newer())).map(issue_ref);
    // A failure is notified in another issue where this one takes no more comments.
    let is_usable = |issue: &Issue| issue.takes_comments() || !matches!(key, Key::Failure(_));
    issues.retain(|issue| has_key(issue, key) && is_usable(issue));
    issues.sort_by_key(|issue| issue.number);
    if issues.is_empty() {
        return unreadable.map_or(Lookup::Absent, Lookup::Unreadable);
    }
    let issue = issues.remove(last_of_chain(&issues));
    let duplicates = issues.iter().map(issue_ref).collect();
    Lookup::Found(Box::new(Found { issue, duplicates }))
}

/// Where the first of these issues is; where another one continues it, somebody has reopened it: that one.
fn last_of_chain(issues: &[Issue]) -> usize {
    let mut last = 0;
    while let Some(next) =
        issues.iter().position(|issue| continues(issue).is_some_and(|earlier| earlier == issues[last].number))
    {
        last = next;
    }
    last
}

/// Closes an issue that came second to `first`. That it stays open is untidy, and no reason to fail.
pub async fn close_as_duplicate(github: &GitHub, duplicate: &IssueRef, first: IssueNumber) {
    tracing::info!("{duplicate} came second to #{first}; closing it as a duplicate");
    let closed = github.close_issue_as_duplicate(duplicate).await;
    let closed = match closed {
        Ok(()) => github.create_comment(duplicate, &format!("Duplicate of #{first}")).await.map(drop),
        Err(error) => Err(error),
    };
    if let Err(error) = closed {
        let what = format!("{duplicate} is a duplicate of #{first}, and cannot be closed as such");
        tracing::warn!("{}", Problem::of(&what, &error));
    }
}

/// The closed issues of `key`, the newest first: a later one takes over from an earlier one, whichever was closed last.
/// Those that still have `label`, and those that somebody relabelled, as far as they are among the issues that changed
/// last.
///
/// # Errors
///
/// When GitHub refuses or does not answer.
pub async fn find_closed(
    github: &GitHub,
    repository: &RepoName,
    key: &Key,
    label: Option<&str>,
) -> Result<Vec<Issue>, GitHubError> {
    let lists =
        label.map(Some).into_iter().chain([None]).map(|label| github.closed_issues(repository, label));
    let mut issues = futures::future::try_join_all(lists).await?.concat();
    believe::settle(github, repository, &mut issues).await;
    issues.retain(|issue| has_key(issue, key) && !issue.is_duplicate());
    issues.sort_by_key(|issue| Reverse(issue.number));
    issues.dedup_by_key(|issue| issue.number);
    Ok(issues)
}

/// The issue of `key` with this number, if it has that key and this action, or somebody who may, opened it.
///
/// # Errors
///
/// When GitHub refuses or does not answer.
pub async fn find_numbered(
    github: &GitHub,
    issue: &IssueRef,
    key: &Key,
) -> Result<Option<Issue>, GitHubError> {
    let mut found = [github.issue(issue).await?];
    believe::settle(github, &issue.repository, &mut found).await;
    let [found] = found;
    Ok(Some(found).filter(|found| has_key(found, key)))
}

/// The earlier issue that an issue of this action takes over from.
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
pub async fn open(github: &GitHub, new: &NewIssue) -> Result<Opened, GitHubError> {
    let assignee = new.assignee.as_ref().filter(|login| !login.is_bot() && !login.is_team());
    let CreatedIssue { issue: mine, refused } = sent_once(
        async || github.create_issue(&new.repository, &new.title, &new.body, &new.labels, assignee).await,
        async || {
            let issues = open_issues(github, &new.repository).await?;
            let ours = |issue: &Issue| issue.is_trusted() && issue.body.as_deref() == Some(new.body.as_str());
            let found = issues.into_iter().find(ours);
            Ok(found.map(|issue| CreatedIssue { issue, refused: Vec::new() }))
        },
    )
    .await?;
    warn_of_labels(new, &mine, &refused);
    let issues = match list_with(github, &new.repository, mine.number).await {
        // Two issues of one failure are untidy, and no reason to say nothing. One that is never listed may have been
        // closed by another job, as a duplicate of one that is.
        Err(GitHubError::NotListed(_)) if matches!(new.key, Key::Failure(_)) => {
            open_issues(github, &new.repository).await.unwrap_or_default()
        }
        issues => issues?,
    };
    match look_up(issues, &new.repository, &new.key) {
        Lookup::Found(found) if found.issue.number < mine.number => {
            let duplicate = IssueRef { repository: new.repository.clone(), number: mine.number };
            close_as_duplicate(github, &duplicate, found.issue.number).await;
            Ok(Opened { issue: found.issue, created: false })
        }
        _ => {
            let issue = IssueRef { repository: new.repository.clone(), number: mine.number };
            // The ticket names them in any case.
            if let Some(login) = assignee.filter(|login| !mine.is_assigned_to(login)) {
                tracing::info!(target: NOTICE, "{login} cannot be assigned to {issue}: they have no access to it");
            }
            Ok(Opened { issue: mine, created: true })
        }
    }
}

/// Names the labels that the issue does not have: those that GitHub refused, and those that it left out.
fn warn_of_labels(new: &NewIssue, mine: &Issue, refused: &[String]) {
    let issue = format!("{}#{}", new.repository, mine.number);
    if !refused.is_empty() {
        let what = format!("{issue} was opened without the labels {refused:?}, which GitHub refuses");
        let help = "correct the input `labels`: a label has 50 characters at most";
        tracing::warn!("{}", Problem::new(what).help(help));
    }
    let is_dropped = |label: &&String| !refused.contains(label) && !has_label(mine, label);
    let dropped: Vec<&String> = new.labels.iter().filter(is_dropped).collect();
    if !dropped.is_empty() {
        tracing::warn!(
            "{issue} was opened without the labels {dropped:?}: GitHub drops them when the token may not push or triage"
        );
    }
}

/// The open issues, as soon as a list of them holds `mine`, which this step has just opened.
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

/// Writes a comment that is not a record, once: it is found again by its text.
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
    sent_once(
        async || github.create_comment(issue, body).await,
        async || {
            let comments = github.comments(issue, Some(before)).await?;
            Ok(comments.into_iter().rfind(|comment| comment.is_trusted() && comment.body == body))
        },
    )
    .await
}

/// Closes an issue with a last word, unless somebody has closed it meanwhile.
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
    key_of(issue).is_some_and(|known| known == *key)
}

/// The key of an issue that this action opened.
fn key_of(issue: &Issue) -> Option<Word<Key>> {
    issue.body.as_deref().and_then(Key::of).filter(|_| issue.is_trusted())
}

fn has_label(issue: &Issue, name: &str) -> bool {
    issue.labels.iter().any(|label| label.name().eq_ignore_ascii_case(name))
}
