//! The box below the heading: what blocks, and who acts next.

use super::unpinged;
use crate::ticket::need::{self, Urgency};
use crate::ticket::state::Ticket;

/// As many blockers are listed; the rows have the rest.
const BLOCKERS_LISTED: usize = 8;

/// What blocks, and who acts next.
pub(super) fn situation(ticket: &Ticket) -> String {
    let needs = need::needs(ticket);
    if needs.is_empty() {
        return calm(ticket);
    }
    let kind = match needs.iter().map(|need| need.action.urgency()).max() {
        Some(Urgency::Caution) => "CAUTION",
        Some(Urgency::Important) => "IMPORTANT",
        Some(Urgency::Note) | None => "NOTE",
    };
    let mut out = format!("> [!{kind}]\n");
    for need in needs.iter().take(BLOCKERS_LISTED) {
        out += &format!("> - {}\n", need.what);
    }
    if needs.len() > BLOCKERS_LISTED {
        out += &format!("> - and {} more, see below\n", needs.len() - BLOCKERS_LISTED);
    }
    if let Some(held_up) = need::held_up(ticket) {
        out += &format!("> - {held_up}\n");
    }
    let driver = ticket.driver.as_ref().map_or_else(|| "the release driver".to_owned(), unpinged);
    let actions = need::actions(ticket, &needs, &driver);
    out += ">\n> **Next:**";
    match &actions[..] {
        [one] => out += &format!(" {one}.\n\n"),
        many => {
            out += "\n";
            for action in many {
                out += &format!("> - {action}\n");
            }
            out += "\n";
        }
    }
    out
}

/// Nothing blocks: why, or that all is done.
fn calm(ticket: &Ticket) -> String {
    let is_over =
        !ticket.targets.is_empty() && ticket.targets.values().all(|target| target.status.is_released());
    let kind = if is_over { "TIP" } else { "NOTE" };
    format!("> [!{kind}]\n> {}\n\n", need::calm(ticket))
}
