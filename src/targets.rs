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
//!     needs: [web, go]
//! gates:
//!   - { name: go, approvers: [alice, "@acme/release"] }
//! freeze:
//!   - { from: 2026-12-20T00:00Z, to: 2027-01-02T00:00Z, reason: Holidays }
//! ```
//!
//! A key that a target leaves out comes from the file's `defaults`, and then from the inputs of the
//! step. `inputs` are merged name by name. A file may be the list alone. Gates and freezes are the file's; the input
//! has none. [`schema`] holds the keys, and the JSON Schema of the file; [`moment`] reads times.

pub mod moment;
mod references;
mod rules;
pub mod schema;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::duration;
use crate::names::{GitRef, RepoName, TargetName, WorkflowFile};
use crate::place::Place;
use crate::problem::{Advice, Help, Problem, Topic};
use crate::ticket::Rules;
use crate::ticket::text::is_invisible;
use crate::ticket::verification::{ATTESTATION, IMMUTABLE, RELEASE};
use crate::yaml::{self, Node, PlacedValue, YamlError};
use schema::{DEFAULTS, FILE, Key, TARGET};
pub use verify::Verify;

/// The targets, gates and freezes of a text, and the problems of those that cannot be read.
#[derive(Debug, Default, PartialEq)]
pub struct TargetList {
    /// The targets in the order of the text.
    pub targets: Vec<Target>,
    /// The gates and freezes of the targets file.
    pub rules: Rules,
    /// The problems, each with its place.
    pub problems: Vec<Problem>,
}

impl TargetList {
    /// The targets, unless there are problems.
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
    /// The repository in which it runs.
    pub repository: RepoName,
    /// How it is started.
    pub start: StartBy,
    /// The branch or tag; none: the repository's default branch.
    pub git_ref: Option<GitRef>,
    /// The workflow's inputs.
    pub inputs: Vec<Input>,
    /// The names of the targets that have to be released, and of the gates that have to be open, before it is started.
    pub needs: Vec<TargetName>,
    /// The targets that come before it: those that it needs, those that these need, and so on.
    pub upstream: Vec<TargetName>,
    /// How long its state may stay the same after its start before it is marked as stuck; `None`: for ever.
    pub stale_after: Option<Duration>,
    /// Whether its outputs are those of the release that its run publishes.
    pub outputs_from_release: bool,
    /// The checks before it counts as released.
    pub verify: Verify,
    /// Its place in the text.
    pub place: Place,
}

impl Target {
    /// The names of the checks before it counts as released.
    #[must_use]
    pub fn checks(&self) -> BTreeSet<&'static str> {
        let Verify { release, immutable, attestation } = &self.verify;
        let checks = [(RELEASE, release.is_some() || *immutable), (IMMUTABLE, *immutable)];
        let checks = checks.into_iter().chain([(ATTESTATION, attestation.is_some())]);
        checks.filter_map(|(name, is_needed)| is_needed.then_some(name)).collect()
    }
}

/// An input of a target's workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// A template for its value.
    pub template: String,
    /// Its place in the text.
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

/// The values of the keys that a target leaves out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Defaults {
    /// The workflow's file.
    pub workflow: Option<String>,
    /// The branch or tag.
    pub git_ref: Option<GitRef>,
    /// Inputs that each target gets.
    pub inputs: Vec<Input>,
    /// The type of the event that is sent to the repositories in place of starts of workflows.
    pub event_type: Option<String>,
    /// How long a target's state may stay the same before it is marked as stuck.
    pub stale_after: Option<Duration>,
    /// Whether outputs are those of the release that a run publishes.
    pub outputs_from_release: bool,
    /// The checks before a target counts as released.
    pub verify: Verify,
}

/// Reads `text`, the targets file at `path`.
#[must_use]
pub fn parse_file(path: &str, text: &str, hub: &RepoName, step_defaults: &Defaults) -> TargetList {
    let mut reader = Reader::new(hub);
    let Some(root) = reader.yaml(path, text) else { return reader.finish() };
    if let Node::List(_) = root.value {
        reader.targets(&root, step_defaults);
        return reader.finish();
    }
    let file = reader.keys(&root, "the targets file", FILE);
    let defaults = match file.get("defaults") {
        Some(node) => reader.defaults(node, step_defaults),
        None => step_defaults.clone(),
    };
    match file.get("targets") {
        Some(node) => reader.targets(node, &defaults),
        None => reader.refuse(
            &root.place,
            "`targets` is missing",
            "list the repositories that take part under it",
        ),
    }
    reader.rules(&file);
    reader.finish()
}

