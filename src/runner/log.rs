//! The log of the step: plain lines, annotations, and in a debug run every request.
//!
//! The runner reads `::command::` at the start of a line and `##[command]` anywhere as a command,
//! so text from outside is made inert before it is printed.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::problem::excerpt;

/// Events of this target become a notice on the run's page.
pub const NOTICE: &str = "notice";

/// Events of this target describe one request to GitHub.
pub const REQUEST: &str = "request";

/// Sends the events of this action to the runner's log; details and requests in a debug run only.
pub fn start(debug: bool) {
    let level = if debug { Level::DEBUG } else { Level::INFO };
    // Events of libraries mean nothing to users of this action.
    let own_events = filter_fn(move |metadata| {
        let target = metadata.target();
        let is_own = target == NOTICE || target == REQUEST || target.starts_with(env!("CARGO_CRATE_NAME"));
        is_own && *metadata.level() <= level
    });
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stdout).event_format(WorkflowCommands);
    // A second start in the same process keeps the first.
    let _ = tracing_subscriber::registry().with(layer.with_filter(own_events)).try_init();
}

/// Makes the runner hide `secret` in all later output.
pub fn mask(secret: &str) {
    let mut out = std::io::stdout().lock();
    let _ = std::io::Write::write_fmt(&mut out, format_args!("::add-mask::{}\n", escape_data(secret)));
}

/// The most characters of a message in the log: the limit of a text on GitHub.
const MESSAGE_LIMIT: usize = 65_536;

/// Text in which no character moves a terminal's cursor or changes the direction of the text around it: such
/// characters become their codes.
#[must_use]
pub fn visible(text: &str) -> String {
    let is_hidden = |c: char| match c {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    };
    // The runner ends a line at a single carriage return, too.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut result = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { result.extend(c.escape_unicode()) } else { result.push(c) }
    }
    result
}

/// Text from outside without commands to the runner.
#[must_use]
pub fn inert(text: &str) -> String {
    let text = visible(text);
    let lines = text.lines().map(|line| {
        let line = line.replace("##[", "#\u{200b}#[");
        if line.trim_start().starts_with("::") { line.replacen("::", ":\u{200b}:", 1) } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Text after `::command::`.
fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property between `::command` and `::`.
fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Formats events as workflow commands.
struct WorkflowCommands;

impl<S, N> FormatEvent<S, N> for WorkflowCommands
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut text = EventText::default();
        event.record(&mut text);
        let metadata = event.metadata();
        match (metadata.target(), *metadata.level()) {
            (REQUEST, _) => writeln!(out, "{}", text.request()),
            (NOTICE, _) => writeln!(out, "::notice::{}", escape_data(&text.message)),
            (_, Level::ERROR) => writeln!(out, "::error{}::{}", text.place(), escape_data(&text.message)),
            (_, Level::WARN) => writeln!(out, "::warning::{}", escape_data(&text.message)),
            (_, Level::INFO) => writeln!(out, "{}", inert(&text.message)),
            _ => writeln!(out, "::debug::{}", escape_data(&text.message)),
        }
    }
}

/// The fields of an event as text.
#[derive(Default)]
struct EventText {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl EventText {
    /// The place of an annotation in a file: ` file=targets.yml,line=7,col=3`.
    fn place(&self) -> String {
        let properties = ["file", "line", "col"].map(|name| {
            let (_, value) = self.fields.iter().find(|(key, _)| *key == name)?;
            Some(format!("{name}={}", escape_property(value)))
        });
        let properties: Vec<String> = properties.into_iter().flatten().collect();
        if properties.is_empty() { String::new() } else { format!(" {}", properties.join(",")) }
    }

    /// A folded group: its line has the request and its result, its inside the rest.
    fn request(&self) -> String {
        let field = |name: &str| {
            self.fields.iter().find(|(key, _)| *key == name).map_or("-", |(_, value)| value.as_str())
        };
        let answer = if self.message.is_empty() { field("status") } else { &self.message };
        let head = format!("{} → {answer} ({} ms)", field("request"), field("milliseconds"));
        let inside = format!(
            "rate limit left: {}\nrequest id: {}",
            field("rate_limit_remaining"),
            field("request_id")
        );
        format!("::group::{}\n{}\n::endgroup::", escape_data(&head), inert(&inside))
    }
}

impl Visit for EventText {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = excerpt(&visible(&format!("{value:?}")), MESSAGE_LIMIT);
        if field.name() == "message" {
            self.message = text;
        } else {
            self.fields.push((field.name(), text));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_no_command() {
        let text = "fine\r::set-output name=x::y\n  ::error::no\nnow ##[error]no";
        let inert = inert(text);
        for line in inert.lines() {
            assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{line}");
        }
        assert_eq!(inert.lines().count(), 4);
        assert_eq!(
            visible("\u{1b}[2J\u{9b}1A\u{7}a\u{202e}b\u{2028}c\td\re\u{85}"),
            "\\u{1b}[2J\\u{9b}1A\\u{7}a\\u{202e}b\\u{2028}c\td\ne\\u{85}"
        );
        assert_eq!(escape_data("50%\r\n::x::"), "50%25%0D%0A::x::");
    }
}
