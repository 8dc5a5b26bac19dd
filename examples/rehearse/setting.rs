//! The setting: repositories with their workflows, people, and tokens with exactly the permissions that the documentation
//! asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use release_ticket_action::names::RepoName;
use release_ticket_action::problem::{Advice, Help, Problem, Topic};
use release_ticket_action::targets::{self, Defaults, StartBy, Target};
use release_ticket_action::ticket::Rules;
use serde_json::{Map, Value, json};
use simulated_github::World;

use crate::arguments::Arguments;
use crate::people;
use crate::request::{Request, RequestError};

/// The repository that holds the ticket.
pub(crate) const HUB: &str = "acme/hub";

/// The repository with a failure without a ticket.
pub(crate) const TOOLS: &str = "acme/tools";

/// The driver of the release.
pub(crate) const DRIVER: &str = "alice";

/// The path of the targets file in the hub.
pub(crate) const TARGETS_FILE: &str = ".github/release-targets.yml";

/// The hub's secret: opens and writes the ticket, starts workflows in the targets.
pub(crate) const RELEASE_TOKEN: &str = "ghs_release";

/// The targets' secret: writes the ticket.
pub(crate) const TICKET_TOKEN: &str = "ghs_ticket";

/// The account of both tokens: a GitHub App.
const APP: &str = "acme-release[bot]";

/// The inputs of the hub's workflow, unless others are given.
const INPUTS: [(&str, &str); 2] = [("version", "1.4.0"), ("channel", "beta")];

/// The targets, unless the user brings a file.
const TARGETS: &str = "\
defaults:
  workflow: release.yml
  inputs: { channel: '{{ inputs.channel }}' }
targets:
  - acme/api
  - acme/web
  - repository: acme/docs
    ref: main
    needs: [api, web, go]
gates:
  - name: go
";

const NIGHTLY: &str = "\
name: Nightly
on:
  schedule: [{ cron: '0 3 * * *' }]
";

const ON_REQUEST: &str = "\
name: Release on request
on:
  issues: { types: [labeled] }
";

/// The reason why the rehearsal has no setting.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingError {
    /// The targets file cannot be opened.
    #[error("`{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The action refuses it.
    #[error("{0}")]
    Targets(String),
    /// There is no request.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl Help for SettingError {
    fn help(&self) -> Option<Advice> {
        match self {
            Self::Read { .. } => {
                let text = "`--targets` takes a targets file, such as `.github/release-targets.yml`";
                Some(Topic::Rehearsal.advice(text))
            }
            // Each problem has its own help.
            Self::Targets(_) => None,
            Self::Request(error) => error.help(),
        }
    }
}

/// The contents of the world at the beginning.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The hub's targets file.
    pub(crate) targets_file: String,
    /// The targets in it.
    pub(crate) targets: Vec<Target>,
    /// The gates and freezes in it.
    pub(crate) rules: Rules,
    /// The inputs with which the hub's workflow is started.
    pub(crate) inputs: Map<String, Value>,
    /// The issue that starts the workflow instead, if people use a form.
    pub(crate) request: Option<Request>,
    /// The inputs of the hub's step that the user gives.
    with: Vec<(String, String)>,
}

/// The token that GitHub gives to each job of `repository`.
pub(crate) fn github_token(repository: &str) -> String {
    format!("ghs_{}", repository.replace('/', "_"))
}

/// A target's name for people: its repository, and its own name if that is different.
pub(crate) fn display_name(repository: &str, target: &str) -> String {
    match repository.split_once('/') {
        Some((_, name)) if name == target => repository.to_owned(),
        _ => format!("{repository} ({target})"),
    }
}

