//! The command of a comment, as a part of the request: read with the names of targets and gates, and with the gates on
//! which its author may speak.

use std::collections::{BTreeMap, BTreeSet};

use super::Hub;
use super::asker::{Asker, CommandComment};
use super::reading::to_problems;
use crate::command::{self, About, Command, Names};
use crate::engine::request::CommandRequest;
use crate::engine::wording::Wording;
use crate::engine::{Facts, Request, TicketState};
use crate::github::GitHubError;
use crate::names::{Login, TargetName};
use crate::problem::Problem;
use crate::runner::log::NOTICE;
use crate::ticket::gate::{Approver, Gate};
use crate::ticket::{Rules, Verb};

/// The asker's command, read with the names of the targets and gates; `None` if the asker gave no command.
///
/// `is_member` asks whether the person is a member of the team `(organization, slug)`.
///
/// # Errors
///
/// GitHub does not say whether the person may speak on a gate.
pub(super) async fn read_command(
    asker: &Asker,
    targets: &[TargetName],
    rules: &Rules,
    is_member: impl AsyncFn(&str, &str, &Login) -> Result<bool, GitHubError>,
) -> Result<Option<CommandRequest>, Vec<Problem>> {
    let Asker::Command(comment) = asker else { return Ok(None) };
    let gates: Vec<TargetName> = rules.gates.iter().map(|gate| gate.name.clone()).collect();
    let names = Names { targets, gates: &gates };
    let command = comment.line.clone().and_then(|line| command::parse(&line, names));
    let gates = match &command {
        Ok(command) => gates_of(command, &comment.who.login, rules, is_member).await?,
        Err(_) => BTreeSet::new(),
    };
    Ok(Some(command_request(comment, command, gates)))
}

/// The request of a comment whose line is `command`.
pub(super) fn command_request(
    comment: &CommandComment,
    command: Result<Command, Problem>,
    gates: BTreeSet<TargetName>,
) -> CommandRequest {
    let CommandComment { comment, comment_url, who, .. } = comment.clone();
    CommandRequest { comment, comment_url, author: who, command, failure: None, gates }
}

/// The gates that the command names and on which `login` may speak. GitHub is asked once for each team.
async fn gates_of(
    command: &Command,
    login: &Login,
    rules: &Rules,
    is_member: impl AsyncFn(&str, &str, &Login) -> Result<bool, GitHubError>,
) -> Result<BTreeSet<TargetName>, Vec<Problem>> {
    let is_meant = |gate: &&Gate| match &command.about {
        _ if !matches!(command.verb, Verb::Go | Verb::NoGo) => false,
        About::Default | About::All => true,
        About::These(names) => names.contains(&gate.name),
    };
    let gates = rules.gates.iter().filter(is_meant);
    let mut teams = BTreeMap::new();
    for gate in gates.clone().filter(|gate| !may_speak(login, gate, &BTreeMap::new())) {
        for approver in &gate.approvers {
            if let Approver::Team { organization, slug } = approver
                && !teams.contains_key(&approver.to_string())
            {
                let doing =
                    format!("cannot check whether {login} is in {approver}, which approves `{}`", gate.name);
                let answer = is_member(organization, slug, login).await;
                teams.insert(approver.to_string(), answer.map_err(to_problems(doing))?);
            }
        }
    }
    Ok(gates.filter(|gate| may_speak(login, gate, &teams)).map(|gate| gate.name.clone()).collect())
}

/// Whether `login` may say go or no-go on a gate. `teams` has each team, and whether the person is in it.
fn may_speak(login: &Login, gate: &Gate, teams: &BTreeMap<String, bool>) -> bool {
    let is_person = |approver: &Approver| match approver {
        Approver::Person(person) => person.same_as(login.as_str()),
        Approver::Team { .. } => teams.get(&approver.to_string()) == Some(&true),
    };
    gate.approvers.is_empty() || gate.approvers.iter().any(is_person)
}

/// A request that only answers the command.
pub(super) fn refusal(
    hub: Hub<'_>,
    comment: &CommandComment,
    command: CommandRequest,
    wording: Wording,
) -> (Request, Facts) {
    if let Err(Problem { what, help, .. }) = &command.command {
        let help = help.as_ref().map(|help| format!("; {}", help.text)).unwrap_or_default();
        let (login, issue) = (&comment.who.login, &comment.issue);
        tracing::info!(target: NOTICE, "the command of {login} on {issue} is refused: {what}{help}");
    }
    request_without_targets(hub, comment, command, wording)
}

