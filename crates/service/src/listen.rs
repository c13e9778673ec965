//! Binding the socket we serve on, with errors that say what to do.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Binds `address`; `flag` (such as `--listen`) is the one that errors tell people to change.
///
/// # Errors
/// One line a cause: the port is taken, is not ours to take, or the address is not of this machine.
pub async fn bind(address: SocketAddr, flag: &'static str) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::Taken { port: address.port(), address, flag },
        io::ErrorKind::PermissionDenied => ListenError::Denied { port: address.port(), flag },
        io::ErrorKind::AddrNotAvailable => ListenError::NotOurs { address, flag },
        _ => ListenError::Other { address, flag, source },
    })
}

/// Why an address could not be served on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Someone listens there already.
    #[error("port {port} is taken: stop what listens on {address}, or choose another with {flag} ADDR:PORT")]
    Taken {
        /// The port that is taken.
        port: u16,
        /// The whole address.
        address: SocketAddr,
        /// The flag that chooses it.
        flag: &'static str,
    },
    /// The port needs a privilege that we lack.
    #[error("port {port} needs more rights than this user has: choose one above 1023 with {flag} ADDR:PORT")]
    Denied {
        /// The port refused.
        port: u16,
        /// The flag that chooses it.
        flag: &'static str,
    },
    /// The address is not of this machine.
    #[error("{} is no address of this machine: choose another with {flag} ADDR:PORT, such as 127.0.0.1:5000", address.ip())]
    NotOurs {
        /// The address refused.
        address: SocketAddr,
        /// The flag that chooses it.
        flag: &'static str,
    },
    /// Anything else.
    #[error("cannot listen on {address} ({flag}): {source}")]
    Other {
        /// The address refused.
        address: SocketAddr,
        /// The flag that chooses it.
        flag: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_flag_to_use() {
        let first = bind("127.0.0.1:0".parse().unwrap(), "--listen").await.unwrap();
        let address = first.local_addr().unwrap();
        let message = bind(address, "--listen").await.unwrap_err().to_string();
        assert_eq!(
            message,
            format!(
                "port {0} is taken: stop what listens on 127.0.0.1:{0}, or choose another with --listen ADDR:PORT",
                address.port()
            )
        );
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused_in_one_line() {
        // TEST-NET-1 (RFC 5737) is no machine's address.
        let message = bind("192.0.2.1:5000".parse().unwrap(), "--admin-listen").await.unwrap_err().to_string();
        assert!(message.starts_with("192.0.2.1 is no address of this machine"), "{message}");
        assert!(message.contains("--admin-listen"), "{message}");
    }
}