/// Reads the input `targets`: a YAML or JSON list of repositories and mappings, or repositories one
/// a line or with commas between them.
#[must_use]
pub fn parse_input(text: &str, hub: &RepoName, defaults: &Defaults) -> TargetList {
    const SOURCE: &str = "`targets`";
    let mut reader = Reader::new(hub);
    if text.trim_start().starts_with(['[', '-']) {
        if let Some(root) = reader.yaml(SOURCE, text) {
            reader.targets(&root, defaults);
        }
    } else {
        let items = plain_items(SOURCE, text);
        items.iter().for_each(|item| reader.target(item, defaults));
    }
    reader.finish()
}

/// Why a mapping of workflow inputs was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetsError {
    /// It is not YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// It is not a mapping.
    #[error("{name} is {kind}; it takes a mapping of names to values")]
    NotAMapping {
        /// The text's name for people.
        name: String,
        /// Its kind in words.
        kind: &'static str,
    },
}

impl Help for TargetsError {
    fn help(&self) -> Option<Advice> {
        match self {
            Self::Yaml(error) => error.help(),
            Self::NotAMapping { .. } => None,
        }
    }
}

/// Reads a mapping of workflow inputs; messages name it `source`.
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
fn plain_items(source: &str, text: &str) -> Vec<PlacedValue<Node>> {
    let mut items = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let mut column = 1;
        for item in content.split(',') {
            let indent = item.chars().take_while(|c| c.is_whitespace()).count() as u64;
            let place = Place { source: source.to_owned(), line, column: column + indent };
            if !item.trim().is_empty() {
                items.push(PlacedValue { value: Node::Text(item.trim().to_owned()), place });
            }
            column += item.chars().count() as u64 + 1;
        }
    }
    items
}

fn inputs_of(entries: &[(PlacedValue<String>, PlacedValue<Node>)]) -> Vec<Input> {
    let input = |(key, value): &(PlacedValue<String>, PlacedValue<Node>)| Input {
        name: key.value.clone(),
        template: value.value.to_text(),
        place: value.place.clone(),
    };
    entries.iter().map(input).collect()
}

/// Reads a text, and collects its problems.
struct Reader<'a> {
    hub: &'a RepoName,
    list: TargetList,
    /// The places of targets and gates, by their names in lower case.
    names: BTreeMap<String, Place>,
    /// The names that each target needs, with their places.
    needs: Vec<(TargetName, PlacedValue<String>)>,
}

impl<'a> Reader<'a> {
    fn new(hub: &'a RepoName) -> Self {
        Self { hub, list: TargetList::default(), names: BTreeMap::new(), needs: Vec::new() }
    }

    fn refuse(&mut self, place: &Place, what: impl std::fmt::Display, help: impl Into<String>) {
        let problem = Problem::new(what.to_string()).help(Topic::TargetsFile, help);
        self.list.problems.push(problem.at(place));
    }

    fn yaml(&mut self, source: &str, text: &str) -> Option<PlacedValue<Node>> {
        let root = yaml::parse(source, text);
        root.map_err(|error| self.list.problems.push(error.problem())).ok()
    }

