//! Issues.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::call::{Answer, Call, Reply};
use crate::issue::{Issue, LONGEST_BODY, is_long_label, same, too_long};
use crate::json;

pub(super) fn issue_object(call: &Call<'_>, number: u64) -> Result<Value, Reply> {
    let repository = call.repository()?;
    let issue = repository.issue(number).ok_or_else(Reply::not_found)?;
    Ok(json::issue(&call.state.links, repository, issue))
}

pub(super) fn get(call: Call<'_>) -> Answer {
    let number = call.issue()?.number;
    issue_object(&call, number).map(Reply::ok)
}

pub(super) fn list(call: Call<'_>) -> Answer {
    call.issues_are_on()?;
    let filter = Filter::parse(&call)?;
    let repository = call.repository()?;
    let mut issues: Vec<&Issue> = repository.all_issues().filter(|issue| filter.includes(issue)).collect();
    match call.query("sort").unwrap_or("created") {
        "updated" => issues.sort_by_key(|issue| (issue.updated_at, issue.number)),
        "comments" => issues.sort_by_key(|issue| (issue.comments.len(), issue.number)),
        _ => issues.sort_by_key(|issue| (issue.created_at, issue.number)),
    }
    if call.query("direction") != Some("asc") {
        issues.reverse();
    }
    let links = &call.state.links;
    let objects = issues.into_iter().map(|it| json::issue(links, repository, it));
    Ok(call.list(objects.collect()))
}

/// The filter in the query of a list of issues.
struct Filter {
    state: String,
    labels: Vec<String>,
    creator: Option<String>,
    assignee: Option<String>,
    since: Option<DateTime<Utc>>,
}

impl Filter {
    fn parse(call: &Call<'_>) -> Result<Self, Reply> {
        let text = |name: &str| call.query(name).map(str::to_owned);
        let labels = call.query("labels").unwrap_or_default().split(',');
        let labels = labels.map(|label| label.trim().to_owned());
        Ok(Self {
            state: text("state").unwrap_or_else(|| "open".into()),
            labels: labels.filter(|label| !label.is_empty()).collect(),
            creator: text("creator"),
            assignee: text("assignee"),
            since: call.since()?,
        })
    }

    fn includes(&self, issue: &Issue) -> bool {
        let has_label = |label: &String| issue.labels.iter().any(|one| same(one, label));
        let is_assigned = match self.assignee.as_deref() {
            None => true,
            Some("none") => issue.assignees.is_empty(),
            Some("*") => !issue.assignees.is_empty(),
            Some(login) => issue.assignees.iter().any(|one| same(one, login)),
        };
        (self.state == "all" || self.state == issue.state)
            && self.labels.iter().all(has_label)
            && is_assigned
            && self.creator.as_ref().is_none_or(|it| same(it, &issue.author))
            && self.since.is_none_or(|since| issue.updated_at >= since)
    }
}

pub(super) fn create(mut call: Call<'_>) -> Answer {
    call.issues_are_on()?;
    let title = call.required_text("title")?;
    let body = call.text("body")?.unwrap_or_default();
    let mut problems = Vec::new();
    if title.trim().is_empty() {
        problems.push(json!({ "resource": "Issue", "code": "missing_field", "field": "title" }));
    }
    if too_long(&body) {
        problems.push(body_too_long("Issue"));
    }
    let labels = call.names("labels", "name")?.unwrap_or_default();
    let assignees = assignees(&call)?.unwrap_or_default();
    if call.can_push() {
        problems.extend(unassignable(&call, &assignees)?);
        problems.extend(invalid_labels(&labels));
    }
    if !problems.is_empty() {
        return Err(Reply::invalid(Value::Array(problems)));
    }
    let author = call.caller.login().to_owned();
    let number = call.state.open_issue(&call.key, &title, &body, &author);
    let number = number.ok_or_else(Reply::not_found)?;
    let place = call.issue_place(number);
    call.state.note_change(&place, format_args!("opened by {author}: {title}"));
    if call.can_push() {
        add_labels(&mut call, number, &labels)?;
        add_assignees(&mut call, number, &assignees)?;
    }
    call.note_issue(number);
    let issue = issue_object(&call, number)?;
    let url = issue["url"].as_str().unwrap_or_default().to_owned();
    Ok(Reply::created(issue).header(axum::http::header::LOCATION, url))
}

pub(super) fn body_too_long(resource: &str) -> Value {
    json!({
        "resource": resource,
        "code": "custom",
        "field": "body",
        "message": format!("body is too long (maximum is {LONGEST_BODY} characters)"),
    })
}

/// A problem for each label that GitHub refuses on any issue. It names the label and gives no reason.
pub(super) fn invalid_labels(labels: &[String]) -> Vec<Value> {
    let invalid = labels.iter().filter(|label| label.trim().is_empty() || is_long_label(label));
    let problem = |label| json!({ "value": label, "resource": "Label", "field": "name", "code": "invalid" });
    invalid.map(problem).collect()
}

