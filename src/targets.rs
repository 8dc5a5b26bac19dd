//! Targets: the workflows that take part in a release, from the input `targets` or the targets file.
//!
//! ```yaml
//! defaults:
//!   workflow: release.yml
//! targets:
//!   - repository: acme/web
//!     inputs: { channel: "{{ inputs.channel }}" }
//!   - name: docs
//!     repository: acme/docs
//!     needs: [web]
//! ```
//!
//! A key that a target leaves out comes from the file's `defaults`, and then from the inputs of the
//! step. `inputs` are merged name by name. [`schema`] holds the keys, and the JSON Schema of the file.

pub mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::duration;
use crate::names::{GitRef, RepoName, TargetName, WorkflowFile};
use crate::place::Place;
use crate::problem::{Help, Problem};
use crate::yaml::{self, Node, Placed, YamlError};
use schema::{DEFAULTS, FILE, Key, TARGET};

/// The targets that could be read, and the problems of the others.
#[derive(Debug, Default, PartialEq)]
pub struct Listed {
    /// In the order of the text.
    pub targets: Vec<Target>,
    /// Each with its place.
    pub problems: Vec<Problem>,
}

impl Listed {
    /// The targets, if there is no problem.
    ///
    /// # Errors
    ///
    /// With all problems.
    pub fn all_good(self) -> Result<Vec<Target>, Vec<Problem>> {
        if self.problems.is_empty() { Ok(self.targets) } else { Err(self.problems) }
    }
}

/// A repository and workflow that takes part in a release.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Its name, unique within a ticket.
    pub name: TargetName,
    /// Where it runs.
    pub repository: RepoName,
    /// What is started there.
    pub start: StartBy,
    /// The branch or tag; none: the repository's default branch.
    pub git_ref: Option<GitRef>,
    /// The workflow's inputs.
    pub inputs: Vec<Input>,
    /// The names of the targets that are released before this one is started.
    pub needs: Vec<TargetName>,
    /// How long it may stay as it is after its start, before it is marked as stuck; none: for ever.
    pub stale_after: Option<Duration>,
    /// Where it is listed.
    pub place: Place,
}

/// An input of a target's workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// A template for its value.
    pub template: String,
    /// Where it is given.
    pub place: Place,
}

/// How a target is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartBy {
    /// A `workflow_dispatch` of this file under `.github/workflows`.
    Workflow(WorkflowFile),
    /// A `repository_dispatch` of this type.
    Event(String),
}

/// What holds for targets that say nothing else.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Defaults {
    /// The workflow's file.
    pub workflow: Option<String>,
    /// The branch or tag.
    pub git_ref: Option<GitRef>,
    /// Inputs that each target gets.
    pub inputs: Vec<Input>,
    /// Send this event to the repositories instead of starting workflows.
    pub event_type: Option<String>,
    /// How long a target may stay as it is before it is marked as stuck.
    pub stale_after: Option<Duration>,
}

/// Reads the targets file `text`, which was found at `path`.
#[must_use]
pub fn parse_file(path: &str, text: &str, near: &RepoName, given: &Defaults) -> Listed {
    let mut reader = Reader::new(near);
    let Some(root) = reader.yaml(path, text) else { return reader.ended() };
    let file = reader.keys(&root, "the targets file", FILE);
    let defaults = match file.get("defaults") {
        Some(node) => reader.defaults(node, given),
        None => given.clone(),
    };
    match file.get("targets") {
        Some(node) => reader.targets(node, &defaults),
        None => reader.refuse(
            &root.place,
            "`targets` is missing",
            "list the repositories that take part under it",
        ),
    }
    reader.ended()
}

/// Reads the input `targets`: a YAML or JSON list of repositories and mappings, or repositories one
/// a line or with commas between them.
#[must_use]
pub fn parse_input(text: &str, near: &RepoName, given: &Defaults) -> Listed {
    const SOURCE: &str = "`targets`";
    let mut reader = Reader::new(near);
    if text.trim_start().starts_with(['[', '-']) {
        if let Some(root) = reader.yaml(SOURCE, text) {
            reader.targets(&root, given);
        }
    } else {
        let items = plain_items(SOURCE, text);
        items.iter().for_each(|item| reader.target(item, given));
    }
    reader.ended()
}

/// Why a mapping of workflow inputs was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetsError {
    /// It is not YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// It is something else.
    #[error("{name} is {kind}; it takes a mapping of names to values")]
    NotAMapping {
        /// What people call the text.
        name: String,
        /// What it is, for people.
        kind: &'static str,
    },
}

