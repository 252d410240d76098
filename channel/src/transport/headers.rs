//! Headers and trailers as they were received. Most are looked at once, for a status or a content type, so no
//! map is made of them before somebody asks for one.

use std::borrow::Cow;
use std::fmt;

use http::{HeaderMap, HeaderName};

/// The header fields of a response, however its engine holds them.
#[derive(Clone)]
pub(crate) enum Headers {
    /// A map that was there already. In a box, since those that are no maps are small.
    Map(Box<HeaderMap>),
    /// As our own engine holds them.
    List(trunkline_http2::Headers),
}

impl Headers {
    /// The first value of that name.
    pub(crate) fn get(&self, name: &HeaderName) -> Option<&[u8]> {
        match self {
            Self::Map(map) => map.get(name).map(http::HeaderValue::as_bytes),
            Self::List(list) => list.get(name.as_str()),
        }
    }

    /// Whether this is all there is.
    pub(crate) fn are_only(&self, name: &HeaderName, value: &[u8]) -> bool {
        match self {
            Self::Map(map) => map.len() == 1 && map.get(name).is_some_and(|found| found == value),
            Self::List(list) => {
                let mut fields = list.iter();
                fields.next() == Some((name.as_str().as_bytes(), value)) && fields.next().is_none()
            }
        }
    }

    /// Whether `test` holds for all of them, by name and value.
    pub(crate) fn all(&self, mut test: impl FnMut(&[u8], &[u8]) -> bool) -> bool {
        match self {
            Self::Map(map) => {
                map.iter().all(|(name, value)| test(name.as_str().as_bytes(), value.as_bytes()))
            }
            Self::List(list) => list.iter().all(|(name, value)| test(name, value)),
        }
    }

    /// All of them, as a map.
    pub(crate) fn map(&self) -> Cow<'_, HeaderMap> {
        match self {
            Self::Map(map) => Cow::Borrowed(map),
            Self::List(list) => Cow::Owned(list.to_map()),
        }
    }

    /// All of them, as a map.
    pub(crate) fn into_map(self) -> HeaderMap {
        match self {
            Self::Map(map) => *map,
            Self::List(list) => list.to_map(),
        }
    }

    /// All of them, as a map; if one must be made, in `empty`, which may have room for them.
    pub(crate) fn into_map_in(self, mut empty: HeaderMap) -> HeaderMap {
        match self {
            Self::Map(map) => *map,
            Self::List(list) => {
                list.append_to(&mut empty);
                empty
            }
        }
    }
}

impl From<HeaderMap> for Headers {
    fn from(map: HeaderMap) -> Self {
        Self::Map(Box::new(map))
    }
}

impl From<trunkline_http2::Headers> for Headers {
    fn from(list: trunkline_http2::Headers) -> Self {
        Self::List(list)
    }
}

impl fmt::Debug for Headers {
    /// The names alone: metadata may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map(map) => f.debug_list().entries(map.keys()).finish(),
            Self::List(list) => list.fmt(f),
        }
    }
}
