//! Targets without a secret: the job exchanges its identity for a token to the ticket's repository.

use simulated_github::{JobIdentity, TokenService};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::proxy::{Proxy, Rules};
use crate::support::{Acme, Outcome, Step};

/// The trust policy of the guide to tokens, with another subject.
fn policy_of_guide(subject: &str) -> String {
    let guide = include_str!("../../docs/guides/tokens.md");
    let (_, policy) = guide.split_once("```yaml\n# .github/chainguard/report.sts.yaml").expect("a policy");
    let (policy, _) = policy.split_once("```").expect("the block ends");
    let line = policy.lines().find(|line| line.starts_with("subject")).expect("a subject");
    policy.replace(line, subject)
}

struct Sts {
    acme: Acme,
    service: TokenService,
    job: JobIdentity,
    ticket: u64,
}

impl Sts {
    /// A ticket in a hub that trusts `subject`, and a job of `acme/web`.
    async fn new(subject: &str) -> Self {
        let acme = Acme::new().await;
        acme.world
            .repository("acme/hub")
            .private()
            .file(".github/chainguard/report.sts.yaml", &policy_of_guide(subject));
        acme.world.app("octo-sts").installed_on("acme", &["issues: write", "contents: read"]);
        let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
        let service = acme.world.serve_token_service().await.expect("a free port on loopback");
        let job = acme.world.job_identity("acme/web", "release.yml");
        Self { acme, service, job, ticket }
    }

    fn report(&self) -> Step {
        let step = Step::new("report").exchange_identity(&self.job, &self.service, "report");
        step.input("ticket", format!("acme/hub#{}", self.ticket)).input("status", "success")
    }

    async fn run(&self, step: Step) -> Outcome {
        step.run_in(&self.acme).await
    }

    /// The log without the address of the service, which differs from run to run.
    fn log(&self, outcome: &Outcome) -> String {
        outcome.visible_log().replace(&self.service.url(), "https://sts.example").replace("%0A", "\n")
    }
}

const WEB: &str = "subject: repo:acme/web:ref:refs/heads/main";

#[tokio::test]
async fn a_target_without_a_secret_reports_by_the_trust_policy_of_the_guide() {
    let sts = Sts::new(WEB).await;
    let outcome = sts.run(sts.report()).await;
    assert_eq!(outcome.succeeds().output("delivered"), "true");
    let records = sts.acme.records(sts.ticket);
    assert_eq!(records.iter().map(|record| record.author.as_str()).collect::<Vec<_>>(), ["octo-sts[bot]"]);
    let tokens = sts.acme.world.installation_tokens();
    assert_eq!(tokens.len(), 1);
    assert_eq!(
        (&tokens[0].repositories[..], &tokens[0].permissions[..]),
        (&["acme/hub".into()][..], &["issues: write".into()][..])
    );
    assert!(tokens[0].is_revoked);
    assert_eq!(sts.service.questions()[0].path, "/sts/exchange?scope=acme%2Fhub&identity=report");
}

#[tokio::test]
async fn the_subject_may_name_ids_that_stay_when_a_repository_is_renamed() {
    let sts = Sts::new(WEB).await;
    let subject = sts.acme.world.immutable_subject("acme/web");
    sts.job.subject(&subject);
    sts.run(sts.report()).await.succeeds().says("subject \"repo:acme@");
    let policy = policy_of_guide(&format!("subject: {subject}"));
    sts.acme.world.repository("acme/hub").file(".github/chainguard/report.sts.yaml", &policy);
    assert_eq!(sts.run(sts.report()).await.succeeds().output("delivered"), "true");
}

#[tokio::test]
async fn only_the_service_gets_the_identity_and_no_output_has_it_in_full() {
    let sts = Sts::new("subject: repo:acme/api:ref:refs/heads/main").await;
    let outcome = sts.run(sts.report().debug()).await;
    let identities = sts.acme.world.signed_identities();
    assert_eq!(identities.len(), 1);
    assert!(sts.service.questions().iter().all(|request| request.bearer == identities[0]));
    let exchanges = sts.acme.world.exchanges();
    assert!(exchanges.iter().all(|exchange| exchange.token.as_ref() != Some(&identities[0])));
    let text = format!("{}{}{}", outcome.visible_log(), outcome.errors, outcome.summary);
    for part in identities[0].split('.') {
        assert!(!text.contains(part), "{part} is in {text}");
    }
    // The runner masks the identity, too.
    assert!(outcome.log.contains(&format!("::add-mask::{}\n", identities[0])), "{}", outcome.log);
}

