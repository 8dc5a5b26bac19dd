//! Claims: a job claims a target before it starts it, and names the targets that it does not start.

use std::collections::{BTreeMap, BTreeSet};

use super::ready::ReadyTarget;
use super::remembering::keep_once;
use super::request::Retry;
use super::step::Step;
use super::verdict::Verdict;
use super::view::{TARGETS_PER_RECORD, View};
use super::{outputs, repair, watching};
use crate::names::TargetName;
use crate::plan::Effect;
use crate::ticket::claim::{self, Standing};
use crate::ticket::{Dispatch, Reason, Rules, Start, StartState, Ticket, Word, Writer};

/// Asks whether the other hub jobs with claims are still at work.
pub(super) fn ask_about_other_jobs(view: &View<'_>) -> Vec<Step> {
    let mut entries = view.facts.own_records.iter().flat_map(|own| &own.record.targets);
    // A job may claim a target again that it has left to another job: then later claims count, too.
    let has_yielded = entries.any(|start| start.state == StartState::Yielded);
    let before = view.facts.own_records.iter().map(|own| own.comment).max();
    let before = before.filter(|_| !has_yielded && !view.is_locked_out());
    let claimants = claim::claimants(view.claims(), before);
    let others = repair::other_jobs(view).chain(watching::other_jobs(view));
    let jobs: BTreeSet<&Writer> = claimants.chain(others).collect();
    let is_unknown =
        |job: &&Writer| view.settled_liveness(job).is_none() && !view.facts.round.jobs.contains_key(*job);
    jobs.into_iter().filter(is_unknown).cloned().map(Step::AskHubRun).collect()
}

/// Decides once, by the ends of the runs, which failed targets are started again.
pub(super) fn start_failed_targets_again(view: &View<'_>) -> Vec<Step> {
    if view.request.retry == Retry::Nothing {
        return Vec::new();
    }
    let Some(retries) = &view.facts.retries else {
        let names = view.request.targets.iter().map(ReadyTarget::name);
        let retries = names.filter_map(|name| Some((name.clone(), view.claim_to_retry(name)?)));
        return vec![Step::StartAgain(retries.collect())];
    };
    // If somebody re-runs a failed target while it waits, this job leaves it to that run.
    let open_retries = retries.keys().filter_map(|name| Some((name.clone(), view.retried_claim(name)?)));
    let open_retries: BTreeMap<_, _> = open_retries.collect();
    if open_retries.len() < retries.len() { vec![Step::StartAgain(open_retries)] } else { Vec::new() }
}

/// Gives the reason, once, for each target that this job leaves alone.
pub(super) fn leave_alone(view: &View<'_>) -> Vec<Step> {
    let is_quiet = |ready: &&ReadyTarget| {
        !view.facts.skips.contains(ready.name()) && view.own_claim(ready.name()).is_none()
    };
    let steps = view.request.targets.iter().filter(is_quiet).filter_map(|ready| match view.verdict(ready) {
        Verdict::Start | Verdict::Wait(Reason::Needs { .. }) => None,
        Verdict::Wait(reason) => Some(leave(ready, reason)),
    });
    steps.collect()
}

/// The step that says why a target is left alone.
pub(super) fn leave(ready: &ReadyTarget, reason: Reason) -> Step {
    Step::Apply(Effect::Skip { target: ready.name().clone(), reason })
}

