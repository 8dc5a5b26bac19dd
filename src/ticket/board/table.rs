//! The board's table: a row a target.

use std::collections::BTreeMap;

use super::page::Page;
use super::{because, bold, label, rows_by_urgency};
use crate::names::TargetName;
use crate::ticket::state::{Target, Ticket};
use crate::ticket::status::TargetStatus;
use crate::ticket::text;

/// With more targets than this, those that are released are folded away.
const ROWS_AT_A_GLANCE: usize = 15;

/// A message in a row is its first line, cut at this length.
const MESSAGE_LIMIT: usize = 60;

/// No release writes longer rows, in bytes.
const LONGEST_ROW: usize = 4_000;

const HEAD: &str = "| Target | Status | Stage | Run | Release | Changed (UTC) |\n|---|---|---|---|---|---|\n";

/// Adds the rows of all targets, those in `kept` as they are.
pub(super) fn add(page: &mut Page, ticket: &Ticket, kept: &BTreeMap<TargetName, String>) {
    let rows = rows_by_urgency(ticket).map(|(name, target)| {
        let row = kept.get(name).cloned().unwrap_or_else(|| row(ticket, name, target));
        (target.status, row)
    });
    let (released, open): (Vec<_>, Vec<_>) = rows.partition(|(status, _)| status.is_released());
    if ticket.targets.len() > ROWS_AT_A_GLANCE {
        add_rows(page, &open, "");
        add_rows(page, &released, &format!("✅ {} released", released.len()));
    } else {
        add_rows(page, &[open, released].concat(), "");
    }
}

/// The rows of a board, by the names of their targets as they stand there; none if its table has
/// other columns than this release writes.
pub(in crate::ticket) fn rows(board: &str) -> BTreeMap<String, String> {
    let Some((_, table)) = board.split_once(HEAD) else { return BTreeMap::new() };
    let rows = table.lines().filter_map(|line| {
        let (name, _) = line.strip_prefix("| **")?.split_once("** | ")?;
        // A row that could hide the rest of the board is not kept.
        if line.len() > LONGEST_ROW || line.contains("<!--") {
            return None;
        }
        Some((name.to_owned(), format!("{}\n", text::inline(line))))
    });
    rows.collect()
}

/// Adds as many rows as fit, folded away under `summary` if there is one.
fn add_rows(page: &mut Page, rows: &[(TargetStatus, String)], summary: &str) {
    if rows.is_empty() {
        return;
    }
    if !summary.is_empty() {
        page.add(&format!("<details><summary>{summary}</summary>\n\n"));
    }
    let mut head = HEAD;
    let mut fitting = 0;
    for (_, row) in rows {
        if !page.has_room_for(&format!("{head}{row}")) {
            break;
        }
        page.add(std::mem::take(&mut head));
        page.add(row);
        fitting += 1;
    }
    if fitting < rows.len() {
        let left_out = &rows[fitting..];
        let released = left_out.iter().filter(|(status, _)| status.is_released()).count();
        page.add(&format!(
            "\n**{} more targets do not fit here** ({released} of them released); their records are below.\n",
            left_out.len(),
        ));
    }
    page.add(if summary.is_empty() { "\n" } else { "\n</details>\n\n" });
}

fn row(ticket: &Ticket, name: &TargetName, target: &Target) -> String {
    let stage = target.stage.as_ref().map(|stage| {
        let message = stage.message.as_deref().map(|message| format!(" {}", message_in_row(message)));
        format!("{}{}", text::code(&stage.name), message.unwrap_or_default())
    });
    let run = target.run.as_ref().map(|run| {
        let words = format!("attempt {}", run.attempt);
        run.url.as_deref().map_or_else(|| words.clone(), |url| text::foreign_link(&words, url))
    });
    let release = target.release_url().map(|url| text::foreign_link(&link_name(url), url));
    let cells = [
        bold(name),
        label(target),
        stage.or_else(|| reason(ticket, target)).unwrap_or_default(),
        run.unwrap_or_default(),
        release.unwrap_or_default(),
        target.changed.format("%Y-%m-%d %H:%M").to_string(),
    ];
    format!("| {} |\n", cells.map(|markdown| text::in_cell(&markdown)).join(" | "))
}

/// Why the target is not started, as far as a row has room for it.
fn reason(ticket: &Ticket, target: &Target) -> Option<String> {
    let because = because(ticket, target, bold)?;
    Some(if target.status == TargetStatus::Waiting {
        because.strip_prefix("it ").unwrap_or(&because).to_owned()
    } else {
        message_in_row(&because)
    })
}

/// The last part of a release's URL says more than the word "release": `v1.4.0`.
fn link_name(url: &str) -> String {
    let last = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let plain = last.len() <= 40 && last.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b));
    if plain && !last.is_empty() { last.to_owned() } else { "release".to_owned() }
}

fn message_in_row(message: &str) -> String {
    text::inline(&text::cut(text::first_line(message), MESSAGE_LIMIT))
}
