//! The inputs of the step: names, defaults, and what may stand in them.
//!
//! [`INPUTS`] is the one list of names and defaults; `action.yml` and the README are compared with
//! it by a test. Blank means absent, and all bad inputs are reported together.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Map, Value};
use url::{Host, Url};

use crate::github::tokens;
use crate::github::tokens::app::App;
use crate::github::tokens::jwt::SigningKey;
use crate::job::{Environment, Job};
use crate::names::{IssueRef, Login, RepoName, TicketName};
use crate::targets::{self, Defaults, Target};
use crate::ticket::{Status, Writer};

/// An input as users know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// Its name in `with:`.
    pub name: &'static str,
    /// What stands for a blank one. An expression is evaluated by the runner, from `action.yml`.
    pub default: &'static str,
}

const fn input(name: &'static str, default: &'static str) -> Input {
    Input { name, default }
}

/// Every input, in the order of the README.
pub const INPUTS: &[Input] = &[
    input("mode", ""),
    input("token", "${{ github.token }}"),
    input("ticket-token", ""),
    input("client-id", ""),
    input("app-id", ""),
    input("private-key", ""),
    input("sts-identity", ""),
    input("sts-url", "https://octo-sts.dev"),
    input("repository", ""),
    input("ticket", ""),
    input("comment-mode", ""),
    input("dry-run", "false"),
    input("fail-on-error", ""),
    input("retry-timeout", "5m"),
    input("targets", ""),
    input("targets-file", ".github/release-targets.yml"),
    input("workflow", ""),
    input("ref", ""),
    input("inputs", ""),
    input("release", ""),
    input("title", ""),
    input("body", ""),
    input("body-path", ""),
    input("labels", ""),
    input("driver", "${{ github.actor }}"),
    input("dispatch-type", "workflow"),
    input("event-type", ""),
    input("max-parallel", "8"),
    input("wait", "false"),
    input("wait-timeout", "60m"),
    input("wait-interval", "15s"),
    input("cancel-on-timeout", "false"),
    input("only", ""),
    input("retry-failed", "false"),
    input("ignore-unexpected-inputs", "false"),
    input("close-on-success", "false"),
    input("target", ""),
    input("stage", ""),
    input("status", "${{ job.status }}"),
    input("message", ""),
    input("url", ""),
    input("done", "false"),
    input("mention", ""),
    input("fingerprint", ""),
    input("matrix", "${{ toJSON(matrix) }}"),
    input("check-run-id", "${{ job.check_run_id }}"),
];

/// What is wrong with the inputs, all of it at once.
#[derive(Debug, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct InputsError {
    /// One sentence each.
    pub problems: Vec<String>,
}

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
    pub token: Option<SecretString>,
    /// For requests to the ticket's repository.
    pub ticket_token: Option<SecretString>,
    /// A GitHub App, for every request that has no token of its own.
    pub app: Option<App>,
    /// A token service, for requests to the ticket's repository.
    pub sts: Option<Sts>,
    /// The hub.
    pub hub: RepoName,
    /// The ticket, from the input or the event.
    pub ticket: Option<IssueRef>,
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
///
/// Of a key neither the lines that frame it nor a short last one are hidden: they are no secrets, and
/// whatever is like them could not be read any more.
#[must_use]
pub fn secrets(given: &BTreeMap<String, String>) -> Vec<&str> {
    let tokens = ["token", "ticket-token"].into_iter().filter_map(|name| given.get(name));
    let tokens = tokens.flat_map(|token| token.lines());
    // Its line breaks may be written as `\n`; then it is one line as it is given, and many as it is read.
    let key = given.get("private-key").map(String::as_str);
    let key =
        key.into_iter().flat_map(|key| key.lines().chain(key.lines().flat_map(|line| line.split("\\n"))));
    let key = key.filter(|line| line.trim().len() >= 8 && !is_frame(line.trim()));
    tokens.chain(key).map(str::trim).filter(|line| !line.is_empty()).collect()
}

fn is_frame(line: &str) -> bool {
    line.starts_with("-----") && line.ends_with("-----") && !line.contains("\\n")
}

