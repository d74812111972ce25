//! `lock`, with what it does by default: renewal, a fencing token, 30 s to live.

use std::sync::Arc;

use benches::{
    Result,
    contender::{Answer, Blocking, Contender, Section},
};
use lock::Locker;

struct Ours(Locker);

pub(crate) async fn connect(url: String, settings: &str) -> Result<Arc<dyn Contender>> {
    let locker = Locker::open(&format!("{url}?prefix=ours:{settings}"))?;
    locker.ping_async().await?;
    Ok(Arc::new(Ours(locker)))
}

pub(crate) fn blocking(url: &str) -> Result<Arc<dyn Blocking>> {
    let locker = Locker::open(&format!("{url}?prefix=ours:"))?;
    locker.ping()?;
    Ok(Arc::new(Ours(locker)))
}

impl Contender for Ours {
    fn locked<'a>(&'a self, key: &'a str, section: Section) -> Answer<'a> {
        Box::pin(async move {
            let guard = self.0.lock(key).acquire_async().await?;
            section.await;
            Ok(guard.release_async().await?)
        })
    }
}

impl Blocking for Ours {
    fn locked(&self, key: &str, section: &mut dyn FnMut()) -> Result {
        let guard = self.0.lock(key).acquire()?;
        section();
        Ok(guard.release()?)
    }
}
