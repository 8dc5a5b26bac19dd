//! The ticket of a dispatch: the one that the step names, else the open one of the same release, else
//! what it takes to open one.

use super::Hub;
use super::approved::{self, Approved, FORM, IssueText, TicketEvent};
use super::closed::{self, Read, Release};
use super::forms;
use super::preflight::template_problem;
use super::reading::failed;
use super::remembered::{self, Inputs};
use crate::believe;
use crate::engine::wording::Follows;
use crate::engine::{Known, TicketIs};
use crate::form::Answers;
use crate::github::issues::Issue;
use crate::job::Job;
use crate::names::IssueRef;
use crate::opening::{self, Lookup};
use crate::problem::Problem;
use crate::runner::log::NOTICE;
use crate::template::Reads;
use crate::ticket::claim::Claims;
use crate::ticket::remembered::Remembered;
use crate::ticket::{Key, Log, Start, Word};

/// So many closed tickets of a release are read.
const TICKETS_READ: usize = 20;

/// A ticket that the step names, if it names one.
#[derive(Default)]
pub(super) struct Named {
    issue: Option<(Issue, Read)>,
    /// The inputs as templates see them.
    pub(super) inputs: Inputs,
    /// What its author wrote, as far as that was approved.
    pub(super) approved: Approved,
    /// The answers that an earlier dispatch recorded.
    recorded: Option<Word<Answers>>,
    /// Whether the answers are read as the files of the forms ask for them.
    is_by_files: bool,
    /// The release that it was opened for, or dispatched before.
    pub(super) release: Option<String>,
}

impl Named {
    /// Refuses what templates that read this may not take from the ticket. Where they take answers, the files of the
    /// forms are read.
    pub(super) async fn approve(&mut self, hub: Hub<'_>, reads: &Reads) -> Result<(), Vec<Problem>> {
        if reads.may_read(FORM) {
            self.read_by_files(hub).await?;
        }
        let mut problems = self.approved.refusals.of(reads);
        problems.extend(self.inputs.refusals.of(reads));
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    async fn read_by_files(&mut self, hub: Hub<'_>) -> Result<(), Vec<Problem>> {
        let (Some(ticket), Some((issue, _))) = (&hub.common.ticket, &self.issue) else { return Ok(()) };
        if self.is_by_files || self.approved.source.is_none() {
            return Ok(());
        }
        let files = forms::read(hub, &ticket.repository).await?;
        let recorded = self.recorded.as_ref();
        self.approved = approved::decide(event_of(ticket, hub.job), recorded, text_of(issue), &files.forms);
        self.is_by_files = true;
        files.explain(&self.approved);
        Ok(())
    }
}

/// The ticket that the step names, and what it says of itself and remembers. Its log is read once, for the engine too.
pub(super) async fn read_named(hub: Hub<'_>) -> Result<Named, Vec<Problem>> {
    let given = hub.job.event.inputs();
    let Some(ticket) = &hub.common.ticket else {
        return Ok(Named { inputs: remembered::decide(given, None, None), ..Named::default() });
    };
    let issue = hub.github.issue(ticket).await;
    let issue =
        issue.map_err(|error| vec![Problem::of(&format!("cannot read the ticket {ticket}"), &error)])?;
    let mut issues = [issue];
    believe::settle(hub.github, &ticket.repository, &mut issues).await;
    let [issue] = issues;
    hub.github.expect(ticket);
    if !issue.is_open() {
        let closed = Problem::new(format!("the ticket {ticket} is closed"));
        return Err(vec![closed.help("reopen it, or leave `ticket` blank for a new one")]);
    }
    let read = Read::of(&issue, hub).await?;
    let basis = read.basis();
    let claims = Claims { log: &read.log, basis: &basis };
    let release = match Key::of(text_of(&issue).body).filter(|_| issue.is_trusted()) {
        Some(Word::Known(Key::Release(release))) => Some(release),
        // An issue that a person opened does not say which release it is; the dispatches before this one do.
        _ if hub.inputs.release.is_none() => read.log.believed(&basis).release.clone(),
        _ => None,
    };
    let inputs = remembered::decide(given, Some(ticket), Remembered::of(claims));
    let recorded = approved::recorded(claims).cloned();
    let approved = approved::decide(event_of(ticket, hub.job), recorded.as_ref(), text_of(&issue), &[]);
    Ok(Named { issue: Some((issue, read)), inputs, approved, recorded, is_by_files: false, release })
}

fn text_of(issue: &Issue) -> IssueText<'_> {
    IssueText { title: &issue.title, body: issue.body.as_deref().unwrap_or_default() }
}