#[tokio::test]
async fn the_log_names_the_permission_of_a_job_that_may_not_show_its_identity() {
    let sts = Sts::new(WEB).await;
    let step = sts.report().without("ACTIONS_ID_TOKEN_REQUEST_URL").without("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    let outcome = sts.run(step).await;
    outcome.succeeds();
    insta::assert_snapshot!(sts.log(&outcome), @"
    ::warning::cannot report to acme/hub#1: this job is not allowed to get an identity for https://sts.example
    help: give the job `permissions: id-token: write`; runs of pull requests from forks get no identity
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-token-service-gives-no-token
    ");
}

#[tokio::test]
async fn a_refusal_names_what_was_presented_and_the_policy_to_look_at() {
    let sts = Sts::new("subject: repo:acme/api:ref:refs/heads/main").await;
    let outcome = sts.run(sts.report()).await;
    insta::assert_snapshot!(sts.log(&outcome), @r#"
    ::warning::cannot report to acme/hub#1: https://sts.example refused a token for acme/hub: trust policy: subject "repo:acme/web:ref:refs/heads/main" did not match "repo:acme/api:ref:refs/heads/main" (presented: iss `https://token.actions.githubusercontent.com`, sub `repo:acme/web:ref:refs/heads/main`, aud `127.0.0.1`, repository `acme/web`, ref `refs/heads/main`, event_name `workflow_dispatch`, workflow_ref `acme/web/.github/workflows/release.yml@refs/heads/main`, job_workflow_ref `acme/web/.github/workflows/release.yml@refs/heads/main`)
    help: correct `.github/chainguard/report.sts.yaml` on the default branch of acme/hub: its conditions must fit the presented claims
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-token-service-gives-no-token
    "#);

    let outcome = sts.run(sts.report().input("sts-identity", "nothing")).await;
    insta::assert_snapshot!(sts.log(&outcome), @r#"
    ::warning::cannot report to acme/hub#1: https://sts.example refused a token for acme/hub: unable to find trust policy for "nothing" (presented: iss `https://token.actions.githubusercontent.com`, sub `repo:acme/web:ref:refs/heads/main`, aud `127.0.0.1`, repository `acme/web`, ref `refs/heads/main`, event_name `workflow_dispatch`, workflow_ref `acme/web/.github/workflows/release.yml@refs/heads/main`, job_workflow_ref `acme/web/.github/workflows/release.yml@refs/heads/main`)
    help: put the trust policy into `.github/chainguard/nothing.sts.yaml` on the default branch of acme/hub, and install the service's App there
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-token-service-gives-no-token
    "#);

    sts.acme.world.app("octo-sts").only_for("acme", &["web"]);
    let outcome = sts.run(sts.report()).await;
    insta::assert_snapshot!(sts.log(&outcome), @r#"
    ::warning::cannot report to acme/hub#1: https://sts.example refused a token for acme/hub: no installation found for "acme" (presented: iss `https://token.actions.githubusercontent.com`, sub `repo:acme/web:ref:refs/heads/main`, aud `127.0.0.1`, repository `acme/web`, ref `refs/heads/main`, event_name `workflow_dispatch`, workflow_ref `acme/web/.github/workflows/release.yml@refs/heads/main`, job_workflow_ref `acme/web/.github/workflows/release.yml@refs/heads/main`)
    help: put the trust policy into `.github/chainguard/report.sts.yaml` on the default branch of acme/hub, and install the service's App there
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-token-service-gives-no-token
    "#);
    assert_eq!(sts.acme.world.installation_tokens(), []);
}

#[tokio::test]
async fn a_refused_request_token_is_reported() {
    let sts = Sts::new(WEB).await;
    let outcome = sts.run(sts.report().variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another")).await;
    outcome
        .succeeds()
        .says("GitHub Actions does not sign this job's identity")
        .says("help: run the job again");
    assert!(!outcome.visible_log().contains("another"), "{}", outcome.log);
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_reported_after_the_budget() {
    let sts = Sts::new(WEB).await;
    let step = sts.report().input("sts-url", "http://127.0.0.1:1").input("retry-timeout", "1s");
    let outcome = sts.run(step).await;
    outcome.succeeds().says("http://127.0.0.1:1 gives no usable answer").says("help: check `sts-url`");
    assert_eq!(outcome.output("delivered"), "false");
}

/// Answers one request with 403, and repeats the part of its bearer token behind the last `separator`.
async fn parrot(separator: char) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut buffer = vec![0; 16 * 1024];
        let length = stream.read(&mut buffer).await.expect("a request");
        let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let bearer = request.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
        let part = bearer.and_then(|bearer| bearer.rsplit(separator).next()).expect("a bearer");
        let body = serde_json::json!({ "message": format!("who is {part}?") }).to_string();
        let length = body.len();
        let answer = format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).await.expect("a client that waits for the answer");
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_service_that_repeats_the_identity_does_not_bring_it_into_the_log() {
    // The whole identity, or its signature alone.
    for separator in [' ', '.'] {
        let sts = Sts::new(WEB).await;
        let outcome = sts.run(sts.report().input("sts-url", parrot(separator).await)).await;
        outcome.succeeds().says("who is ***?");
        let identity = sts.acme.world.signed_identities().pop().expect("an identity");
        let signature = identity.rsplit('.').next().expect("a signature");
        assert!(
            !outcome.visible_log().contains(signature) && !outcome.summary.contains(signature),
            "{}",
            outcome.log
        );
        for secret in [&identity, signature] {
            outcome.says(&format!("::add-mask::{secret}\n"));
        }
    }
}

#[tokio::test]
async fn without_a_ticket_the_step_asks_no_server() {
    let sts = Sts::new(WEB).await;
    sts.run(sts.report().without("INPUT_TICKET")).await.succeeds();
    assert_eq!((sts.service.questions().len(), sts.acme.world.signed_identities().len()), (0, 0));
}

#[tokio::test]
async fn ticket_token_comes_first_and_the_app_does_the_rest() {
    let sts = Sts::new(WEB).await;
    sts.run(sts.report().input("ticket-token", "target-token")).await.succeeds();
    assert_eq!(sts.service.questions().len(), 0);

    let app = sts.acme.world.app("acme-release").installed_on("acme", &["issues: write", "actions: read"]);
    let step = Step::new("notify").app(&app).exchange_identity(&sts.job, &sts.service, "report");
    let step = step.input("ticket", format!("acme/hub#{}", sts.ticket)).input("status", "failure");
    sts.run(step).await.succeeds();
    let tokens = sts.acme.world.installation_tokens();
    let repositories: Vec<_> = tokens.iter().map(|token| token.repositories.join(", ")).collect();
    assert_eq!(repositories, ["acme/web", "acme/hub"]);
    let author = sts.acme.records(sts.ticket).pop().expect("a notice").author;
    assert_eq!(author, "octo-sts[bot]");
}

#[tokio::test]
async fn a_notice_that_cannot_reach_the_ticket_goes_where_it_happened() {
    let sts = Sts::new("subject: repo:acme/api:ref:refs/heads/main").await;
    sts.acme.world.token("web-token").can("acme/web", &["issues: write", "actions: read"]);
    let step =
        Step::new("notify").exchange_identity(&sts.job, &sts.service, "report").input("token", "web-token");
    let step = step.input("ticket", format!("acme/hub#{}", sts.ticket)).input("status", "failure");
    let outcome = sts.run(step).await;
    assert_eq!(outcome.succeeds().output("issue-number"), "1");
    let body = sts.acme.world.issue_view("acme/web", 1).body;
    assert!(
        body.contains("the ticket could not be written") && body.contains("trust policy: subject"),
        "{body}"
    );
}

#[tokio::test]
async fn an_identity_is_sent_to_no_address_that_others_can_listen_to() {
    let sts = Sts::new(WEB).await;
    for url in ["http://octo-sts.dev", "octo-sts.dev", "ftp://127.0.0.1"] {
        let outcome = sts.run(sts.report().input("sts-url", url)).await;
        outcome.ends_with(2).says(&format!("input `sts-url`: `{url}` is not an https address"));
    }
    for url in [
        "https://alice:s3cret@octo-sts.dev",
        "https://s3cret@octo-sts.dev",
        "http://a:s3cret@127.0.0.1",
        "a:s3cret@b",
    ] {
        let outcome = sts.run(sts.report().input("sts-url", url)).await;
        outcome.ends_with(2).says("input `sts-url`: an address without a user and a password is needed");
        assert!(!outcome.log.contains("s3cret") && !outcome.summary.contains("s3cret"), "{}", outcome.log);
    }
    let outcome = sts.run(sts.report().input("sts-identity", "../report")).await;
    outcome.ends_with(2).says("`sts-identity`: `../report` cannot be the NAME of a file NAME.sts.yaml");
}

#[tokio::test]
async fn the_token_that_asks_for_an_identity_on_this_machine_meets_no_proxy() {
    let sts = Sts::new(WEB).await;
    let proxy = Proxy::start(Rules::default()).await;
    let api = sts.acme.server.url().replace("127.0.0.1", "localhost");
    let step = sts.report().variable("http_proxy", proxy.url("")).variable("GITHUB_API_URL", api);
    assert_eq!(step.start().await.succeeds().output("delivered"), "true");
    let requests = proxy.requests();
    assert!(
        !requests.is_empty() && requests.iter().all(|request| request.contains("//localhost:")),
        "{requests:?}"
    );
    assert_eq!(sts.acme.world.signed_identities().len(), 1);
}