/// The logins in `assignees`, or the login that older clients send as `assignee`.
fn assignees(call: &Call<'_>) -> Result<Option<Vec<String>>, Reply> {
    match call.names("assignees", "login")? {
        Some(assignees) => Ok(Some(assignees)),
        None => Ok(call.text("assignee")?.map(|login| vec![login])),
    }
}

/// A problem for each login that cannot be assigned.
fn unassignable(call: &Call<'_>, logins: &[String]) -> Result<Vec<Value>, Reply> {
    let repository = call.repository()?;
    let strangers = logins.iter().filter(|it| !repository.can_be_assigned(it));
    Ok(strangers
        .map(|login| {
            json!({
                "resource": "Issue", "code": "invalid", "field": "assignees", "value": login,
            })
        })
        .collect())
}

/// Changes the fields that the body names, in the order of GitHub's own timeline.
///
/// A text that is too long does not replace the old one, and the answer is 200 all the same. Without push
/// access, labels and assignees do not change.
pub(super) fn update(mut call: Call<'_>) -> Answer {
    let number = call.issue()?.number;
    if !call.can_push() && !call.caller.is(&call.issue()?.author) {
        return Err(Reply::forbidden("Must have admin rights to Repository."));
    }
    let title = call.text("title")?;
    if title.as_ref().is_some_and(|title| title.trim().is_empty()) {
        let problem = json!({ "resource": "Issue", "code": "missing_field", "field": "title" });
        return Err(Reply::invalid(json!([problem])));
    }
    let body = match call.body.get("body") {
        Some(Value::Null) => Some(String::new()),
        _ => call.text("body")?,
    };
    let state = state_change(&call)?;
    let labels = call.names("labels", "name")?;
    let assignees = assignees(&call)?;
    if call.can_push() {
        let mut problems = unassignable(&call, assignees.as_deref().unwrap_or_default())?;
        problems.extend(invalid_labels(labels.as_deref().unwrap_or_default()));
        if !problems.is_empty() {
            return Err(Reply::invalid(Value::Array(problems)));
        }
    }
    if let Some(title) = title {
        retitle(&mut call, number, &title)?;
    }
    if let Some(body) = body.filter(|body| !too_long(body)) {
        rewrite(&mut call, number, &body)?;
    }
    if call.can_push() {
        if let Some(labels) = labels {
            set_labels(&mut call, number, &labels)?;
        }
        if let Some(assignees) = assignees {
            keep_assignees(&mut call, number, &assignees)?;
            add_assignees(&mut call, number, &assignees)?;
        }
    }
    if let Some((state, reason)) = state {
        change_state(&mut call, number, &state, reason.as_deref())?;
    }
    call.note_issue(number);
    issue_object(&call, number).map(Reply::ok)
}

type StateChange = Option<(String, Option<String>)>;

fn state_change(call: &Call<'_>) -> Result<StateChange, Reply> {
    const REASONS: [&str; 4] = ["completed", "not_planned", "duplicate", "reopened"];
    let invalid = |field: &str, value: &str| {
        let problem = json!({
            "resource": "Issue", "code": "invalid", "field": field, "value": value,
        });
        Reply::invalid(json!([problem]))
    };
    let reason = call.text("state_reason")?;
    if let Some(reason) = reason.as_deref().filter(|it| !REASONS.contains(it)) {
        return Err(invalid("state_reason", reason));
    }
    match call.text("state")? {
        Some(state) if !matches!(state.as_str(), "open" | "closed") => Err(invalid("state", &state)),
        Some(state) => Ok(Some((state, reason))),
        None => Ok(None),
    }
}

fn retitle(call: &mut Call<'_>, number: u64, title: &str) -> Result<(), Reply> {
    let now = call.now;
    let issue = call.issue_mut()?;
    if issue.title == title {
        return Ok(());
    }
    issue.title = title.into();
    issue.updated_at = now;
    let place = call.issue_place(number);
    call.state.note_change(place, format_args!("retitled: {title}"));
    Ok(())
}

fn rewrite(call: &mut Call<'_>, number: u64, body: &str) -> Result<(), Reply> {
    let now = call.now;
    let issue = call.issue_mut()?;
    if issue.body == body {
        return Ok(());
    }
    issue.body = body.into();
    issue.updated_at = now;
    let place = call.issue_place(number);
    call.state.note_change(place, "body edited");
    Ok(())
}

