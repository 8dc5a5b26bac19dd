//! The board as people see it, from records that `examples/boards` makes up.

#[path = "../../examples/boards/release.rs"]
mod release;
#[path = "../../examples/boards/samples.rs"]
mod samples;

use std::path::Path;

use release_ticket_action::ticket::{Status, text};

use crate::support::without_links;
use release::Release;
use samples::SAMPLES;

/// The boards that the documentation shows.
const PICTURES: [&str; 3] = ["failed", "underway", "released"];

fn boards() -> impl Iterator<Item = (&'static str, String)> {
    SAMPLES.iter().map(|(name, release)| (*name, release().board()))
}

/// The table's rows, without the addresses of their links: the head too, and no rules below it.
fn rows(board: &str) -> Vec<String> {
    let board = without_links(board).replace('\u{a0}', " ");
    board.lines().filter(|line| line.starts_with("| ")).map(str::to_owned).collect()
}

fn row(release: Release, target: &str) -> String {
    let rows = rows(&release.board());
    let row = rows.iter().find(|row| row.starts_with(&format!("| **{target}** |")));
    row.expect("a row").clone()
}

#[test]
fn the_pictures_of_the_documentation_show_the_boards_of_today() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    for name in PICTURES {
        let drawn =
            std::fs::read_to_string(folder.join(format!("{name}.md"))).expect("the board of a picture");
        let today = samples::board(name).expect("a sample");
        assert_eq!(drawn, today, "{name} has changed: .ci/pictures.sh draws it again");
        for theme in ["light", "dark"] {
            assert!(folder.join(format!("{name}-{theme}.png")).is_file(), "{name}, {theme}");
        }
    }
}

