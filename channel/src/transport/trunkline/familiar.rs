//! Header lists that the peer sends again and again, and what they mean. Servers answer call after call with the
//! same head and the same trailers, which the engine hands out as the same list each time: it is read once.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use trunkline_http2::Headers;
use trunkline_proto::wire::{metadata, names};

/// The newest lists that were found to be the usual ones.
#[derive(Debug, Default)]
pub(super) struct Familiar {
    head: Option<Headers>,
    trailers: Option<Headers>,
}

impl Familiar {
    /// Whether messages of gRPC follow this head.
    pub(super) fn is_grpc(&mut self, status: StatusCode, headers: &Headers) -> bool {
        status == StatusCode::OK
            && is_known(&mut self.head, headers, |headers| {
                headers.get(CONTENT_TYPE.as_str()).is_some_and(metadata::is_grpc_content_type)
            })
    }

    /// Gives memory back.
    pub(super) fn rest(&mut self) {
        *self = Self::default();
    }

    /// Whether these trailers say OK, and give no details.
    pub(super) fn says_ok(&mut self, trailers: &Headers) -> bool {
        is_known(&mut self.trailers, trailers, |trailers| {
            trailers.get(names::GRPC_STATUS.as_str()) == Some(b"0")
                && trailers.get(names::GRPC_STATUS_DETAILS.as_str()).is_none()
        })
    }
}

/// Whether `headers` are such as `is_usual` looks for. The newest that are, are `known`.
#[inline]
fn is_known(known: &mut Option<Headers>, headers: &Headers, is_usual: impl FnOnce(&Headers) -> bool) -> bool {
    if known.as_ref().is_some_and(|known| known.is_same_object(headers)) {
        return true;
    }
    let usual = is_usual(headers);
    if usual {
        *known = Some(headers.clone());
    }
    usual
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(name: &str, value: &str) -> Headers {
        [(name, value)].into_iter().collect()
    }

    #[test]
    fn a_head_is_grpcs_by_status_and_content_type_however_often_it_comes() {
        let mut familiar = Familiar::default();
        let head = list("content-type", "application/grpc+proto");
        for _ in 0..3 {
            assert!(familiar.is_grpc(StatusCode::OK, &head));
            assert!(!familiar.is_grpc(StatusCode::BAD_GATEWAY, &head));
            assert!(!familiar.is_grpc(StatusCode::OK, &list("content-type", "text/html")));
            assert!(!familiar.is_grpc(StatusCode::OK, &list("x", "application/grpc")));
            assert!(!familiar.is_grpc(StatusCode::OK, &Headers::default()));
        }
    }

    #[test]
    fn trailers_say_ok_if_they_say_nothing_else_of_the_status() {
        let mut familiar = Familiar::default();
        let ok = list("grpc-status", "0");
        let detailed: Headers =
            [("grpc-status", "0"), ("grpc-status-details-bin", "CAA")].into_iter().collect();
        for _ in 0..3 {
            assert!(familiar.says_ok(&ok));
            assert!(!familiar.says_ok(&list("grpc-status", "5")));
            assert!(!familiar.says_ok(&detailed));
            assert!(!familiar.says_ok(&Headers::default()));
        }
    }
}
