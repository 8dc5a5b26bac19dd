//! Needs around the decisions of people: gates that wait for a word, holds and freezes.

use std::collections::BTreeMap;

use super::{Action, Need, message, or};
use crate::names::{CommentId, Login, TargetName};
use crate::ticket::decision::{Decision, Verb};
use crate::ticket::decisions::{GateStanding, Lapse};
use crate::ticket::gate::{Approver, Gate, MovePolicy};
use crate::ticket::minutes::{NAMES_LIMIT, bold, join_names};
use crate::ticket::ping::{GatePing, PingEvent};
use crate::ticket::reason::{Reason, and};
use crate::ticket::state::{Target, Ticket};
use crate::ticket::status::{TargetStatus, Word};
use crate::ticket::text;

/// The most characters of a person's reason.
const REASON_LIMIT: usize = 160;

/// The most targets that the sentence about a lapsed approval names.
const LAPSE_LIMIT: usize = 2;

/// The needs of the whole release: its hold, and freezes.
pub(super) fn of_release(ticket: &Ticket) -> Vec<Need> {
    let is_open = |target: &Target| !target.status.is_released();
    let is_released = !ticket.targets.is_empty() && !ticket.targets.values().any(is_open);
    let hold = ticket.hold_of_all().filter(|_| !is_released || !ticket.left_out.is_empty());
    let hold = hold.map(|hold| {
        let is_free = |name: &&TargetName| ticket.hold_of(name).is_none();
        let targets = ticket.targets.iter().filter(|(_, target)| !target.status.is_started());
        let free = join_names(targets.map(|(name, _)| name).filter(is_free).map(bold));
        let exception = if free.is_empty() { free } else { format!(" except {free}") };
        need_of_hold(hold, &format!("the whole release{exception}"), "the release", "/release resume")
    });
    hold.into_iter().chain(freezes(ticket)).collect()
}

/// The freezes that are the only reason why targets wait.
fn freezes(ticket: &Ticket) -> impl Iterator<Item = Need> {
    let mut freezes: BTreeMap<_, Vec<&TargetName>> = BTreeMap::new();
    for (name, target) in ticket.targets.iter().filter(|(name, target)| is_next(ticket, name, target)) {
        if let Some((to, why)) = freeze_of(target) {
            freezes.entry((to, why)).or_default().push(name);
        }
    }
    freezes.into_iter().map(|((to, why), names)| {
        let why = why.map(|why| format!(": {}", message(why))).unwrap_or_default();
        let what = format!("nothing is started before {}{why}", to.format("%Y-%m-%d %H:%M UTC"));
        need(what, Action::EndFreeze, join_names(names.into_iter().map(bold)))
    })
}

/// The end of the freeze that stopped the start of a target, and its reason.
fn freeze_of(target: &Target) -> Option<(chrono::DateTime<chrono::Utc>, Option<&str>)> {
    match target.reason.as_ref().and_then(Word::as_known)? {
        Reason::Frozen { to, why } => Some((*to, why.as_deref())),
        _ => None,
    }
}

/// Whether a target waits at most for the end of a freeze.
fn is_next(ticket: &Ticket, name: &TargetName, target: &Target) -> bool {
    let is_ready = ticket.unreleased_needs(&target.needs).next().is_none();
    target.status == TargetStatus::Waiting && is_ready && ticket.closed_gates(name, &target.needs).is_empty()
}

/// Whether a gate or a freeze stops a target that waits for no other target.
pub(super) fn is_kept(ticket: &Ticket, name: &TargetName, target: &Target) -> bool {
    !is_next(ticket, name, target) || freeze_of(target).is_some()
}

/// The holds of single targets, one need for each command.
pub(super) fn of_holds(ticket: &Ticket) -> impl Iterator<Item = Need> {
    let holds = ticket.decisions.iter().filter(|decision| decision.asks_for(Verb::Hold));
    holds.filter(|decision| !decision.names.is_empty()).filter_map(|hold| {
        let is_held = |name: &&TargetName| {
            let status = ticket.targets.get(*name).map_or(TargetStatus::OnHold, |target| target.status);
            let counts = ticket.hold_of(name).is_some_and(|newest| newest.comment == hold.comment);
            counts && !status.is_released() && !status.is_under_way()
        };
        let names: Vec<&TargetName> = hold.names.iter().filter(is_held).collect();
        let bold = join_names(names.iter().copied().map(bold));
        let command = command("/release resume", &names);
        (!names.is_empty()).then(|| need_of_hold(hold, &bold, &bold, &command))
    })
}

fn need_of_hold(hold: &Decision, what: &str, place: &str, command: &str) -> Need {
    let what = format!("{} holds {what}{}", said_by(hold), hold.because(REASON_LIMIT));
    let command = if command.contains('`') { command.to_owned() } else { text::code(command) };
    need(what, Action::Resume(command), place.to_owned())
}

