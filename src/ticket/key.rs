//! Keys: two dispatches, or two failures, with the same key belong to the same issue.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::marker::{self, Kind, Marker};
use super::status::Word;
use super::text;
use crate::names::{IssueNumber, RunId};

/// The key of an issue. Two dispatches, or two failures, with the same key belong to the same issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// A ticket for the release of this name.
    Release(String),
    /// A ticket for this run of the hub, where the release has no name.
    Run(RunId),
    /// An issue that notify opened for the failure with this fingerprint.
    Failure(String),
}

/// The data in the body of a ticket, by which a later job finds it. It is written once; state lives in records.
#[derive(Serialize, Deserialize)]
struct TicketBody {
    key: Word<Key>,
    /// The earlier, closed ticket of the same release, from which this one takes over the released targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    continues: Option<IssueNumber>,
}

impl Key {
    /// Reads the key from the body of an issue that this action opened. An issue whose key only a newer release can
    /// read is still an issue of this action.
    #[must_use]
    pub fn of(body: &str) -> Option<Word<Self>> {
        let Ok(marker) = Marker::find(body)? else {
            let is_ticket = body.lines().next().is_some_and(|line| line.contains(" ticket "));
            return is_ticket.then_some(Word::Newer(Value::Null));
        };
        match marker.kind() {
            Some(Kind::Ticket) => {
                Some(marker.data::<TicketBody>().map_or(Word::Newer(Value::Null), |body| body.key))
            }
            Some(Kind::Notice) => failure_of(&marker),
            Some(_) => None,
            None if marker.word() == Kind::Notice.as_str() => failure_of(&marker),
            None => Some(Word::Newer(Value::Null)),
        }
    }

    /// Renders the body of a ticket: the marker, then `text`, cut to GitHub's limit. `continues` is the earlier ticket
    /// from which it takes over.
    #[must_use]
    pub fn ticket_body(&self, text: &str, continues: Option<IssueNumber>) -> String {
        let marker = marker::render(Kind::Ticket, &TicketBody { key: self.clone().into(), continues });
        text::cut(&format!("{marker}\n{text}"), text::BODY_LIMIT)
    }
}

/// The earlier ticket of the same release from which the ticket with this body takes over.
#[must_use]
pub fn continues(body: &str) -> Option<IssueNumber> {
    let marker = Marker::find(body)?.ok().filter(|marker| marker.kind() == Some(Kind::Ticket))?;
    marker.data::<TicketBody>().ok()?.continues
}

/// The fingerprint alone is the key of a failure; fields of a newer release beside it change nothing.
fn failure_of(marker: &Marker<'_>) -> Option<Word<Key>> {
    let value = marker.value().ok()?;
    let fingerprint = value.get("fingerprint").and_then(Value::as_str)?;
    Some(Key::Failure(fingerprint.to_owned()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ticket_that_another_one_continues_is_read_as_it_was_written() {
        let key = Key::Release("1.4.0".into());
        for number in [None, Some(IssueNumber(7))] {
            let body = key.ticket_body("text", number);
            assert_eq!((Key::of(&body), continues(&body)), (Some(key.clone().into()), number));
        }
        assert_eq!(continues("Continues #7"), None);
    }

    #[test]
    fn a_key_that_only_a_newer_release_reads_is_known_to_be_one() {
        for body in [
            r#"<!-- release-ticket:1 ticket {"key":{"train":"7"}} -->"#,
            r#"<!-- release-ticket:2 ticket {"key":{"release":"1.4.0"}} -->"#,
            r#"<!-- release-ticket:1 ticket {"keys":[]} -->"#,
            "<!-- release-ticket:1 ticket {",
        ] {
            assert!(Key::of(body).is_some_and(|key| key.is_newer()), "{body}");
        }
        let body = r#"<!-- release-ticket:1 ticket {"key":{"release":"1.4.0"},"continues":{"train":7}} -->"#;
        assert!(Key::of(body).is_some_and(|key| key.is_newer()), "it may continue another one");
        let failure = Some(Key::Failure("f".into()).into());
        assert_eq!(Key::of(r#"<!-- release-ticket:2 notice {"fingerprint":"f","mood":1} -->"#), failure);
        for body in ["", "text", r#"<!-- release-ticket:1 board {"seen":{"records":{}}} -->"#] {
            assert_eq!(Key::of(body), None, "{body}");
        }
    }
}
