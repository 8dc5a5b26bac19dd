//! The end of a job: it reports the targets that wait, and closes a ticket on which everything is released.

use super::claiming::leave;
use super::request::Claim;
use super::results;
use super::step::Step;
use super::verdict::Verdict;
use super::view::View;
use crate::plan::Effect;
use crate::ticket::{PingEvent, Reason};

const LAST_WORD: &str = "🎉 Every target is released, so this ticket is closed.";

/// Reports the targets that this job leaves for a later dispatch, and closes the ticket if everything is released.
pub(super) fn end(view: &View<'_>) -> Vec<Step> {
    let steps = report_waiting_targets(view);
    if !steps.is_empty() {
        return steps;
    }
    // References stay until the ticket is closed: until then another job may start something.
    if view.facts.is_closed && view.facts.has_refs && matches!(view.request.claim, Claim::Ref { .. }) {
        let repository = view.issue.repository.clone();
        return vec![Step::Apply(Effect::DeleteRefs { repository, prefix: view.refs() })];
    }
    // A record of a newer release of the action may have targets that this one cannot read.
    let is_close_due =
        view.request.close && !view.facts.is_closed && view.ticket.unreadable_comments.is_empty();
    if is_close_due && view.ticket.is_done(&view.request.target_names) && !results::has_problems(view) {
        // A ping has the same text already.
        let has_ping = view.facts.pings.iter().any(|ping| ping.moment == PingEvent::Done);
        let last_word = Some(LAST_WORD.to_owned()).filter(|_| !has_ping);
        return vec![Step::Apply(Effect::CloseIssue { issue: view.issue.clone(), last_word })];
    }
    Vec::new()
}

pub(super) fn no_further_step(_: &View<'_>) -> Vec<Step> {
    Vec::new()
}

/// A job that does not follow its runs starts no further wave: it leaves the targets that wait.
fn report_waiting_targets(view: &View<'_>) -> Vec<Step> {
    if view.request.follow.is_some() {
        return Vec::new();
    }
    let targets = view.request.targets.iter().filter(|ready| !view.facts.skips.contains(ready.name()));
    let steps = targets.filter_map(|ready| match view.verdict(ready) {
        Verdict::Wait(reason @ Reason::Needs { .. }) => Some(leave(ready, reason)),
        _ => None,
    });
    steps.collect()
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::{Says, Story, dispatch, target};
    use crate::ticket::StartState;

    const CLOSE: &str = "close acme/hub#1, saying: 🎉 Every target is released, so this ticket is closed.";

    fn closing<const N: usize>(targets: [crate::engine::ReadyTarget; N]) -> Story {
        let mut story = Story::of(targets).following();
        story.request.close = true;
        story
    }

    #[test]
    fn the_ticket_is_closed_once_after_the_board_shows_that_all_is_released() {
        let lines = closing([target("web")]).run();
        assert_eq!(lines[lines.len() - 2..], ["board", CLOSE]);
    }

    #[test]
    fn the_ticket_stays_open_if_the_request_does_not_close_it() {
        assert!(!Story::of([target("web")]).following().run().contains(&CLOSE.to_owned()));
    }

    #[test]
    fn the_ticket_stays_open_while_a_listed_target_is_not_released() {
        let mut story = closing([target("web")]);
        story.request.target_names.push("api".into());
        assert!(!story.run().contains(&CLOSE.to_owned()));
    }

    #[test]
    fn the_ticket_stays_open_while_a_target_of_an_earlier_list_is_not_released() {
        let mut story = closing([target("web")]).after(dispatch(50, [("api", StartState::Started)]));
        assert!(!story.run().contains(&CLOSE.to_owned()));
    }

    #[test]
    fn the_ticket_stays_open_when_anything_went_wrong() {
        let lines = closing([target("web")]).always("look at web", Says::Failed).run();
        assert!(!lines.contains(&CLOSE.to_owned()), "{lines:#?}");
        let lines = closing([target("web")]).always("board", Says::Nothing).run();
        assert!(!lines.contains(&CLOSE.to_owned()), "{lines:#?}");
    }

    #[test]
    fn the_board_is_there_before_the_first_start_and_a_failure_to_show_it_stops_nothing() {
        let mut story = Story::of([target("web")]).always("board", Says::Refused);
        assert_eq!(
            story.run(),
            [
                "read",
                "comment: web claimed",
                "read | board",
                "start web",
                "edit comment 1: web started",
                "board"
            ]
        );
        assert_eq!(story.problems(), ["the board of acme/hub#1 is not up to date: it is refused"]);
    }

    #[test]
    fn a_board_that_this_job_has_created_is_pinned_once() {
        let lines = Story::of([target("web")]).when("board", [Says::NewBoard]).run();
        assert_eq!(
            lines[3..],
            ["pin the board of acme/hub#1 | start web", "edit comment 1: web started", "board"]
        );
    }

    #[test]
    fn a_ticket_that_cannot_be_closed_is_a_problem_and_not_tried_again() {
        let mut story = closing([target("web")]).always(CLOSE, Says::Refused);
        let lines = story.run();
        assert_eq!(lines.iter().filter(|line| *line == CLOSE).count(), 1);
        assert_eq!(story.problems(), ["cannot close acme/hub#1: it is refused"]);
    }
}
