//! One request inside the simulation: the input and the output of a route.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{HeaderName, LINK, LOCATION};
use chrono::{DateTime, SubsecRound, Utc};
use serde_json::{Map, Value, json};

use crate::issue::Issue;
use crate::replicas::Text;
use crate::repository::{RepoKey, RepositoryData, Slot};
use crate::state::State;
use crate::token::Caller;

/// The input of a route.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) caller: Caller,
    /// The repository in the path; of no meaning for routes without one.
    pub(crate) key: RepoKey,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) path: String,
    pub(crate) body: Value,
    pub(crate) accept: String,
    pub(crate) now: DateTime<Utc>,
    /// The lag of the replica that a write reads first.
    pub(crate) lag: Duration,
}

/// The output of a route. `Err` is a reply, too: it lets a route return early.
pub(crate) type Answer = Result<Reply, Reply>;

/// An answer without the common headers.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, String)>,
    pub(crate) body: Payload,
}

#[derive(Debug, Clone)]
pub(crate) enum Payload {
    Empty,
    Json(Value),
    Text { kind: &'static str, text: String },
    Bytes(Vec<u8>),
}

impl Reply {
    pub(crate) fn json(status: StatusCode, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Payload::Json(body) }
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(crate) fn created(body: Value) -> Self {
        Self::json(StatusCode::CREATED, body)
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Payload::Empty }
    }

    pub(crate) fn no_content() -> Self {
        Self::empty(StatusCode::NO_CONTENT)
    }

    pub(crate) fn text(kind: &'static str, text: String) -> Self {
        Self { status: StatusCode::OK, headers: Vec::new(), body: Payload::Text { kind, text } }
    }

    /// A refusal in GitHub's form.
    pub(crate) fn refusal(status: StatusCode, message: impl Into<String>) -> Self {
        let body = json!({
            "message": message.into(),
            "documentation_url": "https://docs.github.com/rest",
            "status": status.as_str(),
        });
        Self::json(status, body)
    }

