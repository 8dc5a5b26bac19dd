//! The table of the inputs: the place where one is added.
//!
//! `action.yml`, the tables of `docs/reference/inputs.md` and the inputs of the workflows that others call are
//! rendered from it by `tests/action/reference.rs`.

use DefaultValue::{ByMode, Derived, Expression, Fixed, Nothing, Required};
use ModeName::{Dispatch, Notify, Report};
use Section::{
    Again, Failure, Issue, Message, People, Release, Runner, Stage, Step, Targets, Ticket, Tokens, Waiting,
};
use Takes::{
    Boolean, Duration, List, Login, Logins, Mapping, Number, OneOf, Path, Repository, Secret, SomeOf,
    Statuses, Template, Text, Url,
};

use super::{ClaimMode, CommentMode, DispatchType, Explain};
use crate::github::role::Role;
use crate::ticket::{PingEvent, Status};

/// An input as users know it. If a name means different things in different modes, each meaning has a row.
#[derive(Debug, Clone, Copy)]
pub struct Input {
    /// Its name in `with:`.
    pub name: &'static str,
    /// Its topic.
    pub topic: Section,
    /// The modes that take it.
    pub modes: &'static [ModeName],
    /// The kind of value that it takes.
    pub takes: Takes,
    /// Its value if it is blank.
    pub default: DefaultValue,
    /// Its meaning: Markdown that begins in lower case, ends without a full stop, and leaves the
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
    /// Report a failure.
    Notify,
}

/// The topic of an input: the reference has a table for each topic of a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The step itself.
    Step,
    /// The identity under which the step works.
    Tokens,
    /// The inputs that name the ticket.
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

impl Section {
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

/// The kind of value that an input takes.
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
    /// A value of the runner, which the default fills in.
    Context,
}

/// The value of a blank input.
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
    /// A value that the action derives, in words.
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