    /// The known keys of a mapping, each with a value of the kind that it takes.
    fn keys<'n>(
        &mut self,
        node: &'n PlacedValue<Node>,
        what: &str,
        allowed_keys: &'static [Key],
    ) -> Keys<'n> {
        let mut keys = Keys::new();
        let entries = match &node.value {
            Node::Mapping(entries) => entries.as_slice(),
            Node::Null => &[],
            other => {
                self.refuse(
                    &node.place,
                    format_args!("{what} is {}", other.kind()),
                    format!("write a mapping with {}", enumeration(allowed_keys.iter().map(|key| key.name))),
                );
                &[]
            }
        };
        for (name, value) in entries {
            if name.value.starts_with(schema::EXTENSION) {
                continue;
            }
            let Some(key) = allowed_keys.iter().find(|key| key.name == name.value) else {
                let help = did_you_mean(&name.value, allowed_keys.iter().map(|key| key.name));
                self.refuse(&name.place, format_args!("{what} has no key `{}`", name.value), help);
                continue;
            };
            if value.value == Node::Null {
                continue;
            }
            if key.takes.fits(&value.value) {
                self.refuse_template(key, value);
                keys.insert(key.name, value);
            } else {
                let what = format_args!("`{}` is {}", key.name, value.value.kind());
                self.refuse(&value.place, what, format!("it takes {}", key.takes.kind()));
            }
        }
        keys
    }

    /// Refuses a template as the value of a key that is never rendered.
    fn refuse_template(&mut self, key: &Key, node: &PlacedValue<Node>) {
        if !key.takes.is_verbatim() {
            return;
        }
        for text in texts(node).iter().filter(|text| has_template(&text.value)) {
            let what = format_args!("`{}` takes no template, but is `{}`", key.name, text.value.trim());
            self.refuse(
                &text.place,
                what,
                "write the text itself; only the values below `inputs` are templates",
            );
        }
    }

    /// The branch or tag of a mapping. An event has none: it is sent to a repository.
    fn git_ref(&mut self, keys: &Keys<'_>, defaults: &Defaults) -> Option<GitRef> {
        let Some(git_ref) = text(keys, "ref").map(GitRef::from) else { return defaults.git_ref.clone() };
        let is_of_workflow = defaults.event_type.is_none();
        if let Some(error) = git_ref.check().err().filter(|_| is_of_workflow)
            && let Some(node) = keys.get("ref")
        {
            let problem = Problem { help: error.help(), ..Problem::new(format!("`ref` is {error}")) };
            self.list.problems.push(problem.at(&node.place));
            return None;
        }
        Some(git_ref)
    }

    fn defaults(&mut self, node: &PlacedValue<Node>, step_defaults: &Defaults) -> Defaults {
        let keys = self.keys(node, "`defaults`", DEFAULTS);
        Defaults {
            workflow: text(&keys, "workflow").or_else(|| step_defaults.workflow.clone()),
            git_ref: self.git_ref(&keys, step_defaults),
            inputs: merge_inputs(&step_defaults.inputs, keys.get("inputs").copied()),
            event_type: step_defaults.event_type.clone(),
            stale_after: self.duration(&keys, "stale-after").or(step_defaults.stale_after),
            outputs_from_release: self
                .outputs_from_release(&keys)
                .unwrap_or(step_defaults.outputs_from_release),
            verify: self.verify(&keys).unwrap_or_else(|| step_defaults.verify.clone()),
        }
    }

    fn targets(&mut self, node: &PlacedValue<Node>, defaults: &Defaults) {
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
    fn target(&mut self, node: &PlacedValue<Node>, defaults: &Defaults) {
        let Some((keys, repository)) = self.repository(node) else { return };
        let place = &node.place;
        let Some(name) = self.name(place, &keys, &repository) else { return };
        let Some(start) = self.start(place, &keys, &name, defaults) else { return };
        if let Some(needs) = keys.get("needs") {
            self.needs.extend(texts(needs).into_iter().map(|need| (name.clone(), need)));
        }
        let stale_after = self.duration(&keys, "stale-after").or(defaults.stale_after);
        let git_ref = self.git_ref(&keys, defaults);
        let outputs_from_release = self.outputs_from_release(&keys).unwrap_or(defaults.outputs_from_release);
        let verify = self.verify(&keys).unwrap_or_else(|| defaults.verify.clone());
        self.refuse_nameless_release(
            keys.get("verify").copied().unwrap_or(node),
            &verify,
            outputs_from_release,
        );
        self.list.targets.push(Target {
            outputs_from_release,
            verify,
            stale_after,
            git_ref,
            inputs: merge_inputs(&defaults.inputs, keys.get("inputs").copied()),
            needs: Vec::new(),
            upstream: Vec::new(),
            place: place.clone(),
            name,
            repository,
            start,
        });
    }

    /// The repository of a target, with the keys of its mapping.
    fn repository<'n>(&mut self, node: &'n PlacedValue<Node>) -> Option<(Keys<'n>, RepoName)> {
        let (keys, name) = match &node.value {
            Node::Text(repository) => (Keys::new(), repository.clone()),
            Node::Mapping(_) => {
                let problems_before = self.list.problems.len();
                let keys = self.keys(node, "a target", TARGET);
                let name = text(&keys, "repository");
                // A misspelt key is a problem already.
                if name.is_none() && self.list.problems.len() == problems_before {
                    let help = "add `repository: owner/name`";
                    self.refuse(&node.place, "a target has no `repository`", help);
                }
                (keys, name?)
            }
            other => {
                let what = format_args!("a target is {}", other.kind());
                self.refuse(&node.place, what, "write a repository, or a mapping with `repository`");
                return None;
            }
        };
        match RepoName::parse_with_owner(name.trim(), self.hub.owner()) {
            Ok(repository) => Some((keys, repository)),
            Err(_) if has_template(&name) && keys.contains_key("repository") => None,
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
        self.take(name, place, keys)
    }

    /// Takes the name of a target or a gate; refuses it if commands cannot use it, or if another one has it.
    fn take(&mut self, name: String, place: &Place, keys: &Keys<'_>) -> Option<TargetName> {
        if let Some((what, help)) = unusable(&name) {
            self.refuse(place_of(keys, "name", place), what, help);
            return None;
        }
        if let Some(place_of_other) = self.names.get(&name.to_lowercase()) {
            let what =
                format!("the name `{name}` is taken, at {}:{}", place_of_other.line, place_of_other.column);
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
            self.refuse(place, format_args!("`{name}` has no workflow"), help);
            return None;
        };
        let file = WorkflowFile::parse(&workflow);
        let is_refused = keys.contains_key("workflow") && has_template(&workflow);
        if file.is_none() && !is_refused {
            let what = format_args!("`{workflow}` is not a workflow file");
            let help = "name a file below `.github/workflows`, such as `release.yml`";
            self.refuse(place_of(keys, "workflow", place), what, help);
        }
        file.map(StartBy::Workflow)
    }

    /// Makes the checks for which all names have to be read.
    fn finish(mut self) -> TargetList {
        self.resolve_needs();
        self.refuse_circles();
        self.find_upstream();
        self.refuse_references();
        self.refuse_idle_gates();
        if self.list.targets.is_empty() && self.list.problems.is_empty() {
            let help = "list the repositories that take part";
            self.list.problems.push(Problem::new("no target is named").help(Topic::TargetsFile, help));
        }
        self.list
    }

    /// Finds the targets and gates that each target needs.
    fn resolve_needs(&mut self) {
        let targets = self.list.targets.iter().map(|target| &target.name);
        let names: Vec<TargetName> =
            targets.chain(self.list.rules.gates.iter().map(|gate| &gate.name)).cloned().collect();
        let by_lower_case: BTreeMap<String, &TargetName> =
            names.iter().map(|name| (name.as_str().to_lowercase(), name)).collect();
        for (of, need) in std::mem::take(&mut self.needs) {
            let in_lower_case = need.value.trim().to_lowercase();
            match by_lower_case.get(&in_lower_case).copied() {
                Some(name) => {
                    let mut targets = self.list.targets.iter_mut();
                    let target = targets.find(|target| target.name == of).expect("it was read");
                    if !target.needs.contains(name) {
                        target.needs.push(name.clone());
                    }
                }
                // A target or a gate that could not be read has its problem already.
                None if self.names.contains_key(&in_lower_case) => {}
                None => {
                    let what =
                        format_args!("`{of}` needs `{}`, which is neither a target nor a gate", need.value);
                    let help = did_you_mean(&need.value, names.iter().map(TargetName::as_str));
                    self.refuse(&need.place, what, help);
                }
            }
        }
    }

    /// Refuses targets that wait for each other. A gate waits for people only.
    fn refuse_circles(&mut self) {
        let targets = std::mem::take(&mut self.list.targets);
        for circle in circles(&targets) {
            let first = targets.iter().find(|target| target.name == circle[0]).expect("it is listed");
            let what =
                format_args!("these targets wait for each other: {} → {}", circle.join(" → "), circle[0]);
            self.refuse(&first.place, what, "leave one of their `needs` out");
        }
        self.list.targets = targets;
    }
}

