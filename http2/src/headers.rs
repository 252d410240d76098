//! A header list as it was received. Apart from HPACK, since callers keep it long after the block is gone.

use std::sync::Arc;
use std::{fmt, mem};

use http::header::{CONTENT_TYPE, InvalidHeaderName, InvalidHeaderValue};
use http::{HeaderMap, HeaderName, HeaderValue};

/// A received header list, without pseudo fields, in the order in which it came.
///
/// Immutable and cheap to clone; a list that the peer repeats is one object, however many streams got it.
/// Names are in lowercase. Values are bytes as they were sent; `Debug` does not show them, since they may be
/// secret.
#[derive(Clone)]
pub struct Headers(Fields);

/// Field after field, as [`HeadersBuilder`] writes them. Lists that most servers of gRPC send are known beforehand, so
/// that a call counts no references to them.
#[derive(Clone)]
enum Fields {
    /// None.
    Empty,
    /// The head of a response: `content-type: application/grpc`.
    Grpc,
    /// The trailers of one that succeeded: `grpc-status: 0`.
    Ok,
    /// Any others. In two allocations, since a list is made once, and kept in many places where its size counts.
    Shared(Arc<Box<[u8]>>),
}

const GRPC: [u8; LENGTHS + 28] = field(b"content-type", b"application/grpc");
const OK: [u8; LENGTHS + 12] = field(b"grpc-status", b"0");

impl Fields {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Grpc => &GRPC,
            Self::Ok => &OK,
            Self::Shared(fields) => fields,
        }
    }
}

/// A list of one field. `N` is what it takes.
const fn field<const N: usize>(name: &[u8], value: &[u8]) -> [u8; N] {
    assert!(N == LENGTHS + name.len() + value.len());
    let mut bytes = [0; N];
    let (lengths, rest) = bytes.split_at_mut(LENGTHS);
    let (name_length, value_length) = lengths.split_at_mut(LENGTHS / 2);
    name_length.copy_from_slice(&(name.len() as u32).to_ne_bytes());
    value_length.copy_from_slice(&(value.len() as u32).to_ne_bytes());
    let (names, values) = rest.split_at_mut(name.len());
    names.copy_from_slice(name);
    values.copy_from_slice(value);
    bytes
}

impl Headers {
    /// The value of the first field of this name, which is in lowercase.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }

    /// The values of all fields of this name, which is in lowercase, in their order.
    pub fn get_all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }

    /// All fields in their order: name and value.
    pub fn iter(&self) -> HeadersIter<'_> {
        HeadersIter { rest: self.fields() }
    }

    /// How many fields there are. It counts them.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields().is_empty()
    }

    /// Whether the two are one object, and so equal without a look. A list that the peer repeats is.
    pub fn is_same_object(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Fields::Shared(fields), Fields::Shared(others)) => Arc::ptr_eq(fields, others),
            (one, other) => mem::discriminant(one) == mem::discriminant(other),
        }
    }

    /// The bytes that the list takes in memory.
    pub(crate) fn footprint(&self) -> usize {
        self.fields().len()
    }

    fn fields(&self) -> &[u8] {
        self.0.bytes()
    }

    /// The list as a map, made anew by each call.
    ///
    /// HTTP/2 lets values pass that a [`HeaderValue`] cannot hold (control characters); such fields are left
    /// out. So is what comes after the most fields that a map can hold, tens of thousands of them.
    pub fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::try_with_capacity(self.len()).unwrap_or_default();
        self.append_to(&mut map);
        map
    }

    /// Appends the fields to `map`, leaving out what [`to_map`](Self::to_map) leaves out.
    pub fn append_to(&self, map: &mut HeaderMap) {
        for (name, value) in self {
            if let (Ok(name), Ok(value)) = (header_name(name), header_value(value))
                && map.try_append(name, value).is_err()
            {
                break;
            }
        }
    }
}

