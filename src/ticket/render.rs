//! A record as a comment: the marker with the data, then a few lines for people.

use super::course;
use super::explanation::Explanation;
use super::marker::{self, Kind};
use super::outputs::Outputs;
use super::reason::{Reason, and};
use super::record::{Dispatch, Notice, Record, Report, Start};
use super::run::FollowedRun;
use super::status::{StartState, Status, Word};
use super::text;
use crate::names::{Login, TargetName};

impl Record {
    /// Renders the comment: the marker, then a few lines for people.
    ///
    /// Long messages are cut as far as GitHub's limit asks; [`Record::fits`] tells whether that was enough.
    #[must_use]
    pub fn render(&self) -> String {
        let [whole, shorter, shortest] =
            [text::MESSAGE_LIMIT, 400, 40].map(|limit| move || self.with_messages_cut(limit).render_whole());
        let fits = |body: &String| text::length(body) <= text::BODY_LIMIT;
        Some(whole()).filter(fits).or_else(|| Some(shorter()).filter(fits)).unwrap_or_else(shortest)
    }

    /// Whether the rendered record is short enough for a comment.
    #[must_use]
    pub fn fits(&self) -> bool {
        text::length(&self.render()) <= text::BODY_LIMIT
    }

    fn render_whole(&self) -> String {
        match self {
            Self::Dispatch(dispatch) => {
                format!("{}\n{}", marker::render(Kind::Dispatch, dispatch), dispatch.lines())
            }
            Self::Report(report) => format!("{}\n{}", marker::render(Kind::Report, report), report.lines()),
            Self::Notice(notice) => format!("{}\n{}", marker::render(Kind::Notice, notice), notice.lines()),
            Self::Decision(decision) => {
                format!("{}\n{}", marker::render(Kind::Decision, decision), decision.lines())
            }
            Self::Release(release) => {
                let marker = marker::render(Kind::Release, &release.in_marker());
                let room = text::BODY_LIMIT.saturating_sub(text::length(&marker) + 1);
                format!("{marker}\n{}", release.lines(room))
            }
        }
    }

    fn with_messages_cut(&self, limit: usize) -> Self {
        let mut record = self.clone();
        match &mut record {
            Self::Dispatch(dispatch) => {
                let reasons = dispatch.targets.iter_mut().filter_map(|start| start.because.as_mut());
                reasons.for_each(|reason| cut_reason(reason, limit));
                for job in dispatch.followed.iter_mut().filter_map(|run| run.job.as_mut()) {
                    job.error = job.error.take().filter(|_| limit == text::MESSAGE_LIMIT);
                }
            }
            Self::Report(report) => {
                for message in report.stages.iter_mut().filter_map(|stage| stage.message.as_mut()) {
                    *message = text::cut(message, limit);
                }
            }
            Self::Notice(notice) => {
                notice.message = text::cut(&notice.message, limit);
                if limit < text::MESSAGE_LIMIT {
                    notice.explanation = Explanation::default();
                }
            }
            Self::Decision(decision) => {
                decision.reason = decision.reason.as_ref().map(|reason| text::cut(reason, limit));
                // An answer has limits of its own, and is no longer than two messages.
                decision.answer = decision.answer.as_ref().map(|answer| text::cut(answer, 2 * limit));
            }
            // It fits at once.
            Self::Release(_) => {}
        }
        record
    }
}

