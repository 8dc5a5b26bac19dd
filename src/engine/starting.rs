//! Starts: this job starts each target that it has claimed first, once, and records the outcome in the claim.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::board::pin;
use super::facts::{Cause, LOOKS, Lock, Outcome, OwnRecord, OwnStart, StartPhase, TicketState, later};
use super::locking::claim_by_ref;
use super::outputs;
use super::ready::ReadyTarget;
use super::request::Retry;
use super::step::{Evidence, Pause, Search, Step};
use super::verdict::Verdict;
use super::view::View;
use crate::names::{CommentId, TargetName};
use crate::plan::{Effect, EventStart, WorkflowStart};
use crate::problem::Help;
use crate::targets::StartBy;
use crate::template::TemplateError;
use crate::ticket::claim::Standing;
use crate::ticket::{Dispatch, Reason, Start, StartState, Word};

/// Records the outcomes of starts, and the targets that this job leaves to others; at the same time it starts claimed
/// targets.
pub(super) fn record_outcomes(view: &View<'_>) -> Vec<Step> {
    let mut steps = rewrite_claims(view, |own, start| {
        let ready = view.request.targets.iter().find(|ready| *ready.name() == start.target)?;
        outcome(view, own, ready, start.at)
    });
    if !steps.is_empty() {
        let is_pause = |step: &Step| matches!(step, Step::Pause { .. });
        steps.extend(start(view).into_iter().filter(|step| !is_pause(step)));
    }
    steps
}

/// The outcome of an open claim, if it is settled.
fn outcome(
    view: &View<'_>,
    own: &OwnRecord,
    ready: &ReadyTarget,
    claimed_at: DateTime<Utc>,
) -> Option<Outcome> {
    let leave = |reason| Some(Outcome::of(StartState::Yielded, reason));
    match view.facts.starts.get(ready.name()).map(|own_start| &own_start.phase) {
        Some(StartPhase::Settled(outcome)) => return Some(outcome.clone()),
        Some(StartPhase::Listing { cause: Cause::Died, .. } | StartPhase::Cleared) | None => {}
        Some(StartPhase::Sent | StartPhase::Listing { .. }) => return None,
    }
    if !view.may_have_the_lock(ready.name())
        && let Some(veto) = view.veto(ready)
    {
        return Some(Outcome::of(StartState::Waiting, veto));
    }
    match view.standing_of_claim(own, ready.name()) {
        Standing::Started { run_url, .. } => leave(Reason::Started { run_url, status: None }),
        Standing::Unreadable(comment) => leave(Reason::Unreadable { comment }),
        Standing::ClaimedFirst { claim, .. } if view.now >= patience_ends(view, claimed_at) => {
            leave(Reason::Claimed { run_url: run_url_of(view, claim) })
        }
        Standing::Locked { by }
            if view.now >= view.locked_until(ready.name(), patience_ends(view, claimed_at)) =>
        {
            leave(Reason::Locked { by })
        }
        Standing::ClaimedFirst { .. } | Standing::Locked { .. } => None,
        Standing::Uncertain(claims) | Standing::ClaimedByOthers(claims)
            if ready.workflow().is_none() && !may_send_again(view, ready.name(), &claims) =>
        {
            Some(Outcome::of(StartState::Unknown, uncertain_event_reason(ready)))
        }
        Standing::Free | Standing::Uncertain(_) | Standing::ClaimedByOthers(_) => None,
    }
}

fn patience_ends(view: &View<'_>, claimed_at: DateTime<Utc>) -> DateTime<Utc> {
    later(claimed_at, view.request.patience.limit)
}

fn run_url_of(view: &View<'_>, claim: CommentId) -> String {
    let mut claims = view.facts.log.dispatches();
    claims
        .find(|(comment, _)| comment.id == claim)
        .map(|(_, claim)| claim.run_url.clone())
        .unwrap_or_default()
}

