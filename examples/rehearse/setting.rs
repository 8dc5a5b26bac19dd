//! The setting: repositories with their workflows, people, and tokens that may do what the README
//! asks for and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use release_ticket_action::names::RepoName;
use release_ticket_action::problem::{Help, Problem};
use release_ticket_action::targets::{self, Defaults, StartBy, Target};
use release_ticket_action::ticket::Rules;
use serde_json::{Map, Value, json};
use simulated_github::World;

use crate::arguments::Arguments;
use crate::people;
use crate::request::{Request, RequestError};

/// The repository that holds the ticket.
pub(crate) const HUB: &str = "acme/hub";

/// The repository in which something fails without a ticket.
pub(crate) const TOOLS: &str = "acme/tools";

/// Who is responsible for the release.
pub(crate) const DRIVER: &str = "alice";

/// Where the hub keeps its targets.
pub(crate) const TARGETS_FILE: &str = ".github/release-targets.yml";

/// The hub's secret: opens and writes the ticket, starts workflows in the targets.
pub(crate) const RELEASE_TOKEN: &str = "ghs_release";

/// The targets' secret: writes the ticket.
pub(crate) const TICKET_TOKEN: &str = "ghs_ticket";

/// As whom both act: a GitHub App.
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

/// Why there is nothing to rehearse.
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
    /// Nothing is asked for.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl Help for SettingError {
    fn help(&self) -> Option<String> {
        match self {
            Self::Read { .. } => {
                Some("`--targets` takes a targets file, such as `.github/release-targets.yml`".to_owned())
            }
            // Each problem says its own.
            Self::Targets(_) => None,
            Self::Request(error) => error.help(),
        }
    }
}

/// What the world holds at first.
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
    /// The issue that starts it instead.
    pub(crate) request: Option<Request>,
    /// The inputs of the hub's step that the user gives.
    with: Vec<(String, String)>,
}

/// The token that GitHub gives to each job of `repository`.
pub(crate) fn github_token(repository: &str) -> String {
    format!("ghs_{}", repository.replace('/', "_"))
}

/// A target as people call it: its repository; and its own name, where that says more.
pub(crate) fn called(repository: &str, target: &str) -> String {
    match repository.split_once('/') {
        Some((_, name)) if name == target => repository.to_owned(),
        _ => format!("{repository} ({target})"),
    }
}

impl Setting {
    /// Reads what the user brings, as the action will read it.
    pub(crate) fn read(arguments: &Arguments) -> Result<Self, SettingError> {
        let (path, targets_file) = match &arguments.targets {
            None => (TARGETS_FILE.to_owned(), TARGETS.to_owned()),
            Some(path) => {
                let read = std::fs::read_to_string(path);
                let text = read.map_err(|source| SettingError::Read { path: path.clone(), source })?;
                (path.display().to_string(), text)
            }
        };
        let hub: RepoName = HUB.parse().expect("the constant is `owner/name`");
        let listed = targets::parse_file(&path, &targets_file, &hub, &Defaults::default());
        let told =
            |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let rules = listed.rules.clone();
        let targets = listed.all_good().map_err(|problems| SettingError::Targets(told(problems)))?;
        let request = arguments.form.as_ref().map(|path| Request::read(path, arguments)).transpose()?;
        let given = arguments.inputs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // A workflow that an issue starts has no inputs.
        let known = INPUTS.into_iter().filter(|_| request.is_none());
        let inputs = known.chain(given).map(|(name, value)| (name.to_owned(), value.into()));
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
        let asked_for = self.request.as_ref().and_then(Request::version);
        asked_for.or_else(|| self.inputs.get("version")?.as_str()).unwrap_or_default()
    }

    /// The inputs of the hub's step. Of two that have the same name the runner takes the first.
    pub(crate) fn step_inputs(&self) -> Vec<(&str, &str)> {
        let given = self.with.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let asked_for = self.request.iter().flat_map(Request::with);
        given.chain(asked_for).chain([("release", self.version())]).collect()
    }

    /// The targets that are to be released.
    pub(crate) fn released(&self) -> impl Iterator<Item = &Target> {
        let ticked = self.request.as_ref().and_then(Request::targets);
        self.targets
            .iter()
            .filter(move |target| ticked.as_ref().is_none_or(|ticked| ticked.contains(&target.name.as_str())))
    }

    /// The target that fails at first.
    pub(crate) fn fails_once(&self) -> &str {
        self.released().next().map_or("", |target| target.name.as_str())
    }

    /// Whether the jobs of a target are tracked. Those of the others report by themselves.
    pub(crate) fn is_tracked(&self, target: &str) -> bool {
        target == self.fails_once()
    }

    /// The length of the longest name of anyone who acts.
    pub(crate) fn longest_name(&self) -> usize {
        let targets =
            self.targets.iter().map(|target| called(&target.repository.to_string(), target.name.as_str()));
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
        // A branch has the files that are there when it is made.
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

/// A workflow that people and programs start with these inputs. JSON is YAML.
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
        let declared: Vec<_> = setting.workflows().into_values().flatten().collect();
        assert_eq!(declared, ["channel", "draft", "release-target", "release-ticket"]);
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
        assert_eq!(setting.released().count(), 1);
        let given = [("labels", ""), ("release", "{{ form.version }}"), ("only", "{{ form.targets }}")];
        assert_eq!(setting.step_inputs()[..3], given);
    }
}
