//! Which run is ours: that workflow and ref, by that actor, created since the claim, and recorded by no
//! claim. Of several the one whose name holds the ticket.

use super::step::{Candidate, Search};
use crate::names::{IssueRef, RunId};

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// No run could be it.
    Nothing,
    /// This one is it.
    One(RunId, String),
    /// Each of these could be it.
    Several(Vec<String>),
}

/// Finds the run that `search` describes among `candidates`.
pub(super) fn identify(search: &Search, candidates: &[Candidate]) -> Found {
    let ours: Vec<&Candidate> = candidates.iter().filter(|run| could_be(search, run)).collect();
    let ticket = search.ticket.to_string();
    let named: Vec<&Candidate> = ours.iter().copied().filter(|run| holds(&run.title, &ticket)).collect();
    match (&ours[..], &named[..]) {
        ([], _) => Found::Nothing,
        (_, [run]) => Found::One(run.run, run.url.clone()),
        ([run], _) if !search.must_name_ticket => Found::One(run.run, run.url.clone()),
        _ => Found::Several(ours.iter().map(|run| run.url.clone()).collect()),
    }
}

fn could_be(search: &Search, run: &Candidate) -> bool {
    let same_actor = match (&search.actor, &run.actor) {
        (Some(wanted), Some(actor)) => wanted.eq_ignore_ascii_case(actor),
        _ => true,
    };
    same_actor
        && run.created_at >= search.since
        && !names_another(&run.title, &search.ticket)
        && !search.known_runs.contains(&run.run)
}

/// Whether `title` holds the ticket's name, and not one that only begins like it.
pub(super) fn holds(title: &str, ticket: &str) -> bool {
    let behind = |at: usize| title[at + ticket.len()..].chars().next();
    title.match_indices(ticket).any(|(at, _)| !behind(at).is_some_and(|c| c.is_ascii_digit()))
}

/// Whether `title` holds another ticket of the same hub.
pub(super) fn names_another(title: &str, ticket: &IssueRef) -> bool {
    let hub = format!("{}#", ticket.repository);
    let is_number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    let names_some = title.match_indices(&hub).any(|(at, _)| is_number(&title[at + hub.len()..]));
    names_some && !holds(title, &ticket.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;
    use crate::names::IssueNumber;

    fn search() -> Search {
        Search {
            target: "web".into(),
            repository: "acme/web".parse().expect("a name"),
            workflow: "release.yml".into(),
            page: String::new(),
            git_ref: "main".into(),
            since: DateTime::<Utc>::UNIX_EPOCH,
            actor: Some("acme-release[bot]".into()),
            ticket: IssueRef { repository: "acme/hub".parse().expect("a name"), number: IssueNumber(12) },
            known_runs: BTreeSet::from([RunId(9)]),
            must_name_ticket: false,
        }
    }

    fn run(id: u64, title: &str) -> Candidate {
        Candidate {
            run: RunId(id),
            url: format!("u/{id}"),
            title: title.into(),
            actor: Some("Acme-Release[bot]".into()),
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_run_name_holds_its_own_ticket_only() {
        let found = |title: &str| identify(&search(), &[run(1, title), run(2, "Release")]);
        for title in ["Release for acme/hub#12", "acme/hub#12: web"] {
            assert_eq!(found(title), Found::One(RunId(1), "u/1".into()), "{title}");
        }
        // The other ticket's run is not ours, so the one without a name is.
        assert_eq!(found("Release for acme/hub#123"), Found::One(RunId(2), "u/2".into()));
        assert_eq!(found("Release"), Found::Several(vec!["u/1".into(), "u/2".into()]));
    }

    #[test]
    fn a_run_that_only_another_account_claims_has_to_name_the_ticket() {
        let search = Search { must_name_ticket: true, ..search() };
        assert_eq!(identify(&search, &[run(1, "acme/hub#12")]), Found::One(RunId(1), "u/1".into()));
        assert_eq!(identify(&search, &[run(1, "Release")]), Found::Several(vec!["u/1".into()]));
        assert_eq!(identify(&search, &[run(1, "acme/hub#13")]), Found::Nothing);
    }

    #[test]
    fn older_recorded_and_other_peoples_runs_are_not_ours() {
        let older = Candidate { created_at: DateTime::UNIX_EPOCH - TimeDelta::seconds(1), ..run(1, "") };
        let of_bob = Candidate { actor: Some("bob".into()), ..run(2, "") };
        assert_eq!(identify(&search(), &[older, of_bob, run(9, "")]), Found::Nothing);
    }
}
