//! The statements of the documentation, on databases. A database is a URL and its statements; the cases are the same.

use std::slice;

use lock::{FencingToken, fencing::Stale};
use sqlx::{AnyPool, any::AnyPoolOptions};
use tests::{
    scratch::Scratch,
    servers::{MariaDbServer, PostgresServer},
};

use crate::scene::Scene;

/// A text, and what its places stand for.
struct Statement(&'static str, &'static [Place]);

#[derive(Clone, Copy)]
enum Place {
    Balance,
    Fence,
    Id,
}

use Place::{Balance, Fence, Id};

/// How a database spells them.
struct Statements {
    write: Statement,
    /// Writes a row that may not be there. Of several, the last one tells.
    put: &'static [Statement],
    raise: Statement,
    read: Statement,
}

/// PostgreSQL and SQLite.
const NUMBERED: Statements = Statements {
    write: Statement(
        "UPDATE accounts SET balance = $1, fence = $2 WHERE id = $3 AND fence <= $2",
        &[Balance, Fence, Id],
    ),
    put: &[Statement(
        "INSERT INTO accounts (id, balance, fence) VALUES ($3, $1, $2) \
         ON CONFLICT (id) DO UPDATE SET balance = excluded.balance, fence = excluded.fence \
         WHERE accounts.fence <= excluded.fence",
        &[Balance, Fence, Id],
    )],
    raise: Statement("UPDATE accounts SET fence = $1 WHERE id = $2 AND fence <= $1", &[Fence, Id]),
    read: Statement("SELECT balance FROM accounts WHERE id = $1", &[Id]),
};

/// MySQL and MariaDB: each `?` is a value of its own, and `ON DUPLICATE KEY UPDATE` does not tell whether it wrote.
const NAMELESS: Statements = Statements {
    write: Statement(
        "UPDATE accounts SET balance = ?, fence = ? WHERE id = ? AND fence <= ?",
        &[Balance, Fence, Id, Fence],
    ),
    put: &[
        Statement("INSERT IGNORE INTO accounts (id, balance, fence) VALUES (?, 0, 0)", &[Id]),
        Statement(
            "UPDATE accounts SET balance = ?, fence = ? WHERE id = ? AND fence <= ?",
            &[Balance, Fence, Id, Fence],
        ),
    ],
    raise: Statement("UPDATE accounts SET fence = ? WHERE id = ? AND fence <= ?", &[Fence, Id, Fence]),
    read: Statement("SELECT balance FROM accounts WHERE id = ?", &[Id]),
};

struct Accounts {
    pool: AnyPool,
    statements: Statements,
}

impl Accounts {
    const TABLE: &str = "CREATE TABLE accounts (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL, fence BIGINT NOT NULL DEFAULT 0)";

    /// An empty table.
    async fn new(url: &str, statements: Statements) -> Self {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new().max_connections(4).connect(url).await.unwrap();
        sqlx::query(Self::TABLE).execute(&pool).await.unwrap();
        Self { pool, statements }
    }

    async fn write(&self, id: i64, balance: i64, token: FencingToken) -> Result<(), Stale> {
        self.run(slice::from_ref(&self.statements.write), id, balance, token).await
    }

    async fn put(&self, id: i64, balance: i64, token: FencingToken) -> Result<(), Stale> {
        self.run(self.statements.put, id, balance, token).await
    }

    async fn read(&self, id: i64) -> i64 {
        sqlx::query_scalar(self.statements.read.0).bind(id).fetch_one(&self.pool).await.unwrap()
    }

    async fn read_under(&self, id: i64, token: FencingToken) -> Result<i64, Stale> {
        self.run(slice::from_ref(&self.statements.raise), id, 0, token).await?;
        Ok(self.read(id).await)
    }

