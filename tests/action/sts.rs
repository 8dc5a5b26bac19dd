//! Targets that hold no secret: who the job is, exchanged for a token to the ticket's repository.

use simulated_github::{JobIdentity, TokenService};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::proxy::{Proxy, Rules};
use crate::support::{Acme, Done, Step};

/// The trust policy of the guide to tokens, with another subject.
fn policy_of_guide(subject: &str) -> String {
    let guide = include_str!("../../docs/guides/tokens.md");
    let (_, policy) = guide.split_once("```yaml\n# .github/chainguard/report.sts.yaml").expect("a policy");
    let (policy, _) = policy.split_once("```").expect("the block ends");
    let line = policy.lines().find(|line| line.starts_with("subject")).expect("it trusts somebody");
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
    async fn trusting(subject: &str) -> Self {
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
        let step = Step::new("report").exchanging(&self.job, &self.service, "report");
        step.input("ticket", format!("acme/hub#{}", self.ticket)).input("status", "success")
    }

    async fn run(&self, step: Step) -> Done {
        step.run_in(&self.acme).await
    }

    /// The log as it is the same on every machine.
    fn told(&self, done: &Done) -> String {
        done.visible_log().replace(&self.service.url(), "https://sts.example").replace("%0A", "\n")
    }
}

const WEB: &str = "subject: repo:acme/web:ref:refs/heads/main";

#[tokio::test]
async fn a_target_without_a_secret_reports_by_the_trust_policy_of_the_guide() {
    let sts = Sts::trusting(WEB).await;
    let done = sts.run(sts.report()).await;
    assert_eq!(done.succeeds().output("delivered"), "true");
    let records = sts.acme.records(sts.ticket);
    assert_eq!(records.iter().map(|record| record.author.as_str()).collect::<Vec<_>>(), ["octo-sts[bot]"]);
    let tokens = sts.acme.world.installation_tokens();
    assert_eq!(tokens.len(), 1);
    assert_eq!(
        (&tokens[0].repositories[..], &tokens[0].permissions[..]),
        (&["acme/hub".into()][..], &["issues: write".into()][..])
    );
    assert!(tokens[0].revoked);
    assert_eq!(sts.service.asked()[0].path, "/sts/exchange?scope=acme%2Fhub&identity=report");
}

#[tokio::test]
async fn the_subject_may_name_ids_that_stay_when_a_repository_is_renamed() {
    let sts = Sts::trusting(WEB).await;
    let subject = sts.acme.world.immutable_subject("acme/web");
    sts.job.subject(&subject);
    sts.run(sts.report()).await.succeeds().says("subject \"repo:acme@");
    let policy = policy_of_guide(&format!("subject: {subject}"));
    sts.acme.world.repository("acme/hub").file(".github/chainguard/report.sts.yaml", &policy);
    assert_eq!(sts.run(sts.report()).await.succeeds().output("delivered"), "true");
}

#[tokio::test]
async fn an_identity_is_shown_to_the_service_alone_and_to_nobody_in_full() {
    let sts = Sts::trusting("subject: repo:acme/api:ref:refs/heads/main").await;
    let done = sts.run(sts.report().debug()).await;
    let identities = sts.acme.world.signed_identities();
    assert_eq!(identities.len(), 1);
    assert!(sts.service.asked().iter().all(|asked| asked.bearer == identities[0]));
    let elsewhere = sts.acme.world.exchanges();
    assert!(elsewhere.iter().all(|exchange| exchange.token.as_ref() != Some(&identities[0])));
    let seen = format!("{}{}{}", done.visible_log(), done.errors, done.summary);
    for part in identities[0].split('.') {
        assert!(!seen.contains(part), "{part} is in {seen}");
    }
    // The signature would not be needed to show who it is again.
    assert!(done.log.contains(&format!("::add-mask::{}\n", identities[0])), "{}", done.log);
}

