//! Opening: a release has one ticket, which is opened if it does not exist, and its duplicates are closed.

use super::facts::TicketState;
use super::step::Step;
use super::view::View;
use crate::plan::Effect;

pub(super) fn open_the_ticket(view: &View<'_>) -> Vec<Step> {
    match &view.facts.ticket {
        TicketState::New(new) => vec![Step::Apply(Effect::OpenIssue(new.clone()))],
        TicketState::Open { .. } => Vec::new(),
    }
}

pub(super) fn close_duplicates(view: &View<'_>) -> Vec<Step> {
    let of = view.issue.number;
    let close = |issue: &_| Step::Apply(Effect::CloseDuplicate { issue: Clone::clone(issue), of });
    view.facts.duplicates.iter().map(close).collect()
}

#[cfg(test)]
mod tests {
    use crate::engine::TicketState;
    use crate::engine::testing::{Says, Story, target};
    use crate::names::IssueNumber;
    use crate::plan::NewIssue;
    use crate::ticket::Key;

    fn without_a_ticket() -> Story {
        let mut story = Story::of([target("web")]);
        story.facts.ticket = TicketState::New(Box::new(NewIssue {
            repository: "acme/hub".parse().expect("a name"),
            title: "Release v1".to_owned(),
            body: String::new(),
            labels: Vec::new(),
            assignee: None,
            key: Key::Release("v1".to_owned()),
        }));
        story
    }

    #[test]
    fn a_ticket_that_this_job_has_opened_is_first_read_after_the_claim() {
        assert_eq!(
            without_a_ticket().run(),
            [
                "open a ticket",
                "comment: web claimed",
                "read | board",
                "start web",
                "edit comment 1: web started",
                "board"
            ]
        );
    }

    #[test]
    fn without_a_ticket_nothing_is_started() {
        let mut story = without_a_ticket().when("open a ticket", [Says::Refused]);
        assert_eq!(story.run(), ["open a ticket"]);
        assert_eq!(story.problems(), ["cannot open a ticket in acme/hub: it is refused"]);
    }

    #[test]
    fn duplicates_of_the_ticket_are_closed_once_before_it_is_read() {
        let mut story = Story::of([target("web")]);
        let duplicate = |number| crate::names::IssueRef {
            number: IssueNumber(number),
            repository: "acme/hub".parse().expect("a name"),
        };
        story.facts.duplicates = vec![duplicate(8), duplicate(9)];
        let lines = story.run();
        assert_eq!(lines[0], "close acme/hub#8 as a duplicate of #1 | close acme/hub#9 as a duplicate of #1");
        assert_eq!(lines[1], "read");
        assert!(!lines[1..].iter().any(|line| line.contains("duplicate")), "{lines:#?}");
    }
}
