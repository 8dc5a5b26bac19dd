//! The pings that are due, and the comment that sends them.
//!
//! A ping that is in the log is not sent again, by any job.

use chrono::{DateTime, Utc};
use serde_json::Map;

use super::explanation::Explanation;
use super::log::Log;
use super::need::{self, Need};
use super::ping::{Ping, PingEvent, PingEvents};
use super::record::Notice;
use super::state::{Target, Ticket};
use super::status::{Status, Word};
use super::text;
use super::writer::Writer;
use crate::names::{Login, TargetName};

/// The most pings in one comment; the others follow in the next one.
const PINGS_AT_ONCE: usize = 40;

/// A ping that is due, and the need behind it.
#[derive(Debug, Clone)]
pub struct DuePing {
    /// The identity of the ping.
    pub ping: Ping,
    /// The next action of a person; `None` if everything is released.
    need: Option<Need>,
}

/// The sender of a ping.
#[derive(Debug, Clone)]
pub struct Pinger {
    /// The job.
    pub by: Writer,
    /// The sequence number for the notice: how often the job has written.
    pub seq: u64,
    /// The job's run in the browser.
    pub run_url: String,
    /// The person responsible for the release.
    pub driver: Option<Login>,
    /// The time of sending, by the job's clock.
    pub at: DateTime<Utc>,
}

/// The pings for `events` that are due in the present state of the release, about targets that `is_meant` accepts; `by`
/// is the job that sends them.
#[must_use]
pub fn due_pings(
    ticket: &Ticket,
    events: &PingEvents,
    by: &Writer,
    is_done: bool,
    is_meant: impl Fn(&TargetName, &Target) -> bool,
) -> Vec<DuePing> {
    let of_target = |need: Need| {
        let moment = need.moment.filter(|moment| events.contains(moment))?;
        if let Some((gate, behind)) = &need.gate {
            let targets = behind.iter().filter_map(|name| Some((name, ticket.targets.get(name)?)));
            let is_ours = targets.into_iter().any(|(name, target)| is_meant(name, target));
            let ping = Ping { gate: Some(gate.clone()), ..of_release(moment) };
            return is_ours.then_some(DuePing { ping, need: Some(need) });
        }
        let name = need.target.clone()?;
        let target = ticket.targets.get(&name).or_else(|| ticket.unlisted_targets.get(&name));
        let target = target.filter(|target| is_meant(&name, target))?;
        Some(DuePing { ping: ping(moment, name, target, by), need: Some(need) })
    };
    let mut due: Vec<DuePing> = need::needs(ticket).into_iter().filter_map(of_target).collect();
    if is_done && events.contains(&PingEvent::Done) {
        due.push(DuePing { ping: of_release(PingEvent::Done), need: None });
    }
    due
}

/// A ping that is about no single target.
fn of_release(moment: PingEvent) -> Ping {
    let moment = Word::Known(moment);
    Ping {
        moment,
        target: None,
        repository: None,
        run: None,
        environments: Vec::new(),
        attempt: None,
        gate: None,
    }
}

/// The ping for a target's attempt; if the target was not started, for the attempt of the job that tried.
fn ping(moment: PingEvent, name: TargetName, target: &Target, by: &Writer) -> Ping {
    let (repository, run, attempt) = match &target.run {
        Some(run) => (&run.repository, run.id, run.attempt),
        None => (&by.repository, by.run, by.attempt),
    };
    let reviews = target.followed_run.iter().flat_map(|run| &run.reviews);
    let reviews = reviews.filter(|review| moment == PingEvent::Review && !review.is_timer());
    Ping {
        environments: reviews.map(|review| review.environment.clone()).collect(),
        moment: Word::Known(moment),
        target: Some(name),
        repository: Some(repository.clone()),
        run: Some(run),
        attempt: Some(attempt),
        gate: None,
    }
}

