//! Ten shops sell from one stock, each with a copy of the row that it loaded before the others wrote.
//!
//! Diesel's rows are plain structs and its connections are arguments: `#[lock_model(refresh = self.reload(db))]` locks the
//! row, reloads it by that expression, and only then runs the body.
//!
//! ```sh
//! cargo run --example model_diesel --features diesel
//! ```

use std::{env, error::Error, fs, path::Path, process, thread};

use diesel::{connection::SimpleConnection, prelude::*};
use lock::{Model, lock_model};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

use self::schema::articles;

mod schema {
    diesel::table! {
        articles {
            id -> Integer,
            stock -> Integer,
        }
    }
}

#[derive(AsChangeset, Clone, Identifiable, Model, Queryable)]
#[diesel(table_name = articles)]
#[model(name = "shop:article")]
struct Article {
    id: i32,
    stock: i32,
}

impl Article {
    fn load(id: i32, db: &mut SqliteConnection) -> QueryResult<Self> {
        articles::table.find(id).first(db)
    }

    fn reload(&mut self, db: &mut SqliteConnection) -> QueryResult<()> {
        *self = Self::load(self.id, db)?;
        Ok(())
    }

    fn save(&self, db: &mut SqliteConnection) -> QueryResult<()> {
        diesel::update(self).set(self).execute(db).map(drop)
    }

    /// Takes from what the row held when it was loaded.
    fn sell_unlocked(&mut self, db: &mut SqliteConnection) -> Result<()> {
        self.stock -= 1;
        Ok(self.save(db)?)
    }

    /// Under `shop:article:pk:7`, takes from what the row holds now.
    #[lock_model(refresh = self.reload(db))]
    fn sell(&mut self, db: &mut SqliteConnection) -> Result<()> {
        self.stock -= 1;
        Ok(self.save(db)?)
    }
}

fn main() -> Result<()> {
    let file = env::temp_dir().join(format!("lock-model-diesel-{}.db", process::id()));
    connect(&file)?.batch_execute(
        "CREATE TABLE articles (id INTEGER PRIMARY KEY, stock INTEGER NOT NULL);
         INSERT INTO articles VALUES (7, 10)",
    )?;

    let without = ten_shops(&file, Article::sell_unlocked)?;
    println!("without a lock, ten of ten sold leave {without}");
    let with = ten_shops(&file, Article::sell)?;
    println!("under #[lock_model(refresh = ..)], ten of ten sold leave {with}");

    fs::remove_file(file)?;
    if without > 0 && with == 0 { Ok(()) } else { Err("that is not what this example claims".into()) }
}

/// What is left when each has sold one, of ten that all have seen there.
fn ten_shops(file: &Path, sell: fn(&mut Article, &mut SqliteConnection) -> Result<()>) -> Result<i32> {
    let full = Article { id: 7, stock: 10 };
    full.save(&mut connect(file)?)?;
    thread::scope(|scope| {
        let shop = || sell(&mut full.clone(), &mut connect(file)?);
        let shops: Vec<_> = (0..10).map(|_| scope.spawn(shop)).collect();
        shops.into_iter().try_for_each(|shop| shop.join().map_err(|_| "a shop panicked")?)
    })?;
    Ok(Article::load(7, &mut connect(file)?)?.stock)
}

/// A connection that waits while another one writes.
fn connect(file: &Path) -> Result<SqliteConnection> {
    let mut db = SqliteConnection::establish(&file.display().to_string())?;
    db.batch_execute("PRAGMA busy_timeout = 10000")?;
    Ok(db)
}
