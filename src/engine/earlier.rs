//! An earlier ticket of the same release, which was closed before it was done: what it leaves to the one that
//! continues it.
//!
//! A target that is released there is taken over: a record of the new ticket says so, and it is not started again.
//! What may still be at work there, or may have been started by it, is started nowhere.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::known::{Attempt, Known, Phase};
use super::ready::Ready;
use super::remembering::kept_once;
use super::request::Request;
use super::step::{RunOf, Step};
use super::view::{TARGETS_PER_RECORD, View};
use crate::names::{CommentId, RunId, TargetName};
use crate::problem::Problem;
use crate::ticket::claim::{self, Claims, Counting, Liveness, Standing};
use crate::ticket::{Reason, Start, StartState, Target, TargetStatus, Word, Writer, marker, text};

/// A run that GitHub does not list so long after its claim was last written was never started.
const LISTED_WITHIN: TimeDelta = TimeDelta::seconds(120);

/// Outputs that take more of a record, in characters of its marker, are recorded with a target a record.
const ROOM_FOR_OUTPUTS: usize = 20_000;

/// What an earlier ticket leaves of a target.
#[derive(Debug, Clone, PartialEq)]
pub enum Left {
    /// It is not released there, and nothing of it is at work: it is free.
    Nothing,
    /// It is released there. This entry of a record of the new ticket says so.
    Released(Box<Start>),
    /// It must not be started.
    Busy(Box<Busy>),
}

/// Why a target must not be started that an earlier ticket may have started.
#[derive(Debug, Clone, PartialEq)]
pub struct Busy {
    /// The problem of whoever wants to start it.
    pub problem: Problem,
    /// Whether it is at work for certain.
    pub is_at_work: bool,
}

/// What the ticket of `known` leaves of each target, as far as GitHub shows it and its records say.
#[must_use]
pub fn left(known: &Known, request: &Request, now: DateTime<Utc>) -> BTreeMap<TargetName, Left> {
    let view = View::new(known, request, now);
    request.targets.iter().map(|ready| (ready.name().clone(), left_of(&view, ready))).collect()
}

/// What is asked beside the questions of every hub job: how the runs stand that were found of jobs that died, and
/// whether those jobs are at work that would start what waits.
#[must_use]
pub fn questions(known: &Known, request: &Request, now: DateTime<Utc>) -> Vec<Step> {
    let view = View::new(known, request, now);
    let found = request.targets.iter().filter_map(|ready| {
        let (run, _) = found_run(known, ready.name())?;
        let (target, repository) = (ready.name().clone(), ready.target.repository.clone());
        Some(Step::LookAtRun(RunOf { target, repository, run: *run }))
    });
    let names = request.targets.iter().map(Ready::name);
    let jobs: BTreeSet<&Writer> =
        names.flat_map(|name| waiting_jobs(&view, name)).map(|(by, _)| by).collect();
    let is_unknown =
        |job: &&Writer| view.settled_liveness(job).is_none() && !known.round.jobs.contains_key(*job);
    let jobs = jobs.into_iter().filter(is_unknown).cloned();
    found.chain(jobs.map(Step::AskHubRun)).collect()
}

/// The targets about which records of this hub settle who starts them, or that nobody does.
#[must_use]
pub fn settled(claims: Claims<'_>) -> BTreeSet<TargetName> {
    let entries = claims.own().flat_map(|(_, claim)| &claim.targets);
    entries.filter(|start| start.state.is_settled()).map(|start| start.target.clone()).collect()
}

/// Records what earlier tickets have released, before anything is claimed.
pub(super) fn take_over(view: &View<'_>) -> Vec<Step> {
    if view.known.inherited.is_empty() {
        return Vec::new();
    }
    let settled = settled(view.claims());
    let entries = view.known.inherited.iter().filter(|start| !settled.contains(&start.target));
    let entries: Vec<Start> = entries.cloned().collect();
    let outputs: usize = entries.iter().map(|start| text::length(&marker::json(&start.outputs))).sum();
    let size = if outputs > ROOM_FOR_OUTPUTS { 1 } else { TARGETS_PER_RECORD };
    let records = entries.chunks(size).zip(view.last_seq() + 1..);
    let records = records.map(|(chunk, seq)| view.record(seq, chunk.to_vec(), Vec::new()));
    kept_once(records).map(|record| view.write(None, record)).collect()
}

