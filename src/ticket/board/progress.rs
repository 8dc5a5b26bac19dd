//! How far a target is, as far as a row has room for it: its stages, what was said of the one that
//! decides, or what it waits for.

use std::cmp::Reverse;

use super::{NO_BREAK_SPACE, because, bold, unpinged};
use crate::names::TargetName;
use crate::ticket::reason::{Reason, and};
use crate::ticket::state::{Stage, Target, Ticket};
use crate::ticket::status::{Status, TargetStatus, Word};
use crate::ticket::text;

/// Stages are listed up to this length; those that matter least are counted only.
const STAGES_LIMIT: usize = 36;

/// A stage's name is cut at this length.
const NAME_LIMIT: usize = 24;

/// A message is its first line, cut so that it ends here.
const LIMIT: usize = 46;

/// A message is no shorter for long names of stages.
const MESSAGE_LIMIT: usize = 20;

/// As many targets are listed that one waits for.
const AWAITED_LISTED: usize = 4;

/// How far the target is. What `situation`, the box above the table, says of it is not said again.
pub(super) fn progress(ticket: &Ticket, name: &TargetName, target: &Target, situation: &str) -> String {
    if target.status == TargetStatus::Waiting {
        return waits(ticket, name, target, bold);
    }
    if let Some(decided) = decided(target) {
        return decided;
    }
    let stages = stages(target);
    let attempt = target.run.as_ref().map(|run| run.attempt);
    let attempt = attempt.filter(|attempt| *attempt > 1 && !target.status.is_released());
    let attempt = attempt.map(|attempt| format!("attempt{NO_BREAK_SPACE}{attempt}"));
    let said = target.stage.as_ref().and_then(|stage| stage.message.clone());
    let said = said.or_else(|| because(ticket, name, target));
    // The box says who has to approve what.
    let said = said.filter(|said| !said.trim().is_empty() && target.status != TargetStatus::Review);
    let room = LIMIT.saturating_sub(text::length(&stages)).max(MESSAGE_LIMIT);
    let said = said.map(|said| brief(text::first_line(&said), room));
    let said = said.filter(|said| !says(situation, name, said));
    let parts = [attempt, Some(stages).filter(|stages| !stages.is_empty()), said];
    parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
}

/// Who has decided that the target is held or skipped, and why.
fn decided(target: &Target) -> Option<String> {
    match target.because.as_ref()?.known()? {
        Reason::OnHold { by, why } | Reason::Skipped { by, why } => {
            let why = why.as_deref().map(|why| format!(": {}", brief(text::first_line(why), LIMIT)));
            Some(format!("by {}{}", unpinged(by), why.unwrap_or_default()))
        }
        _ => None,
    }
}

/// What a target waits for: `after web; cli failed; 🚦 go`. `render` renders the name of another target.
pub(super) fn waits(
    ticket: &Ticket,
    name: &TargetName,
    target: &Target,
    render: impl Fn(&TargetName) -> String,
) -> String {
    let gates = ticket.closed_gates(name, &target.needs);
    let gates = gates.iter().map(|of| format!("{} {}", of.emoji(), render(&of.gate.name)));
    let clauses: Vec<String> = awaits(ticket, target, &render).into_iter().chain(gates).collect();
    if !clauses.is_empty() {
        return clauses.join("; ");
    }
    if let Some(Word::Known(Reason::Frozen { to, why })) = &target.because {
        let why = why.as_deref().map(|why| format!(": {}", brief(text::first_line(why), LIMIT)));
        return format!("until {}{}", to.format("%Y-%m-%d %H:%M UTC"), why.unwrap_or_default());
    }
    // What it waited for was released, and no dispatch has looked since.
    let starts = if target.follower.is_some() { "starts next" } else { "ready for the next dispatch" };
    starts.to_owned()
}

