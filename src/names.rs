//! The names of things on GitHub: each kind of id has a type of its own, so that none is taken for another.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::problem::{Advice, Help, Topic};

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not the name of a repository.
    #[error("`{0}` is not a repository; write `owner/name`")]
    Repository(String),
    /// Not a ticket.
    #[error("`{0}` is not a ticket; write `12`, `#12`, `owner/name#12` or the issue's URL")]
    Issue(String),
    /// Not the name of an account or a team.
    #[error("`{0}` is not a login; write `alice` or `org/team`")]
    Login(String),
}

impl Help for NameError {
    /// The messages say what to write.
    fn help(&self) -> Option<Advice> {
        None
    }
}

/// A repository, `owner/name`.
///
/// GitHub takes names in any case, so two names that differ only in case are equal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoName {
    owner: String,
    name: String,
}

impl RepoName {
    /// The user or organization that owns it.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The name without its owner.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads `owner/name`, or a bare `name` that belongs to `owner`.
    ///
    /// # Errors
    ///
    /// When the text is neither.
    pub fn parse_with_owner(text: &str, owner: &str) -> Result<Self, NameError> {
        if text.contains('/') { text.parse() } else { format!("{owner}/{text}").parse() }
            .map_err(|_| NameError::Repository(text.to_owned()))
    }

    fn lower_case(&self) -> (String, String) {
        (self.owner.to_ascii_lowercase(), self.name.to_ascii_lowercase())
    }
}

impl FromStr for RepoName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = |part: &str| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part.len() <= 100
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        match text.split_once('/') {
            Some((owner, name)) if fits(owner) && fits(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            _ => Err(NameError::Repository(text.to_owned())),
        }
    }
}

impl TryFrom<String> for RepoName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<RepoName> for String {
    fn from(name: RepoName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl PartialEq for RepoName {
    fn eq(&self, other: &Self) -> bool {
        self.lower_case() == other.lower_case()
    }
}

impl Eq for RepoName {}

impl Hash for RepoName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.lower_case().hash(state);
    }
}

impl PartialOrd for RepoName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RepoName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.lower_case().cmp(&other.lower_case())
    }
}

/// Logins in records. A text that is not a login is left out, so that the rest of the record still counts.
pub(crate) mod login {
    use serde::{Deserialize, Deserializer};
    use serde_json::Value;

    use super::Login;

    /// Reads a login.
    pub(crate) fn option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Login>, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(value.as_str().and_then(Login::parse))
    }

    /// Reads a list of logins.
    pub(crate) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Login>, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        Ok(texts.filter_map(Login::parse).collect())
    }
}

/// Whole numbers from outside: ids of GitHub, and how often a record was written.
pub mod number {
    use serde::{Deserialize, Deserializer};

    /// The largest number that is accepted; GitHub and this action hand out no larger one. All readers of JSON agree
    /// on numbers up to this one: <https://www.rfc-editor.org/rfc/rfc8259#section-6>.
    pub const MAX: u64 = 1 << 53;

    /// The number is above [`MAX`].
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    #[error("{0} is larger than any number of GitHub")]
    pub struct TooLarge(u64);

    /// The number, if it is not above [`MAX`].
    ///
    /// # Errors
    ///
    /// When it is above [`MAX`].
    pub const fn bounded(number: u64) -> Result<u64, TooLarge> {
        if number > MAX { Err(TooLarge(number)) } else { Ok(number) }
    }

    /// The number after this one; after [`MAX`] comes [`MAX`].
    #[must_use]
    pub const fn next(number: u64) -> u64 {
        if number < MAX { number + 1 } else { MAX }
    }

    /// Whether a count is zero, so that a record can leave it out.
    #[must_use]
    pub fn is_zero(number: &u64) -> bool {
        *number == 0
    }

    /// Reads a bounded number.
    ///
    /// # Errors
    ///
    /// When the value is not a whole number, or too large.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        bounded(u64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }

    /// Reads a bounded number or null.
    ///
    /// # Errors
    ///
    /// When it is neither, or too large.
    pub fn option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        let number = Option::<u64>::deserialize(deserializer)?;
        number.map(bounded).transpose().map_err(serde::de::Error::custom)
    }
}

