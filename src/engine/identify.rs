//! Which run is ours: that workflow and ref, by that actor, created since the claim, and recorded by no
//! claim. Of several the one whose name holds the ticket; of several of these the one whose name holds the target.
//! A run whose name holds only another target that shares the workflow is that one's: it proves nothing.

use super::step::{Candidate, Evidence, Search};
use crate::names::{IssueRef, RunId, TargetName};

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
    let of_target: Vec<&Candidate> = named.iter().copied().filter(|run| names_target(search, run)).collect();
    if search.evidence == Evidence::Nothing && search.siblings_have_runs && of_target.is_empty() {
        return Found::Nothing;
    }
    match (&ours[..], &named[..]) {
        ([], _) => Found::Nothing,
        (_, [run]) if !names_sibling(search, run) => Found::One(run.run, run.url.clone()),
        _ if of_target.len() == 1 => Found::One(of_target[0].run, of_target[0].url.clone()),
        (_, []) if search.evidence == Evidence::Nothing => Found::Nothing,
        ([run], []) if search.evidence == Evidence::Claim => Found::One(run.run, run.url.clone()),
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

/// Whether the name of the run holds that of the target.
fn names_target(search: &Search, run: &Candidate) -> bool {
    names(search, run, &search.target)
}

/// Whether the name of the run holds that of another target that shares the workflow, and not that of this one.
fn names_sibling(search: &Search, run: &Candidate) -> bool {
    !names_target(search, run) && search.siblings.iter().any(|sibling| names(search, run, sibling))
}

/// Whether the name of the run holds that of `target` as a word of its own.
fn names(search: &Search, run: &Candidate, target: &TargetName) -> bool {
    let rest = run.title.replace(&search.ticket.to_string(), " ");
    let is_separator = |c: char| c.is_whitespace() || ",;:()[]".contains(c);
    rest.split(is_separator).any(|word| word.eq_ignore_ascii_case(target.as_str()))
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
            siblings: Vec::new(),
            siblings_have_runs: false,
            evidence: Evidence::Claim,
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
    fn runs_of_one_ticket_are_told_apart_by_the_target_in_their_name() {
        let found = |titles: [&str; 2]| identify(&search(), &[run(1, titles[0]), run(2, titles[1])]);
        let one = Found::One(RunId(2), "u/2".into());
        assert_eq!(found(["acme/hub#12 (web-docs)", "acme/hub#12 (web)"]), one);
        assert_eq!(found(["acme/hub#12: docs", "Release web, acme/hub#12"]), one);
        let several = Found::Several(vec!["u/1".into(), "u/2".into()]);
        assert_eq!(found(["web: acme/hub#12", "web: acme/hub#12"]), several);
        assert_eq!(found(["acme/hub#12", "acme/hub#12: docs"]), several);
    }

    #[test]
    fn a_run_that_names_another_target_of_its_workflow_is_not_taken_for_this_ones() {
        for evidence in [Evidence::Claim, Evidence::Nothing] {
            let search = Search { siblings: vec!["docs".into()], evidence, ..search() };
            let found = |titles: &[&str]| {
                let runs: Vec<_> = (1..).zip(titles).map(|(id, title)| run(id, title)).collect();
                identify(&search, &runs)
            };
            assert_eq!(found(&["acme/hub#12 (docs)"]), Found::Several(vec!["u/1".into()]), "{evidence:?}");
            for titles in [&["acme/hub#12 (web)"][..], &["acme/hub#12"], &["acme/hub#12: web, docs"]] {
                assert_eq!(found(titles), Found::One(RunId(1), "u/1".into()), "{titles:?}");
            }
            assert_eq!(
                found(&["acme/hub#12 (docs)", "acme/hub#12 (web)"]),
                Found::One(RunId(2), "u/2".into())
            );
        }
    }

    #[test]
    fn a_run_that_only_another_account_claims_has_to_name_the_ticket() {
        let search = Search { evidence: Evidence::ClaimOfOthers, ..search() };
        assert_eq!(identify(&search, &[run(1, "acme/hub#12")]), Found::One(RunId(1), "u/1".into()));
        assert_eq!(identify(&search, &[run(1, "Release")]), Found::Several(vec!["u/1".into()]));
        assert_eq!(identify(&search, &[run(1, "acme/hub#13")]), Found::Nothing);
    }

    #[test]
    fn a_run_that_nobody_claims_is_the_one_if_its_name_holds_the_ticket() {
        let search = Search { evidence: Evidence::Nothing, ..search() };
        let named = run(2, "acme/hub#12");
        assert_eq!(
            identify(&search, &[run(1, "Release"), named.clone()]),
            Found::One(RunId(2), "u/2".into())
        );
        assert_eq!(identify(&search, &[run(1, "Release"), run(3, "acme/hub#13")]), Found::Nothing);
        let several = Found::Several(vec!["u/2".into(), "u/4".into()]);
        assert_eq!(identify(&search, &[named, run(4, "acme/hub#12")]), several);
    }

    #[test]
    fn a_run_that_may_be_the_one_of_another_target_has_to_name_this_one_where_nobody_claims_it() {
        let search = Search { evidence: Evidence::Nothing, siblings_have_runs: true, ..search() };
        assert_eq!(identify(&search, &[run(1, "acme/hub#12")]), Found::Nothing);
        assert_eq!(identify(&search, &[run(1, "acme/hub#12 (web)")]), Found::One(RunId(1), "u/1".into()));
    }

    #[test]
    fn older_recorded_and_other_peoples_runs_are_not_ours() {
        let older = Candidate { created_at: DateTime::UNIX_EPOCH - TimeDelta::seconds(1), ..run(1, "") };
        let of_bob = Candidate { actor: Some("bob".into()), ..run(2, "") };
        assert_eq!(identify(&search(), &[older, of_bob, run(9, "")]), Found::Nothing);
    }
}
