//! Locks: with `claim: ref` a job starts a target only if it has created the target's git reference in the
//! hub. GitHub creates a reference at most once, even if its replicas lag.
//!
//! A job asks for the reference if it has read no claim that forbids the start. If the reference exists, its owner
//! starts the target, or has ended: then the next turn is free, a reference with the next number. No job deletes a
//! reference before the ticket is closed, so no job can free one that another job has just created.
//!
//! The owner names its turn when it records its start. An owner that ended before that is one of the jobs that
//! claim the target: the next turn is free only if all of them have ended, and only after the time that a list may lag.

use chrono::{DateTime, Utc};

use super::facts::{Lag, Lock, OwnRecord, later};
use super::ready::ReadyTarget;
use super::request::Claim;
use super::step::Step;
use super::view::View;
use crate::names::TargetName;
use crate::plan::{Effect, NewRef};
use crate::ticket::claim::{self, Counting, Liveness, Standing};
use crate::ticket::{Dispatch, Start, StartState, Word, Writer};

impl View<'_> {
    /// The standing of a target that this job claims by its record `own`.
    pub(super) fn standing_of_claim(&self, own: &OwnRecord, target: &TargetName) -> Standing {
        let others = Counting { after: self.retried_claim(target), before: None, except: Some(own.comment) };
        let standing =
            |liveness: &dyn Fn(&Writer) -> Liveness| claim::standing(self.claims(), target, others, liveness);
        match self.facts.locks.get(target) {
            // A job without the reference starts nothing; a job that had an earlier turn may have started the target.
            Some(Lock::Owned { .. }) => standing(&|job| match self.liveness(job) {
                Liveness::Alive => Liveness::Idle,
                liveness => liveness,
            }),
            Some(Lock::Taken { turn, since, .. }) => {
                let has_ended = self.has_owner_ended(target, *turn)
                    || self.now - *since >= Lag::LIMIT && self.have_claimants_ended(target);
                match standing(&|job| self.liveness(job)) {
                    Standing::Free | Standing::Uncertain(_) | Standing::ClaimedByOthers(_) if !has_ended => {
                        Standing::Locked { by: self.ref_of(target, *turn) }
                    }
                    standing => standing,
                }
            }
            // A later claim may not start the target. If it did so all the same, another start would be a second one.
            Some(Lock::Unclear { .. }) | None => match standing(&|job| self.liveness(job)) {
                standing @ Standing::Started { .. } => standing,
                _ => self.standing(target, Some(own.comment)),
            },
        }
    }

    /// Whether another job has the reference of any target, so that later claims count, too.
    pub(super) fn is_locked_out(&self) -> bool {
        self.facts.locks.keys().any(|target| self.is_locked_out_of(target))
    }

    /// Whether another job has the target's reference.
    pub(super) fn is_locked_out_of(&self, target: &TargetName) -> bool {
        matches!(self.facts.locks.get(target), Some(Lock::Taken { .. }))
    }

    /// Whether this job may have the target's reference, after a request without a clear answer.
    ///
    /// It cannot free the turn, which may belong to another job that starts the target.
    pub(super) fn may_have_the_lock(&self, target: &TargetName) -> bool {
        let lock = self.facts.locks.get(target);
        matches!(lock, Some(Lock::Unclear { .. } | Lock::Taken { is_unclear: true, .. }))
    }

    /// Whether the owner of this turn has recorded the outcome of its start.
    fn has_owner_ended(&self, target: &TargetName, turn: u32) -> bool {
        let mut others = self.claims_of_others(target);
        let is_recorded =
            |state: &Word<StartState>| *state != StartState::Claimed && *state != StartState::Yielded;
        others.any(|(_, start)| start.turn == Some(turn) && is_recorded(&start.state))
    }

    /// The end of this job's wait for the owner of a reference.
    pub(super) fn locked_until(&self, target: &TargetName, patience_ends: DateTime<Utc>) -> DateTime<Utc> {
        match self.facts.locks.get(target) {
            Some(Lock::Taken { since, .. }) => {
                patience_ends.max(later(*since + Lag::LIMIT, self.request.patience.poll * 2))
            }
            _ => patience_ends,
        }
    }

    /// Whether other jobs claim the target, and all of them have ended.
    fn have_claimants_ended(&self, target: &TargetName) -> bool {
        let mut claims = self.claims_of_others(target).peekable();
        claims.peek().is_some()
            && claims.all(|(dispatch, start)| {
                start.state != StartState::Claimed || self.liveness(&dispatch.by) == Liveness::Ended
            })
    }

    /// The claims of other steps on the target; if it is started again, only those after its failed start.
    fn claims_of_others<'s>(
        &'s self,
        target: &'s TargetName,
    ) -> impl Iterator<Item = (&'s Dispatch, &'s Start)> {
        let after = self.retried_claim(target);
        let is_own = |comment| self.facts.own_records.iter().any(|own| own.comment == comment);
        // A target that this step has given back has to be claimed anew, by this step, too.
        let is_given_back = |start: &Start| start.state == StartState::Waiting && start.turn.is_some();
        let counts = move |comment| after.is_none_or(|after| comment > after);
        let claims = self.claims().own().filter(move |(comment, _)| counts(comment.id));
        let starts = claims.flat_map(move |(comment, dispatch)| {
            let starts =
                dispatch.targets.iter().filter(move |start| !is_own(comment.id) || is_given_back(start));
            starts.map(move |start| (dispatch, start))
        });
        // A job that has left the target to another one has never had the reference, unless it names the turn.
        let has_left = |start: &Start| start.state == StartState::Yielded && start.turn.is_none();
        let is_waiting = move |start: &Start| start.state == StartState::Waiting && !is_given_back(start);
        let may_own = move |start: &Start| !is_waiting(start) && !has_left(start);
        starts.filter(move |(_, start)| start.target == *target && may_own(start))
    }

    /// The name of the reference of a turn.
    fn ref_of(&self, target: &TargetName, turn: u32) -> String {
        let after = self.retried_claim(target).map_or(0, |after| after.0);
        format!("{}{}/{after}-{turn}", self.refs(), encode(target.as_str()))
    }

    /// The prefix of the names of all references of the ticket.
    pub(super) fn refs(&self) -> String {
        format!("refs/release-ticket/{}/", self.issue.number)
    }
}

