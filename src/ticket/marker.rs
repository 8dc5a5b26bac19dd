//! Markers: the hidden first line by which the action recognizes its own comments and issues.
//!
//! ```text
//! <!-- release-ticket:1 KIND {"…":…} -->
//! ```
//!
//! The JSON is one line, and `<`, `>` and `--` are written as escapes, so that no value can end the
//! HTML comment. [`super::log`] decides whether the author of a marker is believed.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

use crate::names::number;

const START: &str = "<!-- release-ticket:";
const END: &str = " -->";

/// The version of the format that this release writes, and the newest version that it reads.
const VERSION: u32 = 1;

/// The kind of a text with a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The body of a ticket.
    Ticket,
    /// The comment that shows the release at a glance.
    Board,
    /// A hub job's record of the targets that it starts.
    Dispatch,
    /// A target job's record of its stages.
    Report,
    /// The notice of a failure: a record on a ticket, or the body of an issue of its own.
    Notice,
    /// A hub job's record of a person's command.
    Decision,
    /// A hub job's record of a complete release.
    Release,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Ticket,
        Self::Board,
        Self::Dispatch,
        Self::Report,
        Self::Notice,
        Self::Decision,
        Self::Release,
    ];

    /// The word in the marker.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Board => "board",
            Self::Dispatch => "dispatch",
            Self::Report => "report",
            Self::Notice => "notice",
            Self::Decision => "decision",
            Self::Release => "release",
        }
    }
}

/// A marker whose data cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkerError {
    /// It was cut off, or edited by hand.
    #[error("the marker is damaged")]
    Damaged,
    /// This release does not know its format, its kind or the shape of its data.
    #[error("the marker was written by a newer release of the action")]
    Newer,
}

/// The marker at the start of a text: its words, and its JSON as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker<'a> {
    version: u32,
    word: &'a str,
    json: &'a str,
}

impl<'a> Marker<'a> {
    /// The marker of `body`; `None` if its first line is not a marker.
    ///
    /// # Errors
    ///
    /// The first line begins like a marker and is damaged.
    pub fn find(body: &'a str) -> Option<Result<Self, MarkerError>> {
        let line = body.split(['\n', '\r']).next().unwrap_or_default();
        let rest = line.strip_prefix(START)?;
        Some(Self::parse(rest).ok_or(MarkerError::Damaged))
    }

    fn parse(rest: &'a str) -> Option<Self> {
        let inside = rest.trim_end().strip_suffix(END)?;
        let mut parts = inside.splitn(3, ' ');
        let version = parts.next()?.parse().ok()?;
        Some(Self { version, word: parts.next()?, json: parts.next()? })
    }

    /// The kind of the text; `None` if only a newer release knows it.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == self.word);
        kind.filter(|_| self.version <= VERSION)
    }

    /// The word for its kind, also one that only a newer release knows.
    #[must_use]
    pub fn word(&self) -> &'a str {
        self.word
    }

    /// Parses the marker's data.
    ///
    /// # Errors
    ///
    /// The data is not JSON, or does not have the shape of `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, MarkerError> {
        if self.version > VERSION {
            return Err(MarkerError::Newer);
        }
        serde_json::from_str(self.json).map_err(|error| match error.classify() {
            Category::Data if !self.value().is_ok_and(|data| has_huge_number(&data)) => MarkerError::Newer,
            _ => MarkerError::Damaged,
        })
    }

    /// The marker's data as JSON, of any release.
    ///
    /// # Errors
    ///
    /// The data is not JSON.
    pub fn value(&self) -> Result<Value, MarkerError> {
        serde_json::from_str(self.json).map_err(|_| MarkerError::Damaged)
    }
}

