use cache::{Cache, redis};
use model::{Role, Session, UserInfo, WorkspaceInfo};
use uuid::Uuid;

use crate::fresh;

const NOW: i64 = 1_800_000_000_000;

fn session() -> Session {
    Session {
        user: UserInfo { id: Uuid::nil().into(), email: "a@b.test".to_owned(), name: "A".to_owned() },
        workspace: WorkspaceInfo { id: Uuid::nil().into(), name: "W".to_owned() },
        role: Role::Viewer,
        expires_at: NOW + 3_600_000,
    }
}

async fn read(cache: &Cache, hash: &str) -> Option<Session> {
    let text: Option<Vec<u8>> = cache.query(redis::cmd("GET").arg(cache.keys().session(hash))).await.expect("an answer");
    text.and_then(|text| serde_json::from_slice(&text).ok())
}

#[tokio::test]
async fn a_copy_that_comes_after_the_end_of_its_session_is_not_kept() {
    let cache = fresh();
    cache.put_session("ab", &session(), NOW).await.expect("kept");
    assert!(read(&cache, "ab").await.is_some());
    cache.drop_session("ab").await.expect("ended");
    assert!(read(&cache, "ab").await.is_none());
    // Whoever read the session just before it ended.
    cache.put_session("ab", &session(), NOW).await.expect("no mistake");
    assert!(read(&cache, "ab").await.is_none(), "an ended session came back");
    // What stands there goes by itself.
    let left: i64 = cache.query(redis::cmd("PTTL").arg(cache.keys().session("ab"))).await.expect("an answer");
    assert!((1..=120_000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_session_may_end_before_its_copy_was_ever_made() {
    let cache = fresh();
    cache.drop_session("ab").await.expect("ended");
    cache.put_session("ab", &session(), NOW).await.expect("no mistake");
    assert!(read(&cache, "ab").await.is_none());
}
