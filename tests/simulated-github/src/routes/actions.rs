//! Workflows, and the two ways to start them.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::call::{Answer, Call, Reply};
use crate::json;
use crate::repository::DispatchEvent;
use crate::state::{Ghes, Start};
use crate::workflow::{MOST_INPUTS, MOST_INPUTS_BEFORE_3_21, Workflow, file_name};

pub(super) fn list(call: Call<'_>) -> Answer {
    let repository = call.repository()?;
    let workflows = repository.workflows.iter();
    let objects = workflows.map(|it| json::workflow(&call.state.links, repository, it));
    Ok(call.counted_list("workflows", objects.collect()))
}

pub(super) fn get(call: Call<'_>) -> Answer {
    let workflow = workflow(&call)?;
    let object = json::workflow(&call.state.links, call.repository()?, &workflow);
    Ok(Reply::ok(object))
}

/// The workflow in the path, by file name or id.
pub(super) fn workflow(call: &Call<'_>) -> Result<Workflow, Reply> {
    let workflow = call.repository()?.workflow(call.param("workflow_id"));
    workflow.cloned().ok_or_else(Reply::not_found)
}

pub(super) fn dispatch(call: Call<'_>) -> Answer {
    let workflow = workflow(&call)?;
    if !workflow.is_enabled {
        return Err(Reply::unprocessable("Cannot trigger a 'workflow_dispatch' on a disabled workflow"));
    }
    if !call.repository()?.has_actions {
        return Err(Reply::unprocessable("Actions has been disabled for this repository."));
    }
    let wants_details = wants_details(&call)?;
    let git_ref = call.required_text("ref")?;
    let values = call.object("inputs")?;
    let repository = call.repository()?;
    let Some(branch) = repository.branch_or_tag(&git_ref) else {
        return Err(Reply::unprocessable(format!("No ref found for: {git_ref}")));
    };
    let definition = repository
        .definition(branch, &workflow.path)
        .filter(|definition| definition.starts_on("workflow_dispatch"))
        .ok_or_else(|| Reply::unprocessable("Workflow does not have 'workflow_dispatch' trigger"))?;
    let inputs = definition.inputs(&values, most_inputs(&call)).map_err(Reply::unprocessable)?;
    let actor = call.caller.login().to_owned();
    let start = Start {
        path: &workflow.path,
        git_ref: branch,
        event: "workflow_dispatch",
        inputs,
        event_type: None,
        client_payload: Value::Null,
        actor: &actor,
    };
    let id = call.state.start_run(&call.key, start);
    let id = id.ok_or_else(Reply::not_found)?;
    let line = format!("started {} at {branch}{}", workflow.file(), input_list(&values));
    let place = call.place();
    call.state.note_change(&place, line);
    call.state.announce(id);
    if !wants_details {
        return Ok(Reply::no_content());
    }
    let links = &call.state.links;
    Ok(Reply::ok(json!({
        "workflow_run_id": id,
        "run_url": links.api(format!("/repos/{place}/actions/runs/{id}")),
        "html_url": links.web(format!("/{place}/actions/runs/{id}")),
    })))
}

/// Whether the answer should contain the run. Releases before 3.21 refuse this.
fn wants_details(call: &Call<'_>) -> Result<bool, Reply> {
    let is_old = call.state.ghes.is_some_and(|release| release < Ghes(3, 21));
    if is_old && call.body.get("return_run_details").is_some() {
        return Err(Reply::unprocessable(
            "Invalid request.\n\n\"return_run_details\" is not a permitted key.",
        ));
    }
    call.flag("return_run_details")
}

fn most_inputs(call: &Call<'_>) -> usize {
    match call.state.ghes {
        Some(release) if release < Ghes(3, 21) => MOST_INPUTS_BEFORE_3_21,
        _ => MOST_INPUTS,
    }
}

/// The inputs of a run, for the story: ` (channel=beta, draft=true)`.
fn input_list(inputs: &Map<String, Value>) -> String {
    let pairs: Vec<String> = inputs
        .iter()
        .map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name}={text}"),
            None => format!("{name}={value}"),
        })
        .collect();
    match pairs.is_empty() {
        true => String::new(),
        false => format!(" ({})", pairs.join(", ")),
    }
}

pub(super) fn repository_dispatch(mut call: Call<'_>) -> Answer {
    let event_type = call.required_text("event_type")?;
    if event_type.is_empty() || event_type.chars().count() > 100 {
        return Err(Reply::unprocessable(
            "Invalid request.\n\nevent_type is too long (maximum is 100 characters).",
        ));
    }
    let payload = call.object("client_payload")?;
    if payload.len() > 10 {
        let count = payload.len();
        return Err(Reply::unprocessable(format!(
            "Invalid request.\n\nNo more than 10 properties are allowed; {count} were supplied."
        )));
    }
    if Value::Object(payload.clone()).to_string().len() >= 64 * 1024 {
        return Err(Reply::unprocessable("client_payload is too large."));
    }
    let (sender, at) = (call.caller.login().to_owned(), call.now);
    let repository = call.repository_mut()?;
    repository.events.push(DispatchEvent {
        event_type: event_type.clone(),
        client_payload: Value::Object(payload.clone()),
        sender: sender.clone(),
        at,
    });
    let branch = repository.default_branch.clone();
    let paths: Vec<String> = repository
        .workflows
        .iter()
        .filter(|workflow| workflow.is_enabled)
        .map(|workflow| workflow.path.clone())
        .filter(|path| {
            let definition = repository.definition(&branch, path);
            definition.is_some_and(|it| it.starts_on_type(&event_type))
        })
        .collect();
    let place = call.place();
    call.state.note_change(&place, format_args!("sent repository_dispatch {event_type}"));
    for path in &paths {
        let start = Start {
            path,
            git_ref: &branch,
            event: "repository_dispatch",
            inputs: Map::new(),
            event_type: Some(&event_type),
            client_payload: Value::Object(payload.clone()),
            actor: &sender,
        };
        if let Some(id) = call.state.start_run(&call.key, start) {
            let line = format!("started {} at {branch}", file_name(path));
            call.state.note_change(&place, line);
            call.state.announce(id);
        }
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
