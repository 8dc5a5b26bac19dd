//! From the step's inputs to a request: the ticket, the texts and the targets, read and checked before
//! the first effect. All that is wrong is reported at once.

use std::collections::BTreeSet;

use super::asker::Asker;
use super::closed::Release;
use super::outlook::Outlook;
use super::preflight::{self, template_problem};
use super::{Hub, asked, gates, lookup};
use crate::engine::request::Asked;
use crate::engine::wording::Wording;
use crate::engine::{Claim, Follow, Known, Patience, Publish, Request, Retry};
use crate::github::Needs;
use crate::github::needs::{Level, Permission};
use crate::inputs::{self, ClaimMode, DispatchInputs, Listing};
use crate::names::{Login, TargetName};
use crate::problem::{Problem, excerpt};
use crate::targets::{self, Listed, Target, did_you_mean};
use crate::template::{self, HubValues, Reads, RunValues, Values};
use crate::ticket::release::is_tag;
use crate::ticket::{Key, text};
use crate::workspace::{self, FileError};

/// A release is quoted up to this length.
const QUOTE_LIMIT: usize = 60;

/// Reads and checks everything before the first effect, and notes in `outlook` what is known on the way.
///
/// # Errors
///
/// With all problems, in the order of their places.
pub(super) async fn prepare(
    hub: Hub<'_>,
    asker: &Asker,
    outlook: &mut Outlook,
) -> Result<(Request, Known), Vec<Problem>> {
    let Hub { job, common, inputs, github } = hub;
    let mut named = lookup::read_named(hub).await?;
    let of_step = Reads::of(templates(inputs));
    named.approve(hub, &of_step).await?;
    let mut wording = wording(hub, &named);
    if let Some(template) = &inputs.release {
        wording.values.release = release(&wording, template)?;
    }
    let listed = list_targets(hub, &wording).await?;
    wording.body = body_template(hub).await?;
    let names: Vec<TargetName> = listed.targets.iter().map(|target| target.name.clone()).collect();
    let is_member = async |organization: &str, slug: &str, login: &Login| {
        github.is_team_member(organization, slug, login).await
    };
    let command = asked::asked(asker, &names, &listed.rules, is_member).await?;
    // Where the list has problems, it may lack the names that a command is refused for.
    if let (Asker::Command(given), Some(asked @ Asked { command: Err(_), .. })) = (asker, &command)
        && listed.problems.is_empty()
    {
        return Ok(asked::refused(hub, given, asked.clone(), wording));
    }
    let mut problems = Vec::new();
    let only = only(hub, &wording, &listed).unwrap_or_else(|found| {
        problems.extend(found);
        None
    });
    wording.values.targets = names.iter().map(ToString::to_string).collect();
    let is_meant = |name: &TargetName| only.as_ref().is_none_or(|only| only.contains(name));
    let targets: Vec<_> = listed.targets.iter().filter(|target| is_meant(&target.name)).cloned().collect();
    let of_ticket = of_step.and(Reads::of(wording.body.as_deref()));
    let reads = of_ticket.clone().and(Reads::of(of_inputs(&targets)));
    named.approve(hub, &reads).await?;
    wording.values.form.clone_from(&named.approved.answers);
    named.inputs.explain(&reads);
    // Later dispatches start the others.
    let recorded = named.inputs.to_record(&of_ticket.and(Reads::of(of_inputs(&listed.targets))));
    github.tokens().need(preflight::needs(&targets));
    outlook.targets = targets.iter().map(|target| (target.name.clone(), target.repository.clone())).collect();
    let meant = targets.iter().map(|target| target.name.clone()).collect();
    let unrecorded = named.approved.unrecorded.clone();
    let key = wording.release().map_or(Key::Run(job.run), Key::Release);
    let release = Release { hub, key: &key, wording: &wording, listed: &listed.targets, meant: &meant };
    let find = async {
        let found = lookup::find(release, named).await;
        outlook.ticket = found.as_ref().ok().and_then(lookup::Found::open_ticket);
        found
    };
    // The ticket is found before the targets are checked.
    let (reached, found) = tokio::join!(preflight::reach(targets, hub), find);
    let (targets, unreachable) = reached;
    let is_listed = listed.problems.is_empty();
    problems.extend(gates::check(github, &listed.rules, &targets).await);
    problems.extend(listed.problems);
    problems.extend(unreachable);
    problems.extend(wording.check().iter().map(|error| template_problem("the ticket's text", error)));
    problems.extend(preflight::check_inputs(&targets, &wording, github));
    let claim = claim(hub).unwrap_or_else(|found| {
        problems.extend(found);
        Claim::Comment
    });
    let publish = publish(hub, &wording).unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    // What a person decides is recorded although nothing can be started: a hold holds.
    let is_recorded = command.is_some() && is_listed;
    if !problems.is_empty() && !is_recorded {
        return Err(problems);
    }
    let known = found?.known();
    wording.assumes_outputs = false;
    let request = Request {
        by: common.writer(job),
        run_url: job.run_url(),
        workflow_url: job.workflow_url.clone(),
        pings: inputs.pings.clone(),
        driver: inputs.driver.clone(),
        // Whoever runs the hub's workflow is the driver of a new ticket, and not of one that has a driver.
        is_new_driver: inputs.driver.as_ref() != job.actor.as_ref(),
        release: wording.release(),
        form: unrecorded,
        inputs: recorded,
        rules: Some(listed.rules),
        command,
        obstacles: problems,
        targets,
        listed: names,
        retry: retry(inputs, only.as_ref(), asker),
        follow: inputs.wait.map(|wait| Follow { timeout: wait.timeout, interval: wait.interval }),
        cancel_runs: inputs.cancel_on_timeout,
        close: inputs.close_on_success,
        records: true,
        publish,
        claim,
        max_parallel: inputs.max_parallel,
        patience: Patience::default(),
        wording,
        wind_up: false,
    };
    Ok((request, known))
}