/// Whether the data has a number that no release writes.
fn has_huge_number(data: &Value) -> bool {
    match data {
        Value::Number(number) => match number.as_u64() {
            Some(number) => number > number::MAX,
            None => number.as_f64().is_some_and(|number| number > number::MAX as f64),
        },
        Value::Array(items) => items.iter().any(has_huge_number),
        Value::Object(fields) => fields.values().any(has_huge_number),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// Renders the marker line of `data`, without a line break.
pub fn render(kind: Kind, data: &impl Serialize) -> String {
    format!("{START}{VERSION} {} {}{END}", kind.as_str(), json(data))
}

/// The JSON of `data` for a marker, on one line.
pub fn json(data: &impl Serialize) -> String {
    let json = serde_json::to_string(data).expect("our own records have string keys and finite numbers");
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace("--", "\\u002d\\u002d")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::RunId;
    use proptest::prelude::*;
    use serde_json::json;

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
    fn a_damaged_marker_is_distinguished_from_one_of_a_newer_release() {
        for text in [
            "<!-- release-ticket:1 report {\"a\"",
            "<!-- release-ticket:x report {} -->",
            "<!-- release-ticket:1 report -->",
        ] {
            assert_eq!(Marker::find(text), Some(Err(MarkerError::Damaged)), "{text}");
        }
        let find = |text| Marker::find(text).expect("a marker").expect("a whole one");
        for (text, data) in [
            ("<!-- release-ticket:2 report {} -->", Err(MarkerError::Newer)),
            ("<!-- release-ticket:1 party {} -->", Ok(json!({}))),
        ] {
            assert_eq!((find(text).kind(), find(text).data::<Value>()), (None, data), "{text}");
            assert_eq!(find(text).value(), Ok(json!({})));
        }
        let marker = find("<!-- release-ticket:1 report {\"a\" -->");
        assert_eq!(marker.data::<Value>(), Err(MarkerError::Damaged));
        assert_eq!(find("<!-- release-ticket:1 report {} -->").data::<u32>(), Err(MarkerError::Newer));
    }

    #[test]
    fn a_number_that_no_release_writes_is_damage_and_not_the_word_of_a_newer_release() {
        for (number, error) in [
            ("9007199254740993", MarkerError::Damaged),
            ("18446744073709551615", MarkerError::Damaged),
            ("18446744073709551616", MarkerError::Damaged),
            ("1e300", MarkerError::Damaged),
            ("-1", MarkerError::Newer),
            ("\"7\"", MarkerError::Newer),
        ] {
            let text = format!("<!-- release-ticket:1 report [{number}] -->");
            let marker = Marker::find(&text).expect("a marker").expect("a whole one");
            assert_eq!(marker.data::<[RunId; 1]>(), Err(error), "{number}");
        }
        let text = "<!-- release-ticket:1 report [9007199254740992] -->";
        let marker = Marker::find(text).expect("a marker").expect("a whole one");
        assert_eq!(marker.data(), Ok([RunId(number::MAX)]));
    }

    #[test]
    fn a_number_that_a_newer_release_wrote_is_written_back_as_it_was() {
        for number in ["8.88888888888889e+43", "1.5555555755555555", "0.1", "-0.0"] {
            let line = format!("<!-- release-ticket:1 report {{\"a\":{number}}} -->");
            let marker = Marker::find(&line).expect("a marker").expect("a whole one");
            assert_eq!(render(Kind::Report, &marker.value().expect("JSON")), line);
        }
    }

    proptest! {
        #[test]
        fn what_was_rendered_is_read_back(text in any::<String>(), key in any::<String>()) {
            let data = json!({ key: text });
            let line = render(Kind::Notice, &data);
            let marker = Marker::find(&line).expect("a marker").expect("a good one");
            prop_assert_eq!(marker.kind(), Some(Kind::Notice));
            prop_assert_eq!(marker.data::<Value>(), Ok(data));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(<!-- release-ticket:1 [a-z]{0,8} )?.{0,80}( -->)?") {
            let _ = Marker::find(&text).map(|marker| marker.map(|marker| marker.data::<Value>()));
        }
    }
}
