//! The board's graph: which target waits for which.

use std::collections::BTreeSet;

use crate::names::TargetName;
use crate::ticket::state::{Target, Ticket};
use crate::ticket::text;

/// As many targets are drawn; a larger graph is no help to anybody.
const TARGETS_DRAWN: usize = 60;

/// Who waits for whom, as a [mermaid](https://mermaid.js.org/syntax/flowchart.html) graph; blank if nobody does.
pub(super) fn graph(ticket: &Ticket) -> String {
    let needs = |target: &Target| !target.needs.is_empty();
    let needed: BTreeSet<&str> =
        ticket.targets.values().flat_map(|target| target.needs.iter().map(TargetName::as_str)).collect();
    let drawn: Vec<(&str, Option<&Target>)> = ticket
        .targets
        .iter()
        .map(|(name, target)| (name.as_str(), Some(target)))
        .filter(|(name, target)| needed.contains(name) || target.is_some_and(needs))
        .chain(needed.iter().filter(|name| !ticket.targets.contains_key(**name)).map(|name| (*name, None)))
        .collect();
    if needed.is_empty() || drawn.len() > TARGETS_DRAWN {
        return String::new();
    }
    let id = |of: &str| drawn.iter().position(|(name, _)| *name == of).unwrap_or_default();
    let mut out = String::from("```mermaid\ngraph LR\n");
    for (index, (name, target)) in drawn.iter().enumerate() {
        let emoji = target.map_or("", |target| target.status.emoji());
        out += &format!("  t{index}[\"{} {emoji}\"]\n", in_graph(name));
    }
    for (name, target) in &drawn {
        for needed in target.iter().flat_map(|target| &target.needs) {
            out += &format!("  t{} --> t{}\n", id(needed.as_str()), id(name));
        }
    }
    out + "```\n\n"
}

/// A name that a quoted label of a graph shows as it is: what mermaid or HTML could take for more is
/// left out.
fn in_graph(name: &str) -> String {
    let kept = name.chars().map(|c| if "\"`<>#&;{}[]|\\@%".contains(c) || c.is_control() { ' ' } else { c });
    text::cut(&kept.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" "), 40)
}
