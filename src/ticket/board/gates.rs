//! The board's gates: how each stands, who may say go, and who has said what.

use std::collections::BTreeMap;

use super::{NO_BREAK_SPACE, unpinged};
use crate::names::{CommentId, TargetName};
use crate::ticket::decision::{Decision, Verb};
use crate::ticket::decisions::Lapse;
use crate::ticket::gate::{Gate, OnMoved};
use crate::ticket::minutes::listed;
use crate::ticket::state::Ticket;
use crate::ticket::text;

/// As many gates have a row.
const GATES_LISTED: usize = 12;

/// As many targets are named for which an approval has lapsed.
const LAPSES_LISTED: usize = 3;

/// As many words are listed of a gate, the newest.
const WORDS_LISTED: usize = 8;

/// A row a gate; blank where there are none.
pub(super) fn section(ticket: &Ticket) -> String {
    let gates = &ticket.rules.gates;
    if gates.is_empty() {
        return String::new();
    }
    let rows: Vec<[String; 3]> = gates.iter().take(GATES_LISTED).map(|gate| row(ticket, gate)).collect();
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
    match gates.len().saturating_sub(GATES_LISTED) {
        0 => out + "\n",
        more => format!("{out}\nand {more} more gates.\n\n"),
    }
}

/// How each gate stands, as text: `🚦 go: 1 of 2`.
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

/// Who may say go.
fn approvers(gate: &Gate) -> String {
    let named = listed(gate.approvers.iter().map(|approver| text::code(&approver.to_string())));
    let who = if named.is_empty() { "whoever may give commands".to_owned() } else { named };
    if gate.not_driver { format!("{who}; not the driver") } else { who }
}

/// What each person has said last: `🟢 alice, ⌛ dana: lapsed, as web has moved`.
fn words(ticket: &Ticket, gate: &Gate) -> String {
    let mut lapses: BTreeMap<CommentId, Vec<(&TargetName, Lapse<'_>)>> = BTreeMap::new();
    for (name, lapse) in ticket.lapses(gate) {
        lapses.entry(lapse.approval.comment).or_default().push((name, lapse));
    }
    let all = ticket.words_on(gate);
    let more = all.len().saturating_sub(WORDS_LISTED);
    let words = all[more..].iter().map(|word| {
        let who = text::link(&unpinged(&word.who.login), &word.comment_url);
        match lapses.get(&word.comment) {
            _ if word.asks_for(Verb::NoGo) => format!("⛔ {who}"),
            _ if is_of_driver(ticket, gate, word) => format!("{who} does not count as the driver"),
            Some(lapses) if gate.on_moved == OnMoved::Warn => {
                format!("🟢 {who}: counts, though {}", causes(lapses))
            }
            Some(lapses) => format!("⌛ {who}: lapsed, as {}", causes(lapses)),
            None => format!("🟢 {who}"),
        }
    });
    let earlier = (more > 0).then(|| format!("{more} more"));
    earlier.into_iter().chain(words).collect::<Vec<_>>().join(" · ")
}

/// Whether it is the go of the driver, where that counts for nothing.
fn is_of_driver(ticket: &Ticket, gate: &Gate, word: &Decision) -> bool {
    let driver = ticket.driver.as_ref().filter(|_| gate.not_driver);
    driver.is_some_and(|driver| driver.same_as(word.who.login.as_str()))
}

/// Why an approval has lapsed, for as many targets as there is room for.
fn causes(lapses: &[(&TargetName, Lapse<'_>)]) -> String {
    let causes = lapses.iter().take(LAPSES_LISTED).map(|(name, lapse)| lapse.cause(name));
    let more = lapses.len().saturating_sub(LAPSES_LISTED);
    let more = (more > 0).then(|| format!("so have {more} more"));
    causes.chain(more).collect::<Vec<_>>().join(", ")
}
