//! Claims: what a job wants to start it claims first, and what it does not start it says.

use std::collections::{BTreeMap, BTreeSet};

use super::ready::Ready;
use super::remembering::kept_once;
use super::request::Retry;
use super::step::Step;
use super::verdict::Verdict;
use super::view::{TARGETS_PER_RECORD, View};
use super::{mending, outputs, watching};
use crate::names::TargetName;
use crate::plan::Effect;
use crate::ticket::claim::{self, Standing};
use crate::ticket::{Dispatch, Reason, Rules, Start, StartState, Ticket, Word, Writer};

/// Whether the other hub jobs that hold claims are still at work.
pub(super) fn ask_about_other_jobs(view: &View<'_>) -> Vec<Step> {
    let mut entries = view.known.own.iter().flat_map(|own| &own.record.targets);
    // A job may once more claim a target that it has left to another job: then later claims count, too.
    let has_yielded = entries.any(|start| start.state == StartState::Yielded);
    let before = view.known.own.iter().map(|own| own.comment).max();
    let before = before.filter(|_| !has_yielded && !view.is_locked_out());
    let claimants = claim::claimants(view.claims(), before);
    let others = mending::other_jobs(view).chain(watching::other_jobs(view));
    let jobs: BTreeSet<&Writer> = claimants.chain(others).collect();
    let is_unknown =
        |job: &&Writer| view.settled_liveness(job).is_none() && !view.known.round.jobs.contains_key(*job);
    jobs.into_iter().filter(is_unknown).cloned().map(Step::AskHubRun).collect()
}

/// Settles once, by what the runs have come to, which failed targets are started again.
pub(super) fn start_failed_targets_again(view: &View<'_>) -> Vec<Step> {
    if view.request.retry == Retry::Nothing {
        return Vec::new();
    }
    let Some(known) = &view.known.again else {
        let names = view.request.targets.iter().map(Ready::name);
        let again = names.filter_map(|name| Some((name.clone(), view.failed_start(name)?)));
        return vec![Step::StartAgain(again.collect())];
    };
    // Somebody has run a target again while it waited: what becomes of that is theirs.
    let still = known.keys().filter_map(|name| Some((name.clone(), view.again(name)?)));
    let still: BTreeMap<_, _> = still.collect();
    if still.len() < known.len() { vec![Step::StartAgain(still)] } else { Vec::new() }
}

/// Says of each target that this job does not start why, once.
pub(super) fn leave_alone(view: &View<'_>) -> Vec<Step> {
    let quiet =
        |ready: &&Ready| !view.known.left.contains(ready.name()) && view.own_claim(ready.name()).is_none();
    let left = view.request.targets.iter().filter(quiet).filter_map(|ready| match view.verdict(ready) {
        Verdict::Start | Verdict::Hold(Reason::Needs { .. }) => None,
        Verdict::Hold(because) => Some(leave(ready, because)),
    });
    left.collect()
}

/// The step that says why a target is left alone.
pub(super) fn leave(ready: &Ready, because: Reason) -> Step {
    Step::Apply(Effect::Skip { target: ready.name().clone(), because })
}

/// Claims what is ready, and notes what waits and for what.
pub(super) fn claim(view: &View<'_>) -> Vec<Step> {
    let (mut claimed, mut waiting) = (Vec::new(), Vec::new());
    for ready in &view.request.targets {
        match view.verdict(ready) {
            Verdict::Start if may_claim(view, ready) && !outputs::are_awaited(view, ready) => {
                let repeats = view.again(ready.name());
                claimed.push(Start { repeats, ..entry(view, ready, StartState::Claimed, None) });
            }
            Verdict::Hold(because)
                if because.is_waiting() && waiting_entry_is_missing(view, ready, &because) =>
            {
                waiting.push(entry(view, ready, StartState::Waiting, Some(because)));
            }
            _ => {}
        }
    }
    let entries: Vec<Start> = claimed.into_iter().chain(waiting).collect();
    if entries.is_empty() && !has_rules(view) {
        return vec![view.write(None, view.record(view.last_seq() + 1, Vec::new(), Vec::new()))];
    }
    let records = entries.chunks(TARGETS_PER_RECORD).zip(view.last_seq() + 1..);
    let records = records.map(|(chunk, seq)| view.record(seq, chunk.to_vec(), Vec::new()));
    let is_entry = |name: &TargetName| entries.iter().any(|start| start.target == *name);
    let records = kept_once(records).map(|mut record| {
        let is_first = record.targets[0] == entries[0];
        record.left_out.retain(|name| is_first && !is_entry(name));
        view.write(None, record)
    });
    records.collect()
}

