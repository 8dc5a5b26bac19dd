//! An issue as people see it: for snapshots, and in a file for a picture.

use std::path::Path;

use simulated_github::Issue;

/// Compares the issue with the snapshot of this name, without the parts that differ from run to run, and writes its
/// Markdown to a file.
#[macro_export]
macro_rules! assert_page {
    ($name:literal, $issue:expr) => {{
        let page = $crate::page::keep($name, &$issue);
        insta::with_settings!({ filters => $crate::page::FILTERS, omit_expression => true }, {
            insta::assert_snapshot!($name, page);
        });
    }};
}

/// The parts that differ from run to run, and their replacements.
pub(crate) const FILTERS: [(&str, &str); 12] = [
    (r"http://127\.0\.0\.1:\d+", "https://github.test"),
    (r"/runs/\d+", "/runs/RUN"),
    (r"/job/\d+", "/job/JOB"),
    (r"run \d+", "run RUN"),
    (r"(\| |- |last change )(\d{4}-\d\d-\d\d )?\d\d:\d\d", "${1}TIME"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "DATE TIME"),
    (r"\d+\u{a0}(s|min)\b", "TOOK"),
    // The times of a run of a second differ, also whether it was queued at all.
    (r"(?s)(\n  section )[^`]*\n```", "${1}…\n```"),
    (r"(\[run RUN\]\([^)]*\)) \|( TOOK)? +\|( TOOK)? +\|", "${1} | TOOK | TOOK |"),
    (r"🚦 \*\*go\*\* waited TOOK for people\.\n\n", ""),
    (r"\u{a0}", " "),
    (r"Shows \d+ records", "Shows RECORDS"),
];

/// Renders the issue, and writes it to `target/tmp/end-to-end/NAME.md`.
pub(crate) fn keep(name: &str, issue: &Issue) -> String {
    let page = render(issue);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("end-to-end");
    std::fs::create_dir_all(&folder).expect("a writable folder");
    std::fs::write(folder.join(format!("{name}.md")), &page).expect("a writable folder");
    page
}

fn render(issue: &Issue) -> String {
    let mut page = format!(
        "# {} #{}\n\n{} · opened by {} · labels: {} · assigned to {}\n\n{}",
        issue.title,
        issue.number,
        issue.state,
        issue.author,
        issue.labels.join(", "),
        issue.assignees.join(", "),
        without_marker(&issue.body),
    );
    // Jobs that run at the same time write in any order. The order of their markers is by kind, then by writer.
    let mut comments: Vec<_> = issue.comments.iter().collect();
    comments.sort_by_key(|comment| &comment.body);
    // Two last reports within a second both say that everything is released.
    comments.dedup_by_key(|comment| (&comment.author, without_marker(&comment.body)));
    for comment in comments {
        page += &format!("\n\n---\n\n**{}** commented\n\n{}", comment.author, without_marker(&comment.body));
    }
    page
}

fn without_marker(body: &str) -> &str {
    match body.strip_prefix("<!-- release-ticket:").and_then(|rest| rest.split_once('\n')) {
        Some((_, text)) => text.trim(),
        None => body.trim(),
    }
}
