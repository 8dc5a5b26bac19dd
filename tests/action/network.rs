//! Proxies and private certificate authorities on the way to GitHub.

use insta::assert_snapshot;

use crate::proxy::{Proxy, Rules};
use crate::support::{Acme, Outcome, Step};
use crate::tls::Tls;

/// A report to a ticket of `acme/hub`.
fn report(ticket: u64) -> Step {
    let step = Step::new("report").run(9_000).input("ticket", format!("acme/hub#{ticket}"));
    step.input("status", "success").input("retry-timeout", "1s")
}

fn ticket_in(acme: &Acme) -> u64 {
    acme.world.issue("acme/hub", "Release 1.4.0", "", "alice")
}

#[track_caller]
fn assert_delivery(outcome: &Outcome, acme: &Acme, ticket: u64) {
    outcome.succeeds();
    assert_eq!(outcome.output("delivered"), "true");
    assert_eq!(acme.records(ticket).len(), 1);
}

/// The warnings in the log, with a placeholder for each part that differs from run to run.
fn warnings(outcome: &Outcome, placeholders: &[(&str, &str)]) -> String {
    let lines: Vec<&str> = outcome.log.lines().filter(|line| line.starts_with("::warning")).collect();
    let text = lines.join("\n").replace("%0A", "\n").replace("%25", "%");
    placeholders.iter().fold(text, |text, (from, to)| text.replace(from, to))
}

#[tokio::test]
async fn a_proxy_forwards_what_goes_to_an_http_address() {
    for variable in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        let acme = Acme::new().await;
        let ticket = ticket_in(&acme);
        let proxy = Proxy::start(Rules::default()).await;
        let api = format!("{}/api/v3", acme.server.url());
        let step = report(ticket).variable(variable, proxy.url("")).variable("GITHUB_API_URL", &api);
        assert_delivery(&step.start().await, &acme, ticket);
        let requests = proxy.requests();
        assert_eq!(requests.len(), acme.requests().len(), "{variable}: {requests:?}");
        let request_line = format!("POST {api}/repos/acme/hub/issues/{ticket}/comments");
        assert!(requests.contains(&request_line), "{variable}: {requests:?}");
    }
}

#[tokio::test]
async fn an_enterprise_in_the_cloud_is_reached_through_a_tunnel() {
    for variable in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        let acme = Acme::new().await;
        let ticket = ticket_in(&acme);
        let tls = Tls::in_front_of(&acme.server.url(), "api.octocorp.ghe.com").await;
        let proxy = Proxy::start(Rules { destination: Some(tls.address), ..Rules::default() }).await;
        let folder = tempfile::tempdir().expect("a folder");
        let step = report(ticket).variable("SSL_CERT_FILE", tls.authority_in(folder.path()).display());
        let step = step.variable("GITHUB_API_URL", "https://api.octocorp.ghe.com");
        // Only the proxy can reach that host.
        let outcome = step.variable(variable, proxy.url("")).start().await;
        assert_delivery(&outcome, &acme, ticket);
        assert_eq!(proxy.requests(), ["CONNECT api.octocorp.ghe.com:443"], "{variable}");
    }
}

#[tokio::test]
async fn a_proxy_may_speak_tls_itself() {
    let acme = Acme::new().await;
    let ticket = ticket_in(&acme);
    let tls = Tls::in_front_of(&acme.server.url(), "api.octocorp.ghe.com").await;
    let proxy = Proxy::start(Rules { destination: Some(tls.address), ..Rules::default() }).await;
    let tls_of_proxy = Tls::in_front_of(&proxy.url(""), "localhost").await;
    let [folder, other_folder] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let step = report(ticket)
        .variable("SSL_CERT_FILE", tls.authority_in(folder.path()).display())
        .variable("NODE_EXTRA_CA_CERTS", tls_of_proxy.authority_in(other_folder.path()).display())
        .variable("https_proxy", format!("https://localhost:{}", tls_of_proxy.address.port()));
    let outcome = step.variable("GITHUB_API_URL", "https://api.octocorp.ghe.com").start().await;
    assert_delivery(&outcome, &acme, ticket);
    assert_eq!(proxy.requests(), ["CONNECT api.octocorp.ghe.com:443"]);
}

