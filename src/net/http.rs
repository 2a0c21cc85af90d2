//! The SDK's HTTP client, with our roots and our proxies.
//!
//! The SDK can be told one proxy a client, or to read the environment by itself. Two clients, chosen by the
//! request's scheme, keep one reading of the environment for everything.

use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};

use super::{Error, proxy::Proxies, tls::Roots};

/// A client for every SDK service, trusting `roots` and going out by `proxies`.
pub(super) fn client(roots: &Roots, proxies: &Proxies) -> Result<SharedHttpClient, Error> {
    // Native roots are in the PEM text already; asking for them again would panic where there are none.
    let trust = TrustStore::empty().with_pem_certificate(roots.pem());
    let tls = TlsContext::builder().with_trust_store(trust).build();
    let tls = tls.map_err(|error| Error::TlsSetup(error.to_string()))?;
    let https = one(&tls, proxies.sdk_https());
    let http = one(&tls, proxies.sdk_http());
    Ok(SharedHttpClient::new(ByScheme { https, http }))
}

fn one(tls: &TlsContext, proxy: ProxyConfig) -> SharedHttpClient {
    let tls = tls.clone();
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().proxy_config(proxy.clone());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(tls.clone())
            .build()
    })
}

#[derive(Debug)]
struct ByScheme<T> {
    https: T,
    http: T,
}

impl HttpClient for ByScheme<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let https = self.https.http_connector(settings, components);
        let http = self.http.http_connector(settings, components);
        SharedHttpConnector::new(ByScheme { https, http })
    }
}

impl HttpConnector for ByScheme<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let is_plain = request.uri().starts_with("http://");
        if is_plain {
            self.http.call(request)
        } else {
            self.https.call(request)
        }
    }
}
