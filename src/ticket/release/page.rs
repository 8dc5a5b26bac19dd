//! The record's comment for people. If there is too little room, the notes are cut first, then the chart.

use super::{Phase, Release, ReleasedTarget, gantt};
use crate::ticket::board::time::{moment, span};
use crate::ticket::decision::Decision;
use crate::ticket::text;

/// The most decisions in the comment.
const DECISIONS_LIMIT: usize = 40;

/// The most targets with a row.
const ROWS_LIMIT: usize = 150;

/// The lengths to which each release's notes are cut, in the order of the tries.
const NOTES_LENGTHS: [usize; 4] = [6_000, 2_000, 600, 0];

/// Renders the lines in at most `limit` characters.
pub(super) fn render(release: &Release, limit: usize) -> String {
    let start = format!("{}{}", heading(release), table(release, ROWS_LIMIT));
    let end = format!("{}{}", decisions(release), left_out(release));
    let chart = gantt::render(release);
    let fits = |page: &String| text::length(page) < limit;
    // Notes that cannot fit are not rendered, as they may be many and long.
    let may_fit = |room: &usize| {
        let lengths = release.targets.iter().filter_map(|target| target.notes.as_ref());
        lengths.map(|notes| notes.len().div_ceil(3).min(*room)).sum::<usize>() <= limit
    };
    let rooms = NOTES_LENGTHS.iter().copied().filter(may_fit);
    let whole_pages = rooms.map(|room| format!("{start}{chart}{end}{}", notes(release, room)));
    let shorter_pages = [
        format!("{start}{end}{}", notes(release, 0)),
        format!("{}{}{}", heading(release), table(release, 20), notes(release, 0)),
        heading(release),
    ];
    whole_pages.chain(shorter_pages).find(fits).unwrap_or_default().trim_end().to_owned() + "\n"
}

/// The number of targets, the duration, the first failure and the gates.
fn heading(release: &Release) -> String {
    let name = release.release.as_deref().map(|name| format!(" {}", text::inline(&text::cut(name, 100))));
    let count = match release.targets.len() {
        1 => "1 target".to_owned(),
        count => format!("{} targets", text::thousands(count)),
    };
    let took = span(release.seconds());
    let run = text::foreign_link(&format!("Hub run {}", release.by.run), &release.run_url);
    let mut out =
        format!("📦 **Release{} is complete:** {count} in {took} · {run}\n\n", name.unwrap_or_default());
    out += &earlier(release);
    let today = release.ended_at.date_naive();
    if let Some(failure) = &release.first_failure {
        let job = text::code(&text::cut(&failure.what, 100));
        let job = failure.url.as_ref().map_or_else(|| job.clone(), |url| text::foreign_link(&job, url));
        out += &format!(
            "🔧 **{}** failed first, at {job}, {}, and was released {} later.\n\n",
            text::inline(&failure.target),
            moment(failure.at, today),
            span((failure.mended_at - failure.at).num_seconds())
        );
    }
    for gate in &release.gates {
        let took = span((gate.to - gate.from).num_seconds());
        out += &format!("🚦 **{}** waited {took} for people.\n\n", text::inline(&gate.name));
    }
    out
}

/// The durations of the previous releases, for comparison.
fn earlier(release: &Release) -> String {
    let before = release.earlier_releases.iter().map(|earlier| {
        let name = earlier.release.as_deref().unwrap_or("a release");
        let link = text::link(&text::inline(&text::cut(name, 40)), &earlier.ticket_url);
        format!("{} ({link})", span(earlier.seconds))
    });
    let before: Vec<String> = before.collect();
    if before.is_empty() {
        String::new()
    } else {
        format!("⏱️ Previous releases: {}\n\n", before.join(", "))
    }
}

fn table(release: &Release, rows: usize) -> String {
    let mut out =
        "| Target | Version | Run | ⏳ Queued | ▶️ Ran | 👥 People | Since the previous release |\n\
                   |---|---|---|---:|---:|---:|---|\n"
            .to_owned();
    for target in release.targets.iter().take(rows) {
        out += &row(target);
    }
    let more = release.targets.len().saturating_sub(rows);
    out += &if more == 0 { "\n".to_owned() } else { format!("\n… and {} more\n\n", text::thousands(more)) };
    out
}

