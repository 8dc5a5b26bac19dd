use proptest::prelude::*;
use serde_json::json;

use super::answer::{NO_CHOICE, NO_RESPONSE};
use super::*;

#[test]
fn every_kind_of_answer_is_read() {
    let body = "\
### Release version\r\n\r\n1.4.0\r\n\r\n### Which targets?\r\n\r\n- [x] web\r\n- [ ] docs\r\n- [X] api, the old one\r\n
### None of these\r\n\r\n- [ ] a\r\n
### Notes\r\n\r\n_No response_\r\n
### Log\r\n\r\n```shell\n### not a heading\n```\n
### Text\n\nTwo\n\nparagraphs\n- [x] and a list\n";
    assert_eq!(
        answers_without_form(body),
        json!({
            "release_version": "1.4.0",
            "which_targets": ["web", "api, the old one"],
            "none_of_these": [],
            "notes": "",
            "log": "```shell\n### not a heading\n```",
            "text": "Two\n\nparagraphs\n- [x] and a list",
        })
    );
}

fn answers_without_form(body: &str) -> Value {
    parse(body, &[]).map_or_else(|error| error.to_string().into(), |read| Value::Object(read.answers))
}

#[test]
fn a_question_that_is_asked_twice_has_no_answer() {
    for body in [
        "### Targets\n\n- [x] web\n\n### Notes\n\nHa\n\n### Targets\n\n- [x] api\n",
        "### Targets\n\nweb\n### *targets* ###\n\napi\n### Targets!\n",
        "### Targets\n\nweb\n\n### Tar<!-- -->gets\n\napi\n",
    ] {
        assert_eq!(parse(body, &[]), Err(FormError::AskedTwice(vec!["targets".into()])), "{body}");
    }
}

#[test]
fn a_heading_that_github_shows_as_something_else_asks_nothing() {
    let version = "### Version\n\n6.6.6";
    let quote = "> ### Version\n>\n> 6.6.6";
    let list = "- ### Version\n\n  6.6.6";
    for (other, visible) in [
        (format!("<!--\n{version}\n-->"), ""),
        (format!("<!-- --\n{version}\n-->"), ""),
        (format!("<?\n{version}\n?>"), ""),
        (format!("<pre>\n{version}\n</pre>"), ""),
        (format!("```\n{version}\n```"), "```\n### Version\n\n6.6.6\n```"),
        (format!("~~~~\n~~~\n{version}\n~~~~"), "~~~~\n~~~\n### Version\n\n6.6.6\n~~~~"),
        (format!("    {}", version.replace('\n', "\n    ")), "### Version\n    \n    6.6.6"),
        (quote.to_owned(), quote),
        (list.to_owned(), list),
        ("[^1]:\n    ### Version\n\n    6.6.6".to_owned(), ""),
    ] {
        let body = format!("### Version\n\n1.4.0\n\n### Notes\n\n{other}\n\n### End\n\nhere\n");
        assert_eq!(
            answers_without_form(&body),
            json!({ "version": "1.4.0", "notes": visible, "end": "here" }),
            "{body}"
        );
    }
    // A comment that begins within a paragraph ends with it.
    assert_eq!(answers_without_form(&format!("### Notes\n\ntext <!--\n{version}"))["version"], "6.6.6");
}

#[test]
fn what_github_does_not_show_is_no_answer() {
    for (answer, visible) in [
        ("<!-- 6.6.6 -->", json!("")),
        ("1.4.0 <!-- 6.6.6 -->", json!("1.4.0")),
        ("1.4<!-- 6.6.6 -->.0", json!("1.4.0")),
        ("<!-- 6.6.6\n-->\n1.4.0", json!("1.4.0")),
        ("1.4.0\n<!--\n6.6.6\n-->", json!("1.4.0")),
        ("1.4.0<a title=\"6.6.6\">", json!("1.4.0")),
        ("[//]: # (6.6.6)\n1.4.0", json!("1.4.0")),
        ("[a]: b\n[a]: 6.6.6\n\n1.4.0\n\n[c]: 6.6.6", json!("1.4.0")),
        ("[^1]: 6.6.6\n\n1.4.0", json!("1.4.0")),
        ("- [x] web\n<!--\n- [x] api\n-->", json!(["web"])),
        ("- [x] web\n<div title=\"\n- [x] api\n\">", json!(["web"])),
        ("- [x] web <!-- the site -->\n- [x] docs\n", json!(["web", "docs"])),
        ("`<!-- code -->` is `Vec<String>`", json!("`<!-- code -->` is `Vec<String>`")),
    ] {
        let body = format!("### Answer\n\n{answer}\n\n### End\n\nhere\n");
        assert_eq!(answers_without_form(&body), json!({ "answer": visible, "end": "here" }), "{body}");
    }
}

