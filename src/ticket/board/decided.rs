//! What people decided so far, the newest first.

use chrono::NaiveDate;

use super::page::Page;
use super::time::moment;
use super::{MESSAGE_LIMIT, unpinged};
use crate::ticket::decision::Decision;
use crate::ticket::state::Ticket;
use crate::ticket::text;

/// As many stand in the open: more are folded away.
const LINES_IN_THE_OPEN: usize = 5;

/// As many are listed.
const LINES: usize = 60;

/// Adds as many lines as fit.
pub(super) fn add(page: &mut Page, ticket: &Ticket) {
    let decisions = ticket.decisions.iter().rev().filter(|decision| !decision.is_question());
    let decisions: Vec<&Decision> = decisions.collect();
    let is_folded = decisions.len() > LINES_IN_THE_OPEN;
    let (opening, closing) = match is_folded {
        true => {
            (format!("<details><summary>Decisions ({})</summary>\n\n", decisions.len()), "\n</details>\n\n")
        }
        false => ("**Decisions**\n\n".to_owned(), "\n"),
    };
    let Some(newest) = decisions.first().map(|decision| decision.at.date_naive()) else { return };
    let mut lines = decisions.iter().take(LINES).map(|decision| line(decision, newest)).peekable();
    if !lines.peek().is_some_and(|line| page.has_room_for(&format!("{opening}{line}"))) {
        return;
    }
    page.add(&opening);
    let mut listed = 0;
    for line in lines {
        if !page.has_room_for(&line) {
            break;
        }
        page.add(&line);
        listed += 1;
    }
    if listed < decisions.len() {
        page.add(&format!(
            "- {} earlier ones are left out; their records are below\n",
            decisions.len() - listed
        ));
    }
    page.add(closing);
}

fn line(decision: &Decision, today: NaiveDate) -> String {
    let who = unpinged(&decision.who.login);
    let role = text::inline(&text::cut(text::first_line(&decision.who.role), 40));
    let who = if role.is_empty() { who } else { format!("{who} ({role})") };
    format!("- {} {}\n", moment(decision.at, today), decision.sentence(&who, MESSAGE_LIMIT))
}
