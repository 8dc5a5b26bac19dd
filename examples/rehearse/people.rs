//! The commands of people on the ticket, each a comment that starts the hub's workflow.

use chrono::{DateTime, Utc};
use release_ticket_action::ticket::gate::Approver;
use release_ticket_action::ticket::{Gate, Rules};

use crate::setting::DRIVER;

/// A person who decides beside the driver.
pub(crate) const APPROVER: &str = "dana";

/// The people who decide if a gate names none.
const OTHERS: [&str; 4] = [APPROVER, "erin", "frank", "grace"];

/// A comment of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PersonComment {
    /// Its author.
    pub(crate) login: String,
    /// Its text.
    pub(crate) body: String,
}

impl PersonComment {
    pub(crate) fn new(login: &str, body: impl Into<String>) -> Self {
        Self { login: login.to_owned(), body: body.into() }
    }
}

/// The comments before the first start.
pub(crate) fn at_first(rules: &Rules, now: DateTime<Utc>) -> Vec<PersonComment> {
    let is_frozen = rules.freezes.iter().any(|freeze| freeze.holds_at(now));
    let comment = PersonComment::new(DRIVER, "/release override-freeze : this is a rehearsal");
    Some(comment).filter(|_| is_frozen).into_iter().collect()
}

/// The comments after the first wave: people open the gates. Before that they close the first gate, to show how that
/// works.
pub(crate) fn at_the_gates(rules: &Rules) -> Vec<PersonComment> {
    let mut comments = Vec::new();
    for (index, gate) in rules.gates.iter().enumerate() {
        let approvers = approvers_of(gate);
        if let Some(first) = approvers.first().filter(|_| index == 0) {
            comments.push(PersonComment::new(
                first,
                format!("/release no-go {} : the numbers look wrong", gate.name),
            ));
        }
        comments.extend(
            approvers.iter().map(|login| PersonComment::new(login, format!("/release go {}", gate.name))),
        );
    }
    comments
}

/// As many people as a gate asks for: the people that it names, or others if it names none. Members of teams are not
/// among them.
pub(crate) fn approvers_of(gate: &Gate) -> Vec<String> {
    let people = gate.approvers.iter().filter_map(|approver| match approver {
        Approver::Person(login) => Some(login.as_str()),
        Approver::Team { .. } => None,
    });
    let others = OTHERS.into_iter().chain([DRIVER]).filter(|_| gate.approvers.is_empty());
    let candidates = people.chain(others).filter(|login| !(gate.excludes_driver && *login == DRIVER));
    candidates.take(gate.required_approvals as usize).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use release_ticket_action::ticket::gate::MovePolicy;

    use super::*;

    fn gate(approvers: &[&str], required: u32, not_driver: bool) -> Gate {
        let approvers = approvers.iter().map(|text| Approver::parse(text).expect("an approver")).collect();
        Gate {
            name: "go".into(),
            approvers,
            required_approvals: required,
            excludes_driver: not_driver,
            move_policy: MovePolicy::Lapse.into(),
        }
    }

    #[test]
    fn as_many_people_say_go_as_the_gate_asks_for() {
        assert_eq!(approvers_of(&gate(&[], 2, false)), ["dana", "erin"]);
        assert_eq!(approvers_of(&gate(&["alice", "bob"], 1, true)), ["bob"]);
        let rules = Rules { gates: vec![gate(&["bob"], 1, false)], ..Rules::default() };
        let bodies: Vec<_> = at_the_gates(&rules).into_iter().map(|comment| comment.body).collect();
        assert_eq!(bodies, ["/release no-go go : the numbers look wrong", "/release go go"]);
    }
}
