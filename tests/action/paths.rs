//! Which files of the workspace a step reads.

use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use crate::support::{Acme, Done, Step};

const SECRET: &str = "ghs_not-for-everybody";

/// A workspace, beside a file that is nobody's business.
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

    /// A dispatch with a variable in its environment that is secret.
    async fn dispatch(&self, input: &str, path: &str) -> Done {
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
            let done = workspace.dispatch(input, path).await;
            done.fails();
            assert!(done.log.contains("leads out of the"), "{input}: {path}: {}", done.log);
            assert!(!format!("{done:?}").contains(SECRET), "{input}: {path}: {done:?}");
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
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()), "{}", pipe.display());
    let limit = usize::try_from(release_ticket_action::workspace::FILE_LIMIT).expect("it is small");
    // Of two bytes each, so that the limit is in the middle of one.
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
