//! The verbs `go` and `no-go`: the gates that they are about, and the commits that they approve.

use super::Resolution;
use crate::command::{About, Command};
use crate::engine::ready::ReadyTarget;
use crate::engine::request::CommandRequest;
use crate::engine::view::View;
use crate::names::TargetName;
use crate::problem::{Problem, Topic};
use crate::targets::enumeration;
use crate::ticket::decision::ApprovedCommit;
use crate::ticket::gate::MovePolicy;
use crate::ticket::{Gate, Verb};

/// Decides a `go` or `no-go`.
///
/// # Errors
///
/// No gate waits for it, the person may not give it, or GitHub does not show a commit that the approval needs.
pub(super) fn decide(
    view: &View<'_>,
    command_request: &CommandRequest,
    command: &Command,
) -> Result<Resolution, Problem> {
    let gates = match &command.about {
        About::These(names) => named_gates(view, command_request, command.verb, names.iter())?,
        About::Default | About::All => waiting_gates(view, command_request, command.verb)?,
    };
    let names = gates.iter().map(|gate| gate.name.clone()).collect();
    let commits_behind = commits_behind(view, &gates);
    let unknown_commits =
        commits_behind.iter().filter(|commit| commit.sha.is_none() && command.verb == Verb::Go);
    let binds = |commit: &&ApprovedCommit| {
        let of = view.request.targets.iter().find(|ready| *ready.name() == commit.target);
        of.is_some_and(|ready| {
            gates
                .iter()
                .any(|gate| gate.move_policy != MovePolicy::Warn && ready.target.needs.contains(&gate.name))
        })
    };
    if let Some(commit) = unknown_commits.into_iter().find(binds) {
        let what = format!(
            "GitHub does not show the commit of `{}` in {}, but an approval is for a commit",
            commit.git_ref, commit.repository
        );
        let help =
            "run the job again when GitHub answers; or grant `contents: read` there, or set `on-moved: warn`";
        return Err(Problem::new(what).help(Topic::Gate, help));
    }
    Ok(Resolution { names, commits: commits_behind, ..Resolution::default() })
}

/// The gates that the person names.
fn named_gates<'v>(
    view: &'v View<'_>,
    command_request: &CommandRequest,
    verb: Verb,
    names: impl Iterator<Item = &'v TargetName>,
) -> Result<Vec<&'v Gate>, Problem> {
    let gates: Vec<&Gate> = names.filter_map(|name| view.ticket.rules.gate(name)).collect();
    for gate in &gates {
        if let Some(problem) = problem_with(view, command_request, verb, gate) {
            return Err(problem);
        }
        if behind(view, gate).next().is_none() {
            let what = format!("every target behind gate `{}` was started already", gate.name);
            let help =
                "comment `/release cancel TARGET` to stop a run, or `/release hold` for what comes later";
            return Err(Problem::new(what).help(Topic::Command, help));
        }
    }
    Ok(gates)
}

/// The gates that wait for this person's word.
fn waiting_gates<'v>(
    view: &'v View<'_>,
    command_request: &CommandRequest,
    verb: Verb,
) -> Result<Vec<&'v Gate>, Problem> {
    let rules = &view.ticket.rules;
    if rules.gates.is_empty() {
        let what = "the targets file has no gates".to_owned();
        let help = "add one under `gates`, and name it in the `needs` of targets";
        return Err(Problem::new(what).help(Topic::Command, help));
    }
    // An open gate can still be closed as long as a target behind it was not started.
    let waits = |gate: &&Gate| {
        let is_open = |ready: &ReadyTarget| view.ticket.standing(gate, ready.name()).is_open();
        behind(view, gate).any(|ready| verb == Verb::NoGo || !is_open(ready))
    };
    let waiting_gates: Vec<&Gate> = rules.gates.iter().filter(waits).collect();
    if waiting_gates.is_empty() {
        let names = enumeration(rules.gates.iter().map(|gate| gate.name.as_str()));
        let what = format!("no target waits for {names}");
        let help = format!("name the gate, as in `/release {} GATE`", verb.as_str());
        return Err(Problem::new(what).help(Topic::Command, help));
    }
    let (deciding_gates, problem): (Vec<_>, Vec<_>) = waiting_gates
        .into_iter()
        .map(|gate| (gate, problem_with(view, command_request, verb, gate)))
        .partition(|(_, problem)| problem.is_none());
    match problem.into_iter().find_map(|(_, problem)| problem).filter(|_| deciding_gates.is_empty()) {
        Some(problem) => Err(problem),
        None => Ok(deciding_gates.into_iter().map(|(gate, _)| gate).collect()),
    }
}

/// The reason why the person may not decide on a gate, if there is one.
fn problem_with(
    view: &View<'_>,
    command_request: &CommandRequest,
    verb: Verb,
    gate: &Gate,
) -> Option<Problem> {
    let login = command_request.author.login.as_str();
    if !command_request.gates.contains(&gate.name) {
        let approvers: Vec<String> = gate.approvers.iter().map(ToString::to_string).collect();
        let approvers = enumeration(approvers.iter().map(String::as_str));
        let what = format!("{login} is not an approver of gate `{}`", gate.name);
        let help =
            format!("its approvers are {approvers}; ask one of them, or add {login} in the targets file");
        return Some(Problem::new(what).help(Topic::Gate, help));
    }
    let driver = view.ticket.driver.as_ref().filter(|_| gate.excludes_driver && verb == Verb::Go)?;
    driver.same_as(login).then(|| {
        let what = format!(
            "{login} is the driver of this release, but gate `{}` needs the go of somebody else",
            gate.name
        );
        Problem::new(what).help(Topic::Gate, "ask another approver")
    })
}

/// The targets behind a gate that are not started yet.
fn behind<'v>(view: &'v View<'_>, gate: &Gate) -> impl Iterator<Item = &'v ReadyTarget> {
    let needs_it = move |ready: &&ReadyTarget| ready.target.needs.contains(&gate.name);
    view.request
        .targets
        .iter()
        .filter(needs_it)
        .filter(|ready| super::is_decided_by_gates(view, ready.name()))
}

/// The commits of the targets behind these gates.
fn commits_behind(view: &View<'_>, gates: &[&Gate]) -> Vec<ApprovedCommit> {
    let is_behind = |ready: &&ReadyTarget| {
        gates.iter().any(|gate| ready.target.needs.contains(&gate.name))
            && super::is_decided_by_gates(view, ready.name())
    };
    let commits_behind = view.request.targets.iter().filter(is_behind).map(|ready| ApprovedCommit {
        target: ready.name().clone(),
        repository: ready.target.repository.clone(),
        git_ref: ready.git_ref.clone(),
        sha: view.facts.round.commits.get(ready.name()).cloned().flatten(),
    });
    commits_behind.collect()
}
