//! Labels, of a repository and on an issue.

use serde_json::{Value, json};

use crate::call::{Answer, Call, Reply};
use crate::issue::is_long_label;
use crate::json;

use super::issues::{add_labels, invalid_labels, remove_label, set_labels};

pub(super) fn list(call: Call<'_>) -> Answer {
    let repository = call.repository()?;
    let labels = repository.labels.iter();
    let objects = labels.map(|label| json::label(&call.state.links, repository, label));
    Ok(call.list(objects.collect()))
}

pub(super) fn get(call: Call<'_>) -> Answer {
    label_object(&call, call.param("name")).map(Reply::ok)
}

pub(super) fn create(call: Call<'_>) -> Answer {
    let name = call.required_text("name")?;
    let color = call.text("color")?.unwrap_or_else(|| "ededed".into());
    let description = call.text("description")?;
    if is_long_label(&name) {
        let problem = json!({
            "resource": "Label", "code": "custom", "field": "name",
            "message": "name is too long (maximum is 50 characters)",
        });
        return Err(Reply::invalid(json!([problem])));
    }
    if call.repository()?.label(&name).is_some() {
        let problem = json!({ "resource": "Label", "code": "already_exists", "field": "name" });
        return Err(Reply::invalid(json!([problem])));
    }
    call.state.create_label(&call.key, &name, color.trim_start_matches('#'), description);
    let place = call.place();
    call.state.note_change(place, format_args!("label {name} created"));
    label_object(&call, &name).map(Reply::created)
}

pub(super) fn of_issue(call: Call<'_>) -> Answer {
    let issue = call.issue()?;
    let labels = json::labels(&call.state.links, call.repository()?, issue);
    Ok(call.list(labels))
}

pub(super) fn add(mut call: Call<'_>) -> Answer {
    let number = issue_to_label(&call)?;
    let labels = labels_of(&call)?;
    add_labels(&mut call, number, &labels)?;
    all(&call)
}

pub(super) fn set(mut call: Call<'_>) -> Answer {
    let number = issue_to_label(&call)?;
    let labels = labels_of(&call)?;
    set_labels(&mut call, number, &labels)?;
    all(&call)
}

pub(super) fn remove(mut call: Call<'_>) -> Answer {
    let number = issue_to_label(&call)?;
    let label = call.param("name").to_owned();
    if !remove_label(&mut call, number, &label)? {
        let status = axum::http::StatusCode::NOT_FOUND;
        return Err(Reply::refusal(status, "Label does not exist"));
    }
    all(&call)
}

pub(super) fn remove_all(mut call: Call<'_>) -> Answer {
    let number = issue_to_label(&call)?;
    set_labels(&mut call, number, &[])?;
    Ok(Reply::no_content())
}

/// The number of the issue, for callers that may label it.
fn issue_to_label(call: &Call<'_>) -> Result<u64, Reply> {
    let number = call.issue()?.number;
    match call.can_push() {
        true => Ok(number),
        false => Err(Reply::forbidden("Must have admin rights to Repository.")),
    }
}

/// The labels that the body names.
fn labels_of(call: &Call<'_>) -> Result<Vec<String>, Reply> {
    let labels = call.names("labels", "name")?.unwrap_or_default();
    let problems = invalid_labels(&labels);
    if problems.is_empty() { Ok(labels) } else { Err(Reply::invalid(Value::Array(problems))) }
}

fn all(call: &Call<'_>) -> Answer {
    let labels = json::labels(&call.state.links, call.repository()?, call.issue()?);
    Ok(Reply::ok(Value::Array(labels)))
}

fn label_object(call: &Call<'_>, name: &str) -> Result<Value, Reply> {
    let repository = call.repository()?;
    let label = repository.label(name).ok_or_else(Reply::not_found)?;
    Ok(json::label(&call.state.links, repository, label))
}
