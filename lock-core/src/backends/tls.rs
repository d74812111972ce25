//! TLS by rustls.

/// Without a provider, the first connection would panic.
pub(super) fn install() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Fails only if somebody else has just installed one, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}
