//! Pages of issues and runs: HTML in the manner of GitHub, with the styles in each page.

use std::fmt::Write;

use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::{DateTime, Utc};
use comrak::Options;
use mermaid_svg::Theme;

use crate::issue::{Comment, Issue, Reaction};
use crate::run::{Job, Run};
use crate::token::is_bot;

const STYLE: &str = include_str!("page.css");

/// An issue with its comments. The ages of the comments count back from `now`.
pub fn issue(issue: &Issue, now: DateTime<Utc>) -> String {
    issue_refreshing(issue, now, None)
}

/// As [`issue`], with a page that reloads itself after this number of seconds.
pub fn issue_refreshing(issue: &Issue, now: DateTime<Utc>, seconds: Option<u64>) -> String {
    let mut html = String::new();
    let state = match (issue.is_open(), issue.state_reason.as_deref()) {
        (true, _) => ("open", "Open"),
        (false, Some("not_planned" | "duplicate")) => ("dropped", "Closed"),
        (false, _) => ("closed", "Closed"),
    };
    push(
        &mut html,
        format_args!(
            "<p class=place>{}</p><h1>{} <span class=muted>#{}</span></h1>\
             <p><span class=\"state {}\">{}</span> {}</p>",
            escape(&issue.repository),
            escape(&issue.title),
            issue.number,
            state.0,
            state.1,
            facts(issue),
        ),
    );
    let time = age(issue.created_at, now);
    entry(
        &mut html,
        &Entry {
            id: "issue",
            author: &issue.author,
            association: &issue.association,
            age: &time,
            mark: "",
            body: &issue.body,
            reactions: &issue.reactions,
        },
    );
    let (pins, others): (Vec<_>, Vec<_>) = issue.comments.iter().partition(|it| it.is_pinned);
    for comment in pins.into_iter().chain(others) {
        comment_entry(&mut html, comment, now);
    }
    if issue.is_locked {
        html.push_str("<p class=note>🔒 This conversation is locked.</p>");
    }
    let title = format!("{} · #{}", issue.title, issue.number);
    document(&title, &html, seconds)
}

/// The reason why the issue is closed, the labels and the assignees.
fn facts(issue: &Issue) -> String {
    let mut facts = String::new();
    if let Some(reason) = issue.state_reason.as_ref().filter(|_| !issue.is_open()) {
        let reason = reason.replace('_', " ");
        push(&mut facts, format_args!("<span class=muted>as {}</span> ", escape(&reason)));
    }
    for label in &issue.labels {
        push(&mut facts, format_args!("<span class=label>{}</span> ", escape(label)));
    }
    if !issue.assignees.is_empty() {
        let assignees = escape(&issue.assignees.join(", "));
        push(&mut facts, format_args!("<span class=muted>assigned to {assignees}</span>"));
    }
    facts
}

fn comment_entry(html: &mut String, comment: &Comment, now: DateTime<Utc>) {
    let mut age = age(comment.created_at, now);
    if comment.updated_at != comment.created_at {
        age.push_str(" · edited");
    }
    let mark = match &comment.pinned_by {
        Some(by) => format!("<p class=pin>📌 Pinned by {}</p>", escape(by)),
        None => String::new(),
    };
    let id = format!("issuecomment-{}", comment.id);
    let Comment { author, association, body, reactions, .. } = comment;
    entry(html, &Entry { id: &id, author, association, age: &age, mark: &mark, body, reactions });
}

/// The reactions to a text, each kind with its authors.
fn reactions(reactions: &[Reaction]) -> String {
    const KINDS: [(&str, &str); 8] = [
        ("+1", "👍"),
        ("-1", "👎"),
        ("laugh", "😄"),
        ("hooray", "🎉"),
        ("confused", "😕"),
        ("heart", "❤️"),
        ("rocket", "🚀"),
        ("eyes", "👀"),
    ];
    let mut html = String::new();
    for (content, emoji) in KINDS {
        let of_kind = reactions.iter().filter(|one| one.content == content);
        let authors: Vec<&str> = of_kind.map(|one| one.author.trim_end_matches("[bot]")).collect();
        if !authors.is_empty() {
            let title = escape(&authors.join(", "));
            push(
                &mut html,
                format_args!("<span class=label title=\"{title}\">{emoji} {}</span> ", authors.len()),
            );
        }
    }
    if html.is_empty() { html } else { format!("<p class=reactions>{html}</p>") }
}

/// The issue's text or a comment, with `mark` above it.
struct Entry<'a> {
    id: &'a str,
    author: &'a str,
    association: &'a str,
    age: &'a str,
    mark: &'a str,
    body: &'a str,
    reactions: &'a [Reaction],
}

