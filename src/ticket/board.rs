//! The board: the one comment that shows the whole release at a glance.
//!
//! What a release driver needs first stands first: the count, what blocks and who acts next, then
//! a row a target, the most urgent on top. It is a plain function of the folded records, and stays
//! within GitHub's limit at any number of targets by saying what it leaves out.

use std::collections::BTreeSet;

use super::fold::{OldStage, Target, TargetStatus, Ticket};
use super::log::{BoardData, Seen};
use super::marker::{self, Kind};
use super::record::Notice;
use super::text;
use crate::names::Login;

/// With more targets than this, those that are released are folded away.
const ROWS_AT_A_GLANCE: usize = 15;

/// As many blockers are told in full; the rows tell the rest.
const BLOCKERS_TOLD: usize = 8;

/// As many older attempts are listed.
const OLDER_TOLD: usize = 60;

/// A message on the board is its first line, cut at this length; in a row it is shorter.
const MESSAGE_SHOWN: usize = 160;
const MESSAGE_IN_ROW: usize = 60;

/// Room that is kept free for the closing lines.
const CLOSING_ROOM: usize = 700;

const TABLE_HEAD: &str =
    "| Target | Status | Stage | Run | Release | Changed (UTC) |\n|---|---|---|---|---|---|\n";

/// Renders the board of `ticket`, folded from the records in `seen`.
#[must_use]
pub fn render(ticket: &Ticket, seen: &Seen) -> String {
    let mut page = Page::new(marker::render(Kind::Board, &BoardData { seen: seen.clone() }));
    page.add(&heading(ticket));
    page.add(&situation(ticket));
    let (over, open): (Vec<_>, Vec<_>) =
        rows_by_urgency(ticket).partition(|(_, target)| target.status.is_over());
    if ticket.targets.len() > ROWS_AT_A_GLANCE {
        page.add_table(ticket, &open, "");
        page.add_table(ticket, &over, &format!("✅ {} released", over.len()));
    } else {
        page.add_table(ticket, &[open, over].concat(), "");
    }
    page.add_graph(ticket);
    page.add_older(ticket);
    page.close(seen)
}

/// The same as text for a terminal or a log: a line a target.
#[must_use]
pub fn plain(ticket: &Ticket) -> String {
    let mut out = format!("{}\n", count_line(ticket, |text| text.to_owned()));
    let width = ticket.targets.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    for (name, target) in rows_by_urgency(ticket) {
        let link = target.release_url().or(target.run.as_ref().and_then(|run| run.url.as_deref()));
        let line = format!("  {name:width$}  {}  {}", standing(ticket, target), link.unwrap_or_default());
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// How a target stands, as text: `🔄 in progress  build attempt 2`.
#[must_use]
pub fn standing(ticket: &Ticket, target: &Target) -> String {
    let stage = target.stage.as_ref().map(|stage| format!("{} ", stage.name)).unwrap_or_default();
    let attempt = target.run.as_ref().map(|run| format!("attempt {}", run.attempt)).unwrap_or_default();
    let needs = if target.status == TargetStatus::Waiting { target.needs.as_slice() } else { &[] };
    let awaited: Vec<&str> = ticket.awaited(needs).map(|(name, _)| name).collect();
    let awaited = if awaited.is_empty() { String::new() } else { format!("for {}", awaited.join(", ")) };
    format!("{}  {stage}{attempt}{awaited}", shown(target.status)).trim_end().to_owned()
}

/// Emoji and word of a status.
#[must_use]
pub fn shown(status: TargetStatus) -> &'static str {
    match status {
        TargetStatus::Failed => "❌ failed",
        TargetStatus::Cancelled => "🚫 cancelled",
        TargetStatus::InProgress => "🔄 in progress",
        TargetStatus::Queued => "🕓 queued",
        TargetStatus::Waiting => "⏳ waiting",
        TargetStatus::Skipped => "⏭️ skipped",
        TargetStatus::Released => "✅ released",
    }
}

/// The word of a status, without the emoji.
#[must_use]
pub fn word(status: TargetStatus) -> &'static str {
    shown(status).split_once(' ').map_or("", |(_, word)| word)
}

