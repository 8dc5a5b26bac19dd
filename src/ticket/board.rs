//! The board: the one comment that shows the whole release at a glance.
//!
//! The most important parts for a release driver come first: the count, the blockers and the next actions, then a row for
//! each target, the most urgent on top. The board is a plain function of the folded records. It keeps GitHub's limit with
//! any number of targets, and says how much it leaves out. Each part is a file: `heading`, `situation`, `table` with its
//! `row`s, `gates`, `decisions`, `graph`, `history`; a `page` collects them.

mod decisions;
mod gates;
mod graph;
mod heading;
mod history;
mod old_rows;
mod page;
mod progress;
mod row;
mod situation;
mod table;
pub(super) mod time;

use std::collections::BTreeMap;

use super::board_data::BoardData;
use super::marker::{self, Kind};
use super::state::{Target, Ticket};
use super::status::TargetStatus;
use super::text;
use crate::names::{Login, TargetName};
pub(super) use old_rows::OldRows;
use page::Page;
pub use row::Row;

/// The most characters of a message on the board, which is its first line.
const MESSAGE_LIMIT: usize = 160;

/// The space between parts that stay on one line: an emoji and its word, a number and its unit.
const NO_BREAK_SPACE: &str = "\u{a0}";

/// Renders the board of `ticket`, folded from the records in `data`. The rows in `newer_rows` replace those of their
/// targets: a newer release wrote them, and knows more.
#[must_use]
pub fn render(ticket: &Ticket, data: &BoardData, newer_rows: &BTreeMap<TargetName, Row>) -> String {
    let mut page = Page::new(marker::render(Kind::Board, data));
    page.add(&heading::heading(ticket));
    let situation = situation::situation(ticket);
    page.add(&situation);
    let gates = gates::section(ticket);
    page.keep_room_for(&gates);
    table::add(&mut page, ticket, newer_rows, &situation);
    table::add_unlisted_targets(&mut page, ticket, &situation);
    page.add_in_its_room(&gates);
    decisions::add(&mut page, ticket);
    page.add_if_it_fits(&graph::graph(ticket));
    history::add(&mut page, ticket);
    page.close(&data.versions)
}

/// The release in Markdown for a step's summary: the count, the blockers, the next actions, and a line for each target.
#[must_use]
pub fn summary(ticket: &Ticket) -> String {
    let count = heading::count_line(ticket, |text| format!("**{text}**"));
    let rows = rows_by_urgency(ticket).map(|(name, target)| {
        let run = target.run.as_ref().and_then(|run| run.url.as_deref()).unwrap_or_default();
        format!("- {} {}\n", bold(name), text::link(&label(target), run))
    });
    let gates = gates::states(ticket, |name| format!("**{}**", text::inline(name)), text::code);
    let rows = rows.chain(gates.map(|gate| format!("- {gate}\n")));
    format!("{count}\n\n{}{}", situation::situation(ticket), rows.collect::<String>())
}

/// The release as text for a terminal or a log: the count, and a line for each target.
#[must_use]
pub fn plain(ticket: &Ticket) -> String {
    let mut out = format!("{}\n", heading::count_line(ticket, |text| text.to_owned()));
    let width = ticket.targets.keys().map(|name| name.as_str().chars().count()).max().unwrap_or(0);
    for (name, target) in rows_by_urgency(ticket) {
        let run = target.run.as_ref().and_then(|run| run.url.as_deref());
        let link = target.release_url().or(run).or(target.earlier_run());
        let standing = state_text(ticket, name, target);
        let line = format!("  {:width$}  {standing}  {}", name.as_str(), link.unwrap_or_default());
        out += line.trim_end();
        out.push('\n');
    }
    for gate in gates::states(ticket, str::to_owned, str::to_owned) {
        out += &format!("  {gate}\n");
    }
    if let Some(hold) = ticket.hold_of_all() {
        let why = hold.reason.as_deref().map(|why| format!(": {}", text::first_line(why)));
        out += &format!("  ⏸️ {} holds the whole release{}\n", hold.who.login, why.unwrap_or_default());
    }
    out
}

/// The state of a target as text: `🔄 in progress  build attempt 2`.
#[must_use]
pub fn state_text(ticket: &Ticket, name: &TargetName, target: &Target) -> String {
    let stage = target.stage.as_ref().map(|stage| format!("{} ", stage.name)).unwrap_or_default();
    let attempt = target.run.as_ref().map(|run| format!("attempt {}", run.attempt)).unwrap_or_default();
    let reason = reason_text(ticket, name, target).filter(|_| !target.status.is_bad());
    let label = label(target);
    format!("{label}  {stage}{attempt}{}", reason.unwrap_or_default()).trim_end().to_owned()
}

/// The label of a target's status, with its reported end if GitHub's word on the run differs.
fn label(target: &Target) -> String {
    let label = target.status.label();
    match target.reported_status {
        Some(status) => format!("{label} (reported: {})", status.label()),
        None => label.to_owned(),
    }
}

/// The reason why the target is not started, as a clause of plain text.
fn reason_text(ticket: &Ticket, name: &TargetName, target: &Target) -> Option<String> {
    if target.status == TargetStatus::Waiting {
        return Some(progress::wait_text(ticket, name, target, ToString::to_string));
    }
    let newer = target.start.as_ref().and_then(|start| start.state.newer_text());
    let newer = newer.filter(|_| target.status == TargetStatus::Held);
    let newer = newer.map(|word| format!("`{word}`, a state that only a newer release of the action knows"));
    target.reason.as_ref().map(|reason| reason.clause(ToString::to_string)).or(newer)
}

/// The targets with their names, the most urgent first.
fn rows_by_urgency(ticket: &Ticket) -> impl Iterator<Item = (&TargetName, &Target)> + Clone {
    let mut rows: Vec<_> = ticket.targets.iter().collect();
    rows.sort_by_key(|(name, target)| (target.status, name.as_str().to_lowercase()));
    rows.into_iter()
}

fn message(message: &str) -> String {
    text::inline(&text::cut(text::first_line(message), MESSAGE_LIMIT))
}

/// A target's name in bold.
fn bold(name: &TargetName) -> String {
    format!("**{}**", text::inline(name.as_str()))
}

/// A login that pings nobody: the board is rewritten often.
fn silent_login(login: &Login) -> String {
    text::code(login.as_str())
}