impl Help for TargetsError {
    fn help(&self) -> Option<String> {
        match self {
            Self::Yaml(error) => error.help(),
            Self::NotAMapping { .. } => None,
        }
    }
}

/// Reads a mapping of workflow inputs, which people call `source`.
///
/// # Errors
///
/// When it is not a YAML mapping.
pub fn parse_inputs(source: &str, text: &str) -> Result<Vec<Input>, TargetsError> {
    let root = yaml::parse(source, text)?;
    match &root.value {
        Node::Null => Ok(Vec::new()),
        Node::Mapping(entries) => Ok(inputs_of(entries)),
        other => Err(TargetsError::NotAMapping { name: source.to_owned(), kind: other.kind() }),
    }
}

/// Items one a line or with commas between them.
fn plain_items(source: &str, text: &str) -> Vec<Placed<Node>> {
    let mut items = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let mut column = 1;
        for item in content.split(',') {
            let indent = item.chars().take_while(|c| c.is_whitespace()).count() as u64;
            let place = Place { source: source.to_owned(), line, column: column + indent };
            if !item.trim().is_empty() {
                items.push(Placed { value: Node::Text(item.trim().to_owned()), place });
            }
            column += item.chars().count() as u64 + 1;
        }
    }
    items
}

fn inputs_of(entries: &[(Placed<String>, Placed<Node>)]) -> Vec<Input> {
    let input = |(key, value): &(Placed<String>, Placed<Node>)| Input {
        name: key.value.clone(),
        template: value.value.to_text(),
        place: value.place.clone(),
    };
    entries.iter().map(input).collect()
}

/// Takes the text apart and keeps going when something is wrong.
struct Reader<'a> {
    near: &'a RepoName,
    listed: Listed,
    /// Where each name is taken, in lower case.
    names: BTreeMap<String, Place>,
    /// The names that each target needs, with their places.
    needs: Vec<(TargetName, Placed<String>)>,
}

impl<'a> Reader<'a> {
    fn new(near: &'a RepoName) -> Self {
        Self { near, listed: Listed::default(), names: BTreeMap::new(), needs: Vec::new() }
    }

    fn refuse(&mut self, place: &Place, what: impl std::fmt::Display, help: impl Into<String>) {
        self.listed.problems.push(Problem::new(what.to_string()).help(help).at(place));
    }

    fn yaml(&mut self, source: &str, text: &str) -> Option<Placed<Node>> {
        let root = yaml::parse(source, text);
        root.map_err(|error| self.listed.problems.push(Problem::from(&error))).ok()
    }

    /// The known keys of a mapping, each with a value of the kind that it takes.
    fn keys<'n>(&mut self, node: &'n Placed<Node>, what: &str, known: &'static [Key]) -> Keys<'n> {
        let mut keys = Keys::new();
        let entries = match &node.value {
            Node::Mapping(entries) => entries.as_slice(),
            Node::Null => &[],
            other => {
                self.refuse(
                    &node.place,
                    format_args!("{what} is {}", other.kind()),
                    format!("write a mapping with {}", listed(known.iter().map(|key| key.name))),
                );
                &[]
            }
        };
        for (name, value) in entries {
            let Some(key) = known.iter().find(|key| key.name == name.value) else {
                let help = did_you_mean(&name.value, known.iter().map(|key| key.name));
                self.refuse(&name.place, format_args!("{what} has no key `{}`", name.value), help);
                continue;
            };
            if value.value == Node::Null {
                continue;
            }
            if key.takes.fits(&value.value) {
                keys.insert(key.name, value);
            } else {
                let what = format_args!("`{}` is {}", key.name, value.value.kind());
                self.refuse(&value.place, what, format!("it takes {}", key.takes.kind()));
            }
        }
        keys
    }

    fn defaults(&mut self, node: &Placed<Node>, given: &Defaults) -> Defaults {
        let keys = self.keys(node, "`defaults`", DEFAULTS);
        Defaults {
            workflow: text(&keys, "workflow").or_else(|| given.workflow.clone()),
            git_ref: text(&keys, "ref").map(GitRef::from).or_else(|| given.git_ref.clone()),
            inputs: merged(&given.inputs, keys.get("inputs").copied()),
            event_type: given.event_type.clone(),
            stale_after: self.duration(&keys, "stale-after").or(given.stale_after),
        }
    }

    fn targets(&mut self, node: &Placed<Node>, defaults: &Defaults) {
        let Node::List(items) = &node.value else {
            let what = format_args!("the targets are {}", node.value.kind());
            return self.refuse(&node.place, what, "write a list of repositories or mappings");
        };
        if items.is_empty() {
            self.refuse(&node.place, "the list of targets is empty", "list the repositories that take part");
        }
        items.iter().for_each(|item| self.target(item, defaults));
    }

