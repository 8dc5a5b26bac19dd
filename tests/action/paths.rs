//! The files of the workspace that a step reads.

use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use crate::support::{Acme, Outcome, Step};

const SECRET: &str = "ghs_not-for-everybody";

/// A workspace, and a file with a secret beside it.
struct Workspace {
    acme: Acme,
    folder: TempDir,
}

impl Workspace {
    async fn new() -> Self {
        let workspace = Self { acme: Acme::new().await, folder: tempfile::tempdir().expect("a folder") };
        std::fs::create_dir(workspace.root()).expect("a writable folder");
        std::fs::write(workspace.folder.path().join("secret"), SECRET).expect("a writable folder");
        workspace
    }

    fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("workspace")
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.root().join(path), text).expect("a writable folder");
    }

    fn link(&self, path: &str, to: impl AsRef<Path>) {
        symlink(to, self.root().join(path)).expect("a writable folder");
    }

    /// A dispatch with a secret in its environment.
    async fn dispatch(&self, input: &str, path: &str) -> Outcome {
        let step = Step::new("dispatch").variable("GITHUB_WORKSPACE", self.root().display());
        let step = step.input("targets", "web").input("workflow", "release.yml").variable("SECRET", SECRET);
        let step = if input == "targets-file" { step.without("INPUT_TARGETS") } else { step };
        step.input(input, path).run_in(&self.acme).await
    }
}

const INPUTS: [&str; 2] = ["body-path", "targets-file"];

#[tokio::test]
async fn no_link_leads_out_of_the_workspace() {
    let workspace = Workspace::new().await;
    std::fs::create_dir(workspace.root().join("sub")).expect("a writable folder");
    workspace.link("environment", "/proc/self/environ");
    workspace.link("twice", "environment");
    workspace.link("beside", "../secret");
    workspace.link("sub/above", "../../");
    for path in
        ["environment", "twice", "beside", "sub/above/secret", "./sub/../environment", "/proc/self/environ"]
    {
        for input in INPUTS {
            let outcome = workspace.dispatch(input, path).await;
            outcome.fails();
            assert!(outcome.log.contains("leads out of the"), "{input}: {path}: {}", outcome.log);
            assert!(!format!("{outcome:?}").contains(SECRET), "{input}: {path}: {outcome:?}");
        }
    }
    assert_eq!(workspace.acme.world.story(), "");
}

#[tokio::test]
async fn a_link_within_the_workspace_is_followed() {
    let workspace = Workspace::new().await;
    workspace.write("notes.md", "Read me.");
    workspace.link("absolute.md", workspace.root().join("notes.md"));
    workspace.link("relative.md", "absolute.md");
    workspace.dispatch("body-path", "relative.md").await.succeeds();
    let body = workspace.acme.world.issue_view("acme/hub", 1).body;
    assert!(body.ends_with("Read me."), "{body}");
}

#[tokio::test]
async fn a_workspace_may_be_behind_a_link_itself() {
    let workspace = Workspace::new().await;
    workspace.write("notes.md", "Read me.");
    let link = workspace.folder.path().join("link");
    symlink(workspace.root(), &link).expect("a writable folder");
    let step = Step::new("dispatch").variable("GITHUB_WORKSPACE", link.display());
    let step = step.input("targets", "web").input("workflow", "release.yml").input("body-path", "notes.md");
    step.run_in(&workspace.acme).await.succeeds();
    let body = workspace.acme.world.issue_view("acme/hub", 1).body;
    assert!(body.ends_with("Read me."), "{body}");
}

#[tokio::test]
async fn a_file_that_is_not_in_the_workspace_is_read_at_the_runs_commit() {
    let workspace = Workspace::new().await;
    workspace.acme.world.repository("acme/hub").file("notes.md", "From GitHub.");
    workspace.dispatch("body-path", "notes.md").await.succeeds();
    let body = workspace.acme.world.issue_view("acme/hub", 1).body;
    assert!(body.ends_with("From GitHub."), "{body}");
}

#[tokio::test]
async fn only_a_text_of_bounded_length_is_read() {
    let workspace = Workspace::new().await;
    std::fs::create_dir(workspace.root().join("folder")).expect("a writable folder");
    let pipe = workspace.root().join("pipe");
    let mkfifo = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(mkfifo.is_ok_and(|status| status.success()), "{}", pipe.display());
    let limit = usize::try_from(release_ticket_action::workspace::FILE_LIMIT).expect("it is small");
    // Each `é` has two bytes, so that the limit lies in the middle of one.
    workspace.write("long", "é".repeat(limit / 2 + 1));
    workspace.write("bytes", [0xff, 0xfe]);
    for (path, reason) in [
        ("folder", "`folder` is not a file"),
        ("pipe", "`pipe` is not a file"),
        ("long", "`long` is longer than 1048576 bytes"),
        ("bytes", "`bytes` of the workspace cannot be read: invalid utf-8"),
    ] {
        for input in INPUTS {
            workspace.dispatch(input, path).await.fails().says(reason).says("help: ");
        }
    }
    assert_eq!(workspace.acme.world.story(), "");
}

