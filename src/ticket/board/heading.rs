//! The board's first lines: which release it is, how many targets are released, who drives it.

use super::unpinged;
use crate::ticket::state::Ticket;
use crate::ticket::status::TargetStatus;
use crate::ticket::text;

pub(super) fn heading(ticket: &Ticket) -> String {
    let name = ticket.release.as_deref().map(|name| format!(" {}", text::cut(&text::inline(name), 80)));
    let driver = ticket.driver.as_ref().map(|driver| format!(" · driver {}", unpinged(driver)));
    format!(
        "## Release{}\n\n{}{}\n\n",
        name.unwrap_or_default(),
        count_line(ticket, |text| format!("**{text}**")),
        driver.unwrap_or_default()
    )
}

/// `2 of 3 released · 1 failed`
pub(super) fn count_line(ticket: &Ticket, strong: impl Fn(&str) -> String) -> String {
    let released = ticket.targets.values().filter(|target| target.status.is_released()).count();
    let mut parts = vec![strong(&format!("{released} of {} released", ticket.targets.len()))];
    for status in TargetStatus::ALL.into_iter().filter(|status| !status.is_released()) {
        let count = ticket.count(status);
        if count > 0 {
            parts.push(format!("{} {}", status.emoji(), strong(&format!("{count} {}", status.word()))));
        }
    }
    parts.join(" · ")
}