#[tokio::test]
async fn a_job_that_may_not_show_its_identity_is_told_the_permission() {
    let sts = Sts::trusting(WEB).await;
    let step = sts.report().without("ACTIONS_ID_TOKEN_REQUEST_URL").without("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    let done = sts.run(step).await;
    done.succeeds();
    insta::assert_snapshot!(sts.told(&done), @"
    ::warning::cannot report to acme/hub#1: this job may not show its identity to https://sts.example
    help: give the job `permissions: id-token: write`; runs that forks' pull requests start get no identity
    ");
}

#[tokio::test]
async fn a_refusal_names_what_was_presented_and_the_policy_to_look_at() {
    let sts = Sts::trusting("subject: repo:acme/api:ref:refs/heads/main").await;
    let done = sts.run(sts.report()).await;
    insta::assert_snapshot!(sts.told(&done), @r#"
    ::warning::cannot report to acme/hub#1: https://sts.example gives no token for acme/hub: trust policy: subject "repo:acme/web:ref:refs/heads/main" did not match "repo:acme/api:ref:refs/heads/main" (presented: iss `https://token.actions.githubusercontent.com`, sub `repo:acme/web:ref:refs/heads/main`, aud `127.0.0.1`, repository `acme/web`, ref `refs/heads/main`, event_name `workflow_dispatch`, workflow_ref `acme/web/.github/workflows/release.yml@refs/heads/main`, job_workflow_ref `acme/web/.github/workflows/release.yml@refs/heads/main`)
    help: correct `.github/chainguard/report.sts.yaml` on the default branch of acme/hub: what it expects must fit what was presented
    "#);

    let done = sts.run(sts.report().input("sts-identity", "nothing")).await;
    insta::assert_snapshot!(sts.told(&done), @r#"
    ::warning::cannot report to acme/hub#1: https://sts.example gives no token for acme/hub: unable to find trust policy for "nothing" (presented: iss `https://token.actions.githubusercontent.com`, sub `repo:acme/web:ref:refs/heads/main`, aud `127.0.0.1`, repository `acme/web`, ref `refs/heads/main`, event_name `workflow_dispatch`, workflow_ref `acme/web/.github/workflows/release.yml@refs/heads/main`, job_workflow_ref `acme/web/.github/workflows/release.yml@refs/heads/main`)
    help: put the trust policy into `.github/chainguard/nothing.sts.yaml` on the default branch of acme/hub, and install the service's App there
    "#);

    sts.acme.world.app("octo-sts").only_for("acme", &["web"]);
    let done = sts.run(sts.report()).await;
    insta::assert_snapshot!(sts.told(&done), @r#"
    ::warning::cannot report to acme/hub#1: https://sts.example gives no token for acme/hub: no installation found for "acme" (presented: iss `https://token.actions.githubusercontent.com`, sub `repo:acme/web:ref:refs/heads/main`, aud `127.0.0.1`, repository `acme/web`, ref `refs/heads/main`, event_name `workflow_dispatch`, workflow_ref `acme/web/.github/workflows/release.yml@refs/heads/main`, job_workflow_ref `acme/web/.github/workflows/release.yml@refs/heads/main`)
    help: put the trust policy into `.github/chainguard/report.sts.yaml` on the default branch of acme/hub, and install the service's App there
    "#);
    assert_eq!(sts.acme.world.installation_tokens(), []);
}

#[tokio::test]
async fn a_request_token_that_is_refused_is_told() {
    let sts = Sts::trusting(WEB).await;
    let done = sts.run(sts.report().variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another")).await;
    done.succeeds().says("GitHub Actions does not sign this job's identity").says("help: run the job again");
    assert!(!done.visible_log().contains("another"), "{}", done.log);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_told_after_the_budget() {
    let sts = Sts::trusting(WEB).await;
    let step = sts.report().input("sts-url", "http://127.0.0.1:1").input("retry-timeout", "1s");
    let done = sts.run(step).await;
    done.succeeds().says("http://127.0.0.1:1 gives no answer that is of use").says("help: check `sts-url`");
    assert_eq!(done.output("delivered"), "false");
}

/// Answers one request with 403, and repeats of what it was shown the part behind the last of these characters.
async fn parrot(behind: char) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut heard = vec![0; 16 * 1024];
        let length = stream.read(&mut heard).await.expect("a request");
        let heard = String::from_utf8_lossy(&heard[..length]).into_owned();
        let shown = heard.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
        let part = shown.and_then(|shown| shown.rsplit(behind).next()).expect("a bearer");
        let body = serde_json::json!({ "message": format!("who is {part}?") }).to_string();
        let length = body.len();
        let answer = format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).await.expect("the answer is heard");
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_service_that_repeats_what_it_was_shown_does_not_bring_it_into_the_log() {
    // The whole identity, or its signature alone.
    for behind in [' ', '.'] {
        let sts = Sts::trusting(WEB).await;
        let done = sts.run(sts.report().input("sts-url", parrot(behind).await)).await;
        done.succeeds().says("who is ***?");
        let identity = sts.acme.world.signed_identities().pop().expect("it was signed");
        let signature = identity.rsplit('.').next().expect("a signature");
        assert!(!done.visible_log().contains(signature) && !done.summary.contains(signature), "{}", done.log);
        for secret in [&identity, signature] {
            done.says(&format!("::add-mask::{secret}\n"));
        }
    }
}

#[tokio::test]
async fn without_a_ticket_nobody_is_asked() {
    let sts = Sts::trusting(WEB).await;
    sts.run(sts.report().without("INPUT_TICKET")).await.succeeds();
    assert_eq!((sts.service.asked().len(), sts.acme.world.signed_identities().len()), (0, 0));
}

#[tokio::test]
async fn ticket_token_comes_first_and_the_app_does_the_rest() {
    let sts = Sts::trusting(WEB).await;
    sts.run(sts.report().input("ticket-token", "target-token")).await.succeeds();
    assert_eq!(sts.service.asked().len(), 0);

    let app = sts.acme.world.app("acme-release").installed_on("acme", &["issues: write", "actions: read"]);
    let step = Step::new("notify").app(&app).exchanging(&sts.job, &sts.service, "report");
    let step = step.input("ticket", format!("acme/hub#{}", sts.ticket)).input("status", "failure");
    sts.run(step).await.succeeds();
    let tokens = sts.acme.world.installation_tokens();
    let reached: Vec<_> = tokens.iter().map(|token| token.repositories.join(", ")).collect();
    assert_eq!(reached, ["acme/web", "acme/hub"]);
    let author = sts.acme.records(sts.ticket).pop().expect("a notice").author;
    assert_eq!(author, "octo-sts[bot]");
}

#[tokio::test]
async fn where_the_ticket_cannot_be_had_notify_says_it_where_it_happened() {
    let sts = Sts::trusting("subject: repo:acme/api:ref:refs/heads/main").await;
    sts.acme.world.token("web-token").can("acme/web", &["issues: write", "actions: read"]);
    let step = Step::new("notify").exchanging(&sts.job, &sts.service, "report").input("token", "web-token");
    let step = step.input("ticket", format!("acme/hub#{}", sts.ticket)).input("status", "failure");
    let done = sts.run(step).await;
    assert_eq!(done.succeeds().output("issue-number"), "1");
    let body = sts.acme.world.issue_view("acme/web", 1).body;
    assert!(
        body.contains("the ticket could not be written") && body.contains("trust policy: subject"),
        "{body}"
    );
}

#[tokio::test]
async fn an_identity_is_sent_to_no_address_that_others_can_listen_to() {
    let sts = Sts::trusting(WEB).await;
    for url in ["http://octo-sts.dev", "octo-sts.dev", "ftp://127.0.0.1"] {
        let done = sts.run(sts.report().input("sts-url", url)).await;
        done.ends_with(2).says(&format!("input `sts-url`: `{url}` is not an https address"));
    }
    for url in [
        "https://alice:s3cret@octo-sts.dev",
        "https://s3cret@octo-sts.dev",
        "http://a:s3cret@127.0.0.1",
        "a:s3cret@b",
    ] {
        let done = sts.run(sts.report().input("sts-url", url)).await;
        done.ends_with(2).says("input `sts-url`: an address without a user and a password is needed");
        assert!(!done.log.contains("s3cret") && !done.summary.contains("s3cret"), "{}", done.log);
    }
    let done = sts.run(sts.report().input("sts-identity", "../report")).await;
    done.ends_with(2).says("`sts-identity`: `../report` is not NAME of a file NAME.sts.yaml");
}

#[tokio::test]
async fn the_token_that_asks_for_an_identity_on_this_machine_meets_no_proxy() {
    let sts = Sts::trusting(WEB).await;
    let proxy = Proxy::start(Rules::default()).await;
    let api = sts.acme.server.url().replace("127.0.0.1", "localhost");
    let step = sts.report().variable("http_proxy", proxy.url("")).variable("GITHUB_API_URL", api);
    assert_eq!(step.start().await.succeeds().output("delivered"), "true");
    let asked = proxy.seen();
    assert!(!asked.is_empty() && asked.iter().all(|asked| asked.contains("//localhost:")), "{asked:?}");
    assert_eq!(sts.acme.world.signed_identities().len(), 1);
}