/// Why commands cannot use this name, and the help.
fn unusable(name: &str) -> Option<(String, &'static str)> {
    if name.chars().count() > schema::NAME_LIMIT || name.contains(['\n', '\r']) {
        return Some(("the `name` is longer than 100 characters or than one line".to_owned(), "shorten it"));
    }
    if name.contains(is_invisible) {
        let what = format!("the name {name:?} has invisible characters");
        return Some((what, "type it again instead of pasting it"));
    }
    if name.eq_ignore_ascii_case(schema::ALL) {
        let what = format!("the name `{name}` is reserved: in a command it means all of them");
        return Some((what, "give it another `name`"));
    }
    let separator = name.chars().find(|c| schema::SEPARATORS.contains(c))?;
    let what = format!("the name `{name}` has a `{separator}`, and a command's names end there");
    Some((what, "give it a `name` without commas and colons"))
}

/// Each circle of targets that wait for each other, once, from its first target on.
fn circles(targets: &[Target]) -> Vec<Vec<&str>> {
    let needs: BTreeMap<&str, &[TargetName]> =
        targets.iter().map(|target| (target.name.as_str(), target.needs.as_slice())).collect();
    let (mut circles, mut finished_names) = (Vec::new(), BTreeSet::new());
    for target in targets {
        walk(target.name.as_str(), &needs, &mut Vec::new(), &mut finished_names, &mut circles);
    }
    circles
}