/// Claims the targets that can start, and records why the others wait.
pub(super) fn claim(view: &View<'_>) -> Vec<Step> {
    let (mut claims, mut waits) = (Vec::new(), Vec::new());
    for ready in &view.request.targets {
        match view.verdict(ready) {
            Verdict::Start if may_claim(view, ready) && !outputs::are_awaited(view, ready) => {
                let repeats = view.retried_claim(ready.name());
                claims.push(Start { repeats, ..entry(view, ready, StartState::Claimed, None) });
            }
            Verdict::Wait(reason)
                if reason.is_waiting() && waiting_entry_is_missing(view, ready, &reason) =>
            {
                waits.push(entry(view, ready, StartState::Waiting, Some(reason)));
            }
            _ => {}
        }
    }
    let entries: Vec<Start> = claims.into_iter().chain(waits).collect();
    if entries.is_empty() && !has_rules(view) {
        return vec![view.write(None, view.record(view.last_seq() + 1, Vec::new(), Vec::new()))];
    }
    let records = entries.chunks(TARGETS_PER_RECORD).zip(view.last_seq() + 1..);
    let records = records.map(|(chunk, seq)| view.record(seq, chunk.to_vec(), Vec::new()));
    let is_entry = |name: &TargetName| entries.iter().any(|start| start.target == *name);
    let records = keep_once(records).map(|mut record| {
        let is_first = record.targets[0] == entries[0];
        record.left_out.retain(|name| is_first && !is_entry(name));
        view.write(None, record)
    });
    records.collect()
}

/// Whether this step may claim the target: once, as the next step repeats a refused start; and not while an earlier hub
/// job has it.
fn may_claim(view: &View<'_>, ready: &ReadyTarget) -> bool {
    let entries = view.facts.own_records.iter().flat_map(|own| &own.record.targets);
    let mut states = entries.filter(|start| start.target == *ready.name()).map(|start| &start.state);
    match states.rfind(|state| **state != StartState::Waiting) {
        None => true,
        Some(state) if *state == StartState::Yielded => {
            !matches!(view.standing(ready.name(), None), Standing::ClaimedFirst { .. })
                && !view.is_locked_out_of(ready.name())
        }
        Some(_) => false,
    }
}

/// The entry of a target, with the commit of its ref if a gate needs it.
fn entry(view: &View<'_>, ready: &ReadyTarget, state: StartState, reason: Option<Reason>) -> Start {
    let commit = view.facts.round.commits.get(ready.name()).cloned().flatten();
    Start { commit, ..ready.entry(state, reason, view.now) }
}

/// Whether no record says yet that a target waits for this reason.
fn waiting_entry_is_missing(view: &View<'_>, ready: &ReadyTarget, reason: &Reason) -> bool {
    let claims = view.claims().own();
    let entries = claims.flat_map(|(_, claim)| claim.targets.iter().map(move |start| (claim, start)));
    let entries: Vec<_> = entries.filter(|(_, start)| start.target == *ready.name()).collect();
    if entries.iter().any(|(_, start)| start.state != StartState::Waiting) {
        return false;
    }
    let age = |(claim, _): &(&Dispatch, &Start)| (claim.by.run, claim.by.attempt, claim.seq);
    let newest = entries.iter().copied().max_by_key(age);
    // A newer job may have an older list: each job records the reason once.
    let own_entry = entries.iter().copied().filter(|(claim, _)| claim.by == view.request.by).max_by_key(age);
    let entry = entry(view, ready, StartState::Waiting, Some(reason.clone()));
    // Decisions of people have their own records.
    let freeze_of = |start: &Start| match start.reason.as_ref().and_then(Word::as_known) {
        Some(Reason::Frozen { to, .. }) => Some(*to),
        _ => None,
    };
    let content_of = |start: &Start| (start.needs.clone(), freeze_of(start));
    let is_recorded =
        [newest, own_entry].into_iter().flatten().any(|(_, start)| content_of(start) == content_of(&entry));
    let is_own_commit = own_entry.is_some_and(|(_, own_entry)| own_entry.commit == entry.commit);
    !is_recorded || !is_own_commit && has_news_of_commits(view, ready)
}

/// Whether the commit of the target's ref makes approvals lapse or count again, and no record shows that.
fn has_news_of_commits(view: &View<'_>, ready: &ReadyTarget) -> bool {
    let recorded_ticket = view.facts.log.ticket();
    view.ticket.gates_in(&ready.target.needs).any(|gate| {
        let lapse_count = |ticket: &Ticket| ticket.standing(gate, ready.name()).lapses.len();
        view.ticket.commits.of(ready.name()).is_some()
            && lapse_count(recorded_ticket) != lapse_count(&view.ticket)
    })
}

