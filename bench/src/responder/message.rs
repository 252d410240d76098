//! gRPC's framing, and the one message of the service.

use super::violation::Violation;

/// gRPC's prefix: a flag and a length.
pub(super) const PREFIX: usize = 5;

/// The largest message that is taken: gRPC's default, and above all workloads.
const MAX_MESSAGE: usize = 4 << 20;

/// The tag of `Payload.body`.
const BODY_TAG: u8 = 0x0a;

/// A message with its prefix, and what follows it.
type Split<'a> = (&'a [u8], &'a [u8]);

/// The first message of `bytes` with its prefix, and what follows it; `None` if it is not all there.
pub(super) fn split(bytes: &[u8]) -> Result<Option<Split<'_>>, Violation> {
    let Some((&[flag, length @ ..], rest)) = bytes.split_first_chunk::<PREFIX>() else { return Ok(None) };
    if flag != 0 {
        return Err(Violation::Message("it is compressed"));
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_MESSAGE {
        return Err(Violation::Message("it is too large"));
    }
    Ok((rest.len() >= length).then(|| bytes.split_at(PREFIX + length)))
}

/// The only message of a body that has ended, with its prefix.
pub(super) fn only(bytes: &[u8]) -> Result<&[u8], Violation> {
    match split(bytes)? {
        Some((message, [])) => Ok(message),
        Some(_) => Err(Violation::Message("there are two")),
        None => Err(Violation::Message("it is cut off")),
    }
}

/// How long the message that `bytes` begin with is, with its prefix, as far as that is known and plausible.
pub(super) fn announced(bytes: &[u8]) -> usize {
    let Some((&[_, length @ ..], _)) = bytes.split_first_chunk::<PREFIX>() else { return 0 };
    PREFIX + (u32::from_be_bytes(length) as usize).min(MAX_MESSAGE)
}

/// Checks that a message is a `Payload`.
pub(super) fn check_payload(framed: &[u8]) -> Result<(), Violation> {
    let Some((&tag, rest)) = framed[PREFIX..].split_first() else { return Ok(()) };
    let (length, body) = varint(rest).ok_or(Violation::Message("its length is cut off"))?;
    if tag != BODY_TAG || length != body.len() {
        return Err(Violation::Message("it is no Payload"));
    }
    Ok(())
}

/// Writes a `Payload` with this body, with its prefix.
pub(super) fn write_payload(out: &mut Vec<u8>, body: &[u8]) {
    let mut length = [0; 5];
    let mut count = 0;
    let mut rest = body.len();
    while rest >= 0x80 {
        length[count] = rest as u8 | 0x80;
        (rest, count) = (rest >> 7, count + 1);
    }
    length[count] = rest as u8;
    let message = 1 + count + 1 + body.len();
    out.push(0);
    out.extend_from_slice(&(message as u32).to_be_bytes());
    out.push(BODY_TAG);
    out.extend_from_slice(&length[..=count]);
    out.extend_from_slice(body);
}

fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo::Payload;
    use prost::Message;

    #[test]
    fn a_payload_is_written_as_prost_writes_it() {
        for size in [1, 127, 128, 20_000] {
            let body = vec![7; size];
            let mut out = Vec::new();
            write_payload(&mut out, &body);
            check_payload(only(&out).unwrap()).unwrap();
            assert_eq!(Payload { body: body.into() }.encode_to_vec(), out[PREFIX..]);
        }
    }

    #[test]
    fn what_is_cut_off_is_waited_for_or_refused() {
        let mut out = Vec::new();
        write_payload(&mut out, b"12345678");
        for length in 0..out.len() {
            assert_eq!(split(&out[..length]), Ok(None));
            assert!(only(&out[..length]).is_err());
        }
    }

    #[test]
    fn a_message_whose_lengths_disagree_is_refused() {
        let mut out = Vec::new();
        write_payload(&mut out, b"12345678");
        out[PREFIX + 1] -= 1;
        assert_eq!(check_payload(&out), Err(Violation::Message("it is no Payload")));
    }
}
