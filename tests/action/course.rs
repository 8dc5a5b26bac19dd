//! The mode `notify`: the same failure again, after a change of its issue by people or bots.

use chrono::TimeDelta;
use simulated_github::{Fault, Kind, World};

use crate::notify::{issues, notify};
use crate::support::{Acme, Step, for_people, now};

/// Opens the issue of a failure, and resolves it.
async fn resolve(acme: &Acme) {
    notify(acme, "failure").run_in(acme).await.succeeds();
    notify(acme, "success").run_in(acme).await.succeeds();
}

/// The number of pings: by comments, and by the issue itself.
fn pings(acme: &Acme, number: usize) -> usize {
    let issue = &issues(acme)[number - 1];
    let texts = issue.comments.iter().map(|comment| &comment.body).chain([&issue.body]);
    texts.filter(|text| text.contains("please have a look")).count()
}

#[tokio::test]
async fn an_issue_that_is_locked_is_followed_by_another_one_and_closed_by_a_success() {
    for state in ["closed and locked", "locked"] {
        let acme = Acme::new().await;
        notify(&acme, "failure").run_in(&acme).await.succeeds();
        acme.world.lock_issue("acme/web", 1);
        if state == "closed and locked" {
            acme.world.close_issue("acme/web", 1);
        }
        for run in [9_001, 9_002] {
            notify(&acme, "failure").run(run).run_in(&acme).await.succeeds();
        }
        let [old, new] = &issues(&acme)[..] else { panic!("{state}: two issues") };
        assert_eq!((old.is_open(), new.is_open()), (state != "closed and locked", true), "{state}");
        assert!(new.body.contains("The same happened before, in #1."), "{state}: {}", new.body);
        assert_eq!(new.comments.len(), 1, "{state}");
        notify(&acme, "success").run(9_003).run_in(&acme).await.succeeds().says("resolved acme/web#2");
        assert!(issues(&acme).iter().all(|issue| !issue.is_open()), "{state}");
    }
}

#[tokio::test]
async fn an_issue_that_is_full_is_followed_by_another_one() {
    let acme = Acme::new().await;
    notify(&acme, "failure").run_in(&acme).await.succeeds();
    acme.world.comments("acme/web", 1, "alice", 2_500);
    notify(&acme, "failure").run(9_001).run_in(&acme).await.succeeds();
    assert!(issues(&acme)[1].body.contains("The same happened before, in #1."));
}

#[tokio::test]
async fn a_locked_issue_is_closed_by_a_success_without_a_word() {
    let acme = Acme::new().await;
    notify(&acme, "failure").run_in(&acme).await.succeeds();
    acme.world.lock_issue("acme/web", 1);
    let outcome = notify(&acme, "success").run(9_001).run_in(&acme).await;
    outcome.succeeds().says("resolved acme/web#1");
    assert_eq!((outcome.output("issue-number"), issues(&acme)[0].is_open()), ("1", false));
    assert!(issues(&acme)[0].comments.is_empty());

    // An issue that stays open is untidy, and not a reason to fail.
    acme.world.reopen_issue("acme/web", 1);
    acme.world.fault(Fault::on("PATCH", "/repos/acme/web/issues/1").then(Kind::StatusBefore(403)));
    let outcome = notify(&acme, "success").run(9_002).run_in(&acme).await;
    outcome.succeeds().says("::warning::an issue that does not accept comments stays open");
}

