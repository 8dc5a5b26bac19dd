//! The ticket of a dispatch: the one that the step names, else the open one of the same release, else the text of a new
//! one.

use super::Hub;
use super::approval::{self, Approval, FORM, IssueText, TicketEvent};
use super::closed_tickets::{self, ReadTicket, Release};
use super::forms;
use super::preflight::template_problem;
use super::reading::to_problems;
use super::template_inputs::{self, Inputs};
use crate::engine::wording::Predecessor;
use crate::engine::{Facts, TicketState};
use crate::form::Answers;
use crate::github::issues::Issue;
use crate::job::Job;
use crate::names::IssueRef;
use crate::opening::{self, Lookup};
use crate::problem::{Problem, Topic};
use crate::runner::log::NOTICE;
use crate::template::Reads;
use crate::ticket::claim::Claims;
use crate::ticket::remembered_inputs::RememberedInputs;
use crate::ticket::{Key, Log, Start, Word};
use crate::trust;

/// The number of a release's closed tickets that are read.
const TICKETS_READ: usize = 20;

/// The ticket that the step names, with its inputs and answers; empty if the step names none.
#[derive(Default)]
pub(super) struct NamedTicket {
    issue: Option<(Issue, ReadTicket)>,
    /// The inputs as templates see them.
    pub(super) inputs: Inputs,
    /// The approved answers of its form.
    pub(super) approval: Approval,
    /// The answers that an earlier dispatch recorded.
    recorded_answers: Option<Word<Answers>>,
    /// Whether the files of the forms were read to find the questions.
    is_by_files: bool,
    /// The release for which it was opened, or which an earlier dispatch recorded.
    pub(super) release: Option<String>,
}

impl NamedTicket {
    /// Refuses the values that templates with these `reads` may not take from the ticket. If they read answers, the
    /// files of the forms are read first.
    pub(super) async fn approve(&mut self, hub: Hub<'_>, reads: &Reads) -> Result<(), Vec<Problem>> {
        if reads.may_read(FORM) {
            self.read_by_files(hub).await?;
        }
        let mut problems = self.approval.refusals.of(reads);
        problems.extend(self.inputs.refusals.of(reads));
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    async fn read_by_files(&mut self, hub: Hub<'_>) -> Result<(), Vec<Problem>> {
        let (Some(ticket), Some((issue, _))) = (&hub.common.ticket, &self.issue) else { return Ok(()) };
        if self.is_by_files || self.approval.source.is_none() {
            return Ok(());
        }
        let files = forms::read(hub, &ticket.repository).await?;
        let recorded_answers = self.recorded_answers.as_ref();
        self.approval =
            approval::decide(event_of(ticket, hub.job), recorded_answers, text_of(issue), &files.forms);
        self.is_by_files = true;
        files.explain(&self.approval);
        Ok(())
    }
}

/// Reads the ticket that the step names. Its log is read once, for the engine too.
pub(super) async fn read_named_ticket(hub: Hub<'_>) -> Result<NamedTicket, Vec<Problem>> {
    let event_inputs = hub.job.event.inputs();
    let Some(ticket) = &hub.common.ticket else {
        return Ok(NamedTicket {
            inputs: template_inputs::decide(event_inputs, None, None),
            ..NamedTicket::default()
        });
    };
    let issue = hub.github.issue(ticket).await;
    let issue =
        issue.map_err(|error| vec![Problem::of(&format!("cannot read the ticket {ticket}"), &error)])?;
    let mut issues = [issue];
    trust::settle(hub.github, &ticket.repository, &mut issues).await;
    let [issue] = issues;
    hub.github.expect(ticket);
    if !issue.is_open() {
        let problem = Problem::new(format!("the ticket {ticket} is closed"));
        return Err(vec![problem.help(Topic::Ticket, "reopen it, or leave `ticket` blank for a new one")]);
    }
    let read = ReadTicket::of(&issue, hub).await?;
    let basis = read.basis();
    let claims = Claims { log: &read.log, basis: &basis };
    let release = match Key::of(text_of(&issue).body).filter(|_| issue.is_trusted()) {
        Some(Word::Known(Key::Release(release))) => Some(release),
        // The issue of a person does not name its release; the records of earlier dispatches do.
        _ if hub.inputs.release.is_none() => read.log.ticket_by_basis(&basis).release.clone(),
        _ => None,
    };
    let inputs = template_inputs::decide(event_inputs, Some(ticket), RememberedInputs::of(claims));
    let recorded_answers = approval::recorded_answers(claims).cloned();
    let approval =
        approval::decide(event_of(ticket, hub.job), recorded_answers.as_ref(), text_of(&issue), &[]);
    Ok(NamedTicket {
        issue: Some((issue, read)),
        inputs,
        approval,
        recorded_answers,
        is_by_files: false,
        release,
    })
}

fn text_of(issue: &Issue) -> IssueText<'_> {
    IssueText { title: &issue.title, body: issue.body.as_deref().unwrap_or_default() }
}

