//! Targets: who takes part in a release, from the input `targets` or the targets file.
//!
//! ```yaml
//! defaults:
//!   workflow: release.yml
//! targets:
//!   - repository: acme/web
//!     inputs: { channel: "{{ inputs.channel }}" }
//!   - name: docs
//!     repository: acme/docs
//! ```
//!
//! What a target does not say comes from the file's `defaults`, and then from the inputs of the
//! step. `inputs` are merged name by name.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::names::RepoName;

/// What is wrong with the targets, all of it at once.
#[derive(Debug, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct TargetsError {
    /// One sentence each.
    pub problems: Vec<String>,
}

impl From<String> for TargetsError {
    fn from(problem: String) -> Self {
        Self { problems: vec![problem] }
    }
}

/// A repository and workflow that takes part in a release.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Its name, unique within a ticket.
    pub name: String,
    /// Where it runs.
    pub repository: RepoName,
    /// What is started there.
    pub start: StartBy,
    /// The branch or tag; none: the repository's default branch.
    pub git_ref: Option<String>,
    /// The workflow's inputs; text values are templates.
    pub inputs: Map<String, Value>,
}

/// How a target is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartBy {
    /// A `workflow_dispatch` of this file under `.github/workflows`.
    Workflow(String),
    /// A `repository_dispatch` of this type.
    Event(String),
}

