//! Notifying in an issue of the repository where it happened: the same failure in the same issue.
//!
//! The issue is found by its marker, as people may change its title and labels. It is opened again soon after it was
//! resolved, unless a person has closed it as not planned; one that takes no comments is followed by another one.

use chrono::{DateTime, Utc};

use super::subject::Subject;
use super::{age, cause, newest_age};
use crate::apply;
use crate::github::issues::Issue;
use crate::github::{GitHub, GitHubError};
use crate::inputs::{CommentMode, Common, NotifyInputs};
use crate::job::Job;
use crate::names::{IssueNumber, IssueRef, Login};
use crate::opening;
use crate::plan::{Effect, EffectOutcome, NewIssue};
use crate::problem::Problem;
use crate::receipt::Receipt;
use crate::ticket::course::{Course, FLAPPING_WITHIN, Flapping, PastNotice};
use crate::ticket::marker::Marker;
use crate::ticket::{Comment, Key, Notice, Record, Status, text};
use crate::trust;

/// The issue of the same failure.
pub(super) enum Facts {
    /// None was ever opened.
    Nothing,
    /// It is open; so are the others.
    Open { issue: FailureIssue, others: Vec<Issue> },
    /// It was closed lately.
    Closed { issue: FailureIssue },
    /// A person has closed it as not planned.
    NotPlanned { issue: FailureIssue, since: DateTime<Utc> },
    /// It was closed too long ago to be opened again, or takes no comments.
    Stale { issue: IssueRef },
}

/// An issue of the same failure.
pub(super) struct FailureIssue {
    issue: IssueRef,
    url: String,
    takes_comments: bool,
    /// Whether a newer run, or a newer attempt, has written a notice in it.
    is_outdated: bool,
    /// The notices in it.
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
        return Ok(Facts::Open {
            issue: read_failure_issue(job, github, issue, notice).await?,
            others: open,
        });
    }
    // A success resolves nothing that is closed.
    if notice.status == Status::Success {
        return Ok(Facts::Nothing);
    }
    let label = inputs.labels.first().map(String::as_str);
    let closed_issue =
        opening::find_closed_issues(github, &job.repository, &key, label).await?.into_iter().next();
    let Some(closed_issue) = closed_issue else { return Ok(Facts::Nothing) };
    let issue = issue_ref(job, closed_issue.number);
    // A list need not name the person who closed it.
    let closed_issue = if closed_issue.is_not_planned() { github.issue(&issue).await? } else { closed_issue };
    if let Some(since) = closed_issue.closed_at.filter(|_| closed_issue.is_not_planned()) {
        return Ok(Facts::NotPlanned {
            issue: read_failure_issue(job, github, closed_issue, notice).await?,
            since,
        });
    }
    if !is_recent(&closed_issue, job) || !closed_issue.takes_comments() {
        return Ok(Facts::Stale { issue });
    }
    Ok(Facts::Closed { issue: read_failure_issue(job, github, closed_issue, notice).await? })
}

fn issue_ref(job: &Job, number: IssueNumber) -> IssueRef {
    IssueRef { repository: job.repository.clone(), number }
}

/// Whether the same failure would open it again.
fn is_recent(issue: &Issue, job: &Job) -> bool {
    issue.closed_at.is_some_and(|at| job.clock.now() - at <= FLAPPING_WITHIN)
}

/// Reads the notices in an issue of the same failure.
async fn read_failure_issue(
    job: &Job,
    github: &GitHub,
    issue: Issue,
    notice: &Notice,
) -> Result<FailureIssue, GitHubError> {
    let of = |body: &str| match Record::parse(&Marker::find(body)?.ok()?) {
        Ok(Some(Record::Notice(other))) if other.fingerprint == notice.fingerprint => Some(other),
        _ => None,
    };
    let reference = issue_ref(job, issue.number);
    let takes_comments = issue.takes_comments();
    let first = issue.body.as_deref().and_then(of);
    let first = first.map(|notice| PastNotice { comment: None, at: issue.created_at, notice });
    let mut comments = github.comments(&reference, None).await?;
    trust::settle(github, &reference.repository, &mut comments).await;
    let comments = comments.iter().filter(|comment| comment.is_trusted());
    let entries = comments.filter_map(|comment| {
        let notice = of(&comment.body)?;
        Some(PastNotice { comment: Some(comment.id), at: comment.created_at, notice })
    });
    let course: Course = first.into_iter().chain(entries).collect();
    let is_outdated = newest_age(job, github, notice, course.writers()).await > age(&notice.by);
    Ok(FailureIssue { issue: reference, url: issue.html_url, takes_comments, is_outdated, course })
}

