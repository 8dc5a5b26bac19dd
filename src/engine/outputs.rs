//! The outputs of targets, for the inputs of later targets.
//!
//! GitHub may list a report later than it shows the end of the run that wrote it. So a target whose inputs read outputs
//! is claimed some seconds after the end of those runs, and a missing output is looked for several times before the
//! start is refused.

use chrono::TimeDelta;

use super::facts::{ENOUGH_LOOKS, LOOKS, later};
use super::ready::ReadyTarget;
use super::step::{Pause, Step};
use super::verdict::Verdict;
use super::view::View;
use super::wording::Upstream;

/// The time after the end of a run in which GitHub lists its reports, in nearly all cases.
const LISTED_AFTER: TimeDelta = TimeDelta::seconds(5);

/// The outputs of the targets that come before this one.
pub(super) fn upstream(view: &View<'_>, ready: &ReadyTarget) -> Upstream {
    let outputs =
        |name| view.ticket.targets.get(name).map(|target| target.outputs.clone()).unwrap_or_default();
    ready.target.upstream.iter().map(|name| (name.to_string(), outputs(name))).collect()
}

/// Whether the claim of the target has to wait, because GitHub may show more of the outputs that its inputs read.
pub(super) fn are_awaited(view: &View<'_>, ready: &ReadyTarget) -> bool {
    let wording = &view.request.wording;
    if wording.assumes_outputs || view.request.wind_up || !wording.reads_outputs(ready) {
        return false;
    }
    let has_changed_just_now = |name| {
        let changed_at = view.facts.changes.get(name);
        // GitHub's clock may differ from this job's: a time far off says nothing.
        changed_at.is_some_and(|changed_at| (view.now - *changed_at).abs() < LISTED_AFTER)
    };
    let looks = view.facts.awaited_outputs.get(ready.name()).map_or(0, |wait| wait.looks);
    ready.target.upstream.iter().any(has_changed_just_now)
        || looks < ENOUGH_LOOKS && wording.lacks_outputs(ready, &view.issue, &upstream(view, ready))
}

/// Pauses until GitHub may show the outputs for which claims wait.
pub(super) fn look_again(view: &View<'_>) -> Vec<Step> {
    let ready_targets = view.request.targets.iter().filter(|ready| view.verdict(ready) == Verdict::Start);
    let unclaimed_targets = ready_targets.filter(|ready| view.own_claim(ready.name()).is_none());
    let waiting_targets: Vec<&ReadyTarget> =
        unclaimed_targets.filter(|ready| are_awaited(view, ready)).collect();
    let due_times = waiting_targets.iter().map(|ready| match view.facts.awaited_outputs.get(ready.name()) {
        Some(wait) => later(wait.since, LOOKS[wait.looks.min(ENOUGH_LOOKS)]),
        None => later(view.now, LOOKS[1]),
    });
    let names = || waiting_targets.iter().map(|ready| ready.name().clone()).collect();
    let until = due_times.min().map(|time| time.max(later(view.now, LOOKS[1])));
    until.map(|until| Step::Pause { until, reason: Pause::Outputs(names()) }).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use crate::engine::ReadyTarget;
    use crate::engine::results::results;
    use crate::engine::testing::{Story, report, target};
    use crate::place::Place;
    use crate::targets::Input;

    const VERSION: &str = "{{ outputs.web.version }}";

    fn docs(template: &str) -> ReadyTarget {
        let mut docs = target("docs").needing(["web"]);
        let place = Place { source: String::new(), line: 1, column: 1 };
        docs.target.inputs = vec![Input { name: "version".into(), template: template.into(), place }];
        docs
    }

    /// A job that follows web and docs, at the moment when web is released.
    fn story_at_release(template: &str) -> Story {
        let mut story = Story::of([docs(template), target("web")]).following();
        story.run_until("look at web");
        story
    }

    fn sent_version(story: &Story) -> Option<String> {
        story.inputs.get("docs").and_then(|inputs| inputs["version"].as_str()).map(str::to_owned)
    }

    #[test]
    fn the_inputs_of_a_target_read_the_outputs_of_another_one() {
        let mut story = story_at_release(VERSION);
        story.write(None, &report("web", 101, &[("version", "1.4.1")]));
        story.run();
        assert_eq!(sent_version(&story).as_deref(), Some("1.4.1"));
        assert!(story.problems().is_empty(), "{:#?}", story.problems());
    }

    #[test]
    fn an_output_that_github_lists_late_is_waited_for() {
        let mut story = story_at_release(VERSION);
        story.run_until("pause: outputs for docs");
        story.run_until("read");
        story.write(None, &report("web", 101, &[("version", "1.4.1")]));
        story.run();
        assert_eq!(sent_version(&story).as_deref(), Some("1.4.1"));
    }

    #[test]
    fn a_start_without_an_output_that_it_needs_is_refused_with_what_was_reported() {
        let mut story = story_at_release(VERSION);
        story.write(None, &report("web", 101, &[("tag", "v1"), ("versions", "1")]));
        let began = story.now;
        let lines = story.run();
        assert_eq!(lines.iter().filter(|line| *line == "pause: outputs for docs").count(), 6, "{lines:#?}");
        assert!(story.now - began >= TimeDelta::seconds(30));
        let problems = results(&story.facts, &story.request, story.now).problems;
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(problems.join("\n"), @"
        cannot start docs: the template `{{ outputs.web.version }}` does not render: there is no `outputs.web.version`
        help: did you mean `versions`? web reported `tag` and `versions`; report `version` there with the input `outputs`, or, if it may be missing, write `{{ outputs.web.version | default('') }}`
        ");
        assert_eq!(sent_version(&story), None);
    }

    #[test]
    fn an_output_that_may_be_missing_is_not_waited_for_longer_than_reports_are_listed_late() {
        let mut story = story_at_release("{{ outputs.web.version | default('latest') }}");
        let began = story.now;
        story.run_until("start docs");
        assert!(story.now - began <= TimeDelta::seconds(10), "{}", story.now - began);
        story.run();
        assert_eq!(sent_version(&story).as_deref(), Some("latest"));
    }

    #[test]
    fn a_plan_shows_the_template_of_an_output_that_nobody_has_reported() {
        let story = Story::of([docs(VERSION), target("web")]).following();
        let plan = crate::engine::forecast(story.facts.clone(), &story.request, story.now);
        let json = serde_json::to_string(&plan).expect("JSON");
        assert!(json.contains(r#""inputs":{"version":"{{ outputs.web.version }}"}"#), "{json}");
    }
}
