//! One step from its environment to its exit code: parse, run the mode, report to the runner.

use std::collections::BTreeMap;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use crate::cancel::REVOCATION_LIMIT;
use crate::dispatch::Hub;
use crate::github::tokens::sts::TokenService;
use crate::github::{self, Credentials, GitHub, TicketPlace, TicketToken, Tokens, transport};
use crate::inputs::{self, Common, Inputs, Mode, Sts};
use crate::job::{Clock, Environment, IDENTITY_TOKEN, Job};
use crate::names::RepoName;
use crate::network::Network;
use crate::place::Place;
use crate::problem::{Problem, Topic, log_texts};
use crate::receipt::Receipt;
use crate::runner::{self, log};
use crate::ticket::text;
use crate::{dispatch, notify, report};

/// The end of a step. [GitHub](https://docs.github.com/actions/sharing-automations/creating-actions/setting-exit-codes-for-actions)
/// distinguishes zero from all other exit codes only; the numbers are this action's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The step is done, or had nothing to do.
    Done,
    /// The step failed.
    Failed,
    /// The inputs are invalid, or no runner started the program.
    Invalid,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Invalid => 2,
        })
    }
}

/// The time limit for revoking tokens after a step is done.
const REVOKE_LIMIT: Duration = Duration::from_secs(10);

/// Runs the step that `environment` describes, until it is done or `cancelled` ends.
pub async fn run(environment: &Environment, clock: Clock, cancellation: impl Future<Output = ()>) -> Exit {
    let values = inputs::values(environment);
    let secrets = inputs::secrets(&values);
    let identity_token =
        environment.get(IDENTITY_TOKEN).map(|token| token.trim()).filter(|token| !token.is_empty());
    secrets.into_iter().chain(identity_token).for_each(log::mask);
    let job = match Job::read(environment, clock) {
        Ok(job) => job,
        Err(error) => {
            annotate(&[Problem::from(&error)]);
            return Exit::Invalid;
        }
    };
    let parts = prepare(&job, &values, environment);
    let (inputs, network, github) = match parts {
        Ok(parts) => parts,
        Err(problems) => {
            annotate(&problems);
            write_summary(
                &job,
                &problems
                    .iter()
                    .map(|problem| text::quote(&problem.to_string()) + "\n\n")
                    .collect::<String>(),
            );
            return Exit::Invalid;
        }
    };
    if job.tracked_stage.is_some() && !inputs.mode.tracks() {
        return Exit::Done;
    }
    revoke_after_a_panic(&job, network, &github);
    let receipt = perform(&job, &inputs, &github, cancellation).await;
    finish(&job, &inputs.common, &receipt)
}

/// Runs the mode to its end, or until it is cancelled and has wound up. In either case it revokes the tokens that the
/// step has minted.
pub async fn perform(
    job: &Job,
    inputs: &Inputs,
    github: &GitHub,
    cancellation: impl Future<Output = ()>,
) -> Receipt {
    let (common, cancellation) = (&inputs.common, pin!(cancellation));
    let mut receipt = match &inputs.mode {
        Mode::Dispatch(mode) => dispatch::run(Hub { job, common, inputs: mode, github }, cancellation).await,
        Mode::Report(mode) => report::run(job, common, mode, github, cancellation).await,
        Mode::Notify(mode) => notify::run(job, common, mode, github, cancellation).await,
    };
    github.revoke_tokens(if receipt.is_cancelled { REVOCATION_LIMIT } else { REVOKE_LIMIT }).await;
    if receipt.is_cancelled {
        let problem = Problem::new("the step was cancelled before it was done");
        let help = "run the job again: it finishes what is missing and repeats nothing";
        receipt.problems.push(problem.help(Topic::Interruption, help));
    }
    receipt
}

fn prepare(
    job: &Job,
    values: &BTreeMap<String, String>,
    environment: &Environment,
) -> Result<(Inputs, Network, GitHub), Vec<Problem>> {
    let inputs = Inputs::read(values, job)
        .map_err(|problems| problems.iter().map(Problem::from).collect::<Vec<_>>())?;
    let network = network(environment).map_err(|problem| vec![problem])?;
    let octocrab =
        transport::over_network(&job.api_url, &network).map_err(|error| vec![Problem::from(&error)])?;
    let patience = inputs.common.retry_timeout;
    let exchange = |sts: &Sts, hub: &RepoName| {
        let Sts { identity, url } = sts.clone();
        let octocrab = transport::over_network(&url.origin().ascii_serialization(), &network)
            .expect("the address was checked when it was read");
        let (hub, job_identity) = (hub.clone(), job.identity.clone());
        TokenService::new(octocrab, url, identity, hub, job_identity, job.clock, patience)
    };
    let github = GitHub::new(octocrab, tokens(&inputs, exchange), job.clock, patience);
    let github = github.with_network(network.clone());
    Ok((inputs, network, github))
}

