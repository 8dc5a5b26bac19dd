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
use crate::problem::{Help, Problem};
use crate::ticket::Rules;
use crate::ticket::text::is_invisible;
use crate::ticket::verification::{ATTESTATION, IMMUTABLE, RELEASE};
use crate::yaml::{self, Node, Placed, YamlError};
use schema::{DEFAULTS, FILE, Key, TARGET};
pub use verify::Verify;

/// What could be read of targets, gates and freezes, and the problems of the rest.
#[derive(Debug, Default, PartialEq)]
pub struct Listed {
    /// In the order of the text.
    pub targets: Vec<Target>,
    /// The gates and freezes of the targets file.
    pub rules: Rules,
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
    /// The names of the targets that are released, and of the gates that are open, before this one is started.
    pub needs: Vec<TargetName>,
    /// The targets that come before it: those that it needs, those that these need, and so on.
    pub upstream: Vec<TargetName>,
    /// How long it may stay as it is after its start, before it is marked as stuck; none: for ever.
    pub stale_after: Option<Duration>,
    /// Whether its outputs are those of the release that its run has published.
    pub outputs_from_release: bool,
    /// What is verified before it counts as released.
    pub verify: Verify,
    /// Where it is listed.
    pub place: Place,
}

impl Target {
    /// The names of the checks that are made before it counts as released.
    #[must_use]
    pub fn checks(&self) -> BTreeSet<&'static str> {
        let Verify { release, immutable, attestation } = &self.verify;
        let asked = [(RELEASE, release.is_some() || *immutable), (IMMUTABLE, *immutable)];
        let asked = asked.into_iter().chain([(ATTESTATION, attestation.is_some())]);
        asked.filter_map(|(name, is_asked)| is_asked.then_some(name)).collect()
    }
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
    /// Whether outputs are those of the release that a run has published.
    pub outputs_from_release: bool,
    /// What is verified before a target counts as released.
    pub verify: Verify,
}