    /// Reads one target: a repository, or a mapping.
    fn target(&mut self, node: &Placed<Node>, defaults: &Defaults) {
        let Some((keys, repository)) = self.repository(node) else { return };
        let place = &node.place;
        let Some(name) = self.name(place, &keys, &repository) else { return };
        let Some(start) = self.start(place, &keys, &name, defaults) else { return };
        if let Some(needs) = keys.get("needs") {
            self.needs.extend(texts(needs).into_iter().map(|needed| (name.clone(), needed)));
        }
        let stale_after = self.duration(&keys, "stale-after").or(defaults.stale_after);
        self.listed.targets.push(Target {
            stale_after,
            git_ref: text(&keys, "ref").map(GitRef::from).or_else(|| defaults.git_ref.clone()),
            inputs: merged(&defaults.inputs, keys.get("inputs").copied()),
            needs: Vec::new(),
            place: place.clone(),
            name,
            repository,
            start,
        });
    }

    /// The repository of a target, with the keys of its mapping.
    fn repository<'n>(&mut self, node: &'n Placed<Node>) -> Option<(Keys<'n>, RepoName)> {
        let (keys, named) = match &node.value {
            Node::Text(repository) => (Keys::new(), repository.clone()),
            Node::Mapping(_) => {
                let problems_before = self.listed.problems.len();
                let keys = self.keys(node, "a target", TARGET);
                let named = text(&keys, "repository");
                // A misspelt key is a problem already.
                if named.is_none() && self.listed.problems.len() == problems_before {
                    let help = "add `repository: owner/name`";
                    self.refuse(&node.place, "a target without `repository`", help);
                }
                (keys, named?)
            }
            other => {
                let what = format_args!("a target that is {}", other.kind());
                self.refuse(&node.place, what, "write a repository, or a mapping with `repository`");
                return None;
            }
        };
        match RepoName::parse_near(named.trim(), self.near.owner()) {
            Ok(repository) => Some((keys, repository)),
            Err(error) => {
                self.refuse(place_of(&keys, "repository", &node.place), error, "name a repository of GitHub");
                None
            }
        }
    }

    fn duration(&mut self, keys: &Keys<'_>, key: &str) -> Option<Duration> {
        let node = keys.get(key)?;
        match duration::parse(node.value.to_text().trim()) {
            Ok(duration) => Some(duration),
            Err(error) => {
                self.refuse(&node.place, format_args!("`{key}`: {error}"), "write a number with its unit");
                None
            }
        }
    }

    /// The name of a target, which no other target has.
    fn name(&mut self, place: &Place, keys: &Keys<'_>, repository: &RepoName) -> Option<TargetName> {
        let name = text(keys, "name").unwrap_or_else(|| repository.name().to_owned());
        if name.chars().count() > 100 || name.contains(['\n', '\r']) {
            let what = "the `name` is longer than 100 characters or than one line";
            self.refuse(place_of(keys, "name", place), what, "shorten it");
            return None;
        }
        if let Some(taken) = self.names.get(&name.to_lowercase()) {
            let what = format!("the name `{name}` is taken, at {}:{}", taken.line, taken.column);
            self.refuse(place, what, "give it a `name` of its own");
            return None;
        }
        self.names.insert(name.to_lowercase(), place.clone());
        Some(name.into())
    }

    /// How a target is started.
    fn start(
        &mut self,
        place: &Place,
        keys: &Keys<'_>,
        name: &TargetName,
        defaults: &Defaults,
    ) -> Option<StartBy> {
        if let Some(event_type) = &defaults.event_type {
            return Some(StartBy::Event(event_type.clone()));
        }
        let Some(workflow) = text(keys, "workflow").or_else(|| defaults.workflow.clone()) else {
            let help = "add `workflow: FILE.yml` to it, to the file's `defaults` or to the step";
            self.refuse(place, format_args!("`{name}` says no workflow"), help);
            return None;
        };
        let file = WorkflowFile::parse(&workflow);
        if file.is_none() {
            let what = format_args!("`{workflow}` is no workflow file");
            self.refuse(place_of(keys, "workflow", place), what, "name a file below `.github/workflows`");
        }
        file.map(StartBy::Workflow)
    }

    /// Resolves the targets that each target needs, once all names are known.
    fn ended(mut self) -> Listed {
        let names: Vec<TargetName> = self.listed.targets.iter().map(|target| target.name.clone()).collect();
        for (of, needed) in std::mem::take(&mut self.needs) {
            match names.iter().find(|name| name.as_str().eq_ignore_ascii_case(needed.value.trim())) {
                Some(name) => {
                    let mut targets = self.listed.targets.iter_mut();
                    let target = targets.find(|target| target.name == of).expect("it was read");
                    if !target.needs.contains(name) {
                        target.needs.push(name.clone());
                    }
                }
                // A target that could not be read has its problem already.
                None if self.names.contains_key(&needed.value.to_lowercase()) => {}
                None => {
                    let what = format_args!("`{of}` needs `{}`, which is no target", needed.value);
                    let help = did_you_mean(&needed.value, names.iter().map(TargetName::as_str));
                    self.refuse(&needed.place, what, help);
                }
            }
        }
        let targets = std::mem::take(&mut self.listed.targets);
        for circle in circles(&targets) {
            let first = targets.iter().find(|target| target.name == circle[0]).expect("it is listed");
            let what = format_args!("these wait for each other: {} → {}", circle.join(" → "), circle[0]);
            self.refuse(&first.place, what, "leave one of their `needs` out");
        }
        self.listed.targets = targets;
        if self.listed.targets.is_empty() && self.listed.problems.is_empty() {
            let what = "no target is named".to_owned();
            self.listed.problems.push(Problem::new(what).help("list the repositories that take part"));
        }
        self.listed
    }
}

