//! Notifying in an issue of the repository where it happened: the same failure in the same issue.

use chrono::TimeDelta;

use super::{age, newest_age};
use crate::apply;
use crate::believe;
use crate::github::issues::Issue;
use crate::github::{GitHub, GitHubError};
use crate::inputs::{CommentMode, Common, NotifyInputs};
use crate::job::Job;
use crate::names::{CommentId, IssueRef, Login};
use crate::opening::{self, Lookup};
use crate::plan::{Applied, Effect, NewIssue};
use crate::problem::Problem;
use crate::receipt::Receipt;
use crate::ticket::marker::Marker;
use crate::ticket::{Comment, Key, Notice, Record, Status, text};

/// The same failure so soon after it was resolved reopens its issue.
const REOPENS_WITHIN: TimeDelta = TimeDelta::days(7);

/// What is known of the issue of the same failure.
pub(super) enum Facts {
    /// Nothing was ever opened.
    Nothing,
    /// It is open; other open ones came second.
    Open { issue: Earlier, duplicates: Vec<IssueRef> },
    /// It was closed lately.
    Closed { issue: Earlier },
    /// It was closed too long ago to be opened again.
    ClosedLongAgo { issue: IssueRef },
}

/// An issue of the same failure.
pub(super) struct Earlier {
    issue: IssueRef,
    url: String,
    /// Whether a newer run, or a newer attempt, has said something in it.
    is_outdated: bool,
    /// The last comment that did.
    comment: Option<CommentId>,
}

/// Looks for the issue of the same failure.
pub(super) async fn read(
    job: &Job,
    inputs: &NotifyInputs,
    github: &GitHub,
    notice: &Notice,
) -> Result<Facts, GitHubError> {
    let key = Key::Failure(notice.fingerprint.clone());
    if let Lookup::Found(found) = opening::find(github, &job.repository, &key).await? {
        let opening::Found { issue, duplicates } = *found;
        return Ok(Facts::Open { issue: earlier(job, github, issue, notice).await?, duplicates });
    }
    // A success resolves nothing that is closed.
    if notice.status == Status::Success {
        return Ok(Facts::Nothing);
    }
    let label = inputs.labels.first().map(String::as_str).unwrap_or_default();
    let closed = opening::find_closed(github, &job.repository, &key, label).await?;
    let Some(closed) = closed.into_iter().next() else {
        return Ok(Facts::Nothing);
    };
    let is_recent = closed.closed_at.is_some_and(|at| job.clock.now() - at <= REOPENS_WITHIN);
    if !is_recent {
        let issue = IssueRef { repository: job.repository.clone(), number: closed.number };
        return Ok(Facts::ClosedLongAgo { issue });
    }
    Ok(Facts::Closed { issue: earlier(job, github, closed, notice).await? })
}

/// What was said of the same failure in its issue.
async fn earlier(job: &Job, github: &GitHub, opened: Issue, notice: &Notice) -> Result<Earlier, GitHubError> {
    let of = |body: &str| match Record::parse(&Marker::find(body)?.ok()?) {
        Ok(Some(Record::Notice(known))) if known.fingerprint == notice.fingerprint => Some(known.by),
        _ => None,
    };
    let issue = IssueRef { repository: job.repository.clone(), number: opened.number };
    let first = opened.body.as_deref().and_then(of);
    let mut comments = github.comments(&issue, None).await?;
    believe::settle(github, &issue.repository, &mut comments).await;
    let trusted = comments.iter().filter(|comment| comment.is_trusted());
    let notices: Vec<_> = trusted.filter_map(|comment| Some((comment.id, of(&comment.body)?))).collect();
    let writers = notices.iter().map(|(_, by)| by).chain(&first);
    let is_outdated = newest_age(job, github, notice, writers).await > age(&notice.by);
    let comment = notices.last().map(|(id, _)| *id);
    Ok(Earlier { issue, url: opened.html_url, is_outdated, comment })
}

/// The texts of a notice in an issue.
pub(super) struct Texts {
    title: String,
    body: String,
    labels: Vec<String>,
    mention: Vec<Login>,
}

impl Texts {
    pub(super) fn new(
        job: &Job,
        inputs: &NotifyInputs,
        notice: &Notice,
        mention: Vec<Login>,
        instead_of: Option<&Problem>,
    ) -> Self {
        let title = inputs.title.clone().unwrap_or_else(|| made_title(job, inputs, notice));
        let body = issue_text(notice, &mention, instead_of);
        Self { title: text::title(&title), body, labels: inputs.labels.clone(), mention }
    }
}

