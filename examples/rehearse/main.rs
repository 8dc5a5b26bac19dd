//! Rehearses a release on this machine: the real action, on a simulated GitHub.
//!
//! The action itself is not simulated: each step starts the real program in the same way as a runner. The program sends
//! HTTP requests to a GitHub that keeps issues, comments, workflows and runs. The script has the acts of people and
//! runners:
//!
//! ```text
//! arguments ──► setting ──► release ──► nightly ──► ending
//!               repositories  the hub's   a failure   the board, the counts,
//!               tokens        run and     without     the pages, the verdict
//!               workflows     targets     a ticket
//!                                │           │
//!                                └─ runner ──┘   jobs, and steps as processes
//! ```
//!
//! [`people`] has what people say on the ticket, [`reader`] what they read, [`program`] builds the action's binary,
//! [`narrator`] prints each event on the terminal, [`pace`] decides how long the work takes, [`request`] is the issue
//! that starts the hub's run if people use a form, [`log`] renders the output of a step, [`entries`] reads what a
//! step has saved for its post step, and [`boards`] writes the board of some moments to files.

mod arguments;
mod boards;
mod ending;
mod entries;
mod log;
mod narrator;
mod nightly;
mod pace;
mod people;
mod program;
mod reader;
mod release;
mod request;
mod runner;
mod setting;

use std::io::{IsTerminal, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;

use release_ticket_action::problem::{Help, Problem, Topic};
use simulated_github::{Server, World};

use arguments::{Arguments, Command};
use boards::Boards;
use ending::{Ending, Page};
use narrator::Narrator;
use pace::Pace;
use program::Program;
use runner::Runners;
use setting::Setting;

fn main() -> ExitCode {
    let result = match arguments::parse(lexopt::Parser::from_env()) {
        Ok(Command::Help) => std::io::stdout()
            .write_all(arguments::HELP.as_bytes())
            .map_err(|error| Problem::new(error.to_string())),
        Ok(Command::Rehearse(arguments)) => run(&arguments),
        Err(error) => {
            Err(Problem::new(error.to_string()).help(Topic::Rehearsal, "`--help` lists the options"))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            say(&format!("error: {problem}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Problem> {
    let setting = Setting::read(arguments).map_err(problem)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Problem::new(format!("the rehearsal cannot start: {error}")))?;
    runtime.block_on(rehearse(arguments, &setting))
}

#[expect(clippy::disallowed_methods, reason = "this is the rehearsal's main.rs")]
async fn rehearse(arguments: &Arguments, setting: &Setting) -> Result<(), Problem> {
    // A mistake in the options is reported before the build and the release take their time.
    let target_folder = program::target_folder().map_err(problem)?;
    let default_page = || target_folder.join("rehearsal").join("ticket.html");
    let page = Page::at(arguments.out.clone().unwrap_or_else(default_page)).map_err(problem)?;
    let boards = arguments.boards.clone().map(Boards::at).transpose().map_err(problem)?;
    let world = World::at(chrono::Utc::now());
    setting.plant(&world);
    let server = serve(&world, arguments.port).await?;
    // Cargo says nothing until it is done.
    say("building the action");
    let program = Program::build(&target_folder).map_err(problem)?;

    let narrator = Narrator::new(&world, in_colour(), setting.longest_name());
    let pace = if arguments.serve { Pace::WATCHABLE } else { Pace::BRISK };
    let url = server.url();
    let runners = Runners::new(&world, &url, program.path(), &narrator, pace).map_err(problem)?;
    let result = play(&runners, setting, boards.as_ref(), arguments.serve).await;
    let ending = match Ending::of(&runners, setting) {
        Ok(ending) => ending,
        Err(error) => return Err(result.err().unwrap_or_else(|| problem(error))),
    };
    let pages = ending.write_pages(&page).map_err(problem)?;
    narrator.print(&ending.summary(&pages));
    result?;
    if arguments.serve {
        narrator.print(&format!("\nServing {url} until Ctrl-C.\n"));
        let _ = tokio::signal::ctrl_c().await;
    }
    ending.verdict().map_err(problem)
}

/// Serves the world, at a port that is free where none is given.
async fn serve(world: &World, port: u16) -> Result<Server, Problem> {
    let server = world.serve_on((Ipv4Addr::LOCALHOST, port).into()).await;
    server.map_err(|error| {
        Problem::new(format!("port {port} of this machine cannot be used: {error}")).help(
            Topic::Rehearsal,
            "another program may listen there, such as an earlier rehearsal: end it, or give another `--port`, or \
             none for one that is free",
        )
    })
}

/// Plays everything, unless a person interrupts it or it takes too long.
async fn play(
    runners: &Runners<'_>,
    setting: &Setting,
    boards: Option<&Boards>,
    refresh: bool,
) -> Result<(), Problem> {
    let limit = runners.pace.limit();
    let all = async {
        release::play(runners, setting, boards, refresh).await?;
        nightly::play(runners).await
    };
    tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => {
            Err(Problem::new("interrupted: the page shows what has happened so far"))
        }
        () = tokio::time::sleep(limit) => {
            let what = format!("not over after {} s: the page shows what has happened so far", limit.as_secs());
            Err(Problem::new(what))
        }
        result = all => result.map_err(problem),
    }
}

fn problem(error: impl Help) -> Problem {
    Problem::from(&error)
}

/// Whether standard output shows colours, and nobody objects: <https://no-color.org>.
#[expect(clippy::disallowed_methods, reason = "this is the rehearsal's main.rs")]
fn in_colour() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let dumb = set("TERM").is_some_and(|terminal| terminal == "dumb");
    std::io::stdout().is_terminal() && set("NO_COLOR").is_none() && !dumb
}

/// Prints a message that is not part of the rehearsal.
fn say(message: &str) {
    // Where standard error is closed, nobody is there to hear.
    let _ = writeln!(std::io::stderr(), "{message}");
}
