//! The pages of the documentation: their links into this repository, and the tables that no other test compares.
//!
//! `.ci/run docs` checks the links between the pages, `.ci/run lint` those of all Markdown.

use std::collections::BTreeMap;
use std::path::Path;

use release_ticket_action::ticket::Verb;
use release_ticket_action::ticket::marker::Kind;

use crate::support::{Acme, Step};

/// The README and the pages of the site, by their paths in the project.
pub(crate) fn pages() -> BTreeMap<String, String> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![project.join("docs")];
    let mut paths = vec![project.join("README.md")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the project") {
            let path = entry.expect("a readable folder").path();
            match path.extension() {
                _ if path.ends_with("docs/pictures") => {}
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "md" => paths.push(path),
                _ => {}
            }
        }
    }
    let pages = paths.into_iter().map(|path| {
        let name = path.strip_prefix(project).expect("a path below the project").display().to_string();
        (name, std::fs::read_to_string(path).expect("a text file"))
    });
    pages.collect()
}

/// The anchors of the headings of a page, as GitHub makes them.
pub(crate) fn anchors(page: &str) -> Vec<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let signs = text.chars().filter(|sign| sign.is_alphanumeric() || " -_".contains(*sign));
        signs.map(|sign| if sign == ' ' { '-' } else { sign }).collect()
    };
    headings.map(anchor).collect()
}

/// The site cannot link to files outside of `docs`, so its pages name them by their address on GitHub.
#[test]
fn links_to_files_of_this_repository_lead_to_files_that_are_there() {
    const REPOSITORY: &str = "](https://github.com/org/release-ticket-action/";
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut links = 0;
    for (page, text) in pages() {
        let addresses = text.split(REPOSITORY).skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
        for address in addresses {
            let in_main = address.strip_prefix("blob/main/").or(address.strip_prefix("tree/main/"));
            let Some(link) = in_main else { continue };
            let (path, anchor) = link.split_once('#').map_or((link, None), |(path, it)| (path, Some(it)));
            let file = project.join(path);
            assert!(file.exists(), "{page} links to {path}, which is not there");
            assert_eq!(file.is_dir(), address.starts_with("tree/"), "{page} links to {address}");
            if let Some(anchor) = anchor {
                let text = std::fs::read_to_string(&file).expect("a page");
                let is_there = anchors(&text).iter().any(|it| it == anchor);
                assert!(is_there, "{page} links to {path}, which has no #{anchor}");
            }
            links += 1;
        }
    }
    assert!(links >= 5, "{links} links");
}

#[test]
fn the_readme_is_short() {
    let words = include_str!("../../README.md").split_whitespace().count();
    assert!(words <= 1_200, "the README has {words} words, and room for 1,200: move text to docs/");
}

/// The commands in the first column of a table.
fn commands(text: &str) -> Vec<String> {
    let rows = text.lines().filter(|line| line.starts_with("| `/release"));
    rows.map(|row| row.split('|').nth(1).expect("a table of several columns").trim().to_owned()).collect()
}

#[tokio::test]
async fn the_reference_lists_the_commands_of_the_answer_to_help() {
    let acme = Acme::new().await;
    acme.world.repository("acme/hub").role("wanda", "write");
    let ticket = acme.dispatch("web").await;
    let event = acme.comment_by("wanda", ticket, "/release help");
    let step = Step::new("dispatch").run(900).event(event).variable("GITHUB_ACTOR", "wanda");
    step.input("targets", "web").input("workflow", "release.yml").run_in(&acme).await.succeeds();
    let records = acme.records(ticket);
    let answer = records.iter().map(|record| commands(&record.body)).find(|answer| !answer.is_empty());
    let reference = include_str!("../../docs/reference/commands.md");
    assert_eq!(Some(commands(reference)), answer);
    for verb in Verb::ALL.into_iter().filter(|verb| *verb != Verb::Status) {
        assert!(reference.contains(&format!("`/release {}", verb.as_str())), "{verb:?}");
    }
}

#[test]
fn the_reference_lists_each_kind_of_marker() {
    let page = include_str!("../../docs/reference/markers.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let kinds = [
        Kind::Ticket,
        Kind::Board,
        Kind::Dispatch,
        Kind::Report,
        Kind::Notice,
        Kind::Decision,
        Kind::Release,
    ];
    assert_eq!(rows.map(|(kind, _)| kind).collect::<Vec<_>>(), kinds.map(Kind::as_str));
}