    async fn run(
        &self,
        statements: &[Statement],
        id: i64,
        balance: i64,
        token: FencingToken,
    ) -> Result<(), Stale> {
        let mut rows = 0;
        for Statement(text, places) in statements {
            let query = places.iter().fold(sqlx::query(*text), |query, place| {
                query.bind(match place {
                    Balance => balance,
                    Fence => token.cast_signed(),
                    Id => id,
                })
            });
            rows = query.execute(&self.pool).await.unwrap().rows_affected();
        }
        if rows == 1 { Ok(()) } else { Err(Stale::new(token)) }
    }
}

async fn keeps_stale_holders_out(url: &str, statements: Statements) {
    let accounts = Accounts::new(url, statements).await;
    a_holder_whose_lease_has_ended(&accounts).await;
    a_late_write_between_read_and_write(&accounts).await;
    a_row_that_is_not_there(&accounts).await;
    all_tokens_at_once(&accounts).await;
}

async fn a_holder_whose_lease_has_ended(accounts: &Accounts) {
    let Scene { server: _server, late, successor } = Scene::new();
    let (late, successor) = (late.fencing_token(), successor.fencing_token());
    accounts.put(1, 100, late).await.unwrap();
    accounts.write(1, 90, successor).await.unwrap();
    accounts.write(1, 80, successor).await.unwrap();
    accounts.write(1, 80, successor).await.unwrap();
    assert_eq!(accounts.write(1, 0, late).await, Err(Stale::new(late)));
    assert_eq!(accounts.put(1, 0, late).await, Err(Stale::new(late)));
    assert_eq!(accounts.read_under(1, late).await, Err(Stale::new(late)));
    assert_eq!(accounts.read(1).await, 80);
}

async fn a_late_write_between_read_and_write(accounts: &Accounts) {
    accounts.put(2, 100, 5).await.unwrap();
    assert_eq!(accounts.read_under(2, 6).await, Ok(100));
    assert_eq!(accounts.write(2, 0, 5).await, Err(Stale::new(5)));
    accounts.write(2, 90, 6).await.unwrap();
    assert_eq!(accounts.read(2).await, 90);
}

async fn a_row_that_is_not_there(accounts: &Accounts) {
    assert_eq!(accounts.write(3, 1, 9).await, Err(Stale::new(9)));
    accounts.put(3, 1, 9).await.unwrap();
    assert_eq!(accounts.put(3, 2, 8).await, Err(Stale::new(8)));
    assert_eq!(accounts.read(3).await, 1);
}

/// Whatever the order in which they arrive: the row ends with the write of the highest token.
async fn all_tokens_at_once(accounts: &Accounts) {
    const HIGHEST: u64 = (1 << 53) - 1;
    accounts.put(4, 0, 0).await.unwrap();
    let write = |below: u64| accounts.write(4, (HIGHEST - below).cast_signed(), HIGHEST - below);
    // Not in order, and each of four connections at work all the time.
    let lanes = [3_u64, 1, 2, 0].map(|lane| async move {
        for below in (0..25).map(|round| (round * 7) % 25 * 4 + lane) {
            // Refused or not, by what came before.
            let _ = write(below).await;
        }
    });
    let [a, b, c, d] = lanes;
    tokio::join!(a, b, c, d);
    assert_eq!(accounts.read(4).await, HIGHEST.cast_signed());
    assert_eq!(accounts.write(4, 0, HIGHEST - 1).await, Err(Stale::new(HIGHEST - 1)));
}

#[tokio::test]
async fn sqlite_keeps_stale_holders_out() {
    let scratch = Scratch::new("fencing");
    let url = format!("sqlite://{}?mode=rwc", scratch.path().join("accounts.db").display());
    keeps_stale_holders_out(&url, NUMBERED).await;
}

#[tokio::test]
async fn postgresql_keeps_stale_holders_out() {
    let server = PostgresServer::start();
    keeps_stale_holders_out(&server.url(), NUMBERED).await;
}

#[tokio::test]
async fn mariadb_keeps_stale_holders_out() {
    let server = MariaDbServer::start();
    keeps_stale_holders_out(&server.url(), NAMELESS).await;
}
