//! The stages of older attempts and older runs, folded at the end of the board.

use super::message;
use super::page::Page;
use crate::names::TargetName;
use crate::ticket::state::{OldStage, Ticket};
use crate::ticket::text;

/// The most stages that are listed.
const LINES_LIMIT: usize = 60;

/// Adds as many lines as fit.
pub(super) fn add(page: &mut Page, ticket: &Ticket) {
    let older: Vec<_> = ticket
        .targets
        .iter()
        .flat_map(|(name, target)| target.old_stages.iter().map(move |old| (name, old)))
        .collect();
    let opening = format!("<details><summary>Older attempts ({})</summary>\n\n", older.len());
    if older.is_empty() || !page.has_room_for(&opening) {
        return;
    }
    page.add(&opening);
    let mut count = 0;
    for line in older.iter().take(LINES_LIMIT).map(|(name, old)| line(name, old)) {
        if !page.has_room_for(&line) {
            break;
        }
        page.add(&line);
        count += 1;
    }
    if count < older.len() {
        page.add(&format!("- Left out: {}; the runs have them\n", older.len() - count));
    }
    page.add("\n</details>\n\n");
}

fn line(name: &TargetName, old: &OldStage) -> String {
    let stage = &old.stage;
    let message = stage.message.as_deref().map(|text| format!(": {}", message(text)));
    format!(
        "- **{}** {} {}{} · {}\n",
        text::inline(name.as_str()),
        text::code(&stage.name),
        stage.status.label(),
        message.unwrap_or_default(),
        text::foreign_link(&format!("attempt {} of run {}", stage.attempt, old.run), &old.run_url),
    )
}
