//! Needs: the next steps for people. One function gives them for every state of a release.
//!
//! The board's box, the pings and the summary of a step all repeat these sentences, so a person reads the same
//! everywhere. If no person has to act, [`calm`] says why.

mod steering;

use std::fmt::Write as _;

use super::minutes::{bold, join_names};
use super::ping::{GatePing, PingEvent};
use super::reason::{Reason, and};
use super::record::Notice;
use super::run::{FollowedJob, Review, is_about_step};
use super::second::SecondStart;
use super::state::{Run, Target, Ticket};
use super::status::{StartState, Status, TargetStatus, Word};
use super::text;
use super::verification::Check;
use crate::names::{Login, TargetName};

/// The most characters of a message. Only its first line counts.
const MESSAGE_LIMIT: usize = 160;

/// Something that only a person can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The target, if it is about one.
    pub target: Option<TargetName>,
    /// The kind of ping that it causes, if any.
    pub moment: Option<PingEvent>,
    /// The gate, if it is about one, with the targets that wait for nothing else.
    pub gate: Option<(GatePing, Vec<TargetName>)>,
    /// The people who act in place of the driver.
    pub reviewers: Vec<Login>,
    /// The problem, in Markdown.
    pub what: String,
    /// The step that solves it.
    pub action: Action,
    /// The target, with a link to the page on which a person acts.
    pub place: String,
}

/// The next step for a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// These people, in Markdown, approve a run that waits for them.
    Approve(String),
    /// The driver re-runs the jobs of a run that failed.
    RerunFailed,
    /// The driver re-runs the jobs of a run that were cancelled.
    RerunCancelled,
    /// The driver re-runs a run that was cancelled before it had a job, or starts another one.
    RerunAll,
    /// The driver checks whether a target with a deleted run is released.
    CheckRelease,
    /// The driver does something else, then runs the hub's workflow again.
    Remedy(String),
    /// People comment a go, as many as are missing.
    SayGo {
        /// The approvers, in Markdown; empty: all people who may give commands.
        who: Vec<String>,
        /// Whether the driver's go does not count; only used without approvers.
        excludes_driver: bool,
        /// The number of different people that are missing.
        missing: usize,
        /// The comment that each of them writes.
        command: String,
    },
    /// These people, in Markdown, take their no-go back by this command.
    TakeBack(Vec<String>, String),
    /// The driver ends a hold by this command.
    Resume(String),
    /// People wait for the end of a freeze, or override it.
    EndFreeze,
    /// The driver runs the hub's workflow again, which starts a target.
    Start,
    /// The driver runs the hub's workflow again, which looks for the run of a target.
    Find,
    /// The driver runs the hub's workflow again, which reads the state of a target.
    LookAgain,
    /// The driver looks for the run of a target that was started.
    FindRun,
    /// The driver looks at a run that has not changed for long.
    Inspect,
    /// The driver looks at a failure for which a job wrote a notice.
    ReadNotice,
    /// The driver cancels the second of two runs.
    CancelSecond,
    /// The author of a target's workflow marks the last report.
    AddDone,
    /// The author of a workflow corrects a target's name.
    CorrectName,
    /// The driver updates the action.
    Update,
}

/// The urgency of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// A look may be worth it.
    Note,
    /// Only a person can go on.
    Important,
    /// Something went wrong.
    Caution,
}

/// All needs of a release, the most urgent first.
#[must_use]
pub fn needs(ticket: &Ticket) -> Vec<Need> {
    let mut rows: Vec<(&TargetName, &Target)> = ticket.targets.iter().collect();
    rows.sort_by_key(|(name, target)| (target.status, name.as_str().to_lowercase()));
    let of_targets = rows.iter().filter_map(|(name, target)| of_target(ticket, name, target));
    let second = ticket.second_starts.iter().filter(|second| !second.is_settled).map(of_second_start);
    let has_no_target = |notice: &&Notice| {
        let mut bad = ticket.targets.values().filter(|target| target.status.is_bad());
        !bad.any(|target| target.notice.as_ref() == Some(notice))
    };
    let notices = ticket.notices.iter().filter(has_no_target).map(of_notice);
    let of_unlisted_targets = ticket.unlisted_targets.iter().map(|(name, target)| of_unlisted(name, target));
    let of_release = steering::of_release(ticket).into_iter();
    let of_steering = steering::of_gates(ticket).chain(steering::of_holds(ticket));
    let of_targets = of_release.chain(of_targets).chain(of_steering);
    of_targets.chain(second).chain(notices).chain(of_unlisted_targets).chain(newer_records(ticket)).collect()
}

