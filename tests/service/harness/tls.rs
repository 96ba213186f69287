//! Certificates that nobody outside the test trusts.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use tempfile::TempDir;

/// A certificate authority of its own and what it issued to a server on this machine.
///
/// The files last as long as this does.
pub(crate) struct Certificates {
    dir: TempDir,
}

impl Certificates {
    /// Issues a certificate for `localhost` and `127.0.0.1`.
    pub(crate) fn new() -> Self {
        let authority = authority();
        let key = KeyPair::generate().expect("the default algorithm is known");
        let mut server = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])
            .expect("both are legal names");
        server.distinguished_name.push(DnType::CommonName, "server");
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = server
            .signed_by(&key, &authority)
            .expect("an authority signs");

        let dir = TempDir::new().expect("a temporary directory can be made");
        let files = Self { dir };
        for (path, text) in [
            (files.ca_file(), authority.pem()),
            (files.certificate_file(), certificate.pem()),
            (files.key_file(), key.serialize_pem()),
        ] {
            fs::write(path, text).expect("a new directory can be written to");
        }
        files
    }

    /// What a client has to trust, as PEM.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// The server's certificate, as PEM.
    pub(crate) fn certificate_file(&self) -> PathBuf {
        self.file("server.pem")
    }

    /// The server's private key, as PEM.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.file("server.key")
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::join(self.dir.path(), name)
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "an authority of one test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().expect("the default algorithm is known");
    CertifiedIssuer::self_signed(params, key).expect("an authority signs itself")
}
