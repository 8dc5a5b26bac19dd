//! The names in a command, found among those of the ticket.

use std::collections::BTreeSet;

use super::{About, Names, first_word, is_separator, plain, quote};
use crate::names::TargetName;
use crate::problem::{Problem, Topic};
use crate::targets::{closest, enumeration};
use crate::ticket::Verb;

/// The word for everything that the verb can apply to. A target or gate of that name comes first.
pub(super) const ALL: &str = "all";

/// The kind of the names behind a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Target,
    Gate,
}

impl Kind {
    /// The kind of names that `verb` takes; `None` if it takes no names.
    fn of(verb: Verb) -> Option<Self> {
        match verb {
            Verb::Go | Verb::NoGo => Some(Self::Gate),
            Verb::Retry | Verb::Cancel | Verb::Skip | Verb::Hold | Verb::Resume => Some(Self::Target),
            Verb::Status | Verb::Help | Verb::OverrideFreeze => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Gate => "gate",
        }
    }
}

impl<'n> Names<'n> {
    /// The names that `text` begins with, and the rest.
    ///
    /// # Errors
    ///
    /// When one of them is a target's where `verb` takes gates, or a gate's where it takes targets; or when `all`
    /// stands beside others.
    pub(super) fn read(self, verb: Verb, text: &str) -> Result<(About, &str), Problem> {
        let Some(kind) = Kind::of(verb) else { return Ok((About::Default, to_next(text))) };
        let (mut these, mut is_all, mut rest) = (BTreeSet::new(), false, to_next(text));
        loop {
            if let Some((name, after)) = self.longest(rest) {
                self.check(verb, kind, name)?;
                these.insert(name.clone());
                rest = to_next(after);
            } else if let Some(after) = after_name(rest, ALL) {
                is_all = true;
                rest = to_next(after);
            } else {
                break;
            }
        }
        match (is_all, these.is_empty()) {
            (false, true) => Ok((About::Default, rest)),
            (false, false) => Ok((About::These(these), rest)),
            (true, true) => Ok((About::All, rest)),
            (true, false) => {
                let help = "write either the names, or `all`";
                Err(Problem::new("the command has both names and `all`").help(Topic::Command, help))
            }
        }
    }

    /// All names.
    pub(super) fn all(self) -> impl Iterator<Item = &'n TargetName> + Clone {
        self.targets.iter().chain(self.gates)
    }

    /// The words that may stand behind a verb that takes names of this kind.
    fn words(self, kind: Kind) -> impl Iterator<Item = &'n str> {
        self.of(kind).iter().map(TargetName::as_str).chain([ALL])
    }

    /// Whether `word` looks like a name that stands behind `verb`.
    pub(super) fn are_like(self, verb: Verb, word: &str) -> bool {
        Kind::of(verb).is_some_and(|kind| closest(word, self.words(kind)).is_some())
    }

    /// The name that is most similar to `word`, if one is similar.
    pub(super) fn closest(self, word: &str) -> Option<&'n str> {
        closest(word, self.all().map(TargetName::as_str).chain([ALL]))
    }

    fn of(self, kind: Kind) -> &'n [TargetName] {
        match kind {
            Kind::Target => self.targets,
            Kind::Gate => self.gates,
        }
    }

    /// The longest name that `text` begins with, and the rest. If several names differ only by their case or the kind of
    /// their dashes, the one that is spelt as in `text`.
    fn longest<'t>(self, text: &'t str) -> Option<(&'n TargetName, &'t str)> {
        let fitting = self.all().filter_map(|name| Some((name, after_name(text, name.as_str())?)));
        let fitting: Vec<_> = fitting.collect();
        let rest = fitting.iter().map(|(_, rest)| rest.len()).min()?;
        let longest: Vec<_> = fitting.into_iter().filter(|(_, after)| after.len() == rest).collect();
        let spelling = &text[..text.len() - rest];
        match longest[..] {
            [one] => Some(one),
            _ => longest.into_iter().find(|(name, _)| name.as_str() == spelling),
        }
    }

    fn check(self, verb: Verb, kind: Kind, name: &TargetName) -> Result<(), Problem> {
        if self.of(kind).contains(name) {
            return Ok(());
        }
        let (is, takes) = match kind {
            Kind::Target => ("a gate", "targets"),
            Kind::Gate => ("a target", "gates"),
        };
        let what = format!("`{name}` is {is}, but `{}` takes {takes}", verb.as_str());
        Err(Problem::new(what).help(Topic::Command, self.enumerate(kind)))
    }

    /// The refusal of a verb without the names that it takes.
    pub(super) fn missing_names(self, verb: Verb) -> Problem {
        let kind = Kind::of(verb).unwrap_or(Kind::Target);
        let what = format!("`{}` needs the name of a {}", verb.as_str(), kind.as_str());
        Problem::new(what).help(Topic::Command, format!("{}; or write `{ALL}`", self.enumerate(kind)))
    }

    /// The refusal of `text` behind `verb`, which does not begin with a name.
    pub(super) fn unknown_name(self, verb: Verb, text: &str) -> Problem {
        let (word, rest) = first_word(text);
        let verb_word = verb.as_str();
        let Some(kind) = Kind::of(verb) else {
            let reason = if verb == Verb::OverrideFreeze { " : reason" } else { "" };
            let what = format!("`{verb_word}` does not take names");
            let help = format!("write `/release {verb_word}{reason}`");
            return Problem::new(what).help(Topic::Command, help);
        };
        let what = format!("{} is not a {} of this ticket", quote(word), kind.as_str());
        let is_alone = rest.trim_matches(is_separator).is_empty();
        let help = match closest(word, self.words(kind)) {
            Some(closest) if is_alone => format!("did you mean `{closest}`?"),
            Some(closest) => format!("did you mean `{closest}`? A reason follows a `:`"),
            None => format!("{}; a reason follows a `:`", self.enumerate(kind)),
        };
        Problem::new(what).help(Topic::Command, help)
    }

    fn enumerate(self, kind: Kind) -> String {
        let word = kind.as_str();
        match self.of(kind) {
            [] => format!("this ticket has no {word}s"),
            [name] => format!("the only {word} is `{name}`"),
            names => {
                let names = enumeration(names.iter().map(TargetName::as_str));
                format!("the {word}s of this ticket are {names}")
            }
        }
    }
}

/// `text` from its next word on, or from the `:` before that.
fn to_next(text: &str) -> &str {
    text.trim_start_matches(|c| is_separator(c) && c != ':')
}

/// The rest of a text that begins with `name`, in any case and with dashes and spaces of any kind.
pub(super) fn after_name<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let fold = |c: char| plain(c).to_lowercase();
    let mut chars = text.chars();
    let is_same = name.chars().all(|c| chars.next().is_some_and(|other| fold(other).eq(fold(c))));
    let rest = chars.as_str();
    let is_whole = rest.chars().next().is_none_or(is_separator);
    (is_same && is_whole && !name.is_empty()).then_some(rest)
}