#[test]
fn a_question_that_is_folded_away_is_refused() {
    let question = "### Channel\n\nbeta\n\n";
    for fold in ["<details>", "<details><!-- </details> -->", "<DETAILS title='</details>'>", "a <details> b"]
    {
        let body = format!("### Notes\n\n{fold}\n\n{question}");
        assert_eq!(parse(&body, &[]), Err(FormError::Folded(vec!["channel".into()])), "{body}");
    }
    let log = "<details><summary>Log</summary>\n\n```\nlog\n```\n\n</details>";
    for open in [log, "<details><summary>Log</summary>text</details>"] {
        let body = format!("### Notes\n\n{open}\n\n{question}");
        assert_eq!(answers_without_form(&body)["channel"], "beta", "{body}");
    }
}

#[test]
fn a_choice_of_which_a_part_is_folded_away_is_refused() {
    let elements = json!([element("checkboxes", "Targets"), element("input", "Version")]);
    let fine = "### Targets\n\n- [x] web\n\n### Version\n\n1.4.0\n";
    let boxes = fine.replace("web\n", "web\n\n<details>\n\n- [x] docs\n\n</details>\n");
    for forms in [vec![], vec![form(&elements)]] {
        assert_eq!(parse(&boxes, &forms), Err(FormError::FoldedAnswer(vec!["targets".into()])));
    }
    let line = fine.replace("1.4.0", "1.4.0 <details> 6.6.6 </details>");
    assert_eq!(parse(&line, &[form(&elements)]), Err(FormError::FoldedAnswer(vec!["version".into()])));
}

#[test]
fn an_issue_without_a_form_has_no_answers() {
    for body in ["", "just text\n- [x] done", "## A heading\n\ntext", "### \n\nnothing"] {
        assert_eq!(answers_without_form(body), json!({}), "{body}");
    }
}

/// A form with these elements; JSON is YAML.
fn form(elements: &Value) -> Form {
    let text = json!({ "name": "Release", "body": elements }).to_string();
    Form::read(".github/ISSUE_TEMPLATE/release.yml", &text).expect("YAML").expect("a form")
}

/// An element with its label.
fn element(kind: &str, label: &str) -> Value {
    json!({ "type": kind, "attributes": { "label": label } })
}

/// The answers in `body` by the form with these elements, or the error.
fn answers_by_form(elements: &Value, body: &str) -> Value {
    let read = parse(body, &[form(elements)]);
    read.map_or_else(
        |error| error.to_string().into(),
        |read| {
            assert!(matches!(read.source, Source::File(_)), "{body}: {:?}", read.source);
            Value::Object(read.answers)
        },
    )
}

#[test]
fn only_the_answer_to_check_boxes_is_a_list() {
    let list = "- [x] test it\n- [ ] release it";
    let body = format!("### Targets\n\n{list}\n\n### To do\n\n{list}\n\n### Also\n\n- [ ] test it\n\n");
    let elements =
        json!([element("checkboxes", "Targets"), element("textarea", "To do"), element("input", "Also")]);
    assert_eq!(
        answers_by_form(&elements, &body),
        json!({ "targets": ["test it"], "to_do": list, "also": "- [ ] test it" })
    );
    assert_eq!(
        answers_without_form(&body),
        json!({ "targets": ["test it"], "to_do": ["test it"], "also": [] })
    );
    let none = json!([element("checkboxes", "Targets")]);
    assert_eq!(answers_by_form(&none, "### Targets\n\n_No response_"), json!({ "targets": [] }));
    assert_eq!(
        answers_by_form(&none, "### Targets\n\n- [x] web\nand more"),
        json!({ "targets": "- [x] web\nand more" })
    );
}

