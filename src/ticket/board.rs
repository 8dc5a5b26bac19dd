//! The board: the one comment that shows the whole release at a glance.
//!
//! What a release driver needs first stands first: the count, what blocks and who acts next, then
//! a row a target, the most urgent on top. It is a plain function of the folded records, and stays
//! within GitHub's limit at any number of targets by saying what it leaves out.

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
        page.add_table(&open, "");
        page.add_table(&over, &format!("✅ {} released", over.len()));
    } else {
        page.add_table(&[open, over].concat(), "");
    }
    page.add_older(ticket);
    page.close(seen)
}

/// The same as text for a terminal or a log: a line a target.
#[must_use]
pub fn plain(ticket: &Ticket) -> String {
    let mut out = format!("{}\n", count_line(ticket, |text| text.to_owned()));
    let width = ticket.targets.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    for (name, target) in rows_by_urgency(ticket) {
        let stage = target.stage.as_ref().map(|stage| format!("{} ", stage.name)).unwrap_or_default();
        let attempt = target.run.as_ref().map(|run| format!("attempt {} ", run.attempt)).unwrap_or_default();
        let link = target.release_url().or(target.run.as_ref().and_then(|run| run.url.as_deref()));
        let line = format!(
            "  {name:width$}  {}  {stage}{attempt}{}",
            shown(target.status),
            link.unwrap_or_default()
        );
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// Emoji and word of a status.
#[must_use]
pub fn shown(status: TargetStatus) -> &'static str {
    match status {
        TargetStatus::Failed => "❌ failed",
        TargetStatus::Cancelled => "🚫 cancelled",
        TargetStatus::InProgress => "🔄 in progress",
        TargetStatus::Queued => "🕓 queued",
        TargetStatus::Skipped => "⏭️ skipped",
        TargetStatus::Released => "✅ released",
    }
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
    for status in
        [TargetStatus::Failed, TargetStatus::Cancelled, TargetStatus::InProgress, TargetStatus::Queued]
    {
        let count = ticket.count(status);
        if count > 0 {
            let (emoji, word) = shown(status).split_once(' ').unwrap_or_default();
            parts.push(format!("{emoji} {}", strong(&format!("{count} {word}"))));
        }
    }
    parts.join(" · ")
}

/// What blocks, and who acts next.
fn situation(ticket: &Ticket) -> String {
    let blocked: Vec<_> = rows_by_urgency(ticket)
        .filter(|(_, target)| matches!(target.status, TargetStatus::Failed | TargetStatus::Cancelled))
        .collect();
    let mut lines: Vec<String> = blocked.iter().map(|(name, target)| blocker(name, target)).collect();
    lines.extend(ticket.notices.iter().map(notice));
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

fn row(name: &str, target: &Target) -> String {
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
        stage.or_else(|| target.error.as_deref().map(message_in_row)).unwrap_or_default(),
        run.unwrap_or_default(),
        release.unwrap_or_default(),
        target.changed.format("%Y-%m-%d %H:%M").to_string(),
    ];
    format!("| {} |\n", cells.map(|markdown| text::in_cell(&markdown)).join(" | "))
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
    fn add_table(&mut self, rows: &[(&str, &Target)], summary: &str) {
        if rows.is_empty() {
            return;
        }
        if !summary.is_empty() {
            self.add(&format!("<details><summary>{summary}</summary>\n\n"));
        }
        let mut head = TABLE_HEAD;
        let mut shown = 0;
        for (name, target) in rows {
            let row = row(name, target);
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
