//! A target's progress in the room of a row: its stages, the message of the stage that decides, or the targets and
//! gates that it waits for.

use std::cmp::Reverse;

use super::{NO_BREAK_SPACE, bold, reason_text, silent_login};
use crate::names::TargetName;
use crate::ticket::reason::{Reason, and};
use crate::ticket::state::{Stage, Target, Ticket};
use crate::ticket::status::{Status, TargetStatus, Word};
use crate::ticket::text;

/// The most characters of the stages; the least important ones beyond that are only counted.
const STAGES_LIMIT: usize = 36;

/// The most characters of a stage's name.
const NAME_LIMIT: usize = 24;

/// The most characters of the stages and the message, which is cut to its first line.
const LIMIT: usize = 46;

/// The room of a message behind long names of stages.
const MESSAGE_LIMIT: usize = 20;

/// The most targets that are listed as needs.
const NEEDS_LIMIT: usize = 4;

/// The target's progress. A message that is in `situation`, the box above the table, is not repeated.
pub(super) fn progress(ticket: &Ticket, name: &TargetName, target: &Target, situation: &str) -> String {
    if target.status == TargetStatus::Waiting {
        return wait_text(ticket, name, target, bold);
    }
    if let Some(decision) = decision(target) {
        return decision;
    }
    let stages = stages(target);
    let attempt = target.run.as_ref().map(|run| run.attempt);
    let attempt = attempt.filter(|attempt| *attempt > 1 && !target.status.is_released());
    let attempt = attempt.map(|attempt| format!("attempt{NO_BREAK_SPACE}{attempt}"));
    let message = target.stage.as_ref().and_then(|stage| stage.message.clone());
    let message = message.or_else(|| reason_text(ticket, name, target));
    // The box names the reviewers.
    let message =
        message.filter(|message| !message.trim().is_empty() && target.status != TargetStatus::Review);
    let room = LIMIT.saturating_sub(text::length(&stages)).max(MESSAGE_LIMIT);
    let message = message.map(|message| brief(text::first_line(&message), room));
    let message = message.filter(|message| !says(situation, name, message));
    let parts = [attempt, Some(stages).filter(|stages| !stages.is_empty()), message];
    parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
}

/// The person who holds or has skipped the target, with the reason.
fn decision(target: &Target) -> Option<String> {
    match target.reason.as_ref()?.as_known()? {
        Reason::OnHold { by, why } | Reason::Skipped { by, why } => {
            let why = why.as_deref().map(|why| format!(": {}", brief(text::first_line(why), LIMIT)));
            Some(format!("by {}{}", silent_login(by), why.unwrap_or_default()))
        }
        _ => None,
    }
}

/// The targets, gates or freeze that a target waits for: `after web; cli failed; 🚦 go`. `render` renders a name.
pub(super) fn wait_text(
    ticket: &Ticket,
    name: &TargetName,
    target: &Target,
    render: impl Fn(&TargetName) -> String,
) -> String {
    let gates = ticket.closed_gates(name, &target.needs);
    let gates = gates.iter().map(|standing| format!("{} {}", standing.emoji(), render(&standing.gate.name)));
    let clauses: Vec<String> = need_clauses(ticket, target, &render).into_iter().chain(gates).collect();
    if !clauses.is_empty() {
        return clauses.join("; ");
    }
    if let Some(Word::Known(Reason::Frozen { to, why })) = &target.reason {
        let why = why.as_deref().map(|why| format!(": {}", brief(text::first_line(why), LIMIT)));
        return format!("until {}{}", to.format("%Y-%m-%d %H:%M UTC"), why.unwrap_or_default());
    }
    // Its needs were released after the last dispatch.
    let starts = if target.follower.is_some() { "starts next" } else { "ready for the next dispatch" };
    starts.to_owned()
}

/// The targets that it waits for: a clause for those under way, for the failed and for the cancelled ones.
fn need_clauses(ticket: &Ticket, target: &Target, name: impl Fn(&TargetName) -> String) -> Vec<String> {
    let needs: Vec<_> = ticket.unreleased_needs(&target.needs).collect();
    if needs.is_empty() {
        return Vec::new();
    }
    let needs_with = |fits: &dyn Fn(Option<TargetStatus>) -> bool| -> Vec<&TargetName> {
        needs.iter().filter(|(_, status)| fits(*status)).map(|(name, _)| *name).collect()
    };
    let open_needs = needs_with(&|status| !status.is_some_and(TargetStatus::is_bad));
    let mut failed_needs = needs_with(&|status| status == Some(TargetStatus::Failed));
    let mut cancelled_needs = needs_with(&|status| status == Some(TargetStatus::Cancelled));
    if failed_needs.is_empty() && cancelled_needs.is_empty() {
        // A need of its needs may block it.
        match ticket.blocker(&target.needs) {
            Some((name, TargetStatus::Cancelled)) => cancelled_needs.push(name),
            Some((name, _)) => failed_needs.push(name),
            None => {}
        }
    }
    let was = if cancelled_needs.len() > 1 { " were cancelled" } else { " was cancelled" };
    let clauses = [("after ", open_needs, ""), ("", failed_needs, " failed"), ("", cancelled_needs, was)];
    let clauses = clauses.iter().filter(|(_, names, _)| !names.is_empty());
    clauses.map(|(before, names, after)| format!("{before}{}{after}", join_needs(names, &name))).collect()
}

