//! Replicas that lag behind the database.
//!
//! GitHub answers reads from replicas of its database. A replica may lag, so that a list
//! lacks a new text and a new comment is a 404. Before each change, the world keeps a copy of
//! its database, and a read with lag gets a copy instead of the present.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use chrono::{DateTime, TimeDelta, Utc};

use crate::issue::Issue;
use crate::repository::{RepoKey, RepositoryData, Slot};
use crate::run::Run;

/// A time for a request, by its method and path.
pub(crate) type DrawTime = Box<dyn Fn(&Method, &str) -> Duration + Send + Sync>;

/// The age at which a copy is deleted. A longer lag gets the oldest copy.
const RETENTION: TimeDelta = TimeDelta::minutes(15);

/// The data of replicas: all that a request can read of repositories and runs.
///
/// A copy is cheap, because copies share their parts. A change copies only the parts that it touches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Database {
    pub(crate) repositories: BTreeMap<RepoKey, Arc<RepositoryData>>,
    pub(crate) runs: BTreeMap<u64, Arc<Run>>,
}

impl Database {
    fn issue(&self, key: &RepoKey, number: u64) -> Option<&Issue> {
        self.repositories.get(key)?.issue(number)
    }

    fn repository_mut(&mut self, key: &RepoKey) -> Option<&mut RepositoryData> {
        self.repositories.get_mut(key).map(Arc::make_mut)
    }

    /// Takes over an issue from `present`, without its comments there.
    fn take_issue(&mut self, present: &Database, key: &RepoKey, number: u64) {
        let Some(issue) = present.issue(key, number) else {
            return;
        };
        let comments = self.issue(key, number).map(|past| past.comments.clone());
        let issue = Issue { comments: comments.unwrap_or_default(), ..issue.clone() };
        if let Some(repository) = self.repository_mut(key) {
            repository.issues.insert(number, Slot::Here(Arc::new(issue)));
        }
    }

    /// Takes over a comment from `present`, or removes it if it is not there.
    fn take_comment(&mut self, present: &Database, key: &RepoKey, number: u64, id: u64) {
        let comment = present.issue(key, number).and_then(|issue| issue.comment(id));
        let issue = self.repository_mut(key).and_then(|repository| repository.issue_mut(number));
        let Some(issue) = issue else { return };
        issue.comments.retain(|past| past.id != id);
        issue.comments.extend(comment.cloned());
        issue.comments.sort_by_key(|comment| comment.id);
    }
}

/// The state of the database until a moment.
#[derive(Debug)]
struct Past {
    until: DateTime<Utc>,
    database: Arc<Database>,
}

/// The place of a text that a token wrote.
#[derive(Debug)]
pub(crate) enum Text {
    Issue(RepoKey, u64),
    /// The number of the issue, and the id of the comment.
    Comment(RepoKey, u64, u64),
}

#[derive(Debug)]
struct Write {
    token: String,
    at: DateTime<Utc>,
    text: Text,
}

/// The lag of replicas, and the past states of the database.
#[derive(Default)]
pub(crate) struct Replicas {
    pub(crate) lag: Option<DrawTime>,
    /// The additional lag of the index for lists of runs with a filter.
    pub(crate) index_lag: Duration,
    pub(crate) own_writes: bool,
    keeps: bool,
    past: VecDeque<Past>,
    writes: VecDeque<Write>,
}

impl Replicas {
    /// Begins to keep the past.
    pub(crate) fn keep(&mut self) {
        self.keeps = true;
    }

    /// Keeps the state of the database before a change.
    pub(crate) fn put_aside(&mut self, now: DateTime<Utc>, database: &Arc<Database>) {
        // Of several changes in one moment, only the state before the first one lasted.
        if !self.keeps || self.past.back().is_some_and(|past| past.until == now) {
            return;
        }
        while self.past.front().is_some_and(|past| past.until + RETENTION < now) {
            self.past.pop_front();
        }
        while self.writes.front().is_some_and(|write| write.at + RETENTION < now) {
            self.writes.pop_front();
        }
        self.past.push_back(Past { until: now, database: Arc::clone(database) });
    }

    /// Notes that a token wrote a text.
    pub(crate) fn note_write(&mut self, token: &str, at: DateTime<Utc>, text: Text) {
        if self.keeps {
            self.writes.push_back(Write { token: token.to_owned(), at, text });
        }
    }

    /// The state of the database at a moment, as a token sees it.
    pub(crate) fn at(
        &self,
        at: DateTime<Utc>,
        present: &Arc<Database>,
        token: Option<&str>,
    ) -> Arc<Database> {
        let past = self.past.partition_point(|past| past.until <= at);
        let Some(Past { database, .. }) = self.past.get(past) else {
            return Arc::clone(present);
        };
        let mut database = Arc::clone(database);
        if self.own_writes {
            for write in &self.writes {
                if write.at > at && Some(write.token.as_str()) == token {
                    write.show(Arc::make_mut(&mut database), present);
                }
            }
        }
        database
    }
}

impl Write {
    /// Puts the present text into a past state.
    fn show(&self, past: &mut Database, present: &Database) {
        match &self.text {
            Text::Issue(key, number) => past.take_issue(present, key, *number),
            Text::Comment(key, number, id) => past.take_comment(present, key, *number, *id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database with this number of repositories.
    fn database(repositories: usize) -> Arc<Database> {
        let repositories = (0..repositories).map(|index| {
            let name = format!("acme/{index}");
            let data = RepositoryData::new(0, &name, DateTime::UNIX_EPOCH);
            (RepoKey::new(&name), Arc::new(data))
        });
        Arc::new(Database { repositories: repositories.collect(), runs: BTreeMap::new() })
    }

    fn second(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    #[test]
    fn a_moment_shows_the_last_change_before_it() {
        let mut replicas = Replicas::default();
        replicas.keep();
        replicas.put_aside(second(10), &database(0));
        replicas.put_aside(second(20), &database(1));
        replicas.put_aside(second(20), &database(2));
        let count = |at| replicas.at(second(at), &database(3), None).repositories.len();
        assert_eq!([0, 9, 10, 19, 20, 21].map(count), [0, 0, 1, 1, 3, 3]);
    }

    #[test]
    fn the_past_is_forgotten_in_the_end() {
        let mut replicas = Replicas::default();
        replicas.put_aside(second(0), &database(0));
        assert!(replicas.past.is_empty(), "`keep` was not called");
        replicas.keep();
        replicas.put_aside(second(0), &database(0));
        replicas.put_aside(second(900), &database(1));
        replicas.put_aside(second(901), &database(2));
        assert_eq!(replicas.past.len(), 2);
    }
}