#[test]
fn a_heading_of_an_answer_is_text_where_the_form_is_known() {
    let notes = "### Fixed\n\n- this\n\n### Added ###\n\n- that\n\n### ???\n\n### Fixed\n\nmore";
    let body = format!("### Notes\n\n{notes}\n\n### Version\n\n1.4.0");
    let elements =
        json!([element("markdown", "Hello"), element("textarea", "Notes"), element("input", "Version")]);
    assert_eq!(answers_by_form(&elements, &body), json!({ "notes": notes, "version": "1.4.0" }));
}

#[test]
fn a_heading_without_a_letter_is_text_in_any_case() {
    assert_eq!(
        answers_without_form("### Notes\n\nfirst\n\n### ...\n\nlast"),
        json!({ "notes": "first\n\n### ...\n\nlast" })
    );
}

#[test]
fn an_issue_that_could_be_mistaken_for_another_answer_fits_no_form() {
    let forms = [form(&json!([element("textarea", "Notes"), element("input", "Version")]))];
    let fine = "### Notes\n\nfine\n\n### Version\n\n1.4.0\n\n";
    for (body, expected) in [
        (format!("{fine}### Version\n\n6.6.6"), "questions more than once: `version`"),
        (format!("{fine}### *version*!\n\n6.6.6"), "questions more than once: `version`"),
        (format!("### version ###\n\n6.6.6\n\n{fine}"), "questions more than once: `version`"),
        (fine.replace("fine", "<details>\n\n"), "inside `<details>`"),
    ] {
        let error = parse(&body, &forms).expect_err(&body).to_string();
        assert!(error.contains(expected), "{body}: {error}");
    }
    for body in [
        "### Version\n\n1.4.0\n\n### Notes\n\nfine".to_owned(),
        fine.replace("### Version", "### version"),
        fine.replace("### Version", "## Version"),
        fine.replace("fine", "```\nfine"),
        format!("{fine}### Log\n\nnone"),
        format!("### Log\n\nnone\n\n{fine}"),
    ] {
        assert_eq!(parse(&body, &forms).expect(&body).source, Source::NoneFits, "{body}");
    }
}

#[test]
fn the_form_that_asks_for_most_is_the_one_that_was_answered() {
    let kinds = |kinds: &[(&str, &str)]| {
        form(&kinds.iter().map(|(kind, label)| element(kind, label)).collect::<Value>())
    };
    let small = kinds(&[("input", "Version")]);
    let boxes = kinds(&[("input", "Version"), ("checkboxes", "Steps")]);
    let text = kinds(&[("input", "Version"), ("textarea", "Steps")]);
    let body = "### Version\n\n1.4.0\n\n### Steps\n\n- [x] one";
    for (forms, steps) in [
        (vec![small.clone(), boxes.clone()], json!(["one"])),
        (vec![text.clone(), small.clone(), text.clone()], json!("- [x] one")),
    ] {
        assert_eq!(parse(body, &forms).expect("clear answers").answers["steps"], steps);
    }
    let both = parse(body, &[small, boxes, text]).expect("clear answers");
    assert!(matches!(&both.source, Source::SeveralFit(paths) if paths.len() == 2), "{:?}", both.source);
}

#[test]
fn a_question_is_named_by_its_id_and_by_its_label() {
    let with_id =
        |id: &str, label: &str| json!({ "type": "input", "id": id, "attributes": { "label": label } });
    let body =
        "### C++\n\n20\n\n### C#\n\n13\n\n### 1. Version\n\n1.4.0\n\n### 版本\n\n2\n\n### ???\n\nwhat\n\n";
    let elements = json!([
        element("input", "C++"),
        with_id("c-sharp", "C#"),
        with_id("version", "1. Version"),
        element("input", "版本"),
        with_id("what", "???"),
    ]);
    let read = parse(body, &[form(&elements)]).expect("clear answers");
    assert_eq!(
        Value::Object(read.answers),
        json!({ "c-sharp": "13", "1_version": "1.4.0", "version": "1.4.0", "版本": "2", "what": "what" })
    );
    assert_eq!(
        Value::Object(read.by_first_name),
        json!({ "c-sharp": "13", "1_version": "1.4.0", "版本": "2", "what": "what" })
    );
    assert_eq!(
        read.shared_names,
        BTreeMap::from([("c".to_owned(), vec!["C++".to_owned(), "C#".to_owned()])])
    );
    // Without the file the ids are unknown.
    assert_eq!(answers_without_form(body), json!("the issue has these questions more than once: `c`"));

    // GitHub takes one label for several questions, if they have ids.
    let twice = json!([with_id("first", "Name"), with_id("second", "Name"), with_id("name", "Other")]);
    let body = "### Name\n\na\n\n### Name\n\nb\n\n### Other\n\nc\n\n";
    assert_eq!(answers_by_form(&twice, body), json!({ "first": "a", "second": "b", "other": "c" }));
}

