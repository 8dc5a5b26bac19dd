//! The body of an issue that a form opened, which its author may have written by hand.

#![no_main]

use libfuzzer_sys::fuzz_target;
use release_ticket_action::form;

/// A question and an answer that GitHub does not show.
const HIDDEN: &str = "<!-- hidden\n### Hidden\n\nanswer\n-->\n\n";

fuzz_target!(|body: &str| {
    let shown = form::parse(body);
    if let Ok(answers) = &shown {
        assert!(answers.len() <= body.matches('#').count(), "each question is a heading: {answers:?}");
        for name in answers.keys() {
            assert!(!name.is_empty() && !name.contains(char::is_whitespace), "{name:?}");
        }
    }
    let with_hidden = form::parse(&format!("{HIDDEN}{body}"));
    match (shown, with_hidden) {
        (Ok(shown), Ok(with_hidden)) => assert_eq!(shown, with_hidden),
        (shown, with_hidden) => assert_eq!(shown.is_err(), with_hidden.is_err()),
    }
});
