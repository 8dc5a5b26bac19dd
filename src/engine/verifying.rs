//! Verification: after a target's run has succeeded, GitHub is asked for the release that the run has published, and
//! for the checks of the targets file, before the target counts as released.
//!
//! GitHub may show releases, tags and attestations a little later than the end of the run that made them. So a check
//! fails for good after several looks within half a minute. Then the target is red, until another job of the hub
//! verifies it again, or another attempt of its run ends.

use chrono::{DateTime, Utc};
use serde_json::Map;

use super::facts::{ENOUGH_LOOKS, Facts, LOOKS, later};
use super::news::write_news;
use super::outputs;
use super::progress::VerificationProgress;
use super::ready::ReadyTarget;
use super::step::{Answer, Failure, Inspection, Pause, Step, TargetRun};
use super::view::View;
use crate::problem::{Help, Problem, Topic};
use crate::targets::Input;
use crate::template::{OUTPUTS, Reads};
use crate::ticket::state::Run;
use crate::ticket::verification::{ATTESTATION, RELEASE};
use crate::ticket::{Check, Dispatch, Outputs, StartState, TargetStatus, Verification};

/// The time of the next look.
fn due(progress: &VerificationProgress) -> DateTime<Utc> {
    later(progress.since, LOOKS[progress.looks.min(ENOUGH_LOOKS - 1)])
}

/// Asks about the targets whose run has succeeded.
pub(super) fn verify(view: &View<'_>) -> Vec<Step> {
    let due = open(view).filter(|(_, _, progress)| progress.is_none_or(|of| due(of) <= view.now));
    due.map(|(ready, run, progress)| question(view, ready, run, progress)).collect()
}

/// Pauses until the next look is due.
pub(super) fn look_again(view: &View<'_>) -> Vec<Step> {
    let (names, due_times): (Vec<_>, Vec<_>) = open(view)
        .filter_map(|(ready, _, progress)| Some((ready.name().clone(), due(progress?))))
        .filter(|(_, due)| *due > view.now)
        .unzip();
    let until = due_times.into_iter().min();
    until.map(|until| Step::Pause { until, reason: Pause::Verification(names) }).into_iter().collect()
}

/// The targets to verify, with their progress; `None` before the first look.
fn open<'v>(
    view: &'v View<'_>,
) -> impl Iterator<Item = (&'v ReadyTarget, &'v Run, Option<&'v VerificationProgress>)> {
    view.request.targets.iter().filter_map(|ready| {
        let target = view.ticket.targets.get(ready.name())?;
        // A check that failed in another job is made again.
        let is_open = target.status == TargetStatus::Verifying || target.failed_check().is_some();
        let run = target.run.as_ref().filter(|_| is_open && ready.needs_verification())?;
        let progress = progress_of(view.facts, ready, run);
        (!progress.is_some_and(VerificationProgress::has_ended)).then_some((ready, run, progress))
    })
}

fn progress_of<'f>(facts: &'f Facts, ready: &ReadyTarget, run: &Run) -> Option<&'f VerificationProgress> {
    let progress = facts.verifications.get(ready.name());
    progress.filter(|of| (of.run, of.attempt) == (run.id, run.attempt))
}

fn question(
    view: &View<'_>,
    ready: &ReadyTarget,
    run: &Run,
    progress: Option<&VerificationProgress>,
) -> Step {
    let of = TargetRun { target: ready.name().clone(), repository: run.repository.clone(), run: run.id };
    let release_outputs = progress.and_then(|progress| progress.release_outputs.as_ref());
    if ready.target.outputs_from_release && release_outputs.is_none() {
        return Step::FindRelease(of, run.attempt);
    }
    Step::Verify(Box::new(inspection(view, ready, of, run.attempt, release_outputs)))
}

