//! `redissun`: renews, wakes its waiters by pub/sub; one lock first come, first served, and one with fencing tokens.

use std::sync::Arc;

use benches::Result;
use redissun::{Client, LockGuard};

use crate::contender::{Answer, Contender, Section};

enum Kind {
    Plain,
    Fair,
    Fenced,
}

struct Redissun {
    client: Client,
    kind: Kind,
}

pub(crate) async fn plain(url: String) -> Result<Arc<dyn Contender>> {
    connect(url, Kind::Plain).await
}

pub(crate) async fn fair(url: String) -> Result<Arc<dyn Contender>> {
    connect(url, Kind::Fair).await
}

pub(crate) async fn fenced(url: String) -> Result<Arc<dyn Contender>> {
    connect(url, Kind::Fenced).await
}

async fn connect(url: String, kind: Kind) -> Result<Arc<dyn Contender>> {
    Ok(Arc::new(Redissun { client: Client::builder().url(url).build().await?, kind }))
}

impl Redissun {
    /// The owner is the task that asks: every worker has to be a task of its own.
    async fn acquire(&self, key: &str) -> Result<LockGuard> {
        Ok(match self.kind {
            Kind::Plain => self.client.lock(key).lock().await?,
            Kind::Fair => self.client.fair_lock(key).lock().await?,
            Kind::Fenced => self.client.fenced_lock(key).lock().await?,
        })
    }
}

impl Contender for Redissun {
    fn locked<'a>(&'a self, key: &'a str, section: Section) -> Answer<'a> {
        Box::pin(async move {
            let guard = self.acquire(key).await?;
            section.await;
            Ok(guard.unlock().await?)
        })
    }

    fn dropped<'a>(&'a self, key: &'a str) -> Option<Answer<'a>> {
        Some(Box::pin(async move {
            drop(self.acquire(key).await?);
            Ok(())
        }))
    }
}