/// The needs of gates that wait for a word or that somebody has closed.
pub(super) fn of_gates(ticket: &Ticket) -> impl Iterator<Item = Need> {
    ticket
        .rules
        .gates
        .iter()
        .filter_map(|gate| closed_gate(ticket, gate).or_else(|| waiting_gate(ticket, gate)))
}

/// The need of a gate that somebody has closed before targets behind it were started.
fn closed_gate(ticket: &Ticket, gate: &Gate) -> Option<Need> {
    let targets = ticket.targets_behind(gate).filter(|(_, target)| !target.status.is_started());
    let names: Vec<&TargetName> = targets.map(|(name, _)| name).collect();
    let refusals = ticket.worst_standing(gate).refusals;
    if names.is_empty() || refusals.is_empty() {
        return None;
    }
    let sentences =
        refusals.iter().map(|word| format!("{} said no-go{}", said_by(word), word.because(REASON_LIMIT)));
    let who = refusals.iter().map(|word| text::code(word.who.login.as_str()));
    let places = join_names(names.iter().copied().map(bold));
    let verb = if names.len() == 1 { "is" } else { "are" };
    let sentences = sentences.collect::<Vec<_>>().join("; ");
    let what = format!("{places} {verb} blocked by gate {}: {sentences}", bold(&gate.name));
    Some(need(what, Action::TakeBack(who.collect(), go(ticket, gate)), places))
}

/// The need of a gate that is the only reason why targets wait.
fn waiting_gate(ticket: &Ticket, gate: &Gate) -> Option<Need> {
    let stops_only_here = |(name, target): &(&TargetName, &Target)| {
        let is_ready = ticket.unreleased_needs(&target.needs).next().is_none();
        target.status == TargetStatus::Waiting && is_ready && !ticket.standing(gate, name).is_open()
    };
    let names: Vec<&TargetName> =
        ticket.targets_behind(gate).filter(stops_only_here).map(|(name, _)| name).collect();
    let standing = names
        .iter()
        .map(|name| ticket.standing(gate, name))
        .min_by_key(|standing| standing.approvals.len())?;
    let has_lapsed =
        |(name, _): &(&TargetName, Lapse<'_>)| gate.move_policy != MovePolicy::Warn && names.contains(name);
    let lapses = ticket.lapses(gate).into_iter().filter(has_lapsed).collect();
    let lapses = by_approval(lapses);
    // Until GitHub has named the commit of a ref, its approvals may still be good.
    let has_commit = |(_, lapses): &(&CommentId, &Vec<(_, Lapse<'_>)>)| {
        lapses.iter().any(|(_, lapse)| lapse.now.is_some())
    };
    let lapsed_approvals = lapses.iter().filter(has_commit).map(|(comment, _)| *comment);
    let ping = GatePing { name: gate.name.clone(), lapsed_approvals: lapsed_approvals.collect() };
    let places = join_names(names.iter().copied().map(bold));
    let verb = if names.len() == 1 { "waits" } else { "wait" };
    let clauses: String = lapses.values().map(lapse_clause).collect();
    let what = format!("{places} {verb} for gate {}: {}{clauses}", bold(&gate.name), standing.count());
    let free = approvers(ticket, &standing);
    let reviewers: Vec<Login> =
        free.iter().filter_map(|approver| Login::parse(&approver.to_string())).collect();
    let driver_may = gate.approvers.is_empty() && may_say_go(ticket, &standing);
    let who = if free.is_empty() { gate.approvers.iter().collect() } else { free };
    let action = Action::SayGo {
        who: who.into_iter().map(|approver| text::code(&approver.to_string())).collect(),
        excludes_driver: !driver_may,
        missing: standing.missing(),
        command: go(ticket, gate),
    };
    Some(Need {
        moment: Some(PingEvent::Review).filter(|_| driver_may || !reviewers.is_empty()),
        reviewers,
        gate: Some((ping, names.into_iter().cloned().collect())),
        ..need(what, action, places)
    })
}

/// A clause about the gates that will stop these targets once the targets before them are released: `docs waits for
/// gate go`.
pub(super) fn will_wait(ticket: &Ticket, targets: &[(&TargetName, &Target)]) -> String {
    let is_closed = |gate: &&Gate| {
        let mut behind = targets.iter().filter(|(_, target)| target.needs.contains(&gate.name));
        behind.any(|(name, _)| !ticket.standing(gate, name).is_open())
    };
    let gates: Vec<String> =
        ticket.rules.gates.iter().filter(is_closed).map(|gate| bold(&gate.name)).collect();
    let gates_word = if gates.len() == 1 { "gate" } else { "gates" };
    let verb = if targets.len() == 1 { "waits" } else { "wait" };
    let names = join_names(targets.iter().map(|(name, _)| bold(name)));
    format!("{names} {verb} for {gates_word} {}", join_names(gates.into_iter()))
}

/// The lapsed approvals, each with the targets for which it has lapsed.
fn by_approval<'t>(
    lapses: Vec<(&'t TargetName, Lapse<'t>)>,
) -> BTreeMap<CommentId, Vec<(&'t TargetName, Lapse<'t>)>> {
    let mut by_approval: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (name, lapse) in lapses {
        by_approval.entry(lapse.approval.comment).or_default().push((name, lapse));
    }
    by_approval
}

/// `; the go of alice has lapsed, as web has moved: 1a2b3c4...5d6e7f8`
fn lapse_clause(lapses: &Vec<(&TargetName, Lapse<'_>)>) -> String {
    let Some((_, first)) = lapses.first() else { return String::new() };
    let causes = lapses.iter().take(LAPSE_LIMIT).map(|(name, lapse)| lapse.cause(name));
    let more = lapses.len().saturating_sub(LAPSE_LIMIT);
    let more = (more > 0).then(|| format!("{more} more have"));
    let causes: Vec<String> = causes.chain(more).collect();
    format!("; the go of {} has lapsed, as {}", said_by(first.approval), and(&causes))
}

/// The approvers who have not said go, or not for the present commit.
fn approvers<'t>(ticket: &Ticket, standing: &GateStanding<'t>) -> Vec<&'t Approver> {
    let is_missing = |approver: &&Approver| match approver {
        Approver::Team { .. } => true,
        Approver::Person(login) => {
            let is_driver = ticket.driver.as_ref().is_some_and(|driver| driver.same_as(login.as_str()));
            let has_said = standing.approvals.iter().any(|word| word.who.login.same_as(login.as_str()));
            let is_excluded = is_driver && standing.gate.excludes_driver;
            !has_said && !is_excluded
        }
    };
    standing.gate.approvers.iter().filter(is_missing).collect()
}