/// Whether this step may claim the target: not twice, as a start that was refused is for the next
/// step; and not while the hub job has it that came before.
fn may_claim(view: &View<'_>, ready: &Ready) -> bool {
    let entries = view.known.own.iter().flat_map(|own| &own.record.targets);
    let mut states = entries.filter(|start| start.target == *ready.name()).map(|start| &start.state);
    match states.rfind(|state| **state != StartState::Waiting) {
        None => true,
        Some(state) if *state == StartState::Yielded => {
            !matches!(view.standing(ready.name(), None), Standing::Held { .. })
                && !view.is_locked_out_of(ready.name())
        }
        Some(_) => false,
    }
}

/// The entry of a target, with the commit of its ref where a gate asked for it.
fn entry(view: &View<'_>, ready: &Ready, state: StartState, because: Option<Reason>) -> Start {
    let commit = view.known.round.commits.get(ready.name()).cloned().flatten();
    Start { commit, ..ready.entry(state, because, view.now) }
}

/// Whether the log does not know yet that a target waits, and for what.
fn waiting_entry_is_missing(view: &View<'_>, ready: &Ready, because: &Reason) -> bool {
    let claims = view.claims().own();
    let entries = claims.flat_map(|(_, claim)| claim.targets.iter().map(move |start| (claim, start)));
    let entries: Vec<_> = entries.filter(|(_, start)| start.target == *ready.name()).collect();
    if entries.iter().any(|(_, start)| start.state != StartState::Waiting) {
        return false;
    }
    let age = |(claim, _): &(&Dispatch, &Start)| (claim.by.run, claim.by.attempt, claim.seq);
    let newest = entries.iter().copied().max_by_key(age);
    // A newer job may have seen something older: each says it once.
    let own = entries.iter().copied().filter(|(claim, _)| claim.by == view.request.by).max_by_key(age);
    let entry = entry(view, ready, StartState::Waiting, Some(because.clone()));
    // What people decided is a record of its own.
    let frozen = |start: &Start| match start.because.as_ref().and_then(Word::known) {
        Some(Reason::Frozen { to, .. }) => Some(*to),
        _ => None,
    };
    let says = |start: &Start| (start.needs.clone(), frozen(start));
    let is_said = [newest, own].into_iter().flatten().any(|(_, start)| says(start) == says(&entry));
    let is_own_commit = own.is_some_and(|(_, own)| own.commit == entry.commit);
    !is_said || !is_own_commit && has_news_of_commits(view, ready)
}

/// Whether approvals have lapsed by the commit of the target's ref, or count again, and no record shows that.
fn has_news_of_commits(view: &View<'_>, ready: &Ready) -> bool {
    let recorded = view.known.log.ticket();
    view.ticket.gates_in(&ready.target.needs).any(|gate| {
        let lapsed = |ticket: &Ticket| ticket.standing(gate, ready.name()).lapsed.len();
        view.ticket.commits.of(ready.name()).is_some() && lapsed(recorded) != lapsed(&view.ticket)
    })
}

/// Whether a record of this hub has the gates and freezes as this step has read them.
fn has_rules(view: &View<'_>) -> bool {
    let Some(rules) = &view.request.rules else { return true };
    let recorded = view.claims().own().filter_map(|(_, claim)| Some((claim, claim.rules.as_ref()?)));
    let newest = recorded.max_by_key(|(claim, _)| (claim.by.run, claim.by.attempt, claim.seq));
    match newest {
        Some((_, Word::Known(recorded))) => recorded == rules,
        Some((_, Word::Newer(_))) => true,
        None => rules.is_blank(),
    }
}

