//! Notifying in an issue of the repository where it happened: the same failure in the same issue.
//!
//! The issue is found by its marker, whatever people make of its title and labels. It is opened again soon after it was
//! resolved, unless a person has closed it as not planned; one that takes no comments is followed by another one.

use chrono::{DateTime, Utc};

use super::subject::Subject;
use super::{age, cause, newest_age};
use crate::apply;
use crate::believe;
use crate::github::issues::Issue;
use crate::github::{GitHub, GitHubError};
use crate::inputs::{CommentMode, Common, NotifyInputs};
use crate::job::Job;
use crate::names::{IssueNumber, IssueRef, Login};
use crate::opening;
use crate::plan::{Applied, Effect, NewIssue};
use crate::problem::Problem;
use crate::receipt::Receipt;
use crate::ticket::course::{Course, FLAPPING_WITHIN, Flapping, Said};
use crate::ticket::marker::Marker;
use crate::ticket::{Comment, Key, Notice, Record, Status, text};

/// What is known of the issue of the same failure.
pub(super) enum Facts {
    /// Nothing was ever opened.
    Nothing,
    /// It is open; others are, too.
    Open { issue: Earlier, others: Vec<Issue> },
    /// It was closed lately.
    Closed { issue: Earlier },
    /// A person has closed it as not planned.
    NotPlanned { issue: Earlier, since: DateTime<Utc> },
    /// It was closed too long ago to be opened again, or takes no comments.
    Over { issue: IssueRef },
}

/// An issue of the same failure.
pub(super) struct Earlier {
    issue: IssueRef,
    url: String,
    takes_comments: bool,
    /// Whether a newer run, or a newer attempt, has said something in it.
    is_outdated: bool,
    /// What was said in it.
    course: Course,
}

/// Looks for the issue of the same failure.
pub(super) async fn read(
    job: &Job,
    inputs: &NotifyInputs,
    github: &GitHub,
    notice: &Notice,
) -> Result<Facts, GitHubError> {
    let key = Key::Failure(notice.fingerprint.clone());
    let mut open = opening::find_open(github, &job.repository, &key).await?;
    open.sort_by_key(|issue| (!issue.takes_comments(), issue.number));
    if !open.is_empty() {
        let issue = open.remove(0);
        github.expect(&issue_ref(job, issue.number));
        return Ok(Facts::Open { issue: earlier(job, github, issue, notice).await?, others: open });
    }
    // A success resolves nothing that is closed.
    if notice.status == Status::Success {
        return Ok(Facts::Nothing);
    }
    let label = inputs.labels.first().map(String::as_str);
    let closed = opening::find_closed(github, &job.repository, &key, label).await?.into_iter().next();
    let Some(closed) = closed else { return Ok(Facts::Nothing) };
    let issue = issue_ref(job, closed.number);
    // A list need not say who closed it.
    let closed = if closed.is_not_planned() { github.issue(&issue).await? } else { closed };
    if let Some(since) = closed.closed_at.filter(|_| closed.is_not_planned()) {
        return Ok(Facts::NotPlanned { issue: earlier(job, github, closed, notice).await?, since });
    }
    if !is_recent(&closed, job) || !closed.takes_comments() {
        return Ok(Facts::Over { issue });
    }
    Ok(Facts::Closed { issue: earlier(job, github, closed, notice).await? })
}

fn issue_ref(job: &Job, number: IssueNumber) -> IssueRef {
    IssueRef { repository: job.repository.clone(), number }
}

/// Whether the same failure would open it again.
fn is_recent(closed: &Issue, job: &Job) -> bool {
    closed.closed_at.is_some_and(|at| job.clock.now() - at <= FLAPPING_WITHIN)
}

/// What was said of the same failure in its issue.
async fn earlier(job: &Job, github: &GitHub, opened: Issue, notice: &Notice) -> Result<Earlier, GitHubError> {
    let of = |body: &str| match Record::parse(&Marker::find(body)?.ok()?) {
        Ok(Some(Record::Notice(known))) if known.fingerprint == notice.fingerprint => Some(known),
        _ => None,
    };
    let issue = issue_ref(job, opened.number);
    let takes_comments = opened.takes_comments();
    let first = opened.body.as_deref().and_then(of);
    let first = first.map(|notice| Said { comment: None, at: opened.created_at, notice });
    let mut comments = github.comments(&issue, None).await?;
    believe::settle(github, &issue.repository, &mut comments).await;
    let trusted = comments.iter().filter(|comment| comment.is_trusted());
    let said = trusted.filter_map(|comment| {
        let notice = of(&comment.body)?;
        Some(Said { comment: Some(comment.id), at: comment.created_at, notice })
    });
    let course: Course = first.into_iter().chain(said).collect();
    let is_outdated = newest_age(job, github, notice, course.writers()).await > age(&notice.by);
    Ok(Earlier { issue, url: opened.html_url, takes_comments, is_outdated, course })
}

