//! The board: it exists before the first run, is up to date before the job pauses or ends, and is pinned once.

use super::facts::{Due, TicketState};
use super::step::Step;
use super::view::View;
use crate::plan::Effect;

/// Brings the board up to date before anything is started, if other jobs wrote records while this one created it.
pub(super) fn show_the_board_first(view: &View<'_>) -> Vec<Step> {
    if view.facts.board.due == Due::Now { vec![update_board(view)] } else { Vec::new() }
}

/// Brings the board up to date, because no other step is left for now; else pins it.
pub(super) fn show_the_board(view: &View<'_>) -> Vec<Step> {
    match (&view.facts.ticket, view.facts.board.due) {
        (TicketState::New(_), _) => Vec::new(),
        (_, Due::Not) => pin(view).into_iter().collect(),
        _ => vec![update_board(view)],
    }
}

pub(super) fn update_board(view: &View<'_>) -> Step {
    Step::Apply(Effect::UpdateBoard { issue: view.issue.clone() })
}

/// The step that pins the board, if this job has created it.
pub(super) fn pin(view: &View<'_>) -> Option<Step> {
    let pin = |comment| Step::Apply(Effect::PinBoard { issue: view.issue.clone(), comment });
    view.facts.board.comment_to_pin.map(pin)
}
