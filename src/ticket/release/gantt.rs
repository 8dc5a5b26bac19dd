//! A release as a [mermaid gantt](https://mermaid.js.org/syntax/gantt.html): a section for each target with its
//! periods, which have the emoji of the table's columns.

use chrono::{DateTime, Utc};

use super::{Phase, Release};
use crate::ticket::text;

/// The most sections of a chart: a larger one is not readable.
const SECTIONS_LIMIT: usize = 40;

/// The chart; blank without times, and with too many sections.
pub(super) fn render(release: &Release) -> String {
    let waits = release.gates.iter().map(|gate| {
        let task = task("👥", "crit, ", gate.from, gate.to);
        (gate.from, format!("  section {}\n{task}", label(&gate.name)))
    });
    let targets = release.targets.iter().filter(|target| !target.periods.is_empty()).map(|target| {
        let tasks: String = target
            .periods
            .iter()
            .map(|period| {
                let (word, tag) = match period.phase {
                    Phase::Queued => ("⏳", "done, "),
                    Phase::Running => ("▶️", "active, "),
                    Phase::WaitingForPeople => ("👥", "crit, "),
                };
                task(word, tag, period.from, period.to)
            })
            .collect();
        (target.periods[0].from, format!("  section {}\n{tasks}", label(&target.target)))
    });
    let mut sections: Vec<(DateTime<Utc>, String)> = waits.chain(targets).collect();
    sections.sort_by_key(|(from, _)| *from);
    if sections.is_empty() || sections.len() > SECTIONS_LIMIT {
        return String::new();
    }
    let days = (release.ended_at - release.started_at).num_days();
    let axis = if days > 0 { "%m-%d %H:%M" } else { "%H:%M" };
    let sections: String = sections.into_iter().map(|(_, section)| section).collect();
    format!(
        "```mermaid\n---\ndisplayMode: compact\n---\ngantt\n  dateFormat YYYY-MM-DD HH:mm:ss\n  axisFormat {axis}\n  \
         todayMarker off\n{sections}```\n\n"
    )
}

fn task(word: &str, tag: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let [from, to] = [from, to].map(|at| at.format("%Y-%m-%d %H:%M:%S"));
    format!("    {word} :{tag}{from}, {to}\n")
}

/// A name without characters that have a meaning in mermaid or HTML.
fn label(name: &str) -> String {
    let means_more = |c: char| "\"`<>#&;:,{}[]()|\\@%".contains(c) || c.is_control();
    let text: String = name.chars().map(|c| if means_more(c) { ' ' } else { c }).collect();
    let label = text::cut_name(&text.split_whitespace().collect::<Vec<_>>().join(" "), 40);
    if label.is_empty() { "-".to_owned() } else { label }
}
