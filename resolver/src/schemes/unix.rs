//! `unix:path` and `unix:///absolute/path`: a unix socket in the file system (gRPC `naming.md`).

use trunkline_proto::Address;

use crate::{Resolution, Resolver, ResolverBuilder, ResolverOptions, Target, TargetError, fixed};

/// One server behind a unix socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unix;

impl ResolverBuilder for Unix {
    fn scheme(&self) -> &str {
        "unix"
    }

    fn build(&self, target: &Target, _: &ResolverOptions) -> Result<Box<dyn Resolver>, TargetError> {
        target.refuse_authority()?;
        if target.path().contains('\0') {
            return Err(TargetError::rejected(target, "a path holds no zero bytes; see `unix-abstract:`"));
        }
        check_length(target, target.path())?;
        Ok(fixed(Resolution::from_addresses([Address::unix(target.path())])))
    }

    fn authority(&self, _: &Target) -> String {
        LOCALHOST.to_owned()
    }
}

/// The kernel would refuse a longer one at every attempt to connect.
pub(super) fn check_length(target: &Target, name: &str) -> Result<(), TargetError> {
    if name.len() <= MAX_SOCKET_NAME_BYTES {
        return Ok(());
    }
    let reason =
        format!("the name of the socket is {} bytes long; at most {MAX_SOCKET_NAME_BYTES} fit", name.len());
    Err(TargetError::rejected(target, reason))
}

/// What every gRPC sends for unix sockets: a path is no authority.
pub(super) const LOCALHOST: &str = "localhost";

/// `sun_path` is 108 bytes on Linux, one of which is the zero byte before an abstract name or behind a path.
const MAX_SOCKET_NAME_BYTES: usize = 107;
