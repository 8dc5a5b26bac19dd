//! The workflow files of `examples/workflows`: one folder is one repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

/// The project's own folder.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The inputs by which the examples track a job.
const TRACK: &str = "        with:\n          mode: report\n          track: true";

/// The same for act, with everything that a post step gets from GitHub's runner.
fn track_in_act(has_matrix: bool) -> String {
    let values = if has_matrix { "${{ matrix.system && format(' ({0})', matrix.system) }}" } else { "" };
    format!(
        "        env:\n          STATE_tracks: >-\n            {{\"stage\":\"${{{{ github.job }}}}{values}\"}}\n        with:\n          \
         mode: report\n          status: ${{{{ job.status }}}}\n          token: ${{{{ github.token }}}}\n          \
         matrix: ${{{{ toJSON(matrix) }}}}\n          track: true"
    )
}

/// The files of a repository, by their paths in it.
#[derive(Debug, Clone)]
pub(crate) struct Example {
    files: BTreeMap<String, String>,
}

impl Example {
    /// The files of the example called `name`.
    pub(crate) fn of(name: &str) -> Self {
        let mut files = BTreeMap::new();
        read_below(&project().join("examples/workflows").join(name), "", &mut files);
        Self { files }
    }

    /// The same example with a failure of the step `step`.
    pub(crate) fn with_failing(self, step: &str) -> Self {
        self.with_command(step, "exit 1")
    }

    /// The same example with this command in the step `step`.
    pub(crate) fn with_command(mut self, step: &str, command: &str) -> Self {
        let own_work = format!("- name: {step}\n        run: echo \"Here come your own steps.\"\n");
        let work = format!("- name: {step}\n        run: {command}\n");
        let text = self.files.values_mut().find(|text| text.contains(&own_work));
        let text = text.unwrap_or_else(|| panic!("no workflow has the step `{step}`"));
        *text = text.replacen(&own_work, &work, 1);
        self
    }

    /// The same example with the job `build` for each of these systems.
    pub(crate) fn with_matrix(mut self, systems: &str) -> Self {
        for text in self.files.values_mut() {
            let matrix =
                format!("  build:\n    strategy: {{ matrix: {{ system: {systems} }}, fail-fast: false }}\n");
            *text = text.replacen("  build:\n", &matrix, 1);
        }
        self
    }

    /// The same example with another name for its workflows.
    pub(crate) fn with_name(mut self, name: &str) -> Self {
        for text in self.files.values_mut() {
            *text = text.replacen("name: Release\n", &format!("name: {name}\n"), 1);
        }
        self
    }

    /// The same example with this input of its workflow.
    pub(crate) fn with_input(mut self, input: &str) -> Self {
        for text in self.files.values_mut() {
            let inputs =
                format!("on: {{ workflow_dispatch: {{ inputs: {{ {input}: {{ type: string }} }} }} }}\n");
            *text = text.replacen("on: workflow_dispatch\n", &inputs, 1);
        }
        self
    }

    /// Paths and texts of the files.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The permissions of the workflows' jobs, such as `issues: write`. act ignores them, so the token gets exactly
    /// these.
    pub(crate) fn permissions(&self) -> BTreeSet<String> {
        let workflows = self.files.iter().filter(|(path, _)| path.starts_with(".github/workflows/"));
        let jobs = workflows.flat_map(|(path, text)| {
            let workflow: Value =
                serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{path}: {error}"));
            workflow["jobs"].as_object().cloned().unwrap_or_default().into_iter().map(|(_, job)| job)
        });
        let permissions = jobs.flat_map(|job| job["permissions"].as_object().cloned().unwrap_or_default());
        permissions.filter_map(|(name, level)| Some(format!("{name}: {}", level.as_str()?))).collect()
    }

    /// Writes the files below `folder`, for act. Its schema of workflows is older than `queue`, and it ignores concurrency
    /// groups. It gives the post step of a container neither the state of the main step nor the defaults of `action.yml`,
    /// so the step sets them itself.
    pub(crate) fn write_below(&self, folder: &Path) {
        for (path, text) in self.files() {
            let text = text.replace("      queue: max\n", "");
            let has_matrix = text.contains("matrix: { system:");
            let text = text.replace(TRACK, &track_in_act(has_matrix));
            let file = folder.join(path);
            let parent = file.parent().expect("a file is in a folder");
            std::fs::create_dir_all(parent).expect("a writable folder");
            std::fs::write(file, text).expect("a writable folder");
        }
    }
}

fn read_below(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let entry = entry.expect("a readable folder");
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            read_below(&entry.path(), &format!("{path}/"), files);
        } else {
            files.insert(path, std::fs::read_to_string(entry.path()).expect("a text file"));
        }
    }
}
