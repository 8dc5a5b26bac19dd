//! The board's graph of targets and gates that targets wait for, if the rows of the table do not show that as well.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::TargetName;
use crate::ticket::state::{Target, Ticket};
use crate::ticket::text;

/// The most targets in a graph; a larger one is not readable.
const TARGETS_LIMIT: usize = 15;

/// A [mermaid](https://mermaid.js.org/syntax/flowchart.html) graph of all targets, else of those that are not released.
/// Blank if no target waits, or if there are only pairs.
pub(super) fn graph(ticket: &Ticket) -> String {
    if ticket.targets.values().all(|target| target.status.is_started()) {
        return String::new();
    }
    let all = edges(ticket, |_| true);
    let open = || edges(ticket, |target| target.is_none_or(|target| !target.status.is_released()));
    let edges = if nodes(&all).len() > TARGETS_LIMIT { open() } else { all };
    let is_small = (1..=TARGETS_LIMIT).contains(&nodes(&edges).len());
    if is_small && !has_only_pairs(&edges) { drawing(ticket, &edges) } else { String::new() }
}

/// Pairs of a needed target and the one that needs it, among the targets that `is_in_graph` accepts.
fn edges(ticket: &Ticket, is_in_graph: impl Fn(Option<&Target>) -> bool) -> Vec<(&str, &str)> {
    let is_node = |name: &TargetName| is_in_graph(ticket.targets.get(name));
    let by_need = ticket.targets.iter().filter(|(name, _)| is_node(name)).flat_map(|(name, target)| {
        let needs = target.needs.iter().filter(|need| is_node(need));
        needs.map(|need| (need.as_str(), name.as_str()))
    });
    by_need.collect()
}

fn nodes<'a>(edges: &[(&'a str, &'a str)]) -> BTreeSet<&'a str> {
    edges.iter().flat_map(|(need, name)| [*need, *name]).collect()
}

/// Whether each target is in one pair at most: the rows of the table say that as well.
fn has_only_pairs(edges: &[(&str, &str)]) -> bool {
    nodes(edges).len() == 2 * edges.len()
}

fn drawing(ticket: &Ticket, edges: &[(&str, &str)]) -> String {
    let ids: BTreeMap<&str, usize> = nodes(edges).into_iter().zip(0..).collect();
    let mut out = String::from("```mermaid\ngraph LR\n");
    for (name, id) in &ids {
        out += &format!("  t{id}{}\n", node(ticket, name));
    }
    for (need, name) in edges {
        out += &format!("  t{} --> t{}\n", ids[need], ids[name]);
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

/// A name for a quoted label, without characters that have a meaning in mermaid or HTML.
fn in_graph(name: &str) -> String {
    let chars = name.chars().map(|c| if "\"`<>#&;{}[]|\\@%".contains(c) || c.is_control() { ' ' } else { c });
    text::cut(&chars.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" "), 40)
}
