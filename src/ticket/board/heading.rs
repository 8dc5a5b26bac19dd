//! The board's first lines: the release, the count of released targets, the driver, and the times.

use super::silent_login;
use super::time::{duration, moment};
use crate::ticket::state::Ticket;
use crate::ticket::status::TargetStatus;
use crate::ticket::text;

pub(super) fn heading(ticket: &Ticket) -> String {
    let name = ticket.release.as_deref().map(|name| format!(" {}", text::cut(&text::inline(name), 80)));
    let driver = ticket.driver.as_ref().map(|driver| format!("driver {}", silent_login(driver)));
    let about: Vec<String> = driver.into_iter().chain(times(ticket)).collect();
    let about = if about.is_empty() { String::new() } else { format!("\\\n{}", about.join(" · ")) };
    let count = count_line(ticket, |text| format!("**{text}**"));
    format!("## Release{}\n\n{count}{about}\n\n", name.unwrap_or_default())
}

/// The start and the duration of the release; the last change, while it is unfinished.
fn times(ticket: &Ticket) -> Option<String> {
    let targets = || ticket.targets.values();
    let start = targets().filter_map(|target| target.started_at).min()?;
    let decision_times = ticket.decisions.iter().map(|decision| decision.at);
    let last_change = targets().map(|target| target.changed_at).chain(decision_times).max()?;
    let end = targets().filter_map(|target| target.ended_at).max();
    let end = end.filter(|_| targets().all(|target| target.status.is_released()));
    let took = end.and_then(|end| duration(start, end)).map(|took| format!("took {took}"));
    let last = took.unwrap_or_else(|| format!("last change {}", moment(last_change, start.date_naive())));
    Some(format!("started {} UTC · {last}", start.format("%Y-%m-%d %H:%M")))
}

/// `2 of 3 released · 1 failed`
pub(super) fn count_line(ticket: &Ticket, strong: impl Fn(&str) -> String) -> String {
    let released_count = ticket.targets.values().filter(|target| target.status.is_released()).count();
    let mut parts = vec![strong(&format!("{released_count} of {} released", ticket.targets.len()))];
    for status in TargetStatus::ALL.into_iter().filter(|status| !status.is_released()) {
        let count = ticket.count(status);
        if count > 0 {
            parts.push(format!("{} {}", status.emoji(), strong(&status.count_phrase(count))));
        }
    }
    parts.join(" · ")
}