/// The checks of a target, with their templates rendered.
fn inspection(
    view: &View<'_>,
    ready: &ReadyTarget,
    of: TargetRun,
    attempt: u32,
    release_outputs: Option<&Outputs>,
) -> Inspection {
    let verify = &ready.target.verify;
    let mut broken = Vec::new();
    let mut text = |name: &str, template: &Option<Input>| {
        let text = render(view, ready, template.as_ref()?, release_outputs);
        text.map_err(|problem| {
            let help = problem.help.map(|help| help.text).unwrap_or_default();
            broken.push(Check::failure(name, &problem.what, &help));
        })
        .ok()
    };
    let release = text(RELEASE, &verify.release);
    let attestation = text(ATTESTATION, &verify.attestation);
    let version = || release_outputs?.get("version").map(str::to_owned);
    let tag = if verify.release.is_some() { release } else { version().filter(|_| verify.immutable) };
    Inspection {
        target_run: of,
        attempt,
        workflow: ready.workflow().cloned(),
        tag,
        must_be_immutable: verify.immutable,
        attestation,
        outputs: checked_outputs(view, ready),
        broken_checks: broken,
    }
}

/// The target's own outputs that its checks read. These values count from then on, and later reports do not change
/// them.
fn checked_outputs(view: &View<'_>, ready: &ReadyTarget) -> Outputs {
    let reads = Reads::of(ready.target.verify.templates().map(|input| input.template.as_str()));
    let outputs = view.ticket.targets.get(ready.name()).into_iter().flat_map(|target| &target.outputs);
    let read = outputs.filter(|(name, _)| reads.may_read(&[OUTPUTS, ready.name().as_str(), name.as_str()]));
    read.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn render(
    view: &View<'_>,
    ready: &ReadyTarget,
    input: &Input,
    release_outputs: Option<&Outputs>,
) -> Result<String, Problem> {
    let mut upstream = outputs::upstream(view, ready);
    let mut own =
        view.ticket.targets.get(ready.name()).map(|target| target.outputs.clone()).unwrap_or_default();
    own.extend(release_outputs.into_iter().flat_map(Outputs::to_pairs));
    upstream.insert(ready.name().to_string(), own);
    let text = view.request.wording.render_for(&input.template, ready, &view.issue, &upstream);
    let text = text.map_err(|error| Problem { help: error.help(), ..Problem::new(error.to_string()) })?;
    let text = text.trim().to_owned();
    if text.is_empty() {
        let help = "report the output that it reads, or correct the template in the targets file";
        return Err(Problem::new(format!("`{}` renders to nothing", input.template.trim()))
            .help(Topic::Template, help));
    }
    Ok(text)
}

impl Facts {
    /// Folds in the answer to the question for the release that a run has published.
    pub(super) fn learn_release(
        &mut self,
        of: &TargetRun,
        attempt: u32,
        answer: Answer,
        ready: Option<&ReadyTarget>,
        now: DateTime<Utc>,
    ) {
        let has_checks = ready.is_some_and(|ready| !ready.target.verify.is_blank());
        let progress = self.progress_mut(of, attempt, now);
        match answer {
            Answer::Release(Some(outputs)) if has_checks => progress.release_outputs = Some(outputs),
            Answer::Release(Some(outputs)) => progress.settle(of, outputs, Vec::new(), now),
            Answer::Release(None) => {
                let failure = "no release was published at the commit of its run since the run began";
                let help = "publish the release for the commit of the run, then verify it again";
                count_look(progress, of, vec![Check::failure(RELEASE, failure, help)], now);
            }
            Answer::Failed(failure) => self.count_failure(of, attempt, RELEASE, &failure, now),
            _ => {}
        }
    }

    /// Folds in the answer to the checks.
    pub(super) fn learn_checks(&mut self, inspection: &Inspection, answer: Answer, now: DateTime<Utc>) {
        let Inspection { target_run: of, attempt, .. } = inspection;
        match answer {
            Answer::Checks(checks) => {
                let progress = self.progress_mut(of, *attempt, now);
                if checks.iter().all(|check| check.failure.is_none()) {
                    let mut outputs = inspection.outputs.clone();
                    outputs.update(progress.release_outputs.clone().unwrap_or_default());
                    progress.settle(of, outputs, checks, now);
                } else {
                    count_look(progress, of, checks, now);
                }
            }
            Answer::Failed(failure) => {
                let name = if inspection.tag.is_some() { RELEASE } else { ATTESTATION };
                self.count_failure(of, *attempt, name, &failure, now);
            }
            _ => {}
        }
    }

    fn progress_mut(
        &mut self,
        of: &TargetRun,
        attempt: u32,
        now: DateTime<Utc>,
    ) -> &mut VerificationProgress {
        let progress = self
            .verifications
            .entry(of.target.clone())
            .or_insert_with(|| VerificationProgress::new(of.run, attempt, now));
        if (progress.run, progress.attempt) != (of.run, attempt) {
            *progress = VerificationProgress::new(of.run, attempt, now);
        }
        progress
    }

    /// Counts a failed question. A refusal is a failed check, because it lasts until somebody acts.
    fn count_failure(
        &mut self,
        of: &TargetRun,
        attempt: u32,
        name: &str,
        failure: &Failure,
        now: DateTime<Utc>,
    ) {
        let progress = self.progress_mut(of, attempt, now);
        if failure.is_final {
            let help =
                failure.help.as_ref().map_or("run the hub's workflow again", |help| help.text.as_str());
            let check = Check::failure(name, &failure.what, help);
            return progress.settle(of, Outputs::default(), vec![check], now);
        }
        progress.looks += 1;
        if progress.looks >= ENOUGH_LOOKS {
            progress.is_given_up = true;
            let what = format!("cannot verify {}: {}", of.target, failure.what);
            let problem = Problem { help: failure.help.clone(), ..Problem::new(what) };
            self.problems.push(problem);
        }
    }
}

/// Counts a look with a failed check. After enough of them the last one is the result.
fn count_look(progress: &mut VerificationProgress, of: &TargetRun, checks: Vec<Check>, now: DateTime<Utc>) {
    progress.looks += 1;
    if progress.looks >= ENOUGH_LOOKS {
        let outputs = progress.release_outputs.clone().unwrap_or_default();
        progress.settle(of, outputs, checks, now);
    }
}

/// Records the results: in the record that claims the target, else in a new one.
pub(super) fn record(view: &View<'_>) -> Vec<Step> {
    if view.facts.round.has_failed_to_record {
        return Vec::new();
    }
    let news = settled_verifications(view)
        .chain(waived_verifications(view))
        .filter(|of| !is_recorded(view, of))
        .collect();
    let belongs = |record: &Dispatch, of: &Verification| {
        record.targets.iter().any(|start| start.target == of.target && start.state == StartState::Started)
    };
    write_news(view, news, belongs, |record, verifications| {
        record.verifications.retain(|old| !verifications.iter().any(|new| new.target == old.target));
        record.verifications.extend(verifications);
    })
}

fn settled_verifications<'v>(view: &'v View<'_>) -> impl Iterator<Item = Verification> + 'v {
    view.facts.verifications.values().filter_map(|progress| progress.result.clone())
}

/// Empty verifications for the targets that wait for one by the records, and that the targets file does not verify (any
/// more).
fn waived_verifications<'v>(view: &'v View<'_>) -> impl Iterator<Item = Verification> + 'v {
    view.request.targets.iter().filter(|ready| !ready.needs_verification()).filter_map(|ready| {
        let target = view.facts.log.ticket().targets.get(ready.name())?;
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
    // Each job records its result once, whatever newer jobs record.
    if view.facts.own_records.iter().any(|own| own.record.verifications.iter().any(is_same)) {
        return true;
    }
    let mut recorded_verifications = view.claims().own().flat_map(|(_, claim)| &claim.verifications);
    let target = view.facts.log.ticket().targets.get(&verification.target);
    let newest = target.and_then(|target| target.verification.as_ref());
    recorded_verifications.any(is_same) && newest.is_none_or(is_same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{Says, Story, dispatch, report, target};
    use crate::engine::{Retry, next};
    use crate::place::Place;

    /// The target web, whose release is verified by the output `version`.
    fn web() -> ReadyTarget {
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
        story.facts.log.ticket().targets["web"].status
    }

    #[test]
    fn what_needs_a_target_starts_when_it_is_verified_and_the_claim_says_what_was_found() {
        let mut story = story();
        story.run_until("verify web");
        assert_eq!(status(&story), TargetStatus::Verifying);
        story.write(None, &report("web", 101, &[("version", "v1")]));
        let lines = story.run();
        let at = |line: &str| lines.iter().position(|other| other == line);
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
        newer.verifications =
            first.facts.own_records.iter().flat_map(|own| own.record.verifications.clone()).collect();
        assert_eq!(newer.verifications.len(), 1);
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
        story.facts.log = first.facts.log;
        story.request.by.run = crate::names::RunId(200);
        story.run_until("verify web");
        let lines = story.run();
        let at = |line: &str| lines.iter().position(|other| other == line);
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
        let view = View::new(&story.facts, &story.request, story.now);
        let outputs = &view.ticket.targets["web"].outputs;
        assert_eq!(outputs["version"], "v1");
    }

    #[test]
    fn another_job_verifies_again_what_was_red() {
        let mut first = story();
        first.run();
        let mut story = story();
        story.facts.log = first.facts.log;
        story.request.by.run = crate::names::RunId(200);
        story.write(None, &report("web", 101, &[("version", "v1")]));
        story.run();
        assert_eq!(status(&story), TargetStatus::Released);
        assert!(story.inputs.contains_key("docs"), "it is started");
    }

    /// An answer to the checks.
    fn answer(inspection: &Inspection, kind: usize) -> Answer {
        let failure = |is_final| {
            let what = "no answer".to_owned();
            Answer::Failed(Failure { what, help: None, is_final, is_without_effect: true })
        };
        match kind {
            0 if inspection.broken_checks.is_empty() => {
                Answer::Checks(vec![Check::success("release", "release v1")])
            }
            0 | 1 => Answer::Checks(vec![Check::failure("release", "it is a draft", "publish it")]),
            2 => failure(false),
            _ => failure(true),
        }
    }

    /// In every order of answers, and of the report among them, docs is started only with the value that was reported,
    /// and only when web is verified.
    #[test]
    fn whatever_github_answers_and_whenever_it_lists_the_report_nothing_starts_unverified() {
        let mut docs = target("docs").needing(["web"]);
        docs.target.inputs =
            vec![Input { name: "version".into(), ..web().target.verify.release.expect("it has one") }];
        let (mut starts, mut holds) = (0, 0);
        for (order, listed_at) in (0..64).flat_map(|order| (0..4).map(move |listed_at| (order, listed_at))) {
            let mut story = Story::of([web(), docs.clone()]).following();
            let (mut looks, mut has_passed) = (0, false);
            loop {
                let steps = next(&story.facts, &story.request, story.now);
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
                    has_passed |= kind == 0 && inspection.broken_checks.is_empty();
                    story.facts.learn(&step, answer, &story.request, story.now);
                    if looks == listed_at {
                        story.write(None, &report("web", 101, &[("version", "v1")]));
                    }
                    looks += 1;
                }
            }
            let version = story.inputs.get("docs").map(|inputs| inputs["version"].as_str());
            assert!(version.is_none_or(|version| version == Some("v1") && has_passed), "{order} {listed_at}");
            if version.is_some() { starts += 1 } else { holds += 1 }
        }
        assert!(starts > 20 && holds > 20, "{starts} started, {holds} held");
    }

    #[test]
    fn a_verification_that_cannot_be_recorded_stops_the_job() {
        let edit = "edit comment 1: web started; docs waiting; web released";
        let mut story = story();
        story.run_until("verify web");
        story.write(None, &report("web", 101, &[("version", "v1")]));
        let mut story = story.always(edit, Says::Refused);
        story.run();
        assert_eq!(story.problems(), ["cannot continue with acme/hub#1: it is refused"]);
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
