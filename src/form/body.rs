//! The body of an issue as Markdown: its headings, and the visible text below each of them.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, OffsetIter, Options, Parser, Tag};

/// A heading that is a question, and the visible Markdown below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) heading: String,
    /// Whether people see it only when they unfold something.
    pub(super) is_folded: bool,
    /// Whether something below it can be folded.
    pub(super) has_folds: bool,
    pub(super) markdown: String,
}

/// The texts of the headings of level 3 that stand in no list, quote or other block.
pub(super) fn headings(body: &str) -> Vec<String> {
    sections(body, |_| true).into_iter().map(|section| section.heading).collect()
}

/// The sections below the headings for which `is_question` holds. The other headings are text of an answer.
pub(super) fn sections(body: &str, is_question: impl Fn(&str) -> bool) -> Vec<Section> {
    let mut events = events(body);
    let mut sections: Vec<Section> = Vec::new();
    let (mut open_folds, mut end) = (0, 0);
    while let Some(block) = next_block(&mut events) {
        let (first, range) = &block[0];
        let is_shown = !is_hidden(first);
        if let Some(heading) = heading(&block).filter(|heading| is_question(heading)) {
            let is_folded = open_folds > 0;
            sections.push(Section { heading, is_folded, has_folds: false, markdown: String::new() });
        } else if let Some(section) = sections.last_mut().filter(|_| is_shown) {
            section.markdown += &space(body.get(end..range.start).unwrap_or_default());
            section.markdown += &visible_markdown(body, &block);
        }
        open_folds = folds_after(open_folds, body, &block);
        if let Some(section) = sections.last_mut() {
            section.has_folds |= html(body, &block).any(|html| html.contains("<details"));
        }
        end = if is_shown { range.end } else { end };
    }
    sections
}

/// The name that a heading makes: `Release version (required)` becomes `release_version_required`.
pub(super) fn name_of(heading: &str) -> String {
    let words = heading.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_lowercase()
}

/// The code in `markdown`, if that is a fenced block and nothing else. Code with a fence in it ends at the last line, as
/// GitHub does not make the fence around it longer.
pub(super) fn code(markdown: &str) -> Option<String> {
    let mut events = events(markdown);
    let block = next_block(&mut events)?;
    let (Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))), _) = &block[0] else { return None };
    if next_block(&mut events).is_none() {
        let lines = block.iter().filter_map(|(event, _)| match event {
            Event::Text(text) => Some(text.as_ref()),
            _ => None,
        });
        let code: String = lines.collect();
        return Some(code.strip_suffix('\n').unwrap_or(&code).to_owned());
    }
    let (_, rest) = markdown.split_once('\n')?;
    let (code, fence) = rest.rsplit_once('\n')?;
    let is_fence = fence.len() >= 3 && fence.chars().all(|c| c == '`');
    is_fence.then(|| code.to_owned())
}

fn events(markdown: &str) -> OffsetIter<'_> {
    Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES).into_offset_iter()
}

/// The visible part of the text between two blocks, without HTML and the definitions of links.
fn space(gap: &str) -> String {
    let is_text = |c: char| !c.is_whitespace();
    let (Some(start), Some(end)) = (gap.find(is_text), gap.rfind(is_text)) else { return gap.to_owned() };
    let indentation = gap[end..].rsplit_once('\n').map_or("", |(_, indentation)| indentation);
    format!("{}{indentation}", &gap[..start])
}

/// A piece of Markdown, and where it stands.
type Piece<'a> = (Event<'a>, Range<usize>);

/// The next block that stands in no other one, with all that is in it.
fn next_block<'a>(events: &mut OffsetIter<'a>) -> Option<Vec<Piece<'a>>> {
    let (mut block, mut depth) = (Vec::new(), 0_usize);
    for (event, range) in events {
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            _ => {}
        }
        block.push((event, range));
        if depth == 0 {
            return Some(block);
        }
    }
    None
}

/// The text of a heading of level 3.
fn heading(block: &[Piece<'_>]) -> Option<String> {
    let (Event::Start(Tag::Heading { level: HeadingLevel::H3, .. }), _) = &block[0] else { return None };
    let texts = block.iter().filter_map(|(event, _)| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        _ => None,
    });
    Some(texts.collect())
}

/// Whether GitHub shows nothing for it, or not in its place.
fn is_hidden(event: &Event<'_>) -> bool {
    matches!(event, Event::InlineHtml(_) | Event::Start(Tag::HtmlBlock | Tag::FootnoteDefinition(_)))
}

/// The Markdown of a block, without its hidden parts.
fn visible_markdown(body: &str, block: &[Piece<'_>]) -> String {
    let (_, whole) = &block[0];
    let mut markdown = String::new();
    let mut from = whole.start;
    for (_, range) in block.iter().filter(|(event, range)| is_hidden(event) && range.start >= whole.start) {
        markdown += body.get(from..range.start).unwrap_or_default();
        from = from.max(range.end);
    }
    markdown + body.get(from..whole.end).unwrap_or_default()
}

/// How many `<details>` are open after a block. One that may be closed inside a comment or a value counts as open.
fn folds_after(open: usize, body: &str, block: &[Piece<'_>]) -> usize {
    html(body, block).fold(open, |open, html| {
        let is_plain = !["<!", "<?", "="].into_iter().any(|mark| html.contains(mark));
        let closings = if is_plain { html.matches("</details").count() } else { 0 };
        (open + html.matches("<details").count()).saturating_sub(closings)
    })
}

/// The HTML of a block, in small letters.
fn html(body: &str, block: &[Piece<'_>]) -> impl Iterator<Item = String> {
    let is_html = |event: &Event<'_>| matches!(event, Event::InlineHtml(_) | Event::Start(Tag::HtmlBlock));
    let html = block.iter().filter(move |(event, _)| is_html(event));
    html.map(|(_, range)| body.get(range.clone()).unwrap_or_default().to_ascii_lowercase())
}
