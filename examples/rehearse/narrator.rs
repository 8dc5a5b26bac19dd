//! The output on the terminal: a line for each event, with its time and its actor.

use std::fmt::Display;
use std::io::Write;

use chrono::Local;
use release_ticket_action::ticket::Status;
use simulated_github::World;

/// The tone of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Neither good nor bad news.
    Plain,
    /// Good news.
    Good,
    /// Bad news.
    Bad,
}

impl From<Status> for Tone {
    fn from(status: Status) -> Self {
        match status {
            Status::Success => Self::Good,
            Status::Failure | Status::Cancelled => Self::Bad,
            Status::Queued | Status::InProgress | Status::Skipped => Self::Plain,
        }
    }
}

/// Prints each event when it happens.
#[derive(Clone)]
pub(crate) struct Narrator {
    world: World,
    colours: bool,
    width: usize,
}

impl Narrator {
    /// A narrator of the events in `world`; no name is longer than `width`.
    pub(crate) fn new(world: &World, colours: bool, width: usize) -> Self {
        Self { world: world.clone(), colours, width }
    }

    /// Prints an event: `who` does `what`.
    pub(crate) fn announce(&self, who: &str, what: impl Display) {
        self.announce_as(Tone::Plain, who, what);
    }

    /// Prints good or bad news of `who`.
    pub(crate) fn announce_as(&self, tone: Tone, who: &str, what: impl Display) {
        let time = self.world.now().with_timezone(&Local).format("%H:%M:%S%.3f").to_string();
        let who = format!("{who:0$}", self.width);
        let what = match tone {
            Tone::Plain => what.to_string(),
            Tone::Good => self.with_style("32", &what.to_string()),
            Tone::Bad => self.with_style("31", &what.to_string()),
        };
        self.print(&format!("{}  {}  {what}\n", self.with_style("2", &time), self.with_style("1", &who)));
    }

    /// Prints text as it is.
    pub(crate) fn print(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        // If standard output is closed, the rehearsal goes on without a reader.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// The text in a colour or style, by its [number](https://en.wikipedia.org/wiki/ANSI_escape_code#Select_Graphic_Rendition_parameters).
    fn with_style(&self, style: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
