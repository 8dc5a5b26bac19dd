//! The boards by name.

use release_ticket_action::ticket::Status::{self, Cancelled, Failure, InProgress, Queued, Skipped, Success};
use release_ticket_action::ticket::Verb;

use super::release::Release;

/// The name of a board, and the release that it shows.
type Sample = (&'static str, fn() -> Release);

/// All boards.
pub(crate) const SAMPLES: [Sample; 17] = [
    ("started", started),
    ("underway", underway),
    ("failed", failed),
    ("released", released),
    ("followed", followed),
    ("review", review),
    ("several-failures", several_failures),
    ("many-stages", many_stages),
    ("gate", gate),
    ("gate-closed", gate_closed),
    ("gate-lapsed", gate_lapsed),
    ("held", held),
    ("skipped", skipped),
    ("frozen", frozen),
    ("decided", decided),
    ("thirty-targets", thirty_targets),
    ("three-hundred-targets", three_hundred_targets),
];

/// The Markdown of a board.
pub(crate) fn board(name: &str) -> Option<String> {
    let (_, release) = SAMPLES.iter().find(|(other, _)| *other == name)?;
    Some(release().board())
}

/// No target has reported yet.
fn started() -> Release {
    let release = Release::new().starts("api", &[], 0).starts("web", &[], 0);
    release.waits("cli", &["api"]).waits("docs", &["api", "web"]).waits("brew", &["cli"])
}

/// The first wave is released, and the second one runs.
fn underway() -> Release {
    let release =
        Release::new().starts("api", &[], 0).starts("web", &["api"], 14).starts("cli", &["api"], 14);
    let release = all_good(release, "api", "v1.4.0", 0);
    let release = release.reports("web", "build", Success, 19).reports("web", "test", Success, 23);
    let release = release.reports("web", "publish", InProgress, 24).reports("cli", "build", InProgress, 15);
    release.waits("docs", &["web", "cli"]).waits("brew", &["cli"]).watching()
}

/// A run waits for a review, and another one does not change.
fn review() -> Release {
    let release =
        Release::new().starts("api", &[], 0).starts("web", &["api"], 14).starts("cli", &["api"], 14);
    let release = all_good(release, "api", "v1.4.0", 0);
    let release = release.follows("cli", "test (macos-15, stable)", None, 22);
    let release =
        release.follows("web", "deploy", None, 24).needing_review("production", &["dana", "acme/sre"]);
    release.stuck("cli", 22).waits("docs", &["web", "cli"]).watching()
}

/// A target failed that others wait for.
fn failed() -> Release {
    let release =
        Release::new().starts("api", &[], 0).starts("web", &["api"], 14).starts("cli", &["api"], 14);
    let release = all_good(release, "api", "v1.4.0", 0);
    let release = release.reports("web", "build", Success, 19).reports("web", "test", Success, 23);
    let release = release.reports("web", "publish", InProgress, 24);
    let release = release.reports("cli", "build", Success, 17).reports("cli", "publish", Failure, 26);
    let release = release.saying("the registry answered 503, three times");
    release.waits("docs", &["web", "cli"])
}

/// Everything is released; one target needed a second attempt.
fn released() -> Release {
    let release =
        Release::new().starts("api", &[], 0).starts("web", &["api"], 14).starts("cli", &["api"], 14);
    let release = release.starts("docs", &["web", "cli"], 42).starts("brew", &["cli"], 42);
    let release = all_good(release, "api", "v1.4.0", 0);
    let release = all_good(release, "web", "v1.4.0", 14);
    let release = release.reports("cli", "build", Success, 17).reports("cli", "publish", Failure, 26);
    let release = release.saying("the registry answered 503");
    let release = release.attempt("cli", "publish", Success, 41, 2).releasing("cli", "v1.4.0");
    let release = release.reports("brew", "formula", Skipped, 45).releasing("brew", "1.4.0");
    all_good(release, "docs", "2026.11", 42)
}

/// The hub follows runs that report nothing.
fn followed() -> Release {
    let release =
        Release::new().starts("api", &[], 0).starts("web", &["api"], 14).starts("cli", &["api"], 14);
    let release =
        release.follows("api", "publish", Some("success"), 13).follows("web", "publish / npm", None, 22);
    let release = release.follows("cli", "test (macos-15, stable)", Some("failure"), 24);
    release.waits("docs", &["web", "cli"]).watching()
}

/// More failures than the box has room for.
fn several_failures() -> Release {
    let names = ["admin", "agent", "api", "cli", "console", "docs", "gateway", "operator", "proxy", "web"];
    let release = names.iter().fold(Release::new(), |release, name| release.starts(name, &[], 0));
    let release = names.iter().fold(release, |release, name| {
        let release = release.reports(name, "build", Success, 6).reports(name, "publish", Failure, 9);
        release.saying(&format!("the registry refused {name}: its name is reserved for another organisation"))
    });
    release.refused("worker", "GitHub refused the start: 422 No ref found for: release/1.4")
}

/// Stages of a matrix, and long names.
fn many_stages() -> Release {
    let release = Release::new().starts("web", &[], 0).starts("observability-operator", &[], 0);
    let systems = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "x86_64-pc-windows-msvc"];
    let release = systems.iter().fold(release, |release, system| {
        release.reports("observability-operator", &format!("build ({system})"), Success, 7)
    });
    let stages = ["lint", "unit", "integration", "browser", "image", "sign", "attest", "stage", "smoke"];
    let release = stages.iter().fold(release, |release, stage| release.reports("web", stage, Success, 8));
    let release = release.reports("web", "publish", InProgress, 9).saying("3 of 8 packages");
    release.reports("observability-operator", "publish", Cancelled, 9).reports("web", "announce", Queued, 9)
}

