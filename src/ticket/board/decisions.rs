//! The board's decisions of people, the newest first.

use chrono::NaiveDate;

use super::page::Page;
use super::time::moment;
use super::{MESSAGE_LIMIT, silent_login};
use crate::ticket::decision::Decision;
use crate::ticket::state::Ticket;
use crate::ticket::text;

/// The most decisions that are not folded.
const OPEN_LINES: usize = 5;

/// The most decisions on a board.
const LINES_LIMIT: usize = 60;

/// Adds as many lines as fit.
pub(super) fn add(page: &mut Page, ticket: &Ticket) {
    let decisions = ticket.decisions.iter().rev().filter(|decision| !decision.is_question());
    let decisions: Vec<&Decision> = decisions.collect();
    let is_folded = decisions.len() > OPEN_LINES;
    let (opening, closing) = match is_folded {
        true => {
            (format!("<details><summary>Decisions ({})</summary>\n\n", decisions.len()), "\n</details>\n\n")
        }
        false => ("**Decisions**\n\n".to_owned(), "\n"),
    };
    let Some(newest) = decisions.first().map(|decision| decision.at.date_naive()) else { return };
    let mut lines = decisions.iter().take(LINES_LIMIT).map(|decision| line(decision, newest)).peekable();
    if !lines.peek().is_some_and(|line| page.has_room_for(&format!("{opening}{line}"))) {
        return;
    }
    page.add(&opening);
    let mut count = 0;
    for line in lines {
        if !page.has_room_for(&line) {
            break;
        }
        page.add(&line);
        count += 1;
    }
    if count < decisions.len() {
        page.add(&format!(
            "- Earlier decisions left out: {}; their records are below\n",
            decisions.len() - count
        ));
    }
    page.add(closing);
}

fn line(decision: &Decision, today: NaiveDate) -> String {
    let who = silent_login(&decision.who.login);
    let role = text::inline(&text::cut(text::first_line(&decision.who.role), 40));
    let who = if role.is_empty() { who } else { format!("{who} ({role})") };
    format!("- {} {}\n", moment(decision.at, today), decision.sentence(&who, MESSAGE_LIMIT))
}
