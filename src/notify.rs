//! The mode `notify`: reports that something went wrong, or that it works again.
//!
//! If there is a ticket, the notice goes there. Otherwise (no ticket, or it is gone, locked or out of the
//! token's reach) it goes into an issue of the repository where the failure happened: the same failure
//! into the same issue.

use std::cmp::Reverse;

use chrono::TimeDelta;
use serde_json::Map;

use crate::github::actions::{RunJob, RunStep};
use crate::github::issues::Issue;
use crate::github::needs::{Level, Permission};
use crate::github::{GitHub, GitHubError, Needs};
use crate::inputs::{CommentMode, Common, NotifyInputs};
use crate::job::Job;
use crate::ledger::Ledger;
use crate::names::{CommentId, IssueRef, Login, RunId};
use crate::opening::{self, NewIssue};
use crate::outbox::Outbox;
use crate::plan::{self, Effect, Plan};
use crate::problem::{Help, Problem};
use crate::receipt::Receipt;
use crate::runner::log::NOTICE;
use crate::ticket::marker::Marker;
use crate::ticket::{Key, Log, Notice, Record, Status, Writer, text};

/// The same failure so soon after it was resolved reopens its issue.
const REOPENS_WITHIN: TimeDelta = TimeDelta::days(7);

/// The permissions that notifying needs. With a ticket, an issue of the repository is the way out only.
#[must_use]
pub fn needs(job: &Job, common: &Common) -> Needs {
    let needs = Needs::default().may(&job.repository, Permission::Actions, Level::Read);
    match &common.ticket {
        Some(ticket) => needs.must(&ticket.repository, Permission::Issues, Level::Write).may(
            &job.repository,
            Permission::Issues,
            Level::Write,
        ),
        None => needs.must(&job.repository, Permission::Issues, Level::Write),
    }
}

/// Notifies.
pub async fn run(job: &Job, common: &Common, inputs: &NotifyInputs, github: &GitHub) -> Receipt {
    let mut receipt = Receipt { created: Some(false), ..Receipt::default() };
    if inputs.status == Status::Skipped {
        tracing::info!(target: NOTICE, "everything was skipped, so there is nothing to notify");
        receipt.summary = "Everything was skipped: nothing is notified.\n".to_owned();
        return receipt;
    }
    let notice = notice(job, common, inputs, github).await;
    let mut unwritable = None;
    if let Some(ticket) = &common.ticket {
        receipt.ticket = Some((ticket.clone(), job.issue_url(ticket)));
        let Err(error) = on_ticket(job, common, inputs, github, &notice, ticket, &mut receipt).await else {
            return receipt;
        };
        receipt.delivered = Some(false);
        let problem = Problem::of(&format!("cannot notify on the ticket {ticket}"), &error);
        // If GitHub itself does not answer, an issue of the repository would be out of reach too.
        if !error.is_final() {
            say_it_here(&mut receipt, &notice, vec![problem]);
            return receipt;
        }
        tracing::warn!("{problem}");
        unwritable = Some(problem);
    }
    if let Err(error) =
        in_issue(job, common, inputs, github, &notice, unwritable.as_ref(), &mut receipt).await
    {
        let refused = Problem::of(&format!("cannot notify in an issue of {}", job.repository), &error);
        say_it_here(&mut receipt, &notice, unwritable.into_iter().chain([refused]).collect());
    }
    receipt
}

/// The notice can be written nowhere else, so the log and the summary have all of it.
fn say_it_here(receipt: &mut Receipt, notice: &Notice, problems: Vec<Problem>) {
    receipt.summary = format!("### ⚠️ This could not be notified\n\n{}\n", text::quote(&notice.message));
    for problem in &problems {
        receipt.summary += &format!("\n{}\n", text::quote(&problem.to_string()));
    }
    receipt.problems.extend(problems);
    receipt.problems.push(Problem::new(format!("what was to be notified:\n{}", notice.message)));
}

// ---- what went wrong ----

async fn notice(job: &Job, common: &Common, inputs: &NotifyInputs, github: &GitHub) -> Notice {
    let failed = if inputs.status == Status::Success { Vec::new() } else { failed_jobs(job, github).await };
    let job_url = |id| format!("{}/{}/actions/runs/{}/job/{id}", job.server_url, job.repository, job.run);
    let url = failed.first().and_then(|failed| failed.html_url.clone()).or(common.check_run.map(job_url));
    let fingerprint = inputs.fingerprint.clone().unwrap_or_else(|| {
        format!("{} · {} · {} · {}", job.repository, job.workflow, common.job_name, job.git_ref)
    });
    Notice {
        by: common.writer(job),
        seq: 1,
        run_url: job.run_url(),
        fingerprint: text::cut(&fingerprint, 500),
        status: inputs.status,
        message: message(job, common, inputs, &failed),
        url,
        mention: Vec::new(),
        at: job.clock.now(),
        other: Map::new(),
    }
}

