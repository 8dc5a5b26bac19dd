//! An earlier ticket of the same release, which somebody closed before its end, and its remainder for the new ticket.
//!
//! The new ticket takes over the released targets: a record of it says so, and they are not started again. A target
//! that the earlier ticket may have started, and that may still be at work, is not started either.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::facts::{Facts, OwnStart, StartPhase};
use super::ready::ReadyTarget;
use super::remembering::keep_once;
use super::request::Request;
use super::step::{Step, TargetRun};
use super::view::{TARGETS_PER_RECORD, View};
use crate::names::{CommentId, RunId, TargetName};
use crate::problem::{Problem, Topic};
use crate::ticket::claim::{self, Claims, Counting, Liveness, Standing};
use crate::ticket::{Reason, Start, StartState, Target, TargetStatus, Word, Writer, marker, text};

/// The time after the last edit of a claim in which GitHub lists the claim's run, if it was started at all.
const LIST_LAG: TimeDelta = TimeDelta::seconds(120);

/// The room for outputs in a record, in characters of its marker. If they need more, each target gets its own record.
const ROOM_FOR_OUTPUTS: usize = 20_000;

/// The part of an earlier ticket's work on a target that is left for the new ticket.
#[derive(Debug, Clone, PartialEq)]
pub enum Remainder {
    /// The target is free: it is not released there, and nothing of it is at work.
    Nothing,
    /// The target is released there. This entry for a record of the new ticket says so.
    Released(Box<Start>),
    /// The target must not be started.
    Busy(Box<Conflict>),
}

/// The reason against starting a target that an earlier ticket may have started.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// The problem, for a dispatch that would start the target.
    pub problem: Problem,
    /// Whether the target is at work for certain.
    pub is_at_work: bool,
}

/// The remainders of all targets of the request, by the facts about the earlier ticket.
#[must_use]
pub fn remainders(facts: &Facts, request: &Request, now: DateTime<Utc>) -> BTreeMap<TargetName, Remainder> {
    let view = View::new(facts, request, now);
    request.targets.iter().map(|ready| (ready.name().clone(), remainder(&view, ready))).collect()
}

/// More questions: the state of runs that a search found for dead jobs, and whether jobs with waiting targets are alive.
#[must_use]
pub fn questions(facts: &Facts, request: &Request, now: DateTime<Utc>) -> Vec<Step> {
    let view = View::new(facts, request, now);
    let runs = request.targets.iter().filter_map(|ready| {
        let (run, _) = found_run(facts, ready.name())?;
        let (target, repository) = (ready.name().clone(), ready.target.repository.clone());
        Some(Step::LookAtRun(TargetRun { target, repository, run: *run }))
    });
    let names = request.targets.iter().map(ReadyTarget::name);
    let jobs: BTreeSet<&Writer> =
        names.flat_map(|name| waiting_jobs(&view, name)).map(|(by, _)| by).collect();
    let is_unknown =
        |job: &&Writer| view.settled_liveness(job).is_none() && !facts.round.jobs.contains_key(*job);
    let jobs = jobs.into_iter().filter(is_unknown).cloned();
    runs.chain(jobs.map(Step::AskHubRun)).collect()
}

/// The targets with a record of this hub that settles their start: another dispatch must not start them.
#[must_use]
pub fn settled_targets(claims: Claims<'_>) -> BTreeSet<TargetName> {
    let entries = claims.own().flat_map(|(_, claim)| &claim.targets);
    entries.filter(|start| start.state.is_settled()).map(|start| start.target.clone()).collect()
}

/// Records the targets that earlier tickets have released, before the first claim.
pub(super) fn take_over(view: &View<'_>) -> Vec<Step> {
    if view.facts.inheritance.is_empty() {
        return Vec::new();
    }
    let settled_names = settled_targets(view.claims());
    let entries = view.facts.inheritance.iter().filter(|start| !settled_names.contains(&start.target));
    let entries: Vec<Start> = entries.cloned().collect();
    let outputs: usize = entries.iter().map(|start| text::length(&marker::json(&start.outputs))).sum();
    let size = if outputs > ROOM_FOR_OUTPUTS { 1 } else { TARGETS_PER_RECORD };
    let records = entries.chunks(size).zip(view.last_seq() + 1..);
    let records = records.map(|(chunk, seq)| view.record(seq, chunk.to_vec(), Vec::new()));
    keep_once(records).map(|record| view.write(None, record)).collect()
}