fn walk<'t>(
    name: &'t str,
    needs: &BTreeMap<&'t str, &'t [TargetName]>,
    path: &mut Vec<&'t str>,
    finished_names: &mut BTreeSet<&'t str>,
    circles: &mut Vec<Vec<&'t str>>,
) {
    if let Some(start) = path.iter().position(|other| *other == name) {
        circles.push(path[start..].to_vec());
        return;
    }
    if finished_names.contains(name) {
        return;
    }
    path.push(name);
    for need in needs.get(name).copied().unwrap_or_default() {
        walk(need.as_str(), needs, path, finished_names, circles);
    }
    path.pop();
    finished_names.insert(name);
}

/// The known keys of a mapping with their values.
type Keys<'n> = BTreeMap<&'static str, &'n PlacedValue<Node>>;

/// The place of a key's value; else `place`.
fn place_of<'n>(keys: &Keys<'n>, key: &str, place: &'n Place) -> &'n Place {
    keys.get(key).map_or(place, |node| &node.place)
}

/// Whether a text looks like a template.
fn has_template(text: &str) -> bool {
    text.contains("{{")
}

fn text(keys: &Keys<'_>, key: &str) -> Option<String> {
    let text = keys.get(key)?.value.to_text();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn texts(node: &PlacedValue<Node>) -> Vec<PlacedValue<String>> {
    let one =
        |node: &PlacedValue<Node>| PlacedValue { value: node.value.to_text(), place: node.place.clone() };
    match &node.value {
        Node::List(items) => items.iter().map(one).collect(),
        _ => vec![one(node)],
    }
}

fn merge_inputs(below: &[Input], above: Option<&PlacedValue<Node>>) -> Vec<Input> {
    let mut inputs = below.to_vec();
    let Some(PlacedValue { value: Node::Mapping(entries), .. }) = above else { return inputs };
    for input in inputs_of(entries) {
        match inputs.iter_mut().find(|other| other.name == input.name) {
            Some(other) => *other = input,
            None => inputs.push(input),
        }
    }
    inputs
}

/// The help for an unknown `word`: the most similar one of `words`, or all of them.
pub(crate) fn did_you_mean<'w>(word: &str, words: impl Iterator<Item = &'w str> + Clone) -> String {
    match closest(word, words.clone()) {
        Some(closest) => format!("did you mean `{closest}`?"),
        None => match words.clone().count() {
            0 => "there is nothing to choose from".to_owned(),
            1 => format!("the only choice is {}", enumeration(words)),
            _ => format!("the choices are {}", enumeration(words)),
        },
    }
}

/// The most similar one of `words`, if one is similar to `word`.
pub(crate) fn closest<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let likeness = |other: &str| {
        let (word, other) = (word.to_lowercase(), other.to_lowercase());
        // Jaro-Winkler finds a short word with two exchanged letters too different.
        if strsim::osa_distance(&word, &other) <= 1 { 1.0 } else { strsim::jaro_winkler(&word, &other) }
    };
    words.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|closest| likeness(closest) > 0.8)
}