/// `web, api and 3 more`
fn join_needs(names: &[&TargetName], name: impl Fn(&TargetName) -> String) -> String {
    let more = names.len().saturating_sub(NEEDS_LIMIT);
    let names = names.iter().take(NEEDS_LIMIT).map(|need| name(need));
    and(&names.chain((more > 0).then(|| format!("{more} more"))).collect::<Vec<_>>())
}

/// The stages that fit: `✅ build ✅ test 🔄 publish`. Blank if the target is released and all its stages went well.
fn stages(target: &Target) -> String {
    if target.status.is_released() && target.stages.iter().all(|stage| stage.status.is_good()) {
        return String::new();
    }
    let stages = stages_in_order(target);
    let mut by_weight: Vec<usize> = (0..stages.len()).collect();
    by_weight.sort_by_key(|at| (*at + 1 < stages.len(), weight(&stages[*at].status), Reverse(*at)));
    let mut length = 0;
    let (mut fitting, left_out): (Vec<usize>, Vec<usize>) = by_weight.into_iter().partition(|at| {
        let is_first = length == 0;
        length += text::length(&stage_text(stages[*at])) + 1;
        is_first || length <= STAGES_LIMIT
    });
    fitting.sort_unstable();
    let more = more(left_out.iter().map(|at| stages[*at]));
    more.into_iter().chain(fitting.iter().map(|at| stage_text(stages[*at]))).collect::<Vec<_>>().join(" ")
}

/// The stages in the order of their reports; the stage that decides comes last.
fn stages_in_order(target: &Target) -> Vec<&Stage> {
    let decides = target.stage.as_ref();
    let is_other = |stage: &&Stage| decides.is_none_or(|decides| decides.name != stage.name);
    target.stages.iter().filter(is_other).chain(decides).collect()
}

/// `✅ 3 more`
fn more<'a>(left_out: impl ExactSizeIterator<Item = &'a Stage>) -> Option<String> {
    let count = left_out.len();
    let all_good = left_out.into_iter().all(|stage| stage.status.is_good());
    let emoji = if all_good { emoji(&Status::Success.into()) } else { "…" };
    (count > 0).then(|| format!("{emoji}{NO_BREAK_SPACE}{count}{NO_BREAK_SPACE}more"))
}

fn stage_text(stage: &Stage) -> String {
    format!("{}{NO_BREAK_SPACE}{}", emoji(&stage.status), brief(&stage.name, NAME_LIMIT))
}

fn emoji(status: &Word<Status>) -> &'static str {
    status.label().split_once(' ').map_or("", |(emoji, _)| emoji)
}

/// The rank of a status: stages that need a person come first, then unfinished ones.
fn weight(status: &Word<Status>) -> u8 {
    match status {
        Word::Known(Status::Failure | Status::Cancelled) => 0,
        Word::Newer(_) => 1,
        Word::Known(Status::InProgress) => 2,
        Word::Known(Status::Queued) => 3,
        Word::Known(Status::Success | Status::Skipped) => 4,
    }
}

/// Whether the box has this message about the target.
fn says(situation: &str, name: &TargetName, message: &str) -> bool {
    let (name, message) = (bold(name), message.trim_end_matches('…').trim_end());
    situation.lines().any(|line| line.contains(&name) && line.contains(message))
}

/// One line of at most `limit` characters, cut between words if possible. Its mark of the cut is shorter than that of
/// [`text::cut`].
fn brief(text: &str, limit: usize) -> String {
    if text::length(text) <= limit {
        return text::inline(text);
    }
    let mut length = 1;
    let beginning = text.chars().take_while(|c| {
        length += c.len_utf16();
        length <= limit
    });
    let beginning: String = beginning.collect();
    let words = beginning.rsplit_once(' ').map_or("", |(words, _)| words);
    format!("{}…", text::inline(if 2 * words.len() > beginning.len() { words } else { &beginning }))
}