/// Each circle of targets that wait for each other, once, from its first target on.
fn circles(targets: &[Target]) -> Vec<Vec<&str>> {
    let needs: BTreeMap<&str, &[TargetName]> =
        targets.iter().map(|target| (target.name.as_str(), target.needs.as_slice())).collect();
    let (mut found, mut walked) = (Vec::new(), BTreeSet::new());
    for target in targets {
        walk(target.name.as_str(), &needs, &mut Vec::new(), &mut walked, &mut found);
    }
    found
}

fn walk<'t>(
    name: &'t str,
    needs: &BTreeMap<&'t str, &'t [TargetName]>,
    path: &mut Vec<&'t str>,
    walked: &mut BTreeSet<&'t str>,
    found: &mut Vec<Vec<&'t str>>,
) {
    if let Some(start) = path.iter().position(|passed| *passed == name) {
        found.push(path[start..].to_vec());
        return;
    }
    if walked.contains(name) {
        return;
    }
    path.push(name);
    for needed in needs.get(name).copied().unwrap_or_default() {
        walk(needed.as_str(), needs, path, walked, found);
    }
    path.pop();
    walked.insert(name);
}

/// The known keys of a mapping with their values.
type Keys<'n> = BTreeMap<&'static str, &'n Placed<Node>>;

/// Where a key's value stands; else `place`.
fn place_of<'n>(keys: &Keys<'n>, key: &str, place: &'n Place) -> &'n Place {
    keys.get(key).map_or(place, |node| &node.place)
}

fn text(keys: &Keys<'_>, key: &str) -> Option<String> {
    let text = keys.get(key)?.value.to_text();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn texts(node: &Placed<Node>) -> Vec<Placed<String>> {
    let one = |node: &Placed<Node>| Placed { value: node.value.to_text(), place: node.place.clone() };
    match &node.value {
        Node::List(items) => items.iter().map(one).collect(),
        _ => vec![one(node)],
    }
}

fn merged(below: &[Input], above: Option<&Placed<Node>>) -> Vec<Input> {
    let mut merged = below.to_vec();
    let Some(Placed { value: Node::Mapping(entries), .. }) = above else { return merged };
    for input in inputs_of(entries) {
        match merged.iter_mut().find(|known| known.name == input.name) {
            Some(known) => *known = input,
            None => merged.push(input),
        }
    }
    merged
}

/// What to write instead of `word`: the known word that is most like it, or all known words.
pub(crate) fn did_you_mean<'w>(word: &str, known: impl Iterator<Item = &'w str> + Clone) -> String {
    let likeness = |known: &str| {
        let (word, known) = (word.to_lowercase(), known.to_lowercase());
        // Of two letters that changed places in a short word little else is alike.
        if strsim::osa_distance(&word, &known) <= 1 { 1.0 } else { strsim::jaro_winkler(&word, &known) }
    };
    let closest = known.clone().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match closest.filter(|closest| likeness(closest) > 0.8) {
        Some(closest) => format!("did you mean `{closest}`?"),
        None => format!("there is {}", listed(known)),
    }
}

