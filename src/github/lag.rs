//! The lag of GitHub's answers behind its writes.
//!
//! GitHub answers from replicas, and promises no time after which a write shows. By its staff, another client
//! gets a 404 for a new issue for up to three seconds, and lags of many seconds happen. So a 404 for an
//! object that exists means "not yet" for some time, and only then that the object is not there.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::names::IssueRef;

/// An issue that this step has created or found appears within this time.
const EXPECTED_ISSUE: Duration = Duration::from_secs(30);

/// Any other issue, if it exists: three seconds and a margin.
const OTHER_ISSUE: Duration = Duration::from_secs(4);

/// The comment of an event appears within this time, as another issue does, unless it was deleted.
pub(super) const COMMENT_OF_EVENT: Duration = OTHER_ISSUE;

/// A comment appears within this time: its id comes from a list or an answer that had it.
pub(super) const COMMENT: Duration = Duration::from_secs(15);

/// The issues that this step has created or found.
#[derive(Debug, Default)]
pub(super) struct ExpectedIssues(Mutex<BTreeSet<IssueRef>>);

impl ExpectedIssues {
    /// Notes that `issue` exists.
    pub(super) fn note(&self, issue: &IssueRef) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(issue.clone());
    }

    /// The time within which `issue` appears, if it exists.
    pub(super) fn lag_of(&self, issue: &IssueRef) -> Duration {
        let is_expected = self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(issue);
        if is_expected { EXPECTED_ISSUE } else { OTHER_ISSUE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::IssueNumber;

    #[test]
    fn an_issue_that_the_step_has_found_is_expected_longer_than_any_other() {
        let issue = |number| IssueRef {
            repository: "acme/hub".parse().expect("a name"),
            number: IssueNumber(number),
        };
        let issues = ExpectedIssues::default();
        issues.note(&issue(7));
        assert_eq!(issues.lag_of(&issue(7)), EXPECTED_ISSUE);
        assert_eq!(issues.lag_of(&issue(8)), OTHER_ISSUE);
    }
}
