//! The inputs of the step: their types, and how they are read.
//!
//! [`table`] lists them all; a new one is added there. Blank means absent, and all problems are reported together.

mod error;
mod outputs;
mod reader;
pub mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};
use url::Url;

pub use self::error::{InputError, ValueError};
use self::reader::Reader;
pub use self::reader::list_of;
pub use self::table::{INPUTS, Input};
use self::table::{ModeName, Takes, Words};
use crate::github::role::Role;
use crate::github::tokens::InputToken;
use crate::github::tokens::app::{App, NoKey};
use crate::github::tokens::jwt::SigningKey;
use crate::job::{Environment, Job};
use crate::names::{GitRef, IssueRef, Login, RepoName, TicketName};
use crate::network::is_loopback;
use crate::problem::{Problem, Topic};
use crate::targets::{self, Defaults, Target};
use crate::ticket::{Outputs, PingEvents, Status, Writer};
use crate::workspace;

/// The inputs, read and checked.
#[derive(Debug)]
pub struct Inputs {
    /// The inputs of every mode.
    pub common: Common,
    /// The mode with its own inputs.
    pub mode: Mode,
}

/// The inputs of every mode.
#[derive(Debug)]
pub struct Common {
    /// The token for requests that have no other.
    pub token: Option<InputToken>,
    /// The token for requests to the ticket's repository.
    pub ticket_token: Option<InputToken>,
    /// A GitHub App, for every request that has no token of its own.
    pub app: Option<App>,
    /// A token service, for requests to the ticket's repository.
    pub sts: Option<Sts>,
    /// The hub's repository.
    pub hub: RepoName,
    /// The ticket, from the input or the event.
    pub ticket: Option<IssueRef>,
    /// The repository of the ticket. If the step names no ticket, only a dispatch has one, to find or open it there;
    /// the other modes write nothing to the hub.
    pub ticket_repository: Option<RepoName>,
    /// Whether that is the repository in which the job runs: its own token could write the ticket.
    pub is_ticket_here: bool,
    /// Whether each step writes a comment of its own.
    pub comment_mode: CommentMode,
    /// Whether to print the plan and stop.
    pub dry_run: bool,
    /// Whether a delivery problem fails the step.
    pub fail_on_error: bool,
    /// How long to repeat a request when GitHub asks to wait or fails to answer.
    pub retry_timeout: Duration,
    /// The name of this job, with the values of its matrix.
    pub job_name: String,
    /// The job's check run, if the runner names it.
    pub check_run: Option<u64>,
}

impl Common {
    /// This job as the writer of records.
    #[must_use]
    pub fn writer(&self, job: &Job) -> Writer {
        Writer {
            repository: job.repository.clone(),
            run: job.run,
            attempt: job.attempt,
            job: self.job_name.clone(),
            check_run: self.check_run,
        }
    }
}

/// A security token service, and the name by which it knows its trust policy.
#[derive(Debug, Clone)]
pub struct Sts {
    /// The name of the trust policy.
    pub identity: String,
    /// The address of the service.
    pub url: Url,
}

/// The fate of the job's earlier comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommentMode {
    /// It is edited in place, which pings nobody.
    Update,
    /// It stays, and a new one is written.
    New,
}

impl Words for CommentMode {
    const ALL: &'static [Self] = &[Self::Update, Self::New];

    fn as_str(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::New => "new",
        }
    }
}

/// How hub jobs decide which of them starts a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimMode {
    /// By the order of their comments on the ticket.
    Comment,
    /// By a git reference of the hub, which exists at most once.
    Ref,
}

impl Words for ClaimMode {
    const ALL: &'static [Self] = &[Self::Comment, Self::Ref];

    fn as_str(self) -> &'static str {
        match self {
            Self::Comment => "comment",
            Self::Ref => "ref",
        }
    }
}

/// The text of failed jobs that a notice shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explain {
    /// Their annotations, or where they have none the end of their logs.
    Auto,
    /// Their annotations.
    Annotations,
    /// Nothing.
    Off,
}

impl Words for Explain {
    const ALL: &'static [Self] = &[Self::Auto, Self::Annotations, Self::Off];

    fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Annotations => "annotations",
            Self::Off => "off",
        }
    }
}

impl Words for Role {
    const ALL: &'static [Self] = &[Self::Triage, Self::Write, Self::Maintain, Self::Admin];

    fn as_str(self) -> &'static str {
        Self::as_str(self)
    }
}

/// How to start targets that do not say it themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DispatchType {
    /// A workflow is started.
    Workflow,
    /// A `repository_dispatch` is sent.
    Repository,
}

impl Words for DispatchType {
    const ALL: &'static [Self] = &[Self::Workflow, Self::Repository];

    fn as_str(self) -> &'static str {
        match self {
            Self::Workflow => "workflow",
            Self::Repository => "repository",
        }
    }
}

/// A mode with its inputs.
#[derive(Debug)]
pub enum Mode {
    /// Start the targets.
    Dispatch(Box<DispatchInputs>),
    /// Put a stage on the ticket.
    Report(ReportInputs),
    /// Report that something went wrong, or works again.
    Notify(NotifyInputs),
}

impl Mode {
    /// Whether the step has something to do at the end of its job.
    #[must_use]
    pub fn tracks(&self) -> bool {
        matches!(self, Self::Report(inputs) if inputs.track)
    }
}

/// A list, or a template for one that is rendered when the ticket is known.
#[derive(Debug)]
pub enum Listing<T> {
    /// The list itself.
    List(T),
    /// The template for the list.
    Template(String),
}

/// How a dispatch follows the runs that it started.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    /// The longest time.
    pub timeout: Duration,
    /// The time between two looks at the runs.
    pub interval: Duration,
}

/// The inputs of `dispatch`.
#[derive(Debug)]
pub struct DispatchInputs {
    /// The targets of the input `targets`, in place of a targets file.
    pub targets: Option<Listing<Vec<Target>>>,
    /// The names of the targets to start; `None`: all.
    pub only: Option<Listing<Vec<String>>>,
    /// The path of the targets file.
    pub targets_file: String,
    /// The values of the keys that a target leaves out.
    pub defaults: Defaults,
    /// A template for the name or version of the release.
    pub release: Option<String>,
    /// A template for the ticket's title.
    pub title: Option<String>,
    /// A template for the ticket's body.
    pub body: Option<String>,
    /// The path of a file with that template.
    pub body_path: Option<String>,
    /// Labels for the ticket.
    pub labels: Vec<String>,
    /// The person who is responsible for the release.
    pub driver: Option<Login>,
    /// The most starts at once.
    pub max_parallel: usize,
    /// Whether to follow the runs to their end.
    pub wait: Option<Wait>,
    /// Whether a time-out or a cancelled hub job cancels the runs that it started.
    pub cancel_on_timeout: bool,
    /// Whether a target whose last run failed is started again.
    pub retry_failed: bool,
    /// Whether inputs that a workflow does not declare are left out.
    pub ignore_unexpected_inputs: bool,
    /// Whether the ticket is closed when every target is released.
    pub close_on_success: bool,
    /// The moments at which people are pinged.
    pub pings: PingEvents,
    /// Whether a release whose ticket was closed is started again.
    pub release_again: bool,
    /// How hub jobs decide which of them starts a target.
    pub claim: ClaimMode,
    /// Whether the release's record is published as a release of the hub.
    pub publish_release: bool,
    /// The role in the hub that commands take.
    pub command_permission: Role,
}

/// The inputs of `report`.
#[derive(Debug, Clone)]
pub struct ReportInputs {
    /// The target: a row of the board.
    pub target: Option<String>,
    /// The stage of that target.
    pub stage: String,
    /// The status of that stage.
    pub status: Status,
    /// The message for people.
    pub message: Option<String>,
    /// The page that the message links to.
    pub url: Option<String>,
    /// Whether this stage ends the target's release.
    pub done: bool,
    /// The outputs of the target.
    pub outputs: Outputs,
    /// The moments at which people are pinged.
    pub pings: PingEvents,
    /// Whether the step reports that the job is under way, and its post step the end of the job.
    pub track: bool,
}