/// The steps for these needs, a line for each action. `driver` is the driver's name in these lines.
#[must_use]
pub fn actions(ticket: &Ticket, needs: &[Need], driver: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut actions: Vec<&Action> = Vec::new();
    for need in needs {
        if actions.contains(&&need.action) {
            continue;
        }
        actions.push(&need.action);
        let same = needs.iter().filter(|other| other.action == need.action);
        let places = join_names(same.clone().map(|need| need.place.clone()));
        let names: Vec<&TargetName> = same.filter_map(|need| need.target.as_ref()).collect();
        lines.push(need.action.sentence(ticket, &places, &names, driver));
    }
    lines
}

impl Action {
    /// Its urgency, which sets the colour of the board's box.
    #[must_use]
    pub fn urgency(&self) -> Urgency {
        match self {
            Self::LookAgain
            | Self::AddDone
            | Self::CorrectName
            | Self::FindRun
            | Self::Resume(_)
            | Self::EndFreeze => Urgency::Note,
            Self::Approve(_) | Self::Start | Self::SayGo { .. } => Urgency::Important,
            _ => Urgency::Caution,
        }
    }

    fn sentence(&self, ticket: &Ticket, places: &str, names: &[&TargetName], driver: &str) -> String {
        let hub = hub_link(ticket, "runs the hub's workflow again");
        let or_retry = steering::or_retry(ticket, names);
        let anew = format!("{hub} with `retry-failed: true`{or_retry}");
        let hub = format!("{hub}{}", steering::or_release(ticket, "comments"));
        match self {
            Self::Approve(who) => format!("{who} approves or refuses {places}"),
            Self::SayGo { who, excludes_driver, missing, command } => {
                let who = steering::who_says_go(who, *excludes_driver, *missing, driver);
                format!("{who} {command}, which lets {places} through")
            }
            Self::TakeBack(who, command) => {
                let verb = if who.len() == 1 { "comments" } else { "comment" };
                format!("{} {verb} {command} to open the gate for {places}", and(who))
            }
            Self::Resume(command) => format!("{driver} comments {command} to go on with {places}"),
            Self::EndFreeze => format!(
                "after that, {driver} {hub}, which starts {places}; before that, somebody with the role maintain \
                 comments `/release override-freeze : reason`"
            ),
            Self::RerunFailed => {
                format!("{driver} looks at {places}, and re-runs the failed jobs there{or_retry}")
            }
            Self::RerunCancelled => {
                format!("{driver} looks at {places}, and re-runs the cancelled jobs there{or_retry}")
            }
            Self::RerunAll => format!("{driver} re-runs {places}, or {anew}"),
            Self::CheckRelease => {
                format!("{driver} checks whether {places} is released, and if it is not, {anew}")
            }
            Self::Remedy(help) => format!("for {places}: {help}; then {driver} {hub}"),
            Self::Start => format!("{driver} {hub}, which starts {places}"),
            Self::LookAgain => format!("if nothing changes, {driver} {hub}, which looks at {places}"),
            Self::Find => format!("{driver} {hub}, which looks for the run of {places}"),
            Self::FindRun => format!(
                "{driver} looks for the run of {places}; a `run-name` with the inputs `release-ticket` and \
                 `release-target` distinguishes the runs"
            ),
            Self::Inspect => format!("{driver} looks at {places}, and cancels it there if it hangs"),
            Self::ReadNotice => format!("{driver} looks at {places}"),
            Self::CancelSecond => format!("{driver} cancels {places}, or {hub}, which does that"),
            Self::AddDone => {
                format!(
                    "if its run has ended, {driver} {hub}, which records how {places} ended; the author of the \
                     workflow adds `done: true` to the last report"
                )
            }
            Self::CorrectName => format!("the author of the workflow corrects `target` in {places}"),
            Self::Update => format!("{driver} updates the action in the hub"),
        }
    }
}

