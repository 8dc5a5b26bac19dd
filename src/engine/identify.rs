//! Identification of a start's run among the runs of its workflow and ref: those by the right actor, created after the
//! claim, that no claim records. Of several runs, the one whose name holds the ticket counts; of several of these, the
//! one whose name holds the target. A run whose name holds only another target of the same workflow belongs to that
//! target: it proves nothing.

use super::step::{Candidate, Evidence, Search};
use crate::names::{IssueRef, RunId, TargetName};

/// The result of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Match {
    /// No run fits.
    Nothing,
    /// This run is the one.
    One(RunId, String),
    /// Each of these runs may be the one.
    Several(Vec<String>),
}

pub(super) fn identify(search: &Search, candidates: &[Candidate]) -> Match {
    let matches: Vec<&Candidate> = candidates.iter().filter(|run| may_be(search, run)).collect();
    let ticket = search.ticket.to_string();
    let runs_of_ticket: Vec<&Candidate> =
        matches.iter().copied().filter(|run| contains_ticket(&run.title, &ticket)).collect();
    let runs_of_target: Vec<&Candidate> =
        runs_of_ticket.iter().copied().filter(|run| names_target(search, run)).collect();
    if search.evidence == Evidence::Nothing && search.siblings_have_runs && runs_of_target.is_empty() {
        return Match::Nothing;
    }
    match (&matches[..], &runs_of_ticket[..]) {
        ([], _) => Match::Nothing,
        (_, [run]) if !names_sibling(search, run) => Match::One(run.run, run.url.clone()),
        _ if runs_of_target.len() == 1 => Match::One(runs_of_target[0].run, runs_of_target[0].url.clone()),
        (_, []) if search.evidence == Evidence::Nothing => Match::Nothing,
        ([run], []) if search.evidence == Evidence::Claim => Match::One(run.run, run.url.clone()),
        _ => Match::Several(matches.iter().map(|run| run.url.clone()).collect()),
    }
}

fn may_be(search: &Search, run: &Candidate) -> bool {
    let is_same_actor = match (&search.actor, &run.actor) {
        (Some(starter), Some(actor)) => starter.eq_ignore_ascii_case(actor),
        _ => true,
    };
    is_same_actor
        && run.created_at >= search.since
        && !names_another(&run.title, &search.ticket)
        && !search.other_runs.contains(&run.run)
}

fn names_target(search: &Search, run: &Candidate) -> bool {
    names(search, run, &search.target)
}

/// Whether the name of the run holds another target of the same workflow, and not this one.
fn names_sibling(search: &Search, run: &Candidate) -> bool {
    !names_target(search, run) && search.siblings.iter().any(|sibling| names(search, run, sibling))
}

/// Whether the name of the run holds `target` as a whole word.
fn names(search: &Search, run: &Candidate, target: &TargetName) -> bool {
    let rest = run.title.replace(&search.ticket.to_string(), " ");
    let is_separator = |c: char| c.is_whitespace() || ",;:()[]".contains(c);
    rest.split(is_separator).any(|word| word.eq_ignore_ascii_case(target.as_str()))
}

/// Whether `title` holds the ticket's name: `acme/hub#1`, and not as the beginning of `acme/hub#12`.
pub(super) fn contains_ticket(title: &str, ticket: &str) -> bool {
    let behind = |at: usize| title[at + ticket.len()..].chars().next();
    title.match_indices(ticket).any(|(at, _)| !behind(at).is_some_and(|c| c.is_ascii_digit()))
}

