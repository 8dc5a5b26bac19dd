//! A form's file, and the body of an issue from it, which its author may have written by hand.

#![no_main]

use libfuzzer_sys::fuzz_target;
use release_ticket_action::form::{self, Form};

/// A question and an answer that GitHub does not show.
const HIDDEN: &str = "<!-- hidden\n### Hidden\n\nanswer\n-->\n\n";

/// The line between the form's file and the body, if there is a file.
const BREAK: &str = "\n=====\n";

fuzz_target!(|text: &str| {
    let (file, body) = text.split_once(BREAK).unwrap_or(("", text));
    let forms: Vec<Form> = Form::read("form.yml", file).ok().flatten().into_iter().collect();
    let answers = form::parse(body, &forms);
    if let Ok(form) = &answers {
        assert!(
            form.by_first_name.len() <= body.matches('#').count(),
            "each question is a heading: {form:?}"
        );
        for name in form.answers.keys().chain(form.shared_names.keys()) {
            assert!(!name.is_empty() && !name.contains(char::is_whitespace), "{name:?}");
        }
        assert!(!form.answers.keys().any(|name| form.shared_names.contains_key(name)), "{form:?}");
    }
    let hidden_result = form::parse(&format!("{HIDDEN}{body}"), &forms);
    match (answers, hidden_result) {
        (Ok(answers), Ok(hidden_result)) => assert_eq!(answers, hidden_result),
        (answers, hidden_result) => assert_eq!(answers.is_err(), hidden_result.is_err()),
    }
});
