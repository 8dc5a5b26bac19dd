//! Excerpts from a job's log or annotations.

use crate::github::checks::Annotation;
use crate::github::joblog::LogEnd;
use crate::ticket::text;

/// The most lines of a log that are shown before its last error, and behind it.
const BEFORE: usize = 17;
const BEHIND: usize = 2;

/// The most lines of annotations that are shown, in all and of each.
const MOST_LINES: usize = 20;
const LINES_EACH: usize = 6;

/// How the runner marks an error in a log.
const ERROR: &str = "##[error]";

/// The runner's own line on a failed command, which does not say why.
const EXIT_CODE: &str = "Process completed with exit code";

/// The most characters of the error line.
const ERROR_LIMIT: usize = 160;

/// Lines to quote, and the one of them that says most.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Quote {
    pub(super) lines: Vec<String>,
    pub(super) error: Option<String>,
}

/// The annotations of failures; `None` if none of them says why.
pub(super) fn of_annotations(annotations: &[Annotation]) -> Option<Quote> {
    let failures = annotations.iter().filter(|annotation| annotation.is_failure());
    let mut lines: Vec<String> = Vec::new();
    let mut error = None;
    for annotation in failures {
        let message = annotation.message.as_deref().unwrap_or_default();
        let title = annotation.title.as_deref().filter(|title| !title.trim().is_empty());
        if message.starts_with(EXIT_CODE) || message.trim().is_empty() && title.is_none() {
            continue;
        }
        let title = title.map(|title| format!("{title}: ")).unwrap_or_default();
        let place = match annotation.path.as_str() {
            "" | ".github" => String::new(),
            path => format!("{path}:{}: ", annotation.start_line),
        };
        let text = format!("{place}{title}{message}");
        let mut text = text.lines().map(clean).filter(|line| !line.trim().is_empty()).take(LINES_EACH);
        let Some(first) = text.next() else { continue };
        error.get_or_insert_with(|| text::cut(&first, ERROR_LIMIT));
        lines.push(first);
        lines.extend(text);
    }
    lines.truncate(MOST_LINES);
    (!lines.is_empty()).then_some(Quote { lines, error })
}

/// The lines around the last error of a log; `None` if none of them says why.
pub(super) fn of_log(log: &LogEnd) -> Option<Quote> {
    let lines: Vec<String> = log.text.lines().skip(usize::from(log.is_cut)).map(line_of_log).collect();
    let last = lines.iter().rposition(|line| !line.is_empty())?;
    let error = lines.iter().rposition(|line| line.starts_with(ERROR));
    let at = error.unwrap_or(last);
    let from = at.saturating_sub(BEFORE).max(begin_of_step(&lines[..at]));
    let is_of_step = |line: &&String| !line.starts_with("##[group]") && !line.starts_with("Post job cleanup");
    let behind = lines[at + 1..].iter().take(BEHIND).take_while(is_of_step);
    let excerpt = lines[from..=at].iter().chain(behind).filter(|line| is_of_excerpt(line));
    let excerpt: Vec<String> = excerpt.map(|line| without_mark(line)).collect();
    let says_why = |line: &&String| !line.contains(EXIT_CODE) && !line.trim().is_empty();
    if !excerpt.iter().any(|line| says_why(&line)) {
        return None;
    }
    let marked_line = lines[from..=at].iter().rfind(|line| line.starts_with(ERROR) && says_why(line));
    let before = || excerpt.iter().take(at - from + 1).filter(says_why);
    let alike = || before().rfind(|line| line.to_lowercase().contains("error"));
    let error = marked_line.map(|line| line[ERROR.len()..].to_owned());
    let error = error.or_else(|| alike().or_else(|| before().next_back()).cloned());
    let error = error.map(|error| text::cut(error.trim(), ERROR_LIMIT));
    Some(Quote { lines: excerpt, error })
}

/// The first line that the last command of these has written: before it the runner names the command and its environment.
fn begin_of_step(lines: &[String]) -> usize {
    let Some(group) = lines.iter().rposition(|line| line.starts_with("##[group]Run ")) else { return 0 };
    let end = lines[group..].iter().position(|line| line.starts_with("##[endgroup]"));
    end.map_or(group, |end| group + end + 1)
}

