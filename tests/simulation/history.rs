//! The history: how the targets stood on the ticket, whenever somebody looked.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use release_ticket_action::ticket::{Log, TargetStatus};
use simulated_github::Issue;

use crate::invariants::comment_of;

#[derive(Debug, Default)]
pub(crate) struct History {
    log: Log,
    /// The texts that were taken in.
    bodies: BTreeMap<u64, String>,
    last_released: BTreeMap<String, DateTime<Utc>>,
}

impl History {
    /// Takes in what has changed on the ticket, and tells how its targets stand.
    pub(crate) fn look(&mut self, issue: &Issue, now: DateTime<Utc>) -> BTreeMap<String, TargetStatus> {
        for comment in &issue.comments {
            if self.bodies.get(&comment.id) != Some(&comment.body) {
                self.bodies.insert(comment.id, comment.body.clone());
                self.log.extend([comment_of(comment)]);
            }
        }
        let ticket = self.log.ticket();
        let statuses: BTreeMap<String, TargetStatus> =
            ticket.targets.iter().map(|(name, target)| (name.to_string(), target.status)).collect();
        for name in released(&statuses) {
            self.last_released.insert(name.clone(), now);
        }
        statuses
    }

    /// When a target was last seen as released.
    pub(crate) fn last_released(&self, name: &str) -> Option<DateTime<Utc>> {
        self.last_released.get(name).copied()
    }
}

/// The targets that are released, or were left out on purpose.
pub(crate) fn released(statuses: &BTreeMap<String, TargetStatus>) -> impl Iterator<Item = &String> {
    statuses.iter().filter(|(_, status)| status.is_released()).map(|(name, _)| name)
}
