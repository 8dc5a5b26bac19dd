//! The verbs that take targets: the targets to which each applies, and the reasons why not to others.

use super::Resolution;
use crate::command::About;
use crate::engine::view::View;
use crate::names::TargetName;
use crate::problem::{Problem, Topic};
use crate::targets::enumeration;
use crate::ticket::decision::{CancelledRun, RetriedStart};
use crate::ticket::{FollowedRun, StartState, Target, TargetStatus};

/// The result of a verb for a target: a value if it applies, else the reason with a help.
type Finding<T> = Result<T, Obstacle>;

/// The reason why a verb does not apply to a target.
struct Obstacle {
    what: String,
    help: String,
}

fn obstacle<T>(what: impl Into<String>, help: impl Into<String>) -> Finding<T> {
    Err(Obstacle { what: what.into(), help: help.into() })
}

/// Applies `find` to the targets that a command is about: to all names of the command, else to every target to which it
/// applies.
///
/// # Errors
///
/// It does not apply to a name of the command, or to no target at all.
fn each<T>(
    view: &View<'_>,
    about: &About,
    nothing: &str,
    find: impl Fn(&TargetName, Option<&Target>) -> Finding<T>,
) -> Result<Vec<(TargetName, T)>, Problem> {
    let find = |name: &TargetName| find(name, view.ticket.targets.get(name));
    let (mut matches, mut reasons, mut helps) = (Vec::new(), Vec::new(), Vec::new());
    for name in names(view, about) {
        match find(&name) {
            Ok(value) => matches.push((name, value)),
            Err(Obstacle { what, help }) => {
                reasons.push(format!("`{name}` {what}"));
                helps.push(help);
            }
        }
    }
    let is_named = matches!(about, About::These(_));
    if is_named && !reasons.is_empty() {
        helps.dedup();
        return Err(Problem::new(reasons.join("; ")).help(Topic::Command, helps.join("; ")));
    }
    if matches.is_empty() {
        let help = "comment `/release status` to see the state of the targets";
        return Err(Problem::new(nothing.to_owned()).help(Topic::Command, help));
    }
    Ok(matches)
}

fn names(view: &View<'_>, about: &About) -> Vec<TargetName> {
    match about {
        About::These(names) => names.iter().cloned().collect(),
        About::Default | About::All => {
            let older = view.ticket.targets.keys().filter(|name| !view.request.target_names.contains(name));
            view.request.target_names.iter().chain(older).cloned().collect()
        }
    }
}

/// The targets that start again, each with the claim that started its failed run.
pub(super) fn retry(view: &View<'_>, about: &About) -> Result<Resolution, Problem> {
    let targets = each(view, about, "no target has failed or was cancelled", |name, target| {
        let Some(target) = target.filter(|target| target.status.is_bad()) else {
            return retry_obstacle(name, target);
        };
        if !view.request.targets.iter().any(|ready| ready.name() == name) {
            return obstacle(
                "is left out by this workflow",
                "name it in `only`, and keep it in the targets file",
            );
        }
        if target.followed_run.as_ref().is_some_and(|run| !run.has_ended()) {
            let help = format!("wait until it has ended, or comment `/release cancel {name}` first");
            return obstacle("has failed, but its run is still in progress", help);
        }
        Ok(view.failed_claim(name))
    })?;
    let names = targets.iter().map(|(name, _)| name.clone()).collect();
    // A target that was never started needs no entry: it is started anyway.
    let retries =
        targets.into_iter().filter_map(|(target, after)| Some(RetriedStart { target, after: after? }));
    Ok(Resolution { names, retries: retries.collect(), ..Resolution::default() })
}