#[test]
fn an_answer_that_github_shows_as_code_has_no_fence() {
    let elements = json!([
        { "type": "textarea", "attributes": { "label": "Log", "render": "shell" } },
        element("textarea", "Other"),
    ]);
    for (log, expected) in [
        ("```shell\ncargo build\n\n  ### end\n```", "cargo build\n\n  ### end"),
        ("```shell\n\n```", ""),
        ("_No response_", ""),
        ("````shell\n```\n````", "```"),
        ("```shell\na\n```\nb\n```\nc\n```", "a\n```\nb\n```\nc"),
        ("somebody took the fence away", "somebody took the fence away"),
        ("```shell\na\n```\nand wrote this", "```shell\na\n```\nand wrote this"),
    ] {
        let body = format!("### Log\n\n{log}\n\n### Other\n\n```\ncode\n```\n");
        assert_eq!(
            answers_by_form(&elements, &body),
            json!({ "log": expected, "other": "```\ncode\n```" }),
            "{log}"
        );
    }
}

#[test]
fn a_choice_that_was_not_made_is_blank() {
    let elements = json!([element("dropdown", "Channel"), element("input", "Name")]);
    for (channel, expected) in [("None", ""), ("_No response_", ""), ("beta, stable", "beta, stable")] {
        let body = format!("### Channel\n\n{channel}\n\n### Name\n\nNone");
        assert_eq!(answers_by_form(&elements, &body), json!({ "channel": expected, "name": "None" }));
    }
}

#[test]
fn what_is_no_form_is_left_alone() {
    for text in [
        "",
        "a",
        "body: text",
        "body: []",
        "body: [1, {type: input}, {attributes: {label: x}}]",
        "contact_links: []",
    ] {
        assert_eq!(Form::read("x.yml", text).expect(text), None, "{text}");
    }
    assert!(Form::read("x.yml", "body: [").is_err());
}

/// Text that people type into a text area, and the part of it that GitHub shows.
const PIECES: [(&str, &str); 18] = [
    ("plain", "plain"),
    ("two\nlines", "two\nlines"),
    ("### Fixed", "### Fixed"),
    ("### Version 2 ###", "### Version 2 ###"),
    ("## Above", "## Above"),
    ("text\n---", "text\n---"),
    ("- [x] done\n- [ ] not yet", "- [x] done\n- [ ] not yet"),
    ("1. one\n\n   ### deep", "1. one\n\n   ### deep"),
    ("> ### Version\n> 6.6.6", "> ### Version\n> 6.6.6"),
    ("```sh\n### Version\n\n6.6.6\n```", "```sh\n### Version\n\n6.6.6\n```"),
    ("   ~~~~ info ```\n~~~\n```\n### Version\n  ~~~~~", "   ~~~~ info ```\n~~~\n```\n### Version\n  ~~~~~"),
    ("`code` begins the line", "`code` begins the line"),
    ("``` not a fence ``` here", "``` not a fence ``` here"),
    ("    ### Version\n    ```", "    ### Version\n    ```"),
    ("| a | b |\n|---|---|\n| 1 | 2 |", "| a | b |\n|---|---|\n| 1 | 2 |"),
    ("a <b>bold</b> <!-- 6.6.6 --> word", "a bold  word"),
    ("<!--\n### Version\n\n6.6.6\n-->", ""),
    ("[link]: https://github.com/acme", ""),
];

/// Labels as people write them.
const LABELS: [&str; 10] = [
    "Version",
    "1. Which *targets*?",
    "版本",
    "C++",
    "C#",
    "Notes `for` users",
    "???",
    "Release notes (what's new)",
    "[Terms](https://github.com/terms) & more",
    "A \\# sign",
];

