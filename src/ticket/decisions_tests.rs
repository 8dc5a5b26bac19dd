//! Tests of several decisions together, as the board shows them.

use serde_json::{Value, json};

use super::*;
use crate::names::Login;
use crate::ticket::{Record, fold};

const AT: &str = "2026-01-05T09:00:00Z";

fn by(run: u64) -> Value {
    json!({ "repository": "acme/hub", "run": run, "attempt": 1, "job": "dispatch" })
}

/// The record of a hub job with these targets, which wait for the gate `go`, each at a commit.
fn waiting(run: u64, targets: &[(&str, &str)]) -> Record {
    let targets = targets.iter().map(|(name, commit)| {
        json!({
            "target": name, "repository": format!("acme/{name}"), "state": "waiting", "needs": ["go"],
            "commit": commit, "at": AT,
        })
    });
    let gate = json!({ "name": "go", "required": 2, "on_moved": "lapse" });
    let record = json!({
        "by": by(run), "seq": 1, "run_url": "", "rules": { "gates": [gate] },
        "targets": targets.collect::<Vec<_>>(),
    });
    Record::Dispatch(serde_json::from_value(record).expect("a record"))
}

/// The command of the person with the id `who`. The comment and the run that reads it have the same id.
fn word(comment: u64, who: u64, command: &str, names: &[&str], commits: &[(&str, &str)]) -> Record {
    let commits = commits.iter().map(|(name, sha)| {
        json!({ "target": name, "repository": format!("acme/{name}"), "ref": "main", "sha": sha })
    });
    let record = json!({
        "by": by(comment), "seq": 1, "run_url": "", "command": command, "names": names,
        "who": { "login": format!("person-{who}"), "id": who, "role": "write" }, "comment": comment,
        "comment_url": "", "outcome": "accepted", "commits": commits.collect::<Vec<_>>(), "at": AT,
    });
    Record::Decision(serde_json::from_value(record).expect("a record"))
}

/// The number of approvals that count, and the targets for which others have lapsed.
fn standing(ticket: &Ticket) -> (usize, Vec<&str>) {
    let gate = &ticket.rules.gates[0];
    let lapses = ticket.lapses(gate).into_iter().map(|(name, _)| name.as_str()).collect();
    (ticket.worst_standing(gate).approvals.len(), lapses)
}

#[test]
fn an_approval_lapses_on_the_board_by_a_commit_that_any_later_record_has_seen() {
    let first = waiting(10, &[("web", "a")]);
    let go = word(20, 1, "go", &["go"], &[("web", "b")]);
    assert_eq!(standing(&fold(&[first.clone(), go.clone()])), (1, vec![]), "the approval is the newest");
    let later = word(30, 2, "go", &["go"], &[("web", "c")]);
    assert_eq!(standing(&fold(&[first, go.clone(), later])), (1, vec!["web"]));
    let new_commit = waiting(30, &[("web", "c")]);
    assert_eq!(standing(&fold(&[go, new_commit])), (0, vec!["web"]));
}

#[test]
fn a_gate_is_shown_by_the_target_that_lacks_most() {
    let both = waiting(30, &[("web", "a"), ("docs", "b")]);
    let go = word(20, 1, "go", &["go"], &[("web", "a"), ("docs", "a")]);
    assert_eq!(standing(&fold(&[both, go])), (0, vec!["docs"]));
}

#[test]
fn a_hold_of_all_stands_until_somebody_resumes_all() {
    let holds = |records: &[Record]| fold(records).hold_of_all().is_some();
    let hold = word(20, 1, "hold", &[], &[]);
    assert!(holds(&[hold.clone(), word(30, 2, "resume", &["web"], &[])]));
    assert!(!holds(&[hold, word(30, 2, "resume", &[], &[])]));
    assert!(!holds(&[word(20, 1, "hold", &["web"], &[])]));
}

#[test]
fn a_person_who_changes_the_login_has_one_word_on_a_gate() {
    let waits = waiting(10, &[("web", "a")]);
    let go = word(20, 1, "go", &["go"], &[("web", "a")]);
    let mut again = word(30, 1, "go", &["go"], &[("web", "a")]);
    let Record::Decision(decision) = &mut again else { unreachable!("it is one") };
    decision.who.login = Login::parse("another-name").expect("a login");
    assert_eq!(standing(&fold(&[waits.clone(), go.clone(), again])).0, 1);
    assert_eq!(standing(&fold(&[waits, go, word(30, 2, "go", &["go"], &[("web", "a")])])).0, 2);
}
