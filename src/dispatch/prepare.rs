//! From the step's inputs to a request: the ticket, the texts and the targets, read and checked before
//! the first effect. All problems are reported at once.

use std::collections::BTreeSet;

use super::asker::Asker;
use super::closed_tickets::Release;
use super::outlook::Outlook;
use super::preflight::{self, template_problem};
use super::{Hub, command_request, gates, lookup};
use crate::engine::request::CommandRequest;
use crate::engine::wording::Wording;
use crate::engine::{Claim, Facts, Follow, Patience, Publication, Request, Retry};
use crate::github::Needs;
use crate::github::needs::{Level, Permission};
use crate::inputs::{self, ClaimMode, DispatchInputs, Listing};
use crate::names::{Login, TargetName};
use crate::problem::{Problem, Topic, excerpt};
use crate::targets::{self, Target, TargetList, did_you_mean};
use crate::template::{self, HubValues, Reads, RunValues, Values};
use crate::ticket::release::is_tag;
use crate::ticket::{Key, text};
use crate::workspace::{self, FileError};

/// The longest quotation of a release, in characters.
const QUOTE_LIMIT: usize = 60;

/// Reads and checks everything before the first effect, and fills `outlook` on the way.
///
/// # Errors
///
/// All problems, in the order of their places.
pub(super) async fn prepare(
    hub: Hub<'_>,
    asker: &Asker,
    outlook: &mut Outlook,
) -> Result<(Request, Facts), Vec<Problem>> {
    let Hub { job, common, inputs, github } = hub;
    let mut named_ticket = lookup::read_named_ticket(hub).await?;
    let step_reads = Reads::of(step_templates(inputs));
    named_ticket.approve(hub, &step_reads).await?;
    let mut wording = wording(hub, &named_ticket);
    if let Some(template) = &inputs.release {
        wording.values.release = release(&wording, template)?;
    }
    let list = list_targets(hub, &wording).await?;
    wording.body = body_template(hub).await?;
    let names: Vec<TargetName> = list.targets.iter().map(|target| target.name.clone()).collect();
    let is_member = async |organization: &str, slug: &str, login: &Login| {
        github.is_team_member(organization, slug, login).await
    };
    let command = command_request::read_command(asker, &names, &list.rules, is_member).await?;
    // A list with problems may lack names that the command has: then its refusal may be wrong.
    if let (Asker::Command(comment), Some(refused @ CommandRequest { command: Err(_), .. })) =
        (asker, &command)
        && list.problems.is_empty()
    {
        return Ok(command_request::refusal(hub, comment, refused.clone(), wording));
    }
    let mut problems = Vec::new();
    let only = selected_names(hub, &wording, &list).unwrap_or_else(|errors| {
        problems.extend(errors);
        None
    });
    wording.values.targets = names.iter().map(ToString::to_string).collect();
    let is_selected = |name: &TargetName| only.as_ref().is_none_or(|names| names.contains(name));
    let targets: Vec<_> = list.targets.iter().filter(|target| is_selected(&target.name)).cloned().collect();
    let ticket_reads = step_reads.and(Reads::of(wording.body.as_deref()));
    let reads = ticket_reads.clone().and(Reads::of(input_templates(&targets)));
    named_ticket.approve(hub, &reads).await?;
    wording.values.form.clone_from(&named_ticket.approval.answers);
    named_ticket.inputs.explain(&reads);
    // The record has the inputs of all targets: later dispatches start the others.
    let inputs_to_record =
        named_ticket.inputs.to_record(&ticket_reads.and(Reads::of(input_templates(&list.targets))));
    github.tokens().need(preflight::needs(&targets));
    outlook.targets = targets.iter().map(|target| (target.name.clone(), target.repository.clone())).collect();
    let selection = targets.iter().map(|target| target.name.clone()).collect();
    let new_answers = named_ticket.approval.new_answers.clone();
    let key = wording.release().map_or(Key::Run(job.run), Key::Release);
    let release =
        Release { hub, key: &key, wording: &wording, targets: &list.targets, selection: &selection };
    let find = async {
        let ticket = lookup::find(release, named_ticket).await;
        outlook.ticket = ticket.as_ref().ok().and_then(lookup::TicketChoice::open_ticket);
        ticket
    };
    // The ticket is found before the targets are checked.
    let ((targets, unreachable), ticket) = tokio::join!(preflight::reach(targets, hub), find);
    let is_listed = list.problems.is_empty();
    problems.extend(gates::check(github, &list.rules, &targets).await);
    problems.extend(list.problems);
    problems.extend(unreachable);
    problems.extend(wording.check().iter().map(|error| template_problem("the ticket's text", error)));
    problems.extend(preflight::check_inputs(&targets, &wording, github));
    let claim = claim(hub).unwrap_or_else(|errors| {
        problems.extend(errors);
        Claim::Comment
    });
    let publish = publish(hub, &wording).unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    // A decision is recorded although nothing can be started: a hold holds.
    let is_recorded = command.is_some() && is_listed;
    if !problems.is_empty() && !is_recorded {
        return Err(problems);
    }
    let facts = ticket?.facts();
    wording.assumes_outputs = false;
    let request = Request {
        by: common.writer(job),
        run_url: job.run_url(),
        workflow_url: job.workflow_url.clone(),
        pings: inputs.pings.clone(),
        driver: inputs.driver.clone(),
        // The person who runs the hub's workflow is the driver of a new ticket, and not of one that has a driver.
        is_new_driver: inputs.driver.as_ref() != job.actor.as_ref(),
        release: wording.release(),
        form: new_answers,
        inputs: inputs_to_record,
        rules: Some(list.rules),
        command,
        obstacles: problems,
        targets,
        target_names: names,
        retry: retry(inputs, only.as_ref(), asker),
        follow: inputs.wait.map(|wait| Follow { timeout: wait.timeout, interval: wait.interval }),
        cancel_runs: inputs.cancel_on_timeout,
        close: inputs.close_on_success,
        writes_release_record: true,
        publication: publish,
        claim,
        max_parallel: inputs.max_parallel,
        patience: Patience::default(),
        wording,
        wind_up: false,
    };
    Ok((request, facts))
}

