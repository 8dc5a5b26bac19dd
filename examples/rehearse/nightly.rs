//! A failure without a ticket: a nightly workflow fails, and the next night it works again.

use release_ticket_action::ticket::Status;
use simulated_github::{Issue, Run};

use crate::runner::{Runners, StepError};
use crate::setting::{DRIVER, TOOLS};

/// Plays both nights.
pub(crate) async fn play(runners: &Runners<'_>) -> Result<(), StepError> {
    night(runners, Status::Failure).await?;
    runners.pace.notice().await;
    night(runners, Status::Success).await
}

async fn night(runners: &Runners<'_>, conclusion: Status) -> Result<(), StepError> {
    let Runners { world, narrator, .. } = runners;
    let run = scheduled_run(runners);
    let mut job = runners.begin(&run, "nightly").await?;
    job.works("Run the tests on every platform", conclusion).await;
    let sentence = format!("nightly: {}, and there is no ticket", conclusion.label());
    narrator.tell_as(conclusion.into(), TOOLS, sentence);
    job.uses_action(&[("mode", "notify")]).await?;
    job.end();
    world.finish_run(run.id, conclusion.as_str());
    for issue in world.issues(TOOLS) {
        narrator.tell(TOOLS, shown(&issue, runners.url));
    }
    Ok(())
}

/// A schedule's runs count as those of whoever changed the workflow last.
fn scheduled_run(runners: &Runners<'_>) -> Run {
    let id = runners.world.start_run(TOOLS, "nightly.yml", "schedule");
    runners.world.update_run(id, |run| {
        run.actor = DRIVER.to_owned();
        run.triggering_actor = DRIVER.to_owned();
    });
    runners.world.run(id).expect("the run was started above")
}

fn shown(issue: &Issue, url: &str) -> String {
    let Issue { number, state, title, assignees, .. } = issue;
    let assignees = assignees.join(", ");
    format!("issue #{number} is {state}, assigned to {assignees}: {title} · {url}/{TOOLS}/issues/{number}")
}