impl Words for PingEvent {
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
    /// The default that `action.yml` declares; blank if it declares none.
    #[must_use]
    pub fn declared(self) -> &'static str {
        match self {
            Fixed(text) | Expression(text) => text,
            Required | Nothing | ByMode(_) | Derived(_) => "",
        }
    }

    /// The default in `mode`, if the runner need not evaluate it.
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
    /// When the table has none: each input of a mode has a row.
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
        "the task of the step: `dispatch`, `report` or `notify`",
    ),
    every_mode(
        Tokens,
        "token",
        Secret,
        Expression("${{ github.token }}"),
        "the token for all requests that no other token covers",
    ),
    every_mode(
        Tokens,
        "ticket-token",
        Secret,
        Nothing,
        "the token for requests to the ticket's repository, if `token` or the App does not reach it",
    ),
    every_mode(
        Tokens,
        "client-id",
        Text,
        Nothing,
        "the client ID of a GitHub App, which makes all requests except those of `ticket-token`. The step \
         mints a token for each owner, with the permissions that it needs, and revokes it at its end",
    ),
    every_mode(Tokens, "app-id", Text, Nothing, "the number of that GitHub App, in place of its client ID"),
    every_mode(
        Tokens,
        "private-key",
        Secret,
        Nothing,
        "a private key of that GitHub App: the text of the .pem file, with line breaks in any form, or \
         its base64",
    ),
    every_mode(
        Tokens,
        "sts-identity",
        Text,
        Nothing,
        "the name of a trust policy in the ticket's repository (`.github/chainguard/NAME.sts.yaml`). The \
         token service exchanges the job's identity for a token by it; this needs `permissions: id-token: \
         write`",
    ),
    every_mode(
        Tokens,
        "sts-url",
        Url,
        Fixed("https://octo-sts.dev"),
        "the address of the security token service, which speaks the protocol of `octo-sts`",
    ),
    every_mode(
        Ticket,
        "repository",
        Repository,
        Derived("the ticket's repository, else the current one"),
        "the hub: `owner/name`, or `name` for the same owner. The step refuses a ticket of another \
         repository",
    ),
    every_mode(
        Ticket,
        "ticket",
        Takes::Ticket,
        Derived(
            "the one that the event names: its input or `client_payload` property `release-ticket`, or in the \
             hub the issue of an `issues` or `issue_comment` event",
        ),
        "the ticket: `12`, `#12`, `owner/name#12` or the issue's URL. `0` and `-1` stand for no ticket",
    ),
    every_mode(
        Step,
        "comment-mode",
        OneOf(words::<CommentMode>),
        ByMode(&[(Dispatch, "update"), (Report, "update"), (Notify, "new")]),
        "`update` edits the job's record (for notify: the notice of the same failure) and mentions \
         nobody; `new` writes a new comment for each step",
    ),
    every_mode(Step, "dry-run", Boolean, Fixed("false"), "`true`: print the plan, change nothing, succeed"),
    every_mode(
        Step,
        "fail-on-error",
        Boolean,
        ByMode(&[(Dispatch, "true"), (Report, "false"), (Notify, "true")]),
        "`true`: the step fails if it cannot read, start or write something. With `wait: true` a failed \
         target fails the step in any case",
    ),
    every_mode(
        Step,
        "retry-timeout",
        Duration,
        Fixed("5m"),
        "the longest time to repeat a request that GitHub delays or fails to answer: `90s`, `1h 30m`",
    ),
    Input {
        name: "ping",
        topic: People,
        modes: &[Dispatch, Report],
        takes: SomeOf(words::<PingEvent>),
        default: Fixed("failure, review, stuck, done"),
        meaning: "the events that make one new comment, which mentions the people who can act, once for each \
         attempt of a run: `failure` of a target, `review` of a run or a gate, `stuck` targets, `done` \
         for a released ticket; or `none`",
    },
    Input {
        name: "message-path",
        topic: Message,
        modes: &[Report, Notify],
        takes: Path,
        default: Nothing,
        meaning: "a file of the workspace that holds the message, in place of `message`, for a message of more \
         than 128 KiB. The ticket shows 4,000 characters",
    },
    // Mode `dispatch`.
    dispatch(Targets, "targets", List, Nothing, "repositories, or mappings as in the targets file"),
    dispatch(
        Targets,
        "targets-file",
        Path,
        Fixed(".github/release-targets.yml"),
        "the file that lists the targets, from the workspace or else from the run's commit. The step \
         reads it if `targets` is blank",
    ),
    dispatch(Targets, "workflow", Path, Nothing, "the workflow file of targets that name no other"),
    dispatch(
        Targets,
        "ref",
        Text,
        Derived("the target's default branch"),
        "the branch or tag of targets that name no other",
    ),
    dispatch(
        Targets,
        "inputs",
        Mapping,
        Nothing,
        "a mapping of workflow inputs for all targets; its values are templates. The inputs of a target \
         come first",
    ),
    dispatch(
        Release,
        "release",
        Template,
        Nothing,
        "the name or version of the release. It is also the key by which later steps find the open \
         ticket. If it is blank, each run of the hub has its own ticket, which a re-run of that run finds",
    ),
    dispatch(Release, "title", Template, Derived("a built-in one"), "a template of the ticket's title"),
    dispatch(Release, "body", Template, Derived("a built-in one"), "a template of the ticket's text"),
    dispatch(Release, "body-path", Path, Nothing, "a file with that template, if `body` is blank"),
    dispatch(Release, "labels", List, ByMode(&[(Dispatch, "release")]), "the labels of the ticket"),
    dispatch(
        People,
        "driver",
        Login,
        Expression("${{ github.actor }}"),
        "the login of the person responsible. The ticket names and mentions that person, and GitHub \
         assigns them if it can",
    ),
    dispatch(
        Targets,
        "dispatch-type",
        OneOf(words::<DispatchType>),
        Fixed("workflow"),
        "`workflow` starts workflows; `repository` sends a `repository_dispatch` to the targets",
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
        "the number of starts at the same time, 100 at most",
    ),
    dispatch(
        Waiting,
        "wait",
        Boolean,
        Fixed("false"),
        "`true`: follow the runs to their end, and start each target when its `needs` are met",
    ),
    dispatch(
        Waiting,
        "wait-timeout",
        Duration,
        Fixed("60m"),
        "the longest time to follow the runs; then the step fails",
    ),
    dispatch(Waiting, "wait-interval", Duration, Fixed("15s"), "the time between two looks at the runs"),
    dispatch(
        Waiting,
        "cancel-on-timeout",
        Boolean,
        Fixed("false"),
        "`true`: if the time runs out, or somebody cancels the job of the hub, cancel the runs that it \
         started",
    ),
    dispatch(
        Targets,
        "only",
        List,
        Derived("all targets"),
        "names of targets; the step leaves all others alone. In a new run of the hub, a target that is \
         named here starts again if its last run failed",
    ),
    dispatch(
        Again,
        "retry-failed",
        Boolean,
        Fixed("false"),
        "`true`: start targets again if their last run failed, and send events again that may not have \
         arrived",
    ),
    dispatch(
        Targets,
        "ignore-unexpected-inputs",
        Boolean,
        Fixed("false"),
        "`true`: leave out inputs that a target's workflow does not declare, with a notice",
    ),
    dispatch(
        Release,
        "close-on-success",
        Boolean,
        Fixed("false"),
        "`true`: close the ticket when all listed targets are released. The hub run that waits closes it, \
         or the last report if its token may, or the next dispatch",
    ),
    dispatch(
        Waiting,
        "stale-after",
        Duration,
        Nothing,
        "the time without a change after which a started target counts as stuck, by GitHub's clock: \
         `45m`. A key of the same name in the targets file comes first",
    ),
    dispatch(
        Again,
        "release-again",
        Boolean,
        Fixed("false"),
        "`true`: start everything again on a new ticket if the release's ticket is closed. `false`: refuse the \
         release if that ticket released everything; otherwise start only the rest",
    ),
    dispatch(
        Again,
        "claim",
        OneOf(words::<ClaimMode>),
        Fixed("comment"),
        "the lock that decides which hub job starts a target: `comment`, the order of the jobs' comments \
         on the ticket; or `ref`, a git reference of the hub, which needs `contents: write` there",
    ),
    dispatch(
        People,
        "command-permission",
        OneOf(words::<Role>),
        Fixed("write"),
        "the lowest role in the hub that may give commands by comments on the ticket: `triage`, `write`, \
         `maintain` or `admin`. The override of a freeze takes at least `maintain`",
    ),
    dispatch(
        Release,
        "publish-release",
        Boolean,
        Fixed("false"),
        "`true`: when all targets are released, publish the record of the release as a release of the \
         hub, at the commit of the hub's run. The tag is `release`, which must be a valid tag of Git. \
         Needs `contents: write` in the hub",
    ),
    // Mode `report`.
    report(
        Stage,
        "target",
        Text,
        Derived("the name under which the ticket's dispatch started this run, else the repository's name"),
        "the target's name, a row of the board",
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
        "`queued`, `in_progress`, `success`, `failure`, `cancelled` or `skipped`. Of several, as in \
         `join(needs.*.result)`, the worst counts. Other conclusions of a run count as the nearest of \
         these",
    ),
    report(
        Message,
        "message",
        Text,
        Nothing,
        "a text for people. The board shows its first line, the record all of it. Inline Markdown stays; \
         HTML, images and mentions become text",
    ),
    report(Message, "url", Url, Derived("the run"), "the address that the message links to"),
    report(Stage, "done", Boolean, Fixed("false"), "`true`: this stage ends the target's release"),
    report(
        Message,
        "outputs",
        Mapping,
        Nothing,
        "a mapping of values for later targets, such as `version: 1.4.1`, which they read as `{{ \
         outputs.web.version }}`. Names have lower-case letters, digits, `_` and `-`. A value has at most \
         1,000 characters, all outputs of a target 8 KB. The board shows `version`",
    ),
    report(
        Stage,
        "track",
        Boolean,
        Fixed("false"),
        "`true`, in a job's first step: report the start of the job, and at its end the result and the \
         step that failed. The post step evaluates `status`, `message`, `url`, `outputs` and `done`",
    ),
    // Mode `notify`.
    notify(
        Failure,
        "explain",
        OneOf(words::<Explain>),
        Fixed("auto"),
        "the explanation of failed jobs in a notice: `auto`, their annotations, or else the log around its last error; \
         `annotations`, no log; `off`, nothing, not even the earlier runs. A log appears only if all readers of the notice \
         may read it",
    ),
    notify(Message, "message", Text, Derived("made from the run"), "a text about the failure"),
    notify(
        Failure,
        "status",
        Statuses(&[Status::Failure, Status::Cancelled, Status::Success, Status::Skipped]),
        Expression("${{ job.status }}"),
        "`failure` and `cancelled` write a notice; `success` resolves the notice of an earlier run; \
         `skipped` does neither. Of several, the worst counts. Under `on: workflow_run`, give the \
         expression `github.event.workflow_run.conclusion`: then the notice is about that run",
    ),
    notify(
        Issue,
        "title",
        Text,
        Derived("made from the run"),
        "the title of the issue, if there is no ticket",
    ),
    notify(
        Issue,
        "labels",
        List,
        ByMode(&[(Notify, "release-failure")]),
        "the labels of the issue, if there is no ticket",
    ),
    notify(
        People,
        "mention",
        Logins,
        Derived("the ticket's driver, else the actor"),
        "the logins to mention",
    ),
    notify(
        Failure,
        "fingerprint",
        Text,
        Derived("repository, workflow, job (in a matrix with its values) and branch"),
        "the key by which two failures count as the same. All tags count as one branch, and so does each \
         merge queue; each pull request counts alone",
    ),
    // Every mode again: values of the runner.
    every_mode(
        Runner,
        "matrix",
        Takes::Context,
        Expression("${{ toJSON(matrix) }}"),
        "the values that distinguish the jobs of a matrix; leave it alone",
    ),
    every_mode(
        Runner,
        "check-run-id",
        Takes::Context,
        Expression("${{ job.check_run_id }}"),
        "the job's check run, which distinguishes jobs of the same name, as in two calls of one workflow; \
         leave it alone",
    ),
];

const fn every_mode(
    topic: Section,
    name: &'static str,
    takes: Takes,
    default: DefaultValue,
    meaning: &'static str,
) -> Input {
    Input { topic, name, modes: ModeName::ALL, takes, default, meaning }
}

const fn dispatch(
    topic: Section,
    name: &'static str,
    takes: Takes,
    default: DefaultValue,
    meaning: &'static str,
) -> Input {
    Input { topic, name, modes: &[Dispatch], takes, default, meaning }
}

const fn report(
    topic: Section,
    name: &'static str,
    takes: Takes,
    default: DefaultValue,
    meaning: &'static str,
) -> Input {
    Input { topic, name, modes: &[Report], takes, default, meaning }
}

const fn notify(
    topic: Section,
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
