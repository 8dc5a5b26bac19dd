//! What people say on the ticket: the words that steer the release, each a comment that starts the hub's workflow.

use chrono::{DateTime, Utc};
use release_ticket_action::ticket::gate::Approver;
use release_ticket_action::ticket::{Gate, Rules};

use crate::setting::DRIVER;

/// Somebody who decides beside the driver.
pub(crate) const APPROVER: &str = "dana";

/// Those who decide where a gate asks for more people than it names.
const OTHERS: [&str; 4] = [APPROVER, "erin", "frank", "grace"];

/// A comment of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// Who writes it.
    pub(crate) login: String,
    /// Its text.
    pub(crate) body: String,
}

impl Said {
    pub(crate) fn new(login: &str, body: impl Into<String>) -> Self {
        Self { login: login.to_owned(), body: body.into() }
    }
}

/// What people say before anything can start.
pub(crate) fn at_first(rules: &Rules, now: DateTime<Utc>) -> Vec<Said> {
    let is_frozen = rules.freezes.iter().any(|freeze| freeze.holds_at(now));
    let said = Said::new(DRIVER, "/release override-freeze : this is a rehearsal");
    Some(said).filter(|_| is_frozen).into_iter().collect()
}

/// What people say when the first wave is released: they open the gates. The first one they close before that, to show
/// how it is done.
pub(crate) fn at_the_gates(rules: &Rules) -> Vec<Said> {
    let mut said = Vec::new();
    for (index, gate) in rules.gates.iter().enumerate() {
        let approvers = approvers_of(gate);
        if let Some(first) = approvers.first().filter(|_| index == 0) {
            said.push(Said::new(first, format!("/release no-go {} : the numbers look wrong", gate.name)));
        }
        said.extend(approvers.iter().map(|login| Said::new(login, format!("/release go {}", gate.name))));
    }
    said
}

/// As many people as a gate asks for: those that it names, then others. Whoever is in a team is not asked.
pub(crate) fn approvers_of(gate: &Gate) -> Vec<String> {
    let named = gate.approvers.iter().filter_map(|approver| match approver {
        Approver::Person(login) => Some(login.as_str()),
        Approver::Team { .. } => None,
    });
    let others = OTHERS.into_iter().chain([DRIVER]).filter(|_| gate.approvers.is_empty());
    let may = named.chain(others).filter(|login| !(gate.not_driver && *login == DRIVER));
    may.take(gate.required as usize).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use release_ticket_action::ticket::gate::OnMoved;

    use super::*;

    fn gate(approvers: &[&str], required: u32, not_driver: bool) -> Gate {
        let approvers = approvers.iter().map(|text| Approver::parse(text).expect("an approver")).collect();
        Gate { name: "go".into(), approvers, required, not_driver, on_moved: OnMoved::Lapse.into() }
    }

    #[test]
    fn as_many_people_say_go_as_the_gate_asks_for() {
        assert_eq!(approvers_of(&gate(&[], 2, false)), ["dana", "erin"]);
        assert_eq!(approvers_of(&gate(&["alice", "bob"], 1, true)), ["bob"]);
        let rules = Rules { gates: vec![gate(&["bob"], 1, false)], ..Rules::default() };
        let bodies: Vec<_> = at_the_gates(&rules).into_iter().map(|said| said.body).collect();
        assert_eq!(bodies, ["/release no-go go : the numbers look wrong", "/release go go"]);
    }
}
