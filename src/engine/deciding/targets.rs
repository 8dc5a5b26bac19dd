//! The verbs that take targets: to which of them each applies, and why not to the others.

use super::Resolved;
use crate::command::About;
use crate::engine::view::View;
use crate::names::TargetName;
use crate::problem::Problem;
use crate::targets::listed;
use crate::ticket::decision::{CancelledRun, RetriedStart};
use crate::ticket::{FollowedRun, StartState, Target, TargetStatus};

/// What a verb finds about a target: that it applies, or why it does not, with what helps.
type Finding<T> = Result<T, Obstacle>;

/// Why a verb does not apply to a target.
struct Obstacle {
    what: String,
    help: String,
}

fn obstacle<T>(what: impl Into<String>, help: impl Into<String>) -> Finding<T> {
    Err(Obstacle { what: what.into(), help: help.into() })
}

/// Applies `find` to the targets that a command is about: to all that are named, or to whichever it can.
///
/// # Errors
///
/// When it does not apply to one that is named, or to any.
fn each<T>(
    view: &View<'_>,
    about: &About,
    nothing: &str,
    find: impl Fn(&TargetName, Option<&Target>) -> Finding<T>,
) -> Result<Vec<(TargetName, T)>, Problem> {
    let find = |name: &TargetName| find(name, view.ticket.targets.get(name));
    let (mut found, mut whats, mut helps) = (Vec::new(), Vec::new(), Vec::new());
    for name in names(view, about) {
        match find(&name) {
            Ok(value) => found.push((name, value)),
            Err(Obstacle { what, help }) => {
                whats.push(format!("`{name}` {what}"));
                helps.push(help);
            }
        }
    }
    let is_named = matches!(about, About::These(_));
    if is_named && !whats.is_empty() {
        helps.dedup();
        return Err(Problem::new(whats.join("; ")).help(helps.join("; ")));
    }
    if found.is_empty() {
        return Err(
            Problem::new(nothing.to_owned()).help("comment `/release status` for how the targets stand")
        );
    }
    Ok(found)
}

fn names(view: &View<'_>, about: &About) -> Vec<TargetName> {
    match about {
        About::These(names) => names.iter().cloned().collect(),
        About::Default | About::All => {
            let older = view.ticket.targets.keys().filter(|name| !view.request.listed.contains(name));
            view.request.listed.iter().chain(older).cloned().collect()
        }
    }
}

/// What is started again: each with the claim that started its failed run.
pub(super) fn retry(view: &View<'_>, about: &About) -> Result<Resolved, Problem> {
    let found = each(view, about, "nothing has failed or was cancelled", |name, target| {
        let Some(target) = target.filter(|target| target.status.is_bad()) else {
            return not_failed(name, target);
        };
        if !view.request.targets.iter().any(|ready| ready.name() == name) {
            return obstacle(
                "is left out by this workflow",
                "name it in `only`, and keep it in the targets file",
            );
        }
        if target.followed.as_ref().is_some_and(|run| !run.has_ended()) {
            let help = format!("wait until it has ended, or comment `/release cancel {name}` first");
            return obstacle("has failed, and its run goes on", help);
        }
        Ok(view.failed_claim(name))
    })?;
    let names = found.iter().map(|(name, _)| name.clone()).collect();
    // A target that was never started is started anyway.
    let retries =
        found.into_iter().filter_map(|(target, after)| Some(RetriedStart { target, after: after? }));
    Ok(Resolved { names, retries: retries.collect(), ..Resolved::default() })
}

fn not_failed<T>(name: &TargetName, target: Option<&Target>) -> Finding<T> {
    match target.map(|target| target.status) {
        Some(TargetStatus::Skipped) => {
            obstacle("is skipped", format!("comment `/release resume {name}` first"))
        }
        Some(TargetStatus::OnHold) => {
            obstacle("is on hold, and has not failed", format!("comment `/release resume {name}`"))
        }
        Some(status) => obstacle(
            format!("is {}, and has not failed", status.word()),
            "a retry is for targets that failed or were cancelled",
        ),
        None => obstacle("was never started", "a retry is for targets that failed or were cancelled"),
    }
}