/// The step that claims a target by its reference; `None` if this job has it, or if jobs claim by comments.
pub(super) fn claim_by_ref(view: &View<'_>, ready: &ReadyTarget) -> Option<Step> {
    let Claim::Ref { sha } = &view.request.claim else { return None };
    let target = ready.name();
    let turn = match view.facts.locks.get(target) {
        Some(Lock::Owned { .. }) => return None,
        Some(Lock::Taken { turn, .. }) => turn.saturating_add(1),
        Some(Lock::Unclear { turn }) => *turn,
        None => {
            let starts =
                view.claims_of_others(target).filter(|(_, start)| start.state != StartState::Yielded);
            let starts = starts.filter_map(|(_, start)| start.turn);
            starts.max().map_or(0, |turn| turn.saturating_add(1))
        }
    };
    Some(Step::Apply(Effect::CreateRef(NewRef {
        target: target.clone(),
        repository: view.issue.repository.clone(),
        name: view.ref_of(target, turn),
        sha: sha.clone(),
        turn,
    })))
}

/// A name as a part of a reference's name, where git allows
/// [few characters](https://git-scm.com/docs/git-check-ref-format).
fn encode(name: &str) -> impl std::fmt::Display + '_ {
    const ESCAPED: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_');
    percent_encoding::utf8_percent_encode(name, ESCAPED)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use crate::command::{About, Command};
    use crate::engine::Claim;
    use crate::engine::testing::{Says, Story, dispatch, target, with_command};
    use crate::names::CommentId;
    use crate::ticket::{Dispatch, Record, StartState, Verb};

    const FIRST: &str = "claim web by refs/release-ticket/1/web/0-0 in acme/hub";
    const NEXT: &str = "claim web by refs/release-ticket/1/web/0-1 in acme/hub";

    fn by_ref() -> Story {
        let mut story = Story::of([target("web")]);
        story.request.claim = Claim::Ref { sha: "c0ffee".to_owned() };
        story
    }

    impl Story {
        /// Runs the job until a step, and then holds the release.
        fn with_hold_before(mut self, step: &str) -> Self {
            self.run_until(step);
            let mut job = self.another_job(7, Verb::Hold).always("ask for hub run 100", Says::AtWork);
            job.run();
            self.facts.log = job.facts.log;
            self
        }

        /// A later job that ends all holds.
        fn later_job_with_resume(&self) -> Self {
            self.another_job(8, Verb::Resume)
        }

        fn another_job(&self, comment: u64, verb: Verb) -> Self {
            let mut job = by_ref();
            job.request.by.run.0 = 1000 + comment;
            job.facts.log = self.facts.log.clone();
            job.now = self.now;
            with_command(job, comment, Command { verb, about: About::Default, reason: None })
        }
    }

    fn claim_record() -> Dispatch {
        dispatch(50, [("web", StartState::Claimed)])
    }

    #[test]
    fn a_target_is_started_by_the_job_that_has_created_its_reference() {
        let lines = by_ref().run();
        assert_eq!(lines[3..], [FIRST, "start web", "edit comment 1: web started", "board"], "{lines:#?}");
    }

    #[test]
    fn a_job_that_comes_second_waits_for_an_owner_whose_claim_no_list_shows_yet() {
        let mut story = by_ref().when(FIRST, [Says::Exists]);
        story.run_until("pause: another job has web");
        story = story.after(claim_record()).always("ask for hub run 50", Says::AtWork);
        let lines = story.run_until("edit comment 1: web left to another job");
        assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
        story.write(
            Some(CommentId(2)),
            &Record::Dispatch(Dispatch { seq: 2, ..dispatch(50, [("web", StartState::Started)]) }).render(),
        );
        let lines = story.run();
        assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
        assert!(story.problems().is_empty());
    }

    #[test]
    fn an_owner_that_no_list_ever_shows_is_named_by_its_reference() {
        let mut story = by_ref().when(FIRST, [Says::Exists]);
        let lines = story.run();
        assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
        assert!(story.problems()[0].contains("cannot start web"), "{:?}", story.problems());
        let reason = story.facts.own_records[0].record.targets[0].reason.as_ref().expect("a reason");
        let reason = reason.clause(ToString::to_string);
        assert!(reason.contains("refs/release-ticket/1/web/0-0"), "{reason}");
    }

    #[test]
    fn the_reference_of_a_dead_job_is_taken_over_when_lists_have_had_time_to_show_its_claim() {
        let mut story = by_ref().after(claim_record()).when(FIRST, [Says::Exists]);
        story.run_until(FIRST);
        let beginning = story.now;
        let lines = story.run_until(NEXT);
        assert!(story.now - beginning >= TimeDelta::seconds(60), "{lines:#?}");
        let lines = story.run();
        assert_eq!(lines[..3], [NEXT, "read", "find web"], "the dead job may have started it");
        assert!(lines.contains(&"start web".to_owned()), "{lines:#?}");
    }

    #[test]
    fn the_turn_after_one_that_was_refused_is_free_at_once() {
        let mut story = by_ref().when("start web", [Says::Refused]);
        story.run();
        let record = story.facts.own_records[0].record.clone();
        assert_eq!(record.targets[0].turn, Some(0));
        let mut later = by_ref().after(Dispatch { by: dispatch(50, []).by, ..record });
        let lines = later.run();
        assert!(lines.contains(&NEXT.to_owned()) && lines.contains(&"start web".to_owned()), "{lines:#?}");
    }

    #[test]
    fn a_target_that_another_job_has_left_is_started_though_a_run_was_looked_for() {
        let mut story = by_ref().after(claim_record());
        story.run_until("pause: listing");
        let record = Dispatch { seq: 2, ..dispatch(50, [("web", StartState::Yielded)]) };
        story.write(Some(CommentId(1)), &Record::Dispatch(record).render());
        assert_eq!(story.run()[..2], ["start web", "edit comment 2: web started"]);
    }

    #[test]
    fn the_rerun_of_a_job_that_may_have_created_the_reference_takes_the_next_turn() {
        let mut story = by_ref().when(FIRST, [Says::Nothing, Says::Exists]);
        story.run();
        let record = story.facts.own_records[0].record.clone();
        assert_eq!(record.targets[0].turn, Some(0));
        let mut rerun = by_ref().after(record).when(FIRST, [Says::Exists]);
        rerun.request.by.attempt = 2;
        let lines = rerun.run();
        assert!(lines.contains(&NEXT.to_owned()) && lines.contains(&"start web".to_owned()), "{lines:#?}");
        assert!(rerun.problems().is_empty());
    }

    #[test]
    fn a_later_step_of_a_job_takes_the_turn_after_a_refused_one_of_an_earlier_step() {
        let mut story = by_ref().when("start web", [Says::Refused]);
        story.run();
        let lines = by_ref().after(story.facts.own_records[0].record.clone()).run();
        assert!(lines.contains(&NEXT.to_owned()) && lines.contains(&"start web".to_owned()), "{lines:#?}");
    }

    #[test]
    fn a_target_that_is_given_back_on_a_hold_is_started_by_the_next_turn_when_that_ends() {
        let mut story = by_ref().with_hold_before("start web");
        story.run();
        let entry = &story.facts.own_records[0].record.targets[0];
        assert_eq!((&entry.state, entry.turn), (&StartState::Waiting.into(), Some(0)));
        let lines = story.later_job_with_resume().run();
        assert!(lines.contains(&NEXT.to_owned()) && lines.contains(&"start web".to_owned()), "{lines:#?}");
    }

    #[test]
    fn a_turn_that_another_job_may_have_is_not_given_back_on_a_hold() {
        let story = by_ref().when(FIRST, [Says::Nothing, Says::Exists]);
        let mut story = story.with_hold_before("pause: another job has web");
        let lines = story.run();
        assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
        let entry = &story.facts.own_records[0].record.targets[0];
        assert_eq!((&entry.state, entry.turn), (&StartState::Yielded.into(), Some(0)));
    }

    #[test]
    fn without_permission_nothing_is_started() {
        let mut story = by_ref().when(FIRST, [Says::Refused]);
        let lines = story.run();
        assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
        assert_eq!(story.problems(), ["cannot start web: it is refused"]);
    }

    #[test]
    fn an_unclear_answer_is_asked_for_again_and_a_reference_that_exists_then_is_not_taken_for_its_own() {
        let mut story = by_ref().when(FIRST, [Says::Nothing, Says::Exists]);
        let lines = story.run();
        assert_eq!(lines.iter().filter(|line| *line == FIRST).count(), 2);
        assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
    }
}
