//! The number of requests of a step.

use crate::support::{Acme, Step};

#[tokio::test]
async fn a_report_makes_four_requests_at_most_in_a_quiet_ticket() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let temp = tempfile::tempdir().expect("a folder");
    for status in ["in_progress", "success"] {
        acme.world.clear_exchanges();
        let step =
            Step::new("report").run(9_000).temp(temp.path()).input("ticket", format!("acme/hub#{ticket}"));
        step.input("status", status).run_in(&acme).await.succeeds();
        assert!(acme.requests().len() <= 4, "{:#?}", acme.requests());
    }
    // This ticket has no dispatch, and so no board yet.
    let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
    acme.world.clear_exchanges();
    Step::new("report")
        .input("ticket", format!("acme/hub#{ticket}"))
        .input("status", "success")
        .run_in(&acme)
        .await
        .succeeds();
    assert!(acme.requests().len() <= 4, "{:#?}", acme.requests());
}

#[tokio::test]
async fn a_dispatch_of_twenty_targets_makes_four_requests_for_each_and_a_share_of_the_records() {
    let acme = Acme::new().await;
    let names: Vec<String> = (0..20).map(|n| format!("target-{n}")).collect();
    names.iter().for_each(|name| acme.add_target(name));
    acme.world.clear_exchanges();
    let step = Step::new("dispatch").input("targets", names.join("\n")).input("workflow", "release.yml");
    step.input("release", "2.0").run_in(&acme).await.succeeds();
    let requests = acme.requests();
    // For each: the repository, the workflow file, the state of the workflow, the start.
    assert!(requests.len() <= 4 * 20 + 16, "{} requests: {requests:#?}", requests.len());
    assert_eq!(requests.iter().filter(|request| request.ends_with("/dispatches")).count(), 20);
}

#[tokio::test]
async fn on_a_large_ticket_each_report_reads_all_of_it_and_makes_three_other_requests() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let step = |job: &str| {
        let step = Step::new("report").run(9_000).job(job).input("status", "success");
        step.input("ticket", format!("acme/hub#{ticket}"))
    };
    step("first").run_in(&acme).await.succeeds();
    let record = acme.records(ticket).pop().expect("a record").body;
    for run in 1..=450 {
        let body = record.replace("\"run\":9000", &format!("\"run\":{run}"));
        acme.world.comment("acme/hub", ticket, "acme-report[bot]", &body);
    }
    acme.world.advance(std::time::Duration::from_secs(3_600));
    let temp = tempfile::tempdir().expect("a folder");
    let mut requests = Vec::new();
    for _ in 0..2 {
        acme.world.clear_exchanges();
        step("second").temp(temp.path()).run_in(&acme).await.succeeds();
        requests.push(acme.requests().len());
    }
    // Each reads five pages, writes the record and the board, and reads the changes.
    assert_eq!(requests, [5 + 3, 5 + 3]);
    assert!(acme.board(ticket).contains("Shows 453 records"), "{}", acme.board(ticket));
}
