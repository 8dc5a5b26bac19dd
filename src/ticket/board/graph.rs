//! The board's graph: which target waits for which, and for which gate, where a row a target does not show that as
//! well.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::TargetName;
use crate::ticket::state::{Target, Ticket};
use crate::ticket::text;

/// As many targets are drawn; a larger graph is no help to anybody.
const TARGETS_DRAWN: usize = 15;

/// Which target waits for which, as a [mermaid](https://mermaid.js.org/syntax/flowchart.html) graph: all of
/// them, else those that are not released. Blank where nothing waits, and where there are only pairs.
pub(super) fn graph(ticket: &Ticket) -> String {
    if ticket.targets.values().all(|target| target.status.is_started()) {
        return String::new();
    }
    let all = edges(ticket, |_| true);
    let open = || edges(ticket, |target| target.is_none_or(|target| !target.status.is_released()));
    let edges = if nodes(&all).len() > TARGETS_DRAWN { open() } else { all };
    let is_small = (1..=TARGETS_DRAWN).contains(&nodes(&edges).len());
    if is_small && !has_only_pairs(&edges) { drawing(ticket, &edges) } else { String::new() }
}

/// Which target is needed by which, of those that are `shown`.
fn edges(ticket: &Ticket, shown: impl Fn(Option<&Target>) -> bool) -> Vec<(&str, &str)> {
    let is_shown = |name: &TargetName| shown(ticket.targets.get(name));
    let by_need = ticket.targets.iter().filter(|(name, _)| is_shown(name)).flat_map(|(name, target)| {
        let needs = target.needs.iter().filter(|needed| is_shown(needed));
        needs.map(|needed| (needed.as_str(), name.as_str()))
    });
    by_need.collect()
}

fn nodes<'a>(edges: &[(&'a str, &'a str)]) -> BTreeSet<&'a str> {
    edges.iter().flat_map(|(needed, name)| [*needed, *name]).collect()
}

/// Whether each target stands in one pair at most: its row says that as well.
fn has_only_pairs(edges: &[(&str, &str)]) -> bool {
    nodes(edges).len() == 2 * edges.len()
}

fn drawing(ticket: &Ticket, edges: &[(&str, &str)]) -> String {
    let ids: BTreeMap<&str, usize> = nodes(edges).into_iter().zip(0..).collect();
    let mut out = String::from("```mermaid\ngraph LR\n");
    for (name, id) in &ids {
        out += &format!("  t{id}{}\n", node(ticket, name));
    }
    for (needed, name) in edges {
        out += &format!("  t{} --> t{}\n", ids[needed], ids[name]);
    }
    out + "```\n\n"
}

/// A box for a target, and a hexagon for a gate.
fn node(ticket: &Ticket, name: &str) -> String {
    match ticket.rules.gates.iter().find(|gate| gate.name == *name) {
        Some(gate) => format!("{{{{\"{} {}\"}}}}", in_graph(name), ticket.worst_standing(gate).emoji()),
        None => {
            let emoji = ticket.targets.get(name).map_or("", |target| target.status.emoji());
            format!("[\"{} {emoji}\"]", in_graph(name))
        }
    }
}

/// A name that a quoted label of a graph shows as it is: what mermaid or HTML could take for more is
/// left out.
fn in_graph(name: &str) -> String {
    let kept = name.chars().map(|c| if "\"`<>#&;{}[]|\\@%".contains(c) || c.is_control() { ' ' } else { c });
    text::cut(&kept.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" "), 40)
}