/// The templates that the step itself gives.
fn templates(inputs: &DispatchInputs) -> impl Iterator<Item = &str> {
    fn of<T>(listing: Option<&Listing<T>>) -> Option<&str> {
        match listing? {
            Listing::Template(template) => Some(template),
            Listing::Given(_) => None,
        }
    }
    let texts = [&inputs.release, &inputs.title, &inputs.body].map(Option::as_deref);
    texts.into_iter().chain([of(inputs.targets.as_ref()), of(inputs.only.as_ref())]).flatten()
}

/// The templates of the inputs of targets, and of what is verified of them.
fn of_inputs(targets: &[Target]) -> impl Iterator<Item = &str> {
    let inputs = targets.iter().flat_map(|target| target.inputs.iter().chain(target.verify.templates()));
    inputs.map(|input| input.template.as_str())
}

/// How targets are claimed. A reference needs a commit of the hub: that of the run.
fn claim(hub: Hub<'_>) -> Result<Claim, Vec<Problem>> {
    let Hub { job, common, inputs, .. } = hub;
    match (inputs.claim, &job.sha) {
        (ClaimMode::Comment, _) => Ok(Claim::Comment),
        (ClaimMode::Ref, Some(sha)) if job.repository == common.hub => Ok(Claim::Ref { sha: sha.clone() }),
        (ClaimMode::Ref, _) => {
            let what = format!(
                "`claim: ref` needs a commit of {}, and this run is not one of that repository",
                common.hub
            );
            Err(vec![Problem::new(what).help("dispatch from a workflow of the hub, or leave `claim` out")])
        }
    }
}

