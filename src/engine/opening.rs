//! The ticket: opened if there is none, and the only one of its release.

use super::known::TicketIs;
use super::step::Step;
use super::view::View;
use crate::plan::Effect;

pub(super) fn open_the_ticket(view: &View<'_>) -> Vec<Step> {
    match &view.known.ticket {
        TicketIs::New(new) => vec![Step::Apply(Effect::OpenIssue(new.clone()))],
        TicketIs::Open { .. } => Vec::new(),
    }
}

pub(super) fn close_duplicates(view: &View<'_>) -> Vec<Step> {
    let of = view.issue.number;
    let close = |issue: &_| Step::Apply(Effect::CloseDuplicate { issue: Clone::clone(issue), of });
    view.known.duplicates.iter().map(close).collect()
}