/// The words as text, each in a code span: `a`, `b` and `c`.
pub(crate) fn enumeration<'w>(words: impl Iterator<Item = &'w str>) -> String {
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

    fn hub() -> RepoName {
        "acme/hub".parse().expect("a name")
    }

    fn step_defaults() -> Defaults {
        let inputs = parse_inputs("`inputs`", "{ reportTo: '{{ hub.name }}', channel: beta }");
        Defaults {
            workflow: Some("main.yml".into()),
            inputs: inputs.expect("a mapping"),
            ..Defaults::default()
        }
    }

    fn file(text: &str) -> TargetList {
        parse_file("t.yml", text, &hub(), &step_defaults())
    }

    fn problems(list: &TargetList) -> String {
        list.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_list_of_repositories_is_read_in_every_form() {
        for text in
            ["web, other/docs", "web\nother/docs\n", "[web, other/docs]", "- web\n- repository: other/docs"]
        {
            let TargetList { targets, problems, .. } = parse_input(text, &hub(), &step_defaults());
            assert_eq!(problems, [], "{text}");
            let names: Vec<_> = targets.iter().map(|target| target.repository.to_string()).collect();
            assert_eq!(names, ["acme/web", "other/docs"], "{text}");
            assert!(targets.iter().all(|target| target.start == StartBy::Workflow("main.yml".into())));
        }
    }

    #[test]
    fn a_target_overrides_the_files_defaults_and_those_the_steps() {
        let list = file(
            "
defaults: { workflow: release.yml, inputs: { channel: stable } }
targets:
  - repository: acme/web
    inputs: { draft: true, version: 1.10 }
  - { name: docs, repository: web, workflow: .github/workflows/docs.yml, ref: v1, needs: WEB }
",
        );
        let [web, docs] = &list.targets[..] else { panic!("two targets: {}", problems(&list)) };
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
        let list = file(
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
        insta::assert_snapshot!(problems(&list), @"
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
        t.yml:9:47: `../x.yml` is not a workflow file
        help: name a file below `.github/workflows`, such as `release.yml`
        t.yml:10:5: the name `Docs` is taken, at 8:5
        help: give it a `name` of its own
        t.yml:11:5: a target is a number
        help: write a repository, or a mapping with `repository`
        t.yml:6:32: `web` needs `wep`, which is neither a target nor a gate
        help: did you mean `web`?
        t.yml:7:5: these targets wait for each other: api → docs → api
        help: leave one of their `needs` out
        ");
    }

    #[test]
    fn a_need_names_a_target_in_any_case_of_any_alphabet() {
        let list = file("targets: [{ repository: web, name: Über }, { repository: docs, needs: über }]");
        assert_eq!((problems(&list).as_str(), &list.targets[1].needs[..]), ("", &["Über".into()][..]));
    }

    #[test]
    fn a_text_that_is_not_a_list_of_targets_is_refused() {
        for (text, expected) in [
            ("", "`targets` is missing"),
            ("targets: web", "the targets are text"),
            ("targets: []", "the list of targets is empty"),
            ("web", "the targets file is text"),
            ("[]", "the list of targets is empty"),
            ("targets: [", "t.yml:1:10: this is not YAML: "),
        ] {
            let problems = problems(&file(text));
            assert!(problems.contains(expected), "{text}: {problems}");
        }
        let none = parse_input(" , ", &hub(), &step_defaults());
        assert!(problems(&none).contains("no target is named"));
        let template = Defaults { workflow: Some("{{ inputs.workflow }}".into()), ..Defaults::default() };
        let of_step = parse_input("web", &hub(), &template);
        assert!(problems(&of_step).contains("`{{ inputs.workflow }}` is not a workflow file"));
        let bare = parse_input("web", &hub(), &Defaults::default());
        assert!(problems(&bare).contains("`targets`:1:1: `web` has no workflow"), "{}", problems(&bare));
    }

    #[test]
    fn values_are_what_people_wrote() {
        let list = file(
            "
targets:
  - { repository: web, name: no, ref: on, inputs: { country: no, axis: y, level: OFF, sha: 1e12345, go: TRUE } }
  - { repository: api, name: y }
  - { repository: docs, needs: [y, no] }
",
        );
        let [no, y, docs] = &list.targets[..] else { panic!("three targets: {}", problems(&list)) };
        assert_eq!((no.name.as_str(), no.git_ref.as_ref().map(GitRef::as_str)), ("no", Some("on")));
        assert_eq!((y.name.as_str(), docs.needs.as_slice()), ("y", &["y".into(), "no".into()][..]));
        let values: Vec<_> = no.inputs.iter().map(|input| input.template.as_str()).collect();
        assert_eq!(values, ["{{ hub.name }}", "beta", "no", "y", "OFF", "1e12345", "true"]);
    }

    #[test]
    fn a_file_is_a_mapping_or_the_list_alone_and_has_room_for_anchors() {
        for text in [
            "- acme/web\n- repository: other/docs\n",
            "targets:\n- acme/web\n- repository: other/docs\n",
            "
x-base: &base { inputs: { a: b }, x-note: '{{ nothing }}' }
defaults: { x-why: [1] }
targets:
  - { <<: *base, repository: acme/web }
  - { x-owner: '@alice', repository: other/docs }
",
        ] {
            let list = file(text);
            let names: Vec<_> = list.targets.iter().map(|target| target.repository.to_string()).collect();
            assert_eq!(
                (names, list.problems),
                (vec!["acme/web".into(), "other/docs".into()], vec![]),
                "{text}"
            );
        }
    }

    #[test]
    fn a_hundred_targets_share_an_anchor() {
        let many: String =
            (0..300).map(|n| format!("  - {{ name: t{n}, repository: web, inputs: *all }}\n")).collect();
        let list =
            file(&format!("x-inputs: &all {{ version: '{{{{ release }}}}', on: yes }}\ntargets:\n{many}"));
        assert_eq!((list.targets.len(), problems(&list).as_str()), (300, ""));
        assert_eq!(list.targets[299].inputs[3].template, "yes");
    }

    #[test]
    fn text_that_is_not_a_template_holds_none() {
        let list = file(
            "
defaults: { ref: 'refs/pull/67/merge' }
targets:
  - { repository: web, ref: '{{ inputs.ref }}', workflow: '${{ inputs.workflow }}' }
  - { repository: api, ref: 64d9f66f1df87cd18c204770810acaec836dfadb }
  - { repository: 'acme/{{ inputs.name }}', needs: [web, api] }
",
        );
        insta::assert_snapshot!(problems(&list), @"
        t.yml:2:18: `ref` is the commit of a pull request, but GitHub starts workflows at a branch or a tag
        help: name a branch or a tag, or leave `ref` out for the default branch
        t.yml:4:29: `ref` takes no template, but is `{{ inputs.ref }}`
        help: write the text itself; only the values below `inputs` are templates
        t.yml:4:59: `workflow` takes no template, but is `${{ inputs.workflow }}`
        help: write the text itself; only the values below `inputs` are templates
        t.yml:5:29: `ref` is a commit, but GitHub starts workflows at a branch or a tag
        help: name a branch or a tag, or leave `ref` out for the default branch; a workflow that is to check out this commit takes it as one of its `inputs`
        t.yml:6:19: `repository` takes no template, but is `acme/{{ inputs.name }}`
        help: write the text itself; only the values below `inputs` are templates
        ");
        let by_event = Defaults { event_type: Some("release".into()), ..step_defaults() };
        let text = "- { repository: api, ref: 64d9f66f1df87cd18c204770810acaec836dfadb }";
        assert_eq!(parse_file("t.yml", text, &hub(), &by_event).problems, [], "an event has no ref");
    }

    #[test]
    fn a_template_without_quotes_is_refused_at_its_place() {
        for text in [
            "targets:\n  - repository: web\n    inputs:\n      v: {{ release }}\n",
            "targets:\n  - repository: web\n    inputs:\n      v: {{ release }}-rc\n",
            "targets:\n  - repository: web\n    inputs:\n      { v: v{{ release }} }\n",
        ] {
            let problems = problems(&file(text));
            assert!(problems.starts_with("t.yml:4:"), "{text}: {problems}");
            assert!(
                problems.ends_with("\nhelp: put templates in quotes: \"{{ release }}\""),
                "{text}: {problems}"
            );
        }
        let error = parse_inputs("`inputs`", "a: 1\nv: {{ release }}").expect_err("no template");
        assert_eq!(error.to_string(), "`inputs`:2:5: without quotes, this template is a mapping");
        assert!(error.help().is_some_and(|help| help.text.contains("put templates in quotes")));
    }
}
