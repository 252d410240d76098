//! What DATA is made of.

use std::fmt;

use bytes::Bytes;

/// The body of a request, or its beginning.
#[derive(Clone)]
#[non_exhaustive]
pub enum Payload<'a> {
    /// Bytes that are copied, which is best for few.
    Copied(&'a [u8]),
    /// Bytes that are shared until they are written. Few are copied all the same, next to their frame's head.
    Shared(Bytes),
}

impl Payload<'_> {
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Copied(slice) => slice,
            Self::Shared(bytes) => bytes,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.as_slice().len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// The same, to be kept.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Copied(slice) => Bytes::copy_from_slice(slice),
            Self::Shared(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Payload<'_> {
    /// The length alone: messages may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Payload").field(&self.len()).finish()
    }
}

impl From<Bytes> for Payload<'_> {
    #[inline]
    fn from(bytes: Bytes) -> Self {
        Self::Shared(bytes)
    }
}

impl<'a> From<&'a [u8]> for Payload<'a> {
    #[inline]
    fn from(slice: &'a [u8]) -> Self {
        Self::Copied(slice)
    }
}
