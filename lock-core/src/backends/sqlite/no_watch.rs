//! Where the kernel announces nothing, those who wait look again every `retry`.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;

use crate::{backend::Watch, backends::sql::Statement, lease::Owner};

pub(super) const SUPPORTED: bool = false;

pub(super) struct Bell;

impl Bell {
    pub(super) fn new(_: &Path, _: &SqliteConnectOptions, _: Statement, _: &str) -> Self {
        Self
    }

    pub(super) fn ring(&self) {}

    pub(super) fn expect(&self, _: &str, _: &Owner) {}

    pub(super) fn forget(&self, _: &str, _: &Owner) {}

    pub(super) fn listen(&self, _: &str, _: &Owner) -> Option<Box<dyn Watch>> {
        None
    }
}