fn left_of(view: &View<'_>, ready: &Ready) -> Left {
    let left = left_by_claims(view, ready);
    if left != Left::Nothing {
        return left;
    }
    let mut jobs = waiting_jobs(view, ready.name());
    match jobs.find(|(by, _)| view.liveness(by) == Liveness::Alive) {
        Some((by, url)) => {
            let what = format!(
                "a hub job of {}, which is closed, is still at work, and starts {} when it may: {url}",
                view.issue,
                ready.name()
            );
            busy(at_work(view, what), view.known.round.jobs.get(by) == Some(&Liveness::Alive))
        }
        None => left,
    }
}

/// The hub jobs that have said that the target waits, or that they leave it to another one, with their runs in the
/// browser.
fn waiting_jobs<'v>(view: &'v View<'_>, name: &'v TargetName) -> impl Iterator<Item = (&'v Writer, &'v str)> {
    let waits = |start: &Start| start.state == StartState::Waiting || start.state == StartState::Yielded;
    let claims = view.claims().own();
    let claims = claims
        .filter(move |(_, claim)| claim.targets.iter().any(|start| start.target == *name && waits(start)));
    claims.map(|(_, claim)| (&claim.by, claim.run_url.as_str()))
}

fn left_by_claims(view: &View<'_>, ready: &Ready) -> Left {
    let name = ready.name();
    let target = view.ticket.targets.get(name);
    if let Some(target) = target.filter(|target| target.status.is_released()) {
        return Left::Released(Box::new(taken_over(view, ready, target)));
    }
    // What came up to a failed run is history.
    let counting = Counting { after: view.failed_start(name), ..Counting::default() };
    match claim::standing(view.claims(), name, counting, |job| view.liveness(job)) {
        Standing::Free | Standing::Started { .. } => by_status(view, ready, target),
        Standing::Uncertain(claims) => uncertain(view, ready, target, &claims),
        Standing::Held { by, claim } => {
            let url = run_url_of(view, claim).unwrap_or_else(|| format!("run {}", by.run));
            let what = format!(
                "a hub job of {}, which is closed, has claimed {name} and is still at work: {url}",
                view.issue
            );
            busy(at_work(view, what), true)
        }
        Standing::Locked { by } => unclear(view, ready, &Reason::Locked { by }),
        Standing::Unreadable(comment) => unclear(view, ready, &Reason::Unreadable { comment }),
        Standing::ClaimedByOthers(claims) => claimed_by_others(view, ready, target, &claims),
    }
}

/// The entry of a record that says that the earlier ticket has released the target.
fn taken_over(view: &View<'_>, ready: &Ready, target: &Target) -> Start {
    let ticket = match target.because.as_ref().and_then(Word::known) {
        Some(Reason::TakenOver { ticket, .. }) => ticket.clone(),
        _ => view.issue.to_string(),
    };
    let because = Reason::TakenOver { ticket, status: target.status };
    let run_url = target.run.as_ref().and_then(|run| run.url.as_deref()).or(target.earlier_run());
    let run_url = run_url.map(str::to_owned);
    let outputs = target.outputs.clone().into_iter().collect();
    Start { run_url, outputs, ..ready.entry(StartState::TakenOver, Some(because), view.now) }
}

