//! Verification: after a target's run has ended well, GitHub is asked for the release that it has published, and for
//! what the targets file wants to be there, before the target counts as released.
//!
//! Releases, tags and attestations may be shown a little later than the end of the run that made them. So a check fails
//! when it has failed several times within half a minute. Then the target is red, until another job of the hub verifies
//! it again, or another attempt of its run ends.

use chrono::{DateTime, Utc};
use serde_json::Map;

use super::known::{ENOUGH_LOOKS, Known, LOOKS, later};
use super::news::written;
use super::outputs;
use super::ready::Ready;
use super::step::{Answer, Failure, Inspection, Pause, RunOf, Step};
use super::verified::Verifying;
use super::view::View;
use crate::problem::{Help, Problem};
use crate::targets::Input;
use crate::template::{OUTPUTS, Reads};
use crate::ticket::state::Run;
use crate::ticket::verification::{ATTESTATION, RELEASE};
use crate::ticket::{Check, Dispatch, Outputs, StartState, TargetStatus, Verification};

/// When the next look is due.
fn due(verifying: &Verifying) -> DateTime<Utc> {
    later(verifying.since, LOOKS[verifying.looks.min(ENOUGH_LOOKS - 1)])
}

/// Asks about the targets whose run has ended well.
pub(super) fn verify(view: &View<'_>) -> Vec<Step> {
    let due = open(view).filter(|(_, _, verifying)| verifying.is_none_or(|of| due(of) <= view.now));
    due.map(|(ready, run, verifying)| question(view, ready, run, verifying)).collect()
}

/// Pauses until the next look is due.
pub(super) fn look_again(view: &View<'_>) -> Vec<Step> {
    let (names, dues): (Vec<_>, Vec<_>) = open(view)
        .filter_map(|(ready, _, verifying)| Some((ready.name().clone(), due(verifying?))))
        .filter(|(_, due)| *due > view.now)
        .unzip();
    let until = dues.into_iter().min();
    until.map(|until| Step::Pause { until, reason: Pause::Verification(names) }).into_iter().collect()
}

/// The targets that are to be verified, and how far that has come.
fn open<'v>(view: &'v View<'_>) -> impl Iterator<Item = (&'v Ready, &'v Run, Option<&'v Verifying>)> {
    view.request.targets.iter().filter_map(|ready| {
        let target = view.ticket.targets.get(ready.name())?;
        // A check that failed for another job is made again.
        let is_open = target.status == TargetStatus::Verifying || target.failed_check().is_some();
        let run = target.run.as_ref().filter(|_| is_open && ready.is_verified())?;
        let verifying = of_attempt(view.known, ready, run);
        (!verifying.is_some_and(Verifying::is_over)).then_some((ready, run, verifying))
    })
}

fn of_attempt<'k>(known: &'k Known, ready: &Ready, run: &Run) -> Option<&'k Verifying> {
    let verifying = known.verifying.get(ready.name());
    verifying.filter(|of| (of.run, of.attempt) == (run.id, run.attempt))
}

fn question(view: &View<'_>, ready: &Ready, run: &Run, verifying: Option<&Verifying>) -> Step {
    let of = RunOf { target: ready.name().clone(), repository: run.repository.clone(), run: run.id };
    let published = verifying.and_then(|verifying| verifying.published.as_ref());
    if ready.target.outputs_from_release && published.is_none() {
        return Step::FindRelease(of, run.attempt);
    }
    Step::Verify(Box::new(inspection(view, ready, of, run.attempt, published)))
}

/// The checks of a target, with their templates rendered.
fn inspection(
    view: &View<'_>,
    ready: &Ready,
    of: RunOf,
    attempt: u32,
    published: Option<&Outputs>,
) -> Inspection {
    let verify = &ready.target.verify;
    let mut broken = Vec::new();
    let mut text = |name: &str, template: &Option<Input>| {
        let rendered = render(view, ready, template.as_ref()?, published);
        rendered
            .map_err(|problem| {
                let help = problem.help.unwrap_or_default();
                broken.push(Check::failed(name, &problem.what, &help));
            })
            .ok()
    };
    let release = text(RELEASE, &verify.release);
    let attestation = text(ATTESTATION, &verify.attestation);
    let version = || published?.get("version").map(str::to_owned);
    let tag = if verify.release.is_some() { release } else { version().filter(|_| verify.immutable) };
    Inspection {
        of,
        attempt,
        workflow: ready.workflow().cloned(),
        tag,
        immutable: verify.immutable,
        attestation,
        outputs: outputs_checked(view, ready),
        broken,
    }
}

