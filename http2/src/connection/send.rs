//! Requests: streams are opened, and their data is written at once or waits.

use bytes::Bytes;

use super::{Connection, Phase};
use crate::budget::OPENED_STREAM;
use crate::config::LAST_STREAM_ID;
use crate::flow::{SendWindow, StreamCredit};
use crate::hpack::{is_connection_specific, is_field_name, is_field_value, list_size, trimmed};
use crate::pseudo::PseudoFields;
use crate::streams::Sending;
use crate::{Event, Field, OpenError, Payload, StreamGone, StreamKey, TemplateId};

impl Connection {
    /// Remembers header fields that requests have in common, pseudo fields first, and encodes them once for many
    /// requests. White space around values is left out. `None` if there are too many templates already (1024), if
    /// a field is one that HTTP/2 cannot carry, or if the pseudo fields are not those of a request: each once, none
    /// of them empty, and with a regular field behind them none missing (RFC 9113 section 8.3.1).
    pub fn template<N, V>(&mut self, fields: impl IntoIterator<Item = (N, V)>) -> Option<TemplateId>
    where
        N: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let fields: Vec<_> = fields.into_iter().collect();
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| (name.as_ref(), trimmed(value.as_ref()))).collect();
        let regular = fields.iter().position(|(name, _)| !is_pseudo(name)).unwrap_or(fields.len());
        let (pseudo, regular) = fields.split_at(regular);
        let mut head = PseudoFields::default();
        let is_valid = pseudo
            .iter()
            .all(|(name, value)| head.add(name, value).is_ok() && is_field_value(value))
            && (regular.is_empty() || head.check().is_ok())
            && regular.iter().all(|(name, value)| check_name(name, value).is_ok() && is_field_value(value));
        if !is_valid {
            return None;
        }
        let is_pseudo_alone = regular.is_empty();
        let template = self.encoder.template(fields)?;
        if is_pseudo_alone {
            self.pseudo_templates.push((template, head));
        }
        Some(template)
    }

    /// Opens a stream: HEADERS, then `body` (`Bytes`, or a slice to be copied) in DATA as far as windows allow,
    /// END_STREAM with `end`. `fields` follow the template's, pseudo fields among them only at once behind a template of
    /// pseudo fields alone, which they complete. White space around their values is left out. The template is one of
    /// this connection's.
    ///
    /// Nothing waits for the peer's SETTINGS: whoever wants to keep its limits from the first stream on waits for
    /// [`Event::SettingsReceived`].
    ///
    /// # Errors
    /// Nothing was queued, and the connection is as it was.
    pub fn open<'a>(
        &mut self,
        template: TemplateId,
        fields: &[Field<'_>],
        body: impl Into<Payload<'a>>,
        end: bool,
    ) -> Result<StreamKey, OpenError> {
        self.open_with(template, fields, body.into(), end)
    }

    /// Apart, so that there is one of it for all kinds of bodies.
    fn open_with(
        &mut self,
        template: TemplateId,
        fields: &[Field<'_>],
        body: Payload<'_>,
        end: bool,
    ) -> Result<StreamKey, OpenError> {
        self.check_place()?;
        self.check_fields(template, fields)?;
        let id = self.next_id;
        self.next_id += 2;
        let ends_at_once = end && body.is_empty();
        let (key, stream) = self.streams.insert(
            id,
            SendWindow::new(self.peer.initial_window),
            StreamCredit::new(self.own.window_in_force(&self.config)),
            self.outgoing.position(),
        );
        if ends_at_once {
            stream.sending = Sending::Ended;
        }
        let encoder = &mut self.encoder;
        self.outgoing.headers(id, ends_at_once, self.peer.frame_limit(), |out| {
            encoder.begin(out);
            encoder.encode_template(template, out);
            for field in fields {
                encoder.encode(&Field { value: trimmed(field.value), ..*field }, out);
            }
        });
        self.budget.earn(OPENED_STREAM);
        if !body.is_empty() {
            self.queue(key, body, end);
        }
        if !end {
            self.is_writable(key);
        }
        if self.next_id > LAST_STREAM_ID {
            self.tell(Event::IdsExhausted);
        }
        Ok(key)
    }

    /// Queues data, all of it, whatever the windows; see [`is_writable`](Self::is_writable). Empty data with `end`
    /// only ends the request.
    ///
    /// # Errors
    /// The stream is over, or `end` was said before, or the connection is over: nothing was queued.
    pub fn send(&mut self, stream: StreamKey, data: Bytes, end: bool) -> Result<(), StreamGone> {
        let open = self.streams.get(stream).ok_or(StreamGone)?;
        if open.sending != Sending::Open || matches!(self.phase, Phase::Over(_)) {
            return Err(StreamGone);
        }
        self.queue(stream, data.into(), end);
        if !end {
            self.is_writable(stream);
        }
        Ok(())
    }

    fn check_place(&self) -> Result<(), OpenError> {
        if self.refuses_streams() {
            return Err(OpenError::Draining);
        }
        if self.next_id > LAST_STREAM_ID {
            return Err(OpenError::IdsExhausted);
        }
        match self.peer.max_concurrent_streams {
            Some(limit) if !self.has_place() => Err(OpenError::TooManyStreams { limit }),
            _ => Ok(()),
        }
    }

    fn check_fields(&self, template: TemplateId, fields: &[Field<'_>]) -> Result<(), OpenError> {
        let Some(mut size) = self.encoder.template_list_size(template) else {
            return Err(OpenError::Invalid("template of another connection".into()));
        };
        // The pseudo fields of other templates are complete.
        let of_template = self.pseudo_templates.iter().find(|(pseudo, _)| *pseudo == template);
        let mut head = of_template.map(|(_, head)| *head);
        // Pseudo fields come before all others (RFC 9113 section 8.3).
        let mut may_be_pseudo = head.is_some();
        for field in fields {
            let value = trimmed(field.value);
            let is_pseudo = is_pseudo(field.name);
            may_be_pseudo &= is_pseudo;
            if let Some(head) = head.as_mut().filter(|_| may_be_pseudo) {
                head.add(field.name, value).map_err(|reason| OpenError::Invalid(reason.into()))?;
            } else if is_pseudo || field.name == b"te" || !self.encoder.knows(field.name) {
                // What can be wrong with a name was looked for when it came first; `te` depends on the value.
                check_name(field.name, value).map_err(|reason| OpenError::Invalid(reason.into()))?;
            }
            check_value(value).map_err(|reason| OpenError::Invalid(reason.into()))?;
            size += list_size(field.name, value);
        }
        if let Some(head) = head {
            head.check().map_err(|reason| OpenError::Invalid(reason.into()))?;
        }
        match self.peer.max_header_list_size {
            Some(limit) if size > limit as usize => Err(OpenError::HeadersTooLarge { size, limit }),
            _ => Ok(()),
        }
    }

    /// Data of a stream that is open for sending. What fits into one frame, and has nobody to wait for, is written
    /// at once, so that a small request is HEADERS and DATA in one piece.
    #[inline]
    fn queue(&mut self, key: StreamKey, data: Payload<'_>, end: bool) {
        let allowed = self.window.available().min(self.peer.frame_limit());
        let waits = !self.schedule.is_empty() || self.outgoing.pending() >= self.staging.limit();
        let stream = self.streams.get_mut(key).expect("the caller found the stream");
        if stream.queued() > 0
            || !data.is_empty() && (waits || data.len() > allowed.min(stream.window.available()))
        {
            self.enqueue(key, data.into_bytes(), end);
        } else if !data.is_empty() || end {
            stream.window.consume(data.len());
            self.window.consume(data.len());
            self.budget.earn_sent(data.len());
            self.outgoing.data_head(key.id(), data.len(), end);
            self.outgoing.payload(data);
            if end {
                stream.sending = Sending::Ended;
                if stream.is_closed() {
                    self.forget(key);
                }
            }
        }
    }

    #[cold]
    fn enqueue(&mut self, key: StreamKey, data: Bytes, end: bool) {
        let stream = self.streams.get_mut(key).expect("the caller found the stream");
        if !data.is_empty() {
            stream.push(data);
        }
        if end {
            stream.sending = Sending::Ending;
        }
        if stream.is_ready() {
            self.schedule.push(key, stream);
        }
    }
}

fn is_pseudo(name: &[u8]) -> bool {
    name.starts_with(b":")
}

/// Whether HTTP/2 can carry a field of this name, which is no pseudo field.
#[inline(never)]
fn check_name(name: &[u8], value: &[u8]) -> Result<(), &'static str> {
    if is_connection_specific(name, value) {
        return Err("connection-specific field (RFC 9113 8.2.2)");
    }
    if !is_field_name(name) {
        return Err("field name that HTTP/2 cannot carry (RFC 9113 8.2.1)");
    }
    Ok(())
}

#[inline]
fn check_value(value: &[u8]) -> Result<(), &'static str> {
    if !is_field_value(value) {
        return Err("field value that HTTP/2 cannot carry (RFC 9113 8.2.1)");
    }
    Ok(())
}
