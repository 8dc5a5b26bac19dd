//! The board's first lines: which release it is, how many targets are released, who drives it, and when
//! it took place.

use super::time::{duration, moment};
use super::unpinged;
use crate::ticket::state::Ticket;
use crate::ticket::status::TargetStatus;
use crate::ticket::text;

pub(super) fn heading(ticket: &Ticket) -> String {
    let name = ticket.release.as_deref().map(|name| format!(" {}", text::cut(&text::inline(name), 80)));
    let driver = ticket.driver.as_ref().map(|driver| format!("driver {}", unpinged(driver)));
    let about: Vec<String> = driver.into_iter().chain(times(ticket)).collect();
    let about = if about.is_empty() { String::new() } else { format!("\\\n{}", about.join(" · ")) };
    let count = count_line(ticket, |text| format!("**{text}**"));
    format!("## Release{}\n\n{count}{about}\n\n", name.unwrap_or_default())
}

/// When it started, and how long it took; while it goes on, when anything last changed.
fn times(ticket: &Ticket) -> Option<String> {
    let targets = || ticket.targets.values();
    let started = targets().filter_map(|target| target.started).min()?;
    let decided = ticket.decisions.iter().map(|decision| decision.at);
    let changed = targets().map(|target| target.changed).chain(decided).max()?;
    let ended = targets().filter_map(|target| target.ended).max();
    let ended = ended.filter(|_| targets().all(|target| target.status.is_released()));
    let took = ended.and_then(|ended| duration(started, ended)).map(|took| format!("took {took}"));
    let last = took.unwrap_or_else(|| format!("last change {}", moment(changed, started.date_naive())));
    Some(format!("started {} UTC · {last}", started.format("%Y-%m-%d %H:%M")))
}

/// `2 of 3 released · 1 failed`
pub(super) fn count_line(ticket: &Ticket, strong: impl Fn(&str) -> String) -> String {
    let released = ticket.targets.values().filter(|target| target.status.is_released()).count();
    let mut parts = vec![strong(&format!("{released} of {} released", ticket.targets.len()))];
    for status in TargetStatus::ALL.into_iter().filter(|status| !status.is_released()) {
        let count = ticket.count(status);
        if count > 0 {
            parts.push(format!("{} {}", status.emoji(), strong(&status.counted(count))));
        }
    }
    parts.join(" · ")
}
