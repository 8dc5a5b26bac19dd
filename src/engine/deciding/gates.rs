//! The verbs `go` and `no-go`: which gates they are about, and at which commits.

use super::Resolved;
use crate::command::{About, Command};
use crate::engine::ready::Ready;
use crate::engine::request::Asked;
use crate::engine::view::View;
use crate::names::TargetName;
use crate::problem::Problem;
use crate::targets::listed;
use crate::ticket::decision::ApprovedCommit;
use crate::ticket::gate::OnMoved;
use crate::ticket::{Gate, Verb};

/// A word on gates.
///
/// # Errors
///
/// When no gate waits for a word, the person may not say it, or GitHub does not say the commits of an approval.
pub(super) fn word(view: &View<'_>, asked: &Asked, command: &Command) -> Result<Resolved, Problem> {
    let gates = match &command.about {
        About::These(names) => named(view, asked, command.verb, names.iter())?,
        About::Default | About::All => waiting(view, asked, command.verb)?,
    };
    let names = gates.iter().map(|gate| gate.name.clone()).collect();
    let commits = commits(view, &gates);
    let unknown = commits.iter().filter(|commit| commit.sha.is_none() && command.verb == Verb::Go);
    let binds = |commit: &&ApprovedCommit| {
        let of = view.request.targets.iter().find(|ready| *ready.name() == commit.target);
        of.is_some_and(|ready| {
            gates.iter().any(|gate| gate.on_moved != OnMoved::Warn && ready.target.needs.contains(&gate.name))
        })
    };
    if let Some(commit) = unknown.into_iter().find(binds) {
        let what = format!(
            "GitHub does not say at which commit `{}` of {} is, and an approval is one of a commit",
            commit.git_ref, commit.repository
        );
        let help =
            "run the job again when GitHub answers; or grant `contents: read` there, or set `on-moved: warn`";
        return Err(Problem::new(what).help(help));
    }
    Ok(Resolved { names, commits, ..Resolved::default() })
}

/// The gates that the person names.
fn named<'v>(
    view: &'v View<'_>,
    asked: &Asked,
    verb: Verb,
    names: impl Iterator<Item = &'v TargetName>,
) -> Result<Vec<&'v Gate>, Problem> {
    let gates: Vec<&Gate> = names.filter_map(|name| view.ticket.rules.gate(name)).collect();
    for gate in &gates {
        if let Some(problem) = mute(view, asked, verb, gate) {
            return Err(problem);
        }
        if behind(view, gate).next().is_none() {
            let what = format!("every target behind gate `{}` was started already", gate.name);
            let help =
                "comment `/release cancel TARGET` to stop a run, or `/release hold` for what comes later";
            return Err(Problem::new(what).help(help));
        }
    }
    Ok(gates)
}

/// The gates that wait for this person's word.
fn waiting<'v>(view: &'v View<'_>, asked: &Asked, verb: Verb) -> Result<Vec<&'v Gate>, Problem> {
    let rules = &view.ticket.rules;
    if rules.gates.is_empty() {
        let what = "the targets file has no gates".to_owned();
        return Err(Problem::new(what).help("add one under `gates`, and name it in the `needs` of targets"));
    }
    // An open gate can still be closed as long as a target behind it was not started.
    let waits = |gate: &&Gate| {
        let is_open = |ready: &Ready| view.ticket.standing(gate, ready.name()).is_open();
        behind(view, gate).any(|ready| verb == Verb::NoGo || !is_open(ready))
    };
    let waiting: Vec<&Gate> = rules.gates.iter().filter(waits).collect();
    if waiting.is_empty() {
        let names = listed(rules.gates.iter().map(|gate| gate.name.as_str()));
        let what = format!("no gate waits: no target is kept back by {names}");
        return Err(
            Problem::new(what).help(format!("name the gate, as in `/release {} GATE`", verb.as_str()))
        );
    }
    let (free, mute): (Vec<_>, Vec<_>) = waiting
        .into_iter()
        .map(|gate| (gate, mute(view, asked, verb, gate)))
        .partition(|(_, mute)| mute.is_none());
    match mute.into_iter().find_map(|(_, problem)| problem).filter(|_| free.is_empty()) {
        Some(problem) => Err(problem),
        None => Ok(free.into_iter().map(|(gate, _)| gate).collect()),
    }
}

/// Why the person's word on a gate counts for nothing, if it does.
fn mute(view: &View<'_>, asked: &Asked, verb: Verb, gate: &Gate) -> Option<Problem> {
    let login = asked.who.login.as_str();
    if !asked.gates.contains(&gate.name) {
        let approvers: Vec<String> = gate.approvers.iter().map(ToString::to_string).collect();
        let approvers = listed(approvers.iter().map(String::as_str));
        let what = format!("{login} does not decide on gate `{}`", gate.name);
        let help =
            format!("its approvers are {approvers}; ask one of them, or add {login} in the targets file");
        return Some(Problem::new(what).help(help));
    }
    let driver = view.ticket.driver.as_ref().filter(|_| gate.not_driver && verb == Verb::Go)?;
    driver.same_as(login).then(|| {
        let what = format!(
            "{login} is the driver of this release, and gate `{}` takes somebody else's go",
            gate.name
        );
        Problem::new(what).help("ask another approver")
    })
}

/// The targets that a gate lets through and that are not started.
fn behind<'v>(view: &'v View<'_>, gate: &Gate) -> impl Iterator<Item = &'v Ready> {
    let needs_it = move |ready: &&Ready| ready.target.needs.contains(&gate.name);
    view.request
        .targets
        .iter()
        .filter(needs_it)
        .filter(|ready| super::is_decided_by_gates(view, ready.name()))
}

/// The commits of the targets behind these gates.
fn commits(view: &View<'_>, gates: &[&Gate]) -> Vec<ApprovedCommit> {
    let is_behind = |ready: &&Ready| {
        gates.iter().any(|gate| ready.target.needs.contains(&gate.name))
            && super::is_decided_by_gates(view, ready.name())
    };
    let commits = view.request.targets.iter().filter(is_behind).map(|ready| ApprovedCommit {
        target: ready.name().clone(),
        repository: ready.target.repository.clone(),
        git_ref: ready.git_ref.clone(),
        sha: view.known.round.commits.get(ready.name()).cloned().flatten(),
    });
    commits.collect()
}