/// The target's own outputs that its checks read: these values count from then on, whatever is reported later.
fn outputs_checked(view: &View<'_>, ready: &Ready) -> Outputs {
    let reads = Reads::of(ready.target.verify.templates().map(|input| input.template.as_str()));
    let outputs = view.ticket.targets.get(ready.name()).into_iter().flat_map(|target| &target.outputs);
    let read = outputs.filter(|(name, _)| reads.may_read(&[OUTPUTS, ready.name().as_str(), name.as_str()]));
    read.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn render(
    view: &View<'_>,
    ready: &Ready,
    input: &Input,
    published: Option<&Outputs>,
) -> Result<String, Problem> {
    let mut upstream = outputs::upstream(view, ready);
    let mut own =
        view.ticket.targets.get(ready.name()).map(|target| target.outputs.clone()).unwrap_or_default();
    own.extend(published.into_iter().flat_map(Outputs::owned));
    upstream.insert(ready.name().to_string(), own);
    let text = view.request.wording.render_for(&input.template, ready, &view.issue, &upstream);
    let text = text.map_err(|error| Problem { help: error.help(), ..Problem::new(error.to_string()) })?;
    let text = text.trim().to_owned();
    if text.is_empty() {
        let help = "report the output that it reads, or correct the template in the targets file";
        return Err(Problem::new(format!("`{}` comes to nothing", input.template.trim())).help(help));
    }
    Ok(text)
}

impl Known {
    /// GitHub was asked for the release that a run has published.
    pub(super) fn release_found(
        &mut self,
        of: &RunOf,
        attempt: u32,
        answer: Answer,
        ready: Option<&Ready>,
        now: DateTime<Utc>,
    ) {
        let has_checks = ready.is_some_and(|ready| !ready.target.verify.is_blank());
        let verifying = self.verifying_of(of, attempt, now);
        match answer {
            Answer::Release(Some(outputs)) if has_checks => verifying.published = Some(outputs),
            Answer::Release(Some(outputs)) => verifying.settle(of, outputs, Vec::new(), now),
            Answer::Release(None) => {
                let failure = "no release was published at the commit of its run since that began";
                let help = "publish the release for the commit of the run, then verify it again";
                looked(verifying, of, vec![Check::failed(RELEASE, failure, help)], now);
            }
            Answer::Failed(failure) => self.unverified(of, attempt, RELEASE, &failure, now),
            _ => {}
        }
    }

    /// GitHub was asked for what is checked.
    pub(super) fn checked(&mut self, inspection: &Inspection, answer: Answer, now: DateTime<Utc>) {
        let Inspection { of, attempt, .. } = inspection;
        match answer {
            Answer::Verified(checks) => {
                let verifying = self.verifying_of(of, *attempt, now);
                if checks.iter().all(|check| check.failure.is_none()) {
                    let mut outputs = inspection.outputs.clone();
                    outputs.update(verifying.published.clone().unwrap_or_default());
                    verifying.settle(of, outputs, checks, now);
                } else {
                    looked(verifying, of, checks, now);
                }
            }
            Answer::Failed(failure) => {
                let name = if inspection.tag.is_some() { RELEASE } else { ATTESTATION };
                self.unverified(of, *attempt, name, &failure, now);
            }
            _ => {}
        }
    }

    fn verifying_of(&mut self, of: &RunOf, attempt: u32, now: DateTime<Utc>) -> &mut Verifying {
        let verifying =
            self.verifying.entry(of.target.clone()).or_insert_with(|| Verifying::new(of.run, attempt, now));
        if (verifying.run, verifying.attempt) != (of.run, attempt) {
            *verifying = Verifying::new(of.run, attempt, now);
        }
        verifying
    }

    /// A question failed. A refusal is a failed check, as it stays one until somebody acts.
    fn unverified(&mut self, of: &RunOf, attempt: u32, name: &str, failure: &Failure, now: DateTime<Utc>) {
        let verifying = self.verifying_of(of, attempt, now);
        if failure.is_final {
            let help = failure.help.as_deref().unwrap_or("run the hub's workflow again");
            let check = Check::failed(name, &failure.what, help);
            return verifying.settle(of, Outputs::default(), vec![check], now);
        }
        verifying.looks += 1;
        if verifying.looks >= ENOUGH_LOOKS {
            verifying.is_given_up = true;
            let what = format!("cannot verify {}: {}", of.target, failure.what);
            let problem = Problem { help: failure.help.clone(), ..Problem::new(what) };
            self.problems.push(problem);
        }
    }
}

/// A look that is not good: the last one counts.
fn looked(verifying: &mut Verifying, of: &RunOf, checks: Vec<Check>, now: DateTime<Utc>) {
    verifying.looks += 1;
    if verifying.looks >= ENOUGH_LOOKS {
        let outputs = verifying.published.clone().unwrap_or_default();
        verifying.settle(of, outputs, checks, now);
    }
}

/// Records what was verified: where the target was claimed, else in a record of its own.
pub(super) fn record(view: &View<'_>) -> Vec<Step> {
    if view.known.round.recording_failed {
        return Vec::new();
    }
    let news = settled(view).chain(waived(view)).filter(|of| !is_recorded(view, of)).collect();
    let belongs = |record: &Dispatch, of: &Verification| {
        record.targets.iter().any(|start| start.target == of.target && start.state == StartState::Started)
    };
    written(view, news, belongs, |record, verified| {
        record.verified.retain(|known| !verified.iter().any(|new| new.target == known.target));
        record.verified.extend(verified);
    })
}

fn settled<'v>(view: &'v View<'_>) -> impl Iterator<Item = Verification> + 'v {
    view.known.verifying.values().filter_map(|verifying| verifying.settled.clone())
}

/// The targets that records want to be verified, and the targets file does not, or not any more.
fn waived<'v>(view: &'v View<'_>) -> impl Iterator<Item = Verification> + 'v {
    view.request.targets.iter().filter(|ready| !ready.is_verified()).filter_map(|ready| {
        let target = view.known.log.ticket().targets.get(ready.name())?;
        let run = target.run.as_ref()?;
        let is_open = target.status == TargetStatus::Verifying || target.failed_check().is_some();
        is_open.then(|| Verification {
            target: ready.name().clone(),
            run: run.id,
            attempt: run.attempt,
            outputs: Outputs::default(),
            checks: Vec::new(),
            at: view.now,
            other: Map::new(),
        })
    })
}

fn is_recorded(view: &View<'_>, verification: &Verification) -> bool {
    let is_same = |of: &Verification| of.says_the_same_as(verification);
    // Each job says it once, whatever newer jobs say.
    if view.known.own.iter().any(|own| own.record.verified.iter().any(is_same)) {
        return true;
    }
    let mut recorded = view.claims().own().flat_map(|(_, claim)| &claim.verified);
    let target = view.known.log.ticket().targets.get(&verification.target);
    let newest = target.and_then(|target| target.verification.as_ref());
    recorded.any(is_same) && newest.is_none_or(is_same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{Says, Story, dispatch, report, target};
    use crate::engine::{Retry, next};
    use crate::place::Place;

    /// The target web, whose release is verified by the output `version`.
    fn web() -> Ready {
        let mut web = target("web");
        let place = Place { source: String::new(), line: 1, column: 1 };
        let template = "{{ outputs.web.version }}".to_owned();
        web.target.verify.release = Some(Input { name: "verify.release".into(), template, place });
        web
    }

    fn story() -> Story {
        Story::of([web(), target("docs").needing(["web"])]).following()
    }

    fn status(story: &Story) -> TargetStatus {
        story.known.log.ticket().targets["web"].status
    }

    #[test]
    fn what_needs_a_target_starts_when_it_is_verified_and_the_claim_says_what_was_found() {
        let mut story = story();
        story.run_until("verify web");
        assert_eq!(status(&story), TargetStatus::Verifying);
        story.write(None, &report("web", 101, &[("version", "v1")]));
        let lines = story.run();
        let at = |line: &str| lines.iter().position(|known| known == line);
        assert!(at("verify web") < at("start docs") && at("start docs").is_some(), "{lines:#?}");
        assert_eq!(status(&story), TargetStatus::Released);
        assert!(story.problems().is_empty(), "{:#?}", story.problems());
    }

    #[test]
    fn a_check_that_fails_for_half_a_minute_makes_the_target_red_and_starts_nothing() {
        let mut story = story();
        story.run_until("verify web");
        let began = story.now;
        let lines = story.run();
        assert_eq!(lines.iter().filter(|line| *line == "verify web").count(), 6, "{lines:#?}");
        assert_eq!((story.now - began).num_seconds(), 30);
        assert_eq!(status(&story), TargetStatus::Failed);
        insta::assert_snapshot!(story.problems().join("\n"), @"
        web is not verified: the template `{{ outputs.web.version }}` does not render: there is no `outputs.web.version`
        docs was not started: it waits for web (failed)
        ");
    }

    #[test]
    fn a_job_that_finds_something_else_than_a_newer_one_says_so_once() {
        let mut first = story();
        first.write(None, &report("web", 101, &[("version", "v1")]));
        first.run();
        let mut newer = dispatch(300, []);
        newer.verified = first.known.own.iter().flat_map(|own| own.record.verified.clone()).collect();
        assert_eq!(newer.verified.len(), 1);
        // This one sees no report, and finds the target red.
        let mut story = story();
        story.run_until("verify web");
        let mut story = story.after(newer);
        let lines = story.run();
        assert!(lines.len() < 60, "{lines:#?}");
    }

    #[test]
    fn a_target_whose_run_ended_well_is_verified_again_before_it_is_started_again() {
        let mut first = story();
        first.run();
        let mut story = story().retrying(Retry::Failed);
        story.known.log = first.known.log;
        story.request.by.run = crate::names::RunId(200);
        story.run_until("verify web");
        let lines = story.run();
        let at = |line: &str| lines.iter().position(|known| known == line);
        assert!(
            at("start web").is_none_or(|start| lines[..start]
                .iter()
                .filter(|line| *line == "verify web")
                .count()
                == 6),
            "{lines:#?}"
        );
    }

    #[test]
    fn the_value_that_was_verified_counts_whatever_is_reported_later() {
        let mut story = story();
        story.run_until("verify web");
        story.write(None, &report("web", 101, &[("version", "v1"), ("notes", "x")]));
        story.run_until("start docs");
        story.write(None, &report("web", 101, &[("version", "v2"), ("notes", "y")]));
        let view = View::new(&story.known, &story.request, story.now);
        let outputs = &view.ticket.targets["web"].outputs;
        assert_eq!(outputs["version"], "v1");
    }

    #[test]
    fn another_job_verifies_again_what_was_red() {
        let mut first = story();
        first.run();
        let mut story = story();
        story.known.log = first.known.log;
        story.request.by.run = crate::names::RunId(200);
        story.write(None, &report("web", 101, &[("version", "v1")]));
        story.run();
        assert_eq!(status(&story), TargetStatus::Released);
        assert!(story.inputs.contains_key("docs"), "it is started");
    }

    /// What GitHub answers when it is asked to verify.
    fn answer(inspection: &Inspection, kind: usize) -> Answer {
        let failed = |is_final| {
            let what = "no answer".to_owned();
            Answer::Failed(Failure { what, help: None, is_final, is_without_effect: true })
        };
        match kind {
            0 if inspection.broken.is_empty() => {
                Answer::Verified(vec![Check::passed("release", "release v1")])
            }
            0 | 1 => Answer::Verified(vec![Check::failed("release", "it is a draft", "publish it")]),
            2 => failed(false),
            _ => failed(true),
        }
    }

    /// In every order of answers, and of the report among them, docs is started only with the value that was reported,
    /// and only when web is verified.
    #[test]
    fn whatever_github_answers_and_whenever_it_lists_the_report_nothing_starts_unverified() {
        let mut docs = target("docs").needing(["web"]);
        docs.target.inputs =
            vec![Input { name: "version".into(), ..web().target.verify.release.expect("it has one") }];
        let (mut started, mut held) = (0, 0);
        for (order, listed_at) in (0..64).flat_map(|order| (0..4).map(move |listed_at| (order, listed_at))) {
            let mut story = Story::of([web(), docs.clone()]).following();
            let (mut looks, mut has_passed) = (0, false);
            loop {
                let steps = next(&story.known, &story.request, story.now);
                if steps.is_empty() {
                    break;
                }
                for step in steps {
                    let Step::Verify(inspection) = &step else {
                        story.perform(&[step]);
                        continue;
                    };
                    // Three answers, each of four kinds; then it fails.
                    let kind = if looks < 3 { order >> (2 * looks) & 3 } else { 1 };
                    let answer = answer(inspection, kind);
                    has_passed |= kind == 0 && inspection.broken.is_empty();
                    story.known.learn(&step, answer, &story.request, story.now);
                    if looks == listed_at {
                        story.write(None, &report("web", 101, &[("version", "v1")]));
                    }
                    looks += 1;
                }
            }
            let version = story.inputs.get("docs").map(|inputs| inputs["version"].as_str());
            assert!(version.is_none_or(|version| version == Some("v1") && has_passed), "{order} {listed_at}");
            if version.is_some() { started += 1 } else { held += 1 }
        }
        assert!(started > 20 && held > 20, "{started} started, {held} held");
    }

    #[test]
    fn a_verification_that_cannot_be_recorded_stops_the_job() {
        let edit = "edit comment 1: web started; docs waiting; web released";
        let mut story = story();
        story.run_until("verify web");
        story.write(None, &report("web", 101, &[("version", "v1")]));
        let mut story = story.always(edit, Says::Refused);
        story.run();
        assert_eq!(story.problems(), ["cannot go on with acme/hub#1: it is refused"]);
        assert!(!story.inputs.contains_key("docs"));
    }

    #[test]
    fn a_target_stays_unverified_where_github_does_not_answer_and_the_job_ends() {
        let mut story = story().always("verify web", Says::Nothing);
        story.run();
        assert_eq!(status(&story), TargetStatus::Verifying);
        assert!(!story.inputs.contains_key("docs"));
        assert_eq!(story.problems()[0], "docs was not started: it waits for web (verifying)");
    }
}
