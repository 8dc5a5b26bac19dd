//! The program that the action's container runs. It reads the environment and the clock once, and
//! passes them on as values.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use release_ticket_action::job::{Clock, TRACKED_STAGE};
use release_ticket_action::run;
use release_ticket_action::runner::log;

const ABOUT: &str = "\
release-ticket-action runs a release that spans several repositories from one GitHub issue.

It is a GitHub Action: a step of a workflow starts it, with
  uses: org/release-ticket-action@v1
  with:
    mode: dispatch   # or report, or notify

To see a whole release on this machine, without GitHub:
  cargo run --example rehearse
";

/// The image's second name of this program, by which `action.yml` starts it as the post step of a job. A post step
/// has the same inputs as its main step, which may end before it saves any state.
const POST: &str = "release-ticket-action-post";

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
    let variables = std::env::vars_os();
    // A variable that is not UTF-8 keeps its readable part, and fails where it is used.
    let mut environment: BTreeMap<String, String> = variables
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    if !is_post_step() {
        // A step of the job may have set a variable of this name.
        environment.remove(TRACKED_STAGE);
    } else if environment.get(TRACKED_STAGE).is_none_or(|state| state.trim().is_empty()) {
        // Every step has a post step, and few have something to do in it.
        return run::Exit::Done.into();
    }
    if !environment.contains_key("INPUT_MODE") {
        // If standard error is closed, there is nowhere to write.
        let _ = std::io::stderr().write_all(ABOUT.as_bytes());
        return run::Exit::Invalid.into();
    }
    log::start(environment.get("RUNNER_DEBUG").is_some_and(|debug| debug == "1"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let exit = runtime.map(|runtime| {
        runtime.block_on(async {
            #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
            let clock = Clock::starting_at(chrono::Utc::now());
            run::run(&environment, clock, cancellation()).await
        })
    });
    exit.unwrap_or(run::Exit::Failed).into()
}

/// Whether the runner started this program at the end of the job.
fn is_post_step() -> bool {
    let name = std::env::args_os().next();
    name.is_some_and(|name| Path::new(&name).file_name() == Some(POST.as_ref()))
}

/// Ends when the runner cancels the job. Without a handler, Linux does not deliver these signals to the first
/// process of a container.
async fn cancellation() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
