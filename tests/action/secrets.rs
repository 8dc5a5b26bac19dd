//! Secrets come out nowhere: not in logs, errors, debug output, the summary, the outputs, the files that the
//! steps of a job share, or requests.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use simulated_github::{App, Fault, JobIdentity, KeyForm, Kind, TokenService, private_key};

use crate::support::{Acme, Outcome, Step};

/// A world in which every kind of secret is good for something.
struct Vault {
    acme: Acme,
    app: App,
    job: JobIdentity,
    service: TokenService,
    ticket: u64,
    temp: tempfile::TempDir,
}

const POLICY: &str = "
issuer: https://token.actions.githubusercontent.com
subject_pattern: repo:acme/.*
permissions: { issues: write, actions: read, contents: read }
";

const TOKENS: [&str; 2] = ["ghp_general-secret.1", "ghp_ticket-secret.2"];

impl Vault {
    async fn new() -> Self {
        let acme = Acme::new().await;
        for token in TOKENS {
            acme.world.token(token).acts_as("acme-release[bot]").can_everything();
        }
        acme.world.repository("acme/hub").file(".github/chainguard/all.sts.yaml", POLICY);
        let permissions = ["issues: write", "actions: write", "contents: write"];
        let app = acme.world.app("acme-release").installed_on("acme", &permissions);
        acme.world.app("octo-sts").installed_on("acme", &permissions);
        let service = acme.world.serve_token_service().await.expect("a free port on loopback");
        let job = acme.world.job_identity("acme/web", "release.yml");
        let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
        let temp = tempfile::tempdir().expect("a temporary folder");
        Self { acme, app, job, service, ticket, temp }
    }

    /// A debug run of a mode with every kind of secret.
    fn step(&self, mode: &str) -> Step {
        let step = Step::new(mode).app(&self.app).exchange_identity(&self.job, &self.service, "all");
        let step = step.input("token", TOKENS[0]).input("ticket-token", TOKENS[1]).debug();
        let step = step.temp(self.temp.path()).run(500).input("status", "failure");
        match mode {
            "dispatch" => {
                step.without("INPUT_STATUS").input("targets", "web, api").input("workflow", "release.yml")
            }
            _ => step.input("ticket", format!("acme/hub#{}", self.ticket)),
        }
    }

    /// Every secret of the inputs, of signed identities and of new tokens so far, in each form that gives it away.
    fn secrets(&self) -> Vec<String> {
        let mut secrets: Vec<String> = TOKENS.map(str::to_owned).to_vec();
        secrets.push(self.job.request_token().to_owned());
        secrets.extend(self.acme.world.installation_tokens().into_iter().map(|token| token.secret));
        // The signature alone is a secret: a thief can know the rest.
        let identities = self.acme.world.signed_identities().into_iter();
        let request_tokens = self.acme.world.exchanges().into_iter().filter_map(|exchange| exchange.token);
        for token in identities.chain(request_tokens).filter(|token| token.starts_with("eyJ")) {
            secrets.extend(token.rsplit('.').next().map(str::to_owned));
            secrets.push(token);
        }
        for form in [KeyForm::Pkcs1, KeyForm::Pkcs8, KeyForm::Another] {
            let pem = private_key(form);
            secrets.extend(
                pem.lines().filter(|line| line.len() > 20 && !line.starts_with("--")).map(str::to_owned),
            );
            secrets.push(STANDARD.encode(pem));
        }
        secrets
    }

    /// Runs a step, and looks for secrets in all its traces.
    async fn run(&self, name: &str, step: Step) -> Outcome {
        let outcome = step.run_in(&self.acme).await;
        let outputs: String =
            outcome.outputs.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        let mut texts = vec![
            ("log", outcome.visible_log()),
            ("errors", outcome.errors.clone()),
            ("summary", outcome.summary.clone()),
            ("outputs", outputs),
        ];
        read_all(self.temp.path(), &mut texts);
        for exchange in self.acme.world.exchanges() {
            texts.push(("path", format!("{}?{}", exchange.path, exchange.query)));
            texts.push(("body", exchange.request_body.map(|body| body.to_string()).unwrap_or_default()));
        }
        texts.extend(
            self.service.questions().into_iter().map(|request| ("path of the service", request.path)),
        );
        for secret in self.secrets() {
            for (place, text) in &texts {
                assert!(!text.contains(&secret), "{name}: {secret} is in the {place}:\n{text}");
            }
        }
        self.assert_destinations(name);
        outcome
    }

    /// Asserts that no request holds the key or the request token, that only the service gets an identity, and that
    /// only GitHub gets its tokens.
    fn assert_destinations(&self, name: &str) {
        let identities = self.acme.world.signed_identities();
        for request in self.service.questions() {
            assert!(identities.contains(&request.bearer), "{name}: the service got {}", request.bearer);
        }
        for exchange in self.acme.world.exchanges() {
            let token = exchange.token.unwrap_or_default();
            assert!(!identities.contains(&token), "{name}: {} got an identity", exchange.path);
            assert_ne!(token, self.job.request_token(), "{name}: {}", exchange.path);
            let is_signature = token.starts_with("eyJ");
            let takes_signature =
                exchange.path.contains("installation") && exchange.path != "/installation/token";
            assert_eq!(is_signature, takes_signature, "{name}: {}", exchange.path);
        }
    }
}

fn read_all(folder: &Path, texts: &mut Vec<(&str, String)>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_all(&path, texts);
        } else {
            let text = std::fs::read(&path).expect("a readable file");
            texts.push(("files of the job", String::from_utf8_lossy(&text).into_owned()));
        }
    }
}