/// The need of a target, if only a person can help.
fn of_target(ticket: &Ticket, name: &TargetName, target: &Target) -> Option<Need> {
    match target.status {
        TargetStatus::Failed | TargetStatus::Cancelled => {
            let need = failure(name, target);
            // The person who gave the command knows.
            let moment = need.moment.filter(|_| !is_by_command(ticket, target));
            Some(Need { moment, ..need })
        }
        TargetStatus::Held => Some(hold(name, target)),
        TargetStatus::Review => Some(review(name, target)),
        TargetStatus::InProgress | TargetStatus::Queued => progress(name, target),
        TargetStatus::Verifying => verification(name, target),
        TargetStatus::OnHold => None,
        TargetStatus::Waiting => wait(ticket, name, target),
        TargetStatus::Skipped | TargetStatus::Released => None,
    }
}

/// Whether the run was cancelled by a command.
fn is_by_command(ticket: &Ticket, target: &Target) -> bool {
    let is_to_be_cancelled = |run: &Run| ticket.is_to_be_cancelled(run.id, run.attempt);
    target.status == TargetStatus::Cancelled && target.run.as_ref().is_some_and(is_to_be_cancelled)
}

/// The need of a target whose run succeeded and that no hub job verifies.
fn verification(name: &TargetName, target: &Target) -> Option<Need> {
    if target.follower.is_some() {
        return None;
    }
    Some(Need {
        target: Some(name.clone()),
        moment: None,
        gate: None,
        reviewers: Vec::new(),
        what: format!(
            "{} must be verified before it counts as released, but no hub run is doing that",
            bold(name)
        ),
        action: Action::LookAgain,
        place: place(name, target),
    })
}

/// The need of a target whose run succeeded and that failed a check.
fn failed_check(name: &TargetName, target: &Target, check: &Check) -> Need {
    let failure = message(check.failure.as_deref().unwrap_or_default());
    let run = target.run.as_ref().and_then(|run| run.url.as_deref());
    let run = run.map(|url| format!(" · {}", text::foreign_link("run", url))).unwrap_or_default();
    Need {
        target: Some(name.clone()),
        moment: Some(PingEvent::Failure),
        gate: None,
        reviewers: Vec::new(),
        what: format!("{} is not verified: {failure}{run}", bold(name)),
        action: Action::Remedy(message(check.help.as_deref().unwrap_or("look at its run"))),
        place: place(name, target),
    }
}

/// The need of a target that failed, was cancelled or lost its run.
fn failure(name: &TargetName, target: &Target) -> Need {
    if let Some(check) = target.failed_check() {
        return failed_check(name, target, check);
    }
    let is_cancelled = target.status == TargetStatus::Cancelled;
    let is_lost = target.has_lost_its_run();
    let verb = match (is_cancelled, &target.run) {
        _ if is_lost => "no longer has a run",
        (true, _) if target.was_cancelled_before_any_job() => "did not begin",
        (true, _) => "was cancelled",
        (false, None) if is_unclear(target) => "may have been started",
        (false, None) => "could not be started",
        (false, Some(_)) => "failed",
    };
    let message = message_of(target);
    let (job, url) = failed_job(target, message.as_deref());
    let at = job.filter(|_| !is_lost).map(|job| format!(" at {job}")).unwrap_or_default();
    let attempt = target.run.as_ref().map_or(1, |run| run.attempt);
    let attempt = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
    let message = message.map(|message| format!(": {message}")).unwrap_or_default();
    let error = job_of(target).filter(|_| !is_lost && !is_cancelled).map(error).unwrap_or_default();
    let link = match (url, target.run.as_ref().and_then(|run| run.url.as_deref())) {
        _ if is_lost => String::new(),
        (Some(url), _) if is_cancelled => format!(" · {}", text::foreign_link("cancelled job", url)),
        (Some(url), _) => format!(" · {}", text::foreign_link("failed job", url)),
        (None, Some(url)) => format!(" · {}", text::foreign_link("run", url)),
        (None, None) => candidates(target).map(|runs| format!(" · {runs}")).unwrap_or_default(),
    };
    let action = match (&target.run, is_cancelled) {
        _ if is_lost => Action::CheckRelease,
        _ if target.was_cancelled_before_any_job() => Action::RerunAll,
        (Some(_), false) => Action::RerunFailed,
        (Some(_), true) => Action::RerunCancelled,
        (None, _) => start_action(target),
    };
    Need {
        gate: None,
        reviewers: Vec::new(),
        moment: Some(PingEvent::Failure),
        what: format!("{} {verb}{at}{attempt}{message}{error}{link}", bold(name)),
        place: place(name, target),
        target: Some(name.clone()),
        action,
    }
}