/// The runs that are cancelled.
pub(super) fn cancel(view: &View<'_>, about: &About) -> Result<Resolved, Problem> {
    let found = each(view, about, "no run of this ticket is under way", |name, target| {
        let status = target.map(|target| target.status);
        let has_ended = |run: &FollowedRun| run.has_ended();
        let goes_on = |target: &&Target| {
            target.status.is_under_way() || target.followed.as_ref().is_some_and(|run| !has_ended(run))
        };
        let Some(target) = target.filter(goes_on) else {
            let what =
                status.map_or("was never started".to_owned(), |status| format!("is {}", status.word()));
            return obstacle(what, format!("comment `/release hold {name}` to keep it from being started"));
        };
        let start = target.start.as_ref().filter(|start| start.state == StartState::Started);
        match (&target.run, start) {
            (Some(run), Some(start)) if start.run == Some(run.id) => {
                Ok((run.repository.clone(), run.id, run.attempt))
            }
            (Some(run), _) => {
                let url = run.url.as_deref().unwrap_or_default();
                obstacle(
                    "has a run that no dispatch of this ticket started",
                    format!("cancel it there: {url}"),
                )
            }
            (None, _) => obstacle(
                "has no run that GitHub has named",
                format!("look at the runs of {}, and cancel it there", target.repository),
            ),
        }
    })?;
    let names = found.iter().map(|(name, _)| name.clone()).collect();
    let cancels = found.into_iter().map(|(target, (repository, run, attempt))| CancelledRun {
        target,
        repository,
        run,
        attempt,
    });
    Ok(Resolved { names, cancels: cancels.collect(), ..Resolved::default() })
}

/// The targets that count as over.
pub(super) fn skip(view: &View<'_>, about: &About) -> Result<Vec<TargetName>, Problem> {
    let found = each(view, about, "nothing is left that could be skipped", |name, target| {
        match target.map(|target| target.status) {
            Some(status) if status.is_released() => {
                obstacle(format!("is {} already", status.word()), "nothing has to be done about it")
            }
            Some(status) if status.is_under_way() => obstacle(
                format!("is {}", status.word()),
                format!("comment `/release cancel {name}` first, and skip it then"),
            ),
            _ if view.ticket.skip_of(name).is_some() => {
                obstacle("is skipped already", "nothing has to be done about it")
            }
            _ => Ok(()),
        }
    })?;
    Ok(found.into_iter().map(|(name, ())| name).collect())
}

/// The targets that wait until they are resumed; none: all.
pub(super) fn hold(view: &View<'_>, about: &About) -> Result<Vec<TargetName>, Problem> {
    let About::These(_) = about else { return Ok(Vec::new()) };
    let found = each(view, about, "nothing is left that could be held", |_, target| match target {
        Some(target) if target.status.is_released() => {
            obstacle(format!("is {} already", target.status.word()), "nothing has to be done about it")
        }
        _ => Ok(()),
    })?;
    Ok(found.into_iter().map(|(name, ())| name).collect())
}

/// The targets that go on; none: all.
pub(super) fn resume(view: &View<'_>, about: &About) -> Result<Vec<TargetName>, Problem> {
    let is_stopped =
        |name: &TargetName| view.ticket.hold_of(name).is_some() || view.ticket.skip_of(name).is_some();
    if let About::These(_) = about {
        let found = each(view, about, "", |name, _| {
            if is_stopped(name) {
                return Ok(());
            }
            obstacle("is neither on hold nor skipped", "comment `/release status` for what it waits for")
        })?;
        return Ok(found.into_iter().map(|(name, ())| name).collect());
    }
    let held = names(view, about).into_iter().filter(|name| view.ticket.hold_of(name).is_some());
    if held.count() > 0 {
        return Ok(Vec::new());
    }
    let skipped: Vec<TargetName> =
        names(view, about).into_iter().filter(|name| view.ticket.skip_of(name).is_some()).collect();
    let help = if skipped.is_empty() {
        "comment `/release status` for what the release waits for".to_owned()
    } else {
        let names = listed(skipped.iter().map(TargetName::as_str));
        let (verb, them) = if skipped.len() == 1 { ("is", "it") } else { ("are", "them") };
        format!("{names} {verb} skipped: name {them}, as in `/release resume {}`", skipped[0])
    };
    Err(Problem::new("nothing is on hold".to_owned()).help(help))
}