/// The inputs of `notify`.
#[derive(Debug)]
pub struct NotifyInputs {
    /// The message for people.
    pub message: Option<String>,
    /// `failure`, `cancelled`, `success` or `skipped`.
    pub status: Status,
    /// The title of an issue.
    pub title: Option<String>,
    /// The labels of an issue.
    pub labels: Vec<String>,
    /// The accounts to ping.
    pub mention: Vec<Login>,
    /// The name that all notices of the same failure share.
    pub fingerprint: Option<String>,
    /// The text of the failed jobs that the notice shows.
    pub explain: Explain,
}

/// The inputs that are not blank, by their names.
///
/// The runner passes an unset input as an empty string, and keeps the hyphens of its name.
#[must_use]
pub fn values(environment: &Environment) -> BTreeMap<String, String> {
    let variables = environment.iter().map(|(name, value)| (name.clone(), value.clone()));
    let values: BTreeMap<String, String> =
        envy::prefixed("INPUT_").from_iter(variables).expect("any text is a value of this map");
    values.into_iter().filter(|(_, value)| !value.trim().is_empty()).collect()
}

/// Every secret among the inputs, line by line, as the runner hides them.
#[must_use]
pub fn secrets(values: &BTreeMap<String, String>) -> Vec<&str> {
    let secrets = INPUTS.iter().filter(|input| matches!(input.takes, Takes::Secret));
    let lines = secrets.filter_map(|input| {
        let value = values.get(input.name)?;
        Some(if input.name == PRIVATE_KEY { lines_of_key(value) } else { value.lines().collect() })
    });
    lines.flatten().map(str::trim).filter(|line| !line.is_empty()).collect()
}

const PRIVATE_KEY: &str = "private-key";

/// The secret lines of a key, or its parts if it has no lines. The lines that frame it and a short last line are left
/// out: the log would hide every text that is equal to them.
fn lines_of_key(key: &str) -> Vec<&str> {
    let is_frame = |line: &str| line.starts_with("-----") && line.ends_with("-----") && line.len() < 50;
    let parts = key.split("-----").flat_map(|part| part.split("\\n")).flat_map(str::split_whitespace);
    let lines = key.lines().chain(parts.map(|part| part.trim_end_matches("\\r")));
    lines.filter(|line| line.trim().len() >= 8 && !is_frame(line.trim())).collect()
}

impl Inputs {
    /// Reads the inputs of the step.
    ///
    /// # Errors
    ///
    /// When inputs are missing or cannot be used; with all problems, never quoting a secret.
    pub fn read(values: &BTreeMap<String, String>, job: &Job) -> Result<Self, Vec<InputError>> {
        let mut reader = Reader::new(values);
        let common = Common::read(&mut reader, job);
        let mode = match reader.mode() {
            Some(ModeName::Dispatch) => {
                Some(Mode::Dispatch(Box::new(DispatchInputs::read(&mut reader, job))))
            }
            Some(ModeName::Report) => {
                ReportInputs::read(&mut reader, job, common.job_name.clone()).map(Mode::Report)
            }
            Some(ModeName::Notify) => NotifyInputs::read(&mut reader, job).map(Mode::Notify),
            None => None,
        };
        let problems = reader.into_problems();
        match mode {
            Some(mode) if problems.is_empty() => Ok(Self { common, mode }),
            _ => Err(problems),
        }
    }
}

impl Common {
    fn read(reader: &mut Reader<'_>, job: &Job) -> Self {
        let repository = reader
            .value_of("repository", |text| Ok(RepoName::parse_with_owner(text, job.repository.owner())?));
        let ticket = ticket(reader, job, repository.as_ref());
        let hub = repository.or_else(|| ticket.as_ref().map(|ticket| ticket.repository.clone()));
        let hub = hub.unwrap_or_else(|| job.repository.clone());
        let of_ticket = ticket.as_ref().map(|ticket| ticket.repository.clone());
        let of_new_ticket = || (reader.mode() == Some(ModeName::Dispatch)).then(|| hub.clone());
        let ticket_repository = of_ticket.or_else(of_new_ticket);
        Self {
            is_ticket_here: ticket_repository.as_ref() == Some(&job.repository),
            ticket_repository,
            comment_mode: reader.one_of("comment-mode").unwrap_or(CommentMode::Update),
            token: reader.token("token"),
            ticket_token: reader.token("ticket-token"),
            app: app(reader),
            sts: sts(reader),
            hub,
            ticket,
            dry_run: reader.boolean("dry-run"),
            fail_on_error: reader.boolean("fail-on-error"),
            retry_timeout: reader.duration("retry-timeout").unwrap_or_default(),
            job_name: job_name(reader, job),
            check_run: reader.text("check-run-id").and_then(|id| id.parse().ok()),
        }
    }
}