fn heading(ticket: &Ticket) -> String {
    let name = ticket.release.as_deref().map(|name| format!(" {}", text::cut(&text::inline(name), 80)));
    let driver = ticket.driver.as_ref().map(|driver| format!(" · driver {}", unpinged(driver)));
    format!(
        "## Release{}\n\n{}{}\n\n",
        name.unwrap_or_default(),
        count_line(ticket, |text| format!("**{text}**")),
        driver.unwrap_or_default()
    )
}

/// `2 of 3 released · 1 failed`
fn count_line(ticket: &Ticket, strong: impl Fn(&str) -> String) -> String {
    let over = ticket.targets.values().filter(|target| target.status.is_over()).count();
    let mut parts = vec![strong(&format!("{over} of {} released", ticket.targets.len()))];
    for status in [
        TargetStatus::Failed,
        TargetStatus::Cancelled,
        TargetStatus::InProgress,
        TargetStatus::Queued,
        TargetStatus::Waiting,
    ] {
        let count = ticket.count(status);
        if count > 0 {
            let emoji = shown(status).split(' ').next().unwrap_or_default();
            parts.push(format!("{emoji} {}", strong(&format!("{count} {}", word(status)))));
        }
    }
    parts.join(" · ")
}

/// What blocks, and who acts next.
fn situation(ticket: &Ticket) -> String {
    let blocked: Vec<_> = rows_by_urgency(ticket).filter(|(_, target)| target.status.is_bad()).collect();
    let mut lines: Vec<String> = blocked.iter().map(|(name, target)| blocker(name, target)).collect();
    lines.extend(ticket.notices.iter().map(notice));
    if !lines.is_empty() {
        lines.extend(held_up(ticket));
    }
    if lines.is_empty() {
        return calm(ticket);
    }
    let told = lines.len().min(BLOCKERS_TOLD);
    let mut out = String::from("> [!CAUTION]\n");
    for line in &lines[..told] {
        out += &format!("> - {line}\n");
    }
    if lines.len() > told {
        out += &format!("> - and {} more, see below\n", lines.len() - told);
    }
    let who = ticket.driver.as_ref().map_or_else(|| "the release driver".to_owned(), unpinged);
    let what = match blocked.first() {
        Some((_, target)) if target.run.is_none() => "looks at the hub's run, then runs it again",
        Some(_) => "looks at the failing run, then re-runs its failed jobs there",
        None => "looks at what was notified",
    };
    format!("{out}>\n> **Next:** {who} {what}.\n\n")
}

/// The targets that wait for one that failed.
fn held_up(ticket: &Ticket) -> Option<String> {
    let held: Vec<String> = ticket
        .targets
        .iter()
        .filter(|(_, target)| target.status == TargetStatus::Waiting)
        .filter(|(_, target)| ticket.held_up_by(&target.needs).is_some())
        .map(|(name, _)| format!("**{}**", text::inline(name)))
        .collect();
    (!held.is_empty()).then(|| format!("held up by that: {}", held.join(", ")))
}

fn blocker(name: &str, target: &Target) -> String {
    let run = target.run.as_ref();
    let at =
        target.stage.as_ref().map(|stage| format!(" at {}", text::code(&stage.name))).unwrap_or_default();
    let attempt =
        run.filter(|run| run.attempt > 1).map(|run| format!(", attempt {}", run.attempt)).unwrap_or_default();
    let link =
        run.and_then(|run| run.url.as_deref()).map(|url| format!(" · {}", text::link("failing run", url)));
    let message =
        target.stage.as_ref().and_then(|stage| stage.message.as_deref()).or(target.error.as_deref());
    let what = match (target.status, run) {
        (TargetStatus::Cancelled, _) => "was cancelled",
        (_, None) => "could not be started",
        _ => "failed",
    };
    format!(
        "**{}** {what}{at}{attempt}{}{}",
        text::inline(name),
        message.map(|message| format!(": {}", shown_message(message))).unwrap_or_default(),
        link.unwrap_or_default()
    )
}

fn notice(notice: &Notice) -> String {
    let place = notice.url.as_deref().unwrap_or(&notice.run_url);
    format!(
        "{} notified, job {}: {} · {}",
        notice.by.repository,
        text::code(&notice.by.job),
        shown_message(&notice.message),
        text::link("failing run", place)
    )
}

