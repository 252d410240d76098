//! Bytes of which few need no memory of their own.

use std::fmt;
use std::mem;
use std::ops::Deref;

use bytes::Bytes;

/// So many bytes lie in place. Nearly all small requests have fewer, and there may be very many calls that wait, each
/// with room for this.
const IN_PLACE: usize = 54;
/// So many bytes lie beside the count of who shares them. With room for more, short ones would cost more to clear than a
/// second allocation costs long ones.
const IN_OWNER: usize = 128;
/// The longest slice that is worth a copy: a stub's buffer has 8 KiB, whatever is in it.
const WORTH_A_COPY: usize = 1 << 10;

/// Bytes that are kept and handed on at the same time, as a request is, which may have to be sent again. Up to 54 that are
/// written or [detached](Self::detached) lie in place: a copy costs less than to count who shares them. More are
/// shared, and what comes as [`Bytes`] stays as it is.
#[derive(Clone)]
pub struct SmallBytes(Repr);

#[derive(Clone)]
enum Repr {
    InPlace { length: u8, bytes: [u8; IN_PLACE] },
    Shared(Bytes),
}

impl SmallBytes {
    /// How many may be [written](Self::written).
    pub(super) const FEW: usize = IN_OWNER;

    /// `length` bytes, at most [`FEW`](Self::FEW), as `write` writes them, who finds zeros. It is at most one allocation.
    #[inline]
    pub(super) fn written(length: usize, write: impl FnOnce(&mut [u8])) -> Self {
        if length <= IN_PLACE {
            let mut bytes = [0; IN_PLACE];
            write(&mut bytes[..length]);
            return Self(Repr::InPlace { length: length as u8, bytes });
        }
        Self(Repr::Shared(Owned::<IN_OWNER>::written(length, write)))
    }

    /// The same bytes without the buffer that they are a slice of, if they are at most a kibibyte. Whoever keeps a
    /// slice keeps all of that buffer.
    #[inline]
    pub fn detached(slice: Bytes) -> Self {
        let length = slice.len();
        if length <= Self::FEW {
            return Self::written(length, |copy| copy.copy_from_slice(&slice));
        }
        Self::from(if length <= WORTH_A_COPY { Bytes::copy_from_slice(&slice) } else { slice })
    }

    /// The same bytes, shared. For those in place that is an allocation.
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Repr::InPlace { length: 0, .. } => Bytes::new(),
            Repr::InPlace { length, bytes } => Owned { length: length.into(), bytes }.into_bytes(),
            Repr::Shared(bytes) => bytes,
        }
    }

    /// The bytes, if they are shared; nothing is left then.
    #[inline]
    pub fn take_shared(&mut self) -> Option<Bytes> {
        match &mut self.0 {
            Repr::Shared(bytes) => Some(mem::take(bytes)),
            Repr::InPlace { .. } => None,
        }
    }
}

impl Default for SmallBytes {
    #[inline]
    fn default() -> Self {
        Self(Repr::InPlace { length: 0, bytes: [0; IN_PLACE] })
    }
}

impl From<Bytes> for SmallBytes {
    #[inline]
    fn from(bytes: Bytes) -> Self {
        Self(Repr::Shared(bytes))
    }
}

impl Deref for SmallBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::InPlace { length, bytes } => &bytes[..usize::from(*length)],
            Repr::Shared(bytes) => bytes,
        }
    }
}

impl fmt::Debug for SmallBytes {
    /// The length alone: messages may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SmallBytes").field(&self.len()).finish()
    }
}

/// Few bytes where it is counted who shares them.
struct Owned<const N: usize> {
    length: usize,
    bytes: [u8; N],
}

impl<const N: usize> Owned<N> {
    #[inline]
    fn written(length: usize, write: impl FnOnce(&mut [u8])) -> Bytes {
        let mut owned = Self { length, bytes: [0; N] };
        write(&mut owned.bytes[..length]);
        owned.into_bytes()
    }

    fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl<const N: usize> AsRef<[u8]> for Owned<N> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_every_number_are_the_same_however_they_are_kept() {
        for length in 0..=IN_OWNER {
            let bytes: Vec<_> = (0..length).map(|number| number as u8).collect();
            let small = SmallBytes::written(length, |out| out.copy_from_slice(&bytes));
            assert_eq!(*small, *bytes);
            assert_eq!(*small.clone(), *bytes);
            assert_eq!(small.clone().take_shared().is_some(), length > IN_PLACE);
            assert_eq!(small.into_bytes(), bytes);
            assert_eq!(*SmallBytes::from(Bytes::from(bytes.clone())), *bytes);
        }
        assert!(SmallBytes::default().is_empty());
    }

    #[test]
    fn no_room_is_wasted() {
        assert_eq!(size_of::<SmallBytes>(), IN_PLACE + 2);
    }

    #[test]
    fn what_is_small_lets_go_of_the_buffer_that_it_was_cut_from() {
        let copied = [0, 1, IN_PLACE, IN_PLACE + 1, IN_OWNER, IN_OWNER + 1, WORTH_A_COPY];
        let lengths = copied.map(|length| (length, true)).into_iter().chain([(WORTH_A_COPY + 1, false)]);
        for (length, is_copied) in lengths {
            let buffer = Bytes::from(vec![7; 8 << 10]);
            let slice = buffer.slice(..length);
            let kept = SmallBytes::detached(slice.clone()).into_bytes();
            assert_eq!(kept, slice);
            assert_eq!(kept.as_ptr() != slice.as_ptr(), is_copied, "{length} bytes");
        }
    }
}
