//! Commands: the first line of a comment, as in `/release go staging : looks good`.
//!
//! ```text
//! body ── find ──► line ── parse ──► Command
//!          │                 │
//!          └─ any other text └─ refused, with help
//! ```
//!
//! An unclear command is refused as a whole. Above all, an unknown name never counts as the beginning of a reason if
//! that leaves the command without names: such a command is about everything.

mod names;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use pulldown_cmark::{Event, Parser, Tag};

use crate::names::TargetName;
use crate::problem::{Problem, Topic, excerpt};
use crate::targets::did_you_mean;
use crate::ticket::{Verb, text};

/// The beginning of a command, in any case.
const START: &str = "/release";

/// The most characters of a reason; a longer one is cut.
const REASON_LIMIT: usize = 200;

/// The most characters of a comment's word that a message quotes.
const QUOTE_LIMIT: usize = 60;

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The verb.
    pub verb: Verb,
    /// The targets or gates that it is about.
    pub about: About,
    /// The reason, in the person's words.
    pub reason: Option<String>,
}

/// The targets or gates that a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The verb's default, as the command has no names.
    Default,
    /// `all`: everything that the verb can apply to.
    All,
    /// These, as the ticket spells them, each once.
    These(BTreeSet<TargetName>),
}

/// The names that a command may use.
#[derive(Debug, Clone, Copy)]
pub struct Names<'n> {
    /// The targets of the ticket.
    pub targets: &'n [TargetName],
    /// The gates of the targets file.
    pub gates: &'n [TargetName],
}

/// The command of a comment: its first line, if that begins with `/release`. None for any other text.
///
/// # Errors
///
/// When another line is a command, too, unless it is code or a quote: nothing is done by halves.
#[must_use]
pub fn find(body: &str) -> Option<Result<&str, Problem>> {
    let line = body.split(['\n', '\r']).next().unwrap_or_default();
    after_start(line)?;
    if !has_another(body) {
        return Some(Ok(line));
    }
    let problem = Problem::new("the comment has more than one command, and none of them is carried out");
    Some(Err(problem.help(Topic::Command, "write a comment for each command")))
}

/// The rest of a text that begins with `/release`.
fn after_start(text: &str) -> Option<&str> {
    let (start, rest) = text.split_at_checked(START.len())?;
    let is_whole = rest.chars().next().is_none_or(|c| c.is_whitespace() || c == ':');
    (start.eq_ignore_ascii_case(START) && is_whole).then_some(rest)
}

/// Whether a line below the first is a command, too. A quoted line does not begin with `/release`, nor does one that is
/// indented.
fn has_another(body: &str) -> bool {
    let starts = body.match_indices(['\n', '\r']).map(|(end, _)| end + 1);
    let mut commands = starts.filter(|start| after_start(&body[*start..]).is_some()).peekable();
    if commands.peek().is_none() {
        return false;
    }
    let code = code(body);
    commands.any(|start| !code.iter().any(|code| code.contains(&start)))
}

/// The ranges of the code in a comment.
fn code(body: &str) -> Vec<Range<usize>> {
    let events = Parser::new(body).into_offset_iter();
    let code = events.filter(|(event, _)| matches!(event, Event::Start(Tag::CodeBlock(_)) | Event::Code(_)));
    code.map(|(_, range)| range).collect()
}

/// The verb of a command.
///
/// # Errors
///
/// When the line has an unknown verb.
pub fn verb(line: &str) -> Result<Verb, Problem> {
    split_verb(line).map(|(verb, _)| verb)
}

/// Reads a command.
///
/// # Errors
///
/// When the line is not a command, or not a clear one.
pub fn parse(line: &str, names: Names<'_>) -> Result<Command, Problem> {
    let (verb, rest) = split_verb(line)?;
    let (about, rest) = names.read(verb, rest)?;
    let reason = match rest.strip_prefix(':') {
        Some(reason) => one_line(reason),
        None if rest.is_empty() => None,
        None if !is_in_list(line, rest) && is_reason(verb, &about, rest, names) => one_line(rest),
        None => return Err(names.unknown_name(verb, rest)),
    };
    match (verb, &about, &reason) {
        (Verb::Retry | Verb::Cancel | Verb::Skip, About::Default, _) => Err(names.missing_names(verb)),
        (Verb::OverrideFreeze, _, None) => Err(Problem::new(format!("`{}` takes a reason", verb.as_str()))
            .help(Topic::Command, "write it after a `:`, as in `/release override-freeze : reason`")),
        _ => Ok(Command { verb, about, reason }),
    }
}

