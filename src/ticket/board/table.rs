//! The board's table: a row for each target, without columns that are blank in all rows.

use std::collections::BTreeMap;

use super::page::Page;
use super::row::{Column, Row, Rows};
use super::rows_by_urgency;
use crate::names::TargetName;
use crate::ticket::state::Ticket;
use crate::ticket::status::TargetStatus;

/// The most rows for one glance: a larger release has its released targets folded, and more queued, held or waiting
/// targets than this are folded, too.
const ROWS_AT_A_GLANCE: usize = 15;

/// The number of targets above which rows are shorter, so that more of them fit.
const LONG_ROWS: usize = 100;

/// Adds the rows of all targets, those in `newer_rows` as they are, below the box with the `situation`.
pub(super) fn add(page: &mut Page, ticket: &Ticket, newer_rows: &BTreeMap<TargetName, Row>, situation: &str) {
    let Some(newest) = ticket.targets.values().map(|target| target.changed_at).max() else { return };
    let rows = Rows { ticket, situation, newest, are_many: ticket.targets.len() > LONG_ROWS };
    let rows = rows_by_urgency(ticket).map(|(name, target)| {
        let row = newer_rows.get(name).cloned().unwrap_or_else(|| rows.row(name, target));
        (target.status, row)
    });
    let (folded_rows, open_rows): (Vec<_>, Vec<_>) = rows.partition(|(status, _)| is_folded(ticket, *status));
    add_rows(page, &open_rows, "");
    let groups = [TargetStatus::Queued, TargetStatus::OnHold, TargetStatus::Waiting, TargetStatus::Released];
    for group in groups {
        let is_in = |status: TargetStatus| status == group || status.is_released() && group.is_released();
        let rows: Vec<_> = folded_rows.iter().filter(|(status, _)| is_in(*status)).cloned().collect();
        add_rows(page, &rows, &format!("{} {} {}", group.emoji(), rows.len(), group.word()));
    }
}

/// Adds a table of names that no dispatch lists: they do not count.
pub(super) fn add_unlisted_targets(page: &mut Page, ticket: &Ticket, situation: &str) {
    let Some(newest) = ticket.unlisted_targets.values().map(|target| target.changed_at).max() else { return };
    let rows = Rows { ticket, situation, newest, are_many: ticket.unlisted_targets.len() > ROWS_AT_A_GLANCE };
    let rows: Vec<(TargetStatus, Row)> = ticket
        .unlisted_targets
        .iter()
        .map(|(name, target)| (target.status, rows.row(name, target)))
        .collect();
    page.add("Not listed by any dispatch, and not counted:\n\n");
    add_rows(page, &rows, "");
}

/// Whether the rows of targets with this status are folded: they are many, and need no person.
fn is_folded(ticket: &Ticket, status: TargetStatus) -> bool {
    match status {
        TargetStatus::Queued | TargetStatus::OnHold | TargetStatus::Waiting => {
            ticket.count(status) > ROWS_AT_A_GLANCE
        }
        _ => status.is_released() && ticket.targets.len() > ROWS_AT_A_GLANCE,
    }
}

/// Adds the rows that fit, folded under `summary` if it is not blank.
fn add_rows(page: &mut Page, rows: &[(TargetStatus, Row)], summary: &str) {
    if rows.is_empty() {
        return;
    }
    if !summary.is_empty() {
        page.add(&format!("<details><summary>{summary}</summary>\n\n"));
    }
    let has_cell = |column: &Column| rows.iter().any(|(_, row)| !row.cell(*column).is_empty());
    let columns: Vec<Column> = Column::ALL.into_iter().filter(has_cell).collect();
    let mut head = head(&columns);
    let mut fitting = 0;
    for (_, row) in rows {
        let line = row.line(&columns);
        if !page.has_room_for(&format!("{head}{line}")) {
            break;
        }
        page.add(&std::mem::take(&mut head));
        page.add(&line);
        fitting += 1;
    }
    if fitting < rows.len() {
        let left_out = &rows[fitting..];
        let released_count = left_out.iter().filter(|(status, _)| status.is_released()).count();
        page.add(&format!(
            "\n**Targets that do not fit here: {}** ({released_count} released); their records are below.\n",
            left_out.len(),
        ));
    }
    page.add(if summary.is_empty() { "\n" } else { "\n</details>\n\n" });
}

fn head(columns: &[Column]) -> String {
    let titles: Vec<&str> = columns.iter().map(|column| column.title()).collect();
    format!("| {} |\n|{}\n", titles.join(" | "), "---|".repeat(columns.len()))
}