#[test]
fn a_board_of_waves_with_a_failure_has_these_rows() {
    insta::assert_snapshot!(rows(&samples::board("failed").expect("a sample")).join("\n"), @r"
    | Target | Status | Progress | Release | Started | Took |
    | **cli** | ❌ failed | ✅ build ❌ publish |  | 09:14 | 12 min |
    | **web** | 🔄 in progress | ✅ build ✅ test 🔄 publish |  | 09:14 |  |
    | **docs** | ⏳ waiting | after **web**; **cli** failed |  |  |  |
    | **api** | ✅ released |  | v1.4.0 | 09:00 | 13 min |
    ");
}

#[test]
fn a_finished_board_has_these_rows_and_says_how_long_all_took() {
    let board = samples::board("released").expect("a sample");
    insta::assert_snapshot!(rows(&board).join("\n"), @r"
    | Target | Status | Release | Started | Took |
    | **brew** | ⏭️ skipped |  | 09:42 | 3 min |
    | **api** | ✅ released | v1.4.0 | 09:00 | 13 min |
    | **cli** | ✅ released | v1.4.0 | 09:14 | 27 min |
    | **docs** | ✅ released | 2026.11 | 09:42 | 13 min |
    | **web** | ✅ released | v1.4.0 | 09:14 | 13 min |
    ");
    let heading = board.lines().nth(3).unwrap_or_default().replace('\u{a0}', " ");
    assert_eq!(heading, "driver `alice` · started 2026-11-26 09:00 UTC · took 55 min");
}

#[test]
fn a_row_links_to_the_repository_the_run_and_the_release() {
    let board = samples::board("released").expect("a sample");
    let cells = [
        "| [**api**](https://github.com/acme/api)",
        "[✅\u{a0}released](https://github.com/acme/api/actions/runs/19600000001)",
        "[v1.4.0](https://github.com/acme/api/releases/tag/v1.4.0)",
    ];
    assert!(board.contains(&cells.join(" | ")), "{board}");
}

#[test]
fn no_column_is_blank_in_all_rows() {
    for (name, board) in boards() {
        let lines: Vec<&str> = board.lines().collect();
        for table in lines.split(|line| !line.starts_with('|')).filter(|table| !table.is_empty()) {
            for column in 1..table[0].split('|').count() - 1 {
                let cells = table[2..].iter().map(|row| row.split('|').nth(column).unwrap_or_default());
                assert!(cells.clone().any(|cell| !cell.trim().is_empty()), "{name}, {column}: {table:?}");
            }
        }
    }
}

#[test]
fn a_stage_that_succeeded_while_another_one_runs_is_shown() {
    let started = || Release::new().starts("web", &[], 0);
    let only = started().reports("web", "publish", Status::InProgress, 1);
    assert_eq!(row(only, "web"), "| **web** | 🔄 in progress | 🔄 publish | 09:00 |");
    let both = started().reports("web", "build", Status::Success, 1);
    let both = both.reports("web", "publish", Status::InProgress, 1);
    assert_eq!(row(both, "web"), "| **web** | 🔄 in progress | ✅ build 🔄 publish | 09:00 |");
}

#[test]
fn of_many_stages_those_that_failed_or_run_are_shown() {
    let release = Release::new().starts("web", &[], 0);
    let release = (0..20).fold(release, |release, number| {
        let status = if number == 3 { Status::Failure } else { Status::Success };
        release.reports("web", &format!("stage-{number:02}"), status, number)
    });
    let release = release.reports("web", "publish", Status::InProgress, 30);
    assert_eq!(
        row(release, "web"),
        "| **web** | ❌ failed | ✅ 18 more ✅ stage-19 🔄 publish ❌ stage-03 | 09:00 | 3 min |"
    );
}

#[test]
fn a_message_stands_in_the_box_or_in_the_row() {
    let board = samples::board("several-failures").expect("a sample");
    for target in ["admin", "operator", "proxy", "web"] {
        assert_eq!(board.matches(&format!("the registry refused {target}:")).count(), 1, "{target}: {board}");
    }
}

#[test]
fn an_attempt_is_worth_a_word_from_the_second_on() {
    let first = || {
        let release = Release::new().starts("web", &[], 0);
        release.reports("web", "build", Status::Failure, 3)
    };
    assert!(!row(first(), "web").contains("attempt"));
    let second = first().attempt("web", "build", Status::InProgress, 9, 2);
    assert_eq!(row(second, "web"), "| **web** | 🔄 in progress | attempt 2: 🔄 build | 09:00 |");
}

#[test]
fn a_waiting_target_names_what_it_waits_for_and_what_holds_it_up() {
    let release = || {
        let release = Release::new().starts("web", &[], 0).starts("cli", &[], 0).starts("api", &[], 0);
        release.reports("cli", "build", Status::Failure, 1).reports("api", "build", Status::Cancelled, 1)
    };
    for (needs, expected) in [
        (&["web"][..], "after **web**"),
        (&["web", "cli"], "after **web**; **cli** failed"),
        (&["cli", "api"], "**cli** failed; **api** was cancelled"),
        (&["late"], "after **late**; **cli** failed"),
        (&["a", "b", "c", "d", "e", "f"], "after **a**, **b**, **c**, **d** and 2 more"),
    ] {
        let release = release().waits("late", &["cli"]).waits("docs", needs);
        assert_eq!(row(release, "docs"), format!("| **docs** | ⏳ waiting | {expected} |  |  |"));
    }
}

#[test]
fn a_graph_is_drawn_where_it_helps() {
    let nodes =
        |board: &str| board.lines().filter(|line| line.starts_with("  t") && line.contains('[')).count();
    for (name, board) in boards() {
        assert!(nodes(&board) <= 15, "{name}");
    }
    assert_eq!(nodes(&samples::board("failed").expect("a sample")), 4);
    // All is released, or each waits for one.
    for name in ["released", "thirty-targets"] {
        assert_eq!(nodes(&samples::board(name).expect("a sample")), 0, "{name}");
    }
    // What is released already is left out of a large one.
    let wave = |release: Release, name: &str| release.waits(name, &["middle"]);
    let release =
        (0..20).fold(Release::new(), |release, number| release.starts(&format!("early-{number}"), &[], 0));
    let release = (0..20).fold(release, |release, number| {
        let target = format!("early-{number}");
        release.reports(&target, "publish", Status::Success, 1).releasing(&target, "v1")
    });
    let early: Vec<String> = (0..20).map(|number| format!("early-{number}")).collect();
    let early: Vec<&str> = early.iter().map(String::as_str).collect();
    let release = ["one", "two"].into_iter().fold(release.starts("middle", &early, 2), wave);
    assert_eq!(nodes(&release.board()), 3);
}

#[test]
fn three_hundred_targets_fit() {
    let board = samples::board("three-hundred-targets").expect("a sample");
    assert!(text::length(&board) < text::BODY_LIMIT * 2 / 3, "{} characters", text::length(&board));
    assert_eq!(board.lines().filter(|line| line.starts_with("| **service-")).count(), 300);
    assert!(!board.contains("do not fit"), "{board}");
}

#[test]
fn of_a_thousand_targets_as_many_rows_are_shown_as_fit() {
    let release = (0..1_000).fold(Release::new(), |release, number| {
        release.starts(&format!("service-with-a-rather-long-name-{number}"), &[], 0)
    });
    let board = release.board();
    assert!(
        text::length(&board) <= text::BODY_LIMIT && board.contains("more targets do not fit here"),
        "{board}"
    );
}

#[test]
fn a_time_of_another_day_than_the_newest_change_has_its_date() {
    let release = Release::new().starts("web", &[], 0).starts("api", &[], 1_500);
    let rows = rows(&release.board());
    assert_eq!(rows[1..], ["| **api** | 🕓 queued | 10:00 |", "| **web** | 🕓 queued | 2026-11-26 09:00 |",]);
}
