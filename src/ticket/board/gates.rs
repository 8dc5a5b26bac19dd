//! The board's gates: the state, the people who may say go, and what each person has said.

use std::collections::BTreeMap;

use super::{NO_BREAK_SPACE, silent_login};
use crate::names::{CommentId, TargetName};
use crate::ticket::decision::{Decision, Verb};
use crate::ticket::decisions::Lapse;
use crate::ticket::gate::{Gate, MovePolicy};
use crate::ticket::minutes::join_names;
use crate::ticket::state::Ticket;
use crate::ticket::text;

/// The most gates with a row.
const GATES_LIMIT: usize = 12;

/// The most targets that are named for a lapsed approval.
const LAPSES_LIMIT: usize = 3;

/// The most words of people on a gate, the newest.
const WORDS_LIMIT: usize = 8;

/// The table of the gates, a row for each; blank if there are none.
pub(super) fn section(ticket: &Ticket) -> String {
    let gates = &ticket.rules.gates;
    if gates.is_empty() {
        return String::new();
    }
    let rows: Vec<[String; 3]> = gates.iter().take(GATES_LIMIT).map(|gate| row(ticket, gate)).collect();
    let has_words = rows.iter().any(|[_, words, _]| !words.is_empty());
    let (mut out, rule) = match has_words {
        true => ("| Gate | Said so far | Approvers |\n".to_owned(), "|---|---|---|\n"),
        false => ("| Gate | Approvers |\n".to_owned(), "|---|---|\n"),
    };
    out += rule;
    for [state, words, who] in rows {
        let words = if has_words { format!("{words} | ") } else { String::new() };
        out += &format!("| {state} | {words}{who} |\n");
    }
    match gates.len().saturating_sub(GATES_LIMIT) {
        0 => out + "\n",
        more => format!("{out}\nGates left out: {more}.\n\n"),
    }
}

/// The states of the gates as text: `🚦 go: 1 of 2`.
pub(super) fn states<'t>(
    ticket: &'t Ticket,
    name: impl Fn(&str) -> String + 't,
    person: impl Fn(&str) -> String + 't,
) -> impl Iterator<Item = String> + 't {
    ticket.rules.gates.iter().map(move |gate| ticket.worst_standing(gate).state(&name, &person))
}

fn row(ticket: &Ticket, gate: &Gate) -> [String; 3] {
    let bold = |name: &str| format!("**{}**", text::inline(name));
    let state = ticket.worst_standing(gate).state(bold, text::code).replacen(' ', NO_BREAK_SPACE, 1);
    let state = state.replace(" of ", &format!("{NO_BREAK_SPACE}of{NO_BREAK_SPACE}"));
    [state, words(ticket, gate), approvers(gate)].map(|cell| text::in_cell(&cell))
}

/// The people who may say go.
fn approvers(gate: &Gate) -> String {
    let names = join_names(gate.approvers.iter().map(|approver| text::code(&approver.to_string())));
    let people = if names.is_empty() { "anyone who may give commands".to_owned() } else { names };
    if gate.excludes_driver { format!("{people}; not the driver") } else { people }
}

/// The last word of each person: `🟢 alice · ⌛ dana: lapsed, as web has moved`.
fn words(ticket: &Ticket, gate: &Gate) -> String {
    let mut lapses: BTreeMap<CommentId, Vec<(&TargetName, Lapse<'_>)>> = BTreeMap::new();
    for (name, lapse) in ticket.lapses(gate) {
        lapses.entry(lapse.approval.comment).or_default().push((name, lapse));
    }
    let all = ticket.words_on(gate);
    let more = all.len().saturating_sub(WORDS_LIMIT);
    let words = all[more..].iter().map(|word| {
        let who = text::link(&silent_login(&word.who.login), &word.comment_url);
        match lapses.get(&word.comment) {
            _ if word.asks_for(Verb::NoGo) => format!("⛔ {who}"),
            _ if is_of_driver(ticket, gate, word) => format!("{who}: the driver's go does not count"),
            Some(lapses) if gate.move_policy == MovePolicy::Warn => {
                format!("🟢 {who}: counts, though {}", causes(lapses))
            }
            Some(lapses) => format!("⌛ {who}: lapsed, as {}", causes(lapses)),
            None => format!("🟢 {who}"),
        }
    });
    let earlier = (more > 0).then(|| format!("{more} more"));
    earlier.into_iter().chain(words).collect::<Vec<_>>().join(" · ")
}

/// Whether it is the driver's go at a gate that excludes the driver.
fn is_of_driver(ticket: &Ticket, gate: &Gate, word: &Decision) -> bool {
    let driver = ticket.driver.as_ref().filter(|_| gate.excludes_driver);
    driver.is_some_and(|driver| driver.same_as(word.who.login.as_str()))
}

/// The causes for which an approval has lapsed, for the first targets.
fn causes(lapses: &[(&TargetName, Lapse<'_>)]) -> String {
    let causes = lapses.iter().take(LAPSES_LIMIT).map(|(name, lapse)| lapse.cause(name));
    let more = lapses.len().saturating_sub(LAPSES_LIMIT);
    let more = (more > 0).then(|| format!("so have {more} more"));
    causes.chain(more).collect::<Vec<_>>().join(", ")
}