fn remainder(view: &View<'_>, ready: &ReadyTarget) -> Remainder {
    let remainder = remainder_by_claims(view, ready);
    if remainder != Remainder::Nothing {
        return remainder;
    }
    let mut jobs = waiting_jobs(view, ready.name());
    match jobs.find(|(by, _)| view.liveness(by) == Liveness::Alive) {
        Some((by, url)) => {
            let what = format!(
                "a hub job of the closed ticket {} is still at work and may start {}: {url}",
                view.issue,
                ready.name()
            );
            conflict(wait_problem(view, what), view.facts.round.jobs.get(by) == Some(&Liveness::Alive))
        }
        None => remainder,
    }
}

/// The hub jobs whose records say that the target waits, or that they leave it to another job, with their runs in the
/// browser.
fn waiting_jobs<'v>(view: &'v View<'_>, name: &'v TargetName) -> impl Iterator<Item = (&'v Writer, &'v str)> {
    let waits = |start: &Start| start.state == StartState::Waiting || start.state == StartState::Yielded;
    let claims = view.claims().own();
    let claims = claims
        .filter(move |(_, claim)| claim.targets.iter().any(|start| start.target == *name && waits(start)));
    claims.map(|(_, claim)| (&claim.by, claim.run_url.as_str()))
}

fn remainder_by_claims(view: &View<'_>, ready: &ReadyTarget) -> Remainder {
    let name = ready.name();
    let target = view.ticket.targets.get(name);
    if let Some(target) = target.filter(|target| target.status.is_released()) {
        return Remainder::Released(Box::new(takeover_entry(view, ready, target)));
    }
    // Claims up to that of a failed run no longer count.
    let counting = Counting { after: view.claim_to_retry(name), ..Counting::default() };
    match claim::standing(view.claims(), name, counting, |job| view.liveness(job)) {
        Standing::Free | Standing::Started { .. } => by_status(view, ready, target),
        Standing::Uncertain(claims) => remainder_of_unclear_start(view, ready, target, &claims),
        Standing::ClaimedFirst { by, claim } => {
            let url = run_url_of(view, claim).unwrap_or_else(|| format!("run {}", by.run));
            let what = format!(
                "a hub job of the closed ticket {} has claimed {name} and is still at work: {url}",
                view.issue
            );
            conflict(wait_problem(view, what), true)
        }
        Standing::Locked { by } => unclear_conflict(view, ready, &Reason::Locked { by }),
        Standing::Unreadable(comment) => unclear_conflict(view, ready, &Reason::Unreadable { comment }),
        Standing::ClaimedByOthers(claims) => remainder_of_foreign_claim(view, ready, target, &claims),
    }
}

/// The entry that says that the earlier ticket has released the target.
fn takeover_entry(view: &View<'_>, ready: &ReadyTarget, target: &Target) -> Start {
    let ticket = match target.reason.as_ref().and_then(Word::as_known) {
        Some(Reason::TakenOver { ticket, .. }) => ticket.clone(),
        _ => view.issue.to_string(),
    };
    let reason = Reason::TakenOver { ticket, status: target.status };
    let run_url = target.run.as_ref().and_then(|run| run.url.as_deref()).or(target.earlier_run());
    let run_url = run_url.map(str::to_owned);
    let outputs = target.outputs.clone().into_iter().collect();
    Start { run_url, outputs, ..ready.entry(StartState::TakenOver, Some(reason), view.now) }
}

