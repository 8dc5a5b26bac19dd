use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::ticket::Record;
use crate::ticket::marker::Marker;

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_603_600, 0).unwrap_or_default() + TimeDelta::minutes(minute)
}

fn period(phase: Phase, from: i64, to: i64) -> Period {
    Period { phase, from: at(from), to: at(to) }
}

fn released_target(name: &str, notes: &str) -> ReleasedTarget {
    ReleasedTarget {
        target: name.to_owned(),
        repository: format!("acme/{name}"),
        tag: Some("v1.4.0".to_owned()),
        commit: Some("1a2b3c4000000000000000000000000000000000".to_owned()),
        run: Some(RunId(101)),
        run_url: Some(format!("https://github.com/acme/{name}/actions/runs/101")),
        attempts: 2,
        release_url: Some(format!("https://github.com/acme/{name}/releases/tag/v1.4.0")),
        notes: Some(notes.to_owned()),
        compare_url: Some(format!("https://github.com/acme/{name}/compare/v1.3.0...v1.4.0")),
        commits: Some(12),
        periods: vec![
            period(Phase::Queued, 0, 1),
            period(Phase::Running, 1, 6),
            period(Phase::WaitingForPeople, 6, 46),
            period(Phase::Running, 46, 50),
        ],
        ..ReleasedTarget::default()
    }
}

fn release(targets: Vec<ReleasedTarget>) -> Release {
    let release = json!({
        "by": { "repository": "acme/hub", "run": 100, "attempt": 1, "job": "dispatch" },
        "seq": 3,
        "run_url": "https://github.com/acme/hub/actions/runs/100",
        "release": "1.4.0",
        "ticket_url": "https://github.com/acme/hub/issues/7",
        "started_at": at(0),
        "ended_at": at(50),
        "targets": [],
        "earlier": [{ "release": "1.3.0", "ticket_url": "https://github.com/acme/hub/issues/5", "seconds": 5_400 }],
    });
    Release { targets, ..serde_json::from_value(release).expect("a record") }
}

fn render(release: Release) -> String {
    Record::Release(Box::new(release)).render()
}