/// The name that nearly every response has is not looked up.
fn header_name(name: &[u8]) -> Result<HeaderName, InvalidHeaderName> {
    match name == CONTENT_TYPE.as_str().as_bytes() {
        true => Ok(CONTENT_TYPE),
        false => HeaderName::from_bytes(name),
    }
}

/// What nearly every response of gRPC has, which is not copied.
const USUAL_VALUES: [&str; 2] = ["application/grpc", "application/grpc+proto"];

fn header_value(value: &[u8]) -> Result<HeaderValue, InvalidHeaderValue> {
    match USUAL_VALUES.into_iter().find(|usual| usual.as_bytes() == value) {
        Some(usual) => Ok(HeaderValue::from_static(usual)),
        None => HeaderValue::from_bytes(value),
    }
}

impl Default for Headers {
    /// The empty list.
    fn default() -> Self {
        Self(Fields::Empty)
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.fields() == other.fields()
    }
}

impl Eq for Headers {}

/// Names only.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|(name, _)| String::from_utf8_lossy(name))).finish()
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = (&'a [u8], &'a [u8]);
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

/// Makes a list by hand, as tests need it. Names are to be in lowercase; nothing is checked.
impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut builder = HeadersBuilder::default();
        for (name, value) in fields {
            builder.begin_field();
            builder.bytes().extend_from_slice(name.as_ref());
            builder.end_name();
            builder.bytes().extend_from_slice(value.as_ref());
            builder.end_value();
        }
        builder.build()
    }
}

/// The fields of a [`Headers`] in their order: name and value.
#[derive(Clone)]
pub struct HeadersIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for HeadersIter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name_length, rest) = self.rest.split_first_chunk()?;
        let (value_length, rest) = rest.split_first_chunk()?;
        let (name, rest) = rest.split_at_checked(u32::from_ne_bytes(*name_length) as usize)?;
        let (value, rest) = rest.split_at_checked(u32::from_ne_bytes(*value_length) as usize)?;
        self.rest = rest;
        Some((name, value))
    }
}

/// Names only.
impl fmt::Debug for HeadersIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.clone().map(|(name, _)| String::from_utf8_lossy(name))).finish()
    }
}

/// Collects a list, field after field: the lengths of name and value in four bytes each, then both. Used
/// again for one list after another, so that a list costs no more than the allocations that hold it.
#[derive(Default)]
pub(crate) struct HeadersBuilder {
    bytes: Vec<u8>,
    /// Where the field begins that is being written.
    field: usize,
    /// Where its value begins, once its name is there.
    value: usize,
}

/// The two lengths before each field.
const LENGTHS: usize = 8;

/// A buffer above this capacity, in bytes, is given back once its list is done. Most lists are smaller, and a
/// large one should not cost memory for as long as the connection lives.
const MAX_KEPT_CAPACITY: usize = 2 * 1024;

impl HeadersBuilder {
    /// Begins a field; its name is to be appended to [`bytes`](Self::bytes).
    pub(crate) fn begin_field(&mut self) {
        self.field = self.bytes.len();
        self.bytes.extend_from_slice(&[0; LENGTHS]);
    }

    /// The name is there; the value is to be appended.
    pub(crate) fn end_name(&mut self) {
        self.value = self.bytes.len();
    }

    /// The value is there too.
    pub(crate) fn end_value(&mut self) {
        let name_length = (self.value - self.field - LENGTHS) as u32;
        let value_length = (self.bytes.len() - self.value) as u32;
        self.bytes[self.field..][..4].copy_from_slice(&name_length.to_ne_bytes());
        self.bytes[self.field + 4..][..4].copy_from_slice(&value_length.to_ne_bytes());
    }

    /// Another value instead, for the field that was begun last.
    pub(crate) fn set_value(&mut self, value: &[u8]) {
        self.bytes.truncate(self.value);
        self.bytes.extend_from_slice(value);
        self.end_value();
    }

