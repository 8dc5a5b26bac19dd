//! New names of renamed repositories and transferred issues. GitHub's redirects lead to the id of the repository, and
//! the object that answers there has its new name.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use crate::names::{IssueNumber, IssueRef, RepoName, TicketName};
use crate::problem::{Problem, Topic};

/// The new names that this step has reported.
#[derive(Debug, Default)]
pub(super) struct Moves(Mutex<BTreeSet<String>>);

impl Moves {
    /// Whether this is the first question for `old`.
    pub(super) fn is_new(&self, old: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(old.to_owned())
    }

    /// Warns once that `old` has the name `new` now.
    pub(super) fn say(&self, old: &str, new: &str) {
        let what = format!("{old} is now {new}");
        if self.is_new(&what) {
            let help = format!(
                "write {new} in place of {old}: GitHub's redirect, which this step follows, ends when somebody \
                 takes the old name"
            );
            Problem::new(what).help(Topic::NewName, help).warn();
        }
    }
}

/// The names in an answer about a repository or an issue.
#[derive(Debug, Deserialize)]
pub(super) struct NameReply {
    /// A repository's name.
    #[serde(default)]
    pub(super) full_name: Option<RepoName>,
    /// The object in the browser.
    html_url: String,
}

impl NameReply {
    /// The issue's name, if it is one.
    pub(super) fn issue(&self) -> Option<IssueRef> {
        match self.html_url.parse() {
            Ok(TicketName::Issue(issue)) => Some(issue),
            _ => None,
        }
    }
}

/// The issue of `repository` that `path` is about, and the rest of the path below it.
pub(super) fn issue_of<'p>(repository: &RepoName, path: &'p str) -> Option<(IssueRef, &'p str)> {
    let below = path.strip_prefix(&format!("/repos/{repository}/issues/"))?;
    let end = below.find(|c: char| !c.is_ascii_digit()).unwrap_or(below.len());
    let (number, rest) = below.split_at(end);
    let number = IssueNumber(number.parse().ok()?);
    Some((IssueRef { repository: repository.clone(), number }, rest))
}

/// The id of the repository that `path` leads to: `/repositories/101/installation`.
pub(super) fn id_in(path: &str) -> Option<u64> {
    let (_, below) = path.split_once("/repositories/")?;
    below.split(['/', '?']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_issues_and_ids() {
        let hub: RepoName = "acme/hub".parse().expect("a name");
        let issue = |path| issue_of(&hub, path).map(|(issue, rest)| (issue.to_string(), rest));
        assert_eq!(issue("/repos/acme/hub/issues/7"), Some(("acme/hub#7".to_owned(), "")));
        let comments = "/repos/acme/hub/issues/7/comments?page=1";
        assert_eq!(issue(comments), Some(("acme/hub#7".to_owned(), "/comments?page=1")));
        assert_eq!(issue("/repos/acme/hub/issues/comments/1"), None);
        assert_eq!(issue("/repos/acme/hub/issues?state=open"), None);
        assert_eq!(id_in("/api/v3/repositories/101/installation"), Some(101));
        assert_eq!(id_in("/repositories/101?x=1"), Some(101));
        assert_eq!(id_in("/repos/acme/hub"), None);
    }
}
