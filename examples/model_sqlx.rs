//! Ten tellers pay into one account of a database, each with a copy of the row that he loaded before the others wrote.
//!
//! `#[lock_model(refresh)]` on an `async` method locks the row, loads it again by `RefreshAsync`, and only then runs the body.
//!
//! ```sh
//! cargo run --example model_sqlx --features sqlx
//! ```

use std::{env, error::Error, fs, process};

use lock::{Model, RefreshAsync, lock_model};
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};
use tokio::task::JoinSet;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// A row that knows where it came from: a pool is cheap to clone.
#[derive(Clone, Model)]
#[model(name = "bank:account")]
struct Account {
    id: i64,
    balance: i64,
    bank: SqlitePool,
}

impl Account {
    async fn load(id: i64, bank: &SqlitePool) -> sqlx::Result<Self> {
        let select = sqlx::query_scalar("SELECT balance FROM accounts WHERE id = $1");
        let balance = select.bind(id).fetch_one(bank).await?;
        Ok(Self { id, balance, bank: bank.clone() })
    }

    async fn save(&self) -> sqlx::Result<()> {
        let update = sqlx::query("UPDATE accounts SET balance = $1 WHERE id = $2");
        update.bind(self.balance).bind(self.id).execute(&self.bank).await.map(drop)
    }

    /// Adds to what the row held when it was loaded.
    async fn pay_in_unlocked(&mut self, amount: i64) -> Result<()> {
        self.balance += amount;
        Ok(self.save().await?)
    }

    /// Under `bank:account:pk:1`, adds to what the row holds now.
    #[lock_model(refresh)]
    async fn pay_in(&mut self, amount: i64) -> Result<()> {
        self.balance += amount;
        Ok(self.save().await?)
    }
}

impl RefreshAsync for Account {
    type Error = sqlx::Error;

    async fn refresh(&mut self) -> sqlx::Result<()> {
        *self = Self::load(self.id, &self.bank).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let file = env::temp_dir().join(format!("lock-model-sqlx-{}.db", process::id()));
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let bank = SqlitePool::connect_with(options).await?;
    sqlx::query("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)")
        .execute(&bank)
        .await?;
    sqlx::query("INSERT INTO accounts VALUES (1, 0)").execute(&bank).await?;

    let without = ten_tellers(&bank, false).await?;
    println!("without a lock, ten times 10 make {without}");
    let with = ten_tellers(&bank, true).await?;
    println!("under #[lock_model(refresh)], ten times 10 make {with}");

    bank.close().await;
    fs::remove_file(file)?;
    if without < 100 && with == 100 { Ok(()) } else { Err("that is not what this example claims".into()) }
}

/// The balance when all have paid in, into an empty account that all have seen empty.
async fn ten_tellers(bank: &SqlitePool, locked: bool) -> Result<i64> {
    let mut empty = Account::load(1, bank).await?;
    empty.balance = 0;
    empty.save().await?;
    let mut tellers = JoinSet::new();
    for _ in 0..10 {
        let mut account = empty.clone();
        tellers.spawn(async move {
            if locked { account.pay_in(10).await } else { account.pay_in_unlocked(10).await }
        });
    }
    while let Some(teller) = tellers.join_next().await {
        teller??;
    }
    Ok(Account::load(1, bank).await?.balance)
}