fn by_status(view: &View<'_>, ready: &Ready, target: Option<&Target>) -> Left {
    let Some(target) = target else { return Left::Nothing };
    let goes_on = target.followed.as_ref().is_some_and(|run| !run.has_ended());
    match target.status {
        _ if target.has_lost_its_run() => unfinished(view, ready, target),
        TargetStatus::Verifying => unverified(view, ready, target),
        TargetStatus::Failed if target.failed_check().is_some() => unverified(view, ready, target),
        TargetStatus::Failed | TargetStatus::Cancelled if !goes_on => Left::Nothing,
        TargetStatus::Waiting | TargetStatus::OnHold => Left::Nothing,
        TargetStatus::Held => {
            let run_url = target.run.as_ref().and_then(|run| run.url.clone());
            let unreadable = view.ticket.unreadable.first();
            let unreadable = unreadable.map(|comment| Reason::Unreadable { comment: *comment });
            unclear(view, ready, &unreadable.unwrap_or(Reason::Started { run_url, status: None }))
        }
        _ => unfinished(view, ready, target),
    }
}

/// A run that ended well, and what it has made is not verified.
fn unverified(view: &View<'_>, ready: &Ready, target: &Target) -> Left {
    let url = target.run.as_ref().and_then(|run| run.url.as_deref()).unwrap_or_default();
    let what = format!(
        "{} of {}, which is closed, ended well, and what it made is not verified: {url}",
        ready.name(),
        view.issue
    );
    let help = "reopen that ticket and dispatch there, which verifies it; or release it again with `release-again: true`";
    busy(Problem::new(what).help(help), false)
}

/// A run that has not ended, or nobody can say how, as far as is known.
fn unfinished(view: &View<'_>, ready: &Ready, target: &Target) -> Left {
    let (name, closed) = (ready.name(), &view.issue);
    let url = target.run.as_ref().and_then(|run| run.url.as_deref());
    if let Some(run) = view.known.runs.get(name).filter(|run| !run.has_ended()) {
        let what = format!("{name} of {closed}, which is closed, still runs: {}", run.run_url);
        return busy(at_work(view, what), true);
    }
    let what = match url {
        Some(url) if target.has_lost_its_run() => format!(
            "{closed}, which is closed, has started {name}, and its run was deleted, so GitHub does not say how it \
             ended: {url}"
        ),
        Some(url) => format!(
            "{closed}, which is closed, has started {name}, and GitHub does not show whether it has ended: {url}"
        ),
        None => format!(
            "{closed}, which is closed, has started {name} by an event, and nothing says that it has ended"
        ),
    };
    busy(Problem::new(what).help(look_yourself(view, ready)), false)
}

/// A target that may have been started by jobs that recorded no run.
fn uncertain(view: &View<'_>, ready: &Ready, target: Option<&Target>, claims: &[CommentId]) -> Left {
    let name = ready.name();
    if is_shown(view, name) {
        return by_status(view, ready, target);
    }
    if let Some((_, url)) = found_run(view.known, name) {
        let what = format!("{name} of {}, which is closed, may still run: {url}", view.issue);
        return busy(at_work(view, what), false);
    }
    let attempt = view.known.starts.get(name);
    let settled = attempt.and_then(Attempt::outcome).and_then(|outcome| outcome.because.clone());
    let entry = unknown_entry(view, name, claims);
    let recorded = entry.and_then(|start| start.because.as_ref()).and_then(Word::known).cloned();
    let is_absent =
        matches!(attempt.map(|attempt| &attempt.phase), Some(Phase::Cleared | Phase::Listing { .. }));
    if is_absent && entry.is_none() {
        return if was_written_before(view, claims) { Left::Nothing } else { claimed_just_now(view, name) };
    }
    let because = settled.or(recorded).unwrap_or_else(|| Reason::Unclear {
        error: "a hub job has claimed it, and ended without saying whether it has started it".to_owned(),
        runs: Vec::new(),
        help: None,
    });
    unclear(view, ready, &because)
}

fn claimed_just_now(view: &View<'_>, name: &TargetName) -> Left {
    let what = format!(
        "{}, which is closed, may have started {name}: a hub job has claimed it a moment ago, and ended without \
         saying whether it has started it",
        view.issue
    );
    busy(Problem::new(what).help("GitHub may list the run later: dispatch again in two minutes"), false)
}

