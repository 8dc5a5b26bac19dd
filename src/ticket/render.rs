//! Records as comments: the marker with the data, then a few lines for people.

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
    /// The text of the comment: the marker, then a few lines for people.
    ///
    /// Long messages are cut so that the comment keeps GitHub's limit; [`Record::fits`] says whether it does.
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
                let reasons = dispatch.targets.iter_mut().filter_map(|start| start.reason.as_mut());
                reasons.for_each(|reason| cut_reason(reason, limit));
                for job in dispatch.followed_runs.iter_mut().filter_map(|run| run.job.as_mut()) {
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
            let inputs = match (&self.form, &self.inputs) {
                (Some(_), Some(_)) => "the answers of the form and its inputs",
                (Some(_), None) => "the answers of the form",
                (None, _) => "its inputs",
            };
            return format!("📝 {hub_run} keeps {inputs} for later dispatches of this ticket.\n");
        }
        let mut out = match (self.targets.is_empty(), self.followed_runs.is_empty()) {
            (true, true) if !self.verifications.is_empty() => format!("🔎 {hub_run} verifies:\n"),
            (true, false) => format!("👀 {hub_run} follows:\n"),
            _ => format!("🚀 {hub_run} dispatches:\n"),
        };
        for start in &self.targets {
            let run = self.followed_runs.iter().find(|run| run.target == start.target);
            let run = run.filter(|_| start.state != StartState::Superseded);
            let state = run.map_or_else(|| start.line(), FollowedRun::line);
            let verification = self
                .verifications
                .iter()
                .find(|verification| verification.target == start.target)
                .map(|verification| format!("; {}", verification.line()));
            out += &format!(
                "\n- {} ({}): {state}{}",
                bold(&start.target),
                text::repository(&start.repository),
                verification.unwrap_or_default()
            );
            if let Some(reason) = start.reason.as_ref().filter(|_| !start.state.is_passive()) {
                let reason = text::quote(&with_remedy(reason));
                out += &format!("\n  {}", reason.replace('\n', "\n  "));
            }
        }
        let is_listed = |name: &TargetName| self.targets.iter().any(|start| start.target == *name);
        for verification in self.verifications.iter().filter(|verification| !is_listed(&verification.target))
        {
            out += &format!("\n- {}: {}", bold(&verification.target), verification.line());
        }
        for run in self.followed_runs.iter().filter(|run| !is_listed(&run.target)) {
            out +=
                &format!("\n- {} ({}): {}", bold(&run.target), text::repository(&run.repository), run.line());
        }
        out
    }
}

/// The reason with its help.
fn with_remedy(reason: &Word<Reason>) -> String {
    let clause = reason.clause(ToString::to_string);
    match reason.help() {
        Some(help) => format!("{clause}\n\n**What to do:** {}", help.text),
        None => clause,
    }
}