/// Whether people were pinged for it: by a ping, or by a notice of the same failed attempt.
#[must_use]
pub fn is_pinged(log: &Log, ping: &Ping) -> bool {
    let is_notice = |notice: &Notice| {
        ping.moment == PingEvent::Failure
            && notice.pings.is_empty()
            && !notice.mention.is_empty()
            && ping.repository.as_ref() == Some(&notice.by.repository)
            && (ping.run, ping.attempt) == (Some(notice.by.run), Some(notice.by.attempt))
    };
    // A ping for several environments is one for each of them.
    let covers = |earlier: &Ping| {
        let (environments, gate) = (ping.environments.clone(), ping.gate.clone());
        let is_of_gate = match (&earlier.gate, &gate) {
            (Some(earlier), Some(gate)) => earlier.covers(gate),
            (earlier, gate) => earlier.is_none() && gate.is_none(),
        };
        let is_same = Ping { environments, gate, ..earlier.clone() } == *ping && is_of_gate;
        is_same && ping.environments.iter().all(|environment| earlier.environments.contains(environment))
    };
    log.notices().any(|(_, notice)| notice.pings.iter().any(covers) || is_notice(notice))
}

/// The people whom a ping has mentioned for the failure of this attempt.
pub fn logins_pinged_for_failure<'l>(log: &'l Log, by: &'l Writer) -> impl Iterator<Item = &'l Login> {
    let is_same = |ping: &Ping| {
        ping.moment == PingEvent::Failure
            && ping.repository.as_ref() == Some(&by.repository)
            && (ping.run, ping.attempt) == (Some(by.run), Some(by.attempt))
    };
    log.notices()
        .filter(move |(_, notice)| notice.pings.iter().any(is_same))
        .flat_map(|(_, notice)| &notice.mention)
}

/// The comment that sends these pings; `None` if there are no pings, or no people to mention.
#[must_use]
pub fn notice(ticket: &Ticket, due: Vec<DuePing>, pinger: Pinger) -> Option<Notice> {
    let due: Vec<DuePing> = due.into_iter().take(PINGS_AT_ONCE).collect();
    let needs: Vec<Need> = due.iter().filter_map(|due| due.need.clone()).collect();
    let mut mention: Vec<Login> = needs.iter().flat_map(|need| need.reviewers.clone()).collect();
    let is_for_driver = needs.is_empty() || needs.iter().any(|need| need.reviewers.is_empty());
    mention.extend(pinger.driver.clone().filter(|_| is_for_driver));
    mention.sort();
    mention.dedup();
    if due.is_empty() || mention.is_empty() {
        return None;
    }
    let status = match due.iter().map(|due| &due.ping.moment).min()?.as_known() {
        Some(PingEvent::Failure) => Status::Failure,
        Some(PingEvent::Review) => Status::Queued,
        Some(PingEvent::Stuck) | None => Status::InProgress,
        Some(PingEvent::Done) => Status::Success,
    };
    Some(Notice {
        by: pinger.by,
        seq: pinger.seq,
        run_url: pinger.run_url,
        fingerprint: "ping".to_owned(),
        status: status.into(),
        message: message(ticket, &needs, pinger.driver.as_ref()),
        url: None,
        job: None,
        explanation: Explanation::default(),
        flapping: Vec::new(),
        pings: due.into_iter().map(|due| due.ping).collect(),
        mention,
        at: pinger.at,
        other: Map::new(),
    })
}

fn message(ticket: &Ticket, needs: &[Need], driver: Option<&Login>) -> String {
    if needs.is_empty() {
        return "**Every target is released.**".to_owned();
    }
    let driver = driver.map_or_else(|| "the release driver".to_owned(), |driver| text::code(driver.as_str()));
    let actions = need::actions(ticket, needs, &driver);
    let actions = actions.into_iter().map(|action| format!("**Next:** {action}."));
    let lines: Vec<String> = needs.iter().map(|need| format!("{}.", need.what)).chain(actions).collect();
    lines.join("\n\n")
}
