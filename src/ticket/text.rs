//! Text from people, events and targets, made safe for its place in a comment.
//!
//! Inline Markdown stays. A zero-width space breaks all that would end a table, hide or load something, mention people, or
//! refer to an issue: the text looks the same in prose and in code spans (an HTML entity or a backslash would be visible in
//! a code span). A link to an issue still leads there.

use url::Url;

use crate::names::RepoName;
use crate::problem::whole_words;

/// The most characters of a body, one less than GitHub's limit: GitHub may answer an *issue body* that is too long with
/// success, and drop it.
pub const BODY_LIMIT: usize = 65_535;

/// The most characters of a message in a record, so that a record of many stages fits a comment.
pub const MESSAGE_LIMIT: usize = 4_000;

const ZERO_WIDTH_SPACE: char = '\u{200b}';

/// The length in UTF-16 units, never fewer than GitHub's characters.
#[must_use]
pub fn length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// A number for people: `12,000`.
#[must_use]
pub fn thousands(number: usize) -> String {
    let digits: Vec<char> = number.to_string().chars().collect();
    let groups = digits.rchunks(3).rev().map(|group| group.iter().collect::<String>());
    groups.collect::<Vec<_>>().join(",")
}

/// Cuts `text` to at most `limit` characters, including a mark of the cut.
#[must_use]
pub fn cut(text: &str, limit: usize) -> String {
    if length(text) <= limit {
        return text.to_owned();
    }
    format!("{}{CUT}", whole_words(beginning(text, limit)))
}

/// Cuts a name to at most `limit` characters: the cut depends on the length alone, not on spaces in the name.
#[must_use]
pub fn cut_name(name: &str, limit: usize) -> String {
    if length(name) <= limit { name.to_owned() } else { format!("{}{CUT}", beginning(name, limit)) }
}

const CUT: &str = "… (cut)";

/// The beginning of `text` that leaves room for the mark of the cut.
fn beginning(text: &str, limit: usize) -> &str {
    let room = limit.saturating_sub(length(CUT));
    let mut length = 0;
    let end = text.char_indices().find(|(_, c)| {
        length += c.len_utf16();
        length > room
    });
    end.map_or(text, |(end, _)| &text[..end])
}

/// The first line that is not blank, without spaces around it.
#[must_use]
pub fn first_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

/// One line of Markdown that can neither hide or load anything, nor mention people.
///
/// It refers to no issue either: GitHub would note in the issue that it was
/// [mentioned](https://docs.github.com/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls),
/// or [close](https://docs.github.com/issues/tracking-your-work-with-issues/using-issues/linking-a-pull-request-to-an-issue)
/// it.
#[must_use]
pub fn inline(text: &str) -> String {
    let chars = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    let line: String = chars.filter(|c| !c.is_control() && !is_bidi_control(*c)).collect();
    let line = line.trim();
    let mut out = String::with_capacity(line.len() + 8);
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let length = if let Some(path) = issue_path(&out, rest) {
            out += &format!("https://{WITHOUT_REFERENCES}{path}");
            rest.find(path).unwrap_or_default() + path.len()
        } else if let Some(id) = commit_id(&out, rest) {
            out += &in_pieces(id);
            id.len()
        } else {
            let means_more = means_more(&out, c, &rest[c.len_utf8()..]);
            out.push(c);
            out.extend(means_more.then_some(ZERO_WIDTH_SPACE));
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    out
}

/// Whether `c` has a meaning for GitHub between these texts.
fn means_more(before: &str, c: char, after: &str) -> bool {
    let Some(next) = after.chars().next() else { return false };
    // A backslash is invisible: `GH\-12`.
    let before_escape = before.strip_suffix('\\').unwrap_or(before);
    match c {
        // A tag, a comment, a declaration.
        '<' => next.is_ascii_alphabetic() || "/!?".contains(next),
        // An entity, which could spell any of the others.
        '&' => {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '#');
            end.is_some_and(|end| end > 0 && after[end..].starts_with(';'))
        }
        '!' => next == '[',
        // GitHub sees no mention right behind a letter or digit, as in an e-mail address.
        '@' => {
            !next.is_whitespace()
                && next != ZERO_WIDTH_SPACE
                && !before.ends_with(|c: char| c.is_ascii_alphanumeric())
        }
        // `#12`, `acme/web#12`.
        '#' => next.is_ascii_digit(),
        // `GH-12`.
        '-' => next.is_ascii_digit() && ends_with_gh(before_escape),
        // An issue of any server, also without its host, as in `[it](/acme/web/issues/12)`.
        '/' => next.is_ascii_digit() && ISSUE_PATHS.iter().any(|kind| ends_with(before_escape, kind)),
        // An alert: `[!NOTE]`. A task: `[x] do it`.
        '[' => {
            next == '!' || TICKS.iter().any(|tick| after == *tick || after.starts_with(&format!("{tick} ")))
        }
        _ => false,
    }
}

