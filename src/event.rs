//! The event that started the run, from the file at `GITHUB_EVENT_PATH`.
//!
//! Of the [payloads](https://docs.github.com/webhooks/webhook-events-and-payloads) only what this
//! action uses is read; templates see the whole.

use serde_json::{Map, Value};

use crate::names::{CommentId, IssueNumber, Login, RepoName, RunId, number};
use crate::problem::Help;

/// Why the event was refused.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The file cannot be opened.
    #[error("the event at GITHUB_EVENT_PATH ({path}) cannot be read")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a JSON object.
    #[error("the event at GITHUB_EVENT_PATH ({path}) is not a JSON object")]
    Syntax {
        /// The file.
        path: String,
        /// Where it goes wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl Help for EventError {
    fn help(&self) -> Option<String> {
        Some("use this as a step of a workflow, and leave GITHUB_EVENT_PATH as the runner sets it".to_owned())
    }
}

/// The event that started the run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Event {
    payload: Map<String, Value>,
}

/// An event of a kind that anybody may bring about in a public repository.
#[derive(Debug, Clone, PartialEq)]
pub struct ByAnybody<'e> {
    /// Whether it is about a pull request.
    pub is_pull_request: bool,
    /// Whether it is about an issue that is closed.
    pub is_on_closed_issue: bool,
    /// Whether it is about an issue, and takes somebody who may triage.
    pub is_label: bool,
    /// The comment on an issue that was written, edited or deleted.
    pub comment: Option<&'e Value>,
    /// Whether a bot brought the event about.
    pub is_by_bot: bool,
    /// Who brought the event about.
    pub sender: Option<Login>,
}

/// The comment of an `issue_comment` event, by a person or a bot.
#[derive(Debug, Clone, PartialEq)]
pub struct Commented<'e> {
    /// What happened to it: `created`, `edited` or `deleted`.
    pub action: &'e str,
    /// Its id.
    pub id: CommentId,
    /// The comment in the browser.
    pub url: &'e str,
    /// Its text.
    pub body: &'e str,
    /// Who wrote it.
    pub author: Login,
    /// GitHub's id of that account.
    pub author_id: u64,
    /// Whether a bot wrote it, or brought the event about.
    pub is_by_bot: bool,
}

/// The run that a `workflow_run` event is about. Its names are text of others.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRun {
    /// Its id.
    pub id: RunId,
    /// Its attempt, from 1.
    pub attempt: u32,
    /// The workflow's name, or its file.
    pub workflow: String,
    /// By which event it was started.
    pub event: String,
    /// The branch or tag that it runs, without its repository; blank if GitHub names none.
    pub branch: String,
    /// The repository that this branch is in, where it is another one: a fork.
    pub fork: Option<RepoName>,
    /// How it ended; none as long as it has not.
    pub conclusion: Option<String>,
}