/// The failed jobs of this attempt, as far as the token may read them.
async fn failed_jobs(job: &Job, github: &GitHub) -> Vec<RunJob> {
    match github.jobs(&job.repository, job.run, job.attempt).await {
        Ok(mut jobs) => {
            jobs.retain(|job| {
                is_bad(job.conclusion.as_deref())
                    || job.steps.iter().any(|step| is_bad(step.conclusion.as_deref()))
            });
            jobs.truncate(10);
            jobs
        }
        Err(error) => {
            let help = error.help().unwrap_or_default();
            tracing::info!("the failed step is not named: {error}\nhelp: {help}");
            Vec::new()
        }
    }
}

fn is_bad(conclusion: Option<&str>) -> bool {
    matches!(conclusion, Some("failure" | "timed_out" | "startup_failure" | "cancelled"))
}

/// `build failed in step 3, Run tests`, with a link to the step.
fn failure(job: &RunJob) -> String {
    let step = job.steps.iter().find(|step| is_bad(step.conclusion.as_deref()));
    let how = match job.conclusion.as_deref() {
        Some("cancelled") => "was cancelled",
        Some("timed_out") => "timed out",
        _ => "failed",
    };
    let url = job.html_url.as_deref().unwrap_or_default();
    match step {
        Some(RunStep { name, number, .. }) => {
            format!(
                "{} {how} in {}",
                text::link(&job.name, url),
                text::link(&format!("step {number}, {name}"), &format!("{url}#step:{number}:1"))
            )
        }
        None => format!("{} {how}", text::link(&job.name, url)),
    }
}

/// The step's message, or one made from the run; then the failed jobs and steps.
fn message(job: &Job, common: &Common, inputs: &NotifyInputs, failed: &[RunJob]) -> String {
    let first = inputs.message.clone().unwrap_or_else(|| {
        let how = match inputs.status {
            Status::Success => "works again",
            Status::Cancelled => "was cancelled",
            _ => "failed",
        };
        let workflow = if job.workflow.is_empty() { "The workflow" } else { &job.workflow };
        let branch = job.git_ref.trim_start_matches("refs/heads/");
        // A job that reports the failures of others did not fail itself.
        let place = match failed.is_empty() && inputs.status != Status::Success {
            true => format!(", job {}", common.job_name),
            false => String::new(),
        };
        format!("{workflow} {how} in {} at {branch}{place}", job.repository)
    });
    std::iter::once(first).chain(failed.iter().map(failure)).collect::<Vec<_>>().join("\n")
}

// ---- on the ticket ----

async fn on_ticket(
    job: &Job,
    common: &Common,
    inputs: &NotifyInputs,
    github: &GitHub,
    notice: &Notice,
    ticket: &IssueRef,
    receipt: &mut Receipt,
) -> Result<(), GitHubError> {
    let _one_step_at_a_time = Outbox::lock(job.temp.as_deref(), &notice.by).await;
    let mut ledger = Ledger::read(github, ticket.clone()).await?;
    let Some((comment, record)) = decide_on_ticket(ledger.log(), notice, common.comment_mode) else {
        tracing::info!("nothing is open on {ticket} that this success could resolve");
        receipt.summary = "Nothing was open on the ticket.\n".to_owned();
        return Ok(());
    };
    let mention = mention(inputs, ledger.log().fold().driver.as_ref(), job);
    let record = Record::Notice(record.mentioning(mention));
    let issue = plan::Issue::from(ticket.clone());
    if common.dry_run {
        let body = record.render();
        let write = match comment {
            Some(comment) => Effect::EditComment { issue: issue.clone(), comment, body },
            None => Effect::CreateComment { issue: issue.clone(), body },
        };
        receipt.plan = Some(Plan::from_iter([write, Effect::UpdateBoard { issue }]));
        return Ok(());
    }
    let written = ledger.write(comment, &record).await?;
    receipt.delivered = Some(true);
    receipt.comment = Some((written.id.0, written.url));
    receipt.issue = receipt.ticket.clone();
    receipt.summary = format!("Notified on {}.\n", text::link(&ticket.to_string(), &job.issue_url(ticket)));
    tracing::info!("notified on {ticket}");
    if let Err(error) = ledger.show_board().await {
        tracing::warn!("{}", Problem::of(&format!("the board of {ticket} is not up to date"), &error));
    }
    Ok(())
}

