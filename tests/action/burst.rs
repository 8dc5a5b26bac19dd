//! Many jobs that report at the same moment.

use crate::support::{Acme, Step};

#[tokio::test]
async fn a_burst_of_reports_rebuilds_the_board_a_few_times_and_loses_none() {
    const JOBS: usize = 50;
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let run = acme.world.runs("acme/web")[0].id;
    acme.world.clear_exchanges();
    let steps = (0..JOBS).map(|job| {
        let step = Step::new("report").run(run).job(&format!("job-{job}")).share_temp();
        let step = step.input("ticket", format!("acme/hub#{ticket}")).input("status", "success");
        step.run_in(&acme)
    });
    for outcome in futures::future::join_all(steps).await {
        outcome.succeeds();
    }
    assert_eq!(acme.records(ticket).len(), JOBS + 1);
    assert!(acme.board(ticket).contains(&format!("Shows {} records", JOBS + 1)), "{}", acme.board(ticket));
    let boards = acme.world.exchanges().iter().filter(|exchange| exchange.method == "PATCH").count();
    // The number depends on the moments at which the jobs meet.
    assert!(boards < JOBS * 4 / 5, "{boards} board writes, {} requests", acme.requests().len());
    assert!(acme.world.content_creations().len() <= 80);
}