/// The action that starts a target after all.
fn start_action(target: &Target) -> Action {
    let reason = target.reason.as_ref().and_then(Word::as_known);
    match reason.and_then(Reason::help) {
        Some(help) => Action::Remedy(message(&help.text)),
        None if is_unclear(target) => Action::Find,
        None => Action::Start,
    }
}

/// Whether the target may or may not have been started.
fn is_unclear(target: &Target) -> bool {
    target.start.as_ref().is_some_and(|start| start.state == StartState::Unknown)
}

/// The runs that may be the target's, each with a link.
fn candidates(target: &Target) -> Option<String> {
    let Some(Word::Known(Reason::Unclear { runs, .. })) = &target.reason else { return None };
    let links = runs.iter().map(|url| text::foreign_link(&candidate(url), url));
    (!runs.is_empty()).then(|| join_names(links))
}

/// A short name for the page of a run or of a workflow's runs.
fn candidate(url: &str) -> String {
    match url.rsplit_once("/runs/") {
        Some((_, run)) => format!("run {run}"),
        None => "its runs".to_owned(),
    }
}

/// The need of a target that a word of a newer release holds.
fn hold(name: &TargetName, target: &Target) -> Need {
    let message = message_of(target).map(|message| format!(": {message}")).unwrap_or_default();
    Need {
        gate: None,
        reviewers: Vec::new(),
        moment: None,
        what: format!("{} is held{message}", bold(name)),
        place: place(name, target),
        target: Some(name.clone()),
        action: Action::Update,
    }
}

/// The need of a target whose run waits for an approval.
fn review(name: &TargetName, target: &Target) -> Need {
    let run = target.followed_run.as_ref();
    let reviews: Vec<&Review> =
        run.iter().flat_map(|run| &run.reviews).filter(|review| !review.is_timer()).collect();
    let mut reviewers: Vec<Login> = Vec::new();
    for login in reviews.iter().flat_map(|review| &review.reviewers) {
        if !reviewers.contains(login) {
            reviewers.push(login.clone());
        }
    }
    let environments: Vec<String> = reviews.iter().map(|review| text::code(&review.environment)).collect();
    let names: Vec<String> = reviewers.iter().map(|login| bold_text(login.as_str())).collect();
    let who = if names.is_empty() { "a reviewer".to_owned() } else { or(&names) };
    let what = match (names.is_empty(), environments.is_empty()) {
        (false, false) => format!("for {who} to approve {}", and(&environments)),
        (true, false) => format!("for an approval or a protection rule of {}", and(&environments)),
        _ => "for an approval or a protection rule of its environment".to_owned(),
    };
    let link = target.run.as_ref().and_then(|run| run.url.as_deref());
    let link = link.map(|url| format!(" · {}", text::foreign_link("review", url))).unwrap_or_default();
    Need {
        target: Some(name.clone()),
        moment: Some(PingEvent::Review),
        gate: None,
        reviewers,
        what: format!("{} waits {what}{link}", bold(name)),
        action: Action::Approve(who),
        place: place(name, target),
    }
}

/// The need of a target in progress. It has none while a hub job follows its run, or while the run reports.
fn progress(name: &TargetName, target: &Target) -> Option<Need> {
    let need = |moment, what: String, action| {
        let reviewers = Vec::new();
        let (target, place) = (Some(name.clone()), place(name, target));
        Some(Need { target, moment, gate: None, reviewers, what, action, place })
    };
    if let Some(since) = target.stuck_since {
        let since = since.format("%Y-%m-%d %H:%M");
        let what = format!("{} has not changed since {since} UTC", bold(name));
        return need(Some(PingEvent::Stuck), what, Action::Inspect);
    }
    if target.is_cancelling {
        let what = format!("{} is being cancelled by the hub, but no hub run follows it", bold(name));
        return target.follower.is_none().then(|| need(None, what, Action::LookAgain)).flatten();
    }
    if target.follower.is_some() {
        return None;
    }
    if target.has_unknown_end() {
        let what = format!("{} has ended, but GitHub does not say how", bold(name));
        return need(None, what, Action::LookAgain);
    }
    let goes_on = |status: &Word<Status>| !status.is_good();
    if target.stages.iter().any(|stage| goes_on(&stage.status)) {
        return None;
    }
    if !target.stages.is_empty() {
        let stages = join_names(target.stages.iter().map(|stage| text::code(&stage.name)));
        let what = format!("{} has reported {stages}, but not its last stage", bold(name));
        return need(None, what, Action::AddDone);
    }
    if is_about_to_start(target) {
        return None;
    }
    if let Some(runs) = candidates(target) {
        let what = format!("{} was started, but GitHub did not name its run: {runs}", bold(name));
        return need(None, what, Action::FindRun);
    }
    let what = format!("{} has not reported since it was started, and no hub run follows it", bold(name));
    need(None, what, Action::LookAgain)
}

