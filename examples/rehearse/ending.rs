//! The end: what the ticket says, what it took, and whether all is well.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use release_ticket_action::names::{CommentId, TargetName};
use release_ticket_action::problem::Help;
use release_ticket_action::ticket::{BoardStep, Comment, Log, TargetStatus, Ticket, board};
use simulated_github::{Exchange, Issue, World, page};

use crate::setting::{HUB, Setting, TOOLS};

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndingError {
    /// The hub has no issue.
    #[error("no ticket was opened in {HUB}")]
    NoTicket,
    /// A page has no place.
    #[error("`{}` is a folder", .0.display())]
    Folder(PathBuf),
    /// A page cannot be written.
    #[error("`{}` cannot be written", path.display())]
    Page {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Help for EndingError {
    fn help(&self) -> Option<String> {
        match self {
            Self::NoTicket => None,
            Self::Folder(path) => {
                Some(format!("name the file in it, such as `--out {}`", path.join("ticket.html").display()))
            }
            Self::Page { .. } => Some("name another file with `--out FILE`".to_owned()),
        }
    }
}

/// Not all ended well.
#[derive(Debug, thiserror::Error)]
#[error("the rehearsal did not end well: {}", .0.join("; "))]
pub(crate) struct Shortfall(Vec<String>);

impl Help for Shortfall {
    fn help(&self) -> Option<String> {
        Some("the page of the ticket says more".to_owned())
    }
}

/// Where the ticket is written as HTML.
pub(crate) struct Page(PathBuf);

impl Page {
    /// A page in this file, which can be written.
    pub(crate) fn at(path: PathBuf) -> Result<Self, EndingError> {
        let path = std::path::absolute(&path).unwrap_or(path);
        match writable(&path) {
            _ if path.is_dir() => Err(EndingError::Folder(path)),
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(EndingError::Page { path, source }),
        }
    }
}

/// Whether a file can be written; it is not changed.
fn writable(path: &Path) -> std::io::Result<()> {
    if path.exists() {
        return std::fs::OpenOptions::new().append(true).open(path).map(drop);
    }
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    tempfile::tempfile_in(folder).map(drop)
}

/// What became of it all.
pub(crate) struct Ending {
    at: DateTime<Utc>,
    ticket: Issue,
    log: Log,
    release: Ticket,
    failures: Vec<Issue>,
    exchanges: Vec<Exchange>,
    targets: Vec<TargetName>,
}

/// The files that show the issues as people see them.
pub(crate) struct Pages {
    ticket: PathBuf,
    failures: Vec<PathBuf>,
}

impl Ending {
    /// Looks at the world, which is served at `url`.
    pub(crate) fn of(world: &World, url: &str, setting: &Setting) -> Result<Self, EndingError> {
        let ticket = world.issues(HUB).into_iter().next().ok_or(EndingError::NoTicket)?;
        let log = log_of(&ticket, url);
        // People who follow a link in a browser send no token.
        let exchanges = world.exchanges().into_iter().filter(|exchange| exchange.token.is_some()).collect();
        Ok(Self {
            at: world.now(),
            release: log.ticket().clone(),
            log,
            ticket,
            failures: world.issues(TOOLS),
            exchanges,
            targets: setting.released().map(|target| target.name.clone()).collect(),
        })
    }

    /// Writes the ticket to its page, and what was notified elsewhere beside it.
    pub(crate) fn write_pages(&self, Page(path): &Page) -> Result<Pages, EndingError> {
        let mut pages = Pages { ticket: self.write_page(path, &self.ticket)?, failures: Vec::new() };
        for issue in &self.failures {
            let path = path.with_extension(format!("failure-{}.html", issue.number));
            pages.failures.push(self.write_page(&path, issue)?);
        }
        Ok(pages)
    }

    fn write_page(&self, path: &Path, issue: &Issue) -> Result<PathBuf, EndingError> {
        let path = path.to_owned();
        match std::fs::write(&path, page::issue(issue, self.at)) {
            Ok(()) => Ok(path),
            Err(source) => Err(EndingError::Page { path, source }),
        }
    }

    /// The end as the terminal shows it.
    pub(crate) fn summary(&self, steps: usize, pages: &Pages) -> String {
        let writes = |method: &str, part: &str| {
            let of_interest =
                |exchange: &&Exchange| exchange.method == method && exchange.path.contains(part);
            self.exchanges.iter().filter(|exchange| exchange.effective).filter(of_interest).count()
        };
        let mut out = format!("\n{HUB}#{}, folded from its comments:\n\n", self.ticket.number);
        out += &board::plain(&self.release);
        out += &format!(
            "\n{steps} steps sent {} requests; they wrote {} comments and edited them {} times.\n",
            self.exchanges.len(),
            writes("POST", "/comments"),
            writes("PATCH", "/issues/comments/"),
        );
        out += &format!("The ticket as people see it:  {}\n", pages.ticket.display());
        for path in &pages.failures {
            out += &format!("The failure without a ticket: {}\n", path.display());
        }
        out
    }

    /// Whether every target is released, and every failure resolved.
    pub(crate) fn verdict(&self) -> Result<(), Shortfall> {
        let status = |name: &TargetName| self.release.targets.get(name).map(|target| target.status);
        let unreleased = self.targets.iter().filter(|name| status(name) != Some(TargetStatus::Released));
        let mut shortfalls: Vec<String> = unreleased.map(|name| format!("{name} is not released")).collect();
        if !matches!(self.log.next_board_step(), BoardStep::Shown) {
            shortfalls.push("the board does not show what the records say".to_owned());
        }
        if self.failures.is_empty() {
            shortfalls.push(format!("no issue was opened in {TOOLS}"));
        }
        let open = self.failures.iter().filter(|issue| issue.is_open());
        shortfalls.extend(open.map(|issue| format!("{TOOLS}#{} is not resolved", issue.number)));
        let unknown = self.exchanges.iter().filter(|exchange| exchange.status == Some(501));
        shortfalls.extend(
            unknown.map(|exchange| format!("the simulated GitHub lacks {}", exchange.request_line())),
        );
        if shortfalls.is_empty() { Ok(()) } else { Err(Shortfall(shortfalls)) }
    }
}

/// The ticket's log, read as the action reads it.
fn log_of(ticket: &Issue, url: &str) -> Log {
    let mut log = Log::default();
    log.extend(ticket.comments.iter().map(|comment| Comment {
        id: CommentId(comment.id),
        author: Some(comment.author.clone()),
        trusted: comment.author.ends_with("[bot]")
            || ["OWNER", "MEMBER", "COLLABORATOR"].contains(&comment.association.as_str()),
        body: comment.body.clone(),
        created_at: comment.created_at,
        updated_at: comment.updated_at,
        url: format!("{url}/{HUB}/issues/{}#issuecomment-{}", ticket.number, comment.id),
    }));
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_cannot_be_written_is_refused_and_nothing_is_written_yet() {
        let folder = tempfile::tempdir().expect("a folder");
        let page = folder.path().join("new").join("ticket.html");
        assert!(Page::at(page.clone()).is_ok() && !page.exists());
        assert!(matches!(Page::at(folder.path().to_owned()), Err(EndingError::Folder(_))));
        assert!(matches!(Page::at("/dev/null/ticket.html".into()), Err(EndingError::Page { .. })));
    }
}
