//! The event of the run: people write its inputs and its issue.

#![no_main]

use libfuzzer_sys::fuzz_target;
use release_ticket_action::event::Event;
use release_ticket_action::names::{TicketName, number};
use serde_json::Value;

fuzz_target!(|text: &str| {
    let Ok(event) = Event::parse(text) else { return };
    let again = Event::parse(&Value::Object(event.payload().clone()).to_string()).expect("our own JSON");
    assert_eq!(again, event);
    for name in event.inputs().keys() {
        if let Some(value) = event.input(name) {
            assert!(!value.trim().is_empty(), "{name}");
        }
    }
    if let Some(issue) = event.issue() {
        assert!(issue.0 <= number::MAX);
    }
    let ticket = event.input("release-ticket").and_then(|text| text.parse::<TicketName>().ok());
    if let Some(TicketName::Issue(issue)) = ticket {
        assert_eq!(issue.to_string().parse(), Ok(TicketName::Issue(issue)));
    }
});
