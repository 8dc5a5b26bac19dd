//! Repair of second starts. If GitHub's lists lag, two jobs may start the same target. The later claim loses: its run is
//! cancelled, the ticket says so, and its job fails. Another job that sees the two starts does the same, and fails in
//! place of that job if that has ended. Only claims of this hub's own identity count.

use super::ready::ReadyTarget;
use super::starting::rewrite_records;
use super::step::Step;
use super::view::View;
use crate::names::RunId;
use crate::plan::Effect;
use crate::ticket::claim::Liveness;
use crate::ticket::{Reason, SecondStart, Start, StartState, Writer};

/// The other hub jobs that made second starts.
pub(super) fn other_jobs<'v>(view: &'v View<'_>) -> impl Iterator<Item = &'v Writer> {
    open_second_starts(view).map(|(second, _)| &second.by).filter(|by| **by != view.request.by)
}

/// Cancels the runs of second starts, of this job or another one.
pub(super) fn cancel_second_starts(view: &View<'_>) -> Vec<Step> {
    let cancel = open_second_starts(view).filter_map(|(second, _)| {
        let run = second.run.filter(|run| !view.facts.cancelled_runs.contains(run))?;
        let (target, repository) = (second.target.clone(), second.repository.clone());
        Some(Step::Apply(Effect::CancelRun { target, repository, run }))
    });
    cancel.collect()
}

/// Records second starts: in this job's own claim, else in a new record.
pub(super) fn record_second_starts(view: &View<'_>) -> Vec<Step> {
    let own = rewrite_records(view, |own, start| {
        let mut second = view.ticket.second_starts.iter().filter(|_| start.state == StartState::Started);
        let second = second.find(|second| second.claim == own.comment && second.target == start.target)?;
        if second.run.is_some_and(|run| !is_cancelled(view, run)) {
            return None;
        }
        Some(Start {
            state: StartState::Superseded.into(),
            reason: Some(second_start_reason(second).into()),
            at: view.now,
            ..start.clone()
        })
    });
    if !own.is_empty() {
        return own;
    }
    let entries = open_second_starts(view).filter_map(|(second, ready)| {
        let run = second.run.filter(|run| is_cancelled(view, *run))?;
        let entry = ready.entry(StartState::Superseded, Some(second_start_reason(second)), view.now);
        Some(Start { run: Some(run), run_url: second.run_url.clone(), ..entry })
    });
    new_record(view, entries.collect())
}

fn is_cancelled(view: &View<'_>, run: RunId) -> bool {
    view.facts.cancelled_runs.contains(&run) && !view.facts.uncancelled_runs.contains(&run)
}

fn second_start_reason(second: &SecondStart) -> Reason {
    Reason::Second { run_url: second.first_url.clone() }
}

fn new_record(view: &View<'_>, entries: Vec<Start>) -> Vec<Step> {
    if entries.is_empty() {
        return Vec::new();
    }
    vec![view.write(None, view.record(view.last_seq() + 1, entries, Vec::new()))]
}

/// The second starts of this job's targets whose end is not recorded yet.
fn open_second_starts<'v>(view: &'v View<'_>) -> impl Iterator<Item = (&'v SecondStart, &'v ReadyTarget)> {
    let second = view.ticket.second_starts.iter().filter(|second| !second.is_settled);
    second.filter_map(|second| {
        let mut targets = view.request.targets.iter();
        let is_listed = |ready: &&ReadyTarget| {
            *ready.name() == second.target && ready.target.repository == second.repository
        };
        Some((second, targets.find(is_listed)?))
    })
}