/// Whether a hub job has claimed the target and is about to start it.
fn is_about_to_start(target: &Target) -> bool {
    target.run.is_none() && target.start.as_ref().is_some_and(|start| start.state == StartState::Claimed)
}

/// The need of a target that waits. It has none while a hub job is about to start it.
fn wait(ticket: &Ticket, name: &TargetName, target: &Target) -> Option<Need> {
    if target.follower.is_some() || ticket.blocker(&target.needs).is_some() {
        return None;
    }
    let needs: Vec<_> = ticket.unreleased_needs(&target.needs).collect();
    let missing = needs.iter().filter(|(_, status)| status.is_none());
    let missing: Vec<String> = missing.map(|(name, _)| bold(name)).collect();
    let is_ready = needs.is_empty();
    if is_ready && steering::is_kept(ticket, name, target) {
        return None;
    }
    let (what, place) = match (is_ready, missing.is_empty()) {
        (true, _) => (format!("{} can start now", bold(name)), bold(name)),
        (false, false) => {
            let missing = and(&missing);
            (format!("{} waits for {missing}, which was not started", bold(name)), missing)
        }
        (false, true) => return None,
    };
    let (target, reviewers) = (Some(name.clone()), Vec::new());
    Some(Need { target, moment: None, gate: None, reviewers, what, action: Action::Start, place })
}

/// The need of a second run, unless the ticket shows that somebody has cancelled it.
fn of_second_start(second: &SecondStart) -> Need {
    let link = |what: &str, url: &Option<String>| {
        url.as_deref().map(|url| format!(" · {}", text::foreign_link(what, url))).unwrap_or_default()
    };
    let links = [link("second run", &second.run_url), link("first run", &second.first_url)].concat();
    let run = second.run_url.as_deref();
    let run =
        run.map_or_else(|| "the second run".to_owned(), |url| text::foreign_link("the second run", url));
    Need {
        target: Some(second.target.clone()),
        gate: None,
        reviewers: Vec::new(),
        moment: None,
        what: format!("{} was started twice{links}", bold(&second.target)),
        action: Action::CancelSecond,
        place: format!("{run} of {}", bold(&second.target)),
    }
}

/// The need of a notice about a run that is not a target's.
fn of_notice(notice: &Notice) -> Need {
    let url = notice.url.as_deref().unwrap_or(&notice.run_url);
    // A run that could not start has no job.
    let by_job = || Some(&notice.by.job).filter(|job| !job.is_empty()).map(|job| text::code(job));
    let error = notice.job.as_ref().map(error).unwrap_or_default();
    let job = notice.job.as_ref().map(|job| at(&job.name, job.step.as_deref())).or_else(by_job);
    let job = job.map(|job| format!(" at {job}")).unwrap_or_default();
    let repository = text::repository(&notice.by.repository);
    Need {
        target: None,
        gate: None,
        reviewers: Vec::new(),
        moment: None,
        what: format!(
            "{repository} failed{job}: {}{error} · {}",
            message(&notice.message),
            text::foreign_link("failed job", url)
        ),
        action: Action::ReadNotice,
        place: text::foreign_link(&notice.by.repository.to_string(), url),
    }
}

/// The need of a name that reports use and no dispatch lists.
fn of_unlisted(name: &TargetName, target: &Target) -> Need {
    let is_bad = target.status.is_bad();
    let what = if is_bad { failure(name, target).what } else { format!("{} reports", bold(name)) };
    Need {
        target: Some(name.clone()),
        gate: None,
        reviewers: Vec::new(),
        moment: is_bad.then_some(PingEvent::Failure),
        what: format!("{what}, but no dispatch of this ticket lists it"),
        action: Action::CorrectName,
        place: place(name, target),
    }
}