/// Nothing blocks: what is awaited, or that all is done.
fn calm(ticket: &Ticket) -> String {
    const NAMED: usize = 6;
    let open: Vec<_> = rows_by_urgency(ticket).filter(|(_, target)| !target.status.is_over()).collect();
    if ticket.targets.is_empty() {
        return "> [!NOTE]\n> Nothing has been started yet.\n\n".to_owned();
    }
    if open.is_empty() {
        return "> [!TIP]\n> **Everything is released.** Nothing is left to do.\n\n".to_owned();
    }
    let names: Vec<_> =
        open.iter().take(NAMED).map(|(name, _)| format!("**{}**", text::inline(name))).collect();
    let more = open.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("> [!NOTE]\n> Nothing blocks. Awaited: {}{more}.\n\n", names.join(", "))
}

fn rows_by_urgency(ticket: &Ticket) -> impl Iterator<Item = (&str, &Target)> + Clone {
    let mut rows: Vec<_> = ticket.targets.iter().map(|(name, target)| (name.as_str(), target)).collect();
    rows.sort_by_key(|(name, target)| (target.status, name.to_lowercase()));
    rows.into_iter()
}

fn row(ticket: &Ticket, name: &str, target: &Target) -> String {
    let stage = target.stage.as_ref().map(|stage| {
        let message = stage.message.as_deref().map(|message| format!(" {}", message_in_row(message)));
        format!("{}{}", text::code(&stage.name), message.unwrap_or_default())
    });
    let run = target.run.as_ref().map(|run| {
        let words = format!("attempt {}", run.attempt);
        run.url.as_deref().map_or_else(|| words.clone(), |url| text::link(&words, url))
    });
    let release = target.release_url().map(|url| text::link(&link_name(url), url));
    let cells = [
        format!("**{}**", text::inline(name)),
        shown(target.status).to_owned(),
        stage
            .or_else(|| target.error.as_deref().map(message_in_row))
            .or_else(|| awaited(ticket, target))
            .unwrap_or_default(),
        run.unwrap_or_default(),
        release.unwrap_or_default(),
        target.changed.format("%Y-%m-%d %H:%M").to_string(),
    ];
    format!("| {} |\n", cells.map(|markdown| text::in_cell(&markdown)).join(" | "))
}

/// What a waiting target waits for, with what became of it where that is bad news.
fn awaited(ticket: &Ticket, target: &Target) -> Option<String> {
    if target.status != TargetStatus::Waiting {
        return None;
    }
    let named = ticket.awaited(&target.needs).map(|(name, status)| match status {
        Some(TargetStatus::Failed) => format!("**{}**, which failed", text::inline(name)),
        Some(TargetStatus::Cancelled) => format!("**{}**, which was cancelled", text::inline(name)),
        _ => format!("**{}**", text::inline(name)),
    });
    let named: Vec<String> = named.collect();
    // What it waited for was released, and no dispatch has looked since.
    Some(if named.is_empty() {
        "ready for the next dispatch".to_owned()
    } else {
        format!("after {}", named.join(", "))
    })
}

/// The last part of a release's URL says more than the word "release": `v1.4.0`.
fn link_name(url: &str) -> String {
    let last = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let plain = last.len() <= 40 && last.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b));
    if plain && !last.is_empty() { last.to_owned() } else { "release".to_owned() }
}

fn older_line(name: &str, old: &OldStage) -> String {
    let stage = &old.stage;
    let message = stage.message.as_deref().map(|message| format!(": {}", shown_message(message)));
    format!(
        "- **{}** {} {}{} · {}\n",
        text::inline(name),
        text::code(&stage.name),
        stage.status.shown(),
        message.unwrap_or_default(),
        text::link(&format!("attempt {} of run {}", stage.attempt, old.run), &old.run_url),
    )
}

fn shown_message(message: &str) -> String {
    text::inline(&text::cut(text::first_line(message), MESSAGE_SHOWN))
}

fn message_in_row(message: &str) -> String {
    text::inline(&text::cut(text::first_line(message), MESSAGE_IN_ROW))
}

/// A person's name that pings nobody: the board is rewritten often.
fn unpinged(login: &Login) -> String {
    text::code(login.as_str())
}