/// `a`, `b` and `c`, in code spans.
pub(crate) fn listed<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match &words[..] {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near() -> RepoName {
        "acme/hub".parse().expect("a name")
    }

    fn given() -> Defaults {
        let inputs = parse_inputs("`inputs`", "{ reportTo: '{{ hub.name }}', channel: beta }");
        Defaults {
            workflow: Some("main.yml".into()),
            inputs: inputs.expect("a mapping"),
            ..Defaults::default()
        }
    }

    fn file(text: &str) -> Listed {
        parse_file("t.yml", text, &near(), &given())
    }

    fn problems(listed: &Listed) -> String {
        listed.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_list_of_repositories_is_read_in_every_form() {
        for text in
            ["web, other/docs", "web\nother/docs\n", "[web, other/docs]", "- web\n- repository: other/docs"]
        {
            let Listed { targets, problems } = parse_input(text, &near(), &given());
            assert_eq!(problems, [], "{text}");
            let names: Vec<_> = targets.iter().map(|target| target.repository.to_string()).collect();
            assert_eq!(names, ["acme/web", "other/docs"], "{text}");
            assert!(targets.iter().all(|target| target.start == StartBy::Workflow("main.yml".into())));
        }
    }

    #[test]
    fn a_target_overrides_the_files_defaults_and_those_the_steps() {
        let listed = file(
            "
defaults: { workflow: release.yml, inputs: { channel: stable } }
targets:
  - repository: acme/web
    inputs: { draft: true, version: 1.10 }
  - { name: docs, repository: web, workflow: .github/workflows/docs.yml, ref: v1, needs: WEB }
",
        );
        let [web, docs] = &listed.targets[..] else { panic!("two targets: {}", problems(&listed)) };
        assert_eq!(web.start, StartBy::Workflow("release.yml".into()));
        let inputs: Vec<_> =
            web.inputs.iter().map(|input| format!("{}={}", input.name, input.template)).collect();
        assert_eq!(inputs, ["reportTo={{ hub.name }}", "channel=stable", "draft=true", "version=1.10"]);
        assert_eq!(web.inputs[3].place.to_string(), "t.yml:5:37");
        assert_eq!(docs.start, StartBy::Workflow("docs.yml".into()));
        assert_eq!((docs.name.as_str(), docs.git_ref.as_ref().map(GitRef::as_str)), ("docs", Some("v1")));
        assert_eq!(docs.needs, ["web"]);
    }

    #[test]
    fn all_mistakes_are_reported_at_once_each_with_its_place() {
        let listed = file(
            "
default: { workflow: x.yml }
targets:
  - a b
  - repositry: acme/web
  - { repository: web, needs: [wep, api], inputs: [x], ref: { a: b } }
  - { repository: api, needs: docs }
  - { repository: docs, needs: [api] }
  - { name: cli, repository: other, workflow: ../x.yml }
  - { name: Docs, repository: other }
  - 7
",
        );
        insta::assert_snapshot!(problems(&listed), @"
        t.yml:2:1: the targets file has no key `default`
        help: did you mean `defaults`?
        t.yml:4:5: `a b` is not a repository; write `owner/name`
        help: name a repository of GitHub
        t.yml:5:5: a target has no key `repositry`
        help: did you mean `repository`?
        t.yml:6:51: `inputs` is a list
        help: it takes a mapping of inputs to values
        t.yml:6:61: `ref` is a mapping
        help: it takes text
        t.yml:9:47: `../x.yml` is no workflow file
        help: name a file below `.github/workflows`
        t.yml:10:5: the name `Docs` is taken, at 8:5
        help: give it a `name` of its own
        t.yml:11:5: a target that is a number
        help: write a repository, or a mapping with `repository`
        t.yml:6:32: `web` needs `wep`, which is no target
        help: did you mean `web`?
        t.yml:7:5: these wait for each other: api → docs → api
        help: leave one of their `needs` out
        ");
    }

    #[test]
    fn a_text_that_is_not_a_list_of_targets_is_refused() {
        for (text, expected) in [
            ("", "`targets` is missing"),
            ("targets: web", "the targets are text"),
            ("targets: []", "the list of targets is empty"),
            ("- web", "the targets file is a list"),
            ("targets: [", "t.yml is not YAML"),
        ] {
            let problems = problems(&file(text));
            assert!(problems.contains(expected), "{text}: {problems}");
        }
        let none = parse_input(" , ", &near(), &given());
        assert!(problems(&none).contains("no target is named"));
        let bare = parse_input("web", &near(), &Defaults::default());
        assert!(problems(&bare).contains("`targets`:1:1: `web` says no workflow"), "{}", problems(&bare));
    }
}