/// Whether a line is shown: not if it only structures the log, nor if it has a value to hide.
fn is_of_excerpt(line: &str) -> bool {
    let is_structure = line.starts_with("##[endgroup]") || line.starts_with("##[debug]");
    !is_structure && !line.contains("::add-mask::") && !line.contains("##[add-mask]") && !line.is_empty()
}

/// A line with the runner's mark in words.
fn without_mark(line: &str) -> String {
    let mark = line.strip_prefix("##[").and_then(|rest| rest.split_once(']'));
    match mark {
        Some(("error", rest)) => format!("Error: {rest}"),
        Some(("warning", rest)) => format!("Warning: {rest}"),
        Some(("group" | "command" | "section" | "notice", rest)) => rest.to_owned(),
        _ => line.to_owned(),
    }
}

/// A line without the time at its beginning.
fn line_of_log(line: &str) -> String {
    let line = line.trim_start_matches('\u{feff}');
    let is_time = |word: &str| {
        word.len() >= 20 && word.ends_with('Z') && word.bytes().all(|b| b"0123456789-:.TZ".contains(&b))
    };
    clean(line.split_once(' ').filter(|(word, _)| is_time(word)).map_or(line, |(_, rest)| rest))
}

/// The text of a line that a terminal shows in the end: text behind a carriage return replaces the text before it.
fn clean(line: &str) -> String {
    let line = line.rsplit('\r').find(|part| !part.trim().is_empty()).unwrap_or_default();
    text::visible_text(&without_codes(line)).trim_end().to_owned()
}

