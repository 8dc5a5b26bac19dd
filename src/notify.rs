//! The mode `notify`: reports that something went wrong, or that it works again.
//!
//! `subject` says which run it is about, and `cause` makes the notice. `on_ticket` writes it on the ticket. Without a
//! ticket, or if it is gone, locked away or out of the token's reach, `in_issue` writes it in an issue of the repository
//! where it happened. Both read, decide on changes, and apply these.

mod cause;
mod in_issue;
mod on_ticket;
mod subject;

use std::collections::BTreeSet;

use self::subject::Subject;
use crate::cancel::{Cancellation, WIND_UP_LIMIT, unless};
use crate::github::needs::{Level, Permission};
use crate::github::{GitHub, GitHubError, Needs};
use crate::inputs::{Common, Explain, NotifyInputs};
use crate::job::Job;
use crate::names::{Login, RunId};
use crate::outbox::Outbox;
use crate::problem::Problem;
use crate::receipt::Receipt;
use crate::runner::log::NOTICE;
use crate::ticket::pinging::logins_pinged_for_failure;
use crate::ticket::{Notice, Status, Writer, text};

/// The most newer runs that GitHub is asked for: a person can invent any number of them.
const MOST_RUNS: usize = 3;

/// The permissions that a notice needs. With a ticket, an issue where it happened is a way out only.
fn needs(job: &Job, common: &Common, inputs: &NotifyInputs) -> Needs {
    let mut needs = Needs::default().may(&job.repository, Permission::Actions, Level::Read);
    if inputs.explain != Explain::Off {
        needs = needs.may(&job.repository, Permission::Checks, Level::Read).may(
            &job.repository,
            Permission::Contents,
            Level::Read,
        );
    }
    if job.event.workflow_run(&job.repository).is_some() {
        needs = needs.may(&job.repository, Permission::Contents, Level::Read);
    }
    match &common.ticket {
        Some(ticket) => needs.must(&ticket.repository, Permission::Issues, Level::Write).may(
            &job.repository,
            Permission::Issues,
            Level::Write,
        ),
        None => needs.must(&job.repository, Permission::Issues, Level::Write),
    }
}

/// Writes the notice, also if the step is cancelled meanwhile.
pub async fn run(
    job: &Job,
    common: &Common,
    inputs: &NotifyInputs,
    github: &GitHub,
    mut cancellation: Cancellation<'_>,
) -> Receipt {
    github.tokens().need(needs(job, common, inputs));
    let mut receipt = Receipt { has_opened_issue: Some(false), ..Receipt::default() };
    let mut notifying = Box::pin(notify(job, common, inputs, github, &mut receipt));
    if unless(&mut cancellation, &mut notifying).await.is_some() {
        drop(notifying);
        return receipt;
    }
    github.hurry();
    let in_time = tokio::time::timeout(WIND_UP_LIMIT, notifying).await.is_ok();
    receipt.is_cancelled = true;
    if !in_time {
        out_of_time(&mut receipt, common.dry_run);
    }
    receipt
}

/// Reports that the time to wind up has ended, before or after the notice was written.
fn out_of_time(receipt: &mut Receipt, dry_run: bool) {
    if receipt.comment.is_some() || receipt.issue.is_some() {
        let what = "there was no time left for the writes after the notice, such as the board";
        receipt.problems.push(Problem::new(what));
        return;
    }
    receipt.problems.push(Problem::new("there was no time left to notify"));
    if receipt.ticket.is_some() && !dry_run {
        receipt.is_delivered = Some(false);
    }
}

async fn notify(job: &Job, common: &Common, inputs: &NotifyInputs, github: &GitHub, receipt: &mut Receipt) {
    if let Some(why) = subject::reason_for_no_notice(job, inputs) {
        tracing::info!(target: NOTICE, "{why}, so there is nothing to notify");
        receipt.summary = format!("No notice: {why}.\n");
        return;
    }
    receipt.ticket = common.ticket.clone().map(|ticket| (ticket.clone(), job.issue_url(&ticket)));
    for subject in subject::subjects(job, common, inputs, github).await {
        notify_of(&subject, job, common, inputs, github, receipt).await;
        let is_planned = receipt.plan.as_ref().is_some_and(|plan| !plan.is_empty());
        if is_planned || receipt.issue.is_some() || !receipt.problems.is_empty() {
            return;
        }
    }
}

async fn notify_of(
    subject: &Subject,
    job: &Job,
    common: &Common,
    inputs: &NotifyInputs,
    github: &GitHub,
    receipt: &mut Receipt,
) {
    let place = common.ticket.as_ref().map_or(&job.repository, |ticket| &ticket.repository);
    let notice = cause::notice(job, common, inputs, subject, place, github);
    let (mut notice, read) = tokio::join!(notice, read_ticket(job, common, github));
    let mut unwritable = None;
    if let (Some(ticket), Some((_one_step_at_a_time, facts))) = (&common.ticket, read) {
        let result = match facts {
            Ok(facts) => on_ticket(job, common, inputs, github, &notice, facts, receipt).await,
            Err(error) => Err(error),
        };
        let Err(error) = result else { return };
        receipt.is_delivered = Some(false);
        let problem = Problem::of(&format!("cannot notify on the ticket {ticket}"), &error);
        // Where GitHub itself does not answer, another issue would be out of reach too.
        if !error.is_final() {
            say_it_here(receipt, inputs, &notice, vec![problem]);
            return;
        }
        problem.warn();
        unwritable = Some(problem);
    }
    if notice.explanation.is_withheld {
        notice = cause::notice(job, common, inputs, subject, &job.repository, github).await;
    }
    let in_issue =
        in_issue(subject, job, common, inputs, github, &notice, unwritable.as_ref(), receipt).await;
    if let Err(error) = in_issue {
        let problem = Problem::of(&format!("cannot notify in an issue of {}", job.repository), &error);
        say_it_here(receipt, inputs, &notice, unwritable.into_iter().chain([problem]).collect());
    }
}

