//! The table of the inputs: the place where one is added.
//!
//! `action.yml`, the tables of `docs/reference/inputs.md` and the inputs of the workflows that others call are
//! rendered from it by `tests/action/reference.rs`.

use DefaultValue::{ByMode, Derived, Expression, Fixed, Nothing, Required};
use ModeName::{Dispatch, Notify, Report};
use Takes::{
    Boolean, Duration, List, Login, Logins, Mapping, Number, OneOf, Path, Repository, Secret, SomeOf,
    Statuses, Template, Text, Url,
};
use Topic::{
    Again, Failure, Issue, Message, People, Release, Runner, Stage, Step, Targets, Ticket, Tokens, Waiting,
};

use super::{ClaimMode, CommentMode, DispatchType, Explain};
use crate::github::role::Role;
use crate::ticket::{PingFor, Status};

/// An input as users know it, or as the users of some modes do: where modes mean different things by
/// one name, each meaning has a row of its own.
#[derive(Debug, Clone, Copy)]
pub struct Input {
    /// Its name in `with:`.
    pub name: &'static str,
    /// What it is about.
    pub topic: Topic,
    /// The modes that take it.
    pub modes: &'static [ModeName],
    /// What stands in it.
    pub takes: Takes,
    /// What counts where it is blank.
    pub default: DefaultValue,
    /// What it means: Markdown that begins in lower case, ends without a full stop, and leaves the
    /// default to [`Input::default`].
    pub meaning: &'static str,
}

/// A mode by its name, without its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModeName {
    /// Start the targets.
    Dispatch,
    /// Put a stage on the ticket.
    Report,
    /// Something went wrong.
    Notify,
}

/// What an input is about: the reference has a table for each topic of a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// The step itself.
    Step,
    /// The identity under which the step works.
    Tokens,
    /// Which ticket the step is about.
    Ticket,
    /// Values of the runner.
    Runner,
    /// The targets, and how each is started.
    Targets,
    /// The release and the text of its ticket.
    Release,
    /// The runs that are followed.
    Waiting,
    /// A second start of a target or of a release.
    Again,
    /// People with a part in the release.
    People,
    /// The stage of a target.
    Stage,
    /// The text of a report or a notice.
    Message,
    /// The failure that a notice is about.
    Failure,
    /// The issue of a notice without a ticket.
    Issue,
}

impl Topic {
    /// Every topic, in the order of the reference.
    pub const ALL: [Self; 13] = [
        Self::Step,
        Self::Tokens,
        Self::Ticket,
        Self::Targets,
        Self::Release,
        Self::Stage,
        Self::Failure,
        Self::Message,
        Self::Issue,
        Self::Waiting,
        Self::Again,
        Self::People,
        Self::Runner,
    ];

    /// Its heading in the reference.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::Step => "The step",
            Self::Tokens => "Tokens",
            Self::Ticket => "Which ticket",
            Self::Runner => "Filled in by the runner",
            Self::Targets => "What to start",
            Self::Release => "The release and its ticket",
            Self::Waiting => "Waiting",
            Self::Again => "Starting again",
            Self::People => "People",
            Self::Stage => "The stage",
            Self::Message => "The message",
            Self::Failure => "The failure",
            Self::Issue => "The issue",
        }
    }
}

/// What stands in an input.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// Any text.
    Text,
    /// Text that is masked in the log and never quoted.
    Secret,
    /// `true` or `false`.
    Boolean,
    /// A whole number from 1 on.
    Number,
    /// A time such as `90s`, `15m` or `1h 30m`.
    Duration,
    /// One of the words of a type, by [`words`].
    OneOf(fn() -> Vec<&'static str>),
    /// One or several of the words of a type, or `none`.
    SomeOf(fn() -> Vec<&'static str>),
    /// One or several of these statuses.
    Statuses(&'static [Status]),
    /// Items as a YAML or JSON list, one a line, or with commas between them.
    List,
    /// A YAML or JSON mapping.
    Mapping,
    /// Text with `{{ }}`, rendered for the release.
    Template,
    /// A file, from the root of the repository.
    Path,
    /// A web address.
    Url,
    /// The name of an account.
    Login,
    /// A list of accounts.
    Logins,
    /// A repository.
    Repository,
    /// A ticket.
    Ticket,
    /// What only the runner knows, and fills in by the default.
    Context,
}

/// What counts where an input is blank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    /// The step fails.
    Required,
    /// Blank means absent.
    Nothing,
    /// This text, which `action.yml` declares.
    Fixed(&'static str),
    /// An expression that `action.yml` declares and the runner evaluates.
    Expression(&'static str),
    /// A text for each mode. `action.yml` does not know the mode, so it declares none.
    ByMode(&'static [(ModeName, &'static str)]),
    /// What the action comes to by itself, in words.
    Derived(&'static str),
}

/// A type whose values users write as words.
pub trait Words: Copy + 'static {
    /// Every value, in the order of the documentation.
    const ALL: &'static [Self];

    /// The word of this value.
    fn as_str(self) -> &'static str;
}

/// The words of a type, in the order of the documentation.
#[must_use]
pub fn words<T: Words>() -> Vec<&'static str> {
    T::ALL.iter().map(|value| value.as_str()).collect()
}

