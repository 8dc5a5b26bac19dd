//! The explanation of a failed run in a notice: excerpts of its failed jobs, the first red run, and the changes since.
//!
//! No record keeps it, as no decision rests on it: the comment shows the text that its writer read.

use super::text;

/// The most characters of an explanation.
const LIMIT: usize = 4_000;

/// The most characters of a line of an excerpt. The error of a log and the two lines after it always fit.
const LINE_LIMIT: usize = 200;

/// The most characters of a name, of a subject and of an author.
const NAME_LIMIT: usize = 80;
const SUBJECT_LIMIT: usize = 72;
const AUTHOR_LIMIT: usize = 30;

/// The reasons that GitHub shows for the failure of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Excerpts of the failed jobs.
    pub excerpts: Vec<Excerpt>,
    /// The first run since which the workflow fails, in Markdown.
    pub history: Option<String>,
    /// The commits since its last success.
    pub changes: Option<Changes>,
    /// Reasons why parts are missing, in Markdown.
    pub remarks: Vec<String>,
    /// Whether parts are withheld, because readers of the notice may not read the log.
    pub is_withheld: bool,
}

/// An excerpt of a failed job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The job's name.
    pub job: String,
    /// The source of the lines.
    pub source: Source,
    /// The lines. In a log the last ones matter most, in annotations the first ones.
    pub lines: Vec<String>,
    /// The line with the error.
    pub error: Option<String>,
}

/// The source of an excerpt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The job's annotations.
    Annotations,
    /// The job's log.
    Log,
}

/// The changes between two commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The run that they are compared with, in Markdown.
    pub since: String,
    /// The comparison in the browser.
    pub url: String,
    /// The number of commits.
    pub total: usize,
    /// The newest commits, newest first: the subject and the author. Empty if there are very many.
    pub commits: Vec<(String, Option<String>)>,
}

impl Explanation {
    /// The line with the error of this job.
    #[must_use]
    pub fn error_of(&self, job: &str) -> Option<&str> {
        self.excerpts.iter().find(|excerpt| excerpt.job == job)?.error.as_deref()
    }

    /// The explanation as Markdown, in which no text of others is live.
    #[must_use]
    pub fn render(&self) -> String {
        let changes = self.changes.as_ref().map(Changes::render);
        let after: Vec<String> = changes.into_iter().chain(self.remarks.iter().cloned()).collect();
        let mut parts: Vec<String> = self.history.iter().map(|line| format!("📈 {line}")).collect();
        let length: usize = parts.iter().chain(&after).map(|part| text::length(part) + 2).sum();
        let mut room = LIMIT.saturating_sub(length);
        for (index, excerpt) in self.excerpts.iter().enumerate() {
            let share = room / (self.excerpts.len() - index);
            let Some(part) = excerpt.render(share.saturating_sub(2)) else { continue };
            room -= text::length(&part) + 2;
            parts.push(part);
        }
        parts.extend(after);
        parts.join("\n\n")
    }
}

impl Excerpt {
    /// A folded block of at most `room` characters; `None` if not even a line fits.
    fn render(&self, room: usize) -> Option<String> {
        let job = text::inline(&text::cut_name(&self.job, NAME_LIMIT));
        let title = match self.source {
            Source::Annotations => "its annotations",
            Source::Log => "the last error in its log",
        };
        let mut lines: Vec<String> = self.lines.iter().map(|line| text::cut_name(line, LINE_LIMIT)).collect();
        while !lines.is_empty() {
            let block = fold(&format!("🔎 <b>{job}</b>: {title}"), &code_block(&lines));
            if text::length(&block) <= room {
                return Some(block);
            }
            match self.source {
                Source::Annotations => lines.pop(),
                Source::Log => Some(lines.remove(0)),
            };
        }
        None
    }
}

impl Changes {
    fn render(&self) -> String {
        let Self { since, url, total, commits } = self;
        if *total == 0 {
            return format!("No commits since {since}, which succeeded.");
        }
        let noun = if *total == 1 { "commit" } else { "commits" };
        let compare = text::foreign_link(&format!("{total} {noun}"), url);
        let line = format!("{compare} since {since}, which succeeded.");
        let lines = commits.iter().map(|(subject, author)| {
            let subject = text::inline(&text::cut(subject, SUBJECT_LIMIT));
            let author = author.as_deref().map(|author| text::cut(&author.replace('@', ""), AUTHOR_LIMIT));
            let author = author.map(|author| format!(" ({})", text::inline(&author))).unwrap_or_default();
            format!("- {}{author}", as_text(&subject))
        });
        let lines: Vec<String> = lines.collect();
        match lines.len() {
            0 => line,
            count if count < *total => {
                format!("{line} The newest:\n\n{}", lines.join("\n"))
            }
            _ => format!("{line}\n\n{}", lines.join("\n")),
        }
    }
}

/// A subject as plain text: its author chose the links in it.
fn as_text(subject: &str) -> String {
    subject.replace('\\', "\\\\").replace('[', "\\[")
}