const MODES: [&str; 3] = ["dispatch", "report", "notify"];

#[tokio::test]
async fn secrets_come_out_nowhere_when_all_is_well() {
    for mode in MODES {
        let vault = Vault::new().await;
        let outcome = vault.run(mode, vault.step(mode)).await;
        outcome.succeeds().says("::group::");
        // The step used these secrets: the log masks them.
        for secret in &vault.secrets()[..3] {
            assert!(outcome.log.contains(&format!("::add-mask::{secret}\n")), "{mode}: {secret}");
        }
        let service = vault.step(mode).without("INPUT_TICKET-TOKEN").job("by-service");
        vault.run(&format!("{mode} by the token service"), service).await.succeeds();
        assert_eq!(vault.service.questions().len(), 1, "{mode}");
        let app = vault.step(mode).without("INPUT_TICKET-TOKEN").without("INPUT_STS-IDENTITY").job("by-app");
        vault.run(&format!("{mode} by the App"), app).await.succeeds();
        assert!(!vault.acme.world.installation_tokens().is_empty());
        let token = vault.step(mode).without("INPUT_CLIENT-ID").without("INPUT_PRIVATE-KEY").job("by-token");
        vault.run(&format!("{mode} by token"), token).await.succeeds();
        vault.run(&format!("{mode} as a plan"), vault.step(mode).input("dry-run", "true")).await.succeeds();
    }
}

#[tokio::test]
async fn secrets_come_out_nowhere_when_they_are_refused() {
    for mode in MODES {
        let vault = Vault::new().await;
        for token in TOKENS {
            vault.acme.world.token(token).revoke();
        }
        vault.run(&format!("{mode} with revoked tokens"), vault.step(mode)).await;
        let another = vault.step(mode).input("private-key", private_key(KeyForm::Another));
        vault.run(&format!("{mode} with another key"), another.without("INPUT_TICKET-TOKEN")).await;
        vault.acme.world.repository("acme/hub").file(".github/chainguard/all.sts.yaml", "subject: nobody");
        let service = vault.step(mode).without("INPUT_TICKET-TOKEN");
        vault.run(&format!("{mode} without a policy"), service).await;
        vault.acme.world.app("acme-release").installed_on("acme", &[]);
        let app = vault.step(mode).without("INPUT_TICKET-TOKEN").without("INPUT_STS-IDENTITY");
        vault.run(&format!("{mode} without permissions"), app).await;
        vault.acme.world.app("acme-release").suspend("acme");
        let app = vault.step(mode).without("INPUT_TICKET-TOKEN").without("INPUT_STS-IDENTITY");
        vault.run(&format!("{mode} while suspended"), app).await;
    }
}

#[tokio::test]
async fn secrets_come_out_nowhere_when_github_is_not_well() {
    for mode in MODES {
        for kind in [Kind::StatusAfter(502), Kind::DropAfter] {
            let vault = Vault::new().await;
            for (method, path) in [
                ("POST", "/app/installations/*/access_tokens"),
                ("GET", "/repos/*/*/installation"),
                ("GET", "/repos/acme/hub/issues*"),
                ("DELETE", "/installation/token"),
            ] {
                vault.acme.world.fault(Fault::on(method, path).then(kind.clone()));
            }
            let step = vault.step(mode).without("INPUT_TICKET-TOKEN").without("INPUT_STS-IDENTITY");
            vault.run(&format!("{mode} after {kind:?}"), step).await.succeeds();
        }
    }
}

#[tokio::test]
async fn secrets_come_out_nowhere_when_inputs_are_bad() {
    let vault = Vault::new().await;
    let pem = vault.app.private_key();
    let two_tokens = format!("{} {}", TOKENS[0], TOKENS[1]);
    let two_lines = format!("{}\n{}", TOKENS[0], TOKENS[1]);
    for mode in MODES {
        for (name, value) in [
            ("dry-run", "maybe"),
            ("token", two_tokens.as_str()),
            ("ticket-token", &two_lines),
            ("private-key", &pem[..pem.len() / 2]),
            ("private-key", &pem.replace("RSA PRIVATE KEY", "CERTIFICATE")),
            ("private-key", &STANDARD.encode(&pem)[1..]),
            ("private-key", &pem.replace("RSA PRIVATE", "OPENSSH PRIVATE").replace('\n', " ")),
            ("app-id", "1"),
            ("sts-url", "http://example.com"),
            ("sts-identity", "a b"),
        ] {
            let outcome =
                vault.run(&format!("{mode} with a bad {name}"), vault.step(mode).input(name, value)).await;
            // A report and a notice try the other credentials.
            if mode == "dispatch" || !matches!(name, "token" | "ticket-token" | "private-key") {
                outcome.ends_with(2);
                assert_eq!(vault.acme.requests(), [""; 0]);
            }
            vault.acme.world.clear_exchanges();
        }
        let step = vault.step(mode).without("GITHUB_REPOSITORY");
        vault.run(&format!("{mode} outside a job"), step).await.ends_with(2);
    }
}

#[tokio::test]
async fn a_request_token_that_no_header_can_hold_does_not_come_out() {
    let vault = Vault::new().await;
    let step = vault.step("report").without("INPUT_TICKET-TOKEN");
    let outcome = vault.run("odd", step.variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "with a\u{7}bell")).await;
    outcome.succeeds();
    assert!(!outcome.visible_log().contains("bell") && !outcome.summary.contains("bell"), "{}", outcome.log);
}
