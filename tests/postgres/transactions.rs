//! Locks that end with a transaction, on a real PostgreSQL.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lock_core::{Error, Locker};
use sqlx::{AssertSqlSafe, Connection, PgPool, Row, postgres::PgPoolOptions};
use tests::servers::PostgresServer;

struct Scene {
    server: Arc<PostgresServer>,
    pool: PgPool,
    locker: Locker,
}

async fn scene() -> Scene {
    let server = tokio::task::spawn_blocking(PostgresServer::start).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(20).connect(&server.url()).await.unwrap();
    sqlx::query("CREATE TABLE invoices (number bigint)").execute(&pool).await.unwrap();
    let locker = Locker::open(&server.url()).unwrap();
    Scene { server: Arc::new(server), pool, locker }
}

async fn next_number(pool: &PgPool, locker: &Locker) -> u64 {
    let mut transaction = pool.begin().await.unwrap();
    let token = locker.lock("invoices").acquire_in(&mut transaction).await.unwrap();
    let highest = "SELECT coalesce(max(number), 0) FROM invoices";
    let highest: i64 = sqlx::query(highest).fetch_one(&mut *transaction).await.unwrap().get(0);
    sqlx::query("INSERT INTO invoices VALUES ($1)")
        .bind(highest + 1)
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    token
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_the_lock_before_what_was_written_under_it_is_seen() {
    let Scene { pool, locker, server: _server } = scene().await;
    let parts: Vec<_> = (0..8)
        .map(|_| {
            let (pool, locker) = (pool.clone(), locker.clone());
            tokio::spawn(async move {
                let mut tokens = Vec::new();
                for _ in 0..10 {
                    tokens.push(next_number(&pool, &locker).await);
                }
                tokens
            })
        })
        .collect();
    let mut tokens = Vec::new();
    for part in parts {
        tokens.extend(part.await.unwrap());
    }
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 80, "every hold has a token of its own");
    let counted = "SELECT count(*), count(DISTINCT number), max(number) FROM invoices";
    let row = sqlx::query(counted).fetch_one(&pool).await.unwrap();
    let counted: (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    assert_eq!(counted, (80, 80, 80), "no number was given twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_and_transactions_exclude_each_other() {
    let Scene { pool, locker, server: _server } = scene().await;
    let lock = locker.lock("k");
    let lease = lock.acquire_async().await.unwrap();
    let mut transaction = pool.begin().await.unwrap();
    assert_eq!(lock.try_acquire_in(&mut transaction).await.unwrap(), None);
    let refused = lock.clone().wait(Duration::from_millis(80)).acquire_in(&mut transaction).await;
    assert!(matches!(refused, Err(Error::Timeout { .. })), "{refused:?}");
    let first = lease.fencing_token();
    lease.release_async().await.unwrap();
    let second = lock.acquire_in(&mut transaction).await.unwrap();
    assert!(second > first);
    assert!(lock.try_acquire_async().await.unwrap().is_none(), "the transaction has it");
    assert!(!lock.force_release_async().await.unwrap(), "nobody can take it from a transaction");
    let mut other = pool.begin().await.unwrap();
    assert_eq!(lock.try_acquire_in(&mut other).await.unwrap(), None);
    transaction.commit().await.unwrap();
    let third = lock.acquire_in(&mut other).await.unwrap();
    assert!(third > second);
    other.rollback().await.unwrap();
    let lease = lock.acquire_async().await.unwrap();
    assert!(lease.fencing_token() > third, "a hold that was rolled back has used up its token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_has_it_soon_after_the_commit() {
    let Scene { pool, locker, server: _server } = scene().await;
    // So that looking again is not what wakes it.
    let lock = locker.lock("k").retry(Duration::from_mins(1));
    let mut transaction = pool.begin().await.unwrap();
    lock.acquire_in(&mut transaction).await.unwrap();
    let waiting = tokio::spawn({
        let lock = lock.clone();
        async move { (lock.acquire_async().await.unwrap(), Instant::now()) }
    });
    let waiting_too = tokio::spawn({
        let (lock, pool) = (lock.clone(), pool.clone());
        async move {
            let mut transaction = pool.begin().await.unwrap();
            lock.acquire_in(&mut transaction).await.unwrap();
            transaction.commit().await.unwrap();
            Instant::now()
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let committed = Instant::now();
    transaction.commit().await.unwrap();
    let (guard, had) = waiting.await.unwrap();
    guard.release_async().await.unwrap();
    let had_too = waiting_too.await.unwrap();
    let took = had.max(had_too).duration_since(committed);
    assert!(took < Duration::from_secs(5), "{took:?}: far below `retry`");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_dropped_while_it_waits_leaves_nothing() {
    let Scene { pool, locker, server: _server } = scene().await;
    let lock = locker.lock("k");
    let lease = lock.acquire_async().await.unwrap();
    for _ in 0..20 {
        let mut transaction = pool.begin().await.unwrap();
        let waiting = lock.acquire_in(&mut transaction);
        let ended = tokio::time::timeout(Duration::from_millis(5), waiting).await;
        assert!(ended.is_err(), "the lease is held");
    }
    lease.release_async().await.unwrap();
    let begin = Instant::now();
    let guard = lock.acquire_async().await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    guard.release_async().await.unwrap();
    // In the background, each leaves the line.
    let left = async || {
        let row = sqlx::query("SELECT waiters FROM lock_leases").fetch_one(&pool).await.unwrap();
        row.get::<String, _>(0)
    };
    while !left().await.is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(10), "still in line: {:?}", left().await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_row_is_removed_as_unused_meanwhile_is_had_all_the_same() {
    let Scene { pool, locker, server: _server } = scene().await;
    drop(locker.lock("other").acquire_async().await.unwrap());
    // Another process prunes, just after the row was made: once.
    sqlx::raw_sql(
        "CREATE SEQUENCE removed; CREATE FUNCTION remove() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN \
         IF nextval(''removed'') = 1 THEN DELETE FROM lock_leases WHERE id = NEW.id; END IF; RETURN NULL; END'; \
         CREATE TRIGGER removes AFTER INSERT ON lock_leases FOR EACH ROW EXECUTE FUNCTION remove()",
    )
    .execute(&pool)
    .await
    .unwrap();
    let mut transaction = pool.begin().await.unwrap();
    locker.lock("k").acquire_in(&mut transaction).await.unwrap();
    transaction.rollback().await.unwrap();
    // A new row is none that nobody uses.
    let used =
        "SELECT expires_at > clock_timestamp() - interval '1 hour' FROM lock_leases WHERE key = 'lock:k'";
    assert!(sqlx::query(used).fetch_one(&pool).await.unwrap().get::<bool, _>(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_said() {
    let Scene { pool, locker, server } = scene().await;
    let mut transaction = pool.begin().await.unwrap();
    let elsewhere = Locker::open("memory://transactions").unwrap().lock("k");
    let refused = elsewhere.acquire_in(&mut transaction).await;
    assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
    // Not on the database of the locker.
    sqlx::query("CREATE DATABASE other").execute(&pool).await.unwrap();
    let other = PgPool::connect(&server.url_of("other")).await.unwrap();
    let migration = lock_core::backends::postgres::CREATE_TABLE.replace("{table}", "lock_leases");
    sqlx::raw_sql(AssertSqlSafe(migration)).execute(&other).await.unwrap();
    let mut on_other = other.begin().await.unwrap();
    let refused = locker.lock("k").acquire_in(&mut on_other).await.unwrap_err();
    assert!(refused.to_string().contains("another server, database or schema"), "{refused}");
    // Nor on a table of the same name, though it has a row of the key.
    for other in [
        "CREATE TEMP TABLE lock_leases",
        "CREATE SCHEMA copy; SET search_path = copy; CREATE TABLE copy.lock_leases",
    ] {
        locker.lock("k").acquire_async().await.unwrap().release_async().await.unwrap();
        let mut session = pool.acquire().await.unwrap().detach();
        sqlx::raw_sql(AssertSqlSafe(format!("{other} AS SELECT * FROM public.lock_leases")))
            .execute(&mut session)
            .await
            .unwrap();
        let mut transaction = session.begin().await.unwrap();
        let refused = locker.lock("k").acquire_in(&mut transaction).await.unwrap_err();
        assert!(refused.to_string().contains("another server, database or schema"), "{other}: {refused}");
    }
    // A lock that cannot be had leaves the transaction as it was.
    let held = locker.lock("k").acquire_async().await.unwrap();
    assert_eq!(locker.lock("k").try_acquire_in(&mut transaction).await.unwrap(), None);
    sqlx::query("INSERT INTO invoices VALUES (1)").execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    held.release_async().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn above_read_committed_it_is_had_at_once_or_refused_in_clear_words() {
    let Scene { pool, locker, server: _server } = scene().await;
    let lock = locker.lock("k").wait(Duration::from_secs(10));
    lock.acquire_async().await.unwrap().release_async().await.unwrap();
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let begin = || pool.begin_with(AssertSqlSafe(format!("BEGIN ISOLATION LEVEL {level}")));
        let mut transaction = begin().await.unwrap();
        lock.acquire_in(&mut transaction).await.unwrap();
        transaction.commit().await.unwrap();
        let held = lock.acquire_async().await.unwrap();
        let mut transaction = begin().await.unwrap();
        let started = Instant::now();
        let refused = lock.acquire_in(&mut transaction).await.unwrap_err();
        assert!(refused.to_string().contains("accepted is READ COMMITTED"), "{refused}");
        assert!(!refused.is_retryable() && started.elapsed() < Duration::from_secs(5));
        // The transaction goes on.
        sqlx::query("INSERT INTO invoices VALUES (1)").execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        held.release_async().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_savepoint_that_is_rolled_back_lets_go_of_it() {
    let Scene { pool, locker, server: _server } = scene().await;
    let lock = locker.lock("k");
    let mut outer = pool.begin().await.unwrap();
    let mut inner = outer.begin().await.unwrap();
    let first = lock.acquire_in(&mut inner).await.unwrap();
    assert!(lock.acquire_in(&mut inner).await.unwrap() > first, "had again by the same transaction");
    assert!(lock.try_acquire_async().await.unwrap().is_none());
    inner.rollback().await.unwrap();
    let guard = lock.acquire_async().await.unwrap();
    guard.release_async().await.unwrap();
    outer.commit().await.unwrap();
    for unsupported in [lock.clone().shared(), lock.clone().permits(2)] {
        let mut transaction = pool.begin().await.unwrap();
        let refused = unsupported.acquire_in(&mut transaction).await;
        assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
    }
}