/// The ticket from the input; else from the event that started the run.
fn ticket(reader: &mut Reader<'_>, job: &Job, repository: Option<&RepoName>) -> Option<IssueRef> {
    let hub = repository.unwrap_or(&job.repository);
    let name = if reader.is_given("ticket") {
        reader.value_of("ticket", |text| Ok(text.parse()?))?
    } else if let Some(text) = job.event.input("release-ticket") {
        reader.accept(text.parse().map_err(InputError::TicketOfEvent))?
    } else {
        match job.event.issue().filter(|_| *hub == job.repository) {
            Some(number) => TicketName::Number(number),
            None => TicketName::None,
        }
    };
    match name {
        TicketName::None => None,
        TicketName::Number(number) => Some(IssueRef { repository: hub.clone(), number }),
        // The author of the event must not choose where this step's tokens and texts go.
        TicketName::Issue(ticket) if repository.is_some_and(|hub| ticket.repository != *hub) => {
            let (hub, from_event) = (hub.clone(), !reader.is_given("ticket"));
            reader.refuse(InputError::TicketElsewhere { ticket, hub, from_event });
            None
        }
        TicketName::Issue(ticket) => Some(ticket),
    }
}

/// The App, with its key if the step has one: a run without secrets may not need it.
fn app(reader: &mut Reader<'_>) -> Option<App> {
    if reader.is_given("client-id") && reader.is_given("app-id") {
        reader.refuse(InputError::TwoApps);
    }
    let id = reader.text("client-id").or_else(|| reader.text("app-id"));
    let key = match reader.text(PRIVATE_KEY).map(|text| SigningKey::parse(&text)) {
        Some(Ok(key)) => Ok(key),
        Some(Err(error)) => {
            reader.refuse_secret(InputError::Key(error));
            Err(NoKey::Unusable(error))
        }
        None => Err(NoKey::Blank),
    };
    if id.is_none() && reader.is_given(PRIVATE_KEY) {
        reader.refuse(InputError::NoApp);
    }
    Some(App { id: id?, key })
}

fn sts(reader: &mut Reader<'_>) -> Option<Sts> {
    let url = reader.value_of("sts-url", |text| {
        let url = Url::parse(text).ok().filter(|url| url.host().is_some());
        // Text that is not an address may hold a password, too.
        let has_user = |url: &Url| !url.username().is_empty() || url.password().is_some();
        if url.as_ref().map_or(text.contains('@'), has_user) {
            return Err(ValueError::Password);
        }
        // A job's identity travels encrypted, or stays on this machine.
        let safe = url.filter(|url| url.scheme() == "https" || url.scheme() == "http" && is_loopback(url));
        safe.ok_or_else(|| ValueError::Https(text.to_owned()))
    });
    let identity = reader.value_of("sts-identity", |text| {
        let fits = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if fits { Ok(text.to_owned()) } else { Err(ValueError::Policy(text.to_owned())) }
    });
    Some(Sts { identity: identity?, url: url? })
}

/// The job's id; in a matrix with its values, as GitHub shows it: `build (linux, 18)`.
fn job_name(reader: &Reader<'_>, job: &Job) -> String {
    let matrix: Option<Map<String, Value>> =
        reader.text("matrix").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let values: Vec<String> = matrix
        .unwrap_or_default()
        .values()
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect();
    if values.is_empty() { job.id.clone() } else { format!("{} ({})", job.id, values.join(", ")) }
}