/// What a notice says in an issue.
pub(super) struct Texts<'a> {
    title: String,
    labels: Vec<String>,
    notice: &'a Notice,
    mention: Vec<Login>,
    instead_of: Option<&'a Problem>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(
        inputs: &NotifyInputs,
        subject: &Subject,
        notice: &'a Notice,
        mention: Vec<Login>,
        instead_of: Option<&'a Problem>,
    ) -> Self {
        let title = inputs.title.clone().unwrap_or_else(|| made_title(inputs, subject, notice));
        Self { title: text::title(&title), labels: inputs.labels.clone(), notice, mention, instead_of }
    }

    /// The notice as a text that pings whoever is to be pinged.
    fn body(&self) -> String {
        self.render(self.notice.clone().mentioning(self.mention.clone()))
    }

    /// The notice as a text that pings nobody.
    fn quiet(&self) -> String {
        self.render(self.notice.clone())
    }

    /// The notice of a failure that may flap: of one that does still, it pings nobody.
    fn flapping(&self, flapping: &Flapping) -> String {
        let mention = if flapping.comment().is_some() { Vec::new() } else { self.mention.clone() };
        let notice = Notice { flapping: flapping.times().to_vec(), ..self.notice.clone() };
        self.render(notice.mentioning(mention))
    }

    fn render(&self, notice: Notice) -> String {
        let instead = self.instead_of.map(|problem| {
            format!(
                "\n\nThis is here because the ticket could not be written:\n{}\n",
                text::quote(&problem.to_string())
            )
        });
        format!("{}{}", Record::Notice(notice).render(), instead.unwrap_or_default())
    }
}

/// The effects of a notice.
pub(super) fn decide(
    facts: &Facts,
    job: &Job,
    common: &Common,
    notice: &Notice,
    texts: &Texts<'_>,
) -> Vec<Effect> {
    match (facts, notice.status == Status::Success) {
        (Facts::Open { issue, others }, true) => resolve(issue, others, job, notice, texts),
        (_, true) => Vec::new(),
        (Facts::Nothing, false) => vec![open(job, notice, texts, None)],
        (Facts::Over { issue }, false) => vec![open(job, notice, texts, Some(issue))],
        (Facts::Open { issue, .. }, false) if !issue.takes_comments => {
            vec![open(job, notice, texts, Some(&issue.issue))]
        }
        (Facts::Open { issue, others }, false) => {
            let mut effects = close_duplicates(issue, others, job);
            effects.push(say_again(issue, notice, texts, common.comment_mode));
            effects
        }
        (Facts::Closed { issue } | Facts::NotPlanned { issue, .. }, false) if issue.is_outdated => Vec::new(),
        (Facts::Closed { issue }, false) => {
            let again = if issue.course.fails() {
                // A person has closed it, who takes the failure for mended: it is a new one, however often it came.
                Effect::WriteComment { issue: issue.issue.clone(), comment: None, body: texts.body() }
            } else {
                say_again(issue, notice, texts, CommentMode::New)
            };
            vec![Effect::ReopenIssue { issue: issue.issue.clone() }, again]
        }
        (Facts::NotPlanned { issue, .. }, false) if !issue.takes_comments => Vec::new(),
        (Facts::NotPlanned { issue, since }, false) => {
            let body = format!(
                "{}\n\n🔕 This issue was closed as not planned: it stays closed, and nobody is pinged.",
                texts.quiet()
            );
            // One comment in all: an edit sends no mail.
            let comment = issue.course.last_comment_since(*since);
            vec![Effect::WriteComment { issue: issue.issue.clone(), comment, body }]
        }
    }
}

/// The same failure once more, in an issue that is open.
fn say_again(issue: &Earlier, notice: &Notice, texts: &Texts<'_>, mode: CommentMode) -> Effect {
    let flapping = flapping(issue, notice);
    let edits = mode == CommentMode::Update && !issue.is_outdated;
    let last = issue.course.last_comment().filter(|_| edits);
    let (issue, body) = (issue.issue.clone(), texts.flapping(&flapping));
    Effect::WriteComment { issue, comment: flapping.comment().or(last), body }
}

fn flapping(issue: &Earlier, notice: &Notice) -> Flapping {
    if issue.is_outdated { Flapping::No } else { issue.course.flapping(notice, notice.at) }
}

/// Closes the issues of the failure with a last word, unless a newer run, or another job of this one, has failed. One
/// that takes no comments is closed without a word.
fn resolve(issue: &Earlier, others: &[Issue], job: &Job, notice: &Notice, texts: &Texts<'_>) -> Vec<Effect> {
    if issue.is_outdated || issue.course.has_failed_beside(&notice.by) {
        return Vec::new();
    }
    let mut effects = close_duplicates(issue, others, job);
    if issue.takes_comments {
        effects.push(say_again(issue, notice, texts, CommentMode::New));
    }
    effects.push(Effect::CloseIssue { issue: issue.issue.clone(), last_word: None });
    for other in others.iter().filter(|other| !other.takes_comments()) {
        effects.push(Effect::CloseIssue { issue: issue_ref(job, other.number), last_word: None });
    }
    effects
}

