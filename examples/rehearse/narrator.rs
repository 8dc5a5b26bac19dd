//! What the terminal shows: a line for each thing that happens, with when and who.

use std::fmt::Display;
use std::io::Write;

use chrono::Local;
use release_ticket_action::ticket::Status;
use simulated_github::World;

/// Whether something is good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Neither.
    Plain,
    /// It is.
    Good,
    /// It is bad news.
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

/// Tells what happens, while it happens.
#[derive(Clone)]
pub(crate) struct Narrator {
    world: World,
    colours: bool,
    width: usize,
}

impl Narrator {
    /// A narrator of what happens in `world`, where names are not longer than `width`.
    pub(crate) fn new(world: &World, colours: bool, width: usize) -> Self {
        Self { world: world.clone(), colours, width }
    }

    /// Tells that `who` does something.
    pub(crate) fn tell(&self, who: &str, what: impl Display) {
        self.tell_as(Tone::Plain, who, what);
    }

    /// Tells good or bad news of `who`.
    pub(crate) fn tell_as(&self, tone: Tone, who: &str, what: impl Display) {
        let time = self.world.now().with_timezone(&Local).format("%H:%M:%S%.3f").to_string();
        let who = format!("{who:0$}", self.width);
        let what = match tone {
            Tone::Plain => what.to_string(),
            Tone::Good => self.painted("32", &what.to_string()),
            Tone::Bad => self.painted("31", &what.to_string()),
        };
        self.print(&format!("{}  {}  {what}\n", self.painted("2", &time), self.painted("1", &who)));
    }

    /// Prints text as it is.
    pub(crate) fn print(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        // Where standard output is closed, nobody is there to hear; the rehearsal goes on.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// The text in a colour or style, by its [number](https://en.wikipedia.org/wiki/ANSI_escape_code#Select_Graphic_Rendition_parameters).
    fn painted(&self, style: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
