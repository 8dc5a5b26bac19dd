//! The end: the ticket, the number of steps and requests, and the verdict.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use release_ticket_action::names::TargetName;
use release_ticket_action::problem::{Advice, Help, Topic};
use release_ticket_action::ticket::{BoardStep, Log, Status, TargetStatus, Ticket, board};
use simulated_github::{Exchange, Issue, page};

use crate::nightly::{self, Explanation};
use crate::reader;
use crate::release::{PUBLISH, STAGES};
use crate::runner::Runners;
use crate::setting::{HUB, Setting, TOOLS};

/// The reason why the rehearsal has no result.
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
    fn help(&self) -> Option<Advice> {
        let text = match self {
            Self::NoTicket => return None,
            Self::Folder(path) => {
                format!("name the file in it, such as `--out {}`", path.join("ticket.html").display())
            }
            Self::Page { .. } => "name another file with `--out FILE`".to_owned(),
        };
        Some(Topic::Rehearsal.advice(text))
    }
}

/// The faults of a rehearsal.
#[derive(Debug, thiserror::Error)]
#[error("the rehearsal did not end well: {}", .0.join("; "))]
pub(crate) struct Shortfall(Vec<String>);

impl Help for Shortfall {
    fn help(&self) -> Option<Advice> {
        Some(Topic::Rehearsal.advice("the page of the ticket says more"))
    }
}

/// The file for the ticket as HTML.
pub(crate) struct Page(PathBuf);

impl Page {
    /// A page in this file, after a check that the file can be written.
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

/// The result of a rehearsal.
pub(crate) struct Ending {
    at: DateTime<Utc>,
    ticket: Issue,
    log: Log,
    release: Ticket,
    failures: Vec<Issue>,
    exchanges: Vec<Exchange>,
    targets: Vec<TargetName>,
    fails_once: String,
    steps: usize,
    states: usize,
}

/// The files that show the issues as people see them.
pub(crate) struct Pages {
    ticket: PathBuf,
    failures: Vec<PathBuf>,
}

impl Ending {
    /// Reads the result from the world.
    pub(crate) fn of(runners: &Runners<'_>, setting: &Setting) -> Result<Self, EndingError> {
        let world = &runners.world;
        let ticket = world.issues(HUB).into_iter().next().ok_or(EndingError::NoTicket)?;
        let log = reader::log_of(&ticket, runners.url);
        // People who follow a link in a browser send no token.
        let exchanges = world.exchanges().into_iter().filter(|exchange| exchange.token.is_some()).collect();
        Ok(Self {
            at: world.now(),
            release: log.ticket().clone(),
            log,
            ticket,
            failures: world.issues(TOOLS),
            exchanges,
            targets: setting.targets_to_release().map(|target| target.name.clone()).collect(),
            fails_once: setting.fails_once().to_owned(),
            steps: runners.steps(),
            states: runners.states(),
        })
    }

    /// Writes the ticket to its page, and the issues of other failures to pages beside it.
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

    /// The summary for the terminal.
    pub(crate) fn summary(&self, pages: &Pages) -> String {
        let writes = |method: &str, part: &str| {
            let of_interest =
                |exchange: &&Exchange| exchange.method == method && exchange.path.contains(part);
            self.exchanges.iter().filter(|exchange| exchange.effective).filter(of_interest).count()
        };
        let mut out = format!("\n{HUB}#{}, folded from its comments:\n\n", self.ticket.number);
        out += &board::plain(&self.release);
        out += &format!(
            "\n{} steps, {} of which tracked their jobs, sent {} requests; they wrote {} comments and edited them {} \
             times.\n",
            self.steps,
            self.states,
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
        shortfalls.extend(self.unreported());
        if !matches!(self.log.next_board_step(), BoardStep::Shown) {
            shortfalls.push("the board does not show what the records say".to_owned());
        }
        if self.failures.is_empty() {
            shortfalls.push(format!("no issue was opened in {TOOLS}"));
        }
        let open = self.failures.iter().filter(|issue| issue.is_open());
        shortfalls.extend(open.map(|issue| format!("{TOOLS}#{} is not resolved", issue.number)));
        shortfalls.extend(self.failures.iter().flat_map(unexplained));
        let unknown = self.exchanges.iter().filter(|exchange| exchange.status == Some(501));
        shortfalls.extend(
            unknown.map(|exchange| format!("the simulated GitHub lacks {}", exchange.request_line())),
        );
        if shortfalls.is_empty() { Ok(()) } else { Err(Shortfall(shortfalls)) }
    }

    /// The missing facts on the ticket: the success of each stage, and the step at which the tracked stage failed before.
    fn unreported(&self) -> Vec<String> {
        let has_ended = |name: &TargetName, job: &str| {
            let stages = self.release.targets.get(name).map(|target| &target.stages[..]).unwrap_or_default();
            stages.iter().any(|stage| stage.name == job && stage.status == Status::Success)
        };
        let stages = self.targets.iter().flat_map(|name| STAGES.map(|stage| (name, stage.job)));
        let missing = stages.filter(|(name, job)| !has_ended(name, job));
        let mut out: Vec<String> = missing
            .map(|(name, job)| format!("the ticket does not say that {name} ended {job} well"))
            .collect();
        if self.states == 0 {
            out.push("no job was tracked".to_owned());
        }
        if !self.comments().any(|text| self.names_failed_step(text)) {
            let Self { fails_once, .. } = self;
            out.push(format!("no board named the step at which {fails_once} failed, {}", PUBLISH.step));
        }
        out
    }

    /// Each text that a step wrote into a comment.
    fn comments(&self) -> impl Iterator<Item = &str> {
        let comments = self
            .exchanges
            .iter()
            .filter(|exchange| exchange.effective && exchange.path.contains("/comments"));
        comments.filter_map(|exchange| exchange.request_body.as_ref()?.get("body")?.as_str())
    }

    /// Whether the text is a board that names the step at which the tracked target failed.
    fn names_failed_step(&self, text: &str) -> bool {
        reader::failed_step(text, &self.fails_once).is_some_and(|blocker| blocker.contains(PUBLISH.step))
    }
}

/// The missing explanations in the issue of a failure.
fn unexplained(issue: &Issue) -> Vec<String> {
    let missing = nightly::explanations(issue).into_iter().filter(|explanation| explanation.line.is_none());
    missing.map(|Explanation { of, .. }| format!("{TOOLS}#{} does not explain {of}", issue.number)).collect()
}

#[cfg(test)]
mod tests {
    use simulated_github::World;

    use super::*;

    #[test]
    fn an_issue_that_explains_nothing_is_a_shortfall() {
        let world = World::new();
        world.repository(TOOLS);
        world.issue(TOOLS, "Nightly failed", "<!-- First red since run 2 -->\nSomething went wrong", "alice");
        let issue = world.issues(TOOLS).pop().expect("it was opened above");
        let missing = ["where it failed", "since when", "why", "what changed"];
        assert_eq!(unexplained(&issue), missing.map(|of| format!("{TOOLS}#1 does not explain {of}")));
    }

    #[test]
    fn a_page_that_cannot_be_written_is_refused_and_nothing_is_written_yet() {
        let folder = tempfile::tempdir().expect("a folder");
        let page = folder.path().join("new").join("ticket.html");
        assert!(Page::at(page.clone()).is_ok() && !page.exists());
        assert!(matches!(Page::at(folder.path().to_owned()), Err(EndingError::Folder(_))));
        assert!(matches!(Page::at("/dev/null/ticket.html".into()), Err(EndingError::Page { .. })));
    }
}