/// What holds for targets that say nothing else.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Defaults {
    /// The workflow's file.
    pub workflow: Option<String>,
    /// The branch or tag.
    pub git_ref: Option<String>,
    /// Inputs that each target gets.
    pub inputs: Map<String, Value>,
    /// Send this event to the repositories instead of starting workflows.
    pub event_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetsFile {
    #[serde(default)]
    defaults: RawDefaults,
    targets: Vec<RawTarget>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDefaults {
    workflow: Option<String>,
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    #[serde(default)]
    inputs: Map<String, Value>,
}

enum RawTarget {
    Repository(String),
    Mapping(RawMapping),
}

/// By hand, because serde's "untagged" says only that nothing fitted, not which key is wrong.
impl<'de> Deserialize<'de> for RawTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = RawTarget;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a repository, or a mapping with `repository`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawTarget, E> {
                Ok(RawTarget::Repository(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawTarget, A::Error> {
                RawMapping::deserialize(MapAccessDeserializer::new(map)).map(RawTarget::Mapping)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMapping {
    name: Option<String>,
    repository: String,
    workflow: Option<String>,
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    #[serde(default)]
    inputs: Map<String, Value>,
}

/// Reads the targets file `text`, which was found at `path`.
///
/// # Errors
///
/// When it is not of the shape above, or targets are named twice or incomplete.
pub fn parse_file(
    path: &str,
    text: &str,
    near: &RepoName,
    given: &Defaults,
) -> Result<Vec<Target>, TargetsError> {
    let file: TargetsFile = serde_saphyr::from_str(text).map_err(|error| refused(path, &error))?;
    let defaults = Defaults {
        workflow: file.defaults.workflow.or_else(|| given.workflow.clone()),
        git_ref: file.defaults.git_ref.or_else(|| given.git_ref.clone()),
        inputs: merged(&given.inputs, file.defaults.inputs),
        event_type: given.event_type.clone(),
    };
    complete(path, file.targets, near, &defaults)
}

/// Reads the input `targets`: a YAML or JSON list of repositories and mappings, or repositories one
/// a line or with commas between them.
///
/// # Errors
///
/// When it is neither, or targets are named twice or incomplete.
pub fn parse_input(text: &str, near: &RepoName, given: &Defaults) -> Result<Vec<Target>, TargetsError> {
    let place = "the input `targets`";
    let listed = text.trim_start().starts_with(['[', '-']);
    let raw = if listed {
        serde_saphyr::from_str(text).map_err(|error| refused(place, &error))?
    } else {
        let items = text.split(['\n', ',']).map(str::trim).filter(|item| !item.is_empty());
        items.map(|item| RawTarget::Repository(item.to_owned())).collect()
    };
    complete(place, raw, near, given)
}

/// The parser's words, with the place that people know.
fn refused(place: &str, error: &serde_saphyr::Error) -> String {
    let told = error.to_string();
    let told = told.trim_start_matches("error: ").replacen("<input>", place, 1);
    format!("{place} is refused: {told}")
}

fn complete(
    place: &str,
    raw: Vec<RawTarget>,
    near: &RepoName,
    defaults: &Defaults,
) -> Result<Vec<Target>, TargetsError> {
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    let mut targets = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let label = format!("target {} in {place}", index + 1);
        match raw.complete(near, defaults) {
            Err(problem) => problems.push(format!("{label}: {problem}")),
            Ok(target) if !names.insert(target.name.to_lowercase()) => {
                problems.push(format!(
                    "{label}: the name `{}` is taken; give it a `name` of its own",
                    target.name
                ));
            }
            Ok(target) => targets.push(target),
        }
    }
    if targets.is_empty() && problems.is_empty() {
        problems.push(format!("{place} names no target"));
    }
    if problems.is_empty() { Ok(targets) } else { Err(TargetsError { problems }) }
}

impl RawTarget {
    fn complete(self, near: &RepoName, defaults: &Defaults) -> Result<Target, String> {
        let raw = match self {
            Self::Mapping(raw) => raw,
            Self::Repository(repository) => {
                RawMapping { name: None, repository, workflow: None, git_ref: None, inputs: Map::new() }
            }
        };
        let repository =
            RepoName::parse_near(raw.repository.trim(), near.owner()).map_err(|error| error.to_string())?;
        let name = raw.name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| repository.name().to_owned());
        if name.chars().count() > 100 || name.contains(['\n', '\r']) {
            return Err("the `name` is longer than 100 characters or than one line".to_owned());
        }
        let workflow = raw.workflow.or_else(|| defaults.workflow.clone());
        let start = match (&defaults.event_type, workflow.as_deref().and_then(workflow_file)) {
            (Some(event_type), _) => StartBy::Event(event_type.clone()),
            (None, Some(file)) => StartBy::Workflow(file.to_owned()),
            (None, None) => {
                return Err(format!(
                    "`{name}` says no workflow; add `workflow: FILE.yml` to it, to the file's `defaults` or to the step"
                ));
            }
        };
        Ok(Target {
            name,
            repository,
            start,
            git_ref: raw.git_ref.or_else(|| defaults.git_ref.clone()).filter(|text| !text.trim().is_empty()),
            inputs: merged(&defaults.inputs, raw.inputs),
        })
    }
}

/// The file under `.github/workflows`, by which GitHub's API names a workflow.
fn workflow_file(text: &str) -> Option<&str> {
    let file = text.trim().strip_prefix(".github/workflows/").unwrap_or(text.trim());
    let plain =
        file.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_. ".contains(&b)) && !file.starts_with('.');
    (plain && !file.is_empty()).then_some(file)
}

fn merged(below: &Map<String, Value>, above: Map<String, Value>) -> Map<String, Value> {
    let mut merged = below.clone();
    merged.extend(above);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn near() -> RepoName {
        "acme/hub".parse().expect("a name")
    }

    fn given() -> Defaults {
        let inputs = json!({"reportTo": "{{ hub.name }}", "channel": "beta"});
        Defaults {
            workflow: Some("main.yml".into()),
            inputs: inputs.as_object().cloned().unwrap_or_default(),
            ..Defaults::default()
        }
    }

    #[test]
    fn a_list_of_repositories_is_read_in_every_form() {
        for text in
            ["web, other/docs", "web\nother/docs\n", "[web, other/docs]", "- web\n- repository: other/docs"]
        {
            let targets = parse_input(text, &near(), &given()).expect(text);
            let names: Vec<_> = targets.iter().map(|target| target.repository.to_string()).collect();
            assert_eq!(names, ["acme/web", "other/docs"], "{text}");
            assert!(targets.iter().all(|target| target.start == StartBy::Workflow("main.yml".into())));
        }
    }

    #[test]
    fn a_target_overrides_the_files_defaults_and_those_the_steps() {
        let text = "
defaults: { workflow: release.yml, inputs: { channel: stable } }
targets:
  - repository: acme/web
    inputs: { draft: true }
  - { name: docs, repository: web, workflow: .github/workflows/docs.yml, ref: v1 }
";
        let targets = parse_file("targets.yml", text, &near(), &given()).expect("targets");
        let [web, docs] = &targets[..] else { panic!("two targets") };
        assert_eq!(web.start, StartBy::Workflow("release.yml".into()));
        assert_eq!(
            Value::Object(web.inputs.clone()),
            json!({"reportTo": "{{ hub.name }}", "channel": "stable", "draft": true})
        );
        assert_eq!(docs.start, StartBy::Workflow("docs.yml".into()));
        assert_eq!((docs.name.as_str(), docs.git_ref.as_deref()), ("docs", Some("v1")));
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let text = "targets:\n  - acme/web\n  - web\n  - a b\n";
        let error = parse_file("t.yml", text, &near(), &Defaults::default()).expect_err("mistakes");
        insta::assert_snapshot!(error.to_string(), @r"
        target 1 in t.yml: `web` says no workflow; add `workflow: FILE.yml` to it, to the file's `defaults` or to the step
        target 2 in t.yml: `web` says no workflow; add `workflow: FILE.yml` to it, to the file's `defaults` or to the step
        target 3 in t.yml: `a b` is not a repository; write `owner/name`
        ");
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_line() {
        let error =
            parse_file("t.yml", "targets:\n  - repositry: acme/web\n", &near(), &given()).expect_err("one");
        insta::assert_snapshot!(error.to_string(), @r"
        t.yml is refused: line 2 column 5: unknown field `repositry`, expected one of name, repository, workflow, ref, inputs
         --> t.yml:2:5
          |
        1 | targets:
        2 |   - repositry: acme/web
          |     ^ unknown field `repositry`, expected one of name, repository, workflow, ref, inputs
        ");
    }
}