/// The need for an update: this release cannot show all of a newer one's records.
fn newer_records(ticket: &Ticket) -> Option<Need> {
    let records = match ticket.unreadable_comments.len() {
        0 => return None,
        1 => "a record".to_owned(),
        count => format!("{count} records"),
    };
    let what = format!("a newer release of the action wrote {records} that this board cannot show in full");
    let (reviewers, place) = (Vec::new(), String::new());
    Some(Need { target: None, moment: None, gate: None, reviewers, what, action: Action::Update, place })
}

/// The reason why no person has to act: everything is released, or the release goes on by itself.
#[must_use]
pub fn calm(ticket: &Ticket) -> String {
    if ticket.targets.is_empty() {
        return "Nothing has been started yet.".to_owned();
    }
    let open: Vec<(&TargetName, &Target)> =
        ticket.targets.iter().filter(|(_, target)| !target.status.is_released()).collect();
    if open.is_empty() && !ticket.left_out.is_empty() {
        let left_out = join_names(ticket.left_out.iter().map(bold));
        return format!("Every target that was dispatched is released. Left out so far: {left_out}.");
    }
    if open.is_empty() {
        return "**Everything is released.** Nothing is left to do.".to_owned();
    }
    let (waiting, active): (Vec<_>, Vec<_>) =
        open.into_iter().partition(|(_, target)| !target.status.is_started());
    let opening = "Nothing is blocking the release.";
    let mut out = opening.to_owned();
    let has_active = !active.is_empty();
    let (claimed, active): (Vec<_>, Vec<_>) =
        active.into_iter().partition(|(_, target)| is_about_to_start(target));
    let (with_follower, reporting): (Vec<_>, Vec<_>) =
        active.into_iter().partition(|(_, target)| target.follower.is_some());
    if !claimed.is_empty() {
        let url = ticket.hub.as_ref().map(|hub| hub.url.as_str()).unwrap_or_default();
        let hub = text::foreign_link("The hub's run", url);
        let again = run_again(ticket);
        let _ = write!(out, " {hub} is about to start {}; if it has ended, {again}.", names(&claimed));
    }
    if let Some(url) = with_follower.iter().find_map(|(_, target)| target.follower.as_deref()) {
        let hub = text::foreign_link("the hub's run", url);
        let them = if with_follower.len() == 1 { "it" } else { "them" };
        let _ = write!(out, " Under way: {}; {hub} follows {them}.", names(&with_follower));
    }
    if !reporting.is_empty() {
        let verb = if reporting.len() == 1 { "reports itself" } else { "report themselves" };
        let _ = write!(out, " Under way: {}, which {verb}.", names(&reporting));
    }
    let (behind_gates, waiting): (Vec<_>, Vec<_>) =
        waiting.into_iter().partition(|(name, target)| !ticket.closed_gates(name, &target.needs).is_empty());
    let (by_hub, by_hand): (Vec<_>, Vec<_>) =
        waiting.into_iter().partition(|(_, target)| target.follower.is_some());
    if !by_hub.is_empty() {
        let starts = if has_active { "After that, the hub's run starts" } else { "The hub's run starts" };
        let _ = write!(out, " {starts} {}.", names(&by_hub));
    }
    if !by_hand.is_empty() {
        let _ = write!(out, " After that, {} to start {}.", run_again(ticket), names(&by_hand));
    }
    if !behind_gates.is_empty() {
        let after_that = if out == opening { "Later, " } else { "After that, " };
        let _ = write!(out, " {after_that}{}.", steering::will_wait(ticket, &behind_gates));
    }
    out
}

/// A sentence about the targets that wait for a failed one.
#[must_use]
pub fn blocked_targets(ticket: &Ticket) -> Option<String> {
    let targets = ticket
        .targets
        .iter()
        .filter(|(_, target)| !target.status.is_started() && ticket.blocker(&target.needs).is_some());
    let targets: Vec<(&TargetName, &Target)> = targets.collect();
    let they_need = if targets.len() == 1 { "it needs" } else { "they need" };
    (!targets.is_empty())
        .then(|| format!("{} cannot start: a target that {they_need} has failed", names(&targets)))
}