    pub(crate) fn not_found() -> Self {
        Self::refusal(StatusCode::NOT_FOUND, "Not Found")
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::refusal(StatusCode::FORBIDDEN, message)
    }

    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::refusal(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// The 422 with a list of invalid fields.
    pub(crate) fn invalid(errors: Value) -> Self {
        let mut reply = Self::unprocessable("Validation Failed");
        if let Payload::Json(body) = &mut reply.body {
            body["errors"] = errors;
        }
        reply
    }

    pub(crate) fn redirect(status: StatusCode, url: String) -> Self {
        // GitHub gives this message with a 307, too.
        let mut reply = Self::refusal(status, "Moved Permanently");
        if let Payload::Json(body) = &mut reply.body {
            body["url"] = json!(url);
        }
        reply.header(LOCATION, url)
    }

    pub(crate) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Call<'_> {
    // The path and the query.

    pub(crate) fn param(&self, name: &str) -> &str {
        let pair = self.params.iter().find(|(key, _)| key == name);
        pair.map_or("", |(_, value)| value)
    }

    /// A number in the path. Another text there is a 404.
    pub(crate) fn number(&self, name: &str) -> Result<u64, Reply> {
        self.param(name).parse().map_err(|_| Reply::not_found())
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let pair = self.query.iter().find(|(key, _)| key == name);
        pair.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The moment in `since`, to whole seconds.
    pub(crate) fn since(&self) -> Result<Option<DateTime<Utc>>, Reply> {
        let Some(text) = self.query("since") else {
            return Ok(None);
        };
        match DateTime::parse_from_rfc3339(text) {
            Ok(since) => Ok(Some(since.to_utc().trunc_subsecs(0))),
            Err(_) => Err(Reply::unprocessable(format!("Invalid since: {text}"))),
        }
    }

    // The body.

    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        self.body.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Reply> {
        match self.field(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(wrong_type(name, other, "string")),
        }
    }

    pub(crate) fn required_text(&self, name: &str) -> Result<String, Reply> {
        self.text(name)?
            .ok_or_else(|| Reply::unprocessable(format!("Invalid request.\n\n\"{name}\" wasn't supplied.")))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Reply> {
        match self.field(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(wrong_type(name, other, "boolean")),
        }
    }

    pub(crate) fn object(&self, name: &str) -> Result<Map<String, Value>, Reply> {
        match self.field(name) {
            None => Ok(Map::new()),
            Some(Value::Object(object)) => Ok(object.clone()),
            Some(other) => Err(wrong_type(name, other, "object")),
        }
    }

    /// A list of names: texts, or objects with a name under `key`.
    pub(crate) fn names(&self, field: &str, key: &str) -> Result<Option<Vec<String>>, Reply> {
        // The body may be the list itself.
        let list = match &self.body {
            Value::Array(_) => Some(&self.body),
            _ => self.field(field),
        };
        let Some(list) = list else { return Ok(None) };
        let Some(items) = list.as_array() else {
            return Err(wrong_type(field, list, "array"));
        };
        let names = items.iter().map(|item| {
            let name = item.as_str().or_else(|| item.get(key)?.as_str());
            name.map(str::to_owned).ok_or_else(|| wrong_type(field, item, "string"))
        });
        names.collect::<Result<_, _>>().map(Some)
    }

    // The objects in the path.

    pub(crate) fn repository(&self) -> Result<&RepositoryData, Reply> {
        self.state.repository(&self.key).ok_or_else(Reply::not_found)
    }

    pub(crate) fn repository_mut(&mut self) -> Result<&mut RepositoryData, Reply> {
        self.state.repository_mut(&self.key).ok_or_else(Reply::not_found)
    }

    /// Fails if issues are off in the repository.
    pub(crate) fn issues_are_on(&self) -> Result<(), Reply> {
        match self.repository()?.has_issues {
            true => Ok(()),
            false => Err(Reply::refusal(StatusCode::GONE, "Issues has been disabled in this repository.")),
        }
    }

    /// The issue in the path.
    pub(crate) fn issue(&self) -> Result<&Issue, Reply> {
        self.issues_are_on()?;
        let number = self.number("issue_number")?;
        match self.repository()?.issues.get(&number) {
            Some(Slot::Here(issue)) => Ok(issue),
            Some(Slot::Deleted) => Err(Reply::refusal(StatusCode::GONE, "This issue was deleted")),
            // GitHub redirects the issue alone: a path below it is a 404.
            Some(Slot::Moved { repository, number }) if !self.is_below_issue() => {
                let id = self.state.repository(repository).ok_or_else(Reply::not_found)?.id;
                let url = self.state.links.api(format!("/repositories/{id}/issues/{number}"));
                Err(Reply::redirect(StatusCode::MOVED_PERMANENTLY, url))
            }
            Some(Slot::Moved { .. }) => Err(Reply::not_found()),
            None => Err(Reply::not_found()),
        }
    }

    fn is_below_issue(&self) -> bool {
        !self.path.ends_with(&format!("/issues/{}", self.param("issue_number")))
    }

    pub(crate) fn issue_mut(&mut self) -> Result<&mut Issue, Reply> {
        let number = self.issue()?.number;
        let issue = self.repository_mut()?.issue_mut(number);
        issue.ok_or_else(Reply::not_found)
    }

    /// Notes that the caller wrote an issue, for replicas that show own writes.
    pub(crate) fn note_issue(&mut self, number: u64) {
        self.note_write(Text::Issue(self.key.clone(), number));
    }

    /// Notes that the caller wrote a comment on an issue.
    pub(crate) fn note_comment(&mut self, number: u64, id: u64) {
        self.note_write(Text::Comment(self.key.clone(), number, id));
    }

    fn note_write(&mut self, text: Text) {
        let at = self.state.now();
        if let Some(token) = self.caller.secret() {
            self.state.replicas.note_write(token, at, text);
        }
    }

    /// Whether the caller has push access to the repository.
    pub(crate) fn can_push(&self) -> bool {
        let token = self.caller.secret().and_then(|it| self.state.token(it));
        token.is_some_and(|token| token.can_push(&self.key))
    }

    /// The full name of the repository, for the story.
    pub(crate) fn place(&self) -> String {
        let data = self.state.repository(&self.key);
        data.map(RepositoryData::full_name).unwrap_or_default()
    }

    pub(crate) fn issue_place(&self, number: u64) -> String {
        format!("{}#{number}", self.place())
    }

    // Lists.

    /// The page of a list for the query, and its `Link` header.
    pub(crate) fn page<T>(&self, items: Vec<T>) -> (Vec<T>, Option<String>) {
        let positive = |name: &str, default: usize| {
            let number = self.query(name).and_then(|value| value.parse().ok());
            number.filter(|value| *value > 0).unwrap_or(default)
        };
        let per_page = positive("per_page", 30).min(100);
        let page = positive("page", 1);
        let last = items.len().div_ceil(per_page).max(1);
        let link = |rel: &str, page: usize| format!("<{}>; rel=\"{rel}\"", self.page_url(page));
        let mut links = Vec::new();
        if page > 1 {
            links.push(link("prev", page - 1));
        }
        if page < last {
            links.push(link("next", page + 1));
            links.push(link("last", last));
        }
        if page > 1 {
            links.push(link("first", 1));
        }
        let items = items.into_iter().skip((page - 1).saturating_mul(per_page)).take(per_page);
        let links = (!links.is_empty()).then(|| links.join(", "));
        (items.collect(), links)
    }

    fn page_url(&self, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let others = self.query.iter().filter(|(name, _)| name != "page");
        query.extend_pairs(others);
        query.append_pair("page", &page.to_string());
        let url = self.state.links.api(&self.path);
        format!("{url}?{}", query.finish())
    }

    /// A page of a plain list.
    pub(crate) fn list(&self, items: Vec<Value>) -> Reply {
        let (items, links) = self.page(items);
        with_links(Reply::ok(Value::Array(items)), links)
    }

    /// A page of a list in an object with the length of the whole list.
    pub(crate) fn counted_list(&self, name: &str, items: Vec<Value>) -> Reply {
        let total = items.len();
        let (items, links) = self.page(items);
        with_links(Reply::ok(json!({ "total_count": total, name: items })), links)
    }
}

fn with_links(reply: Reply, links: Option<String>) -> Reply {
    match links {
        Some(links) => reply.header(LINK, links),
        None => reply,
    }
}

fn wrong_type(name: &str, value: &Value, kind: &str) -> Reply {
    let article = if matches!(kind, "array" | "object") { "an" } else { "a" };
    Reply::unprocessable(format!(
        "Invalid request.\n\nFor 'properties/{name}', {value} is not {article} {kind}."
    ))
}
