//! Whom we trust: the system's certificate authorities and those of `AWS_CA_BUNDLE`, once for all connections.
//!
//! The SDK takes its roots as PEM text and builds its own rustls configuration; the WebSocket takes the
//! configuration itself. Both come from the one list made here.

use std::{fs, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::Error;

/// Every certificate in the list can be parsed as a trust anchor.
pub(super) struct Roots {
    store: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
}

impl Roots {
    /// Reads the system's store and the file of `AWS_CA_BUNDLE`, as `lookup` finds it.
    pub(super) fn load(lookup: &impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let mut roots = Self {
            store: RootCertStore::empty(),
            certificates: Vec::new(),
        };
        let native = rustls_native_certs::load_native_certs();
        for error in &native.errors {
            tracing::warn!(%error, "cannot read some of the system's certificates");
        }
        for certificate in native.certs {
            // Systems ship certificates that rustls does not parse; nothing is lost by leaving them out.
            let _ = roots.add(certificate);
        }
        if let Some(path) = lookup("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) {
            roots
                .add_bundle(&path)
                .map_err(|why| Error::CaBundle { path, why })?;
        }
        Ok(roots)
    }

    /// The configuration of WebSockets. HTTP/1.1 is what an upgrade needs, so no ALPN is offered.
    pub(super) fn client_config(&self) -> Result<Arc<ClientConfig>, Error> {
        // Named, not the process default: that one panics when two providers are linked.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::TlsSetup(error.to_string()))?
            .with_root_certificates(self.store.clone())
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    /// The same roots as PEM text.
    pub(super) fn pem(&self) -> String {
        self.certificates.iter().map(|der| to_pem(der)).collect()
    }

    fn add_bundle(&mut self, path: &str) -> Result<(), String> {
        let text = fs::read(path).map_err(|error| error.to_string())?;
        let added = CertificateDer::pem_slice_iter(&text).map(|der| {
            let der = der.map_err(|_| "it is not PEM".to_owned())?;
            self.add(der)
        });
        let (good, bad): (Vec<_>, Vec<_>) = added.partition(Result::is_ok);
        let Some(Err(why)) = bad.into_iter().next() else {
            return match good.is_empty() {
                true => Err("it has no certificate".to_owned()),
                false => Ok(()),
            };
        };
        if good.is_empty() {
            return Err(why);
        }
        // Company bundles are made of whatever was found; the rest of one serves.
        tracing::warn!(
            path,
            why,
            "leaving out what is no certificate in AWS_CA_BUNDLE"
        );
        Ok(())
    }

    fn add(&mut self, certificate: CertificateDer<'static>) -> Result<(), String> {
        self.store
            .add(certificate.clone())
            .map_err(|error| error.to_string())?;
        self.certificates.push(certificate);
        Ok(())
    }
}

fn to_pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = tail;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unusable_bundle_is_named_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().join("empty.pem");
        fs::write(&empty, "nothing here").unwrap();
        let broken = dir.path().join("broken.pem");
        fs::write(&broken, to_pem(b"not a certificate")).unwrap();
        for (path, why) in [
            (dir.path().join("gone.pem"), "No such file"),
            (empty, "no certificate"),
            (broken, ""),
        ] {
            let path = path.display().to_string();
            let error = Roots::load(&bundle(&path)).err().unwrap().to_string();
            assert!(error.contains(&path) && error.contains(why), "{error}");
        }
    }

    #[test]
    fn an_odd_certificate_in_a_bundle_is_left_out() {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let text = [to_pem(b"not a certificate"), signed.cert.pem()].concat();
        fs::write(&path, text).unwrap();
        let roots = Roots::load(&bundle(path.to_str().unwrap())).unwrap();
        assert_eq!(roots.certificates.last().unwrap(), signed.cert.der());
    }

    #[test]
    fn pem_text_is_what_was_read() {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        fs::write(&path, signed.cert.pem()).unwrap();
        let roots = Roots::load(&bundle(path.to_str().unwrap())).unwrap();
        let again: Vec<_> = CertificateDer::pem_slice_iter(roots.pem().as_bytes())
            .map(Result::unwrap)
            .collect();
        assert_eq!(again, roots.certificates);
        assert_eq!(again.last().unwrap(), signed.cert.der());
    }

    fn bundle(path: &str) -> impl Fn(&str) -> Option<String> {
        move |name| (name == "AWS_CA_BUNDLE").then(|| path.to_owned())
    }
}