/// The failed job, with its step unless the message names that, and its page: by GitHub's answer, else by a notice, else
/// by a report.
fn failed_job<'t>(target: &'t Target, message: Option<&str>) -> (Option<String>, Option<&'t str>) {
    if let Some(job) = job_of(target) {
        let is_in_message = |step: &str| message.is_some_and(|message| is_about_step(message, step));
        let step = job.step.as_deref().filter(|step| !is_in_message(step));
        return (Some(at(&job.name, step)), job.url.as_deref());
    }
    let url = target.notice.as_ref().and_then(|notice| notice.url.as_deref());
    // A run that did not begin has no jobs on GitHub.
    let stage = target.stage.as_ref().filter(|stage| target.stages.contains(stage));
    (stage.map(|stage| text::code(&stage.name)), url)
}

/// The most important job: by GitHub's answer, else by a notice.
fn job_of(target: &Target) -> Option<&FollowedJob> {
    let job = target.followed_run.as_ref().and_then(|run| run.job.as_ref());
    job.or_else(|| target.notice.as_ref()?.job.as_ref())
}

/// The error of a failed job, in its own words.
fn error(job: &FollowedJob) -> String {
    let error = job.error.as_deref().map(|error| text::code(&text::cut(error, MESSAGE_LIMIT)));
    error.map(|error| format!(" · {error}")).unwrap_or_default()
}

fn at(job: &str, step: Option<&str>) -> String {
    let step = step.map(|step| format!(", step {}", text::code(step))).unwrap_or_default();
    format!("{}{step}", text::code(job))
}

/// The message about the target's status: by a report, a notice or the hub.
fn message_of(target: &Target) -> Option<String> {
    let ended_so = |status: &Word<Status>| match target.status {
        TargetStatus::Cancelled => *status == Status::Cancelled,
        TargetStatus::Failed => *status == Status::Failure,
        _ => status.is_newer(),
    };
    let by_report = target.stages.iter().rfind(|stage| ended_so(&stage.status));
    let by_report = by_report.and_then(|stage| stage.message.as_deref());
    let decisive = || target.stage.as_ref().and_then(|stage| stage.message.as_deref());
    let by_notice = || target.notice.as_ref().map(|notice| notice.message.as_str());
    let words = by_report.or_else(decisive).or_else(by_notice).map(str::to_owned);
    let newer = || {
        let start = target.start.as_ref().filter(|_| target.status == TargetStatus::Held)?;
        let word = start.state.newer_text()?;
        Some(format!("`{word}`, a state that only a newer release of the action knows"))
    };
    let reason = || {
        Some(match target.reason.as_ref()? {
            // The need has links to these runs elsewhere.
            Word::Known(Reason::Unclear { error, .. }) => error.clone(),
            reason => reason.clause(ToString::to_string),
        })
    };
    words.or_else(reason).or_else(newer).map(|words| message(&words))
}

/// The target, with a link to its run.
fn place(name: &TargetName, target: &Target) -> String {
    let url = target.run.as_ref().and_then(|run| run.url.as_deref());
    let url = url.or_else(|| target.start.as_ref().and_then(|start| start.run_url.as_deref()));
    // The page of a deleted run is gone.
    let url = url.filter(|_| !target.has_lost_its_run());
    let name = text::inline(name.as_str());
    url.map_or_else(|| format!("**{name}**"), |url| format!("**{}**", text::foreign_link(&name, url)))
}

/// The step of a person after which the hub goes on.
fn run_again(ticket: &Ticket) -> String {
    let hub = hub_link(ticket, "run the hub's workflow again");
    format!("{hub}{}", steering::or_release(ticket, "comment"))
}

fn hub_link(ticket: &Ticket, words: &str) -> String {
    let hub = ticket.hub.as_ref().map(|hub| hub.workflow_url.as_deref().unwrap_or(&hub.url));
    hub.map_or_else(|| words.to_owned(), |url| text::foreign_link(words, url))
}

fn message(message: &str) -> String {
    text::inline(&text::cut(text::first_line(message), MESSAGE_LIMIT))
}

fn bold_text(name: &str) -> String {
    format!("**{}**", text::inline(name))
}

/// `dana`, `dana or eve`, `dana, eve or acme/sre`.
fn or(names: &[String]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => names.concat(),
    }
}

fn names(targets: &[(&TargetName, &Target)]) -> String {
    join_names(targets.iter().map(|(name, _)| bold(name)))
}

#[cfg(test)]
#[path = "need_tests.rs"]
mod tests;