impl Inputs {
    /// Reads the inputs of the step.
    ///
    /// # Errors
    ///
    /// When an input is missing or cannot be used; with all problems, never quoting a secret.
    pub fn read(given: &BTreeMap<String, String>, job: &Job) -> Result<Self, InputsError> {
        let mut reader = Reader { given, problems: Vec::new() };
        let mode_name = reader.one_of("mode", &["dispatch", "report", "notify"], None);
        let repository =
            reader.parsed("repository", |text| RepoName::parse_near(text, job.repository.owner()));
        let ticket = reader.ticket(job, repository.as_ref());
        let hub = repository.or_else(|| ticket.as_ref().map(|ticket| ticket.repository.clone()));
        let hub = hub.unwrap_or_else(|| job.repository.clone());
        let notify = mode_name == Some("notify");
        let report = mode_name == Some("report");
        let comment_mode = match reader.one_of(
            "comment-mode",
            &["update", "new"],
            Some(if notify { "new" } else { "update" }),
        ) {
            Some("new") => CommentMode::New,
            _ => CommentMode::Update,
        };
        let job_name = reader.job_name(job);
        let common = Common {
            token: reader.secret("token"),
            ticket_token: reader.secret("ticket-token"),
            app: reader.app(),
            sts: reader.sts(),
            hub,
            ticket,
            comment_mode,
            dry_run: reader.boolean("dry-run", false),
            fail_on_error: reader.boolean("fail-on-error", !report),
            retry_timeout: reader.duration("retry-timeout"),
            job_name: job_name.clone(),
            check_run: reader.text("check-run-id").and_then(|id| id.parse().ok()),
        };
        let mode = match mode_name {
            Some("dispatch") => Some(Mode::Dispatch(Box::new(reader.dispatch(job)))),
            Some("report") => reader.report(job_name).map(Mode::Report),
            Some("notify") => reader.notify().map(Mode::Notify),
            _ => None,
        };
        match mode {
            Some(mode) if reader.problems.is_empty() => Ok(Self { common, mode }),
            _ => Err(InputsError { problems: reader.problems }),
        }
    }
}

/// Items as a YAML or JSON list, one a line, or with commas between them.
///
/// # Errors
///
/// When it looks like a YAML list and is none, or one of something else than text.
pub fn list_of(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim();
    if text.starts_with('[') || text.starts_with("- ") {
        return serde_saphyr::from_str(text).map_err(|error| format!("not a list of texts: {error}"));
    }
    let items = text.split(['\n', ',']).map(str::trim).filter(|item| !item.is_empty());
    Ok(items.map(str::to_owned).collect())
}

struct Reader<'a> {
    given: &'a BTreeMap<String, String>,
    problems: Vec<String>,
}

