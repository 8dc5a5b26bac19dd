//! The box below the heading: what blocks, and who acts next.

use super::{because, bold, message, rows_by_urgency, unpinged};
use crate::names::TargetName;
use crate::ticket::record::Notice;
use crate::ticket::second::SecondStart;
use crate::ticket::state::{Target, Ticket};
use crate::ticket::status::TargetStatus;
use crate::ticket::text;

/// As many blockers are listed; the rows have the rest.
const BLOCKERS_LISTED: usize = 8;

/// What blocks, and who acts next.
pub(super) fn situation(ticket: &Ticket) -> String {
    let blocked: Vec<_> = rows_by_urgency(ticket)
        .filter(|(_, target)| target.status.is_bad() || target.status == TargetStatus::Held)
        .collect();
    let mut lines: Vec<String> = blocked.iter().map(|(name, target)| blocker(ticket, name, target)).collect();
    let second: Vec<String> = ticket.second_starts.iter().filter_map(second_start).collect();
    let has_second_start = !second.is_empty();
    lines.extend(second);
    lines.extend(ticket.notices.iter().map(notice));
    lines.extend(newer(ticket));
    if !lines.is_empty() {
        lines.extend(held_up(ticket));
    }
    if lines.is_empty() {
        return calm(ticket);
    }
    let listed = lines.len().min(BLOCKERS_LISTED);
    let mut out = String::from("> [!CAUTION]\n");
    for line in &lines[..listed] {
        out += &format!("> - {line}\n");
    }
    if lines.len() > listed {
        out += &format!("> - and {} more, see below\n", lines.len() - listed);
    }
    let who = ticket.driver.as_ref().map_or_else(|| "the release driver".to_owned(), unpinged);
    let what = match blocked.first() {
        Some((_, target)) if target.status == TargetStatus::Held => "updates the action in the hub",
        Some((_, target)) if target.run.is_none() => "looks at the hub's run, then runs it again",
        Some(_) => "looks at the failing run, then re-runs its failed jobs there",
        None if has_second_start => {
            "cancels the second run, or runs the hub's workflow again, which does that"
        }
        None if ticket.notices.is_empty() => "updates the action in the hub",
        None => "looks at what was notified",
    };
    format!("{out}>\n> **Next:** {who} {what}.\n\n")
}

/// The targets that wait for one that failed.
fn held_up(ticket: &Ticket) -> Option<String> {
    let held: Vec<String> = ticket
        .targets
        .iter()
        .filter(|(_, target)| target.status == TargetStatus::Waiting)
        .filter(|(_, target)| ticket.held_up_by(&target.needs).is_some())
        .map(|(name, _)| bold(name))
        .collect();
    (!held.is_empty()).then(|| format!("held up by that: {}", held.join(", ")))
}

fn blocker(ticket: &Ticket, name: &TargetName, target: &Target) -> String {
    let run = target.run.as_ref();
    let at =
        target.stage.as_ref().map(|stage| format!(" at {}", text::code(&stage.name))).unwrap_or_default();
    let attempt =
        run.filter(|run| run.attempt > 1).map(|run| format!(", attempt {}", run.attempt)).unwrap_or_default();
    let link = run
        .and_then(|run| run.url.as_deref())
        .map(|url| format!(" · {}", text::foreign_link("failing run", url)));
    let said = target.stage.as_ref().and_then(|stage| stage.message.clone());
    let said = said.or_else(|| because(ticket, target, ToString::to_string));
    let what = match (target.status, run) {
        (TargetStatus::Cancelled, _) => "was cancelled",
        (TargetStatus::Held, _) => "is held",
        (_, None) => "could not be started",
        _ => "failed",
    };
    format!(
        "**{}** {what}{at}{attempt}{}{}",
        text::inline(name.as_str()),
        said.map(|said| format!(": {}", message(&said))).unwrap_or_default(),
        link.unwrap_or_default()
    )
}

/// A second run that nobody has cancelled yet, as far as the ticket tells.
fn second_start(second: &SecondStart) -> Option<String> {
    let link = |what: &str, url: &Option<String>| {
        url.as_deref().map(|url| format!(" · {}", text::foreign_link(what, url))).unwrap_or_default()
    };
    let links = [link("second run", &second.run_url), link("first run", &second.first_url)].concat();
    let line = || format!("**{}** was started twice{links}", text::inline(second.target.as_str()));
    (!second.is_settled).then(line)
}

fn notice(notice: &Notice) -> String {
    let place = notice.url.as_deref().unwrap_or(&notice.run_url);
    format!(
        "{} notified, job {}: {} · {}",
        text::repository(&notice.by.repository),
        text::code(&notice.by.job),
        message(&notice.message),
        text::foreign_link("failing run", place)
    )
}

/// Records of a newer release: what they say is missing here.
fn newer(ticket: &Ticket) -> Option<String> {
    let records = match ticket.unreadable.len() {
        0 => return None,
        1 => "a record".to_owned(),
        count => format!("{count} records"),
    };
    Some(format!("a newer release of the action wrote {records} that this board cannot show in full"))
}

/// Nothing blocks: what is awaited, or that all is done.
fn calm(ticket: &Ticket) -> String {
    const NAMED: usize = 6;
    let open: Vec<_> = rows_by_urgency(ticket).filter(|(_, target)| !target.status.is_released()).collect();
    if ticket.targets.is_empty() {
        return "> [!NOTE]\n> Nothing has been started yet.\n\n".to_owned();
    }
    if open.is_empty() {
        return "> [!TIP]\n> **Everything is released.** Nothing is left to do.\n\n".to_owned();
    }
    let names: Vec<_> = open.iter().take(NAMED).map(|(name, _)| bold(name)).collect();
    let more = open.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("> [!NOTE]\n> Nothing blocks. Awaited: {}{more}.\n\n", names.join(", "))
}
