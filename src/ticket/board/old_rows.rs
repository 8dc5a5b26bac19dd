//! The rows of the board that is on the ticket. A row of a newer release is kept, as that release knows more.

use std::collections::BTreeMap;

use super::row::{Column, Row};
use crate::names::TargetName;
use crate::ticket::text;

/// The most bytes of a row: no release writes longer ones.
const LONGEST_ROW: usize = 4_000;

/// The rows of a board, by the names of their targets in Markdown.
pub(in crate::ticket) struct OldRows(BTreeMap<String, Row>);

impl OldRows {
    /// Parses the rows of a board. A table with a column that this release does not know is skipped: its rows cannot be
    /// kept whole.
    pub(in crate::ticket) fn parse(board: &str) -> Self {
        let mut columns: Option<Vec<Column>> = None;
        let mut rows = BTreeMap::new();
        for line in board.lines() {
            let Some(cells) = cells(line) else { continue };
            if cells.first() == Some(&Column::Target.title()) {
                columns = cells.iter().map(|title| column(title)).collect();
            } else if let Some(columns) = columns.as_ref().filter(|columns| columns.len() == cells.len()) {
                rows.extend(row(columns, &cells));
            }
        }
        Self(rows)
    }

    /// The row of this target.
    pub(in crate::ticket) fn row(&self, name: &TargetName) -> Option<&Row> {
        self.0.get(&text::in_cell(&text::inline(name.as_str())))
    }
}

fn column(title: &str) -> Option<Column> {
    Column::ALL.into_iter().find(|column| column.title() == title)
}

/// The row with the name of its target in Markdown.
fn row(columns: &[Column], cells: &[&str]) -> Option<(String, Row)> {
    let name = cells.first()?.trim_start_matches('[').strip_prefix("**")?;
    let (name, _) = name.rsplit_once("**")?;
    let cells = cells.iter().map(|cell| text::in_cell(&text::inline(cell)));
    Some((name.to_owned(), Row::new(columns.iter().copied().zip(cells))))
}

/// The cells of a line of a table; `None` if the line is not one, or could hide the rest of the board.
fn cells(line: &str) -> Option<Vec<&str>> {
    let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
    if line.len() > LONGEST_ROW || line.contains("<!--") {
        return None;
    }
    let mut cells = Vec::new();
    let mut from = 0;
    for (at, _) in line.match_indices('|').filter(|(at, _)| !line[..*at].ends_with('\\')) {
        cells.push(line[from..at].trim());
        from = at + 1;
    }
    cells.push(line[from..].trim());
    Some(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(board: &str, name: &str) -> Option<String> {
        let columns = [Column::Target, Column::Status, Column::Release];
        OldRows::parse(board).row(&TargetName::from(name)).map(|row| row.line(&columns))
    }

    #[test]
    fn a_row_is_kept_by_the_titles_of_its_columns() {
        let board = "| Target | Release | Status |\n|---|---|---|\n\
                     | [**web**](https://a.example) | [v1](https://b.example) | ✋ asks `a\\|b` |\n\
                     | **a\\|b** |  | ✅ |\n\n| Target | Status |\n|---|---|\n| **docs** | ⏳ |\n";
        let expected = "| [**web**](https://a.example) | ✋ asks `a\\|b` | [v1](https://b.example) |\n";
        assert_eq!(line(board, "web").as_deref(), Some(expected));
        assert_eq!(line(board, "a|b").as_deref(), Some("| **a\\|b** | ✅ |  |\n"));
        assert_eq!(line(board, "docs").as_deref(), Some("| **docs** | ⏳ |  |\n"));
    }

    #[test]
    fn a_row_that_cannot_be_kept_whole_is_none() {
        for (head, row) in [
            ("| Target | Mood |", "| **web** | good |"),
            ("| Target | Status |", "| **web** | good | more |"),
            ("| Target | Status |", "| **web** | good <!-- |"),
            ("| Target | Status |", "| web | good |"),
            ("| Status | Target |", "| good | **web** |"),
            ("", "| **web** | good |"),
        ] {
            assert_eq!(line(&format!("{head}\n|---|---|\n{row}\n"), "web"), None, "{head} {row}");
        }
    }

    #[test]
    fn what_somebody_wrote_into_a_row_is_harmless() {
        let board = "| Target | Status |\n|---|---|\n| **web** | <img src=x> ![x](y) @acme/all #12 |\n";
        let row = line(board, "web").expect("a row");
        assert!(!["<img", "![", "@acme", "#12"].iter().any(|text| row.contains(text)), "{row}");
    }
}