    /// What is written so far; only to be appended to.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The field that was begun last: name and value.
    pub(crate) fn last_field(&self) -> (&[u8], &[u8]) {
        (&self.bytes[self.field + LENGTHS..self.value], &self.bytes[self.value..])
    }

    /// Forgets the field that was begun last.
    pub(crate) fn drop_field(&mut self) {
        self.bytes.truncate(self.field);
    }

    /// Forgets all fields.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(MAX_KEPT_CAPACITY);
    }

    /// The list; the builder is empty again.
    pub(crate) fn build(&mut self) -> Headers {
        let fields = match &self.bytes[..] {
            [] => Fields::Empty,
            bytes if bytes == GRPC => Fields::Grpc,
            bytes if bytes == OK => Fields::Ok,
            bytes => Fields::Shared(Arc::new(bytes.into())),
        };
        self.clear();
        Headers(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_cookies() -> Headers {
        [("set-cookie", "a=1"), ("grpc-status", "0"), ("set-cookie", "b=2"), ("empty", "")]
            .into_iter()
            .collect()
    }

    #[test]
    fn fields_keep_their_order_and_their_doubles() {
        let headers = two_cookies();
        assert_eq!(headers.get("set-cookie"), Some(&b"a=1"[..]));
        assert_eq!(headers.get_all("set-cookie").collect::<Vec<_>>(), [b"a=1", b"b=2"]);
        assert_eq!(headers.get("empty"), Some(&b""[..]));
        assert_eq!(headers.get("Grpc-Status"), None);
        assert_eq!((headers.len(), headers.is_empty()), (4, false));
    }

    #[test]
    fn a_map_has_all_fields() {
        let map = two_cookies().to_map();
        assert_eq!(map.len(), 4);
        assert_eq!(map.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
    }

    #[test]
    fn a_map_leaves_out_what_it_cannot_hold() {
        let headers: Headers = [(&b"a"[..], &b"\x01"[..]), (b"b", b"\xff")].into_iter().collect();
        let map = headers.to_map();
        assert_eq!(map.len(), 1);
        assert_eq!(map["b"].as_bytes(), b"\xff");
    }

    #[test]
    fn more_fields_than_a_map_can_hold_are_no_panic() {
        let headers: Headers = (0..50_000).map(|number| (format!("name-{number}"), "")).collect();
        assert_eq!(headers.len(), 50_000);
        assert!(headers.to_map().len() > 20_000);
    }

    #[test]
    fn debug_shows_names_and_no_values() {
        let headers: Headers = [("authorization", "secret")].into_iter().collect();
        assert_eq!(format!("{headers:?} {:?}", headers.iter()), r#"{"authorization"} {"authorization"}"#);
    }

    #[test]
    fn an_empty_list_allocates_nothing() {
        let headers = Headers::default();
        assert!(headers.is_empty() && headers.iter().next().is_none() && headers.to_map().is_empty());
        assert_eq!(HeadersBuilder::default().build(), headers);
    }

    #[test]
    fn what_most_servers_send_is_one_object_however_often_it_is_decoded() {
        for (name, value) in [("content-type", "application/grpc"), ("grpc-status", "0")] {
            let [first, second] = [0, 1].map(|_| [(name, value)].into_iter().collect::<Headers>());
            assert!(first.is_same_object(&second) && first == second);
            assert_eq!(first.iter().collect::<Vec<_>>(), [(name.as_bytes(), value.as_bytes())]);
            let other: Headers = [(name, "1")].into_iter().collect();
            assert!(!first.is_same_object(&other) && first != other);
        }
        assert_eq!(size_of::<Option<Headers>>(), 2 * size_of::<usize>());
    }

    #[test]
    fn clones_are_one_object() {
        let headers = two_cookies();
        let address = |headers: &Headers| headers.get("grpc-status").unwrap().as_ptr();
        assert_eq!(address(&headers), address(&headers.clone()));
    }
}