fn retry_obstacle<T>(name: &TargetName, target: Option<&Target>) -> Finding<T> {
    match target.map(|target| target.status) {
        Some(TargetStatus::Skipped) => {
            obstacle("is skipped", format!("comment `/release resume {name}` first"))
        }
        Some(TargetStatus::OnHold) => {
            obstacle("has not failed: it is on hold", format!("comment `/release resume {name}`"))
        }
        Some(status) => obstacle(
            format!("has not failed: it is {}", status.word()),
            "a retry is for targets that failed or were cancelled",
        ),
        None => obstacle("was never started", "a retry is for targets that failed or were cancelled"),
    }
}

/// The runs to cancel.
pub(super) fn cancel(view: &View<'_>, about: &About) -> Result<Resolution, Problem> {
    let targets = each(view, about, "no run of this ticket is under way", |name, target| {
        let status = target.map(|target| target.status);
        let has_ended = |run: &FollowedRun| run.has_ended();
        let goes_on = |target: &&Target| {
            target.status.is_under_way() || target.followed_run.as_ref().is_some_and(|run| !has_ended(run))
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
    let names = targets.iter().map(|(name, _)| name.clone()).collect();
    let cancels = targets.into_iter().map(|(target, (repository, run, attempt))| CancelledRun {
        target,
        repository,
        run,
        attempt,
    });
    Ok(Resolution { names, cancels: cancels.collect(), ..Resolution::default() })
}

/// The targets that count as done without a run.
pub(super) fn skip(view: &View<'_>, about: &About) -> Result<Vec<TargetName>, Problem> {
    let targets = each(view, about, "no target is left to skip", |name, target| {
        match target.map(|target| target.status) {
            Some(status) if status.is_released() => {
                obstacle(format!("is already {}", status.word()), "nothing is left to do for it")
            }
            Some(status) if status.is_under_way() => obstacle(
                format!("is {}", status.word()),
                format!("comment `/release cancel {name}` first, and skip it then"),
            ),
            _ if view.ticket.skip_of(name).is_some() => {
                obstacle("is already skipped", "nothing is left to do for it")
            }
            _ => Ok(()),
        }
    })?;
    Ok(targets.into_iter().map(|(name, ())| name).collect())
}

/// The targets that wait until they are resumed; empty for all.
pub(super) fn hold(view: &View<'_>, about: &About) -> Result<Vec<TargetName>, Problem> {
    let About::These(_) = about else { return Ok(Vec::new()) };
    let targets = each(view, about, "no target is left to hold", |_, target| match target {
        Some(target) if target.status.is_released() => {
            obstacle(format!("is already {}", target.status.word()), "nothing is left to do for it")
        }
        _ => Ok(()),
    })?;
    Ok(targets.into_iter().map(|(name, ())| name).collect())
}

/// The targets that go on; empty for all.
pub(super) fn resume(view: &View<'_>, about: &About) -> Result<Vec<TargetName>, Problem> {
    let is_stopped =
        |name: &TargetName| view.ticket.hold_of(name).is_some() || view.ticket.skip_of(name).is_some();
    if let About::These(_) = about {
        let targets = each(view, about, "", |name, _| {
            if is_stopped(name) {
                return Ok(());
            }
            obstacle("is neither on hold nor skipped", "comment `/release status` to see what it waits for")
        })?;
        return Ok(targets.into_iter().map(|(name, ())| name).collect());
    }
    let holds = names(view, about).into_iter().filter(|name| view.ticket.hold_of(name).is_some());
    if holds.count() > 0 {
        return Ok(Vec::new());
    }
    let skipped_targets: Vec<TargetName> =
        names(view, about).into_iter().filter(|name| view.ticket.skip_of(name).is_some()).collect();
    let help = if skipped_targets.is_empty() {
        "comment `/release status` to see what the release waits for".to_owned()
    } else {
        let names = enumeration(skipped_targets.iter().map(TargetName::as_str));
        let (verb, them) = if skipped_targets.len() == 1 { ("is", "it") } else { ("are", "them") };
        format!("{names} {verb} skipped: name {them}, as in `/release resume {}`", skipped_targets[0])
    };
    Err(Problem::new("nothing is on hold").help(Topic::Command, help))
}