/// Whether the job repeats an event that a claim may have sent: only if the request or a command asks for that, and
/// not in a re-run of the hub's run that claimed the target.
fn may_send_again(view: &View<'_>, name: &TargetName, claims: &[CommentId]) -> bool {
    let is_ours = |claim: &CommentId| {
        let mut dispatches = view.claims().own();
        dispatches.any(|(comment, dispatch)| comment.id == *claim && dispatch.by.run == view.request.by.run)
    };
    (view.request.retry == Retry::Failed || view.is_asked_to_retry(name)) && !claims.iter().any(is_ours)
}

fn uncertain_event_reason(ready: &ReadyTarget) -> Reason {
    Reason::Unclear {
        error: "an event may have started it, but GitHub does not say whether it did".to_owned(),
        runs: Vec::new(),
        help: Some(format!(
            "look at the runs of {}; if none of them is the release, set `retry-failed: true` to send the event again",
            ready.target.repository
        )),
    }
}

/// Starts the targets that this job has claimed first, several at once. If a run may exist already, looks for it first.
///
/// Targets that share a workflow start one after the other, so that their runs can be distinguished.
pub(super) fn start(view: &View<'_>) -> Vec<Step> {
    let (mut steps, mut pauses) = (Vec::new(), Vec::new());
    let claims = view.open_claims().map(|(own, ready)| (own, ready, situation(view, own, ready)));
    let claims: Vec<_> = claims.collect();
    let is_listing = |situation: &Situation| matches!(situation, Situation::Listing { .. });
    let listing_claims = claims.iter().filter(|(_, _, situation)| is_listing(situation));
    let mut busy_workflows: BTreeSet<_> =
        listing_claims.map(|(_, ready, _)| ready.workflow_at_ref()).collect();
    for (own, ready, situation) in claims {
        if steps.len() == view.request.max_parallel {
            break;
        }
        match situation {
            Situation::Listing { due, .. } if due > view.now => pauses.push((due, Pause::Listing)),
            Situation::Listing { look_since, .. } => {
                steps.extend(search(view, Some(own), ready, look_since).map(Step::FindRun));
            }
            Situation::ClaimedFirst => {
                pauses.push((next_poll(view, own, ready), Pause::OtherJobs(vec![ready.name().clone()])));
            }
            Situation::Unlocked(step) => steps.push(*step),
            Situation::Free { look_since } if busy_workflows.insert(ready.workflow_at_ref()) => {
                let search = look_since.and_then(|since| search(view, Some(own), ready, since));
                steps.push(search.map_or_else(|| start_step(view, ready), Step::FindRun));
            }
            Situation::Free { .. } | Situation::Settled => {}
        }
    }
    if steps.is_empty() {
        return shortest_pause(pauses).into_iter().collect();
    }
    pin(view).into_iter().chain(steps).collect()
}

/// The time of the next look at the ticket while this job waits for another one: the intervals grow.
fn next_poll(view: &View<'_>, own: &OwnRecord, ready: &ReadyTarget) -> DateTime<Utc> {
    let wait = ((view.now - claimed_at(own, ready)) / 2).to_std().unwrap_or_default();
    let patience = view.request.patience;
    later(view.now, wait.clamp(patience.first_poll, patience.poll))
}

/// The time of this job's claim on a target.
fn claimed_at(own: &OwnRecord, ready: &ReadyTarget) -> DateTime<Utc> {
    let mut entries = own.record.targets.iter().filter(|start| start.target == *ready.name());
    entries.next().map_or(own.created_at, |start| start.at)
}

/// The situation of a claimed target before its start.
enum Situation {
    /// A run may have begun after `look_since`; the next look for it is at `due`.
    Listing { due: DateTime<Utc>, look_since: DateTime<Utc> },
    /// The outcome is known, and its record comes next.
    Settled,
    /// Another hub job claimed it first.
    ClaimedFirst,
    /// No comment claims it first: this step asks for its reference, which settles the order.
    Unlocked(Box<Step>),
    /// It can be started; if a dead job may have started it, after a look for a run after `look_since`.
    Free { look_since: Option<DateTime<Utc>> },
}