impl DispatchInputs {
    fn read(reader: &mut Reader<'_>, job: &Job) -> Self {
        refuse_templates_of_event(reader, job);
        let defaults = defaults(reader);
        Self {
            targets: inline_targets(reader, job, &defaults),
            only: only(reader),
            targets_file: reader.text("targets-file").unwrap_or_default(),
            defaults,
            release: reader.text("release"),
            title: reader.text("title"),
            body: reader.verbatim("body"),
            body_path: reader.text("body-path"),
            labels: reader.list("labels"),
            driver: reader.login("driver").or_else(|| job.actor.clone()),
            max_parallel: reader.number::<usize>("max-parallel").unwrap_or(1).min(100),
            wait: wait(reader),
            cancel_on_timeout: reader.boolean("cancel-on-timeout"),
            retry_failed: reader.boolean("retry-failed"),
            ignore_unexpected_inputs: reader.boolean("ignore-unexpected-inputs"),
            close_on_success: reader.boolean("close-on-success"),
            pings: reader.some_of("ping"),
            release_again: reader.boolean("release-again"),
            claim: reader.one_of("claim").unwrap_or(ClaimMode::Comment),
            publish_release: reader.boolean("publish-release"),
            command_permission: reader.one_of("command-permission").unwrap_or(Role::Admin),
        }
    }
}

/// The inputs that are templates, or hold some.
const TEMPLATES: [&str; 6] = ["targets", "inputs", "release", "title", "body", "only"];

/// Refuses a template that a workflow put into an input by `${{ inputs.version }}`: the person who caused the event
/// would decide what is rendered.
fn refuse_templates_of_event(reader: &mut Reader<'_>, job: &Job) {
    // `${{ github.ref_name }}` is the event's `ref` without its beginning.
    let event_templates: Vec<GitRef> = job.event.templates().into_iter().map(GitRef::from).collect();
    for name in TEMPLATES {
        let Some(text) = reader.verbatim(name) else { continue };
        if event_templates.iter().any(|template| text.contains(template.short().trim())) {
            reader.refuse(InputError::TemplateOfEvent(name));
        }
    }
}

/// The values of the keys that a target leaves out.
fn defaults(reader: &mut Reader<'_>) -> Defaults {
    let by_event = reader.one_of("dispatch-type") == Some(DispatchType::Repository);
    let event_type = reader.text("event-type");
    if by_event && event_type.is_none() {
        reader.refuse(InputError::NoEventType);
    }
    if event_type.as_ref().is_some_and(|text| text.chars().count() > 100) {
        reader.refuse(InputError::LongEventType);
    }
    let inputs = reader.verbatim("inputs").map(|text| targets::parse_inputs("`inputs`", &text));
    let inputs = inputs.and_then(|inputs| reader.accept(inputs.map_err(InputError::Mapping)));
    let git_ref = reader.text("ref").map(GitRef::from);
    // An event has no branch: it is sent to a repository.
    if let Some(Err(error)) = git_ref.as_ref().filter(|_| !by_event).map(GitRef::check) {
        reader.refuse(InputError::Ref(error));
    }
    Defaults {
        workflow: reader.text("workflow"),
        git_ref,
        inputs: inputs.unwrap_or_default(),
        event_type: event_type.filter(|_| by_event),
        stale_after: reader.duration("stale-after"),
        ..Defaults::default()
    }
}

/// The targets of the input. Their places count in its whole text, with the white space around it.
fn inline_targets(reader: &mut Reader<'_>, job: &Job, defaults: &Defaults) -> Option<Listing<Vec<Target>>> {
    let text = reader.verbatim("targets")?;
    if is_expression(text.trim()) {
        return Some(Listing::Template(text));
    }
    match targets::parse_input(&text, &job.repository, defaults).all_good() {
        Ok(targets) => Some(Listing::List(targets)),
        Err(problems) => {
            problems.into_iter().for_each(|problem| reader.refuse(InputError::Target(problem)));
            None
        }
    }
}

fn only(reader: &mut Reader<'_>) -> Option<Listing<Vec<String>>> {
    match reader.text("only")? {
        text if is_expression(&text) => Some(Listing::Template(text)),
        _ => Some(Listing::List(reader.list("only"))),
    }
}