impl Words for ModeName {
    const ALL: &'static [Self] = &[Dispatch, Report, Notify];

    fn as_str(self) -> &'static str {
        match self {
            Dispatch => "dispatch",
            Report => "report",
            Notify => "notify",
        }
    }
}

impl Words for PingFor {
    const ALL: &'static [Self] = &Self::ALL;

    fn as_str(self) -> &'static str {
        self.as_str()
    }
}

impl Words for bool {
    const ALL: &'static [Self] = &[true, false];

    fn as_str(self) -> &'static str {
        if self { "true" } else { "false" }
    }
}

impl DefaultValue {
    /// What `action.yml` declares; blank where it declares nothing.
    #[must_use]
    pub fn declared(self) -> &'static str {
        match self {
            Fixed(text) | Expression(text) => text,
            Required | Nothing | ByMode(_) | Derived(_) => "",
        }
    }

    /// The text that counts in `mode`, if there is one that the runner need not evaluate.
    #[must_use]
    pub fn text(self, mode: ModeName) -> Option<&'static str> {
        match self {
            Fixed(text) => Some(text),
            ByMode(texts) => texts.iter().find(|(of, _)| *of == mode).map(|(_, text)| *text),
            Required | Nothing | Expression(_) | Derived(_) => None,
        }
    }
}

impl Input {
    /// The words that the input takes; none if it takes something else.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        match self.takes {
            Boolean => words::<bool>(),
            OneOf(words) | SomeOf(words) => words(),
            Statuses(statuses) => statuses.iter().map(|status| status.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    /// The row of the input `name` in `mode`.
    ///
    /// # Panics
    ///
    /// When the table has none: whoever reads an input of a mode lists it here.
    #[must_use]
    pub fn of(name: &str, mode: ModeName) -> &'static Self {
        INPUTS
            .iter()
            .find(|input| input.name == name && input.modes.contains(&mode))
            .unwrap_or_else(|| panic!("`{name}` is not an input of {}", mode.as_str()))
    }
}