fn situation(view: &View<'_>, own: &OwnRecord, ready: &ReadyTarget) -> Situation {
    if outcome(view, own, ready, claimed_at(own, ready)).is_some() {
        return Situation::Settled;
    }
    let phase = view.facts.starts.get(ready.name()).map(|own_start| &own_start.phase);
    let due = match phase {
        Some(StartPhase::Listing { since, looks, .. }) => Some(later(*since, LOOKS[*looks])),
        _ => None,
    };
    if let (Some(due), Some(StartPhase::Listing { cause: Cause::Unnamed | Cause::Unclear(_), .. })) =
        (due, phase)
    {
        return Situation::Listing { due, look_since: own.created_at };
    }
    let standing = view.standing_of_claim(own, ready.name());
    if matches!(standing, Standing::Free | Standing::Uncertain(_) | Standing::ClaimedByOthers(_))
        && let Some(step) = claim_by_ref(view, ready)
    {
        return Situation::Unlocked(Box::new(step));
    }
    match standing {
        Standing::ClaimedFirst { .. } | Standing::Locked { .. } => Situation::ClaimedFirst,
        Standing::Uncertain(claims) | Standing::ClaimedByOthers(claims)
            if phase != Some(&StartPhase::Cleared) =>
        {
            let look_since = created_at(view, &claims);
            match (due, look_since) {
                (Some(due), Some(look_since)) => Situation::Listing { due, look_since },
                _ => Situation::Free { look_since },
            }
        }
        Standing::Free if phase.is_none() => Situation::Free { look_since: unclaimed_since(view, ready) },
        _ => Situation::Free { look_since: None },
    }
}

/// The earliest time of a run whose claim somebody may have deleted; `None` if this step has opened the ticket, as
/// nobody else has written to it.
fn unclaimed_since(view: &View<'_>, ready: &ReadyTarget) -> Option<DateTime<Utc>> {
    let TicketState::Open { opened_at, is_new, .. } = view.facts.ticket else { return None };
    let failed_at = view.retried_claim(ready.name()).and_then(|claim| created_at(view, &[claim]));
    failed_at.or(opened_at).filter(|_| is_new != Some(true))
}

/// The step that starts a target, or refuses it if its request cannot be written.
fn start_step(view: &View<'_>, ready: &ReadyTarget) -> Step {
    match effect(view, ready) {
        Ok(effect) => Step::Apply(effect),
        Err(reason) => Step::Refuse { target: ready.name().clone(), reason },
    }
}

/// The pause that ends first; pauses for other jobs become one that names all their targets.
fn shortest_pause(pauses: Vec<(DateTime<Utc>, Pause)>) -> Option<Step> {
    let (until, _) = *pauses.iter().min_by_key(|(until, _)| *until)?;
    let targets_of_others = pauses.iter().filter_map(|(_, pause)| match pause {
        Pause::OtherJobs(targets) => Some(targets.clone()),
        Pause::Listing | Pause::Outputs(_) | Pause::Verification(_) | Pause::Runs(_) => None,
    });
    let targets_of_others: Vec<TargetName> = targets_of_others.flatten().collect();
    let is_listing = pauses.iter().any(|(due, pause)| *due == until && *pause == Pause::Listing);
    let reason = if is_listing { Pause::Listing } else { Pause::OtherJobs(targets_of_others) };
    Some(Step::Pause { until, reason })
}

fn created_at(view: &View<'_>, claims: &[CommentId]) -> Option<DateTime<Utc>> {
    let mut records = view.facts.log.dispatches();
    records.find(|(comment, _)| claims.contains(&comment.id)).map(|(comment, _)| comment.created_at)
}

/// The searches, before a claim, for runs that an ended hub job may have started.
pub(super) fn searches(view: &View<'_>) -> Vec<Step> {
    let searches = view.request.targets.iter().filter_map(|ready| {
        match (view.verdict(ready), view.standing(ready.name(), None)) {
            (Verdict::Start, Standing::Uncertain(claims) | Standing::ClaimedByOthers(claims)) => {
                search(view, None, ready, created_at(view, &claims)?).map(Step::FindRun)
            }
            (Verdict::Start, Standing::Free) => {
                search(view, None, ready, unclaimed_since(view, ready)?).map(Step::FindRun)
            }
            _ => None,
        }
    });
    searches.collect()
}

