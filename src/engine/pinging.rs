//! Pings: a new comment mentions the people who can do something now, once for each attempt of a run.

use super::results;
use super::step::Step;
use super::view::View;
use crate::names::Login;
use crate::plan::Effect;
use crate::ticket::pinging::{self, Pinger};
use crate::ticket::{Record, Target};

/// Pings people for all needs that have come up since the last ping, in one comment.
pub(super) fn ping(view: &View<'_>) -> Vec<Step> {
    if !view.facts.round.is_read {
        return Vec::new();
    }
    let request = view.request;
    let is_done = view.ticket.is_done(&request.target_names) && !results::has_problems(view);
    let is_ours = |name: &_, _: &Target| request.targets.iter().any(|ready| ready.name() == name);
    let due = pinging::due_pings(&view.ticket, &request.pings, &request.by, is_done, is_ours);
    let is_new = |due: &pinging::DuePing| {
        !view.facts.pings.contains(&due.ping) && !pinging::is_pinged(&view.facts.log, &due.ping)
    };
    let due: Vec<pinging::DuePing> = due.into_iter().filter(is_new).collect();
    let driver = view.ticket.driver.clone().filter(|_| !request.is_new_driver).or(request.driver.clone());
    let pinger = Pinger {
        by: request.by.clone(),
        seq: view.last_seq() + 1,
        run_url: request.run_url.clone(),
        driver: driver.filter(|driver: &Login| !driver.is_bot()),
        at: view.now,
    };
    let Some(notice) = pinging::notice(&view.ticket, due, pinger) else { return Vec::new() };
    let (issue, record) = (view.issue.clone(), Box::new(Record::Notice(notice)));
    vec![Step::Apply(Effect::WriteRecord { issue, comment: None, record })]
}
