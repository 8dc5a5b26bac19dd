//! Which pings are due, and the comment that sends them.
//!
//! The log remembers what was sent: a ping that is in it is not sent again, whoever sent it.

use chrono::{DateTime, Utc};
use serde_json::Map;

use super::explanation::Explanation;
use super::log::Log;
use super::need::{self, Need};
use super::ping::{Ping, PingFor, PingsFor};
use super::record::Notice;
use super::state::{Target, Ticket};
use super::status::{Status, Word};
use super::text;
use super::writer::Writer;
use crate::names::{Login, TargetName};

/// So many fit a comment; the others follow with the next one.
const PINGS_AT_ONCE: usize = 40;

/// A ping that is due, and what it is for.
#[derive(Debug, Clone)]
pub struct Due {
    /// What makes it the same as another one.
    pub ping: Ping,
    /// What a person can do; none where everything is released.
    need: Option<Need>,
}

/// Who sends a ping.
#[derive(Debug, Clone)]
pub struct Pinger {
    /// The job.
    pub by: Writer,
    /// How often the job has written by then.
    pub seq: u64,
    /// The job's run in the browser.
    pub run_url: String,
    /// Who is responsible for the release.
    pub driver: Option<Login>,
    /// When it is sent, by the job's clock.
    pub at: DateTime<Utc>,
}

/// The pings that the state of the release asks for, of targets that `is_meant` takes; `by` is the job that sends
/// them.
#[must_use]
pub fn due(
    ticket: &Ticket,
    wanted: &PingsFor,
    by: &Writer,
    is_done: bool,
    is_meant: impl Fn(&TargetName, &Target) -> bool,
) -> Vec<Due> {
    let of_target = |need: Need| {
        let moment = need.moment.filter(|moment| wanted.contains(moment))?;
        if let Some((gate, behind)) = &need.gate {
            let targets = behind.iter().filter_map(|name| Some((name, ticket.targets.get(name)?)));
            let is_ours = targets.into_iter().any(|(name, target)| is_meant(name, target));
            let ping = Ping { gate: Some(gate.clone()), ..of_release(moment) };
            return is_ours.then_some(Due { ping, need: Some(need) });
        }
        let name = need.target.clone()?;
        let target = ticket.targets.get(&name).or_else(|| ticket.unlisted.get(&name));
        let target = target.filter(|target| is_meant(&name, target))?;
        Some(Due { ping: ping(moment, name, target, by), need: Some(need) })
    };
    let mut due: Vec<Due> = need::needs(ticket).into_iter().filter_map(of_target).collect();
    if is_done && wanted.contains(&PingFor::Done) {
        due.push(Due { ping: of_release(PingFor::Done), need: None });
    }
    due
}

/// A ping that is not about a single target.
fn of_release(moment: PingFor) -> Ping {
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

/// The ping for a target's attempt; of one that was not started, for the attempt of the job that tried.
fn ping(moment: PingFor, name: TargetName, target: &Target, by: &Writer) -> Ping {
    let (repository, run, attempt) = match &target.run {
        Some(run) => (&run.repository, run.id, run.attempt),
        None => (&by.repository, by.run, by.attempt),
    };
    let reviews = target.followed.iter().flat_map(|run| &run.reviews);
    let reviews = reviews.filter(|review| moment == PingFor::Review && !review.is_timer());
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

/// Whether somebody was pinged for it: by a ping, or by a notice of the same failed attempt.
#[must_use]
pub fn is_pinged(log: &Log, ping: &Ping) -> bool {
    let is_notice = |notice: &Notice| {
        ping.moment == PingFor::Failure
            && notice.pings.is_empty()
            && !notice.mention.is_empty()
            && ping.repository.as_ref() == Some(&notice.by.repository)
            && (ping.run, ping.attempt) == (Some(notice.by.run), Some(notice.by.attempt))
    };
    // A ping for several environments is one for each of them.
    let covers = |sent: &Ping| {
        let (environments, gate) = (ping.environments.clone(), ping.gate.clone());
        let is_of_gate = match (&sent.gate, &gate) {
            (Some(sent), Some(gate)) => sent.covers(gate),
            (sent, gate) => sent.is_none() && gate.is_none(),
        };
        let is_same = Ping { environments, gate, ..sent.clone() } == *ping && is_of_gate;
        is_same && ping.environments.iter().all(|environment| sent.environments.contains(environment))
    };
    log.notices().any(|(_, notice)| notice.pings.iter().any(covers) || is_notice(notice))
}

/// Who was pinged for the failure of this attempt, by a ping.
pub fn pinged_for_failure<'l>(log: &'l Log, by: &'l Writer) -> impl Iterator<Item = &'l Login> {
    let is_same = |ping: &Ping| {
        ping.moment == PingFor::Failure
            && ping.repository.as_ref() == Some(&by.repository)
            && (ping.run, ping.attempt) == (Some(by.run), Some(by.attempt))
    };
    log.notices()
        .filter(move |(_, notice)| notice.pings.iter().any(is_same))
        .flat_map(|(_, notice)| &notice.mention)
}

/// The comment that sends these pings; none if there are none, or nobody is known who could be mentioned.
#[must_use]
pub fn notice(ticket: &Ticket, due: Vec<Due>, pinger: Pinger) -> Option<Notice> {
    let due: Vec<Due> = due.into_iter().take(PINGS_AT_ONCE).collect();
    let needs: Vec<Need> = due.iter().filter_map(|due| due.need.clone()).collect();
    let mut mention: Vec<Login> = needs.iter().flat_map(|need| need.reviewers.clone()).collect();
    let is_for_driver = needs.is_empty() || needs.iter().any(|need| need.reviewers.is_empty());
    mention.extend(pinger.driver.clone().filter(|_| is_for_driver));
    mention.sort();
    mention.dedup();
    if due.is_empty() || mention.is_empty() {
        return None;
    }
    let status = match due.iter().map(|due| &due.ping.moment).min()?.known() {
        Some(PingFor::Failure) => Status::Failure,
        Some(PingFor::Review) => Status::Queued,
        Some(PingFor::Stuck) | None => Status::InProgress,
        Some(PingFor::Done) => Status::Success,
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