/// Whether this job fails for the second start: it is its own, or it has cancelled the run and the other job has ended.
pub(super) fn fails_for(view: &View<'_>, second: &SecondStart) -> bool {
    let is_own = view.facts.own_records.iter().any(|own| own.comment == second.claim);
    let is_cancelled_here = second.run.is_some_and(|run| view.facts.cancelled_runs.contains(&run));
    is_own || is_cancelled_here && view.liveness(&second.by) == Liveness::Ended
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::{HUB_RUN, Says, Story, dispatch, target};
    use crate::names::{CommentId, RunId};
    use crate::ticket::{Dispatch, Record, StartState};

    /// The record of another hub job, which has started the target and whose claim has this comment.
    fn started_dispatch(hub_run: u64) -> Dispatch {
        dispatch(hub_run, [("web", StartState::Started)])
    }

    /// A job that has started the target as run 101 although comment 1 claimed it first, unseen.
    fn second() -> Story {
        let mut story = Story::of([target("web")]);
        story.write(None, "Hello");
        story.run_until("edit comment 2: web started");
        story
    }

    #[test]
    fn a_job_whose_start_came_second_cancels_its_run_says_so_and_fails() {
        let mut story = second();
        story.write(Some(CommentId(1)), &Record::Dispatch(started_dispatch(50)).render());
        let lines = story.run();
        assert_eq!(
            lines[1..],
            [
                "cancel web, run 101 of acme/web",
                "edit comment 2: web started a second time",
                "leave web alone: it was already started: its run",
                "board"
            ],
            "{lines:#?}"
        );
        let problem = "web: it was started twice; an earlier start came first, so the second run does not count: \
                       runs/101";
        assert_eq!(story.problems(), [problem]);
        assert_eq!(story.facts.log.ticket().targets["web"].run.as_ref().map(|run| run.id), Some(RunId(51)));
    }

    #[test]
    fn a_job_that_came_first_cancels_the_second_run_of_a_job_that_has_ended_and_fails_in_its_place() {
        let mut story = Story::of([target("web")]);
        story.run_until("edit comment 1: web started");
        let mut story = story.after(started_dispatch(150));
        let lines = story.run();
        assert!(lines.contains(&"cancel web, run 151 of acme/web".to_owned()), "{lines:#?}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("cancel")).count(), 1);
        assert_eq!(story.problems().len(), 1);
        assert_eq!(story.facts.log.ticket().targets["web"].run.as_ref().map(|run| run.id), Some(RunId(101)));
    }

    #[test]
    fn a_later_job_with_nothing_to_start_cancels_the_second_run_and_records_that_once() {
        let mut story = Story::of([target("web")]).after(started_dispatch(50)).after(started_dispatch(60));
        assert_eq!(
            story.run(),
            [
                "read",
                "look at web",
                "ask for hub run 60",
                "comment: web released",
                "leave web alone: it is already released",
                "cancel web, run 61 of acme/web",
                "comment: web started a second time",
                "read | board"
            ]
        );
        let mut later = Story::of([target("web")]);
        later.request.by.run = RunId(HUB_RUN + 1);
        later.facts.log = story.facts.log.clone();
        let lines = later.run();
        assert!(!lines.iter().any(|line| line.contains("cancel") || line.contains("comment")), "{lines:#?}");
    }

    #[test]
    fn a_job_that_is_at_work_fails_by_itself_for_its_second_start() {
        let mut story = Story::of([target("web")]);
        story.run_until("edit comment 1: web started");
        let mut story = story.after(started_dispatch(150)).always("ask for hub run 150", Says::AtWork);
        let lines = story.run();
        assert!(lines.contains(&"cancel web, run 151 of acme/web".to_owned()), "{lines:#?}");
        assert!(story.problems().is_empty());
    }

    #[test]
    fn a_second_run_of_another_account_is_not_cancelled() {
        let mut story = second();
        let mut comment = story.write(None, &Record::Dispatch(started_dispatch(150)).render());
        comment.author = Some("mallory".to_owned());
        story.facts.log.extend([comment]);
        let lines = story.run();
        assert!(!lines.iter().any(|line| line.starts_with("cancel")), "{lines:#?}");
    }

    #[test]
    fn a_start_after_a_failure_is_not_a_second_one() {
        let story =
            Story::of([target("web")]).retrying(crate::engine::Retry::Failed).after(started_dispatch(50));
        let lines = story.when("look at web", [Says::Failed]).run();
        assert!(lines.contains(&"start web".to_owned()), "{lines:#?}");
        assert!(!lines.iter().any(|line| line.starts_with("cancel")), "{lines:#?}");
    }

    #[test]
    fn a_run_that_two_jobs_record_is_one_start() {
        let mut story = second();
        let mut same = started_dispatch(50);
        same.targets[0].run = Some(RunId(HUB_RUN + 1));
        story.write(Some(CommentId(1)), &Record::Dispatch(same).render());
        let lines = story.run();
        assert!(!lines.iter().any(|line| line.starts_with("cancel")), "{lines:#?}");
    }
}
