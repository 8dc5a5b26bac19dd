//! The command line.

use std::path::PathBuf;

use lexopt::prelude::*;

/// The text of `--help`.
pub(crate) const HELP: &str = "\
Rehearses a release on this machine: the real action, on a simulated GitHub.

Three repositories are released from one ticket. One of them, whose jobs are tracked, fails at first:
the board names the step, and the target is released again. In a fourth a nightly workflow fails
without any ticket: an issue explains why, and is closed when the workflow works again. No account, no
token and no network is needed.

Usage: cargo run --example rehearse [-- OPTIONS]

  --serve             play slowly enough to watch the ticket in a browser, and stay up until Ctrl-C
  --port N            with --serve: the port at 127.0.0.1 (default: one that is free)
  --targets FILE      rehearse the targets of this file; the first of them fails once
  --input NAME=VALUE  what the file's templates see as `inputs.NAME`; may be given several times
  --form FILE         the release is asked for with this issue form, a file of .github/ISSUE_TEMPLATE; its
                      question `Version` names the release, and what is ticked below `Targets` is released
  --answer QUESTION=ANSWER
                      an answer to the form; several boxes or options are separated by commas
  --with NAME=VALUE   an input of the hub's step, such as release='{{ form.release_version }}'
  --out FILE          where the ticket is written as HTML (default: rehearsal/ticket.html in cargo's
                      target directory)
  --boards FOLDER     where the board is written as Markdown: failed.md when a target has failed, gate.md when a
                      gate waits, and released.md when all is released
  -h, --help          show this
";

/// The command of the user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// The help text.
    Help,
    /// A rehearsal.
    Rehearse(Arguments),
}

/// How to rehearse.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Whether people watch.
    pub(crate) serve: bool,
    /// Where the simulated GitHub listens; 0 for any port that is free.
    pub(crate) port: u16,
    /// The targets file of the user's own.
    pub(crate) targets: Option<PathBuf>,
    /// Inputs of the hub's workflow.
    pub(crate) inputs: Vec<(String, String)>,
    /// The issue form by which the release is asked for.
    pub(crate) form: Option<PathBuf>,
    /// Answers to its questions.
    pub(crate) answers: Vec<(String, String)>,
    /// Inputs of the hub's step.
    pub(crate) with: Vec<(String, String)>,
    /// Where the ticket is written as HTML.
    pub(crate) out: Option<PathBuf>,
    /// The folder in which boards are written as Markdown.
    pub(crate) boards: Option<PathBuf>,
}

/// Reads the command line.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut arguments = Arguments::default();
    let mut port = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Long("serve") => arguments.serve = true,
            Long("port") => port = Some(parser.value()?.parse()?),
            Long("targets") => arguments.targets = Some(parser.value()?.into()),
            Long("input") => arguments.inputs.push(parser.value()?.parse_with(pair)?),
            Long("form") => arguments.form = Some(parser.value()?.into()),
            Long("answer") => arguments.answers.push(parser.value()?.parse_with(pair)?),
            Long("with") => arguments.with.push(parser.value()?.parse_with(pair)?),
            Long("out") => arguments.out = Some(parser.value()?.into()),
            Long("boards") => arguments.boards = Some(parser.value()?.into()),
            other => return Err(other.unexpected()),
        }
    }
    if port.is_some() && !arguments.serve {
        return Err("`--port` is for `--serve`".into());
    }
    if !arguments.answers.is_empty() && arguments.form.is_none() {
        return Err("`--answer` is for `--form`".into());
    }
    if !arguments.inputs.is_empty() && arguments.form.is_some() {
        return Err("`--input` is not for `--form`: an issue starts the workflow, so it has no inputs".into());
    }
    let is_waiting = arguments.with.iter().any(|(name, value)| name == "wait" && value != "false");
    if arguments.boards.is_some() && is_waiting {
        return Err(
            "`--boards` is not for `--with wait=true`: a hub job that waits fails before the driver acts"
                .into(),
        );
    }
    arguments.port = port.unwrap_or_default();
    Ok(Command::Rehearse(arguments))
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("it is written NAME=VALUE"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, String> {
        parse(lexopt::Parser::from_args(arguments)).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_read_in_any_order() {
        let arguments = parsed(&["--input", "channel=a=b", "--port=8080", "--serve", "--targets", "t.yml"]);
        let expected = Arguments {
            serve: true,
            port: 8080,
            targets: Some("t.yml".into()),
            inputs: vec![("channel".into(), "a=b".into())],
            ..Arguments::default()
        };
        assert_eq!(arguments, Ok(Command::Rehearse(expected)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for arguments in [
            &["--input", "channel"][..],
            &["--port", "1"],
            &["--serve", "--port", "x"],
            &["--answer", "Version=1"],
            &["--form", "f.yml", "--input", "a=b"],
            &["--boards", "b", "--with", "wait=true"],
            &["web"],
        ] {
            assert!(parsed(arguments).is_err(), "{arguments:?}");
        }
    }
}
