//! Replicas that lag behind: what the world held a while ago.
//!
//! GitHub answers reads from replicas of its database. A replica may lag, so that a list
//! lacks what was just written and a new comment is 404. Every change puts aside what the
//! world held until then, and a read with lag gets that instead of the present.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use chrono::{DateTime, TimeDelta, Utc};

use crate::issue::Issue;
use crate::repository::{RepoKey, RepositoryData, Slot};
use crate::run::Run;

/// Draws a time for a request from its method and path.
pub(crate) type DrawTime = Box<dyn Fn(&Method, &str) -> Duration + Send + Sync>;

/// How long the past is kept. A longer lag gets the oldest state that is left.
const KEPT: TimeDelta = TimeDelta::minutes(15);

/// What replicas hold: everything that a request can read of repositories and runs.
///
/// Shared pieces make a copy cheap; a change copies only the pieces that it touches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stored {
    pub(crate) repositories: BTreeMap<RepoKey, Arc<RepositoryData>>,
    pub(crate) runs: BTreeMap<u64, Arc<Run>>,
}

impl Stored {
    fn issue(&self, key: &RepoKey, number: u64) -> Option<&Issue> {
        self.repositories.get(key)?.issue(number)
    }

    fn repository_mut(&mut self, key: &RepoKey) -> Option<&mut RepositoryData> {
        self.repositories.get_mut(key).map(Arc::make_mut)
    }

    /// Puts an issue in place as it is in `present`, without the comments it has there.
    fn take_issue(&mut self, present: &Stored, key: &RepoKey, number: u64) {
        let Some(issue) = present.issue(key, number) else {
            return;
        };
        let comments = self.issue(key, number).map(|past| past.comments.clone());
        let issue = Issue { comments: comments.unwrap_or_default(), ..issue.clone() };
        if let Some(repository) = self.repository_mut(key) {
            repository.issues.insert(number, Slot::Here(Arc::new(issue)));
        }
    }

    /// Puts a comment in place as it is in `present`, or takes it away if it is not there.
    fn take_comment(&mut self, present: &Stored, key: &RepoKey, number: u64, id: u64) {
        let comment = present.issue(key, number).and_then(|issue| issue.comment(id));
        let issue = self.repository_mut(key).and_then(|repository| repository.issue_mut(number));
        let Some(issue) = issue else { return };
        issue.comments.retain(|past| past.id != id);
        issue.comments.extend(comment.cloned());
        issue.comments.sort_by_key(|comment| comment.id);
    }
}

/// What the world held until a moment.
#[derive(Debug)]
struct Past {
    until: DateTime<Utc>,
    stored: Arc<Stored>,
}

/// A text that a token wrote.
#[derive(Debug)]
pub(crate) enum Text {
    Issue(RepoKey, u64),
    /// A comment on the issue with this number, and its id.
    Comment(RepoKey, u64, u64),
}

#[derive(Debug)]
struct Write {
    token: String,
    at: DateTime<Utc>,
    text: Text,
}

/// How far replicas lag, and the past that they answer from.
#[derive(Default)]
pub(crate) struct Replicas {
    pub(crate) lag: Option<DrawTime>,
    /// How much further the index lags that filtered lists of runs come from.
    pub(crate) index_lag: Duration,
    pub(crate) own_writes: bool,
    keeps: bool,
    past: VecDeque<Past>,
    writes: VecDeque<Write>,
}

impl Replicas {
    /// Keeps the past from now on.
    pub(crate) fn keep(&mut self) {
        self.keeps = true;
    }

    /// Puts aside what the world holds before it changes.
    pub(crate) fn put_aside(&mut self, now: DateTime<Utc>, stored: &Arc<Stored>) {
        // Of several changes in one moment only the state before the first lasted for any time.
        if !self.keeps || self.past.back().is_some_and(|past| past.until == now) {
            return;
        }
        while self.past.front().is_some_and(|past| past.until + KEPT < now) {
            self.past.pop_front();
        }
        while self.writes.front().is_some_and(|write| write.at + KEPT < now) {
            self.writes.pop_front();
        }
        self.past.push_back(Past { until: now, stored: Arc::clone(stored) });
    }

    /// Notes that a token wrote a text.
    pub(crate) fn note_write(&mut self, token: &str, at: DateTime<Utc>, text: Text) {
        if self.keeps {
            self.writes.push_back(Write { token: token.to_owned(), at, text });
        }
    }

    /// What the world held at a moment, as a token sees it.
    pub(crate) fn at(&self, at: DateTime<Utc>, present: &Arc<Stored>, token: Option<&str>) -> Arc<Stored> {
        let past = self.past.partition_point(|past| past.until <= at);
        let Some(Past { stored, .. }) = self.past.get(past) else {
            return Arc::clone(present);
        };
        let mut stored = Arc::clone(stored);
        if self.own_writes {
            for write in &self.writes {
                if write.at > at && Some(write.token.as_str()) == token {
                    write.show(Arc::make_mut(&mut stored), present);
                }
            }
        }
        stored
    }
}

impl Write {
    /// Lets a past state hold the text as it is now.
    fn show(&self, past: &mut Stored, present: &Stored) {
        match &self.text {
            Text::Issue(key, number) => past.take_issue(present, key, *number),
            Text::Comment(key, number, id) => past.take_comment(present, key, *number, *id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The state in which so many repositories exist.
    fn stored(repositories: usize) -> Arc<Stored> {
        let named = |index: usize| format!("acme/{index}");
        let repositories = (0..repositories).map(named).map(|name| {
            let data = RepositoryData::new(0, &name, DateTime::UNIX_EPOCH);
            (RepoKey::new(&name), Arc::new(data))
        });
        Arc::new(Stored { repositories: repositories.collect(), runs: BTreeMap::new() })
    }

    fn second(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    #[test]
    fn a_moment_shows_the_last_change_before_it() {
        let mut replicas = Replicas::default();
        replicas.keep();
        replicas.put_aside(second(10), &stored(0));
        replicas.put_aside(second(20), &stored(1));
        replicas.put_aside(second(20), &stored(2));
        let held = |at| replicas.at(second(at), &stored(3), None).repositories.len();
        assert_eq!([0, 9, 10, 19, 20, 21].map(held), [0, 0, 1, 1, 3, 3]);
    }

    #[test]
    fn the_past_is_forgotten_in_the_end() {
        let mut replicas = Replicas::default();
        replicas.put_aside(second(0), &stored(0));
        assert!(replicas.past.is_empty(), "nobody asked to keep it");
        replicas.keep();
        replicas.put_aside(second(0), &stored(0));
        replicas.put_aside(second(900), &stored(1));
        replicas.put_aside(second(901), &stored(2));
        assert_eq!(replicas.past.len(), 2);
    }
}