/// The first wave is released, and the second one is behind a gate.
fn behind_gate() -> Release {
    let release = Release::new().starts("api", &[], 0);
    let release = all_good(release, "api", "v1.4.0", 0);
    let release =
        release.waits("web", &["api", "go"]).waits("cli", &["api", "go"]).waits("docs", &["web", "cli"]);
    release.gate("go", 2, &["alice", "dana", "acme/release"])
}

/// A gate waits for one more person.
fn gate() -> Release {
    behind_gate().decides("dana", Verb::Go, &["go"], 31).at_commits(&[("web", "1a2b3c4"), ("cli", "9f8e7d6")])
}

/// Somebody has closed a gate.
fn gate_closed() -> Release {
    let release = gate().decides("erin", Verb::NoGo, &["go"], 44);
    release.because("the smoke test of api is red since 09:38, see the dashboard")
}

/// A branch has moved since somebody said go.
fn gate_lapsed() -> Release {
    let release = gate().decides("frank", Verb::Go, &["go"], 52);
    release.at_commits(&[("web", "5d6e7f8"), ("cli", "9f8e7d6")])
}

/// Somebody holds the whole release.
fn held() -> Release {
    let release = Release::new().starts("api", &[], 0).starts("web", &[], 0).waits("docs", &["web"]);
    let release = all_good(release, "api", "v1.4.0", 0).reports("web", "build", InProgress, 4);
    release.decides("dana", Verb::Hold, &[], 9).because("the registry is down, until it is up again")
}

/// One target failed and is skipped, and another one is held.
fn skipped() -> Release {
    let release = Release::new().starts("api", &[], 0).starts("brew", &[], 0).waits("docs", &["api"]);
    let release = all_good(release, "api", "v1.4.0", 0).reports("brew", "formula", Failure, 6);
    let release = release.decides("alice", Verb::Skip, &["brew"], 20).because("the formula comes next week");
    release.decides("dana", Verb::Hold, &["docs"], 24).because("the screenshots are old")
}

/// Nothing is started before the holidays are over.
fn frozen() -> Release {
    let release = Release::new().starts("api", &[], 0).waits("web", &["api"]).waits("cli", &["api"]);
    let release = all_good(release, "api", "v1.4.0", 0).waits("docs", &["web"]);
    release.freeze("Holidays", &["web", "cli"])
}

/// People have decided a lot, and two gates are left.
fn decided() -> Release {
    let release = Release::new().starts("api", &[], 0).starts("web", &["api", "staging"], 30);
    let release = all_good(release, "api", "v1.4.0", 0).reports("web", "publish", Failure, 40);
    let release = release.starts("cli", &["api", "staging"], 30).reports("cli", "build", InProgress, 33);
    let release = release.waits("docs", &["production"]).waits("brew", &["cli", "production"]);
    let release =
        release.gate("staging", 1, &[]).gate("production", 1, &["acme/release"]).not_by_the_driver();
    let release = release.freeze("Holidays", &[]);
    let release = release.decides("alice", Verb::Hold, &[], 1).because("dana looks at the numbers first");
    let release = release.decides("dana", Verb::Resume, &[], 19);
    let release = release.decides("alice", Verb::OverrideFreeze, &[], 22).because("a fix for CVE-2026-1234");
    let release = release.decides("dana", Verb::Go, &["staging"], 28);
    let release = release.at_commits(&[("web", "1a2b3c4"), ("cli", "9f8e7d6")]);
    let release =
        release.decides("alice", Verb::Cancel, &["cli"], 31).decides("alice", Verb::Retry, &["cli"], 32);
    release.decides("dana", Verb::Skip, &["brew"], 39).because("the formula comes next week")
}

/// A release in waves of ten.
fn thirty_targets() -> Release {
    let name = |number: usize| format!("service-{number:02}");
    let mut release = Release::new();
    for number in 1..=20 {
        release = release.starts(&name(number), &[], if number <= 10 { 0 } else { 16 });
    }
    for number in 21..=30 {
        release = release.waits(&name(number), &[&name(number - 10)]);
    }
    for number in 1..=13 {
        release = all_good(release, &name(number), "v1.4.0", if number <= 10 { 0 } else { 16 });
    }
    for number in 14..=18 {
        release = release.reports(&name(number), "build", Success, 20);
        release = release.reports(&name(number), "publish", InProgress, 21);
    }
    release = release.reports(&name(19), "build", Failure, 22).saying("2 tests failed: login, logout");
    release
}

/// A release of three hundred targets, most of which are released.
fn three_hundred_targets() -> Release {
    let name = |number: usize| format!("service-{number:03}");
    let numbers = 1..=300;
    let mut release = numbers.clone().fold(Release::new(), |release, number| {
        if number > 280 {
            release.waits(&name(number), &[&name(number - 280)])
        } else {
            release.starts(&name(number), &[], 0)
        }
    });
    for number in numbers {
        release = match number {
            1..=240 => all_good(release, &name(number), "v1.4.0", 0),
            241..=243 => {
                release.reports(&name(number), "publish", Failure, 9).saying("the registry answered 503")
            }
            244..=270 => release.reports(&name(number), "publish", InProgress, 9),
            _ => release,
        };
    }
    release
}

/// A target whose stages all go well, and that was started after so many minutes.
fn all_good(release: Release, target: &str, version: &str, minute: i64) -> Release {
    let stages: [(&str, Status, i64); 2] = [("build", Success, 5), ("test", Success, 9)];
    let release = stages.iter().fold(release, |release, (stage, status, later)| {
        release.reports(target, stage, *status, minute + later)
    });
    release.reports(target, "publish", Success, minute + 13).releasing(target, version)
}
