//! Gates, at which a release waits for people, and freezes, in which no target is started.
//!
//! Both are rules of the targets file. The records of hub jobs keep them, so that every job can render the board.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::status::Word;
use crate::names::{Login, TargetName};
use crate::problem::excerpt;

/// The most characters that an error quotes.
const QUOTE_LIMIT: usize = 60;

/// The gates and freezes of the targets file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// The gates, in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// The freezes, in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freezes: Vec<Freeze>,
}

impl Rules {
    /// Whether there are neither gates nor freezes.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        *self == Self::default()
    }

    /// The gate of this name.
    #[must_use]
    pub fn gate(&self, name: &TargetName) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.name == *name)
    }
}

/// A gate as the targets file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Its name: one of the names of the ticket, which it shares with the targets.
    pub name: TargetName,
    /// The people and teams who may say go or no-go; if empty, anyone who may give commands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<Approver>,
    /// The number of different people who have to say go.
    #[serde(rename = "required")]
    pub required_approvals: u32,
    /// Whether the driver's go does not count.
    #[serde(rename = "not_driver", default, skip_serializing_if = "std::ops::Not::not")]
    pub excludes_driver: bool,
    /// The effect of a moved ref of a target on an approval.
    #[serde(rename = "on_moved")]
    pub move_policy: Word<MovePolicy>,
}

/// The effect on an approval if the ref of a target has moved since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MovePolicy {
    /// The approval no longer counts for that target.
    Lapse,
    /// The approval counts, and the step warns.
    Warn,
}

/// A person who may say go or no-go, or a team whose members may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Approver {
    /// This person.
    Person(Login),
    /// Each member of this team of an organization.
    Team {
        /// The organization's login.
        organization: String,
        /// The team's [slug](https://docs.github.com/rest/teams/teams).
        slug: String,
    },
}

/// A text that is neither a person nor a team.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a login nor a team such as `@acme/release`")]
pub struct ApproverError(String);

impl Approver {
    /// Reads `alice`, `@alice` or `@acme/release`.
    ///
    /// # Errors
    ///
    /// The text has none of these forms.
    pub fn parse(text: &str) -> Result<Self, ApproverError> {
        let error = || ApproverError(excerpt(text, QUOTE_LIMIT));
        let name = text.trim();
        let name = name.strip_prefix('@').unwrap_or(name);
        if name.starts_with('@') {
            return Err(error());
        }
        match name.split_once('/') {
            None => Login::parse(name).map(Self::Person).ok_or_else(error),
            Some((organization, slug)) => {
                let is_slug = |slug: &str| {
                    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                    !slug.is_empty() && slug.chars().all(is_part)
                };
                let organization = Login::parse(organization).filter(|login| !login.is_bot());
                let organization = organization.filter(|_| is_slug(slug)).ok_or_else(error)?;
                Ok(Self::Team { organization: organization.as_str().to_owned(), slug: slug.to_lowercase() })
            }
        }
    }

    /// Whether both are the same person or team; GitHub ignores the case of their names.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.to_string().eq_ignore_ascii_case(&other.to_string())
    }
}

impl TryFrom<String> for Approver {
    type Error = ApproverError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Approver> for String {
    fn from(approver: Approver) -> Self {
        approver.to_string()
    }
}

/// `alice` or `acme/release`, without an `@`, which would ping.
impl fmt::Display for Approver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(login) => login.fmt(f),
            Self::Team { organization, slug } => write!(f, "{organization}/{slug}"),
        }
    }
}

/// A time in which no target is started.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Freeze {
    /// The first moment.
    pub from: DateTime<Utc>,
    /// The end: the first moment after the freeze.
    pub to: DateTime<Utc>,
    /// The reason in the targets file; may be blank.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl Freeze {
    /// Whether `now` is within it.
    #[must_use]
    pub fn holds_at(&self, now: DateTime<Utc>) -> bool {
        self.from <= now && now < self.to
    }

    /// Whether the time is the same, with any reason.
    #[must_use]
    pub fn is_same_time(&self, other: &Self) -> bool {
        (self.from, self.to) == (other.from, other.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approver_is_a_person_or_a_team() {
        let team = Approver::Team { organization: "Acme".into(), slug: "release-managers".into() };
        for text in ["@Acme/Release-Managers", "Acme/release-managers", " @Acme/release-managers\n"] {
            assert_eq!(Approver::parse(text), Ok(team.clone()), "{text}");
        }
        for text in ["alice", "@alice", " alice "] {
            assert!(
                matches!(Approver::parse(text), Ok(Approver::Person(login)) if login.as_str() == "alice")
            );
        }
        for text in [
            "",
            "@",
            "@@alice",
            "alice bob",
            "alice/",
            "/release",
            "@acme/@release",
            "a/b/c",
            "bot[bot]/x",
            "a/b c",
        ] {
            assert!(Approver::parse(text).is_err(), "{text}");
        }
        let long = Approver::parse(&"a b ".repeat(99)).expect_err("no login has blanks");
        assert!(long.to_string().len() < 200, "{long}");
    }

    #[test]
    fn an_approver_is_the_same_in_any_case() {
        let is_same = |a, b| Approver::parse(a).expect("one").is_same(&Approver::parse(b).expect("another"));
        assert!(is_same("alice", "@Alice") && is_same("acme/release", "@ACME/Release"));
        assert!(
            !is_same("alice", "alicia")
                && !is_same("acme/release", "acme/docs")
                && !is_same("acme", "acme/acme")
        );
    }

    #[test]
    fn rules_are_read_back_as_they_were_written() {
        let rules = Rules {
            gates: vec![Gate {
                name: "go".into(),
                approvers: ["alice", "@acme/release"].map(|text| Approver::parse(text).expect("one")).into(),
                required_approvals: 2,
                excludes_driver: true,
                move_policy: Word::Known(MovePolicy::Warn),
            }],
            freezes: Vec::new(),
        };
        let json = serde_json::to_string(&rules).expect("JSON");
        insta::assert_snapshot!(json, @r#"{"gates":[{"name":"go","approvers":["alice","acme/release"],"required":2,"not_driver":true,"on_moved":"warn"}]}"#);
        assert_eq!(serde_json::from_str::<Rules>(&json).expect("rules"), rules);
    }
}