/// How the record of the release is published. A tag needs a name that Git takes, and a commit of the hub: that of the
/// run.
fn publish(hub: Hub<'_>, wording: &Wording) -> Result<Option<Publish>, Problem> {
    let Hub { job, common, inputs, .. } = hub;
    if !inputs.publish_release {
        return Ok(None);
    }
    let tag = wording.release();
    if let Some(tag) = tag.as_ref().filter(|tag| !is_tag(tag)) {
        let what = format!("`publish-release`: Git takes no tag `{}`", excerpt(tag, QUOTE_LIMIT));
        return Err(
            Problem::new(what).help("give a `release` such as `1.4.0`, or leave `publish-release` out")
        );
    }
    match &job.sha {
        Some(commit) if job.repository == common.hub => Ok(Some(Publish { tag, commit: commit.clone() })),
        _ => {
            let what = format!(
                "`publish-release` needs a commit of {}, and this run is not one of that repository",
                common.hub
            );
            Err(Problem::new(what)
                .help("dispatch from a workflow of the hub, or leave `publish-release` out"))
        }
    }
}

fn retry(inputs: &DispatchInputs, only: Option<&BTreeSet<TargetName>>, asker: &Asker) -> Retry {
    match (inputs.retry_failed, only) {
        // A command says itself what is started again.
        _ if *asker != Asker::Permitted => Retry::Nothing,
        (true, _) => Retry::Failed,
        (false, Some(_)) => Retry::Named,
        (false, None) => Retry::Nothing,
    }
}

pub(super) fn wording(hub: Hub<'_>, named: &lookup::Named) -> Wording {
    let Hub { job, common, inputs, .. } = hub;
    Wording {
        hub: common.hub.clone(),
        server_url: job.server_url.clone(),
        driver: inputs.driver.clone(),
        labels: inputs.labels.clone(),
        title: inputs.title.clone(),
        body: None,
        values: Values {
            ticket: None,
            hub: HubValues::from(&common.hub),
            target: None,
            targets: Vec::new(),
            release: named.release.clone().unwrap_or_default(),
            driver: template::driver_value(inputs.driver.as_ref()),
            outputs: None,
            run: RunValues { id: job.run.0, attempt: job.attempt, url: job.run_url() },
            inputs: named.inputs.values.clone(),
            input_help: named.inputs.help.clone(),
            form: named.approved.answers.clone(),
            event: job.event.payload().clone(),
        },
        assumes_outputs: true,
    }
}

/// Renders an input that says what is dispatched.
fn early(wording: &Wording, input: &str, template: &str) -> Result<String, Vec<Problem>> {
    wording.early(template).map_err(|error| vec![template_problem(input, &error)])
}

/// The name or version of the release. It stands in the ticket's title, and finds the ticket again.
///
/// # Errors
///
/// When it is not one line that people can read.
fn release(wording: &Wording, template: &str) -> Result<String, Vec<Problem>> {
    let release = early(wording, "`release`", template)?.trim().to_owned();
    let (lines, first) = (release.lines().count(), text::first_line(&release));
    let (what, help) = if lines > 1 {
        (
            format!(
                "`release` takes one line, and has {lines}; the first is `{}`",
                excerpt(first, QUOTE_LIMIT)
            ),
            "give it a name or a version, as from an `input` or a `dropdown` of a form",
        )
    } else if release.contains(text::is_invisible) {
        (
            format!("`release` has invisible characters: {:?}", excerpt(first, QUOTE_LIMIT)),
            "type it again instead of pasting it",
        )
    } else {
        return Ok(release);
    };
    Err(vec![Problem::new(what).help(help)])
}

/// The targets of the step: the input, or the targets file.
///
/// # Errors
///
/// When there is no list of them.
async fn list_targets(hub: Hub<'_>, wording: &Wording) -> Result<Listed, Vec<Problem>> {
    let Hub { job, inputs, .. } = hub;
    match &inputs.targets {
        Some(Listing::Given(targets)) => {
            return Ok(Listed { targets: targets.clone(), ..Listed::default() });
        }
        Some(Listing::Template(template)) => {
            let text = early(wording, "`targets`", template)?;
            if !text.trim().is_empty() {
                return Ok(targets::parse_input(&text, &job.repository, &inputs.defaults));
            }
        }
        None => {}
    }
    let path = &inputs.targets_file;
    let Some(text) = hub_file(hub, path).await? else {
        return Err(vec![
            Problem::new(format!(
                "no targets: the input `targets` is blank, and {} has no `{path}`",
                job.repository
            ))
            .help("list the targets in either of them"),
        ]);
    };
    Ok(targets::parse_file(path, &text, &job.repository, &inputs.defaults))
}

