//! Addresses of blobs are remembered for public holds, until the hold declares something else.

use tokio::task::AbortHandle;

use super::app::App;

/// An app whose writer is heard, and the path of a layer of alice's image.
async fn app() -> (App, String, AbortHandle) {
    let app = App::start().await;
    let beating = app.beat().await;
    let alice = app.account("alice").await;
    let image = app.image(&alice, "app", "v1").await;
    (app, format!("/v2/alice.test/app/blobs/{}", image.layer), beating)
}

/// Asks until nobody else is asked for it.
async fn warm(app: &App, path: &str) {
    tokio::time::timeout(std::time::Duration::from_secs(20), async {
        loop {
            let asked = app.network.asked("getBlob");
            assert_eq!(app.get(path).await.status, 307);
            if app.network.asked("getBlob") == asked {
                return;
            }
        }
    })
    .await
    .expect("the address is remembered");
}

#[tokio::test]
async fn a_public_hold_is_asked_once_until_it_declares_something_else() {
    let (app, path, _beating) = app().await;
    app.declare_hold(true, "here").await;
    warm(&app, &path).await;
    let asked = app.network.asked("getBlob");
    let answer = app.get(&path).await;
    assert!(answer.header("location").ends_with("/blobs/x?signature=secret"));
    assert_eq!((answer.header("cache-control"), app.network.asked("getBlob")), ("no-store", asked));
    app.declare_hold(true, "there").await;
    // Whoever shows that a change was told has heard of it.
    let within_a_second = std::time::Duration::from_secs(1);
    tokio::time::timeout(within_a_second, async {
        while app.network.asked("getBlob") == asked {
            app.get(&path).await;
        }
    })
    .await
    .expect("the hold is asked again within a second");
    warm(&app, &path).await;
    app.declare_hold(false, "there").await;
    tokio::time::timeout(within_a_second, async { while app.get(&path).await.status != 401 {} })
        .await
        .expect("nobody is sent to a private hold's blobs without signing in");
}

#[tokio::test]
async fn a_hold_that_says_nothing_is_asked_each_time_and_a_private_one_never_for_anyone() {
    let (app, path, _beating) = app().await;
    for n in 1..=3 {
        assert_eq!((app.get(&path).await.status.as_u16(), app.network.asked("getBlob")), (307, n));
    }
    app.declare_hold(false, "here").await;
    assert_eq!((app.get(&path).await.status.as_u16(), app.network.asked("getBlob")), (401, 3));
}

#[tokio::test]
async fn those_who_come_together_ask_once() {
    let (app, path, beating) = app().await;
    app.declare_hold(true, "here").await;
    beating.abort();
    // Who comes when the answer is there already asks anew: not each time four meet.
    let meeting = async {
        loop {
            let asked = app.network.asked("getBlob");
            let answers = tokio::join!(app.get(&path), app.get(&path), app.get(&path), app.get(&path));
            for answer in [answers.0, answers.1, answers.2, answers.3] {
                assert_eq!(answer.status, 307);
            }
            if app.network.asked("getBlob") < asked + 4 {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), meeting).await.expect("those who meet ask once");
}
