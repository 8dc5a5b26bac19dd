//! GitHub's own API description, from the file that the variable `GITHUB_OPENAPI` names.
//!
//! Each test's requests and answers are checked against it when the test ends; here is the proof
//! that the check can fail.

#[path = "../simulated-github/src/conformance/json_schema.rs"]
mod json_schema;

use std::io::Write;
use std::sync::OnceLock;

use serde_json::{Value, json};
use simulated_github::conformance::Description;

use crate::support::{Acme, Step};

/// The description, read once; `None` if the variable is not set.
pub(crate) fn description() -> Option<&'static Description> {
    static DESCRIPTION: OnceLock<Option<Description>> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "tests have no main to read it")]
    let path = || std::env::var_os("GITHUB_OPENAPI");
    let load = || {
        path().map(|path| {
            Description::load(path, json_schema::compile).expect("GITHUB_OPENAPI names GitHub's description")
        })
    };
    DESCRIPTION.get_or_init(load).as_ref()
}

#[tokio::test]
async fn a_request_or_an_answer_that_github_does_not_describe_is_found() {
    let Some(description) = description() else {
        let _ = writeln!(
            std::io::stderr(),
            "GITHUB_OPENAPI is not set: nothing was checked against the description"
        );
        return;
    };
    let acme = Acme::new().await;
    Step::new("dispatch")
        .input("targets", "web")
        .input("workflow", "release.yml")
        .run_in(&acme)
        .await
        .succeeds();
    let exchanges = acme.world.exchanges();
    let exchange = exchanges.iter().find(|exchange| exchange.request_line() == "POST /repos/acme/hub/issues");
    let exchange = exchange.expect("the ticket was opened").clone();
    description.check(&exchange).expect("the request is as GitHub describes it");

    let change_request = |change: &dyn Fn(&mut Value)| {
        let mut copy = exchange.clone();
        change(copy.request_body.as_mut().expect("a body"));
        copy
    };
    let change_answer = |change: &dyn Fn(&mut Value)| {
        let mut copy = exchange.clone();
        change(copy.response_body.as_mut().expect("a body"));
        copy
    };
    for (defect, exchange) in [
        ("no title", change_request(&|body| drop(body.as_object_mut().map(|body| body.remove("title"))))),
        ("a misspelt property", change_request(&|body| body["labls"] = json!([]))),
        ("a wrong type", change_request(&|body| body["labels"] = json!("release"))),
        (
            "an answer without a number",
            change_answer(&|body| drop(body.as_object_mut().map(|body| body.remove("number")))),
        ),
        ("an answer with a wrong type", change_answer(&|body| body["html_url"] = json!(7))),
    ] {
        assert!(description.check(&exchange).is_err(), "{defect}");
    }
}