/// The names of the targets that are meant; none: all.
///
/// # Errors
///
/// When it is no list, or names what is no target.
fn only(
    hub: Hub<'_>,
    wording: &Wording,
    listed: &Listed,
) -> Result<Option<BTreeSet<TargetName>>, Vec<Problem>> {
    let given = match &hub.inputs.only {
        None => return Ok(None),
        Some(Listing::Given(names)) => names.clone(),
        Some(Listing::Template(template)) => {
            let text = early(wording, "`only`", template)?;
            if text.trim().is_empty() {
                return Ok(None);
            }
            inputs::list_of(&text).map_err(|error| vec![Problem::new(format!("`only`: {error}"))])?
        }
    };
    let known = || listed.targets.iter().map(|target| &target.name);
    let (mut names, mut problems) = (BTreeSet::new(), Vec::new());
    for name in given {
        match known().find(|known| known.as_str().eq_ignore_ascii_case(name.trim())) {
            Some(name) => {
                names.insert(name.clone());
            }
            None => problems.push(not_a_target(&name, listed)),
        }
    }
    if names.is_empty() && problems.is_empty() {
        let what = "`only` names no target".to_owned();
        problems.push(Problem::new(what).help("name at least one, or leave it blank for all"));
    }
    if problems.is_empty() { Ok(Some(names)) } else { Err(problems) }
}

fn not_a_target(name: &str, listed: &Listed) -> Problem {
    let targets = listed.targets.iter().map(|target| target.name.as_str());
    let mut gates = listed.rules.gates.iter().map(|gate| gate.name.as_str());
    if gates.any(|gate| gate.eq_ignore_ascii_case(name.trim())) {
        let help = format!("name targets: there is {}", targets::listed(targets));
        return Problem::new(format!("`only` names `{name}`, which is a gate")).help(help);
    }
    let what = format!("`only` names `{name}`, which is not a target");
    Problem::new(what).help(did_you_mean(name, targets))
}

/// The template of the ticket's body, if the step gives one.
///
/// # Errors
///
/// When the file that `body-path` names cannot be read.
async fn body_template(hub: Hub<'_>) -> Result<Option<String>, Vec<Problem>> {
    let Hub { job, inputs, .. } = hub;
    if let Some(body) = &inputs.body {
        return Ok(Some(body.clone()));
    }
    let Some(path) = &inputs.body_path else { return Ok(None) };
    match hub_file(hub, path).await? {
        Some(text) => Ok(Some(text)),
        None => Err(vec![Problem::new(format!("`body-path`: {} has no `{path}`", job.repository))]),
    }
}

/// A file of the repository whose workflow runs: from the workspace, else at the run's commit.
async fn hub_file(hub: Hub<'_>, path: &str) -> Result<Option<String>, Vec<Problem>> {
    let Hub { job, github, .. } = hub;
    let refused = |error: FileError| vec![Problem::from(&error)];
    workspace::check_path(path).map_err(refused)?;
    if let Some(workspace) = &job.workspace
        && let Some(text) = workspace::read(workspace, path).map_err(refused)?
    {
        return Ok(Some(text));
    }
    github.tokens().need(Needs::default().must(&job.repository, Permission::Contents, Level::Read));
    let file = github.file(&job.repository, path.trim_start_matches("./"), job.sha.as_deref()).await;
    file.map_err(|error| vec![Problem::of(&format!("cannot read `{path}` of {}", job.repository), &error)])
}
