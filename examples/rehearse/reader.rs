//! The reader of GitHub's pages: the ticket's records, and lines of Markdown without their marks.

use release_ticket_action::names::CommentId;
use release_ticket_action::ticket::{Comment, Log};
use simulated_github::Issue;

use crate::setting::HUB;

/// The ticket's log, read as the action reads it. The world is served at `url`.
pub(crate) fn log_of(ticket: &Issue, url: &str) -> Log {
    let mut log = Log::default();
    log.extend(ticket.comments.iter().map(|comment| Comment {
        id: CommentId(comment.id),
        author: Some(comment.author.clone()),
        is_trusted: comment.author.ends_with("[bot]")
            || ["OWNER", "MEMBER", "COLLABORATOR"].contains(&comment.association.as_str()),
        body: comment.body.clone(),
        created_at: comment.created_at,
        updated_at: comment.updated_at,
        url: format!("{url}/{HUB}/issues/{}#issuecomment-{}", ticket.number, comment.id),
    }));
    log
}

/// The blocker of a board that names the step at which `target` failed, without the link at its end.
pub(crate) fn failed_step(board: &str, target: &str) -> Option<String> {
    let mut blockers = board.lines().filter_map(|line| line.strip_prefix("> - ")).map(plain);
    let failure = format!("{target} failed at ");
    let blocker = blockers.find(|blocker| blocker.starts_with(&failure) && blocker.contains(": step "))?;
    Some(blocker.rsplit_once(" · ").map_or(blocker.as_str(), |(before, _)| before).to_owned())
}

/// A line of Markdown as text: links without their addresses, and nothing bold.
pub(crate) fn plain(line: &str) -> String {
    let mut parts = line.split("](");
    let first = parts.next().unwrap_or_default();
    let others = parts.map(|part| part.split_once(')').map_or("", |(_, text)| text));
    let text: String = std::iter::once(first).chain(others).collect();
    text.replace("**", "").replace(['[', '\u{200b}'], "").replace('\u{a0}', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_named_by_the_blocker_of_its_target_alone() {
        let board = "# Release\n> [!CAUTION]\n> - **web** failed at `publish`: step 3, Upload · [failed\u{a0}job](https://github.com/1)\n\
                     > - **api** failed at `build` · [run](https://github.com/2)\n**cli** failed at `a`: step 1, B\n";
        let step = Some("web failed at `publish`: step 3, Upload".to_owned());
        assert_eq!(failed_step(board, "web"), step);
        assert_eq!((failed_step(board, "api"), failed_step(board, "cli")), (None, None));
    }
}