impl Dispatch {
    fn lines(&self) -> String {
        let hub_run = text::foreign_link(&format!("Hub run {}", self.by.run), &self.run_url);
        if self.is_for_later() {
            let kept = match (&self.form, &self.inputs) {
                (Some(_), Some(_)) => "the answers of the form and its inputs",
                (Some(_), None) => "the answers of the form",
                (None, _) => "its inputs",
            };
            return format!("📝 {hub_run} keeps {kept} for later dispatches of this ticket.\n");
        }
        let mut out = match (self.targets.is_empty(), self.followed.is_empty()) {
            (true, true) if !self.verified.is_empty() => format!("🔎 {hub_run} verifies:\n"),
            (true, false) => format!("👀 {hub_run} follows:\n"),
            _ => format!("🚀 {hub_run} dispatches:\n"),
        };
        for start in &self.targets {
            let followed = self.followed.iter().find(|run| run.target == start.target);
            let followed = followed.filter(|_| start.state != StartState::Superseded);
            let state = followed.map_or_else(|| start.line(), FollowedRun::line);
            let verified = self
                .verified
                .iter()
                .find(|of| of.target == start.target)
                .map(|of| format!("; {}", of.line()));
            out += &format!(
                "\n- {} ({}): {state}{}",
                bold(&start.target),
                text::repository(&start.repository),
                verified.unwrap_or_default()
            );
            if let Some(because) = start.because.as_ref().filter(|_| !start.state.is_passive()) {
                let because = text::quote(&with_remedy(because));
                out += &format!("\n  {}", because.replace('\n', "\n  "));
            }
        }
        for verified in
            self.verified.iter().filter(|of| !self.targets.iter().any(|start| start.target == of.target))
        {
            out += &format!("\n- {}: {}", bold(&verified.target), verified.line());
        }
        let is_listed = |run: &&FollowedRun| self.targets.iter().any(|start| start.target == run.target);
        for run in self.followed.iter().filter(|run| !is_listed(run)) {
            out +=
                &format!("\n- {} ({}): {}", bold(&run.target), text::repository(&run.repository), run.line());
        }
        out
    }
}

/// The reason with what to do about it.
fn with_remedy(because: &Word<Reason>) -> String {
    let clause = because.clause(ToString::to_string);
    match because.help() {
        Some(help) => format!("{clause}\n\n**What to do:** {help}"),
        None => clause,
    }
}

impl Start {
    /// How it stands, in words that stay true: nobody rewrites the record when what the target waits for is released.
    fn line(&self) -> String {
        let because =
            || self.because.as_ref().map(|because| text::inline(&because.clause(bold))).unwrap_or_default();
        match self.state {
            Word::Known(StartState::Waiting) => match &self.because {
                Some(Word::Known(Reason::Needs { targets })) => {
                    format!("⏳ starts after {}", and(&targets.iter().map(bold).collect::<Vec<_>>()))
                }
                _ => format!("⏳ {}", because()),
            },
            Word::Known(StartState::Claimed) => "▶️ this run starts it".to_owned(),
            Word::Known(StartState::Yielded) => format!("not started here: {}", because()),
            Word::Known(StartState::Cancelled) => "🚫 cancelled".to_owned(),
            Word::Known(StartState::Superseded) => {
                format!("🚫 {}", because())
            }
            Word::Known(StartState::TakenOver) => {
                let link = text::foreign_link(&because(), self.run_url.as_deref().unwrap_or_default());
                format!("✅ {link}")
            }
            Word::Known(StartState::Started) => {
                text::foreign_link("started", self.run_url.as_deref().unwrap_or_default())
            }
            Word::Known(StartState::Refused) => "❌ could not be started".to_owned(),
            Word::Known(StartState::Unknown) => "❌ nobody can tell whether it runs".to_owned(),
            Word::Newer(_) => {
                let word = self.state.newer_text().unwrap_or_default();
                format!("🔒 held by a newer release of the action: {}", text::code(&word))
            }
        }
    }
}

fn bold(name: &TargetName) -> String {
    format!("**{}**", text::inline(name.as_str()))
}

/// The most characters of a remedy, more than the action writes: forty of them leave room in a comment.
const REMEDY_LIMIT: usize = 600;