/// What the event says of `ticket`, if it is about that issue.
fn event_of<'j>(ticket: &IssueRef, job: &'j Job) -> Option<TicketEvent<'j>> {
    let event = &job.event;
    let is_about_it = event.issue() == Some(ticket.number) && job.repository == ticket.repository;
    let body = event.issue_text("body").filter(|_| is_about_it)?;
    let issue = IssueText { title: event.issue_text("title").unwrap_or_default(), body };
    Some(TicketEvent { issue, is_approval: event.is_approval() })
}

/// The ticket to use.
pub(super) struct Found {
    ticket: TicketIs,
    /// Open tickets of the same release that came second.
    duplicates: Vec<IssueRef>,
    /// The ticket's log and the account under which this step writes, where they were read.
    log: Option<(Log, Option<String>)>,
    /// What earlier tickets have released.
    inherited: Vec<Start>,
}

impl Found {
    fn new(ticket: TicketIs) -> Self {
        Self { ticket, duplicates: Vec::new(), log: None, inherited: Vec::new() }
    }

    fn read(read: Read) -> Self {
        Self { log: Some((read.log.clone(), read.identity.clone())), ..Self::new(read.ticket()) }
    }

    /// The ticket that is there, and its address in the browser.
    pub(super) fn open_ticket(&self) -> Option<(IssueRef, String)> {
        match &self.ticket {
            TicketIs::Open { issue, url, .. } => Some((issue.clone(), url.clone())),
            TicketIs::New(_) => None,
        }
    }

    /// What a job knows that begins now.
    pub(super) fn known(self) -> Known {
        let known = Known::new(self.ticket, self.duplicates).taking_over(self.inherited);
        match self.log {
            Some((log, identity)) => known.with_log(log, identity),
            None => known,
        }
    }
}

/// The ticket to use, and open ones of the same release that came second.
pub(super) async fn find(release: Release<'_>, named: Named) -> Result<Found, Vec<Problem>> {
    let Release { hub, key, .. } = release;
    if let Some((issue, read)) = named.issue {
        let key = Key::of(issue.body.as_deref().unwrap_or_default());
        let Some(Word::Known(key)) = key else { return Ok(Found::read(read)) };
        refuse_reopened(Release { key: &key, ..release }, &issue).await?;
        return open(Release { key: &key, ..release }, &issue, Some(read)).await;
    }
    let found = opening::find(hub.github, &hub.common.hub, key).await;
    let found = found.map_err(failed(format!("cannot look for a ticket in {}", hub.common.hub)))?;
    match found {
        Lookup::Found(found) => {
            let opening::Found { issue, duplicates } = *found;
            if hub.inputs.release_again && hub.job.attempt == 1 {
                let issue = release.issue(issue.number);
                tracing::info!(target: NOTICE, "`release-again` changes nothing: {issue} is open");
            }
            refuse_reopened(release, &issue).await?;
            match own_beside(release, &issue, &duplicates).await? {
                Some(own) => Ok(own),
                None => Ok(Found { duplicates, ..open(release, &issue, None).await? }),
            }
        }
        Lookup::Unreadable(issue) => Err(vec![unreadable(&issue)]),
        Lookup::Absent => find_closed(release).await,
    }
}