/// Makes a panic revoke the tokens that the step has minted. It ends the process without a return to [`perform`]:
/// unwinding would make the image a tenth larger.
fn revoke_after_a_panic(job: &Job, network: Network, github: &GitHub) {
    let (api_url, clock, tokens) = (job.api_url.clone(), job.clock, github.tokens().live_tokens().clone());
    std::panic::set_hook(Box::new(move |panic| {
        let problem = Problem::new(format!("the action itself failed: {panic}"));
        let help = "run the job again: it finishes what is missing and repeats nothing; and report this failure \
                    to the authors of the action";
        annotate(&[problem.help(Topic::Interruption, help)]);
        // The step's runtime stands still while this hook runs, and with it the step's connections.
        let revoke = || -> Option<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let octocrab = transport::over_network(&api_url, &network).ok()?;
                github::revoke_tokens(octocrab, &tokens, clock, REVOKE_LIMIT).await;
                Some(())
            })
        };
        std::thread::scope(|scope| {
            let revoking = std::thread::Builder::new().spawn_scoped(scope, revoke);
            // The process ends, also if this fails.
            let _ = revoking.map(|thread| thread.join());
        });
    }));
}

/// The network that the environment describes. A certificate that cannot be read is a warning: the servers may not
/// need it.
fn network(environment: &Environment) -> Result<Network, Problem> {
    let (network, unread) = Network::read(environment).map_err(|error| Problem::from(&error))?;
    for error in unread {
        Problem::from(&error).warn();
    }
    Ok(network)
}

/// The tokens of the inputs, each with its repository. `exchange` makes the token service for the ticket's
/// repository, if the inputs name one.
#[must_use]
pub fn tokens(inputs: &Inputs, exchange: impl FnOnce(&Sts, &RepoName) -> TokenService) -> Tokens {
    let common = &inputs.common;
    let ticket =
        common.ticket_repository.as_ref().and_then(|hub| match (&common.ticket_token, &common.sts) {
            (Some(token), _) => Some(TicketToken::Input(hub.clone(), token.clone())),
            (None, Some(sts)) => Some(TicketToken::Service(Box::new(exchange(sts, hub)))),
            (None, None) => None,
        });
    let place = common
        .ticket_repository
        .clone()
        .map(|repository| TicketPlace { repository, is_here: common.is_ticket_here });
    let credentials = Credentials { token: common.token.clone(), ticket, app: common.app.clone(), place };
    Tokens::new(credentials, log::mask)
}

/// Writes the outputs, the summary and the problems of the step; returns its end.
fn finish(job: &Job, common: &Common, receipt: &Receipt) -> Exit {
    if let Some(plan) = &receipt.plan {
        tracing::info!("the plan (`dry-run`: nothing is changed)\n{plan}");
        write_summary(job, &format!("### Plan (nothing was changed)\n\n{}", text::quote(&plan.to_string())));
    }
    if !receipt.summary.is_empty() {
        write_summary(job, &receipt.summary);
    }
    let mut problems = receipt.problems.clone();
    if let Err(error) = runner::write_outputs(job, &receipt.outputs()) {
        problems.push(Problem::from(&error));
    }
    annotate(&receipt.failures);
    if common.fail_on_error {
        annotate(&problems);
    } else {
        log_texts(&problems).iter().for_each(|text| tracing::warn!("{text}"));
    }
    let has_failed = !receipt.failures.is_empty() || common.fail_on_error && !problems.is_empty();
    if has_failed { Exit::Failed } else { Exit::Done }
}

/// Annotates the run's page with each problem, at its line of a file if it has one.
fn annotate(problems: &[Problem]) {
    for (problem, text) in problems.iter().zip(log_texts(problems)) {
        match &problem.place {
            // An annotation needs a file, and an input has none.
            Some(Place { source, line, column }) if !source.starts_with('`') => {
                tracing::error!(file = source.as_str(), line, col = column, "{text}");
            }
            _ => tracing::error!("{text}"),
        }
    }
}

fn write_summary(job: &Job, markdown: &str) {
    if let Err(error) = runner::write_summary(job, markdown) {
        Problem::from(&error).warn();
    }
}