const TICKS: [&str; 3] = [" ]", "x]", "X]"];

/// The part before the number in the path of an issue.
const ISSUE_PATHS: [&str; 4] = ["issues", "pull", "pulls", "discussions"];

/// A host of GitHub that redirects: a link to it is not a reference.
const WITHOUT_REFERENCES: &str = "redirect.github.com/";

/// The path, up to the number, of the issue whose URL on github.com is at the start of `text`.
fn issue_path<'t>(before: &str, text: &'t str) -> Option<&'t str> {
    if before.ends_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let address = strip_start(text, "https://").or_else(|| strip_start(text, "http://"))?;
    let hosts = ["github.com/", "www.github.com/", WITHOUT_REFERENCES];
    let path = hosts.into_iter().find_map(|host| strip_start(address, host))?;
    let mut parts = path.splitn(4, '/');
    let [owner, name, kind, number] = [(); 4].map(|()| parts.next().unwrap_or_default());
    let is_plain = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let is_issue = is_plain(owner)
        && is_plain(name)
        && ISSUE_PATHS.iter().any(|path| kind.eq_ignore_ascii_case(path))
        && number.starts_with(|c: char| c.is_ascii_digit());
    is_issue.then(|| &path[..path.len() - number.len()])
}

/// The commit at the start of `text`: for GitHub, 7 to 40 hexadecimal digits that are not a decimal number.
fn commit_id<'t>(before: &str, text: &'t str) -> Option<&'t str> {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || "-_./#=%+".contains(c);
    if before.ends_with(is_inside) {
        return None;
    }
    let end = text.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(text.len());
    let (id, after) = text.split_at(end);
    let is_number = id.len() < 40 && id.bytes().all(|b| b.is_ascii_digit());
    let continues = after.starts_with(|c: char| c.is_ascii_alphanumeric() || "-_".contains(c));
    ((7..=40).contains(&id.len()) && !is_number && !continues).then_some(id)
}

/// The id with zero-width spaces, in pieces too short for the id of a commit.
fn in_pieces(id: &str) -> String {
    let mut out = String::new();
    for (index, c) in id.chars().enumerate() {
        if index > 0 && index % 6 == 0 {
            out.push(ZERO_WIDTH_SPACE);
        }
        out.push(c);
    }
    out
}

fn ends_with_gh(text: &str) -> bool {
    ends_with(text, "gh") && !text[..text.len() - 2].ends_with(|c: char| c.is_ascii_alphanumeric())
}

fn ends_with(text: &str, end: &str) -> bool {
    let tail = text.len().checked_sub(end.len()).and_then(|from| text.get(from..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

fn strip_start<'t>(text: &'t str, start: &str) -> Option<&'t str> {
    let is_start = text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    is_start.then(|| &text[start.len()..])
}

/// Safe Markdown ([`inline`]) for a cell of a table.
///
/// In a table a backslash escapes a pipe even in a code span, and a second backslash cancels that
/// ([GFM, tables](https://github.github.com/gfm/#tables-extension-)), so each pipe gets exactly one.
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
    // A backslash at the end would escape the pipe that ends the cell.
    if out.ends_with('\\') {
        out.push(ZERO_WIDTH_SPACE);
    }
    out
}