/// The notice to write and the comment to write it into; nothing if a success resolves nothing.
fn decide_on_ticket(log: &Log, notice: &Notice, mode: CommentMode) -> Option<(Option<CommentId>, Notice)> {
    let same = || log.notices().filter(|(_, known)| known.fingerprint == notice.fingerprint);
    let newest = same()
        .max_by_key(|(comment, known)| (known.by.run, known.by.attempt, known.seq, Reverse(comment.id)));
    let resolvable = |known: &Notice| known.status != Status::Success && age(&known.by) <= age(&notice.by);
    if notice.status == Status::Success && !newest.is_some_and(|(_, known)| resolvable(known)) {
        return None;
    }
    // Each run edits the notice of the same failure from the run before; that of a newer run stays.
    let known = newest.filter(|(_, known)| mode == CommentMode::Update && age(&known.by) <= age(&notice.by));
    let known_seq = known.map_or(0, |(_, known)| known.seq);
    let seq = log.last_seq(&notice.by).max(known_seq) + 1;
    Some((known.map(|(comment, _)| comment.id), Notice { seq, ..notice.clone() }))
}

/// The order of attempts: that of their runs, then their own.
fn age(by: &Writer) -> (RunId, u32) {
    (by.run, by.attempt)
}

// ---- in an issue of the repository ----

/// The decision for the repository where the failure happened.
enum InIssue {
    /// A success, and nothing is open; or a newer run has written more.
    Nothing,
    /// Write into the issue that is open or was closed lately; then close it, if the failure is resolved.
    Comment {
        issue: IssueRef,
        url: String,
        comment: Option<CommentId>,
        reopens: bool,
        closes: bool,
        /// Issues of the same failure that came second, and are closed as duplicates.
        orphans: Vec<IssueRef>,
    },
    /// Open one, which links to an older one.
    Open { continues: Option<IssueRef> },
}

async fn in_issue(
    job: &Job,
    common: &Common,
    inputs: &NotifyInputs,
    github: &GitHub,
    notice: &Notice,
    instead_of: Option<&Problem>,
    receipt: &mut Receipt,
) -> Result<(), GitHubError> {
    let decision = decide_in_issue(job, common, inputs, github, notice).await?;
    let mention = mention(inputs, None, job);
    let body = issue_text(notice, &mention, instead_of);
    let new = |continues: Option<&IssueRef>| new_issue(job, inputs, notice, &body, continues);
    if common.dry_run {
        receipt.plan = Some(decision.plan(&body, new));
        return Ok(());
    }
    match decision {
        InIssue::Nothing => {
            tracing::info!(
                "nothing is to be said: nothing is open that this could resolve, or a newer run has said more"
            );
            receipt.summary =
                "Nothing was to be said: a newer run has said more, or nothing was open.\n".to_owned();
        }
        InIssue::Comment { issue, url, comment, reopens, closes, orphans } => {
            opening::close_as_duplicates(github, &orphans, issue.number).await;
            if reopens {
                github.reopen_issue(&issue).await?;
            }
            let written = match comment {
                Some(comment) => github.edit_comment(&issue, comment, &body).await?,
                None => opening::comment_once(github, &issue, &body).await?,
            };
            if closes {
                github.close_issue(&issue).await?;
            }
            tracing::info!("{} {issue}", if closes { "resolved" } else { "notified in" });
            receipt.comment = Some((written.id.0, written.html_url));
            receipt.summary = format!(
                "{} {}.\n",
                if closes { "Resolved" } else { "Notified in" },
                text::link(&issue.to_string(), &url)
            );
            receipt.issue = Some((issue, url));
        }
        InIssue::Open { continues } => {
            let opened = opening::open(github, &new(continues.as_ref())).await?;
            let issue = IssueRef { repository: job.repository.clone(), number: opened.issue.number };
            receipt.created = Some(opened.created);
            if opened.created {
                opening::assign(github, &issue, mention.first()).await;
            } else {
                opening::comment_once(github, &issue, &body).await?;
            }
            tracing::info!("notified in {issue}");
            let url = opened.issue.html_url;
            receipt.summary = format!("Notified in {}.\n", text::link(&issue.to_string(), &url));
            receipt.issue = Some((issue, url));
        }
    }
    Ok(())
}

