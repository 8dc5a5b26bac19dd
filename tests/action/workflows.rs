//! The workflow files that people copy or call: the documentation shows lines of them, and they give the action only
//! inputs that it has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use release_ticket_action::inputs::INPUTS;
use release_ticket_action::targets::{Defaults, parse_file};
use serde_json::Value;

use crate::documentation::pages;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The YAML files below a folder of the project.
fn files(folder: &str) -> BTreeMap<PathBuf, String> {
    let mut folders = vec![project().join(folder)];
    let mut files = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the project") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).expect("a text file");
                files.insert(path, text);
            }
        }
    }
    files
}

/// The workflows that others call or copy, and those of the project itself.
fn workflows() -> BTreeMap<PathBuf, Value> {
    let all = files(".github/workflows").into_iter().chain(files("examples/workflows"));
    let workflows =
        all.filter(|(path, _)| path.parent().is_some_and(|folder| folder.ends_with(".github/workflows")));
    let values = workflows.map(|(path, text)| {
        let value =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, value)
    });
    values.collect()
}

fn jobs(workflow: &Value) -> impl Iterator<Item = &Value> {
    workflow["jobs"].as_object().expect("a workflow has jobs").values()
}

fn keys(mapping: &Value) -> BTreeSet<&str> {
    mapping.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

/// Whether a job of this project has a token that changes something.
fn may_write(job: &Value) -> bool {
    job["permissions"].as_object().into_iter().flatten().any(|(_, level)| level == "write")
}

/// The commands that run foreign code: build scripts of dependencies, and tools of other people.
const BUILD_COMMANDS: [&str; 9] = [
    "cargo",
    "docker build",
    "image.sh build",
    "image.sh sbom",
    "rustup",
    "npm",
    "pip",
    "install-",
    ".ci/run",
];

#[test]
fn a_job_that_may_write_compiles_nothing() {
    let mut writers = 0;
    for (path, workflow) in
        workflows().into_iter().filter(|(path, _)| path.starts_with(project().join(".github")))
    {
        for job in jobs(&workflow).filter(|job| may_write(job)) {
            writers += 1;
            for step in job["steps"].as_array().into_iter().flatten() {
                let run = step["run"].as_str().unwrap_or_default();
                let builds: Vec<_> = BUILD_COMMANDS.iter().filter(|command| run.contains(*command)).collect();
                assert!(builds.is_empty(), "{}: {builds:?} in {run}", path.display());
                let uses = step["uses"].as_str().unwrap_or("actions/");
                let is_trusted =
                    uses.starts_with("actions/") || uses.starts_with("org/release-ticket-action@");
                assert!(is_trusted, "{}: {uses}", path.display());
            }
        }
    }
    assert!(writers >= 5, "{writers} jobs may write: push, image, release, and two that others call");
}

/// The steps of a job that use the action.
fn steps(job: &Value) -> impl Iterator<Item = &Value> {
    job["steps"].as_array().into_iter().flatten().filter(|step| {
        step["uses"].as_str().is_some_and(|uses| uses.starts_with("org/release-ticket-action@"))
    })
}

/// The workflow of this project that a job calls.
fn called_workflow(job: &Value) -> Option<&str> {
    let uses = job["uses"].as_str()?.strip_prefix("org/release-ticket-action/")?;
    Some(uses.split_once('@')?.0)
}

fn is_dispatch(job: &Value) -> bool {
    steps(job).any(|step| step["with"]["mode"] == "dispatch")
        || called_workflow(job) == Some(".github/workflows/dispatch.yml")
}

#[test]
fn the_documentation_shows_lines_of_files_that_can_be_copied_whole() {
    let files = files("examples/workflows");
    let mut blocks = 0;
    for (page, text) in pages() {
        for block in yaml_blocks(&text) {
            let lines = format!("\n{block}\n");
            assert!(
                files.values().any(|text| format!("\n{text}").contains(&lines)),
                "no file of examples/workflows has these lines of {page}:\n{block}"
            );
            blocks += 1;
        }
    }
    assert!(blocks >= 20, "{blocks} blocks");
}

#[test]
fn the_readme_shows_the_smallest_workflow_whole() {
    let readme = include_str!("../../README.md");
    let smallest = include_str!("../../examples/workflows/smallest/.github/workflows/release.yml");
    assert_eq!(yaml_blocks(readme), [smallest.trim_end()]);
}

/// The blocks of YAML in a page of Markdown.
fn yaml_blocks(page: &str) -> Vec<&str> {
    page.split("\n```yaml\n").skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0)).collect()
}

