//! Text from people, events and targets, made safe for the place where it lands.
//!
//! Inline Markdown stays. What would break a table, hide or load something, or ping somebody is
//! defused with a zero-width space, which shows the same text in prose and in code spans alike
//! (an HTML entity or a backslash would show in a code span).

use url::Url;

/// The most that GitHub stores in a body, one less than its limit: an over-long *issue body* may be
/// answered with success and dropped.
pub const BODY_LIMIT: usize = 65_535;

/// A message in a record is cut at this length, so that a record of many stages fits a comment.
pub const MESSAGE_LIMIT: usize = 4_000;

const ZERO_WIDTH_SPACE: char = '\u{200b}';

/// The length by which GitHub's limit is kept: UTF-16 units, never fewer than characters.
#[must_use]
pub fn length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Cuts `text` to at most `limit` characters, with a word that says so.
#[must_use]
pub fn cut(text: &str, limit: usize) -> String {
    const WORD: &str = "… (cut)";
    if length(text) <= limit {
        return text.to_owned();
    }
    let room = limit.saturating_sub(length(WORD));
    let mut used = 0;
    let kept: String = text
        .chars()
        .take_while(|c| {
            used += c.len_utf16();
            used <= room
        })
        .collect();
    kept + WORD
}

/// The first line that says something.
#[must_use]
pub fn first_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

/// One line of Markdown that can neither hide, load nor ping anything.
#[must_use]
pub fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let spaced = text.trim().chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    let mut chars = spaced.filter(|c| !c.is_control() && !is_bidi_control(*c)).peekable();
    let mut before = None;
    while let Some(c) = chars.next() {
        out.push(c);
        let breaks = match (c, chars.peek()) {
            // A tag, a comment, a declaration.
            ('<', Some(next)) => next.is_ascii_alphabetic() || "/!?".contains(*next),
            // An entity, which could spell any of the others.
            ('&', Some(next)) => next.is_ascii_alphabetic() || *next == '#',
            ('!', Some(next)) => *next == '[',
            // GitHub takes no mention right behind a letter or digit, as in an e-mail address.
            ('@', Some(next)) => {
                !next.is_whitespace() && !before.is_some_and(|b: char| b.is_ascii_alphanumeric())
            }
            _ => false,
        };
        if breaks {
            out.push(ZERO_WIDTH_SPACE);
        }
        before = Some(c);
    }
    out
}

/// Markdown that is safe already ([`inline`]), for a cell of a table.
///
/// Within a table a backslash hides a pipe even in a code span, and a second backslash undoes that
/// ([GFM, tables](https://github.github.com/gfm/#tables-extension-)); so exactly one is left.
#[must_use]
pub fn in_cell(markdown: &str) -> String {
    let mut out = String::with_capacity(markdown.len());
    for (index, part) in markdown.split('|').enumerate() {
        if index > 0 {
            out.truncate(out.trim_end_matches('\\').len());
            out.push_str("\\|");
        }
        out.push_str(part);
    }
    // A backslash at the end would hide the pipe that ends the cell.
    if out.ends_with('\\') {
        out.push(ZERO_WIDTH_SPACE);
    }
    out
}

/// Lines of Markdown inside a block quote, where no fence, list or heading can reach what follows.
#[must_use]
pub fn quote(text: &str) -> String {
    let lines: Vec<String> =
        text.lines().map(|line| format!("> {}", inline(line)).trim_end().to_owned()).collect();
    lines.join("\n")
}

/// A code span that shows `text` as it is, on one line.
#[must_use]
pub fn code(text: &str) -> String {
    let text: String = text.chars().map(|c| if c == '`' { '\'' } else { c }).collect();
    format!("`{}`", inline(if text.trim().is_empty() { "-" } else { &text }))
}

/// The title of an issue: one line of plain text.
#[must_use]
pub fn title(text: &str) -> String {
    cut(&inline(text), 250)
}

/// A link, `[text](url)`; only the text where the URL is not one of the web.
#[must_use]
pub fn link(text: &str, url: &str) -> String {
    match web_url(url) {
        Some(url) => format!("[{}]({url})", text.replace(['[', ']'], "")),
        None => text.to_owned(),
    }
}

/// `text` as the destination of a link, if it is a URL of the web that a person could follow.
#[must_use]
pub fn web_url(text: &str) -> Option<String> {
    let url = Url::parse(text.trim()).ok()?;
    let web =
        matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    let escape = |c: char| match c {
        '(' => "%28".to_owned(),
        ')' => "%29".to_owned(),
        '|' => "%7C".to_owned(),
        '\\' => "%5C".to_owned(),
        c => c.to_string(),
    };
    web.then(|| url.as_str().chars().map(escape).collect())
}

/// Marks that change the direction of the text around them, and so what it seems to say.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn inline_markdown_stays() {
        for text in ["**bold** `a < b` [x](https://a.example)", "1 < 2 & 3 > 2", "mail me@a.example", "Done!"]
        {
            assert_eq!(inline(text), text);
        }
    }

    #[test]
    fn what_would_hide_load_or_ping_is_defused() {
        for (text, expected) in [
            ("<b>hi</b>", "<\u{200b}b>hi<\u{200b}/b>"),
            ("<!-- gone", "<\u{200b}!-- gone"),
            ("![x](https://a.example/x.png)", "!\u{200b}[x](https://a.example/x.png)"),
            ("@alice and _@acme/team_", "@\u{200b}alice and _@\u{200b}acme/team_"),
            ("&#64;alice", "&\u{200b}#64;alice"),
            ("one\r\ntwo", "one  two"),
            ("a\u{202e}b\u{7}c", "abc"),
            ("!\u{200e}[x](https://a.example/x.png)", "!\u{200b}[x](https://a.example/x.png)"),
            ("<\u{200e}!-- gone", "<\u{200b}!-- gone"),
            ("&\u{7}#64;alice", "&\u{200b}#64;alice"),
        ] {
            assert_eq!(inline(text), expected);
        }
    }

    #[test]
    fn a_pipe_never_ends_a_cell() {
        for (text, expected) in
            [("a|b", "a\\|b"), ("a\\|b", "a\\|b"), ("a\\\\|b", "a\\|b"), ("end\\", "end\\\u{200b}")]
        {
            assert_eq!(in_cell(&inline(text)), expected);
        }
    }

    #[test]
    fn a_link_leads_to_the_web_or_nowhere() {
        assert_eq!(link("x", "https://a.example/(1)|2"), "[x](https://a.example/%281%29%7C2)");
        for url in ["javascript:alert(1)", "data:text/html,x", "not a url", "https://user:pw@a.example/", ""]
        {
            assert_eq!(link("x", url), "x", "{url}");
        }
    }

    #[test]
    fn a_cut_says_so_and_keeps_the_limit() {
        assert_eq!(cut("short", 10), "short");
        assert_eq!(cut("a rather long text", 12), "a rat… (cut)");
        assert!(length(&cut(&"🚀".repeat(100), 50)) <= 50);
    }

    proptest! {
        #[test]
        fn a_cell_is_one_line_without_live_html_or_mentions(text in any::<String>()) {
            let cell = in_cell(&inline(&text));
            prop_assert!(!cell.contains(['\n', '\r']));
            prop_assert!(!cell.contains("<!--") && !cell.contains("!["));
            for (at, _) in cell.match_indices('|') {
                prop_assert!(cell[..at].ends_with('\\') && !cell[..at].ends_with("\\\\"));
            }
        }
    }
}
