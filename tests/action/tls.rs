//! TLS in front of a server, with a certificate authority that only its company knows.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A server that ends TLS and forwards the connection, until it is dropped.
pub(crate) struct Tls {
    pub(crate) address: SocketAddr,
    authority: String,
    task: JoinHandle<()>,
}

impl Tls {
    /// In front of the server at an http address, as the host of this name.
    pub(crate) async fn in_front_of(server: &str, name: &str) -> Self {
        let (authority, config) = issue_certificate(name);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let address = listener.local_addr().expect("it is bound");
        let server = server.strip_prefix("http://").expect("an http address").to_owned();
        let task = tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), server));
        Self { address, authority, task }
    }

    /// Writes the certificate authority into a file of `folder`.
    pub(crate) fn authority_in(&self, folder: &Path) -> PathBuf {
        let path = folder.join("company-ca.pem");
        std::fs::write(&path, &self.authority).expect("a writable folder");
        path
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A new certificate authority, and a server that it vouches for.
fn issue_certificate(name: &str) -> (String, ServerConfig) {
    let key = || KeyPair::generate().expect("a random number");
    let mut company = CertificateParams::default();
    company.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let company_key = key();
    let authority = company.self_signed(&company_key).expect("a certificate").pem();
    let server_key = key();
    let server = CertificateParams::new([name.to_owned()]).expect("a name for a certificate");
    let server = server.signed_by(&server_key, &Issuer::new(company, company_key)).expect("a certificate");
    let server_key = PrivateKeyDer::try_from(server_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![server.der().clone()], server_key);
    (authority, config.expect("the key is the certificate's"))
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, server: String) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, server) = (acceptor.clone(), server.clone());
        tokio::spawn(async move {
            // A client that does not trust the certificate hangs up.
            let mut client = acceptor.accept(stream).await?;
            let mut server = TcpStream::connect(server).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await
        });
    }
}
