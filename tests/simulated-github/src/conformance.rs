//! Checks exchanges against GitHub's own description of its API (OpenAPI 3.0).
//!
//! It checks both sides: the requests of a client, and the answers of the simulation.
//!
//! The tests bring the library for JSON Schema ([`Compile`]), so that a program that only serves a world does not
//! need it.

#[cfg(test)]
pub(crate) mod json_schema;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::Exchange;

/// Compiles a schema. The error says why the schema is invalid.
pub type Compile = fn(&Value) -> Result<Arc<Validator>, String>;

/// Lists the violations of a schema in a value: the place as a JSON pointer, and the problem.
pub type Validator = dyn Fn(&Value) -> Vec<(String, String)> + Send + Sync;

/// GitHub's description of its API.
pub struct Description {
    document: Value,
    templates: matchit::Router<String>,
    compile: Compile,
    /// The compilation of a schema takes much longer than its use.
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// A reason why a description cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The file is not JSON.
    #[error("`{}` is not JSON", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The place of the error.
        #[source]
        source: serde_json::Error,
    },
    /// Two paths of the description match the same requests.
    #[error("the description's path `{template}` cannot be distinguished from another")]
    Ambiguous {
        /// One of the paths.
        template: String,
    },
}

/// A difference between an exchange and the description.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The place: `request body /labels/0`, `query`, `status`…
    pub place: String,
    /// The difference, as a clause.
    pub problem: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.problem)
    }
}

impl Violation {
    fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}

/// Whether any operation may answer with this status, described or not.
fn may_always_come(status: u16) -> bool {
    matches!(status, 301 | 304 | 307 | 401 | 403 | 404 | 410 | 422 | 429)
        || ((500..600).contains(&status) && status != 501)
}

impl Description {
    /// Reads a description, such as `api.github.com.json` of `@octokit/openapi`.
    pub fn load(path: impl AsRef<Path>, compile: Compile) -> Result<Self, DescriptionError> {
        let path = path.as_ref();
        let text = std::fs::read(path)
            .map_err(|source| DescriptionError::Unreadable { path: path.to_owned(), source })?;
        let document = serde_json::from_slice(&text)
            .map_err(|source| DescriptionError::Syntax { path: path.to_owned(), source })?;
        Self::new(document, compile)
    }

    fn new(document: Value, compile: Compile) -> Result<Self, DescriptionError> {
        let mut templates = matchit::Router::new();
        let no_paths = Map::new();
        let paths = document["paths"].as_object().unwrap_or(&no_paths);
        for template in paths.keys() {
            // The values of these parameters contain slashes.
            let pattern = template.replace("/contents/{path}", "/contents/{*path}");
            let pattern = match template.contains("/git/") {
                true => pattern.replace("/{ref}", "/{*ref}"),
                false => pattern,
            };
            templates
                .insert(pattern, template.clone())
                .map_err(|_| DescriptionError::Ambiguous { template: template.clone() })?;
        }
        Ok(Self { document, templates, compile, validators: Mutex::default() })
    }

    /// Compares an exchange with the description, and reports every difference.
    ///
    /// It is stricter than the description in one point: the description must declare each query parameter and each
    /// property at the top of a request body. If no answer reached the client, it checks only the request.
    pub fn check(&self, exchange: &Exchange) -> Result<(), Vec<Violation>> {
        let Some((name, operation)) = self.operation(exchange) else {
            let line = exchange.request_line();
            return Err(vec![Violation::new("path", format!("no operation {line}"))]);
        };
        let mut violations = self.check_query(operation, exchange);
        violations.extend(self.check_request(&name, operation, exchange));
        if let Some(status) = exchange.status {
            violations.extend(self.check_response(&name, operation, exchange, status));
        }
        match violations.is_empty() {
            true => Ok(()),
            false => Err(violations),
        }
    }