fn row(target: &ReleasedTarget) -> String {
    let name = format!("**{}**", text::inline(&target.target));
    let version = target.version().or(target.release_url.as_ref().map(|_| "release"));
    let version = version.map(|version| text::inline(&text::cut(version, 60)));
    let version = match (version, &target.release_url) {
        (Some(version), Some(url)) => text::foreign_link(&version, url),
        (version, _) => version.unwrap_or_default(),
    };
    let attempts = if target.attempts > 1 { format!(", attempt {}", target.attempts) } else { String::new() };
    let run = match (&target.run, &target.run_url) {
        (Some(run), Some(url)) => text::foreign_link(&format!("run {run}{attempts}"), url),
        (Some(run), None) => format!("run {run}{attempts}"),
        (None, _) if target.is_skipped => "⏭️ skipped".to_owned(),
        (None, _) => String::new(),
    };
    let took = |phase| Some(target.seconds(phase)).filter(|seconds| *seconds > 0).map(span);
    let [queued, ran, people] =
        [Phase::Queued, Phase::Running, Phase::WaitingForPeople].map(|phase| took(phase).unwrap_or_default());
    let commits = target.commits.map(|commits| match commits {
        1 => "1 commit".to_owned(),
        commits => format!("{commits} commits"),
    });
    let since = target
        .compare_url
        .as_ref()
        .map(|url| text::foreign_link(commits.as_deref().unwrap_or("changes"), url));
    let cells = [name, version, run, queued, ran, people, since.unwrap_or_default()];
    let cells: Vec<String> = cells.iter().map(|cell| text::in_cell(cell)).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn decisions(release: &Release) -> String {
    if release.decisions.is_empty() {
        return String::new();
    }
    let count = release.decisions.len();
    let today = release.ended_at.date_naive();
    let line = |decision: &Decision| {
        let who = text::code(decision.who.login.as_str());
        format!("- {} {}\n", moment(decision.at, today), decision.sentence(&who, 160))
    };
    let lines: String = release.decisions.iter().take(DECISIONS_LIMIT).map(line).collect();
    let more = count.saturating_sub(DECISIONS_LIMIT);
    let more = if more == 0 { String::new() } else { format!("- … and {more} more\n") };
    format!("<details><summary>Decisions ({count})</summary>\n\n{lines}{more}\n</details>\n\n")
}

fn left_out(release: &Release) -> String {
    let omissions = release.targets.iter().filter_map(|target| {
        let why = target.omission.as_ref()?;
        Some(format!("{} ({})", text::inline(&target.target), text::inline(&text::cut(why, 200))))
    });
    let omissions: Vec<String> = omissions.collect();
    match omissions.split_first() {
        None => String::new(),
        Some((first, rest)) if rest.len() > 2 => {
            format!("ℹ️ Incomplete, as GitHub does not show everything: {first} and {} more.\n\n", rest.len())
        }
        Some(_) => {
            format!("ℹ️ Incomplete, as GitHub does not show everything: {}.\n\n", omissions.join(", "))
        }
    }
}

/// The notes of each release, folded and cut to `room` characters.
fn notes(release: &Release, room: usize) -> String {
    let with_notes = || release.targets.iter().filter_map(|target| Some((target, target.notes.as_deref()?)));
    if room == 0 {
        let has_notes = with_notes().next().is_some();
        return if has_notes {
            "✂️ There is no room for the notes of the releases.\n".to_owned()
        } else {
            String::new()
        };
    }
    let blocks = with_notes().map(|(target, notes)| {
        let version = target.version().map(|version| format!(" {}", html(version))).unwrap_or_default();
        let notes = text::quote(&text::cut(notes, room));
        format!(
            "<details><summary>Notes of {}{version}</summary>\n\n{notes}\n\n</details>\n\n",
            html(&target.target)
        )
    });
    blocks.collect()
}

/// A name within HTML, in which Markdown has no meaning.
fn html(name: &str) -> String {
    let text: String =
        text::cut(name, 100).chars().map(|c| if "<>&\"'`".contains(c) { ' ' } else { c }).collect();
    text::inline(&text)
}