/// Whether the whole of an input is one expression, which is rendered to a list later.
fn is_expression(text: &str) -> bool {
    text.starts_with("{{") && text.ends_with("}}")
}

/// How to wait, if the step waits. The times are checked in any case.
fn wait(reader: &mut Reader<'_>) -> Option<Wait> {
    let mut duration = |name| reader.duration(name).unwrap_or_default();
    let wait = Wait { timeout: duration("wait-timeout"), interval: duration("wait-interval") };
    if wait.interval.is_zero() {
        reader.refuse(InputError::NoInterval);
    }
    reader.boolean("wait").then_some(wait)
}

/// The message: the input, else a file of the workspace. A file that cannot be read is a warning: the step has more to
/// report than the message.
fn message(reader: &mut Reader<'_>, job: &Job) -> Option<String> {
    let Some(path) = message_path(reader) else { return reader.text("message") };
    let file = job.workspace.as_deref().map(|workspace| workspace::read_message(workspace, &path));
    let problem = match file.transpose() {
        Ok(Some(Some(text))) => return Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Ok(_) => Problem::new(format!("`message-path`: the workspace has no `{path}`")).help(
            Topic::File,
            "write the file in an earlier step of this job, and name it by its path from the workspace",
        ),
        Err(error) => Problem::of("`message-path`", &error),
    };
    problem.warn();
    None
}

/// The outputs of a target.
fn report_outputs(reader: &mut Reader<'_>) -> Outputs {
    let Some(text) = reader.verbatim("outputs") else { return Outputs::default() };
    outputs::parse(&text).unwrap_or_else(|problems| {
        problems.into_iter().for_each(|problem| reader.refuse(InputError::Output(problem)));
        Outputs::default()
    })
}

/// The file with the message, where there is one.
fn message_path(reader: &mut Reader<'_>) -> Option<String> {
    let path = reader.text("message-path")?;
    if reader.is_given("message") {
        reader.refuse(InputError::TwoMessages);
    }
    reader.accept(workspace::check_path(&path).map_err(InputError::MessagePath))?;
    Some(path)
}

/// The status of the stage. In a tracked job it can only be an end: the step itself reports a job under way.
fn status_of_stage(reader: &mut Reader<'_>, track: bool) -> Option<Status> {
    let status = reader.status("status")?;
    if track && matches!(status, Status::Queued | Status::InProgress) {
        reader.refuse(InputError::TrackedStatus(status));
    }
    Some(status)
}

impl ReportInputs {
    fn read(reader: &mut Reader<'_>, job: &Job, job_name: String) -> Option<Self> {
        let track = reader.boolean("track");
        // A later step of the job may write the file with the message of its end.
        let message = match track && job.tracked_stage.is_none() {
            true => message_path(reader).and(None),
            false => message(reader, job),
        };
        Some(Self {
            track,
            target: reader.text("target"),
            stage: reader.text("stage").unwrap_or(job_name),
            message,
            url: reader.text("url"),
            done: reader.boolean("done"),
            outputs: report_outputs(reader),
            pings: reader.some_of("ping"),
            status: status_of_stage(reader, track)?,
        })
    }
}

impl NotifyInputs {
    fn read(reader: &mut Reader<'_>, job: &Job) -> Option<Self> {
        Some(Self {
            labels: reader.list("labels"),
            mention: reader.logins("mention"),
            message: message(reader, job),
            title: reader.text("title"),
            fingerprint: reader.text("fingerprint"),
            explain: reader.one_of("explain").unwrap_or(Explain::Auto),
            status: status_of_run(reader, job).or_else(|| reader.status("status"))?,
        })
    }
}

/// The status of a run that has not ended, by its `workflow_run` event: its conclusion is null.
fn status_of_run(reader: &Reader<'_>, job: &Job) -> Option<Status> {
    let run = job.event.workflow_run(&job.repository)?;
    let is_null = reader.text("status").is_none_or(|text| text.eq_ignore_ascii_case("null"));
    (run.conclusion.is_none() && is_null).then_some(Status::Skipped)
}
