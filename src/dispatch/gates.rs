//! Checks of gates before anything is started: the token can see the teams that approve, and can read the commits to
//! which approvals are bound.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;

use super::READS_AT_ONCE;
use crate::engine::ReadyTarget;
use crate::github::{GitHub, GitHubError};
use crate::names::{GitRef, RepoName, TargetName};
use crate::problem::{Help, Problem, Topic};
use crate::ticket::gate::{Approver, Gate, MovePolicy, Rules};

/// Checks the gates of `rules`, with one request for each team, and one for each branch or tag of `targets` from which
/// this step has not read a file yet.
pub async fn check(github: &GitHub, rules: &Rules, targets: &[ReadyTarget]) -> Vec<Problem> {
    let (mut problems, commits) =
        tokio::join!(check_teams(github, rules), check_commits(github, rules, targets));
    problems.extend(commits);
    problems
}

/// A team, and the gates that name it.
struct Team<'r> {
    organization: &'r str,
    slug: &'r str,
    gates: Vec<&'r TargetName>,
}

/// The teams that gates name, in the order of the file.
fn teams(rules: &Rules) -> Vec<Team<'_>> {
    let mut teams: Vec<Team<'_>> = Vec::new();
    for gate in &rules.gates {
        for approver in &gate.approvers {
            let Approver::Team { organization, slug } = approver else { continue };
            let is_it = |team: &&mut Team<'_>| {
                team.slug == slug && team.organization.eq_ignore_ascii_case(organization)
            };
            match teams.iter_mut().find(is_it) {
                Some(team) if team.gates.contains(&&gate.name) => {}
                Some(team) => team.gates.push(&gate.name),
                None => teams.push(Team { organization, slug, gates: vec![&gate.name] }),
            }
        }
    }
    teams
}

async fn check_teams(github: &GitHub, rules: &Rules) -> Vec<Problem> {
    let answers = teams(rules).into_iter().map(async |team: Team<'_>| {
        let Team { organization, slug, gates } = team;
        let error = github.check_team(organization, slug).await.err()?;
        let (gates, name) = (quoted_names(&gates), if gates.len() == 1 { "names" } else { "name" });
        let what = format!("{gates} {name} the team {organization}/{slug}, whose members cannot be read");
        Some(Problem::of(&what, &error))
    });
    let answers: Vec<_> = answers.collect();
    let problems: Vec<_> = futures::stream::iter(answers).buffered(READS_AT_ONCE).collect().await;
    problems.into_iter().flatten().collect()
}

/// Checks that the token can read the commits to which gates bind approvals. A token that has read a target's workflow
/// file can read the commit too.
async fn check_commits(github: &GitHub, rules: &Rules, targets: &[ReadyTarget]) -> Vec<Problem> {
    let bound_targets: Vec<(&ReadyTarget, Vec<&TargetName>)> = targets
        .iter()
        .filter(|ready| ready.declaration.is_none())
        .map(|ready| (ready, binding(rules, ready)))
        .filter(|(_, gates)| !gates.is_empty())
        .collect();
    let branches: BTreeSet<Branch<'_>> = bound_targets.iter().map(|(ready, _)| branch_of(ready)).collect();
    let answers: BTreeMap<Branch<'_>, Option<Unreadable>> = futures::stream::iter(branches)
        .map(async |branch| (branch, read_failure(github, branch).await))
        .buffer_unordered(READS_AT_ONCE)
        .collect()
        .await;
    let problems = bound_targets.into_iter().filter_map(|(ready, gates)| {
        let why = answers.get(&branch_of(ready))?.as_ref()?;
        Some(why.problem(ready, &gates))
    });
    problems.collect()
}

/// The repository of a target, and the branch or tag of its runs.
type Branch<'r> = (&'r RepoName, &'r GitRef);

fn branch_of(ready: &ReadyTarget) -> Branch<'_> {
    (&ready.target.repository, &ready.git_ref)
}

/// The gates of a target whose approvals lapse when its branch or tag moves. An unknown word of a newer release binds
/// too.
fn binding<'r>(rules: &'r Rules, ready: &ReadyTarget) -> Vec<&'r TargetName> {
    let binds =
        |gate: &&Gate| gate.move_policy != MovePolicy::Warn && ready.target.needs.contains(&gate.name);
    rules.gates.iter().filter(binds).map(|gate| &gate.name).collect()
}

/// The reason why the commit of a branch or tag cannot be read.
enum Unreadable {
    /// GitHub shows no such branch or tag.
    Hidden,
    /// GitHub refuses, or does not answer.
    Refused(GitHubError),
}

async fn read_failure(github: &GitHub, (repository, git_ref): Branch<'_>) -> Option<Unreadable> {
    match github.commit_of(repository, git_ref).await {
        Ok(Some(_)) => None,
        Ok(None) => Some(Unreadable::Hidden),
        Err(error) => Some(Unreadable::Refused(error)),
    }
}

impl Unreadable {
    fn problem(&self, ready: &ReadyTarget, gates: &[&TargetName]) -> Problem {
        const INSTEAD: &str = "or set `on-moved: warn`, with which approvals count for any commit";
        let (repository, git_ref) = branch_of(ready);
        let binds = if gates.len() == 1 { "binds" } else { "bind" };
        let what = format!("{} {binds} approvals to commits", quoted_names(gates));
        let problem = match self {
            Self::Hidden => {
                let (branch, target) = (git_ref.short(), ready.name());
                let help = format!(
                    "correct the `ref` of {target}, or grant the token `contents: read` on {repository}; {INSTEAD}"
                );
                Problem::new(format!("{what}, but GitHub shows none of `{branch}` in {repository}"))
                    .help(Topic::Gate, help)
            }
            Self::Refused(error) => {
                let what = format!("{what}, but the token cannot read those of {repository}");
                let help = error.help().map(|help| help.and(Some(INSTEAD)));
                Problem { help, ..Problem::of(&what, error) }
            }
        };
        problem.at(&ready.target.place)
    }
}

/// ``gate `go` ``, or ``gates `go` and `late` ``.
fn quoted_names(gates: &[&TargetName]) -> String {
    let names: Vec<String> = gates.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, [])) => format!("gate {last}"),
        Some((last, first)) => format!("gates {} and {last}", first.join(", ")),
        None => String::new(),
    }
}
