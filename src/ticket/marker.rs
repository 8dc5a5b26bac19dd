//! Markers: the hidden first line by which the action knows its own comments and issues again.
//!
//! ```text
//! <!-- release-ticket:1 KIND {"…":…} -->
//! ```
//!
//! The JSON is one line, and `<`, `>` and `--` are written as escapes, so that no value can end the
//! HTML comment. Whether the author of a marker is to be believed is decided by [`super::log`].

use serde::Serialize;
use serde::de::DeserializeOwned;

const START: &str = "<!-- release-ticket:";
const END: &str = " -->";

/// The version of the format that this release writes, and the newest that it reads.
const VERSION: u32 = 1;

/// What a marked text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The body of a ticket.
    Ticket,
    /// The comment that shows the release at a glance.
    Board,
    /// A hub job's record: what it starts.
    Dispatch,
    /// A target job's record: its stages.
    Report,
    /// A failure that was notified: a record on a ticket, or the body of an issue of its own.
    Notice,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Ticket, Self::Board, Self::Dispatch, Self::Report, Self::Notice];

    /// The word that stands in the marker.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Board => "board",
            Self::Dispatch => "dispatch",
            Self::Report => "report",
            Self::Notice => "notice",
        }
    }
}

/// Why a first line that looks like a marker says nothing to this release.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkerError {
    /// Cut off, or edited by hand.
    #[error("the marker is damaged")]
    Damaged,
    /// Written by a newer release of the action.
    #[error("the marker has format {0}, newer than this release knows")]
    Newer(u32),
    /// A kind that this release does not know.
    #[error("the marker is of the unknown kind `{0}`")]
    UnknownKind(String),
}

/// A marker as found at the start of a text: its kind, and its JSON, not yet read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker<'a> {
    /// What the text is.
    pub kind: Kind,
    json: &'a str,
}

impl<'a> Marker<'a> {
    /// Finds the marker of `body`; `None` when its first line is none.
    ///
    /// # Errors
    ///
    /// When the first line begins like a marker and cannot be used.
    pub fn find(body: &'a str) -> Option<Result<Self, MarkerError>> {
        let line = body.split(['\n', '\r']).next().unwrap_or_default();
        let rest = line.strip_prefix(START)?;
        Some(Self::parse(rest))
    }

    fn parse(rest: &'a str) -> Result<Self, MarkerError> {
        let inside = rest.trim_end().strip_suffix(END).ok_or(MarkerError::Damaged)?;
        let mut parts = inside.splitn(3, ' ');
        let version = parts.next().and_then(|part| part.parse::<u32>().ok()).ok_or(MarkerError::Damaged)?;
        if version > VERSION {
            return Err(MarkerError::Newer(version));
        }
        let word = parts.next().ok_or(MarkerError::Damaged)?;
        let json = parts.next().ok_or(MarkerError::Damaged)?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == word);
        Ok(Self { kind: kind.ok_or_else(|| MarkerError::UnknownKind(word.to_owned()))?, json })
    }

    /// Reads the marker's data.
    ///
    /// # Errors
    ///
    /// When the JSON is not of the wanted shape.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, MarkerError> {
        serde_json::from_str(self.json).map_err(|_| MarkerError::Damaged)
    }
}

/// Renders the marker line of `data`, without a line break.
pub fn render(kind: Kind, data: &impl Serialize) -> String {
    let json = serde_json::to_string(data).expect("our own records have string keys and finite numbers");
    let json = json.replace('<', "\\u003c").replace('>', "\\u003e").replace("--", "\\u002d\\u002d");
    format!("{START}{VERSION} {} {json}{END}", kind.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn a_value_cannot_end_the_comment() {
        let line = render(Kind::Report, &json!({"m": "--> <script> --- \n <!--"}));
        assert_eq!(line.matches("-->").count(), 1);
        assert_eq!(line.matches("<!--").count(), 1);
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn only_the_very_first_line_counts() {
        let line = render(Kind::Report, &json!({}));
        assert!(Marker::find(&format!("{line}\r\nfor people")).is_some_and(|marker| marker.is_ok()));
        for text in [format!("> {line}"), format!("\n{line}"), format!(" {line}"), format!("```\n{line}")] {
            assert_eq!(Marker::find(&text), None, "{text}");
        }
    }

    #[test]
    fn a_damaged_newer_or_unknown_marker_is_told_apart() {
        for (text, expected) in [
            ("<!-- release-ticket:1 report {\"a\"", MarkerError::Damaged),
            ("<!-- release-ticket:x report {} -->", MarkerError::Damaged),
            ("<!-- release-ticket:1 report -->", MarkerError::Damaged),
            ("<!-- release-ticket:2 report {} -->", MarkerError::Newer(2)),
            ("<!-- release-ticket:1 party {} -->", MarkerError::UnknownKind("party".into())),
        ] {
            assert_eq!(Marker::find(text), Some(Err(expected)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_rendered_is_read_back(text in any::<String>(), key in any::<String>()) {
            let data = json!({ key: text });
            let line = render(Kind::Notice, &data);
            let marker = Marker::find(&line).expect("a marker").expect("a good one");
            prop_assert_eq!(marker.kind, Kind::Notice);
            prop_assert_eq!(marker.data::<Value>(), Ok(data));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(<!-- release-ticket:1 [a-z]{0,8} )?.{0,80}( -->)?") {
            let _ = Marker::find(&text).map(|marker| marker.map(|marker| marker.data::<Value>()));
        }
    }
}
