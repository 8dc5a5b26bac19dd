//! The inputs of the step: what they are once they are read, and how they are read.
//!
//! [`table`] lists them all; the place where one is added. Blank means absent, and all that is wrong
//! with them is reported together.

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
use crate::github::tokens::GivenToken;
use crate::github::tokens::app::{App, NoKey};
use crate::github::tokens::jwt::SigningKey;
use crate::job::{Environment, Job};
use crate::names::{GitRef, IssueRef, Login, RepoName, TicketName};
use crate::network::is_loopback;
use crate::problem::Problem;
use crate::targets::{self, Defaults, Target};
use crate::ticket::{Outputs, PingsFor, Status, Writer};
use crate::workspace;

/// The inputs, read and checked.
#[derive(Debug)]
pub struct Inputs {
    /// What every mode takes.
    pub common: Common,
    /// What the mode takes.
    pub mode: Mode,
}

/// What every mode takes.
#[derive(Debug)]
pub struct Common {
    /// For every request that has no other token.
    pub token: Option<GivenToken>,
    /// For requests to the ticket's repository.
    pub ticket_token: Option<GivenToken>,
    /// A GitHub App, for every request that has no token of its own.
    pub app: Option<App>,
    /// A token service, for requests to the ticket's repository.
    pub sts: Option<Sts>,
    /// The hub.
    pub hub: RepoName,
    /// The ticket, from the input or the event.
    pub ticket: Option<IssueRef>,
    /// Where the ticket is. Only a dispatch looks for one or opens it; without one the other modes write
    /// nothing to the hub.
    pub ticket_repository: Option<RepoName>,
    /// Whether that is the repository in which the job runs: its own token could write the ticket.
    pub is_ticket_here: bool,
    /// Whether each step writes a comment of its own.
    pub comment_mode: CommentMode,
    /// Whether to print the plan and stop.
    pub dry_run: bool,
    /// Whether a delivery problem fails the step.
    pub fail_on_error: bool,
    /// How long to go on trying when GitHub asks to wait or does not answer well.
    pub retry_timeout: Duration,
    /// The name of this job, with the values of its matrix.
    pub job_name: String,
    /// The job's check run, where the runner tells it.
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
    /// Where the service is.
    pub url: Url,
}

/// What becomes of the job's earlier comment.
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

/// How hub jobs settle who starts a target.
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

/// What a notice shows of failed jobs.
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

/// How targets are started that do not say it themselves.
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
    /// Something went wrong.
    Notify(NotifyInputs),
}

impl Mode {
    /// Whether the step has something to do at the end of its job.
    #[must_use]
    pub fn tracks(&self) -> bool {
        matches!(self, Self::Report(inputs) if inputs.track)
    }
}

/// A list as it is given, or a template that comes to one once the ticket is known.
#[derive(Debug)]
pub enum Listing<T> {
    /// Given.
    Given(T),
    /// To be rendered.
    Template(String),
}

/// How a dispatch follows the runs that it started.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    /// How long.
    pub timeout: Duration,
    /// How often it looks.
    pub interval: Duration,
}

/// The inputs of `dispatch`.
#[derive(Debug)]
pub struct DispatchInputs {
    /// The targets, if they are given inline.
    pub targets: Option<Listing<Vec<Target>>>,
    /// The names of the targets that are meant; none: all.
    pub only: Option<Listing<Vec<String>>>,
    /// Where the targets file is.
    pub targets_file: String,
    /// What holds for targets that say nothing else.
    pub defaults: Defaults,
    /// A template for the name or version of the release.
    pub release: Option<String>,
    /// A template for the ticket's title.
    pub title: Option<String>,
    /// A template for the ticket's body.
    pub body: Option<String>,
    /// Where that template is.
    pub body_path: Option<String>,
    /// Labels for the ticket.
    pub labels: Vec<String>,
    /// Who is responsible.
    pub driver: Option<Login>,
    /// How many starts are under way at once.
    pub max_parallel: usize,
    /// Whether to follow the runs to their end.
    pub wait: Option<Wait>,
    /// Whether a time-out or a cancelled hub job cancels the runs that it started.
    pub cancel_on_timeout: bool,
    /// Whether targets are started again whose last run failed.
    pub retry_failed: bool,
    /// Whether inputs are dropped that a workflow does not declare.
    pub ignore_unexpected_inputs: bool,
    /// Whether the ticket is closed when every target is released.
    pub close_on_success: bool,
    /// When somebody is pinged.
    pub pings: PingsFor,
    /// Whether a release is started again whose ticket was closed.
    pub release_again: bool,
    /// How hub jobs settle who starts a target.
    pub claim: ClaimMode,
    /// Whether the release's record is published as a release of the hub.
    pub publish_release: bool,
    /// The role in the hub that commands take.
    pub command_permission: Role,
}