#[tokio::test]
async fn an_issue_that_a_person_has_closed_as_not_planned_stays_closed_and_pings_nobody() {
    let acme = Acme::new().await;
    notify(&acme, "failure").run_in(&acme).await.succeeds();
    acme.world.close_issue_as("acme/web", 1, "not_planned", "alice");
    for run in [9_001, 9_002, 9_003] {
        notify(&acme, "failure").run(run).run_in(&acme).await.succeeds();
    }
    let [issue] = &issues(&acme)[..] else { panic!("one issue") };
    assert_eq!((issue.is_open(), issue.comments.len(), pings(&acme, 1)), (false, 1, 1), "the first one");
    insta::assert_snapshot!(for_people(&issue.comments[0].body), @"
    ❌ **Something went wrong** in acme/web, job `failed`: [run 9003](https://github.com/acme/web/actions/runs/9003)

    > Release failed in acme/web at main, job failed

    🔕 This issue was closed as not planned: it stays closed, and nobody is pinged.
    ");

    acme.world.lock_issue("acme/web", 1);
    notify(&acme, "failure")
        .run(9_004)
        .run_in(&acme)
        .await
        .succeeds()
        .says("no notice: acme/web#1 was closed as not planned, and does not accept comments");
    assert_eq!(issues(&acme).len(), 1);

    // Somebody opens it again: then it pings as before.
    acme.world.unlock_issue("acme/web", 1);
    acme.world.reopen_issue("acme/web", 1);
    notify(&acme, "failure").run(9_005).run_in(&acme).await.succeeds();
    assert_eq!(pings(&acme, 1), 2);
}

#[tokio::test]
async fn an_issue_that_a_bot_has_tidied_up_is_opened_again() {
    let acme = Acme::new().await;
    notify(&acme, "failure").run_in(&acme).await.succeeds();
    acme.world.close_issue_as("acme/web", 1, "not_planned", "github-actions[bot]");
    notify(&acme, "failure").run(9_001).run_in(&acme).await.succeeds();
    assert_eq!((issues(&acme).len(), issues(&acme)[0].is_open()), (1, true));
}

#[tokio::test]
async fn an_issue_is_found_whatever_its_labels_are() {
    for (at_first, later) in
        [("release-failure", "failure, urgent"), ("a, b", "b, a"), ("[\"a, b\"]", "[\"a, b\"]"), ("[]", "[]")]
    {
        let acme = Acme::new().await;
        let step = |status: &str, labels: &str| notify(&acme, status).input("labels", labels);
        step("failure", at_first).run_in(&acme).await.succeeds();
        step("success", at_first).run_in(&acme).await.succeeds();
        for label in issues(&acme)[0].labels.clone() {
            acme.world.unlabel_issue("acme/web", 1, &label);
        }
        acme.world.label_issue("acme/web", 1, "triaged");
        step("failure", later).run(9_001).run_in(&acme).await.succeeds();
        assert_eq!((issues(&acme).len(), issues(&acme)[0].is_open()), (1, true), "{at_first}: {later}");
    }

    // A new issue names the one that is too old to be opened again.
    let acme = Acme::in_world(World::at(now() - TimeDelta::days(8))).await;
    resolve(&acme).await;
    acme.world.unlabel_issue("acme/web", 1, "release-failure");
    notify(&acme, "failure").run(9_001).run_in(&acme).await.succeeds();
    assert!(issues(&acme)[1].body.contains("The same happened before, in #1."));
}

/// Failure and success in turn.
async fn in_turn(acme: &Acme, turns: u64, step: impl Fn(&str, u64) -> Step) {
    for turn in 0..turns {
        step("failure", 9_000 + 2 * turn).run_in(acme).await.succeeds();
        step("success", 9_001 + 2 * turn).run_in(acme).await.succeeds();
    }
}

#[tokio::test]
async fn a_failure_that_comes_and_goes_is_marked_as_flapping_and_pings_once_more() {
    for mode in ["new", "update"] {
        let acme = Acme::new().await;
        let step = |status: &str, run: u64| notify(&acme, status).run(run).input("comment-mode", mode);
        in_turn(&acme, 10, step).await;
        let issue = issues(&acme).remove(0);
        assert!(!issue.is_open() && issues(&acme).len() == 1);
        // Two turns as usual, then the one comment that is edited.
        assert_eq!((issue.comments.len(), pings(&acme, 1)), (4, 2), "{mode}");
        let body = for_people(&issue.comments[3].body);
        assert!(body.contains("This works again") && !body.contains('@'), "{body}");
        assert!(body.contains("🔁 **Flapping:** 10 failures in 7 days."), "{body}");

        step("failure", 9_100).run_in(&acme).await.succeeds();
        step("failure", 9_101).run_in(&acme).await.succeeds();
        let issue = issues(&acme).remove(0);
        assert_eq!((issue.is_open(), issue.comments.len()), (true, 4), "{mode}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(for_people(&issue.comments[3].body), @"
            ❌ **Something went wrong** in acme/web, job `failed`: [run 9101](https://github.com/acme/web/actions/runs/9101)

            > Release failed in acme/web at main, job failed

            🔁 **Flapping:** 11 failures in 7 days. Updates follow in this comment, and ping nobody.
            ");
        }
    }
}

#[tokio::test]
async fn the_notice_that_begins_to_flap_is_a_comment_that_pings() {
    let acme = Acme::new().await;
    in_turn(&acme, 2, |status, run| notify(&acme, status).run(run)).await;
    notify(&acme, "failure").run(9_100).run_in(&acme).await.succeeds();
    let issue = issues(&acme).remove(0);
    let body = for_people(&issue.comments[3].body);
    assert!(
        body.contains("@alice please have a look.") && body.contains("**Flapping:** 3 failures"),
        "{body}"
    );

    // Somebody deletes the comment that is edited: a new one follows.
    acme.world.delete_comment("acme/web", issue.comments[3].id);
    notify(&acme, "success").run(9_101).run_in(&acme).await.succeeds();
    assert!(!issues(&acme)[0].is_open());
}

#[tokio::test]
async fn a_failure_that_comes_and_goes_on_a_ticket_flaps_there() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let step =
        |status: &str, run: u64| notify(&acme, status).run(run).input("ticket", format!("acme/hub#{ticket}"));
    in_turn(&acme, 10, step).await;
    let records = acme.records(ticket);
    let notices = records.iter().filter(|record| record.body.contains("please have a look"));
    // The dispatch, two turns, and the comment that is edited.
    assert_eq!((records.len(), notices.count()), (6, 2));
    assert!(!acme.board(ticket).contains("[!CAUTION]"), "{}", acme.board(ticket));
    step("failure", 9_100).run_in(&acme).await.succeeds();
    assert_eq!(acme.records(ticket).len(), 6);
    assert!(acme.board(ticket).contains("[!CAUTION]"), "{}", acme.board(ticket));
}

#[tokio::test]
async fn a_flapping_failure_pings_again_after_a_person_has_closed_its_issue() {
    let acme = Acme::new().await;
    in_turn(&acme, 4, |status, run| notify(&acme, status).run(run)).await;
    notify(&acme, "failure").run(9_100).run_in(&acme).await.succeeds();
    assert_eq!(pings(&acme, 1), 2);
    acme.world.close_issue("acme/web", 1);
    notify(&acme, "failure").run(9_101).run_in(&acme).await.succeeds();
    assert!(issues(&acme)[0].is_open());
    assert_eq!(pings(&acme, 1), 3, "the person who closed it takes it for mended");
}