fn entry(html: &mut String, entry: &Entry<'_>) {
    let Entry { id, author, association, age, mark, body, .. } = *entry;
    let name = escape(author.trim_end_matches("[bot]"));
    let badge = match (is_bot(author), association) {
        (true, _) => "<span class=badge>bot</span>".to_owned(),
        (false, "NONE") => String::new(),
        (false, other) => {
            let mut text = other.to_lowercase();
            if let Some(first) = text.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            format!("<span class=badge>{}</span>", escape(&text))
        }
    };
    let body = match body.trim().is_empty() {
        true => "<p class=muted><em>No description provided.</em></p>".to_owned(),
        false => markdown(body),
    };
    push(
        html,
        format_args!(
            "{mark}<article id=\"{id}\"><header><strong>{name}</strong> {badge} \
             <a class=muted href=\"#{id}\">{age}</a></header><div class=body>{body}</div>{}</article>",
            reactions(entry.reactions),
        ),
    );
}

/// Every repository with its issues and runs.
pub(crate) fn index<'a>(
    repositories: impl Iterator<Item = (String, Vec<&'a Issue>, Vec<&'a Run>)>,
) -> String {
    let mut html = String::from("<h1>Simulated GitHub</h1>");
    for (name, issues, runs) in repositories {
        push(&mut html, format_args!("<h2>{}</h2><ul>", escape(&name)));
        for issue in issues.iter().rev() {
            push(
                &mut html,
                format_args!(
                    "<li><a href=\"/{}/issues/{}\">#{} {}</a> <span class=muted>{}</span></li>",
                    escape(&name),
                    issue.number,
                    issue.number,
                    escape(&issue.title),
                    issue.state,
                ),
            );
        }
        for run in runs.iter().rev() {
            push(
                &mut html,
                format_args!(
                    "<li><a href=\"/{}/actions/runs/{}\">{}</a> <span class=muted>{}</span></li>",
                    escape(&name),
                    run.id,
                    escape(&run.name),
                    escape(&outcome(&run.status, run.conclusion.as_deref())),
                ),
            );
        }
        html.push_str("</ul>");
    }
    document("Simulated GitHub", &html, None)
}

/// A run with its jobs and their steps.
pub(crate) fn run(run: &Run) -> String {
    let outcome_of_run = outcome(&run.status, run.conclusion.as_deref());
    let mut html = format!(
        "<p class=place>{} · {}</p><h1>{} <span class=muted>#{}</span></h1>\
         <p><span class=label>{}</span> <span class=muted>{} at {}, attempt {}, by {}</span></p>",
        escape(&run.repository),
        escape(&run.workflow),
        escape(&run.name),
        run.number,
        escape(&outcome_of_run),
        escape(&run.event),
        escape(&run.git_ref),
        run.attempt,
        escape(&run.triggering_actor),
    );
    for (name, value) in &run.inputs {
        let value = value.as_str().unwrap_or_default();
        push(&mut html, format_args!("<p><code>{}</code>: {}</p>", escape(name), escape(value)));
    }
    run.jobs.iter().for_each(|job| job_entry(&mut html, job));
    document(&run.name, &html, None)
}

fn job_entry(html: &mut String, job: &Job) {
    let state = outcome(&job.status, job.conclusion.as_deref());
    push(
        html,
        format_args!(
            "<article id=\"job-{}\"><header><strong>{}</strong> <span class=badge>{}</span></header>\
             <div class=body><ol>",
            job.id,
            escape(&job.name),
            escape(&state),
        ),
    );
    for step in &job.steps {
        let state = outcome(&step.status, step.conclusion.as_deref());
        push(html, format_args!("<li>{}: {}</li>", escape(&step.name), escape(&state)));
    }
    html.push_str("</ol></div></article>");
}

fn outcome(status: &str, conclusion: Option<&str>) -> String {
    conclusion.unwrap_or(status).replace('_', " ")
}

fn document(title: &str, main: &str, seconds: Option<u64>) -> String {
    let refresh = seconds.map(|it| format!("<meta http-equiv=refresh content={it}>"));
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width, initial-scale=1\"><link rel=icon href=\"data:,\">{}\
         <title>{}</title><style>{STYLE}</style><main>{main}</main></html>\n",
        refresh.unwrap_or_default(),
        escape(title),
    )
}

/// Markdown as GitHub renders it, without the tags that GitHub removes.
fn markdown(text: &str) -> String {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.autolink = true;
    options.extension.alerts = true;
    options.extension.footnotes = true;
    options.extension.shortcodes = true;
    options.render.r#unsafe = true;
    options.render.hardbreaks = true;
    with_graphs(&sanitise(&comrak::markdown_to_html(text, &options)))
}

