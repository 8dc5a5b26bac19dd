//! YAML with places: each value has its line and column, so that a message can name the place of a mistake, and a
//! number keeps its own digits.
//!
//! Plain values have the types of the core schema of
//! [YAML 1.2](https://yaml.org/spec/1.2.2/#103-core-schema), as in GitHub's own parser: `yes`, `no`, `on` and
//! `off` are text.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use serde_saphyr::{Error, Location, NonFiniteFloatPolicy, Options, Spanned};

use crate::place::Place;
use crate::problem::{Advice, Help, Problem, Topic};

/// Why a text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct YamlError {
    /// The place of the mistake.
    pub place: Place,
    /// The mistake, without its place.
    pub what: String,
    help: Option<String>,
}

impl YamlError {
    /// The error as a problem with its place.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem { place: Some(self.place.clone()), what: self.what.clone(), help: self.help() }
    }
}

impl Help for YamlError {
    fn help(&self) -> Option<Advice> {
        self.help.as_ref().map(|help| Topic::Yaml.advice(help))
    }
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedValue<T> {
    /// The value.
    pub value: T,
    /// Its place in the text.
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
    List(Vec<PlacedValue<Node>>),
    /// A mapping, in the order of the text.
    Mapping(Vec<(PlacedValue<String>, PlacedValue<Node>)>),
}

impl Node {
    /// Its kind in words: `a list`.
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

    /// The value of `key` in a mapping; `None` for other values.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Mapping(entries) = self else { return None };
        entries.iter().find(|(name, _)| name.value == key).map(|(_, value)| &value.value)
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

/// The most values that the aliases of a text may stand for, all together: enough for some thousand targets that share
/// their inputs, and far too few to fill the memory.
const MOST_ALIASED: usize = 200_000;

/// The most levels of lists and mappings: the reader calls itself for each level.
const DEEPEST: usize = 32;

/// Reads `text`; messages name it `source`.
///
/// # Errors
///
/// When it is not YAML.
pub fn parse(source: &str, text: &str) -> Result<PlacedValue<Node>, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let root: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let place = place(source, error.location().unwrap_or(Location::UNKNOWN));
        let (what, help) = words(&error);
        let is_syntax = matches!(error.without_snippet(), Error::ExternalMessage { .. });
        let of_template = is_syntax.then(|| quoted_template(text, &place)).flatten();
        YamlError { place, what, help: of_template.or(help).map(str::to_owned) }
    })?;
    place_values(source, text, root)
}

fn options() -> Options {
    serde_saphyr::options! {
        // A file with defaults has many aliases of few anchors, so the number of values is limited instead.
        budget: serde_saphyr::budget! { enforce_alias_anchor_ratio: false, max_depth: DEEPEST },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MOST_ALIASED },
        strict_booleans: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

/// The help for a template without quotes: YAML reads its braces as mappings.
fn quoted_template(text: &str, place: &Place) -> Option<&'static str> {
    let index = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let line = text.lines().nth(index)?;
    if line.contains("${{") {
        return Some("write `{{ … }}` in place of `${{ … }}`, and put it in quotes");
    }
    let is_template = line.contains("{{") || line.contains("{%");
    is_template.then_some("put templates in quotes: \"{{ release }}\"")
}

/// An error in words for the text's author, and its help.
fn words(error: &Error) -> (String, Option<&'static str>) {
    let message = |what: &str, help| (what.to_owned(), Some(help));
    match error.without_snippet() {
        Error::AliasError { error, .. } => words(error),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            (format!("the key `{key}` appears twice"), Some("keep one of them"))
        }
        Error::DuplicateMappingKey { .. } => message("a key appears twice", "keep one of them"),
        Error::MultipleDocuments { .. } => {
            message("a second document begins after `---`", "keep one document")
        }
        Error::UnknownAnchor { .. } => {
            message("no `&` before it has this name", "define the value above, after `&NAME`")
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            message("a value contains itself", "use `*` outside of the value that `&` names")
        }
        Error::MergeValueNotMapOrSeqOfMaps { .. } => message(
            "`<<` comes before a value that is not a mapping",
            "write `<<: *NAME`, of a mapping or a list of mappings",
        ),
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => message(
            "the text has too many values, or is nested too deeply, counting each alias as its value",
            "shorten it, and use fewer aliases (`*NAME`) within each other",
        ),
        Error::InvalidScalar { .. }
        | Error::InvalidBooleanStrict { .. }
        | Error::InvalidBinaryBase64 { .. }
        | Error::BinaryNotUtf8 { .. }
        | Error::TaggedScalarCannotDeserializeIntoString { .. } => {
            message("the value does not fit the tag before it", "leave the tag (`!!…`) out")
        }
        Error::ExternalMessage { msg, .. } => syntax(msg),
        Error::Eof { .. } => message("the text ends too early", "complete it"),
        _ => message("this is not YAML", "correct it"),
    }
}