/// The texts of a notice in an issue.
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
        let title = inputs.title.clone().unwrap_or_else(|| default_title(inputs, subject, notice));
        Self { title: text::title(&title), labels: inputs.labels.clone(), notice, mention, instead_of }
    }

    /// The notice as a text with its pings.
    fn body(&self) -> String {
        self.render(self.notice.clone().mentioning(self.mention.clone()))
    }

    /// The notice as a text that pings nobody.
    fn quiet(&self) -> String {
        self.render(self.notice.clone())
    }

    /// The notice of a failure that may flap: without pings, if it was flapping before.
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
        (Facts::Stale { issue }, false) => vec![open(job, notice, texts, Some(issue))],
        (Facts::Open { issue, .. }, false) if !issue.takes_comments => {
            vec![open(job, notice, texts, Some(&issue.issue))]
        }
        (Facts::Open { issue, others }, false) => {
            let mut effects = close_duplicates(issue, others, job);
            effects.push(repeat_notice(issue, notice, texts, common.comment_mode));
            effects
        }
        (Facts::Closed { issue } | Facts::NotPlanned { issue, .. }, false) if issue.is_outdated => Vec::new(),
        (Facts::Closed { issue }, false) => {
            let again = if issue.course.fails() {
                // A person has closed it, and takes the failure for mended: this one is new, however often it came.
                Effect::WriteComment { issue: issue.issue.clone(), comment: None, body: texts.body() }
            } else {
                repeat_notice(issue, notice, texts, CommentMode::New)
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

/// The notice of the same failure once more, in an issue that is open or will be.
fn repeat_notice(issue: &FailureIssue, notice: &Notice, texts: &Texts<'_>, mode: CommentMode) -> Effect {
    let flapping = flapping(issue, notice);
    let edits = mode == CommentMode::Update && !issue.is_outdated;
    let last = issue.course.last_comment().filter(|_| edits);
    let (issue, body) = (issue.issue.clone(), texts.flapping(&flapping));
    Effect::WriteComment { issue, comment: flapping.comment().or(last), body }
}

fn flapping(issue: &FailureIssue, notice: &Notice) -> Flapping {
    if issue.is_outdated { Flapping::No } else { issue.course.flapping(notice, notice.at) }
}

/// Closes the issues of the failure with a last word, unless a newer run, or another job of this one, has failed. One
/// that takes no comments is closed without a word.
fn resolve(
    issue: &FailureIssue,
    others: &[Issue],
    job: &Job,
    notice: &Notice,
    texts: &Texts<'_>,
) -> Vec<Effect> {
    if issue.is_outdated || issue.course.has_failed_beside(&notice.by) {
        return Vec::new();
    }
    let mut effects = close_duplicates(issue, others, job);
    if issue.takes_comments {
        effects.push(repeat_notice(issue, notice, texts, CommentMode::New));
    }
    effects.push(Effect::CloseIssue { issue: issue.issue.clone(), last_word: None });
    for other in others.iter().filter(|other| !other.takes_comments()) {
        effects.push(Effect::CloseIssue { issue: issue_ref(job, other.number), last_word: None });
    }
    effects
}

fn close_duplicates(issue: &FailureIssue, others: &[Issue], job: &Job) -> Vec<Effect> {
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
        let why = reason_for_no_notice(facts, texts.notice);
        tracing::info!("no notice: {why}");
        receipt.summary = format!("No notice: {}.\n", text::inline(&why));
        return Ok(());
    }
    let mut verb = "Notified in";
    for effect in effects {
        let result = match send(effect, github).await {
            Err(error) if facts.is_optional_close(effect) && error.is_final() => {
                Problem::of("an issue that does not accept comments stays open", &error).warn();
                continue;
            }
            result => result?,
        };
        match result {
            EffectOutcome::Opened { issue, url, is_new } => {
                if !is_new {
                    // Another job opened it at the same time, and came first.
                    opening::comment_once(github, &issue, &texts.body()).await?;
                }
                receipt.has_opened_issue = Some(is_new);
                receipt.issue = Some((issue, url));
            }
            EffectOutcome::Written(Comment { id, url, .. }) => {
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
async fn send(effect: &Effect, github: &GitHub) -> Result<EffectOutcome, GitHubError> {
    let result = apply::send(effect, github).await;
    match (effect, result) {
        (Effect::WriteComment { issue, comment: Some(_), body }, Err(error)) if error.is_final() => {
            Problem::of("the earlier notice cannot be edited, so a new one follows", &error).inform();
            let (issue, body) = (issue.clone(), body.clone());
            apply::send(&Effect::WriteComment { issue, comment: None, body }, github).await
        }
        (_, result) => result,
    }
}

impl Facts {
    /// Whether the effect closes an issue that takes no comments. If that fails, the issue stays open, which is untidy,
    /// and not a reason to fail.
    fn is_optional_close(&self, effect: &Effect) -> bool {
        let (Effect::CloseIssue { issue: target, .. }, Self::Open { issue, others }) = (effect, self) else {
            return false;
        };
        let is_other = |other: &Issue| other.number == target.number && !other.takes_comments();
        (issue.issue == *target && !issue.takes_comments) || others.iter().any(is_other)
    }

    /// The issue that is written to, and where it is in the browser.
    fn issue(&self) -> Option<(IssueRef, String)> {
        match self {
            Self::Open { issue, .. } | Self::Closed { issue } | Self::NotPlanned { issue, .. } => {
                Some((issue.issue.clone(), issue.url.clone()))
            }
            Self::Nothing | Self::Stale { .. } => None,
        }
    }
}

/// Why no notice is written.
fn reason_for_no_notice(facts: &Facts, notice: &Notice) -> String {
    match facts {
        Facts::NotPlanned { issue, .. } if !issue.takes_comments => {
            format!("{} was closed as not planned, and does not accept comments", issue.issue)
        }
        Facts::Open { issue, .. } | Facts::Closed { issue } | Facts::NotPlanned { issue, .. }
            if issue.is_outdated =>
        {
            format!("a newer run has already reported in {}", issue.issue)
        }
        Facts::Open { issue, .. } if issue.course.has_failed_beside(&notice.by) => {
            format!("another job of this run has failed, and {} reports that failure", issue.issue)
        }
        _ => "there is no open failure that this success could resolve".to_owned(),
    }
}

/// `Nightly failed: the message`; without a message, the first line of the default one.
fn default_title(inputs: &NotifyInputs, subject: &Subject, notice: &Notice) -> String {
    let Some(message) = inputs.message.as_deref() else {
        return text::first_line(&notice.message).to_owned();
    };
    let leg = if subject.is_of_matrix { format!(", job {}", subject.by.job) } else { String::new() };
    format!("{}{leg}: {}", cause::headline(inputs, subject), text::first_line(message))
}