fn by_status(view: &View<'_>, ready: &ReadyTarget, target: Option<&Target>) -> Remainder {
    let Some(target) = target else { return Remainder::Nothing };
    let goes_on = target.followed_run.as_ref().is_some_and(|run| !run.has_ended());
    match target.status {
        _ if target.has_lost_its_run() => run_conflict(view, ready, target),
        TargetStatus::Verifying => verification_conflict(view, ready, target),
        TargetStatus::Failed if target.failed_check().is_some() => verification_conflict(view, ready, target),
        TargetStatus::Failed | TargetStatus::Cancelled if !goes_on => Remainder::Nothing,
        TargetStatus::Waiting | TargetStatus::OnHold => Remainder::Nothing,
        TargetStatus::Held => {
            let run_url = target.run.as_ref().and_then(|run| run.url.clone());
            let comment = view.ticket.unreadable_comments.first();
            let reason = comment.map(|comment| Reason::Unreadable { comment: *comment });
            unclear_conflict(view, ready, &reason.unwrap_or(Reason::Started { run_url, status: None }))
        }
        _ => run_conflict(view, ready, target),
    }
}

/// A target whose run succeeded, and whose products are not verified.
fn verification_conflict(view: &View<'_>, ready: &ReadyTarget, target: &Target) -> Remainder {
    let url = target.run.as_ref().and_then(|run| run.url.as_deref()).unwrap_or_default();
    let (name, ticket) = (ready.name(), &view.issue);
    let what = format!(
        "the run of {name} for the closed ticket {ticket} succeeded, but {name} is not verified: {url}"
    );
    let help = "reopen that ticket and dispatch there, which verifies it; or release it again with `release-again: true`";
    conflict(Problem::new(what).help(Topic::ClosedTicket, help), false)
}

/// A target whose run has not ended, or has no known end.
fn run_conflict(view: &View<'_>, ready: &ReadyTarget, target: &Target) -> Remainder {
    let (name, ticket) = (ready.name(), &view.issue);
    let url = target.run.as_ref().and_then(|run| run.url.as_deref());
    if let Some(run) = view.facts.runs.get(name).filter(|run| !run.has_ended()) {
        let what = format!("{name} is still running for the closed ticket {ticket}: {}", run.run_url);
        return conflict(wait_problem(view, what), true);
    }
    let what = match url {
        Some(url) if target.has_lost_its_run() => format!(
            "the closed ticket {ticket} has started {name}, but its run was deleted, so GitHub does not say how it \
             ended: {url}"
        ),
        Some(url) => format!(
            "the closed ticket {ticket} has started {name}, but GitHub does not show whether it has ended: {url}"
        ),
        None => format!(
            "the closed ticket {ticket} has started {name} by an event, but no report says that it has ended"
        ),
    };
    conflict(Problem::new(what).help(Topic::ClosedTicket, inspection_help(view, ready)), false)
}

/// A target that jobs without a record of a run may have started.
fn remainder_of_unclear_start(
    view: &View<'_>,
    ready: &ReadyTarget,
    target: Option<&Target>,
    claims: &[CommentId],
) -> Remainder {
    let name = ready.name();
    if is_shown(view, name) {
        return by_status(view, ready, target);
    }
    if let Some((_, url)) = found_run(view.facts, name) {
        let ticket = &view.issue;
        let what = format!("the closed ticket {ticket} has a run of {name} that may not have ended: {url}");
        return conflict(wait_problem(view, what), false);
    }
    let own_start = view.facts.starts.get(name);
    let outcome_reason = own_start.and_then(OwnStart::outcome).and_then(|outcome| outcome.reason.clone());
    let entry = unknown_entry(view, name, claims);
    let recorded_reason = entry.and_then(|start| start.reason.as_ref()).and_then(Word::as_known).cloned();
    let is_absent = matches!(
        own_start.map(|own_start| &own_start.phase),
        Some(StartPhase::Cleared | StartPhase::Listing { .. })
    );
    if is_absent && entry.is_none() {
        return if are_old(view, claims) { Remainder::Nothing } else { recent_claim_conflict(view, name) };
    }
    let reason = outcome_reason.or(recorded_reason).unwrap_or_else(|| Reason::Unclear {
        error: "a hub job claimed it, and ended without a record of its start".to_owned(),
        runs: Vec::new(),
        help: None,
    });
    unclear_conflict(view, ready, &reason)
}

