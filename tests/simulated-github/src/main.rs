//! `simulated-github serve`: a simulated GitHub on a port of this machine.

use std::error::Error;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;
use simulated_github::{Seed, World};

const HELP: &str = "\
Serves a simulated GitHub on this machine. Prints its URL on the first line.

Usage: simulated-github serve [--port N] [--world FILE] [--latency-ms N]

  --port N        the port to listen at; the default is a free one
  --world FILE    the first repositories and tokens of the world, as JSON or YAML
  --latency-ms N  the time that each request takes, in milliseconds

The pages of issues are at /OWNER/REPO/issues/NUMBER, a list of all at /.
Test scripts find the following at /_simulation/: story, exchanges, runs, limits,
unknown-routes, issues/OWNER/REPO/NUMBER (GET); runs/ID, runs/ID/rerun (POST).
";

enum Command {
    Help,
    Serve(Serve),
}

#[derive(Default)]
struct Serve {
    port: u16,
    world: Option<PathBuf>,
    latency: Duration,
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
    let mut is_serve = false;
    let mut serve = Serve::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Long("port") => serve.port = arguments.value()?.parse()?,
            Long("world") => serve.world = Some(arguments.value()?.into()),
            Long("latency-ms") => serve.latency = Duration::from_millis(arguments.value()?.parse()?),
            Value(command) if command == "serve" && !is_serve => is_serve = true,
            other => return Err(other.unexpected().into()),
        }
    }
    match is_serve {
        true => Ok(Command::Serve(serve)),
        false => Err("expected the command `serve`; see --help".into()),
    }
}

fn run(command: Command) -> Result<(), Box<dyn Error>> {
    let Serve { port, world: file, latency } = match command {
        Command::Help => return Ok(std::io::stdout().write_all(HELP.as_bytes())?),
        Command::Serve(serve) => serve,
    };
    #[expect(clippy::disallowed_methods, reason = "a world for people shows their time")]
    let world = World::at(chrono::Utc::now());
    world.latency(move |_, _| latency);
    if let Some(file) = file {
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
        Seed::parse(&text)?.plant(&world);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = world.serve_on((Ipv4Addr::LOCALHOST, port).into()).await;
        let server = server.map_err(|error| {
            format!("cannot listen at port {port}: {error}; give another `--port`, or none for a free one")
        })?;
        let mut output = std::io::stdout();
        writeln!(output, "{}", server.url())?;
        output.flush()?;
        tokio::signal::ctrl_c().await?;
        Ok(())
    })
}

/// Prints an error and its causes.
fn report(error: &dyn Error) {
    let mut message = format!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(&format!(": {error}"));
        cause = error.source();
    }
    // Standard error may be closed.
    let _ = writeln!(std::io::stderr(), "{message}");
}