/// Declares ids that GitHub hands out as numbers.
macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "u64")]
        pub struct $name(pub u64);

        impl TryFrom<u64> for $name {
            type Error = number::TooLarge;

            fn try_from(id: u64) -> Result<Self, number::TooLarge> {
                number::bounded(id).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

numbers! {
    /// The number of an issue in its repository, as in `#12`.
    IssueNumber;
    /// The id of a comment. Ids grow with time over the whole of GitHub.
    CommentId;
    /// The id of a workflow run. Ids grow with time over the whole of GitHub; a re-run keeps the id.
    RunId;
}

/// Declares names that are text on GitHub or in a targets file.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

texts! {
    /// The name of a target, unique within a ticket.
    TargetName;
    /// The file of a workflow under `.github/workflows`, by which GitHub's API names it.
    WorkflowFile;
    /// The branch or tag at which a workflow is started, as people write it: `main`, `refs/tags/v1`.
    GitRef;
}

impl WorkflowFile {
    /// Reads `release.yml`, `.github/workflows/release.yml` or `./.github/workflows/release.yml`; `None` when that is not a workflow file.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches("./");
        let file = text.strip_prefix(".github/workflows/").unwrap_or(text);
        let plain =
            file.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_. ".contains(&b)) && !file.starts_with('.');
        (plain && !file.is_empty()).then(|| Self(file.to_owned()))
    }

    /// Whether `path`, as GitHub names the workflow of a run, is this file: `.github/workflows/release.yml@main`.
    #[must_use]
    pub fn is_at(&self, path: &str) -> bool {
        path.split('@').next() == Some(&self.path())
    }

    /// Where the file is in its repository.
    #[must_use]
    pub fn path(&self) -> String {
        format!(".github/workflows/{self}")
    }
}

/// A git reference at which GitHub starts no workflow: it needs a branch or a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefError {
    /// A commit.
    #[error("a commit, but GitHub starts workflows at a branch or a tag")]
    Commit,
    /// The reference that GitHub makes for a pull request.
    #[error("the commit of a pull request, but GitHub starts workflows at a branch or a tag")]
    PullRequest,
    /// The branch that GitHub makes for an entry of a merge queue, and deletes again.
    #[error("a branch of a merge queue, which GitHub deletes again")]
    MergeQueue,
    /// Something else below `refs/`.
    #[error("neither `refs/heads/…` nor `refs/tags/…`, but GitHub starts workflows at a branch or a tag")]
    Other,
}

impl Help for RefError {
    fn help(&self) -> Option<Advice> {
        let help = match self {
            Self::Commit => {
                "name a branch or a tag, or leave `ref` out for the default branch; a workflow that is to check out \
                 this commit takes it as one of its `inputs`"
            }
            Self::PullRequest | Self::MergeQueue | Self::Other => {
                "name a branch or a tag, or leave `ref` out for the default branch"
            }
        };
        Some(Topic::Ref.advice(help))
    }
}

impl GitRef {
    /// Checks by its form that it may be a branch or a tag.
    ///
    /// # Errors
    ///
    /// When it is neither.
    pub fn check(&self) -> Result<(), RefError> {
        let name = self.short();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // `github.ref_name` of a pull request is `67/merge`.
        let pull = name.strip_prefix("refs/pull/").unwrap_or(name).split_once('/');
        if matches!(name.len(), 40 | 64) && name.bytes().all(|b| b.is_ascii_hexdigit()) {
            Err(RefError::Commit)
        } else if pull.is_some_and(|(number, rest)| is_number(number) && matches!(rest, "merge" | "head")) {
            Err(RefError::PullRequest)
        } else if name.starts_with("gh-readonly-queue/") {
            Err(RefError::MergeQueue)
        } else if name == "HEAD" || name.starts_with("refs/") {
            Err(RefError::Other)
        } else {
            Ok(())
        }
    }

    /// The name of the branch or tag alone.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/")
    }
}