fn recent_claim_conflict(view: &View<'_>, name: &TargetName) -> Remainder {
    let what = format!(
        "the closed ticket {} may have started {name}: a hub job claimed it a moment ago, and ended without a record \
         of its start",
        view.issue
    );
    let help = "GitHub may list the run later: dispatch again in two minutes";
    conflict(Problem::new(what).help(Topic::ClosedTicket, help), false)
}

/// A target that only another account has claimed: a run with the ticket in its name shows a start.
fn remainder_of_foreign_claim(
    view: &View<'_>,
    ready: &ReadyTarget,
    target: Option<&Target>,
    claims: &[CommentId],
) -> Remainder {
    if is_shown(view, ready.name()) {
        return by_status(view, ready, target);
    }
    let phase = view.facts.starts.get(ready.name()).map(|own_start| &own_start.phase);
    match phase {
        // GitHub shows no run of that claim.
        Some(StartPhase::Cleared) => Remainder::Nothing,
        _ => conflict(foreign_claim_problem(view, ready, claims), false),
    }
}

/// The entry of these claims that says that the start of the target is unclear.
fn unknown_entry<'v>(view: &'v View<'_>, name: &TargetName, claims: &[CommentId]) -> Option<&'v Start> {
    let counting = view.claims().own().filter(|(comment, _)| claims.contains(&comment.id));
    let mut entries = counting.flat_map(|(_, claim)| &claim.targets);
    entries.find(|start| start.target == *name && start.state == StartState::Unknown)
}

/// Whether GitHub would list the runs of these claims now.
fn are_old(view: &View<'_>, claims: &[CommentId]) -> bool {
    let mut records = view.claims().own().filter(|(comment, _)| claims.contains(&comment.id));
    records.all(|(comment, _)| comment.updated_at + LIST_LAG <= view.now)
}

/// The run that a search has found for a job that died.
fn found_run<'k>(facts: &'k Facts, name: &TargetName) -> Option<&'k (RunId, String)> {
    facts.starts.get(name)?.outcome()?.run.as_ref()
}

/// Whether GitHub has shown the state of that run.
fn is_shown(view: &View<'_>, name: &TargetName) -> bool {
    let visible_run = view.facts.runs.get(name).map(|visible_run| visible_run.run);
    found_run(view.facts, name).is_some_and(|(run, _)| visible_run == Some(*run))
}

fn run_url_of(view: &View<'_>, claim: CommentId) -> Option<String> {
    let mut claims = view.facts.log.dispatches();
    claims.find(|(comment, _)| comment.id == claim).map(|(_, claim)| claim.run_url.clone())
}

fn foreign_claim_problem(view: &View<'_>, ready: &ReadyTarget, claims: &[CommentId]) -> Problem {
    let mut dispatches = view.facts.log.dispatches();
    let author = dispatches
        .find(|(comment, _)| claims.contains(&comment.id))
        .and_then(|(comment, _)| comment.author.as_deref());
    let author = author.unwrap_or("an account that is gone");
    let what = format!(
        "{author} has claimed {} on the closed ticket {}: this step writes as another account, and cannot see whether \
         it was started",
        ready.name(),
        view.issue
    );
    let help = format!("{}; or use a token of that account", inspection_help(view, ready));
    Problem::new(what).help(Topic::ClosedTicket, help)
}

fn wait_problem(view: &View<'_>, what: String) -> Problem {
    let help = format!("wait until it has ended, cancel it, or reopen {}", view.issue);
    Problem::new(what).help(Topic::ClosedTicket, help)
}

fn unclear_conflict(view: &View<'_>, ready: &ReadyTarget, reason: &Reason) -> Remainder {
    let (name, ticket) = (ready.name(), &view.issue);
    let what = format!("the closed ticket {ticket} may have started {name}: {}", reason.plain());
    conflict(Problem::new(what).help(Topic::ClosedTicket, inspection_help(view, ready)), false)
}

fn inspection_help(view: &View<'_>, ready: &ReadyTarget) -> String {
    format!(
        "look at the runs of {}; then reopen {} and dispatch again, or set `release-again: true` to start everything \
         again",
        ready.target.repository, view.issue
    )
}