async fn decide_in_issue(
    job: &Job,
    common: &Common,
    inputs: &NotifyInputs,
    github: &GitHub,
    notice: &Notice,
) -> Result<InIssue, GitHubError> {
    let key = Key::Failure(notice.fingerprint.clone());
    let success = notice.status == Status::Success;
    if let Some(opening::Found { issue: found, orphans }) =
        opening::find(github, &job.repository, &key).await?
    {
        let issue = IssueRef { repository: job.repository.clone(), number: found.number };
        let earlier = earlier_notices(github, &issue, &found, notice).await?;
        let outdated = earlier.newest.is_some_and(|newest| newest > age(&notice.by));
        if success && outdated {
            return Ok(InIssue::Nothing);
        }
        let edits = common.comment_mode == CommentMode::Update && !success && !outdated;
        let comment = earlier.comment.filter(|_| edits);
        let url = found.html_url;
        return Ok(InIssue::Comment { issue, url, comment, reopens: false, closes: success, orphans });
    }
    if success {
        return Ok(InIssue::Nothing);
    }
    let label = inputs.labels.first().map(String::as_str).unwrap_or_default();
    let closed = opening::find_closed(github, &job.repository, &key, label).await?;
    let Some(closed) = closed else { return Ok(InIssue::Open { continues: None }) };
    let issue = IssueRef { repository: job.repository.clone(), number: closed.number };
    if !is_recent(&closed, job) {
        return Ok(InIssue::Open { continues: Some(issue) });
    }
    let earlier = earlier_notices(github, &issue, &closed, notice).await?;
    if earlier.newest.is_some_and(|newest| newest > age(&notice.by)) {
        return Ok(InIssue::Nothing);
    }
    let url = closed.html_url;
    Ok(InIssue::Comment { issue, url, comment: None, reopens: true, closes: false, orphans: Vec::new() })
}

fn is_recent(closed: &Issue, job: &Job) -> bool {
    closed.closed_at.is_some_and(|at| job.clock.now() - at <= REOPENS_WITHIN)
}

/// The notices of the same failure in its issue.
struct Earlier {
    /// The newest run and attempt that wrote one.
    newest: Option<(RunId, u32)>,
    /// The last comment that is one.
    comment: Option<CommentId>,
}

async fn earlier_notices(
    github: &GitHub,
    issue: &IssueRef,
    opened: &Issue,
    notice: &Notice,
) -> Result<Earlier, GitHubError> {
    let of = |body: &str| match Record::parse(&Marker::find(body)?.ok()?) {
        Ok(Some(Record::Notice(known))) if known.fingerprint == notice.fingerprint => Some(age(&known.by)),
        _ => None,
    };
    let first = opened.body.as_deref().and_then(of);
    let read = github.comments(issue, None).await?;
    let notices: Vec<_> = read
        .comments
        .iter()
        .filter(|comment| comment.is_trusted())
        .filter_map(|comment| Some((comment.id, of(&comment.body)?)))
        .collect();
    let newest = notices.iter().map(|(_, age)| *age).chain(first).max();
    Ok(Earlier { newest, comment: notices.last().map(|(id, _)| *id) })
}

impl InIssue {
    fn plan(&self, body: &str, new: impl Fn(Option<&IssueRef>) -> NewIssue) -> Plan {
        let mut plan = Plan::default();
        match self {
            Self::Nothing => {}
            Self::Comment { issue, comment, reopens, closes, .. } => {
                let issue = plan::Issue::from(issue.clone());
                if *reopens {
                    plan.push(Effect::ReopenIssue { issue: issue.clone() });
                }
                let body = body.to_owned();
                plan.push(match comment {
                    Some(comment) => Effect::EditComment { issue: issue.clone(), comment: *comment, body },
                    None => Effect::CreateComment { issue: issue.clone(), body },
                });
                if *closes {
                    plan.push(Effect::CloseIssue { issue });
                }
            }
            Self::Open { continues } => {
                let NewIssue { repository, title, body, labels, .. } = new(continues.as_ref());
                plan.push(Effect::OpenIssue { repository, title, body, labels, assignee: None });
            }
        }
        plan
    }
}

fn new_issue(
    job: &Job,
    inputs: &NotifyInputs,
    notice: &Notice,
    body: &str,
    continues: Option<&IssueRef>,
) -> NewIssue {
    let title = inputs.title.clone().unwrap_or_else(|| made_title(job, inputs, notice));
    let continues = continues.map(|issue| format!("\nThe same happened before, in #{}.\n", issue.number));
    NewIssue {
        repository: job.repository.clone(),
        key: Key::Failure(notice.fingerprint.clone()),
        title: text::title(&title),
        body: text::cut(&format!("{body}{}", continues.unwrap_or_default()), text::BODY_LIMIT),
        labels: inputs.labels.clone(),
    }
}

/// `Nightly failed: the message`; without a message, the one that was made from the run.
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

// ---- whom to ping ----

/// The accounts to ping: those that the step names; else the ticket's driver; else who started the run.
fn mention(inputs: &NotifyInputs, driver: Option<&Login>, job: &Job) -> Vec<Login> {
    if !inputs.mention.is_empty() {
        return inputs.mention.clone();
    }
    driver.or(job.actor.as_ref()).filter(|login| !login.is_bot()).cloned().into_iter().collect()
}