/// The issue's text in the event, if the event is about `ticket`.
fn event_of<'j>(ticket: &IssueRef, job: &'j Job) -> Option<TicketEvent<'j>> {
    let event = &job.event;
    let is_about_it = event.issue() == Some(ticket.number) && job.repository == ticket.repository;
    let body = event.issue_text("body").filter(|_| is_about_it)?;
    let issue = IssueText { title: event.issue_text("title").unwrap_or_default(), body };
    Some(TicketEvent { issue, is_approval: event.is_approval() })
}

/// The ticket to use.
pub(super) struct TicketChoice {
    ticket: TicketState,
    /// Later open tickets of the same release.
    duplicates: Vec<IssueRef>,
    /// The ticket's log and the account under which this step writes, if they were read.
    log: Option<(Log, Option<String>)>,
    /// The targets that earlier tickets have released.
    inherited_starts: Vec<Start>,
}

impl TicketChoice {
    fn new(ticket: TicketState) -> Self {
        Self { ticket, duplicates: Vec::new(), log: None, inherited_starts: Vec::new() }
    }

    fn of(ticket: ReadTicket) -> Self {
        let open = Self::new(ticket.ticket());
        Self { log: Some((ticket.log, ticket.identity)), ..open }
    }

    /// The ticket if it exists already, with its page for the browser.
    pub(super) fn open_ticket(&self) -> Option<(IssueRef, String)> {
        match &self.ticket {
            TicketState::Open { issue, url, .. } => Some((issue.clone(), url.clone())),
            TicketState::New(_) => None,
        }
    }

    /// The facts at the beginning of a job.
    pub(super) fn facts(self) -> Facts {
        let facts = Facts::new(self.ticket, self.duplicates).with_inheritance(self.inherited_starts);
        match self.log {
            Some((log, identity)) => facts.with_log(log, identity),
            None => facts,
        }
    }
}

/// Finds the ticket to use, and later open ones of the same release.
pub(super) async fn find(
    release: Release<'_>,
    named_ticket: NamedTicket,
) -> Result<TicketChoice, Vec<Problem>> {
    let Release { hub, key, .. } = release;
    if let Some((issue, ticket)) = named_ticket.issue {
        let key = Key::of(issue.body.as_deref().unwrap_or_default());
        let Some(Word::Known(key)) = key else { return Ok(TicketChoice::of(ticket)) };
        refuse_reopened_ticket(Release { key: &key, ..release }, &issue).await?;
        return open(Release { key: &key, ..release }, &issue, Some(ticket)).await;
    }
    let lookup = opening::find(hub.github, &hub.common.hub, key).await;
    let lookup = lookup.map_err(to_problems(format!("cannot look for a ticket in {}", hub.common.hub)))?;
    match lookup {
        Lookup::Found(ticket) => {
            let opening::OpenIssue { issue, duplicates } = *ticket;
            if hub.inputs.release_again && hub.job.attempt == 1 {
                let issue = release.issue(issue.number);
                tracing::info!(target: NOTICE, "`release-again` changes nothing: {issue} is open");
            }
            refuse_reopened_ticket(release, &issue).await?;
            match own_beside(release, &issue, &duplicates).await? {
                Some(own) => Ok(own),
                None => Ok(TicketChoice { duplicates, ..open(release, &issue, None).await? }),
            }
        }
        Lookup::Unreadable(issue) => Err(vec![unreadable_problem(&issue)]),
        Lookup::Absent => find_closed(release).await,
    }
}