/// An issue with its repository, `owner/name#12`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IssueRef {
    /// The repository of the issue.
    pub repository: RepoName,
    /// Its number there.
    pub number: IssueNumber,
}

impl fmt::Display for IssueRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.repository, self.number)
    }
}

/// The value of a `ticket` input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketName {
    /// `0`, `-1` or blank: deliberately no ticket.
    None,
    /// `12` or `#12`: an issue of the hub.
    Number(IssueNumber),
    /// `owner/name#12` or a URL: an issue with its repository.
    Issue(IssueRef),
}

impl FromStr for TicketName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        let refuse = || NameError::Issue(text.to_owned());
        let number = |digits: &str| issue_number(digits).ok_or_else(refuse);
        if matches!(text, "" | "0" | "-1" | "#0") {
            return Ok(Self::None);
        }
        if text.contains("://") {
            return issue_of_url(text).map(Self::Issue).ok_or_else(refuse);
        }
        match text.split_once('#') {
            None => number(text).map(Self::Number),
            Some(("", digits)) => number(digits).map(Self::Number),
            Some((repository, digits)) => {
                let repository = repository.parse().map_err(|_| refuse())?;
                Ok(Self::Issue(IssueRef { repository, number: number(digits)? }))
            }
        }
    }
}

/// Reads `https://HOST/owner/name/issues/12`, with any query or fragment.
fn issue_of_url(text: &str) -> Option<IssueRef> {
    let url = url::Url::parse(text).ok()?;
    let parts: Vec<&str> = url.path_segments()?.collect();
    let [owner, name, "issues" | "pull", digits, ..] = parts[..] else { return None };
    Some(IssueRef { repository: format!("{owner}/{name}").parse().ok()?, number: issue_number(digits)? })
}

fn issue_number(digits: &str) -> Option<IssueNumber> {
    let number: u64 = digits.parse().ok()?;
    IssueNumber::try_from(number).ok().filter(|_| number > 0)
}

/// The name of an account, without `@`.
///
/// A value of this type is a valid login, also when it comes from a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Login(String);

impl TryFrom<String> for Login {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text).ok_or(NameError::Login(text))
    }
}

impl From<Login> for String {
    fn from(login: Login) -> Self {
        login.0
    }
}