/// The ticket, if there is one, and the lock that lets the steps of a job write to it one after the other.
async fn read_ticket<'a>(
    job: &Job,
    common: &Common,
    github: &'a GitHub,
) -> Option<(Outbox, Result<on_ticket::Facts<'a>, GitHubError>)> {
    let ticket = common.ticket.as_ref()?;
    let lock = Outbox::lock(job.temp.as_deref(), &common.writer(job)).await;
    Some((lock, on_ticket::read(ticket, github).await))
}

async fn on_ticket(
    job: &Job,
    common: &Common,
    inputs: &NotifyInputs,
    github: &GitHub,
    notice: &Notice,
    mut facts: on_ticket::Facts<'_>,
    receipt: &mut Receipt,
) -> Result<(), GitHubError> {
    let ticket = facts.ticket().clone();
    let mut mention = cause::mention(inputs, facts.log.ticket().driver.as_ref(), job);
    if inputs.mention.is_empty() {
        // The report of the same failure has pinged the driver.
        let is_pinged =
            |login: &Login| logins_pinged_for_failure(&facts.log, &notice.by).any(|other| other == login);
        mention.retain(|login| !is_pinged(login));
    }
    let newest = newest_age(job, github, notice, on_ticket::course(&facts.log, notice).writers()).await;
    let effects = on_ticket::decide(&facts, notice, newest, mention, common.comment_mode);
    if common.dry_run {
        receipt.plan = Some(effects.into_iter().collect());
        return Ok(());
    }
    on_ticket::apply(&effects, &mut facts, &job.issue_url(&ticket), receipt).await
}

#[expect(clippy::too_many_arguments, reason = "the facts of the step, and its receipt")]
async fn in_issue(
    subject: &Subject,
    job: &Job,
    common: &Common,
    inputs: &NotifyInputs,
    github: &GitHub,
    notice: &Notice,
    instead_of: Option<&Problem>,
    receipt: &mut Receipt,
) -> Result<(), GitHubError> {
    let facts = in_issue::read(job, inputs, github, notice).await?;
    let mention = cause::mention(inputs, None, job);
    let texts = in_issue::Texts::new(inputs, subject, notice, mention, instead_of);
    let effects = in_issue::decide(&facts, job, common, notice, &texts);
    if common.dry_run {
        receipt.plan = Some(effects.into_iter().collect());
        return Ok(());
    }
    in_issue::apply(&effects, &facts, &texts, github, receipt).await
}

/// The message can be written nowhere else, so the log and the summary have all of it.
fn say_it_here(receipt: &mut Receipt, inputs: &NotifyInputs, notice: &Notice, problems: Vec<Problem>) {
    let message = cause::whole_message(inputs, notice);
    receipt.summary = format!("### ⚠️ This notice could not be written\n\n{}\n", text::quote(&message));
    for problem in &problems {
        receipt.summary += &format!("\n{}\n", text::quote(&problem.to_string()));
    }
    receipt.problems.extend(problems);
    receipt.problems.push(Problem::new(format!("the notice that could not be written:\n{message}")));
}

/// The age of an attempt: that of a newer one is higher.
type Age = (RunId, u32);

fn age(by: &Writer) -> Age {
    (by.run, by.attempt)
}

/// The newest attempt with a notice of the same failure: this one, unless one of the `others` is newer.
///
/// People who may write issues can name any run, so GitHub is asked whether a newer one of this repository exists.
/// A run that does not exist, or that this step may not see, silences no failure.
async fn newest_age(
    job: &Job,
    github: &GitHub,
    notice: &Notice,
    others: impl IntoIterator<Item = &Writer>,
) -> Age {
    let mine = age(&notice.by);
    let here = others.into_iter().filter(|by| by.repository == job.repository).map(age);
    let newer: BTreeSet<Age> = here.filter(|age| *age > mine).collect();
    for (run, attempt) in newer.into_iter().rev().take(MOST_RUNS) {
        let exists = match github.run(&job.repository, run).await {
            Ok(answer) => answer.is_some_and(|run| run.run_attempt.is_none_or(|newest| newest >= attempt)),
            Err(error) => {
                Problem::of(&format!("cannot see whether run {run} is newer"), &error).inform();
                // People see a failure that stays open, and miss one that is resolved too early.
                notice.status == Status::Success
            }
        };
        if exists {
            return (run, attempt);
        }
    }
    mine
}
