//! `simulated-github serve`: a simulated GitHub on a port of this machine.

use std::error::Error;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;
use simulated_github::{Seed, World};

const HELP: &str = "\
Serves a simulated GitHub on this machine. Prints its URL on the first line.

Usage: simulated-github serve [--port N] [--world FILE]

  --port N      the port to listen at; a free one if not given
  --world FILE  what the world holds at first: repositories and tokens, as JSON or YAML

The pages of issues are at /OWNER/REPO/issues/NUMBER, a list of all at /.
Test scripts find the following at /_simulation/: story, exchanges, runs, unknown-routes,
issues/OWNER/REPO/NUMBER (GET); runs/ID, runs/ID/rerun (POST).
";

enum Command {
    Help,
    Serve { port: u16, world: Option<PathBuf> },
}

fn main() -> ExitCode {
    match parse().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

fn parse() -> Result<Command, Box<dyn Error>> {
    let mut arguments = lexopt::Parser::from_env();
    let mut serve = false;
    let (mut port, mut world) = (0, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Long("port") => port = arguments.value()?.parse()?,
            Long("world") => world = Some(arguments.value()?.into()),
            Value(command) if command == "serve" && !serve => serve = true,
            other => return Err(other.unexpected().into()),
        }
    }
    match serve {
        true => Ok(Command::Serve { port, world }),
        false => Err("expected the command `serve`; see --help".into()),
    }
}

fn run(command: Command) -> Result<(), Box<dyn Error>> {
    let (port, file) = match command {
        Command::Help => return Ok(std::io::stdout().write_all(HELP.as_bytes())?),
        Command::Serve { port, world } => (port, world),
    };
    #[expect(clippy::disallowed_methods, reason = "a world for people shows their time")]
    let world = World::at(chrono::Utc::now());
    if let Some(file) = file {
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
        Seed::parse(&text)?.plant(&world);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = world.serve_on((Ipv4Addr::LOCALHOST, port).into()).await?;
        let mut output = std::io::stdout();
        writeln!(output, "{}", server.url())?;
        output.flush()?;
        tokio::signal::ctrl_c().await?;
        Ok(())
    })
}

/// Tells an error and what caused it.
fn report(error: &dyn Error) {
    let mut message = format!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(&format!(": {error}"));
        cause = error.source();
    }
    // Where standard error is closed, nobody is there to hear.
    let _ = writeln!(std::io::stderr(), "{message}");
}