/// Lines of Markdown, each as harmless as [`inline`], without headings, tables and alerts.
#[must_use]
pub fn lines(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let indent = &line[..line.len() - line.trim_start().len()];
        let indent: String = indent.chars().filter(|c| matches!(c, ' ' | '\t')).collect();
        format!("{indent}{}", flatten(&inline(line))).trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// [`lines`] inside a block quote, where no fence or list can affect the text after it.
#[must_use]
pub fn quote(text: &str) -> String {
    let lines = text.lines().map(|line| format!("> {}", flatten(&inline(line))).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// A line that makes neither itself nor the line before it a heading or a table.
fn flatten(line: &str) -> String {
    let text = line.trim_start_matches(|c: char| c.is_ascii_digit() || " >-+*.)".contains(c));
    let (containers, text) = line.split_at(line.len() - text.len());
    let is_heading = text.starts_with('#');
    // The rule below a heading, or below the head of a table.
    let is_rule = !line.is_empty() && line.chars().all(|c| "-=:|> ".contains(c));
    match (is_heading, is_rule) {
        (_, true) => {
            let text = line.trim_start_matches(['>', ' ']);
            format!("{}{ZERO_WIDTH_SPACE}{text}", &line[..line.len() - text.len()])
        }
        (true, false) => format!("{containers}{ZERO_WIDTH_SPACE}{text}"),
        (false, false) => line.to_owned(),
    }
}

/// A code span with `text` as it is, on one line.
#[must_use]
pub fn code(text: &str) -> String {
    let text: String = text.chars().map(|c| if c == '`' { '\'' } else { c }).collect();
    format!("`{}`", inline(if text.trim().is_empty() { "-" } else { &text }))
}

/// The visible characters of a line, with spaces in place of tabs.
#[must_use]
pub fn visible_text(line: &str) -> String {
    line.replace('\t', "    ").chars().filter(|c| !is_invisible(*c)).collect()
}

/// The name of a repository.
#[must_use]
pub fn repository(name: &RepoName) -> String {
    inline(&name.to_string())
}

/// The title of an issue: one line of plain text.
#[must_use]
pub fn title(text: &str) -> String {
    cut(&inline(text), 250)
}

/// A link to a URL from outside, which refers to no issue; only the text if it is not a URL of the web.
#[must_use]
pub fn foreign_link(text: &str, url: &str) -> String {
    match web_url(url) {
        Some(url) => link(text, &without_reference(&url)),
        None => text.to_owned(),
    }
}

/// A URL that leads to the same place, without being a reference to an issue for GitHub.
fn without_reference(url: &str) -> String {
    if let Some(path) = issue_path("", url) {
        let number = url.split_once(path).map_or("", |(_, number)| number);
        return format!("https://{WITHOUT_REFERENCES}{path}{number}");
    }
    let mut out = String::with_capacity(url.len());
    for c in url.chars() {
        let is_number =
            c.is_ascii_digit() && ISSUE_PATHS.iter().any(|kind| ends_with(&out, &format!("/{kind}/")));
        // Another server has no such host, so the digit is percent-encoded.
        out += &if is_number { format!("%3{c}") } else { c.to_string() };
    }
    out
}

/// A link, `[text](url)`; only the text if it is not a URL of the web.
#[must_use]
pub fn link(text: &str, url: &str) -> String {
    match web_url(url) {
        Some(url) => format!("[{}]({url})", text.replace(['[', ']'], "")),
        None => text.to_owned(),
    }
}

/// `text` as the destination of a link; `None` if it is not a URL of the web, or has a user name or password.
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
        // A code span that begins before the link would end in it, and the rest of the link would be text.
        '`' => "%60".to_owned(),
        '[' => "%5B".to_owned(),
        ']' => "%5D".to_owned(),
        '@' => "%40".to_owned(),
        c => c.to_string(),
    };
    web.then(|| url.as_str().chars().map(escape).collect())
}

/// Whether `c` is invisible, so that two different texts can look the same.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    let has_no_width = matches!(c, '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    c.is_control() || is_bidi_control(c) || has_no_width
}

