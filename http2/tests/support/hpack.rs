//! Header blocks: what the server sends is written as literals or raw bytes, so that a test controls each of
//! them; what the engine sends needs a real decoder, and it is not the engine's own.

use loona_hpack::Decoder;

/// Names and values in the order in which they came.
pub(crate) type Fields = Vec<(String, String)>;

/// A field as a literal without indexing, its name written out, no Huffman code (RFC 7541 6.2.2).
pub(crate) fn literal(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut field = vec![0];
    put_text(&mut field, name.as_ref());
    put_text(&mut field, value.as_ref());
    field
}

/// A field as a literal that enters the decoder's table (RFC 7541 6.2.1).
pub(crate) fn indexed_literal(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut field = literal(name, value);
    field[0] = 0x40;
    field
}

/// A field that is in a table already (RFC 7541 6.1).
pub(crate) fn indexed(index: u32) -> Vec<u8> {
    let mut field = Vec::new();
    put_integer(&mut field, 0x80, 7, index as usize);
    field
}

/// A change of the table's size (RFC 7541 6.3).
pub(crate) fn table_size(size: usize) -> Vec<u8> {
    let mut update = Vec::new();
    put_integer(&mut update, 0x20, 5, size);
    update
}

/// The changes of the table's size that a block begins with.
pub(crate) fn size_updates(block: &[u8]) -> Vec<usize> {
    let mut updates = Vec::new();
    let mut rest = block.iter().copied().peekable();
    while let Some(first) = rest.next_if(|first| first & 0xe0 == 0x20) {
        let mut size = usize::from(first & 0x1f);
        let mut shift = 0;
        while size >= 0x1f {
            let Some(octet) = rest.next() else { panic!("a size that ends within an integer") };
            size += usize::from(octet & 0x7f) << shift;
            shift += 7;
            if octet & 0x80 == 0 {
                break;
            }
        }
        updates.push(size);
    }
    updates
}

pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| literal(name, value)).collect()
}

/// What a decoder that has read everything before makes of a block.
pub(crate) fn decode(decoder: &mut Decoder<'static>, block: &[u8]) -> Fields {
    let fields = decoder.decode(block).unwrap_or_else(|error| panic!("no header block: {error:?}"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    fields.into_iter().map(|(name, value)| (text(name), text(value))).collect()
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_integer(out, 0, 7, text.len());
    out.extend_from_slice(text);
}

/// RFC 7541 5.1.
pub(crate) fn put_integer(out: &mut Vec<u8>, pattern: u8, prefix: u32, number: usize) {
    let most = (1_usize << prefix) - 1;
    if number < most {
        out.push(pattern | number as u8);
        return;
    }
    out.push(pattern | most as u8);
    let mut rest = number - most;
    while rest >= 128 {
        out.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    out.push(rest as u8);
}