/// The search for the target's run; `None` if an event starts it. The job's own claim has the account that starts it.
fn search(
    view: &View<'_>,
    own: Option<&OwnRecord>,
    ready: &ReadyTarget,
    since: DateTime<Utc>,
) -> Option<Search> {
    let (repository, workflow) = (&ready.target.repository, ready.workflow()?);
    let standing = own
        .map_or_else(|| view.standing(ready.name(), None), |own| view.standing_of_claim(own, ready.name()));
    let is_sent = view.facts.starts.get(ready.name()).is_some_and(|own_start| own_start.sends > 0);
    let evidence = match standing {
        Standing::ClaimedByOthers(_) => Evidence::ClaimOfOthers,
        Standing::Free if !is_sent => Evidence::Nothing,
        _ => Evidence::Claim,
    };
    let has_started_it = ready.is_same_account && evidence == Evidence::Claim;
    let server = &view.request.wording.server_url;
    let is_sibling = |other: &&ReadyTarget| {
        other.name() != ready.name() && other.workflow_at_ref() == ready.workflow_at_ref()
    };
    let siblings = view.request.targets.iter().filter(is_sibling).map(|other| other.name().clone());
    Some(Search {
        target: ready.name().clone(),
        repository: repository.clone(),
        workflow: workflow.clone(),
        runs_url: format!("{server}/{repository}/actions/workflows/{workflow}"),
        git_ref: ready.git_ref.clone(),
        since,
        actor: own.and_then(|own| own.author.clone()).filter(|_| has_started_it),
        ticket: view.issue.clone(),
        siblings: siblings.collect(),
        siblings_have_runs: siblings_have_runs(view, ready),
        other_runs: view.other_runs(ready.name()),
        evidence,
    })
}

/// Whether another target of the same workflow may have a run that no claim records. (This step starts such targets
/// one after the other.)
fn siblings_have_runs(view: &View<'_>, ready: &ReadyTarget) -> bool {
    let is_own = |claim| view.facts.own_records.iter().any(|own| own.comment == claim);
    let may_have_run = |claim, start: &Start| match start.state {
        Word::Known(StartState::Claimed) => !is_own(claim),
        Word::Known(StartState::Started | StartState::Unknown | StartState::Cancelled) => start.run.is_none(),
        _ => false,
    };
    view.claims().own().any(|(comment, claim)| {
        claim.targets.iter().any(|start| ready.is_sibling_of(start) && may_have_run(comment.id, start))
    })
}

fn effect(view: &View<'_>, ready: &ReadyTarget) -> Result<Effect, Reason> {
    let refuse_start = |error: TemplateError| Reason::Refused {
        error: error.to_string(),
        help: error.help().map(|help| help.text),
    };
    let (wording, ticket) = (&view.request.wording, &view.issue);
    let upstream = outputs::upstream(view, ready);
    let (target, repository) = (ready.name().clone(), ready.target.repository.clone());
    let after = ready.target.needs.clone();
    Ok(match &ready.target.start {
        StartBy::Workflow(workflow) => Effect::StartWorkflow(WorkflowStart {
            target,
            repository,
            workflow: workflow.clone(),
            git_ref: ready.git_ref.clone(),
            inputs: wording.inputs_of(ready, ticket, &upstream).map_err(refuse_start)?,
            after,
        }),
        StartBy::Event(event_type) => Effect::SendEvent(EventStart {
            target,
            repository,
            event_type: event_type.clone(),
            client_payload: wording.payload_of(ready, ticket, &upstream).map_err(refuse_start)?,
            after,
        }),
    })
}

/// Looks once for the runs of starts that were under way when the job was cancelled.
pub(super) fn find_runs_under_way(view: &View<'_>) -> Vec<Step> {
    let is_under_way = |ready: &ReadyTarget| {
        let own_start = view.facts.starts.get(ready.name());
        own_start
            .is_some_and(|own_start| matches!(own_start.phase, StartPhase::Sent | StartPhase::Listing { .. }))
    };
    let claims = view.open_claims().filter(|(_, ready)| is_under_way(ready));
    let is_new = |search: &Search| !view.facts.searched_targets.contains(&search.target);
    let searches = claims.filter_map(|(own, ready)| search(view, Some(own), ready, own.created_at));
    searches.filter(is_new).map(Step::FindRun).collect()
}