/// A request with the command, and without targets.
pub(super) fn request_without_targets(
    hub: Hub<'_>,
    comment: &CommandComment,
    command: CommandRequest,
    wording: Wording,
) -> (Request, Facts) {
    let (issue, url) = (comment.issue.clone(), hub.job.issue_url(&comment.issue));
    let ticket = TicketState::Open { issue, url, is_new: None, opened_at: None };
    let by = hub.common.writer(hub.job);
    let request = Request::without_starts(by, hub.job.run_url(), Vec::new(), wording);
    (Request { command: Some(command), ..request }, Facts::new(ticket, Vec::new()))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::names::{CommentId, IssueNumber, IssueRef};
    use crate::ticket::decision::Person;
    use crate::ticket::gate::MovePolicy;

    fn gate(name: &str, approvers: &[&str]) -> Gate {
        let approvers = approvers.iter().map(|text| Approver::parse(text).expect("an approver"));
        Gate {
            name: name.into(),
            approvers: approvers.collect(),
            required_approvals: 1,
            excludes_driver: false,
            move_policy: MovePolicy::Lapse.into(),
        }
    }

    fn rules() -> Rules {
        let gates = vec![
            gate("open", &[]),
            gate("by-name", &["@Alice", "@acme/ops"]),
            gate("by-team", &["dana", "@acme/release", "@acme/ops"]),
            gate("by-ops", &["@acme/ops"]),
        ];
        Rules { gates, ..Rules::default() }
    }

    fn ticket() -> IssueRef {
        IssueRef { repository: "acme/hub".parse().expect("a name"), number: IssueNumber(7) }
    }

    fn by_alice(line: &str) -> Asker {
        let who = Person { login: Login::parse("alice").expect("a login"), id: 5, role: "write".to_owned() };
        Asker::Command(Box::new(CommandComment {
            issue: ticket(),
            comment: CommentId(77),
            comment_url: String::new(),
            who,
            line: Ok(line.to_owned()),
        }))
    }

    /// The command of alice, who is in the team `release`, and the teams that GitHub was asked for.
    async fn command_of_alice(line: &str) -> (CommandRequest, Vec<String>) {
        let teams = RefCell::new(Vec::new());
        let is_member = async |organization: &str, slug: &str, login: &Login| {
            teams.borrow_mut().push(format!("{organization}/{slug}"));
            assert_eq!(login.as_str(), "alice");
            Ok(slug == "release")
        };
        let read_command = read_command(&by_alice(line), &["web".into()], &rules(), is_member).await;
        (read_command.expect("an answer").expect("a command"), teams.into_inner())
    }

    fn names(request: &CommandRequest) -> Vec<&str> {
        request.gates.iter().map(TargetName::as_str).collect()
    }

    #[tokio::test]
    async fn a_person_speaks_on_gates_for_all_by_name_and_by_team() {
        for line in ["/release go", "/release no-go all : red"] {
            let (read_command, teams) = command_of_alice(line).await;
            assert_eq!(names(&read_command), ["by-name", "by-team", "open"], "{line}");
            assert_eq!(teams, ["acme/release", "acme/ops"], "each once, and only where no name settles it");
        }
    }

    #[tokio::test]
    async fn teams_are_asked_for_only_where_a_gate_is_meant_that_has_them() {
        for (line, gates) in [
            ("/release go by-name", &["by-name"][..]),
            ("/release go open", &["open"]),
            ("/release hold web", &[]),
            ("/release status", &[]),
            ("/release go by-tem", &[]),
        ] {
            let (read_command, teams) = command_of_alice(line).await;
            assert_eq!((names(&read_command), teams), (gates.to_vec(), Vec::new()), "{line}");
        }
        let (read_command, teams) = command_of_alice("/release go by-ops").await;
        assert_eq!((names(&read_command), teams), (Vec::new(), vec!["acme/ops".to_owned()]));
    }

    #[tokio::test]
    async fn nobody_speaks_on_a_gate_while_github_does_not_say_who_is_in_its_team() {
        let no_answer = async |_: &str, _: &str, _: &Login| Err(GitHubError::NotListed(ticket()));
        let problems = read_command(&by_alice("/release go by-ops"), &[], &rules(), no_answer)
            .await
            .expect_err("a problem");
        assert!(problems[0].what.starts_with("cannot check whether alice is in acme/ops"), "{}", problems[0]);
    }
}
