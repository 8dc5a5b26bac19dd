use proptest::prelude::*;

use super::names::{ALL, after_name};
use super::*;

const TARGETS: [&str; 5] = ["web", "api", "Docs", "my app", "my app two"];
const GATES: [&str; 2] = ["go", "Staging"];

fn names(names: &[&str]) -> Vec<TargetName> {
    names.iter().map(|name| TargetName::from(*name)).collect()
}

fn parse_line(line: &str) -> Result<Command, Problem> {
    parse(line, Names { targets: &names(&TARGETS), gates: &names(&GATES) })
}

/// A command as it is rendered, or its refusal in one line.
fn answer(line: &str) -> String {
    match parse_line(line) {
        Ok(command) => command.to_string(),
        Err(Problem { what, help, .. }) => {
            format!("{what}; {}", help.map(|help| help.text).unwrap_or_default())
        }
    }
}

#[test]
fn a_command_is_the_first_line_of_a_comment() {
    for (body, line) in [
        ("/release", Some("/release")),
        ("/release go", Some("/release go")),
        ("/Release Go\r\nThanks!", Some("/Release Go")),
        ("/release: hold\n", Some("/release: hold")),
        ("/release\u{a0}hold web", Some("/release\u{a0}hold web")),
        ("", None),
        ("Please:\n/release go", None),
        ("\n/release go", None),
        (" /release go", None),
        ("    /release go", None),
        ("> /release go", None),
        ("```\n/release go\n```", None),
        ("`/release go`", None),
        ("/releases", None),
        ("/release-notes for 1.4.0", None),
        ("/release\u{200b} go", None),
        ("/release\u{e9}", None),
        ("release go", None),
    ] {
        assert_eq!(find(body).map(|result| result.expect(body)), line, "{body:?}");
    }
}