/// A reason counts only with a change of state, or if a closed issue gets another reason.
fn change_state(call: &mut Call<'_>, number: u64, state: &str, reason: Option<&str>) -> Result<(), Reply> {
    let now = call.now;
    let place = call.issue_place(number);
    let login = call.caller.login().to_owned();
    let duplicate_of = call.field("duplicate_issue_id").and_then(Value::as_u64);
    let issue = call.issue_mut()?;
    let line = match (issue.is_open(), state) {
        (false, "open") => {
            issue.reopen(now);
            "reopened".to_owned()
        }
        (is_open, "closed") => {
            let reason = reason.unwrap_or("completed");
            if !is_open && issue.state_reason.as_deref() == Some(reason) {
                return Ok(());
            }
            issue.close(reason, &login, now);
            issue.duplicate_of = duplicate_of.filter(|_| reason == "duplicate");
            format!("closed as {reason}")
        }
        _ => return Ok(()),
    };
    call.state.note_change(place, line);
    Ok(())
}

/// Adds the labels that the issue lacks.
pub(super) fn add_labels(call: &mut Call<'_>, number: u64, labels: &[String]) -> Result<(), Reply> {
    for label in labels {
        let label = call.state.ensure_label(&call.key, label);
        let (now, place) = (call.now, call.issue_place(number));
        let issue = call.repository_mut()?.issue_mut(number);
        let issue = issue.ok_or_else(Reply::not_found)?;
        if issue.labels.iter().any(|one| same(one, &label)) {
            continue;
        }
        issue.labels.push(label.clone());
        issue.updated_at = now;
        call.state.note_change(place, format_args!("labelled {label}"));
    }
    Ok(())
}

/// Removes a label, and says whether the issue had it.
pub(super) fn remove_label(call: &mut Call<'_>, number: u64, label: &str) -> Result<bool, Reply> {
    let now = call.now;
    let issue = call.issue_mut()?;
    let Some(at) = issue.labels.iter().position(|one| same(one, label)) else {
        return Ok(false);
    };
    let label = issue.labels.remove(at);
    issue.updated_at = now;
    let place = call.issue_place(number);
    call.state.note_change(place, format_args!("unlabelled {label}"));
    Ok(true)
}

/// Makes these the issue's only labels.
pub(super) fn set_labels(call: &mut Call<'_>, number: u64, labels: &[String]) -> Result<(), Reply> {
    for label in call.issue()?.labels.clone() {
        if !labels.iter().any(|one| same(one, &label)) {
            remove_label(call, number, &label)?;
        }
    }
    add_labels(call, number, labels)
}

/// Assigns the people who can be assigned and are not yet.
pub(super) fn add_assignees(call: &mut Call<'_>, number: u64, logins: &[String]) -> Result<(), Reply> {
    for login in logins {
        let (now, place) = (call.now, call.issue_place(number));
        let login = call.state.user(login).unwrap_or_else(|| login.clone());
        let repository = call.repository_mut()?;
        let assignable = repository.can_be_assigned(&login);
        let issue = repository.issue_mut(number).ok_or_else(Reply::not_found)?;
        if !assignable || issue.assignees.iter().any(|one| same(one, &login)) {
            continue;
        }
        issue.assignees.push(login.clone());
        issue.updated_at = now;
        call.state.note_change(place, format_args!("assigned {login}"));
    }
    Ok(())
}

/// Unassigns everyone who is not among `logins`.
fn keep_assignees(call: &mut Call<'_>, number: u64, logins: &[String]) -> Result<(), Reply> {
    let assignees = call.issue()?.assignees.clone();
    let surplus = assignees.into_iter().filter(|login| !logins.iter().any(|one| same(one, login)));
    remove_assignees(call, number, &surplus.collect::<Vec<_>>())
}

pub(super) fn remove_assignees(call: &mut Call<'_>, number: u64, logins: &[String]) -> Result<(), Reply> {
    for login in logins {
        let (now, place) = (call.now, call.issue_place(number));
        let issue = call.issue_mut()?;
        let Some(at) = issue.assignees.iter().position(|one| same(one, login)) else {
            continue;
        };
        let login = issue.assignees.remove(at);
        issue.updated_at = now;
        call.state.note_change(place, format_args!("unassigned {login}"));
    }
    Ok(())
}

pub(super) fn lock(mut call: Call<'_>) -> Answer {
    let reason = call.text("lock_reason")?;
    set_lock(&mut call, true, reason)
}

pub(super) fn unlock(mut call: Call<'_>) -> Answer {
    set_lock(&mut call, false, None)
}

fn set_lock(call: &mut Call<'_>, is_locked: bool, reason: Option<String>) -> Answer {
    if !call.can_push() {
        return Err(Reply::forbidden("Must have admin rights to Repository."));
    }
    let issue = call.issue_mut()?;
    let number = issue.number;
    issue.lock_reason = reason;
    if issue.is_locked != is_locked {
        issue.is_locked = is_locked;
        let place = call.issue_place(number);
        let change = if is_locked { "locked" } else { "unlocked" };
        call.state.note_change(place, change);
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