fn cut_reason(reason: &mut Word<Reason>, limit: usize) {
    let Word::Known(reason) = reason else { return };
    if let Reason::Unclear { runs, .. } = reason {
        runs.truncate((limit / 40).max(1));
    }
    if let Reason::Refused { error, help } | Reason::Unclear { error, help, .. } = reason {
        *error = text::cut(error, limit);
        // The remedy is the action's own and short: whatever else is cut, it stays.
        *help = help.as_ref().map(|help| text::cut(help, REMEDY_LIMIT));
    }
}

impl Report {
    fn lines(&self) -> String {
        let attempt =
            if self.by.attempt > 1 { format!(", attempt {}", self.by.attempt) } else { String::new() };
        let run = text::foreign_link(&format!("run {}{attempt}", self.by.run), &self.run_url);
        let stages = self.stages.iter().map(|stage| {
            let url = stage.url.as_deref().filter(|url| *url != self.run_url);
            let url = url.map(|url| format!(" · {}", text::foreign_link("link", url))).unwrap_or_default();
            let message = stage.message.as_deref().map(|message| format!("\n\n{}\n", text::quote(message)));
            format!(
                "\n{} **{}** {}{url} · {run}{}{}",
                stage.status.label(),
                text::inline(stage.target.as_ref().map_or(self.by.repository.name(), TargetName::as_str)),
                text::code(&stage.stage),
                message.unwrap_or_default(),
                output_lines(&stage.outputs)
            )
        });
        stages.collect::<Vec<_>>().join("\n").trim_start().to_owned()
    }
}

/// A list of the outputs, each cut to a line.
fn output_lines(outputs: &Outputs) -> String {
    let line = |(name, value): (&str, &str)| {
        format!(
            "\n- {}: {}",
            text::code(name),
            text::code(&text::cut_name(text::first_line(value), OUTPUT_LIMIT))
        )
    };
    let lines: String = outputs.iter().take(OUTPUTS_LISTED).map(line).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}\n") }
}

/// As many outputs of a stage are listed for people, each with as many characters; the marker has all of them.
const OUTPUTS_LISTED: usize = 12;
const OUTPUT_LIMIT: usize = 80;

impl Notice {
    /// The notice, pinging these; nobody is pinged for good news.
    #[must_use]
    pub fn mentioning(self, logins: Vec<Login>) -> Self {
        let mention = if self.status == Status::Success { Vec::new() } else { logins };
        Self { mention, ..self }
    }

    fn lines(&self) -> String {
        if self.pings.is_empty() { self.failure_lines() } else { self.ping_lines() }
    }

    fn ping_lines(&self) -> String {
        let pinged: Vec<String> = self.mention.iter().map(|login| format!("@{login}")).collect();
        let (emoji, _) = self.status.label().split_once(' ').unwrap_or_default();
        format!("{emoji} {}\n\n{}", pinged.join(" "), text::quote(&self.message))
    }

    fn failure_lines(&self) -> String {
        let what = match self.status {
            Word::Known(Status::Success) => "✅ **This works again**",
            Word::Known(Status::Cancelled) => "🚫 **A run was cancelled**",
            _ => "❌ **Something went wrong**",
        };
        let attempt =
            if self.by.attempt > 1 { format!(", attempt {}", self.by.attempt) } else { String::new() };
        let pinged: String = self.mention.iter().map(|login| format!(" @{login}")).collect();
        let pinged =
            if pinged.is_empty() { pinged } else { format!("\n\n{} please have a look.", pinged.trim()) };
        // A run that could not start has no job.
        let job = Some(&self.by.job).filter(|job| !job.is_empty());
        let job = job.map(|job| format!(", job {}", text::code(job))).unwrap_or_default();
        let explained = self.explanation.render();
        let explained = if explained.is_empty() { explained } else { format!("\n\n{explained}") };
        format!(
            "{what} in {}{job}: {}\n\n{}{explained}{pinged}{}",
            text::repository(&self.by.repository),
            text::foreign_link(&format!("run {}{attempt}", self.by.run), &self.run_url),
            text::quote(&self.message),
            self.flapping_line()
        )
    }