#[test]
fn a_comment_takes_one_command_and_code_and_quotes_are_none() {
    for (body, is_one) in [
        ("/release go\n\n> /release hold\n\n    /release hold\n", true),
        ("/release go\n```\n/release hold\n```\n~~~ text\n/release hold\n~~~\n", true),
        ("/release go\nThe words `are\n/release hold`, say.", true),
        ("/release go\n /release hold\n- /release hold\n/released", true),
        ("/release go\n/release hold", false),
        ("/release go\r\nThen:\r\n\r\n/RELEASE hold\r\n", false),
        ("/release go\r/release hold", false),
        ("/release go\n```\ncode\n```\n/release hold", false),
        ("/release go\n> a quote\n/release hold", false),
        ("/release go\n```\nno end\n~~~\n/release hold", true),
    ] {
        let result = find(body).expect("it begins with a command");
        assert_eq!(result.is_ok(), is_one, "{body:?}");
    }
    let problem = find("/release go\n/release hold").and_then(Result::err).expect("a refusal");
    insta::assert_snapshot!(problem, @"
    the comment has more than one command, and none of them is carried out
    help: write a comment for each command
    ");
}

#[test]
fn a_command_is_a_verb_with_names_and_a_reason() {
    for (line, command) in [
        ("/release", "/release status"),
        ("/release:", "/release status"),
        ("/release  ", "/release status"),
        ("/release status", "/release status"),
        ("/release HELP", "/release help"),
        ("/release status: how far?", "/release status : how far?"),
        ("/release go", "/release go"),
        ("/release go STAGING", "/release go Staging"),
        ("/release go go, staging : looks good", "/release go Staging, go : looks good"),
        ("/release go: looks good", "/release go : looks good"),
        ("/release go all", "/release go all"),
        ("/release no-go", "/release no-go"),
        ("/release no\u{2013}go staging", "/release no-go Staging"),
        ("/release no\u{2014}go: red", "/release no-go : red"),
        ("/release no-go tests are red", "/release no-go : tests are red"),
        ("/release no-go staging broken", "/release no-go Staging : broken"),
        ("/release retry web", "/release retry web"),
        ("/release retry web web,WEB , api", "/release retry api, web"),
        ("/release cancel ALL", "/release cancel all"),
        ("/release retry all : once more, web", "/release retry all : once more, web"),
        ("/release skip docs", "/release skip Docs"),
        ("/release skip docs : no change", "/release skip Docs : no change"),
        ("/release skip docs:no change", "/release skip Docs : no change"),
        ("/release skip docs no change since 10:30", "/release skip Docs : no change since 10:30"),
        ("/release skip docs https://example.com/1", "/release skip Docs : https://example.com/1"),
        ("/release hold", "/release hold"),
        ("/release hold: reason", "/release hold : reason"),
        ("/release hold web api", "/release hold api, web"),
        ("/release hold\u{a0}web\u{a0}api", "/release hold api, web"),
        ("/release hold my app", "/release hold my app"),
        ("/release hold my\u{a0}app two", "/release hold my app two"),
        ("/release hold my app web", "/release hold my app, web"),
        ("/release hold our phones ring", "/release hold : our phones ring"),
        ("/release hold see https://example.com/1", "/release hold : see https://example.com/1"),
        ("/release hold all until noon", "/release hold all : until noon"),
        ("/release resume", "/release resume"),
        ("/release resume web", "/release resume web"),
        ("/release override-freeze: it is urgent", "/release override-freeze : it is urgent"),
        ("/release override\u{2011}freeze urgent", "/release override-freeze : urgent"),
    ] {
        assert_eq!(answer(line), command, "{line:?}");
    }
}

#[test]
fn a_command_that_is_not_clear_is_refused_with_what_would_do() {
    let lines = [
        "/release hlod web",
        "/release nogo",
        "/release no go",
        "/release g\u{200b}o",
        "/release deploy",
        "/release: hold web",
        "/release status web",
        "/release go stagng",
        "/release go looks good",
        "/release go web",
        "/release no-go stagng: red",
        "/release hold wbe",
        "/release hold wbe now",
        "/release hold wbe: it burns",
        "/release hold wbe:broken for now",
        "/release hold web, wbe",
        "/release hold we\u{200b}b",
        "/release hold `web`",
        "/release hold web, billing",
        "/release hold billing, search",
        "/release hold maintenance",
        "/release hold maintenance: the database",
        "/release hold staging",
        "/release hold al web",
        "/release hold all web",
        "/release retry",
        "/release retry web it was flaky",
        "/release cancel",
        "/release skip",
        "/release skip it is broken",
        "/release resume wbe",
        "/release override-freeze",
        "/release override-freeze :",
        "/release override-freeze web: broken",
        "/release override-freeze web is broken",
    ];
    let refusals = lines.map(|line| format!("{}\n    {}", line.escape_debug(), answer(line)));
    insta::assert_snapshot!(refusals.join("\n"), @r"
    /release hlod web
        `/release hlod` is not a command; did you mean `hold`?
    /release nogo
        `/release nogo` is not a command; did you mean `no-go`?
    /release no go
        `/release no` is not a command; did you mean `no-go`?
    /release g\u{200b}o
        `/release g\u{200b}o` is not a command; did you mean `go`?
    /release deploy
        `/release deploy` is not a command; the choices are `status`, `help`, `go`, `no-go`, `retry`, `cancel`, `skip`, `hold`, `resume` and `override-freeze`
    /release: hold web
        there is no verb before the `:`; write a verb right after `/release`, as in `/release hold : reason`
    /release status web
        `status` does not take names; write `/release status`
    /release go stagng
        `stagng` is not a gate of this ticket; did you mean `Staging`?
    /release go looks good
        `looks` is not a gate of this ticket; the gates of this ticket are `go` and `Staging`; a reason follows a `:`
    /release go web
        `web` is a target, but `go` takes gates; the gates of this ticket are `go` and `Staging`
    /release no-go stagng: red
        `stagng` is not a gate of this ticket; did you mean `Staging`? A reason follows a `:`
    /release hold wbe
        `wbe` is not a target of this ticket; did you mean `web`?
    /release hold wbe now
        `wbe` is not a target of this ticket; did you mean `web`? A reason follows a `:`
    /release hold wbe: it burns
        `wbe` is not a target of this ticket; did you mean `web`? A reason follows a `:`
    /release hold wbe:broken for now
        `wbe` is not a target of this ticket; did you mean `web`? A reason follows a `:`
    /release hold web, wbe
        `wbe` is not a target of this ticket; did you mean `web`?
    /release hold we\u{200b}b
        `we\u{200b}b` is not a target of this ticket; did you mean `web`?
    /release hold `web`
        `'web'` is not a target of this ticket; did you mean `web`?
    /release hold web, billing
        `billing` is not a target of this ticket; the targets of this ticket are `web`, `api`, `Docs`, `my app` and `my app two`; a reason follows a `:`
    /release hold billing, search
        `billing` is not a target of this ticket; the targets of this ticket are `web`, `api`, `Docs`, `my app` and `my app two`; a reason follows a `:`
    /release hold maintenance
        `maintenance` is not a target of this ticket; the targets of this ticket are `web`, `api`, `Docs`, `my app` and `my app two`; a reason follows a `:`
    /release hold maintenance: the database
        `maintenance` is not a target of this ticket; the targets of this ticket are `web`, `api`, `Docs`, `my app` and `my app two`; a reason follows a `:`
    /release hold staging
        `Staging` is a gate, but `hold` takes targets; the targets of this ticket are `web`, `api`, `Docs`, `my app` and `my app two`
    /release hold al web
        `al` is not a target of this ticket; did you mean `all`? A reason follows a `:`
    /release hold all web
        the command has both names and `all`; write either the names, or `all`
    /release retry
        `retry` needs the name of a target; the targets of this ticket are `web`, `api`, `Docs`, `my app` and `my app two`; or write `all`
    /release retry web it was flaky
        `it` is not a target of this ticket; the targets of this ticket are `web`, `api`, `Docs`, `my app` and `my app two`; a reason follows a `:`
    /release cancel
        `cancel` needs the name of a target; the targets of this ticket are `web`, `api`, `Docs`, `my app` and `my app two`; or write `all`
    /release skip
        `skip` needs the name of a target; the targets of this ticket are `web`, `api`, `Docs`, `my app` and `my app two`; or write `all`
    /release skip it is broken
        `skip` needs the name of a target; the targets of this ticket are `web`, `api`, `Docs`, `my app` and `my app two`; or write `all`
    /release resume wbe
        `wbe` is not a target of this ticket; did you mean `web`?
    /release override-freeze
        `override-freeze` takes a reason; write it after a `:`, as in `/release override-freeze : reason`
    /release override-freeze :
        `override-freeze` takes a reason; write it after a `:`, as in `/release override-freeze : reason`
    /release override-freeze web: broken
        `override-freeze` does not take names; write `/release override-freeze : reason`
    /release override-freeze web is broken
        `override-freeze` does not take names; write `/release override-freeze : reason`
    ");
}

#[test]
fn a_ticket_without_gates_says_so() {
    let targets = names(&["web"]);
    let answer =
        |line| parse(line, Names { targets: &targets, gates: &[] }).map_err(|problem| problem.to_string());
    assert_eq!(answer("/release go").map(|command| command.about), Ok(About::Default));
    insta::assert_snapshot!(answer("/release go staging").expect_err("a refusal"), @"
    `staging` is not a gate of this ticket
    help: this ticket has no gates; a reason follows a `:`
    ");
}

#[test]
fn of_two_names_that_differ_by_a_dash_the_spelling_decides() {
    let targets = names(&["a-b", "a\u{2013}b"]);
    let about = |name: &str| {
        let line = format!("/release retry {name}");
        parse(&line, Names { targets: &targets, gates: &[] }).map(|command| command.about)
    };
    for name in &targets {
        assert_eq!(about(name.as_str()), Ok(About::These([name.clone()].into())));
    }
    assert!(about("a\u{2014}b").is_err(), "it may be either");
}

#[test]
fn a_target_named_all_comes_before_the_word() {
    let targets = names(&["web", "all"]);
    let command = parse("/release skip all", Names { targets: &targets, gates: &[] }).expect("a command");
    assert_eq!(command.about, About::These([TargetName::from("all")].into()));
}

#[test]
fn a_reason_is_one_line_that_people_see_and_of_limited_length() {
    let reason = |text: &str| parse_line(&format!("/release hold : {text}")).expect("a command").reason;
    assert_eq!(reason("  a\t b\u{2028}c\u{202e}\u{7} ").as_deref(), Some("a b c"));
    assert_eq!(reason(" \u{200b} "), None);
    let cut = reason(&"very ".repeat(100)).expect("a reason");
    assert!(cut.chars().count() <= REASON_LIMIT && cut.ends_with("very… (cut)"), "{cut}");
}

fn any_name() -> impl Strategy<Value = String> {
    "[a-zA-Z][a-z0-9\u{2013}-]{0,5}( [a-z]{1,3})?".prop_filter("a word of the grammar", |name| name != ALL)
}

fn any_verb() -> impl Strategy<Value = Verb> {
    prop::sample::select(&Verb::ALL[..])
}

/// Different names of targets and of gates.
fn any_names() -> impl Strategy<Value = (Vec<TargetName>, Vec<TargetName>)> {
    prop::collection::vec(any_name(), 2..8).prop_map(|mut names| {
        names.sort_by_key(|name| name.to_lowercase());
        names.dedup_by_key(|name| name.to_lowercase());
        let gates = names.split_off(names.len() / 2);
        let target_names = |names: Vec<String>| names.into_iter().map(TargetName::from).collect();
        (target_names(names), target_names(gates))
    })
}

/// A command that can be given with these names.
fn any_command(targets: Vec<TargetName>, gates: Vec<TargetName>) -> impl Strategy<Value = Command> {
    let reason = prop::option::of("[a-z:,/ \u{2013}\u{e9}0-9]{0,300}");
    (any_verb(), any::<u32>(), any::<bool>(), reason).prop_map(move |(verb, choice, is_all, reason)| {
        let (takes, needs): (&[TargetName], bool) = match verb {
            Verb::Go | Verb::NoGo => (&gates, false),
            Verb::Hold | Verb::Resume => (&targets, false),
            Verb::Retry | Verb::Cancel | Verb::Skip => (&targets, true),
            Verb::Status | Verb::Help | Verb::OverrideFreeze => (&[], false),
        };
        let these = takes.iter().enumerate().filter(|(index, _)| choice >> index & 1 == 1);
        let these: BTreeSet<TargetName> = these.map(|(_, name)| name.clone()).collect();
        let about = match (these.is_empty(), takes.is_empty()) {
            (false, _) => About::These(these),
            (true, _) if needs => About::All,
            (true, false) if is_all => About::All,
            _ => About::Default,
        };
        let reason = reason.and_then(|reason| one_line(&reason));
        let reason = reason.or_else(|| (verb == Verb::OverrideFreeze).then(|| "urgent".to_owned()));
        Command { verb, about, reason }
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(body in "(/release)?(.|\\n|\\r|/release| web|:|`|>){0,60}", names in any_names()) {
        let _ = find(&body);
        let _ = parse(&body, Names { targets: &names.0, gates: &names.1 });
        let _ = parse(&format!("/release {body}"), Names { targets: &names.0, gates: &names.1 });
    }

    #[test]
    fn a_command_is_read_as_it_was_rendered(
        (targets, gates, command) in any_names().prop_flat_map(|(targets, gates)| {
            let command = any_command(targets.clone(), gates.clone());
            (Just(targets), Just(gates), command)
        })
    ) {
        let line = command.to_string();
        prop_assert_eq!(find(&line).and_then(Result::ok), Some(line.as_str()));
        prop_assert_eq!(parse(&line, Names { targets: &targets, gates: &gates }), Ok(command), "{}", line);
    }

    /// Above all it does not become a command about everything.
    #[test]
    fn a_word_that_is_not_a_name_is_refused(
        (verb, (targets, gates), word, name) in (any_verb(), any_names(), "\\PC{1,8}", any_name())
    ) {
        prop_assume!(verb != Verb::OverrideFreeze && !word.chars().any(is_separator));
        let names = Names { targets: &targets, gates: &gates };
        let is_name = |word: &str| names.all().any(|name| after_name(word, name.as_str()).is_some());
        prop_assume!(!is_name(&word) && after_name(&word, ALL).is_none());
        for rest in [word.clone(), format!("{word}: {name}")] {
            let command = parse(&format!("/release {} {rest}", verb.as_str()), names);
            prop_assert!(command.is_err(), "{:?}", command);
        }
    }

    #[test]
    fn a_command_names_nothing_that_the_ticket_does_not_have(
        (verb, names, words) in (any_verb(), any_names(), prop::collection::vec(any_name(), 0..4))
    ) {
        let (targets, gates) = names;
        // Names that are there, and such as differ by their last letter.
        let near = targets.iter().chain(&gates).map(|name| format!("{name}x, {name}"));
        let line = format!("/release {} {} {}", verb.as_str(), words.join(" "), near.collect::<String>());
        if let Ok(Command { about: About::These(these), .. }) = parse(&line, Names { targets: &targets, gates: &gates }) {
            let takes = if matches!(verb, Verb::Go | Verb::NoGo) { &gates } else { &targets };
            prop_assert!(these.iter().all(|name| takes.contains(name)), "{line}: {these:?}");
        }
    }
}
