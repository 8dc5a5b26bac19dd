//! Rehearses a release on this machine: the real action, on a simulated GitHub.
//!
//! Nothing here plays the action itself. Each step is the real program, started as a runner starts
//! it, and talks HTTP to a GitHub that keeps issues, comments, workflows and runs. What people and
//! runners do is in the script:
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
//! [`program`] builds what the steps start, [`narrator`] tells the terminal what happens, and
//! [`pace`] says how long it takes.

mod arguments;
mod ending;
mod narrator;
mod nightly;
mod pace;
mod program;
mod release;
mod runner;
mod setting;

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;

use simulated_github::World;

use arguments::{Arguments, Command};
use ending::Ending;
use narrator::Narrator;
use pace::Pace;
use program::Program;
use runner::Runners;
use setting::Setting;

fn main() -> ExitCode {
    match arguments::parse(lexopt::Parser::from_env()).map_err(Into::into).and_then(run) {
        Ok(code) => code,
        Err(error) => {
            report(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    let Command::Rehearse(arguments) = command else {
        std::io::stdout().write_all(arguments::HELP.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    };
    let setting = Setting::read(&arguments)?;
    // Cargo says nothing until it is done.
    say("building the action");
    let program = Program::build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(rehearse(&arguments, &setting, &program))
}

#[expect(clippy::disallowed_methods, reason = "this is the rehearsal's main.rs")]
async fn rehearse(
    arguments: &Arguments,
    setting: &Setting,
    program: &Program,
) -> Result<ExitCode, Box<dyn Error>> {
    let world = World::at(chrono::Utc::now());
    setting.plant(&world);
    let server = world.serve_on((Ipv4Addr::LOCALHOST, arguments.port).into()).await?;
    let narrator = Narrator::new(&world, in_colour(), setting.longest_name());
    let pace = if arguments.serve { Pace::WATCHABLE } else { Pace::BRISK };
    let url = server.url();
    let runners = Runners::new(&world, &url, program.path(), &narrator, pace)?;
    tokio::select! {
        played = tokio::time::timeout(pace.limit(), play(&runners, setting, arguments.serve)) => {
            played.map_err(|_| format!("not over after {} s, so it was given up", pace.limit().as_secs()))??;
        }
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            return Err("interrupted before the release was over".into());
        }
    }
    let ending = Ending::of(&world, &url, setting)?;
    let out = arguments.out.clone().unwrap_or_else(|| default_page(program));
    narrator.print(&ending.told(runners.steps(), &ending.write_pages(&out)?));
    if arguments.serve {
        narrator.print(&format!("\nServing {url} until Ctrl-C.\n"));
        tokio::signal::ctrl_c().await?;
    }
    ending.verdict()?;
    Ok(ExitCode::SUCCESS)
}

async fn play(runners: &Runners<'_>, setting: &Setting, refresh: bool) -> Result<(), runner::StepError> {
    release::play(runners, setting, refresh).await?;
    nightly::play(runners).await
}

fn default_page(program: &Program) -> PathBuf {
    program.target_folder().join("rehearsal").join("ticket.html")
}

/// Whether standard output shows colours, and nobody objects: <https://no-color.org>.
#[expect(clippy::disallowed_methods, reason = "this is the rehearsal's main.rs")]
fn in_colour() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let dumb = set("TERM").is_some_and(|terminal| terminal == "dumb");
    std::io::stdout().is_terminal() && set("NO_COLOR").is_none() && !dumb
}

/// Tells an error and what caused it.
fn report(error: &dyn Error) {
    let mut message = format!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        if !message.ends_with(&told) {
            message += &format!(": {told}");
        }
        cause = error.source();
    }
    say(&message);
}

/// Says something that is no part of the rehearsal.
fn say(message: &str) {
    // Where standard error is closed, nobody is there to hear.
    let _ = writeln!(std::io::stderr(), "{message}");
}
