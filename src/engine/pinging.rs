//! Pings: a new comment mentions whoever can do something now, once for each attempt of a run.

use super::results;
use super::step::Step;
use super::view::View;
use crate::names::Login;
use crate::plan::Effect;
use crate::ticket::pinging::{self, Pinger};
use crate::ticket::{Record, Target};

/// Pings for whatever has come up since, in one comment.
pub(super) fn ping(view: &View<'_>) -> Vec<Step> {
    if !view.known.round.is_read {
        return Vec::new();
    }
    let request = view.request;
    let is_done = view.ticket.is_done(&request.listed) && !results::went_wrong(view);
    let is_ours = |name: &_, _: &Target| request.targets.iter().any(|ready| ready.name() == name);
    let due = pinging::due(&view.ticket, &request.pings, &request.by, is_done, is_ours);
    let is_new = |due: &pinging::Due| {
        !view.known.pinged.contains(&due.ping) && !pinging::is_pinged(&view.known.log, &due.ping)
    };
    let due: Vec<pinging::Due> = due.into_iter().filter(is_new).collect();
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
