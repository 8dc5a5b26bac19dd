//! The board: there before the first run is, up to date before the job pauses or ends, and pinned once.

use super::known::{Due, TicketIs};
use super::step::Step;
use super::view::View;
use crate::plan::Effect;

/// Others wrote while this job wrote the board for the first time: it shows that before anything is started.
pub(super) fn show_the_board_first(view: &View<'_>) -> Vec<Step> {
    if view.known.board.due == Due::Now { vec![update_board(view)] } else { Vec::new() }
}

/// Nothing else is to be done now: the board shows it.
pub(super) fn show_the_board(view: &View<'_>) -> Vec<Step> {
    match (&view.known.ticket, view.known.board.due) {
        (TicketIs::New(_), _) => Vec::new(),
        (_, Due::Not) => pin(view).into_iter().collect(),
        _ => vec![update_board(view)],
    }
}

/// The step that brings the board up to date.
pub(super) fn update_board(view: &View<'_>) -> Step {
    Step::Apply(Effect::UpdateBoard { issue: view.issue.clone() })
}

/// The step that pins the board, if this job has created it.
pub(super) fn pin(view: &View<'_>) -> Option<Step> {
    let pin = |comment| Step::Apply(Effect::PinBoard { issue: view.issue.clone(), comment });
    view.known.board.to_pin.map(pin)
}
