//! Each store that has connections for callers beside those of the background thread, with a network before it.

use std::{any::Any, thread, time::Duration};

use lock::{Lock, Locker, Settings};
use lock_core::conformance::pulse;
use tests::{
    callers::ms,
    proxy::Proxy,
    servers::{MariaDbServer, MemcachedServer, PostgresServer, RedisServer},
};
use tokio::runtime::{Builder, Runtime};

/// A server of a test's own, with a proxy before it.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) proxy: Proxy,
    /// How many connections the background thread may have, blocking callers, and a runtime.
    pub(crate) shared: usize,
    pub(crate) of_blocking: usize,
    pub(crate) most: usize,
    near: String,
    far: String,
    _server: Box<dyn Any + Send + Sync>,
}

/// Runs a test on each store, on all at once.
pub(crate) fn on_each(test: impl Fn(&Scene) + Sync) {
    pulse::start();
    let test = &test;
    thread::scope(|scope| {
        for start in [redis, postgres, mysql, memcached] {
            scope.spawn(move || test(&start()));
        }
    });
}

macro_rules! store {
    ($store:ident, $server:ident, $shared:literal, $of_blocking:literal, $most:literal) => {
        pub(crate) fn $store() -> Scene {
            let server = $server::start();
            let proxy = Proxy::before(server.port());
            let (near, far) = (server.url_by(proxy.port()) + "?on_runtime=yes", server.url());
            let (shared, of_blocking, most) = ($shared, $of_blocking, $most);
            Scene {
                name: stringify!($store),
                proxy,
                shared,
                of_blocking,
                most,
                near,
                far,
                _server: Box::new(server),
            }
        }
    };
}

store!(redis, RedisServer, 1, 8, 1);
// One of the first listens.
store!(postgres, PostgresServer, 5, 2, 4);
store!(mysql, MariaDbServer, 4, 2, 4);
// One of the first waits for the end of the server.
store!(memcached, MemcachedServer, 9, 8, 4);

impl Scene {
    /// Through the proxy, with connections on the runtimes of async callers.
    pub(crate) fn near(&self, ttl: Duration) -> Locker {
        let settings = Settings { ttl: Some(ttl), retry: Some(ms(20)), ..Settings::default() };
        Locker::open_with(&self.near, &settings).unwrap()
    }

    /// Through the proxy, without those.
    pub(crate) fn by_proxy(&self, ttl: Duration) -> Locker {
        let settings = Settings { ttl: Some(ttl), retry: Some(ms(20)), ..Settings::default() };
        Locker::open_with(&self.near.replace("?on_runtime=yes", ""), &settings).unwrap()
    }

    /// With nothing in between, as somebody else.
    pub(crate) fn far(&self) -> Locker {
        let settings = Settings { retry: Some(ms(20)), ..Settings::default() };
        Locker::open_with(&self.far, &settings).unwrap()
    }

    /// A connection is opened, greeted and asked, and given back by a task of its own: all that is over when the server
    /// says no more.
    async fn quiet(&self) {
        let mut said = None;
        while said != Some(self.proxy.replied()) {
            said = Some(self.proxy.replied());
            tokio::time::sleep(ms(50)).await;
        }
    }

    /// The same without a runtime.
    pub(crate) fn be_quiet(&self) {
        alone().block_on(self.quiet());
    }

    /// Has calls made on a runtime until it has a connection of its own. Returns how many there are besides.
    pub(crate) fn warm(&self, runtime: &Runtime, lock: &Lock) -> usize {
        lock.acquire().unwrap().release().unwrap();
        smol::block_on(pair(lock));
        // Those of this thread, and of the background thread.
        let (others, made) = (self.proxy.open(), self.proxy.accepted());
        runtime.block_on(async {
            for _ in 0..500 {
                pair(lock).await;
                // Those of a runtime that has just ended may still be open.
                if self.proxy.accepted() > made {
                    return self.quiet().await;
                }
                tokio::time::sleep(ms(10)).await;
            }
            panic!("{}: no connection on the runtime", self.name);
        });
        others
    }
}

pub(crate) async fn pair(lock: &Lock) {
    lock.acquire_async().await.unwrap().release_async().await.unwrap();
}

/// A runtime that is driven only while somebody blocks on it.
pub(crate) fn alone() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime with a thread of its own.
pub(crate) fn driven() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
