//! The history: the states of the targets on the ticket over time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use release_ticket_action::ticket::{Log, TargetStatus};
use simulated_github::Issue;

use crate::invariants::comment_of;

#[derive(Debug, Default)]
pub(crate) struct History {
    log: Log,
    /// The last texts that the log has.
    bodies: BTreeMap<u64, String>,
    release_times: BTreeMap<String, DateTime<Utc>>,
}

impl History {
    /// Reads the changes of the ticket, and returns the status of each target.
    pub(crate) fn update(&mut self, issue: &Issue, now: DateTime<Utc>) -> BTreeMap<String, TargetStatus> {
        for comment in &issue.comments {
            if self.bodies.get(&comment.id) != Some(&comment.body) {
                self.bodies.insert(comment.id, comment.body.clone());
                self.log.extend([comment_of(comment)]);
            }
        }
        let ticket = self.log.ticket();
        let statuses: BTreeMap<String, TargetStatus> =
            ticket.targets.iter().map(|(name, target)| (name.to_string(), target.status)).collect();
        for name in released_targets(&statuses) {
            self.release_times.insert(name.clone(), now);
        }
        statuses
    }

    /// The last time at which the ticket showed the target as released.
    pub(crate) fn release_time(&self, name: &str) -> Option<DateTime<Utc>> {
        self.release_times.get(name).copied()
    }
}

/// The targets that are released or skipped.
pub(crate) fn released_targets(statuses: &BTreeMap<String, TargetStatus>) -> impl Iterator<Item = &String> {
    statuses.iter().filter(|(_, status)| status.is_released()).map(|(name, _)| name)
}