/// Refuses a reopened ticket if a later one has gone on with the release: the targets that were started there would be
/// started a second time.
async fn refuse_reopened_ticket(release: Release<'_>, issue: &Issue) -> Result<(), Vec<Problem>> {
    if !issue.is_reopened() || !matches!(release.key, Key::Release(_)) {
        return Ok(());
    }
    let mut later = closed_tickets(release).await?;
    let open = opening::find_open(release.hub.github, &release.hub.common.hub, release.key).await;
    later.extend(
        open.map_err(to_problems(format!("cannot look for a ticket in {}", release.hub.common.hub)))?,
    );
    later.retain(|other| other.number > issue.number && other.comments > 0);
    let Some(newest) = later.into_iter().max_by_key(|other| other.number) else { return Ok(()) };
    let (first, newest) = (release.issue(issue.number), release.issue(newest.number));
    let what =
        format!("{first} was reopened, but {newest} has continued this release since {first} was closed");
    let help = format!("close {first}; reopen {newest} if it is closed");
    Err(vec![Problem::new(what).help(Topic::Ticket, help)])
}

fn ticket_of(release: Release<'_>, issue: &Issue) -> TicketState {
    let (url, opened_at) = (issue.html_url.clone(), Some(issue.created_at));
    TicketState::Open { issue: release.issue(issue.number), url, is_new: None, opened_at }
}

/// An open ticket, with the targets that it takes over from the one that it continues. `ticket` has its log, if that
/// was read before.
async fn open(
    release: Release<'_>,
    issue: &Issue,
    ticket: Option<ReadTicket>,
) -> Result<TicketChoice, Vec<Problem>> {
    let Some(earlier) = opening::continues(issue) else {
        return Ok(ticket.map_or_else(|| TicketChoice::new(ticket_of(release, issue)), TicketChoice::of));
    };
    let ticket = match ticket {
        Some(ticket) => ticket,
        None => ReadTicket::of(issue, release.hub).await?,
    };
    let inherited_starts = closed_tickets::take_over_for_open(release, &ticket, earlier).await?;
    Ok(TicketChoice { inherited_starts, ..TicketChoice::of(ticket) })
}

fn unreadable_problem(issue: &IssueRef) -> Problem {
    let what = format!(
        "the open ticket {issue} was written by a newer release of the action, or its first line is damaged: it may be \
         the ticket of this release"
    );
    let help =
        format!("update the action; or name the ticket to use, as in `ticket: {issue}`; or close that one");
    Problem::new(what).help(Topic::Ticket, help)
}

/// The own ticket of a run that is run again, while another ticket is open.
///
/// # Errors
///
/// The own ticket was closed before everything was released: the run never goes on with another one.
async fn own_beside(
    release: Release<'_>,
    open: &Issue,
    duplicates: &[IssueRef],
) -> Result<Option<TicketChoice>, Vec<Problem>> {
    let Release { hub, key, .. } = release;
    if hub.job.attempt == 1 || !matches!(key, Key::Release(_)) {
        return Ok(None);
    }
    let other = ReadTicket::of(open, release.hub).await?;
    // A ticket that continues another one is read in any case, for the targets that it takes over.
    let is_first = opening::continues(open).is_none();
    let go_on =
        |other| is_first.then(|| TicketChoice { duplicates: duplicates.to_vec(), ..TicketChoice::of(other) });
    if other.is_own(release) {
        return Ok(go_on(other));
    }
    let mut others = closed_tickets(release).await?;
    for duplicate in duplicates {
        let issue = opening::find_by_number(hub.github, duplicate, key).await;
        others.extend(issue.map_err(to_problems(format!("cannot read {duplicate}")))?);
    }
    match own_among(release, &others).await? {
        None => Ok(go_on(other)),
        Some(own) if own.is_closed() && own.is_done(release).await? => Ok(Some(TicketChoice::of(own))),
        Some(own) => Err(vec![other_ticket_problem(&own, &other.issue)]),
    }
}

fn other_ticket_problem(own: &ReadTicket, open: &IssueRef) -> Problem {
    let what = if own.is_closed() {
        format!("this run's ticket {} was closed before everything was released", own.issue)
    } else {
        format!("this run's ticket is {}, and another one of the same release is open", own.issue)
    };
    Problem::new(what).help(Topic::Ticket, format!("start a new run: it goes on with {open}"))
}

