//! The board as people see it, from the records of `examples/boards`.

#[path = "../../examples/boards/release.rs"]
mod release;
#[path = "../../examples/boards/samples.rs"]
mod samples;

use release_ticket_action::ticket::{Status, Verb, text};

use crate::support::without_links;
use release::Release;
use samples::SAMPLES;

fn boards() -> impl Iterator<Item = (&'static str, String)> {
    SAMPLES.iter().map(|(name, release)| (*name, release().board()))
}

/// The rows of the tables with their heads, without the addresses of links and without the rules below the heads.
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
    let release = || Release::new().starts("web", &[], 0);
    let only = release().reports("web", "publish", Status::InProgress, 1);
    assert_eq!(row(only, "web"), "| **web** | 🔄 in progress | 🔄 publish | 09:00 |");
    let both = release().reports("web", "build", Status::Success, 1);
    let both = both.reports("web", "publish", Status::InProgress, 1);
    assert_eq!(row(both, "web"), "| **web** | 🔄 in progress | ✅ build 🔄 publish | 09:00 |");
}

#[test]
fn many_stages_are_cut_to_those_that_failed_or_run() {
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
fn an_attempt_is_named_from_the_second_on() {
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
    for (needs, text) in [
        (&["web"][..], "after **web**"),
        (&["web", "cli"], "after **web**; **cli** failed"),
        (&["cli", "api"], "**cli** failed; **api** was cancelled"),
        (&["late"], "after **late**; **cli** failed"),
        (&["a", "b", "c", "d", "e", "f"], "after **a**, **b**, **c**, **d** and 2 more"),
    ] {
        let release = release().waits("late", &["cli"]).waits("docs", needs);
        assert_eq!(row(release, "docs"), format!("| **docs** | ⏳ waiting | {text} |  |  |"));
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
    // Everything is released, or each target waits for one other.
    for name in ["released", "thirty-targets"] {
        assert_eq!(nodes(&samples::board(name).expect("a sample")), 0, "{name}");
    }
    // A large graph leaves out the released targets.
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
fn a_board_of_a_thousand_targets_has_as_many_rows_as_fit() {
    let release = (0..1_000).fold(Release::new(), |release, number| {
        release.starts(&format!("service-with-a-rather-long-name-{number}"), &[], 0)
    });
    let board = release.board();
    assert!(
        text::length(&board) <= text::BODY_LIMIT && board.contains("**Targets that do not fit here: "),
        "{board}"
    );
}

#[test]
fn a_time_of_another_day_than_the_newest_change_has_its_date() {
    let release = Release::new().starts("web", &[], 0).starts("api", &[], 1_500);
    let rows = rows(&release.board());
    assert_eq!(rows[1..], ["| **api** | 🕓 queued | 10:00 |", "| **web** | 🕓 queued | 2026-11-26 09:00 |",]);
}

/// The lines of a section of the board, without the addresses of links.
fn section(board: &str, from: &str) -> String {
    let board = without_links(board).replace('\u{a0}', " ");
    let (_, section) = board.split_once(from).unwrap_or_else(|| panic!("{from}:\n{board}"));
    section.split("\n\n").find(|part| !part.is_empty()).unwrap_or_default().to_owned()
}

#[test]
fn a_board_says_how_each_gate_stands_and_who_has_said_what() {
    let gates = |name| rows(&samples::board(name).expect("a sample")).split_off(5).join("\n");
    insta::assert_snapshot!(["gate", "gate-closed", "gate-lapsed"].map(gates).join("\n"), @"
    | Gate | Said so far | Approvers |
    | 🚦 **go**: 1 of 2 | 🟢 `dana` | `alice`, `dana` and `acme/release` |
    | Gate | Said so far | Approvers |
    | ⛔ **go**: closed by `erin` | 🟢 `dana` · ⛔ `erin` | `alice`, `dana` and `acme/release` |
    | Gate | Said so far | Approvers |
    | 🚦 **go**: 1 of 2 | ⌛ `dana`: lapsed, as **web** has moved: `1a2b3c4...5d6e7f8` · 🟢 `frank` | `alice`, `dana` and `acme/release` |
    ");
    let board = samples::board("gate-lapsed").expect("a sample");
    let [old, new] = ["1a2b3c4", "5d6e7f8"].map(|sha| format!("{sha:0<40}"));
    let compare = format!("https://github.com/acme/web/compare/{old}...{new}");
    assert_eq!(board.matches(&compare).count(), 2, "in the box and at the gate: {board}");
}

#[test]
fn a_go_of_the_driver_that_does_not_count_and_one_of_another_commit_that_does_are_marked() {
    let with_words = |release: Release| {
        let release = release.decides("alice", Verb::Go, &["go"], 1).at_commits(&[("web", "1a2b3c4")]);
        release.decides("dana", Verb::Go, &["go"], 2).at_commits(&[("web", "5d6e7f8")])
    };
    let gate = |board: String| rows(&board).pop().expect("a gate");
    let open = || Release::new().waits("web", &["go"]).gate("go", 2, &[]);
    assert_eq!(
        gate(with_words(open().not_by_the_driver()).board()),
        "| 🚦 **go**: 1 of 2 | `alice`: the driver's go does not count · 🟢 `dana` | anyone who may give commands; not the driver |"
    );
    assert_eq!(
        gate(with_words(open().only_warning()).board()),
        "| 🟢 **go**: open | 🟢 `alice`: counts, though **web** has moved: `1a2b3c4...5d6e7f8` · 🟢 `dana` | anyone who may give commands |"
    );
}

#[test]
fn held_skipped_and_frozen_targets_say_by_whom_and_until_when() {
    let target_rows = |name| rows(&samples::board(name).expect("a sample")).join("\n");
    insta::assert_snapshot!(["held", "skipped", "frozen"].map(target_rows).join("\n"), @"
    | Target | Status | Progress | Release | Started | Took |
    | **web** | 🔄 in progress | 🔄 build |  | 09:00 |  |
    | **docs** | ⏸️ on hold | by `dana`: the registry is down, until it is up again |  |  |  |
    | **api** | ✅ released |  | v1.4.0 | 09:00 | 13 min |
    | Target | Status | Progress | Release | Started | Took |
    | **docs** | ⏸️ on hold | by `dana`: the screenshots are old |  |  |  |
    | **brew** | ⏭️ skipped | by `alice`: the formula comes next week |  | 09:00 | 6 min |
    | **api** | ✅ released |  | v1.4.0 | 09:00 | 13 min |
    | Target | Status | Progress | Release | Started | Took |
    | **cli** | ⏳ waiting | until 2027-01-02 00:00 UTC: Holidays |  |  |  |
    | **docs** | ⏳ waiting | after **web** |  |  |  |
    | **web** | ⏳ waiting | until 2027-01-02 00:00 UTC: Holidays |  |  |  |
    | **api** | ✅ released |  | v1.4.0 | 09:00 | 13 min |
    ");
}

#[test]
fn a_hold_and_a_freeze_of_the_whole_release_stand_in_the_box() {
    let board = |name| samples::board(name).expect("a sample");
    let boxes = ["held", "skipped", "frozen"].map(|name| section(&board(name), "> !NOTE]\n"));
    insta::assert_snapshot!(boxes.join("\n"), @"
    > - `dana` holds the whole release: the registry is down, until it is up again
    >
    > **Next:** `alice` comments `/release resume` to go on with the release.
    > - `dana` holds **docs**: the screenshots are old
    >
    > **Next:** `alice` comments `/release resume docs` to go on with **docs**.
    > - nothing is started before 2027-01-02 00:00 UTC: Holidays
    >
    > **Next:** after that, `alice` runs the hub's workflow again, which starts **cli** and **web**; before that, somebody with the role maintain comments `/release override-freeze : reason`.
    ");
}

#[test]
fn decisions_are_listed_newest_first_and_folded_when_they_are_many() {
    let board = samples::board("skipped").expect("a sample");
    insta::assert_snapshot!(section(&board, "**Decisions**\n\n"), @"
    - 09:24 ⏸️ `dana` (write) holds **docs**: the screenshots are old
    - 09:20 ⏭️ `alice` (write) skips **brew**: the formula comes next week
    ");
    let board = samples::board("decided").expect("a sample");
    insta::assert_snapshot!(section(&board, "<details><summary>Decisions (7)</summary>\n\n"), @"
    - 09:39 ⏭️ `dana` (write) skips **brew**: the formula comes next week
    - 09:32 🔁 `alice` (write) starts **cli** again
    - 09:31 🚫 `alice` (write) cancels **cli**
    - 09:28 🟢 `dana` (write) said go on **staging** for **web** at `1a2b3c4` and **cli** at `9f8e7d6`
    - 09:22 🧊 `alice` (write) overrides the freeze until 2027-01-02 00:00 UTC: a fix for CVE-2026-1234
    - 09:19 ▶️ `dana` (write) resumes the whole release
    - 09:01 ⏸️ `alice` (write) holds the whole release: dana looks at the numbers first
    ");
}

#[test]
fn a_question_is_not_a_decision() {
    let release = || Release::new().starts("web", &[], 0);
    let board = release().decides("dana", Verb::Status, &[], 3).board();
    assert!(!board.contains("Decisions") && !board.contains("dana"), "{board}");
}

#[test]
fn hundreds_of_decisions_and_gates_leave_room_for_the_targets() {
    let release =
        (0..100).fold(Release::new(), |release, number| release.waits(&format!("service-{number}"), &["go"]));
    let commits: Vec<(String, &str)> =
        (0..100).map(|number| (format!("service-{number}"), "1a2b3c4")).collect();
    let commits: Vec<(&str, &str)> = commits.iter().map(|(name, sha)| (name.as_str(), *sha)).collect();
    let approvers: Vec<String> =
        (0..50).map(|number| format!("a-rather-long-login-of-an-approver-{number}")).collect();
    let approvers: Vec<&str> = approvers.iter().map(String::as_str).collect();
    let release = (0..50).fold(release, |release, number| {
        release.gate(&format!("gate-{number}"), 20, &approvers).gate("go", 20, &approvers)
    });
    let release = (0..300).fold(release, |release, number| {
        let release = release.decides(approvers[number % 50], Verb::Go, &["go"], 1).at_commits(&commits);
        release.because(&"a rather long reason ".repeat(20))
    });
    let board = release.board();
    assert!(text::length(&board) <= text::BODY_LIMIT, "{} characters", text::length(&board));
    assert!(!board.contains("do not fit") && board.contains("Gates left out: 88."), "{board}");
    assert!(
        board.contains("<summary>Decisions (300)</summary>")
            && board.contains("Earlier decisions left out: "),
        "{board}"
    );
}

#[test]
fn more_held_targets_than_can_be_read_at_a_glance_are_folded_away() {
    let release =
        (0..20).fold(Release::new(), |release, number| release.waits(&format!("service-{number}"), &[]));
    let board = release.decides("dana", Verb::Hold, &[], 1).board();
    assert!(board.contains("<details><summary>⏸️ 20 on hold</summary>"), "{board}");
    assert_eq!(
        without_links(&board).matches("holds the whole release").count(),
        2,
        "in the box and as a decision: {board}"
    );
}

#[test]
fn a_gate_is_drawn_between_the_targets() {
    let board = samples::board("gate-closed").expect("a sample");
    assert!(board.contains("{{\"go ⛔\"}}"), "{board}");
}

#[test]
fn the_reasons_of_decisions_are_text() {
    let hostile = "`| <img src=x> @everyone #12 ![x](y) <!-- ";
    let release = Release::new().starts("api", &[], 0).waits("web", &["go"]).waits("docs", &["api"]);
    let release = release.gate("go", 2, &["dana"]).decides("dana", Verb::NoGo, &["go"], 1).because(hostile);
    let release = release.decides("dana", Verb::Hold, &["docs"], 2).because(hostile);
    let board = release.decides("dana", Verb::Hold, &[], 3).because(hostile).board();
    for text in ["<img", "@everyone", "#12", "![", "<!--"] {
        assert!(!board.contains(text), "{text}: {board}");
    }
}
