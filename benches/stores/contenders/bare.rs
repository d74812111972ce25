//! The floor: a client alone, on a few connections, each lent for one step.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use benches::{
    Result,
    contender::{Answer, Blocking, Contender, Section},
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::Semaphore,
};

/// How often it looks again where the lock is held.
const RETRY: Duration = Duration::from_millis(100);

/// A connection on which a lock can be taken and freed.
pub(crate) trait Client: Send + Sized + 'static {
    fn connect(url: &str) -> impl Future<Output = Result<Self>> + Send;

    /// Takes the lock if it is free.
    fn take(&mut self, key: &str, owner: &str) -> impl Future<Output = Result<bool>> + Send;

    /// Frees it if it is the owner's.
    fn free(&mut self, key: &str, owner: &str) -> impl Future<Output = Result<bool>> + Send;
}

struct Bare<C> {
    permits: Semaphore,
    idle: Mutex<Vec<C>>,
}

pub(crate) async fn connect<C: Client>(url: String, connections: usize) -> Result<Arc<dyn Contender>> {
    Ok(Arc::new(Bare::<C>::connect(&url, connections).await?))
}

impl<C: Client> Bare<C> {
    async fn connect(url: &str, connections: usize) -> Result<Self> {
        let mut idle = Vec::new();
        for _ in 0..connections {
            idle.push(C::connect(url).await?);
        }
        Ok(Self { permits: Semaphore::new(connections), idle: Mutex::new(idle) })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<C>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn step(&self, key: &str, owner: &str, takes: bool) -> Result<bool> {
        let _permit = self.permits.acquire().await?;
        let mut client = self.idle().pop().ok_or("a connection is missing")?;
        let done = if takes { client.take(key, owner).await } else { client.free(key, owner).await };
        self.idle().push(client);
        done
    }

    async fn take(&self, key: &str, owner: &str) -> Result {
        while !self.step(key, owner, true).await? {
            tokio::time::sleep(RETRY).await;
        }
        Ok(())
    }

    async fn free(&self, key: &str, owner: &str) -> Result {
        if self.step(key, owner, false).await? { Ok(()) } else { Err("the lock was lost".into()) }
    }
}

impl<C: Client> Contender for Bare<C> {
    fn locked<'a>(&'a self, key: &'a str, section: Section) -> Answer<'a> {
        Box::pin(async move {
            let owner = owner()?;
            self.take(key, &owner).await?;
            section.await;
            self.free(key, &owner).await
        })
    }
}

/// Blocks on a runtime of its own.
struct Waited<C> {
    runtime: Runtime,
    bare: Bare<C>,
}

pub(crate) fn blocking<C: Client>(url: &str) -> Result<Arc<dyn Blocking>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let bare = runtime.block_on(Bare::<C>::connect(url, 1))?;
    Ok(Arc::new(Waited { runtime, bare }))
}

impl<C: Client> Blocking for Waited<C> {
    fn locked(&self, key: &str, section: &mut dyn FnMut()) -> Result {
        let owner = owner()?;
        self.runtime.block_on(self.bare.take(key, &owner))?;
        section();
        self.runtime.block_on(self.bare.free(key, &owner))
    }
}

pub(crate) fn owner() -> Result<String> {
    let mut owner = [0; 16];
    getrandom::fill(&mut owner).map_err(|error| error.to_string())?;
    Ok(format!("{:032x}", u128::from_le_bytes(owner)))
}
