//! Several resolvers as one, for targets that name servers in several ways at once. Apart from the schemes,
//! since nothing here knows what a part resolves or how.

use std::task::{Context, Poll};

use indexmap::{IndexMap, IndexSet};
use trunkline_proto::{Address, Endpoint};

use crate::{Resolution, ResolveError, Resolver};

/// Watches all of `parts`, each a name for people and its resolver, and answers with the servers of all: in
/// the order of the parts, one that several parts name only where it comes first.
///
/// - The first answer comes once every part has spoken, be it with an error: who comes first must not depend on who was
///   faster, and a part that fails must not hold up the others.
/// - After it, each time parts have news, all that is known is the answer. A part that fails keeps its last servers.
/// - It is an error, naming each part that fails, only while there is no server at all.
/// - The service config and the attributes are those of the first part that has any, the TTL is the shortest.
/// - Doubts and rejections go to every part.
///
/// Parts limit how often they look, wait and are asked themselves. Without parts it never answers.
pub(crate) fn merged(parts: impl IntoIterator<Item = (String, Box<dyn Resolver>)>) -> Box<dyn Resolver> {
    let (names, resolvers) = parts.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
    Box::new(Merged { resolvers, merge: Merge::new(names) })
}

struct Merged {
    resolvers: Vec<Box<dyn Resolver>>,
    merge: Merge,
}

impl Resolver for Merged {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Resolution, ResolveError>> {
        // Each part once, however much it has to say: none starves another, and what came together is one
        // answer.
        let mut heard = false;
        for (part, resolver) in self.resolvers.iter_mut().enumerate() {
            if let Poll::Ready(answer) = resolver.poll_next(cx) {
                self.merge.hear(part, answer);
                heard = true;
            }
        }
        if !heard {
            return Poll::Pending;
        }
        match self.merge.answer() {
            Some(answer) => Poll::Ready(answer),
            None => {
                // A part that has just answered will wake nobody before it is polled again.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn refresh(&mut self) {
        self.resolvers.iter_mut().for_each(|resolver| resolver.refresh());
    }

    fn reject(&mut self) {
        self.resolvers.iter_mut().for_each(|resolver| resolver.reject());
    }
}

/// What the parts have said. Pure.
struct Merge {
    parts: Vec<Part>,
}

struct Part {
    name: String,
    heard: Heard,
}

/// What a part has said so far.
///
/// ```text
///     Nothing ----> Answer <----> Failure (with the answer before it, if there was one)
///          `---------------------^
/// ```
enum Heard {
    Nothing,
    Answer(Resolution),
    Failure { error: ResolveError, before: Option<Resolution> },
}

impl Merge {
    fn new(names: Vec<String>) -> Self {
        let parts = names.into_iter().map(|name| Part { name, heard: Heard::Nothing }).collect();
        Self { parts }
    }

    fn hear(&mut self, part: usize, answer: Result<Resolution, ResolveError>) {
        let part = &mut self.parts[part];
        part.heard = match answer {
            Ok(answer) => Heard::Answer(answer),
            Err(error) => {
                tracing::debug!(part = part.name, %error, "a part of the target failed; its last servers stand");
                let before = match std::mem::replace(&mut part.heard, Heard::Nothing) {
                    Heard::Nothing => None,
                    Heard::Answer(answer) => Some(answer),
                    Heard::Failure { before, .. } => before,
                };
                Heard::Failure { error, before }
            }
        };
    }

    /// All that is known; `None` until every part has spoken.
    fn answer(&self) -> Option<Result<Resolution, ResolveError>> {
        if self.parts.iter().any(|part| matches!(part.heard, Heard::Nothing)) {
            return None;
        }
        let endpoints = self.endpoints();
        // A part that fails may have servers, so that "there are none" cannot be said for all.
        if endpoints.is_empty()
            && let Some(error) = self.error()
        {
            return Some(Err(error));
        }
        let mut answer = Resolution::new(endpoints);
        for (name, known) in self.known() {
            answer.service_config = answer.service_config.or_else(|| known.service_config.clone());
            if answer.attributes.is_empty() {
                answer.attributes = known.attributes.clone();
            }
            answer.ttl = [answer.ttl, known.ttl].into_iter().flatten().min();
            let note = known.note.as_deref().map(|note| by(name, note));
            answer.note = match (answer.note, note) {
                (Some(before), Some(next)) => Some(before + BETWEEN + &next),
                (before, next) => before.or(next),
            };
        }
        Some(Ok(answer))
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        let mut endpoints: IndexMap<&[Address], &Endpoint> = IndexMap::new();
        for endpoint in self.known().flat_map(|(_, known)| &known.endpoints) {
            endpoints.entry(endpoint.addresses()).or_insert(endpoint);
        }
        endpoints.into_values().cloned().collect()
    }

    /// What all the parts that fail say.
    fn error(&self) -> Option<ResolveError> {
        let failures = self.parts.iter().filter_map(|part| match &part.heard {
            Heard::Failure { error, .. } => Some((part.name.as_str(), error)),
            Heard::Nothing | Heard::Answer(_) => None,
        });
        let (_, first) = failures.clone().next()?;
        // Two parts may look for the same, and fail alike.
        let texts: IndexSet<_> = failures.map(|(name, error)| by(name, error.message())).collect();
        let text = texts.into_iter().collect::<Vec<_>>().join(BETWEEN);
        Some(ResolveError::new(text).caused_by(first.clone()))
    }

    /// The last answers, with the names of their parts.
    fn known(&self) -> impl Iterator<Item = (&str, &Resolution)> {
        self.parts.iter().filter_map(|part| match &part.heard {
            Heard::Answer(known) | Heard::Failure { before: Some(known), .. } => Some((&*part.name, known)),
            Heard::Nothing | Heard::Failure { before: None, .. } => None,
        })
    }
}

/// `text` and who says it, but only once: most resolvers begin with what they looked for.
fn by(name: &str, text: &str) -> String {
    match text.strip_prefix(name) {
        Some(rest) if rest.starts_with(": ") => text.to_owned(),
        _ => format!("{name}: {text}"),
    }
}

/// Between what two parts say.
const BETWEEN: &str = "; ";

#[cfg(test)]
mod tests;