/// Whether the newest record of this hub with gates and freezes has those that this step has read.
fn has_rules(view: &View<'_>) -> bool {
    let Some(rules) = &view.request.rules else { return true };
    let entries = view.claims().own().filter_map(|(_, claim)| Some((claim, claim.rules.as_ref()?)));
    let newest = entries.max_by_key(|(claim, _)| (claim.by.run, claim.by.attempt, claim.seq));
    match newest {
        Some((_, Word::Known(newest_rules))) => newest_rules == rules,
        Some((_, Word::Newer(_))) => true,
        None => rules.is_blank(),
    }
}

impl View<'_> {
    /// The gates and freezes that this step has to record.
    pub(super) fn unrecorded_rules(&self) -> Option<Word<Rules>> {
        let rules = self.request.rules.clone().filter(|_| !has_rules(self))?;
        Some(Word::Known(rules))
    }
}

#[cfg(test)]
mod tests {

    use crate::engine::Retry;
    use crate::engine::testing::{HUB_RUN, Says, Story, dispatch, target};
    use crate::ticket::{Dispatch, Reason, StartState, Word};

    /// A record of a hub job that has claimed the target and not started it.
    fn claim_record(hub_run: u64) -> Dispatch {
        dispatch(hub_run, [("web", StartState::Claimed)])
    }

    /// A record of a hub job that has started the target.
    fn start_record(hub_run: u64) -> Dispatch {
        dispatch(hub_run, [("web", StartState::Started)])
    }

    #[test]
    fn nothing_is_started_before_the_log_was_read_with_the_own_claim_in_it() {
        assert_eq!(
            Story::of([target("web"), target("api")]).run(),
            [
                "read",
                "comment: web and api claimed",
                "read | board",
                "start web | start api",
                "edit comment 1: web and api started",
                "board"
            ]
        );
    }

    #[test]
    fn a_job_that_came_second_waits_until_the_first_one_has_started_the_target() {
        let mut story =
            Story::of([target("web")]).after(claim_record(50)).always("ask for hub run 50", Says::AtWork);
        assert_eq!(
            story.run_until("pause: another job has web"),
            ["read", "ask for hub run 50", "comment: web claimed", "read | board"]
        );
        story.write(
            Some(crate::names::CommentId(1)),
            &crate::ticket::Record::Dispatch(Dispatch { seq: 2, ..start_record(50) }).render(),
        );
        assert_eq!(
            story.run(),
            [
                "edit comment 2: web left to another job",
                "leave web alone: it was already started: its run",
                "board"
            ]
        );
        assert!(story.problems().is_empty());
    }

    #[test]
    fn a_job_that_came_second_yields_when_its_patience_ends_and_names_the_run_of_the_first_one() {
        let mut story =
            Story::of([target("web")]).after(claim_record(50)).always("ask for hub run 50", Says::AtWork);
        let beginning = story.now;
        let lines = story.run();
        assert_eq!((story.now - beginning).num_minutes(), 2);
        assert_eq!(lines[lines.len() - 2..], ["edit comment 2: web left to another job", "board"]);
        assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
        let entry = &story.facts.own_records[0].record.targets[0];
        assert_eq!(entry.reason, Some(Word::Known(Reason::Claimed { run_url: "runs/50".to_owned() })));
    }

    #[test]
    fn a_claim_of_a_later_job_does_not_matter() {
        let mut story = Story::of([target("web")]).always("ask for hub run 50", Says::AtWork);
        story.run_until("board");
        assert_eq!(
            story.after(claim_record(50)).run(),
            ["read | board", "start web", "edit comment 1: web started", "board"]
        );
    }

    #[test]
    fn a_job_that_the_token_may_not_see_counts_as_at_work_and_is_asked_for_once() {
        let mut story =
            Story::of([target("web")]).after(claim_record(50)).always("ask for hub run 50", Says::NotForYou);
        let lines = story.run();
        assert_eq!(lines.iter().filter(|line| line.starts_with("ask")).count(), 1);
        assert_eq!(lines[lines.len() - 2..], ["edit comment 2: web left to another job", "board"]);
    }