impl Setting {
    /// Reads the files and inputs of the user, in the same way as the action.
    pub(crate) fn read(arguments: &Arguments) -> Result<Self, SettingError> {
        let (path, targets_file) = match &arguments.targets {
            None => (TARGETS_FILE.to_owned(), TARGETS.to_owned()),
            Some(path) => {
                let text_or_error = std::fs::read_to_string(path);
                let text =
                    text_or_error.map_err(|source| SettingError::Read { path: path.clone(), source })?;
                (path.display().to_string(), text)
            }
        };
        let hub: RepoName = HUB.parse().expect("the constant is `owner/name`");
        let list = targets::parse_file(&path, &targets_file, &hub, &Defaults::default());
        let join_texts =
            |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let rules = list.rules.clone();
        let targets = list.all_good().map_err(|problems| SettingError::Targets(join_texts(problems)))?;
        let request = arguments.form.as_ref().map(|path| Request::read(path, arguments)).transpose()?;
        let overrides = arguments.inputs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // A workflow that an issue starts has no inputs.
        let defaults = INPUTS.into_iter().filter(|_| request.is_none());
        let inputs = defaults.chain(overrides).map(|(name, value)| (name.to_owned(), value.into()));
        Ok(Self {
            targets_file,
            targets,
            rules,
            inputs: inputs.collect(),
            request,
            with: arguments.with.clone(),
        })
    }

    /// The name of the release.
    pub(crate) fn version(&self) -> &str {
        let form_version = self.request.as_ref().and_then(Request::version);
        form_version.or_else(|| self.inputs.get("version")?.as_str()).unwrap_or_default()
    }

    /// The inputs of the hub's step. Of two that have the same name the runner takes the first.
    pub(crate) fn step_inputs(&self) -> Vec<(&str, &str)> {
        let user_inputs = self.with.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let form_inputs = self.request.iter().flat_map(Request::with);
        user_inputs.chain(form_inputs).chain([("release", self.version())]).collect()
    }

    /// The targets that are to be released.
    pub(crate) fn targets_to_release(&self) -> impl Iterator<Item = &Target> {
        let checked_boxes = self.request.as_ref().and_then(Request::targets);
        self.targets.iter().filter(move |target| {
            checked_boxes.as_ref().is_none_or(|boxes| boxes.contains(&target.name.as_str()))
        })
    }

    /// The target that fails at first.
    pub(crate) fn fails_once(&self) -> &str {
        self.targets_to_release().next().map_or("", |target| target.name.as_str())
    }

    /// Whether the jobs of a target are tracked. Other targets have steps that report.
    pub(crate) fn is_tracked(&self, target: &str) -> bool {
        target == self.fails_once()
    }

    /// The length of the longest name of a person or target.
    pub(crate) fn longest_name(&self) -> usize {
        let targets = self
            .targets
            .iter()
            .map(|target| display_name(&target.repository.to_string(), target.name.as_str()));
        let names = [HUB, TOOLS, DRIVER].map(str::to_owned).into_iter().chain(targets);
        names.map(|name| name.chars().count()).max().unwrap_or_default()
    }

    /// Puts everything into the world.
    pub(crate) fn plant(&self, world: &World) {
        world.token(RELEASE_TOKEN).acts_as(APP).can(HUB, &["issues: write"]);
        world.token(TICKET_TOKEN).acts_as(APP).can(HUB, &["issues: write"]);
        world
            .token(&github_token(TOOLS))
            .can(TOOLS, &["issues: write", "actions: read", "checks: read", "contents: read"]);
        for target in self.targets.iter().filter(|target| self.is_tracked(target.name.as_str())) {
            let repository = target.repository.to_string();
            world.token(&github_token(&repository)).can(&repository, &["actions: read"]);
        }

        let hub = world.repository(HUB).private().member(DRIVER, "MEMBER");
        hub.role(DRIVER, "maintain");
        for login in self.rules.gates.iter().flat_map(people::approvers_of).filter(|login| login != DRIVER) {
            hub.role(&login, "write");
        }
        hub.file(TARGETS_FILE, &self.targets_file);
        let workflow_file = match self.request {
            Some(_) => ON_REQUEST.to_owned(),
            None => workflow(self.inputs.keys().map(String::as_str)),
        };
        hub.file(".github/workflows/release.yml", &workflow_file);
        world
            .repository(TOOLS)
            .private()
            .member(DRIVER, "MEMBER")
            .file(".github/workflows/nightly.yml", NIGHTLY);

        for ((repository, file), inputs) in self.workflows() {
            world
                .token(RELEASE_TOKEN)
                .can(&repository, &["actions: write", "contents: read", "attestations: read"]);
            let path = format!(".github/workflows/{file}");
            world.repository(&repository).private().member(DRIVER, "MEMBER").file(&path, &workflow(inputs));
        }
        // A branch has the files that exist at its creation.
        for target in &self.targets {
            if let Some(git_ref) = &target.git_ref {
                let short = git_ref.short();
                world.repository(&target.repository.to_string()).branch(short);
            }
        }
    }

