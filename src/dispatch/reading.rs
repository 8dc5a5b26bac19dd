//! Reading a ticket before the engine begins: its log, and the account under which the step writes.

use super::Hub;
use crate::github::{GitHub, GitHubError};
use crate::ledger::Ledger;
use crate::names::IssueRef;
use crate::problem::Problem;
use crate::ticket::Log;

/// The account under which this step writes, if the log has claims that may be its own. If only a write would show it,
/// a dry run takes the first claim for this hub's own.
pub(super) async fn identity(
    ticket: &IssueRef,
    log: &Log,
    hub: Hub<'_>,
) -> Result<Option<String>, Vec<Problem>> {
    let Some(first) = log.first_claimant() else { return Ok(None) };
    let identity = hub.github.identity(ticket, !hub.common.dry_run).await;
    let identity = identity
        .map_err(to_problems(format!("cannot find out under which account this step writes to {ticket}")))?;
    Ok(identity.or_else(|| hub.common.dry_run.then(|| first.to_owned())))
}

pub(super) async fn read_log(ticket: &IssueRef, github: &GitHub) -> Result<Log, Vec<Problem>> {
    let read = Ledger::read(github, ticket.clone()).await;
    read.map(|(_, log)| log).map_err(to_problems(format!("cannot read {ticket}")))
}

pub(super) fn to_problems(doing: String) -> impl FnOnce(GitHubError) -> Vec<Problem> {
    move |error| vec![Problem::of(&doing, &error)]
}
