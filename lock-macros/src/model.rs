//! What the arguments mean, once they are known to be well-formed one by one.

use syn::{Expr, Ident, LitStr, Path};

use crate::duration::DurationArg;
use crate::template::Template;

/// A call under a lock, wherever it is written.
pub(crate) struct Call {
    pub(crate) key: KeySource,
    pub(crate) settings: Settings,
    /// Where the facade is.
    pub(crate) facade: Path,
    pub(crate) using: Option<Expr>,
    pub(crate) guard: Option<Ident>,
    pub(crate) otherwise: Option<Expr>,
    pub(crate) on_lost: Option<(OnLost, Ident)>,
    /// Asked for, and not in this release.
    pub(crate) later: Vec<Ident>,
}

/// Where the key comes from.
pub(crate) enum KeySource {
    /// The function's own path.
    OwnPath,
    Template {
        template: Template,
        positional: Vec<Expr>,
        named: Vec<(Ident, Expr)>,
    },
    /// `key = EXPR`.
    Expr(Expr),
    Model(Box<ModelKey>),
}

/// The key of a model.
pub(crate) struct ModelKey {
    /// The model of a block; a method's is `self`.
    pub(crate) model: Option<Expr>,
    pub(crate) name: Option<Expr>,
    pub(crate) fields: Vec<LitStr>,
    pub(crate) refresh: Option<Refresh>,
}

/// How a model is loaded again.
pub(crate) struct Refresh {
    /// The option's name, where its mistakes are shown.
    pub(crate) at: Ident,
    /// `refresh = EXPR`; the traits otherwise.
    pub(crate) by: Option<Expr>,
}

/// The setters of `Lock`.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) blocking: Option<(bool, Ident)>,
    pub(crate) renew: Option<bool>,
    pub(crate) wait: Option<(DurationArg, Ident)>,
    pub(crate) ttl: Option<DurationArg>,
    pub(crate) retry: Option<DurationArg>,
}

/// What happens to an async body when its lease is lost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnLost {
    Cancel,
    Continue,
}

impl Call {
    /// Whether the call may end without the lock although nothing failed.
    pub(crate) fn is_limited(&self) -> bool {
        self.settings.wait.is_some() || matches!(self.settings.blocking, Some((false, _)))
    }

    pub(crate) fn refresh(&self) -> Option<&Refresh> {
        match &self.key {
            KeySource::Model(key) => key.refresh.as_ref(),
            _ => None,
        }
    }
}
