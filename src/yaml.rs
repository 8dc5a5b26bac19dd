//! YAML with places: each value knows the line and column where it stands, so that a mistake can be
//! pointed at, and a number keeps the form in which it was written.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use serde_saphyr::{Location, Spanned};

use crate::place::Place;
use crate::problem::Help;

/// Why a text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// It is not YAML.
    #[error("{name} is not YAML: {reason}")]
    Syntax {
        /// What people call the text.
        name: String,
        /// The parser's words, with the place and the lines around it.
        reason: String,
    },
}

impl Help for YamlError {
    /// The parser's words say it, with the lines around the mistake.
    fn help(&self) -> Option<String> {
        None
    }
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// Any YAML value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it is written: `1.10` stays `1.10`.
    Number(String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Placed<Node>>),
    /// A mapping, in the order of the text.
    Mapping(Vec<(Placed<String>, Placed<Node>)>),
}

impl Node {
    /// What it is, for people.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }

    /// As text, the way a person would type it: a list or mapping as JSON on one line.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(flag) => flag.to_string(),
            Self::Number(text) | Self::Text(text) => text.clone(),
            Self::List(_) | Self::Mapping(_) => self.to_json().to_string(),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
            Self::Text(text) => Value::String(text.clone()),
            Self::List(items) => items.iter().map(|item| item.value.to_json()).collect(),
            Self::Mapping(entries) => {
                let entries = entries.iter().map(|(key, value)| (key.value.clone(), value.value.to_json()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }
}

/// Reads `text`, which people call `source`.
///
/// # Errors
///
/// When it is not YAML.
pub fn parse(source: &str, text: &str) -> Result<Placed<Node>, YamlError> {
    let root: Spanned<Raw> = serde_saphyr::from_str(text).map_err(|error| {
        // The parser does not know the text's name.
        let reason = error.to_string().trim_start_matches("error: ").replace("<input>", source);
        YamlError::Syntax { name: source.to_owned(), reason }
    })?;
    Ok(placed(source, text, root))
}

/// A value as the parser gives it.
enum Raw {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Mapping(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Number(number.to_string()))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Raw, E> {
        Ok(Raw::Number(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Number(number.to_string()))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Raw, E> {
        Ok(Raw::Number(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Number(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut mapping = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            mapping.push(entry);
        }
        Ok(Raw::Mapping(mapping))
    }
}

fn placed(source: &str, text: &str, raw: Spanned<Raw>) -> Placed<Node> {
    let node = match raw.value {
        Raw::Null => Node::Null,
        Raw::Bool(flag) => Node::Bool(flag),
        Raw::Number(number) => Node::Number(as_written(text, raw.defined).unwrap_or(number)),
        Raw::Text(text) => Node::Text(text),
        Raw::List(items) => Node::List(items.into_iter().map(|item| placed(source, text, item)).collect()),
        Raw::Mapping(entries) => Node::Mapping(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let place = place(source, key.referenced);
                    (Placed { value: key.value, place }, placed(source, text, value))
                })
                .collect(),
        ),
    };
    Placed { value: node, place: place(source, raw.referenced) }
}

/// A number's own digits: `1.10` may be a version.
fn as_written(text: &str, location: Location) -> Option<String> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let length = usize::try_from(span.byte_len()?).ok()?;
    let written = text.get(start..start.checked_add(length)?)?.trim();
    written.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)).then(|| written.to_owned())
}

fn place(source: &str, location: Location) -> Place {
    Place { source: source.to_owned(), line: location.line(), column: location.column() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_kind_their_form_and_their_place() {
        let text = "a: 1.10\nb: [true, ~, 007]\nc:\n  d: |\n    two\n    lines\n  e: \"1.0\"\n'f g': 1e3\n";
        let read = parse("t.yml", text).expect("YAML");
        let Node::Mapping(entries) = &read.value else { panic!("a mapping") };
        let rows: Vec<_> = entries
            .iter()
            .map(|(key, value)| {
                format!("{} {} at {}: {}", key.value, value.value.kind(), value.place, value.value.to_text())
            })
            .collect();
        insta::assert_snapshot!(rows.join("\n"), @r#"
        a a number at t.yml:1:4: 1.10
        b a list at t.yml:2:4: [true,null,"007"]
        c a mapping at t.yml:4:3: {"d":"two\nlines\n","e":"1.0"}
        f g a number at t.yml:8:8: 1e3
        "#);
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let error = parse("t.yml", "a: [1\nb: 2\n").expect_err("not YAML").to_string();
        assert!(error.starts_with("t.yml is not YAML: ") && error.contains("t.yml:2"), "{error}");
    }
}