/// Whether `c` changes the direction of the text around it, and so its apparent meaning.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_in_groups_of_three_digits() {
        for (number, expected) in [(0, "0"), (999, "999"), (8_000, "8,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), expected);
        }
    }
    use proptest::prelude::*;

    #[test]
    fn no_code_span_before_a_link_makes_a_mention_of_its_address() {
        let link = link("link", "https://a.example/@bob?`@alice#`@carol");
        assert_eq!(link, "[link](https://a.example/%40bob?%60%40alice#%60%40carol)");
    }

    #[test]
    fn inline_markdown_stays() {
        for text in [
            "**bold** `a < b` [x](https://a.example)",
            "1 < 2 & 3 > 2",
            "mail me@a.example",
            "Done!",
            "v1.2.3 and 1.4.0-rc.1, run 7001234567, in 3 min",
            "[run 9](https://github.com/acme/web/actions/runs/9/job/12#step:3:1)",
            "[v1](https://github.com/acme/web/releases/tag/v1.2.3?a=1&b=2#notes)",
            "https://github.com/acme/web/commit/0123456789abcdef0123456789abcdef01234567",
            "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "550e8400-e29b-41d4-a716-446655440000",
            "C# 12, #release, issue 12, GH, decade",
            "- item, 1. item, [x], [x](https://a.example)",
        ] {
            assert_eq!(inline(text), text);
        }
    }

    #[test]
    fn what_github_would_link_to_an_issue_is_defused() {
        for (text, expected) in [
            ("fixes #1", "fixes #\u{200b}1"),
            ("Closes: acme/web#12, web#3", "Closes: acme/web#\u{200b}12, web#\u{200b}3"),
            ("GH-12 gh-3 high-5", "GH-\u{200b}12 gh-\u{200b}3 high-5"),
            (
                "resolves https://github.com/acme/web/issues/12",
                "resolves https://redirect.github.com/acme/web/issues/12",
            ),
            (
                "[x](HTTP://www.GitHub.com/a/b/PULL/7#discussion_r1)",
                "[x](https://redirect.github.com/a/b/PULL/7#discussion_r1)",
            ),
            ("https://ghe.example/a/b/issues/12", "https://ghe.example/a/b/issues/\u{200b}12"),
            ("https://github.com:443/a/b/issues/12", "https://github.com:443/a/b/issues/\u{200b}12"),
            ("GH\\-12", "GH\\-\u{200b}12"),
            (
                "[x](https\\://github.com/a/b/issues\\/12)",
                "[x](https\\://github.com/a/b/issues\\/\u{200b}12)",
            ),
            ("[x](/acme/web/pull/12)", "[x](/acme/web/pull/\u{200b}12)"),
            ("at 01a2b3c4d", "at 01a2b3\u{200b}c4d"),
            ("acme/web@0123abc", "acme/web@0123ab\u{200b}c"),
            ("[!CAUTION]", "[\u{200b}!CAUTION]"),
            ("- [ ] a", "- [\u{200b} ] a"),
            ("[x] a", "[\u{200b}x] a"),
        ] {
            assert_eq!(inline(text), expected);
        }
    }

    #[test]
    fn a_quote_holds_no_heading_table_or_alert() {
        for (text, expected) in [
            ("# Big\n- ## Big", "> \u{200b}# Big\n> - \u{200b}## Big"),
            ("Big\n===\n> Big\n> --", "> Big\n> \u{200b}===\n> > Big\n> > \u{200b}--"),
            ("a | b\n--|--", "> a | b\n> \u{200b}--|--"),
            ("[!WARNING]\n> [!NOTE]", "> [\u{200b}!WARNING]\n> > [\u{200b}!NOTE]"),
            ("- one\n\n`code`", "> - one\n>\n> `code`"),
        ] {
            assert_eq!(quote(text), expected);
        }
    }

    #[test]
    fn a_foreign_link_leads_to_an_issue_and_refers_to_none() {
        for (url, expected) in [
            ("https://github.com/acme/web/pull/12", "[x](https://redirect.github.com/acme/web/pull/12)"),
            ("https://ghe.example/acme/web/pull/12", "[x](https://ghe.example/acme/web/pull/%312)"),
            (
                "https://github.com/acme/web/actions/runs/9?a=1&b=2",
                "[x](https://github.com/acme/web/actions/runs/9?a=1&b=2)",
            ),
            ("https://a.example/?`](x)[", "[x](https://a.example/?%60%5D%28x%29%5B)"),
            ("javascript:alert(1)", "x"),
        ] {
            assert_eq!(foreign_link("x", url), expected);
        }
    }

    #[test]
    fn what_would_hide_load_or_ping_is_defused() {
        for (text, expected) in [
            ("<b>hi</b>", "<\u{200b}b>hi<\u{200b}/b>"),
            ("<!-- gone", "<\u{200b}!-- gone"),
            ("![x](https://a.example/x.png)", "!\u{200b}[x](https://a.example/x.png)"),
            ("@alice and _@acme/team_", "@\u{200b}alice and _@\u{200b}acme/team_"),
            ("&#64;alice", "&\u{200b}#\u{200b}64;alice"),
            ("&commat;alice", "&\u{200b}commat;alice"),
            ("one\r\ntwo", "one  two"),
            ("a\u{202e}b\u{7}c", "abc"),
            ("!\u{200e}[x](https://a.example/x.png)", "!\u{200b}[x](https://a.example/x.png)"),
            ("<\u{200e}!-- gone", "<\u{200b}!-- gone"),
            ("&\u{7}#64;alice", "&\u{200b}#\u{200b}64;alice"),
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

    /// Text from pieces of references, mentions and blocks.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            prop::sample::select(vec![
                "https://",
                "HTTP://",
                "github.com/",
                "www.",
                "redirect.",
                "acme/",
                "web/",
                "issues/",
                "pull/",
                "#",
                "GH-",
                "12",
                "fixes ",
                "@",
                "alice",
                "0123abcdef",
                "[!NOTE]",
                "[x] ",
                "- ",
                "> ",
                "# ",
                "|-|",
                "--",
                "&",
                "amp;",
                "<",
                "!",
                "[a](",
                ")",
                "`",
                " ",
                "\n",
                "\u{200b}",
                ":",
                "\\",
                "/",
                "."
            ])
            .prop_map(str::to_owned),
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
    }

    fn is_digit(c: char) -> bool {
        c.is_ascii_digit()
    }

    proptest! {
        #[test]
        fn no_text_refers_to_an_issue_or_asks_for_anything(text in hostile()) {
            let safe = inline(&text);
            // GitHub displays an escaped character without its backslash.
            let display = ["-", "/", "#"].iter().fold(safe.clone(), |text, c| text.replace(&format!("\\{c}"), c));
            let lower = display.to_ascii_lowercase();
            for mark in ["#", "gh-"] {
                for (at, _) in lower.match_indices(mark) {
                    let is_word = mark == "gh-" && lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
                    prop_assert!(is_word || !lower[at + mark.len()..].starts_with(is_digit), "{safe}");
                }
            }
            for kind in ISSUE_PATHS {
                for (at, path) in lower.match_indices(&format!("{kind}/")) {
                    let leads_on = lower[..at].rsplit_once("https://").is_some_and(|(_, url)| url.starts_with(WITHOUT_REFERENCES));
                    prop_assert!(leads_on || !lower[at + path.len()..].starts_with(is_digit), "{safe}");
                }
            }
            prop_assert!(!safe.contains("[!") && !safe.contains("[ ] ") && !safe.contains("[x] "), "{safe}");
            for (at, _) in safe.match_indices('@') {
                let is_mail = safe[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
                prop_assert!(is_mail || !safe[at + 1..].starts_with(|c: char| c.is_ascii_alphanumeric()), "{safe}");
            }
        }

        #[test]
        fn what_is_safe_stays_as_it_is_and_shows_the_same(text in hostile()) {
            let safe = inline(&text);
            prop_assert_eq!(inline(&safe), safe.clone());
            let display = |text: &str| -> String {
                let text = text.to_ascii_lowercase().replace("http://", "https://").replace("www.", "").replace("redirect.", "");
                text.chars().filter(|c| !c.is_whitespace() && !c.is_control() && !is_bidi_control(*c) && *c != ZERO_WIDTH_SPACE).collect()
            };
            prop_assert_eq!(display(&safe), display(&text));
        }

        #[test]
        fn a_quote_is_text_whatever_it_says(text in hostile()) {
            for line in quote(&text).lines() {
                let line = line.trim_start_matches(['>', ' ', '-']);
                prop_assert!(!line.starts_with('#') && !line.starts_with("[!"), "{line}");
                prop_assert!(line.is_empty() || !line.chars().all(|c| "|-=: ".contains(c)), "{line}");
            }
        }

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