/// The templates in the step's inputs.
fn step_templates(inputs: &DispatchInputs) -> impl Iterator<Item = &str> {
    fn of<T>(listing: Option<&Listing<T>>) -> Option<&str> {
        match listing? {
            Listing::Template(template) => Some(template),
            Listing::List(_) => None,
        }
    }
    let texts = [&inputs.release, &inputs.title, &inputs.body].map(Option::as_deref);
    texts.into_iter().chain([of(inputs.targets.as_ref()), of(inputs.only.as_ref())]).flatten()
}

/// The templates in the inputs and in the verification of targets.
fn input_templates(targets: &[Target]) -> impl Iterator<Item = &str> {
    let inputs = targets.iter().flat_map(|target| target.inputs.iter().chain(target.verify.templates()));
    inputs.map(|input| input.template.as_str())
}

/// The kind of claim. A reference needs a commit of the hub: that of the run.
fn claim(hub: Hub<'_>) -> Result<Claim, Vec<Problem>> {
    let Hub { job, common, inputs, .. } = hub;
    match (inputs.claim, &job.sha) {
        (ClaimMode::Comment, _) => Ok(Claim::Comment),
        (ClaimMode::Ref, Some(sha)) if job.repository == common.hub => Ok(Claim::Ref { sha: sha.clone() }),
        (ClaimMode::Ref, _) => {
            let what = format!(
                "`claim: ref` needs a commit of {}, but this run is not one of that repository",
                common.hub
            );
            let help = "dispatch from a workflow of the hub, or leave `claim` out";
            Err(vec![Problem::new(what).help(Topic::Input, help)])
        }
    }
}

/// The tag and commit for publishing the release's record; `None` if it is not published. Git has to take the tag's
/// name, and the commit is that of the run, in the hub.
fn publish(hub: Hub<'_>, wording: &Wording) -> Result<Option<Publication>, Problem> {
    let Hub { job, common, inputs, .. } = hub;
    if !inputs.publish_release {
        return Ok(None);
    }
    let tag = wording.release();
    if let Some(tag) = tag.as_ref().filter(|tag| !is_tag(tag)) {
        let what = format!("`publish-release`: `{}` is not a valid Git tag", excerpt(tag, QUOTE_LIMIT));
        let help = "give a `release` such as `1.4.0`, or leave `publish-release` out";
        return Err(Problem::new(what).help(Topic::Input, help));
    }
    match &job.sha {
        Some(commit) if job.repository == common.hub => Ok(Some(Publication { tag, commit: commit.clone() })),
        _ => {
            let what = format!(
                "`publish-release` needs a commit of {}, but this run is not one of that repository",
                common.hub
            );
            let help = "dispatch from a workflow of the hub, or leave `publish-release` out";
            Err(Problem::new(what).help(Topic::Input, help))
        }
    }
}

fn retry(inputs: &DispatchInputs, selected_names: Option<&BTreeSet<TargetName>>, asker: &Asker) -> Retry {
    match (inputs.retry_failed, selected_names) {
        // A command names the targets that start again.
        _ if *asker != Asker::Permitted => Retry::Nothing,
        (true, _) => Retry::Failed,
        (false, Some(_)) => Retry::Named,
        (false, None) => Retry::Nothing,
    }
}

