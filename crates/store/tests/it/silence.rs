//! A PostgreSQL whose host is gone: the connection stands, and nothing comes any more.

use std::time::Duration;

use store::{Limits, Store, StoreError};
use testkit::Stack;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Longer than any answer is waited for.
const FOR_EVER: Duration = Duration::from_secs(30);

/// A way to PostgreSQL that can swallow what goes over it.
struct Way {
    port: u16,
    mute: watch::Sender<bool>,
}

impl Way {
    async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("address").port();
        let (mute, heard) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.expect("PostgreSQL");
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(carry(from_client, to_server, heard.clone()));
                tokio::spawn(carry(from_server, to_client, heard.clone()));
            }
        });
        Self { port, mute }
    }
}

/// What came while the way was mute never arrives, nor does the end of the connection.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mute: watch::Receiver<bool>) {
    let mut buffer = vec![0; 64 * 1024];
    let mut lost = false;
    while let Ok(read) = from.read(&mut buffer).await {
        lost |= *mute.borrow();
        if lost && read == 0 {
            std::future::pending::<()>().await;
        }
        if read == 0 || (!lost && to.write_all(&buffer[..read]).await.is_err()) {
            return;
        }
    }
}

async fn within<T>(what: &str, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(FOR_EVER, work).await.unwrap_or_else(|_| panic!("{what} is waited for without end"))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_waited_for_without_end_and_no_room_in_the_pool_is_lost() {
    let stack = Stack::new();
    let database = stack.database().await;
    let (before, rest) = database.url.split_once('@').expect("a URL with a password");
    let (server, name) = rest.split_once('/').expect("a URL with a database");
    let way = Way::to(server.to_owned()).await;
    let url = format!("{before}@127.0.0.1:{}/{name}", way.port);
    let limits = Limits { statement: Duration::from_secs(1), acquire: Duration::from_secs(3), ..Limits::default() };
    let store = Store::connect_with(&url.into(), "test", 3, limits).expect("a store");

    // Three connections: one in a transaction, one in a statement, one that somebody stops waiting for.
    let mut open = store.begin().await.expect("begun");
    sqlx::query("CREATE TABLE told (word text)").execute(&mut *open).await.expect("made");
    let busy = store.pool().acquire().await.expect("a connection");
    let mut left = store.begin().await.expect("begun");
    drop(busy);
    way.mute.send_replace(true);
    assert!(
        tokio::time::timeout(Duration::from_millis(100), sqlx::query("SELECT 1").execute(&mut *left)).await.is_err(),
        "nothing can have come"
    );
    drop(left);
    let commit = async { Ok(open.commit().await?) };
    let (commit, ping) = tokio::join!(within("a commit", commit), within("a statement", store.ping()));
    for ended in [commit, ping] {
        let error = ended.expect_err("nobody answered");
        assert!(error.is_retryable(), "{error}");
    }

    way.mute.send_replace(false);
    // As many as before, at once.
    for _ in 0..3 {
        let all = async { Ok((store.begin().await?, store.begin().await?, store.begin().await?)) };
        if within("the pool", all).await.is_ok() {
            return;
        }
    }
    panic!("connections that were given up still take room in the pool");
}