/// Draws the graphs of [mermaid](https://mermaid.js.org). A picture runs no code, with any graph, and it
/// needs no network. A text that is not a graph stays.
fn with_graphs(html: &str) -> String {
    const BEFORE: &str = "<pre><code class=\"language-mermaid\">";
    const AFTER: &str = "</code></pre>";
    let mut parts = html.split(BEFORE);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let picture_and_rest = part.split_once(AFTER).and_then(|(source, rest)| Some((graph(source)?, rest)));
        match picture_and_rest {
            Some((picture, rest)) => out.extend([&picture, rest]),
            None => out.extend([BEFORE, part]),
        }
    }
    out
}

/// The picture of a graph, from its source in HTML. `None` if it is not a graph.
fn graph(source: &str) -> Option<String> {
    let text =
        source.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
    let data_url = |theme: &Theme| {
        let svg = mermaid_svg::render_with(&text, theme).ok()?;
        Some(format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(svg)))
    };
    let themes = [Theme::default_theme(), Theme::dark()].map(|theme| Theme { responsive: false, ..theme });
    let [light, dark] = themes.map(|theme| data_url(&theme));
    let (light, dark) = (light?, dark?);
    Some(format!(
        "<picture class=graph><source media=\"(prefers-color-scheme: dark)\" srcset=\"{dark}\">\
         <img src=\"{light}\" alt=\"{}\"></picture>",
        escape(&text),
    ))
}

fn sanitise(html: &str) -> String {
    const ALERTS: [&str; 6] = [
        "markdown-alert",
        "markdown-alert-note",
        "markdown-alert-tip",
        "markdown-alert-important",
        "markdown-alert-warning",
        "markdown-alert-caution",
    ];
    ammonia::Builder::default()
        .add_tags(["input", "picture", "source"])
        .add_tag_attributes("input", ["type", "checked", "disabled"])
        .add_tag_attributes("source", ["media", "srcset"])
        .add_tag_attributes("details", ["open"])
        .add_tag_attributes("code", ["class"])
        .add_generic_attributes(["align", "width", "height"])
        .add_allowed_classes("div", ALERTS)
        .add_allowed_classes("p", ["markdown-alert-title"])
        .clean(html)
        .to_string()
}

/// The age of a moment in words, or its date if it is more than 30 days old.
fn age(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let time = now - then;
    let ago = |count: i64, unit: &str| match count {
        1 => format!("1 {unit} ago"),
        _ => format!("{count} {unit}s ago"),
    };
    match time.num_minutes() {
        ..=0 => "now".into(),
        minutes @ 1..60 => ago(minutes, "minute"),
        60..1440 => ago(time.num_hours(), "hour"),
        1440..43_200 => ago(time.num_days(), "day"),
        _ => then.format("on %-d %b %Y").to_string(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn push(html: &mut String, text: std::fmt::Arguments<'_>) {
    html.write_fmt(text).expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_rendered_as_github_does() {
        let cases = [
            ("| a |\n|---|\n| b |", "<td>b</td>"),
            ("- [x] done", "type=\"checkbox\""),
            ("~~old~~", "<del>old</del>"),
            ("https://github.com/acme", "<a href=\"https://github.com/acme\""),
            ("> [!CAUTION]\n> Stop", "markdown-alert-caution"),
            (":rocket:", "🚀"),
            ("<details><summary>More</summary>\n\nText\n</details>", "<summary>More</summary>"),
            ("H<sub>2</sub>O<br>x", "<sub>2</sub>"),
            ("```mermaid\nno graph\n```", "<code class=\"language-mermaid\">"),
        ];
        for (text, expected) in cases {
            let html = markdown(text);
            assert!(html.contains(expected), "{text} became {html}");
        }
    }

    #[test]
    fn a_graph_is_a_picture_for_light_and_one_for_dark() {
        let html = markdown("one\n\n```mermaid\ngraph LR\n  a[\"web & <b>\"] --> b\n```\n\ntwo");
        assert!(html.starts_with("<p>one</p>\n<picture class=graph>"), "{html}");
        assert_eq!(html.matches("data:image/svg+xml;base64,").count(), 2, "{html}");
        assert!(html.ends_with("<p>two</p>\n"), "{html}");
        assert!(!html.contains("<code") && html.contains("web &amp; &lt;b&gt;"), "{html}");
    }

    #[test]
    fn scripts_and_comments_do_not_survive() {
        let html = markdown("<!-- secret -->a<script>alert(1)</script><img src=x onerror=y>");
        for text in ["secret", "script", "alert", "onerror"] {
            assert!(!html.contains(text), "{text} is still in {html}");
        }
    }

    #[test]
    fn ages_are_in_words() {
        let then = DateTime::UNIX_EPOCH;
        let after = |minutes| age(then, then + chrono::TimeDelta::minutes(minutes));
        assert_eq!(
            [0, 1, 59, 60, 1500, 100_000].map(after),
            ["now", "1 minute ago", "59 minutes ago", "1 hour ago", "1 day ago", "on 1 Jan 1970"]
        );
    }
}