fn close_duplicates(issue: &Earlier, others: &[Issue], job: &Job) -> Vec<Effect> {
    let of = issue.issue.number;
    let duplicates = others.iter().filter(|other| other.takes_comments());
    duplicates.map(|other| Effect::CloseDuplicate { issue: issue_ref(job, other.number), of }).collect()
}

fn open(job: &Job, notice: &Notice, texts: &Texts<'_>, continues: Option<&IssueRef>) -> Effect {
    let continues = continues.map(|issue| format!("\n\nThe same happened before, in #{}.\n", issue.number));
    let body = format!("{}{}", texts.body(), continues.unwrap_or_default());
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
    texts: &Texts<'_>,
    github: &GitHub,
    receipt: &mut Receipt,
) -> Result<(), GitHubError> {
    if effects.is_empty() {
        let why = silence(facts, texts.notice);
        tracing::info!("nothing is to be said: {why}");
        receipt.summary = format!("Nothing was to be said: {}.\n", text::inline(&why));
        return Ok(());
    }
    let mut verb = "Notified in";
    for effect in effects {
        let sent = match send(effect, github).await {
            Err(error) if facts.is_closed_without_a_word(effect) && error.is_final() => {
                tracing::warn!("{}", Problem::of("an issue that takes no comments stays open", &error));
                continue;
            }
            sent => sent?,
        };
        match sent {
            Applied::Opened { issue, url, created } => {
                if !created {
                    // Another job opened it at the same time, and came first.
                    opening::comment_once(github, &issue, &texts.body()).await?;
                }
                receipt.created = Some(created);
                receipt.issue = Some((issue, url));
            }
            Applied::Written(Comment { id, url, .. }) => {
                receipt.comment = Some((id.0, url));
                receipt.issue = facts.issue();
            }
            _ if matches!(effect, Effect::CloseIssue { .. }) => {
                receipt.issue = facts.issue();
                verb = "Resolved";
            }
            _ => {}
        }
    }
    if let Some((issue, url)) = &receipt.issue {
        tracing::info!("{} {issue}", verb.to_lowercase());
        receipt.summary = format!("{verb} {}.\n", text::link(&issue.to_string(), url));
    }
    Ok(())
}

/// Sends an effect. A comment that is gone, or that another account wrote, is followed by a new one.
async fn send(effect: &Effect, github: &GitHub) -> Result<Applied, GitHubError> {
    let sent = apply::send(effect, github).await;
    match (effect, sent) {
        (Effect::WriteComment { issue, comment: Some(_), body }, Err(error)) if error.is_final() => {
            tracing::info!(
                "{}",
                Problem::of("the earlier notice cannot be edited, so a new one follows", &error)
            );
            let (issue, body) = (issue.clone(), body.clone());
            apply::send(&Effect::WriteComment { issue, comment: None, body }, github).await
        }
        (_, sent) => sent,
    }
}

impl Facts {
    /// Whether the effect closes an issue that takes no comments: that it stays open is untidy, and no reason to fail.
    fn is_closed_without_a_word(&self, effect: &Effect) -> bool {
        let (Effect::CloseIssue { issue: closed, .. }, Self::Open { issue, others }) = (effect, self) else {
            return false;
        };
        let is_other = |other: &Issue| other.number == closed.number && !other.takes_comments();
        (issue.issue == *closed && !issue.takes_comments) || others.iter().any(is_other)
    }

    /// The issue that is written to, and where it is in the browser.
    fn issue(&self) -> Option<(IssueRef, String)> {
        match self {
            Self::Open { issue, .. } | Self::Closed { issue } | Self::NotPlanned { issue, .. } => {
                Some((issue.issue.clone(), issue.url.clone()))
            }
            Self::Nothing | Self::Over { .. } => None,
        }
    }
}

/// Why nothing is to be said.
fn silence(facts: &Facts, notice: &Notice) -> String {
    match facts {
        Facts::NotPlanned { issue, .. } if !issue.takes_comments => {
            format!("{} was closed as not planned, and takes no comments", issue.issue)
        }
        Facts::Open { issue, .. } | Facts::Closed { issue } | Facts::NotPlanned { issue, .. }
            if issue.is_outdated =>
        {
            format!("a newer run has said more in {}", issue.issue)
        }
        Facts::Open { issue, .. } if issue.course.has_failed_beside(&notice.by) => {
            format!("another job of this run has failed, and {} is about that", issue.issue)
        }
        _ => "nothing is open that this could resolve".to_owned(),
    }
}

/// `Nightly failed: the message`; where none is given, what was made from the run says it all.
fn made_title(inputs: &NotifyInputs, subject: &Subject, notice: &Notice) -> String {
    let Some(message) = inputs.message.as_deref() else {
        return text::first_line(&notice.message).to_owned();
    };
    let leg = if subject.is_of_matrix { format!(", job {}", subject.by.job) } else { String::new() };
    format!("{}{leg}: {}", cause::what(inputs, subject), text::first_line(message))
}