#[tokio::test]
async fn an_enterprise_server_with_a_certificate_of_its_company_is_reached() {
    for variable in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
        let acme = Acme::new().await;
        acme.world.ghes("3.18");
        let ticket = ticket_in(&acme);
        let tls = Tls::in_front_of(&acme.server.url(), "127.0.0.1").await;
        let folder = tempfile::tempdir().expect("a folder");
        let step = report(ticket).variable(variable, tls.authority_in(folder.path()).display());
        let step = step.variable("GITHUB_API_URL", format!("https://{}/api/v3", tls.address));
        assert_delivery(&step.start().await, &acme, ticket);
    }
}

#[tokio::test]
async fn a_proxy_gets_the_user_and_password_of_its_address() {
    let rules = Rules { credentials: Some("alice:p@ss:word"), ..Rules::default() };
    let acme = Acme::new().await;
    let (over_http, over_https) = (ticket_in(&acme), ticket_in(&acme));
    let proxy = Proxy::start(rules).await;
    let step = report(over_http).variable("http_proxy", proxy.url("alice:p%40ss%3Aword@"));
    assert_delivery(&step.run_in(&acme).await, &acme, over_http);

    let tls = Tls::in_front_of(&acme.server.url(), "api.octocorp.ghe.com").await;
    let proxy = Proxy::start(Rules { destination: Some(tls.address), ..rules }).await;
    let folder = tempfile::tempdir().expect("a folder");
    let step = report(over_https).variable("SSL_CERT_FILE", tls.authority_in(folder.path()).display());
    let step = step.variable("GITHUB_API_URL", "https://api.octocorp.ghe.com");
    let step = step.variable("https_proxy", proxy.url("alice:p%40ss%3Aword@"));
    assert_delivery(&step.start().await, &acme, over_https);
}

#[tokio::test]
async fn no_proxy_names_hosts_that_are_reached_without_one() {
    let acme = Acme::new().await;
    let port = acme.server.url().rsplit(':').next().map(str::to_owned).expect("a port");
    for (host, no_proxy) in [
        ("localhost", "github.example, localhost"),
        ("localhost", "*"),
        // https://docs.github.com/actions/how-tos/manage-runners/self-hosted-runners/use-proxy-servers
        ("localhost", &format!("localhost:{port},github.example")),
        ("127.0.0.1", "127.0.0.0/8"),
    ] {
        let ticket = ticket_in(&acme);
        let proxy = Proxy::start(Rules { refuses: true, ..Rules::default() }).await;
        let step = report(ticket).variable("http_proxy", proxy.url("")).variable("NO_PROXY", no_proxy);
        let outcome = step.variable("GITHUB_API_URL", format!("http://{host}:{port}")).start().await;
        assert_delivery(&outcome, &acme, ticket);
        assert_eq!(proxy.requests(), [""; 0], "{no_proxy}");
    }
}