impl Event {
    /// Reads the file at `path`; without a path there is nothing to know.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is not a JSON object.
    pub fn read(path: Option<&str>) -> Result<Self, EventError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path)
            .map_err(|source| EventError::Read { path: path.to_owned(), source })?;
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        Self::parse(&text).map_err(|source| EventError::Syntax { path: path.to_owned(), source })
    }

    /// Reads an event's JSON.
    ///
    /// # Errors
    ///
    /// When it is not a JSON object.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        Ok(Self { payload: serde_json::from_str(text)? })
    }

    /// What was given by hand or by whoever started the workflow: the inputs of a
    /// `workflow_dispatch`, or the `client_payload` of a `repository_dispatch`.
    ///
    /// A `client_payload` that carries `inputs` of its own shows them beside its other properties.
    #[must_use]
    pub fn inputs(&self) -> Map<String, Value> {
        let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
        let mut inputs = object(self.payload.get("client_payload"));
        inputs.extend(object(inputs.get("inputs")));
        inputs.extend(object(self.payload.get("inputs")));
        inputs
    }

    /// One of [`Event::inputs`] as text, if it says anything.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<String> {
        let text = match self.inputs().get(name)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Null => return None,
            other => other.to_string(),
        };
        (!text.is_empty()).then_some(text)
    }

    /// The issue that the event is about; none for a pull request.
    #[must_use]
    pub fn issue(&self) -> Option<IssueNumber> {
        let issue = self.payload.get("issue")?;
        if issue.get("pull_request").is_some() {
            return None;
        }
        IssueNumber::try_from(issue.get("number")?.as_u64()?).ok()
    }

    /// The run of `repository` that the event is about.
    #[must_use]
    pub fn workflow_run(&self, repository: &RepoName) -> Option<EventRun> {
        let run = self.payload.get("workflow_run")?;
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let repository_of =
            |field: &str| run.get(field)?.get("full_name")?.as_str()?.parse::<RepoName>().ok();
        if repository_of("repository").as_ref() != Some(repository) {
            return None;
        }
        let workflow = self.payload.get("workflow");
        let names = [workflow.and_then(|workflow| workflow.get("name")), run.get("name"), run.get("path")];
        Some(EventRun {
            id: RunId::try_from(run.get("id")?.as_u64()?).ok()?,
            attempt: run
                .get("run_attempt")
                .and_then(Value::as_u64)
                .and_then(|n| n.try_into().ok())
                .unwrap_or(1),
            workflow: names.map(text).into_iter().find(|name| !name.is_empty()).unwrap_or_default(),
            event: text(run.get("event")),
            branch: text(run.get("head_branch")),
            fork: repository_of("head_repository").filter(|head| head != repository),
            conclusion: run.get("conclusion").and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// The event, if it is of a kind that anybody may bring about in a public repository.
    #[must_use]
    pub fn by_anybody(&self) -> Option<ByAnybody<'_>> {
        // Comments and issues, discussions, forks, pages of the wiki, stars.
        const OF_ANYBODY: [&str; 4] = ["issue", "discussion", "forkee", "pages"];
        let is_star = self.payload.get("action").is_some_and(|action| action == "started");
        if !is_star && !OF_ANYBODY.iter().any(|field| self.payload.contains_key(*field)) {
            return None;
        }
        let issue = self.payload.get("issue");
        let sender = self.payload.get("sender");
        let of_sender = |field: &str| sender?.get(field)?.as_str();
        Some(ByAnybody {
            is_on_closed_issue: issue
                .is_some_and(|issue| issue.get("state").is_some_and(|it| it == "closed")),
            is_pull_request: issue.is_some_and(|issue| issue.get("pull_request").is_some()),
            is_label: issue.is_some() && self.is_approval(),
            comment: self.payload.get("comment").filter(|_| issue.is_some()),
            is_by_bot: of_sender("type") == Some("Bot"),
            sender: of_sender("login").and_then(Login::parse),
        })
    }

    /// The comment on an issue that the event is about; none if the event does not say which one it is, and who wrote it.
    #[must_use]
    pub fn commented(&self) -> Option<Commented<'_>> {
        let field = |name| self.payload.get(name);
        let (_, comment) = (field("issue")?, field("comment")?);
        let user = comment.get("user")?;
        Some(Commented {
            action: field("action").and_then(Value::as_str).unwrap_or_default(),
            id: CommentId::try_from(comment.get("id")?.as_u64()?).ok()?,
            url: text(comment, "html_url"),
            body: text(comment, "body"),
            author: Login::parse(text(user, "login"))?,
            author_id: number::bounded(user.get("id")?.as_u64()?).ok()?,
            is_by_bot: is_bot(user) || field("sender").is_some_and(is_bot),
        })
    }

    /// The title or the body that the issue had when the event happened.
    #[must_use]
    pub fn issue_text(&self, field: &str) -> Option<&str> {
        match self.payload.get("issue")?.get(field)? {
            Value::String(text) => Some(text),
            Value::Null => Some(""),
            _ => None,
        }
    }

    /// Whether somebody who may triage the issue brought the event about, by a label for example: its author
    /// alone can edit it, and anybody can comment on it.
    #[must_use]
    pub fn is_approval(&self) -> bool {
        const BY_ITS_AUTHOR: [&str; 4] = ["opened", "edited", "closed", "reopened"];
        let action = self.payload.get("action").and_then(Value::as_str);
        !self.payload.contains_key("comment") && action.is_some_and(|action| !BY_ITS_AUTHOR.contains(&action))
    }

    /// The texts that hold a template. Whoever caused the event may have written them.
    #[must_use]
    pub fn templates(&self) -> Vec<&str> {
        let mut rest: Vec<&Value> = self.payload.values().collect();
        let mut texts = Vec::new();
        while let Some(value) = rest.pop() {
            match value {
                Value::String(text) => texts.push(text.as_str()),
                Value::Array(values) => rest.extend(values),
                Value::Object(values) => rest.extend(values.values()),
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
        texts.retain(|text| text.contains("{{") || text.contains("{%"));
        texts
    }

    /// The whole payload.
    #[must_use]
    pub fn payload(&self) -> &Map<String, Value> {
        &self.payload
    }
}

/// A text of an object; blank if there is none.
fn text<'v>(object: &'v Value, field: &str) -> &'v str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Whether an account of the event is a bot's.
fn is_bot(account: &Value) -> bool {
    text(account, "type") == "Bot" || Login::parse(text(account, "login")).is_some_and(|login| login.is_bot())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        Event::parse(text).expect("an event")
    }

    #[test]
    fn inputs_come_from_a_workflow_or_a_repository_dispatch() {
        for text in [
            r#"{"inputs": {"release-ticket": "acme/hub#12"}}"#,
            r#"{"action": "release", "client_payload": {"release-ticket": " acme/hub#12 "}}"#,
            r#"{"client_payload": {"inputs": {"release-ticket": "acme/hub#12"}}}"#,
        ] {
            assert_eq!(event(text).input("release-ticket").as_deref(), Some("acme/hub#12"), "{text}");
        }
        for text in
            ["{}", r#"{"inputs": null}"#, r#"{"inputs": {"release-ticket": ""}}"#, r#"{"inputs": []}"#]
        {
            assert_eq!(event(text).input("release-ticket"), None, "{text}");
        }
    }

    #[test]
    fn a_pull_request_is_no_ticket() {
        assert_eq!(event(r#"{"issue": {"number": 7}}"#).issue(), Some(IssueNumber(7)));
        assert_eq!(event(r#"{"issue": {"number": 7, "pull_request": {}}}"#).issue(), None);
        assert_eq!(event(r#"{"issue": "7"}"#).issue(), None);
    }

    fn comment(user: &Value, sender: &Value) -> Event {
        let comment = serde_json::json!({
            "id": 77, "html_url": "https://github.com/acme/hub/issues/7#issuecomment-77", "body": "/release", "user": user,
        });
        let event = serde_json::json!({
            "action": "created", "issue": { "number": 7 }, "comment": comment, "sender": sender,
        });
        Event::parse(&event.to_string()).expect("an event")
    }

    #[test]
    fn a_comment_has_an_id_and_an_author() {
        let alice = serde_json::json!({ "login": "alice", "id": 5, "type": "User" });
        let created = comment(&alice, &alice);
        let commented = created.commented().expect("a comment");
        assert_eq!((commented.action, commented.id, commented.body), ("created", CommentId(77), "/release"));
        assert_eq!((commented.author.as_str(), commented.author_id), ("alice", 5));
        assert!(!commented.is_by_bot);
        for user in [Value::Null, serde_json::json!({ "login": "alice" }), serde_json::json!({ "id": 5 })] {
            assert_eq!(comment(&user, &alice).commented(), None, "{user}");
        }
        assert_eq!(event(r#"{"issue": {"number": 7}}"#).commented(), None);
    }

    #[test]
    fn a_bot_is_known_by_its_type_or_its_name() {
        let alice = serde_json::json!({ "login": "alice", "id": 5, "type": "User" });
        for bot in [
            serde_json::json!({ "login": "helper", "id": 6, "type": "Bot" }),
            serde_json::json!({ "login": "helper[bot]", "id": 6, "type": "User" }),
        ] {
            for event in [comment(&bot, &bot), comment(&alice, &bot)] {
                assert!(event.commented().is_some_and(|commented| commented.is_by_bot), "{bot}");
            }
        }
    }

    #[test]
    fn a_run_that_the_event_is_about_is_one_of_this_repository() {
        let payload = |repository: &str, head: &str| {
            event(
                &serde_json::json!({
                    "workflow": { "name": "CI" },
                    "workflow_run": {
                        "id": 7, "run_attempt": 2, "name": "", "event": "push", "head_branch": "main",
                        "conclusion": "timed_out", "repository": { "full_name": repository },
                        "head_repository": { "full_name": head },
                    },
                })
                .to_string(),
            )
        };
        let web: RepoName = "acme/web".parse().expect("a name");
        let run = payload("acme/web", "acme/web").workflow_run(&web).expect("a run");
        assert_eq!((run.id, run.attempt, run.workflow.as_str(), run.fork), (RunId(7), 2, "CI", None));
        assert_eq!((run.branch.as_str(), run.conclusion.as_deref()), ("main", Some("timed_out")));
        let of_fork = payload("acme/web", "mallory/web").workflow_run(&web).and_then(|run| run.fork);
        assert_eq!(of_fork.map(|fork| fork.to_string()).as_deref(), Some("mallory/web"));
        assert_eq!(payload("acme/api", "acme/web").workflow_run(&web), None);
        assert_eq!(event(r#"{"workflow_run": "7"}"#).workflow_run(&web), None);
    }

    #[test]
    fn what_an_issues_author_or_anybody_can_do_approves_nothing() {
        assert!(event(r#"{"action": "labeled", "issue": {"number": 7}}"#).is_approval());
        for text in [
            r#"{"action": "opened", "issue": {"number": 7}}"#,
            r#"{"action": "edited", "issue": {"number": 7}}"#,
            r#"{"action": "created", "issue": {"number": 7}, "comment": {"body": "/release"}}"#,
            r#"{"inputs": {"release-ticket": "7"}}"#,
        ] {
            assert!(!event(text).is_approval(), "{text}");
        }
    }
}
