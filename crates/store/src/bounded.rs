//! Connections on which no answer is waited for without end. PostgreSQL ends a statement that takes too long, but a host that is
//! gone says nothing, not even that: then the connection is given up here, and never comes back to the pool.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, Stream, StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Error, Execute, Executor, PgConnection, PgPool, Postgres, SqlStr};
use tokio::runtime::Handle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// So much longer than PostgreSQL's own limit an answer may take: its refusal has to arrive, too.
const MARGIN: Duration = Duration::from_secs(5);
/// What nobody waits for any more (a statement that was cancelled, a rollback) may take so long before its connection is closed.
const RETURN: Duration = Duration::from_secs(5);

/// The pool. As an executor it takes a connection for one statement.
#[derive(Debug, Clone)]
pub struct Pool {
    inner: PgPool,
    limit: Duration,
}

/// A connection of the pool.
#[derive(Debug)]
pub struct Connection {
    /// Absent once it was given up.
    inner: Option<PoolConnection<Postgres>>,
    limit: Duration,
    /// A transaction was begun and is not known to be over.
    open: bool,
}

/// A transaction on the store; rolled back when it is dropped.
#[derive(Debug)]
pub struct Transaction(Connection);

type Step = Either<PgQueryResult, PgRow>;

impl Pool {
    /// `statement` is the limit PostgreSQL itself keeps.
    pub(crate) fn new(inner: PgPool, statement: Duration) -> Self {
        Self { inner, limit: statement + MARGIN }
    }

    pub async fn acquire(&self) -> Result<Connection, Error> {
        // Limited by the pool's own patience, which includes a look whether the connection still answers.
        Ok(Connection { inner: Some(self.inner.acquire().await?), limit: self.limit, open: false })
    }

    pub(crate) async fn begin(&self) -> Result<Transaction, Error> {
        let mut connection = self.acquire().await?;
        // Before the answer: whoever does not wait for it may leave a transaction behind.
        connection.open = true;
        connection.execute("BEGIN").await?;
        Ok(Transaction(connection))
    }

    pub(crate) async fn close(&self) {
        self.inner.close().await;
    }
}

/// For those who look into the database beside the store: tests.
impl Deref for Pool {
    type Target = PgPool;

    fn deref(&self) -> &PgPool {
        &self.inner
    }
}

impl Transaction {
    /// One that ends in an error may or may not have happened.
    pub async fn commit(self) -> Result<(), Error> {
        self.end("COMMIT").await
    }

    pub async fn rollback(self) -> Result<(), Error> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, how: &'static str) -> Result<(), Error> {
        self.0.execute(how).await?;
        self.0.open = false;
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}

impl Connection {
    fn live(&mut self) -> Result<&mut PgConnection, Error> {
        let gone = || Error::Io(std::io::Error::new(std::io::ErrorKind::NotConnected, "the connection was given up"));
        self.inner.as_deref_mut().ok_or_else(gone)
    }

    /// Gives the connection up where no answer came: what it says later belongs to nobody.
    fn answered<T>(&mut self, answer: Result<Result<T, Error>, Elapsed>) -> Result<T, Error> {
        answer.unwrap_or_else(|_| {
            if let Some(silent) = self.inner.take() {
                drop(silent.detach());
            }
            let text = format!("no answer within {} s, the connection is given up", self.limit.as_secs());
            Err(Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text)))
        })
    }

    async fn all<'q, E: Execute<'q, Postgres> + 'q>(&mut self, query: E) -> Result<Vec<Step>, Error> {
        let limit = self.limit;
        let answer = timeout(limit, self.live()?.fetch_many(query).try_collect()).await;
        self.answered(answer)
    }

    async fn one<'q, E: Execute<'q, Postgres> + 'q>(&mut self, query: E) -> Result<Option<PgRow>, Error> {
        let limit = self.limit;
        let answer = timeout(limit, self.live()?.fetch_optional(query)).await;
        self.answered(answer)
    }

    async fn prepared(&mut self, sql: SqlStr, parameters: &[PgTypeInfo]) -> Result<PgStatement, Error> {
        let limit = self.limit;
        let answer = timeout(limit, self.live()?.prepare_with(sql, parameters)).await;
        self.answered(answer)
    }

    async fn described(&mut self, sql: SqlStr) -> Result<Describe<Postgres>, Error> {
        let limit = self.limit;
        let answer = timeout(limit, self.live()?.describe(sql)).await;
        self.answered(answer)
    }
}

/// Back to the pool, which looks whether the connection still answers; that, too, has an end.
impl Drop for Connection {
    fn drop(&mut self) {
        let Some(mut connection) = self.inner.take() else { return };
        let Ok(runtime) = Handle::try_current() else {
            drop(connection.detach());
            return;
        };
        if !self.open {
            let back = connection.return_to_pool();
            runtime.spawn(timeout(RETURN, back));
            return;
        }
        runtime.spawn(async move {
            if let Ok(Ok(_)) = timeout(RETURN, connection.execute("ROLLBACK")).await {
                let _ = timeout(RETURN, connection.return_to_pool()).await;
            } else {
                drop(connection.detach());
            }
        });
    }
}

impl<'c> Executor<'c> for &'c mut Connection {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.all(query).map_ok(steps).try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.one(query).boxed()
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        self.prepared(sql, parameters).boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        self.described(sql).boxed()
    }
}

impl<'p> Executor<'p> for &'p Pool {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        async move { self.acquire().await?.all(query).await.map(steps) }.try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        async move { self.acquire().await?.one(query).await }.boxed()
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'p: 'e,
    {
        async move { self.acquire().await?.prepared(sql, parameters).await }.boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'p: 'e,
    {
        async move { self.acquire().await?.described(sql).await }.boxed()
    }
}

fn steps(all: Vec<Step>) -> impl Stream<Item = Result<Step, Error>> + Send {
    stream::iter(all.into_iter().map(Ok))
}