impl Login {
    /// Reads a login as people write it: `alice`, `@alice`, or a team `@acme/release`.
    ///
    /// `None` when the text cannot be the name of an account or a team: only such a name may stand behind an `@`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let name = text.strip_prefix('@').unwrap_or(text);
        let bare = name.strip_suffix("[bot]").unwrap_or(name);
        let fits = |part: &str| {
            !part.is_empty()
                && part.len() <= 100
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        (bare.split('/').count() <= 2 && bare.split('/').all(fits)).then(|| Self(name.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both name the same account; GitHub takes logins in any case.
    #[must_use]
    pub fn same_as(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }

    /// Whether the account is a GitHub App's or another bot's, which can be neither assigned nor pinged.
    #[must_use]
    pub fn is_bot(&self) -> bool {
        self.0.ends_with("[bot]")
    }

    /// Whether the name is a team's, `org/team`.
    #[must_use]
    pub fn is_team(&self) -> bool {
        self.0.contains('/')
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A [reaction](https://docs.github.com/rest/reactions/reactions#about-reactions) to a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Reaction {
    /// 👀: it is read.
    #[serde(rename = "eyes")]
    Eyes,
    /// 🚀: it is done.
    #[serde(rename = "rocket")]
    Rocket,
    /// 👎: it is refused.
    #[serde(rename = "-1")]
    ThumbsDown,
}

impl Reaction {
    /// GitHub's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eyes => "eyes",
            Self::Rocket => "rocket",
            Self::ThumbsDown => "-1",
        }
    }
}

/// Whether a reference was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// This request created it.
    New,
    /// It existed before.
    Exists,
}

/// The first characters of a commit's hash, as GitHub shows it.
#[must_use]
pub fn short_sha(sha: &str) -> &str {
    sha.get(..7).unwrap_or(sha)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(repository: &str, number: u64) -> TicketName {
        let repository = repository.parse().expect("a name");
        TicketName::Issue(IssueRef { repository, number: IssueNumber(number) })
    }

    #[test]
    fn a_ticket_is_read_in_every_form_that_people_write() {
        for (text, expected) in [
            ("12", TicketName::Number(IssueNumber(12))),
            (" #12 ", TicketName::Number(IssueNumber(12))),
            ("acme/hub#12", issue("acme/hub", 12)),
            ("https://github.com/acme/hub/issues/12", issue("acme/hub", 12)),
            ("https://ghe.acme.example/acme/hub/issues/12#issuecomment-9", issue("acme/hub", 12)),
            ("0", TicketName::None),
            ("-1", TicketName::None),
            ("", TicketName::None),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_ticket_is_refused_with_the_forms_that_are() {
        for text in
            ["twelve", "-2", "hub#12", "acme/hub#", "acme/hub#x", "acme/h b#1", "https://github.com/acme/hub"]
        {
            let error = text.parse::<TicketName>().expect_err(text);
            assert!(error.to_string().contains("owner/name#12"), "{error}");
        }
    }

    #[test]
    fn repositories_are_the_same_in_any_case() {
        let [a, b]: [RepoName; 2] = ["Acme/Web", "acme/web"].map(|name| name.parse().expect("a name"));
        assert_eq!(a, b);
        assert_eq!(a.to_string(), "Acme/Web");
    }

    #[test]
    fn a_bare_repository_belongs_to_the_current_owner() {
        let read = |text| RepoName::parse_with_owner(text, "acme").map(|name| name.to_string());
        assert_eq!(read("web"), Ok("acme/web".into()));
        assert_eq!(read("other/web"), Ok("other/web".into()));
        for text in ["", "a/b/c", "a b", "../x", "a/..", "a/b?c"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_login_holds_nothing_but_a_name() {
        for text in ["alice", "@alice", "acme-release[bot]", "@acme/release-drivers"] {
            assert!(Login::parse(text).is_some(), "{text}");
        }
        for text in ["", "@", "alice bob", "alice\nbob", "a](x)", "@a/b/c", "<b>"] {
            assert_eq!(Login::parse(text), None, "{text}");
            assert!(serde_json::from_value::<Login>(text.into()).is_err(), "{text}");
        }
        let read: Login = serde_json::from_value("alice".into()).expect("a login");
        assert_eq!(serde_json::to_value(&read).expect("JSON"), "alice");
    }

    #[test]
    fn a_workflow_file_is_named_with_or_without_its_folder() {
        for text in ["ui.yml", ".github/workflows/ui.yml", "./.github/workflows/ui.yml", " ./ui.yml "] {
            assert_eq!(WorkflowFile::parse(text), Some("ui.yml".into()), "{text}");
        }
        for text in ["../ui.yml", "/ui.yml", "workflows/ui.yml", ".github/workflows/", "a\nb", ""] {
            assert_eq!(WorkflowFile::parse(text), None, "{text}");
        }
    }

    #[test]
    fn github_starts_workflows_at_a_branch_or_a_tag() {
        let sha = "64d9f66f1df87cd18c204770810acaec836dfadb";
        for (text, expected) in [
            ("main", Ok(())),
            ("refs/heads/release/1.4", Ok(())),
            ("refs/tags/v1", Ok(())),
            ("2026/merge-fixes", Ok(())),
            ("64d9f66", Ok(())),
            (sha, Err(RefError::Commit)),
            (&sha.to_uppercase(), Err(RefError::Commit)),
            ("refs/pull/67/merge", Err(RefError::PullRequest)),
            ("67/merge", Err(RefError::PullRequest)),
            ("refs/pull/67/head", Err(RefError::PullRequest)),
            ("gh-readonly-queue/main/pr-67-64d9f66", Err(RefError::MergeQueue)),
            ("refs/heads/gh-readonly-queue/main/pr-67-64d9f66", Err(RefError::MergeQueue)),
            ("refs/notes/commits", Err(RefError::Other)),
            ("HEAD", Err(RefError::Other)),
        ] {
            assert_eq!(GitRef::from(text).check(), expected, "{text}");
        }
    }
}
