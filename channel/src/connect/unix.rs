//! Unix sockets, in the file system and in Linux's abstract namespace.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tokio::net::UnixStream;
use trunkline_proto::{ConnectError, Phase};

use super::{Connected, classify};

pub(super) async fn connect(path: &Path) -> Result<Connected, ConnectError> {
    let stream = UnixStream::connect(path).await.map_err(|error| unreachable(&error))?;
    Ok(Connected::new(stream))
}

pub(super) async fn connect_abstract(name: &[u8]) -> Result<Connected, ConnectError> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        let message = "abstract unix sockets exist only on Linux";
        return Err(ConnectError::new(Phase::Connect, message).permanent());
    }
    // A path that begins with a zero byte is how an abstract name is written.
    let path = [&[0], name].concat();
    connect(Path::new(OsStr::from_bytes(&path))).await
}

/// A socket that is missing or refuses will be there when its server is; one that is forbidden stays so until
/// somebody changes its permissions.
fn unreachable(error: &io::Error) -> ConnectError {
    let forbidden = error.kind() == io::ErrorKind::PermissionDenied;
    let retryable = classify::unreachable(error);
    if forbidden { retryable.permanent() } else { retryable }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixListener;

    #[tokio::test]
    async fn a_socket_in_the_file_system_is_reached_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        connect(&path).await.unwrap();
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_abstract_socket_is_reached_by_its_name() {
        let name = format!("trunkline-test-{}", std::process::id());
        let _listener = UnixListener::bind(OsStr::from_bytes(format!("\0{name}").as_bytes())).unwrap();
        connect_abstract(name.as_bytes()).await.unwrap();
        assert!(!connect_abstract(b"trunkline-test-nobody").await.unwrap_err().is_permanent());
    }

    #[tokio::test]
    async fn a_missing_socket_and_a_dead_one_are_retryable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let missing = connect(&path).await.unwrap_err();
        assert!(!missing.is_permanent(), "{missing}");
        drop(UnixListener::bind(&path).unwrap());
        let refused = connect(&path).await.unwrap_err();
        assert!(!refused.is_permanent(), "{refused}");
        assert_eq!(refused.message(), "connection refused");
    }

    #[test]
    fn a_forbidden_socket_is_permanent() {
        assert!(unreachable(&io::ErrorKind::PermissionDenied.into()).is_permanent());
        // EPERM and EACCES are both of that kind.
        #[cfg(target_os = "linux")]
        for code in [1, 13] {
            assert!(unreachable(&io::Error::from_raw_os_error(code)).is_permanent());
        }
    }
}
