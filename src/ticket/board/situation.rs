//! The box below the heading: the blockers, and the next actions of people.

use super::silent_login;
use crate::ticket::need::{self, Urgency};
use crate::ticket::state::Ticket;

/// The most blockers in the box; the rows have the rest.
const BLOCKERS_LIMIT: usize = 8;

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
    for need in needs.iter().take(BLOCKERS_LIMIT) {
        out += &format!("> - {}\n", need.what);
    }
    if needs.len() > BLOCKERS_LIMIT {
        out += &format!("> - and {} more, see below\n", needs.len() - BLOCKERS_LIMIT);
    }
    if let Some(blocked_targets) = need::blocked_targets(ticket) {
        out += &format!("> - {blocked_targets}\n");
    }
    let driver = ticket.driver.as_ref().map_or_else(|| "the release driver".to_owned(), silent_login);
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

/// The box without blockers: the targets are under way, or all released.
fn calm(ticket: &Ticket) -> String {
    let is_released =
        !ticket.targets.is_empty() && ticket.targets.values().all(|target| target.status.is_released());
    let kind = if is_released { "TIP" } else { "NOTE" };
    format!("> [!{kind}]\n> {}\n\n", need::calm(ticket))
}