fn fold(summary: &str, content: &str) -> String {
    format!("<details><summary>{summary}</summary>\n\n{content}\n\n</details>")
}

/// A block of code whose fence is longer than any in it.
fn code_block(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| text::visible_text(line)).collect();
    let longest = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max();
    let fence = "`".repeat(longest.unwrap_or_default().max(2) + 1);
    format!("{fence}text\n{}\n{fence}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_line() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            prop::sample::select(vec![
                "`",
                "````",
                "</details>",
                "<b>",
                "@bob ",
                "#12",
                "~~~",
                "[x](",
                "🚀",
                "\n",
                "\r",
                "\t"
            ])
            .prop_map(str::to_owned),
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    fn any_excerpt() -> impl Strategy<Value = Excerpt> {
        let source = prop::sample::select(vec![Source::Annotations, Source::Log]);
        let lines = prop::collection::vec(any_line(), 1..12);
        (any_line(), source, lines).prop_map(|(job, source, lines)| Excerpt {
            job,
            source,
            lines,
            error: None,
        })
    }

    fn any_explanation() -> impl Strategy<Value = Explanation> {
        let commits = prop::collection::vec((any_line(), prop::option::of(any_line())), 0..5);
        let changes = (commits, 0..9usize).prop_map(|(commits, more)| Changes {
            since: "run 7".to_owned(),
            url: "https://github.com/acme/web/compare/a...b".to_owned(),
            total: commits.len() + more,
            commits,
        });
        let excerpts = prop::collection::vec(any_excerpt(), 0..=3);
        (excerpts, prop::option::of(changes)).prop_map(|(excerpts, changes)| Explanation {
            excerpts,
            changes,
            history: Some("First red: the 3 runs before it were green.".to_owned()),
            ..Explanation::default()
        })
    }

    /// The text without its blocks of code; asserts that each block ends.
    fn outside(text: &str) -> String {
        let (mut out, mut fence) = (String::new(), None);
        for line in text.split('\n') {
            let marks = line.len() - line.trim_start_matches('`').len();
            match fence {
                None if marks >= 3 => fence = Some(marks),
                None => out += &format!("{line}\n"),
                Some(open) if marks >= open && line.trim_matches('`').trim().is_empty() => fence = None,
                Some(_) => {}
            }
        }
        assert_eq!(fence, None, "{text}");
        out
    }

    proptest! {
        #[test]
        fn an_explanation_is_bounded_and_its_excerpts_stay_in_their_blocks(explanation in any_explanation()) {
            let text = explanation.render();
            prop_assert!(text::length(&text) <= LIMIT, "{}", text::length(&text));
            let outside = outside(&text);
            let blocks = outside.matches("<details><summary>").count();
            prop_assert!(blocks <= explanation.excerpts.len());
            prop_assert_eq!(outside.matches("</details>").count(), blocks, "{}", outside);
            let tags = outside.replace("<details><summary>", "").replace("</details>", "").replace("</summary>", "");
            let tags = tags.replace("<b>", "").replace("</b>", "");
            prop_assert!(!tags.contains("<b") && !tags.contains("</"), "{}", tags);
            let is_mention = |(at, _): (usize, &str)| !tags[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
            prop_assert!(!tags.match_indices("@b").any(is_mention) && !tags.contains("#1"), "{}", tags);
        }
    }

    #[test]
    fn the_error_of_a_log_stays_when_there_is_little_room() {
        let long = |mark: &str| format!("{mark} {}", "`".repeat(300));
        let lines =
            (0..20).map(|n| long(&n.to_string())).chain([long("Error: it broke"), long("a"), long("b")]);
        let excerpt =
            Excerpt { job: "j".repeat(300), source: Source::Log, lines: lines.collect(), error: None };
        let three = Explanation { excerpts: vec![excerpt; 3], ..Explanation::default() };
        assert_eq!(three.render().matches("Error: it broke").count(), 3, "{}", three.render());
    }

    #[test]
    fn the_same_commit_is_no_change() {
        let changes = |total, subjects: &[&str]| {
            let commits = subjects.iter().map(|subject| ((*subject).to_owned(), Some("@Dana".to_owned())));
            let (url, since) = ("https://github.com/acme/web/compare/a...b".to_owned(), "run 7".to_owned());
            Changes { since, url, total, commits: commits.collect() }.render()
        };
        assert_eq!(changes(0, &[]), "No commits since run 7, which succeeded.");
        let link = "](https://github.com/acme/web/compare/a...b) since run 7, which succeeded.";
        assert_eq!(changes(1, &["Fix #1"]), format!("[1 commit{link}\n\n- Fix #\u{200b}1 (Dana)"));
        assert_eq!(changes(6, &["Fix"]), format!("[6 commits{link} The newest:\n\n- Fix (Dana)"));
        assert_eq!(changes(60, &[]), format!("[60 commits{link}"));
    }
}
