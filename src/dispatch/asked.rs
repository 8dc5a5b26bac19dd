//! What a comment asks for, as a part of the request: the command, read with the names of targets and gates, and on which
//! gates its author may speak.

use std::collections::{BTreeMap, BTreeSet};

use super::Hub;
use super::asker::{Asker, Commanded};
use super::reading::failed;
use crate::command::{self, About, Command, Names};
use crate::engine::request::Asked;
use crate::engine::wording::Wording;
use crate::engine::{Known, Request, TicketIs};
use crate::github::GitHubError;
use crate::names::{Login, TargetName};
use crate::problem::Problem;
use crate::runner::log::NOTICE;
use crate::ticket::gate::{Approver, Gate};
use crate::ticket::{Rules, Verb};

/// The asker's command, read with the names of the targets and gates; none if the asker gave no command.
///
/// `is_member` says whether the person is a member of the team `(organization, slug)`.
///
/// # Errors
///
/// When GitHub does not say whether the person may speak on a gate.
pub(super) async fn asked(
    asker: &Asker,
    targets: &[TargetName],
    rules: &Rules,
    is_member: impl AsyncFn(&str, &str, &Login) -> Result<bool, GitHubError>,
) -> Result<Option<Asked>, Vec<Problem>> {
    let Asker::Command(given) = asker else { return Ok(None) };
    let gates: Vec<TargetName> = rules.gates.iter().map(|gate| gate.name.clone()).collect();
    let names = Names { targets, gates: &gates };
    let command = given.line.clone().and_then(|line| command::parse(&line, names));
    let gates = match &command {
        Ok(command) => gates_of(command, &given.who.login, rules, is_member).await?,
        Err(_) => BTreeSet::new(),
    };
    Ok(Some(asked_by(given, command, gates)))
}

/// What the person asks for, if it comes to `command`.
pub(super) fn asked_by(
    given: &Commanded,
    command: Result<Command, Problem>,
    gates: BTreeSet<TargetName>,
) -> Asked {
    let Commanded { comment, comment_url, who, .. } = given.clone();
    Asked { comment, comment_url, who, command, failure: None, gates }
}

/// The gates that the command is about and on which `login` may speak. Each team is asked for once.
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
                    format!("cannot tell whether {login} is in {approver}, which approves `{}`", gate.name);
                let answer = is_member(organization, slug, login).await;
                teams.insert(approver.to_string(), answer.map_err(failed(doing))?);
            }
        }
    }
    Ok(gates.filter(|gate| may_speak(login, gate, &teams)).map(|gate| gate.name.clone()).collect())
}

/// Whether `login` may say go or no-go on a gate. `teams`: whether the person is in each of these.
fn may_speak(login: &Login, gate: &Gate, teams: &BTreeMap<String, bool>) -> bool {
    let is_person = |approver: &Approver| match approver {
        Approver::Person(person) => person.same_as(login.as_str()),
        Approver::Team { .. } => teams.get(&approver.to_string()) == Some(&true),
    };
    gate.approvers.is_empty() || gate.approvers.iter().any(is_person)
}

/// A request that answers the command and does nothing else.
pub(super) fn refused(hub: Hub<'_>, command: &Commanded, asked: Asked, wording: Wording) -> (Request, Known) {
    if let Err(Problem { what, help, .. }) = &asked.command {
        let help = help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        let (login, issue) = (&command.who.login, &command.issue);
        tracing::info!(target: NOTICE, "the command of {login} on {issue} is refused: {what}{help}");
    }
    request(hub, command, asked, wording)
}

/// A request without targets.
pub(super) fn request(hub: Hub<'_>, command: &Commanded, asked: Asked, wording: Wording) -> (Request, Known) {
    let (issue, url) = (command.issue.clone(), hub.job.issue_url(&command.issue));
    let ticket = TicketIs::Open { issue, url, created: None, opened_at: None };
    let by = hub.common.writer(hub.job);
    let request = Request::looking(by, hub.job.run_url(), Vec::new(), wording);
    (Request { command: Some(asked), ..request }, Known::new(ticket, Vec::new()))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::names::{CommentId, IssueNumber, IssueRef};
    use crate::ticket::decision::Person;
    use crate::ticket::gate::OnMoved;

    fn gate(name: &str, approvers: &[&str]) -> Gate {
        let approvers = approvers.iter().map(|text| Approver::parse(text).expect("an approver"));
        Gate {
            name: name.into(),
            approvers: approvers.collect(),
            required: 1,
            not_driver: false,
            on_moved: OnMoved::Lapse.into(),
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
        Asker::Command(Box::new(Commanded {
            issue: ticket(),
            comment: CommentId(77),
            comment_url: String::new(),
            who,
            line: Ok(line.to_owned()),
        }))
    }

    /// What alice asks for, and which teams were asked for; she is in the team `release`.
    async fn asked_by_alice(line: &str) -> (Asked, Vec<String>) {
        let teams = RefCell::new(Vec::new());
        let is_member = async |organization: &str, slug: &str, login: &Login| {
            teams.borrow_mut().push(format!("{organization}/{slug}"));
            assert_eq!(login.as_str(), "alice");
            Ok(slug == "release")
        };
        let asked = asked(&by_alice(line), &["web".into()], &rules(), is_member).await;
        (asked.expect("an answer").expect("a command"), teams.into_inner())
    }

    fn names(gates: &Asked) -> Vec<&str> {
        gates.gates.iter().map(TargetName::as_str).collect()
    }

    #[tokio::test]
    async fn a_person_speaks_on_gates_for_all_by_name_and_by_team() {
        for line in ["/release go", "/release no-go all : red"] {
            let (asked, teams) = asked_by_alice(line).await;
            assert_eq!(names(&asked), ["by-name", "by-team", "open"], "{line}");
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
            let (asked, teams) = asked_by_alice(line).await;
            assert_eq!((names(&asked), teams), (gates.to_vec(), Vec::new()), "{line}");
        }
        let (asked, teams) = asked_by_alice("/release go by-ops").await;
        assert_eq!((names(&asked), teams), (Vec::new(), vec!["acme/ops".to_owned()]));
    }

    #[tokio::test]
    async fn nobody_speaks_on_a_gate_while_github_does_not_say_who_is_in_its_team() {
        let unknown = async |_: &str, _: &str, _: &Login| Err(GitHubError::NotListed(ticket()));
        let problems =
            asked(&by_alice("/release go by-ops"), &[], &rules(), unknown).await.expect_err("a problem");
        assert!(problems[0].what.starts_with("cannot tell whether alice is in acme/ops"), "{}", problems[0]);
    }
}
