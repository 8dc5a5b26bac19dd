//! The kinds of answers, and the value of the Markdown below a question's heading.

use serde_json::Value;

use super::body;

/// GitHub's text for a question without an answer.
pub(super) const NO_RESPONSE: &str = "_No response_";

/// GitHub's text for a dropdown without a choice; no option may have that name.
pub(super) const NO_CHOICE: &str = "None";

/// The kind of a question's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A line of text, or a file.
    Line,
    /// Text of many lines.
    Area,
    /// Text of many lines that GitHub puts into a block of code.
    Code,
    /// One option or several.
    Choice,
    /// Check boxes.
    Boxes,
    /// Check boxes if all lines look like them, else text.
    Unknown,
}

impl Kind {
    /// The value of the Markdown below the question.
    pub(super) fn answer(self, markdown: &str) -> Value {
        let text = markdown.trim();
        let text = if text == NO_RESPONSE || (self == Self::Choice && text == NO_CHOICE) { "" } else { text };
        let value = match self {
            Self::Boxes => ticked_labels(text),
            Self::Unknown => ticked_labels(text).filter(|_| !text.is_empty()),
            Self::Code => body::code(text).map(Value::from),
            Self::Line | Self::Area | Self::Choice => None,
        };
        value.unwrap_or_else(|| Value::from(text))
    }
}

/// The labels of the boxes that are ticked, if all lines are boxes.
fn ticked_labels(text: &str) -> Option<Value> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let boxes: Option<Vec<(bool, &str)>> = lines.map(check_box).collect();
    Some(
        boxes?.into_iter().filter(|(is_ticked, _)| *is_ticked).map(|(_, label)| Value::from(label)).collect(),
    )
}

/// `- [x] web`: whether it is ticked, and its label.
fn check_box(line: &str) -> Option<(bool, &str)> {
    let rest = line.strip_prefix("- [").or_else(|| line.strip_prefix("* ["))?;
    let (mark, label) = rest.split_once("] ")?;
    match mark {
        "x" | "X" => Some((true, label.trim())),
        " " => Some((false, label.trim())),
        _ => None,
    }
}