/// Refuses a ticket that somebody has opened again although a later one goes on with the release: what that one has
/// started would be started a second time.
async fn refuse_reopened(release: Release<'_>, issue: &Issue) -> Result<(), Vec<Problem>> {
    if !issue.is_reopened() || !matches!(release.key, Key::Release(_)) {
        return Ok(());
    }
    let mut later = closed_tickets(release).await?;
    let open = opening::find_open(release.hub.github, &release.hub.common.hub, release.key).await;
    later.extend(open.map_err(failed(format!("cannot look for a ticket in {}", release.hub.common.hub)))?);
    later.retain(|other| other.number > issue.number && other.comments > 0);
    let Some(newest) = later.into_iter().max_by_key(|other| other.number) else { return Ok(()) };
    let (first, newest) = (release.issue(issue.number), release.issue(newest.number));
    let what =
        format!("{first} was opened again, and {newest} goes on with this release since it was closed");
    Err(vec![Problem::new(what).help(format!("close {first}; reopen {newest} if it is closed"))])
}

fn ticket_of(release: Release<'_>, issue: &Issue) -> TicketIs {
    let (url, opened_at) = (issue.html_url.clone(), Some(issue.created_at));
    TicketIs::Open { issue: release.issue(issue.number), url, created: None, opened_at }
}

/// An open ticket, with what it takes over from the one that it continues. Its log may have been read before.
async fn open(release: Release<'_>, issue: &Issue, read: Option<Read>) -> Result<Found, Vec<Problem>> {
    let Some(earlier) = opening::continues(issue) else {
        return Ok(read.map_or_else(|| Found::new(ticket_of(release, issue)), Found::read));
    };
    let read = match read {
        Some(read) => read,
        None => Read::of(issue, release.hub).await?,
    };
    let inherited = closed::inherited_by(release, &read, earlier).await?;
    Ok(Found { inherited, ..Found::read(read) })
}

fn unreadable(issue: &IssueRef) -> Problem {
    let what = format!(
        "the open ticket {issue} was written by a newer release of the action, or its first line is damaged: it may be \
         the ticket of this release"
    );
    let help =
        format!("update the action; or say which ticket to use, as in `ticket: {issue}`; or close that one");
    Problem::new(what).help(help)
}

/// The own ticket of a run that is run again, where another one is open.
///
/// # Errors
///
/// When that ticket was closed before everything was released: the run never goes on with another one.
async fn own_beside(
    release: Release<'_>,
    open: &Issue,
    duplicates: &[IssueRef],
) -> Result<Option<Found>, Vec<Problem>> {
    let Release { hub, key, .. } = release;
    if hub.job.attempt == 1 || !matches!(key, Key::Release(_)) {
        return Ok(None);
    }
    let read = Read::of(open, release.hub).await?;
    // What an earlier one has released is asked for in any case.
    let is_first = opening::continues(open).is_none();
    let go_on = |read| is_first.then(|| Found { duplicates: duplicates.to_vec(), ..Found::read(read) });
    if read.is_own(release) {
        return Ok(go_on(read));
    }
    let mut others = closed_tickets(release).await?;
    for duplicate in duplicates {
        let issue = opening::find_numbered(hub.github, duplicate, key).await;
        others.extend(issue.map_err(failed(format!("cannot read {duplicate}")))?);
    }
    match own_among(release, &others).await? {
        None => Ok(go_on(read)),
        Some(own) if own.is_closed() && own.is_done(release).await? => Ok(Some(Found::read(own))),
        Some(own) => Err(vec![not_with_another(&own, &read.issue)]),
    }
}

fn not_with_another(own: &Read, open: &IssueRef) -> Problem {
    let what = if own.is_closed() {
        format!("this run's ticket {} was closed before everything was released", own.issue)
    } else {
        format!("this run's ticket is {}, and another one of the same release is open", own.issue)
    };
    Problem::new(what).help(format!("start a new run: it goes on with {open}"))
}