impl Reader<'_> {
    /// The text of an input, or its default; none if both are blank.
    fn text(&self, name: &str) -> Option<&str> {
        let default = || INPUTS.iter().find(|input| input.name == name).map(|input| input.default);
        let given = self.given.get(name).map(|value| value.trim());
        given.or_else(|| default().filter(|text| !text.is_empty() && !text.starts_with("${{")))
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// Like [`Reader::text`], with the white space that people meant.
    fn verbatim(&self, name: &str) -> Option<String> {
        self.given.get(name).cloned()
    }

    fn secret(&mut self, name: &str) -> Option<SecretString> {
        let text = self.owned(name)?;
        if !tokens::is_printable(&text) {
            self.problems
                .push(format!("`{name}` holds spaces, line breaks or other characters that no token has"));
            return None;
        }
        Some(text.into())
    }

    /// The App, with its key if there is one: a run that is given no secrets may not need it.
    fn app(&mut self) -> Option<App> {
        if self.given.contains_key("client-id") && self.given.contains_key("app-id") {
            self.problems.push("`client-id` and `app-id` both name the App; give one of them".into());
        }
        let id = self.owned("client-id").or_else(|| self.owned("app-id"));
        // Even a key that cannot be read is not quoted.
        let key = self.text("private-key").map(SigningKey::parse).transpose();
        let key = key
            .map_err(|error| {
                self.problems.push(format!(
                    "`private-key` is {error}; it takes the .pem file that GitHub gave when the key was generated"
                ));
            })
            .unwrap_or_default();
        if id.is_none() && self.given.contains_key("private-key") {
            self.problems.push("`client-id` is missing; `private-key` is the key of a GitHub App".into());
        }
        Some(App { id: id?, key })
    }

    fn sts(&mut self) -> Option<Sts> {
        let url = self.parsed("sts-url", |text| {
            let url = Url::parse(text).ok().filter(|url| url.host().is_some());
            // A job's identity is not shown to whoever listens on the way.
            let private = |url: &Url| match url.host() {
                Some(Host::Domain(name)) => name == "localhost",
                Some(Host::Ipv4(ip)) => ip.is_loopback(),
                Some(Host::Ipv6(ip)) => ip.is_loopback(),
                None => false,
            };
            let safe = url.filter(|url| url.scheme() == "https" || url.scheme() == "http" && private(url));
            safe.ok_or_else(|| format!("`{text}` is no https address"))
        });
        let identity = self.parsed("sts-identity", |text| {
            let fits = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            if fits {
                Ok(text.to_owned())
            } else {
                Err(format!("`{text}` is not NAME of a file NAME.sts.yaml"))
            }
        });
        Some(Sts { identity: identity?, url: url? })
    }

    fn parsed<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.owned(name)?;
        parse(&text).map_err(|error| self.problems.push(format!("`{name}`: {error}"))).ok()
    }

    fn one_of<'w>(&mut self, name: &str, words: &[&'w str], default: Option<&'w str>) -> Option<&'w str> {
        let text = self.owned(name);
        let Some(text) = text else {
            if default.is_none() {
                self.problems.push(format!("`{name}` is missing; it takes {}", listed(words)));
            }
            return default;
        };
        let word = words.iter().find(|word| word.eq_ignore_ascii_case(&text)).copied();
        if word.is_none() {
            self.problems.push(format!("`{name}` is `{text}`; it takes {}", listed(words)));
        }
        word
    }

    fn boolean(&mut self, name: &str, default: bool) -> bool {
        let word = if default { "true" } else { "false" };
        self.one_of(name, &["true", "false"], Some(word)) == Some("true")
    }

    fn duration(&mut self, name: &str) -> Duration {
        let read = self.parsed(name, |text| {
            humantime::parse_duration(text)
                .map_err(|_| format!("`{text}` is no duration; write `90s`, `15m` or `1h 30m`"))
        });
        read.unwrap_or_default()
    }

    fn number<T: FromStr + PartialOrd + From<u8>>(&mut self, name: &str) -> Option<T> {
        self.parsed(name, |text| {
            let number = text.parse().ok().filter(|number| *number >= T::from(1));
            number.ok_or_else(|| format!("`{text}` is not a whole number from 1 on"))
        })
    }

    /// Items as a YAML or JSON list, one a line, or with commas between them.
    fn list(&mut self, name: &str) -> Vec<String> {
        self.parsed(name, list_of).unwrap_or_default()
    }

    /// Whether to wait, how long and how often; what stands there is read in any case.
    fn wait(&mut self) -> Option<Wait> {
        let wait = Wait { timeout: self.duration("wait-timeout"), interval: self.duration("wait-interval") };
        if wait.interval.is_zero() {
            self.problems.push("`wait-interval` is nothing; write `15s`".to_owned());
        }
        self.boolean("wait", false).then_some(wait)
    }

    /// Whether the whole of an input is one expression, which comes to a list later.
    fn is_expression(text: &str) -> bool {
        text.starts_with("{{") && text.ends_with("}}")
    }

    fn login(&mut self, name: &str) -> Option<Login> {
        self.parsed(name, |text| {
            Login::parse(text).ok_or_else(|| format!("`{text}` is not the name of an account"))
        })
    }

    /// The ticket from the input; else from the event that started the run.
    fn ticket(&mut self, job: &Job, repository: Option<&RepoName>) -> Option<IssueRef> {
        let hub = repository.unwrap_or(&job.repository);
        let named = if self.text("ticket").is_some() {
            self.parsed("ticket", str::parse)?
        } else if let Some(text) = job.event.input("release-ticket") {
            let read = text.parse().map_err(|error| {
                self.problems.push(format!("the event's input `release-ticket`: {error}"));
            });
            read.ok()?
        } else {
            match job.event.issue().filter(|_| *hub == job.repository) {
                Some(number) => TicketName::Number(number),
                None => TicketName::None,
            }
        };
        match named {
            TicketName::None => None,
            TicketName::Number(number) => Some(IssueRef { repository: hub.clone(), number }),
            TicketName::Issue(issue) => Some(issue),
        }
    }

    /// The job's id; in a matrix with its values, as GitHub shows it: `build (linux, 18)`.
    fn job_name(&mut self, job: &Job) -> String {
        let matrix: Option<Map<String, Value>> =
            self.text("matrix").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let values: Vec<String> = matrix
            .unwrap_or_default()
            .values()
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            .collect();
        if values.is_empty() { job.id.clone() } else { format!("{} ({})", job.id, values.join(", ")) }
    }

    fn dispatch(&mut self, job: &Job) -> DispatchInputs {
        let by_event = self.one_of("dispatch-type", &["workflow", "repository"], None) == Some("repository");
        let event_type = self.owned("event-type");
        if by_event && event_type.is_none() {
            self.problems.push(
                "`event-type` is missing; `dispatch-type: repository` sends an event of that type".into(),
            );
        }
        if event_type.as_ref().is_some_and(|text| text.chars().count() > 100) {
            self.problems.push("`event-type` is longer than the 100 characters that GitHub takes".into());
        }
        let inputs = self.verbatim("inputs").map(|text| targets::parse_inputs("`inputs`", &text));
        let inputs = inputs.transpose().unwrap_or_else(|error| {
            self.problems.push(error.to_string());
            None
        });
        let defaults = Defaults {
            workflow: self.owned("workflow"),
            git_ref: self.owned("ref"),
            inputs: inputs.unwrap_or_default(),
            event_type: event_type.filter(|_| by_event),
        };
        // Places are counted in the text as it was given.
        let targets = self.verbatim("targets").and_then(|text| {
            if Self::is_expression(text.trim()) {
                return Some(Listing::Template(text));
            }
            let listed = targets::parse_input(&text, &job.repository, &defaults);
            let problems = |problems: Vec<_>| {
                self.problems.extend(problems.iter().map(ToString::to_string));
            };
            listed.all_good().map_err(problems).ok().map(Listing::Given)
        });
        let only = match self.owned("only") {
            None => None,
            Some(text) if Self::is_expression(&text) => Some(Listing::Template(text)),
            Some(_) => Some(Listing::Given(self.list("only"))),
        };
        let mut labels = self.list("labels");
        if labels.is_empty() {
            labels.push("release".to_owned());
        }
        DispatchInputs {
            targets,
            targets_file: self.owned("targets-file").unwrap_or_default(),
            defaults,
            release: self.owned("release"),
            title: self.owned("title"),
            body: self.verbatim("body"),
            body_path: self.owned("body-path"),
            labels,
            driver: self.login("driver").or_else(|| job.actor.clone()),
            max_parallel: self.number::<usize>("max-parallel").unwrap_or(1).min(100),
            only,
            wait: self.wait(),
            cancel_on_timeout: self.boolean("cancel-on-timeout", false),
            retry_failed: self.boolean("retry-failed", false),
            ignore_unexpected_inputs: self.boolean("ignore-unexpected-inputs", false),
            close_on_success: self.boolean("close-on-success", false),
        }
    }

    fn report(&mut self, job_name: String) -> Option<ReportInputs> {
        Some(ReportInputs {
            target: self.owned("target"),
            stage: self.owned("stage").unwrap_or(job_name),
            message: self.owned("message"),
            url: self.owned("url"),
            done: self.boolean("done", false),
            status: self.status(&Status::ALL)?,
        })
    }

    fn notify(&mut self) -> Option<NotifyInputs> {
        let mut labels = self.list("labels");
        if labels.is_empty() {
            labels.push("release-failure".to_owned());
        }
        let mention = self.list("mention");
        let mention = mention
            .iter()
            .filter_map(|name| {
                let login = Login::parse(name);
                if login.is_none() {
                    self.problems.push(format!("`mention`: `{name}` is not the name of an account"));
                }
                login
            })
            .collect();
        Some(NotifyInputs {
            message: self.owned("message"),
            title: self.owned("title"),
            labels,
            mention,
            fingerprint: self.owned("fingerprint"),
            status: self.status(&[Status::Failure, Status::Cancelled, Status::Success, Status::Skipped])?,
        })
    }

    /// The status; of several, as `join(needs.*.result)` gives them, the worst.
    fn status(&mut self, takes: &[Status]) -> Option<Status> {
        let words: Vec<&str> = takes.iter().map(|status| status.as_str()).collect();
        let given = self.list("status");
        let known = |word: &String| takes.iter().find(|status| status.as_str().eq_ignore_ascii_case(word));
        if let Some(unknown) = given.iter().find(|word| known(word).is_none()) {
            self.problems.push(format!("`status` is `{unknown}`; it takes {}", listed(&words)));
            return None;
        }
        let worst = given.iter().filter_map(known).max().copied();
        if worst.is_none() {
            self.problems.push(format!("`status` is missing; it takes {}", listed(&words)));
        }
        worst
    }
}

fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.join(""),
    }
}
