//! A failure without a ticket: a nightly workflow fails, its notice explains why, and the next night it works again.

use release_ticket_action::ticket::Status;
use simulated_github::{Issue, Job as JobState, Run, World};

use crate::reader;
use crate::runner::{Runners, StepError, Work};
use crate::setting::{DRIVER, TOOLS};

/// The conclusions of the nights before, the oldest first.
const NIGHTS_BEFORE: [Status; 4] = [Status::Success, Status::Failure, Status::Success, Status::Success];

/// The commits since the last of them: subject and author.
const COMMITS: [(&str, &str); 2] = [("Read the mirrors from a file", "Dana"), ("Test on ARM, too", "Erin")];

/// The repair.
const REPAIR: (&str, &str) = ("Name a mirror for ARM", "Dana");

const TESTS: &str = "Run the tests on every platform";

/// The reason of the failure.
const ERROR: &str = "error: no mirror for aarch64 in mirrors.txt";

const FAILURE: Work<'static> = Work {
    step: TESTS,
    prints: "running 214 tests\ntest mirrors::each_platform_has_one ... FAILED\nerror: no mirror for aarch64 in mirrors.txt",
    conclusion: Status::Failure,
};

const SUCCESS: Work<'static> =
    Work { step: TESTS, prints: "running 214 tests\ntest result: ok", conclusion: Status::Success };

/// Plays both nights.
pub(crate) async fn play(runners: &Runners<'_>) -> Result<(), StepError> {
    let world = &runners.world;
    plant_nights_before(world);
    push(world, &COMMITS);
    night(runners, FAILURE).await?;
    runners.pace.notice().await;
    push(world, &[REPAIR]);
    night(runners, SUCCESS).await
}

fn plant_nights_before(world: &World) {
    for conclusion in NIGHTS_BEFORE {
        let run = world.start_run(TOOLS, "nightly.yml", "schedule");
        let job = JobState::new("nightly").step("Set up job", "success").step(TESTS, conclusion.as_str());
        world.add_job(run, job.conclusion(conclusion.as_str()));
        world.finish_run(run, conclusion.as_str());
    }
}

fn push(world: &World, commits: &[(&str, &str)]) {
    for (subject, author) in commits {
        world.push_as(TOOLS, "main", subject, author);
    }
}

async fn night(runners: &Runners<'_>, tests: Work<'_>) -> Result<(), StepError> {
    let Runners { world, narrator, .. } = runners;
    let conclusion = tests.conclusion;
    let run = scheduled_run(runners);
    let mut job = runners.begin(&run, "nightly").await?;
    job.works(tests).await;
    job.end().await?;
    let sentence = format!("nightly: {}, and there is no ticket", conclusion.label());
    narrator.announce_as(conclusion.into(), TOOLS, sentence);
    // GitHub has the log of a job once that is over, so a later job notifies.
    let mut job = runners.begin(&run, "notify").await?;
    job.uses_action(&[("mode", "notify"), ("status", conclusion.as_str())]).await?;
    job.end().await?;
    world.finish_run(run.id, conclusion.as_str());
    for issue in world.issues(TOOLS) {
        narrator.announce(TOOLS, row(&issue, runners.url));
        for explanation in explanations(&issue).into_iter().filter(|_| issue.is_open()) {
            if let Some(line) = explanation.line {
                narrator.announce(TOOLS, format!("it explains {}: {line}", explanation.of));
            }
        }
    }
    Ok(())
}

/// A run by schedule. GitHub names as its actor the person who changed the workflow last.
fn scheduled_run(runners: &Runners<'_>) -> Run {
    let id = runners.world.start_run(TOOLS, "nightly.yml", "schedule");
    runners.world.update_run(id, |run| {
        run.actor = DRIVER.to_owned();
        run.triggering_actor = DRIVER.to_owned();
    });
    runners.world.run(id).expect("the run was started above")
}

fn row(issue: &Issue, url: &str) -> String {
    let Issue { number, state, title, assignees, .. } = issue;
    let assignees = assignees.join(", ");
    format!("issue #{number} is {state}, assigned to {assignees}: {title} · {url}/{TOOLS}/issues/{number}")
}

/// A part of what an issue explains.
pub(crate) struct Explanation {
    /// The question that it answers.
    pub(crate) of: &'static str,
    /// The line with the answer, if the issue has one.
    pub(crate) line: Option<String>,
}

/// The explanations in the text of an issue, without its marker.
pub(crate) fn explanations(issue: &Issue) -> [Explanation; 4] {
    let step = format!("failed in step 2, {TESTS}");
    let (last_commit, _) = COMMITS[COMMITS.len() - 1];
    let marks = [
        ("where it failed", step.as_str()),
        ("since when", "First red since run "),
        ("why", ERROR),
        ("what changed", last_commit),
    ];
    let lines = issue.body.lines().filter(|line| !line.starts_with("<!--"));
    let lines: Vec<String> = lines.map(reader::plain).collect();
    marks.map(|(of, mark)| {
        let line = lines.iter().find(|line| line.contains(mark));
        Explanation { of, line: line.map(|line| line.trim_start_matches(['>', '-', '📈', ' ']).to_owned()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_print_why_they_fail() {
        assert!(FAILURE.prints.lines().any(|line| line == ERROR));
    }
}
