use super::*;
use crate::engine::testing::{Says, Story, dispatch, target};
use crate::engine::{Publication, forecast};
use crate::ticket::StartState;

const RECORD: &str = "comment: the record of the release";

/// A job that follows the runs of these targets, and records the release.
fn recording<const N: usize>(targets: [crate::engine::ReadyTarget; N]) -> Story {
    let mut story = Story::of(targets).following();
    story.request.writes_release_record = true;
    story
}

#[test]
fn the_record_is_asked_for_and_written_once_when_everything_is_released() {
    let mut story = recording([target("web"), target("api")]);
    story.request.close = true;
    let lines = story.run();
    let from =
        lines.iter().position(|line| line.starts_with("look for the previous release")).expect("a look back");
    assert_eq!(
        lines[from..],
        [
            "look for the previous release",
            "survey api | survey web",
            RECORD,
            "board",
            "close acme/hub#1, saying: 🎉 Every target is released, so this ticket is closed.",
        ]
    );
    assert!(release_record(&story.facts, &story.request, story.now).is_some());
}

#[test]
fn nothing_is_asked_while_a_target_is_not_released_or_anything_went_wrong() {
    let mut failed_story = recording([target("web")]).always("look at web", Says::Failed);
    let mut without_board = recording([target("web")]).always("board", Says::Nothing);
    let mut open_story = recording([target("web")]);
    open_story.request.target_names.push("api".into());
    for story in [&mut failed_story, &mut open_story, &mut without_board] {
        let lines = story.run();
        assert!(!lines.iter().any(|line| line.contains("survey") || line == RECORD), "{lines:#?}");
        assert!(release_record(&story.facts, &story.request, story.now).is_none());
    }
}

#[test]
fn a_job_that_finds_the_record_writes_none_and_has_it_all_the_same() {
    let mut first = recording([target("web")]);
    first.run();
    let mut again = recording([target("web")]);
    again.facts.log = first.facts.log.clone();
    let lines = again.run();
    assert!(!lines.iter().any(|line| line.contains("record of the release")), "{lines:#?}");
    assert!(release_record(&again.facts, &again.request, again.now).is_some());
}

#[test]
fn a_target_that_is_released_again_by_another_run_is_written_into_the_same_comment() {
    let mut first = recording([target("web")]);
    first.run();
    let basis = first.facts.basis(&first.request);
    let (comment, records) = first.facts.log.releases(&basis).next().expect("a record");
    let (comment, seq) = (comment.id, records.seq);
    let mut story = recording([target("web")]);
    story.facts.log = first.facts.log.clone();
    let mut again = dispatch(500, [("web", StartState::Started)]);
    again.targets[0].repeats = first.facts.own_records.first().map(|own| own.comment);
    story = story.after(again);
    let lines = story.run();
    assert!(lines.contains(&format!("edit comment {comment}: the record of the release")), "{lines:#?}");
    let basis = story.facts.basis(&story.request);
    let records: Vec<_> = story.facts.log.releases(&basis).collect();
    assert_eq!(records.len(), 1);
    assert!(records[0].1.seq > seq && records[0].1.targets[0].run == Some(crate::names::RunId(501)));
}

#[test]
fn a_record_that_cannot_be_written_is_a_problem_and_not_tried_again() {
    let mut story = recording([target("web")]).always(RECORD, Says::Refused);
    let lines = story.run();
    assert_eq!(lines.iter().filter(|line| *line == RECORD).count(), 1, "{lines:#?}");
    assert_eq!(story.problems(), ["cannot record the release: it is refused"]);
}

#[test]
fn the_record_is_published_once_at_the_tag_of_the_release_before_the_ticket_is_closed() {
    let publishes = |tag: &str| format!("publish the record of the release as {tag} of acme/hub");
    for (tag, expected) in [(Some("1.4.0"), "1.4.0"), (None, "release-ticket-1")] {
        let mut story = recording([target("web")]);
        story.request.close = true;
        story.request.publication =
            Some(Publication { tag: tag.map(str::to_owned), commit: "c0ffee".to_owned() });
        let lines = story.run();
        assert_eq!(lines[lines.len() - 2], publishes(expected), "{lines:#?}");
    }
    let mut refused_story = recording([target("web")]).always(&publishes("1.4.0"), Says::Refused);
    refused_story.request.close = true;
    refused_story.request.publication =
        Some(Publication { tag: Some("1.4.0".to_owned()), commit: "c0ffee".to_owned() });
    let lines = refused_story.run();
    assert!(!lines.iter().any(|line| line.starts_with("close ")), "{lines:#?}");
    assert_eq!(refused_story.problems(), ["cannot publish the record of the release: it is refused"]);
}

#[test]
fn a_forecast_has_the_record_before_the_end() {
    let mut story = recording([target("web")]);
    story.request.close = true;
    let plan = forecast(story.facts.clone(), &story.request, story.now).to_string();
    let lines: Vec<&str> = plan.lines().collect();
    let record = lines.iter().position(|line| line.ends_with("the record of the release")).expect("a record");
    assert!(lines[record..].iter().any(|line| line.starts_with("close")), "{plan}");
}