/// Whether `title` holds another ticket of the same hub.
pub(super) fn names_another(title: &str, ticket: &IssueRef) -> bool {
    let hub = format!("{}#", ticket.repository);
    let is_number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    let names_some = title.match_indices(&hub).any(|(at, _)| is_number(&title[at + hub.len()..]));
    names_some && !contains_ticket(title, &ticket.to_string())
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
            runs_url: String::new(),
            git_ref: "main".into(),
            since: DateTime::<Utc>::UNIX_EPOCH,
            actor: Some("acme-release[bot]".into()),
            ticket: IssueRef { repository: "acme/hub".parse().expect("a name"), number: IssueNumber(12) },
            other_runs: BTreeSet::from([RunId(9)]),
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
        let match_of = |title: &str| identify(&search(), &[run(1, title), run(2, "Release")]);
        for title in ["Release for acme/hub#12", "acme/hub#12: web"] {
            assert_eq!(match_of(title), Match::One(RunId(1), "u/1".into()), "{title}");
        }
        // The run of the other ticket does not fit, so the run without a ticket in its name is the one.
        assert_eq!(match_of("Release for acme/hub#123"), Match::One(RunId(2), "u/2".into()));
        assert_eq!(match_of("Release"), Match::Several(vec!["u/1".into(), "u/2".into()]));
    }

    #[test]
    fn runs_of_one_ticket_are_distinguished_by_the_target_in_their_name() {
        let match_of = |titles: [&str; 2]| identify(&search(), &[run(1, titles[0]), run(2, titles[1])]);
        let one = Match::One(RunId(2), "u/2".into());
        assert_eq!(match_of(["acme/hub#12 (web-docs)", "acme/hub#12 (web)"]), one);
        assert_eq!(match_of(["acme/hub#12: docs", "Release web, acme/hub#12"]), one);
        let several = Match::Several(vec!["u/1".into(), "u/2".into()]);
        assert_eq!(match_of(["web: acme/hub#12", "web: acme/hub#12"]), several);
        assert_eq!(match_of(["acme/hub#12", "acme/hub#12: docs"]), several);
    }

    #[test]
    fn a_run_that_names_another_target_of_its_workflow_is_not_taken_for_this_ones() {
        for evidence in [Evidence::Claim, Evidence::Nothing] {
            let search = Search { siblings: vec!["docs".into()], evidence, ..search() };
            let match_of = |titles: &[&str]| {
                let runs: Vec<_> = (1..).zip(titles).map(|(id, title)| run(id, title)).collect();
                identify(&search, &runs)
            };
            assert_eq!(match_of(&["acme/hub#12 (docs)"]), Match::Several(vec!["u/1".into()]), "{evidence:?}");
            for titles in [&["acme/hub#12 (web)"][..], &["acme/hub#12"], &["acme/hub#12: web, docs"]] {
                assert_eq!(match_of(titles), Match::One(RunId(1), "u/1".into()), "{titles:?}");
            }
            assert_eq!(
                match_of(&["acme/hub#12 (docs)", "acme/hub#12 (web)"]),
                Match::One(RunId(2), "u/2".into())
            );
        }
    }

    #[test]
    fn a_run_that_only_another_account_claims_has_to_name_the_ticket() {
        let search = Search { evidence: Evidence::ClaimOfOthers, ..search() };
        assert_eq!(identify(&search, &[run(1, "acme/hub#12")]), Match::One(RunId(1), "u/1".into()));
        assert_eq!(identify(&search, &[run(1, "Release")]), Match::Several(vec!["u/1".into()]));
        assert_eq!(identify(&search, &[run(1, "acme/hub#13")]), Match::Nothing);
    }

    #[test]
    fn a_run_that_nobody_claims_is_the_one_if_its_name_holds_the_ticket() {
        let search = Search { evidence: Evidence::Nothing, ..search() };
        let run_of_ticket = run(2, "acme/hub#12");
        assert_eq!(
            identify(&search, &[run(1, "Release"), run_of_ticket.clone()]),
            Match::One(RunId(2), "u/2".into())
        );
        assert_eq!(identify(&search, &[run(1, "Release"), run(3, "acme/hub#13")]), Match::Nothing);
        let several = Match::Several(vec!["u/2".into(), "u/4".into()]);
        assert_eq!(identify(&search, &[run_of_ticket, run(4, "acme/hub#12")]), several);
    }

    #[test]
    fn a_run_that_may_be_the_one_of_another_target_has_to_name_this_one_where_nobody_claims_it() {
        let search = Search { evidence: Evidence::Nothing, siblings_have_runs: true, ..search() };
        assert_eq!(identify(&search, &[run(1, "acme/hub#12")]), Match::Nothing);
        assert_eq!(identify(&search, &[run(1, "acme/hub#12 (web)")]), Match::One(RunId(1), "u/1".into()));
    }

    #[test]
    fn older_recorded_and_other_peoples_runs_are_not_ours() {
        let older = Candidate { created_at: DateTime::UNIX_EPOCH - TimeDelta::seconds(1), ..run(1, "") };
        let of_bob = Candidate { actor: Some("bob".into()), ..run(2, "") };
        assert_eq!(identify(&search(), &[older, of_bob, run(9, "")]), Match::Nothing);
    }
}