/// A line without the codes that move a terminal's cursor or change its colours
/// ([ECMA-48](https://ecma-international.org/publications-and-standards/standards/ecma-48/)).
fn without_codes(line: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(line.len()), line.chars());
    while let Some(c) = rest.next() {
        let kind = match c {
            '\u{1b}' => rest.next(),
            '\u{9b}' => Some('['),
            '\u{9d}' => Some(']'),
            c => {
                out.push(c);
                continue;
            }
        };
        match kind {
            // Parameters, then a letter.
            Some('[') => drop(rest.find(|c| ('\u{40}'..='\u{7e}').contains(c))),
            // A text, such as the address of a link, up to a bell or to a backslash behind an escape.
            Some(']' | 'P' | '_' | '^') => {
                while let Some(c) = rest.next() {
                    if matches!(c, '\u{7}' | '\u{9c}') || c == '\u{1b}' && rest.next().is_some() {
                        break;
                    }
                }
            }
            // The choice of a set of characters.
            Some('(' | ')') => drop(rest.next()),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: &str) -> Option<Quote> {
        of_log(&LogEnd { text: text.to_owned(), is_cut: false })
    }

    fn lines(text: &str) -> Vec<String> {
        log(text).map(|quote| quote.lines).unwrap_or_default()
    }

    fn error(text: &str) -> Option<String> {
        log(text)?.error
    }

    #[test]
    fn a_log_is_shown_around_its_last_error_and_without_what_frames_it() {
        let text = "\u{feff}2026-11-29T07:00:00.0000000Z ##[group]Run cargo test\n\
            2026-11-29T07:00:00.1000000Z \u{1b}[36;1mcargo test\u{1b}[0m\n\
            2026-11-29T07:00:00.1100000Z env:\n\
            2026-11-29T07:00:00.1200000Z   TOKEN: ***\n\
            2026-11-29T07:00:00.2000000Z ##[endgroup]\n\
            2026-11-29T07:00:01.0000000Z test adds ... \u{1b}[31mFAILED\u{1b}[0m\n\
            2026-11-29T07:00:01.1000000Z \n\
            2026-11-29T07:00:01.2000000Z error: test failed\n\
            2026-11-29T07:00:01.3000000Z note: run with a backtrace\n\
            2026-11-29T07:00:01.4000000Z ##[error]Process completed with exit code 101.\n\
            2026-11-29T07:00:02.0000000Z Post job cleanup.\n\
            2026-11-29T07:00:02.1000000Z [command]/usr/bin/git version\n";
        let expected = [
            "test adds ... FAILED",
            "error: test failed",
            "note: run with a backtrace",
            "Error: Process completed with exit code 101.",
        ];
        assert_eq!(lines(text), expected);
        assert_eq!(error(text).as_deref(), Some("error: test failed"));
    }

    #[test]
    fn the_error_that_stands_for_a_job_says_why() {
        for (text, expected) in [
            (
                "one\n##[error]Cannot find `x`\n##[error]Process completed with exit code 1.",
                Some("Cannot find `x`"),
            ),
            ("one\ntwo\n##[error]Process completed with exit code 1.", Some("two")),
            ("an Error here\ntwo\n##[error]Process completed with exit code 1.", Some("an Error here")),
            ("one\ntwo", Some("two")),
            (
                "##[group]Run exit 1\nshell: bash\n##[endgroup]\n##[error]Process completed with exit code 1.",
                None,
            ),
            ("##[error]The operation was canceled.\nPost job cleanup.", Some("The operation was canceled.")),
            ("", None),
            ("\n \r\n\u{1b}[0m\n", None),
        ] {
            assert_eq!(error(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_terminal_shows_neither_codes_nor_what_was_written_over() {
        for (line, expected) in [
            ("10 %\r50 %\r100 %", "100 %"),
            ("100 %\r", "100 %"),
            ("\u{1b}[1;31mred\u{1b}[0m \u{1b}[2Kthen", "red then"),
            ("\u{9b}31mred", "red"),
            ("\u{1b}]8;;https://evil.example\u{7}link\u{1b}]8;;\u{1b}\\ end", "link end"),
            ("\u{1b}(Bplain\u{1b}7", "plain"),
            ("never ends \u{1b}[12;", "never ends"),
            ("a\u{8}\u{0}b\u{202e}c\u{200b}\u{2066}d\te", "abcd    e"),
        ] {
            assert_eq!(clean(line), expected, "{line:?}");
        }
    }

    #[test]
    fn a_value_that_is_to_be_hidden_is_not_shown() {
        let text = "one\n::add-mask::hunter2\n  ::add-mask::hunter3\n##[add-mask]hunter4\n##[error]It broke";
        assert_eq!(lines(text), ["one", "Error: It broke"]);
    }

    #[test]
    fn of_a_long_log_no_more_than_twenty_lines_are_shown() {
        let text: String = (0..9_000).map(|n| format!("line {n}\n")).collect();
        assert_eq!(lines(&text).len(), BEFORE + 1);
        let text = format!("{text}##[error]It broke\none\ntwo\nthree\n");
        let lines = lines(&text);
        assert_eq!((lines.len(), lines[BEFORE].as_str()), (BEFORE + 1 + BEHIND, "Error: It broke"));
    }

    #[test]
    fn the_first_line_of_a_log_that_is_cut_is_left_out() {
        let log = LogEnd { text: "f a line\nwhole".to_owned(), is_cut: true };
        assert_eq!(of_log(&log).map(|quote| quote.lines), Some(vec!["whole".to_owned()]));
    }

    #[test]
    fn annotations_say_where_and_what_and_not_that_a_process_has_ended() {
        let annotations: Vec<Annotation> = serde_json::from_str(
            r#"[
                {"path": ".github", "start_line": 9, "annotation_level": "failure", "message": "Process completed with exit code 1."},
                {"path": "src/a.rs", "start_line": 3, "annotation_level": "failure", "title": "E0308", "message": "mismatched types\nexpected `u8`"},
                {"path": ".github", "start_line": 1, "annotation_level": "warning", "message": "old node"},
                {"path": ".github", "start_line": 1, "annotation_level": "failure", "title": null, "message": null}
            ]"#,
        )
        .expect("annotations");
        let quote = of_annotations(&annotations).expect("an annotation");
        assert_eq!(quote.lines, ["src/a.rs:3: E0308: mismatched types", "expected `u8`"]);
        assert_eq!(quote.error.as_deref(), Some("src/a.rs:3: E0308: mismatched types"));
        assert_eq!(of_annotations(&annotations[..1]), None);
    }
}
