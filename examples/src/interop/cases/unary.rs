//! One message up, one down.

use trunkline_proto::testing::{Empty, SimpleRequest};

use super::{LARGE_REQUEST, LARGE_RESPONSE, simple_request, size_of};
use crate::interop::error::same;
use crate::interop::{CaseError, Peer, Stub};

/// How many calls of `pick_first_unary` must end at one server.
const PICK_FIRST_CALLS: u32 = 100;

pub(crate) async fn empty_unary<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    let reply = peer.stub().empty_call(peer.request(Empty {})).await?;
    same("the reply", reply.into_inner(), Empty {})
}

pub(crate) async fn large_unary<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    let request = peer.request(simple_request(LARGE_REQUEST, LARGE_RESPONSE));
    let reply = peer.stub().unary_call(request).await?.into_inner();
    same("the size of the reply's payload", size_of(reply.payload.as_ref()), Some(LARGE_RESPONSE))
}

/// All calls end at the same server, by its own word and by ours.
pub(crate) async fn pick_first_unary<S: Stub>(peer: &Peer<S>) -> Result<(), CaseError> {
    let mut first = None;
    for _ in 0..PICK_FIRST_CALLS {
        let request = SimpleRequest { fill_server_id: true, ..SimpleRequest::default() };
        let reply = peer.stub().unary_call(peer.request(request)).await?;
        let address =
            reply.extensions().get::<trunkline::CallReport>().and_then(|report| report.address().cloned());
        let server = Some((reply.into_inner().server_id, address));
        let wanted = first.get_or_insert_with(|| server.clone());
        same("the server", &server, &*wanted)?;
    }
    Ok(())
}