    /// The workflow files of the targets, with the inputs that each of them declares.
    fn workflows(&self) -> BTreeMap<(String, &str), BTreeSet<&str>> {
        let mut workflows: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
        for target in &self.targets {
            let StartBy::Workflow(file) = &target.start else { continue };
            let inputs = workflows.entry((target.repository.to_string(), file.as_str())).or_default();
            inputs.extend(["release-ticket", "release-target"]);
            inputs.extend(target.inputs.iter().map(|input| input.name.as_str()));
        }
        workflows
    }
}

/// A workflow with these inputs, as JSON, which is also YAML.
fn workflow<'a>(inputs: impl IntoIterator<Item = &'a str>) -> String {
    let inputs: Map<String, Value> = inputs.into_iter().map(|name| (name.to_owned(), json!({}))).collect();
    let workflow = json!({
        "name": "Release",
        "run-name": "Release ${{ inputs.release-ticket }}",
        "on": { "workflow_dispatch": { "inputs": inputs } },
    });
    format!("{workflow:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_that_share_a_workflow_declare_their_inputs_together() {
        let text = "
targets:
  - { name: a, repository: mono, workflow: r.yml, inputs: { channel: x } }
  - { name: b, repository: mono, workflow: r.yml, inputs: { draft: true } }
";
        let hub: RepoName = HUB.parse().expect("a name");
        let targets = targets::parse_file("t.yml", text, &hub, &Defaults::default()).targets;
        let setting = Setting {
            targets_file: text.to_owned(),
            targets,
            rules: Rules::default(),
            inputs: Map::new(),
            request: None,
            with: Vec::new(),
        };
        let inputs: Vec<_> = setting.workflows().into_values().flatten().collect();
        assert_eq!(inputs, ["channel", "draft", "release-target", "release-ticket"]);
    }

    #[test]
    fn an_input_that_is_given_replaces_the_one_of_the_rehearsal() {
        let inputs =
            vec![("channel".to_owned(), "stable".to_owned()), ("draft".to_owned(), "true".to_owned())];
        let setting = Setting::read(&Arguments { inputs, ..Arguments::default() }).expect("a setting");
        let expected = json!({ "version": "1.4.0", "channel": "stable", "draft": "true" });
        assert_eq!(Value::Object(setting.inputs), expected);
    }

    #[test]
    fn a_form_names_the_release_and_chooses_its_targets() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/workflows/release-request/.github");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let arguments = Arguments {
            targets: Some(format!("{folder}/release-targets.yml").into()),
            form: Some(format!("{folder}/ISSUE_TEMPLATE/release.yml").into()),
            answers: vec![pair("Version", "2.0.0"), pair("Targets", "docs")],
            with: vec![pair("labels", "")],
            ..Arguments::default()
        };
        let setting = Setting::read(&arguments).expect("a setting");
        assert_eq!((setting.version(), setting.fails_once()), ("2.0.0", "docs"));
        assert_eq!(setting.targets_to_release().count(), 1);
        let inputs = [("labels", ""), ("release", "{{ form.version }}"), ("only", "{{ form.targets }}")];
        assert_eq!(setting.step_inputs()[..3], inputs);
    }
}