/// Every input, in the order of `action.yml`.
pub const INPUTS: &[Input] = &[
    // Every mode.
    every_mode(
        Step,
        "mode",
        OneOf(words::<ModeName>),
        Required,
        "what to do: `dispatch`, `report` or `notify`",
    ),
    every_mode(
        Tokens,
        "token",
        Secret,
        Expression("${{ github.token }}"),
        "the token for every request that has no other token",
    ),
    every_mode(
        Tokens,
        "ticket-token",
        Secret,
        Nothing,
        "the token for requests to the ticket's repository, when that needs another one",
    ),
    every_mode(
        Tokens,
        "client-id",
        Text,
        Nothing,
        "the client id of a GitHub App, for every request but those of `ticket-token`: tokens are minted for \
         what the step needs, one for each owner, and revoked at its end",
    ),
    every_mode(Tokens, "app-id", Text, Nothing, "the number of that GitHub App, instead of its client id"),
    every_mode(
        Tokens,
        "private-key",
        Secret,
        Nothing,
        "a private key of that GitHub App: the .pem file, however its line breaks have come through, or base64 of it",
    ),
    every_mode(
        Tokens,
        "sts-identity",
        Text,
        Nothing,
        "the name of a trust policy in the ticket's repository (`.github/chainguard/NAME.sts.yaml`), by which \
         the job's identity is exchanged for a token to it; needs `permissions: id-token: write`",
    ),
    every_mode(
        Tokens,
        "sts-url",
        Url,
        Fixed("https://octo-sts.dev"),
        "the security token service that exchanges it, one that speaks octo-sts's protocol",
    ),
    every_mode(
        Ticket,
        "repository",
        Repository,
        Derived("the ticket's repository, else the current one"),
        "the hub: `owner/name`, or `name` for the same owner; a ticket of another repository is refused",
    ),
    every_mode(
        Ticket,
        "ticket",
        Takes::Ticket,
        Derived(
            "the one that the event names: its input or `client_payload` property `release-ticket`, or in the \
             hub the issue of an `issues` or `issue_comment` event",
        ),
        "the ticket: `12`, `#12`, `owner/name#12` or the issue's URL; `0` and `-1` mean that there is none",
    ),
    every_mode(
        Step,
        "comment-mode",
        OneOf(words::<CommentMode>),
        ByMode(&[(Dispatch, "update"), (Report, "update"), (Notify, "new")]),
        "`update` edits the job's record (for notify: the same failure's notice) in place, which pings nobody; \
         `new` writes a new comment for each step",
    ),
    every_mode(Step, "dry-run", Boolean, Fixed("false"), "`true`: print the plan, change nothing, succeed"),
    every_mode(
        Step,
        "fail-on-error",
        Boolean,
        ByMode(&[(Dispatch, "true"), (Report, "false"), (Notify, "true")]),
        "`true`: the step fails when there is something that it cannot read, start or write. A target that \
         failed fails a dispatch that waits in any case",
    ),
    every_mode(
        Step,
        "retry-timeout",
        Duration,
        Fixed("5m"),
        "how long to go on trying when GitHub asks to wait or does not answer well: `90s`, `1h 30m`",
    ),
    Input {
        name: "ping",
        topic: People,
        modes: &[Dispatch, Report],
        takes: SomeOf(words::<PingFor>),
        default: Fixed("failure, review, stuck, done"),
        meaning: "when one new comment mentions whoever can do something now, once for each attempt of a run: a target failed, a \
                  run waits for a review or a target for a gate, a target is stuck, everything is released; `none`: never",
    },
    Input {
        name: "message-path",
        topic: Message,
        modes: &[Report, Notify],
        takes: Path,
        default: Nothing,
        meaning: "a file of the workspace that holds the message, in place of `message`: the system starts no step with an \
                  input of more than 128 KiB. 4,000 characters are shown",
    },
    // Mode `dispatch`.
    dispatch(Targets, "targets", List, Nothing, "repositories, or mappings as in the targets file"),
    dispatch(
        Targets,
        "targets-file",
        Path,
        Fixed(".github/release-targets.yml"),
        "the file that lists the targets, read from the workspace, else at the run's commit; used when \
         `targets` is blank",
    ),
    dispatch(Targets, "workflow", Path, Nothing, "the workflow file of targets that name none"),
    dispatch(
        Targets,
        "ref",
        Text,
        Derived("the target's default branch"),
        "the branch or tag of targets that name none",
    ),
    dispatch(
        Targets,
        "inputs",
        Mapping,
        Nothing,
        "a mapping of workflow inputs for all targets, whose values are templates; what a target says itself \
         comes first",
    ),
    dispatch(
        Release,
        "release",
        Template,
        Nothing,
        "the release's name or version; also the key that finds the open ticket of the same release. Where it \
         is blank, each run of the hub has its own ticket, which its re-run finds",
    ),
    dispatch(Release, "title", Template, Derived("a built-in one"), "a template for the ticket's title"),
    dispatch(Release, "body", Template, Derived("a built-in one"), "a template for the ticket's text"),
    dispatch(Release, "body-path", Path, Nothing, "a file with that template, used when `body` is blank"),
    dispatch(Release, "labels", List, ByMode(&[(Dispatch, "release")]), "labels of the ticket"),
    dispatch(
        People,
        "driver",
        Login,
        Expression("${{ github.actor }}"),
        "who is responsible, a login: assigned where GitHub allows it (else a notice), named in the ticket, \
         mentioned by `ping`",
    ),
    dispatch(
        Targets,
        "dispatch-type",
        OneOf(words::<DispatchType>),
        Fixed("workflow"),
        "`workflow` starts workflows; `repository` sends a `repository_dispatch` to the targets instead",
    ),
    dispatch(
        Targets,
        "event-type",
        Text,
        Nothing,
        "the type of the event that `dispatch-type: repository` sends",
    ),
    dispatch(
        Targets,
        "max-parallel",
        Number,
        Fixed("8"),
        "how many starts are under way at once, 100 at most",
    ),
    dispatch(
        Waiting,
        "wait",
        Boolean,
        Fixed("false"),
        "`true`: follow the runs to their end, and start targets as their `needs` are met",
    ),
    dispatch(
        Waiting,
        "wait-timeout",
        Duration,
        Fixed("60m"),
        "how long to follow the runs; then the step fails",
    ),
    dispatch(Waiting, "wait-interval", Duration, Fixed("15s"), "how often to look at the runs"),
    dispatch(
        Waiting,
        "cancel-on-timeout",
        Boolean,
        Fixed("false"),
        "`true`: a time-out or a cancelled hub job cancels the runs that it started",
    ),
    dispatch(
        Targets,
        "only",
        List,
        Derived("all targets"),
        "names of targets; the others are left alone. A target that is named and whose last run failed is \
         started again by a new run of the hub",
    ),
    dispatch(
        Again,
        "retry-failed",
        Boolean,
        Fixed("false"),
        "`true`: start targets again whose last run failed, and send events again that may not have arrived",
    ),
    dispatch(
        Targets,
        "ignore-unexpected-inputs",
        Boolean,
        Fixed("false"),
        "`true`: drop inputs that a target's workflow does not declare, with a notice",
    ),
    dispatch(
        Release,
        "close-on-success",
        Boolean,
        Fixed("false"),
        "`true`: close the ticket when every target that is listed is released: by the hub run that waits, else by the \
         last report if its token may, else by the next dispatch",
    ),
    dispatch(
        Waiting,
        "stale-after",
        Duration,
        Nothing,
        "how long a started target may stay as it is, by GitHub's clock, before it is marked as stuck: `45m`; a key of \
         the same name in the targets file comes first",
    ),
    dispatch(
        Again,
        "release-again",
        Boolean,
        Fixed("false"),
        "`true`: start everything once more, on a new ticket, where the ticket of the release is closed. Without it a \
         release whose ticket was closed as released is refused, and what a ticket has released that was closed \
         before is not started again",
    ),
    dispatch(
        Again,
        "claim",
        OneOf(words::<ClaimMode>),
        Fixed("comment"),
        "how hub jobs settle who starts a target: `comment`, by the order of their comments on the ticket; or \
         `ref`, by a git reference of the hub, which needs `contents: write` there",
    ),
    dispatch(
        People,
        "command-permission",
        OneOf(words::<Role>),
        Fixed("write"),
        "who may give commands by comments on the ticket: whoever has this role in the hub, or a higher one: `triage`, \
         `write`, `maintain` or `admin`. To override a freeze takes `maintain` in any case",
    ),
    dispatch(
        Release,
        "publish-release",
        Boolean,
        Fixed("false"),
        "`true`: publish the record of the release as a release of the hub, at the commit of the hub's run, when every \
         target is released. Its tag is `release`, which has to be one that Git takes; needs `contents: write` in the hub",
    ),
    // Mode `report`.
    report(
        Stage,
        "target",
        Text,
        Derived("the name under which the ticket's dispatch started this run, else the repository's name"),
        "the target's name, which is a row of the board",
    ),
    report(
        Stage,
        "stage",
        Text,
        Derived("the job's id, in a matrix with its values: `build (linux)`"),
        "the stage of the target",
    ),
    report(
        Stage,
        "status",
        Statuses(&Status::ALL),
        Expression("${{ job.status }}"),
        "`queued`, `in_progress`, `success`, `failure`, `cancelled` or `skipped`; of several, as \
         `join(needs.*.result)` gives them, the worst counts. A run's other conclusions count as the nearest of these",
    ),
    report(
        Message,
        "message",
        Text,
        Nothing,
        "what there is to say. The board shows the first line, the record all of it. Inline Markdown stays; \
         HTML, images and mentions are defused",
    ),
    report(Message, "url", Url, Derived("the run"), "what the message links to"),
    report(Stage, "done", Boolean, Fixed("false"), "`true`: this stage ends the target's release"),
    report(
        Message,
        "outputs",
        Mapping,
        Nothing,
        "a mapping of values that the target gives back, such as `version: 1.4.1`; later targets use it as `{{ \
         outputs.web.version }}`. Names have lower-case letters, digits, `_` and `-`; a value has at most 1,000 \
         characters, and all of a target's outputs have 8 KB. The board shows `version`",
    ),
    report(
        Stage,
        "track",
        Boolean,
        Fixed("false"),
        "`true`, as a job's first step: reports that the job is under way and, when it is over, how it ended and at \
         which step. `status`, `message`, `url`, `outputs` and `done` are those of its end, evaluated then",
    ),
    // Mode `notify`.
    notify(
        Failure,
        "explain",
        OneOf(words::<Explain>),
        Fixed("auto"),
        "what a notice shows of the jobs that failed: `auto`, their annotations, or else the log around its last error; \
         `annotations`, these alone; `off`, neither, and nothing of the runs before. It shows a log only where whoever \
         reads the notice may read that log",
    ),
    notify(Message, "message", Text, Derived("made from the run"), "what went wrong"),
    notify(
        Failure,
        "status",
        Statuses(&[Status::Failure, Status::Cancelled, Status::Success, Status::Skipped]),
        Expression("${{ job.status }}"),
        "`failure` and `cancelled` notify; `success` resolves what an earlier run opened; `skipped` does \
         neither. Of several, the worst counts. Under `on: workflow_run`, the expression `github.event.workflow_run.conclusion` \
         notifies of that run, however it ended",
    ),
    notify(
        Issue,
        "title",
        Text,
        Derived("made from the run"),
        "the title of the issue that is opened where there is no ticket",
    ),
    notify(
        Issue,
        "labels",
        List,
        ByMode(&[(Notify, "release-failure")]),
        "labels of the issue that is opened where there is no ticket",
    ),
    notify(People, "mention", Logins, Derived("the ticket's driver, else the actor"), "logins to ping"),
    notify(
        Failure,
        "fingerprint",
        Text,
        Derived("repository, workflow, job (in a matrix with its values) and branch"),
        "what makes two failures the same. All tags are one branch, as is each merge queue; each pull request is one \
         of its own",
    ),
    // Every mode again: what the runner fills in.
    every_mode(
        Runner,
        "matrix",
        Takes::Context,
        Expression("${{ toJSON(matrix) }}"),
        "the values by which the jobs of a matrix are told apart; leave it alone",
    ),
    every_mode(
        Runner,
        "check-run-id",
        Takes::Context,
        Expression("${{ job.check_run_id }}"),
        "the job's check run, by which jobs of the same name are told apart, as when a workflow is called \
         twice; leave it alone",
    ),
];