/// The effects of a notice.
pub(super) fn decide(
    facts: &Facts,
    job: &Job,
    common: &Common,
    notice: &Notice,
    texts: &Texts,
) -> Vec<Effect> {
    let is_success = notice.status == Status::Success;
    let write = |earlier: &Earlier, comment| Effect::WriteComment {
        issue: earlier.issue.clone(),
        comment,
        body: texts.body.clone(),
    };
    match facts {
        Facts::Open { issue, .. } if is_success && issue.is_outdated => Vec::new(),
        Facts::Open { issue, duplicates } => {
            let of = issue.issue.number;
            let mut effects: Vec<Effect> =
                duplicates.iter().map(|issue| Effect::CloseDuplicate { issue: issue.clone(), of }).collect();
            let edits = common.comment_mode == CommentMode::Update && !is_success && !issue.is_outdated;
            effects.push(write(issue, issue.comment.filter(|_| edits)));
            if is_success {
                effects.push(Effect::CloseIssue { issue: issue.issue.clone(), last_word: None });
            }
            effects
        }
        Facts::Nothing if is_success => Vec::new(),
        Facts::Nothing => vec![open(job, notice, texts, None)],
        Facts::ClosedLongAgo { issue } => vec![open(job, notice, texts, Some(issue))],
        Facts::Closed { issue } if issue.is_outdated => Vec::new(),
        Facts::Closed { issue } => {
            vec![Effect::ReopenIssue { issue: issue.issue.clone() }, write(issue, None)]
        }
    }
}

fn open(job: &Job, notice: &Notice, texts: &Texts, continues: Option<&IssueRef>) -> Effect {
    let continues = continues.map(|issue| format!("\nThe same happened before, in #{}.\n", issue.number));
    let body = format!("{}{}", texts.body, continues.unwrap_or_default());
    Effect::OpenIssue(Box::new(NewIssue {
        repository: job.repository.clone(),
        title: texts.title.clone(),
        body: text::cut(&body, text::BODY_LIMIT),
        labels: texts.labels.clone(),
        assignee: texts.mention.first().cloned(),
        key: Key::Failure(notice.fingerprint.clone()),
    }))
}

/// Applies the effects in their order.
pub(super) async fn apply(
    effects: &[Effect],
    facts: &Facts,
    texts: &Texts,
    github: &GitHub,
    receipt: &mut Receipt,
) -> Result<(), GitHubError> {
    if effects.is_empty() {
        tracing::info!(
            "nothing is to be said: nothing is open that this could resolve, or a newer run has said more"
        );
        receipt.summary =
            "Nothing was to be said: a newer run has said more, or nothing was open.\n".to_owned();
        return Ok(());
    }
    let mut verb = "Notified in";
    let earlier = match facts {
        Facts::Open { issue, .. } | Facts::Closed { issue } => Some((issue.issue.clone(), issue.url.clone())),
        Facts::Nothing | Facts::ClosedLongAgo { .. } => None,
    };
    for effect in effects {
        match apply::send(effect, github).await? {
            Applied::Opened { issue, url, created } => {
                if !created {
                    // Another job opened it at the same time, and came first.
                    opening::comment_once(github, &issue, &texts.body).await?;
                }
                receipt.created = Some(created);
                receipt.issue = Some((issue, url));
            }
            Applied::Written(Comment { id, url, .. }) => {
                receipt.comment = Some((id.0, url));
                receipt.issue.clone_from(&earlier);
            }
            _ if matches!(effect, Effect::CloseIssue { .. }) => verb = "Resolved",
            _ => {}
        }
    }
    if let Some((issue, url)) = &receipt.issue {
        tracing::info!("{} {issue}", verb.to_lowercase());
        receipt.summary = format!("{verb} {}.\n", text::link(&issue.to_string(), url));
    }
    Ok(())
}

/// `Nightly failed: the message`; where none is given, what was made from the run says it all.
fn made_title(job: &Job, inputs: &NotifyInputs, notice: &Notice) -> String {
    let workflow = if job.workflow.is_empty() { "A workflow" } else { &job.workflow };
    match inputs.message.as_deref().map(text::first_line) {
        Some(message) => format!("{workflow} failed: {message}"),
        None => text::first_line(&notice.message).to_owned(),
    }
}

fn issue_text(notice: &Notice, mention: &[Login], instead_of: Option<&Problem>) -> String {
    let record = Record::Notice(notice.clone().mentioning(mention.to_vec()));
    let instead = instead_of.map(|problem| {
        format!(
            "\n\nThis is here because the ticket could not be written:\n{}\n",
            text::quote(&problem.to_string())
        )
    });
    format!("{}{}", record.render(), instead.unwrap_or_default())
}