/// A question with an answer: its element, GitHub's text below the heading, and the value that templates get.
fn question(number: usize) -> impl Strategy<Value = (Value, String, Value)> {
    let of = move |kind: &str, more: Value| {
        let mut attributes = json!({ "label": LABELS[number] });
        attributes.as_object_mut().expect("one").extend(more.as_object().expect("one").clone());
        json!({ "type": kind, "id": format!("q-{number}"), "attributes": attributes })
    };
    let blank = |markdown: String| if markdown.is_empty() { NO_RESPONSE.to_owned() } else { markdown };
    let options = json!({ "options": ["web", "the docs", "C++ [new]"] });
    let boxes = json!({ "options": [{ "label": "web" }, { "label": "the `docs`" }, { "label": "[x] api" }] });
    prop_oneof![
        "[a-zA-Z0-9][a-z0-9.+-]{0,8}".prop_map(move |text| (
            of("input", json!({})),
            text.clone(),
            text.into()
        )),
        Just((of("input", json!({})), NO_RESPONSE.to_owned(), "".into())),
        Just((
            of("upload", json!({})),
            "[log.txt](https://github.com/files/1)".to_owned(),
            "[log.txt](https://github.com/files/1)".into()
        )),
        proptest::collection::vec(0..PIECES.len(), 0..5).prop_map(move |pieces| {
            let texts: Vec<_> = pieces.iter().map(|piece| PIECES[*piece].0).collect();
            let visible: Vec<_> =
                pieces.iter().map(|piece| PIECES[*piece].1).filter(|visible| !visible.is_empty()).collect();
            (of("textarea", json!({})), blank(texts.join("\n\n")), visible.join("\n\n").trim().into())
        }),
        proptest::collection::vec("(### Version|- \\[x\\] a|<b>x</b>|  in|~~~|`tick`|<!--|)", 1..6).prop_map(
            move |lines| {
                let code = lines.join("\n");
                (of("textarea", json!({ "render": "shell" })), format!("```shell\n{code}\n```"), code.into())
            }
        ),
        proptest::sample::subsequence(vec!["web", "the docs", "C++ [new]"], 0..=3).prop_map(move |choice| {
            let markdown = if choice.is_empty() { NO_CHOICE.to_owned() } else { choice.join(", ") };
            (of("dropdown", options.clone()), markdown, choice.join(", ").into())
        }),
        proptest::sample::subsequence(vec!["web", "the `docs`", "[x] api"], 0..=3).prop_map(move |labels| {
            let line =
                |label: &&str| format!("- [{}] {label}\n", if labels.contains(label) { "X" } else { " " });
            let markdown: String = ["web", "the `docs`", "[x] api"].iter().map(line).collect();
            (of("checkboxes", boxes.clone()), markdown, json!(labels))
        }),
    ]
}

proptest! {
    #[test]
    fn no_body_makes_the_reader_panic(body in "(### [a-z!]{0,5}\n|- \\[[ x]\\] [a-z]{0,3}\n|```\n|.{0,10}\n){0,12}") {
        let _ = parse(&body, &[]);
        let _ = parse(&body, &[form(&json!([element("checkboxes", "a"), element("textarea", "b!")]))]);
    }

    #[test]
    fn what_is_typed_into_a_form_comes_back(
        questions in proptest::sample::subsequence((0..LABELS.len()).collect::<Vec<_>>(), 1..6)
            .prop_shuffle()
            .prop_flat_map(|numbers| numbers.into_iter().map(question).collect::<Vec<_>>()),
        has_returns: bool,
    ) {
        let elements: Value = questions.iter().map(|(element, ..)| element.clone()).collect();
        let first = json!([elements[0].clone()]);
        let label = |element: &Value| element["attributes"]["label"].as_str().expect("text").to_owned();
        let body: String =
            questions.iter().map(|(element, markdown, _)| format!("### {}\n\n{markdown}\n\n", label(element))).collect();
        let body = if has_returns { body.replace('\n', "\r\n") } else { body };
        let read = parse(&body, &[form(&first), form(&elements)]).expect("clear answers");
        for (element, _, expected) in &questions {
            let id = element["id"].as_str().expect("text");
            prop_assert_eq!(&read.answers[id], expected, "{}: {}", label(element), body);
        }
    }
}