/// No ticket is open: one that this run closed itself is used again; else a new one is opened.
async fn find_closed(release: Release<'_>) -> Result<Found, Vec<Problem>> {
    let Release { hub, key, .. } = release;
    // Without a name a release has one run, so only that run's later attempts can come upon a closed ticket.
    if matches!(key, Key::Run(_)) && hub.job.attempt == 1 {
        return new(release, Follows::Nothing);
    }
    let tickets = closed_tickets(release).await?;
    let Some(newest) = tickets.first() else { return new(release, Follows::Nothing) };
    if hub.job.attempt > 1
        && let Some(own) = own_among(release, &tickets).await?
    {
        return if own.is_done(release).await? {
            Ok(Found::read(own))
        } else {
            Err(vec![not_done(&own, key)])
        };
    }
    let dispatched = first_dispatched(release, &tickets).await?;
    let number = dispatched.as_ref().map_or(newest.number, |read| read.issue.number);
    let inherited = match dispatched {
        Some(read) => closed::inherited_from(release, read).await?,
        None => Vec::new(),
    };
    let follows =
        if hub.inputs.release_again { Follows::Repeats(number) } else { Follows::Continues(number) };
    Ok(Found { inherited, ..new(release, follows)? })
}

fn new(release: Release<'_>, follows: Follows) -> Result<Found, Vec<Problem>> {
    let new = release.wording.new_issue(release.key, follows);
    let new = new.map_err(|error| vec![template_problem("the ticket's text", &error)])?;
    Ok(Found::new(TicketIs::New(Box::new(new))))
}

/// The closed tickets of the release, the newest first.
async fn closed_tickets(release: Release<'_>) -> Result<Vec<Issue>, Vec<Problem>> {
    let Release { hub, key, .. } = release;
    let label = hub.inputs.labels.first().map(String::as_str);
    let closed = opening::find_closed(hub.github, &hub.common.hub, key, label).await;
    closed.map_err(failed(format!("cannot look for a closed ticket in {}", hub.common.hub)))
}

/// The ticket of this run among these.
async fn own_among(release: Release<'_>, tickets: &[Issue]) -> Result<Option<Read>, Vec<Problem>> {
    // No other run has a ticket by this key.
    let is_own_by_key = matches!(release.key, Key::Run(_));
    for issue in tickets.iter().filter(|issue| is_own_by_key || issue.comments > 0).take(TICKETS_READ) {
        let read = Read::of(issue, release.hub).await?;
        if is_own_by_key || read.is_own(release) {
            return Ok(Some(read));
        }
    }
    Ok(None)
}

/// The first of these tickets by which this hub has dispatched anything; where there is none, another account.
async fn first_dispatched(release: Release<'_>, tickets: &[Issue]) -> Result<Option<Read>, Vec<Problem>> {
    let mut by_others = None;
    for issue in tickets.iter().filter(|issue| issue.comments > 0).take(TICKETS_READ) {
        let read = Read::of(issue, release.hub).await?;
        if read.is_of_hub() {
            return Ok(Some(read));
        }
        by_others = by_others.or(Some(read).filter(Read::was_dispatched));
    }
    if let Some(read) = &by_others {
        tracing::warn!(
            "{}, which is closed, was dispatched by another account: its records count for nothing",
            read.issue
        );
    }
    Ok(by_others)
}

fn not_done(own: &Read, key: &Key) -> Problem {
    let new = match key {
        Key::Run(_) => "a new run starts everything again, on a ticket of its own",
        _ => "or start a new run, which opens a new ticket and takes over what is released",
    };
    Problem::new(format!("this run's ticket {} was closed before everything was released", own.issue))
        .help(format!("reopen {} and run the job again; {new}", own.issue))
}
