//! Applying a plan: the one place where this action changes something on GitHub.
//!
//! Each [`Effect`] is sent once; the methods of [`crate::github`], [`crate::opening`] and
//! [`crate::ledger`] say how an unclear answer is settled.

use crate::github::releases::{NewRelease, Release};
use crate::github::{GitHub, GitHubError};
use crate::ledger::{Ledger, Pen};
use crate::names::{IssueRef, RepoName};
use crate::opening;
use crate::plan::{Applied, Effect, EventStart, RecordRelease, WorkflowStart};
use crate::problem::Problem;
use crate::runner::log::NOTICE;
use crate::ticket::{Comment, Log};

/// Applies an effect on the ticket of `ledger`, or anywhere else; `log` learns what is written.
///
/// # Errors
///
/// When GitHub refuses or gives no clear answer.
pub async fn apply(effect: &Effect, ledger: &mut Ledger<'_>, log: &mut Log) -> Result<Applied, GitHubError> {
    match effect {
        Effect::WriteRecord { comment, record, .. } => {
            ledger.write(log, *comment, record).await.map(Applied::Written)
        }
        Effect::UpdateBoard { .. } => ledger.show_board(log).await.map(Applied::Board),
        _ => send(effect, ledger.github()).await,
    }
}

/// Writes a record while other effects are applied; the ledger of the ticket keeps what was written.
///
/// # Errors
///
/// When GitHub refuses or gives no clear answer.
///
/// # Panics
///
/// When the effect is another one.
pub async fn write(effect: &Effect, pen: &Pen<'_>) -> Result<Comment, GitHubError> {
    match effect {
        Effect::WriteRecord { comment, record, .. } => pen.write(*comment, record).await,
        _ => unreachable!("only records are written beside other effects"),
    }
}

/// As [`apply()`]; a record is written while the log is read, where that was not done yet.
///
/// # Errors
///
/// When GitHub refuses or gives no clear answer.
pub async fn apply_beside_reading(
    effect: &Effect,
    ledger: &mut Ledger<'_>,
    log: &mut Log,
) -> Result<Applied, GitHubError> {
    match effect {
        Effect::WriteRecord { comment, record, .. } => {
            ledger.write_beside_reading(log, *comment, record).await.map(Applied::Written)
        }
        _ => apply(effect, ledger, log).await,
    }
}

/// Applies an effect that is not one on a ticket's log.
///
/// # Errors
///
/// When GitHub refuses or gives no clear answer.
pub async fn send(effect: &Effect, github: &GitHub) -> Result<Applied, GitHubError> {
    match effect {
        Effect::OpenIssue(new) => {
            let opened = opening::open(github, new).await?;
            let issue = IssueRef { repository: new.repository.clone(), number: opened.issue.number };
            if opened.created {
                tracing::info!("opened {issue}: {}", new.title);
            }
            return Ok(Applied::Opened { issue, url: opened.issue.html_url, created: opened.created });
        }
        Effect::CloseDuplicate { issue, of } => opening::close_as_duplicate(github, issue, *of).await,
        Effect::WriteComment { issue, comment, body } => {
            let written = match comment {
                Some(comment) => github.edit_comment(issue, *comment, body).await?,
                None => opening::comment_once(github, issue, body).await?,
            };
            return Ok(Applied::Written(written.into()));
        }
        Effect::PinBoard { issue, comment } => {
            // A server that cannot pin, or a token that may not, takes nothing from the release.
            if let Err(error) = github.pin_comment(issue, *comment).await {
                tracing::info!("{}", Problem::of(&format!("the board of {issue} is not pinned"), &error));
            }
        }
        Effect::StartWorkflow(WorkflowStart { repository, workflow, git_ref, inputs, .. }) => {
            let run = github.start_workflow(repository, workflow, git_ref, inputs).await?;
            return Ok(Applied::Started(run.map(|run| (run.id, run.html_url))));
        }
        Effect::PublishRelease(new) => publish(github, new).await?,
        Effect::SendEvent(EventStart { repository, event_type, client_payload, .. }) => {
            github.send_event(repository, event_type, client_payload).await?;
            return Ok(Applied::Started(None));
        }
        Effect::CreateRef(new) => {
            let created = github.create_ref(&new.repository, &new.name, &new.sha).await?;
            return Ok(Applied::Ref(created));
        }
        Effect::DeleteRefs { repository, prefix } => {
            // What is left is untidy, and no reason to fail.
            if let Err(error) = delete_refs(github, repository, prefix).await {
                let what = format!("the references {prefix}* of {repository} are not all deleted");
                tracing::warn!("{}", Problem::of(&what, &error));
            }
        }
        Effect::CancelRun { target, repository, run } => {
            github.cancel_run(repository, *run).await?;
            tracing::info!("cancelled {target}, run {run} of {repository}");
        }
        Effect::React { issue, comment, reaction } => {
            // The comment may be gone, and a reaction says nothing that decides anything.
            if let Err(error) = github.react(issue, *comment, *reaction).await {
                let what = format!("comment {comment} of {issue} has no reaction");
                tracing::info!("{}", Problem::of(&what, &error));
            }
        }
        Effect::ReopenIssue { issue } => github.reopen_issue(issue).await?,
        Effect::CloseIssue { issue, last_word } => {
            opening::close(github, issue, last_word.as_deref()).await?;
            tracing::info!("closed {issue}");
        }
        Effect::Skip { target, because } => {
            let help = because.help().map(|help| format!("; {help}")).unwrap_or_default();
            tracing::info!(target: NOTICE, "{target} is left alone: {}{help}", because.plain());
        }
        Effect::Wait { .. } => {}
        Effect::WriteRecord { .. } | Effect::UpdateBoard { .. } => {
            unreachable!("a record and a board belong to a ledger, which `apply` has")
        }
    }
    Ok(Applied::Done)
}

/// A release of this tag that this action did not publish is somebody else's, and stays as it is.
async fn publish(github: &GitHub, new: &RecordRelease) -> Result<(), GitHubError> {
    let RecordRelease { repository, tag, commit, name, body, mark } = new;
    let is_ours = |release: &Release| {
        release.body.as_deref().is_some_and(|text| text.lines().next() == Some(mark.as_str()))
    };
    let is_same = |release: &Release| {
        release.body.as_deref().is_some_and(|text| text.replace("\r\n", "\n").trim() == body.trim())
    };
    let published = match github.release_by_tag(repository, tag).await? {
        None => {
            let new = NewRelease { tag, commit, name, body };
            github.publish_release(repository, new).await?
        }
        Some(release) if !is_ours(&release) => {
            let what = format!("the record is not published: {repository} has another release {tag}");
            let help = "give the release another name, or leave `publish-release` out";
            tracing::warn!("{}", Problem::new(what).help(help));
            return Ok(());
        }
        Some(release) if is_same(&release) => release,
        Some(release) => github.edit_release(repository, &release, body).await?,
    };
    tracing::info!("the record of the release is published: {}", published.html_url);
    Ok(())
}

async fn delete_refs(github: &GitHub, repository: &RepoName, prefix: &str) -> Result<(), GitHubError> {
    let names = github.matching_refs(repository, prefix).await?;
    for name in names.into_iter().filter(|name| name.starts_with(prefix)) {
        github.delete_ref(repository, &name).await?;
    }
    Ok(())
}