fn conflict(problem: Problem, is_at_work: bool) -> Remainder {
    Remainder::Busy(Box::new(Conflict { problem, is_at_work }))
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

    /// The remainder of web in a story: performs the first questions, and then those about jobs that died.
    fn remainder_of_web(mut story: Story) -> Remainder {
        story.request.retry = Retry::Failed;
        loop {
            let steps = next(&story.facts, &story.request, story.now);
            if steps.is_empty() || !steps.iter().all(Step::is_question) {
                break;
            }
            story.perform(&steps);
        }
        let searches = crate::engine::searches(&story.facts, &story.request, story.now);
        story.perform(&searches);
        let questions = questions(&story.facts, &story.request, story.now);
        story.perform(&questions);
        remainders(&story.facts, &story.request, story.now).remove("web").expect("the target")
    }

    fn after(state: StartState) -> Story {
        Story::of([target("web")]).after(dispatch(50, [("web", state)]))
    }

    fn conflict_of(remainder: Remainder) -> (String, bool) {
        match remainder {
            Remainder::Busy(busy) => (busy.problem.what, busy.is_at_work),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_released_target_is_left_with_its_run_and_without_its_id() {
        let mut record = dispatch(50, [("web", StartState::Started)]);
        record.targets[0].run_url = Some("runs/51".to_owned());
        let Remainder::Released(start) = remainder_of_web(Story::of([target("web")]).after(record)) else {
            panic!("it is released");
        };
        assert_eq!((start.state.clone(), start.run), (StartState::TakenOver.into(), None));
        assert_eq!(start.run_url.as_deref(), Some("runs/51"));
        let reason = Reason::TakenOver { ticket: "acme/hub#1".to_owned(), status: TargetStatus::Released };
        assert_eq!(start.reason, Some(reason.into()));
        // A third ticket names the one that released the target.
        let third_ticket = dispatch(60, []);
        let entry = Start { reason: Some(takeover_reason("acme/hub#7").into()), ..*start };
        let third_ticket = Dispatch { targets: vec![entry], ..third_ticket };
        let Remainder::Released(start) = remainder_of_web(Story::of([target("web")]).after(third_ticket))
        else {
            panic!("it is released");
        };
        assert_eq!(start.reason, Some(takeover_reason("acme/hub#7").into()));
        assert_eq!(start.run_url.as_deref(), Some("runs/51"));
    }

    fn takeover_reason(ticket: &str) -> Reason {
        Reason::TakenOver { ticket: ticket.to_owned(), status: TargetStatus::Released }
    }

    #[test]
    fn what_was_never_started_or_has_ended_badly_is_free() {
        assert_eq!(remainder_of_web(Story::of([target("web")])), Remainder::Nothing);
        for state in [StartState::Waiting, StartState::Yielded, StartState::Refused] {
            assert_eq!(remainder_of_web(after(state)), Remainder::Nothing, "{state:?}");
        }
        assert_eq!(
            remainder_of_web(after(StartState::Started).always("look at web", Says::Failed)),
            Remainder::Nothing
        );
    }

    #[test]
    fn what_is_at_work_or_may_be_is_not_free() {
        let goes_on = after(StartState::Started).always("look at web", Says::GoesOn);
        let what = "web is still running for the closed ticket acme/hub#1: runs/51";
        assert_eq!(conflict_of(remainder_of_web(goes_on)), (what.to_owned(), true));
        let hidden = after(StartState::Started).always("look at web", Says::Nothing);
        assert!(!conflict_of(remainder_of_web(hidden)).1);
        let claim = after(StartState::Claimed).always("ask for hub run 50", Says::AtWork);
        let (what, is_at_work) = conflict_of(remainder_of_web(claim));
        assert!(is_at_work && what.ends_with("is still at work: runs/50"), "{what}");
        let unknown = after(StartState::Unknown);
        assert!(conflict_of(remainder_of_web(unknown)).0.contains("may have started web"));
        for state in [StartState::Waiting, StartState::Yielded] {
            let waits = after(state).always("ask for hub run 50", Says::AtWork);
            let (what, is_at_work) = conflict_of(remainder_of_web(waits));
            assert!(is_at_work && what.ends_with("may start web: runs/50"), "{what}");
        }
        let unknown = after(StartState::Waiting).always("ask for hub run 50", Says::NotForYou);
        assert!(!conflict_of(remainder_of_web(unknown)).1);
        // A job that has retried the target is still at work.
        let retry = after(StartState::Started).after(dispatch(60, [("web", StartState::Claimed)]));
        let retry = retry.always("look at web", Says::Failed).always("ask for hub run 60", Says::AtWork);
        assert!(conflict_of(remainder_of_web(retry)).1);
    }

    #[test]
    fn the_run_of_a_job_that_died_decides_if_it_is_found() {
        let story_with_run = || after(StartState::Claimed).when("find web", [Says::Lists(&[60])]);
        assert!(matches!(remainder_of_web(story_with_run()), Remainder::Released(_)));
        assert_eq!(
            remainder_of_web(story_with_run().always("look at web", Says::Failed)),
            Remainder::Nothing
        );
        assert!(conflict_of(remainder_of_web(story_with_run().always("look at web", Says::GoesOn))).1);
        assert!(!conflict_of(remainder_of_web(story_with_run().always("look at web", Says::Nothing))).1);
        let several = after(StartState::Claimed).when("find web", [Says::Lists(&[60, 61])]);
        assert!(conflict_of(remainder_of_web(several)).0.contains("may have started web"));
        let refusal = after(StartState::Claimed).when("find web", [Says::Refused]);
        assert!(conflict_of(remainder_of_web(refusal)).0.contains("may have started web"));
    }

    #[test]
    fn a_job_that_died_without_a_start_leaves_a_target_free_when_a_list_would_show_the_run() {
        let (what, _) = conflict_of(remainder_of_web(after(StartState::Claimed)));
        assert!(what.contains("claimed it a moment ago"), "{what}");
        let mut story = after(StartState::Claimed);
        story.now += LIST_LAG;
        assert_eq!(remainder_of_web(story), Remainder::Nothing);
    }

    fn taking_over() -> Story {
        let mut story = Story::of([target("web"), target("api"), target("docs").needing(["web"])]);
        story.facts.ticket = crate::engine::TicketState::New(Box::new(NewIssue {
            repository: "acme/hub".parse().expect("a name"),
            title: "Release 1.4.0".to_owned(),
            body: Key::Release("1.4.0".into()).ticket_body("", Some(IssueNumber(7))),
            labels: Vec::new(),
            assignee: None,
            key: Key::Release("1.4.0".into()),
        }));
        let web = target("web").entry(StartState::TakenOver, Some(takeover_reason("acme/hub#7")), story.now);
        story.facts = story.facts.with_inheritance(vec![web]);
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
            story.facts.ticket = Story::of([]).facts.ticket;
            let mut story = story.after(dispatch(50, [("web", state)]));
            let lines = story.run();
            assert!(!lines.contains(&"comment: web taken over".to_owned()), "{state:?} {lines:#?}");
        }
    }

    #[test]
    fn a_claim_that_came_before_it_is_given_up() {
        // Another job, which has found the earlier ticket, records that after this job's claim.
        let mut story = Story::of([target("web")]);
        story.run_until("board");
        let web = target("web").entry(StartState::TakenOver, Some(takeover_reason("acme/hub#7")), story.now);
        let mut story = story.after(Dispatch { targets: vec![web], ..dispatch(50, []) });
        let lines = story.run();
        assert!(lines.contains(&"edit comment 1: web left to another job".to_owned()), "{lines:#?}");
        assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
    }

    #[test]
    fn a_forecast_shows_what_is_taken_over() {
        let story = taking_over();
        let plan = forecast(story.facts.clone(), &story.request, story.now).to_string();
        assert!(plan.contains("comment on acme/hub#0: web taken over\n"), "{plan}");
        assert!(!plan.contains("start web"), "{plan}");
    }
}
