//! The application of a plan: the one place where this action changes something on GitHub.
//!
//! Each [`Effect`] is sent once; the methods of [`crate::github`], [`crate::opening`] and [`crate::ledger`] say how
//! they settle an unclear answer.

use crate::github::releases::{NewRelease, Release};
use crate::github::{GitHub, GitHubError};
use crate::ledger::{Ledger, Pen};
use crate::names::{IssueRef, RepoName};
use crate::opening;
use crate::plan::{Effect, EffectOutcome, EventStart, RecordRelease, WorkflowStart};
use crate::problem::{Problem, Topic};
use crate::runner::log::NOTICE;
use crate::ticket::{Comment, Log};

/// Applies an effect on the ticket of `ledger` or elsewhere, and adds written comments to `log`.
///
/// # Errors
///
/// When GitHub refuses or gives no clear answer.
pub async fn apply(
    effect: &Effect,
    ledger: &mut Ledger<'_>,
    log: &mut Log,
) -> Result<EffectOutcome, GitHubError> {
    match effect {
        Effect::WriteRecord { comment, record, .. } => {
            ledger.write(log, *comment, record).await.map(EffectOutcome::Written)
        }
        Effect::UpdateBoard { .. } => ledger.show_board(log).await.map(EffectOutcome::Board),
        _ => send(effect, ledger.github()).await,
    }
}

/// Writes a record beside other effects. The caller then passes the comment to the ledger of the ticket.
///
/// # Errors
///
/// When GitHub refuses or gives no clear answer.
///
/// # Panics
///
/// When the effect is not a record.
pub async fn write(effect: &Effect, pen: &Pen<'_>) -> Result<Comment, GitHubError> {
    match effect {
        Effect::WriteRecord { comment, record, .. } => pen.write(*comment, record).await,
        _ => unreachable!("only records are written beside other effects"),
    }
}

/// Applies an effect as [`apply()`] does, and reads the log while it writes a record, unless this step has read it.
///
/// # Errors
///
/// When GitHub refuses or gives no clear answer.
pub async fn apply_beside_reading(
    effect: &Effect,
    ledger: &mut Ledger<'_>,
    log: &mut Log,
) -> Result<EffectOutcome, GitHubError> {
    match effect {
        Effect::WriteRecord { comment, record, .. } => {
            ledger.write_beside_reading(log, *comment, record).await.map(EffectOutcome::Written)
        }
        _ => apply(effect, ledger, log).await,
    }
}

/// Applies an effect that is neither a record nor a board.
///
/// # Errors
///
/// When GitHub refuses or gives no clear answer.
pub async fn send(effect: &Effect, github: &GitHub) -> Result<EffectOutcome, GitHubError> {
    match effect {
        Effect::OpenIssue(new) => {
            let opening = opening::open(github, new).await?;
            let issue = IssueRef { repository: new.repository.clone(), number: opening.issue.number };
            if opening.is_new {
                tracing::info!("opened {issue}: {}", new.title);
            }
            return Ok(EffectOutcome::Opened { issue, url: opening.issue.html_url, is_new: opening.is_new });
        }
        Effect::CloseDuplicate { issue, of } => opening::close_as_duplicate(github, issue, *of).await,
        Effect::WriteComment { issue, comment, body } => {
            let comment = match comment {
                Some(comment) => github.edit_comment(issue, *comment, body).await?,
                None => opening::comment_once(github, issue, body).await?,
            };
            return Ok(EffectOutcome::Written(comment.into()));
        }
        Effect::PinBoard { issue, comment } => {
            // The release does not depend on the pin: some servers cannot pin, and some tokens may not.
            if let Err(error) = github.pin_comment(issue, *comment).await {
                Problem::of(&format!("the board of {issue} is not pinned"), &error).inform();
            }
        }
        Effect::StartWorkflow(WorkflowStart { repository, workflow, git_ref, inputs, .. }) => {
            let run = github.start_workflow(repository, workflow, git_ref, inputs).await?;
            return Ok(EffectOutcome::Started(run.map(|run| (run.id, run.html_url))));
        }
        Effect::PublishRelease(new) => publish(github, new).await?,
        Effect::SendEvent(EventStart { repository, event_type, client_payload, .. }) => {
            github.send_event(repository, event_type, client_payload).await?;
            return Ok(EffectOutcome::Started(None));
        }
        Effect::CreateRef(new) => {
            let creation = github.create_ref(&new.repository, &new.name, &new.sha).await?;
            return Ok(EffectOutcome::Ref(creation));
        }
        Effect::DeleteRefs { repository, prefix } => {
            // Leftover references do no harm, so the step goes on.
            if let Err(error) = delete_refs(github, repository, prefix).await {
                let what = format!("not all references {prefix}* of {repository} are deleted");
                Problem::of(&what, &error).warn();
            }
        }
        Effect::CancelRun { target, repository, run } => {
            github.cancel_run(repository, *run).await?;
            tracing::info!("cancelled {target}, run {run} of {repository}");
        }
        Effect::React { issue, comment, reaction } => {
            // The comment may be gone, and no decision depends on a reaction.
            if let Err(error) = github.react(issue, *comment, *reaction).await {
                let what = format!("comment {comment} of {issue} has no reaction");
                Problem::of(&what, &error).inform();
            }
        }
        Effect::ReopenIssue { issue } => github.reopen_issue(issue).await?,
        Effect::CloseIssue { issue, last_word } => {
            opening::close(github, issue, last_word.as_deref()).await?;
            tracing::info!("closed {issue}");
        }
        Effect::Skip { target, reason } => {
            let help = reason.help().map(|help| format!("; {}", help.text)).unwrap_or_default();
            tracing::info!(target: NOTICE, "{target} is left alone: {}{help}", reason.plain());
        }
        Effect::Wait { .. } => {}
        Effect::WriteRecord { .. } | Effect::UpdateBoard { .. } => {
            unreachable!("a record and a board belong to a ledger, which `apply` has")
        }
    }
    Ok(EffectOutcome::Done)
}

/// Publishes the record. A release of this tag by anybody else stays as it is.
async fn publish(github: &GitHub, new: &RecordRelease) -> Result<(), GitHubError> {
    let RecordRelease { repository, tag, commit, name, body, mark } = new;
    let is_ours = |release: &Release| {
        release.body.as_deref().is_some_and(|text| text.lines().next() == Some(mark.as_str()))
    };
    let is_same = |release: &Release| {
        release.body.as_deref().is_some_and(|text| text.replace("\r\n", "\n").trim() == body.trim())
    };
    let release = match github.release_by_tag(repository, tag).await? {
        None => {
            let new = NewRelease { tag, commit, name, body };
            github.publish_release(repository, new).await?
        }
        Some(release) if !is_ours(&release) => {
            let what = format!("the record is not published: {repository} has another release {tag}");
            let help = "give the release another name, or leave `publish-release` out";
            Problem::new(what).help(Topic::Input, help).warn();
            return Ok(());
        }
        Some(release) if is_same(&release) => release,
        Some(release) => github.edit_release(repository, &release, body).await?,
    };
    tracing::info!("the record of the release is published: {}", release.html_url);
    Ok(())
}

async fn delete_refs(github: &GitHub, repository: &RepoName, prefix: &str) -> Result<(), GitHubError> {
    let names = github.matching_refs(repository, prefix).await?;
    for name in names.into_iter().filter(|name| name.starts_with(prefix)) {
        github.delete_ref(repository, &name).await?;
    }
    Ok(())
}
