//! A row of the board's table: the cells of a target.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::progress::progress;
use super::time::{duration, moment};
use super::{NO_BREAK_SPACE, bold, label};
use crate::names::TargetName;
use crate::ticket::state::{Target, Ticket};
use crate::ticket::text;

/// A column of the table. A phone shows the first ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    Target,
    Status,
    Progress,
    Release,
    Started,
    Took,
}

impl Column {
    pub(super) const ALL: [Self; 6] =
        [Self::Target, Self::Status, Self::Progress, Self::Release, Self::Started, Self::Took];

    /// The title in the head of the table.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Target => "Target",
            Self::Status => "Status",
            Self::Progress => "Progress",
            Self::Release => "Release",
            Self::Started => "Started",
            Self::Took => "Took",
        }
    }
}

/// The cells of a row by their columns, without blank cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(BTreeMap<Column, String>);

impl Row {
    /// A row of these cells, in Markdown for a cell of a table.
    pub(super) fn new(cells: impl IntoIterator<Item = (Column, String)>) -> Self {
        Self(cells.into_iter().filter(|(_, cell)| !cell.is_empty()).collect())
    }

    /// The cell in this column; may be blank.
    pub(super) fn cell(&self, column: Column) -> &str {
        self.0.get(&column).map_or("", String::as_str)
    }

    /// The line of a table with these columns.
    pub(super) fn line(&self, columns: &[Column]) -> String {
        let cells: Vec<&str> = columns.iter().map(|column| self.cell(*column)).collect();
        format!("| {} |\n", cells.join(" | "))
    }
}

/// The most characters of a version.
const VERSION_LIMIT: usize = 40;

/// The state that all rows of a board share.
pub(super) struct Rows<'a> {
    pub(super) ticket: &'a Ticket,
    /// The box above the table.
    pub(super) situation: &'a str,
    /// The time of the newest change.
    pub(super) newest: DateTime<Utc>,
    /// Whether there are many rows: released targets have short rows then, and names have no links.
    pub(super) are_many: bool,
}

impl Rows<'_> {
    /// The row of a target.
    pub(super) fn row(&self, name: &TargetName, target: &Target) -> Row {
        let is_short = self.are_many && target.status.is_released();
        let progress = || progress(self.ticket, name, target, self.situation);
        let start = target.started_at.map(|at| moment(at, self.newest.date_naive()));
        let took = target.started_at.zip(target.ended_at).and_then(|(from, to)| duration(from, to));
        let release = release(target);
        let cells = [
            (Column::Target, self.name(name, target)),
            (Column::Status, status(target, is_short && target.release_url().is_some())),
            (Column::Progress, if is_short { String::new() } else { progress() }),
            (Column::Release, release),
            (Column::Started, start.unwrap_or_default()),
            (Column::Took, took.unwrap_or_default()),
        ];
        Row::new(cells.map(|(column, markdown)| (column, text::in_cell(&markdown))))
    }

    /// The name, with a link to the repository.
    fn name(&self, name: &TargetName, target: &Target) -> String {
        // The text of a link cannot have brackets.
        let page = target
            .repository_url
            .as_deref()
            .filter(|_| !self.are_many && !name.as_str().contains(['[', ']']));
        page.map_or_else(|| bold(name), |page| text::foreign_link(&bold(name), page))
    }
}

/// The target's status, with a link to its run.
fn status(target: &Target, is_short: bool) -> String {
    let label = label(target).replacen(' ', NO_BREAK_SPACE, 1);
    let run = target.run.as_ref().and_then(|run| run.url.as_deref()).or_else(|| target.earlier_run());
    run.filter(|_| !is_short).map_or_else(|| label.clone(), |url| text::foreign_link(&label, url))
}

/// The version that the target reported, with a link to its release.
fn release(target: &Target) -> String {
    let version =
        target.outputs.get("version").map(|version| text::cut_name(text::first_line(version), VERSION_LIMIT));
    match (version, target.release_url()) {
        (Some(version), Some(url)) => text::foreign_link(&text::inline(&version), url),
        (Some(version), None) => text::inline(&version),
        (None, Some(url)) => text::foreign_link(&link_name(url), url),
        (None, None) => String::new(),
    }
}

/// The last part of a release's URL, such as `v1.4.0`; the word "release" if that part is not readable.
fn link_name(url: &str) -> String {
    let last = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let plain = last.len() <= 40 && last.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b));
    if plain && !last.is_empty() { last.to_owned() } else { "release".to_owned() }
}