    fn flapping_line(&self) -> String {
        match self.flapping.len() {
            0 => String::new(),
            failures => format!(
                "\n\n🔁 **Flapping:** {failures} failures in {} days. Further news is written into this comment and \
                 pings nobody.",
                course::FLAPPING_WITHIN.num_days()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::Map;

    use super::*;
    use crate::names::RunId;
    use crate::ticket::event_inputs::{self, EventInputs};
    use crate::ticket::{Watch, Writer};

    fn url(run: usize) -> String {
        format!("https://github.example.com/organization/repository/actions/runs/{run}")
    }

    fn start(name: &str, state: StartState, because: Reason) -> Start {
        Start {
            commit: None,
            outputs: Outputs::default(),
            verify: false,
            repeats: None,
            turn: None,
            target: name.into(),
            repository: "organization/repository".parse().expect("a name"),
            workflow: Some("release.yml".into()),
            git_ref: Some("main".into()),
            needs: Vec::new(),
            state: state.into(),
            run: None,
            run_url: None,
            because: Some(because.into()),
            at: DateTime::UNIX_EPOCH,
            other: Map::new(),
        }
    }

    fn dispatch(targets: Vec<Start>) -> Dispatch {
        let by = Writer {
            repository: "organization/hub".parse().expect("a name"),
            run: RunId(1),
            attempt: 1,
            job: "dispatch".into(),
            check_run: None,
        };
        Dispatch {
            by,
            seq: 1,
            run_url: url(1),
            driver: Login::parse("alice"),
            release: Some("1.4.0".into()),
            workflow_url: None,
            close: false,
            left_out: Vec::new(),
            watch: Watch::default(),
            form: None,
            inputs: None,
            rules: None,
            targets,
            followed: Vec::new(),
            verified: Vec::new(),
            other: Map::new(),
        }
    }

    #[test]
    fn a_target_that_waits_is_said_to_start_after_the_others_which_stays_true() {
        let because = Reason::Needs { targets: vec!["api".into(), "web".into()] };
        let lines = dispatch(vec![start("docs", StartState::Waiting, because)]).lines();
        assert!(
            lines.contains("**docs** (organization/repository): ⏳ starts after **api** and **web**"),
            "{lines}"
        );
        assert!(!lines.contains("waits"), "{lines}");
    }

    #[test]
    fn a_long_refusal_is_cut_and_its_remedy_is_not() {
        let because = Reason::Refused { error: "It is no good. ".repeat(400), help: Some("Mend it.".into()) };
        let record = Record::Dispatch(dispatch(vec![start("web", StartState::Refused, because)])).render();
        assert!(record.contains("It is no good.… (cut)\n  >\n  > **What to do:** Mend it."), "{record}");
    }

    #[test]
    fn a_record_of_many_unclear_starts_fits_a_comment() {
        let unclear = |number: usize| {
            let because = Reason::Unclear {
                error: "x".repeat(300),
                runs: (0..100).map(url).collect(),
                help: Some("y".repeat(300)),
            };
            let name = format!("target-with-a-rather-long-name-{number}");
            start(&name, StartState::Unknown, because)
        };
        let notes = |length: usize| Map::from_iter([("notes".to_owned(), "x".repeat(length).into())]);
        let inputs = EventInputs::fitting(notes(event_inputs::ROOM - 20));
        assert_eq!(inputs.values.len(), 1);
        // As much as a dispatch records: long answers, each by two names, or shorter ones with inputs.
        for (form, inputs) in [(16_000, None), (8_000, Some(Word::Known(inputs)))] {
            let targets = (0..40).map(unclear).collect();
            let form = Some(Word::Known(notes(form)));
            let record = Record::Dispatch(Dispatch { form, inputs, ..dispatch(targets) });
            assert!(record.fits(), "{} characters", text::length(&record.render()));
            assert_eq!(
                record.render().matches(&"y".repeat(300)).count(),
                80,
                "the remedy stays, in data and in words"
            );
        }
    }
}
