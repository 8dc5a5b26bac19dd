//! What a hub job says of its work: in the log while it goes on, in the receipt at its end.

use serde_json::{Value, json};

use super::Dispatcher;
use crate::dispatch::preflight::Ready;
use crate::dispatch::waves::{self, Next};
use crate::github::GitHubError;
use crate::problem::Problem;
use crate::receipt::Receipt;
use crate::runner::log::NOTICE;
use crate::targets::Target;
use crate::ticket::{StartState, Target as TicketTarget, TargetStatus, Ticket, board, text};

impl Dispatcher<'_> {
    /// Says which targets are left alone, and why.
    pub(super) async fn tell_what_is_left(&mut self, targets: &[Ready]) -> Result<(), GitHubError> {
        let liveness = self.liveness(None).await?;
        let state = self.ledger.log().fold();
        for ready in targets {
            if let Next::Leave(because) = self.next(ready, &state, &liveness) {
                tracing::info!(target: NOTICE, "{} is left alone: {because}", ready.target.name);
            }
        }
        Ok(())
    }

    /// Without `wait` this step starts no further wave: says what remains, and how it goes on.
    pub(super) fn tell_what_waits(&self, targets: &[Ready]) {
        let state = self.ledger.log().fold();
        for ready in targets {
            let Target { name, needs, .. } = &ready.target;
            let awaited: Vec<&str> = state.awaited(needs).map(|(needed, _)| needed).collect();
            let waits = state.targets.get(name).is_some_and(|target| target.status == TargetStatus::Waiting);
            if waits && !awaited.is_empty() {
                tracing::info!(
                    target: NOTICE,
                    "{name} waits for {}; run this dispatch again when it is released: by hand, on a schedule, or set `wait: true`",
                    awaited.join(", ")
                );
            }
        }
    }

    /// Of what GitHub tells no run nothing is heard until it reports.
    pub(super) fn tell_what_only_reports_can_end(&self, targets: &[Ready]) {
        let state = self.ledger.log().fold();
        for name in targets.iter().map(|ready| &ready.target.name) {
            let Some(target) = state.targets.get(name) else { continue };
            let is_started = target.start.as_ref().is_some_and(|start| start.state == StartState::Started);
            if is_started && target.run.is_none() {
                tracing::info!(target: NOTICE, "GitHub does not tell the run of {name}: only its own reports can end the wait for it");
            }
        }
    }

    /// Says how targets stand now, a line for each that has changed.
    pub(super) fn tell_changes(&mut self, targets: &[Ready]) {
        let state = self.ledger.log().fold();
        for name in targets.iter().map(|ready| &ready.target.name) {
            let Some(target) = state.targets.get(name) else { continue };
            let now = format!("{}{}", board::standing(&state, target), said(target));
            if self.told.insert(name.clone(), now.clone()).as_ref() != Some(&now) {
                let link = target.run.as_ref().and_then(|run| run.url.as_deref()).unwrap_or_default();
                tracing::info!("{}", format!("{name}  {now}  {link}").trim_end());
            }
        }
    }

    /// The step fails if a target did, or was held up by one.
    pub(super) fn tell_failures(&mut self, targets: &[Ready]) {
        let state = self.ledger.log().fold();
        for Ready { target: Target { name, needs, .. }, .. } in targets {
            let Some(target) = state.targets.get(name) else { continue };
            // That it could not be started was said then.
            if target.status.is_bad() && target.run.is_some() {
                let url = target.run.as_ref().and_then(|run| run.url.as_deref()).unwrap_or("its run");
                let stage =
                    target.stage.as_ref().map(|stage| format!(" at {}", stage.name)).unwrap_or_default();
                let help = format!(
                    "look at {url}; then re-run its failed jobs, or dispatch again with `retry-failed: true` for a new run"
                );
                let what = match target.status {
                    TargetStatus::Cancelled => format!("{name} was cancelled{stage}{}", said(target)),
                    _ => format!("{name} failed{stage}{}", said(target)),
                };
                self.problems.push(Problem::new(what).help(help));
            }
            if target.status == TargetStatus::Waiting
                && waves::is_settled(name, target, &state, targets, &self.out_of_sight)
            {
                let awaited: Vec<String> = state
                    .awaited(needs)
                    .map(|(needed, status)| match status {
                        Some(status) => format!("{needed} ({})", board::word(status)),
                        None => format!("{needed} (which nobody has started)"),
                    })
                    .collect();
                let what = format!("{name} was not started: it waits for {}", awaited.join(", "));
                let help = "release that first; then run this dispatch again".to_owned();
                self.problems.push(Problem::new(what).help(help));
            }
        }
    }

    /// Writes what became of it all into the receipt.
    pub(in crate::dispatch) fn tell(&self, targets: &[Ready], url: &str, receipt: &mut Receipt) {
        receipt.delivered = Some(true);
        receipt.comment = self.records.first().map(|own| {
            let comment = self.ledger.log().dispatches().find(|(comment, _)| comment.id == own.comment);
            (own.comment.0, comment.map(|(comment, _)| comment.url.clone()).unwrap_or_default())
        });
        let state = self.ledger.log().fold();
        let results: Vec<Value> =
            targets.iter().map(|ready| self.result(ready, state.targets.get(&ready.target.name))).collect();
        receipt.results = Some(Value::from(results).to_string());
        receipt.summary =
            format!("### {}\n\n{}\n", text::link(&self.ledger.ticket().to_string(), url), summary(&state));
        tracing::info!("{}", board::plain(&state));
    }

    fn result(&self, ready: &Ready, target: Option<&TicketTarget>) -> Value {
        let name = &ready.target.name;
        let claimed = self.own_claim(name).and_then(|own| {
            own.record.targets.iter().find(|start| start.target == *name).map(|start| start.state)
        });
        let start = target.and_then(|target| target.start.as_ref());
        let status = match (claimed, target) {
            (Some(StartState::Unknown), _) => "unknown",
            _ if self.started.contains(name) && self.hub.inputs.wait.is_none() => "started",
            (_, Some(target)) => board::word(target.status),
            (_, None) => "unknown",
        };
        let followed = target.and_then(|target| target.followed.as_ref());
        let conclusion = followed.and_then(|run| run.conclusion.as_deref());
        let conclusion = conclusion.or_else(|| match target?.status {
            TargetStatus::Released => Some("success"),
            TargetStatus::Failed => Some("failure"),
            TargetStatus::Cancelled => Some("cancelled"),
            TargetStatus::Skipped => Some("skipped"),
            TargetStatus::InProgress | TargetStatus::Queued | TargetStatus::Waiting => None,
        });
        let run = target.and_then(|target| target.run.as_ref());
        let error = target.and_then(|target| {
            let failed = target.stage.as_ref().filter(|_| target.status.is_bad());
            target.error.clone().or_else(|| failed.and_then(|stage| stage.message.clone()))
        });
        json!({
            "name": name,
            "repository": ready.target.repository,
            "status": status.replace(' ', "_"),
            "conclusion": conclusion,
            "run_id": run.map(|run| run.id),
            "run_url": run.and_then(|run| run.url.as_deref()).or(start.and_then(|start| start.run_url.as_deref())),
            "error": error,
        })
    }
}

/// What the stage that decides how a target stands had to say: `: timed out`.
fn said(target: &TicketTarget) -> String {
    let said = target.stage.as_ref().and_then(|stage| stage.message.as_deref());
    said.map(|said| format!(": {}", text::first_line(said))).unwrap_or_default()
}

fn summary(state: &Ticket) -> String {
    let rows = state.targets.iter().map(|(name, target)| {
        let run = target.run.as_ref().and_then(|run| run.url.as_deref()).unwrap_or_default();
        format!("- **{}** {}\n", text::inline(name), text::link(board::shown(target.status), run))
    });
    rows.collect()
}