impl View<'_> {
    /// The gates and freezes, where no record of this hub has them.
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

    /// A hub job that has claimed the target and started nothing yet.
    fn claimed(hub_run: u64) -> Dispatch {
        dispatch(hub_run, [("web", StartState::Claimed)])
    }

    /// A hub job that has started the target.
    fn started(hub_run: u64) -> Dispatch {
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
            Story::of([target("web")]).after(claimed(50)).always("ask for hub run 50", Says::AtWork);
        assert_eq!(
            story.run_until("pause: another job has web"),
            ["read", "ask for hub run 50", "comment: web claimed", "read | board"]
        );
        story.write(
            Some(crate::names::CommentId(1)),
            &crate::ticket::Record::Dispatch(Dispatch { seq: 2, ..started(50) }).render(),
        );
        assert_eq!(
            story.run(),
            [
                "edit comment 2: web left to another job",
                "leave web alone: it was started already by its run",
                "board"
            ]
        );
        assert!(story.problems().is_empty());
    }

    #[test]
    fn a_job_that_came_second_yields_when_its_patience_ends_and_names_the_run_of_the_first_one() {
        let mut story =
            Story::of([target("web")]).after(claimed(50)).always("ask for hub run 50", Says::AtWork);
        let began = story.now;
        let lines = story.run();
        assert_eq!((story.now - began).num_minutes(), 2);
        assert_eq!(lines[lines.len() - 2..], ["edit comment 2: web left to another job", "board"]);
        assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
        let left = &story.known.own[0].record.targets[0];
        assert_eq!(left.because, Some(Word::Known(Reason::Claimed { run_url: "runs/50".to_owned() })));
    }

    #[test]
    fn a_claim_of_a_later_job_does_not_matter() {
        let mut story = Story::of([target("web")]).always("ask for hub run 50", Says::AtWork);
        story.run_until("board");
        assert_eq!(
            story.after(claimed(50)).run(),
            ["read | board", "start web", "edit comment 1: web started", "board"]
        );
    }

    #[test]
    fn a_job_that_the_token_may_not_see_counts_as_at_work_and_is_asked_for_once() {
        let mut story =
            Story::of([target("web")]).after(claimed(50)).always("ask for hub run 50", Says::NotForYou);
        let lines = story.run();
        assert_eq!(lines.iter().filter(|line| line.starts_with("ask")).count(), 1);
        assert_eq!(lines[lines.len() - 2..], ["edit comment 2: web left to another job", "board"]);
    }

    #[test]
    fn a_target_is_claimed_again_when_the_job_that_came_first_has_died() {
        let mut story = Story::of([target("web")]).following().after(claimed(50));
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
        let mut story = Story::of([target("web")]).following().after(claimed(50));
        story = story.always("ask for hub run 50", Says::AtWork);
        story.run_until("edit comment 2: web left to another job");
        // The other one came third: it did not matter as long as this job had its own claim.
        story = story.after(claimed(60)).always("ask for hub run 50", Says::Ended);
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
        let records = story.known.own.iter().map(|own| own.record.targets.len());
        assert_eq!(records.collect::<Vec<_>>(), [40, 40, 10]);
        let entries = story.known.own.iter().flat_map(|own| &own.record.targets);
        let started = entries.filter(|start| start.state == StartState::Started);
        assert_eq!(started.map(|start| start.target.as_str()).collect::<Vec<_>>(), names);
    }

    #[test]
    fn a_failed_target_is_started_again_once() {
        let mut story = Story::of([target("web")]).following().retrying(Retry::Failed).after(started(50));
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
                // Somebody may have deleted a later claim, and the run goes on.
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
        let mut story = Story::of([target("web")]).retrying(Retry::Failed).after(started(50));
        story = story.when("look at web", [Says::GoesOn]);
        let lines = story.run();
        assert!(lines.contains(&"start again: nothing".to_owned()), "{lines:#?}");
        assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
    }

    #[test]
    fn a_named_target_is_not_started_again_if_this_hub_run_has_started_it() {
        for (hub_run, retry, again) in [
            (HUB_RUN, Retry::Named, "start again: nothing"),
            (HUB_RUN, Retry::Failed, "start again: web"),
            (50, Retry::Named, "start again: web"),
        ] {
            let mut story = Story::of([target("web")]).retrying(retry).after(started(hub_run));
            story.request.by.attempt = 2;
            let lines = story.when("look at web", [Says::Failed]).run();
            assert!(lines.contains(&again.to_owned()), "{lines:#?}");
            assert_eq!(lines.contains(&"start web".to_owned()), again == "start again: web", "{lines:#?}");
        }
    }
}