    /// Compares all exchanges with the description. The error is a report of every difference.
    pub fn check_all<'a>(&self, exchanges: impl IntoIterator<Item = &'a Exchange>) -> Result<(), String> {
        let mut report = String::new();
        for exchange in exchanges {
            let Err(violations) = self.check(exchange) else {
                continue;
            };
            for violation in violations {
                let line = exchange.request_line();
                report.push_str(&format!("{line} (exchange {}): {violation}\n", exchange.id));
            }
        }
        match report.is_empty() {
            true => Ok(()),
            false => Err(report),
        }
    }

    /// The operation of a request, with a name for it.
    fn operation(&self, exchange: &Exchange) -> Option<(String, &Value)> {
        let template = self.templates.at(&by_name(&exchange.path)).ok()?.value;
        let method = exchange.method.to_ascii_lowercase();
        let operation = self.document["paths"][template].get(&method)?;
        Some((format!("{method} {template}"), operation))
    }

    /// Follows a `$ref` inside the document. Returns a value without one as it is.
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let target = value.get("$ref").and_then(Value::as_str);
        let pointer = target.and_then(|target| target.strip_prefix('#'));
        let component = pointer.and_then(|pointer| self.document.pointer(pointer));
        component.map_or(value, |component| self.resolve(component))
    }

    // The query.

    fn check_query(&self, operation: &Value, exchange: &Exchange) -> Vec<Violation> {
        let parameters: Vec<&Value> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| self.resolve(parameter))
            .filter(|parameter| parameter["in"] == "query")
            .collect();
        form_urlencoded::parse(exchange.query.as_bytes())
            .filter_map(|(name, value)| {
                let place = format!("query `{name}`");
                let parameter = parameters.iter().find(|it| it["name"] == name.as_ref());
                let Some(parameter) = parameter else {
                    return Some(Violation::new(place, "is not declared"));
                };
                let schema = self.resolve(&parameter["schema"]);
                let problem = misfit(schema, &value)?;
                Some(Violation::new(place, problem))
            })
            .collect()
    }

    // The request.

    fn check_request(&self, name: &str, operation: &Value, exchange: &Exchange) -> Vec<Violation> {
        let rules = operation.get("requestBody").map(|it| self.resolve(it));
        let schema = rules.and_then(|body| body["content"]["application/json"].get("schema"));
        let is_required = rules.is_some_and(|body| body["required"] == true);
        let place = "request body";
        match (&exchange.request_body, schema) {
            (None, _) if is_required => vec![Violation::new(place, "is missing")],
            (None, _) => Vec::new(),
            (Some(Value::Null), None) => Vec::new(),
            (Some(Value::Object(empty)), None) if empty.is_empty() => Vec::new(),
            (Some(_), None) => vec![Violation::new(place, "is not declared")],
            (Some(body), Some(schema)) => {
                let mut violations = self.validate(&format!("{name} request"), schema, body, place);
                violations.extend(self.undeclared_properties(schema, body));
                violations
            }
        }
    }

    /// A violation for each property at the top that no branch of the schema declares.
    fn undeclared_properties(&self, schema: &Value, body: &Value) -> Vec<Violation> {
        let mut names = BTreeSet::new();
        let is_open = self.collect_properties(schema, &mut names);
        let Some(body) = body.as_object().filter(|_| !is_open) else {
            return Vec::new();
        };
        body.keys()
            .filter(|name| !names.contains(*name))
            .map(|name| Violation::new(format!("request body /{name}"), "is not declared"))
            .collect()
    }

    /// Collects the declared properties. `true` if the schema allows others.
    fn collect_properties(&self, schema: &Value, names: &mut BTreeSet<String>) -> bool {
        let schema = self.resolve(schema);
        let own = schema["properties"].as_object();
        names.extend(own.into_iter().flat_map(Map::keys).cloned());
        let mut open = match &schema["additionalProperties"] {
            Value::Bool(open) => *open,
            Value::Null => false,
            _ => true,
        };
        for branches in ["allOf", "anyOf", "oneOf"] {
            for branch in schema[branches].as_array().into_iter().flatten() {
                open |= self.collect_properties(branch, names);
            }
        }
        open
    }

    // The response.

    fn check_response(
        &self,
        name: &str,
        operation: &Value,
        exchange: &Exchange,
        status: u16,
    ) -> Vec<Violation> {
        let response = operation["responses"].get(status.to_string());
        let Some(response) = response.map(|it| self.resolve(it)) else {
            return self.check_undeclared_response(exchange, status);
        };
        let content = response["content"].as_object();
        let schema = content.and_then(|content| {
            let json = content.get("application/json");
            let json = json.or_else(|| content.values().next());
            json?.get("schema")
        });
        let place = "response body";
        let kind = exchange.response_headers.get("content-type");
        let is_raw = kind.is_some_and(|kind| !kind.as_bytes().starts_with(b"application/json"));
        match (&exchange.response_body, schema) {
            _ if is_raw => Vec::new(),
            (None, Some(_)) => vec![Violation::new(place, "is missing")],
            (Some(_), None) if status < 300 => vec![Violation::new(place, "is not declared")],
            (None, None) => Vec::new(),
            (Some(_), None) => self.check_message(exchange),
            (Some(body), Some(schema)) => self.validate(&format!("{name} {status}"), schema, body, place),
        }
    }

    /// An answer that every operation may give needs only a message.
    fn check_undeclared_response(&self, exchange: &Exchange, status: u16) -> Vec<Violation> {
        if !may_always_come(status) {
            let problem = format!("{status} is not declared");
            return vec![Violation::new("status", problem)];
        }
        match status {
            304 => Vec::new(),
            _ => self.check_message(exchange),
        }
    }

    fn check_message(&self, exchange: &Exchange) -> Vec<Violation> {
        let body = exchange.response_body.as_ref();
        let message = body.and_then(|body| body.get("message"));
        match message.is_some_and(Value::is_string) {
            true => Vec::new(),
            false => vec![Violation::new("response body /message", "is missing")],
        }
    }

    // Schemas.

    fn validate(&self, name: &str, schema: &Value, body: &Value, place: &str) -> Vec<Violation> {
        let validator = match self.validator(name, schema) {
            Ok(validator) => validator,
            Err(problem) => return vec![Violation::new("schema", problem)],
        };
        let problems = validator(body).into_iter();
        problems.map(|(path, problem)| Violation::new(format!("{place} {path}").trim(), problem)).collect()
    }

    fn validator(&self, name: &str, schema: &Value) -> Result<Arc<Validator>, String> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = validators.get(name) {
            return Ok(validator.clone());
        }
        let validator = (self.compile)(&self.bundle_schema(schema))?;
        validators.insert(name.to_owned(), validator.clone());
        Ok(validator)
    }

    /// The schema in the words of JSON Schema, with every component that it refers to.
    fn bundle_schema(&self, schema: &Value) -> Value {
        let mut components = Map::new();
        let mut queue = references(schema);
        while let Some(name) = queue.pop() {
            if components.contains_key(&name) {
                continue;
            }
            let component = &self.document["components"]["schemas"][&name];
            queue.extend(references(component));
            components.insert(name, translate(component));
        }
        json!({
            "allOf": [translate(schema)],
            "components": { "schemas": components },
        })
    }
}