/// Reads the targets file `text`, which was found at `path`.
#[must_use]
pub fn parse_file(path: &str, text: &str, near: &RepoName, given: &Defaults) -> Listed {
    let mut reader = Reader::new(near);
    let Some(root) = reader.yaml(path, text) else { return reader.ended() };
    if let Node::List(_) = root.value {
        reader.targets(&root, given);
        return reader.ended();
    }
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
    reader.rules(&file);
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
    /// Where each name of a target or a gate is taken, in lower case.
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
        root.map_err(|error| self.listed.problems.push(error.problem())).ok()
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
            if name.value.starts_with(schema::EXTENSION) {
                continue;
            }
            let Some(key) = known.iter().find(|key| key.name == name.value) else {
                let help = did_you_mean(&name.value, known.iter().map(|key| key.name));
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

    /// Refuses a template where text is taken as it stands.
    fn refuse_template(&mut self, key: &Key, node: &Placed<Node>) {
        if !key.takes.is_verbatim() {
            return;
        }
        for text in texts(node).iter().filter(|text| has_template(&text.value)) {
            let what = format_args!("`{}` is the template `{}`, and takes none", key.name, text.value.trim());
            self.refuse(
                &text.place,
                what,
                "write the text itself; only the values below `inputs` are templates",
            );
        }
    }

    /// The branch or tag of a mapping. An event is sent to a repository, whatever the branch.
    fn git_ref(&mut self, keys: &Keys<'_>, defaults: &Defaults) -> Option<GitRef> {
        let Some(git_ref) = text(keys, "ref").map(GitRef::from) else { return defaults.git_ref.clone() };
        let is_of_workflow = defaults.event_type.is_none();
        if let Some(error) = git_ref.check().err().filter(|_| is_of_workflow)
            && let Some(node) = keys.get("ref")
        {
            self.refuse(&node.place, format_args!("`ref` is {error}"), error.help().unwrap_or_default());
            return None;
        }
        Some(git_ref)
    }

    fn defaults(&mut self, node: &Placed<Node>, given: &Defaults) -> Defaults {
        let keys = self.keys(node, "`defaults`", DEFAULTS);
        Defaults {
            workflow: text(&keys, "workflow").or_else(|| given.workflow.clone()),
            git_ref: self.git_ref(&keys, given),
            inputs: merged(&given.inputs, keys.get("inputs").copied()),
            event_type: given.event_type.clone(),
            stale_after: self.duration(&keys, "stale-after").or(given.stale_after),
            outputs_from_release: self.outputs_from_release(&keys).unwrap_or(given.outputs_from_release),
            verify: self.verify(&keys).unwrap_or_else(|| given.verify.clone()),
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
        let git_ref = self.git_ref(&keys, defaults);
        let outputs_from_release = self.outputs_from_release(&keys).unwrap_or(defaults.outputs_from_release);
        let verify = self.verify(&keys).unwrap_or_else(|| defaults.verify.clone());
        self.refuse_nameless_release(
            keys.get("verify").copied().unwrap_or(node),
            &verify,
            outputs_from_release,
        );
        self.listed.targets.push(Target {
            outputs_from_release,
            verify,
            stale_after,
            git_ref,
            inputs: merged(&defaults.inputs, keys.get("inputs").copied()),
            needs: Vec::new(),
            upstream: Vec::new(),
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
            Err(_) if has_template(&named) && keys.contains_key("repository") => None,
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

    /// Takes the name of a target or a gate, unless no command could use it, or another one has it.
    fn take(&mut self, name: String, place: &Place, keys: &Keys<'_>) -> Option<TargetName> {
        if let Some((what, help)) = unusable(&name) {
            self.refuse(place_of(keys, "name", place), what, help);
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
        let is_refused = keys.contains_key("workflow") && has_template(&workflow);
        if file.is_none() && !is_refused {
            let what = format_args!("`{workflow}` is no workflow file");
            let help = "name a file below `.github/workflows`, such as `release.yml`";
            self.refuse(place_of(keys, "workflow", place), what, help);
        }
        file.map(StartBy::Workflow)
    }

    /// Checks what needs all names.
    fn ended(mut self) -> Listed {
        self.resolve_needs();
        self.refuse_circles();
        self.find_upstream();
        self.refuse_references();
        self.refuse_idle_gates();
        if self.listed.targets.is_empty() && self.listed.problems.is_empty() {
            let what = "no target is named".to_owned();
            self.listed.problems.push(Problem::new(what).help("list the repositories that take part"));
        }
        self.listed
    }

    /// Finds the targets and gates that each target needs.
    fn resolve_needs(&mut self) {
        let targets = self.listed.targets.iter().map(|target| &target.name);
        let names: Vec<TargetName> =
            targets.chain(self.listed.rules.gates.iter().map(|gate| &gate.name)).cloned().collect();
        let by_lower_case: BTreeMap<String, &TargetName> =
            names.iter().map(|name| (name.as_str().to_lowercase(), name)).collect();
        for (of, needed) in std::mem::take(&mut self.needs) {
            let in_lower_case = needed.value.trim().to_lowercase();
            match by_lower_case.get(&in_lower_case).copied() {
                Some(name) => {
                    let mut targets = self.listed.targets.iter_mut();
                    let target = targets.find(|target| target.name == of).expect("it was read");
                    if !target.needs.contains(name) {
                        target.needs.push(name.clone());
                    }
                }
                // A target or a gate that could not be read has its problem already.
                None if self.names.contains_key(&in_lower_case) => {}
                None => {
                    let what =
                        format_args!("`{of}` needs `{}`, which is neither a target nor a gate", needed.value);
                    let help = did_you_mean(&needed.value, names.iter().map(TargetName::as_str));
                    self.refuse(&needed.place, what, help);
                }
            }
        }
    }

    /// Refuses targets that wait for each other. A gate waits for people only.
    fn refuse_circles(&mut self) {
        let targets = std::mem::take(&mut self.listed.targets);
        for circle in circles(&targets) {
            let first = targets.iter().find(|target| target.name == circle[0]).expect("it is listed");
            let what = format_args!("these wait for each other: {} → {}", circle.join(" → "), circle[0]);
            self.refuse(&first.place, what, "leave one of their `needs` out");
        }
        self.listed.targets = targets;
    }
}

/// Why no command could name a target or a gate of this name, and what helps.
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

/// Whether somebody took a text for a template.
fn has_template(text: &str) -> bool {
    text.contains("{{")
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
    match closest(word, known.clone()) {
        Some(closest) => format!("did you mean `{closest}`?"),
        None => format!("there is {}", listed(known)),
    }
}

/// The known word that is most like `word`, if one is.
pub(crate) fn closest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let likeness = |known: &str| {
        let (word, known) = (word.to_lowercase(), known.to_lowercase());
        // Of two letters that changed places in a short word little else is alike.
        if strsim::osa_distance(&word, &known) <= 1 { 1.0 } else { strsim::jaro_winkler(&word, &known) }
    };
    known.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|closest| likeness(closest) > 0.8)
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
            let Listed { targets, problems, .. } = parse_input(text, &near(), &given());
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
        help: name a file below `.github/workflows`, such as `release.yml`
        t.yml:10:5: the name `Docs` is taken, at 8:5
        help: give it a `name` of its own
        t.yml:11:5: a target that is a number
        help: write a repository, or a mapping with `repository`
        t.yml:6:32: `web` needs `wep`, which is neither a target nor a gate
        help: did you mean `web`?
        t.yml:7:5: these wait for each other: api → docs → api
        help: leave one of their `needs` out
        ");
    }

    #[test]
    fn a_need_names_a_target_in_any_case_of_any_alphabet() {
        let listed = file("targets: [{ repository: web, name: Über }, { repository: docs, needs: über }]");
        assert_eq!((problems(&listed).as_str(), &listed.targets[1].needs[..]), ("", &["Über".into()][..]));
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
        let none = parse_input(" , ", &near(), &given());
        assert!(problems(&none).contains("no target is named"));
        let template = Defaults { workflow: Some("{{ inputs.workflow }}".into()), ..Defaults::default() };
        let of_step = parse_input("web", &near(), &template);
        assert!(problems(&of_step).contains("`{{ inputs.workflow }}` is no workflow file"));
        let bare = parse_input("web", &near(), &Defaults::default());
        assert!(problems(&bare).contains("`targets`:1:1: `web` says no workflow"), "{}", problems(&bare));
    }

    #[test]
    fn values_are_what_people_wrote() {
        let listed = file(
            "
targets:
  - { repository: web, name: no, ref: on, inputs: { country: no, axis: y, level: OFF, sha: 1e12345, go: TRUE } }
  - { repository: api, name: y }
  - { repository: docs, needs: [y, no] }
",
        );
        let [no, y, docs] = &listed.targets[..] else { panic!("three targets: {}", problems(&listed)) };
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
            let listed = file(text);
            let names: Vec<_> = listed.targets.iter().map(|target| target.repository.to_string()).collect();
            assert_eq!(
                (names, listed.problems),
                (vec!["acme/web".into(), "other/docs".into()], vec![]),
                "{text}"
            );
        }
    }

    #[test]
    fn a_hundred_targets_share_an_anchor() {
        let many: String =
            (0..300).map(|n| format!("  - {{ name: t{n}, repository: web, inputs: *all }}\n")).collect();
        let listed =
            file(&format!("x-inputs: &all {{ version: '{{{{ release }}}}', on: yes }}\ntargets:\n{many}"));
        assert_eq!((listed.targets.len(), problems(&listed).as_str()), (300, ""));
        assert_eq!(listed.targets[299].inputs[3].template, "yes");
    }

    #[test]
    fn text_that_is_not_a_template_holds_none() {
        let listed = file(
            "
defaults: { ref: 'refs/pull/67/merge' }
targets:
  - { repository: web, ref: '{{ inputs.ref }}', workflow: '${{ inputs.workflow }}' }
  - { repository: api, ref: 64d9f66f1df87cd18c204770810acaec836dfadb }
  - { repository: 'acme/{{ inputs.name }}', needs: [web, api] }
",
        );
        insta::assert_snapshot!(problems(&listed), @"
        t.yml:2:18: `ref` is the commit of a pull request, and GitHub starts workflows at a branch or a tag
        help: name a branch or a tag, or leave `ref` out for the default branch
        t.yml:4:29: `ref` is the template `{{ inputs.ref }}`, and takes none
        help: write the text itself; only the values below `inputs` are templates
        t.yml:4:59: `workflow` is the template `${{ inputs.workflow }}`, and takes none
        help: write the text itself; only the values below `inputs` are templates
        t.yml:5:29: `ref` is a commit, and GitHub starts workflows at a branch or a tag
        help: name a branch or a tag, or leave `ref` out for the default branch; a workflow that is to check out this commit takes it as one of its `inputs`
        t.yml:6:19: `repository` is the template `acme/{{ inputs.name }}`, and takes none
        help: write the text itself; only the values below `inputs` are templates
        ");
        let by_event = Defaults { event_type: Some("release".into()), ..given() };
        let text = "- { repository: api, ref: 64d9f66f1df87cd18c204770810acaec836dfadb }";
        assert_eq!(parse_file("t.yml", text, &near(), &by_event).problems, [], "an event has no ref");
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
        assert!(error.help().is_some_and(|help| help.contains("put templates in quotes")));
    }
}