#[tokio::test]
async fn a_proxy_that_leads_nowhere_is_explained_without_its_password() {
    let acme = Acme::new().await;
    let ticket = ticket_in(&acme);
    let strict_proxy = Proxy::start(Rules { credentials: Some("alice:right"), ..Rules::default() }).await;
    let closed_proxy = Proxy::start(Rules { refuses: true, ..Rules::default() }).await;
    let [strict_url, closed_url] = [&strict_proxy, &closed_proxy].map(|proxy| proxy.url("alice:wr0ng@"));
    let tunnel = |proxy: &str| {
        let step = report(ticket).variable("https_proxy", proxy).debug();
        step.variable("GITHUB_API_URL", "https://api.octocorp.ghe.com").start()
    };
    let forward = |proxy: &str| report(ticket).variable("http_proxy", proxy).debug().run_in(&acme);

    let bad_login = tunnel(&strict_url).await;
    assert_eq!(strict_proxy.requests().len(), 1, "asking again would not help");
    let bad_login_over_http = forward(&strict_url).await;
    let blocked_host = tunnel(&closed_url).await;
    let missing_proxy = tunnel("http://alice:wr0ng@127.0.0.1:1").await;

    let placeholders = [(&*strict_proxy.host(), "STRICT"), (&*closed_proxy.host(), "CLOSED")];
    assert_snapshot!(warnings(&bad_login, &placeholders), @r"
    ::warning::cannot report to acme/hub#1: the request to list the comments of acme/hub#1 did not get through: the proxy STRICT asks for a valid user and password (407)
    help: give the proxy as `http://USER:PASSWORD@HOST:PORT` in `https_proxy` or `http_proxy`, and special characters percent-encoded (`@` as `%40`)
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-proxy-does-not-lead-to-the-server
    ");
    assert_snapshot!(warnings(&bad_login_over_http, &placeholders), @r"
    ::warning::cannot report to acme/hub#1: the proxy on the way to GitHub refused to list the comments of acme/hub#1: Proxy Authentication Required (407)
    help: give the proxy as `http://USER:PASSWORD@HOST:PORT` in `https_proxy` or `http_proxy`, and special characters percent-encoded (`@` as `%40`)
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-proxy-does-not-lead-to-the-server
    ");
    assert_snapshot!(warnings(&blocked_host, &placeholders), @r"
    ::warning::cannot report to acme/hub#1: the request to list the comments of acme/hub#1 did not get through: the proxy CLOSED refused a connection to api.octocorp.ghe.com: tunnel error: unsuccessful
    help: have the proxy allow this host, or name it in `no_proxy` if it is reached without a proxy
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-proxy-does-not-lead-to-the-server
    ");
    assert_snapshot!(warnings(&missing_proxy, &placeholders), @r"
    ::warning::cannot report to acme/hub#1: the request to list the comments of acme/hub#1 did not get through: the proxy 127.0.0.1:1 cannot be reached: tcp connect error: Connection refused (os error 111)
    help: check the variables `https_proxy` and `http_proxy` of the runner, or name the host in `no_proxy` if it is reached without a proxy
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-proxy-does-not-lead-to-the-server
    ");
    for outcome in [bad_login, bad_login_over_http, blocked_host, missing_proxy] {
        outcome.succeeds();
        assert_eq!(outcome.output("delivered"), "false");
        assert!(!format!("{outcome:?}").contains("wr0ng"), "{outcome:?}");
    }
    assert_eq!(acme.records(ticket), []);
}

#[tokio::test]
async fn a_variable_that_names_no_proxy_is_refused_without_quoting_it() {
    for proxy in ["socks5://alice:wr0ng@proxy:1080", "http://alice:wr0ng@example@proxy:3128", "alice:wr0ng"] {
        let step = report(1).variable("https_proxy", proxy).variable("HTTP_PROXY", proxy);
        let outcome = step.start().await;
        outcome
            .ends_with(2)
            .says("HTTP_PROXY, https_proxy must name an HTTP proxy")
            .says("http://USER:PASSWORD@HOST:PORT");
        assert!(!format!("{outcome:?}").contains("wr0ng"), "{outcome:?}");
    }
    // A variable that no request uses may hold anything.
    let acme = Acme::new().await;
    let ticket = ticket_in(&acme);
    let proxy = Proxy::start(Rules::default()).await;
    let step = report(ticket).variable("all_proxy", "socks5://proxy:1080");
    let step = step.variable("https_proxy", "proxy:3128").variable("http_proxy", proxy.url(""));
    assert_delivery(&step.run_in(&acme).await, &acme, ticket);
    assert!(!proxy.requests().is_empty());
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_explained_and_the_report_goes_out_later() {
    let acme = Acme::new().await;
    let ticket = ticket_in(&acme);
    let tls = Tls::in_front_of(&acme.server.url(), "127.0.0.1").await;
    let folder = tempfile::tempdir().expect("a folder");
    let step = |stage: &str| {
        let step = report(ticket).temp(folder.path()).input("stage", stage).input("retry-timeout", "1h");
        step.variable("GITHUB_API_URL", format!("https://{}/api/v3", tls.address))
    };
    let outcome = step("build").start().await;
    outcome.succeeds();
    assert_eq!((outcome.output("delivered"), acme.requests().len()), ("false", 0));
    assert_snapshot!(warnings(&outcome, &[]), @r"
    ::warning::cannot report to acme/hub#1 (it goes out with this job's next report): the request to write a comment on acme/hub#1 did not get through: invalid peer certificate: UnknownIssuer
    help: name a PEM file with the certificate authority of the server (or of a proxy that inspects TLS) in SSL_CERT_FILE or NODE_EXTRA_CA_CERTS, below `${{ github.workspace }}` or `${{ runner.temp }}`, which the action's container sees
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-certificate-is-not-trusted
    ");

    let retry = step("publish").variable("SSL_CERT_FILE", tls.authority_in(folder.path()).display());
    assert_delivery(&retry.start().await, &acme, ticket);
    let record = acme.records(ticket).remove(0).body;
    assert!(record.contains("build") && record.contains("publish"), "{record}");
}

#[tokio::test]
async fn a_certificate_for_another_host_and_a_host_without_address_are_explained() {
    let acme = Acme::new().await;
    let tls = Tls::in_front_of(&acme.server.url(), "api.octocorp.ghe.com").await;
    let folder = tempfile::tempdir().expect("a folder");
    let step = report(1).variable("SSL_CERT_FILE", tls.authority_in(folder.path()).display());
    let outcome = step.variable("GITHUB_API_URL", format!("https://{}", tls.address)).start().await;
    assert_snapshot!(warnings(&outcome, &[]), @r#"
    ::warning::cannot report to acme/hub#1: the request to list the comments of acme/hub#1 did not get through: invalid peer certificate: certificate not valid for name "127.0.0.1"; certificate is only valid for DnsName("api.octocorp.ghe.com")
    help: check the address, and the server's certificate: its names, its dates, and that it is not itself a certificate authority
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-certificate-is-not-trusted
    "#);

    // https://www.rfc-editor.org/rfc/rfc2606#section-2
    let outcome = report(1).variable("GITHUB_API_URL", "https://github.invalid").start().await;
    outcome.succeeds().says("the host's name does not resolve").says("`https_proxy`");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_is_a_warning() {
    let acme = Acme::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let [empty, broken] = ["empty.pem", "broken.pem"].map(|name| folder.path().join(name));
    std::fs::write(&empty, "no certificate").expect("a writable folder");
    std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\nAA==\n").expect("a writable folder");
    let ticket = ticket_in(&acme);
    let step = report(ticket).variable("SSL_CERT_FILE", "/etc/ssl/company.pem");
    let outcome = step.variable("NODE_EXTRA_CA_CERTS", empty.display()).run_in(&acme).await;
    assert_delivery(&outcome, &acme, ticket);
    let folder = folder.path().display().to_string();
    assert_snapshot!(warnings(&outcome, &[(&folder, "FOLDER")]), @r"
    ::warning::SSL_CERT_FILE names `/etc/ssl/company.pem`, which cannot be read: No such file or directory (os error 2)
    help: put the file below `${{ github.workspace }}` or `${{ runner.temp }}`, which the action's container sees, and use that expression in its path
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-certificate-is-not-trusted
    ::warning::NODE_EXTRA_CA_CERTS names `FOLDER/empty.pem`, which is not a file of certificates in PEM format
    help: give a text file of certificates that begin with `-----BEGIN CERTIFICATE-----`
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-certificate-is-not-trusted
    ");

    let outcome = report(ticket_in(&acme)).variable("SSL_CERT_FILE", broken.display()).run_in(&acme).await;
    assert_snapshot!(warnings(&outcome, &[(&folder, "FOLDER")]), @r"
    ::warning::SSL_CERT_FILE names `FOLDER/broken.pem`, which is not a file of certificates in PEM format
    help: give a text file of certificates that begin with `-----BEGIN CERTIFICATE-----`
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-certificate-is-not-trusted
    ");
}