/// A target that only another account has claimed: GitHub says whether it was started by the ticket.
fn claimed_by_others(view: &View<'_>, ready: &Ready, target: Option<&Target>, claims: &[CommentId]) -> Left {
    // Its run's name holds the ticket.
    if is_shown(view, ready.name()) {
        return by_status(view, ready, target);
    }
    let phase = view.known.starts.get(ready.name()).map(|attempt| &attempt.phase);
    match phase {
        // GitHub shows no run that it could have started.
        Some(Phase::Cleared) => Left::Nothing,
        _ => busy(written_by_others(view, ready, claims), false),
    }
}

/// The entry of these claims that says that nobody can tell whether the target runs.
fn unknown_entry<'v>(view: &'v View<'_>, name: &TargetName, claims: &[CommentId]) -> Option<&'v Start> {
    let counting = view.claims().own().filter(|(comment, _)| claims.contains(&comment.id));
    let mut entries = counting.flat_map(|(_, claim)| &claim.targets);
    entries.find(|start| start.target == *name && start.state == StartState::Unknown)
}

/// Whether GitHub would list by now what these claims have started.
fn was_written_before(view: &View<'_>, claims: &[CommentId]) -> bool {
    let mut records = view.claims().own().filter(|(comment, _)| claims.contains(&comment.id));
    records.all(|(comment, _)| comment.updated_at + LISTED_WITHIN <= view.now)
}

/// The run that was found of a job that died.
fn found_run<'k>(known: &'k Known, name: &TargetName) -> Option<&'k (RunId, String)> {
    known.starts.get(name)?.outcome()?.run.as_ref()
}

/// Whether GitHub has shown how that run stands.
fn is_shown(view: &View<'_>, name: &TargetName) -> bool {
    let shown = view.known.runs.get(name).map(|shown| shown.run);
    found_run(view.known, name).is_some_and(|(run, _)| shown == Some(*run))
}

fn run_url_of(view: &View<'_>, claim: CommentId) -> Option<String> {
    let mut claims = view.known.log.dispatches();
    claims.find(|(comment, _)| comment.id == claim).map(|(_, claim)| claim.run_url.clone())
}

fn written_by_others(view: &View<'_>, ready: &Ready, claims: &[CommentId]) -> Problem {
    let mut dispatches = view.known.log.dispatches();
    let author = dispatches
        .find(|(comment, _)| claims.contains(&comment.id))
        .and_then(|(comment, _)| comment.author.as_deref());
    let author = author.unwrap_or("an account that is gone");
    let what = format!(
        "{author} has claimed {} on {}, which is closed, and this step writes as another account: whether it was \
         started is not known",
        ready.name(),
        view.issue
    );
    Problem::new(what).help(format!("{}; or use a token of that account", look_yourself(view, ready)))
}

fn at_work(view: &View<'_>, what: String) -> Problem {
    Problem::new(what).help(format!("wait until it has ended, cancel it, or reopen {}", view.issue))
}

fn unclear(view: &View<'_>, ready: &Ready, because: &Reason) -> Left {
    let (name, closed) = (ready.name(), &view.issue);
    let what = format!("{closed}, which is closed, may have started {name}: {}", because.plain());
    busy(Problem::new(what).help(look_yourself(view, ready)), false)
}

fn look_yourself(view: &View<'_>, ready: &Ready) -> String {
    format!(
        "look at the runs of {}; then reopen {} and dispatch again, or set `release-again: true` to start everything \
         again",
        ready.target.repository, view.issue
    )
}

fn busy(problem: Problem, is_at_work: bool) -> Left {
    Left::Busy(Box::new(Busy { problem, is_at_work }))
}

#[cfg(test)]
mod tests {
    use crate::engine::step::Step;
    use crate::engine::testing::{Says, Story, dispatch, target};
    use crate::engine::{Retry, forecast, next};
    use crate::names::IssueNumber;
    use crate::plan::NewIssue;
    use crate::ticket::{Dispatch, Key};

    use super::*;