/// The choice while no ticket is open: the one that this run closed itself, else a new one.
async fn find_closed(release: Release<'_>) -> Result<TicketChoice, Vec<Problem>> {
    let Release { hub, key, .. } = release;
    // A release without a name has one run, so only that run's later attempts can find a closed ticket.
    if matches!(key, Key::Run(_)) && hub.job.attempt == 1 {
        return new(release, Predecessor::Nothing);
    }
    let tickets = closed_tickets(release).await?;
    let Some(newest) = tickets.first() else { return new(release, Predecessor::Nothing) };
    if hub.job.attempt > 1
        && let Some(own) = own_among(release, &tickets).await?
    {
        return if own.is_done(release).await? {
            Ok(TicketChoice::of(own))
        } else {
            Err(vec![unfinished_problem(&own, key)])
        };
    }
    let dispatched_ticket = first_dispatched_ticket(release, &tickets).await?;
    let number = dispatched_ticket.as_ref().map_or(newest.number, |ticket| ticket.issue.number);
    let inherited_starts = match dispatched_ticket {
        Some(ticket) => closed_tickets::take_over_for_new(release, ticket).await?,
        None => Vec::new(),
    };
    let follows =
        if hub.inputs.release_again { Predecessor::Repeats(number) } else { Predecessor::Continues(number) };
    Ok(TicketChoice { inherited_starts, ..new(release, follows)? })
}

fn new(release: Release<'_>, follows: Predecessor) -> Result<TicketChoice, Vec<Problem>> {
    let new = release.wording.new_issue(release.key, follows);
    let new = new.map_err(|error| vec![template_problem("the ticket's text", &error)])?;
    Ok(TicketChoice::new(TicketState::New(Box::new(new))))
}

/// The closed tickets of the release, the newest first.
async fn closed_tickets(release: Release<'_>) -> Result<Vec<Issue>, Vec<Problem>> {
    let Release { hub, key, .. } = release;
    let label = hub.inputs.labels.first().map(String::as_str);
    let tickets = opening::find_closed_issues(hub.github, &hub.common.hub, key, label).await;
    tickets.map_err(to_problems(format!("cannot look for a closed ticket in {}", hub.common.hub)))
}

/// The ticket of this run among `tickets`.
async fn own_among(release: Release<'_>, tickets: &[Issue]) -> Result<Option<ReadTicket>, Vec<Problem>> {
    // A key of this run belongs to no other run.
    let is_own_by_key = matches!(release.key, Key::Run(_));
    for issue in tickets.iter().filter(|issue| is_own_by_key || issue.comments > 0).take(TICKETS_READ) {
        let ticket = ReadTicket::of(issue, release.hub).await?;
        if is_own_by_key || ticket.is_own(release) {
            return Ok(Some(ticket));
        }
    }
    Ok(None)
}

/// The first of `tickets` with which this hub has dispatched anything; else the first of another account.
async fn first_dispatched_ticket(
    release: Release<'_>,
    tickets: &[Issue],
) -> Result<Option<ReadTicket>, Vec<Problem>> {
    let mut ticket_of_others = None;
    for issue in tickets.iter().filter(|issue| issue.comments > 0).take(TICKETS_READ) {
        let ticket = ReadTicket::of(issue, release.hub).await?;
        if ticket.is_of_hub() {
            return Ok(Some(ticket));
        }
        ticket_of_others = ticket_of_others.or(Some(ticket).filter(ReadTicket::was_dispatched));
    }
    if let Some(ticket) = &ticket_of_others {
        tracing::warn!(
            "another account dispatched the closed ticket {}: its records do not count",
            ticket.issue
        );
    }
    Ok(ticket_of_others)
}

fn unfinished_problem(own: &ReadTicket, key: &Key) -> Problem {
    let new = match key {
        Key::Run(_) => "a new run starts everything again, on a ticket of its own",
        _ => "or start a new run, which opens a new ticket and takes over what is released",
    };
    Problem::new(format!("this run's ticket {} was closed before everything was released", own.issue))
        .help(Topic::Ticket, format!("reopen {} and run the job again; {new}", own.issue))
}
