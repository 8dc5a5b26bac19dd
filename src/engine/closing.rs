//! The end: the board shows what is known, what waits is said, and a released ticket is closed.

use super::claiming::leave;
use super::known::{Due, TicketIs};
use super::results;
use super::step::Step;
use super::verdict::Verdict;
use super::view::View;
use crate::names::TargetName;
use crate::plan::Effect;
use crate::ticket::{Log, Reason, Target};

const LAST_WORD: &str = "🎉 Every target is released, so this ticket is closed.";

/// The board is there before the first run is.
pub(super) fn show_the_board_first(view: &View<'_>) -> Vec<Step> {
    if view.known.board.due == Due::Now { update(view) } else { pin(view) }
}

/// Nothing else is to be done now: the board shows it.
pub(super) fn show_the_board(view: &View<'_>) -> Vec<Step> {
    if view.known.board.due == Due::Not { pin(view) } else { update(view) }
}

fn update(view: &View<'_>) -> Vec<Step> {
    if matches!(view.known.ticket, TicketIs::New(_)) {
        return Vec::new();
    }
    vec![Step::Apply(Effect::UpdateBoard { issue: view.issue.clone() })]
}

fn pin(view: &View<'_>) -> Vec<Step> {
    let pin = |comment| Step::Apply(Effect::PinBoard { issue: view.issue.clone(), comment });
    view.known.board.to_pin.map(pin).into_iter().collect()
}

/// Says what this job leaves for a later dispatch, and closes the ticket if everything is released.
pub(super) fn end(view: &View<'_>) -> Vec<Step> {
    let waiting = say_what_waits(view);
    if !waiting.is_empty() {
        return waiting;
    }
    let is_wanted = view.request.close && !view.known.is_closed;
    if is_wanted && is_done(&view.known.log, &view.request.listed) && !results::went_wrong(view) {
        let last_word = Some(LAST_WORD.to_owned());
        return vec![Step::Apply(Effect::CloseIssue { issue: view.issue.clone(), last_word })];
    }
    Vec::new()
}

pub(super) fn nothing_more(_: &View<'_>) -> Vec<Step> {
    Vec::new()
}

/// A job that does not wait starts no further wave.
fn say_what_waits(view: &View<'_>) -> Vec<Step> {
    if view.request.follow.is_some() {
        return Vec::new();
    }
    let quiet = view.request.targets.iter().filter(|ready| !view.known.left.contains(ready.name()));
    let waiting = quiet.filter_map(|ready| match view.verdict(ready) {
        Verdict::Hold(because @ Reason::Needs { .. }) => Some(leave(ready, because)),
        _ => None,
    });
    waiting.collect()
}

/// Whether every target of the ticket and every one that is `listed` is released, and no failure is open.
#[must_use]
pub fn is_done(log: &Log, listed: &[TargetName]) -> bool {
    let ticket = log.ticket();
    let is_released = |target: &Target| target.status.is_released();
    ticket.notices.is_empty()
        && ticket.targets.values().all(is_released)
        && listed.iter().all(|name| ticket.targets.get(name).is_some_and(is_released))
}