/// As many targets are drawn; a larger graph is no help to anybody.
const TARGETS_DRAWN: usize = 60;

/// Who waits for whom, as a [mermaid](https://mermaid.js.org/syntax/flowchart.html) graph; blank if nobody does.
fn graph(ticket: &Ticket) -> String {
    let needs = |target: &Target| !target.needs.is_empty();
    let needed: BTreeSet<&str> =
        ticket.targets.values().flat_map(|target| target.needs.iter().map(String::as_str)).collect();
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
    let id = |wanted: &str| drawn.iter().position(|(name, _)| *name == wanted).unwrap_or_default();
    let mut out = String::from("```mermaid\ngraph LR\n");
    for (index, (name, target)) in drawn.iter().enumerate() {
        let emoji = target.map_or("", |target| shown(target.status).split(' ').next().unwrap_or_default());
        out += &format!("  t{index}[\"{} {emoji}\"]\n", in_graph(name));
    }
    for (name, target) in &drawn {
        for needed in target.iter().flat_map(|target| &target.needs) {
            out += &format!("  t{} --> t{}\n", id(needed), id(name));
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

/// A text that grows to GitHub's limit and no further.
struct Page {
    text: String,
    length: usize,
}

impl Page {
    fn new(marker: String) -> Self {
        let mut page = Self { text: String::new(), length: 0 };
        page.add(&marker);
        page.add("\n");
        page
    }

    fn add(&mut self, text: &str) {
        self.length += text::length(text);
        self.text += text;
    }

    fn has_room_for(&self, text: &str) -> bool {
        self.length + text::length(text) + CLOSING_ROOM <= text::BODY_LIMIT
    }

    /// Adds as many rows as fit, folded away under `summary` if there is one.
    fn add_table(&mut self, ticket: &Ticket, rows: &[(&str, &Target)], summary: &str) {
        if rows.is_empty() {
            return;
        }
        if !summary.is_empty() {
            self.add(&format!("<details><summary>{summary}</summary>\n\n"));
        }
        let mut head = TABLE_HEAD;
        let mut shown = 0;
        for (name, target) in rows {
            let row = row(ticket, name, target);
            if !self.has_room_for(&format!("{head}{row}")) {
                break;
            }
            self.add(std::mem::take(&mut head));
            self.add(&row);
            shown += 1;
        }
        if shown < rows.len() {
            let left_out = &rows[shown..];
            let released = left_out.iter().filter(|(_, target)| target.status.is_over()).count();
            self.add(&format!(
                "\n**{} more targets do not fit here** ({released} of them released); their records are below.\n",
                left_out.len(),
            ));
        }
        self.add(if summary.is_empty() { "\n" } else { "\n</details>\n\n" });
    }

    /// Draws who waits for whom, where anybody does.
    fn add_graph(&mut self, ticket: &Ticket) {
        let graph = graph(ticket);
        if !graph.is_empty() && self.has_room_for(&graph) {
            self.add(&graph);
        }
    }

    fn add_older(&mut self, ticket: &Ticket) {
        let older: Vec<_> = ticket
            .targets
            .iter()
            .flat_map(|(name, target)| target.older.iter().map(move |old| (name, old)))
            .collect();
        let opening = format!("<details><summary>Older attempts ({})</summary>\n\n", older.len());
        if older.is_empty() || !self.has_room_for(&opening) {
            return;
        }
        self.add(&opening);
        let mut told = 0;
        for line in older.iter().take(OLDER_TOLD).map(|(name, old)| older_line(name, old)) {
            if !self.has_room_for(&line) {
                break;
            }
            self.add(&line);
            told += 1;
        }
        if told < older.len() {
            self.add(&format!("- {} more are left out; the runs have them\n", older.len() - told));
        }
        self.add("\n</details>\n\n");
    }

    fn close(mut self, seen: &Seen) -> String {
        let records = match seen.len() {
            1 => "1 record".to_owned(),
            count => format!("{count} records"),
        };
        self.add(&format!(
            "<sub>Shows {records} of this ticket, and is rewritten with each new one: please comment below instead of \
             editing it.</sub>\n"
        ));
        self.text
    }
}
