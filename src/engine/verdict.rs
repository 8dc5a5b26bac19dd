//! The verdict on a target: a start, or the reason against it.
//!
//! It follows from the ticket's log, so that all hub jobs come to the same verdict at any time: the next dispatch of
//! the ticket starts the targets that have become ready, and none a second time.

use super::ready::ReadyTarget;
use super::view::View;
use crate::names::{RunId, TargetName};
use crate::ticket::claim::Standing;
use crate::ticket::{Reason, Target, TargetStatus, Word};

/// The next step of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The target is started, unless another hub job has claimed it first.
    Start,
    /// The target is not started, or not yet.
    Wait(Reason),
}

impl View<'_> {
    /// Decides about a target by the claims, its state, its needs and the decisions of people.
    pub(super) fn verdict(&self, ready: &ReadyTarget) -> Verdict {
        let name = ready.name();
        let target = self.ticket.targets.get(name);
        let status = target.map(|target| target.status);
        match (self.standing(name, None), status) {
            (Standing::Started { run, run_url }, _) => {
                let reason = target.and_then(inheritance_reason);
                return Verdict::Wait(reason.unwrap_or_else(|| start_reason(run, run_url, target)));
            }
            (Standing::Unreadable(comment), _) => return Verdict::Wait(Reason::Unreadable { comment }),
            // A word that only a newer release knows decides the state of the target: it is never free.
            (_, Some(TargetStatus::Held)) => {
                let run_url = target.and_then(|target| target.run.as_ref()).and_then(|run| run.url.clone());
                let by_run = Reason::Started { run_url, status: None };
                let unreadable = self.ticket.unreadable_comments.first();
                return Verdict::Wait(
                    unreadable.map_or(by_run, |comment| Reason::Unreadable { comment: *comment }),
                );
            }
            // Somebody released it by hand.
            (Standing::Free | Standing::ClaimedByOthers(_), Some(status))
                if status.is_released() && self.retried_claim(name).is_none() =>
            {
                return Verdict::Wait(Reason::Released { status });
            }
            (Standing::Free | Standing::ClaimedByOthers(_), _)
                if self.has_unclaimed_run(name) && self.retried_claim(name).is_none() =>
            {
                let run = target.and_then(|target| target.run.as_ref());
                let run_url = run.and_then(|run| run.url.clone());
                return Verdict::Wait(start_reason(run.map(|run| run.id), run_url, target));
            }
            _ => {}
        }
        let veto = self.veto(ready);
        let gates = match &veto {
            Some(Reason::Needs { targets }) => targets.clone(),
            Some(Reason::OnHold { .. } | Reason::Skipped { .. }) => {
                return Verdict::Wait(veto.expect("it is one"));
            }
            _ => Vec::new(),
        };
        let awaited_targets = self.ticket.unreleased_needs(&ready.target.needs).map(|(need, _)| need.clone());
        let targets: Vec<TargetName> = awaited_targets.chain(gates).collect();
        match veto {
            _ if !targets.is_empty() => Verdict::Wait(Reason::Needs { targets }),
            Some(reason) => Verdict::Wait(reason),
            None => Verdict::Start,
        }
    }

    /// The decision of people that prevents the target's start: a skip, a hold, closed gates or a freeze.
    pub(super) fn veto(&self, ready: &ReadyTarget) -> Option<Reason> {
        let (name, ticket) = (ready.name(), &self.ticket);
        if let Some(skip) = ticket.skip_of(name) {
            return Some(Reason::Skipped { by: skip.who.login.clone(), why: skip.reason.clone() });
        }
        if let Some(hold) = ticket.hold_of(name) {
            return Some(Reason::OnHold { by: hold.who.login.clone(), why: hold.reason.clone() });
        }
        let closed_gates = ticket.closed_gates(name, &ready.target.needs);
        if !closed_gates.is_empty() {
            let targets = closed_gates.into_iter().map(|standing| standing.gate.name.clone()).collect();
            return Some(Reason::Needs { targets });
        }
        let freeze = ticket.freeze_at(self.now)?;
        let why = Some(freeze.reason.clone()).filter(|why| !why.is_empty());
        Some(Reason::Frozen { to: freeze.to, why })
    }
}

/// The reason that an earlier ticket has released the target, if nothing has happened to it since.
fn inheritance_reason(target: &Target) -> Option<Reason> {
    let reason = target.reason.as_ref().and_then(Word::as_known)?;
    matches!(reason, Reason::TakenOver { .. }).then(|| reason.clone())
}