    #[test]
    fn a_target_is_claimed_again_when_the_job_that_came_first_has_died() {
        let mut story = Story::of([target("web")]).following().after(claim_record(50));
        story = story.always("ask for hub run 50", Says::AtWork);
        story.run_until("edit comment 2: web left to another job");
        story = story.always("ask for hub run 50", Says::Ended);
        assert_eq!(
            story.run_until("find web"),
            [
                "edit comment 2: web left to another job",
                "board",
                "pause: runs of web",
                "read",
                "ask for hub run 50",
                "comment: web claimed",
                "read | board",
            ]
        );
        assert_eq!(story.run_until("start web").len(), 11);
    }

    #[test]
    fn a_target_is_claimed_again_when_all_jobs_that_claimed_it_have_died() {
        let mut story = Story::of([target("web")]).following().after(claim_record(50));
        story = story.always("ask for hub run 50", Says::AtWork);
        story.run_until("edit comment 2: web left to another job");
        // The claim of the third job does not count while this job has its own claim.
        story = story.after(claim_record(60)).always("ask for hub run 50", Says::Ended);
        let lines = story.run();
        assert!(lines.contains(&"start web".to_owned()), "{lines:#?}");
    }

    #[test]
    fn a_waiting_target_is_noted_with_the_claim_and_reported_at_the_end() {
        let mut story = Story::of([target("docs").needing(["web"]), target("web")]);
        assert_eq!(
            story.run(),
            [
                "read",
                "comment: web claimed; docs waiting",
                "read | board",
                "start web",
                "edit comment 1: web started; docs waiting",
                "board",
                "leave docs alone: it waits for web",
            ]
        );
    }

    #[test]
    fn many_targets_share_several_records() {
        let names: Vec<String> = (0..90).map(|number| format!("t{number:02}")).collect();
        let mut story = Story::of_many(names.iter().map(|name| target(name)).collect());
        story.run();
        let records = story.facts.own_records.iter().map(|own| own.record.targets.len());
        assert_eq!(records.collect::<Vec<_>>(), [40, 40, 10]);
        let entries = story.facts.own_records.iter().flat_map(|own| &own.record.targets);
        let starts = entries.filter(|start| start.state == StartState::Started);
        assert_eq!(starts.map(|start| start.target.as_str()).collect::<Vec<_>>(), names);
    }

    #[test]
    fn a_failed_target_is_started_again_once() {
        let mut story =
            Story::of([target("web")]).following().retrying(Retry::Failed).after(start_record(50));
        story = story.always("look at web", Says::Failed);
        assert_eq!(
            story.run(),
            [
                "read",
                "look at web",
                "comment: web failed",
                "start again: web",
                "comment: web claimed",
                "read | board",
                // Somebody may have deleted a later claim whose run goes on.
                "find web",
                "start web",
                "edit comment 3: web started",
                "look at web",
                "edit comment 2: web and web failed",
                "board",
            ]
        );
    }

    #[test]
    fn a_target_whose_run_goes_on_is_not_started_again() {
        let mut story = Story::of([target("web")]).retrying(Retry::Failed).after(start_record(50));
        story = story.when("look at web", [Says::GoesOn]);
        let lines = story.run();
        assert!(lines.contains(&"start again: nothing".to_owned()), "{lines:#?}");
        assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
    }

    #[test]
    fn a_named_target_is_not_started_again_if_this_hub_run_has_started_it() {
        for (hub_run, retry, line) in [
            (HUB_RUN, Retry::Named, "start again: nothing"),
            (HUB_RUN, Retry::Failed, "start again: web"),
            (50, Retry::Named, "start again: web"),
        ] {
            let mut story = Story::of([target("web")]).retrying(retry).after(start_record(hub_run));
            story.request.by.attempt = 2;
            let lines = story.when("look at web", [Says::Failed]).run();
            assert!(lines.contains(&line.to_owned()), "{lines:#?}");
            assert_eq!(lines.contains(&"start web".to_owned()), line == "start again: web", "{lines:#?}");
        }
    }
}