    /// What the ticket of a story leaves of web: asks as long as only questions come next, and then for what died.
    fn left_of_web(mut story: Story) -> Left {
        story.request.retry = Retry::Failed;
        loop {
            let steps = next(&story.known, &story.request, story.now);
            if steps.is_empty() || !steps.iter().all(Step::is_question) {
                break;
            }
            story.perform(&steps);
        }
        let searches = crate::engine::searches(&story.known, &story.request, story.now);
        story.perform(&searches);
        let questions = questions(&story.known, &story.request, story.now);
        story.perform(&questions);
        left(&story.known, &story.request, story.now).remove("web").expect("the target")
    }

    fn after(state: StartState) -> Story {
        Story::of([target("web")]).after(dispatch(50, [("web", state)]))
    }

    fn busy_as(left: Left) -> (String, bool) {
        match left {
            Left::Busy(busy) => (busy.problem.what, busy.is_at_work),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_released_target_is_left_with_its_run_and_without_its_id() {
        let mut record = dispatch(50, [("web", StartState::Started)]);
        record.targets[0].run_url = Some("runs/51".to_owned());
        let Left::Released(start) = left_of_web(Story::of([target("web")]).after(record)) else {
            panic!("it is released");
        };
        assert_eq!((start.state.clone(), start.run), (StartState::TakenOver.into(), None));
        assert_eq!(start.run_url.as_deref(), Some("runs/51"));
        let because = Reason::TakenOver { ticket: "acme/hub#1".to_owned(), status: TargetStatus::Released };
        assert_eq!(start.because, Some(because.into()));
        // The next ticket says by which one it was released.
        let chained = dispatch(60, []);
        let taken_over = Start { because: Some(because_of("acme/hub#7").into()), ..*start };
        let chained = Dispatch { targets: vec![taken_over], ..chained };
        let Left::Released(start) = left_of_web(Story::of([target("web")]).after(chained)) else {
            panic!("it is released");
        };
        assert_eq!(start.because, Some(because_of("acme/hub#7").into()));
        assert_eq!(start.run_url.as_deref(), Some("runs/51"));
    }

    fn because_of(ticket: &str) -> Reason {
        Reason::TakenOver { ticket: ticket.to_owned(), status: TargetStatus::Released }
    }

    #[test]
    fn what_was_never_started_or_has_ended_badly_is_free() {
        assert_eq!(left_of_web(Story::of([target("web")])), Left::Nothing);
        for state in [StartState::Waiting, StartState::Yielded, StartState::Refused] {
            assert_eq!(left_of_web(after(state)), Left::Nothing, "{state:?}");
        }
        assert_eq!(
            left_of_web(after(StartState::Started).always("look at web", Says::Failed)),
            Left::Nothing
        );
    }

    #[test]
    fn what_is_at_work_or_may_be_is_not_free() {
        let goes_on = after(StartState::Started).always("look at web", Says::GoesOn);
        let what = "web of acme/hub#1, which is closed, still runs: runs/51";
        assert_eq!(busy_as(left_of_web(goes_on)), (what.to_owned(), true));
        let unseen = after(StartState::Started).always("look at web", Says::Nothing);
        assert!(!busy_as(left_of_web(unseen)).1);
        let claimed = after(StartState::Claimed).always("ask for hub run 50", Says::AtWork);
        let (what, is_at_work) = busy_as(left_of_web(claimed));
        assert!(is_at_work && what.ends_with("is still at work: runs/50"), "{what}");
        let unknown = after(StartState::Unknown);
        assert!(busy_as(left_of_web(unknown)).0.contains("may have started web"));
        for state in [StartState::Waiting, StartState::Yielded] {
            let waits = after(state).always("ask for hub run 50", Says::AtWork);
            let (what, is_at_work) = busy_as(left_of_web(waits));
            assert!(is_at_work && what.ends_with("starts web when it may: runs/50"), "{what}");
        }
        let unknown = after(StartState::Waiting).always("ask for hub run 50", Says::NotForYou);
        assert!(!busy_as(left_of_web(unknown)).1);
        // A job that has retried it and works still.
        let retried = after(StartState::Started).after(dispatch(60, [("web", StartState::Claimed)]));
        let retried = retried.always("look at web", Says::Failed).always("ask for hub run 60", Says::AtWork);
        assert!(busy_as(left_of_web(retried)).1);
    }

    #[test]
    fn the_run_of_a_job_that_died_decides_if_it_is_found() {
        let found = || after(StartState::Claimed).when("find web", [Says::Lists(&[60])]);
        assert!(matches!(left_of_web(found()), Left::Released(_)));
        assert_eq!(left_of_web(found().always("look at web", Says::Failed)), Left::Nothing);
        assert!(busy_as(left_of_web(found().always("look at web", Says::GoesOn))).1);
        assert!(!busy_as(left_of_web(found().always("look at web", Says::Nothing))).1);
        let several = after(StartState::Claimed).when("find web", [Says::Lists(&[60, 61])]);
        assert!(busy_as(left_of_web(several)).0.contains("may have started web"));
        let refused = after(StartState::Claimed).when("find web", [Says::Refused]);
        assert!(busy_as(left_of_web(refused)).0.contains("may have started web"));
    }

    #[test]
    fn a_job_that_died_without_a_start_leaves_a_target_free_when_a_list_would_show_the_run() {
        let (what, _) = busy_as(left_of_web(after(StartState::Claimed)));
        assert!(what.contains("has claimed it a moment ago"), "{what}");
        let mut story = after(StartState::Claimed);
        story.now += LISTED_WITHIN;
        assert_eq!(left_of_web(story), Left::Nothing);
    }

    fn taking_over() -> Story {
        let mut story = Story::of([target("web"), target("api"), target("docs").needing(["web"])]);
        story.known.ticket = crate::engine::TicketIs::New(Box::new(NewIssue {
            repository: "acme/hub".parse().expect("a name"),
            title: "Release 1.4.0".to_owned(),
            body: Key::Release("1.4.0".into()).ticket_body("", Some(IssueNumber(7))),
            labels: Vec::new(),
            assignee: None,
            key: Key::Release("1.4.0".into()),
        }));
        let web = target("web").entry(StartState::TakenOver, Some(because_of("acme/hub#7")), story.now);
        story.known = story.known.taking_over(vec![web]);
        story
    }

    #[test]
    fn what_is_taken_over_is_recorded_before_anything_is_claimed_and_never_started() {
        let mut story = taking_over();
        assert_eq!(
            story.run(),
            [
                "open a ticket",
                "comment: web taken over",
                "read | board",
                "leave web alone: acme/hub#7 has released it",
                "comment: api and docs claimed",
                "read | board",
                "start api | start docs",
                "edit comment 2: api and docs started",
                "board"
            ]
        );
        assert!(story.problems().is_empty());
    }

    #[test]
    fn what_the_ticket_knows_already_is_not_recorded_again() {
        for state in [StartState::TakenOver, StartState::Started, StartState::Claimed] {
            let mut story = taking_over();
            story.known.ticket = Story::of([]).known.ticket;
            let mut story = story.after(dispatch(50, [("web", state)]));
            let lines = story.run();
            assert!(!lines.contains(&"comment: web taken over".to_owned()), "{state:?} {lines:#?}");
        }
    }

    #[test]
    fn a_claim_that_came_before_it_is_given_up() {
        // Another job, which has found the earlier ticket otherwise, says so after this one's claim.
        let mut story = Story::of([target("web")]);
        story.run_until("board");
        let web = target("web").entry(StartState::TakenOver, Some(because_of("acme/hub#7")), story.now);
        let mut story = story.after(Dispatch { targets: vec![web], ..dispatch(50, []) });
        let lines = story.run();
        assert!(lines.contains(&"edit comment 1: web left to another job".to_owned()), "{lines:#?}");
        assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
    }

    #[test]
    fn a_forecast_shows_what_is_taken_over() {
        let story = taking_over();
        let plan = forecast(story.known.clone(), &story.request, story.now).to_string();
        assert!(plan.contains("comment on acme/hub#0: web taken over\n"), "{plan}");
        assert!(!plan.contains("start web"), "{plan}");
    }
}