/// The reason that the target was started as this run, by its state in `target`.
fn start_reason(run: Option<RunId>, run_url: Option<String>, target: Option<&Target>) -> Reason {
    let run_url = run_url.or(run.map(|_| "its run".to_owned()));
    match target {
        Some(target) if target.status.is_released() => Reason::Released { status: target.status },
        Some(target) if target.has_lost_its_run() => Reason::Deleted { run_url },
        _ => {
            let status = target.map(|target| target.status).filter(|status| status.is_bad());
            Reason::Started { run_url, status }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::testing::{Says, Story, dispatch, target};
    use crate::engine::{Retry, TicketState};
    use crate::names::CommentId;
    use crate::ticket::{Dispatch, Record, StartState};

    fn verdict(story: &Story) -> Verdict {
        let view = View::new(&story.facts, &story.request, story.now);
        view.verdict(&story.request.targets[0])
    }

    fn web() -> Story {
        Story::of([target("web")])
    }

    fn unreadable(comment: u64) -> Verdict {
        Verdict::Wait(Reason::Unreadable { comment: CommentId(comment) })
    }

    #[test]
    fn a_target_that_nobody_has_started_is_started() {
        assert_eq!(verdict(&web()), Verdict::Start);
        for state in [StartState::Refused, StartState::Yielded, StartState::Waiting] {
            assert_eq!(verdict(&web().after(dispatch(50, [("web", state)]))), Verdict::Start, "{state:?}");
        }
    }

    #[test]
    fn a_target_that_others_may_have_started_is_claimed_to_find_out() {
        for state in [StartState::Claimed, StartState::Cancelled, StartState::Unknown] {
            assert_eq!(verdict(&web().after(dispatch(50, [("web", state)]))), Verdict::Start, "{state:?}");
        }
    }

    #[test]
    fn a_target_that_was_started_is_not_started_again() {
        let because = Reason::Started { run_url: Some("its run".to_owned()), status: None };
        let story = web().after(dispatch(50, [("web", StartState::Started)]));
        assert_eq!(verdict(&story), Verdict::Wait(because));
    }

    #[test]
    fn a_target_waits_for_those_of_its_needs_that_are_not_released() {
        let story = Story::of([target("web").needing(["api", "db"])]);
        let because = Reason::Needs { targets: vec!["api".into(), "db".into()] };
        assert_eq!(verdict(&story), Verdict::Wait(because));
    }

    fn with_a_word_of_a_newer_release(change: impl FnOnce(&mut Dispatch)) -> Story {
        let mut record = dispatch(50, [("web", StartState::Waiting)]);
        change(&mut record);
        web().after(record)
    }

    #[test]
    fn a_word_of_a_newer_release_holds_a_target() {
        let state = with_a_word_of_a_newer_release(|record| {
            record.targets[0].state = Word::Newer(json!("awaiting_approval"));
        });
        assert_eq!(verdict(&state), unreadable(1));
        let reason = with_a_word_of_a_newer_release(|record| {
            record.targets[0].reason = Some(Word::Newer(json!({ "reason": "frozen" })));
        });
        assert_eq!(verdict(&reason), unreadable(1));
    }

    #[test]
    fn an_unreadable_record_holds_the_targets_that_it_names_or_all() {
        let verdict_after = |targets: &str| {
            let mut story = web().after(dispatch(50, [("api", StartState::Started)]));
            story.write(None, &format!("<!-- release-ticket:2 dispatch {{{targets}}} -->"));
            verdict(&story)
        };
        assert_eq!(verdict_after(r#""targets":["web"]"#), unreadable(2));
        assert_eq!(verdict_after(r#""seq":1"#), unreadable(2));
        assert_eq!(verdict_after(r#""targets":["api"]"#), Verdict::Start);
    }

    #[test]
    fn a_held_target_is_left_alone_with_a_reason_and_not_claimed() {
        let mut story = web();
        story.write(None, r#"<!-- release-ticket:2 dispatch {"targets":["web"]} -->"#);
        let lines = story.run();
        assert!(
            lines[1].starts_with("leave web alone: a newer release of the action wrote comment 1"),
            "{lines:#?}"
        );
        assert_eq!(lines[2..], ["board"]);
    }

    #[test]
    fn a_target_that_somebody_has_released_by_hand_is_not_started() {
        let mut story = web();
        story.facts.ticket = match story.facts.ticket {
            TicketState::Open { issue, url, is_new, .. } => {
                TicketState::Open { issue, url, is_new, opened_at: Some(story.now) }
            }
            new => new,
        };
        story.write(None, &manual_release().render());
        let lines = story.run();
        assert_eq!(lines[..2], ["read", "look at web"]);
        assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
        let because = Reason::Released { status: TargetStatus::Released };
        assert_eq!(verdict(&story), Verdict::Wait(because));
    }

    #[test]
    fn a_report_of_a_release_by_hand_counts_for_nothing_where_github_says_something_else() {
        for says in [Says::Refused, Says::Nothing] {
            let mut story = web();
            story.write(None, &manual_release().render());
            let lines = story.when("look at web", [says]).run();
            assert!(lines.contains(&"start web".to_owned()), "{lines:#?}");
        }
    }

    #[test]
    fn a_target_whose_run_no_claim_names_is_started_again_only_if_that_is_asked_for() {
        for (retry, starts) in [(Retry::Nothing, false), (Retry::Failed, true)] {
            // Another job has recorded how the run of a claim that is gone has ended.
            let first = web().after(dispatch(50, [("web", StartState::Started)]));
            let mut first = first.always("look at web", Says::Failed);
            first.run();
            first.facts.log.accept_loss(CommentId(1));
            let mut story = web().retrying(retry).always("look at web", Says::Failed);
            story.facts.log = first.facts.log;
            let lines = story.run();
            assert_eq!(lines.contains(&"start web".to_owned()), starts, "{lines:#?}");
        }
    }

    fn manual_release() -> Record {
        let json = json!({
            "by": { "repository": "acme/web", "run": 7, "attempt": 1, "job": "release" },
            "seq": 1,
            "run_url": "",
            "stages": [{
                "target": "web", "stage": "publish", "status": "success", "done": true,
                "at": "2026-01-01T00:00:00Z", "seq": 1
            }],
        });
        Record::Report(serde_json::from_value(json).expect("a report"))
    }
}