const fn every_mode(
    topic: Topic,
    name: &'static str,
    takes: Takes,
    default: DefaultValue,
    meaning: &'static str,
) -> Input {
    Input { topic, name, modes: ModeName::ALL, takes, default, meaning }
}

const fn dispatch(
    topic: Topic,
    name: &'static str,
    takes: Takes,
    default: DefaultValue,
    meaning: &'static str,
) -> Input {
    Input { topic, name, modes: &[Dispatch], takes, default, meaning }
}

const fn report(
    topic: Topic,
    name: &'static str,
    takes: Takes,
    default: DefaultValue,
    meaning: &'static str,
) -> Input {
    Input { topic, name, modes: &[Report], takes, default, meaning }
}

const fn notify(
    topic: Topic,
    name: &'static str,
    takes: Takes,
    default: DefaultValue,
    meaning: &'static str,
) -> Input {
    Input { topic, name, modes: &[Notify], takes, default, meaning }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_mode_has_one_row_for_a_name_and_action_yml_one_default() {
        let mut rows = BTreeSet::new();
        for input in INPUTS {
            for mode in input.modes {
                assert!(rows.insert((input.name, *mode)), "`{}` twice for {}", input.name, mode.as_str());
            }
            let of_name = INPUTS.iter().filter(|other| other.name == input.name);
            for other in of_name {
                assert_eq!(other.default.declared(), input.default.declared(), "`{}`", input.name);
            }
        }
    }

    #[test]
    fn a_default_by_mode_has_a_text_for_each_mode_of_its_row() {
        for input in INPUTS {
            let ByMode(texts) = input.default else { continue };
            let modes: Vec<ModeName> = texts.iter().map(|(mode, _)| *mode).collect();
            assert_eq!(modes, input.modes, "`{}`", input.name);
        }
    }

    #[test]
    fn a_meaning_explains_every_word_that_the_input_takes() {
        for input in INPUTS.iter().filter(|input| matches!(input.takes, OneOf(_) | Statuses(_))) {
            for word in input.words() {
                assert!(input.meaning.contains(&format!("`{word}`")), "`{}`: {word}", input.name);
            }
        }
    }

    #[test]
    fn a_meaning_fits_into_a_sentence_and_a_cell_of_a_table() {
        for Input { name, meaning, .. } in INPUTS {
            assert!(meaning.starts_with(|first: char| first.is_lowercase() || first == '`'), "`{name}`");
            assert!(!meaning.ends_with('.') && !meaning.contains(['|', '\n']), "`{name}`");
        }
    }
}