#[test]
fn every_targets_file_is_one_that_the_action_takes() {
    let files = files("examples/workflows").into_iter();
    let targets = files.filter(|(path, _)| path.ends_with(".github/release-targets.yml"));
    let hub = "acme/hub".parse().expect("a name");
    let mut count = 0;
    for (path, text) in targets {
        let list = parse_file("release-targets.yml", &text, &hub, &Defaults::default());
        assert!(list.problems.is_empty(), "{}: {:?}", path.display(), list.problems);
        count += 1;
    }
    assert!(count >= 4, "{count} files");
}

#[test]
fn workflows_ask_the_action_only_for_what_it_takes() {
    let inputs: BTreeSet<&str> = INPUTS.iter().map(|input| input.name).collect();
    let mut count = 0;
    for (path, workflow) in workflows() {
        for step in jobs(&workflow).flat_map(steps) {
            let unknown_keys: Vec<_> = keys(&step["with"]).difference(&inputs).copied().collect();
            assert!(unknown_keys.is_empty(), "{}: {unknown_keys:?}", path.display());
            count += 1;
        }
    }
    assert!(count > 10, "{count} steps use the action");
}

/// GitHub puts the value of `${{ }}` into a template as it is, and the action renders the whole.
#[test]
fn typed_text_is_never_put_into_a_template() {
    let templates = ["targets", "inputs", "release", "title", "body", "only"];
    let examples = workflows().into_iter().filter(|(path, _)| path.starts_with(project().join("examples")));
    let mut count = 0;
    for (path, workflow) in examples {
        let calls = jobs(&workflow).filter(|job| called_workflow(job).is_some());
        let dispatch_steps =
            jobs(&workflow).flat_map(steps).filter(|step| step["with"]["mode"] == "dispatch");
        for with in dispatch_steps.chain(calls).map(|caller| &caller["with"]) {
            for (name, text) in templates.iter().filter_map(|name| Some((name, with[name].as_str()?))) {
                assert!(!text.contains("${{"), "{}: `{name}: {text}`", path.display());
                count += usize::from(text.contains("{{"));
            }
        }
    }
    assert!(count >= 8, "{count} templates");
}

#[test]
fn callers_give_a_called_workflow_only_what_it_takes() {
    let workflows = workflows();
    let calls = workflows.iter().flat_map(|(path, workflow)| jobs(workflow).map(move |job| (path, job)));
    let mut files = BTreeSet::new();
    for (path, job) in calls {
        let Some(file) = called_workflow(job) else { continue };
        let declaration = &workflows[&project().join(file)]["on"]["workflow_call"];
        for (values, names) in
            [(&job["with"], &declaration["inputs"]), (&job["secrets"], &declaration["secrets"])]
        {
            let unknown_keys: Vec<_> = keys(values).difference(&keys(names)).copied().collect();
            assert!(unknown_keys.is_empty(), "{} gives {file} {unknown_keys:?}", path.display());
        }
        files.insert(file);
    }
    assert_eq!(files, BTreeSet::from([".github/workflows/dispatch.yml", ".github/workflows/finish.yml"]));
}

#[test]
fn hub_runs_of_a_release_wait_for_one_another() {
    let mut groups = BTreeSet::new();
    for (path, workflow) in workflows() {
        for job in jobs(&workflow).filter(|job| is_dispatch(job)) {
            let (path, concurrency) = (path.display(), &job["concurrency"]);
            // In a group of the workflow, even a run that skips the job would take a place.
            assert!(workflow["concurrency"].is_null(), "{path}: the group belongs to the job");
            if !workflow["on"]["workflow_call"].is_null() {
                assert!(concurrency.is_null(), "{path}: the group belongs to the caller");
                continue;
            }
            assert_eq!(keys(concurrency), BTreeSet::from(["group", "queue"]), "{path}");
            assert_eq!(concurrency["queue"], "max", "{path}");
            groups.insert(concurrency["group"].as_str().expect("a group is text").to_owned());
        }
    }
    let names = [
        "inputs.version",
        "inputs.version || github.event.comment.id",
        "inputs.targetRepo",
        "github.event.issue.number",
    ];
    assert_eq!(groups, names.map(|name| format!("dispatch-${{{{ {name} }}}}")).into());
}
