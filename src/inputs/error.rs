//! Problems with the inputs of the step.

use super::table::{INPUTS, Input};
use crate::duration::DurationError;
use crate::github::tokens::jwt::KeyError;
use crate::names::{IssueRef, NameError, RefError, RepoName};
use crate::problem::{Advice, Help, Problem, Topic};
use crate::targets::{TargetsError, closest};
use crate::ticket::Status;
use crate::workspace::FileError;

/// A problem with an input. No message quotes a secret.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// A required input is blank.
    #[error("input `{name}` is missing; it takes {takes}")]
    Missing {
        /// Its name.
        name: &'static str,
        /// The words that it takes.
        takes: String,
    },
    /// Its text is not one of the words that it takes.
    #[error("input `{name}` is `{text}`; it takes {takes}")]
    Word {
        /// Its name.
        name: &'static str,
        /// Its text.
        text: String,
        /// The words that it takes.
        takes: String,
    },
    /// It cannot be read.
    #[error("input `{name}`")]
    Value {
        /// Its name.
        name: &'static str,
        /// The cause.
        source: ValueError,
    },
    /// A token that cannot be sent.
    #[error("input `{0}` contains spaces, line breaks or other characters that no token has")]
    Token(&'static str),
    /// A key that cannot sign.
    #[error("input `private-key` is {0}")]
    Key(KeyError),
    /// Two names of the App, which may differ.
    #[error("inputs `client-id` and `app-id` both name the App; give one of them")]
    TwoApps,
    /// A key of an App that has no name.
    #[error(
        "input `client-id` is blank, but `private-key` is the key of a GitHub App: does the secret or variable exist here?"
    )]
    NoApp,
    /// Targets are started by an event without a type.
    #[error("input `event-type` is missing; `dispatch-type: repository` sends an event of that type")]
    NoEventType,
    /// The type of the event is too long.
    #[error("input `event-type` is longer than the 100 characters that GitHub takes")]
    LongEventType,
    /// The hub would look at the runs without a pause.
    #[error("input `wait-interval` is zero; write `15s`")]
    NoInterval,
    /// Two messages: one would be lost.
    #[error("inputs `message` and `message-path` both say what happened; give one of them")]
    TwoMessages,
    /// The file with the message is outside the workspace.
    #[error("input `message-path`: {0}")]
    MessagePath(FileError),
    /// The status of a job that has not ended, which a tracked job reports by itself.
    #[error("inputs `status` and `track` do not go together: `status` is `{}`, but a tracked job reports its own progress", .0.as_str())]
    TrackedStatus(Status),
    /// The event's ticket cannot be read.
    #[error("the event's input `release-ticket`")]
    TicketOfEvent(#[source] NameError),
    /// The ticket is in another repository than the one that the step names.
    #[error(
        "{} names {ticket}, but input `repository` names {hub}",
        if *.from_event { "the event's input `release-ticket`" } else { "input `ticket`" }
    )]
    TicketElsewhere {
        /// The ticket.
        ticket: IssueRef,
        /// The repository that the step names.
        hub: RepoName,
        /// Whether the event names the ticket, and not the step.
        from_event: bool,
    },
    /// The template came with the event.
    #[error("input `{0}` contains a template that came with the event")]
    TemplateOfEvent(&'static str),
    /// Targets would be started at something that is neither a branch nor a tag.
    #[error("input `ref` is {0}")]
    Ref(RefError),
    /// The inputs of the targets are not a mapping.
    #[error("input {0}")]
    Mapping(TargetsError),
    /// An output cannot be reported.
    #[error("input {}", Problem { help: None, ..(.0).clone() })]
    Output(Problem),
    /// A target cannot be used.
    #[error("input {}", Problem { help: None, ..(.0).clone() })]
    Target(Problem),
}

impl Help for InputError {
    fn help(&self) -> Option<Advice> {
        let text = match self {
            Self::Target(problem) | Self::Output(problem) => return problem.help.clone(),
            Self::Mapping(error) => return error.help(),
            Self::Ref(error) => return error.help(),
            Self::MessagePath(error) => return error.help(),
            Self::Key(error) => return error.help(),
            Self::TemplateOfEvent(_) => {
                return Some(Topic::Template.advice(
                    "write `{{ inputs.NAME }}`, or `{{ event.PATH }}`, in place of `${{ inputs.NAME }}` and \
                     `${{ github.event.PATH }}`: then the text of the event is a value, and is not rendered",
                ));
            }
            Self::Word { name, text, .. } => {
                let words = INPUTS.iter().filter(|input| input.name == *name).flat_map(Input::words);
                format!("did you mean `{}`?", closest(text, words)?)
            }
            Self::TrackedStatus(_) => {
                "leave `status` out; or let it say how the job ended, as `job.status` does at the end of the job"
                    .to_owned()
            }
            Self::TicketElsewhere { hub, from_event: false, .. } => {
                format!("name a ticket of {hub}; or leave `repository` out, and the ticket decides")
            }
            Self::TicketElsewhere { hub, ticket, from_event: true } => format!(
                "start the run with a ticket of {hub}; if that was renamed, write {} in `repository`; or leave \
                 `repository` out, if the person who starts the run may choose it",
                ticket.repository
            ),
            _ => return None,
        };
        Some(Topic::Input.advice(text))
    }
}

/// A problem with a value of an input.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    /// Not a duration.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// Not a number, or too small.
    #[error("`{0}` is not a whole number from 1 on")]
    Number(String),
    /// Not an address to which a job's identity may be sent.
    #[error("`{0}` is not an https address")]
    Https(String),
    /// An address with a user or a password, which is not quoted.
    #[error(
        "an address without a user and a password is needed, as the service gets the job's identity only"
    )]
    Password,
    /// Not the name of a trust policy.
    #[error("`{0}` cannot be the NAME of a file NAME.sts.yaml")]
    Policy(String),
    /// Not an account.
    #[error("`{0}` is not the name of an account")]
    Login(String),
    /// It looks like a YAML list and is not one of texts. The reason is part of the message, as some
    /// callers show nothing else.
    #[error("not a list of texts: {0}")]
    List(String),
    /// Not a repository or a ticket.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// `a`, `b` or `c`, in code spans.
pub(super) fn alternatives<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let spans: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match spans.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => spans.concat(),
    }
}