/// The targets that it waits for, in as many clauses.
fn awaits(ticket: &Ticket, target: &Target, name: impl Fn(&TargetName) -> String) -> Vec<String> {
    let awaited: Vec<_> = ticket.awaited(&target.needs).collect();
    if awaited.is_empty() {
        return Vec::new();
    }
    let with = |fits: &dyn Fn(Option<TargetStatus>) -> bool| -> Vec<&TargetName> {
        awaited.iter().filter(|(_, status)| fits(*status)).map(|(name, _)| *name).collect()
    };
    let open = with(&|status| !status.is_some_and(TargetStatus::is_bad));
    let mut failed = with(&|status| status == Some(TargetStatus::Failed));
    let mut cancelled = with(&|status| status == Some(TargetStatus::Cancelled));
    if failed.is_empty() && cancelled.is_empty() {
        // A target further back may be the one that holds it up.
        match ticket.held_up_by(&target.needs) {
            Some((name, TargetStatus::Cancelled)) => cancelled.push(name),
            Some((name, _)) => failed.push(name),
            None => {}
        }
    }
    let was = if cancelled.len() > 1 { " were cancelled" } else { " was cancelled" };
    let clauses = [("after ", open, ""), ("", failed, " failed"), ("", cancelled, was)];
    let filled = clauses.iter().filter(|(_, names, _)| !names.is_empty());
    filled.map(|(before, names, after)| format!("{before}{}{after}", listed(names, &name))).collect()
}

/// `web, api and 3 more`
fn listed(names: &[&TargetName], name: impl Fn(&TargetName) -> String) -> String {
    let more = names.len().saturating_sub(AWAITED_LISTED);
    let names = names.iter().take(AWAITED_LISTED).map(|of| name(of));
    and(&names.chain((more > 0).then(|| format!("{more} more"))).collect::<Vec<_>>())
}

/// `✅ build ✅ test 🔄 publish`: as many stages as a row has room for. Of a target that is released, and whose
/// stages all went well, they say nothing more.
fn stages(target: &Target) -> String {
    if target.status.is_released() && target.stages.iter().all(|stage| stage.status.is_good()) {
        return String::new();
    }
    let stages = shown(target);
    let mut by_weight: Vec<usize> = (0..stages.len()).collect();
    by_weight.sort_by_key(|at| (*at + 1 < stages.len(), weight(&stages[*at].status), Reverse(*at)));
    let mut length = 0;
    let (mut listed, left_out): (Vec<usize>, Vec<usize>) = by_weight.into_iter().partition(|at| {
        let is_first = length == 0;
        length += text::length(&stage_text(stages[*at])) + 1;
        is_first || length <= STAGES_LIMIT
    });
    listed.sort_unstable();
    let more = more(left_out.iter().map(|at| stages[*at]));
    more.into_iter().chain(listed.iter().map(|at| stage_text(stages[*at]))).collect::<Vec<_>>().join(" ")
}

/// The stages in the order in which they were reported, but the one that decides stands last.
fn shown(target: &Target) -> Vec<&Stage> {
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

/// What somebody has to act on comes first, then what is under way.
fn weight(status: &Word<Status>) -> u8 {
    match status {
        Word::Known(Status::Failure | Status::Cancelled) => 0,
        Word::Newer(_) => 1,
        Word::Known(Status::InProgress) => 2,
        Word::Known(Status::Queued) => 3,
        Word::Known(Status::Success | Status::Skipped) => 4,
    }
}

/// Whether the box says this of the target.
fn says(situation: &str, name: &TargetName, said: &str) -> bool {
    let (name, said) = (bold(name), said.trim_end_matches('…').trim_end());
    situation.lines().any(|line| line.contains(&name) && line.contains(said))
}

/// One line of at most so many characters, which ends between words where it can: a row has less room than the
/// word that says that it is cut.
fn brief(text: &str, limit: usize) -> String {
    if text::length(text) <= limit {
        return text::inline(text);
    }
    let mut used = 1;
    let kept = text.chars().take_while(|c| {
        used += c.len_utf16();
        used <= limit
    });
    let kept: String = kept.collect();
    let words = kept.rsplit_once(' ').map_or("", |(words, _)| words);
    format!("{}…", text::inline(if 2 * words.len() > kept.len() { words } else { &kept }))
}