/// The problem of a value in a query. `None` if it fits its schema.
fn misfit(schema: &Value, value: &str) -> Option<String> {
    let fits = match schema["type"].as_str() {
        Some("integer") => value.parse::<i64>().is_ok(),
        Some("boolean") => matches!(value, "true" | "false"),
        _ => true,
    };
    if !fits {
        return Some(format!("`{value}` is not {}", schema["type"]));
    }
    let values = schema["enum"].as_array()?;
    let is_among = values.iter().any(|one| one == value);
    (!is_among).then(|| format!("`{value}` is not one of {}", schema["enum"]))
}

/// The names of the components that a schema refers to.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(object) => {
            let own = object.get("$ref").and_then(Value::as_str);
            let own = own.and_then(|target| target.strip_prefix("#/components/schemas/"));
            let deeper = object.values().flat_map(references);
            own.map(str::to_owned).into_iter().chain(deeper).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// Translates a schema of OpenAPI 3.0 into JSON Schema.
///
/// `nullable` is not a keyword there. A validator that ignores it refuses every null or, if the type is missing,
/// accepts anything.
fn translate(schema: &Value) -> Value {
    let Value::Object(schema) = schema else {
        return schema.clone();
    };
    let mut result = Map::new();
    for (keyword, value) in schema {
        let value = match keyword.as_str() {
            "nullable" | "example" | "examples" | "description" | "title" | "default" | "discriminator"
            | "externalDocs" | "deprecated" | "readOnly" => continue,
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                properties
                    .map(|(name, property)| (name.clone(), translate(property)))
                    .collect::<Map<_, _>>()
                    .into()
            }
            "allOf" | "anyOf" | "oneOf" => {
                let branches = value.as_array().into_iter().flatten();
                branches.map(translate).collect::<Vec<_>>().into()
            }
            "items" | "not" | "additionalProperties" => translate(value),
            _ => value.clone(),
        };
        result.insert(keyword.clone(), value);
    }
    // `properties` alone does not require an object.
    if result.contains_key("properties") && !result.contains_key("type") {
        result.insert("type".into(), json!("object"));
    }
    match schema.get("nullable") {
        Some(Value::Bool(true)) => or_null(result),
        _ => Value::Object(result),
    }
}

fn or_null(mut schema: Map<String, Value>) -> Value {
    let Some(kind) = schema.get_mut("type") else {
        return json!({ "anyOf": [schema, { "type": "null" }] });
    };
    *kind = json!([kind, "null"]);
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(Value::Null);
    }
    Value::Object(schema)
}