/// Gives back the claims of a cancelled job on targets that it has not started.
pub(super) fn record_cancellation(view: &View<'_>) -> Vec<Step> {
    rewrite_claims(view, |_, start| {
        let own_outcome = view.facts.starts.get(&start.target).and_then(OwnStart::outcome).cloned();
        Some(own_outcome.unwrap_or(Outcome { state: StartState::Cancelled, run: None, reason: None }))
    })
}

/// Rewrites each record of this job that has an open claim with an `outcome`.
fn rewrite_claims(view: &View<'_>, outcome: impl Fn(&OwnRecord, &Start) -> Option<Outcome>) -> Vec<Step> {
    rewrite_records(view, |own, start| {
        let is_open = start.state == StartState::Claimed;
        let outcome = is_open.then(|| outcome(own, start)).flatten()?;
        let (run, run_url) = outcome.run.unzip();
        Some(Start {
            state: outcome.state.into(),
            run,
            run_url,
            turn: match view.facts.locks.get(&start.target) {
                Some(Lock::Owned { turn } | Lock::Taken { turn, is_unclear: true, .. }) => Some(*turn),
                _ => None,
            },
            reason: outcome.reason.map(Into::into),
            at: view.now,
            ..start.clone()
        })
    })
}

/// Rewrites each record of this job that has a start with a `change`.
pub(super) fn rewrite_records(
    view: &View<'_>,
    change: impl Fn(&OwnRecord, &Start) -> Option<Start>,
) -> Vec<Step> {
    let records = view.facts.own_records.iter().filter_map(|own| {
        let mut record = own.record.clone();
        let mut has_changed = false;
        for start in &mut record.targets {
            let Some(new_start) = change(own, start) else { continue };
            (*start, has_changed) = (new_start, true);
        }
        has_changed.then_some((own.comment, record))
    });
    let numbered_records = records.zip(view.last_seq() + 1..);
    numbered_records
        .map(|((comment, record), seq)| view.write(Some(comment), Dispatch { seq, ..record }))
        .collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use crate::engine::testing::{Says, Story, dispatch, target};
    use crate::engine::{Facts, ReadyTarget, Retry, TicketState};
    use crate::names::RunId;
    use crate::place::Place;
    use crate::targets::Input;
    use crate::ticket::{StartState, Target};

    fn dead_claim() -> crate::ticket::Dispatch {
        dispatch(50, [("web", StartState::Claimed)])
    }

    fn state<'k>(facts: &'k Facts, name: &str) -> &'k Target {
        &facts.log.ticket().targets[name]
    }

    #[test]
    fn the_run_of_a_job_that_died_with_a_claim_is_looked_for_before_a_start() {
        let mut story = Story::of([target("web")]).after(dead_claim());
        assert_eq!(
            story.run_until("find web"),
            ["read", "ask for hub run 50", "comment: web claimed", "read | board"]
        );
        let beginning = story.now;
        let looks = "find web, pause: listing, ".repeat(5) + "find web";
        assert_eq!(story.run_until("start web").join(", "), looks);
        assert_eq!(story.now - beginning, TimeDelta::seconds(30), "a list of runs may lag");
        assert_eq!(story.run(), ["start web", "edit comment 2: web started", "board"]);
    }

    #[test]
    fn the_run_that_a_dead_job_has_started_is_recorded_instead_of_a_second_start() {
        let mut story = Story::of([target("web")]).after(dead_claim()).when("find web", [Says::Lists(&[60])]);
        story.run_until("find web");
        assert_eq!(story.run(), ["find web", "edit comment 2: web started", "board"]);
        assert_eq!(state(&story.facts, "web").run.as_ref().map(|run| run.id), Some(RunId(60)));
    }

    #[test]
    fn the_run_of_another_target_that_a_job_is_starting_is_not_taken_for_this_ones() {
        let mut docs = dispatch(50, [("docs", StartState::Claimed)]);
        docs.targets[0].repository = "acme/web".parse().expect("a name");
        let mut story = Story::of([target("web")]).after(docs).always("ask for hub run 50", Says::AtWork);
        let TicketState::Open { opened_at, .. } = &mut story.facts.ticket else { panic!("an open ticket") };
        *opened_at = Some(story.now);
        let story = story.when("find web", [Says::ListsNamed(&[60])]);
        let lines = { story }.run();
        assert!(lines.contains(&"start web".to_owned()), "{lines:#?}");
    }

    #[test]
    fn a_target_is_not_started_as_long_as_its_run_cannot_be_looked_for() {
        for (says, words) in [(Says::Refused, "refused"), (Says::Nothing, "unknown")] {
            let mut story = Story::of([target("web")]).after(dead_claim()).when("find web", [says]);
            story.run_until("find web");
            assert_eq!(story.run(), ["find web", &format!("edit comment 2: web {words}"), "board"]);
        }
    }

    #[test]
    fn an_unclear_start_is_looked_for_and_sent_once_more_and_then_unknown() {
        let mut story = Story::of([target("web")]).always("start web", Says::Nothing);
        story.run_until("start web");
        let beginning = story.now;
        let lines = story.run();
        let looks = "find web, pause: listing, ".repeat(7) + "find web, ";
        let story_lines = format!("start web, {looks}start web, {looks}edit comment 1: web unknown, board");
        assert_eq!(lines.join(", "), story_lines);
        assert_eq!(story.now - beginning, TimeDelta::seconds(180));
        assert_eq!(
            story.problems(),
            [
                "cannot start web: there is no answer; its run could be here: /acme/web/actions/workflows/release.yml"
            ]
        );
    }

    #[test]
    fn an_unclear_start_is_recorded_with_the_run_that_is_listed_later() {
        let mut story = Story::of([target("web")]).when("start web", [Says::Nothing]);
        story.run_until("pause: listing");
        story = story.when("find web", [Says::Lists(&[101])]);
        assert_eq!(story.run(), ["pause: listing", "find web", "edit comment 1: web started", "board"]);
        assert_eq!(state(&story.facts, "web").run.as_ref().map(|run| run.id), Some(RunId(101)));
    }

    #[test]
    fn a_start_without_a_run_is_looked_for_and_then_recorded_without_one() {
        let mut story = Story::of([target("web")]).when("start web", [Says::NoRun]);
        story.run_until("find web");
        let beginning = story.now;
        let lines = story.run();
        assert_eq!(lines.iter().filter(|line| *line == "find web").count(), 6);
        assert_eq!(lines[lines.len() - 2..], ["edit comment 1: web started", "board"]);
        assert_eq!(story.now - beginning, TimeDelta::seconds(30));
        assert_eq!(state(&story.facts, "web").run, None);
        assert!(story.problems().is_empty());
    }

    #[test]
    fn a_refused_start_is_recorded_and_the_others_go_on() {
        let mut story = Story::of([target("web"), target("api")]).when("start web", [Says::Refused]);
        story.run_until("start web");
        assert_eq!(
            story.run(),
            ["start web | start api", "edit comment 1: web refused; api started", "board"]
        );
        assert_eq!(story.problems(), ["cannot start web: it is refused"]);
    }

    #[test]
    fn inputs_that_do_not_render_are_a_refusal_without_a_request() {
        let mut web = target("web");
        let place = Place { source: String::new(), line: 1, column: 1 };
        web.target.inputs = vec![Input { name: "channel".into(), template: "{{ channel }}".into(), place }];
        let mut story = Story::of([web]);
        assert_eq!(
            story.run(),
            [
                "read",
                "comment: web claimed",
                "read | board",
                "refuse web",
                "edit comment 1: web refused",
                "board"
            ]
        );
        assert!(story.problems()[0].starts_with("cannot start web: the template"), "{:?}", story.problems());
    }

    fn of_one_workflow(name: &str) -> ReadyTarget {
        target(name).in_repository("acme/mono")
    }

    #[test]
    fn targets_of_one_workflow_start_one_after_the_other() {
        let mut story = Story::of([of_one_workflow("web"), target("api"), of_one_workflow("docs")]);
        story.run_until("start web");
        assert_eq!(
            story.run(),
            [
                "start web | start api",
                "edit comment 1: web and api started; docs claimed | start docs",
                "edit comment 1: web, api and docs started",
                "board",
            ]
        );
    }

    #[test]
    fn a_target_does_not_start_while_the_run_of_another_one_of_its_workflow_is_looked_for() {
        // Another job has claimed `web` first, and dies while this job starts `docs`, the later one in the list.
        let mut story = Story::of([of_one_workflow("web"), of_one_workflow("docs")]).after(dead_claim());
        story = story.when("ask for hub run 50", [Says::AtWork]).when("start docs", [Says::Nothing]);
        let lines = story.run();
        let first = |line: &str| lines.iter().position(|lines| lines == line).expect("it happens");
        let last = lines.iter().rposition(|lines| lines == "find docs").expect("it happens");
        assert!(last < first("find web"), "{lines:#?}");
    }

    #[test]
    fn no_more_than_max_parallel_starts_are_under_way_at_once() {
        let mut story = Story::of([target("a"), target("b"), target("c")]);
        story.request.max_parallel = 2;
        story.run_until("start a");
        assert_eq!(
            story.run(),
            [
                "start a | start b",
                "edit comment 1: a and b started; c claimed | start c",
                "edit comment 1: a, b and c started",
                "board"
            ]
        );
    }

    #[test]
    fn an_event_that_may_have_been_sent_is_sent_again_only_with_a_retry() {
        let story = || Story::of([target("web").by_event()]).after(dead_claim());
        let lines = story().run();
        assert_eq!(lines[lines.len() - 2..], ["edit comment 2: web unknown", "board"]);
        assert!(!lines.contains(&"send web".to_owned()), "{lines:#?}");
        let lines = story().retrying(Retry::Failed).run();
        assert_eq!(lines[lines.len() - 3..], ["send web", "edit comment 2: web started", "board"]);
    }

    #[test]
    fn an_event_without_a_clear_answer_is_not_sent_again() {
        let mut story = Story::of([target("web").by_event()]).when("send web", [Says::Nothing]);
        story.run_until("send web");
        assert_eq!(story.run(), ["send web", "edit comment 1: web unknown", "board"]);
    }

    #[test]
    fn a_cancelled_job_gives_its_claims_back_and_starts_nothing() {
        let mut story = Story::of([target("web"), target("docs").needing(["web"])]);
        story.run_until("start web");
        story.cancel();
        assert_eq!(story.run(), ["read", "edit comment 1: web cancelled; docs waiting", "board"]);
    }

    #[test]
    fn a_cancelled_job_looks_once_for_the_runs_of_the_starts_that_were_under_way() {
        let mut story = Story::of([target("web"), target("api")]).when("find web", [Says::Lists(&[101])]);
        story.run_until("start web");
        story.send();
        story.cancel();
        assert_eq!(
            story.run(),
            ["read", "find web | find api", "edit comment 1: web started; api cancelled", "board"]
        );
    }

    #[test]
    fn a_cancelled_job_cancels_the_runs_that_it_has_started_if_the_request_says_so() {
        for cancel_runs in [false, true] {
            let mut story = Story::of([target("web"), target("api")]).following();
            story.request.cancel_runs = cancel_runs;
            story = story.when("look at api", [Says::GoesOn]);
            story.run_until("pause: runs of api");
            story.cancel();
            let lines = story.run();
            assert_eq!(
                lines.contains(&"cancel api, run 102 of acme/api".to_owned()),
                cancel_runs,
                "{lines:#?}"
            );
            assert!(!lines.iter().any(|line| line.contains("cancel web")), "{lines:#?}");
        }
    }

    #[test]
    fn a_cancelled_job_that_cannot_write_stops() {
        let mut story = Story::of([target("web")]).following();
        story.run_until("start web");
        story.cancel();
        story = story.always("edit comment 1: web cancelled", Says::Nothing);
        assert_eq!(story.run(), ["read", "edit comment 1: web cancelled"]);
        assert_eq!(story.problems(), ["cannot continue with acme/hub#1: there is no answer"]);
    }
}
