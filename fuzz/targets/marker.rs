//! The first line of a comment or of an issue's body, which anybody may write.

#![no_main]

use libfuzzer_sys::fuzz_target;
use release_ticket_action::ticket::Key;
use release_ticket_action::ticket::marker::{self, Marker};
use serde_json::Value;

fuzz_target!(|body: &str| {
    let key = Key::of(body);
    let Some(Ok(marker)) = Marker::find(body) else { return };
    let Ok(value) = marker.value() else { return };
    let Some(kind) = marker.kind() else { return };

    let line = marker::render(kind, &value);
    assert_eq!(line.lines().count(), 1, "{line}");
    assert_eq!((line.matches("<!--").count(), line.matches("-->").count()), (1, 1), "{line}");
    assert!(line.ends_with("-->"), "{line}");

    let again = Marker::find(&line).expect("a marker").expect("a whole one");
    assert_eq!(again.kind(), Some(kind));
    assert_eq!(again.value(), Ok(value));
    assert_eq!(again.data::<Value>(), marker.data::<Value>());
    assert_eq!(Key::of(&line), key);
});
