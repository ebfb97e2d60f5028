//! The HTTP client of all of Amazon's clients: rustls on aws-lc-rs, through the proxy that the environment names.

use std::collections::HashMap;

use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// A client that keeps its connections. The variables are read here and not by the library, because the environment is an
/// argument; their names are curl's.
pub(super) fn client(variables: &HashMap<String, String>) -> SharedHttpClient {
    let proxy = proxy(variables);
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder =
            Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).proxy_config(proxy.clone());
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        builder.build()
    })
}

/// The proxy for `https:` addresses. Plain ones go without: those are a test's own server, or a store in the next room.
fn proxy(variables: &HashMap<String, String>) -> ProxyConfig {
    let value = |names: [&str; 2]| names.iter().find_map(|name| variables.get(*name)).filter(|value| !value.is_empty());
    let address = value(["https_proxy", "HTTPS_PROXY"]).or_else(|| value(["all_proxy", "ALL_PROXY"]));
    // An address that is none is left to fail at the first connection, where the error can name the host.
    let Some(Ok(proxy)) = address.map(ProxyConfig::https) else { return ProxyConfig::disabled() };
    match value(["no_proxy", "NO_PROXY"]) {
        Some(exempt) => proxy.no_proxy(exempt),
        None => proxy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_named_proxy_is_used() {
        assert!(proxy(&HashMap::new()).is_disabled());
        let one = |name: &str, value: &str| HashMap::from([(name.to_owned(), value.to_owned())]);
        assert!(!proxy(&one("HTTPS_PROXY", "http://proxy.example:3128")).is_disabled());
        assert!(!proxy(&one("all_proxy", "http://proxy.example:3128")).is_disabled());
        assert!(proxy(&one("https_proxy", "")).is_disabled());
        assert!(proxy(&one("HTTP_PROXY", "http://proxy.example:3128")).is_disabled());
    }
}