/// The inputs of `report`.
#[derive(Debug, Clone)]
pub struct ReportInputs {
    /// The row.
    pub target: Option<String>,
    /// The stage of that target.
    pub stage: String,
    /// How it stands.
    pub status: Status,
    /// What there is to say.
    pub message: Option<String>,
    /// What the message links to.
    pub url: Option<String>,
    /// Whether this stage ends the target's release.
    pub done: bool,
    /// The values that the target gives back.
    pub outputs: Outputs,
    /// When somebody is pinged.
    pub pings: PingsFor,
    /// Whether the step reports by itself that the job is under way, and in its post step how it ended.
    pub track: bool,
}

/// The inputs of `notify`.
#[derive(Debug)]
pub struct NotifyInputs {
    /// What went wrong.
    pub message: Option<String>,
    /// `failure`, `cancelled`, `success` or `skipped`.
    pub status: Status,
    /// The title of an issue.
    pub title: Option<String>,
    /// The labels of an issue.
    pub labels: Vec<String>,
    /// Who is pinged.
    pub mention: Vec<Login>,
    /// What makes two failures the same.
    pub fingerprint: Option<String>,
    /// What is shown of the failed jobs.
    pub explain: Explain,
}

/// The values of the inputs that were given.
///
/// The runner passes an unset input as an empty string, and keeps the hyphens of its name.
#[must_use]
pub fn given(environment: &Environment) -> BTreeMap<String, String> {
    let variables = environment.iter().map(|(name, value)| (name.clone(), value.clone()));
    let given: BTreeMap<String, String> =
        envy::prefixed("INPUT_").from_iter(variables).expect("any text is a value of this map");
    given.into_iter().filter(|(_, value)| !value.trim().is_empty()).collect()
}

/// Every secret among the inputs, line by line, as the runner hides them.
#[must_use]
pub fn secrets(given: &BTreeMap<String, String>) -> Vec<&str> {
    let secrets = INPUTS.iter().filter(|input| matches!(input.takes, Takes::Secret));
    let lines = secrets.filter_map(|input| {
        let value = given.get(input.name)?;
        Some(if input.name == PRIVATE_KEY { lines_of_key(value) } else { value.lines().collect() })
    });
    lines.flatten().map(str::trim).filter(|line| !line.is_empty()).collect()
}

const PRIVATE_KEY: &str = "private-key";

/// The lines of a key that are secret, and the parts of one that has none: neither those that frame it nor a short
/// last one, since whatever is like them could not be read any more in the log.
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
    pub fn read(given: &BTreeMap<String, String>, job: &Job) -> Result<Self, Vec<InputError>> {
        let mut reader = Reader::new(given);
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
        let repository =
            reader.parsed("repository", |text| Ok(RepoName::parse_near(text, job.repository.owner())?));
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
    let named = if reader.is_given("ticket") {
        reader.parsed("ticket", |text| Ok(text.parse()?))?
    } else if let Some(text) = job.event.input("release-ticket") {
        reader.accept(text.parse().map_err(InputError::TicketOfEvent))?
    } else {
        match job.event.issue().filter(|_| *hub == job.repository) {
            Some(number) => TicketName::Number(number),
            None => TicketName::None,
        }
    };
    match named {
        TicketName::None => None,
        TicketName::Number(number) => Some(IssueRef { repository: hub.clone(), number }),
        // Whoever writes the event must not choose where this step's tokens and texts go.
        TicketName::Issue(ticket) if repository.is_some_and(|hub| ticket.repository != *hub) => {
            let (hub, from_event) = (hub.clone(), !reader.is_given("ticket"));
            reader.refuse(InputError::TicketElsewhere { ticket, hub, from_event });
            None
        }
        TicketName::Issue(ticket) => Some(ticket),
    }
}

