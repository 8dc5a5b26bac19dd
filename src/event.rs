//! The event that started the run, from the file at `GITHUB_EVENT_PATH`.
//!
//! This action reads only the fields of the [payload](https://docs.github.com/webhooks/webhook-events-and-payloads)
//! that it uses; templates see all of it.

use serde_json::{Map, Value};

use crate::names::{CommentId, IssueNumber, Login, RepoName, RunId, number};
use crate::problem::{Advice, Help, Topic};

/// Why the event was refused.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The file cannot be opened.
    #[error("the event at GITHUB_EVENT_PATH ({path}) cannot be read")]
    Read {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a JSON object.
    #[error("the event at GITHUB_EVENT_PATH ({path}) is not a JSON object")]
    Syntax {
        /// The file.
        path: String,
        /// The mistake, with its line and column.
        #[source]
        source: serde_json::Error,
    },
}

impl Help for EventError {
    fn help(&self) -> Option<Advice> {
        let text = "use this as a step of a workflow, and leave GITHUB_EVENT_PATH as the runner sets it";
        Some(Topic::Runner.advice(text))
    }
}

/// The event that started the run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Event {
    payload: Map<String, Value>,
}

/// An event that anybody can cause in a public repository.
#[derive(Debug, Clone, PartialEq)]
pub struct PublicEvent<'e> {
    /// Whether it is about a pull request.
    pub is_pull_request: bool,
    /// Whether it is about an issue that is closed.
    pub is_on_closed_issue: bool,
    /// Whether it is about an issue, and takes at least the role `triage`.
    pub is_label: bool,
    /// The comment on an issue that was written, edited or deleted.
    pub comment: Option<&'e Value>,
    /// Whether a bot caused the event.
    pub is_by_bot: bool,
    /// The account that caused the event.
    pub sender: Option<Login>,
}

/// The comment of an `issue_comment` event, by a person or a bot.
#[derive(Debug, Clone, PartialEq)]
pub struct EventComment<'e> {
    /// GitHub's word for the change: `created`, `edited` or `deleted`.
    pub action: &'e str,
    /// Its id.
    pub id: CommentId,
    /// The comment in the browser.
    pub url: &'e str,
    /// Its text.
    pub body: &'e str,
    /// The account that wrote it.
    pub author: Login,
    /// GitHub's id of that account.
    pub author_id: u64,
    /// Whether a bot wrote it, or caused the event.
    pub is_by_bot: bool,
}

/// The run that a `workflow_run` event is about. Other people chose its names.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRun {
    /// Its id.
    pub id: RunId,
    /// Its attempt, from 1.
    pub attempt: u32,
    /// The workflow's name, or its file.
    pub workflow: String,
    /// The name of the event that started it.
    pub event: String,
    /// The branch or tag that it runs, without its repository; blank if GitHub names none.
    pub branch: String,
    /// The fork that has this branch; `None` for a branch of the run's own repository.
    pub fork: Option<RepoName>,
    /// GitHub's word for its end; `None` before that.
    pub conclusion: Option<String>,
}

impl Event {
    /// Reads the file at `path`. Without a path, or from a blank file, the event is empty.
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

    /// The inputs of a `workflow_dispatch`, or the `client_payload` of a `repository_dispatch`.
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

    /// One of [`Event::inputs`] as text; `None` if it is missing or blank.
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

    /// The event, if anybody can cause it in a public repository.
    #[must_use]
    pub fn public_event(&self) -> Option<PublicEvent<'_>> {
        // Comments and issues, discussions, forks, pages of the wiki, stars.
        const SUBJECTS: [&str; 4] = ["issue", "discussion", "forkee", "pages"];
        let is_star = self.payload.get("action").is_some_and(|action| action == "started");
        if !is_star && !SUBJECTS.iter().any(|field| self.payload.contains_key(*field)) {
            return None;
        }
        let issue = self.payload.get("issue");
        let sender = self.payload.get("sender");
        let sender_text = |field: &str| sender?.get(field)?.as_str();
        Some(PublicEvent {
            is_on_closed_issue: issue
                .is_some_and(|issue| issue.get("state").is_some_and(|it| it == "closed")),
            is_pull_request: issue.is_some_and(|issue| issue.get("pull_request").is_some()),
            is_label: issue.is_some() && self.is_approval(),
            comment: self.payload.get("comment").filter(|_| issue.is_some()),
            is_by_bot: sender_text("type") == Some("Bot"),
            sender: sender_text("login").and_then(Login::parse),
        })
    }

    /// The comment on an issue that the event is about; `None` without its id or its author.
    #[must_use]
    pub fn event_comment(&self) -> Option<EventComment<'_>> {
        let field = |name| self.payload.get(name);
        let (_, comment) = (field("issue")?, field("comment")?);
        let user = comment.get("user")?;
        Some(EventComment {
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

    /// Whether the event takes at least the role `triage`, as a label does. Without that role the author of an issue
    /// can edit it, and anybody can comment on it.
    #[must_use]
    pub fn is_approval(&self) -> bool {
        const AUTHOR_ACTIONS: [&str; 4] = ["opened", "edited", "closed", "reopened"];
        let action = self.payload.get("action").and_then(Value::as_str);
        !self.payload.contains_key("comment")
            && action.is_some_and(|action| !AUTHOR_ACTIONS.contains(&action))
    }

    /// The texts that hold a template. The person who caused the event may have written them.
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
        let event_comment = created.event_comment().expect("a comment");
        assert_eq!(
            (event_comment.action, event_comment.id, event_comment.body),
            ("created", CommentId(77), "/release")
        );
        assert_eq!((event_comment.author.as_str(), event_comment.author_id), ("alice", 5));
        assert!(!event_comment.is_by_bot);
        for user in [Value::Null, serde_json::json!({ "login": "alice" }), serde_json::json!({ "id": 5 })] {
            assert_eq!(comment(&user, &alice).event_comment(), None, "{user}");
        }
        assert_eq!(event(r#"{"issue": {"number": 7}}"#).event_comment(), None);
    }

    #[test]
    fn a_bot_is_known_by_its_type_or_its_name() {
        let alice = serde_json::json!({ "login": "alice", "id": 5, "type": "User" });
        for bot in [
            serde_json::json!({ "login": "helper", "id": 6, "type": "Bot" }),
            serde_json::json!({ "login": "helper[bot]", "id": 6, "type": "User" }),
        ] {
            for event in [comment(&bot, &bot), comment(&alice, &bot)] {
                assert!(event.event_comment().is_some_and(|event_comment| event_comment.is_by_bot), "{bot}");
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