pub(super) fn wording(hub: Hub<'_>, named_ticket: &lookup::NamedTicket) -> Wording {
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
            release: named_ticket.release.clone().unwrap_or_default(),
            driver: template::driver_value(inputs.driver.as_ref()),
            outputs: None,
            run: RunValues { id: job.run.0, attempt: job.attempt, url: job.run_url() },
            inputs: named_ticket.inputs.values.clone(),
            input_help: named_ticket.inputs.help.clone(),
            form: named_ticket.approval.answers.clone(),
            event: job.event.payload().clone(),
        },
        assumes_outputs: true,
    }
}

/// Renders an input of the step, before the ticket and the targets are read.
fn render_early(wording: &Wording, input: &str, template: &str) -> Result<String, Vec<Problem>> {
    wording.render_early(template).map_err(|error| vec![template_problem(input, &error)])
}

/// The name or version of the release. It stands in the ticket's title, and finds the ticket again.
///
/// # Errors
///
/// It is not one line, or has invisible characters.
fn release(wording: &Wording, template: &str) -> Result<String, Vec<Problem>> {
    let release = render_early(wording, "`release`", template)?.trim().to_owned();
    let (lines, first) = (release.lines().count(), text::first_line(&release));
    let (what, help) = if lines > 1 {
        (
            format!(
                "`release` has {lines} lines, but must be one line; the first is `{}`",
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
    Err(vec![Problem::new(what).help(Topic::Input, help)])
}

/// The targets of the step: the input, or the targets file.
///
/// # Errors
///
/// Neither has a list.
async fn list_targets(hub: Hub<'_>, wording: &Wording) -> Result<TargetList, Vec<Problem>> {
    let Hub { job, inputs, .. } = hub;
    match &inputs.targets {
        Some(Listing::List(targets)) => {
            return Ok(TargetList { targets: targets.clone(), ..TargetList::default() });
        }
        Some(Listing::Template(template)) => {
            let text = render_early(wording, "`targets`", template)?;
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
            .help(Topic::TargetsFile, "list the targets in either of them"),
        ]);
    };
    Ok(targets::parse_file(path, &text, &job.repository, &inputs.defaults))
}

/// The names in the input `only`; `None` for all targets.
///
/// # Errors
///
/// The input is not a list, or names something that is not a target.
fn selected_names(
    hub: Hub<'_>,
    wording: &Wording,
    list: &TargetList,
) -> Result<Option<BTreeSet<TargetName>>, Vec<Problem>> {
    let entries = match &hub.inputs.only {
        None => return Ok(None),
        Some(Listing::List(names)) => names.clone(),
        Some(Listing::Template(template)) => {
            let text = render_early(wording, "`only`", template)?;
            if text.trim().is_empty() {
                return Ok(None);
            }
            inputs::list_of(&text).map_err(|error| vec![Problem::new(format!("`only`: {error}"))])?
        }
    };
    let targets = || list.targets.iter().map(|target| &target.name);
    let (mut names, mut problems) = (BTreeSet::new(), Vec::new());
    for name in entries {
        match targets().find(|target| target.as_str().eq_ignore_ascii_case(name.trim())) {
            Some(name) => {
                names.insert(name.clone());
            }
            None => problems.push(target_problem(&name, list)),
        }
    }
    if names.is_empty() && problems.is_empty() {
        let what = "`only` names no target".to_owned();
        let help = "name at least one, or leave it blank for all";
        problems.push(Problem::new(what).help(Topic::Input, help));
    }
    if problems.is_empty() { Ok(Some(names)) } else { Err(problems) }
}

fn target_problem(name: &str, list: &TargetList) -> Problem {
    let targets = list.targets.iter().map(|target| target.name.as_str());
    let mut gates = list.rules.gates.iter().map(|gate| gate.name.as_str());
    if gates.any(|gate| gate.eq_ignore_ascii_case(name.trim())) {
        let help = format!("name targets, such as {}", targets::enumeration(targets));
        return Problem::new(format!("`only` names `{name}`, which is a gate")).help(Topic::Input, help);
    }
    let what = format!("`only` names `{name}`, which is not a target");
    Problem::new(what).help(Topic::Input, did_you_mean(name, targets))
}

/// The template of the ticket's body, if the step gives one.
///
/// # Errors
///
/// The file that `body-path` names cannot be read.
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
    let to_problems = |error: FileError| vec![Problem::from(&error)];
    workspace::check_path(path).map_err(to_problems)?;
    if let Some(workspace) = &job.workspace
        && let Some(text) = workspace::read(workspace, path).map_err(to_problems)?
    {
        return Ok(Some(text));
    }
    github.tokens().need(Needs::default().must(&job.repository, Permission::Contents, Level::Read));
    let file = github.file(&job.repository, path.trim_start_matches("./"), job.sha.as_deref()).await;
    file.map_err(|error| vec![Problem::of(&format!("cannot read `{path}` of {}", job.repository), &error)])
}