/// A word of a comment as a code span for messages.
fn quote(word: &str) -> String {
    let word = excerpt(word, QUOTE_LIMIT).replace('`', "'");
    let escape = |c: char| if text::is_invisible(c) { c.escape_unicode().to_string() } else { c.to_string() };
    format!("`{}`", word.chars().map(escape).collect::<String>())
}

/// Whether a character stands between the words of a command.
fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, ',' | ':')
}

/// The first word of a text, and the rest.
fn first_word(text: &str) -> (&str, &str) {
    text.split_at(text.find(is_separator).unwrap_or(text.len()))
}

/// A character for comparisons: phones write dashes and spaces of other kinds.
fn plain(c: char) -> char {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        c if c.is_whitespace() => ' ',
        c => c,
    }
}

fn split_verb(line: &str) -> Result<(Verb, &str), Problem> {
    let Some(rest) = after_start(line) else {
        return Err(Problem::new(format!("{} is not a command", quote(line))));
    };
    let (word, rest) = first_word(rest.trim_start());
    if word.is_empty() {
        return match rest.strip_prefix(':') {
            Some(text) if !text.trim().is_empty() => Err(Problem::new("there is no verb before the `:`")
                .help(Topic::Command, "write a verb right after `/release`, as in `/release hold : reason`")),
            _ => Ok((Verb::Status, rest)),
        };
    }
    let name = word.chars().map(plain).collect::<String>().to_lowercase();
    match Verb::ALL.into_iter().find(|verb| verb.as_str() == name) {
        Some(verb) => Ok((verb, rest)),
        None => {
            let what = format!("{} is not a command", quote(&format!("{START} {word}")));
            // The most similar word, `go`, would be its opposite.
            let name = if name == "no" { Verb::NoGo.as_str() } else { &name };
            let help = did_you_mean(name, Verb::ALL.iter().map(|verb| verb.as_str()));
            Err(Problem::new(what).help(Topic::Command, help))
        }
    }
}

/// Whether text that follows the names without a `:` is a reason, and not an unknown name.
fn is_reason(verb: Verb, about: &About, text: &str, names: Names<'_>) -> bool {
    if !matches!(verb, Verb::NoGo | Verb::Skip | Verb::Hold | Verb::OverrideFreeze) || has_colon(text) {
        return false;
    }
    let (word, rest) = first_word(text);
    if *about != About::Default {
        return !names.are_like(verb, word);
    }
    let goes_on = !rest.trim_matches(is_separator).is_empty() && !rest.starts_with(',');
    (goes_on || verb == Verb::OverrideFreeze) && names.closest(word).is_none()
}

/// Whether a comma stands before `rest`, the end of `line`: then `rest` begins with a name.
fn is_in_list(line: &str, rest: &str) -> bool {
    line[..line.len() - rest.len()].trim_end().ends_with(',')
}

/// Whether `text` has a `:` that ends a list of names: one in an address or in a time of day does not.
fn has_colon(text: &str) -> bool {
    text.match_indices(':').any(|(at, colon)| {
        let (before, after) = (&text[..at], &text[at + colon.len()..]);
        let is_digit = |c: char| c.is_ascii_digit();
        let is_in_time = before.ends_with(is_digit) && after.starts_with(is_digit);
        !is_in_time && !after.starts_with("//")
    })
}

/// A reason as one line without invisible characters; none if it is blank.
fn one_line(text: &str) -> Option<String> {
    let visible: String = text.chars().filter(|c| c.is_whitespace() || !text::is_invisible(*c)).collect();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then(|| text::cut(&line, REASON_LIMIT))
}

/// The command as a person could have written it.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{START} {}", self.verb.as_str())?;
        match &self.about {
            About::Default => {}
            About::All => write!(f, " {}", names::ALL)?,
            About::These(names) => {
                let names: Vec<&str> = names.iter().map(TargetName::as_str).collect();
                write!(f, " {}", names.join(", "))?;
            }
        }
        self.reason.iter().try_for_each(|reason| write!(f, " : {reason}"))
    }
}
