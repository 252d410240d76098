//! How the heads of requests become header fields. What repeats from call to call is made a template of the
//! engine's, once per path; what is left for each call is its deadline and its metadata.

use std::collections::HashMap;
use std::time::Instant;

use foldhash::fast::RandomState;
use http::header::{CONTENT_TYPE, TE, USER_AGENT};
use http::uri::PathAndQuery;
use trunkline_http2::{Connection, Field, Indexing, OpenError, Payload, StreamKey, TemplateId};
use trunkline_proto::timeout;

use super::request::{Request, is_ours};
use crate::transport::{Origin, Path};

/// Most paths whose heads are remembered. An application has a few; a proxy that passes on what it is asked
/// may have any number, and what is beyond this costs it the time to encode.
const MOST_PATHS: usize = 512;

/// What tells one call, or one request of somebody's further up, from all others. A few calls may say the same, and
/// none that come after them: such values stay out of the header table, where they would push out what repeats.
const IDENTIFIERS: [&str; 11] = [
    "b3",
    "grpc-trace-bin",
    "traceparent",
    "tracestate",
    "uber-trace-id",
    "x-amzn-trace-id",
    "x-b3-parentspanid",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-cloud-trace-context",
    "x-request-id",
];

const METHOD: NameValue<'static> = (b":method", b"POST");
const SCHEME: &[u8] = b":scheme";
const AUTHORITY: &[u8] = b":authority";
const PATH: &[u8] = b":path";
const TIMEOUT: &[u8] = b"grpc-timeout";
const TRAILERS: &[u8] = b"trailers";
const GRPC: &[u8] = b"application/grpc";

/// The templates of one connection.
#[derive(Debug)]
pub(super) struct Heads {
    origin: Origin,
    by_path: HashMap<PathAndQuery, TemplateId, RandomState>,
    /// Of the method that was called last: where its path lies.
    newest: Option<(&'static PathAndQuery, TemplateId)>,
    /// The pseudo fields that are the same for all paths.
    common: Option<TemplateId>,
}

impl Heads {
    pub(super) fn new(origin: Origin) -> Self {
        Self { origin, by_path: HashMap::default(), newest: None, common: None }
    }

    /// Opens the stream that `request` asks for at `now`. Its body is taken or copied.
    pub(super) fn open(
        &mut self,
        engine: &mut Connection,
        request: &mut Request,
        now: Instant,
    ) -> Result<StreamKey, OpenError> {
        let Request { head, body, end, .. } = request;
        let body = body.take_shared().map_or_else(|| Payload::Copied(body), Payload::Shared);
        let end = *end;
        let left = head.deadline.map(|deadline| deadline.saturating_duration_since(now));
        let timeout = left.map(timeout::Text::new);
        let timeout = timeout.as_ref().map(|text| Field {
            name: TIMEOUT,
            value: text.as_bytes(),
            indexing: Indexing::Transient,
        });
        let metadata =
            head.headers.iter().flat_map(|headers| headers.iter()).filter(|(name, _)| !is_ours(name)).map(
                |(name, value)| {
                    let name = name.as_str();
                    let indexing = match value.is_sensitive() {
                        true => Indexing::Never,
                        false if IDENTIFIERS.contains(&name) => Indexing::Transient,
                        false => Indexing::Adaptive,
                    };
                    Field { name: name.as_bytes(), value: value.as_bytes(), indexing }
                },
            );
        // Most calls have no metadata, and then this is no allocation.
        let mut fields: Vec<_> = metadata.collect();
        let Some(template) = self.template(engine, &head.path) else {
            let common = self.common(engine);
            let [te, content_type, user_agent] = self.regular();
            let path = (PATH, head.path.as_str().as_bytes());
            let adaptive = |(name, value)| Field { name, value, indexing: Indexing::Adaptive };
            fields.splice(0..0, [path, te, content_type, user_agent].map(adaptive));
            fields.extend(timeout);
            return engine.open(common, &fields, body, end);
        };
        if fields.is_empty() {
            return engine.open(template, timeout.as_slice(), body, end);
        }
        fields.extend(timeout);
        engine.open(template, &fields, body, end)
    }

    /// The template of a path, made when it is first seen. `None` once there are too many paths.
    fn template(&mut self, engine: &mut Connection, path: &Path) -> Option<TemplateId> {
        let place = path.place();
        if let (Some(place), Some((newest, template))) = (place, self.newest)
            && std::ptr::eq(place, newest)
        {
            return Some(template);
        }
        let template = self.template_of(engine, path)?;
        self.newest = place.map(|place| (place, template)).or(self.newest);
        Some(template)
    }

    fn template_of(&mut self, engine: &mut Connection, path: &PathAndQuery) -> Option<TemplateId> {
        if let Some(template) = self.by_path.get(path) {
            return Some(*template);
        }
        if self.by_path.len() >= MOST_PATHS {
            return None;
        }
        let [method, scheme, authority] = self.pseudo();
        let [te, content_type, user_agent] = self.regular();
        let path_field = (PATH, path.as_str().as_bytes());
        let template =
            engine.template([method, scheme, path_field, authority, te, content_type, user_agent])?;
        self.by_path.insert(path.clone(), template);
        Some(template)
    }

    fn common(&mut self, engine: &mut Connection) -> TemplateId {
        if let Some(common) = self.common {
            return common;
        }
        let made = engine.template(self.pseudo());
        *self.common.insert(made.expect("the engine has room for more templates than paths are remembered"))
    }

    fn pseudo(&self) -> [NameValue<'_>; 3] {
        let Origin { scheme, authority, .. } = &self.origin;
        [METHOD, (SCHEME, scheme.as_str().as_bytes()), (AUTHORITY, authority.as_str().as_bytes())]
    }

    fn regular(&self) -> [NameValue<'_>; 3] {
        [
            (TE.as_str().as_bytes(), TRAILERS),
            (CONTENT_TYPE.as_str().as_bytes(), GRPC),
            (USER_AGENT.as_str().as_bytes(), self.origin.user_agent.as_bytes()),
        ]
    }
}

type NameValue<'a> = (&'a [u8], &'a [u8]);