impl Start {
    /// The state in words that stay true: the record is not rewritten when the target's needs are released.
    fn line(&self) -> String {
        let reason =
            || self.reason.as_ref().map(|reason| text::inline(&reason.clause(bold))).unwrap_or_default();
        match self.state {
            Word::Known(StartState::Waiting) => match &self.reason {
                Some(Word::Known(Reason::Needs { targets })) => {
                    format!("⏳ starts after {}", and(&targets.iter().map(bold).collect::<Vec<_>>()))
                }
                _ => format!("⏳ {}", reason()),
            },
            Word::Known(StartState::Claimed) => "▶️ this run starts it".to_owned(),
            Word::Known(StartState::Yielded) => format!("not started here: {}", reason()),
            Word::Known(StartState::Cancelled) => "🚫 cancelled".to_owned(),
            Word::Known(StartState::Superseded) => format!("🚫 {}", reason()),
            Word::Known(StartState::TakenOver) => {
                let link = text::foreign_link(&reason(), self.run_url.as_deref().unwrap_or_default());
                format!("✅ {link}")
            }
            Word::Known(StartState::Started) => {
                text::foreign_link("started", self.run_url.as_deref().unwrap_or_default())
            }
            Word::Known(StartState::Refused) => "❌ could not be started".to_owned(),
            Word::Known(StartState::Unknown) => "❌ may or may not have started".to_owned(),
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

/// The most characters of a remedy. The action writes shorter ones; a comment has room for forty of this length.
const REMEDY_LIMIT: usize = 600;

fn cut_reason(reason: &mut Word<Reason>, limit: usize) {
    let Word::Known(reason) = reason else { return };
    if let Reason::Unclear { runs, .. } = reason {
        runs.truncate((limit / 40).max(1));
    }
    if let Reason::Refused { error, help } | Reason::Unclear { error, help, .. } = reason {
        *error = text::cut(error, limit);
        // The remedy is the action's own and short, so it stays.
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

/// A list of the outputs, a line each.
fn output_lines(outputs: &Outputs) -> String {
    let line = |(name, value): (&str, &str)| {
        format!(
            "\n- {}: {}",
            text::code(name),
            text::code(&text::cut_name(text::first_line(value), OUTPUT_LIMIT))
        )
    };
    let lines: String = outputs.iter().take(OUTPUTS_LIMIT).map(line).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}\n") }
}

/// The most outputs of a stage in the lines for people, and the most characters of each; the marker has all of them.
const OUTPUTS_LIMIT: usize = 12;
const OUTPUT_LIMIT: usize = 80;

impl Notice {
    /// The notice with mentions of these people; a success mentions nobody.
    #[must_use]
    pub fn mentioning(self, logins: Vec<Login>) -> Self {
        let mention = if self.status == Status::Success { Vec::new() } else { logins };
        Self { mention, ..self }
    }

    fn lines(&self) -> String {
        if self.pings.is_empty() { self.failure_lines() } else { self.ping_lines() }
    }

    fn ping_lines(&self) -> String {
        let mentions: Vec<String> = self.mention.iter().map(|login| format!("@{login}")).collect();
        let (emoji, _) = self.status.label().split_once(' ').unwrap_or_default();
        format!("{emoji} {}\n\n{}", mentions.join(" "), text::quote(&self.message))
    }

    fn failure_lines(&self) -> String {
        let news = match self.status {
            Word::Known(Status::Success) => "✅ **This works again**",
            Word::Known(Status::Cancelled) => "🚫 **A run was cancelled**",
            _ => "❌ **Something went wrong**",
        };
        let attempt =
            if self.by.attempt > 1 { format!(", attempt {}", self.by.attempt) } else { String::new() };
        let mentions: String = self.mention.iter().map(|login| format!(" @{login}")).collect();
        let request = if mentions.is_empty() {
            String::new()
        } else {
            format!("\n\n{} please have a look.", mentions.trim())
        };
        // A run that could not start has no job.
        let job = Some(&self.by.job).filter(|job| !job.is_empty());
        let job = job.map(|job| format!(", job {}", text::code(job))).unwrap_or_default();
        let explanation = self.explanation.render();
        let explanation = if explanation.is_empty() { explanation } else { format!("\n\n{explanation}") };
        format!(
            "{news} in {}{job}: {}\n\n{}{explanation}{request}{}",
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
                "\n\n🔁 **Flapping:** {failures} failures in {} days. Updates follow in this comment, and \
                 ping nobody.",
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

    fn start(name: &str, state: StartState, reason: Reason) -> Start {
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
            reason: Some(reason.into()),
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
            followed_runs: Vec::new(),
            verifications: Vec::new(),
            other: Map::new(),
        }
    }

    #[test]
    fn a_target_that_waits_is_said_to_start_after_the_others_which_stays_true() {
        let reason = Reason::Needs { targets: vec!["api".into(), "web".into()] };
        let lines = dispatch(vec![start("docs", StartState::Waiting, reason)]).lines();
        assert!(
            lines.contains("**docs** (organization/repository): ⏳ starts after **api** and **web**"),
            "{lines}"
        );
        assert!(!lines.contains("waits"), "{lines}");
    }

    #[test]
    fn a_long_refusal_is_cut_and_its_remedy_is_not() {
        let reason = Reason::Refused { error: "It is no good. ".repeat(400), help: Some("Mend it.".into()) };
        let record = Record::Dispatch(dispatch(vec![start("web", StartState::Refused, reason)])).render();
        assert!(record.contains("It is no good.… (cut)\n  >\n  > **What to do:** Mend it."), "{record}");
    }

    #[test]
    fn a_record_of_many_unclear_starts_fits_a_comment() {
        let unclear = |number: usize| {
            let reason = Reason::Unclear {
                error: "x".repeat(300),
                runs: (0..100).map(url).collect(),
                help: Some("y".repeat(300)),
            };
            let name = format!("target-with-a-rather-long-name-{number}");
            start(&name, StartState::Unknown, reason)
        };
        let notes = |length: usize| Map::from_iter([("notes".to_owned(), "x".repeat(length).into())]);
        let inputs = EventInputs::fitting(notes(event_inputs::ROOM - 20));
        assert_eq!(inputs.values.len(), 1);
        // The most that a dispatch records: long answers, each under two names, or shorter answers with inputs.
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