/// Whether the driver's go would count for one more.
fn may_say_go(ticket: &Ticket, standing: &GateStanding<'_>) -> bool {
    let has_said =
        |driver: &Login| standing.approvals.iter().any(|word| word.who.login.same_as(driver.as_str()));
    !standing.gate.excludes_driver && !ticket.driver.as_ref().is_some_and(has_said)
}

/// The command that says go on a gate.
fn go(ticket: &Ticket, gate: &Gate) -> String {
    let is_only = ticket.rules.gates.len() == 1;
    if is_only { text::code("/release go") } else { command("/release go", &[&gate.name]) }
}

/// A command with names, as a person comments it.
fn command(word: &str, names: &[&TargetName]) -> String {
    if names.len() > NAMES_LIMIT {
        return format!("{} with their names", text::code(word));
    }
    let names = names.iter().map(|name| format!(" {name}"));
    text::code(&format!("{word}{}", names.collect::<String>()))
}

/// The people who say go, with the verb: `alice or acme/release comments`.
pub(super) fn who_says_go(who: &[String], excludes_driver: bool, missing: usize, driver: &str) -> String {
    match (who.len(), missing) {
        (0, 0 | 1) if excludes_driver => {
            format!("somebody other than {driver} who may give commands comments")
        }
        (0, 0 | 1) => format!("{driver} or somebody else who may give commands comments"),
        (0, _) if excludes_driver => {
            format!("{missing} people other than {driver} who may give commands comment")
        }
        (0, _) => format!("{missing} people who may give commands comment"),
        (1, _) => format!("{} comments", who[0]),
        (count, 0 | 1) if count <= NAMES_LIMIT => format!("{} comments", or(who)),
        (_, 0 | 1) => format!("one of {} comments", join_names(who.iter().cloned())),
        (count, _) if count == missing => format!("{} comment", join_names(who.iter().cloned())),
        _ => format!("{missing} of {} comment", join_names(who.iter().cloned())),
    }
}

/// `, or comments /release retry web`, if people steer by comments; else empty.
pub(super) fn or_retry(ticket: &Ticket, names: &[&TargetName]) -> String {
    if !ticket.is_steered() || names.is_empty() {
        return String::new();
    }
    format!(", or comments {}", command("/release retry", names))
}

/// ` or comments /release`, if people steer by comments; else empty.
pub(super) fn or_release(ticket: &Ticket, verb: &str) -> String {
    if ticket.is_steered() { format!(" or {verb} {}", text::code("/release")) } else { String::new() }
}

/// A person, with a link to the comment.
fn said_by(decision: &Decision) -> String {
    text::link(&text::code(decision.who.login.as_str()), &decision.comment_url)
}

/// A need without a target of its own.
fn need(what: String, action: Action, place: String) -> Need {
    Need { target: None, moment: None, gate: None, reviewers: Vec::new(), what, action, place }
}