#[tokio::test]
async fn a_message_that_no_input_can_hold_comes_from_a_file() {
    let workspace = Workspace::new().await;
    workspace.write("log.txt", format!("the first line\n{}\nthe last line", "x".repeat(140_000)));
    let step = |mode: &str| {
        let step = Step::new(mode).variable("GITHUB_WORKSPACE", workspace.root().display());
        step.run(9_000).input("status", "failure").input("message-path", "log.txt")
    };
    let acme = &workspace.acme;
    let ticket = acme.dispatch("web").await;
    let report = step("report").input("ticket", format!("acme/hub#{ticket}"));
    report.run_in(acme).await.succeeds();
    let record = acme.records(ticket).into_iter().rfind(|record| record.body.contains(" report "));
    let body = record.expect("a report").body;
    assert!(body.contains("the first line") && body.contains("(cut)") && body.len() < 20_000, "{body}");

    acme.world.token("target-token").can("acme/web", &["issues: write", "actions: read"]);
    acme.world.add_job(
        acme.world.runs("acme/web")[0].id,
        simulated_github::Job::new("build").conclusion("failure"),
    );
    let run = acme.world.runs("acme/web")[0].id;
    step("notify").run(run).run_in(acme).await.succeeds();
    let issue = acme.world.issue_view("acme/web", 1);
    assert_eq!(issue.title, "Release failed: the first line");
    assert!(
        issue.body.contains("build failed") || issue.body.contains("[build]"),
        "the job that failed stays"
    );

    let outcome = step("report").input("message", "x").run_in(acme).await;
    outcome.ends_with(2).says("inputs `message` and `message-path` both say what happened; give one of them");
}

#[tokio::test]
async fn a_message_that_cannot_be_read_stops_no_notice() {
    let workspace = Workspace::new().await;
    let acme = &workspace.acme;
    acme.world.token("target-token").can("acme/web", &["issues: write", "actions: read"]);
    workspace.link("environment", "/proc/self/environ");
    workspace.write("bytes", [0xff, 0xfe, b'!']);
    workspace.write("empty", " \n");
    let step = |path: &str| {
        let step = Step::new("notify").variable("GITHUB_WORKSPACE", workspace.root().display());
        step.variable("SECRET", SECRET).run(9_000).input("status", "failure").input("message-path", path)
    };
    for (path, message) in [
        ("environment", "::warning::`message-path`: `environment` is behind a symbolic link"),
        ("missing", "::warning::`message-path`: the workspace has no `missing`"),
        ("bytes", "acme/web#1"),
        ("empty", "acme/web#1"),
    ] {
        let outcome = step(path).run_in(acme).await;
        outcome.succeeds().says(message);
        assert!(!format!("{outcome:?}").contains(SECRET), "{outcome:?}");
        assert_eq!(outcome.output("issue-number"), "1", "{path}");
    }
    let issue = acme.world.issue_view("acme/web", 1);
    assert!(issue.title.starts_with("Release failed in acme/web at main"), "{}", issue.title);
    assert!(issue.comments[1].body.contains("\u{fffd}\u{fffd}!"), "{}", issue.comments[1].body);
    step("../outside").run_in(acme).await.ends_with(2).says("`../outside` leads out of the repository");
}

#[tokio::test]
async fn no_link_leads_to_the_files_of_git() {
    let workspace = Workspace::new().await;
    let acme = &workspace.acme;
    acme.world.token("target-token").can("acme/web", &["issues: write", "actions: read"]);
    std::fs::create_dir_all(workspace.root().join("sub/.git")).expect("a writable folder");
    workspace.write("sub/.git/config", format!("extraheader = {SECRET}"));
    workspace.link("notes.md", "sub/.git/config");
    workspace.link("folder", "sub/.git");
    for path in ["notes.md", "folder/config", "sub/.git/config"] {
        let step = Step::new("notify").variable("GITHUB_WORKSPACE", workspace.root().display());
        let outcome =
            step.run(9_000).input("status", "failure").input("message-path", path).run_in(acme).await;
        outcome.succeeds().says(&format!("::warning::`message-path`: `{path}` is a file of git"));
    }
    let issue = acme.world.issue_view("acme/web", 1);
    let comments = issue.comments.iter().map(|comment| &comment.body);
    assert!(comments.chain([&issue.body]).all(|body| !body.contains(SECRET)), "{issue:?}");
}