/// The App, with its key if the step has one: a run that is given no secrets may not need it.
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
    let url = reader.parsed("sts-url", |text| {
        let url = Url::parse(text).ok().filter(|url| url.host().is_some());
        // Text that is not an address may hold a password all the same.
        let has_user = |url: &Url| !url.username().is_empty() || url.password().is_some();
        if url.as_ref().map_or(text.contains('@'), has_user) {
            return Err(ValueError::Password);
        }
        // A job's identity is not shown to whoever listens on the way.
        let safe = url.filter(|url| url.scheme() == "https" || url.scheme() == "http" && is_loopback(url));
        safe.ok_or_else(|| ValueError::Https(text.to_owned()))
    });
    let identity = reader.parsed("sts-identity", |text| {
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
            targets: targets_given(reader, job, &defaults),
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

/// Refuses a template that a workflow put into an input by `${{ inputs.version }}`: whoever caused the event
/// would decide what is rendered.
fn refuse_templates_of_event(reader: &mut Reader<'_>, job: &Job) {
    // `${{ github.ref_name }}` leaves out how the event's `ref` begins.
    let of_event: Vec<GitRef> = job.event.templates().into_iter().map(GitRef::from).collect();
    for name in TEMPLATES {
        let Some(text) = reader.verbatim(name) else { continue };
        if of_event.iter().any(|template| text.contains(template.short().trim())) {
            reader.refuse(InputError::TemplateOfEvent(name));
        }
    }
}

/// What holds for targets that say nothing else.
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
    // An event is sent to a repository, whatever the branch.
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

/// The targets. Places are counted in the text as it was given.
fn targets_given(reader: &mut Reader<'_>, job: &Job, defaults: &Defaults) -> Option<Listing<Vec<Target>>> {
    let text = reader.verbatim("targets")?;
    if is_expression(text.trim()) {
        return Some(Listing::Template(text));
    }
    match targets::parse_input(&text, &job.repository, defaults).all_good() {
        Ok(targets) => Some(Listing::Given(targets)),
        Err(problems) => {
            problems.into_iter().for_each(|problem| reader.refuse(InputError::Target(problem)));
            None
        }
    }
}

fn only(reader: &mut Reader<'_>) -> Option<Listing<Vec<String>>> {
    match reader.text("only")? {
        text if is_expression(&text) => Some(Listing::Template(text)),
        _ => Some(Listing::Given(reader.list("only"))),
    }
}

/// Whether the whole of an input is one expression, which comes to a list later.
fn is_expression(text: &str) -> bool {
    text.starts_with("{{") && text.ends_with("}}")
}

/// Whether to wait, how long and how often. The times are checked even if there is nothing to wait for.
fn wait(reader: &mut Reader<'_>) -> Option<Wait> {
    let mut duration = |name| reader.duration(name).unwrap_or_default();
    let wait = Wait { timeout: duration("wait-timeout"), interval: duration("wait-interval") };
    if wait.interval.is_zero() {
        reader.refuse(InputError::NoInterval);
    }
    reader.boolean("wait").then_some(wait)
}

/// What there is to say: as it is given, else from a file of the workspace. A file that cannot be read takes nothing
/// from the rest that there is to say.
fn message(reader: &mut Reader<'_>, job: &Job) -> Option<String> {
    let Some(path) = message_path(reader) else { return reader.text("message") };
    let file = job.workspace.as_deref().map(|workspace| workspace::read_message(workspace, &path));
    let problem = match file.transpose() {
        Ok(Some(Some(text))) => return Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Ok(_) => Problem::new(format!("`message-path`: the workspace has no `{path}`")).help(
            "write the file in an earlier step of this job, and name it by its path from the workspace",
        ),
        Err(error) => Problem::of("`message-path`", &error),
    };
    tracing::warn!("{problem}");
    None
}

/// The values that a target gives back.
fn outputs_given(reader: &mut Reader<'_>) -> Outputs {
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

/// How the stage stands. A tracked job is under way, or has ended.
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
        let message = match track && job.tracked.is_none() {
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
            outputs: outputs_given(reader),
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
