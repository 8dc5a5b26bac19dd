//! The body of an issue that a form opened, which its author may have written by hand, with the form's file before it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use release_ticket_action::form::{self, Form};

/// A question and an answer that GitHub does not show.
const HIDDEN: &str = "<!-- hidden\n### Hidden\n\nanswer\n-->\n\n";

/// What stands between the form's file and the body, if there is a file.
const BREAK: &str = "\n=====\n";

fuzz_target!(|text: &str| {
    let (file, body) = text.split_once(BREAK).unwrap_or(("", text));
    let forms: Vec<Form> = Form::read("form.yml", file).ok().flatten().into_iter().collect();
    let shown = form::parse(body, &forms);
    if let Ok(read) = &shown {
        assert!(read.once.len() <= body.matches('#').count(), "each question is a heading: {read:?}");
        for name in read.answers.keys().chain(read.shared.keys()) {
            assert!(!name.is_empty() && !name.contains(char::is_whitespace), "{name:?}");
        }
        assert!(!read.answers.keys().any(|name| read.shared.contains_key(name)), "{read:?}");
    }
    let with_hidden = form::parse(&format!("{HIDDEN}{body}"), &forms);
    match (shown, with_hidden) {
        (Ok(shown), Ok(with_hidden)) => assert_eq!(shown, with_hidden),
        (shown, with_hidden) => assert_eq!(shown.is_err(), with_hidden.is_err()),
    }
});