/// A syntax error in words, and its help; an uncommon error is in the parser's own words.
fn syntax(message: &str) -> (String, Option<&'static str>) {
    const QUOTES: &str = "put the text in quotes";
    const COMMON: &[(&str, &str, &str)] = &[
        (
            "',' or '}'",
            "a `}` or a `,` is missing here",
            "close each `{`, and put text that has `{` or `,` in quotes",
        ),
        (
            "',' or ']'",
            "a `]` or a `,` is missing here",
            "close each `[`, and put text that has `[` or `,` in quotes",
        ),
        (
            "'-' indicator",
            "this is not an item of the list above",
            "begin it with `- `, or indent it like the value that it belongs to",
        ),
        (
            "expected key",
            "this is not a key of the mapping above",
            "indent it as the keys above, or put the whole text in quotes",
        ),
        ("simple key", "this is neither a key with its `:` nor an item with its `- `", QUOTES),
        ("placement of ':'", "a `: ` is not allowed here", QUOTES),
        ("mapping values are not allowed", "a `: ` is not allowed here", QUOTES),
        ("unexpected character", "text cannot begin with this character", QUOTES),
        ("unclosed quote", "this quote is not closed", "close it"),
        (
            "unknown escape",
            "`\\` with this character means nothing in double quotes",
            "use single quotes, or write `\\\\`",
        ),
    ];
    let common = COMMON.iter().find(|(part, ..)| message.contains(part));
    let words =
        |(_, what, help): &(&str, &str, &'static str)| (format!("this is not YAML: {what}"), Some(*help));
    common.map_or_else(|| (format!("this is not YAML: {message}"), None), words)
}

/// A value of the parser.
enum Raw {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Mapping(Vec<(Spanned<Raw>, Spanned<Raw>)>),
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

fn place_values(source: &str, text: &str, raw: Spanned<Raw>) -> Result<PlacedValue<Node>, YamlError> {
    let node = match raw.value {
        Raw::Null => Node::Null,
        Raw::Bool(flag) => Node::Bool(flag),
        Raw::Number(number) => Node::Number(number_text(text, raw.defined).unwrap_or(number)),
        Raw::Text(text) => Node::Text(text),
        Raw::List(items) => {
            let items = items.into_iter().map(|item| place_values(source, text, item));
            Node::List(items.collect::<Result<_, _>>()?)
        }
        Raw::Mapping(entries) => {
            let entries = entries
                .into_iter()
                .map(|(key, value)| Ok((key_of(source, text, key)?, place_values(source, text, value)?)));
            Node::Mapping(entries.collect::<Result<_, _>>()?)
        }
    };
    Ok(PlacedValue { value: node, place: place(source, raw.referenced) })
}

/// A key, which is one line of text.
fn key_of(source: &str, text: &str, raw: Spanned<Raw>) -> Result<PlacedValue<String>, YamlError> {
    let PlacedValue { value, place } = place_values(source, text, raw)?;
    if matches!(value, Node::Null | Node::List(_) | Node::Mapping(_)) {
        let (what, help) = match quoted_template(text, &place) {
            Some(help) => ("without quotes, this template is a mapping".to_owned(), help),
            None => (format!("{} is in the place of a name", value.kind()), "write a name before the `:`"),
        };
        return Err(YamlError { place, what, help: Some(help.to_owned()) });
    }
    Ok(PlacedValue { value: value.to_text(), place })
}

/// A number's own digits: `1.10` may be a version.
fn number_text(text: &str, location: Location) -> Option<String> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let length = usize::try_from(span.byte_len()?).ok()?;
    let number = text.get(start..start.checked_add(length)?)?.trim();
    number.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)).then(|| number.to_owned())
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

    /// The values of a mapping of names to scalars, each with its kind.
    fn kinds(text: &str) -> String {
        let read = parse("t.yml", text).expect("YAML");
        let Node::Mapping(entries) = read.value else { panic!("a mapping") };
        let rows = entries
            .iter()
            .map(|(key, value)| format!("{}: {} ({})", key.value, value.value.to_text(), value.value.kind()));
        rows.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn plain_values_have_the_types_of_yaml_1_2() {
        let text = "\
y: yes
n: NO
on: off
'true': True
no: TRUE
1.10: false
big: 1e12345
inf: -.inf
grouped: 1_000
zip: 01234
hex: 0xFF
anchored: &v 3.10
alias: *v
tilde: ~
";
        insta::assert_snapshot!(kinds(&format!("\u{feff}{text}")), @"
        y: yes (text)
        n: NO (text)
        on: off (text)
        true: true (a boolean)
        no: true (a boolean)
        1.10: false (a boolean)
        big: 1e12345 (a number)
        inf: -.inf (a number)
        grouped: 1_000 (text)
        zip: 01234 (a number)
        hex: 0xFF (a number)
        anchored: 3.10 (a number)
        alias: 3.10 (a number)
        tilde:  (nothing)
        ");
    }

    #[test]
    fn a_mistake_is_named_in_the_words_of_the_author() {
        let texts = [
            "a: [1\nb: 2\n",
            "a: 1\nb:\n  c: 1\n  c: '{{ x }}'\n",
            "a: {{ release }}\n",
            "a: {{ release }}-rc\n",
            "{ a: v{{ release }}, b: 2 }",
            "{ a: ${{ inputs.release }} }",
            "a: {% if x %}1{% endif %}",
            "a: 1\nb: {c: [1, 2}",
            "a: *b",
            "a: &a [*a]",
            "--- \na: 1\n---\nb: 2",
            "<<: 3\na: 1",
            "a: !!int x",
            "? [a]\n: 1",
            ": 1",
            "a: b: c",
            "- a\nb: 1",
            "a: 1\n b: 2",
            "a: \"\\q\"",
            "a: 'x",
            "a: @x",
        ];
        let messages = texts.map(|text| {
            let error = parse("t.yml", text).expect_err(text);
            format!("{error} / {}", error.help().map(|help| help.text).unwrap_or_default())
        });
        insta::assert_snapshot!(messages.join("\n"), @r#"
        t.yml:2:2: this is not YAML: a `: ` is not allowed here / put the text in quotes
        t.yml:4:3: the key `c` appears twice / keep one of them
        t.yml:1:5: without quotes, this template is a mapping / put templates in quotes: "{{ release }}"
        t.yml:1:17: this is not YAML: this is not a key of the mapping above / put templates in quotes: "{{ release }}"
        t.yml:1:7: this is not YAML: a `}` or a `,` is missing here / put templates in quotes: "{{ release }}"
        t.yml:1:7: this is not YAML: a `}` or a `,` is missing here / write `{{ … }}` in place of `${{ … }}`, and put it in quotes
        t.yml:1:5: this is not YAML: text cannot begin with this character / put templates in quotes: "{{ release }}"
        t.yml:2:8: this is not YAML: mismatched bracket '[' closed by '}' / 
        t.yml:1:4: no `&` before it has this name / define the value above, after `&NAME`
        t.yml:1:8: a value contains itself / use `*` outside of the value that `&` names
        t.yml:4:1: a second document begins after `---` / keep one document
        t.yml:1:5: `<<` comes before a value that is not a mapping / write `<<: *NAME`, of a mapping or a list of mappings
        t.yml:1:10: the value does not fit the tag before it / leave the tag (`!!…`) out
        t.yml:1:3: a list is in the place of a name / write a name before the `:`
        t.yml:1:1: nothing is in the place of a name / write a name before the `:`
        t.yml:1:5: this is not YAML: a `: ` is not allowed here / put the text in quotes
        t.yml:2:1: this is not YAML: this is not an item of the list above / begin it with `- `, or indent it like the value that it belongs to
        t.yml:2:3: this is not YAML: a `: ` is not allowed here / put the text in quotes
        t.yml:1:4: this is not YAML: `\` with this character means nothing in double quotes / use single quotes, or write `\\`
        t.yml:1:4: this is not YAML: this quote is not closed / close it
        t.yml:1:4: this is not YAML: text cannot begin with this character / put the text in quotes
        "#);
    }

    #[test]
    fn a_hundred_aliases_of_one_anchor_are_few_and_a_billion_are_too_many() {
        let aliases: String = (0..500).map(|n| format!("a{n}: *base\n")).collect();
        let read = parse("t.yml", &format!("base: &base {{ b: 1, c: [2, 3] }}\n{aliases}")).expect("YAML");
        assert!(matches!(read.value, Node::Mapping(entries) if entries.len() == 501));

        let laughs: String = (1..12)
            .map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", ")))
            .collect();
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let chain: String = (1..1_000).map(|n| format!("a{n}: &a{n} [*a{}]\n", n - 1)).collect();
        for bomb in [format!("a0: &a0 ha\n{laughs}"), format!("a0: &a0 ha\n{chain}"), deep] {
            let error = parse("t.yml", &bomb).expect_err("too much");
            assert!(error.to_string().contains("too many values, or is nested too deeply"), "{error}");
        }
    }
}