/// The path with a name instead of the id of its repository: GitHub redirects to paths with ids, and the description
/// has none of them.
fn by_name(path: &str) -> String {
    let Some(by_id) = path.strip_prefix("/repositories/") else { return path.to_owned() };
    let (id, rest) = by_id.find('/').map_or((by_id, ""), |end| by_id.split_at(end));
    format!("/repos/by-id/{id}{rest}")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use chrono::DateTime;

    use super::*;

    /// A small description with the peculiarities of GitHub's.
    fn description() -> Description {
        let document = json!({
            "paths": {
                "/repos/{owner}/{repo}/issues": {
                    "get": {
                        "parameters": [{
                            "name": "state", "in": "query",
                            "schema": { "type": "string", "enum": ["open", "closed", "all"] },
                        }],
                        "responses": { "200": { "content": { "application/json": { "schema": {
                            "type": "array", "items": { "$ref": "#/components/schemas/issue" },
                        } } } } },
                    },
                    "post": {
                        "requestBody": { "required": true, "content": { "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {
                                    "title": { "type": "string" },
                                    "labels": { "type": "array" },
                                },
                                "required": ["title"],
                            },
                        } } },
                        "responses": { "201": { "content": { "application/json": {
                            "schema": { "$ref": "#/components/schemas/issue" },
                        } } } },
                    },
                },
            },
            "components": { "schemas": {
                "issue": {
                    "type": "object",
                    "properties": {
                        "title": { "type": "string" },
                        "state_reason": {
                            "type": "string", "nullable": true, "enum": ["completed"],
                        },
                        "user": { "allOf": [{ "$ref": "#/components/schemas/user" }], "nullable": true },
                    },
                    "required": ["title", "user"],
                },
                "user": { "properties": { "login": { "type": "string" } }, "required": ["login"] },
            } },
        });
        Description::new(document, json_schema::compile).expect("the sample has one path")
    }

    fn exchange(method: &str, request: Value, status: u16, response: Value) -> Exchange {
        let present = |body: Value| Some(body).filter(|body| !body.is_null());
        Exchange {
            id: 1,
            at: DateTime::UNIX_EPOCH,
            token: None,
            user_agent: None,
            method: method.into(),
            path: "/repos/acme/hub/issues".into(),
            query: String::new(),
            request_body: present(request),
            status: Some(status),
            response_headers: HeaderMap::new(),
            response_body: present(response),
            effective: false,
        }
    }

    fn creation(request: Value, response: Value) -> Exchange {
        exchange("POST", request, 201, response)
    }

    fn places(exchange: &Exchange) -> Vec<String> {
        let violations = description().check(exchange).err().unwrap_or_default();
        violations.into_iter().map(|it| it.place).collect()
    }

    fn issue() -> Value {
        json!({ "title": "Release", "user": { "login": "alice" }, "state_reason": null })
    }

    #[test]
    fn an_exchange_as_described_passes() {
        let request = json!({ "title": "Release", "labels": [] });
        assert_eq!(description().check(&creation(request.clone(), issue())), Ok(()));
        let nobody = json!({ "title": "Release", "user": null });
        assert_eq!(description().check(&creation(request, nobody)), Ok(()));
    }

    #[test]
    fn a_request_that_differs_is_found() {
        let cases = [
            (json!({ "labels": [] }), vec!["request body"]),
            (json!({ "title": 7 }), vec!["request body /title"]),
            (json!({ "title": "Release", "labls": [] }), vec!["request body /labls"]),
            (Value::Null, vec!["request body"]),
        ];
        for (request, expected) in cases {
            assert_eq!(places(&creation(request, issue())), expected);
        }
    }

    #[test]
    fn an_answer_that_differs_is_found() {
        let cases = [
            (json!({ "user": null }), vec!["response body"]),
            (json!({ "title": null, "user": null }), vec!["response body /title"]),
            (json!({ "title": "x", "user": {} }), vec!["response body /user"]),
            (json!({ "title": "x", "user": "alice" }), vec!["response body /user"]),
            (
                json!({ "title": "x", "user": null, "state_reason": "done" }),
                vec!["response body /state_reason"],
            ),
            (Value::Null, vec!["response body"]),
        ];
        for (response, expected) in cases {
            assert_eq!(places(&creation(json!({ "title": "x" }), response)), expected);
        }
    }

    #[test]
    fn an_unknown_path_query_or_status_is_found() {
        let mut list = exchange("GET", Value::Null, 200, json!([]));
        assert_eq!(places(&list), Vec::<String>::new());
        list.query = "state=opened&label=x".into();
        assert_eq!(places(&list), ["query `state`", "query `label`"]);
        list.path = "/repos/acme/hub/isues".into();
        assert_eq!(places(&list), ["path"]);
        let wrong_status = exchange("GET", Value::Null, 201, json!([]));
        assert_eq!(places(&wrong_status), ["status"]);
        let lacking = exchange("GET", Value::Null, 501, json!({ "message": "no route" }));
        assert_eq!(places(&lacking), ["status"]);
    }

    #[test]
    fn refusals_that_any_operation_may_give_need_a_message() {
        let refusal = exchange("GET", Value::Null, 429, json!({ "message": "slow down" }));
        assert_eq!(places(&refusal), Vec::<String>::new());
        let mute = exchange("GET", Value::Null, 502, json!({}));
        assert_eq!(places(&mute), ["response body /message"]);
    }
}