#[test]
fn the_record_says_what_took_how_long() {
    let mut record = release(vec![released_target("web", "* Faster. @everyone <b>")]);
    record.gates = vec![GateWait { name: "go".into(), from: at(0), to: at(30) }];
    record.first_failure = Some(FirstFailure {
        target: "web".into(),
        what: "build / test".into(),
        url: Some("https://github.com/acme/web/actions/runs/101/job/1".into()),
        at: at(3),
        mended_at: at(50),
    });
    let text = render(record).replace(['\u{a0}', '\u{200b}'], " ");
    let (_, lines) = text.split_once('\n').expect("a marker");
    insta::assert_snapshot!(lines, @"
    📦 **Release 1.4.0 is complete:** 1 target in 50 min · [Hub run 100](https://github.com/acme/hub/actions/runs/100)

    ⏱️ Previous releases: 1 h 30 min ([1.3.0](https://github.com/acme/hub/issues/5))

    🔧 **web** failed first, at [`build / test`](https://github.com/acme/web/actions/runs/101/job/1), 09:03, and was released 47 min later.

    🚦 **go** waited 30 min for people.

    | Target | Version | Run | ⏳ Queued | ▶️ Ran | 👥 People | Since the previous release |
    |---|---|---|---:|---:|---:|---|
    | **web** | [v1.4.0](https://github.com/acme/web/releases/tag/v1.4.0) | [run 101, attempt 2](https://github.com/acme/web/actions/runs/101) | 1 min | 9 min | 40 min | [12 commits](https://github.com/acme/web/compare/v1.3.0...v1.4.0) |

    ```mermaid
    ---
    displayMode: compact
    ---
    gantt
      dateFormat YYYY-MM-DD HH:mm:ss
      axisFormat %H:%M
      todayMarker off
      section go
        👥 :crit, 2026-01-05 09:00:00, 2026-01-05 09:30:00
      section web
        ⏳ :done, 2026-01-05 09:00:00, 2026-01-05 09:01:00
        ▶️ :active, 2026-01-05 09:01:00, 2026-01-05 09:06:00
        👥 :crit, 2026-01-05 09:06:00, 2026-01-05 09:46:00
        ▶️ :active, 2026-01-05 09:46:00, 2026-01-05 09:50:00
    ```

    <details><summary>Notes of web v1.4.0</summary>

    > * Faster. @ everyone < b>

    </details>
    ");
}

#[test]
fn what_later_releases_read_is_read_back_from_the_marker() {
    let record = release(vec![released_target("web", "Faster.")]);
    let text = render(record.clone());
    let marker = Marker::find(&text).expect("a marker").expect("a whole one");
    let Ok(Some(Record::Release(copy))) = Record::parse(&marker) else { panic!("a record") };
    assert_eq!(*copy, record.in_marker());
    assert_eq!(copy.base_of(&"web".into(), &"Acme/Web".parse().expect("a name")), Some("v1.4.0"));
    assert_eq!(copy.base_of(&"web".into(), &"acme/api".parse().expect("a name")), None);
    let earlier: Vec<_> =
        copy.as_earlier().into_iter().map(|earlier| (earlier.release, earlier.seconds)).collect();
    assert_eq!(earlier, [(Some("1.4.0".into()), 3_000), (Some("1.3.0".into()), 5_400)]);
}

#[test]
fn notes_are_cut_first_and_a_release_of_any_size_fits() {
    let long = "It is better now. ".repeat(500);
    for count in [1, 10, 40, 300, 1_000] {
        let targets =
            (0..count).map(|n| released_target(&format!("service-with-a-long-name-{n}"), &long)).collect();
        let record = Record::Release(Box::new(release(targets)));
        let text = record.render();
        assert!(record.fits(), "{count}: {}", text::length(&text));
        assert!(text.contains("**Release 1.4.0 is complete:**"), "{count}");
        assert_eq!(text.contains("There is no room for the notes"), count > 10, "{count}");
        assert_eq!(text.contains("```mermaid"), count <= 40, "{count}");
        let marker = Marker::find(&text).expect("a marker").expect("a whole one");
        assert!(matches!(Record::parse(&marker), Ok(Some(Record::Release(_)))), "{count}");
    }
    let text = render(release(vec![released_target("web", &long)]));
    assert!(text.contains("It is better now.… (cut)"), "{text}");
}

#[test]
fn names_and_notes_of_others_cannot_break_out_of_their_place() {
    let evil = "x:, done; %% \"`<b>#1 @all | section y\n```\n</details><!-- ";
    let mut target = released_target("web", evil);
    (target.target, target.tag, target.omission) = (evil.into(), Some(evil.into()), Some(evil.into()));
    let mut record = release(vec![target]);
    record.gates = vec![GateWait { name: evil.into(), from: at(0), to: at(30) }];
    let text = render(record);
    let (_, lines) = text.split_once('\n').expect("a marker");
    assert_eq!(lines.matches("</details>").count(), 1, "{lines}");
    assert!(!lines.contains("<b>") && !lines.contains("<!--") && !lines.contains("@all"), "{lines}");
    let chart = lines.split("```mermaid").nth(1).and_then(|rest| rest.split("```").next()).expect("a chart");
    for line in chart.lines().filter(|line| line.contains("section ")) {
        assert!(!line.contains([':', ';', '#', '%', '"', '`', '<']), "{line}");
    }
}

#[test]
fn the_file_has_a_format_and_fits_its_schema() {
    let validator = jsonschema::validator_for(&schema::json_schema()).expect("a schema");
    let mut record = release(vec![released_target("web", "Faster.")]);
    record.gates = vec![GateWait { name: "go".into(), from: at(0), to: at(30) }];
    let file: Value = serde_json::from_str(&record.file()).expect("JSON");
    let errors: Vec<String> = validator.iter_errors(&file).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!((&file["format"], &file["seconds"], file.get("by")), (&json!(1), &json!(3_000), None));
    assert_eq!(file["targets"][0]["notes"], "Faster.");
}

#[test]
fn a_tag_is_one_that_git_takes() {
    for name in ["1.4.0", "v1.4.0", "release/1.4", "2026-11-28", "ä"] {
        assert!(is_tag(name), "{name}");
    }
    for name in [
        "",
        "Release 1.4",
        "-v1",
        "a..b",
        "a.",
        ".a",
        "a/.b",
        "a.lock",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[",
        "a\\b",
        "@",
        "a@{b",
        "a/",
        "/a",
        "a\tb",
    ] {
        assert!(!is_tag(name), "{name}");
    }
}

#[test]
fn a_link_to_a_release_of_the_repository_names_its_tag() {
    let web: RepoName = "acme/web".parse().expect("a name");
    let tag = |url| tag_of(url, &web);
    assert_eq!(tag("https://github.com/Acme/web/releases/tag/v1.4.0").as_deref(), Some("v1.4.0"));
    assert_eq!(tag("https://github.com/acme/web/releases/tag/release%2F1.4").as_deref(), Some("release/1.4"));
    for url in [
        "https://github.com/acme/api/releases/tag/v1.4.0",
        "https://github.com/acme/web/releases",
        "https://github.com/acme/web/releases/tag/a%20b",
        "https://registry.example/web/1.4.0",
        "v1.4.0",
    ] {
        assert_eq!(tag(url), None, "{url}");
    }
}
